// entente_detect_bench: lookups and hunts against sets of growing size, by the CPU time of this thread (detection.md
// §1); to be run on one core (taskset).
//   entente_detect_bench [-n INDICATORS]… [-k scalar|avx2|avx512] [--grep] [--live] LOG…
// Hunts the logs, repeated in memory to about 1 GB, with so many indicators (default 10,000, 1,000,000, 10,000,000),
// of which a few occur in them. --grep: also the time of grep -F -f with 10,000 on the same text. --live: additions to
// and removals from a changing set beside its background. Every answer is checked before its time is told.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <unistd.h>

#include "detect/hunt.h"
#include "detect/internal/facts.h"
#include "detect/internal/input.h"
#include "detect/internal/scan.h"

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
  bool grep = false, live = false;
  std::vector<std::string> logs;
};

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
  const double name = time(ObservableKind::kDomain, names), address = time(ObservableKind::kIpv4, addresses);
  std::printf("  one by one, unseen before: name %.0f ns, address %.0f ns\n", name, address);
}

void bench(size_t n, const std::string& log, const Options& o) {
  std::mt19937_64 r(7);
  double t = cpu_s();
  Builder b;
  // A name and an address that occur in the real logs, once or twice in each round.
  for (const auto& [kind, text] :
       {std::pair{AtomKind::kDomain, "r20swj13mr.microsoft.com"}, {AtomKind::kIpv4, "104.16.124.44"}})
    b.add(listed({kind, text, {}}), {{kind, text, {}}});
  const bool ids = n <= 1'000'000;  // an id of each is a SHA-1: left out where only the index is measured
  for (size_t i = b.size(); i < n; ++i) {
    const auto atom = random_atom(r);
    b.add(ids ? listed(atom) : Indicator{.pattern = {}}, {atom});
  }
  const double made = cpu_s() - t;
  t = cpu_s();
  const auto index = std::move(b).build();
  std::printf("%zu indicators: added in %.2f s, built in %.2f s; keys %.1f octets each, all %.1f\n", n, made,
              cpu_s() - t, static_cast<double>(index->key_bytes()) / static_cast<double>(n),
              static_cast<double>(index->memory_bytes()) / static_cast<double>(n));
  lookups(*index);
  if (log.empty()) return;
  HuntOptions options;
  options.kernel = o.kernel;
  std::vector<double> rates;
  HuntReport report;
  for (int i = 0; i < 5; ++i) {
    t = cpu_s();
    report = hunt_text(log, "bench", *index, [](const HuntMatch&) {}, options);
    rates.push_back(static_cast<double>(log.size()) / (cpu_s() - t) / 1e9);
  }
  std::sort(rates.begin(), rates.end());
  const double rate = rates[rates.size() / 2];
  std::printf("  hunt (%s): %.2f GB/s (%.2f to %.2f), %.2f M lines/s; %.0f MB, %lu of %lu lines parsed, %lu matches\n",
              name(o.kernel.value_or(kernels().back())), rate, rates.front(), rates.back(),
              static_cast<double>(report.records) * rate * 1e3 / static_cast<double>(log.size()),
              static_cast<double>(log.size()) / 1e6, report.parsed, report.records, report.matches);
}

void grep(const std::string& log) {
  namespace fs = std::filesystem;
  const fs::path dir = fs::temp_directory_path() / ("entente_bench_" + std::to_string(::getpid()));
  fs::create_directories(dir);
  std::mt19937_64 r(7);
  std::ofstream list(dir / "list");
  for (int i = 0; i < 10'000; ++i) list << random_atom(r).value << '\n';
  list.close();
  const size_t size = std::min<size_t>(log.size(), 100'000'000);
  std::ofstream(dir / "log", std::ios::binary).write(log.data(), static_cast<std::streamsize>(size));
  for (const char* command : {"grep -c -F -f ", "grep -c -F -w -f "}) {
    const double t = cpu_s(CLOCK_MONOTONIC);
    const std::string line =
        std::string("LC_ALL=C ") + command + (dir / "list").string() + " " + (dir / "log").string() + " >/dev/null";
    const int rc = std::system(line.c_str());
    std::printf("%s10,000: %.0f MB/s (wall, first %.0f MB%s)\n", command,
                static_cast<double>(size) / (cpu_s(CLOCK_MONOTONIC) - t) / 1e6, static_cast<double>(size) / 1e6,
                rc == -1 ? ", could not run" : "");
  }
  fs::remove_all(dir);
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
  std::printf(
      "live: %zu added in %.2f s (%.1f us each, wall, its background beside it), settled after %.2f s; %.1f octets "
      "each\n",
      n, added, added / static_cast<double>(n) * 1e6, cpu_s(CLOCK_MONOTONIC) - t,
      static_cast<double>(set.memory_bytes()) / static_cast<double>(set.size()));
  std::vector<double> us;
  for (int i = 0; i < 2000; ++i) {
    const pattern::Atom atom{AtomKind::kDomain, "late" + std::to_string(i) + ".example", {}};
    const Indicator indicator = listed(atom);
    t = cpu_s(CLOCK_MONOTONIC);
    set.add(indicator, {atom});
    bool found = false;
    set.match({ObservableKind::kDomain, atom.value, {}}, Time{1}, [&](const Indicator&, AtomKind) { found = true; });
    us.push_back((cpu_s(CLOCK_MONOTONIC) - t) * 1e6);
    if (!found) std::puts("WRONG: an addition was not found");
  }
  std::sort(us.begin(), us.end());
  std::printf("live: added to found, p50 %.1f us, p99 %.1f us, longest %.1f us\n", us[us.size() / 2],
              us[us.size() * 99 / 100], us.back());
}

int run(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "-n" && i + 1 < argc) {
      o.sizes.push_back(std::strtoull(argv[++i], nullptr, 10));
    } else if (arg == "-k" && i + 1 < argc) {
      for (const Kernel k : kernels())
        if (std::strcmp(name(k), argv[i + 1]) == 0) o.kernel = k;
      ++i;
    } else if (arg == "--grep") {
      o.grep = true;
    } else if (arg == "--live") {
      o.live = true;
    } else {
      o.logs.emplace_back(arg);
    }
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
  for (const size_t n : o.sizes) bench(n, log, o);
  if (o.live) live(o.sizes.back());
  if (o.grep && !log.empty()) grep(log);
  return 0;
}

}  // namespace
}  // namespace entente::detect

int main(int argc, char** argv) { return entente::detect::run(argc, argv); }
