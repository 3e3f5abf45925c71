// What several nodes make of the same acts, and of acts that somebody changed: invariants 34 and 35 of release.md §9
// and attacks 4, 5, 9 and 10 of the threat model, over histories with every kind of act.
#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "agreement/random_case.h"
#include "agreement/reading_for_test.h"
#include "agreement/story_for_test.h"

namespace entente::agreement {
namespace {

using json::Node;
using ::testing::HasSubstr;
using testing::kDay;
using testing::key_node;
using testing::kHour;
using testing::kT0;
using testing::party_node;
using testing::sample;
using testing::sample_node;
using testing::Story;
using testing::texts;

Document rich() {
  Node n = sample_node({"AU", "IN", "JP"}, "group");
  n.set("accession", Node::object().set("open_to", texts({"invited"})).set("delay", "P1D"));
  n.set("declarations", Node::object().set("reservations", "narrowing_only"));
  n.find("scope")->set("pillars", Node(Node::List{Node::object().set("id", "ports")}));
  n.find("duration")->set("term", "P400D").set("provisional", true);
  n.find("duration")
      ->set("renewal", Node::object().set("mode", "tacit").set("period", "P50D").set("opt_out_notice", "P30D"));
  return sample(n);
}

Node project() {
  Node p = Node::object();
  p.set("project_id", "port-1").set("host", "LK").set("host_consent", "required");
  p.set("participants", texts({"IN", "JP", "LK"})).set("sectors", texts({"5g"}));
  p.set("object_types", texts({"indicator"})).set("tlp_floor", "amber").set("tlp_ceiling", "amber").set("art", "7");
  p.set("not_before", to_text(kT0)).set("not_after", to_text(kT0.plus_us(300 * kDay)));
  return p.set("parties", Node(Node::List{party_node("LK")}));
}

// One act of every kind that may come next, with the body that it takes.
struct Drawn {
  std::string kind, party;
  Node body = Node::object();
  std::vector<std::string> kids;  // empty: the quorum
};
Drawn draw(const Story& s, const std::string& request) {
  static const std::vector<std::string> kKinds = {"initial",
                                                  "sign",
                                                  "notify_completed",
                                                  "certify_start",
                                                  "suspend",
                                                  "resume",
                                                  "withdraw",
                                                  "no_renewal",
                                                  "end_by_consent",
                                                  "apply_provisionally",
                                                  "object",
                                                  "claim_breach",
                                                  "end_provisional",
                                                  "claim_mismatch",
                                                  "annex_notice",
                                                  "join_pillar",
                                                  "lead_pillar",
                                                  "leave_pillar",
                                                  "open_project",
                                                  "host_consent",
                                                  "close_project",
                                                  "join_project",
                                                  "request_accession",
                                                  "consent_accession",
                                                  "deposit_accession",
                                                  "abandon",
                                                  "something_else",
                                                  "suspend",
                                                  "resume",
                                                  "annex_notice"};
  Drawn d;
  d.kind = *rc::gen::elementOf(kKinds);
  d.party = *rc::gen::elementOf(std::vector<std::string>{"AU", "IN", "JP"});
  if (d.kind == "certify_start") d.body.set("start", to_text(kT0));
  if (d.kind == "apply_provisionally") d.body.set("flows", texts({"all"}));
  if (d.kind == "object") d.body.set("party", "US");
  if (d.kind == "suspend" && *rc::gen::arbitrary<bool>()) d.body.set("scope", Node::object().set("flow", "all"));
  if (d.kind.ends_with("_pillar")) d.body.set("pillar", "ports");
  if (d.kind == "open_project") d.body.set("project", project());
  if (d.kind == "close_project" || d.kind == "host_consent" || d.kind == "join_project")
    d.body.set("project", "port-1");
  if (d.kind == "join_project") d.body.set("party", party_node("VN")).set("role", "observer");
  if (d.kind == "host_consent") {
    d.party = "LK";
    d.body.set("sha256", sha256_hex(json::canonical(project())));
    d.kids = {"LK/authority/1"};
  }
  if (d.kind == "consent_accession" || d.kind == "deposit_accession") d.body.set("request", request);
  if (d.kind == "request_accession" || d.kind == "deposit_accession") {
    d.party = "US";
    d.kids = {"US/authority/1", "US/plenipotentiary/1"};
  }
  if (d.kind == "request_accession") d.body.set("party", party_node("US"));
  if (d.kind == "annex_notice") {
    if (*rc::gen::arbitrary<bool>()) {
      d.body.set("revoke", Node(Node::List{Node::object().set("kid", d.party + "/authority/2")}));
      d.kids = {d.party + "/authority/1"};
    } else {
      d.body.set("add", Node(Node::List{key_node(d.party + "/authority/3", "authority")}));
      d.kids = {d.party + "/authority/1", d.party + "/authority/2", d.party + "/authority/3"};
    }
  }
  static_cast<void>(s);
  return d;
}

// A history with amendments, newcomers, projects, revoked keys, forks and false signatures.
std::vector<SignedAct> history(const Document& doc, size_t most) {
  Story s(doc);
  if (*rc::gen::inRange(0, 5) != 0) s.begin();
  Time t = kT0;
  std::string request = sha256_hex("none");
  const auto n = *rc::gen::inRange<size_t>(1, most + 1);
  Document next = doc;
  for (size_t i = 0; i < n; ++i) {
    t = t.plus_us(*rc::gen::inRange<int64_t>(-3, 40) * kHour);
    if (*rc::gen::inRange(0, 12) == 0) {
      next = s.propose("IN", doc, t, [&](Node& x) { x.set("title", Node::object().set("en", to_text(t))); });
      continue;
    }
    const auto before = s.last;
    if (*rc::gen::inRange(0, 10) == 0) {
      const auto party = *rc::gen::elementOf(std::vector<std::string>{"AU", "IN", "JP"});
      s.act(party, *rc::gen::arbitrary<bool>() ? "amend" : "correct_error", t,
            Node::object().set("corrected", texts({"/title"})), {}, &next);
    } else {
      const Drawn d = draw(s, request);
      s.act(d.party, d.kind, t, d.body, d.kids);
      if (d.kind == "request_accession") request = s.last["US"];
    }
    if (*rc::gen::inRange(0, 25) == 0) s.last = before;  // the next act of this party forks its chain
    if (*rc::gen::inRange(0, 15) == 0 && !s.acts.back().sigs.empty()) s.acts.back().sigs.pop_back();
  }
  return s.acts;
}

std::string whole(const State& s) {
  std::string out(to_text(s.kind));
  const auto one = [&out](const std::string& x) { out += "|" + x; };
  for (const auto& [p, k] : s.by_party) one(fmt::format("{}={}", p, to_text(k)));
  for (const auto& [p, h] : s.last_act) one(p + "@" + h);
  // What is nobody's act may be kept by one and not by another: signed before a revocation that came later.
  for (const auto& r : s.refused)
    if (r.counts) one(fmt::format("-{}:{}", r.act_hash, r.why));
  for (const auto& w : s.waiting_for) one("?" + w);
  for (const auto& w : s.unsure) one("!" + w);
  for (const auto& f : s.suspended_flows) one("sf " + f);
  for (const auto& [a, b] : s.closed) one("closed " + a + b);
  for (const auto& [p, f] : s.provisional) one(fmt::format("prov {} {}", p, fmt::join(f, ",")));
  for (const auto& [p, f] : s.declared) one(fmt::format("decl {} {}", p, fmt::join(f, ",")));
  for (const auto& [p, h] : s.path) one(fmt::format("path {} {}", p, fmt::join(h, ",")));
  for (const auto& [id, p] : s.pillars) one(fmt::format("pillar {} {} {}", id, p.lead, fmt::join(p.participants, ",")));
  for (const auto& p : s.projects) one(fmt::format("project {} {} {}", p.id, p.stage, fmt::join(p.waiting_for, ",")));
  for (const auto& [p, t] : s.joined) one("joined " + p + to_text(t));
  if (s.start) one("start " + to_text(*s.start));
  if (s.end) one("end " + to_text(*s.end));
  if (s.document) {
    one(s.document->hash);
    for (const auto& p : s.document->parties)
      for (const auto& k : p.keys) one(k.kid + to_text(k.not_before) + to_text(k.not_after));
  }
  return out;
}

// A node as the exchange makes it: it takes acts one by one and keeps those that are their party's.
struct Replica {
  std::vector<SignedAct> kept;
  bool offer(const SignedAct& a) {
    const auto same = [&](const SignedAct& k) { return k.act.hash() == a.act.hash(); };
    if (std::any_of(kept.begin(), kept.end(), same) || !counts(a, kept, {})) return false;
    kept.push_back(a);
    return true;
  }
};

// What IN would give JP of some random objects under this state.
std::vector<std::string> given(const State& s, Time at, uint64_t seed) {
  testing::Case c = testing::random_case(seed);
  c.states = {s};
  c.clock_safe = true;
  c.at = at;
  c.keys[s.agreement_id] = std::string(32, 'K');
  std::vector<std::string> out;
  if (!s.document) return out;
  for (const Decision& d : c.decide_all())
    if (testing::goes(d))
      out.push_back(fmt::format("{} {} {}", d.object, d.agreement_version.str(), testing::bytes_of(c, d)));
  return out;
}

// Invariant 34: two nodes that hold the same acts, however they came, have the same state at every time; and neither
// trusts a pair that the other holds apart.
RC_GTEST_PROP(Replicas, TheSameActsInAnyOrderGiveTheSameState, ()) {
  static const Document doc = rich();
  const auto acts = history(doc, 7);
  Replica a, b;
  std::vector<size_t> order(acts.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto keys = *rc::gen::container<std::vector<uint32_t>>(acts.size(), rc::gen::arbitrary<uint32_t>());
  std::sort(order.begin(), order.end(),
            [&](size_t x, size_t y) { return std::tie(keys[x], x) < std::tie(keys[y], y); });
  // Partial delivery first, then all of it again until nothing moves: partners relay what they hold.
  const size_t some = *rc::gen::inRange<size_t>(0, acts.size() + 1);
  for (size_t i = 0; i < some; ++i) a.offer(acts[order[i]]);
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t i : order) moved |= a.offer(acts[i]);
  }
  for (bool moved = true; moved;) {
    moved = false;
    for (const auto& x : acts) moved |= b.offer(x);
  }
  const auto held = [](const Replica& r) {
    std::set<std::string> out;
    for (const auto& k : r.kept) out.insert(k.act.hash());
    for (const auto& x : fold(doc.agreement_id, r.kept, kT0).refused)
      if (!x.counts) out.erase(x.act_hash);
    return out;
  };
  RC_ASSERT(held(a) == held(b));
  const History left(doc.agreement_id, a.kept, {}), right(doc.agreement_id, b.kept, {});
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  for (const int64_t hours : {-1, 0, 5, 30, 24 * 20, 24 * 399, 24 * 460}) {
    const Time t = kT0.plus_us(hours * kHour);
    RC_ASSERT(whole(left.at(t)) == whole(right.at(t)));
    RC_ASSERT(given(left.at(t), t, seed) == given(right.at(t), t, seed));
    const auto p = left.projects_at(t), q = right.projects_at(t);
    RC_ASSERT(p.size() == q.size());
    for (size_t i = 0; i < p.size(); ++i) RC_ASSERT(whole(p[i]) == whole(q[i]));
  }
}

// A node that lacks acts is never wider by what it has of a party after a gap: whom it holds live, it holds without any
// act hanging in the air.
RC_GTEST_PROP(Replicas, AGapOrAForkIsNarrow, ()) {
  static const Document doc = rich();
  const auto acts = history(doc, 8);
  Replica a;
  for (const auto& x : acts)
    if (*rc::gen::inRange(0, 4) != 0) a.offer(x);
  const Time t = kT0.plus_us(5000 * kHour);
  const State s = fold(doc.agreement_id, a.kept, t);
  for (const auto& r : s.refused) {
    if (r.why.find("is missing or has no effect") == std::string::npos &&
        r.why.find("two acts after the same act") == std::string::npos)
      continue;
    const auto act =
        std::find_if(a.kept.begin(), a.kept.end(), [&](const SignedAct& k) { return k.act.hash() == r.act_hash; });
    RC_ASSERT(act != a.kept.end());
    for (auto other : {"AU", "IN", "JP"})
      if (doc.party(act->act.party) != nullptr) RC_ASSERT(!s.live(act->act.party, other));
  }
}

// Invariant 28 over every kind of act: what one party does alone opens nothing that was not open, to nobody.
RC_GTEST_PROP(Alone, OpensNothing, ()) {
  static const Document doc = rich();
  const auto lone = *rc::gen::elementOf(std::vector<std::string>{"AU", "IN", "JP"});
  const std::string other = lone == "JP" ? "IN" : "JP";
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  Story s(doc);
  if (*rc::gen::inRange(0, 4) != 0) s.begin();
  if (*rc::gen::arbitrary<bool>() && !s.acts.empty())
    s.act(other, "suspend", kT0.plus_us(kHour), Node::object(), {other + "/authority/1", other + "/authority/2"});
  Story more = s;
  Time t = kT0.plus_us(2 * kHour);
  const auto n = *rc::gen::inRange(1, 8);
  for (int i = 0; i < n; ++i) {
    t = t.plus_us(*rc::gen::inRange<int64_t>(0, 40) * kHour);
    const Drawn d = draw(more, sha256_hex("none"));
    if (d.party == lone) more.act(d.party, d.kind, t, d.body, d.kids);
  }
  for (const int64_t hours : {0, 1, 2, 60, 400, 24 * 410}) {
    const Time at = kT0.plus_us(hours * kHour);
    const State before = s.at(at), after = more.at(at);
    auto less = given(after, at, seed), all = given(before, at, seed);
    std::sort(less.begin(), less.end());
    std::sort(all.begin(), all.end());
    RC_ASSERT(std::includes(all.begin(), all.end(), less.begin(), less.end()));
    for (auto a : {"AU", "IN", "JP", "US", "LK", "VN"})
      for (auto b : {"AU", "IN", "JP", "US", "LK", "VN"}) {
        if (after.live(a, b)) RC_ASSERT(before.live(a, b));
        if (after.permits("all", a, b)) RC_ASSERT(before.permits("all", a, b));
      }
    for (const State& p : History(doc.agreement_id, more.acts, {}).projects_at(at)) RC_ASSERT(p.by_party.empty());
  }
}

// ---- attack 4: an act replayed, reordered, or taken to another agreement

std::vector<SignedAct> full_life(Story& s) {
  s.begin();
  int64_t h = 1;
  for (const char* p : {"AU", "IN", "JP"}) s.act(p, "notify_completed", kT0.plus_us(h++ * kHour));
  s.act("IN", "suspend", kT0.plus_us(h++ * kHour));
  s.act("IN", "resume", kT0.plus_us(h++ * kHour));
  s.act("JP", "join_pillar", kT0.plus_us(h++ * kHour), Node::object().set("pillar", "ports"));
  s.act("IN", "open_project", kT0.plus_us(h++ * kHour), Node::object().set("project", project()));
  s.act("US", "request_accession", kT0.plus_us(h++ * kHour), Node::object().set("party", party_node("US")),
        {"US/authority/1"});
  const Node request = Node::object().set("request", s.last["US"]);
  s.act("AU", "consent_accession", kT0.plus_us(h++ * kHour), request);
  s.act("JP", "annex_notice", kT0.plus_us(h++ * kHour),
        Node::object().set("revoke", Node(Node::List{Node::object().set("kid", "JP/authority/2")})));
  s.act("JP", "withdraw", kT0.plus_us(h++ * kHour));
  return s.acts;
}

TEST(CrossReplay, EverySignedFieldIsBound) {
  Story s(rich());
  const auto acts = full_life(s);
  Node other_text = s.doc.node;
  other_text.set("agreement_id", "urn:uuid:00000000-0000-5000-8000-0000000000ff");
  Story other(sample(other_text));
  const auto theirs = full_life(other);
  const Time t = kT0.plus_us(200 * kHour);
  const std::string before = whole(other.at(t)), own = whole(s.at(t));
  std::set<std::string> real;  // what was truly signed: an act forged to be one of these is that act
  for (const auto* list : {&acts, &theirs})
    for (const auto& a : *list) real.insert(a.act.hash());
  size_t tried = 0;
  for (const auto& a : acts) {
    // As it is: of another agreement.
    auto all = theirs;
    all.push_back(a);
    EXPECT_EQ(whole(fold(other.doc.agreement_id, all, t)), before) << a.act.kind;
    EXPECT_TRUE(fold("urn:uuid:00000000-0000-5000-8000-00000000abcd", acts, t).by_party.empty());
    // With each signed field taken from another act, under the same signatures.
    for (size_t i = a.act.hash()[0] % 3; i < theirs.size(); i += 3) {
      const SignedAct& b = theirs[i];
      const std::vector<std::function<void(Act&)>> swaps = {
          [&](Act& x) { x.agreement_id = b.act.agreement_id, x.text_version = b.act.text_version; },
          [&](Act& x) {
            x.agreement_id = b.act.agreement_id, x.text_version = b.act.text_version, x.prev_act = b.act.prev_act;
          }};
      for (const auto& swap : swaps) {
        SignedAct forged = a;
        swap(forged.act);
        if (real.contains(forged.act.hash())) continue;
        EXPECT_FALSE(counts(forged, theirs, {})) << a.act.kind << " as " << b.act.kind;
        ++tried;
      }
    }
    for (size_t i = a.act.hash()[1] % 3; i < acts.size(); i += 3) {
      const SignedAct& b = acts[i];
      const std::vector<std::function<void(Act&)>> swaps = {
          [&](Act& x) { x.kind = b.act.kind; }, [&](Act& x) { x.party = b.act.party; },
          [&](Act& x) { x.prev_act = b.act.prev_act; }, [&](Act& x) { x.effective_at = b.act.effective_at; },
          [&](Act& x) { x.body = b.act.body; }};
      for (const auto& swap : swaps) {
        SignedAct forged = a;
        swap(forged.act);
        if (real.contains(forged.act.hash())) continue;
        EXPECT_FALSE(counts(forged, acts, {})) << a.act.kind << " with a field of " << b.act.kind;
        ++tried;
      }
    }
  }
  EXPECT_GT(tried, 300u);
  // Replays of what is known change nothing.
  auto twice = acts;
  twice.insert(twice.end(), acts.begin(), acts.end());
  EXPECT_EQ(whole(fold(s.doc.agreement_id, twice, t)), own);
}

TEST(CrossReplay, WrongRolesStrangersAndOnePersonAreNobodysAct) {
  Story s(rich());
  full_life(s);
  const std::vector<std::vector<std::string>> quorums = {{"IN/node/1", "IN/log/1"},
                                                         {"IN/witness/1"},
                                                         {"JP/authority/1", "JP/authority/2"},
                                                         {"IN/authority/1", "JP/authority/1"},
                                                         {"IN/authority/1", "IN/authority/1"},
                                                         {"US/authority/1", "US/authority/2"},
                                                         {"IN/authority/1", "AU/authority/2"}};
  for (const auto& kids : quorums) {
    Act a{"resume", s.doc.agreement_id, s.doc.hash, s.last["IN"], "IN", kT0.plus_us(100 * kHour), Node::object()};
    SignedAct x{a, {}};
    for (const auto& kid : kids) testing::Signer::sign(x, kid);
    EXPECT_FALSE(counts(x, s.acts, {})) << fmt::format("{}", fmt::join(kids, " "));
    const auto no = admissible(x, s.acts, kT0.plus_us(100 * kHour));
    ASSERT_FALSE(no.ok());
    EXPECT_THAT(no.error().text(), HasSubstr("missing authority"));
  }
  // JP revoked its second authority key: what it signs from then on, with whatever date, is nobody's.
  for (const int64_t hours : {1, 100}) {
    Act a{"resume", s.doc.agreement_id, s.doc.hash, s.last["JP"], "JP", kT0.plus_us(hours * kHour), Node::object()};
    SignedAct x{a, {}};
    for (auto kid : {"JP/authority/1", "JP/authority/2"}) testing::Signer::sign(x, kid);
    EXPECT_FALSE(counts(x, s.acts, {}));
  }
}

// Attack 9: one person holds both keys, and says so; and who holds keys of two roles takes one seat.
TEST(Custodians, OnePersonTakesOneSeat) {
  Node n = sample_node();
  for (Node& p : n.find("parties")->list())
    for (Node& k : p.find("keys")->list())
      if (const auto role = k.string_at("role"); role == "authority" || role == "plenipotentiary")
        k.set("custodian", sha256_hex("salt of " + std::string(p.string_at("party")) + " same person"));
  Story s(sample(n));
  s.begin();
  EXPECT_EQ(s.at(kT0).kind, StateKind::kFinalised) << "no signature of plenipotentiary and authority counts";
  for (const auto& r : s.at(kT0).refused) EXPECT_THAT(r.why, HasSubstr("missing")) << r.kind;
}

// ---- attack 5 and the human eye: documents that say one thing and show another

TEST(DocumentInput, DuplicateNamesUnknownFieldsAndLookAlikesAreRefused) {
  const std::string good = json::write(sample_node());
  ASSERT_TRUE(parse_document(good).ok());
  auto refused = [](const std::string& text, const char* why) {
    std::vector<Problem> problems;
    const auto doc = parse_document(text, &problems);
    ASSERT_FALSE(doc.ok()) << why;
    ASSERT_FALSE(problems.empty());
    std::string all;
    for (const auto& p : problems) all += p.pointer + ": " + p.message + "\n";
    EXPECT_THAT(all, HasSubstr(why));
  };
  std::string twice = good;
  twice.insert(1, R"("version":2,)");
  refused(twice, "version");
  for (const char* escaped : {R"("v\u0065rsion":1,)", R"("\u0076ersion":1,)"}) {
    std::string text = good;
    text.insert(1, escaped);
    refused(text, "version");
  }
  Node unknown = sample_node();
  unknown.set("surprise", 1);
  refused(json::write(unknown), "/surprise");
  unknown = sample_node();
  unknown.find("flows")->list()[0].set("also_to", texts({"CN"}));
  refused(json::write(unknown), "also_to");
  for (const char* code : {"\u0406N", "I\u039d", "in", "\uff29\uff2e", "IN ", "I\u200bN"}) {
    Node n = sample_node();
    n.find("parties")->list()[0].set("party", code);
    refused(json::write(n), "two capital letters");
  }
  auto named = [](const char* in, const char* jp) {
    Node n = sample_node();
    n.find("parties")->list()[0].set("name", Node::object().set("en", in));
    n.find("parties")->list()[1].set("name", Node::object().set("en", jp));
    return json::write(n);
  };
  refused(named("India", "J\u0430pan"), "look alike");
  refused(named("Japan", "J A P A N"), "look the same");
  refused(named("Cope", "\u0421\u043e\u0440\u0435"), "look the same");
  refused(named("India", "Japan\u202e"), "nobody sees");
  refused(named("India", "Ja\u200dpan"), "nobody sees");
  EXPECT_TRUE(parse_document(named("\u092d\u093e\u0930\u0924 \u0915\u094d\u200d\u0937", "\u65e5\u672c\u56fd")).ok());
  EXPECT_TRUE(
      parse_document(named("\u0420\u043e\u0441\u0441\u0438\u044f", "\u0395\u03bb\u03bb\u03ac\u03b4\u03b1")).ok());
}

}  // namespace
}  // namespace entente::agreement
