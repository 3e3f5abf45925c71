#include "net/internal/connection.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"

namespace entente::net::internal {
namespace {

using namespace std::chrono_literals;
constexpr size_t kPipelineBytes = 64 * 1024;           // read ahead while an answer is being made
constexpr size_t kSlowBodyRate = 64 * 1024;            // octets that earn a body one more second
constexpr std::chrono::milliseconds kHalfClosed = 5s;  // patience with a client that has shut its side
constexpr std::chrono::milliseconds kLinger = 3s;

struct Answerer {
  explicit Answerer(std::shared_ptr<Pending> p) : pending(std::move(p)) {}
  Answerer(const Answerer&) = delete;
  Answerer& operator=(const Answerer&) = delete;
  ~Answerer() { pending->answer(Response{500, {}, {}}); }  // does nothing if there was an answer
  std::shared_ptr<Pending> pending;
};

}  // namespace

int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Pending::answer(Response r) {
  const std::scoped_lock lock(mutex);
  if (answered) return;
  answered = true;
  if (connection == nullptr) return;
  response = std::move(r);
  if (waiting) connection->wake(stream);
}

void Pending::abandon() {
  const std::scoped_lock lock(mutex);
  connection = nullptr;
}

Connection::Connection(Shared& shared, Socket socket, std::shared_ptr<TlsContext> tls, std::string address,
                       std::string remote)
    : shared_(shared),
      socket_(std::move(socket)),
      tls_(std::move(tls)),
      transport_(socket_.native_handle(), tls_ ? new_server_ssl(*tls_, socket_.native_handle()) : nullptr),
      address_(std::move(address)),
      remote_(std::move(remote)) {}

void Connection::expire() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (!self->overdue(steady_ms())) return;
    self->timed_out_ = true;
    boost::system::error_code ignored;
    self->socket_.cancel(ignored);
    if (self->sleep_) self->sleep_->cancel();
  });
}

void Connection::stop_if_idle() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (self->http2_) return self->poke();
    if (!self->idle_) return;
    self->killed_ = true;
    boost::system::error_code ignored;
    self->socket_.cancel(ignored);
  });
}

void Connection::kill() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->killed_ = true;
    boost::system::error_code ignored;
    self->socket_.cancel(ignored);
    if (self->sleep_) self->sleep_->cancel();
  });
}

void Connection::wake(int32_t stream) {
  asio::post(socket_.get_executor(), [self = shared_from_this(), stream] {
    if (stream != 0) return self->answered(*self->http2_, stream);
    boost::system::error_code ignored;
    self->socket_.cancel(ignored);
    if (self->sleep_) self->sleep_->cancel();
  });
}

void Connection::set_deadline(std::chrono::milliseconds from_now) {
  timed_out_ = false;
  deadline_ms_.store(steady_ms() + from_now.count(), std::memory_order_relaxed);
}

void Connection::clear_deadline() {
  timed_out_ = false;
  deadline_ms_.store(kNever, std::memory_order_relaxed);
}

Task<Connection::Wait> Connection::wait(Io direction) {
  if (!killed_ && !timed_out_) {
    work_ = 0;
    const auto what = direction == Io::kWantWrite ? Socket::wait_write : Socket::wait_read;
    co_await socket_.async_wait(what, kToken);  // an error shows itself in the operation that follows
  }
  if (killed_) co_return Wait::kKilled;
  if (timed_out_) co_return Wait::kTimeout;
  co_return Wait::kReady;
}

Task<void> Connection::yield() {
  work_ = 0;
  co_await asio::post(socket_.get_executor(), kToken);
}

Task<bool> Connection::handshake() {
  set_deadline(shared_.options.handshake_timeout);
  for (;;) {
    const IoResult result = transport_.handshake();
    if (result.state == Io::kOk) break;
    if (result.state != Io::kWantRead && result.state != Io::kWantWrite) {
      shared_.handshake_failures->add();
      co_return false;
    }
    if (co_await wait(result.state) != Wait::kReady) co_return false;
  }
  peer_spki_ = peer_spki_sha256(transport_.ssl());
  // A resumed session brings its key along without asking the verification again.
  if (!peer_spki_.empty() && tls_->accept && !tls_->accept(peer_spki_)) {
    shared_.handshake_failures->add();
    co_return false;
  }
  co_return true;
}

Task<IoResult> Connection::fill(size_t max) {
  for (;;) {
    IoResult result;
    {
      // One buffer per thread: an idle connection keeps none.
      static thread_local std::array<char, kReadSize> scratch;
      result = transport_.read(scratch.data(), std::min(max, scratch.size()));
      if (result.state == Io::kOk) in_.append(scratch.data(), result.n);
    }
    if (result.state == Io::kOk) {
      work_ += result.n;
      if (work_ > kTurn) co_await yield();
      co_return result;
    }
    if (result.state != Io::kWantRead && result.state != Io::kWantWrite) co_return result;
    if (in_.empty() && in_.capacity() > 1024) in_.shrink_to_fit();
    if (co_await wait(result.state) != Wait::kReady) co_return result;  // still kWant…: it was a time-out or the end
  }
}

bool Connection::known(const Request& request) const {
  if (!shared_.options.known) return true;
  Request head{.method = request.method, .path = request.path, .query = request.query, .headers = request.headers};
  head.remote = remote_;
  head.peer_spki = peer_spki_;
  return shared_.options.known(head);
}

Task<int> Connection::read_request(RequestParser& parser, Share& share) {
  const ServerOptions& options = shared_.options;
  bool started = !in_.empty();
  idle_ = !started;
  set_deadline(started ? options.header_timeout : options.idle_timeout);
  size_t paid = 0;
  bool asked = false;
  for (;;) {
    if (!in_.empty()) {
      if (!started) {
        started = true;
        idle_ = false;
        set_deadline(options.header_timeout);
      }
      const bool had_header = parser.header_done();
      switch (parser.feed(in_)) {
        case Parse::kDone:
          clear_deadline();
          co_return 0;
        case Parse::kMore:
          break;
        case Parse::kBad:
          co_return 400;
        case Parse::kHeaderLimit:
          co_return 431;
        case Parse::kBodyLimit:
          co_return 413;
        case Parse::kUnsupported:
          co_return 501;
      }
      const bool free = parser.body_size() <= options.free_body_bytes;
      if (!share.set(parser.body_size()) && !free) co_return 503;
      if (!free && !std::exchange(asked, true) && !known(parser.request())) co_return kUnknown;
      if (parser.header_done() && !had_header) {
        set_deadline(options.body_timeout);
        const std::string_view expect = parser.request().header("Expect");
        if (!expect.empty() && !parser.http_1_0()) {
          if (ascii_lower(expect) != "100-continue") co_return 417;
          if (!co_await write("HTTP/1.1 100 Continue\r\n\r\n", {})) co_return kEnd;
          set_deadline(options.body_timeout);
        }
      } else if (parser.body_size() >= paid + kSlowBodyRate) {
        // A slow line is no attack as long as it moves: every 64 KiB earn a second.
        const size_t seconds = (parser.body_size() - paid) / kSlowBodyRate;
        paid += seconds * kSlowBodyRate;
        deadline_ms_.fetch_add(static_cast<int64_t>(seconds) * 1000, std::memory_order_relaxed);
      }
    } else if (shared_.draining.load(std::memory_order_relaxed) && !started) {
      co_return kEnd;
    }
    const IoResult got = co_await fill(kReadSize);
    if (killed_) co_return kEnd;
    if (timed_out_) co_return started ? 408 : kEnd;
    if (got.state != Io::kOk) co_return kEnd;
  }
}

// Sleeps until the reply has come; false if the client went away or the server stops first.
Task<bool> Connection::await_reply(Pending& pending) {
  bool watch = true;
  for (;;) {
    {
      const std::scoped_lock lock(pending.mutex);
      if (pending.response) co_return true;
      pending.waiting = true;
    }
    if (killed_ || timed_out_) co_return false;
    if (in_.empty()) in_ = {};
    if (!watch) {
      if (!sleep_) sleep_.emplace(socket_.get_executor());
      sleep_->expires_at(std::chrono::steady_clock::time_point::max());
      co_await sleep_->async_wait(kToken);
      continue;
    }
    static thread_local std::array<char, 4096> scratch;  // not in the coroutine's frame, which a long poll keeps
    const IoResult got = transport_.read(scratch.data(), scratch.size());
    switch (got.state) {
      case Io::kOk:  // the next request of a pipeline; at some point it must wait in the kernel
        in_.append(scratch.data(), got.n);
        watch = in_.size() < kPipelineBytes;
        continue;
      case Io::kError:
        co_return false;
      case Io::kEof:
        // Over TLS nobody half-closes. A plain client may have said all it had to say, and still wait for its answer.
        if (transport_.tls()) co_return false;
        set_deadline(kHalfClosed);
        watch = false;
        continue;
      default:
        break;
    }
    co_await socket_.async_wait(got.state == Io::kWantWrite ? Socket::wait_write : Socket::wait_read, kToken);
  }
}

std::shared_ptr<Pending> Connection::call(Request request, int32_t stream, int version) {
  auto pending = std::make_shared<Pending>();
  pending->connection = this;
  pending->stream = stream;
  pending->since = std::chrono::steady_clock::now();
  pending->coding = wanted_coding(request.headers);
  request.remote = remote_;
  request.peer_spki = peer_spki_;
  if (shared_.options.served) {
    Served& s = pending->served;
    s.method = request.method;
    s.path = request.path;
    s.version = version;
  }
  if (has_content_coding(request.headers)) {  // RFC 9110 §15.5.16
    pending->answer(Response{415, {{"Accept-Encoding", "identity"}}, {}});
    return pending;
  }
  try {
    auto answerer = std::make_shared<Answerer>(pending);
    shared_.handler(std::move(request),
                    [answerer = std::move(answerer)](Response r) { answerer->pending->answer(std::move(r)); });
  } catch (const std::exception& e) {
    say_error("request handler failed: {}", printable(e.what()));
    pending->answer(Response{500, {}, {}});
  } catch (...) {
    pending->answer(Response{500, {}, {}});
  }
  return pending;
}

// Tells of an answer in pieces when the last one was made or nobody wants more.
class NotedSource final : public BodySource {
 public:
  NotedSource(const Shared& shared, Served served, std::shared_ptr<BodySource> inner)
      : shared_(shared), served_(std::move(served)), inner_(std::move(inner)) {}
  NotedSource(const NotedSource&) = delete;
  NotedSource& operator=(const NotedSource&) = delete;
  ~NotedSource() override { shared_.options.served(served_); }
  Result<bool> next(std::string& out) override {
    const size_t had = out.size();
    TRY(const bool more, inner_->next(out));
    served_.octets += out.size() - had;
    return more;
  }

 private:
  const Shared& shared_;
  Served served_;
  std::shared_ptr<BodySource> inner_;
};

// In pieces: others have their turn in between.
Task<void> Connection::encode(Response& response, Coding coding) {
  // What ends with its first piece has a length to say, and can still become a 500.
  if (const Status first = response.gather(kPiece); !first.ok()) {
    say_error("an answer could not be made: {}", first.error().text());
    response = Response{500, {}, {}};
  }
  add_vary(response);
  if (coding == Coding::kIdentity || !worth_coding(response)) co_return;
  if (response.rest) {
    code_rest(response, coding, shared_.coders);
    co_return;
  }
  Encoder encoder(coding);
  const std::string_view body = response.body;
  for (size_t at = 0; at < body.size(); at += kPiece) {
    if (!encoder.add(body.substr(at, kPiece), at + kPiece >= body.size())) co_return;
    co_await yield();
  }
  encoder.finish(response);
}

void Connection::note(const Pending& pending, Response& response) {
  const auto took = std::chrono::steady_clock::now() - pending.since;
  const int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  shared_.answer_time->record_us(us);
  if (!shared_.options.served) return;
  Served s = pending.served;
  s.remote = remote_;
  s.peer_spki = peer_spki_;
  s.who = response.who;
  s.status = response.status;
  s.octets = s.method == "HEAD" ? 0 : response.body.size();
  s.duration_us = us;
  if (response.rest && s.method == "HEAD") response.rest.reset();
  if (!response.rest) return shared_.options.served(s);
  response.rest = std::make_shared<NotedSource>(shared_, std::move(s), std::move(response.rest));
}

Task<std::optional<Response>> Connection::ask(Request request, int version) {
  const auto pending = call(std::move(request), 0, version);
  const bool answered = co_await await_reply(*pending);
  clear_deadline();
  pending->abandon();
  if (!answered) co_return std::nullopt;
  std::optional<Response> response = std::move(pending->response);
  if (response->status < 200 || response->status > 599) response->status = 500;
  co_await encode(*response, pending->coding);
  note(*pending, *response);
  co_return std::move(response);
}

Task<bool> Connection::write(std::string_view head, std::string_view body) {
  const size_t total = head.size() + body.size();
  size_t at = 0;
  set_deadline(shared_.options.write_timeout);
  size_t moved = 0;
  while (at < total) {
    const IoResult result = transport_.write(head, body, at);
    if (result.state == Io::kOk) {
      at += result.n;
      moved += result.n;
      work_ += result.n;
      if (work_ > kTurn) co_await yield();
      continue;
    }
    if (result.state != Io::kWantRead && result.state != Io::kWantWrite) co_return false;
    if (moved > 0) set_deadline(shared_.options.write_timeout);
    moved = 0;
    if (co_await wait(result.state) != Wait::kReady) co_return false;
  }
  clear_deadline();
  shared_.bytes_out->add(total);
  co_return true;
}

// A frame for each piece. Its size line goes with the head, which shares a record with the body's start.
Task<bool> Connection::write_rest(std::string head, Response& response, bool chunked) {
  for (bool more = true; more;) {
    std::string& body = response.body;
    if (body.empty()) {
      if (const Status made = response.gather(kPiece); !made.ok()) {
        say_error("an answer was broken off: {}", made.error().text());
        co_return false;
      }
    }
    more = response.rest != nullptr;
    if (chunked) {
      if (!body.empty()) fmt::format_to(std::back_inserter(head), "{:x}\r\n", body.size());
      body.append(body.empty() ? "" : "\r\n").append(more ? "" : "0\r\n\r\n");
    }
    if (!co_await write(head, body)) co_return false;
    head.clear();
    body.clear();
  }
  co_return true;
}

// Each thread writes the date once a second.
std::string_view Connection::date() {
  static thread_local std::time_t second = 0;
  static thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != second || text.empty()) {
    second = now;
    text = http_date(now);
  }
  return text;
}

Task<void> Connection::refuse(int status) {
  shared_.requests[status / 100]->add();
  Response response{status, {}, {}};
  if (status == 503) response.headers.emplace_back("Retry-After", "5");
  const std::string head = response_head(response, false, false, date());
  if (co_await write(head, {})) co_await linger();
}

// Closing with unread octets would make the kernel send a reset, which may overtake the answer. So: shut our side, read
// a while.
Task<void> Connection::linger(size_t most) {
  transport_.close_notify();
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  set_deadline(kLinger);
  for (size_t read = 0; read < most;) {
    in_.clear();
    const IoResult got = co_await fill(kReadSize);
    if (got.state != Io::kOk || killed_ || timed_out_) co_return;
    read += got.n;
  }
}

Task<void> Connection::run() {
  const auto self = shared_from_this();
  if (tls_) {
    if (transport_.ssl() == nullptr || !co_await handshake()) co_return;
    if (speaks_http2(transport_.ssl())) co_return co_await run_http2();
  }
  const MessageLimits limits{shared_.options.max_header_bytes, shared_.options.max_body_bytes};
  for (;;) {
    auto parser = std::make_unique<RequestParser>(limits);
    Share share(&shared_.held);
    const int status = co_await read_request(*parser, share);
    if (status == kEnd) {
      transport_.close_notify();
      co_return;
    }
    if (status > 0) {
      co_await refuse(status);
      co_return;
    }
    const bool head_only = parser->request().method == "HEAD";
    const bool old = parser->http_1_0();
    bool keep = status == 0 && parser->keep_alive();
    Request request = std::move(parser->request());
    if (status == kUnknown) request.body = {};
    parser.reset();  // a long poll may follow: what it does not need is not kept
    std::optional<Response> response = co_await ask(std::move(request), old ? 10 : 11);
    if (!response) co_return;
    keep = keep && !shared_.draining.load(std::memory_order_relaxed) &&
           ascii_lower(response->header("Connection")) != "close";
    shared_.requests[response->status / 100]->add();
    const bool no_body = head_only || response->status == 204 || response->status == 304;
    if (no_body) response->rest.reset();
    keep = keep && !(response->rest && old);
    std::string head = response_head(*response, keep, old, date());
    if (response->rest) {
      transport_.cork(true);
      if (!co_await write_rest(std::move(head), *response, !old)) co_return;
      transport_.cork(false);
    } else if (!co_await write(head, no_body ? std::string_view{} : std::string_view(response->body))) {
      co_return;
    }
    response.reset();
    if (!keep) {
      co_await linger();
      co_return;
    }
    work_ += kRequestWork;
    if (work_ > kTurn) co_await yield();
  }
}

}  // namespace entente::net::internal
