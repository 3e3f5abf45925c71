// From a STIX object as it came to what a sensor works with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agreement/decide.h"
#include "base/result.h"
#include "base/time.h"
#include "detect/compound.h"
#include "pattern/pattern.h"
#include "stix/timestamp.h"

namespace entente::sensor {

struct ReceivedIndicator {
  std::string id;
  std::string version;  // text of `modified`
  stix::Timestamp version_time;
  bool revoked = false;
  std::string name;
  std::string by;  // created_by_ref
  std::string pattern;
  std::vector<pattern::Atom> atoms;
  // Of a pattern that no single value decides: evaluated over records (detect/compound.h). `atoms` may be there beside
  // it: values of which each alone decides.
  std::optional<detect::Prepared> compound;
  std::string unusable;  // why there are neither; "" if there are
  Time valid_from{0}, valid_until{INT64_MAX};
  int confidence = -1;
  std::vector<std::string> types;
  std::vector<std::string> markings;  // object_marking_refs
};

struct ReceivedMarking {
  std::string id;
  std::optional<stix::Pap> pap;  // it says PAP
};

// What the node adds to an object: its manifest asks for more than its marks say.
struct ReceivedHandling {
  std::string object, version;
  stix::Pap pap = stix::Pap::kRed;
};

struct ReceivedObject {
  std::optional<ReceivedIndicator> indicator;
  std::optional<ReceivedMarking> marking;  // neither: of no concern to a sensor
  std::optional<ReceivedHandling> handling;
  bool revoked = false;    // whatever it is
  bool destroyed = false;  // the node destroyed it: nothing of it may be kept here
};
// kInvalid if it is no STIX object.
[[nodiscard]] Result<ReceivedObject> read_object(std::string_view raw);

}  // namespace entente::sensor
