// Every member of the core format: carried, or why not. Members that are not here are listed as unknown.
#include "misp/internal/tables.h"

namespace entente::misp::internal {
namespace {

constexpr std::string_view kLocal = "a number or setting of one MISP server; the uuid identifies";
constexpr std::string_view kPolicy =
    "who may see it on MISP servers: in entente agreements and markings say that; check TLP before it is published";
constexpr std::string_view kShow = "only how MISP shows it";
constexpr std::string_view kGalaxyOwn = "part of the galaxy itself, which is published on its own";
constexpr std::string_view kDerived = "follows from the rest";

constexpr std::array kMembers = {
    Member{"Event", "uuid", {}},
    Member{"Event", "info", {}},
    Member{"Event", "date", {}},
    Member{"Event", "timestamp", {}},
    Member{"Event", "threat_level_id", {}},
    Member{"Event", "analysis", {}},
    Member{"Event", "published", {}},
    Member{"Event", "publish_timestamp", {}},
    Member{"Event", "extends_uuid", {}},
    Member{"Event", "Orgc", {}},
    Member{"Event", "Attribute", {}},
    Member{"Event", "Object", {}},
    Member{"Event", "Tag", {}},
    Member{"Event", "Galaxy", {}},
    Member{"Event", "EventReport", {}},
    Member{"Event", "ShadowAttribute", {}},  // listed one by one
    Member{"Event", "id", kLocal},
    Member{"Event", "orgc_id", kLocal},
    Member{"Event", "org_id", kLocal},
    Member{"Event", "Org", "the organisation on whose server it was; Orgc made it"},
    Member{"Event", "distribution", kPolicy},
    Member{"Event", "sharing_group_id", kPolicy},
    Member{"Event", "SharingGroup", kPolicy},
    Member{"Event", "proposal_email_lock", kLocal},
    Member{"Event", "locked", kLocal},
    Member{"Event", "disable_correlation", kLocal},
    Member{"Event", "attribute_count", kDerived},
    Member{"Event", "event_creator_email", "personal data of an analyst"},
    Member{"Event", "RelatedEvent", "correlations that one server computed"},
    Member{"Event", "CryptographicKey", "MISP's own protection of events; entente signs its own way"},
    Member{"Event", "protected", "MISP's own protection of events; entente signs its own way"},

    Member{"Attribute", "uuid", {}},
    Member{"Attribute", "type", {}},
    Member{"Attribute", "category", {}},
    Member{"Attribute", "value", {}},
    Member{"Attribute", "data", {}},
    Member{"Attribute", "to_ids", {}},
    Member{"Attribute", "comment", {}},
    Member{"Attribute", "timestamp", {}},
    Member{"Attribute", "first_seen", {}},
    Member{"Attribute", "last_seen", {}},
    Member{"Attribute", "deleted", {}},
    Member{"Attribute", "object_relation", {}},
    Member{"Attribute", "Tag", {}},
    Member{"Attribute", "Galaxy", {}},
    Member{"Attribute", "Sighting", {}},
    Member{"Attribute", "ShadowAttribute", {}},  // listed one by one
    Member{"Attribute", "id", kLocal},
    Member{"Attribute", "event_id", kLocal},
    Member{"Attribute", "object_id", kLocal},
    Member{"Attribute", "distribution", kPolicy},
    Member{"Attribute", "sharing_group_id", kPolicy},
    Member{"Attribute", "SharingGroup", kPolicy},
    Member{"Attribute", "disable_correlation", kLocal},
    Member{"Attribute", "validationIssue", "a remark of one server about the value"},
    Member{"Attribute", "RelatedAttribute", "correlations that one server computed"},
    Member{"Attribute", "value1", kDerived},
    Member{"Attribute", "value2", kDerived},

    Member{"Object", "uuid", {}},
    Member{"Object", "name", {}},
    Member{"Object", "meta-category", {}},
    Member{"Object", "template_uuid", {}},
    Member{"Object", "template_version", {}},
    Member{"Object", "comment", {}},
    Member{"Object", "timestamp", {}},
    Member{"Object", "first_seen", {}},
    Member{"Object", "last_seen", {}},
    Member{"Object", "deleted", {}},
    Member{"Object", "Attribute", {}},
    Member{"Object", "ObjectReference", {}},
    Member{"Object", "description", "of the template, not of the object"},
    Member{"Object", "id", kLocal},
    Member{"Object", "event_id", kLocal},
    Member{"Object", "distribution", kPolicy},
    Member{"Object", "sharing_group_id", kPolicy},
    Member{"Object", "SharingGroup", kPolicy},

    Member{"ObjectReference", "uuid", {}},
    Member{"ObjectReference", "referenced_uuid", {}},
    Member{"ObjectReference", "relationship_type", {}},
    Member{"ObjectReference", "comment", {}},
    Member{"ObjectReference", "timestamp", {}},
    Member{"ObjectReference", "deleted", {}},
    Member{"ObjectReference", "id", kLocal},
    Member{"ObjectReference", "event_id", kLocal},
    Member{"ObjectReference", "object_id", kLocal},
    Member{"ObjectReference", "object_uuid", kDerived},
    Member{"ObjectReference", "source_uuid", kDerived},
    Member{"ObjectReference", "referenced_id", kLocal},
    Member{"ObjectReference", "referenced_type", kLocal},
    Member{"ObjectReference", "Object", kDerived},
    Member{"ObjectReference", "Attribute", kDerived},

    Member{"Tag", "name", {}},
    Member{"Tag", "local", {}},       // a local tag is listed
    Member{"Tag", "exportable", {}},  // one that is not to be exported is listed
    Member{"Tag", "id", kLocal},
    Member{"Tag", "colour", kShow},
    Member{"Tag", "hide_tag", kShow},
    Member{"Tag", "user_id", kLocal},
    Member{"Tag", "org_id", kLocal},
    Member{"Tag", "numerical_value", "follows from the taxonomy of the tag"},
    Member{"Tag", "is_galaxy", kDerived},
    Member{"Tag", "is_custom_galaxy", kDerived},
    Member{"Tag", "local_only", kLocal},
    Member{"Tag", "relationship_type", "STIX labels have no relationship"},

    Member{"EventReport", "uuid", {}},
    Member{"EventReport", "name", {}},
    Member{"EventReport", "content", {}},
    Member{"EventReport", "timestamp", {}},
    Member{"EventReport", "deleted", {}},
    Member{"EventReport", "id", kLocal},
    Member{"EventReport", "event_id", kLocal},
    Member{"EventReport", "distribution", kPolicy},
    Member{"EventReport", "sharing_group_id", kPolicy},

    Member{"Sighting", "uuid", {}},
    Member{"Sighting", "type", {}},
    Member{"Sighting", "date_sighting", {}},
    Member{"Sighting", "source", {}},
    Member{"Sighting", "Organisation", {}},
    Member{"Sighting", "id", kLocal},
    Member{"Sighting", "event_id", kLocal},
    Member{"Sighting", "attribute_id", kLocal},
    Member{"Sighting", "attribute_uuid", kDerived},
    Member{"Sighting", "org_id", kLocal},

    Member{"Galaxy", "type", {}},
    Member{"Galaxy", "GalaxyCluster", {}},
    Member{"Galaxy", "id", kLocal},
    Member{"Galaxy", "uuid", kGalaxyOwn},
    Member{"Galaxy", "name", kGalaxyOwn},
    Member{"Galaxy", "description", kGalaxyOwn},
    Member{"Galaxy", "version", kGalaxyOwn},
    Member{"Galaxy", "icon", kShow},
    Member{"Galaxy", "namespace", kGalaxyOwn},
    Member{"Galaxy", "kill_chain_order", kGalaxyOwn},
    Member{"Galaxy", "enabled", kLocal},
    Member{"Galaxy", "local_only", kLocal},
    Member{"Galaxy", "created", kGalaxyOwn},
    Member{"Galaxy", "modified", kGalaxyOwn},
    Member{"Galaxy", "org_id", kLocal},
    Member{"Galaxy", "orgc_id", kLocal},
    Member{"Galaxy", "default", kGalaxyOwn},
    Member{"Galaxy", "distribution", kPolicy},

    Member{"GalaxyCluster", "uuid", {}},
    Member{"GalaxyCluster", "value", {}},
    Member{"GalaxyCluster", "description", {}},
    Member{"GalaxyCluster", "tag_name", {}},
    Member{"GalaxyCluster", "meta", {}},
    Member{"GalaxyCluster", "local", {}},  // a local cluster is listed
    Member{"GalaxyCluster", "type", kDerived},
    Member{"GalaxyCluster", "id", kLocal},
    Member{"GalaxyCluster", "collection_uuid", kGalaxyOwn},
    Member{"GalaxyCluster", "galaxy_id", kLocal},
    Member{"GalaxyCluster", "tag_id", kLocal},
    Member{"GalaxyCluster", "event_tag_id", kLocal},
    Member{"GalaxyCluster", "attribute_tag_id", kLocal},
    Member{"GalaxyCluster", "source", kGalaxyOwn},
    Member{"GalaxyCluster", "authors", kGalaxyOwn},
    Member{"GalaxyCluster", "version", kGalaxyOwn},
    Member{"GalaxyCluster", "distribution", kPolicy},
    Member{"GalaxyCluster", "sharing_group_id", kPolicy},
    Member{"GalaxyCluster", "org_id", kLocal},
    Member{"GalaxyCluster", "orgc_id", kLocal},
    Member{"GalaxyCluster", "default", kGalaxyOwn},
    Member{"GalaxyCluster", "locked", kLocal},
    Member{"GalaxyCluster", "published", kGalaxyOwn},
    Member{"GalaxyCluster", "deleted", kGalaxyOwn},
    Member{"GalaxyCluster", "extends_uuid", kGalaxyOwn},
    Member{"GalaxyCluster", "extends_version", kGalaxyOwn},
    Member{"GalaxyCluster", "extended_from", kGalaxyOwn},
    Member{"GalaxyCluster", "GalaxyElement", kDerived},
    Member{"GalaxyCluster", "GalaxyClusterRelation", kGalaxyOwn},
    Member{"GalaxyCluster", "Org", kGalaxyOwn},
    Member{"GalaxyCluster", "Orgc", kGalaxyOwn},
    Member{"GalaxyCluster", "relationship_type", "STIX labels have no relationship"},

    Member{"meta", "synonyms", {}},
    Member{"meta", "external_id", {}},
    Member{"meta", "refs", {}},
    Member{"meta", "kill_chain", {}},
};

}  // namespace

std::span<const Member> members() { return kMembers; }

const Member* find_member(std::string_view structure, std::string_view name) {
  for (const auto& row : kMembers) {
    if (row.structure == structure && row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace entente::misp::internal
