// equality_atoms: which single values make a pattern match by themselves. Sound, not complete: an atom is given only
// where seeing its value is enough (as far as the value's kind can tell); everything else is left out and named in
// `why`.
#include <array>
#include <optional>

#include "base/bytes.h"
#include "pattern/internal/ast.h"
#include "pattern/normal.h"
#include "pattern/pattern.h"

namespace entente::pattern {
namespace {

enum class Value : uint8_t { kIpv4, kIpv6, kEndpoint, kDomain, kUrl, kEmail };

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

struct HashName {
  std::string_view spelling;  // letters and digits of the key, lower case
  AtomKind kind;
  size_t digits;
};

constexpr std::array kHashes = {
    HashName{"md5", AtomKind::kMd5, 32},
    HashName{"sha1", AtomKind::kSha1, 40},
    HashName{"sha256", AtomKind::kSha256, 64},
    HashName{"sha512", AtomKind::kSha512, 128},
};

class Collector {
 public:
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
    const auto kind = kind_of(t.path, path);
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

  struct Kind {
    Value value = Value::kIpv4;
    const HashName* hash = nullptr;
  };

  static std::optional<Kind> kind_of(const Path& path, std::string_view text) {
    for (const auto& known : kKnown) {
      if (known.path == text) return Kind{known.value, nullptr};
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
    return std::nullopt;
  }

  static bool network(Value v) { return v == Value::kIpv4 || v == Value::kIpv6 || v == Value::kEndpoint; }

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

  Atoms result_;
};

}  // namespace

Atoms equality_atoms(const Pattern& pattern) { return Collector().run(pattern.ast().root); }

}  // namespace entente::pattern
