// From values to patterns and observables.
#include <algorithm>

#include "json/json.h"
#include "misp/internal/importer.h"
#include "misp/internal/observables.h"
#include "misp/internal/path.h"
#include "misp/internal/values.h"
#include "pattern/pattern.h"

namespace entente::misp::internal {

using json::Node;

std::optional<Importer::Attribute> Importer::read_attribute(const Node& node, const std::string& path) {
  account("Attribute", node, path);
  ++out_.counts.attributes;
  Attribute a;
  a.node = &node;
  a.path = path;
  a.type = node.string_at("type");
  a.relation = node.string_at("object_relation");
  a.comment = node.string_at("comment");
  const Node* value = node.find("value");
  if (value != nullptr && (value->is_string() || value->is_int() || value->is_double())) a.value = to_text(*value);
  if (a.value.empty() || a.type.empty()) {
    list(path, a.type, a.type.empty() ? "an attribute without a type" : "an attribute without a value");
    ++out_.counts.left_out;
    return std::nullopt;
  }
  a.uuid = node.string_at("uuid");
  if (a.uuid.empty()) a.uuid = derived_uuid(event_uuid_ + " " + a.type + " " + a.value);
  a.uuid = unique(std::move(a.uuid), path, a.type);
  a.data = node.string_at("data");
  const auto flag = [&](const char* name) {
    const Node* v = node.find(name);
    return v != nullptr && (to_text(*v) == "1" || to_text(*v) == "true");
  };
  a.to_ids = flag("to_ids");
  a.deleted = flag("deleted");
  a.modified = misp_seconds(node.find("timestamp")).value_or(timestamp_);
  a.first_seen = misp_time(node.find("first_seen"));
  a.last_seen = misp_time(node.find("last_seen"));
  for (const char* name : {"first_seen", "last_seen"}) {
    const Node* v = node.find(name);
    if (v != nullptr && !v->is_null() && !misp_time(v)) list(path + "/" + name, name, "no time: " + to_text(*v));
  }
  a.row = find_attribute_type(a.type);
  return a;
}

std::vector<Importer::Placed> Importer::place_parts(const Attribute& a, size_t index, std::string& why) const {
  std::vector<Placed> out;
  const auto& places = a.row->places;
  const size_t parts = places[1].path.empty() ? 1 : 2;
  const auto values = split_parts(a.value, parts);
  if (!values) {
    why = "not two parts with a bar between them";
    return {};
  }
  for (size_t i = 0; i < parts; ++i) {
    auto value = to_value(places[i], (*values)[i]);
    if (!value) {
      why = "the value is not what its type says";
      return {};
    }
    Placed p{.attribute = index, .place = places[i], .path = std::string(places[i].path), .value = *std::move(value)};
    if (p.path.starts_with("ip:")) p.path = std::string(endpoint_type(p.value.string())) + p.path.substr(2);
    out.push_back(std::move(p));
  }
  return out;
}

// A hash identifies a file or certificate: where there are hashes, any of them is the pattern, and a name beside them
// would only make it miss. Else all properties together, several values of one of them being alternatives.
std::string Importer::pattern_of(std::vector<Placed*>& flagged) {
  const auto is_hash = [](const Placed* p) { return p->path.find(":hashes.") != std::string::npos; };
  const auto test = [](Placed* p) {
    p->in_pattern = true;
    const bool block = p->value.is_string() && is_block(p->value.string()) &&
                       (p->place.form == Form::kAddress || p->place.form == Form::kEndpoint);
    return p->path + (block ? " ISSUBSET " : " = ") + literal(p->place.form, p->value);
  };
  std::vector<std::vector<std::string>> groups;
  if (std::any_of(flagged.begin(), flagged.end(), is_hash)) {
    groups.emplace_back();
    for (Placed* p : flagged) {
      if (is_hash(p)) groups.back().push_back(test(p));
    }
  } else {
    std::vector<std::string_view> paths;
    for (Placed* p : flagged) {
      const auto at = std::find(paths.begin(), paths.end(), p->place.path);
      if (at == paths.end()) {
        paths.push_back(p->place.path);
        groups.emplace_back();
        groups.back().push_back(test(p));
      } else {
        groups[static_cast<size_t>(at - paths.begin())].push_back(test(p));
      }
    }
  }
  std::string out = "[";
  for (const auto& group : groups) {
    if (out.size() > 1) out += " AND ";
    const bool parentheses = group.size() > 1 && groups.size() > 1;
    if (parentheses) out += '(';
    for (size_t i = 0; i < group.size(); ++i) out += (i > 0 ? " OR " : "") + group[i];
    if (parentheses) out += ')';
  }
  return out + "]";
}

std::vector<std::string> Importer::observables(std::vector<Placed>& placed, const std::vector<Attribute>& attributes,
                                               const Source& source) {
  std::vector<std::string> ids;
  const auto keep = [&](std::vector<Node> objects) {
    // The draft's own object first: it is what the values are read from.
    std::rotate(objects.begin(), objects.end() - 1, objects.end());
    for (auto& o : objects) {
      const std::string id(o.string_at("id"));
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    }
    // What is referred to before what refers.
    std::rotate(objects.begin(), objects.begin() + 1, objects.end());
    for (auto& o : objects) {
      const std::string id(o.string_at("id"));
      store_.add(std::move(o));
      if (member_set_.insert(id).second) members_.push_back(id);
    }
  };
  // Addresses by themselves are an object each; everything else is one object.
  std::vector<std::vector<Placed*>> groups;
  std::vector<Placed*> together;
  for (auto& p : placed) {
    if (p.place.pattern_only) continue;
    if (p.place.path == "ip:value") {
      groups.push_back({&p});
    } else {
      together.push_back(&p);
    }
  }
  if (!together.empty()) groups.push_back(together);
  for (auto& group : groups) {
    bool with_data = true;
    const std::string type = group.front()->path.substr(0, group.front()->path.find(':'));
    const auto draft = [&](const Placed* without, std::string& why) {
      Draft d(type);
      for (Placed* p : group) p->in_observable = p != without && d.place(p->path, p->value);
      const std::string& data = attributes[group.front()->attribute].data;
      if (with_data && type == "file" && !data.empty()) {
        Draft& artifact = d.child("content_ref", "artifact");
        artifact.set("payload_bin", data);
        if (attributes[group.front()->attribute].type == "malware-sample") {
          // MISP ships samples in a ZIP archive with this password.
          artifact.set("mime_type", "application/zip");
          artifact.set("encryption_algorithm", "mime-type-indicated");
          artifact.set("decryption_key", "infected");
        }
      }
      return d.finish(source.marks.markings, why);
    };
    std::string why;
    auto made = draft(nullptr, why);
    if (!made && !attributes[group.front()->attribute].data.empty()) {
      with_data = false;
      std::string other;
      made = draft(nullptr, other);
      if (made) list(source.path + "/data", source.type, "the attached file: " + why);
    }
    // One value that is not what it says must not cost the others their place.
    while (!made && group.size() > 1) {
      std::string other;
      Placed* culprit = nullptr;
      for (Placed* p : group) {
        made = draft(p, other);
        if (made) {
          culprit = p;
          break;
        }
      }
      if (culprit == nullptr) culprit = group.back();
      list(attributes[culprit->attribute].path, attributes[culprit->attribute].type,
           "the value has no place in a " + type + ": " + why, true);
      culprit->in_observable = false;
      std::erase(group, culprit);
      if (!made) made = draft(nullptr, other);
    }
    if (made) {
      keep(*std::move(made));
    } else {
      for (Placed* p : group) {
        p->in_observable = false;
        list(attributes[p->attribute].path, attributes[p->attribute].type, "no valid " + type + " by itself: " + why,
             true);
      }
    }
  }
  return ids;
}

std::string Importer::carry(std::vector<Placed>& placed, const std::vector<Attribute>& attributes, const Source& source,
                            const std::function<Node(const Node&)>& describe_it) {
  std::vector<Placed*> flagged;
  for (auto& p : placed) {
    if (attributes[p.attribute].to_ids && !attributes[p.attribute].deleted) flagged.push_back(&p);
  }
  std::string indicator;
  if (!flagged.empty()) {
    const std::string pattern = pattern_of(flagged);
    Node n = begin("indicator", id_of("indicator", source.uuid), source);
    n.set("name", source.name);
    if (!source.comment.empty()) n.set("description", source.comment);
    n.set("pattern", pattern).set("pattern_type", "stix").set("pattern_version", "2.1");
    n.set("valid_from", stix_time(source.first_seen.value_or(source.modified)));
    if (const auto parsed = pattern::Pattern::parse(pattern); !parsed.ok()) {
      list(source.path, source.type, "no pattern: " + parsed.error().text(), true);
    } else if (emit(n, source, source.marks, describe_it(n))) {
      indicator = id_of("indicator", source.uuid);
    }
    if (indicator.empty()) {
      for (auto& p : placed) p.in_pattern = false;
    }
  }
  const bool data =
      std::any_of(placed.begin(), placed.end(), [&](const Placed& p) { return !attributes[p.attribute].data.empty(); });
  const bool rest = data || std::any_of(placed.begin(), placed.end(), [&](const Placed& p) {
                      return !p.in_pattern && !p.place.pattern_only && !attributes[p.attribute].deleted;
                    });
  if (!rest && !indicator.empty()) return indicator;
  std::vector<Placed> living;
  for (const auto& p : placed) {
    if (!attributes[p.attribute].deleted || source.deleted) living.push_back(p);
  }
  const auto ids = observables(living, attributes, source);
  size_t k = 0;
  for (auto& p : placed) {
    if (!attributes[p.attribute].deleted || source.deleted) p.in_observable = living[k++].in_observable;
  }
  if (ids.empty()) return indicator;
  const std::string id = id_of("observed-data", source.uuid);
  Node n = begin("observed-data", id, source);
  const Time first = source.first_seen.value_or(source.last_seen.value_or(source.modified));
  n.set("first_observed", stix_time(first))
      .set("last_observed", stix_time(std::max(first, source.last_seen.value_or(first))));
  n.set("number_observed", 1);
  Node refs = Node::array();
  for (const auto& i : ids) refs.push(i);
  n.set("object_refs", std::move(refs));
  Node x = Node::object();
  if (indicator.empty()) {
    x = describe_it(n);
  } else {
    x.set("kind", "part");
  }
  if (!emit(std::move(n), source, source.marks, std::move(x))) return indicator;
  if (!indicator.empty()) relate(indicator, "based-on", id, source);
  return indicator.empty() ? id : indicator;
}

}  // namespace entente::misp::internal
