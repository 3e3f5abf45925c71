// A second evaluator, for tests only: the obvious reading of STIX 2.1 §9 over trees of JSON, with all bindings written
// out. Slow, and written apart from the product: it shares the parser's tree and nothing else.
#pragma once

#include <algorithm>
#include <functional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <arpa/inet.h>

#include "base/bytes.h"
#include "json/node.h"
#include "pattern/internal/ast.h"

namespace entente::pattern::oracle {

using json::Node;

struct Seen {
  std::string id;
  std::string first, last;  // timestamps, all with three digits after the dot
  int count = 1;
  std::vector<const Node*> objects;  // listed
};

inline int64_t milliseconds(const std::string& t) {  // only of January 2026, which is all that the tests have
  return ((std::stoll(t.substr(8, 2)) * 24 + std::stoll(t.substr(11, 2))) * 60 + std::stoll(t.substr(14, 2))) * 60'000 +
         std::stoll(t.substr(17, 2)) * 1000 + std::stoll(t.substr(20, 3));
}

// --- values

struct Found {
  const Node* node;
  char kind;  // ' ' plain, 'b' base64, 'h' hex
};

inline bool ends(const std::string& s, const char* with) { return s.ends_with(with); }

inline const Node* referenced(const Seen& seen, const Node& id) {
  if (!id.is_string()) return nullptr;
  for (const Node* o : seen.objects) {
    if (o->string_at("id") == id.string()) return o;
  }
  return nullptr;
}

// A list of references is carried as it is; its elements are followed when they are taken.
inline void walk(const Seen& seen, const Node& at, const std::vector<Step>& steps, size_t i, const std::string& key,
                 std::vector<Found>& out) {
  if (i == steps.size()) {
    const char kind = ends(key, "_bin") ? 'b' : ends(key, "_hex") ? 'h' : ' ';
    out.push_back({&at, kind});
    return;
  }
  const Step& s = steps[i];
  const auto element = [&](const Node& e) {
    if (!ends(key, "_refs")) return walk(seen, e, steps, i + 1, key, out);
    if (const Node* target = referenced(seen, e)) walk(seen, *target, steps, i + 1, "", out);
  };
  if (s.kind == Step::Kind::kKey) {
    if (!at.is_object()) return;
    const Node* v = at.find(s.key);
    if (v == nullptr) return;
    if (ends(s.key, "_ref")) {
      if (const Node* target = referenced(seen, *v)) walk(seen, *target, steps, i + 1, "", out);
      return;
    }
    walk(seen, *v, steps, i + 1, s.key, out);
  } else if (at.is_array()) {
    for (size_t n = 0; n < at.list().size(); ++n) {
      if (s.kind == Step::Kind::kAny || static_cast<int64_t>(n) == s.index) element(at.list()[n]);
    }
  }
}

// Values as pairs (kind, something with an order): 'n' number, 's' string, 'o' octets, 't' time, 'B' boolean, '?' else.
struct Plain {
  char kind = '?';
  long double number = 0;
  std::string text;
};

inline std::string time_key(const std::string& t) {  // "2026-01-01T00:00:00.123Z" -> sortable at any precision
  std::string s = t.substr(0, t.size() - 1);
  if (s.size() == 19) s += '.';
  while (s.size() < 60) s += '0';
  return s;
}

inline bool is_time(const std::string& t) {
  static const std::regex re(R"(\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?Z)");
  return std::regex_match(t, re);
}

inline Plain plain(const Found& f) {
  if (f.kind != ' ') {
    if (!f.node->is_string()) return {};
    const auto octets = f.kind == 'b' ? unbase64(f.node->string()) : unhex(f.node->string());
    if (!octets.ok()) return {};
    return {'o', 0, *octets};
  }
  if (f.node->is_int()) return {'n', static_cast<long double>(f.node->integer()), ""};
  if (f.node->is_double()) return {'n', static_cast<long double>(f.node->real()), ""};
  if (f.node->is_bool()) return {'B', f.node->boolean() ? 1.0L : 0.0L, ""};
  if (f.node->is_string()) return {'s', 0, f.node->string()};
  return {};
}

inline Plain plain(const Constant& c) {
  switch (c.kind) {
    case Constant::Kind::kInteger:
      return {'n', static_cast<long double>(c.integer), ""};
    case Constant::Kind::kFloat:
      return {'n', static_cast<long double>(c.real), ""};
    case Constant::Kind::kBoolean:
      return {'B', c.boolean ? 1.0L : 0.0L, ""};
    case Constant::Kind::kString:
      return {'s', 0, c.text};
    case Constant::Kind::kTimestamp:
      return {'t', 0, time_key(c.text)};
    default:
      return {'o', 0, c.text};
  }
}

inline std::vector<unsigned> points(const std::string& s) {
  std::vector<unsigned> out;
  for (size_t i = 0; i < s.size();) {
    const auto c = static_cast<unsigned char>(s[i]);
    const int n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    unsigned p = n == 1 ? c : c & (0xffU >> (n + 1));
    for (int k = 1; k < n; ++k) p = p << 6 | (static_cast<unsigned char>(s[i + static_cast<size_t>(k)]) & 0x3fU);
    out.push_back(p);
    i += static_cast<size_t>(n);
  }
  return out;
}

inline std::vector<unsigned> raw(const std::string& octets) {
  std::vector<unsigned> out;
  for (const char o : octets) out.push_back(static_cast<unsigned char>(o));
  return out;
}

// -1, 0, 1; 2: kinds go together but can never be equal; 3: incomparable
inline int compare(Plain v, const Plain& c) {
  const auto sign = [](auto a, auto b) { return a < b ? -1 : a > b ? 1 : 0; };
  if (c.kind == 't') {
    if (v.kind != 's' || !is_time(v.text)) return 3;
    return sign(time_key(v.text), c.text);
  }
  if (v.kind == '?' || c.kind == '?') return 3;
  if (v.kind == c.kind) {
    if (v.kind == 'n' || v.kind == 'B') return sign(v.number, c.number);
    if (v.kind == 's') return sign(points(v.text), points(c.text));
    return sign(std::vector<unsigned char>(v.text.begin(), v.text.end()),
                std::vector<unsigned char>(c.text.begin(), c.text.end()));
  }
  if ((v.kind == 's' && c.kind == 'o') || (v.kind == 'o' && c.kind == 's')) {
    const auto wide = [](const Plain& p) {
      if (p.kind == 's') return points(p.text);
      std::vector<unsigned> out;
      for (const char o : p.text) out.push_back(static_cast<unsigned char>(o));
      return out;
    };
    const auto a = wide(v), b = wide(c);
    for (const auto& list : {a, b}) {
      for (const unsigned p : list) {
        if (p > 255) return 2;
      }
    }
    return sign(a, b);
  }
  return 3;
}

inline bool like(const std::vector<unsigned>& p, size_t i, const std::vector<unsigned>& v, size_t j) {
  if (i == p.size()) return j == v.size();
  if (p[i] == '%') {
    for (size_t k = j; k <= v.size(); ++k) {
      if (like(p, i + 1, v, k)) return true;
    }
    return false;
  }
  return j < v.size() && (p[i] == '_' || p[i] == v[j]) && like(p, i + 1, v, j + 1);
}

// The first bits of an address or block, as characters; "" if it is none.
inline std::string bits(const std::string& text) {
  const size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  const bool six = address.find(':') != std::string::npos;
  unsigned char raw[16] = {};
  if (inet_pton(six ? AF_INET6 : AF_INET, address.c_str(), raw) != 1) return "";
  size_t n = six ? 128 : 32;
  if (slash != std::string::npos) {
    const std::string length = text.substr(slash + 1);
    if (length.empty() || length.size() > 3 || length.find_first_not_of("0123456789") != std::string::npos) return "";
    if (std::stoul(length) > n) return "";
    n = std::stoul(length);
  }
  std::string out = six ? "6" : "4";
  for (size_t i = 0; i < n; ++i) out += (raw[i / 8] >> (7 - i % 8) & 1) != 0 ? '1' : '0';
  return out;
}

inline bool test_value(const Test& t, const Found& f) {
  const Plain v = plain(f);
  bool r = false;
  switch (t.op) {
    case Op::kEqual:
    case Op::kIn:
      for (const auto& c : t.constants) r = r || compare(v, plain(c)) == 0;
      break;
    case Op::kNotEqual:
      r = compare(v, plain(t.constants[0])) != 0;
      break;
    case Op::kLike: {
      const auto pattern = points(t.constants[0].text);
      if (v.kind == 's') r = like(pattern, 0, points(v.text), 0);
      // Octets: as UTF-8 if they are, and only for a constant that octets could be.
      const bool narrow = std::all_of(pattern.begin(), pattern.end(), [](unsigned p) { return p < 256; });
      if (v.kind == 'o') r = narrow && like(pattern, 0, valid_utf8(v.text) ? points(v.text) : raw(v.text), 0);
      break;
    }
    case Op::kMatches: {
      std::wstring e;  // DOTALL
      for (const unsigned c : points(t.constants[0].text)) {
        e += c == '.' ? std::wstring(L"[\\s\\S]") : std::wstring(1, static_cast<wchar_t>(c));
      }
      const auto in = v.kind == 's' ? points(v.text) : raw(v.text);
      const std::wstring wide(in.begin(), in.end());
      r = (v.kind == 's' || v.kind == 'o') && std::regex_search(wide, std::wregex(e));
      break;
    }
    case Op::kIsSubset:
    case Op::kIsSuperset: {
      const std::string a = v.kind == 's' ? bits(v.text) : "";
      const std::string b = bits(t.constants[0].text);
      r = !a.empty() && !b.empty() && (t.op == Op::kIsSubset ? a.starts_with(b) : b.starts_with(a));
      break;
    }
    default: {
      const int c = compare(v, plain(t.constants[0]));
      if (c == 3) return false;
      r = c != 2 && (t.op == Op::kLess        ? c < 0
                     : t.op == Op::kLessEqual ? c <= 0
                     : t.op == Op::kGreater   ? c > 0
                                              : c >= 0);
    }
  }
  return r != t.negated;
}

inline bool comparison(const Comparison& c, const Seen& seen, const Node& root) {
  if (c.kind == Comparison::Kind::kTest) {
    if (root.string_at("type") != c.test.path.type) return false;
    std::vector<Found> found;
    walk(seen, root, c.test.path.steps, 0, "", found);
    if (c.test.op == Op::kExists) return found.empty() == c.test.negated;
    return std::any_of(found.begin(), found.end(), [&](const Found& f) { return test_value(c.test, f); });
  }
  size_t yes = 0;
  for (const auto& child : c.children) yes += comparison(child, seen, root) ? 1 : 0;
  return c.kind == Comparison::Kind::kAnd ? yes == c.children.size() : yes > 0;
}

// --- bindings: how often each observation is used

using Counts = std::vector<int>;

struct World {
  std::vector<Seen> seen;
  size_t made = 0;  // bindings looked at
};

inline int64_t latest_first(const World& w, const Counts& c) {
  int64_t t = INT64_MIN;
  for (size_t i = 0; i < c.size(); ++i) {
    if (c[i] > 0) t = std::max(t, milliseconds(w.seen[i].first));
  }
  return t;
}
inline int64_t earliest_last(const World& w, const Counts& c) {
  int64_t t = INT64_MAX;
  for (size_t i = 0; i < c.size(); ++i) {
    if (c[i] > 0) t = std::min(t, milliseconds(w.seen[i].last));
  }
  return t;
}

inline std::set<Counts> join(World& w, const std::set<Counts>& a, const std::set<Counts>& b, bool in_order) {
  std::set<Counts> out;
  for (const auto& x : a) {
    for (const auto& y : b) {
      ++w.made;
      if (in_order && latest_first(w, x) > earliest_last(w, y)) continue;
      Counts sum = x;
      bool fits = true;
      for (size_t i = 0; i < sum.size(); ++i) {
        sum[i] += y[i];
        fits = fits && sum[i] <= w.seen[i].count;
      }
      if (fits) out.insert(sum);
    }
  }
  return out;
}

inline std::set<Counts> bindings(const Observation& o, World& w) {
  std::set<Counts> out;
  if (o.kind == Observation::Kind::kBracket) {
    for (size_t i = 0; i < w.seen.size(); ++i) {
      for (const Node* root : w.seen[i].objects) {
        if (!comparison(o.comparison, w.seen[i], *root)) continue;
        Counts c(w.seen.size());
        c[i] = 1;
        out.insert(c);
      }
    }
  } else {
    out = bindings(o.children[0], w);
    for (size_t i = 1; i < o.children.size(); ++i) {
      const auto next = bindings(o.children[i], w);
      if (o.kind == Observation::Kind::kOr) {
        out.insert(next.begin(), next.end());
      } else {
        out = join(w, out, next, o.kind == Observation::Kind::kFollowedBy);
      }
    }
  }
  for (const auto& q : o.qualifiers) {
    if (q.kind == Qualifier::Kind::kRepeats) {
      const auto one = out;
      for (int64_t i = 1; i < q.first.integer && !out.empty(); ++i) out = join(w, out, one, false);
    } else if (q.kind == Qualifier::Kind::kWithin) {
      const double s = q.first.kind == Constant::Kind::kInteger ? static_cast<double>(q.first.integer) : q.first.real;
      std::erase_if(out, [&](const Counts& c) {
        return static_cast<double>(latest_first(w, c) - earliest_last(w, c)) / 1000.0 >= s;
      });
    } else {
      const int64_t x = milliseconds(q.first.text), y = milliseconds(q.second.text);
      std::erase_if(out, [&](const Counts& c) {
        for (size_t i = 0; i < c.size(); ++i) {
          if (c[i] == 0) continue;
          if (x >= y || milliseconds(w.seen[i].first) >= y || milliseconds(w.seen[i].last) < x) return true;
        }
        return false;
      });
    }
  }
  return out;
}

// data: observed-data with object_refs and the objects, as one list.
inline World world(const Node& data) {
  World w;
  for (const Node& o : data.list()) {
    if (o.string_at("type") != "observed-data") continue;
    Seen s;
    s.id = o.string_at("id");
    s.first = o.string_at("first_observed");
    s.last = o.string_at("last_observed");
    s.count = static_cast<int>(o.find("number_observed")->integer());
    for (const Node& ref : o.find("object_refs")->list()) {
      for (const Node& target : data.list()) {
        if (target.string_at("id") == ref.string()) s.objects.push_back(&target);
      }
    }
    w.seen.push_back(std::move(s));
  }
  return w;
}

inline bool matches(const Ast& ast, const Node& data) {
  World w = world(data);
  return !bindings(ast.root, w).empty();
}

// A claimed binding is one.
inline bool is_binding(const Ast& ast, const Node& data, const Counts& counts) {
  World w = world(data);
  return bindings(ast.root, w).contains(counts);
}

}  // namespace entente::pattern::oracle
