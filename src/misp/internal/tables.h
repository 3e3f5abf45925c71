// The mapping as data: what a reader can hold beside the MISP taxonomy of attribute types and object templates.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace entente::misp::internal {

// How a MISP value is written in STIX.
enum class Form : uint8_t {
  kText,
  kAddress,   // address or block; a block is compared with ISSUBSET
  kDomain,    // domain name
  kEndpoint,  // address or domain name
  kHash,      // lower case
  kInteger,
  kAsn,          // "AS64500" or "64500"
  kRegistryKey,  // the hive in full: HKLM\… becomes HKEY_LOCAL_MACHINE\…
  kTime,
  kBoolean,
  kMac,  // lower case with colons
  kCve,
};

// Where a value stands: an object path of STIX patterning (§9.7). The same path says where the value goes in an
// observable, and where it is read back. The type "ip" is ipv4-addr or ipv6-addr, as the value is.
struct Place {
  std::string_view path;
  Form form = Form::kText;
  bool pattern_only = false;  // an observable with this property would need others that MISP does not have
};

// What an attribute becomes when it is not (or cannot be) a pattern or an observable.
enum class Target : uint8_t {
  kObservable,     // to_ids: indicator; else observed-data with observables
  kRule,           // to_ids: indicator in another pattern language (`extra`)
  kVulnerability,  // with its CVE
  kVictim,         // identity with the role "victim"; `extra` is its identity_class
  kThreatActor,
  kCampaign,
  kLink,  // note with an external reference
  kNote,
};

struct AttributeType {
  std::string_view type;
  std::string_view category;  // what an export says when nobody knows better
  Target target = Target::kNote;
  std::array<Place, 2> places{};  // one per part of a composite "a|b"; the second may be empty
  std::string_view extra;
};
[[nodiscard]] std::span<const AttributeType> attribute_types();
[[nodiscard]] const AttributeType* find_attribute_type(std::string_view type);  // nullptr: a note

struct Relation {
  std::string_view relation;
  Place place;
};
struct Template {
  std::string_view name;
  Target target = Target::kObservable;  // kObservable, kVulnerability, kVictim, kNote
  std::string_view extra;
  std::span<const Relation> relations;
};
[[nodiscard]] std::span<const Template> templates();
[[nodiscard]] const Template* find_template(std::string_view name);  // nullptr: a note

// Galaxies: which STIX type their clusters are.
struct Galaxy {
  std::string_view galaxy;  // type of the galaxy; "*-x" is any that ends so
  std::string_view type;
};
[[nodiscard]] std::span<const Galaxy> galaxies();
[[nodiscard]] std::string_view galaxy_type(std::string_view galaxy);  // "" if unknown

// What becomes of each member of each structure of the core format.
struct Member {
  std::string_view structure;  // "Event" "Attribute" "Object" …
  std::string_view name;
  std::string_view reason;  // why it is not carried; "" if it is
};
[[nodiscard]] std::span<const Member> members();
[[nodiscard]] const Member* find_member(std::string_view structure, std::string_view name);

}  // namespace entente::misp::internal
