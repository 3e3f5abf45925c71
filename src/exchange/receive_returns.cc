// What partners say of returns: what they hand back of ours, and their word on what we handed back of theirs. Taken
// while an agreement is suspended or over, too.
#include "base/bytes.h"
#include "exchange/admission.h"
#include "exchange/names.h"
#include "exchange/receive.h"
#include "exchange/returns.h"

namespace entente::exchange {

bool Receiver::is_return(std::string_view type) { return type == kReturn.type || type == kReturnAnswer.type; }

Status Receiver::take_return(const agreement::State& state, const std::string& peer, const json::Value& object,
                             std::string_view raw, store::Change& change) const {
  const std::string& me = cx_.config.party;
  const auto is_theirs = [&](const StatementKind& kind, const Statement& s, std::string_view record) -> Status {
    const auto key = node_key_of(state, s.kid, peer);
    if (key && s.from == peer && s.to == me && s.agreement == state.agreement_id &&
        statement_signed(kind, s, record, *key))
      return {};
    return make_error(ErrorKind::kDenied, std::string(kind.what) + " is not signed by this partner's node for us",
                      s.id);
  };
  const auto keep = [&](const Statement& s) -> Status {
    TRY(const auto summary, stix::summarize(object));
    RowMeta meta;
    meta.by = peer;
    meta.agreement = s.agreement;
    change.add(evidence_of(s.agreement, peer, me), summary, std::string(raw), meta.text());
    expect_leaf(s.agreement, peer, s.leaf_index, s.leaf, change);
    return {};
  };
  if (json::find_string(object, "type") == kReturnAnswer.type) {
    TRY(const ReturnAnswer a, parse_return_answer(object));
    CHECK_OK(is_theirs(kReturnAnswer, a, a.record()));
    const auto text = cx_.store.get(kReturnSpace, a.about);
    TRY(const auto said, cx_.store.find(released(a.agreement, me, peer), a.about));
    if (!text.ok() || said.empty())
      return make_error(ErrorKind::kDenied, "the answer is about what this node never handed back to this partner",
                        a.id);
    TRY(ReturnEntry e, parse_return_entry(a.about, *text));
    TRY(const std::string own, cx_.store.raw(said.back()));
    TRY(const json::Document doc, json::parse(own));
    TRY(const Return r, parse_return(doc.root()));
    if (!e.ours || e.peer != peer || !equal_ct(a.leaf_sha256, sha256_hex(r.leaf)))
      return make_error(ErrorKind::kDenied, "the answer names another leaf than that of what was handed back", a.id);
    TRY(const auto have, cx_.store.find(evidence_of(a.agreement, peer, me), a.id));
    // Once confirmed it is: the destruction may have begun.
    if (!have.empty() || e.state == ReturnState::kConfirmed) return {};
    e.state = a.differs.empty() ? ReturnState::kConfirmed : ReturnState::kDiffers;
    e.differs = a.differs.size();
    e.answered = a.at;
    change.expect(kReturnSpace, a.about, *text);
    change.set(kReturnSpace, a.about, e.text());
    return keep(a);
  }
  TRY(const Return r, parse_return(object));
  CHECK_OK(is_theirs(kReturn, r, r.record()));
  TRY(const auto have, cx_.store.find(evidence_of(r.agreement, peer, me), r.id));
  if (!have.empty()) return {};
  for (const auto& rows : r.rows) {
    TRY(const auto ours, cx_.store.find(released(r.agreement, me, peer), rows.manifest));
    if (ours.empty())
      return make_error(ErrorKind::kDenied, "what is handed back names a manifest that this node never made", r.id);
  }
  ReturnEntry e;
  e.id = r.id;
  e.agreement = r.agreement;
  e.peer = peer;
  e.objects = r.objects();
  e.at = r.at;
  change.set(kReturnSpace, r.id, e.text());
  return keep(r);
}

}  // namespace entente::exchange
