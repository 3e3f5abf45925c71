#include "ledger/leaf.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crypto.h"
#include "json/node.h"

namespace entente::ledger {
namespace {

constexpr size_t kLongestLeaf = 4096;
constexpr std::string_view kLeafTag = "entente/leaf/v1";
constexpr std::string_view kObjectTag = "entente/object/v1";

bool is_sha256_hex(std::string_view s) {
  return s.size() == 64 &&
         std::all_of(s.begin(), s.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Error bad(std::string what, std::string where = {}) {
  return invalid("ledger leaf: " + std::move(what), std::move(where));
}

}  // namespace

std::string Leaf::text() const {
  json::Node n = json::Node::object();
  n.set("agr", agreement)
      .set("at", to_text(at))
      .set("av", agreement_version)
      .set("body", json::Node::object().set("c", commitment))
      .set("by", by)
      .set("kind", kind)
      .set("prev", prev)
      .set("rcpt", recipient)
      .set("v", 1);
  return json::canonical(n);
}

Result<Leaf> parse_leaf(std::string_view text) {
  if (text.size() > kLongestLeaf) return bad("longer than 4096 octets");
  json::Limits limits;
  limits.max_depth = 2;
  json::Document d;
  CHECK_OK(d.parse(text, limits));
  const json::Value root = d.root();
  // Only what was hashed may be read: another spelling of the same object is another leaf.
  if (json::canonical(root) != text) return bad("not in canonical form");
  constexpr std::string_view kMembers[] = {"agr", "at", "av", "by", "kind", "prev", "rcpt"};
  Leaf leaf;
  std::string at;
  std::string* const places[] = {&leaf.agreement, &at,        &leaf.agreement_version, &leaf.by,
                                 &leaf.kind,      &leaf.prev, &leaf.recipient};
  for (size_t i = 0; i < std::size(kMembers); ++i) {
    const auto value = json::find_string(root, kMembers[i]);
    if (!value) return bad("no such text", "/" + std::string(kMembers[i]));
    *places[i] = *value;
  }
  const auto body = json::find(root, "body");
  const auto commitment = body ? json::find_string(*body, "c") : std::nullopt;
  if (!commitment || json::as_object(*body).size() != 1) return bad("no commitment", "/body");
  leaf.commitment = *commitment;
  if (json::find_int(root, "v") != 1) return bad("unknown version", "/v");
  if (json::as_object(root).size() != std::size(kMembers) + 2) return bad("unknown members");
  TRY(leaf.at, parse_time(at));
  if (to_text(leaf.at) != at) return bad("time not written with six digits and Z", "/at");
  if (!is_sha256_hex(leaf.commitment)) return bad("not 64 lower-case hex digits", "/body/c");
  if (!leaf.agreement_version.empty() && !is_sha256_hex(leaf.agreement_version))
    return bad("not 64 lower-case hex digits", "/av");
  if (!leaf.prev.empty() && !is_sha256_hex(leaf.prev)) return bad("not 64 lower-case hex digits", "/prev");
  if (leaf.kind.empty() || leaf.by.empty()) return bad("empty kind or writer");
  return leaf;
}

std::string commit_to(std::string_view salt, std::string_view record) {
  return hex(view(sha256({kLeafTag, salt, record})));
}

std::string object_commitment(std::string_view salt, std::string_view id, std::string_view version,
                              const std::string& bytes_sha256_hex) {
  const auto digest = unhex(bytes_sha256_hex);
  const std::string_view zero("\0", 1);
  return hex(view(sha256({kObjectTag, salt, id, zero, version, zero,
                          digest.ok() ? std::string_view(*digest) : std::string_view(bytes_sha256_hex)})));
}

}  // namespace entente::ledger
