#include "exchange/names.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "json/node.h"

namespace entente::exchange {
namespace {

// TAXII wants version 4 UUIDs as identifiers (T21); the octets are a hash of the name, so that both ends compute the
// same.
Uuid from_name(std::string_view kind, std::string_view a, std::string_view b = {}, std::string_view c = {}) {
  const Digest d = sha256({"entente/collection/v1", kind, std::string_view("\0", 1), a, std::string_view("\0", 1), b,
                           std::string_view("\0", 1), c});
  Uuid u;
  std::copy_n(d.begin(), u.b.size(), u.b.begin());
  u.b[6] = static_cast<uint8_t>((u.b[6] & 0x0f) | 0x40);
  u.b[8] = static_cast<uint8_t>((u.b[8] & 0x3f) | 0x80);
  return u;
}

}  // namespace

Uuid inbox(std::string_view me) { return from_name("inbox", me); }
Uuid sightings(std::string_view me) { return from_name("sightings", me); }
Uuid received(std::string_view agreement_id, std::string_view from, std::string_view me) {
  return from_name("received", agreement_id, from, me);
}
Uuid evidence_of(std::string_view agreement_id, std::string_view from, std::string_view me) {
  return from_name("evidence", agreement_id, from, me);
}
Uuid released(std::string_view agreement_id, std::string_view from, std::string_view to) {
  return from_name("released", agreement_id, from, to);
}
Uuid acts_for(std::string_view from, std::string_view to) { return from_name("acts", from, to); }

std::string lower(std::string_view party) { return ascii_lower(party); }

std::string bare_uuid(std::string_view agreement_id) {
  constexpr std::string_view kPrefix = "urn:uuid:";
  return std::string(agreement_id.starts_with(kPrefix) ? agreement_id.substr(kPrefix.size()) : agreement_id);
}

std::string slug(const agreement::Document& document) {
  std::vector<std::string> codes;
  for (const auto& p : document.parties) codes.push_back(lower(p.party));
  std::sort(codes.begin(), codes.end());
  std::string out;
  for (const auto& c : codes) out += c + "-";
  return out + bare_uuid(document.agreement_id).substr(0, 8);
}

std::string agreement_root(const agreement::Document& document) { return "/agreements/" + slug(document) + "/"; }

std::string received_alias(std::string_view from, std::string_view agreement_id) {
  return "received-" + lower(from) + "-" + bare_uuid(agreement_id).substr(0, 8);
}

std::string ledger_origin(std::string_view party, std::string_view agreement_id) {
  return "entente/" + lower(party) + "/" + bare_uuid(agreement_id);
}

std::string identity_id(std::string_view party) {
  static const Uuid kSpace = *parse_uuid("7f1e0c52-3b6d-4c0b-8a57-6f2f5f1d9e31");
  return "identity--" + name_uuid(kSpace, party).text();
}

std::string identity_object(std::string_view party, std::string_view name, Time since) {
  json::Node n = json::Node::object();
  n.set("type", "identity").set("spec_version", "2.1").set("id", identity_id(party));
  n.set("created", to_text(since)).set("modified", to_text(since));
  n.set("name", name).set("identity_class", "organization");
  n.set("object_marking_refs", json::Node(json::Node::List{json::Node(stix::tlp_id(stix::Tlp::kClear))}));
  return json::write(n);
}

}  // namespace entente::exchange
