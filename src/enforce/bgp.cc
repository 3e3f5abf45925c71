#include "enforce/bgp.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "enforce/internal/bgp_message.h"

namespace entente::enforce {

using namespace internal::bgp;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

namespace {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
};

Result<Endpoint> endpoint(const std::string& text) {
  const auto bad = [&] {
    return invalid("no address of a BGP neighbour: \"" + printable(text, 60) + "\"", {},
                   "write it as 192.0.2.1:179 or [2001:db8::1]:179");
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad();
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return bad();
  Endpoint e;
  auto& four = reinterpret_cast<sockaddr_in&>(e.address);
  auto& six = reinterpret_cast<sockaddr_in6&>(e.address);
  if (inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    e.size = sizeof four;
  } else if (inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    e.size = sizeof six;
  } else {
    return bad();
  }
  return e;
}

Status check(const BgpOptions& o) {
  if (o.local_as == 0 || o.peer_as == 0) return invalid("BGP needs the number of both autonomous systems");
  const auto is_address = [](const std::string& text, bool v6) {
    const auto p = parse_prefix(text);
    return p.ok() && p->single() && p->v6 == v6;
  };
  if (!is_address(o.router_id, false)) return invalid("the router id must be an IPv4 address");
  if (!is_address(o.next_hop4, false) || !is_address(o.next_hop6, true))
    return invalid("the next hops must be an IPv4 and an IPv6 address");
  if (o.password.size() > TCP_MD5SIG_MAXKEYLEN) return invalid("the password of a BGP session has at most 80 octets");
  if (o.communities.size() > 32) return invalid("more than 32 communities");
  return {};
}

}  // namespace

struct BgpSpeaker::State {
  BgpOptions options;
  Endpoint peer, from;
  int wake = -1;
  std::thread thread;

  mutable std::mutex mutex;
  std::set<BgpRoute> wanted;
  bool stopping = false, clear = false;
  Report report;

  // Of the thread alone.
  int fd = -1;
  std::string in, out;
  PeerOpen open_of_peer;
  enum class Phase : uint8_t { kIdle, kConnecting, kOpenSent, kOpenConfirm, kEstablished } phase = Phase::kIdle;
  std::set<BgpRoute> announced;
  bool restarted = true;  // the neighbour may still hold routes of ours
  int64_t hold_ms = 0;
  steady_clock::time_point heard, spoke, again, began;
  milliseconds pause{500};

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (fd >= 0) close(fd);
    if (wake >= 0) close(wake);
  }

  void kick() const {
    const uint64_t one = 1;
    (void)!write(wake, &one, sizeof one);
  }

  // The session is over. What is said once is not said again until a session stood.
  void down(const std::string& why) {
    if (fd >= 0) close(fd);
    fd = -1;
    in.clear();
    out.clear();
    announced.clear();
    phase = Phase::kIdle;
    again = steady_clock::now() + pause;
    pause = std::min<milliseconds>(pause * 2, milliseconds{5000});
    const std::lock_guard lock(mutex);
    if (report.established || report.error.empty()) say_warn("bgp: {}: {}; trying again", options.peer, why);
    report.established = false;
    report.announced = 0;
    report.error = why;
  }

  void connect_now() {
    fd = socket(peer.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return down(std::string("no socket: ") + std::strerror(errno));
    if (!options.password.empty()) {
      tcp_md5sig md5{};
      std::memcpy(&md5.tcpm_addr, &peer.address, sizeof md5.tcpm_addr);
      md5.tcpm_keylen = static_cast<uint16_t>(options.password.size());
      std::memcpy(md5.tcpm_key, options.password.data(), options.password.size());
      if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &md5, sizeof md5) != 0)
        return down(std::string("this system signs no TCP: ") + std::strerror(errno));
    }
    if (from.size > 0 && bind(fd, reinterpret_cast<const sockaddr*>(&from.address), from.size) != 0)
      return down(fmt::format("cannot connect from {}: {}", options.source, std::strerror(errno)));
    began = steady_clock::now();
    phase = Phase::kConnecting;
    if (connect(fd, reinterpret_cast<const sockaddr*>(&peer.address), peer.size) != 0 && errno != EINPROGRESS)
      down(std::strerror(errno));
  }

  void connected() {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) return down(std::strerror(error));
    out += open(options, restarted);
    phase = Phase::kOpenSent;
    heard = spoke = steady_clock::now();
    hold_ms = 60'000;
  }

  void refuse(uint8_t code, uint8_t subcode, const std::string& why) {
    out += notification(code, subcode);
    (void)flush();
    down(why);
  }

  void on_open(const std::string& body) {
    auto peer_open = read_open(body);
    if (!peer_open.ok()) return refuse(2, 0, peer_open.error().text());
    if (peer_open->as != options.peer_as)
      return refuse(2, 2, fmt::format("the neighbour is AS {}, not {}", peer_open->as, options.peer_as));
    if (peer_open->hold_s == 1 || peer_open->hold_s == 2) return refuse(2, 6, "the neighbour's hold time is too short");
    open_of_peer = std::move(*peer_open);
    const uint16_t hold = std::min(options.session_hold_s, open_of_peer.hold_s);
    hold_ms = int64_t{hold} * 1000;
    out += keepalive();
    phase = Phase::kOpenConfirm;
  }

  void established() {
    phase = Phase::kEstablished;
    pause = milliseconds{500};
    {
      const std::lock_guard lock(mutex);
      report.established = true;
      report.graceful = open_of_peer.graceful;
      report.error.clear();
      ++report.sessions;
    }
    say_info("bgp: {}: session with AS {}{}", options.peer, open_of_peer.as,
             open_of_peer.graceful ? "" : "; it keeps nothing over a restart of ours");
    all_again();
  }

  void all_again() {
    announced.clear();
    bring();
    for (const Family& f : open_of_peer.families) {
      if (f.safi == 1 || f.safi == 133) out += end_of_rib(f);
    }
    restarted = false;
  }

  // The neighbour to the wanted set.
  void bring() {
    if (phase != Phase::kEstablished) return;
    std::set<BgpRoute> want_now;
    {
      const std::lock_guard lock(mutex);
      want_now = wanted;
    }
    size_t not_taken = 0;
    for (auto it = announced.begin(); it != announced.end();) {
      if (want_now.contains(*it)) {
        ++it;
        continue;
      }
      out += withdraw(*it);
      it = announced.erase(it);
    }
    for (const BgpRoute& r : want_now) {
      if (!open_of_peer.families.contains(family_of(r))) {
        ++not_taken;
      } else if (announced.insert(r).second) {
        out += announce(r, options, open_of_peer);
      }
    }
    const std::lock_guard lock(mutex);
    report.announced = announced.size();
    report.not_taken = not_taken;
  }

  void on_message(const Message& m) {
    heard = steady_clock::now();
    switch (m.type) {
      case Type::kOpen:
        if (phase != Phase::kOpenSent) return refuse(5, 0, "an OPEN within a session");
        return on_open(m.body);
      case Type::kKeepalive:
        if (phase == Phase::kOpenConfirm) established();
        return;
      case Type::kNotification:
        return down("the neighbour ended the session: " + read_notification(m.body));
      case Type::kRouteRefresh:  // RFC 2918
        if (phase == Phase::kEstablished) all_again();
        return;
      case Type::kUpdate:  // what it routes is not our business
        return;
    }
  }

  bool flush() {
    while (!out.empty()) {
      const ssize_t n = send(fd, out.data(), out.size(), MSG_NOSIGNAL);
      if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
      out.erase(0, static_cast<size_t>(n));
      spoke = steady_clock::now();
    }
    return true;
  }

  void read_some() {
    char buffer[16384];
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return down(n == 0 ? "the neighbour closed the connection" : std::strerror(errno));
    in.append(buffer, static_cast<size_t>(n));
    while (fd >= 0) {
      auto m = take(in);
      if (!m.ok()) return refuse(1, 0, m.error().text());
      if (!*m) return;
      on_message(**m);
    }
  }

  void timers() {
    const auto now = steady_clock::now();
    if (phase == Phase::kConnecting && now - began > seconds(10)) return down("no answer to a connection");
    if (phase < Phase::kOpenSent || hold_ms == 0) return;
    if (now - heard > milliseconds(hold_ms)) return refuse(4, 0, "nothing was heard of the neighbour in time");
    if (phase >= Phase::kOpenConfirm && now - spoke > milliseconds(hold_ms / 3)) out += keepalive();
  }

  void run() {
    for (;;) {
      bool stop_now = false, clear_now = false;
      {
        const std::lock_guard lock(mutex);
        stop_now = stopping;
        clear_now = clear;
        if (stop_now && clear_now) wanted.clear();
      }
      bring();
      if (fd < 0 && !stop_now && steady_clock::now() >= again) connect_now();
      if (fd >= 0) timers();
      if (fd >= 0 && phase >= Phase::kOpenSent && !flush()) down(std::strerror(errno));
      if (stop_now && (!clear_now || phase != Phase::kEstablished || out.empty())) break;
      pollfd waits[2] = {{wake, POLLIN, 0}, {fd, POLLIN, 0}};
      if (phase == Phase::kConnecting || !out.empty()) waits[1].events |= POLLOUT;
      poll(waits, fd >= 0 ? 2 : 1, 200);
      if ((waits[0].revents & POLLIN) != 0) {
        uint64_t n = 0;
        (void)!read(wake, &n, sizeof n);
      }
      if (fd < 0 || waits[1].revents == 0) continue;
      if (phase == Phase::kConnecting) {
        connected();
      } else if ((waits[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        read_some();
      }
    }
    if (fd >= 0 && phase == Phase::kEstablished && clear) {
      // Everything is withdrawn; Cease says that nothing is to be kept for us (RFC 4724 §4).
      out += notification(6, 2);
      (void)flush();
    }
  }
};

BgpSpeaker::BgpSpeaker() : state_(std::make_unique<State>()) {}

Result<std::unique_ptr<BgpSpeaker>> BgpSpeaker::start(BgpOptions options, std::set<BgpRoute> routes) {
  CHECK_OK(check(options));
  std::unique_ptr<BgpSpeaker> made(new BgpSpeaker());
  State& s = *made->state_;
  TRY(s.peer, endpoint(options.peer));
  if (!options.source.empty()) {
    const bool v6 = options.source.find(':') != std::string::npos;
    TRY(s.from, endpoint(v6 ? "[" + options.source + "]:1" : options.source + ":1"));
    if (s.from.address.ss_family != s.peer.address.ss_family)
      return invalid("source and neighbour are of different families", options.source);
    // Any port.
    if (v6) {
      reinterpret_cast<sockaddr_in6&>(s.from.address).sin6_port = 0;
    } else {
      reinterpret_cast<sockaddr_in&>(s.from.address).sin_port = 0;
    }
  }
  s.options = std::move(options);
  CHECK_OK(made->want(std::move(routes)));
  s.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (s.wake < 0) return make_error(ErrorKind::kIo, std::string("no event descriptor: ") + std::strerror(errno));
  s.thread = std::thread([&s] { s.run(); });
  return made;
}

BgpSpeaker::~BgpSpeaker() { stop(false); }

Status BgpSpeaker::want(std::set<BgpRoute> routes) {
  State& s = *state_;
  if (routes.size() > s.options.max_rules) {
    return make_error(
        ErrorKind::kTooLarge,
        fmt::format("{} routes and flow rules, and routers are to get at most {}", routes.size(), s.options.max_rules),
        s.options.peer, "withdraw others first, or raise max_rules under [bgp] if the routers have room");
  }
  {
    const std::lock_guard lock(s.mutex);
    if (s.wanted == routes) return {};
    s.wanted = std::move(routes);
  }
  if (s.wake >= 0) s.kick();
  return {};
}

void BgpSpeaker::stop(bool clear) {
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    if (s.stopping) return;
    s.stopping = true;
    s.clear = clear;
  }
  if (s.wake >= 0) s.kick();
  if (s.thread.joinable()) s.thread.join();
}

BgpSpeaker::Report BgpSpeaker::report() const {
  const std::lock_guard lock(state_->mutex);
  return state_->report;
}

}  // namespace entente::enforce
