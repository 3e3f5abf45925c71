// From an indicator to a lease: the proposal, the verdict, the grant, the renewal, the end.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

using enforce::Lease;
using enforce::LeaseState;
using enforce::Outcome;
using enforce::Target;
using enforce::Verdict;

namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kDay = 86'400 * kSecond;
constexpr size_t kMaxRefusals = 100'000;  // told once

std::string key_of(const ReceivedIndicator& i, const Target& target) {
  return i.id + "|" + i.version + "|" + target.text();
}

// The host of "scheme://[user@]host[:port]/…"; "" if there is none.
std::string host_of_url(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const size_t at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  if (url.starts_with('[')) return std::string(url.substr(1, url.find(']') - 1));
  return std::string(url.substr(0, url.find(':')));
}

// What a name atom is about, so that the guard can be asked before anything resolves.
std::optional<Target> name_target(const pattern::Atom& atom) {
  using enum pattern::AtomKind;
  std::string text;
  if (atom.kind == kDomain) text = atom.value;
  if (atom.kind == kDomainTree || atom.kind == kDomainBelow) text = "*." + atom.value;
  if (atom.kind == kUrl) text = host_of_url(atom.value);
  if (text.empty()) return std::nullopt;
  auto target = enforce::parse_target(text);
  return target.ok() ? std::optional(*target) : std::nullopt;
}

}  // namespace

enforce::Proposal Core::proposal(const Row& row, const Target& target, const std::string& via_name, Time now) const {
  const Source& source = sources_[row.source];
  const ReceivedIndicator& i = row.indicator;
  enforce::Proposal p;
  p.target = target;
  p.partner = source.partner;
  p.revoked = i.revoked;
  if (const Rollback* r = rollbacks_.covers(source.partner, row.arrived)) p.rolled_back = r->sentence();
  p.valid_from = i.valid_from;
  p.valid_until = i.valid_until;
  p.confidence = i.confidence;
  p.via_name = via_name;
  const auto pap = pap_of(row);
  if (source.agreement.empty()) {
    // Our own: no agreement, but the marking still binds (threat model row 32).
    p.block = {!pap || *pap <= stix::Pap::kGreen, "", "its marking PAP asks for more than PAP:GREEN"};
  } else {
    agreement::Handling handling;
    handling.pap = pap;
    if (i.confidence >= 0) handling.confidence = i.confidence;
    handling.indicator_types = i.types;
    p.live = instruments_.live(source.agreement, source.partner);
    p.block = instruments_.may_block(source.agreement, handling);
  }
  if (const JointOrder* order = joint_order(i)) {
    // All who carry it out have consented to this block, its originator's marking or the minimum confidence of blocks
    // by machine notwithstanding. What the guard protects stays protected.
    p.block = {order->drop, order->article,
               order->exercise ? fmt::format("the joint action \"{}\" is an exercise", order->title)
                               : fmt::format("the joint action \"{}\" only counts on it", order->title)};
    p.joint = fmt::format("joint action {} \"{}\" led by {}", order->action.substr(0, 12), order->title, order->lead);
  }
  if (target.kind != enforce::TargetKind::kName) {
    p.names_on_address = uses_.names_on(target.prefix);
  }
  if (const SourceEffect* s = effect_.of_source({source.partner, i.by}); s != nullptr)
    p.record = {.granted = s->granted, .wrong = s->wrong()};
  if (config_.clients_days > 0) p.impact = uses_.impact_of(target, now);
  if (const Dispute* d = disputes_.find(i.id, source.agreement)) {
    if (d->pending()) p.disputed = d->sentence(now);
    if (d->state == "upheld" && !source.agreement.empty()) p.upheld = d->sentence(now);
  }
  return p;
}

Time Core::lease_end(const Row& row, bool via_name, std::optional<int64_t> dns_ttl_us, Time now) const {
  int64_t ttl = config_.ttl_us;
  // An address that a name led to belongs to others soon: no longer than the answer said, but a minute at least.
  if (via_name) ttl = std::min(config_.name_ttl_us, std::max(dns_ttl_us.value_or(config_.name_ttl_us), 60 * kSecond));
  Time end = std::min(now.plus_us(ttl), row.indicator.valid_until);
  const int days = instruments_.max_block_days(sources_[row.source].agreement);
  if (days > 0) end = std::min(end, row.arrived.plus_us(days * kDay));
  if (const JointOrder* order = joint_order(row.indicator)) end = std::min(end, order->until);
  return end;
}

void Core::propose_addresses(uint32_t tag, Time now) {
  const Row& row = rows_[tag - 1];
  // Before the node has said what is in force nothing is granted under an agreement, and nothing is taken away.
  if (!started_ || (!instruments_known_ && !sources_[row.source].agreement.empty())) return;
  for (const pattern::Atom& atom : row.indicator.atoms) {
    if (is_address(atom.kind)) {
      const auto prefix = enforce::parse_prefix(atom.value);
      if (prefix.ok()) consider(tag, Target::of(*prefix), nullptr, now);
    } else if (const auto target = name_target(atom)) {
      using enum pattern::AtomKind;
      // Of a URL the host may be innocent; and what is below a name is not the name.
      if (names_enforcer_ != nullptr && (atom.kind == kDomain || atom.kind == kDomainTree)) {
        consider(tag, *target, nullptr, now);
        continue;
      }
      // A name blocks nothing until it resolves, but what the guard would refuse is said at once.
      const Verdict v = guard_.check(proposal(row, *target, "", now), {}, now);
      if (v.outcome == Outcome::kRefuse) consider(tag, *target, nullptr, now);
    }
  }
}

void Core::consider(uint32_t tag, const Target& target, const Seen* seen, Time now, bool approved) {
  const Row& row = rows_[tag - 1];
  const ReceivedIndicator& i = row.indicator;
  const Source& source = sources_[row.source];
  if (!instruments_known_ && !source.agreement.empty()) return;
  // What was recalled while the node is out of reach is not known here: no new block, no renewal.
  if (now.us - last_contact_.us > config_.ttl_us) return;
  const std::string text = target.text();
  const Lease* old = book_->find(text, i.id, &source.agreement);
  const bool via_name = seen != nullptr && !seen->via_name.empty();
  if (old != nullptr && old->state == LeaseState::kWaiting && !approved) return;
  const bool renewal = old != nullptr && old->in_force();
  const TrialKey trial{source.partner, source.agreement, kind_of(target, via_name), feed_of(row)};
  Time until = lease_end(row, via_name, seen != nullptr ? seen->dns_ttl_us : std::nullopt, now);
  const Trial* limited = trials_.limited(trial, now);
  if (limited != nullptr) until = std::min(until, now.plus_us(config_.name_ttl_us));
  if (renewal && old->end.us - now.us > (until.us - now.us) / 2) return;
  if (!renewal && lifted_.contains(key_of(i, target))) return;
  enforce::Proposal p = proposal(row, target, via_name ? seen->via_name : "", now);
  p.renewal = renewal;
  p.approved = approved;
  // What drops already goes on, and a joint action has the consent of people.
  const bool drops = renewal && old->state == LeaseState::kActive;
  if (config_.guard.mode == enforce::Mode::kBlock && p.live && p.block.allowed && p.joint.empty() && !drops) {
    if (const Trial* t = trials_.running(trial, now))
      p.trial =
          fmt::format("targets of kind {} from {} run in shadow first ({}): they count and drop nothing", trial.kind,
                      !trial.by.empty()        ? "the feed of " + printable(trial.by, 60)
                      : source.partner.empty() ? "our own people"
                                               : source.partner,
                      t->name());
  }
  // A person has decided about what is in force: that stays decided.
  if (drops && old->code != "OK" && old->code != "JOINT_ACTION") p.approved = true;
  Verdict v = guard_.check(p, book_->usage(source.partner, now), now);
  if (v.outcome != Outcome::kRefuse && until <= now) {
    v = {Outcome::kRefuse, enforce::Step::kValidity, "BLOCK_TIME_OVER",
         "the agreement's longest block is over for this indicator", v.article};
  }
  if (v.outcome == Outcome::kRefuse) {
    if (const JointOrder* order = joint_order(i)) joint_refused_[order->action].insert(i.id);
    if (old != nullptr) end({.id = old->id}, enforce::ended::kGuard, now);
    if (refused_once_.size() < kMaxRefusals &&
        refused_once_.insert(fmt::format("{}|{}|{}", i.id, text, v.code)).second) {
      ++refusals_[std::string(v.code)];
      if (v.code.starts_with("PROTECTED_")) trials_.refused(trial);
      json::Node e = json::Node::object();
      e.set("code", v.code)
          .set("indicator", i.id)
          .set("target", text)
          .set("sentence", v.sentence)
          .set("step", static_cast<int>(v.step));
      if (!source.partner.empty()) e.set("partner", source.partner);
      if (!v.article.empty()) e.set("article", v.article);
      emit("guard_refused", std::move(e));
    }
    return;
  }
  if (!p.joint.empty() && v.outcome != Outcome::kRefuse && v.code == "OK") v.code = "JOINT_ACTION";
  if (limited != nullptr && v.code == "OK")
    v.sentence += fmt::format("; its shadow run {} is over, and until {} leases of this kind are short",
                              limited->name(), to_text(limited->promoted->plus_us(config_.trials.first_us)));
  const LeaseState state = v.outcome == Outcome::kBlock    ? LeaseState::kActive
                           : v.outcome == Outcome::kShadow ? LeaseState::kShadow
                                                           : LeaseState::kWaiting;
  if (renewal && old->state == state) {
    if (until > old->end && book_->renew(old->id, until, now)) sync_target(target);
    return;
  }
  if (approved && old != nullptr && old->state == LeaseState::kWaiting && state != LeaseState::kWaiting) {
    const uint64_t id = old->id;
    book_->approve(id, state, until, now);
    effect_.granted(effect_source(*book_->find(id)));
    sync_target(target);
    emit("lease_applied", lease_node(*book_->find(id), now));
    return;
  }
  if (renewal) end({.id = old->id}, enforce::ended::kGuard, now);
  Lease lease;
  lease.target = target;
  lease.state = state;
  lease.reason = source.partner.empty() ? "own indicator" : "shared by " + source.partner;
  if (!i.name.empty()) lease.reason += ": " + printable(i.name, 120);
  if (const JointOrder* order = joint_order(i)) {
    lease.joint = order->action;
    lease.reason += ", " + p.joint;
  }
  lease.indicator = i.id;
  lease.version = i.version;
  lease.partner = source.partner;
  lease.agreement = source.agreement;
  lease.article = v.article;
  lease.step = static_cast<int>(v.step);
  lease.code = v.code;
  lease.sentence = v.sentence;
  if (seen != nullptr) {
    lease.detection = fmt::format("{} {}", seen->field, printable(seen->value, 200));
    if (!seen->address.empty() && seen->address != seen->value) lease.detection += " -> " + seen->address;
    lease.via_name = seen->via_name;
  }
  lease.end = until;
  lease.batch = row.batch;
  if (p.impact) lease.clients_before = p.impact->clients;
  const uint64_t id = book_->grant(std::move(lease), now);
  sync_target(target);
  const Lease* granted = book_->find(id);
  if (granted != nullptr && granted->in_force()) {
    effect_.granted(effect_source(*granted));
    if (granted->code == "SHADOW_FIRST") trials_.granted(trial);
  }
  if (granted != nullptr)
    emit(state == LeaseState::kWaiting ? "lease_waiting" : "lease_applied", lease_node(*granted, now));
}

void Core::sync_target(const Target& target) {
  if (target.kind == enforce::TargetKind::kName && names_enforcer_ == nullptr) return;
  enforce::Element element{target.prefix, false, Time{INT64_MIN}};
  bool any = false;
  // Of all leases on it a dropping one decides, and of those the last end.
  for (const Lease* lease : book_->on_target(target.text())) {
    const bool drop = lease->state == LeaseState::kActive;
    if (!any || (drop && !element.drop)) {
      element.drop = drop;
      element.end = lease->end;
    } else if (drop == element.drop) {
      element.end = std::max(element.end, lease->end);
    }
    any = true;
  }
  if (target.kind == enforce::TargetKind::kName) {
    if (any) {
      names_enforcer_->want(target, element.drop, element.end);
    } else {
      names_enforcer_->unwant(target);
    }
  } else if (any) {
    reconciler_.want(element);
  } else {
    reconciler_.unwant(target.prefix);
    last_hits_.erase(target.prefix);
  }
}

void Core::end(const enforce::LeaseQuery& query, std::string_view why, Time now) { ended(book_->end(query, why, now)); }

void Core::ended(const std::vector<Lease>& leases) {
  for (const Lease& lease : leases) {
    sync_target(lease.target);
    emit("lease_ended", json::Node::object()
                            .set("lease", lease.name())
                            .set("target", lease.target.text())
                            .set("indicator", lease.indicator)
                            .set("why", lease.ended_by)
                            .set("hits", lease.hits));
  }
}

void Core::for_each_tag(const Lease& lease, const std::function<void(uint32_t)>& fn) const {
  for (size_t s = 0; s < sources_.size(); ++s) {
    if (sources_[s].agreement != lease.agreement || sources_[s].partner != lease.partner) continue;
    const auto it = tags_.find({static_cast<uint32_t>(s), lease.indicator});
    if (it != tags_.end() && rows_[it->second - 1].usable) fn(it->second);
  }
}

void Core::renew(Time now) {
  // A sensor that has lost its node lets its leases end.
  if (now.us - last_contact_.us > config_.ttl_us) return;
  std::vector<std::pair<uint32_t, Target>> due;
  book_->for_each_ending_before(now.plus_us(config_.ttl_us / 2), [&](const Lease& lease) {
    if (!lease.via_name.empty()) return;  // only what is seen again
    for_each_tag(lease, [&](uint32_t tag) { due.emplace_back(tag, lease.target); });
  });
  for (const auto& [tag, target] : due) consider(tag, target, nullptr, now);
}

}  // namespace entente::sensor
