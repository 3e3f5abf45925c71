// While an agreement is suspended: recalls alone are taken. What the partner sent before it knew of the suspension, and
// what it sends after the resumption, stays where it is and is read in its turn; so are the recalls themselves, which
// then get their receipts.
#include <deque>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/admission.h"
#include "exchange/deletion.h"
#include "exchange/destruction.h"
#include "exchange/names.h"
#include "exchange/onward_use.h"
#include "exchange/recall_answer.h"
#include "exchange/recall_desk.h"
#include "exchange/receive.h"

namespace entente::exchange {

Status Receiver::take_recall_answer(const agreement::State& state, const std::string& peer, const json::Value& object,
                                    std::string_view raw, store::Change& change) const {
  TRY(const RecallAnswer a, parse_recall_answer(object));
  const auto key = node_key_of(state, a.kid, peer);
  if (!key || a.from != peer || a.to != cx_.config.party || a.agreement != state.agreement_id ||
      !recall_answer_signed(a, *key))
    return make_error(ErrorKind::kDenied, "the recall answer is not signed by this partner's node for us", a.id);
  TRY(const auto given, cx_.store.find(released(a.agreement, a.to, peer), a.object));
  if (given.empty())
    return make_error(ErrorKind::kDenied, "the recall answer is about what was never given to this partner", a.id);
  const Uuid into = evidence_of(a.agreement, peer, a.to);
  TRY(const auto have, cx_.store.find(into, a.id));
  if (!have.empty()) return {};
  const std::string slot = recall_key(a.agreement, peer, a.object);
  if (const auto before = cx_.store.get(kRecallAnswerSpace, slot); before.ok()) {
    TRY(const auto rows, cx_.store.find(into, *before));
    if (!rows.empty()) {
      TRY(const std::string text, cx_.store.raw(rows.back()));
      TRY(const json::Document doc, json::parse(text));
      TRY(const RecallAnswer earlier, parse_recall_answer(doc.root()));
      // Of one recall the numbers rise; a later recall of the object begins again.
      if (earlier.version == a.version && earlier.number >= a.number)
        return make_error(ErrorKind::kDenied, "the recall answer is older than the one before it", a.id);
    }
  }
  TRY(const auto summary, stix::summarize(object));
  RowMeta meta;
  meta.by = peer;
  meta.agreement = state.agreement_id;
  change.add(into, summary, std::string(raw), meta.text());
  change.set(kRecallAnswerSpace, slot, a.id);
  expect_leaf(a.agreement, peer, a.leaf_index, a.leaf, change);
  return {};
}

// Also of what was given long ago: the manifests that it names are our own.
Status Receiver::take_deletion(const agreement::State& state, const std::string& peer, const json::Value& object,
                               std::string_view raw, store::Change& change) const {
  TRY(const Deletion d, parse_deletion(object));
  const auto key = node_key_of(state, d.kid, peer);
  if (!key || d.from != peer || d.to != cx_.config.party || d.agreement != state.agreement_id ||
      !deletion_signed(d, *key))
    return make_error(ErrorKind::kDenied, "the deletion receipt is not signed by this partner's node for us", d.id);
  const Uuid into = evidence_of(d.agreement, peer, d.to);
  TRY(const auto have, cx_.store.find(into, d.id));
  if (!have.empty()) return {};
  std::vector<std::string> gone;  // first all is looked at: what is refused leaves nothing behind
  for (const auto& rows : d.destroyed) {
    TRY(const auto ours, cx_.store.find(released(d.agreement, d.to, peer), rows.manifest));
    if (ours.empty())
      return make_error(ErrorKind::kDenied, "the deletion receipt names a manifest that this node never made", d.id);
    TRY(const std::string text, cx_.store.raw(ours.back()));
    TRY(const json::Document doc, json::parse(text));
    TRY(const Manifest m, parse_manifest(doc.root()));
    for (const uint32_t i : rows.rows) {
      if (i >= m.objects.size())
        return make_error(ErrorKind::kDenied, "the deletion receipt names a row that its manifest has not", d.id);
      gone.push_back(m.objects[i].id);
    }
  }
  TRY(const auto summary, stix::summarize(object));
  RowMeta meta;
  meta.by = peer;
  meta.agreement = state.agreement_id;
  change.add(into, summary, std::string(raw), meta.text());
  expect_leaf(d.agreement, peer, d.leaf_index, d.leaf, change);
  for (const auto& id : gone) change.set(kPartnerDestroyedSpace, recall_key(d.agreement, peer, id), to_text(d.at));
  return {};
}

Result<size_t> Receiver::pull_recalls(taxii::Client& client, const std::string& peer, const std::string& agreement_id,
                                      int wait_seconds) {
  Link& l = link(agreement_id, peer);
  const std::lock_guard busy(l.busy);
  const std::string& me = cx_.config.party;
  const auto agreed = [&] {
    const auto s = instruments_.state(agreement_id);
    return s && s->document && s->recallable(peer, me) ? s : nullptr;
  };
  const auto before = agreed();
  if (!before)
    return make_error(ErrorKind::kDenied, "no agreement binds us and the partner, or ever did", agreement_id,
                      "see 'entente agreement state'");
  CHECK_OK(load_link(l, agreement_id, peer));
  if (l.looked_from != l.position || l.looked_to.empty()) {  // the first look since objects were taken
    l.looked_from = l.looked_to = l.position;
    l.announced.clear();
    for (const auto& o : l.open) {
      for (const auto& listed : o->manifest.objects) l.announced[row_key(listed.id, listed.version)] = listed;
    }
  }
  TRY(const auto page, page_after(client, *before->document, l.looked_to, wait_seconds));
  const auto state = agreed();
  if (!state) return make_error(ErrorKind::kDenied, "the agreement is no longer known", agreement_id);

  const Uuid into = received(agreement_id, peer, me);
  store::Change change;
  size_t taken = 0;
  std::deque<json::Document> docs;  // summaries look into them
  for (const auto raw : page->objects) {
    json::Document& doc = docs.emplace_back();
    if (!doc.parse(raw).ok()) continue;  // said when its turn comes
    const std::string_view type = json::find_string(doc.root(), "type").value_or("");
    if (type == kManifestType) {
      auto m = parse_manifest(doc.root());
      if (!m.ok() || m->agreement != agreement_id || m->from != peer || m->to != me) continue;
      const auto key = node_key_of(*state, m->kid, peer);
      if (!key || !manifest_signed(*m, *key)) continue;
      for (const auto& listed : m->objects) l.announced[row_key(listed.id, listed.version)] = listed;
      continue;
    }
    stix::Summary summary;
    if (type == kReceiptType) continue;
    if (type == kDeletionType) {
      if (const Status s = take_deletion(*state, peer, doc.root(), raw, change); !s.ok())
        say_warn("refused from {}: {}", peer, s.error().text());
      continue;
    }
    if (is_return(type)) {
      if (const Status s = take_return(*state, peer, doc.root(), raw, change); !s.ok())
        say_warn("refused from {}: {}", peer, s.error().text());
      continue;
    }
    if (type == kOnwardUseType) {
      if (const Status s = take_onward_use(*state, peer, doc.root(), raw, change); !s.ok())
        say_warn("refused from {}: {}", peer, s.error().text());
      continue;
    }
    if (type == kRecallAnswerType) {
      if (const Status s = take_recall_answer(*state, peer, doc.root(), raw, change); !s.ok())
        say_warn("refused from {}: {}", peer, s.error().text());
      continue;
    }
    const std::string problem = why_not(doc.root(), summary);
    if (!summary.revoked) continue;
    const auto it = l.announced.find(row_key(summary.id, summary.version));
    if (it == l.announced.end() || !equal_ct(it->second.sha256, sha256_hex(raw))) continue;
    if (!problem.empty() && !it->second.tombstone) continue;
    TRY(const auto have, cx_.store.find(into, summary.id));
    // What was never taken need not be taken back; what was destroyed is answered for.
    if (have.empty() || (have.back().revoked && RowMeta::parse(have.back().meta).by != kDestroyedBy)) continue;
    RowMeta meta;
    meta.by = peer;
    meta.agreement = agreement_id;
    meta.article = it->second.article;
    meta.tlp = it->second.tlp;
    meta.pap = it->second.pap;
    change.add(into, summary, std::string(raw), meta.text());
    note_recall(change, agreement_id, peer, summary.id, summary.version, cx_.clock.now());
    ++taken;
  }
  if (!change.empty()) {
    auto outcome = cx_.store.commit_wait(std::move(change));
    if (!outcome.ok()) return std::move(outcome).error();
    if (taken > 0) notify_(into);
    recalls_();
  }
  if (page->last) l.looked_to = to_text(*page->last);
  const std::lock_guard lock(mutex_);
  auto& h = health_[peer];
  h.connected = true;
  h.last_error.clear();
  h.last_pull = cx_.clock.now();
  h.received += taken;
  return page->objects.size();
}

}  // namespace entente::exchange
