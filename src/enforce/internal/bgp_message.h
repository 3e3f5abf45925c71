// BGP-4 messages (RFC 4271) of a speaker that only announces: unicast host routes with a blackhole community (RFC 7999)
// and flow specifications that discard (RFC 8955, RFC 8956). Reading is bounded and never throws.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "enforce/bgp.h"

namespace entente::enforce::internal::bgp {

inline constexpr size_t kHeaderBytes = 19, kMaxMessage = 4096;

enum class Type : uint8_t { kOpen = 1, kUpdate = 2, kNotification = 3, kKeepalive = 4, kRouteRefresh = 5 };

// Address family and subsequent one: 1/1 and 2/1 unicast, 1/133 and 2/133 flow specifications.
struct Family {
  uint16_t afi = 1;
  uint8_t safi = 1;
  auto operator<=>(const Family&) const = default;
};
[[nodiscard]] Family family_of(const BgpRoute& route);

struct Message {
  Type type = Type::kKeepalive;
  std::string body;
};
// Takes the first whole message out of `buffer`; nullopt if there is none yet. kInvalid: not BGP.
[[nodiscard]] Result<std::optional<Message>> take(std::string& buffer);

struct PeerOpen {
  uint32_t as = 0;
  uint16_t hold_s = 0;
  bool four_octets = false;  // of AS numbers
  bool graceful = false;     // it keeps routes over a restart of ours
  std::set<Family> families;
};
[[nodiscard]] Result<PeerOpen> read_open(std::string_view body);
[[nodiscard]] std::string read_notification(std::string_view body);  // for people

[[nodiscard]] std::string open(const BgpOptions& options, bool restarted);
[[nodiscard]] std::string keepalive();
[[nodiscard]] std::string notification(uint8_t code, uint8_t subcode);
[[nodiscard]] std::string announce(const BgpRoute& route, const BgpOptions& options, const PeerOpen& peer);
[[nodiscard]] std::string withdraw(const BgpRoute& route);
[[nodiscard]] std::string end_of_rib(const Family& family);

}  // namespace entente::enforce::internal::bgp
