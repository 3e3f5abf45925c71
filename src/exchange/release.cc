#include "exchange/release.h"

#include <algorithm>
#include <array>
#include <deque>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/admission.h"
#include "exchange/names.h"
#include "exchange/review.h"
#include "json/node.h"
#include "stix/marking.h"

namespace entente::exchange {
namespace {

constexpr size_t kContextMax = 10'000;  // referenced objects looked up for one batch
// What was withheld is decided anew when something changes that it hangs on, and for what only time changes, this
// often.
constexpr int64_t kReconsiderAllUs = int64_t{3600} * 1'000'000;
constexpr int64_t kReconsiderManyUs = int64_t{60} * 1'000'000;  // when much waits for other objects

// The source in an entry of the index.
std::string source_of(std::string_view entry) {
  const size_t a = entry.find('\n');
  const size_t b = entry.find('\n', a + 1);
  return a == std::string_view::npos || b == std::string_view::npos ? std::string()
                                                                    : std::string(entry.substr(a + 1, b - a - 1));
}

// Withheld for what another object is, or for its absence.
bool hangs_on_others(std::string_view entry) {
  static constexpr std::array<std::string_view, 6> kCodes = {"REF_ENDPOINT_WITHHELD",  "EMPTY_CONTAINER",
                                                             "TEXT_MENTIONS_WITHHELD", "MARKING_NOT_RELEASABLE",
                                                             "MARK_UNKNOWN",           "DERIVED_FROM_CONTROLLED"};
  return std::ranges::any_of(kCodes, [entry](std::string_view c) { return entry.find(c) != std::string_view::npos; });
}

// What a withdrawn or expired consent leaves behind.
bool is_consent_code(std::string_view code) {
  return code == "ORIGINATOR_CONSENT" || code == "CONSENT_EXPIRED" || code == "DERIVED_FROM_CONTROLLED";
}
bool lacks_consent(const std::set<std::string_view>& codes) { return std::ranges::any_of(codes, is_consent_code); }
bool only_consent(const std::set<std::string_view>& codes) { return std::ranges::all_of(codes, is_consent_code); }

// "agreement recipient id" of what went under a consent -> its version, and the source it came from.
constexpr std::string_view kOnwardSpace = "onward";

std::string count_key(std::string_view agreement_id, std::string_view to) {
  return std::string(agreement_id) + " " + std::string(to);
}

Listed listed_tombstone(const stix::Summary& summary, std::string_view text) {
  return {std::string(summary.id), std::string(summary.version), sha256_hex(text), {}, "amber+strict", "red", true};
}

// What a decision gave, in the private log: the leaf of the pair log that says it.
json::Node given(const Manifest& m) {
  return json::Node::object()
      .set("leaf", m.leaf_index)
      .set("leaf_sha256", sha256_hex(m.leaf))
      .set("objects", uint64_t{m.objects.size()});
}

}  // namespace

// The objects of one decision. Raw texts are held in a deque so that views into them stay.
struct Releaser::Graph {
  std::deque<std::string> texts;
  std::vector<agreement::GraphObject> objects;
  std::vector<store::Row> rows;                    // same order; a row of a dry run has no item
  std::unordered_map<std::string, size_t> newest;  // id -> index of its newest version here
  std::vector<std::string> wanted;                 // ids referenced and not here yet

  void add(store::Row row, std::string text, agreement::GraphObject proto) {
    texts.push_back(std::move(text));
    proto.raw = texts.back();
    auto [it, fresh] = newest.try_emplace(row.id, objects.size());
    if (!fresh && rows[it->second].version_time < row.version_time) it->second = objects.size();
    objects.push_back(proto);
    rows.push_back(std::move(row));
  }
  void note_references(const json::Value& object) {
    stix::for_each_reference(object, [&](const stix::Reference& r) {
      if (r.id.starts_with("extension-definition--") || stix::tlp_of_id(r.id).has_value()) return;
      std::string id(r.id);
      if (!newest.contains(id)) wanted.push_back(std::move(id));
    });
  }
};

Releaser::Releaser(Context& context, Instruments& instruments, Evidence& evidence, const ConsentDesk& consents,
                   std::function<void(const Uuid&)> notify, Obstacle obstacle)
    : cx_(context),
      instruments_(instruments),
      evidence_(evidence),
      desk_(consents),
      notify_(std::move(notify)),
      obstacle_(std::move(obstacle)),
      my_identity_(identity_id(context.config.party)) {
  auto saved = cx_.store.all("release-count");
  if (!saved.ok()) return;
  for (const auto& [key, value] : *saved) {
    auto doc = json::parse(value);
    const size_t space = key.find(' ');
    if (!doc.ok() || space == std::string::npos) continue;
    ReleaseCount& c = counts_[{key.substr(0, space), key.substr(space + 1)}];
    const auto root = doc->root();
    c.released = static_cast<uint64_t>(json::find_int(root, "released").value_or(0));
    c.redacted = static_cast<uint64_t>(json::find_int(root, "redacted").value_or(0));
    c.withheld = static_cast<uint64_t>(json::find_int(root, "withheld").value_or(0));
    if (const auto reasons = json::find_object(root, "reasons")) {
      for (const auto member : *reasons) {
        int64_t n = 0;
        if (member.value.get_int64().get(n) == simdjson::SUCCESS)
          c.reasons[std::string(member.key)] = static_cast<uint64_t>(n);
      }
    }
  }
}

std::vector<agreement::Hold> Releaser::holds() const {
  std::vector<agreement::Hold> out;
  auto all = cx_.store.all("hold");
  if (!all.ok()) return out;
  for (const auto& [id, reason] : *all) out.push_back({id, reason.empty() ? "NATIONAL_HOLD" : reason, std::nullopt});
  return out;
}

agreement::Inputs Releaser::inputs(std::string_view to, const std::vector<agreement::State>& all) const {
  agreement::Inputs in;
  in.me = cx_.config.party;
  in.recipient = to;
  in.at = cx_.clock.now();
  in.clock_safe = cx_.clock_safe();
  in.instruments = all;
  in.policy = cx_.config.policy;
  for (const auto& s : all) {
    if (std::string why = obstacle_(s, std::string(to)); !why.empty()) in.unwitnessed[s.agreement_id] = std::move(why);
    in.pseudonym_keys[s.agreement_id] = std::string(view(hmac_sha256(cx_.pseudonym_secret, s.agreement_id)));
  }
  in.my_identity_id = my_identity_;
  in.public_ids = {my_identity_, identity_id(to)};
  in.approved = approved(cx_, to);
  return in;
}

Time Releaser::cursor(const agreement::State& state, std::string_view to, const std::string& source_name) const {
  auto saved = cx_.store.get("release-cursor", count_key(state.agreement_id, to) + " " + source_name);
  if (saved.ok()) {
    ByteReader r(*saved);
    return {static_cast<int64_t>(r.u64())};
  }
  // No back access: only what is committed once the agreement is in force, and for who acceded once it is a member.
  Time start = state.start.value_or(cx_.clock.now());
  const auto mine = state.provisional_since.find(cx_.config.party);
  const auto theirs = state.provisional_since.find(std::string(to));
  if (mine != state.provisional_since.end() && theirs != state.provisional_since.end())
    start = std::min(start, std::max(mine->second, theirs->second));
  const auto joined = state.joined.find(std::string(to));
  return joined == state.joined.end() ? start : std::max(start, joined->second);
}

uint64_t Releaser::pending(const agreement::State& state, std::string_view to) const {
  const auto newest = cx_.store.newest(inbox(cx_.config.party));
  if (!newest || *newest <= cursor(state, to, "inbox")) return 0;
  store::Query q;
  q.all = true;
  q.added_after = cursor(state, to, "inbox");
  q.limit = 10'000;
  auto page = cx_.store.page(inbox(cx_.config.party), q);
  return page.ok() ? page->rows.size() : 0;
}

// Adds what the objects refer to, as context: from what the node holds, whoever it came from.
Status Releaser::fill_context(Graph& graph, const std::string& to, const std::string& agreement_id) const {
  const Uuid released_collection = released(agreement_id, cx_.config.party, to);
  const std::string sent_prefix = count_key(agreement_id, to) + " ";
  std::unordered_map<std::string, bool> asked;
  thread_local json::Document doc;
  size_t parsed = graph.objects.size();
  const bool origins = cx_.store.get(kOriginSpace, "").ok();
  size_t traced = 0;
  while (true) {
    for (; origins && traced < graph.objects.size(); ++traced) {
      const std::string prefix = graph.rows[traced].id + " ";
      TRY(const auto relations, cx_.store.all(kOriginSpace, prefix));
      for (const auto& [key, value] : relations) graph.wanted.push_back(key.substr(prefix.size()));
    }
    if (graph.wanted.empty() || graph.objects.size() >= kContextMax) break;
    std::vector<std::string> wanted;
    wanted.swap(graph.wanted);
    for (const auto& id : wanted) {
      if (graph.newest.contains(id) || !asked.try_emplace(id, true).second) continue;
      TRY(std::vector<store::Row> rows, cx_.store.find(id));
      const store::Row* best = nullptr;
      bool known = false;
      agreement::GraphObject proto;
      for (const auto& row : rows) {
        const RowMeta meta = RowMeta::parse(row.meta);
        if (row.collection == released_collection) {
          known = true;
          continue;
        }
        const bool own = row.collection == inbox(cx_.config.party) || row.collection == sightings(cx_.config.party);
        const bool got =
            !own && !meta.agreement.empty() && row.collection == received(meta.agreement, meta.by, cx_.config.party);
        if (!own && !got) continue;
        if (best == nullptr || best->version_time < row.version_time) {
          best = &row;
          proto = {};
          proto.originator = own ? std::string_view(cx_.config.party) : std::string_view();
          proto.candidate = false;
          proto.committed = row.date_added;
        }
      }
      if (best == nullptr) continue;
      const RowMeta meta = RowMeta::parse(best->meta);
      TRY(std::string text, cx_.store.raw(*best));
      // The originator's code must outlive the call: it is kept beside the texts.
      if (proto.originator.empty()) {
        graph.texts.push_back(meta.by);
        proto.originator = graph.texts.back();
        graph.texts.push_back(meta.agreement);
        proto.received_under = graph.texts.back();
        proto.inherited = stix::parse_tlp(meta.tlp).value_or(stix::Tlp::kRed);
      }
      if (auto as = cx_.store.get("sent-as", sent_prefix + id); as.ok()) {
        known = true;
        graph.texts.push_back(std::move(*as));
        proto.sent_id = graph.texts.back();
      }
      proto.known_to_recipient = known || proto.originator == to;
      graph.add(*best, std::move(text), proto);
    }
    for (; parsed < graph.objects.size(); ++parsed) {
      CHECK_OK(doc.parse(graph.objects[parsed].raw));
      graph.note_references(doc.root());
    }
  }
  return {};
}

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
  const std::string text = manifest_object(m);
  json::Document doc;
  CHECK_OK(doc.parse(text));
  TRY(const stix::Summary summary, stix::summarize(doc.root()));
  RowMeta meta;
  meta.by = m.from;
  meta.agreement = m.agreement;
  tx.change.add(target, summary, text, meta.text());
  return {};
}

std::string Releaser::sent_id(const agreement::State& state, const std::string& to, const std::string& id) const {
  auto as = cx_.store.get("sent-as", count_key(state.agreement_id, to) + " " + id);
  return as.ok() ? *as : id;
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
  return decide_rows(state, all, to, {source_name, originator}, std::move(page.rows), position);
}

Result<bool> Releaser::decide_rows(const agreement::State& state, const std::vector<agreement::State>& all,
                                   const std::string& to, const Source& source, std::vector<store::Row> rows,
                                   const std::string& position) {
  const Uuid target = released(state.agreement_id, cx_.config.party, to);
  const bool again = position.empty();
  const std::string& originator = source.originator;

  Graph graph;
  thread_local json::Document doc;
  Status parsed;
  CHECK_OK(cx_.store.raw(rows, [&](size_t i, std::string_view raw) {
    if (!parsed.ok()) return;
    agreement::GraphObject o;
    const RowMeta meta = RowMeta::parse(rows[i].meta);
    const bool own = originator == cx_.config.party;
    o.originator = originator;
    if (!own) {
      graph.texts.push_back(meta.agreement);
      o.received_under = graph.texts.back();
      o.inherited = stix::parse_tlp(meta.tlp).value_or(stix::Tlp::kRed);
    }
    o.committed = rows[i].date_added;
    o.known_to_recipient = originator == to;
    graph.add(rows[i], std::string(raw), o);
    parsed = doc.parse(graph.objects.back().raw);
    if (parsed.ok()) graph.note_references(doc.root());
  }));
  CHECK_OK(parsed);
  const size_t candidates = graph.objects.size();
  CHECK_OK(fill_context(graph, to, state.agreement_id));

  const auto in_base = inputs(to, all);
  agreement::Inputs in = in_base;
  in.holds = holds_;
  // New release needs the agreement that the object came under as well; what went stays while the consent stands.
  const std::vector<agreement::Consent> usable = source.sent ? consents_ : live_consents();
  in.consents = usable;
  const std::vector<agreement::Decision> decisions = agreement::decide(graph.objects, in);

  // Context goes along only if something released needs it: exactly the ids that released objects refer to.
  std::vector<bool> send(graph.objects.size(), false);
  std::vector<size_t> order;
  const auto goes = [&](size_t i) {
    return decisions[i].verdict == agreement::Verdict::kReleased ||
           decisions[i].verdict == agreement::Verdict::kRedacted;
  };
  // Two parties may share several instruments: an object goes once, by the one that governs it.
  std::vector<size_t> stack;
  for (size_t i = 0; i < candidates && !source.sent; ++i) {
    if (!goes(i) || decisions[i].agreement != state.agreement_id) continue;
    if (again) {  // a tombstone of this version went out: it stays withdrawn, only a new version can go
      TRY(const std::vector<store::Row> before, cx_.store.find(target, decisions[i].id));
      if (std::ranges::any_of(
              before, [&](const store::Row& r) { return r.revoked && r.version_time >= graph.rows[i].version_time; }))
        continue;
    }
    if (graph.rows[i].revoked) {  // told already, while the agreement was suspended
      TRY(const std::vector<store::Row> before, cx_.store.find(target, decisions[i].id));
      if (std::ranges::any_of(before,
                              [&](const store::Row& r) { return r.revoked && r.version == graph.rows[i].version; }))
        continue;
    }
    stack.push_back(i);
  }
  std::unordered_map<std::string, size_t> by_sent_id;
  for (size_t i = candidates; i < graph.objects.size(); ++i) {
    if (goes(i)) by_sent_id[decisions[i].id] = i;
  }
  while (!stack.empty()) {
    const size_t i = stack.back();
    stack.pop_back();
    if (send[i]) continue;
    send[i] = true;
    if (by_sent_id.empty()) continue;
    const std::string_view bytes = decisions[i].verdict == agreement::Verdict::kRedacted
                                       ? std::string_view(decisions[i].bytes)
                                       : graph.objects[i].raw;
    CHECK_OK(doc.parse(bytes));
    stix::for_each_reference(doc.root(), [&](const stix::Reference& r) {
      const auto it = by_sent_id.find(std::string(r.id));
      if (it != by_sent_id.end() && !send[it->second]) stack.push_back(it->second);
    });
  }
  for (size_t i = candidates; i < graph.objects.size(); ++i) {
    if (send[i]) order.push_back(i);  // what is referred to goes first
  }
  for (size_t i = 0; i < candidates; ++i) {
    if (send[i]) order.push_back(i);
  }

  Evidence::Transaction tx = evidence_.begin();
  Manifest m = begin_manifest(state, to);

  ReleaseCount delta;
  store::Change rows_change;  // built after the manifest is known, so that the manifest comes first
  struct Sent {
    size_t index;
    std::string tombstone;
    stix::Summary summary;
    json::Document doc;
  };
  std::vector<Sent> sent;
  for (const size_t i : order) {
    const auto& d = decisions[i];
    const bool redacted = d.verdict == agreement::Verdict::kRedacted;
    Listed l;
    l.id = d.id;
    l.version = graph.rows[i].version;
    l.sha256 = sha256_hex(redacted ? std::string_view(d.bytes) : graph.objects[i].raw);
    l.article = d.article;
    l.tlp = stix::to_text(d.told_tlp);
    l.pap = stix::to_text(d.told_pap);
    m.objects.push_back(std::move(l));
    Sent s{i, {}, {}, {}};
    if (redacted) {
      CHECK_OK(s.doc.parse(d.bytes));
      TRY(s.summary, stix::summarize(s.doc.root()));
      m.objects.back().version = s.summary.version;
    }
    sent.push_back(std::move(s));
    if (i < candidates) ++(redacted ? delta.redacted : delta.released);
    if (redacted) {
      for (const auto& r : d.reasons) ++delta.reasons[std::string(r.code)];
    }
  }
  // A newer version that may not go, of something that went before: the recipient gets a tombstone (recall rule,
  // release.md §3 step 12).
  json::Node private_list = json::Node::array();
  uint64_t returned = 0;  // were withheld before
  for (size_t i = 0; i < candidates; ++i) {
    const auto& d = decisions[i];
    const std::string index_key = count_key(state.agreement_id, to) + " " + graph.rows[i].id;
    const auto indexed = cx_.store.get(kWithheldSpace, index_key);
    if (d.verdict != agreement::Verdict::kWithheld) {
      if (indexed.ok()) tx.change.erase(kWithheldSpace, index_key);
      if (again && indexed.ok()) {
        ++returned;
        private_list.push(json::Node::object()
                              .set("id", graph.rows[i].id)
                              .set("version", graph.rows[i].version)
                              .set("to", to)
                              .set("verdict", "no longer withheld"));
      }
      continue;
    }
    std::set<std::string_view> codes;
    for (const auto& r : d.reasons) codes.insert(r.code);
    if (source.sent && !lacks_consent(codes)) continue;  // other reasons take nothing back by themselves
    const std::string entry_text = fmt::format("{}\n{}\n{}", graph.rows[i].version, source.name, fmt::join(codes, " "));
    if (indexed.ok() && *indexed == entry_text) continue;  // as it was
    // What a third party controls is lifted by its consent alone, which names it (add_consented): to decide all that
    // partners gave anew each hour would be for nothing.
    if (!codes.contains("ORIGINATOR_CONSENT"))
      tx.change.set(kWithheldSpace, index_key, entry_text);
    else if (indexed.ok())
      tx.change.erase(kWithheldSpace, index_key);
    if (!again) ++delta.withheld;
    json::Node reasons = json::Node::array();
    for (const auto& r : d.reasons) {
      json::Node one = json::Node::object();
      one.set("code", r.code).set("article", r.article).set("agreement", r.agreement).set("note", r.note);
      reasons.push(std::move(one));
    }
    if (!again && !d.reasons.empty()) ++delta.reasons[std::string(d.reasons.front().code)];
    json::Node entry = json::Node::object();
    entry.set("id", graph.rows[i].id)
        .set("version", graph.rows[i].version)
        .set("to", to)
        .set("verdict", "withheld")
        .set("reasons", std::move(reasons));
    private_list.push(std::move(entry));
    // What only waits for people takes nothing back: the version that went before was approved.
    if (codes.size() == 1 && codes.contains("REVIEW_REQUIRED")) continue;
    const std::string known_as = sent_id(state, to, graph.rows[i].id);
    TRY(std::vector<store::Row> before, cx_.store.find(target, known_as));
    if (before.empty() || before.back().revoked) continue;
    // A version that nobody consented to takes nothing back either, while the consent to the one before it stands.
    if (!source.sent && only_consent(codes) && !graph.rows[i].revoked && consented(originator, to, before.back()))
      continue;
    std::string version = graph.rows[i].version;
    if (source.sent) {  // the very version that went is taken back: its tombstone has to be newer
      tx.change.erase(kOnwardSpace, index_key);
      version = to_text(std::max(m.at, before.back().version_time.cut().plus_us(1000)));
    }
    Sent s{i, agreement::tombstone(graph.objects[i].raw, known_as, version), {}, {}};
    CHECK_OK(s.doc.parse(s.tombstone));
    TRY(s.summary, stix::summarize(s.doc.root()));
    m.objects.push_back(listed_tombstone(s.summary, s.tombstone));
    sent.push_back(std::move(s));
    ++delta.reasons["RECALL_TOMBSTONE"];
  }

  if (!m.objects.empty()) {
    CHECK_OK(seal_manifest(m, target, tx));
    RowMeta meta;
    meta.by = cx_.config.party;
    meta.agreement = state.agreement_id;
    size_t k = 0;
    for (const auto& s : sent) {
      const Listed& l = m.objects[k++];
      meta.article = l.article;
      meta.tlp = l.tlp;
      meta.pap = l.pap;
      const auto& d = decisions[s.index];
      const auto& row = graph.rows[s.index];
      meta.original = l.id == row.id ? std::string() : row.id;
      if (!s.tombstone.empty()) {
        tx.change.add(target, s.summary, s.tombstone, meta.text());
      } else if (d.verdict == agreement::Verdict::kRedacted) {
        tx.change.add(target, s.summary, d.bytes, meta.text());
      } else {
        tx.change.share(target, row, meta.text());
      }
      if (!meta.original.empty()) tx.change.set("sent-as", count_key(state.agreement_id, to) + " " + row.id, l.id);
      if (s.tombstone.empty() && hangs_on_consent(graph.objects[s.index], to, row.id))
        tx.change.set(kOnwardSpace, count_key(state.agreement_id, to) + " " + row.id,
                      fmt::format("{}\n{}", row.version,
                                  s.index < candidates || row.collection == inbox(cx_.config.party)
                                      ? s.index < candidates ? source.name : "inbox"
                                      : fmt::format("from {} {}", graph.objects[s.index].originator,
                                                    graph.objects[s.index].received_under)));
    }
  }
  // Every decision is in the private log: what was withheld by name and reason, what was given by the leaf that says
  // so.
  if (!private_list.list().empty() || !m.objects.empty()) {
    json::Node record = json::Node::object();
    record.set("agreement", state.agreement_id)
        .set("agreement_version", state.document->hash)
        .set("at", to_text(m.at))
        .set("to", to);
    if (!m.objects.empty()) record.set("given", given(m));
    const bool listed = !private_list.list().empty();
    if (listed) record.set("decisions", std::move(private_list));
    const std::string record_text = json::canonical(record);
    const std::string row = listed ? "decisions " + std::to_string(cx_.store.length("decisions")) : std::string();
    TRY(const auto leaf, tx.add_kept_leaf(kPrivateLog, m.agreement_version, "decision", to, record_text, row));
    if (listed)
      tx.change.append("decisions",
                       json::write(json::Node::object().set("leaf", leaf.index).set("record", record_text)));
  }
  if (!again) tx.change.set("release-cursor", count_key(state.agreement_id, to) + " " + source.name, position);
  if (tx.change.empty()) return true;
  ReleaseCount c;
  {
    const std::lock_guard lock(mutex_);
    c = counts_[{state.agreement_id, to}];
  }
  {
    c.released += delta.released;
    c.redacted += delta.redacted;
    c.withheld += delta.withheld;
    c.withheld -= std::min(c.withheld, returned);
    for (const auto& [code, n] : delta.reasons) c.reasons[code] += n;
    json::Node saved = json::Node::object();
    saved.set("released", c.released).set("redacted", c.redacted).set("withheld", c.withheld);
    json::Node reasons = json::Node::object();
    for (const auto& [code, n] : c.reasons) reasons.set(code, n);
    saved.set("reasons", std::move(reasons));
    tx.change.set("release-count", count_key(state.agreement_id, to), json::write(saved));
  }
  auto outcome = std::move(tx).commit();
  if (!outcome.ok()) {
    Error e = std::move(outcome).error();
    e.what = "LOG_FAILED: nothing of this was sent, because it could not be logged first: " + e.what;
    return e;
  }
  {
    const std::lock_guard lock(mutex_);
    counts_[{state.agreement_id, to}] = std::move(c);
  }
  if (!m.objects.empty()) notify_(target);
  return true;
}

Releaser::Origin Releaser::origin_of(std::string_view name) const {
  const std::string& me = cx_.config.party;
  if (!name.starts_with("from ") || name.size() <= 8) return {me, name == "sightings" ? sightings(me) : inbox(me)};
  const std::string giver(name.substr(5, 2));
  return {giver, received(name.substr(8), giver, me)};
}

// Did it go because a third party consented: it is a third party's, or derived from something?
bool Releaser::hangs_on_consent(const agreement::GraphObject& object, const std::string& to,
                                const std::string& id) const {
  if (object.originator != cx_.config.party) return object.originator != to;
  if (consents_.empty()) return false;
  const auto origins = cx_.store.all(kOriginSpace, id + " ");
  return origins.ok() && !origins->empty();
}

// All that a decision for this recipient hangs on and that can change, but for time and the objects themselves.
std::string Releaser::fingerprint(const agreement::State& state, const std::string& to) const {
  std::string all = fmt::format("{}\n{}\n", state.document->hash, obstacle_(state, to));
  for (const auto& other : instruments_.states()) {  // a forbid of another instrument binds too
    all += fmt::format("{} {}", other->agreement_id, other->document->hash);
    for (const auto& [party, kind] : other->by_party) all += fmt::format(" {}={}", party, agreement::to_text(kind));
    all += fmt::format(" {} {}", fmt::join(other->suspended_flows, ","), fmt::join(other->suspended_sectors, ","));
    for (const auto& [a, b] : other->closed) all += fmt::format(" {}-{}", a, b);
    for (const auto& [party, flows] : other->declared) all += fmt::format(" {}:{}", party, fmt::join(flows, ","));
    for (const auto& [party, flows] : other->provisional) all += fmt::format(" {}~{}", party, fmt::join(flows, ","));
    for (const auto& p : other->projects) all += fmt::format(" {}@{}", p.id, p.stage);
    all += '\n';
  }
  for (const auto& h : holds_) all += fmt::format("{} {}\n", h.object_id, h.reason);
  all += consents_print(to);
  for (const auto& a : approved(cx_, to)) all += a + '\n';
  return sha256_hex(all);
}

std::string Releaser::consents_print(const std::string& to) const {
  std::string out;
  const Time now = cx_.clock.now();
  for (const auto& c : consents_)
    if (c.recipient == to && c.valid_from <= now && now < c.valid_until)
      out += fmt::format("{} {} {} {}\n", c.originator, c.agreement, c.object_id, c.version);
  return out;
}

std::vector<agreement::Consent> Releaser::live_consents() const {
  std::vector<agreement::Consent> out;
  if (consents_.empty()) return out;
  const auto states = instruments_.states();
  std::ranges::copy_if(consents_, std::back_inserter(out), [&](const agreement::Consent& c) {
    return std::ranges::any_of(states, [&](const auto& s) {
      return s->agreement_id == c.agreement && s->live(c.originator, cx_.config.party);
    });
  });
  return out;
}

bool Releaser::consented(const std::string& originator, const std::string& to, const store::Row& sent) const {
  const Time now = cx_.clock.now();
  const RowMeta meta = RowMeta::parse(sent.meta);
  const std::string& id = meta.original.empty() ? sent.id : meta.original;
  return std::ranges::any_of(consents_, [&](const agreement::Consent& c) {
    return c.originator == originator && c.recipient == to && c.object_id == id && c.version == sent.version &&
           c.valid_from <= now && now < c.valid_until;
  });
}

Status Releaser::add_consented(const agreement::State& state, const std::string& to,
                               std::vector<std::pair<std::string, std::string>>& todo) const {
  const Time now = cx_.clock.now();
  std::set<std::string> seen;
  for (const auto& c : consents_) {
    if (c.recipient != to || now < c.valid_from || now >= c.valid_until) continue;
    TRY(const auto rows, cx_.store.find(received(c.agreement, c.originator, cx_.config.party), c.object_id));
    if (rows.empty() || !seen.insert(c.object_id).second) continue;
    const store::Row& newest = *std::ranges::max_element(rows, {}, &store::Row::version_time);
    TRY(const auto sent,
        cx_.store.find(released(state.agreement_id, cx_.config.party, to), sent_id(state, to, c.object_id)));
    if (std::ranges::any_of(sent, [&](const store::Row& r) { return r.version_time >= newest.version_time; })) continue;
    todo.emplace_back(c.object_id,
                      fmt::format("{}\nfrom {} {}\nORIGINATOR_CONSENT", newest.version, c.originator, c.agreement));
  }
  return {};
}

Result<bool> Releaser::recheck(const agreement::State& state, const std::vector<agreement::State>& all,
                               const std::string& to) {
  const std::string prefix = count_key(state.agreement_id, to) + " ";
  std::string print = consents_print(to);
  const auto last = rechecked_.find(prefix);
  if (last != rechecked_.end() && last->second == print) return false;
  TRY(const auto sent, cx_.store.all(kOnwardSpace, prefix));
  std::map<std::string, std::vector<store::Row>> by_source;
  for (const auto& [key, value] : sent) {
    const size_t line = value.find('\n');
    if (line == std::string::npos) continue;
    const Origin origin = origin_of(value.substr(line + 1));
    TRY(const auto rows, cx_.store.find(origin.collection, key.substr(prefix.size())));
    for (const auto& row : rows)
      if (row.version == std::string_view(value).substr(0, line)) by_source[value.substr(line + 1)].push_back(row);
  }
  bool any = false;
  for (auto& [name, rows] : by_source) {
    for (size_t at = 0; at < rows.size(); at += cx_.config.release_batch) {
      std::vector<store::Row> some(
          rows.begin() + static_cast<std::ptrdiff_t>(at),
          rows.begin() + static_cast<std::ptrdiff_t>(std::min(rows.size(), at + cx_.config.release_batch)));
      TRY(const bool done, decide_rows(state, all, to, {name, origin_of(name).originator, true}, std::move(some), {}));
      any = any || done;
    }
  }
  rechecked_[prefix] = std::move(print);
  return any;
}

Result<bool> Releaser::reconsider(const agreement::State& state, const std::vector<agreement::State>& all,
                                  const std::string& to) {
  const std::string prefix = count_key(state.agreement_id, to) + " ";
  Again& a = again_[prefix];
  if (a.todo.empty()) {
    const Time now = cx_.clock.now();
    const Time newest = cx_.store.newest(inbox(cx_.config.party)).value_or(Time{});
    std::string print = fingerprint(state, to);
    const bool whole = print != a.fingerprint || now.us - a.at.us > kReconsiderAllUs || now < a.at;
    const bool part = newest > a.newest && (a.last <= kContextMax / 10 || now.us - a.at.us > kReconsiderManyUs);
    if (!whole && !part) return false;
    a.fingerprint = std::move(print);
    a.newest = newest;
    a.at = now;
    TRY(const auto withheld, cx_.store.all(kWithheldSpace, prefix));
    for (const auto& [key, value] : withheld)
      if (whole || hangs_on_others(value)) a.todo.emplace_back(key.substr(prefix.size()), value);
    if (whole) CHECK_OK(add_consented(state, to, a.todo));
    a.last = a.todo.size();
    if (a.todo.empty()) return false;
  }
  // The next ones of one source.
  const std::string name = source_of(a.todo.back().second);
  const Origin origin = origin_of(name);
  const Source source{name, origin.originator, false};
  std::vector<store::Row> rows;
  while (!a.todo.empty() && rows.size() < cx_.config.release_batch && source_of(a.todo.back().second) == name) {
    TRY(std::vector<store::Row> found, cx_.store.find(origin.collection, a.todo.back().first));
    a.todo.pop_back();
    if (found.empty()) continue;
    rows.push_back(*std::ranges::max_element(found, {}, &store::Row::version_time));
  }
  if (rows.empty()) return true;
  std::ranges::sort(rows, {}, &store::Row::date_added);
  return decide_rows(state, all, to, source, std::move(rows), {});
}

Result<bool> Releaser::recalls(const agreement::State& state, const std::string& to, const Uuid& source,
                               const std::string& source_name) {
  const Uuid target = released(state.agreement_id, cx_.config.party, to);
  const std::string key = count_key(state.agreement_id, to) + " " + source_name;
  store::Query q;
  q.all = true;
  q.added_after = cursor(state, to, source_name);
  if (const auto seen = cx_.store.get("recall-cursor", key); seen.ok()) {
    ByteReader r(*seen);
    q.added_after = std::max(*q.added_after, Time{static_cast<int64_t>(r.u64())});
  }
  q.limit = cx_.config.release_batch;
  TRY(const store::Page page, cx_.store.page(source, q));
  if (page.rows.empty()) return false;

  Evidence::Transaction tx = evidence_.begin();
  Manifest m = begin_manifest(state, to);
  struct Told {
    std::string text, original;
    stix::Summary summary;
    json::Document doc;
  };
  std::deque<Told> told;
  for (const auto& row : page.rows) {
    if (!row.revoked) continue;
    const std::string known_as = sent_id(state, to, row.id);
    TRY(const std::vector<store::Row> before, cx_.store.find(target, known_as));
    if (before.empty() || before.back().revoked) continue;
    TRY(const std::string raw, cx_.store.raw(row));
    Told& t = told.emplace_back();
    t.text = agreement::tombstone(raw, known_as, row.version);
    t.original = known_as == row.id ? std::string() : row.id;
    CHECK_OK(t.doc.parse(t.text));
    TRY(t.summary, stix::summarize(t.doc.root()));
    m.objects.push_back(listed_tombstone(t.summary, t.text));
  }
  if (!m.objects.empty()) {
    CHECK_OK(seal_manifest(m, target, tx));
    RowMeta meta;
    meta.by = cx_.config.party;
    meta.agreement = state.agreement_id;
    size_t k = 0;
    for (const Told& t : told) {
      const Listed& l = m.objects[k++];
      meta.tlp = l.tlp;
      meta.pap = l.pap;
      meta.original = t.original;
      tx.change.add(target, t.summary, t.text, meta.text());
    }
  }
  if (!m.objects.empty()) {
    json::Node record = json::Node::object();
    record.set("agreement", state.agreement_id)
        .set("agreement_version", state.document->hash)
        .set("at", to_text(m.at))
        .set("given", given(m))
        .set("to", to);
    TRY([[maybe_unused]] const auto leaf,
        tx.add_kept_leaf(kPrivateLog, m.agreement_version, "decision", to, json::canonical(record)));
  }
  std::string position;
  put_u64(position, static_cast<uint64_t>(page.rows.back().date_added.us));
  tx.change.set("recall-cursor", key, position);
  auto outcome = std::move(tx).commit();
  if (!outcome.ok()) return std::move(outcome).error();
  if (!m.objects.empty()) notify_(target);
  return true;
}

// Who has given us something, under which agreements.
std::vector<std::pair<std::string, std::shared_ptr<const agreement::State>>> Releaser::givers(
    const std::vector<std::shared_ptr<const agreement::State>>& states, const std::string& to) const {
  std::vector<std::pair<std::string, std::shared_ptr<const agreement::State>>> out;
  for (const auto& s : states)
    for (const auto& giver : s->document->parties)
      if (giver.party != cx_.config.party && giver.party != to) out.emplace_back(giver.party, s);
  return out;
}

Result<bool> Releaser::step() {
  // Nothing is decided, so that nothing is passed over: it waits until the clock is right.
  if (const bool safe = cx_.clock_safe(); safe != clock_was_safe_.exchange(safe) && !safe)
    say_error(
        "CLOCK_UNSAFE: the clock says {}, and the log has given out {}: nothing is released until it is set right",
        to_text(cx_.clock.now()), to_text(cx_.store.last_time()));
  if (!clock_was_safe_) return false;
  bool any = false;
  const auto states = instruments_.states();
  std::vector<agreement::State> all;
  for (const auto& s : states) all.push_back(*s);
  const std::string& me = cx_.config.party;
  holds_ = holds();
  consents_ = desk_.consents();
  for (const auto& s : states) {
    if (s->document->party(me) == nullptr) continue;
    for (const auto& partner : s->document->parties) {
      if (partner.party == me) continue;
      if (!s->live(me, partner.party) || !obstacle_(*s, partner.party).empty()) {
        if (!s->recallable(me, partner.party)) continue;
        TRY(const bool own, recalls(*s, partner.party, inbox(me), "inbox"));
        TRY(const bool seen, recalls(*s, partner.party, sightings(me), "sightings"));
        TRY(const bool taken_back, recheck(*s, all, partner.party));
        any = any || own || seen || taken_back;
        for (const auto& [giver, other] : givers(states, partner.party)) {
          TRY(const bool onward, recalls(*s, partner.party, received(other->agreement_id, giver, me),
                                         "from " + giver + " " + other->agreement_id));
          any = any || onward;
        }
        continue;
      }
      TRY(const bool own, batch(*s, all, partner.party, inbox(me), "inbox", me));
      TRY(const bool seen, batch(*s, all, partner.party, sightings(me), "sightings", me));
      TRY(const bool taken_back, recheck(*s, all, partner.party));
      bool moved = own || seen || taken_back;
      if (!own && !seen) {
        TRY(const bool anew, reconsider(*s, all, partner.party));
        moved = moved || anew;
      }
      // What others gave us goes on only with their consent; the decision says so object by object.
      for (const auto& [giver, other] : givers(states, partner.party)) {
        const Uuid source = received(other->agreement_id, giver, me);
        const std::string source_name = "from " + giver + " " + other->agreement_id;
        // Both agreements must allow it; a recall always goes.
        TRY(const bool onward, other->live(giver, me) ? batch(*s, all, partner.party, source, source_name, giver)
                                                      : recalls(*s, partner.party, source, source_name));
        moved = moved || onward;
      }
      any = any || moved;
      if (!moved && caught_up_) CHECK_OK(caught_up_(*s, partner.party, count_of(s->agreement_id, partner.party)));
    }
  }
  return any;
}

Result<std::vector<Planned>> Releaser::plan(const std::vector<std::string_view>& raw_objects, std::string_view to) {
  std::vector<agreement::State> all;
  for (const auto& s : instruments_.states()) all.push_back(*s);
  Graph graph;
  json::Document doc;
  size_t i = 0;
  for (const auto raw : raw_objects) {
    CHECK_OK(doc.parse(raw));
    auto summary = stix::summarize(doc.root());
    if (!summary.ok()) return summary.error().at("object " + std::to_string(i + 1));
    store::Row row;
    row.id = summary->id;
    row.type = summary->type;
    row.version = summary->version;
    row.version_time = summary->version_time;
    agreement::GraphObject o;
    o.originator = cx_.config.party;
    o.committed = cx_.clock.now();
    // What a partner gave us is the partner's, whoever hands the file in.
    TRY(const auto held, cx_.store.find(row.id));
    const bool own = std::ranges::any_of(held, [&](const store::Row& r) {
      return r.collection == inbox(cx_.config.party) || r.collection == sightings(cx_.config.party);
    });
    for (const auto& r : held) {
      const RowMeta meta = RowMeta::parse(r.meta);
      if (own || meta.agreement.empty() || r.collection != received(meta.agreement, meta.by, cx_.config.party))
        continue;
      o.originator = graph.texts.emplace_back(meta.by);
      o.received_under = graph.texts.emplace_back(meta.agreement);
      o.inherited = stix::parse_tlp(meta.tlp).value_or(stix::Tlp::kRed);
    }
    graph.add(std::move(row), std::string(raw), o);
    graph.note_references(doc.root());
    ++i;
  }
  const size_t candidates = graph.objects.size();
  CHECK_OK(fill_context(graph, std::string(to), {}));
  agreement::Inputs in = inputs(to, all);
  const auto held = holds();
  in.holds = held;
  const auto consents = desk_.consents();
  in.consents = consents;
  std::vector<agreement::Decision> decisions = agreement::decide(graph.objects, in);
  std::vector<Planned> out;
  for (size_t k = 0; k < candidates; ++k)
    out.push_back({graph.rows[k].id, graph.rows[k].type, std::move(decisions[k])});
  return out;
}

ReleaseCount Releaser::count_of(const std::string& agreement_id, const std::string& to) const {
  const std::lock_guard lock(mutex_);
  const auto it = counts_.find({agreement_id, to});
  return it == counts_.end() ? ReleaseCount{} : it->second;
}

std::map<std::pair<std::string, std::string>, ReleaseCount> Releaser::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace entente::exchange
