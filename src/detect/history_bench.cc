// How fast the past takes and answers: values as a sensor sees them (few of them often, many once), in real files.
//   entente_history_bench FOLDER [MILLIONS [INDICATORS]] [--simulate] [-o json]
// --simulate: the segments are written as they would have come, without going through journal and memory: a thousand
// million values in minutes. One in 30 indicators is a block, one in 10 a name with all below it, as lists have them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/files.h"
#include "detect/history.h"
#include "detect/internal/history_segment.h"

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

// Few are seen often (a power law over 200,000 values); one in ten is new for good.
class World {
 public:
  World() {
    for (uint64_t n = 0; n < kOften; ++n) often_.push_back(value(n));
  }
  size_t rank() {
    const double u = static_cast<double>(random_() >> 11U) * 0x1p-53;
    return static_cast<size_t>(u * u * u * u * (kOften - 1));
  }
  Seen next() { return random_() % 10 == 0 ? value(fresh_++) : often_[rank()]; }
  Seen fresh() { return value(fresh_++); }
  [[nodiscard]] const std::vector<Seen>& often() const { return often_; }
  static constexpr uint64_t kOften = 200'000, kFresh = 1'000'000;
  [[nodiscard]] uint64_t fresh_values() const { return fresh_ - kFresh; }

 private:
  std::mt19937_64 random_{1};
  std::vector<Seen> often_;
  uint64_t fresh_ = kFresh;
};

constexpr Time kBegin{1'800'000'000'000'000};
constexpr int64_t kStep_us = 2592;  // 1 G in 30 days

// As History::seal() would have written it, of one million values seen.
void write_simulated(World& world, uint64_t number, const std::string& path) {
  constexpr uint64_t kSeen = 1'000'000;
  std::vector<uint32_t> counts(World::kOften);
  for (uint64_t i = 0; i < kSeen / 10 * 9; ++i) ++counts[world.rank()];
  static const std::vector<std::string> keys = [&] {
    std::vector<std::string> out;
    for (const Seen& s : world.often()) out.push_back(history_key(s.kind, s.text));
    return out;
  }();
  std::vector<std::pair<std::string, HistoryEntry>> values;
  const int64_t from = kBegin.us + static_cast<int64_t>(number * kSeen) * kStep_us;
  std::mt19937_64 r(number);
  const auto put = [&](std::string key, uint64_t count) {
    HistoryEntry e;
    for (uint64_t i = 0; i < std::min<uint64_t>(count, HistoryEntry::kMaxSights + 1); ++i)
      e.add(Time{from + static_cast<int64_t>(r() % kSeen) * kStep_us}, "10.0.0.5", "192.0.2.1");
    e.count = count;
    values.emplace_back(std::move(key), std::move(e));
  };
  for (size_t n = 0; n < counts.size(); ++n)
    if (counts[n] > 0) put(keys[n], counts[n]);
  for (uint64_t i = 0; i < kSeen / 10; ++i) {
    const Seen s = world.fresh();
    put(history_key(s.kind, s.text), 1);
  }
  std::sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::pair<std::string_view, const HistoryEntry*>> sorted;
  for (const auto& [key, e] : values)
    if (sorted.empty() || sorted.back().first != key) sorted.emplace_back(key, &e);
  std::ofstream(path, std::ios::binary) << write_segment(sorted);
}

struct Arguments {
  std::string folder;
  uint64_t total = 10'000'000;
  size_t indicators = 1000;
  bool simulate = false, json = false;
};

Status fill(const Arguments& a, World& world, PosixFiles& files) {
  if (a.simulate) {
    CHECK_OK(files.make_dirs(a.folder));
    for (uint64_t n = 0; n < a.total / 1'000'000; ++n) {
      std::string digits = std::to_string(n + 1);
      write_simulated(world, n, a.folder + "/" + std::string(12 - digits.size(), '0') + digits + ".seg");
    }
    return {};
  }
  TRY(const auto history, History::open(a.folder, files, {}));
  const double t = now_s();
  for (uint64_t i = 0; i < a.total; ++i) {
    const Time at = kBegin.plus_us(static_cast<int64_t>(i) * kStep_us);
    const Seen s = world.next();
    history->add(at, s.kind, s.text, "10.0.0.5", "192.0.2.1");
    if (i % 8192 == 0) CHECK_OK(history->flush(at));
  }
  if (!a.json)
    std::printf("added %.0f M in %.1f s (%.0f k/s, journal synced each 8,192)\n", static_cast<double>(a.total) / 1e6,
                now_s() - t, static_cast<double>(a.total) / (now_s() - t) / 1e3);
  return {};
}

// One in a hundred was seen, once; the others never.
std::vector<History::Question> questions(const Arguments& a, const World& world) {
  std::vector<History::Question> ask;
  for (uint32_t n = 0; n < a.indicators; ++n) {
    const bool seen = n % 100 == 50 && world.fresh_values() > 0;
    const uint64_t number = seen ? World::kFresh + (n * 7919ULL) % world.fresh_values() : 1'000'000'000'000ULL + n;
    const Seen s = value(seen && number % 10 < 5 ? number - number % 10 + 7 : number);  // a name
    if (s.kind == ObservableKind::kDomain) {
      ask.push_back(
          {n, {!seen && n % 10 == 9 ? pattern::AtomKind::kDomainTree : pattern::AtomKind::kDomain, s.text, {}}});
    } else if (n % 30 == 0) {
      ask.push_back({n,
                     {pattern::AtomKind::kCidr4,
                      "240." + std::to_string(n % 256) + "." + std::to_string(n / 256) + ".0/24",
                      {}}});
    } else {
      ask.push_back({n, {pattern::AtomKind::kIpv4, s.text, {}}});
    }
  }
  return ask;
}

int run(int argc, char** argv) {
  Arguments a;
  std::vector<std::string> plain;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--simulate") {
      a.simulate = true;
    } else if (arg == "-o" && i + 1 < argc) {
      a.json = std::string_view(argv[++i]) == "json";
    } else {
      plain.emplace_back(arg);
    }
  }
  if (plain.empty()) {
    std::fputs("usage: entente_history_bench FOLDER [MILLIONS [INDICATORS]] [--simulate] [-o json]\n", stderr);
    return 2;
  }
  a.folder = plain[0];
  if (plain.size() > 1) a.total = std::strtoull(plain[1].c_str(), nullptr, 10) * 1'000'000;
  if (plain.size() > 2) a.indicators = std::strtoull(plain[2].c_str(), nullptr, 10);
  PosixFiles files;
  World world;
  if (const auto done = fill(a, world, files); !done.ok()) {
    std::fprintf(stderr, "%s\n", done.error().text().c_str());
    return 2;
  }
  double t = now_s();
  const auto opened = History::open(a.folder, files, {.write = false});
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.error().text().c_str());
    return 2;
  }
  const double open_s = now_s() - t;
  const History& history = **opened;
  const auto stats = history.stats();
  const auto ask = questions(a, world);
  std::vector<double> took, cpu;
  size_t hits = 0;
  for (int round = 0; round < 6; ++round) {
    t = now_s();
    const std::clock_t begin = std::clock();
    hits = history.find(ask).size();
    took.push_back(now_s() - t);
    cpu.push_back(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  }
  const double first = took[0];
  std::sort(took.begin() + 1, took.end());
  std::sort(cpu.begin() + 1, cpu.end());
  const size_t least = world.fresh_values() > 0 ? a.indicators / 100 : 0;
  if (hits < least) {
    std::fprintf(stderr, "WRONG: %zu found of %zu that were seen\n", hits, least);
    return 1;
  }
  std::printf(
      a.json
          ? R"({"seen":%llu,"values":%llu,"segments":%llu,"bytes":%llu,"indicators":%zu,"found":%zu,"first_s":%.4f,"wall_s":%.4f,"cpu_s":%.4f,"open_s":%.3f})"
            "\n"
          : "%llu values seen (%llu kept) in %llu segments, %llu octets; asked for %zu indicators, %zu found: first "
            "%.3f s, "
            "then %.3f s (median of five, wall), %.3f s of CPU; opened in %.3f s\n",
      static_cast<unsigned long long>(stats.seen), static_cast<unsigned long long>(stats.values),
      static_cast<unsigned long long>(stats.segments), static_cast<unsigned long long>(stats.bytes), ask.size(), hits,
      first, took[3], cpu[3], open_s);
  return 0;
}

}  // namespace
}  // namespace entente::detect

int main(int argc, char** argv) { return entente::detect::run(argc, argv); }
