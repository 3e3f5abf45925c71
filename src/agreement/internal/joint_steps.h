// The bodies of joint steps, read strictly: one unknown member makes a step nobody's.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/joint.h"

namespace entente::agreement::internal {

struct JointBody {
  std::string action;  // "" in a proposal, which is the action
  // joint_propose
  std::string title;
  std::vector<Measure> measures;
  Time t0, until;
  size_t need = 0;  // 0 = every party
  bool exercise = false;
  // joint_consent
  std::optional<std::set<std::string>> subset;  // absent = all measures
  std::optional<Time> own_until;
  // joint_consent, joint_decline, joint_stand_down
  std::string reason, article;
  // joint_report
  JointReport report;
};
[[nodiscard]] Result<JointBody> read_joint_body(const Act& act);

}  // namespace entente::agreement::internal
