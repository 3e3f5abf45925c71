// MATCHES (STIX 2.1 §9.6.1): PCRE, search, DOTALL. What RE2 understands in the same way as PCRE runs there, in time
// linear in the value. The rest (back references, look-around, possessive and atomic groups, and the few places where
// both have a form but mean different things) runs in PCRE2 with its match limit; a value that goes over it is "limit
// reached".
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "pattern/internal/work.h"

namespace entente::pattern {

class Regex {
 public:
  // `octets`: no Unicode, one character is one octet (§9.6.4). kInvalid says what and at which character.
  static Result<std::shared_ptr<const Regex>> compile(std::string_view expression, bool octets);

  virtual ~Regex() = default;
  Regex() = default;
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // Thread-safe. False and work.limited if it would cost too much.
  [[nodiscard]] virtual bool search(std::string_view value, Work& work) const = 0;
  [[nodiscard]] virtual bool linear() const = 0;  // RE2
};

// The expression for RE2 with the same meaning; nullopt if it has to be PCRE2. For tests.
[[nodiscard]] std::optional<std::string> for_re2(std::string_view expression, bool octets);

}  // namespace entente::pattern
