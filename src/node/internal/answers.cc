#include "node/internal/answers.h"

#include "exchange/directory.h"

namespace entente::node {

using json::Node;

net::Response with(int status, const Node& body) {
  return {status, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}, json::write(body) + "\n"};
}

net::Response problem(const Error& e) {
  const int status = http_status(e.kind);
  Node n = Node::object();
  n.set("title", e.what)
      .set("description", e.where)
      .set("error_code", name(e.kind))
      .set("remedy", e.remedy)
      .set("http_status", std::to_string(status));
  net::Response r = with(status, n);
  if (status == 401) r.headers.emplace_back("WWW-Authenticate", "Basic realm=\"entente\", charset=\"UTF-8\"");
  if (status == 503 || status == 429) r.headers.emplace_back("Retry-After", "5");
  return r;
}

Error no_such() { return make_error(ErrorKind::kNotFound, "the node has no such path", {}, "see docs/api.md"); }

std::string query_value(const net::Request& r, std::string_view name) {
  const auto pairs = net::parse_query(r.query);
  if (!pairs) return {};
  for (const auto& [k, v] : *pairs) {
    if (k == name) return v;
  }
  return {};
}

Status in_scope(const taxii::Caller& caller, const net::Request& request) {
  const exchange::Scope scope = exchange::parse_scope(caller.scope);
  if (!scope.collections.empty())
    return make_error(ErrorKind::kDenied, "this token is for TAXII collections only", request.path,
                      "use a token without --collection");
  if (scope.read_only && request.method != "GET" && request.method != "HEAD")
    return make_error(ErrorKind::kDenied, "this token is read-only", request.path, "use a token without --read-only");
  return {};
}

Result<Body> Body::parse(std::string_view text) {
  Body b;
  CHECK_OK(b.doc.parse(text));
  if (!b.doc.root().is_object()) return invalid("the body is not a JSON object");
  return b;
}

Result<std::string> Body::text(std::string_view name) const {
  const auto v = json::find_string(doc.root(), name);
  if (!v || v->empty())
    return invalid("the body lacks the text \"" + std::string(name) + "\"", "/" + std::string(name));
  return std::string(*v);
}

}  // namespace entente::node
