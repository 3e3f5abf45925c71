// entente_detect_bench: lookups and hunts against sets of growing size, by the CPU time of this thread (detection.md
// §1); to be run on one core (taskset), but for --two.
//   entente_detect_bench [-n INDICATORS]… [-k scalar|avx2|avx512] [--fields] [--two] [--text] [--live] [--write-list N
//   FILE] [-o json] LOG…
// Hunts the logs, repeated in memory to about 1 GB, with so many indicators (default 10,000, 1,000,000, 10,000,000),
// of which a few occur in them. --fields: in exact mode too, which must find the same. --two: by two threads at once.
// --text: the set also read from a list. --live: additions to and removals from a changing set beside its background.
// --write-list: the first N indicators as a list, for peers. Every answer is checked before its time is told.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "detect/hunt.h"
#include "detect/internal/facts.h"
#include "detect/internal/input.h"
#include "detect/internal/scan.h"
#include "detect/load.h"

namespace entente::detect {
namespace {

using pattern::AtomKind;

double cpu_s(clockid_t clock = CLOCK_THREAD_CPUTIME_ID) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::string random_name(std::mt19937_64& r) {
  static const char* kEnds[] = {".com", ".net", ".org", ".co.jp", ".in", ".xyz", ".top", ".info", ".example.com"};
  std::string s;
  for (auto n = 6 + r() % 10; n > 0; --n) s += static_cast<char>('a' + r() % 26);
  return s + kEnds[r() % std::size(kEnds)];
}

// The mix of detection.md §1; the ids are those of lists.
pattern::Atom random_atom(std::mt19937_64& r) {
  const auto v4 = [&] {
    return std::to_string(11 + r() % 200) + "." + std::to_string(r() % 256) + "." + std::to_string(r() % 256) + "." +
           std::to_string(r() % 256);
  };
  const auto hex = [&](size_t digits) {
    std::string s;
    while (s.size() < digits) s += "0123456789abcdef"[r() % 16];
    return s;
  };
  const auto p = r() % 100;
  if (p < 40) return {AtomKind::kIpv4, v4(), {}};
  if (p < 43) {
    const auto bits = 24 + r() % 7;
    std::string a = v4();
    return {AtomKind::kCidr4, a.substr(0, a.rfind('.')) + ".0/" + std::to_string(bits), {}};
  }
  if (p < 45) return {AtomKind::kIpv6, "2001:db8:1" + hex(3) + ":1" + hex(3) + "::1" + hex(2), {}};
  if (p < 70) return {AtomKind::kDomain, random_name(r), {}};
  if (p < 82) return {AtomKind::kUrl, "http://" + random_name(r) + "/" + hex(20), {}};
  if (p < 92) return {AtomKind::kSha256, hex(64), {}};
  if (p < 98) return {AtomKind::kMd5, hex(32), {}};
  return {AtomKind::kEmail, "u" + hex(8) + "@" + random_name(r), {}};
}

// What its facts make of one atom: what a list's value would have.
Indicator listed(const pattern::Atom& atom) {
  Builder b;
  b.add({}, {atom});
  const auto one = std::move(b).build();
  std::string pattern = plain_pattern(one->table().entries(), 0);
  return {.id = list_id(pattern), .pattern = pattern};
}

struct Options {
  std::vector<size_t> sizes;
  std::optional<Kernel> kernel;
  bool fields = false, two = false, text = false, live = false, json = false;
  std::string list;  // to be written
  size_t list_size = 0;
  std::vector<std::string> logs;
};
Options options;
int wrong = 0;

// A figure, for people or as one JSON object.
void row(size_t indicators, const char* what, double value, const char* unit, const std::string& note = {}) {
  if (options.json) {
    std::printf(R"({"indicators":%zu,"what":"%s","value":%.4g,"unit":"%s","note":"%s"})"
                "\n",
                indicators, what, value, unit, note.c_str());
  } else {
    std::printf("%9zu indicators  %-34s %8.4g %-10s %s\n", indicators, what, value, unit, note.c_str());
  }
  std::fflush(stdout);
}
void fail(const char* what) {
  std::fprintf(stderr, "WRONG: %s\n", what);
  wrong = 1;
}

// The occurring ones: a name and an address of the real logs, once or twice in each round.
const std::pair<AtomKind, const char*> kOccur[] = {{AtomKind::kDomain, "r20swj13mr.microsoft.com"},
                                                   {AtomKind::kIpv4, "104.16.124.44"}};

void write_list(const std::string& path, size_t n) {
  std::mt19937_64 r(7);
  std::ofstream out(path);
  for (const auto& [kind, text] : kOccur) out << text << '\n';
  for (size_t i = std::size(kOccur); i < n; ++i) out << random_atom(r).value << '\n';
}

void lookups(const Index& index) {
  std::mt19937_64 r(9);
  std::vector<std::string> names, addresses;
  for (int i = 0; i < 200'000; ++i) {
    names.push_back("www." + random_name(r));
    addresses.push_back(std::to_string(11 + r() % 200) + "." + std::to_string(r() % 256) + "." +
                        std::to_string(r() % 256) + "." + std::to_string(r() % 256));
  }
  std::vector<Hit> hits;
  const auto time = [&](ObservableKind kind, const std::vector<std::string>& all) {
    const double t = cpu_s();
    for (const auto& text : all) index.match({kind, text, {}}, hits);
    return (cpu_s() - t) / static_cast<double>(all.size()) * 1e9;
  };
  row(index.indicators(), "name, alone, unseen before", time(ObservableKind::kDomain, names), "ns");
  row(index.indicators(), "address, alone, unseen before", time(ObservableKind::kIpv4, addresses), "ns");
}

// Median of five hunts by this thread, GB per second of its CPU time.
double hunts(size_t n, const std::string& log, const Index& index, bool exact, HuntReport& report) {
  HuntOptions o;
  o.kernel = options.kernel;
  o.exact = exact;
  std::vector<double> rates;
  for (int i = 0; i < 5; ++i) {
    const double t = cpu_s();
    report = hunt_text(log, "bench", index, [](const HuntMatch&) {}, o);
    rates.push_back(static_cast<double>(log.size()) / (cpu_s() - t) / 1e9);
  }
  std::sort(rates.begin(), rates.end());
  const double rate = rates[2];
  char note[200];
  std::snprintf(note, sizeof note, "%s, %.2f to %.2f; %.2f M lines/s; %lu of %lu lines parsed, %lu matches",
                name(options.kernel.value_or(kernels().back())), rates.front(), rates.back(),
                static_cast<double>(report.records) * rate * 1e3 / static_cast<double>(log.size()), report.parsed,
                report.records, report.matches);
  row(n, exact ? "hunt --fields" : "hunt", rate, "GB/s", note);
  row(n, exact ? "hunt --fields, lines" : "hunt, lines",
      static_cast<double>(report.records) * rate * 1e3 / static_cast<double>(log.size()), "M lines/s");
  return rate;
}

// Two threads over the same text: wall time against one, and CPU time of each against one, which leaves out waiting for
// a core but not for memory.
void two_threads(size_t n, const std::string& log, const Index& index) {
  const auto once = [&](double& cpu) {
    const double t = cpu_s();
    HuntOptions o;
    o.kernel = options.kernel;
    static_cast<void>(hunt_text(log, "bench", index, [](const HuntMatch&) {}, o));
    cpu = cpu_s() - t;
  };
  std::vector<double> by_wall, by_cpu;
  for (int i = 0; i < 5; ++i) {
    double alone = 0, first = 0, second = 0;
    double t = cpu_s(CLOCK_MONOTONIC);
    once(alone);
    const double one = cpu_s(CLOCK_MONOTONIC) - t;
    t = cpu_s(CLOCK_MONOTONIC);
    {
      const std::jthread other([&] { once(second); });
      once(first);
    }
    by_wall.push_back(2 * one / (cpu_s(CLOCK_MONOTONIC) - t));
    by_cpu.push_back(4 * alone / (first + second));  // 2 if neither slows the other down
  }
  std::sort(by_wall.begin(), by_wall.end());
  std::sort(by_cpu.begin(), by_cpu.end());
  row(n, "two threads by wall time", by_wall[2], "times", "on an idle machine");
  row(n, "two threads by CPU time", by_cpu[2], "times");
}

void from_text(size_t n) {
  namespace fs = std::filesystem;
  const fs::path path = fs::temp_directory_path() / ("entente_bench_list_" + std::to_string(::getpid()));
  write_list(path, n);
  const double wall = cpu_s(CLOCK_MONOTONIC), cpu = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
  const auto loaded = load_indicators({path});
  char note[100];
  std::snprintf(note, sizeof note, "%.2f s of wall time", cpu_s(CLOCK_MONOTONIC) - wall);
  row(n, "read and built from a list", cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu, "s of CPU", note);
  if (!loaded.ok() || loaded->indicators != n || loaded->lines_not_understood != 0)
    fail("the list was not read in full");
  fs::remove(path);
}

void bench(size_t n, const std::string& log) {
  if (options.text) from_text(n);
  std::mt19937_64 r(7);
  Builder b;
  for (const auto& [kind, text] : kOccur) b.add_listed(kind, text);
  std::vector<pattern::Atom> some;
  for (size_t i = b.size(); i < n; ++i) {
    const auto atom = random_atom(r);
    if (n <= 1'000'000) {
      b.add(listed(atom), {atom});
    } else {
      b.add_listed(atom.kind, atom.value);  // the same without computing 10 million ids only to find them computable
    }
  }
  double t = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
  const auto index = std::move(b).build();
  row(n, "built", cpu_s(CLOCK_PROCESS_CPUTIME_ID) - t, "s of CPU");
  const auto each = [&](size_t octets) { return static_cast<double>(octets) / static_cast<double>(n); };
  row(n, "memory, everything", each(index->memory_bytes()), "B each");
  row(n, "memory, hot", each(index->table().hot_bytes()), "B each", "filters and buckets");
  lookups(*index);
  if (log.empty()) return;
  HuntReport raw, exact;
  static double least = 0;
  const double rate = hunts(n, log, *index, false, raw);
  if (least == 0) least = rate;
  if (rate < least) row(n, "cost against the smallest set", least / rate, "times");
  if (raw.matches == 0) fail("nothing was found");
  if (options.fields) {
    hunts(n, log, *index, true, exact);
    if (exact.matches != raw.matches) fail("--fields finds something else");
  }
  if (options.two) two_threads(n, log, *index);
}

void live(size_t n) {
  Live set;
  std::mt19937_64 r(7);
  std::vector<std::pair<Indicator, pattern::Atom>> all;
  for (size_t i = 0; i < n; ++i) {
    auto atom = random_atom(r);
    all.emplace_back(listed(atom), atom);
  }
  double t = cpu_s(CLOCK_MONOTONIC);
  for (const auto& [indicator, atom] : all) set.add(indicator, {atom});
  const double added = cpu_s(CLOCK_MONOTONIC) - t;
  set.settle();
  char note[160];
  std::snprintf(note, sizeof note, "wall, its background beside it; settled after %.2f s", cpu_s(CLOCK_MONOTONIC) - t);
  row(n, "live: added, each", added / static_cast<double>(n) * 1e6, "us", note);
  row(n, "live: memory", static_cast<double>(set.memory_bytes()) / static_cast<double>(set.size()), "B each");
  std::vector<std::pair<Indicator, pattern::Atom>> delta;
  for (int i = 0; i < 1000; ++i) {
    auto atom = random_atom(r);
    delta.emplace_back(listed(atom), atom);
  }
  t = cpu_s(CLOCK_MONOTONIC);
  for (const auto& [indicator, atom] : delta) set.add(indicator, {atom});
  const double took = cpu_s(CLOCK_MONOTONIC) - t;
  for (const auto& [indicator, atom] : delta) {
    bool found = atom.kind != AtomKind::kDomain;
    set.match({ObservableKind::kDomain, atom.value, {}}, Time{1}, [&](const Indicator&, AtomKind) { found = true; });
    if (!found) fail("an addition was not found");
  }
  row(n, "live: 1,000 more, found from then on", took * 1e3, "ms");
  std::vector<double> us;
  for (int i = 0; i < 2000; ++i) {
    const pattern::Atom atom{AtomKind::kDomain, "late" + std::to_string(i) + ".example", {}};
    const Indicator indicator = listed(atom);
    t = cpu_s(CLOCK_MONOTONIC);
    set.add(indicator, {atom});
    bool found = false;
    set.match({ObservableKind::kDomain, atom.value, {}}, Time{1}, [&](const Indicator&, AtomKind) { found = true; });
    us.push_back((cpu_s(CLOCK_MONOTONIC) - t) * 1e6);
    if (!found) fail("an addition was not found");
  }
  std::sort(us.begin(), us.end());
  row(n, "live: added to found, p50", us[us.size() / 2], "us");
  row(n, "live: added to found, p99", us[us.size() * 99 / 100], "us");
  row(n, "live: added to found, longest", us.back(), "us");
}

int run(int argc, char** argv) {
  Options& o = options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "-n" && i + 1 < argc) {
      o.sizes.push_back(std::strtoull(argv[++i], nullptr, 10));
    } else if (arg == "-k" && i + 1 < argc) {
      for (const Kernel k : kernels())
        if (std::strcmp(name(k), argv[i + 1]) == 0) o.kernel = k;
      ++i;
    } else if (arg == "--write-list" && i + 2 < argc) {
      o.list_size = std::strtoull(argv[++i], nullptr, 10);
      o.list = argv[++i];
    } else if (arg == "-o" && i + 1 < argc) {
      o.json = std::strcmp(argv[++i], "json") == 0;
    } else if (arg == "--fields") {
      o.fields = true;
    } else if (arg == "--two") {
      o.two = true;
    } else if (arg == "--text") {
      o.text = true;
    } else if (arg == "--live") {
      o.live = true;
    } else {
      o.logs.emplace_back(arg);
    }
  }
  if (!o.list.empty()) {
    write_list(o.list, o.list_size);
    return 0;
  }
  if (o.sizes.empty()) o.sizes = {10'000, 1'000'000, 10'000'000};
  std::string once, log;
  for (const auto& path : o.logs) {
    auto input = Input::open(path);
    if (!input.ok()) {
      std::fprintf(stderr, "%s\n", input.error().text().c_str());
      return 2;
    }
    for (auto piece = (*input)->read(); piece.ok() && !piece->empty(); piece = (*input)->read()) once += *piece;
  }
  while (!once.empty() && log.size() < 1'000'000'000) log += once;
  for (const size_t n : o.sizes) bench(n, log);
  if (o.live) live(o.sizes.back());
  return wrong;
}

}  // namespace
}  // namespace entente::detect

int main(int argc, char** argv) { return entente::detect::run(argc, argv); }
