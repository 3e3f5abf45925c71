// One batch: the decision for the new rows of one source (or for rows that were withheld before), and all that follows
// from it in one change: objects, manifest, leaf, the private record, the index of what was withheld, the place where
// we stand.
#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"
#include "exchange/admission.h"
#include "exchange/commits.h"
#include "exchange/handling.h"
#include "exchange/internal/release_graph.h"
#include "exchange/names.h"
#include "exchange/onward_use.h"
#include "exchange/release.h"
#include "exchange/review.h"
#include "json/node.h"
#include "stix/marking.h"

namespace entente::exchange {

using internal::count_key;

namespace {

// What a withdrawn or expired consent leaves behind.
bool is_consent_code(std::string_view code) {
  return code == "ORIGINATOR_CONSENT" || code == "CONSENT_EXPIRED" || code == "DERIVED_FROM_CONTROLLED";
}

// What comes with the label of something else.
bool above_by_origin(const std::set<std::string_view>& codes) {
  static constexpr std::array<std::string_view, 5> kCodes = {"ABOVE_CEILING", "MARK_UNKNOWN", "AUDIENCE", "PURPOSE",
                                                             "IEP_CONFLICT"};
  return std::ranges::any_of(kCodes, [&codes](std::string_view c) { return codes.contains(c); });
}

// Nothing keeps it from going but people who have not looked yet.
bool waits_for_people(const agreement::Decision& d) {
  return d.verdict == agreement::Verdict::kWithheld && !d.reasons.empty() &&
         std::ranges::all_of(d.reasons, [](const agreement::Reason& r) { return r.code == "REVIEW_REQUIRED"; });
}

}  // namespace

Manifest Releaser::begin_manifest(const agreement::State& state, const std::string& to) const {
  Manifest m;
  m.id = std::string(kManifestType) + "--" + random_uuid().text();
  m.agreement = state.agreement_id;
  m.agreement_version = state.document->hash;
  m.from = cx_.config.party;
  m.to = to;
  m.at = cx_.clock.now();
  m.salt = random_bytes(32);
  m.object_salt = random_bytes(32);
  return m;
}

Status Releaser::seal_manifest(Manifest& m, const Uuid& target, Evidence::Transaction& tx) const {
  TRY(const auto leaf, tx.add_leaf(m.agreement, m.agreement_version, "release", m.to, m.salt, m.record()));
  m.leaf_index = leaf.index;
  m.leaf = leaf.text;
  m.kid = cx_.config.node_kid;
  m.signature = sign_manifest(m, cx_.node_key);
  return add_written(tx.change, target, manifest_object(m), m.from, m.agreement);
}

std::string Releaser::sent_id(const agreement::State& state, const std::string& to, const std::string& id) const {
  auto as = cx_.store.get("sent-as", count_key(state.agreement_id, to) + " " + id);
  return as.ok() ? *as : id;
}

class Releaser::Batch {
 public:
  Batch(Releaser& releaser, const agreement::State& state, const std::string& to, const Source& source, bool again)
      : r_(releaser),
        cx_(releaser.cx_),
        state_(state),
        to_(to),
        source_(source),
        again_(again),
        target_(released(state.agreement_id, cx_.config.party, to)),
        commits_(cx_, state, to) {}

  Status decide(std::vector<store::Row> rows, const std::vector<agreement::State>& all);
  Status choose();     // which go, in which order
  Status announce();   // what goes, in the manifest
  Status keep_back();  // what does not: index, private record, tombstones
  Status write();      // the rows
  Result<bool> commit(const std::string& position);

 private:
  struct Sent {
    size_t index;
    std::string tombstone;
    stix::Summary summary;
    json::Document doc;
  };
  [[nodiscard]] bool goes(size_t i) const {
    return decisions_[i].verdict == agreement::Verdict::kReleased ||
           decisions_[i].verdict == agreement::Verdict::kRedacted;
  }
  [[nodiscard]] std::string_view bytes(size_t i) const {
    return decisions_[i].verdict == agreement::Verdict::kRedacted ? std::string_view(decisions_[i].bytes)
                                                                  : graph_.objects[i].raw;
  }
  // The name of the source of an object that goes: context may be of another than the batch.
  [[nodiscard]] std::string came_from(size_t i) const {
    if (i < candidates_) return source_.name;
    const agreement::GraphObject& o = graph_.objects[i];
    return o.originator == cx_.config.party ? "inbox" : fmt::format("from {} {}", o.originator, o.received_under);
  }
  Result<bool> told_as_revoked(size_t i) const;
  Status withhold(size_t i);
  Status withdraw(size_t i, bool only_consent);
  Status record();
  Status tell_originator(size_t i);

  Releaser& r_;
  Context& cx_;
  const agreement::State& state_;
  const std::string& to_;
  const Source& source_;
  const bool again_;  // rows that were withheld before
  const Uuid target_;
  internal::ReleaseGraph graph_;
  size_t candidates_ = 0;
  std::vector<agreement::Decision> decisions_;
  std::vector<size_t> order_;
  std::optional<Evidence::Transaction> tx_;  // from announce() on: it holds the ledgers
  Commits commits_;
  Manifest manifest_;
  std::vector<Sent> sent_;
  ReleaseCount delta_;
  uint64_t returned_ = 0;  // were withheld before
  json::Node private_list_ = json::Node::array();
  std::optional<std::vector<agreement::Onward>> requests_;  // read once
  std::vector<Uuid> told_;                                  // collections of originators whose consent was used
};

Status Releaser::Batch::decide(std::vector<store::Row> rows, const std::vector<agreement::State>& all) {
  thread_local json::Document doc;
  Status parsed;
  CHECK_OK(cx_.store.raw(rows, [&](size_t i, std::string_view raw) {
    if (!parsed.ok()) return;
    agreement::GraphObject o;
    const RowMeta meta = RowMeta::parse(rows[i].meta);
    const bool own = source_.originator == cx_.config.party;
    o.originator = source_.originator;
    if (!own) {
      graph_.texts.push_back(meta.agreement);
      o.received_under = graph_.texts.back();
      o.inherited = stix::parse_tlp(meta.tlp).value_or(stix::Tlp::kRed);
    }
    o.committed = rows[i].date_added;
    o.known_to_recipient = source_.originator == to_;
    graph_.add(rows[i], std::string(raw), o);
    parsed = doc.parse(graph_.objects.back().raw);
    if (parsed.ok()) graph_.note_references(doc.root());
  }));
  CHECK_OK(parsed);
  candidates_ = graph_.objects.size();
  CHECK_OK(graph_.complete(cx_, to_, state_.agreement_id));
  agreement::Inputs in = r_.inputs(to_, all);
  in.holds = r_.holds_;
  // New release needs the agreement that the object came under as well; what went stays while the consent stands.
  const std::vector<agreement::Consent> usable = source_.sent ? r_.consents_ : r_.live_consents();
  in.consents = usable;
  decisions_ = agreement::decide(graph_.objects, in);
  return {};
}

// The recipient has been told that this version, or a newer one, is gone.
Result<bool> Releaser::Batch::told_as_revoked(size_t i) const {
  TRY(const std::vector<store::Row> before, cx_.store.find(target_, decisions_[i].id));
  const store::Row& row = graph_.rows[i];
  return std::ranges::any_of(before, [&](const store::Row& r) {
    if (!r.revoked) return false;
    if (again_ && r.version_time >= row.version_time) return true;  // it stays withdrawn, only a new version can go
    return row.revoked && r.version == row.version;                 // while the agreement was suspended
  });
}

// Context goes along only if something released needs it: exactly the ids that released objects refer to. Two parties
// may share several instruments: an object goes once, by the one that governs it.
Status Releaser::Batch::choose() {
  std::vector<size_t> stack;
  for (size_t i = 0; i < candidates_ && !source_.sent; ++i) {
    if (!goes(i) || decisions_[i].agreement != state_.agreement_id) continue;
    if (again_ || graph_.rows[i].revoked) {
      TRY(const bool told, told_as_revoked(i));
      if (told) continue;
    }
    stack.push_back(i);
  }
  std::unordered_map<std::string, size_t> by_sent_id;
  for (size_t i = candidates_; i < graph_.objects.size(); ++i)
    if (goes(i)) by_sent_id[decisions_[i].id] = i;
  std::vector<bool> send(graph_.objects.size(), false);
  thread_local json::Document doc;
  while (!stack.empty()) {
    const size_t i = stack.back();
    stack.pop_back();
    if (send[i]) continue;
    send[i] = true;
    if (by_sent_id.empty()) continue;
    CHECK_OK(doc.parse(bytes(i)));
    stix::for_each_reference(doc.root(), [&](const stix::Reference& r) {
      const auto it = by_sent_id.find(std::string(r.id));
      if (it != by_sent_id.end() && !send[it->second]) stack.push_back(it->second);
    });
  }
  for (size_t i = candidates_; i < graph_.objects.size(); ++i)
    if (send[i]) order_.push_back(i);  // what is referred to goes first
  for (size_t i = 0; i < candidates_; ++i)
    if (send[i]) order_.push_back(i);
  return {};
}

Status Releaser::Batch::announce() {
  tx_.emplace(r_.evidence_.begin());
  manifest_ = r_.begin_manifest(state_, to_);
  // Where a duty says by when things go, the ledger shows since when they were here (exchange/commits.h).
  if (!again_) {
    for (const size_t i : order_)
      if (i < candidates_) commits_.note(graph_.rows[i], true);
    for (size_t i = 0; i < candidates_; ++i)
      if (waits_for_people(decisions_[i])) commits_.note(graph_.rows[i], false);
    CHECK_OK(commits_.seal(*tx_));
  }
  for (const size_t i : order_) {
    const auto& d = decisions_[i];
    const bool redacted = d.verdict == agreement::Verdict::kRedacted;
    Listed l;
    l.id = d.id;
    l.version = graph_.rows[i].version;
    l.sha256 = sha256_hex(bytes(i));
    l.article = d.article;
    l.tlp = stix::to_text(d.told_tlp);
    l.pap = stix::to_text(d.told_pap);
    Sent s{i, {}, {}, {}};
    if (redacted) {
      CHECK_OK(s.doc.parse(d.bytes));
      TRY(s.summary, stix::summarize(s.doc.root()));
      l.version = s.summary.version;
    }
    manifest_.objects.push_back(std::move(l));
    sent_.push_back(std::move(s));
    if (i < candidates_) ++(redacted ? delta_.redacted : delta_.released);
    if (redacted)
      for (const auto& r : d.reasons) ++delta_.reasons[std::string(r.code)];
  }
  return {};
}

Status Releaser::Batch::keep_back() {
  for (size_t i = 0; i < candidates_; ++i) {
    if (decisions_[i].verdict == agreement::Verdict::kWithheld) {
      CHECK_OK(withhold(i));
      continue;
    }
    const std::string index_key = count_key(state_.agreement_id, to_) + " " + graph_.rows[i].id;
    if (!cx_.store.get(kWithheldSpace, index_key).ok()) continue;
    tx_->change.erase(kWithheldSpace, index_key);
    if (!again_) continue;
    ++returned_;
    private_list_.push(json::Node::object()
                           .set("id", graph_.rows[i].id)
                           .set("version", graph_.rows[i].version)
                           .set("to", to_)
                           .set("verdict", "no longer withheld"));
  }
  return {};
}

Status Releaser::Batch::withhold(size_t i) {
  const auto& d = decisions_[i];
  const store::Row& row = graph_.rows[i];
  const std::string index_key = count_key(state_.agreement_id, to_) + " " + row.id;
  const auto indexed = cx_.store.get(kWithheldSpace, index_key);
  std::set<std::string_view> codes;
  for (const auto& r : d.reasons) codes.insert(r.code);
  // Other reasons take nothing back by themselves.
  if (source_.sent && std::ranges::none_of(codes, is_consent_code) && !(source_.derived && above_by_origin(codes)))
    return {};
  const std::string entry_text = fmt::format("{}\n{}\n{}", row.version, source_.name, fmt::join(codes, " "));
  if (indexed.ok() && *indexed == entry_text) return {};  // as it was
  // What a third party controls is lifted by its consent alone, which names it (add_consented): to decide all that
  // partners gave anew each hour would be for nothing.
  if (!codes.contains("ORIGINATOR_CONSENT"))
    tx_->change.set(kWithheldSpace, index_key, entry_text);
  else if (indexed.ok())
    tx_->change.erase(kWithheldSpace, index_key);
  json::Node reasons = json::Node::array();
  for (const auto& r : d.reasons) {
    json::Node one = json::Node::object();
    one.set("code", r.code).set("article", r.article).set("agreement", r.agreement.str()).set("note", r.note);
    reasons.push(std::move(one));
  }
  if (!again_) ++delta_.withheld;
  if (!again_ && !d.reasons.empty()) ++delta_.reasons[std::string(d.reasons.front().code)];
  json::Node entry = json::Node::object();
  entry.set("id", row.id)
      .set("version", row.version)
      .set("to", to_)
      .set("verdict", "withheld")
      .set("reasons", std::move(reasons));
  private_list_.push(std::move(entry));
  // What only waits for people takes nothing back: the version that went before was approved.
  if (codes.size() == 1 && codes.contains("REVIEW_REQUIRED")) return {};
  return withdraw(i, std::ranges::all_of(codes, is_consent_code));
}

// A newer version that may not go, of something that went before: the recipient gets a tombstone (recall rule,
// release.md §3 step 12).
Status Releaser::Batch::withdraw(size_t i, bool only_consent) {
  const store::Row& row = graph_.rows[i];
  const std::string known_as = r_.sent_id(state_, to_, row.id);
  TRY(const std::vector<store::Row> before, cx_.store.find(target_, known_as));
  if (before.empty() || before.back().revoked) return {};
  // A version that nobody consented to takes nothing back, while the consent to the one before it stands.
  if (!source_.sent && only_consent && !row.revoked && r_.consented(source_.originator, to_, before.back())) return {};
  std::string version = row.version;
  if (source_.sent) {  // the very version that went is taken back: its tombstone has to be newer
    tx_->change.erase(kOnwardSpace, count_key(state_.agreement_id, to_) + " " + row.id);
    version = to_text(std::max(manifest_.at, before.back().version_time.cut().plus_us(1000)));
  }
  Sent s{i, agreement::tombstone(graph_.objects[i].raw, known_as, version), {}, {}};
  CHECK_OK(s.doc.parse(s.tombstone));
  TRY(s.summary, stix::summarize(s.doc.root()));
  manifest_.objects.push_back(listed_tombstone(s.summary.id, s.summary.version, s.tombstone));
  sent_.push_back(std::move(s));
  ++delta_.reasons["RECALL_TOMBSTONE"];
  return {};
}

Status Releaser::Batch::write() {
  if (commits_.wanted())
    for (const Sent& s : sent_) commits_.open(graph_.rows[s.index], s.index < candidates_, manifest_, *tx_);
  if (!manifest_.objects.empty()) CHECK_OK(r_.seal_manifest(manifest_, target_, *tx_));
  RowMeta meta;
  meta.by = cx_.config.party;
  meta.agreement = state_.agreement_id;
  size_t k = 0;
  for (const Sent& s : sent_) {
    const Listed& l = manifest_.objects[k++];
    meta.article = l.article;
    meta.tlp = l.tlp;
    meta.pap = l.pap;
    const auto& d = decisions_[s.index];
    const auto& row = graph_.rows[s.index];
    meta.original = l.id == row.id ? std::string() : row.id;
    if (!s.tombstone.empty()) {
      tx_->change.add(target_, s.summary, s.tombstone, meta.text());
    } else if (d.verdict == agreement::Verdict::kRedacted) {
      tx_->change.add(target_, s.summary, d.bytes, meta.text());
    } else {
      tx_->change.share(target_, row, meta.text());
    }
    if (!meta.original.empty()) tx_->change.set("sent-as", count_key(state_.agreement_id, to_) + " " + row.id, l.id);
    if (s.tombstone.empty() && r_.hangs_on_consent(graph_.objects[s.index], to_, row.id)) {
      tx_->change.set(kOnwardSpace, count_key(state_.agreement_id, to_) + " " + row.id,
                      fmt::format("{}\n{}", row.version, came_from(s.index)));
      if (graph_.objects[s.index].originator != cx_.config.party) CHECK_OK(tell_originator(s.index));
    }
  }
  return private_list_.list().empty() && manifest_.objects.empty() ? Status() : record();
}

// Whose consent an object goes under learns that it was used, with the leaf that says so.
Status Releaser::Batch::tell_originator(size_t i) {
  if (!requests_) requests_ = r_.desk_.requests();
  const agreement::GraphObject& o = graph_.objects[i];
  const store::Row& row = graph_.rows[i];
  const std::string version = row.versioned ? row.version : std::string();
  const auto consent = std::ranges::find_if(*requests_, [&](const agreement::Onward& r) {
    return r.stage == agreement::OnwardStage::kGiven && r.given && r.holder() == cx_.config.party &&
           r.originator() == o.originator && r.agreement_id == o.received_under && r.given->recipient == to_ &&
           r.given->object == row.id && (r.given->version == agreement::kEveryVersion || r.given->version == version);
  });
  if (consent == requests_->end()) return {};
  const auto inbound = r_.instruments_.state(consent->agreement_id);
  if (!inbound || !inbound->document) return {};
  OnwardUse u;
  u.id = std::string(kOnwardUseType) + "--" + random_uuid().text();
  u.agreement = consent->agreement_id;
  u.from = cx_.config.party;
  u.to = consent->originator();
  u.request = consent->id;
  u.object = row.id;
  u.version = version;
  u.recipient = to_;
  u.at = manifest_.at;
  u.salt = random_bytes(32);
  TRY(const auto leaf, tx_->add_leaf(u.agreement, inbound->document->hash, kOnwardUseLeaf, u.to, u.salt, u.record()));
  u.leaf_index = leaf.index;
  u.leaf = leaf.text;
  u.kid = cx_.config.node_kid;
  u.signature = sign_onward_use(u, cx_.node_key);
  told_.push_back(released(u.agreement, u.from, u.to));
  CHECK_OK(add_written(tx_->change, told_.back(), onward_use_object(u), cx_.config.party, u.agreement));
  note_use(tx_->change, u);
  return {};
}

// Every decision is in the private log: what was withheld by name and reason, what was given by the leaf that says so.
Status Releaser::Batch::record() {
  json::Node record = json::Node::object();
  record.set("agreement", state_.agreement_id)
      .set("agreement_version", state_.document->hash)
      .set("at", to_text(manifest_.at))
      .set("to", to_);
  if (!manifest_.objects.empty()) record.set("given", given(manifest_));
  const bool listed = !private_list_.list().empty();
  if (listed) record.set("decisions", std::move(private_list_));
  const std::string text = json::canonical(record);
  const std::string row = listed ? "decisions " + std::to_string(cx_.store.length("decisions")) : std::string();
  TRY(const auto leaf, tx_->add_kept_leaf(kPrivateLog, manifest_.agreement_version, "decision", to_, text, row));
  if (listed)
    tx_->change.append("decisions", json::write(json::Node::object().set("leaf", leaf.index).set("record", text)));
  return {};
}

Result<bool> Releaser::Batch::commit(const std::string& position) {
  const std::string key = count_key(state_.agreement_id, to_);
  if (!again_) tx_->change.set("release-cursor", key + " " + source_.name, position);
  if (tx_->change.empty()) return true;
  ReleaseCount c;
  {
    const std::lock_guard lock(r_.mutex_);
    c = r_.counts_[{state_.agreement_id, to_}];
  }
  c.released += delta_.released;
  c.redacted += delta_.redacted;
  c.withheld += delta_.withheld;
  c.withheld -= std::min(c.withheld, returned_);
  for (const auto& [code, n] : delta_.reasons) c.reasons[code] += n;
  tx_->change.set("release-count", key, c.text());
  auto outcome = std::move(*tx_).commit();
  if (!outcome.ok()) {
    Error e = std::move(outcome).error();
    e.what = "LOG_FAILED: nothing of this was sent, because it could not be logged first: " + e.what;
    return e;
  }
  {
    const std::lock_guard lock(r_.mutex_);
    r_.counts_[{state_.agreement_id, to_}] = std::move(c);
  }
  if (!manifest_.objects.empty()) r_.notify_(target_);
  for (const Uuid& collection : told_) r_.notify_(collection);
  return true;
}

Result<bool> Releaser::batch(const agreement::State& state, const std::vector<agreement::State>& all,
                             const std::string& to, const Uuid& source, const std::string& source_name,
                             const std::string& originator) {
  store::Query q;
  q.all = true;
  q.added_after = cursor(state, to, source_name);
  q.limit = cx_.config.release_batch;
  TRY(store::Page page, cx_.store.page(source, q));
  if (page.rows.empty()) return false;
  std::string position;
  put_u64(position, static_cast<uint64_t>(page.rows.back().date_added.us));
  // What this node noted for its own people says nothing to others.
  if (originator != cx_.config.party)
    std::erase_if(page.rows, [](const store::Row& r) { return is_own_note(RowMeta::parse(r.meta)); });
  TRY([[maybe_unused]] const bool taken_back, recheck_derived(state, all, to, page.rows));
  return decide_rows(state, all, to, {source_name, originator}, std::move(page.rows), position);
}

Result<bool> Releaser::decide_rows(const agreement::State& state, const std::vector<agreement::State>& all,
                                   const std::string& to, const Source& source, std::vector<store::Row> rows,
                                   const std::string& position) {
  Batch b(*this, state, to, source, position.empty());
  CHECK_OK(b.decide(std::move(rows), all));
  CHECK_OK(b.choose());
  CHECK_OK(b.announce());
  CHECK_OK(b.keep_back());
  CHECK_OK(b.write());
  return b.commit(position);
}

}  // namespace entente::exchange
