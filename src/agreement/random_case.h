// For tests: random release cases from a seed, rich in what release.md §10 says is rare: suspended agreements with
// forbids, conflicting and unknown marks, dangling references, chains of redaction, texts that mention other objects in
// several disguises.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/decide.h"
#include "agreement/testing.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "stix/marking.h"

namespace entente::agreement::testing {

class Rng {  // splitmix64: the same on every machine
 public:
  explicit Rng(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  size_t below(size_t n) { return static_cast<size_t>(next() % n); }
  bool chance(int percent) { return below(100) < static_cast<size_t>(percent); }
  template <class T>
  const T& of(const std::vector<T>& list) {
    return list[below(list.size())];
  }

 private:
  uint64_t state_;
};

struct CaseObject {
  Node node;
  std::string raw, originator, received_under;
  Tlp inherited = Tlp::kClear;
  bool verified = true;
  bool known = false;
  Time committed;
};

// Owns what an Inputs only looks at.
struct Case {
  std::vector<State> states;
  std::vector<CaseObject> objects;
  std::vector<Consent> consents;
  std::vector<Hold> holds;
  Policy policy;
  std::vector<std::string> public_ids;
  std::map<std::string, std::string> keys;
  std::string my_identity;
  Time at{1'800'000'000'000'000};
  bool clock_safe = true;

  [[nodiscard]] std::vector<GraphObject> graph() const {
    std::vector<GraphObject> out;
    for (const CaseObject& o : objects) {
      GraphObject g;
      g.raw = o.raw;
      g.originator = o.originator;
      g.received_under = o.received_under;
      g.inherited = o.inherited;
      g.verified = o.verified;
      g.known_to_recipient = o.known;
      g.committed = o.committed;
      out.push_back(g);
    }
    return out;
  }
  [[nodiscard]] Inputs inputs() const {
    Inputs in;
    in.me = "IN";
    in.recipient = "JP";
    in.at = at;
    in.clock_safe = clock_safe;
    in.instruments = states;
    in.consents = consents;
    in.holds = holds;
    in.policy = policy;
    in.pseudonym_keys = keys;
    in.my_identity_id = my_identity;
    in.public_ids = public_ids;
    return in;
  }
  [[nodiscard]] std::vector<Decision> decide_all() const { return decide(graph(), inputs()); }
  void write_raw() {
    for (CaseObject& o : objects) o.raw = json::write(o.node);
  }
};

inline constexpr int64_t kDayUs = int64_t{24} * 3600 * 1'000'000;

class CaseMaker {
 public:
  explicit CaseMaker(uint64_t seed) : r_(seed) {}

  Case make() {
    Case c;
    c.my_identity = id("identity");
    c.public_ids.push_back(id("identity"));
    const size_t agreements = 1 + r_.below(3);
    for (size_t i = 0; i < agreements; ++i) c.states.push_back(state(i, c));
    const size_t n = 4 + r_.below(10);
    for (size_t i = 0; i < n; ++i) plan(c);
    for (size_t i = 0; i < c.objects.size(); ++i) fill(c, i);
    for (CaseObject& o : c.objects) circumstances(c, o);
    for (CaseObject& o : c.objects) {
      o.committed = c.at.plus_us((r_.chance(30) ? -2 : 0) * kDayUs);
      if (r_.chance(12)) o.node.set("labels", texts({r_.chance(80) ? "entente-project:port-1" : "entente-project:x"}));
    }
    c.write_raw();
    if (r_.chance(2)) c.clock_safe = false;
    if (r_.chance(5)) c.policy.max_tlp = r_.of<Tlp>({Tlp::kGreen, Tlp::kAmber});
    if (r_.chance(5)) c.policy.withhold_types.push_back(r_.of(types()));
    return c;
  }

 private:
  static const std::vector<std::string>& types() {
    static const std::vector<std::string> kTypes = {
        "indicator",    "malware",      "identity",           "report",        "note",
        "relationship", "sighting",     "ipv4-addr",          "domain-name",   "network-traffic",
        "file",         "threat-actor", "user-account",       "incident",      "observed-data",
        "email-addr",   "identity",     "marking-definition", "x-custom-thing"};
    return kTypes;
  }

  std::string id(const std::string& type) {
    std::string bytes;
    put_u64(bytes, r_.next());
    put_u64(bytes, r_.next());
    return type + "--" + uuid_shaped(bytes).text();
  }
  std::string word() {
    static const std::vector<std::string> kA = {"Zephyrine", "Quillback",  "Ostrava",  "Menhir",
                                                "Kaolin",    "Brackwater", "Tamarack", "Vellichor"};
    static const std::vector<std::string> kB = {"Dockyard",    "Savings Bank", "Harbour", "Turbine Works",
                                                "Observatory", "Cannery",      "Telecom"};
    return r_.of(kA) + " " + r_.of(kB) + " " + std::to_string(r_.below(90) + 10);
  }
  std::vector<std::string> some(const std::vector<std::string>& from, int percent) {
    std::vector<std::string> out;
    for (const auto& x : from)
      if (r_.chance(percent) && std::find(out.begin(), out.end(), x) == out.end()) out.push_back(x);
    return out;
  }

  std::set<std::string> chosen(const std::vector<std::string>& from) {
    const auto list = some(from, 70);
    return {list.begin(), list.end()};
  }

  State state(size_t i, Case& c) {
    const std::string agreement = "urn:uuid:00000000-0000-5000-8000-00000000000" + std::to_string(i + 1);
    Node d =
        sample_node(r_.chance(70) ? std::vector<std::string>{"IN", "JP"} : std::vector<std::string>{"IN", "JP", "US"},
                    r_.of<std::string>({"bilateral", "group", "bilateral", "project", "initiative"}), agreement);
    const std::string last_party(d.find("parties")->list().back().string_at("party"));
    Node flows = Node::array();
    const size_t n = 1 + r_.below(3);
    for (size_t f = 0; f < n; ++f) {
      const bool permit = f == 0 ? r_.chance(85) : r_.chance(60);
      auto list = permit ? some(types(), 80) : some(types(), 8);
      if (permit && r_.chance(40)) list = {"*"};
      if (list.empty()) list = {"mutex"};
      const auto ceiling = r_.of<std::string>({"green", "amber", "amber+strict", "amber+strict"});
      const auto floor = r_.of<std::string>({"clear", "green"});
      Node flow = flow_node("f" + std::to_string(f), "3(" + std::to_string(f + 1) + ")", permit, list, floor, ceiling,
                            r_.of<std::string>({"withhold", "amber", "amber", "green", "clear"}),
                            r_.chance(75) ? std::vector<std::string>{"*"} : std::vector<std::string>{"5g", "energy"});
      if (r_.chance(10)) flow.set("from", texts({"JP"}));
      if (r_.chance(25)) flow.set("to", texts({r_.of<std::string>({"JP", "JP", "IN", last_party})}));
      flows.push(std::move(flow));
    }
    d.set("flows", std::move(flows));
    if (r_.chance(60)) {
      Node rules = protection_nodes();
      const bool all = r_.chance(40);  // or a part of it
      Node match = Node::object().set("type", all ? "email-addr" : "user-account");
      if (!all) match.set("fields", texts({"account_login"}));
      if (r_.chance(50))
        rules.push(Node::object()
                       .set("id", "personal")
                       .set("art", "6(4)")
                       .set("match", std::move(match))
                       .set("method", "remove"));
      d.set("protection", std::move(rules));
    }
    if (r_.chance(15)) d.find("originator_control")->set("rule", r_.chance(50) ? "never" : "marking");
    if (r_.chance(40)) d.find("duration")->set("survives", texts({r_.chance(50) ? "3" : "3(1)"}));
    State s = in_force(sample(std::move(d)));
    const size_t fate = r_.below(20);
    if (fate < 4)
      s.kind = s.by_party[r_.chance(50) ? "IN" : "JP"] = StateKind::kSuspended;
    else if (fate == 4)
      s.kind = s.by_party["IN"] = s.by_party["JP"] = StateKind::kSigned;
    else if (fate == 5)
      s.kind = s.by_party["IN"] = s.by_party["JP"] = StateKind::kTerminated;
    else if (fate == 6)
      s.suspended_flows.insert("f0");
    else if (fate == 7)
      s.suspended_sectors.insert("5g");
    if (r_.chance(6)) s.closed.insert({"IN", "JP"});
    if (r_.chance(10))
      for (const auto* party : {"IN", "JP"})
        if (r_.chance(60)) s.declared[party] = chosen({"f0", "f1", "f2"});
    if (r_.chance(8)) {
      for (const auto* party : {"IN", "JP"}) {
        if (r_.chance(70)) s.by_party[party] = StateKind::kProvisional;
        if (r_.chance(85)) s.provisional[party] = chosen({"f0", "f1", "f2"});
      }
    }
    if (r_.chance(10)) s.joined[r_.chance(80) ? "JP" : "IN"] = c.at.plus_us(-kDayUs);
    if (r_.chance(8)) s.project = "port-1";
    if (r_.chance(90)) s.began = {"IN", "JP"};
    if (r_.chance(97)) c.keys[agreement] = std::string(32, static_cast<char>('A' + i));
    return s;
  }

  // First only type, id and name, so that others can refer to it.
  void plan(Case& c) {
    CaseObject o;
    const std::string type = r_.of(types());
    o.node = Node::object();
    o.node.set("type", type);
    if (!is_sco(type) || r_.chance(30)) o.node.set("spec_version", "2.1");
    if (type == "identity" && r_.chance(10))
      o.node.set("id", c.public_ids[0]);
    else
      o.node.set("id", id(type));
    if (type == "domain-name")
      o.node.set("value", host());
    else if (type == "ipv4-addr")
      o.node.set("value", "198.51." + std::to_string(100 + r_.below(100)) + "." + std::to_string(100 + r_.below(100)));
    else if (type == "email-addr")
      o.node.set("value", "info@" + host());
    else if (type == "user-account")
      o.node.set("account_login", "login" + std::to_string(r_.below(1000) + 1000));
    else if (type == "file")
      o.node.set("hashes", Node::object().set("SHA-256", sha256_hex(std::to_string(r_.next()))));
    else if (type == "indicator" || type == "report" || type == "malware" || type == "identity" ||
             type == "threat-actor" || type == "incident")
      o.node.set("name", name());
    c.objects.push_back(std::move(o));
  }
  // As people type them: now and then with a line's end in it, or a blank too many around it.
  std::string name() {
    std::string out = word();
    if (r_.chance(4)) out.replace(out.find(' '), 1, "\n");
    if (r_.chance(4)) out += r_.chance(50) ? " " : "\n";
    return out;
  }
  std::string host() { return "host" + std::to_string(r_.below(9000) + 1000) + ".example"; }
  static bool is_sco(const std::string& t) {
    return t == "ipv4-addr" || t == "domain-name" || t == "network-traffic" || t == "file" || t == "user-account" ||
           t == "email-addr";
  }

  const std::string& any_id(const Case& c, std::string_view type = {}) {
    if (r_.chance(6)) return dangling_ = id(type.empty() ? "malware" : std::string(type));
    for (int tries = 0; tries < 12; ++tries) {
      const auto& o = r_.of(c.objects);
      if (!type.empty() && o.node.string_at("type") != type) continue;
      if (type.empty() && o.node.string_at("type") == "marking-definition" && tries < 11) continue;
      return o.node.find("id")->string();
    }
    return dangling_ = id(type.empty() ? "malware" : std::string(type));
  }
  Node refs(const Case& c, size_t most) {
    Node out = Node::array();
    const size_t n = 1 + r_.below(most);
    for (size_t i = 0; i < n; ++i) out.push(any_id(c));
    return out;
  }

  std::string mention(const Case& c) {
    const auto& o = r_.of(c.objects);
    std::string what = o.node.find("id")->string();
    for (auto name : {"name", "value", "account_login"})
      if (r_.chance(55) && !o.node.string_at(name).empty()) what = std::string(o.node.string_at(name));
    switch (r_.below(8)) {
      case 0:
        return upper(what);
      case 1:
        return base64("see " + what + " there");
      case 2:
        return replace(what, ".", "[.]");
      default:
        return what;
    }
  }
  static std::string upper(std::string t) {
    for (char& ch : t)
      if (ch >= 'a' && ch <= 'z') ch = static_cast<char>(ch - 32);
    return t;
  }
  static std::string replace(std::string t, const std::string& from, const std::string& to) {
    for (size_t at = t.find(from); at != std::string::npos; at = t.find(from, at + to.size()))
      t.replace(at, from.size(), to);
    return t;
  }

  void fill(Case& c, size_t i) {
    Node& n = c.objects[i].node;
    const std::string type = n.find("type")->string();
    if (!is_sco(type)) {
      n.set("created", "2027-01-01T00:00:00.000Z");
      if (type != "marking-definition") n.set("modified", "2027-01-02T00:00:00.000Z");
      if (r_.chance(35))
        n.set("created_by_ref", r_.chance(25)   ? c.my_identity
                                : r_.chance(25) ? c.public_ids[0]
                                                : any_id(c, "identity"));
    }
    if (r_.chance(25)) n.set("sectors", texts({r_.of<std::string>({"5g", "energy", "finance"})}));
    if (type == "indicator") {
      n.set("pattern", "[domain-name:value = '" + (r_.chance(20) ? mention_plain(c) : host()) + "']")
          .set("pattern_type", "stix");
      n.set("valid_from", "2027-01-01T00:00:00Z");
      if (r_.chance(30)) n.set("labels", texts({"phishing", "campaign-" + std::to_string(r_.below(50))}));
    } else if (type == "malware") {
      n.set("is_family", r_.chance(50));
      if (r_.chance(40)) n.set("sample_refs", refs(c, 2));
    } else if (type == "identity") {
      n.set("identity_class", "organization");
      if (r_.chance(30)) n.set("roles", texts({"victim"}));
      if (r_.chance(40)) n.set("contact_information", "desk" + std::to_string(r_.below(100000)) + "@" + host());
    } else if (type == "report") {
      n.set("published", "2027-01-01T00:00:00Z").set("object_refs", refs(c, 4));
    } else if (type == "note") {
      n.set("content", "Content " + std::to_string(r_.below(1000000))).set("object_refs", refs(c, 3));
    } else if (type == "relationship") {
      n.set("relationship_type", r_.chance(25)   ? "targets"
                                 : r_.chance(25) ? "derived-from"
                                                 : "related-to")
          .set("source_ref", any_id(c))
          .set("target_ref", any_id(c));
    } else if (type == "sighting") {
      n.set("sighting_of_ref", any_id(c));
      if (r_.chance(50))
        n.set("where_sighted_refs", Node(Node::List{Node(r_.chance(60) ? c.my_identity : any_id(c, "identity"))}));
      if (r_.chance(30)) n.set("observed_data_refs", Node(Node::List{Node(any_id(c, "observed-data"))}));
    } else if (type == "network-traffic") {
      n.set("protocols", texts({"tcp"}));
      if (r_.chance(70)) n.set("src_ref", any_id(c, "ipv4-addr"));
      if (r_.chance(70) || n.find("src_ref") == nullptr) n.set("dst_ref", any_id(c, "ipv4-addr"));
    } else if (type == "email-addr") {
      if (r_.chance(60)) n.set("belongs_to_ref", any_id(c, "user-account"));
    } else if (type == "observed-data") {
      n.set("first_observed", "2027-01-01T00:00:00Z")
          .set("last_observed", "2027-01-01T00:00:00Z")
          .set("number_observed", 1)
          .set("object_refs", refs(c, 3));
    } else if (type == "marking-definition") {
      marking(n);
    } else if (type == "x-custom-thing") {
      if (r_.chance(60)) n.set("friend_ref", any_id(c));
      if (r_.chance(40)) n.set("inner", Node::object().set("other_refs", refs(c, 2)));
    }
    if (!is_sco(type) && type != "marking-definition" && r_.chance(45)) {
      std::string text = r_.chance(50) ? "Nothing of note, number " + std::to_string(r_.below(1000000)) + "."
                                       : "Compare " + mention(c) + " and others.";
      if (r_.chance(10)) text += " 日本語 \"quoted\"\n";
      n.set("description", text);
    }
    if (r_.chance(8)) {
      Node ext = Node::object().set("source_name", "x").set("description", "about " + mention(c));
      n.set("external_references", Node(Node::List{ext}));
    }
    marks(c, n);
  }
  std::string mention_plain(const Case& c) {
    const auto& o = r_.of(c.objects);
    const auto value = o.node.string_at("value");
    return value.empty() ? o.node.find("id")->string() : std::string(value);
  }

  void marking(Node& n) {
    switch (r_.below(9)) {
      case 4:
      case 5:
        iep(n);
        break;
      case 6:
        acs(n);
        break;
      case 7:
        if (r_.chance(50))
          n.set("definition_type", "statement")
              .set("definition",
                   Node::object().set("statement", "ais-marking:AISConsent=\"" +
                                                       r_.of<std::string>({"EVERYONE", "USG", "NONE", "ALL"}) + "\""));
        else
          extension(n, "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b",
                    Node::object().set("pap", r_.of<std::string>({"red", "amber", "green", "white"})));
        break;
      case 0:
        n.set("definition_type", "statement")
            .set("definition", Node::object().set("statement", "Copyright of its author"));
        break;
      case 1:
        n.set("definition_type", "statement")
            .set("definition", Node::object().set("statement", r_.chance(50) ? "PAP:RED" : "PAP:GREEN"));
        break;
      case 2:
        n.set("definition_type", "tlp").set("definition", Node::object().set("tlp", "white"));
        break;  // a look-alike
      case 3:
        n.set("extensions",
              Node::object().set("extension-definition--" + id("x").substr(3), Node::object().set("level", 3)));
        break;
      default:
        n.set("definition_type", "statement").set("definition", Node::object().set("statement", "TLP:GREEN"));
        break;  // words, not a mark
    }
  }

  static void extension(Node& n, const std::string& name, Node body) {
    body.set("extension_type", "property-extension");
    n.set("extensions", Node::object().set(name, std::move(body)));
  }

  void iep(Node& n) {
    Node e = Node::object();
    e.set("encrypt_in_transit", "must")
        .set("permitted_actions",
             r_.of<std::string>({"none", "contact-for-instruction", "internally-visible-actions",
                                 "externally-visible-indirect-actions", "externally-visible-direct-actions"}))
        .set("affected_party_notifications", "may")
        .set("tlp", r_.of<std::string>({"white", "green", "green", "amber", "red"}))
        .set("provider_attribution", r_.of<std::string>({"may", "must", "must-not"}))
        .set("unmodified_resale", "must-not")
        .set("iep_id", "0224bfdf-ea3a-49c3-96f6-66d908bb1845")
        .set("iep_version", r_.chance(90) ? 2.0 : 1.0)
        .set("description", "a policy")
        .set("start_date", r_.chance(90) ? "2026-01-01T00:00:00Z" : "2028-01-01T00:00:00Z");
    if (r_.chance(30)) e.set("end_date", r_.chance(50) ? "2026-06-01T00:00:00Z" : "2030-01-01T00:00:00Z");
    if (r_.chance(5)) e.set("invented", "must");
    extension(n, "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a", std::move(e));
  }

  void scope(Node& n) {
    if (r_.chance(40))
      n.set("permitted_nationalities",
            texts(r_.of<std::vector<std::string>>({{"ALL"}, {"JPN", "USA"}, {"USA"}, {"JPN"}})));
    if (r_.chance(30))
      n.set("permitted_organizations",
            texts(r_.of<std::vector<std::string>>({{"ALL"}, {"USA.DHS"}, {"JPN.NISC", "USA.DHS"}, {"JPN"}})));
    if (r_.chance(20)) n.set("entity", texts(r_.of<std::vector<std::string>>({{"MIL", "GOV"}, {"CTR"}})));
    if (r_.chance(8)) n.set("shareability", texts({"NCC"}));
  }

  void acs(Node& n) {
    const auto effect = [this] { return r_.chance(70) ? "permit" : "deny"; };
    Node control = Node::object().set("classification", r_.chance(90) ? "U" : "S");
    if (r_.chance(40))
      control.set("formal_determination", texts({r_.of<std::string>({"PUBREL", "AIS", "AIS", "FOUO"})}));
    scope(control);
    Node e = Node::object();
    e.set("identifier", "isa:guide.19001.ACS3-6b142579-f21c-4199-865c-207d9df7313c")
        .set("policy_reference",
             std::string("urn:isa:policy:acs:ns:v3.0?privdefault=") + effect() + "&sharedefault=" + effect());
    e.set("control_set", std::move(control));
    if (r_.chance(60)) {
      Node list = Node::array();
      for (size_t k = 1 + r_.below(3); k > 0; --k) {
        Node where = Node::object();
        scope(where);
        Node rule = Node::object().set("privilege_action", r_.of<std::string>({"ALL", "DISPLAY", "NETDEF", "IDSRC"}));
        list.push(rule.set("rule_effect", effect()).set("privilege_scope", std::move(where)));
      }
      e.set("access_privilege", std::move(list));
    }
    if (r_.chance(40))
      e.set("further_sharing",
            Node(Node::List{Node::object()
                                .set("rule_effect", effect())
                                .set("sharing_scope", texts({r_.of<std::string>({"FOREIGNGOV", "JPN", "USA.USG"})}))}));
    extension(n, "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce", std::move(e));
  }

  std::string tlp() {
    static const std::vector<std::string> kOld = {"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
                                                  "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"};
    if (r_.chance(15)) return r_.of(kOld);
    return std::string(stix::tlp_id(
        r_.of<Tlp>({Tlp::kClear, Tlp::kGreen, Tlp::kGreen, Tlp::kAmber, Tlp::kAmber, Tlp::kAmberStrict, Tlp::kRed})));
  }

  void marks(const Case& c, Node& n) {
    Node list = Node::array();
    if (r_.chance(65)) list.push(tlp());
    if (r_.chance(8)) list.push(tlp());
    if (r_.chance(n.find("created_by_ref") != nullptr ? 45 : 20)) list.push(any_id(c, "marking-definition"));
    if (!list.list().empty()) n.set("object_marking_refs", std::move(list));
    if (!r_.chance(15)) return;
    std::vector<std::string> selectors;
    for (const auto& [name, value] : n.members()) {
      if (name == "object_marking_refs") continue;
      if (r_.chance(70) && name != "description" && name != "contact_information" && name != "labels" &&
          name != "external_references")
        continue;
      selectors.push_back(value.is_array() && r_.chance(60) ? name + ".[0]" : name);
    }
    if (selectors.empty()) return;
    Node g = Node::object().set("selectors", texts({r_.of(selectors)}));
    if (r_.chance(10))
      g.set("lang", "en");
    else
      g.set("marking_ref", r_.chance(85) ? tlp() : any_id(c, "marking-definition"));
    n.set("granular_markings", Node(Node::List{g}));
  }

  void circumstances(Case& c, CaseObject& o) {
    o.originator = r_.of<std::string>({"IN", "IN", "IN", "IN", "JP", "US"});
    o.verified = !r_.chance(4);
    o.known = r_.chance(6);
    const std::string object_id = o.node.find("id")->string();
    if (o.originator != "IN" && r_.chance(50)) {
      o.received_under = r_.of(c.states).agreement_id;
      o.inherited = r_.of<Tlp>({Tlp::kClear, Tlp::kGreen, Tlp::kAmber});
    }
    if (o.originator == "US" && r_.chance(70)) {
      Consent consent{"US",
                      r_.chance(90) ? "JP" : "AU",
                      object_id,
                      std::string(o.node.string_at("modified")),
                      c.at.plus_us(-10),
                      c.at.plus_us(10)};
      if (consent.version.empty()) consent.version = std::string(o.node.string_at("created"));
      if (r_.chance(10))
        consent.version = "2027-01-01T00:00:01.000Z";
      else if (r_.chance(10))
        consent.version = "*";
      if (r_.chance(10)) consent.valid_until = c.at;
      c.consents.push_back(std::move(consent));
    }
    if (r_.chance(5)) {
      Hold hold{object_id, r_.chance(50) ? "NATIONAL_HOLD" : "EMBARGO", std::nullopt};
      if (r_.chance(50)) hold.not_before = c.at.plus_us(r_.chance(50) ? 5 : 0);
      c.holds.push_back(std::move(hold));
    }
  }

  Rng r_;
  std::string dangling_;
};

inline Case random_case(uint64_t seed) { return CaseMaker(seed).make(); }

}  // namespace entente::agreement::testing
