#include "node/joint_api.h"

#include <utility>
#include <vector>

#include "agreement/joint.h"
#include "json/json.h"

namespace entente::node {

using json::Node;

namespace {

Node texts(const std::vector<std::string>& list) {
  Node out = Node::array();
  for (const auto& s : list) out.push(s);
  return out;
}

Node counts(const agreement::JointReport& r) {
  Node n = Node::object();
  n.set("at", to_text(r.at)).set("dropping", r.dropping).set("counting", r.counting).set("waiting", r.waiting);
  return n.set("refused", r.refused).set("hits", r.hits);
}

Node party_node(const agreement::JointAction& a, const std::string& code, const agreement::JointParty& p) {
  Node n = Node::object();
  const char* answer = p.answer == agreement::JointAnswer::kConsented  ? "consented"
                       : p.answer == agreement::JointAnswer::kDeclined ? "declined"
                                                                       : "none";
  n.set("answer", answer).set("measures", texts({p.measures.begin(), p.measures.end()}));
  n.set("until", to_text(p.until)).set("executing", a.executing.contains(code));
  if (p.answered) n.set("answered", to_text(*p.answered));
  if (p.stood_down) n.set("stood_down", to_text(*p.stood_down));
  if (!p.reason.empty()) n.set("reason", p.reason);
  if (!p.article.empty()) n.set("article", p.article);
  if (!p.doubt.empty()) n.set("doubt", p.doubt);
  if (p.report) n.set("report", counts(*p.report));
  const auto last = a.last_step.find(code);
  return n.set("last_step", last == a.last_step.end() ? a.id : last->second);
}

Node action_node(const agreement::JointAction& a) {
  Node n = Node::object();
  n.set("action", a.id).set("agreement_id", a.agreement_id).set("title", a.title).set("lead", a.lead);
  n.set("article", a.article).set("stage", agreement::to_text(a.stage)).set("exercise", a.exercise);
  n.set("t0", to_text(a.t0)).set("until", to_text(a.until)).set("need", static_cast<uint64_t>(a.need));
  if (a.start) n.set("start", to_text(*a.start));
  Node measures = Node::array();
  for (const auto& m : a.measures) {
    Node one = Node::object();
    one.set("id", m.id).set("indicator", m.indicator).set("version", m.version).set("do", m.drop ? "drop" : "count");
    measures.push(std::move(one));
  }
  Node parties = Node::object();
  for (const auto& [code, p] : a.parties) parties.set(code, party_node(a, code, p));
  Node refused = Node::array();
  for (const auto& r : a.refused)
    refused.push(Node::object().set("act", r.act_hash).set("kind", r.kind).set("why", r.why));
  n.set("measures", std::move(measures)).set("parties", std::move(parties));
  return n.set("waiting_for", texts(a.waiting_for)).set("refused", std::move(refused));
}

}  // namespace

Node joint_board(exchange::Exchange& exchange) {
  Node list = Node::array();
  for (const auto& a : exchange.joint().actions()) list.push(action_node(a));
  Node n = Node::object();
  return n.set("me", exchange.context().config.party).set("actions", std::move(list));
}

Result<Node> take_joint_reports(exchange::Exchange& exchange, const std::string& sensor, std::string_view body) {
  TRY(const json::Document doc, json::parse(body));
  const auto list = json::find_array(doc.root(), "reports");
  if (!list) return invalid("the body lacks \"reports\"", "/reports");
  std::vector<std::pair<std::string, agreement::JointReport>> all;
  for (const json::Value one : *list) {
    const auto action = json::find_string(one, "action");
    if (!action) return invalid("a report lacks \"action\"", "/reports");
    agreement::JointReport r;
    for (auto [name, to] : {std::pair{"dropping", &r.dropping},
                            {"counting", &r.counting},
                            {"waiting", &r.waiting},
                            {"refused", &r.refused},
                            {"hits", &r.hits}}) {
      const auto n = json::find_int(one, name);
      if (!n || *n < 0) return invalid(std::string("a report lacks the count \"") + name + "\"", "/reports");
      *to = static_cast<uint64_t>(*n);
    }
    all.emplace_back(*action, r);
  }
  for (const auto& [action, report] : all) CHECK_OK(exchange.joint().reported(sensor, action, report));
  return Node::object().set("taken", static_cast<uint64_t>(all.size()));
}

}  // namespace entente::node
