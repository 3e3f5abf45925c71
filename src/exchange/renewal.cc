#include "exchange/renewal.h"

#include <array>
#include <cstdlib>

#include "base/bytes.h"
#include "base/log.h"
#include "json/node.h"

namespace entente::exchange {
namespace {

constexpr int64_t kMinuteUs = 60'000'000;
constexpr int64_t kDayUs = 86'400'000'000;
constexpr std::array<int, 3> kStages = {7, 30, 90};  // days before the opt-out date, the nearest first

}  // namespace

std::vector<Renewals::Warning> Renewals::warnings() const {
  const std::lock_guard lock(mutex_);
  return warnings_;
}

Status Renewals::tick() {
  const Time now = cx_.clock.now();
  const std::lock_guard lock(mutex_);
  if (std::abs(now.us - looked_.us) < kMinuteUs || !cx_.clock_safe()) return {};
  looked_ = now;
  std::vector<Warning> found;
  for (const auto& s : instruments_.states()) {
    const bool runs = s->kind == agreement::StateKind::kInForce || s->kind == agreement::StateKind::kSuspended;
    if (!runs || !s->project.empty() || !s->end || !s->document->tacit_renewal ||
        s->document->party(cx_.config.party) == nullptr)
      continue;
    CHECK_OK(look(*s, now, found));
  }
  warnings_ = std::move(found);
  return {};
}

Status Renewals::look(const agreement::State& s, Time now, std::vector<Warning>& found) {
  const std::string end = to_text(*s.end);
  std::string seen;
  if (auto saved = cx_.store.get("term-end", s.agreement_id); saved.ok()) seen = *saved;
  if (seen != end) {
    Evidence::Transaction tx = evidence_.begin();
    tx.change.set("term-end", s.agreement_id, end);
    // The term that was seen has run out and another one runs: nobody declined. Otherwise an act moved the end.
    if (const auto ended = parse_time(seen); !seen.empty() && ended.ok() && *ended <= now) {
      json::Node record = json::Node::object();
      record.set("agreement", s.agreement_id).set("ended", seen).set("party", cx_.config.party).set("until", end);
      TRY([[maybe_unused]] const auto leaf,
          tx.add_kept_leaf(s.agreement_id, s.document->hash, "renewal", "", json::canonical(record)));
      say_info("agreement {} has renewed itself until {}", s.agreement_id, end);
    }
    auto done = std::move(tx).commit();
    if (!done.ok()) return std::move(done).error();
  }
  const Time opt_out = subtract(*s.end, s.document->opt_out_notice);
  if (now >= opt_out) return {};
  for (const int days : kStages) {
    if (now < opt_out.plus_us(-days * kDayUs)) continue;
    found.push_back({s.agreement_id, days, opt_out, *s.end});
    const std::string stage = end + " " + std::to_string(days);
    auto said = cx_.store.get("opt-out-said", s.agreement_id);
    if (said.ok() && *said == stage) break;
    say_warn(
        "agreement {} renews itself on {}; who does not want that says so before {} (entente agreement no-renewal)",
        s.agreement_id, end, to_text(opt_out));
    store::Change change;
    change.set("opt-out-said", s.agreement_id, stage);
    auto done = cx_.store.commit_wait(std::move(change));
    if (!done.ok()) return std::move(done).error();
    break;
  }
  return {};
}

}  // namespace entente::exchange
