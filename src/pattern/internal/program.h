// A pattern made ready to be evaluated: names as indexes, constants prepared, brackets flat, the temporal part as a
// Plan. Immutable.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pattern/internal/ast.h"
#include "pattern/internal/plan.h"
#include "pattern/internal/regex.h"
#include "pattern/internal/text.h"
#include "pattern/observation.h"
#include "pattern/symbols.h"

namespace entente::pattern {

struct StepCode {
  Step::Kind kind = Step::Kind::kKey;
  uint32_t name = 0;  // kKey: index into Program::names
  int64_t index = 0;
};

// What a constant needs besides the tree's own: prepared once.
struct Prepared {
  std::string octets;  // string constant: Latin-1 octets; LIKE: NFC text
  bool has_octets = false;
  std::shared_ptr<const Regex> text_regex;   // MATCHES on strings
  std::shared_ptr<const Regex> octet_regex;  // MATCHES on octets; null if the expression has code points over U+00FF
  std::optional<Block> block;                // ISSUBSET, ISSUPERSET
};

struct TestCode {
  const Test* test = nullptr;  // in the tree that the program keeps
  uint32_t type = 0;           // index into Program::names
  uint32_t first_step = 0;
  uint32_t step_count = 0;
  int32_t prepared = -1;  // of the only constant, for LIKE, MATCHES and the set operators
  bool any = false;       // has a [*] step
};

struct NodeCode {
  Comparison::Kind kind = Comparison::Kind::kTest;
  uint32_t first = 0;  // kTest: index of the test; else of the first child in Program::children
  uint32_t count = 0;
};

struct BracketCode {
  uint32_t root = 0;            // index of its NodeCode
  std::vector<uint32_t> types;  // distinct, indexes into Program::names
  const Comparison* tree = nullptr;
};

struct Program {
  std::shared_ptr<const Ast> ast;
  std::vector<std::string_view> names;  // views into the tree
  std::vector<StepCode> steps;
  std::vector<Prepared> prepared;
  std::vector<TestCode> tests;
  std::vector<NodeCode> nodes;
  std::vector<uint32_t> children;
  std::vector<BracketCode> brackets;
  Plan plan;

  // kInvalid: a regular expression that is none, with its place in the pattern.
  static Result<std::shared_ptr<const Program>> make(std::shared_ptr<const Ast> ast);
};

// The names of a program in a table of symbols.
[[nodiscard]] std::vector<Symbol> bind_names(const Program& program, const Symbols& symbols);

// One bracket over one root object of an observation (§9.6: a test is evaluated per root).
[[nodiscard]] bool matches(const Program& program, std::span<const Symbol> names, const BracketCode& bracket,
                           const Observations& data, const Observed& observed, uint32_t object, Work& work);

}  // namespace entente::pattern
