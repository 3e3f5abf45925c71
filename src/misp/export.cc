// Sorts STIX objects into events; what each becomes is in internal/export_*.cc.
#include <algorithm>

#include "base/bytes.h"
#include "json/json.h"
#include "misp/internal/exporter.h"
#include "misp/internal/values.h"
#include "misp/misp.h"
#include "stix/marking.h"

namespace entente::misp {

using json::Node;

namespace internal {

namespace {

std::vector<std::string> strings(const Node* v) {
  std::vector<std::string> out;
  if (v == nullptr || !v->is_array()) return out;
  for (const auto& one : v->list()) {
    if (one.is_string()) out.push_back(one.string());
  }
  return out;
}

int64_t seconds(std::string_view time) {
  const auto t = parse_time(time);
  return t.ok() ? t->us / 1'000'000 : 0;
}

bool is_container(const Node& o) { return o.string_at("type") == "report" || o.string_at("type") == "grouping"; }

}  // namespace

void Exporter::add(Node object) {
  const std::string id(object.string_at("id"));
  const auto [at, fresh] = by_id_.emplace(id, objects_.size());
  if (fresh) {
    objects_.push_back(std::move(object));
  } else if (object.string_at("modified") > objects_[at->second].string_at("modified")) {
    objects_[at->second] = std::move(object);
  }
}

const Node* Exporter::find(std::string_view id) const {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &objects_[at->second];
}

void Exporter::list(const Node& object, std::string reason, bool changed) {
  const std::string id(object.string_at("id"));
  if (!changed) listed_.insert(id);
  out_.not_carried.push_back({id, std::string(object.string_at("type")), std::move(reason), 1, changed});
}

void Exporter::unsaid(const Node& object, std::string_view carried) {
  const std::string words =
      " type spec_version id created modified created_by_ref object_marking_refs labels revoked " +
      std::string(carried) + " ";
  const std::string type(object.string_at("type"));
  for (const auto& [name, value] : object.members()) {
    if (words.find(" " + name + " ") != std::string::npos) continue;
    const auto [at, fresh] = grouped_.emplace(type + "/" + name, out_.not_carried.size());
    if (!fresh) {
      ++out_.not_carried[at->second].count;
      continue;
    }
    out_.not_carried.push_back(
        {std::string(object.string_at("id")) + "/" + name, type, "MISP has no member for this property", 1, false});
  }
}

void Exporter::tags(const Event& event, Node& out, const Node* labels, const Node* markings) {
  Node all = Node::array();
  const auto push = [&](std::string name) { all.push(Node(Node::Members{{"name", std::move(name)}})); };
  const auto ids = strings(markings);
  if (ids != event.markings) {
    for (const auto& id : ids) {
      const Node* definition = find(id);
      if (definition != nullptr) use(*definition);
      if (id == kTlp1White) {
        push("tlp:white");
      } else if (const auto tlp = stix::tlp_of_id(id)) {
        push("tlp:" + std::string(stix::to_text(*tlp)));
      } else if (definition != nullptr) {
        json::Document doc;
        const auto pap = doc.parse(json::write(*definition)).ok() ? stix::pap_of_definition(doc.root()) : std::nullopt;
        const Node* statement = definition->find("definition");
        if (pap) {
          push(std::string(statement->string_at("statement")));
        } else {
          list(*definition, "a marking that no tag of MISP stands for");
        }
      }
    }
  }
  for (const auto& label : strings(labels)) push(label);
  if (!all.list().empty()) out.set("Tag", std::move(all));
}

void Exporter::times(Node& out, const Node& object, const Node* extension) {
  out.set("timestamp", std::to_string(seconds(object.string_at("modified"))));
  if (extension == nullptr) return;
  for (const char* name : {"first_seen", "last_seen"}) {
    if (const auto t = extension->string_at(name); !t.empty()) out.set(name, t);
  }
}

void Exporter::take(Event& event, const Node& object) {
  const auto type = object.string_at("type");
  if (type == "marking-definition" || type == "extension-definition") return;
  if (type == "relationship") {
    event.relationships.push_back(&object);
    return;
  }
  if (type == "sighting" || type == "opinion") {
    event.sightings.push_back(&object);
    return;
  }
  const Node* extension = extension_of(object);
  if (extension != nullptr && ours(event, object, *extension)) {
    use(object);
    return;
  }
  if (others(event, object)) use(object);
}

Node Exporter::event(const Node* container, const std::vector<const Node*>& members) {
  Event e;
  e.container = container;
  const Node* extension = nullptr;
  if (container != nullptr) {
    use(*container);
    e.markings = strings(container->find("object_marking_refs"));
    extension = extension_of(*container);
    if (extension != nullptr) {
      for (auto& id : strings(extension->find("clusters"))) e.clusters.insert(std::move(id));
    }
  }
  for (const Node* m : members) take(e, *m);
  for (const Node* r : e.relationships) relationship(e, *r);
  for (const Node* s : e.sightings) sighting(e, *s);

  Node out = Node::object();
  std::string newest;
  for (const Node* m : members) newest = std::max(newest, std::string(m->string_at("modified")));
  if (container != nullptr) {
    const auto given = extension == nullptr ? std::string_view() : extension->string_at("uuid");
    out.set("uuid", given.empty() ? uuid_part(container->string_at("id")) : given);
    out.set("info", container->string_at("name").empty() ? "(no title)" : container->string_at("name"));
    const auto date = extension == nullptr ? std::string_view() : extension->string_at("date");
    out.set("date", date.empty() ? container->string_at("created").substr(0, 10) : date);
    out.set("timestamp", std::to_string(seconds(container->string_at("modified"))));
    if (const Node* by = find(container->string_at("created_by_ref")); by != nullptr) {
      use(*by);
      out.set("Orgc", Node(Node::Members{{"name", by->string_at("name")}, {"uuid", uuid_part(by->string_at("id"))}}));
    }
    const bool report = container->string_at("type") == "report";
    out.set("published", report || (extension != nullptr && extension->find("published") != nullptr));
    std::string_view at = report ? container->string_at("published") : std::string_view();
    if (at.empty() && extension != nullptr) at = extension->string_at("publish_timestamp");
    if (!at.empty()) out.set("publish_timestamp", std::to_string(seconds(at)));
    if (extension == nullptr) {
      if (const auto text = container->string_at("description"); !text.empty()) {
        Node note = Node::object();
        note.set("uuid", derived_uuid("description " + std::string(container->string_at("id"))));
        note.set("name", "Description").set("content", text);
        note.set("timestamp", std::to_string(seconds(container->string_at("modified"))));
        e.reports.push(std::move(note));
      }
      unsaid(*container, "name description object_refs published");
    }
  } else {
    std::string ids;
    for (const Node* m : members) ids += std::string(m->string_at("id")) + "\n";
    out.set("uuid", derived_uuid("event " + ids)).set("info", "STIX objects that belong to no report");
    out.set("date", newest.empty() ? "2015-01-01" : newest.substr(0, 10));
    out.set("timestamp", std::to_string(seconds(newest))).set("published", false);
  }
  for (const char* member : {"threat_level_id", "analysis"}) {
    const Node* v = extension == nullptr ? nullptr : extension->find(member);
    if (v != nullptr) out.set(member, std::to_string(v->is_int() ? v->integer() : 0));
  }
  if (extension != nullptr && !extension->string_at("extends_uuid").empty())
    out.set("extends_uuid", extension->string_at("extends_uuid"));
  // Nobody but the own organisation, until a person decides otherwise on the MISP server.
  out.set("distribution", "0");
  // Beside nothing: all of the container's markings are tags of the event.
  if (container != nullptr) tags(Event{}, out, container->find("labels"), container->find("object_marking_refs"));
  out.set("Attribute", std::move(e.attributes)).set("Object", std::move(e.objects));
  if (!e.reports.list().empty()) out.set("EventReport", std::move(e.reports));
  if (!e.galaxies.list().empty()) out.set("Galaxy", std::move(e.galaxies));
  return Node(Node::Members{{"Event", std::move(out)}});
}

Export Exporter::run() && {
  // To which container each object belongs: the first that names it; a note belongs to what it speaks of.
  std::map<std::string, size_t, std::less<>> home;
  std::vector<const Node*> containers;
  for (const auto& o : objects_) {
    if (!is_container(o)) continue;
    for (const auto& id : strings(o.find("object_refs"))) {
      const Node* target = find(id);
      if (target != nullptr && !is_container(*target)) home.emplace(id, containers.size());
    }
    containers.push_back(&o);
  }
  for (const auto& o : objects_) {
    const auto type = o.string_at("type");
    if (type != "note" && type != "opinion" && type != "relationship" && type != "sighting") continue;
    auto refs = strings(o.find("object_refs"));
    for (const char* name : {"source_ref", "sighting_of_ref"}) refs.emplace_back(o.string_at(name));
    for (const auto& id : refs) {
      const auto there = home.find(id);
      if (there != home.end()) {
        home.emplace(o.string_at("id"), there->second);
      } else {
        for (size_t c = 0; c < containers.size(); ++c) {
          if (containers[c]->string_at("id") == id) home.emplace(o.string_at("id"), c);
        }
      }
    }
  }
  std::vector<std::vector<const Node*>> members(containers.size());
  std::vector<const Node*> rest;
  for (const auto& o : objects_) {
    const auto at = home.find(o.string_at("id"));
    if (at != home.end()) {
      members[at->second].push_back(&o);
    } else if (!is_container(o)) {
      rest.push_back(&o);
    }
  }
  for (size_t i = 0; i < containers.size(); ++i) out_.events.push_back(event(containers[i], members[i]));
  // Observables and identities that an event above used are not left over.
  std::vector<const Node*> left;
  for (const Node* o : rest) {
    const auto type = o->string_at("type");
    const bool frame_only = type == "identity" || type == "marking-definition" || type == "extension-definition";
    if (!used_.contains(o->string_at("id")) && !frame_only) left.push_back(o);
  }
  if (!left.empty()) {
    Node last = event(nullptr, left);
    const Node& e = *last.find("Event");
    if (!e.find("Attribute")->list().empty() || !e.find("Object")->list().empty() || e.find("EventReport") != nullptr ||
        e.find("Galaxy") != nullptr)
      out_.events.push_back(std::move(last));
  }
  for (const auto& o : objects_) {
    const auto id = o.string_at("id");
    if (used_.contains(id) || listed_.contains(id)) continue;
    const auto type = o.string_at("type");
    if (id == kExtension || id == kExtensionAuthor) {
      use(o);  // they say what the extension means, which MISP needs not be told
    } else if (type == "identity") {
      list(o, "an organisation or person that made no event");
    } else if (type == "marking-definition") {
      list(o, "a marking that no event has");
    } else {
      list(o, "MISP has nothing for objects of this type");
    }
  }
  out_.objects = objects_.size();
  out_.used = used_.size();
  return std::move(out_);
}

}  // namespace internal

Result<Export> to_misp(std::span<const std::string_view> objects) {
  internal::Exporter exporter;
  json::Document doc;
  for (const auto text : objects) {
    CHECK_OK(doc.parse(text));
    if (!json::find_string(doc.root(), "id") || !json::find_string(doc.root(), "type"))
      return invalid("a STIX object without type or id", printable(text, 60));
    exporter.add(Node::from(doc.root()));
  }
  return std::move(exporter).run();
}

}  // namespace entente::misp
