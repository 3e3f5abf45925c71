// An event: its frame, its accounting, and the report or grouping that holds it together.
#include <algorithm>
#include <array>

#include "base/uuid.h"
#include "json/json.h"
#include "misp/internal/importer.h"
#include "misp/internal/values.h"
#include "stix/validate.h"

namespace entente::misp::internal {

using json::Node;

namespace {

bool trivial(std::string_view structure, std::string_view name, const Node& v) {
  if (v.is_null()) return true;
  if (name == "distribution") return structure == "Attribute" && to_text(v) == "5";  // as the event or object says
  if (v.is_string()) return v.string().empty() || v.string() == "0";
  if (v.is_bool()) return !v.boolean();
  if (v.is_int()) return v.integer() == 0;
  if (v.is_array()) return v.list().empty();
  return v.is_object() && v.members().empty();
}

// "/Event/Attribute/3/id" -> "/Event/Attribute/*/id"
std::string starred(const std::string& path) {
  std::string out;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string part = path.substr(at, end - at);
    const bool digits = part.size() > 1 && part.find_first_not_of("0123456789", 1) == std::string::npos;
    out += digits ? "/*" : part;
    at = end;
  }
  return out;
}

int64_t small_number(const Node* v) {
  if (v == nullptr) return 0;
  const std::string text = to_text(*v);
  return text.size() == 1 && text[0] >= '0' && text[0] <= '9' ? text[0] - '0' : 0;
}

}  // namespace

void Importer::list(std::string path, std::string_view type, std::string reason, bool changed) {
  out_.not_carried.push_back({std::move(path), std::string(type), std::move(reason), 1, changed});
}

std::string Importer::unique(std::string uuid, const std::string& path, std::string_view type) {
  if (!uuids_.insert(uuid).second) {
    list(path, type, "the same uuid twice in one event: it gets another", true);
    uuid = derived_uuid(uuid + " " + path);
    uuids_.insert(uuid);
  }
  return uuid;
}

void Importer::account(std::string_view structure, const Node& node, const std::string& path) {
  if (!node.is_object()) return;
  for (const auto& [name, value] : node.members()) {
    const Member* member = find_member(structure, name);
    if (member != nullptr && member->reason.empty()) continue;
    if (trivial(structure, name, value)) continue;
    const auto [at, fresh] = grouped_.emplace(std::string(structure) + "." + name, out_.not_carried.size());
    if (!fresh) {
      auto& have = out_.not_carried[at->second];
      if (have.count++ == 1) have.path = starred(have.path);
      continue;
    }
    const std::string_view unknown = structure == "meta" ? "part of the galaxy itself, which is published on its own"
                                                         : "not a member of the core format that this version knows";
    list(path + "/" + name, name, std::string(member != nullptr ? member->reason : unknown));
  }
}

Node Importer::begin(std::string_view type, const std::string& id, const Source& source) const {
  Node n = Node::object();
  n.set("type", type).set("spec_version", "2.1").set("id", id);
  if (!creator_.empty()) n.set("created_by_ref", creator_);
  n.set("created", stix_time(std::min(date_, source.modified))).set("modified", stix_time(source.modified));
  if (source.deleted) n.set("revoked", true);
  return n;
}

bool Importer::emit(Node object, const Source& source, const Marks& marks, Node extension) {
  const auto texts = [](const std::vector<std::string>& all) {
    Node l = Node::array();
    for (const auto& one : all) l.push(one);
    return l;
  };
  if (!marks.labels.empty()) object.set("labels", texts(marks.labels));
  if (!marks.markings.empty()) object.set("object_marking_refs", texts(marks.markings));
  if (!extension.is_null()) {
    Node e = Node::object();
    e.set("extension_type", "property-extension");
    for (auto& [name, value] : extension.members()) e.set(name, std::move(value));
    Node all = Node::object();
    all.set(kExtension, std::move(e));
    object.set("extensions", std::move(all));
  }
  // What is not valid is not made: so everything that comes out of here is.
  json::Document doc;
  std::vector<stix::Finding> findings;
  if (const auto s = doc.parse(json::write(object)); !s.ok()) {
    list(source.path, source.type, s.error().text());
    return false;
  }
  if (!stix::validate(doc.root(), {.strict = true, .warnings = false}, findings)) {
    list(source.path, source.type, "would not be valid STIX: " + findings.front().message);
    return false;
  }
  const std::string id(object.string_at("id"));
  store_.add(std::move(object));
  // Notes point at their container; the other way round would be a circle.
  if (!id.starts_with("note--") && member_set_.insert(id).second) members_.push_back(id);
  return true;
}

void Importer::relate(const std::string& source, std::string_view verb, const std::string& target, const Source& of,
                      const std::string& uuid, std::string_view comment, Node extension) {
  const std::string id = uuid.empty() ? "relationship--" + derived_uuid(source + " " + std::string(verb) + " " + target)
                                      : id_of("relationship", uuid);
  Node n = begin("relationship", id, of);
  n.set("relationship_type", verb);
  if (!comment.empty()) n.set("description", comment);
  n.set("source_ref", source).set("target_ref", target);
  (void)emit(std::move(n), of, {of.marks.markings, {}}, std::move(extension));
}

Status Importer::event(const Node& event, const std::string& path) {
  event_uuid_ = event.string_at("uuid");
  if (!parse_uuid(event_uuid_))
    return invalid("an event without uuid", path + "/uuid", "export it from MISP as JSON (core format)");
  creator_.clear(), uuids_.clear(), members_.clear(), member_set_.clear(), made_.clear(), carried_tags_.clear();
  ++out_.counts.events;
  account("Event", event, path);

  const auto stamp = misp_seconds(event.find("timestamp"));
  const auto date = misp_time(event.find("date"));
  const Time none = *parse_time(kNoTime);
  timestamp_ = stamp.value_or(date.value_or(none));
  date_ = date.value_or(timestamp_);

  if (store_.objects().empty()) {
    store_.add(extension_author());
    store_.add(extension_definition());
  }
  creator_ = organisation(event.find("Orgc"), "");
  // Before the tags: those that stand for a cluster are not labels too.
  const auto galaxies = clusters(event, path);
  event_marks_ = {};
  event_marks_ = tags(event, path, nullptr);
  const bool published = event.find("published") != nullptr && to_text(*event.find("published")) != "false" &&
                         to_text(*event.find("published")) != "0" && event.find("published")->is_bool();
  const auto published_at = misp_seconds(event.find("publish_timestamp"));
  const bool report = published && published_at.has_value();
  container_ = id_of(report ? "report" : "grouping", event_uuid_);
  for (const auto& id : galaxies) {
    if (member_set_.insert(id).second) members_.push_back(id);
  }

  const auto each = [&](const char* name, const auto& fn) {
    const Node* all = event.find(name);
    if (all == nullptr || !all->is_array()) return;
    for (size_t i = 0; i < all->list().size(); ++i) fn(all->list()[i], path + "/" + name + "/" + std::to_string(i));
  };
  each("Attribute", [&](const Node& n, const std::string& p) { attribute(n, p); });
  each("Object", [&](const Node& n, const std::string& p) { object(n, p); });
  each("Object", [&](const Node& n, const std::string& p) { references(n, p); });
  each("EventReport", [&](const Node& n, const std::string& p) { event_report(n, p); });
  proposals(event, path);

  Source source{.path = path,
                .uuid = event_uuid_,
                .type = "Event",
                .comment = {},
                .modified = timestamp_,
                .first_seen = {},
                .last_seen = {},
                .deleted = false,
                .marks = event_marks_,
                .name = {}};
  Node n = begin(report ? "report" : "grouping", container_, source);
  const auto info = event.string_at("info");
  n.set("name", info.empty() ? "(no title)" : info);
  if (report) {
    n.set("published", stix_time(*published_at));
  } else {
    n.set("context", "suspicious-activity");
  }
  if (members_.empty()) members_.push_back(creator_.empty() ? std::string(kExtensionAuthor) : creator_);
  Node refs = Node::array();
  for (const auto& m : members_) refs.push(m);
  n.set("object_refs", std::move(refs));
  Node x = Node::object();
  x.set("kind", "event");
  if (container_.substr(container_.find("--") + 2) != event_uuid_) x.set("uuid", event_uuid_);
  if (date) x.set("date", event.string_at("date"));
  if (const auto level = small_number(event.find("threat_level_id")); level > 0) x.set("threat_level_id", level);
  if (const Node* analysis = event.find("analysis"); analysis != nullptr) x.set("analysis", small_number(analysis));
  if (!galaxies.empty()) {
    // Of the event as a whole; others hang on attributes.
    Node whole = Node::array();
    for (const auto& id : galaxies) whole.push(id);
    x.set("clusters", std::move(whole));
  }
  if (published && !report) x.set("published", true);
  if (!report && published_at) x.set("publish_timestamp", stix_time(*published_at));
  if (const auto extends = event.string_at("extends_uuid"); !extends.empty()) x.set("extends_uuid", extends);
  (void)emit(std::move(n), source, event_marks_, std::move(x));
  return {};
}

Import Importer::finish() && {
  out_.objects = store_.take();
  return std::move(out_);
}

}  // namespace entente::misp::internal
