#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/crypto.h"
#include "base/files.h"
#include "json/internal/number.h"
#include "json/json_test_gen.h"

namespace entente::json {
namespace {

std::string number(uint64_t bits) {
  double d = 0;
  __builtin_memcpy(&d, &bits, 8);
  std::string out;
  append_double(out, d);
  return out;
}

// RFC 8785 Appendix B.
TEST(Jcs, NumbersOfAppendixB) {
  const std::pair<uint64_t, const char*> samples[] = {
      {0x0000000000000000, "0"},
      {0x8000000000000000, "0"},
      {0x0000000000000001, "5e-324"},
      {0x8000000000000001, "-5e-324"},
      {0x7fefffffffffffff, "1.7976931348623157e+308"},
      {0xffefffffffffffff, "-1.7976931348623157e+308"},
      {0x4340000000000000, "9007199254740992"},
      {0xc340000000000000, "-9007199254740992"},
      {0x4430000000000000, "295147905179352830000"},
      {0x44b52d02c7e14af5, "9.999999999999997e+22"},
      {0x44b52d02c7e14af6, "1e+23"},
      {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
      {0x444b1ae4d6e2ef4e, "999999999999999700000"},
      {0x444b1ae4d6e2ef4f, "999999999999999900000"},
      {0x444b1ae4d6e2ef50, "1e+21"},
      {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
      {0x3eb0c6f7a0b5ed8d, "0.000001"},
      {0x41b3de4355555553, "333333333.3333332"},
      {0x41b3de4355555554, "333333333.33333325"},
      {0x41b3de4355555555, "333333333.3333333"},
      {0x41b3de4355555556, "333333333.3333334"},
      {0x41b3de4355555557, "333333333.33333343"},
      {0xbecbf647612f3696, "-0.0000033333333333333333"},
      {0x43143ff3c1cb0959, "1424953923781206.2"},
  };
  for (const auto& [bits, text] : samples) EXPECT_EQ(number(bits), text);
}

// RFC 8785 §3.2.2, its first example.
TEST(Jcs, ExampleOfSection322) {
  EXPECT_EQ(canonical(R"({
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  })")
                .value(),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
            "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

// RFC 8785 §3.2.3: order by UTF-16 code units, where a surrogate pair sorts before U+FB33.
TEST(Jcs, SortsByUtf16CodeUnits) {
  EXPECT_EQ(
      canonical(R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",
                          "\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"})")
          .value(),
      "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\",\"\xc3\xb6\":\"Latin Small Letter O With "
      "Diaeresis\","
      "\"\xe2\x82\xac\":\"Euro Sign\",\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\",\"\xef\xac\xb3\":\"Hebrew Letter "
      "Dalet With Dagesh\"}");
}

TEST(Jcs, IntegersStayWhole) {
  EXPECT_EQ(canonical("[-0,1,-5,9007199254740991,1.0,1e2,-0.0]").value(), "[0,1,-5,9007199254740991,1,100,0]");
}

TEST(Jcs, RefusesWhatParseRefuses) { EXPECT_FALSE(canonical(R"({"a":1,"a":1})").ok()); }

// agreement.md §4.4 and §4.5.
TEST(Jcs, ExampleAgreementsHaveTheirPublishedHashes) {
  struct Example {
    const char *file, *sha256;
    size_t bytes;
  };
  PosixFiles files;
  for (const Example& e : {Example{"agreement-india-japan.example.json",
                                   "d5388d793c1ef1ac2ff7314c0a0412be29a5269406c6829d1cf95e7ca2aad4c7", 11433},
                           Example{"agreement-four-party.example.json",
                                   "a7feb4de2ba481ce5f079a92c2603a5635addc3c8df9ee51fc8e30825141bdd7", 13338}}) {
    const auto text = files.read(std::string(ENTENTE_SPEC_DIR) + "/" + e.file);
    if (!text.ok()) GTEST_SKIP() << "no " << text.error().where;
    const std::string c = canonical(std::string_view(text.value())).value();
    EXPECT_EQ(c.size(), e.bytes) << e.file;
    EXPECT_EQ(sha256_hex(c), e.sha256) << e.file;
  }
}

RC_GTEST_PROP(Jcs, DoublesReadBackAndHaveNoShorterForm, ()) {
  const auto bits = *rc::gen::resize(100, rc::gen::arbitrary<uint64_t>());
  double d = 0;
  __builtin_memcpy(&d, &bits, 8);
  RC_PRE(std::isfinite(d));
  const std::string text = number(bits);
  RC_ASSERT(std::strtod(text.c_str(), nullptr) == d);
  // Shortest: %.{n-1}e with one digit less does not read back.
  size_t digits = 0;
  bool leading = true;
  for (const char c : text.substr(0, text.find('e'))) {
    if (c < '0' || c > '9' || (leading && c == '0')) continue;
    leading = false;
    ++digits;
  }
  if (digits > 1 && digits <= 17 && text.find('.') != std::string::npos) {
    char shorter[64];
    std::snprintf(shorter, sizeof shorter, "%.*e", static_cast<int>(digits) - 2, d);
    RC_ASSERT(std::strtod(shorter, nullptr) != d);
  }
}

RC_GTEST_PROP(Jcs, IsAFixedPointAndKeepsTheValue, ()) {
  const Node n = *gen_node(4);
  const std::string c = canonical(n);
  RC_ASSERT(canonical(std::string_view(c)).value() == c);
  RC_ASSERT(canonical(std::string_view(write_pretty(n))).value() == c);
}

// The order by UTF-16 code units, spelled out.
std::u16string units(std::string_view s) {
  std::u16string out;
  for (size_t i = 0; i < s.size();) {
    const auto b = static_cast<uint8_t>(s[i]);
    const size_t n = b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
    uint32_t cp = n == 1 ? b : b & (0x7fu >> n);
    for (size_t k = 1; k < n; ++k) cp = cp << 6 | (static_cast<uint8_t>(s[i + k]) & 0x3f);
    if (cp >= 0x10000) {
      out += static_cast<char16_t>(0xd800 + ((cp - 0x10000) >> 10));
      out += static_cast<char16_t>(0xdc00 + ((cp - 0x10000) & 0x3ff));
    } else {
      out += static_cast<char16_t>(cp);
    }
    i += n;
  }
  return out;
}

RC_GTEST_PROP(Jcs, MembersAreInUtf16Order, ()) {
  Node n = Node::object();
  for (const auto& name : *rc::gen::container<std::vector<std::string>>(gen_text())) n.set(name, 0);
  const auto d = parse(canonical(n)).value();
  std::u16string last;
  bool first = true;
  for (const auto& [key, v] : as_object(d.root())) {
    if (!first) RC_ASSERT(last < units(key));
    last = units(key);
    first = false;
  }
}

}  // namespace
}  // namespace entente::json
