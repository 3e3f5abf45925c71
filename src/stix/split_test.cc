#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stix/object.h"

namespace entente::stix {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> split(std::string_view text) {
  const auto r = split_objects(text);
  if (!r.ok()) return {"ERROR " + r.error().text()};
  return {r->begin(), r->end()};
}

TEST(Split, EveryFormThatCarriesObjects) {
  const std::string a = R"({"type":"a","x":"}]\"{,"})";
  const std::string b = R"({"type":"b","l":[1,[2,{"c":3}]]})";
  EXPECT_THAT(split(R"({"type":"bundle","id":"bundle--x","objects":[)" + a + " ,\n " + b + "]}"), ElementsAre(a, b));
  EXPECT_THAT(split(R"({"more":false,"objects":[)" + a + "]}"), ElementsAre(a));
  EXPECT_THAT(split(" [ " + a + " , " + b + " ]\n"), ElementsAre(a, b));
  EXPECT_THAT(split("\n" + a + "\n"), ElementsAre(a));
  EXPECT_THAT(split(a + "\n\n" + b + "\r\n"), ElementsAre(a, b));
  EXPECT_THAT(split(R"({"type":"bundle","objects":[)" + a + "]}\n" + b), ElementsAre(a, b)) << "JSON lines of anything";
}

TEST(Split, NothingInsideIsNoError) {
  EXPECT_THAT(split("{}"), IsEmpty());
  EXPECT_THAT(split("[]"), IsEmpty());
  EXPECT_THAT(split(R"({"more":false})"), IsEmpty());
  EXPECT_THAT(split(R"({"objects":[]})"), IsEmpty());
  EXPECT_THAT(split(R"({"type":"bundle","id":"x"})"), IsEmpty());
}

// An object of its own that has a member `objects` is not a bundle.
TEST(Split, ObservedDataStaysWhole) {
  const std::string o = R"({"type":"observed-data","id":"observed-data--x","objects":{"0":{"type":"file"}}})";
  EXPECT_THAT(split(o), ElementsAre(o));
}

TEST(Split, RefusesTheRest) {
  for (const std::string_view bad :
       {"", "  \n", "5", "\"x\"", "null", "[1]", "[{},[]]", R"({"objects":{}})", R"({"objects":[1]})", R"({"foo":1})",
        "{", "[", "{}}", "{\"type\":\"bundle\",\"objects\":[{]}", "{\"a\":1,\"a\":2}"}) {
    const auto r = split_objects(bad);
    EXPECT_FALSE(r.ok()) << bad;
  }
}

TEST(Split, NamesTheBadLine) {
  const auto r = split_objects("{\"type\":\"a\"}\n\n{\"type\":\"b\"}\n{\"type\":}\n");
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().where.substr(0, 6), "line 4") << r.error().text();
}

TEST(Split, SpreadDocumentIsNotTakenForLines) {
  const std::string pretty =
      "{\n  \"type\": \"bundle\",\n  \"objects\": [\n    {\"type\": \"a\"},\n    {\"type\": \"b\"}\n  ]\n}\n";
  EXPECT_THAT(split(pretty), ElementsAre(R"({"type": "a"})", R"({"type": "b"})"));
}

}  // namespace
}  // namespace entente::stix
