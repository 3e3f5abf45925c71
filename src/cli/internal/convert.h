// Reading what other systems wrote, for import and publish.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "base/result.h"
#include "misp/misp.h"

namespace entente::cli {

// `texts` keeps what the files hold. An error names its file.
[[nodiscard]] Result<misp::Import> read_misp(const std::vector<std::string>& files, std::vector<std::string>& texts);
void print_not_carried(FILE* to, bool as_json, const std::vector<misp::NotCarried>& list);

}  // namespace entente::cli
