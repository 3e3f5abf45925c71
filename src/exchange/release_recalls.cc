// Recalls alone, to whoever is or was bound by an agreement that is not live: release.md §3 step 12, "a recall always
// goes".
#include <algorithm>
#include <deque>

#include "base/bytes.h"
#include "exchange/admission.h"
#include "exchange/handling.h"
#include "exchange/internal/release_graph.h"
#include "exchange/names.h"
#include "exchange/release.h"
#include "json/json.h"
#include "json/node.h"

namespace entente::exchange {

using internal::count_key;

Result<bool> Releaser::recalls(const agreement::State& state, const std::string& to, const Uuid& source,
                               const std::string& source_name) {
  const Uuid target = released(state.agreement_id, cx_.config.party, to);
  const std::string key = count_key(state.agreement_id, to) + " " + source_name;
  store::Query q;
  q.all = true;
  q.added_after = cursor(state, to, source_name);
  if (const auto seen = cx_.store.get("recall-cursor", key); seen.ok()) {
    ByteReader r(*seen);
    q.added_after = std::max(*q.added_after, Time{static_cast<int64_t>(r.u64())});
  }
  q.limit = cx_.config.release_batch;
  TRY(const store::Page page, cx_.store.page(source, q));
  if (page.rows.empty()) return false;

  Evidence::Transaction tx = evidence_.begin();
  Manifest m = begin_manifest(state, to);
  struct Told {
    std::string text, original;
    stix::Summary summary;
    json::Document doc;
  };
  std::deque<Told> told;
  for (const auto& row : page.rows) {
    if (!row.revoked || is_own_note(RowMeta::parse(row.meta))) continue;
    const std::string known_as = sent_id(state, to, row.id);
    TRY(const std::vector<store::Row> before, cx_.store.find(target, known_as));
    if (before.empty() || before.back().revoked) continue;
    TRY(const std::string raw, cx_.store.raw(row));
    Told& t = told.emplace_back();
    t.text = agreement::tombstone(raw, known_as, row.version);
    t.original = known_as == row.id ? std::string() : row.id;
    CHECK_OK(t.doc.parse(t.text));
    TRY(t.summary, stix::summarize(t.doc.root()));
    m.objects.push_back(listed_tombstone(t.summary.id, t.summary.version, t.text));
  }
  if (!m.objects.empty()) {
    CHECK_OK(seal_manifest(m, target, tx));
    RowMeta meta;
    meta.by = cx_.config.party;
    meta.agreement = state.agreement_id;
    size_t k = 0;
    for (const Told& t : told) {
      const Listed& l = m.objects[k++];
      meta.tlp = l.tlp;
      meta.pap = l.pap;
      meta.original = t.original;
      tx.change.add(target, t.summary, t.text, meta.text());
    }
  }
  if (!m.objects.empty()) {
    json::Node record = json::Node::object();
    record.set("agreement", state.agreement_id)
        .set("agreement_version", state.document->hash)
        .set("at", to_text(m.at))
        .set("given", given(m))
        .set("to", to);
    TRY([[maybe_unused]] const auto leaf,
        tx.add_kept_leaf(kPrivateLog, m.agreement_version, "decision", to, json::canonical(record)));
  }
  std::string position;
  put_u64(position, static_cast<uint64_t>(page.rows.back().date_added.us));
  tx.change.set("recall-cursor", key, position);
  auto outcome = std::move(tx).commit();
  if (!outcome.ok()) return std::move(outcome).error();
  if (!m.objects.empty()) notify_(target);
  return true;
}

}  // namespace entente::exchange
