// QUIC Initials: the published vectors of RFC 9001 Appendix A and RFC 9369 Appendix A, and first flights made here in
// every order of pieces. Real clients' flights are in tests/quic_test.py.
#include "packet/internal/quic.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "packet/compose.h"
#include "packet/internal/recorder.h"

namespace entente::packet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kId("\x83\x94\xc8\xf0\x3e\x51\x57\x08", 8);

std::string raw(std::string_view hex_text) { return unhex(hex_text).value(); }

// The CRYPTO frame of RFC 9001 §A.2.
const std::string kFrame =
    raw("060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c0000041301130201"
        "0000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d00170018001000070005046"
        "16c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994"
        "ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408"
        "ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff");

std::string varint(uint64_t v) {
  std::string out;
  if (v < 64) {
    out += static_cast<char>(v);
  } else if (v < 16384) {
    put_u16(out, static_cast<uint16_t>(v | 0x4000));
  } else {
    put_u32(out, static_cast<uint32_t>(v | 0x80000000u));
  }
  return out;
}

// Seals an Initial with OpenSSL the other way round.
std::string seal(const std::string& frames, uint32_t number, bool v2 = false, std::string_view id = kId,
                 const std::string& token = {}, bool client = true) {
  InitialKeys keys = client_initial_keys(v2, id);
  if (!client) keys.key[0] = static_cast<char>(keys.key[0] ^ 1);  // what a server's looks like to us
  std::string header;
  header += static_cast<char>(v2 ? 0xd3 : 0xc3);
  put_u32(header, v2 ? 0x6b3343cf : 1);
  header += static_cast<char>(id.size());
  header.append(id);
  header += '\0';
  header += varint(token.size()) + token;
  put_u16(header, static_cast<uint16_t>(0x4000 | (4 + frames.size() + 16)));
  const size_t at = header.size();
  put_u32(header, number);
  std::string nonce = keys.iv;
  for (size_t i = 0; i < 4; ++i) nonce[8 + i] = static_cast<char>(nonce[8 + i] ^ header[at + i]);
  auto bytes = [](std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); };
  std::string text = frames;
  std::string out(text.size(), '\0');
  std::string tag(16, '\0');
  int n = 0;
  EVP_CIPHER_CTX* c = EVP_CIPHER_CTX_new();
  EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), nullptr, bytes(keys.key), bytes(nonce));
  EVP_EncryptUpdate(c, nullptr, &n, bytes(header), static_cast<int>(header.size()));
  EVP_EncryptUpdate(c, bytes(out), &n, bytes(text), static_cast<int>(text.size()));
  EVP_EncryptFinal_ex(c, bytes(out) + n, &n);
  EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, tag.data());
  out += tag;
  std::string sample = out.substr(0, 16);  // four octets after where the number begins
  std::string mask(16, '\0');
  EVP_CIPHER_CTX_reset(c);
  EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), nullptr, bytes(keys.hp), nullptr);
  EVP_EncryptUpdate(c, bytes(mask), &n, bytes(sample), 16);
  EVP_CIPHER_CTX_free(c);
  header[0] = static_cast<char>(header[0] ^ (mask[0] & 0x0f));
  for (size_t i = 0; i < 4; ++i) header[at + i] = static_cast<char>(header[at + i] ^ mask[1 + i]);
  return header + out;
}

std::string crypto(size_t offset, std::string_view data) {
  return '\x06' + varint(offset) + varint(data.size()) + std::string(data);
}

struct Probe {
  Recorder sink;
  Decoder decoder{sink};
  void datagram(const std::string& payload, const char* from = "192.0.2.1", bool answer = false) {
    Flow f = flow(from, 50000, "192.0.2.2", 443);
    if (answer) {
      std::swap(f.src, f.dst);
      std::swap(f.src_port, f.dst_port);
    }
    const std::string frame = compose_udp(f, payload);
    decoder.decode({.bytes = frame, .link = LinkType::kEthernet, .length = static_cast<uint32_t>(frame.size())});
  }
};

TEST(Quic, KeysOfRfc9001AndRfc9369) {
  const InitialKeys one = client_initial_keys(false, kId);
  EXPECT_EQ(hex(one.key), "1f369613dd76d5467730efcbe3b1a22d");
  EXPECT_EQ(hex(one.iv), "fa044b2f42a3fd3b46fb255c");
  EXPECT_EQ(hex(one.hp), "9f50449e04a0e810283a1e9933adedd2");
  const InitialKeys two = client_initial_keys(true, kId);
  EXPECT_EQ(hex(two.key), "8b1a0bc121284290a29e0971b5cd045d");
  EXPECT_EQ(hex(two.iv), "91f73e2351d8fa91660e909f");
  EXPECT_EQ(hex(two.hp), "45b95e15235d6f45a6b19cbcb0294ba9");
}

// RFC 9001 §A.2: what is sealed here is the published packet, so what opens it reads the published packet.
TEST(Quic, TheClientInitialOfRfc9001) {
  const std::string packet = seal(kFrame + std::string(1162 - kFrame.size(), '\0'), 2);
  EXPECT_EQ(packet.size(), 1200u);
  EXPECT_EQ(hex(packet.substr(0, 34)), "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242");
  Probe run;
  run.datagram(packet);
  EXPECT_THAT(run.sink.events, ElementsAre("sni example.com"));
  EXPECT_EQ(run.decoder.counters().quic, 1u);
  EXPECT_EQ(run.decoder.counters().tls_hello, 1u);
}

TEST(Quic, PiecesInAnyOrderOverPacketsAndDatagrams) {
  const std::string hello = kFrame.substr(4);
  std::mt19937 random(11);
  for (int round = 0; round < 400; ++round) {
    std::vector<std::string> frames;
    for (size_t at = 0; at < hello.size();) {
      const size_t n = std::min<size_t>(1 + random() % 120, hello.size() - at);
      frames.push_back(crypto(at, std::string_view(hello).substr(at, n)));
      at += n;
    }
    if (frames.size() > 14) continue;  // gaps beyond what is held
    std::shuffle(frames.begin(), frames.end(), random);
    const bool v2 = round % 2 == 0;
    const std::string token = round % 5 == 0 ? std::string(random() % 200, 't') : "";
    Probe run;
    std::string datagram;
    uint32_t number = 0;
    for (size_t i = 0; i < frames.size();) {
      std::string text = random() % 2 == 0 ? std::string(1, '\x01') : std::string(random() % 50, '\0');
      if (random() % 3 == 0)
        text += std::string("\x02\x05\x00\x01\x02\x00\x01", 7);  // an acknowledgement of two ranges
      for (size_t n = 1 + random() % 3; n > 0 && i < frames.size(); --n) text += frames[i++];
      text += std::string(random() % 40, '\0');
      datagram += seal(text, number++, v2, kId, token);
      if (random() % 2 == 0 || i == frames.size()) run.datagram(std::exchange(datagram, {}));
    }
    ASSERT_THAT(run.sink.events, ElementsAre("sni example.com")) << round;
  }
}

TEST(Quic, OnlyWhatAClientSealed) {
  Probe run;
  run.datagram(seal(kFrame + std::string(900, '\0'), 0, false, kId, "", false), "192.0.2.1", true);
  EXPECT_EQ(run.decoder.counters().quic_sealed, 1u);
  std::string other = seal(kFrame + std::string(900, '\0'), 0);
  other[1] = '\x1a';  // a version that nobody has
  run.datagram(other);
  EXPECT_EQ(run.decoder.counters().quic_other, 1u);
  EXPECT_THAT(run.sink.events, IsEmpty());
  // Any flipped bit of the packet: nothing is said, and nothing breaks.
  const std::string good = seal(kFrame + std::string(100, '\0'), 1);
  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
    if (i % 3 == 0) bad.resize(random() % bad.size());
    run.datagram(bad);
  }
  EXPECT_THAT(run.sink.events, IsEmpty());
  run.datagram(good);
  EXPECT_THAT(run.sink.events, ElementsAre("sni example.com"));
}

// Receivers of VXLAN ignore its reserved bits (RFC 7348 §5), so they must not be a way to hide in a "long header".
TEST(Quic, ATunnelThatLooksLikeALongHeaderIsATunnel) {
  const Flow inside = flow("192.0.2.1", 999, "192.0.2.53", 53);
  const Flow outside = flow("10.0.0.1", 5000, "10.0.0.2", 4789);
  const std::string vxlan = std::string("\xc8\xff\xff\xff\x00\x00\x05\x00", 8) +
                            compose_udp(inside, compose_dns_query(1, "in.example", DnsType::kA));
  Recorder sink;
  Decoder decoder(sink);
  const std::string frame = compose_udp(outside, vxlan);
  decoder.decode({.bytes = frame, .link = LinkType::kEthernet, .length = static_cast<uint32_t>(frame.size())});
  EXPECT_THAT(sink.events, ElementsAre("q? in.example 1"));
  EXPECT_EQ(decoder.counters().tunnels, 1u);
}

TEST(Quic, FirstFlightsWithoutEndAreBounded) {
  Recorder sink;
  Decoder decoder(sink, {.max_streams = 64});
  const std::string part = seal(crypto(0, std::string_view(kFrame).substr(4, 100)) + std::string(100, '\0'), 0);
  for (unsigned i = 0; i < 20'000; ++i) {
    Flow f{.src = *parse_address("10." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255) + ".1"),
           .dst = *parse_address("192.0.2.2"),
           .src_port = 50000,
           .dst_port = 443};
    const std::string frame = compose_udp(f, part);
    decoder.decode({.bytes = frame, .link = LinkType::kEthernet, .length = static_cast<uint32_t>(frame.size())});
  }
  EXPECT_GE(decoder.counters().streams_evicted, 19'000u);
  // Far beyond what a ClientHello may be.
  Probe run;
  run.datagram(seal(crypto(20'000'000, "far away") + std::string(100, '\0'), 0));
  EXPECT_THAT(run.sink.events, IsEmpty());
}

}  // namespace
}  // namespace entente::packet
