// Common properties by class (STIX 2.1 §3.2, table 3.1) and the small types that they are made of.
#pragma once

#include <array>

#include "stix/internal/model.h"

namespace entente::stix::internal {

void check_external_reference(Checker&, const Members&, const Frame*);
void check_granular_marking(Checker&, const Members&, const Frame*);

inline constexpr std::array kSdoCommon = {
    of(Kind::kType, "type").must(),
    of(Kind::kSpecVersion, "spec_version").must(),
    of(Kind::kId, "id").must(),
    to("created_by_ref", "identity"),
    of(Kind::kMilliseconds, "created").must(),
    of(Kind::kMilliseconds, "modified").must(),
    boolean("revoked"),
    list(text("labels")),
    integer("confidence", 0, 100),
    of(Kind::kLanguage, "lang"),
    list(part("external_references", kExternalReference)),
    list(of(Kind::kMarkingReference, "object_marking_refs")),
    list(part("granular_markings", kGranularMarking)),
    of(Kind::kExtensions, "extensions"),
};

inline constexpr std::array kScoCommon = {
    of(Kind::kType, "type").must(),
    of(Kind::kSpecVersion, "spec_version"),
    of(Kind::kId, "id").must(),
    list(of(Kind::kMarkingReference, "object_marking_refs")),
    list(part("granular_markings", kGranularMarking)),
    boolean("defanged"),
    of(Kind::kExtensions, "extensions"),
};

// modified >= created (§3.6) is checked by the engine, with a code of its own.
inline constexpr std::array<Check, 0> kNoChecks = {};

}  // namespace entente::stix::internal
