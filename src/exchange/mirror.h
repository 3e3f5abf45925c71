// Partners' ledgers as we copied and checked them (ledger.md §4, §7): every entry under the signed head, nothing taken
// back, nothing dated back, each release to us where its manifest said, and the same history as others saw. What cannot
// be true is kept as evidence, is a leaf of our own ledger, and leaves that partner with recalls and receipts alone
// until a person has settled it.
#pragma once

#include <functional>
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
#include "ledger/merkle.h"
#include "ledger/tile_log.h"
#include "taxii/client.h"

namespace entente::exchange {

struct MirrorHealth {
  uint64_t entries = 0;
  uint64_t verified = 0;  // leaves that a manifest or receipt for us named, found where it said
  bool conflict = false;
  std::string problem;
  std::optional<Time> cosigned_at;  // newest cosignature under the head that was seen last
  bool flooded = false;             // it grew by more than we copy in a day
  bool stale = false;               // older than the agreement's max_checkpoint_age
};

// What is kept of a conflict: for the differences procedure both heads prove it to anybody.
struct Conflict {
  std::string agreement, peer, problem;
  Time at;
  std::string earlier, later;  // signed heads; may be empty
};

// Thread-safe.
class Mirrors {
 public:
  Mirrors(Context& context, Instruments& instruments, Evidence& evidence);

  // Copies the partner's ledger up to its newest head and checks it. kCorrupt: a conflict.
  Status check(taxii::Client& client, const std::string& peer, const std::string& agreement_id);
  // A head of the party's ledger that somebody else saw: a witness, another partner. Its signature is checked, and what
  // it says against our copy.
  Status compare(const std::string& agreement_id, const std::string& party, std::string_view note,
                 const std::string& seen_by);

  [[nodiscard]] MirrorHealth health(const std::string& agreement_id, const std::string& peer) const;
  // "" or why only recalls may go to the partner.
  [[nodiscard]] std::string obstacle(const std::string& agreement_id, const std::string& peer) const;
  [[nodiscard]] std::vector<Conflict> conflicts() const;
  // A person has settled it. The leaf stays.
  Status settle(const std::string& agreement_id, const std::string& peer, std::string_view reason);
  // Keeps it, once, until it is settled: kCorrupt with what to do; or why it could not be kept (it narrows all the
  // same).
  Status accuse(const std::string& agreement_id, const std::string& peer, std::string problem,
                const std::string& earlier, const std::string& later);

  // The copy as files, for whoever may read the ledger: "checkpoint", "tile/entries/…", "tile/0/…" and above.
  [[nodiscard]] Result<std::string> file(const std::string& agreement_id, const std::string& peer,
                                         std::string_view path);
  // Of our copy, in the tree of its first `size` entries.
  [[nodiscard]] Result<ledger::Proof> inclusion(const std::string& agreement_id, const std::string& peer,
                                                uint64_t index, uint64_t size);
  [[nodiscard]] Result<ledger::Proof> consistency(const std::string& agreement_id, const std::string& peer,
                                                  uint64_t old_size, uint64_t size);
  // The heads of this agreement's ledgers that we saw last, as JSON: what partners compare with what they saw.
  [[nodiscard]] std::string seen(const agreement::State& state) const;

 private:
  // The tree of a copy. Hashes of every full bundle are kept, so that the root of any earlier size costs little.
  struct Tree {
    ledger::Frontier edge;
    std::vector<ledger::Hash> bundles;
    ledger::Frontier bundle;
    void add(const ledger::Hash& leaf);
  };
  struct Copy {
    std::mutex checking;  // one check at a time; held while the partner is asked. Taken before `mutex`
    std::mutex mutex;     // of what follows; never held over the network
    Tree tree;
    std::string prev;  // SHA-256 of its newest leaf
    Time checked;      // when we last saw its head
    Time gossiped;     // when we last asked what it saw
    std::string note;  // its newest head
    Time day;          // when the running day began, and what we had then
    uint64_t day_from = 0;
  };
  Status load(const std::string& agreement_id, const std::string& peer, Copy& copy, uint64_t size) const;
  [[nodiscard]] Result<ledger::Hash> root_at(const std::string& agreement_id, const std::string& peer, const Copy& copy,
                                             uint64_t size) const;
  [[nodiscard]] Result<ledger::Hash> node_at(const std::string& agreement_id, const std::string& peer, const Tree& tree,
                                             uint64_t level, uint64_t index) const;
  [[nodiscard]] std::vector<PublicKey> log_keys(const agreement::State& state, const std::string& party) const;
  Status take_no_flood(const agreement::State& state, const std::string& peer, Copy& copy, uint64_t have, uint64_t size,
                       const std::string& note);
  [[nodiscard]] Result<ledger::Proof> prove(
      const std::string& agreement_id, const std::string& peer, uint64_t size,
      const std::function<ledger::Proof(const std::function<ledger::Hash(uint64_t, uint64_t)>&)>& build);
  Status look_at_age(taxii::Client& client, const std::string& peer, const agreement::State& state, Copy& copy,
                     const std::vector<ledger::Cosignature>& newest);
  Status gossip(taxii::Client& client, const std::string& peer, const agreement::State& state);
  std::shared_ptr<Copy> copy_of(const std::string& key);

  Context& cx_;
  Instruments& instruments_;
  Evidence& evidence_;
  mutable std::mutex mutex_;
  std::map<std::string, MirrorHealth> health_;
  std::map<std::string, std::shared_ptr<Copy>> copies_;
};

}  // namespace entente::exchange
