// Log::check for any engine: replays entries into scratch tables, then compares them with the live ones key by key.
#pragma once

#include <string>
#include <vector>

#include "log/internal/scratch.h"
#include "log/log.h"

namespace entente::log {

class Checker {
 public:
  Checker(Projector& projector, std::unique_ptr<Scratch> scratch)
      : projector_(projector), scratch_(std::move(scratch)) {}

  // Entries in order. Returns false once going on makes no sense.
  Status apply(const Entry& entry);
  void finding(std::string text);
  // Tables that cannot be rebuilt (a header is lost) are not compared.
  void stop_comparing() { comparable_ = false; }

  Status compare(const View& live);
  [[nodiscard]] std::vector<std::string> take() && { return std::move(findings_); }

 private:
  Status compare(const View& live, Table table);

  Projector& projector_;
  std::unique_ptr<Scratch> scratch_;
  std::vector<std::string> findings_;
  size_t dropped_ = 0;
  bool comparable_ = true;
  std::unique_ptr<Overlay> pending_;
};

}  // namespace entente::log
