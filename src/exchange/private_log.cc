#include "exchange/private_log.h"

#include <utility>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/names.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kLookUs = kSecondUs / 2;
constexpr int64_t kQuietUs = 60 * kSecondUs;  // what was sent is said to be all after so long, not after every batch
constexpr int64_t kClockUs = 3600 * kSecondUs;
constexpr size_t kLongestBody = 64 * 1024;
constexpr Period kDefaultAnchor{0, 3600 * kSecondUs};

constexpr std::string_view kAnchorSpace = "anchor";      // agreement -> time and moment of the newest
constexpr std::string_view kEntitledSpace = "entitled";  // "agreement party" -> the newest
constexpr std::string_view kSetSpace = "set-to";         // "config", "key" -> digest of what the newest leaf says

std::string pair_key(std::string_view agreement_id, std::string_view peer) {
  return std::string(agreement_id) + " " + std::string(peer);
}

bool is_secret(std::string_view name) { return name == "password" || name == "token" || name == "secret"; }

json::Node strip(const json::Node& n) {
  if (n.is_array()) {
    json::Node out = json::Node::array();
    for (const auto& one : n.list()) out.push(strip(one));
    return out;
  }
  if (!n.is_object()) return n;
  json::Node out = json::Node::object();
  for (const auto& [name, value] : n.members()) {
    if (!is_secret(name)) out.set(name, strip(value));
  }
  return out;
}

}  // namespace

Period anchor_period(const agreement::Document& document) {
  const json::Node* ledger = document.node.find("ledger");
  if (ledger == nullptr) return kDefaultAnchor;
  const auto period = parse_period(ledger->string_at("private_anchor"));
  return period.ok() ? *period : kDefaultAnchor;
}

std::string without_secrets(std::string_view body) {
  if (body.empty()) return {};
  const auto doc = json::parse(body);
  // Not JSON, or long: its digest stands for it.
  if (!doc.ok() || body.size() > kLongestBody) return "sha256 " + sha256_hex(body);
  return json::canonical(strip(json::Node::from(doc->root())));
}

PrivateLog::PrivateLog(Context& context, Instruments& instruments, Evidence& evidence)
    : cx_(context), instruments_(instruments), evidence_(evidence) {
  if (const auto all = cx_.store.all(kAnchorSpace); all.ok()) {
    for (const auto& [id, value] : *all) {
      const size_t space = value.find(' ');
      if (const auto at = parse_time(value.substr(0, space)); at.ok() && space != std::string::npos)
        anchored_[id] = {*at, value.substr(space + 1)};
    }
  }
  if (const auto all = cx_.store.all(kEntitledSpace); all.ok()) {
    for (const auto& [key, value] : *all) {
      const auto doc = json::parse(value);
      if (!doc.ok()) continue;
      Entitlement e;
      e.leaf = static_cast<uint64_t>(json::find_int(doc->root(), "leaf").value_or(0));
      e.withheld = static_cast<uint64_t>(json::find_int(doc->root(), "withheld").value_or(0));
      if (const auto at = parse_time(json::find_string(doc->root(), "at").value_or("")); at.ok()) e.at = *at;
      told_[key] = {e, e.leaf + 1, false};
    }
  }
}

Status PrivateLog::operator_act(const std::string& person, std::string_view method, std::string_view path,
                                std::string_view body) {
  json::Node record = json::Node::object();
  record.set("at", to_text(cx_.clock.now())).set("by", person).set("method", method).set("path", path);
  record.set("body", without_secrets(body));
  auto tx = evidence_.begin();
  TRY([[maybe_unused]] const auto leaf, tx.add_kept_leaf(kPrivateLog, "", "operator", "", json::canonical(record)));
  auto done = std::move(tx).commit();
  if (!done.ok()) return std::move(done).error().at("nothing is done that cannot be logged first");
  return {};
}

Status PrivateLog::set_to(const json::Node& config, const json::Node& keys) {
  for (const auto& [kind, what] : {std::pair<std::string, const json::Node*>{"config", &config}, {"key", &keys}}) {
    const std::string text = json::canonical(*what);
    const std::string digest = sha256_hex(text);
    if (const auto said = cx_.store.get(kSetSpace, kind); said.ok() && *said == digest) continue;
    json::Node record = json::Node::object();
    record.set("at", to_text(cx_.clock.now())).set(kind, *what);
    auto tx = evidence_.begin();
    tx.change.set(kSetSpace, kind, digest);
    TRY([[maybe_unused]] const auto leaf, tx.add_kept_leaf(kPrivateLog, "", kind, "", json::canonical(record)));
    auto done = std::move(tx).commit();
    if (!done.ok()) return std::move(done).error();
  }
  return {};
}

// What this clock said beside what others' clocks signed: a cosignature is a timestamp by somebody else.
Status PrivateLog::clock_leaf(Time now) {
  json::Node record = json::Node::object();
  record.set("at", to_text(now)).set("log_time", to_text(cx_.store.last_time())).set("safe", cx_.clock_safe());
  json::Node heads = json::Node::array();
  for (const auto& s : instruments_.states()) {
    const auto saved = cx_.store.get("witness", bare_uuid(s->agreement_id));
    if (saved.ok())
      heads.push(json::Node::object().set("agreement", s->agreement_id).set("cosigned_sha256", sha256_hex(*saved)));
  }
  record.set("witnessed", std::move(heads));
  auto tx = evidence_.begin();
  TRY([[maybe_unused]] const auto leaf, tx.add_kept_leaf(kPrivateLog, "", "clock", "", json::canonical(record)));
  auto done = std::move(tx).commit();
  if (!done.ok()) return std::move(done).error();
  return {};
}

// What an anchor should not wait an hour for: the agreement is in another state, or its ledgers contradict each other.
std::string PrivateLog::moment(const agreement::State& state) const {
  std::string out(agreement::to_text(state.kind));
  for (const auto& p : state.document->parties) {
    if (cx_.store.get("conflict", pair_key(state.agreement_id, p.party)).ok()) out += " conflict-" + p.party;
  }
  return out;
}

Status PrivateLog::anchor(const agreement::State& state, Time now, const std::string& moment) {
  auto tx = evidence_.begin();
  TRY(const std::string note, tx.private_note());
  json::Node record = json::Node::object();
  record.set("agreement", state.agreement_id).set("at", to_text(now)).set("note", note).set("party", cx_.config.party);
  tx.change.set(kAnchorSpace, state.agreement_id, to_text(now) + " " + moment);
  TRY([[maybe_unused]] const auto leaf,
      tx.add_kept_leaf(state.agreement_id, state.document->hash, "anchor", "", json::canonical(record)));
  auto done = std::move(tx).commit();
  if (!done.ok()) return std::move(done).error();
  const std::lock_guard lock(mutex_);
  anchored_[state.agreement_id] = {now, moment};
  return {};
}

// Entries that say nothing, so that the size of the ledger says nothing: whoever sees heads alone, as a neutral witness
// does, sees it grow by as much in every interval, whether anything was exchanged or not.
Status PrivateLog::pad(const agreement::State& state, Time now) {
  const uint64_t to = cx_.config.pad_to;
  if (to < 2) return {};
  {
    const std::lock_guard lock(mutex_);
    const auto it = padded_.find(state.agreement_id);
    if (it != padded_.end() && now.us - it->second.us < cx_.config.pad_every_us) return {};
    padded_[state.agreement_id] = now;
  }
  auto tx = evidence_.begin();
  const uint64_t entries = cx_.store.length("leaf/" + bare_uuid(state.agreement_id));
  for (uint64_t n = entries; n == entries || n % to != 0; ++n) {
    // Nobody will open it: its record and salt are not even kept.
    TRY([[maybe_unused]] const auto leaf, tx.add_blind_leaf(state.agreement_id, state.document->hash, "pad"));
  }
  auto done = std::move(tx).commit();
  if (!done.ok()) return std::move(done).error();
  return {};
}

Status PrivateLog::tick() {
  const int64_t steady = cx_.clock.steady_us();
  const int64_t before = looked_us_.load();
  if (before != 0 && steady >= before && steady - before < kLookUs) return {};
  looked_us_ = steady;
  const Time now = cx_.clock.now();
  const bool safe = cx_.clock_safe();
  bool turned = false;
  bool due = false;
  {
    const std::lock_guard lock(mutex_);
    turned = std::exchange(clock_was_safe_, safe) != safe;
    due = !clock_said_ || now.us - clock_said_->us >= kClockUs;
    if (turned || due) clock_said_ = now;
  }
  if (turned || due) CHECK_OK(clock_leaf(now));
  if (!safe) return {};  // a leaf with a wrong time would be a false statement to the partner
  for (const auto& s : instruments_.states()) {
    if (!s->document || s->document->party(cx_.config.party) == nullptr || !s->start || *s->start > now) continue;
    if (s->kind == agreement::StateKind::kAbandoned) continue;
    CHECK_OK(pad(*s, now));
    const std::string here = moment(*s);
    {
      const std::lock_guard lock(mutex_);
      const auto it = anchored_.find(s->agreement_id);
      if (it != anchored_.end() && it->second.moment == here && now < add(it->second.at, anchor_period(*s->document)))
        continue;
    }
    // Its clock evidence is under it.
    CHECK_OK(anchor(*s, now, here));
  }
  return {};
}

// Was anything released to this party since the newest of these leaves? Looks at each entry once.
Result<bool> PrivateLog::sent_since(const std::string& agreement_id, const std::string& to, Told& told) const {
  const std::string sequence = "leaf/" + bare_uuid(agreement_id);
  for (const uint64_t entries = cx_.store.length(sequence); told.looked < entries && !told.sent;) {
    TRY(const auto some, cx_.store.read(sequence, told.looked, 1024));
    if (some.empty()) break;
    for (const auto& text : some) {
      const auto leaf = ledger::parse_leaf(text);
      told.sent = told.sent || (leaf.ok() && leaf->kind == "release" && leaf->recipient == to);
    }
    told.looked += some.size();
  }
  return told.sent;
}

Status PrivateLog::caught_up(const agreement::State& state, const std::string& to, const ReleaseCount& count) {
  const Time now = cx_.clock.now();
  const std::string key = pair_key(state.agreement_id, to);
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = told_.find(key); it != told_.end()) {
      // The time of these leaves must say nothing of what is withheld: by the clock, or after what was sent.
      if (now < add(it->second.entitlement.at, anchor_period(*state.document))) {
        if (now.us - it->second.entitlement.at.us < kQuietUs) return {};
        TRY(const bool sent, sent_since(state.agreement_id, to, it->second));
        if (!sent) return {};
      }
    }
  }
  auto tx = evidence_.begin();
  TRY(const std::string note, tx.private_note());
  TRY(const auto head, ledger::unverified_checkpoint(note));
  json::Node record = json::Node::object();
  record.set("agreement", state.agreement_id).set("at", to_text(now)).set("from", cx_.config.party).set("to", to);
  record.set("private", json::Node::object().set("root", hex(view(head.root))).set("size", head.size));
  record.set("withheld", count.withheld);
  TRY(const auto leaf,
      tx.add_kept_leaf(state.agreement_id, state.document->hash, "entitled", to, json::canonical(record)));
  const Entitlement e{leaf.index, now, count.withheld};
  tx.change.set(
      kEntitledSpace, key,
      json::write(json::Node::object().set("at", to_text(now)).set("leaf", e.leaf).set("withheld", e.withheld)));
  auto done = std::move(tx).commit();
  if (!done.ok()) return std::move(done).error();
  const std::lock_guard lock(mutex_);
  told_[key] = {e, e.leaf + 1, false};
  return {};
}

std::optional<Entitlement> PrivateLog::entitlement(const std::string& agreement_id, const std::string& to) const {
  const std::lock_guard lock(mutex_);
  const auto it = told_.find(pair_key(agreement_id, to));
  if (it == told_.end()) return std::nullopt;
  return it->second.entitlement;
}

}  // namespace entente::exchange
