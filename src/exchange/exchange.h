// The exchange: admission, release, recall, partners, accounts and rights in one object. It is the TAXII backend, and
// the only way to a partner. It owns no thread: node runs release_step(), the pulls and tick() on threads of its own
// (tests on one).
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/admission.h"
#include "exchange/claims.h"
#include "exchange/consents.h"
#include "exchange/context.h"
#include "exchange/destruction.h"
#include "exchange/directory.h"
#include "exchange/duties.h"
#include "exchange/evidence.h"
#include "exchange/feed.h"
#include "exchange/instruments.h"
#include "exchange/joint.h"
#include "exchange/mirror.h"
#include "exchange/notifier.h"
#include "exchange/private_log.h"
#include "exchange/recall_desk.h"
#include "exchange/receive.h"
#include "exchange/release.h"
#include "exchange/renewal.h"
#include "exchange/returns.h"
#include "exchange/review.h"
#include "exchange/sensor_book.h"
#include "exchange/witnessing.h"
#include "taxii/backend.h"

namespace entente::exchange {

struct ActOutcome {
  std::string act_hash;
  std::shared_ptr<const agreement::State> state;
};

struct Recalled {
  std::string id, version;
  std::vector<std::string> reaches;  // parties that hold it, and that the recall goes to
  // Parties that hold it, and why it does not go to them: "JP: the agreement was never in force between us".
  std::vector<std::string> does_not_reach;
};

// Thread-safe.
class Exchange final : public taxii::Backend {
 public:
  // The context must outlive it.
  static Result<std::unique_ptr<Exchange>> open(Context& context);
  ~Exchange() override;

  // A signed act: of our own people (from = ""), or come from a partner. kConflict if it is already known.
  Result<ActOutcome> submit_act(const std::string& text, const std::string& from = {});
  // Publishes a revoked version of own objects; the release stage carries it to everybody who had received them.
  Result<Recalled> recall(const std::string& id, std::string_view reason);
  Status hold(const std::string& id, bool on);
  // False-positive claims (exchange/claims.h). Who withdraws recalls in the same step.
  Result<Claim> claim(const std::string& of, const std::string& agreement, std::string_view reason, uint64_t hits,
                      const std::string& by);
  Result<Claim> answer_claim(const std::string& id, bool withdrawn, std::string_view reason, const std::string& by);
  [[nodiscard]] Result<std::vector<Claim>> claims();
  // A person's word on what waits for review (exchange/review.h).
  Result<Waiting> approve(const std::string& id, const std::string& to, const std::string& person);
  Status decline(const std::string& id, const std::string& to, const std::string& person, const std::string& reason);

  // Work that a thread of the caller's drives.
  Result<bool> release_step() { return releaser_->step(); }
  bool wait_for_work(int64_t timeout_ms);  // true if something was admitted or an act came since the last call
  void tick();                             // a few times a second: ends long polls, settles the ledgers
  void shut_down();                        // wakes every waiter

  Directory& directory() { return *directory_; }
  Instruments& instruments() { return *instruments_; }
  JointDesk& joint() { return *joint_; }
  ConsentDesk& consents() { return *consents_; }
  DutyWatch& duties() { return *duties_; }
  Evidence& evidence() { return *evidence_; }
  Releaser& releaser() { return *releaser_; }
  [[nodiscard]] const Renewals& renewals() const { return *renewals_; }
  Receiver& receiver() { return *receiver_; }
  Mirrors& mirrors() { return *mirrors_; }
  Witnessing& witnessing() { return *witnessing_; }
  Feeds& feeds() { return *feeds_; }
  SensorBook& sensors() { return *sensors_; }
  RecallDesk& recalls() { return *recalls_; }
  Destruction& destruction() { return *destruction_; }
  ReturnDesk& returns() { return *returns_; }
  PrivateLog& private_log() { return *private_log_; }
  Context& context() { return cx_; }
  [[nodiscard]] size_t waiting() const { return notifier_->waiting(); }

  // Is who asks known without working out a password hash? If not, ask on a thread that may wait.
  [[nodiscard]] bool quick_to_know(const net::Request& request) const {
    return directory_->is_quick(request.header("Authorization"));
  }

  // taxii::Backend
  Result<taxii::Caller> authenticate(const net::Request& request) override;
  std::string title() override;
  std::string contact() override;
  std::vector<taxii::RootInfo> roots(const taxii::Caller& caller) override;
  Result<std::vector<taxii::CollectionInfo>> collections(const taxii::Caller& caller, const std::string& root) override;
  Result<taxii::Page> page(const taxii::Caller& caller, const std::string& root, const std::string& collection_id,
                           const taxii::Filter& filter, bool want_body) override;
  Result<bool> has(const taxii::Caller& caller, const std::string& root, const std::string& collection_id,
                   const std::string& object_id) override;
  void add(const taxii::Caller& caller, const std::string& root, const std::string& collection_id, std::string body,
           std::function<void(Result<taxii::StatusInfo>)> done) override;
  Result<taxii::StatusInfo> status(const taxii::Caller& caller, const std::string& root,
                                   const std::string& status_id) override;
  Status remove(const taxii::Caller& caller, const std::string& root, const std::string& collection_id,
                const std::string& object_id, const taxii::Filter& filter) override;
  void wait(const taxii::Caller& caller, const std::string& root, const std::string& collection_id, Time after,
            int64_t timeout_ms, std::function<void()> wake) override;

  // As a witness: the body of POST /witness/add-checkpoint. A fork that it shows is a conflict of that ledger.
  [[nodiscard]] ledger::WitnessAnswer witness(std::string_view request);
  // A file of a ledger: its own tiles, "checkpoint" with the cosignatures it has, "checkpoint.cosigned", "seen" (heads
  // of the others' ledgers as we saw them), and "mirror/<PARTY>/…", our copy of another party's. kNotFound.
  [[nodiscard]] Result<std::string> ledger_file(std::string_view agreement_uuid, std::string_view path);
  // The parties that the caller speaks for; none for own people.
  [[nodiscard]] static std::vector<std::string> parties(const taxii::Caller& caller);
  // Does the caller's party share this ledger?
  [[nodiscard]] bool may_read_ledger(const taxii::Caller& caller, std::string_view agreement_uuid);

 private:
  Status tell_newcomers(const agreement::SignedAct& act, const std::vector<std::string>& audience,
                        Evidence::Transaction& tx, std::vector<Uuid>& wake);
  explicit Exchange(Context& context);
  // What a caller may do with one collection; kNotFound where it may not even know of it.
  struct Access {
    Uuid collection;
    std::string alias, title;
    bool read = false, write = false;
    bool ledgered = false;  // rows show only when their leaf is in the tiles
  };
  Result<std::vector<Access>> accesses(const taxii::Caller& caller, const std::string& root);
  Result<Access> access(const taxii::Caller& caller, const std::string& root, const std::string& collection_id);
  void signal_work();

  Context& cx_;
  std::unique_ptr<Notifier> notifier_;
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<Instruments> instruments_;
  std::unique_ptr<Claims> claims_;
  std::unique_ptr<JointDesk> joint_;
  std::mutex claims_mutex_;
  std::unique_ptr<ConsentDesk> consents_;
  std::unique_ptr<Evidence> evidence_;
  std::unique_ptr<DutyWatch> duties_;
  std::unique_ptr<Witnessing> witnessing_;
  std::unique_ptr<Mirrors> mirrors_;
  std::unique_ptr<PrivateLog> private_log_;
  std::unique_ptr<Admission> admission_;
  std::unique_ptr<SensorBook> sensors_;
  std::unique_ptr<RecallDesk> recalls_;
  std::unique_ptr<Destruction> destruction_;
  std::unique_ptr<ReturnDesk> returns_;
  std::unique_ptr<Releaser> releaser_;
  std::unique_ptr<Renewals> renewals_;
  std::unique_ptr<Receiver> receiver_;
  std::unique_ptr<Feeds> feeds_;

  std::mutex submit_mutex_;  // acts one by one: each is judged with the ones before it
  std::mutex work_mutex_;
  std::condition_variable work_ready_;
  bool work_ = true;
  std::atomic<bool> closed_ = false;
  std::atomic<int64_t> statuses_swept_us_ = 0;  // steady time
};

}  // namespace entente::exchange
