#include "node/retention_api.h"

#include "exchange/handling.h"
#include "exchange/returns.h"
#include "json/json.h"

namespace entente::node {

using exchange::Role;
using json::Node;

namespace {

constexpr size_t kListed = 1000;

Node time_or_null(const std::optional<Time>& t) { return t ? Node(to_text(*t)) : Node(); }

Node term_node(Node n, const exchange::Term& t) {
  n.set("until", time_or_null(t.until)).set("why", t.why).set("article", t.article);
  return n.set("hold", t.hold);
}

std::string query_value(const net::Request& r, std::string_view name) {
  const auto pairs = net::parse_query(r.query);
  if (!pairs) return {};
  for (const auto& [k, v] : *pairs) {
    if (k == name) return v;
  }
  return {};
}

Result<Node> listed(exchange::Exchange& ex, bool over) {
  TRY(const auto all, ex.destruction().list(over, kListed));
  Node list = Node::array();
  for (const auto& r : all) {
    Node n = Node::object();
    n.set("id", r.row.id).set("version", r.row.version).set("from", r.peer).set("agreement_id", r.agreement);
    n.set("tlp", r.tlp).set("received", to_text(r.row.date_added));
    if (r.handed_back && !r.handed_back->id.empty()) n.set("handed_back", r.handed_back->id);
    list.push(term_node(std::move(n), r.term));
  }
  TRY(const auto statements, exchange::returns(ex.context().store));
  const Time now = ex.context().clock.now();
  Node returned = Node::array();
  for (const auto& e : statements) {
    Node n = Node::object();
    n.set("id", e.id).set("by", e.ours ? ex.context().config.party : e.peer);
    n.set("to", e.ours ? e.peer : ex.context().config.party).set("agreement_id", e.agreement);
    n.set("objects", e.objects).set("destroyed", e.destroyed).set("at", to_text(e.at)).set("state", e.word(now));
    n.set("lapses", time_or_null(e.lapses)).set("answered", time_or_null(e.answered));
    returned.push(n.set("differs", e.differs));
  }
  Node out = Node::object().set("objects", std::move(list)).set("more", all.size() == kListed);
  return out.set("returns", std::move(returned));
}

}  // namespace

Result<Node> retention_api(exchange::Exchange& ex, const net::Request& request,
                           const std::function<Status(std::initializer_list<Role>)>& only) {
  if (request.path == "/api/v1/retention" && request.method == "GET") {
    CHECK_OK(only({Role::kReleaseOfficer, Role::kAuditor}));
    return listed(ex, query_value(request, "over") == "1");
  }
  if (request.path == "/api/v1/retention/run" && request.method == "POST") {
    CHECK_OK(only({Role::kReleaseOfficer}));
    // Whoever does not say so destroys nothing.
    const auto doc = json::parse(request.body);
    if (!doc.ok()) return doc.error();
    const auto sure = json::find_bool(doc->root(), "destroy");
    if (!sure) return invalid("the body lacks \"destroy\"", "/destroy", "true destroys, false shows what would go");
    if (!*sure) return listed(ex, true);
    TRY(const auto done, ex.destruction().run());
    Node n = Node::object();
    n.set("destroyed", done.objects).set("held", done.held).set("manifests", done.manifests);
    n.set("handed_back", done.handed_back).set("waiting", done.waiting);
    return n.set("receipts", done.receipts);
  }
  return make_error(ErrorKind::kNotFound, "the node has no such path", {}, "see docs/api.md");
}

Result<Node> handling_api(exchange::Exchange& ex, const net::Request& request) {
  const std::string id = query_value(request, "id");
  TRY(const auto all, exchange::handling_of(ex.context(), ex.instruments(), id));
  if (all.empty() && !id.empty())
    return make_error(ErrorKind::kNotFound, "no partner has given this node an object with this id", id);
  Node list = Node::array();
  for (const auto& h : all) {
    Node n = Node::object();
    n.set("from", h.from).set("agreement_id", h.agreement).set("article", h.article).set("version", h.version);
    n.set("tlp", stix::to_text(h.tlp)).set("pap", stix::to_text(h.pap)).set("marked_tlp", h.marked_tlp);
    n.set("marked_pap", h.marked_pap).set("revoked", h.revoked).set("live", h.live);
    n.set("monitor",
          Node::object().set("allowed", h.monitor.allowed).set("article", h.monitor.article).set("why", h.monitor.why));
    n.set("block",
          Node::object().set("allowed", h.block.allowed).set("article", h.block.article).set("why", h.block.why));
    list.push(n.set("keep", term_node(Node::object(), h.term)));
  }
  return Node::object().set("id", id).set("received", std::move(list));
}

}  // namespace entente::node
