#include "ledger/checkpoint.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.h"

namespace entente::ledger {
namespace {

constexpr size_t kLongestNote = 64 * 1024;
constexpr size_t kMostSignatures = 100;
constexpr std::string_view kDash = "\xe2\x80\x94 ";  // "— "

// C2SP signed-note: SHA-256(name ‖ "\n" ‖ 0x01 ‖ key)[:4], 0x01 for Ed25519.
std::string key_id(std::string_view name, const PublicKey& key) {
  const Digest d = sha256({name, std::string_view("\n\x01", 2), key.raw});
  return std::string(view(d).substr(0, 4));
}

std::string body_of(const Checkpoint& c) {
  return c.origin + "\n" + std::to_string(c.size) + "\n" + base64(view(c.root)) + "\n";
}

Error corrupt(std::string what) { return make_error(ErrorKind::kCorrupt, std::move(what), "checkpoint"); }

// Decimal without leading zeros, so that a number has one spelling.
bool parse_size(std::string_view text, uint64_t& out) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

Result<Checkpoint> parse_body(std::string_view body) {
  std::array<std::string_view, 3> lines;
  for (auto& line : lines) {
    const size_t end = body.find('\n');
    if (end == std::string_view::npos) return corrupt("fewer than three lines");
    line = body.substr(0, end);
    body.remove_prefix(end + 1);
  }
  // Extension lines would be signed without anyone checking what they say (ledger.md §4).
  if (!body.empty()) return corrupt("extension lines, which entente does not sign");
  Checkpoint c;
  c.origin = lines[0];
  if (c.origin.empty()) return corrupt("no origin");
  if (!parse_size(lines[1], c.size)) return corrupt("the second line is no tree size");
  const auto root = unbase64(lines[2]);
  if (!root.ok() || root->size() != c.root.size()) return corrupt("the third line is no root hash");
  std::copy(root->begin(), root->end(), c.root.begin());
  return c;
}

}  // namespace

std::string sign_checkpoint(const Checkpoint& c, const SecretKey& log_key) {
  const std::string body = body_of(c);
  const std::string signature = key_id(c.origin, log_key.public_key()) + log_key.sign(body);
  return body + "\n" + std::string(kDash) + c.origin + " " + base64(signature) + "\n";
}

Result<Checkpoint> open_checkpoint(std::string_view note, std::string_view origin, const PublicKey& log_key) {
  if (note.size() > kLongestNote) return corrupt("longer than 64 KiB");
  // The text ends with the last empty line; what follows are signatures.
  const size_t gap = note.rfind("\n\n");
  if (gap == std::string_view::npos) return corrupt("not a signed note");
  if (!valid_utf8(note)) return corrupt("not UTF-8");
  if (std::any_of(note.begin(), note.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; })) {
    return corrupt("control characters");
  }
  const std::string_view body = note.substr(0, gap + 1);
  std::string_view rest = note.substr(gap + 2);
  if (rest.empty() || rest.back() != '\n') return corrupt("no signature line, or one without its end");

  TRY(Checkpoint c, parse_body(body));
  if (c.origin != origin) {
    return make_error(ErrorKind::kDenied, "the checkpoint is of another log: " + printable(c.origin), "checkpoint");
  }
  const std::string id = key_id(origin, log_key);
  bool signed_by_log = false;
  for (size_t lines = 0; !rest.empty(); ++lines) {
    if (lines == kMostSignatures) return corrupt("more than 100 signatures");
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (!line.starts_with(kDash)) return corrupt("malformed signature line");
    line.remove_prefix(kDash.size());
    const size_t space = line.find(' ');
    if (space == std::string_view::npos || space == 0) return corrupt("malformed signature line");
    const auto blob = unbase64(line.substr(space + 1));
    if (!blob.ok() || blob->size() < 5) return corrupt("malformed signature line");
    if (line.substr(0, space) != origin || blob->substr(0, 4) != id) continue;
    // One of ours that does not verify spoils the note (C2SP signed-note, "Verifying").
    if (!verify(log_key, body, std::string_view(*blob).substr(4))) {
      return make_error(ErrorKind::kDenied, "the log's signature does not fit", "checkpoint");
    }
    signed_by_log = true;
  }
  if (!signed_by_log) return make_error(ErrorKind::kDenied, "not signed by the log's key", "checkpoint");
  return c;
}

}  // namespace entente::ledger
