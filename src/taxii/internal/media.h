// Media types and negotiation (TAXII 2.1 §1.6.8, §3.1; RFC 9110 §8.3, §12.5.1) and the Prefer header (RFC 7240).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http.h"

namespace entente::taxii::internal {

inline constexpr std::string_view kTaxii = "application/taxii+json;version=2.1";
inline constexpr std::string_view kStix = "application/stix+json;version=2.1";

struct MediaType {
  std::string type;                                             // "application/taxii+json", lower case
  std::vector<std::pair<std::string, std::string>> parameters;  // names in lower case, values unquoted
  [[nodiscard]] std::optional<std::string_view> parameter(std::string_view name) const;
};

// nullopt if it is not of the form type/subtype *( ; name = value ).
std::optional<MediaType> parse_media_type(std::string_view text);
// Splits at commas outside quotes; blank elements are left out.
std::vector<std::string_view> split_list(std::string_view text);

// May the answer be application/taxii+json;version=2.1? (T15, T16, T17)
bool accepts_taxii(const net::Headers& headers);
// Is a request body of this Content-Type a TAXII 2.1 body? (T15)
bool is_taxii_body(std::string_view content_type);
// Seconds of `Prefer: wait=N`; nullopt without or if it is not a number.
std::optional<int64_t> preferred_wait(const net::Headers& headers);

}  // namespace entente::taxii::internal
