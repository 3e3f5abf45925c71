#include "base/log.h"

#include <memory>
#include <string>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/bytes.h"

namespace entente {
namespace {

constexpr size_t kLongestLine = 4000;

spdlog::logger& logger() {
  static spdlog::logger instance = [] {
    spdlog::logger made("entente", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made.set_pattern("time=%Y-%m-%dT%H:%M:%S.%eZ level=%l program=%n %v", spdlog::pattern_time_type::utc);
    made.flush_on(spdlog::level::trace);
    return made;
  }();
  return instance;
}

spdlog::level::level_enum level_of(Severity severity) {
  switch (severity) {
    case Severity::kDebug:
      return spdlog::level::debug;
    case Severity::kInfo:
      return spdlog::level::info;
    case Severity::kWarn:
      return spdlog::level::warn;
    case Severity::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void init_diagnostics(bool quiet, std::string_view program) {
  logger().set_pattern("time=%Y-%m-%dT%H:%M:%S.%eZ level=%l program=" + printable(program) + " %v",
                       spdlog::pattern_time_type::utc);
  logger().set_level(quiet ? spdlog::level::warn : spdlog::level::info);
}

void diagnose(Severity severity, std::string_view text) {
  if (!logger().should_log(level_of(severity))) return;
  const std::string line = printable(text, kLongestLine);
  logger().log(level_of(severity), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace entente
