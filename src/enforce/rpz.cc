#include "enforce/rpz.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/log.h"
#include "enforce/internal/dns_message.h"

namespace entente::enforce {

using namespace internal;

namespace {

constexpr int kTcpPatienceMs = 10'000;
constexpr size_t kMaxConnections = 32;

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  std::string host;  // canonical text of the address
};

std::string host_of(const sockaddr_storage& a) {
  char text[INET6_ADDRSTRLEN] = {};
  if (a.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(a).sin_addr, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(a).sin6_addr, text, sizeof text);
  }
  const auto canonical = parse_prefix(text);
  return canonical.ok() ? canonical->text() : std::string(text);
}

Result<Endpoint> endpoint(std::string_view text) {
  const auto bad = [&] {
    return invalid("no address with port: \"" + printable(text, 60) + "\"", {},
                   "write it as 192.0.2.1:53 or [2001:db8::1]:53");
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string host(text.substr(0, colon));
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return bad();
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  Endpoint e;
  auto& v4 = reinterpret_cast<sockaddr_in&>(e.address);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(e.address);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    e.size = sizeof v4;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    e.size = sizeof v6;
  } else {
    return bad();
  }
  e.host = host_of(e.address);
  return e;
}

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Result<Socket> bound(const Endpoint& at, int type) {
  Socket s(socket(at.address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (s.get() < 0 || setsockopt(s.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(s.get(), reinterpret_cast<const sockaddr*>(&at.address), at.size) != 0 ||
      (type == SOCK_STREAM && listen(s.get(), 64) != 0)) {
    return make_error(ErrorKind::kIo, fmt::format("cannot listen for DNS: {}", std::strerror(errno)), at.host,
                      "is another server at this address and port? set [rpz] listen");
  }
  return s;
}

uint16_t port_of(int fd) {
  sockaddr_storage a{};
  socklen_t size = sizeof a;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size) != 0) return 0;
  return ntohs(a.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(a).sin_port
                                      : reinterpret_cast<sockaddr_in6&>(a).sin6_port);
}

std::string reply_to(const DnsMessage& query, std::string_view octets, uint8_t rcode) {
  std::string m;
  put16(m, query.id);
  put16(m, 0x8000u | query.opcode() << 11 | rcode);
  put16(m, 1);
  m.append(6, '\0');
  // The question as it came: behind the header, never compressed.
  size_t end = 12;
  while (end < octets.size() && octets[end] != 0) end += 1u + static_cast<uint8_t>(octets[end]);
  if (end + 5 <= octets.size()) {
    m += octets.substr(12, end + 5 - 12);
  } else {
    m[5] = 0;
  }
  return m;
}

}  // namespace

struct Rpz::State {
  RpzOptions options;
  Files& files;
  std::function<bool(const Target&)> is_protected;
  TsigKey key;
  std::vector<Endpoint> secondaries;
  std::set<std::string> hosts, unsigned_hosts;

  mutable std::mutex mutex;  // zone, counters, notify state
  std::optional<RpzZone> zone;
  Counters counters;
  struct Notify {
    uint16_t id = 0;
    int tries = 0;
    int64_t next_us = 0;
    bool pending = false;
    std::string mac;
  };
  std::vector<Notify> notifies;             // one per secondary
  std::map<std::string, uint32_t> fetched;  // what a secondary has, as far as we know

  struct Wanted {
    Target name;
    bool drop = false;
    Time end;
  };
  std::map<std::string, Wanted> wanted;  // by text; of the caller's thread
  std::set<std::string> dirty;
  bool file_due = true;

  Socket udp, tcp, wake;
  std::atomic<bool> stopping{false};
  std::atomic<bool> ready{false};  // before the first flush the zone is empty, and nobody is to fetch that
  std::atomic<size_t> connections{0};
  std::thread server;
  std::mutex threads_mutex;
  std::condition_variable idle;

  State(RpzOptions o, Files& f, std::function<bool(const Target&)> p)
      : options(std::move(o)), files(f), is_protected(std::move(p)) {}

  [[nodiscard]] const TsigKey* key_for(const std::string& host) const {
    return unsigned_hosts.contains(host) ? nullptr : &key;
  }

  void kick() const {
    const uint64_t one = 1;
    (void)!write(wake.get(), &one, sizeof one);
  }

  void notify_all() {
    for (Notify& n : notifies) n = Notify{n.id, 0, 0, true, {}};
    kick();
  }

  // Sends what is due; returns milliseconds until the next is.
  int send_notifies(Clock& clock) {
    const std::lock_guard lock(mutex);
    const int64_t now = clock.steady_us();
    int64_t next = now + 60'000'000;
    for (size_t i = 0; i < notifies.size(); ++i) {
      Notify& n = notifies[i];
      if (!n.pending) continue;
      if (n.next_us <= now) {
        if (n.tries == 6) {  // it asks by itself at the refresh interval
          n.pending = false;
          ++counters.unanswered;
          continue;
        }
        const std::string random = random_bytes(2);
        n.id = static_cast<uint16_t>(static_cast<uint8_t>(random[0]) << 8 | static_cast<uint8_t>(random[1]));
        std::string m = zone->notify(n.id);
        if (const TsigKey* k = key_for(secondaries[i].host); k != nullptr) n.mac = sign(m, *k, clock.now(), {});
        (void)!sendto(udp.get(), m.data(), m.size(), MSG_NOSIGNAL,
                      reinterpret_cast<const sockaddr*>(&secondaries[i].address), secondaries[i].size);
        ++counters.notified;
        n.next_us = now + (200'000LL << n.tries);
        ++n.tries;
      }
      next = std::min(next, n.next_us);
    }
    return static_cast<int>(std::max<int64_t>(1, (next - now) / 1000));
  }

  // An answer to our NOTIFY. One that is not signed as it has to be changes nothing: we send again.
  void notified(const DnsMessage& m, std::string_view octets, const std::string& from, Time now) {
    const std::lock_guard lock(mutex);
    for (size_t i = 0; i < notifies.size(); ++i) {
      Notify& n = notifies[i];
      if (!n.pending || n.id != m.id || secondaries[i].host != from || m.rcode() != kNoError) continue;
      const TsigKey* k = key_for(from);
      if (k != nullptr && (!m.tsig || verify(octets, m, *k, now, n.mac) != kTsigOk)) continue;
      n.pending = false;
    }
  }

  std::vector<std::string> answer(std::string_view octets, const std::string& from, bool over_tcp, Time now) {
    // Nobody else even learns that somebody listens here.
    const auto refuse = [&]() -> std::vector<std::string> {
      const std::lock_guard lock(mutex);
      ++counters.refused;
      return {};
    };
    if (!hosts.contains(from)) return refuse();
    if (!ready) return {};
    const auto query = read_message(octets);
    if (!query) return refuse();
    if (query->response()) {
      if (query->opcode() == 4) notified(*query, octets, from, now);
      return {};
    }
    const TsigKey* k = key_for(from);
    if (query->tsig) {
      const TsigError error = k == nullptr ? kBadKey : verify(octets, *query, *k, now);
      if (error != kTsigOk) {
        (void)refuse();
        std::string m = reply_to(*query, octets, kNotAuth);
        append_tsig_error(m, *query->tsig, key, error, now);
        return {std::move(m)};
      }
    } else if (k != nullptr) {
      (void)refuse();
      return {reply_to(*query, octets, kRefused)};
    }
    std::vector<std::string> out;
    {
      const std::lock_guard lock(mutex);
      const bool ours = query->opcode() == 0 && query->klass == 1 && query->name == options.zone;
      if (query->opcode() != 0) {
        out.push_back(reply_to(*query, octets, kNotImp));
      } else if (ours && query->type == kRrSoa) {
        ++counters.soa;
        out.push_back(zone->soa_answer(query->id, kRrSoa));
      } else if (ours && query->type == kRrIxfr && query->soa_serial) {
        ++counters.ixfr;
        // By UDP the SOA alone says: come by TCP (RFC 1995 §2).
        if (over_tcp) {
          out = zone->ixfr(query->id, *query->soa_serial);
        } else {
          out.push_back(zone->soa_answer(query->id, kRrIxfr));
        }
      } else if (ours && query->type == kRrAxfr && over_tcp) {
        ++counters.axfr;
        out = zone->axfr(query->id);
      } else {
        ++counters.refused;
        out.push_back(reply_to(*query, octets, kRefused));
      }
      if (over_tcp && ours && (query->type == kRrIxfr || query->type == kRrAxfr)) fetched[from] = zone->serial();
    }
    if (query->tsig) {
      std::string mac = query->tsig->mac;
      bool later = false;
      for (std::string& m : out) {
        mac = sign(m, *k, now, mac, later);
        later = true;
      }
    }
    return out;
  }

  // Waits for a peer, but not for one when the sensor stops.
  bool patient(int fd, short what) const {
    for (int waited = 0; waited < kTcpPatienceMs && !stopping; waited += 200) {
      pollfd p{fd, what, 0};
      const int n = poll(&p, 1, 200);
      if (n != 0) return n > 0;
    }
    return false;
  }
  // Reads exactly n octets, or false at the end, a time-out or a stop.
  bool read_all(int fd, char* to, size_t n) const {
    for (size_t got = 0; got < n;) {
      if (!patient(fd, POLLIN)) return false;
      const ssize_t r = recv(fd, to + got, n - got, MSG_DONTWAIT);
      if (r == 0 || (r < 0 && errno != EAGAIN && errno != EINTR)) return false;
      if (r > 0) got += static_cast<size_t>(r);
    }
    return true;
  }
  bool write_all(int fd, std::string_view octets) const {
    while (!octets.empty()) {
      if (!patient(fd, POLLOUT)) return false;
      const ssize_t w = send(fd, octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (w < 0 && errno != EAGAIN && errno != EINTR) return false;
      if (w > 0) octets.remove_prefix(static_cast<size_t>(w));
    }
    return true;
  }

  void converse(const Socket& s, const std::string& from, Clock& clock) {
    std::string message;
    for (int i = 0; i < 100; ++i) {
      char length[2];
      if (!read_all(s.get(), length, 2)) return;
      message.resize(static_cast<size_t>(static_cast<uint8_t>(length[0])) << 8 | static_cast<uint8_t>(length[1]));
      if (!read_all(s.get(), message.data(), message.size())) return;
      const auto answers = answer(message, from, true, clock.now());
      if (answers.empty()) return;
      std::string octets;
      for (const std::string& m : answers) {
        put16(octets, static_cast<unsigned>(m.size()));
        octets += m;
        if (octets.size() > 1u << 20) {
          if (!write_all(s.get(), octets)) return;
          octets.clear();
        }
      }
      if (!write_all(s.get(), octets)) return;
    }
  }

  void accept_one(Clock& clock) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    Socket s(accept4(tcp.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
    if (s.get() < 0) return;
    std::string from = host_of(peer);
    if (!hosts.contains(from) || connections >= kMaxConnections) {
      const std::lock_guard lock(mutex);
      ++counters.refused;
      return;
    }
    ++connections;
    std::thread([this, moved = std::move(s), from, &clock] {
      converse(moved, from, clock);
      const std::lock_guard lock(threads_mutex);
      --connections;
      idle.notify_all();
    }).detach();  // waited for by count, in stop()
  }

  void run() {
    SystemClock clock;
    std::string buffer(65'536, '\0');
    while (!stopping) {
      const int wait = send_notifies(clock);
      pollfd p[3] = {{udp.get(), POLLIN, 0}, {tcp.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}};
      if (poll(p, 3, wait) <= 0) continue;
      if ((p[2].revents & POLLIN) != 0) {
        uint64_t n = 0;
        (void)!read(wake.get(), &n, sizeof n);
      }
      if ((p[0].revents & POLLIN) != 0) {
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        const ssize_t n =
            recvfrom(udp.get(), buffer.data(), buffer.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&peer), &size);
        if (n > 0) {
          for (const std::string& m :
               answer(std::string_view(buffer).substr(0, static_cast<size_t>(n)), host_of(peer), false, clock.now())) {
            (void)!sendto(udp.get(), m.data(), m.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&peer), size);
          }
        }
      }
      if ((p[1].revents & POLLIN) != 0) accept_one(clock);
    }
    std::unique_lock lock(threads_mutex);
    idle.wait(lock, [&] { return connections == 0; });
  }

  Status write_out() {
    std::string text;
    uint32_t serial = 0;
    {
      const std::lock_guard lock(mutex);
      serial = zone->serial();
      if (!options.file.empty()) text = zone->master_file();
    }
    if (!options.serial_file.empty())
      CHECK_OK(files.write_atomic(options.serial_file, fmt::format("{}\n", serial), 0600));
    if (!options.file.empty()) CHECK_OK(files.write_atomic(options.file, text, 0644));
    file_due = false;
    return {};
  }
};

Rpz::Rpz(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Rpz>> Rpz::start(RpzOptions options, Files& files,
                                        std::function<bool(const Target&)> is_protected) {
  TRY(options.zone, canonical_name(options.zone));
  if (!options.garden.empty()) {
    TRY(options.garden, canonical_name(options.garden));
  }
  auto state = std::make_unique<State>(std::move(options), files, std::move(is_protected));
  State& s = *state;
  const RpzOptions& o = s.options;
  for (const bool is_signed : {true, false}) {
    for (const std::string& text : is_signed ? o.secondaries : o.unsigned_secondaries) {
      TRY(Endpoint e, endpoint(text));
      s.hosts.insert(e.host);
      if (!is_signed) s.unsigned_hosts.insert(e.host);
      s.secondaries.push_back(std::move(e));
    }
  }
  if (!o.key_name.empty()) {
    TRY(s.key.name, canonical_name(o.key_name));
    s.key.secret = o.key_secret;
  }
  if (!o.secondaries.empty() && (s.key.empty() || s.key.secret.size() < 16)) {
    return invalid("secondaries need a TSIG key of 16 octets or more", o.zone,
                   "name key_file, or list who cannot sign as unsigned_secondaries");
  }
  s.notifies.resize(s.secondaries.size());
  // Never below what a secondary may hold: after the clock, after what was there, and again after 1970 + 2^32 s.
  auto serial = static_cast<uint32_t>(SystemClock().now().us / 1'000'000);
  if (!o.serial_file.empty() && files.exists(o.serial_file)) {
    TRY(const std::string text, files.read(o.serial_file));
    uint32_t last = 0;
    std::from_chars(text.data(), text.data() + text.size(), last);
    if (static_cast<int32_t>(last - serial) >= 0) serial = last + 1;
  }
  s.zone.emplace(o, serial);
  TRY(const Endpoint at, endpoint(o.listen));
  TRY(s.tcp, bound(at, SOCK_STREAM));
  Endpoint same = at;
  const uint16_t port = htons(port_of(s.tcp.get()));
  if (same.address.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(same.address).sin_port = port;
  } else {
    reinterpret_cast<sockaddr_in6&>(same.address).sin6_port = port;
  }
  TRY(s.udp, bound(same, SOCK_DGRAM));
  s.wake = Socket(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  s.server = std::thread([&s] { s.run(); });
  return std::unique_ptr<Rpz>(new Rpz(std::move(state)));
}

Rpz::~Rpz() {
  state_->stopping = true;
  state_->kick();
  if (state_->server.joinable()) state_->server.join();
}

void Rpz::want(const Target& name, bool drop, Time end) {
  const std::string text = name.text();
  state_->wanted[text] = {name, drop, end};
  state_->dirty.insert(text);
}

void Rpz::unwant(const Target& name) {
  const std::string text = name.text();
  if (state_->wanted.erase(text) > 0) state_->dirty.insert(text);
}

Status Rpz::flush(Time now) {
  State& s = *state_;
  for (auto it = s.wanted.begin(); it != s.wanted.end();) {
    if (it->second.end > now) {
      ++it;
      continue;
    }
    s.dirty.insert(it->first);
    it = s.wanted.erase(it);
  }
  size_t left_out = 0;
  if (!s.dirty.empty()) {
    std::set<std::string> again;
    const std::lock_guard lock(s.mutex);
    for (const std::string& text : s.dirty) {
      const auto it = s.wanted.find(text);
      if (it == s.wanted.end()) {
        if (const auto gone = parse_target(text); gone.ok()) s.zone->remove(*gone);
      } else if (it->second.drop && s.is_protected && s.is_protected(it->second.name)) {
        s.zone->remove(it->second.name);
      } else if (s.zone->size() >= s.options.capacity) {
        ++left_out;
        again.insert(text);
      } else {
        s.zone->set(it->second.name, it->second.drop);
      }
    }
    s.dirty = std::move(again);
    if (s.zone->commit()) {
      s.file_due = true;
      s.notify_all();
    }
  }
  s.ready = true;
  // Secondaries have it, or are about to: a disk that is full costs the file only.
  if (s.file_due) CHECK_OK(s.write_out());
  if (left_out == 0) return {};
  return make_error(ErrorKind::kTooLarge,
                    fmt::format("{} names did not fit into the zone of {}", left_out, s.options.capacity),
                    s.options.zone);
}

Status Rpz::clear() {
  for (const auto& [text, wanted] : std::map(state_->wanted)) unwant(wanted.name);
  CHECK_OK(flush(Time{INT64_MIN}));
  const auto everywhere = [this] {
    const std::lock_guard lock(state_->mutex);
    return std::all_of(state_->hosts.begin(), state_->hosts.end(), [this](const std::string& host) {
      const auto it = state_->fetched.find(host);
      return it == state_->fetched.end() || it->second == state_->zone->serial();
    });
  };
  for (int i = 0; i < 40 && !everywhere(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return {};
}

Rpz::Counters Rpz::counters() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counters;
}
uint32_t Rpz::serial() const {
  const std::lock_guard lock(state_->mutex);
  return state_->zone->serial();
}
size_t Rpz::names() const {
  const std::lock_guard lock(state_->mutex);
  return state_->zone->size();
}
uint16_t Rpz::port() const { return port_of(state_->tcp.get()); }
std::vector<std::string> Rpz::answer(std::string_view message, const std::string& from, bool tcp, Time now) {
  return state_->answer(message, from, tcp, now);
}

}  // namespace entente::enforce
