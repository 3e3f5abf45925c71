#include "stix/validate_set.h"

#include <algorithm>
#include <map>
#include <optional>

#include "stix/internal/bounded_table.h"
#include "stix/internal/circles.h"
#include "stix/internal/codes.h"
#include "stix/internal/content_hash.h"
#include "stix/internal/model.h"
#include "stix/internal/text_ring.h"
#include "stix/internal/translation.h"
#include "stix/marking.h"
#include "stix/object.h"
#include "stix/timestamp.h"

namespace entente::stix {
namespace {

using internal::Rule;

// What is remembered of an id.
struct IdEntry {
  uint64_t key = 0;
  uint64_t created = 0;  // hash of the instant; 0: none
  uint64_t creator = 0;  // hash of created_by_ref; 0: none
  Timestamp newest;
  Timestamp revoked;  // the earliest version that revokes
  bool is_revoked = false;
  internal::TextRing::Place text;  // of the newest version
};

struct VersionEntry {
  uint64_t key = 0;  // id and modified
  uint64_t content = 0;
};

uint64_t hash_of(const Timestamp& t) {
  return internal::text_hash(std::string_view(reinterpret_cast<const char*>(&t.s), sizeof(t.s))) * 31 + t.ns + 1;
}

// The version of an object; for those without versions, only the id.
uint64_t version_key(uint64_t id, const std::optional<Timestamp>& modified) {
  return modified ? id ^ (hash_of(*modified) * 0x9e3779b97f4a7c15U) : ~id;
}

// A translation whose original was not seen yet.
struct Waiting {
  std::string id;
  std::string text;
  std::optional<Timestamp> modified;  // of the version that it translates
  bool original_seen = false;         // in another version
};

std::optional<Timestamp> time_of(const json::Value& object, std::string_view name) {
  const auto text = json::find_string(object, name);
  return text ? parse_timestamp(*text) : std::nullopt;
}

}  // namespace

struct SetValidator::State {
  explicit State(const Options& o)
      : options(o),
        ids(o.memory / 2),
        versions(o.memory / 4),
        texts(std::max<size_t>(o.memory / 8, 4096)),
        few(o.memory / 8) {}

  Options options;
  internal::BoundedTable<IdEntry> ids;
  internal::BoundedTable<VersionEntry> versions;
  internal::TextRing texts;
  size_t few;  // octets left for markings and translations that wait, of which there are few
  bool forgot = false;
  internal::Graph markings;
  std::multimap<uint64_t, Waiting> waiting;  // by the hash of the original's id
  json::Document scratch, scratch2;

  void report(std::vector<SetFinding>& out, Rule rule, std::string_view object, std::string pointer,
              std::string message) const {
    const CodeInfo& code = internal::info(rule);
    if (code.level == Finding::Level::kWarning && !options.warnings) return;
    message += " (STIX 2.1 §" + std::string(code.section) + ")";
    out.push_back({std::string(object), {code.code, code.level, std::move(pointer), std::move(message)}});
  }

  bool spend(size_t octets) {
    if (octets > few) {
      forgot = true;
      return false;
    }
    few -= octets;
    return true;
  }

  void versions_of(const json::Value& object, std::string_view id, IdEntry& entry, bool is_new,
                   std::vector<SetFinding>& out) const;
  bool repeated(const json::Value& object, std::string_view id, uint64_t key, bool sco,
                const std::optional<Timestamp>& modified, std::vector<SetFinding>& out);
  void remember_marking(const json::Value& object, std::string_view id);
  void translation(const json::Value& object, std::string_view text, std::string_view id, std::vector<SetFinding>& out);
  void original(const json::Value& object, uint64_t key, const std::optional<Timestamp>& modified,
                std::vector<SetFinding>& out);
  void compare(const json::Value& language_content, const json::Value& original, std::string_view id,
               std::vector<SetFinding>& out) const;
};

SetValidator::SetValidator() : SetValidator(Options{}) {}
SetValidator::SetValidator(const Options& options) : state_(std::make_unique<State>(options)) {}
SetValidator::SetValidator(SetValidator&&) noexcept = default;
SetValidator& SetValidator::operator=(SetValidator&&) noexcept = default;
SetValidator::~SetValidator() = default;

bool SetValidator::complete() const { return !state_->forgot && state_->ids.complete() && state_->versions.complete(); }

void SetValidator::add(const json::Value& object, std::string_view text, std::vector<SetFinding>& out) {
  State& s = *state_;
  const auto type = json::find_string(object, "type");
  const auto id = json::find_string(object, "id");
  if (!type || !id || *type == "bundle") return;
  const internal::Type* known = internal::find_type(*type);
  const bool sco = known != nullptr && known->cls == Class::kSco;
  // Observables and markings have no versions (§3.6); an observable may change under one id.
  const auto modified = sco || *type == "marking-definition" ? std::nullopt : time_of(object, "modified");
  const uint64_t key = internal::text_hash(*id);

  if (!s.repeated(object, *id, key, sco, modified, out)) return;
  IdEntry* entry = s.ids.find(key);
  const bool is_new = entry == nullptr;
  if (is_new) {
    IdEntry fresh;
    fresh.key = key;
    entry = &s.ids.insert(fresh);
  }
  const bool newest = is_new || (modified && *modified > entry->newest);
  if (newest) entry->text = s.texts.put(text);
  if (modified) s.versions_of(object, *id, *entry, is_new, out);
  if (!s.waiting.empty()) s.original(object, key, modified, out);
  if (*type == "marking-definition") s.remember_marking(object, *id);
  if (*type == "language-content") s.translation(object, text, *id, out);
}

// S22, S42: whether this version is seen for the first time.
bool SetValidator::State::repeated(const json::Value& object, std::string_view id, uint64_t key, bool sco,
                                   const std::optional<Timestamp>& modified, std::vector<SetFinding>& out) {
  const uint64_t version = version_key(key, modified);
  const uint64_t content = internal::content_hash(object);
  const VersionEntry* before = versions.find(version);
  if (before == nullptr) {
    versions.insert({version, content});
    return true;
  }
  if (before->content == content) {
    report(out, Rule::kDuplicate, id, "", "the same object was there before");
  } else if (!sco && !tlp_of_definition(object)) {
    // The objects of TLP are who they are with or without their optional name.
    report(out, Rule::kVersionContent, id, modified ? "/modified" : "/id",
           modified ? "another object with this id and modified was there before"
                    : "another object with this id was there before");
  }
  return false;
}

// S20, S21, S22: this version beside those seen before.
void SetValidator::State::versions_of(const json::Value& object, std::string_view id, IdEntry& entry, bool is_new,
                                      std::vector<SetFinding>& out) const {
  const auto modified = time_of(object, "modified");
  const auto created = time_of(object, "created");
  const auto creator = json::find_string(object, "created_by_ref");
  const uint64_t created_hash = created ? hash_of(*created) : 0;
  const uint64_t creator_hash = creator ? internal::text_hash(*creator) : 0;
  if (entry.created != 0 && created_hash != 0 && entry.created != created_hash) {
    report(out, Rule::kCreatedChanged, id, "/created", "another version has another created");
  }
  if (entry.creator != 0 && creator_hash != 0 && entry.creator != creator_hash) {
    report(out, Rule::kCreatorChanged, id, "/created_by_ref", "another version names another creator");
  }
  if (entry.created == 0) entry.created = created_hash;
  if (entry.creator == 0) entry.creator = creator_hash;

  const bool revokes = json::find_bool(object, "revoked") == true;
  if (entry.is_revoked && *modified > entry.revoked) {
    report(out, Rule::kAfterRevocation, id, "/modified", "an earlier version revoked this object");
  } else if (revokes && !is_new && entry.newest > *modified) {
    report(out, Rule::kAfterRevocation, id, "/revoked",
           "this version revokes the object, and a later version was there before");
  }
  if (revokes && (!entry.is_revoked || *modified < entry.revoked)) {
    entry.is_revoked = true;
    entry.revoked = *modified;
  }
  if (is_new || *modified > entry.newest) entry.newest = *modified;
}

// S30: who marks whom, also in part.
void SetValidator::State::remember_marking(const json::Value& object, std::string_view id) {
  std::vector<std::string> by;
  size_t octets = id.size() + 128;
  const auto add = [&](std::string_view ref) {
    by.emplace_back(ref);
    octets += ref.size() + 64;
  };
  for (const auto ref : json::string_list(json::find_array(object, "object_marking_refs"))) add(ref);
  if (const auto granular = json::find_array(object, "granular_markings")) {
    for (const json::Value marking : *granular) {
      if (const auto ref = json::find_string(marking, "marking_ref")) add(*ref);
    }
  }
  if (!by.empty() && spend(octets)) markings.insert_or_assign(std::string(id), std::move(by));
}

void SetValidator::State::compare(const json::Value& language_content, const json::Value& original, std::string_view id,
                                  std::vector<SetFinding>& out) const {
  internal::compare_shape(language_content, original, [&](std::string pointer, std::string message) {
    report(out, Rule::kTranslation, id, std::move(pointer), std::move(message));
  });
}

// S39: a translation, whose original may have been seen.
void SetValidator::State::translation(const json::Value& object, std::string_view text, std::string_view id,
                                      std::vector<SetFinding>& out) {
  const auto ref = json::find_string(object, "object_ref");
  if (!ref) return;
  const auto wanted = time_of(object, "object_modified");
  const uint64_t key = internal::text_hash(*ref);
  const IdEntry* entry = ids.find(key);
  if (entry != nullptr && (!wanted || entry->newest == *wanted)) {
    const auto original = texts.get(entry->text);
    if (original.empty()) {
      forgot = true;
    } else if (scratch.parse(original).ok()) {
      compare(object, scratch.root(), id, out);
    }
    return;
  }
  // An older version that was here is no longer at hand; one that was not may come.
  if (entry != nullptr && wanted && versions.find(version_key(key, wanted)) != nullptr) return;
  if (!spend(text.size() + id.size() + sizeof(Waiting) + 64)) return;
  waiting.emplace(key, Waiting{std::string(id), std::string(text), wanted, entry != nullptr});
}

// The original of a translation that waits.
void SetValidator::State::original(const json::Value& object, uint64_t key, const std::optional<Timestamp>& modified,
                                   std::vector<SetFinding>& out) {
  auto [at, end] = waiting.equal_range(key);
  while (at != end) {
    Waiting& w = at->second;
    if (w.modified && w.modified != modified) {
      w.original_seen = true;
      ++at;
      continue;
    }
    if (scratch2.parse(w.text).ok()) compare(scratch2.root(), object, w.id, out);
    few += w.text.size() + w.id.size() + sizeof(Waiting) + 64;
    at = waiting.erase(at);
  }
}

void SetValidator::finish(std::vector<SetFinding>& out) {
  State& s = *state_;
  for (const auto& group : internal::circles(s.markings)) {
    for (const auto& id : group) {
      s.report(out, Rule::kCircularMarking, id, "",
               "this marking is in a circle with " + (group.front() == id ? group.back() : group.front()));
    }
  }
  for (const auto& [key, w] : s.waiting) {
    if (w.original_seen) {
      s.report(out, Rule::kObjectModified, w.id, "/object_modified",
               "the object is there, but no version of it with this modified");
    }
  }
}

}  // namespace entente::stix
