#include "packet/address.h"

#include <cstring>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace entente::packet {
namespace {

// The C library's reader and writer are the oracle.
std::optional<Address> oracle_parse(const std::string& text) {
  uint8_t b[16];
  if (inet_pton(AF_INET, text.c_str(), b) == 1) return Address::from_octets(b, false);
  if (inet_pton(AF_INET6, text.c_str(), b) == 1) return Address::from_octets(b, true);
  return std::nullopt;
}

rc::Gen<std::string> address_like() {
  return rc::gen::container<std::string>(rc::gen::elementOf(std::string("0123456789abcdefABCDEF:::::....g%")));
}

RC_GTEST_PROP(Address, ParsesExactlyWhatTheCLibraryParses, ()) {
  const std::string text = *address_like();
  RC_ASSERT(parse_address(text) == oracle_parse(text));
}

RC_GTEST_PROP(Address, TextOfAnyAddressReadsBackAndEqualsTheCLibrarys, (std::array<uint8_t, 16> octets, bool v6)) {
  for (auto& o : octets)
    if (*rc::gen::inRange(0, 3) != 0) o = 0;  // many zeros: that is where the forms differ
  const Address a = Address::from_octets(octets.data(), v6);
  char text[INET6_ADDRSTRLEN];
  inet_ntop(v6 ? AF_INET6 : AF_INET, octets.data(), text, sizeof text);
  RC_ASSERT(parse_address(text) == a);
  RC_ASSERT(parse_address(to_text(a)) == a);
  // glibc writes IPv4-compatible addresses (::/96) in mixed form, which RFC 5952 does not ask for.
  if (std::string_view(text).find('.') == std::string_view::npos || !v6) RC_ASSERT(to_text(a) == text);
}

RC_GTEST_PROP(Address, ANearMissIsJudgedLikeTheCLibraryDoes, (std::array<uint8_t, 16> octets)) {
  for (auto& o : octets)
    if (*rc::gen::inRange(0, 3) != 0) o = 0;
  std::string text = to_text(Address::from_octets(octets.data(), true));
  const size_t at = *rc::gen::inRange<size_t>(0, text.size());
  text[at] = *rc::gen::elementOf(std::string(":.0f9g"));
  RC_ASSERT(parse_address(text) == oracle_parse(text));
}

TEST(Address, Rfc5952Examples) {
  for (const char* text :
       {"2001:db8::1", "2001:db8:0:1:1:1:1:1", "2001:0:0:1::1", "::", "::1", "fe80::", "::ffff:192.0.2.1", "1::"})
    EXPECT_EQ(to_text(*parse_address(text)), text);
  EXPECT_EQ(to_text(*parse_address("2001:DB8:0:0:1:0:0:1")), "2001:db8::1:0:0:1");
}

TEST(Address, OnlyMappedAddressesHoldAnIpv4Address) {
  EXPECT_EQ(to_text(*parse_address("::ffff:192.0.2.7")->mapped_v4()), "192.0.2.7");
  EXPECT_FALSE(parse_address("::192.0.2.7")->mapped_v4());
  EXPECT_FALSE(parse_address("192.0.2.7")->mapped_v4());
}

TEST(Address, OctalAndShortFormsAreNotAddresses) {
  for (const char* text : {"010.0.0.1", "1.2.3", "1.2.3.4.", "1.2.3.256", " 1.2.3.4", "1.2.3.4/32", "[::1]", "::1%lo",
                           ":::", "1::2::3", ""})
    EXPECT_FALSE(parse_address(text)) << text;
}

}  // namespace
}  // namespace entente::packet
