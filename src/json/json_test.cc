#include "json/json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "json/internal/locate.h"
#include "json/json_test_gen.h"

namespace entente::json {
namespace {

std::string nested(int depth, char open, char close) { return std::string(depth, open) + std::string(depth, close); }

TEST(Parse, AcceptsJson) {
  for (const char* good : {"{}",
                           "[]",
                           " \t\r\n{} ",
                           "null",
                           "true",
                           "0",
                           "-0",
                           "1",
                           "\"\"",
                           "[1,2]",
                           "{\"a\":{\"b\":[]}}",
                           "1.5e3",
                           "-0.0",
                           "1e-400",
                           "9007199254740991",
                           "-9007199254740991",
                           "1e21",
                           "\"\\ud83d\\ude00\"",
                           "\"\\u0000\"",
                           "\"\\/\"",
                           "{\"\":1}",
                           "\"\xf0\x9f\x98\x80\"",
                           "{\"a\":1,\"A\":2}",
                           "\"\\\\ud800\""}) {
    const auto d = parse(good);
    EXPECT_TRUE(d.ok()) << good << ": " << (d.ok() ? "" : d.error().text());
  }
}

// Each refused text with the place that the error names.
TEST(Parse, RefusesAndSaysWhere) {
  struct Case {
    std::string text, where;
  };
  const Case cases[] = {
      {"", "1:1"},
      {" ", "1:2"},
      {"{", "1:2"},
      {"{}x", "1:3"},
      {"{} {}", "1:4"},
      {"[1,]", "1:4"},
      {"{\"a\":1,}", "1:8"},
      {"{\"a\" 1}", "1:6"},
      {"{a:1}", "1:2"},
      {"[1 2]", "1:4"},
      {"[\n1,\n  oops]", "3:3"},
      {"\"abc", "1:5"},
      {"\"a\nb\"", "1:3"},
      {"\"\\x\"", "1:2"},
      {"\"\\u12g4\"", "1:2"},
      {"01", "1:1"},
      {"-", "1:2"},
      {"1.", "1:3"},
      {"1e", "1:3"},
      {"+1", "1:1"},
      {".5", "1:1"},
      {"NaN", "1:1"},
      {"[Infinity]", "1:2"},
      {"tru", "1:1"},
      {"1e400", "1:1"},
      {"-1e400", "1:1"},
      {"\"\x80\"", "1:2"},
      {"\"\xed\xa0\x80\"", "1:2"},
      {"\"\xc0\xaf\"", "1:2"},
      {"\xef\xbb\xbf{}", "1:1"},
      {"{'a':1}", "1:2"},
      {"[1]//", "1:4"},
      {"\"\\ud800\"", "1:2"},
      {"\"\\ud800x\"", "1:2"},
      {"\"\\ud800\\ud800\"", "1:2"},
      {"\"\\ud800\\u0041\"", "1:2"},
      {"18446744073709551616", "1:1"},
      {"{\"a\":1,\"a\":2}", "/a"},
      {"{\"a\":1,\"\\u0061\":2}", "/a"},
      {"{\"x\":[0,{\"a~/\":1,\"a~/\":2}]}", "/x/1/a~0~1"},
      {"{\"x\":[0,9007199254740992]}", "/x/1"},
      {"-9007199254740992", ""},
      {"1e20", ""},  // its canonical form would be an integer beyond the limit
      {"[9007199254740993.0]", "/0"},
      {"18446744073709551615", ""},
      {"[\"\\udc00\"]", "1:3"},
      {"[\"\\uDFFF\\ud83d\\ude00\"]", "1:3"},
      {"{\"\\udc00\":1}", "1:3"},
      {std::string("\"a\0b\"", 5), "1:3"},
      {std::string("{}\0", 3), "1:3"},
  };
  for (const auto& c : cases) {
    const auto d = parse(c.text);
    ASSERT_FALSE(d.ok()) << printable(c.text);
    EXPECT_EQ(d.error().kind, ErrorKind::kInvalid);
    EXPECT_EQ(d.error().where, c.where) << printable(c.text) << " " << d.error().text();
  }
}

TEST(Parse, DepthIsCountedExactly) {
  for (const int limit : {1, 2, 5, 64, 200}) {
    Limits limits;
    limits.max_depth = limit;
    EXPECT_TRUE(parse(nested(limit, '[', ']'), limits).ok()) << limit;
    for (const int over : {1, 2, 3, 100'000}) {
      const auto d = parse(nested(limit + over, '[', ']'), limits);
      ASSERT_FALSE(d.ok()) << limit << "+" << over;
      EXPECT_EQ(d.error().what, "nested too deeply");
    }
  }
  Limits none;
  none.max_depth = 0;
  EXPECT_TRUE(parse("1", none).ok());
  EXPECT_FALSE(parse("{}", none).ok());
}

TEST(Parse, SizeIsLimited) {
  Limits limits;
  limits.max_bytes = 4;
  EXPECT_TRUE(parse("[12]", limits).ok());
  EXPECT_EQ(parse("[123]", limits).error().kind, ErrorKind::kTooLarge);
}

TEST(Parse, RepeatedNamesAreFoundInLargeObjects) {
  for (const int n : {2, 11, 12, 13, 14, 5000}) {
    std::string text = "{";
    for (int i = 0; i < n; ++i) text += "\"k" + std::to_string(i) + "\":{\"k\":0},";
    EXPECT_TRUE(parse(text + "\"other\":0}").ok());
    const auto d = parse(text + "\"k1\":0}");
    ASSERT_FALSE(d.ok());
    EXPECT_EQ(d.error().where, "/k1");
  }
}

// A million distinct names must not take a million times a million steps.
TEST(Parse, HugeObjectsTakeLittleTime) {
  std::string text = "{\"x\":0";
  for (int i = 0; i < 200'000; ++i) text += ",\"" + std::to_string(i) + "\":0";
  EXPECT_TRUE(parse(text + "}").ok());
}

TEST(Document, CanBeUsedAgainAndMoved) {
  Document d;
  ASSERT_TRUE(d.parse("{\"a\":1}").ok());
  ASSERT_FALSE(d.parse("{").ok());
  ASSERT_TRUE(d.parse("{\"a\":\"" + std::string(100'000, 'x') + "\"}").ok());
  Document e = std::move(d);
  EXPECT_EQ(find_string(e.root(), "a")->size(), 100'000u);
  Limits deep;
  deep.max_depth = 1000;
  EXPECT_TRUE(e.parse(nested(1000, '[', ']'), deep).ok());
  EXPECT_FALSE(e.parse(nested(1000, '[', ']')).ok());
}

TEST(Find, ByNameAndType) {
  const Document d = parse(R"({"s":"x","i":-5,"b":true,"a":["p",1,"q"],"o":{"k":"v"},"n":null,"d":1.5})").value();
  const Value r = d.root();
  EXPECT_EQ(find_string(r, "s"), "x");
  EXPECT_EQ(find_int(r, "i"), -5);
  EXPECT_EQ(find_bool(r, "b"), true);
  EXPECT_EQ(string_list(find_array(r, "a")), (std::vector<std::string_view>{"p", "q"}));
  EXPECT_TRUE(find_object(r, "o"));
  EXPECT_TRUE(find(r, "n")->is_null());
  EXPECT_FALSE(find(r, "absent"));
  EXPECT_FALSE(find_string(r, "i"));
  EXPECT_FALSE(find_int(r, "d"));
  EXPECT_FALSE(find_int(r, "s"));
  EXPECT_FALSE(find(*find(r, "s"), "x"));
  EXPECT_TRUE(string_list(std::nullopt).empty());
}

// The slow scanner that names places is an independent judge of the grammar: on any text both must agree.
RC_GTEST_PROP(Parse, AgreesWithTheSlowScanner, ()) {
  const auto text = *rc::gen::oneOf(gen_mangled_json(), rc::gen::container<std::string>(rc::gen::elementOf(std::string(
                                                            "{}[]\",:\\u0d8c19eE+-. \ntrufalsn\xed\xa0\x80\xc3"))));
  const auto parsed = parse(text);
  const Error slow = locate_fault(text, 64);
  if (parsed.ok()) {
    RC_ASSERT(slow.what == "not JSON");
  } else if (parsed.error().where.empty() || parsed.error().where.front() == '/') {
    RC_SUCCEED("refused by a rule beyond the grammar");
  } else {
    RC_ASSERT(slow.what != "not JSON");
  }
}

RC_GTEST_PROP(Parse, WhatIsWrittenReadsBack, ()) {
  const Node n = *gen_node(4);
  const auto d = parse(write(n));
  RC_ASSERT(d.ok());
  RC_ASSERT(Node::from(d.value().root()) == n);
  RC_ASSERT(Node::from(parse(write_pretty(n)).value().root()) == n);
}

RC_GTEST_PROP(Parse, AnyOctetsAreAnswered, (const std::string& s)) {
  (void)parse(s).ok();
  (void)split_array(s, "a").ok();
}

}  // namespace
}  // namespace entente::json
