// The log in memory, for tests and simulation: the same committer, times and views as the embedded engine, and faults
// on demand.
#pragma once

#include <memory>

#include "log/log.h"

namespace entente::log {

// What a MemLog has made durable. Shared by a log and the one opened after it, as a disk is.
struct MemDisk;

class MemLog final : public Log {
 public:
  // Opens what is on the disk (a new one if null) and replays all of it through the projector, as after a crash.
  // An entry that the projector refuses now fails the opening.
  [[nodiscard]] static Result<std::unique_ptr<MemLog>> open(std::shared_ptr<MemDisk> disk, Projector& projector,
                                                            Clock& clock);
  ~MemLog() override;

  [[nodiscard]] std::shared_ptr<MemDisk> disk() const;

  // Faults. The next n groups fail with kIo and nothing of them is stored; afterwards writing works again.
  void fail_next(int n);
  // As a full disk does: the next group fails, and every append after it until the log is opened anew.
  void break_disk();
  // Groups wait until resume().
  void pause();
  void resume();
  // Damages a stored item so that reading it gives kCorrupt.
  void damage(uint64_t seq, uint32_t index);
  // Changes a table behind the projector's back ("" = erase), for check().
  void tamper(Table table, std::string_view key, std::string_view value);

  void append(Record record, Done done) override;
  [[nodiscard]] uint64_t last_seq() const override;
  [[nodiscard]] Time last_time() const override;
  [[nodiscard]] std::shared_ptr<const View> view() const override;
  void on_commit(std::function<void(uint64_t)> fn) override;
  Status replay(uint64_t from, const std::function<bool(const Entry&)>& fn) const override;
  Status scrub(uint64_t from_seq, uint64_t to_seq) override;
  Result<std::vector<std::string>> check(Projector& projector,
                                         const std::function<void(uint64_t, uint64_t)>& progress) const override;

 private:
  class Engine;
  explicit MemLog(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

}  // namespace entente::log
