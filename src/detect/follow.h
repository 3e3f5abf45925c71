// Logs that grow: searched line by line as they are written, across rotation (renamed, copied and truncated, compressed
// afterwards) and across restarts, no line twice and none left out.
//
// Exactly once takes two: what was read and what came of it must become durable together. So the position is written by
// commit() only, in one atomic write with a note of the caller's own (say, the length of the file its matches go to, to
// which it is cut back at the next start).
//
// Limits: of a log that is truncated in place, what was written between the last poll and the truncation is gone with
// it, unless the copy made of it stands beside it (logrotate's copytruncate). A generation that came and went while
// nobody followed is read if it is still beside the log, under a name that begins like the log's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "detect/hunt.h"

namespace entente::detect {

class Follower {
 public:
  // `state`: the file that keeps the positions. All references must outlive this. Not thread-safe.
  Follower(std::vector<std::string> logs, std::string state, Files& files, const Index& index,
           std::function<void(const HuntMatch&)> sink, const HuntOptions& options = {});
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;
  ~Follower();

  // Reads the positions; kInvalid if they are damaged (remove the file to begin anew). A log that was not known is
  // begun at its beginning, without what was rotated away before, and that is written down at once. What was rotated
  // away and compressed since the last run is searched here.
  Status start();
  [[nodiscard]] const std::string& note() const;  // of the last commit, "" at first
  // Searches what there is now; the number of lines. A log that is not there (yet) is no error.
  Result<uint64_t> poll();
  // Positions after the last poll() and the note become durable.
  Status commit(std::string note);

  [[nodiscard]] const HuntReport& report() const;  // since start()

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::detect
