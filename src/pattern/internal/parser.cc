// Recursive descent over the grammar of STIX 2.1 §9 (precedence, loosest first: FOLLOWEDBY, OR, AND). Every question to
// the current token that is answered with no is remembered, so that an error can name all that would have been right
// there.
#include "pattern/internal/parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/bytes.h"
#include "pattern/internal/ast.h"
#include "pattern/internal/lexer.h"

namespace entente::pattern {
namespace {

constexpr std::array<std::string_view, 18> kKeywords = {
    "AND", "OR",    "NOT",  "FOLLOWEDBY", "LIKE",    "MATCHES", "ISSUBSET", "ISSUPERSET", "EXISTS",
    "IN",  "START", "STOP", "WITHIN",     "SECONDS", "REPEATS", "TIMES",    "true",       "false"};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text), lexer_(text) {}

  Result<Ast> run() {
    CHECK_OK(advance());
    TRY(ast_.root, followed_by());
    if (token_.kind != TokenKind::kEnd) return unexpected("the end of the pattern");
    return std::move(ast_);
  }

 private:
  // --- tokens

  Status advance() {
    TRY(token_, lexer_.next());
    expected_.clear();
    return {};
  }

  bool at_word(std::string_view keyword) { return at(TokenKind::kWord, keyword); }
  bool at_symbol(std::string_view symbol) { return at(TokenKind::kSymbol, symbol); }
  bool at(TokenKind kind, std::string_view text) {
    if (token_.kind == kind && token_.text.front() == text.front() && token_.text == text) return true;
    expected_.push_back(text);
    return false;
  }
  bool at_kind(TokenKind kind, std::string_view description) {
    if (token_.kind == kind) return true;
    expected_.push_back(description);
    return false;
  }

  Status take_word(std::string_view keyword) {
    if (!at_word(keyword)) return unexpected();
    return advance();
  }
  Status take_symbol(std::string_view symbol) {
    if (!at_symbol(symbol)) return unexpected();
    return advance();
  }

  [[nodiscard]] Error unexpected(std::string_view last_hope = {}) {
    if (!last_hope.empty()) expected_.push_back(last_hope);
    std::vector<std::string_view> unique;
    for (const auto e : expected_) {
      if (std::find(unique.begin(), unique.end(), e) == unique.end()) unique.push_back(e);
    }
    std::string remedy = "expected ";
    for (size_t i = 0; i < unique.size(); ++i) {
      if (i != 0) remedy += i + 1 == unique.size() ? " or " : ", ";
      remedy += unique[i];
    }
    const std::string found =
        token_.kind == TokenKind::kEnd ? "the end of the pattern" : "\"" + printable(token_.text, 40) + "\"";
    return invalid("unexpected " + found, here(), remedy);
  }

  [[nodiscard]] std::string here() const { return place(text_, token_.at); }

  // --- observations

  using ObservationRule = Result<Observation> (Parser::*)();

  Result<Observation> sequence(ObservationRule part, std::string_view keyword, Observation::Kind kind) {
    TRY(Observation first, (this->*part)());
    if (!at_word(keyword)) return first;
    Observation node;
    node.kind = kind;
    node.children.push_back(std::move(first));
    while (at_word(keyword)) {
      CHECK_OK(advance());
      TRY(Observation next, (this->*part)());
      node.children.push_back(std::move(next));
    }
    return node;
  }

  Result<Observation> followed_by() { return sequence(&Parser::any, "FOLLOWEDBY", Observation::Kind::kFollowedBy); }
  Result<Observation> any() { return sequence(&Parser::all, "OR", Observation::Kind::kOr); }
  Result<Observation> all() { return sequence(&Parser::unit, "AND", Observation::Kind::kAnd); }

  Result<Observation> unit() {
    Observation node;
    if (at_symbol("[")) {
      CHECK_OK(advance());
      TRY(node.comparison, comparison_any());
      CHECK_OK(take_symbol("]"));
    } else if (at_symbol("(")) {
      CHECK_OK(deeper());
      CHECK_OK(advance());
      TRY(node, followed_by());
      CHECK_OK(take_symbol(")"));
      --depth_;
    } else {
      return unexpected();
    }
    return qualified(std::move(node));
  }

  Result<Observation> qualified(Observation node) {
    std::vector<Qualifier> list;
    while (true) {
      const size_t start = token_.at;
      TRY(auto next, qualifier());
      if (!next) break;
      // §9.5: at most one of each kind on one expression; a parenthesis starts a new one.
      for (const auto& before : list) {
        if (before.kind == next->kind) {
          return invalid("the same qualifier twice", place(text_, start),
                         "put the qualified part in parentheses (§9.5)");
        }
      }
      list.push_back(*std::move(next));
    }
    if (list.empty()) return node;
    if (node.qualifiers.empty()) {
      node.qualifiers = std::move(list);
      return node;
    }
    Observation group;
    group.kind = Observation::Kind::kGroup;
    group.children.push_back(std::move(node));
    group.qualifiers = std::move(list);
    return group;
  }

  Result<std::optional<Qualifier>> qualifier() {
    Qualifier q;
    if (at_word("WITHIN")) {
      q.kind = Qualifier::Kind::kWithin;
      CHECK_OK(advance());
      const size_t start = token_.at;
      if (!at_kind(TokenKind::kInteger, "a number") && !at_kind(TokenKind::kFloat, "a number")) return unexpected();
      TRY(q.first, constant());
      if ((q.first.kind == Constant::Kind::kInteger ? static_cast<double>(q.first.integer) : q.first.real) <= 0) {
        return invalid("WITHIN needs more than 0 seconds", place(text_, start));
      }
      CHECK_OK(take_word("SECONDS"));
    } else if (at_word("REPEATS")) {
      q.kind = Qualifier::Kind::kRepeats;
      CHECK_OK(advance());
      const size_t start = token_.at;
      if (!at_kind(TokenKind::kInteger, "an integer")) return unexpected();
      TRY(q.first, constant());
      if (q.first.integer < 1) return invalid("REPEATS needs at least 1", place(text_, start));
      CHECK_OK(take_word("TIMES"));
    } else if (at_word("START")) {
      q.kind = Qualifier::Kind::kStartStop;
      CHECK_OK(advance());
      if (!at_kind(TokenKind::kTime, "a timestamp t'…'")) return unexpected();
      TRY(q.first, constant());
      CHECK_OK(take_word("STOP"));
      if (!at_kind(TokenKind::kTime, "a timestamp t'…'")) return unexpected();
      TRY(q.second, constant());
    } else {
      return std::optional<Qualifier>();
    }
    return std::optional(std::move(q));
  }

  // --- comparisons

  using ComparisonRule = Result<Comparison> (Parser::*)();

  Result<Comparison> sequence(ComparisonRule part, std::string_view keyword, Comparison::Kind kind) {
    TRY(Comparison first, (this->*part)());
    if (!at_word(keyword)) return first;
    Comparison node;
    node.kind = kind;
    node.children.push_back(std::move(first));
    while (at_word(keyword)) {
      CHECK_OK(advance());
      TRY(Comparison next, (this->*part)());
      node.children.push_back(std::move(next));
    }
    return node;
  }

  Result<Comparison> comparison_any() { return sequence(&Parser::comparison_all, "OR", Comparison::Kind::kOr); }
  Result<Comparison> comparison_all() { return sequence(&Parser::test, "AND", Comparison::Kind::kAnd); }

  Result<Comparison> test() {
    if (at_symbol("(")) {
      CHECK_OK(deeper());
      CHECK_OK(advance());
      TRY(Comparison inner, comparison_any());
      CHECK_OK(take_symbol(")"));
      --depth_;
      return inner;
    }
    Comparison node;
    Test& t = node.test;
    if (at_word("NOT")) {
      CHECK_OK(advance());
      t.negated = true;
      if (!at_word("EXISTS"))
        return unexpected();  // §9.3: NOT stands before the operator, only EXISTS takes it in front
    }
    if (at_word("EXISTS")) {
      CHECK_OK(advance());
      t.op = Op::kExists;
      TRY(t.path, path());
      return node;
    }
    TRY(t.path, path());
    if (at_word("NOT")) {
      CHECK_OK(advance());
      t.negated = true;
    }
    TRY(t.op, operation());
    CHECK_OK(t.op == Op::kIn ? set(t.constants) : right_side(t));
    return node;
  }

  Result<Op> operation() {
    struct Entry {
      TokenKind kind;
      std::string_view text;
      Op op;
    };
    static constexpr std::array kOps = {
        Entry{TokenKind::kSymbol, "=", Op::kEqual},
        Entry{TokenKind::kSymbol, "!=", Op::kNotEqual},
        Entry{TokenKind::kSymbol, "<", Op::kLess},
        Entry{TokenKind::kSymbol, "<=", Op::kLessEqual},
        Entry{TokenKind::kSymbol, ">", Op::kGreater},
        Entry{TokenKind::kSymbol, ">=", Op::kGreaterEqual},
        Entry{TokenKind::kWord, "IN", Op::kIn},
        Entry{TokenKind::kWord, "LIKE", Op::kLike},
        Entry{TokenKind::kWord, "MATCHES", Op::kMatches},
        Entry{TokenKind::kWord, "ISSUBSET", Op::kIsSubset},
        Entry{TokenKind::kWord, "ISSUPERSET", Op::kIsSuperset},
    };
    for (const auto& entry : kOps) {
      if (!at(entry.kind, entry.text)) continue;
      CHECK_OK(advance());
      return entry.op;
    }
    return unexpected();
  }

  Status right_side(Test& t) {
    const bool order = t.op >= Op::kLess && t.op <= Op::kGreaterEqual;
    const bool text = t.op >= Op::kLike && t.op <= Op::kIsSuperset;
    if (text && !at_kind(TokenKind::kString, "a string")) return unexpected();
    const size_t start = token_.at;
    TRY(Constant c, constant());
    if (order && c.kind == Constant::Kind::kBoolean) {
      return invalid("true and false have no order", place(text_, start), "use = or !=");
    }
    if (t.op == Op::kMatches) {
      t.place.at = static_cast<uint32_t>(start);
      if (ast_.source.empty()) ast_.source = text_;
    }
    t.constants.push_back(std::move(c));
    return {};
  }

  // IN ( … ): members of one kind, integers and floats may mix (§9.6).
  Status set(std::vector<Constant>& out) {
    CHECK_OK(take_symbol("("));
    if (at_symbol(")")) return advance();
    const auto family = [](const Constant& c) {
      return c.kind == Constant::Kind::kFloat ? Constant::Kind::kInteger : c.kind;
    };
    while (true) {
      const size_t start = token_.at;
      TRY(Constant c, constant());
      if (!out.empty() && family(out.front()) != family(c)) {
        return invalid("a set with constants of different types", place(text_, start),
                       "use members of one type (§9.6)");
      }
      out.push_back(std::move(c));
      if (at_symbol(")")) return advance();
      CHECK_OK(take_symbol(","));
    }
  }

  // --- paths and constants

  Result<Path> path() {
    Path p;
    if (token_.kind != TokenKind::kWord || is_keyword(token_.text)) return unexpected("an object type");
    p.type = token_.text;
    CHECK_OK(advance());
    CHECK_OK(take_symbol(":"));
    TRY(Step first, key());
    p.steps.push_back(std::move(first));
    while (true) {
      if (at_symbol(".")) {
        CHECK_OK(advance());
        TRY(Step next, key());
        p.steps.push_back(std::move(next));
      } else if (at_symbol("[")) {
        CHECK_OK(advance());
        TRY(Step next, index());
        p.steps.push_back(std::move(next));
      } else {
        return p;
      }
    }
  }

  Result<Step> key() {
    Step s;
    if (token_.kind == TokenKind::kString) {
      s.key = token_.value;
    } else if (token_.kind == TokenKind::kWord && !is_keyword(token_.text)) {
      if (token_.hyphen) {
        return invalid("a property name with a hyphen", here(), "put it in quotes: '" + std::string(token_.text) + "'");
      }
      s.key = token_.text;
    } else {
      return unexpected("a property name");
    }
    CHECK_OK(advance());
    return s;
  }

  Result<Step> index() {
    Step s;
    if (at_symbol("*")) {
      s.kind = Step::Kind::kAny;
      CHECK_OK(advance());
    } else if (at_kind(TokenKind::kInteger, "an integer")) {
      s.kind = Step::Kind::kIndex;
      TRY(const Constant c, constant());
      s.index = c.integer;
    } else {
      return unexpected();
    }
    CHECK_OK(take_symbol("]"));
    return s;
  }

  Result<Constant> constant() {
    Constant c;
    c.text = std::move(token_.value);
    switch (token_.kind) {
      case TokenKind::kInteger:
      case TokenKind::kFloat:
        CHECK_OK(number(c));
        break;
      case TokenKind::kString:
        c.kind = Constant::Kind::kString;
        break;
      case TokenKind::kHex:
        c.kind = Constant::Kind::kHex;
        break;
      case TokenKind::kBinary:
        c.kind = Constant::Kind::kBinary;
        break;
      case TokenKind::kTime: {
        c.kind = Constant::Kind::kTimestamp;
        const auto time = stix::parse_timestamp(c.text);
        if (!time) {
          return invalid("not a timestamp", here(), "write t'YYYY-MM-DDTHH:MM:SS[.s]Z', a real date in UTC");
        }
        c.time = *time;
        break;
      }
      case TokenKind::kWord:
        if (token_.text == "true" || token_.text == "false") {
          c.kind = Constant::Kind::kBoolean;
          c.boolean = token_.text == "true";
          break;
        }
        return unexpected("a constant");
      default:
        return unexpected("a constant");
    }
    CHECK_OK(advance());
    return c;
  }

  Status number(Constant& c) {
    std::string_view digits = token_.text;
    if (digits.front() == '+') {
      digits.remove_prefix(1);
      ast_.warnings.push_back(here() + ": a leading plus is not allowed (STIX 2.1 §9.2)");
    }
    c.text.clear();
    std::errc error{};
    if (token_.kind == TokenKind::kInteger) {
      c.kind = Constant::Kind::kInteger;
      error = std::from_chars(digits.data(), digits.data() + digits.size(), c.integer).ec;
    } else {
      c.kind = Constant::Kind::kFloat;
      error = std::from_chars(digits.data(), digits.data() + digits.size(), c.real).ec;
    }
    if (error != std::errc()) return invalid("a number out of range", here());
    return {};
  }

  Status deeper() {
    constexpr int kMaxDepth = 64;
    if (++depth_ > kMaxDepth) return invalid("more than 64 nested parentheses", here(), "simplify the pattern");
    return {};
  }

  std::string_view text_;
  Lexer lexer_;
  Token token_;
  std::vector<std::string_view> expected_;
  int depth_ = 0;
  Ast ast_;
};

}  // namespace

bool is_keyword(std::string_view word) {
  return !word.empty() && std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
}

// Where a text stops being UTF-8.
static size_t first_bad_octet(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    size_t n = 1;
    while (n <= 4 && !valid_utf8(text.substr(at, n))) ++n;
    if (n > 4) break;
    at += n;
  }
  return at;
}

Result<Ast> parse_ast(std::string_view text) {
  constexpr size_t kMaxBytes = 64 * 1024;
  if (text.size() > kMaxBytes)
    return make_error(ErrorKind::kTooLarge, "a pattern over 64 KiB", "1:1", "split it with OR into several");
  if (!valid_utf8(text)) return invalid("a pattern that is not UTF-8", place(text, first_bad_octet(text)));
  return Parser(text).run();
}

}  // namespace entente::pattern
