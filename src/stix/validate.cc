#include "stix/validate.h"

#include "stix/internal/checker.h"

namespace entente::stix {

bool validate(const json::Value& object, const ValidateOptions& options, std::vector<Finding>& out) {
  return internal::Checker(object, options, out).run();
}

}  // namespace entente::stix
