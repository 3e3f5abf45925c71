#include "sensor/instruments.h"

#include <tuple>

#include <fmt/format.h>

#include "base/log.h"
#include "json/json.h"

namespace entente::sensor {

Result<Instruments> Instruments::parse(std::string_view text, bool exercise) {
  TRY(const json::Document document, json::parse(text));
  if (json::find_bool(document.root(), "exercise").value_or(false) != exercise)
    return make_error(ErrorKind::kDenied,
                      exercise ? "EXERCISE: this sensor is for exercises, and its node is not"
                               : "EXERCISE: the node is for exercises, and this sensor is not",
                      {}, "[sensor] exercise = true belongs to nodes of 'entente exercise new' alone");
  const auto list = json::find_array(document.root(), "agreements");
  if (!list) return invalid("no list of agreements: member \"agreements\" is missing");
  Instruments out;
  out.text_ = text;
  out.exercise_ = exercise;
  for (const json::Value entry : *list) {
    const auto id = json::find_string(entry, "agreement_id");
    if (!id) continue;
    std::vector<agreement::SignedAct> acts;
    for (const std::string_view act : json::string_list(json::find_array(entry, "acts"))) {
      auto parsed = agreement::parse_signed_act(act);
      if (parsed.ok()) {
        acts.push_back(std::move(*parsed));
      } else {
        // An act that cannot be read may be the one that narrows: without it nothing is permitted.
        say_warn("agreement {}: an act cannot be read ({}): nothing is permitted under it", *id, parsed.error().text());
        acts.clear();
        break;
      }
    }
    out.instruments_.insert_or_assign(std::string(*id),
                                      Instrument{std::string(json::find_string(entry, "me").value_or("")),
                                                 agreement::History(*id, acts, {}),
                                                 agreement::JointHistory(*id, acts),
                                                 {}});
    const auto collections = json::find_array(entry, "collections");
    if (!collections) continue;
    for (const json::Value c : *collections) {
      ReceivedCollection r{std::string(json::find_string(c, "id").value_or("")),
                           std::string(json::find_string(c, "alias").value_or("")),
                           std::string(json::find_string(c, "from").value_or("")), std::string(*id)};
      if (!r.id.empty() && !r.from.empty()) out.collections_.push_back(std::move(r));
    }
  }
  return out;
}

void Instruments::fold(Time now) {
  orders_.clear();
  for (auto& [id, instrument] : instruments_) {
    instrument.state = instrument.history.at(now);
    if (instrument.state.document && instrument.state.document->exercise != exercise_) instrument.state = {};
    if (instrument.joint.empty()) continue;
    for (const auto& action : instrument.joint.at(instrument.state, now)) {
      for (const auto& m : action.measures) {
        if (!action.in_effect(instrument.me, m)) continue;
        JointOrder order{action.id,       action.title,
                         action.lead,     action.article,
                         m.version,       m.drop && !action.exercise,
                         action.exercise, action.parties.at(instrument.me).until};
        const auto [it, fresh] = orders_.try_emplace(m.indicator, order);
        if (!fresh && std::tie(order.drop, order.until) > std::tie(it->second.drop, it->second.until))
          it->second = std::move(order);
      }
    }
  }
}

bool Instruments::live(const std::string& agreement, const std::string& partner) const {
  const auto it = instruments_.find(agreement);
  return it != instruments_.end() && it->second.state.live(it->second.me, partner);
}

agreement::Permission Instruments::may_block(const std::string& agreement, const agreement::Handling& object) const {
  const auto it = instruments_.find(agreement);
  if (it == instruments_.end()) return {false, "", "the node knows no agreement " + agreement};
  return agreement::may(agreement::Action::kBlock, object, it->second.state);
}

int Instruments::max_block_days(const std::string& agreement) const {
  const auto it = instruments_.find(agreement);
  if (it == instruments_.end() || !it->second.state.document) return 0;
  return it->second.state.document->actions.max_block_days;
}

std::vector<std::pair<std::string, std::string>> Instruments::states() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [id, instrument] : instruments_) out.emplace_back(id, agreement::to_text(instrument.state.kind));
  return out;
}

}  // namespace entente::sensor
