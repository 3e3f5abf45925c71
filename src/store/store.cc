#include "store/store.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/bytes.h"
#include "store/internal/apply.h"
#include "store/internal/query.h"
#include "store/internal/tables.h"

namespace entente::store {
namespace {

Error not_attached() { return make_error(ErrorKind::kInternal, "the store has no log"); }

Result<Outcome> to_outcome(Result<log::Committed> committed) {
  if (!committed.ok()) return std::move(committed).error();
  Outcome out{committed->seq, committed->first_time, {}, {}};
  decode_added(committed->outcome, out);
  return out;
}

uint64_t read_u64(const Result<std::string>& value) {
  if (!value.ok()) return 0;
  ByteReader r(*value);
  const uint64_t n = r.u64();
  return r.done() ? n : 0;
}

}  // namespace

Result<Note> read_note(std::string_view setting) {
  ByteReader r(setting);
  Note out;
  out.value = r.bytes();
  const std::string_view time = r.take(8);
  if (!r.ok()) return damaged("note");
  out.outcome.first_time.us = read_time(time);
  decode_added(r.rest(), out.outcome);
  return out;
}

struct Store::State {
  std::atomic<log::Log*> log = nullptr;

  template <class Places>
  Status raw(const Places& places, const std::function<void(size_t, std::string_view)>& fn) const {
    const log::Log* from = log;
    if (from == nullptr) return not_attached();
    std::vector<log::View::ItemRef> items;
    items.reserve(places.size());
    for (const auto& place : places) items.push_back(place.item);
    return from->view()->items(items, fn);
  }
};

Store::Store() : state_(std::make_unique<State>()) {}
Store::~Store() = default;

void Store::attach(log::Log& log) { state_->log = &log; }

uint32_t Store::version() const { return kTablesVersion; }

Status Store::apply(const log::Entry& entry, log::Batch& batch, std::string& outcome) {
  return Applier(entry, batch).run(outcome);
}

void Store::commit(Change change, Done done) {
  log::Log* log = state_->log;
  if (log == nullptr) return done(not_attached());
  log->append(std::move(change).take(),
              [done = std::move(done)](Result<log::Committed> r) { done(to_outcome(std::move(r))); });
}

Result<Outcome> Store::commit_wait(Change change) {
  log::Log* log = state_->log;
  if (log == nullptr) return not_attached();
  return to_outcome(log->append_wait(std::move(change).take()));
}

Result<Page> Store::page(const Uuid& collection, const Query& query) const {
  const log::Log* log = state_->log;
  if (log == nullptr) return not_attached();
  const auto view = log->view();
  return PageReader(*view, collection, query).run();
}

Status Store::raw(const std::vector<Row>& rows, const std::function<void(size_t, std::string_view)>& fn) const {
  return state_->raw(rows, fn);
}

Status Store::raw(std::span<const Ref> refs, const std::function<void(size_t, std::string_view)>& fn) const {
  return state_->raw(refs, fn);
}

Result<std::string> Store::raw(const Row& row) const {
  const log::Log* log = state_->log;
  if (log == nullptr) return not_attached();
  std::string out;
  CHECK_OK(log->view()->items({&row.item, 1}, [&](size_t, std::string_view octets) { out = octets; }));
  if (out.empty())
    return make_error(ErrorKind::kNotFound, "the text of this object was destroyed", row.id,
                      "its term of retention was over: 'entente retention list'");
  return out;
}

Status Store::scrub(uint64_t from_seq, uint64_t to_seq) {
  log::Log* log = state_->log;
  if (log == nullptr) return not_attached();
  return log->scrub(from_seq, to_seq);
}

Result<std::vector<Row>> Store::find(std::string_view id) const {
  const log::Log* log = state_->log;
  if (log == nullptr) return not_attached();
  const auto view = log->view();
  const ObjectKey object = object_key(id);
  const std::string prefix(object.data(), object.size());
  std::vector<Uuid> collections;
  CHECK_OK(view->scan(kObjects, prefix, after_prefix(prefix), [&](std::string_view key, std::string_view) {
    if (key.size() != prefix.size() + 16) return true;
    std::memcpy(collections.emplace_back().b.data(), key.data() + prefix.size(), 16);
    return true;
  }));
  std::vector<Row> out;
  for (const auto& collection : collections) {
    TRY(auto rows, object_rows(*view, collection, id));
    out.insert(out.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  }
  std::sort(out.begin(), out.end(), [](const Row& a, const Row& b) { return a.date_added < b.date_added; });
  return out;
}

Result<std::vector<Row>> Store::find(const Uuid& collection, std::string_view id) const {
  const log::Log* log = state_->log;
  if (log == nullptr) return not_attached();
  return object_rows(*log->view(), collection, id);
}

uint64_t Store::count(const Uuid& collection) const {
  const log::Log* log = state_->log;
  return log == nullptr ? 0 : read_u64(log->view()->get(kCounts, collection.raw()));
}

std::optional<Time> Store::newest(const Uuid& collection) const {
  const log::Log* log = state_->log;
  std::optional<Time> out;
  if (log == nullptr) return out;
  const std::string_view prefix = collection.raw();
  (void)log->view()->scan_back(kRows, prefix, after_prefix(prefix), [&](std::string_view key, std::string_view) {
    if (key.size() == 24) out = Time{read_time(key.substr(16))};
    return false;
  });
  return out;
}

Result<std::string> Store::get(std::string_view space, std::string_view key) const {
  const log::Log* log = state_->log;
  if (log == nullptr) return not_attached();
  return log->view()->get(kSettings, setting_key(space, key));
}

Result<std::vector<std::pair<std::string, std::string>>> Store::all(std::string_view space,
                                                                    std::string_view key_prefix) const {
  const log::Log* log = state_->log;
  if (log == nullptr) return not_attached();
  const std::string prefix = setting_key(space, key_prefix);
  const size_t skip = prefix.size() - key_prefix.size();
  std::vector<std::pair<std::string, std::string>> out;
  CHECK_OK(
      log->view()->scan(kSettings, prefix, after_prefix(prefix), [&](std::string_view key, std::string_view value) {
        out.emplace_back(key.substr(skip), value);
        return true;
      }));
  return out;
}

uint64_t Store::length(std::string_view sequence) const {
  const log::Log* log = state_->log;
  return log == nullptr ? 0 : read_u64(log->view()->get(kLengths, sequence));
}

Result<std::vector<std::string>> Store::read(std::string_view sequence, uint64_t from, size_t max) const {
  const log::Log* log = state_->log;
  if (log == nullptr) return not_attached();
  std::vector<std::string> out;
  if (max == 0) return out;
  const std::string first = sequence_key(sequence, 0);
  const std::string end = after_prefix(std::string_view(first).substr(0, first.size() - 8));
  CHECK_OK(
      log->view()->scan(kSequences, sequence_key(sequence, from), end, [&](std::string_view, std::string_view value) {
        out.emplace_back(value);
        return out.size() < max;
      }));
  return out;
}

uint64_t Store::last_seq() const {
  const log::Log* log = state_->log;
  return log == nullptr ? 0 : log->last_seq();
}

Time Store::last_time() const {
  const log::Log* log = state_->log;
  return log == nullptr ? Time{} : log->last_time();
}

}  // namespace entente::store
