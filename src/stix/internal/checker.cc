#include "stix/internal/checker.h"

#include "stix/internal/contributing.h"
#include "stix/internal/forms.h"
#include "stix/timestamp.h"

namespace entente::stix::internal {
namespace {

constexpr std::string_view kReserved = "severity username phone_number action";  // §3.8

}  // namespace

std::string pointer(const Frame* at) {
  if (at == nullptr) return {};
  std::string out = pointer(at->up);
  out += '/';
  if (at->index >= 0) return out += std::to_string(at->index);
  for (const char c : at->key) {  // RFC 6901 §3
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

std::optional<std::string_view> Members::string(std::string_view name) const {
  const json::Value* value = find(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->get_string().value_unsafe();
}

std::optional<bool> Members::boolean(std::string_view name) const {
  const json::Value* value = find(name);
  if (value == nullptr || !value->is_bool()) return std::nullopt;
  return value->get_bool().value_unsafe();
}

void Checker::report(Rule rule, const Frame* at, std::initializer_list<std::string_view> parts,
                     std::string_view section) {
  const CodeInfo& code = info(rule);
  const bool error = code.level == Finding::Level::kError || (code.strict_error && options_.strict);
  if (error)
    failed_ = true;
  else if (!options_.warnings)
    return;
  Finding f;
  f.code = code.code;
  f.level = error ? Finding::Level::kError : Finding::Level::kWarning;
  f.pointer = pointer(at);
  for (const auto part : parts) f.message += part;
  f.message += " (STIX 2.1 §";
  f.message += section.empty() ? code.section : section;
  f.message += ')';
  out_.push_back(std::move(f));
}

bool Checker::run() {
  json::Object members;
  if (root_.get_object().get(members) != simdjson::SUCCESS) {
    report(Rule::kJsonType, nullptr, {"a STIX object must be a JSON object"});
    return false;
  }
  bool typed = false;
  bool versioned = false;
  const json::Value* extension_list = nullptr;
  json::Value extension_value;
  for (const auto& member : members) {
    if (member.key == "type") {
      typed = member.value.get_string().get(type_) == simdjson::SUCCESS;
      if (!typed) {
        const Frame at{nullptr, "type"};
        report(Rule::kJsonType, &at, {"type must be a string"});
        return false;
      }
    } else if (member.key == "id") {
      if (member.value.is_string()) id_ = member.value.get_string().value_unsafe();
    } else if (member.key == "extensions") {
      extension_value = member.value;
      extension_list = &extension_value;
    } else if (member.key == "modified" || member.key == "created") {
      versioned = true;
    }
  }
  if (!typed) {
    const Frame at{nullptr, "type"};
    report(Rule::kRequired, &at, {"type is missing"});
    return false;
  }

  // What the extensions declare decides how unknown names and types are taken, so it is looked at first (§7.3).
  const Shape* custom = nullptr;
  if (extension_list != nullptr && extension_list->is_object()) {
    for (const auto& entry : json::as_object(*extension_list)) {
      const auto kind = json::find_string(entry.value, "extension_type");
      if (!kind || !entry.key.starts_with("extension-definition--")) continue;
      toplevel_extension_ = toplevel_extension_ || *kind == "toplevel-property-extension";
      if (*kind == "new-sdo") custom = &kCustomSdo;
      if (*kind == "new-sro") custom = &kCustomSro;
      if (*kind == "new-sco") custom = &kCustomSco;
    }
  }
  new_type_ = custom != nullptr;

  const Type* known = find_type(type_);
  if (known != nullptr) {
    if (new_type_) {
      const Frame at{nullptr, "extensions"};
      report(Rule::kNewTypeClash, &at, {type_, " is a type of the standard, not a new one"});
    }
    object(root_, *known->shape, nullptr, Place::kTop);
    return !failed_;
  }
  const Frame at{nullptr, "type"};
  if (!is_type_name(type_)) report(Rule::kTypeName, &at, {"\"", type_, "\" is not a type name"});
  if (!new_type_)
    report(Rule::kCustomObject, &at, {"\"", type_, "\" is not a type of the standard and no extension declares it"});
  if (custom == nullptr) custom = versioned ? &kCustomSdo : &kCustomSco;
  object(root_, *custom, nullptr, Place::kTop);
  return !failed_;
}

void Checker::object(const json::Value& value, const Shape& shape, const Frame* at, Place place) {
  if (!value.is_object()) {
    report(Rule::kJsonType, at, {shape.name(), " must be an object"}, shape.section());
    return;
  }
  const json::Object members = value.get_object().value_unsafe();
  Members found(shape);
  bool strangers = false;
  bool empty = true;
  for (const auto& member : members) {
    empty = false;
    const int index = shape.find(member.key);
    if (index < 0) {
      strangers = true;
      continue;
    }
    found.set(index, member.value);
    const Frame here{at, member.key};
    property(shape.at(index), member.value, &here);
  }
  if (empty) report(Rule::kEmptyDictionary, at, {shape.name(), " has no property"});
  if (strangers) unknown(members, shape, at, place);
  if (!empty) finish(found, at, place);
}

// Required properties, and rules over several.
void Checker::finish(const Members& members, const Frame* at, Place place) {
  const Shape& shape = members.shape();
  uint64_t missing = shape.required() & ~members.present();
  while (missing != 0) {
    const int index = __builtin_ctzll(missing);
    missing &= missing - 1;
    const auto name = shape.at(index).name;
    // Members of the deprecated container have neither (§4.14); the key is their name.
    if (place == Place::kContainer && name == "id") continue;
    const Frame here{at, name};
    report(Rule::kRequired, &here, {shape.name(), " needs ", name}, shape.section());
  }
  if (warnings()) {
    for (uint64_t wanted = shape.advised() & ~members.present(); wanted != 0; wanted &= wanted - 1) {
      const auto name = shape.at(__builtin_ctzll(wanted)).name;
      const Frame here{at, name};
      report(Rule::kAdvised, &here, {shape.name(), " should have ", name}, shape.section());
    }
  }
  if (place == Place::kTop) common(members);
  for (const auto& c : shape.checks()) check(c, members, at);
}

// Rules that hold for every object as a whole.
void Checker::common(const Members& members) {
  const auto created = members.string("created");
  const auto modified = members.string("modified");
  if (created && modified && *created != *modified) {
    const auto first = parse_timestamp(*created);
    const auto last = parse_timestamp(*modified);
    if (first && last && *last < *first) {
      const Frame at{nullptr, "modified"};
      report(Rule::kModifiedBeforeCreated, &at, {"modified is before created"});
    }
  }

  const Type* known = find_type(type_);
  if (known == nullptr || known->cls != Class::kSco) return;
  // An observable may have versions, by properties that its table does not list; then they are what they are elsewhere,
  // or nobody could tell which version is the last.
  for (const std::string_view name : {"created", "modified"}) {
    const auto value = json::find(root_, name);
    if (!value) continue;
    const auto text = json::find_string(root_, name);
    const Frame here{nullptr, name};
    if (!text || !parse_timestamp(*text)) report(Rule::kTimestamp, &here, {"not a timestamp"});
  }
  if (json::find(root_, "revoked") && !json::find_bool(root_, "revoked")) {
    const Frame here{nullptr, "revoked"};
    report(Rule::kJsonType, &here, {"must be true or false"});
  }
  if (id_.size() < 36) return;
  const bool versioned = json::find(root_, "modified").has_value() || json::find(root_, "created").has_value() ||
                         json::find(root_, "created_by_ref").has_value() || json::find(root_, "revoked").has_value();
  const int version = uuid_form(id_.substr(id_.size() - 36)).version;
  if (!warnings() && !versioned && (version == 4 || has_contributing(root_))) return;
  const auto due = deterministic_id(root_);
  const Frame at{nullptr, "id"};
  if (versioned && due && *due == id_) {
    report(Rule::kVersionedSco, &at,
           {"an observable with created, modified, created_by_ref or revoked must not have the deterministic id"});
  } else if (!due && version != 4) {
    report(Rule::kRandomUuid, &at, {"without a contributing property the UUID must be of version 4"});
  } else if (due && !versioned && version != 5) {
    report(Rule::kUuidVersion, &at, {"the UUID should be of version 5: ", *due});
  } else if (due && !versioned && *due != id_) {
    report(Rule::kDeterministicId, &at, {"the contributing properties give ", *due});
  }
}

void Checker::unknown(const json::Object& members, const Shape& shape, const Frame* at, Place place) {
  // Objects of a new type have what properties they like; extensions may add some at the top of any object (§7.3.2).
  const bool custom_type = &shape == &kCustomSdo || &shape == &kCustomSro || &shape == &kCustomSco;
  const bool excused = place == Place::kTop && (custom_type || toplevel_extension_);
  for (const auto& member : members) {
    if (shape.find(member.key) < 0) {
      const Frame here{at, member.key};
      unknown_member(member.key, member.value, &here, place, excused);
    }
  }
}

void Checker::unknown_member(std::string_view name, const json::Value& value, const Frame* at, Place place,
                             bool excused) {
  if (!is_property_name(name)) report(Rule::kPropertyName, at, {"\"", name, "\" is not a property name"});
  if (has_word(kReserved, name)) report(Rule::kReservedName, at, {name, " is a reserved name"});
  if (!excused) {
    if (name.starts_with("x_")) {
      report(Rule::kCustomProperty, at, {name, " is a custom property"});
    } else {
      report(Rule::kUnknownProperty, at,
             {type_, place == Place::kPart ? " has no such part: " : " has no property ", name});
    }
  }
  if (warnings()) {
    const bool one = name.ends_with("_ref");
    const bool many = name.ends_with("_refs");
    const bool fits = one    ? value.is_string() && parse_id(value.get_string().value_unsafe())
                      : many ? value.is_array()
                             : true;
    if (!fits) report(Rule::kReferenceForm, at, {name, " should hold ", one ? "an identifier" : "identifiers"});
    const bool hexadecimal = name.ends_with("_hex");
    if (hexadecimal || name.ends_with("_bin")) {
      std::string_view digits;
      const bool coded = value.get_string().get(digits) == simdjson::SUCCESS &&
                         (hexadecimal ? is_hex_lower(digits) : is_base64(digits));
      if (!coded)
        report(Rule::kEncodedForm, at, {name, " should hold ", hexadecimal ? "hexadecimal digits" : "base64"});
    }
  }
  anything(value, at);
}

void Checker::check(const Check& check, const Members& members, const Frame* at) {
  const auto name = members.shape().name();
  const auto section = members.shape().section();
  switch (check.kind) {
    case Check::Kind::kNotBefore:
    case Check::Kind::kAfter:
      return order(check, members, at);
    case Check::Kind::kOneOf:
      if (members.has(check.a) || members.has(check.b) || members.has(check.c)) return;
      return report(Rule::kOneOf, at, {name, " needs ", check.a, check.c.empty() ? "" : ", ", check.c, " or ", check.b},
                    section);
    case Check::Kind::kExactlyOne:
      if (members.has(check.a) != members.has(check.b)) return;
      return report(Rule::kExclusive, at, {name, " needs either ", check.a, " or ", check.b}, section);
    case Check::Kind::kNeeds:
      if (!members.has(check.a) || members.has(check.b)) return;
      return report(Rule::kNeeds, at, {check.a, " needs ", check.b}, section);
    case Check::Kind::kOwnProperty: {
      const int index = members.shape().find("extensions");
      const uint64_t extension = index < 0 ? 0 : uint64_t{1} << index;
      if ((members.present() & (members.shape().own() | extension)) != 0) return;
      const bool nested = members.shape().find("type") < 0;
      return report(nested ? Rule::kExtensionEmpty : Rule::kOneOf, at,
                    {name, " needs at least one property of its own"}, section);
    }
    case Check::Kind::kFunction:
      return check.function(*this, members, at);
  }
}

void Checker::order(const Check& check, const Members& members, const Frame* at) {
  const auto first = members.string(check.a);
  const auto last = members.string(check.b);
  if (!first || !last) return;
  const auto from = parse_timestamp(*first);
  const auto until = parse_timestamp(*last);
  if (!from || !until) return;
  const bool strict = check.kind == Check::Kind::kAfter;
  if (strict ? *until > *from : *until >= *from) return;
  const Frame here{at, check.b};
  report(Rule::kOrder, &here, {check.b, strict ? " must be after " : " must not be before ", check.a},
         members.shape().section());
}

void Checker::property(const Property& p, const json::Value& value, const Frame* at) {
  if (p.is_deprecated && warnings() && type_ != "marking-definition") {
    report(Rule::kDeprecated, at, {p.name, " is deprecated"});
  }
  if (p.is_list)
    list(p, value, at);
  else
    single(p, value, at);
}

void Checker::list(const Property& p, const json::Value& value, const Frame* at) {
  json::Array items;
  if (value.get_array().get(items) != simdjson::SUCCESS) return wrong_type(p, value, at, "a list");
  int64_t index = 0;
  for (const json::Value item : items) {
    const Frame here{at, {}, index++};
    single(p, item, &here);
  }
  if (index == 0) report(Rule::kEmptyList, at, {p.name, " is an empty list"});
}

void Checker::wrong_type(const Property& p, const json::Value& value, const Frame* at, std::string_view wanted) {
  if (value.is_null()) return report(Rule::kNull, at, {p.name, " is null"});
  report(Rule::kJsonType, at, {p.name, " must be ", wanted});
}

void Checker::single(const Property& p, const json::Value& value, const Frame* at) {
  switch (p.kind) {
    case Kind::kType:
      return;
    case Kind::kBoolean:
      if (!value.is_bool()) wrong_type(p, value, at, "true or false");
      return;
    case Kind::kInteger:
    case Kind::kFloat:
      return number(p, value, at);
    case Kind::kObject:
      return value.is_object() ? object(value, *p.shape, at, Place::kPart) : wrong_type(p, value, at, "an object");
    case Kind::kAny:
      return anything(value, at);
    case Kind::kHashes:
      return hashes(value, at);
    case Kind::kDictionary:
    case Kind::kTextDictionary:
    case Kind::kListDictionary:
    case Kind::kNumberDictionary:
    case Kind::kMixedDictionary:
      return dictionary(p, value, at);
    case Kind::kExtensions:
      return extensions(value, at);
    case Kind::kContents:
      return contents(value, at);
    case Kind::kContainer:
      return container(value, at);
    default:
      break;
  }
  std::string_view string;
  if (value.get_string().get(string) != simdjson::SUCCESS) return wrong_type(p, value, at, "a string");
  text(p, string, at);
}

void Checker::number(const Property& p, const json::Value& value, const Frame* at) {
  double number = 0;
  if (p.kind == Kind::kInteger) {
    int64_t integer = 0;
    if (value.get_int64().get(integer) != simdjson::SUCCESS) return wrong_type(p, value, at, "an integer");
    number = static_cast<double>(integer);
  } else if (!value.is_number() || value.get_double().get(number) != simdjson::SUCCESS) {
    return wrong_type(p, value, at, "a number");
  }
  if (number < p.low || number > p.high) report(Rule::kRange, at, {p.name, " is out of range"});
}

void Checker::text(const Property& p, std::string_view value, const Frame* at) {
  switch (p.kind) {
    case Kind::kTimestamp:
    case Kind::kMilliseconds:
    case Kind::kSeconds:
      return timestamp(p, value, at);
    case Kind::kId:
      return own_id(value, at);
    case Kind::kSpecVersion:
      if (value != "2.1") report(Rule::kSpecVersion, at, {"spec_version must be \"2.1\", not \"", value, "\""});
      return;
    case Kind::kReference:
      return reference(p, value, at);
    case Kind::kMarkingReference:
      return marking_reference(value, at);
    case Kind::kEnum:
      if (!has_word(p.terms->terms, value)) {
        report(Rule::kEnum, at, {"\"", value, "\" is not in ", p.terms->name, ": ", p.terms->terms});
      }
      return;
    case Kind::kVocabulary:
      return vocabulary(p, value, at);
    case Kind::kTerm:
      if (warnings() && !is_term(value)) {
        report(p.name == "protocols" ? Rule::kFormAdvice : Rule::kKillChainStyle, at,
               {p.name, " should be lower case with hyphens"});
      }
      return;
    case Kind::kHex:
      return form(is_hex_lower(value), p, "an even number of the digits 0-9 a-f", at, Rule::kHex);
    case Kind::kBinary:
      return form(is_base64(value), p, "base64", at, Rule::kBinary);
    case Kind::kLanguage:
      return form(is_language(value), p, "a language tag of RFC 5646", at, Rule::kLanguageTag);
    case Kind::kUrl:
      return form(is_url(value), p, "a URL (RFC 3986)", at);
    case Kind::kMac:
      return form(is_mac(value), p, "six lower-case octets with colons", at);
    case Kind::kIpv4:
      return form(is_ipv4(value), p, "an IPv4 address or CIDR block", at);
    case Kind::kIpv6:
      return form(is_ipv6(value), p, "an IPv6 address or CIDR block", at);
    case Kind::kDomain:
      return form(is_domain(value), p, "a domain name", at);
    case Kind::kEmail:
      return form(is_email(value), p, "an e-mail address", at);
    case Kind::kCpe:
      return form(is_cpe23(value), p, "a CPE 2.3 name", at);
    case Kind::kRegistryKey:
      return form(is_registry_key(value), p, "a key with the full name of its hive", at);
    case Kind::kMime:
      if (warnings()) form(is_mime(value), p, "a media type", at, Rule::kFormAdvice);
      return;
    case Kind::kCharset:
      return form(is_charset(value), p, "the name of a character set", at);
    case Kind::kRelationshipType:
      if (value.empty()) return report(Rule::kRelationshipType, at, {"relationship_type is empty"});
      for (const char c : value) {
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-') {
          return report(Rule::kRelationshipType, at, {"\"", value, "\" has characters other than a-z 0-9 and hyphen"});
        }
      }
      return;
    default:
      return;
  }
}

void Checker::form(bool fits, const Property& p, std::string_view wanted, const Frame* at, Rule rule) {
  if (!fits) report(rule, at, {p.name, " is not ", wanted});
}

void Checker::vocabulary(const Property& p, std::string_view value, const Frame* at) {
  if (!warnings() || has_word(p.terms->terms, value)) return;
  report(Rule::kVocabulary, at, {"\"", value, "\" is not in ", p.terms->name});
  if (!is_term(value)) report(Rule::kTermStyle, at, {"\"", value, "\" should be lower case with hyphens"});
}

void Checker::timestamp(const Property& p, std::string_view value, const Frame* at) {
  if (!parse_timestamp(value)) return report(Rule::kTimestamp, at, {"\"", value, "\" is not a timestamp"});
  // 2020-01-01T00:00:00.000Z has 24 characters; fewer means fewer than three digits.
  if (p.kind == Kind::kMilliseconds && value.size() < 24) {
    report(Rule::kMilliseconds, at, {p.name, " needs three digits after the dot"});
  }
  if (p.kind == Kind::kSeconds) form(value.size() == 20, p, "precise to the second, without a fraction", at);
}

}  // namespace entente::stix::internal
