// HTTP/1.1 from both sides, and URLs. However the octets are cut, the same messages come out. (When a bad message is
// refused may differ: in one piece its fault can be seen before its head has ended.)
#include "net/http.h"

#include <string>
#include <vector>

#include "fuzz/property.h"
#include "net/internal/http1.h"

using namespace entente;
using namespace entente::net::internal;
using fuzz::demand;

namespace {

constexpr MessageLimits kLimits{.header_bytes = 2048, .body_bytes = 4096};

struct Seen {
  std::vector<std::string> messages;
  Parse last = Parse::kMore;
};

std::string text_of(const net::Headers& headers) {
  std::string out;
  for (const auto& [name, value] : headers) out += name + ":" + value + "\n";
  return out;
}

template <class Parser, class Describe>
Seen read(std::string_view text, size_t piece, Describe describe, auto make) {
  Seen seen;
  std::string in;
  auto parser = make();
  size_t at = 0;
  while (seen.messages.size() < 16) {
    seen.last = parser->feed(in);
    if (seen.last == Parse::kDone) {
      seen.messages.push_back(describe(*parser));
      parser = make();
      continue;
    }
    if (seen.last != Parse::kMore || at >= text.size()) break;
    in += text.substr(at, piece);
    at += piece;
  }
  return seen;
}

Seen requests(std::string_view text, size_t piece) {
  return read<RequestParser>(
      text, piece,
      [](RequestParser& p) {
        const auto& r = p.request();
        demand(r.body.size() <= kLimits.body_bytes, "no body above the limit");
        return r.method + " " + r.path + "?" + r.query + "\n" + text_of(r.headers) + "\n" + r.body;
      },
      [] { return std::make_unique<RequestParser>(kLimits); });
}

Seen responses(std::string_view text, size_t piece) {
  return read<ResponseParser>(
      text, piece,
      [](ResponseParser& p) {
        const auto& r = p.response();
        return std::to_string(r.status) + "\n" + text_of(r.headers) + "\n" + r.body;
      },
      [] { return std::make_unique<ResponseParser>(kLimits, false); });
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto text = fuzz::text_of(data, size);
  const unsigned how = fuzz::choice(text);
  if (how == 'u') {
    if (const auto decoded = net::url_decode(text))
      demand(net::url_decode(net::url_encode(*decoded)) == decoded, "an encoded text decodes to itself");
    (void)net::parse_query(text);
    return 0;
  }
  const bool answer = how == 'r';
  const Seen whole = answer ? responses(text, text.size() + 1) : requests(text, text.size() + 1);
  const Seen cut = answer ? responses(text, 3) : requests(text, 3);
  demand(whole.messages == cut.messages, "the same messages however they are cut");
  return 0;
}
