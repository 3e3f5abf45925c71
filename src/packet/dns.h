// DNS messages (RFC 1035 §4): questions, and answers of the types that name an address or another name. Bounded:
// compression pointers only go backwards and are counted, records are limited; nothing allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "packet/address.h"

namespace entente::packet {

enum class DnsType : uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kPtr = 12,
  kTxt = 16,
  kAaaa = 28,
  kSvcb = 64,
  kHttps = 65
};

// A name in presentation form, without the trailing dot, case as on the wire. Dots, backslashes and control characters
// inside labels are escaped as \DDD or \. (RFC 1035 §5.1). At most 255 octets on the wire, so at most 1004 characters
// here.
class DnsName {
 public:
  [[nodiscard]] std::string_view text() const { return {text_.data(), size_}; }  // "" is the root
  // Reads the name at `offset` of `message`; returns the offset behind it, or nullopt if it is malformed.
  std::optional<size_t> read(std::string_view message, size_t offset);

 private:
  std::array<char, 1024> text_;
  size_t size_ = 0;
};

struct DnsQuestion {
  std::string_view name;
  uint16_t type = 0;  // may be none of DnsType
  uint16_t id = 0;
  bool response = false;  // the message is an answer that repeats the question
  uint8_t rcode = 0;
};

struct DnsAnswer {
  std::string_view question;   // of the first question; empty if there was none
  std::string_view name;       // owner of the record
  DnsType type = DnsType::kA;  // kA, kAaaa or kCname
  uint32_t ttl_s = 0;
  Address address;          // kA, kAaaa
  std::string_view target;  // kCname
  uint16_t id = 0;
};

class DnsSink {
 public:
  virtual ~DnsSink() = default;
  virtual void on_question(const DnsQuestion& question) = 0;
  virtual void on_answer(const DnsAnswer& answer) = 0;
};

// False if the message is malformed; what was read before the fault has been delivered. Records past the first 256 are
// not read.
bool decode_dns(std::string_view message, DnsSink& sink);

}  // namespace entente::packet
