// MISP objects: several attributes that speak of one thing.
#include <algorithm>

#include "base/bytes.h"
#include "misp/internal/importer.h"
#include "misp/internal/values.h"

namespace entente::misp::internal {

using json::Node;

namespace {

bool flag(const Node& node, std::string_view name) {
  const Node* v = node.find(name);
  return v != nullptr && (to_text(*v) == "1" || to_text(*v) == "true");
}

const Place* place_of(const Template& row, std::string_view relation) {
  for (const auto& r : row.relations) {
    if (r.relation == relation) return &r.place;
  }
  return nullptr;
}

// domain-ip without a name has a table of its own.
const Template* template_of(const Node& object) {
  const auto name = object.string_at("name");
  const Node* attributes = object.find("Attribute");
  if (name == "domain-ip" && attributes != nullptr && attributes->is_array()) {
    const bool named = std::any_of(attributes->list().begin(), attributes->list().end(), [](const Node& a) {
      const auto relation = a.string_at("object_relation");
      return !flag(a, "deleted") && (relation == "domain" || relation == "hostname") &&
             to_value(Form::kDomain, a.string_at("value")).has_value();
    });
    if (!named) return find_template("domain-ip (without a name)");
  }
  return find_template(name);
}

// A relationship type of STIX is lower case with hyphens (§5.1).
std::string verb_of(std::string_view relationship) {
  std::string out = ascii_lower(relationship);
  for (char& c : out) {
    if (c == '_' || c == ' ') c = '-';
  }
  const bool fine = !out.empty() && std::all_of(out.begin(), out.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  return fine ? out : "related-to";
}

}  // namespace

void Importer::object(const Node& node, const std::string& path) {
  account("Object", node, path);
  const std::string name(node.string_at("name"));
  const Template* row = template_of(node);
  const Node* children = node.find("Attribute");
  const bool deleted = flag(node, "deleted");

  // The attributes that are carried together, and those that become objects of their own: flagged for detection,
  // without a place here, but with one by their type.
  std::vector<Attribute> attributes;
  std::vector<Placed> placed;
  std::vector<std::pair<const Node*, std::string>> apart;
  const std::string uuid =
      unique(node.string_at("uuid").empty() ? derived_uuid(event_uuid_ + path) : std::string(node.string_at("uuid")),
             path, name);
  if (children != nullptr && children->is_array()) {
    for (size_t i = 0; i < children->list().size(); ++i) {
      const Node& child = children->list()[i];
      const std::string at = path + "/Attribute/" + std::to_string(i);
      const Place* place = row == nullptr || row->target != Target::kObservable
                               ? nullptr
                               : place_of(*row, child.string_at("object_relation"));
      const AttributeType* type = find_attribute_type(child.string_at("type"));
      if (place == nullptr && flag(child, "to_ids") && type != nullptr && !deleted &&
          (type->target == Target::kObservable || type->target == Target::kRule) &&
          (row == nullptr || row->target != Target::kVictim)) {
        apart.emplace_back(&child, at);
        continue;
      }
      auto a = read_attribute(child, at);
      if (!a) continue;
      if (place != nullptr) {
        if (auto value = to_value(*place, a->value)) {
          Placed p{.attribute = attributes.size(),
                   .place = *place,
                   .path = std::string(place->path),
                   .value = *std::move(value)};
          if (p.path.starts_with("ip:")) p.path = std::string(endpoint_type(p.value.string())) + p.path.substr(2);
          placed.push_back(std::move(p));
        } else {
          list(at, a->type, "the value is not what its type says: kept beside the object only", true);
        }
      }
      attributes.push_back(*std::move(a));
    }
  }

  Source source{.path = path,
                .uuid = uuid,
                .type = name,
                .comment = std::string(node.string_at("comment")),
                .modified = misp_seconds(node.find("timestamp")).value_or(timestamp_),
                .first_seen = misp_time(node.find("first_seen")),
                .last_seen = misp_time(node.find("last_seen")),
                .deleted = deleted,
                .marks = {},
                .name = {}};
  // The clusters first: their tags are not labels too. One object of STIX has the markings of all that it is made of.
  std::vector<std::vector<std::string>> cluster_ids;
  for (auto& a : attributes) {
    source.modified = std::max(source.modified, a.modified);
    cluster_ids.push_back(clusters(*a.node, a.path));
    a.marks = tags(*a.node, a.path, nullptr);
    for (const auto& m : a.marks.markings) {
      if (std::find(source.marks.markings.begin(), source.marks.markings.end(), m) == source.marks.markings.end())
        source.marks.markings.push_back(m);
    }
  }
  if (attributes.empty()) source.marks.markings = event_marks_.markings;
  source.name = name;
  const auto& naming = !placed.empty() ? attributes[placed.front().attribute] : Attribute{};
  if (!naming.value.empty() && naming.value.size() <= 200) source.name = naming.value;

  const auto extension = [&](const Node* carrier) {
    Node x = Node::object();
    x.set("kind", "object").set("name", name);
    for (const char* member : {"meta-category", "template_uuid", "template_version"}) {
      const Node* v = node.find(member);
      if (v == nullptr || v->is_null()) continue;
      x.set(member == std::string_view("meta-category") ? "meta_category" : member, to_text(*v));
    }
    if (uuid_part(id_of("x", uuid)) != uuid) x.set("uuid", uuid);
    if (!source.comment.empty() && (carrier == nullptr || carrier->string_at("type") != "indicator"))
      x.set("comment", source.comment);
    if (source.first_seen) x.set("first_seen", stix_time(*source.first_seen));
    if (source.last_seen) x.set("last_seen", stix_time(*source.last_seen));
    if (const auto own = misp_seconds(node.find("timestamp")); own && *own != source.modified)
      x.set("timestamp", stix_time(*own));
    Node entries = Node::array();
    for (size_t i = 0; i < attributes.size(); ++i) {
      const Attribute& a = attributes[i];
      const auto p = std::find_if(placed.begin(), placed.end(), [&](const Placed& one) { return one.attribute == i; });
      Node entry = Node::object();
      entry.set("uuid", a.uuid).set("relation", a.relation);
      std::span<const Place> places;
      if (p != placed.end() && carrier != nullptr && !(a.deleted && !deleted)) places = std::span(&p->place, 1);
      Attribute plain = a;
      plain.comment.clear();
      const Node details = describe(plain, carrier, places);
      for (const auto& [member, value] : details.members()) entry.set(member, value);
      if (!a.comment.empty()) entry.set("comment", a.comment);
      if (a.to_ids) entry.set("to_ids", true);
      if (a.deleted) entry.set("deleted", true);
      if (a.modified != source.modified) entry.set("timestamp", stix_time(a.modified));
      if (!a.marks.labels.empty()) {
        Node labels = Node::array();
        for (const auto& l : a.marks.labels) labels.push(l);
        entry.set("labels", std::move(labels));
      }
      if (a.marks.markings != source.marks.markings) {
        Node markings = Node::array();
        for (const auto& m : a.marks.markings) markings.push(m);
        entry.set("markings", std::move(markings));
      }
      entries.push(std::move(entry));
    }
    if (!entries.list().empty()) x.set("attributes", std::move(entries));
    return x;
  };

  std::string main;
  std::vector<bool> told(attributes.size(), false);  // counted
  const auto count = [&](size_t i, uint64_t& where) {
    if (!told[i]) ++where;
    told[i] = true;
  };
  if (!placed.empty()) {
    main = carry(placed, attributes, source, [&](const Node& carrier) { return extension(&carrier); });
    for (const auto& p : placed) {
      if (!main.empty() && p.in_pattern) count(p.attribute, out_.counts.as_indicator);
    }
    for (const auto& p : placed) {
      if (!main.empty() && p.in_observable) count(p.attribute, out_.counts.as_observed);
    }
  } else if (row != nullptr && row->target == Target::kVulnerability) {
    Node n = begin("vulnerability", id_of("vulnerability", uuid), source);
    Node references = Node::array();
    std::string title, text;
    for (size_t i = 0; i < attributes.size(); ++i) {
      const Attribute& a = attributes[i];
      const Place* place = place_of(*row, a.relation);
      if (place == nullptr || a.deleted) continue;
      if (place->path == "name" && title.empty()) title = a.value;
      if (place->path == "name" && to_value(Form::kCve, a.value)) {
        references.push(Node(Node::Members{{"source_name", "cve"}, {"external_id", a.value}}));
      }
      if (place->path == "description") text += (text.empty() ? "" : "\n\n") + a.value;
    }
    if (!title.empty()) {
      n.set("name", title);
      if (!text.empty()) n.set("description", text);
      if (!references.list().empty()) n.set("external_references", std::move(references));
      if (emit(std::move(n), source, source.marks, extension(nullptr))) main = id_of("vulnerability", uuid);
    }
    for (size_t i = 0; i < attributes.size() && !main.empty(); ++i) {
      if (place_of(*row, attributes[i].relation) != nullptr) count(i, out_.counts.as_other);
    }
  } else if (row != nullptr && row->target == Target::kVictim && !attributes.empty()) {
    // An identity with the role of a victim is what agreements protect; a note with the same words they would not see.
    Node n = begin("identity", id_of("identity", uuid), source);
    std::string title = name, text;
    for (size_t i = 0; i < attributes.size(); ++i) {
      const Place* place = place_of(*row, attributes[i].relation);
      if (place == nullptr || attributes[i].deleted) continue;
      (place->path == "name" ? title : text) = attributes[i].value;
      count(i, out_.counts.as_other);
    }
    n.set("name", title);
    if (!text.empty()) n.set("description", text);
    n.set("roles", Node(Node::List{Node("victim")})).set("identity_class", row->extra);
    if (emit(std::move(n), source, source.marks, extension(nullptr))) main = id_of("identity", uuid);
    if (main.empty()) {
      // Not made, so nothing of it is told after all; emit() said why.
      out_.counts.left_out += attributes.size();
      for (size_t i = 0; i < told.size(); ++i) {
        if (told[i]) --out_.counts.as_other;
        told[i] = true;
      }
    }
  }
  const bool victim = row != nullptr && row->target == Target::kVictim;
  if (main.empty() && !victim && !attributes.empty()) {
    std::string content;
    for (const auto& a : attributes) {
      if (a.deleted && !deleted) continue;
      content += (content.empty() ? "" : "\n") + (a.relation.empty() ? a.type : a.relation) + ": " + a.value;
    }
    if (content.empty()) content = "(all attributes were deleted)";
    main = note(source, name, content, extension(nullptr));
    for (size_t i = 0; i < attributes.size(); ++i) count(i, main.empty() ? out_.counts.left_out : out_.counts.as_note);
  }
  for (size_t i = 0; i < attributes.size(); ++i) count(i, main.empty() ? out_.counts.left_out : out_.counts.beside);

  for (size_t i = 0; i < attributes.size(); ++i) {
    const Attribute& a = attributes[i];
    if (!main.empty()) made_.emplace(a.uuid, main);
    context(*a.node, a.path, main, source, cluster_ids[i]);
    const bool shown = std::any_of(placed.begin(), placed.end(), [&](const Placed& p) {
      return p.attribute == i && p.in_observable && !main.empty();
    });
    if (!a.data.empty() && !shown) list(a.path + "/data", a.type, "the attached file: STIX has no place for it here");
  }
  Node frame;
  if (main.empty() && !apart.empty()) {
    frame = extension(nullptr);
    frame.erase("kind");
  }
  for (size_t i = 0; i < apart.size(); ++i)
    attribute(*apart[i].first, apart[i].second, uuid, i == 0 && !frame.is_null() ? &frame : nullptr);
  if (main.empty()) {
    // Nothing but attributes that went their own way: the object is the first of them.
    for (const auto& [child, at] : apart) {
      const auto found = made_.find(child->string_at("uuid"));
      if (found != made_.end()) {
        main = found->second;
        break;
      }
    }
    if (attributes.empty() && apart.empty()) list(path, name, "an object without attributes");
  }
  if (!main.empty()) made_.emplace(uuid, main);
}

void Importer::references(const Node& object, const std::string& path) {
  const Node* all = object.find("ObjectReference");
  if (all == nullptr || !all->is_array()) return;
  const auto from = made_.find(object.string_at("uuid"));
  for (size_t i = 0; i < all->list().size(); ++i) {
    const Node& r = all->list()[i];
    const std::string at = path + "/ObjectReference/" + std::to_string(i);
    account("ObjectReference", r, at);
    const std::string type(r.string_at("relationship_type"));
    const auto to = made_.find(r.string_at("referenced_uuid"));
    if (from == made_.end() || to == made_.end() || from->second == to->second) {
      list(at, type,
           to == made_.end()     ? "refers to something that is not in this event"
           : from == made_.end() ? "of an object that is not carried"
                                 : "an object that refers to itself");
      continue;
    }
    Source source{.path = at,
                  .uuid = std::string(r.string_at("uuid")),
                  .type = "ObjectReference",
                  .comment = {},
                  .modified = misp_seconds(r.find("timestamp")).value_or(timestamp_),
                  .first_seen = {},
                  .last_seen = {},
                  .deleted = flag(r, "deleted"),
                  .marks = {event_marks_.markings, {}},
                  .name = {}};
    const std::string verb = verb_of(type);
    Node x = Node::object();
    x.set("kind", "reference").set("source", object.string_at("uuid")).set("target", r.string_at("referenced_uuid"));
    if (verb != type) x.set("relationship_type", type);
    relate(from->second, verb, to->second, source, source.uuid, r.string_at("comment"), std::move(x));
  }
}

}  // namespace entente::misp::internal
