// The national register of critical services: what they are, and what they depend on (docs/format/service-register.md).
// A service itself is protected like anything on an allow-list; what it depends on is blocked only by a person, who is
// told which service would feel it.
#pragma once

#include <string>
#include <string_view>

#include "base/files.h"
#include "base/result.h"
#include "enforce/protect.h"

namespace entente::enforce {

struct RegisterLoaded {
  size_t services = 0, targets = 0, dependences = 0;
};
// Services into `lists`, what they depend on into `needed`. An entry that cannot be read is an error that names it: a
// line that protects nothing would be found out too late.
Result<RegisterLoaded> add_register(std::string_view json, const std::string& file, ProtectedList& lists,
                                    ProtectedList& needed);
Result<RegisterLoaded> add_register_file(Files& files, const std::string& path, ProtectedList& lists,
                                         ProtectedList& needed);

}  // namespace entente::enforce
