#include "agreement/internal/leak.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "agreement/internal/punycode.h"
#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

bool alnum(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& out, uint32_t cp) {
  if (cp < 0x80) {
    out += static_cast<char>(cp);
  } else if (cp < 0x800) {
    out += static_cast<char>(0xc0 | (cp >> 6));
    out += static_cast<char>(0x80 | (cp & 0x3f));
  } else if (cp < 0x10000) {
    out += static_cast<char>(0xe0 | (cp >> 12));
    out += static_cast<char>(0x80 | ((cp >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (cp & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (cp >> 18));
    out += static_cast<char>(0x80 | ((cp >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((cp >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (cp & 0x3f));
  }
}

int read_u16(std::string_view t, size_t at) {
  if (at + 4 > t.size()) return -1;
  int v = 0;
  for (size_t k = 0; k < 4; ++k) {
    const int h = hex_value(t[at + k]);
    if (h < 0) return -1;
    v = v * 16 + h;
  }
  return v;
}

// JSON string escapes undone over the whole text (RFC 8259 §7); everything else is kept.
std::string unescaped(std::string_view t) {
  if (t.find('\\') == std::string_view::npos) return std::string(t);
  std::string out;
  out.reserve(t.size());
  for (size_t i = 0; i < t.size(); ++i) {
    if (t[i] != '\\' || i + 1 == t.size()) {
      out += t[i];
      continue;
    }
    const char c = t[++i];
    if (c == 'u') {
      int v = read_u16(t, i + 1);
      if (v < 0) continue;
      i += 4;
      auto cp = static_cast<uint32_t>(v);
      if (v >= 0xd800 && v < 0xdc00 && i + 2 < t.size() && t[i + 1] == '\\' && t[i + 2] == 'u') {
        const int w = read_u16(t, i + 3);
        if (w >= 0xdc00 && w < 0xe000) {
          cp = 0x10000 + ((static_cast<uint32_t>(v) - 0xd800) << 10) + (static_cast<uint32_t>(w) - 0xdc00);
          i += 6;
        }
      }
      append_utf8(out, cp);
    } else {
      out += c == 'n' || c == 't' || c == 'r' || c == 'b' || c == 'f' ? ' ' : c;
    }
  }
  return out;
}

struct Defang {
  std::string_view from, to;
};
constexpr std::array<Defang, 12> kDefang = {{{"[.]", "."},
                                             {"(.)", "."},
                                             {"{.}", "."},
                                             {"[dot]", "."},
                                             {"(dot)", "."},
                                             {"{dot}", "."},
                                             {"[:]", ":"},
                                             {"[@]", "@"},
                                             {"(@)", "@"},
                                             {"[at]", "@"},
                                             {"[://]", "://"},
                                             {"hxxp", "http"}}};

// Lower case and defanging undone; every replacement is shorter or as long, so it is done in place.
void fold(std::string& t) {
  size_t w = 0;
  for (size_t i = 0; i < t.size();) {
    const char c = lower(t[i]);
    t[i] = c;
    if (c == '[' || c == '(' || c == '{' || c == 'h') {
      bool hit = false;
      for (const Defang& d : kDefang) {
        if (d.from[0] != c || t.size() - i < d.from.size()) continue;
        bool same = true;
        for (size_t k = 1; same && k < d.from.size(); ++k) same = lower(t[i + k]) == d.from[k];
        if (!same) continue;
        std::memcpy(t.data() + w, d.to.data(), d.to.size());
        w += d.to.size();
        i += d.from.size();
        hit = true;
        break;
      }
      if (hit) continue;
    }
    t[w++] = c;
    ++i;
  }
  t.resize(w);
}

// RFC 3986 §2.1; false if there is nothing to decode.
bool percent_decoded(std::string_view t, std::string& out) {
  out.clear();
  bool any = false;
  for (size_t i = 0; i < t.size(); ++i) {
    if (t[i] == '%' && i + 2 < t.size()) {
      const int a = hex_value(t[i + 1]), b = hex_value(t[i + 2]);
      if (a >= 0 && b >= 0) {
        out += static_cast<char>(a * 16 + b);
        i += 2;
        any = true;
        continue;
      }
    }
    out += t[i];
  }
  return any;
}

template <size_t kKey>
uint64_t key_at(const char* end) {
  uint64_t k = 0;
  std::memcpy(&k, end - kKey, kKey);
  return k;
}

uint64_t mixed(uint64_t key) { return key * 0x9e3779b97f4a7c15u; }

}  // namespace

std::string folded(std::string_view token) {
  std::string out(token);
  fold(out);
  return out;
}

template <size_t kKey>
void LeakScanner::Table<kKey>::compile() {
  const int bits = std::clamp(static_cast<int>(std::bit_width(needles.size() * 16)), 10, 26);
  shift = 64 - bits;
  // How often each window of any needle occurs; a collision only makes the choice a little worse.
  std::vector<uint32_t> seen(size_t{1} << bits, 0);
  auto windows = [](const Needle& n, auto fn) {
    const size_t step = std::max<size_t>(1, n.text.size() / 64);
    for (size_t end = n.text.size(); end >= kKey; end = end > step ? end - step : 0) fn(end);
  };
  for (const Needle& n : needles)
    windows(n, [&](size_t end) { ++seen[mixed(key_at<kKey>(n.text.data() + end)) >> shift]; });
  bitmap.assign((size_t{1} << bits) / 64, 0);
  first.reserve(needles.size());
  for (uint32_t i = 0; i < needles.size(); ++i) {
    Needle& n = needles[i];
    uint32_t fewest = UINT32_MAX;
    windows(n, [&](size_t end) {
      const uint32_t count = seen[mixed(key_at<kKey>(n.text.data() + end)) >> shift];
      if (count >= fewest) return;
      fewest = count;
      n.key_end = static_cast<uint32_t>(end);
    });
    const uint64_t key = key_at<kKey>(n.text.data() + n.key_end);
    auto [it, fresh] = first.emplace(key, i + 1);
    if (!fresh) {
      n.next = it->second;
      it->second = i + 1;
    }
    const uint64_t slot = mixed(key) >> shift;
    bitmap[slot / 64] |= uint64_t{1} << (slot % 64);
  }
}

template <size_t kKey>
void LeakScanner::Table<kKey>::scan(std::string_view text,
                                    const std::function<void(const Needle&, size_t at)>& fn) const {
  if (needles.empty() || text.size() < kKey) return;
  const char* begin = text.data();
  const char* stop = begin + text.size();
  for (const char* at = begin + kKey; at <= stop; ++at) {
    const uint64_t key = key_at<kKey>(at);
    const uint64_t slot = mixed(key) >> shift;
    if ((bitmap[slot / 64] >> (slot % 64) & 1) == 0) continue;
    auto it = first.find(key);
    if (it == first.end()) continue;
    for (uint32_t n = it->second; n != 0; n = needles[n - 1].next) {
      const Needle& needle = needles[n - 1];
      const size_t len = needle.text.size();
      if (static_cast<size_t>(at - begin) < needle.key_end || static_cast<size_t>(stop - at) < len - needle.key_end)
        continue;
      const char* from = at - needle.key_end;
      const char* end = from + len;
      if (std::memcmp(from, needle.text.data(), len) != 0) continue;
      if (needle.word) {
        if (from > begin && alnum(static_cast<unsigned char>(from[-1])) && alnum(static_cast<unsigned char>(from[0])))
          continue;
        if (end < stop && alnum(static_cast<unsigned char>(end[0])) && alnum(static_cast<unsigned char>(end[-1])))
          continue;
      }
      fn(needle, static_cast<size_t>(from - begin));
    }
  }
}

void LeakScanner::add_plain(std::string text, uint32_t number, bool word) {
  if (text.size() >= 8)
    long_.needles.push_back({std::move(text), number, word, 0, 0, {}, 0});
  else
    short_.needles.push_back({std::move(text), number, word, 0, 0, {}, 0});
}

// Inside a longer base64 text a token stands at one of three offsets; the characters that it shares with its neighbours
// are cut, and looked at once the rest is found (decodes_to).
void LeakScanner::add_encoded(std::string_view text, uint32_t number) {
  for (size_t shift = 0; shift < 3; ++shift) {
    std::string padded(shift, '\0');
    padded += text;
    std::string code = base64(padded);
    while (!code.empty() && code.back() == '=') code.pop_back();
    if (padded.size() % 3 != 0 && !code.empty()) code.pop_back();
    code.erase(0, shift == 0 ? 0 : shift + 1);
    if (code.size() >= 8)
      encoded_.needles.push_back(
          {std::move(code), number, false, 0, 0, std::string(text), static_cast<uint32_t>(shift)});
  }
}

// RFC 4648 §4. Names that differ in their last octet alone share every character that was looked for.
bool LeakScanner::decodes_to(const Needle& needle, std::string_view text, size_t at) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const size_t cut = needle.shift == 0 ? 0 : needle.shift + 1;
  if (at < cut) return false;
  std::string octets;
  uint32_t bits = 0, have = 0;
  for (size_t i = at - cut; i < text.size() && octets.size() < needle.shift + needle.octets.size(); ++i) {
    const size_t value = kAlphabet.find(text[i]);
    if (value == std::string_view::npos) break;
    bits = bits << 6 | static_cast<uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    octets += static_cast<char>(bits >> have & 0xff);
  }
  return octets.size() >= needle.shift && std::string_view(octets).substr(needle.shift) == needle.octets;
}

bool LeakScanner::add(std::string_view token, uint32_t number, bool word) {
  std::string plain(token);
  fold(plain);
  if (plain.size() < kMinBytes) return false;
  add_encoded(token, number);
  if (plain != token) add_encoded(plain, number);
  if (plain.find('.') != std::string::npos && plain.find(' ') == std::string::npos) {
    if (auto other = to_punycode(plain); other && *other != plain) add_plain(std::move(*other), number, word);
    if (auto other = from_punycode(plain); other && *other != plain) add_plain(std::move(*other), number, word);
  }
  add_plain(std::move(plain), number, word);
  return true;
}

void LeakScanner::compile() {
  long_.compile();
  short_.compile();
  encoded_.compile();
}

void LeakScanner::scan(std::string_view raw, const std::function<void(uint32_t, bool)>& fn) const {
  auto plain = [&fn](const Needle& n, size_t) { fn(n.number, true); };
  std::string text = unescaped(raw);
  std::string spare;
  if (!encoded_.needles.empty()) {
    auto hidden_in = [&fn](const std::string& where) {
      return [&fn, &where](const Needle& n, size_t at) {
        if (decodes_to(n, where, at)) fn(n.number, false);
      };
    };
    encoded_.scan(text, hidden_in(text));
    if (text.find_first_of("-_") != std::string::npos) {  // the alphabet of RFC 4648 §5
      spare = text;
      std::replace(spare.begin(), spare.end(), '-', '+');
      std::replace(spare.begin(), spare.end(), '_', '/');
      encoded_.scan(spare, hidden_in(spare));
    }
  }
  if (text.find('%') != std::string::npos && percent_decoded(text, spare)) {
    fold(spare);
    // What is plain is found again here; only what is there more often than before was hidden.
    std::unordered_map<uint32_t, int> extra;
    auto count = [&extra](const Needle& n, size_t) { ++extra[n.number]; };
    long_.scan(spare, count);
    short_.scan(spare, count);
    fold(text);
    auto less = [&extra](const Needle& n, size_t) { --extra[n.number]; };
    long_.scan(text, less);
    short_.scan(text, less);
    for (const auto& [n, more] : extra)
      if (more > 0) fn(n, false);
  } else {
    fold(text);
  }
  long_.scan(text, plain);
  short_.scan(text, plain);
}

}  // namespace entente::agreement::internal
