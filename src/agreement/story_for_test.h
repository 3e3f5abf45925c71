// For tests: the life of one instrument as its parties' acts, with chains and signatures as they should be.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agreement/testing.h"

namespace entente::agreement::testing {

inline constexpr int64_t kSecond = 1'000'000;
inline constexpr int64_t kHour = 3600 * kSecond;
inline constexpr int64_t kDay = 24 * kHour;
inline constexpr Time kT0{1'800'000'000 * kSecond};

class Story {
 public:
  explicit Story(Document text) : doc(std::move(text)) {}

  // Proposed by the first, initialled and signed by all at kT0.
  Story& begin() {
    act(doc.parties.front().party, "propose", kT0, Node::object().set("document", doc.node));
    for (const Party& p : doc.parties) act(p.party, "initial", kT0);
    for (const Party& p : doc.parties) act(p.party, "sign", kT0);
    return *this;
  }
  SignedAct& act(const std::string& party, const std::string& kind, Time at, Node body = Node::object(),
                 std::vector<std::string> kids = {}, const Document* text = nullptr) {
    const Document& about = text == nullptr ? doc : *text;
    Act a{kind, doc.agreement_id, about.hash, last[party], party, at, std::move(body)};
    last[party] = a.hash();
    SignedAct s{std::move(a), {}};
    if (kids.empty())
      if (auto quorum = quorum_of(s.act, doc); quorum.ok())
        for (const auto& [role, count] : *quorum)
          for (int i = 1; i <= count; ++i) kids.push_back(party + "/" + role + "/" + std::to_string(i));
    for (const auto& kid : kids) Signer::sign(s, kid);
    acts.push_back(std::move(s));
    return acts.back();
  }
  void all(const std::string& kind, Time at, const Node& body = Node::object()) {
    for (const Party& p : doc.parties) act(p.party, kind, at, body);
  }
  // The next version of `from`, changed; proposed by `by`.
  Document propose(const std::string& by, const Document& from, Time at, const std::function<void(Node&)>& change) {
    Node n = from.node;
    n.set("version", from.version + 1).set("prev", from.hash);
    change(n);
    Document next = sample(n);
    act(by, "propose", at, Node::object().set("document", n), {}, &next);
    return next;
  }
  [[nodiscard]] State at(Time t) const { return fold(doc.agreement_id, acts, t); }

  Document doc;
  std::vector<SignedAct> acts;
  std::map<std::string, std::string> last;
};

inline Node key_node(const std::string& kid, const std::string& role) {
  Node k = Node::object();
  k.set("kid", kid).set("role", role).set("alg", "Ed25519").set("public", key_of(kid).public_key().to_hex());
  return k.set("not_before", "2020-01-01T00:00:00Z").set("not_after", "2040-01-01T00:00:00Z");
}

}  // namespace entente::agreement::testing
