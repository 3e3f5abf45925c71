#include "misp/internal/shared.h"

#include "base/uuid.h"
#include "misp/internal/observables.h"
#include "misp/internal/path.h"
#include "misp/internal/values.h"
#include "pattern/comparisons.h"

namespace entente::misp::internal {

using json::Node;

Node extension_definition() {
  Node n = Node::object();
  n.set("type", "extension-definition").set("spec_version", "2.1").set("id", kExtension);
  n.set("created_by_ref", kExtensionAuthor).set("created", kNoTime).set("modified", kNoTime);
  n.set("name", "MISP");
  n.set("description",
        "What a MISP event says of an object and STIX has no property for: the type and category of attributes, the "
        "relations and templates of objects, the galaxy of a cluster. docs/misp.md of entente describes it.");
  n.set("schema", "docs/misp.md").set("version", "1.0.0");
  n.set("extension_types", Node(Node::List{Node("property-extension")}));
  return n;
}

Node extension_author() {
  Node n = Node::object();
  n.set("type", "identity").set("spec_version", "2.1").set("id", kExtensionAuthor);
  n.set("created", kNoTime).set("modified", kNoTime);
  n.set("name", "entente").set("identity_class", "system");
  return n;
}

std::string derived_uuid(std::string_view what) {
  static const Uuid kSpace = *parse_uuid("5c2f8a7e-0d7b-4f43-9a51-6a4f0e9d2b18");
  return name_uuid(kSpace, what).text();
}

std::string id_of(std::string_view type, std::string_view misp_uuid) {
  const auto uuid = parse_uuid(misp_uuid);
  const bool fine = uuid && uuid->rfc4122() && uuid->version() >= 1 && uuid->version() <= 5;
  return std::string(type) + "--" + (fine ? uuid->text() : derived_uuid(misp_uuid));
}

std::string_view uuid_part(std::string_view id) {
  const size_t at = id.find("--");
  return at == std::string_view::npos ? std::string_view() : id.substr(at + 2);
}

const Node* extension_of(const Node& object) {
  const Node* extensions = object.find("extensions");
  return extensions == nullptr ? nullptr : extensions->find(kExtension);
}

std::optional<Tests> tests_of(std::string_view text) {
  const auto parsed = pattern::Pattern::parse(text);
  if (!parsed.ok()) return std::nullopt;
  const auto comparisons = pattern::equalities(*parsed);
  if (!comparisons) return std::nullopt;
  Tests out;
  for (const auto& c : comparisons->tests) out.emplace_back(c.path, c.value);
  return out;
}

std::optional<std::string> value_at(const Node& object, std::span<const Place> places, const Find& find) {
  const bool indicator = object.string_at("type") == "indicator";
  std::optional<Tests> tests;
  if (indicator) {
    tests = tests_of(object.string_at("pattern"));
    if (!tests) return std::nullopt;
  }
  const Node* root = nullptr;
  const Node* refs = object.find("object_refs");
  const std::string_view type = places[0].path.substr(0, places[0].path.find(':'));
  const auto is = [&](std::string_view have, std::string_view want) {
    return have == want || (want == "ip" && (have == "ipv4-addr" || have == "ipv6-addr"));
  };
  if (!indicator && refs != nullptr && refs->is_array()) {
    size_t roots = 0;
    for (const auto& r : refs->list()) {
      const Node* o = r.is_string() ? find(r.string()) : nullptr;
      if (o == nullptr || !is(o->string_at("type"), type)) continue;
      if (roots++ == 0) root = o;
    }
    if (type == "ip" && roots != 1) return std::nullopt;
  }
  std::string out;
  for (const auto& place : places) {
    if (place.path.empty()) break;
    std::vector<std::string> values;
    if (indicator) {
      const size_t colon = place.path.find(':');
      for (const auto& [path, value] : *tests) {
        const size_t c = path.find(':');
        if (path.substr(c) == place.path.substr(colon) &&
            is(std::string_view(path).substr(0, c), place.path.substr(0, colon)))
          values.push_back(value);
      }
    } else if (root != nullptr && single(place.path)) {
      values = values_at(
          *root, place.path, [](const void* f, std::string_view id) { return (*static_cast<const Find*>(f))(id); },
          &find);
    }
    if (values.size() != 1) return std::nullopt;
    out += (out.empty() ? "" : "|") + values.front();
  }
  return out;
}

}  // namespace entente::misp::internal
