#include "sensor/events.h"

#include "base/log.h"

namespace entente::sensor {

EventLog::EventLog(Files& files, std::string path, uint64_t max_bytes)
    : files_(files), path_(std::move(path)), max_bytes_(max_bytes) {
  if (const auto size = files_.size(path_); size.ok()) bytes_ = *size;
}

void EventLog::write(Time t, std::string_view event, const json::Node& members) {
  json::Node line = json::Node::object();
  line.set("t", t.us).set("event", event);
  for (const auto& [key, value] : members.members()) line.set(key, value);
  std::string text = json::write(line) + "\n";
  const std::lock_guard lock(mutex_);
  if (bytes_ + text.size() > max_bytes_) {
    if (const auto old = files_.read(path_); old.ok()) (void)files_.write_atomic(path_ + ".1", *old, 0600).ok();
    (void)files_.truncate(path_, 0).ok();
    bytes_ = 0;
  }
  if (failed_) text.insert(0, 1, '\n');  // a full disk may have left half a line
  if (files_.append(path_, text, false).ok()) {
    bytes_ += text.size();
    failed_ = false;
  } else if (!failed_) {
    failed_ = true;
    say_error("{}: events cannot be written", path_);
  }
}

}  // namespace entente::sensor
