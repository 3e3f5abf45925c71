// What to_stix() made, back to what it was: the extension says what, the STIX properties hold the values.
#include <algorithm>

#include "misp/internal/exporter.h"
#include "misp/internal/values.h"

namespace entente::misp::internal {

using json::Node;

namespace {

std::string seconds_of(std::string_view time) {
  const auto t = parse_time(time);
  return std::to_string(t.ok() ? t->us / 1'000'000 : 0);
}

std::string attached_file(const Node& object, const Find& find) {
  const Node* refs = object.find("object_refs");
  if (refs == nullptr || !refs->is_array()) return {};
  for (const auto& r : refs->list()) {
    const Node* o = r.is_string() ? find(r.string()) : nullptr;
    if (o != nullptr && o->string_at("type") == "artifact") return std::string(o->string_at("payload_bin"));
  }
  return {};
}

}  // namespace

Node Exporter::attribute_of(const Event& event, const Node& object, const Node& x, std::span<const Place> places,
                            bool to_ids) {
  Node a = Node::object();
  a.set("uuid", x.string_at("uuid").empty() ? uuid_part(object.string_at("id")) : x.string_at("uuid"));
  a.set("type", x.string_at("type"));
  if (!x.string_at("category").empty()) a.set("category", x.string_at("category"));
  a.set("to_ids", to_ids);
  std::string value(x.string_at("value"));
  if (value.empty() && !places.empty()) {
    auto there = value_at(object, places, [this](std::string_view id) { return find(id); });
    if (there) value = *std::move(there);
  }
  if (value.empty()) {
    list(object, "the value of " + std::string(x.string_at("type")) + " cannot be told from the object", true);
  }
  a.set("value", value);
  times(a, object, &x);
  a.set("distribution", "5");
  (void)event;
  return a;
}

Node& Exporter::object_for(Event& event, const std::string& uuid, const Node* frame) {
  const auto [at, fresh] = event.object_index.emplace(uuid, event.objects.list().size());
  if (fresh) {
    Node o = Node::object();
    o.set("uuid", uuid);
    event.objects.push(std::move(o));
  }
  Node& o = event.objects.list()[at->second];
  if (frame != nullptr && o.find("name") == nullptr) {
    o.set("name", frame->string_at("name"));
    for (const char* member : {"meta_category", "template_uuid", "template_version"}) {
      const auto v = frame->string_at(member);
      if (!v.empty()) o.set(member == std::string_view("meta_category") ? "meta-category" : member, v);
    }
    o.set("distribution", "5");
  }
  if (o.find("Attribute") == nullptr) o.set("Attribute", Node::array());
  return o;
}

bool Exporter::ours(Event& event, const Node& object, const Node& x) {
  const auto kind = x.string_at("kind");
  const std::string id(object.string_at("id"));
  const bool revoked = object.find("revoked") != nullptr;
  const bool indicator = object.string_at("type") == "indicator";
  const auto use_observables = [&] {
    const Node* refs = object.find("object_refs");
    if (object.string_at("type") != "observed-data" || refs == nullptr || !refs->is_array()) return;
    for (const auto& r : refs->list()) {
      const Node* o = r.is_string() ? find(r.string()) : nullptr;
      if (o != nullptr) use(*o);
    }
  };
  // The observed-data beside an indicator holds the attached file.
  const auto data_of = [&](Node& attribute) {
    const auto type = attribute.string_at("type");
    if (type != "malware-sample" && type != "attachment") return;
    const Find lookup = [this](std::string_view i) { return find(i); };
    std::string data = attached_file(object, lookup);
    const Node* beside = find("observed-data--" + std::string(uuid_part(id)));
    if (data.empty() && beside != nullptr) data = attached_file(*beside, lookup);
    if (!data.empty()) attribute.set("data", data);
  };
  if (kind == "part") {
    use_observables();
    return true;
  }
  if (kind == "report") {
    Node r = Node::object();
    r.set("uuid", uuid_part(id)).set("name", object.string_at("abstract")).set("content", object.string_at("content"));
    r.set("timestamp", seconds_of(object.string_at("modified")));
    if (revoked) r.set("deleted", true);
    event.reports.push(std::move(r));
    return true;
  }
  if (kind == "cluster") {
    if (event.clusters.contains(id)) add_cluster(event.galaxies, object);
    return true;  // else it hangs on an attribute, which the relationships say
  }
  if (kind == "attribute") {
    const auto* row = find_attribute_type(x.string_at("type"));
    const bool to_ids = indicator || x.find("to_ids") != nullptr;
    const bool placed = row != nullptr && row->target == Target::kObservable;
    Node a =
        attribute_of(event, object, x, placed ? std::span<const Place>(row->places) : std::span<const Place>(), to_ids);
    const auto comment = indicator ? object.string_at("description") : x.string_at("comment");
    a.set("comment", comment);
    if (revoked) a.set("deleted", true);
    tags(event, a, object.find("labels"), object.find("object_marking_refs"));
    data_of(a);
    use_observables();
    const std::string uuid(a.string_at("uuid"));
    const std::string in(x.string_at("object"));
    if (in.empty()) {
      event.shown.emplace(id, Event::Shown{false, event.attributes.list().size(), uuid});
      event.attributes.push(std::move(a));
    } else {
      a.set("object_relation", x.string_at("relation"));
      Node& o = object_for(event, in, x.find("frame"));
      if (const Node* frame = x.find("frame"); frame != nullptr) {
        if (!frame->string_at("comment").empty()) o.set("comment", frame->string_at("comment"));
        if (!frame->string_at("timestamp").empty()) o.set("timestamp", seconds_of(frame->string_at("timestamp")));
      }
      o.find("Attribute")->push(std::move(a));
      event.shown.emplace(id, Event::Shown{true, event.object_index.at(in), uuid});
    }
    return true;
  }
  if (kind == "object") {
    const std::string uuid(x.string_at("uuid").empty() ? uuid_part(id) : x.string_at("uuid"));
    Node& o = object_for(event, uuid, &x);
    o.set("timestamp",
          seconds_of(x.string_at("timestamp").empty() ? object.string_at("modified") : x.string_at("timestamp")));
    const auto comment = indicator ? object.string_at("description") : x.string_at("comment");
    if (!comment.empty()) o.set("comment", comment);
    for (const char* name : {"first_seen", "last_seen"}) {
      if (const auto t = x.string_at(name); !t.empty()) o.set(name, t);
    }
    if (revoked) o.set("deleted", true);
    const Template* row = find_template(x.string_at("name"));
    const Template* nameless = find_template("domain-ip (without a name)");
    const Node* entries = x.find("attributes");
    Node attributes = Node::array();
    for (const auto& entry : entries != nullptr && entries->is_array() ? entries->list() : Node::List{}) {
      Place place;
      for (const Template* t : {row, x.string_at("name") == "domain-ip" ? nameless : nullptr}) {
        if (t == nullptr || t->target != Target::kObservable) continue;
        for (const auto& r : t->relations) {
          if (r.relation != entry.string_at("relation") || !entry.string_at("value").empty()) continue;
          if (value_at(object, std::span(&r.place, 1), [this](std::string_view i) { return find(i); })) place = r.place;
        }
      }
      Node a = attribute_of(event, object, entry, place.path.empty() ? std::span<const Place>() : std::span(&place, 1),
                            entry.find("to_ids") != nullptr);
      a.set("object_relation", entry.string_at("relation"));
      if (!entry.string_at("timestamp").empty()) a.set("timestamp", seconds_of(entry.string_at("timestamp")));
      a.set("comment", entry.string_at("comment"));
      if (entry.find("deleted") != nullptr) a.set("deleted", true);
      const Node* markings = entry.find("markings");
      tags(event, a, entry.find("labels"), markings != nullptr ? markings : object.find("object_marking_refs"));
      data_of(a);
      attributes.push(std::move(a));
    }
    // Before those that went their own way and came here first.
    Node* have = o.find("Attribute");
    for (auto& a : have->list()) attributes.push(std::move(a));
    o.set("Attribute", std::move(attributes));
    use_observables();
    event.shown.emplace(id, Event::Shown{true, event.object_index.at(uuid), uuid});
    return true;
  }
  return false;
}

Node Exporter::cluster(const Node& object) {
  const Node* x = extension_of(object);
  const std::string galaxy(x != nullptr ? x->string_at("galaxy") : "");
  const std::string value(x != nullptr && !x->string_at("value").empty() ? x->string_at("value")
                                                                         : object.string_at("name"));
  Node c = Node::object();
  c.set("uuid", uuid_part(object.string_at("id"))).set("type", galaxy).set("value", value);
  // Says that the uuid is the cluster's own.
  c.set("collection_uuid", derived_uuid("collection " + galaxy));
  const std::string tag = x != nullptr && !x->string_at("tag_name").empty()
                              ? std::string(x->string_at("tag_name"))
                              : "misp-galaxy:" + galaxy + "=\"" + value + "\"";
  c.set("tag_name", tag);
  if (const auto text = object.string_at("description"); !text.empty()) c.set("description", text);
  Node meta = Node::object();
  if (const Node* aliases = object.find("aliases"); aliases != nullptr) meta.set("synonyms", *aliases);
  Node numbers = Node::array(), urls = Node::array(), phases = Node::array();
  const Node* references = object.find("external_references");
  for (const auto& r : references != nullptr && references->is_array() ? references->list() : Node::List{}) {
    if (!r.string_at("external_id").empty()) numbers.push(r.string_at("external_id"));
    if (!r.string_at("url").empty()) urls.push(r.string_at("url"));
  }
  const Node* kill = object.find("kill_chain_phases");
  for (const auto& p : kill != nullptr && kill->is_array() ? kill->list() : Node::List{}) {
    phases.push(std::string(p.string_at("kill_chain_name")) + ":" + std::string(p.string_at("phase_name")));
  }
  if (!numbers.list().empty()) meta.set("external_id", std::move(numbers));
  if (!urls.list().empty()) meta.set("refs", std::move(urls));
  if (!phases.list().empty()) meta.set("kill_chain", std::move(phases));
  if (!meta.members().empty()) c.set("meta", std::move(meta));
  return c;
}

void Exporter::add_cluster(Node& galaxies, const Node& object) {
  const Node* x = extension_of(object);
  const std::string galaxy(x != nullptr && !x->string_at("galaxy").empty()
                               ? x->string_at("galaxy")
                               : "stix-2.1-" + std::string(object.string_at("type")));
  Node c = cluster(object);
  c.set("type", galaxy);
  if (x == nullptr) c.set("tag_name", "misp-galaxy:" + galaxy + "=\"" + std::string(c.string_at("value")) + "\"");
  // One after the other keeps the order; a galaxy comes again only if another was between.
  if (!galaxies.list().empty() && galaxies.list().back().string_at("type") == galaxy) {
    galaxies.list().back().find("GalaxyCluster")->push(std::move(c));
    return;
  }
  Node g = Node::object();
  g.set("type", galaxy).set("GalaxyCluster", Node(Node::List{std::move(c)}));
  galaxies.push(std::move(g));
}

void Exporter::relationship(Event& event, const Node& r) {
  const Node* x = extension_of(r);
  const auto kind = x == nullptr ? std::string_view() : x->string_at("kind");
  const auto source = event.shown.find(r.string_at("source_ref"));
  const Node* target = find(r.string_at("target_ref"));
  if (kind == "reference") {
    const auto at = event.object_index.find(x->string_at("source"));
    if (at == event.object_index.end()) return list(r, "its object is not here");
    Node& o = event.objects.list()[at->second];
    if (o.find("ObjectReference") == nullptr) o.set("ObjectReference", Node::array());
    Node n = Node::object();
    n.set("uuid", uuid_part(r.string_at("id"))).set("referenced_uuid", x->string_at("target"));
    n.set("relationship_type", x->string_at("relationship_type").empty() ? r.string_at("relationship_type")
                                                                         : x->string_at("relationship_type"));
    n.set("comment", r.string_at("description")).set("timestamp", seconds_of(r.string_at("modified")));
    if (r.find("revoked") != nullptr) n.set("deleted", true);
    o.find("ObjectReference")->push(std::move(n));
    return use(r);
  }
  if (r.string_at("relationship_type") == "based-on" && source != event.shown.end() && target != nullptr &&
      extension_of(*target) != nullptr && extension_of(*target)->string_at("kind") == "part")
    return use(r);
  if (source != event.shown.end() && target != nullptr &&
      !galaxy_type("stix-2.1-" + std::string(target->string_at("type"))).empty()) {
    Node* holder = nullptr;
    if (!source->second.object) {
      holder = &event.attributes.list()[source->second.index];
    } else {
      // Of the attribute that the cluster stood at, else of the first.
      Node* children = event.objects.list()[source->second.index].find("Attribute");
      const auto want = x == nullptr ? std::string_view() : x->string_at("attribute");
      for (auto& a : children->list()) {
        if (holder == nullptr || a.string_at("uuid") == (want.empty() ? std::string_view(source->second.uuid) : want))
          holder = &a;
      }
    }
    if (holder != nullptr) {
      if (holder->find("Galaxy") == nullptr) holder->set("Galaxy", Node::array());
      add_cluster(*holder->find("Galaxy"), *target);
      use(*target);
      return use(r);
    }
  }
  list(r, "MISP relates objects, not what these two became");
}

void Exporter::sighting(Event& event, const Node& s) {
  const Node* x = extension_of(s);
  const bool opinion = s.string_at("type") == "opinion";
  std::string_view of = s.string_at("sighting_of_ref");
  if (const Node* refs = s.find("object_refs");
      opinion && refs != nullptr && refs->is_array() && !refs->list().empty() && refs->list().front().is_string())
    of = refs->list().front().string();
  const auto shown = event.shown.find(of);
  if (shown == event.shown.end() || (opinion && x == nullptr && s.string_at("opinion") != "strongly-disagree"))
    return list(s, opinion ? "an opinion that MISP cannot say" : "a sighting of what is no attribute");
  Node n = Node::object();
  n.set("uuid", uuid_part(s.string_at("id")));
  n.set("type",
        opinion ? (x != nullptr && !x->string_at("sighting_type").empty() ? x->string_at("sighting_type") : "1") : "0");
  const auto when = s.string_at("last_seen").empty() ? s.string_at("modified") : s.string_at("last_seen");
  n.set("date_sighting", seconds_of(when));
  if (x != nullptr && !x->string_at("source").empty()) n.set("source", x->string_at("source"));
  std::string_view who = opinion ? s.string_at("created_by_ref") : std::string_view();
  if (const Node* where = s.find("where_sighted_refs");
      where != nullptr && where->is_array() && !where->list().empty() && where->list().front().is_string())
    who = where->list().front().string();
  if (const Node* org = find(who); org != nullptr) {
    n.set("Organisation",
          Node(Node::Members{{"name", org->string_at("name")}, {"uuid", uuid_part(org->string_at("id"))}}));
    use(*org);
  }
  Node* holder = nullptr;
  if (!shown->second.object) {
    holder = &event.attributes.list()[shown->second.index];
  } else {
    Node* children = event.objects.list()[shown->second.index].find("Attribute");
    const auto want = x != nullptr ? x->string_at("attribute") : std::string_view();
    for (auto& a : children->list()) {
      if (holder == nullptr || a.string_at("uuid") == want) holder = &a;
    }
  }
  if (holder == nullptr) return list(s, "a sighting of what is no attribute");
  if (holder->find("Sighting") == nullptr) holder->set("Sighting", Node::array());
  holder->find("Sighting")->push(std::move(n));
  use(s);
}

}  // namespace entente::misp::internal
