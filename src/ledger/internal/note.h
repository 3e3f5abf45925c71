// A C2SP signed note taken apart: the text that is signed, and the lines under it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"

namespace entente::ledger {

inline constexpr std::string_view kSignatureDash = "\xe2\x80\x94 ";  // "— "

struct NoteLine {
  std::string_view name;
  std::string blob;  // key id (4 octets) and what follows
};
struct Note {
  std::string_view body;  // with its last line end
  std::vector<NoteLine> lines;
};

// Views into `text`. kCorrupt: not a signed note, or larger than 64 KiB or 100 lines.
[[nodiscard]] Result<Note> parse_note(std::string_view text);

// The first four octets of SHA-256(name ‖ "\n" ‖ type ‖ key): 0x01 Ed25519, 0x04 cosignature/v1.
[[nodiscard]] std::string note_key_id(std::string_view name, char type, const PublicKey& key);

[[nodiscard]] std::string note_line(std::string_view name, std::string_view blob);

// Decimal without leading zeros, so that a number has one spelling.
[[nodiscard]] bool parse_decimal(std::string_view text, uint64_t& out);

}  // namespace entente::ledger
