// The rules of evaluation one by one (S-numbers: section 8 of the STIX notes), and what bad input may cost.
#include "pattern/evaluate.h"

#include <ctime>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pattern/internal/regex.h"
#include "pattern/internal/text.h"

namespace entente::pattern {
namespace {

using ::testing::HasSubstr;

Observations read(const std::string& text, bool lenient = false) {
  auto data = Observations::read(text, {.lenient = lenient});
  if (!data.ok()) ADD_FAILURE() << data.error().text() << "\n" << text;
  return data.ok() ? *std::move(data) : Observations();
}

MatchResult run(const std::string& pattern, const Observations& data, const MatchOptions& options = {}) {
  const auto p = Pattern::parse(pattern);
  if (!p.ok()) {
    ADD_FAILURE() << p.error().text() << "\n" << pattern;
    return {};
  }
  const auto m = Matcher::compile(*p);
  if (!m.ok()) {
    ADD_FAILURE() << m.error().text() << "\n" << pattern;
    return {};
  }
  return m->match(data, options);
}

bool matched(const std::string& pattern, const Observations& data) {
  const auto r = run(pattern, data);
  EXPECT_NE(r.outcome, Outcome::kLimit) << pattern;
  return r.outcome == Outcome::kMatched;
}

// One observation with one object of type x with these members.
Observations one(const std::string& members) {
  return read(R"({"type":"observed-data","id":"observed-data--1","first_observed":"2026-01-01T00:00:00Z",)"
              R"("last_observed":"2026-01-01T00:00:00Z","number_observed":1,"objects":{"0":{"type":"x",)" +
              members + "}}}");
}

bool test(const std::string& members, const std::string& test) { return matched("[" + test + "]", one(members)); }

std::string clock(int s) {
  const auto two = [](int v) { return std::string(v < 10 ? "0" : "") + std::to_string(v); };
  return "2026-01-01T" + two(s / 3600) + ":" + two(s / 60 % 60) + ":" + two(s % 60) + "Z";
}

struct At {
  int first, last, count;
  std::string members;
};

Observations at(const std::vector<At>& list) {
  std::string s = "[";
  for (const auto& a : list) {
    s += (s.size() > 1 ? "," : "") + std::string(R"({"type":"observed-data","id":"observed-data--)") +
         std::to_string(s.size()) + R"(","first_observed":")" + clock(a.first) + R"(","last_observed":")" +
         clock(a.last) + R"(","number_observed":)" + std::to_string(a.count) + R"(,"objects":{"0":{"type":"x",)" +
         a.members + "}}}";
  }
  return read(s + "]");
}

// CPU time of this thread, so that a busy machine does not count. Sanitizers cost a factor.
double seconds(const std::function<void()>& f) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(_GLIBCXX_ASSERTIONS)
  constexpr double kSlower = 20;
#else
  constexpr double kSlower = 1;
#endif
  const auto now = [] {
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  };
  const double start = now();
  f();
  return (now() - start) / kSlower;
}

// --- comparison

TEST(PatternEvaluate, S54_AMissingPathIsFalseAlsoNegated) {
  for (const auto* t :
       {"x:a = 1", "x:a != 1", "x:a NOT = 1", "x:a NOT IN (1)", "x:a NOT LIKE 'b'", "x:a NOT MATCHES 'b'",
        "x:a NOT ISSUBSET '0.0.0.0/0'", "x:a NOT < 1", "x:b.c != 1", "x:b[0] != 1"}) {
    EXPECT_FALSE(test(R"("b":1)", t)) << t;
  }
}

TEST(PatternEvaluate, S55_IncompatibleTypes) {
  EXPECT_FALSE(test(R"("a":1)", "x:a = '1'"));
  EXPECT_TRUE(test(R"("a":1)", "x:a != '1'"));
  EXPECT_TRUE(test(R"("a":1)", "x:a NOT = '1'"));
  EXPECT_FALSE(test(R"("a":1)", "x:a NOT != '1'"));
  EXPECT_FALSE(test(R"("a":1)", "x:a < '2'"));
  EXPECT_FALSE(test(R"("a":1)", "x:a NOT < '2'"));
  EXPECT_TRUE(test(R"("a":1)", "x:a NOT LIKE '1'"));
}

TEST(PatternEvaluate, S56_NumbersTextsAndBooleans) {
  EXPECT_TRUE(test(R"("a":12)", "x:a = 12.0"));
  EXPECT_FALSE(test(R"("a":1.5)", "x:a = 1"));
  EXPECT_TRUE(test(R"("a":1.5)", "x:a > 1"));
  EXPECT_FALSE(test(R"("a":9007199254740991)", "x:a = 9007199254740992.0"));
  EXPECT_TRUE(test(R"("a":9007199254740991)", "x:a < 9007199254740992"));
  EXPECT_FALSE(test(R"("a":true)", "x:a = 1"));
  EXPECT_TRUE(test(R"("a":true)", "x:a = true"));
  EXPECT_FALSE(test(R"("a":true)", "x:a IN (1, 2)"));
  EXPECT_FALSE(test(R"("a":"B")", "x:a = 'b'"));
  EXPECT_TRUE(test(R"("a":"ab")", "x:a > 'a'"));
  EXPECT_TRUE(test("\"a\":\"\xf0\x9f\x98\x80\"", "x:a > '\xef\xbd\x81'"));  // by code point, not by UTF-16 unit
  EXPECT_FALSE(test("\"a\":\"e\xcc\x81\"", "x:a = '\xc3\xa9'"));            // no normalisation
}

TEST(PatternEvaluate, S57_InstantsAtFullPrecision) {
  const std::string a = R"("a":"2026-01-01T00:00:00.1234567890124Z")";
  EXPECT_TRUE(test(a, "x:a > t'2026-01-01T00:00:00.1234567890123Z'"));
  EXPECT_FALSE(test(a, "x:a = t'2026-01-01T00:00:00.123456789Z'"));
  EXPECT_TRUE(test(a, "x:a = t'2026-01-01T00:00:00.12345678901240Z'"));
  EXPECT_TRUE(test(R"("a":"2026-01-01T00:00:00Z")", "x:a = t'2026-01-01T00:00:00.000Z'"));
  EXPECT_FALSE(test(R"("a":"2026-01-01T00:00:00Z")", "x:a = '2026-01-01T00:00:00.000Z'"));
  EXPECT_FALSE(test(R"("a":"yesterday")", "x:a = t'2026-01-01T00:00:00Z'"));
  EXPECT_TRUE(test(R"("a":"yesterday")", "x:a != t'2026-01-01T00:00:00Z'"));
  EXPECT_FALSE(test(R"("a":"yesterday")", "x:a NOT < t'2026-01-01T00:00:00Z'"));
}

TEST(PatternEvaluate, S58_Octets) {
  EXPECT_TRUE(test(R"("a_bin":"QUI=")", "x:a_bin = 'AB'"));
  EXPECT_TRUE(test(R"("a_hex":"c3")", "x:a_hex = 'Ã'"));  // U+00C3 is one octet
  EXPECT_TRUE(test(R"("a_hex":"FF")", "x:a_hex > 'A'"));  // unsigned
  EXPECT_TRUE(test(R"("a_hex":"4142")", "x:a_hex = b'QUI='"));
  EXPECT_FALSE(test(R"("a_hex":"4142")", "x:a_hex = '漢'"));
  EXPECT_TRUE(test(R"("a_hex":"4142")", "x:a_hex != '漢'"));
  EXPECT_TRUE(test(R"("a":"Ã")", "x:a = h'c3'"));
  EXPECT_TRUE(test(R"("a_bin":"QUI=")", "x:a_bin IN ('x', 'AB')"));
  EXPECT_FALSE(test(R"("a_hex":"4")", "x:a_hex = '4'"));  // no hex: comparable with nothing
  EXPECT_TRUE(test(R"("a_hex":"4")", "x:a_hex != '4'"));
}

TEST(PatternEvaluate, S59_In) {
  EXPECT_TRUE(test(R"("a":1)", "x:a IN (2, 1.0)"));
  EXPECT_FALSE(test(R"("a":1)", "x:a IN ()"));
  EXPECT_TRUE(test(R"("a":1)", "x:a NOT IN ()"));
}

TEST(PatternEvaluate, S60_Like) {
  EXPECT_TRUE(test(R"("a":"x\ny")", "x:a LIKE '%'"));
  EXPECT_TRUE(test(R"("a":"x\ny")", "x:a LIKE 'x_y'"));
  EXPECT_FALSE(test(R"("a":"abc\n")", "x:a LIKE 'abc'"));
  EXPECT_TRUE(test(R"("a":"漢字")", "x:a LIKE '__'"));
  EXPECT_TRUE(test("\"a\":\"e\xcc\x81\"", "x:a LIKE '\xc3\xa9'"));  // both NFC
  EXPECT_TRUE(test("\"a\":\"\xc3\xa9\"", "x:a LIKE 'e\xcc\x81'"));
  EXPECT_TRUE(test(R"("a":"aaab")", "x:a LIKE '%a%ab'"));
  EXPECT_FALSE(test(R"("a":"ab")", "x:a LIKE 'ab%ab'"));
  EXPECT_TRUE(test(R"("a_hex":"ff41")", "x:a_hex LIKE 'ÿ_'"));  // not UTF-8: one character each
}

TEST(PatternEvaluate, S61_Matches) {
  EXPECT_TRUE(test(R"("a":"xx12")", R"(x:a MATCHES '\\d{2}$')"));
  EXPECT_TRUE(test(R"("a":"a\nb")", "x:a MATCHES 'a.b'"));         // DOTALL
  EXPECT_TRUE(test(R"("a":"ab\n")", "x:a MATCHES 'b$'"));          // before a last newline, as PCRE
  EXPECT_TRUE(test(R"("a":"ab\n")", "x:a MATCHES '^(?:x|ab$)'"));  // PCRE2
  EXPECT_FALSE(test(R"("a":"ab\n")", R"(x:a MATCHES 'b\\z')"));
  EXPECT_TRUE(test("\"a\":\"e\xcc\x81\"", "x:a MATCHES '^.$'"));            // NFC
  EXPECT_TRUE(test(R"("a":"abab")", R"(x:a MATCHES '^(ab)\\1$')"));         // back reference
  EXPECT_TRUE(test(R"("a":"foobar")", "x:a MATCHES 'foo(?=bar)'"));         // look-ahead
  EXPECT_FALSE(test(R"("a":"aaa")", "x:a MATCHES 'a++a'"));                 // possessive
  EXPECT_TRUE(test(R"("a":"a\u000bb")", R"(x:a MATCHES 'a\\sb')"));         // white space of PCRE has the vertical tab
  EXPECT_TRUE(test(R"("a_hex":"e400")", R"(x:a_hex MATCHES '^ä\\x00$')"));  // octets
  EXPECT_TRUE(test(R"("a_hex":"c3a4")", "x:a_hex MATCHES '^..$'"));
  EXPECT_FALSE(test(R"("a_hex":"c3a4")", "x:a_hex MATCHES '漢'"));
}

TEST(PatternEvaluate, S62_Blocks) {
  EXPECT_TRUE(test(R"("a":"198.51.100.3")", "x:a ISSUBSET '198.51.100.77/24'"));
  EXPECT_TRUE(test(R"("a":"198.51.100.3")", "x:a ISSUBSET '198.51.100.3'"));
  EXPECT_TRUE(test(R"("a":"198.51.100.3")", "x:a ISSUBSET '0.0.0.0/0'"));
  EXPECT_TRUE(test(R"("a":"198.51.100.0/24")", "x:a ISSUPERSET '198.51.100.0/25'"));
  EXPECT_TRUE(test(R"("a":"198.51.100.0/24")", "x:a ISSUPERSET '198.51.100.9/24'"));
  EXPECT_FALSE(test(R"("a":"198.51.100.0/24")", "x:a ISSUPERSET '198.51.0.0/16'"));
  EXPECT_TRUE(test(R"("a":"2001:DB8:0::1")", "x:a ISSUBSET '2001:db8::/33'"));
  EXPECT_FALSE(test(R"("a":"2001:db8:8000::1")", "x:a ISSUBSET '2001:db8::/33'"));
  EXPECT_FALSE(test(R"("a":"::ffff:1.2.3.4")", "x:a ISSUBSET '0.0.0.0/0'"));
  EXPECT_FALSE(test(R"("a":"not an address")", "x:a ISSUBSET '0.0.0.0/0'"));
  EXPECT_TRUE(test(R"("a":"not an address")", "x:a NOT ISSUBSET '0.0.0.0/0'"));
  for (const auto* none : {"1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/+8", "1.2.3", "::/129", "1.2.3.4/024a"}) {
    EXPECT_FALSE(parse_block(none)) << none;
  }
}

TEST(PatternEvaluate, S63_Exists) {
  EXPECT_TRUE(test(R"("a":false,"b":0,"c":"")", "EXISTS x:a AND EXISTS x:b AND EXISTS x:c AND NOT EXISTS x:d"));
  EXPECT_FALSE(test(R"("a":1)", "NOT EXISTS x:a"));
}

TEST(PatternEvaluate, S64_AndIsAboutOneObject) {
  const auto data = read(R"({"type":"observed-data","id":"o","first_observed":"2026-01-01T00:00:00Z",
    "last_observed":"2026-01-01T00:00:00Z","number_observed":1,
    "objects":{"0":{"type":"x","a":1},"1":{"type":"x","b":2},"2":{"type":"y","c":3}}})");
  EXPECT_FALSE(matched("[x:a = 1 AND x:b = 2]", data));
  EXPECT_FALSE(matched("[x:a = 1 AND y:c = 3]", data));
  EXPECT_TRUE(matched("[x:a = 7 OR y:c = 3]", data));
  EXPECT_FALSE(matched("[x:a = 1] AND [x:b = 2]", data));  // two observations are needed (S67)
}

TEST(PatternEvaluate, S65_Steps) {
  const std::string d = R"("l":[1,2,3],"o":{"k k":[{"v":5}]},"empty":[])";
  EXPECT_TRUE(test(d, "x:l[2] = 3"));
  EXPECT_FALSE(test(d, "x:l[3] != 9"));
  EXPECT_FALSE(test(d, "x:l[-1] != 9"));
  EXPECT_TRUE(test(d, "x:l[*] = 2"));
  EXPECT_TRUE(test(d, "x:l[*] NOT = 2"));  // some element differs
  EXPECT_FALSE(test(d, "x:empty[*] NOT = 2"));
  EXPECT_TRUE(test(d, "x:o.'k k'[0].v = 5"));
  EXPECT_FALSE(test(d, "x:l = 1"));
  EXPECT_TRUE(test(d, "x:l != 1"));
  EXPECT_FALSE(test(d, "x:l.a != 1"));
}

TEST(PatternEvaluate, S66_References) {
  const auto data = read(R"({"type":"bundle","id":"bundle--1","objects":[
    {"type":"ipv4-addr","id":"ipv4-addr--1","value":"198.51.100.3"},
    {"type":"domain-name","id":"domain-name--1","value":"a.example","resolves_to_refs":["ipv4-addr--9","ipv4-addr--1","ipv4-addr--2"]},
    {"type":"ipv4-addr","id":"ipv4-addr--2","value":"203.0.113.1"},
    {"type":"observed-data","id":"observed-data--1","first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:00Z",
     "number_observed":1,"object_refs":["domain-name--1","ipv4-addr--1","ipv4-addr--9"]}]})");
  EXPECT_TRUE(matched("[domain-name:resolves_to_refs[*].value = '198.51.100.3']", data));
  EXPECT_TRUE(matched("[domain-name:resolves_to_refs[1].type = 'ipv4-addr']", data));  // [0] leads nowhere but counts
  EXPECT_FALSE(matched("[EXISTS domain-name:resolves_to_refs[0]]", data));
  EXPECT_FALSE(matched("[EXISTS domain-name:resolves_to_refs[2]]", data));  // not listed by this observation
  EXPECT_FALSE(matched("[ipv4-addr:value = '203.0.113.1']", data));
}

TEST(PatternEvaluate, S66_ReferencesInACircleCostTheirNumberNotItsPower) {
  std::string objects;
  for (int i = 0; i < 60; ++i) {
    objects += (i > 0 ? "," : "") + std::string("\"") + std::to_string(i) + R"(":{"type":"x","n":1,"next_refs":[)";
    for (int k = 0; k < 60; ++k) objects += (k > 0 ? ",\"" : "\"") + std::to_string(k) + "\"";
    objects += "]}";
  }
  const auto data = read(R"({"type":"observed-data","id":"o","first_observed":"2026-01-01T00:00:00Z",
    "last_observed":"2026-01-01T00:00:00Z","number_observed":1,"objects":{)" +
                         objects + "}}");
  std::string path = "x:";
  for (int i = 0; i < 30; ++i) path += "next_refs[*].";
  EXPECT_LT(seconds([&] {
              EXPECT_TRUE(matched("[" + path + "n = 1]", data));
              EXPECT_FALSE(matched("[" + path + "n = 2]", data));
            }),
            1.0);
}

// --- data

TEST(PatternData, StrictReadingNamesWhatIsMissingAndLenientReadingTakesIt) {
  struct Case {
    std::string object, says;
  };
  const std::string times = R"("first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:00Z")";
  for (const auto& c : {
           Case{R"({"type":"observed-data","id":"o--1","number_observed":1,"objects":{}})", "first_observed"},
           Case{R"({"type":"observed-data","id":"o--1",)" + times + R"(,"objects":{}})", "number_observed"},
           Case{R"({"type":"observed-data","id":"o--1",)" + times + R"(,"number_observed":0,"objects":{}})",
                "number_observed"},
           Case{R"({"type":"observed-data","id":"o--1",)" + times + R"(,"number_observed":1})", "object_refs"},
           Case{R"({"type":"observed-data","id":"o--1",)" + times +
                    R"(,"number_observed":1,"objects":{"0":{"type":"x","a":null}}})",
                "null"},
           Case{R"({"type":"observed-data","id":"o--1",)" + times + R"(,"number_observed":1,"objects":{"0":{"a":1}}})",
                "type"},
       }) {
    const auto strict = Observations::read(c.object);
    ASSERT_FALSE(strict.ok()) << c.object;
    EXPECT_THAT(strict.error().text(), HasSubstr(c.says));
    EXPECT_THAT(strict.error().where, HasSubstr("o--1"));
    EXPECT_TRUE(Observations::read(c.object, {.lenient = true}).ok()) << c.object;
  }
  const auto data = read(R"({"type":"observed-data","id":"o","objects":{"0":{"type":"x-mine","a":null,"b":1}}})", true);
  EXPECT_TRUE(matched("[x-mine:b = 1] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'", data));
  EXPECT_TRUE(matched("[EXISTS x-mine:a AND x-mine:a != 1]", data));  // null: there, and equal to nothing
  EXPECT_FALSE(matched("[x-mine:a = 1]", data));
}

TEST(PatternData, BothFormsOfObservedDataGiveTheSame) {
  const std::string head = R"({"type":"observed-data","id":"o","first_observed":"2026-01-01T00:00:00Z",
    "last_observed":"2026-01-01T00:00:00Z","number_observed":1,)";
  const auto old = read(head + R"("objects":{"0":{"type":"ipv4-addr","value":"198.51.100.3"},
    "1":{"type":"network-traffic","src_ref":"0","protocols":["tcp"]}}})");
  const auto now = read("[" + head + R"("object_refs":["ipv4-addr--1","network-traffic--1"]},
    {"type":"network-traffic","id":"network-traffic--1","src_ref":"ipv4-addr--1","protocols":["tcp"]},
    {"type":"ipv4-addr","id":"ipv4-addr--1","value":"198.51.100.3"}])");
  for (const auto* data : {&old, &now}) {
    EXPECT_TRUE(
        matched("[network-traffic:src_ref.value = '198.51.100.3' AND network-traffic:protocols[*] = 'tcp']", *data));
    EXPECT_FALSE(matched("[network-traffic:dst_ref.value = '198.51.100.3']", *data));
  }
}

TEST(PatternData, WritingWithoutJson) {
  Symbols names;
  const auto p = Pattern::parse("[network-traffic:dst_ref.value = 'a.example' AND network-traffic:dst_port = 443]");
  const auto m = Matcher::compile(*p);
  ASSERT_TRUE(m.ok());
  Observations data;
  data.begin("o", 0, 0);
  data.begin_object("domain-name", "d");
  data.property("value", "a.example");
  data.end_object();
  data.begin_object("network-traffic", "n");
  data.property("dst_ref", "d");
  data.property("dst_port", 443);
  data.end_object();
  data.end();
  ASSERT_TRUE(data.finish().ok());
  EXPECT_EQ(m->match(data).outcome, Outcome::kMatched);
}

// --- bindings

TEST(PatternEvaluate, S67_OneObservedDataServesAsOftenAsItSays) {
  EXPECT_FALSE(matched("[x:a = 1] AND [x:a = 1]", at({{0, 0, 1, R"("a":1)"}})));
  EXPECT_TRUE(matched("[x:a = 1] AND [x:a = 1]", at({{0, 0, 2, R"("a":1)"}})));
  EXPECT_TRUE(matched("[x:a = 1] REPEATS 900000000 TIMES", at({{0, 0, 900'000'000, R"("a":1)"}})));
  EXPECT_FALSE(matched("[x:a = 1] REPEATS 900000001 TIMES", at({{0, 0, 900'000'000, R"("a":1)"}})));
  const auto r =
      run("[x:a = 1] REPEATS 3 TIMES", at({{0, 0, 2, R"("a":1)"}, {0, 0, 2, R"("a":2)"}, {0, 0, 2, R"("a":1)"}}));
  EXPECT_EQ(r.witness, (std::vector<Bound>{{0, 2}, {2, 1}}));
}

TEST(PatternEvaluate, S69_FollowedBy) {
  EXPECT_TRUE(matched("[x:a = 1] FOLLOWEDBY [x:a = 2]", at({{5, 5, 1, R"("a":1)"}, {5, 5, 1, R"("a":2)"}})));
  EXPECT_FALSE(matched("[x:a = 1] FOLLOWEDBY [x:a = 2]", at({{6, 6, 1, R"("a":1)"}, {5, 5, 1, R"("a":2)"}})));
  EXPECT_TRUE(matched("[x:a = 1] FOLLOWEDBY [x:a = 2]", at({{6, 9, 1, R"("a":1)"}, {0, 6, 1, R"("a":2)"}})));
}

TEST(PatternEvaluate, S70_WithinIsExclusive) {
  const auto data = at({{0, 0, 1, R"("a":1)"}, {5, 5, 1, R"("a":2)"}});
  EXPECT_FALSE(matched("([x:a = 1] AND [x:a = 2]) WITHIN 5 SECONDS", data));
  EXPECT_TRUE(matched("([x:a = 1] AND [x:a = 2]) WITHIN 5.000000001 SECONDS", data));
  EXPECT_TRUE(matched("([x:a = 1] AND [x:a = 2]) WITHIN 0.0000000001 SECONDS",
                      at({{0, 0, 1, R"("a":1)"}, {0, 0, 1, R"("a":2)"}})));
}

TEST(PatternEvaluate, S71_StartStop) {
  const auto data = at({{5, 10, 1, R"("a":1)"}});
  const auto window = [&](int from, int to) {
    return matched("[x:a = 1] START t'" + clock(from) + "' STOP t'" + clock(to) + "'", data);
  };
  EXPECT_TRUE(window(0, 6));
  EXPECT_FALSE(window(0, 5));
  EXPECT_TRUE(window(10, 11));
  EXPECT_FALSE(window(11, 12));
  EXPECT_FALSE(window(7, 7));
  EXPECT_FALSE(window(9, 6));
}

TEST(PatternEvaluate, S72_QualifiersInTheOrderWritten) {
  const auto data = at({{0, 0, 1, R"("a":1)"}, {100, 100, 1, R"("a":1)"}});
  EXPECT_FALSE(matched("[x:a = 1] REPEATS 2 TIMES WITHIN 5 SECONDS", data));
  EXPECT_TRUE(matched("[x:a = 1] WITHIN 5 SECONDS REPEATS 2 TIMES", data));
}

// --- cost (S73)

std::string joined(int n, const std::string& op, const std::function<std::string(int)>& part) {
  std::string s;
  for (int i = 0; i < n; ++i) s += (i > 0 ? op : "") + part(i);
  return s;
}

Observations many(int n, bool equal) {
  std::vector<At> list;
  for (int i = 0; i < n; ++i) list.push_back({equal ? 0 : i, equal ? 0 : i, 1, R"("a":1)"});
  return at(list);
}

TEST(PatternCost, S73_NoExponentialCaseOverAThousandEqualObservations) {
  const auto a = [](int) { return std::string("[x:a = 1]"); };
  const std::vector<std::string> match = {
      joined(20, " AND ", a),
      joined(20, " FOLLOWEDBY ", a),
      "(" + joined(20, " FOLLOWEDBY ", a) + ") WITHIN 60 SECONDS",
      joined(10, " FOLLOWEDBY ", [&](int) { return "(" + joined(2, " AND ", a) + ")"; }),
      joined(20, " AND ", [&](int) { return "(" + joined(3, " OR ", a) + ")"; }),
      joined(20, " AND ", [](int) { return std::string("([x:a = 2] OR ([x:a = 1] AND [x:a = 1]))"); }),
      "[x:a = 1] REPEATS 1000 TIMES",
      "(" + joined(4, " FOLLOWEDBY ", a) + ") REPEATS 20 TIMES",
      "((" + joined(4, " AND ", a) + ") WITHIN 5 SECONDS) REPEATS 50 TIMES",
      "((([x:a = 1] REPEATS 3 TIMES) REPEATS 3 TIMES) WITHIN 5 SECONDS) REPEATS 20 TIMES",
      joined(20, " FOLLOWEDBY ", [](int) { return std::string("[x:a = 1] REPEATS 40 TIMES"); }),
  };
  const std::vector<std::string> none = {
      "[x:a = 1] REPEATS 1001 TIMES",
      joined(20, " AND ", [](int) { return std::string("[x:a = 1] REPEATS 51 TIMES"); }),
      joined(20, " FOLLOWEDBY ", [](int) { return std::string("[x:a = 1] REPEATS 51 TIMES"); }),
      joined(20, " AND ", [](int) { return std::string("([x:a = 2] OR ([x:a = 1] AND [x:a = 2]))"); }),
      joined(20, " AND ", a) + " AND [x:a = 2]",
      joined(19, " FOLLOWEDBY ", a) + " FOLLOWEDBY [x:a = 2]",
      "(" + joined(4, " FOLLOWEDBY ", a) + ") REPEATS 251 TIMES",
  };
  for (const bool equal : {true, false}) {
    const auto data = many(1000, equal);
    for (const auto& p : match) {
      // Further apart than a window, some of them need not match; they must be decided as fast.
      EXPECT_LT(seconds([&] {
                  const auto r = run(p, data);
                  EXPECT_NE(r.outcome, Outcome::kLimit) << p.substr(0, 100);
                  if (equal) {
                    EXPECT_EQ(r.outcome, Outcome::kMatched) << p.substr(0, 100);
                  }
                }),
                0.1)
          << p.substr(0, 100);
    }
    for (const auto& p : none) {
      EXPECT_LT(seconds([&] { EXPECT_EQ(run(p, data).outcome, Outcome::kNo) << p.substr(0, 100); }), 0.1)
          << p.substr(0, 100);
    }
  }
}

TEST(PatternCost, S73_WorkIsBoundedAndRunningOutIsNotNo) {
  const auto data = many(1000, false);
  // Packing triples into windows where it just cannot be done.
  const std::string hard = "(([x:a = 1] AND [x:a = 1] AND [x:a >= 1]) WITHIN 2 SECONDS) REPEATS 300 TIMES";
  EXPECT_LT(seconds([&] { EXPECT_NE(run(hard, data).outcome, Outcome::kMatched); }), 2.0);
  EXPECT_EQ(run("[x:a = 2] AND [x:a = 3]", data, {.max_work = 100}).outcome, Outcome::kLimit);
  EXPECT_EQ(run("[x:a = 2]", data, {.max_work = 100}).outcome, Outcome::kLimit);
  EXPECT_EQ(run("[x:a != 2]", data, {.max_work = 100}).outcome, Outcome::kMatched);
}

TEST(PatternCost, RegularExpressionsThatExplodeEndAtTheLimit) {
  const std::string value = std::string(40, 'a') + "!";
  const auto data = one("\"a\":\"" + value + "\"");
  EXPECT_LT(seconds([&] { EXPECT_FALSE(matched("[x:a MATCHES '^(a+)+$']", data)); }), 0.1);  // RE2: linear
  for (const auto* p : {R"([x:a MATCHES '^(a+)+\\1$'])", R"([x:a MATCHES '^(?=(a+)+$)'])"}) {
    EXPECT_LT(seconds([&] { EXPECT_EQ(run(p, data).outcome, Outcome::kLimit) << p; }), 0.5) << p;
  }
  // NOT of what is not known is not known either.
  EXPECT_EQ(run(R"([x:a NOT MATCHES '^(a+)+\\1$'])", data).outcome, Outcome::kLimit);
  // Large programs over large values.
  const auto large = one("\"a\":\"" + std::string(1'000'000, 'a') + "\"");
  EXPECT_LT(seconds([&] { (void)run("[x:a MATCHES '(a{0,30}){0,30}b']", large); }), 3.0);
  EXPECT_LT(seconds([&] { (void)run("[x:a MATCHES '((a{1,30}){1,30}){1,3}b']", large); }), 3.0);
  EXPECT_LT(seconds([&] { EXPECT_FALSE(matched("[x:a LIKE '%a%a%a%a%a%a%b']", large)); }), 1.0);
  EXPECT_LT(seconds([&] { (void)run("[x:a LIKE '%_a_a_a_a_ab%_a_ab']", large); }), 3.0);
}

TEST(PatternCompile, AWrongRegularExpressionIsNamedWithItsPlace) {
  struct Case {
    std::string text, where, says;
  };
  for (const auto& c :
       {Case{"[x:a = 1 OR\n  x:b MATCHES '(ab']", "2:15", "PCRE"}, Case{"[x:b MATCHES 'a**']", "1:14", "PCRE"},
        Case{"[x:b MATCHES '((a{1,100}){1,100}){1,100}']", "1:14", "too large"},
        Case{R"([x:b MATCHES '\\C'])", "1:14", "PCRE"}}) {
    const auto p = Pattern::parse(c.text);
    ASSERT_TRUE(p.ok());
    const auto m = Matcher::compile(*p);
    ASSERT_FALSE(m.ok()) << c.text;
    EXPECT_TRUE(m.error().where.starts_with(c.where)) << m.error().text();
    EXPECT_THAT(m.error().text(), HasSubstr(c.says));
  }
  const auto p = Pattern::parse("[x:b MATCHES '" + std::string(20'000, 'a') + "']");
  ASSERT_TRUE(p.ok());
  const auto m = Matcher::compile(*p);
  ASSERT_FALSE(m.ok());
  EXPECT_EQ(m.error().kind, ErrorKind::kTooLarge);
}

TEST(PatternCompile, LargePatternsTakeBoundedTime) {
  EXPECT_LT(seconds([] { EXPECT_FALSE(Pattern::parse(std::string(1'000'000, '[')).ok()); }), 0.1);
  std::string wide = "[x:a = 1";
  while (wide.size() < 60'000) wide += " OR x:a MATCHES 'b'";
  std::string deep;
  for (int i = 0; i < 64; ++i) deep += "(";
  deep += "[x:a = 1]";
  for (int i = 0; i < 64; ++i) deep += ") REPEATS 2 TIMES";
  const auto data = one("\"a\":2");
  EXPECT_LT(seconds([&] { EXPECT_FALSE(matched(wide + "]", data)); }), 2.0);
  EXPECT_LT(seconds([&] { EXPECT_FALSE(matched(deep, data)); }), 0.1);
  std::string chain = "[x:a = 1]";
  while (chain.size() < 60'000) chain += " FOLLOWEDBY [x:a = 1]";
  const auto observations = many(1000, false);
  EXPECT_LT(seconds([&] { (void)run(chain, observations); }), 2.0);
  std::string choices = "([x:a = 2] OR ([x:a = 1] AND [x:a = 1]))";
  while (choices.size() < 60'000) choices += " AND ([x:a = 2] OR ([x:a = 1] AND [x:a = 1]))";
  EXPECT_LT(seconds([&] { (void)run(choices, observations); }), 3.0);
}

// What goes to RE2 and what does not.
TEST(PatternRegex, OnlyWhatMeansTheSameInBothRunsInRe2) {
  for (const auto* e : {"a", "^a.b$", "a|b", "(?:a)(b)", "[a-z]+", R"(\d{2,3}\.)", "a$|b$", "(a|b$)", R"(\s\S)",
                        "(?i)a", R"([\s\d])"}) {
    EXPECT_TRUE(for_re2(e, false)) << e;
  }
  for (const auto* e : {R"(a\1)", "(?=a)", "a++", "a$b", "(?x)a", R"(\h)", R"(\v)", R"(\Qa\E)", "[[:alpha:]]", "[]a]",
                        R"(\Z)", "(*UTF)", R"([\S])", "(a$)*"}) {
    EXPECT_FALSE(for_re2(e, false)) << e;
  }
}

}  // namespace
}  // namespace entente::pattern
