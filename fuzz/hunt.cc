// Logs of any form: Zeek TSV and JSON, other JSON lines, plain text. What the raw scan finds is found too if every line
// is taken apart, of compound patterns too. And any line of a list is an indicator or refused.
#include "detect/hunt.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "detect/compound.h"
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

// Patterns of which every bracket has an anchor: what no anchor shows, every line shows nothing of.
struct Set {
  std::shared_ptr<const detect::Index> index;
  detect::Compounds compounds;
};
const Set& compound() {
  static const Set set = [] {
    Set out;
    detect::Builder builder;
    for (const char* text :
         {"[domain-name:value = 'evil.example' AND domain-name:resolves_to_refs[*].value = '203.0.113.7']",
          "[network-traffic:dst_ref.value = '203.0.113.7' AND network-traffic:dst_port > 79]",
          "[url:value = 'http://shop.example/a?b=1' AND url:value LIKE '%b=1']",
          "[domain-name:value = 'evil.example'] FOLLOWEDBY [ipv4-addr:value ISSUBSET '198.51.100.0/24']",
          "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e'] REPEATS 2 TIMES WITHIN 60 SECONDS",
          "[email-addr:value = 'joe@mail.example'] OR [ipv6-addr:value = '2001:db8::7' AND ipv6-addr:value != '::1']",
          "[domain-name:value LIKE '%.example.net' AND domain-name:value != 'a.example.net']"}) {
      const auto anchors = out.compounds.add({.id = text, .pattern = text}, *pattern::Pattern::parse(text));
      demand(anchors.ok() && !anchors->empty(), "every pattern here has its anchors");
      builder.add({.tag = out.compounds.tag()}, *anchors);
    }
    out.index = std::move(builder).build();
    return out;
  }();
  return set;
}

enum class Way { kRaw, kExact, kEveryLine };
std::vector<std::string> hunted(std::string_view text, const detect::Index& index, Way way,
                                const detect::Compounds* compounds = nullptr) {
  std::vector<std::string> out;
  detect::HuntOptions options;
  options.compounds = compounds;
  options.parse_all = way == Way::kEveryLine;
  options.exact = way == Way::kExact;
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
  const auto quick = hunted(text, *shared, Way::kRaw);
  const auto full = hunted(text, *shared, Way::kEveryLine);
  demand(std::includes(full.begin(), full.end(), quick.begin(), quick.end()), "a raw match is a match");
  demand(hunted(text, *shared, Way::kExact) == full, "exact is what taking every line apart gives");
  // Patterns of several observations may be bound otherwise where more is seen, but not be missed.
  const Set& set = compound();
  const auto quick_several = hunted(text, *set.index, Way::kRaw, &set.compounds);
  const auto full_several = hunted(text, *set.index, Way::kEveryLine, &set.compounds);
  for (const auto& line : quick_several) {
    const bool several = line.find(R"("witness":)") != std::string::npos;
    const std::string id = line.substr(0, line.find(R"(,"pattern":)"));
    const bool there = std::any_of(full_several.begin(), full_several.end(),
                                   [&](const std::string& l) { return several ? l.starts_with(id) : l == line; });
    demand(there, "a raw match of a compound pattern is a match");
  }
  if (size < 2000) {
    if (const auto p = detect::pattern_of_value(text); p.ok())
      demand(pattern::Pattern::parse(*p).ok(), "the pattern of a value is a pattern");
  }
  return 0;
}
