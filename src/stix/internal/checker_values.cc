// The parts of the checker that follow identifiers and dictionaries: ids, references, hashes, extensions, contents,
// containers.
#include "stix/internal/checker.h"
#include "stix/internal/forms.h"

namespace entente::stix::internal {
namespace {

constexpr std::string_view kExtensionPrefix = "extension-definition--";

bool class_allowed(std::string_view targets, std::string_view type) {
  const Type* t = find_type(type);
  if (t == nullptr) return true;  // an own type may be of any class
  switch (t->cls) {
    case Class::kSdo:
      return has_word(targets, "@sdo");
    case Class::kSro:
      return has_word(targets, "@sro");
    case Class::kSco:
      return has_word(targets, "@sco");
    default:
      return false;
  }
}

bool target_allowed(std::string_view targets, std::string_view type) {
  if (targets.empty()) return type != "bundle";
  return targets.front() == '@' ? class_allowed(targets, type) : has_word(targets, type);
}

}  // namespace

std::optional<std::string_view> Checker::identifier(std::string_view value, const Frame* at, bool own) {
  const size_t cut = value.size() < 38 ? 0 : value.size() - 38;
  const UuidForm uuid = cut == 0 ? UuidForm() : uuid_form(value.substr(cut + 2));
  if (!uuid.valid || value[cut] != '-' || value[cut + 1] != '-' || !is_type_name(value.substr(0, cut))) {
    report(Rule::kId, at, {"\"", value, "\" is not an identifier"});
    return std::nullopt;
  }
  if (!uuid.rfc4122) report(Rule::kUuid, at, {"\"", value, "\" has no UUID of RFC 4122"});
  if (uuid.upper && warnings()) report(Rule::kIdCase, at, {"the UUID should be in lower case"});
  const auto type = value.substr(0, cut);
  if (own && uuid.version != 4 && warnings()) {
    // Those of observables are judged with their content.
    const Type* t = find_type(type);
    if (t != nullptr && t->cls != Class::kSco) report(Rule::kUuidVersion, at, {"the UUID should be of version 4"});
  }
  return type;
}

void Checker::own_id(std::string_view value, const Frame* at) {
  const auto type = identifier(value, at, true);
  if (type && *type != type_)
    report(Rule::kIdType, at, {"the id of a ", type_, " begins with ", type_, "--, not ", *type, "--"});
}

void Checker::reference(const Property& p, std::string_view value, const Frame* at) {
  if (container_ != nullptr) {  // §4.14: references in the container are keys of it
    const auto target = json::find(*container_, value);
    if (!target) return report(Rule::kContainerReference, at, {"there is no member \"", value, "\""});
    const auto type = json::find_string(*target, "type");
    if (type && !target_allowed(p.targets, *type)) {
      report(Rule::kReferenceType, at, {p.name, " must not refer to ", *type});
    }
    return;
  }
  const auto type = identifier(value, at, false);
  if (type && !target_allowed(p.targets, *type))
    report(Rule::kReferenceType, at, {p.name, " must not refer to ", *type});
}

void Checker::marking_reference(std::string_view value, const Frame* at) {
  const auto type = identifier(value, at, false);
  if (type && *type != "marking-definition") {
    report(Rule::kReferenceType, at, {"markings are marking-definition objects, not ", *type});
  }
  if (value == id_) report(Rule::kSelfMarking, at, {"a marking must not mark itself"});
}

// Values that no table describes still have no null and no empty list (§2). Depth is bounded by the parser.
void Checker::anything(const json::Value& value, const Frame* at) {
  if (value.is_null()) return report(Rule::kNull, at, {"null is not a value"});
  if (value.is_array()) {
    int64_t index = 0;
    for (const json::Value item : json::as_array(value)) {
      const Frame here{at, {}, index++};
      anything(item, &here);
    }
    if (index == 0) report(Rule::kEmptyList, at, {"an empty list"});
  } else if (value.is_object()) {
    const json::Object members = value.get_object().value_unsafe();
    if (members.begin() == members.end()) return report(Rule::kEmptyDictionary, at, {"an empty object"});
    for (const auto& member : members) {
      const Frame here{at, member.key};
      anything(member.value, &here);
    }
  }
}

// Reports what is no object or an empty one; whether it did.
bool Checker::empty_object(const json::Value& value, const Frame* at, std::string_view wanted) {
  if (value.is_null()) {
    report(Rule::kNull, at, {wanted, " is null"});
  } else if (!value.is_object()) {
    report(Rule::kJsonType, at, {wanted, " must be an object"});
  } else if (value.get_object().value_unsafe().begin() == value.get_object().value_unsafe().end()) {
    report(Rule::kEmptyDictionary, at, {wanted, " is empty"});
  } else {
    return false;
  }
  return true;
}

void Checker::dictionary(const Property& p, const json::Value& value, const Frame* at) {
  if (empty_object(value, at, p.name)) return;
  for (const auto& member : json::as_object(value)) {
    const Frame here{at, member.key};
    if (!is_dictionary_key(member.key)) {
      report(Rule::kDictionaryKey, &here, {"\"", member.key, "\" is not a dictionary key"});
    } else if (p.kind == Kind::kDictionary && warnings() && has_upper(member.key)) {
      report(Rule::kDictionaryKeyCase, &here, {"\"", member.key, "\" should be lower case"});
    }
    dictionary_value(p, member.value, &here);
  }
}

void Checker::dictionary_value(const Property& p, const json::Value& value, const Frame* at) {
  if (value.is_null()) return report(Rule::kNull, at, {"null is not a value"});
  switch (p.kind) {
    case Kind::kTextDictionary:
      if (!value.is_string()) report(Rule::kJsonType, at, {"the values of ", p.name, " are strings"});
      return;
    case Kind::kNumberDictionary:
      if (!value.is_int64()) report(Rule::kJsonType, at, {"the values of ", p.name, " are integers"});
      return;
    case Kind::kMixedDictionary:
      if (!value.is_int64() && !value.is_string())
        report(Rule::kJsonType, at, {"the values of ", p.name, " are integers or strings"});
      return;
    case Kind::kListDictionary: {
      bool fits = value.is_array();
      if (fits) {
        for (const json::Value item : json::as_array(value)) fits = fits && item.is_string();
      }
      if (!fits) return report(Rule::kJsonType, at, {"the values of ", p.name, " are lists of strings"});
      return anything(value, at);
    }
    default:
      return anything(value, at);
  }
}

void Checker::hashes(const json::Value& value, const Frame* at) {
  if (empty_object(value, at, "hashes")) return;
  for (const auto& member : json::as_object(value)) {
    const Frame here{at, member.key};
    if (member.key.size() < 3 || !is_dictionary_key(member.key)) {
      report(Rule::kHashKey, &here, {"\"", member.key, "\" is not a name of a hash algorithm"});
    } else if (warnings() && !has_word(kHashAlgorithm.terms, member.key)) {
      report(Rule::kHashAlgorithm, &here, {"\"", member.key, "\" is not in ", kHashAlgorithm.name});
    }
    std::string_view digits;
    if (member.value.get_string().get(digits) != simdjson::SUCCESS) {
      report(member.value.is_null() ? Rule::kNull : Rule::kJsonType, &here, {"a hash must be a string"});
    } else if (!hash_fits(member.key, digits)) {
      report(Rule::kHashValue, &here, {"this is not a value of ", member.key});
    }
  }
}

void Checker::extensions(const json::Value& value, const Frame* at) {
  if (empty_object(value, at, "extensions")) return;
  for (const auto& member : json::as_object(value)) {
    const Frame here{at, member.key};
    extension(member.key, member.value, &here);
  }
}

void Checker::extension(std::string_view key, const json::Value& value, const Frame* at) {
  if (const PredefinedExtension* known = find_extension(key)) {
    if (known->host != type_) {
      return report(Rule::kExtensionHost, at, {key, " belongs to ", known->host, ", not to ", type_},
                    known->shape->section());
    }
    if (value.is_object() && value.get_object().value_unsafe().size() == 0) {
      return report(Rule::kExtensionEmpty, at, {key, " is empty"}, known->shape->section());
    }
    return object(value, *known->shape, at, Place::kPart);
  }
  if (!key.starts_with(kExtensionPrefix)) {
    const bool custom = key.starts_with("x-") && key.ends_with("-ext");
    if (custom)
      report(Rule::kCustomExtension, at, {key, " is a custom extension"});
    else
      report(Rule::kExtensionKey, at,
             {"\"", key, "\" is neither the id of an extension definition nor a predefined extension"});
    return anything(value, at);
  }
  identifier(key, at, false);
  if (empty_object(value, at, "an extension")) return;
  const auto type = json::find(value, "extension_type");
  const Frame here{at, "extension_type"};
  if (!type) {
    report(Rule::kExtensionType, at, {"the extension needs extension_type"});
  } else if (!type->is_string() || !has_word(kExtensionType.terms, type->get_string().value_unsafe())) {
    report(Rule::kEnum, &here, {"extension_type is not in ", kExtensionType.name, ": ", kExtensionType.terms});
  } else if (warnings() && type->get_string().value_unsafe() == "toplevel-property-extension" &&
             value.get_object().value_unsafe().size() > 1) {
    report(Rule::kToplevelEntry, at, {"this entry has more than extension_type"});
  }
  for (const auto& member : json::as_object(value)) {
    // `id` is shorter than names of one's own may be (§7.3.2); the OASIS schema lets it pass, and the field writes it.
    if (is_property_name(member.key) || member.key == "id") continue;
    const Frame inner{at, member.key};
    report(Rule::kPropertyName, &inner, {"\"", member.key, "\" is not a property name"});
  }
  anything(value, at);
}

// §7.1: language → property → a translation of the same shape. Whether the target has the property is not to be judged
// here.
void Checker::contents(const json::Value& value, const Frame* at) {
  if (empty_object(value, at, "contents")) return;
  for (const auto& member : json::as_object(value)) {
    const Frame here{at, member.key};
    if (!is_language(member.key)) report(Rule::kLanguageTag, &here, {"\"", member.key, "\" is not a language tag"});
    if (!member.value.is_object()) {
      report(Rule::kContents, &here, {"a translation is an object of properties"});
    } else if (!empty_object(member.value, &here, "a translation")) {
      for (const auto& translated : json::as_object(member.value)) {
        const Frame inner{&here, translated.key};
        if (!is_property_name(translated.key)) {
          report(Rule::kContents, &inner, {"\"", translated.key, "\" is not a property name"});
        }
        if (translated.value.is_number() || translated.value.is_bool()) {
          report(Rule::kContents, &inner, {"only text is translated"});
        } else {
          anything(translated.value, &inner);
        }
      }
    }
  }
}

// The deprecated form of observed data: observables keyed by names of their own, which refer to each other by these.
void Checker::container(const json::Value& value, const Frame* at) {
  if (empty_object(value, at, "objects")) return;
  if (container_ != nullptr) return;
  const auto outer = type_;
  container_ = &value;
  for (const auto& member : json::as_object(value)) {
    const Frame here{at, member.key};
    const auto type = json::find_string(member.value, "type");
    const Type* known = type ? find_type(*type) : nullptr;
    if (!type || (known != nullptr && known->cls != Class::kSco)) {
      report(Rule::kContainerObject, &here, {"this is not an observable"});
      continue;
    }
    type_ = *type;
    object(member.value, known == nullptr ? kCustomSco : *known->shape, &here, Place::kContainer);
  }
  container_ = nullptr;
  type_ = outer;
}

}  // namespace entente::stix::internal
