// IP datagrams put together from fragments (RFC 791 §3.2, RFC 8200 §4.5), bounded in datagrams, pieces and octets.
//
// Overlap: a datagram of which two pieces overlap is given up whole, and what comes of it later too (RFC 5722 §4,
// applied to IPv4 as well: systems disagree which octets win, and teardrop lives there). An exact repetition is
// ignored.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "packet/internal/ip.h"

namespace entente::packet {

class Fragments {
 public:
  Fragments(size_t max_datagrams, size_t max_bytes, Counters& counters)
      : max_datagrams_(max_datagrams > 0 ? max_datagrams : 1), max_bytes_(max_bytes), counters_(&counters) {}

  // True if the datagram is now whole: then `bytes` has its payload and `protocol` what it begins with.
  [[nodiscard]] bool add(const IpPacket& piece, Time time, std::string& bytes, uint8_t& protocol);

 private:
  using Key = std::tuple<uint64_t, Address, Address, uint32_t, uint8_t>;  // the protocol counts for IPv4 only
  struct Datagram {
    Time since = {};
    bool refused = false;
    uint8_t protocol = 0;
    size_t total = 0;  // 0: the last piece has not come
    size_t have = 0;
    std::map<uint32_t, std::string> pieces = {};  // by offset, disjoint
    std::list<Key>::iterator turn = {};
  };
  using Map = std::map<Key, Datagram>;

  void refuse(Datagram& d);
  void drop(Map::iterator it);
  enum class Fit { kNew, kRepeated, kOverlap };
  [[nodiscard]] static Fit fit(const Datagram& d, uint32_t offset, std::string_view bytes);
  Map::iterator find_or_open(const Key& key, Time time);

  size_t max_datagrams_, max_bytes_, bytes_ = 0;
  Counters* counters_;
  std::list<Key> turns_;  // oldest first
  Map map_;
};

}  // namespace entente::packet
