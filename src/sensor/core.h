// The sensor's judgement, without threads, sockets or packets: what came from the node, what was seen, what a person
// asked for and the time go in; leases, elements, sightings and events come out. Thread-safe: one lock, held for
// microseconds but for the call to the enforcer.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/files.h"
#include "base/time.h"
#include "detect/compound.h"
#include "detect/history.h"
#include "detect/index.h"
#include "enforce/enforcer.h"
#include "enforce/guard.h"
#include "enforce/lease.h"
#include "pattern/stream.h"
#include "sensor/config.h"
#include "sensor/disputes.h"
#include "sensor/effect.h"
#include "sensor/events.h"
#include "sensor/instruments.h"
#include "sensor/intake.h"
#include "sensor/recalls.h"
#include "sensor/rollbacks.h"
#include "sensor/said.h"
#include "sensor/sightings.h"
#include "sensor/trials.h"
#include "sensor/uses.h"

namespace entente::sensor {

// Where an indicator came from: a collection that holds what one partner sent under one agreement, or a collection of
// our own.
struct Source {
  std::string collection;  // id
  std::string partner;     // "" = own
  std::string agreement;   // "" = own
};

// A value that matched, with what led to it.
struct Seen {
  uint32_t tag = 0;      // detect::Indicator::tag
  std::string value;     // as seen: name, address, URL
  std::string field;     // "dns.question", "dns.answer", "tls.sni", "http.url", "ip.src", "ip.dst"
  std::string source;    // interface
  std::string src, dst;  // of the flow
  std::string address;   // what to lease for a name or URL; "" if none is known
  std::string via_name;
  std::optional<int64_t> dns_ttl_us;
  Time time;
  uint64_t flow = 0;   // tells flows apart
  std::string client;  // whose flow it is: client_of(); "" if the value itself connected
};

// Where a record was seen.
struct Where {
  std::string source;    // interface
  std::string src, dst;  // of the flow
  Time time;
};

class Core {
 public:
  Core(const SensorConfig& config, Files& files, Clock& clock, enforce::Enforcer& enforcer,
       enforce::ProtectedList lists, EventSink& events);
  ~Core();
  // Where names are blocked; without, a name blocks only addresses that it is seen to lead to. Before start().
  void use_names(enforce::NameEnforcer& names) { names_enforcer_ = &names; }
  // What critical services depend on; before start().
  void use_register(enforce::ProtectedList needed) { needed_ = std::move(needed); }
  // Requires: called by an enforcer, from within a call of this class.
  [[nodiscard]] bool protects(const enforce::Target& target) const { return lists_.find(target).has_value(); }
  // Leases and objects of an earlier run come back, and are in force before the node has been spoken to.
  Status start();

  // From the node.
  void on_instruments(Instruments instruments);
  // A page of a collection, and the position to go on from. `objects` are raw texts.
  void on_page(const Source& source, const std::vector<std::string_view>& objects, std::optional<Time> position);
  [[nodiscard]] std::optional<Time> position(const std::string& collection) const;
  void node_spoke();  // an answer came, whatever was in it
  void protect(const enforce::Target& target, const std::string& why);

  // What was seen is kept there, and asked when an indicator comes. To be set before anything is seen.
  void set_history(std::shared_ptr<detect::History> history) { history_ = std::move(history); }
  // Is what was seen of use beyond what matches it (remember())?
  [[nodiscard]] bool has_history() const { return history_ != nullptr || config_.clients_days > 0; }
  // Asks the past about the indicators that came since the last call; may take a second, and holds no lock meanwhile.
  void look_back();

  // From the packets.
  [[nodiscard]] const detect::Live& live() const { return live_; }
  [[nodiscard]] uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }  // changes when an indicator is added
  void on_seen(const Seen& seen);
  // A packet as a record, of which some value anchors a compound pattern (an indicator whose tag has kAnchor), or any
  // if every_record().
  void on_record(const detect::Record& record, const Where& where, const std::vector<detect::Shown>& shown);
  [[nodiscard]] bool has_compounds() const { return compounds_.load(std::memory_order_acquire) > 0; }
  // Did any indicator ever ask for a TLS fingerprint?
  [[nodiscard]] bool has_fingerprints() const { return fingerprints_.load(std::memory_order_acquire); }
  [[nodiscard]] bool every_record() const { return unanchored_.load(std::memory_order_acquire) > 0; }
  static constexpr uint32_t kAnchor = 1U << 31;
  static constexpr size_t kMaxUnanchored = 16;  // compound patterns that every record is evaluated for
  // A value of a packet, whether it matched or not.
  void remember(Time time, detect::ObservableKind kind, std::string_view text, const packet::Flow& flow);
  // A name and an address that belong together (DNS answer, SNI, Host), whether it matched or not.
  void on_name(std::string_view name, std::string_view address);

  // Ends, renewals, batches to the enforcer and to disk. To be called several times a second.
  void tick();
  // {"cmd":…} -> {"ok":true,…}. Any text.
  [[nodiscard]] std::string control(std::string_view request);
  void stop();  // last counters, last flush; blocks are taken away if the configuration says so

  // Sightings that wait for the node.
  [[nodiscard]] std::vector<std::string> sightings_due();
  void sightings_done(size_t delivered, size_t refused);

  // What became of the measures of joint actions, as POST /api/v1/joint/reports takes it; "" if nothing changed since
  // it was last asked.
  [[nodiscard]] std::string joint_report();
  void joint_report_lost();  // the node did not get it: all of it is due again

  // What the node is to hear about recalls (sensor/recalls.h); "" if nothing. One report at a time: recall_told()
  // first.
  [[nodiscard]] std::string recall_report();
  void recall_told(bool arrived);
  // For what looks at leases from outside: it is asked about recalls too, from now on. Thread-safe, as all of this.
  void recalls_wait_for(const std::string& outside);
  [[nodiscard]] uint64_t recalls_until_now() const;
  void recalls_done(const std::string& outside, uint64_t until, const std::string& error);
  // False-positive claims: made here and due at the node, as POST /api/v1/claims takes them, with what it made of each;
  // and the answer of GET /api/v1/claims.
  [[nodiscard]] std::vector<Dispute> disputes_due();
  void dispute_handed_in(const Dispute& dispute, Result<std::string> claim);
  void on_claims(std::string_view json);

  // What this network uses, to disk. To be called now and then, on any thread.
  void save_uses();

  // What is in force and not protected, for those that hand it on (exports, BGP): nothing if that is still `known`.
  struct InForce {
    uint64_t revision = 0;
    std::vector<enforce::Lease> leases;
    std::vector<enforce::Prefix> allow;
  };
  [[nodiscard]] std::optional<InForce> in_force(uint64_t known) const;
  // Of these, by id, the ones that are.
  [[nodiscard]] std::vector<enforce::Lease> in_force(const std::vector<uint64_t>& ids) const;

  // Figures for status.json.
  [[nodiscard]] json::Node status();
  // For tests.
  [[nodiscard]] std::vector<enforce::Lease> leases(bool with_ended);

 private:
  struct Row {
    uint32_t source = 0;
    ReceivedIndicator indicator;
    Time arrived;
    std::string batch{};
    bool usable = false;  // in the index
  };
  struct Pending {
    std::string event;
    json::Node members;
  };
  // What a compound pattern was bound to.
  struct Bound {
    Where where;
    std::string value, field;  // of its anchor; "" if it shows none
    std::vector<detect::Shown> shown;
  };
  using Lock = std::lock_guard<std::mutex>;

  uint32_t source_number(const Source& source);
  void take(uint32_t source, std::string_view raw, Time arrived);
  void take_indicator(uint32_t source, ReceivedIndicator indicator, Time arrived);
  void propose_addresses(uint32_t tag, Time now);
  void consider(uint32_t tag, const enforce::Target& target, const Seen* seen, Time now, bool approved = false);
  // Into the set of compound patterns; kTooLarge: there are too many that every record is evaluated for.
  Status add_compound(uint32_t tag, const detect::Indicator& facts, const detect::Prepared& compound);
  void remove_compound(uint32_t tag, const std::string& live_id);
  [[nodiscard]] json::Node compound_status() const;
  void on_compound(uint32_t tag, const std::vector<Bound>& bound);
  [[nodiscard]] enforce::Proposal proposal(const Row& row, const enforce::Target& target, const std::string& via_name,
                                           Time now) const;
  [[nodiscard]] Time lease_end(const Row& row, bool via_name, std::optional<int64_t> dns_ttl_us, Time now) const;
  void end(const enforce::LeaseQuery& query, std::string_view why, Time now);
  void take_back(uint32_t source, const ReceivedIndicator& indicator, bool known, Time now);
  Status introduce();  // who this sensor is, for its node
  void settle_recalls(Time now);
  void ended(const std::vector<enforce::Lease>& leases);
  void sync_target(const enforce::Target& target);
  void refold(Time now);
  void refold_joint(Time now);
  // The measure of a joint action that this version of the indicator stands under now; nullptr.
  [[nodiscard]] const JointOrder* joint_order(const ReceivedIndicator& indicator) const;
  void renew(Time now);
  void propose_all(Time now);
  // The usable indicators that a lease stands on.
  void for_each_tag(const enforce::Lease& lease, const std::function<void(uint32_t)>& fn) const;
  void apply(Time now);
  void resume_hits();
  void sight(const enforce::Lease& lease, const enforce::Prefix& prefix, uint64_t packets);
  [[nodiscard]] static bool is_address(pattern::AtomKind kind) {
    using enum pattern::AtomKind;
    return kind == kIpv4 || kind == kIpv6 || kind == kCidr4 || kind == kCidr6;
  }
  [[nodiscard]] static std::string tlp_of(const Row& row);  // its TLP marking; "" if none
  void poll_hits();
  void emit(std::string event, json::Node members);
  void flush_events();
  [[nodiscard]] std::optional<stix::Pap> pap_of(const Row& row) const;
  void append_objects(const Source& source, const std::vector<std::string_view>& objects, std::optional<Time> position,
                      Time now);
  void keep_objects();  // what did not get to the disk
  [[nodiscard]] std::string agreements_path() const { return config_.state_dir + "/agreements.json"; }
  Status load_objects(Time now);
  void rewrite_objects();  // one line per object: what was replaced or destroyed is gone from the file
  json::Node control_locked(const json::Value& request, Time now);
  // Leases that a person ended: they stay off, and what the enforcer made of it stands in `out`, the leases as
  // `member`.
  void taken_off(const std::vector<enforce::Lease>& gone, Time now, std::string_view member, json::Node& out);
  Result<json::Node> roll_back(const json::Value& request, Time now);
  Result<json::Node> resume(const json::Value& request, Time now);
  [[nodiscard]] json::Node rollback_list() const;
  [[nodiscard]] json::Node lease_node(const enforce::Lease& lease, Time now) const;
  Result<json::Node> end_and_roll_back(Rollback rule, const std::vector<uint64_t>& leases, size_t indicators, Time now);

  // What leases do (core_effect.cc).
  [[nodiscard]] EffectSource effect_source(const enforce::Lease& lease) const;
  [[nodiscard]] TrialKey trial_key(const enforce::Lease& lease) const;
  // The identity of a feed whose indicator this is; "" if a partner's or our own people's.
  [[nodiscard]] std::string feed_of(const Row& row) const;
  void shadow_again(const TrialKey& key, Time now);
  void count_use(const Seen& seen, Time now);
  void count_packets(const enforce::Lease& lease, uint64_t packets);
  void promote(const TrialKey& key, std::string_view by, Time now);
  void promote_due(Time now);
  void save_effect();
  Result<json::Node> shadow_control(std::string_view cmd, const json::Value& request, Time now);
  [[nodiscard]] json::Node stats_node() const;

  // Harm and batches (core_harm.cc).
  [[nodiscard]] std::string batch_of(const std::string& partner, Time arrived);
  // The lease does harm: it ends, and with it its batch if others of it did as well.
  void harm(const enforce::Lease& lease, std::string_view signal, const std::string& sentence, Time now);
  Result<json::Node> report_harm(const json::Value& request, Time now);
  [[nodiscard]] json::Node batch_list() const;
  void judge_again(uint32_t tag, Time now);  // what is known of it has changed

  // Claims (core_dispute.cc).
  Result<json::Node> dispute(const json::Value& request, Time now);
  [[nodiscard]] json::Node dispute_list(Time now) const;
  void settle_dispute(const std::string& indicator, Time now);

  const SensorConfig config_;
  Files& files_;
  Clock& clock_;
  enforce::Enforcer& enforcer_;
  enforce::NameEnforcer* names_enforcer_ = nullptr;
  enforce::ProtectedList lists_, needed_;
  EventSink& events_;
  enforce::Guard guard_;
  enforce::Reconciler reconciler_;
  std::unique_ptr<enforce::LeaseBook> book_;
  Sightings sightings_;
  detect::Live live_;
  std::atomic<uint64_t> generation_{1};
  std::shared_ptr<detect::History> history_;
  std::vector<uint32_t> not_asked_;  // tags whose past was not looked at yet
  uint64_t past_hits_ = 0;

  // Compound patterns. This lock may be taken under mutex_, never the other way round.
  static constexpr size_t kMaxBound = 1 << 16;  // records that a match can still name
  mutable std::mutex stream_mutex_;
  pattern::PatternStream stream_;
  pattern::Observations observations_{{.only = &stream_.symbols()}};
  std::deque<Bound> bound_;  // of the last records; the first has number bound_first_
  uint64_t bound_first_ = 0;
  std::unordered_set<uint32_t> unanchored_tags_;
  std::atomic<size_t> unanchored_{0}, compounds_{0};
  std::atomic<bool> fingerprints_{false};

  mutable std::mutex mutex_;
  Instruments instruments_;
  JointOrders orders_;                                              // at the last fold
  std::map<std::string, std::set<std::string>> joint_refused_;      // action -> indicators that the guard refused
  std::map<std::string, std::string> joint_told_;                   // action -> what the node was last told
  std::map<std::pair<std::string, std::string>, bool> live_pairs_;  // agreement, partner -> was live at the last fold
  std::vector<Source> sources_;
  std::deque<Row> rows_;                                       // by tag - 1
  std::map<std::pair<uint32_t, std::string>, uint32_t> tags_;  // source, indicator id -> tag
  std::set<std::pair<int64_t, uint32_t>> begins_;              // valid_from still ahead
  std::unordered_map<std::string, std::optional<stix::Pap>> markings_;
  std::map<std::pair<uint32_t, std::string>, ReceivedHandling> handling_;  // source, indicator id
  std::map<std::string, Time> positions_;
  std::set<std::string> lifted_;  // "indicator|version|target" that a person lifted: not granted again
  Rollbacks rollbacks_;
  Recalls recalls_;
  Uses uses_;
  Trials trials_;
  Effect effect_;
  Disputes disputes_;
  struct Batch {
    Time first, last;  // of arrival
  };
  std::map<std::string, Batch> batches_;              // the newest of each partner
  std::map<std::string, std::set<uint64_t>> harmed_;  // batch -> leases that did harm
  Time next_effect_{0};
  std::atomic<int64_t> next_uses_us_{0};
  std::vector<Pending> pending_;
  std::unordered_set<std::string> refused_once_;  // refusals that were told
  std::map<std::string, uint64_t> refusals_;      // code -> number
  std::map<enforce::Prefix, uint64_t> last_hits_;
  std::map<std::string, uint64_t> stopped_by_partner_;
  uint64_t detections_ = 0, indicators_taken_ = 0, unusable_ = 0, revoked_ = 0, objects_bad_ = 0;
  Time last_contact_{0}, last_sync_{0}, retry_enforcer_{0}, next_hits_{0};
  std::string enforcer_error_, names_error_;
  bool rewrite_due_ = false;
  Said said_;  // of the disk and of what is done each second
  std::string unkept_objects_;
  bool objects_torn_ = false;  // the file may end inside a line
  bool objects_given_up_ = false;
  Time wall_{0};        // at the last tick, with
  int64_t steady_ = 0;  // the clock that nobody sets
  uint64_t clock_jumps_ = 0;
  void notice_clock(Time now);
  size_t left_out_ = 0;  // leases for which the enforcer has no room
  void tell_left_out();
  bool allow_changed_ = false, started_ = false, instruments_known_ = false;
};

}  // namespace entente::sensor
