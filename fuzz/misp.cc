// MISP events to STIX and back. Whatever an event holds, what is made of it is valid STIX, every attribute is counted
// once, and the export of it is read again. STIX of any kind can be exported.
#include "misp/misp.h"

#include <string>
#include <string_view>
#include <vector>

#include "fuzz/property.h"
#include "json/json.h"
#include "json/node.h"
#include "pattern/pattern.h"
#include "stix/object.h"
#include "stix/validate.h"

using namespace entente;
using fuzz::demand;

namespace {

std::string write_events(const misp::Export& made) {
  json::Node list = json::Node::array();
  for (const auto& e : made.events) list.push(e);
  return json::write(list);
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = fuzz::text_of(data, size);
  if (const auto parts = stix::split_objects(text); parts.ok()) {
    const auto made = misp::to_misp(*parts);
    if (made.ok()) demand(made->used <= made->objects, "no more is used than there is");
  }
  const std::string_view one[] = {text};
  const auto made = misp::to_stix(one);
  if (!made.ok()) return 0;
  const auto& c = made->counts;
  demand(c.attributes == c.as_indicator + c.as_observed + c.as_other + c.as_note + c.beside + c.left_out,
         "every attribute is counted once");
  std::vector<std::string> texts;
  json::Document doc;
  std::vector<stix::Finding> findings;
  for (const auto& o : made->objects) {
    texts.push_back(json::write(o));
    demand(doc.parse(texts.back()).ok(), "what is made is JSON");
    demand(stix::validate(doc.root(), {.strict = true, .warnings = false}, findings), "what is made is valid");
    if (o.string_at("pattern_type") == "stix")
      demand(pattern::Pattern::parse(o.string_at("pattern")).ok(), "a pattern is one");
  }
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto back = misp::to_misp(views);
  demand(back.ok(), "what was made can be exported");
  const std::string again = write_events(*back);
  const std::string_view two[] = {again};
  demand(back->events.empty() || misp::to_stix(two).ok(), "what was exported is read");
  return 0;
}
