#include "agreement/internal/punycode.h"

#include <cstdint>
#include <functional>
#include <vector>

#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

constexpr uint32_t kBase = 36, kTMin = 1, kTMax = 26, kSkew = 38, kDamp = 700, kInitialBias = 72, kInitialN = 128;
constexpr size_t kMaxLabel = 256;

uint32_t adapt(uint32_t delta, uint32_t points, bool first) {  // RFC 3492 §6.1
  delta = first ? delta / kDamp : delta / 2;
  delta += delta / points;
  uint32_t k = 0;
  for (; delta > (kBase - kTMin) * kTMax / 2; k += kBase) delta /= kBase - kTMin;
  return k + (kBase - kTMin + 1) * delta / (delta + kSkew);
}

uint32_t threshold(uint32_t k, uint32_t bias) { return k <= bias ? kTMin : k >= bias + kTMax ? kTMax : k - bias; }
char digit(uint32_t d) { return static_cast<char>(d < 26 ? 'a' + d : '0' + d - 26); }

std::vector<uint32_t> code_points(std::string_view t) {  // Requires valid UTF-8
  std::vector<uint32_t> out;
  for (size_t i = 0; i < t.size();) {
    const auto c = static_cast<unsigned char>(t[i]);
    const size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t cp = n == 1 ? c : c & (0xffu >> (n + 1));
    for (size_t k = 1; k < n; ++k) cp = cp << 6 | (static_cast<unsigned char>(t[i + k]) & 0x3f);
    out.push_back(cp);
    i += n;
  }
  return out;
}

void append_utf8(std::string& out, uint32_t cp) {
  if (cp < 0x80) {
    out += static_cast<char>(cp);
    return;
  }
  const int n = cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
  out += static_cast<char>((n == 1 ? 0xc0 : n == 2 ? 0xe0 : 0xf0) | cp >> (6 * n));
  for (int k = n - 1; k >= 0; --k) out += static_cast<char>(0x80 | (cp >> (6 * k) & 0x3f));
}

std::optional<std::string> encode(std::string_view label) {  // RFC 3492 §6.3
  const auto in = code_points(label);
  std::string out;
  for (uint32_t c : in)
    if (c < 0x80) out += static_cast<char>(c);
  uint32_t done = static_cast<uint32_t>(out.size()), basic = done;
  if (done == in.size()) return std::string(label);
  if (basic > 0) out += '-';
  uint32_t n = kInitialN, delta = 0, bias = kInitialBias;
  while (done < in.size()) {
    uint32_t next = UINT32_MAX;
    for (uint32_t c : in)
      if (c >= n && c < next) next = c;
    if (next - n > (UINT32_MAX - delta) / (done + 1)) return std::nullopt;
    delta += (next - n) * (done + 1);
    n = next;
    for (uint32_t c : in) {
      if (c < n) ++delta;
      if (c != n) continue;
      uint32_t q = delta;
      for (uint32_t k = kBase;; k += kBase) {
        const uint32_t t = threshold(k, bias);
        if (q < t) break;
        out += digit(t + (q - t) % (kBase - t));
        q = (q - t) / (kBase - t);
      }
      out += digit(q);
      bias = adapt(delta, done + 1, done == basic);
      delta = 0;
      ++done;
    }
    ++delta;
    ++n;
  }
  return "xn--" + out;
}

std::optional<std::string> decode(std::string_view code) {  // RFC 3492 §6.2, without the prefix
  std::vector<uint32_t> out;
  size_t in = 0;
  if (const size_t dash = code.rfind('-'); dash != std::string_view::npos) {
    for (char c : code.substr(0, dash)) out.push_back(static_cast<unsigned char>(c));
    in = dash + 1;
  }
  uint32_t n = kInitialN, i = 0, bias = kInitialBias;
  while (in < code.size()) {
    const uint32_t old = i;
    uint32_t w = 1;
    for (uint32_t k = kBase;; k += kBase) {
      if (in == code.size()) return std::nullopt;
      const char c = code[in++];
      if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) return std::nullopt;
      const uint32_t d = c >= 'a' ? static_cast<uint32_t>(c - 'a') : static_cast<uint32_t>(c - '0') + 26;
      if (d > (UINT32_MAX - i) / w) return std::nullopt;
      i += d * w;
      const uint32_t t = threshold(k, bias);
      if (d < t) break;
      if (w > UINT32_MAX / (kBase - t)) return std::nullopt;
      w *= kBase - t;
    }
    const auto size = static_cast<uint32_t>(out.size() + 1);
    bias = adapt(i - old, size, old == 0);
    if (i / size > UINT32_MAX - n) return std::nullopt;
    n += i / size;
    i %= size;
    if (n > 0x10ffff || (n >= 0xd800 && n < 0xe000)) return std::nullopt;
    out.insert(out.begin() + i, n);
    ++i;
  }
  std::string text;
  for (uint32_t cp : out) append_utf8(text, cp);
  return text;
}

std::optional<std::string> by_label(std::string_view name,
                                    const std::function<std::optional<std::string>(std::string_view)>& fn) {
  std::string out;
  for (size_t begin = 0;;) {
    const size_t dot = name.find('.', begin);
    const auto label = name.substr(begin, dot == std::string_view::npos ? dot : dot - begin);
    if (label.size() > kMaxLabel) return std::nullopt;
    auto other = fn(label);
    if (!other) return std::nullopt;
    out += *other;
    if (dot == std::string_view::npos) return out;
    out += '.';
    begin = dot + 1;
  }
}

}  // namespace

std::optional<std::string> to_punycode(std::string_view name) {
  if (!valid_utf8(name)) return std::nullopt;
  return by_label(name, [](std::string_view label) { return encode(label); });
}

std::optional<std::string> from_punycode(std::string_view name) {
  if (name.find("xn--") == std::string_view::npos) return std::nullopt;
  return by_label(name, [](std::string_view label) -> std::optional<std::string> {
    if (!label.starts_with("xn--")) return std::string(label);
    return decode(label.substr(4));
  });
}

}  // namespace entente::agreement::internal
