// What a stream gives for every form of input, however the input is cut into pieces, and what it does with faults.
#include "stix/object_stream.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "json/node.h"
#include "stix/object.h"

namespace entente::stix {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = ObjectStream::Item::Kind;

std::string written(const ObjectStream::Item& item) {
  const std::string line = std::to_string(item.line);
  if (item.kind == Kind::kFault) return "fault " + item.fault->where + " " + item.fault->what;
  if (item.kind == Kind::kWrapper) return "wrapper " + line + " " + json::canonical(item.value);
  return "object " + line + " " + item.place + " " + std::string(item.text);
}

std::vector<std::string> read(std::string_view text, size_t chunk = 1 << 20, size_t max = 1 << 20) {
  ObjectStream stream(read_text(text, chunk), {.max_object = max});
  ObjectStream::Item item;
  std::vector<std::string> out;
  while (true) {
    const auto more = stream.next(item);
    EXPECT_TRUE(more.ok());
    if (!more.ok() || !*more) break;
    out.push_back(written(item));
  }
  EXPECT_EQ(stream.octets(), text.size());
  return out;
}

TEST(Stream, FormsAreRecognisedByContent) {
  EXPECT_THAT(read(R"( {"type":"a"} )"), ElementsAre(R"(object 1  {"type":"a"})"));
  EXPECT_THAT(read("{\"type\":\"a\"}\n\n{\"type\":\"b\"}\r\n"),
              ElementsAre(R"(object 1  {"type":"a"})", R"(object 3  {"type":"b"})"));
  EXPECT_THAT(read("[{\"a\":1},\n{\"b\":2}]"), ElementsAre(R"(object 1 /0 {"a":1})", R"(object 2 /1 {"b":2})"));
  EXPECT_THAT(read(R"({"type":"bundle","id":"bundle--1","objects":[{"a":1}, {"b":[{}]}],"x":1})"),
              ElementsAre(R"(object 1 /objects/0 {"a":1})", R"(object 1 /objects/1 {"b":[{}]})",
                          R"(wrapper 1 {"id":"bundle--1","objects":[0],"type":"bundle","x":1})"));
  EXPECT_THAT(read("{\"more\":true,\n\"objects\":[\n{\"a\":1}]}"),
              ElementsAre(R"(object 3 /objects/0 {"a":1})", R"(wrapper 1 {"more":true,"objects":[0]})"));
  EXPECT_THAT(read(R"({"objects":[{"a":1}],"type":"bundle"})"),
              ElementsAre(R"(object 1 /objects/0 {"a":1})", R"(wrapper 1 {"objects":[0],"type":"bundle"})"));
  EXPECT_THAT(
      read(R"({"id":"strange","objects":[{"a":1}],"type":"bundle"})"),
      ElementsAre(R"(object 1 /objects/0 {"a":1})", R"(wrapper 1 {"id":"strange","objects":[0],"type":"bundle"})"));
  EXPECT_THAT(read(R"({"type":"bundle","\u006fbjects":[{"a":1}]})"),
              ElementsAre(R"(object 1 /objects/0 {"a":1})", R"(wrapper 1 {"objects":[0],"type":"bundle"})"));
  EXPECT_THAT(read("{}"), ElementsAre("wrapper 1 {}"));
  EXPECT_THAT(read(R"({"type":"bundle","objects":[]})"), ElementsAre(R"(wrapper 1 {"objects":[],"type":"bundle"})"));
  // Observed data has `objects` too, and it is no list; a type of somebody's own may have a list.
  EXPECT_THAT(read(R"({"type":"observed-data","objects":{"0":{}}})"),
              ElementsAre(R"(object 1  {"type":"observed-data","objects":{"0":{}}})"));
  EXPECT_THAT(read(R"({"type":"x-a","objects":[1]})"), ElementsAre(R"(object 1  {"type":"x-a","objects":[1]})"));
}

TEST(Stream, DocumentsInARowAndBundlesInLines) {
  EXPECT_THAT(read("{\"a\":\n1}\n{\"b\":2}"), ElementsAre("fault 1 /a neither a STIX object nor an envelope",
                                                          "fault 3 /b neither a STIX object nor an envelope"));
  EXPECT_THAT(read("{\"type\":\n\"a\"}\n{\"type\":\"b\"}"),
              ElementsAre("object 1  {\"type\":\n\"a\"}", R"(object 3  {"type":"b"})"));
  EXPECT_THAT(
      read("{\"type\":\"a\"}\n{\"type\":\"bundle\",\"objects\":[{\"b\":1},{\"c\":2}]}\n[{\"d\":3}]\n{\"type\":\"e\"}"),
      ElementsAre(R"(object 1  {"type":"a"})", R"(object 2 /objects/0 {"b":1})", R"(object 2 /objects/1 {"c":2})",
                  R"(wrapper 2 {"objects":[0],"type":"bundle"})", R"(object 3 /0 {"d":3})",
                  R"(object 4  {"type":"e"})"));
}

TEST(Stream, ABadLineDoesNotStopTheRest) {
  EXPECT_THAT(read("{\"type\":\"a\"}\n{\"type\": \n{\"type\":\"b\"}\nnonsense\n5\n{\"type\":\"c\",\"type\":\"d\"}\n"
                   "{\"type\":\"\xff\"}\n{\"type\":\"\\ud800\"}\n{\"type\":\"e\"}"),
              ElementsAre(R"(object 1  {"type":"a"})", "fault 2:9 the text ends too early", R"(object 3  {"type":"b"})",
                          "fault 4:1 expected a value", "fault 5 a STIX object must be a JSON object",
                          "fault 6 /type name given twice in one object", "fault 7:10 not UTF-8",
                          "fault 8:10 lone surrogate in a string", R"(object 9  {"type":"e"})"));
  // The first line may be the bad one.
  EXPECT_THAT(read("{\"type\": \"indicator\", \n{\"type\":\"b\"}"),
              ElementsAre("fault 1:22 the text ends too early", R"(object 2  {"type":"b"})"));
  EXPECT_THAT(read("{\"type\": \"indi\n{\"type\":\"b\"}"),
              ElementsAre("fault 1:15 a string without its closing quote", R"(object 2  {"type":"b"})"));
}

TEST(Stream, ABadObjectInABundleDoesNotStopTheRest) {
  EXPECT_THAT(
      read(
          "{\"type\":\"bundle\",\"objects\":[\n{\"a\":tru},\n7,\n{\"a\":\"b},\n{\"c\":9007199254740993},\n{\"d\":1}]}"),
      ElementsAre("fault 2:6 expected a value", "fault 3 /objects/1 a STIX object must be a JSON object",
                  HasSubstr("fault 4:10 "), "fault 5 /objects/3/c integer beyond 2^53-1",
                  R"(object 6 /objects/4 {"d":1})", R"(wrapper 1 {"objects":[0],"type":"bundle"})"));
  EXPECT_THAT(read("[{\"a\":1} {\"b\":1},,{\"c\":1},]"),
              ElementsAre(R"(object 1 /0 {"a":1})", "fault 1:10 expected a comma or the end of the list",
                          R"(object 1 /1 {"b":1})", "fault 1:18 expected a value", R"(object 1 /2 {"c":1})",
                          "fault 1:27 expected a value"));
}

// As programs indent: a line that is broken spoils its object and no other.
TEST(Stream, AMissingQuoteSpoilsOneObjectOfAnIndentedBundle) {
  EXPECT_THAT(read("{\n  \"type\": \"bundle\",\n  \"objects\": [\n    {\n      \"a\": \"b,\n      \"c\": {\n        "
                   "\"d\": 1\n      }\n"
                   "    },\n    {\n      \"e\": 1\n    }\n  ]\n}\n"),
              ElementsAre("fault 5:15 control character in a string", "object 10 /objects/1 {\n      \"e\": 1\n    }",
                          R"(wrapper 1 {"objects":[0],"type":"bundle"})"));
  EXPECT_THAT(read("[\n  {\"a\": \"b}\n]\n{\"type\":\"c\"}"),
              ElementsAre("fault 2:12 control character in a string", R"(object 4  {"type":"c"})"));
}

TEST(Stream, EndsTooEarly) {
  EXPECT_THAT(read(""), ElementsAre("fault 1:1 nothing there"));
  EXPECT_THAT(read(" \n "), ElementsAre("fault 1:1 nothing there"));
  EXPECT_THAT(read(R"({"type":"bundle","objects":[{"a":1},)"),
              ElementsAre(R"(object 1 /objects/0 {"a":1})", "fault 1:37 the text ends too early"));
  EXPECT_THAT(read(R"({"type":"bundle","objects":[{"a":1},{"b)"),
              ElementsAre(R"(object 1 /objects/0 {"a":1})", "fault 1:40 a string without its closing quote"));
  EXPECT_THAT(read(R"({"type":"bundle","objects":[{"a":1}])"),
              ElementsAre(R"(object 1 /objects/0 {"a":1})", HasSubstr("the text ends too early")));
  EXPECT_THAT(read(R"({"type":"x")"), ElementsAre("fault 1:12 the text ends too early"));
  EXPECT_THAT(read("\xef\xbb\xbf{\"type\":\"a\"}"),
              ElementsAre("fault 1:1 byte order mark before the JSON text", R"(object 1  {"type":"a"})"));
}

TEST(Stream, AnObjectOverTheLimitIsSkippedAndSaidToBe) {
  const std::string big = "{\"type\":\"" + std::string(3 << 20, 'x') + "\"}";
  const std::string fault = "more than 1048576 octets in one object";
  for (const size_t chunk : {size_t{1000}, size_t{1} << 20, size_t{8} << 20}) {
    EXPECT_THAT(read("{\"type\":\"a\"}\n" + big + "\n{\"type\":\"b\"}", chunk),
                ElementsAre(R"(object 1  {"type":"a"})", "fault 2 " + fault, R"(object 3  {"type":"b"})"));
    EXPECT_THAT(read("[" + big + ",{\"type\":\"b\"}]", chunk),
                ElementsAre("fault 1 /0 " + fault, R"(object 1 /1 {"type":"b"})"));
    EXPECT_THAT(read(big, chunk), ElementsAre("fault 1 " + fault));
    EXPECT_THAT(read("{\"type\":\"bundle\",\"objects\":[{\"type\":\"b\"}],\"x\":" + big + "}", chunk),
                ElementsAre(R"(object 1 /objects/0 {"type":"b"})", "fault 1 " + fault));
  }
}

TEST(Stream, DeepNestingIsRefusedWithItsPlaceAndTheRestIsRead) {
  const std::string deep(2'000'000, '[');
  const auto items = read("{\"type\":\"a\"}\n{\"x\":" + deep + "\n{\"type\":\"b\"}", 1 << 20, 8 << 20);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[1], "fault 2:69 nested too deeply");
  EXPECT_EQ(items[2], R"(object 3  {"type":"b"})");
  EXPECT_EQ(read("[{\"x\":" + deep + std::string(2'000'000, ']') + "},{\"type\":\"b\"}]", 1 << 20, 8 << 20).size(), 2U);
}

TEST(Stream, GivesUpOnNonsense) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "nonsense\n";
  ObjectStream stream(read_text(text));
  ObjectStream::Item item;
  int n = 0;
  std::string last;
  for (; *stream.next(item); ++n) last = item.fault->what;
  EXPECT_EQ(n, 1000);
  EXPECT_THAT(last, HasSubstr("not read"));
}

TEST(Stream, ErrorsOfReadingAreTheCallers) {
  int calls = 0;
  ObjectStream stream([&](char* to, size_t) -> Result<size_t> {
    if (calls++ > 0) return make_error(ErrorKind::kIo, "the disk is gone");
    const std::string_view text = "{\"type\":\"a\"}\n{\"type\":";
    return text.copy(to, text.size());
  });
  ObjectStream::Item item;
  Result<bool> more = true;
  while (more.ok() && *more) more = stream.next(item);
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().what, "the disk is gone");
}

// However the input is cut, the items are the same; and those of right inputs are what split_objects says.
RC_GTEST_PROP(Stream, PiecesDoNotMatter, ()) {
  const auto objects = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      R"({"type":"a"})", R"({"type":"\"\\","x":[{},{"y":"}]"}]})", "{\"type\" : \"a\",\n \"b\": 1}", R"({"type":"é"})",
      "7", R"({"a":)", "", R"({"a":"})", R"({"type":"bundle","objects":[{"q":1}]})"));
  std::string joined;
  for (const auto& o : objects) joined += (joined.empty() ? "" : *rc::gen::element<std::string>(",", "\n", " ")) + o;
  const int form = *rc::gen::inRange(0, 3);
  const std::string text = form == 0   ? joined
                           : form == 1 ? "[" + joined + "]"
                                       : R"({"type":"bundle","objects":[)" + joined + "]}";
  const auto whole = read(text);
  for (const size_t chunk : {1, 2, 3, 7, 64}) RC_ASSERT(read(text, chunk) == whole);
}

TEST(Stream, AgreesWithSplitObjectsOnAttack) {
  const std::string path = std::string(ENTENTE_DATA_DIR) + "/attack/ics-attack-18.1.json";
  std::ifstream in(path);
  if (!in) GTEST_SKIP() << path << " is absent";
  std::stringstream buffer;
  buffer << in.rdbuf();
  const std::string text = buffer.str();
  const auto wanted = split_objects(text);
  ASSERT_TRUE(wanted.ok());
  for (const size_t chunk : {size_t{4096}, size_t{1} << 20}) {
    ObjectStream stream(read_text(text, chunk));
    ObjectStream::Item item;
    size_t n = 0;
    while (*stream.next(item)) {
      if (item.kind != Kind::kObject) continue;
      ASSERT_LT(n, wanted->size());
      ASSERT_EQ(item.text, (*wanted)[n++]);
    }
    EXPECT_EQ(n, wanted->size());
  }
}

}  // namespace
}  // namespace entente::stix
