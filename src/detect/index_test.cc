#include "detect/index.h"

#include <algorithm>
#include <set>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"

namespace entente::detect {
namespace {

using pattern::Atom;
using pattern::AtomKind;

// The oracle: each atom against the value, by the words of the contract, one after the other.
using Octets = std::array<uint8_t, 16>;
struct Parsed {
  Octets octets;
  bool v4;
};
std::optional<Parsed> parse(const std::string& text) {
  Parsed p{};
  p.octets[10] = p.octets[11] = 0xff;
  if (inet_pton(AF_INET, text.c_str(), p.octets.data() + 12) == 1) return Parsed{p.octets, true};
  if (inet_pton(AF_INET6, text.c_str(), p.octets.data()) == 1) return Parsed{p.octets, false};
  return std::nullopt;
}
bool same_prefix(const Octets& a, const Octets& b, int bits) {
  for (int i = 0; i < bits; ++i)
    if (((a[static_cast<size_t>(i) / 8] ^ b[static_cast<size_t>(i) / 8]) >> (7 - i % 8) & 1) != 0) return false;
  return true;
}

// In these tests URLs are made from parts, so that their canonical form is known without normalising.
struct Seen {
  ObservableKind kind;
  std::string text;       // as seen, with all liberties
  std::string canonical;  // URL, e-mail, hash
  std::string host;       // of a URL
};

bool slow_address(const Atom& atom, const std::string& text) {
  const auto seen = parse(text);
  const size_t slash = atom.value.find('/');
  const auto block = parse(atom.value.substr(0, slash));
  if (!seen || !block) return false;
  int bits = 128;
  if (slash != std::string::npos) bits = std::stoi(atom.value.substr(slash + 1)) + (block->v4 ? 96 : 0);
  if (seen->v4 && !block->v4 && bits < 96) return false;  // ::/0 is about IPv6 addresses
  return same_prefix(seen->octets, block->octets, bits);
}

bool slow_domain(const Atom& atom, std::string seen) {
  if (seen.ends_with('.')) seen.pop_back();
  seen = ascii_lower(seen);
  const bool same = seen == atom.value, below = seen.ends_with("." + atom.value);
  return (atom.kind == AtomKind::kDomain && same) || (atom.kind == AtomKind::kDomainTree && (same || below)) ||
         (atom.kind == AtomKind::kDomainBelow && below);
}

bool slow_match(const Atom& atom, const Seen& seen) {
  const bool is_address = atom.kind <= AtomKind::kCidr6,
             is_domain = atom.kind >= AtomKind::kDomain && atom.kind <= AtomKind::kDomainBelow;
  switch (seen.kind) {
    case ObservableKind::kIpv4:
    case ObservableKind::kIpv6:
      return is_address && slow_address(atom, seen.text);
    case ObservableKind::kDomain:
      return is_domain && slow_domain(atom, seen.text);
    case ObservableKind::kUrl:
      return (atom.kind == AtomKind::kUrl && atom.value == seen.canonical) ||
             (is_domain && slow_domain(atom, seen.host)) || (is_address && slow_address(atom, seen.host));
    case ObservableKind::kHash:
      return ((atom.kind >= AtomKind::kMd5 && atom.kind <= AtomKind::kSha512) || atom.kind == AtomKind::kJa3) &&
             atom.value == seen.canonical;
    case ObservableKind::kJa3:
      return (atom.kind == AtomKind::kMd5 || atom.kind == AtomKind::kJa3) && atom.value == seen.canonical;
    case ObservableKind::kJa4:
      return atom.kind == AtomKind::kJa4 && atom.value == seen.canonical;
    case ObservableKind::kEmail:
      return atom.kind == AtomKind::kEmail && atom.value == seen.canonical;
  }
  return false;
}

// A small universe, so that things meet.
using rc::gen::elementOf;
int below(int n) { return *rc::gen::inRange(0, n); }
std::string pick(std::vector<std::string> v) { return *elementOf(std::move(v)); }

std::string label() { return pick({"a", "b", "ab", "www", "x-y", "_t"}); }
std::string domain() {
  std::string name = pick({"com", "org", "co.jp"});
  for (int i = below(4); i > 0; --i) name = label() + "." + name;
  return name;
}
std::string v4() {
  return pick({"10", "11"}) + "." + pick({"0", "1"}) + "." + pick({"0", "255"}) + "." + std::to_string(below(5));
}
// The same address in one of its forms.
std::string v6() {
  Octets o{};
  o[0] = 0x20;
  o[1] = static_cast<uint8_t>(below(2));
  o[7] = static_cast<uint8_t>(below(2));
  o[15] = static_cast<uint8_t>(below(3));
  char text[64];
  if (below(2) == 0) {
    inet_ntop(AF_INET6, o.data(), text, sizeof text);
  } else {
    std::snprintf(text, sizeof text, below(2) == 0 ? "%x:0:0:%04x:0:0:0:%X" : "%04X:0000::%x:0:0:0.0.0.%d",
                  0x2000 | o[1], o[7], o[15]);
  }
  return text;
}
std::string any_address() { return pick({v4(), v6(), "::ffff:" + v4(), "::FFFF:" + v4()}); }
std::string shout(std::string text) {
  for (char& c : text)
    if (below(3) == 0) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}
std::string hex_digest(size_t n) { return std::string(n - 1, pick({"a", "0"})[0]) + pick({"b", "c"}); }
std::string email() { return pick({"joe", "ann.b"}) + "@" + domain(); }
struct Url {
  std::string scheme, host, port, path;
};
Url url() {
  return {pick({"http", "https"}), pick({domain(), v4(), domain()}), pick({"", "", ":8080"}),
          pick({"/", "/a", "/a/b?x=1", "/A"})};
}

Atom atom() {
  switch (below(10)) {
    case 0:
      return {AtomKind::kIpv4, v4(), {}};
    case 1:
      return {AtomKind::kIpv6, pick({v6(), "::ffff:" + v4()}), {}};
    case 2:
      return {AtomKind::kCidr4, v4() + "/" + std::to_string(below(33)), {}};
    case 3:
      return {AtomKind::kCidr6, v6() + "/" + std::to_string(below(129)), {}};
    case 4:
      return {AtomKind::kDomain, domain(), {}};
    case 5:
      return {AtomKind::kDomainTree, domain(), {}};
    case 6:
      return {AtomKind::kDomainBelow, domain(), {}};
    case 7: {
      const Url u = url();
      return {AtomKind::kUrl, u.scheme + "://" + u.host + u.port + u.path, {}};
    }
    case 8:
      switch (below(3)) {
        case 0:
          return {AtomKind::kMd5, hex_digest(32), {}};
        case 1:
          return {AtomKind::kSha1, hex_digest(40), {}};
        default:
          return {AtomKind::kSha256, hex_digest(64), {}};
      }
    default:
      return {AtomKind::kEmail, email(), {}};
  }
}

Seen seen() {
  switch (below(6)) {
    case 0:
      return {ObservableKind::kIpv4, v4(), {}, {}};
    case 1:
      return {ObservableKind::kIpv6, any_address(), {}, {}};
    case 2:
      return {ObservableKind::kDomain, shout(domain()) + pick({"", "."}), {}, {}};
    case 3: {
      const Url u = url();
      std::string port = u.port;
      if (port.empty() && below(2) == 0) port = u.scheme == "http" ? ":80" : ":443";
      const std::string path = u.path == "/" ? pick({"", "/", "/#top", "#f"}) : u.path + pick({"", "#frag"});
      return {ObservableKind::kUrl, shout(u.scheme) + "://" + shout(u.host) + port + path,
              u.scheme + "://" + u.host + u.port + u.path, u.host};
    }
    case 4: {
      const std::string h = hex_digest(*elementOf(std::vector<size_t>{32, 40, 64}));
      return {ObservableKind::kHash, shout(h), h, {}};
    }
    default: {
      const std::string e = email();
      return {ObservableKind::kEmail, shout(e), e, {}};
    }
  }
}

RC_GTEST_PROP(Index, GivesExactlyWhatALinearScanGives, ()) {
  std::vector<std::vector<Atom>> all;
  Builder builder;
  for (int i = below(80); i >= 0; --i) {
    std::vector<Atom> atoms;
    for (int k = below(3); k >= 0; --k) atoms.push_back(atom());
    builder.add({.id = std::to_string(all.size())}, atoms);
    all.push_back(atoms);
  }
  const auto index = std::move(builder).build();
  RC_ASSERT(index->indicators() == all.size());
  std::vector<Hit> hits;
  for (int n = 0; n < 40; ++n) {
    const Seen s = seen();
    std::set<uint32_t> expected;
    for (uint32_t i = 0; i < all.size(); ++i)
      if (std::any_of(all[i].begin(), all[i].end(), [&](const Atom& a) { return slow_match(a, s); }))
        expected.insert(i);
    hits.clear();
    index->match({s.kind, s.text, {}}, hits);
    std::set<uint32_t> got;
    for (const Hit& h : hits) RC_ASSERT(got.insert(h.indicator).second);  // each once
    if (got != expected) RC_LOG() << s.text;
    RC_ASSERT(got == expected);
  }
}

std::vector<uint32_t> rows(const Index& index, ObservableKind kind, std::string_view text) {
  std::vector<Hit> hits;
  index.match({kind, text, {}}, hits);
  std::vector<uint32_t> out;
  for (const auto& h : hits) out.push_back(h.indicator);
  std::sort(out.begin(), out.end());
  return out;
}

TEST(Index, EveryKeyOfALargeSetIsFoundAndNothingElse) {
  Builder builder;
  constexpr uint32_t kMany = 30'000;
  for (uint32_t i = 0; i < kMany; ++i) {
    builder.add({}, {{AtomKind::kDomain, "h" + std::to_string(i) + ".example", {}}});
    builder.add({}, {{AtomKind::kCidr4, std::to_string(i % 200 + 1) + "." + std::to_string(i / 200) + ".7.0/24", {}}});
  }
  const auto index = std::move(builder).build();
  for (uint32_t i = 0; i < kMany; ++i) {
    EXPECT_EQ(rows(*index, ObservableKind::kDomain, "H" + std::to_string(i) + ".example"),
              std::vector<uint32_t>{2 * i});
    EXPECT_EQ(rows(*index, ObservableKind::kIpv4, std::to_string(i % 200 + 1) + "." + std::to_string(i / 200) + ".7.9"),
              std::vector<uint32_t>{2 * i + 1});
    EXPECT_TRUE(rows(*index, ObservableKind::kDomain, "g" + std::to_string(i) + ".example").empty());
    EXPECT_TRUE(
        rows(*index, ObservableKind::kIpv4, std::to_string(i % 200 + 1) + "." + std::to_string(i / 200) + ".8.9")
            .empty());
  }
  EXPECT_LT(index->key_bytes(), 50u * 2 * kMany);
}

TEST(Index, ManyIndicatorsOfOneValueAreAllGiven) {
  Builder builder;
  for (int i = 0; i < 500; ++i)
    builder.add({}, {{AtomKind::kDomain, "shared.example", {}}, {AtomKind::kDomainTree, "shared.example", {}}});
  const auto index = std::move(builder).build();
  EXPECT_EQ(rows(*index, ObservableKind::kDomain, "shared.example").size(), 500u);
  EXPECT_EQ(rows(*index, ObservableKind::kDomain, "x.shared.example").size(), 500u);
}

TEST(Index, AnEscapedDotDoesNotSeparateLabels) {
  Builder builder;
  builder.add({}, {{AtomKind::kDomainTree, "evil.example", {}}});
  const auto index = std::move(builder).build();
  EXPECT_TRUE(rows(*index, ObservableKind::kDomain, "a\\.evil.example").empty());  // one label "a.evil"
  EXPECT_EQ(rows(*index, ObservableKind::kDomain, "a\\\\.evil.example").size(), 1u);
  EXPECT_EQ(rows(*index, ObservableKind::kDomain, "sp\\032ace.evil.example").size(), 1u);
}

TEST(Index, NamesBeyondAsciiAreComparedAsALabels) {
  Builder builder;
  builder.add({}, {{AtomKind::kDomain, "xn--bcher-kva.example", {}}});
  const auto index = std::move(builder).build();
  EXPECT_EQ(rows(*index, ObservableKind::kDomain, "b\u00fccher.example").size(), 1u);
  EXPECT_EQ(rows(*index, ObservableKind::kUrl, "http://B\u00dcCHER.example/x").size(), 1u);
}

TEST(Index, NonsenseMatchesNothingAndDoesNoHarm) {
  Builder builder;
  builder.add({}, {{AtomKind::kDomainTree, "example", {}}});
  builder.add({}, {{AtomKind::kCidr4, "0.0.0.0/0", {}}});
  const auto index = std::move(builder).build();
  const std::string many_dots(1000, '.');
  for (const auto kind : {ObservableKind::kIpv4, ObservableKind::kIpv6, ObservableKind::kDomain, ObservableKind::kUrl,
                          ObservableKind::kHash, ObservableKind::kEmail})
    for (const std::string& text :
         {std::string{}, std::string("."), many_dots, std::string(100'000, 'x'), std::string("\xff\xfe"),
          std::string("http://"), std::string("@"), std::string(64, 'g')})
      EXPECT_TRUE(rows(*index, kind, text).empty()) << text.substr(0, 20);
  EXPECT_EQ(rows(*index, ObservableKind::kIpv6, "::ffff:1.2.3.4"), std::vector<uint32_t>{1});
}

TEST(Index, EmptyIndexAnswersNothing) {
  const auto index = Builder().build();
  EXPECT_TRUE(rows(*index, ObservableKind::kDomain, "a.example").empty());
}

}  // namespace
}  // namespace entente::detect
