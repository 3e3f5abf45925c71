// Whether a signed step (of a joint action, of a consent) is its party's: a text that binds it, and a quorum of its
// keys.
//
// Checking signatures is nearly all of a fold's cost and keys change seldom, so each step is remembered with the keys
// that judged it last. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "agreement/act.h"

namespace entente::agreement::internal {

class StepJudge {
 public:
  // "" if the step is its party's, by its keys under this state; else why not. With `at`, by those that it still has
  // then. `hash` is the act's.
  std::string why_not(const SignedAct& step, const std::string& hash, const State& state, std::optional<Time> at = {});

 private:
  struct Judged {
    std::string keys;
    std::string why;  // "" = its quorum is there
  };
  std::mutex mutex_;
  std::map<std::string, Judged> judged_;  // by hash
};

}  // namespace entente::agreement::internal
