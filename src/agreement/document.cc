// One file for one idea: JSON text to a whole, valid Document. The shape (agreement.schema.json, closed at the top and
// in flows) is checked field by field by Checker; the semantic checks of agreement.md §4.3 follow it, each in a
// function of its own.
#include "agreement/document.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "agreement/internal/ledger_block.h"
#include "agreement/internal/lookalike.h"
#include "agreement/internal/party_block.h"
#include "agreement/internal/shape.h"
#include "base/bytes.h"
#include "json/json.h"

namespace entente::agreement {
bool is_exercise_kid(std::string_view kid) {
  const size_t slash = kid.find('/');
  return slash != std::string_view::npos && kid.substr(slash + 1).starts_with("exercise-");
}

namespace {

using internal::Shape;
using json::Node;

constexpr std::array<std::string_view, 3> kBuiltInNever = {"counter-intrusion", "exploit", "scan-foreign-network"};
constexpr std::array<std::string_view, 4> kMethods = {"remove", "generalise", "replace", "pseudonymise"};
constexpr std::array<std::string_view, 4> kWideningQuorums = {"sign", "amend", "resume", "narrow"};

std::string base_article(std::string_view art) { return std::string(art.substr(0, art.find('('))); }

bool is_article(std::string_view t) {  // ^[0-9]+(\([0-9a-z]+\))*$
  size_t i = 0;
  while (i < t.size() && t[i] >= '0' && t[i] <= '9') ++i;
  if (i == 0) return false;
  while (i < t.size()) {
    if (t[i++] != '(') return false;
    const size_t begin = i;
    while (i < t.size() && ((t[i] >= '0' && t[i] <= '9') || (t[i] >= 'a' && t[i] <= 'z'))) ++i;
    if (i == begin || i == t.size() || t[i++] != ')') return false;
  }
  return true;
}

using internal::is_hex64;
using internal::parse_role;

bool has(const std::vector<std::string>& list, std::string_view x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

// Reads the parts in the order of the schema into `d`.
class Reader {
 public:
  Reader(Shape& shape, Document& d) : s_(shape), d_(d) {}

  void read(const Node& root) {
    s_.closed(root, "", {"schema",     "agreement_id", "version",         "prev",     "level",
                         "title",      "instrument",   "authentic_texts", "articles", "parties",
                         "signing",    "scope",        "flows",           "actions",  "originator_control",
                         "protection", "retention",    "service_levels",  "duration", "amendment",
                         "accession",  "declarations", "differences",     "ledger"},
              {"reciprocity", "joint_response", "supply_chain", "projects", "exercise"});
    d_.exercise = s_.boolean(root, "", "exercise", false).value_or(false);
    head(root);
    texts(root);
    articles(root);
    parties(root);
    signing(root);
    scope(root);
    flows(root);
    actions(root);
    originator(root);
    protections(root);
    retention(root);
    duration(root);
    membership(root);
    for (auto name : {"amendment", "differences", "ledger", "instrument"}) s_.object(root, "", name, true);
    for (auto name : {"reciprocity", "joint_response", "supply_chain"}) s_.object(root, "", name, false);
    s_.array(root, "", "service_levels", true);
    s_.array(root, "", "projects", false);
    no_floats(root, "");
  }

 private:
  void head(const Node& root) {
    if (auto v = s_.text(root, "", "schema", true); v && *v != "entente-agreement/1")
      s_.add("/schema", fmt::format("unknown format \"{}\"; this program reads entente-agreement/1", *v));
    if (auto v = s_.text(root, "", "agreement_id", true)) {
      d_.agreement_id = *v;
      if (!v->starts_with("urn:uuid:")) s_.add("/agreement_id", "must begin with urn:uuid:");
    }
    if (auto v = s_.integer(root, "", "version", true)) {
      d_.version = *v;
      if (*v < 1) s_.add("/version", "must be 1 or more");
    }
    if (const Node* prev = root.find("prev"); prev != nullptr && !prev->is_null()) {
      if (auto v = s_.text(root, "", "prev", true)) {
        d_.prev = *v;
        if (!is_hex64(*v))
          s_.add("/prev", "must be null or 64 lower-case hex digits: the hash of the text that this one amends");
      }
    }
    if (d_.version >= 1 && (d_.version == 1) != d_.prev.empty())
      s_.add("/prev",
             "version 1 has prev null, every later version names the hash of the one before (agreement.md §4.2)");
    if (auto v = s_.text(root, "", "level", true)) {
      if (*v == "project")
        d_.level = Level::kProject;
      else if (*v == "bilateral")
        d_.level = Level::kBilateral;
      else if (*v == "group")
        d_.level = Level::kGroup;
      else if (*v == "initiative")
        d_.level = Level::kInitiative;
      else
        s_.add("/level", "must be project, bilateral, group or initiative");
    }
    if (const Node* title = s_.object(root, "", "title", true)) {
      for (const auto& [lang, value] : title->members()) {
        if (!value.is_string())
          s_.add("/title/" + Shape::escape(lang), "must be text");
        else if (d_.title.empty() || lang == "en")
          d_.title = value.string();
      }
    }
  }

  void texts(const Node& root) {
    const Node* list = s_.array(root, "", "authentic_texts", true, 1);
    if (list == nullptr) return;
    size_t prevailing = 0;
    std::set<std::string> languages;
    for (size_t i = 0; i < list->list().size(); ++i) {
      const Node& t = list->list()[i];
      const std::string at = fmt::format("/authentic_texts/{}", i);
      if (!s_.is_object(t, at)) continue;
      if (auto v = s_.text(t, at, "lang", true); v && !languages.insert(*v).second)
        s_.add(at + "/lang", "a second text in the same language");
      if (auto v = s_.text(t, at, "sha256", true); v && !is_hex64(*v))
        s_.add(at + "/sha256", "must be 64 lower-case hex digits");
      if (auto v = s_.integer(t, at, "bytes", true); v && *v < 0) s_.add(at + "/bytes", "must not be negative");
      s_.boolean(t, at, "authentic", true);
      if (s_.boolean(t, at, "prevails", true).value_or(false)) ++prevailing;
    }
    if (prevailing > 1) s_.add("/authentic_texts", "at most one text prevails (agreement.md §4.2)");
  }

  void articles(const Node& root) {
    const Node* list = s_.array(root, "", "articles", true);
    if (list == nullptr) return;
    for (size_t i = 0; i < list->list().size(); ++i) {
      const Node& a = list->list()[i];
      const std::string at = fmt::format("/articles/{}", i);
      if (!s_.is_object(a, at)) continue;
      auto art = s_.text(a, at, "art", true);
      auto machine = s_.text(a, at, "machine", true);
      if (machine && *machine != "enforced" && *machine != "evidenced" && *machine != "human")
        s_.add(at + "/machine", "must be enforced, evidenced or human");
      if (art && !is_article(*art)) s_.add(at + "/art", "an article is written like 3 or 3(1)");
      if (art && machine && !d_.articles.emplace(*art, *machine).second)
        s_.add(at + "/art", "a second entry for the same article");
    }
  }

  void parties(const Node& root) {
    const Node* list = s_.array(root, "", "parties", true, 2);
    if (list == nullptr) return;
    for (size_t i = 0; i < list->list().size(); ++i) {
      const Node& p = list->list()[i];
      const std::string at = fmt::format("/parties/{}", i);
      if (!s_.is_object(p, at)) continue;
      Party party = internal::read_party(s_, p, at);
      if (d_.party(party.party) != nullptr) s_.add(at + "/party", "a second entry for the same party");
      for (const KeyRecord& k : party.keys) {
        if (is_exercise_kid(k.kid) == d_.exercise) continue;
        s_.add(at + "/keys",
               d_.exercise
                   ? fmt::format("{} is no exercise key: an exercise binds none that acts outside it", printable(k.kid))
                   : fmt::format("{} is an exercise key: no agreement but an exercise binds it", printable(k.kid)));
        break;
      }
      d_.parties.push_back(std::move(party));
    }
  }

  std::optional<Period> period(const Node& n, const std::string& at, std::string_view name, bool required) {
    const Node* v = n.find(name);
    if (v == nullptr || v->is_null()) {
      if (required) s_.add(fmt::format("{}/{}", at, name), "is missing; a duration such as P30D");
      return std::nullopt;
    }
    if (v->is_string())
      if (auto p = parse_period(v->string()); p.ok() && p->months >= 0 && p->us >= 0) return *p;
    s_.add(fmt::format("{}/{}", at, name), "must be an ISO 8601 duration such as P5Y, P30D or PT72H");
    return std::nullopt;
  }

  void signing(const Node& root) {
    const Node* signing = s_.object(root, "", "signing", true);
    if (signing == nullptr) return;
    const Node* act = s_.object(*signing, "/signing", "act", true);
    if (act == nullptr) return;
    for (const auto& [kind, q] : act->members()) {
      const std::string at = "/signing/act/" + Shape::escape(kind);
      if (!s_.is_object(q, at)) continue;
      const Node* roles = s_.object(q, at, "roles", true);
      if (roles == nullptr) continue;
      auto& out = d_.quorum[kind];
      for (const auto& [role, count] : roles->members()) {
        const std::string here = at + "/roles/" + Shape::escape(role);
        if (!parse_role(role)) s_.add(here, "unknown role; plenipotentiary, authority, node, log or witness");
        if (!count.is_int() || count.integer() < 1 || count.integer() > 16)
          s_.add(here, "must be a count from 1 to 16");
        else
          out[role] = static_cast<int>(count.integer());
      }
      if (out.empty()) s_.add(at + "/roles", "a quorum needs at least one role");
    }
    for (auto kind : kWideningQuorums)
      if (!d_.quorum.contains(std::string(kind)))
        s_.add("/signing/act", fmt::format("the quorum of \"{}\" is missing (agreement.md §3.7)", kind));
  }

  void scope(const Node& root) {
    const Node* scope = s_.object(root, "", "scope", true);
    if (scope == nullptr) return;
    d_.sectors = s_.strings(*scope, "/scope", "sectors", true);
    s_.strings(*scope, "/scope", "purposes", true);
    s_.strings(*scope, "/scope", "forbidden_purposes", true);
    const Node* pillars = s_.array(*scope, "/scope", "pillars", false);
    for (size_t i = 0; pillars != nullptr && i < pillars->list().size(); ++i) {
      const std::string at = fmt::format("/scope/pillars/{}", i);
      if (!s_.is_object(pillars->list()[i], at)) continue;
      if (auto id = s_.text(pillars->list()[i], at, "id", true)) {
        if (has(d_.pillars, *id)) s_.add(at + "/id", "a second pillar with the same id");
        d_.pillars.push_back(*id);
      }
    }
  }

  std::optional<Tlp> tlp(const Node& n, const std::string& at, std::string_view name) {
    auto v = s_.text(n, at, name, true);
    if (!v) return std::nullopt;
    auto t = stix::parse_tlp(*v);
    if (!t || to_text(*t) != *v) {  // "white" is TLP 1.0: not in the schema
      s_.add(fmt::format("{}/{}", at, name), "must be clear, green, amber, amber+strict or red");
      return std::nullopt;
    }
    return t;
  }

  void flows(const Node& root) {
    const Node* list = s_.array(root, "", "flows", true, 1);
    if (list == nullptr) return;
    std::set<std::string> ids;
    for (size_t i = 0; i < list->list().size(); ++i) {
      const Node& n = list->list()[i];
      const std::string at = fmt::format("/flows/{}", i);
      if (!s_.is_object(n, at)) continue;
      s_.closed(
          n, at,
          {"id", "art", "effect", "from", "to", "sectors", "object_types", "tlp_floor", "tlp_ceiling", "unmarked"}, {});
      Flow f;
      f.id = s_.text(n, at, "id", true).value_or("");
      if (!ids.insert(f.id).second) s_.add(at + "/id", "a second flow with the same id");
      f.art = s_.text(n, at, "art", true).value_or("");
      if (auto v = s_.text(n, at, "effect", true)) {
        if (*v != "permit" && *v != "forbid") s_.add(at + "/effect", "must be permit or forbid");
        f.permit = *v == "permit";
      }
      f.from = s_.strings(n, at, "from", true);
      f.to = s_.strings(n, at, "to", true);
      f.sectors = s_.strings(n, at, "sectors", true);
      f.object_types = s_.strings(n, at, "object_types", true);
      f.floor = tlp(n, at, "tlp_floor").value_or(Tlp::kRed);
      f.ceiling = tlp(n, at, "tlp_ceiling").value_or(Tlp::kRed);
      if (auto v = s_.text(n, at, "unmarked", true); v && *v != "withhold") {
        f.unmarked = stix::parse_tlp(*v);
        if (!f.unmarked || to_text(*f.unmarked) != *v || *f.unmarked == Tlp::kRed)
          s_.add(at + "/unmarked", "must be withhold, clear, green, amber or amber+strict");
      }
      d_.flows.push_back(std::move(f));
    }
  }

  std::optional<Pap> pap(const Node& n, const std::string& at, std::string_view name, bool required) {
    auto v = s_.text(n, at, name, required);
    if (!v) return std::nullopt;
    auto p = stix::parse_pap(*v);
    if (!p || to_text(*p) != *v) {
      s_.add(fmt::format("{}/{}", at, name), "must be clear, green, amber or red");
      return std::nullopt;
    }
    return p;
  }

  void actions(const Node& root) {
    const Node* n = s_.object(root, "", "actions", true);
    if (n == nullptr) return;
    Actions& a = d_.actions;
    a.art = s_.text(*n, "/actions", "art", false).value_or("");
    a.default_pap = pap(*n, "/actions", "default_pap", false).value_or(Pap::kAmber);
    a.max_auto_pap = pap(*n, "/actions", "max_auto_pap", false).value_or(Pap::kGreen);
    a.never = s_.strings(*n, "/actions", "never", false);
    if (n->find("auto_block_requires") == nullptr) return;
    const std::string at = "/actions/auto_block_requires";
    const Node* b = s_.object(*n, "/actions", "auto_block_requires", true);
    if (b == nullptr) return;
    a.block_allowed = !has(a.never, "block");
    if (auto v = s_.integer(*b, at, "min_confidence", false)) {
      if (*v < 0 || *v > 100)
        s_.add(at + "/min_confidence", "must be from 0 to 100");
      else
        a.min_confidence = static_cast<int>(*v);
    }
    // A block is never allowed on data stricter than PAP:GREEN, whatever the document says (release.md §8).
    a.block_pap = std::min({pap(*b, at, "pap", false).value_or(Pap::kGreen), a.max_auto_pap, Pap::kGreen});
    a.indicator_types = s_.strings(*b, at, "indicator_type", false);
    if (auto v = s_.integer(*b, at, "max_block_days", false)) {
      if (*v < 1 || *v > 36500)
        s_.add(at + "/max_block_days", "must be from 1 to 36500");
      else
        a.max_block_days = static_cast<int>(*v);
    }
  }

  void originator(const Node& root) {
    const Node* n = s_.object(root, "", "originator_control", true);
    if (n == nullptr) return;
    d_.onward_rule = s_.text(*n, "/originator_control", "rule", false).value_or("never");
    if (d_.onward_rule != "consent" && d_.onward_rule != "marking" && d_.onward_rule != "never")
      s_.add("/originator_control/rule", "must be consent, marking or never");
    if (auto v = s_.text(*n, "/originator_control", "silence_means", false); v && *v != "no")
      s_.add("/originator_control/silence_means", "silence is never consent: must be \"no\"");
    d_.onward_art = s_.text(*n, "/originator_control", "art", false).value_or("");
    third_states(*n);
  }

  // Names for people (words.cc says so); a consent is asked for every release to any of them all the same.
  void third_states(const Node& n) {
    const std::string at = "/originator_control/third_party_states";
    std::set<std::string> seen;
    const auto states = s_.strings(n, "/originator_control", "third_party_states", false);
    for (size_t i = 0; i < states.size(); ++i) {
      const std::string here = fmt::format("{}/{}", at, i);
      if (!internal::is_party_code(states[i]))
        s_.add(here, "must be two capital letters (ISO 3166-1)");
      else if (d_.party(states[i]) != nullptr)
        s_.add(here, fmt::format("{} is a party of this text, and no third state", states[i]));
      else if (!seen.insert(states[i]).second)
        s_.add(here, fmt::format("{} is named twice", states[i]));
    }
  }

  // A word that no node knows would keep for ever what was to go.
  void retention(const Node& root) {
    const Node* n = s_.object(root, "", "retention", true);
    if (n == nullptr) return;
    constexpr std::array<std::string_view, 4> kEnds = {"delete", "delete_unless_open_case", "return", "keep"};
    if (const auto end = s_.text(*n, "/retention", "on_end", false);
        end && std::ranges::find(kEnds, *end) == kEnds.end())
      s_.add("/retention/on_end", "must be delete, delete_unless_open_case, return or keep");
    period(*n, "/retention", "deletion_receipt", false);
    const Node* days = s_.object(*n, "/retention", "max_days", false);
    if (days == nullptr) return;
    for (const auto& [tlp, value] : days->members()) {
      if (value.is_null() || (value.is_int() && value.integer() >= 0)) continue;
      s_.add("/retention/max_days/" + Shape::escape(tlp), "must be a number of days, or null for no end");
    }
  }

  void protections(const Node& root) {
    const Node* list = s_.array(root, "", "protection", true);
    if (list == nullptr) return;
    for (size_t i = 0; i < list->list().size(); ++i) {
      const Node& n = list->list()[i];
      const std::string at = fmt::format("/protection/{}", i);
      if (!s_.is_object(n, at)) continue;
      Protection p;
      p.id = s_.text(n, at, "id", true).value_or("");
      p.art = s_.text(n, at, "art", true).value_or("");
      p.method = s_.text(n, at, "method", true).value_or("");
      if (std::find(kMethods.begin(), kMethods.end(), p.method) == kMethods.end())
        s_.add(at + "/method", "must be remove, generalise, replace or pseudonymise");
      if (const Node* match = s_.object(n, at, "match", true)) {
        p.match = *match;
        protection_match(*match, at + "/match");
      }
      p.keep = s_.strings(n, at, "keep", false);
      p.unless = s_.text(n, at, "unless", false).value_or("");
      p.with = s_.text(n, at, "with", false).value_or("");
      d_.protections.push_back(std::move(p));
    }
  }

  // Closed although the schema leaves it open: a condition that is not understood could not be enforced.
  void protection_match(const Node& match, const std::string& at) {
    s_.closed(match, at, {}, {"type", "role", "fields", "property", "not_in"});
    if (match.find("type") == nullptr && match.find("property") == nullptr)
      s_.add(at, "names neither an object type nor a property: it would protect nothing");
    if (const Node* type = match.find("type"); type != nullptr && !type->is_string())
      s_.strings(match, at, "type", true);
    if (match.find("fields") != nullptr) s_.strings(match, at, "fields", true);
    if (auto v = s_.text(match, at, "role", false); v && *v != "victim")
      s_.add(at + "/role", "the only role known is \"victim\"");
    if (auto v = s_.text(match, at, "property", false); v && *v != "created_by_ref")
      s_.add(at + "/property", "the only property known is \"created_by_ref\"");
    if (auto v = s_.text(match, at, "not_in", false); v && *v != "public-authorities")
      s_.add(at + "/not_in", "the only set known is \"public-authorities\"");
  }

  void duration(const Node& root) {
    const Node* n = s_.object(root, "", "duration", true);
    if (n == nullptr) return;
    const std::string at = "/duration";
    d_.duration_art = s_.text(*n, at, "art", false).value_or("");
    if (const Node* start = s_.object(*n, at, "start", true)) {
      d_.start_rule = s_.text(*start, at + "/start", "rule", true).value_or("");
      d_.start_delay = period(*start, at + "/start", "delay", false).value_or(Period{});
      if (d_.start_rule == "on_nth_notification") {
        auto count = s_.integer(*start, at + "/start", "n", true);
        d_.start_n = static_cast<int>(std::clamp<int64_t>(count.value_or(0), 0, 1000));
        if (count && (*count < 2 || *count > static_cast<int64_t>(d_.parties.size())))
          s_.add(at + "/start/n", "must be from 2 to the number of parties");
      } else if (d_.start_rule == "fixed_date") {
        d_.start_date = internal::read_time(s_, *start, at + "/start", "date");
      } else if (start->find("rule") != nullptr && d_.start_rule != "on_last_signature" &&
                 d_.start_rule != "on_last_notification") {
        s_.add(at + "/start/rule",
               "must be on_last_signature, on_last_notification, on_nth_notification or fixed_date");
      }
    }
    d_.term = period(*n, at, "term", false);
    if (d_.term && d_.term->months == 0 && d_.term->us == 0)
      s_.add(at + "/term", "must be longer than nothing; null is without end");
    if (const Node* r = s_.object(*n, at, "renewal", false)) {
      auto mode = s_.text(*r, at + "/renewal", "mode", true).value_or("none");
      if (mode != "none" && mode != "tacit") s_.add(at + "/renewal/mode", "must be none or tacit");
      d_.tacit_renewal = mode == "tacit";
      d_.renewal_period = period(*r, at + "/renewal", "period", d_.tacit_renewal).value_or(Period{});
      if (d_.tacit_renewal && d_.renewal_period.months == 0 && d_.renewal_period.us < 86'400'000'000)
        s_.add(at + "/renewal/period", "tacit renewal needs a period of at least one day");
      d_.opt_out_notice = period(*r, at + "/renewal", "opt_out_notice", false).value_or(Period{});
    }
    if (const Node* w = s_.object(*n, at, "withdrawal", false))
      d_.withdrawal_notice = period(*w, at + "/withdrawal", "notice", false).value_or(Period{});
    if (const Node* w = s_.object(*n, at, "suspension", false))
      d_.suspension_scopes = s_.strings(*w, at + "/suspension", "scope", false);
    d_.provisional = s_.boolean(*n, at, "provisional", false).value_or(false);
    d_.survives = s_.strings(*n, at, "survives", false);
  }

  void membership(const Node& root) {
    if (const Node* n = s_.object(root, "", "accession", true)) {
      d_.accession_open_to = s_.strings(*n, "/accession", "open_to", false);
      d_.accession_delay = period(*n, "/accession", "delay", false).value_or(Period{});
    }
    if (const Node* n = s_.object(root, "", "declarations", true)) {
      const auto rule = s_.text(*n, "/declarations", "reservations", false).value_or("none");
      if (rule != "none" && rule != "narrowing_only")
        s_.add("/declarations/reservations", "must be none or narrowing_only: a declaration never widens");
      d_.narrowing_declarations = rule == "narrowing_only";
    }
  }

  // Amounts and times are integers or text: no node may round what another signed (agreement.md §3.7).
  void no_floats(const Node& n, const std::string& at) {
    if (n.is_double()) s_.add(at, "numbers with a fraction or exponent are not allowed in a document");
    if (n.is_array())
      for (size_t i = 0; i < n.list().size(); ++i) no_floats(n.list()[i], fmt::format("{}/{}", at, i));
    if (n.is_object())
      for (const auto& [k, v] : n.members()) no_floats(v, at + "/" + Shape::escape(k));
  }

  Shape& s_;
  Document& d_;
};

// Checks 1, 2 and 3: what a flow may say.
void check_flows(const Document& d, Shape& s) {
  for (size_t i = 0; i < d.flows.size(); ++i) {
    const Flow& f = d.flows[i];
    const std::string at = fmt::format("/flows/{}", i);
    if (f.permit && f.ceiling > Tlp::kAmberStrict)
      s.add(at + "/tlp_ceiling", "a permit goes no higher than amber+strict: TLP:RED is for named persons (check 1)");
    if (f.permit && f.floor > f.ceiling)
      s.add(at + "/tlp_floor", "the floor is above the ceiling of this permit (check 2)");
    for (auto [list, name] : {std::pair{&f.from, "from"}, std::pair{&f.to, "to"}})
      for (size_t k = 0; k < list->size(); ++k)
        if ((*list)[k] != "*" && d.party((*list)[k]) == nullptr)
          s.add(fmt::format("{}/{}/{}", at, name, k),
                fmt::format("\"{}\" is no party of this document (check 3)", (*list)[k]));
  }
}

// Check 4: every article that is cited exists and the machine looks after it. `n` is walked whole, so a new block
// cannot be forgotten.
void check_articles(const Document& d, const Node& n, const std::string& at, Shape& s) {
  if (n.is_array())
    for (size_t i = 0; i < n.list().size(); ++i) check_articles(d, n.list()[i], fmt::format("{}/{}", at, i), s);
  if (!n.is_object()) return;
  for (const auto& [name, value] : n.members()) {
    const std::string here = at + "/" + Shape::escape(name);
    if (here == "/articles") continue;
    if (name != "art" || !value.is_string()) {
      check_articles(d, value, here, s);
      continue;
    }
    const std::string& art = value.string();
    auto it = d.articles.find(art);
    if (it == d.articles.end()) it = d.articles.find(base_article(art));
    if (!is_article(art))
      s.add(here, "an article is written like 3 or 3(1)");
    else if (it == d.articles.end())
      s.add(here, fmt::format("article {} is not in the list of articles (check 4)", art));
    else if (it->second == "human")
      s.add(here, fmt::format("article {} is left to people, so no rule can rest on it (check 4)", art));
    else if (at.starts_with("/flows/") && it->second != "enforced")
      s.add(here, fmt::format("a flow needs an article that is enforced; {} is only {} (check 4)", art, it->second));
  }
}

// Check 5: a project stays inside its parent.
void check_projects(const Document& d, const Node& root, Shape& s) {
  const Node* list = root.find("projects");
  if (list == nullptr || !list->is_array()) return;
  std::optional<Tlp> top;
  for (const Flow& f : d.flows)
    if (f.permit) top = std::max(top.value_or(Tlp::kClear), f.ceiling);
  for (size_t i = 0; i < list->list().size(); ++i) {
    const Node& p = list->list()[i];
    const std::string at = fmt::format("/projects/{}", i);
    if (!s.is_object(p, at)) continue;
    auto ceiling = stix::parse_tlp(p.string_at("tlp_ceiling"));
    if (!ceiling || !top || *ceiling > *top)
      s.add(at + "/tlp_ceiling", "must be stated and not above the ceiling of the parent (check 5)");
    if (auto floor = stix::parse_tlp(p.string_at("tlp_floor"));
        p.find("tlp_floor") != nullptr && (!floor || (ceiling && *floor > *ceiling)))
      s.add(at + "/tlp_floor", "must not be above the ceiling of the project (check 5)");
    const auto sectors = s.strings(p, at, "sectors", true);
    for (size_t k = 0; k < sectors.size(); ++k)
      if (!has(d.sectors, sectors[k]))
        s.add(fmt::format("{}/sectors/{}", at, k), "not a sector of the parent (check 5)");
    auto from = parse_time(p.string_at("not_before"));
    auto to = parse_time(p.string_at("not_after"));
    if (!from.ok() || !to.ok() || *to <= *from) {
      s.add(at + "/not_after", "a project states not_before and a later not_after (check 5)");
    } else {
      if (d.start_date && *from < *d.start_date) s.add(at + "/not_before", "before the start of the parent (check 5)");
      const Time begin = d.start_date.value_or(*from);
      if (d.term && !d.tacit_renewal && *to > add(begin, *d.term))
        s.add(at + "/not_after", "longer than the term of the parent (check 5)");
    }
  }
}

int total(const std::map<std::string, int>& q) {
  int n = 0;
  for (const auto& [role, count] : q) n += count;
  return n;
}

// Check 6: narrowing is never harder than anything else; and whatever can widen takes two persons (agreement.md §3.1).
void check_quorums(const Document& d, Shape& s) {
  auto narrow = d.quorum.find("narrow");
  for (const auto& [kind, q] : d.quorum) {
    const std::string at = "/signing/act/" + Shape::escape(kind);
    if (narrow != d.quorum.end() && total(q) < total(narrow->second))
      s.add(at, fmt::format("needs fewer signatures than \"narrow\": narrowing must be the easiest act (check 6)"));
    if ((kind == "sign" || kind == "amend" || kind == "resume") && total(q) < 2)
      s.add(at, "can widen what is shared and so needs two persons (agreement.md §3.1)");
  }
}

// Checks 7, 9 and 10: keys.
void check_keys(const Document& d, Shape& s) {
  struct Seen {
    std::string kid;
    KeyRole role;
  };
  std::map<std::string, Seen> publics;
  std::set<std::string> kids;
  for (size_t i = 0; i < d.parties.size(); ++i) {
    size_t authorities = 0;
    for (size_t k = 0; k < d.parties[i].keys.size(); ++k) {
      const KeyRecord& key = d.parties[i].keys[k];
      const std::string at = fmt::format("/parties/{}/keys/{}", i, k);
      authorities += key.role == KeyRole::kAuthority;
      if (!kids.insert(key.kid).second) s.add(at + "/kid", fmt::format("\"{}\" names two keys (check 9)", key.kid));
      auto [it, fresh] = publics.emplace(key.public_hex, Seen{key.kid, key.role});
      if (fresh) continue;
      const bool log_and_witness = (it->second.role == KeyRole::kLog && key.role == KeyRole::kWitness) ||
                                   (it->second.role == KeyRole::kWitness && key.role == KeyRole::kLog);
      s.add(at + "/public",
            log_and_witness
                ? fmt::format("the same key is log and witness ({}): they must be separate (check 7)", it->second.kid)
                : fmt::format("the same key as {}: one key has one name and one role", it->second.kid));
    }
    if (authorities < 2)
      s.add(fmt::format("/parties/{}/keys", i),
            fmt::format("{} has {} authority keys and needs at least 2 (check 10)", d.parties[i].party, authorities));
  }
}

// Nobody signs beside a party whose name is made to be taken for another's (threat-model.md 5).
void check_names(const Document& d, Shape& s) {
  std::map<std::string, std::string> seen;  // skeleton -> party
  for (size_t i = 0; i < d.parties.size(); ++i) {
    const Party& p = d.parties[i];
    const std::string at = fmt::format("/parties/{}/name", i);
    if (const std::string why = internal::misleading(p.name); !why.empty())
      s.add(at, fmt::format("the name of {} {}: write it as it is read", printable(p.party), why));
    const auto [it, fresh] = seen.emplace(internal::skeleton(p.name), p.party);
    if (!fresh)
      s.add(at, fmt::format("the names of {} and {} look the same: nobody could tell who signs", printable(it->second),
                            printable(p.party)));
  }
}

// Check 8: what the engine never does is also written down.
void check_never(const Document& d, Shape& s) {
  for (auto action : kBuiltInNever)
    if (!has(d.actions.never, action)) s.add("/actions/never", fmt::format("must contain \"{}\" (check 8)", action));
}

Error summary(const std::vector<Problem>& problems) {
  std::string what = problems.front().message;
  if (problems.size() > 1) what += fmt::format(" (and {} more)", problems.size() - 1);
  return invalid(std::move(what), problems.front().pointer,
                 "correct the document; `entente agreement check FILE` lists every problem");
}

}  // namespace

std::string_view to_text(KeyRole role) {
  switch (role) {
    case KeyRole::kPlenipotentiary:
      return "plenipotentiary";
    case KeyRole::kAuthority:
      return "authority";
    case KeyRole::kNode:
      return "node";
    case KeyRole::kLog:
      return "log";
    case KeyRole::kWitness:
      return "witness";
  }
  return "";
}

const Party* Document::party(std::string_view code) const {
  for (const Party& p : parties)
    if (p.party == code) return &p;
  return nullptr;
}

const KeyRecord* Document::key(std::string_view kid, const Party** owner) const {
  for (const Party& p : parties)
    for (const KeyRecord& k : p.keys)
      if (k.kid == kid) {
        if (owner != nullptr) *owner = &p;
        return &k;
      }
  return nullptr;
}

Result<Document> parse_document(std::string_view text, std::vector<Problem>* problems) {
  json::Limits limits;
  limits.max_bytes = kMaxDocumentBytes;
  auto parsed = json::parse(text, limits);
  if (!parsed.ok()) {
    if (problems != nullptr) *problems = {{"", parsed.error().text()}};
    return std::move(parsed).error();
  }
  return document_from(Node::from(parsed->root()), problems);
}

Result<Document> document_from(Node node, std::vector<Problem>* problems) {
  Shape shape;
  Document d;
  if (shape.is_object(node, "")) {
    Reader(shape, d).read(node);
    check_flows(d, shape);
    check_articles(d, node, "", shape);
    check_projects(d, node, shape);
    internal::check_ledger(d, node, shape);
    check_quorums(d, shape);
    check_keys(d, shape);
    check_never(d, shape);
    check_names(d, shape);
  }
  if (problems != nullptr) *problems = shape.problems;
  if (!shape.problems.empty()) return summary(shape.problems);
  d.canonical = json::canonical(node);
  d.hash = sha256_hex(d.canonical);
  d.node = std::move(node);
  return d;
}

std::vector<Problem> check_texts(const Document& doc, const std::map<std::string, std::string>& texts) {
  std::vector<Problem> out;
  const Node* list = doc.node.find("authentic_texts");
  if (list == nullptr || !list->is_array()) return out;
  for (size_t i = 0; i < list->list().size(); ++i) {
    const Node& t = list->list()[i];
    const std::string at = fmt::format("/authentic_texts/{}", i);
    const std::string lang(t.string_at("lang"));
    auto it = texts.find(lang);
    if (it == texts.end()) {
      out.push_back({at, fmt::format("the {} text is not attached (check 11)", lang)});
      continue;
    }
    if (sha256_hex(it->second) != t.string_at("sha256"))
      out.push_back({at + "/sha256", fmt::format("the attached {} text has another hash (check 11)", lang)});
    if (const Node* bytes = t.find("bytes");
        bytes == nullptr || !bytes->is_int() || static_cast<uint64_t>(bytes->integer()) != it->second.size())
      out.push_back(
          {at + "/bytes", fmt::format("the attached {} text has {} octets (check 11)", lang, it->second.size())});
  }
  return out;
}

}  // namespace entente::agreement
