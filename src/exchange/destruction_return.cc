// The first half of a destruction under `on_end: return`: what is over is stated to its originator, and waits.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/bytes.h"
#include "exchange/destruction.h"
#include "exchange/names.h"

namespace entente::exchange {
namespace {

// Without a confirmation the destruction goes on after three quarters of the time that the text gives for the receipt
// of it, so that the rest is left for the destruction itself.
std::optional<Time> lapse(const RetentionRule& rule, Time from) {
  if (!rule.receipt) return std::nullopt;
  return from.plus_us((add(from, *rule.receipt).us - from.us) / 4 * 3);
}

}  // namespace

Status Destruction::hand_back(const agreement::State& state, const Terms& terms, Rows& due, Destroyed& done) {
  const Time now = cx_.clock.now();
  Rows fresh, go;
  for (auto& r : due) {
    if (!r.handed_back) {
      fresh.push_back(std::move(r));
    } else if (r.handed_back->may_go(now)) {
      const bool confirmed = r.handed_back->state == ReturnState::kConfirmed;
      if (!r.handed_back->id.empty())
        r.term.why += confirmed ? "; handed back and confirmed"
                                : fmt::format("; handed back {}, not confirmed in time", to_text(r.handed_back->at));
      go.push_back(std::move(r));
    } else {
      ++done.waiting;
    }
  }
  due = std::move(go);
  return fresh.empty() ? Status() : say_return(state, terms, fresh, due, done);
}

// The statement, the note at each row, and the leaf are one change: a crash leaves all or nothing.
Status Destruction::say_return(const agreement::State& state, const Terms& terms, const Rows& fresh, Rows& due,
                               Destroyed& done) {
  const std::string& me = cx_.config.party;
  const std::string& peer = fresh.front().peer;
  std::map<std::string, std::vector<const Retained*>> wanted;  // by id
  for (const auto& r : fresh) wanted[r.row.id].push_back(&r);
  std::map<const Retained*, bool> named;
  Return s;
  CHECK_OK(visit_manifests(cx_, state.agreement_id, peer, [&](const store::Row&, const Manifest& m) -> Status {
    std::vector<std::pair<uint32_t, std::string>> held;
    for (uint32_t i = 0; i < m.objects.size(); ++i) {
      const auto it = wanted.find(m.objects[i].id);
      if (it == wanted.end()) continue;
      for (const Retained* r : it->second) {
        if (!names(m.objects[i], r->row)) continue;
        TRY(const std::string octets, cx_.store.raw(r->row));
        held.emplace_back(i, sha256_hex(octets));
        named[r] = true;
        break;
      }
    }
    if (held.empty()) return {};
    Return::Rows rows{m.id, {}, return_digest(m.object_salt, held)};
    for (const auto& [i, sha256] : held) rows.rows.push_back(i);
    s.rows.push_back(std::move(rows));
    return {};
  }));

  Evidence::Transaction tx = evidence_.begin();
  s.id = std::string(kReturn.type) + "--" + random_uuid().text();
  for (const auto& r : fresh) {
    // What no manifest names cannot be stated, and goes without.
    const bool told = named.contains(&r);
    tx.change.set(kReturnedSpace, returned_key(cx_, r.agreement, peer, r.row), told ? s.id : "-");
    if (!told) due.push_back(r);
  }
  if (s.rows.empty()) {
    auto outcome = std::move(tx).commit();
    if (!outcome.ok()) return std::move(outcome).error();
    return {};
  }
  s.agreement = state.agreement_id;
  s.from = me;
  s.to = peer;
  s.article = terms.rule().article;
  s.at = cx_.clock.now();
  s.salt = random_bytes(32);
  s.kid = cx_.config.node_kid;
  const std::string record = s.record();
  TRY(const auto leaf, tx.add_leaf(s.agreement, state.document->hash, kReturn.leaf, peer, s.salt, record));
  s.leaf_index = leaf.index;
  s.leaf = leaf.text;
  s.signature = sign_statement(kReturn, s, record, cx_.node_key);
  const Uuid out = released(s.agreement, me, peer);
  CHECK_OK(add_written(tx.change, out, statement_object(kReturn, s, record), me, s.agreement));
  ReturnEntry e;
  e.id = s.id;
  e.ours = true;
  e.agreement = s.agreement;
  e.peer = peer;
  e.objects = named.size();
  e.at = s.at;
  e.lapses = lapse(terms.rule(), s.at);
  tx.change.set(kReturnSpace, s.id, e.text());
  auto outcome = std::move(tx).commit();
  if (!outcome.ok()) return std::move(outcome).error();
  done.handed_back += named.size();
  notify_(out);
  return {};
}

// In the change that destroys them: how much of each statement is gone, and whether it was confirmed.
void Destruction::count_returned(const Rows& due, store::Change& change) const {
  std::map<std::string, ReturnEntry> entries;
  for (const auto& r : due) {
    if (!r.handed_back || r.handed_back->id.empty()) continue;
    const auto [it, first] = entries.try_emplace(r.handed_back->id, *r.handed_back);
    ReturnEntry& e = it->second;
    // An answer that came since it was read is not written over: the next run sees it.
    if (first) change.expect(kReturnSpace, e.id, e.text());
    ++e.destroyed;
    e.lapsed = e.lapsed || e.state != ReturnState::kConfirmed;
    change.erase(kReturnedSpace, returned_key(cx_, r.agreement, r.peer, r.row));
  }
  for (const auto& [id, e] : entries) change.set(kReturnSpace, id, e.text());
}

}  // namespace entente::exchange
