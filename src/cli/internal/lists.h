// Lists of names, addresses, URLs, hashes or e-mail addresses turned into STIX indicators. Ids are computed from party
// and pattern, so the same list published twice gives new versions of the same indicators, not doubles.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace entente::cli {

struct ListOptions {
  std::string as;  // domains addresses urls hashes emails phishing-json
  std::string tlp = "green";
  int confidence = 85;
  int valid_days = 30;
  std::string label;
  std::string creator;  // identity id
  Time at;
};

// One JSON text per entry. kInvalid names the line that is none of these.
[[nodiscard]] Result<std::vector<std::string>> indicators_of(std::string_view text, const ListOptions& options);
// One indicator for one value.
[[nodiscard]] Result<std::string> indicator_for(std::string_view value, const ListOptions& options);

}  // namespace entente::cli
