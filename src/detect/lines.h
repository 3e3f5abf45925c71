// Lines of logs as they come, of every form that a hunt knows (hunt.h; a syslog header before JSON is understood), for
// those who keep their own index: what each line shows, value by value, and then the line as a record.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "detect/compound.h"
#include "detect/index.h"
#include "detect/observable.h"
#include "detect/record.h"

namespace entente::detect {

// Called in the order of the lines, by the thread that reads them. Views live during the call.
class LineSink {
 public:
  virtual ~LineSink() = default;
  // A value in the line at hand. The same value may come from several fields; a URL that a log gives as host and path
  // comes with the field of the path.
  virtual void on_value(ObservableKind kind, std::string_view field, std::string_view text) = 0;
  // Are the values of on_value() wanted in the record as well? Only patterns that are evaluated over it ask for them;
  // without, it holds what fields say by their roles.
  [[nodiscard]] virtual bool whole_records() const { return true; }
  // The line at hand is over: it shows nothing more.
  virtual void on_record(const Record& record, const RecordPlace& place) = 0;
};

// For Follower and the like, which want an index even where HuntOptions::lines makes it idle.
[[nodiscard]] const Index& no_indicators();

// One stream of lines: a connection, or all datagrams of a socket. Not thread-safe.
class LineFeed {
 public:
  // `sink` must outlive this.
  LineFeed(std::string source, LineSink& sink);
  ~LineFeed();
  LineFeed(const LineFeed&) = delete;
  LineFeed& operator=(const LineFeed&) = delete;

  void feed(std::string_view bytes);  // pieces of any size
  void finish();                      // the last line may lack its end
  [[nodiscard]] uint64_t lines() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::detect
