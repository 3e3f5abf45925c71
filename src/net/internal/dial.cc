#include "net/internal/dial.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace entente::net::internal {
namespace {

struct AddressesFree {
  void operator()(addrinfo* p) const { freeaddrinfo(p); }
};
using Addresses = std::unique_ptr<addrinfo, AddressesFree>;

Result<Addresses> look_up(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int rc = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (rc != 0)
    return make_error(ErrorKind::kUnavailable, std::string("cannot find the host: ") + gai_strerror(rc), host);
  return Addresses(found);
}

// getaddrinfo cannot be interrupted, so a name is looked up by a thread that we may leave behind.
Result<Addresses> resolve(const std::string& host, const std::string& port, const std::shared_ptr<CancelFlag>& cancel,
                          Deadline deadline) {
  if (auto literal = look_up(host, port, AI_NUMERICHOST); literal.ok()) return literal;
  struct Lookup {
    CancelFlag done;
    Result<Addresses> result = make_error(ErrorKind::kUnavailable, "not looked up");
  };
  auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, host, port] {
    lookup->result = look_up(host, port, AI_ADDRCONFIG);
    lookup->done.set();
  }).detach();
  switch (wait_for(lookup->done.fd(), POLLIN, *cancel, deadline)) {
    case Waited::kReady:
      break;
    case Waited::kTimeout:
      return make_error(ErrorKind::kUnavailable, "name look-up timed out", host);
    case Waited::kCancelled:
      return make_error(ErrorKind::kUnavailable, "cancelled", host);
  }
  if (!lookup->done.is_set()) return make_error(ErrorKind::kUnavailable, "name look-up failed", host);
  return std::move(lookup->result);
}

Status connect_socket(int fd, const addrinfo& address, const CancelFlag& cancel, Deadline deadline,
                      const std::string& where) {
  if (connect(fd, address.ai_addr, address.ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS && errno != EINTR) {
    return make_error(ErrorKind::kUnavailable, std::string("cannot connect: ") + std::strerror(errno), where);
  }
  switch (wait_for(fd, POLLOUT, cancel, deadline)) {
    case Waited::kReady:
      break;
    case Waited::kTimeout:
      return make_error(ErrorKind::kUnavailable, "connecting timed out", where);
    case Waited::kCancelled:
      return make_error(ErrorKind::kUnavailable, "cancelled", where);
  }
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0) return {};
  return make_error(ErrorKind::kUnavailable, std::string("cannot connect: ") + std::strerror(error), where);
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = other.release();
  }
  return *this;
}
Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}
int Fd::release() { return std::exchange(fd_, -1); }

CancelFlag::CancelFlag() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void CancelFlag::set() {
  set_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(event_.get(), &one, sizeof one);
}

Waited wait_for(int fd, short events, const CancelFlag& cancel, Deadline deadline) {
  for (;;) {
    if (cancel.is_set()) return Waited::kCancelled;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return Waited::kTimeout;
    pollfd fds[2] = {{cancel.fd(), POLLIN, 0}, {fd, events, 0}};
    const int n = poll(fds, 2, static_cast<int>(std::min<int64_t>(left, 3'600'000)));
    if (n > 0 && fds[1].revents != 0) return cancel.is_set() ? Waited::kCancelled : Waited::kReady;
  }
}

Result<Fd> dial(const std::string& host, const std::string& port, const std::shared_ptr<CancelFlag>& cancel,
                Deadline deadline) {
  TRY(const Addresses addresses, resolve(host, port, cancel, deadline));
  Error last = make_error(ErrorKind::kUnavailable, "host has no address", host);
  for (const addrinfo* a = addresses.get(); a != nullptr; a = a->ai_next) {
    Fd fd(socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol));
    if (!fd.valid()) {
      last = make_error(ErrorKind::kIo, std::string("cannot make a socket: ") + std::strerror(errno));
      continue;
    }
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Status connected = connect_socket(fd.get(), *a, *cancel, deadline, host + ":" + port);
    if (connected.ok()) return fd;
    last = std::move(connected).error();
    if (cancel->is_set()) break;
  }
  return last;
}

}  // namespace entente::net::internal
