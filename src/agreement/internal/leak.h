// Finds tokens (ids, names, values) in JSON text, however they are written there: plain, JSON-escaped, in any ASCII
// case, defanged, percent-encoded, base64 or base64url, and names of the domain system in Unicode or Punycode. Cost is
// linear in the octets scanned; most texts are passed over once, four octets at a time, as they are (internal/sieve.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/internal/sieve.h"

namespace entente::agreement::internal {

// Without the blanks and ends of lines around it: they are no part of a name.
[[nodiscard]] std::string_view core_of(std::string_view token);

// ASCII lower case, defanging undone: the form in which tokens are compared.
[[nodiscard]] std::string folded(std::string_view token);
void fold(std::string& text);

class LeakScanner {
 public:
  static constexpr size_t kMinBytes = 3;  // shorter tokens would be in every text

  // `word`: counts only where it does not continue to a longer word. Returns false if the token is too short to be
  // looked for.
  bool add(std::string_view token, uint32_t number, bool word);
  // After the last add.
  void compile();
  // fn(number, plain): plain is false where the token was hidden in base64 or percent-encoding. A token may be reported
  // many times.
  using Found = std::function<void(uint32_t, bool)>;
  void scan(std::string_view raw, const Found& fn) const;

 private:
  enum class Form : uint8_t { kPlain, kWord, kEncoded };
  struct Needle {
    size_t begin = 0;   // in pool_: folded text, or the octets that were encoded
    uint32_t size = 0;  // of them
    uint32_t number = 0;
    Form form = Form::kPlain;
    uint8_t shift = 0;  // kEncoded: how many octets of its neighbour stand before it in its first group of base64
  };
  // What a run over a text looks for.
  enum Which : uint8_t { kPlainOnes = 1, kEncodedOnes = 2, kAll = 3 };
  template <class Fn>
  void run(std::string_view text, Which which, Fn fn) const;
  [[nodiscard]] bool stands_at(const Needle& needle, std::string_view text, size_t at) const;
  [[nodiscard]] bool decodes_at(const Needle& needle, std::string_view text, size_t at) const;
  void hidden_by_percent(std::string_view text, std::string_view decoded, const Found& fn) const;
  void add_plain(std::string_view text, uint32_t number, bool word);
  void add_encoded(std::string_view text, uint32_t number);
  [[nodiscard]] std::string_view text_of(const Needle& n) const {
    return std::string_view(pool_).substr(n.begin, n.size);
  }

  std::string pool_;
  std::vector<Needle> needles_;
  Sieve long_{8, 5};  // plain ones of eight octets and more, and all that are encoded
  Sieve short_{3, 3};
};

}  // namespace entente::agreement::internal
