#include "ledger/internal/note.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"

namespace entente::ledger {
namespace {

constexpr size_t kLongestNote = 64 * 1024;
constexpr size_t kMostSignatures = 100;

Error corrupt(std::string what) { return make_error(ErrorKind::kCorrupt, std::move(what), "checkpoint"); }

}  // namespace

bool parse_decimal(std::string_view text, uint64_t& out) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

std::string note_key_id(std::string_view name, char type, const PublicKey& key) {
  const std::string_view kind(&type, 1);
  const Digest d = sha256({name, "\n", kind, key.raw});
  return std::string(view(d).substr(0, 4));
}

std::string note_line(std::string_view name, std::string_view blob) {
  return std::string(kSignatureDash) + std::string(name) + " " + base64(blob) + "\n";
}

Result<Note> parse_note(std::string_view text) {
  if (text.size() > kLongestNote) return corrupt("longer than 64 KiB");
  // The text ends with the last empty line; what follows are signatures.
  const size_t gap = text.rfind("\n\n");
  if (gap == std::string_view::npos) return corrupt("not a signed note");
  if (!valid_utf8(text)) return corrupt("not UTF-8");
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; })) {
    return corrupt("control characters");
  }
  Note note;
  note.body = text.substr(0, gap + 1);
  std::string_view rest = text.substr(gap + 2);
  if (rest.empty() || rest.back() != '\n') return corrupt("no signature line, or one without its end");
  while (!rest.empty()) {
    if (note.lines.size() == kMostSignatures) return corrupt("more than 100 signatures");
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (!line.starts_with(kSignatureDash)) return corrupt("malformed signature line");
    line.remove_prefix(kSignatureDash.size());
    const size_t space = line.find(' ');
    if (space == std::string_view::npos || space == 0) return corrupt("malformed signature line");
    auto blob = unbase64(line.substr(space + 1));
    if (!blob.ok() || blob->size() < 5) return corrupt("malformed signature line");
    note.lines.push_back({line.substr(0, space), *std::move(blob)});
  }
  return note;
}

}  // namespace entente::ledger
