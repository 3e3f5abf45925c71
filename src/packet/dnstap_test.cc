// Streams are written here octet by octet, from the description of Frame Streams and from dnstap.proto.
#include "packet/dnstap.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace entente::packet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string be32(uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8), static_cast<char>(v)};
}
std::string le32(uint32_t v) {
  return {static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16), static_cast<char>(v >> 24)};
}
std::string varint(uint64_t v) {
  std::string out;
  for (; v >= 128; v >>= 7) out += static_cast<char>(v | 128);
  return out + static_cast<char>(v);
}
std::string number(int field, uint64_t v) { return varint(static_cast<uint64_t>(field) << 3) + varint(v); }
std::string octets(int field, const std::string& b) {
  return varint(static_cast<uint64_t>(field) << 3 | 2) + varint(b.size()) + b;
}
std::string control(uint32_t type, const std::string& content = "") {
  std::string body = be32(type);
  if (!content.empty()) body += be32(1) + be32(static_cast<uint32_t>(content.size())) + content;
  return be32(0) + be32(static_cast<uint32_t>(body.size())) + body;
}
std::string frame(const std::string& b) { return be32(static_cast<uint32_t>(b.size())) + b; }

constexpr char kType[] = "protobuf:dnstap.Dnstap";

std::string message(uint64_t type, const std::string& dns, const std::string& client = "\x0a\0\0\x05",
                    uint32_t at = 1'800'000'000) {
  const bool response = type % 2 == 0;
  std::string m = number(1, type) + number(2, 1) + number(3, 1) + octets(4, std::string(client.data(), 4)) +
                  octets(5, std::string("\xc0\0\2\x35", 4)) + number(6, 5353) + number(7, 53) +
                  number(response ? 12 : 8, at) + varint((response ? 13 : 9) << 3 | 5) + le32(500'000'000) +
                  octets(response ? 14 : 10, dns);
  return number(15, 1) + octets(1, "ns1") + octets(2, "BIND") + octets(14, m);
}
std::string client4() { return std::string("\x0a\0\0\x05", 4); }

struct Read {
  std::vector<std::string> dns;
  std::vector<DnstapMessage> all;
  DnstapReader reader{[this](const DnstapMessage& m) {
    dns.emplace_back(m.dns);
    all.push_back(m);
  }};
};

std::string file(const std::vector<std::string>& messages) {
  std::string out = control(2, kType);
  for (const auto& m : messages) out += frame(m);
  return out + control(3);
}

TEST(Dnstap, AFileGivesItsMessagesWithWhoAskedWhomAndWhen) {
  Read r;
  const std::string text = file({message(5, "question", client4()), message(6, "answer", client4())});
  EXPECT_TRUE(looks_like_dnstap(text));
  EXPECT_TRUE(r.reader.feed(text).ok());
  EXPECT_TRUE(r.reader.finish().ok());
  EXPECT_THAT(r.dns, ElementsAre("question", "answer"));
  EXPECT_FALSE(r.all[0].response);
  EXPECT_TRUE(r.all[1].response);
  EXPECT_EQ(to_text(r.all[1].client), "10.0.0.5");
  EXPECT_EQ(to_text(r.all[1].server), "192.0.2.53");
  EXPECT_EQ(r.all[1].client_port, 5353);
  EXPECT_EQ(r.all[1].time, Time{1'800'000'000'500'000});
  EXPECT_EQ(r.reader.take_reply(), "");
  EXPECT_TRUE(r.reader.stopped());
}

TEST(Dnstap, OnASocketTheOtherSideIsAnswered) {
  Read r;
  EXPECT_TRUE(r.reader.feed(control(4, kType)).ok());
  EXPECT_EQ(r.reader.take_reply(), control(1, kType));
  EXPECT_TRUE(r.reader.feed(control(2, kType) + frame(message(5, "x", client4()))).ok());
  EXPECT_EQ(r.reader.take_reply(), "");
  EXPECT_TRUE(r.reader.feed(control(3)).ok());
  EXPECT_EQ(r.reader.take_reply(), control(5));
  EXPECT_THAT(r.dns, ElementsAre("x"));
}

TEST(Dnstap, HoweverItIsCutItHoldsTheSameMessages) {
  const std::string text = file({message(5, std::string(300, 'a'), client4()), message(6, "b", client4())});
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    Read r;
    for (size_t at = 0; at < text.size();) {
      const size_t n = std::min<size_t>(1 + random() % 40, text.size() - at);
      ASSERT_TRUE(r.reader.feed(text.substr(at, n)).ok());
      at += n;
    }
    EXPECT_TRUE(r.reader.finish().ok());
    EXPECT_THAT(r.dns, ElementsAre(std::string(300, 'a'), "b"));
  }
}

TEST(Dnstap, AFrameThatIsTooLongOrNoMessageIsCountedAndTheNextIsRead) {
  Read r;
  const std::string text = control(2, kType) + frame(std::string(300'000, 'x')) + frame("\xff\xff") + frame("") +
                           frame(message(99, "x", client4())) + frame(message(5, "good", client4()));
  // An empty frame would be a control frame: there is none.
  const std::string without = control(2, kType) + frame(std::string(300'000, 'x')) + frame("\xff\xff") +
                              frame(message(99, "x", client4())) + frame(message(5, "good", client4()));
  EXPECT_TRUE(r.reader.feed(without).ok());
  EXPECT_THAT(r.dns, ElementsAre("good"));
  EXPECT_EQ(r.reader.malformed(), 3u);
  Read broken;
  EXPECT_FALSE(broken.reader.feed(text).ok());
}

TEST(Dnstap, WhatIsNoStreamOfItIsRefusedOnce) {
  for (const std::string& wrong :
       {std::string("GET / HTTP/1.1\r\n\r\n"), control(2, "protobuf:other"), control(4, "protobuf:other"), control(3),
        control(9), be32(0) + be32(100'000), be32(0) + be32(2) + "ab", control(2, kType) + control(2, kType)}) {
    Read r;
    EXPECT_FALSE(r.reader.feed(wrong).ok());
    EXPECT_TRUE(r.reader.feed(frame(message(5, "x", client4()))).ok());  // ignored
    EXPECT_THAT(r.dns, IsEmpty());
  }
}

TEST(Dnstap, AFileThatIsCutShortSaysSoAndGivesWhatWasWhole) {
  const std::string text = file({message(5, "one", client4()), message(5, "two", client4())});
  Read r;
  EXPECT_TRUE(r.reader.feed(text.substr(0, text.size() - 20)).ok());
  EXPECT_FALSE(r.reader.finish().ok());
  EXPECT_THAT(r.dns, ElementsAre("one"));
}

TEST(Dnstap, AnyOctetsAreReadWithoutHarm) {
  std::mt19937 random(2);
  const std::string good = file({message(5, std::string(50, 'a'), client4()), message(6, "b", client4())});
  for (int round = 0; round < 20'000; ++round) {
    std::string text = good;
    for (unsigned n = 1 + random() % 4; n > 0; --n) text[random() % text.size()] = static_cast<char>(random());
    Read r;
    (void)r.reader.feed(text).ok();
    (void)r.reader.finish().ok();
    EXPECT_LE(r.reader.messages(), 3u);
  }
}

}  // namespace
}  // namespace entente::packet
