// Tokens of the pattern language (STIX 2.1 §9.2), with their place. One token at a time, no allocation but for
// literals.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace entente::pattern {

enum class TokenKind : uint8_t {
  kEnd,
  kWord,     // keyword, type or property name; `hyphen` tells whether one is in it
  kInteger,  // "-12"
  kFloat,    // "-.5"
  kString,   // value: unescaped
  kTime,     // t'…', value: between the quotes
  kHex,      // h'…', value: octets
  kBinary,   // b'…', value: octets
  kSymbol,   // [ ] ( ) , : . * = != < <= > >=   ("==" and "<>" arrive as "=" and "!=")
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // as written
  std::string value;      // literals
  bool hyphen = false;
  size_t at = 0;  // octet offset
};

class Lexer {
 public:
  // Requires: valid UTF-8.
  explicit Lexer(std::string_view text) : text_(text) {}
  Result<Token> next();

 private:
  Status skip_blank();
  Result<Token> word(size_t start);
  Result<Token> number(size_t start);
  Result<Token> literal(TokenKind kind, size_t start, size_t quote);
  [[nodiscard]] Token make(TokenKind kind, size_t start) const;
  [[nodiscard]] char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  std::string_view text_;
  size_t at_ = 0;
};

// "3:14": 1-based line and column, the column in code points.
[[nodiscard]] std::string place(std::string_view text, size_t at);

}  // namespace entente::pattern
