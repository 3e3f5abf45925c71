// Meta objects (STIX 2.1 §7) and the bundle (§8).
#include "stix/internal/model_common.h"
#include "stix/internal/model_types.h"

namespace entente::stix::internal {

void check_marking_definition(Checker&, const Members&, const Frame*);
void check_extension_definition(Checker&, const Members&, const Frame*);

namespace {

constexpr std::array kLanguageContentTable = {
    to("object_ref", "").must(),
    time("object_modified"),
    of(Kind::kContents, "contents").must(),
};

constexpr std::array kMarkingDefinitionTable = {
    text("name"),
    text("definition_type").deprecated(),
    of(Kind::kAny, "definition").deprecated(),
    of(Kind::kType, "type").must(),
    of(Kind::kSpecVersion, "spec_version").must(),
    of(Kind::kId, "id").must(),
    of(Kind::kMilliseconds, "created").must(),
    to("created_by_ref", "identity"),
    list(part("external_references", kExternalReference)),
    list(of(Kind::kMarkingReference, "object_marking_refs")),
    list(part("granular_markings", kGranularMarking)),
    of(Kind::kExtensions, "extensions"),
};
constexpr std::array kMarkingDefinitionChecks = {call(check_marking_definition)};

constexpr std::array kExtensionDefinitionTable = {
    text("name").must(),
    text("description"),
    text("schema").must(),
    text("version").must(),
    list(closed("extension_types", kExtensionType)).must(),
    list(text("extension_properties")),
    of(Kind::kType, "type").must(),
    of(Kind::kSpecVersion, "spec_version").must(),
    of(Kind::kId, "id").must(),
    of(Kind::kMilliseconds, "created").must(),
    of(Kind::kMilliseconds, "modified").must(),
    to("created_by_ref", "identity").must(),
    boolean("revoked"),
    list(text("labels")),
    list(part("external_references", kExternalReference)),
    list(of(Kind::kMarkingReference, "object_marking_refs")),
    list(part("granular_markings", kGranularMarking)),
};
constexpr std::array kExtensionDefinitionChecks = {call(check_extension_definition)};

constexpr std::array kBundleTable = {
    of(Kind::kType, "type").must(),
    of(Kind::kId, "id").must(),
    list(of(Kind::kAny, "objects")),
};

// confidence is common to language-content too, lang is not: the original has its own (§3.2).
constexpr auto kLanguageCommon = [] {
  std::array<Property, kSdoCommon.size() - 1> out{};
  size_t n = 0;
  for (const auto& p : kSdoCommon) {
    if (p.name != "lang") out[n++] = p;
  }
  return out;
}();

}  // namespace

constinit const Shape kLanguageContent{"language-content", "7.1", kLanguageContentTable, kLanguageCommon};
constinit const Shape kMarkingDefinition{
    "marking-definition", "7.2.1", kMarkingDefinitionTable, {}, kMarkingDefinitionChecks};
constinit const Shape kExtensionDefinition{
    "extension-definition", "7.3", kExtensionDefinitionTable, {}, kExtensionDefinitionChecks};
constinit const Shape kBundle{"bundle", "8", kBundleTable};

}  // namespace entente::stix::internal
