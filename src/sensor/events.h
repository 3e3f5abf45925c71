// What happened, one JSON object a line: for people, tests and the demo. {"t":microseconds,"event":"lease_applied",…}
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/time.h"
#include "json/node.h"

namespace entente::sensor {

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void write(Time t, std::string_view event, const json::Node& members) = 0;
};

// Appends to a file; over `max_bytes` the file becomes PATH.1 (one is kept). Thread-safe. A full disk loses events,
// never the sensor.
class EventLog final : public EventSink {
 public:
  EventLog(Files& files, std::string path, uint64_t max_bytes = 64u << 20);
  void write(Time t, std::string_view event, const json::Node& members) override;

 private:
  Files& files_;
  std::string path_;
  uint64_t max_bytes_, bytes_ = 0;
  bool failed_ = false;
  std::mutex mutex_;
};

}  // namespace entente::sensor
