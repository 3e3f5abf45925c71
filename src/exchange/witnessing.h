// Cosignatures of our ledgers by the witnesses of the parties, ours of theirs, and what follows when they fail to come
// (ledger.md §4): the head of each ledger is shown to every partner's witness and to our own; when the agreement's
// quorum is not reached for longer than its grace, only recalls and receipts go out (UNWITNESSED).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/context.h"
#include "exchange/evidence.h"
#include "exchange/instruments.h"
#include "ledger/cosignature.h"
#include "ledger/witness.h"
#include "taxii/client.h"

namespace entente::exchange {

// How one of our ledgers stands with its witnesses.
struct Standing {
  uint64_t entries = 0;
  uint64_t cosigned = 0;            // entries under the newest head that the quorum cosigned
  std::optional<Time> cosigned_at;  // the latest cosignature of that head
  std::vector<std::string> by;      // who cosigned it
  size_t needed = 0;
  std::optional<Time> unwitnessed_since;  // time of the oldest entry that is not under it
  bool overdue = false;                   // for longer than the grace
};

// Whose cosignatures count at that time, by name: the parties' witnesses, and the neutral ones that the agreement names
// in `ledger.witnesses` as [{"kid","public"}].
[[nodiscard]] std::map<std::string, PublicKey> witness_keys(const agreement::Document& document, Time at);

// The agreement's `ledger.max_checkpoint_age`: how old the newest cosignature of a ledger's head may be.
[[nodiscard]] std::optional<Period> max_checkpoint_age(const agreement::Document& document);

// Thread-safe.
class Witnessing {
 public:
  Witnessing(Context& context, Instruments& instruments, Evidence& evidence);

  // As a witness: the body of a POST to /witness/add-checkpoint, whoever carries it; the checkpoint's own signature
  // counts.
  [[nodiscard]] ledger::WitnessAnswer answer(std::string_view request);
  // Shows our ledger's head to the partner's witness, if there is anything new or the last time is ten minutes ago.
  // kCorrupt: it has cosigned more than this ledger has.
  Status ask(taxii::Client& client, const std::string& peer, const std::string& agreement_id);

  // The same to a neutral witness, which is no party and knows nothing of agreements, by its name in the agreement.
  Status ask_neutral(taxii::Client& client, const std::string& name, const std::string& agreement_id);
  // The agreements that name this neutral witness.
  [[nodiscard]] std::vector<std::string> agreements_of(const std::string& neutral) const;

  // The newest head of the log of this origin that our own witness cosigned, with its line.
  [[nodiscard]] std::optional<std::string> seen_by_us(const std::string& origin) const {
    return witness_ ? witness_->newest(origin) : std::nullopt;
  }
  [[nodiscard]] Standing standing(const agreement::State& state);
  // "" or why only recalls may go out under this agreement now.
  [[nodiscard]] std::string obstacle(const agreement::State& state);
  // The newest head with the cosignatures it has; and the newest that the quorum cosigned (kNotFound: none yet).
  [[nodiscard]] Result<std::string> head(const std::string& agreement_id);
  [[nodiscard]] Result<std::string> cosigned_head(const std::string& agreement_id);

 private:
  struct Book {
    bool loaded = false;
    // The head that is being shown, until the quorum has cosigned it or it is too old to wait for.
    std::string note;
    uint64_t size = 0;
    Time since;
    std::map<std::string, std::string> lines;  // witness -> line
    std::map<std::string, Time> at;            // witness -> time of its line
    std::string cosigned;                      // the newest that reached the quorum, with its lines
    uint64_t cosigned_size = 0;
    std::map<std::string, uint64_t> asked;  // partner -> the size that its witness cosigned last
  };
  Status show(taxii::Client& client, const std::string& path, const std::string& peer, const std::string& agreement_id,
              bool neutral);
  void since(const agreement::State& state, Standing& out);
  Book& book(const std::string& agreement_id);
  void refresh(const std::string& agreement_id, Book& b, const ledger::Quorum& quorum, bool padded);
  Status take(const std::string& agreement_id, Book& b, const std::string& name, const std::string& line,
              const agreement::Document& document);
  Status save(const std::string& agreement_id, const Book& b);
  [[nodiscard]] ledger::Quorum quorum_of(const agreement::Document& document) const;
  [[nodiscard]] std::map<std::string, PublicKey> witnesses_of(const agreement::Document& document) const;
  [[nodiscard]] std::vector<PublicKey> log_keys(const std::string& origin) const;

  Context& cx_;
  Instruments& instruments_;
  Evidence& evidence_;
  std::optional<ledger::Witness> witness_;
  std::mutex mutex_;
  std::map<std::string, Book> books_;
};

}  // namespace entente::exchange
