#include "exchange/provenance.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/crypto.h"
#include "exchange/admission.h"
#include "exchange/names.h"

namespace entente::exchange {
namespace {

constexpr std::array<std::string_view, 9> kNotContent = {"id",      "created_by_ref",    "object_marking_refs",
                                                         "labels",  "granular_markings", "modified",
                                                         "revoked", "confidence",        "x_entente_exercise"};

std::string refusal(std::string_view what, std::string_view id, std::string_view by, std::string_view agreement_id) {
  return fmt::format(
      "ORIGINATOR_CONSENT: {}, which {} gave under {}: it stays {}'s and is not published as this party's own. To give "
      "it on, ask: 'entente consent ask {} --to PARTY'; what you know yourself goes into an object of your own (a "
      "note, "
      "a sighting, an indicator written here)",
      what, by, agreement_id, by, id);
}

constexpr std::string_view kIdsNoted = "ids";
std::string id_key(std::string_view id) { return "id " + std::string(id); }

// What stands under a key; nullopt if nothing does. A store that cannot be read is no store without the key.
Result<std::optional<std::string>> noted(const Context& cx, std::string_view key) {
  auto value = cx.store.get(kTheirsSpace, key);
  if (value.ok()) return std::optional(*std::move(value));
  if (value.error().kind == ErrorKind::kNotFound) return std::optional<std::string>();
  return std::move(value).error();
}

// False only if no partner gave an object of this id.
Result<bool> may_be_theirs(const Context& cx, std::string_view id) {
  TRY(const auto given, noted(cx, id_key(id)));
  if (given) return true;
  TRY(const auto complete, noted(cx, kIdsNoted));
  return !complete;
}

// Its id says nothing of who made it: everybody who names this thing names it so.
bool named_by_content(const json::Value& object, const stix::Summary& summary) {
  return summary.cls == stix::Class::kSco && stix::deterministic_id(object) == summary.id;
}

}  // namespace

std::string content_print(const json::Value& object, const stix::Summary& summary) {
  if (summary.cls == stix::Class::kSco || summary.cls == stix::Class::kMarking ||
      summary.cls == stix::Class::kExtension || !json::find_string(object, "created"))
    return {};
  const auto members = object.get_object();
  if (members.error() != simdjson::SUCCESS) return {};
  std::vector<std::pair<std::string_view, std::string>> stated;
  for (const auto member : members.value_unsafe())
    if (std::ranges::find(kNotContent, member.key) == kNotContent.end())
      stated.emplace_back(member.key, json::canonical(json::Value(member.value)));
  std::ranges::sort(stated);
  std::string text = "entente/content/v1";
  for (const auto& [name, value] : stated) {
    text += '\n';
    text += name;
    text += '=';
    text += value;  // canonical JSON has no line ends
  }
  return sha256_hex(text);
}

void note_theirs(store::Change& change, const json::Value& object, const stix::Summary& summary, std::string_view by,
                 std::string_view agreement_id) {
  change.set(kTheirsSpace, id_key(summary.id), "");
  const std::string print = content_print(object, summary);
  if (!print.empty()) change.set(kTheirsSpace, print, fmt::format("{}\n{}\n{}", summary.id, by, agreement_id));
}

void note_ids_from_the_first(store::Change& change) { change.set(kTheirsSpace, kIdsNoted, ""); }

Result<std::string> why_not_own(const Context& cx, const json::Value& object, const stix::Summary& summary) {
  if (named_by_content(object, summary)) return std::string();
  const std::string& me = cx.config.party;
  const auto own = [&](const store::Row& r) { return r.collection == inbox(me) || r.collection == sightings(me); };
  std::vector<store::Row> held;
  TRY(const bool maybe, may_be_theirs(cx, summary.id));
  if (maybe) {
    TRY(held, cx.store.find(summary.id));
  }
  if (std::ranges::any_of(held, own)) return std::string();  // was here before a partner had it to give
  for (const auto& r : held) {
    const RowMeta meta = RowMeta::parse(r.meta);
    if (meta.agreement.empty() || r.collection != received(meta.agreement, meta.by, me)) continue;
    // A definition of a mark is used, not stated: it travels unchanged with whatever bears it.
    if (summary.cls == stix::Class::kMarking || summary.cls == stix::Class::kExtension) {
      TRY(const std::string theirs, cx.store.raw(r));
      TRY(const std::string canonical, json::canonical(theirs));
      if (canonical == json::canonical(object)) return std::string();
    }
    return refusal("this is the object " + std::string(summary.id), summary.id, meta.by, meta.agreement);
  }
  const std::string print = content_print(object, summary);
  if (print.empty()) return std::string();
  TRY(const auto known, noted(cx, print));
  if (!known) return std::string();
  TRY(held, cx.store.find(summary.id));
  if (std::ranges::any_of(held, own)) return std::string();
  const size_t a = known->find('\n');
  const size_t b = known->find('\n', a + 1);
  if (a == std::string::npos || b == std::string::npos) return std::string();
  const std::string id = known->substr(0, a);
  TRY(const auto first, cx.store.find(id));
  if (std::ranges::any_of(first, own)) return std::string();  // ours, and came back
  return refusal("this is the content of " + id + " under another id", id, known->substr(a + 1, b - a - 1),
                 known->substr(b + 1));
}

}  // namespace entente::exchange
