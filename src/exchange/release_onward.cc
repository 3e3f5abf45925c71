// What goes on with its originator's consent (agreement/onward.h), and comes back with it: which rows a consent names,
// and what went under one that holds no longer.
#include <algorithm>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "exchange/admission.h"
#include "exchange/internal/release_graph.h"
#include "exchange/names.h"
#include "exchange/release.h"

namespace entente::exchange {

using internal::count_key;

std::string Releaser::consents_print(const std::string& to) const {
  std::string out;
  const Time now = cx_.clock.now();
  for (const auto& c : consents_)
    if (c.recipient == to && c.valid_from <= now && now < c.valid_until)
      out += fmt::format("{} {} {} {}\n", c.originator, c.agreement, c.object_id, c.version);
  return out;
}

std::vector<agreement::Consent> Releaser::live_consents() const {
  std::vector<agreement::Consent> out;
  if (consents_.empty()) return out;
  const auto states = instruments_.states();
  std::ranges::copy_if(consents_, std::back_inserter(out), [&](const agreement::Consent& c) {
    return std::ranges::any_of(states, [&](const auto& s) {
      return s->agreement_id == c.agreement && s->live(c.originator, cx_.config.party);
    });
  });
  return out;
}

bool Releaser::consented(const std::string& originator, const std::string& to, const store::Row& sent) const {
  const Time now = cx_.clock.now();
  const RowMeta meta = RowMeta::parse(sent.meta);
  const std::string& id = meta.original.empty() ? sent.id : meta.original;
  return std::ranges::any_of(consents_, [&](const agreement::Consent& c) {
    return c.originator == originator && c.recipient == to && c.object_id == id && c.version == sent.version &&
           c.valid_from <= now && now < c.valid_until;
  });
}

Status Releaser::add_consented(const agreement::State& state, const std::string& to,
                               std::vector<std::pair<std::string, std::string>>& todo) const {
  const Time now = cx_.clock.now();
  std::set<std::string> seen;
  for (const auto& c : consents_) {
    if (c.recipient != to || now < c.valid_from || now >= c.valid_until) continue;
    TRY(const auto rows, cx_.store.find(received(c.agreement, c.originator, cx_.config.party), c.object_id));
    if (rows.empty() || !seen.insert(c.object_id).second) continue;
    const store::Row& newest = *std::ranges::max_element(rows, {}, &store::Row::version_time);
    TRY(const auto sent,
        cx_.store.find(released(state.agreement_id, cx_.config.party, to), sent_id(state, to, c.object_id)));
    if (std::ranges::any_of(sent, [&](const store::Row& r) { return r.version_time >= newest.version_time; })) continue;
    todo.emplace_back(c.object_id,
                      fmt::format("{}\nfrom {} {}\nORIGINATOR_CONSENT", newest.version, c.originator, c.agreement));
  }
  return {};
}

Result<bool> Releaser::recheck(const agreement::State& state, const std::vector<agreement::State>& all,
                               const std::string& to) {
  const std::string prefix = count_key(state.agreement_id, to) + " ";
  std::string print = consents_print(to);
  const auto last = rechecked_.find(prefix);
  if (last != rechecked_.end() && last->second == print) return false;
  TRY(const auto sent, cx_.store.all(kOnwardSpace, prefix));
  std::map<std::string, std::vector<store::Row>> by_source;
  for (const auto& [key, value] : sent) {
    const size_t line = value.find('\n');
    if (line == std::string::npos) continue;
    const Origin origin = origin_of(value.substr(line + 1));
    TRY(const auto rows, cx_.store.find(origin.collection, key.substr(prefix.size())));
    for (const auto& row : rows)
      if (row.version == std::string_view(value).substr(0, line)) by_source[value.substr(line + 1)].push_back(row);
  }
  bool any = false;
  for (auto& [name, rows] : by_source) {
    for (size_t at = 0; at < rows.size(); at += cx_.config.release_batch) {
      std::vector<store::Row> some(
          rows.begin() + static_cast<std::ptrdiff_t>(at),
          rows.begin() + static_cast<std::ptrdiff_t>(std::min(rows.size(), at + cx_.config.release_batch)));
      TRY(const bool done, decide_rows(state, all, to, {name, origin_of(name).originator, true}, std::move(some), {}));
      any = any || done;
    }
  }
  rechecked_[prefix] = std::move(print);
  return any;
}

Releaser::Origin Releaser::origin_of(std::string_view name) const {
  const std::string& me = cx_.config.party;
  if (!name.starts_with("from ") || name.size() <= 8) return {me, name == "sightings" ? sightings(me) : inbox(me)};
  const std::string giver(name.substr(5, 2));
  return {giver, received(name.substr(8), giver, me)};
}

// Did it go because a third party consented: it is a third party's, or derived from something?
bool Releaser::hangs_on_consent(const agreement::GraphObject& object, const std::string& to,
                                const std::string& id) const {
  if (object.originator != cx_.config.party) return object.originator != to;
  if (consents_.empty()) return false;
  const auto origins = cx_.store.all(kOriginSpace, id + " ");
  return origins.ok() && !origins->empty();
}

// Who has given us something, under which agreements.
std::vector<std::pair<std::string, std::shared_ptr<const agreement::State>>> Releaser::givers(
    const std::vector<std::shared_ptr<const agreement::State>>& states, const std::string& to) const {
  std::vector<std::pair<std::string, std::shared_ptr<const agreement::State>>> out;
  for (const auto& s : states)
    for (const auto& giver : s->document->parties)
      if (giver.party != cx_.config.party && giver.party != to) out.emplace_back(giver.party, s);
  return out;
}

// What a partner gave us is the partner's, whoever hands the file in.
Status Releaser::whose(const std::string& id, std::deque<std::string>& texts, agreement::GraphObject& o) const {
  const std::string& me = cx_.config.party;
  TRY(const auto held, cx_.store.find(id));
  if (std::ranges::any_of(
          held, [&](const store::Row& r) { return r.collection == inbox(me) || r.collection == sightings(me); }))
    return {};
  for (const auto& r : held) {
    const RowMeta meta = RowMeta::parse(r.meta);
    if (meta.agreement.empty() || r.collection != received(meta.agreement, meta.by, me)) continue;
    o.originator = texts.emplace_back(meta.by);
    o.received_under = texts.emplace_back(meta.agreement);
    o.inherited = stix::parse_tlp(meta.tlp).value_or(stix::Tlp::kRed);
  }
  return {};
}

}  // namespace entente::exchange
