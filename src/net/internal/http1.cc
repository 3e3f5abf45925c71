#include "net/internal/http1.h"

#include <algorithm>
#include <ctime>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <fmt/format.h>

#include "base/bytes.h"

namespace entente::net::internal {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;

std::string_view sv(BeastView v) { return {v.data(), v.size()}; }

enum class Refusal { kNone, kBad, kUnsupported };

// What requests and responses share: collecting headers and body, and the checks on header fields.
template <bool kRequest>
class Collector : public http::basic_parser<kRequest> {
 public:
  explicit Collector(const MessageLimits& limits) : limits_(limits) {
    this->eager(true);
    // Beast's own limits work on one call's octets; the totals are counted here.
    this->header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    this->body_limit(limits.body_bytes);
  }

  Parse run(std::string& in) {
    if (this->is_done()) return Parse::kDone;
    const bool in_header = !this->is_header_done();
    // Beast lets a longer head pass if it comes in one piece. A head that does not end within the limit is refused the
    // same way however it comes.
    if (in_header && header_bytes_ + in.size() > limits_.header_bytes) {
      const std::string_view room(in.data(), limits_.header_bytes - std::min(header_bytes_, limits_.header_bytes));
      if (room.find("\r\n\r\n") == std::string_view::npos && !(header_bytes_ > 0 && room.starts_with("\r\n")))
        return Parse::kHeaderLimit;
    }
    if (in_header && folded(in)) return Parse::kBad;
    error_code ec;
    const size_t used = this->put({in.data(), in.size()}, ec);
    in.erase(0, used);
    if (scanned_ != kHeadSeen) scanned_ -= std::min(scanned_, used);
    if (refusal_ == Refusal::kUnsupported) return Parse::kUnsupported;
    if (refusal_ == Refusal::kBad) return Parse::kBad;
    if (in_header && !this->is_header_done()) header_bytes_ += used;
    if (ec && ec != http::error::need_more) {
      if (ec == http::error::header_limit) return Parse::kHeaderLimit;
      if (ec == http::error::body_limit) return Parse::kBodyLimit;
      return Parse::kBad;
    }
    if (this->is_done()) return Parse::kDone;
    if (!this->is_header_done() && header_bytes_ + in.size() >= limits_.header_bytes) return Parse::kHeaderLimit;
    // Chunk extensions and trailers have no limit of their own in the grammar.
    if (this->is_header_done() && ec == http::error::need_more && in.size() > limits_.header_bytes) return Parse::kBad;
    return Parse::kMore;
  }

  Headers headers;
  std::string body;
  int version = 11;

 protected:
  void check_headers(error_code& ec) {
    // RFC 9112 §6.1: a body's end must be beyond doubt. Beast takes "Content-Length: 1, 1"; nobody sane sends it.
    size_t lengths = 0;
    size_t codings = 0;
    for (const auto& [name, value] : headers) {
      const std::string n = ascii_lower(name);
      if (n == "content-length") {
        ++lengths;
        if (value.find_first_not_of("0123456789") != std::string::npos) refuse(Refusal::kBad, ec);
      } else if (n == "transfer-encoding") {
        ++codings;
        if (ascii_lower(value) != "chunked") refuse(Refusal::kUnsupported, ec);
      }
    }
    if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0)) refuse(Refusal::kBad, ec);
    if (codings > 0 && version < 11) refuse(Refusal::kBad, ec);
  }
  void refuse(Refusal why, error_code& ec) {
    if (refusal_ != Refusal::kBad) refusal_ = why;
    ec = http::error::bad_value;
  }

  void on_request_impl(http::verb, BeastView method, BeastView target, int v, error_code& ec) override {
    version = v;
    on_start(sv(method), sv(target), ec);
  }
  void on_response_impl(int status, BeastView, int v, error_code&) override {
    version = v;
    status_ = status;
  }
  virtual void on_start(std::string_view, std::string_view, error_code&) {}
  virtual void on_head_done(error_code&) {}

  void on_field_impl(http::field, BeastView name, BeastView value, error_code& ec) override {
    if (this->is_header_done()) return;  // a trailer says nothing that we would act on
    // RFC 9110 §5.5: CR, LF and NUL are never part of a value; Beast lets other controls pass.
    for (const char c : sv(value)) {
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return refuse(Refusal::kBad, ec);
    }
    headers.emplace_back(sv(name), sv(value));
  }
  void on_header_impl(error_code& ec) override {
    check_headers(ec);
    if (!ec) on_head_done(ec);
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    // A promise is not a delivery: reserve at most 1 MiB on the word of the sender.
    if (length) body.reserve(static_cast<size_t>(std::min<std::uint64_t>(*length, 1u << 20)));
  }
  size_t on_body_impl(BeastView text, error_code& ec) override { return take(text, ec); }
  void on_chunk_header_impl(std::uint64_t, BeastView, error_code&) override {}
  size_t on_chunk_body_impl(std::uint64_t, BeastView text, error_code& ec) override { return take(text, ec); }
  void on_finish_impl(error_code&) override {}

  int status_ = 0;

 private:
  size_t take(BeastView text, error_code& ec) {
    if (body.size() + text.size() > limits_.body_bytes) {
      ec = http::error::body_limit;
      return 0;
    }
    body.append(text.data(), text.size());
    return text.size();
  }

  // RFC 9112 §5.2: a line that begins with a blank goes on with the one before. Nobody needs that, and not everybody
  // reads it alike.
  bool folded(std::string_view in) {
    if (scanned_ == kHeadSeen) return false;
    for (size_t at = in.find("\r\n", scanned_ < 2 ? 0 : scanned_ - 2); at != in.npos; at = in.find("\r\n", at + 2)) {
      if (at + 2 == in.size()) break;
      const char next = in[at + 2];
      if (next == ' ' || next == '\t') return true;
      if (next == '\r') {
        scanned_ = kHeadSeen;
        return false;
      }
    }
    scanned_ = in.size();
    return false;
  }

  static constexpr size_t kHeadSeen = SIZE_MAX;
  MessageLimits limits_;
  size_t header_bytes_ = 0;
  size_t scanned_ = 0;  // of what is not yet taken
  Refusal refusal_ = Refusal::kNone;
};

bool is_token(std::string_view text) {
  for (const char c : text) {
    const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!alnum && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) return false;
  }
  return !text.empty();
}

bool is_line_text(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos; }

}  // namespace

bool split_target(std::string_view target, std::string_view method, Request& out) {
  for (const char c : target) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '#') return false;
  }
  if (target == "*" && method == "OPTIONS") {
    out.path = "*";
    return true;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (ascii_lower(target.substr(0, scheme.size())) != scheme) continue;
    const size_t slash = target.find_first_of("/?", scheme.size());
    if (slash == std::string_view::npos) {
      out.path = "/";
      return true;
    }
    target.remove_prefix(slash);
    break;
  }
  const size_t question = target.find('?');
  out.path = target.substr(0, question);
  if (question != std::string_view::npos) out.query = target.substr(question + 1);
  if (out.path.empty()) out.path = "/";
  return out.path.front() == '/';
}

struct RequestParser::State final : Collector<true> {
  using Collector<true>::Collector;
  Request request;

 protected:
  void on_start(std::string_view method, std::string_view target, error_code& ec) override {
    request.method = method;
    if (!split_target(target, method, request)) refuse(Refusal::kBad, ec);
  }
  void on_head_done(error_code& ec) override {
    size_t hosts = 0;
    for (const auto& [name, value] : headers) hosts += ascii_lower(name) == "host" ? 1 : 0;
    // RFC 9112 §3.2: one Host field, in HTTP/1.1 always.
    if (hosts > 1 || (hosts == 0 && version >= 11)) refuse(Refusal::kBad, ec);
    request.headers = std::move(headers);
  }
  void on_finish_impl(error_code&) override { request.body = std::move(body); }
};

RequestParser::RequestParser(const MessageLimits& limits) : state_(std::make_unique<State>(limits)) {}
RequestParser::~RequestParser() = default;

Parse RequestParser::feed(std::string& in) {
  // RFC 9112 §2.2: empty lines before a request line are ignored.
  if (!state_->got_some()) {
    size_t skip = 0;
    while (in.size() - skip >= 2 && in[skip] == '\r' && in[skip + 1] == '\n') skip += 2;
    in.erase(0, skip);
    if (in.empty() || in == "\r") return Parse::kMore;
  }
  return state_->run(in);
}
bool RequestParser::header_done() const { return state_->is_header_done(); }
bool RequestParser::keep_alive() const { return state_->keep_alive(); }
bool RequestParser::http_1_0() const { return state_->version < 11; }
size_t RequestParser::body_size() const { return state_->body.size(); }
Request& RequestParser::request() { return state_->request; }

struct ResponseParser::State final : Collector<false> {
  using Collector<false>::Collector;
  Response response;

 protected:
  void on_head_done(error_code&) override {
    response.status = status_;
    response.headers = std::move(headers);
  }
  void on_finish_impl(error_code&) override { response.body = std::move(body); }
};

ResponseParser::ResponseParser(const MessageLimits& limits, bool head) : state_(std::make_unique<State>(limits)) {
  state_->skip(head);
}
ResponseParser::~ResponseParser() = default;
Parse ResponseParser::feed(std::string& in) { return state_->run(in); }
Parse ResponseParser::feed_eof() {
  if (!state_->got_some()) return Parse::kBad;
  if (state_->is_done()) return Parse::kDone;
  error_code ec;
  state_->put_eof(ec);
  return ec ? Parse::kBad : Parse::kDone;
}
bool ResponseParser::keep_alive() const { return state_->keep_alive(); }
Response& ResponseParser::response() { return state_->response; }

std::string http_date(int64_t seconds) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto t = static_cast<std::time_t>(seconds);
  std::tm tm{};
  gmtime_r(&t, &tm);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[tm.tm_wday], tm.tm_mday, kMonths[tm.tm_mon],
                     tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

std::string_view reason_phrase(int status) {
  if (status < 100 || status > 999) return "Unknown";
  return sv(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status))));
}

std::string response_head(const Response& response, bool keep_alive, bool http_1_0, std::string_view date) {
  std::string out;
  out.reserve(512);
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  for (const auto& [name, value] : response.headers) {
    const std::string n = ascii_lower(name);
    if (n == "content-length" || n == "transfer-encoding" || n == "connection" || n == "date") continue;
    if (!is_token(name) || !is_line_text(value)) continue;
    out.append(name).append(": ").append(value).append("\r\n");
  }
  // RFC 9110 §8.6: no Content-Length on 1xx and 204.
  if (response.rest) {
    if (!http_1_0) out.append("Transfer-Encoding: chunked\r\n");
  } else if (response.status >= 200 && response.status != 204 && response.status != 304) {
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", response.body.size());
  }
  out.append("Date: ").append(date).append("\r\n");
  if (!keep_alive) {
    out.append("Connection: close\r\n");
  } else if (http_1_0) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
  return out;
}

Result<std::string> request_head(const Request& request, std::string_view host) {
  std::string target = request.path;
  if (!request.query.empty()) target += '?' + request.query;
  if (!is_token(request.method)) return invalid("not an HTTP method", printable(request.method));
  if (target.empty() || target.front() != '/') return invalid("a request path begins with '/'", printable(target));
  for (const char c : target) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      return invalid("request path holds a character that must be percent-encoded", printable(target));
    }
  }
  std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, target, host);
  for (const auto& [name, value] : request.headers) {
    const std::string n = ascii_lower(name);
    if (n == "host" || n == "content-length" || n == "transfer-encoding" || n == "connection") continue;
    if (!is_token(name) || !is_line_text(value)) return invalid("header cannot be sent", printable(name));
    out.append(name).append(": ").append(value).append("\r\n");
  }
  if (request.header("User-Agent").empty()) out.append("User-Agent: entente\r\n");  // TAXII 2.1 §8.4.1
  const bool has_body = !request.body.empty() || request.method == "POST" || request.method == "PUT";
  if (has_body) fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", request.body.size());
  out.append("\r\n");
  return out;
}

}  // namespace entente::net::internal
