#include "detect/packets.h"

#include "packet/address.h"

namespace entente::detect {
namespace {

ObservableKind kind_of(const packet::Address& a) { return a.v6 ? ObservableKind::kIpv6 : ObservableKind::kIpv4; }

}  // namespace

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

void PacketObserver::tell(const packet::Packet& p, const packet::Flow& f, ObservableKind kind, std::string_view text,
                          std::string_view field) {
  char src[packet::kAddressTextMax], dst[packet::kAddressTextMax];
  Where where{.source = source_,
              .field = field,
              .record = p.number,
              .time = p.time,
              .src = {src, write_text(f.src, src)},
              .dst = {dst, write_text(f.dst, dst)},
              .uid = {}};
  fn_({kind, text, where});
}

void PacketObserver::on_flow(const packet::Packet& p, const packet::Flow& f) {
  if (once_ && !flows_.first(f)) return;
  char text[packet::kAddressTextMax];
  tell(p, f, kind_of(f.src), {text, write_text(f.src, text)}, "ip.src");
  tell(p, f, kind_of(f.dst), {text, write_text(f.dst, text)}, "ip.dst");
}

void PacketObserver::on_dns_question(const packet::Packet& p, const packet::Flow& f, const packet::DnsQuestion& q) {
  if (!q.name.empty()) tell(p, f, ObservableKind::kDomain, q.name, "dns.query");
}

void PacketObserver::on_dns_answer(const packet::Packet& p, const packet::Flow& f, const packet::DnsAnswer& a) {
  if (a.type == packet::DnsType::kCname) return tell(p, f, ObservableKind::kDomain, a.target, "dns.cname");
  char text[packet::kAddressTextMax];
  tell(p, f, kind_of(a.address), {text, write_text(a.address, text)}, "dns.answer");
}

void PacketObserver::on_sni(const packet::Packet& p, const packet::Flow& f, std::string_view name) {
  tell(p, f, ObservableKind::kDomain, name, "tls.sni");
}

void PacketObserver::on_tls(const packet::Packet& p, const packet::Flow& f, const packet::TlsHello& hello) {
  if (!fingerprints_) return;
  const auto print = packet::fingerprint(hello);
  if (!print) return;
  tell(p, f, ObservableKind::kJa3, print->ja3, "tls.ja3");
  tell(p, f, ObservableKind::kJa4, print->ja4, "tls.ja4");
}

void PacketObserver::on_http(const packet::Packet& p, const packet::Flow& f, const packet::HttpRequest& r) {
  const std::string_view host = without_port(r.host);
  if (const auto address = packet::parse_address(host)) {
    tell(p, f, kind_of(*address), host, "http.host");
  } else if (!host.empty()) {
    tell(p, f, ObservableKind::kDomain, host, "http.host");
  }
  // A target in absolute form stands for itself (RFC 9112 §3.2.2); the authority form of CONNECT is no URL.
  if (r.target.find("://") != std::string_view::npos && !r.target.starts_with('/')) {
    tell(p, f, ObservableKind::kUrl, r.target, "http.url");
  } else if (!r.host.empty() && r.target.starts_with('/')) {
    tell(p, f, ObservableKind::kUrl, "http://" + std::string(r.host) + std::string(r.target), "http.url");
  }
}

}  // namespace entente::detect
