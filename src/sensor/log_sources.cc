#include "sensor/log_sources.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include <boost/asio.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "detect/dnstap.h"
#include "detect/follow.h"
#include "sensor/log_watch.h"

namespace entente::sensor {

namespace asio = boost::asio;

Result<ListenAt> parse_listen_at(std::string_view text) {
  using enum ListenAt::Kind;
  const size_t colon = text.find(':');
  const std::string_view scheme = text.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  ListenAt out;
  const auto wrong = [&] {
    return invalid(
        "this is no place to listen at", std::string(text.substr(0, 200)),
        "write udp:ADDRESS:PORT, tcp:ADDRESS:PORT, unix:/PATH, unixgram:/PATH, dnstap:/PATH or dnstap:ADDRESS:PORT");
  };
  out.dnstap = scheme == "dnstap";
  if (scheme == "unix" || scheme == "unixgram" || (out.dnstap && rest.starts_with('/'))) {
    out.kind = scheme == "unixgram" ? kUnixDatagram : kUnix;
    out.path = rest;
    if (!rest.starts_with('/') || rest.size() > 100) return wrong();
    return out;
  }
  if (scheme != "udp" && scheme != "tcp" && !out.dnstap) return wrong();
  out.kind = scheme == "udp" ? kUdp : kTcp;
  const size_t last = rest.rfind(':');
  if (last == std::string_view::npos) return wrong();
  std::string_view host = rest.substr(0, last);
  const std::string_view port = rest.substr(last + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc{} || end != port.data() + port.size() || out.port == 0 || !packet::parse_address(host))
    return wrong();
  out.host = host;
  return out;
}

namespace {

constexpr size_t kPiece = 64U << 10;
constexpr size_t kMaxExporters = 1024;  // of flow records, each with its templates

struct Shared {
  asio::io_context io{1};
  LogWatch watch;
  std::vector<enforce::Prefix> from;
  size_t max_connections;
  Shared(Core& core, Clock& clock, const LogSourceOptions& o)
      : watch(core, clock, o.lead_us), from(o.from), max_connections(o.max_connections) {}

  [[nodiscard]] bool welcome(const asio::ip::address& address) const {
    if (from.empty() &&
        (address.is_loopback() || (address.is_v6() && address.to_v6().is_v4_mapped() &&
                                   asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback())))
      return true;
    const auto prefix = enforce::parse_prefix(address.to_string());
    return prefix.ok() && std::any_of(from.begin(), from.end(), [&](const auto& p) { return p.contains(*prefix); });
  }
};

struct Numbers {
  std::atomic<uint64_t> lines{0}, flows{0}, refused{0}, lost{0}, malformed{0}, connections{0};
};

Error cannot_listen(const std::string& where, const boost::system::error_code& ec) {
  return make_error(ErrorKind::kIo, "cannot listen: " + ec.message(), where,
                    "choose an address of this machine and a free port or path, and see that this user may use it");
}

class Listener {
 public:
  explicit Listener(std::string where) : where_(std::move(where)) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  virtual ~Listener() = default;
  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] const Numbers& numbers() const { return numbers_; }

 protected:
  std::string where_;
  Numbers numbers_;
};

// A socket that stands in the way from an earlier run goes; anything else at the path stays, and binding fails.
void clear_path(const std::string& path) {
  struct stat s{};
  if (::lstat(path.c_str(), &s) == 0 && S_ISSOCK(s.st_mode)) ::unlink(path.c_str());
}

// Datagrams: each is one message, or an export packet of flow records.
template <class Protocol>
class Datagrams final : public Listener {
 public:
  static constexpr bool kIp = std::is_same_v<Protocol, asio::ip::udp>;
  Datagrams(std::string where, Shared& shared) : Listener(std::move(where)), shared_(shared), socket_(shared.io) {
    feed_.emplace(where_, shared_.watch);
  }
  Status open(const typename Protocol::endpoint& at) {
    boost::system::error_code ec;
    socket_.open(at.protocol(), ec);
    if (!ec) socket_.bind(at, ec);
    if (!ec) socket_.non_blocking(true, ec);
    if (ec) return cannot_listen(where_, ec);
    // Bursts wait there. A refusal leaves the system's own size; what is lost is counted either way.
    const int size = 8 << 20, on = 1;
    if (::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
      (void)::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    (void)::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    wait();
    return {};
  }

 private:
  void wait() {
    socket_.async_wait(asio::socket_base::wait_read, [this](const boost::system::error_code& ec) {
      if (ec) return;
      read();
      wait();
    });
  }
  void read() {
    for (int i = 0; i < 1000; ++i) {  // then others have their turn
      typename Protocol::endpoint peer;
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint32_t))];
      iovec piece{buffer_.data(), buffer_.size()};
      msghdr m{};
      m.msg_name = peer.data();
      m.msg_namelen = static_cast<socklen_t>(peer.capacity());
      m.msg_iov = &piece;
      m.msg_iovlen = 1;
      m.msg_control = control;
      m.msg_controllen = sizeof control;
      const ssize_t n = ::recvmsg(socket_.native_handle(), &m, MSG_DONTWAIT);
      if (n < 0) return;
      for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
        uint32_t lost = 0;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL) continue;
        std::memcpy(&lost, CMSG_DATA(c), sizeof lost);
        numbers_.lost = lost;
      }
      const std::string_view bytes(buffer_.data(), static_cast<size_t>(n));
      if constexpr (kIp) {
        peer.resize(m.msg_namelen);
        if (!shared_.welcome(peer.address())) {
          ++numbers_.refused;
          continue;
        }
        if (packet::looks_like_flows(bytes)) {
          flows(peer, bytes);
          continue;
        }
      }
      if ((m.msg_flags & MSG_TRUNC) != 0) ++numbers_.malformed;
      feed_->feed(bytes);
      if (!bytes.ends_with('\n')) feed_->feed("\n");
      numbers_.lines = feed_->lines();
    }
  }
  // Templates belong to the socket that exports them (RFC 7011 §10.3.7, RFC 3954 §5).
  void flows(const typename Protocol::endpoint& peer, std::string_view bytes) {
    auto it = exporters_.find(peer);
    if (it == exporters_.end()) {
      if (exporters_.size() >= kMaxExporters) {
        ++numbers_.refused;
        return;
      }
      auto reader = std::make_unique<packet::FlowReader>([this](const packet::FlowRecord& r) {
        ++numbers_.flows;
        shared_.watch.on_flow(r, where_);
      });
      it = exporters_.emplace(peer, std::move(reader)).first;
    }
    if (!it->second->datagram(bytes).ok()) ++numbers_.malformed;
  }

  Shared& shared_;
  typename Protocol::socket socket_;
  std::optional<detect::LineFeed> feed_;
  std::string buffer_ = std::string(kPiece, '\0');
  std::map<typename Protocol::endpoint, std::unique_ptr<packet::FlowReader>> exporters_;
};

enum class Framing : uint8_t { kUnknown, kLines, kCounted };

// Connections of lines, or of messages behind their length in octets (RFC 6587 §3.4.1).
template <class Protocol>
class Streams final : public Listener {
 public:
  static constexpr bool kIp = std::is_same_v<Protocol, asio::ip::tcp>;
  Streams(std::string where, Shared& shared, bool dnstap)
      : Listener(std::move(where)), shared_(shared), acceptor_(shared.io), again_(shared.io), dnstap_(dnstap) {}
  Status open(const typename Protocol::endpoint& at) {
    boost::system::error_code ec;
    acceptor_.open(at.protocol(), ec);
    if constexpr (kIp) {
      if (!ec) acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
    }
    if (!ec) acceptor_.bind(at, ec);
    if (!ec) acceptor_.listen(128, ec);
    if (ec) return cannot_listen(where_, ec);
    accept();
    return {};
  }

 private:
  struct Connection {
    Connection(typename Protocol::socket s, const std::string& where, LogWatch& watch, bool dnstap)
        : socket(std::move(s)), feed(where, watch) {
      if (dnstap) tap.emplace(where, watch);
    }
    typename Protocol::socket socket;
    detect::LineFeed feed;
    std::optional<detect::DnstapFeed> tap;  // instead of lines
    uint64_t tap_malformed = 0;             // counted already
    std::string buffer = std::string(kPiece, '\0');
    std::string counted;  // octet counting: what waits to be whole
    Framing framing = Framing::kUnknown;
    uint64_t told = 0;
  };
  using Place = typename std::list<Connection>::iterator;
  static constexpr size_t kMaxMessage = 1U << 20;

  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& ec, typename Protocol::socket socket) {
      if (ec == asio::error::operation_aborted) return;
      if (!ec) {
        take(std::move(socket));
        return accept();
      }
      // No descriptors, say: the connection still waits, and asking at once would only burn the processor.
      again_.expires_after(std::chrono::milliseconds(100));
      again_.async_wait([this](const boost::system::error_code& stopped) {
        if (!stopped) accept();
      });
    });
  }
  void take(typename Protocol::socket socket) {
    boost::system::error_code ec;
    bool welcome = connections_.size() < shared_.max_connections;
    if constexpr (kIp) {
      const auto peer = socket.remote_endpoint(ec);
      welcome = welcome && !ec && shared_.welcome(peer.address());
      socket.set_option(asio::socket_base::keep_alive(true), ec);  // a peer that is gone does not keep its place
    }
    if (!welcome) {
      ++numbers_.refused;
      return;
    }
    connections_.emplace_back(std::move(socket), where_, shared_.watch, dnstap_);
    numbers_.connections = connections_.size();
    read(std::prev(connections_.end()));
  }
  void read(Place c) {
    c->socket.async_read_some(asio::buffer(c->buffer), [this, c](const boost::system::error_code& ec, size_t n) {
      const bool fits = give(*c, std::string_view(c->buffer).substr(0, n));
      if (ec || !fits) {
        if (ec == asio::error::operation_aborted) return;       // all goes
        if (fits && !c->counted.empty()) ++numbers_.malformed;  // the last message is cut short
        if (fits && c->tap && !c->tap->finish().ok()) ++numbers_.malformed;
        c->feed.finish();
        count(*c);
        connections_.erase(c);
        numbers_.connections = connections_.size();
        return;
      }
      count(*c);
      read(c);
    });
  }
  void count(Connection& c) {
    const uint64_t now = c.tap ? c.tap->messages() : c.feed.lines();
    numbers_.lines += now - c.told;
    c.told = now;
    if (!c.tap) return;
    numbers_.malformed += c.tap->malformed() - c.tap_malformed;
    c.tap_malformed = c.tap->malformed();
  }
  // False: this is no dnstap, or the other side takes no answer.
  bool give_tap(Connection& c, std::string_view bytes) {
    if (const Status done = c.tap->feed(bytes); !done.ok()) {
      ++numbers_.malformed;
      if (!said_) say_warn("logs: {}: {}", where_, done.error().text());
      said_ = true;  // once: whoever may connect could fill the log
      return false;
    }
    const std::string reply = c.tap->take_reply();
    if (reply.empty()) return true;
    // Some dozen octets into an empty buffer: one call, which does not wait.
    return ::send(c.socket.native_handle(), reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
           static_cast<ssize_t>(reply.size());
  }
  // False: the sender breaks the framing it began with, and what follows cannot be told apart.
  bool give(Connection& c, std::string_view bytes) {
    using enum Framing;
    if (bytes.empty()) return true;
    if (c.tap) return give_tap(c, bytes);
    if (c.framing == kUnknown) c.framing = bytes.front() >= '1' && bytes.front() <= '9' ? kCounted : kLines;
    if (c.framing == kLines) {
      c.feed.feed(bytes);
      return true;
    }
    c.counted += bytes;
    std::string_view rest = c.counted;
    while (!rest.empty()) {
      size_t size = 0;
      const std::string_view number = rest.substr(0, 8);
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), size);
      const auto digits = static_cast<size_t>(end - number.data());
      if (error == std::errc{} && digits == rest.size() && digits < 8) break;  // the number is not whole
      if (error != std::errc{} || digits >= rest.size() || rest[digits] != ' ' || size > kMaxMessage) {
        // No count: lines that begin with a digit ("2026-11-24T…").
        if (c.told == 0 && c.feed.lines() == 0) {
          c.framing = kLines;
          c.feed.feed(c.counted);
          c.counted.clear();
          return true;
        }
        ++numbers_.malformed;
        return false;
      }
      if (rest.size() < digits + 1 + size) break;
      std::string message(rest.substr(digits + 1, size));
      std::replace(message.begin(), message.end(), '\n', ' ');
      c.feed.feed(message + "\n");
      rest.remove_prefix(digits + 1 + size);
    }
    c.counted.erase(0, c.counted.size() - rest.size());
    return true;
  }

  Shared& shared_;
  typename Protocol::acceptor acceptor_;
  asio::steady_timer again_;
  std::list<Connection> connections_;
  bool dnstap_, said_ = false;
};

template <class Made, class Endpoint, class... More>
Result<std::unique_ptr<Listener>> opened(const std::string& where, Shared& shared, const Endpoint& at, More... more) {
  auto made = std::make_unique<Made>(where, shared, more...);
  CHECK_OK(made->open(at));
  return std::unique_ptr<Listener>(std::move(made));
}

Result<std::unique_ptr<Listener>> open_listener(const std::string& where, Shared& shared) {
  using enum ListenAt::Kind;
  TRY(const ListenAt at, parse_listen_at(where));
  if (at.kind == kUdp || at.kind == kTcp) {
    boost::system::error_code ec;
    const auto host = asio::ip::make_address(at.host, ec);
    if (ec) return cannot_listen(where, ec);
    if (at.kind == kUdp) return opened<Datagrams<asio::ip::udp>>(where, shared, asio::ip::udp::endpoint{host, at.port});
    return opened<Streams<asio::ip::tcp>>(where, shared, asio::ip::tcp::endpoint{host, at.port}, at.dnstap);
  }
  clear_path(at.path);
  using asio::local::datagram_protocol;
  using asio::local::stream_protocol;
  auto made = at.kind == kUnix
                  ? opened<Streams<stream_protocol>>(where, shared, stream_protocol::endpoint{at.path}, at.dnstap)
                  : opened<Datagrams<datagram_protocol>>(where, shared, datagram_protocol::endpoint{at.path});
  // The group of the sensor may write to it.
  if (made.ok()) (void)::chmod(at.path.c_str(), 0660);
  return made;
}

}  // namespace

struct LogSources::State {
  LogSourceOptions options;
  Shared shared;
  std::vector<std::unique_ptr<Listener>> listeners;
  LogWatch watch;  // of the files' thread
  detect::HuntOptions reading;
  std::unique_ptr<detect::Follower> follower;
  std::thread listening, following;
  std::atomic<uint64_t> lines{0};
  mutable std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  std::string trouble;                        // of the files, now
  std::map<std::string, std::string> absent;  // files that cannot be read now, with why

  State(LogSourceOptions o, Core& core, Clock& clock)
      : options(std::move(o)), shared(core, clock, options), watch(core, clock, options.lead_us) {
    reading.lines = &watch;
  }

  void said(const Status& status) {
    const std::string text = status.ok() ? "" : status.error().text();
    const std::lock_guard lock(mutex);
    if (!text.empty() && text != trouble) say_error("logs: {}", text);
    trouble = text;
  }

  // A log that is not there yet is no error, but one that never comes is a mistake somewhere: said when it changes.
  void look_for_files() {
    for (const std::string& file : options.files) {
      const std::string why = ::access(file.c_str(), R_OK) == 0 ? "" : std::strerror(errno);
      const std::lock_guard lock(mutex);
      std::string& before = absent[file];
      if (why == before) continue;
      if (why.empty()) {
        say_info("logs: {}: is there now", file);
      } else {
        say_warn("logs: {}: cannot be read now ({}); it is followed as soon as it can", file, why);
      }
      before = why;
    }
  }

  void follow() {
    constexpr int kLookEvery = 25;  // polls
    int polls = 0;
    size_t told = 0;
    bool moved = false;
    auto committed = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex);
    while (!stopping) {
      lock.unlock();
      if (polls++ % kLookEvery == 0) look_for_files();
      const auto n = follower->poll();
      if (n.ok()) {
        lines += *n;
        moved = moved || *n > 0;
      }
      Status status = n.ok() ? Status{} : Status{n.error()};
      const auto now = std::chrono::steady_clock::now();
      if (moved && now - committed >= std::chrono::seconds(1)) {
        const Status done = follower->commit("");
        if (done.ok()) moved = false;
        if (status.ok()) status = done;
        committed = now;
      }
      said(status);
      const auto& notes = follower->report().notes;
      for (; told < notes.size(); ++told) say_warn("logs: {}", notes[told]);
      lock.lock();
      changed.wait_for(lock, std::chrono::microseconds(options.poll_us), [&] { return stopping; });
    }
    lock.unlock();
    if (moved) said(follower->commit(""));
  }
};

LogSources::LogSources() = default;
LogSources::~LogSources() { stop(); }

Result<std::unique_ptr<LogSources>> LogSources::start(LogSourceOptions options, Core& core, Clock& clock,
                                                      Files& files) {
  std::unique_ptr<LogSources> made(new LogSources());
  made->state_ = std::make_unique<State>(std::move(options), core, clock);
  State& s = *made->state_;
  for (const std::string& where : s.options.listen) {
    TRY(auto listener, open_listener(where, s.shared));
    s.listeners.push_back(std::move(listener));
  }
  if (!s.options.files.empty()) {
    s.follower = std::make_unique<detect::Follower>(
        s.options.files, s.options.state_file, files, detect::no_indicators(), [](const detect::HuntMatch&) {},
        s.reading);
    CHECK_OK(s.follower->start());
    s.following = std::thread([&s] { s.follow(); });
  }
  if (!s.listeners.empty()) s.listening = std::thread([&s] { s.shared.io.run(); });
  return made;
}

void LogSources::stop() {
  if (state_ == nullptr) return;
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    s.stopping = true;
  }
  s.changed.notify_all();
  s.shared.io.stop();
  if (s.listening.joinable()) s.listening.join();
  if (s.following.joinable()) s.following.join();
}

json::Node LogSources::status() const {
  const State& s = *state_;
  json::Node::List out;
  if (!s.options.files.empty()) {
    json::Node n = json::Node::object();
    n.set("log", "files").set("files", s.options.files.size()).set("lines", s.lines.load());
    const std::lock_guard lock(s.mutex);
    n.set("missing", std::ranges::count_if(s.absent, [](const auto& a) { return !a.second.empty(); }));
    if (!s.trouble.empty()) n.set("error", s.trouble);
    out.push_back(std::move(n));
  }
  for (const auto& l : s.listeners) {
    const Numbers& c = l->numbers();
    out.push_back(json::Node::object()
                      .set("log", l->where())
                      .set("lines", c.lines.load())
                      .set("flows", c.flows.load())
                      .set("connections", c.connections.load())
                      .set("refused", c.refused.load())
                      .set("lost", c.lost.load())
                      .set("malformed", c.malformed.load()));
  }
  return json::Node(std::move(out));
}

}  // namespace entente::sensor
