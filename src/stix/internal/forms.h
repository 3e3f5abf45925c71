// Text forms that properties demand: small recognisers without allocation.
#pragma once

#include <string_view>

namespace entente::stix::internal {

struct UuidForm {
  bool valid = false;    // 8-4-4-4-12 hex digits
  bool upper = false;    // with capitals among them
  bool rfc4122 = false;  // variant of RFC 4122
  int version = 0;
};
[[nodiscard]] UuidForm uuid_form(std::string_view text);

[[nodiscard]] bool is_type_name(std::string_view text);       // §3.1
[[nodiscard]] bool is_property_name(std::string_view text);   // §3.1
[[nodiscard]] bool is_dictionary_key(std::string_view text);  // §2.3
[[nodiscard]] bool has_upper(std::string_view text);
[[nodiscard]] bool is_term(
    std::string_view text);  // lower case, digits, hyphens, and what terms of the standard have besides
[[nodiscard]] bool is_hex_lower(std::string_view text);  // §2.8
[[nodiscard]] bool is_hex(std::string_view text, size_t digits);
[[nodiscard]] bool is_base64(std::string_view text);    // RFC 4648 §4, padded
[[nodiscard]] bool is_language(std::string_view text);  // RFC 5646 §2.1, well-formed
[[nodiscard]] bool is_mac(std::string_view text);       // §6.10
[[nodiscard]] bool is_ipv4(std::string_view text);      // address or CIDR, §6.8
[[nodiscard]] bool is_ipv6(std::string_view text);      // address or CIDR, §6.9
[[nodiscard]] bool is_domain(std::string_view text);    // §6.4, also with U-labels
[[nodiscard]] bool is_url(std::string_view text);       // RFC 3986: a scheme and no character that may not stand in one
[[nodiscard]] bool is_email(std::string_view text);     // RFC 5322 addr-spec, without comments
[[nodiscard]] bool is_cpe23(std::string_view text);
[[nodiscard]] bool is_mime(std::string_view text);
[[nodiscard]] bool is_charset(std::string_view text);       // form of a name of the IANA registry
[[nodiscard]] bool is_registry_key(std::string_view text);  // full name of the hive, §6.17
[[nodiscard]] bool is_semver(std::string_view text);        // MAJOR.MINOR.PATCH…
[[nodiscard]] bool is_cve(std::string_view text);
[[nodiscard]] bool is_capec(std::string_view text);

// Whether a hash value fits the algorithm; true for algorithms that are not known.
[[nodiscard]] bool hash_fits(std::string_view algorithm, std::string_view value);

}  // namespace entente::stix::internal
