// Prints random release cases with the decisions of the product, one JSON object per line, for release_oracle.py to
// judge. Usage: entente_release_cases [COUNT [FIRST_SEED]]
#include <cstdio>
#include <cstdlib>
#include <string>

#include "agreement/random_case.h"
#include "base/bytes.h"

namespace entente::agreement::testing {
namespace {

Node state_node(const State& s) {
  Node kinds = Node::object();
  for (const auto& [party, kind] : s.by_party) kinds.set(party, to_text(kind));
  Node flows = Node::array(), sectors = Node::array();
  for (const auto& f : s.suspended_flows) flows.push(f);
  for (const auto& f : s.suspended_sectors) sectors.push(f);
  auto lists = [](const std::map<std::string, std::set<std::string>>& all) {
    Node out = Node::object();
    for (const auto& [party, list] : all) out.set(party, texts({list.begin(), list.end()}));
    return out;
  };
  Node closed = Node::array(), joined = Node::object();
  for (const auto& [a, b] : s.closed) closed.push(texts({a, b}));
  for (const auto& [party, since] : s.joined) joined.set(party, since.us);
  return Node::object()
      .set("closed", std::move(closed))
      .set("joined", std::move(joined))
      .set("declared", lists(s.declared))
      .set("provisional", lists(s.provisional))
      .set("project", s.project)
      .set("began", texts({s.began.begin(), s.began.end()}))
      .set("document", s.document->node)
      .set("hash", s.document->hash)
      .set("by_party", std::move(kinds))
      .set("suspended_flows", std::move(flows))
      .set("suspended_sectors", std::move(sectors));
}

Node object_node(const CaseObject& o) {
  Node n = Node::object();
  n.set("raw", o.raw).set("originator", o.originator).set("received_under", o.received_under);
  return n.set("inherited", stix::to_text(o.inherited))
      .set("verified", o.verified)
      .set("known", o.known)
      .set("committed", o.committed.us);
}

Node decision_node(const Decision& d) {
  static constexpr const char* kVerdicts[] = {"released", "redacted", "withheld", "known"};
  Node codes = Node::array();
  for (const Reason& r : d.reasons) codes.push(r.code);
  Node n = Node::object();
  n.set("verdict", kVerdicts[static_cast<size_t>(d.verdict)])
      .set("id", d.id)
      .set("bytes", d.bytes)
      .set("codes", std::move(codes));
  n.set("agreement", d.agreement.str()).set("flow", d.flow).set("article", d.article);
  return n.set("told_tlp", stix::to_text(d.told_tlp)).set("told_pap", stix::to_text(d.told_pap));
}

Node case_node(const Case& c, uint64_t seed) {
  Node agreements = Node::array(), graph = Node::array(), consents = Node::array(), holds = Node::array(),
       decisions = Node::array();
  for (const State& s : c.states) agreements.push(state_node(s));
  for (const CaseObject& o : c.objects) graph.push(object_node(o));
  for (const Consent& k : c.consents) {
    Node n = Node::object();
    n.set("originator", k.originator)
        .set("recipient", k.recipient)
        .set("object_id", k.object_id)
        .set("version", k.version);
    consents.push(n.set("valid_from", k.valid_from.us).set("valid_until", k.valid_until.us));
  }
  for (const Hold& h : c.holds) {
    Node n = Node::object();
    n.set("object_id", h.object_id).set("reason", h.reason);
    if (h.not_before) n.set("not_before", h.not_before->us);
    holds.push(std::move(n));
  }
  for (const Decision& d : c.decide_all()) decisions.push(decision_node(d));
  Node keys = Node::object(), publics = Node::array(), policy_types = Node::array();
  for (const auto& [agreement, key] : c.keys) keys.set(agreement, hex(key));
  for (const auto& id : c.public_ids) publics.push(id);
  for (const auto& t : c.policy.withhold_types) policy_types.push(t);
  Node policy = Node::object().set("withhold_types", std::move(policy_types));
  if (c.policy.max_tlp) policy.set("max_tlp", stix::to_text(*c.policy.max_tlp));
  Node n = Node::object();
  n.set("seed", seed).set("me", "IN").set("recipient", "JP").set("at", c.at.us).set("clock_safe", c.clock_safe);
  n.set("agreements", std::move(agreements))
      .set("graph", std::move(graph))
      .set("consents", std::move(consents))
      .set("holds", std::move(holds));
  n.set("policy", std::move(policy))
      .set("keys", std::move(keys))
      .set("public_ids", std::move(publics))
      .set("my_identity", c.my_identity);
  return n.set("decisions", std::move(decisions));
}

}  // namespace
}  // namespace entente::agreement::testing

int main(int argc, char** argv) {
  using namespace entente::agreement::testing;
  const uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
  const uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const std::string line = entente::json::write(case_node(random_case(seed), seed));
    std::printf("%s\n", line.c_str());
  }
  return 0;
}
