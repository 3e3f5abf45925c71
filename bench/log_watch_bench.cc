// What a line of a log costs a sensor: taken apart, every value looked up, with and without the history. One thread.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <stdlib.h>

#include "json/node.h"
#include "sensor/log_watch.h"

using namespace entente;  // NOLINT(google-build-using-namespace)

namespace {

struct NoEvents final : sensor::EventSink {
  void write(Time, std::string_view, const json::Node&) override {}
};

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::string indicator(size_t i) {
  return fmt::format(
      R"({{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-{:012}","created":"2026-01-01T00:00:00Z","modified":"2026-01-01T00:00:00Z","pattern":"[domain-name:value = 'bad{}.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"}})",
      i, i);
}

// Zeek's dns.log and conn.log; one line in 5,000 shows an indicator.
std::string lines(size_t n, Time now) {
  std::string out;
  for (size_t i = 0; i < n; ++i) {
    const size_t r = i * 2654435761 % 1'000'003;
    const double ts = static_cast<double>(now.us - static_cast<int64_t>(n - i)) / 1e6;
    const std::string name =
        i % 5000 == 0 ? fmt::format("bad{}.example", r % 10'000) : fmt::format("h{}.site{}.net", r % 97, r);
    if (i % 2 == 0) {
      out += fmt::format(
          R"({{"ts":{:.6f},"uid":"C{:x}","id.orig_h":"10.1.{}.{}","id.orig_p":{},"id.resp_h":"10.0.0.53","id.resp_p":53,"proto":"udp","query":"{}","qtype_name":"A","rcode_name":"NOERROR","answers":["192.0.{}.{}"],"TTLs":[300.0]}})",
          ts, r, r % 255, r % 251, 1024 + r % 60'000, name, r % 255, r % 249);
    } else {
      out += fmt::format(
          R"({{"ts":{:.6f},"uid":"C{:x}","id.orig_h":"10.1.{}.{}","id.orig_p":{},"id.resp_h":"203.0.{}.{}","id.resp_p":443,"proto":"tcp","service":"ssl","duration":0.5,"orig_bytes":517,"resp_bytes":4096,"conn_state":"SF","history":"ShADadFf"}})",
          ts, r, r % 255, r % 251, 1024 + r % 60'000, r % 255, r % 247);
    }
    out += '\n';
  }
  return out;
}

}  // namespace

int main() {
  constexpr size_t kIndicators = 10'000, kLines = 400'000;
  char name[] = "/tmp/entente-bench-XXXXXX";
  const std::string folder = mkdtemp(name);
  SystemClock clock;
  const std::string text = lines(kLines, clock.now());
  for (const bool with_history : {false, true}) {
    sensor::SensorConfig config;
    config.state_dir = "/state";
    MemFiles files;
    PosixFiles disk;
    enforce::MemEnforcer enforcer;
    NoEvents events;
    sensor::Core core(config, files, clock, enforcer, {}, events);
    if (const Status done = core.start(); !done.ok()) {
      fmt::print(stderr, "{}\n", done.error().text());
      return 1;
    }
    std::shared_ptr<detect::History> history;
    if (with_history) {
      auto opened = detect::History::open(folder, disk, {});
      if (!opened.ok()) return 1;
      history = std::move(*opened);
      core.set_history(history);
    }
    std::vector<std::string> objects;
    for (size_t i = 0; i < kIndicators; ++i) objects.push_back(indicator(i));
    const std::vector<std::string_view> views(objects.begin(), objects.end());
    core.on_page({"own", "", ""}, views, clock.now());
    std::vector<double> seconds;
    for (int run = 0; run < 3; ++run) {
      sensor::LogWatch watch(core, clock, 600'000'000);
      detect::LineFeed feed("bench", watch);
      const double before = cpu_seconds();
      for (size_t at = 0; at < text.size(); at += 1 << 20) feed.feed(std::string_view(text).substr(at, 1 << 20));
      seconds.push_back(cpu_seconds() - before);
    }
    std::sort(seconds.begin(), seconds.end());
    fmt::print("{} {:.0f} {:.3f}\n", with_history ? "history" : "plain", kLines / seconds[1],
               static_cast<double>(text.size()) / seconds[1] / 1e9);
  }
  std::filesystem::remove_all(folder);
  return 0;
}
