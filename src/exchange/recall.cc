#include "exchange/recall.h"

#include <algorithm>

#include "base/time.h"
#include "exchange/destruction.h"
#include "exchange/names.h"
#include "exchange/recall_desk.h"
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

// A service level whose act is "withdraw" is the duty to withdraw what is recalled.
void duty_of(const agreement::Document& doc, Holder& h) {
  if (!h.sent) return;
  h.due = h.sent->plus_us(kRecallAimUs);
  const json::Node* levels = doc.node.find("service_levels");
  if (levels == nullptr || !levels->is_array()) return;
  for (const auto& level : levels->list()) {
    if (level.string_at("act") != "withdraw") continue;
    const auto within = parse_period(level.string_at("within"));
    if (!within.ok()) continue;
    h.due = add(*h.sent, *within);
    h.article = level.string_at("art");
    return;
  }
}

Status find_recall_answer(Context& cx, Holder& h) {
  const auto id = cx.store.get(kRecallAnswerSpace, recall_key(h.agreement, h.party, h.sent_id));
  if (!id.ok()) return {};
  TRY(const auto rows, cx.store.find(evidence_of(h.agreement, h.party, cx.config.party), *id));
  if (rows.empty()) return {};
  TRY(const std::string raw, cx.store.raw(rows.back()));
  TRY(const json::Document doc, json::parse(raw));
  TRY(h.answer, parse_recall_answer(doc.root()));
  return {};
}

}  // namespace

int64_t Holder::late_us(Time now) const {
  if (!due) return 0;
  const Time end = complete() ? answer->at : now;
  return std::max<int64_t>(0, end.us - due->us);
}

Result<std::vector<Holder>> holders_of(Context& cx, Instruments& instruments, const std::string& id) {
  const std::string& me = cx.config.party;
  std::vector<Holder> out;
  for (const auto& s : instruments.states()) {
    for (const auto& party : partners_of(*s, me)) {
      Holder h;
      h.party = party;
      h.agreement = s->agreement_id;
      h.sent_id = id;
      if (auto as = cx.store.get("sent-as", s->agreement_id + " " + party + " " + id); as.ok()) h.sent_id = *as;
      TRY(const auto given, cx.store.find(released(s->agreement_id, me, party), h.sent_id));
      if (given.empty()) continue;
      if (const auto gone = cx.store.get(kPartnerDestroyedSpace, recall_key(h.agreement, party, h.sent_id));
          gone.ok()) {
        TRY(h.destroyed, parse_time(*gone));
      }
      if (given.back().revoked) {
        h.sent = given.back().date_added;
        CHECK_OK(find_answer(cx, given.back(), h));
        CHECK_OK(find_recall_answer(cx, h));
        if (h.answer && h.answer->version != given.back().version) h.answer.reset();  // of an earlier recall
        duty_of(*s->document, h);
      } else if (!s->live(me, party) && !s->recallable(me, party)) {
        h.unreachable = "the agreement was never in force between us";
      }
      out.push_back(std::move(h));
    }
  }
  return out;
}

Result<std::vector<Holder>> recall_status(Context& cx, Instruments& instruments, const std::string& id) {
  const std::string& me = cx.config.party;
  TRY(const auto rows, cx.store.find(id));
  const bool own = std::any_of(rows.begin(), rows.end(), [&](const store::Row& r) {
    return r.collection == inbox(me) || r.collection == sightings(me);
  });
  if (!own) return make_error(ErrorKind::kNotFound, "this node published no object with this id", id);
  return holders_of(cx, instruments, id);
}

}  // namespace entente::exchange
