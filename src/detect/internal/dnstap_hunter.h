// A file of dnstap messages: names, answers and addresses of each to matches.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "detect/compound.h"
#include "detect/dnstap.h"
#include "detect/hunt.h"
#include "packet/dnstap.h"

namespace entente::detect {

class DnstapHunter {
 public:
  DnstapHunter(const std::string& source, const Index& index, const std::function<void(const HuntMatch&)>& sink,
               RecordScan* scan, HuntReport& report);
  DnstapHunter(const DnstapHunter&) = delete;
  DnstapHunter& operator=(const DnstapHunter&) = delete;

  void feed(std::string_view bytes, size_t pad);
  void finish();

 private:
  void note(const Status& s);
  void message(const packet::DnstapMessage& m);
  void look_up(const packet::DnstapMessage& m, ObservableKind kind, std::string_view field, std::string_view text);

  const std::string& source_;
  const Index& index_;
  const std::function<void(const HuntMatch&)>& sink_;
  RecordScan* scan_;
  HuntReport& report_;
  Record record_;
  std::vector<Hit> hits_;
  std::vector<Shown> shown_;
  std::vector<std::pair<uint32_t, std::string>> told_;  // of the message at hand: row and field
  uint64_t dns_malformed_ = 0;
  packet::DnstapReader reader_;
};

}  // namespace entente::detect
