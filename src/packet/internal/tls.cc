#include "packet/internal/tls.h"

#include <algorithm>

#include "packet/internal/octets.h"

namespace entente::packet {
namespace {

constexpr size_t kRecordHeader = 5;
constexpr size_t kMessageHeader = 4;
constexpr size_t kMaxRecord = 16384 + 256;

// RFC 6066 §3: ServerNameList, of which only host_name (0) exists. Empty if there is none that makes sense.
std::string_view read_server_name(std::string_view data) {
  if (data.size() < 2 || u16(data, 0) != data.size() - 2) return {};
  data.remove_prefix(2);
  while (data.size() >= 3) {
    const size_t length = u16(data, 1);
    if (length > data.size() - 3) return {};
    if (u8(data, 0) == 0) {
      const auto name = data.substr(3, length);
      const bool fine =
          name.size() <= 255 && std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
      return fine ? name : std::string_view();
    }
    data.remove_prefix(3 + length);
  }
  return {};
}

// Cuts a vector with a length of `width` octets off the front of `rest`.
bool take_vector(std::string_view& rest, size_t width, std::string_view& out) {
  if (rest.size() < width) return false;
  const size_t length = width == 1 ? u8(rest, 0) : u16(rest, 0);
  if (rest.size() - width < length) return false;
  out = rest.substr(width, length);
  rest.remove_prefix(width + length);
  return true;
}

// Into `hello`, not as what is returned: which would be copied right after it was written.
Look read(std::string_view body, TlsHello& hello) {
  if (body.size() < 34) return Look::kMalformed;
  std::string_view rest = body.substr(34), skip;
  hello.version = u16(body, 0);
  if (!take_vector(rest, 1, skip) || !take_vector(rest, 2, hello.ciphers) || !take_vector(rest, 1, skip))
    return Look::kMalformed;
  if (rest.empty()) return Look::kFoundEmpty;  // before TLS 1.2 extensions could be absent
  if (!take_vector(rest, 2, hello.extensions)) return Look::kMalformed;
  const std::string_view all = hello.extensions;
  for (size_t at = 0; at + 4 <= all.size();) {
    const size_t length = u16(all, at + 2);
    if (all.size() - at - 4 < length) return Look::kMalformed;
    if (u16(all, at) == 0) {
      hello.server_name = read_server_name(all.substr(at + 4, length));
      return hello.server_name.empty() ? Look::kMalformed : Look::kFound;
    }
    at += 4 + length;
    if (at + 4 > all.size() && at != all.size()) return Look::kMalformed;
  }
  return all.size() < 4 && !all.empty() ? Look::kMalformed : Look::kFoundEmpty;
}

ClientHello read_body(std::string_view body) {
  ClientHello out;
  out.look = read(body, out.hello);
  return out;
}

}  // namespace

ClientHello read_client_hello_message(std::string_view handshake) {
  if (handshake.empty()) return {Look::kNeedMore, {}};
  if (u8(handshake, 0) != 1) return {};
  if (handshake.size() < kMessageHeader) return {Look::kNeedMore, {}};
  const size_t size = u24(handshake, 1);
  if (handshake.size() - kMessageHeader < size) return {Look::kNeedMore, {}};
  return read_body(handshake.substr(kMessageHeader, size));
}

ClientHello read_client_hello(std::string_view stream, std::string& scratch) {
  if (stream.empty() || u8(stream, 0) != 22) return {};
  if (stream.size() >= 2 && u8(stream, 1) != 3) return {};
  if (stream.size() >= 6 && u8(stream, 5) != 1) return {};
  if (stream.size() < kRecordHeader + kMessageHeader) return {Look::kNeedMore, {}};

  const size_t first = u16(stream, 3);
  const size_t message = u24(stream, 6) + kMessageHeader;
  if (first == 0 || first > kMaxRecord) return {Look::kMalformed, {}};
  if (message <= first) {
    if (stream.size() < kRecordHeader + message) return {Look::kNeedMore, {}};
    return read_body(stream.substr(kRecordHeader + kMessageHeader, message - kMessageHeader));
  }

  scratch.clear();
  while (scratch.size() < message) {
    if (stream.size() < kRecordHeader) return {Look::kNeedMore, {}};
    const size_t length = u16(stream, 3);
    if (u8(stream, 0) != 22 || length == 0 || length > kMaxRecord) return {Look::kMalformed, {}};
    if (stream.size() < kRecordHeader + length) return {Look::kNeedMore, {}};
    scratch.append(stream.substr(kRecordHeader, length));
    stream.remove_prefix(kRecordHeader + length);
  }
  return read_body(std::string_view(scratch).substr(kMessageHeader, message - kMessageHeader));
}

}  // namespace entente::packet
