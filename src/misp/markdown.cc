// The tables as a reader sees them, for docs/misp.md.
#include "misp/internal/tables.h"
#include "misp/misp.h"

namespace entente::misp {

namespace {

using internal::Place;
using internal::Target;

std::string code(std::string_view text) {
  std::string out = "`";
  for (const char c : text) {
    if (c == '|') out += '\\';  // in a table also inside code
    out += c;
  }
  return out + "`";
}

std::string target(Target t, std::string_view extra) {
  switch (t) {
    case Target::kObservable:
      return {};
    case Target::kRule:
      return "indicator with `pattern_type` " + code(extra) + "; a note without to_ids";
    case Target::kVulnerability:
      return "`vulnerability`";
    case Target::kVictim:
      return "`identity` with the role `victim`, " + std::string(extra);
    case Target::kThreatActor:
      return "`threat-actor`";
    case Target::kCampaign:
      return "`campaign`";
    case Target::kLink:
      return "`note` with an external reference";
    case Target::kNote:
      return "`note`";
  }
  return {};
}

std::string place(const Place& p) {
  return code(p.path) + (p.pattern_only ? " (in patterns; without to_ids a note)" : "");
}

}  // namespace

std::string mapping_markdown() {
  std::string out = "### Attributes\n\n| type | category if unknown | becomes |\n|---|---|---|\n";
  for (const auto& row : internal::attribute_types()) {
    out += "| " + code(row.type) + " | " + std::string(row.category) + " | ";
    if (row.target == Target::kObservable) {
      out += place(row.places[0]);
      if (!row.places[1].path.empty()) out += ", " + place(row.places[1]);
    } else {
      out += target(row.target, row.extra);
    }
    out += " |\n";
  }
  out += "\nEvery other type is a `note`.\n\n### Objects\n\n| object | relation | becomes |\n|---|---|---|\n";
  for (const auto& row : internal::templates()) {
    if (row.relations.empty()) out += "| " + code(row.name) + " | | " + target(row.target, row.extra) + " |\n";
    bool first = true;
    for (const auto& r : row.relations) {
      out += "| " + (first ? code(row.name) : "") + " | " + code(r.relation) + " | ";
      const std::string whole = target(row.target, row.extra);
      out += (whole.empty() ? "" : whole + ": ") + code(r.place.path) + " |\n";
      first = false;
    }
  }
  out += "\nEvery other object is a `note`.\n\n### Galaxies\n\n| galaxy | STIX type |\n|---|---|\n";
  for (const auto& row : internal::galaxies()) out += "| " + code(row.galaxy) + " | " + code(row.type) + " |\n";
  out += "\n### Not carried\n\n| structure | member | why |\n|---|---|---|\n";
  for (const auto& row : internal::members()) {
    if (row.reason.empty()) continue;
    out += "| " + std::string(row.structure) + " | " + code(row.name) + " | " + std::string(row.reason) + " |\n";
  }
  return out;
}

}  // namespace entente::misp
