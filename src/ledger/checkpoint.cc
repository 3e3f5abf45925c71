#include "ledger/checkpoint.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "ledger/internal/note.h"

namespace entente::ledger {
namespace {

constexpr char kEd25519 = 1;

std::string body_of(const Checkpoint& c) {
  return c.origin + "\n" + std::to_string(c.size) + "\n" + base64(view(c.root)) + "\n";
}

Error corrupt(std::string what) { return make_error(ErrorKind::kCorrupt, std::move(what), "checkpoint"); }

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
  if (!parse_decimal(lines[1], c.size)) return corrupt("the second line is no tree size");
  const auto root = unbase64(lines[2]);
  if (!root.ok() || root->size() != c.root.size()) return corrupt("the third line is no root hash");
  std::copy(root->begin(), root->end(), c.root.begin());
  return c;
}

}  // namespace

std::string sign_checkpoint(const Checkpoint& c, const SecretKey& log_key) {
  const std::string body = body_of(c);
  const std::string blob = note_key_id(c.origin, kEd25519, log_key.public_key()) + log_key.sign(body);
  return body + "\n" + note_line(c.origin, blob);
}

Result<Checkpoint> open_checkpoint(std::string_view text, std::string_view origin, const PublicKey& log_key) {
  TRY(const Note note, parse_note(text));
  TRY(Checkpoint c, parse_body(note.body));
  if (c.origin != origin) {
    return make_error(ErrorKind::kDenied, "the checkpoint is of another log: " + printable(c.origin), "checkpoint");
  }
  const std::string id = note_key_id(origin, kEd25519, log_key);
  bool signed_by_log = false;
  for (const NoteLine& line : note.lines) {
    if (line.name != origin || !line.blob.starts_with(id)) continue;
    // One of ours that does not verify spoils the note (C2SP signed-note, "Verifying").
    if (!verify(log_key, note.body, std::string_view(line.blob).substr(id.size()))) {
      return make_error(ErrorKind::kDenied, "the log's signature does not fit", "checkpoint");
    }
    signed_by_log = true;
  }
  if (!signed_by_log) return make_error(ErrorKind::kDenied, "not signed by the log's key", "checkpoint");
  return c;
}

Result<Checkpoint> unverified_checkpoint(std::string_view text) {
  TRY(const Note note, parse_note(text));
  return parse_body(note.body);
}

}  // namespace entente::ledger
