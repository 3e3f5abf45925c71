// The half of a log that every engine shares: the queue, the one thread that takes groups from it, sequence numbers and
// times, the projector and the order of answers. An engine says how tables are read and how a group is made durable.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "log/internal/overlay.h"
#include "log/log.h"

namespace entente::log {

class Committer : public Log, private Base {
 public:
  ~Committer() override;
  void append(Record record, Done done) final;
  [[nodiscard]] uint64_t last_seq() const final { return last_seq_.load(std::memory_order_acquire); }
  [[nodiscard]] Time last_time() const final { return {last_time_.load(std::memory_order_acquire)}; }
  void on_commit(std::function<void(uint64_t)> fn) final;

 protected:
  Committer(Projector& projector, Clock& clock, size_t max_group_bytes);

  // Begins to commit, after what is already there. Engines call stop() first thing in their destructor.
  void start(uint64_t last_seq, Time last_time);
  // Lets the group under way finish; what still waits is answered with kUnavailable.
  void stop();

  // Makes the entries and the tables' writes durable, all or nothing.
  virtual Status write_group(std::span<const Entry> entries, const Overlay& writes) = 0;
  // After a failure whose extent is unknown nothing more may be written until the log has been opened anew.
  [[nodiscard]] virtual bool failure_is_final() const { return true; }
  [[nodiscard]] Projector& projector() { return projector_; }
  [[nodiscard]] const Base& base() const { return *this; }

 private:
  struct Waiting {
    Record record;
    Done done;
    size_t bytes = 0;
  };
  void run();
  void commit(std::vector<Waiting>& group);

  Projector& projector_;
  Clock& clock_;
  const size_t max_group_bytes_;
  std::function<void(uint64_t)> on_commit_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> queue_;
  size_t queued_bytes_ = 0;
  bool stopping_ = false;
  std::optional<Error> failure_;

  std::atomic<uint64_t> last_seq_{0};
  std::atomic<int64_t> last_time_{0};
  std::thread thread_;
};

// Number of times a record reserves.
[[nodiscard]] uint32_t slots_of(const Record& record);

}  // namespace entente::log
