// entente_pattern_bench [BASELINE_JSON_DIR]: patterns compiled, evaluated and streamed per second, by the CPU time of
// this thread, best of five. With a folder, the patterns and data of the comparison are written there for the Python
// peer (bench/pattern_peer.py), whose answers must be the same.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <random>

#include "pattern/evaluate.h"
#include "pattern/stream.h"

namespace entente::pattern {
namespace {

double cpu_s() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double best(const std::function<void()>& f) {
  double least = 1e9;
  for (int i = 0; i < 5; ++i) {
    const double t = cpu_s();
    f();
    least = std::min(least, cpu_s() - t);
  }
  return least;
}

void row(const char* what, double per_second, const char* unit, const char* goal) {
  std::printf("{\"what\":\"%s\",\"value\":%.0f,\"unit\":\"%s\",\"goal\":\"%s\"}\n", what, per_second, unit, goal);
  std::fflush(stdout);
}

std::string address(std::mt19937_64& r) {
  const uint64_t x = r();  // once: the order in which operands are evaluated is open
  return std::to_string(11 + x % 200) + "." + std::to_string(x >> 8 & 255) + "." + std::to_string(x >> 16 & 255) + "." +
         std::to_string(x >> 24 & 255);
}
std::string domain(std::mt19937_64& r) {
  std::string s;
  for (auto n = 6 + r() % 10; n > 0; --n) s += static_cast<char>('a' + r() % 26);
  return s + (r() % 2 == 0 ? ".example.com" : ".co.jp");
}
std::string hash(std::mt19937_64& r) {
  std::string s;
  while (s.size() < 64) s += "0123456789abcdef"[r() % 16];
  return s;
}

// One bracket with one value, as nearly all published indicators have.
std::string equality(std::mt19937_64& r) {
  switch (r() % 4) {
    case 0:
      return "[ipv4-addr:value = '" + address(r) + "']";
    case 1:
      return "[file:hashes.'SHA-256' = '" + hash(r) + "']";
    default:
      return "[domain-name:value = '" + domain(r) + "']";
  }
}

// The mix of detection.md §4: 80 % one atom, 12 % AND, 8 % temporal.
std::string mixed(std::mt19937_64& r) {
  const auto k = r() % 100;
  if (k < 80) return equality(r);
  const std::string both = "[network-traffic:dst_ref.value = '" + address(r) + "' AND network-traffic:dst_port = 443]";
  if (k < 92) return both;
  return "(" + both + " FOLLOWEDBY " + equality(r) + ") WITHIN 300 SECONDS";
}

// A flow to an address, with a name, as a sensor sees it.
void write(Observations& o, std::mt19937_64& r, int64_t ms) {
  const Nanos t = static_cast<Nanos>(1'767'225'600'000 + ms) * 1'000'000;
  o.begin("observed-data--" + std::to_string(ms), t, t);
  o.begin_object("ipv4-addr", "1");
  o.property("value", address(r));
  o.end_object();
  o.begin_object("domain-name", "2");
  o.property("value", domain(r));
  o.end_object();
  o.begin_object("network-traffic", "3");
  o.property("dst_ref", "1");
  o.property("dst_port", static_cast<int64_t>(r() % 2 == 0 ? 443 : 80));
  o.end_object();
  o.end();
}

std::string json_of(std::mt19937_64& r, size_t n) {
  std::string s = "[";
  for (size_t i = 0; i < n; ++i) {
    const std::string number = std::to_string(i);
    const std::string value = address(r);
    const std::string name = domain(r);
    s +=
        (i > 0 ? "," : "") + std::string(R"({"type":"observed-data","id":"observed-data--)") + number +
        R"(","first_observed":"2026-01-01T00:00:00.)" + std::to_string(1000 + i % 1000).substr(1) +
        R"(Z","last_observed":"2026-01-01T00:00:01Z","number_observed":1,"objects":{"1":{"type":"ipv4-addr","value":")" +
        value + R"("},"2":{"type":"domain-name","value":")" + name +
        R"("},"3":{"type":"network-traffic","dst_ref":"1","dst_port":443}}})";
  }
  return s + "]";
}

Matcher compiled(const std::string& text) {
  auto p = Pattern::parse(text);
  auto m = Matcher::compile(*p);
  return *std::move(m);
}

void compile() {
  std::mt19937_64 r(1);
  std::vector<std::string> texts;
  for (int i = 0; i < 100'000; ++i) texts.push_back(mixed(r));
  size_t ok = 0;
  const double s = best([&] {
    ok = 0;
    for (const auto& t : texts) ok += compiled(t).shared_program() != nullptr ? 1 : 0;
  });
  if (ok != texts.size()) std::abort();
  row("compile patterns (80 % one value, 12 % AND, 8 % FOLLOWEDBY WITHIN)", static_cast<double>(texts.size()) / s,
      "patterns/s", ">= 500 k");
}

void one_over_many(const char* folder) {
  std::mt19937_64 r(2);
  Observations data;
  for (int64_t i = 0; i < 100'000; ++i) write(data, r, i);
  if (!data.finish().ok()) std::abort();
  const std::vector<std::pair<const char*, std::string>> patterns = {
      {"one equality", "[domain-name:value = 'nothing.example.com']"},
      {"AND through a reference", "[network-traffic:dst_port = 443 AND network-traffic:dst_ref.value = '1.2.3.4']"},
      {"LIKE", "[domain-name:value LIKE '%.nothing.co.jp']"},
      {"ISSUBSET", "[ipv4-addr:value ISSUBSET '10.0.0.0/8']"},
      {"MATCHES", "[domain-name:value MATCHES '^no[a-z]+thing[.]co']"},
  };
  for (const auto& [what, text] : patterns) {
    const Matcher m = compiled(text);
    const double s = best([&] {
      if (m.match(data, {.max_work = UINT64_MAX}).outcome != Outcome::kNo) std::abort();
    });
    row((std::string("one pattern over 100,000 observations: ") + what).c_str(), 100'000 / s, "evaluations/s",
        ">= 10 M");
  }

  // The same patterns and data as the peer's.
  std::mt19937_64 q(3);
  const std::string text = json_of(q, 1000);
  std::mt19937_64 again(3);
  const std::string hit = address(again);
  std::vector<std::string> list = {"[ipv4-addr:value = '" + hit + "']"};
  for (int i = 0; i < 19; ++i) list.push_back(mixed(q));
  if (folder != nullptr) {
    std::ofstream(std::string(folder) + "/data.json") << text;
    std::ofstream p(std::string(folder) + "/patterns.txt");
    for (const auto& t : list) p << t << "\n";
  }
  std::vector<Matcher> matchers;
  for (const auto& t : list) matchers.push_back(compiled(t));
  auto read = Observations::read(text);
  if (!read.ok()) std::abort();
  size_t matched = 0;
  const double s = best([&] {
    matched = 0;
    for (int n = 0; n < 20; ++n) {
      for (const auto& m : matchers) matched += m.match(*read).outcome == Outcome::kMatched ? 1 : 0;
    }
  });
  if (matched != 20) std::abort();
  row("20 patterns, each by itself, over 1,000 observations (as the peer)", 20.0 * 20 * 1000 / s, "evaluations/s", "");
  const double reading = best([&] { (void)Observations::read(text).ok(); });
  row("read observed-data from JSON", 1000 / reading, "observations/s", "");
}

void many_over_many() {
  std::mt19937_64 r(4);
  std::vector<Matcher> matchers;
  for (int i = 0; i < 1000; ++i) matchers.push_back(compiled(mixed(r)));
  Observations data;
  std::mt19937_64 q(5);
  for (int64_t i = 0; i < 10'000; ++i) write(data, q, i);
  if (!data.finish().ok()) std::abort();
  size_t matched = 0;
  const double s = best([&] {
    matched = 0;
    for (const auto& result : match_all(matchers, data)) matched += result.outcome == Outcome::kMatched ? 1 : 0;
  });
  size_t alone = 0;
  for (const auto& m : matchers) alone += m.match(data).outcome == Outcome::kMatched ? 1 : 0;
  if (alone != matched) std::abort();
  std::printf(
      "{\"what\":\"1,000 patterns over 10,000 observations together\",\"value\":%.4f,\"unit\":\"s\",\"goal\":\"<= "
      "0.1\"}\n",
      s);
}

void stream(size_t patterns, bool temporal) {
  std::mt19937_64 r(6);
  PatternStream out({.lateness = 0});
  double t = cpu_s();
  for (size_t i = 0; i < patterns; ++i) {
    if (!out.add(i, compiled(temporal ? mixed(r) : equality(r))).ok()) std::abort();
  }
  const double adding = cpu_s() - t;
  // Observations arrive one by one; one in a thousand has something that a pattern asks for.
  std::mt19937_64 q(7);
  std::mt19937_64 wanted(6);
  std::vector<StreamMatch> found;
  Observations o({.only = &out.symbols()});
  const size_t n = 200'000;
  const double s = best([&] {
    for (size_t i = 0; i < n; ++i) {
      o.clear();
      write(o, q, static_cast<int64_t>(i));
      (void)o.finish();
      out.push(o, found);
    }
  });
  const std::string what = std::to_string(patterns / 1000) + " k " + (temporal ? "mixed" : "equality") +
                           " patterns resident, observations one by one (made, read and matched)";
  row(what.c_str(), static_cast<double>(n) / s, "observations/s", ">= 200 k");
  row((std::to_string(patterns / 1000) + " k patterns compiled and added").c_str(),
      static_cast<double>(patterns) / adding, "patterns/s", "");
}

// FOLLOWEDBY with its state in use: every observation is kept by some pattern.
void busy_stream() {
  PatternStream out({.lateness = 0});
  for (uint64_t i = 0; i < 1000; ++i) {
    const std::string n = std::to_string(i);
    if (!out.add(i, compiled("([x:n = " + n + "] FOLLOWEDBY [x:n = " + std::to_string(i + 1) + "]) WITHIN 2 SECONDS"))
             .ok()) {
      std::abort();
    }
  }
  std::mt19937_64 r(8);
  Observations o({.only = &out.symbols()});
  std::vector<StreamMatch> found;
  const size_t n = 200'000;
  Nanos t = 0;
  const double s = best([&] {
    for (size_t i = 0; i < n; ++i) {
      t += 1'000'000;
      o.clear();
      o.begin("", t, t);
      o.begin_object("x", "");
      o.property("n", static_cast<int64_t>(r() % 1000));
      o.end_object();
      o.end();
      (void)o.finish();
      found.clear();
      out.push(o, found);
    }
  });
  row("1,000 FOLLOWEDBY WITHIN 2 s, every observation kept by two of them", static_cast<double>(n) / s,
      "observations/s", "");
}

}  // namespace
}  // namespace entente::pattern

int main(int argc, char** argv) {
  using namespace entente::pattern;
  compile();
  one_over_many(argc > 1 ? argv[1] : nullptr);
  many_over_many();
  stream(100'000, false);
  stream(100'000, true);
  busy_stream();
}
