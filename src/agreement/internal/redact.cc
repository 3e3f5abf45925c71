#include "agreement/internal/redact.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "agreement/internal/stix_rules.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "stix/validate.h"

namespace entente::agreement::internal {
namespace {

using json::Node;

constexpr std::string_view kPlaceholder = "(withheld)";

std::string_view top_of(std::string_view selector) { return selector.substr(0, selector.find('.')); }
bool has(const std::vector<std::string>& list, std::string_view x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

// Vocabulary and structure say nothing about one particular victim.
bool says_nothing(std::string_view property) {
  static constexpr std::array<std::string_view, 14> kWords = {
      "roles",          "labels",  "sectors", "identity_class", "lang", "kill_chain_phases",   "confidence",
      "created_by_ref", "revoked", "type",    "spec_version",   "id",   "object_marking_refs", "granular_markings"};
  return std::find(kWords.begin(), kWords.end(), property) != kWords.end() || property.ends_with("_types") ||
         property.ends_with("_ref") || property.ends_with("_refs");
}

// Labels by which a project knows what is its own are no words about it.
bool says_project(const Facts& facts, std::string_view property) {
  return property == "labels" && !facts.projects.empty();
}

// Prose and names; of a part that was redacted for its marking only these are looked for in other objects.
bool is_prose(std::string_view property) {
  static constexpr std::array<std::string_view, 9> kProse = {
      "description", "contact_information", "aliases",  "display_name", "account_login",
      "user_id",     "objective",           "abstract", "summary"};
  return std::find(kProse.begin(), kProse.end(), property) != kProse.end();
}

void collect(const Node& n, std::vector<std::string>& out) {
  if (n.is_string()) {
    if (n.string() != kPlaceholder) out.push_back(n.string());
  } else if (n.is_array()) {
    for (const Node& x : n.list()) collect(x, out);
  } else if (n.is_object()) {
    for (const auto& [k, v] : n.members()) collect(v, out);
  }
}

// Marks of what is gone would select nothing, which STIX 2.1 §7.2.3 forbids.
void prune_granular(Node& object) {
  Node* marks = object.find("granular_markings");
  if (marks == nullptr || !marks->is_array()) return;
  Node kept = Node::array();
  for (Node& mark : marks->list()) {
    Node* selectors = mark.find("selectors");
    if (selectors != nullptr && selectors->is_array()) {
      std::erase_if(selectors->list(),
                    [&object](const Node& s) { return s.is_string() && object.find(top_of(s.string())) == nullptr; });
      if (selectors->list().empty()) continue;
    }
    kept.push(std::move(mark));
  }
  if (kept.list().empty())
    object.erase("granular_markings");
  else
    *marks = std::move(kept);
}

class Changer {
 public:
  Changer(Node& object, const Facts& facts, const OwnContext& context, OwnChange& out)
      : o_(object), f_(facts), c_(context), out_(out) {}

  void remove_parts(const std::vector<size_t>& parts) {
    for (size_t i : parts) {
      for (std::string_view selector : f_.granular[i].selectors) {
        const std::string_view top = top_of(selector);
        const Node* value = o_.find(top);
        if (value == nullptr) continue;
        if (!is_removable(f_.type, top) || says_project(f_, top))
          return fail("ABOVE_CEILING", c_.article, "a part that cannot be left out is marked above the ceiling");
        if (is_prose(top)) collect(*value, out_.stripped);
        o_.erase(top);
        note("PROPERTY_REDACTED", c_.article, fmt::format("{} is marked above the ceiling", top));
      }
    }
  }

  void protect(const Protection& p) {
    if (p.match.find("property") != nullptr) return anonymise(p.art);
    const bool victim_rule = p.match.find("role") != nullptr;
    if (!type_matches(p) || (victim_rule && !c_.victim)) return;
    const std::string_view code = victim_rule ? "VICTIM_STRIPPED" : "PERSONAL_DATA_REMOVED";
    const Node* fields = p.match.find("fields");
    if (p.method == "remove" && fields == nullptr) return fail(code, p.art, "such objects are not given at all");
    const bool changed = p.method == "remove" ? remove_fields(*fields) : generalise(p);
    if (failed_) return fail(code, p.art, "a property that STIX requires would have to go");
    if (changed) note(code, p.art, fmt::format("rule {}", p.id));
  }

  void anonymise(std::string_view article) {
    if (c_.public_creator || o_.find("created_by_ref") == nullptr) return;  // also if its mark has taken it out already
    if (c_.my_identity.empty())
      o_.erase("created_by_ref");
    else
      o_.set("created_by_ref", c_.my_identity);
    note("REPORTER_ANONYMISED", article, "created_by_ref names the releasing party instead");
  }

 private:
  bool type_matches(const Protection& p) const {
    const Node* type = p.match.find("type");
    if (type == nullptr) return false;
    if (type->is_string()) return type->string() == f_.type;
    return type->is_array() && std::any_of(type->list().begin(), type->list().end(),
                                           [this](const Node& t) { return t.is_string() && t.string() == f_.type; });
  }

  bool take(const std::string& name) {
    Node* value = o_.find(name);
    if (value == nullptr) return false;
    if (says_project(f_, name)) return keep_project_labels(*value);
    if (is_removable(f_.type, name)) {
      if (!says_nothing(name)) collect(*value, out_.stripped);
      o_.erase(name);
      return true;
    }
    if (name != "name" || !value->is_string()) {
      failed_ = true;
      return false;
    }
    if (value->string() == kPlaceholder) return false;
    out_.stripped.push_back(value->string());
    *value = Node(kPlaceholder);
    return true;
  }

  // For which project it goes has to stay: the receiver passes it on for that project only.
  static bool keep_project_labels(Node& labels) {
    return labels.is_array() && std::erase_if(labels.list(), [](const Node& l) {
                                  return !l.is_string() ||
                                         !std::string_view(l.string()).starts_with("entente-project:");
                                }) > 0;
  }

  bool remove_fields(const Node& fields) {
    bool changed = false;
    if (fields.is_array())
      for (const Node& f : fields.list())
        if (f.is_string()) changed |= take(f.string());
    return changed;
  }

  // Keeps the structure and what the rule lists; a required name becomes a word that names nobody.
  bool generalise(const Protection& p) {
    std::vector<std::string> names;
    for (const auto& [name, value] : o_.members()) names.push_back(name);
    bool changed = false;
    for (const std::string& name : names) {
      static constexpr std::array<std::string_view, 10> kStructure = {"type",
                                                                      "id",
                                                                      "spec_version",
                                                                      "created",
                                                                      "modified",
                                                                      "revoked",
                                                                      "defanged",
                                                                      "created_by_ref",
                                                                      "object_marking_refs",
                                                                      "granular_markings"};
      if (std::find(kStructure.begin(), kStructure.end(), name) != kStructure.end() || has(p.keep, name)) continue;
      if (name == "extensions") {  // may hold anything, the victim's name among it
        collect(*o_.find(name), out_.stripped);
        o_.erase(name);
        changed = true;
        continue;
      }
      changed |= take(name);
    }
    return changed;
  }

  void note(std::string_view code, std::string_view article, std::string text) {
    out_.notes.push_back({code, c_.doc->agreement_id, c_.doc->hash, std::string(article), std::move(text)});
  }
  void fail(std::string_view code, std::string_view article, std::string text) {
    if (!out_.withhold)
      out_.withhold = Reason{code, c_.doc->agreement_id, c_.doc->hash, std::string(article), std::move(text)};
  }

  Node& o_;
  const Facts& f_;
  const OwnContext& c_;
  OwnChange& out_;
  bool failed_ = false;
};

// Rewrites references and mentions in everything below `n`.
class Rewriter {
 public:
  explicit Rewriter(const Rewrite& how) : how_(how) {}
  // Old index -> new index (or none) of the entries of top-level lists that lost some.
  std::map<std::string, std::vector<std::optional<size_t>>, std::less<>> moved;

  void members(Node& object, bool top) {
    std::vector<std::string> gone;
    for (auto& [name, value] : object.members()) {
      if (top && (name == "id" || name == "created_by_ref" || name == "object_marking_refs")) continue;
      if (top && name == "granular_markings") continue;
      if (name.ends_with("_ref") && value.is_string() && value.string().find("--") != std::string::npos) {
        auto id = (*how_.resolve)(value.string());
        if (id)
          value = Node(*id);
        else
          gone.push_back(name);
      } else if (name.ends_with("_refs") && value.is_array()) {
        list(value, top ? name : std::string());
        if (value.list().empty()) gone.push_back(name);
      } else {
        any(value);
      }
    }
    for (const auto& name : gone) object.erase(name);
    for (auto& [name, value] : object.members()) replace_mentions(name);
  }

 private:
  void any(Node& n) {
    if (n.is_string())
      replace_mentions(n.string());
    else if (n.is_object())
      members(n, false);
    else if (n.is_array())
      for (Node& x : n.list()) any(x);
  }

  void list(Node& value, const std::string& name) {
    Node kept = Node::array();
    std::vector<std::optional<size_t>> to;
    for (Node& x : value.list()) {
      std::optional<std::string_view> id;
      if (x.is_string() && x.string().find("--") != std::string::npos) {
        id = (*how_.resolve)(x.string());
        if (!id) {
          to.emplace_back(std::nullopt);
          continue;
        }
        x = Node(*id);
      } else {
        any(x);
      }
      to.emplace_back(kept.list().size());
      kept.push(std::move(x));
    }
    if (!name.empty() && kept.list().size() != to.size()) moved.emplace(name, std::move(to));
    value = std::move(kept);
  }

  void replace_mentions(std::string& text) {
    for (const auto& [from, to] : how_.mentions)
      for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
  }

  const Rewrite& how_;
};

// Selectors such as object_refs.[2] follow their entry; false if the entry is gone.
bool follow(std::string& selector, const std::vector<std::optional<size_t>>& to) {
  const size_t open = selector.find(".[");
  if (open == std::string::npos) return true;
  const size_t close = selector.find(']', open);
  size_t index = 0;
  if (close == std::string::npos ||
      std::from_chars(selector.data() + open + 2, selector.data() + close, index).ec != std::errc())
    return false;
  if (index >= to.size() || !to[index]) return false;
  selector = fmt::format("{}.[{}]{}", selector.substr(0, open), *to[index], selector.substr(close + 1));
  return true;
}

}  // namespace

namespace {

bool is_stix(const json::Value& object) {
  std::vector<stix::Finding> findings;
  return stix::validate(object, {.strict = false, .warnings = false}, findings);
}

Reason broken_by(const std::vector<Reason>& notes) {
  Reason out{"ABOVE_CEILING", "", "", "", "without the part that is marked above the ceiling it is not STIX any more"};
  for (const std::string_view code : {"VICTIM_STRIPPED", "PERSONAL_DATA_REMOVED"})
    for (const Reason& n : notes)
      if (n.code == code) out = {code, n.agreement, n.version, n.article, "without it the object is not STIX any more"};
  if (out.article.empty() && !notes.empty())
    out.agreement = notes[0].agreement, out.version = notes[0].version, out.article = notes[0].article;
  return out;
}

}  // namespace

bool touched_by_protection(const Facts& facts, const OwnContext& context) {
  if (context.anonymous && facts.has_created_by && !context.public_creator) return true;
  for (const Protection& p : context.doc->protections) {
    if (p.match.find("property") != nullptr) {
      if (facts.has_created_by && !context.public_creator) return true;
      continue;
    }
    if (p.match.find("role") != nullptr && !context.victim) continue;
    const Node* type = p.match.find("type");
    if (type == nullptr) continue;
    if (type->is_string() ? type->string() == facts.type
                          : std::any_of(type->list().begin(), type->list().end(),
                                        [&](const Node& t) { return t.is_string() && t.string() == facts.type; }))
      return true;
  }
  return false;
}

bool parts_removable(const Facts& facts, const std::vector<size_t>& parts) {
  return std::all_of(parts.begin(), parts.end(), [&facts](size_t i) {
    const auto& selectors = facts.granular[i].selectors;
    return !selectors.empty() && std::all_of(selectors.begin(), selectors.end(), [&facts](std::string_view s) {
      return is_removable(facts.type, top_of(s)) && !says_project(facts, top_of(s));
    });
  });
}

OwnChange change_own(std::string_view raw, const Facts& facts, const std::vector<size_t>& parts,
                     const OwnContext& context) {
  OwnChange out;
  auto doc = json::parse(raw);
  if (!doc.ok()) {
    out.withhold = Reason{"REVIEW_REQUIRED", "", "", "", "not readable as JSON"};
    return out;
  }
  const Node before = Node::from(doc->root());
  Node object = before;
  Changer changer(object, facts, context, out);
  changer.remove_parts(parts);
  if (context.anonymous && !out.withhold) changer.anonymise(context.article);
  for (const Protection& p : context.doc->protections)
    if (!out.withhold) changer.protect(p);
  prune_granular(object);
  out.changed = !(object == before);
  if (out.changed && !out.withhold && is_stix(doc->root())) {
    // Some types need one of several properties (an account without any is none, STIX 2.1 §6.16): what is left of such
    // an object is not STIX any more, and the whole stays here.
    auto after = json::parse(json::write(object));
    if (!after.ok() || !is_stix(after->root())) out.withhold = broken_by(out.notes);
  }
  if (out.withhold && (out.withhold->code == "VICTIM_STRIPPED" || out.withhold->code == "PERSONAL_DATA_REMOVED")) {
    // The object goes as a whole, and with it all that it says.
    out.stripped.assign(facts.telling.begin(), facts.telling.end());
  }
  if (out.changed) out.text = json::write(object);
  return out;
}

std::string rewrite(std::string_view text, const Rewrite& how) {
  auto doc = json::parse(text);
  if (!doc.ok()) return {};
  Node object = Node::from(doc->root());
  Rewriter rewriter(how);
  rewriter.members(object, true);
  object.set("id", how.new_id);
  const std::string type(object.string_at("type"));
  if (how.my_identity.empty())
    object.erase("created_by_ref");
  else if (object.find("created_by_ref") != nullptr || (is_standard_type(type) && !is_sco_type(type)))
    object.set("created_by_ref", how.my_identity);
  if (Node* marks = object.find("granular_markings"); marks != nullptr && marks->is_array()) {
    for (Node& mark : marks->list()) {
      Node* selectors = mark.find("selectors");
      if (selectors == nullptr || !selectors->is_array()) continue;
      std::erase_if(selectors->list(), [&rewriter](Node& s) {
        if (!s.is_string()) return false;
        auto it = rewriter.moved.find(top_of(s.string()));
        return it != rewriter.moved.end() && !follow(s.string(), it->second);
      });
    }
    std::erase_if(marks->list(), [](const Node& mark) {
      const Node* selectors = mark.find("selectors");
      return selectors != nullptr && selectors->is_array() && selectors->list().empty();
    });
  }
  prune_granular(object);
  return json::write(object);
}

}  // namespace entente::agreement::internal
