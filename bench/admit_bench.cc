// Admission over TLS: posts envelopes of fresh indicators to a running node and prints objects per second and latency
// as one JSON line.
//
//   entente_admit_bench URL PIN TOKEN ENVELOPE CONNECTIONS SECONDS
//
// Objects are made before the clock starts to run for a connection's next request, so what is timed is request to
// answer; the generator's own cost is on the same machine and counts against the figure.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/time.h"
#include "net/http.h"

namespace {

using Steady = std::chrono::steady_clock;

// About 730 octets, as the objects that the storage figures were measured with.
std::string indicator(std::mt19937_64& rng, const std::string& at) {
  const uint64_t a = rng();
  const uint64_t b = rng();
  const std::string id = fmt::format("{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xfff,
                                     b >> 52, b & 0xffffffffffffULL);
  return fmt::format(
      R"({{"type":"indicator","spec_version":"2.1","id":"indicator--{0}","created":"{1}","modified":"{1}","created_by_ref":"identity--f431f809-377b-45e0-aa1c-6a4751cae5ff",)"
      R"("name":"phishing host {2:x}","description":"Host that served a copy of a bank's login page; reported by two sensors and confirmed by an analyst. The page asked for card number and one-time code.",)"
      R"("indicator_types":["malicious-activity"],"confidence":85,"pattern":"[domain-name:value = 'login-{2:x}.example.net']","pattern_type":"stix","pattern_version":"2.1","valid_from":"{1}",)"
      R"("labels":["phishing","bank"],"kill_chain_phases":[{{"kill_chain_name":"lockheed-martin-cyber-kill-chain","phase_name":"delivery"}}],)"
      R"("object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]}})",
      id, at, b);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7 && argc != 8) {
    std::fputs("usage: entente_admit_bench URL PIN TOKEN ENVELOPE CONNECTIONS SECONDS [AT_MOST_OBJECTS]\n", stderr);
    return 2;
  }
  const std::string url = argv[1];
  const std::string pin = argv[2];
  const std::string token = argv[3];
  const int envelope = std::atoi(argv[4]);
  const int connections = std::atoi(argv[5]);
  const double seconds = std::atof(argv[6]);
  const uint64_t at_most = argc == 8 ? std::strtoull(argv[7], nullptr, 10) : UINT64_MAX;
  if (envelope < 1 || connections < 1 || seconds <= 0) {
    std::fputs("admit_bench: ENVELOPE, CONNECTIONS and SECONDS are positive\n", stderr);
    return 2;
  }
  entente::SystemClock clock;
  const std::string at = entente::to_text(clock.now());
  std::atomic<uint64_t> objects{0};
  std::atomic<uint64_t> begun{0};
  std::atomic<uint64_t> failures{0};
  std::mutex mutex;
  std::vector<double> latencies_ms;
  const auto start = Steady::now();
  const auto end = start + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(seconds));
  std::vector<std::thread> threads;
  for (int c = 0; c < connections; ++c) {
    threads.emplace_back([&, c] {
      std::mt19937_64 rng(std::random_device{}() + static_cast<unsigned>(c));
      entente::net::ClientOptions o;
      o.url = url;
      o.pin_spki_sha256 = {pin};
      auto client = entente::net::connect_to(o);
      if (!client.ok()) {
        ++failures;
        return;
      }
      std::vector<double> mine;
      while (Steady::now() < end && begun.fetch_add(static_cast<uint64_t>(envelope)) < at_most) {
        std::string body = R"({"objects":[)";
        for (int i = 0; i < envelope; ++i) {
          if (i > 0) body += ',';
          body += indicator(rng, at);
        }
        body += "]}";
        entente::net::Request r;
        r.method = "POST";
        r.path = "/local/collections/inbox/objects/";
        r.headers = {{"Authorization", "Bearer " + token},
                     {"Accept", "application/taxii+json;version=2.1"},
                     {"Content-Type", "application/taxii+json;version=2.1"}};
        r.body = std::move(body);
        const auto t0 = Steady::now();
        auto answer = (*client)->send(r, std::chrono::seconds(30));
        const double ms = std::chrono::duration<double, std::milli>(Steady::now() - t0).count();
        // An answer counts only if every object of it was taken in.
        const std::string expected = "\"success_count\":" + std::to_string(envelope);
        if (!answer.ok() || answer->status != 202 || answer->body.find(expected) == std::string::npos) {
          if (failures++ == 0) {
            std::fprintf(stderr, "admit_bench: %s\n",
                         answer.ok() ? answer->body.substr(0, 300).c_str() : answer.error().text().c_str());
          }
          continue;
        }
        objects += static_cast<uint64_t>(envelope);
        mine.push_back(ms);
      }
      const std::lock_guard lock(mutex);
      latencies_ms.insert(latencies_ms.end(), mine.begin(), mine.end());
    });
  }
  for (auto& t : threads) t.join();
  const double elapsed = std::chrono::duration<double>(Steady::now() - start).count();
  std::sort(latencies_ms.begin(), latencies_ms.end());
  const auto q = [&](double p) {
    return latencies_ms.empty()
               ? 0.0
               : latencies_ms[std::min(latencies_ms.size() - 1,
                                       static_cast<size_t>(p * static_cast<double>(latencies_ms.size())))];
  };
  fmt::print(
      "{{\"envelope\":{},\"connections\":{},\"seconds\":{:.2f},\"objects\":{},\"objects_per_s\":{:.0f},\"p50_ms\":{:."
      "2f},\"p99_ms\":{:.2f},\"failures\":{}}}\n",
      envelope, connections, elapsed, objects.load(), static_cast<double>(objects.load()) / elapsed, q(0.5), q(0.99),
      failures.load());
  return failures == 0 && !latencies_ms.empty() ? 0 : 1;
}
