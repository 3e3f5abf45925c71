#include "pattern/comparisons.h"

#include <fmt/format.h>

#include "pattern/internal/ast.h"

namespace entente::pattern {
namespace {

class Collector {
 public:
  bool observation(const Observation& o) {
    if (!o.qualifiers.empty()) return false;
    switch (o.kind) {
      case Observation::Kind::kBracket:
        return comparison(o.comparison);
      case Observation::Kind::kOr:
        out.all = false;
        for (const auto& child : o.children) {
          if (!observation(child)) return false;
        }
        return true;
      default:
        return false;
    }
  }

  Equalities out{.tests = {}, .any = true, .all = true};

 private:
  bool comparison(const Comparison& c) {
    if (c.kind == Comparison::Kind::kTest) return test(c.test);
    (c.kind == Comparison::Kind::kAnd ? out.any : out.all) = false;
    for (const auto& child : c.children) {
      if (!comparison(child)) return false;
    }
    return true;
  }

  bool test(const Test& t) {
    if (t.negated || (t.op != Op::kEqual && t.op != Op::kIsSubset)) return false;
    const Constant& c = t.constants.front();
    Equality e{.path = print(t.path), .value = c.text, .subset = t.op == Op::kIsSubset};
    switch (c.kind) {
      case Constant::Kind::kString:
      case Constant::Kind::kTimestamp:
        break;
      case Constant::Kind::kInteger:
        e.value = std::to_string(c.integer);
        break;
      case Constant::Kind::kFloat:
        e.value = fmt::format("{}", c.real);
        break;
      case Constant::Kind::kBoolean:
        e.value = c.boolean ? "true" : "false";
        break;
      default:
        return false;
    }
    out.tests.push_back(std::move(e));
    return true;
  }
};

}  // namespace

std::optional<Equalities> equalities(const Pattern& pattern) {
  Collector c;
  if (!c.observation(pattern.ast().root)) return std::nullopt;
  return std::move(c.out);
}

}  // namespace entente::pattern
