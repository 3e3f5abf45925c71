// What surrounds the values: tags, organisations, galaxies, sightings, proposals, event reports.
#include <algorithm>

#include "base/bytes.h"
#include "json/json.h"
#include "misp/internal/importer.h"
#include "misp/internal/values.h"
#include "pattern/normal.h"
#include "stix/marking.h"

namespace entente::misp::internal {

using json::Node;

namespace {

bool flag(const Node& node, std::string_view name) {
  const Node* v = node.find(name);
  return v != nullptr && (to_text(*v) == "1" || to_text(*v) == "true");
}

void add_once(std::vector<std::string>& list, std::string_view what) {
  if (std::find(list.begin(), list.end(), what) == list.end()) list.emplace_back(what);
}

// A marking without an OASIS object: a statement, as MISP's own converter writes it.
Node pap_marking(const std::string& statement) {
  Node n = Node::object();
  n.set("type", "marking-definition").set("spec_version", "2.1");
  n.set("id", "marking-definition--" + derived_uuid(statement)).set("created", kNoTime);
  n.set("definition_type", "statement").set("definition", Node(Node::Members{{"statement", Node(statement)}}));
  return n;
}

bool has_aliases(std::string_view type) {
  return type == "attack-pattern" || type == "campaign" || type == "intrusion-set" || type == "malware" ||
         type == "threat-actor" || type == "tool";
}

bool has_phases(std::string_view type) { return type == "attack-pattern" || type == "malware" || type == "tool"; }

std::vector<std::string> strings(const Node* v) {
  std::vector<std::string> out;
  if (v == nullptr) return out;
  if (v->is_string()) out.push_back(v->string());
  if (v->is_array()) {
    for (const auto& one : v->list()) {
      if (one.is_string()) out.push_back(one.string());
    }
  }
  return out;
}

}  // namespace

Importer::Marks Importer::tags(const Node& holder, const std::string& path, const Marks* inherited) {
  Marks out;
  const Node* all = holder.find("Tag");
  if (all != nullptr && all->is_array()) {
    for (size_t i = 0; i < all->list().size(); ++i) {
      const Node& tag = all->list()[i];
      const std::string at = path + "/Tag/" + std::to_string(i);
      account("Tag", tag, at);
      const std::string name(tag.string_at("name"));
      const std::string lower = ascii_lower(name);
      if (name.empty()) {
        list(at, "Tag", "a tag without a name");
      } else if (flag(tag, "local")) {
        list(at, "Tag", "a local tag stays on its server: " + printable(name, 80));
      } else if (tag.find("exportable") != nullptr && !flag(tag, "exportable")) {
        list(at, "Tag", "the tag is not to be exported: " + printable(name, 80));
      } else if (lower.starts_with("tlp:")) {
        const auto level = lower == "tlp:white" ? std::optional(stix::Tlp::kClear) : stix::parse_tlp(lower.substr(4));
        if (!level) {
          list(at, "Tag", "no level of TLP, kept as a label: " + printable(name, 80), true);
          add_once(out.labels, name);
          continue;
        }
        const std::string_view id = lower == "tlp:white" ? kTlp1White : stix::tlp_id(*level);
        if (const auto doc = json::parse(stix::tlp_object_of_id(id)); doc.ok()) store_.add(Node::from(doc->root()));
        add_once(out.markings, id);
      } else if (lower == "pap:red" || lower == "pap:amber" || lower == "pap:green" || lower == "pap:clear" ||
                 lower == "pap:white") {
        Node marking = pap_marking("PAP:" + [&] {
          std::string level = lower.substr(4);
          for (char& c : level) c = static_cast<char>(c - 'a' + 'A');
          return level;
        }());
        add_once(out.markings, marking.string_at("id"));
        store_.add(std::move(marking));
      } else if (!carried_tags_.contains(name)) {
        add_once(out.labels, name);
      }
    }
  }
  // A level of its own stands instead of the event's.
  if (out.markings.empty()) out.markings = inherited != nullptr ? inherited->markings : event_marks_.markings;
  return out;
}

std::string Importer::organisation(const Node* org, std::string_view fallback) {
  if (org == nullptr || !org->is_object()) return std::string(fallback);
  const auto name = org->string_at("name");
  const auto uuid = org->string_at("uuid");
  if (name.empty()) return std::string(fallback);
  const std::string id =
      uuid.empty() ? "identity--" + derived_uuid("organisation " + std::string(name)) : id_of("identity", uuid);
  Node n = Node::object();
  n.set("type", "identity").set("spec_version", "2.1").set("id", id);
  n.set("created", kNoTime).set("modified", kNoTime).set("name", name).set("identity_class", "organization");
  store_.add(std::move(n));
  return id;
}

std::vector<std::string> Importer::clusters(const Node& holder, const std::string& path) {
  std::vector<std::string> ids;
  const Node* all = holder.find("Galaxy");
  if (all == nullptr || !all->is_array()) return ids;
  for (size_t i = 0; i < all->list().size(); ++i) {
    const Node& galaxy = all->list()[i];
    const std::string at = path + "/Galaxy/" + std::to_string(i);
    account("Galaxy", galaxy, at);
    const Node* list_of = galaxy.find("GalaxyCluster");
    if (list_of == nullptr || !list_of->is_array()) continue;
    for (size_t k = 0; k < list_of->list().size(); ++k) {
      const std::string id =
          cluster(list_of->list()[k], galaxy.string_at("type"), at + "/GalaxyCluster/" + std::to_string(k));
      if (!id.empty()) ids.push_back(id);
    }
  }
  return ids;
}

std::string Importer::cluster(const Node& node, std::string_view galaxy, const std::string& path) {
  account("GalaxyCluster", node, path);
  const std::string value(node.string_at("value"));
  const std::string tag(node.string_at("tag_name"));
  const std::string_view type = galaxy_type(galaxy);
  if (value.empty()) {
    list(path, "GalaxyCluster", "a cluster without a value");
    return {};
  }
  if (flag(node, "local")) {
    list(path, "GalaxyCluster", "a local cluster stays on its server");
    return {};
  }
  if (type.empty()) {
    list(path, "GalaxyCluster", "no STIX type for the galaxy " + printable(galaxy, 60) + "; its tag is kept as a label",
         true);
    return {};
  }
  const Node* meta = node.find("meta");
  if (meta != nullptr) account("meta", *meta, path + "/meta");
  const Node nothing = Node::object();
  const Node& m = meta != nullptr && meta->is_object() ? *meta : nothing;

  // Servers of old wrote the uuid of the whole collection into every cluster of it; those that know both are to be
  // trusted. Else two actors would be one.
  const auto uuid = node.string_at("uuid");
  const auto collection = node.string_at("collection_uuid");
  const bool own = !uuid.empty() && node.find("collection_uuid") != nullptr && uuid != collection;
  std::string id =
      own ? id_of(type, uuid) : std::string(type) + "--" + derived_uuid("cluster " + std::string(galaxy) + " " + value);
  Node n = Node::object();
  n.set("type", type).set("spec_version", "2.1").set("id", id).set("created", kNoTime).set("modified", kNoTime);
  // ATT&CK's own name, without its number, which is a reference.
  std::string name = value;
  const auto numbers = strings(m.find("external_id"));
  for (const auto& number : numbers) {
    if (name.ends_with(" - " + number)) name.resize(name.size() - number.size() - 3);
  }
  n.set("name", name);
  if (const auto text = node.string_at("description"); !text.empty()) n.set("description", text);
  if (type == "malware") n.set("is_family", true);
  if (type == "identity") n.set("identity_class", "class");
  const auto aliases = strings(m.find("synonyms"));
  if (!aliases.empty() && has_aliases(type)) {
    Node l = Node::array();
    for (const auto& a : aliases) l.push(a);
    n.set("aliases", std::move(l));
  } else if (!aliases.empty()) {
    list(path + "/meta/synonyms", "GalaxyCluster", std::string(type) + " has no aliases");
  }
  Node phases = Node::array();
  for (const auto& phase : strings(m.find("kill_chain"))) {
    const size_t colon = phase.rfind(':');
    if (!has_phases(type) || colon == std::string::npos || colon + 1 == phase.size() || colon == 0) {
      list(path + "/meta/kill_chain", "GalaxyCluster", "no phase of a kill chain: " + printable(phase, 60));
      continue;
    }
    phases.push(
        Node(Node::Members{{"kill_chain_name", phase.substr(0, colon)}, {"phase_name", phase.substr(colon + 1)}}));
  }
  if (!phases.list().empty()) n.set("kill_chain_phases", std::move(phases));
  Node references = Node::array();
  for (const auto& number : numbers) {
    references.push(Node(Node::Members{{"source_name", galaxy.starts_with("mitre") ? "mitre-attack" : "misp-galaxy"},
                                       {"external_id", number}}));
  }
  for (const auto& url : strings(m.find("refs"))) {
    if (!pattern::normal_url(url)) {
      list(path + "/meta/refs", "GalaxyCluster", "not a URL: " + printable(url, 80));
      continue;
    }
    references.push(Node(Node::Members{{"source_name", "misp-galaxy"}, {"url", url}}));
  }
  if (!references.list().empty()) n.set("external_references", std::move(references));
  Node x = Node::object();
  x.set("kind", "cluster").set("galaxy", galaxy);
  if (name != value) x.set("value", value);
  if (!tag.empty() && tag != "misp-galaxy:" + std::string(galaxy) + "=\"" + value + "\"") x.set("tag_name", tag);
  const Source source{.path = path,
                      .uuid = {},
                      .type = "GalaxyCluster",
                      .comment = {},
                      .modified = {},
                      .first_seen = {},
                      .last_seen = {},
                      .deleted = false,
                      .marks = {},
                      .name = {}};
  if (!emit(std::move(n), source, {}, std::move(x))) return {};
  if (!tag.empty()) carried_tags_.insert(tag);
  return id;
}

void Importer::sightings(const Node& attribute, const std::string& path, const std::string& main,
                         const Source& source) {
  const Node* all = attribute.find("Sighting");
  if (all == nullptr || !all->is_array()) return;
  for (size_t i = 0; i < all->list().size(); ++i) {
    const Node& s = all->list()[i];
    const std::string at = path + "/Sighting/" + std::to_string(i);
    account("Sighting", s, at);
    const Node* kind = s.find("type");
    const std::string type = kind == nullptr ? "0" : to_text(*kind);
    const auto seen = misp_seconds(s.find("date_sighting"));
    if (!seen) {
      list(at, "Sighting", "a sighting without a time");
      continue;
    }
    if (main.empty()) {
      list(at, "Sighting", "nothing to say it of: the attribute is not carried");
      continue;
    }
    const std::string who = organisation(s.find("Organisation"), "");
    const std::string uuid(s.string_at("uuid"));
    Source of = source;
    of.path = at, of.type = "Sighting", of.modified = *seen, of.deleted = false;
    Node x = Node::object();
    x.set("kind", "sighting").set("attribute", attribute.string_at("uuid"));
    if (const auto from = s.string_at("source"); !from.empty()) x.set("source", from);
    const std::string derived = derived_uuid("sighting " + main + " " + type + " " + stix_time(*seen) + " " + who);
    if (type == "0") {
      Node n = begin("sighting", uuid.empty() ? "sighting--" + derived : id_of("sighting", uuid), of);
      n.set("created", stix_time(*seen));
      n.set("first_seen", stix_time(*seen)).set("last_seen", stix_time(*seen)).set("count", 1);
      n.set("sighting_of_ref", main);
      if (!who.empty()) n.set("where_sighted_refs", Node(Node::List{Node(who)}));
      (void)emit(std::move(n), of, {source.marks.markings, {}}, std::move(x));
    } else {
      // MISP: 1 is a false positive, 2 that the value has expired.
      Node n = begin("opinion", uuid.empty() ? "opinion--" + derived : id_of("opinion", uuid), of);
      n.set("created", stix_time(*seen));
      if (!who.empty()) n.set("created_by_ref", who);
      n.set("explanation", type == "1" ? "false positive" : "expired");
      n.set("opinion", type == "1" ? "strongly-disagree" : "disagree");
      n.set("object_refs", Node(Node::List{Node(main)}));
      x.set("sighting_type", type);
      (void)emit(std::move(n), of, {source.marks.markings, {}}, std::move(x));
    }
  }
}

void Importer::proposals(const Node& holder, const std::string& path) {
  const Node* all = holder.find("ShadowAttribute");
  if (all == nullptr || !all->is_array()) return;
  for (size_t i = 0; i < all->list().size(); ++i) {
    list(path + "/ShadowAttribute/" + std::to_string(i), all->list()[i].string_at("type"),
         "a proposal: nobody has accepted it");
  }
}

void Importer::event_report(const Node& report, const std::string& path) {
  account("EventReport", report, path);
  const auto content = report.string_at("content");
  if (content.empty()) {
    list(path, "EventReport", "a report without text");
    return;
  }
  const auto modified = misp_seconds(report.find("timestamp")).value_or(timestamp_);
  Source source{.path = path,
                .uuid = std::string(report.string_at("uuid")),
                .type = "EventReport",
                .comment = {},
                .modified = modified,
                .first_seen = {},
                .last_seen = {},
                .deleted = flag(report, "deleted"),
                .marks = {event_marks_.markings, {}},
                .name = {}};
  Node n = begin(
      "note", source.uuid.empty() ? "note--" + derived_uuid(std::string(content)) : id_of("note", source.uuid), source);
  if (const auto name = report.string_at("name"); !name.empty()) n.set("abstract", name);
  n.set("content", content).set("object_refs", Node(Node::List{Node(container_)}));
  Node x = Node::object();
  x.set("kind", "report");
  (void)emit(std::move(n), source, source.marks, std::move(x));
}

}  // namespace entente::misp::internal
