#include "stix/object.h"

#include <string>

#include "stix/internal/class.h"

namespace entente::stix {
namespace {

// STIX 2.1 §3.1: a-z 0-9 and hyphen, 3 to 250 characters, begins with a letter. Two hyphens in a row would make ids
// ambiguous.
bool type_name(std::string_view t) {
  if (t.size() < 3 || t.size() > 250 || t.front() < 'a' || t.front() > 'z') return false;
  char last = 0;
  for (const char c : t) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    if (!fine || (c == '-' && last == '-')) return false;
    last = c;
  }
  return last != '-';
}

std::optional<std::string_view> text_of(const json::Value& value) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

}  // namespace

std::optional<Id> parse_id(std::string_view text) {
  constexpr size_t kUuid = 36;
  if (text.size() < kUuid + 2) return std::nullopt;
  const size_t cut = text.size() - kUuid - 2;
  if (text.substr(cut, 2) != "--") return std::nullopt;
  const auto type = text.substr(0, cut);
  if (!type_name(type)) return std::nullopt;
  const auto uuid = parse_uuid(text.substr(cut + 2));
  if (!uuid) return std::nullopt;
  return Id{type, *uuid};
}

Result<Summary> summarize(const json::Value& object) {
  json::Object members;
  if (object.get_object().get(members) != simdjson::SUCCESS) {
    return invalid("a STIX object must be a JSON object", "", "send one object, a bundle or an envelope");
  }
  Summary s;
  std::optional<std::string_view> type, id, spec_version, created, modified;
  for (const auto& member : members) {
    std::optional<std::string_view>* slot = nullptr;
    switch (member.key.size()) {
      case 2:
        if (member.key == "id") slot = &id;
        break;
      case 4:
        if (member.key == "type") slot = &type;
        break;
      case 7:
        if (member.key == "created") slot = &created;
        if (member.key == "revoked" && member.value.get_bool().get(s.revoked) != simdjson::SUCCESS) {
          return invalid("revoked must be true or false", "/revoked");
        }
        break;
      case 8:
        if (member.key == "modified") slot = &modified;
        break;
      case 12:
        if (member.key == "spec_version") slot = &spec_version;
        break;
      default:
        break;
    }
    if (slot == nullptr) continue;
    *slot = text_of(member.value);
    if (!*slot) return invalid("must be a string", "/" + std::string(member.key));
  }
  if (!type) return invalid("type is missing", "/type", "every STIX object has a type (STIX 2.1 §3.2)");
  if (!id) return invalid("id is missing", "/id", "every STIX object has an id (STIX 2.1 §3.2)");
  if (*type == "bundle") return invalid("a bundle is not an object", "/type", "send the objects in it");

  const auto parsed = parse_id(*id);
  if (!parsed) return invalid("id is not of the form type--UUID", "/id", "see STIX 2.1 §2.9");
  if (parsed->type != *type) return invalid("the type in id differs from type", "/id", "see STIX 2.1 §2.9");
  s.type = *type;
  s.id = *id;
  s.uuid = parsed->uuid;
  s.cls = internal::class_of(*type).value_or(Class::kCustom);
  s.spec_version = spec_version.value_or(s.cls == Class::kSco ? "2.1" : "2.0");

  for (const auto& [text, pointer] : {std::pair{modified, "/modified"}, std::pair{created, "/created"}}) {
    if (!text) continue;
    const auto time = parse_timestamp(*text);
    if (!time) return invalid("not a timestamp", pointer, "write YYYY-MM-DDTHH:MM:SS.sssZ (STIX 2.1 §2.16)");
    if (!s.version.empty()) continue;
    s.version = *text;
    s.version_time = *time;
  }
  return s;
}

}  // namespace entente::stix
