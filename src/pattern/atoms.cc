// equality_atoms: which single values make a pattern match by themselves. Sound, not complete: an atom is given only
// where seeing its value is enough (as far as the value's kind can tell); everything else is left out and named in
// `why`. anchors and normalised: the same knowledge of paths and values, for patterns that need more than one value.
#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <optional>

#include "base/bytes.h"
#include "pattern/internal/ast.h"
#include "pattern/normal.h"
#include "pattern/pattern.h"

namespace entente::pattern {
namespace {

enum class Value : uint8_t { kIpv4, kIpv6, kEndpoint, kDomain, kUrl, kEmail, kJa3, kJa4 };

struct Known {
  std::string_view path;
  Value value;
};

// The ends of a flow may be named by address or domain name; which end it is an index cannot see, so either counts.
constexpr std::array kKnown = {
    Known{"ipv4-addr:value", Value::kIpv4},
    Known{"ipv6-addr:value", Value::kIpv6},
    Known{"domain-name:value", Value::kDomain},
    Known{"url:value", Value::kUrl},
    Known{"email-addr:value", Value::kEmail},
    Known{"email-message:from_ref.value", Value::kEmail},
    Known{"network-traffic:src_ref.value", Value::kEndpoint},
    Known{"network-traffic:dst_ref.value", Value::kEndpoint},
};

// Where a value anchors a bracket, but does not decide it: it may as well have stood elsewhere in a record.
constexpr std::array kAnchorOnly = {
    Known{"domain-name:resolves_to_refs[*].value", Value::kEndpoint},
    Known{"email-message:sender_ref.value", Value::kEmail},
    Known{"email-message:to_refs[*].value", Value::kEmail},
    Known{"email-message:cc_refs[*].value", Value::kEmail},
};

// STIX has no property for TLS fingerprints. What the field writes, as a rule inside an extension of network-traffic,
// and what is made of it. The last step alone decides, so that the object and the extension may be named as one likes.
struct FingerprintName {
  std::string_view spelling;
  Value value;
};
constexpr std::array kFingerprints = {
    FingerprintName{"ja3", Value::kJa3},          FingerprintName{"ja3_hash", Value::kJa3},
    FingerprintName{"ja3_md5", Value::kJa3},      FingerprintName{"ja3_fingerprint", Value::kJa3},
    FingerprintName{"client_ja3", Value::kJa3},   FingerprintName{"tls_ja3", Value::kJa3},
    FingerprintName{"tls_ja3_hash", Value::kJa3}, FingerprintName{"ja4", Value::kJa4},
    FingerprintName{"ja4_hash", Value::kJa4},     FingerprintName{"ja4_fingerprint", Value::kJa4},
    FingerprintName{"client_ja4", Value::kJa4},   FingerprintName{"tls_ja4", Value::kJa4},
};

std::optional<Value> fingerprint_of(const Path& path) {
  const Step& last = path.steps.back();
  if (last.kind != Step::Kind::kKey) return std::nullopt;
  std::string spelling = ascii_lower(last.key);
  if (spelling.starts_with("x_") || spelling.starts_with("x-")) spelling.erase(0, 2);
  std::replace(spelling.begin(), spelling.end(), '-', '_');
  for (const auto& known : kFingerprints) {
    if (known.spelling == spelling) return known.value;
  }
  // ja3.hash, as Suricata nests it.
  if (spelling == "hash" && path.steps.size() > 1 && path.steps[path.steps.size() - 2].key == "ja3") return Value::kJa3;
  return std::nullopt;
}

// Where records have it: network-traffic:extensions.'tls-ext'.ja3
void use_usual_path(Path& path, Value value) {
  const auto key = [](std::string_view text) { return Step{Step::Kind::kKey, std::string(text), 0}; };
  path.type = "network-traffic";
  path.steps = {key("extensions"), key("tls-ext"), key(value == Value::kJa3 ? "ja3" : "ja4")};
}

struct HashName {
  std::string_view spelling;  // letters and digits of the key, lower case
  std::string_view name;      // as hash-algorithm-ov has it
  AtomKind kind;
  size_t digits;
};

constexpr std::array kHashes = {
    HashName{"md5", "MD5", AtomKind::kMd5, 32},
    HashName{"sha1", "SHA-1", AtomKind::kSha1, 40},
    HashName{"sha256", "SHA-256", AtomKind::kSha256, 64},
    HashName{"sha512", "SHA-512", AtomKind::kSha512, 128},
};

struct Kind {
  Value value = Value::kIpv4;
  const HashName* hash = nullptr;
};

std::optional<Kind> kind_of(const Path& path, std::string_view text, bool anchor) {
  for (const auto& known : kKnown) {
    if (known.path == text) return Kind{known.value, nullptr};
  }
  for (const auto& known : kAnchorOnly) {
    if (anchor && known.path == text) return Kind{known.value, nullptr};
  }
  // file:hashes.'SHA-256', and the spellings SHA256 and sha256 that are seen in the field
  if (path.type == "file" && path.steps.size() == 2 && path.steps[0].key == "hashes" &&
      path.steps[1].kind == Step::Kind::kKey) {
    std::string spelling = ascii_lower(path.steps[1].key);
    std::erase(spelling, '-');
    for (const auto& hash : kHashes) {
      if (hash.spelling == spelling) return Kind{Value::kIpv4, &hash};
    }
  }
  if (const auto fingerprint = fingerprint_of(path)) return Kind{*fingerprint, nullptr};
  return std::nullopt;
}

bool network(Value v) { return v == Value::kIpv4 || v == Value::kIpv6 || v == Value::kEndpoint; }

class Collector {
 public:
  explicit Collector(bool anchor = false) : anchor_(anchor) {}

  // One test alone.
  Atoms run(const Test& t) {
    result_.complete = true;
    test(t);
    return std::move(result_);
  }

  Atoms run(const Observation& root) {
    result_.complete = true;
    observation(root);
    return std::move(result_);
  }

 private:
  void give_up(std::string why) {
    result_.complete = false;
    if (result_.why.empty()) result_.why = std::move(why);
  }

  void observation(const Observation& o) {
    for (const auto& q : o.qualifiers) {
      if (q.kind == Qualifier::Kind::kRepeats && q.first.integer == 1) continue;
      return give_up(q.kind == Qualifier::Kind::kRepeats  ? "REPEATS needs several observations"
                     : q.kind == Qualifier::Kind::kWithin ? "WITHIN needs the time of observations"
                                                          : "START … STOP needs the time of observations");
    }
    switch (o.kind) {
      case Observation::Kind::kBracket:
        return comparison(o.comparison);
      case Observation::Kind::kAnd:
        return give_up("AND needs several observations");
      case Observation::Kind::kFollowedBy:
        return give_up("FOLLOWEDBY needs several observations");
      case Observation::Kind::kOr:
      case Observation::Kind::kGroup:
        for (const auto& child : o.children) observation(child);
    }
  }

  void comparison(const Comparison& c) {
    if (c.kind == Comparison::Kind::kTest) return test(c.test);
    if (c.kind == Comparison::Kind::kAnd) return give_up("AND needs more than one property");
    for (const auto& child : c.children) comparison(child);
  }

  void test(const Test& t) {
    const std::string path = print(t.path);
    if (t.negated) return give_up(path + ": NOT matches everything but a value");
    const auto kind = kind_of(t.path, path, anchor_);
    if (!kind) return give_up(path + ": not a property that an index knows");
    switch (t.op) {
      case Op::kEqual:
      case Op::kIn:
        for (const auto& c : t.constants) {
          if (!equal(*kind, c, path)) give_up(path + ": not a value of this kind: " + printable(c.text, 60));
        }
        // IN () has no members: it never matches, so an index loses nothing.
        return;
      case Op::kIsSubset:
        if (kind->hash || !network(kind->value) || !equal(*kind, t.constants.front(), path)) {
          give_up(path + ": ISSUBSET of what is no address or block");
        }
        return;
      case Op::kLike:
        return like(*kind, t.constants.front(), path);
      default:
        return give_up(path + ": only =, IN, ISSUBSET and LIKE '%.name' can be looked up");
    }
  }

  void add(AtomKind kind, std::string value, std::string_view path) {
    for (const auto& atom : result_.any_of) {
      if (atom.kind == kind && atom.value == value) return;
    }
    result_.any_of.push_back({kind, std::move(value), std::string(path)});
  }

  bool equal(const Kind& kind, const Constant& c, std::string_view path) {
    if (c.kind != Constant::Kind::kString) return false;
    if (kind.hash != nullptr) {
      const bool fits = c.text.size() == kind.hash->digits && unhex(c.text).ok();
      if (fits) add(kind.hash->kind, ascii_lower(c.text), path);
      return fits;
    }
    if (network(kind.value)) {
      if (auto address = normal_address(c.text)) {
        const bool six = address->kind == AtomKind::kIpv6 || address->kind == AtomKind::kCidr6;
        if ((kind.value == Value::kIpv4 && six) || (kind.value == Value::kIpv6 && !six)) return false;
        add(address->kind, std::move(address->value), path);
        return true;
      }
    }
    switch (kind.value) {
      case Value::kEndpoint:
      case Value::kDomain:
        return add_if(AtomKind::kDomain, normal_domain(c.text), path);
      case Value::kUrl:
        return add_if(AtomKind::kUrl, normal_url(c.text), path);
      case Value::kEmail:
        return add_if(AtomKind::kEmail, normal_email(c.text), path);
      case Value::kJa3:
        return add_if(AtomKind::kJa3, normal_ja3(c.text), path);
      case Value::kJa4:
        return add_if(AtomKind::kJa4, normal_ja4(c.text), path);
      default:
        return false;
    }
  }

  bool add_if(AtomKind kind, std::optional<std::string> value, std::string_view path) {
    if (!value) return false;
    add(kind, *std::move(value), path);
    return true;
  }

  // LIKE '%.name' is the one form with a wildcard that an index can look up; without any wildcard LIKE is =.
  void like(const Kind& kind, const Constant& c, std::string_view path) {
    const std::string_view text = c.text;
    if (text.find_first_of("%_") == std::string_view::npos) {
      if (!equal(kind, c, path)) give_up(std::string(path) + ": not a value of this kind: " + printable(c.text, 60));
      return;
    }
    const bool names = kind.hash == nullptr && (kind.value == Value::kDomain || kind.value == Value::kEndpoint);
    const bool below = text.starts_with("%.") && text.find_first_of("%_", 1) == std::string_view::npos;
    if (!names || !below || !add_if(AtomKind::kDomainBelow, normal_domain(text.substr(2)), path)) {
      give_up(std::string(path) + ": LIKE with a wildcard that is not '%.name'");
    }
  }

  bool anchor_;
  Atoms result_;
};

// Values of which the comparison needs at least one; nullopt and `why` if there is no such list.
std::optional<std::vector<Atom>> needed(const Comparison& c, std::string& why) {
  if (c.kind == Comparison::Kind::kTest) {
    Atoms atoms = Collector(true).run(c.test);
    if (atoms.complete) return std::move(atoms.any_of);
    if (why.empty()) why = std::move(atoms.why);
    return std::nullopt;
  }
  if (c.kind == Comparison::Kind::kOr) {
    std::vector<Atom> all;
    for (const auto& child : c.children) {
      auto some = needed(child, why);
      if (!some) return std::nullopt;
      all.insert(all.end(), std::make_move_iterator(some->begin()), std::make_move_iterator(some->end()));
    }
    return all;
  }
  // AND: the side with the fewest values; a block or everything below a name is wider than one value.
  const auto width = [](const std::vector<Atom>& atoms) {
    size_t n = 0;
    for (const auto& a : atoms) {
      const bool wide = a.kind == AtomKind::kCidr4 || a.kind == AtomKind::kCidr6 || a.kind == AtomKind::kDomainBelow ||
                        a.kind == AtomKind::kDomainTree;
      n += wide ? 1000 : 1;
    }
    return n;
  };
  std::optional<std::vector<Atom>> best;
  std::string reason;
  for (const auto& child : c.children) {
    auto some = needed(child, reason);
    if (some && (!best || width(*some) < width(*best))) best = std::move(some);
  }
  if (!best && why.empty()) why = std::move(reason);
  return best;
}

void types_of(const Comparison& c, std::vector<std::string>& out) {
  if (c.kind == Comparison::Kind::kTest) {
    const std::string type = fingerprint_of(c.test.path) ? "network-traffic" : c.test.path.type;
    if (std::find(out.begin(), out.end(), type) == out.end()) out.push_back(type);
  }
  for (const auto& child : c.children) types_of(child, out);
}

void each_bracket(const Observation& o, const std::function<void(const Comparison&)>& fn) {
  if (o.kind == Observation::Kind::kBracket) return fn(o.comparison);
  for (const auto& child : o.children) each_bracket(child, fn);
}

// The text that values of this kind have; as it was where it is no such value.
std::string normal_text(const Kind& kind, const std::string& text) {
  if (kind.hash != nullptr) return ascii_lower(text);
  if (network(kind.value)) {
    if (auto address = normal_address(text)) return std::move(address->value);
  }
  std::optional<std::string> normal;
  if (kind.value == Value::kEndpoint || kind.value == Value::kDomain) normal = normal_domain(text);
  if (kind.value == Value::kUrl) normal = normal_url(text);
  if (kind.value == Value::kEmail) normal = normal_email(text);
  if (kind.value == Value::kJa3) normal = normal_ja3(text);
  if (kind.value == Value::kJa4) normal = normal_ja4(text);
  return normal ? *normal : text;
}

bool is_block(const Kind& kind, const Constant& c) {
  if (kind.hash != nullptr || !network(kind.value) || c.kind != Constant::Kind::kString) return false;
  const auto address = normal_address(c.text);
  return address && (address->kind == AtomKind::kCidr4 || address->kind == AtomKind::kCidr6);
}

void normalise(Comparison& c) {
  for (auto& child : c.children) normalise(child);
  if (c.kind != Comparison::Kind::kTest) return;
  Test& t = c.test;
  const auto kind = kind_of(t.path, print(t.path), true);
  if (!kind) return;
  if (kind->hash != nullptr) t.path.steps[1].key = kind->hash->name;
  const bool print_of = kind->hash == nullptr && (kind->value == Value::kJa3 || kind->value == Value::kJa4);
  if (print_of) use_usual_path(t.path, kind->value);
  switch (t.op) {
    case Op::kEqual:
    case Op::kNotEqual:
      if (is_block(*kind, t.constants.front())) {
        t.negated = t.negated != (t.op == Op::kNotEqual);
        t.op = Op::kIsSubset;
      }
      [[fallthrough]];
    case Op::kIn:
      break;
    case Op::kLike:
      // A wildcard is no part of any normal form; what is always lower case can be.
      if (kind->hash != nullptr || print_of || kind->value == Value::kDomain || kind->value == Value::kEmail ||
          kind->value == Value::kEndpoint)
        t.constants.front().text = ascii_lower(t.constants.front().text);
      return;
    default:
      return;
  }
  const bool blocks =
      std::any_of(t.constants.begin(), t.constants.end(), [&](const Constant& k) { return is_block(*kind, k); });
  for (auto& k : t.constants) {
    if (k.kind == Constant::Kind::kString) k.text = normal_text(*kind, k.text);
  }
  if (t.op != Op::kIn || !blocks || t.negated || t.constants.size() < 2) return;
  // A set with blocks in it: each for itself.
  Comparison any;
  any.kind = Comparison::Kind::kOr;
  for (const auto& k : t.constants) {
    Comparison one;
    one.test = t;
    one.test.op = is_block(*kind, k) ? Op::kIsSubset : Op::kEqual;
    one.test.constants = {k};
    any.children.push_back(std::move(one));
  }
  c = std::move(any);
}

void normalise(Observation& o) {
  if (o.kind == Observation::Kind::kBracket) normalise(o.comparison);
  for (auto& child : o.children) normalise(child);
}

}  // namespace

Atoms equality_atoms(const Pattern& pattern) { return Collector().run(pattern.ast().root); }

Anchors anchors(const Pattern& pattern, bool (*seen)(std::string_view)) {
  Anchors out;
  out.complete = true;
  each_bracket(pattern.ast().root, [&](const Comparison& c) {
    auto& types = out.types.emplace_back();
    types_of(c, types);
    if (seen != nullptr && std::none_of(types.begin(), types.end(), seen)) return;
    auto some = needed(c, out.why);
    out.complete = out.complete && some.has_value();
    for (auto& atom : some.value_or(std::vector<Atom>{})) {
      const bool known = std::any_of(out.any_of.begin(), out.any_of.end(),
                                     [&](const Atom& a) { return a.kind == atom.kind && a.value == atom.value; });
      if (!known) out.any_of.push_back(std::move(atom));
    }
  });
  if (out.complete) out.why.clear();
  return out;
}

Pattern normalised(const Pattern& pattern) {
  Ast ast = pattern.ast();
  normalise(ast.root);
  auto parsed = Pattern::parse(print(ast));
  if (!parsed.ok()) return pattern;
  return std::move(*parsed);
}

}  // namespace entente::pattern
