// The invariants of release.md §9 that one decision can show, over random cases, and examples by rule. Each property is
// checked by means of its own: what it looks at is read from the JSON with json:: alone, never through the functions
// that decide.
#include "agreement/decide.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreement/random_case.h"
#include "agreement/testing.h"
#include "stix/validate.h"

namespace entente::agreement {
namespace {

using json::Node;
using testing::Case;
using testing::CaseObject;
using testing::random_case;
using testing::Rng;

uint64_t cases() {
  const char* n = std::getenv("ENTENTE_CASES");
  return n != nullptr ? std::strtoull(n, nullptr, 10) : 150;
}
void for_cases(const std::function<void(Case&, Rng&)>& fn) {
  for (uint64_t seed = 1; seed <= cases() && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Case c = random_case(seed);
    Rng r(seed ^ 0x5eed);
    fn(c, r);
  }
}

bool goes(const Decision& d) { return d.verdict == Verdict::kReleased || d.verdict == Verdict::kRedacted; }
bool has_code(const Decision& d, std::string_view code) {
  return std::any_of(d.reasons.begin(), d.reasons.end(), [code](const Reason& r) { return r.code == code; });
}
std::string bytes_of(const Case& c, const Decision& d) {
  return d.verdict == Verdict::kRedacted ? d.bytes : c.objects[d.object].raw;
}
Node parsed(std::string_view text) {
  auto doc = json::parse(text);
  EXPECT_TRUE(doc.ok()) << text;
  return doc.ok() ? Node::from(doc->root()) : Node::object();
}
std::string lower(std::string t) {
  for (char& ch : t)
    if (ch >= 'A' && ch <= 'Z') ch = static_cast<char>(ch + 32);
  return t;
}
std::string text_of(const Node& n, std::string_view name) { return std::string(n.string_at(name)); }
bool lists(const std::vector<std::string>& list, std::string_view x) {
  return std::any_of(list.begin(), list.end(), [x](const std::string& e) { return e == "*" || e == x; });
}

// TLP by the ids in the specification, written out once more.
std::optional<int> rank_of(const std::string& marking) {
  static const std::map<std::string, int> kRanks = {{"94868c89", 0}, {"613f2e26", 0}, {"bab4a63c", 1},
                                                    {"34098fce", 1}, {"55d920b0", 2}, {"f88d31f6", 2},
                                                    {"939a9414", 3}, {"e828b379", 4}, {"5e57c739", 4}};
  auto it = kRanks.find(marking.substr(std::string("marking-definition--").size(), 8));
  return it == kRanks.end() ? std::nullopt : std::optional(it->second);
}
std::vector<std::string> marks_of(const Node& o) {
  std::vector<std::string> out;
  if (const Node* m = o.find("object_marking_refs"))
    for (const Node& x : m->list()) out.push_back(x.string());
  if (const Node* g = o.find("granular_markings"))
    for (const Node& x : g->list())
      if (!x.string_at("marking_ref").empty()) out.emplace_back(x.string_at("marking_ref"));
  return out;
}
int strictest(const Node& o) {
  int out = 0;
  for (const auto& m : marks_of(o)) out = std::max(out, rank_of(m).value_or(0));
  return out;
}
const State* state_of(const Case& c, const std::string& agreement) {
  for (const State& s : c.states)
    if (s.agreement_id == agreement) return &s;
  return nullptr;
}
const Flow* flow_of(const State& s, const std::string& id) {
  for (const Flow& f : s.document->flows)
    if (f.id == id) return &f;
  return nullptr;
}
// Every id that stands in a place for references.
void references(const Node& n, std::vector<std::string>& out) {
  if (n.is_array())
    for (const Node& x : n.list()) references(x, out);
  if (!n.is_object()) return;
  for (const auto& [name, value] : n.members()) {
    if (name.ends_with("_ref") && value.is_string())
      out.push_back(value.string());
    else if (name.ends_with("_refs") && value.is_array())
      for (const Node& x : value.list())
        if (x.is_string()) out.push_back(x.string());
    references(value, out);
  }
}

bool labelled(const CaseObject& o, const std::string& project) {
  const Node* labels = o.node.find("labels");
  return labels != nullptr && std::any_of(labels->list().begin(), labels->list().end(),
                                          [&](const Node& l) { return l.string() == "entente-project:" + project; });
}

// The three policies that are understood: PAP, IEP 2.0, ACS 3.0.
bool known_extension(std::string_view id) {
  return id == "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b" ||
         id == "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a" ||
         id == "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce";
}

TEST(Invariants, SafetyOfEveryReleasedObject) {  // 1 2 3 4 5 7 8 12 13 14 32
  size_t released = 0;
  for_cases([&](Case& c, Rng&) {
    const auto decisions = c.decide_all();
    ASSERT_EQ(decisions.size(), c.objects.size());
    std::set<std::string> marking_ids;
    for (const Decision& d : decisions)
      if (d.verdict == Verdict::kReleased || d.verdict == Verdict::kKnown) marking_ids.insert(d.id);
    for (const Decision& d : decisions) {
      const CaseObject& o = c.objects[d.object];
      SCOPED_TRACE(o.raw);
      if (d.verdict == Verdict::kWithheld) {
        EXPECT_FALSE(d.reasons.empty()) << "32";
        EXPECT_TRUE(d.bytes.empty());
        for (const Reason& r : d.reasons) {
          if (r.article.empty()) continue;
          const State* s = state_of(c, r.agreement);
          ASSERT_NE(s, nullptr) << "32";
          EXPECT_TRUE(s->document->articles.contains(r.article.substr(0, r.article.find('(')))) << "32";
        }
      }
      if (!goes(d)) continue;
      ++released;
      const Node out = parsed(bytes_of(c, d));
      const State* s = state_of(c, d.agreement);
      ASSERT_NE(s, nullptr);
      EXPECT_TRUE(s->live("IN", "JP")) << "2";
      const Flow* flow = flow_of(*s, d.flow);
      ASSERT_TRUE(flow != nullptr && flow->permit) << "2";
      EXPECT_EQ(s->document->articles.at(d.article.substr(0, d.article.find('('))), "enforced") << "2";
      EXPECT_TRUE(lists(flow->object_types, text_of(o.node, "type"))) << "2";
      EXPECT_LE(strictest(out), static_cast<int>(flow->ceiling)) << "1";
      EXPECT_LT(strictest(out), 4) << "1: TLP:RED";
      EXPECT_LE(static_cast<int>(o.inherited), static_cast<int>(flow->ceiling)) << "1";
      if (text_of(o.node, "type") != "marking-definition") {
        EXPECT_EQ(labelled(o, s->project), !s->project.empty()) << "29";
        const bool is_public =
            o.node.string_at("id") == c.my_identity ||
            std::find(c.public_ids.begin(), c.public_ids.end(), o.node.string_at("id")) != c.public_ids.end();
        if (auto joined = s->joined.find("JP"); joined != s->joined.end() && !is_public) {
          EXPECT_GE(o.committed, joined->second) << "30: no back access";
        }
      }
      EXPECT_GE(static_cast<int>(d.told_tlp), strictest(out)) << "8";
      EXPECT_GE(d.told_tlp, flow->floor) << "8";
      EXPECT_GE(d.told_tlp, o.inherited) << "8";
      std::vector<std::string> sectors;
      if (const Node* list = o.node.find("sectors"))
        for (const Node& x : list->list()) sectors.push_back(x.string());
      for (const State& other : c.states)
        for (const Flow& f : other.document->flows) {
          if (f.permit || !other.bound("IN", "JP") || !lists(f.from, "IN") || !lists(f.to, "JP")) continue;
          if (!other.project.empty() && !labelled(o, other.project)) continue;
          const bool sector = sectors.empty() || std::any_of(sectors.begin(), sectors.end(),
                                                             [&f](auto& x) { return lists(f.sectors, x); });
          EXPECT_FALSE(lists(f.object_types, text_of(o.node, "type")) && sector) << "3";
        }
      for (const Hold& h : c.holds)
        if (h.object_id == text_of(o.node, "id")) {
          EXPECT_TRUE(h.not_before && c.at >= *h.not_before) << "4";
        }
      EXPECT_TRUE(o.verified) << "4";
      if (o.originator == "US") {
        const bool consent = std::any_of(c.consents.begin(), c.consents.end(), [&](const Consent& k) {
          return k.object_id == text_of(o.node, "id") && k.recipient == "JP" && k.valid_from <= c.at &&
                 c.at < k.valid_until;
        });
        EXPECT_TRUE(consent) << "5";
      }
      for (const auto& m : marks_of(out)) {
        if (rank_of(m)) continue;
        EXPECT_TRUE(marking_ids.contains(m)) << "7, 13: " << m;
        for (const CaseObject& def : c.objects)
          if (text_of(def.node, "id") == m) {
            const Node* extensions = def.node.find("extensions");
            EXPECT_TRUE(extensions == nullptr ? text_of(def.node, "definition_type") == "statement"
                                              : known_extension(extensions->members().front().first))
                << "7";
          }
      }
      EXPECT_EQ(d.id, text_of(out, "id"));
      EXPECT_EQ(d.id == text_of(o.node, "id"), d.verdict == Verdict::kReleased) << "14";
      if (d.verdict == Verdict::kReleased)
        EXPECT_TRUE(d.bytes.empty()) << "14";
      else
        EXPECT_FALSE(out == o.node) << "14";
      for (const auto& [name, value] : out.members())
        EXPECT_FALSE(value.is_array() && value.list().empty()) << "12: " << name;
      // 12: what was valid stays valid.
      std::vector<stix::Finding> findings;
      auto before = json::parse(o.raw);
      auto after = json::parse(bytes_of(c, d));
      if (stix::validate(before->root(), {false, false}, findings)) {
        findings.clear();
        EXPECT_TRUE(stix::validate(after->root(), {false, false}, findings))
            << "12: " << (findings.empty() ? "" : findings[0].message) << bytes_of(c, d);
      }
    }
  });
  EXPECT_GT(released, cases() / 2) << "the cases release too little to prove anything";
}

TEST(Invariants, WithheldIdsAndStrippedNamesOccurNowhere) {  // 9 10
  for_cases([](Case& c, Rng&) {
    const auto decisions = c.decide_all();
    std::string all;
    for (const Decision& d : decisions)
      if (goes(d)) all += lower(bytes_of(c, d)) + "\n";
    std::set<std::string> open;
    for (const Decision& d : decisions)
      if (d.verdict != Verdict::kWithheld) open.insert(text_of(c.objects[d.object].node, "id"));
    open.insert(c.my_identity);
    for (const auto& id : c.public_ids) open.insert(id);
    for (const Decision& d : decisions) {
      const Node& o = c.objects[d.object].node;
      const std::string id = text_of(o, "id");
      if (d.verdict == Verdict::kWithheld && !open.contains(id)) {
        EXPECT_EQ(all.find(id), std::string::npos) << "10: " << id;
      }
      if (d.verdict == Verdict::kRedacted && !open.contains(id)) {
        EXPECT_EQ(all.find(id), std::string::npos) << "the old id: " << id;
      }
      if (goes(d) && has_code(d, "VICTIM_STRIPPED")) {
        for (auto name : {"name", "contact_information"}) {
          const std::string value = text_of(o, name);
          if (value.empty()) continue;
          EXPECT_EQ(all.find(lower(value)), std::string::npos) << "9: " << value;
          EXPECT_EQ(all.find(lower(base64(value)).substr(0, value.size())), std::string::npos) << "9: " << value;
        }
      }
    }
  });
}

TEST(Invariants, EveryReferenceResolves) {  // 11
  for_cases([](Case& c, Rng&) {
    const auto decisions = c.decide_all();
    std::set<std::string> there(c.public_ids.begin(), c.public_ids.end());
    there.insert(c.my_identity);
    for (const Decision& d : decisions)
      if (d.verdict != Verdict::kWithheld) there.insert(d.id);
    for (const Decision& d : decisions) {
      if (!goes(d)) continue;
      std::vector<std::string> ids;
      references(parsed(bytes_of(c, d)), ids);
      for (const auto& id : ids)
        EXPECT_TRUE(there.contains(id) || (id.starts_with("marking-definition--") && rank_of(id)))
            << id << " in " << bytes_of(c, d);
    }
  });
}

// 15 to 19: what was given after is a part of what was given before. Allowed is only what the note on 18 allows: a text
// that mentioned something stripped or withheld, and what hung on it, when another instrument has come to govern.
void expect_narrower(const std::vector<Decision>& before, const std::vector<Decision>& after) {
  bool governing_changed = false;
  for (size_t i = 0; i < before.size(); ++i)
    if (goes(before[i]) && (!goes(after[i]) || before[i].agreement != after[i].agreement)) governing_changed = true;
  for (size_t i = 0; i < before.size(); ++i) {
    if (!goes(after[i]) || goes(before[i])) continue;
    const bool by_text = std::any_of(before[i].reasons.begin(), before[i].reasons.end(), [](const Reason& r) {
      return r.code == "TEXT_MENTIONS_WITHHELD" || r.code == "REF_ENDPOINT_WITHHELD" || r.code == "EMPTY_CONTAINER";
    });
    EXPECT_TRUE(governing_changed && by_text)
        << "object " << i
        << " is given after narrowing; before: " << (before[i].reasons.empty() ? "" : before[i].reasons[0].code);
  }
}

TEST(Invariants, TighterMarksNeverEnlarge) {  // 15
  for_cases([](Case& c, Rng& r) {
    const auto before = c.decide_all();
    CaseObject& o = c.objects[r.below(c.objects.size())];
    if (o.node.find("object_marking_refs") == nullptr) o.node.set("object_marking_refs", Node::array());
    const std::string mark = r.chance(50) ? std::string(stix::tlp_id(r.chance(50) ? Tlp::kRed : Tlp::kAmberStrict))
                                          : "marking-definition--11111111-2222-4333-8444-555555555555";
    // An object without any TLP mark takes the value of the flow; a mark looser than that is no tightening.
    o.node.find("object_marking_refs")->push(Node(mark));
    o.raw = json::write(o.node);
    const auto after = c.decide_all();
    if (mark == stix::tlp_id(Tlp::kAmberStrict) && strictest(o.node) <= 3 && marks_of(o.node).size() == 1) return;
    expect_narrower(before, after);
  });
}

TEST(Invariants, HoldsAndMissingConsentsNeverEnlarge) {  // 16
  for_cases([](Case& c, Rng& r) {
    const auto before = c.decide_all();
    Case held = c;
    held.holds.push_back({text_of(r.of(c.objects).node, "id"), "NATIONAL_HOLD", std::nullopt});
    expect_narrower(before, held.decide_all());
    if (c.consents.empty()) return;
    Case silent = c;
    silent.consents.erase(silent.consents.begin() + static_cast<std::ptrdiff_t>(r.below(c.consents.size())));
    expect_narrower(before, silent.decide_all());
  });
}

TEST(Invariants, SuspensionNeverEnlarges) {  // 17
  for_cases([](Case& c, Rng& r) {
    const auto before = c.decide_all();
    State& s = c.states[r.below(c.states.size())];
    for (auto party : {"IN", "JP"})
      if (s.by_party[party] == StateKind::kInForce && r.chance(70)) s.by_party[party] = StateKind::kSuspended;
    expect_narrower(before, c.decide_all());
  });
}

TEST(Invariants, ForbidsNarrowAndPermitsWiden) {  // 18
  for_cases([](Case& c, Rng& r) {
    // A node without the key of an agreement cannot rename under it: no matter of permits.
    for (const State& s : c.states) c.keys.try_emplace(s.agreement_id, std::string(32, 'K'));
    const auto before = c.decide_all();
    State& s = c.states[r.below(c.states.size())];
    Flow f = s.document->flows[0];
    f.id = "zz";
    f.from = f.to = f.sectors = {"*"};
    f.object_types = {text_of(r.of(c.objects).node, "type")};
    f.permit = r.chance(50);
    f.ceiling = Tlp::kAmberStrict;
    f.unmarked = Tlp::kAmber;
    s.document->flows.push_back(f);
    const auto after = c.decide_all();
    if (!f.permit)
      expect_narrower(before, after);
    else
      expect_narrower(after, before);
  });
}

TEST(Invariants, SmallerFlowsNeverEnlarge) {  // 19
  for_cases([](Case& c, Rng& r) {
    const auto before = c.decide_all();
    State& s = c.states[r.below(c.states.size())];
    for (Flow& f : s.document->flows) {
      if (!f.permit) continue;
      switch (r.below(4)) {
        case 0:
          if (f.ceiling > f.floor) f.ceiling = static_cast<Tlp>(static_cast<int>(f.ceiling) - 1);
          break;
        case 1:
          if (!f.object_types.empty()) f.object_types.pop_back();
          break;
        case 2:
          f.sectors = {"5g"};
          break;
        default:
          f.to = {"US"};
      }
    }
    expect_narrower(before, c.decide_all());
  });
}

std::string essence(const Case& c, const Decision& d) {
  std::set<std::string> codes;
  for (const Reason& r : d.reasons) codes.insert(std::string(r.code) + "/" + r.agreement + "/" + r.article);
  return fmt::format("{} {} {} {} {} {} {} {}", static_cast<int>(d.verdict), d.id,
                     d.verdict == Verdict::kRedacted ? d.bytes : "", d.agreement, d.flow, static_cast<int>(d.told_tlp),
                     static_cast<int>(d.told_pap), fmt::join(codes, ",")) +
         (d.verdict == Verdict::kReleased ? c.objects[d.object].raw : "");
}

TEST(Invariants, OrderOfAnythingDoesNotMatter) {  // 22 23
  for_cases([](Case& c, Rng& r) {
    std::multiset<std::string> before, after;
    for (const Decision& d : c.decide_all()) before.insert(essence(c, d));
    Case p = c;
    auto shuffle = [&r](auto& list) {
      for (size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[r.below(i)]);
    };
    shuffle(p.objects);
    shuffle(p.states);
    shuffle(p.consents);
    shuffle(p.holds);
    shuffle(p.public_ids);
    for (const Decision& d : p.decide_all()) after.insert(essence(p, d));
    EXPECT_EQ(before, after);
  });
}

TEST(Invariants, OrderOfPropertiesChangesNoVerdict) {  // 22
  for_cases([](Case& c, Rng& r) {
    const auto before = c.decide_all();
    for (CaseObject& o : c.objects) {
      auto& members = o.node.members();
      for (size_t i = members.size(); i > 1; --i) std::swap(members[i - 1], members[r.below(i)]);
    }
    c.write_raw();
    const auto after = c.decide_all();
    for (size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(before[i].verdict, after[i].verdict);
      EXPECT_EQ(before[i].id, after[i].id);
      if (before[i].verdict == Verdict::kRedacted) {
        EXPECT_EQ(json::canonical(before[i].bytes).value(), json::canonical(after[i].bytes).value());
      }
    }
  });
}

// 24: the content of what is withheld cannot be seen. Changed is what says nothing of other objects.
TEST(Invariants, ContentOfWithheldObjectsDoesNotShow) {
  for_cases([](Case& c, Rng& r) {
    const auto before = c.decide_all();
    bool any = false;
    for (const Decision& d : before) {
      if (d.verdict != Verdict::kWithheld) continue;
      Node& o = c.objects[d.object].node;
      if (o.find("description") == nullptr) continue;
      o.set("description", "Entirely other words " + std::to_string(r.next()));
      any = true;
    }
    if (!any) return;
    // A description may itself have been the reason (a mention); those objects may now be given.
    c.write_raw();
    const auto after = c.decide_all();
    std::set<size_t> excused;
    for (size_t i = 0; i < before.size(); ++i)
      if (goes(before[i]) != goes(after[i])) excused.insert(i);
    for (size_t i : excused) EXPECT_FALSE(goes(before[i])) << i;
    if (!excused.empty()) return;
    for (size_t i = 0; i < before.size(); ++i)
      if (goes(before[i])) {
        EXPECT_EQ(essence(c, before[i]), essence(c, after[i]));
      }
  });
}

// 20: an object that nothing speaks of can be left out.
TEST(Invariants, RemovingWhatNothingRefersTo) {
  for_cases([](Case& c, Rng& r) {
    const size_t which = r.below(c.objects.size());
    const Node& o = c.objects[which].node;
    const std::string type = text_of(o, "type");
    if (type == "relationship" || type == "sighting") return;  // they can make a victim
    std::string others;
    for (size_t i = 0; i < c.objects.size(); ++i)
      if (i != which) others += lower(c.objects[i].raw);
    if (others.find(text_of(o, "id")) != std::string::npos || others.find("c2v") != std::string::npos) return;
    for (auto name : {"name", "value", "account_login", "contact_information"})
      if (!text_of(o, name).empty() && others.find(lower(text_of(o, name))) != std::string::npos) return;
    if (others.find("[.]") != std::string::npos) return;
    const auto before = c.decide_all();
    Case less = c;
    less.objects.erase(less.objects.begin() + static_cast<std::ptrdiff_t>(which));
    const auto after = less.decide_all();
    for (size_t i = 0, k = 0; i < before.size(); ++i) {
      if (i == which) continue;
      EXPECT_EQ(essence(c, before[i]), essence(less, after[k])) << i;
      ++k;
    }
  });
}

TEST(Invariants, DecidingOnTheOutputAgainChangesNothing) {  // 26
  size_t compared = 0;
  for_cases([&](Case& c, Rng&) {
    for (CaseObject& o : c.objects) o.known = false;
    c.keys.clear();
    for (const State& s : c.states) c.keys[s.agreement_id] = std::string(32, 'K');
    const auto first = c.decide_all();
    Case again = c;
    again.objects.clear();
    again.holds.clear();
    for (const Decision& d : first) {
      if (!goes(d)) continue;
      CaseObject o;
      o.raw = bytes_of(c, d);
      o.node = parsed(o.raw);
      o.originator = "IN";
      o.committed = c.at;
      again.objects.push_back(std::move(o));
    }
    for (const Decision& d : again.decide_all()) {
      ++compared;
      EXPECT_EQ(d.verdict, Verdict::kReleased)
          << again.objects[d.object].raw << (d.reasons.empty() ? "" : d.reasons[0].code) << d.bytes;
    }
  });
  EXPECT_GT(compared, cases() / 4);
}

TEST(Invariants, NothingBeforeForceOrAfterTheEnd) {  // 21 27
  for_cases([](Case& c, Rng& r) {
    for (State& s : c.states) {
      if (r.chance(50)) {
        for (auto party : {"IN", "JP"})
          s.by_party[party] =
              r.of<StateKind>({StateKind::kSigned, StateKind::kDraft, StateKind::kExpired, StateKind::kTerminated});
      } else {
        s.start = c.at.plus_us(-10);
        s.end = c.at;  // at exactly the end it is empty
      }
    }
    for (const Decision& d : c.decide_all()) EXPECT_FALSE(goes(d));
  });
}

TEST(Invariants, UnsafeClockWithholdsEverything) {
  for_cases([](Case& c, Rng&) {
    c.clock_safe = false;
    for (const Decision& d : c.decide_all())
      if (d.verdict != Verdict::kKnown) {
        EXPECT_TRUE(has_code(d, "CLOCK_UNSAFE"));
      }
  });
}

// ---- examples

struct One {
  Node doc = testing::sample_node();
  Case c;
  One() {
    c.my_identity = "identity--00000000-0000-4000-8000-00000000000a";
    c.keys["urn:uuid:00000000-0000-5000-8000-000000000001"] = std::string(32, 'k');
  }
  CaseObject& add(std::string_view json_text, const std::string& originator = "IN") {
    CaseObject o;
    o.raw = std::string(json_text);
    o.originator = originator;
    o.node = parsed(json_text);
    c.objects.push_back(std::move(o));
    return c.objects.back();
  }
  std::vector<Decision> decide_all() {
    c.states = {testing::in_force(testing::sample(doc))};
    return c.decide_all();
  }
};

std::string sdo(const std::string& type, int n, const std::string& more) {
  return fmt::format(
      R"({{"type":"{0}","spec_version":"2.1","id":"{0}--00000000-0000-4000-8000-{1:012}","created":"2027-01-01T00:00:00.000Z","modified":"2027-01-01T00:00:00.000Z"{2}}})",
      type, n, more.empty() ? "" : "," + more);
}
std::string id_of(const std::string& type, int n) { return fmt::format("{}--00000000-0000-4000-8000-{:012}", type, n); }
std::string marked(Tlp t) { return fmt::format(R"("object_marking_refs":["{}"])", stix::tlp_id(t)); }

TEST(Decide, VictimByTargetsIsGeneralisedAndNamedNowhere) {
  One one;
  one.doc.set("protection", testing::protection_nodes());
  one.add(sdo(
      "identity", 1,
      R"("name":"Zephyrine Bank","identity_class":"organization","sectors":["5g"],"contact_information":"help@bank.example")"));
  one.add(sdo("malware", 2, R"("name":"m","is_family":false)"));
  one.add(sdo("relationship", 3,
              R"("relationship_type":"targets","source_ref":")" + id_of("malware", 2) + R"(","target_ref":")" +
                  id_of("identity", 1) + "\""));
  one.add(sdo("note", 4, R"("content":"hits ZEPHYRINE BANK","object_refs":[")" + id_of("malware", 2) + R"("])"));
  one.add(sdo("note", 5, R"("content":"hits nobody","object_refs":[")" + id_of("identity", 1) + R"("])"));
  const auto d = one.decide_all();
  ASSERT_EQ(d[0].verdict, Verdict::kRedacted);
  EXPECT_TRUE(has_code(d[0], "VICTIM_STRIPPED"));
  const Node out = parsed(d[0].bytes);
  EXPECT_EQ(out.string_at("identity_class"), "organization");
  EXPECT_EQ(out.find("contact_information"), nullptr);
  EXPECT_EQ(out.string_at("created_by_ref"), one.c.my_identity);
  EXPECT_EQ(d[1].verdict, Verdict::kReleased);
  EXPECT_EQ(d[2].verdict, Verdict::kRedacted);
  EXPECT_EQ(parsed(d[2].bytes).string_at("target_ref"), d[0].id);
  EXPECT_EQ(d[3].verdict, Verdict::kWithheld);
  EXPECT_TRUE(has_code(d[3], "TEXT_MENTIONS_WITHHELD"));
  EXPECT_EQ(d[4].verdict, Verdict::kRedacted);
}

class Disguise : public ::testing::TestWithParam<std::string> {};
TEST_P(Disguise, IsSeenThrough) {
  One one;
  one.add(
      R"({"type":"domain-name","id":"domain-name--00000000-0000-4000-8000-000000000001","value":"secret-host.example","object_marking_refs":[")" +
      std::string(stix::tlp_id(Tlp::kRed)) + R"("]})");
  one.add(
      R"({"type":"domain-name","id":"domain-name--00000000-0000-4000-8000-000000000002","value":"bücher-laden.example","object_marking_refs":[")" +
      std::string(stix::tlp_id(Tlp::kRed)) + R"("]})");
  one.add(sdo(
      "indicator", 3,
      R"("pattern_type":"stix","valid_from":"2027-01-01T00:00:00Z","pattern":"[a:b = 'x)" + GetParam() + R"(y']")"));
  const auto d = one.decide_all();
  EXPECT_EQ(d[0].verdict, Verdict::kWithheld);
  EXPECT_TRUE(has_code(d[2], "TEXT_MENTIONS_WITHHELD"));
}
INSTANTIATE_TEST_SUITE_P(All, Disguise,
                         ::testing::Values(" secret-host.example ", " SECRET-Host.Example ", " secret-host[.]example ",
                                           " hxxp://secret-host(dot)example/ ", " \\u0073ecret-host.exampl\\u0065 ",
                                           " " + base64("secret-host.example") + " ",
                                           " " + base64("a secret-host.example b") + " ",
                                           base64url("\xff\xfe>secret-host.example"), " secret%2Dhost%2Eexample ",
                                           " xn--bcher-laden-thb.example ",
                                           "domain-name--00000000-0000-4000-8000-000000000001",
                                           "DOMAIN-NAME--00000000-0000-4000-8000-000000000001"));

// STIX 2.1 §6.16: an account without any property of its own is none. Found by the property of invariant 12.
TEST(Decide, WhatIsNotStixAnyMoreWithoutAPartStaysHere) {
  size_t whole = 0;
  for (uint64_t seed = 1; seed < 1500; ++seed) {
    const Case c = random_case(seed);
    for (const Decision& d : c.decide_all()) {
      if (text_of(c.objects[d.object].node, "type") != "user-account" || !goes(d)) continue;
      const Node out = parsed(bytes_of(c, d));
      EXPECT_FALSE(text_of(out, "account_login").empty()) << bytes_of(c, d);
      ++whole;
    }
  }
  EXPECT_GT(whole, 10U);
}

TEST(Decide, UnrelatedTextIsNoMention) {
  One one;
  one.add(sdo("malware", 1, R"("name":"Ant","is_family":false,)" + marked(Tlp::kRed)));
  one.add(sdo("malware", 2, R"("name":"malware","is_family":false,)" + marked(Tlp::kRed)));
  one.add(sdo("malware", 3, R"("name":"Other","is_family":false,"description":"an important merchant")"));
  one.add(sdo("malware", 4, R"("name":"Other2","is_family":false,"description":"like ant, yes")"));
  const auto d = one.decide_all();
  EXPECT_EQ(d[2].verdict, Verdict::kReleased);
  EXPECT_EQ(d[3].verdict, Verdict::kWithheld);
}

TEST(Decide, ANameThatIsGivenElsewhereIsNoSecret) {
  One one;
  one.add(
      sdo("indicator", 1,
          R"("name":"Phishing page","pattern":"[a:b=1]","pattern_type":"stix","valid_from":"2027-01-01T00:00:00Z",)" +
              marked(Tlp::kRed)));
  one.add(
      sdo("indicator", 2,
          R"("name":"Phishing page","pattern":"[a:b=2]","pattern_type":"stix","valid_from":"2027-01-01T00:00:00Z")"));
  const auto d = one.decide_all();
  EXPECT_EQ(d[0].verdict, Verdict::kWithheld);
  EXPECT_EQ(d[1].verdict, Verdict::kReleased);
}

TEST(Decide, ANameOfAnotherKindOfThingStaysSecret) {
  One one;
  one.add(sdo("malware", 1, R"("name":"SecretBird","is_family":true,)" + marked(Tlp::kRed)));
  for (int i = 2; i < 5; ++i)
    one.add(
        sdo("indicator", i,
            R"("name":"SecretBird","pattern":"[a:b=1]","pattern_type":"stix","valid_from":"2027-01-01T00:00:00Z")"));
  const auto d = one.decide_all();
  for (size_t i = 0; i < d.size(); ++i) EXPECT_EQ(d[i].verdict, Verdict::kWithheld) << i;
}

TEST(Decide, PartAboveTheCeilingIsTakenOut) {
  One one;
  const std::string red(stix::tlp_id(Tlp::kRed));
  one.add(sdo("malware", 1,
              R"("name":"m","is_family":false,"description":"secret","granular_markings":[{"marking_ref":")" + red +
                  R"(","selectors":["description"]}])"));
  one.add(sdo("malware", 2,
              R"("name":"n","is_family":false,"description":"secret","granular_markings":[{"marking_ref":")" + red +
                  R"(","selectors":["name"]}])"));
  const auto d = one.decide_all();
  ASSERT_EQ(d[0].verdict, Verdict::kRedacted);
  EXPECT_TRUE(has_code(d[0], "PROPERTY_REDACTED"));
  EXPECT_EQ(d[0].bytes.find("secret"), std::string::npos);
  EXPECT_EQ(d[0].bytes.find("granular_markings"), std::string::npos);
  EXPECT_EQ(d[0].bytes.find(red), std::string::npos);
  EXPECT_TRUE(has_code(d[1], "ABOVE_CEILING"));
}

TEST(Decide, KnownObjectsResolveUnderTheIdThatTheRecipientHas) {
  One one;
  one.add(sdo("malware", 1, R"("name":"m","is_family":false)"), "JP").known = true;
  one.add(sdo("note", 2, R"("content":"x","object_refs":[")" + id_of("malware", 1) + R"("])"));
  auto d = one.decide_all();
  EXPECT_EQ(d[0].verdict, Verdict::kKnown);
  EXPECT_EQ(d[1].verdict, Verdict::kReleased);
  auto graph = one.c.graph();
  const std::string sent = id_of("malware", 99);
  graph[0].sent_id = sent;
  d = decide(graph, one.c.inputs());
  ASSERT_EQ(d[1].verdict, Verdict::kRedacted);
  EXPECT_THAT(d[1].bytes, ::testing::HasSubstr(sent));
}

TEST(Decide, NewIdsAreStableForOneAgreementAndUnlinkableBetweenTwo) {
  auto redacted_id = [](const std::string& key) {
    One one;
    one.c.keys.begin()->second = key;
    one.add(sdo("note", 1,
                R"("content":"x","object_refs":[")" + id_of("malware", 7) + R"(",")" + id_of("note", 2) + R"("])"));
    one.add(sdo("note", 2, R"("content":"x","object_refs":[")" + one.c.my_identity + R"("])"));
    return one.decide_all()[0].id;
  };
  EXPECT_EQ(redacted_id("a"), redacted_id("a"));
  EXPECT_NE(redacted_id("a"), redacted_id("b"));
  EXPECT_NE(redacted_id("a"), id_of("note", 1));
}

TEST(Decide, GovernedByTheMostSpecialInstrument) {
  One one;
  one.add(sdo("malware", 1, R"("name":"m","is_family":false)"));
  const char* names[] = {"initiative", "group", "bilateral", "project"};
  for (int i = 0; i < 4; ++i)
    one.c.states.push_back(testing::in_force(testing::sample(testing::sample_node(
        {"IN", "JP"}, names[i], fmt::format("urn:uuid:00000000-0000-5000-8000-00000000000{}", i + 1)))));
  auto d = one.c.decide_all();
  EXPECT_EQ(d[0].agreement.back(), '4');
  one.c.states.pop_back();
  d = one.c.decide_all();
  EXPECT_EQ(d[0].agreement.back(), '3');
}

TEST(Decide, UnreadableObjectsAreWithheld) {
  One one;
  for (auto raw : {"", "{", "[]", "{\"type\":\"malware\"}", "{\"id\":\"x\"}", "{\"type\":1,\"id\":2}", "\xff"}) {
    CaseObject o;
    o.raw = raw;
    o.originator = "IN";
    one.c.objects.push_back(std::move(o));
  }
  for (const Decision& d : one.decide_all()) EXPECT_TRUE(has_code(d, "REVIEW_REQUIRED"));
}

TEST(Tombstone, SaysNothingButThatItIsGone) {
  const std::string raw = sdo("indicator", 1, R"("name":"secret","pattern":"[a:b=1]","object_marking_refs":["x"])");
  const std::string t = tombstone(raw, "indicator--sent", "2027-02-02T00:00:00.000Z");
  const Node n = parsed(t);
  for (const auto& [name, value] : n.members())
    EXPECT_TRUE(name == "type" || name == "spec_version" || name == "id" || name == "created" || name == "modified" ||
                name == "revoked")
        << name;
  EXPECT_EQ(n.string_at("id"), "indicator--sent");
  EXPECT_EQ(n.string_at("modified"), "2027-02-02T00:00:00.000Z");
  EXPECT_TRUE(n.find("revoked")->boolean());
}

TEST(May, BlockNeedsEveryCondition) {
  State s = testing::in_force(testing::sample(testing::sample_node()));
  const Handling good{Pap::kGreen, 90, {"malicious-activity"}};
  EXPECT_TRUE(may(Action::kBlock, good, s).allowed);
  EXPECT_EQ(may(Action::kBlock, good, s).article, "4");
  auto refused = [&s](const Handling& h) {
    return !may(Action::kBlock, h, s).allowed && may(Action::kMonitor, h, s).allowed;
  };
  EXPECT_TRUE(refused({Pap::kAmber, 90, {"malicious-activity"}}));
  EXPECT_TRUE(refused({std::nullopt, 90, {"malicious-activity"}})) << "the default of the agreement is amber";
  EXPECT_TRUE(refused({Pap::kGreen, 79, {"malicious-activity"}}));
  EXPECT_TRUE(refused({Pap::kGreen, std::nullopt, {"malicious-activity"}}));
  EXPECT_TRUE(refused({Pap::kGreen, 90, {"benign"}}));
  EXPECT_TRUE(refused({Pap::kGreen, 90, {}}));
  s.kind = StateKind::kSuspended;
  EXPECT_TRUE(refused(good));
  EXPECT_FALSE(may(Action::kMonitor, good, State{}).allowed);
}

}  // namespace
}  // namespace entente::agreement
