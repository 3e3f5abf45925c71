// Makes packets: for tests of every layer that reads them, and for exercises. The opposite of decode.h, written apart
// from it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "packet/decode.h"

namespace entente::packet {

// An Ethernet frame with IPv4 or IPv6 (as flow.src says), UDP, and valid checksums. `vlans`: tags from the outside in.
[[nodiscard]] std::string compose_udp(const Flow& flow, std::string_view payload,
                                      const std::vector<uint16_t>& vlans = {});
// TCP; flags as on the wire (2 SYN, 16 ACK, 24 PSH|ACK).
[[nodiscard]] std::string compose_tcp(const Flow& flow, uint32_t sequence, uint8_t flags, std::string_view payload,
                                      const std::vector<uint16_t>& vlans = {});

[[nodiscard]] std::string compose_dns_query(uint16_t id, std::string_view name, DnsType type);
struct DnsRecord {
  DnsType type = DnsType::kA;
  std::string name;
  uint32_t ttl_s = 0;
  std::string value;  // address or name in text
};
// Names that repeat the question are compressed.
[[nodiscard]] std::string compose_dns_response(uint16_t id, std::string_view question, DnsType type,
                                               const std::vector<DnsRecord>& answers);
// A TLS record with a ClientHello; `padding` octets more in a padding extension (RFC 7685). Empty name: no server_name
// extension.
[[nodiscard]] std::string compose_client_hello(std::string_view server_name, size_t padding = 0);

}  // namespace entente::packet
