// One connection of the server: a coroutine on a strand of its own that reads requests, hands them to the handler and
// writes answers. HTTP/1.1 is in connection.cc, HTTP/2 in connection_http2.cc.
#pragma once

#include <atomic>
#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/http.h"
#include "net/internal/budget.h"
#include "net/internal/coding.h"
#include "net/internal/http1.h"
#include "net/internal/http2.h"
#include "net/internal/transport.h"

namespace entente::net::internal {

namespace asio = boost::asio;
using Executor = asio::strand<asio::io_context::executor_type>;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using SteadyTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
template <class T>
using Task = asio::awaitable<T, Executor>;

constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> kToken{};

constexpr size_t kReadSize = 32 * 1024;
constexpr size_t kPiece = 256 * 1024;       // of an answer, made ahead of the socket
constexpr size_t kTurn = 1u << 20;          // octets a connection may move before it lets others run
constexpr size_t kRequestWork = 16 * 1024;  // what a request counts in that, beside its octets

int64_t steady_ms();

class Connection;

// What a request's Reply and its connection share. The reply may come on any thread, and after the connection is gone.
struct Pending {
  std::mutex mutex;
  int32_t stream = 0;  // of HTTP/2; 0 in HTTP/1.1
  Connection* connection =
      nullptr;  // null once the connection has no more interest; else alive while the mutex is held
  bool answered = false;
  bool waiting = false;  // the connection sleeps and must be woken
  std::optional<Response> response;
  Coding coding = Coding::kIdentity;  // what the client would like best
  Served served;
  std::chrono::steady_clock::time_point since;

  void answer(Response r);
  void abandon();
};

// What all connections of a server share.
struct Shared {
  Shared(ServerOptions o, Handler h) : options(std::move(o)), handler(std::move(h)), held(options.max_held_bytes) {}
  ServerOptions options;
  Handler handler;
  Counter* requests[6] = {};  // by first digit of the status
  Counter* bytes_out = nullptr;
  Counter* handshake_failures = nullptr;
  Histogram* answer_time = nullptr;
  std::atomic<bool> draining{false};
  CoderPlaces coders{256};
  Budget held;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Shared& shared, Socket socket, std::shared_ptr<TlsContext> tls, std::string address, std::string remote);

  Task<void> run();

  // Thread-safe. The deadline is looked at by the server's sweep.
  [[nodiscard]] bool overdue(int64_t now_ms) const { return now_ms > deadline_ms_.load(std::memory_order_relaxed); }
  void expire();              // the deadline has passed: wakes the coroutine with a time-out
  void stop_if_idle();        // draining: a connection between requests ends
  void kill();                // ends as soon as it can
  void wake(int32_t stream);  // its answer has come
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] Executor executor() { return socket_.get_executor(); }

 private:
  enum class Wait { kReady, kTimeout, kKilled };
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  void set_deadline(std::chrono::milliseconds from_now);
  void clear_deadline();
  Task<Wait> wait(Io direction);
  Task<bool> handshake();
  // 0: a request stands in the parser; kEnd: end without a word; kUnknown: its head does, and who sends it may send no
  // more; else the status to refuse with.
  static constexpr int kEnd = -1;
  static constexpr int kUnknown = -2;
  Task<int> read_request(RequestParser& parser, Share& share);
  [[nodiscard]] bool known(const Request& request) const;
  Task<IoResult> fill(size_t max);  // reads into in_; waits
  Task<std::optional<Response>> ask(Request request, int version);
  Task<bool> await_reply(Pending& pending);
  Task<bool> write(std::string_view head, std::string_view body);
  Task<bool> write_rest(std::string head, Response& response, bool chunked);
  Task<void> refuse(int status);
  Task<void> linger(size_t most = SIZE_MAX);  // reads so many octets
  Task<void> yield();                         // lets others run
  // Calls the handler. The answer may stand in the result at once.
  std::shared_ptr<Pending> call(Request request, int32_t stream, int version);
  Task<void> encode(Response& response, Coding coding);
  void note(const Pending& pending, Response& response);

  // An HTTP/2 connection reads and writes at once: its coroutine sleeps on a timer that whatever happens cancels.
  struct Http2 {
    explicit Http2(const Http2Limits& limits) : session(limits, steady_ms()) {}
    Http2Session session;
    std::map<int32_t, std::shared_ptr<Pending>> asked;
    std::vector<std::pair<std::shared_ptr<Pending>, Response>> to_code;  // answers whose coding was asked for
    std::string out;                                                     // frames on their way
    size_t out_at = 0;
    bool reading = false;  // waited for
    bool writing = false;
    bool readable = false;
    bool writable = false;
    bool poked = false;
    bool ended = false;          // the peer sends no more
    uint64_t published[6] = {};  // answers already in the metrics
  };
  enum class Flush { kDone, kBlocked, kFailed };
  Task<void> run_http2();
  Task<void> hand_out(Http2& h);
  Task<Flush> flush(Http2& h);
  Task<bool> take_in(Http2& h);  // false: the connection has failed
  Task<void> sleep(Http2& h, bool read, bool write);
  void answered(Http2& h, int32_t stream);
  Task<void> encode_waiting(Http2& h);
  void poke();
  void publish(Http2& h);
  std::string_view date();

  Shared& shared_;
  Socket socket_;
  std::shared_ptr<TlsContext> tls_;
  Transport transport_;
  std::string address_;
  std::string remote_;
  std::string peer_spki_;
  std::string in_;  // received, not yet parsed
  std::atomic<int64_t> deadline_ms_{kNever};
  std::optional<SteadyTimer> sleep_;  // only for replies that are waited for without looking at the socket
  std::unique_ptr<Http2> http2_;
  size_t work_ = 0;
  bool timed_out_ = false;
  bool killed_ = false;
  bool idle_ = true;
};

}  // namespace entente::net::internal
