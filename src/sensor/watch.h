// Packets to lookups: every address, DNS name, server name and URL of a packet is looked up; what matches goes to the
// core.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "packet/decode.h"
#include "sensor/core.h"

namespace entente::sensor {

// One per capture thread.
class Watch final : public packet::Sink {
 public:
  Watch(Core& core, std::string source);
  void on_flow(const packet::Packet& packet, const packet::Flow& flow) override;
  void on_dns_question(const packet::Packet& packet, const packet::Flow& flow,
                       const packet::DnsQuestion& question) override;
  void on_dns_answer(const packet::Packet& packet, const packet::Flow& flow, const packet::DnsAnswer& answer) override;
  void on_sni(const packet::Packet& packet, const packet::Flow& flow, std::string_view server_name) override;
  void on_tls(const packet::Packet& packet, const packet::Flow& flow, const packet::TlsHello& hello) override;
  void on_http(const packet::Packet& packet, const packet::Flow& flow, const packet::HttpRequest& request) override;
  // After the last call for a packet: what it shows goes to the compound patterns.
  void end();

 private:
  // What a name or URL may lead to a lease on.
  struct Lead {
    std::string_view address, via_name;
    std::optional<int64_t> dns_ttl_us;
  };
  void look_up(const packet::Packet& packet, const packet::Flow& flow, detect::ObservableKind kind,
               std::string_view text, std::string_view field, const Lead& lead);
  void look_up_address(const packet::Packet& packet, const packet::Flow& flow, const packet::Address& address,
                       std::string_view field);

  Core& core_;
  std::string source_;
  // Addresses that matched nothing when the indicators had this generation: most packets are of flows seen before.
  struct Miss {
    packet::Address address;
    uint64_t generation = 0;
  };
  std::array<Miss, 4096> misses_{};
  // The chain of aliases of the DNS answer that is being read.
  uint16_t chain_id_ = 0;
  uint64_t chain_packet_ = 0;
  std::vector<std::string> chain_;
  std::vector<uint32_t> tags_;
  // The packet as a record; it counts if it is the first of its flow or shows a name or request.
  detect::PacketRecord record_;
  detect::FlowOnce flows_;
  std::vector<detect::Shown> shown_;
  Where where_;
  bool counts_ = false, begun_ = false;
};

}  // namespace entente::sensor
