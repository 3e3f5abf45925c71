#include "packet/dns.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "packet/internal/octets.h"

namespace entente::packet {
namespace {

constexpr size_t kHeader = 12;
constexpr size_t kMaxRecords = 256;
constexpr size_t kMaxWireName = 255;  // RFC 1035 §2.3.4

// A short label of characters that stand for themselves, as nearly all are: copied at once. `to` has room for 16.
bool plain_label(std::string_view message, size_t at, size_t length, char* to) {
#if defined(__SSE2__)
  if (length > 16 || at + 16 > message.size()) return false;
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(message.data() + at));
  const __m128i last = _mm_set1_epi8('~' - '!');
  const __m128i printable = _mm_cmpeq_epi8(_mm_max_epu8(_mm_sub_epi8(v, _mm_set1_epi8('!')), last), last);
  const __m128i escaped = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('.')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
  const auto good = static_cast<unsigned>(_mm_movemask_epi8(_mm_andnot_si128(escaped, printable)));
  if ((~good & ((1U << length) - 1)) != 0) return false;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v);
  return true;
#else
  static_cast<void>(message), static_cast<void>(at), static_cast<void>(length), static_cast<void>(to);
  return false;
#endif
}

}  // namespace

std::optional<size_t> DnsName::read(std::string_view message, size_t offset) {
  size_ = 0;
  size_t at = offset, wire = 0;
  size_t lowest = offset;  // a pointer must lead before everything that this name has used: no loops
  std::optional<size_t> end;
  while (true) {
    if (at >= message.size()) return std::nullopt;
    const uint8_t length = u8(message, at);
    if ((length & 0xc0) == 0xc0) {  // RFC 1035 §4.1.4
      if (at + 2 > message.size()) return std::nullopt;
      const size_t target = u16(message, at) & 0x3fffu;
      if (target >= lowest) return std::nullopt;
      if (!end) end = at + 2;
      at = lowest = target;
      continue;
    }
    if ((length & 0xc0) != 0) return std::nullopt;
    wire += 1u + length;
    if (wire > kMaxWireName) return std::nullopt;
    if (length == 0) return end ? *end : at + 1;
    if (at + 1 + length > message.size()) return std::nullopt;
    if (size_ > 0) text_[size_++] = '.';
    if (plain_label(message, at + 1, length, text_.data() + size_)) {
      size_ += length;
      at += 1u + length;
      continue;
    }
    for (size_t i = 0; i < length; ++i) {
      const uint8_t c = u8(message, at + 1 + i);
      if (c == '.' || c == '\\') {
        text_[size_++] = '\\';
        text_[size_++] = static_cast<char>(c);
      } else if (c > 0x20 && c < 0x7f) {
        text_[size_++] = static_cast<char>(c);
      } else {
        text_[size_++] = '\\';
        text_[size_++] = static_cast<char>('0' + c / 100);
        text_[size_++] = static_cast<char>('0' + c / 10 % 10);
        text_[size_++] = static_cast<char>('0' + c % 10);
      }
    }
    at += 1u + length;
  }
}

bool decode_dns(std::string_view message, DnsSink& sink) {
  if (message.size() < kHeader) return false;
  const uint16_t id = u16(message, 0), flags = u16(message, 2);
  const size_t questions = u16(message, 4), answers = u16(message, 6);
  const bool response = (flags & 0x8000) != 0;
  if ((flags >> 11 & 0xf) != 0) return true;  // only QUERY has names to look up; UPDATE and others differ in form

  size_t at = kHeader;
  DnsName question;
  for (size_t i = 0; i < questions; ++i) {
    if (i == kMaxRecords) return true;
    DnsName later;
    DnsName& name = i == 0 ? question : later;
    const auto end = name.read(message, at);
    if (!end || *end + 4 > message.size()) return false;
    sink.on_question({.name = name.text(),
                      .type = u16(message, *end),
                      .id = id,
                      .response = response,
                      .rcode = static_cast<uint8_t>(flags & 0xf)});
    at = *end + 4;
  }
  if (!response) return true;

  DnsName owner, target;
  for (size_t i = 0; i < answers && i < kMaxRecords; ++i) {
    // Nearly always a pointer to the question, which was read.
    const bool asked = questions > 0 && at + 2 <= message.size() && u16(message, at) == (0xc000 | kHeader);
    const std::optional<size_t> end = asked ? at + 2 : owner.read(message, at);
    if (!end || *end + 10 > message.size()) return false;
    const size_t length = u16(message, *end + 8), data = *end + 10;
    if (data + length > message.size()) return false;
    DnsAnswer answer{.question = question.text(),
                     .name = asked ? question.text() : owner.text(),
                     .type = DnsType{u16(message, *end)},
                     .ttl_s = u32(message, *end + 4),
                     .address = {},
                     .target = {},
                     .id = id};
    const bool internet = u16(message, *end + 2) % 0x8000 == 1;  // mDNS uses the top bit (RFC 6762 §10.2)
    at = data + length;
    if (!internet) continue;
    if (answer.type == DnsType::kA || answer.type == DnsType::kAaaa) {
      const bool v6 = answer.type == DnsType::kAaaa;
      if (length != (v6 ? 16u : 4u)) return false;
      answer.address = Address::from_octets(message.data() + data, v6);
      sink.on_answer(answer);
    } else if (answer.type == DnsType::kCname) {
      const auto target_end = target.read(message, data);
      if (!target_end || *target_end != at) return false;
      answer.target = target.text();
      sink.on_answer(answer);
    }
  }
  return true;
}

}  // namespace entente::packet
