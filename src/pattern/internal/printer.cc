// Tree to canonical text: one space between tokens, "=" and "!=" for the spellings that mean the same, names quoted
// only where they must be.
#include <array>
#include <charconv>

#include "base/bytes.h"
#include "pattern/internal/ast.h"
#include "pattern/pattern.h"

namespace entente::pattern {
namespace {

bool plain_key(std::string_view key) {
  if (key.empty() || (key.front() >= '0' && key.front() <= '9') || is_keyword(key)) return false;
  // t'…', h'…' and b'…' are literals, but a bare t, h or b is a name like any other.
  for (const char c : key) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!fine) return false;
  }
  return true;
}

void put(std::string& out, const Constant& c) {
  std::array<char, 512> buffer;  // the longest double in fixed notation has 309 digits before or 340 after the dot
  switch (c.kind) {
    case Constant::Kind::kInteger:
      out += std::to_string(c.integer);
      break;
    case Constant::Kind::kFloat: {
      const auto end =
          std::to_chars(buffer.data(), buffer.data() + buffer.size(), c.real, std::chars_format::fixed).ptr;
      const std::string_view digits(buffer.data(), static_cast<size_t>(end - buffer.data()));
      out += digits;
      if (digits.find('.') == std::string_view::npos) out += ".0";
      break;
    }
    case Constant::Kind::kString:
      out += quote(c.text);
      break;
    case Constant::Kind::kBoolean:
      out += c.boolean ? "true" : "false";
      break;
    case Constant::Kind::kTimestamp:
      out += "t'" + c.text + "'";
      break;
    case Constant::Kind::kHex:
      out += "h'" + hex(c.text) + "'";
      break;
    case Constant::Kind::kBinary:
      out += "b'" + base64(c.text) + "'";
      break;
  }
}

void put(std::string& out, const Path& p) {
  out += p.type;
  for (size_t i = 0; i < p.steps.size(); ++i) {
    const Step& s = p.steps[i];
    switch (s.kind) {
      case Step::Kind::kKey:
        out += i == 0 ? ':' : '.';
        out += plain_key(s.key) ? s.key : quote(s.key);
        break;
      case Step::Kind::kIndex:
        out += "[" + std::to_string(s.index) + "]";
        break;
      case Step::Kind::kAny:
        out += "[*]";
        break;
    }
  }
}

void put(std::string& out, const Test& t) {
  static constexpr std::array<std::string_view, 12> kOps = {" = ",       " != ",       " < ",          " <= ",
                                                            " > ",       " >= ",       " IN ",         " LIKE ",
                                                            " MATCHES ", " ISSUBSET ", " ISSUPERSET ", "EXISTS "};
  if (t.op == Op::kExists) {
    out += t.negated ? "NOT EXISTS " : "EXISTS ";
    put(out, t.path);
    return;
  }
  put(out, t.path);
  if (t.negated) out += " NOT";
  out += kOps[static_cast<size_t>(t.op)];
  if (t.op == Op::kIn) out += '(';
  for (size_t i = 0; i < t.constants.size(); ++i) {
    if (i != 0) out += ", ";
    put(out, t.constants[i]);
  }
  if (t.op == Op::kIn) out += ')';
}

void put(std::string& out, const Comparison& c) {
  if (c.kind == Comparison::Kind::kTest) return put(out, c.test);
  for (size_t i = 0; i < c.children.size(); ++i) {
    if (i != 0) out += c.kind == Comparison::Kind::kAnd ? " AND " : " OR ";
    const Comparison& child = c.children[i];
    // AND binds tighter, so only AND inside OR can do without; a nested node of the same kind is one because
    // parentheses made it so.
    const bool bare = child.kind == Comparison::Kind::kTest ||
                      (child.kind == Comparison::Kind::kAnd && c.kind == Comparison::Kind::kOr);
    if (!bare) out += '(';
    put(out, child);
    if (!bare) out += ')';
  }
}

// How tightly an observation without qualifiers binds; higher is tighter.
int strength(const Observation& o) {
  if (!o.qualifiers.empty()) return 4;  // put() gives it its own parentheses
  switch (o.kind) {
    case Observation::Kind::kFollowedBy:
      return 1;
    case Observation::Kind::kOr:
      return 2;
    case Observation::Kind::kAnd:
      return 3;
    default:
      return 4;
  }
}

void put(std::string& out, const Qualifier& q) {
  switch (q.kind) {
    case Qualifier::Kind::kWithin:
      out += " WITHIN ";
      put(out, q.first);
      out += " SECONDS";
      break;
    case Qualifier::Kind::kRepeats:
      out += " REPEATS ";
      put(out, q.first);
      out += " TIMES";
      break;
    case Qualifier::Kind::kStartStop:
      out += " START ";
      put(out, q.first);
      out += " STOP ";
      put(out, q.second);
      break;
  }
}

void put(std::string& out, const Observation& o) {
  if (o.kind == Observation::Kind::kBracket) {
    out += '[';
    put(out, o.comparison);
    out += ']';
  } else {
    const bool group = !o.qualifiers.empty();
    if (group) out += '(';
    for (size_t i = 0; i < o.children.size(); ++i) {
      if (i != 0) {
        out += o.kind == Observation::Kind::kAnd ? " AND " : o.kind == Observation::Kind::kOr ? " OR " : " FOLLOWEDBY ";
      }
      const Observation& child = o.children[i];
      const int own = o.kind == Observation::Kind::kFollowedBy ? 1 : o.kind == Observation::Kind::kOr ? 2 : 3;
      const bool bare = o.kind == Observation::Kind::kGroup || strength(child) > own;
      if (!bare) out += '(';
      put(out, child);
      if (!bare) out += ')';
    }
    if (group) out += ')';
  }
  for (const auto& q : o.qualifiers) put(out, q);
}

}  // namespace

std::string print(const Ast& ast) {
  std::string out;
  put(out, ast.root);
  return out;
}

std::string print(const Path& path) {
  std::string out;
  put(out, path);
  return out;
}

}  // namespace entente::pattern
