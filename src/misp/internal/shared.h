// What import and export agree on: ids, the extension, how a value is read back.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/node.h"
#include "misp/internal/tables.h"

namespace entente::misp::internal {

// Our extension (property-extension): what MISP says and STIX has no place for. Its definition goes along.
inline constexpr std::string_view kExtension = "extension-definition--3f7c1c3e-8f0b-4a57-9d0e-5b0d9c7a2e61";
inline constexpr std::string_view kExtensionAuthor = "identity--b4d0a9f5-2c5e-4b3c-8a76-0c1f6d5e9a37";
// Times of objects that MISP gives none: fixed, so that they come out the same every time, and older than any version
// that the object's own maker publishes.
inline constexpr std::string_view kNoTime = "2015-01-01T00:00:00.000Z";
inline constexpr std::string_view kTlp1White = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9";

[[nodiscard]] json::Node extension_definition();
[[nodiscard]] json::Node extension_author();

// Version 5, in a name space of our own.
[[nodiscard]] std::string derived_uuid(std::string_view what);
// `type--uuid` with MISP's own uuid if it is one of RFC 4122 (any version), else one derived from it.
[[nodiscard]] std::string id_of(std::string_view type, std::string_view misp_uuid);
[[nodiscard]] std::string_view uuid_part(std::string_view id);

[[nodiscard]] const json::Node* extension_of(const json::Node& object);  // nullptr without

using Find = std::function<const json::Node*(std::string_view id)>;
// The places of a pattern's tests and their values, if it has only = and ISSUBSET.
using Tests = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::optional<Tests> tests_of(std::string_view pattern);

// The MISP value that stands at these places of an indicator or observed-data; nullopt if it cannot be told.
[[nodiscard]] std::optional<std::string> value_at(const json::Node& object, std::span<const Place> places,
                                                  const Find& find);

}  // namespace entente::misp::internal
