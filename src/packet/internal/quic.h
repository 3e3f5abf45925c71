// QUIC Initial packets (RFC 9000 §17.2.2, RFC 9369 §3): the client's first flight, whose protection has a key that
// follows from the packet itself (RFC 9001 §5.2), so that whoever sees it can read it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace entente::packet {

// A piece of the handshake (CRYPTO frame): where it lies in the handshake's octets, and what it is.
using OnCrypto = std::function<void(uint64_t offset, std::string_view data)>;

enum class QuicLook {
  kNotThis,
  kRead,    // Initials of a client, each with its CRYPTO frames told
  kSealed,  // an Initial that its own key does not open: a server's, or one after the server has answered
  kOther,   // QUIC of a version that is not read, or no Initial
};

// Reads every Initial of a UDP datagram. Versions 1 and 2. Thread-safe.
[[nodiscard]] QuicLook read_quic_initials(std::string_view datagram, const OnCrypto& on_crypto);

// The keys of a client's Initials, for tests: RFC 9001 §A.1.
struct InitialKeys {
  std::string key, iv, hp;
};
[[nodiscard]] InitialKeys client_initial_keys(bool version2, std::string_view destination_id);

}  // namespace entente::packet
