// What was seen, counted per indicator and value, and made into STIX sightings for the node: the first at once, then
// one per interval. What the node has not taken is kept on disk, up to a bound.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/time.h"

namespace entente::sensor {

struct SightingOptions {
  int64_t interval_us = 60'000'000;
  std::string tlp = "amber";  // or "same"
  std::string created_by;
  size_t max_queue = 10'000;
  size_t max_tracked = 100'000;  // indicator and value pairs that are counted at one time
  // What leaves is coarser than what was counted, so that it tells less of where and when this sensor looks (threat
  // model row 31). Both round down.
  int64_t grain_us = 0;
  int digits = 0;
};

// 347 with one digit is 300; 0 digits: as it is.
[[nodiscard]] uint64_t rounded_down(uint64_t count, int digits);

// Not thread-safe.
class Sightings {
 public:
  Sightings(Files& files, std::string path, SightingOptions options);
  // What an earlier run could not deliver.
  void load();

  // Returns true if this is the first time in this interval. `times` between `at` and `last`, for what lies in the
  // past.
  bool seen(const std::string& indicator, const std::string& value, const std::string& tlp_marking, Time at,
            uint64_t times = 1, std::optional<Time> last = {});
  // Moves what is due into the queue.
  void tick(Time now);
  void finish(Time now);  // everything counted is due

  // The oldest in the queue, as STIX objects.
  [[nodiscard]] std::vector<std::string> batch(size_t most);
  // Of the last batch; sightings that overflowed meanwhile are not taken off twice.
  void delivered(size_t n);
  // Refused for good: counted and forgotten.
  void refused(size_t n);
  Status save();  // if something changed
  [[nodiscard]] size_t queued() const { return queue_.size(); }
  [[nodiscard]] uint64_t lost() const { return lost_; }
  [[nodiscard]] uint64_t sent() const { return sent_; }

 private:
  struct Count {
    uint64_t count = 0;
    Time first, last;
    Time reported{INT64_MIN};  // when the last sighting of it was made
    std::string tlp_marking;
  };
  void report(const std::string& indicator, Count& count, Time now);
  Files& files_;
  std::string path_;
  SightingOptions options_;
  std::map<std::pair<std::string, std::string>, Count> counts_;
  std::deque<std::string> queue_;
  void take_off(size_t n);
  bool changed_ = false;
  uint64_t overflowed_ = 0, batch_overflowed_ = 0;
  uint64_t lost_ = 0, sent_ = 0;
};

}  // namespace entente::sensor
