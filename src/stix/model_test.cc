// Breaks every line of every table: a value that the line allows is accepted at its place, and each way to be wrong
// gives its code there.
#include "stix/internal/model.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "json/node.h"
#include "stix/examples_test.h"
#include "stix/validate.h"

namespace entente::stix::internal {
namespace {

using json::Node;

const std::string kUuid = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";

std::string first_word(std::string_view words) { return std::string(words.substr(0, words.find(' '))); }

std::string target_of(const Property& p) {
  const std::string word = first_word(p.targets);
  return word.empty() || word == "@sdo" ? "tool" : word == "@sco" ? "url" : word == "@sro" ? "sighting" : word;
}

// A type that the property must not name; "" if it may name any.
std::string stranger_to(const Property& p) {
  if (p.targets.empty()) return "bundle";
  for (const std::string type : {"relationship", "tool", "url"}) {
    const bool by_class = (type == "relationship" && has_word(p.targets, "@sro")) ||
                          (type == "tool" && has_word(p.targets, "@sdo")) ||
                          (type == "url" && has_word(p.targets, "@sco"));
    if (!by_class && !has_word(p.targets, type)) return type;
  }
  return "";
}

Node part_of(const Shape& shape);

Node right(const Property& p) {
  switch (p.kind) {
    case Kind::kBoolean:
      return true;
    case Kind::kInteger:
      return std::max<int64_t>(1, static_cast<int64_t>(p.low));
    case Kind::kFloat:
      return 1.5;
    case Kind::kTimestamp:
    case Kind::kMilliseconds:
      return "2020-01-01T00:00:00.000Z";
    case Kind::kSeconds:
      return "2020-01-01T00:00:00Z";
    case Kind::kCharset:
      return "UTF-8";
    case Kind::kReference:
      return target_of(p) + "--" + kUuid;
    case Kind::kMarkingReference:
      return "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed";
    case Kind::kEnum:
    case Kind::kVocabulary:
      return first_word(p.terms->terms);
    case Kind::kHex:
      return "00ff";
    case Kind::kBinary:
      return "VGhl";
    case Kind::kHashes:
      return Node(Node::Members{{"MD5", "d41d8cd98f00b204e9800998ecf8427e"}});
    case Kind::kObject:
      return part_of(*p.shape);
    case Kind::kAny:
    case Kind::kDictionary:
    case Kind::kTextDictionary:
      return Node(Node::Members{{"key", "value"}});
    case Kind::kListDictionary:
      return Node(Node::Members{{"key", Node(Node::List{Node("value")})}});
    case Kind::kNumberDictionary:
    case Kind::kMixedDictionary:
      return Node(Node::Members{{"key", 1}});
    case Kind::kExtensions:
      return Node(Node::Members{
          {"extension-definition--" + kUuid, Node(Node::Members{{"extension_type", "property-extension"}})}});
    case Kind::kContents:
      return Node(Node::Members{{"de", Node(Node::Members{{"name", "x"}})}});
    case Kind::kContainer:
      return Node(Node::Members{{"0", Node(Node::Members{{"type", "mutex"}, {"name", "x"}})}});
    case Kind::kLanguage:
      return "en";
    case Kind::kUrl:
      return "https://x.example/";
    case Kind::kMac:
      return "d2:fb:49:24:37:18";
    case Kind::kIpv4:
      return "198.51.100.3";
    case Kind::kIpv6:
      return "2001:db8::1";
    case Kind::kDomain:
      return "x.example";
    case Kind::kEmail:
      return "a@x.example";
    case Kind::kCpe:
      return "cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*:*";
    case Kind::kMime:
      return "text/plain";
    case Kind::kRegistryKey:
      return "HKEY_LOCAL_MACHINE\\x";
    case Kind::kSpecVersion:
      return "2.1";
    default:
      return p.name == "selectors" ? "type" : p.name == "definition_type" ? "statement" : "text";
  }
}

Node value_of(const Property& p, Node item) { return p.is_list ? Node(Node::List{std::move(item)}) : item; }

// All properties of a nested type; those that exclude each other do not matter, only findings at the broken place
// count.
Node part_of(const Shape& shape) {
  Node node = Node::object();
  for (size_t i = 0; i < shape.size(); ++i) {
    const Property& p = shape.at(static_cast<int>(i));
    if (shape.name() == "granular-marking" && p.name == "lang") continue;
    node.set(p.name, value_of(p, right(p)));
  }
  return node;
}

struct Wrong {
  Node value;
  std::string_view code;
};

std::vector<Wrong> wrong(const Property& p) {
  std::vector<Wrong> out = {{nullptr, "S2-null"}};
  const auto text = [&](std::string_view value, std::string_view code) { out.push_back({value, code}); };
  if (p.kind != Kind::kAny) {
    // No kind takes a number of 0.5 but kFloat, and that takes no list.
    const bool contents = p.kind == Kind::kFloat;
    out.push_back({contents ? Node("x") : Node(0.5), "S1-json-type"});
  }
  switch (p.kind) {
    case Kind::kInteger:
      if (p.low > -1e15) out.push_back({static_cast<int64_t>(p.low) - 1, "S13-range"});
      if (p.high < 1e15) out.push_back({static_cast<int64_t>(p.high) + 1, "S13-range"});
      break;
    case Kind::kFloat:
      if (p.high < 1e15) out.push_back({p.high + 0.5, "S13-range"});
      break;
    case Kind::kTimestamp:
      text("2020-01-01", "S5-timestamp");
      break;
    case Kind::kMilliseconds:
      text("2020-01-01", "S5-timestamp");
      text("2020-01-01T00:00:00Z", "S5-milliseconds");
      break;
    case Kind::kSeconds:
      text("2020-01-01", "S5-timestamp");
      text("2020-01-01T00:00:00.0Z", "S37-form");
      break;
    case Kind::kCharset:
      text("", "S37-form");
      text("Some Words", "S37-form");
      break;
    case Kind::kRelationshipType:
      text("", "S38-relationship-type");
      text("Uses It", "S38-relationship-type");
      break;
    case Kind::kReference:
      text("nobody", "S6-id");
      if (const auto type = stranger_to(p); !type.empty()) text(type + "--" + kUuid, "S12-reference-type");
      break;
    case Kind::kMarkingReference:
      text("tool--" + kUuid, "S12-reference-type");
      break;
    case Kind::kEnum:
      text("no such term", "S11-enum");
      break;
    case Kind::kVocabulary:
      text("no-such-term", "S11-vocabulary");
      break;
    case Kind::kHex:
      text("0F", "S4-hex");
      break;
    case Kind::kBinary:
      text("VGh", "S4-binary");
      break;
    case Kind::kLanguage:
      text("e_n", "S13-language-tag");
      break;
    case Kind::kUrl:
    case Kind::kMac:
    case Kind::kIpv4:
    case Kind::kIpv6:
    case Kind::kDomain:
    case Kind::kEmail:
    case Kind::kCpe:
      text("not it", "S37-form");
      break;
    case Kind::kRegistryKey:
      text("HKLM\\x", "S37-form");
      break;
    case Kind::kSpecVersion:
      text("2.0", "S12-spec-version");
      break;
    case Kind::kHashes:
    case Kind::kObject:
    case Kind::kDictionary:
    case Kind::kTextDictionary:
    case Kind::kListDictionary:
    case Kind::kNumberDictionary:
    case Kind::kMixedDictionary:
    case Kind::kExtensions:
    case Kind::kContents:
    case Kind::kContainer:
      out.push_back({Node::object(), "S2-empty-dictionary"});
      break;
    default:
      break;
  }
  return out;
}

std::vector<Finding> findings(const Node& node) {
  const auto document = json::parse(json::write(node));
  EXPECT_TRUE(document.ok()) << json::write(node);
  std::vector<Finding> out;
  if (document.ok()) (void)validate(document->root(), {}, out);
  return out;
}

bool has(const std::vector<Finding>& list, std::string_view code, std::string_view pointer) {
  return std::any_of(list.begin(), list.end(),
                     [&](const Finding& f) { return f.code == code && f.pointer == pointer; });
}

// `make(value)` is the object with the property set to it, or without the property if the value is null and `absent`.
struct Place {
  Node object;                    // a right object
  std::vector<std::string> path;  // where the part stands in it; empty: at the top
};

Node& at(Node& object, const std::vector<std::string>& path) {
  Node* here = &object;
  for (const auto& key : path) here = here->find(key);
  return *here;
}

void break_all(const Place& place, const Shape& shape) {
  std::string base;
  for (const auto& key : place.path) base += "/" + key;
  for (size_t i = 0; i < shape.size(); ++i) {
    const Property& p = shape.at(static_cast<int>(i));
    const std::string pointer = base + "/" + std::string(p.name);
    const std::string item = p.is_list ? pointer + "/0" : pointer;
    SCOPED_TRACE(std::string(shape.name()) + "." + std::string(p.name));
    if (p.kind == Kind::kType || p.kind == Kind::kId)
      continue;  // decide the type of the object; validate_test.cc has them

    Node fine = place.object;
    at(fine, place.path).set(p.name, value_of(p, right(p)));
    for (const auto& f : findings(fine)) {
      const bool here = f.pointer.starts_with(item) && f.level == Finding::Level::kError;
      // Rules over several properties may rightly object to one more.
      const bool rule = f.code.starts_with("S36-") || f.code.starts_with("S25-") || f.code.starts_with("S31-");
      EXPECT_FALSE(here && !rule) << f.code << " " << f.message << " " << json::write(fine);
    }
    for (const auto& w : wrong(p)) {
      Node bad = place.object;
      at(bad, place.path).set(p.name, value_of(p, w.value));
      EXPECT_TRUE(has(findings(bad), w.code, item)) << w.code << " " << json::write(bad);
    }
    if (p.is_list) {
      Node empty = place.object;
      at(empty, place.path).set(p.name, Node::array());
      EXPECT_TRUE(has(findings(empty), "S2-empty-list", pointer));
      Node single = place.object;
      at(single, place.path).set(p.name, right(p));
      EXPECT_TRUE(has(findings(single), "S1-json-type", pointer)) << json::write(single);
    }
    if (p.is_required) {
      Node lacking = place.object;
      at(lacking, place.path).set("x_other", 1);
      at(lacking, place.path).erase(p.name);
      EXPECT_TRUE(has(findings(lacking), "S12-required", pointer)) << json::write(lacking);
    }
  }
}

Node parsed(const std::string& text) {
  const auto document = json::parse(text);
  EXPECT_TRUE(document.ok()) << text;
  return document.ok() ? Node::from(document->root()) : Node::object();
}

TEST(Model, EveryLineOfEveryTypeIsEnforced) {
  const auto examples = right_objects();
  for (const auto& type : types()) break_all({parsed(examples.at(std::string(type.name))), {}}, *type.shape);
}

TEST(Model, EveryLineOfEveryPredefinedExtensionIsEnforced) {
  const auto examples = right_objects();
  for (const auto& e : extensions()) {
    Node object = parsed(examples.at(std::string(e.host)));
    object.set("extensions", Node(Node::Members{{std::string(e.name), part_of(*e.shape)}}));
    break_all({object, {"extensions", std::string(e.name)}}, *e.shape);
  }
}

TEST(Model, LookupFindsEachPropertyAndNothingElse) {
  for (const auto& type : types()) {
    for (size_t i = 0; i < type.shape->size(); ++i) {
      const int index = static_cast<int>(i);
      const auto name = type.shape->at(index).name;
      EXPECT_EQ(type.shape->find(name), index) << type.name << " " << name;
      EXPECT_EQ(type.shape->find(std::string(name) + "x"), -1);
      EXPECT_EQ(type.shape->find("_" + std::string(name)), -1);
    }
    EXPECT_EQ(type.shape->find(""), -1);
    EXPECT_EQ(find_type(type.name), &type);
    EXPECT_EQ(find_type(std::string(type.name) + "-"), nullptr);
  }
}

TEST(Model, RelationshipsOfAppendixB) {
  EXPECT_TRUE(known_relationship("indicator", "indicates", "malware"));
  EXPECT_FALSE(known_relationship("malware", "indicates", "indicator"));
  EXPECT_TRUE(known_relationship("malware", "related-to", "ipv4-addr"));
  EXPECT_TRUE(known_relationship("tool", "duplicate-of", "tool"));
  EXPECT_FALSE(known_relationship("tool", "duplicate-of", "malware"));
  EXPECT_TRUE(known_relationship("infrastructure", "consists-of", "mutex"));
  EXPECT_TRUE(known_relationship("x-mine", "does", "tool"));
  EXPECT_FALSE(known_relationship("intrusion-set", "host", "infrastructure"));
}

}  // namespace
}  // namespace entente::stix::internal
