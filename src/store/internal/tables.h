// The store's tables and the octets of their keys and values (docs/format/store.md). Everything is big-endian.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/uuid.h"
#include "log/log.h"
#include "store/store.h"

namespace entente::store {

// Part of the on-disk format.
inline constexpr log::Table kRows = 1;     // collection, date added -> row
inline constexpr log::Table kObjects = 2;  // object, collection -> its versions there
inline constexpr log::Table kVersions =
    3;  // object, collection, version -> date added; only of objects with many versions
inline constexpr log::Table kCounts = 4;     // collection -> number of rows
inline constexpr log::Table kSettings = 5;   // space, key -> value
inline constexpr log::Table kSequences = 6;  // name, index -> value
inline constexpr log::Table kLengths = 7;    // name -> length of the sequence

// Rebuilt from the log when it changes.
inline constexpr uint32_t kTablesVersion = 1;

// No time; before every time, so that "nothing newer" passes every comparison.
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::min();

void put_time(std::string& out, int64_t us);  // so that octets sort as times do
[[nodiscard]] int64_t read_time(std::string_view eight);

// First 16 octets of the SHA-256 of the id: one size for every id, and no id can be made to fall on another.
using ObjectKey = std::array<char, 16>;
[[nodiscard]] ObjectKey object_key(std::string_view id);
[[nodiscard]] std::string object_in(const ObjectKey& object, const Uuid& collection);

[[nodiscard]] std::string row_key(const Uuid& collection, int64_t date_us);
[[nodiscard]] std::string setting_key(std::string_view space, std::string_view key);
[[nodiscard]] std::string sequence_key(std::string_view name, uint64_t index);
// The smallest key after every key that begins with this.
[[nodiscard]] std::string after_prefix(std::string_view prefix);

// Orders versions: those without a version first, then by instant (T54: `…01Z` and `…01.000Z` are one version).
struct VersionKey {
  bool versioned = false;
  stix::Timestamp at;
  auto operator<=>(const VersionKey&) const = default;
};
inline constexpr size_t kVersionKeySize = 13;
void put_version_key(std::string& out, const VersionKey& v);
[[nodiscard]] VersionKey read_version_key(std::string_view octets);

// What identifies and describes one object version; the same in a record header and in a row.
struct Info {
  std::string_view type;
  std::string_view id;
  std::string_view version;  // "" = has none
  stix::Timestamp version_time;
  std::string_view spec_version;
  bool revoked = false;
  ItemDigest digest{};
  [[nodiscard]] VersionKey key() const { return version.empty() ? VersionKey{} : VersionKey{true, version_time}; }
};
void put_info(std::string& out, const Info& info);
// `id` is where the text is put if the octets hold it in parts. Views into `r`'s octets and `id`.
[[nodiscard]] bool read_info(ByteReader& r, Info& info, std::string& id);

// Fixed head of a row: what a page walk needs to pass over a row without decoding it.
//   newer:time older:time flags:u8 seq:u64 index:u32 info meta
struct RowHead {
  int64_t newer = kNever;  // newest date added of a newer version of the same object in this collection
  int64_t older = kNever;  // … of an older version
  bool listed = false;     // newer and older are not kept: see the object's list of versions
  log::View::ItemRef item;
};
inline constexpr size_t kRowHeadSize = 8 + 8 + 1 + 8 + 4;
void put_row_head(std::string& out, const RowHead& head);
[[nodiscard]] bool read_row_head(std::string_view value, RowHead& head);
// Type as it stands in a row, without decoding the rest.
[[nodiscard]] std::optional<std::string_view> peek_type(std::string_view value);
[[nodiscard]] inline int64_t read_row_date(std::string_view key) { return read_time(key.substr(16)); }
[[nodiscard]] Status decode_row(std::string_view key, std::string_view value, Row& row);

// All versions of one object in one collection.
struct Versions {
  struct Entry {
    VersionKey version;
    int64_t date = kNever;
    std::string spec;
    // Instant to compare and match by: without a version it is the date added (T56).
    [[nodiscard]] stix::Timestamp instant() const;
  };
  static constexpr size_t kInline = 32;

  bool listed = false;  // rows carry the flag: spec versions differ, or there are many
  bool many = false;    // the entries are in kVersions, not here
  uint64_t count = 0;
  std::vector<Entry> entries;  // by version; empty if many
};
[[nodiscard]] std::string encode_versions(const Versions& v);
[[nodiscard]] Result<Versions> decode_versions(std::string_view value);
void put_entry(std::string& out, int64_t date, std::string_view spec);
[[nodiscard]] bool read_entry(ByteReader& r, Versions::Entry& e);

[[nodiscard]] Error damaged(std::string_view what);

}  // namespace entente::store
