// Takes a text apart into events; internal/importer.h does the rest.
#include <algorithm>

#include "json/json.h"
#include "misp/internal/importer.h"
#include "misp/misp.h"

namespace entente::misp {

using json::Node;

namespace {

// {"Event":…}, {"response":…} of either form, a list of them, or a bare event.
Status each_event(const Node& node, const std::string& path, int depth, internal::Importer& importer) {
  if (depth > 4) return invalid("no MISP event", path);
  if (node.is_array()) {
    for (size_t i = 0; i < node.list().size(); ++i)
      CHECK_OK(each_event(node.list()[i], path + "/" + std::to_string(i), depth + 1, importer));
    return {};
  }
  for (const char* name : {"response", "Event"}) {
    if (const Node* inner = node.find(name); inner != nullptr)
      return each_event(*inner, path + "/" + name, depth + 1, importer);
  }
  if (node.find("uuid") != nullptr && node.find("info") != nullptr) return importer.event(node, path);
  return invalid("no MISP event", path.empty() ? "/" : path,
                 "this reads MISP core format: an object \"Event\", or \"response\" with a list of them");
}

}  // namespace

Result<Import> to_stix(std::span<const std::string_view> texts) {
  internal::Importer importer;
  json::Document doc;
  for (size_t i = 0; i < texts.size(); ++i) {
    CHECK_OK(doc.parse(texts[i]));
    CHECK_OK(each_event(Node::from(doc.root()), texts.size() > 1 ? "/" + std::to_string(i) : "", 0, importer));
  }
  return std::move(importer).finish();
}

Node bundle_of(const std::vector<Node>& objects) {
  std::string all;
  for (const auto& o : objects)
    all += std::string(o.string_at("id")) + " " + std::string(o.string_at("modified")) + "\n";
  Node n = Node::object();
  n.set("type", "bundle").set("id", "bundle--" + internal::derived_uuid(all));
  if (!objects.empty()) n.set("objects", Node(Node::List(objects.begin(), objects.end())));
  return n;
}

}  // namespace entente::misp
