// A non-blocking socket with or without TLS: the four operations that server and client build on. OpenSSL works on the
// socket itself (no buffers between), which is what keeps big answers over TLS as cheap as they can be.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "net/internal/tls.h"

namespace entente::net::internal {

enum class Io {
  kOk,
  kWantRead,   // wait until the socket is readable, then call again with the same arguments
  kWantWrite,  // the same for writable
  kEof,        // ended in order (FIN, or close_notify under TLS)
  kError,
};

struct IoResult {
  Io state = Io::kOk;
  size_t n = 0;
};

class Transport {
 public:
  Transport() = default;
  // Does not own `fd`. Requires: it is non-blocking.
  Transport(int fd, SslPtr ssl) : fd_(fd), ssl_(std::move(ssl)) {}

  [[nodiscard]] bool tls() const { return ssl_ != nullptr; }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

  IoResult handshake();
  IoResult read(char* to, size_t size);
  // Writes from `head` followed by `body`, beginning at octet `at` of the two; n is what was taken. Repeat with the
  // same octets after kWant….
  IoResult write(std::string_view head, std::string_view body, size_t at);
  // Between cork(true) and cork(false) the kernel sends full segments only: for what is written in many records.
  void cork(bool on) const;
  void close_notify();  // best effort
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  IoResult ssl_result(int ret, const char* what);
  IoResult socket_result(ssize_t ret);

  int fd_ = -1;
  SslPtr ssl_;
  std::string error_;
  bool broken_ = false;  // OpenSSL forbids further calls after a fatal error
};

}  // namespace entente::net::internal
