#include "exchange/exchange.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/exercise.h"
#include "exchange/names.h"
#include "exchange/provenance.h"
#include "exchange/recall.h"
#include "exchange/receipts.h"
#include "exchange/wire.h"
#include "json/node.h"

namespace entente::exchange {

Exchange::Exchange(Context& context)
    : cx_(context),
      notifier_(std::make_unique<Notifier>(context.post)),
      directory_(std::make_unique<Directory>(context)),
      instruments_(std::make_unique<Instruments>(context)),
      claims_(std::make_unique<Claims>(context, *instruments_)),
      joint_(std::make_unique<JointDesk>(context, *instruments_,
                                         [this](const std::string& text) -> Status {
                                           auto r = submit_act(text);
                                           if (!r.ok()) return std::move(r).error();
                                           return {};
                                         })),
      consents_(std::make_unique<ConsentDesk>(context, *instruments_)),
      evidence_(std::make_unique<Evidence>(context)),
      duties_(std::make_unique<DutyWatch>(context, *instruments_, *evidence_)),
      witnessing_(std::make_unique<Witnessing>(context, *instruments_, *evidence_)),
      admission_(std::make_unique<Admission>(context)) {
  const auto notify = [this](const Uuid& collection) { notifier_->notify(collection); };
  releaser_ = std::make_unique<Releaser>(context, *instruments_, *evidence_, *consents_, notify,
                                         [this](const agreement::State& state, const std::string& to) {
                                           std::string why = mirrors_->obstacle(state.agreement_id, to);
                                           return why.empty() ? witnessing_->obstacle(state) : why;
                                         });
  feeds_ = std::make_unique<Feeds>(context, [this](const Uuid& collection) {
    signal_work();
    notifier_->notify(collection);
  });
  sensors_ = std::make_unique<SensorBook>(context);
  recalls_ = std::make_unique<RecallDesk>(context, *instruments_, *evidence_, *sensors_, notify);
  destruction_ = std::make_unique<Destruction>(context, *instruments_, *evidence_, notify);
  returns_ = std::make_unique<ReturnDesk>(context, *instruments_, *evidence_, notify, [this] { destruction_->wake(); });
  renewals_ = std::make_unique<Renewals>(context, *instruments_, *evidence_);
  receiver_ = std::make_unique<Receiver>(
      context, *instruments_, *evidence_,
      [this](const Uuid& collection) {
        signal_work();  // what a partner gave may go on to another, with consent
        notifier_->notify(collection);
      },
      [this](const std::string& text, const std::string& from) -> Status {
        auto r = submit_act(text, from);
        if (!r.ok()) return std::move(r).error();
        return {};
      },
      [this] {
        recalls_->wake();
        returns_->wake();
      });
}

Exchange::~Exchange() = default;

Result<std::unique_ptr<Exchange>> Exchange::open(Context& context) {
  std::unique_ptr<Exchange> e(new Exchange(context));
  CHECK_OK(e->instruments_->load());
  std::vector<std::string> ids;
  for (const auto& s : e->instruments_->states()) ids.push_back(s->agreement_id);
  CHECK_OK(e->evidence_->open(ids));
  e->private_log_ = std::make_unique<PrivateLog>(context, *e->instruments_, *e->evidence_);  // reads the newest anchors
  e->releaser_->on_caught_up(
      [&p = *e->private_log_](const agreement::State& state, const std::string& to, const ReleaseCount& count) {
        return p.caught_up(state, to, count);
      });
  e->mirrors_ = std::make_unique<Mirrors>(context, *e->instruments_, *e->evidence_);  // reads conflicts
  // The party's public identity is the first thing in its inbox: released objects may name it as their creator.
  const Uuid own = inbox(context.config.party);
  TRY(const auto have, context.store.find(own, identity_id(context.config.party)));
  if (have.empty()) {
    std::string text = identity_object(context.config.party, context.config.name, context.clock.now());
    if (context.config.exercise) {
      TRY(const json::Document plain, json::parse(text));
      text = exercise_marked(text, plain.root());
    }
    TRY(const json::Document doc, json::parse(text));
    TRY(const auto summary, stix::summarize(doc.root()));
    RowMeta meta;
    meta.by = "node";
    store::Change change;
    change.add_canonical(own, summary, text, meta.text(), json::canonical(doc.root()));
    note_ids_from_the_first(change);
    auto done = context.store.commit_wait(std::move(change));
    if (!done.ok()) return std::move(done).error();
  }
  return e;
}

Result<ActOutcome> Exchange::submit_act(const std::string& text, const std::string& from) {
  const std::lock_guard one(submit_mutex_);
  TRY(agreement::SignedAct act, agreement::parse_signed_act(text));
  const std::string hash = act.act.hash();
  CHECK_OK(exercise_allows(cx_.config.exercise, act));
  if (instruments_->known(hash)) return make_error(ErrorKind::kConflict, "this act is already known", hash);
  if (const Status ok = instruments_->admissible(act); !ok.ok()) {
    // An act that is truly its party's is kept though it has no effect here: its author's node counted it, and two acts
    // that fork a chain are the evidence for it. From own people it is a mistake, and refused.
    const bool mistake = from.empty() && act.act.party == cx_.config.party;
    if (mistake) return ok.error();
    if (!instruments_->counts(act)) {
      if (from.empty()) return ok.error();
      Error refused = ok.error();  // not a double or a late one: the receiver writes it into its log
      refused.kind = ErrorKind::kDenied;
      return refused;
    }
    say_warn("act {} ({}) of {} is kept without effect: {}", hash.substr(0, 16), printable(act.act.kind),
             printable(act.act.party), ok.error().text());
  }
  const bool onward = agreement::is_onward(act.act.kind);
  if (onward && from.empty() && act.act.party == cx_.config.party) CHECK_OK(consents_->may_make(act.act));
  const std::vector<std::string> audience = instruments_->audience(act);
  // Whoever carries an act, its signatures are what counts. A guest of a project and a candidate learn the acts that
  // came before the one that names them, so an agreement need not name this party.
  if (!from.empty() && std::find(audience.begin(), audience.end(), from) == audience.end()) {
    return make_error(ErrorKind::kDenied, "the act came from a partner that its agreement does not name", from);
  }
  if (!from.empty() && act.act.party == cx_.config.party)
    say_warn("act {} ({}) of this party came from {}: if nobody here signed it, revoke the keys {}", hash.substr(0, 16),
             printable(act.act.kind), from, act.sigs.empty() ? "" : printable(act.sigs.front().kid));
  const std::string object = act_object(text, hash, act.act.effective_at);
  TRY(const json::Document doc, json::parse(object));
  TRY(const auto summary, stix::summarize(doc.root()));
  RowMeta meta;
  meta.by = act.act.party;
  meta.agreement = act.act.agreement_id;

  Evidence::Transaction tx = evidence_->begin();
  tx.change.expect("act", hash, "");
  tx.change.set("act", hash, act.act.agreement_id);
  tx.change.append("acts", text);
  std::vector<Uuid> wake;
  CHECK_OK(tell_newcomers(act, audience, tx, wake));  // what came before is read before it
  for (const auto& party : audience) {
    // To every party but the one it came from, which in a group reaches those that the author does not; also to the
    // author, who learns what is done in its name. Who knows it already refuses the double.
    if (party == cx_.config.party || party == from) continue;
    tx.change.add(acts_for(cx_.config.party, party), summary, object, meta.text());
    wake.push_back(acts_for(cx_.config.party, party));
  }
  const char* kind = onward ? "consent" : agreement::is_joint(act.act.kind) ? "joint_case" : "act";
  std::string concerns;  // of the two parties to a consent, the other
  for (const auto& party : audience)
    if (onward && party != cx_.config.party) concerns = party;
  TRY([[maybe_unused]] const auto leaf,
      tx.add_leaf(act.act.agreement_id, act.act.text_version, kind, concerns, act_salt(text), text));
  auto outcome = std::move(tx).commit();
  if (!outcome.ok()) return std::move(outcome).error();
  const std::string id = act.act.agreement_id;
  instruments_->learned(std::move(act));
  for (const auto& c : wake) notifier_->notify(c);
  signal_work();
  return ActOutcome{hash, instruments_->state(id)};
}

// Who is named for the first time, a candidate or the host of a project, gets the acts that came before.
Status Exchange::tell_newcomers(const agreement::SignedAct& act, const std::vector<std::string>& audience,
                                Evidence::Transaction& tx, std::vector<Uuid>& wake) {
  const auto known = instruments_->acts(act.act.agreement_id);
  if (known.empty()) return {};
  const auto before = instruments_->audience(known.front());
  for (const auto& party : audience) {
    if (party == cx_.config.party || std::find(before.begin(), before.end(), party) != before.end()) continue;
    for (const auto& a : known) {
      if (a.act.party == party || agreement::is_onward(a.act.kind)) continue;
      CHECK_OK(add_written(tx.change, acts_for(cx_.config.party, party),
                           act_object(a.text(), a.act.hash(), a.act.effective_at), a.act.party, a.act.agreement_id));
    }
    wake.push_back(acts_for(cx_.config.party, party));
  }
  return {};
}

Result<Recalled> Exchange::recall(const std::string& id, std::string_view reason) {
  const std::string& me = cx_.config.party;
  TRY(const auto rows, cx_.store.find(id));
  const store::Row* newest = nullptr;
  bool foreign = false;
  for (const auto& r : rows) {
    if (r.collection != inbox(me) && r.collection != sightings(me)) {
      foreign = true;
      continue;
    }
    if (newest == nullptr || newest->version_time < r.version_time) newest = &r;
  }
  if (newest == nullptr) {
    if (foreign)
      return make_error(ErrorKind::kDenied, "this object is a partner's: only its originator recalls it", id,
                        "send the partner a false-positive claim");
    return make_error(ErrorKind::kNotFound, "this node holds no object with this id", id);
  }
  if (newest->revoked) return make_error(ErrorKind::kConflict, "the object is already revoked", id);
  TRY(const std::string raw, cx_.store.raw(*newest));
  TRY(const json::Document doc, json::parse(raw));
  json::Node object = json::Node::from(doc.root());
  if (object.find("modified") == nullptr) {
    return make_error(ErrorKind::kUnsupported, "objects of this type have no versions, so they cannot be revoked", id,
                      "recall the indicators and relationships that use it");
  }
  Time now = cx_.clock.now();
  if (now <= newest->version_time.cut()) now = newest->version_time.cut().plus_us(1000);
  const std::string version = to_text(now);
  object.set("modified", version);
  object.set("revoked", true);
  const std::string text = json::write(object);
  TRY(const json::Document revoked, json::parse(text));
  TRY(const auto summary, stix::summarize(revoked.root()));
  RowMeta meta;
  meta.by = "recall: " + printable(reason, 120);
  store::Change change;
  change.add_canonical(newest->collection, summary, text, meta.text(), json::canonical(revoked.root()));
  auto done = cx_.store.commit_wait(std::move(change));
  if (!done.ok()) return std::move(done).error();
  Recalled out{id, version, {}, {}};
  TRY(const auto holders, holders_of(cx_, *instruments_, id));
  for (const auto& h : holders) {
    if (h.sent) continue;  // it was taken back from this one before, and not given again
    if (!h.unreachable.empty()) {
      out.does_not_reach.push_back(h.party + ": " + h.unreachable);
    } else if (std::ranges::find(out.reaches, h.party) == out.reaches.end()) {
      out.reaches.push_back(h.party);
    }
  }
  signal_work();
  notifier_->notify(newest->collection);
  return out;
}

Result<Claim> Exchange::claim(const std::string& of, const std::string& agreement, std::string_view reason,
                              uint64_t hits, const std::string& by) {
  const std::lock_guard lock(claims_mutex_);
  auto made = claims_->make(of, agreement, reason, hits, by);
  if (made.ok()) signal_work();
  return made;
}

Result<Claim> Exchange::answer_claim(const std::string& id, bool withdrawn, std::string_view reason,
                                     const std::string& by) {
  const std::lock_guard lock(claims_mutex_);
  if (withdrawn) {
    TRY(const Claim c, claims_->find(id));
    if (c.originator == cx_.config.party && c.open()) {
      TRY(const std::string own, claims_->own_id(c));
      // First: an answer without the recall would be a promise. Recalled before is as good.
      if (auto done = recall(own, "false-positive claim of " + c.claimant);
          !done.ok() && done.error().kind != ErrorKind::kConflict)
        return std::move(done).error();
    }
  }
  auto answered = claims_->answer(id, withdrawn, reason, by);
  if (answered.ok()) signal_work();
  return answered;
}

Result<std::vector<Claim>> Exchange::claims() {
  const std::lock_guard lock(claims_mutex_);
  return claims_->all();
}

Status Exchange::hold(const std::string& id, bool on) {
  if (!stix::parse_id(id)) return invalid("this is not a STIX id", id);
  store::Change change;
  if (on) {
    change.set("hold", id, "NATIONAL_HOLD");
  } else {
    change.erase("hold", id);
  }
  auto done = cx_.store.commit_wait(std::move(change));
  if (!done.ok()) return std::move(done).error();
  signal_work();
  return {};
}

Result<Waiting> Exchange::approve(const std::string& id, const std::string& to, const std::string& person) {
  auto w = exchange::approve(cx_, *instruments_, *evidence_, id, to, person);
  if (w.ok()) signal_work();
  return w;
}

Status Exchange::decline(const std::string& id, const std::string& to, const std::string& person,
                         const std::string& reason) {
  auto done = exchange::decline(cx_, *instruments_, *evidence_, id, to, person, reason);
  if (done.ok()) signal_work();
  return done;
}

ledger::WitnessAnswer Exchange::witness(std::string_view request) {
  auto a = witnessing_->answer(request);
  if (!a.fork) return a;
  const auto head = ledger::unverified_checkpoint(a.later);
  if (!head.ok()) return a;
  for (const auto& s : instruments_->states()) {
    for (const auto& p : s->document->parties) {
      if (ledger_origin(p.party, s->agreement_id) != head->origin) continue;
      (void)mirrors_
          ->accuse(s->agreement_id, p.party, "two heads of one size with two roots came to our witness", a.earlier,
                   a.later)
          .ok();
    }
  }
  return a;
}

Result<std::string> Exchange::ledger_file(std::string_view uuid, std::string_view path) {
  if (uuid == kPrivateLog) return evidence_->file(uuid, path);
  const std::string id = "urn:uuid:" + std::string(uuid);
  if (path == "checkpoint") return witnessing_->head(id);
  if (path == "checkpoint.cosigned") return witnessing_->cosigned_head(id);
  if (path == "seen") {
    const auto state = instruments_->state(id);
    if (!state || !state->document) return make_error(ErrorKind::kNotFound, "there is no such ledger", id);
    return mirrors_->seen(*state);
  }
  constexpr std::string_view kMirror = "mirror/";
  if (path.starts_with(kMirror)) {
    path.remove_prefix(kMirror.size());
    const size_t slash = path.find('/');
    if (slash == std::string_view::npos) return make_error(ErrorKind::kNotFound, "a ledger has no such file");
    return mirrors_->file(id, std::string(path.substr(0, slash)), path.substr(slash + 1));
  }
  return evidence_->file(uuid, path);
}

void Exchange::signal_work() {
  {
    const std::lock_guard lock(work_mutex_);
    work_ = true;
  }
  work_ready_.notify_one();
}

bool Exchange::wait_for_work(int64_t timeout_ms) {
  std::unique_lock lock(work_mutex_);
  work_ready_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return work_ || closed_; });
  return std::exchange(work_, false);
}

void Exchange::tick() {
  // T69: kept for two days, so that whoever asks after one is answered whatever the clocks.
  constexpr int64_t kHourUs = 3'600'000'000;
  const int64_t now = cx_.clock.steady_us();
  if (now - statuses_swept_us_.load() > kHourUs) {
    statuses_swept_us_ = now;
    cx_.post([this] {
      for (;;) {
        auto n = forget_statuses(cx_.store, cx_.clock.now(), 48 * kHourUs);
        if (!n.ok()) say_error("old statuses stay: {}", n.error().text());
        if (!n.ok() || *n == 0 || closed_) return;
      }
    });
  }
  notifier_->tick(cx_.clock.steady_us());
  joint_->tick();
  recalls_->tick();
  returns_->tick();
  destruction_->tick();
  duties_->tick();
  if (Status s = evidence_->settle(); !s.ok()) say_error("LOG_FAILED: {}", s.error().text());
  if (Status s = private_log_->tick(); !s.ok()) say_error("private log: {}", s.error().text());
  if (Status s = renewals_->tick(); !s.ok()) say_error("renewals: {}", s.error().text());
}

void Exchange::shut_down() {
  {
    const std::lock_guard lock(work_mutex_);
    closed_ = true;
  }
  work_ready_.notify_all();
  notifier_->wake_all();
}

}  // namespace entente::exchange
