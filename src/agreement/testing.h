// For tests of this layer and of those above: whole, valid documents with keys that can sign, and acts made with them.
// Deterministic.
#pragma once

#include <cassert>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agreement/act.h"
#include "agreement/document.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "json/node.h"

namespace entente::agreement::testing {

using json::Node;

inline Node texts(const std::vector<std::string>& list) {
  Node out = Node::array();
  for (const auto& x : list) out.push(Node(x));
  return out;
}

inline Node roles(const std::vector<std::pair<std::string, int>>& counts) {
  Node inner = Node::object();
  for (const auto& [role, n] : counts) inner.set(role, n);
  return Node::object().set("roles", std::move(inner));
}

inline SecretKey key_of(std::string_view kid) { return SecretKey::from_seed(view(sha256(kid))).value(); }

// Parties' keys are derived from their kids: IN/plenipotentiary/1, IN/authority/1, IN/authority/2, IN/node/1, IN/log/1,
// IN/witness/1.
inline Node new_party_node(const std::string& code) {
  Node keys = Node::array();
  for (auto name : {"plenipotentiary/1", "authority/1", "authority/2", "node/1", "log/1", "witness/1"}) {
    const std::string kid = code + "/" + name;
    Node k = Node::object();
    k.set("kid", kid)
        .set("role", std::string_view(name).substr(0, std::string_view(name).find('/')))
        .set("alg", "Ed25519");
    k.set("public", key_of(kid).public_key().to_hex())
        .set("not_before", "2020-01-01T00:00:00Z")
        .set("not_after", "2040-01-01T00:00:00Z");
    keys.push(std::move(k));
  }
  Node p = Node::object();
  p.set("party", code)
      .set("name", Node::object().set("en", "Party " + code))
      .set("keys", std::move(keys))
      .set("contacts", Node::array());
  p.set("tls_spki_sha256", texts({sha256_hex(code)}));
  return p;
}
inline Node party_node(const std::string& code) {  // made once: keys take long
  thread_local std::map<std::string, Node> made;
  auto it = made.find(code);
  return it != made.end() ? it->second : made.emplace(code, new_party_node(code)).first->second;
}

inline Node flow_node(const std::string& id, const std::string& art, bool permit, const std::vector<std::string>& types,
                      const std::string& floor, const std::string& ceiling, const std::string& unmarked,
                      const std::vector<std::string>& sectors = {"*"}) {
  Node f = Node::object();
  f.set("id", id)
      .set("art", art)
      .set("effect", permit ? "permit" : "forbid")
      .set("from", texts({"*"}))
      .set("to", texts({"*"}));
  f.set("sectors", texts(sectors))
      .set("object_types", texts(types))
      .set("tlp_floor", floor)
      .set("tlp_ceiling", ceiling)
      .set("unmarked", unmarked);
  return f;
}

// The protections of the published examples.
inline Node protection_nodes() {
  Node out = Node::array();
  auto rule = [](const char* id, const char* art, const char* method, Node match) {
    return Node::object().set("id", id).set("art", art).set("match", std::move(match)).set("method", method);
  };
  out.push(rule("strip-victim", "6(1)", "generalise", Node::object().set("type", "identity").set("role", "victim"))
               .set("keep", texts({"type", "identity_class", "sectors"}))
               .set("unless", "victim-consent"));
  out.push(rule("victim-ip", "6(2)", "remove",
                Node::object().set("type", texts({"ipv4-addr", "ipv6-addr"})).set("role", "victim")));
  out.push(rule("reporter", "6(3)", "replace",
                Node::object().set("property", "created_by_ref").set("not_in", "public-authorities"))
               .set("with", "releasing-party-identity"));
  return out;
}

// A valid document whose parts a test then changes. One permit flow for every type, ceiling amber+strict, floor green,
// unmarked amber.
inline Node sample_node(const std::vector<std::string>& parties = {"IN", "JP"}, const std::string& level = "bilateral",
                        const std::string& agreement_id = "urn:uuid:00000000-0000-5000-8000-000000000001") {
  Node d = Node::object();
  d.set("schema", "entente-agreement/1")
      .set("agreement_id", agreement_id)
      .set("version", 1)
      .set("prev", nullptr)
      .set("level", level);
  d.set("title", Node::object().set("en", "Sample")).set("instrument", Node::object());
  Node text = Node::object();
  text.set("lang", "en").set("sha256", sha256_hex("text")).set("bytes", 4).set("authentic", true).set("prevails", true);
  d.set("authentic_texts", Node(Node::List{text}));
  Node articles = Node::array();
  for (int i = 1; i <= 9; ++i)
    articles.push(Node::object()
                      .set("art", std::to_string(i))
                      .set("machine", i == 9   ? "human"
                                      : i == 8 ? "evidenced"
                                               : "enforced"));
  d.set("articles", std::move(articles));
  Node list = Node::array();
  for (const auto& p : parties) list.push(party_node(p));
  d.set("parties", std::move(list));
  Node act = Node::object();
  act.set("sign", roles({{"plenipotentiary", 1}, {"authority", 1}}))
      .set("amend", roles({{"plenipotentiary", 1}, {"authority", 1}}));
  act.set("narrow", roles({{"authority", 1}})).set("resume", roles({{"authority", 2}}));
  d.set("signing", Node::object().set("act", std::move(act)));
  d.set("scope", Node::object()
                     .set("sectors", texts({"5g", "energy"}))
                     .set("purposes", texts({"cyber-defence"}))
                     .set("forbidden_purposes", Node::array()));
  d.set("flows", Node(Node::List{flow_node("all", "3(1)", true, {"*"}, "green", "amber+strict", "amber")}));
  Node block = Node::object();
  block.set("min_confidence", 80)
      .set("pap", "green")
      .set("indicator_type", texts({"malicious-activity"}))
      .set("max_block_days", 30);
  Node actions = Node::object();
  actions.set("art", "4")
      .set("default_pap", "amber")
      .set("max_auto_pap", "green")
      .set("auto_block_requires", std::move(block));
  actions.set("never", texts({"counter-intrusion", "exploit", "scan-foreign-network"}));
  d.set("actions", std::move(actions));
  d.set("originator_control", Node::object().set("art", "5(2)").set("rule", "consent").set("silence_means", "no"));
  d.set("protection", Node::array()).set("retention", Node::object()).set("service_levels", Node::array());
  Node duration = Node::object();
  duration.set("art", "7")
      .set("start", Node::object().set("rule", "on_last_signature").set("delay", "P0D"))
      .set("term", nullptr);
  duration.set("suspension", Node::object().set("scope", texts({"whole", "flow", "sector"})))
      .set("withdrawal", Node::object().set("notice", "P30D"));
  d.set("duration", std::move(duration));
  for (auto name : {"amendment", "accession", "declarations", "differences", "ledger"}) d.set(name, Node::object());
  return d;
}

inline Document sample(Node node) {
  std::vector<Problem> problems;
  auto d = document_from(std::move(node), &problems);
  assert(d.ok());
  return std::move(d).value();
}

// Makes acts with right chains and signatures.
class Signer {
 public:
  explicit Signer(Document doc) : doc_(std::move(doc)) {}
  const Document& document() const { return doc_; }

  SignedAct act(const std::string& party, const std::string& kind, Time at, Node body = Node::object()) {
    Act a{kind, doc_.agreement_id, doc_.hash, last_[party], party, at, std::move(body)};
    if (kind == "propose") a.body = Node::object().set("document", doc_.node);
    last_[party] = a.hash();
    return signed_by_quorum(std::move(a));
  }
  SignedAct signed_by_quorum(Act a) const {
    SignedAct out{std::move(a), {}};
    auto quorum = quorum_of(out.act.kind, doc_);
    if (!quorum.ok()) return out;
    for (const auto& [role, count] : *quorum)
      for (int i = 1; i <= count; ++i) sign(out, out.act.party + "/" + role + "/" + std::to_string(i));
    return out;
  }
  static void sign(SignedAct& act, const std::string& kid) { act.sigs.push_back(sign_act(act.act, kid, key_of(kid))); }

  // propose, initial by all, sign by all, one second apart.
  std::vector<SignedAct> until_signed(Time at) {
    std::vector<SignedAct> out;
    out.push_back(act(doc_.parties.front().party, "propose", at));
    for (const Party& p : doc_.parties) out.push_back(act(p.party, "initial", at = at.plus_us(1'000'000)));
    for (const Party& p : doc_.parties) out.push_back(act(p.party, "sign", at = at.plus_us(1'000'000)));
    return out;
  }

 private:
  Document doc_;
  std::map<std::string, std::string> last_;
};

// A state as fold() would give it for a document that is in force, without the cost of signing.
inline State in_force(const Document& doc) {
  State s;
  s.agreement_id = doc.agreement_id;
  s.kind = StateKind::kInForce;
  s.document = doc;
  for (const Party& p : doc.parties) s.by_party[p.party] = StateKind::kInForce;
  return s;
}

}  // namespace entente::agreement::testing
