// One bracket over one root object: the paths (§9.7) and the comparison of one value with one constant (§9.6).
#include <algorithm>
#include <compare>

#include "base/bytes.h"
#include "pattern/internal/program.h"

namespace entente::pattern {
namespace {

using Kind = Value::Kind;

// Numbers are compared as numbers, without rounding either (§9.6.1): 2^53 + 1 is not 2^53.
std::partial_ordering order(int64_t a, double b) {
  if (b >= 9223372036854775808.0) return std::partial_ordering::less;
  if (b < -9223372036854775808.0) return std::partial_ordering::greater;
  const auto whole = static_cast<int64_t>(b);  // towards zero
  if (a != whole) return a <=> whole;
  return 0.0 <=> (b - static_cast<double>(whole));
}

std::partial_ordering reverse(std::partial_ordering o) { return 0 <=> o; }

std::partial_ordering order_of_octets(std::string_view a, std::string_view b) {
  const int c = a.compare(b);  // char_traits<char> compares as unsigned
  return c <=> 0;
}

// Digits of a second below the nanosecond, which Timestamp cuts.
std::string_view rest_of_second(std::string_view text) {
  if (text.size() <= 30) return {};
  std::string_view rest = text.substr(29, text.size() - 30);
  while (!rest.empty() && rest.back() == '0') rest.remove_suffix(1);
  return rest;
}

// What a comparison of value and constant comes to. Incomparable: the kinds do not go together (§9.6.1). Unequal: they
// do, but the value of this constant cannot be (a string with code points over U+00FF, and octets).
struct Compared {
  enum class How : uint8_t { kOrdered, kUnequal, kIncomparable };
  How how = How::kIncomparable;
  std::partial_ordering order = std::partial_ordering::unordered;
};

Compared ordered(std::partial_ordering o) { return {Compared::How::kOrdered, o}; }

Compared compare(const Observations& data, const Value& v, const Constant& c) {
  constexpr Compared kUnequal{Compared::How::kUnequal, std::partial_ordering::unordered};
  switch (v.kind) {
    case Kind::kInteger:
      if (c.kind == Constant::Kind::kInteger) return ordered(v.integer <=> c.integer);
      if (c.kind == Constant::Kind::kFloat) return ordered(order(v.integer, c.real));
      return {};
    case Kind::kReal:
      if (c.kind == Constant::Kind::kInteger) return ordered(reverse(order(c.integer, v.real)));
      if (c.kind == Constant::Kind::kFloat) return ordered(v.real <=> c.real);
      return {};
    case Kind::kBoolean:
      if (c.kind == Constant::Kind::kBoolean) return ordered(v.boolean <=> c.boolean);
      return {};
    case Kind::kString:
      switch (c.kind) {
        case Constant::Kind::kString:
          return ordered(order_of_octets(data.text(v), c.text));  // UTF-8 orders as code points do
        case Constant::Kind::kTimestamp: {
          const auto text = data.text(v);
          const auto t = stix::parse_timestamp(text);
          if (!t) return {};
          if (const auto o = *t <=> c.time; o != 0) return ordered(o);
          return ordered(order_of_octets(rest_of_second(text), rest_of_second(c.text)));
        }
        case Constant::Kind::kHex:
        case Constant::Kind::kBinary: {
          if (v.ascii) return ordered(order_of_octets(data.text(v), c.text));
          const auto octets = latin1_octets(data.text(v));
          return octets ? ordered(order_of_octets(*octets, c.text)) : kUnequal;
        }
        default:
          return {};
      }
    case Kind::kOctets:
      if (c.kind == Constant::Kind::kHex || c.kind == Constant::Kind::kBinary) {
        return ordered(order_of_octets(data.text(v), c.text));
      }
      if (c.kind == Constant::Kind::kString) {
        if (ascii(c.text)) return ordered(order_of_octets(data.text(v), c.text));
        const auto octets = latin1_octets(c.text);
        return octets ? ordered(order_of_octets(data.text(v), *octets)) : kUnequal;
      }
      return {};
    default:
      return {};
  }
}

bool equal(const Observations& data, const Value& v, const Constant& c) { return compare(data, v, c).order == 0; }

class Evaluation {
 public:
  Evaluation(const Program& program, std::span<const Symbol> names, const Observations& data, const Observed& observed,
             uint32_t object, Work& work)
      : program_(program), names_(names), data_(data), observed_(observed), object_(object), work_(work) {}

  bool node(uint32_t at) {
    const NodeCode& n = program_.nodes[at];
    if (n.kind == Comparison::Kind::kTest) return test(program_.tests[n.first]);
    const bool all = n.kind == Comparison::Kind::kAnd;
    for (uint32_t i = 0; i < n.count; ++i) {
      if (node(program_.children[n.first + i]) != all) return !all;
    }
    return all;
  }

 private:
  bool test(const TestCode& t) {
    const Sco& root = data_.sco(object_);
    if (names_[t.type] != root.type) return false;
    if (!work_.spend(1)) return false;
    const Value& start = data_.value(root.value);
    if (t.test->op == Op::kExists) {
      const bool there =
          t.any ? any_path(t, start, [](const Value&) { return true; }) : plain_path(t, start) != nullptr;
      // Not found because nothing is left to spend is not "absent".
      return there != t.test->negated && !(work_.limited && t.test->negated);
    }
    if (t.any) return any_path(t, start, [&](const Value& v) { return value(t, v); });
    const Value* v = plain_path(t, start);
    return v != nullptr && value(t, *v);
  }

  // --- paths. A missing step makes the test false whatever its operator (§9.6): nullptr.

  const Value* key(const Value& in, uint32_t name) {
    if (in.kind != Kind::kObject) return nullptr;
    const Symbol wanted = names_[name];
    if (wanted == 0) return nullptr;
    for (const Member& m : data_.members(in)) {
      if (m.key == wanted) return follow(data_.value(m.value));
    }
    return nullptr;
  }

  const Value* element(const Value& in, int64_t index) {
    if (in.kind != Kind::kList || index < 0 || index >= static_cast<int64_t>(in.count)) return nullptr;
    return follow(data_.value(data_.members(in)[static_cast<size_t>(index)].value));
  }

  // References are followed at once, within the objects of this observation (§9.7.4).
  const Value* follow(const Value& v) {
    if (v.kind == Kind::kAbsent) return nullptr;
    if (v.kind != Kind::kReference) return &v;
    const auto object = static_cast<uint32_t>(v.at);
    return data_.lists(observed_, object) ? &data_.value(data_.sco(object).value) : nullptr;
  }

  const Value* plain_path(const TestCode& t, const Value& start) {
    const Value* at = &start;
    for (uint32_t i = 0; i < t.step_count && at != nullptr; ++i) {
      const StepCode& s = program_.steps[t.first_step + i];
      at = s.kind == Step::Kind::kKey ? key(*at, s.name) : element(*at, s.index);
    }
    if (t.step_count > 8 && !work_.spend(t.step_count / 8)) return nullptr;
    return at;
  }

  // [*]: any element that makes it true. All places are taken one step at a time and each once, so that references in a
  // circle cost their number and not its power.
  template <class Fn>
  bool any_path(const TestCode& t, const Value& start, const Fn& fn) {
    std::vector<const Value*> now{&start};
    std::vector<const Value*> next;
    for (uint32_t i = 0; i < t.step_count; ++i) {
      const StepCode& s = program_.steps[t.first_step + i];
      next.clear();
      for (const Value* v : now) {
        if (s.kind == Step::Kind::kKey) {
          if (const Value* k = key(*v, s.name)) next.push_back(k);
        } else if (s.kind == Step::Kind::kIndex) {
          if (const Value* e = element(*v, s.index)) next.push_back(e);
        } else if (v->kind == Kind::kList) {
          for (const Member& m : data_.members(*v)) {
            if (const Value* e = follow(data_.value(m.value))) next.push_back(e);
          }
        }
      }
      if (next.empty()) return false;
      if (!work_.spend(next.size())) return false;
      if (next.size() > 1) {
        std::sort(next.begin(), next.end());
        next.erase(std::unique(next.begin(), next.end()), next.end());
      }
      now.swap(next);
    }
    return std::any_of(now.begin(), now.end(), [&](const Value* v) { return fn(*v); });
  }

  // --- values

  bool value(const TestCode& t, const Value& v) {
    const Test& test = *t.test;
    switch (test.op) {
      case Op::kEqual:
        return equal(data_, v, test.constants.front()) != test.negated;
      case Op::kNotEqual:
        return equal(data_, v, test.constants.front()) == test.negated;
      case Op::kIn: {
        if (!work_.spend(test.constants.size())) return false;
        const bool in = std::any_of(test.constants.begin(), test.constants.end(),
                                    [&](const Constant& c) { return equal(data_, v, c); });
        return in != test.negated;
      }
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
        return in_order(test, v);
      default:
        break;
    }
    const Prepared& p = program_.prepared[static_cast<size_t>(t.prepared)];
    const bool found = test.op == Op::kLike      ? is_like(p, v)
                       : test.op == Op::kMatches ? is_match(p, v)
                                                 : is_in_block(test.op, p, v);
    return found != test.negated && !(work_.limited && test.negated);
  }

  // Of incomparable kinds no order holds, nor does its negation (§9.6.1; the reference does the same).
  bool in_order(const Test& test, const Value& v) const {
    const Compared c = compare(data_, v, test.constants.front());
    if (c.how == Compared::How::kIncomparable) return false;
    const bool holds = test.op == Op::kLess        ? c.order < 0
                       : test.op == Op::kLessEqual ? c.order <= 0
                       : test.op == Op::kGreater   ? c.order > 0
                                                   : c.order >= 0;
    return holds != test.negated;
  }

  bool is_like(const Prepared& p, const Value& v) {
    if (v.kind == Kind::kString) {
      if (v.ascii) return like(p.octets, data_.text(v), work_);
      return like(p.octets, nfc(data_.text(v)), work_);
    }
    if (v.kind != Kind::kOctets || !p.has_octets) return false;
    // Octets that are UTF-8 are read as that, others as one character each.
    const auto octets = data_.text(v);
    return like(p.octets,
                v.ascii              ? std::string(octets)
                : valid_utf8(octets) ? nfc(octets)
                                     : from_latin1(octets),
                work_);
  }

  bool is_match(const Prepared& p, const Value& v) {
    if (v.kind == Kind::kString) {
      return v.ascii ? p.text_regex->search(data_.text(v), work_) : p.text_regex->search(nfc(data_.text(v)), work_);
    }
    return v.kind == Kind::kOctets && p.octet_regex != nullptr && p.octet_regex->search(data_.text(v), work_);
  }

  bool is_in_block(Op op, const Prepared& p, const Value& v) const {
    if (v.kind != Kind::kString || !p.block) return false;
    const auto block = parse_block(data_.text(v));
    if (!block) return false;
    return op == Op::kIsSubset ? subset(*block, *p.block) : subset(*p.block, *block);
  }

  const Program& program_;
  std::span<const Symbol> names_;
  const Observations& data_;
  const Observed& observed_;
  uint32_t object_;
  Work& work_;
};

}  // namespace

bool matches(const Program& program, std::span<const Symbol> names, const BracketCode& bracket,
             const Observations& data, const Observed& observed, uint32_t object, Work& work) {
  return Evaluation(program, names, data, observed, object, work).node(bracket.root);
}

}  // namespace entente::pattern
