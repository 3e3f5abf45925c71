// Deterministic ids of observables: UUIDv5 over the JCS text of the contributing properties (STIX 2.1 §2.9 and the
// tables of §6).
#include <array>
#include <span>
#include <string>

#include "stix/internal/contributing.h"
#include "stix/object.h"

namespace entente::stix {
namespace {

// 00abedb4-aa42-466c-9c01-fed23315a9b7
constexpr Uuid kNamespace{
    {0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7}};

struct Contributing {
  std::string_view type;
  std::array<std::string_view, 8> properties;  // sorted, as JCS wants them; unused ones empty
};

constexpr std::array kContributing = {
    Contributing{"artifact", {"hashes", "payload_bin"}},
    Contributing{"autonomous-system", {"number"}},
    Contributing{"directory", {"path"}},
    Contributing{"domain-name", {"value"}},
    Contributing{"email-addr", {"value"}},
    Contributing{"email-message", {"body", "from_ref", "subject"}},
    Contributing{"file", {"extensions", "hashes", "name", "parent_directory_ref"}},
    Contributing{"ipv4-addr", {"value"}},
    Contributing{"ipv6-addr", {"value"}},
    Contributing{"mac-addr", {"value"}},
    Contributing{"mutex", {"name"}},
    Contributing{"network-traffic",
                 {"dst_port", "dst_ref", "end", "extensions", "protocols", "src_port", "src_ref", "start"}},
    Contributing{"software", {"cpe", "name", "swid", "vendor", "version"}},
    Contributing{"url", {"value"}},
    Contributing{"user-account", {"account_login", "account_type", "user_id"}},
    Contributing{"windows-registry-key", {"key", "values"}},
    Contributing{"x509-certificate", {"hashes", "serial_number"}},
};

// Of several hashes only one contributes: the first of this order, else the first in the file, which the standard
// leaves open.
std::optional<std::string> one_hash(const json::Value& hashes) {
  json::Object members;
  if (hashes.get_object().get(members) != simdjson::SUCCESS || members.size() == 0) return std::nullopt;
  for (const std::string_view name : {"MD5", "SHA-1", "SHA-256", "SHA-512"}) {
    if (const auto value = json::find(hashes, name)) {
      return "{" + json::quoted(name) + ":" + json::canonical(*value) + "}";
    }
  }
  const auto first = *members.begin();
  return "{" + json::quoted(first.key) + ":" + json::canonical(first.value) + "}";
}

}  // namespace

bool internal::has_contributing(const json::Value& sco) {
  const auto type = json::find_string(sco, "type");
  for (const auto& entry : kContributing) {
    if (entry.type != type) continue;
    for (const auto property : entry.properties) {
      const auto value = property.empty() ? std::nullopt : json::find(sco, property);
      if (value && (property != "hashes" || (value->is_object() && value->get_object().value_unsafe().size() > 0))) {
        return true;
      }
    }
  }
  return false;
}

std::optional<std::string> deterministic_id(const json::Value& sco) {
  const auto type = json::find_string(sco, "type");
  if (!type) return std::nullopt;
  for (const auto& entry : kContributing) {
    if (entry.type != *type) continue;
    std::string name = "{";
    for (const auto property : entry.properties) {
      const auto value = property.empty() ? std::nullopt : json::find(sco, property);
      if (!value) continue;
      auto text = property == "hashes" ? one_hash(*value) : std::optional(json::canonical(*value));
      if (!text) continue;
      if (name.size() > 1) name += ',';
      json::append_quoted(name, property);
      name += ':';
      name += *text;
    }
    if (name.size() == 1) return std::nullopt;
    name += '}';
    return std::string(*type) + "--" + name_uuid(kNamespace, name).text();
  }
  return std::nullopt;
}

}  // namespace entente::stix
