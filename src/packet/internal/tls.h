// A TLS ClientHello (RFC 8446 §4.1.2) and its server name (RFC 6066 §3), from the first octets that a client sent.
#pragma once

#include <string>
#include <string_view>

#include "packet/tls.h"

namespace entente::packet {

enum class Look { kNotThis, kNeedMore, kFound, kFoundEmpty, kMalformed };

struct ClientHello {
  Look look = Look::kNotThis;
  // Of kFound (with a server name) and kFoundEmpty; into `stream` or `scratch`.
  TlsHello hello = {};
};

// `scratch` takes the handshake message if it spans records (RFC 8446 §5.1); it grows no longer than `stream`.
[[nodiscard]] ClientHello read_client_hello(std::string_view stream, std::string& scratch);

// The same from a handshake message without records, as QUIC carries it (RFC 9001 §4.1.3): its first octets.
[[nodiscard]] ClientHello read_client_hello_message(std::string_view handshake);

}  // namespace entente::packet
