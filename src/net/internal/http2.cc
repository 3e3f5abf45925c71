#include "net/internal/http2.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <nghttp2/nghttp2.h>

#include "base/bytes.h"
#include "base/log.h"
#include "net/internal/http1.h"

namespace entente::net::internal {
namespace {

constexpr uint32_t kStreamWindow = 256 * 1024;
constexpr int32_t kConnectionWindow = 1 << 20;
constexpr size_t kSlice = 4096;              // octets parsed between looks at whether the connection has ended
constexpr size_t kSlowBodyRate = 64 * 1024;  // octets that earn a body one more second
constexpr size_t kLeastProgress = 4096;      // octets of an answer that count as progress
constexpr size_t kOutboundFrames = 1000;     // more than these waiting: the peer must read first

// What frames cost that carry nothing. The budget refills with time and with every DATA frame that we may send, since
// an honest peer answers those with window updates.
constexpr int64_t kBudget = 1000;
constexpr int64_t kRefillPerSecond = 100;
constexpr int64_t kEarnPerData = 3;
constexpr int64_t kReset = 10;  // a request may have been begun for it
constexpr int64_t kControl = 5;
constexpr int64_t kCheap = 1;
constexpr size_t kTinyData = 64;

int64_t ms(std::chrono::milliseconds t) { return t.count(); }

std::string_view view(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// RFC 9113 §8.2.2: fields of one connection have no place in a message.
bool connection_field(std::string_view name) {
  for (const std::string_view other :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "content-length", "date"}) {
    if (name == other) return true;
  }
  return false;
}

nghttp2_nv field(std::string_view name, std::string_view value) {
  nghttp2_nv nv{};  // nghttp2 copies both
  nv.name = reinterpret_cast<uint8_t*>(const_cast<char*>(name.data()));
  nv.namelen = name.size();
  nv.value = reinterpret_cast<uint8_t*>(const_cast<char*>(value.data()));
  nv.valuelen = value.size();
  return nv;
}

struct Stream {
  Request request;
  std::string target;
  std::string authority;
  size_t header_bytes = 0;
  size_t cookies = 0;
  bool complete = false;  // the request is here in full
  bool handed = false;
  bool answered = false;
  size_t owed = 0;  // octets received whose window the peer has not got back
  size_t paid = 0;  // octets of the body that have earned time
  int64_t deadline = Http2Session::kNever;
  Response response;
  size_t at = 0;  // of the response's body
  size_t progress = 0;
  bool asked = false;            // whether the sender is known
  bool cut = false;              // answered without the rest of its body
  std::unique_ptr<Share> share;  // of the body
};

}  // namespace

struct Http2Session::State {
  State(const Http2Limits& l, int64_t now) : limits(l), now_ms(now), idle_since(now), budget_at(now) {}

  Http2Limits limits;
  int64_t now_ms;
  nghttp2_session* session = nullptr;
  std::map<int32_t, Stream> streams;  // by id, hence by age
  std::deque<int32_t> ready;
  std::vector<int32_t> gone;
  Counts counts;
  size_t held_bodies = 0;
  size_t held_ready = 0;  // of these, in requests that are whole and not yet handed out
  size_t held_answers = 0;
  int64_t idle_since;
  bool greeted = false;              // the peer's first SETTINGS has come
  int64_t header_deadline = kNever;  // of the header block that is coming in now, for this stream:
  int32_t header_stream = 0;
  int64_t budget = kBudget;
  int64_t budget_at;
  bool ended = false;  // nothing that comes in matters any more
  bool drained = false;

  Stream* find(int32_t id) {
    const auto it = streams.find(id);
    return it == streams.end() ? nullptr : &it->second;
  }

  void end(uint32_t error_code) {
    if (ended) return;
    ended = true;
    counts.calmed = error_code == NGHTTP2_ENHANCE_YOUR_CALM;
    nghttp2_session_terminate_session(session, error_code);
  }

  void spend(int64_t cost) {
    const int64_t refill = (now_ms - budget_at) * kRefillPerSecond / 1000;
    if (refill > 0) {
      budget = std::min(kBudget, budget + refill);
      budget_at = now_ms;
    }
    budget -= cost;
    if (budget < 0) end(NGHTTP2_ENHANCE_YOUR_CALM);
  }

  void begin_headers(int32_t id, bool request) {
    if (request) streams.try_emplace(id).first->second.deadline = now_ms + ms(limits.body_timeout);
    header_deadline = now_ms + ms(limits.header_timeout);
    header_stream = id;
  }

  void take_field(Stream& s, std::string_view name, std::string_view value) {
    s.header_bytes += name.size() + value.size() + 32;
    // A block of a few octets can stand for megabytes (HPACK): what is over the limit is not kept, what is far over it
    // ends the connection.
    if (s.header_bytes > 4 * limits.header_bytes) return end(NGHTTP2_ENHANCE_YOUR_CALM);
    if (s.header_bytes > limits.header_bytes) return;
    if (name == ":method") {
      s.request.method = value;
    } else if (name == ":path") {
      s.target = value;
    } else if (name == ":authority") {
      s.authority = value;
    } else if (name == "cookie" && s.cookies++ > 0) {  // RFC 9113 §8.2.3
      for (auto& [n, v] : s.request.headers) {
        if (n == "cookie") v.append("; ").append(value);
      }
    } else if (!name.starts_with(':')) {
      s.request.headers.emplace_back(name, value);
    }
  }

  // The header block is whole: 0, or the status to refuse with.
  int check_head(Stream& s) {
    if (s.header_bytes > limits.header_bytes) return 431;
    if (s.request.method == "CONNECT" || !split_target(s.target, s.request.method, s.request)) return 400;
    const std::string_view host = s.request.header("host");
    size_t hosts = 0;
    for (const auto& [n, v] : s.request.headers) hosts += n == "host" ? 1 : 0;
    // RFC 9113 §8.3.1: two names for one server are a way to be understood in two ways.
    if (hosts > 1 || (hosts == 1 && !s.authority.empty() && host != s.authority)) return 400;
    if (hosts == 0 && s.authority.empty()) return 400;
    if (hosts == 0) s.request.headers.emplace_back("host", s.authority);
    const std::string_view length = s.request.header("content-length");
    if (!length.empty() && (length.size() > 15 || std::stoull(std::string(length)) > limits.body_bytes)) return 413;
    return 0;
  }

  void head_done(int32_t id, Stream& s, bool last) {
    header_deadline = kNever;
    if (s.answered || s.complete) return;
    if (const int status = check_head(s); status != 0) return refuse(id, s, status);
    if (last) return request_done(id, s);
    const std::string expect = ascii_lower(s.request.header("expect"));
    if (expect.empty()) return;
    if (expect != "100-continue") return refuse(id, s, 417);
    const nghttp2_nv nv = field(":status", "100");
    nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, id, nullptr, &nv, 1, nullptr);
  }

  void request_done(int32_t id, Stream& s) {
    if (s.answered || s.complete) return;
    s.complete = true;
    s.deadline = kNever;
    held_ready += s.request.body.size();
    ready.push_back(id);
    grant();
  }

  void take_body(int32_t id, std::string_view octets) {
    // The connection's window goes back at once: one slow upload must not hold up the others.
    nghttp2_session_consume_connection(session, octets.size());
    Stream* s = find(id);
    if (s == nullptr || s->answered || s->complete) return;
    if (s->request.body.size() + octets.size() > limits.body_bytes) return refuse(id, *s, 413);
    s->request.body.append(octets);
    held_bodies += octets.size();
    if (!s->share) s->share = std::make_unique<Share>(limits.held);
    const bool free = s->request.body.size() <= limits.free_body_bytes;
    if (!s->share->set(s->request.body.size()) && !free) return refuse(id, *s, 503);
    if (!free && !std::exchange(s->asked, true) && limits.known && !limits.known(s->request)) {
      held_bodies -= s->request.body.size();
      s->request.body = {};
      s->cut = true;
      return request_done(id, *s);
    }
    s->owed += octets.size();
    if (s->request.body.size() >= s->paid + kSlowBodyRate) {
      // As in HTTP/1: a slow line is no attack as long as it moves.
      const size_t seconds = (s->request.body.size() - s->paid) / kSlowBodyRate;
      s->paid += seconds * kSlowBodyRate;
      s->deadline += static_cast<int64_t>(seconds) * 1000;
    }
    grant();
  }

  // Gives windows back: to all while little is held, else to the oldest upload, which so comes to its end; to none
  // while whole requests wait for us.
  void grant() {
    if (held_ready > limits.held_bodies) return;
    for (auto& [id, s] : streams) {
      if (s.complete || s.answered) continue;
      if (s.owed > 0) {
        nghttp2_session_consume_stream(session, id, s.owed);
        s.owed = 0;
      }
      if (held_bodies > limits.held_bodies) return;
    }
  }

  void hold(size_t octets) {
    held_answers += octets;
    if (limits.held != nullptr) (void)limits.held->take(octets);
  }

  void release(size_t octets) {
    held_answers -= octets;
    if (limits.held != nullptr) limits.held->give_back(octets);
  }

  void forget_body(Stream& s) {
    if (s.handed) return;  // it is the handler's
    held_bodies -= s.request.body.size();
    if (s.complete) held_ready -= s.request.body.size();
    s.request.body = {};
  }

  void refuse(int32_t id, Stream& s, int status) {
    forget_body(s);
    Response response{status, {}, {}};
    if (status == 503) response.headers.emplace_back("Retry-After", "5");
    answer(id, s, std::move(response), http_date(std::time(nullptr)));
  }

  void answer(int32_t id, Stream& s, Response response, std::string_view date) {
    if (response.status < 200 || response.status > 599) response.status = 500;
    s.answered = true;
    s.response = std::move(response);
    s.deadline = now_ms + ms(limits.write_timeout);
    ++counts.answers[s.response.status / 100];
    if (s.handed) budget = std::min(kBudget, budget + kControl);
    const std::string status = std::to_string(s.response.status);
    const std::string length = std::to_string(s.response.body.size());
    std::vector<std::string> names;  // lower case, and still there when they are submitted
    names.reserve(s.response.headers.size());
    std::vector<nghttp2_nv> fields{field(":status", status)};
    for (const auto& [name, value] : s.response.headers) {
      const std::string& n = names.emplace_back(ascii_lower(name));
      const bool sound = nghttp2_check_header_name(reinterpret_cast<const uint8_t*>(n.data()), n.size()) != 0 &&
                         nghttp2_check_header_value(reinterpret_cast<const uint8_t*>(value.data()), value.size()) != 0;
      if (sound && !n.starts_with(':') && !connection_field(n)) fields.push_back(field(n, value));
    }
    const bool bodiless = s.response.status == 204 || s.response.status == 304;
    if (!bodiless && !s.response.rest) fields.push_back(field("content-length", length));
    fields.push_back(field("date", date));
    const bool no_body =
        bodiless || s.request.method == "HEAD" || (s.response.body.empty() && s.response.rest == nullptr);
    if (no_body) {
      s.response.body = {};
      s.response.rest.reset();
    }
    hold(s.response.body.size());
    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = [](nghttp2_session*, int32_t stream, uint8_t* to, size_t size, uint32_t* flags,
                                nghttp2_data_source* source, void*) -> ssize_t {
      return static_cast<State*>(source->ptr)->give_body(stream, to, size, flags);
    };
    nghttp2_submit_response(session, id, fields.data(), fields.size(), no_body ? nullptr : &provider);
    // Answers of one connection take turns, so that a small one does not wait behind a page (RFC 9218 §2).
    const nghttp2_extpri turns{NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
    nghttp2_session_change_extpri_stream_priority(session, id, &turns, 1);
  }

  ssize_t give_body(int32_t id, uint8_t* to, size_t size, uint32_t* flags) {
    Stream* s = find(id);
    if (s == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    std::string& body = s->response.body;
    if (s->at == body.size() && s->response.rest) {
      release(body.size());
      body.clear();
      s->at = 0;
      const Status made = s->response.gather(1);
      hold(body.size());
      if (!made.ok()) {
        say_error("an answer was broken off: {}", made.error().text());
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      }
    }
    const size_t n = std::min(size, body.size() - s->at);
    std::copy_n(body.data() + s->at, n, to);
    s->at += n;
    s->progress += n;
    const bool last = s->at == body.size() && !s->response.rest;
    if (s->progress >= kLeastProgress || last) {
      s->progress = 0;
      s->deadline = now_ms + ms(limits.write_timeout);
    }
    if (last) *flags |= NGHTTP2_DATA_FLAG_EOF;
    budget = std::min(kBudget, budget + kEarnPerData);
    return static_cast<ssize_t>(n);
  }

  void closed(int32_t id) {
    Stream* s = find(id);
    if (s == nullptr) return;
    if (s->handed && !s->answered) gone.push_back(id);
    forget_body(*s);
    if (s->answered) release(s->response.body.size());
    streams.erase(id);
    if (streams.empty()) idle_since = now_ms;
    if (id == header_stream) header_deadline = kNever;
    grant();
  }

  void received(const nghttp2_frame* frame) {
    const nghttp2_frame_hd& hd = frame->hd;
    const bool last = (hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (hd.type) {
      case NGHTTP2_HEADERS:
        if (Stream* s = find(hd.stream_id)) {
          if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
            head_done(hd.stream_id, *s, last);
          } else {
            header_deadline = kNever;
            if (last) request_done(hd.stream_id, *s);  // trailers say nothing that we would act on
          }
        }
        break;
      case NGHTTP2_DATA:
        if (last) {
          if (Stream* s = find(hd.stream_id)) request_done(hd.stream_id, *s);
        }
        break;
      case NGHTTP2_SETTINGS:
        greeted = true;
        break;
      default:
        break;
    }
  }

  // Each frame, before anything is done with it, whatever will be.
  void count(const nghttp2_frame_hd& hd) {
    switch (hd.type) {
      case NGHTTP2_DATA:
        if (hd.length < kTinyData && (hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
          spend(hd.length == 0 ? kControl : kCheap);
        break;
      case NGHTTP2_RST_STREAM:
        spend(kReset);
        break;
      case NGHTTP2_WINDOW_UPDATE:
        spend(kCheap);
        break;
      default:  // HEADERS too: an answer earns that back
        spend(kControl);
        break;
    }
  }

  void sent(const nghttp2_frame* frame) {
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return;
    Stream* s = find(frame->hd.stream_id);
    // RFC 9113 §8.1: answered before the request was whole, and the rest is not wanted.
    if (s != nullptr && (!s->complete || s->cut))
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
  }
};

namespace {

// One table of callbacks and options for all connections.
struct Nghttp2 {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
};

}  // namespace

Http2Session::Http2Session(const Http2Limits& limits, int64_t now_ms)
    : state_(std::make_unique<State>(limits, now_ms)) {
  static const Nghttp2 shared = [] {
    Nghttp2 n;
    nghttp2_session_callbacks_new(&n.callbacks);
    nghttp2_session_callbacks_set_on_begin_frame_callback(n.callbacks,
                                                          [](nghttp2_session*, const nghttp2_frame_hd* hd, void* user) {
                                                            auto& s = *static_cast<State*>(user);
                                                            if (!s.ended) s.count(*hd);
                                                            return 0;
                                                          });
    nghttp2_session_callbacks_set_on_begin_headers_callback(
        n.callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
          auto& s = *static_cast<State*>(user);
          if (!s.ended) s.begin_headers(frame->hd.stream_id, frame->headers.cat == NGHTTP2_HCAT_REQUEST);
          return 0;
        });
    nghttp2_session_callbacks_set_on_header_callback(
        n.callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                        const uint8_t* value, size_t value_size, uint8_t, void* user) {
          auto& s = *static_cast<State*>(user);
          Stream* stream = s.find(frame->hd.stream_id);
          // The rest of a block after the end is not even shown to us.
          if (s.ended || stream == nullptr) return static_cast<int>(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE);
          if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
            s.take_field(*stream, view(name, name_size), view(value, value_size));
          } else {
            stream->header_bytes += name_size + value_size + 32;
            if (stream->header_bytes > 4 * s.limits.header_bytes) s.end(NGHTTP2_ENHANCE_YOUR_CALM);
          }
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(n.callbacks,
                                                         [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
                                                           auto& s = *static_cast<State*>(user);
                                                           if (!s.ended) s.received(frame);
                                                           return 0;
                                                         });
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
        n.callbacks, [](nghttp2_session*, const nghttp2_frame*, int, void* user) {
          static_cast<State*>(user)->spend(kReset);  // also streams over the limit, which are refused
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        n.callbacks, [](nghttp2_session*, uint8_t, int32_t stream, const uint8_t* data, size_t size, void* user) {
          auto& s = *static_cast<State*>(user);
          if (!s.ended) s.take_body(stream, view(data, size));
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(n.callbacks,
                                                           [](nghttp2_session*, int32_t stream, uint32_t, void* user) {
                                                             static_cast<State*>(user)->closed(stream);
                                                             return 0;
                                                           });
    nghttp2_session_callbacks_set_on_frame_send_callback(n.callbacks,
                                                         [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
                                                           static_cast<State*>(user)->sent(frame);
                                                           return 0;
                                                         });
    nghttp2_option_new(&n.option);
    nghttp2_option_set_no_auto_window_update(n.option, 1);
    nghttp2_option_set_no_closed_streams(n.option, 1);
    nghttp2_option_set_max_outbound_ack(n.option, kOutboundFrames);
    return n;
  }();
  State& s = *state_;
  if (nghttp2_session_server_new2(&s.session, shared.callbacks, &s, shared.option) != 0) {
    s.session = nullptr;
    s.ended = true;
    return;
  }
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits.header_bytes)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  nghttp2_submit_settings(s.session, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(s.session, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Http2Session::~Http2Session() {
  state_->release(state_->held_answers);
  if (state_->session != nullptr) nghttp2_session_del(state_->session);
}

bool Http2Session::feed(std::string_view octets, int64_t now_ms) {
  State& s = *state_;
  s.now_ms = now_ms;
  while (!octets.empty() && !s.ended) {
    const std::string_view slice = octets.substr(0, kSlice);
    octets.remove_prefix(slice.size());
    const ssize_t used =
        nghttp2_session_mem_recv(s.session, reinterpret_cast<const uint8_t*>(slice.data()), slice.size());
    if (used < 0) {
      const bool flood = used == NGHTTP2_ERR_FLOODED;
      s.end(flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
    }
  }
  return !s.ended && nghttp2_session_want_read(s.session) != 0;
}

std::optional<Http2Session::Ready> Http2Session::next_request() {
  State& s = *state_;
  const bool full = s.limits.held != nullptr && s.limits.held->over();
  if (s.ended || s.held_answers > (full ? 0 : s.limits.held_answers)) return std::nullopt;
  while (!s.ready.empty()) {
    const int32_t id = s.ready.front();
    s.ready.pop_front();
    Stream* stream = s.find(id);
    if (stream == nullptr || stream->answered) continue;  // reset before anything was done for it
    s.held_bodies -= stream->request.body.size();
    s.held_ready -= stream->request.body.size();
    stream->handed = true;
    Ready out{id, std::move(stream->request)};
    stream->request = Request{.method = out.request.method};
    s.grant();
    return out;
  }
  return std::nullopt;
}

void Http2Session::answer(int32_t stream, Response response, std::string_view date, int64_t now_ms) {
  State& s = *state_;
  s.now_ms = now_ms;
  Stream* found = s.find(stream);
  if (s.ended || found == nullptr || found->answered) return;
  s.answer(stream, *found, std::move(response), date);
}

std::vector<int32_t> Http2Session::take_gone() { return std::exchange(state_->gone, {}); }

void Http2Session::pull(std::string& out, size_t about, int64_t now_ms) {
  State& s = *state_;
  s.now_ms = now_ms;
  if (s.session == nullptr) return;
  while (out.size() < about) {
    const uint8_t* data = nullptr;
    const ssize_t n = nghttp2_session_mem_send(s.session, &data);
    if (n <= 0) {
      if (n < 0) s.ended = true;
      return;
    }
    out.append(view(data, static_cast<size_t>(n)));
  }
}

bool Http2Session::congested() const {
  return state_->session != nullptr && nghttp2_session_get_outbound_queue_size(state_->session) > kOutboundFrames;
}

void Http2Session::drain() {
  State& s = *state_;
  if (s.drained || s.ended) return;
  s.drained = true;
  nghttp2_submit_goaway(s.session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(s.session),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

bool Http2Session::over() const {
  const State& s = *state_;
  if (s.session == nullptr) return true;
  return nghttp2_session_want_write(s.session) == 0 && (s.ended || nghttp2_session_want_read(s.session) == 0);
}

bool Http2Session::busy() const { return !state_->streams.empty(); }
size_t Http2Session::held() const { return state_->held_bodies + state_->held_answers; }
const Http2Session::Counts& Http2Session::counts() const { return state_->counts; }

int64_t Http2Session::deadline() const {
  const State& s = *state_;
  if (s.ended) return kNever;
  int64_t at = s.header_deadline;
  if (s.streams.empty()) {
    at = std::min(at, s.idle_since + ms(s.greeted ? s.limits.idle_timeout : s.limits.header_timeout));
  }
  for (const auto& [id, stream] : s.streams) at = std::min(at, stream.deadline);
  return at;
}

void Http2Session::expire(int64_t now_ms) {
  State& s = *state_;
  s.now_ms = now_ms;
  if (s.ended) return;
  if (now_ms >= s.header_deadline) return s.end(NGHTTP2_PROTOCOL_ERROR);
  if (s.streams.empty() && now_ms >= deadline()) return s.end(NGHTTP2_NO_ERROR);
  for (auto& [id, stream] : s.streams) {
    if (now_ms < stream.deadline) continue;
    if (!stream.answered && !stream.complete) {
      s.refuse(id, stream, 408);
    } else {
      stream.deadline = kNever;
      nghttp2_submit_rst_stream(s.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    }
  }
}

}  // namespace entente::net::internal
