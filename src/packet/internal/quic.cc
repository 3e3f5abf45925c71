#include "packet/internal/quic.h"

#include <memory>
#include <optional>

#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "packet/internal/octets.h"

namespace entente::packet {
namespace {

constexpr uint32_t kVersion1 = 0x00000001;
constexpr uint32_t kVersion2 = 0x6b3343cf;  // RFC 9369 §3.1
constexpr size_t kMaxId = 20;
constexpr size_t kTag = 16;
constexpr size_t kSample = 16;
constexpr int kMaxCoalesced = 4;  // packets of one datagram that are looked at
constexpr int kMaxFrames = 256;   // of one packet, runs of padding counted once

// RFC 9001 §5.2; RFC 9369 §3.3.1.
constexpr std::string_view kSalt1("\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a",
                                  20);
constexpr std::string_view kSalt2("\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9",
                                  20);

// RFC 8446 §7.1 with an empty context, for outputs of one hash (RFC 5869 §2.3).
std::string expand_label(std::string_view secret, std::string_view label, size_t size) {
  std::string info;
  put_u16(info, static_cast<uint16_t>(size));
  info += static_cast<char>(6 + label.size());
  info.append("tls13 ").append(label);
  info += '\0';
  info += '\x01';
  return std::string(view(hmac_sha256(secret, info)).substr(0, size));
}

// RFC 9000 §16.
std::optional<uint64_t> take_varint(std::string_view& b) {
  if (b.empty()) return std::nullopt;
  const size_t size = size_t{1} << (u8(b, 0) >> 6);
  if (b.size() < size) return std::nullopt;
  uint64_t v = u8(b, 0) & 0x3fu;
  for (size_t i = 1; i < size; ++i) v = v << 8 | u8(b, i);
  b.remove_prefix(size);
  return v;
}

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* octets(std::string_view b) { return reinterpret_cast<const unsigned char*>(b.data()); }
unsigned char* octets(std::string& b) { return reinterpret_cast<unsigned char*>(b.data()); }

// RFC 9001 §5.4.3.
std::optional<std::string> header_mask(std::string_view hp, std::string_view sample) {
  const Context c(EVP_CIPHER_CTX_new());
  std::string out(kSample, '\0');
  int n = 0;
  if (!c || EVP_EncryptInit_ex(c.get(), EVP_aes_128_ecb(), nullptr, octets(hp), nullptr) != 1 ||
      EVP_EncryptUpdate(c.get(), octets(out), &n, octets(sample), static_cast<int>(kSample)) != 1)
    return std::nullopt;
  return out;
}

std::optional<std::string> open_sealed(const InitialKeys& keys, std::string_view nonce, std::string_view header,
                                       std::string_view sealed) {
  const Context c(EVP_CIPHER_CTX_new());
  const std::string_view text = sealed.substr(0, sealed.size() - kTag);
  std::string tag(sealed.substr(text.size()));
  std::string out(text.size(), '\0');
  int n = 0;
  if (!c || EVP_DecryptInit_ex(c.get(), EVP_aes_128_gcm(), nullptr, octets(keys.key), octets(nonce)) != 1 ||
      EVP_DecryptUpdate(c.get(), nullptr, &n, octets(header), static_cast<int>(header.size())) != 1 ||
      EVP_DecryptUpdate(c.get(), octets(out), &n, octets(text), static_cast<int>(text.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(kTag), tag.data()) != 1 ||
      EVP_DecryptFinal_ex(c.get(), octets(out) + n, &n) != 1)
    return std::nullopt;
  return out;
}

// RFC 9000 §12.4: the frames that an Initial may hold. What is told is authentic, so a frame that does not fit is
// where reading ends, not a reason to take back what came before.
void read_frames(std::string_view b, const OnCrypto& on_crypto) {
  for (int i = 0; i < kMaxFrames && !b.empty(); ++i) {
    const size_t padding = b.find_first_not_of('\0');
    if (padding == b.npos) return;
    if (padding > 0) {
      b.remove_prefix(padding);
      continue;
    }
    const uint8_t type = u8(b, 0);
    b.remove_prefix(1);
    if (type == 1) continue;       // PING
    if (type == 2 || type == 3) {  // ACK: largest, delay, count, first range, then gaps and ranges, then ECN counts
      uint64_t ranges = 0;
      for (int field = 0; field < 4; ++field) {
        const auto v = take_varint(b);
        if (!v) return;
        if (field == 2) ranges = *v;
      }
      if (ranges > b.size()) return;
      for (uint64_t field = 0; field < 2 * ranges + (type == 3 ? 3 : 0); ++field) {
        if (!take_varint(b)) return;
      }
      continue;
    }
    if (type != 6) return;  // CONNECTION_CLOSE, or nothing that may be here
    const auto offset = take_varint(b);
    const auto length = take_varint(b);
    if (!offset || !length || *length > b.size()) return;
    on_crypto(*offset, b.substr(0, *length));
    b.remove_prefix(*length);
  }
}

// One packet, from the front of `rest`, which it is taken off.
QuicLook read_packet(std::string_view& rest, const OnCrypto& on_crypto) {
  const std::string_view whole = std::exchange(rest, {});
  std::string_view b = whole;
  // Long header, fixed bit (RFC 9000 §17.2). Version 0 is a negotiation, which only servers send.
  if (b.size() < 7 || (u8(b, 0) & 0xc0) != 0xc0 || u32(b, 1) == 0) return QuicLook::kNotThis;
  const uint32_t version = u32(b, 1);
  const bool second = version == kVersion2;
  if (version != kVersion1 && !second) return QuicLook::kOther;
  const int type = u8(b, 0) >> 4 & 3;
  b.remove_prefix(5);
  std::string_view ids[2];
  for (auto& id : ids) {
    if (b.empty() || u8(b, 0) > kMaxId || b.size() - 1 < u8(b, 0)) return QuicLook::kNotThis;
    id = b.substr(1, u8(b, 0));
    b.remove_prefix(1 + id.size());
  }
  const bool initial = type == (second ? 1 : 0);
  if (type == (second ? 0 : 3)) return QuicLook::kOther;  // Retry has no length
  if (initial) {
    const auto token = take_varint(b);
    if (!token || *token > b.size()) return QuicLook::kNotThis;
    b.remove_prefix(*token);
  }
  const auto length = take_varint(b);
  if (!length || *length > b.size() || *length < 4 + kSample) return QuicLook::kNotThis;
  rest = b.substr(*length);
  if (!initial) return QuicLook::kOther;
  b = b.substr(0, *length);

  const InitialKeys keys = client_initial_keys(second, ids[0]);
  const auto mask = header_mask(keys.hp, b.substr(4, kSample));
  if (!mask) return QuicLook::kSealed;
  const auto number_at = static_cast<size_t>(b.data() - whole.data());
  std::string header(whole.substr(0, number_at));
  header[0] = static_cast<char>(header[0] ^ ((*mask)[0] & 0x0f));
  const size_t number_size = (static_cast<uint8_t>(header[0]) & 3u) + 1;
  std::string nonce = keys.iv;
  for (size_t i = 0; i < number_size; ++i) {
    const auto octet = static_cast<char>(b[i] ^ (*mask)[1 + i]);
    header += octet;
    // A client's first packets have small numbers: what is sent of them is all of them.
    nonce[nonce.size() - number_size + i] = static_cast<char>(nonce[nonce.size() - number_size + i] ^ octet);
  }
  const auto text = open_sealed(keys, nonce, header, b.substr(number_size));
  if (!text) return QuicLook::kSealed;
  read_frames(*text, on_crypto);
  return QuicLook::kRead;
}

}  // namespace

InitialKeys client_initial_keys(bool version2, std::string_view destination_id) {
  const std::string initial(view(hmac_sha256(version2 ? kSalt2 : kSalt1, destination_id)));
  const std::string client = expand_label(initial, "client in", 32);
  const std::string prefix = version2 ? "quicv2 " : "quic ";
  return {expand_label(client, prefix + "key", 16), expand_label(client, prefix + "iv", 12),
          expand_label(client, prefix + "hp", 16)};
}

QuicLook read_quic_initials(std::string_view datagram, const OnCrypto& on_crypto) {
  QuicLook out = QuicLook::kNotThis;
  for (int i = 0; i < kMaxCoalesced && !datagram.empty(); ++i) {
    const QuicLook one = read_packet(datagram, on_crypto);
    if (i == 0 || one == QuicLook::kRead) out = one;
    if (one == QuicLook::kNotThis) break;
  }
  return out;
}

}  // namespace entente::packet
