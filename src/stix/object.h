// What every part of a node needs to know of one STIX object, without a class per type: the summary, the references,
// the id. The model itself is data (internal/model.*: one table per type that a reader can check against the standard).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"
#include "json/json.h"
#include "stix/timestamp.h"

namespace entente::stix {

enum class Class : uint8_t { kSdo, kSro, kSco, kMarking, kExtension, kLanguage, kCustom };

// Views point into the parsed document.
struct Summary {
  std::string_view type;
  std::string_view id;
  Uuid uuid;  // of the id
  Class cls = Class::kCustom;
  std::string_view spec_version;  // "2.1"; "2.1" is assumed for an SCO without it (TAXII T52)
  std::string_view version;       // text of `modified`, else `created`, else "" (TAXII T56)
  Timestamp version_time;         // instant of `version`; zero if ""
  bool revoked = false;
};

// Reads the common properties. kInvalid (with JSON pointer) if type, id or a version timestamp are missing or
// malformed: the least that an object needs to be stored. Everything else is validate()'s business.
[[nodiscard]] Result<Summary> summarize(const json::Value& object);

// Every reference of the object: properties ending in _ref/_refs at any depth (also in extensions),
// object_marking_refs, granular_markings[].marking_ref, and the keys of `extensions` that are extension-definition ids.
struct Reference {
  std::string pointer;        // JSON pointer of the string, e.g. "/object_refs/3"
  std::string_view property;  // innermost property name, e.g. "object_refs"
  std::string_view id;
  bool in_list = false;
};
void for_each_reference(const json::Value& object, const std::function<void(const Reference&)>& fn);

// `type--uuid` split and checked (STIX 2.1 §2.9).
struct Id {
  std::string_view type;
  Uuid uuid;
};
[[nodiscard]] std::optional<Id> parse_id(std::string_view text);

// Deterministic id of an SCO (STIX 2.1 §2.9): UUIDv5 over the JCS of its contributing properties. nullopt if the type
// defines none or none is present (then a version 4 UUID is due).
[[nodiscard]] std::optional<std::string> deterministic_id(const json::Value& sco);

// Raw text of each object in a bundle, TAXII envelope, single object, array of objects, or JSON lines (recognised by
// content). Views into `text`. Fully validates the text as JSON first. kInvalid names the line for JSON lines.
[[nodiscard]] Result<std::vector<std::string_view>> split_objects(std::string_view text);

}  // namespace entente::stix
