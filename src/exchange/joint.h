// Joint actions as this node sees them, and what its sensors did about them: their counts become a signed step
// (joint_report) that travels to the other parties as every step does.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/joint.h"
#include "exchange/context.h"
#include "exchange/instruments.h"

namespace entente::exchange {

// Thread-safe.
class JointDesk {
 public:
  // `submit` takes the text of a signed act.
  JointDesk(Context& context, const Instruments& instruments, std::function<Status(const std::string&)> submit)
      : cx_(context), instruments_(instruments), submit_(std::move(submit)) {}

  // All actions known here, under every agreement, at this time; oldest first.
  [[nodiscard]] std::vector<agreement::JointAction> actions() const;

  // What one sensor (by the id of its account) says it did. kNotFound for an action that is not known here.
  Status reported(const std::string& sensor, const std::string& action, const agreement::JointReport& report);
  // Signs and sends what changed: a change of leases soon, mere hits in their time. To be called now and then.
  void tick();

 private:
  struct Desk {
    std::string agreement_id;
    std::map<std::string, agreement::JointReport> by_sensor;
    agreement::JointReport sent;
    bool ever = false;             // sent anything
    std::optional<int64_t> tried;  // steady time, also of what was refused: it is not tried each tick
  };
  void send(const std::string& action);

  Context& cx_;
  const Instruments& instruments_;
  std::function<Status(const std::string&)> submit_;
  std::mutex mutex_;
  std::map<std::string, Desk> desks_;  // by action
};

}  // namespace entente::exchange
