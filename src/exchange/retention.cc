#include "exchange/retention.h"

#include <algorithm>

#include <fmt/format.h>

#include "agreement/joint.h"
#include "base/bytes.h"
#include "exchange/handling.h"
#include "exchange/names.h"

namespace entente::exchange {
namespace {

constexpr int64_t kDayUs = int64_t{86'400} * 1'000'000;

bool over(agreement::StateKind k) {
  return k == agreement::StateKind::kTerminated || k == agreement::StateKind::kExpired;
}

}  // namespace

std::optional<int64_t> RetentionRule::days(std::string_view tlp) const {
  const auto it = max_days.find(tlp);
  if (it != max_days.end()) return it->second;
  std::optional<int64_t> shortest;
  for (const auto& [name, n] : max_days) {
    if (n && (!shortest || *n < *shortest)) shortest = n;
  }
  return shortest;
}

RetentionRule retention_rule(const agreement::Document& document) {
  RetentionRule rule;
  const json::Node* n = document.node.find("retention");
  if (n == nullptr || !n->is_object()) return rule;
  rule.article = n->string_at("art");
  rule.on_end = n->string_at("on_end");
  if (const auto p = parse_period(n->string_at("deletion_receipt")); p.ok()) rule.receipt = *p;
  if (const json::Node* days = n->find("max_days"); days != nullptr && days->is_object()) {
    for (const auto& [tlp, value] : days->members()) {
      if (value.is_int()) rule.max_days[tlp] = std::max<int64_t>(0, value.integer());
      if (value.is_null()) rule.max_days[tlp] = std::nullopt;
    }
  }
  return rule;
}

Terms::Terms(const Context& context, const Instruments& instruments, std::shared_ptr<const agreement::State> state,
             const std::string& peer)
    : cx_(context), state_(std::move(state)) {
  const std::string& me = cx_.config.party;
  const agreement::Document* doc = state_->between(me, peer);
  if (doc == nullptr && state_->document) doc = &*state_->document;
  if (doc != nullptr) rule_ = retention_rule(*doc);
  const auto kind = [&](const std::string& p) {
    const auto it = state_->by_party.find(p);
    return it == state_->by_party.end() ? agreement::StateKind::kNone : it->second;
  };
  // Over for one of the two is over between them.
  if (over(state_->kind) || over(kind(me)) || over(kind(peer))) end_ = state_->end.value_or(cx_.clock.now());
  for (const auto& a : instruments.joint(state_->agreement_id).at(*state_, cx_.clock.now())) {
    if (a.stage >= agreement::JointStage::kStoodDown || a.exercise) continue;
    for (const auto& m : a.measures) in_open_case_.insert(m.indicator);
  }
}

std::optional<Time> Terms::horizon(Time now) const {
  if (end_) return now;
  std::optional<int64_t> shortest;
  for (const auto& [tlp, n] : rule_.max_days) {
    if (n && (!shortest || *n < *shortest)) shortest = n;
  }
  if (!shortest) return std::nullopt;
  return now.plus_us(-*shortest * kDayUs);
}

Term Terms::of(std::string_view id, const RowMeta& meta, Time added) const {
  Term t;
  t.article = rule_.article;
  if (const auto days = rule_.days(meta.tlp.empty() ? "unmarked" : meta.tlp)) {
    t.until = added.plus_us(*days * kDayUs);
    t.why = fmt::format("{} days at {}", *days, meta.tlp.empty() ? "no marking" : "tlp:" + meta.tlp);
  }
  const bool goes_at_end = rule_.on_end.starts_with("delete") || rule_.on_end == "return";
  if (end_ && goes_at_end && (!t.until || *end_ < *t.until)) {
    t.until = end_;
    t.why = "the agreement ended";
  }
  if (cx_.store.get("hold", id).ok()) {
    t.hold = "legal hold";
  } else if (rule_.on_end == "delete_unless_open_case" && in_open_case_.contains(std::string(id))) {
    t.hold = "open joint action";
  }
  return t;
}

std::string destroyed_key(const Context& cx, std::string_view agreement_id, std::string_view peer,
                          std::string_view id) {
  return hex(view(hmac_sha256(cx.pseudonym_secret, fmt::format("entente/destroyed {} {} {}", agreement_id, peer, id))));
}

Result<Copies> copies_of(const Context& cx, const Instruments& instruments, const std::string& agreement_id,
                         const std::string& peer, const std::string& id) {
  Copies c;
  TRY(const auto rows, cx.store.find(received(agreement_id, peer, cx.config.party), id));
  // A version that came after the destruction is kept like any other.
  const auto kept = std::ranges::find_if(
      rows, [](const store::Row& r) { return !r.revoked && !is_own_note(RowMeta::parse(r.meta)); });
  if (const auto gone = cx.store.get(kDestroyedSpace, destroyed_key(cx, agreement_id, peer, id));
      kept == rows.end() && gone.ok()) {
    c.state = "purged";  // "TIME ARTICLE": an article may be empty
    const size_t space = std::min(gone->find(' '), gone->size());
    TRY(c.until, parse_time(gone->substr(0, space)));
    if (space < gone->size()) c.article = gone->substr(space + 1);
    c.why = "retention";
    return c;
  }
  if (kept == rows.end()) return c;
  const auto state = instruments.state(agreement_id);
  c.state = "kept";
  c.why = "the agreement states no term";
  if (!state || !state->document) return c;
  const Terms terms(cx, instruments, state, peer);
  const Term t = terms.of(id, RowMeta::parse(kept->meta), kept->date_added);
  c.article = t.article;
  c.until = t.until;
  if (!t.hold.empty()) {
    c.state = "held";
    c.why = t.hold;
  } else if (t.until) {
    c.why = "retention: " + t.why;
  }
  return c;
}

}  // namespace entente::exchange
