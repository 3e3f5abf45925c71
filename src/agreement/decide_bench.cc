// What a release decision costs (release.md, ledger.md §6): a graph of 10,000 objects as a node has them (indicators,
// malware, relationships between them, notes that name them, identities of victims), decided for one recipient; and the
// same with every malware kept back, so that all that names one stays here. CPU time. One JSON object on standard
// output.
//
//     entente_decide_bench [OBJECTS [ROUNDS]]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "agreement/decide.h"
#include "agreement/testing.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/heap.h"
#include "base/uuid.h"
#include "json/node.h"

namespace {

using entente::agreement::Decision;
using entente::agreement::GraphObject;

std::string id(const char* type, size_t n) {
  return fmt::format(
      "{}--{}", type,
      entente::uuid_shaped(entente::view(entente::sha256(fmt::format("{} {}", type, n))).substr(0, 16)).text());
}

std::vector<std::string> graph_of(size_t count, bool linked) {
  constexpr const char* kGreen = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb";
  std::vector<std::string> out;
  const auto common = [&](const char* type, size_t n) {
    return fmt::format(R"({{"type":"{}","spec_version":"2.1","id":"{}","created":"2026-01-01T00:00:00.000Z",)"
                       R"("modified":"2026-01-01T00:00:00.000Z","object_marking_refs":["{}"],)",
                       type, id(type, n), kGreen);
  };
  for (size_t n = 0; out.size() < count; ++n) {
    if (linked && n % 10 == 3)
      out.push_back(common("malware", n) + fmt::format(R"("name":"Loader {}","is_family":false}})", n));
    else if (linked && n % 10 == 5 && n > 10)
      out.push_back(common("relationship", n) +
                    fmt::format(R"("relationship_type":"indicates","source_ref":"{}","target_ref":"{}"}})",
                                id("indicator", n - 1), id("malware", n - 2)));
    else if (linked && n % 10 == 7 && n > 10)
      out.push_back(common("note", n) + fmt::format(R"("content":"Seen with Loader {} again.","object_refs":["{}"]}})",
                                                    n - 4, id("malware", n - 4)));
    else if (linked && n % 50 == 9)
      out.push_back(
          common("identity", n) +
          fmt::format(R"("name":"Harbour Works {}","identity_class":"organization","roles":["victim"]}})", n));
    else
      out.push_back(common("indicator", n) +
                    fmt::format(R"("pattern":"[domain-name:value = 'host{}.example']","pattern_type":"stix",)"
                                R"("valid_from":"2026-01-01T00:00:00Z","indicator_types":["malicious-activity"],)"
                                R"("confidence":85}})",
                                n));
  }
  return out;
}

double cpu_ms() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

entente::json::Node measure(size_t count, int rounds, bool linked, bool keep_back = false) {
  const auto texts = graph_of(count, linked);
  entente::json::Node document = entente::agreement::testing::sample_node();
  document.set("protection", entente::agreement::testing::protection_nodes());
  const std::vector<entente::agreement::State> states{
      entente::agreement::testing::in_force(entente::agreement::testing::sample(std::move(document)))};
  std::vector<GraphObject> graph;
  for (const auto& t : texts) {
    GraphObject g;
    g.raw = t;
    g.originator = "IN";
    graph.push_back(g);
  }
  entente::agreement::Inputs in;
  in.me = "IN";
  in.recipient = "JP";
  in.at = entente::Time{1'800'000'000'000'000};
  in.instruments = states;
  in.my_identity_id = id("identity", 1'000'000'000);
  in.pseudonym_keys[states[0].agreement_id] = std::string(32, 'k');
  if (keep_back) in.policy.withhold_types = {"malware"};
  std::vector<double> ms;
  size_t released = 0;
  for (int r = 0; r < rounds; ++r) {
    const double begin = cpu_ms();
    const std::vector<Decision> all = entente::agreement::decide(graph, in);
    ms.push_back(cpu_ms() - begin);
    released = static_cast<size_t>(std::ranges::count_if(
        all, [](const Decision& d) { return d.verdict != entente::agreement::Verdict::kWithheld; }));
  }
  std::ranges::sort(ms);
  entente::json::Node row = entente::json::Node::object();
  row.set("objects", count)
      .set("go", released)
      .set("median_ms", ms[ms.size() / 2])
      .set("best_ms", ms.front())
      .set("us_per_object", ms[ms.size() / 2] * 1000 / static_cast<double>(count));
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  entente::keep_freed_memory();  // as a node does
  const size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 9;
  entente::json::Node out = entente::json::Node::object();
  out.set("indicators", measure(count, rounds, false));
  out.set("linked", measure(count, rounds, true));
  out.set("kept_back", measure(count, rounds, true, true));
  out.set("one", measure(1, rounds * 100, false));
  std::puts(entente::json::write(out).c_str());
  return 0;
}
