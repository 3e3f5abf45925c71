#include "ledger/cosignature.h"

#include <algorithm>

#include "base/bytes.h"
#include "ledger/internal/note.h"

namespace entente::ledger {
namespace {

constexpr char kCosignatureV1 = 4;
constexpr size_t kTimeOctets = 8;
constexpr int64_t kSecond = 1'000'000;

std::string message(std::string_view body, uint64_t seconds) {
  return "cosignature/v1\ntime " + std::to_string(seconds) + "\n" + std::string(body);
}

}  // namespace

Result<std::string> cosign(std::string_view note, std::string_view name, const SecretKey& key, Time at) {
  TRY(const Note n, parse_note(note));
  if (at.us < 0) return invalid("a cosignature has no time before 1970", std::string(name));
  const auto seconds = static_cast<uint64_t>(at.us / kSecond);
  std::string blob = note_key_id(name, kCosignatureV1, key.public_key());
  put_u64(blob, seconds);
  blob += key.sign(message(n.body, seconds));
  return note_line(name, blob);
}

Result<std::vector<Cosignature>> cosignatures(std::string_view note,
                                              const std::map<std::string, PublicKey>& witnesses) {
  TRY(const Note n, parse_note(note));
  std::vector<Cosignature> out;
  for (const NoteLine& line : n.lines) {
    const auto w = witnesses.find(std::string(line.name));
    if (w == witnesses.end()) continue;
    const std::string id = note_key_id(line.name, kCosignatureV1, w->second);
    if (!line.blob.starts_with(id)) continue;
    const std::string_view rest = std::string_view(line.blob).substr(id.size());
    ByteReader r(rest);
    const uint64_t seconds = r.u64();
    constexpr uint64_t kLatest = 253'402'300'799;  // the year 9999
    if (!r.ok() || seconds > kLatest || !verify(w->second, message(n.body, seconds), rest.substr(kTimeOctets)))
      return make_error(ErrorKind::kDenied, "a cosignature does not fit", w->first,
                        "ask the witness itself; somebody wrote this line for it");
    if (std::any_of(out.begin(), out.end(), [&](const Cosignature& c) { return c.name == line.name; })) continue;
    out.push_back({w->first, {static_cast<int64_t>(seconds) * kSecond}, note_line(line.name, line.blob)});
  }
  return out;
}

bool Quorum::met(const std::vector<Cosignature>& have) const {
  const auto n = std::count_if(names.begin(), names.end(), [&](const std::string& name) {
    return std::any_of(have.begin(), have.end(), [&](const Cosignature& c) { return c.name == name; });
  });
  return static_cast<size_t>(n) >= needed;
}

Result<Quorum> parse_quorum(std::string_view text, std::string_view owner) {
  const auto bad = [&](const char* why) {
    return invalid(std::string("the ledger's quorum cannot be read: ") + why, printable(text, 200),
                   "all(A/witness/1,B/witness/1), or N of (A/witness/1,…), with or without 'excluding log owner'");
  };
  const size_t open = text.find('(');
  const size_t close = text.find(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return bad("no list in ( )");
  const std::string_view head = text.substr(0, open);
  const std::string_view tail = text.substr(close + 1);
  const bool excluding = tail == " excluding log owner";
  if (!tail.empty() && !excluding) return bad("something follows the list");
  Quorum q;
  std::string_view rest = text.substr(open + 1, close - open - 1);
  while (true) {
    const size_t comma = rest.find(',');
    const std::string_view name = rest.substr(0, comma);
    if (name.find('/') == std::string_view::npos || name.find(' ') != std::string_view::npos)
      return bad("a witness is named by its key, PARTY/witness/N");
    if (std::find(q.names.begin(), q.names.end(), name) != q.names.end()) return bad("a witness stands twice");
    if (!excluding || name.substr(0, name.find('/')) != owner) q.names.emplace_back(name);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  uint64_t n = 0;
  if (head == "all") {
    q.needed = q.names.size();
  } else if (head.ends_with(" of ") && parse_decimal(head.substr(0, head.size() - 4), n) && n > 0) {
    q.needed = n;
  } else {
    return bad("neither all(…) nor N of (…)");
  }
  if (q.needed > q.names.size()) return bad("it asks for more witnesses than it names");
  return q;
}

}  // namespace entente::ledger
