// The HTTP server: accepts, counts and sweeps connections; what happens on one is in internal/connection.cc.
#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <map>
#include <thread>
#include <unordered_set>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "base/bytes.h"
#include "base/log.h"
#include "net/internal/connection.h"

namespace entente::net {
namespace {

using namespace std::chrono_literals;
using namespace internal;
using asio::ip::tcp;
using boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
constexpr auto kSweep = 100ms;

class ServerImpl final : public Server {
 public:
  ServerImpl(const ServerOptions& options, Handler handler, Metrics& metrics)
      : strand_(asio::make_strand(io_)),
        acceptor_(strand_),
        sweep_timer_(strand_),
        shared_(options, std::move(handler)),
        connections_now_(metrics.gauge("entente_http_connections", "Connections open now")),
        held_now_(metrics.gauge("entente_http_held_bytes", "Octets of bodies and HTTP/2 answers held now")),
        refused_(metrics.counter("entente_http_connections_refused_total", "Connections refused over a limit")) {
    for (int i = 0; i < 6; ++i) {
      shared_.requests[i] = &metrics.counter("entente_http_requests_total", "Answers by first digit of the status",
                                             "code=\"" + std::to_string(i) + "xx\"");
    }
    shared_.bytes_out = &metrics.counter("entente_http_sent_bytes_total", "Octets of answers");
    shared_.handshake_failures = &metrics.counter("entente_tls_handshake_failures_total", "TLS handshakes that failed");
    shared_.answer_time = &metrics.histogram("entente_http_answer_seconds", "From request to the handler's answer");
  }

  ~ServerImpl() override { stop(0ms); }

  Status start() {
    const ServerOptions& options = shared_.options;
    std::signal(SIGPIPE, SIG_IGN);  // a write to a closed connection is an error value, not the end of the process
    CHECK_OK(reload_certificate());
    error_code ec;
    if (options.listening >= 0) {
      CHECK_OK(take_over(options.listening));
    } else {
      const auto address = asio::ip::make_address(options.address, ec);
      if (ec) return invalid("not an address to listen on", options.address);
      const tcp::endpoint endpoint(address, options.port);
      acceptor_.open(endpoint.protocol(), ec);
      if (!ec) acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
      if (!ec) acceptor_.bind(endpoint, ec);
      if (!ec) acceptor_.listen(4096, ec);
    }
    if (!ec) port_ = acceptor_.local_endpoint(ec).port();
    if (ec) {
      return make_error(ErrorKind::kUnavailable, "cannot listen: " + ec.message(),
                        options.address + ":" + std::to_string(options.port));
    }
    asio::co_spawn(strand_, accept_loop(), [](const std::exception_ptr&) {});
    asio::co_spawn(strand_, sweep_loop(), [](const std::exception_ptr&) {});
    for (unsigned i = 0; i < std::max(1u, options.threads); ++i) threads_.emplace_back([this] { work(); });
    return {};
  }

  // A socket that somebody else opened, bound and made listen.
  Status take_over(int fd) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    int listens = 0;
    socklen_t flag = sizeof listens;
    const bool tcp_socket = getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0 &&
                            (name.ss_family == AF_INET || name.ss_family == AF_INET6) &&
                            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &flag) == 0 && listens != 0;
    if (!tcp_socket)
      return invalid("the socket that was passed on is no listening TCP socket", "descriptor " + std::to_string(fd),
                     "give the unit a socket with ListenStream=ADDRESS:PORT");
    error_code ec;
    acceptor_.assign(name.ss_family == AF_INET ? tcp::v4() : tcp::v6(), fd, ec);
    if (ec) return make_error(ErrorKind::kIo, "cannot listen: " + ec.message(), "descriptor " + std::to_string(fd));
    return {};
  }

  [[nodiscard]] uint16_t port() const override { return port_; }

  Status reload_certificate() override {
    if (shared_.options.cert_file.empty()) return {};
    TRY(auto tls, server_tls(shared_.options.cert_file, shared_.options.key_file, shared_.options.accept_spki,
                             shared_.options.http2));
    const std::scoped_lock lock(mutex_);
    tls_ = std::move(tls);
    return {};
  }

  void stop(std::chrono::milliseconds drain) override {
    {
      const std::scoped_lock lock(mutex_);
      if (stopped_) return;
      stopped_ = true;
    }
    shared_.draining = true;
    asio::post(strand_, [this] {
      error_code ignored;
      acceptor_.close(ignored);
    });
    for_each([](Connection& c) { c.stop_if_idle(); });
    {
      std::unique_lock lock(mutex_);
      emptied_.wait_for(lock, drain, [this] { return connections_.empty(); });
    }
    for_each([](Connection& c) { c.kill(); });
    {
      std::unique_lock lock(mutex_);
      emptied_.wait(lock, [this] { return connections_.empty(); });
    }
    over_ = true;
    asio::post(strand_, [this] { sweep_timer_.cancel(); });
    for (auto& thread : threads_) thread.join();  // they run out of work
    threads_.clear();
  }

 private:
  void work() {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& e) {
        say_error("I/O thread: {}", printable(e.what()));
      }
    }
  }

  template <class F>
  void for_each(F f) {
    std::vector<std::shared_ptr<Connection>> all;
    {
      const std::scoped_lock lock(mutex_);
      all.assign(connections_.begin(), connections_.end());
    }
    for (const auto& c : all) f(*c);
  }

  Task<void> accept_loop() {
    while (acceptor_.is_open()) {
      Socket socket(asio::make_strand(io_));
      auto [ec] = co_await acceptor_.async_accept(socket, kToken);
      if (ec == asio::error::operation_aborted || !acceptor_.is_open()) co_return;
      if (ec) {
        // Out of descriptors, most likely: those who are connected go on, and we try again soon.
        say_warn("cannot accept a connection: {}", ec.message());
        SteadyTimer pause(strand_, 100ms);
        co_await pause.async_wait(kToken);
        continue;
      }
      admit(std::move(socket));
    }
  }

  void admit(Socket socket) {
    error_code ec;
    const auto endpoint = socket.remote_endpoint(ec);
    if (ec) return;  // already gone
    socket.set_option(tcp::no_delay(true), ec);
    socket.native_non_blocking(true, ec);
    if (ec) return;
    const std::string address = endpoint.address().to_string();
    const std::string remote =
        (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
    std::shared_ptr<Connection> connection;
    {
      const std::scoped_lock lock(mutex_);
      const ServerOptions& options = shared_.options;
      size_t& from_here = per_address_[address];
      const bool full = connections_.size() >= options.max_connections ||
                        (options.max_connections_per_address != 0 && from_here >= options.max_connections_per_address);
      if (full || stopped_) {
        if (from_here == 0) per_address_.erase(address);
        refused_.add();
        return;
      }
      connection = std::make_shared<Connection>(shared_, std::move(socket), tls_, address, remote);
      ++from_here;
      connections_.insert(connection);
      connections_now_.set(connections_.size());
    }
    asio::co_spawn(connection->executor(), connection->run(), [this, connection](const std::exception_ptr& failed) {
      if (failed) {
        try {
          std::rethrow_exception(failed);
        } catch (const std::exception& e) {
          say_error("connection: {}", printable(e.what()));
        } catch (...) {
          say_error("connection: unknown exception");
        }
      }
      forget(connection);
    });
  }

  void forget(const std::shared_ptr<Connection>& connection) {
    const std::scoped_lock lock(mutex_);
    connections_.erase(connection);
    connections_now_.set(connections_.size());
    const auto it = per_address_.find(connection->address());
    if (it != per_address_.end() && --it->second == 0) per_address_.erase(it);
    if (connections_.empty()) emptied_.notify_all();
  }

  // One timer for all: deadlines are coarse, and a connection pays a store for setting one.
  Task<void> sweep_loop() {
    while (!over_) {
      sweep_timer_.expires_after(kSweep);
      co_await sweep_timer_.async_wait(kToken);
      const int64_t now = steady_ms();
      held_now_.set(shared_.held.held());
      std::vector<std::shared_ptr<Connection>> late;
      {
        const std::scoped_lock lock(mutex_);
        for (const auto& c : connections_) {
          if (c->overdue(now)) late.push_back(c);
        }
      }
      for (const auto& c : late) c->expire();
    }
  }

  asio::io_context io_;
  Executor strand_;
  Acceptor acceptor_;
  SteadyTimer sweep_timer_;
  Shared shared_;
  Counter& connections_now_;
  Counter& held_now_;
  Counter& refused_;
  uint16_t port_ = 0;
  std::atomic<bool> over_{false};
  std::vector<std::thread> threads_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable emptied_;
  std::shared_ptr<TlsContext> tls_;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::map<std::string, size_t> per_address_;
  bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> serve(const ServerOptions& options, Handler handler, Metrics& metrics) {
  try {
    auto server = std::make_unique<ServerImpl>(options, std::move(handler), metrics);
    CHECK_OK(server->start());
    return std::unique_ptr<Server>(std::move(server));
  } catch (const std::exception& e) {
    return make_error(ErrorKind::kInternal, std::string("cannot start the server: ") + e.what());
  }
}

}  // namespace entente::net
