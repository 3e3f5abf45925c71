#include "exchange/handling.h"

#include <algorithm>

#include "exchange/destruction.h"
#include "exchange/names.h"
#include "exchange/wire.h"
#include "json/node.h"
#include "stix/object.h"

namespace entente::exchange {
namespace {

// The highest floor of the permits between the two for this type: what came under one of them bears at least that; it
// is told by the manifest too, and counted again here in case the manifest told less.
stix::Tlp floor_of(const agreement::Document& doc, std::string_view from, std::string_view article) {
  stix::Tlp floor = stix::Tlp::kClear;
  for (const auto& f : doc.flows) {
    const bool named = std::ranges::any_of(f.from, [&](const auto& p) { return p == "*" || p == from; });
    if (f.permit && named && f.art == article) floor = std::max(floor, f.floor);
  }
  return floor;
}

std::optional<stix::Tlp> marked_tlp(const json::Value& object) {
  std::optional<stix::Tlp> out;
  for (const auto ref : json::string_list(json::find_array(object, "object_marking_refs"))) {
    if (const auto t = stix::tlp_of_id(ref)) out = std::max(out.value_or(*t), *t);
  }
  return out;
}

}  // namespace

bool is_own_note(const RowMeta& meta) { return meta.by == kDestroyedBy || meta.by == kHandlingBy; }

void MarkedPap::learn(std::string_view id, const json::Value& definition) {
  known_[std::string(id)] = stix::pap_of_definition(definition);
}

std::optional<stix::Pap> MarkedPap::of(const json::Value& object) {
  std::optional<stix::Pap> out;
  for (const auto ref : json::string_list(json::find_array(object, "object_marking_refs"))) {
    if (stix::tlp_of_id(ref)) continue;
    auto it = known_.find(ref);
    if (it == known_.end()) {
      std::optional<stix::Pap> pap = stix::Pap::kRed;
      const auto rows = store_.find(collection_, ref);
      if (rows.ok() && !rows->empty()) {
        if (const auto raw = store_.raw(rows->back()); raw.ok()) {
          if (const auto doc = json::parse(*raw); doc.ok()) pap = stix::pap_of_definition(doc->root());
        }
      }
      it = known_.emplace(std::string(ref), pap).first;
    }
    if (it->second) out = std::max(out.value_or(*it->second), *it->second);
  }
  return out;
}

std::string handling_note(const json::Value& object, std::string_view id, std::string_view version, stix::Pap told,
                          std::optional<stix::Pap> marked, stix::Pap by_default, Time now) {
  if (told <= marked.value_or(by_default)) return {};
  static const Uuid kSpace = *parse_uuid("9c7a0f0e-6f39-4f0c-8f4e-2f1f4a0b6d33");
  json::Node n = envelope_object(kHandlingType, std::string(kHandlingType) + "--" + name_uuid(kSpace, id).text(), now);
  n.set("object", id).set("version", version).set("pap", stix::to_text(told));
  if (const auto tlp = marked_tlp(object)) n.set("marked_tlp", stix::to_text(*tlp));
  return json::write(n);
}

Result<std::vector<Effective>> handling_of(const Context& cx, const Instruments& instruments, const std::string& id) {
  std::vector<Effective> out;
  const std::string& me = cx.config.party;
  for (const auto& state : instruments.states()) {
    for (const auto& peer : partners_of(*state, me)) {
      const Uuid into = received(state->agreement_id, peer, me);
      TRY(const auto rows, cx.store.find(into, id));
      if (rows.empty() || !state->document) continue;
      const store::Row& row = rows.back();
      const RowMeta meta = RowMeta::parse(row.meta);
      Effective e;
      e.from = peer;
      e.agreement = state->agreement_id;
      e.article = meta.article;
      e.version = row.version;
      e.revoked = row.revoked;
      e.live = state->live(peer, me);
      agreement::Handling handling;
      if (meta.by != kDestroyedBy) {
        TRY(const std::string raw, cx.store.raw(row));
        TRY(const json::Document doc, json::parse(raw));
        const json::Value object = doc.root();
        MarkedPap marks(cx.store, into);
        const auto pap = marks.of(object);
        const auto tlp = marked_tlp(object);
        if (pap) e.marked_pap = stix::to_text(*pap);
        if (tlp) e.marked_tlp = stix::to_text(*tlp);
        e.tlp = std::max({tlp.value_or(stix::Tlp::kClear), stix::parse_tlp(meta.tlp).value_or(stix::Tlp::kRed),
                          floor_of(*state->document, peer, meta.article)});
        e.pap = std::max(pap.value_or(stix::Pap::kClear), stix::parse_pap(meta.pap).value_or(stix::Pap::kRed));
        if (const auto c = json::find_int(object, "confidence")) handling.confidence = static_cast<int>(*c);
        for (const auto t : json::string_list(json::find_array(object, "indicator_types")))
          handling.indicator_types.emplace_back(t);
      }
      handling.pap = e.pap;
      e.monitor = agreement::may(agreement::Action::kMonitor, handling, *state);
      e.block = agreement::may(agreement::Action::kBlock, handling, *state);
      if (row.revoked) e.block = {false, "", "it was taken back"};
      if (meta.by == kDestroyedBy) e.monitor = e.block = {false, "", "its term of retention was over: it is destroyed"};
      const Terms terms(cx, instruments, state, peer);
      e.term = terms.of(id, meta, row.date_added);
      out.push_back(std::move(e));
    }
  }
  return out;
}

}  // namespace entente::exchange
