// The first octets of TCP flows, put together from segments in any order. A flow is here only while its first message
// is incomplete, one of DNS until it ends; the table is bounded in flows and octets, and the one not touched for
// longest makes room.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "packet/decode.h"

namespace entente::packet {

class Stream {
 public:
  explicit Stream(uint32_t base) : base_(base) {}

  // Copies what is new; octets that came first stay. False if the stream cannot be held any more (beyond the limit, too
  // many gaps).
  bool add(uint32_t sequence, std::string_view payload, size_t limit);
  // The octets without a gap from the first one.
  [[nodiscard]] std::string_view contiguous() const;
  // Octets are held that lie beyond a gap.
  [[nodiscard]] bool has_gaps() const { return ranges_.size() > 1 || (!ranges_.empty() && ranges_.front().begin > 0); }
  // Sequence number of the octet after contiguous().
  [[nodiscard]] uint32_t next() const { return base_ + static_cast<uint32_t>(contiguous().size()); }

  size_t consumed = 0;  // by the owner

 private:
  struct Range {
    size_t begin, end;
  };
  uint32_t base_;
  std::string bytes_;
  std::vector<Range> ranges_;  // sorted, disjoint, not touching
};

class Streams {
 public:
  Streams(size_t max_streams, Counters& counters);
  Stream* find(const Flow& flow);                 // makes it the last to go
  Stream& open(const Flow& flow, uint32_t base);  // replaces
  void close(const Flow& flow);

 private:
  struct Hash {
    uint64_t seed;
    size_t operator()(const Flow& flow) const noexcept;
  };
  struct Equal {
    bool operator()(const Flow& a, const Flow& b) const noexcept;
  };
  struct Entry {
    Stream stream;
    std::list<Flow>::iterator turn;
  };
  // How many flows are held at each place of a small table: most packets are of none, and need no more than this.
  static constexpr size_t kPlaces = 8192;
  [[nodiscard]] static size_t place(const Flow& flow);

  size_t max_;
  Counters* counters_;
  std::vector<uint32_t> places_ = std::vector<uint32_t>(kPlaces);
  std::list<Flow> turns_;  // longest untouched first
  std::unordered_map<Flow, Entry, Hash, Equal> map_;
};

}  // namespace entente::packet
