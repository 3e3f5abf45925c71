#include "exchange/release.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/admission.h"
#include "exchange/internal/release_graph.h"
#include "exchange/names.h"
#include "exchange/review.h"
#include "json/node.h"

namespace entente::exchange {

using internal::count_key;
using internal::ReleaseGraph;

ReleaseCount ReleaseCount::parse(const json::Value& saved) {
  ReleaseCount c;
  c.released = static_cast<uint64_t>(json::find_int(saved, "released").value_or(0));
  c.redacted = static_cast<uint64_t>(json::find_int(saved, "redacted").value_or(0));
  c.withheld = static_cast<uint64_t>(json::find_int(saved, "withheld").value_or(0));
  if (const auto reasons = json::find_object(saved, "reasons")) {
    for (const auto member : *reasons) {
      int64_t n = 0;
      if (member.value.get_int64().get(n) == simdjson::SUCCESS)
        c.reasons[std::string(member.key)] = static_cast<uint64_t>(n);
    }
  }
  return c;
}

std::string ReleaseCount::text() const {
  json::Node saved = json::Node::object();
  saved.set("released", released).set("redacted", redacted).set("withheld", withheld);
  json::Node by_code = json::Node::object();
  for (const auto& [code, n] : reasons) by_code.set(code, n);
  saved.set("reasons", std::move(by_code));
  return json::write(saved);
}

Releaser::Releaser(Context& context, Instruments& instruments, Evidence& evidence, const ConsentDesk& consents,
                   std::function<void(const Uuid&)> notify, Obstacle obstacle)
    : cx_(context),
      instruments_(instruments),
      evidence_(evidence),
      desk_(consents),
      notify_(std::move(notify)),
      obstacle_(std::move(obstacle)),
      my_identity_(identity_id(context.config.party)) {
  auto saved = cx_.store.all("release-count");
  if (!saved.ok()) return;
  for (const auto& [key, value] : *saved) {
    auto doc = json::parse(value);
    const size_t space = key.find(' ');
    if (!doc.ok() || space == std::string::npos) continue;
    counts_[{key.substr(0, space), key.substr(space + 1)}] = ReleaseCount::parse(doc->root());
  }
}

std::vector<agreement::Hold> Releaser::holds() const {
  std::vector<agreement::Hold> out;
  auto all = cx_.store.all("hold");
  if (!all.ok()) return out;
  for (const auto& [id, reason] : *all) out.push_back({id, reason.empty() ? "NATIONAL_HOLD" : reason, std::nullopt});
  return out;
}

agreement::Inputs Releaser::inputs(std::string_view to, const std::vector<agreement::State>& all) const {
  agreement::Inputs in;
  in.me = cx_.config.party;
  in.recipient = to;
  in.at = cx_.clock.now();
  in.clock_safe = cx_.clock_safe();
  in.instruments = all;
  in.policy = cx_.config.policy;
  for (const auto& s : all) {
    if (std::string why = obstacle_(s, std::string(to)); !why.empty()) in.unwitnessed[s.agreement_id] = std::move(why);
    in.pseudonym_keys[s.agreement_id] = std::string(view(hmac_sha256(cx_.pseudonym_secret, s.agreement_id)));
  }
  in.my_identity_id = my_identity_;
  in.public_ids = {my_identity_, identity_id(to)};
  in.approved = approved(cx_, to);
  return in;
}

Time Releaser::cursor(const agreement::State& state, std::string_view to, const std::string& source_name) const {
  auto saved = cx_.store.get("release-cursor", count_key(state.agreement_id, to) + " " + source_name);
  if (saved.ok()) {
    ByteReader r(*saved);
    return {static_cast<int64_t>(r.u64())};
  }
  // No back access: only what is committed once the agreement is in force, and for who acceded once it is a member.
  Time start = state.start.value_or(cx_.clock.now());
  const auto mine = state.provisional_since.find(cx_.config.party);
  const auto theirs = state.provisional_since.find(std::string(to));
  if (mine != state.provisional_since.end() && theirs != state.provisional_since.end())
    start = std::min(start, std::max(mine->second, theirs->second));
  const auto joined = state.joined.find(std::string(to));
  return joined == state.joined.end() ? start : std::max(start, joined->second);
}

uint64_t Releaser::pending(const agreement::State& state, std::string_view to) const {
  const auto newest = cx_.store.newest(inbox(cx_.config.party));
  if (!newest || *newest <= cursor(state, to, "inbox")) return 0;
  store::Query q;
  q.all = true;
  q.added_after = cursor(state, to, "inbox");
  q.limit = 10'000;
  auto page = cx_.store.page(inbox(cx_.config.party), q);
  return page.ok() ? page->rows.size() : 0;
}

Result<bool> Releaser::step() {
  // Nothing is decided, so that nothing is passed over: it waits until the clock is right.
  if (const bool safe = cx_.clock_safe(); safe != clock_was_safe_.exchange(safe) && !safe)
    say_error(
        "CLOCK_UNSAFE: the clock says {}, and the log has given out {}: nothing is released until it is set right",
        to_text(cx_.clock.now()), to_text(cx_.store.last_time()));
  if (!clock_was_safe_) return false;
  bool any = false;
  const auto states = instruments_.states();
  std::vector<agreement::State> all;
  for (const auto& s : states) all.push_back(*s);
  const std::string& me = cx_.config.party;
  holds_ = holds();
  consents_ = desk_.consents();
  for (const auto& s : states) {
    for (const auto& party : partners_of(*s, me)) {
      const bool members = s->document->party(me) != nullptr && s->document->party(party) != nullptr;
      if (!members || !s->live(me, party) || !obstacle_(*s, party).empty()) {
        if (!s->recallable(me, party)) continue;
        TRY(const bool own, recalls(*s, party, inbox(me), "inbox"));
        TRY(const bool seen, recalls(*s, party, sightings(me), "sightings"));
        TRY(const bool taken_back, recheck(*s, all, party));
        any = any || own || seen || taken_back;
        for (const auto& [giver, other] : givers(states, party)) {
          TRY(const bool onward, recalls(*s, party, received(other->agreement_id, giver, me),
                                         "from " + giver + " " + other->agreement_id));
          any = any || onward;
        }
        continue;
      }
      const agreement::Party& partner = *s->document->party(party);
      TRY(const bool own, batch(*s, all, partner.party, inbox(me), "inbox", me));
      TRY(const bool seen, batch(*s, all, partner.party, sightings(me), "sightings", me));
      TRY(const bool taken_back, recheck(*s, all, partner.party));
      bool moved = own || seen || taken_back;
      if (!own && !seen) {
        TRY(const bool anew, reconsider(*s, all, partner.party));
        moved = moved || anew;
      }
      // What others gave us goes on only with their consent; the decision says so object by object.
      for (const auto& [giver, other] : givers(states, partner.party)) {
        const Uuid source = received(other->agreement_id, giver, me);
        const std::string source_name = "from " + giver + " " + other->agreement_id;
        // Both agreements must allow it; a recall always goes.
        TRY(const bool onward, other->live(giver, me) ? batch(*s, all, partner.party, source, source_name, giver)
                                                      : recalls(*s, partner.party, source, source_name));
        moved = moved || onward;
      }
      any = any || moved;
      if (!moved && caught_up_) CHECK_OK(caught_up_(*s, partner.party, count_of(s->agreement_id, partner.party)));
    }
  }
  return any;
}

Result<std::vector<Planned>> Releaser::plan(const std::vector<std::string_view>& raw_objects, std::string_view to) {
  std::vector<agreement::State> all;
  for (const auto& s : instruments_.states()) all.push_back(*s);
  ReleaseGraph graph;
  json::Document doc;
  size_t i = 0;
  for (const auto raw : raw_objects) {
    CHECK_OK(doc.parse(raw));
    auto summary = stix::summarize(doc.root());
    if (!summary.ok()) return summary.error().at("object " + std::to_string(i + 1));
    store::Row row;
    row.id = summary->id;
    row.type = summary->type;
    row.version = summary->version;
    row.version_time = summary->version_time;
    agreement::GraphObject o;
    o.originator = cx_.config.party;
    o.committed = cx_.clock.now();
    CHECK_OK(whose(row.id, graph.texts, o));
    graph.add(std::move(row), std::string(raw), o);
    graph.note_references(doc.root());
    ++i;
  }
  const size_t candidates = graph.objects.size();
  CHECK_OK(graph.complete(cx_, std::string(to), {}));
  agreement::Inputs in = inputs(to, all);
  const auto held = holds();
  in.holds = held;
  const auto consents = desk_.consents();
  in.consents = consents;
  std::vector<agreement::Decision> decisions = agreement::decide(graph.objects, in);
  std::vector<Planned> out;
  for (size_t k = 0; k < candidates; ++k)
    out.push_back({graph.rows[k].id, graph.rows[k].type, std::move(decisions[k])});
  return out;
}

ReleaseCount Releaser::count_of(const std::string& agreement_id, const std::string& to) const {
  const std::lock_guard lock(mutex_);
  const auto it = counts_.find({agreement_id, to});
  return it == counts_.end() ? ReleaseCount{} : it->second;
}

std::map<std::pair<std::string, std::string>, ReleaseCount> Releaser::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace entente::exchange
