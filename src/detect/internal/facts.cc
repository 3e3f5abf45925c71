#include "detect/internal/facts.h"

#include <cstring>
#include <optional>

#include "base/uuid.h"

namespace entente::detect {
namespace {

using pattern::AtomKind;

constexpr std::string_view kPrefix = "indicator--";

std::string comparison(const pattern::Atom& a) {
  const auto test = [&](std::string_view path, std::string_view op, std::string_view value) {
    std::string out(path);
    return out.append(op).append(pattern::quote(value));
  };
  switch (a.kind) {
    case AtomKind::kIpv4:
      return test("ipv4-addr:value", " = ", a.value);
    case AtomKind::kIpv6:
      return test("ipv6-addr:value", " = ", a.value);
    case AtomKind::kCidr4:
      return test("ipv4-addr:value", " ISSUBSET ", a.value);
    case AtomKind::kCidr6:
      return test("ipv6-addr:value", " ISSUBSET ", a.value);
    case AtomKind::kDomain:
      return test("domain-name:value", " = ", a.value);
    case AtomKind::kDomainTree:  // as two comparisons; no pattern has it as one
      return test("domain-name:value", " = ", a.value) + " OR " + test("domain-name:value", " LIKE ", "%." + a.value);
    case AtomKind::kDomainBelow:
      return test("domain-name:value", " LIKE ", "%." + a.value);
    case AtomKind::kUrl:
      return test("url:value", " = ", a.value);
    case AtomKind::kMd5:
      return test("file:hashes.MD5", " = ", a.value);
    case AtomKind::kSha1:
      return test("file:hashes.'SHA-1'", " = ", a.value);
    case AtomKind::kSha256:
      return test("file:hashes.'SHA-256'", " = ", a.value);
    case AtomKind::kSha512:
      return test("file:hashes.'SHA-512'", " = ", a.value);
    case AtomKind::kEmail:
      return test("email-addr:value", " = ", a.value);
    case AtomKind::kJa3:
      return test("network-traffic:extensions.'tls-ext'.ja3", " = ", a.value);
    case AtomKind::kJa4:
      return test("network-traffic:extensions.'tls-ext'.ja4", " = ", a.value);
  }
  return {};
}

}  // namespace

std::string plain_pattern(const Entries& entries, uint32_t row) {
  std::string out;
  entries.each_of(row, [&](const Entries::Entry& e) {
    out += out.empty() ? "[" : " OR ";
    out += comparison(Entries::atom_of(e));
  });
  return out.empty() ? out : out + "]";
}

std::string list_id(std::string_view pattern) {
  static const Uuid kSpace = *parse_uuid("6f4e2f0a-5f0b-5d39-9d0c-2b7f0f6f5c11");
  return std::string(kPrefix) + name_uuid(kSpace, pattern).text();
}

template <class T>
void Facts::put(const T& value) {
  const auto* p = reinterpret_cast<const char*>(&value);
  bytes_.insert(bytes_.end(), p, p + sizeof value);
}

template <class T>
T Facts::take(size_t& at) const {
  T value{};
  std::memcpy(&value, bytes_.data() + at, sizeof value);
  at += sizeof value;
  return value;
}

void Facts::put_text(std::string_view text) {
  const auto n = static_cast<uint32_t>(text.size());
  if (n < 255) {
    bytes_.push_back(static_cast<char>(n));
  } else {
    bytes_.push_back(static_cast<char>(255));
    put(n);
  }
  bytes_.insert(bytes_.end(), text.begin(), text.end());
}

std::string_view Facts::take_text(size_t& at) const {
  uint32_t n = static_cast<unsigned char>(bytes_[at++]);
  if (n == 255) n = take<uint32_t>(at);
  const std::string_view text(bytes_.data() + at, n);
  at += n;
  return text;
}

void Facts::add(const Indicator& i, const Entries& entries, bool with_id) {
  const uint32_t row = rows_++;
  if (row % kStep == 0) samples_.push_back(bytes_.size());
  const std::string plain = plain_pattern(entries, row);
  unsigned flags = 0;
  std::optional<Uuid> uuid;
  constexpr size_t kVersionDigit = kPrefix.size() + 14;  // version 5, else there is no need to compute it
  const bool named = i.id.size() > kVersionDigit && i.id[kVersionDigit] == '5';
  if (with_id) {
    flags |= kIdApart;
  } else if (named && !plain.empty() && i.pattern == plain && i.id == list_id(plain)) {
    flags |= kIdListed;
  } else if (i.id.starts_with(kPrefix)) {
    uuid = parse_uuid(std::string_view(i.id).substr(kPrefix.size()));
    if (uuid && uuid->text() == std::string_view(i.id).substr(kPrefix.size())) flags |= kIdUuid;
  }
  if (i.pattern != plain) flags |= kPattern;
  if (!i.version.empty()) flags |= kVersion;
  if (i.valid_from != Time{}) flags |= kFrom;
  if (i.valid_until != Time{INT64_MAX}) flags |= kUntil;
  if (i.confidence != -1 || i.tag != 0) flags |= kMore;
  bytes_.push_back(static_cast<char>(flags));
  // Validity first: it is asked for at every hit.
  if ((flags & kFrom) != 0) put(i.valid_from);
  if ((flags & kUntil) != 0) put(i.valid_until);
  if ((flags & kMore) != 0) {
    put(static_cast<int8_t>(i.confidence));
    put(i.tag);
  }
  if ((flags & kVersion) != 0) put(number_of(i.version));
  if ((flags & kIdUuid) != 0) put(uuid->b);
  if ((flags & (kIdUuid | kIdListed | kIdApart)) == 0) put_text(i.id);
  if ((flags & kPattern) != 0) put_text(i.pattern);
}

void Facts::add_listed() {
  if (rows_++ % kStep == 0) samples_.push_back(bytes_.size());
  bytes_.push_back(static_cast<char>(kIdListed));
}

void Facts::copy(const Facts& from, uint32_t row) {
  if (rows_++ % kStep == 0) samples_.push_back(bytes_.size());
  const size_t begin = from.begin_of(row), end = from.next(begin);
  const size_t here = bytes_.size();
  bytes_.insert(bytes_.end(), from.bytes_.begin() + static_cast<std::ptrdiff_t>(begin),
                from.bytes_.begin() + static_cast<std::ptrdiff_t>(end));
  const auto flags = static_cast<unsigned char>(bytes_[here]);
  if ((flags & kVersion) == 0) return;
  size_t at =
      here + 1 + ((flags & kFrom) != 0 ? 8 : 0) + ((flags & kUntil) != 0 ? 8 : 0) + ((flags & kMore) != 0 ? 5 : 0);
  size_t read = at;
  const uint32_t number = number_of(from.versions_[take<uint32_t>(read)]);
  std::memcpy(bytes_.data() + at, &number, sizeof number);
}

uint32_t Facts::number_of(const std::string& version) {
  const auto [at, fresh] = version_numbers_.try_emplace(version, static_cast<uint32_t>(versions_.size()));
  if (fresh) versions_.push_back(version);
  return at->second;
}

void Facts::finish() {
  version_numbers_ = {};
  bytes_.shrink_to_fit();
  samples_.shrink_to_fit();
  versions_.shrink_to_fit();
}

size_t Facts::next(size_t at) const {
  const auto flags = static_cast<unsigned char>(bytes_[at++]);
  if ((flags & kFrom) != 0) at += 8;
  if ((flags & kUntil) != 0) at += 8;
  if ((flags & kMore) != 0) at += 5;
  if ((flags & kVersion) != 0) at += 4;
  if ((flags & kIdUuid) != 0) at += 16;
  if ((flags & (kIdUuid | kIdListed | kIdApart)) == 0) take_text(at);
  if ((flags & kPattern) != 0) take_text(at);
  return at;
}

size_t Facts::begin_of(uint32_t row) const {
  size_t at = samples_[row / kStep];
  for (uint32_t left = row % kStep; left > 0; --left) at = next(at);
  return at;
}

Facts::Validity Facts::validity(uint32_t row) const {
  size_t at = begin_of(row);
  const auto flags = static_cast<unsigned char>(bytes_[at++]);
  Validity v{Time{}, Time{INT64_MAX}};
  if ((flags & kFrom) != 0) v.from = take<Time>(at);
  if ((flags & kUntil) != 0) v.until = take<Time>(at);
  return v;
}

Indicator Facts::get(uint32_t row, const Entries& entries) const {
  size_t at = begin_of(row);
  const auto flags = static_cast<unsigned char>(bytes_[at++]);
  Indicator i;
  if ((flags & kFrom) != 0) i.valid_from = take<Time>(at);
  if ((flags & kUntil) != 0) i.valid_until = take<Time>(at);
  if ((flags & kMore) != 0) {
    i.confidence = take<int8_t>(at);
    i.tag = take<uint32_t>(at);
  }
  if ((flags & kVersion) != 0) i.version = versions_[take<uint32_t>(at)];
  if ((flags & kIdUuid) != 0) i.id = std::string(kPrefix) + Uuid{take<std::array<uint8_t, 16>>(at)}.text();
  if ((flags & (kIdUuid | kIdListed | kIdApart)) == 0) i.id = take_text(at);
  i.pattern = (flags & kPattern) != 0 ? std::string(take_text(at)) : plain_pattern(entries, row);
  if ((flags & kIdListed) != 0) i.id = list_id(i.pattern);
  if ((flags & kIdApart) != 0) i.id = entries.id_of(row);
  return i;
}

size_t Facts::memory_bytes() const {
  size_t n = bytes_.capacity() + samples_.capacity() * 8 + versions_.capacity() * sizeof(std::string);
  for (const auto& v : versions_) n += v.capacity() > 15 ? v.capacity() + 1 : 0;
  return n;
}

}  // namespace entente::detect
