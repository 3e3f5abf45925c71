#include "pattern/indicator.h"

#include "pattern/internal/plain.h"
#include "pattern/pattern.h"

namespace entente::pattern {

bool validate_pattern(const json::Value& object, const stix::ValidateOptions& options,
                      std::vector<stix::Finding>& out) {
  using Level = stix::Finding::Level;
  if (json::find_string(object, "type") != "indicator" || json::find_string(object, "pattern_type") != "stix")
    return true;
  const auto text = json::find_string(object, "pattern");
  if (!text) return true;  // validate() has said so
  if (plainly_valid(*text)) return true;
  const auto parsed = Pattern::parse(*text);
  if (!parsed.ok()) {
    out.push_back({"S41-pattern", Level::kError, "/pattern", parsed.error().text() + " (STIX 2.1 §9)"});
    return false;
  }
  if (options.warnings) {
    for (const auto& warning : parsed->warnings()) {
      out.push_back({"S41-pattern-form", Level::kWarning, "/pattern", warning + " (STIX 2.1 §9)"});
    }
  }
  return true;
}

}  // namespace entente::pattern
