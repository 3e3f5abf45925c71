// What the index looks up: keys of all kinds in one open-addressing table of cache-line buckets (16-bit tag and 32-bit
// reference per slot), with a Bloom filter before it and the text of the key behind it. Equality of hashes is never a
// match; the key is compared. Immutable once built; rows are numbers that the owner gives meaning to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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
  [[nodiscard]] bool has_urls() const { return has_urls_; }
  [[nodiscard]] bool has_emails() const { return has_emails_; }
  [[nodiscard]] bool has_single_labels() const { return has_single_labels_; }
  // May the query match, or is its name or address the host of a URL?
  [[nodiscard]] bool concerns(const Query& query) const;
  [[nodiscard]] size_t keys() const { return keys_; }
  [[nodiscard]] size_t memory_bytes() const;

 private:
  friend class TableBuilder;
  struct alignas(64) Bucket {
    static constexpr uint32_t kSlots = 10;
    uint16_t tag[kSlots];
    uint32_t used;
    uint32_t ref[kSlots];
  };
  static_assert(sizeof(Bucket) == 64);
  struct Free {
    void operator()(void* p) const;
  };
  // A key in the arena: the header, then the octets, padded to four.
  struct Key {
    uint16_t size;
    KeyClass cls;
    pattern::AtomKind kind;  // of the only posting
    uint32_t row;            // of the only posting; with kMany the place of the list in postings_
  };
  static_assert(sizeof(Key) == 8);
  static constexpr auto kMany = static_cast<pattern::AtomKind>(0xff);

  static constexpr size_t kBloomBits = 12;  // per key: about 1 % false positives with four bits in one word

  [[nodiscard]] bool maybe(uint64_t hash) const {
    const uint64_t bits = bloom_bits(hash);
    return (bloom_[fold_range(hash, bloom_words_)] & bits) == bits;
  }
  static uint64_t bloom_bits(uint64_t h) {
    return uint64_t{1} << (h & 63) | uint64_t{1} << (h >> 6 & 63) | uint64_t{1} << (h >> 12 & 63) |
           uint64_t{1} << (h >> 18 & 63);
  }
  // Maps the upper part of a hash onto 0..n-1.
  static size_t fold_range(uint64_t h, size_t n) {
    return static_cast<size_t>(static_cast<unsigned __int128>(h) * n >> 64);
  }

  [[nodiscard]] const Key* find(uint64_t hash, KeyClass cls, std::string_view octets) const;
  void take(const Key& key, Query::Accept accept, std::vector<RowHit>& out) const;
  void match_cidr(const packet::Address& address, std::vector<RowHit>& out) const;

  std::unique_ptr<uint64_t[], Free> bloom_;
  std::unique_ptr<Bucket[], Free> buckets_;
  size_t bloom_words_ = 0, bucket_count_ = 0, keys_ = 0;
  std::vector<uint32_t> arena_;   // keys
  std::vector<RowHit> postings_;  // lists: one element whose row is the count, then the postings
  Ranges4 ranges4_;
  Ranges6 ranges6_;
  uint64_t lengths4_ = 0;          // bit n: there is a /n
  std::vector<uint8_t> lengths6_;  // prefix lengths that occur, longest first
  bool has_below_ = false, has_urls_ = false, has_emails_ = false, has_single_labels_ = false;
};

class TableBuilder {
 public:
  // False if the atom's value is not one of its kind; then nothing is added.
  bool add(uint32_t row, const pattern::Atom& atom);
  [[nodiscard]] Table build() &&;

 private:
  struct Pending {
    uint64_t hash;
    uint32_t ref;
  };
  void add_key(uint32_t row, pattern::AtomKind kind, KeyClass cls, uint64_t hash, std::string_view octets);
  bool add_block(uint32_t row, const pattern::Atom& atom);
  void add_url_host(std::string_view url);

  std::vector<Pending> pending_;
  std::vector<uint32_t> arena_;
  std::vector<Range4> blocks4_;
  std::vector<Range6> blocks6_;
  uint64_t lengths4_ = 0;
  std::vector<bool> lengths6_ = std::vector<bool>(129);
  bool has_below_ = false, has_urls_ = false, has_emails_ = false, has_single_labels_ = false;
};

}  // namespace entente::detect
