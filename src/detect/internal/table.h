// What the index looks up: keys of all kinds in one open-addressing table of cache-line buckets (16-bit tag and 32-bit
// reference per slot), with a Bloom filter for each type before it and the key itself (Entries) behind it. Equality of
// hashes is never a match; the key is compared. Immutable once built; rows are numbers that the owner gives meaning to.
//
// The filter of names holds every suffix of two labels and more of every name and URL host: from the right, a name's
// walk ends at the first suffix that no key has, mostly the shortest.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detect/internal/bloom.h"
#include "detect/internal/entries.h"
#include "detect/internal/query.h"
#include "detect/internal/ranges.h"
#include "pattern/pattern.h"

namespace entente::detect {

struct RowHit {
  uint32_t row;
  pattern::AtomKind kind;
};

class Table {
 public:
  // Appends the rows that the query matches; a row may come twice if two of its atoms match.
  void match(const Query& query, std::vector<RowHit>& out) const;
  [[nodiscard]] bool has_below() const { return has_below_; }  // any kDomainTree or kDomainBelow

  // What a scanner of raw text has to look out for beside addresses, names of several labels and digests.
  struct Shape {
    bool urls = false, emails = false;
    bool ja3 = false, ja4 = false;
    bool single_labels = false;  // names, or hosts of URLs, without a dot
    bool odd_names = false;      // names, or hosts of URLs, whose last label no name in running text has ("1.2.3")
  };
  [[nodiscard]] const Shape& shape() const { return shape_; }

  // The row that was given this id (see TableBuilder::add_id).
  [[nodiscard]] std::optional<uint32_t> row_of_id(std::string_view packed) const;

  // For the scanner: false if no record that contains this value can match because of it. True for the host of a URL
  // too. Exact but for names that the host of a URL has and addresses in blocks that end within a prefix.
  [[nodiscard]] bool concerns_v4(uint32_t address) const;
  [[nodiscard]] bool concerns_v6(const packet::Address& address) const;
  // `wildcard`: it stands for names below it only. Requires: kTailPad readable octets before the name.
  [[nodiscard]] bool concerns_name(std::string_view name, bool wildcard) const;
  [[nodiscard]] bool concerns_digest(std::string_view hex) const;
  [[nodiscard]] bool concerns_email(std::string_view text) const;
  [[nodiscard]] bool concerns_ja4(std::string_view text) const;
  // Its filters, to be asked in batches.
  [[nodiscard]] const Bloom& names() const { return names_; }
  [[nodiscard]] const Bloom& addresses4() const { return addresses4_; }
  [[nodiscard]] const Bloom& digests() const { return digests_; }
  [[nodiscard]] const Bloom& others() const { return others_; }
  // One bit per /16: is there an address, a host or a part of a block in it?
  [[nodiscard]] bool in_known16(uint32_t address) const {
    return (known16_[address >> 22] >> (address >> 16 & 63) & 1) != 0;
  }
  void prefetch_block4(uint32_t address) const { ranges4_.prefetch(address); }
  // For those to which the filters said maybe: what concerns_v4() will read.
  void prefetch_in_block4(uint32_t address) const { ranges4_.prefetch_ranges(address); }
  void prefetch_bucket(uint64_t hash) const {
    const auto* at = reinterpret_cast<const char*>(&buckets_[fold_range(hash, bucket_count_)]);
    for (size_t i = 0; i < 3; ++i) __builtin_prefetch(at + i * sizeof(Bucket));  // most are full: the next is asked too
  }
  [[nodiscard]] bool may_be_in_block4(uint32_t address) const {
    return lengths4_ != 0 && ranges4_.may_contain(address);
  }
  [[nodiscard]] bool in_block4(uint32_t address) const { return lengths4_ != 0 && ranges4_.contains(address); }

  // Beside its filter, others(): is it in a block, or a mapped IPv4 address?
  [[nodiscard]] bool may_be_in_block6(const packet::Address& address) const {
    return address.mapped_v4().has_value() || (!lengths6_.empty() && ranges6_.contains(address.b));
  }

  [[nodiscard]] const Entries& entries() const { return entries_; }
  [[nodiscard]] size_t keys() const { return keys_; }
  [[nodiscard]] size_t memory_bytes() const;
  // Of that what a lookup that finds nothing touches: filters, buckets, ranges. The keys are read to confirm a hit.
  [[nodiscard]] size_t hot_bytes() const { return memory_bytes() - entries_.memory_bytes(); }

 private:
  friend class TableBuilder;
  struct alignas(64) Bucket {
    static constexpr uint32_t kSlots = 10;
    uint16_t tag[kSlots];
    uint32_t used;
    uint32_t ref[kSlots];
    [[nodiscard]] uint32_t with_tag(uint16_t which) const;
  };
  static_assert(sizeof(Bucket) == 64);
  static constexpr uint32_t kNone = UINT32_MAX;

  [[nodiscard]] uint32_t find(uint64_t hash, KeyClass cls, std::string_view octets) const;
  [[nodiscard]] const Bloom& filter(KeyClass cls) const;
  [[nodiscard]] bool is_url_host(uint64_t hash, std::string_view host) const {
    return shape_.urls && find(hash, KeyClass::kUrlHost, host) != kNone;
  }
  template <class Fn>
  void each_posting(uint32_t ref, const Fn& fn) const;
  void take(uint32_t ref, Query::Accept accept, std::vector<RowHit>& out) const;
  void match_cidr(const packet::Address& address, std::vector<RowHit>& out) const;

  Entries entries_;
  Bloom names_, addresses4_, digests_, others_;
  Zeroed<Bucket> buckets_;
  size_t bucket_count_ = 0, keys_ = 0;
  std::vector<std::pair<uint32_t, uint32_t>> more_;  // (first entry of a key, another of the same), sorted
  Ranges4 ranges4_;
  Ranges6 ranges6_;
  std::vector<uint64_t> known16_ = std::vector<uint64_t>(1024);
  uint64_t lengths4_ = 0;          // bit n: there is a /n
  std::vector<uint8_t> lengths6_;  // prefix lengths that occur, longest first
  Shape shape_;
  bool has_below_ = false;
};

class TableBuilder {
 public:
  // Room for about so many keys in so many octets of values.
  void reserve(size_t keys, size_t octets) {
    pending_.reserve(keys);
    advise_huge(pending_.data(), keys * sizeof(Pending));
    entries_.reserve(octets);
  }
  void begin_row() { entries_.begin_row(); }
  void end_rows() { entries_.end_rows(); }
  // To the row begun last. False if the atom's value is not one of its kind; then nothing is added.
  bool add(const pattern::Atom& atom) { return add(atom.kind, atom.value); }
  bool add(pattern::AtomKind kind, std::string_view value);
  // The id of the row, so that the row can be found by it.
  void add_id(std::string_view packed);
  // An entry of another table, of whichever kind.
  void add(const Entries::Entry& entry);
  [[nodiscard]] const Entries& entries() const { return entries_; }
  [[nodiscard]] bool full() const { return entries_.size_bytes() + Entries::kMaxText + 16 > Entries::kMaxBytes; }
  [[nodiscard]] Table build() &&;

 private:
  struct Pending {
    uint64_t hash;
    uint32_t ref;
    KeyClass cls;
  };
  void add_key(pattern::AtomKind kind, KeyClass cls, uint64_t hash, std::string_view octets);
  bool add_block(std::string_view text);
  void add_block(const packet::Address& address, unsigned bits);
  void add_text(pattern::AtomKind kind, std::string_view text);
  void add_digest(pattern::AtomKind kind, std::string_view text, std::string_view octets);
  void add_ja4(std::string_view text);
  void add_url_host(uint32_t ref);

  std::vector<Pending> pending_;
  Entries entries_;
  std::vector<Range4> blocks4_;
  std::vector<Range6> blocks6_;
  uint64_t lengths4_ = 0;
  std::vector<bool> lengths6_ = std::vector<bool>(129);
  Table::Shape shape_;
  bool has_below_ = false;
};

}  // namespace entente::detect
