#include "exchange/evidence_package.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/bytes.h"
#include "exchange/names.h"
#include "exchange/wire.h"
#include "json/node.h"
#include "ledger/checkpoint.h"

namespace entente::exchange {
namespace {

using json::Node;

constexpr size_t kMostRows = 20'000;  // manifests and receipts of one package

Node proof_node(const ledger::Proof& proof) {
  Node out = Node::array();
  for (const auto& h : proof) out.push(base64(view(h)));
  return out;
}

// One ledger in the package: its entries by index, each with what opens it if this node knows it.
struct Book {
  std::string party, origin, checkpoint;
  uint64_t size = 0;
  struct Entry {
    std::string salt, record;
  };
  std::map<uint64_t, Entry> entries;
};

class Maker {
 public:
  Maker(Exchange& ex, const EvidenceRequest& request)
      : ex_(ex), cx_(ex.context()), rq_(request), me_(cx_.config.party), uuid_(bare_uuid(request.agreement)) {}

  Result<std::string> make();

 private:
  [[nodiscard]] std::string sequence(const std::string& party) const {
    return party == me_ ? "leaf/" + uuid_ : "mirror/" + uuid_ + "/" + party;
  }
  Status load_rows(const std::string& from, const std::string& to);
  Status add_manifest(const Manifest& m, const std::string& text);
  Status add_receipt(const Receipt& r, const std::string& text);
  Status all();
  Status object();
  Status claim();
  Status conflict();
  Status private_leaves();
  Status heads();
  Result<Node> book_node(const Book& b);
  // The entry of our own ledger, opened if its record is kept.
  Status own(uint64_t index);

  Exchange& ex_;
  Context& cx_;
  const EvidenceRequest& rq_;
  std::string me_, uuid_;
  std::shared_ptr<const agreement::State> state_;
  Book mine_, theirs_;
  std::string cosigned_;  // the newest head of ours that the quorum signed, if it is not the newest
  std::vector<Node> private_books_;
  // Of both directions, as they were sent.
  std::vector<std::pair<Manifest, std::string>> manifests_;
  std::vector<std::pair<Receipt, std::string>> receipts_;
  std::vector<std::string> sent_manifests_, sent_receipts_;
  std::set<std::string> release_leaves_;  // SHA-256 of those in the package
  Node objects_ = Node::array();
  Node conflict_;
};

// Manifests and receipts that one party sent to the other.
Status Maker::load_rows(const std::string& from, const std::string& to) {
  const Uuid place = from == me_ ? released(rq_.agreement, from, to) : evidence_of(rq_.agreement, from, to);
  store::Query q;
  q.all = true;
  q.limit = 1000;
  while (true) {
    TRY(const auto page, cx_.store.page(place, q));
    if (page.rows.empty()) return {};
    q.added_after = page.rows.back().date_added;
    for (const auto& row : page.rows) {
      const bool manifest = row.id.starts_with(kManifestType);
      if (!manifest && !row.id.starts_with(kReceiptType)) continue;
      TRY(std::string raw, cx_.store.raw(row));
      TRY(const json::Document doc, json::parse(raw));
      if (manifest) {
        TRY(Manifest m, parse_manifest(doc.root()));
        manifests_.emplace_back(std::move(m), std::move(raw));
      } else {
        TRY(Receipt r, parse_receipt(doc.root()));
        receipts_.emplace_back(std::move(r), std::move(raw));
      }
      if (manifests_.size() + receipts_.size() > kMostRows && rq_.kind == "all")
        return make_error(ErrorKind::kTooLarge, fmt::format("more than {} releases and receipts", kMostRows),
                          rq_.agreement, "ask for one object, claim or conflict");
    }
  }
}

Status Maker::add_manifest(const Manifest& m, const std::string& text) {
  Book& b = m.from == me_ ? mine_ : theirs_;
  if (m.leaf_index < b.size) b.entries[m.leaf_index] = {m.salt, m.record()};
  sent_manifests_.push_back(text);
  release_leaves_.insert(sha256_hex(m.leaf));
  return {};
}

Status Maker::add_receipt(const Receipt& r, const std::string& text) {
  Book& b = r.from == me_ ? mine_ : theirs_;
  if (r.leaf_index < b.size) b.entries[r.leaf_index] = {r.salt, r.record()};
  sent_receipts_.push_back(text);
  return {};
}

Status Maker::own(uint64_t index) {
  if (index >= mine_.size) return {};
  auto& e = mine_.entries[index];
  if (!e.record.empty()) return {};
  if (auto o = ex_.evidence().opening(rq_.agreement, index); o.ok()) e = {o->salt, o->record};
  return {};
}

Status Maker::all() {
  for (const auto& [m, text] : manifests_) CHECK_OK(add_manifest(m, text));
  for (const auto& [r, text] : receipts_) CHECK_OK(add_receipt(r, text));
  return {};
}

Status Maker::object() {
  std::set<std::string> names = {rq_.value};
  if (auto as = cx_.store.get("sent-as", rq_.agreement + " " + rq_.with + " " + rq_.value); as.ok()) names.insert(*as);
  std::set<std::pair<std::string, std::string>> shown;
  for (const auto& [m, text] : manifests_) {
    bool listed = false;
    for (const auto& o : m.objects) {
      if (!names.contains(o.id)) continue;
      listed = true;
      if (!shown.emplace(o.id, o.sha256).second) continue;
      Node one = Node::object();
      one.set("id", o.id).set("sha256", o.sha256).set("version", o.version);
      const Uuid place = m.from == me_ ? released(rq_.agreement, m.from, m.to) : received(rq_.agreement, m.from, m.to);
      TRY(const auto rows, cx_.store.find(place, o.id));
      for (const auto& row : rows) {
        TRY(std::string raw, cx_.store.raw(row));
        if (sha256_hex(raw) == o.sha256) one.set("text", raw);
      }
      objects_.push(std::move(one));
    }
    if (listed) CHECK_OK(add_manifest(m, text));
  }
  if (release_leaves_.empty())
    return make_error(ErrorKind::kNotFound, "no release in either direction lists this object", rq_.value,
                      "give the id under which it was sent, and the agreement");
  for (const auto& [r, text] : receipts_)
    if (release_leaves_.contains(r.leaf_sha256)) CHECK_OK(add_receipt(r, text));
  return {};
}

// The act, its leaf, and the leaves that it names as "PARTY/INDEX".
Status Maker::claim() {
  const agreement::SignedAct* found = nullptr;
  const auto acts = ex_.instruments().acts(rq_.agreement);
  for (const auto& a : acts) {
    if (a.act.kind == "claim_breach" && a.act.hash().starts_with(rq_.value)) found = &a;
  }
  if (found == nullptr)
    return make_error(ErrorKind::kNotFound, "there is no claim of a breach with this hash", rq_.value,
                      "`entente agreement state` lists the acts");
  const std::string text = found->text();
  for (uint64_t i = 0; i < mine_.size; ++i) {
    TRY(const auto o, ex_.evidence().salt_of(rq_.agreement, i));
    TRY(const auto leaf, ledger::parse_leaf(o.leaf));
    if (leaf.kind == "act" && ledger::commit_to(o.salt, text) == leaf.commitment) mine_.entries[i] = {o.salt, text};
  }
  const Node* openings = found->act.body.find("openings");
  if (openings == nullptr || !openings->is_array()) return {};
  for (const auto& o : openings->list()) {
    if (!o.is_string()) continue;
    const std::string& name = o.string();
    const size_t slash = name.find('/');
    uint64_t index = 0;
    if (slash == std::string::npos ||
        std::from_chars(name.data() + slash + 1, name.data() + name.size(), index).ptr != name.data() + name.size())
      continue;
    const std::string party = name.substr(0, slash);
    if (party == me_) {
      CHECK_OK(own(index));
    } else if (party == rq_.with && index < theirs_.size) {
      theirs_.entries.try_emplace(index);
    }
  }
  const auto named = [&](const std::string& party, uint64_t index) {
    return (party == me_ ? mine_ : theirs_).entries.contains(index);
  };
  for (const auto& [m, raw] : manifests_)
    if (named(m.from, m.leaf_index)) CHECK_OK(add_manifest(m, raw));
  for (const auto& [r, raw] : receipts_)
    if (named(r.from, r.leaf_index) || release_leaves_.contains(r.leaf_sha256)) CHECK_OK(add_receipt(r, raw));
  return {};
}

Status Maker::conflict() {
  bool any = false;
  for (uint64_t i = 0; i < mine_.size; ++i) {
    TRY(const auto text, cx_.store.read(sequence(me_), i, 1));
    const auto leaf = text.empty() ? Result<ledger::Leaf>(ledger::Leaf{}) : ledger::parse_leaf(text.front());
    if (!leaf.ok() || (leaf->kind != "conflict" && leaf->kind != "settlement") || leaf->recipient != rq_.with) continue;
    CHECK_OK(own(i));
    const std::string& record = mine_.entries[i].record;
    if (leaf->kind != "conflict" || record.empty()) continue;
    any = true;
    TRY(const json::Document doc, json::parse(record));
    conflict_ = Node::object();
    for (const char* name : {"earlier", "later", "problem"})
      conflict_.set(name, json::find_string(doc.root(), name).value_or(""));
    conflict_.set("party", rq_.with);
  }
  if (!any)
    return make_error(ErrorKind::kNotFound, "this node has found no conflict in that ledger", rq_.with,
                      "see 'entente ledger conflicts'");
  return {};
}

// Leaves of the private log under the oldest anchor that covers each.
Status Maker::private_leaves() {
  if (rq_.leaves.empty()) return invalid("no private leaves are named", {}, "give their indexes");
  struct Anchor {
    uint64_t leaf = 0, size = 0;
    std::string note;
  };
  std::vector<Anchor> anchors;
  for (uint64_t i = 0; i < mine_.size; ++i) {
    TRY(const auto text, cx_.store.read(sequence(me_), i, 1));
    const auto leaf = text.empty() ? Result<ledger::Leaf>(ledger::Leaf{}) : ledger::parse_leaf(text.front());
    if (!leaf.ok() || leaf->kind != "anchor") continue;
    TRY(const auto o, ex_.evidence().opening(rq_.agreement, i));
    TRY(const json::Document doc, json::parse(o.record));
    std::string note(json::find_string(doc.root(), "note").value_or(""));
    TRY(const auto head, ledger::unverified_checkpoint(note));
    anchors.push_back({i, head.size, std::move(note)});
  }
  std::map<uint64_t, Book> books;  // by anchor
  for (const uint64_t index : rq_.leaves) {
    const auto a = std::ranges::find_if(anchors, [&](const Anchor& x) { return index < x.size; });
    if (a == anchors.end())
      return make_error(ErrorKind::kUnavailable, fmt::format("private leaf {} is not anchored yet", index),
                        rq_.agreement, "anchors are made hourly: ask again, or name an older leaf");
    CHECK_OK(own(a->leaf));
    TRY(const auto o, ex_.evidence().opening(kPrivateLog, index));
    Book& b = books[a->leaf];
    b.party = me_;
    b.origin = ledger_origin(me_, kPrivateLog);
    b.checkpoint = a->note;
    b.size = a->size;
    b.entries[index] = {o.salt, o.record};
  }
  for (const auto& [_, b] : books) {
    TRY(Node n, book_node(b));
    private_books_.push_back(std::move(n));
  }
  return {};
}

Status Maker::heads() {
  const auto take = [](Book& b, std::string party, const std::string& agreement, std::string note) -> Status {
    TRY(const auto head, ledger::unverified_checkpoint(note));
    b.origin = ledger_origin(party, agreement);
    b.party = std::move(party);
    b.checkpoint = std::move(note);
    b.size = head.size;
    return {};
  };
  // The newest, so that everything is under it; what the quorum signed stands beside it, if that is older.
  auto note = ex_.witnessing().head(rq_.agreement);
  if (auto cosigned = ex_.witnessing().cosigned_head(rq_.agreement); cosigned.ok() && note.ok()) {
    const auto a = ledger::unverified_checkpoint(*cosigned);
    const auto b = ledger::unverified_checkpoint(*note);
    if (a.ok() && b.ok() && a->size == b->size && a->root == b->root)
      note = std::move(cosigned);
    else
      cosigned_ = *std::move(cosigned);
  }
  TRY(std::string own_note, std::move(note));
  CHECK_OK(take(mine_, me_, rq_.agreement, std::move(own_note)));
  if (auto copy = ex_.mirrors().file(rq_.agreement, rq_.with, "checkpoint"); copy.ok())
    CHECK_OK(take(theirs_, rq_.with, rq_.agreement, *std::move(copy)));
  return {};
}

Result<Node> Maker::book_node(const Book& b) {
  const bool hidden = b.origin == ledger_origin(me_, kPrivateLog);
  Node entries = Node::array();
  for (const auto& [index, e] : b.entries) {
    TRY(const auto leaf, cx_.store.read(hidden ? "leaf/" + std::string(kPrivateLog) : sequence(b.party), index, 1));
    if (leaf.empty()) return make_error(ErrorKind::kCorrupt, "an entry is missing", b.origin);
    Node one = Node::object();
    one.set("index", index).set("leaf", leaf.front());
    if (b.party != me_) {
      TRY(const auto proof, ex_.mirrors().inclusion(rq_.agreement, b.party, index, b.size));
      one.set("proof", proof_node(proof));
    } else {
      TRY(const auto proof, ex_.evidence().inclusion(hidden ? kPrivateLog : rq_.agreement, index, b.size));
      one.set("proof", proof_node(proof));
    }
    if (!e.record.empty()) one.set("record", e.record).set("salt", base64(e.salt));
    entries.push(std::move(one));
  }
  Node out = Node::object();
  out.set("party", b.party).set("origin", b.origin).set("checkpoint", b.checkpoint).set("entries", std::move(entries));
  // Older heads that others have signed, and that what is shown extends them.
  Node older = Node::array();
  std::vector<std::string> notes;
  if (!hidden && b.party == me_ && !cosigned_.empty()) notes.push_back(cosigned_);
  if (!hidden && b.party != me_) {
    if (auto seen = ex_.witnessing().seen_by_us(b.origin)) notes.push_back(*std::move(seen));
  }
  for (const std::string& note : notes) {
    const auto head = ledger::unverified_checkpoint(note);
    if (!head.ok() || head->size == 0 || head->size >= b.size) continue;
    const auto proof = b.party == me_ ? ex_.evidence().consistency(rq_.agreement, head->size, b.size)
                                      : ex_.mirrors().consistency(rq_.agreement, b.party, head->size, b.size);
    if (proof.ok()) older.push(Node::object().set("checkpoint", note).set("proof", proof_node(*proof)));
  }
  out.set("older", std::move(older));
  return out;
}

Result<std::string> Maker::make() {
  state_ = ex_.instruments().state(rq_.agreement);
  if (!state_ || !state_->document)
    return make_error(ErrorKind::kNotFound, "there is no such agreement", rq_.agreement,
                      "see 'entente agreement state'");
  if (rq_.kind != "private" && (state_->document->party(rq_.with) == nullptr || rq_.with == me_))
    return make_error(ErrorKind::kNotFound, "no such partner under this agreement", rq_.with);
  CHECK_OK(heads());
  if (rq_.kind != "private" && rq_.kind != "conflict") {
    CHECK_OK(load_rows(me_, rq_.with));
    CHECK_OK(load_rows(rq_.with, me_));
  }
  if (rq_.kind == "all") {
    CHECK_OK(all());
  } else if (rq_.kind == "object") {
    CHECK_OK(object());
  } else if (rq_.kind == "claim") {
    CHECK_OK(claim());
  } else if (rq_.kind == "conflict") {
    CHECK_OK(conflict());
  } else if (rq_.kind == "private") {
    CHECK_OK(private_leaves());
  } else {
    return invalid("there is no such kind of evidence", rq_.kind, "all, object, claim, conflict or private");
  }
  Node acts = Node::array();
  for (const auto& a : ex_.instruments().acts(rq_.agreement))
    if (a.act.kind != "joint_report") acts.push(a.text());
  Node logs = Node::array();
  for (Book* b : {&mine_, &theirs_}) {
    if (b->origin.empty() || (rq_.kind == "private" && b == &theirs_)) continue;
    TRY(Node n, book_node(*b));
    logs.push(std::move(n));
  }
  for (auto& n : private_books_) logs.push(std::move(n));
  const auto texts = [](const std::vector<std::string>& list) {
    Node out = Node::array();
    for (const auto& s : list) out.push(s);
    return out;
  };
  Node n = Node::object();
  n.set("format", kEvidenceFormat)
      .set("about", Node::object().set("kind", rq_.kind).set("value", rq_.value).set("with", rq_.with))
      .set("made", Node::object().set("at", to_text(cx_.clock.now())).set("by", cx_.config.node_kid))
      .set("agreement", rq_.agreement)
      .set("text_sha256", state_->document->hash)
      .set("acts", std::move(acts))
      .set("logs", std::move(logs))
      .set("manifests", texts(sent_manifests_))
      .set("receipts", texts(sent_receipts_))
      .set("objects", std::move(objects_));
  if (!conflict_.is_null()) n.set("conflict", std::move(conflict_));
  const std::string signed_text = json::canonical(n);
  n.set("signature", base64(cx_.node_key.sign(std::string(kEvidenceFormat) + "\n" + signed_text)));
  std::string out = json::canonical(n);
  if (out.size() > kMaxPackageBytes)
    return make_error(ErrorKind::kTooLarge, "the package would be larger than 256 MiB", rq_.agreement,
                      "ask for one object, claim or conflict");
  return out;
}

}  // namespace

Result<std::string> make_evidence(Exchange& exchange, const EvidenceRequest& request) {
  return Maker(exchange, request).make();
}

}  // namespace entente::exchange
