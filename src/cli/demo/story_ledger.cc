// Step 7: both ledgers are audited, one entry is proved offline, one octet of a copy is altered.
#include <fmt/format.h>

#include "base/crypto.h"
#include "base/files.h"
#include "cli/demo/story.h"
#include "cli/internal/table.h"
#include "exchange/names.h"
#include "ledger/tile_log.h"

namespace entente::cli::demo {

namespace {

uint64_t number_of(const json::Value& v, std::string_view name) {
  return static_cast<uint64_t>(json::find_int(v, name).value_or(0));
}

Result<std::string> log_key(const std::string& node_dir) {
  TRY(const SecretKey key, SecretKey::load(node_dir + "/keys/log.pem"));
  return key.public_key().to_hex();
}

}  // namespace

Status Story::audit() {
  // Nothing is written to the ledgers while they are read.
  const std::string uuid = exchange::bare_uuid(agreement_);
  for (Side* s : {&japan_, &india_}) {
    s->api.reset();
    const int status = s->process.stop();
    if (status != 0)
      return make_error(ErrorKind::kInternal, fmt::format("the node of {} ended with status {}", s->party, status),
                        s->dir + "/node.err");
  }
  bool ok = true;
  std::vector<uint64_t> entries;
  for (const Side* s : {&india_, &japan_}) {
    TRY(const auto done, command({"ledger", "audit", "--dir", s->dir, "--agreement", uuid}, {1}));
    entries.push_back(number_of(done.root(), "entries"));
    figures.ledger_entries += entries.back();
    ok = ok && json::find_bool(done.root(), "ok").value_or(false);
  }
  figures.ledger_ok = ok;
  note(fmt::format("nodes stopped; IN's ledger has {} entries, JP's {}: {}", entries[0], entries[1],
                   ok ? "whole and signed" : "NOT whole"));
  // A proof that a third person can check with the log's public key alone.
  const std::string proof = (folder_ / "proof.txt").string();
  const std::string index = std::to_string(entries[1] / 2);
  const std::vector<std::string> prove{own_program(), "-q",          "ledger", "prove", index, "--dir",
                                       japan_.dir,    "--agreement", uuid,     "--out", proof};
  TRY(const Ran made, run_program(prove));
  if (made.status != 0) return make_error(ErrorKind::kInternal, "no proof: " + made.err);
  TRY(const std::string key, log_key(japan_.dir));
  TRY(const auto verified,
      command({"ledger", "verify", proof, "--origin", exchange::ledger_origin("JP", agreement_), "--key", key}, {1}));
  figures.proof_verified = json::find_bool(verified.root(), "ok").value_or(false);
  note(fmt::format("entry {} of JP's ledger, proved in a file and checked with the public key alone: {}", index,
                   figures.proof_verified ? "yes" : "NO"));
  return {};
}

Status Story::tamper() {
  namespace fs = std::filesystem;
  const fs::path copy = folder_ / "altered-copy";
  std::error_code ec;
  fs::copy(fs::path(japan_.dir) / "ledger" / exchange::bare_uuid(agreement_), copy, fs::copy_options::recursive, ec);
  if (ec) return make_error(ErrorKind::kIo, "the ledger cannot be copied: " + ec.message(), copy.string());
  // tlog-tiles: entries stand in bundles of 256, each with its length before it in two octets. The newest of the
  // partial bundles of the first tile is the one that counts if there is no full one.
  PosixFiles files;
  const std::string full = (copy / ledger::tile_path(-1, 0, 256)).string();
  std::string bundle = full;
  if (!files.exists(full)) {
    unsigned widest = 0;
    for (const auto& entry : fs::directory_iterator(full + ".p", ec)) {
      const auto width = static_cast<unsigned>(std::strtoul(entry.path().filename().c_str(), nullptr, 10));
      if (width > widest) {
        widest = width;
        bundle = entry.path().string();
      }
    }
  }
  TRY(std::string bytes, files.read(bundle));
  std::vector<size_t> begins;
  for (size_t at = 0; at + 2 <= bytes.size();) {
    begins.push_back(at + 2);
    at += 2 +
          (static_cast<size_t>(static_cast<unsigned char>(bytes[at])) << 8 | static_cast<unsigned char>(bytes[at + 1]));
  }
  if (begins.empty()) return make_error(ErrorKind::kInternal, "the ledger has no entries", bundle);
  const size_t entry = begins.size() / 2;
  bytes[begins[entry] + 20] = static_cast<char>(bytes[begins[entry] + 20] ^ 1);
  CHECK_OK(files.write_atomic(bundle, bytes, 0600));
  figures.tampered_entry = entry;
  TRY(const std::string key, log_key(japan_.dir));
  TRY(const auto done, command({"ledger", "audit", "--ledger", copy.string(), "--origin",
                                exchange::ledger_origin("JP", agreement_), "--key", key},
                               {1}));
  if (!json::find_bool(done.root(), "ok").value_or(true)) {
    if (const auto bad = json::find_int(done.root(), "bad_entry"))
      figures.tamper_found_at = static_cast<uint64_t>(*bad);
  }
  note(fmt::format("one bit of entry {} altered in a copy; the audit says: {}", entry,
                   std::string(json::find_string(done.root(), "problem").value_or(""))));
  return {};
}

}  // namespace entente::cli::demo
