// Every atom of every row, packed: one octet that says what it is, its length where that is not fixed, its octets
// (addresses and digests binary). 5 octets for an IPv4 address, 33 for a SHA-256, 2 and its text for a name. A row's
// atoms stand together and rows in order, so that neither row numbers nor offsets are kept: a sample of offsets and a
// short walk give both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "detect/internal/memory.h"
#include "pattern/pattern.h"

namespace entente::detect {

// An id as octets: of "indicator--UUID" a zero and the 16 octets of the UUID, else a one and its text. Empty if it is
// longer than 250 octets.
[[nodiscard]] std::string pack_id(std::string_view id);
[[nodiscard]] std::string unpack_id(std::string_view packed);

class Entries {
 public:
  struct Entry {
    pattern::AtomKind kind;
    bool empty;   // a row without any atom that can be looked up
    bool id;      // not an atom, but the id of its row (see pack_id)
    bool first;   // of its row
    bool shared;  // others have the same key: the table knows which
    std::string_view octets;
    uint32_t next;  // where the next one stands
  };
  static constexpr size_t kMaxText = 60'000;              // of a URL
  static constexpr size_t kMaxBytes = uint64_t{4} << 30;  // offsets are 32 bits

  [[nodiscard]] Entry at(uint32_t offset) const {
    const auto* p = bytes_.data() + offset;
    const auto head = static_cast<unsigned char>(*p++);
    Entry e{.kind = static_cast<pattern::AtomKind>(head & kKind),
            .empty = (head & kKind) == kEmpty,
            .id = (head & kKind) == kId,
            .first = (head & kFirst) != 0,
            .shared = (head & kShared) != 0,
            .octets = {},
            .next = 0};
    size_t size = kFixed[head & kKind];
    if (size == kShort) {
      size = static_cast<unsigned char>(*p++);
    } else if (size == kLong) {
      size = static_cast<unsigned char>(p[0]) | static_cast<size_t>(static_cast<unsigned char>(p[1])) << 8;
      p += 2;
    }
    e.octets = {p, size};
    e.next = static_cast<uint32_t>(p + size - bytes_.data());
    return e;
  }

  // The row whose atom stands at `offset`, and where the atoms of a row begin.
  [[nodiscard]] uint32_t row_of(uint32_t offset) const;
  [[nodiscard]] uint32_t begin_of(uint32_t row) const;
  template <class Fn>
  void each_of(uint32_t row, const Fn& fn) const {
    uint32_t at_byte = begin_of(row);
    do {
      const Entry e = at(at_byte);
      if (!e.empty && !e.id) fn(e);
      at_byte = e.next;
    } while (at_byte < bytes_.size() && !at(at_byte).first);
  }
  [[nodiscard]] std::string id_of(uint32_t row) const;  // empty if it was not added
  // All, in order: fn(offset, entry).
  template <class Fn>
  void each(const Fn& fn) const {
    for (uint32_t o = 0; o < bytes_.size();) {
      const Entry e = at(o);
      fn(o, e);
      o = e.next;
    }
  }
  // The atom as it was given, in its normal form.
  [[nodiscard]] static pattern::Atom atom_of(const Entry& e);

  [[nodiscard]] uint32_t rows() const { return rows_; }
  [[nodiscard]] size_t memory_bytes() const { return bytes_.capacity() + samples_.capacity() * 4; }

  // Building. Rows are begun in order; an atom belongs to the row begun last.
  void reserve(size_t octets) {
    bytes_.reserve(octets);
    advise_huge(bytes_.data(), octets);
  }
  void begin_row();
  void end_rows();  // after the last; at() may be asked from then on for all
  uint32_t add(pattern::AtomKind kind, std::string_view octets);
  uint32_t add_id(std::string_view packed) { return add(static_cast<pattern::AtomKind>(kId), packed); }
  void set_shared(uint32_t offset) { bytes_[offset] = static_cast<char>(bytes_[offset] | kShared); }
  void shrink() {
    if (bytes_.capacity() - bytes_.size() > bytes_.size() / 16) bytes_.shrink_to_fit();
    samples_.shrink_to_fit();
  }
  [[nodiscard]] size_t size_bytes() const { return bytes_.size(); }

 private:
  static constexpr unsigned kKind = 31, kEmpty = 31, kId = 30, kFirst = 32, kShared = 64;
  static constexpr size_t kShort = 1000, kLong = 1001;
  // By AtomKind: v4 v6 cidr4 cidr6 domain tree below url md5 sha1 sha256 sha512 email ja3 ja4; at kId an id
  static constexpr size_t kFixed[32] = {4,  16,    5,  17, kShort, kShort, kShort, kLong, 16,     20, 32,
                                        64, kLong, 16, 36, 0,      0,      0,      0,     0,      0,  0,
                                        0,  0,     0,  0,  0,      0,      0,      0,     kShort, 0};
  static constexpr uint32_t kStep = 32;  // rows per sample

  std::vector<char> bytes_;
  std::vector<uint32_t> samples_;  // where row kStep * i begins
  uint32_t rows_ = 0;
  bool fresh_ = false;  // the row begun last has no atom yet
};

}  // namespace entente::detect
