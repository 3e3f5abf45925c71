#include "net/internal/transport.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace entente::net::internal {
namespace {

constexpr size_t kRecord = 16 * 1024;  // the largest plaintext of a TLS record

}  // namespace

IoResult Transport::ssl_result(int ret, const char* what) {
  const int saved_errno = errno;
  switch (SSL_get_error(ssl_.get(), ret)) {
    case SSL_ERROR_WANT_READ:
      return {Io::kWantRead, 0};
    case SSL_ERROR_WANT_WRITE:
      return {Io::kWantWrite, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {Io::kEof, 0};
    case SSL_ERROR_SYSCALL:
      broken_ = true;
      error_ = std::string(what) + ": " + (saved_errno != 0 ? std::strerror(saved_errno) : "connection ended");
      ERR_clear_error();
      return {Io::kError, 0};
    default:
      broken_ = true;
      error_ = std::string(what) + ": " + ssl_error_text("TLS error");
      return {Io::kError, 0};
  }
}

IoResult Transport::socket_result(ssize_t ret) {
  if (ret >= 0) return {Io::kOk, static_cast<size_t>(ret)};
  if (errno == EAGAIN) return {Io::kWantWrite, 0};
  error_ = std::strerror(errno);
  return {Io::kError, 0};
}

IoResult Transport::handshake() {
  ERR_clear_error();
  errno = 0;
  const int ret = SSL_do_handshake(ssl_.get());
  return ret == 1 ? IoResult{} : ssl_result(ret, "TLS handshake");
}

IoResult Transport::read(char* to, size_t size) {
  if (ssl_ == nullptr) {
    ssize_t ret = 0;
    do ret = ::recv(fd_, to, size, 0);
    while (ret < 0 && errno == EINTR);
    if (ret == 0) return {Io::kEof, 0};
    IoResult result = socket_result(ret);
    if (result.state == Io::kWantWrite) result.state = Io::kWantRead;
    return result;
  }
  if (broken_) return {Io::kError, 0};
  ERR_clear_error();
  errno = 0;
  const int ret = SSL_read(ssl_.get(), to, static_cast<int>(std::min<size_t>(size, 1u << 30)));
  return ret > 0 ? IoResult{Io::kOk, static_cast<size_t>(ret)} : ssl_result(ret, "read");
}

IoResult Transport::write(std::string_view head, std::string_view body, size_t at) {
  if (ssl_ == nullptr) {
    iovec parts[2];
    size_t count = 0;
    if (at < head.size()) parts[count++] = {const_cast<char*>(head.data()) + at, head.size() - at};
    const size_t from = at > head.size() ? at - head.size() : 0;
    if (from < body.size()) parts[count++] = {const_cast<char*>(body.data()) + from, body.size() - from};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    ssize_t ret = 0;
    do ret = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    while (ret < 0 && errno == EINTR);
    return socket_result(ret);
  }
  if (broken_) return {Io::kError, 0};
  ERR_clear_error();
  errno = 0;
  int ret = 0;
  if (at < head.size()) {
    // The head and the start of the body share a record, hence a segment.
    char record[kRecord];
    const size_t h = std::min(head.size() - at, kRecord);
    const size_t b = std::min(body.size(), kRecord - h);
    std::memcpy(record, head.data() + at, h);
    if (b > 0) std::memcpy(record + h, body.data(), b);
    ret = SSL_write(ssl_.get(), record, static_cast<int>(h + b));
  } else {
    const size_t from = at - head.size();
    // Always whole records from the body, so that a repeated call has the same length.
    ret = SSL_write(ssl_.get(), body.data() + from, static_cast<int>(std::min(body.size() - from, kRecord)));
  }
  return ret > 0 ? IoResult{Io::kOk, static_cast<size_t>(ret)} : ssl_result(ret, "write");
}

void Transport::cork(bool on) const {
  const int value = on ? 1 : 0;
  setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

void Transport::close_notify() {
  if (ssl_ == nullptr || broken_ || SSL_in_init(ssl_.get()) != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

}  // namespace entente::net::internal
