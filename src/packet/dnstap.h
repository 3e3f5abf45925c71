// dnstap (https://dnstap.info): what a name server saw and said, as messages of Protocol Buffers in Frame Streams, from
// files and from sockets on which the server connects to us. Untrusted octets: bounded memory, no exceptions, no
// recursion.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "packet/address.h"

namespace entente::packet {

struct DnstapMessage {
  uint64_t number = 0;  // 1-based, in the stream
  // 1 authoritative, 3 resolver, 5 client, 7 forwarder, 9 stub, 11 tool, 13 update: of the question; its answer is one
  // more.
  uint8_t type = 0;
  bool response = false;
  Address client = {}, server = {};  // who asked, who was asked; unset where not told
  uint16_t client_port = 0, server_port = 0;
  std::optional<Time> time;
  std::string_view dns = {};  // the DNS message, as on the wire (packet/dns.h)
};

// Could these be the first octets of such a file? (At least 12 are needed.)
[[nodiscard]] bool looks_like_dnstap(std::string_view head);

class DnstapReader {
 public:
  using Fn = std::function<void(const DnstapMessage&)>;  // views live during the call
  explicit DnstapReader(Fn fn) : fn_(std::move(fn)) {}

  // Pieces of any size. kInvalid once, where the stream is none or cannot be followed any more; everything after it is
  // ignored.
  Status feed(std::string_view bytes);
  Status finish();  // kInvalid if the last frame is cut short
  // What the other side waits for (it began with READY, or it stopped): to be sent after each feed().
  [[nodiscard]] std::string take_reply();
  [[nodiscard]] bool stopped() const { return state_ == State::kStopped; }

  [[nodiscard]] uint64_t messages() const { return messages_; }
  [[nodiscard]] uint64_t malformed() const { return malformed_; }  // frames that hold no message, or are too long

 private:
  enum class State : uint8_t { kBegin, kReady, kData, kStopped, kLost };
  Status control(std::string_view frame);
  void data(std::string_view frame);
  Status lost(std::string what);

  Fn fn_;
  std::string carry_, reply_;
  uint64_t skip_ = 0;  // octets of a frame that is too long
  State state_ = State::kBegin;
  bool answered_ = false;  // the other side wants answers
  uint64_t messages_ = 0, malformed_ = 0;
};

}  // namespace entente::packet
