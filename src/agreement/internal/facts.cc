#include "agreement/internal/facts.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "stix/object.h"

namespace entente::agreement::internal {
namespace {

class Reader {
 public:
  Reader(Facts& facts, Arena& arena) : f_(facts), arena_(arena) {}

  void object(const json::Value& root) {
    std::string_view created, modified;
    for (const auto field : json::Object(root)) {
      const std::string_view key = field.key;
      std::string_view text;
      const bool is_text = field.value.get(text) == simdjson::SUCCESS;
      if (is_text) {
        if (key == "type")
          f_.type = arena_.keep(text);
        else if (key == "id")
          f_.id = arena_.keep(text);
        else if (key == "modified")
          modified = text;
        else if (key == "created")
          created = text;
        else if (key == "relationship_type")
          f_.relationship_type = arena_.keep(text);
        else if (key == "result")
          f_.has_result = true;
        if (is_telling(key)) f_.telling.push_back(arena_.keep(text));
      } else if (key == "aliases") {
        strings(field.value, f_.telling);
      } else if (key == "hashes") {
        hashes(field.value);
      }
      if (key == "labels") projects(field.value);
      if (key == "sectors")
        strings(field.value, f_.sectors);
      else if (key == "roles")
        roles(field.value);
      else if (key == "granular_markings")
        granular(field.value);
      else
        member(key, field.value, true);
    }
    f_.version = arena_.keep(modified.empty() ? created : modified);
    f_.valid = !f_.type.empty() && !f_.id.empty();
    if (f_.type == "marking-definition") marking(root);
    // Links and definitions have no name of their own that could give anything away.
    if (f_.type == "relationship" || f_.type == "sighting" || f_.type == "marking-definition" ||
        f_.type == "extension-definition")
      f_.telling.clear();
  }

 private:
  static bool is_telling(std::string_view key) {
    return key == "name" || key == "value" || key == "account_login" || key == "user_id" || key == "display_name" ||
           key == "contact_information" || key == "serial_number" || key == "path";
  }

  void hashes(const json::Value& v) {
    json::Object object;
    if (v.get(object) != simdjson::SUCCESS) return;
    for (const auto field : object)
      if (std::string_view text; field.value.get(text) == simdjson::SUCCESS) f_.telling.push_back(arena_.keep(text));
  }

  void projects(const json::Value& v) {
    constexpr std::string_view kPrefix = "entente-project:";
    json::Array list;
    if (v.get(list) != simdjson::SUCCESS) return;
    for (const auto item : list)
      if (std::string_view text; item.get(text) == simdjson::SUCCESS && text.starts_with(kPrefix))
        f_.projects.push_back(arena_.keep(text.substr(kPrefix.size())));
  }

  template <class List>
  void strings(const json::Value& v, List& out) {
    json::Array list;
    if (v.get(list) != simdjson::SUCCESS) return;
    for (const auto item : list) {
      std::string_view text;
      if (item.get(text) == simdjson::SUCCESS) out.push_back(arena_.keep(text));
    }
  }

  void roles(const json::Value& v) {
    json::Array list;
    if (v.get(list) != simdjson::SUCCESS) return;
    for (const auto item : list) {
      std::string_view text;
      if (item.get(text) == simdjson::SUCCESS && ascii_lower(text) == "victim") f_.victim_role = true;
    }
  }

  void granular(const json::Value& v) {
    json::Array list;
    if (v.get(list) != simdjson::SUCCESS) return;
    for (const auto item : list) {
      auto marking = json::find_string(item, "marking_ref");
      if (!marking) {
        // A language mark is no access mark; an entry that is neither is not understood.
        if (!json::find_string(item, "lang")) f_.granular.push_back({"", {}});
        continue;
      }
      GranularMark g{arena_.keep(*marking), {}};
      if (auto selectors = json::find(item, "selectors")) strings(*selectors, g.selectors);
      f_.refs.push_back({"marking_ref", g.marking, RefKind::kGranular, true, 0, -1});
      f_.granular.push_back(std::move(g));
    }
  }

  // The same places as stix::for_each_reference, without building pointers.
  void member(std::string_view key, const json::Value& v, bool top) {
    std::string_view text;
    json::Array list;
    json::Object object;
    if (key.ends_with("_ref") && v.get(text) == simdjson::SUCCESS) {
      if (text.find("--") == std::string_view::npos) return;
      if (top && key == "created_by_ref") f_.has_created_by = true;
      const RefKind kind = top && key == "created_by_ref" ? RefKind::kCreatedBy : RefKind::kSingle;
      f_.refs.push_back({known_name(key), arena_.keep(text), kind, top, 0, -1});
    } else if (v.get(list) == simdjson::SUCCESS) {
      const bool refs = key.ends_with("_refs");
      const uint32_t number = refs ? ++lists_ : 0;
      for (const auto item : list) {
        if (refs && item.get(text) == simdjson::SUCCESS && text.find("--") != std::string_view::npos) {
          const RefKind kind = top && key == "object_marking_refs" ? RefKind::kMarking : RefKind::kList;
          f_.refs.push_back({known_name(key), arena_.keep(text), kind, top, number, -1});
        } else {
          member({}, item, false);
        }
      }
    } else if (v.get(object) == simdjson::SUCCESS) {
      for (const auto field : object) member(field.key, field.value, false);
    }
  }

  std::string_view known_name(std::string_view key) {
    if (key == "created_by_ref") return "created_by_ref";
    if (key == "object_marking_refs") return "object_marking_refs";
    return arena_.keep(key);
  }

  void marking(const json::Value& root) {
    if (stix::tlp_of_id(f_.id)) {  // the right id with other content is no TLP mark
      auto tlp = stix::tlp_of_definition(root);
      f_.marking = tlp ? MarkingKind::kTlp : MarkingKind::kUnknown;
      f_.tlp = tlp.value_or(Tlp::kRed);
      return;
    }
    f_.marking = MarkingKind::kUnknown;
    if (auto pap = stix::pap_of_definition(root)) {
      f_.marking = MarkingKind::kPap;
      f_.pap = *pap;
      return;
    }
    if (auto policy = stix::policy_of_definition(root)) {
      f_.marking = MarkingKind::kPolicy;
      f_.policy = std::make_shared<const stix::MarkingPolicy>(std::move(*policy));
      return;
    }
    // A statement without force of its own. One that speaks of TLP, PAP or AIS in words that are not recognised is not
    // understood, as is anything that comes with an extension.
    auto definition = json::find(root, "definition");
    auto statement = definition ? json::find_string(*definition, "statement") : std::nullopt;
    if (!statement || json::find_string(root, "definition_type") != "statement" || json::find(root, "extensions"))
      return;
    const std::string lower = ascii_lower(*statement);
    if (!lower.starts_with("tlp") && !lower.starts_with("pap") && !lower.starts_with("ais-marking"))
      f_.marking = MarkingKind::kStatement;
  }

  Facts& f_;
  Arena& arena_;
  uint32_t lists_ = 0;
};

}  // namespace

std::string_view Arena::keep(std::string_view text) {
  if (text.empty()) return {};
  if (text.size() > left_) {
    const size_t n = std::max(kChunk, text.size());
    chunks_.push_back(std::make_unique<char[]>(n));
    next_ = chunks_.back().get();
    left_ = n;
  }
  std::memcpy(next_, text.data(), text.size());
  const std::string_view kept(next_, text.size());
  next_ += text.size();
  left_ -= text.size();
  return kept;
}

Facts read_facts(std::string_view raw, json::Document& doc, Arena& arena) {
  Facts f(arena.lists());
  if (!doc.parse(raw).ok() || !doc.root().is_object()) return f;
  f.refs.reserve(4);  // most have two or three; what is outgrown stays in the arena
  Reader(f, arena).object(doc.root());
  return f;
}

}  // namespace entente::agreement::internal
