// What the node says about agreements, and what this sensor makes of it: states are folded here, from signed acts, at
// the present time.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/act.h"
#include "agreement/decide.h"
#include "agreement/joint.h"
#include "base/result.h"
#include "base/time.h"

namespace entente::sensor {

// A measure of a joint action that is in effect here now.
struct JointOrder {
  std::string action, title;  // id; for people
  std::string lead, article;
  std::string version;  // of the indicator: another one was not consented to
  bool drop = false;    // else only count: the measure says so, or it is an exercise
  bool exercise = false;
  Time until;  // end of what this party consented to
  bool operator==(const JointOrder&) const = default;
};
using JointOrders = std::map<std::string, JointOrder>;  // by indicator

struct ReceivedCollection {
  std::string id, alias;
  std::string from;       // party
  std::string agreement;  // id
};

class Instruments {
 public:
  // The answer of GET /api/v1/agreements. What cannot be read of one agreement leaves that one without permission.
  // kDenied if the node is for exercises and this sensor (`exercise`) is not, or the other way; an agreement of the
  // other world, by its signed text, permits nothing whatever the node says.
  static Result<Instruments> parse(std::string_view json, bool exercise = false);

  void fold(Time now);  // microseconds: signatures were checked by parse
  [[nodiscard]] bool live(const std::string& agreement, const std::string& partner) const;
  // `why` set and not allowed for an agreement that is not known.
  [[nodiscard]] agreement::Permission may_block(const std::string& agreement, const agreement::Handling& object) const;
  [[nodiscard]] int max_block_days(const std::string& agreement) const;  // 0 = not stated
  // What joint actions under all agreements ask of this party at the time of the fold. Of several measures about one
  // indicator one that drops wins, and of those the one with the latest end.
  [[nodiscard]] const JointOrders& joint_orders() const { return orders_; }
  [[nodiscard]] const std::string& text() const { return text_; }  // as parsed
  [[nodiscard]] const std::vector<ReceivedCollection>& collections() const { return collections_; }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> states() const;  // agreement id, state in words

 private:
  struct Instrument {
    std::string me;
    agreement::History history;
    agreement::JointHistory joint;
    agreement::State state;
  };
  std::map<std::string, Instrument> instruments_;
  std::vector<ReceivedCollection> collections_;
  JointOrders orders_;
  bool exercise_ = false;
  std::string text_;
};

}  // namespace entente::sensor
