#include "packet/dns.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "packet/compose.h"

namespace entente::packet {
namespace {

struct Count final : DnsSink {
  size_t questions = 0, answers = 0;
  std::string last_name, last_target;
  void on_question(const DnsQuestion&) override { ++questions; }
  void on_answer(const DnsAnswer& a) override {
    ++answers;
    last_name = a.name;
    last_target = a.target;
  }
};

std::string wire(std::initializer_list<int> octets) {
  std::string s;
  for (const int o : octets) s += static_cast<char>(o);
  return s;
}

TEST(DnsName, PointersMayOnlyLeadBackwards) {
  DnsName name;
  EXPECT_FALSE(name.read(wire({0xc0, 0x00}), 0));              // to itself
  EXPECT_FALSE(name.read(wire({0xc0, 0x02, 0xc0, 0x00}), 0));  // each to the other
  EXPECT_FALSE(name.read(wire({0xc0, 0x02, 0xc0, 0x00}), 2));
  EXPECT_FALSE(name.read(wire({0x01, 'a', 0xc0, 0x00}), 0));              // into its own labels
  EXPECT_FALSE(name.read(wire({0xc0, 0x03, 0x00, 0x01, 'a', 0x00}), 0));  // forwards
  EXPECT_EQ(name.read(wire({0x01, 'a', 0x00, 0x01, 'b', 0xc0, 0x00}), 3), 7u);
  EXPECT_EQ(name.text(), "b.a");
}

TEST(DnsName, AtMost255OctetsEvenThroughManyPointers) {
  std::string message = wire({0});
  size_t at = 0, reads = 0;
  for (; reads < 300; ++reads) {  // each label points to the one before: legal until the name is too long
    const size_t here = message.size();
    message += wire({1, 'x', static_cast<int>(0xc0 | at >> 8), static_cast<int>(at & 0xff)});
    at = here;
    DnsName name;
    if (!name.read(message, at)) break;
    EXPECT_LE(name.text().size(), 254u);
  }
  EXPECT_EQ(reads, 127u);
}

TEST(DnsName, EveryOctetIsEscapedSoThatTheTextIsUnambiguousAndFits) {
  std::string longest;
  for (int label = 0; label < 4; ++label) {
    const int n = label == 3 ? 61 : 63;
    longest += static_cast<char>(n);
    longest += std::string(static_cast<size_t>(n), '\xff');
  }
  longest += '\0';
  DnsName name;
  ASSERT_EQ(name.read(longest, 0), 255u);
  EXPECT_EQ(name.text().size(), 250u * 4 + 3);
  ASSERT_TRUE(name.read(wire({4, 'a', '.', '\\', 0, 0}), 0));
  EXPECT_EQ(name.text(), "a\\.\\\\\\000");
}

TEST(Dns, RecordCountsThatPromiseTooMuchAreMalformedNotFollowed) {
  std::string m = compose_dns_response(1, "a.example", DnsType::kA, {{DnsType::kA, "a.example", 1, "192.0.2.1"}});
  m[6] = '\xff';
  m[7] = '\xff';
  Count count;
  EXPECT_FALSE(decode_dns(m, count));
  EXPECT_EQ(count.answers, 1u);
}

TEST(Dns, AtMost256RecordsAreRead) {
  std::vector<DnsRecord> many(1000, {DnsType::kA, "a.example", 1, "192.0.2.1"});
  Count count;
  EXPECT_TRUE(decode_dns(compose_dns_response(1, "a.example", DnsType::kA, many), count));
  EXPECT_EQ(count.answers, 256u);
}

TEST(Dns, AddressRecordsMustHaveTheLengthOfAnAddress) {
  std::string m = compose_dns_response(1, "a.example", DnsType::kA, {{DnsType::kA, "a.example", 1, "192.0.2.1"}});
  m[m.size() - 5] = 3;
  m.pop_back();
  Count count;
  EXPECT_FALSE(decode_dns(m, count));
  EXPECT_EQ(count.answers, 0u);
}

TEST(Dns, UpdatesAndOtherOperationsHaveNoQuestions) {
  std::string m = compose_dns_query(1, "a.example", DnsType::kA);
  m[2] = 0x28;
  Count count;
  EXPECT_TRUE(decode_dns(m, count));
  EXPECT_EQ(count.questions, 0u);
}

RC_GTEST_PROP(Dns, AnyOctetsAreReadWithoutHarm, (std::string octets)) {
  Count count;
  static_cast<void>(decode_dns(octets, count));
  octets.insert(0, wire({0, 1, 0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0}));
  static_cast<void>(decode_dns(octets, count));
  RC_ASSERT(count.answers <= 512u);
}

}  // namespace
}  // namespace entente::packet
