#include "pattern/internal/program.h"

#include <algorithm>

#include "pattern/internal/lexer.h"

namespace entente::pattern {
namespace {

class Compiler {
 public:
  explicit Compiler(std::shared_ptr<const Ast> ast) : out_(std::make_shared<Program>()) { out_->ast = std::move(ast); }

  Result<std::shared_ptr<const Program>> run() {
    out_->plan = make_plan(*out_->ast);
    CHECK_OK(observation(out_->ast->root));
    return std::shared_ptr<const Program>(std::move(out_));
  }

 private:
  Status observation(const Observation& o) {
    if (o.kind == Observation::Kind::kBracket) {
      BracketCode bracket;
      bracket.tree = &o.comparison;
      types_ = &bracket.types;
      TRY(bracket.root, comparison(o.comparison));
      out_->brackets.push_back(std::move(bracket));
      return {};
    }
    for (const auto& child : o.children) CHECK_OK(observation(child));
    return {};
  }

  Result<uint32_t> comparison(const Comparison& c) {
    NodeCode node;
    node.kind = c.kind;
    if (c.kind == Comparison::Kind::kTest) {
      TRY(node.first, test(c.test));
    } else {
      std::vector<uint32_t> children;
      children.reserve(c.children.size());
      for (const auto& child : c.children) {
        TRY(const uint32_t n, comparison(child));
        children.push_back(n);
      }
      node.first = static_cast<uint32_t>(out_->children.size());
      node.count = static_cast<uint32_t>(children.size());
      out_->children.insert(out_->children.end(), children.begin(), children.end());
    }
    out_->nodes.push_back(node);
    return static_cast<uint32_t>(out_->nodes.size() - 1);
  }

  Result<uint32_t> test(const Test& t) {
    TestCode code;
    code.test = &t;
    code.type = name(t.path.type);
    if (std::find(types_->begin(), types_->end(), code.type) == types_->end()) types_->push_back(code.type);
    code.first_step = static_cast<uint32_t>(out_->steps.size());
    code.step_count = static_cast<uint32_t>(t.path.steps.size());
    for (const auto& step : t.path.steps) {
      StepCode s;
      s.kind = step.kind;
      s.index = step.index;
      if (step.kind == Step::Kind::kKey) s.name = name(step.key);
      code.any = code.any || step.kind == Step::Kind::kAny;
      out_->steps.push_back(s);
    }
    if (t.op != Op::kExists) {
      CHECK_OK(prepare(t, code));
    }
    out_->tests.push_back(code);
    return static_cast<uint32_t>(out_->tests.size() - 1);
  }

  Status prepare(const Test& t, TestCode& code) {
    if (t.op < Op::kLike) return {};
    const std::string& text = t.constants.front().text;
    Prepared p;
    if (t.op == Op::kIsSubset || t.op == Op::kIsSuperset) {
      p.block = parse_block(text);
    } else if (t.op == Op::kLike) {
      p.octets = nfc(text);
      // On octets: only a constant whose characters all are octets (as the reference has it).
      p.has_octets = latin1_octets(p.octets).has_value();
    } else {
      const std::string composed = nfc(text);
      auto on_text = Regex::compile(composed, false);
      if (!on_text.ok()) {
        Error e = on_text.error();
        e.where = place(out_->ast->source, t.place.at) + (e.where.empty() ? "" : ", " + e.where);
        return e;
      }
      p.text_regex = *std::move(on_text);
      // Only a path whose last name says so has octets as its value.
      const auto last = std::find_if(t.path.steps.rbegin(), t.path.steps.rend(),
                                     [](const Step& s) { return s.kind == Step::Kind::kKey; });
      const Suffix suffix = suffix_of(last->key);
      if (suffix == Suffix::kBin || suffix == Suffix::kHex) {
        if (const auto octets = latin1_octets(composed)) {
          // \x{100} and the like have no octets to stand for: such an expression finds nothing there.
          if (auto on_octets = Regex::compile(*octets, true); on_octets.ok()) p.octet_regex = *std::move(on_octets);
        }
      }
    }
    code.prepared = static_cast<int32_t>(out_->prepared.size());
    out_->prepared.push_back(std::move(p));
    return {};
  }

  // A handful of names in most patterns; the index is for the long ones.
  uint32_t name(std::string_view text) {
    if (out_->names.size() < kFew) {
      for (uint32_t i = 0; i < out_->names.size(); ++i) {
        if (out_->names[i] == text) return i;
      }
    } else {
      if (by_name_.empty()) {
        for (uint32_t i = 0; i < out_->names.size(); ++i) by_name_.emplace(out_->names[i], i);
      }
      const auto [it, added] = by_name_.emplace(text, static_cast<uint32_t>(out_->names.size()));
      if (!added) return it->second;
    }
    out_->names.push_back(text);
    return static_cast<uint32_t>(out_->names.size() - 1);
  }

  static constexpr size_t kFew = 16;
  std::shared_ptr<Program> out_;
  std::vector<uint32_t>* types_ = nullptr;
  std::unordered_map<std::string_view, uint32_t> by_name_;
};

}  // namespace

Result<std::shared_ptr<const Program>> Program::make(std::shared_ptr<const Ast> ast) {
  return Compiler(std::move(ast)).run();
}

std::vector<Symbol> bind_names(const Program& program, const Symbols& symbols) {
  std::vector<Symbol> out;
  out.reserve(program.names.size());
  for (const auto name : program.names) out.push_back(symbols.find(name));
  return out;
}

}  // namespace entente::pattern
