#include "log/internal/committer.h"

#include <algorithm>
#include <utility>

namespace entente::log {
namespace {

constexpr size_t kMaxRecordBytes = 256u << 20;  // header and items; RocksDB's batches end at 4 GiB
constexpr size_t kMaxItems = 1u << 20;
constexpr size_t kMaxQueuedBytes = 512u << 20;

thread_local bool tl_committing = false;  // this thread is some log's committer

}  // namespace

uint32_t slots_of(const Record& record) {
  return std::max({uint32_t{1}, static_cast<uint32_t>(record.items.size()), record.slots});
}

Result<Committed> Log::append_wait(Record record) {
  if (tl_committing) {
    return make_error(ErrorKind::kInternal, "append_wait on a committer's thread would wait for ever");
  }
  std::mutex mutex;
  std::condition_variable ready;
  std::optional<Result<Committed>> answer;
  append(std::move(record), [&](Result<Committed> r) {
    // Notifies under the lock: the waiter owns `ready` and may be gone as soon as it sees the answer.
    const std::lock_guard lock(mutex);
    answer = std::move(r);
    ready.notify_one();
  });
  std::unique_lock lock(mutex);
  ready.wait(lock, [&] { return answer.has_value(); });
  return *std::move(answer);
}

Committer::Committer(Projector& projector, Clock& clock, size_t max_group_bytes)
    : projector_(projector), clock_(clock), max_group_bytes_(max_group_bytes) {}

Committer::~Committer() { stop(); }

void Committer::start(uint64_t last_seq, Time last_time) {
  last_seq_ = last_seq;
  last_time_ = last_time.us;
  thread_ = std::thread([this] { run(); });
}

void Committer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Committer::on_commit(std::function<void(uint64_t)> fn) {
  const std::lock_guard lock(mutex_);
  on_commit_ = std::move(fn);
}

void Committer::append(Record record, Done done) {
  size_t bytes = record.header.size();
  for (const auto& item : record.items) bytes += item.size();
  if (bytes > kMaxRecordBytes || record.items.size() > kMaxItems || record.slots > kMaxItems) {
    return done(make_error(ErrorKind::kTooLarge, "the record is too large for the log", {}, "send less at a time"));
  }
  std::optional<Error> refusal;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) {
      refusal = failure_;
    } else if (stopping_) {
      refusal = make_error(ErrorKind::kUnavailable, "the log is closing", {}, "try again when the node is up");
    } else if (queued_bytes_ + bytes > kMaxQueuedBytes && !queue_.empty()) {
      refusal = make_error(ErrorKind::kUnavailable, "too much is waiting for the disk", {}, "try again in a moment");
    } else {
      queue_.push_back({std::move(record), std::move(done), bytes});
      queued_bytes_ += bytes;
      wake_.notify_one();
      return;
    }
  }
  done(*std::move(refusal));
}

void Committer::run() {
  tl_committing = true;
  std::vector<Waiting> group;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (stopping_) break;
      size_t bytes = 0;
      while (!queue_.empty() && (group.empty() || bytes + queue_.front().bytes <= max_group_bytes_)) {
        bytes += queue_.front().bytes;
        queued_bytes_ -= queue_.front().bytes;
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    commit(group);
    group.clear();
  }
  std::deque<Waiting> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(queue_);
    queued_bytes_ = 0;
  }
  for (auto& w : left) {
    w.done(make_error(ErrorKind::kUnavailable, "the log is closing", {}, "try again when the node is up"));
  }
  tl_committing = false;
}

void Committer::commit(std::vector<Waiting>& group) {
  Overlay overlay(*this);
  std::vector<Entry> entries;
  std::vector<Result<Committed>> answers;
  entries.reserve(group.size());
  answers.reserve(group.size());

  uint64_t seq = last_seq_.load(std::memory_order_relaxed);
  int64_t time = last_time_.load(std::memory_order_relaxed);
  const int64_t now = clock_.now().us;
  std::optional<Error> failure;
  {
    const std::lock_guard lock(mutex_);
    failure = failure_;
  }
  for (auto& w : group) {
    if (failure) {
      answers.emplace_back(*failure);
      continue;
    }
    // Never back: after a step of the clock, or a restart with the clock behind, times go on one microsecond after the
    // last one given out.
    Entry entry{seq + 1, {std::max(now, time + 1)}, slots_of(w.record), w.record.header, w.record.items};
    std::string outcome;
    if (Status applied = projector_.apply(entry, overlay, outcome); !applied.ok()) {
      overlay.rollback();
      answers.emplace_back(std::move(applied).error());
      continue;
    }
    overlay.keep();
    seq = entry.seq;
    time = entry.first_time.us + entry.slots - 1;
    answers.emplace_back(Committed{entry.seq, entry.first_time, std::move(outcome)});
    entries.push_back(entry);
  }

  bool written = false;
  if (!entries.empty()) {
    Status status = write_group(entries, overlay);
    if (status.ok()) {
      written = true;
      last_time_.store(time, std::memory_order_release);
      last_seq_.store(seq, std::memory_order_release);
    } else {
      // Answers to refused records stand: what they were refused for may have been an earlier record of this group, but
      // nothing of either is stored.
      for (auto& a : answers) {
        if (a.ok()) a = status.error();
      }
      if (failure_is_final()) {
        const std::lock_guard lock(mutex_);
        failure_ = std::move(status).error();
      }
    }
  }
  for (size_t i = 0; i < group.size(); ++i) {
    if (group[i].done) group[i].done(std::move(answers[i]));
  }
  if (written && on_commit_) on_commit_(seq);
}

}  // namespace entente::log
