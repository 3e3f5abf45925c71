#include "node/consent_api.h"

#include <utility>
#include <vector>

#include "exchange/onward_use.h"
#include "exchange/recall.h"

namespace entente::node {

using agreement::Onward;
using agreement::OnwardStage;
using json::Node;

namespace {

void put_terms(Node& n, const agreement::OnwardTerms& t) {
  n.set("originator", t.originator).set("holder", t.holder).set("object", t.object).set("version", t.version);
  if (!t.sha256.empty()) n.set("sha256", t.sha256);
}

// What became of the object at the third party: only its holder's node knows.
Node went(exchange::Exchange& ex, const Onward& o) {
  Node list = Node::array();
  const auto holders = exchange::holders_of(ex.context(), ex.instruments(), o.asked.object);
  if (!holders.ok()) return list;
  for (const auto& h : *holders) {
    if (h.party != o.asked.recipient) continue;
    Node one = Node::object();
    one.set("agreement_id", h.agreement).set("sent_id", h.sent_id).set("taken_back", h.sent.has_value());
    if (h.sent) one.set("taken_back_at", to_text(*h.sent));
    one.set("withdrawn", h.withdrawn());
    list.push(std::move(one));
  }
  return list;
}

Node consent_node(exchange::Exchange& ex, const Onward& o) {
  const std::string& me = ex.context().config.party;
  Node n = Node::object();
  n.set("request", o.id).set("agreement_id", o.agreement_id).set("article", o.article);
  put_terms(n, o.asked);
  n.set("recipient", o.asked.recipient).set("purpose", o.asked.purpose).set("stage", agreement::to_text(o.stage));
  n.set("asked", to_text(o.asked_at));
  if (o.asked.until) n.set("until", to_text(*o.asked.until));
  if (o.given) {
    Node given = Node::object();
    given.set("version", o.given->version).set("at", to_text(*o.given_at)).set("until", to_text(*o.given->until));
    n.set("given", std::move(given));
  }
  if (o.answered_at) n.set("answered", to_text(*o.answered_at));
  if (!o.request_reason.empty()) n.set("request_reason", o.request_reason);
  if (!o.reason.empty()) n.set("reason", o.reason);
  if (!o.doubt.empty()) n.set("doubt", o.doubt);
  n.set("waiting_for_us", o.stage == OnwardStage::kAsked && o.originator() == me);
  if (o.originator() == me)
    if (const std::string own = ex.consents().own_object(o.agreement_id, o.holder(), o.asked.object); !own.empty())
      n.set("own_object", own);
  Node used = Node::array();
  for (const auto& [version, at] : exchange::uses_of(ex.context().store, o.id))
    used.push(Node::object().set("version", version).set("at", at));
  n.set("used", std::move(used));
  if (o.holder() == me) n.set("went", went(ex, o));
  Node last = Node::object();
  for (const auto& [party, hash] : o.last_step) last.set(party, hash);
  Node refused = Node::array();
  for (const auto& r : o.refused)
    refused.push(Node::object().set("act", r.act_hash).set("kind", r.kind).set("why", r.why));
  return n.set("last_step", std::move(last)).set("refused", std::move(refused));
}

}  // namespace

Node consent_board(exchange::Exchange& exchange) {
  Node list = Node::array();
  for (const Onward& o : exchange.consents().requests()) list.push(consent_node(exchange, o));
  Node n = Node::object();
  return n.set("me", exchange.context().config.party).set("consents", std::move(list));
}

Result<Node> consent_terms(exchange::Exchange& exchange, const std::string& object) {
  TRY(const auto all, exchange.consents().askable(object));
  if (all.empty() && !object.empty())
    return make_error(ErrorKind::kNotFound, "no partner gave this node an object with this id", object,
                      "own objects need no consent; ids are as this node has them");
  Node list = Node::array();
  for (const auto& a : all) {
    Node one = Node::object();
    one.set("agreement_id", a.agreement_id).set("type", a.type);
    put_terms(one, a.terms);
    Node purposes = Node::array();
    for (const auto& p : a.purposes) purposes.push(p);
    list.push(one.set("purposes", std::move(purposes)));
  }
  Node n = Node::object();
  return n.set("objects", std::move(list));
}

}  // namespace entente::node
