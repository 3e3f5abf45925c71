// The whole validation of one input: every object strictly read, checked alone (stix/validate.h), with its pattern
// (indicator.h) and beside the others (stix/validate_set.h). What `entente stix validate` and the Python module do.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "stix/object_stream.h"
#include "stix/validate.h"
#include "stix/validate_set.h"

namespace entente::pattern {

struct InputOptions {
  stix::ValidateOptions rules;
  stix::ObjectStream::Options reading;
  stix::SetValidator::Options set;
  bool whole_set = true;                        // false: every object for itself
  std::set<std::string, std::less<>> disabled;  // codes to leave out
};

// One object, bundle, or text that is no object. Views are valid during the call.
struct ObjectReport {
  std::string_view id;     // "" if there is none
  std::string_view type;   // "" if there is none
  std::string_view place;  // JSON pointer in its document, "" if alone
  uint64_t line = 0;       // where it begins; 0 for a finding about an object that was reported before
  bool is_object = false;  // not a bundle's own members, nor text that is no object
  bool valid = true;       // no error among the findings
  const std::vector<stix::Finding>* findings = nullptr;  // never null
};

struct InputSummary {
  uint64_t objects = 0;      // read or tried to
  uint64_t invalid = 0;      // of them
  uint64_t errors = 0;       // findings
  uint64_t warnings = 0;     // findings
  uint64_t late_errors = 0;  // about objects that were reported before
  uint64_t octets = 0;
  bool complete = true;  // the memory was enough for the rules over several objects
  [[nodiscard]] bool valid() const { return errors == 0; }
};

using ReportTo = std::function<void(const ObjectReport&)>;
// Called now and then, with what was read so far.
using ProgressTo = std::function<void(uint64_t octets, uint64_t objects)>;

// Calls `to` for every object of the input, also for those without findings. An error only if reading failed.
[[nodiscard]] Result<InputSummary> validate_input(stix::ObjectStream::Read read, const InputOptions& options,
                                                  const ReportTo& to, const ProgressTo& progress = {});

}  // namespace entente::pattern
