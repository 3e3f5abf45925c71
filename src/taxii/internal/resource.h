// TAXII resources as JSON text, and the frame of every answer.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"
#include "taxii/backend.h"

namespace entente::taxii::internal {

// `origin` stands before each root's path; "" = relative URLs.
std::string discovery_json(const std::string& title, const std::string& contact, const std::vector<RootInfo>& roots,
                           const std::string& origin);
std::string root_json(const RootInfo& root);
std::string collection_json(const CollectionInfo& collection);
std::string collections_json(const std::vector<CollectionInfo>& collections);
std::string status_json(const StatusInfo& status);
// `next` empty: no more pages. The objects follow as the client takes them.
net::Response envelope_answer(Page page, std::string_view next);
std::string manifest_json(const Page& page, std::string_view next);
std::string versions_json(const Page& page, std::string_view next);

net::Response answer(int status, std::string body);  // with the TAXII media type
net::Response error_answer(int status, std::string_view title, std::string_view description);
net::Response error_answer(const Error& error);  // by the one table of kinds

}  // namespace entente::taxii::internal
