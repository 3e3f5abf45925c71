// Rules over several properties that no table can say.
#include "stix/internal/checker.h"
#include "stix/internal/forms.h"
#include "stix/internal/selector.h"
#include "stix/marking.h"

namespace entente::stix::internal {

void check_external_reference(Checker& c, const Members& m, const Frame* at) {
  if (!m.has("description") && !m.has("url") && !m.has("external_id")) {
    c.report(Rule::kExternalReference, at, {"an external reference needs description, url or external_id"});
  }
  if (c.warnings() && m.has("url") && !m.has("hashes"))
    c.report(Rule::kUrlHashes, at, {"a url should come with hashes"});
  const auto source = m.string("source_name");
  if (!source) return;
  const auto id = m.string("external_id");
  // An object of the type that these catalogues list must give the id, any other only if it gives one.
  if (*source == "cve" && (id ? !is_cve(*id) : c.type() == "vulnerability")) {
    c.report(Rule::kCve, at, {"a reference to a CVE needs its id, such as CVE-2014-0160, as external_id"});
  }
  if (*source == "capec" && (id ? !is_capec(*id) : c.type() == "attack-pattern")) {
    c.report(Rule::kCapec, at, {"a reference to CAPEC needs its id, such as CAPEC-163, as external_id"});
  }
}

void check_granular_marking(Checker& c, const Members& m, const Frame* at) {
  if (m.has("lang") == m.has("marking_ref")) {
    c.report(Rule::kGranularOneOf, at, {"a granular marking needs either marking_ref or lang"});
  }
  const json::Value* selectors = m.find("selectors");
  if (selectors == nullptr || !selectors->is_array()) return;
  const Frame list{at, "selectors"};
  int64_t index = 0;
  for (const json::Value selector : json::as_array(*selectors)) {
    const Frame here{&list, {}, index++};
    if (!selector.is_string()) continue;
    const auto text = selector.get_string().value_unsafe();
    if (!is_selector(text)) {
      c.report(Rule::kSelectorForm, &here, {"\"", text, "\" is not a selector"});
    } else if (!selects(c.root(), text)) {
      c.report(Rule::kSelectorTarget, &here, {"\"", text, "\" selects nothing in this object"});
    } else if (c.warnings() && has_word("id type granular_markings", text.substr(0, text.find('.')))) {
      c.report(Rule::kSelectorUnwise, &here, {text, " should not be marked apart"});
    }
  }
}

// §4.10: region, country, or both coordinates.
void check_location(Checker& c, const Members& m, const Frame* at) {
  const bool latitude = m.has("latitude");
  const bool longitude = m.has("longitude");
  if (latitude != longitude) c.report(Rule::kNeeds, at, {"latitude and longitude need each other"}, "4.10");
  if (m.has("precision") && !(latitude && longitude))
    c.report(Rule::kNeeds, at, {"precision needs latitude and longitude"}, "4.10");
  if (!m.has("region") && !m.has("country") && !latitude && !longitude) {
    c.report(Rule::kOneOf, at, {"location needs region, country, or latitude and longitude"}, "4.10");
  }
}

void check_malware(Checker& c, const Members& m, const Frame* at) {
  if (m.boolean("is_family") == true && !m.has("name")) {
    const Frame here{at, "name"};
    c.report(Rule::kNeeds, &here, {"a malware family needs a name"}, "4.11");
  }
}

void check_observed_data(Checker& c, const Members& m, const Frame* at) {
  const json::Value* refs = m.find("object_refs");
  if (refs == nullptr || !refs->is_array() || refs->get_array().value_unsafe().size() == 0) return;
  for (const json::Value ref : json::as_array(*refs)) {
    const auto id = ref.is_string() ? parse_id(ref.get_string().value_unsafe()) : std::nullopt;
    const Type* type = id ? find_type(id->type) : nullptr;
    // Types of others may be observables; mistakes have findings of their own.
    if (type == nullptr || type->cls == Class::kSco) return;
  }
  const Frame here{at, "object_refs"};
  c.report(Rule::kObservedWithoutSco, &here, {"observed-data names no observable"});
}

void check_relationship(Checker& c, const Members& m, const Frame* at) {
  if (!c.warnings()) return;
  const auto verb = m.string("relationship_type");
  const auto source = m.string("source_ref");
  const auto target = m.string("target_ref");
  if (!verb || !source || !target) return;
  const auto from = parse_id(*source);
  const auto to = parse_id(*target);
  if (from && to && !known_relationship(from->type, *verb, to->type)) {
    const Frame here{at, "relationship_type"};
    c.report(Rule::kRelationshipMatrix, &here, {"the standard has no ", from->type, " ", *verb, " ", to->type});
  }
}

void check_email_message(Checker& c, const Members& m, const Frame* at) {
  const auto multipart = m.boolean("is_multipart");
  if (multipart == true && m.has("body")) {
    const Frame here{at, "body"};
    c.report(Rule::kNeeds, &here, {"a multipart message has body_multipart, not body"}, "6.6");
  }
  if (multipart == false && m.has("body_multipart")) {
    const Frame here{at, "body_multipart"};
    c.report(Rule::kNeeds, &here, {"a message that is not multipart has body, not body_multipart"}, "6.6");
  }
}

void check_network_traffic(Checker& c, const Members& m, const Frame* at) {
  if (m.boolean("is_active") != true || !m.has("end")) return;
  const Frame here{at, "is_active"};
  c.report(Rule::kActive, &here, {"with an end, is_active must be false"});
}

void check_encoding(Checker& c, const Members& m, const Frame* at) {
  if (!m.has("name_enc") || m.has("name")) return;
  const Frame here{at, "name_enc"};
  c.report(Rule::kEncodingBase, &here, {"name_enc needs name"});
}

void check_pebinary(Checker& c, const Members& m, const Frame* at) {
  const uint64_t type = uint64_t{1} << m.shape().find("pe_type");
  if ((m.present() & ~type) == 0)
    c.report(Rule::kExtensionEmpty, at, {"windows-pebinary-ext needs a property besides pe_type"}, "6.7.6");
}

void check_marking_definition(Checker& c, const Members& m, const Frame* at) {
  const auto type = m.string("definition_type");
  const json::Value* definition = m.find("definition");
  if (!m.has("extensions")) {
    for (const std::string_view name : {"definition_type", "definition"}) {
      const Frame here{at, name};
      if (!m.has(name)) c.report(Rule::kMarkingDefinition, &here, {name, " is missing, and there are no extensions"});
    }
  }
  const bool genuine = tlp_of_definition(c.root()).has_value();
  const json::Value* extensions = m.find("extensions");
  const bool says_tlp2 =
      extensions != nullptr &&
      json::find(*extensions, "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d").has_value();
  if (!genuine) {
    const bool known_id = tlp_of_id(c.id()).has_value();
    if (says_tlp2)
      c.report(Rule::kTlp2, at, {"this is none of the five TLP 2.0 markings"});
    else if (type == "tlp" || known_id)
      c.report(Rule::kTlp1, at, {"this is none of the four TLP 1.0 markings"});
  }
  const Frame here{at, "definition"};
  if (type == "statement" && definition != nullptr) {
    const auto statement = json::find(*definition, "statement");
    if (!statement || !statement->is_string())
      c.report(Rule::kMarkingDefinition, &here, {"a statement marking needs a statement"});
  } else if (type && *type != "tlp" && *type != "statement") {
    c.report(Rule::kMarkingType, at, {"\"", *type, "\" is not a type of marking of the standard"});
  }
  if (definition != nullptr && !definition->is_object())
    c.report(Rule::kJsonType, &here, {"definition must be an object"});
  if (c.warnings() && !genuine && definition != nullptr)
    c.report(Rule::kDeprecated, &here, {"definition is deprecated"});
}

void check_extension_definition(Checker& c, const Members& m, const Frame* at) {
  bool toplevel = false;
  const json::Value* types = m.find("extension_types");
  if (types != nullptr && types->is_array()) {
    for (const json::Value type : json::as_array(*types)) {
      toplevel = toplevel || (type.is_string() && type.get_string().value_unsafe() == "toplevel-property-extension");
    }
  }
  const Frame properties{at, "extension_properties"};
  if (m.has("extension_properties") && !toplevel) {
    c.report(Rule::kExtensionProperties, &properties,
             {"extension_properties needs toplevel-property-extension among the types"});
  }
  if (!c.warnings()) return;
  if (toplevel && !m.has("extension_properties")) {
    c.report(Rule::kExtensionAdvice, &properties, {"a toplevel-property-extension should list extension_properties"});
  }
  if (!m.has("description"))
    c.report(Rule::kExtensionAdvice, at, {"an extension definition should have a description"});
  const auto version = m.string("version");
  const Frame here{at, "version"};
  if (version && !is_semver(*version))
    c.report(Rule::kExtensionAdvice, &here, {"\"", *version, "\" is not MAJOR.MINOR.PATCH"});
}

}  // namespace entente::stix::internal
