// What is exchanged in the demo: phishing names that were really reported, and a few objects that the agreement must
// not let through as they are.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace entente::cli::demo {

// `path` or, if empty, where tools/setup puts the data set: build/data/phishing.json, seen from here or from the
// program.
[[nodiscard]] Result<std::string> find_data(const std::string& path);
// Names of the data set, in order, without what is no host name.
[[nodiscard]] Result<std::vector<std::string>> phishing_names(const std::string& path);

// A STIX bundle of objects that test the agreement: marked above the ceiling, naming a victim, partly marked, of a type
// that an article forbids, and a link to something withheld. `creator`: identity of the party.
[[nodiscard]] std::string delicate_objects(const std::string& creator, Time at);
inline constexpr size_t kDelicateObjects = 8;

}  // namespace entente::cli::demo
