// From decoded packets to observables: a sink for packet::Decoder that hands on every address, name and URL with where
// it was seen. Fields: "ip.src", "ip.dst", "dns.query", "dns.answer", "dns.cname", "tls.sni", "tls.ja3", "tls.ja4",
// "http.host", "http.url".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "detect/observable.h"
#include "detect/record.h"
#include "packet/decode.h"

namespace entente::detect {

// The host of a Host field: without its port and the brackets of IPv6.
[[nodiscard]] std::string_view without_port(std::string_view host);

class PacketObserver final : public packet::Sink {
 public:
  using Fn = std::function<void(const Observable&)>;
  // The addresses of a flow are handed on with its first packet only, if `once_per_flow` (bounded memory: after many
  // flows it may say them again).
  PacketObserver(std::string source, Fn fn, bool once_per_flow = true)
      : source_(std::move(source)), fn_(std::move(fn)), once_(once_per_flow) {}

  void on_flow(const packet::Packet& p, const packet::Flow& f) override;
  void on_dns_question(const packet::Packet& p, const packet::Flow& f, const packet::DnsQuestion& q) override;
  void on_dns_answer(const packet::Packet& p, const packet::Flow& f, const packet::DnsAnswer& a) override;
  void on_sni(const packet::Packet& p, const packet::Flow& f, std::string_view name) override;
  // Fingerprints cost more than all else of a packet: only `with_fingerprints`.
  void on_tls(const packet::Packet& p, const packet::Flow& f, const packet::TlsHello& hello) override;
  void with_fingerprints(bool yes) { fingerprints_ = yes; }
  void on_http(const packet::Packet& p, const packet::Flow& f, const packet::HttpRequest& r) override;

 private:
  void tell(const packet::Packet& p, const packet::Flow& f, ObservableKind kind, std::string_view text,
            std::string_view field);

  std::string source_;
  Fn fn_;
  bool once_, fingerprints_ = true;
  FlowOnce flows_;
};

}  // namespace entente::detect
