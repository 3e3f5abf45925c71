// Validation against STIX 2.1: MUST violations are errors, SHOULD violations warnings, each with a stable code, a JSON
// pointer and a sentence that cites the rule. The whole report, never only the first.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"

namespace entente::stix {

struct Finding {
  enum class Level : uint8_t { kError, kWarning };
  std::string_view code;  // "S6-id-type"; static storage
  Level level = Level::kError;
  std::string pointer;  // JSON pointer in the object
  std::string message;  // what, and the section of the standard
};

struct ValidateOptions {
  bool strict = false;   // unknown properties and custom content are errors
  bool warnings = true;  // false: errors only (the fast path of admission)
};

// One entry per rule; the table is docs/stix-codes.md.
struct CodeInfo {
  std::string_view code;
  Finding::Level level = Finding::Level::kError;
  bool strict_error = false;  // a warning that ValidateOptions::strict makes an error
  std::string_view section;   // of STIX 2.1
  std::string_view rule;      // one sentence
};
[[nodiscard]] std::span<const CodeInfo> codes();

// Appends findings to `out`; returns whether there was no error. Thread-safe, does not allocate when there is nothing
// to report (but, with warnings, to recompute the deterministic id of an observable).
bool validate(const json::Value& object, const ValidateOptions& options, std::vector<Finding>& out);

}  // namespace entente::stix
