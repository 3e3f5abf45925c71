// STIX relationship objects (STIX 2.1 §5).
#include "stix/internal/model_common.h"
#include "stix/internal/model_types.h"

namespace entente::stix::internal {

void check_relationship(Checker&, const Members&, const Frame*);

namespace {

constexpr std::array kRelationshipTable = {
    of(Kind::kRelationshipType, "relationship_type").must(),
    text("description"),
    to("source_ref", "@sdo @sco").must(),
    to("target_ref", "@sdo @sco").must(),
    time("start_time"),
    time("stop_time"),
};
constexpr std::array kRelationshipChecks = {after("start_time", "stop_time"), call(check_relationship)};

constexpr std::array kSightingTable = {
    text("description"),
    time("first_seen"),
    time("last_seen"),
    integer("count", 0, 999999999),
    to("sighting_of_ref", "@sdo").must(),
    list(to("observed_data_refs", "observed-data")),
    list(to("where_sighted_refs", "identity location")),
    boolean("summary"),
};
constexpr std::array kSightingChecks = {not_before("first_seen", "last_seen")};

}  // namespace

constinit const Shape kRelationship{"relationship", "5.1", kRelationshipTable, kSdoCommon, kRelationshipChecks};
constinit const Shape kSighting{"sighting", "5.2", kSightingTable, kSdoCommon, kSightingChecks};

}  // namespace entente::stix::internal
