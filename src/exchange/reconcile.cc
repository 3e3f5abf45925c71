#include "exchange/reconcile.h"

#include <map>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "exchange/names.h"
#include "exchange/wire.h"
#include "json/node.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

std::string sequence_of(const Context& cx, const std::string& agreement_id, const std::string& party) {
  return party == cx.config.party ? "leaf/" + bare_uuid(agreement_id)
                                  : "mirror/" + bare_uuid(agreement_id) + "/" + party;
}

// Leaves of these kinds for this recipient, among the first `entries`.
template <class Take>
Status each_leaf(Context& cx, const std::string& agreement_id, const std::string& party, uint64_t entries,
                 std::string_view recipient, Take take) {
  constexpr uint64_t kAtOnce = 4096;
  const std::string sequence = sequence_of(cx, agreement_id, party);
  for (uint64_t at = 0; at < entries;) {
    TRY(const auto some, cx.store.read(sequence, at, std::min(kAtOnce, entries - at)));
    if (some.empty()) return make_error(ErrorKind::kCorrupt, "a ledger's copy has a gap", sequence);
    for (const auto& text : some) {
      const auto leaf = ledger::parse_leaf(text);
      if (leaf.ok() && leaf->recipient == recipient) take(at, *leaf, text);
      ++at;
    }
  }
  return {};
}

// The agreement's time for acknowledgements; the shortest, if there are several.
std::optional<Period> acknowledge_within(const agreement::Document& document) {
  const json::Node* levels = document.node.find("service_levels");
  std::optional<Period> out;
  if (levels == nullptr || !levels->is_array()) return out;
  for (const auto& level : levels->list()) {
    if (level.string_at("act") != "acknowledge") continue;
    const auto within = parse_period(level.string_at("within"));
    if (within.ok() && (!out || add(Time{0}, *within) < add(Time{0}, *out))) out = *within;
  }
  return out;
}

json::Node numbers(const std::vector<uint64_t>& list) {
  json::Node::List out;
  out.reserve(list.size());
  for (const uint64_t n : list) out.emplace_back(n);
  return json::Node(std::move(out));
}

}  // namespace

std::string Reconciliation::text() const {
  json::Node n = json::Node::object();
  n.set("agreement", agreement)
      .set("from", from)
      .set("to", to)
      .set("from_entries", from_entries)
      .set("to_entries", to_entries)
      .set("releases", releases)
      .set("matched", matched)
      .set("objects_received", objects_received)
      .set("objects_refused", objects_refused)
      .set("missing", numbers(missing))
      .set("late", numbers(late))
      .set("extra", numbers(extra));
  if (entitled_upto) n.set("entitled_upto", *entitled_upto);
  return json::canonical(n);
}

uint64_t entries_held(Context& cx, const std::string& agreement_id, const std::string& party) {
  return cx.store.length(sequence_of(cx, agreement_id, party));
}

Result<Reconciliation> reconcile(Context& cx, const agreement::State& state, const std::string& from,
                                 const std::string& to, uint64_t from_entries, uint64_t to_entries) {
  const std::string& me = cx.config.party;
  if (from == to || (from != me && to != me))
    return invalid("a reconciliation is between this party and another", from + " " + to);
  for (const auto& [party, entries] : {std::pair(from, from_entries), std::pair(to, to_entries)}) {
    const uint64_t held = entries_held(cx, state.agreement_id, party);
    if (entries > held)
      return make_error(ErrorKind::kUnavailable,
                        "this node holds " + std::to_string(held) + " entries of the ledger of " + party + " so far",
                        std::to_string(entries), "ask for no more, or again in a moment");
  }
  Reconciliation out;
  out.agreement = state.agreement_id;
  out.from = from;
  out.to = to;
  out.from_entries = from_entries;
  out.to_entries = to_entries;

  struct Release {
    uint64_t index;
    Time at;
    bool received = false;
  };
  std::map<std::string, Release> releases;  // SHA-256 of the leaf
  CHECK_OK(each_leaf(cx, state.agreement_id, from, from_entries, to,
                     [&](uint64_t index, const ledger::Leaf& leaf, const std::string& text) {
                       if (leaf.kind == "entitled") out.entitled_upto = index;
                       if (leaf.kind == "release") releases[sha256_hex(text)] = {index, leaf.at};
                     }));
  // The receipts themselves, by their leaf: ours lie where they were released, the partner's where they came in.
  std::map<std::string, Receipt> receipts;
  const Uuid place = me == to ? released(state.agreement_id, to, from) : evidence_of(state.agreement_id, to, from);
  store::Query q;
  q.all = true;
  q.limit = 1000;
  while (true) {
    TRY(const auto page, cx.store.page(place, q));
    if (page.rows.empty()) break;
    q.added_after = page.rows.back().date_added;
    for (const auto& row : page.rows) {
      if (!row.id.starts_with(kReceiptType)) continue;
      TRY(const std::string raw, cx.store.raw(row));
      TRY(const json::Document doc, json::parse(raw));
      auto r = parse_receipt(doc.root());
      if (!r.ok()) continue;
      const std::string leaf = sha256_hex(r->leaf);
      receipts.insert_or_assign(leaf, *std::move(r));
    }
  }
  const auto within = acknowledge_within(*state.document);
  std::set<uint64_t> late;
  CHECK_OK(each_leaf(cx, state.agreement_id, to, to_entries, from,
                     [&](uint64_t index, const ledger::Leaf& leaf, const std::string& text) {
                       if (leaf.kind != "receipt" && leaf.kind != "refuse") return;
                       const auto r = receipts.find(sha256_hex(text));
                       const auto rel = r == receipts.end() ? releases.end() : releases.find(r->second.leaf_sha256);
                       if (rel == releases.end()) {
                         out.extra.push_back(index);
                         return;
                       }
                       rel->second.received = true;
                       out.objects_received += r->second.received;
                       out.objects_refused += r->second.refused.size();
                       if (within && add(rel->second.at, *within) < leaf.at) late.insert(rel->second.index);
                     }));
  std::set<uint64_t> missing;
  for (const auto& [_, r] : releases) {
    ++out.releases;
    if (r.received)
      ++out.matched;
    else
      missing.insert(r.index);
  }
  out.missing.assign(missing.begin(), missing.end());
  out.late.assign(late.begin(), late.end());
  return out;
}

}  // namespace entente::exchange
