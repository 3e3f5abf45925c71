// The fast path over raw lines: finds the lines that hold a value the index knows, without taking any line apart.
// Blocks of 64 octets become bit masks (one bit per octet and class), masks become tokens, tokens are hashed where they
// stand and asked of the filters in batches, and only what the table confirms makes its line worth parsing. The rules
// of what is a word are those of internal/tokens; a line is never passed over that those rules, applied to its fields,
// would find something in. Where raw text cannot tell (escapes, letters beyond ASCII), the line is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "detect/hunt.h"
#include "detect/internal/table.h"

namespace entente::detect {

enum class Form : uint8_t {
  kJson,  // names of members are passed over; \u and control escapes make a line needed
  kTsv,   // \x does
  kText   // defanged dots do, and escapes in lines that end like JSON
};

class Scanner {
 public:
  static constexpr size_t kPad = 160;  // octets before and after the text that must be readable

  explicit Scanner(const Table& table, Kernel kernel = kernels().back());
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;
  ~Scanner();

  // Appends where the lines end (offsets of '\n') and, ascending, one offset or more inside each line that is needed.
  // `exact`: names of members and defanged values count in JSON and TSV too, as they do where such a line turns out to
  // be broken and is searched as text. Requires: the text ends with '\n', is below 2 GiB and has kPad readable octets
  // on both sides.
  void scan(std::string_view text, Form form, bool exact, std::vector<uint32_t>& ends, std::vector<uint32_t>& needed);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace entente::detect
