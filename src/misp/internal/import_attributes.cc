// Attributes by themselves.
#include <algorithm>

#include "base/bytes.h"
#include "misp/internal/importer.h"
#include "misp/internal/values.h"
#include "pattern/normal.h"

namespace entente::misp::internal {

using json::Node;

namespace {

// Names are for people: a whole YARA rule is none.
std::string short_name(std::string_view value) {
  constexpr size_t kMax = 200;
  if (value.size() <= kMax) return std::string(value);
  size_t end = kMax;
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xc0) == 0x80) --end;
  return std::string(value.substr(0, end)) + "…";
}

}  // namespace

Node Importer::describe(const Attribute& a, const Node* carrier, std::span<const Place> places) const {
  Node x = Node::object();
  const std::string_view carrier_type = carrier == nullptr ? std::string_view() : carrier->string_at("type");
  x.set("type", a.type);
  if (const auto c = a.node->string_at("category"); !c.empty()) x.set("category", c);
  if (!a.comment.empty() && carrier_type != "indicator") x.set("comment", a.comment);
  if (a.first_seen) x.set("first_seen", stix_time(*a.first_seen));
  if (a.last_seen) x.set("last_seen", stix_time(*a.last_seen));
  std::optional<std::string> there;
  if (carrier != nullptr && !places.empty() && !places[0].path.empty())
    there = value_at(*carrier, places, [this](std::string_view id) { return store_.find(id); });
  if (!there || *there != a.value) x.set("value", a.value);
  return x;
}

std::string Importer::note(const Source& source, std::string abstract, std::string content, const Node& extension,
                           std::string_view link) {
  const std::string id = id_of("note", source.uuid);
  Node n = begin("note", id, source);
  n.set("abstract", std::move(abstract)).set("content", std::move(content));
  n.set("object_refs", Node(Node::List{Node(container_)}));
  if (!link.empty() && pattern::normal_url(link)) {
    n.set("external_references", Node(Node::List{Node(Node::Members{{"source_name", "link"}, {"url", link}})}));
  }
  return emit(std::move(n), source, source.marks, extension) ? id : std::string();
}

// Domain objects and rules; "" if the attribute is to be a note.
std::string Importer::own_object(const Attribute& a, const Source& source, const Node& extension) {
  const auto made = [&](Node n) {
    const std::string id(n.string_at("id"));
    return emit(std::move(n), source, source.marks, extension) ? id : std::string();
  };
  switch (a.row->target) {
    case Target::kRule: {
      if (!a.to_ids) return {};
      Node n = begin("indicator", id_of("indicator", a.uuid), source);
      n.set("name", source.name);
      if (!a.comment.empty()) n.set("description", a.comment);
      n.set("pattern", a.value).set("pattern_type", a.row->extra);
      if (a.row->extra == "stix") {
        if (const auto p = pattern::Pattern::parse(a.value); !p.ok()) {
          list(a.path, a.type, "no STIX pattern, carried as a note: " + p.error().text(), true);
          return {};
        }
        n.set("pattern_version", "2.1");
      }
      n.set("valid_from", stix_time(source.first_seen.value_or(source.modified)));
      return made(std::move(n));
    }
    case Target::kVulnerability: {
      Node n = begin("vulnerability", id_of("vulnerability", a.uuid), source);
      n.set("name", a.value);
      if (to_value(Form::kCve, a.value)) {
        n.set("external_references",
              Node(Node::List{Node(Node::Members{{"source_name", "cve"}, {"external_id", a.value}})}));
      }
      return made(std::move(n));
    }
    case Target::kVictim: {
      Node n = begin("identity", id_of("identity", a.uuid), source);
      n.set("name", a.value).set("roles", Node(Node::List{Node("victim")})).set("identity_class", a.row->extra);
      return made(std::move(n));
    }
    case Target::kThreatActor:
    case Target::kCampaign: {
      const char* type = a.row->target == Target::kCampaign ? "campaign" : "threat-actor";
      Node n = begin(type, id_of(type, a.uuid), source);
      n.set("name", a.value);
      return made(std::move(n));
    }
    default:
      return {};
  }
}

void Importer::context(const Node& node, const std::string& path, const std::string& main, const Source& source,
                       const std::vector<std::string>& cluster_ids) {
  sightings(node, path, main, source);
  proposals(node, path);
  for (const auto& id : cluster_ids) {
    if (main.empty()) continue;
    const std::string_view type = std::string_view(id).substr(0, id.find("--"));
    const bool indicates =
        main.starts_with("indicator--") && type != "course-of-action" && type != "identity" && type != "vulnerability";
    // One object of STIX may stand for many attributes: which of them it was.
    Node x = Node::object();
    x.set("kind", "cluster-of").set("attribute", node.string_at("uuid"));
    relate(main, indicates ? "indicates" : "related-to", id, source, {}, {}, std::move(x));
  }
}

void Importer::attribute(const Node& node, const std::string& path, std::string_view object, const Node* frame) {
  auto read = read_attribute(node, path);
  if (!read) return;
  Attribute& a = *read;
  Source source{.path = path,
                .uuid = a.uuid,
                .type = a.type,
                .comment = a.comment,
                .modified = a.modified,
                .first_seen = a.first_seen,
                .last_seen = a.last_seen,
                .deleted = a.deleted,
                .marks = {},
                .name = short_name(a.value)};
  // The clusters first: their tags are not labels too.
  const auto cluster_ids = clusters(node, path);
  a.marks = tags(node, path, nullptr);
  source.marks = a.marks;

  const auto extension = [&](const Node* carrier, std::span<const Place> places) {
    Node x = Node::object();
    x.set("kind", "attribute");
    const Node details = describe(a, carrier, places);
    for (const auto& [name, value] : details.members()) x.set(name, value);
    if (carrier == nullptr && a.to_ids) x.set("to_ids", true);
    if (uuid_part(id_of("x", a.uuid)) != a.uuid) x.set("uuid", a.uuid);
    if (!object.empty()) x.set("object", object).set("relation", a.relation);
    if (frame != nullptr) x.set("frame", *frame);
    return x;
  };

  std::string main;
  if (a.row != nullptr && a.row->target == Target::kObservable) {
    std::string why;
    std::vector<Placed> placed = place_parts(a, 0, why);
    if (placed.empty()) {
      list(path, a.type, why + ", carried as a note", true);
    } else {
      const std::vector<Attribute> one{a};
      // A flag that no pattern carries is kept in the extension.
      main = carry(placed, one, source, [&](const Node& carrier) {
        Node x = extension(&carrier, a.row->places);
        if (a.to_ids && carrier.string_at("type") != "indicator") x.set("to_ids", true);
        return x;
      });
      if (!main.empty()) {
        const bool pattern = std::any_of(placed.begin(), placed.end(), [](const Placed& p) { return p.in_pattern; });
        ++(pattern ? out_.counts.as_indicator : out_.counts.as_observed);
      }
    }
  } else if (a.row != nullptr) {
    Node x = extension(nullptr, {});
    main = own_object(a, source, x);
    if (!main.empty()) ++out_.counts.as_other;
  }
  if (main.empty()) {
    const auto category = node.string_at("category");
    const bool link = a.row != nullptr && a.row->target == Target::kLink;
    main = note(source, a.type + (category.empty() ? "" : " (" + std::string(category) + ")"), a.value,
                extension(nullptr, {}), link ? std::string_view(a.value) : std::string_view());
    ++(main.empty() ? out_.counts.left_out : out_.counts.as_note);
    if (!main.empty() && !a.data.empty()) list(path + "/data", a.type, "the attached file: a note cannot hold it");
  }
  if (!main.empty()) made_.emplace(a.uuid, main);

  context(node, path, main, source, cluster_ids);
}

}  // namespace entente::misp::internal
