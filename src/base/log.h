// Diagnostics to standard error (one line each, key=value), through spdlog. No secret, no object content ever goes
// here.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace entente {

enum class Severity { kDebug, kInfo, kWarn, kError };

// Process-wide; called once by main. `quiet` drops everything below kWarn.
void init_diagnostics(bool quiet, std::string_view program = "entente");
void diagnose(Severity severity, std::string_view text);

template <class... A>
void say_debug(fmt::format_string<A...> f, A&&... a) {
  diagnose(Severity::kDebug, fmt::format(f, std::forward<A>(a)...));
}
template <class... A>
void say_info(fmt::format_string<A...> f, A&&... a) {
  diagnose(Severity::kInfo, fmt::format(f, std::forward<A>(a)...));
}
template <class... A>
void say_warn(fmt::format_string<A...> f, A&&... a) {
  diagnose(Severity::kWarn, fmt::format(f, std::forward<A>(a)...));
}
template <class... A>
void say_error(fmt::format_string<A...> f, A&&... a) {
  diagnose(Severity::kError, fmt::format(f, std::forward<A>(a)...));
}

}  // namespace entente
