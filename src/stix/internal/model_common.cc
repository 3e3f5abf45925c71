#include "stix/internal/model_common.h"

#include <algorithm>

namespace entente::stix::internal {
namespace {

constexpr std::array kExternalReferenceTable = {
    text("source_name").must(), text("description"), of(Kind::kUrl, "url"), hashes("hashes"), text("external_id"),
};
constexpr std::array kExternalReferenceChecks = {call(check_external_reference)};

constexpr std::array kKillChainPhaseTable = {
    of(Kind::kTerm, "kill_chain_name").must(),
    of(Kind::kTerm, "phase_name").must(),
};

constexpr std::array kGranularMarkingTable = {
    of(Kind::kLanguage, "lang"),
    of(Kind::kMarkingReference, "marking_ref"),
    list(text("selectors")).must(),
};
constexpr std::array kGranularMarkingChecks = {call(check_granular_marking)};

}  // namespace

constinit const Shape kExternalReference{
    "external-reference", "2.5", kExternalReferenceTable, {}, kExternalReferenceChecks};
constinit const Shape kKillChainPhase{"kill-chain-phase", "2.11", kKillChainPhaseTable};
constinit const Shape kGranularMarking{"granular-marking", "7.2.3", kGranularMarkingTable, {}, kGranularMarkingChecks};

constinit const Shape kCustomSdo{"object of a type of its own", "11.2", {}, kSdoCommon};
constinit const Shape kCustomSro{"relationship object of a type of its own", "11.2", {}, kSdoCommon};
constinit const Shape kCustomSco{"observable of a type of its own", "11.2", {}, kScoCommon};

}  // namespace entente::stix::internal
