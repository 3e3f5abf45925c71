#include "packet/internal/http.h"

#include <algorithm>
#include <array>

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

}  // namespace

HttpHead read_http_request(std::string_view stream) {
  HttpHead head;
  if (stream.empty() || !may_begin_method(stream.front())) return head;
  const auto* method = std::find_if(kMethods.begin(), kMethods.end(), [&](std::string_view m) {
    return stream.substr(0, m.size()) == m.substr(0, stream.size());
  });
  if (method == kMethods.end()) return head;
  if (stream.size() < method->size()) return {Look::kNeedMore, {}};

  std::string_view rest = stream, line;
  if (!take_line(rest, line)) return {Look::kNeedMore, {}};
  const size_t end = line.rfind(' ');
  if (end < method->size() || !line.substr(end + 1).starts_with("HTTP/1.")) return {Look::kMalformed, {}};
  head.request.method = method->substr(0, method->size() - 1);
  head.request.target = line.substr(method->size(), end - method->size());
  if (head.request.target.empty() || !visible(head.request.target)) return {Look::kMalformed, {}};

  while (take_line(rest, line)) {
    if (line.empty()) {
      head.look = Look::kFoundEmpty;
      return head;
    }
    if (!is_host_field(line)) continue;
    line.remove_prefix(5);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    if (line.size() > 1024 || !visible(line)) return {Look::kMalformed, {}};
    head.request.host = line;
    head.look = Look::kFound;
    return head;
  }
  return {Look::kNeedMore, {}};
}

}  // namespace entente::packet
