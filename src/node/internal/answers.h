// What the files of the node's API share: answers, the body as JSON, the query.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "json/json.h"
#include "json/node.h"
#include "net/http.h"
#include "taxii/backend.h"

namespace entente::node {

[[nodiscard]] net::Response with(int status, const json::Node& body);
[[nodiscard]] net::Response problem(const Error& e);
[[nodiscard]] Error no_such();
// "" if the query has no such name.
[[nodiscard]] std::string query_value(const net::Request& r, std::string_view name);
// A token for one thing opens nothing else.
[[nodiscard]] Status in_scope(const taxii::Caller& caller, const net::Request& request);

// The body as a JSON object, and named members of it.
struct Body {
  json::Document doc;
  [[nodiscard]] static Result<Body> parse(std::string_view text);
  // kInvalid if it is not there, no text, or empty.
  [[nodiscard]] Result<std::string> text(std::string_view name) const;
};

}  // namespace entente::node
