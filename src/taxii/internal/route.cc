#include "taxii/internal/route.h"

#include "base/bytes.h"
#include "net/http.h"

namespace entente::taxii::internal {
namespace {

// Decoded path segments; nullopt if one is empty or not text.
std::optional<std::vector<std::string>> segments(std::string_view rest) {
  std::vector<std::string> out;
  if (rest.ends_with('/')) rest.remove_suffix(1);
  while (!rest.empty()) {
    const size_t slash = rest.find('/');
    auto segment = net::url_decode(rest.substr(0, slash));
    if (!segment || segment->empty() || !valid_utf8(*segment) || out.size() == 5) return std::nullopt;
    out.push_back(*std::move(segment));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
    if (rest.empty()) return std::nullopt;  // "a//"
  }
  return out;
}

}  // namespace

std::optional<Route> find_route(std::string_view rest) {
  const auto parts = segments(rest);
  if (!parts) return std::nullopt;
  const auto& p = *parts;
  if (p.empty()) return Route{};
  if (p[0] == "status" && p.size() == 2) return Route{Resource::kStatus, {}, p[1]};
  if (p[0] != "collections") return std::nullopt;
  switch (p.size()) {
    case 1:
      return Route{Resource::kCollections, {}, {}};
    case 2:
      return Route{Resource::kCollection, p[1], {}};
    case 3:
      if (p[2] == "manifest") return Route{Resource::kManifest, p[1], {}};
      if (p[2] == "objects") return Route{Resource::kObjects, p[1], {}};
      return std::nullopt;
    case 4:
      if (p[2] == "objects") return Route{Resource::kObject, p[1], p[3]};
      return std::nullopt;
    default:
      if (p[2] == "objects" && p[4] == "versions") return Route{Resource::kVersions, p[1], p[3]};
      return std::nullopt;
  }
}

std::string_view allowed_methods(Resource resource) {
  switch (resource) {
    case Resource::kObjects:
      return "GET, HEAD, POST";
    case Resource::kObject:
      return "GET, HEAD, DELETE";
    default:
      return "GET, HEAD";
  }
}

}  // namespace entente::taxii::internal
