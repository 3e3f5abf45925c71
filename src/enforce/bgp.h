// Leases at routers: a small BGP speaker with one neighbour (GoBGP, FRR, BIRD, a router). A host's traffic goes to a
// black hole (RTBH, community 65535:666), or routers discard by flow specification, to and from the target.
//
// It speaks BGP itself, and does not put routes into a daemon: routes live as long as the session. When the sensor is
// gone the neighbour keeps them for the time that graceful restart (RFC 4724) promises, and drops them then: they hold
// over a restart and fail open after it. After a restart on either side everything is announced again, and what is not
// is dropped by the neighbour (End-of-RIB). docs/decisions/0022-bgp-by-a-session-of-our-own.md
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "enforce/target.h"

namespace entente::enforce {

struct BgpOptions {
  std::string peer;  // "ADDRESS:PORT", "[v6]:PORT"
  uint32_t local_as = 0, peer_as = 0;
  std::string router_id;  // an IPv4 address
  std::string source;     // the address to connect from; "" = as the system chooses
  std::string password;   // TCP MD5 signature (RFC 2385); "" = none
  std::vector<uint32_t> communities{65535U << 16U | 666U, 0xffffff01U};  // BLACKHOLE, NO_EXPORT
  std::string next_hop4 = "192.0.2.1", next_hop6 = "100::1";  // what routers send nowhere (RFC 5635, RFC 6666)
  size_t max_rules = 100;         // a flow specification of a target is two: to it and from it
  int64_t hold_us = 300'000'000;  // the neighbour keeps what it has so long after the session broke; at most 4095 s
  uint16_t session_hold_s = 30;   // without a word for so long the session is broken
};

enum class BgpHow : uint8_t { kRtbh, kFlowTo, kFlowFrom };

struct BgpRoute {
  Prefix prefix;
  BgpHow how = BgpHow::kRtbh;
  auto operator<=>(const BgpRoute&) const = default;
};

// A thread of its own. Thread-safe.
class BgpSpeaker {
 public:
  // kInvalid: options that cannot be. A neighbour that is not there is no error: it is tried again.
  static Result<std::unique_ptr<BgpSpeaker>> start(BgpOptions options, std::set<BgpRoute> routes);
  BgpSpeaker(const BgpSpeaker&) = delete;
  BgpSpeaker& operator=(const BgpSpeaker&) = delete;
  ~BgpSpeaker();  // as stop(false)

  // What is to be announced from now on. kTooLarge, and nothing is changed: more than max_rules.
  Status want(std::set<BgpRoute> routes);
  // `clear`: everything is withdrawn first. Otherwise the session just breaks, and the neighbour holds what it has.
  void stop(bool clear);

  struct Report {
    bool established = false;
    bool graceful = false;  // the neighbour keeps routes over our restart
    size_t announced = 0;   // routes that the neighbour was told of in this session
    size_t not_taken = 0;   // of a family that it does not want
    uint64_t sessions = 0;  // since the start
    std::string error;      // why there is no session; "" if there is one
  };
  [[nodiscard]] Report report() const;

 private:
  BgpSpeaker();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::enforce
