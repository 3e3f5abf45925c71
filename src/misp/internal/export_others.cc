// Objects that others made: attributes by the same tables read backwards, galaxies for actors and means, reports for
// notes; the rest is listed.
#include <algorithm>

#include "misp/internal/exporter.h"
#include "misp/internal/observables.h"
#include "misp/internal/values.h"
#include "pattern/comparisons.h"

namespace entente::misp::internal {

using json::Node;

namespace {

bool same_path(std::string_view ours, std::string_view theirs) {
  if (ours == theirs) return true;
  return ours == "ip:value" && (theirs == "ipv4-addr:value" || theirs == "ipv6-addr:value");
}

// The type whose one place this is; "" if none.
std::string_view type_at(std::string_view path, std::string_view value) {
  if (path == "network-traffic:dst_ref.value") return endpoint_type(value) == "domain-name" ? "hostname" : "ip-dst";
  if (path == "network-traffic:src_ref.value") return endpoint_type(value) == "domain-name" ? "hostname" : "ip-src";
  for (const auto& row : attribute_types()) {
    if (row.target == Target::kObservable && row.places[1].path.empty() && row.category != "Social network" &&
        same_path(row.places[0].path, path))
      return row.type;
  }
  return {};
}

std::string misp_value(std::string_view type, const std::string& value) {
  return type == "AS" && !value.starts_with("AS") ? "AS" + value : value;
}

}  // namespace

Node Exporter::plain_attribute(const Event& event, const Node& object, std::string_view type, const std::string& value,
                               bool to_ids, size_t number) {
  const AttributeType* row = find_attribute_type(type);
  const std::string id(object.string_at("id"));
  Node a = Node::object();
  a.set("uuid", number == 0 ? std::string(uuid_part(id)) : derived_uuid(id + " " + std::to_string(number)));
  a.set("type", type).set("category", row != nullptr ? row->category : "Other").set("to_ids", to_ids);
  a.set("value", misp_value(type, value));
  times(a, object, nullptr);
  a.set("distribution", "5");
  std::string comment(object.string_at("name"));
  if (const auto text = object.string_at("description"); !text.empty())
    comment += (comment.empty() ? "" : ": ") + std::string(text);
  if (comment != a.string_at("value")) a.set("comment", comment);
  if (object.find("revoked") != nullptr) a.set("deleted", true);
  tags(event, a, object.find("labels"), object.find("object_marking_refs"));
  return a;
}

void Exporter::push(Event& event, const Node& object, Node attribute) {
  event.shown.emplace(object.string_at("id"),
                      Event::Shown{false, event.attributes.list().size(), std::string(attribute.string_at("uuid"))});
  event.attributes.push(std::move(attribute));
}

void Exporter::indicator(Event& event, const Node& object) {
  const auto language = object.string_at("pattern_type");
  const std::string text(object.string_at("pattern"));
  unsaid(object, "name description pattern pattern_type pattern_version valid_from indicator_types");
  if (language != "stix") {
    const AttributeType* row = find_attribute_type(language);
    if (row == nullptr || row->target != Target::kRule)
      return list(object, "a pattern in a language that MISP has no attribute for");
    return push(event, object, plain_attribute(event, object, language, text, true, 0));
  }
  const auto parsed = pattern::Pattern::parse(text);
  const auto found = parsed.ok() ? pattern::equalities(*parsed) : std::nullopt;
  if (found && found->any) {
    std::vector<std::string_view> types;
    for (const auto& t : found->tests) types.push_back(type_at(t.path, t.value));
    if (std::find(types.begin(), types.end(), std::string_view()) == types.end()) {
      for (size_t i = 0; i < types.size(); ++i)
        push(event, object, plain_attribute(event, object, types[i], found->tests[i].value, true, i));
      return;
    }
  } else if (found && found->all && found->tests.size() == 2) {
    for (const auto& row : attribute_types()) {
      if (row.target != Target::kObservable || row.places[1].path.empty()) continue;
      for (const size_t first : {size_t{0}, size_t{1}}) {
        const auto& a = found->tests[first];
        const auto& b = found->tests[1 - first];
        if (!same_path(row.places[0].path, a.path) || !same_path(row.places[1].path, b.path)) continue;
        if (row.type == "hostname|port" && endpoint_type(a.value) != "domain-name") continue;
        if (row.type == "ip-dst|port" && endpoint_type(a.value) == "domain-name") continue;
        return push(event, object, plain_attribute(event, object, row.type, a.value + "|" + b.value, true, 0));
      }
    }
  }
  push(event, object, plain_attribute(event, object, "stix2-pattern", text, true, 0));
}

// Attributes of one observable; how many.
size_t Exporter::observable(Event& event, const Node& carrier, const Node& sco, size_t number) {
  size_t n = 0;
  const std::string prefix = std::string(sco.string_at("type")) + ":";
  std::vector<std::string> done;
  for (const auto& row : attribute_types()) {
    if (row.target != Target::kObservable || !row.places[1].path.empty() || row.category == "Social network") continue;
    std::string path(row.places[0].path);
    if (path.starts_with("ip:") && (prefix == "ipv4-addr:" || prefix == "ipv6-addr:")) path = prefix + path.substr(3);
    if (!path.starts_with(prefix) || std::find(done.begin(), done.end(), path) != done.end()) continue;
    const auto values = values_at(
        sco, path, [](const void* self, std::string_view id) { return static_cast<const Exporter*>(self)->find(id); },
        this);
    for (const auto& v : values)
      push(event, carrier, plain_attribute(event, carrier, row.type, v, false, number + n++));
    if (!values.empty()) done.push_back(path);
  }
  return n;
}

bool Exporter::others(Event& event, const Node& object) {
  const auto type = object.string_at("type");
  if (type == "indicator") {
    indicator(event, object);
    return !listed_.contains(object.string_at("id"));
  }
  if (type == "observed-data") {
    unsaid(object, "first_observed last_observed number_observed object_refs objects");
    const Node* refs = object.find("object_refs");
    size_t n = 0;
    for (const auto& r : refs != nullptr && refs->is_array() ? refs->list() : Node::List{}) {
      const Node* sco = r.is_string() ? find(r.string()) : nullptr;
      if (sco == nullptr) continue;
      const size_t more = observable(event, object, *sco, n);
      n += more;
      if (more > 0) {
        use(*sco);
      } else if (!used_.contains(sco->string_at("id"))) {
        list(*sco, "no attribute type for what this observable holds");
      }
    }
    if (n == 0) list(object, "nothing in it that an attribute can hold");
    return n > 0;
  }
  if (type == "vulnerability") {
    unsaid(object, "name description external_references");
    push(event, object,
         plain_attribute(event, object, "vulnerability", std::string(object.string_at("name")), false, 0));
    return true;
  }
  if (type == "identity") {
    const Node* roles = object.find("roles");
    const bool victim = roles != nullptr && roles->is_array() &&
                        std::find(roles->list().begin(), roles->list().end(), Node("victim")) != roles->list().end();
    if (!victim) return false;  // listed at the end, unless it made an event
    push(event, object, plain_attribute(event, object, "target-org", std::string(object.string_at("name")), false, 0));
    return true;
  }
  if (type == "note") {
    Node r = Node::object();
    const auto title = object.string_at("abstract");
    r.set("uuid", uuid_part(object.string_at("id"))).set("name", title.empty() ? "Note" : title);
    r.set("content", object.string_at("content"));
    times(r, object, nullptr);
    unsaid(object, "abstract content object_refs");
    event.reports.push(std::move(r));
    return true;
  }
  if (!galaxy_type("stix-2.1-" + std::string(type)).empty()) {
    unsaid(object, "name description aliases kill_chain_phases external_references is_family");
    if (object.string_at("name").empty()) {
      list(object, "a cluster of a galaxy needs a name");
      return false;
    }
    add_cluster(event.galaxies, object);
    return true;
  }
  // An observable by itself: part of an observed-data that comes later, or alone.
  if (used_.contains(object.string_at("id"))) return true;
  if (object.find("modified") == nullptr && event.container == nullptr) {
    if (observable(event, object, object, 0) > 0) return true;
    list(object, "no attribute type for what this observable holds");
  }
  return false;
}

}  // namespace entente::misp::internal
