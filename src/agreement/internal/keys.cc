#include "agreement/internal/keys.h"

#include <algorithm>

#include <fmt/format.h>

#include "agreement/internal/act_wire.h"
#include "agreement/internal/party_block.h"
#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

using json::Node;

// A person fills at most one seat. Kuhn's augmenting paths; seats and persons are few (counts ≤ 16 per role,
// kMaxSignatures).
struct Seating {
  std::vector<std::vector<size_t>> persons_of_seat;  // who could take it
  std::vector<int> seat_of_person;

  bool place(size_t seat, std::vector<bool>& tried) {
    for (size_t p : persons_of_seat[seat]) {
      if (tried[p]) continue;
      tried[p] = true;
      if (seat_of_person[p] < 0 || place(static_cast<size_t>(seat_of_person[p]), tried)) {
        seat_of_person[p] = static_cast<int>(seat);
        return true;
      }
    }
    return false;
  }
};

const KeyRecord* find_key(const Party& party, std::string_view kid) {
  for (const KeyRecord& k : party.keys)
    if (k.kid == kid) return &k;
  return nullptr;
}

std::string why_not(const SignedAct& act, const Signature& s, const KeyRecord* key, const std::string& payload) {
  if (key == nullptr) return "is no key of the party now";
  if (!key->key || key->alg != "Ed25519") return "is a placeholder that verifies nothing";
  if (act.act.effective_at < key->not_before || act.act.effective_at >= key->not_after)
    return "is not valid at effective_at";
  if (s.jws_protected != protected_header(s.kid)) return "has a header that is not allowed";
  if (!verify(*key->key, signing_input(s.jws_protected, payload), s.signature)) return "did not sign this text";
  return {};
}

bool has(const std::vector<std::string>& list, std::string_view x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

}  // namespace

std::vector<Good> good_signatures(const SignedAct& act, const Party& party, std::string* ignored) {
  const std::string payload = act.act.canonical();
  std::vector<Good> out;
  for (const Signature& s : act.sigs) {
    const KeyRecord* key = find_key(party, s.kid);
    if (const std::string why = why_not(act, s, key, payload); !why.empty()) {
      if (ignored != nullptr) *ignored += fmt::format("; key {} {}", printable(s.kid), why);
      continue;
    }
    out.push_back({key->public_hex, key->custodian.empty() ? "key:" + key->public_hex : "custodian:" + key->custodian,
                   key->role});
  }
  return out;
}

std::vector<std::string> empty_seats(const Roles& roles, std::span<const Good> good) {
  std::vector<std::string> persons;
  for (const Good& g : good)
    if (!has(persons, g.person)) persons.push_back(g.person);
  Seating seating;
  seating.seat_of_person.assign(persons.size(), -1);
  std::vector<std::string> out;
  for (const auto& [role, count] : roles) {
    for (int i = 0; i < count; ++i) {
      std::vector<size_t> fitting;
      for (const Good& g : good)
        if (to_text(g.role) == role)
          fitting.push_back(static_cast<size_t>(std::find(persons.begin(), persons.end(), g.person) - persons.begin()));
      seating.persons_of_seat.push_back(std::move(fitting));
      std::vector<bool> tried(persons.size(), false);
      if (!seating.place(seating.persons_of_seat.size() - 1, tried)) out.push_back(role);
    }
  }
  return out;
}

Status check_signatures(const SignedAct& act, const Party& party, const Roles& roles) {
  std::string ignored;
  const auto good = good_signatures(act, party, &ignored);
  const auto empty = empty_seats(roles, good);
  if (empty.empty()) return {};
  std::set<std::string_view> persons;
  for (const Good& g : good)
    if (!persons.insert(g.person).second && g.person.starts_with("custodian:"))
      ignored += "; two of the keys are held by one custodian, who counts once";
  return make_error(
      ErrorKind::kDenied,
      fmt::format("incomplete quorum for {} by {}: missing {}{}", act.act.kind, party.party, fmt::join(empty, ", "),
                  ignored),
      "", fmt::format("collect the signature of another person with the role {} of {}", empty.front(), party.party));
}

bool only_revokes(const Node& body) {
  for (const auto& [name, value] : body.members())
    if (name != "revoke" && name != "tls_revoke") return false;
  return true;
}

Result<Notice> read_notice(const SignedAct& act, Time when, const Party& present) {
  Shape shape;
  const Node& body = act.act.body;
  const std::string at = "/act/body";
  shape.closed(body, at, {}, {"contacts", "add", "revoke", "tls_add", "tls_revoke"});
  if (body.members().empty()) shape.add(at, "a notice changes something: contacts, add, revoke, tls_add or tls_revoke");
  Notice n;
  n.when = when;
  if (const Node* list = shape.array(body, at, "contacts", false)) n.contacts = *list;
  const std::string payload = act.act.canonical();
  if (const Node* list = shape.array(body, at, "add", false)) {
    for (size_t i = 0; i < list->list().size(); ++i) {
      const std::string here = fmt::format("{}/add/{}", at, i);
      KeyRecord k = read_key(shape, list->list()[i], here);
      if (k.role == KeyRole::kPlenipotentiary)
        shape.add(here + "/role", "a plenipotentiary's key changes by amendment, not by notice");
      if (!k.kid.starts_with(present.party + "/"))
        shape.add(here + "/kid", fmt::format("must begin with {}/", present.party));
      auto same = [&k](const KeyRecord& o) { return o.kid == k.kid || o.public_hex == k.public_hex; };
      if (std::any_of(present.keys.begin(), present.keys.end(), same) || std::any_of(n.add.begin(), n.add.end(), same))
        shape.add(here, "this name or key is in use: a new key has a new name");
      const bool possessed = k.key && std::any_of(act.sigs.begin(), act.sigs.end(), [&](const Signature& s) {
                               return s.kid == k.kid && s.jws_protected == protected_header(s.kid) &&
                                      verify(*k.key, signing_input(s.jws_protected, payload), s.signature);
                             });
      if (!possessed) shape.add(here, fmt::format("the new key {} must sign the notice too", printable(k.kid)));
      k.not_before = std::max(k.not_before, when.plus_us(kNoticeDelayUs));
      if (k.not_after <= k.not_before) shape.add(here + "/not_after", "ends before the notice takes effect");
      n.add.push_back(std::move(k));
    }
  }
  if (const Node* list = shape.array(body, at, "revoke", false)) {
    for (size_t i = 0; i < list->list().size(); ++i) {
      const Node& r = list->list()[i];
      const std::string here = fmt::format("{}/revoke/{}", at, i);
      if (!shape.is_object(r, here)) continue;
      shape.closed(r, here, {"kid"}, {"last_act", "last_index"});
      const KeyRecord* key = find_key(present, r.string_at("kid"));
      if (key == nullptr) {
        shape.add(here + "/kid", "the party has no such key");
        continue;
      }
      Notice::Revoked gone{key->public_hex, key->kid, shape.text(r, here, "last_act", false).value_or("")};
      if (r.find("last_act") != nullptr && !is_hex64(gone.last_act))
        shape.add(here + "/last_act", "must be the hash of an act");
      if (auto v = shape.integer(r, here, "last_index", false); v && *v < 0)
        shape.add(here + "/last_index", "must not be negative");
      n.revoke.push_back(std::move(gone));
    }
  }
  n.tls_add = shape.strings(body, at, "tls_add", false);
  n.tls_revoke = shape.strings(body, at, "tls_revoke", false);
  for (const auto* list : {&n.tls_add, &n.tls_revoke})
    for (const auto& spki : *list)
      if (!is_hex64(spki)) shape.add(at, "a TLS key is given as 64 lower-case hex digits");
  for (const auto& spki : n.tls_revoke)
    if (!has(present.tls_spki_sha256, spki)) shape.add(at + "/tls_revoke", "the party has no such TLS key");
  if (!shape.problems.empty()) return invalid(shape.problems.front().message, shape.problems.front().pointer);
  return n;
}

Party signing_party(const Party& base, std::span<const Notice> notices) {
  Party out = base;
  for (const Notice& n : notices) {
    for (const KeyRecord& k : n.add)
      if (find_key(out, k.kid) == nullptr) out.keys.push_back(k);
    out.tls_spki_sha256.insert(out.tls_spki_sha256.end(), n.tls_add.begin(), n.tls_add.end());
    for (const auto& r : n.revoke)
      std::erase_if(out.keys, [&r](const KeyRecord& k) { return k.public_hex == r.public_hex; });
    std::erase_if(out.tls_spki_sha256, [&n](const std::string& s) { return has(n.tls_revoke, s); });
  }
  return out;
}

Party effective_party(const Party& base, std::span<const Notice> notices, Time at) {
  Party out = base;
  for (const Notice& n : notices) {
    if (n.when > at) continue;
    const bool day_over = at >= n.when.plus_us(kNoticeDelayUs);
    for (const KeyRecord& k : n.add)
      if (day_over && find_key(out, k.kid) == nullptr) out.keys.push_back(k);
    for (const auto& spki : n.tls_add)
      if (day_over && !has(out.tls_spki_sha256, spki)) out.tls_spki_sha256.push_back(spki);
    if (day_over && n.contacts) out.contacts = *n.contacts;
  }
  // Revocations last: what is gone does not come back with a later text or notice.
  for (const Notice& n : notices) {
    if (n.when > at) continue;
    for (const auto& r : n.revoke)
      for (KeyRecord& k : out.keys)
        if (k.public_hex == r.public_hex) k.not_after = std::min(k.not_after, n.when);
    std::erase_if(out.tls_spki_sha256, [&n](const std::string& s) { return has(n.tls_revoke, s); });
  }
  std::erase_if(out.keys, [](const KeyRecord& k) { return k.not_after <= k.not_before; });
  return out;
}

}  // namespace entente::agreement::internal
