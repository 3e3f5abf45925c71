// Joint action: who may take which step, when measures are in effect, and that everybody who holds the same steps
// computes the same action.
#include "agreement/joint.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement/story_for_test.h"

namespace entente::agreement {
namespace {

using json::Node;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kDay;
using testing::kHour;
using testing::kSecond;
using testing::kT0;
using testing::sample;
using testing::sample_node;
using testing::Story;
using testing::texts;

const Time kAt = kT0.plus_us(kHour);         // the proposal
const Time kStart = kT0.plus_us(3 * kHour);  // T-0
const Time kEnd = kT0.plus_us(9 * kHour);

Node measure(int i, const char* what = "drop") {
  return Node::object()
      .set("id", "m" + std::to_string(i))
      .set("indicator", "indicator--00000000-0000-4000-8000-00000000000" + std::to_string(i))
      .set("version", "2027-01-01T00:00:00Z")
      .set("do", what);
}

Node proposal(Node more = Node::object()) {
  Node n = Node::object();
  n.set("title", "botnet").set("measures", Node(Node::List{measure(1), measure(2), measure(3, "count")}));
  n.set("t0", to_text(kStart)).set("until", to_text(kEnd));
  for (const auto& [name, value] : more.members()) n.set(name, value);
  return n;
}

// A story whose joint steps have chains of their own.
struct Action : Story {
  explicit Action(std::vector<std::string> parties = {"IN", "JP"}, Node more = Node::object(), Time at = kAt)
      : Story(sample(sample_node(parties, parties.size() > 2 ? "group" : "bilateral"))) {
    begin();
    lead = doc.parties.front().party;
    id = step(lead, "joint_propose", at, proposal(std::move(more))).act.hash();
  }
  SignedAct& step(const std::string& party, const std::string& kind, Time at, Node body = Node::object(),
                  std::vector<std::string> kids = {}) {
    if (kind != "joint_propose") body.set("action", id);
    const std::string prev = kind == "joint_propose" || kind == "joint_report" ? "" : previous(party);
    Act a{kind, doc.agreement_id, doc.hash, prev, party, at, std::move(body)};
    if (kind != "joint_report") tip[party] = a.hash();
    SignedAct s{std::move(a), {}};
    if (kids.empty()) kids.push_back(party + (kind == "joint_report" ? "/node/1" : "/authority/1"));
    for (const auto& kid : kids) testing::Signer::sign(s, kid);
    acts.push_back(std::move(s));
    return acts.back();
  }
  [[nodiscard]] std::string previous(const std::string& party) const {
    const auto it = tip.find(party);
    return it == tip.end() ? id : it->second;
  }
  [[nodiscard]] std::vector<JointAction> all(Time t) const {
    return JointHistory(doc.agreement_id, acts).at(Story::at(t), t);
  }
  [[nodiscard]] JointAction at(Time t) const {
    const auto found = all(t);
    return found.empty() ? JointAction{} : found.front();
  }
  [[nodiscard]] Status would(SignedAct act, Time t) const { return admissible(act, acts, t); }
  // Takes the step only if the product admits it; says what it said.
  std::string attempt(const std::string& party, const std::string& kind, Time t, Node body = Node::object()) {
    const auto before = tip;
    SignedAct s = step(party, kind, t, std::move(body));
    acts.pop_back();
    const Status ok = would(s, t);
    if (ok.ok()) {
      acts.push_back(std::move(s));
      return "";
    }
    tip = before;
    return ok.error().text();
  }
  std::string id, lead;
  std::map<std::string, std::string> tip;
};

std::string effect(const JointAction& a, std::string_view party) {
  std::string out;
  for (const Measure& m : a.measures)
    if (a.in_effect(party, m)) out += (out.empty() ? "" : " ") + m.id;
  return out;
}

TEST(Joint, runs_from_T0_to_its_end_for_all_who_consented) {
  Action a;
  EXPECT_EQ(a.at(kAt).stage, JointStage::kProposed);
  EXPECT_THAT(a.at(kAt).waiting_for, ElementsAre("answer of JP"));
  EXPECT_EQ(a.attempt("JP", "joint_consent", kAt.plus_us(kSecond)), "");
  EXPECT_EQ(a.at(kAt.plus_us(kSecond)).stage, JointStage::kReady);
  EXPECT_EQ(a.attempt("IN", "joint_go", kAt.plus_us(2 * kSecond)), "");
  EXPECT_EQ(a.at(kStart.plus_us(-1)).stage, JointStage::kSet);
  EXPECT_EQ(effect(a.at(kStart.plus_us(-1)), "JP"), "");
  EXPECT_EQ(a.at(kStart).stage, JointStage::kRunning);
  EXPECT_EQ(effect(a.at(kStart), "JP"), "m1 m2 m3");
  EXPECT_EQ(effect(a.at(kStart), "IN"), "m1 m2 m3");
  EXPECT_EQ(effect(a.at(kEnd.plus_us(-1)), "IN"), "m1 m2 m3");
  EXPECT_EQ(a.at(kEnd).stage, JointStage::kOver);
  EXPECT_EQ(effect(a.at(kEnd), "IN"), "");
}

TEST(Joint, nothing_happens_without_the_go) {
  Action a;
  a.step("JP", "joint_consent", kAt.plus_us(kSecond));
  EXPECT_EQ(effect(a.at(kStart), "JP"), "");
  EXPECT_EQ(a.at(kEnd).stage, JointStage::kLapsed);
}

TEST(Joint, a_go_after_T0_never_works_in_retrospect) {
  Action a;
  a.step("JP", "joint_consent", kAt.plus_us(kSecond));
  a.step("IN", "joint_go", kStart.plus_us(kHour));
  EXPECT_EQ(effect(a.at(kStart.plus_us(kHour - 1)), "JP"), "");
  EXPECT_EQ(a.at(kStart.plus_us(kHour)).start, kStart.plus_us(kHour));
  EXPECT_EQ(effect(a.at(kStart.plus_us(kHour)), "JP"), "m1 m2 m3");
}

TEST(Joint, a_party_narrows_measures_and_end_under_its_own_law) {
  Action a;
  const Time sooner = kStart.plus_us(kHour);
  a.step("JP", "joint_consent", kAt.plus_us(kSecond),
         Node::object().set("measures", texts({"m2"})).set("until", to_text(sooner)).set("article", "Act 128, s. 4"));
  a.step("IN", "joint_go", kAt.plus_us(kHour));
  EXPECT_EQ(effect(a.at(kStart), "JP"), "m2");
  EXPECT_EQ(effect(a.at(kStart), "IN"), "m1 m2 m3");
  EXPECT_EQ(a.at(kStart).parties.at("JP").article, "Act 128, s. 4");
  EXPECT_EQ(effect(a.at(sooner), "JP"), "");
  EXPECT_EQ(effect(a.at(sooner), "IN"), "") << "alone it is no joint action";
}

TEST(Joint, narrow_alone_widen_together) {
  Action a;
  a.step("JP", "joint_consent", kAt.plus_us(kSecond), Node::object().set("measures", texts({"m1", "m2"})));
  a.step("IN", "joint_go", kAt.plus_us(kHour));
  const Time later = kStart.plus_us(kSecond);
  EXPECT_THAT(a.attempt("JP", "joint_consent", later), HasSubstr("can only narrow"));
  EXPECT_EQ(a.attempt("JP", "joint_consent", later, Node::object().set("measures", texts({"m1"}))), "");
  EXPECT_EQ(effect(a.at(later), "JP"), "m1");
  EXPECT_THAT(a.attempt("JP", "joint_consent", later.plus_us(1), Node::object().set("measures", texts({"m1", "m2"}))),
              HasSubstr("can only narrow"));
}

TEST(Joint, a_decline_with_its_reason_ends_a_pairs_action_and_can_be_taken_back_before_it_begins) {
  Action a;
  EXPECT_THAT(a.attempt("JP", "joint_decline", kAt.plus_us(kSecond)), HasSubstr("reason"));
  EXPECT_EQ(a.attempt("JP", "joint_decline", kAt.plus_us(kSecond), Node::object().set("reason", "court order")), "");
  EXPECT_EQ(a.at(kAt.plus_us(kSecond)).stage, JointStage::kLapsed);
  EXPECT_THAT(a.attempt("IN", "joint_go", kAt.plus_us(kHour)), HasSubstr("1 of the 2 parties"));
  EXPECT_EQ(a.attempt("JP", "joint_consent", kAt.plus_us(kHour)), "");
  EXPECT_EQ(a.at(kAt.plus_us(kHour)).stage, JointStage::kReady);
}

TEST(Joint, in_a_group_a_quorum_is_enough_and_who_declined_carries_out_nothing) {
  Action a({"AU", "IN", "JP", "US"}, Node::object().set("need", 3));
  a.step("IN", "joint_consent", kAt.plus_us(1));
  a.step("US", "joint_decline", kAt.plus_us(2), Node::object().set("reason", "no"));
  EXPECT_THAT(a.attempt("AU", "joint_go", kAt.plus_us(3)), HasSubstr("2 of the 3"));
  a.step("JP", "joint_consent", kAt.plus_us(4));
  EXPECT_EQ(a.attempt("AU", "joint_go", kAt.plus_us(5)), "");
  const JointAction run = a.at(kStart);
  EXPECT_EQ(run.stage, JointStage::kRunning);
  EXPECT_THAT(run.executing, ElementsAre("AU", "IN", "JP"));
  EXPECT_EQ(effect(run, "US"), "");
}

TEST(Joint, only_the_lead_gives_the_go) {
  Action a;
  a.step("JP", "joint_consent", kAt.plus_us(1));
  EXPECT_THAT(a.attempt("JP", "joint_go", kAt.plus_us(2)), HasSubstr("only the lead, IN"));
}

TEST(Joint, a_stand_down_of_the_lead_lifts_all_and_of_another_only_its_own) {
  Action a({"AU", "IN", "JP"});
  a.step("IN", "joint_consent", kAt.plus_us(1));
  a.step("JP", "joint_consent", kAt.plus_us(2));
  a.step("AU", "joint_go", kAt.plus_us(3));
  const Time later = kStart.plus_us(kHour);
  a.step("JP", "joint_stand_down", later);
  EXPECT_THAT(a.at(later).executing, ElementsAre("AU", "IN"));
  EXPECT_THAT(a.attempt("JP", "joint_consent", later.plus_us(1)), HasSubstr("stood down"));
  a.step("AU", "joint_stand_down", later.plus_us(kHour));
  EXPECT_EQ(a.at(later.plus_us(kHour)).stage, JointStage::kStoodDown);
  EXPECT_THAT(a.at(later.plus_us(kHour)).executing, IsEmpty());
}

TEST(Joint, ends_with_the_agreement_and_comes_back_with_it) {
  Action a;
  a.step("JP", "joint_consent", kAt.plus_us(1));
  a.step("IN", "joint_go", kAt.plus_us(2));
  const Time later = kStart.plus_us(kHour);
  a.act("JP", "suspend", later);
  EXPECT_EQ(effect(a.at(later.plus_us(-1)), "IN"), "m1 m2 m3");
  EXPECT_EQ(effect(a.at(later), "IN"), "");
  EXPECT_EQ(effect(a.at(later), "JP"), "");
  EXPECT_THAT(a.at(later).waiting_for, Contains(HasSubstr("not in force")));
}

TEST(Joint, its_steps_change_nothing_of_the_agreement) {
  Action with;
  const State before = with.Story::at(kAt);
  with.step("JP", "joint_consent", kAt.plus_us(1));
  with.step("IN", "joint_go", kAt.plus_us(2));
  const State after = with.Story::at(kStart);
  EXPECT_EQ(after.last_act, before.last_act);
  EXPECT_EQ(after.kind, StateKind::kInForce);
  EXPECT_THAT(after.refused, IsEmpty());
  EXPECT_THAT(after.unsure, IsEmpty());
}

TEST(Joint, longer_than_the_longest_block_is_refused) {
  Action a;
  Story s(a.doc);
  s.begin();
  Act p{"joint_propose",
        a.doc.agreement_id,
        a.doc.hash,
        "",
        "IN",
        kAt,
        proposal(Node::object().set("until", to_text(kStart.plus_us(30 * kDay + 1))))};
  SignedAct signed_act{p, {}};
  testing::Signer::sign(signed_act, "IN/authority/1");
  const Status no = admissible(signed_act, s.acts, kAt);
  ASSERT_FALSE(no.ok());
  EXPECT_THAT(no.error().text(), HasSubstr("longer than 30 days"));
}

TEST(Joint, bodies_are_closed_and_bounded) {
  const Action a;
  const auto refused = [&](Node body, const char* kind = "joint_propose") {
    Act p{kind, a.doc.agreement_id, a.doc.hash, "", "IN", kAt, std::move(body)};
    SignedAct s{p, {}};
    testing::Signer::sign(s, "IN/authority/1");
    const Status no = admissible(s, a.acts, kAt);
    return no.ok() ? std::string("admitted") : no.error().text();
  };
  EXPECT_EQ(refused(proposal()), "admitted");
  EXPECT_THAT(refused(proposal(Node::object().set("surprise", 1))), HasSubstr("surprise"));
  EXPECT_THAT(refused(proposal(Node::object().set("until", to_text(kStart)))), HasSubstr("later than t0"));
  EXPECT_THAT(refused(proposal(Node::object().set("need", 1))), HasSubstr("two consent"));
  EXPECT_THAT(refused(proposal(Node::object().set("need", 3))), HasSubstr("needs 3 parties"));
  EXPECT_THAT(refused(proposal(Node::object().set("measures", Node::array()))), HasSubstr("measures"));
  EXPECT_THAT(refused(proposal(Node::object().set("measures", Node(Node::List{measure(1), measure(1)})))),
              HasSubstr("another measure"));
  Node::List many;
  for (size_t i = 0; i <= kMaxMeasures; ++i) {
    Node m = measure(1);
    m.set("id", "m" + std::to_string(i)).set("indicator", "indicator--" + std::to_string(i));
    many.push_back(std::move(m));
  }
  EXPECT_THAT(refused(proposal(Node::object().set("measures", Node(many)))), HasSubstr("at most 1000"));
  EXPECT_THAT(refused(Node::object().set("action", "nonsense"), "joint_consent"), HasSubstr("64 lower-case hex"));
  EXPECT_THAT(refused(Node::object().set("action", std::string(64, 'a')), "joint_consent"),
              HasSubstr("no such joint action"));
  EXPECT_THAT(refused(Node::object(), "joint_dance"), HasSubstr("unknown kind"));
}

TEST(Joint, a_step_needs_its_own_partys_right_key) {
  Action a;
  for (const std::vector<std::string>& kids :
       std::vector<std::vector<std::string>>{{"IN/authority/1"}, {"JP/node/1"}, {"JP/plenipotentiary/1"}}) {
    Action b = a;
    b.step("JP", "joint_consent", kAt.plus_us(1), Node::object(), kids);
    EXPECT_EQ(b.at(kAt.plus_us(1)).stage, JointStage::kProposed) << kids.front();
    EXPECT_FALSE(a.would(b.acts.back(), kAt.plus_us(1)).ok());
    EXPECT_FALSE(joint_counts(b.acts.back(), a.Story::at(kAt.plus_us(1))));
  }
}

TEST(Joint, a_step_of_another_agreement_is_not_taken) {
  Action a;
  Document other = sample(sample_node({"IN", "JP"}, "bilateral", "urn:uuid:00000000-0000-5000-8000-000000000002"));
  Act c{
      "joint_consent", other.agreement_id, other.hash, a.id, "JP", kAt.plus_us(1), Node::object().set("action", a.id)};
  SignedAct s{c, {}};
  testing::Signer::sign(s, "JP/authority/1");
  a.acts.push_back(s);
  EXPECT_EQ(a.at(kAt.plus_us(1)).stage, JointStage::kProposed);
  s.act.agreement_id = a.doc.agreement_id;  // its signature is of the other one
  a.acts.back() = s;
  EXPECT_EQ(a.at(kAt.plus_us(1)).stage, JointStage::kProposed);
}

TEST(Joint, who_forks_or_hides_a_step_is_narrow) {
  Action a;
  a.step("JP", "joint_consent", kAt.plus_us(1));
  a.step("IN", "joint_go", kAt.plus_us(2));
  Action fork = a;
  fork.tip["JP"] = fork.id;
  fork.step("JP", "joint_consent", kAt.plus_us(3), Node::object().set("measures", texts({"m1"})));
  EXPECT_THAT(fork.at(kStart).parties.at("JP").doubt, HasSubstr("two steps"));
  EXPECT_THAT(fork.at(kStart).executing, IsEmpty());
  EXPECT_TRUE(joint_counts(fork.acts.back(), a.Story::at(kStart))) << "both halves are kept: they are the evidence";

  Action gap = a;
  gap.step("JP", "joint_consent", kAt.plus_us(3), Node::object().set("measures", texts({"m1"})));
  gap.step("JP", "joint_consent", kAt.plus_us(4), Node::object().set("measures", texts({"m1"})));
  gap.acts.erase(gap.acts.end() - 2);
  EXPECT_THAT(gap.at(kStart).parties.at("JP").doubt, HasSubstr("missing"));
  EXPECT_THAT(gap.at(kStart).executing, IsEmpty());
}

TEST(Joint, a_revoked_key_says_nothing_from_its_revocation_on) {
  Action a;
  const std::string revoked = "JP/authority/2";
  a.act("JP", "annex_notice", kAt.plus_us(1),
        Node::object().set("revoke", Node(Node::List{Node::object().set("kid", revoked)})));
  a.step("JP", "joint_consent", kAt.plus_us(kHour), Node::object(), {revoked});
  EXPECT_EQ(a.at(kAt.plus_us(kHour)).stage, JointStage::kProposed);
}

TEST(Joint, the_newest_report_of_a_node_stands) {
  Action a;
  const auto report = [](int n) {
    return Node::object().set("dropping", n).set("counting", 0).set("waiting", 0).set("refused", 0).set("hits", 7);
  };
  a.step("JP", "joint_report", kStart.plus_us(2), report(2));
  a.step("JP", "joint_report", kStart.plus_us(1), report(1));
  const SignedAct wrong = a.step("JP", "joint_report", kStart.plus_us(3), report(3), {"JP/authority/1"});
  ASSERT_TRUE(a.at(kStart.plus_us(5)).parties.at("JP").report);
  EXPECT_EQ(a.at(kStart.plus_us(5)).parties.at("JP").report->dropping, 2u);
  EXPECT_FALSE(a.would(wrong, kStart.plus_us(5)).ok());
}

// Whatever random steps are taken, in whatever order they come and however often: the same action; and what is in
// effect was consented to by its party, by quorum, with a go, inside its time.
TEST(Joint, the_same_steps_give_the_same_action_in_any_order) {
  std::mt19937 random(20261123);
  const auto number = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  size_t in_effect = 0;
  for (int round = 0; round < 200; ++round) {
    Action a({"AU", "IN", "JP"}, number(2) == 0 ? Node::object().set("need", 2) : Node::object());
    const std::vector<std::string> kinds = {"joint_consent", "joint_consent", "joint_consent",   "joint_decline",
                                            "joint_go",      "joint_go",      "joint_stand_down"};
    const std::vector<std::string> parties = {"AU", "IN", "JP"};
    if (number(3) > 0) {  // most begin well
      a.step("IN", "joint_consent", kAt.plus_us(1));
      a.step("JP", "joint_consent", kAt.plus_us(2));
      a.step("AU", "joint_go", kAt.plus_us(3));
    }
    const int steps = number(6);
    for (int i = 0; i < steps; ++i) {
      const std::string kind = kinds[static_cast<size_t>(number(static_cast<int>(kinds.size())))];
      const std::string party = kind == "joint_go" ? "AU" : parties[static_cast<size_t>(number(3))];
      Node body = Node::object();
      if (kind == "joint_decline") body.set("reason", "no");
      if (kind == "joint_consent" && number(2) == 0) body.set("measures", texts({"m" + std::to_string(1 + number(3))}));
      if (number(12) == 0) a.tip[party] = a.id;  // a fork
      a.step(party, kind, kAt.plus_us(number(5) * kHour + i), std::move(body));
    }
    const Time t = kAt.plus_us(number(9) * kHour);
    const JointAction one = a.at(t);
    auto mixed = a;
    mixed.acts.push_back(mixed.acts[static_cast<size_t>(number(static_cast<int>(mixed.acts.size())))]);
    std::shuffle(mixed.acts.begin(), mixed.acts.end(), random);
    const JointAction other = mixed.at(t);
    EXPECT_EQ(to_text(one.stage), to_text(other.stage));
    EXPECT_EQ(one.start, other.start);
    EXPECT_EQ(one.executing, other.executing);
    EXPECT_EQ(one.last_step, other.last_step);
    for (const auto& party : parties) {
      EXPECT_EQ(effect(one, party), effect(other, party));
      if (effect(one, party).empty()) continue;
      ++in_effect;
      const JointParty& p = one.parties.at(party);
      EXPECT_EQ(p.answer, JointAnswer::kConsented);
      EXPECT_TRUE(p.doubt.empty() && !p.stood_down);
      EXPECT_TRUE(one.start && *one.start <= t && t < p.until && *one.start >= kStart);
      EXPECT_GE(one.executing.size(), 2u);
    }
  }
  EXPECT_GT(in_effect, 100u) << "the test must meet what it judges";
}

}  // namespace
}  // namespace entente::agreement
