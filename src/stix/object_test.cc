#include "stix/object.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace entente::stix {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kIndicator = R"({"type":"indicator","spec_version":"2.1",
  "id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","created":"2016-04-06T20:03:48.000Z",
  "modified":"2016-04-06T20:03:48.123456789Z","revoked":true,"pattern":"[a:b = 1]","pattern_type":"stix",
  "valid_from":"2016-01-01T00:00:00Z"})";

Error summary_error(std::string_view text) {
  const auto document = json::parse(text);
  EXPECT_TRUE(document.ok()) << text;
  if (!document.ok()) return {};
  const auto s = summarize(document->root());
  return s.ok() ? Error{ErrorKind::kInternal, "accepted", "", ""} : s.error();
}

TEST(Summary, ReadsWhatANodeNeeds) {
  const auto document = json::parse(kIndicator);
  ASSERT_TRUE(document.ok());
  const auto s = summarize(document->root());
  ASSERT_TRUE(s.ok()) << s.error().text();
  EXPECT_EQ(s->type, "indicator");
  EXPECT_EQ(s->uuid.text(), "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f");
  EXPECT_EQ(s->cls, Class::kSdo);
  EXPECT_EQ(s->spec_version, "2.1");
  EXPECT_EQ(s->version, "2016-04-06T20:03:48.123456789Z");
  EXPECT_EQ(s->version_time.ns, 123456789U);
  EXPECT_TRUE(s->revoked);
}

TEST(Summary, VersionIsModifiedElseCreatedElseNothing) {
  struct Case {
    std::string_view text, version, spec_version;
    Class cls;
  };
  for (const auto& c : {
           Case{R"({"type":"marking-definition","id":"marking-definition--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
                    "spec_version":"2.1","created":"2016-04-06T20:03:48.000Z"})",
                "2016-04-06T20:03:48.000Z", "2.1", Class::kMarking},
           Case{R"({"type":"ipv4-addr","id":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4","value":"198.51.100.3"})",
                "", "2.1", Class::kSco},
           Case{R"({"type":"x-thing","id":"x-thing--28bb3599-77cd-5a82-a950-b5bc3caf07c4"})", "", "2.0",
                Class::kCustom},
           Case{R"({"type":"relationship","id":"relationship--28bb3599-77cd-5a82-a950-b5bc3caf07c4"})", "", "2.0",
                Class::kSro},
       }) {
    const auto document = json::parse(c.text);
    ASSERT_TRUE(document.ok());
    const auto s = summarize(document->root());
    ASSERT_TRUE(s.ok()) << s.error().text();
    EXPECT_EQ(s->version, c.version);
    EXPECT_EQ(s->spec_version, c.spec_version);
    EXPECT_EQ(s->cls, c.cls);
  }
}

TEST(Summary, RefusesWhatCannotBeStored) {
  struct Case {
    std::string_view text, where;
  };
  for (const auto& c : {
           Case{"[]", ""},
           Case{"{}", "/type"},
           Case{R"({"type":"file"})", "/id"},
           Case{R"({"type":1,"id":"x"})", "/type"},
           Case{R"({"type":"file","id":"file"})", "/id"},
           Case{R"({"type":"file","id":"url--28bb3599-77cd-5a82-a950-b5bc3caf07c4"})", "/id"},
           Case{R"({"type":"bundle","id":"bundle--28bb3599-77cd-5a82-a950-b5bc3caf07c4"})", "/type"},
           Case{R"({"type":"file","id":"file--28bb3599-77cd-5a82-a950-b5bc3caf07c4","modified":"yesterday"})",
                "/modified"},
           Case{R"({"type":"file","id":"file--28bb3599-77cd-5a82-a950-b5bc3caf07c4","created":1})", "/created"},
           Case{R"({"type":"file","id":"file--28bb3599-77cd-5a82-a950-b5bc3caf07c4","revoked":"no"})", "/revoked"},
       }) {
    const Error e = summary_error(c.text);
    EXPECT_EQ(e.kind, ErrorKind::kInvalid) << c.text;
    EXPECT_EQ(e.where, c.where) << c.text;
  }
}

TEST(ParseId, SplitsAtTheUuid) {
  const auto id = parse_id("x-a-b--28BB3599-77cd-5a82-a950-b5bc3caf07c4");
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->type, "x-a-b");
  EXPECT_EQ(id->uuid.text(), "28bb3599-77cd-5a82-a950-b5bc3caf07c4");
  for (const std::string_view bad :
       {"", "--28bb3599-77cd-5a82-a950-b5bc3caf07c4", "ab--28bb3599-77cd-5a82-a950-b5bc3caf07c4",
        "File--28bb3599-77cd-5a82-a950-b5bc3caf07c4", "file-28bb3599-77cd-5a82-a950-b5bc3caf07c4",
        "a--b--28bb3599-77cd-5a82-a950-b5bc3caf07c4", "file--28bb3599-77cd-5a82-a950-b5bc3caf07c",
        "file---28bb3599-77cd-5a82-a950-b5bc3caf07c4", "1file--28bb3599-77cd-5a82-a950-b5bc3caf07c4",
        "file--28bb3599-77cd-5a82-a950-b5bc3caf07cg"}) {
    EXPECT_FALSE(parse_id(bad).has_value()) << bad;
  }
}

TEST(References, AreFoundAtAnyDepthWithPointerAndProperty) {
  const auto document = json::parse(R"({"type":"report","id":"report--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
    "created_by_ref":"identity--11111111-1111-4111-8111-111111111111",
    "object_refs":["indicator--22222222-2222-4222-8222-222222222222","nonsense","tool--33333333-3333-4333-8333-333333333333"],
    "object_marking_refs":["marking-definition--44444444-4444-4444-8444-444444444444"],
    "granular_markings":[{"marking_ref":"marking-definition--55555555-5555-4555-8555-555555555555","selectors":["name"]}],
    "extensions":{"extension-definition--66666666-6666-4666-8666-666666666666":{"extension_type":"property-extension",
      "a~b/c":[{"deep_ref":"file--77777777-7777-4777-8777-777777777777"}]}},
    "objects":{"0":{"type":"file","parent_directory_ref":"1"}},"name":"file--88888888-8888-4888-8888-888888888888"})");
  ASSERT_TRUE(document.ok());
  std::vector<std::string> seen;
  for_each_reference(document->root(), [&](const Reference& r) {
    seen.push_back(r.pointer + " " + std::string(r.property) + " " + std::string(r.id.substr(0, r.id.find("--") + 3)) +
                   (r.in_list ? " list" : ""));
  });
  EXPECT_THAT(
      seen,
      ElementsAre(
          "/created_by_ref created_by_ref identity--1", "/object_refs/0 object_refs indicator--2 list",
          "/object_refs/2 object_refs tool--3 list",
          "/object_marking_refs/0 object_marking_refs marking-definition--4 list",
          "/granular_markings/0/marking_ref marking_ref marking-definition--5",
          "/extensions/extension-definition--66666666-6666-4666-8666-666666666666 extensions extension-definition--6",
          "/extensions/extension-definition--66666666-6666-4666-8666-666666666666/a~0b~1c/0/deep_ref deep_ref "
          "file--7"));
}

std::string id_of(std::string_view text) {
  const auto document = json::parse(text);
  EXPECT_TRUE(document.ok()) << text;
  return document.ok() ? deterministic_id(document->root()).value_or("none") : "";
}

TEST(DeterministicId, GivesThePublishedValues) {
  EXPECT_EQ(id_of(R"({"type":"ipv4-addr","value":"198.51.100.3"})"), "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4");
  EXPECT_EQ(id_of(R"({"type":"autonomous-system","number":15139,"name":"x"})"),
            "autonomous-system--3aa27478-50b5-5ab8-9da9-cdc12b657fff");
  EXPECT_EQ(id_of(R"({"type":"mutex","name":"__CLEANSWEEP__"})"), "mutex--f93fe911-e545-5239-b9b0-597840d0c871");
  EXPECT_EQ(id_of(R"({"type":"directory","path":"C:\\"})"), "directory--ab82f84a-5afc-5ea7-8d98-9fcbc277eda6");
  EXPECT_EQ(
      id_of(
          R"({"type":"user-account","user_id":"1001","account_type":"unix","account_login":"jdoe","display_name":"x"})"),
      "user-account--f94d689e-707d-58c3-b803-c720bb6ed096");
}

TEST(DeterministicId, OneHashContributesInTheOrderOfTheStandard) {
  const auto md5 = id_of(R"({"type":"file","hashes":{"MD5":"a"}})");
  EXPECT_EQ(id_of(R"({"type":"file","hashes":{"SHA-256":"b","SHA-1":"c","MD5":"a"},"size":5})"), md5);
  EXPECT_EQ(id_of(R"({"type":"file","hashes":{"SHA-256":"b","SHA-1":"c"}})"),
            id_of(R"({"type":"file","hashes":{"SHA-1":"c"}})"));
  EXPECT_EQ(id_of(R"({"type":"file","hashes":{"SSDEEP":"b","TLSH":"c"}})"),
            id_of(R"({"type":"file","hashes":{"SSDEEP":"b"}})"));
  EXPECT_NE(id_of(R"({"type":"file","hashes":{"MD5":"a"},"name":"n"})"), md5);
}

TEST(DeterministicId, NeedsAContributingProperty) {
  EXPECT_EQ(id_of(R"({"type":"process","pid":1})"), "none");
  EXPECT_EQ(id_of(R"({"type":"file","size":1})"), "none");
  EXPECT_EQ(id_of(R"({"type":"indicator","name":"x"})"), "none");
  EXPECT_EQ(id_of("{}"), "none");
}

}  // namespace
}  // namespace entente::stix
