#include "node/api.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "base/bytes.h"
#include "base/log.h"
#include "entente_version.h"
#include "exchange/names.h"
#include "exchange/recall.h"
#include "json/node.h"
#include "node/claims_api.h"
#include "node/consent_api.h"
#include "node/duty_api.h"
#include "node/internal/answers.h"
#include "node/joint_api.h"
#include "node/ledger_api.h"
#include "node/recall_api.h"
#include "node/retention_api.h"

namespace entente::node {
namespace {

using exchange::Role;
using json::Node;

template <class List>
Node texts(const List& list) {
  Node out = Node::array();
  for (const auto& s : list) out.push(std::string(s));
  return out;
}

// "in force" -> "IN_FORCE": what programs compare.
std::string code_of(agreement::StateKind kind) {
  std::string out(agreement::to_text(kind));
  for (char& c : out) c = c == ' ' || c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

Node optional_time(const std::optional<Time>& t) { return t ? Node(to_text(*t)) : Node(); }

// What changes the node by a person's word, whichever it is: leaves of the private log. Not: acts, which are leaves
// themselves; sensors' reports; what only asks.
bool is_operator_act(const net::Request& r) {
  if (r.method == "GET" || r.method == "HEAD") return false;
  return r.path != "/api/v1/acts" && r.path != "/api/v1/joint/reports" && r.path != "/api/v1/release/plan";
}

Result<Role> role_in(const Body& b) {
  TRY(const std::string text, b.text("role"));
  const auto role = exchange::parse_role(text);
  if (!role)
    return invalid("there is no role \"" + text + "\"", "/role",
                   "one of analyst publisher release-officer liaison sensor auditor admin");
  return *role;
}

// What a new token is narrowed to. Collections that are not there are refused: the token would open nothing, and nobody
// would know why.
Result<exchange::Scope> scope_in(exchange::Exchange& ex, const Body& b) {
  exchange::Scope scope;
  scope.read_only = json::find_bool(b.doc.root(), "read_only").value_or(false);
  for (const auto c : json::string_list(json::find_array(b.doc.root(), "collections")))
    scope.collections.emplace_back(c);
  if (scope.collections.empty()) return scope;
  TRY(const auto known, ex.collections({"person admin token", {}}, "/local/"));
  for (const auto& c : scope.collections) {
    if (std::ranges::any_of(known, [&](const auto& k) { return k.alias == c || k.id == c; })) continue;
    std::string names;
    for (const auto& k : known) names += (names.empty() ? "" : ", ") + (k.alias.empty() ? k.id : k.alias);
    return invalid("there is no collection \"" + c + "\"", "/collections", "one of: " + names);
  }
  return scope;
}

// The parties' keys as their notices left them.
Node keys_node(const agreement::Document& doc) {
  Node out = Node::object();
  for (const auto& p : doc.parties) {
    Node keys = Node::array();
    for (const auto& k : p.keys) {
      Node key = Node::object();
      key.set("kid", k.kid)
          .set("role", agreement::to_text(k.role))
          .set("public", k.public_hex)
          .set("not_before", to_text(k.not_before))
          .set("not_after", to_text(k.not_after));
      if (!k.custodian.empty()) key.set("custodian", k.custodian);
      keys.push(std::move(key));
    }
    Node one = Node::object();
    one.set("keys", std::move(keys)).set("tls_spki_sha256", texts(p.tls_spki_sha256));
    if (p.contacts.is_array()) one.set("contacts", p.contacts);
    out.set(p.party, std::move(one));
  }
  return out;
}

Node agreement_node(exchange::Exchange& ex, const agreement::State& s, bool whole) {
  const std::string& me = ex.context().config.party;
  Node n = Node::object();
  const auto& doc = *s.document;
  n.set("agreement_id", s.agreement_id)
      .set("title", doc.title)
      .set("root", exchange::agreement_root(doc))
      .set("state", code_of(s.kind));
  n.set("version", doc.version).set("hash", doc.hash).set("me", me);
  Node partners = Node::array();
  Node collections = Node::array();
  for (const auto& p : doc.parties) {
    if (p.party != me) partners.push(p.party);
  }
  for (const auto& p : exchange::partners_of(s, me)) {  // a sensor follows also what a party gave that is one no more
    Node c = Node::object();
    c.set("id", exchange::received(s.agreement_id, p, me).text())
        .set("alias", exchange::received_alias(p, s.agreement_id))
        .set("from", p);
    collections.push(std::move(c));
  }
  n.set("partners", std::move(partners))
      .set("start", optional_time(s.start))
      .set("end", optional_time(s.end))
      .set("waiting_for", texts(s.waiting_for));
  Node refused = Node::array();
  for (const auto& r : s.refused) {
    Node one = Node::object();
    one.set("act", r.act_hash).set("kind", r.kind).set("why", r.why);
    refused.push(std::move(one));
  }
  n.set("refused", std::move(refused));
  Node acts = Node::array();
  for (const auto& a : ex.instruments().acts(s.agreement_id)) {
    // Reports are many, and nobody folds by them; consents are shown by their own page.
    if (a.act.kind != "joint_report" && !agreement::is_onward(a.act.kind)) acts.push(a.text());
  }
  n.set("acts", std::move(acts)).set("collections", std::move(collections));
  Node by_party = Node::object();
  for (const auto& [p, k] : s.by_party) by_party.set(p, code_of(k));
  n.set("by_party", std::move(by_party));
  if (whole) {
    Node last = Node::object();
    for (const auto& [p, h] : s.last_act) last.set(p, h);
    n.set("last_act", std::move(last)).set("document", doc.node);
    n.set("parties", keys_node(doc)).set("unsure", texts(s.unsure));
    Node bound_by = Node::object();
    for (const auto& [p, hashes] : s.path) bound_by.set(p, hashes.back());
    n.set("texts", std::move(bound_by));
    Node pillars = Node::object();
    for (const auto& [id, pillar] : s.pillars)
      pillars.set(id, Node::object().set("lead", pillar.lead).set("participants", texts(pillar.participants)));
    n.set("pillars", std::move(pillars));
    Node projects = Node::array();
    for (const auto& p : s.projects)
      projects.push(Node::object().set("project", p.id).set("stage", p.stage).set("waiting_for", texts(p.waiting_for)));
    n.set("projects", std::move(projects)).set("project", s.project);
  }
  return n;
}

Node peer_node(exchange::Exchange& ex, const exchange::Peer& p) {
  const auto h = ex.receiver().health(p.party);
  Node n = Node::object();
  n.set("party", p.party)
      .set("url", p.url)
      .set("spki", texts(p.spki))
      .set("connected", h.connected)
      .set("last_pull", optional_time(h.last_pull));
  n.set("last_error", h.last_error).set("received", h.received).set("refused", h.refused);
  return n;
}

// A feed as people look at it: its configuration without secrets, and where it stands.
Node feed_node(exchange::Exchange& ex, const exchange::Feed& f, bool whole) {
  const auto s = ex.feeds().state(f.name);
  Node n = exchange::Feeds::to_node(f);
  const Time now = ex.context().clock.now();
  n.set("last_pull", optional_time(s.last_pull)).set("last_try", optional_time(s.last_try));
  n.set("reached", optional_time(s.reached)).set("behind", s.behind).set("last_error", s.last_error);
  n.set("taken", s.taken).set("known", s.known).set("refused", s.refused).set("marked", s.marked);
  // How old what we have of it may be: since the last whole pull.
  if (s.last_pull) n.set("lag_seconds", std::max<int64_t>(0, (now.us - s.last_pull->us) / 1'000'000));
  if (!whole) return n;
  Node list = Node::array();
  for (const auto& r : ex.feeds().refusals(f.name)) {
    Node one = Node::object();
    one.set("number", r.number).set("id", r.id).set("why", r.why).set("time", r.time);
    list.push(std::move(one));
  }
  n.set("refusals", std::move(list));
  return n;
}

Node status_node(exchange::Exchange& ex, const NodeConfig& config) {
  auto& cx = ex.context();
  Node n = Node::object();
  n.set("party", config.party).set("name", config.name).set("version", ENTENTE_VERSION).set("commit", ENTENTE_COMMIT);
  n.set("exercise", config.exercise);
  n.set("identity", exchange::identity_id(config.party))
      .set("time", to_text(cx.clock.now()))
      .set("last_seq", cx.store.last_seq());
  Node objects = Node::object();
  objects.set("inbox", cx.store.count(exchange::inbox(config.party)))
      .set("sightings", cx.store.count(exchange::sightings(config.party)));
  Node renewals = Node::array();
  for (const auto& w : ex.renewals().warnings())
    renewals.push(Node::object()
                      .set("agreement_id", w.agreement_id)
                      .set("days", w.days)
                      .set("opt_out", to_text(w.opt_out))
                      .set("renews", to_text(w.renews)));
  n.set("renewals", std::move(renewals)).set("duties", duty_counts(ex));
  Node agreements = Node::array();
  Node release = Node::array();
  Node ledgers = Node::array();
  const auto counts = ex.releaser().counts();
  for (const auto& s : ex.instruments().states()) {
    agreements.push(agreement_node(ex, *s, false));
    Node mirror = Node::object();
    for (const auto& p : s->document->parties) {
      if (p.party == config.party) continue;
      objects.set(exchange::received_alias(p.party, s->agreement_id),
                  cx.store.count(exchange::received(s->agreement_id, p.party, config.party)));
      exchange::ReleaseCount c;
      if (const auto it = counts.find({s->agreement_id, p.party}); it != counts.end()) c = it->second;
      Node r = Node::object();
      r.set("agreement_id", s->agreement_id)
          .set("to", p.party)
          .set("released", c.released)
          .set("redacted", c.redacted)
          .set("withheld", c.withheld);
      r.set("pending", s->live(config.party, p.party) ? ex.releaser().pending(*s, p.party) : uint64_t{0});
      r.set("receipts", ex.receiver().receipts(s->agreement_id, p.party));
      Node reasons = Node::object();
      for (const auto& [code, k] : c.reasons) reasons.set(code, k);
      r.set("reasons", std::move(reasons));
      release.push(std::move(r));
      const auto m = ex.mirrors().health(s->agreement_id, p.party);
      Node one = Node::object();
      one.set("entries", m.entries).set("verified", m.verified).set("conflict", m.conflict);
      one.set("cosigned_at", optional_time(m.cosigned_at)).set("stale", m.stale).set("flooded", m.flooded);
      if (m.conflict) one.set("problem", m.problem);
      mirror.set(p.party, std::move(one));
    }
    Node l = Node::object();
    const auto head = ex.evidence().head(s->agreement_id);
    const auto standing = ex.witnessing().standing(*s);
    Node witnesses = Node::object();
    witnesses.set("cosigned", standing.cosigned)
        .set("needed", uint64_t{standing.needed})
        .set("by", texts(standing.by))
        .set("at", optional_time(standing.cosigned_at))
        .set("unwitnessed_since", optional_time(standing.unwitnessed_since))
        .set("overdue", standing.overdue);
    l.set("witnesses", std::move(witnesses));
    l.set("agreement_id", s->agreement_id)
        .set("entries", head ? head->entries : uint64_t{0})
        .set("root", head ? head->root_hex : "")
        .set("mirror", std::move(mirror));
    ledgers.push(std::move(l));
  }
  Node peers = Node::array();
  for (const auto& p : ex.directory().peers()) peers.push(peer_node(ex, p));
  n.set("objects", std::move(objects)).set("agreements", std::move(agreements)).set("peers", std::move(peers));
  n.set("release", std::move(release))
      .set("ledger", std::move(ledgers))
      .set("long_polls", static_cast<uint64_t>(ex.waiting()));
  return n;
}

Node waiting_node(const exchange::Waiting& w) {
  Node by = Node::array();
  for (const auto& name : w.approved_by) by.push(name);
  Node n = Node::object();
  n.set("id", w.id).set("type", w.type).set("version", w.version).set("to", w.to).set("agreement_id", w.agreement);
  return n.set("published_by", w.publisher).set("approved_by", std::move(by));
}

Result<Node> review_node(exchange::Exchange& ex) {
  TRY(const auto all, exchange::waiting_for_review(ex.context()));
  Node list = Node::array();
  for (const auto& w : all) list.push(waiting_node(w));
  Node n = Node::object();
  return n.set("persons", ex.context().config.policy.review_persons).set("waiting", std::move(list));
}

Result<Node> reviewed_node(exchange::Exchange& ex, const std::string& caller, bool yes, const std::string& body) {
  TRY(const Body b, Body::parse(body));
  TRY(const std::string id, b.text("id"));
  TRY(const std::string to, b.text("to"));
  if (yes) {
    TRY(const auto w, ex.approve(id, to, caller));
    Node n = waiting_node(w);
    return n.set("persons", ex.context().config.policy.review_persons);
  }
  TRY(const std::string reason, b.text("reason"));
  CHECK_OK(ex.decline(id, to, caller, reason));
  Node n = Node::object();
  return n.set("id", id).set("held", true);
}

Result<Node> plan_node(exchange::Exchange& ex, const net::Request& request) {
  const std::string to = query_value(request, "to");
  if (to.size() != 2) return invalid("the query lacks to=PARTY", "?to", "for example /api/v1/release/plan?to=JP");
  TRY(const auto raws, stix::split_objects(request.body));
  if (raws.size() > 100'000)
    return make_error(ErrorKind::kTooLarge, "a plan takes at most 100,000 objects", {}, "send fewer");
  TRY(const auto planned, ex.releaser().plan(raws, to));
  uint64_t count[3] = {0, 0, 0};
  Node list = Node::array();
  for (const auto& p : planned) {
    const auto& d = p.decision;
    const char* verdict = "withheld";
    if (d.verdict == agreement::Verdict::kReleased || d.verdict == agreement::Verdict::kKnown) {
      verdict = d.verdict == agreement::Verdict::kKnown ? "known" : "released";
      ++count[0];
    } else if (d.verdict == agreement::Verdict::kRedacted) {
      verdict = "redacted";
      ++count[1];
    } else {
      ++count[2];
    }
    Node o = Node::object();
    o.set("id", p.id)
        .set("type", p.type)
        .set("verdict", verdict)
        .set("sent_id", d.id)
        .set("agreement_id", d.agreement.str())
        .set("article", d.article);
    o.set("flow", d.flow).set("tlp", stix::to_text(d.told_tlp)).set("pap", stix::to_text(d.told_pap));
    Node reasons = Node::array();
    for (const auto& r : d.reasons) {
      Node one = Node::object();
      one.set("code", r.code).set("article", r.article).set("agreement_id", r.agreement.str()).set("note", r.note);
      reasons.push(std::move(one));
    }
    o.set("reasons", std::move(reasons));
    list.push(std::move(o));
  }
  Node n = Node::object();
  n.set("to", to)
      .set("released", count[0])
      .set("redacted", count[1])
      .set("withheld", count[2])
      .set("objects", std::move(list));
  return n;
}

Result<Node> recall_node(exchange::Exchange& ex, const net::Request& request) {
  TRY(const Body b, Body::parse(request.body));
  const auto ids = json::string_list(json::find_array(b.doc.root(), "ids"));
  if (ids.empty()) return invalid("the body lacks \"ids\"", "/ids");
  Node done = Node::array();
  Node refused = Node::array();
  for (const auto id : ids) {
    auto r = ex.recall(std::string(id), json::find_string(b.doc.root(), "reason").value_or(""));
    Node one = Node::object();
    if (r.ok()) {
      one.set("id", r->id).set("version", r->version).set("reaches", texts(r->reaches));
      one.set("does_not_reach", texts(r->does_not_reach));
      done.push(std::move(one));
    } else {
      one.set("id", id).set("why", r.error().text());
      refused.push(std::move(one));
    }
  }
  Node n = Node::object();
  n.set("recalled", std::move(done)).set("refused", std::move(refused));
  return n;
}

}  // namespace

Api::Api(exchange::Exchange& exchange, taxii::Service& taxii, const NodeConfig& config,
         std::function<Status(const std::string&)> sync)
    : ex_(exchange), taxii_(taxii), config_(config), sync_(std::move(sync)) {}

void Api::handle(const net::Request& request, const net::Reply& reply) {
  if (request.path == "/healthz" || request.path == "/readyz") {
    Node n = Node::object();
    n.set("ok", true);
    return reply(with(200, n));
  }
  if (request.path == "/witness/add-checkpoint") {
    // C2SP tlog-witness. Whoever carries it must be known here; what counts is who signed the checkpoint.
    if (request.method != "POST") return reply({405, {{"Allow", "POST"}}, ""});
    auto who = ex_.authenticate(request);
    if (!who.ok()) return reply(problem(who.error()));
    auto a = ex_.witness(request.body);
    const char* type = a.status == 409 ? "text/x.tlog.size" : "text/plain; charset=utf-8";
    return reply({a.status, {{"Content-Type", type}, {"Cache-Control", "no-store"}}, std::move(a.body)});
  }
  if (request.path.starts_with("/ledger/")) {
    if (request.method != "GET" && request.method != "HEAD") return reply({405, {{"Allow", "GET, HEAD"}}, ""});
    return reply(ledger_file(ex_, request));
  }
  if (request.path == "/metrics" && config_.open_metrics &&
      (request.remote.starts_with("127.") || request.remote.starts_with("[::1]"))) {
    return reply({200, {{"Content-Type", "text/plain; version=0.0.4"}}, ex_.context().metrics.prometheus()});
  }
  auto caller = ex_.authenticate(request);
  if (!caller.ok()) return reply(problem(caller.error()));
  if (!caller->id.starts_with("person ")) return reply(problem(no_such()));
  const size_t space = caller->id.find(' ', 7);
  const auto role = exchange::parse_role(std::string_view(caller->id).substr(7, space - 7));
  if (!role) return reply(problem(no_such()));
  if (const Status in = in_scope(*caller, request); !in.ok()) return reply(problem(in.error()));
  if (is_operator_act(request) && *role != Role::kSensor) {  // sensors are no operators
    if (Status s = ex_.private_log().operator_act(caller->id, request.method, request.path, request.body); !s.ok())
      return reply(problem(s.error()));
  }
  net::Response response = answer(request, *caller, *role);
  response.who = caller->id;
  reply(std::move(response));
}

net::Response Api::answer(const net::Request& request, const taxii::Caller& caller, Role role) {
  const std::string& path = request.path;
  const bool get = request.method == "GET";
  const bool post = request.method == "POST";
  const bool del = request.method == "DELETE";
  const auto only = [&](std::initializer_list<Role> roles) -> Status {
    if (role == Role::kAdmin || std::find(roles.begin(), roles.end(), role) != roles.end()) return {};
    std::string needed = "admin";
    for (const Role r : roles) needed += ", " + std::string(exchange::to_text(r));
    return make_error(ErrorKind::kDenied, "your role, " + std::string(exchange::to_text(role)) + ", may not do this",
                      path, "it takes one of: " + needed);
  };
  const auto run = [&]() -> Result<net::Response> {
    if (path == "/metrics" && get) {
      CHECK_OK(only({Role::kAuditor}));
      return net::Response{200, {{"Content-Type", "text/plain; version=0.0.4"}}, ex_.context().metrics.prometheus()};
    }
    if (path == "/api/v1/status" && get) return with(200, status_node(ex_, config_));
    if (path == "/api/v1/agreements" && get) {
      Node list = Node::array();
      for (const auto& s : ex_.instruments().states()) list.push(agreement_node(ex_, *s, false));
      Node n = Node::object();
      n.set("exercise", config_.exercise).set("agreements", std::move(list));
      return with(200, n);
    }
    constexpr std::string_view kOne = "/api/v1/agreements/";
    if (path.starts_with(kOne) && get) {
      const auto decoded = net::url_decode(std::string_view(path).substr(kOne.size()));
      if (!decoded) return no_such();
      std::string id = *decoded;
      if (!id.starts_with("urn:uuid:")) id = "urn:uuid:" + id;
      auto s = ex_.instruments().state(id);
      if (const std::string at = query_value(request, "at"); !at.empty()) {
        TRY(const Time t, parse_time(at));
        s = ex_.instruments().state_at(id, t);
      }
      if (!s || !s->document)
        return make_error(ErrorKind::kNotFound, "this node knows no such agreement", id,
                          "see 'entente agreement state'");
      return with(200, agreement_node(ex_, *s, true));
    }
    if (path == "/api/v1/acts" && post) {
      CHECK_OK(only({Role::kLiaison}));
      std::string text = request.body;
      while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
      TRY(const auto done, ex_.submit_act(text));
      Node n = Node::object();
      n.set("act", done.act_hash);
      if (done.state) {
        n.set("agreement_id", done.state->agreement_id)
            .set("state", code_of(done.state->kind))
            .set("waiting_for", texts(done.state->waiting_for));
      }
      return with(200, n);
    }
    if (path == "/api/v1/claims" && get) {
      TRY(const Node n, claim_list(ex_));
      return with(200, n);
    }
    if (path == "/api/v1/claims" && post) {
      CHECK_OK(only({Role::kAnalyst, Role::kReleaseOfficer, Role::kLiaison, Role::kSensor}));
      TRY(const Node n, make_claim(ex_, caller.id, request.body));
      return with(200, n);
    }
    if (path == "/api/v1/claims/answer" && post) {
      CHECK_OK(only({Role::kReleaseOfficer}));
      TRY(const Node n, answer_claim(ex_, caller.id, request.body));
      return with(200, n);
    }
    if (path.starts_with("/api/v1/consents") && get) {
      CHECK_OK(only({Role::kAnalyst, Role::kReleaseOfficer, Role::kLiaison, Role::kAuditor}));
      if (path == "/api/v1/consents") return with(200, consent_board(ex_));
      if (path != "/api/v1/consents/terms") return no_such();
      TRY(const Node n, consent_terms(ex_, query_value(request, "id")));
      return with(200, n);
    }
    if ((path == "/api/v1/duties" || path == "/api/v1/score") && get) {
      CHECK_OK(only({Role::kAnalyst, Role::kReleaseOfficer, Role::kLiaison, Role::kAuditor}));
      TRY(const Node n, path.ends_with("score") ? score_sheets(ex_, request) : duty_sheets(ex_, request));
      return with(200, n);
    }
    if (path == "/api/v1/joint" && get) return with(200, joint_board(ex_));
    if (path == "/api/v1/joint/reports" && post) {
      CHECK_OK(only({Role::kSensor}));
      TRY(const Node n, take_joint_reports(ex_, caller.id, request.body));
      return with(200, n);
    }
    if (path.starts_with("/api/v1/retention")) {
      TRY(const Node n, retention_api(ex_, request, only));
      return with(200, n);
    }
    if (path == "/api/v1/handling" && get) {
      CHECK_OK(only({Role::kAnalyst, Role::kReleaseOfficer, Role::kAuditor, Role::kSensor}));
      TRY(const Node n, handling_api(ex_, request));
      return with(200, n);
    }
    if (path.starts_with("/api/v1/sensors")) {
      TRY(const Node n, sensor_api(ex_, request, caller, only));
      return with(200, n);
    }
    if (path == "/api/v1/peers" && get) {
      Node list = Node::array();
      for (const auto& p : ex_.directory().peers()) list.push(peer_node(ex_, p));
      Node feeds = Node::array();
      for (const auto& f : ex_.feeds().all()) feeds.push(feed_node(ex_, f, false));
      Node n = Node::object();
      n.set("peers", std::move(list)).set("feeds", std::move(feeds));
      return with(200, n);
    }
    if (path == "/api/v1/peers" && post) {
      CHECK_OK(only({}));
      TRY(const Body b, Body::parse(request.body));
      exchange::Peer p;
      TRY(p.party, b.text("party"));
      TRY(p.url, b.text("url"));
      while (p.url.ends_with('/')) p.url.pop_back();
      for (const auto s : json::string_list(json::find_array(b.doc.root(), "spki"))) p.spki.push_back(ascii_lower(s));
      CHECK_OK(ex_.directory().put_peer(p));
      return with(200, peer_node(ex_, p));
    }
    constexpr std::string_view kPeers = "/api/v1/peers/";
    if (path.starts_with(kPeers) && path.ends_with("/sync") && post) {
      CHECK_OK(only({Role::kLiaison}));
      const std::string party = path.substr(kPeers.size(), path.size() - kPeers.size() - 5);
      CHECK_OK(sync_(party));
      if (const auto feed = ex_.feeds().get(party); feed.ok()) return with(200, feed_node(ex_, *feed, true));
      const auto h = ex_.receiver().health(party);
      Node n = Node::object();
      n.set("party", party).set("received", h.received).set("refused", h.refused);
      return with(200, n);
    }
    if (path == "/api/v1/feeds" && post) {
      CHECK_OK(only({}));
      TRY(const exchange::Feed f, exchange::Feeds::parse(request.body));
      CHECK_OK(ex_.feeds().put(f));
      return with(200, feed_node(ex_, f, false));
    }
    constexpr std::string_view kFeeds = "/api/v1/feeds/";
    if (path.starts_with(kFeeds)) {
      const std::string_view rest = std::string_view(path).substr(kFeeds.size());
      const std::string feed_name(rest.substr(0, rest.find('/')));
      const std::string_view verb = rest.size() > feed_name.size() ? rest.substr(feed_name.size() + 1) : "";
      if (verb.empty() && get) {
        TRY(const exchange::Feed f, ex_.feeds().get(feed_name));
        return with(200, feed_node(ex_, f, true));
      }
      if (verb.empty() && del) {
        CHECK_OK(only({}));
        CHECK_OK(ex_.feeds().remove(feed_name));
        return net::Response{204, {}, ""};
      }
      if ((verb == "pause" || verb == "resume") && post) {
        CHECK_OK(only({}));
        CHECK_OK(ex_.feeds().pause(feed_name, verb == "pause"));
        TRY(const exchange::Feed f, ex_.feeds().get(feed_name));
        return with(200, feed_node(ex_, f, false));
      }
      return no_such();
    }
    if (path == "/api/v1/release/plan" && post) {
      CHECK_OK(only({Role::kAnalyst, Role::kReleaseOfficer}));
      TRY(const Node n, plan_node(ex_, request));
      return with(200, n);
    }
    if (path == "/api/v1/release/review" && get) {
      CHECK_OK(only({Role::kAnalyst, Role::kReleaseOfficer, Role::kAuditor}));
      TRY(const Node n, review_node(ex_));
      return with(200, n);
    }
    if ((path == "/api/v1/release/approve" || path == "/api/v1/release/decline") && post) {
      CHECK_OK(only({Role::kReleaseOfficer}));
      TRY(const Node n, reviewed_node(ex_, caller.id, path.ends_with("approve"), request.body));
      return with(200, n);
    }
    if (path.starts_with("/api/v1/ledger/")) return ledger_answer(ex_, request, caller, only);
    if (path == "/api/v1/recall" && get) {
      CHECK_OK(only({Role::kReleaseOfficer, Role::kAuditor}));
      const std::string id = query_value(request, "id");
      std::vector<exchange::Holder> holders;
      if (!id.empty()) {
        TRY(holders, exchange::recall_status(ex_.context(), ex_.instruments(), id));
      }
      Node list = Node::array();
      for (const auto& h : holders) list.push(holder_node(h, ex_.context().clock.now()));
      Node n = Node::object();
      if (!id.empty()) {
        TRY(const exchange::RecallPart own, ex_.recalls().own(id));
        n.set("own", exchange::recall_part_node(own));
      }
      n.set("id", id).set("holders", std::move(list));
      return with(200, n);
    }
    if (path == "/api/v1/recall" && post) {
      CHECK_OK(only({Role::kReleaseOfficer}));
      TRY(const Node n, recall_node(ex_, request));
      return with(200, n);
    }
    if ((path == "/api/v1/hold" || path == "/api/v1/unhold") && post) {
      CHECK_OK(only({Role::kReleaseOfficer}));
      TRY(const Body b, Body::parse(request.body));
      const bool on = path == "/api/v1/hold";
      Node list = Node::array();
      for (const auto id : json::string_list(json::find_array(b.doc.root(), "ids"))) {
        CHECK_OK(ex_.hold(std::string(id), on));
        list.push(id);
      }
      Node n = Node::object();
      n.set(on ? "held" : "unheld", std::move(list));
      return with(200, n);
    }
    if (path == "/api/v1/accounts" && get) {
      CHECK_OK(only({}));
      Node list = Node::array();
      for (const auto& a : ex_.directory().accounts()) {
        Node one = Node::object();
        one.set("name", a.name).set("role", exchange::to_text(a.role));
        list.push(std::move(one));
      }
      Node n = Node::object();
      n.set("accounts", std::move(list));
      return with(200, n);
    }
    if (path == "/api/v1/accounts" && post) {
      CHECK_OK(only({}));
      TRY(const Body b, Body::parse(request.body));
      TRY(const std::string account, b.text("name"));
      TRY(const std::string password, b.text("password"));
      TRY(const Role r, role_in(b));
      CHECK_OK(ex_.directory().add_account(account, r, password));
      Node n = Node::object();
      n.set("name", account).set("role", exchange::to_text(r));
      return with(200, n);
    }
    constexpr std::string_view kAccounts = "/api/v1/accounts/";
    if (path.starts_with(kAccounts) && del) {
      CHECK_OK(only({}));
      CHECK_OK(ex_.directory().remove_account(std::string_view(path).substr(kAccounts.size())));
      return net::Response{204, {}, ""};
    }
    if (path == "/api/v1/tokens" && get) {
      CHECK_OK(only({}));
      Node list = Node::array();
      for (const auto& t : ex_.directory().tokens()) {
        Node one = Node::object();
        one.set("name", t.name).set("role", exchange::to_text(t.role)).set("expires", t.expires);
        one.set("scope", exchange::to_text(t.scope));
        list.push(std::move(one));
      }
      Node n = Node::object();
      n.set("tokens", std::move(list));
      return with(200, n);
    }
    if (path == "/api/v1/tokens" && post) {
      CHECK_OK(only({}));
      TRY(const Body b, Body::parse(request.body));
      TRY(const std::string token_name, b.text("name"));
      TRY(const Role r, role_in(b));
      const int64_t days = json::find_int(b.doc.root(), "days").value_or(90);
      if (days < 0 || days > 3650) return invalid("days is not between 0 (no end) and 3650", "/days");
      TRY(const exchange::Scope scope, scope_in(ex_, b));
      TRY(const std::string token, ex_.directory().new_token(token_name, r, static_cast<int>(days), {}, scope));
      Node n = Node::object();
      n.set("token", token).set("name", token_name).set("role", exchange::to_text(r));
      n.set("scope", exchange::to_text(scope));
      for (const auto& t : ex_.directory().tokens()) {
        if (t.name == token_name) n.set("expires", t.expires);
      }
      return with(200, n);
    }
    constexpr std::string_view kTokens = "/api/v1/tokens/";
    if (path.starts_with(kTokens) && del) {
      CHECK_OK(only({}));
      CHECK_OK(ex_.directory().revoke_token(std::string_view(path).substr(kTokens.size())));
      return net::Response{204, {}, ""};
    }
    if (path == "/api/v1/decisions" && get) {
      CHECK_OK(only({Role::kReleaseOfficer, Role::kAuditor}));
      const std::string after = query_value(request, "after");
      uint64_t from = 0;
      if (!after.empty()) {
        const auto [ptr, ec] = std::from_chars(after.data(), after.data() + after.size(), from);
        if (ec != std::errc() || ptr != after.data() + after.size()) return invalid("after is not a number", "?after");
      }
      TRY(const auto rows, ex_.context().store.read("decisions", from, 100));
      std::string body = "{\"decisions\":[";
      for (size_t i = 0; i < rows.size(); ++i) body += (i > 0 ? "," : "") + rows[i];
      body += "],\"next\":" + std::to_string(from + rows.size()) + "}\n";
      return net::Response{200, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}, std::move(body)};
    }
    return no_such();
  };
  auto done = run();
  return done.ok() ? std::move(done).value() : problem(done.error());
}

}  // namespace entente::node
