#include "cli/demo/traffic.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/demo/lab.h"
#include "packet/compose.h"

namespace entente::cli::demo {

namespace {

constexpr int kDnsPort = 53;
constexpr int kHttpPort = 80;
constexpr int kHttpsPort = 443;

sockaddr_in at(const std::string& address, int port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &a.sin_addr);
  return a;
}

const sockaddr* plain(const sockaddr_in& a) { return reinterpret_cast<const sockaddr*>(&a); }

int bound(int type, const std::string& address, int port) {
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const int on = 1;
  const sockaddr_in a = at(address, port);
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 || bind(fd, plain(a), sizeof a) != 0 ||
      (type == SOCK_STREAM && listen(fd, 64) != 0)) {
    if (fd >= 0) close(fd);
    return -1;
  }
  return fd;
}

bool readable(int fd, int patience_ms) {
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, patience_ms) == 1 && (p.revents & POLLIN) != 0;
}

// The question of a DNS query in presentation form, lower case; "" if it is none that we understand.
std::string question_of(std::string_view query) {
  std::string name;
  size_t i = 12;
  while (i < query.size() && query[i] != 0) {
    const auto n = static_cast<unsigned char>(query[i]);
    if (n > 63 || i + 1 + n > query.size()) return {};
    if (!name.empty()) name += '.';
    name += query.substr(i + 1, n);
    i += 1 + n;
  }
  return ascii_lower(name);
}

// Connects, sends, and waits for any octet of an answer.
bool exchange(int network, const std::string& address, int port, const std::string& request, int patience_ms) {
  bool answered = false;
  Lab::in(network, [&] {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const sockaddr_in a = at(address, port);
    if (fd < 0) return;
    if (connect(fd, plain(a), sizeof a) == 0 || errno == EINPROGRESS) {
      pollfd p{fd, POLLOUT, 0};
      char octet = 0;
      answered = poll(&p, 1, patience_ms) == 1 && (p.revents & (POLLERR | POLLHUP)) == 0 &&
                 send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()) &&
                 readable(fd, patience_ms) && recv(fd, &octet, 1, 0) == 1;
    }
    // No lingering: a reset instead of a goodbye that is repeated for minutes into a drop rule.
    const linger now{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
  });
  return answered;
}

}  // namespace

int64_t steady_now_us() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000;
}

Result<std::unique_ptr<Servers>> Servers::start(int network) {
  std::unique_ptr<Servers> s(new Servers());
  Lab::in(network, [&] {
    s->dns_ = bound(SOCK_DGRAM, kResolver, kDnsPort);
    s->http_ = bound(SOCK_STREAM, "0.0.0.0", kHttpPort);
    s->https_ = bound(SOCK_STREAM, "0.0.0.0", kHttpsPort);
  });
  if (s->dns_ < 0 || s->http_ < 0 || s->https_ < 0) {
    return make_error(ErrorKind::kIo, "the servers of the demo could not be started: " + std::string(strerror(errno)));
  }
  Servers* me = s.get();
  s->threads_.emplace_back([me](const std::stop_token& stop) { me->resolve(stop); });
  s->threads_.emplace_back([me](const std::stop_token& stop) { me->serve(me->http_, stop); });
  s->threads_.emplace_back([me](const std::stop_token& stop) { me->serve(me->https_, stop); });
  return s;
}

Servers::~Servers() {
  for (auto& t : threads_) t.request_stop();
  threads_.clear();
  for (const int fd : {dns_, http_, https_}) {
    if (fd >= 0) close(fd);
  }
}

void Servers::name(const std::string& name, const std::string& address) {
  const std::lock_guard lock(mutex_);
  names_[ascii_lower(name)] = address;
}

void Servers::resolve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!readable(dns_, 100)) continue;
    std::array<char, 1500> buffer{};
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const ssize_t n = recvfrom(dns_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (n < 17) continue;
    const std::string_view query(buffer.data(), static_cast<size_t>(n));
    const std::string name = question_of(query);
    const auto id =
        static_cast<uint16_t>(static_cast<unsigned char>(query[0]) << 8 | static_cast<unsigned char>(query[1]));
    std::vector<packet::DnsRecord> answers;
    {
      const std::lock_guard lock(mutex_);
      if (const auto it = names_.find(name); it != names_.end()) {
        answers.push_back({packet::DnsType::kA, name, 300, it->second});
      }
    }
    const std::string answer = packet::compose_dns_response(id, name, packet::DnsType::kA, answers);
    (void)sendto(dns_, answer.data(), answer.size(), 0, plain(from), sizeof from);
  }
}

void Servers::serve(int listener, const std::stop_token& stop) {
  constexpr std::string_view kPage = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  while (!stop.stop_requested()) {
    if (!readable(listener, 100)) continue;
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    std::array<char, 4096> buffer{};
    // Few and short conversations, so one after the other will do.
    if (readable(fd, 300) && recv(fd, buffer.data(), buffer.size(), 0) > 0) {
      (void)send(fd, kPage.data(), kPage.size(), MSG_NOSIGNAL);
    }
    close(fd);
  }
}

std::optional<std::string> ask_dns(int network, const std::string& name, int patience_ms) {
  static std::atomic<uint16_t> next{4711};
  std::optional<std::string> address;
  Lab::in(network, [&] {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const sockaddr_in server = at(kResolver, kDnsPort);
    const std::string query = packet::compose_dns_query(next++, name, packet::DnsType::kA);
    std::array<char, 1500> buffer{};
    if (fd >= 0 && connect(fd, plain(server), sizeof server) == 0 &&
        send(fd, query.data(), query.size(), 0) == static_cast<ssize_t>(query.size()) && readable(fd, patience_ms)) {
      const ssize_t n = recv(fd, buffer.data(), buffer.size(), 0);
      // Our own resolver: the address is the last four octets of an answer that has one.
      if (n > 16 && buffer[7] == 1) {
        std::array<char, INET_ADDRSTRLEN> text{};
        if (inet_ntop(AF_INET, buffer.data() + n - 4, text.data(), text.size()) != nullptr) address = text.data();
      }
    }
    if (fd >= 0) close(fd);
  });
  return address;
}

bool say_hello(int network, const std::string& address, const std::string& name, int patience_ms) {
  return exchange(network, address, kHttpsPort, packet::compose_client_hello(name), patience_ms);
}

bool get_page(int network, const std::string& address, const std::string& name, int patience_ms) {
  return exchange(network, address, kHttpPort, "GET /login HTTP/1.1\r\nHost: " + name + "\r\nConnection: close\r\n\r\n",
                  patience_ms);
}

Result<std::unique_ptr<Stream>> Stream::open(int from, int to, uint16_t port) {
  std::unique_ptr<Stream> s(new Stream());
  s->port_ = port;
  Lab::in(from, [&] { s->out_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); });
  Lab::in(to, [&] { s->in_ = bound(SOCK_DGRAM, "0.0.0.0", port); });
  if (s->out_ < 0 || s->in_ < 0) return make_error(ErrorKind::kIo, "no sockets for the stream of packets");
  Stream* me = s.get();
  s->receiver_ = std::jthread([me](const std::stop_token& stop) { me->receive(stop); });
  return s;
}

Stream::~Stream() {
  stop();
  receiver_.request_stop();
  if (receiver_.joinable()) receiver_.join();
  if (out_ >= 0) close(out_);
  if (in_ >= 0) close(in_);
}

void Stream::start(const std::string& address, int64_t interval_us) {
  ++round_;  // packets of an earlier round that are still on the way do not count
  sent_ = arrived_ = 0;
  last_arrived_seq_ = -1;
  first_arrival_us_ = 0;
  sent_at_.clear();
  sent_at_.reserve(100'000);
  sender_ = std::jthread([this, address, interval_us, round = round_.load()](const std::stop_token& stop) {
    const sockaddr_in to = at(address, port_);
    int64_t next = steady_now_us();
    while (!stop.stop_requested()) {
      const std::array<uint64_t, 2> packet{round, sent_at_.size()};
      sent_at_.push_back(steady_now_us());
      // A packet that cannot be sent now is lost like any other.
      (void)sendto(out_, packet.data(), sizeof packet, 0, plain(to), sizeof to);
      ++sent_;
      next += interval_us;
      // Behind after being scheduled away: go on from now instead of sending a burst.
      if (const int64_t now = steady_now_us(); next < now) next = now;
      const timespec until{static_cast<time_t>(next / 1'000'000), static_cast<long>(next % 1'000'000 * 1000)};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    }
  });
}

void Stream::stop() {
  sender_.request_stop();
  if (sender_.joinable()) sender_.join();
}

void Stream::receive(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!readable(in_, 50)) continue;
    std::array<uint64_t, 2> packet{};
    if (recv(in_, packet.data(), sizeof packet, 0) != sizeof packet || packet[0] != round_) continue;
    if (first_arrival_us_ == 0) first_arrival_us_ = steady_now_us();
    last_arrived_seq_ = std::max(last_arrived_seq_.load(), static_cast<int64_t>(packet[1]));
    ++arrived_;
  }
}

std::optional<int64_t> Stream::silent_since() const {
  const auto first_lost = static_cast<size_t>(last_arrived_seq_.load() + 1);
  if (first_lost >= sent_at_.size()) return std::nullopt;
  return sent_at_[first_lost];
}

uint64_t Stream::lost_in_a_row() const {
  const auto after = static_cast<uint64_t>(last_arrived_seq_.load() + 1);
  const uint64_t sent = sent_;
  return sent > after ? sent - after : 0;
}

}  // namespace entente::cli::demo
