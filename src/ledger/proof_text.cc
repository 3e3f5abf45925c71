// C2SP tlog-proof: the entry goes into the "extra" line, which the format keeps for the application.
#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "ledger/tile_log.h"

namespace entente::ledger {
namespace {

constexpr std::string_view kHeader = "c2sp.org/tlog-proof@v1";
constexpr size_t kLongest = 256 * 1024;
constexpr size_t kMostHashes = 64;  // the height of a tree of 2^64 entries

Error bad(const char* what) { return invalid(std::string("ledger proof: ") + what); }

// The next line without its end; nullopt if there is none.
std::optional<std::string_view> take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

}  // namespace

std::string write_proof(uint64_t index, std::string_view entry, const Proof& proof, std::string_view checkpoint_note) {
  std::string out(kHeader);
  out += "\nextra " + base64(entry) + "\nindex " + std::to_string(index) + "\n";
  for (const Hash& h : proof) out += base64(view(h)) + "\n";
  out += "\n";
  out += checkpoint_note;
  return out;
}

Result<ProofFile> read_proof(std::string_view text) {
  if (text.size() > kLongest) return bad("longer than 256 KiB");
  ProofFile out;
  if (take_line(text) != kHeader) return bad("the first line is not c2sp.org/tlog-proof@v1");
  const auto extra = take_line(text);
  if (!extra || !extra->starts_with("extra ")) return bad("no line \"extra\" with the entry");
  auto entry = unbase64(extra->substr(6));
  if (!entry.ok()) return bad("the entry is not base64");
  out.entry = *std::move(entry);
  const auto index = take_line(text);
  if (!index || !index->starts_with("index ")) return bad("no line \"index\"");
  const std::string_view digits = index->substr(6);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.index);
  if (error != std::errc() || end != digits.data() + digits.size() || std::to_string(out.index) != digits)
    return bad("the index is no number");
  while (true) {
    const auto line = take_line(text);
    if (!line) return bad("ends before the checkpoint");
    if (line->empty()) break;
    const auto hash = unbase64(*line);
    if (!hash.ok() || hash->size() != sizeof(Hash)) return bad("a line that is no hash");
    if (out.proof.size() == kMostHashes) return bad("more hashes than a tree is high");
    Hash& h = out.proof.emplace_back();
    std::copy(hash->begin(), hash->end(), h.begin());
  }
  out.checkpoint_note = text;
  return out;
}

}  // namespace entente::ledger
