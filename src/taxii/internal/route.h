// The endpoint map (TAXII 2.1 §3.1): which resource a path below an API root names.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::taxii::internal {

enum class Resource { kRoot, kStatus, kCollections, kCollection, kManifest, kObjects, kObject, kVersions };

struct Route {
  Resource resource = Resource::kRoot;
  std::string collection;  // id or alias, decoded
  std::string item;        // object or status id, decoded
};

// `rest` is what follows the root, e.g. "collections/x/objects/". The last slash may be missing (T23, R5). nullopt: no
// such path.
std::optional<Route> find_route(std::string_view rest);
// "GET, HEAD" and so on, for Allow (T10).
std::string_view allowed_methods(Resource resource);

}  // namespace entente::taxii::internal
