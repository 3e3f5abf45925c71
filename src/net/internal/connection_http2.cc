// A connection that agreed on HTTP/2: moves octets between the socket and its Http2Session, and requests between the
// session and the handler.
#include <algorithm>
#include <array>

#include <boost/asio/post.hpp>

#include "net/internal/connection.h"

namespace entente::net::internal {
namespace {

constexpr size_t kOut = 64 * 1024;         // octets of frames made ahead of the socket
constexpr int64_t kGoawayPatience = 1000;  // ms
constexpr int64_t kGone = -1;
constexpr size_t kLinger = 256 * 1024;  // read after GOAWAY; who sends more than that is flooding

}  // namespace

void Connection::poke() {
  http2_->poked = true;
  if (sleep_) sleep_->cancel();
}

// An answer has come from another thread, or later.
void Connection::answered(Http2& h, int32_t stream) {
  const auto it = h.asked.find(stream);
  if (it == h.asked.end()) return;
  const std::shared_ptr<Pending> pending = std::move(it->second);
  h.asked.erase(it);
  std::optional<Response> response;
  {
    const std::scoped_lock lock(pending->mutex);
    response = std::move(pending->response);
    pending->connection = nullptr;
  }
  if (response) h.to_code.emplace_back(pending, *std::move(response));
  poke();
}

Task<void> Connection::encode_waiting(Http2& h) {
  while (!h.to_code.empty()) {
    auto all = std::exchange(h.to_code, {});
    for (auto& one : all) {
      Response& response = one.second;
      if (response.status < 200 || response.status > 599) response.status = 500;
      co_await encode(response, one.first->coding);
      note(*one.first, response);
      h.session.answer(one.first->stream, std::move(response), date(), steady_ms());
    }
  }
}

Task<void> Connection::hand_out(Http2& h) {
  co_await encode_waiting(h);
  for (;;) {
    for (const int32_t stream : h.session.take_gone()) {
      const auto it = h.asked.find(stream);
      if (it == h.asked.end()) continue;
      it->second->abandon();
      h.asked.erase(it);
    }
    if (killed_) co_return;
    auto ready = h.session.next_request();
    if (!ready) co_return;
    const auto pending = call(std::move(ready->request), ready->stream, 20);
    bool here = false;
    {
      const std::scoped_lock lock(pending->mutex);
      here = pending->response.has_value();
      pending->waiting = !here;
    }
    h.asked.emplace(ready->stream, pending);
    if (here) answered(h, ready->stream);
    co_await encode_waiting(h);
    work_ += kRequestWork;
    if (work_ > kTurn) co_await yield();
  }
}

Task<Connection::Flush> Connection::flush(Http2& h) {
  for (;;) {
    if (h.out_at == h.out.size()) {
      h.out.clear();
      h.out_at = 0;
      h.session.pull(h.out, kOut, steady_ms());
      if (h.out.empty()) {
        if (h.out.capacity() > 1024) h.out = {};  // an idle connection keeps no buffer
        co_return Flush::kDone;
      }
    }
    const IoResult result = transport_.write({}, h.out, h.out_at);
    if (result.state == Io::kWantWrite || result.state == Io::kWantRead) co_return Flush::kBlocked;
    if (result.state != Io::kOk) co_return Flush::kFailed;
    h.out_at += result.n;
    shared_.bytes_out->add(result.n);
    work_ += result.n;
    if (work_ > kTurn) co_await yield();
    if (killed_) co_return Flush::kFailed;
  }
}

// Reads what is there, at most one buffer full, so that writing has its turn.
Task<bool> Connection::take_in(Http2& h) {
  static thread_local std::array<char, kReadSize> scratch;
  const IoResult got = transport_.read(scratch.data(), scratch.size());
  switch (got.state) {
    case Io::kOk:
      // The work is in the frames more than in the octets: small ones are many.
      work_ += 4 * got.n;
      if (!h.session.feed({scratch.data(), got.n}, steady_ms())) h.ended = true;
      if (work_ > kTurn) co_await yield();
      co_return true;
    case Io::kWantRead:
    case Io::kWantWrite:
      h.readable = false;
      co_return true;
    default:
      co_return false;
  }
}

Task<void> Connection::sleep(Http2& h, bool read, bool write) {
  const auto arm = [this, &h](auto what, bool Http2::* waited, bool Http2::* happened) {
    if (h.*waited) return;
    h.*waited = true;
    h.*happened = false;
    socket_.async_wait(what, [self = shared_from_this(), &h, waited, happened](boost::system::error_code) {
      h.*waited = false;
      h.*happened = true;
      self->sleep_->cancel();
    });
  };
  if (read) arm(Socket::wait_read, &Http2::reading, &Http2::readable);
  if (write) arm(Socket::wait_write, &Http2::writing, &Http2::writable);
  work_ = 0;
  while (!h.poked && !killed_ && !timed_out_ && !(read && h.readable) && !(write && h.writable)) {
    sleep_->expires_at(std::chrono::steady_clock::time_point::max());
    co_await sleep_->async_wait(kToken);
  }
  h.poked = false;
}

void Connection::publish(Http2& h) {
  for (size_t i = 0; i < 6; ++i) {
    const uint64_t n = h.session.counts().answers[i];
    if (n == h.published[i]) continue;
    shared_.requests[i]->add(n - h.published[i]);
    h.published[i] = n;
  }
}

Task<void> Connection::run_http2() {
  const ServerOptions& o = shared_.options;
  Http2Limits limits;
  limits.header_bytes = o.max_header_bytes;
  limits.body_bytes = o.max_body_bytes;
  limits.streams = static_cast<uint32_t>(o.max_streams);
  limits.header_timeout = o.header_timeout;
  limits.body_timeout = o.body_timeout;
  limits.idle_timeout = o.idle_timeout;
  limits.write_timeout = o.write_timeout;
  limits.free_body_bytes = o.free_body_bytes;
  limits.known = [this](const Request& request) { return known(request); };
  limits.held = &shared_.held;
  http2_ = std::make_unique<Http2>(limits);
  Http2& h = *http2_;
  sleep_.emplace(socket_.get_executor());
  idle_ = false;
  h.readable = true;
  int64_t blocked_until = Http2Session::kNever;
  size_t blocked_at = 0;
  int64_t goaway_at = Http2Session::kNever;  // draining: when GOAWAY is sent at the latest; kGone: it was
  bool failed = false;
  while (!killed_) {
    co_await hand_out(h);
    const Flush flushed = co_await flush(h);
    if (flushed == Flush::kFailed) {
      failed = true;
      break;
    }
    const bool blocked = flushed == Flush::kBlocked;
    publish(h);
    const int64_t now = steady_ms();
    if (shared_.draining.load(std::memory_order_relaxed) && goaway_at != kGone) {
      // Much-used clients take GOAWAY for the end of all streams (hyper-h2 has no state after it), so what was asked is
      // answered first, as long as that does not take long.
      if (goaway_at == Http2Session::kNever) goaway_at = now + kGoawayPatience;
      if (!h.session.busy() || now >= goaway_at) {
        goaway_at = kGone;
        h.session.drain();
        continue;
      }
    }
    if (!blocked) {
      blocked_until = Http2Session::kNever;
    } else if (blocked_until == Http2Session::kNever || h.out_at != blocked_at) {
      blocked_until = now + o.write_timeout.count();
      blocked_at = h.out_at;
    } else if (now > blocked_until) {
      failed = true;
      break;
    }
    if (!blocked && h.session.over()) break;
    if (h.ended && !blocked && !h.session.busy()) break;
    // Who reads none of our frames must not make us queue more.
    const bool read = !h.ended && !(blocked && h.session.congested());
    if (read && h.readable) {
      if (!co_await take_in(h)) {
        failed = true;
        break;
      }
      continue;
    }
    timed_out_ = false;
    const int64_t goaway_due = goaway_at == kGone ? Http2Session::kNever : goaway_at;
    deadline_ms_.store(std::min({h.session.deadline(), blocked_until, goaway_due}), std::memory_order_relaxed);
    co_await sleep(h, read, blocked);
    deadline_ms_.store(kNever, std::memory_order_relaxed);
    if (timed_out_) {
      timed_out_ = false;
      h.session.expire(steady_ms());
    }
  }
  for (const auto& [stream, pending] : h.asked) pending->abandon();
  h.asked.clear();
  publish(h);
  boost::system::error_code ignored;
  socket_.cancel(ignored);
  if (failed || killed_) co_return;
  co_await linger(kLinger);
}

}  // namespace entente::net::internal
