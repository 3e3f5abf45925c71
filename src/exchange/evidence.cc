#include "exchange/evidence.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/names.h"
#include "json/json.h"

namespace entente::exchange {
namespace {
constexpr size_t kWriteOutMax = 4096;

constexpr std::string_view kElsewhere = "@";  // a record is JSON, so begins otherwise

std::string sequence_of(std::string_view agreement_id) { return "leaf/" + bare_uuid(agreement_id); }
std::string index_key(uint64_t index) {
  std::string out;
  put_u64(out, index);
  return out;
}
}  // namespace

std::string Evidence::dir(std::string_view agreement_id) const {
  return cx_.config.ledger_dir + "/" + bare_uuid(agreement_id);
}

Status Evidence::reload(const std::string& agreement_id, Book& book) {
  const std::string sequence = sequence_of(agreement_id);
  book.next = cx_.store.length(sequence);
  book.prev_hash.clear();
  if (book.next > 0) {
    TRY(std::vector<std::string> last, cx_.store.read(sequence, book.next - 1, 1));
    if (last.empty())
      return make_error(ErrorKind::kCorrupt, "the newest leaf is missing in the store", sequence,
                        "run 'entente node check'");
    book.prev_hash = sha256_hex(last[0]);
  }
  return {};
}

Result<Evidence::Book*> Evidence::book(const std::string& agreement_id) {
  const auto it = books_.find(agreement_id);
  if (it != books_.end()) return &it->second;
  Book fresh;
  CHECK_OK(cx_.files.make_dirs(dir(agreement_id)));
  TRY(fresh.tiles,
      ledger::TileLog::open(cx_.files, dir(agreement_id), ledger_origin(cx_.config.party, agreement_id), cx_.log_key));
  CHECK_OK(reload(agreement_id, fresh));
  if (fresh.tiles->size() > fresh.next) {
    return make_error(ErrorKind::kCorrupt, "the ledger on disk has more entries than the node's log", dir(agreement_id),
                      "the data folder is older than the ledger: restore the newer one; a ledger is never cut");
  }
  Book& book = books_.emplace(agreement_id, std::move(fresh)).first->second;
  return &book;
}

Status Evidence::write_out(const std::string& agreement_id, Book& book) {
  const std::string sequence = sequence_of(agreement_id);
  if (!book.tiles) {
    // An append failed before: what is on disk is read again and repaired.
    TRY(book.tiles, ledger::TileLog::open(cx_.files, dir(agreement_id), ledger_origin(cx_.config.party, agreement_id),
                                          cx_.log_key));
  }
  while (book.tiles->size() < book.next) {
    TRY(std::vector<std::string> leaves, cx_.store.read(sequence, book.tiles->size(), kWriteOutMax));
    if (leaves.empty())
      return make_error(ErrorKind::kCorrupt, "leaves are missing in the store", sequence, "run 'entente node check'");
    if (auto first = book.tiles->append(leaves); !first.ok()) {
      book.tiles.reset();
      return std::move(first).error();
    }
  }
  if (cx_.config.pad_to > 1 && book.tiles->size() % cx_.config.pad_to == 0) book.padded = book.tiles->checkpoint();
  return {};
}

Status Evidence::open(const std::vector<std::string>& agreement_ids) {
  const std::lock_guard lock(mutex_);
  for (const auto& id : agreement_ids) {
    TRY(Book * b, book(id));
    CHECK_OK(write_out(id, *b));
  }
  TRY(Book * own, book(std::string(kPrivateLog)));
  CHECK_OK(write_out(std::string(kPrivateLog), *own));
  visible_us_.store(INT64_MAX, std::memory_order_release);
  return {};
}

Result<Evidence::Transaction::Added> Evidence::Transaction::add_leaf(std::string_view agreement_id,
                                                                     std::string_view version, std::string_view kind,
                                                                     std::string_view recipient, std::string_view salt,
                                                                     std::string_view record) {
  const std::string id(agreement_id);
  TRY(Book * b, owner_.book(id));
  ledger::Leaf leaf;
  leaf.agreement = id;
  leaf.at = owner_.cx_.clock.now();
  leaf.agreement_version = version;
  leaf.by = owner_.cx_.config.node_kid;
  leaf.kind = kind;
  leaf.prev = b->prev_hash;
  leaf.recipient = recipient;
  leaf.commitment = ledger::commit_to(salt, record);
  Added added{b->next, leaf.text()};
  change.append(sequence_of(id), added.text);
  // Beside the log, never in it: what opens the commitment later.
  change.set("salt/" + bare_uuid(id), index_key(added.index), salt);
  b->prev_hash = sha256_hex(added.text);
  ++b->next;
  if (std::find(touched_.begin(), touched_.end(), id) == touched_.end()) touched_.push_back(id);
  return added;
}

Result<Evidence::Transaction::Added> Evidence::Transaction::add_kept_leaf(
    std::string_view agreement_id, std::string_view version, std::string_view kind, std::string_view recipient,
    std::string_view record, std::string_view kept) {
  TRY(const Added added, add_leaf(agreement_id, version, kind, recipient, random_bytes(32), record));
  change.set("record/" + bare_uuid(agreement_id), index_key(added.index),
             kept.empty() ? std::string(record) : std::string(kElsewhere) + std::string(kept));
  return added;
}

Result<Evidence::Transaction::Added> Evidence::Transaction::add_blind_leaf(std::string_view agreement_id,
                                                                           std::string_view version,
                                                                           std::string_view kind) {
  TRY(const Added added, add_leaf(agreement_id, version, kind, "", random_bytes(32), ""));
  change.erase("salt/" + bare_uuid(agreement_id), index_key(added.index));
  return added;
}

Result<std::string> Evidence::Transaction::private_note() {
  const std::string id(kPrivateLog);
  TRY(Book * b, owner_.book(id));
  // What this transaction itself has added is not in the store yet.
  Book committed;
  CHECK_OK(owner_.reload(id, committed));
  std::swap(committed.next, b->next);
  const Status written = owner_.write_out(id, *b);
  std::swap(committed.next, b->next);
  CHECK_OK(written);
  return b->tiles->checkpoint();
}

Result<store::Outcome> Evidence::Transaction::commit() && {
  if (change.empty()) return store::Outcome{};
  // Rows that this change puts before a partner stay hidden until their leaves are in the tiles.
  // (An earlier bound stands for as long as an earlier leaf is still missing there.)
  if (!touched_.empty() && owner_.visible_us_.load(std::memory_order_acquire) == INT64_MAX) {
    owner_.visible_us_.store(owner_.cx_.store.last_time().us, std::memory_order_release);
  }
  auto outcome = owner_.cx_.store.commit_wait(std::move(change));
  if (!outcome.ok()) {
    for (const auto& id : touched_) {
      auto b = owner_.book(id);
      if (!b.ok() || !owner_.reload(id, **b).ok())
        say_error("the ledger of {} cannot be read again after a failed commit", id);
    }
    if (owner_.behind_.empty()) owner_.visible_us_.store(INT64_MAX, std::memory_order_release);
    return std::move(outcome).error();
  }
  for (const auto& id : touched_) {
    // Nobody waits for the private log: settle() writes it out.
    if (id == kPrivateLog) {
      owner_.behind_.push_back(id);
      continue;
    }
    auto b = owner_.book(id);
    Status written = b.ok() ? owner_.write_out(id, **b) : Status(b.error());
    if (!written.ok()) {
      say_error("LOG_FAILED: the ledger of {} could not be written, so nothing of it is sent: {}", id,
                written.error().text());
      owner_.behind_.push_back(id);
    }
  }
  if (std::none_of(owner_.behind_.begin(), owner_.behind_.end(),
                   [](const std::string& id) { return id != kPrivateLog; })) {
    owner_.visible_us_.store(INT64_MAX, std::memory_order_release);
  }
  return outcome;
}

Status Evidence::settle() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> todo;
  todo.swap(behind_);
  std::sort(todo.begin(), todo.end());
  todo.erase(std::unique(todo.begin(), todo.end()), todo.end());
  Status first;
  for (const auto& id : todo) {
    auto b = book(id);
    Status s = b.ok() ? write_out(id, **b) : Status(b.error());
    if (!s.ok()) {
      behind_.push_back(id);
      if (first.ok()) first = s;
    }
  }
  if (std::none_of(behind_.begin(), behind_.end(), [](const std::string& id) { return id != kPrivateLog; })) {
    visible_us_.store(INT64_MAX, std::memory_order_release);
  }
  return first;
}

std::optional<Evidence::Head> Evidence::head(std::string_view agreement_id) const {
  const std::lock_guard lock(mutex_);
  const auto it = books_.find(std::string(agreement_id));
  if (it == books_.end() || !it->second.tiles) return std::nullopt;
  return Head{it->second.tiles->size(), hex(view(it->second.tiles->root()))};
}

Result<Evidence::Opening> Evidence::salt_of(std::string_view agreement_id, uint64_t index) const {
  TRY(auto leaf, cx_.store.read(sequence_of(agreement_id), index, 1));
  if (leaf.empty())
    return make_error(ErrorKind::kNotFound, "the ledger has no entry " + std::to_string(index),
                      std::string(agreement_id));
  TRY(std::string salt, cx_.store.get("salt/" + bare_uuid(agreement_id), index_key(index)));
  return Opening{std::move(leaf.front()), std::move(salt), {}};
}

Result<Evidence::Opening> Evidence::opening(std::string_view agreement_id, uint64_t index) const {
  TRY(Opening out, salt_of(agreement_id, index));
  TRY(out.record, cx_.store.get("record/" + bare_uuid(agreement_id), index_key(index)));
  if (out.record.starts_with(kElsewhere)) {
    const size_t space = out.record.rfind(' ');
    uint64_t at = 0;
    const char* end = out.record.data() + out.record.size();
    if (space == std::string::npos || std::from_chars(out.record.data() + space + 1, end, at).ptr != end)
      return make_error(ErrorKind::kCorrupt, "the place of a record cannot be read", out.record);
    TRY(const auto rows, cx_.store.read(out.record.substr(1, space - 1), at, 1));
    if (rows.empty()) return make_error(ErrorKind::kCorrupt, "a record is not where it was kept", out.record);
    TRY(const json::Document row, json::parse(rows.front()));
    out.record = json::find_string(row.root(), "record").value_or("");
  }
  return out;
}

Result<ledger::Proof> Evidence::inclusion(std::string_view agreement_id, uint64_t index, uint64_t size) const {
  const std::lock_guard lock(mutex_);
  const auto it = books_.find(std::string(agreement_id));
  if (it == books_.end() || !it->second.tiles)
    return make_error(ErrorKind::kNotFound, "there is no such ledger", std::string(agreement_id));
  return it->second.tiles->prove_inclusion(index, size);
}

Result<std::string> Evidence::note(std::string_view agreement_id) const {
  const std::lock_guard lock(mutex_);
  const auto it = books_.find(std::string(agreement_id));
  if (it == books_.end() || !it->second.tiles)
    return make_error(ErrorKind::kNotFound, "there is no such ledger", std::string(agreement_id));
  return it->second.tiles->checkpoint();
}

Result<std::string> Evidence::padded_note(std::string_view agreement_id) const {
  const std::lock_guard lock(mutex_);
  const auto it = books_.find(std::string(agreement_id));
  if (it == books_.end() || it->second.padded.empty())
    return make_error(ErrorKind::kNotFound, "this ledger has no head of padded size yet", std::string(agreement_id));
  return it->second.padded;
}

Result<ledger::Proof> Evidence::consistency(std::string_view agreement_id, uint64_t old_size, uint64_t size) const {
  const std::lock_guard lock(mutex_);
  const auto it = books_.find(std::string(agreement_id));
  if (it == books_.end() || !it->second.tiles)
    return make_error(ErrorKind::kNotFound, "there is no such ledger", std::string(agreement_id));
  return it->second.tiles->prove_consistency(old_size, size);
}

Result<ledger::Hash> Evidence::root_at(std::string_view agreement_id, uint64_t size) const {
  const std::lock_guard lock(mutex_);
  const auto it = books_.find(std::string(agreement_id));
  if (it == books_.end() || !it->second.tiles)
    return make_error(ErrorKind::kNotFound, "there is no such ledger", std::string(agreement_id));
  return it->second.tiles->root_at(size);
}

Result<std::string> Evidence::file(std::string_view agreement_id, std::string_view path) const {
  // Only the characters tile paths are made of: nothing can climb out of the folder.
  const bool fine =
      !path.empty() && path.size() < 128 && path.find("..") == std::string_view::npos && path.front() != '/' &&
      std::all_of(
          path.begin(), path.end(),
          [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '.'; });
  if (!fine || (path != "checkpoint" && !path.starts_with("tile/")))
    return make_error(ErrorKind::kNotFound, "a ledger has no such file");
  return cx_.files.read(dir(agreement_id) + "/" + std::string(path));
}

}  // namespace entente::exchange
