// The server's end of HTTP/2: whatever frames come, however they are cut, answered at once or never, what is held stays
// within its bounds and the session comes to an end.
#include "net/internal/http2.h"

#include <string>

#include "fuzz/property.h"

using namespace entente;
using namespace entente::net::internal;
using fuzz::demand;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto text = fuzz::text_of(data, size);
  const unsigned how = fuzz::choice(text);
  Http2Limits limits;
  limits.header_bytes = 1024;
  limits.body_bytes = 2048;
  limits.held_bodies = 4096;
  limits.held_answers = 4096;
  limits.streams = 8;
  Http2Session session(limits, 0);
  const bool answers = (how & 1) != 0;
  const size_t piece = (how & 2) != 0 ? 7 : text.size() + 1;
  const std::string start = (how & 4) != 0 ? "" : std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  std::string out;
  int64_t now = 0;
  bool more = session.feed(start, now);
  for (size_t at = 0; at < text.size() && more; at += piece) {
    more = session.feed(text.substr(at, piece), now += 10);
    while (auto r = session.next_request()) {
      demand(r->request.body.size() <= limits.body_bytes, "no body above the limit");
      demand(r->request.path == "*" || r->request.path.starts_with('/'), "a path");
      demand(!r->request.header("host").empty(), "a host");
      if (answers) session.answer(r->stream, {200, {{"X", "y"}}, std::string(3000, 'a')}, "date", now);
    }
    (void)session.take_gone();
    demand(session.held() <= 8 * limits.body_bytes + limits.held_answers + 3000, "what is held is bounded");
    out.clear();
    session.pull(out, 1 << 16, now);
  }
  session.drain();
  for (int i = 0; i < 4; ++i) session.expire(now += 1'000'000);
  return 0;
}
