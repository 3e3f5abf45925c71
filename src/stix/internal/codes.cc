#include "stix/internal/codes.h"

#include <array>

namespace entente::stix {
namespace internal {
namespace {

constexpr auto kError = Finding::Level::kError;
constexpr auto kWarning = Finding::Level::kWarning;

constexpr std::array<CodeInfo, static_cast<size_t>(Rule::kCount)> kCodes = {{
    {"S1-json", kError, false, "2.6",
     "The text is I-JSON: UTF-8, no name twice, integers within 53 bits, bounded depth and size."},
    {"S1-json-type", kError, false, "2", "A property has the data type that its table gives."},
    {"S2-null", kError, false, "2", "null is not a value of STIX: leave the property out."},
    {"S2-empty-list", kError, false, "2.12", "A list has at least one member: leave an empty one out."},
    {"S2-empty-dictionary", kError, false, "2.3",
     "An object or dictionary has at least one member: leave an empty one out."},
    {"S3-dictionary-key", kError, false, "2.3", "Dictionary keys are 1 to 250 of a-z A-Z 0-9 hyphen and underscore."},
    {"S3-dictionary-key-case", kWarning, false, "2.3", "Dictionary keys should be lower case."},
    {"S4-binary", kError, false, "2.1", "Binary values are base64 (RFC 4648 §4)."},
    {"S4-hex", kError, false, "2.8", "Hexadecimal values are an even number of the digits 0-9 a-f."},
    {"S4-encoding-base", kError, false, "3.1", "A property that ends in _enc needs the property that it describes."},
    {"S4-reference-form", kWarning, false, "3.1", "Properties that end in _ref or _refs hold identifiers."},
    {"S4-encoded-form", kWarning, false, "3.1",
     "Properties that end in _bin hold base64, those that end in _hex hexadecimal digits."},
    {"S5-timestamp", kError, false, "2.16", "Timestamps are real dates written YYYY-MM-DDTHH:MM:SS[.s]Z, in UTC."},
    {"S5-milliseconds", kError, false, "3.2", "created and modified have at least three digits after the dot."},
    {"S6-id", kError, false, "2.9", "Identifiers have the form type--UUID."},
    {"S6-id-type", kError, false, "2.9", "The type in an id is the type of its object."},
    {"S6-id-case", kWarning, false, "2.9", "UUIDs are written in lower case."},
    {"S6-uuid", kError, false, "2.9", "The UUID of an identifier is one of RFC 4122."},
    {"S6-uuid-version", kWarning, false, "2.9", "UUIDs are of version 4, those of observables of version 5."},
    {"S7-external-reference", kError, false, "2.5", "An external reference has description, url or external_id."},
    {"S7-url-hashes", kWarning, false, "2.5", "An external reference with a url should have hashes."},
    {"S7-cve", kError, false, "4.19", "A reference to a CVE has the CVE id as external_id."},
    {"S7-capec", kError, false, "4.1", "A reference to CAPEC has CAPEC-number as external_id."},
    {"S8-kill-chain-style", kWarning, false, "2.11", "Names of kill chains and phases are lower case with hyphens."},
    {"S9-hash-value", kError, false, "2.7", "The value of a hash fits its algorithm."},
    {"S9-hash-key", kError, false, "2.7", "Keys of hashes are 3 to 250 of a-z A-Z 0-9 hyphen and underscore."},
    {"S9-hash-algorithm", kWarning, false, "2.7", "Keys of hashes come from hash-algorithm-ov."},
    {"S10-type-name", kError, false, "3.1",
     "Type names are 3 to 250 of a-z 0-9 and single hyphens and begin with a letter."},
    {"S10-property-name", kError, false, "3.1",
     "Property names are 3 to 250 of a-z 0-9 underscore and begin with a letter."},
    {"S10-reserved-name", kError, false, "3.8", "severity, username, phone_number and action are reserved."},
    {"S11-enum", kError, false, "2.4", "The value comes from a closed list."},
    {"S11-vocabulary", kWarning, false, "2.14", "The value should come from the open vocabulary."},
    {"S11-term-style", kWarning, false, "2.14", "Own vocabulary terms are lower case with hyphens."},
    {"S12-required", kError, false, "3.2", "A required property is there."},
    {"S12-advised", kWarning, false, "3.2", "A property that the standard asks for is there."},
    {"S12-spec-version", kError, false, "3.2", "spec_version is exactly \"2.1\"."},
    {"S12-reference-type", kError, false, "3.2", "A reference names an object of a type that its property allows."},
    {"S13-range", kError, false, "3.2", "Numbers are within the range of their property."},
    {"S13-language-tag", kError, false, "3.2", "Languages are tags of RFC 5646."},
    {"S15-unknown-property", kWarning, true, "11.1", "The type has no such property and no extension declares it."},
    {"S15-custom-property", kWarning, true, "11.1", "Custom properties are deprecated: use an extension."},
    {"S15-versioned-sco", kError, false, "3.6", "An observable with versions must not have a deterministic id."},
    {"S19-deterministic-id", kWarning, false, "2.9",
     "The id of an observable follows from its contributing properties."},
    {"S20-modified", kError, false, "3.6", "modified is not before created."},
    {"S20-created", kError, false, "3.6", "created is the same in all versions of an object."},
    {"S21-after-revocation", kError, false, "3.6", "There is no version after the one that revokes."},
    {"S22-version-content", kError, false, "3.6", "Objects with the same id and modified are the same."},
    {"S22-creator", kError, false, "3.6", "Only who created an object makes versions of it."},
    {"S25-marking-definition", kError, false, "7.2.1",
     "A marking has definition_type and definition unless it has extensions."},
    {"S25-marking-type", kWarning, true, "7.2.1", "definition_type is statement or tlp."},
    {"S26-tlp", kError, false, "7.2.1.4", "Only the four objects of the standard are TLP 1.0 markings."},
    {"S27-tlp", kError, false, "7.2.1.4", "Only the five OASIS objects are TLP 2.0 markings."},
    {"S28-granular-marking", kError, false, "7.2.3", "A granular marking has either marking_ref or lang."},
    {"S29-selector-form", kError, false, "7.2.3.1", "Selectors are names and [n], joined by dots."},
    {"S29-selector-target", kError, false, "7.2.3.1", "A selector selects something that is in the object."},
    {"S29-selector-unwise", kWarning, false, "7.2.3.1",
     "id, type and the markings themselves should not be marked apart."},
    {"S30-self-marking", kError, false, "7.2.2", "A marking does not mark itself."},
    {"S30-circular-marking", kError, false, "7.2", "Markings do not mark each other in a circle."},
    {"S31-extension-properties", kError, false, "7.3",
     "extension_properties belongs to a toplevel-property-extension."},
    {"S31-extension-advice", kWarning, false, "7.3",
     "An extension definition has a description and a version like 1.2.3."},
    {"S32-extension-type", kError, false, "7.3.3", "An entry for an extension definition has extension_type."},
    {"S32-toplevel-entry", kWarning, false, "7.3.3",
     "The entry of a toplevel-property-extension has only extension_type: its properties stand at the top."},
    {"S33-new-type-clash", kWarning, false, "7.3", "A type of the standard is not a new type of an extension."},
    {"S34-extension-key", kError, false, "3.2",
     "Keys of extensions are ids of extension definitions or names of predefined extensions."},
    {"S34-extension-host", kError, false, "6", "A predefined extension stands on the type it is made for."},
    {"S34-extension-empty", kError, false, "6", "A predefined extension has at least one property."},
    {"S35-deprecated", kWarning, false, "1.4", "The property is deprecated."},
    {"S35-custom-object", kWarning, true, "11.2", "Custom objects are deprecated: use an extension definition."},
    {"S35-custom-extension", kWarning, true, "11.3", "Custom extensions of observables are deprecated."},
    {"S36-order", kError, false, "4", "The end of a period is not before its start."},
    {"S36-active", kError, false, "6.12", "A connection that has an end is not active."},
    {"S36-one-of", kError, false, "4", "At least one of several properties is there."},
    {"S36-exclusive", kError, false, "4", "Exactly one of several properties is there."},
    {"S36-needs", kError, false, "4", "A property stands only together with another, or without it."},
    {"S37-form", kError, false, "6", "The value has the form that its property demands."},
    {"S37-form-advice", kWarning, false, "6", "The value has the form that its property recommends."},
    {"S38-relationship-type", kError, false, "5.1", "relationship_type consists of a-z 0-9 and hyphens."},
    {"S38-observed-without-sco", kError, false, "4.14", "object_refs of observed data names at least one observable."},
    {"S39-contents", kError, false, "7.1", "contents maps languages to translated properties."},
    {"S39-translation", kError, false, "7.1", "A translation has the shape of what it translates."},
    {"S39-object-modified", kWarning, false, "7.1", "object_modified is the modified of a version of the object."},
    {"S40-container-reference", kError, false, "4.14", "References inside objects lead to other members of it."},
    {"S40-container-object", kError, false, "4.14", "Members of objects are observables."},
    {"S41-pattern", kError, false, "9", "The pattern of a STIX indicator is one."},
    {"S41-pattern-form", kWarning, false, "9",
     "The pattern keeps to what the standard writes, not only to what tools accept."},
    {"S42-duplicate", kWarning, false, "8", "Each version of an object is there once."},
    {"S46-relationship", kWarning, false, "B", "The relationship is one that the standard names for these types."},
}};
static_assert(!kCodes.back().code.empty(), "one entry per rule");

}  // namespace

const CodeInfo& info(Rule rule) { return kCodes[static_cast<size_t>(rule)]; }

}  // namespace internal

std::span<const CodeInfo> codes() { return internal::kCodes; }

}  // namespace entente::stix
