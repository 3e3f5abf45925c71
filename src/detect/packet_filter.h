// Between a decoder and whoever looks values up one by one: keeps what many packets show, asks the index for all of it
// at once, so that the waits for memory overlap, and hands on only what the index may know. The sink behind it sees
// fewer calls, in their order, and finds the same.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "detect/index.h"
#include "detect/internal/maybes.h"
#include "packet/decode.h"

namespace entente::detect {

// Not thread-safe: one per decoder. What waits is told by flush(), which the owner calls after the last packet, or
// when none comes for a while.
class PacketFilter final : public packet::Sink {
 public:
  // Both must outlive this. `next` sees packets without their octets, and of an answer of DNS what it leads to, but not
  // the names before it; ClientHellos only if the index has a fingerprint.
  PacketFilter(const Index& index, packet::Sink& next, Kernel kernel = kernels().back());

  void on_flow(const packet::Packet& p, const packet::Flow& f) override;
  void on_dns_question(const packet::Packet& p, const packet::Flow& f, const packet::DnsQuestion& q) override;
  void on_dns_answer(const packet::Packet& p, const packet::Flow& f, const packet::DnsAnswer& a) override;
  void on_sni(const packet::Packet& p, const packet::Flow& f, std::string_view name) override;
  void on_tls(const packet::Packet& p, const packet::Flow& f, const packet::TlsHello& hello) override;
  void on_http(const packet::Packet& p, const packet::Flow& f, const packet::HttpRequest& r) override;
  void flush();

 private:
  static constexpr size_t kEvents = 1024;  // that wait at most
  // A vector whose room is there from the beginning: push() asks for nothing. The owner sees to it that it is enough.
  template <class T>
  class Batch {
   public:
    explicit Batch(size_t room) : items_(std::make_unique<T[]>(room)) {}
    T& push(const T& item) { return items_[size_++] = item; }
    T& next() { return items_[size_++]; }  // as it was left
    void clear() { size_ = 0; }
    void cut(size_t size) { size_ = size; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] size_t size() const { return size_; }
    [[nodiscard]] T& operator[](size_t i) { return items_[i]; }
    [[nodiscard]] const T& operator[](size_t i) const { return items_[i]; }
    [[nodiscard]] T& back() { return items_[size_ - 1]; }
    [[nodiscard]] T* data() { return items_.get(); }

   private:
    std::unique_ptr<T[]> items_;
    size_t size_ = 0;
  };
  enum class What : uint8_t { kFlow, kQuestion, kAnswer, kName, kHttp };
  // One call that waits. Texts are in texts_, each behind padding (kTailPad).
  struct Event {
    What what;
    bool needed = false;
    uint16_t size = 0;  // of its text: the name, host or target of an alias
    uint32_t at = 0;    // of its text
    uint32_t packet = 0, flow = 0;
    uint32_t more = 0;  // in questions_, answers_ or requests_
  };
  static constexpr uint32_t kNoEvent = UINT32_MAX;
  struct Seen {
    Time time;
    uint64_t number;
    packet::LinkType link;
    uint32_t length;
  };
  struct Talk {
    packet::Flow flow;
    uint32_t event;  // that tells it; kNoEvent if it was told before
  };
  struct Answer {
    packet::Address address;
    packet::DnsType type;
    uint16_t id;
    uint32_t ttl_s;
  };
  struct Said {  // an address that is not of a flow
    packet::Address address;
    uint32_t event;
  };
  struct V4 {
    uint32_t event, address;
  };
  struct V6 {
    uint32_t event;
    packet::Address address;
  };
  struct Name {
    uint32_t event, at;
    uint16_t size;
    uint16_t third;  // where its last three labels begin; kNoThird: it is looked at closely
  };
  static constexpr uint16_t kNoThird = UINT16_MAX;
  struct Request {
    uint32_t at;  // method and target, one behind the other
    uint16_t method_size;
    uint32_t target_size;
  };

  Event& add(What what, const packet::Packet& p, const packet::Flow& f);
  void copy(const packet::Flow& f, uint32_t event);
  uint32_t keep(std::string_view text);
  // Of the event added last, which has it as a text or as the beginning of one.
  void address(const packet::Address& a) {
    Said& s = said_.next();
    s.address = a;
    s.event = static_cast<uint32_t>(events_.size() - 1);
  }
  void name(uint32_t at, size_t size);
  [[nodiscard]] std::string_view text(uint32_t at, size_t size) const { return {texts_.data() + at, size}; }
  // What is to be asked, with its hash; sends for the lines of memory that the answers are in.
  void gather();
  void gather_addresses();
  void gather_names();
  void ask();
  void ask_v4();
  void ask_v6();
  void ask_names();
  void ask_table();
  void need(uint32_t event, bool yes) { events_[event].needed = events_[event].needed || yes; }
  void tell(const Event& e);

  const Table& table_;
  packet::Sink& next_;
  Maybes maybes_;
  uint64_t v4_seed_, v6_seed_, name_seed_;
  Batch<Event> events_{kEvents};
  Batch<Seen> packets_{kEvents};
  Batch<Talk> talks_{kEvents};
  Batch<packet::DnsQuestion> questions_{kEvents};
  Batch<Answer> answers_{kEvents};
  Batch<Request> requests_{kEvents};
  Batch<Said> said_{kEvents};
  Batch<Name> heard_{kEvents};
  size_t talks_gathered_ = 0, said_gathered_ = 0, heard_gathered_ = 0;
  // What is asked: hashes by themselves, and of whom. An event has two addresses at most, or a name.
  Batch<uint64_t> v4_hashes_{2 * kEvents}, v6_hashes_{2 * kEvents}, name_hashes_{kEvents};
  Batch<V4> v4_{2 * kEvents};
  Batch<V6> v6_{2 * kEvents};
  Batch<Name> names_{kEvents};
  std::vector<uint8_t> yes_ = std::vector<uint8_t>(2 * kEvents);
  std::vector<char> texts_;  // as large as it was ever needed
  size_t texts_size_ = 0;
};

}  // namespace entente::detect
