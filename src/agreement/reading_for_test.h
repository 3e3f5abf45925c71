// For tests: what is read out of decisions and objects, with the JSON reader alone.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "agreement/random_case.h"

namespace entente::agreement::testing {

inline bool goes(const Decision& d) { return d.verdict == Verdict::kReleased || d.verdict == Verdict::kRedacted; }
inline bool has_code(const Decision& d, std::string_view code) {
  return std::any_of(d.reasons.begin(), d.reasons.end(), [code](const Reason& r) { return r.code == code; });
}
inline std::string bytes_of(const Case& c, const Decision& d) {
  return d.verdict == Verdict::kRedacted ? d.bytes : c.objects[d.object].raw;
}
inline Node parsed(std::string_view text) {
  auto doc = json::parse(text);
  EXPECT_TRUE(doc.ok()) << text;
  return doc.ok() ? Node::from(doc->root()) : Node::object();
}
inline std::string text_of(const Node& n, std::string_view name) { return std::string(n.string_at(name)); }

}  // namespace entente::agreement::testing
