// The server's end of one HTTP/2 connection (RFC 9113) as octets in and octets out: no socket, no clock, no thread.
// nghttp2 does frames, HPACK and flow control; this adds what a server on the open net must add: a budget for frames
// that cost us more than the sender, bounds on what a connection may make us hold, and deadlines per stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"
#include "net/internal/budget.h"

struct nghttp2_session;

namespace entente::net::internal {

struct Http2Limits {
  size_t header_bytes = 16 * 1024;  // names and values, 32 octets more for each (RFC 9113 §6.5.2): 431 above
  size_t body_bytes = 64u << 20;    // 413 above
  uint32_t streams = 100;
  // Above so many octets of unfinished bodies only the oldest upload gets more window: the others wait.
  size_t held_bodies = 8u << 20;
  // Above so many octets of answers that the peer has not taken, further requests wait.
  size_t held_answers = 4u << 20;
  // As in ServerOptions; may be unset.
  size_t free_body_bytes = 1u << 20;
  std::function<bool(const Request& head)> known;
  Budget* held = nullptr;
  std::chrono::milliseconds header_timeout{15'000};
  std::chrono::milliseconds body_timeout{60'000};
  std::chrono::milliseconds idle_timeout{75'000};
  std::chrono::milliseconds write_timeout{60'000};
};

// Not thread-safe. Times are milliseconds of one steady clock, never going back.
class Http2Session {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  Http2Session(const Http2Limits& limits, int64_t now_ms);
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;
  ~Http2Session();

  // Takes what the peer sent. False: the connection has ended for reading; what pull() still gives should be sent.
  bool feed(std::string_view octets, int64_t now_ms);

  struct Ready {
    int32_t stream = 0;
    Request request;
  };
  // A complete request, oldest first; nullopt if there is none, or if the peer leaves too much of our answers unread.
  std::optional<Ready> next_request();
  // Answers a stream that next_request() gave, unless it has gone meanwhile.
  void answer(int32_t stream, Response response, std::string_view date, int64_t now_ms);
  // Streams given by next_request() that the peer gave up before they were answered.
  std::vector<int32_t> take_gone();

  // Appends frames to send, until about `about` octets or until there are none now.
  void pull(std::string& out, size_t about, int64_t now_ms);
  // So many frames wait for a peer that does not read: feed no more until they are sent.
  [[nodiscard]] bool congested() const;

  void drain();                       // GOAWAY: what was begun is finished, nothing new is taken
  [[nodiscard]] bool over() const;    // nothing left to read or to write
  [[nodiscard]] bool busy() const;    // streams are open
  [[nodiscard]] size_t held() const;  // octets of bodies and answers held now
  [[nodiscard]] int64_t deadline() const;
  // What was due by now: an upload too slow gets 408, an answer that is not taken is reset, an idle connection ends.
  void expire(int64_t now_ms);

  struct Counts {
    uint64_t answers[6] = {};  // by first digit of the status, those made here (4xx) included
    bool calmed = false;       // ended with ENHANCE_YOUR_CALM
  };
  [[nodiscard]] const Counts& counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::net::internal
