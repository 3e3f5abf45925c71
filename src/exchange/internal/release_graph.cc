#include "exchange/internal/release_graph.h"

#include "exchange/admission.h"
#include "exchange/names.h"
#include "stix/marking.h"

namespace entente::exchange::internal {

std::string count_key(std::string_view agreement_id, std::string_view to) {
  return std::string(agreement_id) + " " + std::string(to);
}

void ReleaseGraph::add(store::Row row, std::string text, agreement::GraphObject proto) {
  texts.push_back(std::move(text));
  proto.raw = texts.back();
  auto [it, fresh] = newest.try_emplace(row.id, objects.size());
  if (!fresh && rows[it->second].version_time < row.version_time) it->second = objects.size();
  objects.push_back(proto);
  rows.push_back(std::move(row));
}

void ReleaseGraph::note_references(const json::Value& object) {
  stix::for_each_reference(object, [&](const stix::Reference& r) {
    if (r.id.starts_with("extension-definition--") || stix::tlp_of_id(r.id).has_value()) return;
    std::string id(r.id);
    if (!newest.contains(id)) wanted.push_back(std::move(id));
  });
}

// The newest version of `id` that this party or one of its partners brought.
Status ReleaseGraph::add_context(const Context& cx, const std::string& id, const std::string& to,
                                 const std::string& agreement_id) {
  const std::string& me = cx.config.party;
  const Uuid released_collection = released(agreement_id, me, to);
  TRY(std::vector<store::Row> found, cx.store.find(id));
  const store::Row* best = nullptr;
  bool known = false;
  agreement::GraphObject proto;
  for (const auto& row : found) {
    const RowMeta meta = RowMeta::parse(row.meta);
    if (row.collection == released_collection) {
      known = true;
      continue;
    }
    const bool own = row.collection == inbox(me) || row.collection == sightings(me);
    const bool got = !own && !meta.agreement.empty() && row.collection == received(meta.agreement, meta.by, me);
    if (!own && !got) continue;
    if (best == nullptr || best->version_time < row.version_time) {
      best = &row;
      proto = {};
      proto.originator = own ? std::string_view(me) : std::string_view();
      proto.candidate = false;
      proto.committed = row.date_added;
    }
  }
  if (best == nullptr) return {};
  const RowMeta meta = RowMeta::parse(best->meta);
  TRY(std::string text, cx.store.raw(*best));
  // The originator's code must outlive the call: it is kept beside the texts.
  if (proto.originator.empty()) {
    texts.push_back(meta.by);
    proto.originator = texts.back();
    texts.push_back(meta.agreement);
    proto.received_under = texts.back();
    proto.inherited = stix::parse_tlp(meta.tlp).value_or(stix::Tlp::kRed);
  }
  if (auto as = cx.store.get("sent-as", count_key(agreement_id, to) + " " + id); as.ok()) {
    known = true;
    texts.push_back(std::move(*as));
    proto.sent_id = texts.back();
  }
  proto.known_to_recipient = known || proto.originator == to;
  add(*best, std::move(text), proto);
  return {};
}

Status ReleaseGraph::complete(const Context& cx, const std::string& to, const std::string& agreement_id) {
  std::unordered_map<std::string, bool> asked;
  thread_local json::Document doc;
  size_t parsed = objects.size();
  const bool origins = cx.store.get(kOriginSpace, "").ok();
  size_t traced = 0;
  while (true) {
    for (; origins && traced < objects.size(); ++traced) {
      const std::string prefix = rows[traced].id + " ";
      TRY(const auto relations, cx.store.all(kOriginSpace, prefix));
      for (const auto& [key, value] : relations) wanted.push_back(key.substr(prefix.size()));
    }
    if (wanted.empty() || objects.size() >= kContextMax) return {};
    std::vector<std::string> ids;
    ids.swap(wanted);
    for (const auto& id : ids) {
      if (newest.contains(id) || !asked.try_emplace(id, true).second) continue;
      CHECK_OK(add_context(cx, id, to, agreement_id));
    }
    for (; parsed < objects.size(); ++parsed) {
      CHECK_OK(doc.parse(objects[parsed].raw));
      note_references(doc.root());
    }
  }
}

}  // namespace entente::exchange::internal
