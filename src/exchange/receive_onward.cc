// What a holder tells the originator of an object: that it went on under its consent.
#include <algorithm>

#include "base/bytes.h"
#include "exchange/admission.h"
#include "exchange/names.h"
#include "exchange/onward_use.h"
#include "exchange/receive.h"

namespace entente::exchange {

Status Receiver::take_onward_use(const agreement::State& state, const std::string& peer, const json::Value& object,
                                 std::string_view raw, store::Change& change) const {
  TRY(const OnwardUse u, parse_onward_use(object));
  const auto key = node_key_of(state, u.kid, peer);
  if (!key || u.from != peer || u.to != cx_.config.party || u.agreement != state.agreement_id ||
      !onward_use_signed(u, *key))
    return make_error(ErrorKind::kDenied, "the notice of a consent's use is not signed by this partner's node for us",
                      u.id);
  // A consent was ours to give, so that its request is known here.
  const auto history = instruments_.onward(state.agreement_id);
  const auto known = history.empty() ? std::vector<agreement::Onward>() : history.at(state, cx_.clock.now());
  const auto request = std::ranges::find_if(known, [&](const agreement::Onward& o) { return o.id == u.request; });
  if (request == known.end() || !request->given || request->holder() != peer ||
      request->originator() != cx_.config.party || request->asked.object != u.object ||
      request->asked.recipient != u.recipient)
    return make_error(ErrorKind::kDenied, "the notice names no consent that this party gave", printable(u.request),
                      "ask the partner what it passed on, and under what: 'entente consent list --all'");
  const Uuid into = evidence_of(u.agreement, peer, u.to);
  TRY(const auto have, cx_.store.find(into, u.id));
  if (!have.empty()) return {};
  TRY(const auto summary, stix::summarize(object));
  RowMeta meta;
  meta.by = peer;
  meta.agreement = state.agreement_id;
  change.add(into, summary, std::string(raw), meta.text());
  note_use(change, u);
  expect_leaf(u.agreement, peer, u.leaf_index, u.leaf, change);
  return {};
}

}  // namespace entente::exchange
