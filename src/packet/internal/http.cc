#include "packet/internal/http.h"

#include <algorithm>
#include <array>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace entente::packet {
namespace {

constexpr std::array<std::string_view, 9> kMethods = {"GET ",     "POST ",    "HEAD ",  "PUT ",  "DELETE ",
                                                      "CONNECT ", "OPTIONS ", "TRACE ", "PATCH "};

// Most of what is asked is no request, and shows it with its first octet.
bool may_begin_method(char c) { return std::string_view("GPHDCOT").find(c) != std::string_view::npos; }

bool is_host_field(std::string_view line) {
  return line.size() >= 5 && line[4] == ':' && (line[0] | 0x20) == 'h' && (line[1] | 0x20) == 'o' &&
         (line[2] | 0x20) == 's' && (line[3] | 0x20) == 't';
}

bool visible(std::string_view text) {
#if defined(__SSE2__)
  const auto bad = [](const char* at) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x20)), v);
    return _mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)))) != 0;
  };
  if (text.size() >= 16) {
    for (size_t i = 0; i + 16 < text.size(); i += 16)
      if (bad(text.data() + i)) return false;
    return !bad(text.data() + text.size() - 16);
  }
#endif
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
}

// The line up to LF, without CR; false if its end has not come yet.
bool take_line(std::string_view& rest, std::string_view& line) {
  const size_t end = rest.find('\n');
  if (end == std::string_view::npos) return false;
  line = rest.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  rest.remove_prefix(end + 1);
  return true;
}

// Into `request`, not as what is returned: which would be copied right after it was written.
Look read(std::string_view stream, HttpRequest& request) {
  if (stream.empty() || !may_begin_method(stream.front())) return Look::kNotThis;
  const auto* method = std::find_if(kMethods.begin(), kMethods.end(), [&](std::string_view m) {
    return stream.substr(0, m.size()) == m.substr(0, stream.size());
  });
  if (method == kMethods.end()) return Look::kNotThis;
  if (stream.size() < method->size()) return Look::kNeedMore;

  std::string_view rest = stream, line;
  if (!take_line(rest, line)) return Look::kNeedMore;
  const size_t end = line.rfind(' ');
  if (end < method->size() || !line.substr(end + 1).starts_with("HTTP/1.")) return Look::kMalformed;
  request.method = method->substr(0, method->size() - 1);
  request.target = line.substr(method->size(), end - method->size());
  if (request.target.empty() || !visible(request.target)) return Look::kMalformed;

  while (take_line(rest, line)) {
    if (line.empty()) return Look::kFoundEmpty;
    if (!is_host_field(line)) continue;
    line.remove_prefix(5);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    if (line.size() > 1024 || !visible(line)) return Look::kMalformed;
    request.host = line;
    return Look::kFound;
  }
  return Look::kNeedMore;
}

}  // namespace

HttpHead read_http_request(std::string_view stream) {
  HttpHead head;
  head.look = read(stream, head.request);
  return head;
}

}  // namespace entente::packet
