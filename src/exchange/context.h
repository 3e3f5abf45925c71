// What every part of the exchange is given: who we are, and the seams. Constructed in node (or a test) and outlives the
// exchange.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agreement/decide.h"
#include "base/crypto.h"
#include "base/files.h"
#include "base/metrics.h"
#include "base/time.h"
#include "store/store.h"

namespace entente::exchange {

struct Config {
  std::string party;       // "IN"
  std::string name;        // of the node's owner, for people
  std::string ledger_dir;  // folder of the tile logs
  std::string
      witness_dir;  // what our witness cosigned: a folder of its own, so that it is not restored with the ledgers
  std::string node_kid, log_kid, witness_kid;
  bool exercise = false;     // exchange/exercise.h
  agreement::Policy policy;  // can only narrow
  agreement::Pins pins;      // our own acting keys: a text that gives us others has no effect here
  // Padding: entries `pad` so that each ledger grows to a multiple of pad_to every pad_every_us, traffic or not; 0 =
  // none.
  uint64_t pad_to = 0;
  int64_t pad_every_us = int64_t{600} * 1'000'000;
  // A partner's ledger is copied by no more entries in a day: who floods it fills its own disk, not ours. 0 = no limit.
  uint64_t max_partner_entries_per_day = 1'000'000;
  size_t release_batch = 1000;
  size_t pull_page = 2000;
  int pull_wait_seconds = 30;
};

inline constexpr int64_t kClockToleranceUs = 2'000'000;

struct Context {
  Config config;
  SecretKey node_key;
  SecretKey log_key;
  std::string pseudonym_secret;  // 32 octets: K_agreement is derived from it per agreement

  Clock& clock;
  Files& files;
  store::Store& store;
  Metrics& metrics;
  // Runs a short task soon, off the caller's thread (or at once, in tests).
  std::function<void(std::function<void()>)> post;
  // Cosigns the heads of partners' ledgers; without it this node witnesses nobody.
  std::optional<SecretKey> witness_key = std::nullopt;

  // The log never gives out a time before the newest that it gave out, so a clock that is behind it was set back: terms
  // and suspensions that ended would seem to run. Then nothing is released or taken (agreement.md §3.2).
  [[nodiscard]] bool clock_safe() const { return clock.now().plus_us(kClockToleranceUs) >= store.last_time(); }
};

}  // namespace entente::exchange
