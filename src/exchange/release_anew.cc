// What was withheld is decided anew when something changes that it hangs on: acts, holds, approvals, other objects,
// time.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"
#include "exchange/internal/release_graph.h"
#include "exchange/names.h"
#include "exchange/release.h"
#include "exchange/review.h"

namespace entente::exchange {
namespace {

using internal::count_key;

// For what only time changes, this often.
constexpr int64_t kReconsiderAllUs = int64_t{3600} * 1'000'000;
constexpr int64_t kReconsiderManyUs = int64_t{60} * 1'000'000;  // when much waits for other objects

// The source in an entry of the index.
std::string source_of(std::string_view entry) {
  const size_t a = entry.find('\n');
  const size_t b = entry.find('\n', a + 1);
  return a == std::string_view::npos || b == std::string_view::npos ? std::string()
                                                                    : std::string(entry.substr(a + 1, b - a - 1));
}

// Withheld for what another object is, or for its absence.
bool hangs_on_others(std::string_view entry) {
  static constexpr std::array<std::string_view, 6> kCodes = {"REF_ENDPOINT_WITHHELD",  "EMPTY_CONTAINER",
                                                             "TEXT_MENTIONS_WITHHELD", "MARKING_NOT_RELEASABLE",
                                                             "MARK_UNKNOWN",           "DERIVED_FROM_CONTROLLED"};
  return std::ranges::any_of(kCodes, [entry](std::string_view c) { return entry.find(c) != std::string_view::npos; });
}

}  // namespace

// All that a decision for this recipient hangs on and that can change, but for time and the objects themselves.
std::string Releaser::fingerprint(const agreement::State& state, const std::string& to) const {
  std::string all = fmt::format("{}\n{}\n", state.document->hash, obstacle_(state, to));
  for (const auto& other : instruments_.states()) {  // a forbid of another instrument binds too
    all += fmt::format("{} {}", other->agreement_id, other->document->hash);
    for (const auto& [party, kind] : other->by_party) all += fmt::format(" {}={}", party, agreement::to_text(kind));
    all += fmt::format(" {} {}", fmt::join(other->suspended_flows, ","), fmt::join(other->suspended_sectors, ","));
    for (const auto& [a, b] : other->closed) all += fmt::format(" {}-{}", a, b);
    for (const auto& [party, flows] : other->declared) all += fmt::format(" {}:{}", party, fmt::join(flows, ","));
    for (const auto& [party, flows] : other->provisional) all += fmt::format(" {}~{}", party, fmt::join(flows, ","));
    for (const auto& p : other->projects) all += fmt::format(" {}@{}", p.id, p.stage);
    all += '\n';
  }
  for (const auto& h : holds_) all += fmt::format("{} {}\n", h.object_id, h.reason);
  for (const auto& a : approved(cx_, to)) all += a + '\n';
  all += consents_print(to);
  return sha256_hex(all);
}

Result<bool> Releaser::reconsider(const agreement::State& state, const std::vector<agreement::State>& all,
                                  const std::string& to) {
  const std::string prefix = count_key(state.agreement_id, to) + " ";
  Again& a = again_[prefix];
  if (a.todo.empty()) {
    const Time now = cx_.clock.now();
    const Time newest = cx_.store.newest(inbox(cx_.config.party)).value_or(Time{});
    std::string print = fingerprint(state, to);
    const bool whole = print != a.fingerprint || now.us - a.at.us > kReconsiderAllUs || now < a.at;
    const bool part =
        newest > a.newest && (a.last <= internal::kContextMax / 10 || now.us - a.at.us > kReconsiderManyUs);
    if (!whole && !part) return false;
    a.fingerprint = std::move(print);
    a.newest = newest;
    a.at = now;
    TRY(const auto withheld, cx_.store.all(kWithheldSpace, prefix));
    for (const auto& [key, value] : withheld)
      if (whole || hangs_on_others(value)) a.todo.emplace_back(key.substr(prefix.size()), value);
    if (whole) CHECK_OK(add_consented(state, to, a.todo));
    a.last = a.todo.size();
    if (a.todo.empty()) return false;
  }
  // The next ones of one source.
  const std::string name = source_of(a.todo.back().second);
  const Origin origin = origin_of(name);
  const Source source{name, origin.originator, false};
  std::vector<store::Row> rows;
  while (!a.todo.empty() && rows.size() < cx_.config.release_batch && source_of(a.todo.back().second) == name) {
    TRY(std::vector<store::Row> found, cx_.store.find(origin.collection, a.todo.back().first));
    a.todo.pop_back();
    if (found.empty()) continue;
    rows.push_back(*std::ranges::max_element(found, {}, &store::Row::version_time));
  }
  if (rows.empty()) return true;
  std::ranges::sort(rows, {}, &store::Row::date_added);
  return decide_rows(state, all, to, source, std::move(rows), {});
}

}  // namespace entente::exchange
