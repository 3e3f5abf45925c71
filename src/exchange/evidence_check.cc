// The offline side of evidence packages: nothing here asks a node, a store or a clock.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agreement/act.h"
#include "base/bytes.h"
#include "exchange/evidence_package.h"
#include "exchange/names.h"
#include "exchange/wire.h"
#include "exchange/witnessing.h"
#include "ledger/checkpoint.h"
#include "ledger/cosignature.h"

namespace entente::exchange {
namespace {

using json::Value;

std::string text_at(const Value& o, std::string_view name) {
  return std::string(json::find_string(o, name).value_or(""));
}

std::vector<Value> values_at(const Value& o, std::string_view name) {
  std::vector<Value> out;
  if (const auto list = json::find_array(o, name))
    for (const Value v : *list) out.push_back(v);
  return out;
}

// One verified ledger of the package.
struct Shown {
  std::string party, origin, note;
  ledger::Checkpoint head;
  // Size of a head -> who cosigned it: of the newest, and of older ones that it extends.
  std::vector<std::pair<uint64_t, ledger::Cosignature>> cosigned;
  struct Entry {
    ledger::Leaf leaf;
    std::string text, record;
  };
  std::map<uint64_t, Entry> entries;
};

class Checker {
 public:
  explicit Checker(EvidenceReport& report) : report_(report) {}
  Status run(const Value& root, std::string_view expected_text);

 private:
  void problem(std::string text) { report_.problems.push_back(std::move(text)); }
  void fact(std::string text) { report_.facts.push_back(std::move(text)); }
  void agreement(const Value& root, std::string_view expected_text);
  void maker(const Value& root);
  void log(const Value& v);
  void entry(const Value& v, Shown& out, const std::string& name);
  void older(const Value& v, Shown& log, const std::string& name);
  void manifest(const std::string& text);
  void receipt(const std::string& text);
  void object(const Value& v);
  void conflict(const Value& v);
  void private_heads();
  void claim(const Value& root);
  [[nodiscard]] std::optional<ledger::Checkpoint> open(const std::string& note, const std::string& origin,
                                                       const std::string& party) const;
  [[nodiscard]] const PublicKey* node_key(const std::string& kid, const std::string& party) const;
  [[nodiscard]] bool stands(const std::string& party, uint64_t index, const std::string& leaf) const;

  EvidenceReport& report_;
  agreement::State state_;
  struct Key {
    std::string party;
    agreement::KeyRole role;
    PublicKey key;
  };
  std::multimap<std::string, Key> keys_;  // of every time, by kid: what was signed once stays signed
  std::map<std::string, PublicKey> witnesses_;
  std::vector<Shown> logs_;
  std::vector<agreement::SignedAct> acts_;
  std::map<std::string, std::pair<std::string, Listed>> listed_;  // SHA-256 of an object -> sender, row
  std::set<std::string> released_;                                // leaves of manifests that were verified
};

// The acts give the text; the text, and the notices about keys, give the keys.
void Checker::agreement(const Value& root, std::string_view expected_text) {
  for (const Value v : values_at(root, "acts")) {
    std::string_view text;
    if (v.get_string().get(text) != simdjson::SUCCESS) {
      problem("an act is not a text");
      continue;
    }
    auto act = agreement::parse_signed_act(text);
    if (!act.ok())
      problem("an act cannot be read: " + act.error().text());
    else if (act->act.agreement_id != report_.agreement)
      problem("an act is of another agreement: " + act->act.hash());
    else
      acts_.push_back(*std::move(act));
  }
  Time last;
  for (const auto& a : acts_) last = std::max(last, a.act.effective_at);
  if (const auto at = parse_time(report_.made_at); at.ok()) last = std::max(last, *at);
  const std::vector<agreement::SignedAct> all = acts_;
  // What was kept without effect when it came is in the chain at every node: here as well.
  state_ = agreement::fold(report_.agreement, all, last);
  if (!state_.document) return problem("the acts give no text of the agreement");
  if (state_.document->hash != report_.text_sha256)
    problem("the acts give the text " + state_.document->hash + ", and the package names " + report_.text_sha256);
  if (!expected_text.empty() && state_.document->hash != expected_text)
    problem("the text of the agreement is " + state_.document->hash + ", not the one that was expected");
  for (const auto& r : state_.refused)
    if (!r.counts) problem("an act's signatures do not count: " + r.act_hash + ": " + r.why);
  std::vector<Time> times = {last};
  for (const auto& a : acts_) times.push_back(a.act.effective_at);
  std::set<std::string> have;
  for (const Time t : times) {
    const auto then = agreement::fold(report_.agreement, all, t);
    if (!then.document) continue;
    for (const auto& p : then.document->parties) {
      for (const auto& k : p.keys) {
        if (!k.key || !have.insert(k.kid + k.public_hex).second) continue;
        keys_.emplace(k.kid, Key{p.party, k.role, *k.key});
      }
    }
    for (auto& [name, key] : witness_keys(*then.document, t)) witnesses_.emplace(name, key);
    if (times.size() > 64) break;  // many acts: the keys as they stand now
  }
  fact(fmt::format("{} acts; text of the agreement {}; state: {}", acts_.size(), state_.document->hash,
                   agreement::to_text(state_.kind)));
}

const PublicKey* Checker::node_key(const std::string& kid, const std::string& party) const {
  for (auto [it, end] = keys_.equal_range(kid); it != end; ++it)
    if (it->second.role == agreement::KeyRole::kNode && it->second.party == party) return &it->second.key;
  return nullptr;
}

void Checker::maker(const Value& root) {
  const auto signature = unbase64(text_at(root, "signature"));
  json::Node n = json::Node::from(root);
  n.erase("signature");
  const std::string message = std::string(kEvidenceFormat) + "\n" + json::canonical(n);
  bool good = false;
  for (auto [it, end] = keys_.equal_range(report_.made_by); it != end && signature.ok(); ++it)
    good = good || (it->second.role == agreement::KeyRole::kNode && verify(it->second.key, message, *signature));
  if (!good) problem("the package is not signed by the node that it names, " + printable(report_.made_by));
}

std::optional<ledger::Checkpoint> Checker::open(const std::string& note, const std::string& origin,
                                                const std::string& party) const {
  for (const auto& [_, k] : keys_) {
    if (k.role != agreement::KeyRole::kLog || k.party != party) continue;
    if (auto c = ledger::open_checkpoint(note, origin, k.key); c.ok()) return *std::move(c);
  }
  return std::nullopt;
}

void Checker::log(const Value& v) {
  Shown out;
  out.party = text_at(v, "party");
  out.origin = text_at(v, "origin");
  out.note = text_at(v, "checkpoint");
  const bool hidden = out.origin == ledger_origin(out.party, kPrivateLog);
  const std::string name = hidden ? "the private log of " + out.party : "the ledger of " + out.party;
  if (!hidden && out.origin != ledger_origin(out.party, report_.agreement))
    return problem("a ledger is neither of this agreement nor private: " + printable(out.origin));
  auto head = open(out.note, out.origin, out.party);
  if (!head) return problem("the head of " + name + " is not signed by a log key that the agreement names");
  out.head = *std::move(head);
  auto cosigned = ledger::cosignatures(out.note, witnesses_);
  if (!cosigned.ok())
    problem("the head of " + name + ": " + cosigned.error().text());
  else
    for (const auto& c : *cosigned) out.cosigned.emplace_back(out.head.size, c);
  std::string by;
  for (const auto& [_, c] : out.cosigned) by += fmt::format(", {} {}", c.name, to_text(c.at).substr(0, 19) + "Z");
  fact(fmt::format("{}: {} entries, signed by its log key{}{}", name, out.head.size,
                   out.cosigned.empty() ? "" : "; cosigned by", by.empty() ? by : by.substr(1)));
  for (const Value e : values_at(v, "entries")) entry(e, out, name);
  for (const Value o : values_at(v, "older")) older(o, out, name);
  logs_.push_back(std::move(out));
}

Result<ledger::Proof> proof_at(const Value& v) {
  ledger::Proof proof;
  for (const Value h : values_at(v, "proof")) {
    std::string_view text;
    if (h.get_string().get(text) != simdjson::SUCCESS) return invalid("a hash is no text");
    TRY(const std::string raw, unbase64(text));
    if (raw.size() != sizeof(ledger::Hash)) return invalid("a hash has not 32 octets");
    std::copy(raw.begin(), raw.end(), proof.emplace_back().begin());
  }
  return proof;
}

void Checker::entry(const Value& v, Shown& out, const std::string& name) {
  const auto number = json::find_int(v, "index");
  if (!number || *number < 0) return problem("an entry of " + name + " has no index");
  const auto index = static_cast<uint64_t>(*number);
  const std::string where = fmt::format("entry {} of {}", index, name);
  Shown::Entry e;
  e.text = text_at(v, "leaf");
  auto leaf = ledger::parse_leaf(e.text);
  if (!leaf.ok()) return problem(where + ": " + leaf.error().text());
  e.leaf = *std::move(leaf);
  const auto proof = proof_at(v);
  if (!proof.ok() || !ledger::verify_inclusion(ledger::leaf_hash(e.text), index, out.head.size, *proof, out.head.root))
    return problem(where + " is not shown to be under the signed root");
  e.record = text_at(v, "record");
  if (!e.record.empty()) {
    const auto salt = unbase64(text_at(v, "salt"));
    if (!salt.ok() || !equal_ct(ledger::commit_to(*salt, e.record), e.leaf.commitment))
      problem("the record of " + where + " is not what its leaf commits to");
  }
  fact(fmt::format("{}: {}{}, {}{}", where, e.leaf.kind, e.leaf.recipient.empty() ? "" : " to " + e.leaf.recipient,
                   to_text(e.leaf.at), e.record.empty() ? "" : ", opened"));
  if (!out.entries.emplace(index, std::move(e)).second) problem(where + " stands twice");
}

void Checker::older(const Value& v, Shown& log, const std::string& name) {
  const std::string note = text_at(v, "checkpoint");
  const auto head = open(note, log.origin, log.party);
  if (!head) return problem("an older head of " + name + " is not signed by its log key");
  const auto proof = proof_at(v);
  if (!proof.ok() || !ledger::verify_consistency(head->size, head->root, log.head.size, log.head.root, *proof))
    return problem(fmt::format("{} is not shown to extend its head of {} entries", name, head->size));
  const auto cosigned = ledger::cosignatures(note, witnesses_);
  if (!cosigned.ok()) return problem("an older head of " + name + ": " + cosigned.error().text());
  std::string by;
  for (const auto& c : *cosigned) {
    by += fmt::format(", {} {}", c.name, to_text(c.at).substr(0, 19) + "Z");
    log.cosigned.emplace_back(head->size, c);
  }
  fact(fmt::format("{} extends its head of {} entries{}{}", name, head->size, by.empty() ? "" : ", cosigned by",
                   by.empty() ? by : by.substr(1)));
}

bool Checker::stands(const std::string& party, uint64_t index, const std::string& leaf) const {
  return std::ranges::any_of(logs_, [&](const Shown& l) {
    const auto e = l.entries.find(index);
    return l.party == party && l.origin == ledger_origin(party, report_.agreement) && e != l.entries.end() &&
           e->second.text == leaf;
  });
}

void Checker::manifest(const std::string& text) {
  const auto doc = json::parse(text);
  auto m = doc.ok() ? parse_manifest(doc->root()) : Result<Manifest>(doc.error());
  if (!m.ok()) return problem("a manifest: " + m.error().text());
  const PublicKey* key = node_key(m->kid, m->from);
  if (key == nullptr || !manifest_signed(*m, *key))
    return problem("manifest " + m->id + " is not signed by the node of " + m->from);
  if (!stands(m->from, m->leaf_index, m->leaf))
    return problem(fmt::format("the leaf of manifest {} is not among the proven entries", m->id));
  for (const auto& o : m->objects) listed_.emplace(o.sha256, std::pair(m->from, o));
  released_.insert(sha256_hex(m->leaf));
  fact(fmt::format("{} released {} object{} to {} at {} (entry {})", m->from, m->objects.size(),
                   m->objects.size() == 1 ? "" : "s", m->to, to_text(m->at), m->leaf_index));
}

void Checker::receipt(const std::string& text) {
  const auto doc = json::parse(text);
  auto r = doc.ok() ? parse_receipt(doc->root()) : Result<Receipt>(doc.error());
  if (!r.ok()) return problem("a receipt: " + r.error().text());
  const PublicKey* key = node_key(r->kid, r->from);
  if (key == nullptr || !receipt_signed(*r, *key))
    return problem("receipt " + r->id + " is not signed by the node of " + r->from);
  if (!stands(r->from, r->leaf_index, r->leaf)) {
    // A copy of the partner's ledger may end before the receipt that came with its node's signature.
    return problem(fmt::format("the leaf of receipt {} is not among the proven entries", r->id));
  }
  fact(fmt::format("{} acknowledges {}: {} taken, {} refused, at {} (entry {}){}", r->from, r->manifest, r->received,
                   r->refused.size(), to_text(r->at), r->leaf_index,
                   released_.contains(r->leaf_sha256) ? "" : "; that release is not in the package"));
}

void Checker::object(const Value& v) {
  const std::string sha = text_at(v, "sha256");
  const std::string id = text_at(v, "id");
  const auto l = listed_.find(sha);
  if (l == listed_.end() || l->second.second.id != id || l->second.second.version != text_at(v, "version"))
    return problem("object " + printable(id) + " is in no manifest of the package");
  const auto text = json::find_string(v, "text");
  if (text && sha256_hex(*text) != sha)
    return problem("the octets of " + printable(id) + " are not those that were released");
  fact(fmt::format("{} was released by {}{}", printable(id), l->second.first, text ? "; its octets are here" : ""));
}

void Checker::conflict(const Value& v) {
  const std::string party = text_at(v, "party");
  const std::string said = text_at(v, "problem");
  // Its record is in the ledger of who found it.
  const bool recorded = std::ranges::any_of(logs_, [&](const Shown& l) {
    return std::ranges::any_of(l.entries, [&](const auto& e) {
      if (e.second.leaf.kind != "conflict" || e.second.record.empty()) return false;
      const auto doc = json::parse(e.second.record);
      return doc.ok() && text_at(doc->root(), "problem") == said &&
             text_at(doc->root(), "earlier") == text_at(v, "earlier") &&
             text_at(doc->root(), "later") == text_at(v, "later") && text_at(doc->root(), "peer") == party;
    });
  });
  if (!recorded) problem("the conflict is not the one that the opened leaf records");
  const std::string origin = ledger_origin(party, report_.agreement);
  const auto a = open(text_at(v, "earlier"), origin, party);
  const auto b = open(text_at(v, "later"), origin, party);
  if (a && b && a->size == b->size && a->root != b->root)
    return fact(fmt::format("PROVED by itself: {} signed two heads of {} entries with two roots", party, a->size));
  if (a && b && b->size < a->size)
    return fact(fmt::format("PROVED by itself: {} signed a head of {} entries after one of {} was seen", party, b->size,
                            a->size));
  fact(fmt::format("recorded against {}: {}", party, printable(said, 300)));
}

// A private leaf counts for as old as the anchor that a partner's witness has signed.
void Checker::private_heads() {
  for (const auto& l : logs_) {
    if (l.origin != ledger_origin(l.party, kPrivateLog)) continue;
    const Shown* pair = nullptr;
    const Shown::Entry* anchor = nullptr;
    uint64_t anchor_index = 0;
    for (const auto& other : logs_) {
      if (other.party != l.party || other.origin != ledger_origin(l.party, report_.agreement)) continue;
      for (const auto& [index, e] : other.entries) {
        if (e.leaf.kind != "anchor" || e.record.empty()) continue;
        const auto doc = json::parse(e.record);
        if (!doc.ok() || text_at(doc->root(), "note") != l.note || text_at(doc->root(), "party") != l.party) continue;
        pair = &other;
        anchor = &e;
        anchor_index = index;
      }
    }
    if (anchor == nullptr) {
      problem("the head of the private log of " + l.party + " is not anchored in its ledger");
      continue;
    }
    for (const auto& [index, e] : l.entries)
      if (anchor->leaf.at < e.leaf.at)
        problem(fmt::format("private entry {} is dated after the anchor that covers it", index));
    std::string by;
    for (const auto& [size, c] : pair->cosigned)
      if (anchor_index < size) by += fmt::format(", {} {}", c.name, to_text(c.at).substr(0, 19) + "Z");
    fact(fmt::format("the private log of {} had these {} entries by {}{}{}", l.party, l.head.size,
                     to_text(anchor->leaf.at), by.empty() ? "" : "; witnessed by", by.empty() ? by : by.substr(1)));
  }
}

void Checker::claim(const Value& root) {
  const auto about = json::find(root, "about");
  if (!about || text_at(*about, "kind") != "claim") return;
  const std::string hash = text_at(*about, "value");
  for (const auto& a : acts_) {
    if (a.act.kind != "claim_breach" || !a.act.hash().starts_with(hash)) continue;
    const std::string text = a.text();
    const bool logged = std::ranges::any_of(logs_, [&](const Shown& l) {
      return std::ranges::any_of(l.entries,
                                 [&](const auto& e) { return e.second.leaf.kind == "act" && e.second.record == text; });
    });
    if (!logged) problem("the claim is not in the ledger of who made the package");
    return fact(fmt::format("{} claims a breach, act {}", a.act.party, a.act.hash()));
  }
  problem("the claim that the package is about is not among its acts");
}

Status Checker::run(const Value& root, std::string_view expected_text) {
  agreement(root, expected_text);
  if (!state_.document) return {};
  maker(root);
  for (const Value v : values_at(root, "logs")) log(v);
  const auto each = [&](std::string_view name, void (Checker::*f)(const std::string&)) {
    for (const Value v : values_at(root, name)) {
      std::string_view text;
      if (v.get_string().get(text) != simdjson::SUCCESS)
        problem(std::string(name) + ": not a text");
      else
        (this->*f)(std::string(text));
    }
  };
  each("manifests", &Checker::manifest);
  each("receipts", &Checker::receipt);
  for (const Value v : values_at(root, "objects")) object(v);
  if (const auto c = json::find(root, "conflict")) conflict(*c);
  private_heads();
  claim(root);
  if (logs_.empty()) problem("the package shows no ledger");
  return {};
}

}  // namespace

Result<EvidenceReport> check_evidence(std::string_view package, std::string_view expected_text) {
  if (package.size() > kMaxPackageBytes)
    return make_error(ErrorKind::kTooLarge, "an evidence package has 256 MiB at most");
  while (package.ends_with('\n')) package.remove_suffix(1);
  json::Document doc;
  CHECK_OK(doc.parse(package));
  const Value root = doc.root();
  if (!root.is_object() || text_at(root, "format") != kEvidenceFormat)
    return invalid("this is no evidence package", {}, "make one with 'entente ledger evidence'");
  EvidenceReport report;
  if (json::canonical(root) != package) report.problems.emplace_back("the package is not in canonical form");
  report.agreement = text_at(root, "agreement");
  report.text_sha256 = text_at(root, "text_sha256");
  if (const auto made = json::find(root, "made")) {
    report.made_by = text_at(*made, "by");
    report.made_at = text_at(*made, "at");
  }
  if (const auto about = json::find(root, "about")) {
    report.about = text_at(*about, "kind");
    if (const auto value = text_at(*about, "value"); !value.empty()) report.about += " " + value;
  }
  CHECK_OK(Checker(report).run(root, expected_text));
  return report;
}

}  // namespace entente::exchange
