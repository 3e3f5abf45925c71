// What people rolled back: a partner's indicators that arrived in a span of time block nothing any more, on any target,
// until it is taken back. Kept in the sensor's state folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/time.h"
#include "json/node.h"

namespace entente::sensor {

struct Rollback {
  uint64_t id = 0;         // shown as "R3"
  std::string partner;     // "" = own, "*" = everybody
  Time since{0}, until;    // of arrival: [since, until]
  Time at;                 // when it was ordered
  std::string reason;      // for people; may be empty
  bool automatic = false;  // by the sensor, because of harm

  [[nodiscard]] std::string name() const { return "R" + std::to_string(id); }
  [[nodiscard]] std::string sentence() const;
  // Does an indicator of this partner, arrived then, fall under it?
  [[nodiscard]] bool covers(std::string_view whose, Time arrived) const {
    return (partner == "*" || partner == whose) && since <= arrived && arrived <= until;
  }
};
[[nodiscard]] json::Node to_json(const Rollback& rollback);

// Not thread-safe.
class Rollbacks {
 public:
  Rollbacks(Files& files, std::string path) : files_(files), path_(std::move(path)) {}
  // A file that cannot be read must not let blocks come back: it is put aside as PATH.damaged, and a rule takes its
  // place by which all that came before `now` is rolled back.
  void load(Time now);
  // Durable when it returns; an error has changed nothing. The id is given here.
  Result<Rollback> add(Rollback rollback);
  Result<Rollback> remove(std::string_view name);  // "R3"; kNotFound

  // The one that an indicator of this partner, arrived then, falls under; null if none.
  [[nodiscard]] const Rollback* covers(const std::string& partner, Time arrived) const;
  [[nodiscard]] const std::vector<Rollback>& all() const { return all_; }

 private:
  Status save(const std::vector<Rollback>& all, uint64_t next);

  Files& files_;
  std::string path_;
  std::vector<Rollback> all_;
  uint64_t next_ = 1;
};

}  // namespace entente::sensor
