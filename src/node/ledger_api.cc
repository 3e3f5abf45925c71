#include "node/ledger_api.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "exchange/evidence_package.h"
#include "exchange/names.h"
#include "exchange/reconcile.h"
#include "exchange/trace.h"
#include "json/node.h"
#include "node/internal/answers.h"

namespace entente::node {

using exchange::Role;
using json::Node;

namespace {

// What one of the parties released to the other, against its receipts: for the two, and for own auditors.
Result<Node> reconciliation(exchange::Exchange& ex, const net::Request& request, const taxii::Caller& caller,
                            const std::string& id) {
  const auto state = ex.instruments().state(id);
  if (!state || !state->document) return no_such();
  const std::string from = query_value(request, "from");
  const std::string to = query_value(request, "to");
  const auto party = [&](const std::string& p) { return state->document->party(p) != nullptr; };
  if (!party(from) || !party(to))
    return invalid("the query lacks from=PARTY&to=PARTY, both of this agreement", "?from&to");
  if (!caller.id.starts_with("person ")) {
    const auto own = exchange::Exchange::parties(caller);
    if (std::ranges::none_of(own, [&](const auto& p) { return p == from || p == to; })) return no_such();
  }
  const auto entries = [&](const char* name, const std::string& of) -> Result<uint64_t> {
    const std::string text = query_value(request, name);
    if (text.empty()) return exchange::entries_held(ex.context(), id, of);
    uint64_t n = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), n).ptr != text.data() + text.size())
      return invalid("not a number of entries", name);
    return n;
  };
  TRY(const uint64_t from_entries, entries("from_entries", from));
  TRY(const uint64_t to_entries, entries("to_entries", to));
  TRY(const auto r, exchange::reconcile(ex.context(), *state, from, to, from_entries, to_entries));
  const std::string text = r.text();
  TRY(const json::Document doc, json::parse(text));
  Node n = Node::object();
  n.set("sha256", sha256_hex(text)).set("result", Node::from(doc.root()));
  return n;
}

// A package as POST /api/v1/ledger/evidence and …/open make it.
Result<net::Response> evidence(exchange::Exchange& ex, const net::Request& request) {
  TRY(const Body b, Body::parse(request.body));
  exchange::EvidenceRequest rq;
  TRY(rq.agreement, b.text("agreement_id"));
  const json::Value root = b.doc.root();
  rq.with = json::find_string(root, "with").value_or("");
  if (request.path.ends_with("/open")) {
    rq.kind = "private";
    const auto list = json::find_array(root, "leaves");
    if (!list) return invalid("the body lacks \"leaves\"", "/leaves");
    for (const json::Value v : *list) {
      int64_t n = 0;
      if (v.get_int64().get(n) != simdjson::SUCCESS || n < 0 || rq.leaves.size() >= 1000)
        return invalid("not the indexes of at most 1000 leaves", "/leaves");
      rq.leaves.push_back(static_cast<uint64_t>(n));
    }
  } else {
    rq.kind = json::find_string(root, "kind").value_or("all");
    rq.value = json::find_string(root, "value").value_or("");
    if (rq.kind == "private") return no_such();  // an auditor opens those
  }
  TRY(std::string text, exchange::make_evidence(ex, rq));
  return net::Response{200, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}, text + "\n"};
}

// Leaves of the private log, without what opens them.
Result<Node> private_list(exchange::Exchange& ex, const net::Request& request) {
  uint64_t from = 0;
  const std::string after = query_value(request, "from");
  if (!after.empty() &&
      std::from_chars(after.data(), after.data() + after.size(), from).ptr != after.data() + after.size())
    return invalid("from is not a number", "?from");
  TRY(const auto rows, ex.context().store.read("leaf/" + std::string(exchange::kPrivateLog), from, 1000));
  Node list = Node::array();
  for (size_t i = 0; i < rows.size(); ++i) list.push(Node::object().set("index", from + i).set("leaf", rows[i]));
  return Node::object().set("leaves", std::move(list)).set("next", from + rows.size());
}

// What this party told each partner last, with the number that it alone may read.
Node entitlement_node(exchange::Exchange& ex) {
  Node list = Node::array();
  for (const auto& s : ex.instruments().states()) {
    for (const auto& p : s->document->parties) {
      const auto e = ex.private_log().entitlement(s->agreement_id, p.party);
      if (!e) continue;
      list.push(Node::object()
                    .set("agreement_id", s->agreement_id)
                    .set("to", p.party)
                    .set("leaf", e->leaf)
                    .set("at", to_text(e->at))
                    .set("withheld", e->withheld));
    }
  }
  return Node::object().set("told", std::move(list));
}

}  // namespace

net::Response ledger_file(exchange::Exchange& ex, const net::Request& request) {
  auto caller = ex.authenticate(request);
  if (!caller.ok()) return problem(caller.error());
  const std::string_view rest = std::string_view(request.path).substr(8);  // after "/ledger/"
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return problem(no_such());
  const std::string_view uuid = rest.substr(0, slash);
  if ((!parse_uuid(uuid) && uuid != exchange::kPrivateLog) || !ex.may_read_ledger(*caller, uuid) ||
      !in_scope(*caller, request).ok())
    return problem(no_such());
  const std::string_view path = rest.substr(slash + 1);
  if (path == "reconciliation") {
    auto n = reconciliation(ex, request, *caller, "urn:uuid:" + std::string(uuid));
    return n.ok() ? with(200, *n) : problem(n.error());
  }
  auto file = ex.ledger_file(uuid, path);
  if (!file.ok()) return problem(file.error().kind == ErrorKind::kNotFound ? no_such() : file.error());
  const bool fixed = path.find("tile/") != std::string_view::npos && path.find(".p/") == std::string_view::npos;
  return {200,
          {{"Content-Type", path == "seen"                                                ? "application/json"
                            : path.ends_with("checkpoint") || path.ends_with(".cosigned") ? "text/plain; charset=utf-8"
                                                                                          : "application/octet-stream"},
           {"Cache-Control", fixed ? "max-age=31536000, immutable" : "no-cache"}},
          std::move(*file)};
}

Result<net::Response> ledger_answer(exchange::Exchange& ex, const net::Request& request, const taxii::Caller& caller,
                                    const Permit& only) {
  const std::string& path = request.path;
  const bool get = request.method == "GET";
  const bool post = request.method == "POST";
  if (path == "/api/v1/ledger/conflicts" && get) {
    CHECK_OK(only({Role::kAuditor, Role::kLiaison}));
    Node list = Node::array();
    for (const auto& c : ex.mirrors().conflicts()) {
      Node one = Node::object();
      one.set("agreement_id", c.agreement).set("party", c.peer).set("problem", c.problem).set("at", to_text(c.at));
      one.set("earlier", c.earlier).set("later", c.later);
      list.push(std::move(one));
    }
    Node n = Node::object();
    n.set("conflicts", std::move(list));
    return with(200, n);
  }
  if (path == "/api/v1/ledger/settle" && post) {
    CHECK_OK(only({Role::kLiaison}));
    TRY(const Body b, Body::parse(request.body));
    TRY(const std::string id, b.text("agreement_id"));
    TRY(const std::string party, b.text("party"));
    TRY(const std::string why, b.text("reason"));
    CHECK_OK(ex.mirrors().settle(id, party, why + " (" + caller.id + ")"));
    Node n = Node::object();
    n.set("settled", true);
    return with(200, n);
  }
  if (path == "/api/v1/ledger/evidence" && post) {
    CHECK_OK(only({Role::kAuditor, Role::kLiaison}));
    return evidence(ex, request);
  }
  if (path == "/api/v1/ledger/open" && post) {
    CHECK_OK(only({Role::kAuditor}));
    return evidence(ex, request);
  }
  if (path == "/api/v1/ledger/private" && get) {
    CHECK_OK(only({Role::kAuditor}));
    TRY(const Node n, private_list(ex, request));
    return with(200, n);
  }
  if (path == "/api/v1/ledger/trace" && get) {
    CHECK_OK(only({Role::kAuditor, Role::kLiaison, Role::kReleaseOfficer}));
    const std::string what = query_value(request, "what");
    std::vector<exchange::Given> found;
    if (!what.empty()) {
      TRY(found, exchange::trace(ex, what));
    }
    Node list = Node::array();
    for (const auto& g : found) {
      Node one = Node::object();
      one.set("agreement_id", g.agreement).set("to", g.to).set("sent_id", g.id).set("version", g.version);
      one.set("sha256", g.sha256).set("at", to_text(g.at)).set("leaf", g.leaf).set("article", g.article);
      list.push(one.set("tlp", g.tlp).set("tombstone", g.tombstone));
    }
    return with(200, Node::object().set("what", what).set("given", std::move(list)));
  }
  if (path == "/api/v1/ledger/entitlement" && get) {
    CHECK_OK(only({Role::kAuditor, Role::kLiaison, Role::kReleaseOfficer}));
    return with(200, entitlement_node(ex));
  }
  return no_such();
}

}  // namespace entente::node
