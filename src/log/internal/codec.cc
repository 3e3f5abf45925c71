#include "log/internal/codec.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "log/internal/crc32c.h"

namespace entente::log {
namespace {

constexpr uint8_t kHeaderFormat = 1;
constexpr size_t kCrcSize = 4;
// Tells a destroyed item from octets that happen to be eight: its checksum is another.
constexpr uint32_t kGone = 0x676f6e65;

Error damaged(std::string_view key, std::string_view what) {
  return make_error(ErrorKind::kCorrupt, fmt::format("{}: {}", describe(key), what), {},
                    "restore the node from a backup");
}

// The value without its checksum.
Result<std::string_view> checked(std::string_view key, std::string_view value) {
  if (value.size() < kCrcSize) return damaged(key, "too short");
  const std::string_view body = value.substr(0, value.size() - kCrcSize);
  ByteReader r(value.substr(body.size()));
  if (r.u32() != item_crc(key, body)) return damaged(key, "checksum does not match");
  return body;
}

}  // namespace

std::string header_key(uint64_t seq) {
  std::string key;
  put_u64(key, seq);
  return key;
}

std::string item_key(uint64_t seq, uint32_t index) {
  std::string key;
  put_u64(key, seq);
  put_u32(key, index);
  return key;
}

std::optional<RecordKey> parse_record_key(std::string_view key) {
  if (key.size() != kHeaderKeySize && key.size() != kItemKeySize) return std::nullopt;
  ByteReader r(key);
  RecordKey out;
  out.seq = r.u64();
  if (key.size() == kItemKeySize) out.index = r.u32();
  return out;
}

std::string describe(std::string_view key) {
  const auto k = parse_record_key(key);
  if (!k) return fmt::format("log key of {} octets", key.size());
  if (!k->index) return fmt::format("record {}", k->seq);
  return fmt::format("record {} item {}", k->seq, *k->index);
}

uint32_t item_crc(std::string_view key, std::string_view octets) { return crc32c(octets, crc32c(key)); }

void encode_header(std::string& out, std::string_view key, const StoredHeader& h) {
  out.clear();
  out.push_back(static_cast<char>(kHeaderFormat));
  put_u64(out, static_cast<uint64_t>(h.first_time.us));
  put_u32(out, h.slots);
  put_u32(out, h.item_count);
  out.append(h.header);
  put_u32(out, item_crc(key, out));
}

Result<StoredHeader> decode_header(std::string_view key, std::string_view value) {
  TRY(const std::string_view body, checked(key, value));
  ByteReader r(body);
  const uint8_t format = r.u8();
  StoredHeader h;
  h.first_time.us = static_cast<int64_t>(r.u64());
  h.slots = r.u32();
  h.item_count = r.u32();
  if (!r.ok()) return damaged(key, "too short");
  if (format != kHeaderFormat) return damaged(key, fmt::format("unknown format {}", format));
  h.header = r.rest();
  return h;
}

Result<std::string_view> decode_item(std::string_view key, std::string_view value) {
  auto octets = checked(key, value);
  if (octets.ok() || value.size() != 8 + kCrcSize) return octets;
  ByteReader r(value.substr(8));
  if ((r.u32() ^ kGone) != item_crc(key, value.substr(0, 8))) return octets;
  return std::string_view();
}

std::string destroyed_item(std::string_view key, uint64_t by) {
  std::string out;
  put_u64(out, by);
  put_u32(out, item_crc(key, out) ^ kGone);
  return out;
}

}  // namespace entente::log
