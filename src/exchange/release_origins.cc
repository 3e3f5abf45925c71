// What a party has, and of which a relationship says only later that it is derived from something, bears that label
// from then on (release.md §2): if the label is too strict for it, it is taken back.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "exchange/admission.h"
#include "exchange/names.h"
#include "exchange/release.h"
#include "json/json.h"

namespace entente::exchange {
namespace {

struct Derivation {
  std::string derived, origin;
};

// nullopt: it is no such relationship.
std::optional<Derivation> derivation_in(std::string_view raw) {
  const auto doc = json::parse(raw);
  if (!doc.ok() || json::find_string(doc->root(), "relationship_type") != "derived-from") return std::nullopt;
  return Derivation{std::string(json::find_string(doc->root(), "source_ref").value_or("")),
                    std::string(json::find_string(doc->root(), "target_ref").value_or(""))};
}

}  // namespace

Result<bool> Releaser::recheck_derived(const agreement::State& state, const std::vector<agreement::State>& all,
                                       const std::string& to, const std::vector<store::Row>& rows) {
  std::vector<std::string> queue;
  for (const auto& row : rows) {
    if (row.type != "relationship" || row.revoked) continue;
    TRY(const std::string raw, cx_.store.raw(row));
    if (auto d = derivation_in(raw)) queue.push_back(std::move(d->derived));
  }
  if (queue.empty()) return false;
  // What is derived from that bears the label too.
  std::unordered_map<std::string, std::vector<std::string>> derived_from;
  TRY(const auto known, cx_.store.all(kOriginSpace));
  for (const auto& [key, origin] : known)
    if (!origin.empty()) derived_from[origin].push_back(key.substr(0, key.find(' ')));
  std::set<std::string> seen;
  const std::string& me = cx_.config.party;
  std::map<std::string, std::vector<store::Row>> by_source;
  while (!queue.empty()) {
    const std::string id = std::move(queue.back());
    queue.pop_back();
    if (!seen.insert(id).second) continue;
    const auto more = derived_from.find(id);
    if (more != derived_from.end()) queue.insert(queue.end(), more->second.begin(), more->second.end());
    TRY(const auto sent, cx_.store.find(released(state.agreement_id, me, to), sent_id(state, to, id)));
    if (sent.empty() || sent.back().revoked) continue;
    for (const auto& [name, collection] :
         {std::pair<std::string, Uuid>("inbox", inbox(me)), {"sightings", sightings(me)}}) {
      TRY(const auto own, cx_.store.find(collection, id));
      if (!own.empty()) by_source[name].push_back(*std::ranges::max_element(own, {}, &store::Row::version_time));
    }
  }
  bool any = false;
  for (auto& [name, found] : by_source) {
    TRY(const bool done, decide_rows(state, all, to, {name, me, true, true}, std::move(found), {}));
    any = any || done;
  }
  return any;
}

}  // namespace entente::exchange
