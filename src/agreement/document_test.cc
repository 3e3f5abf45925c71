// Rule by rule: agreement.md §4 and agreement.schema.json.
#include "agreement/document.h"

#include <fstream>
#include <functional>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "agreement/testing.h"

namespace entente::agreement {
namespace {

using json::Node;
using testing::flow_node;
using ::testing::HasSubstr;
using testing::sample_node;

std::optional<std::string> read_spec(const std::string& name) {
  std::ifstream in(std::string(ENTENTE_SPEC_DIR) + "/" + name);
  if (!in) return std::nullopt;
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

// The problems of the sample after `change`.
std::vector<Problem> problems_after(const std::function<void(Node&)>& change) {
  Node n = sample_node();
  change(n);
  std::vector<Problem> problems;
  auto d = parse_document(json::write(n), &problems);
  EXPECT_EQ(d.ok(), problems.empty());
  return problems;
}

void expect_problem(const std::function<void(Node&)>& change, const std::string& pointer, const std::string& words) {
  const auto problems = problems_after(change);
  for (const Problem& p : problems)
    if (p.pointer == pointer && p.message.find(words) != std::string::npos) return;
  ADD_FAILURE() << "no problem at " << pointer << " with \"" << words << "\" among " << problems.size()
                << (problems.empty() ? "" : ": " + problems[0].pointer + " " + problems[0].message);
}

Node& flow(Node& d, size_t i = 0) { return d.find("flows")->list()[i]; }

TEST(Document, SampleIsValid) {
  EXPECT_THAT(problems_after([](Node&) {}), ::testing::IsEmpty());
}

struct Example {
  const char* file;
  const char* hash;
  size_t bytes;
};

class Examples : public ::testing::TestWithParam<Example> {};
TEST_P(Examples, ParseAndHashAsPublished) {
  auto text = read_spec(GetParam().file);
  if (!text) GTEST_SKIP() << "no specification folder at " << ENTENTE_SPEC_DIR;
  std::vector<Problem> problems;
  auto d = parse_document(*text, &problems);
  for (const Problem& p : problems) ADD_FAILURE() << p.pointer << ": " << p.message;
  ASSERT_TRUE(d.ok());
  EXPECT_EQ(d->hash, GetParam().hash);
  EXPECT_EQ(d->canonical.size(), GetParam().bytes);
  // The canonical text is the same document.
  auto again = parse_document(d->canonical);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->hash, d->hash);
}
INSTANTIATE_TEST_SUITE_P(
    Published, Examples,
    ::testing::Values(Example{"agreement-india-japan.example.json",
                              "d5388d793c1ef1ac2ff7314c0a0412be29a5269406c6829d1cf95e7ca2aad4c7", 11433},
                      Example{"agreement-four-party.example.json",
                              "a7feb4de2ba481ce5f079a92c2603a5635addc3c8df9ee51fc8e30825141bdd7", 13338}));

TEST(Document, PlaceholderKeysVerifyNothing) {
  auto text = read_spec("agreement-india-japan.example.json");
  if (!text) GTEST_SKIP() << "no specification folder";
  auto d = parse_document(*text);
  ASSERT_TRUE(d.ok());
  size_t absent = 0, all = 0;
  for (const Party& p : d->parties)
    for (const KeyRecord& k : p.keys) {
      ++all;
      absent += !k.key;
      EXPECT_EQ(k.key.has_value(), PublicKey::from_hex(k.public_hex).ok());
    }
  EXPECT_EQ(all, 12u);
  EXPECT_GT(absent, 0u);
}

TEST(Document, TextsAttachedToTheExampleAreCheckedByHash) {  // check 11
  auto text = read_spec("agreement-india-japan.example.json");
  if (!text) GTEST_SKIP() << "no specification folder";
  auto d = parse_document(*text);
  ASSERT_TRUE(d.ok());
  const std::string head = "(Illustrative text made for this example; not the text of any real instrument.) ";
  std::map<std::string, std::string> texts = {{"en", head + "Memorandum of Cooperation, English text."},
                                              {"ja", head + "協力覚書 日本語本文。"},
                                              {"hi", head + "सहयोग ज्ञापन, हिन्दी पाठ।"}};
  EXPECT_THAT(check_texts(*d, texts), ::testing::IsEmpty());
  texts["ja"] += " ";
  EXPECT_EQ(check_texts(*d, texts).size(), 2u);  // hash and length
  texts.erase("hi");
  EXPECT_EQ(check_texts(*d, texts).size(), 3u);
}

TEST(Document, UnknownFieldsAreErrors) {
  expect_problem([](Node& d) { d.set("tlp_celing", "x"); }, "/tlp_celing", "unknown field");
  expect_problem([](Node& d) { flow(d).set("tlp_celing", "x"); }, "/flows/0/tlp_celing", "unknown field");
  expect_problem([](Node& d) { d.set("a/b~c", 1); }, "/a~1b~0c", "unknown field");
}

TEST(Document, EveryRequiredFieldIsMissed) {
  const Node whole = sample_node();
  for (const auto& [name, value] : whole.members())
    expect_problem([&name = name](Node& d) { d.erase(name); }, "/" + name, "missing");
  for (const auto& [name, value] : whole.find("flows")->list()[0].members())
    expect_problem([&name = name](Node& d) { flow(d).erase(name); }, "/flows/0/" + name, "missing");
  for (auto name : {"party", "keys", "contacts", "tls_spki_sha256"})
    expect_problem([name](Node& d) { d.find("parties")->list()[1].erase(name); }, std::string("/parties/1/") + name,
                   "missing");
  for (auto name : {"kid", "role", "alg", "public", "not_before", "not_after"})
    expect_problem([name](Node& d) { d.find("parties")->list()[0].find("keys")->list()[2].erase(name); },
                   std::string("/parties/0/keys/2/") + name, "missing");
  for (auto name : {"lang", "sha256", "bytes", "authentic", "prevails"})
    expect_problem([name](Node& d) { d.find("authentic_texts")->list()[0].erase(name); },
                   std::string("/authentic_texts/0/") + name, "missing");
  for (auto name : {"sectors", "purposes", "forbidden_purposes"})
    expect_problem([name](Node& d) { d.find("scope")->erase(name); }, std::string("/scope/") + name, "missing");
}

TEST(Document, WrongTypesAndValues) {
  expect_problem([](Node& d) { d.set("schema", "entente-agreement/2"); }, "/schema", "unknown format");
  expect_problem([](Node& d) { d.set("agreement_id", "uuid:1"); }, "/agreement_id", "urn:uuid:");
  expect_problem([](Node& d) { d.set("version", 0); }, "/version", "1 or more");
  expect_problem([](Node& d) { d.set("version", 2); }, "/prev", "version 1");
  expect_problem([](Node& d) { d.set("prev", "abc"); }, "/prev", "64");
  expect_problem([](Node& d) { d.set("level", "club"); }, "/level", "must be");
  expect_problem([](Node& d) { d.set("title", 3); }, "/title", "object");
  expect_problem([](Node& d) { d.set("parties", Node::array()); }, "/parties", "at least 2");
  expect_problem([](Node& d) { d.set("flows", Node::array()); }, "/flows", "at least 1");
  expect_problem([](Node& d) { d.find("parties")->list()[0].set("party", "india"); }, "/parties/0/party", "capital");
  expect_problem([](Node& d) { flow(d).set("effect", "allow"); }, "/flows/0/effect", "permit or forbid");
  expect_problem([](Node& d) { flow(d).set("tlp_ceiling", "white"); }, "/flows/0/tlp_ceiling", "must be");
  expect_problem([](Node& d) { flow(d).set("unmarked", "red"); }, "/flows/0/unmarked", "must be");
  expect_problem([](Node& d) { flow(d).set("from", Node("x")); }, "/flows/0/from", "list");
  expect_problem([](Node& d) { d.find("actions")->set("default_pap", "blue"); }, "/actions/default_pap", "must be");
  expect_problem([](Node& d) { d.find("originator_control")->set("silence_means", "yes"); },
                 "/originator_control/silence_means", "silence");
  // Who third states are.
  const auto third = [](std::vector<std::string> states) {
    return [states](Node& d) { d.find("originator_control")->set("third_party_states", testing::texts(states)); };
  };
  expect_problem(third({"Australia"}), "/originator_control/third_party_states/0", "capital letters");
  expect_problem(third({"AU", "JP"}), "/originator_control/third_party_states/1", "is a party of this text");
  expect_problem(third({"AU", "AU"}), "/originator_control/third_party_states/1", "twice");
  // How long things are kept.
  const auto keeps = [](const char* name, Node value) {
    return [name, value](Node& d) { d.set("retention", Node::object().set("art", "5(4)").set(name, value)); };
  };
  expect_problem(keeps("on_end", "retrun"), "/retention/on_end", "delete_unless_open_case");
  expect_problem(keeps("deletion_receipt", "soon"), "/retention/deletion_receipt", "duration");
  expect_problem(keeps("max_days", Node::object().set("amber", "long")), "/retention/max_days/amber", "days");
  expect_problem(keeps("max_days", Node::object().set("amber", -1)), "/retention/max_days/amber", "days");
  expect_problem([](Node& d) { d.find("originator_control")->set("rule", "ask"); }, "/originator_control/rule",
                 "must be");
  expect_problem([](Node& d) { d.find("duration")->set("term", "5 years"); }, "/duration/term", "ISO 8601");
  expect_problem([](Node& d) { d.find("duration")->find("start")->set("rule", "soon"); }, "/duration/start/rule",
                 "must be");
  expect_problem([](Node& d) { d.find("signing")->find("act")->erase("narrow"); }, "/signing/act", "narrow");
  expect_problem([](Node& d) { d.find("scope")->set("weight", 1.5); }, "/scope/weight", "fraction");
  expect_problem([](Node& d) { d.find("parties")->list()[0].find("keys")->list()[0].set("alg", "RS256"); },
                 "/parties/0/keys/0/alg", "Ed25519");
}

TEST(Document, Check1PermitCeilingIsAtMostAmberStrict) {
  expect_problem([](Node& d) { flow(d).set("tlp_ceiling", "red"); }, "/flows/0/tlp_ceiling", "check 1");
  EXPECT_THAT(problems_after([](Node& d) {
                d.find("flows")->push(flow_node("no", "6(1)", false, {"mac-addr"}, "clear", "red", "withhold"));
              }),
              ::testing::IsEmpty());
}

TEST(Document, Check2FloorIsNotAboveCeiling) {
  expect_problem([](Node& d) { flow(d).set("tlp_ceiling", "green").set("tlp_floor", "amber"); }, "/flows/0/tlp_floor",
                 "check 2");
}

TEST(Document, Check3FlowsNameParties) {
  expect_problem([](Node& d) { flow(d).set("to", Node(Node::List{"JP", "US"})); }, "/flows/0/to/1", "check 3");
}

TEST(Document, Check4ArticlesExistAndAreEnforced) {
  expect_problem([](Node& d) { flow(d).set("art", "12"); }, "/flows/0/art", "not in the list");
  expect_problem([](Node& d) { flow(d).set("art", "9(1)"); }, "/flows/0/art", "left to people");
  expect_problem([](Node& d) { flow(d).set("art", "8"); }, "/flows/0/art", "enforced");
  expect_problem([](Node& d) { flow(d).set("art", "3(A)"); }, "/flows/0/art", "written like");
  expect_problem([](Node& d) { d.find("actions")->set("art", "9"); }, "/actions/art", "check 4");
  EXPECT_THAT(problems_after([](Node& d) { d.find("actions")->set("art", "8"); }), ::testing::IsEmpty());
  expect_problem([](Node& d) { d.set("supply_chain", Node::object().set("art", "44")); }, "/supply_chain/art",
                 "check 4");
}

Node project() {
  Node p = Node::object();
  p.set("project_id", "p").set("tlp_floor", "green").set("tlp_ceiling", "amber").set("sectors", Node(Node::List{"5g"}));
  return p.set("not_before", "2027-01-01T00:00:00Z").set("not_after", "2028-01-01T00:00:00Z");
}

TEST(Document, Check5ProjectsStayInsideTheParent) {
  auto with = [](const std::function<void(Node&)>& change) {
    return [change](Node& d) {
      Node p = project();
      change(p);
      d.find("duration")->set("term", "P2Y");
      d.set("projects", Node(Node::List{p}));
    };
  };
  EXPECT_THAT(problems_after(with([](Node&) {})), ::testing::IsEmpty());
  expect_problem(with([](Node& p) { p.set("tlp_ceiling", "red"); }), "/projects/0/tlp_ceiling", "check 5");
  expect_problem(with([](Node& p) { p.set("tlp_floor", "amber+strict"); }), "/projects/0/tlp_floor", "check 5");
  expect_problem(with([](Node& p) { p.set("sectors", Node(Node::List{"rail"})); }), "/projects/0/sectors/0", "check 5");
  expect_problem(with([](Node& p) { p.set("not_after", "2031-01-01T00:00:00Z"); }), "/projects/0/not_after", "check 5");
  expect_problem(with([](Node& p) { p.set("not_after", "2026-01-01T00:00:00Z"); }), "/projects/0/not_after", "check 5");
}

TEST(Document, Check6NarrowIsTheSmallestQuorum) {
  expect_problem(
      [](Node& d) {
        d.find("signing")
            ->find("act")
            ->set("key_revoke", testing::roles({{"authority", 1}}))
            .set("narrow", testing::roles({{"authority", 2}}));
      },
      "/signing/act/key_revoke", "check 6");
  expect_problem([](Node& d) { d.find("signing")->find("act")->set("sign", testing::roles({{"plenipotentiary", 1}})); },
                 "/signing/act/sign", "two persons");
}

Node& key(Node& d, size_t party, size_t k) { return d.find("parties")->list()[party].find("keys")->list()[k]; }

TEST(Document, Check7LogAndWitnessKeysAreSeparate) {
  expect_problem([](Node& d) { key(d, 0, 5).set("public", key(d, 0, 4).string_at("public")); },
                 "/parties/0/keys/5/public", "check 7");
  expect_problem([](Node& d) { key(d, 1, 1).set("public", key(d, 0, 1).string_at("public")); },
                 "/parties/1/keys/1/public", "same key");
}

TEST(Document, Check8NeverHoldsTheBuiltInSet) {
  for (auto missing : {"counter-intrusion", "exploit", "scan-foreign-network"})
    expect_problem([missing](Node& d) { std::erase(d.find("actions")->find("never")->list(), Node(missing)); },
                   "/actions/never", missing);
}

TEST(Document, Check9KidsAreUnique) {
  expect_problem([](Node& d) { key(d, 1, 0).set("kid", "IN/authority/1"); }, "/parties/1/keys/0/kid", "check 9");
}

TEST(Document, Check10EveryPartyHasTwoAuthorityKeys) {
  expect_problem([](Node& d) { key(d, 1, 2).set("role", "node"); }, "/parties/1/keys", "check 10");
}

TEST(Document, Check11HashesMatchAttachedTexts) {
  const Document doc = testing::sample(sample_node());  // its English text is "text"
  EXPECT_THAT(check_texts(doc, {{"en", "text"}}), ::testing::IsEmpty());
  const auto said = [&](const std::map<std::string, std::string>& texts) {
    const auto problems = check_texts(doc, texts);
    std::string all;
    for (const auto& p : problems) all += p.pointer + " " + p.message + "\n";
    return all;
  };
  EXPECT_THAT(said({}), HasSubstr("not attached (check 11)"));
  EXPECT_THAT(said({{"en", "tex."}}), HasSubstr("/authentic_texts/0/sha256 the attached en text has another hash"));
  EXPECT_THAT(said({{"en", "text."}}), HasSubstr("/authentic_texts/0/bytes the attached en text has 5 octets"));
}

TEST(Document, Check12TheChainOfVersionsIsUnbroken) {
  const std::string before = sha256_hex("the text before");
  expect_problem([&](Node& d) { d.set("prev", before); }, "/prev", "version 1 has prev null");
  expect_problem([](Node& d) { d.set("version", 2); }, "/prev", "names the hash of the one before");
  expect_problem([](Node& d) { d.set("version", 2).set("prev", "v1"); }, "/prev", "64 lower-case hex digits");
  EXPECT_THAT(problems_after([&](Node& d) { d.set("version", 2).set("prev", before); }), ::testing::IsEmpty());
  // That it names the text it amends, and no other, is Amend.OnlyTheNextVersionOfTheSameParties.
}

TEST(Document, AllProblemsAreReportedNotOnlyTheFirst) {
  const auto problems = problems_after([](Node& d) {
    d.set("x", 1);
    flow(d).set("tlp_ceiling", "red").set("art", "12");
    key(d, 1, 2).set("role", "node");
  });
  EXPECT_GE(problems.size(), 4u);
}

// ---- ledger.quorum and ledger.witnesses: each fault its own message

Node quorum(const std::string& text) { return Node::object().set("quorum", text); }
void expect_quorum(const std::string& text, const std::string& words) {
  expect_problem([&](Node& d) { d.set("ledger", quorum(text)); }, "/ledger/quorum", words);
}
std::string neutral_key() { return SecretKey::generate().public_key().to_hex(); }
Node neutral(const std::string& kid, const std::string& key) {
  return Node::object().set("kid", kid).set("public", key);
}

TEST(LedgerBlock, QuorumsOfTheGrammarAreValid) {
  for (const char* text : {"all(IN/witness/1,JP/witness/1)", "1 of (IN/witness/1,JP/witness/1)",
                           "1 of (IN/witness/1,JP/witness/1) excluding log owner",
                           "all(IN/witness/1,JP/witness/1) excluding log owner", "all(JP/witness/1)"})
    EXPECT_THAT(problems_after([&](Node& d) { d.set("ledger", quorum(text)); }), ::testing::IsEmpty()) << text;
  EXPECT_THAT(problems_after([&](Node& d) {
                Node l = quorum("2 of (IN/witness/1,JP/witness/1,osaka-u/witness/1) excluding log owner");
                l.set("witnesses", Node(Node::List{neutral("osaka-u/witness/1", neutral_key())}));
                d.set("ledger", l);
              }),
              ::testing::IsEmpty());
}

TEST(LedgerBlock, AQuorumThatCannotBeReadIsNamed) {
  expect_quorum("most of them", "no list of witnesses");
  expect_quorum("some(IN/witness/1)", "\"some\" is neither 'all' nor 'N of '");
  expect_quorum("two of (IN/witness/1,JP/witness/1)", "neither 'all' nor 'N of '");
  expect_quorum("all(IN/witness/1) but JP", "\" but JP\" follows the list");
  expect_quorum("all(IN)", "\"IN\" is not the name of a witness's key");
  expect_quorum("all(IN/witness/1, JP/witness/1)", "\" JP/witness/1\" is not the name");
  expect_problem([](Node& d) { d.set("ledger", Node::object().set("quorum", 2)); }, "/ledger/quorum", "text");
}

TEST(LedgerBlock, AQuorumNamesParties) {
  expect_quorum("all(IN/witness/1,XX/witness/1)", "XX is no party, and /ledger/witnesses does not name it");
}

TEST(LedgerBlock, AQuorumNamesKeysOfWitnesses) {
  expect_quorum("all(IN/witness/1,JP/witness/7)", "JP has no key JP/witness/7 with the role witness");
  expect_quorum("all(IN/witness/1,JP/log/1)", "JP has no key JP/log/1 with the role witness");
}

TEST(LedgerBlock, AWitnessStandsOnceInAQuorum) {
  expect_quorum("2 of (IN/witness/1,IN/witness/1)", "IN/witness/1 stands twice");
}

TEST(LedgerBlock, AQuorumAsksForNoMoreThanItNames) {
  expect_quorum("3 of (IN/witness/1,JP/witness/1)", "asks for 3 witnesses and names 2");
  expect_quorum("0 of (IN/witness/1,JP/witness/1)", "0 witnesses are none");
}

TEST(LedgerBlock, AQuorumCanBeMetForTheLogOfEveryParty) {
  expect_quorum("2 of (IN/witness/1,JP/witness/1) excluding log owner",
                "it can never be met for the ledger of IN: without IN's own, 1 of 2 are left");
  expect_quorum("2 of (IN/witness/1,JP/witness/1) excluding log owner", "never be met for the ledger of JP");
  expect_quorum("all(JP/witness/1) excluding log owner", "never be met for the ledger of JP");
}

void expect_witness(const Node::List& list, const std::string& pointer, const std::string& words) {
  expect_problem([&](Node& d) { d.set("ledger", Node::object().set("witnesses", Node(list))); },
                 "/ledger/witnesses/" + pointer, words);
}

TEST(LedgerBlock, ANeutralWitnessHasANameAndAKeyOfItsOwn) {
  const std::string key = neutral_key();
  expect_witness({neutral("osaka", key)}, "0/kid", "NAME/witness/N");
  expect_witness({neutral("JP/witness/9", key)}, "0/kid", "JP is a party");
  expect_witness({neutral("osaka-u/witness/1", "00")}, "0/public", "an Ed25519 key");
  expect_witness({neutral("a/witness/1", key), neutral("a/witness/1", neutral_key())}, "1/kid", "named twice");
  expect_witness({neutral("a/witness/1", key), neutral("b/witness/1", key)}, "1/public", "would count twice");
  expect_witness({Node::object().set("kid", "a/witness/1")}, "0/public", "");
  expect_witness({neutral("a/witness/1", key).set("url", "https://a.example")}, "0/url", "");
  expect_problem(
      [&](Node& d) {
        const std::string theirs(d.find("parties")->list()[0].find("keys")->list()[5].string_at("public"));
        d.set("ledger", Node::object().set("witnesses", Node(Node::List{neutral("a/witness/1", theirs)})));
      },
      "/ledger/witnesses/0/public", "is the key");
}

TEST(Document, TypedFieldsAreRead) {
  auto d = testing::sample(sample_node());
  EXPECT_EQ(d.level, Level::kBilateral);
  EXPECT_EQ(d.title, "Sample");
  EXPECT_EQ(d.quorum["sign"]["plenipotentiary"], 1);
  EXPECT_TRUE(d.actions.block_allowed);
  EXPECT_EQ(d.actions.min_confidence, 80);
  EXPECT_EQ(d.actions.max_block_days, 30);
  EXPECT_EQ(d.flows[0].unmarked, Tlp::kAmber);
  EXPECT_EQ(d.onward_rule, "consent");
  const Party* owner = nullptr;
  ASSERT_NE(d.key("JP/authority/2", &owner), nullptr);
  EXPECT_EQ(owner->party, "JP");
  EXPECT_EQ(d.key("JP/authority/3"), nullptr);
}

TEST(Document, BadInputIsRefusedWithoutHarm) {
  for (auto text : {"", "null", "[]", "{", "\"x\"", "{\"schema\":1,\"schema\":2}",
                    "{\"parties\":[1,null,{\"keys\":[[]]}],\"flows\":[3],\"articles\":{}}",
                    "{\"signing\":{\"act\":{\"sign\":3,\"x\":{\"roles\":{\"y\":\"z\"}}}}}",
                    "{\"duration\":{\"start\":[]},\"projects\":[0,{}],\"protection\":[7]}"}) {
    std::vector<Problem> problems;
    EXPECT_FALSE(parse_document(text, &problems).ok()) << text;
    EXPECT_FALSE(problems.empty()) << text;
  }
}

RC_GTEST_PROP(Document, AnyChangedByteIsAnotherDocumentOrNone, ()) {
  static const std::string text = testing::sample(sample_node()).canonical;
  static const std::string hash = testing::sample(sample_node()).hash;
  std::string changed = text;
  const auto at = *rc::gen::inRange<size_t>(0, text.size());
  const auto with = static_cast<char>(*rc::gen::inRange(0, 256));
  RC_PRE(changed[at] != with);
  changed[at] = with;
  auto d = parse_document(changed);
  const bool same = d.ok() && d->hash == hash;
  RC_ASSERT(!same);
}

}  // namespace
}  // namespace entente::agreement
