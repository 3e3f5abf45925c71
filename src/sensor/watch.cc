#include "sensor/watch.h"

#include <algorithm>
#include <cstring>

namespace entente::sensor {

using detect::ObservableKind;

Watch::Watch(Core& core, std::string source) : core_(core), source_(std::move(source)) {}

void Watch::look_up(const packet::Packet& packet, const packet::Flow& flow, ObservableKind kind, std::string_view text,
                    std::string_view field, const Lead& lead) {
  detect::Observable seen{kind, text, {}};
  seen.where.source = source_;
  seen.where.field = field;
  seen.where.record = packet.number;
  seen.where.time = packet.time;
  // Addresses of flows are remembered once a flow (on_flow).
  if (!field.starts_with("ip.")) core_.remember(packet.time, kind, text, flow);
  // The core takes its lock and may change the index: not while the index is being read.
  tags_.clear();
  core_.live().match(seen, packet.time,
                     [&](const detect::Indicator& indicator, pattern::AtomKind) { tags_.push_back(indicator.tag); });
  for (const uint32_t tag : std::vector<uint32_t>(tags_)) {
    if ((tag & Core::kAnchor) != 0) {
      shown_.push_back({tag, kind, std::string(text), std::string(field)});
      continue;
    }
    Seen s;
    s.tag = tag;
    s.value = text;
    s.field = field;
    s.source = source_;
    s.src = packet::to_text(flow.src);
    s.dst = packet::to_text(flow.dst);
    s.address = lead.address;
    s.via_name = lead.via_name;
    s.dns_ttl_us = lead.dns_ttl_us;
    s.time = packet.time;
    s.flow = flow_hash(flow);
    s.client = client_of(kind, text, flow);
    core_.on_seen(s);
  }
}

void Watch::look_up_address(const packet::Packet& packet, const packet::Flow& flow, const packet::Address& address,
                            std::string_view field) {
  uint64_t h = 0, low = 0;
  std::memcpy(&h, address.b.data(), 8);
  std::memcpy(&low, address.b.data() + 8, 8);
  h = (h ^ low * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
  Miss& slot = misses_[h >> 52];
  const uint64_t generation = core_.generation();
  if (slot.generation == generation && slot.address == address) return;
  char text[packet::kAddressTextMax];
  const std::string_view view(text, packet::write_text(address, text));
  look_up(packet, flow, address.v6 ? ObservableKind::kIpv6 : ObservableKind::kIpv4, view, field, {});
  if (tags_.empty()) slot = {address, generation};
}

void Watch::end() {
  if (begun_ && counts_ && (!shown_.empty() || core_.every_record())) core_.on_record(record_.record(), where_, shown_);
  shown_.clear();
  begun_ = counts_ = false;
}

void Watch::on_flow(const packet::Packet& packet, const packet::Flow& flow) {
  end();
  const bool first = (core_.has_compounds() || core_.has_history()) && flows_.first(flow);
  if (first && core_.has_history()) {
    for (const auto* a : {&flow.src, &flow.dst}) {
      char text[packet::kAddressTextMax];
      core_.remember(packet.time, a->v6 ? ObservableKind::kIpv6 : ObservableKind::kIpv4,
                     {text, packet::write_text(*a, text)}, flow);
    }
  }
  if (core_.has_compounds()) {
    begun_ = true;
    record_.on_flow(flow);
    counts_ = first;
    where_ = {source_, packet::to_text(flow.src), packet::to_text(flow.dst), packet.time};
  }
  look_up_address(packet, flow, flow.src, "ip.src");
  look_up_address(packet, flow, flow.dst, "ip.dst");
}

void Watch::on_dns_question(const packet::Packet& packet, const packet::Flow& flow,
                            const packet::DnsQuestion& question) {
  if (question.response || question.name.empty()) return;  // an answer repeats it
  if (begun_) record_.on_dns_question(question);
  counts_ = true;
  look_up(packet, flow, ObservableKind::kDomain, question.name, "dns.question", {});
}

void Watch::on_dns_answer(const packet::Packet& packet, const packet::Flow& flow, const packet::DnsAnswer& answer) {
  constexpr size_t kMaxChain = 16;
  if (begun_) record_.on_dns_answer(answer);
  counts_ = true;
  if (chain_packet_ != packet.number || chain_id_ != answer.id) {
    chain_.clear();
    chain_packet_ = packet.number;
    chain_id_ = answer.id;
  }
  const auto link = [&](std::string_view name) {
    if (name.empty() || chain_.size() >= kMaxChain) return;
    if (std::find(chain_.begin(), chain_.end(), name) == chain_.end()) chain_.emplace_back(name);
  };
  link(answer.question);
  link(answer.name);
  if (answer.type == packet::DnsType::kCname) {
    link(answer.target);
    look_up(packet, flow, ObservableKind::kDomain, answer.target, "dns.cname", {});
    return;
  }
  const std::string address = packet::to_text(answer.address);
  const std::vector<std::string> names = chain_;
  for (const std::string& name : names) core_.on_name(name, address);
  // Whichever name of the chain matches, this is the address it leads to.
  for (const std::string& name : names) {
    look_up(packet, flow, ObservableKind::kDomain, name, "dns.answer",
            {address, name, int64_t{answer.ttl_s} * 1'000'000});
  }
  look_up(packet, flow, answer.address.v6 ? ObservableKind::kIpv6 : ObservableKind::kIpv4, address, "dns.answer", {});
}

void Watch::on_sni(const packet::Packet& packet, const packet::Flow& flow, std::string_view server_name) {
  if (begun_) record_.on_sni(server_name);
  counts_ = true;
  const std::string address = packet::to_text(flow.dst);
  core_.on_name(server_name, address);
  look_up(packet, flow, ObservableKind::kDomain, server_name, "tls.sni", {address, server_name, std::nullopt});
}

// A fingerprint says which program speaks, not to whom: what matches is told, and leads to no block.
void Watch::on_tls(const packet::Packet& packet, const packet::Flow& flow, const packet::TlsHello& hello) {
  if (begun_) record_.on_tls(hello);
  counts_ = true;
  if (!core_.has_history() && !core_.has_fingerprints() && !core_.has_compounds()) return;
  const auto print = packet::fingerprint(hello);
  if (!print) return;
  look_up(packet, flow, ObservableKind::kJa3, print->ja3, "tls.ja3", {});
  look_up(packet, flow, ObservableKind::kJa4, print->ja4, "tls.ja4", {});
}

void Watch::on_http(const packet::Packet& packet, const packet::Flow& flow, const packet::HttpRequest& request) {
  if (begun_) record_.on_http(request);
  counts_ = true;
  if (request.host.empty()) return;
  std::string_view host = request.host;
  if (host.front() != '[') host = host.substr(0, host.find(':'));
  const std::string address = packet::to_text(flow.dst);
  core_.on_name(host, address);
  const bool absolute = request.target.find("://") != std::string_view::npos;  // as sent to proxies
  const std::string url =
      absolute ? std::string(request.target) : "http://" + std::string(request.host) + std::string(request.target);
  // Through a proxy the address is the proxy's.
  look_up(packet, flow, ObservableKind::kUrl, url, "http.url", absolute ? Lead{} : Lead{address, host, std::nullopt});
}

}  // namespace entente::sensor
