// Logs of any form: Zeek TSV and JSON, other JSON lines, plain text. What the raw scan finds is found too if every line
// is taken apart. And any line of a list is an indicator or refused.
#include "detect/hunt.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "detect/load.h"
#include "fuzz/property.h"

using namespace entente;
using fuzz::demand;

namespace {

std::shared_ptr<const detect::Index> index() {
  detect::Builder builder;
  for (const char* value :
       {"evil.example", "203.0.113.7", "198.51.100.0/24", "2001:db8::7", "http://shop.example/a?b=1",
        "d41d8cd98f00b204e9800998ecf8427e", "joe@mail.example", "xn--mnchen-3ya.example"}) {
    const std::string text = *detect::pattern_of_value(value);
    const auto atoms = pattern::equality_atoms(*pattern::Pattern::parse(text));
    builder.add({.id = value, .pattern = text}, atoms.any_of);
  }
  return std::move(builder).build();
}

std::vector<std::string> hunted(std::string_view text, const detect::Index& index, bool parse_all) {
  std::vector<std::string> out;
  detect::HuntOptions options;
  options.parse_all = parse_all;
  options.max_line_bytes = 4096;
  const auto report = detect::hunt_text(
      text, "x", index, [&](const detect::HuntMatch& m) { out.push_back(detect::to_json(m)); }, options);
  demand(report.matches == out.size(), "every match is counted");
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto shared = index();
  const auto text = fuzz::text_of(data, size);
  const auto quick = hunted(text, *shared, false);
  const auto full = hunted(text, *shared, true);
  demand(std::includes(full.begin(), full.end(), quick.begin(), quick.end()), "a raw match is a match");
  if (size < 2000) {
    if (const auto p = detect::pattern_of_value(text); p.ok())
      demand(pattern::Pattern::parse(*p).ok(), "the pattern of a value is a pattern");
  }
  return 0;
}
