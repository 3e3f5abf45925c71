#include "ledger/witness.h"

#include <algorithm>

#include "base/bytes.h"
#include "ledger/cosignature.h"
#include "ledger/internal/note.h"

namespace entente::ledger {
namespace {

constexpr size_t kLongestRequest = 128 * 1024;
constexpr size_t kMostHashes = 63;  // tlog-witness: a proof has no more

WitnessAnswer refuse(int status, std::string why) { return {status, std::move(why) + "\n", false, {}, {}}; }

struct Request {
  uint64_t old_size = 0;
  Proof proof;
  std::string_view note;
};

std::optional<Request> parse_request(std::string_view text) {
  Request out;
  if (text.size() > kLongestRequest || !text.starts_with("old ")) return std::nullopt;
  size_t end = text.find('\n');
  if (end == std::string_view::npos || !parse_decimal(text.substr(4, end - 4), out.old_size)) return std::nullopt;
  text.remove_prefix(end + 1);
  while (true) {
    end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.empty()) break;
    const auto raw = unbase64(line);
    if (!raw.ok() || raw->size() != sizeof(Hash) || out.proof.size() == kMostHashes) return std::nullopt;
    Hash& h = out.proof.emplace_back();
    std::copy(raw->begin(), raw->end(), h.begin());
  }
  out.note = text;
  return out;
}

}  // namespace

std::string write_add_checkpoint(uint64_t old_size, const Proof& proof, std::string_view note) {
  std::string out = "old " + std::to_string(old_size) + "\n";
  for (const Hash& h : proof) out += base64(view(h)) + "\n";
  out += "\n";
  out += note;
  return out;
}

Witness::Witness(Files& files, std::string dir, std::string name, SecretKey key, Clock& clock,
                 std::function<std::vector<PublicKey>(const std::string&)> keys_of)
    : files_(files),
      dir_(std::move(dir)),
      name_(std::move(name)),
      key_(std::move(key)),
      clock_(clock),
      keys_of_(std::move(keys_of)) {}

// An origin is a free text: its digest is a name for a file.
std::string Witness::path_of(std::string_view origin) const { return dir_ + "/" + sha256_hex(origin).substr(0, 32); }

std::optional<std::string> Witness::newest(std::string_view origin) const {
  const std::lock_guard lock(mutex_);
  auto note = files_.read(path_of(origin));
  if (!note.ok()) return std::nullopt;
  return *std::move(note);
}

WitnessAnswer Witness::add_checkpoint(std::string_view request) {
  const auto in = parse_request(request);
  if (!in) return refuse(400, "not an add-checkpoint request");
  const auto claimed = unverified_checkpoint(in->note);
  if (!claimed.ok()) return refuse(400, claimed.error().text());
  const std::string& origin = claimed->origin;
  const std::vector<PublicKey> keys = keys_of_(origin);
  if (keys.empty()) return refuse(404, "this witness does not know the log " + printable(origin));
  const auto opened = [&](std::string_view note) -> std::optional<Checkpoint> {
    for (const PublicKey& k : keys) {
      if (auto c = open_checkpoint(note, origin, k); c.ok()) return *std::move(c);
    }
    return std::nullopt;
  };
  const auto now = opened(in->note);
  if (!now) return refuse(403, "the checkpoint is not signed by a key of the log");
  if (in->old_size > now->size) return refuse(400, "old is larger than the checkpoint");

  const std::lock_guard lock(mutex_);
  const std::string path = path_of(origin);
  std::string before_note;
  Checkpoint before;
  before.root = empty_root();
  if (files_.exists(path)) {
    auto saved = files_.read(path);
    // A key that signed this head may have been replaced since: what was cosigned stands all the same.
    auto was = saved.ok() ? unverified_checkpoint(*saved) : Result<Checkpoint>(saved.error());
    if (!was.ok()) return refuse(500, "what was cosigned last cannot be read: a witness without memory does not sign");
    before = *std::move(was);
    before_note = *std::move(saved);
  }
  // Two signed heads that cannot both be true, or one that was not shown to extend the other, are evidence. The first
  // of each kind is kept: more prove no more, and would let a log fill this disk.
  const auto keep = [&](const char* what, int status, std::string body, bool fork) {
    WitnessAnswer a{status, std::move(body), fork, before_note, std::string(in->note)};
    if (!files_.exists(path + what)) (void)files_.write_atomic(path + what, a.earlier + "\n" + a.later, 0600).ok();
    return a;
  };
  if (in->old_size != before.size) return {409, std::to_string(before.size) + "\n", false, {}, {}};
  if (now->size == before.size) {
    if (now->root != before.root) return keep(".fork", 409, std::to_string(before.size) + "\n", true);
    if (!in->proof.empty()) return refuse(422, "a proof between equal sizes is empty");
  } else if (!verify_consistency(before.size, before.root, now->size, now->root, in->proof)) {
    // That no proof was given proves nothing yet: the mirror, which has the entries, finds out.
    return keep(".refused", 422, "the checkpoint is not shown to extend the one that was cosigned last\n", false);
  }
  const auto line = cosign(in->note, name_, key_, clock_.now());
  if (!line.ok()) return refuse(400, line.error().text());
  // Persist, then answer: after a crash it must not sign another head of this size.
  if (Status s = files_.write_atomic(path, std::string(in->note) + *line, 0600); !s.ok())
    return refuse(500, "the witness cannot remember this head, so it does not sign it");
  return {200, *line, false, {}, {}};
}

}  // namespace entente::ledger
