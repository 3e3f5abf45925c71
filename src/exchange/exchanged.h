// What two parties of an agreement gave each other, as both of their ledgers show it: the ground of duties and of the
// score. Read from what both hold (ledgers and copies, manifests, receipts, objects, acts), so that both read the same.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exchange/context.h"
#include "exchange/instruments.h"
#include "exchange/wire.h"

namespace entente::exchange {

// Which part of the ledgers: name the same, and both ends find the same.
struct Between {
  std::string agreement;
  std::string a, b;                       // parties, smaller code first; one of them is this one
  uint64_t a_entries = 0, b_entries = 0;  // so many entries of their ledgers are looked at
  Time since, until;                      // entries of these times: [since, until]

  [[nodiscard]] uint64_t entries_of(const std::string& party) const { return party == a ? a_entries : b_entries; }
  [[nodiscard]] const std::string& other(const std::string& party) const { return party == a ? b : a; }
};
// All that this node holds now.
[[nodiscard]] Between between_now(Context& context, const std::string& agreement_id, const std::string& peer,
                                  const Period& window);

struct LeafSeen {
  uint64_t index = 0;
  Time at;
  std::string kind, recipient, commitment;
};

struct SentManifest {
  std::string from;
  Manifest manifest;
  LeafSeen leaf;
  std::optional<Time> answered;  // the leaf of the receipt
  uint64_t refused = 0;
};

class Exchanged {
 public:
  static Result<Exchanged> read(Context& context, const Instruments& instruments, const Between& between);

  [[nodiscard]] const Between& between() const { return between_; }
  [[nodiscard]] const std::vector<SentManifest>& sent() const { return sent_; }  // by sender, then by leaf
  // The octets of an object as it was sent; empty if they are not here any more, or are others.
  [[nodiscard]] std::string octets(const SentManifest& sent, const Listed& listed) const;
  // The acts that both ledgers are asked for: joint steps and consents, with when each party's ledger shows them.
  struct Step {
    agreement::SignedAct act;
    std::string hash;
    std::map<std::string, Time> seen;  // party -> its leaf
  };
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  // When the sender's ledger shows that it knew of what this manifest sent: the commitment that the manifest opens, if
  // it is there and covers that time; else when it was released.
  [[nodiscard]] Time committed(const SentManifest& sent, size_t object) const;
  // Leaves of this kind in the party's ledger for the other one.
  [[nodiscard]] const std::vector<LeafSeen>& leaves(const std::string& party) const { return leaves_.at(party); }

 private:
  explicit Exchanged(Context& context, Between between) : cx_(&context), between_(std::move(between)) {}
  Status read_leaves(const std::string& party);
  Status read_manifests(const std::string& from);
  void read_steps(const Instruments& instruments);

  Context* cx_;
  Between between_;
  std::map<std::string, std::vector<LeafSeen>> leaves_;                           // by party
  std::map<std::string, std::map<std::string, size_t>> by_hash_, by_commitment_;  // party -> text hash, commitment
  struct Answer {
    std::string sender, leaf;  // of the release that it answers
    Time at;
    uint64_t refused;
  };
  std::vector<SentManifest> sent_;
  std::vector<Answer> receipts_;
  std::vector<Step> steps_;
};

}  // namespace entente::exchange
