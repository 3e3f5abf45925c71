// STIX patterning (STIX 2.1 §9): parse, print, and the atoms an index can look up. Thread-safe once parsed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace entente::pattern {

struct Ast;  // internal/ast.h

class Pattern {
 public:
  // The whole grammar of STIX 2.1 §9. Errors give line:column (of the pattern text), what was found and what was
  // expected. Bounded: 64 KiB of text, depth 64.
  static Result<Pattern> parse(std::string_view text);

  // Canonical text: parse(print(p)) gives the same tree.
  [[nodiscard]] std::string print() const;
  [[nodiscard]] const Ast& ast() const { return *ast_; }
  [[nodiscard]] const std::shared_ptr<const Ast>& shared_ast() const { return ast_; }
  // What was accepted though the standard does not allow it ("1:20: a leading plus is not allowed …").
  [[nodiscard]] const std::vector<std::string>& warnings() const;

 private:
  explicit Pattern(std::shared_ptr<const Ast> ast) : ast_(std::move(ast)) {}
  std::shared_ptr<const Ast> ast_;
};

// What an atom is looked up as.
enum class AtomKind : uint8_t {
  kIpv4,
  kIpv6,  // one address, text as given in `value` normalised to canonical form
  kCidr4,
  kCidr6,        // "198.51.100.0/24", host bits cleared
  kDomain,       // exactly this name, lower case A-label, no trailing dot
  kDomainTree,   // this name and everything below it (LIKE '%.name' alone does not include the name itself: see
                 // kDomainBelow)
  kDomainBelow,  // everything below it, not itself
  kUrl,          // normalised URL text
  kMd5,
  kSha1,
  kSha256,
  kSha512,  // lower-case hex
  kEmail,
  kJa3,  // TLS fingerprint of a client: 32 hex digits, lower case
  kJa4,  // "t13d1516h2_8daaf6152771_e5627efa2ab1"
};
[[nodiscard]] const char* name(AtomKind kind);

struct Atom {
  AtomKind kind;
  std::string value;
  std::string object_path;  // "domain-name:value", for reports
};

// The atoms of a pattern of which ANY ONE alone makes it match (observations and comparisons joined only by OR, REPEATS
// 1, no other qualifier). `complete` is true if the pattern is nothing but these atoms; false if it also (or only)
// matches in ways an index cannot see (AND, FOLLOWEDBY, MATCHES, !=, unknown paths): then the atoms found so far are
// returned and `why` says what stopped it.
struct Atoms {
  std::vector<Atom> any_of;
  bool complete = false;
  std::string why;
};
[[nodiscard]] Atoms equality_atoms(const Pattern& pattern);

// For patterns that an index cannot decide: values of which every observation that fits any bracket of the pattern
// shows at least one, so that only records which show one need be looked at. `complete`: there is such a list; else
// `why` names a bracket without one (NOT, !=, MATCHES, a property that an index does not know).
struct Anchors {
  std::vector<Atom> any_of;
  bool complete = false;
  std::string why;
  // The types of objects that each bracket asks for: one of them has to be seen for the bracket to fit.
  std::vector<std::vector<std::string>> types;
};
// `seen`, if given: is there any record that shows objects of this type? A bracket without one never fits, and needs no
// anchor.
[[nodiscard]] Anchors anchors(const Pattern& pattern, bool (*seen)(std::string_view type) = nullptr);

// The same pattern with its constants as values are written on the way (normal.h): names, e-mail addresses and digests
// in lower case, URLs and addresses in normal form, `= 'block'` as ISSUBSET, the usual spellings of hash names. It is
// to be evaluated over values in those forms, and then takes for equal what equality_atoms does.
[[nodiscard]] Pattern normalised(const Pattern& pattern);

// value -> STIX string literal with quotes ('it\'s').
[[nodiscard]] std::string quote(std::string_view value);

}  // namespace entente::pattern
