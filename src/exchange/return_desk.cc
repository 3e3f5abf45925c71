// The originator's answer to what a holder hands back: each manifest's rows compared with what this node gave.
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/admission.h"
#include "exchange/names.h"
#include "exchange/returns.h"

namespace entente::exchange {
namespace {

// Does the holder hold what we gave it in these rows?
Result<bool> same(const Context& cx, const std::string& agreement_id, const std::string& peer,
                  const Return::Rows& rows) {
  TRY(const auto ours, cx.store.find(released(agreement_id, cx.config.party, peer), rows.manifest));
  if (ours.empty()) return false;
  TRY(const std::string raw, cx.store.raw(ours.back()));
  TRY(const json::Document doc, json::parse(raw));
  TRY(const Manifest m, parse_manifest(doc.root()));
  std::vector<std::pair<uint32_t, std::string>> given;
  for (const uint32_t i : rows.rows) {
    if (i >= m.objects.size()) return false;
    given.emplace_back(i, m.objects[i].sha256);
  }
  return equal_ct(return_digest(m.object_salt, given), rows.digest);
}

}  // namespace

Result<bool> ReturnDesk::answer(const ReturnEntry& entry) {
  const std::string& me = cx_.config.party;
  const auto state = instruments_.state(entry.agreement);
  if (!state || !state->document) return false;
  TRY(const auto found, cx_.store.find(evidence_of(entry.agreement, entry.peer, me), entry.id));
  if (found.empty()) return false;
  TRY(const std::string raw, cx_.store.raw(found.back()));
  TRY(const json::Document said, json::parse(raw));
  TRY(const Return r, parse_return(said.root()));
  ReturnAnswer a;
  for (const auto& rows : r.rows) {
    TRY(const bool ok, same(cx_, entry.agreement, entry.peer, rows));
    if (!ok) a.differs.push_back(rows.manifest);
  }
  a.id = std::string(kReturnAnswer.type) + "--" + random_uuid().text();
  a.agreement = entry.agreement;
  a.from = me;
  a.to = entry.peer;
  a.at = cx_.clock.now();
  a.about = entry.id;
  a.leaf_sha256 = sha256_hex(r.leaf);
  a.salt = random_bytes(32);
  a.kid = cx_.config.node_kid;
  ReturnEntry done = entry;
  done.state = a.differs.empty() ? ReturnState::kConfirmed : ReturnState::kDiffers;
  done.answered = a.at;
  done.differs = a.differs.size();
  Evidence::Transaction tx = evidence_.begin();
  const std::string record = a.record();
  TRY(const auto leaf, tx.add_leaf(a.agreement, state->document->hash, kReturnAnswer.leaf, a.to, a.salt, record));
  a.leaf_index = leaf.index;
  a.leaf = leaf.text;
  a.signature = sign_statement(kReturnAnswer, a, record, cx_.node_key);
  const Uuid out = released(a.agreement, me, a.to);
  CHECK_OK(add_written(tx.change, out, statement_object(kReturnAnswer, a, record), me, a.agreement));
  tx.change.expect(kReturnSpace, entry.id, entry.text());  // answered once
  tx.change.set(kReturnSpace, entry.id, done.text());
  auto outcome = std::move(tx).commit();
  if (!outcome.ok()) return std::move(outcome).error();
  if (!a.differs.empty())
    say_warn("{} hands back other octets than it was given, of {} manifests: {}", entry.peer, a.differs.size(),
             entry.id);
  notify_(out);
  return true;
}

Result<size_t> ReturnDesk::look() {
  const std::lock_guard one(looking_);
  if (!cx_.clock_safe()) return size_t{0};
  TRY(const auto all, returns(cx_.store));
  size_t answered = 0;
  bool confirmed = false;
  for (const auto& e : all) {
    confirmed = confirmed || (e.ours && e.state == ReturnState::kConfirmed && e.destroyed == 0);
    if (e.ours || e.state != ReturnState::kWaiting) continue;
    TRY(const bool done, answer(e));
    answered += done ? 1 : 0;
  }
  if (confirmed) confirmed_();
  return answered;
}

void ReturnDesk::tick() {
  if (!poked_ || posted_.exchange(true)) return;
  poked_ = false;
  cx_.post([this] {
    if (const auto done = look(); !done.ok()) {
      say_warn("returns: {}", done.error().text());
      poked_ = true;
    }
    posted_ = false;
  });
}

}  // namespace entente::exchange
