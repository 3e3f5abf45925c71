#include "store/internal/apply.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::store {
namespace {

constexpr char kSharedBit = 0x10;

std::string version_row_key(const std::string& object, const VersionKey& v) {
  std::string key = object;
  put_version_key(key, v);
  return key;
}

std::string head_octets(const RowHead& head) {
  std::string out;
  put_row_head(out, head);
  return out;
}

// Newest date of the entries after, and before, position i.
int64_t newest(const std::vector<Versions::Entry>& entries, size_t from, size_t to) {
  int64_t out = kNever;
  for (size_t i = from; i < to; ++i) out = std::max(out, entries[i].date);
  return out;
}

}  // namespace

char encode_added(Added added, bool shared) {
  return static_cast<char>(static_cast<char>(added) | (shared ? kSharedBit : 0));
}

void decode_added(std::string_view outcome, Outcome& out) {
  for (const char c : outcome) {
    auto& list = (c & kSharedBit) != 0 ? out.shared : out.added;
    list.push_back(static_cast<Added>(c & ~kSharedBit));
  }
}

Status Applier::run(std::string& outcome) {
  OpReader reader(entry_.header);
  Op op;
  while (reader.next(op)) {
    switch (op.kind) {
      case OpKind::kAdd: {
        if (items_ >= entry_.items.size()) return damaged("record");
        TRY(const Added added, put_row(op, {entry_.seq, items_}));
        ++items_;
        outcome.push_back(encode_added(added, false));
        break;
      }
      case OpKind::kShare: {
        TRY(const Added added, put_row(op, op.item));
        outcome.push_back(encode_added(added, true));
        break;
      }
      case OpKind::kRemove:
        CHECK_OK(remove(op));
        break;
      case OpKind::kSet:
        batch_.put(kSettings, setting_key(op.space, op.key), op.value);
        break;
      case OpKind::kNote: {
        std::string value;
        put_bytes(value, op.value);
        put_time(value, entry_.first_time.us);
        value += outcome;
        batch_.put(kSettings, setting_key(op.space, op.key), value);
        break;
      }
      case OpKind::kErase:
        batch_.erase(kSettings, setting_key(op.space, op.key));
        break;
      case OpKind::kExpect:
        CHECK_OK(expect(op));
        break;
      case OpKind::kAppend:
        CHECK_OK(append(op));
        break;
      case OpKind::kDestroy:
        // Only of records before this one: the octets of a record are its own until it is in the log.
        if (op.item.seq == 0 || op.item.seq >= entry_.seq) return damaged("record");
        batch_.destroy(op.item);
        break;
    }
  }
  if (!reader.ok()) return damaged("record");
  return write_counts();
}

Result<std::optional<std::string>> Applier::get(log::Table table, std::string_view key) const {
  auto found = batch_.get(table, key);
  if (found.ok()) return std::optional(*std::move(found));
  if (found.error().kind == ErrorKind::kNotFound) return std::optional<std::string>();
  return found.error();
}

Result<std::optional<Versions>> Applier::versions_of(const std::string& key) const {
  TRY(const auto stored, get(kObjects, key));
  if (!stored) return std::optional<Versions>();
  TRY(Versions v, decode_versions(*stored));
  return std::optional(std::move(v));
}

Result<Added> Applier::compare(const Op& op, int64_t date, const log::View::ItemRef& item) const {
  TRY(const std::string value, batch_.get(kRows, row_key(op.collection, date)));
  RowHead head;
  Info info;
  std::string id;
  ByteReader r(std::string_view(value).substr(std::min(value.size(), kRowHeadSize)));
  if (!read_row_head(value, head) || !read_info(r, info, id)) return damaged("row");
  const bool same = (head.item.seq == item.seq && head.item.index == item.index) || info.digest == op.info.digest;
  return same ? Added::kDuplicate : Added::kConflict;
}

Result<Added> Applier::put_row(const Op& op, const log::View::ItemRef& item) {
  const int64_t date = entry_.first_time.us + dates_++;
  const std::string key = object_in(object_key(op.info.id), op.collection);
  const VersionKey version = op.info.key();
  TRY(auto found, versions_of(key));
  Versions versions = found ? *std::move(found) : Versions{};

  RowHead head;
  head.item = item;
  if (versions.many) {
    TRY(const auto there, get(kVersions, version_row_key(key, version)));
    if (there) {
      Versions::Entry e;
      ByteReader r(*there);
      if (!read_entry(r, e)) return damaged("version");
      return compare(op, e.date, item);
    }
    std::string entry;
    put_entry(entry, date, op.info.spec_version);
    batch_.put(kVersions, version_row_key(key, version), entry);
    ++versions.count;
    head.listed = true;
  } else {
    auto& entries = versions.entries;
    const auto at = std::lower_bound(entries.begin(), entries.end(), version,
                                     [](const Versions::Entry& e, const VersionKey& v) { return e.version < v; });
    if (at != entries.end() && at->version == version) return compare(op, at->date, item);
    // Which version is last under which filter is a comparison of two dates only while all versions are alike.
    const bool alike = entries.empty() || (entries.front().spec == op.info.spec_version &&
                                           entries.front().version.versioned == version.versioned);
    const size_t position = static_cast<size_t>(at - entries.begin());
    entries.insert(at, {version, date, std::string(op.info.spec_version)});
    ++versions.count;
    if (!versions.listed && (!alike || entries.size() > Versions::kInline)) {
      versions.listed = true;
      CHECK_OK(list_rows(op.collection, versions));
    }
    head.listed = versions.listed;
    if (!versions.listed && entries.size() > 1) {
      head.newer = newest(entries, position + 1, entries.size());
      head.older = newest(entries, 0, position);
    }
    if (entries.size() > Versions::kInline) CHECK_OK(spill(key, versions));
  }
  batch_.put(kObjects, key, encode_versions(versions));

  std::string row = head_octets(head);
  put_info(row, op.info);
  row.append(op.meta);
  batch_.put(kRows, row_key(op.collection, date), row);
  ++counts_[op.collection];
  if (!versions.listed && versions.entries.size() > 1) CHECK_OK(relink(op.collection, versions));
  return Added::kAdded;
}

Status Applier::relink(const Uuid& collection, const Versions& versions) {
  const auto& entries = versions.entries;
  for (size_t i = 0; i < entries.size(); ++i) {
    const std::string key = row_key(collection, entries[i].date);
    TRY(std::string value, batch_.get(kRows, key));
    RowHead head;
    if (!read_row_head(value, head)) return damaged("row");
    const int64_t newer = newest(entries, i + 1, entries.size());
    const int64_t older = newest(entries, 0, i);
    if (head.newer == newer && head.older == older) continue;
    head.newer = newer;
    head.older = older;
    batch_.put(kRows, key, value.replace(0, kRowHeadSize, head_octets(head)));
  }
  return {};
}

Status Applier::list_rows(const Uuid& collection, const Versions& versions) {
  for (const auto& e : versions.entries) {
    const std::string key = row_key(collection, e.date);
    TRY(auto value, get(kRows, key));
    if (!value) continue;  // the one being added
    RowHead head;
    if (!read_row_head(*value, head)) return damaged("row");
    head.listed = true;
    head.newer = kNever;
    head.older = kNever;
    batch_.put(kRows, key, value->replace(0, kRowHeadSize, head_octets(head)));
  }
  return {};
}

Status Applier::spill(const std::string& key, Versions& versions) {
  std::string entry;
  for (const auto& e : versions.entries) {
    entry.clear();
    put_entry(entry, e.date, e.spec);
    batch_.put(kVersions, version_row_key(key, e.version), entry);
  }
  versions.entries.clear();
  versions.many = true;
  return {};
}

Status Applier::remove(const Op& op) {
  if (op.which == Op::Which::kNone) return {};
  const ObjectKey object = object_key(op.id);
  const std::string key = object_in(object, op.collection);
  TRY(auto found, versions_of(key));
  if (!found) return {};
  Versions& versions = *found;
  if (versions.many) {
    CHECK_OK(remove_many(op, object, versions));
  } else {
    const auto gone = [&](const Versions::Entry& e) {
      return op.which == Op::Which::kAll || e.instant() == op.instant;
    };
    size_t removed = 0;
    for (const auto& e : versions.entries) {
      if (!gone(e)) continue;
      batch_.erase(kRows, row_key(op.collection, e.date));
      ++removed;
    }
    if (removed == 0) return {};
    std::erase_if(versions.entries, gone);
    versions.count -= removed;
    counts_[op.collection] -= static_cast<int64_t>(removed);
    if (!versions.listed) CHECK_OK(relink(op.collection, versions));
  }
  if (versions.count == 0) {
    batch_.erase(kObjects, key);
  } else {
    batch_.put(kObjects, key, encode_versions(versions));
  }
  return {};
}

Status Applier::remove_many(const Op& op, const ObjectKey& object, Versions& versions) {
  const std::string prefix = object_in(object, op.collection);
  const auto drop = [&](std::string_view key, std::string_view value, bool any) -> Status {
    Versions::Entry e;
    ByteReader r(value);
    if (key.size() != prefix.size() + kVersionKeySize || !read_entry(r, e)) return damaged("version");
    e.version = read_version_key(key.substr(prefix.size()));
    if (!any && e.instant() != op.instant) return {};
    batch_.erase(kVersions, key);
    batch_.erase(kRows, row_key(op.collection, e.date));
    --versions.count;
    --counts_[op.collection];
    return {};
  };
  if (op.which == Op::Which::kInstant) {
    for (const VersionKey& v : {VersionKey{true, op.instant}, VersionKey{}}) {
      const std::string key = version_row_key(prefix, v);
      TRY(const auto value, get(kVersions, key));
      if (value) CHECK_OK(drop(key, *value, false));
    }
    return {};
  }
  const std::string end = after_prefix(prefix);
  while (versions.count > 0) {
    TRY(const auto last, batch_.last_before(kVersions, prefix, end));
    CHECK_OK(drop(last.first, last.second, true));
  }
  return {};
}

Status Applier::expect(const Op& op) {
  TRY(const auto value, get(kSettings, setting_key(op.space, op.key)));
  if (value.value_or(std::string()) == op.value) return {};
  return make_error(ErrorKind::kConflict, fmt::format("{} \"{}\" has changed in the meantime", op.space, op.key), {},
                    "look at it again and repeat");
}

Status Applier::append(const Op& op) {
  TRY(const auto stored, get(kLengths, op.space));
  uint64_t length = 0;
  if (stored) {
    ByteReader r(*stored);
    length = r.u64();
    if (!r.done()) return damaged("length of a sequence");
  }
  batch_.put(kSequences, sequence_key(op.space, length), op.value);
  std::string next;
  put_u64(next, length + 1);
  batch_.put(kLengths, op.space, next);
  return {};
}

Status Applier::write_counts() {
  for (const auto& [collection, change] : counts_) {
    if (change == 0) continue;
    TRY(const auto stored, get(kCounts, collection.raw()));
    uint64_t count = 0;
    if (stored) {
      ByteReader r(*stored);
      count = r.u64();
      if (!r.done()) return damaged("count");
    }
    count += static_cast<uint64_t>(change);
    if (count == 0) {
      batch_.erase(kCounts, collection.raw());
      continue;
    }
    std::string value;
    put_u64(value, count);
    batch_.put(kCounts, collection.raw(), value);
  }
  return {};
}

}  // namespace entente::store
