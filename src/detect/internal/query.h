// One observable, normalised and hashed once, to be asked of one or many tables. Lives on the stack; allocates only for
// URLs, e-mail addresses and names beyond ASCII.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "detect/internal/hash.h"
#include "detect/observable.h"
#include "packet/address.h"

namespace entente::detect {

enum class KeyClass : uint8_t { kIpv4, kIpv6, kCidr4, kCidr6, kDomain, kUrl, kHash, kEmail, kUrlHost, kId, kJa4 };

[[nodiscard]] uint64_t class_seed(KeyClass cls);
// Of the key octets of an address, a block, a normalised URL or e-mail address.
[[nodiscard]] uint64_t hash_key(KeyClass cls, std::string_view octets);
// Of a name (also as the host of a URL), of a JA4 fingerprint or of the hex text of a digest, in either case; copies,
// so that it needs no padding.
[[nodiscard]] uint64_t hash_name(KeyClass cls, std::string_view text);

// The host in a normalised URL; an IPv6 address without its brackets.
[[nodiscard]] std::string_view url_host(std::string_view url);

// Key octets of a hex digest of 32, 40, 64 or 128 digits of either case; the size, 0 if it is none.
[[nodiscard]] size_t digest_octets(std::string_view hex, char (&out)[64]);

class Query {
 public:
  // Which postings of a key count.
  enum class Accept : uint8_t { kAny, kName, kBelow };
  struct Probe {
    uint64_t hash;
    KeyClass cls;
    Accept accept;
    bool single;  // a name of one label
    uint16_t size;
    const char* octets;
    [[nodiscard]] std::string_view view() const { return {octets, size}; }
  };

  // `below`: also the names above a domain name, the shortest first and the name itself last.
  Query(const Observable& seen, bool below);
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  [[nodiscard]] const Probe* begin() const { return probes_.data(); }
  [[nodiscard]] const Probe* end() const { return probes_.data() + count_; }
  // An address to be looked up in the blocks too. For a mapped one both forms.
  [[nodiscard]] const packet::Address* address4() const { return has4_ ? &address4_ : nullptr; }
  [[nodiscard]] const packet::Address* address6() const { return has6_ ? &address6_ : nullptr; }

 private:
  static constexpr size_t kMaxLabels = 128;

  void add(KeyClass cls, Accept accept, uint64_t hash, const char* octets, size_t size, bool single = false);
  void address(std::string_view text);
  void domain(std::string_view name, bool below);
  void url(std::string_view text, bool below);
  void email(std::string_view text);

  size_t count_ = 0;
  bool has4_ = false, has6_ = false;
  packet::Address address4_, address6_;
  std::string text_;  // normalised URL or e-mail address
  std::string wide_;  // a name beyond ASCII as A-labels
  static constexpr size_t kMaxName = 1024;
  char buffer_[kTailPad + kMaxName];  // a name in lower case, or a digest and its text, behind padding
  char* const name_ = buffer_ + kTailPad;
  std::array<Probe, kMaxLabels + 4> probes_;
};

}  // namespace entente::detect
