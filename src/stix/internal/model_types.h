// The tables of all types, defined in model_<class>.cc and listed in model.cc.
#pragma once

#include "stix/internal/model.h"

namespace entente::stix::internal {

// §4
extern const Shape kAttackPattern, kCampaign, kCourseOfAction, kGrouping, kIdentity, kIncident, kIndicator,
    kInfrastructure, kIntrusionSet, kLocation, kMalware, kMalwareAnalysis, kNote, kObservedData, kOpinionObject,
    kReport, kThreatActor, kTool, kVulnerability;
// §5
extern const Shape kRelationship, kSighting;
// §6
extern const Shape kArtifact, kAutonomousSystem, kDirectory, kDomainName, kEmailAddr, kEmailMessage, kFile, kIpv4Addr,
    kIpv6Addr, kMacAddr, kMutex, kNetworkTraffic, kProcess, kSoftware, kUrlObject, kUserAccount, kWindowsRegistryKey,
    kX509Certificate;
// §7 and §8
extern const Shape kLanguageContent, kMarkingDefinition, kExtensionDefinition, kBundle;

}  // namespace entente::stix::internal
