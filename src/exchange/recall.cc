#include "exchange/recall.h"

#include <algorithm>

#include "exchange/names.h"
#include "exchange/wire.h"

namespace entente::exchange {
namespace {

// The recall's row names the object; the manifest that announced it stands shortly before, and the receipt names that.
Status find_answer(Context& cx, const store::Row& recall, Holder& h) {
  const std::string& me = cx.config.party;
  store::Query q;
  q.all = true;
  q.added_after = recall.date_added.plus_us(-1);
  q.types = {std::string(kReceiptType)};
  q.spec_versions = {"2.1"};
  q.limit = 1000;
  const Uuid answers = evidence_of(h.agreement, h.party, me);
  const Uuid announced = released(h.agreement, me, h.party);
  while (true) {
    TRY(const auto page, cx.store.page(answers, q));
    if (page.rows.empty()) return {};
    q.added_after = page.rows.back().date_added;
    for (const auto& row : page.rows) {
      TRY(const std::string raw, cx.store.raw(row));
      TRY(const json::Document doc, json::parse(raw));
      const auto receipt = parse_receipt(doc.root());
      if (!receipt.ok()) continue;
      TRY(const auto found, cx.store.find(announced, receipt->manifest));
      if (found.empty()) continue;
      TRY(const std::string text, cx.store.raw(found.back()));
      TRY(const json::Document listed, json::parse(text));
      const auto manifest = parse_manifest(listed.root());
      if (!manifest.ok()) continue;
      if (std::none_of(manifest->objects.begin(), manifest->objects.end(),
                       [&](const Listed& l) { return l.id == recall.id && l.version == recall.version; }))
        continue;
      h.answered = receipt->at;
      for (const auto& r : receipt->refused) {
        if (r.id == recall.id) h.refused = r.code;
      }
      return {};
    }
  }
}

}  // namespace

Result<std::vector<Holder>> recall_status(Context& cx, Instruments& instruments, const std::string& id) {
  const std::string& me = cx.config.party;
  TRY(const auto rows, cx.store.find(id));
  const bool own = std::any_of(rows.begin(), rows.end(), [&](const store::Row& r) {
    return r.collection == inbox(me) || r.collection == sightings(me);
  });
  if (!own) return make_error(ErrorKind::kNotFound, "this node published no object with this id", id);
  return holders_of(cx, instruments, id);
}

Result<std::vector<Holder>> holders_of(Context& cx, Instruments& instruments, const std::string& id) {
  const std::string& me = cx.config.party;
  std::vector<Holder> out;
  for (const auto& s : instruments.states()) {
    for (const auto& p : s->document->parties) {
      if (p.party == me) continue;
      Holder h{p.party, s->agreement_id, id, std::nullopt, std::nullopt, {}};
      if (auto as = cx.store.get("sent-as", s->agreement_id + " " + p.party + " " + id); as.ok()) h.sent_id = *as;
      TRY(const auto given, cx.store.find(released(s->agreement_id, me, p.party), h.sent_id));
      if (given.empty()) continue;
      if (given.back().revoked) {
        h.sent = given.back().date_added;
        CHECK_OK(find_answer(cx, given.back(), h));
      }
      out.push_back(std::move(h));
    }
  }
  return out;
}

}  // namespace entente::exchange
