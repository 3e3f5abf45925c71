#include "pattern/equal.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/bytes.h"
#include "pattern/internal/ast.h"
#include "pattern/internal/plan.h"
#include "pattern/internal/text.h"

namespace entente::pattern {
namespace {

constexpr size_t kMaxTerms = 256;

// --- brackets: a set of terms (OR), each a set of tests (AND). Tests are variables; without NOT above them the form
// without redundant terms is unique.

using Term = std::set<std::string>;
using Terms = std::set<Term>;  // empty: never true

void absorb(Terms& terms) {
  for (auto it = terms.begin(); it != terms.end();) {
    const bool redundant = std::any_of(terms.begin(), terms.end(), [&](const Term& other) {
      return &other != &*it && other.size() < it->size() &&
             std::includes(it->begin(), it->end(), other.begin(), other.end());
    });
    it = redundant ? terms.erase(it) : std::next(it);
  }
}

std::string spelled(const Constant& c) {
  switch (c.kind) {
    case Constant::Kind::kInteger:
      return std::to_string(c.integer);
    case Constant::Kind::kFloat:
      // 12.0 is 12 wherever both are compared as numbers.
      if (std::abs(c.real) < 9e15 && c.real == std::trunc(c.real)) return std::to_string(static_cast<int64_t>(c.real));
      return "f" + hex(std::string_view(reinterpret_cast<const char*>(&c.real), sizeof c.real));
    case Constant::Kind::kBoolean:
      return c.boolean ? "true" : "false";
    case Constant::Kind::kTimestamp: {
      std::string t = c.text.substr(0, c.text.size() - 1);
      if (t.find('.') != std::string::npos) {
        while (t.back() == '0') t.pop_back();
        if (t.back() == '.') t.pop_back();
      }
      return "t'" + t + "'";
    }
    case Constant::Kind::kHex:
    case Constant::Kind::kBinary:
      return "h'" + hex(c.text) + "'";
    case Constant::Kind::kString:
      break;
  }
  return quote(c.text);
}

bool has_any(const Path& path) {
  return std::any_of(path.steps.begin(), path.steps.end(), [](const Step& s) { return s.kind == Step::Kind::kAny; });
}

std::string atom(const Test& t, Op op, bool negated, const std::string& constant) {
  static const std::map<Op, std::string> kNames = {
      {Op::kEqual, "="},           {Op::kNotEqual, "!="},           {Op::kLess, "<"},        {Op::kLessEqual, "<="},
      {Op::kGreater, ">"},         {Op::kGreaterEqual, ">="},       {Op::kLike, "LIKE"},     {Op::kMatches, "MATCHES"},
      {Op::kIsSubset, "ISSUBSET"}, {Op::kIsSuperset, "ISSUPERSET"}, {Op::kExists, "EXISTS"}, {Op::kIn, "IN"}};
  return print(t.path) + (negated ? " NOT " : " ") + kNames.at(op) + " " + constant;
}

// With numbers and instants the negation of an order is the opposite order. (With text it is not: an octet value and
// text that no octets can be have neither.)
Op opposite(Op op) {
  switch (op) {
    case Op::kLess:
      return Op::kGreaterEqual;
    case Op::kLessEqual:
      return Op::kGreater;
    case Op::kGreater:
      return Op::kLessEqual;
    default:
      return Op::kLess;
  }
}

Terms terms_of(const Test& t) {
  const auto one = [](std::string s) { return Terms{Term{std::move(s)}}; };
  Op op = t.op;
  bool negated = t.negated;
  switch (op) {
    case Op::kExists:
      return one(atom(t, op, negated, ""));
    case Op::kEqual:
    case Op::kNotEqual:
      if (negated) op = op == Op::kEqual ? Op::kNotEqual : Op::kEqual;
      return one(atom(t, op, false, spelled(t.constants.front())));
    case Op::kIn: {
      if (!negated) {
        Terms out;
        for (const auto& c : t.constants) out.insert(Term{atom(t, Op::kEqual, false, spelled(c))});
        return out;
      }
      if (t.constants.empty()) return one(atom(t, Op::kExists, false, ""));
      std::set<std::string> members;
      for (const auto& c : t.constants) members.insert(spelled(c));
      if (members.size() == 1) return one(atom(t, Op::kNotEqual, false, *members.begin()));
      if (!has_any(
              t.path)) {  // with [*]: some element is none of them, which is not "for each, some element is not it"
        Term all;
        for (const auto& m : members) all.insert(atom(t, Op::kNotEqual, false, m));
        return {all};
      }
      std::string list;
      for (const auto& m : members) list += m + ",";
      return one(atom(t, op, negated, list));
    }
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual: {
      const Constant& c = t.constants.front();
      const bool total = c.kind == Constant::Kind::kInteger || c.kind == Constant::Kind::kFloat ||
                         c.kind == Constant::Kind::kTimestamp;
      if (negated && total) return one(atom(t, opposite(op), false, spelled(c)));
      return one(atom(t, op, negated, spelled(c)));
    }
    case Op::kIsSubset:
    case Op::kIsSuperset: {
      const auto block = parse_block(t.constants.front().text);
      if (!block) return negated ? one(atom(t, Op::kExists, false, "")) : Terms{};
      const auto octets = std::string_view(reinterpret_cast<const char*>(block->octets.data()), block->six ? 16 : 4);
      return one(atom(t, op, negated, hex(octets) + "/" + std::to_string(block->bits)));
    }
    case Op::kLike:
    case Op::kMatches:
      return one(atom(t, op, negated, quote(nfc(t.constants.front().text))));
  }
  return {};
}

std::string type_of(const std::string& test) { return test.substr(0, test.find(':')); }

std::optional<Terms> terms_of(const Comparison& c) {
  if (c.kind == Comparison::Kind::kTest) return terms_of(c.test);
  Terms out;
  if (c.kind == Comparison::Kind::kAnd) out.insert(Term{});
  for (const auto& child : c.children) {
    auto next = terms_of(child);
    if (!next) return std::nullopt;
    if (c.kind == Comparison::Kind::kOr) {
      out.merge(*next);
    } else {
      Terms both;
      for (const auto& a : out) {
        for (const auto& b : *next) {
          // One object has one type.
          if (!a.empty() && !b.empty() && type_of(*a.begin()) != type_of(*b.begin())) continue;
          Term sum = a;
          sum.insert(b.begin(), b.end());
          both.insert(std::move(sum));
          if (both.size() > kMaxTerms) return std::nullopt;
        }
      }
      out = std::move(both);
    }
    if (out.size() > kMaxTerms) return std::nullopt;
    absorb(out);
  }
  return out;
}

// --- between observations, over the plan

const char* const kNever = "[]";

std::string stamp(Nanos t) {  // exact, and only compared
  std::string s;
  for (int i = 0; i < 16; ++i)
    s += static_cast<char>(static_cast<uint8_t>(static_cast<unsigned __int128>(t) >> (i * 8)));
  return hex(s);
}

class Form {
 public:
  explicit Form(const Plan& plan) : plan_(plan) {}

  bool brackets(const Observation& o) {
    if (o.kind == Observation::Kind::kBracket) {
      auto terms = terms_of(o.comparison);
      if (!terms) return false;
      brackets_.push_back(*std::move(terms));
      return true;
    }
    return std::all_of(o.children.begin(), o.children.end(), [&](const Observation& c) { return brackets(c); });
  }

  std::string text(uint32_t at) const {
    const PlanNode& n = plan_.nodes[at];
    switch (n.kind) {
      case PlanNode::Kind::kLeaf:
      case PlanNode::Kind::kAny: {
        std::set<std::string> parts;
        alternatives(at, parts);
        parts.erase(kNever);
        if (parts.empty()) return kNever;
        if (parts.size() == 1) return *parts.begin();
        std::string s = "(";
        for (const auto& p : parts) s += (s.size() > 1 ? " OR " : "") + p;
        return s + ")";
      }
      case PlanNode::Kind::kAll:
      case PlanNode::Kind::kRepeat: {
        std::map<std::string, uint64_t> parts;
        count(at, 1, parts);
        if (parts.contains(kNever)) return kNever;
        std::string s = "(";
        for (const auto& [p, times] : parts) {
          s += (s.size() > 1 ? " AND " : "") + (times > 1 ? std::to_string(times) + "*" : "") + p;
        }
        if (parts.size() == 1 && parts.begin()->second == 1) return parts.begin()->first;
        return s + ")";
      }
      case PlanNode::Kind::kSequence: {
        std::string s = "(";
        return sequence(at, s) ? s + ")" : kNever;
      }
      case PlanNode::Kind::kWithin: {
        Nanos least = n.duration;
        uint32_t inner = n.children.front();
        while (plan_.nodes[inner].kind == PlanNode::Kind::kWithin) {
          least = std::min(least, plan_.nodes[inner].duration);
          inner = plan_.nodes[inner].children.front();
        }
        const std::string s = text(inner);
        return s == kNever ? s : "W" + stamp(least) + s;
      }
    }
    return kNever;
  }

 private:
  void alternatives(uint32_t at, std::set<std::string>& out) const {
    const PlanNode& n = plan_.nodes[at];
    if (n.kind == PlanNode::Kind::kAny) {
      for (const uint32_t c : n.children) alternatives(c, out);
    } else if (n.kind == PlanNode::Kind::kLeaf) {
      const Leaf& leaf = plan_.leaves[n.leaf];
      std::set<std::string> windows;
      for (const Window& w : leaf.windows) {
        if (w.start >= w.stop) return;  // never
        windows.insert(stamp(w.start) + stamp(w.stop));
      }
      std::string end;
      for (const auto& w : windows) end += w;
      for (const Term& term : brackets_[leaf.bracket]) {
        std::string s = "[";
        for (const auto& test : term) s += (s.size() > 1 ? " AND " : "") + test;
        out.insert(s + "]" + end);
      }
    } else {
      out.insert(text(at));
    }
  }

  // No condition of time and no choice: copies of it are just more observations.
  [[nodiscard]] bool timeless(uint32_t at) const {
    const PlanNode& n = plan_.nodes[at];
    if (n.kind == PlanNode::Kind::kLeaf) return true;
    const bool simple = n.kind == PlanNode::Kind::kAny;
    if (!simple && n.kind != PlanNode::Kind::kAll && n.kind != PlanNode::Kind::kRepeat) return false;
    return std::all_of(n.children.begin(), n.children.end(), [&](uint32_t c) {
      return timeless(c) &&
             (!simple || plan_.nodes[c].kind == PlanNode::Kind::kLeaf || plan_.nodes[c].kind == PlanNode::Kind::kAny);
    });
  }

  void count(uint32_t at, uint64_t times, std::map<std::string, uint64_t>& out) const {
    const PlanNode& n = plan_.nodes[at];
    if (n.kind == PlanNode::Kind::kAll && (times == 1 || timeless(at))) {
      for (const uint32_t c : n.children) count(c, times, out);
      return;
    }
    if (n.kind == PlanNode::Kind::kRepeat && times < (uint64_t{1} << 31) && n.times < (uint64_t{1} << 31)) {
      count(n.children.front(), times * n.times, out);
      return;
    }
    out[n.kind == PlanNode::Kind::kRepeat ? std::to_string(n.times) + "x" + text(n.children.front()) : text(at)] +=
        times;
  }

  // a FOLLOWEDBY (b FOLLOWEDBY c) says of each pair what (a FOLLOWEDBY b) FOLLOWEDBY c says.
  // False: a part of it never matches.
  bool sequence(uint32_t at, std::string& out) const {
    for (const uint32_t c : plan_.nodes[at].children) {
      if (plan_.nodes[c].kind == PlanNode::Kind::kSequence) {
        if (!sequence(c, out)) return false;
        continue;
      }
      const std::string part = text(c);
      if (part == kNever) return false;
      out += "{" + part + "}";
    }
    return true;
  }

  const Plan& plan_;
  std::vector<Terms> brackets_;
};

}  // namespace

std::optional<std::string> normal_form(const Pattern& pattern) {
  const Plan plan = make_plan(pattern.ast());
  Form form(plan);
  if (!form.brackets(pattern.ast().root)) return std::nullopt;
  return form.text(plan.root);
}

bool surely_equal(const Pattern& a, const Pattern& b) {
  const auto x = normal_form(a);
  return x && x == normal_form(b);
}

}  // namespace entente::pattern
