#include "exchange/receive.h"

#include <algorithm>
#include <deque>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/admission.h"
#include "exchange/claims.h"
#include "exchange/deletion.h"
#include "exchange/exercise.h"
#include "exchange/handling.h"
#include "exchange/names.h"
#include "exchange/onward_use.h"
#include "exchange/provenance.h"
#include "exchange/recall_desk.h"
#include "json/node.h"

namespace entente::exchange {
namespace {

std::string pair_key(std::string_view agreement_id, std::string_view peer) {
  return std::string(agreement_id) + " " + std::string(peer);
}

}  // namespace

std::optional<PublicKey> Receiver::node_key_of(const agreement::State& state, std::string_view kid,
                                               std::string_view party) const {
  const agreement::Party* owner = state.document->party(party);
  std::optional<agreement::Party> dropped;
  if (owner == nullptr) {
    dropped = instruments_.party_ever(state.agreement_id, party);
    if (!dropped) return std::nullopt;
    owner = &*dropped;
  }
  const Time at = cx_.clock.now();
  for (const auto& k : owner->keys) {
    if (k.kid == kid && k.role == agreement::KeyRole::kNode && k.key && k.not_before <= at && at < k.not_after)
      return k.key;
  }
  return std::nullopt;
}

std::string Receiver::row_key(std::string_view id, std::string_view version) {
  return std::string(id) + "\n" + std::string(version);
}

Receiver::Receiver(Context& context, Instruments& instruments, Evidence& evidence,
                   std::function<void(const Uuid&)> notify,
                   std::function<Status(const std::string&, const std::string&)> submit, std::function<void()> recalls)
    : cx_(context),
      instruments_(instruments),
      evidence_(evidence),
      notify_(std::move(notify)),
      submit_(std::move(submit)),
      recalls_(std::move(recalls)) {}

Receiver::Link& Receiver::link(const std::string& agreement_id, const std::string& peer) {
  const std::lock_guard lock(mutex_);
  auto& l = links_[pair_key(agreement_id, peer)];
  if (!l) l = std::make_unique<Link>();
  return *l;
}

void Receiver::failed(const std::string& peer, const Error& error) {
  const std::lock_guard lock(mutex_);
  auto& h = health_[peer];
  if (h.connected || h.last_error != error.text()) say_warn("partner {}: {}", peer, error.text());
  h.connected = false;
  h.last_error = error.text();
}

PeerHealth Receiver::health(const std::string& peer) const {
  const std::lock_guard lock(mutex_);
  const auto it = health_.find(peer);
  return it == health_.end() ? PeerHealth{} : it->second;
}

uint64_t Receiver::receipts(const std::string& agreement_id, const std::string& peer) const {
  return cx_.store.length("receipts/" + bare_uuid(agreement_id) + "/" + peer);
}

Result<size_t> Receiver::pull_acts(taxii::Client& client, const std::string& peer, int wait_seconds) {
  const std::string root = "/acts/";
  taxii::Client::Get get;
  if (auto saved = cx_.store.get("acts-position", peer); saved.ok()) {
    TRY(get.added_after, parse_time(*saved));
  }
  get.all_versions = true;
  get.wait_seconds = wait_seconds;
  TRY(const auto page, client.objects(root, "to-" + lower(cx_.config.party), get));
  {
    const std::lock_guard lock(mutex_);
    auto& h = health_[peer];
    h.connected = true;
    h.last_error.clear();
    h.last_pull = cx_.clock.now();
  }
  size_t fresh = 0;
  for (const auto raw : page->objects) {
    auto doc = json::parse(raw);
    if (!doc.ok() || json::find_string(doc->root(), "type").value_or("") != kActType) continue;
    auto text = parse_act_object(doc->root());
    if (!text.ok()) continue;
    if (Status s = submit_(*text, peer); s.ok()) {
      ++fresh;
    } else if (s.error().kind != ErrorKind::kConflict) {
      say_warn("act from {} refused: {}", peer, s.error().text());
    }
  }
  if (page->last) {
    store::Change change;
    change.set("acts-position", peer, to_text(*page->last));
    auto done = cx_.store.commit_wait(std::move(change));
    if (!done.ok()) return std::move(done).error();
  }
  return fresh;
}

// After a restart: where we were, and the manifests that were not complete.
Status Receiver::load_link(Link& l, const std::string& agreement_id, const std::string& peer) {
  if (l.loaded) return {};
  const std::string key = pair_key(agreement_id, peer);
  if (auto saved = cx_.store.get("pull-position", key); saved.ok()) l.position = *saved;
  if (auto saved = cx_.store.get("pull-open", key); saved.ok() && !saved->empty()) {
    std::string_view ids = *saved;
    while (!ids.empty()) {
      const size_t end = ids.find('\n');
      const std::string_view id = ids.substr(0, end);
      ids = end == std::string_view::npos ? std::string_view() : ids.substr(end + 1);
      if (id.empty()) continue;
      TRY(const auto rows, cx_.store.find(evidence_of(agreement_id, peer, cx_.config.party), id));
      if (rows.empty()) continue;
      TRY(const std::string raw, cx_.store.raw(rows.back()));
      TRY(const json::Document doc, json::parse(raw));
      auto open = std::make_unique<Open>();
      TRY(open->manifest, parse_manifest(doc.root()));
      open->here.assign(open->manifest.objects.size(), false);
      const Uuid into = received(agreement_id, peer, cx_.config.party);
      for (size_t i = 0; i < open->manifest.objects.size(); ++i) {
        const auto& o = open->manifest.objects[i];
        open->rows[row_key(o.id, o.version)] = i;
        TRY(const auto have, cx_.store.find(into, o.id));
        open->here[i] = std::any_of(have.begin(), have.end(),
                                    [&](const store::Row& r) { return r.version == o.version || o.version.empty(); });
        if (open->here[i]) ++open->taken;
      }
      l.open.push_back(std::move(open));
    }
  }
  l.loaded = true;
  return {};
}

Status Receiver::take_manifest(Link& l, const agreement::State& state, const std::string& peer,
                               const json::Value& object, std::string_view raw, Evidence::Transaction& tx) {
  auto open = std::make_unique<Open>();
  TRY(open->manifest, parse_manifest(object));
  const Manifest& m = open->manifest;
  if (m.agreement != state.agreement_id || m.from != peer || m.to != cx_.config.party) {
    return make_error(ErrorKind::kDenied, "the manifest is of another agreement, sender or recipient", m.id);
  }
  const auto key = node_key_of(state, m.kid, peer);
  if (!key)
    return make_error(
        ErrorKind::kDenied,
        "PARTY_KEY_UNKNOWN: the manifest is signed by a key that the agreement does not give this partner's node",
        m.kid);
  if (!manifest_signed(m, *key)) return make_error(ErrorKind::kDenied, "the manifest's signature is wrong", m.id);
  for (const auto& o : l.open) {
    if (o->manifest.id == m.id) return {};  // seen before the break
  }
  TRY(const auto summary, stix::summarize(object));
  RowMeta meta;
  meta.by = peer;
  meta.agreement = state.agreement_id;
  tx.change.add(evidence_of(state.agreement_id, peer, cx_.config.party), summary, std::string(raw), meta.text());
  expect_leaf(state.agreement_id, peer, m.leaf_index, m.leaf, tx.change);
  open->here.assign(m.objects.size(), false);
  for (size_t i = 0; i < m.objects.size(); ++i) open->rows[row_key(m.objects[i].id, m.objects[i].version)] = i;
  l.open.push_back(std::move(open));
  return {};
}

// What the partner's ledger must show, until Mirrors::check() has seen it.
void Receiver::expect_leaf(const std::string& agreement_id, const std::string& peer, uint64_t leaf_index,
                           const std::string& leaf, store::Change& change) const {
  std::string index;
  put_u64(index, leaf_index);
  change.set("unproven/" + pair_key(agreement_id, peer), index, sha256_hex(leaf) + " " + to_text(cx_.clock.now()));
}

Status Receiver::take_receipt(const agreement::State& state, const std::string& peer, const json::Value& object,
                              std::string_view raw, Evidence::Transaction& tx) {
  TRY(const Receipt r, parse_receipt(object));
  const auto key = node_key_of(state, r.kid, peer);
  if (!key || r.from != peer || r.to != cx_.config.party || r.agreement != state.agreement_id ||
      !receipt_signed(r, *key)) {
    return make_error(ErrorKind::kDenied, "the receipt is not signed by this partner's node for us", r.id);
  }
  TRY(const auto summary, stix::summarize(object));
  RowMeta meta;
  meta.by = peer;
  meta.agreement = state.agreement_id;
  const Uuid into = evidence_of(state.agreement_id, peer, cx_.config.party);
  TRY(const auto have, cx_.store.find(into, r.id));
  if (!have.empty()) return {};
  tx.change.add(into, summary, std::string(raw), meta.text());
  tx.change.append("receipts/" + bare_uuid(state.agreement_id) + "/" + peer, r.manifest);
  expect_leaf(state.agreement_id, peer, r.leaf_index, r.leaf, tx.change);
  return {};
}

// Receipts for the manifests whose objects have all come.
Status Receiver::finish(Link& l, const agreement::State& state, const std::string& peer, Evidence::Transaction& tx,
                        bool& receipt_added) {
  for (auto it = l.open.begin(); it != l.open.end();) {
    Open& o = **it;
    if (o.taken + o.refused.size() < o.here.size()) {
      ++it;
      continue;
    }
    Receipt r;
    r.id = std::string(kReceiptType) + "--" + random_uuid().text();
    r.agreement = state.agreement_id;
    r.from = cx_.config.party;
    r.to = peer;
    r.manifest = o.manifest.id;
    r.leaf_sha256 = sha256_hex(o.manifest.leaf);
    r.received = o.taken;
    r.refused = o.refused;
    r.at = cx_.clock.now();
    r.salt = random_bytes(32);
    TRY(const auto leaf, tx.add_leaf(state.agreement_id, state.document->hash, o.refused.empty() ? "receipt" : "refuse",
                                     peer, r.salt, r.record()));
    r.leaf_index = leaf.index;
    r.leaf = leaf.text;
    r.kid = cx_.config.node_kid;
    r.signature = sign_receipt(r, cx_.node_key);
    const std::string text = receipt_object(r);
    json::Document doc;
    CHECK_OK(doc.parse(text));
    TRY(const auto summary, stix::summarize(doc.root()));
    RowMeta meta;
    meta.by = cx_.config.party;
    meta.agreement = state.agreement_id;
    tx.change.add(released(state.agreement_id, cx_.config.party, peer), summary, text, meta.text());
    receipt_added = true;
    it = l.open.erase(it);
  }
  return {};
}

Result<std::shared_ptr<taxii::Fetched>> Receiver::page_after(taxii::Client& client, const agreement::Document& document,
                                                             const std::string& time, int wait_seconds) const {
  if (!cx_.clock_safe())
    return make_error(ErrorKind::kDenied, "CLOCK_UNSAFE: this node's clock was set back behind its own log",
                      to_text(cx_.clock.now()), "set the clock right; nothing is taken until then");
  taxii::Client::Get get;
  if (!time.empty()) {
    TRY(get.added_after, parse_time(time));
  }
  get.all_versions = true;
  get.limit = cx_.config.pull_page;
  get.wait_seconds = wait_seconds;
  return client.objects(agreement_root(document), "to-" + lower(cx_.config.party), get);
}

Result<size_t> Receiver::pull_objects(taxii::Client& client, const std::string& peer, const std::string& agreement_id,
                                      int wait_seconds) {
  Link& l = link(agreement_id, peer);
  const std::lock_guard busy(l.busy);
  const auto before = instruments_.state(agreement_id);
  if (!before || !before->document || !before->live(peer, cx_.config.party)) {
    return make_error(ErrorKind::kDenied, "the agreement is not in force between us and the partner", agreement_id,
                      "see 'entente agreement state'");
  }
  CHECK_OK(load_link(l, agreement_id, peer));
  TRY(const auto page, page_after(client, *before->document, l.position, wait_seconds));
  // The agreement may have ended while we waited.
  const auto state = instruments_.state(agreement_id);
  if (!state || !state->document || !state->live(peer, cx_.config.party)) {
    return make_error(ErrorKind::kDenied, "the agreement ceased to be in force while we waited", agreement_id);
  }
  {
    const std::lock_guard lock(mutex_);
    auto& h = health_[peer];
    h.connected = true;
    h.last_error.clear();
    h.last_pull = cx_.clock.now();
  }
  if (page->objects.empty()) return size_t{0};

  // Everything that needs no lock first: parse, check, hash.
  struct Item {
    std::string_view raw;
    json::Document doc;
    stix::Summary summary;
    std::string problem, mixed;  // not valid; of the other world
    std::string sha256;
    std::string_view kind;
  };
  std::vector<Item> items(page->objects.size());
  for (size_t i = 0; i < items.size(); ++i) {
    Item& it = items[i];
    it.raw = page->objects[i];
    if (Status s = it.doc.parse(it.raw); !s.ok()) {
      it.problem = s.error().text();
      continue;
    }
    it.kind = json::find_string(it.doc.root(), "type").value_or("");
    if (it.kind == kManifestType || it.kind == kReceiptType || it.kind == kRecallAnswerType ||
        it.kind == kDeletionType || it.kind == kOnwardUseType || is_return(it.kind))
      continue;
    it.problem = why_not(it.doc.root(), it.summary);
    it.mixed = exercise_refuses(cx_.config.exercise, it.doc.root());
    it.sha256 = sha256_hex(it.raw);
  }

  const Uuid into = received(agreement_id, peer, cx_.config.party);
  Evidence::Transaction tx = evidence_.begin();
  size_t taken = 0;
  size_t refused = 0;
  bool recalls = false;
  MarkedPap marks(cx_.store, into);
  std::deque<json::Document> notes;  // summaries look into them
  for (const Item& it : items) {
    if (it.kind == "marking-definition" && it.problem.empty()) marks.learn(it.summary.id, it.doc.root());
  }
  const auto refuse = [&](Open* o, std::string_view id, std::string code, const std::string& why) {
    ++refused;
    say_warn("refused from {}: {} {}: {}", peer, printable(id), code, printable(why, 300));
    if (o != nullptr && o->refused.size() < 1000) o->refused.push_back({std::string(id), std::move(code)});
  };
  for (Item& it : items) {
    if (it.kind == kManifestType) {
      if (Status s = take_manifest(l, *state, peer, it.doc.root(), it.raw, tx); !s.ok())
        refuse(nullptr, kManifestType, "MANIFEST", s.error().text());
      continue;
    }
    if (it.kind == kReceiptType) {
      if (Status s = take_receipt(*state, peer, it.doc.root(), it.raw, tx); !s.ok())
        refuse(nullptr, kReceiptType, "RECEIPT", s.error().text());
      continue;
    }
    if (it.kind == kRecallAnswerType) {
      if (Status s = take_recall_answer(*state, peer, it.doc.root(), it.raw, tx.change); !s.ok())
        refuse(nullptr, kRecallAnswerType, "RECALL_ANSWER", s.error().text());
      recalls = true;
      continue;
    }
    if (it.kind == kDeletionType) {
      if (Status s = take_deletion(*state, peer, it.doc.root(), it.raw, tx.change); !s.ok())
        refuse(nullptr, kDeletionType, "DELETION", s.error().text());
      continue;
    }
    if (it.kind == kOnwardUseType) {
      if (Status s = take_onward_use(*state, peer, it.doc.root(), it.raw, tx.change); !s.ok())
        refuse(nullptr, kOnwardUseType, "ONWARD_USE", s.error().text());
      continue;
    }
    if (is_return(it.kind)) {
      if (Status s = take_return(*state, peer, it.doc.root(), it.raw, tx.change); !s.ok())
        refuse(nullptr, it.kind, "RETURN", s.error().text());
      recalls = true;
      continue;
    }
    const std::string_view id = it.summary.id;
    Open* open = nullptr;
    size_t row = 0;
    for (const auto& o : l.open) {
      auto found = o->rows.find(row_key(id, it.summary.version));
      if (found == o->rows.end() && it.summary.version.empty()) {
        // Without a version of its own the manifest may name the sender's (T56): match by id and octets.
        found = std::find_if(o->rows.begin(), o->rows.end(),
                             [&](const auto& e) { return o->manifest.objects[e.second].id == id; });
      }
      if (found == o->rows.end() || o->here[found->second]) continue;
      open = o.get();
      row = found->second;
      break;
    }
    if (open == nullptr) {
      // A page read again after a break: already ours, or never announced.
      TRY(const auto have, cx_.store.find(into, id));
      const bool known =
          std::any_of(have.begin(), have.end(), [&](const store::Row& r) { return r.version == it.summary.version; });
      if (!known) refuse(nullptr, id, "NO_MANIFEST", "no manifest announces it");
      continue;
    }
    const Listed& listed = open->manifest.objects[row];
    open->here[row] = true;
    if (!equal_ct(listed.sha256, it.sha256)) {
      refuse(open, id, "HASH", "its octets are not those that the manifest names");
      continue;
    }
    // A tombstone has nothing of its object but its name: no pattern, hence not valid, and not to be refused for that.
    const bool tombstone = listed.tombstone && it.summary.revoked;
    if (it.summary.revoked && (tombstone || it.problem.empty())) {
      note_recall(tx.change, agreement_id, peer, id, it.summary.version, cx_.clock.now());
      recalls = true;
    }
    if (tombstone) {
      TRY(const auto have, cx_.store.find(into, id));
      if (have.empty()) {  // what was never taken need not be taken back
        ++open->taken;
        continue;
      }
    }
    if (!it.problem.empty() && !tombstone) {
      refuse(open, id, "INVALID", it.problem);
      continue;
    }
    if (!it.mixed.empty() && !tombstone) {
      refuse(open, id, "EXERCISE", it.mixed);
      continue;
    }
    RowMeta meta;
    meta.by = peer;
    meta.agreement = agreement_id;
    meta.article = listed.article;
    meta.tlp = listed.tlp;
    meta.pap = listed.pap;
    if (it.summary.type == "indicator" && !it.summary.revoked) {
      const std::string note =
          handling_note(it.doc.root(), id, it.summary.version, stix::parse_pap(listed.pap).value_or(stix::Pap::kRed),
                        marks.of(it.doc.root()), state->document->actions.default_pap, cx_.clock.now());
      if (!note.empty()) {
        json::Document& doc = notes.emplace_back();
        CHECK_OK(doc.parse(note));
        TRY(const auto summary, stix::summarize(doc.root()));
        RowMeta own = meta;
        own.by = kHandlingBy;
        tx.change.add(into, summary, note, own.text());
      }
    }
    tx.change.add(into, it.summary, std::string(it.raw), meta.text());
    note_theirs(tx.change, it.doc.root(), it.summary, peer, agreement_id);
    note_claim(cx_, tx.change, it.doc.root(), it.summary, meta);
    ++open->taken;
    ++taken;
  }
  bool receipt_added = false;
  CHECK_OK(finish(l, *state, peer, tx, receipt_added));
  const std::string key = pair_key(agreement_id, peer);
  if (page->last) {
    l.position = to_text(*page->last);
    tx.change.set("pull-position", key, l.position);
  }
  std::string open_ids;
  for (const auto& o : l.open) open_ids += o->manifest.id + "\n";
  tx.change.set("pull-open", key, open_ids);
  auto outcome = std::move(tx).commit();
  if (!outcome.ok()) {
    l.loaded = false;  // read again what is true
    l.open.clear();
    l.position.clear();
    return std::move(outcome).error();
  }
  {
    const std::lock_guard lock(mutex_);
    auto& h = health_[peer];
    h.received += taken;
    h.refused += refused;
  }
  if (taken > 0) notify_(into);
  if (recalls) recalls_();
  if (receipt_added) notify_(released(agreement_id, cx_.config.party, peer));
  return taken;
}

}  // namespace entente::exchange
