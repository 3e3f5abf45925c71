// Data markings that decide releases: TLP 1.0 and 2.0, PAP. How several combine is not defined by STIX 2.1 §7.2;
// entente takes the strictest.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "json/json.h"

namespace entente::stix {

// TLP 2.0 order; TLP 1.0 white is clear.
enum class Tlp : uint8_t { kClear = 0, kGreen, kAmber, kAmberStrict, kRed };
enum class Pap : uint8_t { kClear = 0, kGreen, kAmber, kRed };

[[nodiscard]] std::string_view to_text(Tlp t);  // "clear" "green" "amber" "amber+strict" "red"
[[nodiscard]] std::string_view to_text(Pap p);
[[nodiscard]] std::optional<Tlp> parse_tlp(std::string_view text);  // also "white"
[[nodiscard]] std::optional<Pap> parse_pap(std::string_view text);

// By the ids of the nine OASIS marking objects (four of TLP 1.0, five of 2.0); nullopt for any other id.
[[nodiscard]] std::optional<Tlp> tlp_of_id(std::string_view marking_definition_id);
// From the definition object itself: only true OASIS objects count (right id AND right content). A look-alike that says
// "tlp" under another id is nullopt.
[[nodiscard]] std::optional<Tlp> tlp_of_definition(const json::Value& marking_definition);
// Id of the TLP 2.0 object.
[[nodiscard]] std::string_view tlp_id(Tlp t);
// The OASIS object itself as JSON text, for sending along.
[[nodiscard]] std::string_view tlp_object(Tlp t);
[[nodiscard]] std::string_view tlp_object_of_id(std::string_view marking_definition_id);  // also TLP 1.0; "" if unknown

// PAP has no object of its own. Recognised: a `statement` marking without extensions whose statement is exactly
// "PAP:RED|AMBER|GREEN|CLEAR|WHITE" (as MISP exports it), and the extension of OASIS cti-stix-common-objects,
// pap-marking-definition-f8d, alone.
[[nodiscard]] std::optional<Pap> pap_of_definition(const json::Value& marking_definition);

}  // namespace entente::stix
