// Fingerprints against published vectors: JA3's README, the technical details of JA4, the ClientHello of RFC 9001 §A.2.
// Real clients and an implementation apart from this one are in tests/tls_fingerprint_test.py.
#include "packet/tls.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "packet/compose.h"
#include "packet/internal/recorder.h"

namespace entente::packet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string vector16(std::string_view content) {
  std::string out;
  put_u16(out, static_cast<uint16_t>(content.size()));
  return out.append(content);
}
std::string numbers(const std::vector<uint16_t>& list) {
  std::string out;
  for (const uint16_t n : list) put_u16(out, n);
  return out;
}
std::string extension(uint16_t type, std::string_view data) {
  std::string out;
  put_u16(out, type);
  return out + vector16(data);
}
std::string alpn_of(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& n : names) list += static_cast<char>(n.size()) + n;
  return extension(16, vector16(list));
}

// The client of the description of JA4 (a browser), with GREASE where it puts some and its extensions in this order.
struct Browser {
  std::string ciphers = numbers({0x5a5a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
                                 0xc014, 0x009c, 0x009d, 0x002f, 0x0035});
  std::string extensions =
      extension(0x1a1a, "") + extension(0x1b, "\x02") + extension(0, vector16(std::string("\0\0\1a", 4))) +
      extension(0x33, "keys") + alpn_of({"h2", "http/1.1"}) + extension(0x4469, "x") + extension(0x17, "") +
      extension(0x2d, "\x01\x01") +
      extension(0x0d, vector16(numbers({0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601}))) +
      extension(5, "x") + extension(0x23, "") + extension(0x12, "") +
      extension(0x2b, "\x06" + numbers({0x0a0a, 0x0304, 0x0303})) + extension(0xff01, "y") +
      extension(0x0b, std::string("\x01\x00", 2)) + extension(0x0a, vector16(numbers({0x2a2a, 29, 23, 24}))) +
      extension(0x15, "pad");
  [[nodiscard]] TlsHello hello() const { return {.ciphers = ciphers, .extensions = extensions, .version = 0x0303}; }
};

TEST(TlsFingerprint, Ja4OfThePublishedExample) {
  const Browser b;
  EXPECT_EQ(fingerprint(b.hello())->ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
  EXPECT_EQ(fingerprint_text(b.hello())->ja4,
            "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_"
            "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_"
            "0403,0804,0401,0503,0805,0501,0806,0601");
  TlsHello quic = b.hello();
  quic.quic = true;
  EXPECT_EQ(fingerprint(quic)->ja4, "q13d1516h2_8daaf6152771_e5627efa2ab1");
  EXPECT_THAT(alpn(b.hello()), ElementsAre("h2", "http/1.1"));
}

TEST(TlsFingerprint, Ja3OfThePublishedExamples) {
  // "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0"
  const std::string ciphers = numbers({47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4});
  const std::string extensions = extension(0, vector16(std::string("\0\0\1a", 4))) +
                                 extension(10, vector16(numbers({23, 24, 25}))) +
                                 extension(11, std::string("\x01\x00", 2));
  const TlsHello full{.ciphers = ciphers, .extensions = extensions, .version = 769};
  EXPECT_EQ(fingerprint_text(full)->ja3, "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0");
  EXPECT_EQ(fingerprint(full)->ja3, "ada70206e40642a3e4461f35503241d5");
  const std::string old = numbers({4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99});
  const TlsHello bare{.ciphers = old, .version = 769};
  EXPECT_EQ(fingerprint(bare)->ja3, "de350869b8c85de67a350c8d186f11e6");
  EXPECT_EQ(fingerprint(bare)->ja4.substr(0, 10), "t10i110000");
  EXPECT_TRUE(fingerprint(bare)->ja4.ends_with("_000000000000"));
}

TEST(TlsFingerprint, GreaseCountsNowhere) {
  const Browser b;
  Browser without;
  without.ciphers = without.ciphers.substr(2);
  without.extensions = without.extensions.substr(4);
  EXPECT_EQ(fingerprint(b.hello())->ja3, fingerprint(without.hello())->ja3);
  EXPECT_EQ(fingerprint(b.hello())->ja4, fingerprint(without.hello())->ja4);
}

TEST(TlsFingerprint, Ja4HasTheEndsOfTheFirstProtocol) {
  const auto ends = [](const std::string& extensions) {
    return fingerprint({.ciphers = {}, .extensions = extensions, .version = 0x0303})->ja4.substr(8, 2);
  };
  EXPECT_EQ(ends(""), "00");
  EXPECT_EQ(ends(alpn_of({"http/1.1"})), "h1");
  EXPECT_EQ(ends(alpn_of({"x"})), "xx");
  EXPECT_EQ(ends(alpn_of({""})), "00");
  EXPECT_EQ(ends(alpn_of({"\xab\xcd"})), "ad");
  EXPECT_EQ(ends(alpn_of({"0\xab"})), "3b");
  EXPECT_EQ(ends(alpn_of({"01\xab\xcd"})), "3d");
  EXPECT_EQ(ends(extension(16, "")), "00");
}

TEST(TlsFingerprint, CountsStopAt99) {
  std::string many;
  for (uint16_t i = 0; i < 120; ++i) many += extension(static_cast<uint16_t>(1000 + i), "");
  const std::string ciphers = numbers(std::vector<uint16_t>(300, 0x1301));
  EXPECT_EQ(fingerprint({.ciphers = ciphers, .extensions = many, .version = 0x0303})->ja4.substr(0, 10), "t12i999900");
}

TEST(TlsFingerprint, WhatDoesNotFitHasNone) {
  EXPECT_FALSE(fingerprint({.ciphers = "abc", .extensions = {}, .version = 0x0303}));
  const std::string cut = extension(5, "abc").substr(0, 6);
  EXPECT_FALSE(fingerprint({.ciphers = "ab", .extensions = cut, .version = 0x0303}));
  EXPECT_THAT(alpn({.extensions = cut}), IsEmpty());
}

class Keeper final : public Sink {
 public:
  std::vector<std::string> told;
  void on_sni(const Packet&, const Flow&, std::string_view name) override {
    told.push_back("sni " + std::string(name));
  }
  void on_tls(const Packet&, const Flow&, const TlsHello& hello) override {
    const auto f = fingerprint(hello);
    told.push_back((hello.quic ? "quic " : "tls ") + (f ? f->ja4.substr(0, 10) : "none"));
  }
};

TEST(TlsFingerprint, EveryClientHelloIsToldWithAndWithoutAName) {
  Keeper sink;
  Decoder decoder(sink);
  uint16_t port = 1000;
  for (const char* name : {"a.example", ""}) {
    const std::string bytes =
        compose_tcp(flow("192.0.2.1", ++port, "192.0.2.2", 443), 1, 24, compose_client_hello(name));
    decoder.decode({.bytes = bytes, .length = static_cast<uint32_t>(bytes.size())});
  }
  EXPECT_THAT(sink.told, ElementsAre("sni a.example", "tls t13d010200", "tls t13i010100"));
}

}  // namespace
}  // namespace entente::packet
