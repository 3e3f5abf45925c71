// Query logs of name servers: BIND ("client @0x… 192.0.2.1#5353 (a.example): query: a.example IN A +E(0)K
// (192.0.2.53)") and Unbound ("[1700000000] unbound[1:0] info: 192.0.2.1 a.example. A IN"), each also behind a syslog
// header.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace entente::detect {

struct DnsLine {
  std::string_view client = {}, query = {}, server = {};  // the server's own address; empty if not told
  std::string time = {};                                  // RFC 3339, empty if not told
};
[[nodiscard]] std::optional<DnsLine> parse_dns_line(std::string_view line);

}  // namespace entente::detect
