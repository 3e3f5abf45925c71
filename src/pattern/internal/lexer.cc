#include "pattern/internal/lexer.h"

#include <array>

#include "base/bytes.h"

namespace entente::pattern {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }
bool word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool word_char(char c) { return word_start(c) || digit(c) || c == '-'; }

// Length of the white space at the start of `s`: any code point with the property White_Space (§9.2); 0 if there is
// none.
size_t blank_length(std::string_view s) {
  const auto u = [&](size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
  if (u(0) == 0x20 || (u(0) >= 0x09 && u(0) <= 0x0d)) return 1;
  if (u(0) == 0xc2 && (u(1) == 0x85 || u(1) == 0xa0)) return 2;                                  // U+0085 U+00A0
  if (u(0) == 0xe1 && u(1) == 0x9a && u(2) == 0x80) return 3;                                    // U+1680
  if (u(0) == 0xe2 && u(1) == 0x80 && u(2) >= 0x80 && u(2) <= 0x8a) return 3;                    // U+2000..200A
  if (u(0) == 0xe2 && u(1) == 0x80 && (u(2) == 0xa8 || u(2) == 0xa9 || u(2) == 0xaf)) return 3;  // U+2028 2029 202F
  if (u(0) == 0xe2 && u(1) == 0x81 && u(2) == 0x9f) return 3;                                    // U+205F
  if (u(0) == 0xe3 && u(1) == 0x80 && u(2) == 0x80) return 3;                                    // U+3000
  return 0;
}

}  // namespace

std::string place(std::string_view text, size_t at) {
  size_t line = 1;
  size_t column = 1;
  for (size_t i = 0; i < at && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++line;
      column = 1;
    } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
      ++column;
    }
  }
  return std::to_string(line) + ":" + std::to_string(column);
}

Token Lexer::make(TokenKind kind, size_t start) const {
  Token t;
  t.kind = kind;
  t.text = text_.substr(start, at_ - start);
  t.at = start;
  return t;
}

// White space and the comments that the OASIS grammar allows.
Status Lexer::skip_blank() {
  while (at_ < text_.size()) {
    if (const size_t n = blank_length(text_.substr(at_)); n != 0) {
      at_ += n;
    } else if (peek() == '/' && peek(1) == '/') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (peek() == '/' && peek(1) == '*') {
      const size_t end = text_.find("*/", at_ + 2);
      if (end == std::string_view::npos) return invalid("comment without end", place(text_, at_), "close it with */");
      at_ = end + 2;
    } else {
      break;
    }
  }
  return {};
}

Result<Token> Lexer::next() {
  CHECK_OK(skip_blank());
  const size_t start = at_;
  if (at_ == text_.size()) return make(TokenKind::kEnd, start);
  const char c = peek();
  if ((c == 't' || c == 'h' || c == 'b') && peek(1) == '\'') {
    const auto kind = c == 't' ? TokenKind::kTime : c == 'h' ? TokenKind::kHex : TokenKind::kBinary;
    return literal(kind, start, start + 1);
  }
  if (c == '\'') return literal(TokenKind::kString, start, start);
  if (word_start(c)) return word(start);
  if (digit(c) || c == '-' || c == '+' || (c == '.' && digit(peek(1)))) return number(start);

  struct Symbol {
    std::string_view written, meant;
  };
  static constexpr std::array kSymbols = {
      Symbol{"==", "="},  Symbol{"<>", "!="}, Symbol{"!=", "!="}, Symbol{"<=", "<="},
      Symbol{">=", ">="}, Symbol{"=", "="},   Symbol{"<", "<"},   Symbol{">", ">"},
      Symbol{"[", "["},   Symbol{"]", "]"},   Symbol{"(", "("},   Symbol{")", ")"},
      Symbol{",", ","},   Symbol{":", ":"},   Symbol{".", "."},   Symbol{"*", "*"},
  };
  for (const auto& symbol : kSymbols) {
    if (!text_.substr(at_).starts_with(symbol.written)) continue;
    at_ += symbol.written.size();
    Token t = make(TokenKind::kSymbol, start);
    t.text = symbol.meant;
    return t;
  }
  // The whole code point, so that the message stays valid UTF-8.
  do {
    ++at_;
  } while (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) & 0xc0) == 0x80);
  const auto bad = text_.substr(start, at_ - start);
  return invalid("unexpected character \"" + printable(bad) + "\"", place(text_, start),
                 bad == "\"" ? "strings are written in single quotes" : "");
}

Result<Token> Lexer::word(size_t start) {
  Token t;
  bool hyphen = false;
  while (word_char(peek()) && at_ < text_.size()) {
    hyphen = hyphen || peek() == '-';
    ++at_;
  }
  t = make(TokenKind::kWord, start);
  t.hyphen = hyphen;
  return t;
}

// integer -?(0|[1-9]d*), float -?d*.d+; a leading plus is read as well and reported by the parser (§9.2).
Result<Token> Lexer::number(size_t start) {
  if (peek() == '-' || peek() == '+') ++at_;
  const size_t first = at_;
  while (digit(peek())) ++at_;
  const size_t whole = at_ - first;
  if (peek() == '.' && digit(peek(1))) {
    ++at_;
    while (digit(peek())) ++at_;
    return make(TokenKind::kFloat, start);
  }
  if (whole == 0) return invalid("a sign without a number", place(text_, start));
  if (peek() == '.') {
    return invalid("a number that ends in a dot", place(text_, start), "write at least one digit after the dot");
  }
  if (whole > 1 && text_[first] == '0') {
    return invalid("an integer with leading zeros", place(text_, start), "leave the zeros out");
  }
  return make(TokenKind::kInteger, start);
}

// Everything in quotes. Only \' and \\ are escapes, in all kinds.
Result<Token> Lexer::literal(TokenKind kind, size_t start, size_t quote) {
  std::string value;
  for (at_ = quote + 1;; ++at_) {
    if (at_ >= text_.size()) {
      return invalid("a quote that is not closed", place(text_, start), "end the constant with '");
    }
    char c = text_[at_];
    if (c != '\'' && c != '\\') {
      const size_t end = std::min(text_.find_first_of("'\\", at_), text_.size());
      value += text_.substr(at_, end - at_);
      at_ = end - 1;
      continue;
    }
    if (c == '\'') break;
    if (c == '\\') {
      c = peek(1);
      if (c != '\'' && c != '\\') {
        return invalid("a backslash that escapes nothing", place(text_, at_),
                       "write \\\\ for a backslash, \\' for a quote");
      }
      ++at_;
    }
    value += c;
  }
  ++at_;
  Token t = make(kind, start);
  if (kind == TokenKind::kHex) {
    auto octets = unhex(value);
    if (!octets.ok()) return invalid("h'' needs an even number of hex digits", place(text_, start));
    t.value = std::move(octets).value();
  } else if (kind == TokenKind::kBinary) {
    std::erase_if(value, [](char c) { return c == '\n' || c == '\r'; });
    auto octets = unbase64(value);
    if (!octets.ok() || value.empty()) return invalid("b'' needs padded base64 text", place(text_, start));
    t.value = std::move(octets).value();
  } else {
    t.value = std::move(value);
  }
  return t;
}

}  // namespace entente::pattern
