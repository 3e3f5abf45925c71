#include "misp/misp.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "misp/internal/shared.h"
#include "misp/internal/tables.h"
#include "pattern/pattern.h"
#include "stix/object.h"
#include "stix/validate.h"

namespace entente::misp {
namespace {

namespace fs = std::filesystem;
using json::Node;
using testing::HasSubstr;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string everything() { return read(fs::path(ENTENTE_SOURCE_DIR) / "src/misp/testdata/everything.json"); }

// Real events as published; empty where they are not there.
std::vector<fs::path> real_events() {
  std::vector<fs::path> out;
  const fs::path folder = fs::path(ENTENTE_DATA_DIR) / "misp-events";
  if (!fs::is_directory(folder)) return out;
  for (const auto& e : fs::directory_iterator(folder)) {
    if (e.path().extension() == ".json") out.push_back(e.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Import import_one(const std::string& text) {
  const std::string_view one[] = {text};
  auto made = to_stix(one);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().text());
  return made.ok() ? std::move(*made) : Import{};
}

std::vector<std::string> texts_of(const Import& made) {
  std::vector<std::string> out;
  for (const auto& o : made.objects) out.push_back(json::write(o));
  return out;
}

Export export_all(const std::vector<std::string>& texts) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  auto made = to_misp(views);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().text());
  return made.ok() ? std::move(*made) : Export{};
}

std::string file_of(const std::vector<Node>& events) {
  Node list = Node::array();
  for (const auto& e : events) list.push(e);
  return json::write(Node(Node::Members{{"response", std::move(list)}}));
}

// An event around attributes and objects in JSON.
std::string event_with(const std::string& attributes, const std::string& objects = "", const std::string& more = "") {
  return R"({"Event":{"uuid":"11111111-1111-4111-8111-111111111111","info":"x","date":"2024-05-01","timestamp":"1714600000",)" +
         more + R"("Orgc":{"name":"O","uuid":"22222222-2222-4222-8222-222222222222"},"Attribute":[)" + attributes +
         R"(],"Object":[)" + objects + "]}}";
}
std::string attribute(const std::string& type, const std::string& value, bool to_ids, const std::string& more = "") {
  return R"({"uuid":"33333333-3333-4333-8333-333333333333","type":")" + type + R"(","category":"Other","to_ids":)" +
         (to_ids ? "true" : "false") + R"(,"timestamp":"1714600000",)" + more + R"("value":)" + json::quoted(value) +
         "}";
}

const Node* of_type(const Import& made, std::string_view type) {
  for (const auto& o : made.objects) {
    if (o.string_at("type") == type && o.string_at("id") != internal::kExtensionAuthor) return &o;
  }
  return nullptr;
}

// What the source holds, counted by nobody but this.
uint64_t count_attributes(const Node& node) {
  uint64_t n = 0;
  if (node.is_array()) {
    for (const auto& one : node.list()) n += count_attributes(one);
  } else if (node.is_object()) {
    for (const auto& [name, value] : node.members()) {
      if (name == "Attribute" && value.is_array()) n += value.list().size();
      if (name != "RelatedEvent" && name != "ShadowAttribute") n += count_attributes(value);
    }
  }
  return n;
}

void check_rules(const std::string& name, const std::string& text) {
  SCOPED_TRACE(name);
  const Import made = import_one(text);
  // Valid without exception, strictly, and patterns are patterns.
  std::set<std::string> ids;
  for (const auto& o : made.objects) {
    json::Document doc;
    ASSERT_TRUE(doc.parse(json::write(o)).ok());
    std::vector<stix::Finding> findings;
    EXPECT_TRUE(stix::validate(doc.root(), {.strict = true, .warnings = false}, findings)) << json::write(o) << "\n"
                                                                                           << findings.front().message;
    EXPECT_TRUE(ids.insert(std::string(o.string_at("id"))).second) << "twice: " << o.string_at("id");
    if (o.string_at("pattern_type") == "stix") {
      const auto p = pattern::Pattern::parse(o.string_at("pattern"));
      EXPECT_TRUE(p.ok()) << o.string_at("pattern");
    }
    if (o.find("modified") == nullptr && o.string_at("type") != "marking-definition") {
      EXPECT_EQ(stix::deterministic_id(doc.root()).value_or(std::string(o.string_at("id"))), o.string_at("id"));
    }
  }
  // Nothing refers to what is not there.
  for (const auto& o : made.objects) {
    json::Document doc;
    ASSERT_TRUE(doc.parse(json::write(o)).ok());
    stix::for_each_reference(doc.root(), [&](const stix::Reference& r) {
      // OASIS's own extension for TLP 2.0 is known to everybody.
      if (r.id == "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d") return;
      EXPECT_TRUE(ids.contains(std::string(r.id))) << r.id << " of " << o.string_at("id");
    });
  }
  // Every attribute is carried or listed.
  json::Document source;
  ASSERT_TRUE(source.parse(text).ok());
  const auto& c = made.counts;
  EXPECT_EQ(c.attributes, count_attributes(Node::from(source.root())));
  EXPECT_EQ(c.attributes, c.as_indicator + c.as_observed + c.as_other + c.as_note + c.beside + c.left_out);
  // The same twice.
  EXPECT_EQ(texts_of(import_one(text)), texts_of(made));
  // And there and back.
  const Export back = export_all(texts_of(made));
  const Import again = import_one(file_of(back.events));
  const auto want = texts_of(made);
  const auto have = texts_of(again);
  EXPECT_EQ(have.size(), want.size());
  for (size_t i = 0; i < std::min(have.size(), want.size()); ++i) ASSERT_EQ(have[i], want[i]);
  // On the way back, too, every object served or is listed.
  uint64_t listed = 0;
  for (const auto& n : back.not_carried) listed += !n.changed && n.path.find('/') == std::string::npos ? 1 : 0;
  EXPECT_EQ(back.used + listed, back.objects);
  for (const auto& n : back.not_carried) ADD_FAILURE() << n.path << ": " << n.reason;
}

TEST(Misp, EverythingOfASyntheticEventIsValidCountedAndComesBack) { check_rules("everything", everything()); }

TEST(Misp, RealEventsAreValidCountedAndComeBack) {
  const auto files = real_events();
  if (files.empty()) GTEST_SKIP() << "no misp-events in " << ENTENTE_DATA_DIR;
  for (const auto& f : files) check_rules(f.filename(), read(f));
}

TEST(Misp, ManyEventsAtOnceShareWhatIsTheSame) {
  const std::string a = event_with(attribute("domain", "evil.example", false));
  std::string b = a;
  b.replace(b.find("11111111-1111-4111-8111-111111111111"), 8, "99999999");
  b.replace(b.find("33333333-3333-4333-8333-333333333333"), 8, "88888888");
  const std::string_view both[] = {a, b};
  const auto made = to_stix(both);
  ASSERT_TRUE(made.ok());
  size_t names = 0, observed = 0;
  for (const auto& o : made->objects) {
    names += o.string_at("type") == "domain-name" ? 1 : 0;
    observed += o.string_at("type") == "observed-data" ? 1 : 0;
  }
  EXPECT_EQ(names, 1U);
  EXPECT_EQ(observed, 2U);
}

TEST(Misp, WhatIsLeftOutIsListedOneByOne) {
  const Import made = import_one(everything());
  const auto listed = [&](std::string_view path, std::string_view words) {
    return std::any_of(made.not_carried.begin(), made.not_carried.end(), [&](const NotCarried& n) {
      return n.path == path && n.reason.find(words) != std::string::npos;
    });
  };
  const std::string e = "/response/0/Event";
  EXPECT_TRUE(listed(e + "/ShadowAttribute/0", "proposal"));
  EXPECT_TRUE(listed(e + "/Attribute/0/ShadowAttribute/0", "proposal"));
  EXPECT_TRUE(listed(e + "/Attribute/34", "without a value"));
  EXPECT_TRUE(listed(e + "/Attribute/9", "not a valid") || listed(e + "/Attribute/9", "what its type says"));
  EXPECT_TRUE(listed(e + "/Attribute/19/data", "attached file"));
  EXPECT_TRUE(listed(e + "/Attribute/0/Sighting/3", "without a time"));
  EXPECT_TRUE(listed(e + "/Attribute/42/strange_member", "not a member"));
  EXPECT_TRUE(listed(e + "/Tag/3", "local tag"));
  EXPECT_TRUE(listed(e + "/Tag/5", "no level of TLP"));
  EXPECT_TRUE(listed(e + "/Galaxy/1/GalaxyCluster/0", "no STIX type"));
  EXPECT_TRUE(listed(e + "/Object/0/ObjectReference/1", "not in this event"));
  EXPECT_TRUE(listed(e + "/Object/13", "without attributes"));
  EXPECT_TRUE(listed(e + "/event_creator_email", "personal data"));
  EXPECT_TRUE(listed(e + "/distribution", "agreements and markings"));
  EXPECT_TRUE(listed(e + "/Galaxy/0/GalaxyCluster/0/meta/mitre_platforms", "galaxy itself"));
}

struct Example {
  const char *type, *value, *pattern;
};

// What an analyst expects to see; what a sensor can look up is in one piece.
TEST(Misp, PatternsOfFlaggedAttributes) {
  for (const auto& x : {
           Example{"domain", "evil.example", "[domain-name:value = 'evil.example']"},
           Example{"hostname", "a.evil.example", "[domain-name:value = 'a.evil.example']"},
           Example{"ip-dst", "198.51.100.3", "[ipv4-addr:value = '198.51.100.3']"},
           Example{"ip-src", "198.51.100.0/24", "[ipv4-addr:value ISSUBSET '198.51.100.0/24']"},
           Example{"ip-dst", "2001:db8::1", "[ipv6-addr:value = '2001:db8::1']"},
           Example{"ip-dst|port", "198.51.100.3|443",
                   "[network-traffic:dst_ref.value = '198.51.100.3' AND network-traffic:dst_port = 443]"},
           Example{"domain|ip", "evil.example|198.51.100.3",
                   "[domain-name:value = 'evil.example' AND domain-name:resolves_to_refs[*].value = '198.51.100.3']"},
           Example{"url", "http://evil.example/it's", "[url:value = 'http://evil.example/it\\'s']"},
           Example{"filename|md5", "a.exe|D41D8CD98F00B204E9800998ECF8427E",
                   "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']"},
           Example{"filename", "a\\b.exe", "[file:name = 'a\\\\b.exe']"},
           Example{"sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                   "[file:hashes.'SHA-256' = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855']"},
           Example{
               "regkey|value", "HKLM\\A|b",
               "[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\A' AND windows-registry-key:values[*].data = 'b']"},
           Example{"email-src", "a@evil.example", "[email-message:from_ref.value = 'a@evil.example']"},
           Example{"AS", "AS64500", "[autonomous-system:number = 64500]"},
           Example{"mutex", "m", "[mutex:name = 'm']"},
       }) {
    const Import made = import_one(event_with(attribute(x.type, x.value, true)));
    const Node* indicator = of_type(made, "indicator");
    ASSERT_NE(indicator, nullptr) << x.type;
    EXPECT_EQ(indicator->string_at("pattern"), x.pattern);
    EXPECT_EQ(indicator->string_at("id"), "indicator--33333333-3333-4333-8333-333333333333");
    EXPECT_EQ(indicator->string_at("name"), x.value);
    EXPECT_EQ(made.counts.as_indicator, 1U);
  }
}

TEST(Misp, AFlaggedAttributeOfOneValueIsFoundBySensors) {
  for (const char* type : {"domain", "hostname", "ip-dst", "ip-src", "url", "md5", "email", "email-src"}) {
    const std::string value = std::string(type) == "md5"               ? "d41d8cd98f00b204e9800998ecf8427e"
                              : std::string(type) == "url"             ? "http://evil.example/"
                              : std::string(type).starts_with("ip-")   ? "198.51.100.3"
                              : std::string(type).starts_with("email") ? "a@evil.example"
                                                                       : "evil.example";
    const Import made = import_one(event_with(attribute(type, value, true)));
    const auto parsed = pattern::Pattern::parse(of_type(made, "indicator")->string_at("pattern"));
    ASSERT_TRUE(parsed.ok());
    EXPECT_TRUE(pattern::equality_atoms(*parsed).complete) << type;
  }
}

TEST(Misp, AValueThatIsNotWhatItsTypeSaysIsNoPattern) {
  for (const auto& [type, value] : {std::pair{"md5", "abcd"},
                                    {"sha1", "xyz"},
                                    {"ip-dst", "300.1.1.1"},
                                    {"domain", "a b"},
                                    {"ip-dst|port", "198.51.100.3"},
                                    {"regkey|value", "only"},
                                    {"AS", "ASx"}}) {
    const Import made = import_one(event_with(attribute(type, value, true)));
    EXPECT_EQ(of_type(made, "indicator"), nullptr) << type;
    EXPECT_EQ(made.counts.as_note, 1U) << type;
    ASSERT_FALSE(made.not_carried.empty());
    EXPECT_TRUE(made.not_carried.front().changed);
  }
}

TEST(Misp, WithoutTheFlagItIsObserved) {
  const Import made = import_one(event_with(attribute("ip-dst", "198.51.100.3", false)));
  EXPECT_EQ(of_type(made, "indicator"), nullptr);
  const Node* observed = of_type(made, "observed-data");
  ASSERT_NE(observed, nullptr);
  EXPECT_EQ(observed->string_at("id"), "observed-data--33333333-3333-4333-8333-333333333333");
  ASSERT_NE(of_type(made, "ipv4-addr"), nullptr);
  EXPECT_EQ(of_type(made, "ipv4-addr")->string_at("value"), "198.51.100.3");
}

TEST(Misp, HashesOfOneFileAreAlternativesAndItsNameIsKeptBeside) {
  const std::string object =
      R"({"uuid":"44444444-4444-4444-8444-444444444444","name":"file","timestamp":"1714600000","Attribute":[)"
      R"({"uuid":"44444444-4444-4444-8444-444444444441","object_relation":"filename","type":"filename","value":"a.exe","to_ids":true},)"
      R"({"uuid":"44444444-4444-4444-8444-444444444442","object_relation":"md5","type":"md5","value":"d41d8cd98f00b204e9800998ecf8427e","to_ids":true},)"
      R"({"uuid":"44444444-4444-4444-8444-444444444443","object_relation":"sha1","type":"sha1","value":"da39a3ee5e6b4b0d3255bfef95601890afd80709","to_ids":true}]})";
  const Import made = import_one(event_with("", object));
  EXPECT_EQ(of_type(made, "indicator")->string_at("pattern"),
            "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e' OR file:hashes.'SHA-1' = "
            "'da39a3ee5e6b4b0d3255bfef95601890afd80709']");
  ASSERT_NE(of_type(made, "file"), nullptr);
  EXPECT_EQ(of_type(made, "file")->string_at("name"), "a.exe");
  ASSERT_NE(of_type(made, "relationship"), nullptr);
  EXPECT_EQ(of_type(made, "relationship")->string_at("relationship_type"), "based-on");
  EXPECT_EQ(made.counts.as_indicator, 2U);
  EXPECT_EQ(made.counts.as_observed, 1U);
}

// release.md: what names a victim is protected; a note with the same words would not be.
TEST(Misp, VictimsAreIdentitiesWithThatRole) {
  for (const char* type : {"target-user", "target-email", "target-machine", "target-org", "target-location"}) {
    const Import made = import_one(event_with(attribute(type, "Somebody", false)));
    EXPECT_EQ(of_type(made, "note"), nullptr);
    bool found = false;
    for (const auto& o : made.objects) {
      const Node* roles = o.find("roles");
      found =
          found || (roles != nullptr && roles->list().front() == Node("victim") && o.string_at("name") == "Somebody");
    }
    EXPECT_TRUE(found) << type;
  }
}

TEST(Misp, MarkingsFollowTheTags) {
  const auto refs = [](const Import& made, std::string_view type) {
    const Node* list = of_type(made, type)->find("object_marking_refs");
    std::vector<std::string> out;
    if (list != nullptr) {
      for (const auto& one : list->list()) out.push_back(one.string());
    }
    return out;
  };
  const std::string amber = R"("Tag":[{"name":"tlp:amber"}],)";
  const std::string amber_id = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421";
  const std::string green_id = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb";
  const Import plain = import_one(event_with(attribute("domain", "evil.example", false), "", amber));
  // The value too: it travels by itself.
  for (const char* type : {"observed-data", "domain-name", "grouping"})
    EXPECT_EQ(refs(plain, type), std::vector{amber_id});
  const Import own =
      import_one(event_with(attribute("domain", "evil.example", true, R"("Tag":[{"name":"tlp:green"}],)"), "", amber));
  EXPECT_EQ(refs(own, "indicator"), std::vector{green_id});
  EXPECT_EQ(refs(own, "grouping"), std::vector{amber_id});
  const Import white =
      import_one(event_with(attribute("domain", "evil.example", true), "", R"("Tag":[{"name":"tlp:white"}],)"));
  EXPECT_EQ(refs(white, "indicator"), std::vector{std::string(internal::kTlp1White)});
}

// Exports of old servers have the uuid of the collection in every cluster.
TEST(Misp, TwoClustersAreNeverOneObject) {
  const auto cluster = [](const std::string& value) {
    return R"({"uuid":"7cdff317-a673-4474-84ec-4f1754947823","value":")" + value + "\"}";
  };
  const Import made = import_one(event_with(
      "", "", R"("Galaxy":[{"type":"threat-actor","GalaxyCluster":[)" + cluster("A") + "," + cluster("B") + "]}],"));
  std::set<std::string> ids;
  for (const auto& o : made.objects) {
    if (o.string_at("type") == "threat-actor") ids.emplace(o.string_at("id"));
  }
  EXPECT_EQ(ids.size(), 2U);
}

TEST(Misp, DeletedThingsAreRevoked) {
  const Import made = import_one(event_with(attribute("domain", "evil.example", true, R"("deleted":true,)")));
  for (const auto& o : made.objects) {
    if (o.string_at("id").ends_with("33333333-3333-4333-8333-333333333333")) {
      ASSERT_NE(o.find("revoked"), nullptr);
      EXPECT_TRUE(o.find("revoked")->boolean());
    }
    EXPECT_NE(o.string_at("type"), "indicator") << "a deleted attribute is not looked for";
  }
}

TEST(Misp, WhatIsNoEventIsRefusedWithItsPlace) {
  for (const char* bad : {"", "[1]", "{}", "{\"Event\":{}}", "{\"Event\":{\"info\":\"x\",\"uuid\":\"no\"}}",
                          "{\"response\":7}", "[[[[[[[[{}]]]]]]]]", "\"x\""}) {
    const std::string_view one[] = {bad};
    const auto made = to_stix(one);
    ASSERT_FALSE(made.ok()) << bad;
    EXPECT_EQ(made.error().kind, ErrorKind::kInvalid);
  }
}

// Objects of others, by the tables read backwards.
TEST(Misp, ObjectsOfOthersBecomeAttributes) {
  const auto indicator = [](const std::string& n, const std::string& pattern) {
    return R"({"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-00000000000)" + n +
           R"(","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z","pattern":)" +
           json::quoted(pattern) + R"(,"pattern_type":"stix","valid_from":"2024-01-01T00:00:00Z","confidence":80})";
  };
  const std::vector<std::string> texts = {
      indicator("1", "[domain-name:value = 'a.example' OR domain-name:value = 'b.example']"),
      indicator("2", "[network-traffic:dst_ref.value = '198.51.100.3' AND network-traffic:dst_port = 80]"),
      indicator("3", "[file:name = 'x'] FOLLOWEDBY [process:name = 'y']"),
      indicator("4", "[network-traffic:dst_ref.value = 'c.example']"),
      R"({"type":"malware","spec_version":"2.1","id":"malware--00000000-0000-4000-8000-000000000005","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z","name":"Bad","is_family":true})",
      R"({"type":"relationship","spec_version":"2.1","id":"relationship--00000000-0000-4000-8000-000000000006","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z","relationship_type":"indicates","source_ref":"indicator--00000000-0000-4000-8000-000000000004","target_ref":"malware--00000000-0000-4000-8000-000000000005"})",
      R"({"type":"location","spec_version":"2.1","id":"location--00000000-0000-4000-8000-000000000007","created":"2024-01-01T00:00:00.000Z","modified":"2024-01-01T00:00:00.000Z","country":"IN"})",
      R"({"type":"ipv4-addr","id":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4","value":"198.51.100.3"})",
  };
  const Export made = export_all(texts);
  ASSERT_EQ(made.events.size(), 1U);
  std::vector<std::string> seen;
  for (const auto& a : made.events[0].find("Event")->find("Attribute")->list())
    seen.push_back(std::string(a.string_at("type")) + " " + std::string(a.string_at("value")));
  EXPECT_THAT(seen, testing::ElementsAre("domain a.example", "domain b.example", "ip-dst|port 198.51.100.3|80",
                                         "stix2-pattern [file:name = 'x'] FOLLOWEDBY [process:name = 'y']",
                                         "hostname c.example", "ip-dst 198.51.100.3"));
  EXPECT_THAT(json::write(made.events[0]), HasSubstr("stix-2.1-malware"));
  std::vector<std::string> listed;
  for (const auto& n : made.not_carried) listed.push_back(n.path);
  EXPECT_THAT(listed, testing::UnorderedElementsAre("indicator--00000000-0000-4000-8000-000000000001/confidence",
                                                    "location--00000000-0000-4000-8000-000000000007"));
  EXPECT_EQ(made.used + 1, made.objects);
}

TEST(MispTables, EveryPlaceIsAPathOfAPattern) {
  const auto check = [](std::string_view path) {
    std::string p(path);
    if (p.starts_with("ip:")) p = "ipv4-addr" + p.substr(2);
    const std::string text = "[" + p + " = 'x']";
    const auto parsed = pattern::Pattern::parse(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(parsed->print(), text) << "not the canonical spelling";
  };
  std::set<std::string_view> types;
  for (const auto& row : internal::attribute_types()) {
    EXPECT_TRUE(types.insert(row.type).second) << "twice: " << row.type;
    for (const auto& place : row.places) {
      if (!place.path.empty()) check(place.path);
    }
    EXPECT_EQ(row.target == internal::Target::kObservable, !row.places[0].path.empty()) << row.type;
    EXPECT_EQ(row.type.find('|') != std::string_view::npos || row.type == "malware-sample", !row.places[1].path.empty())
        << row.type;
  }
  for (const auto& row : internal::templates()) {
    for (const auto& r : row.relations) {
      if (row.target == internal::Target::kObservable) check(r.place.path);
    }
  }
}

// Whatever an attribute holds, what comes out is valid, counted, and comes back.
RC_GTEST_PROP(MispRandom, AnyValueOfAnyTypeIsCarriedOrListed, (const std::string& noise, bool to_ids)) {
  const auto rows = internal::attribute_types();
  const auto& row = rows[static_cast<size_t>(*rc::gen::inRange<int>(0, static_cast<int>(rows.size())))];
  std::string value;
  for (const char c : noise) value += static_cast<char>(c & 0x7f);
  if (*rc::gen::arbitrary<bool>()) value = "evil.example|" + value;
  const std::string text = event_with(attribute(std::string(row.type), value, to_ids));
  const std::string_view one[] = {text};
  const auto made = to_stix(one);
  RC_ASSERT(made.ok());
  const auto& c = made->counts;
  RC_ASSERT(c.attributes == 1);
  RC_ASSERT(c.as_indicator + c.as_observed + c.as_other + c.as_note + c.left_out == 1);
  const auto back = export_all(texts_of(*made));
  const std::string again = file_of(back.events);
  const std::string_view two[] = {again};
  const auto twice = to_stix(two);
  RC_ASSERT(twice.ok());
  RC_ASSERT(texts_of(*twice) == texts_of(*made));
}

// docs/misp.md holds the tables as they are; run with ENTENTE_WRITE_DOCS=1 to renew them.
TEST(MispDocs, TheTablesAreThoseOfTheCode) {
  const std::string path = std::string(ENTENTE_SOURCE_DIR) + "/docs/misp.md";
  const std::string mark = "<!-- written from src/misp/internal; do not edit below -->\n";
  std::string text = read(path);
  const size_t at = text.find(mark);
  ASSERT_NE(at, std::string::npos);
  const std::string want = text.substr(0, at) + mark + "\n" + mapping_markdown();
  if (std::getenv("ENTENTE_WRITE_DOCS") != nullptr) {
    std::ofstream(path, std::ios::binary) << want;
    text = want;
  }
  EXPECT_EQ(text, want) << "renew docs/misp.md with ENTENTE_WRITE_DOCS=1";
}

}  // namespace
}  // namespace entente::misp
