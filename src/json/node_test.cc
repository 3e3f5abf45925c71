#include "json/node.h"

#include <gtest/gtest.h>

namespace entente::json {
namespace {

TEST(Node, KeepsTheOrderOfMembers) {
  Node n = Node::object();
  n.set("z", 1).set("a", "text").set("m", Node::List{true, nullptr, 1.5, -3}).set("o", Node::object());
  EXPECT_EQ(write(n), R"({"z":1,"a":"text","m":[true,null,1.5,-3],"o":{}})");
  n.set("z", 2);
  EXPECT_EQ(write(n), R"({"z":2,"a":"text","m":[true,null,1.5,-3],"o":{}})");
  EXPECT_TRUE(n.erase("a"));
  EXPECT_FALSE(n.erase("a"));
  EXPECT_EQ(canonical(n), R"({"m":[true,null,1.5,-3],"o":{},"z":2})");
}

TEST(Node, FindsMembersOfObjectsOnly) {
  const Node n = Node::object().set("s", "x").set("i", 1);
  EXPECT_EQ(n.string_at("s"), "x");
  EXPECT_EQ(n.string_at("i"), "");
  EXPECT_EQ(n.string_at("none"), "");
  EXPECT_EQ(n.find("none"), nullptr);
  EXPECT_EQ(Node("text").find("s"), nullptr);
  EXPECT_FALSE(Node("text").erase("s"));
}

TEST(Node, PrettyTextIsForPeople) {
  const Node n = Node::object().set("a", Node::List{1, Node::object().set("b", "c")}).set("e", Node::array());
  EXPECT_EQ(write_pretty(n), "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"c\"\n    }\n  ],\n  \"e\": []\n}\n");
}

TEST(Quoted, EscapesMinimally) {
  EXPECT_EQ(quoted("a\"\\/\b\f\n\r\t\x01\x1f\x7f\xe5\x8d\x94"),
            "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xe5\x8d\x94\"");
  EXPECT_EQ(quoted(""), "\"\"");
}

}  // namespace
}  // namespace entente::json
