#include "exchange/review.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"
#include "exchange/admission.h"
#include "exchange/names.h"
#include "json/json.h"
#include "json/node.h"

namespace entente::exchange {
namespace {

// "person ROLE NAME" -> "NAME": whatever the role, it is one person.
std::string person_of(std::string_view caller) {
  const size_t role = caller.find(' ');
  const size_t name = role == std::string_view::npos ? role : caller.find(' ', role + 1);
  return std::string(name == std::string_view::npos ? caller : caller.substr(name + 1));
}

constexpr std::string_view kApprovalSpace = "approval";  // "PARTY ID VERSION" -> names, one a line

std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

std::string approval_key(const Waiting& w) { return fmt::format("{} {} {}", w.to, w.id, w.version); }

Result<Waiting> find_waiting(const Context& cx, const std::string& id, const std::string& to) {
  TRY(const auto all, waiting_for_review(cx));
  const auto it = std::ranges::find_if(all, [&](const Waiting& w) { return w.id == id && w.to == to; });
  if (it == all.end())
    return make_error(ErrorKind::kNotFound, "nothing waits for approval under this id for " + to, id,
                      "`entente release review` lists what does");
  return *it;
}

// The leaf and the record of what a person did, in the change that does it.
Status add_record(Evidence::Transaction& tx, const Context& cx, const Instruments& instruments, const Waiting& w,
                  const std::string& person, std::string_view what, std::string_view reason) {
  const auto state = instruments.state(w.agreement);
  json::Node record = json::Node::object();
  record.set("agreement", w.agreement)
      .set("at", to_text(cx.clock.now()))
      .set("by", person)
      .set("id", w.id)
      .set("to", w.to)
      .set("version", w.version)
      .set("what", what);
  if (!reason.empty()) record.set("reason", reason);
  const std::string text = json::canonical(record);
  TRY(const auto leaf, tx.add_kept_leaf(kPrivateLog, state && state->document ? state->document->hash : std::string(),
                                        "review", w.to, text, "reviews " + std::to_string(cx.store.length("reviews"))));
  json::Node opened = json::Node::object();
  opened.set("leaf", leaf.index).set("record", text);
  tx.change.append("reviews", json::write(opened));
  return {};
}

}  // namespace

Result<std::vector<Waiting>> waiting_for_review(const Context& cx) {
  std::vector<Waiting> out;
  TRY(const auto withheld, cx.store.all(kWithheldSpace));
  for (const auto& [key, value] : withheld) {
    const auto parts = lines(value);
    if (parts.size() != 3 || parts[2] != "REVIEW_REQUIRED") continue;
    const size_t a = key.find(' ');
    const size_t b = key.find(' ', a + 1);
    if (a == std::string::npos || b == std::string::npos) continue;
    Waiting w{key.substr(b + 1), {}, parts[0], key.substr(a + 1, b - a - 1), key.substr(0, a), {}, {}};
    w.type = w.id.substr(0, w.id.find("--"));
    if (std::ranges::find(cx.config.policy.withhold_types, w.type) != cx.config.policy.withhold_types.end()) continue;
    TRY(const auto rows, cx.store.find(inbox(cx.config.party), w.id));
    for (const auto& row : rows)
      if (row.version == w.version) w.publisher = person_of(RowMeta::parse(row.meta).by);
    if (const auto names = cx.store.get(kApprovalSpace, approval_key(w)); names.ok()) w.approved_by = lines(*names);
    out.push_back(std::move(w));
  }
  return out;
}

Result<Waiting> approve(Context& cx, const Instruments& instruments, Evidence& evidence, const std::string& id,
                        const std::string& to, const std::string& caller) {
  const std::string person = person_of(caller);
  // Under the ledger's lock, so that two approvals at once are two.
  Evidence::Transaction tx = evidence.begin();
  TRY(Waiting w, find_waiting(cx, id, to));
  if (w.publisher == person)
    return make_error(ErrorKind::kDenied, "who published an object does not approve its release", id,
                      "another release officer approves it");
  if (std::ranges::find(w.approved_by, person) != w.approved_by.end())
    return make_error(ErrorKind::kDenied, "this person has approved it", id,
                      fmt::format("{} persons are needed: another one approves it", cx.config.policy.review_persons));
  w.approved_by.push_back(person);
  CHECK_OK(add_record(tx, cx, instruments, w, person, "approve", {}));
  tx.change.set(kApprovalSpace, approval_key(w), fmt::format("{}", fmt::join(w.approved_by, "\n")));
  // What was said of earlier versions has been used, or will not be: only the newest waits.
  TRY(const auto said, cx.store.all(kApprovalSpace, fmt::format("{} {} ", w.to, w.id)));
  for (const auto& [key, names] : said)
    if (key != approval_key(w)) tx.change.erase(kApprovalSpace, key);
  auto done = std::move(tx).commit();
  if (!done.ok()) return std::move(done).error();
  return w;
}

Status decline(Context& cx, const Instruments& instruments, Evidence& evidence, const std::string& id,
               const std::string& to, const std::string& caller, const std::string& reason) {
  const std::string person = person_of(caller);
  Evidence::Transaction tx = evidence.begin();
  TRY(const Waiting w, find_waiting(cx, id, to));
  CHECK_OK(add_record(tx, cx, instruments, w, person, "decline", reason));
  tx.change.erase(kApprovalSpace, approval_key(w));
  tx.change.set("hold", w.id, "NATIONAL_HOLD");
  auto done = std::move(tx).commit();
  if (!done.ok()) return std::move(done).error();
  return {};
}

std::set<std::string> approved(const Context& cx, std::string_view to) {
  std::set<std::string> out;
  const auto& policy = cx.config.policy;
  if (policy.review_types.empty() && !policy.review_from) return out;
  const std::string prefix = std::string(to) + " ";
  const auto all = cx.store.all(kApprovalSpace, prefix);
  if (!all.ok()) return out;
  for (const auto& [key, names] : *all)
    if (lines(names).size() >= static_cast<size_t>(std::max(1, policy.review_persons)))
      out.insert(key.substr(prefix.size()));
  return out;
}

}  // namespace entente::exchange
