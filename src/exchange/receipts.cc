#include "exchange/receipts.h"

#include <utility>

#include "json/node.h"

namespace entente::exchange {
namespace {

constexpr std::string_view kSpace = "taxii-status";
constexpr std::string_view kConflictText =
    "another object with this id and version is already stored; the first one is kept: send a new version";

json::Node items(const std::vector<taxii::ItemResult>& list) {
  json::Node out = json::Node::array();
  for (const auto& item : list) {
    json::Node n = json::Node::object();
    n.set("id", item.id).set("version", item.version);
    if (!item.message.empty()) n.set("message", item.message);
    out.push(std::move(n));
  }
  return out;
}

std::vector<taxii::ItemResult> items_at(const json::Value& v, std::string_view name) {
  std::vector<taxii::ItemResult> out;
  const auto list = json::find_array(v, name);
  if (!list) return out;
  for (const json::Value item : *list) {
    out.push_back({std::string(json::find_string(item, "id").value_or("")),
                   std::string(json::find_string(item, "version").value_or("")),
                   std::string(json::find_string(item, "message").value_or(""))});
  }
  return out;
}

Error no_status() { return make_error(ErrorKind::kNotFound, "there is no such status"); }

}  // namespace

taxii::StatusInfo settle(Submission submission, const store::Outcome& outcome) {
  taxii::StatusInfo out;
  out.id = std::move(submission.status_id);
  out.request_time = submission.request_time;
  out.failures = std::move(submission.failures);
  for (size_t k = 0; k < submission.sent.size(); ++k) {
    taxii::ItemResult& item = submission.sent[k];
    const auto added = k < outcome.added.size() ? outcome.added[k] : store::Added::kConflict;
    if (added == store::Added::kConflict) {
      item.message = kConflictText;
      out.failures.push_back(std::move(item));
      continue;
    }
    // T56: an object without a version has its date of addition; the k-th add got first_time + k (store.h).
    if (item.version.empty() && added == store::Added::kAdded)
      item.version = to_text(outcome.first_time.plus_us(static_cast<int64_t>(k)));
    out.successes.push_back(std::move(item));
  }
  out.success = out.successes.size();
  out.failure = out.failures.size();
  out.total = out.success + out.failure;
  return out;
}

void note_status(store::Change& change, const Submission& s) {
  json::Node n = json::Node::object();
  n.set("caller", s.caller).set("time", to_text(s.request_time));
  n.set("sent_count", json::Node(uint64_t{s.sent.size()}))
      .set("failure_count", json::Node(uint64_t{s.failures.size()}));
  if (s.sent.size() <= kListedItems) n.set("sent", items(s.sent));
  if (s.failures.size() <= kListedItems) n.set("failures", items(s.failures));
  change.note(kSpace, s.status_id, json::write(n));
}

Result<taxii::StatusInfo> find_status(const store::Store& store, std::string_view status_id, std::string_view caller) {
  const auto setting = store.get(kSpace, status_id);
  if (!setting.ok()) return setting.error().kind == ErrorKind::kNotFound ? no_status() : setting.error();
  TRY(const store::Note note, store::read_note(*setting));
  TRY(const json::Document doc, json::parse(note.value));
  const auto root = doc.root();
  // Somebody else's status looks like none (T69).
  if (json::find_string(root, "caller").value_or("") != caller) return no_status();
  Submission s;
  s.status_id = status_id;
  if (auto t = parse_time(json::find_string(root, "time").value_or("")); t.ok()) s.request_time = *t;
  s.sent = items_at(root, "sent");
  s.failures = items_at(root, "failures");
  const auto sent = static_cast<size_t>(json::find_int(root, "sent_count").value_or(0));
  const auto refused = static_cast<size_t>(json::find_int(root, "failure_count").value_or(0));
  const bool sent_listed = s.sent.size() == sent;
  const bool refused_listed = s.failures.size() == refused;
  s.sent.resize(sent);
  s.failures.resize(refused);
  taxii::StatusInfo out = settle(std::move(s), note.outcome);
  // A list is whole or not there: the counts are kept for every one, names only for short ones.
  if (!sent_listed) out.successes.clear();
  if (!refused_listed || (!sent_listed && out.failure > refused)) out.failures.clear();
  return out;
}

Result<size_t> forget_statuses(store::Store& store, Time now, int64_t max_age_us, size_t most) {
  TRY(const auto all, store.all(kSpace));
  store::Change change;
  size_t n = 0;
  for (const auto& [id, setting] : all) {
    if (n == most) break;
    const auto note = store::read_note(setting);
    bool old = true;  // what cannot be read serves nobody
    if (note.ok()) {
      const auto doc = json::parse(note->value);
      const auto t = doc.ok() ? parse_time(json::find_string(doc->root(), "time").value_or("")) : Result<Time>(Time{});
      old = !t.ok() || t->us + max_age_us < now.us;
    }
    if (!old) continue;
    change.erase(kSpace, id);
    ++n;
  }
  if (n == 0) return size_t{0};
  TRY([[maybe_unused]] const auto done, store.commit_wait(std::move(change)));
  return n;
}

}  // namespace entente::exchange
