// Splitting, summaries, references, ids and validation of STIX text of any kind. Strictness only ever adds errors, and
// warnings do not change the verdict.
#include <string>
#include <vector>

#include "fuzz/property.h"
#include "json/json.h"
#include "stix/marking.h"
#include "stix/object.h"
#include "stix/validate.h"

using namespace entente;
using fuzz::demand;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto parts = stix::split_objects(text);
  if (!parts.ok()) {
    demand(!parts.error().what.empty(), "an error says what is wrong");
    return 0;
  }
  json::Document doc;
  std::vector<stix::Finding> lax, strict, errors_only;
  for (const auto part : *parts) {
    demand(part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size(),
           "a part is a view into the text");
    demand(doc.parse(part).ok(), "a part is JSON");
    const auto root = doc.root();
    lax.clear(), strict.clear(), errors_only.clear();
    const bool valid = stix::validate(root, {.strict = false, .warnings = true}, lax);
    const bool valid_strictly = stix::validate(root, {.strict = true, .warnings = true}, strict);
    const bool valid_fast = stix::validate(root, {.strict = false, .warnings = false}, errors_only);
    demand(!valid_strictly || valid, "what is valid strictly is valid");
    demand(valid == valid_fast, "warnings do not change the verdict");
    demand(lax.size() == strict.size(), "strictness changes levels, not findings");
    size_t errors = 0;
    for (const auto& f : lax) errors += f.level == stix::Finding::Level::kError ? 1 : 0;
    demand(errors == errors_only.size(), "the fast path finds every error");
    demand((errors == 0) == valid, "an object is valid if and only if there is no error");

    const auto summary = stix::summarize(root);
    demand(summary.ok() || !valid, "a valid object has a summary");
    stix::for_each_reference(root,
                             [](const stix::Reference& r) { demand(!r.pointer.empty(), "a reference has a place"); });
    const auto id = stix::deterministic_id(root);
    demand(!id || stix::parse_id(*id).has_value(), "a deterministic id is an id");
    (void)stix::tlp_of_definition(root);
    (void)stix::pap_of_definition(root);
  }
  return 0;
}
