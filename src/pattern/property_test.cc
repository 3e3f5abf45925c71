// Properties of parser and printer over random trees and broken texts.
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "pattern/internal/ast.h"
#include "pattern/internal/parser.h"
#include "pattern/pattern.h"

namespace entente::pattern {
namespace {

int number(int low, int high) { return *rc::gen::inRange(low, high + 1); }

std::string text() {
  static const std::vector<std::string> kPieces = {"a", "B", "7",  "_", "-",  ".",  "'",  "\\",
                                                   "%", " ", "\n", "é", "漢", "😀", "/*", "AND"};
  std::string s;
  for (int i = number(0, 6); i > 0; --i)
    s += kPieces[static_cast<size_t>(number(0, static_cast<int>(kPieces.size()) - 1))];
  return s;
}

Constant time_constant() {
  Constant c;
  c.kind = Constant::Kind::kTimestamp;
  c.text = "20" + std::to_string(number(10, 99)) + "-02-28T23:59:59." + std::to_string(number(0, 999)) + "Z";
  c.time = *stix::parse_timestamp(c.text);
  return c;
}

Constant constant_of(Constant::Kind kind) {
  Constant c;
  c.kind = kind;
  switch (kind) {
    case Constant::Kind::kInteger:
      c.integer = *rc::gen::arbitrary<int64_t>();
      break;
    case Constant::Kind::kFloat:
      c.real = *rc::gen::arbitrary<double>();
      break;
    case Constant::Kind::kString:
      c.text = text();
      break;
    case Constant::Kind::kBoolean:
      c.boolean = number(0, 1) == 1;
      break;
    case Constant::Kind::kTimestamp:
      return time_constant();
    case Constant::Kind::kHex:
    case Constant::Kind::kBinary:
      c.text = *rc::gen::nonEmpty(rc::gen::string<std::string>());
      break;
  }
  return c;
}

Path path() {
  Path p;
  p.type = number(0, 1) == 0 ? "ipv4-addr" : "x_type9";
  for (int i = number(1, 4); i > 0; --i) {
    Step s;
    const int kind = p.steps.empty() ? 0 : number(0, 4);
    if (kind == 3) {
      s.kind = Step::Kind::kIndex;
      s.index = number(-1, 50);
    } else if (kind == 4) {
      s.kind = Step::Kind::kAny;
    } else {
      s.key = number(0, 2) == 0 ? text() : "value_" + std::to_string(number(0, 9));
    }
    p.steps.push_back(std::move(s));
  }
  return p;
}

Test test() {
  Test t;
  t.path = path();
  t.op = static_cast<Op>(number(0, static_cast<int>(Op::kExists)));
  t.negated = number(0, 3) == 0;
  if (t.op == Op::kExists) return t;
  const bool text_only = t.op >= Op::kLike;
  const bool order = t.op >= Op::kLess && t.op <= Op::kGreaterEqual;
  auto kind = text_only ? Constant::Kind::kString : static_cast<Constant::Kind>(number(0, 6));
  if (order && kind == Constant::Kind::kBoolean) kind = Constant::Kind::kInteger;
  const int count = t.op == Op::kIn ? number(0, 3) : 1;
  for (int i = 0; i < count; ++i) t.constants.push_back(constant_of(kind));
  return t;
}

Comparison comparison(int depth) {
  Comparison c;
  const int kind = depth <= 0 ? 0 : number(0, 2);
  c.kind = static_cast<Comparison::Kind>(kind);
  if (kind == 0) {
    c.test = test();
    return c;
  }
  for (int i = number(2, 3); i > 0; --i) c.children.push_back(comparison(depth - 1));
  return c;
}

std::vector<Qualifier> qualifiers() {
  std::vector<Qualifier> list;
  const int wanted = number(0, 9);  // bits: which kinds; mostly none
  if (wanted > 7) return list;
  for (int k = 0; k < 3; ++k) {
    if ((wanted >> k & 1) == 0) continue;
    Qualifier q;
    q.kind = static_cast<Qualifier::Kind>(k);
    if (q.kind == Qualifier::Kind::kStartStop) {
      q.first = time_constant();
      q.second = time_constant();
    } else if (q.kind == Qualifier::Kind::kWithin && number(0, 1) == 0) {
      q.first.kind = Constant::Kind::kFloat;
      q.first.real = number(1, 1000) / 8.0;
    } else {
      q.first.kind = Constant::Kind::kInteger;
      q.first.integer = number(1, 1000);
    }
    list.push_back(std::move(q));
  }
  return list;
}

Observation observation(int depth) {
  Observation o;
  const int kind = depth <= 0 ? 0 : number(0, 4);
  o.kind = static_cast<Observation::Kind>(kind);
  o.qualifiers = qualifiers();
  if (o.kind == Observation::Kind::kBracket) {
    o.comparison = comparison(depth);
    return o;
  }
  const int count = o.kind == Observation::Kind::kGroup ? 1 : number(2, 3);
  for (int i = 0; i < count; ++i) o.children.push_back(observation(depth - 1));
  if (o.kind == Observation::Kind::kGroup && (o.qualifiers.empty() || o.children[0].qualifiers.empty())) {
    return o.children[0];  // such a group the parser does not make: the parentheses would be redundant
  }
  return o;
}

std::string random_pattern() {
  Ast ast;
  ast.root = observation(3);
  return print(ast);
}

RC_GTEST_PROP(PatternProperty, PrintThenParseGivesTheSameTree, ()) {
  Ast ast;
  ast.root = observation(3);
  const std::string printed = print(ast);
  const auto again = parse_ast(printed);
  if (!again.ok()) RC_FAIL(again.error().text() + "\n" + printed);
  RC_ASSERT(*again == ast);
  RC_ASSERT(print(*again) == printed);
}

// A prefix either parses or says at which place it fails; it never crashes, and never fails before the end with
// something that the whole has.
RC_GTEST_PROP(PatternProperty, EveryPrefixIsHandled, ()) {
  Ast ast;
  ast.root = observation(1);
  const std::string whole = print(ast);
  for (size_t n = 0; n < whole.size(); ++n) {
    const auto p = Pattern::parse(std::string_view(whole).substr(0, n));
    if (p.ok() || p.error().what.find("UTF-8") != std::string::npos) continue;
    RC_ASSERT(!p.error().where.empty());
    RC_ASSERT(!p.error().what.empty());
  }
}

RC_GTEST_PROP(PatternProperty, MutationsNeverCrashAndMessagesArePrintable, ()) {
  std::string s = random_pattern();
  for (int i = number(1, 4); i > 0 && !s.empty(); --i) {
    const auto at = static_cast<size_t>(number(0, static_cast<int>(s.size()) - 1));
    switch (number(0, 3)) {
      case 0:
        s.erase(at, static_cast<size_t>(number(1, 5)));
        break;
      case 1:
        s.insert(at, 1, static_cast<char>(number(0, 255)));
        break;
      case 2:
        s[at] = static_cast<char>(number(0, 255));
        break;
      default:
        s.insert(at, s.substr(static_cast<size_t>(number(0, static_cast<int>(s.size()) - 1)), 8));
        break;
    }
  }
  const auto p = Pattern::parse(s);
  if (p.ok()) {
    RC_ASSERT(Pattern::parse(p->print()).ok());
    (void)equality_atoms(*p);
  } else {
    RC_ASSERT(valid_utf8(p.error().text()));
  }
}

// Quoting is what users get wrong most: any text survives it.
RC_GTEST_PROP(PatternProperty, QuotedTextComesBack, ()) {
  const std::string value = text();
  const auto p = parse_ast("[a:b = " + quote(value) + "]");
  RC_ASSERT(p.ok());
  RC_ASSERT(p->root.comparison.test.constants[0].text == value);
}

}  // namespace
}  // namespace entente::pattern
