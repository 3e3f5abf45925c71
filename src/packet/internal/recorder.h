// A sink that writes down what it was told, one line per event: for tests.
#pragma once

#include <string>
#include <vector>

#include "packet/decode.h"

namespace entente::packet {

inline Flow flow(const char* src, uint16_t src_port, const char* dst, uint16_t dst_port) {
  return {.src = *parse_address(src), .dst = *parse_address(dst), .src_port = src_port, .dst_port = dst_port};
}

class Recorder final : public Sink {
 public:
  std::vector<std::string> events;
  size_t flows = 0;
  Flow last;

  void on_flow(const Packet&, const Flow& f) override {
    ++flows;
    last = f;
  }
  void on_dns_question(const Packet&, const Flow&, const DnsQuestion& q) override {
    events.push_back((q.response ? "r? " : "q? ") + std::string(q.name) + " " + std::to_string(q.type));
  }
  void on_dns_answer(const Packet&, const Flow&, const DnsAnswer& a) override {
    const std::string value = a.type == DnsType::kCname ? std::string(a.target) : to_text(a.address);
    events.push_back("a " + std::string(a.question) + " " + std::string(a.name) + " " + value + " " +
                     std::to_string(a.ttl_s));
  }
  void on_sni(const Packet&, const Flow&, std::string_view name) override {
    events.push_back("sni " + std::string(name));
  }
  void on_http(const Packet&, const Flow&, const HttpRequest& r) override {
    events.push_back("http " + std::string(r.method) + " " + std::string(r.host) + " " + std::string(r.target));
  }
};

}  // namespace entente::packet
