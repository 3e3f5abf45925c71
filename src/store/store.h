// Projections of the log: collections of objects, versions, keyed settings, sequences. A deterministic machine with
// five operations and no policy: exchange composes what it decides into a Change, the Change is one log record, and the
// store applies it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"
#include "base/uuid.h"
#include "log/log.h"
#include "stix/object.h"

namespace entente::store {

// What came of one add.
enum class Added : uint8_t {
  kAdded,
  kDuplicate,
  kConflict
};  // duplicate: same octets of the same version; conflict: other octets of it (T66)

// First 16 octets of the SHA-256 of what makes an object the same: its raw octets, or its canonical form. Tells a
// duplicate from a conflict without reading them again.
using ItemDigest = std::array<char, 16>;

// One transaction. Either all of it is in the log, or nothing. Operations take effect in the order of the calls; the
// k-th add or share (counted together) gets date_added = first_time + k microseconds, so the order of calls is the
// order readers see.
class Change {
 public:
  Change();
  // Puts an object into a collection. `meta` is kept with the row (origin, agreement, label…: exchange's own small
  // format). `raw` is stored as it came. An exact duplicate in this collection changes nothing (T65).
  void add(const Uuid& collection, const stix::Summary& summary, std::string raw, std::string_view meta = {});
  // The same, where objects whose `canonical` text is the same are duplicates, however their raw octets differ.
  void add_canonical(const Uuid& collection, const stix::Summary& summary, std::string raw, std::string_view meta,
                     std::string_view canonical);
  // Puts an object that is already in the log (under any collection) into this collection, without storing it again.
  void share(const Uuid& collection, const struct Row& row, std::string_view meta = {});
  // Takes an object out of a collection: one version, or all if version is "".
  void remove(const Uuid& collection, std::string_view id, std::string_view version);
  // The octets of this row's object are destroyed, in the log too, wherever else they are shown; rows stay until they
  // are removed. What stays of it in the log: its id, version and digest, in the record that brought it.
  void destroy(const struct Row& row);
  // Settings: (space, key) -> value; spaces are exchange's.
  void set(std::string_view space, std::string_view key, std::string_view value);
  void erase(std::string_view space, std::string_view key);
  // A setting that also keeps what came of the adds and shares before it in this change: for who must be able to tell
  // later. Read it with read_note().
  void note(std::string_view space, std::string_view key, std::string_view value);
  // Refuses the whole change with kConflict unless (space, key) has this value ("" = absent) at commit:
  // compare-and-set.
  void expect(std::string_view space, std::string_view key, std::string_view value);
  // Appends to a named sequence 0, 1, 2, … (ledger leaves, acts).
  void append(std::string_view sequence, std::string_view value);

  [[nodiscard]] size_t adds() const;
  [[nodiscard]] bool empty() const;
  [[nodiscard]] log::Record take() &&;

 private:
  void put_add(const Uuid& collection, const stix::Summary& summary, std::string raw, std::string_view meta,
               const Digest& digest);
  struct State;
  std::shared_ptr<State> state_;
};

struct Outcome {
  uint64_t seq = 0;
  Time first_time;
  std::vector<Added> added;   // one per add, in order
  std::vector<Added> shared;  // one per share, in order
};

// A setting that was written by Change::note.
struct Note {
  std::string value;
  Outcome outcome;  // without seq
};
[[nodiscard]] Result<Note> read_note(std::string_view setting);

// One object version in one collection.
struct Row {
  Uuid collection;
  Time date_added;
  log::View::ItemRef item;  // where its octets are
  std::string type;
  std::string id;
  std::string version;  // as text; for unversioned objects the text of date_added (T56)
  stix::Timestamp version_time;
  std::string spec_version;
  bool revoked = false;
  bool versioned = true;  // the object itself has a version; otherwise `version` is date_added
  ItemDigest digest{};
  std::string meta;
};

struct Query {
  std::optional<Time> added_after;  // exclusive
  std::optional<Time> upto;         // inclusive; snapshot bound of a cursor
  std::optional<Time>
      resume;  // rows up to here were given already. Unlike added_after this is no filter: which version
               // is first or last is chosen as on the first page, so that pages are parts of one answer
  size_t limit = 1000;
  std::vector<std::string> ids;
  std::vector<std::string> types;
  std::vector<std::string> spec_versions;  // empty: per object the newest of those in the window (T52)
  // match[version]: empty = last
  bool all = false;
  bool first = false;
  bool last = true;
  std::vector<stix::Timestamp> exact;
  // The page has refs instead of rows: for who gives away octets and describes nothing. What a row says of its object
  // is then not even read where the choice does not hang on it.
  bool brief = false;
};

// Where one object version of a page is.
struct Ref {
  Time date_added;
  log::View::ItemRef item;
};

struct Page {
  std::vector<Row> rows;  // ascending date_added
  std::vector<Ref> refs;  // the same, if the query was brief
  bool more = false;
};

// Thread-safe. Reads never wait for the committer.
class Store final : public log::Projector {
 public:
  Store();
  ~Store() override;
  // Call once, before use, with the log opened over this projector.
  void attach(log::Log& log);

  Status apply(const log::Entry& entry, log::Batch& batch, std::string& outcome) override;
  [[nodiscard]] uint32_t version() const override;

  using Done = std::function<void(Result<Outcome>)>;
  void commit(Change change, Done done);
  Result<Outcome> commit_wait(Change change);

  // Rows of a collection by date added; O(limit) for the unfiltered and for `last`, whatever the depth (T55 is kept per
  // row: the newest date_added of a newer and of an older version of the same object in this collection).
  [[nodiscard]] Result<Page> page(const Uuid& collection, const Query& query) const;
  // Octets of rows, in order: fn(i, raw).
  [[nodiscard]] Status raw(const std::vector<Row>& rows, const std::function<void(size_t, std::string_view)>& fn) const;
  [[nodiscard]] Status raw(std::span<const Ref> refs, const std::function<void(size_t, std::string_view)>& fn) const;
  // An object whose octets were destroyed has none; kNotFound where one is asked for.
  [[nodiscard]] Result<std::string> raw(const Row& row) const;
  // All versions of an object in every collection, oldest date first; empty if unknown.
  [[nodiscard]] Result<std::vector<Row>> find(std::string_view id) const;
  [[nodiscard]] Result<std::vector<Row>> find(const Uuid& collection, std::string_view id) const;
  [[nodiscard]] uint64_t count(const Uuid& collection) const;
  [[nodiscard]] std::optional<Time> newest(const Uuid& collection) const;

  [[nodiscard]] Result<std::string> get(std::string_view space, std::string_view key) const;  // kNotFound
  [[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> all(std::string_view space,
                                                                             std::string_view key_prefix = {}) const;
  [[nodiscard]] uint64_t length(std::string_view sequence) const;
  [[nodiscard]] Result<std::vector<std::string>> read(std::string_view sequence, uint64_t from, size_t max) const;

  // What was destroyed of these records leaves the disk's files too.
  Status scrub(uint64_t from_seq, uint64_t to_seq);

  // Objects by log order: what the release stage consumes. Rows of `collection` whose log position is after
  // `after_seq`.
  [[nodiscard]] uint64_t last_seq() const;
  [[nodiscard]] Time last_time() const;  // newest time that the log has given out

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::store
