#include "sensor/intake.h"

#include <algorithm>
#include <optional>

#include "json/json.h"
#include "stix/marking.h"
#include "stix/object.h"

namespace entente::sensor {

namespace {

Time time_at(const json::Value& object, std::string_view name, Time fallback) {
  const auto text = json::find_string(object, name);
  if (!text) return fallback;
  const auto at = stix::parse_timestamp(*text);
  return at ? at->cut() : fallback;
}

}  // namespace

Result<ReceivedObject> read_object(std::string_view raw) {
  TRY(const json::Document document, json::parse(raw));
  const json::Value object = document.root();
  TRY(const stix::Summary summary, stix::summarize(object));
  ReceivedObject out;
  out.revoked = summary.revoked;
  out.destroyed = json::find_bool(object, "x_entente_destroyed").value_or(false);
  if (summary.type == "x-entente-handling") {
    out.handling =
        ReceivedHandling{std::string(json::find_string(object, "object").value_or("")),
                         std::string(json::find_string(object, "version").value_or("")),
                         stix::parse_pap(json::find_string(object, "pap").value_or("")).value_or(stix::Pap::kRed)};
    return out;
  }
  if (summary.type == "marking-definition") {
    out.marking = ReceivedMarking{std::string(summary.id), stix::pap_of_definition(object)};
    return out;
  }
  if (summary.type != "indicator") return out;
  ReceivedIndicator i;
  i.id = summary.id;
  i.version = summary.version;
  i.version_time = summary.version_time;
  i.revoked = summary.revoked;
  i.by = json::find_string(object, "created_by_ref").value_or("");
  i.name = json::find_string(object, "name").value_or("");
  i.valid_from = time_at(object, "valid_from", Time{0});
  i.valid_until = time_at(object, "valid_until", Time{INT64_MAX});
  i.confidence = static_cast<int>(std::clamp<int64_t>(json::find_int(object, "confidence").value_or(-1), -1, 100));
  for (const std::string_view t : json::string_list(json::find_array(object, "indicator_types")))
    i.types.emplace_back(t);
  for (const std::string_view m : json::string_list(json::find_array(object, "object_marking_refs")))
    i.markings.emplace_back(m);
  if (!i.revoked) {  // a recall need not carry a pattern
    i.pattern = json::find_string(object, "pattern").value_or("");
    if (json::find_string(object, "pattern_type").value_or("") != "stix") {
      i.unusable = "its pattern is not of type stix";
    } else if (auto parsed = pattern::Pattern::parse(i.pattern); !parsed.ok()) {
      i.unusable = parsed.error().text();
    } else {
      auto atoms = pattern::equality_atoms(*parsed);
      i.atoms = std::move(atoms.any_of);
      if (!atoms.complete || i.atoms.empty()) {
        auto compound = detect::prepare(*parsed);
        if (compound.ok()) {
          i.compound = std::move(*compound);
        } else if (i.atoms.empty()) {
          i.unusable = compound.error().text();
        }
      }
    }
  }
  out.indicator = std::move(i);
  return out;
}

}  // namespace entente::sensor
