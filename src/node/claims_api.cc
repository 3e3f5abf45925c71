#include "node/claims_api.h"

#include <algorithm>

#include "json/json.h"

namespace entente::node {

using json::Node;

Result<Node> claim_list(exchange::Exchange& exchange) {
  TRY(const auto claims, exchange.claims());
  const Time now = exchange.context().clock.now();
  Node list = Node::array();
  for (const auto& c : claims) list.push(to_json(c, now));
  Node n = Node::object();
  return n.set("me", exchange.context().config.party).set("claims", std::move(list));
}

Result<Node> make_claim(exchange::Exchange& exchange, const std::string& by, std::string_view body) {
  TRY(const json::Document doc, json::parse(body));
  const auto of = json::find_string(doc.root(), "of");
  if (!of || of->empty()) return invalid("the body lacks the text \"of\"", "/of");
  const int64_t hits = std::max<int64_t>(0, json::find_int(doc.root(), "hits").value_or(0));
  TRY(const exchange::Claim c,
      exchange.claim(std::string(*of), std::string(json::find_string(doc.root(), "agreement").value_or("")),
                     json::find_string(doc.root(), "reason").value_or(""), static_cast<uint64_t>(hits), by));
  return to_json(c, exchange.context().clock.now());
}

Result<Node> answer_claim(exchange::Exchange& exchange, const std::string& by, std::string_view body) {
  TRY(const json::Document doc, json::parse(body));
  const auto claim = json::find_string(doc.root(), "claim");
  const auto answer = json::find_string(doc.root(), "answer");
  if (!claim || claim->empty()) return invalid("the body lacks the text \"claim\"", "/claim");
  if (answer != "upheld" && answer != "withdrawn")
    return invalid("\"answer\" is neither upheld nor withdrawn", "/answer");
  TRY(const exchange::Claim c, exchange.answer_claim(std::string(*claim), answer == "withdrawn",
                                                     json::find_string(doc.root(), "reason").value_or(""), by));
  return to_json(c, exchange.context().clock.now());
}

}  // namespace entente::node
