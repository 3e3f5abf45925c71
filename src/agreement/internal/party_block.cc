#include "agreement/internal/party_block.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace entente::agreement {
namespace internal {

using json::Node;

bool is_hex64(std::string_view t) {
  return t.size() == 64 &&
         std::all_of(t.begin(), t.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_party_code(std::string_view t) {
  return t.size() == 2 && t[0] >= 'A' && t[0] <= 'Z' && t[1] >= 'A' && t[1] <= 'Z';
}

std::optional<KeyRole> parse_role(std::string_view t) {
  for (auto r : {KeyRole::kPlenipotentiary, KeyRole::kAuthority, KeyRole::kNode, KeyRole::kLog, KeyRole::kWitness})
    if (t == to_text(r)) return r;
  return std::nullopt;
}

Time read_time(Shape& shape, const Node& n, const std::string& at, std::string_view name) {
  auto v = shape.text(n, at, name, true);
  if (!v) return {};
  auto t = parse_time(*v);
  if (!t.ok()) shape.add(fmt::format("{}/{}", at, name), "must be an RFC 3339 time such as 2027-01-15T00:00:00Z");
  return t.ok() ? *t : Time{};
}

KeyRecord read_key(Shape& shape, const Node& n, const std::string& at) {
  KeyRecord k;
  if (!shape.is_object(n, at)) return k;
  k.kid = shape.text(n, at, "kid", true).value_or("");
  if (n.find("kid") != nullptr && k.kid.empty()) shape.add(at + "/kid", "must not be empty");
  if (auto v = shape.text(n, at, "role", true)) {
    if (auto role = parse_role(*v))
      k.role = *role;
    else
      shape.add(at + "/role", "must be plenipotentiary, authority, node, log or witness");
  }
  if (auto v = shape.text(n, at, "alg", true)) {
    k.alg = *v;
    if (*v != "Ed25519" && *v != "ML-DSA-65") shape.add(at + "/alg", "must be Ed25519 or ML-DSA-65");
  }
  if (auto v = shape.text(n, at, "public", true)) {
    k.public_hex = *v;
    if (k.alg == "Ed25519") {
      if (!is_hex64(*v))
        shape.add(at + "/public", "an Ed25519 key is 64 lower-case hex digits");
      else if (auto key = PublicKey::from_hex(*v); key.ok())
        k.key = *key;
    }
  }
  k.not_before = read_time(shape, n, at, "not_before");
  k.not_after = read_time(shape, n, at, "not_after");
  if (k.not_after <= k.not_before) shape.add(at + "/not_after", "must be later than not_before");
  k.custodian = shape.text(n, at, "custodian", false).value_or("");
  return k;
}

Party read_party(Shape& shape, const Node& p, const std::string& at) {
  Party party;
  if (auto v = shape.text(p, at, "party", true)) {
    party.party = *v;
    if (!is_party_code(*v)) shape.add(at + "/party", "must be two capital letters (ISO 3166-1)");
  }
  party.name = party.party;
  if (const Node* name = p.find("name"); name != nullptr && name->is_object() && !name->string_at("en").empty())
    party.name = std::string(name->string_at("en"));
  if (const Node* contacts = shape.array(p, at, "contacts", true)) party.contacts = *contacts;
  party.tls_spki_sha256 = shape.strings(p, at, "tls_spki_sha256", true);
  for (size_t k = 0; k < party.tls_spki_sha256.size(); ++k)
    if (!is_hex64(party.tls_spki_sha256[k]))
      shape.add(fmt::format("{}/tls_spki_sha256/{}", at, k), "must be 64 lower-case hex digits");
  if (const Node* keys = shape.array(p, at, "keys", true))
    for (size_t k = 0; k < keys->list().size(); ++k)
      party.keys.push_back(read_key(shape, keys->list()[k], fmt::format("{}/keys/{}", at, k)));
  return party;
}

}  // namespace internal

Result<KeyRecord> key_from(const json::Node& node) {
  internal::Shape shape;
  KeyRecord out = internal::read_key(shape, node, "");
  if (!shape.problems.empty()) return invalid(shape.problems.front().message, shape.problems.front().pointer);
  return out;
}

Result<Party> party_from(const json::Node& node) {
  internal::Shape shape;
  Party party;
  if (shape.is_object(node, "")) party = internal::read_party(shape, node, "");
  std::set<std::string> kids, publics;
  for (const KeyRecord& k : party.keys)
    if (!kids.insert(k.kid).second || !publics.insert(k.public_hex).second)
      shape.add("/keys", fmt::format("key {} stands there twice: one key has one name and one role", k.kid));
  if (!shape.problems.empty())
    return invalid(shape.problems.front().message, shape.problems.front().pointer,
                   "give a party block as `entente init` writes it (party.json)");
  return party;
}

}  // namespace entente::agreement
