// Recalls that reached this node, and what it answers: its sensors' words, what became of copies, and what those say to
// whom it passed the object on. An answer goes when something can be said, and again when that changes, until nothing
// more is to come.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "exchange/context.h"
#include "exchange/evidence.h"
#include "exchange/instruments.h"
#include "exchange/recall_answer.h"
#include "exchange/sensor_book.h"

namespace entente::exchange {

inline constexpr std::string_view kRecallOpenSpace = "recall-open";      // "AGREEMENT PARTY ID" that we have to answer
inline constexpr std::string_view kRecallAnswerSpace = "recall-answer";  // the same -> id of the answer that we got
[[nodiscard]] std::string recall_key(std::string_view agreement_id, std::string_view party, std::string_view id);

// Opens the answer to a recall, in the change that takes it in.
void note_recall(store::Change& change, std::string_view agreement_id, std::string_view party, std::string_view id,
                 std::string_view version, Time now);

// Thread-safe.
class RecallDesk {
 public:
  // An answer that is not complete waits so long for more.
  static constexpr int64_t kPatienceUs = 1'500'000;

  RecallDesk(Context& context, Instruments& instruments, Evidence& evidence, SensorBook& book,
             std::function<void(const Uuid&)> notify);
  // Something changed that an answer may hang on: at the next tick it is looked at.
  void wake() { poked_ = true; }
  // The same, at once and off the caller's thread.
  void poke();
  // A few times a second.
  void tick();
  // What this party would answer now about an object that it received.
  [[nodiscard]] Result<RecallAnswer> answer(const std::string& agreement_id, const std::string& peer,
                                            const std::string& id, const std::string& version, Time received) const;

  // This party's own sensors, about an object of its own that it took back; they count if they follow the collection.
  [[nodiscard]] Result<RecallPart> own(const std::string& id) const;
  // Answers what can be answered; how many went. What tick() does in its time.
  Result<size_t> look();

 private:
  Context& cx_;
  Instruments& instruments_;
  Evidence& evidence_;
  SensorBook& book_;
  void count_sensors(RecallPart& part, const Uuid& collection, const store::Row& row, bool followers) const;

  std::function<void(const Uuid&)> notify_;
  std::mutex looking_;
  std::atomic<bool> poked_{true};
  std::atomic<bool> open_{true};  // something was open at the last look
  std::atomic<bool> posted_{false};
  std::atomic<int64_t> looked_us_{0};  // steady
};

}  // namespace entente::exchange
