#include "exchange/exchanged.h"

#include <algorithm>
#include <tuple>

#include "base/bytes.h"
#include "exchange/names.h"
#include "exchange/reconcile.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

std::string sequence_of(const Context& cx, const std::string& agreement_id, const std::string& party) {
  return party == cx.config.party ? "leaf/" + bare_uuid(agreement_id)
                                  : "mirror/" + bare_uuid(agreement_id) + "/" + party;
}

// The first entry that is not older; entries are in order of time.
Result<uint64_t> first_since(const store::Store& store, const std::string& sequence, uint64_t entries, Time since) {
  uint64_t low = 0, high = entries;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    TRY(const auto one, store.read(sequence, middle, 1));
    if (one.empty()) return make_error(ErrorKind::kCorrupt, "a ledger's copy has a gap", sequence);
    const auto leaf = ledger::parse_leaf(one.front());
    if (leaf.ok() && leaf->at < since)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace

Between between_now(Context& cx, const std::string& agreement_id, const std::string& peer, const Period& window) {
  const std::string& me = cx.config.party;
  Between out;
  out.agreement = agreement_id;
  out.a = std::min(me, peer);
  out.b = std::max(me, peer);
  out.a_entries = entries_held(cx, agreement_id, out.a);
  out.b_entries = entries_held(cx, agreement_id, out.b);
  out.until = cx.clock.now();
  out.since = subtract(out.until, window);
  return out;
}

Status Exchanged::read_leaves(const std::string& party) {
  constexpr uint64_t kAtOnce = 4096;
  const uint64_t entries = between_.entries_of(party);
  const uint64_t held = entries_held(*cx_, between_.agreement, party);
  if (entries > held)
    return make_error(ErrorKind::kUnavailable,
                      "this node holds " + std::to_string(held) + " entries of the ledger of " + party + " so far",
                      std::to_string(entries), "ask for no more, or again in a moment");
  const std::string sequence = sequence_of(*cx_, between_.agreement, party);
  auto& leaves = leaves_[party];
  auto& hashes = by_hash_[party];
  auto& commitments = by_commitment_[party];
  TRY(const uint64_t first, first_since(cx_->store, sequence, entries, between_.since));
  for (uint64_t at = first; at < entries;) {
    TRY(const auto some, cx_->store.read(sequence, at, std::min(kAtOnce, entries - at)));
    if (some.empty()) return make_error(ErrorKind::kCorrupt, "a ledger's copy has a gap", sequence);
    for (const auto& text : some) {
      auto leaf = ledger::parse_leaf(text);
      const uint64_t index = at++;
      if (!leaf.ok() || leaf->at > between_.until) continue;
      if (!leaf->recipient.empty() && leaf->recipient != between_.other(party)) continue;
      hashes.emplace(sha256_hex(text), leaves.size());
      commitments.emplace(leaf->commitment, leaves.size());
      leaves.push_back(
          {index, leaf->at, std::move(leaf->kind), std::move(leaf->recipient), std::move(leaf->commitment)});
    }
  }
  return {};
}

// What `from` released to the other, and the receipts that it gave: own ones lie where they were released, the
// partner's where they came in.
Status Exchanged::read_manifests(const std::string& from) {
  constexpr int64_t kSlackUs = int64_t{3600} * 1'000'000;
  const std::string& to = between_.other(from);
  const bool own = from == cx_->config.party;
  store::Query q;
  q.all = true;
  q.limit = 1000;
  q.types = {std::string(kManifestType), std::string(kReceiptType)};
  q.spec_versions = {"2.1"};
  q.added_after = between_.since.plus_us(-kSlackUs);
  const Uuid place = own ? released(between_.agreement, from, to) : evidence_of(between_.agreement, from, to);
  while (true) {
    TRY(const auto page, cx_->store.page(place, q));
    if (page.rows.empty()) return {};
    q.added_after = page.rows.back().date_added;
    for (const auto& row : page.rows) {
      TRY(const std::string raw, cx_->store.raw(row));
      TRY(const json::Document doc, json::parse(raw));
      if (row.type == kManifestType) {
        auto m = parse_manifest(doc.root());
        if (!m.ok()) continue;
        const auto leaf = by_hash_[from].find(sha256_hex(m->leaf));
        if (leaf == by_hash_[from].end()) continue;
        sent_.push_back({from, *std::move(m), leaves_[from][leaf->second], {}, 0});
      } else {
        const auto r = parse_receipt(doc.root());
        if (!r.ok()) continue;
        const auto leaf = by_hash_[from].find(sha256_hex(r->leaf));
        if (leaf == by_hash_[from].end()) continue;
        receipts_.push_back({to, r->leaf_sha256, leaves_[from][leaf->second].at, r->refused.size()});
      }
    }
  }
}

void Exchanged::read_steps(const Instruments& instruments) {
  for (const auto& a : instruments.acts(between_.agreement)) {
    if (!agreement::is_joint(a.act.kind) && !agreement::is_onward(a.act.kind)) continue;
    const std::string text = a.text();
    const std::string commitment = ledger::commit_to(act_salt(text), text);
    Step step{a, a.act.hash(), {}};
    for (const auto& party : {between_.a, between_.b}) {
      const auto& known = by_commitment_[party];
      if (const auto leaf = known.find(commitment); leaf != known.end())
        step.seen[party] = leaves_[party][leaf->second].at;
    }
    if (!step.seen.empty()) steps_.push_back(std::move(step));
  }
  std::ranges::sort(steps_, [](const Step& x, const Step& y) { return x.hash < y.hash; });
}

Result<Exchanged> Exchanged::read(Context& cx, const Instruments& instruments, const Between& between) {
  const std::string& me = cx.config.party;
  if (between.a >= between.b || (between.a != me && between.b != me))
    return invalid("this is between this party and another", between.a + " " + between.b);
  Exchanged out(cx, between);
  for (const auto& party : {between.a, between.b}) CHECK_OK(out.read_leaves(party));
  for (const auto& party : {between.a, between.b}) CHECK_OK(out.read_manifests(party));
  std::map<std::pair<std::string, std::string>, size_t> sent;  // sender, leaf
  for (size_t i = 0; i < out.sent_.size(); ++i) sent[{out.sent_[i].from, sha256_hex(out.sent_[i].manifest.leaf)}] = i;
  for (const auto& r : out.receipts_) {
    const auto it = sent.find({r.sender, r.leaf});
    if (it == sent.end()) continue;
    SentManifest& m = out.sent_[it->second];
    m.answered = m.answered ? std::min(*m.answered, r.at) : r.at;
    m.refused += r.refused;
  }
  std::ranges::sort(out.sent_, [](const SentManifest& x, const SentManifest& y) {
    return std::tie(x.from, x.leaf.index) < std::tie(y.from, y.leaf.index);
  });
  out.read_steps(instruments);
  return out;
}

std::string Exchanged::octets(const SentManifest& sent, const Listed& listed) const {
  const std::string& to = between_.other(sent.from);
  const Uuid place = sent.from == cx_->config.party ? released(between_.agreement, sent.from, to)
                                                    : received(between_.agreement, sent.from, to);
  const auto rows = cx_->store.find(place, listed.id);
  if (!rows.ok()) return {};
  for (const auto& row : *rows) {
    if (row.versioned && row.version != listed.version) continue;
    auto raw = cx_->store.raw(row);
    if (raw.ok() && sha256_hex(*raw) == listed.sha256) return *std::move(raw);
  }
  return {};
}

Time Exchanged::committed(const SentManifest& sent, size_t object) const {
  const Manifest& m = sent.manifest;
  if (!m.says_since() || object >= m.committed.size()) return sent.leaf.at;
  const Time said = m.committed[object];
  const auto& known = by_commitment_.at(sent.from);
  const bool shown = std::ranges::any_of(m.commits, [&](const Commit& c) {
    const auto leaf = known.find(ledger::commit_to(c.salt, c.record()));
    return leaf != known.end() && leaves_.at(sent.from)[leaf->second].kind == "commit" && c.first <= said &&
           said <= c.last;
  });
  return shown ? std::min(said, sent.leaf.at) : sent.leaf.at;
}

}  // namespace entente::exchange
