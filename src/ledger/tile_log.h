// The log of a party and an agreement on disk: C2SP tlog-tiles as static files (checkpoint, tile/<L>/<N>[.p/<W>],
// tile/entries/<N>[.p/<W>]). Durable append: entry bundle → sync → hash tiles → sync → checkpoint rename. Recovery
// recomputes from the entries.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/files.h"
#include "base/result.h"
#include "ledger/checkpoint.h"
#include "ledger/merkle.h"

namespace entente::ledger {

// Not thread-safe for writers; readers use the files.
class TileLog {
 public:
  // Opens or creates. Repairs an append that was cut off; kCorrupt if what the last checkpoint signed is not there.
  static Result<std::unique_ptr<TileLog>> open(Files& files, std::string dir, std::string origin,
                                               const SecretKey& log_key);
  ~TileLog();

  // All or nothing, durable when it returns; entries of 1..65,535 octets. Returns the index of the first.
  Result<uint64_t> append(std::span<const std::string> entries);
  [[nodiscard]] uint64_t size() const;
  [[nodiscard]] Hash root() const;
  [[nodiscard]] const std::string& checkpoint() const;  // signed note
  Result<Hash> root_at(uint64_t size) const;            // of the first `size` entries
  Result<std::string> entry(uint64_t index) const;
  Result<Proof> prove_inclusion(uint64_t index) const;
  // In the tree of the first `size` entries. Requires: index < size <= size().
  Result<Proof> prove_inclusion(uint64_t index, uint64_t size) const;
  Result<Proof> prove_consistency(uint64_t old_size) const;
  // Between two heads of the past. Requires: old_size <= size <= size().
  Result<Proof> prove_consistency(uint64_t old_size, uint64_t size) const;

 private:
  TileLog();
  struct State;
  std::unique_ptr<State> state_;
};

// Reads entries [from, to) out of a folder of tiles, checking nothing.
[[nodiscard]] Status read_entries(Files& files, const std::string& dir, uint64_t from, uint64_t to,
                                  const std::function<bool(uint64_t, std::string_view)>& fn);

// Full audit of a folder: every entry against its hash tile, every tile against the one above, the root against the
// signed checkpoint.
struct AuditReport {
  bool ok = false;
  uint64_t entries = 0;
  std::optional<uint64_t> bad_entry;  // first entry that does not fit
  std::string problem;                // "entry 17 does not hash to leaf 17 of tile/0/000"
  std::optional<Checkpoint> checkpoint;
};
[[nodiscard]] AuditReport audit(Files& files, const std::string& dir, const std::string& origin,
                                const PublicKey& log_key);

// Relative path of a tile as tlog-tiles names it: "tile/0/x001/234.p/17". level -1 = entries.
[[nodiscard]] std::string tile_path(int level, uint64_t n, unsigned width);

// C2SP tlog-proof text: index, hashes, checkpoint. For people, checked offline.
[[nodiscard]] std::string write_proof(uint64_t index, std::string_view entry, const Proof& proof,
                                      std::string_view checkpoint_note);
struct ProofFile {
  uint64_t index = 0;
  std::string entry;
  Proof proof;
  std::string checkpoint_note;
};
[[nodiscard]] Result<ProofFile> read_proof(std::string_view text);

}  // namespace entente::ledger
