// HTTP/1.1 messages as octets: an incremental parser for each direction and the writing of heads. Beast's parser does
// the grammar (RFC 9112); this adds the limits and the refusals on which request smuggling depends.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/http.h"

namespace entente::net::internal {

enum class Parse {
  kMore,         // all well so far
  kDone,         // the message is complete
  kBad,          // not HTTP, or ambiguous: 400
  kHeaderLimit,  // 431
  kBodyLimit,    // 413
  kUnsupported,  // a transfer coding we do not know: 501
};

struct MessageLimits {
  size_t header_bytes = 16 * 1024;
  size_t body_bytes = 64u << 20;
};

// Splits a request target into path and query (RFC 9112 §3.2); false if it is no target that we answer.
bool split_target(std::string_view target, std::string_view method, Request& out);

class RequestParser {
 public:
  explicit RequestParser(const MessageLimits& limits);
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;
  ~RequestParser();

  // Takes octets from the front of `in`, removing those it used. After anything but kMore it must not be fed again.
  Parse feed(std::string& in);
  [[nodiscard]] bool header_done() const;
  [[nodiscard]] bool keep_alive() const;   // Requires: header_done()
  [[nodiscard]] bool http_1_0() const;     // Requires: header_done()
  [[nodiscard]] size_t body_size() const;  // received so far
  [[nodiscard]] Request& request();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class ResponseParser {
 public:
  // `head`: the answer to a HEAD request, which never has a body.
  ResponseParser(const MessageLimits& limits, bool head);
  ResponseParser(const ResponseParser&) = delete;
  ResponseParser& operator=(const ResponseParser&) = delete;
  ~ResponseParser();

  Parse feed(std::string& in);
  Parse feed_eof();  // the connection ended, in order
  [[nodiscard]] bool keep_alive() const;
  [[nodiscard]] Response& response();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "HTTP/1.1 200 OK … \r\n\r\n" with Content-Length, Date and Connection; the handler's own values of these are left
// out. A body with a rest is chunked, or goes to the end of the connection in HTTP/1.0 (RFC 9112 §6.3).
std::string response_head(const Response& response, bool keep_alive, bool http_1_0, std::string_view date);
// IMF-fixdate of a Unix time (RFC 9110 §5.6.7).
std::string http_date(int64_t seconds);
std::string_view reason_phrase(int status);

// Request line and headers; kInvalid if a part holds what would break out of its place (CR, LF, NUL, blanks in the
// target).
Result<std::string> request_head(const Request& request, std::string_view host);

}  // namespace entente::net::internal
