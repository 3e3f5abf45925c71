// Octets of a record as the embedded engine stores them (docs/format/log.md).
//
//   seq:u64                 -> 0x01 first_time:i64 slots:u32 item_count:u32 header crc:u32
//   seq:u64 index:u32       -> octets crc:u32
//                              of an item that was destroyed: by:u64 (crc:u32 xor "gone")
//
// All integers big-endian; crc = CRC-32C over the key and the value before it, so that a value under the wrong key is
// found too. One key space in commit order: new records are appended behind all others and compaction never rewrites
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace entente::log {

inline constexpr size_t kHeaderKeySize = 8;
inline constexpr size_t kItemKeySize = 12;

[[nodiscard]] std::string header_key(uint64_t seq);
[[nodiscard]] std::string item_key(uint64_t seq, uint32_t index);
// Of either kind; nullopt if the size is neither. A header has no index.
struct RecordKey {
  uint64_t seq = 0;
  std::optional<uint32_t> index;
};
[[nodiscard]] std::optional<RecordKey> parse_record_key(std::string_view key);
[[nodiscard]] std::string describe(std::string_view key);  // "record 7", "record 7 item 3"

struct StoredHeader {
  Time first_time;
  uint32_t slots = 1;
  uint32_t item_count = 0;
  std::string_view header;  // into what was decoded
};
void encode_header(std::string& out, std::string_view key, const StoredHeader& h);
[[nodiscard]] Result<StoredHeader> decode_header(std::string_view key, std::string_view value);

[[nodiscard]] uint32_t item_crc(std::string_view key, std::string_view octets);
// No octets if the item was destroyed.
[[nodiscard]] Result<std::string_view> decode_item(std::string_view key, std::string_view value);
// What stands in the place of an item that the record `by` destroyed.
[[nodiscard]] std::string destroyed_item(std::string_view key, uint64_t by);

}  // namespace entente::log
