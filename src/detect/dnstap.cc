#include "detect/dnstap.h"

namespace entente::detect {

namespace {

class Telling final : public packet::DnsSink {
 public:
  Telling(const DnstapValue& value, Record& record) : value_(value), record_(record) {}
  void on_question(const packet::DnsQuestion& q) override { tell(Role::kQuery, "query", q.name); }
  void on_answer(const packet::DnsAnswer& a) override {
    if (a.type == packet::DnsType::kCname) return tell(Role::kAnswer, "answer", a.target);
    address(Role::kAnswer, "answer", a.address);
  }
  void address(Role role, std::string_view field, const packet::Address& a) {
    if (!a.is_set()) return;
    char text[packet::kAddressTextMax];
    const std::string_view shown(text, packet::write_text(a, text));
    record_.add(role, shown);
    value_(a.v6 ? ObservableKind::kIpv6 : ObservableKind::kIpv4, field, shown);
  }

 private:
  void tell(Role role, std::string_view field, std::string_view name) {
    if (name.empty()) return;  // the root
    record_.add(role, name);
    value_(ObservableKind::kDomain, field, name);
  }
  const DnstapValue& value_;
  Record& record_;
};

}  // namespace

bool read_dnstap(const packet::DnstapMessage& m, const DnstapValue& value, Record& record) {
  record.clear();
  Telling told(value, record);
  told.address(Role::kSrcAddress, "client", m.client);
  told.address(Role::kDstAddress, "server", m.server);
  return packet::decode_dns(m.dns, told);
}

DnstapFeed::DnstapFeed(std::string source, LineSink& sink)
    : source_(std::move(source)), sink_(sink), reader_([this](const packet::DnstapMessage& m) { message(m); }) {}

void DnstapFeed::message(const packet::DnstapMessage& m) {
  const DnstapValue value = [this](ObservableKind kind, std::string_view field, std::string_view text) {
    sink_.on_value(kind, field, text);
  };
  if (!read_dnstap(m, value, record_)) ++malformed_;
  sink_.on_record(record_, {source_, m.number, m.time});
}

}  // namespace entente::detect
