#include "agreement/internal/step_judge.h"

#include <algorithm>

#include <fmt/format.h>

#include "agreement/internal/keys.h"
#include "base/bytes.h"

namespace entente::agreement::internal {

namespace {

std::string keys_of(const SignedAct& act, const Party& party) {
  std::string out;
  for (const Signature& s : act.sigs)
    for (const KeyRecord& k : party.keys)
      if (k.kid == s.kid)
        out += fmt::format("{}|{}|{}|{}|{}|{};", k.kid, to_text(k.role), k.public_hex, k.not_before.us, k.not_after.us,
                           k.custodian);
  return out;
}

}  // namespace

std::string StepJudge::why_not(const SignedAct& step, const std::string& hash, const State& state,
                               std::optional<Time> at) {
  const Act& act = step.act;
  const Party* party = state.document ? state.document->party(act.party) : nullptr;
  if (party == nullptr) return fmt::format("{} is no party of the agreement", printable(act.party));
  const auto path = state.path.find(act.party);
  const bool bound = act.text_version == state.document->hash ||
                     (path != state.path.end() &&
                      std::find(path->second.begin(), path->second.end(), act.text_version) != path->second.end());
  if (!bound) return "names a text that does not bind its party";
  Party present;
  if (at) {
    present = *party;
    std::erase_if(present.keys, [&](const KeyRecord& k) { return *at < k.not_before || *at >= k.not_after; });
    party = &present;
  }
  std::string keys = keys_of(step, *party);
  const std::lock_guard lock(mutex_);
  Judged& judged = judged_[hash];
  if (judged.keys != keys || keys.empty()) {
    judged.keys = std::move(keys);
    const auto roles = quorum_of(act, *state.document);
    const Status ok = roles.ok() ? check_signatures(step, *party, *roles) : Status(roles.error());
    judged.why = ok.ok() ? "" : ok.error().text();
  }
  return judged.why;
}

}  // namespace entente::agreement::internal
