// Octets are std::string (owned) and std::string_view (seen); text forms of them live here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace entente {

[[nodiscard]] std::string hex(std::string_view bytes);              // lower case
[[nodiscard]] Result<std::string> unhex(std::string_view text);     // either case, even length
[[nodiscard]] std::string base64(std::string_view bytes);           // RFC 4648 §4, padded
[[nodiscard]] Result<std::string> unbase64(std::string_view text);  // strict: padded, no white space
[[nodiscard]] std::string base64url(std::string_view bytes);        // RFC 4648 §5, without padding (JOSE)
[[nodiscard]] Result<std::string> unbase64url(std::string_view text);

// Big-endian integers, as all stored keys and formats use them.
void put_u16(std::string& out, uint16_t v);
void put_u32(std::string& out, uint32_t v);
void put_u64(std::string& out, uint64_t v);
// Length (u32) and octets.
void put_bytes(std::string& out, std::string_view bytes);

// Reads what the put_ functions wrote. After the first short read every further one yields zeros and ok() is false.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}
  uint8_t u8();
  uint16_t u16();
  uint32_t u32();
  uint64_t u64();
  std::string_view take(size_t n);
  std::string_view bytes();
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

[[nodiscard]] bool valid_utf8(std::string_view text);
[[nodiscard]] std::string ascii_lower(std::string_view text);
// Makes text safe for a terminal or a log line: control characters and bad UTF-8 as \xNN.
[[nodiscard]] std::string printable(std::string_view text, size_t max_chars = 200);

}  // namespace entente
