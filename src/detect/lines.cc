#include "detect/lines.h"

#include "detect/internal/line_hunter.h"

namespace entente::detect {

const Index& no_indicators() {
  static const std::shared_ptr<const Index> kEmpty = Builder().build();
  return *kEmpty;
}

struct LineFeed::State {
  State(std::string source, LineSink& sink) {
    options.lines = &sink;
    options.max_line_bytes = 1U << 20;  // of whoever may connect, many at a time
    hunter = std::make_unique<LineHunter>(std::move(source), no_indicators(), matches, options, report);
  }
  HuntOptions options;
  HuntReport report;
  std::function<void(const HuntMatch&)> matches = [](const HuntMatch&) {};
  std::unique_ptr<LineHunter> hunter;
};

LineFeed::LineFeed(std::string source, LineSink& sink) : state_(std::make_unique<State>(std::move(source), sink)) {}
LineFeed::~LineFeed() = default;

void LineFeed::feed(std::string_view bytes) { state_->hunter->feed(bytes); }
void LineFeed::finish() { state_->hunter->finish(); }
uint64_t LineFeed::lines() const { return state_->hunter->lines(); }

}  // namespace entente::detect
