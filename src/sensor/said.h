// What goes wrong again and again is said once, and once more when it is over.
#pragma once

#include <map>
#include <string>

#include "base/log.h"
#include "base/result.h"

namespace entente::sensor {

// Not thread-safe.
class Said {
 public:
  // True while `what` is wrong.
  bool operator()(const std::string& what, const Status& status) {
    const auto it = wrong_.find(what);
    if (status.ok()) {
      if (it == wrong_.end()) return false;
      say_info("{}: is well again", what);
      wrong_.erase(it);
      return false;
    }
    std::string why = status.error().text();
    if (it == wrong_.end()) {
      say_error("{}: {}", what, why);
      wrong_.emplace(what, std::move(why));
    } else {
      it->second = std::move(why);
    }
    return true;
  }
  [[nodiscard]] const std::map<std::string, std::string>& wrong() const { return wrong_; }  // what -> why, now

 private:
  std::map<std::string, std::string> wrong_;
};

}  // namespace entente::sensor
