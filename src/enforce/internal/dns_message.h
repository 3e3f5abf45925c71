// What a hidden primary needs of DNS messages (RFC 1035 §4, RFC 1995, RFC 5936, RFC 8945): reading questions that may
// be signed, writing answers, signing them. Bounded: reading allocates no more than the message is long.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace entente::enforce::internal {

enum RrType : uint16_t { kRrNs = 2, kRrCname = 5, kRrSoa = 6, kRrTsig = 250, kRrIxfr = 251, kRrAxfr = 252 };
enum Rcode : uint8_t { kNoError = 0, kFormErr = 1, kNotImp = 4, kRefused = 5, kNotAuth = 9 };
// Of TSIG (RFC 8945 §3).
enum TsigError : uint16_t { kTsigOk = 0, kBadSig = 16, kBadKey = 17, kBadTime = 18 };

struct TsigKey {
  std::string name;    // canonical: lower case, no trailing dot
  std::string secret;  // octets
  [[nodiscard]] bool empty() const { return name.empty(); }
};

struct Tsig {
  std::string key, algorithm;  // canonical names
  uint64_t time = 0;
  uint16_t fudge = 0, original_id = 0, error = 0;
  std::string mac;
  size_t offset = 0;  // where the record begins
};

struct DnsMessage {
  uint16_t id = 0, flags = 0;
  std::string name;  // of the question, canonical; "" if there is none
  uint16_t type = 0, klass = 0;
  std::optional<uint32_t> soa_serial;  // of the first SOA in answer or authority
  std::optional<Tsig> tsig;
  [[nodiscard]] bool response() const { return (flags & 0x8000) != 0; }
  [[nodiscard]] unsigned opcode() const { return (flags >> 11) & 15u; }
  [[nodiscard]] unsigned rcode() const { return flags & 15u; }
};
// nullopt if it is malformed, asks more than one question, or its TSIG is not the last record.
[[nodiscard]] std::optional<DnsMessage> read_message(std::string_view octets);

void put16(std::string& out, unsigned v);
void put32(std::string& out, uint32_t v);
// A canonical name in wire form, with the root label; "" is the root.
[[nodiscard]] std::string wire_name(std::string_view name);
void bump(std::string& message, size_t count_offset, unsigned by = 1);  // one of the header's counts

// Whether the message was signed with the key, by HMAC-SHA256, within the fudge of `now`. Constant time in the MAC.
// `prior`: the MAC of the request, when the message answers one.
[[nodiscard]] TsigError verify(std::string_view octets, const DnsMessage& message, const TsigKey& key, Time now,
                               std::string_view prior = {});
// Appends a TSIG record and returns its MAC. `prior`: the MAC of the request, or of the message before in a stream of
// several (`later`, RFC 8945 §5.3.1).
std::string sign(std::string& message, const TsigKey& key, Time now, std::string_view prior, bool later = false);
// Answers a request whose TSIG was wrong: not signed for kBadSig and kBadKey (§5.2), signed for kBadTime.
void append_tsig_error(std::string& message, const Tsig& request, const TsigKey& key, TsigError error, Time now);

}  // namespace entente::enforce::internal
