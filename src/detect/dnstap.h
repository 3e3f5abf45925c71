// What a message of dnstap shows: the name that was asked for, what it led to, who asked whom.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "detect/lines.h"
#include "detect/record.h"
#include "packet/dnstap.h"

namespace entente::detect {

// Fields are "query", "answer", "client" and "server", as in query logs. `record` is begun anew. False if the DNS
// message is malformed; what was read before the fault has been told.
using DnstapValue = std::function<void(ObservableKind kind, std::string_view field, std::string_view text)>;
bool read_dnstap(const packet::DnstapMessage& message, const DnstapValue& value, Record& record);

// One connection of a name server, as LineFeed is one of lines.
class DnstapFeed {
 public:
  // `sink` must outlive this.
  DnstapFeed(std::string source, LineSink& sink);
  DnstapFeed(const DnstapFeed&) = delete;
  DnstapFeed& operator=(const DnstapFeed&) = delete;

  Status feed(std::string_view bytes) { return reader_.feed(bytes); }  // DnstapReader
  Status finish() { return reader_.finish(); }
  [[nodiscard]] std::string take_reply() { return reader_.take_reply(); }
  [[nodiscard]] uint64_t messages() const { return reader_.messages(); }
  [[nodiscard]] uint64_t malformed() const { return reader_.malformed() + malformed_; }

 private:
  void message(const packet::DnstapMessage& m);
  std::string source_;
  LineSink& sink_;
  Record record_;
  uint64_t malformed_ = 0;
  packet::DnstapReader reader_;
};

}  // namespace entente::detect
