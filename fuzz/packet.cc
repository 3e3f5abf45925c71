// Captures and packets from the wire. The first octet chooses: a capture file in pieces, or one packet of a link type.
#include <array>
#include <string>

#include "fuzz/property.h"
#include "packet/decode.h"
#include "packet/dnstap.h"
#include "packet/pcap.h"

using namespace entente;
using fuzz::demand;

namespace {

class Reader final : public packet::Sink, public packet::DnsSink {
 public:
  void on_flow(const packet::Packet&, const packet::Flow&) override { ++seen; }
  void on_dns_question(const packet::Packet&, const packet::Flow&, const packet::DnsQuestion& q) override {
    take(q.name);
  }
  void on_dns_answer(const packet::Packet&, const packet::Flow&, const packet::DnsAnswer& a) override {
    take(a.name), take(a.question), take(a.target);
  }
  void on_sni(const packet::Packet&, const packet::Flow&, std::string_view name) override { take(name); }
  void on_tls(const packet::Packet&, const packet::Flow&, const packet::TlsHello& hello) override {
    take(hello.server_name), take(hello.ciphers), take(hello.extensions);
    for (const auto protocol : packet::alpn(hello)) {
      demand(!protocol.empty(), "an offered protocol has a name");
      take(protocol);
    }
    const auto print = packet::fingerprint(hello);
    const auto lists = packet::fingerprint_text(hello);
    demand(print.has_value() == lists.has_value(), "a fingerprint has what it is made of");
    if (!print) return;
    demand(print->ja3.size() == 32 && print->ja4.size() == 36, "fingerprints have one form");
    demand(print->ja4.substr(0, 10) == lists->ja4.substr(0, 10), "both forms of JA4 begin alike");
  }
  void on_http(const packet::Packet&, const packet::Flow&, const packet::HttpRequest& r) override {
    take(r.method), take(r.target), take(r.host);
  }
  void on_question(const packet::DnsQuestion& q) override { take(q.name); }
  void on_answer(const packet::DnsAnswer& a) override { take(a.name), take(a.question), take(a.target); }

  uint64_t seen = 0;

 private:
  // Reads every octet, so that the sanitizer sees a view that leads nowhere.
  void take(std::string_view text) {
    for (const char c : text) sum_ = static_cast<uint8_t>(sum_ + static_cast<uint8_t>(c));
  }
  volatile uint8_t sum_ = 0;
};

constexpr std::array kLinks = {packet::LinkType::kEthernet, packet::LinkType::kPpp,  packet::LinkType::kRaw,
                               packet::LinkType::kNull,     packet::LinkType::kLoop, packet::LinkType::kSll,
                               packet::LinkType::kSll2,     packet::LinkType::kIpv4, packet::LinkType::kIpv6};

struct Seen {
  uint64_t packets, skipped, bytes;
  bool ok;
  bool operator==(const Seen&) const = default;
};

Seen read(std::string_view file, size_t piece) {
  Reader sink;
  packet::Decoder decoder(sink, {.max_streams = 8, .max_stream_bytes = 4096});
  packet::CaptureReader reader([&](const packet::Packet& p) { decoder.decode(p); });
  bool ok = true;
  for (size_t at = 0; ok && at < file.size(); at += piece) ok = reader.feed(file.substr(at, piece)).ok();
  ok = ok && reader.finish().ok();
  return {reader.packets(), reader.skipped(), decoder.counters().bytes, ok};
}

struct Tapped {
  uint64_t messages, malformed;
  bool ok;
  bool operator==(const Tapped&) const = default;
};

Tapped read_taps(std::string_view file, size_t piece) {
  Reader sink;
  packet::DnstapReader reader([&](const packet::DnstapMessage& m) { (void)packet::decode_dns(m.dns, sink); });
  bool ok = true;
  for (size_t at = 0; ok && at < file.size(); at += piece) ok = reader.feed(file.substr(at, piece)).ok();
  ok = ok && reader.finish().ok();
  (void)reader.take_reply();
  return {reader.messages(), reader.malformed(), ok};
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto text = fuzz::text_of(data, size);
  const unsigned how = fuzz::choice(text);
  if (how == 'p') {
    const Seen whole = read(text, text.size() + 1);
    const Seen cut = read(text, 7);
    demand(whole.ok == cut.ok && (!whole.ok || whole == cut), "however a capture is cut, it holds the same packets");
    return 0;
  }
  if (how == 't') {
    demand(read_taps(text, text.size() + 1) == read_taps(text, 7), "however dnstap is cut, it holds the same messages");
    return 0;
  }
  Reader sink;
  if (how == 'd') {
    (void)packet::decode_dns(text, sink);
    return 0;
  }
  packet::Decoder decoder(sink, {.max_streams = 8, .max_stream_bytes = 4096});
  // The rest is a row of packets, each with its length before it, so that streams come together.
  const auto link = kLinks[how % kLinks.size()];
  uint64_t number = 0;
  while (text.size() > 2 && number < 64) {
    const size_t length = static_cast<size_t>(static_cast<uint8_t>(text[0])) << 8 | static_cast<uint8_t>(text[1]);
    text.remove_prefix(2);
    const auto one = text.substr(0, length);
    text.remove_prefix(one.size());
    decoder.decode(
        {.bytes = one, .time = {}, .number = ++number, .link = link, .length = static_cast<uint32_t>(length)});
  }
  demand(decoder.counters().packets == number, "every packet is counted");
  const auto& c = decoder.counters();
  demand(sink.seen + c.link_unknown + c.ip_malformed == number + c.tunnels + c.reassembled,
         "a packet is one flow, and one more for each tunnel and each datagram in it");
  demand(c.tunnels <= 4 * number, "tunnels are bounded");
  return 0;
}
