// Leases that people let routers have, each by itself (`entente lease announce`): which, how, and for as long as the
// lease is in force. What people approved is kept in the state folder and outlives a restart; a lease that ends takes
// its approval along.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/files.h"
#include "base/result.h"
#include "enforce/bgp.h"
#include "json/json.h"
#include "json/node.h"
#include "sensor/core.h"

namespace entente::sensor {

class Announcements {
 public:
  // `file`: of the approvals. One that is damaged is put aside, and nothing is announced: a person approves anew.
  static Result<std::unique_ptr<Announcements>> start(enforce::BgpOptions options, std::string file, bool clear_at_stop,
                                                      Core& core, Clock& clock, Files& files);
  Announcements(const Announcements&) = delete;
  Announcements& operator=(const Announcements&) = delete;
  ~Announcements();
  void stop();

  // {"cmd":"announce","lease":"L7","as":"rtbh"|"flowspec","reason":"…"}, {"cmd":"withdraw","lease":"L7"},
  // {"cmd":"announced"}; nothing if it is another command.
  [[nodiscard]] std::optional<std::string> control(std::string_view request);
  [[nodiscard]] json::Node status() const;

 private:
  Announcements();
  struct State;
  std::unique_ptr<State> state_;
};
// The answer to these commands where no [bgp] is configured; nothing if it is another command.
[[nodiscard]] std::optional<std::string> no_announcements(std::string_view request);

}  // namespace entente::sensor
