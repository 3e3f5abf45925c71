#include "taxii/internal/resource.h"

#include "json/node.h"
#include "taxii/internal/media.h"

namespace entente::taxii::internal {
namespace {

using json::append_quoted;
using json::Node;

// Empty lists are forbidden, so an empty result is an empty object (T20). Two octets alone are taken for UTF-16 by a
// library that many clients use; blanks help it (R1b).
constexpr std::string_view kEmptyObject = "{  }\n";

// `"more":true,"next":"…",` or nothing (T41: never one without the other).
std::string more_members(std::string_view next) {
  if (next.empty()) return {};
  std::string out = "\"more\":true,\"next\":";
  append_quoted(out, next);
  return out;
}

Node details(const std::vector<ItemResult>& items, Time request_time) {
  Node list = Node::array();
  for (const auto& item : items) {
    Node n = Node::object();
    n.set("id", item.id);
    // T63: required; an object whose version could not be read has the one that we would have given it (T56).
    n.set("version", item.version.empty() ? to_text(request_time) : item.version);
    if (!item.message.empty()) n.set("message", item.message);
    list.push(std::move(n));
  }
  return list;
}

// A source and what comes after it.
class Followed final : public net::BodySource {
 public:
  Followed(std::shared_ptr<net::BodySource> first, std::string then)
      : first_(std::move(first)), then_(std::move(then)) {}
  Result<bool> next(std::string& out) override {
    TRY(const bool more, first_->next(out));
    if (!more) out += then_;
    return more;
  }

 private:
  std::shared_ptr<net::BodySource> first_;
  std::string then_;
};

Node collection_node(const CollectionInfo& c) {
  Node n = Node::object();
  n.set("id", c.id);
  n.set("title", c.title);
  if (!c.description.empty()) n.set("description", c.description);
  if (!c.alias.empty()) n.set("alias", c.alias);
  n.set("can_read", c.can_read).set("can_write", c.can_write);  // T32: booleans, for this client
  Node types = Node::array();
  types.push(Node(kStix));
  n.set("media_types", std::move(types));  // T33
  return n;
}

}  // namespace

// T26: the default is one of the list, the very same text; nothing is listed that the caller may not know of.
std::string discovery_json(const std::string& title, const std::string& contact, const std::vector<RootInfo>& roots,
                           const std::string& origin) {
  Node n = Node::object();
  n.set("title", title);
  if (!contact.empty()) n.set("contact", contact);
  if (!roots.empty()) {
    Node list = Node::array();
    for (const auto& root : roots) list.push(Node(origin + root.path));
    n.set("default", origin + roots.front().path);
    n.set("api_roots", std::move(list));
  }
  return json::write(n);
}

std::string root_json(const RootInfo& root) {  // T28
  Node versions = Node::array();
  versions.push(Node(kTaxii));
  Node n = Node::object();
  n.set("title", root.title);
  if (!root.description.empty()) n.set("description", root.description);
  n.set("versions", std::move(versions));
  n.set("max_content_length", Node(root.max_content_length));
  return json::write(n);
}

std::string collection_json(const CollectionInfo& collection) { return json::write(collection_node(collection)); }

std::string collections_json(const std::vector<CollectionInfo>& collections) {  // T31
  if (collections.empty()) return std::string(kEmptyObject);
  Node list = Node::array();
  for (const auto& c : collections) list.push(collection_node(c));
  Node n = Node::object();
  n.set("collections", std::move(list));
  return json::write(n);
}

std::string status_json(const StatusInfo& s) {  // T63
  Node n = Node::object();
  n.set("id", s.id);
  n.set("status", s.complete ? "complete" : "pending");
  n.set("request_timestamp", to_text(s.request_time));
  n.set("total_count", Node(s.total)).set("success_count", Node(s.success));
  n.set("failure_count", Node(s.failure)).set("pending_count", Node(s.pending));
  // A list is as long as its count or is not there at all.
  if (!s.successes.empty() && s.successes.size() == s.success) n.set("successes", details(s.successes, s.request_time));
  if (!s.failures.empty() && s.failures.size() == s.failure) n.set("failures", details(s.failures, s.request_time));
  if (!s.pendings.empty() && s.pendings.size() == s.pending) n.set("pendings", details(s.pendings, s.request_time));
  return json::write(n);
}

net::Response envelope_answer(Page page, std::string_view next) {  // T61
  if (page.objects == nullptr)
    return answer(200, next.empty() ? std::string(kEmptyObject) : "{" + more_members(next) + "}");
  const std::string more = more_members(next);
  net::Response out = answer(200, "{\"objects\":[");
  out.rest = std::make_shared<Followed>(std::move(page.objects), more.empty() ? "]}" : "]," + more + "}");
  return out;
}

std::string manifest_json(const Page& page, std::string_view next) {  // T58
  if (page.items.empty()) return next.empty() ? std::string(kEmptyObject) : "{" + more_members(next) + "}";
  std::string out = "{" + more_members(next);
  if (!next.empty()) out += ',';
  out += "\"objects\":[";
  out.reserve(out.size() + page.items.size() * 220);
  for (size_t i = 0; i < page.items.size(); ++i) {
    const Item& item = page.items[i];
    out += i == 0 ? "{\"id\":" : ",{\"id\":";
    append_quoted(out, item.id);
    out += ",\"date_added\":\"" + to_text(item.date_added) + "\",\"version\":";
    append_quoted(out, item.version);
    out += ",\"media_type\":\"";
    out += kStix;
    out += "\"}";
  }
  out += "]}";
  return out;
}

std::string versions_json(const Page& page, std::string_view next) {  // T59
  if (page.items.empty()) return next.empty() ? std::string(kEmptyObject) : "{" + more_members(next) + "}";
  std::string out = "{" + more_members(next);
  if (!next.empty()) out += ',';
  out += "\"versions\":[";
  for (size_t i = 0; i < page.items.size(); ++i) {
    if (i > 0) out += ',';
    append_quoted(out, page.items[i].version);
  }
  out += "]}";
  return out;
}

net::Response answer(int status, std::string body) {  // T13
  net::Response r;
  r.status = status;
  r.headers.emplace_back("Content-Type", kTaxii);
  r.body = std::move(body);
  return r;
}

net::Response error_answer(int status, std::string_view title, std::string_view description) {  // T74
  Node n = Node::object();
  n.set("title", title);
  if (!description.empty()) n.set("description", description);
  n.set("http_status", std::to_string(status));
  net::Response r = answer(status, json::write(n));
  // T5: a challenge with every 401.
  if (status == 401) r.headers.emplace_back("WWW-Authenticate", "Basic realm=\"TAXII\", charset=\"UTF-8\"");
  if (status == 503 || status == 429) r.headers.emplace_back("Retry-After", "5");  // R11
  return r;
}

net::Response error_answer(const Error& error) {
  const int status = http_status(error.kind);
  // T75: what went wrong inside is nobody's business outside.
  if (status == 500)
    return error_answer(500, "Internal error", "The server could not do this. It is not your request.");
  std::string text = error.what;
  if (!error.where.empty()) text += " (" + error.where + ")";
  static constexpr auto kTitle = [](int s) -> std::string_view {
    switch (s) {
      case 400:
        return "Bad request";
      case 401:
        return "Not authenticated";
      case 403:
        return "Not permitted";
      case 404:
        return "Not found";
      case 409:
        return "Conflict";
      case 413:
        return "Too large";
      case 501:
        return "Not supported";
      case 503:
        return "Not available now";
      default:
        return "Error";
    }
  };
  if (!error.remedy.empty()) text += ": " + error.remedy;
  return error_answer(status, kTitle(status), text);
}

}  // namespace entente::taxii::internal
