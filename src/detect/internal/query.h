// One observable, normalised and hashed once, to be asked of one or many tables. Lives on the stack; allocates only for
// URLs, e-mail addresses and names beyond ASCII.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "detect/observable.h"
#include "packet/address.h"

namespace entente::detect {

enum class KeyClass : uint8_t { kIpv4, kIpv6, kCidr4, kCidr6, kDomain, kUrl, kHash, kEmail, kUrlHost };

[[nodiscard]] uint64_t hash_key(KeyClass cls, std::string_view octets);
// Domain names are hashed label by label from the right, so that one pass gives the hash of every suffix.
[[nodiscard]] uint64_t hash_domain(std::string_view name);

// Of a name or the text of an address, as the host of a URL.
[[nodiscard]] uint64_t hash_url_host(std::string_view host);
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
    uint16_t size;
    const char* octets;
    [[nodiscard]] std::string_view view() const { return {octets, size}; }
  };

  // `below`: also the names above a domain name.
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

  void add(KeyClass cls, Accept accept, uint64_t hash, const char* octets, size_t size);
  void address(std::string_view text);
  void domain(std::string_view name, bool below);
  void url(std::string_view text, bool below);
  void email(std::string_view text);

  size_t count_ = 0;
  bool has4_ = false, has6_ = false;
  packet::Address address4_, address6_;
  std::string text_;  // normalised URL or e-mail address
  std::string wide_;  // a name beyond ASCII as A-labels
  char name_[1024];   // a name in lower case, or a digest
  std::array<Probe, kMaxLabels + 4> probes_;
};

}  // namespace entente::detect
