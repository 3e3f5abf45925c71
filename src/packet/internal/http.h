// The request line and the Host field of an HTTP/1 request (RFC 9112 §3), from the first octets that a client sent.
#pragma once

#include <string_view>

#include "packet/decode.h"
#include "packet/internal/tls.h"

namespace entente::packet {

struct HttpHead {
  Look look = Look::kNotThis;
  HttpRequest request;  // of kFound (with Host) and kFoundEmpty (without); into `stream`
};

[[nodiscard]] HttpHead read_http_request(std::string_view stream);

}  // namespace entente::packet
