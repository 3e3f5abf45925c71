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

// An instant in 12 octets.
class Instant {
 public:
  Instant() = default;
  Instant(const Timestamp& t)  // NOLINT(google-explicit-constructor): the same, smaller
      : low_(static_cast<uint32_t>(t.s)), high_(static_cast<uint32_t>(static_cast<uint64_t>(t.s) >> 32)), ns_(t.ns) {}
  operator Timestamp() const {  // NOLINT(google-explicit-constructor)
    return {static_cast<int64_t>(static_cast<uint64_t>(high_) << 32 | low_), ns_};
  }

 private:
  uint32_t low_ = 0, high_ = 0, ns_ = 0;
};

// What is remembered of an id: one line of the cache.
struct alignas(64) IdEntry {
  uint64_t key = 0;
  uint64_t text_at = 0;  // of the newest version: TextRing::Place
  uint32_t text_size = 0;
  uint32_t creator = 0;  // hash of created_by_ref; 0: none
  Instant created;
  Instant newest;
  Instant revoked;  // the earliest version that revokes
  bool has_created : 1 = false;
  bool is_revoked : 1 = false;
};
static_assert(sizeof(IdEntry) == 64);

struct VersionEntry {
  uint64_t key = 0;  // id and modified
  uint64_t content = 0;
};

// The version of an object; for those without versions, only the id.
uint64_t version_key(uint64_t id, const std::optional<Timestamp>& modified) {
  if (!modified) return ~id;
  return (id ^ static_cast<uint64_t>(modified->s) * 0x9e3779b97f4a7c15U) + modified->ns * 0xbf58476d1ce4e5b9U;
}

// The members that the rules look at, picked up in one walk.
struct Facts {
  std::string_view type, id, creator;
  std::optional<Timestamp> created, modified;
  bool revoked = false;

  explicit Facts(const json::Value& object) {
    json::Object members;
    if (object.get_object().get(members) != simdjson::SUCCESS) return;
    for (const auto& member : members) {
      const std::string_view name = member.key;
      switch (name.size()) {
        case 2:
          if (name == "id") take(id, member.value);
          break;
        case 4:
          if (name == "type") take(type, member.value);
          break;
        case 7:
          if (name == "created") take(created, member.value);
          if (name == "revoked") revoked = member.value.is_bool() && member.value.get_bool().value_unsafe();
          break;
        case 8:
          if (name == "modified") take(modified, member.value);
          break;
        case 14:
          if (name == "created_by_ref") take(creator, member.value);
          break;
        default:
          break;
      }
    }
  }

 private:
  static void take(std::string_view& to, const json::Value& value) {
    if (value.is_string()) to = value.get_string().value_unsafe();
  }
  static void take(std::optional<Timestamp>& to, const json::Value& value) {
    if (value.is_string()) to = parse_timestamp(value.get_string().value_unsafe());
  }
};

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

  [[nodiscard]] uint64_t hash(std::string_view id) const { return internal::text_hash(id, seed); }

  Options options;
  uint64_t seed = std::hash<Uuid>()(random_uuid());
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

  void versions_of(const Facts& facts, IdEntry& entry, bool is_new, std::vector<SetFinding>& out) const;
  bool repeated(const json::Value& object, const Facts& facts, uint64_t key, bool sco, std::vector<SetFinding>& out);
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
  Facts facts(object);
  if (facts.type.empty() || facts.id.empty() || facts.type == "bundle") return;
  const internal::Type* known = internal::find_type(facts.type);
  const bool sco = known != nullptr && known->cls == Class::kSco;
  // Observables and markings have no versions (§3.6); an observable may change under one id.
  if (sco || facts.type == "marking-definition") facts.modified.reset();
  const uint64_t key = s.hash(facts.id);
  s.ids.prefetch(key);
  s.versions.prefetch(version_key(key, facts.modified));

  if (!s.repeated(object, facts, key, sco, out)) return;
  IdEntry* entry = s.ids.find(key);
  const bool is_new = entry == nullptr;
  if (is_new) {
    IdEntry fresh;
    fresh.key = key;
    entry = &s.ids.insert(fresh);
  }
  if (is_new || (facts.modified && *facts.modified > Timestamp(entry->newest))) {
    const auto place = s.texts.put(text);
    entry->text_at = place.at;
    entry->text_size = place.size;
  }
  if (facts.modified) s.versions_of(facts, *entry, is_new, out);
  if (!s.waiting.empty()) s.original(object, key, facts.modified, out);
  if (facts.type == "marking-definition") s.remember_marking(object, facts.id);
  if (facts.type == "language-content") s.translation(object, text, facts.id, out);
}

// S22, S42: whether this version is seen for the first time.
bool SetValidator::State::repeated(const json::Value& object, const Facts& facts, uint64_t key, bool sco,
                                   std::vector<SetFinding>& out) {
  const uint64_t version = version_key(key, facts.modified);
  const uint64_t content = internal::content_hash(object, seed);
  const VersionEntry* before = versions.find(version);
  if (before == nullptr) {
    versions.insert({version, content});
    return true;
  }
  if (before->content == content) {
    report(out, Rule::kDuplicate, facts.id, "", "the same object was there before");
  } else if (!sco && !tlp_of_definition(object)) {
    // The objects of TLP are who they are with or without their optional name.
    report(out, Rule::kVersionContent, facts.id, facts.modified ? "/modified" : "/id",
           facts.modified ? "another object with this id and modified was there before"
                          : "another object with this id was there before");
  }
  return false;
}

// S20, S21, S22: this version beside those seen before. Requires: facts.modified.
void SetValidator::State::versions_of(const Facts& facts, IdEntry& entry, bool is_new,
                                      std::vector<SetFinding>& out) const {
  const Timestamp modified = *facts.modified;
  if (facts.created) {
    if (entry.has_created && Timestamp(entry.created) != *facts.created) {
      report(out, Rule::kCreatedChanged, facts.id, "/created", "another version has another created");
    }
    entry.has_created = true;
    entry.created = *facts.created;
  }
  if (!facts.creator.empty()) {
    const uint32_t creator = static_cast<uint32_t>(hash(facts.creator)) | 1U;
    if (entry.creator != 0 && entry.creator != creator) {
      report(out, Rule::kCreatorChanged, facts.id, "/created_by_ref", "another version names another creator");
    }
    entry.creator = creator;
  }
  if (entry.is_revoked && modified > Timestamp(entry.revoked)) {
    report(out, Rule::kAfterRevocation, facts.id, "/modified", "an earlier version revoked this object");
  } else if (facts.revoked && !is_new && Timestamp(entry.newest) > modified) {
    report(out, Rule::kAfterRevocation, facts.id, "/revoked",
           "this version revokes the object, and a later version was there before");
  }
  if (facts.revoked && (!entry.is_revoked || modified < Timestamp(entry.revoked))) {
    entry.is_revoked = true;
    entry.revoked = modified;
  }
  if (is_new || modified > Timestamp(entry.newest)) entry.newest = modified;
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
  const uint64_t key = hash(*ref);
  const IdEntry* entry = ids.find(key);
  if (entry != nullptr && (!wanted || Timestamp(entry->newest) == *wanted)) {
    const auto original = texts.get({entry->text_at, entry->text_size});
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
