#include "store/internal/tables.h"

#include <cstring>

#include "base/bytes.h"
#include "base/crypto.h"

namespace entente::store {
namespace {

constexpr uint64_t kSignBit = uint64_t{1} << 63;

constexpr uint8_t kFlagListed = 1;
constexpr uint8_t kFlagMany = 2;

constexpr uint8_t kInfoRevoked = 1;
constexpr uint8_t kInfoIdInParts = 2;  // the id is type, "--", UUID: 16 octets instead of the text
constexpr uint8_t kInfoVersioned = 4;
constexpr uint8_t kInfoSpec21 = 8;  // spec_version is "2.1": no text

constexpr uint16_t kLong = 0xffff;  // the length follows as u32

void put_short(std::string& out, std::string_view text) {
  if (text.size() < kLong) {
    put_u16(out, static_cast<uint16_t>(text.size()));
  } else {
    put_u16(out, kLong);
    put_u32(out, static_cast<uint32_t>(text.size()));
  }
  out.append(text);
}
std::string_view read_short(ByteReader& r) {
  const uint16_t n = r.u16();
  return r.take(n == kLong ? r.u32() : n);
}

// The UUID, if `id` is exactly `type`--UUID in lower case.
std::optional<Uuid> in_parts(std::string_view type, std::string_view id) {
  if (id.size() != type.size() + 38 || !id.starts_with(type) || id.substr(type.size(), 2) != "--") return std::nullopt;
  const std::string_view text = id.substr(type.size() + 2);
  const auto uuid = parse_uuid(text);
  if (!uuid) return std::nullopt;
  for (const char c : text) {
    if (c >= 'A' && c <= 'F') return std::nullopt;
  }
  return uuid;
}

}  // namespace

Error damaged(std::string_view what) {
  return make_error(ErrorKind::kCorrupt, "the store's " + std::string(what) + " cannot be read", {},
                    "check the node, and rebuild its tables from the log");
}

void put_time(std::string& out, int64_t us) { put_u64(out, static_cast<uint64_t>(us) ^ kSignBit); }

int64_t read_time(std::string_view eight) {
  ByteReader r(eight);
  return static_cast<int64_t>(r.u64() ^ kSignBit);
}

ObjectKey object_key(std::string_view id) {
  const Digest d = sha256(id);
  ObjectKey out;
  std::memcpy(out.data(), d.data(), out.size());
  return out;
}

std::string object_in(const ObjectKey& object, const Uuid& collection) {
  std::string key;
  key.reserve(object.size() + 16 + kVersionKeySize);
  key.append(object.data(), object.size());
  key.append(collection.raw());
  return key;
}

std::string row_key(const Uuid& collection, int64_t date_us) {
  std::string key(collection.raw());
  put_time(key, date_us);
  return key;
}

std::string setting_key(std::string_view space, std::string_view key) {
  std::string out;
  put_short(out, space);
  out.append(key);
  return out;
}

std::string sequence_key(std::string_view name, uint64_t index) {
  std::string out;
  put_short(out, name);
  put_u64(out, index);
  return out;
}

std::string after_prefix(std::string_view prefix) {
  std::string out(prefix);
  while (!out.empty() && out.back() == '\xff') out.pop_back();
  if (!out.empty()) out.back() = static_cast<char>(static_cast<uint8_t>(out.back()) + 1);
  return out;
}

void put_version_key(std::string& out, const VersionKey& v) {
  out.push_back(v.versioned ? '\1' : '\0');
  put_time(out, v.at.s);
  put_u32(out, v.at.ns);
}

VersionKey read_version_key(std::string_view octets) {
  ByteReader r(octets);
  VersionKey v;
  v.versioned = r.u8() != 0;
  v.at.s = read_time(r.take(8));
  v.at.ns = r.u32();
  return v;
}

void put_info(std::string& out, const Info& info) {
  const auto uuid = in_parts(info.type, info.id);
  const bool spec21 = info.spec_version == "2.1";
  const bool versioned = !info.version.empty();
  out.push_back(static_cast<char>((info.revoked ? kInfoRevoked : 0) | (uuid ? kInfoIdInParts : 0) |
                                  (versioned ? kInfoVersioned : 0) | (spec21 ? kInfoSpec21 : 0)));
  put_short(out, info.type);
  if (uuid) {
    out.append(uuid->raw());
  } else {
    put_short(out, info.id);
  }
  if (!spec21) put_short(out, info.spec_version);
  if (versioned) {
    put_time(out, info.version_time.s);
    put_u32(out, info.version_time.ns);
    put_short(out, info.version);
  }
  out.append(info.digest.data(), info.digest.size());
}

bool read_info(ByteReader& r, Info& info, std::string& id) {
  const uint8_t flags = r.u8();
  info.revoked = (flags & kInfoRevoked) != 0;
  info.type = read_short(r);
  if ((flags & kInfoIdInParts) != 0) {
    Uuid uuid;
    const std::string_view raw = r.take(16);
    if (!r.ok()) return false;
    std::memcpy(uuid.b.data(), raw.data(), 16);
    id.assign(info.type);
    id.append("--");
    id.append(uuid.text());
  } else {
    id.assign(read_short(r));
  }
  info.id = id;
  info.spec_version = (flags & kInfoSpec21) != 0 ? std::string_view("2.1") : read_short(r);
  if ((flags & kInfoVersioned) != 0) {
    const std::string_view s = r.take(8);
    if (!r.ok()) return false;
    info.version_time.s = read_time(s);
    info.version_time.ns = r.u32();
    info.version = read_short(r);
    if (info.version.empty()) return false;
  } else {
    info.version_time = {};
    info.version = {};
  }
  const std::string_view digest = r.take(info.digest.size());
  if (!r.ok()) return false;
  std::memcpy(info.digest.data(), digest.data(), digest.size());
  return true;
}

void put_row_head(std::string& out, const RowHead& head) {
  put_time(out, head.newer);
  put_time(out, head.older);
  out.push_back(static_cast<char>(head.listed ? kFlagListed : 0));
  put_u64(out, head.item.seq);
  put_u32(out, head.item.index);
}

bool read_row_head(std::string_view value, RowHead& head) {
  if (value.size() < kRowHeadSize) return false;
  head.newer = read_time(value.substr(0, 8));
  head.older = read_time(value.substr(8, 8));
  ByteReader r(value.substr(16));
  head.listed = (r.u8() & kFlagListed) != 0;
  head.item.seq = r.u64();
  head.item.index = r.u32();
  return true;
}

std::optional<std::string_view> peek_type(std::string_view value) {
  if (value.size() < kRowHeadSize + 1) return std::nullopt;
  ByteReader r(value.substr(kRowHeadSize + 1));
  const std::string_view type = read_short(r);
  if (!r.ok()) return std::nullopt;
  return type;
}

Status decode_row(std::string_view key, std::string_view value, Row& row) {
  RowHead head;
  if (key.size() != 24 || !read_row_head(value, head)) return damaged("row");
  ByteReader r(value.substr(kRowHeadSize));
  Info info;
  if (!read_info(r, info, row.id)) return damaged("row");
  std::memcpy(row.collection.b.data(), key.data(), 16);
  row.date_added.us = read_row_date(key);
  row.item = head.item;
  row.type = info.type;
  row.spec_version = info.spec_version;
  row.revoked = info.revoked;
  row.versioned = !info.version.empty();
  row.digest = info.digest;
  row.meta = r.rest();
  if (row.versioned) {
    row.version = info.version;
    row.version_time = info.version_time;
  } else {
    row.version = to_text(row.date_added);
    row.version_time = Versions::Entry{{}, row.date_added.us, {}}.instant();
  }
  return {};
}

stix::Timestamp Versions::Entry::instant() const {
  if (version.versioned) return version.at;
  int64_t s = date / 1'000'000;
  int64_t us = date % 1'000'000;
  if (us < 0) {
    us += 1'000'000;
    --s;
  }
  return {s, static_cast<uint32_t>(us * 1000)};
}

void put_entry(std::string& out, int64_t date, std::string_view spec) {
  put_time(out, date);
  put_short(out, spec);
}

bool read_entry(ByteReader& r, Versions::Entry& e) {
  const std::string_view date = r.take(8);
  if (!r.ok()) return false;
  e.date = read_time(date);
  e.spec = read_short(r);
  return r.ok();
}

std::string encode_versions(const Versions& v) {
  std::string out;
  out.push_back(static_cast<char>((v.listed ? kFlagListed : 0) | (v.many ? kFlagMany : 0)));
  put_u64(out, v.count);
  if (v.many) return out;
  for (const auto& e : v.entries) {
    put_version_key(out, e.version);
    put_entry(out, e.date, e.spec);
  }
  return out;
}

Result<Versions> decode_versions(std::string_view value) {
  ByteReader r(value);
  Versions v;
  const uint8_t flags = r.u8();
  v.listed = (flags & kFlagListed) != 0;
  v.many = (flags & kFlagMany) != 0;
  v.count = r.u64();
  if (!r.ok() || (!v.many && v.count > Versions::kInline)) return damaged("list of versions");
  if (!v.many) {
    v.entries.resize(v.count);
    for (auto& e : v.entries) {
      const std::string_view key = r.take(kVersionKeySize);
      if (!r.ok()) return damaged("list of versions");
      e.version = read_version_key(key);
      if (!read_entry(r, e)) return damaged("list of versions");
    }
  }
  if (!r.done()) return damaged("list of versions");
  return v;
}

}  // namespace entente::store
