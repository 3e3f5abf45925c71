#include "agreement/internal/leak.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>

#include "agreement/internal/punycode.h"
#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

bool alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
// Ends of lines, tabs and the like are blanks: a text of several lines is found however its lines are ended or joined.
bool control(char c) { return static_cast<unsigned char>(c) < 0x20; }

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
      append_utf8(out, cp < 0x20 ? ' ' : cp);
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

// RFC 3986 §2.1; false if there is nothing to decode.
bool percent_decoded(std::string_view t, std::string& out) {
  out.clear();
  bool any = false;
  for (size_t i = 0; i < t.size(); ++i) {
    if (t[i] == '%' && i + 2 < t.size()) {
      const int a = hex_value(t[i + 1]), b = hex_value(t[i + 2]);
      if (a >= 0 && b >= 0) {
        const char c = static_cast<char>(a * 16 + b);
        out += control(c) ? ' ' : c;
        i += 2;
        any = true;
        continue;
      }
    }
    out += t[i];
  }
  return any;
}

// What in a text has to be undone before tokens can be compared with it. May see more than there is.
struct Disguises {
  bool escape = false, percent = false, defang = false;
};
Disguises disguises(std::string_view t) {
  // Sixteen octets at once. A defanged sign ends in a bracket after one of . t : @ / and "hxxp" is known by its xx.
  using Octets = uint8_t __attribute__((vector_size(16)));
  Octets escape{}, percent{}, defang{};
  const auto* p = reinterpret_cast<const uint8_t*>(t.data());
  const auto look = [&](const Octets before, const Octets now) {
    const Octets a = before | 0x20, b = now | 0x20;
    escape |= static_cast<Octets>(now == '\\');
    percent |= static_cast<Octets>(now == '%');
    defang |= static_cast<Octets>(((b == '}') | (b == ')')) &
                                  (((a | 1) == '/') | (a == 't') | (a == ':') | (a == ('@' | 0x20)))) |
              static_cast<Octets>((a == 'x') & (b == 'x'));
  };
  Octets before, now;
  size_t at = 1;
  for (; at + 16 <= t.size(); at += 16) {
    std::memcpy(&before, p + at - 1, 16);
    std::memcpy(&now, p + at, 16);
    look(before, now);
  }
  const size_t from = at - 1;  // the rest, and the first octet
  before = now = Octets{};
  if (from < t.size()) {
    std::memcpy(&before, p + from, std::min<size_t>(16, t.size() - from));
    std::memcpy(&now, p + at, t.size() - at < 16 ? t.size() - at : 0);
    look(before, now);
    escape |= static_cast<Octets>(before == '\\');
    percent |= static_cast<Octets>(before == '%');
  }
  const auto any = [](const Octets& v) {
    std::array<uint64_t, 2> w{};
    std::memcpy(w.data(), &v, 16);
    return (w[0] | w[1]) != 0;
  };
  Disguises out{any(escape), any(percent), any(defang)};
  if (!t.empty() && t[0] == '\\') out.escape = true;
  if (!t.empty() && t[0] == '%') out.percent = true;
  return out;
}

constexpr std::array<int8_t, 256> base64_values() {
  std::array<int8_t, 256> out{};
  out.fill(-1);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kAlphabet.size(); ++i) out[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  out['-'] = 62;  // RFC 4648 §5
  out['_'] = 63;
  return out;
}
constexpr std::array<int8_t, 256> kBase64 = base64_values();

// How many characters of base64 hold octets of the neighbour that stands `shift` octets before.
size_t cut_of(uint8_t shift) { return shift == 0 ? 0 : size_t{shift} + 1; }

}  // namespace

// Every replacement is shorter or as long, so it is done in place.
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

std::string_view core_of(std::string_view token) {
  const auto outer = [](char c) { return static_cast<unsigned char>(c) <= 0x20; };
  while (!token.empty() && outer(token.front())) token.remove_prefix(1);
  while (!token.empty() && outer(token.back())) token.remove_suffix(1);
  return token;
}

std::string folded(std::string_view token) {
  std::string out(token);
  fold(out);
  return out;
}

void LeakScanner::add_plain(std::string_view text, uint32_t number, bool word) {
  needles_.push_back({pool_.size(), static_cast<uint32_t>(text.size()), number, word ? Form::kWord : Form::kPlain, 0});
  pool_ += text;
}

// Inside a longer base64 text a token stands at one of three offsets.
void LeakScanner::add_encoded(std::string_view text, uint32_t number) {
  const size_t begin = pool_.size();
  pool_ += text;
  for (uint8_t shift = 0; shift < 3; ++shift)
    needles_.push_back({begin, static_cast<uint32_t>(text.size()), number, Form::kEncoded, shift});
}

bool LeakScanner::add(std::string_view token, uint32_t number, bool word) {
  std::string plain(token);
  fold(plain);
  if (plain.size() < kMinBytes) return false;
  add_encoded(token, number);
  if (plain != token) add_encoded(plain, number);
  std::ranges::replace_if(plain, control, ' ');
  if (plain.find('.') != std::string::npos && plain.find(' ') == std::string::npos) {
    if (auto other = to_punycode(plain); other && *other != plain) add_plain(*other, number, word);
    if (auto other = from_punycode(plain); other && *other != plain) add_plain(*other, number, word);
  }
  add_plain(plain, number, word);
  return true;
}

void LeakScanner::compile() {
  size_t shortest = long_.window() - 1;
  for (const Needle& n : needles_)
    if (n.form != Form::kEncoded) shortest = std::min<size_t>(shortest, n.size);
  short_.set_window(std::max(shortest, kMinBytes));
  for (uint32_t i = 0; i < needles_.size(); ++i) {
    const Needle& n = needles_[i];
    if (n.form != Form::kEncoded) {
      (n.size >= long_.window() ? long_ : short_).add(text_of(n), i);
      continue;
    }
    // The characters that it shares with its neighbours are cut, and looked at once the rest is found (decodes_at).
    std::string code = base64(std::string(n.shift, '\0').append(text_of(n)));
    while (!code.empty() && code.back() == '=') code.pop_back();
    if ((n.shift + n.size) % 3 != 0 && !code.empty()) code.pop_back();
    code.erase(0, cut_of(n.shift));
    if (code.size() >= long_.window()) long_.add(code, i, true);
  }
  long_.compile();
  short_.compile();
}

bool LeakScanner::stands_at(const Needle& needle, std::string_view text, size_t at) const {
  const std::string_view what = text_of(needle);
  if (text.size() - at < what.size()) return false;
  for (size_t k = 0; k < what.size(); ++k)
    if (lower(text[at + k]) != what[k]) return false;
  if (needle.form != Form::kWord) return true;
  const size_t end = at + what.size();
  return !(at > 0 && alnum(text[at - 1]) && alnum(what.front())) &&
         !(end < text.size() && alnum(text[end]) && alnum(what.back()));
}

// RFC 4648 §4 and §5. Names that differ in their last octet alone share every character that was looked for.
bool LeakScanner::decodes_at(const Needle& needle, std::string_view text, size_t at) const {
  const std::string_view what = text_of(needle);
  uint32_t bits = 0, have = 0;
  size_t octets = 0;  // decoded, with those of the neighbour
  const size_t all = needle.shift + what.size();
  for (size_t i = at; i < text.size() && octets < all; ++i) {
    const int8_t value = kBase64[static_cast<uint8_t>(text[i])];
    if (value < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    if (octets >= needle.shift && static_cast<char>(bits >> have & 0xff) != what[octets - needle.shift]) return false;
    ++octets;
  }
  return octets == all;
}

template <class Fn>
void LeakScanner::run(std::string_view text, Which which, Fn fn) const {
  const auto look = [&](uint32_t number, size_t offset, size_t at) {
    const Needle& n = needles_[number];
    const bool encoded = n.form == Form::kEncoded;
    if ((which & (encoded ? kEncodedOnes : kPlainOnes)) == 0) return;
    const size_t before = encoded ? offset + cut_of(n.shift) : offset;
    if (at < before) return;
    if (encoded ? decodes_at(n, text, at - before) : stands_at(n, text, at - before)) fn(n.number, !encoded);
  };
  long_.scan(text, look);
  if ((which & kPlainOnes) != 0) short_.scan(text, look);
}

// What is plain in `text` is found again once percent-encoding is undone; only what is there more often was hidden.
void LeakScanner::hidden_by_percent(std::string_view text, std::string_view decoded, const Found& fn) const {
  std::unordered_map<uint32_t, int> extra;
  run(decoded, kPlainOnes, [&extra](uint32_t n, bool) { ++extra[n]; });
  if (extra.empty()) return;
  run(text, kPlainOnes, [&extra](uint32_t n, bool) { --extra[n]; });
  for (const auto& [n, more] : extra)
    if (more > 0) fn(n, false);
}

void LeakScanner::scan(std::string_view raw, const Found& fn) const {
  if (needles_.empty()) return;
  Disguises found = disguises(raw);
  std::string text, decoded;
  if (found.escape) {
    text = unescaped(raw);
    raw = text;
    found = disguises(text);
  }
  if (!found.percent && !found.defang) return run(raw, kAll, fn);
  run(raw, kEncodedOnes, fn);
  const bool percent = found.percent && percent_decoded(raw, decoded);
  if (raw.data() != text.data()) text = raw;
  fold(text);
  if (percent) {
    fold(decoded);
    hidden_by_percent(text, decoded, fn);
  }
  run(text, kPlainOnes, fn);
}

}  // namespace entente::agreement::internal
