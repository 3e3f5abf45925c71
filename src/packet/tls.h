// What a TLS ClientHello says of the program that sent it: the protocols it offers (ALPN), and its fingerprints JA3
// and JA4, which depend on the library and its settings and not on the server that is asked. Computed on request: a
// fingerprint costs about as much as ten packets.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::packet {

// The parts of a ClientHello (RFC 8446 §4.1.2) as they were sent. Views are valid during the call that delivers it.
struct TlsHello {
  std::string_view server_name = {};  // empty if there is none
  std::string_view ciphers = {};      // two octets each
  std::string_view extensions = {};   // type, length, data each; may be cut or wrong behind the server name
  uint16_t version = 0;               // legacy_version
  bool quic = false;                  // over QUIC, not TCP
};

struct TlsFingerprint {
  std::string ja3;  // 32 hex digits, lower case
  std::string ja4;  // "t13d1516h2_8daaf6152771_e5627efa2ab1"
};
// nullopt if the extensions or ciphers do not fit their lengths.
[[nodiscard]] std::optional<TlsFingerprint> fingerprint(const TlsHello& hello);

// What the digests are made of: JA3's text, and JA4 with its lists in place of their digests ("JA4_r").
struct TlsFingerprintText {
  std::string ja3, ja4;
};
[[nodiscard]] std::optional<TlsFingerprintText> fingerprint_text(const TlsHello& hello);

// The application protocols offered (RFC 7301), in the order of the client's preference; at most 16, without those
// that are no printable text.
[[nodiscard]] std::vector<std::string_view> alpn(const TlsHello& hello);

}  // namespace entente::packet
