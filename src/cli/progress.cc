#include "cli/internal/progress.h"

#include <cstdio>

#include <unistd.h>

#include "cli/internal/table.h"

namespace entente::cli {
namespace {

std::string megabytes(double octets) {
  char text[32];
  if (octets >= 1e9)
    std::snprintf(text, sizeof(text), "%.2f GB", octets / 1e9);
  else
    std::snprintf(text, sizeof(text), "%.0f MB", octets / 1e6);
  return text;
}

}  // namespace

Progress::Progress(std::string what, uint64_t total)
    : what_(std::move(what)),
      total_(total),
      on_(::isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      next_(start_ + std::chrono::milliseconds(500)) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (!shown_) return;
  std::fputs("\r\033[K", stderr);
  shown_ = false;
}

void Progress::show(uint64_t octets, uint64_t count) {
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(250);
  const double s = std::chrono::duration<double>(now - start_).count();
  std::string line = "\r\033[K" + megabytes(static_cast<double>(octets));
  if (total_ > 0) {
    line += " of " + megabytes(static_cast<double>(total_)) + " (" + std::to_string(octets * 100 / total_) + " %)";
  }
  line += ", " + grouped(count) + " " + what_ + ", " + grouped(static_cast<uint64_t>(static_cast<double>(count) / s)) +
          " " + what_ + "/s, " + megabytes(static_cast<double>(octets) / s) + "/s";
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
  shown_ = true;
}

}  // namespace entente::cli
