// The receiving side (release.md §8): what may be done with what came under an instrument.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agreement/decide.h"

namespace entente::agreement {

Permission may(Action action, const Handling& object, const State& instrument) {
  if (!instrument.document) return {false, "", "no agreement: nothing may be done with what came under none"};
  const Document& doc = *instrument.document;
  const Actions& a = doc.actions;
  const Pap pap = object.pap.value_or(a.default_pap);
  if (action == Action::kMonitor) {
    const bool passive = pap == Pap::kRed;
    return {true, a.art,
            passive ? "passive search of own logs only (PAP:RED)" : "monitoring is allowed at every PAP level"};
  }
  auto no = [&a](std::string why) { return Permission{false, a.art, std::move(why)}; };
  if (instrument.kind != StateKind::kInForce && instrument.kind != StateKind::kEnding)
    return no(fmt::format("the agreement is {}: nothing is blocked under it", to_text(instrument.kind)));
  if (doc.level == Level::kInitiative) return no("an initiative alone lets no machine act: a person decides");
  if (!a.block_allowed) return no("the agreement does not allow automatic blocking: a person decides");
  if (pap > a.block_pap)
    return no(fmt::format("PAP:{} is stricter than PAP:{}, which a block needs: ask the originator to mark it so",
                          to_text(pap), to_text(a.block_pap)));
  if (object.confidence.value_or(-1) < a.min_confidence)
    return no(fmt::format("confidence {} is below {}",
                          object.confidence ? std::to_string(*object.confidence) : "(not stated)", a.min_confidence));
  const bool typed =
      a.indicator_types.empty() ||
      std::any_of(object.indicator_types.begin(), object.indicator_types.end(), [&a](const std::string& t) {
        return std::find(a.indicator_types.begin(), a.indicator_types.end(), t) != a.indicator_types.end();
      });
  if (!typed)
    return no(fmt::format("none of its indicator types is one that the agreement lets block ({})",
                          fmt::join(a.indicator_types, ", ")));
  return {true, a.art, "all conditions of the agreement for an automatic block are met"};
}

}  // namespace entente::agreement
