// The pattern of an indicator, as a rule of validation: what stix::validate() cannot say, because patterns stand above
// it (STIX 2.1 §4.7, §9).
#pragma once

#include <vector>

#include "json/json.h"
#include "stix/validate.h"

namespace entente::pattern {

// Appends a finding if the object is an indicator with a pattern of type "stix" that is none (S41-pattern), or that
// tools accept and the standard does not (S41-pattern-form, a warning). Patterns in other languages are not looked at.
// Returns whether there was no error. Thread-safe.
bool validate_pattern(const json::Value& object, const stix::ValidateOptions& options, std::vector<stix::Finding>& out);

}  // namespace entente::pattern
