#include "enforce/lease.h"

#include <algorithm>

#include "base/bytes.h"
#include "json/json.h"

namespace entente::enforce {

namespace {

constexpr std::string_view kStates[] = {"active", "shadow", "waiting", "ended"};
constexpr int64_t kMinute = 60'000'000;
constexpr int64_t kHour = 60 * kMinute;
constexpr std::string_view kHeader = R"({"format":"entente-leases/1"})";

}  // namespace

std::string_view to_text(LeaseState state) { return kStates[static_cast<size_t>(state)]; }

Result<LeaseState> parse_lease_state(std::string_view text) {
  for (size_t i = 0; i < std::size(kStates); ++i) {
    if (kStates[i] == text) return static_cast<LeaseState>(i);
  }
  return invalid("unknown lease state \"" + printable(text, 20) + "\"");
}

json::Node to_json(const Lease& l) {
  json::Node n = json::Node::object();
  n.set("id", l.id)
      .set("target", l.target.text())
      .set("state", to_text(l.state))
      .set("start", to_text(l.start))
      .set("end", to_text(l.end));
  const auto put = [&](const char* key, const std::string& value) {
    if (!value.empty()) n.set(key, value);
  };
  put("reason", l.reason);
  put("indicator", l.indicator);
  put("version", l.version);
  put("partner", l.partner);
  put("agreement", l.agreement);
  put("article", l.article);
  put("batch", l.batch);
  put("joint", l.joint);
  if (l.step != 0) n.set("step", l.step);
  put("code", l.code);
  put("sentence", l.sentence);
  put("detection", l.detection);
  put("via_name", l.via_name);
  n.set("hits", l.hits);
  if (l.clients_before) n.set("clients_before", *l.clients_before);
  if (l.state == LeaseState::kEnded) n.set("ended_by", l.ended_by).set("ended_at", to_text(l.ended_at));
  return n;
}

Result<Lease> lease_from_json(const json::Value& v) {
  Lease l;
  const auto text = [&](const char* key) { return std::string(json::find_string(v, key).value_or("")); };
  const auto id = json::find_int(v, "id");
  if (!id || *id <= 0) return invalid("a lease has no number");
  l.id = static_cast<uint64_t>(*id);
  TRY(l.target, parse_target(text("target")));
  TRY(l.state, parse_lease_state(text("state")));
  TRY(l.start, parse_time(text("start")));
  TRY(l.end, parse_time(text("end")));
  l.reason = text("reason");
  l.indicator = text("indicator");
  l.version = text("version");
  l.partner = text("partner");
  l.agreement = text("agreement");
  l.article = text("article");
  l.batch = text("batch");
  l.joint = text("joint");
  l.step = static_cast<int>(json::find_int(v, "step").value_or(0));
  l.code = text("code");
  l.sentence = text("sentence");
  l.detection = text("detection");
  l.via_name = text("via_name");
  l.hits = static_cast<uint64_t>(std::max<int64_t>(0, json::find_int(v, "hits").value_or(0)));
  if (const auto n = json::find_int(v, "clients_before"); n && *n >= 0) l.clients_before = static_cast<uint64_t>(*n);
  if (l.state == LeaseState::kEnded) {
    l.ended_by = text("ended_by");
    TRY(l.ended_at, parse_time(text("ended_at")));
  }
  return l;
}

Result<std::unique_ptr<LeaseBook>> LeaseBook::open(Files& files, std::string path, Time now, Options options) {
  std::unique_ptr<LeaseBook> book(new LeaseBook(files, std::move(path), options));
  if (files.exists(book->path_)) {
    TRY(const std::string text, files.read(book->path_));
    book->load(text);
  }
  book->expire(now);
  book->forget_ended();
  // The rate caps hold across restarts: a sensor that is killed in a loop gets no new budget each time.
  std::vector<std::pair<int64_t, std::string>> granted;
  for (const auto& [id, lease] : book->leases_) {
    if (lease.state != LeaseState::kWaiting && lease.start.us > now.us - kHour)
      granted.emplace_back(lease.start.us, lease.partner);
  }
  std::sort(granted.begin(), granted.end());
  for (auto& grant : granted) {
    ++book->granted_by_partner_[grant.second];
    book->granted_.push_back(std::move(grant));
  }
  // A fresh file to append to: no torn tail, no history that nobody needs.
  const std::string whole = book->compacted();
  if (files.write_atomic(book->path_, whole, 0600).ok()) {
    book->file_bytes_ = whole.size();
    book->pending_.clear();
  } else {
    // A full disk: the old file stays, and flush() says so. A sensor that cannot write still has to block.
    book->torn_ = true;
    book->file_bytes_ = book->options_.compact_bytes;
  }
  return book;
}

void LeaseBook::load(std::string_view text) {
  while (!text.empty()) {
    const size_t eol = text.find('\n');
    if (eol == std::string_view::npos) {
      ++damaged_;  // torn: the write it belonged to was never acknowledged
      return;
    }
    if (eol > 0) apply_line(text.substr(0, eol));
    text.remove_prefix(eol + 1);
  }
}

void LeaseBook::apply_line(std::string_view line) {
  const auto document = json::parse(line);
  if (!document.ok()) {
    ++damaged_;
    return;
  }
  const json::Value v = document->root();
  const std::string_view op = json::find_string(v, "op").value_or("");
  const auto id = static_cast<uint64_t>(json::find_int(v, "id").value_or(0));
  const auto time = [&](const char* key) { return parse_time(json::find_string(v, key).value_or("")); };
  const auto it = leases_.find(id);
  if (op == "lease") {
    auto lease = lease_from_json(v);
    if (!lease.ok()) {
      ++damaged_;
    } else {
      put(std::move(*lease));
    }
  } else if (op == "next") {
    next_ = std::max(next_, id);
  } else if (op == "renew" && it != leases_.end()) {
    const auto end = time("end");
    if (end.ok()) renew(id, *end, it->second.start);
  } else if (op == "approve" && it != leases_.end()) {
    const auto end = time("end");
    const auto start = time("start");
    const auto state = parse_lease_state(json::find_string(v, "state").value_or(""));
    if (end.ok() && start.ok() && state.ok()) approve(id, *state, *end, *start);
  } else if (op == "end" && it != leases_.end()) {
    const auto at = time("t");
    if (at.ok() && it->second.state != LeaseState::kEnded) {
      it->second.hits = static_cast<uint64_t>(std::max<int64_t>(0, json::find_int(v, "hits").value_or(0)));
      finish(it->second, json::find_string(v, "why").value_or(""), *at);
    }
  } else if (!json::find_string(v, "format")) {
    ++damaged_;
  }
}

void LeaseBook::put(Lease lease) {
  const uint64_t id = lease.id;
  if (leases_.contains(id)) return;
  next_ = std::max(next_, id + 1);
  ++counts_[static_cast<size_t>(lease.state)];
  if (lease.state == LeaseState::kEnded) {
    ended_.push_back(id);
  } else {
    by_target_[lease.target.text()].insert(id);
    by_indicator_[lease.indicator].insert(id);
    if (lease.in_force()) by_end_.emplace(lease.end.us, id);
    if (lease.state == LeaseState::kWaiting) waiting_.insert(id);
  }
  leases_.emplace(id, std::move(lease));
}

void LeaseBook::set_state(Lease& lease, LeaseState state) {
  --counts_[static_cast<size_t>(lease.state)];
  ++counts_[static_cast<size_t>(state)];
  lease.state = state;
}

void LeaseBook::journal(const json::Node& line) {
  ++revision_;
  json::append(pending_, line);
  pending_ += '\n';
}

uint64_t LeaseBook::grant(Lease lease, Time now) {
  lease.id = next_++;
  lease.start = now;
  forget_grants(now);
  if (lease.in_force()) {
    granted_.emplace_back(now.us, lease.partner);
    ++granted_by_partner_[lease.partner];
  }
  const uint64_t id = lease.id;
  put(std::move(lease));
  json::Node line = json::Node::object();
  line.set("op", "lease");
  const json::Node described = to_json(leases_.at(id));
  for (const auto& [key, value] : described.members()) line.set(key, value);
  journal(line);
  while (waiting_.size() > options_.max_waiting) finish(leases_.at(*waiting_.begin()), "overflow", now);
  return id;
}

bool LeaseBook::renew(uint64_t id, Time end, Time now) {
  const auto it = leases_.find(id);
  if (it == leases_.end() || !it->second.in_force() || end <= now) return false;
  by_end_.erase({it->second.end.us, id});
  it->second.end = end;
  by_end_.emplace(end.us, id);
  journal(json::Node::object().set("op", "renew").set("id", id).set("end", to_text(end)));
  return true;
}

bool LeaseBook::approve(uint64_t id, LeaseState state, Time end, Time now) {
  const auto it = leases_.find(id);
  if (it == leases_.end() || it->second.state != LeaseState::kWaiting || end <= now) return false;
  if (state != LeaseState::kActive && state != LeaseState::kShadow) return false;
  waiting_.erase(id);
  set_state(it->second, state);
  it->second.start = now;
  it->second.end = end;
  by_end_.emplace(end.us, id);
  journal(json::Node::object()
              .set("op", "approve")
              .set("id", id)
              .set("state", to_text(state))
              .set("start", to_text(now))
              .set("end", to_text(end)));
  return true;
}

void LeaseBook::finish(Lease& lease, std::string_view why, Time now) {
  const auto unlink = [&](auto& index, const std::string& key) {
    const auto it = index.find(key);
    if (it == index.end()) return;
    it->second.erase(lease.id);
    if (it->second.empty()) index.erase(it);
  };
  unlink(by_target_, lease.target.text());
  unlink(by_indicator_, lease.indicator);
  by_end_.erase({lease.end.us, lease.id});
  waiting_.erase(lease.id);
  set_state(lease, LeaseState::kEnded);
  lease.ended_by = why;
  lease.ended_at = now;
  ended_.push_back(lease.id);
  journal(json::Node::object()
              .set("op", "end")
              .set("id", lease.id)
              .set("why", why)
              .set("t", to_text(now))
              .set("hits", lease.hits));
  forget_ended();
}

void LeaseBook::forget_ended() {
  while (ended_.size() > options_.keep_ended) {
    leases_.erase(ended_.front());
    --counts_[static_cast<size_t>(LeaseState::kEnded)];
    ended_.pop_front();
  }
}

std::vector<uint64_t> LeaseBook::select(const LeaseQuery& q) const {
  std::vector<uint64_t> out;
  const auto fits = [&](const Lease& l) {
    return l.state != LeaseState::kEnded && (!q.id || *q.id == l.id) && (!q.indicator || *q.indicator == l.indicator) &&
           (!q.agreement || *q.agreement == l.agreement) && (!q.partner || *q.partner == l.partner) &&
           (!q.target || *q.target == l.target.text()) && (!q.granted_since || l.start >= *q.granted_since);
  };
  const auto from_index = [&](const auto& index, const std::string& key) {
    if (const auto it = index.find(key); it != index.end()) {
      for (const uint64_t id : it->second) {
        if (fits(leases_.at(id))) out.push_back(id);
      }
    }
  };
  if (q.id) {
    if (const auto it = leases_.find(*q.id); it != leases_.end() && fits(it->second)) out.push_back(*q.id);
  } else if (q.indicator) {
    from_index(by_indicator_, *q.indicator);
  } else if (q.target) {
    from_index(by_target_, *q.target);
  } else {
    for (const auto& [id, lease] : leases_) {
      if (fits(lease)) out.push_back(id);
    }
  }
  return out;
}

std::vector<Lease> LeaseBook::end(const LeaseQuery& query, std::string_view why, Time now) {
  std::vector<Lease> out;
  for (const uint64_t id : select(query)) {
    Lease& lease = leases_.at(id);
    Lease copy = lease;
    copy.state = LeaseState::kEnded;
    copy.ended_by = why;
    copy.ended_at = now;
    finish(lease, why, now);
    out.push_back(std::move(copy));
  }
  return out;
}

std::vector<Lease> LeaseBook::expire(Time now) {
  std::vector<Lease> out;
  while (!by_end_.empty() && by_end_.begin()->first <= now.us) {
    auto some = end({.id = by_end_.begin()->second}, ended::kTime, now);
    out.insert(out.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
  return out;
}

void LeaseBook::count(uint64_t id, uint64_t hits) {
  if (const auto it = leases_.find(id); it != leases_.end()) it->second.hits += hits;
}

const Lease* LeaseBook::find(uint64_t id) const {
  const auto it = leases_.find(id);
  return it == leases_.end() ? nullptr : &it->second;
}

const Lease* LeaseBook::find(const std::string& target, const std::string& indicator,
                             const std::string* agreement) const {
  const auto it = by_target_.find(target);
  if (it == by_target_.end()) return nullptr;
  for (const uint64_t id : it->second) {
    if (const Lease& lease = leases_.at(id);
        lease.indicator == indicator && (agreement == nullptr || lease.agreement == *agreement))
      return &lease;
  }
  return nullptr;
}

std::vector<const Lease*> LeaseBook::on_target(const std::string& target) const {
  std::vector<const Lease*> out;
  if (const auto it = by_target_.find(target); it != by_target_.end()) {
    for (const uint64_t id : it->second) {
      if (const Lease& lease = leases_.at(id); lease.in_force()) out.push_back(&lease);
    }
  }
  return out;
}

std::vector<const Lease*> LeaseBook::of_indicator(const std::string& indicator) const {
  std::vector<const Lease*> out;
  if (const auto it = by_indicator_.find(indicator); it != by_indicator_.end()) {
    for (const uint64_t id : it->second) out.push_back(&leases_.at(id));
  }
  return out;
}

std::vector<Lease> LeaseBook::snapshot(bool with_ended) const {
  std::vector<Lease> out;
  for (const auto& [id, lease] : leases_) {
    if (with_ended || lease.state != LeaseState::kEnded) out.push_back(lease);
  }
  return out;
}

std::vector<Lease> LeaseBook::in_force(uint64_t after, size_t limit) const {
  std::vector<Lease> out;
  for (auto it = leases_.upper_bound(after); it != leases_.end() && out.size() < limit; ++it) {
    if (it->second.in_force()) out.push_back(it->second);
  }
  return out;
}

void LeaseBook::for_each_ending_before(Time t, const std::function<void(const Lease&)>& fn) const {
  for (const auto& [end, id] : by_end_) {
    if (end >= t.us) return;
    fn(leases_.at(id));
  }
}

void LeaseBook::forget_grants(Time now) {
  while (!granted_.empty() && granted_.front().first <= now.us - kHour) {
    const auto it = granted_by_partner_.find(granted_.front().second);
    if (--it->second == 0) granted_by_partner_.erase(it);
    granted_.pop_front();
  }
}

Usage LeaseBook::usage(const std::string& partner, Time now) {
  forget_grants(now);
  Usage u;
  u.entries = by_end_.size();
  const auto last_minute = std::partition_point(granted_.begin(), granted_.end(),
                                                [&](const auto& g) { return g.first <= now.us - kMinute; });
  u.granted_last_minute = static_cast<size_t>(granted_.end() - last_minute);
  const auto it = granted_by_partner_.find(partner);
  u.granted_by_partner_last_hour = it == granted_by_partner_.end() ? 0 : it->second;
  return u;
}

std::string LeaseBook::compacted() const {
  std::string out(kHeader);
  out += '\n';
  json::append(out, json::Node::object().set("op", "next").set("id", next_));
  out += '\n';
  for (const auto& [id, lease] : leases_) {
    json::Node line = json::Node::object();
    line.set("op", "lease");
    const json::Node described = to_json(lease);
    for (const auto& [key, value] : described.members()) line.set(key, value);
    json::append(out, line);
    out += '\n';
  }
  return out;
}

Status LeaseBook::flush(bool sync) {
  constexpr uint64_t kLine = 450;  // octets of one lease, about: only decides when to rewrite
  if (file_bytes_ + pending_.size() > std::max<uint64_t>(options_.compact_bytes, 2 * kLine * leases_.size())) {
    const std::string whole = compacted();
    CHECK_OK(files_.write_atomic(path_, whole, 0600));
    file_bytes_ = whole.size();
    pending_.clear();
    torn_ = false;
    return {};
  }
  if (pending_.empty() && !sync) return {};
  if (torn_) pending_.insert(0, "\n");  // ends the half line that a failed write may have left
  torn_ = true;
  CHECK_OK(files_.append(path_, pending_, sync));
  torn_ = false;
  file_bytes_ += pending_.size();
  pending_.clear();
  return {};
}

}  // namespace entente::enforce
