// A witness: C2SP tlog-witness `add-checkpoint`. It remembers the newest head of each log that it cosigned, and cosigns
// only what extends it; so a log whose witnesses are honest cannot show two histories, or take one back.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/files.h"
#include "base/result.h"
#include "base/time.h"
#include "ledger/checkpoint.h"

namespace entente::ledger {

// What is sent: "old <size>\n", the hashes of the consistency proof as base64 lines, an empty line, the checkpoint.
[[nodiscard]] std::string write_add_checkpoint(uint64_t old_size, const Proof& proof, std::string_view note);

// The answer, as HTTP status and body (tlog-witness): 200 the cosignature line; 400 malformed; 403 not signed by a key
// of the log; 404 a log it does not know; 409 `old` is not the size it cosigned last, which the body says; 422 it does
// not extend what was cosigned.
struct WitnessAnswer {
  int status = 200;
  std::string body;
  // 409 with equal sizes: two heads, both signed by the log, that cannot both be true.
  bool fork = false;
  std::string earlier, later;  // then, and with 422: the two notes; they are kept in the folder as well
};

// Thread-safe. Everything it cosigned is durable before it answers; a witness that lost its folder must get a new key
// (ledger.md §4), so it never begins over a folder that it cannot read.
class Witness {
 public:
  // `keys_of`: the keys that may sign heads of the log of this origin; empty: not known.
  Witness(Files& files, std::string dir, std::string name, SecretKey key, Clock& clock,
          std::function<std::vector<PublicKey>(const std::string& origin)> keys_of);

  [[nodiscard]] WitnessAnswer add_checkpoint(std::string_view request);
  // The newest head of that log that was cosigned, as a note with the witness's line.
  [[nodiscard]] std::optional<std::string> newest(std::string_view origin) const;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  [[nodiscard]] std::string path_of(std::string_view origin) const;

  Files& files_;
  std::string dir_, name_;
  SecretKey key_;
  Clock& clock_;
  std::function<std::vector<PublicKey>(const std::string&)> keys_of_;
  mutable std::mutex mutex_;
};

}  // namespace entente::ledger
