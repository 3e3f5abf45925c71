// How fast the past takes and answers: values as a sensor sees them (few of them often, many once), in real files.
//   entente_history_bench FOLDER [MILLIONS [INDICATORS]]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/files.h"
#include "detect/history.h"

namespace entente::detect {
namespace {

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Seen {
  ObservableKind kind;
  std::string text;
};

// Value number n of a world of them, the same each time.
Seen value(uint64_t n) {
  std::mt19937_64 r(n * 0x9e3779b97f4a7c15U + 1);
  if (n % 10 < 5) {
    const uint64_t a = r();
    return {ObservableKind::kIpv4, std::to_string(1 + a % 220) + "." + std::to_string(a >> 8U & 255U) + "." +
                                       std::to_string(a >> 16U & 255U) + "." + std::to_string(a >> 24U & 255U)};
  }
  return {ObservableKind::kDomain, "host" + std::to_string(r() % 100000) + ".name" + std::to_string(n) + ".example"};
}

int run(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: entente_history_bench FOLDER [MILLIONS [INDICATORS]]\n", stderr);
    return 2;
  }
  const uint64_t total = (argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 10) * 1'000'000;
  const size_t indicators = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1000;
  PosixFiles files;
  auto opened = History::open(argv[1], files, {});
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.error().text().c_str());
    return 2;
  }
  History& history = **opened;
  std::mt19937_64 r(1);
  // Most of what is seen is seen often (a power law over 200,000 values); one in ten is new for good.
  std::vector<Seen> often;
  for (uint64_t n = 0; n < 200'000; ++n) often.push_back(value(n));
  uint64_t fresh = 1'000'000;
  const Time begin{1'800'000'000'000'000};
  double t = now_s();
  std::vector<std::string> planted;
  for (uint64_t i = 0; i < total; ++i) {
    const Time at = begin.plus_us(static_cast<int64_t>(i) * 2592);  // 1 G in 30 days
    if (r() % 10 == 0) {
      const Seen s = value(fresh++);
      if (s.kind == ObservableKind::kDomain && r() % 2000 == 0 && planted.size() < indicators / 100)
        planted.push_back(s.text);
      history.add(at, s.kind, s.text, "10.0.0.5", "192.0.2.1");
    } else {
      const double u = static_cast<double>(r() >> 11U) * 0x1p-53;
      const Seen& s = often[static_cast<size_t>(std::pow(u, 4) * 199'999)];
      history.add(at, s.kind, s.text, "10.0.0.5", "192.0.2.1");
    }
    if (i % 8192 == 0) {
      if (const auto done = history.flush(at); !done.ok()) {
        std::fprintf(stderr, "%s\n", done.error().text().c_str());
        return 2;
      }
    }
  }
  const auto stats = history.stats();
  std::printf(
      "added %.0f M in %.1f s (%.0f k/s, journal synced each 8,192): %llu segments, %.1f M values, %.2f octets per "
      "value seen\n",
      static_cast<double>(total) / 1e6, now_s() - t, static_cast<double>(total) / (now_s() - t) / 1e3,
      static_cast<unsigned long long>(stats.segments), static_cast<double>(stats.values) / 1e6,
      static_cast<double>(stats.bytes) / static_cast<double>(total));
  std::vector<History::Question> ask;
  for (uint32_t n = 0; n < indicators; ++n) {
    const Seen s = value(1'000'000'000'000 + n);
    const bool name = s.kind == ObservableKind::kDomain;
    ask.push_back({n, {name ? pattern::AtomKind::kDomain : pattern::AtomKind::kIpv4, s.text, {}}});
  }
  for (size_t n = 0; n < planted.size(); ++n) ask[n * 7].atom = {pattern::AtomKind::kDomain, planted[n], {}};
  std::vector<double> took;
  size_t hits = 0;
  for (int round = 0; round < 5; ++round) {
    t = now_s();
    hits = history.find(ask).size();
    took.push_back(now_s() - t);
  }
  if (hits < planted.size()) std::puts("WRONG: something that was seen is not found");
  std::sort(took.begin(), took.end());
  std::printf("asked for %zu indicators: %.3f s (%.3f to %.3f, wall), %zu found\n", ask.size(), took[2], took[0],
              took[4], hits);
  t = now_s();
  opened = History::open(argv[1], files, {.write = false});
  std::printf("opened in %.3f s\n", now_s() - t);
  return 0;
}

}  // namespace
}  // namespace entente::detect

int main(int argc, char** argv) { return entente::detect::run(argc, argv); }
