// The one text form in which values are compared, in atoms of patterns as well as in what a sensor sees. nullopt: not
// such a value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pattern/pattern.h"

namespace entente::pattern {

// Lower case, A-labels (IDNA 2008, non-transitional), no trailing dot. Letters, digits, hyphen and underscore; labels
// of 1..63, 253 in all.
[[nodiscard]] std::optional<std::string> normal_domain(std::string_view text);

// Address or CIDR block: kIpv4 "198.51.100.3", kCidr4 "198.51.100.0/24" (host bits cleared), IPv6 the same in RFC 5952
// form. A block of one address is that address.
[[nodiscard]] std::optional<Atom> normal_address(std::string_view text);

// RFC 3986 §6.2.2 and §6.2.3: scheme and host lower case (host as A-labels), default port and fragment left out, dot
// segments removed, "/" for an empty path, percent signs in capitals and only where needed.
[[nodiscard]] std::optional<std::string> normal_url(std::string_view text);

[[nodiscard]] std::optional<std::string> normal_email(std::string_view text);  // lower case, domain as above

// TLS fingerprints of clients. JA3: 32 hex digits, lower case. JA4: "t13d1516h2_8daaf6152771_e5627efa2ab1", lower case.
[[nodiscard]] std::optional<std::string> normal_ja3(std::string_view text);
[[nodiscard]] std::optional<std::string> normal_ja4(std::string_view text);
[[nodiscard]] bool is_ja4(std::string_view text);  // in either case, as logs may have it
inline constexpr size_t kJa4Size = 36;

}  // namespace entente::pattern
