#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "json/json_test_gen.h"

namespace entente::json {
namespace {

using Parts = std::vector<std::string_view>;

TEST(SplitArray, GivesTheRawTextOfEachElement) {
  const std::string_view text =
      R"({ "more":true, "objects" : [ {"a":"]}\"" } ,1, "x,]" , [ 1 , [ ] ] ,null,-1.5e3,{}],"z":[0] })";
  EXPECT_EQ(split_array(text, "objects").value(),
            (Parts{R"({"a":"]}\"" })", "1", R"("x,]")", "[ 1 , [ ] ]", "null", "-1.5e3", "{}"}));
  EXPECT_EQ(split_array(text, "z").value(), (Parts{"0"}));
  EXPECT_TRUE(split_array(R"({"a":[ ]})", "a").value().empty());
}

TEST(SplitArray, KnowsEscapedNamesAndOnlyTheOuterObject) {
  EXPECT_EQ(split_array(R"({"\u006fbjects":[7]})", "objects").value(), (Parts{"7"}));
  EXPECT_FALSE(split_array(R"({"x":{"objects":[7]}})", "objects").ok());
  EXPECT_FALSE(split_array(R"({"objects":{"a":1}})", "objects").ok());
  EXPECT_FALSE(split_array(R"({"objects\\":[1]})", "objects").ok());
  EXPECT_FALSE(split_array("[1]", "objects").ok());
  EXPECT_FALSE(split_array("{}", "objects").ok());
}

std::string with_space(std::string_view compact, unsigned seed) {
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[i];
    const bool structural = !in_string && std::string_view("{}[],:").find(c) != std::string_view::npos;
    const auto space = [&] {
      seed = seed * 1664525 + 1013904223;
      out.append(structural ? (seed >> 28) % 3 : 0, " \n\t\r"[(seed >> 20) % 4]);
    };
    space();
    out += c;
    space();
    if (in_string && c == '\\')
      out += compact[++i];
    else if (c == '"')
      in_string = !in_string;
  }
  return out;
}

// Oracle: the tree. Every part must parse to the element, be trimmed, and lie in the text in order.
RC_GTEST_PROP(SplitArray, PartsAreTheElements, (unsigned seed)) {
  Node root = Node::object();
  const auto before = *gen_node(2);
  const auto items = *gen_nodes(2);
  root.set("before", before).set("objects", Node::List(items)).set("after", "]");
  const std::string text = with_space(write(root), seed);
  RC_ASSERT(parse(text).ok());
  const auto parts = split_array(text, "objects").value();
  RC_ASSERT(parts.size() == items.size());
  const char* last = text.data();
  for (size_t i = 0; i < parts.size(); ++i) {
    RC_ASSERT(parts[i].data() >= last && parts[i].data() + parts[i].size() <= text.data() + text.size());
    last = parts[i].data() + parts[i].size();
    RC_ASSERT(std::string_view(" \n\t\r").find(parts[i].front()) == std::string_view::npos);
    RC_ASSERT(std::string_view(" \n\t\r").find(parts[i].back()) == std::string_view::npos);
    RC_ASSERT(Node::from(parse(parts[i]).value().root()) == items[i]);
  }
}

}  // namespace
}  // namespace entente::json
