// While an agreement is suspended: recalls alone are taken. What the partner sent before it knew of the suspension, and
// what it sends after the resumption, stays where it is and is read in its turn; so are the recalls themselves, which
// then get their receipts.
#include <deque>

#include "base/bytes.h"
#include "exchange/admission.h"
#include "exchange/names.h"
#include "exchange/receive.h"

namespace entente::exchange {

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
      const auto* key = key_of(*state, m->kid, peer, agreement::KeyRole::kNode, cx_.clock.now());
      if (key == nullptr || !manifest_signed(*m, *key->key)) continue;
      for (const auto& listed : m->objects) l.announced[row_key(listed.id, listed.version)] = listed;
      continue;
    }
    stix::Summary summary;
    if (type == kReceiptType) continue;
    const std::string problem = why_not(doc.root(), summary);
    if (!summary.revoked) continue;
    const auto it = l.announced.find(row_key(summary.id, summary.version));
    if (it == l.announced.end() || !equal_ct(it->second.sha256, sha256_hex(raw))) continue;
    if (!problem.empty() && !it->second.tombstone) continue;
    TRY(const auto have, cx_.store.find(into, summary.id));
    if (have.empty() || have.back().revoked) continue;  // what was never taken need not be taken back
    RowMeta meta;
    meta.by = peer;
    meta.agreement = agreement_id;
    meta.article = it->second.article;
    meta.tlp = it->second.tlp;
    meta.pap = it->second.pap;
    change.add(into, summary, std::string(raw), meta.text());
    ++taken;
  }
  if (taken > 0) {
    auto outcome = cx_.store.commit_wait(std::move(change));
    if (!outcome.ok()) return std::move(outcome).error();
    notify_(into);
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
