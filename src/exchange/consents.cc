#include "exchange/consents.h"

#include <algorithm>

#include "base/bytes.h"
#include "exchange/admission.h"
#include "exchange/names.h"

namespace entente::exchange {

using agreement::Onward;

std::vector<Onward> ConsentDesk::requests() const {
  std::vector<Onward> out;
  const Time now = cx_.clock.now();
  for (const auto& state : instruments_.states()) {
    const auto history = instruments_.onward(state->agreement_id);
    if (history.empty()) continue;
    auto found = history.at(*state, now);
    out.insert(out.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  }
  return out;
}

// A version text can be written twice; octets cannot.
bool ConsentDesk::octets_are(const Onward& o) const {
  if (o.given->version == agreement::kEveryVersion) return true;
  {
    const std::lock_guard lock(mutex_);
    if (matched_.contains(o.id)) return true;
  }
  const auto rows = cx_.store.find(received(o.agreement_id, o.originator(), cx_.config.party), o.given->object);
  if (!rows.ok()) return false;
  for (const auto& row : *rows) {
    if ((row.versioned ? row.version : std::string()) != o.given->version) continue;
    const auto raw = cx_.store.raw(row);
    if (!raw.ok() || sha256_hex(*raw) != o.given->sha256) continue;
    const std::lock_guard lock(mutex_);
    matched_.insert(o.id);
    return true;
  }
  return false;
}

std::vector<agreement::Consent> ConsentDesk::consents() const {
  std::vector<Onward> mine = requests();
  std::erase_if(mine, [&](const Onward& o) { return o.holder() != cx_.config.party || !o.given || !octets_are(o); });
  return agreement::consents_of(mine);
}

Result<std::vector<Askable>> ConsentDesk::askable(const std::string& object) const {
  const std::string& me = cx_.config.party;
  std::vector<Askable> out;
  TRY(const auto rows, cx_.store.find(object));
  std::map<std::pair<std::string, std::string>, store::Row> newest;  // agreement and giver
  for (const auto& row : rows) {
    const RowMeta meta = RowMeta::parse(row.meta);
    if (meta.agreement.empty() || row.collection != received(meta.agreement, meta.by, me)) continue;
    auto [it, fresh] = newest.try_emplace({meta.agreement, meta.by}, row);
    if (!fresh && it->second.version_time < row.version_time) it->second = row;
  }
  for (const auto& [from, row] : newest) {
    const auto state = instruments_.state(from.first);
    if (!state || !state->document) continue;
    Askable one;
    one.agreement_id = from.first;
    one.type = row.type;
    one.terms.originator = from.second;
    one.terms.holder = me;
    one.terms.object = row.id;
    one.terms.version = row.versioned ? row.version : std::string();
    TRY(const std::string raw, cx_.store.raw(row));
    one.terms.sha256 = sha256_hex(raw);
    if (row.revoked)
      return make_error(ErrorKind::kConflict, "its originator has revoked this object", object,
                        "there is nothing to pass on");
    if (const json::Node* scope = state->document->node.find("scope"))
      if (const json::Node* list = scope->find("purposes"); list != nullptr && list->is_array())
        for (const json::Node& p : list->list()) one.purposes.push_back(p.string());
    out.push_back(std::move(one));
  }
  return out;
}

std::string ConsentDesk::own_object(const std::string& agreement_id, const std::string& other,
                                    const std::string& object) const {
  const std::string& me = cx_.config.party;
  const auto sent = cx_.store.find(released(agreement_id, me, other), object);
  if (!sent.ok() || sent->empty()) return {};
  const RowMeta meta = RowMeta::parse(sent->back().meta);
  std::string id = meta.original.empty() ? object : meta.original;
  for (const Uuid& mine : {inbox(me), sightings(me)})
    if (const auto rows = cx_.store.find(mine, id); rows.ok() && !rows->empty()) return id;
  return {};
}

Status ConsentDesk::may_make(const agreement::Act& step) const {
  if (step.kind != "onward_give") return {};
  const std::string object(step.body.string_at("object"));
  if (!own_object(step.agreement_id, std::string(step.body.string_at("holder")), object).empty()) return {};
  return make_error(ErrorKind::kDenied, "this party did not originate the object, or did not give it to the holder",
                    printable(object),
                    "a consent does not chain: ask its originator for a consent to that recipient yourself, or deny");
}

}  // namespace entente::exchange
