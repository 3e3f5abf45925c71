// Evidence packages: what they show in both directions, that nothing but the file is needed to check them, and that no
// part of them can be altered, not even by the node that makes and signs them.
#include "exchange/evidence_package.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "exchange/exchange.h"
#include "exchange/two_nodes.h"
#include "ledger/tile_log.h"

namespace entente::exchange {
namespace {

#define ASSERT_OK(...)                             \
  do {                                             \
    const auto& ok_r = (__VA_ARGS__);              \
    ASSERT_TRUE(ok_r.ok()) << ok_r.error().text(); \
  } while (false)

using json::Node;
using ::testing::Contains;
using ::testing::HasSubstr;

// Every value of a document, by its path.
void each_value(Node& n, const std::string& path, const std::function<void(const std::string&, Node&)>& fn) {
  if (n.is_array()) {
    for (size_t i = 0; i < n.list().size(); ++i) each_value(n.list()[i], path + "/" + std::to_string(i), fn);
  } else if (n.is_object()) {
    for (auto& [name, value] : n.members()) each_value(value, path + "/" + name, fn);
  } else {
    fn(path, n);
  }
}

class EvidencePackage : public ::testing::Test {
 protected:
  EvidencePackage() : world({"IN", "JP"}) {}
  void SetUp() override {
    ASSERT_OK(world.open());
    // With a service level for releases, so that manifests say since when and open the leaves that show it.
    Node document = node_of(world.document({"IN", "JP"}, text));
    Node level = Node::object().set("id", "sla-routine").set("art", "3(3)").set("act", "release");
    level.set("trigger", Node::object().set("any", true)).set("within", "PT24H");
    level.set("clock", "committed").set("hours", "24x7");
    document.set("service_levels", Node(Node::List{level}));
    ASSERT_OK(world.bring_into_force({"IN", "JP"}, json::canonical(document)));
    const std::string one = make_indicator("one.example", world.clock.now());
    id = std::string(*json::find_string(json::parse(one)->root(), "id"));
    ASSERT_OK(world["JP"].publish({one, make_indicator("two.example", world.clock.now())}));
    ASSERT_OK(world["IN"].publish({make_indicator("back.example", world.clock.now())}));
    ASSERT_OK(world.settle());
    ASSERT_OK(world.settle());
  }
  Result<std::string> make(const std::string& party, const std::string& kind, const std::string& value = {},
                           std::vector<uint64_t> leaves = {}) {
    return make_evidence(*world[party].exchange,
                         {text.id, party == "IN" ? "JP" : "IN", kind, value, std::move(leaves)});
  }
  // As the node that made it would sign it.
  std::string signed_by(const std::string& party, Node n) {
    n.erase("signature");
    const std::string message = std::string(kEvidenceFormat) + "\n" + json::canonical(n);
    n.set("signature", base64(world[party].context->node_key.sign(message)));
    return json::canonical(n);
  }
  static Node node_of(const std::string& package) { return Node::from(json::parse(package)->root()); }
  // The other verifier is given the same files (tests/oracle/evidence_oracle.py).
  static void keep(const std::string& name, const std::string& package) {
    if (const char* dir = std::getenv("ENTENTE_EVIDENCE_OUT"))
      std::ofstream(std::string(dir) + "/" + name + ".json") << package;
  }
  World world;
  Text text;
  std::string id;
};

TEST_F(EvidencePackage, ShowsBothDirectionsAndNeedsNothingButItself) {
  for (const char* party : {"IN", "JP"}) {
    const auto p = make(party, "all");
    ASSERT_OK(p);
    const auto r = check_evidence(*p, world[party].exchange->instruments().state(text.id)->document->hash);
    ASSERT_OK(r);
    EXPECT_TRUE(r->ok()) << r->problems.front();
    for (const char* what : {"JP released 2 objects to IN", "IN released 1 object to JP", "IN acknowledges",
                             "JP acknowledges", "cosigned by"})
      EXPECT_THAT(r->facts, Contains(HasSubstr(what))) << party;
    const auto other = check_evidence(*p, std::string(64, '0'));
    ASSERT_OK(other);
    EXPECT_FALSE(other->ok());  // another text than the one that the checker has on paper
    keep(std::string("all-") + party, *p);
  }
}

TEST_F(EvidencePackage, TheLeavesThatShowSinceWhenCannotBeExchangedLater) {
  const auto p = make("IN", "all");
  ASSERT_OK(p);
  Node package = node_of(*p);
  size_t altered = 0;
  for (Node& text_of_one : package.find("manifests")->list()) {
    Node m = node_of(text_of_one.string());
    Node* commits = m.find("commits");
    if (commits == nullptr || commits->list().empty()) continue;
    commits->list().front().set("salt", base64(random_bytes(32)));
    text_of_one = Node(json::write(m));
    ++altered;
  }
  ASSERT_EQ(altered, 2U) << "one of each side";
  const std::string forged = signed_by("IN", package);
  keep("bad-commits", forged);
  const auto r = check_evidence(forged);
  ASSERT_OK(r);
  EXPECT_THAT(r->problems, Contains(HasSubstr("does not commit")));
}

TEST_F(EvidencePackage, OfOneObjectHoldsItsReleaseItsReceiptAndItsOctets) {
  for (const char* party : {"IN", "JP"}) {
    const auto p = make(party, "object", id);
    ASSERT_OK(p);
    const auto r = check_evidence(*p);
    ASSERT_OK(r);
    EXPECT_TRUE(r->ok()) << r->problems.front();
    EXPECT_THAT(r->facts, Contains(HasSubstr(id + " was released by JP; its octets are here")));
    EXPECT_EQ(p->find("back.example"), std::string::npos);
    keep(std::string("object-") + party, *p);
  }
  EXPECT_FALSE(make("IN", "object", "indicator--00000000-0000-4000-8000-000000000000").ok());
}

TEST_F(EvidencePackage, OfAClaimHoldsTheLeavesThatItNames) {
  ASSERT_OK(world.act("IN", "claim_breach", text.id,
                      Node::object().set("reason", "late").set("openings", Node(Node::List{"JP/4", "IN/5"}))));
  ASSERT_OK(world.settle());
  const auto act = world["IN"].exchange->instruments().acts(text.id).back();
  ASSERT_EQ(act.act.kind, "claim_breach");
  for (const char* party : {"IN", "JP"}) {
    const auto p = make(party, "claim", act.act.hash().substr(0, 12));
    ASSERT_OK(p);
    const auto r = check_evidence(*p);
    ASSERT_OK(r);
    EXPECT_TRUE(r->ok()) << r->problems.front();
    EXPECT_THAT(r->facts, Contains(HasSubstr("IN claims a breach")));
    EXPECT_THAT(r->facts, Contains(HasSubstr("entry 4 of the ledger of JP")));
    EXPECT_THAT(r->facts, Contains(HasSubstr("entry 5 of the ledger of IN")));
    keep(std::string("claim-") + party, *p);
  }
}

TEST_F(EvidencePackage, OfASplitViewProvesItByItself) {
  const auto leaves = *world["JP"].store->read("leaf/" + bare_uuid(text.id), 0, 1000);
  auto other = leaves;
  auto last = *ledger::parse_leaf(other.back());
  last.commitment = sha256_hex("something else");
  other.back() = last.text();
  MemFiles files;
  ASSERT_OK(files.make_dirs("forged"));
  const auto log = ledger::TileLog::open(files, "forged", ledger_origin("JP", text.id), world["JP"].context->log_key);
  ASSERT_OK(log);
  ASSERT_OK((*log)->append(other));
  EXPECT_EQ(world["IN"].exchange->witness(ledger::write_add_checkpoint(other.size(), {}, (*log)->checkpoint())).status,
            409);
  const auto p = make("IN", "conflict");
  ASSERT_OK(p);
  const auto r = check_evidence(*p);
  ASSERT_OK(r);
  EXPECT_TRUE(r->ok()) << r->problems.front();
  EXPECT_THAT(r->facts, Contains(HasSubstr("PROVED by itself: JP signed two heads")));
  keep("conflict-IN", *p);
  // A false accusation: the second head is not JP's.
  Node n = node_of(*p);
  n.find("conflict")->set("later", n.find("conflict")->string_at("earlier"));
  const auto forged = check_evidence(signed_by("IN", n));
  ASSERT_OK(forged);
  EXPECT_FALSE(forged->ok());
}

// threat-model.md 30: whoever alters a part is found, also the node that made the package and signs it anew.
TEST_F(EvidencePackage, EveryPartThatIsAlteredIsFound) {
  world.clock.advance_us(int64_t{3700} * 1'000'000);
  world["IN"].exchange->tick();
  world["IN"].release_all();
  ASSERT_OK(world.settle());
  size_t tried = 0;
  for (const auto& [kind, value] : {std::pair<std::string, std::string>{"object", id}, {"all", ""}, {"private", ""}}) {
    const auto p = make("IN", kind, value, kind == "private" ? std::vector<uint64_t>{0, 1} : std::vector<uint64_t>{});
    ASSERT_OK(p);
    const auto whole = check_evidence(*p);
    ASSERT_OK(whole);
    ASSERT_TRUE(whole->ok()) << whole->problems.front();
    keep("whole-" + kind, *p);
    const Node before = node_of(*p);
    Node walk = before;
    each_value(walk, "", [&](const std::string& path, Node& here) {
      // The maker's own words about the package; its signature is made anew below.
      if (path == "/signature" || path == "/made/at" || path.starts_with("/about/")) return;
      const Node was = here;
      if (here.is_string()) {
        std::string s = here.string();
        if (s.empty()) return;
        // In a head: the root. Lines of witnesses can be left out, which makes it show less.
        const size_t at = path.ends_with("/checkpoint") ? s.find('\n', s.find('\n') + 1) + 5 : s.size() / 2;
        s[at] = s[at] == 'A' ? 'B' : 'A';
        here = Node(std::move(s));
      } else if (here.is_int()) {
        here = Node(here.integer() + 1);
      } else {
        return;
      }
      ++tried;
      const auto r = check_evidence(signed_by("IN", walk));
      EXPECT_TRUE(!r.ok() || !r->ok()) << kind << " " << path;
      if (tried % 16 == 0) keep("bad-" + kind + "-" + std::to_string(tried), signed_by("IN", walk));
      here = was;
    });
    // And without its signature, or with another's.
    Node other = before;
    other.find("made")->set("at", "2020-01-01T00:00:00.000000Z");
    EXPECT_FALSE(check_evidence(json::canonical(other))->ok());
    EXPECT_FALSE(check_evidence(signed_by("JP", before))->ok());
    EXPECT_FALSE(check_evidence(" " + *p)->ok());
  }
  EXPECT_GT(tried, 100U);
  EXPECT_FALSE(check_evidence("{}").ok());
  EXPECT_FALSE(check_evidence("").ok());
}

// A private leaf under a head that no ledger of a partner holds was perhaps written after the fact.
TEST_F(EvidencePackage, APrivateLeafWithoutItsAnchorProvesNothing) {
  world.clock.advance_us(int64_t{3700} * 1'000'000);
  world["IN"].exchange->tick();
  ASSERT_OK(world.settle());
  const auto p = make("IN", "private", "", {0});
  ASSERT_OK(p);
  Node n = node_of(*p);
  n.find("logs")->list()[0].find("entries")->list().clear();  // the pair log with its anchor
  const auto r = check_evidence(signed_by("IN", n));
  ASSERT_OK(r);
  EXPECT_THAT(r->problems, Contains(HasSubstr("is not anchored")));
}

}  // namespace
}  // namespace entente::exchange
