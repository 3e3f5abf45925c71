// MISP's values as STIX writes them, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "json/node.h"
#include "misp/internal/tables.h"

namespace entente::misp::internal {

// nullopt: the value is none of this form.
[[nodiscard]] std::optional<json::Node> to_value(Form form, std::string_view text);
[[nodiscard]] std::optional<json::Node> to_value(const Place& place,
                                                 std::string_view text);  // also the length of hashes
[[nodiscard]] std::string to_text(const json::Node& value);               // of a string, number or boolean

// The literal of a pattern; integers, booleans and times without quotes.
[[nodiscard]] std::string literal(Form form, const json::Node& value);

// STIX type of an endpoint: ipv4-addr, ipv6-addr or domain-name; "" if it is none.
[[nodiscard]] std::string_view endpoint_type(std::string_view value);
[[nodiscard]] bool is_block(std::string_view value);  // a CIDR block

// "a|b" in as many parts as asked; nullopt if there are fewer. What is left over belongs to the last.
[[nodiscard]] std::optional<std::vector<std::string>> split_parts(std::string_view value, size_t parts);

// MISP's times: seconds since 1970 as text or number; dates; ISO 8601.
[[nodiscard]] std::optional<Time> misp_seconds(const json::Node* value);
[[nodiscard]] std::optional<Time> misp_time(const json::Node* value);  // first_seen, date
[[nodiscard]] std::string stix_time(Time t);  // milliseconds, or microseconds where there are some

}  // namespace entente::misp::internal
