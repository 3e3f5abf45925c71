#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pattern/normal.h"
#include "pattern/pattern.h"

namespace entente::pattern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Found {
  std::vector<std::string> atoms;  // "kind value"
  bool complete = false;
  std::string why;
};

Found atoms_of(std::string_view text) {
  const auto p = Pattern::parse(text);
  EXPECT_TRUE(p.ok()) << (p.ok() ? "" : p.error().text());
  if (!p.ok()) return {};
  const Atoms a = equality_atoms(*p);
  Found f{{}, a.complete, a.why};
  for (const auto& atom : a.any_of) f.atoms.push_back(std::string(name(atom.kind)) + " " + atom.value);
  return f;
}

TEST(Atoms, OnePerPropertyThatAnIndexKnows) {
  struct Case {
    std::string_view pattern, atom;
  };
  for (const auto& c : {
           Case{"[ipv4-addr:value = '198.51.100.3']", "ipv4 198.51.100.3"},
           Case{"[ipv4-addr:value = '198.51.100.3/32']", "ipv4 198.51.100.3"},
           Case{"[ipv4-addr:value ISSUBSET '198.51.100.77/24']", "cidr4 198.51.100.0/24"},
           Case{"[ipv4-addr:value = '198.51.100.0/24']", "cidr4 198.51.100.0/24"},
           Case{"[ipv4-addr:value ISSUBSET '1.2.3.4/0']", "cidr4 0.0.0.0/0"},
           Case{"[ipv6-addr:value = '2001:0DB8:0:0::1']", "ipv6 2001:db8::1"},
           Case{"[ipv6-addr:value ISSUBSET '2001:db8:ffff::/33']", "cidr6 2001:db8:8000::/33"},
           Case{"[domain-name:value = 'Evil.Example.']", "domain evil.example"},
           Case{"[domain-name:value = 'münchen.example']", "domain xn--mnchen-3ya.example"},
           Case{"[domain-name:value LIKE '%.Evil.example']", "domain-below evil.example"},
           Case{"[domain-name:value LIKE 'evil.example']", "domain evil.example"},
           Case{"[url:value = 'HTTP://Evil.Example:80/a/../b?q#f']", "url http://evil.example/b?q"},
           Case{"[file:hashes.MD5 = 'D41D8CD98F00B204E9800998ECF8427E']", "md5 d41d8cd98f00b204e9800998ecf8427e"},
           Case{"[file:hashes.'SHA-1' = 'da39a3ee5e6b4b0d3255bfef95601890afd80709']",
                "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709"},
           Case{"[email-addr:value = 'Bad.Guy@Evil.Example']", "email bad.guy@evil.example"},
           Case{"[email-message:from_ref.value = 'x@evil.example']", "email x@evil.example"},
           Case{"[network-traffic:extensions.'tls-ext'.ja3 = 'ADA70206E40642A3E4461F35503241D5']",
                "ja3 ada70206e40642a3e4461f35503241d5"},
           Case{"[network-traffic:extensions.'x-any-ext'.ja3_hash = 'ada70206e40642a3e4461f35503241d5']",
                "ja3 ada70206e40642a3e4461f35503241d5"},
           Case{"[network-traffic:x_ja3 = 'ada70206e40642a3e4461f35503241d5']", "ja3 ada70206e40642a3e4461f35503241d5"},
           Case{"[x-ecs-tls:client_ja3 = 'ada70206e40642a3e4461f35503241d5']", "ja3 ada70206e40642a3e4461f35503241d5"},
           Case{"[x-eve:tls.ja3.hash = 'ada70206e40642a3e4461f35503241d5']", "ja3 ada70206e40642a3e4461f35503241d5"},
           Case{"[network-traffic:extensions.'tls-ext'.ja4 = 'T13d1516h2_8daaf6152771_e5627efa2ab1']",
                "ja4 t13d1516h2_8daaf6152771_e5627efa2ab1"},
           Case{"[network-traffic:dst_ref.value = '198.51.100.3']", "ipv4 198.51.100.3"},
           Case{"[network-traffic:src_ref.value = '2001:db8::1']", "ipv6 2001:db8::1"},
           Case{"[network-traffic:dst_ref.value = 'evil.example']", "domain evil.example"},
           Case{"[ipv4-addr:value = '198.51.100.3'] REPEATS 1 TIMES", "ipv4 198.51.100.3"},
       }) {
    const Found f = atoms_of(c.pattern);
    EXPECT_THAT(f.atoms, ElementsAre(std::string(c.atom))) << c.pattern << " " << f.why;
    EXPECT_TRUE(f.complete) << c.pattern << " " << f.why;
  }
  for (const size_t digits : {64U, 128U}) {
    const std::string name = digits == 64 ? "256" : "512";
    const Found f = atoms_of("[file:hashes.'SHA-" + name + "' = '" + std::string(digits, 'A') + "']");
    EXPECT_THAT(f.atoms, ElementsAre("sha" + name + " " + std::string(digits, 'a')));
  }
}

TEST(Atoms, Ja4IsKnownByItsFormInEitherCase) {
  EXPECT_TRUE(is_ja4("t13d1516h2_8daaf6152771_e5627efa2ab1"));
  EXPECT_TRUE(is_ja4("Q13I1516H2_8DAAF6152771_E5627EFA2AB1"));
  EXPECT_TRUE(is_ja4("ts3i080000_000000000000_e5627efa2ab1"));
  for (const char* no : {"", "t13d1516h2_8daaf6152771_e5627efa2ab", "t13d1516h2_8daaf6152771_e5627efa2abg",
                         "x13d1516h2_8daaf6152771_e5627efa2ab1", "t13x1516h2_8daaf6152771_e5627efa2ab1",
                         "t13d15a6h2_8daaf6152771_e5627efa2ab1", "t13d1516h2-8daaf6152771_e5627efa2ab1"})
    EXPECT_FALSE(is_ja4(no)) << no;
}

TEST(Atoms, WhatIsNoFingerprintIsNotLookedUpAsOne) {
  for (const char* p :
       {"[network-traffic:x_ja3 = 'ada70206e40642a3e4461f35503241d']",
        "[network-traffic:x_ja3s = 'ada70206e40642a3e4461f35503241d5']", "[network-traffic:x_ja4 = 't13d1516h2']"})
    EXPECT_FALSE(atoms_of(p).complete) << p;
}

TEST(Atoms, OrAndInGiveSeveral) {
  Found f = atoms_of("[domain-name:value = 'x.example' OR domain-name:value LIKE '%.x.example']");
  EXPECT_THAT(f.atoms, ElementsAre("domain x.example", "domain-below x.example"));
  EXPECT_TRUE(f.complete);
  f = atoms_of("[domain-name:value IN ('a.example', 'b.example')] OR [ipv4-addr:value = '192.0.2.1']");
  EXPECT_THAT(f.atoms, ElementsAre("domain a.example", "domain b.example", "ipv4 192.0.2.1"));
  EXPECT_TRUE(f.complete);
}

TEST(Atoms, WhatAnIndexCannotSeeIsSaid) {
  struct Case {
    std::string_view pattern, why;
  };
  for (const auto& c : {
           Case{"[url:value MATCHES '^http']", "url:value"},
           Case{"[url:value LIKE 'http://x/%']", "LIKE"},
           Case{"[domain-name:value LIKE '%evil.example']", "LIKE"},
           Case{"[domain-name:value LIKE '%.e_il.example']", "LIKE"},
           Case{"[domain-name:value != 'x.example']", "only ="},
           Case{"[domain-name:value NOT = 'x.example']", "NOT"},
           Case{"[domain-name:value = 'no name']", "not a value"},
           Case{"[ipv4-addr:value = '2001:db8::1']", "not a value"},
           Case{"[file:hashes.MD5 = 'aa']", "not a value"},
           Case{"[process:name = 'x']", "not a property"},
           Case{"[ipv4-addr:value = '192.0.2.1' AND ipv4-addr:value = '192.0.2.2']", "AND"},
           Case{"[ipv4-addr:value = '192.0.2.1'] AND [ipv4-addr:value = '192.0.2.2']", "AND"},
           Case{"[ipv4-addr:value = '192.0.2.1'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.2']", "FOLLOWEDBY"},
           Case{"[ipv4-addr:value = '192.0.2.1'] REPEATS 2 TIMES", "REPEATS"},
           Case{"[ipv4-addr:value = '192.0.2.1'] WITHIN 5 SECONDS", "WITHIN"},
           Case{"([ipv4-addr:value = '192.0.2.1'] REPEATS 1 TIMES) REPEATS 2 TIMES", "REPEATS"},
       }) {
    const Found f = atoms_of(c.pattern);
    EXPECT_THAT(f.atoms, IsEmpty()) << c.pattern;
    EXPECT_FALSE(f.complete) << c.pattern;
    EXPECT_THAT(f.why, HasSubstr(std::string(c.why))) << c.pattern;
  }
}

TEST(Atoms, PartOfAnOrStaysUsefulWhenTheRestIsNot) {
  const Found f = atoms_of("[ipv4-addr:value = '192.0.2.1' OR url:value MATCHES 'x'] OR [process:pid = 1]");
  EXPECT_THAT(f.atoms, ElementsAre("ipv4 192.0.2.1"));
  EXPECT_FALSE(f.complete);
  EXPECT_THAT(f.why, HasSubstr("url:value"));
}

TEST(Normal, Addresses) {
  for (const std::string_view bad : {"", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "1.2.3.4/33", "1.2.3.4/",
                                     "1.2.3.4/01", "::1/129", ":::", "1.2.3.4/-1", " 1.2.3.4", "fe80::1%eth0"}) {
    EXPECT_FALSE(normal_address(bad).has_value()) << bad;
  }
  EXPECT_EQ(normal_address("1:0:0:2:0:0:0:3")->value, "1:0:0:2::3");
  EXPECT_EQ(normal_address("::/0")->value, "::/0");
}

TEST(Normal, Urls) {
  struct Case {
    std::string_view given, normal;
  };
  for (const auto& c : {
           Case{"http://x.example", "http://x.example/"},
           Case{"https://x.example:443/", "https://x.example/"},
           Case{"https://x.example:8443/", "https://x.example:8443/"},
           Case{"http://x.example/%7euser/%2f%c3%a9", "http://x.example/~user/%2F%C3%A9"},
           Case{"http://x.example/é b", "http://x.example/%C3%A9%20b"},
           Case{"http://x.example?q=1", "http://x.example/?q=1"},
           Case{"http://[2001:DB8::0:1]:80/", "http://[2001:db8::1]/"},
           Case{"http://a:b@X.example./", "http://a:b@x.example/"},
           Case{"http://x.example/a/./b/../../../c", "http://x.example/c"},
           Case{"http://x.example/a/..", "http://x.example/"},
       }) {
    EXPECT_EQ(normal_url(c.given).value_or("-"), c.normal);
    EXPECT_EQ(normal_url(c.normal).value_or("-"), c.normal) << "a normal form is its own";
  }
  for (const std::string_view bad :
       {"", "x.example/a", "http://", "http:///a", "http://a b/", "://x", "http://x:port/"}) {
    EXPECT_FALSE(normal_url(bad).has_value()) << bad;
  }
}

TEST(Normal, Domains) {
  EXPECT_EQ(normal_domain("_dmarc.X.example").value_or("-"), "_dmarc.x.example");
  for (const auto& bad : {std::string(), std::string("."), std::string("a..b"), std::string(".a"), std::string("a b"),
                          std::string(64, 'a') + ".x", std::string(1, '\0') + "x", std::string("é\0x", 4)}) {
    EXPECT_FALSE(normal_domain(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace entente::pattern
