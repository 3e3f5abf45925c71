#include "sensor/core.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "json/json.h"

namespace entente::sensor {

using enforce::Lease;
using enforce::LeaseBook;
using enforce::LeaseState;
using enforce::Outcome;
using enforce::Target;
using enforce::Verdict;

namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kDay = 86'400 * kSecond;
constexpr size_t kMaxAddresses = 65'536;  // whose names are remembered
constexpr size_t kMaxNames = 64;          // of one address; protected ones always
constexpr size_t kMaxRefusals = 100'000;  // told once

std::string key_of(const ReceivedIndicator& i, const Target& target) {
  return i.id + "|" + i.version + "|" + target.text();
}

bool is_address(pattern::AtomKind kind) {
  using enum pattern::AtomKind;
  return kind == kIpv4 || kind == kIpv6 || kind == kCidr4 || kind == kCidr6;
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

Core::Core(const SensorConfig& config, Files& files, Clock& clock, enforce::Enforcer& enforcer,
           enforce::ProtectedList lists, EventSink& events)
    : config_(config),
      files_(files),
      clock_(clock),
      enforcer_(enforcer),
      lists_(std::move(lists)),
      events_(events),
      guard_(config_.guard, lists_),
      reconciler_(enforcer_),
      sightings_(files_, config_.state_dir + "/sightings.jsonl",
                 SightingOptions{config_.sighting_interval_us, config_.sighting_tlp, config_.created_by,
                                 config_.sighting_queue}),
      rollbacks_(files_, config_.state_dir + "/rollbacks.json") {}

Core::~Core() = default;

Status Core::start() {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  CHECK_OK(files_.make_dirs(config_.state_dir));
  TRY(book_, LeaseBook::open(files_, config_.state_dir + "/leases.jsonl", now));
  if (book_->damaged_lines() > 0)
    say_warn("{} lines of the lease book could not be read and were left out", book_->damaged_lines());
  sightings_.load();
  rollbacks_.load(now);
  for (const Lease& lease : book_->snapshot(true)) {
    const bool rolled_back =
        lease.ended_by == enforce::ended::kRolledBack && std::ranges::any_of(rollbacks_.all(), [&](const Rollback& r) {
          return r.partner == lease.partner && r.at == lease.ended_at;
        });
    if (lease.ended_by == enforce::ended::kLifted || rolled_back)
      lifted_.insert(lease.indicator + "|" + lease.version + "|" + lease.target.text());
    if (!lease.in_force()) continue;
    // The lists and the mode may be others than when it was granted.
    const bool wrong_mode = lease.state == LeaseState::kActive && config_.guard.mode == enforce::Mode::kMonitor;
    if (lists_.find(lease.target) || wrong_mode) {
      ended(book_->end({.id = lease.id}, enforce::ended::kGuard, now));
    } else {
      sync_target(lease.target);
    }
  }
  // Old leases hold while the objects are read again and before the node has answered: the last good set.
  CHECK_OK(reconciler_.flush(lists_.prefixes(), now));
  if (enforcer_.keeps_counters()) resume_hits();
  CHECK_OK(load_objects(now));
  for (const Lease& lease : book_->snapshot(false)) {  // a rollback that the power failed in
    for (size_t s = 0; s < sources_.size(); ++s) {
      const auto it = tags_.find({static_cast<uint32_t>(s), lease.indicator});
      if (it == tags_.end() || sources_[s].partner != lease.partner) continue;
      if (rollbacks_.covers(lease.partner, rows_[it->second - 1].arrived) != nullptr)
        end({.id = lease.id}, enforce::ended::kRolledBack, now);
    }
  }
  last_contact_ = now;
  started_ = true;
  // What the node said last: acts are signed and their state is computed for the present time.
  if (const auto kept = files_.read(agreements_path()); kept.ok()) {
    if (auto instruments = Instruments::parse(*kept); instruments.ok()) {
      instruments_ = std::move(*instruments);
      instruments_known_ = true;
      refold(now);
    }
  }
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].usable && sources_[rows_[i].source].agreement.empty())
      propose_addresses(static_cast<uint32_t>(i + 1), now);
  }
  json::Node e = json::Node::object();
  e.set("mode", config_.guard.mode == enforce::Mode::kBlock ? "block" : "monitor").set("enforcer", enforcer_.name());
  e.set("leases", book_->count(LeaseState::kActive) + book_->count(LeaseState::kShadow))
      .set("indicators", live_.size())
      .set("protected", lists_.size());
  emit("started", std::move(e));
  apply(now);
  return {};
}

// ---- from the node

uint32_t Core::source_number(const Source& source) {
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].collection == source.collection) return static_cast<uint32_t>(i);
  }
  sources_.push_back(source);
  return static_cast<uint32_t>(sources_.size() - 1);
}

void Core::on_instruments(Instruments instruments) {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  const bool was_away = now.us - last_contact_.us > config_.ttl_us / 2;
  last_contact_ = now;
  if (instruments.text() != instruments_.text()) {
    if (auto done = files_.write_atomic(agreements_path(), instruments.text(), 0600); !done.ok())
      say_error("agreements cannot be kept: {}", done.error().text());
  }
  instruments_ = std::move(instruments);
  instruments_known_ = true;
  refold(now);
  if (was_away) propose_all(now);  // what ended for want of a node
  apply(now);
}

void Core::node_spoke() {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  const bool was_away = now.us - last_contact_.us > config_.ttl_us / 2;
  last_contact_ = now;
  if (!was_away) return;
  propose_all(now);
  apply(now);
}

void Core::propose_all(Time now) {
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].usable) propose_addresses(static_cast<uint32_t>(i + 1), now);
  }
}

void Core::protect(const Target& target, const std::string& why) {
  const Lock lock(mutex_);
  if (lists_.find(target)) return;
  if (target.kind == enforce::TargetKind::kName) {
    lists_.add_name(target.host, why, true);
  } else {
    lists_.add_prefix(target.prefix, why, true);
    allow_changed_ = true;
  }
  const Time now = clock_.now();
  for (const Lease& lease : book_->snapshot(false)) {
    if (lists_.find(lease.target)) end({.id = lease.id}, enforce::ended::kGuard, now);
  }
  apply(now);
}

void Core::on_page(const Source& source, const std::vector<std::string_view>& objects, std::optional<Time> position) {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  last_contact_ = now;
  const uint32_t number = source_number(source);
  refold(now);
  for (const std::string_view raw : objects) take(number, raw, now);
  // In force first, on disk second: a page that is read twice does no harm, a block that waits for a disk does.
  apply(now);
  append_objects(source, objects, position, now);
  if (position) positions_[source.collection] = *position;
}

std::optional<Time> Core::position(const std::string& collection) const {
  const Lock lock(mutex_);
  const auto it = positions_.find(collection);
  return it == positions_.end() ? std::nullopt : std::optional(it->second);
}

void Core::take(uint32_t source, std::string_view raw, Time arrived) {
  auto read = read_object(raw);
  if (!read.ok()) {
    ++objects_bad_;
    return;
  }
  if (read->indicator) return take_indicator(source, std::move(*read->indicator), arrived);
  if (!read->marking) return;
  const std::string id = read->marking->id;
  if (!markings_.emplace(id, read->marking->pap).second) return;
  // What came before its marking was judged by the strictest; now the marking says what it is.
  for (size_t i = 0; i < rows_.size(); ++i) {
    const auto& marks = rows_[i].indicator.markings;
    if (rows_[i].usable && std::find(marks.begin(), marks.end(), id) != marks.end())
      propose_addresses(static_cast<uint32_t>(i + 1), clock_.now());
  }
}

void Core::take_indicator(uint32_t source, ReceivedIndicator in, Time arrived) {
  const Time now = clock_.now();
  const std::string& agreement = sources_[source].agreement;
  const std::string id = in.id;
  auto [slot, added] = tags_.try_emplace({source, id}, static_cast<uint32_t>(rows_.size() + 1));
  if (added) rows_.emplace_back();
  const uint32_t tag = slot->second;
  Row& row = rows_[tag - 1];
  if (!added && in.version_time <= row.indicator.version_time) return;  // the same or an older version
  const bool same_pattern = !added && in.pattern == row.indicator.pattern && !in.revoked;
  const std::string live_id = sources_[source].collection + "/" + id;
  ++indicators_taken_;
  if (!added && !same_pattern) {
    live_.remove(live_id);
    remove_compound(tag, live_id);
    for (const Lease* lease : book_->of_indicator(id)) {
      if (lease->agreement == agreement) end({.id = lease->id}, enforce::ended::kRevoked, now);
    }
  }
  const Time first_arrived = same_pattern ? row.arrived : arrived;
  row = Row{source, std::move(in), first_arrived, false};
  ReceivedIndicator& i = row.indicator;
  if (i.revoked) {
    ++revoked_;
    emit("indicator_revoked", json::Node::object().set("indicator", id).set("partner", sources_[source].partner));
    return;
  }
  detect::Indicator facts;
  facts.id = live_id;
  facts.version = i.version;
  facts.valid_from = i.valid_from;
  facts.valid_until = i.valid_until;
  facts.confidence = i.confidence;
  facts.tag = tag;
  if (i.compound) {
    const Status added_compound = add_compound(tag, facts, *i.compound);
    if (!added_compound.ok()) {
      if (i.atoms.empty()) i.unusable = added_compound.error().text();
      i.compound.reset();
    }
  }
  if (i.atoms.empty() && !i.compound) {
    ++unusable_;
    emit("indicator_unusable", json::Node::object().set("indicator", id).set("why", i.unusable));
    return;
  }
  row.usable = true;
  for (const pattern::Atom& atom : i.atoms)
    if (atom.kind == pattern::AtomKind::kJa3 || atom.kind == pattern::AtomKind::kJa4)
      fingerprints_.store(true, std::memory_order_release);
  if (!i.atoms.empty()) live_.add(facts, i.atoms);
  // What was there at the start was asked about when it came.
  if (started_ && history_ != nullptr && !same_pattern && !i.atoms.empty()) not_asked_.push_back(tag);
  generation_.fetch_add(1, std::memory_order_release);
  if (i.valid_from > now) begins_.emplace(i.valid_from.us, tag);
  // A new version may end sooner than the leases of the old one.
  for (const Lease* lease : book_->of_indicator(id)) {
    if (lease->agreement == agreement && lease->in_force() && lease->end > i.valid_until)
      book_->renew(lease->id, i.valid_until, now);
  }
  propose_addresses(tag, now);
}

std::string Core::tlp_of(const Row& row) {
  std::string tlp;
  for (const std::string& id : row.indicator.markings) {
    if (stix::tlp_of_id(id)) tlp = id;
  }
  return tlp;
}

std::optional<stix::Pap> Core::pap_of(const Row& row) const {
  std::optional<stix::Pap> strictest;
  for (const std::string& id : row.indicator.markings) {
    if (stix::tlp_of_id(id)) continue;
    const auto it = markings_.find(id);
    // A marking whose definition has not come: unsure means narrow.
    const std::optional<stix::Pap> pap = it == markings_.end() ? std::optional(stix::Pap::kRed) : it->second;
    if (pap && (!strictest || *pap > *strictest)) strictest = pap;
  }
  return strictest;
}

// ---- leases

enforce::Proposal Core::proposal(const Row& row, const Target& target, const std::string& via_name, Time) const {
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
    if (const auto it = names_.find(target.text()); it != names_.end())
      p.names_on_address.assign(it->second.names.begin(), it->second.names.end());
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
  const Time until = lease_end(row, via_name, seen != nullptr ? seen->dns_ttl_us : std::nullopt, now);
  if (renewal && old->end.us - now.us > (until.us - now.us) / 2) return;
  if (!renewal && lifted_.contains(key_of(i, target))) return;
  enforce::Proposal p = proposal(row, target, via_name ? seen->via_name : "", now);
  p.renewal = renewal;
  p.approved = approved;
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
  const uint64_t id = book_->grant(std::move(lease), now);
  sync_target(target);
  const Lease* granted = book_->find(id);
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

const JointOrder* Core::joint_order(const ReceivedIndicator& indicator) const {
  const auto it = orders_.find(indicator.id);
  return it != orders_.end() && it->second.version == indicator.version ? &it->second : nullptr;
}

// A measure that begins, ends or changes has its leases judged anew at once: T-0 and a stand-down are moments.
void Core::refold_joint(Time now) {
  if (instruments_.joint_orders() == orders_) return;
  std::set<std::string> changed;
  const JointOrders& fresh = instruments_.joint_orders();
  for (const JointOrders* side : {&std::as_const(orders_), &fresh}) {
    const auto& other = side == &orders_ ? fresh : orders_;
    for (const auto& [indicator, order] : *side) {
      const auto it = other.find(indicator);
      if (it == other.end() || !(it->second == order)) changed.insert(indicator);
    }
  }
  const JointOrders before = std::exchange(orders_, fresh);
  for (const auto& indicator : changed) {
    const bool began = orders_.contains(indicator);
    const JointOrder& order = began ? orders_.at(indicator) : before.at(indicator);
    emit("joint_measure", json::Node::object()
                              .set("action", order.action)
                              .set("title", order.title)
                              .set("indicator", indicator)
                              .set("do", order.drop ? "drop" : "count")
                              .set("in_effect", began));
    for (const Lease* lease : book_->of_indicator(indicator)) {
      // What a name led to is only leased again when it is seen again: if it does what the measure wants, it stays.
      const bool fits = lease->joint.empty() && (!began || (lease->state == LeaseState::kActive) == order.drop);
      if (lease->via_name.empty() || !fits) end({.id = lease->id}, enforce::ended::kJoint, now);
    }
  }
  // Then as the agreement alone, or the new measure, says.
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].usable && changed.contains(rows_[i].indicator.id))
      propose_addresses(static_cast<uint32_t>(i + 1), now);
  }
}

std::string Core::joint_report() {
  const Lock lock(mutex_);
  std::map<std::string, agreement::JointReport> by_action;
  for (const auto& [indicator, order] : orders_) by_action.try_emplace(order.action);
  if (by_action.empty() && joint_told_.empty()) return {};
  for (const auto& [action, report] : joint_told_) by_action.try_emplace(action);
  for (const Lease& lease : book_->snapshot(true)) {
    const auto it = by_action.find(lease.joint);
    if (it == by_action.end()) continue;
    agreement::JointReport& r = it->second;
    r.hits += lease.hits;
    if (lease.state == LeaseState::kActive) ++r.dropping;
    if (lease.state == LeaseState::kShadow) ++r.counting;
    if (lease.state == LeaseState::kWaiting) ++r.waiting;
  }
  json::Node list = json::Node::array();
  for (auto& [action, r] : by_action) {
    if (const auto it = joint_refused_.find(action); it != joint_refused_.end()) r.refused = it->second.size();
    json::Node n = json::Node::object();
    n.set("action", action).set("dropping", r.dropping).set("counting", r.counting).set("waiting", r.waiting);
    n.set("refused", r.refused).set("hits", r.hits);
    std::string& told = joint_told_[action];
    std::string text = json::write(n);
    if (told == text) continue;
    told = std::move(text);
    list.push(std::move(n));
  }
  if (list.list().empty()) return {};
  return json::write(json::Node::object().set("reports", std::move(list)));
}

void Core::joint_report_lost() {
  const Lock lock(mutex_);
  for (auto& [action, told] : joint_told_) told.clear();
}

void Core::refold(Time now) {
  if (!instruments_known_) return;
  instruments_.fold(now);
  refold_joint(now);
  std::set<std::pair<std::string, std::string>> pairs;
  for (const Source& s : sources_) {
    if (!s.agreement.empty()) pairs.emplace(s.agreement, s.partner);
  }
  if (live_pairs_.empty()) {  // the first time: leases may rest on agreements that nothing else speaks of
    for (const Lease& lease : book_->snapshot(false)) {
      if (!lease.agreement.empty()) pairs.emplace(lease.agreement, lease.partner);
    }
  }
  for (const auto& pair : pairs) {
    const bool is_live = instruments_.live(pair.first, pair.second);
    const auto known = live_pairs_.find(pair);
    if (known != live_pairs_.end() && known->second == is_live) continue;
    live_pairs_[pair] = is_live;
    emit("agreement",
         json::Node::object().set("agreement", pair.first).set("partner", pair.second).set("live", is_live));
    if (!is_live) {
      end({.agreement = pair.first, .partner = pair.second}, enforce::ended::kAgreement, now);
    } else {
      for (size_t i = 0; i < rows_.size(); ++i) {
        const Source& s = sources_[rows_[i].source];
        if (rows_[i].usable && s.agreement == pair.first && s.partner == pair.second)
          propose_addresses(static_cast<uint32_t>(i + 1), now);
      }
    }
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

// ---- from the packets

void Core::on_name(std::string_view name, std::string_view address) {
  const auto canonical = enforce::canonical_name(name);
  const auto prefix = enforce::parse_prefix(address);
  if (!canonical.ok() || !prefix.ok()) return;
  const std::string key = prefix->text();
  const Lock lock(mutex_);
  auto it = names_.find(key);
  if (it == names_.end()) {
    if (names_.size() >= kMaxAddresses) {
      names_.erase(names_used_.front());
      names_used_.pop_front();
    }
    names_used_.push_back(key);
    it = names_.emplace(key, Names{std::prev(names_used_.end()), {}}).first;
  } else {
    names_used_.splice(names_used_.end(), names_used_, it->second.used);
  }
  std::set<std::string>& names = it->second.names;
  if (names.contains(*canonical)) return;
  const bool is_protected = lists_.find_name(*canonical, false).has_value();
  if (names.size() >= kMaxNames && !is_protected) return;
  names.insert(*canonical);
  if (!is_protected || book_->on_target(key).empty()) return;
  // The address turns out to serve a protected name: lifted first, examined after (safety rule 11).
  const Time now = clock_.now();
  for (const Lease& lease : book_->end({.target = key}, enforce::ended::kGuard, now)) {
    ++refusals_["PROTECTED_NAME"];
    emit("guard_refused",
         json::Node::object()
             .set("code", "PROTECTED_NAME")
             .set("indicator", lease.indicator)
             .set("target", key)
             .set("sentence", key + " turned out to serve " + *canonical + ", which is on a protected list"));
    ended({lease});
  }
  apply(now);
}

void Core::on_seen(const Seen& seen) {
  const Lock lock(mutex_);
  if (seen.tag == 0 || seen.tag > rows_.size()) return;
  const Row& row = rows_[seen.tag - 1];
  if (!row.usable) return;
  const Time now = clock_.now();
  ++detections_;
  const bool fresh = sightings_.seen(row.indicator.id, seen.value, tlp_of(row), seen.time);
  if (fresh) {
    json::Node e = json::Node::object();
    e.set("indicator", row.indicator.id)
        .set("value", seen.value)
        .set("field", seen.field)
        .set("source", seen.source)
        .set("seen", to_text(seen.time));
    if (!seen.src.empty()) e.set("src", seen.src).set("dst", seen.dst);
    if (!seen.address.empty()) e.set("address", seen.address);
    if (!sources_[row.source].partner.empty()) e.set("partner", sources_[row.source].partner);
    emit("detection", std::move(e));
  }
  if (!seen.address.empty()) {
    if (const auto prefix = enforce::parse_prefix(seen.address); prefix.ok())
      consider(seen.tag, Target::of(*prefix), &seen, now);
  } else if (fresh && !row.indicator.atoms.empty() && is_address(row.indicator.atoms.front().kind)) {
    propose_addresses(seen.tag, now);
  }
  if (!pending_.empty()) apply(now);
}

// ---- time

void Core::emit(std::string event, json::Node members) { pending_.push_back({std::move(event), std::move(members)}); }

void Core::flush_events() {
  const Time now = clock_.now();
  std::vector<Pending> kept;
  for (Pending& p : pending_) {
    // "applied" is said when it is true.
    if (!enforcer_error_.empty() && p.event == "lease_applied") {
      kept.push_back(std::move(p));
    } else {
      events_.write(now, p.event, p.members);
    }
  }
  pending_ = std::move(kept);
}

void Core::apply(Time now) {
  if (now >= retry_enforcer_ || now.us < retry_enforcer_.us - 2 * kSecond) {
    if (allow_changed_) reconciler_.restart();
    const auto done = reconciler_.flush(lists_.prefixes(), now);
    if (done.ok()) {
      allow_changed_ = false;
      if (!enforcer_error_.empty()) emit("enforcer_recovered", json::Node::object().set("enforcer", enforcer_.name()));
      enforcer_error_.clear();
    } else {
      if (enforcer_error_.empty()) {
        say_error("{}: {}", enforcer_.name(), done.error().text());
        emit("enforcer_failed",
             json::Node::object().set("enforcer", enforcer_.name()).set("error", done.error().text()));
      }
      enforcer_error_ = done.error().text();
      retry_enforcer_ = now.plus_us(kSecond);
    }
  }
  if (names_enforcer_ != nullptr) {
    const auto done = names_enforcer_->flush(now);
    const std::string why = done.ok() ? "" : done.error().text();
    if (!done.ok() && names_error_.empty()) {
      say_error("{}: {}", names_enforcer_->name(), why);
      emit("enforcer_failed", json::Node::object().set("enforcer", names_enforcer_->name()).set("error", why));
    } else if (done.ok() && !names_error_.empty()) {
      emit("enforcer_recovered", json::Node::object().set("enforcer", names_enforcer_->name()));
    }
    names_error_ = why;
  }
  flush_events();
}

// What the enforcer dropped of a lease, as a sighting of its indicator.
void Core::sight(const Lease& lease, const enforce::Prefix& prefix, uint64_t packets) {
  for_each_tag(lease, [&](uint32_t tag) {
    sightings_.seen(lease.indicator, prefix.text(), tlp_of(rows_[tag - 1]), clock_.now(), packets);
  });
}

// The enforcer counted on while this process was away. What the book has of it is not counted again.
void Core::resume_hits() {
  const auto hits = enforcer_.hits();
  if (!hits.ok()) return;
  for (const enforce::Hits& h : *hits) {
    uint64_t known = 0;
    for (const Lease* lease : book_->on_target(h.prefix.text())) known = std::max(known, lease->hits);
    last_hits_[h.prefix] = std::min(known, h.packets);
  }
}

void Core::poll_hits() {
  const auto hits = enforcer_.hits();
  if (!hits.ok()) return;
  for (const enforce::Hits& h : *hits) {
    uint64_t& last = last_hits_[h.prefix];
    // The counter begins again when an element is set again.
    const uint64_t more = h.packets >= last ? h.packets - last : h.packets;
    last = h.packets;
    if (more == 0) continue;
    for (const Lease* lease : book_->on_target(h.prefix.text())) {
      book_->count(lease->id, more);
      if (enforcer_.drops_before_capture() && lease->state == LeaseState::kActive) sight(*lease, h.prefix, more);
      stopped_by_partner_[lease->partner] += more;
    }
  }
}

void Core::tick() {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  const std::vector<Lease> over = book_->expire(now);
  ended(over);
  if (now.us - last_contact_.us <= config_.ttl_us) {
    // One that ended because nobody renewed it in time (the machine slept), though its indicator still holds.
    for (const Lease& lease : over) {
      if (!lease.via_name.empty()) continue;
      for_each_tag(lease, [&](uint32_t tag) { consider(tag, lease.target, nullptr, now); });
    }
  }
  while (!begins_.empty() && begins_.begin()->first <= now.us) {
    const uint32_t tag = begins_.begin()->second;
    begins_.erase(begins_.begin());
    if (rows_[tag - 1].usable) propose_addresses(tag, now);
  }
  const bool each_second = now.us - last_sync_.us >= kSecond || now < last_sync_;
  refold(now);
  if (each_second) {
    renew(now);
    if (auto done = enforcer_.alive(); !done.ok()) say_error("{}: {}", enforcer_.name(), done.error().text());
  }
  sightings_.tick(now);
  if (now >= next_hits_) {
    const int64_t began = clock_.steady_us();
    poll_hits();
    // Reading the counters of a hundred thousand elements takes seconds: never more than a twentieth of the time.
    next_hits_ = now.plus_us(std::max(kSecond, 20 * (clock_.steady_us() - began)));
  }
  apply(now);
  if (auto done = book_->flush(each_second); !done.ok() && each_second)
    say_error("lease book: {}", done.error().text());
  if (each_second) {
    if (auto done = sightings_.save(); !done.ok()) say_error("sightings: {}", done.error().text());
    last_sync_ = now;
  }
}

void Core::stop() {
  const Lock lock(mutex_);
  const Time now = clock_.now();
  poll_hits();
  sightings_.finish(now);
  (void)sightings_.save().ok();
  emit("stopped", json::Node::object());
  flush_events();
  // A lease keeps the count it had when it is written again.
  if (auto done = book_->flush(true); !done.ok()) say_error("lease book: {}", done.error().text());
  if (!config_.clear_at_stop) return;
  if (names_enforcer_ != nullptr) {
    if (auto done = names_enforcer_->clear(); !done.ok())
      say_error("{}: {}", names_enforcer_->name(), done.error().text());
  }
  if (auto done = enforcer_.clear(); !done.ok()) say_error("{}: {}", enforcer_.name(), done.error().text());
}

std::vector<std::string> Core::sightings_due() {
  const Lock lock(mutex_);
  return sightings_.batch(200);
}

void Core::sightings_done(size_t delivered, size_t refused) {
  const Lock lock(mutex_);
  sightings_.delivered(delivered);
  sightings_.refused(refused);
  if (refused > 0) emit("sightings_refused", json::Node::object().set("count", refused));
}

std::vector<Lease> Core::leases(bool with_ended) {
  const Lock lock(mutex_);
  return book_->snapshot(with_ended);
}

}  // namespace entente::sensor
