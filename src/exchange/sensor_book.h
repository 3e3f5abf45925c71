// The sensors of this node: who has ever reported, when each was heard of last, up to where it has applied what
// partners gave, and what it says of each recall. A sensor that is gone stays in the book until a person takes it out:
// it is late, not forgotten.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "exchange/context.h"

namespace entente::exchange {

// What one sensor says of one recalled object.
struct SensorWord {
  Time received;
  uint64_t leases = 0;  // that the recall ended
  uint64_t also = 0;    // of their targets, those that stay blocked on the word of other objects
  struct Place {
    std::string enforcer;
    std::optional<Time> withdrawn;
    std::string held;  // why it is not
  };
  std::vector<Place> places;
};

struct SensorEntry {
  std::string name;  // "TOKEN/ID": two sensors may share a token
  std::string mark;  // for others: tells sensors apart without naming them
  std::string mode;  // block | monitor
  bool exercise = false;
  std::vector<std::string> enforcers;
  Time first, last;                     // heard of
  std::map<std::string, Time> applied;  // by collection
};

// Thread-safe.
class SensorBook {
 public:
  static constexpr size_t kMostSensors = 1000;
  static constexpr size_t kMostWords = 100'000;

  explicit SensorBook(Context& context);
  // The body of POST /api/v1/sensors/report, of whoever has this caller id.
  Status report(const std::string& caller, std::string_view body);
  [[nodiscard]] std::vector<SensorEntry> sensors() const;  // by name
  // It is gone for good and holds nothing any more, says a person. kNotFound.
  Status forget(const std::string& name);

  using Object = std::tuple<std::string, std::string, std::string>;  // collection, id, version
  // What the sensor says of it; by its position alone if it said nothing else and is past `added`.
  [[nodiscard]] std::optional<SensorWord> word(const SensorEntry& sensor, const Object& object, Time added) const;
  // Words about what is not asked any more are dropped.
  void keep_only(const std::function<bool(const Object&)>& asked);

 private:
  Status save(const SensorEntry& entry);

  Context& cx_;
  mutable std::mutex mutex_;
  std::map<std::string, SensorEntry> sensors_;
  std::map<std::string, Time> saved_;  // when its entry was written last
  std::map<Object, std::map<std::string, SensorWord>> words_;
  size_t word_count_ = 0;
};

}  // namespace entente::exchange
