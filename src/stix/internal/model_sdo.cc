// STIX domain objects (STIX 2.1 §4): property tables in the order of the standard.
#include "stix/internal/model_common.h"
#include "stix/internal/model_types.h"

namespace entente::stix::internal {

void check_location(Checker&, const Members&, const Frame*);
void check_malware(Checker&, const Members&, const Frame*);
void check_observed_data(Checker&, const Members&, const Frame*);

namespace {

constexpr Property kPhases = list(part("kill_chain_phases", kKillChainPhase));
constexpr std::array kSeen = {not_before("first_seen", "last_seen")};

constexpr std::array kAttackPatternTable = {text("name").must(), text("description"), list(text("aliases")), kPhases};

constexpr std::array kCampaignTable = {
    text("name").must(), text("description"), list(text("aliases")),
    time("first_seen"),  time("last_seen"),   text("objective"),
};

constexpr std::array kCourseOfActionTable = {text("name").must(), text("description")};

constexpr std::array kGroupingTable = {
    text("name").should(),
    text("description"),
    open("context", internal::kGroupingContext).must(),
    list(to("object_refs", "")).must(),
};

constexpr std::array kIdentityTable = {
    text("name").must(),
    text("description"),
    list(text("roles")),
    open("identity_class", kIdentityClass),
    list(open("sectors", kIndustrySector)),
    text("contact_information"),
};

constexpr std::array kIncidentTable = {text("name").must(), text("description")};

constexpr std::array kIndicatorTable = {
    text("name"),
    text("description"),
    list(open("indicator_types", kIndicatorType)),
    text("pattern").must(),
    open("pattern_type", kPatternType).must(),
    text("pattern_version"),
    time("valid_from").must(),
    time("valid_until"),
    kPhases,
};
constexpr std::array kIndicatorChecks = {after("valid_from", "valid_until")};

constexpr std::array kInfrastructureTable = {
    text("name").must(),
    text("description"),
    list(open("infrastructure_types", kInfrastructureType)),
    list(text("aliases")),
    kPhases,
    time("first_seen"),
    time("last_seen"),
};

constexpr std::array kIntrusionSetTable = {
    text("name").must(),
    text("description"),
    list(text("aliases")),
    time("first_seen"),
    time("last_seen"),
    list(text("goals")),
    open("resource_level", kAttackResourceLevel),
    open("primary_motivation", kAttackMotivation),
    list(open("secondary_motivations", kAttackMotivation)),
};

constexpr std::array kLocationTable = {
    text("name"),
    text("description"),
    real("latitude", -90, 90),
    real("longitude", -180, 180),
    real("precision", -1e300, 1e300),
    open("region", kRegion),
    text("country"),
    text("administrative_area"),
    text("city"),
    text("street_address"),
    text("postal_code"),
};
constexpr std::array kLocationChecks = {call(check_location)};

constexpr std::array kMalwareTable = {
    text("name"),
    text("description"),
    list(open("malware_types", kMalwareType)),
    boolean("is_family").must(),
    list(text("aliases")),
    kPhases,
    time("first_seen"),
    time("last_seen"),
    list(to("operating_system_refs", "software")),
    list(open("architecture_execution_envs", kProcessorArchitecture)),
    list(open("implementation_languages", kImplementationLanguage)),
    list(open("capabilities", kMalwareCapabilities)),
    list(to("sample_refs", "file artifact")),
};
constexpr std::array kMalwareChecks = {not_before("first_seen", "last_seen"), call(check_malware)};

constexpr std::array kMalwareAnalysisTable = {
    text("product").must(),
    text("version"),
    to("host_vm_ref", "software"),
    to("operating_system_ref", "software"),
    list(to("installed_software_refs", "software")),
    text("configuration_version"),
    list(text("modules")),
    text("analysis_engine_version"),
    text("analysis_definition_version"),
    time("submitted"),
    time("analysis_started"),
    time("analysis_ended"),
    text("result_name"),
    open("result", kMalwareResult),
    list(to("analysis_sco_refs", "@sco")),
    to("sample_ref", "file artifact network-traffic"),
};
constexpr std::array kMalwareAnalysisChecks = {one_of("result", "analysis_sco_refs")};

constexpr std::array kNoteTable = {
    text("abstract"),
    text("content").must(),
    list(text("authors")),
    list(to("object_refs", "")).must(),
};

constexpr std::array kObservedDataTable = {
    time("first_observed").must(),
    time("last_observed").must(),
    integer("number_observed", 1, 999999999).must(),
    of(Kind::kContainer, "objects").deprecated(),
    list(to("object_refs", "@sco @sro")),
};
constexpr std::array kObservedDataChecks = {
    not_before("first_observed", "last_observed"),
    exactly_one("objects", "object_refs"),
    call(check_observed_data),
};

constexpr std::array kOpinionTable = {
    text("explanation"),
    list(text("authors")),
    closed("opinion", internal::kOpinion).must(),
    list(to("object_refs", "")).must(),
};

constexpr std::array kReportTable = {
    text("name").must(),
    text("description"),
    list(open("report_types", kReportType)),
    time("published").must(),
    list(to("object_refs", "")).must(),
};

constexpr std::array kThreatActorTable = {
    text("name").must(),
    text("description"),
    list(open("threat_actor_types", kThreatActorType)),
    list(text("aliases")),
    time("first_seen"),
    time("last_seen"),
    list(open("roles", kThreatActorRole)),
    list(text("goals")),
    open("sophistication", kThreatActorSophistication),
    open("resource_level", kAttackResourceLevel),
    open("primary_motivation", kAttackMotivation),
    list(open("secondary_motivations", kAttackMotivation)),
    list(open("personal_motivations", kAttackMotivation)),
};

constexpr std::array kToolTable = {
    text("name").must(),  text("description"), list(open("tool_types", kToolType)), list(text("aliases")), kPhases,
    text("tool_version"),
};

constexpr std::array kVulnerabilityTable = {text("name").must(), text("description")};

}  // namespace

constinit const Shape kAttackPattern{"attack-pattern", "4.1", kAttackPatternTable, kSdoCommon};
constinit const Shape kCampaign{"campaign", "4.2", kCampaignTable, kSdoCommon, kSeen};
constinit const Shape kCourseOfAction{"course-of-action", "4.3", kCourseOfActionTable, kSdoCommon};
constinit const Shape kGrouping{"grouping", "4.4", kGroupingTable, kSdoCommon};
constinit const Shape kIdentity{"identity", "4.5", kIdentityTable, kSdoCommon};
constinit const Shape kIncident{"incident", "4.6", kIncidentTable, kSdoCommon};
constinit const Shape kIndicator{"indicator", "4.7", kIndicatorTable, kSdoCommon, kIndicatorChecks};
constinit const Shape kInfrastructure{"infrastructure", "4.8", kInfrastructureTable, kSdoCommon, kSeen};
constinit const Shape kIntrusionSet{"intrusion-set", "4.9", kIntrusionSetTable, kSdoCommon, kSeen};
constinit const Shape kLocation{"location", "4.10", kLocationTable, kSdoCommon, kLocationChecks};
constinit const Shape kMalware{"malware", "4.11", kMalwareTable, kSdoCommon, kMalwareChecks};
constinit const Shape kMalwareAnalysis{"malware-analysis", "4.12", kMalwareAnalysisTable, kSdoCommon,
                                       kMalwareAnalysisChecks};
constinit const Shape kNote{"note", "4.13", kNoteTable, kSdoCommon};
constinit const Shape kObservedData{"observed-data", "4.14", kObservedDataTable, kSdoCommon, kObservedDataChecks};
constinit const Shape kOpinionObject{"opinion", "4.15", kOpinionTable, kSdoCommon};
constinit const Shape kReport{"report", "4.16", kReportTable, kSdoCommon};
constinit const Shape kThreatActor{"threat-actor", "4.17", kThreatActorTable, kSdoCommon, kSeen};
constinit const Shape kTool{"tool", "4.18", kToolTable, kSdoCommon};
constinit const Shape kVulnerability{"vulnerability", "4.19", kVulnerabilityTable, kSdoCommon};

}  // namespace entente::stix::internal
