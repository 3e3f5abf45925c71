#include "json/internal/locate.h"

#include <charconv>
#include <cmath>
#include <vector>

#include "base/bytes.h"

namespace entente::json {
namespace {

class Scanner {
 public:
  Scanner(std::string_view text, int max_depth) : text_(text), max_depth_(max_depth) {}

  // nullptr if the whole text is JSON.
  const char* run() {
    while (true) {
      skip_space();
      if (const char* what = value()) return what;
      if (opened_) continue;
      // After a value: close what ends here, then go on with the next member or element.
      while (true) {
        skip_space();
        if (inside_.empty()) return at_ == text_.size() ? nullptr : "something follows the JSON value";
        const bool object = inside_.back();
        if (peek() == (object ? '}' : ']')) {
          ++at_;
          inside_.pop_back();
          continue;
        }
        if (peek() != ',')
          return at_ == text_.size() ? "the text ends too early" : "expected a comma or the end of the list or object";
        ++at_;
        skip_space();
        if (object) {
          if (const char* what = name()) return what;
        }
        break;
      }
    }
  }
  [[nodiscard]] size_t at() const { return at_; }

 private:
  [[nodiscard]] int peek() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }
  void skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }
  static bool digit(int c) { return c >= '0' && c <= '9'; }

  const char* value() {
    opened_ = false;
    switch (peek()) {
      case -1:
        return text_.empty() ? "empty text where JSON was expected" : "the text ends too early";
      case '{':
      case '[':
        return open(peek() == '{');
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return peek() == '-' || digit(peek()) ? number() : "expected a value";
    }
  }

  const char* open(bool object) {
    if (static_cast<int>(inside_.size()) == max_depth_) return "nested too deeply";
    ++at_;
    inside_.push_back(object);
    skip_space();
    if (peek() == (object ? '}' : ']')) {
      ++at_;
      inside_.pop_back();
      return nullptr;
    }
    opened_ = true;
    return object ? name() : nullptr;
  }

  const char* name() {
    if (peek() != '"') return at_ == text_.size() ? "the text ends too early" : "expected a name in quotes";
    if (const char* what = string()) return what;
    skip_space();
    if (peek() != ':') return "expected a colon after the name";
    ++at_;
    skip_space();
    return nullptr;
  }

  const char* word(std::string_view w) {
    if (text_.substr(at_, w.size()) != w) return "expected a value";
    at_ += w.size();
    return nullptr;
  }

  const char* number() {
    const size_t from = at_;
    if (peek() == '-') ++at_;
    if (!digit(peek())) return "not a number";
    if (peek() == '0' && at_ + 1 < text_.size() && digit(text_[at_ + 1])) return "number with a leading zero";
    bool integer = true;
    while (digit(peek())) ++at_;
    if (peek() == '.') {
      integer = false;
      ++at_;
      if (!digit(peek())) return "not a number";
      while (digit(peek())) ++at_;
    }
    if (peek() == 'e' || peek() == 'E') {
      integer = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digit(peek())) return "not a number";
      while (digit(peek())) ++at_;
    }
    if (integer) return at_ - from > 19 ? back_to(from, "integer beyond 2^53-1") : nullptr;
    double d = 0;
    const auto parsed = std::from_chars(text_.data() + from, text_.data() + at_, d);
    if (parsed.ec == std::errc::result_out_of_range && !std::isfinite(d)) return back_to(from, "number too large");
    return parsed.ec == std::errc::result_out_of_range && huge(text_.substr(from, at_ - from))
               ? back_to(from, "number too large")
               : nullptr;
  }

  // std::from_chars leaves its result alone when out of range; only the exponent's sign tells overflow from underflow.
  static bool huge(std::string_view number) {
    const size_t e = number.find_first_of("eE");
    return e == std::string_view::npos || number[e + 1] != '-';
  }

  const char* back_to(size_t from, const char* what) {
    at_ = from;
    return what;
  }

  int hex4() {
    int v = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int c = peek();
      const int d = digit(c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
      if (c < 0 || d < 0) return -1;
      v = v << 4 | d;
    }
    return v;
  }

  const char* string() {
    ++at_;
    while (true) {
      const int c = peek();
      if (c < 0) return "a string without its closing quote";
      if (c == '"') break;
      if (c < 0x20) return "control character in a string";
      if (c == '\\') {
        const size_t from = at_++;
        const int e = peek();
        if (e == 'u') {
          ++at_;
          const int high = hex4();
          if (high < 0) return back_to(from, "escape that JSON does not have");
          if (high >= 0xdc00 && high <= 0xdfff) return back_to(from, "lone surrogate in a string");
          if (high >= 0xd800 && high <= 0xdbff) {
            if (text_.substr(at_, 2) != "\\u") return back_to(from, "lone surrogate in a string");
            at_ += 2;
            const int low = hex4();
            if (low < 0xdc00 || low > 0xdfff) return back_to(from, "lone surrogate in a string");
          }
          continue;
        }
        if (e < 0 || std::string_view("\"\\/bfnrt").find(static_cast<char>(e)) == std::string_view::npos) {
          return back_to(from, "escape that JSON does not have");
        }
      }
      if (c >= 0x80) {
        size_t n = 1;
        while (n <= 4 && !valid_utf8(text_.substr(at_, n))) ++n;
        if (n > 4) return "not UTF-8";
        at_ += n;
        continue;
      }
      ++at_;
    }
    ++at_;
    return nullptr;
  }

  std::string_view text_;
  int max_depth_;
  size_t at_ = 0;
  bool opened_ = false;
  std::vector<bool> inside_;  // true: object
};

}  // namespace

Error locate_fault(std::string_view text, int max_depth) {
  Scanner s(text, max_depth);
  const char* what = s.run();
  if (what == nullptr) return invalid("not JSON");
  size_t line = 1;
  size_t line_start = 0;
  for (size_t i = 0; i < s.at() && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++line;
      line_start = i + 1;
    }
  }
  return invalid(what, std::to_string(line) + ":" + std::to_string(s.at() - line_start + 1));
}

}  // namespace entente::json
