// The receiving side: takes in what a partner released to us, against its manifest; answers with signed receipts. Also
// takes in acts. Runs as steps on threads of the caller's; one step per
// partner and kind at a time.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "exchange/context.h"
#include "exchange/directory.h"
#include "exchange/evidence.h"
#include "exchange/instruments.h"
#include "exchange/wire.h"
#include "taxii/client.h"

namespace entente::exchange {

struct PeerHealth {
  bool connected = false;
  std::optional<Time> last_pull;
  std::string last_error;
  uint64_t received = 0, refused = 0;
};

// Thread-safe.
class Receiver {
 public:
  // `submit`: takes a foreign act in (Exchange::submit_act). `recalls`: a recall came, or an answer to one of ours.
  Receiver(Context& context, Instruments& instruments, Evidence& evidence, std::function<void(const Uuid&)> notify,
           std::function<Status(const std::string& text, const std::string& from)> submit,
           std::function<void()> recalls);

  // One page of acts that the partner has for us. `wait_seconds` > 0: long poll. Returns how many were new.
  Result<size_t> pull_acts(taxii::Client& client, const std::string& peer, int wait_seconds);
  // One page of released objects under one agreement. Returns how many were taken in.
  Result<size_t> pull_objects(taxii::Client& client, const std::string& peer, const std::string& agreement_id,
                              int wait_seconds);
  // The same while the agreement is suspended, or over: takes recalls of what we hold, and leaves everything, the
  // recalls too, for pull_objects() once it is in force again. Returns how many objects were looked at.
  Result<size_t> pull_recalls(taxii::Client& client, const std::string& peer, const std::string& agreement_id,
                              int wait_seconds);

  void failed(const std::string& peer, const Error& error);
  [[nodiscard]] PeerHealth health(const std::string& peer) const;
  [[nodiscard]] uint64_t receipts(const std::string& agreement_id,
                                  const std::string& peer) const;  // signed receipts we hold from the partner

 private:
  // A manifest whose objects have not all come yet.
  struct Open {
    Manifest manifest;
    std::unordered_map<std::string, size_t> rows;  // id '\n' version -> index in manifest.objects
    std::vector<bool> here;
    uint64_t taken = 0;
    std::vector<Receipt::Refusal> refused;
  };
  struct Link {  // per agreement and partner
    std::mutex busy;
    bool loaded = false;
    std::string position;  // time text of the newest row seen
    std::vector<std::unique_ptr<Open>> open;
    // Of pull_recalls(): how far was looked, from which position, and what signed manifests announced there. Not kept:
    // a restart looks again.
    std::string looked_from, looked_to;
    std::unordered_map<std::string, Listed> announced;
  };
  // The key of this name of the party's node, valid now; nullopt if it has none. Also of a party that a later text of
  // the agreement dropped: what it signs about what it was given still counts.
  [[nodiscard]] std::optional<PublicKey> node_key_of(const agreement::State& state, std::string_view kid,
                                                     std::string_view party) const;
  static std::string row_key(std::string_view id, std::string_view version);
  struct Page;
  // A page of what the partner has for us after this time ("" = from the beginning). kDenied at an unsafe clock.
  Result<std::shared_ptr<taxii::Fetched>> page_after(taxii::Client& client, const agreement::Document& document,
                                                     const std::string& time, int wait_seconds) const;
  Link& link(const std::string& agreement_id, const std::string& peer);
  Status load_link(Link& l, const std::string& agreement_id, const std::string& peer);
  Status take_manifest(Link& l, const agreement::State& state, const std::string& peer, const json::Value& object,
                       std::string_view raw, Evidence::Transaction& tx);
  void expect_leaf(const std::string& agreement_id, const std::string& peer, uint64_t leaf_index,
                   const std::string& leaf, store::Change& change) const;
  // In receive_recalls.cc: also taken while the agreement is suspended.
  Status take_recall_answer(const agreement::State& state, const std::string& peer, const json::Value& object,
                            std::string_view raw, store::Change& change) const;
  Status take_onward_use(const agreement::State& state, const std::string& peer, const json::Value& object,
                         std::string_view raw, store::Change& change) const;
  Status take_deletion(const agreement::State& state, const std::string& peer, const json::Value& object,
                       std::string_view raw, store::Change& change) const;
  // In receive_returns.cc: what is handed back, and what is said to it.
  static bool is_return(std::string_view type);
  Status take_return(const agreement::State& state, const std::string& peer, const json::Value& object,
                     std::string_view raw, store::Change& change) const;
  Status take_receipt(const agreement::State& state, const std::string& peer, const json::Value& object,
                      std::string_view raw, Evidence::Transaction& tx);
  Status finish(Link& l, const agreement::State& state, const std::string& peer, Evidence::Transaction& tx,
                bool& receipt_added);

  Context& cx_;
  Instruments& instruments_;
  Evidence& evidence_;
  std::function<void(const Uuid&)> notify_;
  std::function<Status(const std::string&, const std::string&)> submit_;
  std::function<void()> recalls_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Link>> links_;
  std::map<std::string, PeerHealth> health_;
};

}  // namespace entente::exchange
