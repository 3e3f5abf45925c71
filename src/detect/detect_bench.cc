// entente_detect_bench: lookups per second and octets per second of a hunt, by the CPU time of this thread
// (detection.md §1).
//   entente_detect_bench LOG.gz...     hunts the logs, repeated in memory to about 200 MB, with 10,000 and 1,000,000
//   indicators
#include <cstdio>
#include <ctime>
#include <random>

#include "detect/hunt.h"
#include "detect/internal/input.h"

namespace entente::detect {
namespace {

double cpu_s() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::string random_name(std::mt19937_64& r) {
  std::string s;
  for (auto n = 6 + r() % 10; n > 0; --n) s += static_cast<char>('a' + r() % 26);
  return s + (r() % 2 == 0 ? ".example.com" : ".co.jp");
}

// The mix of detection.md §1, without e-mail.
std::shared_ptr<const Index> make_index(size_t n) {
  using pattern::AtomKind;
  std::mt19937_64 r(7);
  Builder b;
  const auto v4 = [&] {
    return std::to_string(11 + r() % 200) + "." + std::to_string(r() % 256) + "." + std::to_string(r() % 256) + "." +
           std::to_string(r() % 256);
  };
  const auto hex = [&](size_t digits) {
    std::string s;
    while (s.size() < digits) s += "0123456789abcdef"[r() % 16];
    return s;
  };
  for (size_t i = 0; i < n; ++i) {
    const auto p = r() % 100;
    pattern::Atom a{};
    if (p < 40)
      a = {AtomKind::kIpv4, v4(), {}};
    else if (p < 43)
      a = {AtomKind::kCidr4, v4() + "/" + std::to_string(24 + r() % 7), {}};
    else if (p < 45)
      a = {AtomKind::kIpv6, "2001:db8:" + hex(4) + ":" + hex(4) + "::" + hex(3), {}};
    else if (p < 72)
      a = {p % 2 == 0 ? AtomKind::kDomain : AtomKind::kDomainTree, random_name(r), {}};
    else if (p < 84)
      a = {AtomKind::kUrl, "http://" + random_name(r) + "/" + hex(8), {}};
    else
      a = {AtomKind::kSha256, hex(64), {}};
    b.add({.id = "indicator--" + hex(8)}, {a});
  }
  return std::move(b).build();
}

void bench(size_t n, const std::string& log) {
  double t = cpu_s();
  const auto index = make_index(n);
  std::printf("%zu indicators: made in %.2f s, keys %.1f octets each, all %.1f\n", n, cpu_s() - t,
              static_cast<double>(index->key_bytes()) / static_cast<double>(n),
              static_cast<double>(index->memory_bytes()) / static_cast<double>(n));
  std::mt19937_64 r(9);
  std::vector<std::string> names;
  for (int i = 0; i < 200'000; ++i) names.push_back("www." + random_name(r));
  std::vector<Hit> hits;
  t = cpu_s();
  for (const auto& name : names) index->match({ObservableKind::kDomain, name, {}}, hits);
  std::printf("  names of 4 labels: %.0f ns each\n", (cpu_s() - t) / static_cast<double>(names.size()) * 1e9);
  if (log.empty()) return;
  t = cpu_s();
  const auto report = hunt_text(log, "bench", *index, [](const HuntMatch&) {});
  const double s = cpu_s() - t;
  std::printf("  hunt: %.0f MB/s, %.2f M lines/s (%.0f MB, %lu lines parsed of %lu, %lu matches)\n",
              static_cast<double>(log.size()) / s / 1e6, static_cast<double>(report.records) / s / 1e6,
              static_cast<double>(log.size()) / 1e6, report.parsed, report.records, report.matches);
}

}  // namespace
}  // namespace entente::detect

int main(int argc, char** argv) {
  std::string once, log;
  for (int i = 1; i < argc; ++i) {
    auto input = entente::detect::Input::open(argv[i]);
    if (!input.ok()) continue;
    for (auto piece = (*input)->read(); piece.ok() && !piece->empty(); piece = (*input)->read()) once += *piece;
  }
  while (!once.empty() && log.size() < 200'000'000) log += once;
  for (const size_t n : {size_t{10'000}, size_t{1'000'000}}) entente::detect::bench(n, log);
}
