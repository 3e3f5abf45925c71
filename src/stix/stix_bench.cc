// entente_stix_bench: what validation costs on one core, part by part, by the CPU time of this thread.
//   entente_stix_bench [-o json] [BUNDLE.json…]     700-byte indicators made here, then the files (ATT&CK)
// Every figure is of right answers: the number of findings is compared before the time counts.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "stix/object_stream.h"
#include "stix/validate.h"
#include "stix/validate_set.h"

namespace entente::stix {
namespace {

double cpu_s() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::string indicator(size_t i) {
  char number[13];
  std::snprintf(number, sizeof(number), "%012zx", i);
  return R"({"type":"indicator","spec_version":"2.1","id":"indicator--8e2e2d2b-17d4-4cbf-938f-)" + std::string(number) +
         R"(","created_by_ref":"identity--f431f809-377b-45e0-aa1c-6a4751cae5ff","created":"2016-04-06T20:03:48.000Z",)"
         R"("modified":"2016-04-06T20:03:48.000Z","indicator_types":["malicious-activity"],"name":"Phishing host",)"
         R"("description":"A host that was seen serving a phishing kit for a bank; taken from the report of the day. A )"
         R"(host that was seen serving a phishing kit.","pattern":"[domain-name:value = 'login.bank.example']",)"
         R"("pattern_type":"stix","valid_from":"2016-01-01T00:00:00Z","valid_until":"2017-01-01T00:00:00Z",)"
         R"("confidence":80,"object_marking_refs":["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"]})";
}

struct Input {
  std::string name;
  std::string text;
};

struct Row {
  const char* part;
  std::function<size_t(const Input&, size_t& objects)> run;  // findings
};

size_t read(const Input& in, size_t& objects, const std::function<void(const ObjectStream::Item&)>& each) {
  ObjectStream stream(read_text(in.text));
  ObjectStream::Item item;
  size_t faults = 0;
  while (true) {
    const auto more = stream.next(item);
    if (!more.ok() || !*more) break;
    if (item.kind == ObjectStream::Item::Kind::kFault) ++faults;
    if (item.kind != ObjectStream::Item::Kind::kObject) continue;
    ++objects;
    each(item);
  }
  return faults;
}

size_t validated(const Input& in, size_t& objects, bool warnings, bool set) {
  std::vector<Finding> findings;
  std::vector<SetFinding> late;
  SetValidator together;
  size_t count = 0;
  const size_t faults = read(in, objects, [&](const ObjectStream::Item& item) {
    findings.clear();
    (void)validate(item.value, {.strict = false, .warnings = warnings}, findings);
    count += findings.size();
    if (set) together.add(item.value, item.text, late);
  });
  if (set) together.finish(late);
  return faults + count + late.size();
}

int run(const std::vector<Input>& inputs, bool json) {
  const std::vector<Row> rows = {
      {"read (strict JSON, object by object)", [](const Input& in, size_t& n) { return read(in, n, [](auto&) {}); }},
      {"read, validate, errors only", [](const Input& in, size_t& n) { return validated(in, n, false, false); }},
      {"read, validate", [](const Input& in, size_t& n) { return validated(in, n, true, false); }},
      {"read, validate, compare objects", [](const Input& in, size_t& n) { return validated(in, n, true, true); }},
  };
  for (const auto& in : inputs) {
    for (const auto& row : rows) {
      double best = 1e9;
      size_t objects = 0;
      size_t findings = 0;
      for (int round = 0; round < 5; ++round) {
        size_t n = 0;
        const double start = cpu_s();
        const size_t found = row.run(in, n);
        const double took = cpu_s() - start;
        if (round > 0 && (n != objects || found != findings)) {
          std::fprintf(stderr, "stix_bench: %s: rounds differ in what they find\n", in.name.c_str());
          return 1;
        }
        objects = n;
        findings = found;
        best = std::min(best, took);
      }
      const double rate = static_cast<double>(objects) / best;
      const double mb = static_cast<double>(in.text.size()) / best / 1e6;
      if (json) {
        std::printf(R"({"input":"%s","part":"%s","objects_per_s":%.0f,"mb_per_s":%.0f,"objects":%zu,"findings":%zu})"
                    "\n",
                    in.name.c_str(), row.part, rate, mb, objects, findings);
      } else {
        std::printf("%-24s %-38s %9.0f objects/s %6.0f MB/s  (%zu objects, %zu findings)\n", in.name.c_str(), row.part,
                    rate, mb, objects, findings);
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace entente::stix

int main(int argc, char** argv) {
  std::vector<entente::stix::Input> inputs;
  std::string lines;
  for (size_t i = 0; i < 100'000; ++i) lines += entente::stix::indicator(i) + "\n";
  inputs.push_back({"indicators, JSON lines", std::move(lines)});
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    const std::string path = argv[i];
    if (path == "-o" && i + 1 < argc) {
      json = std::string(argv[++i]) == "json";
      continue;
    }
    std::ifstream in(path, std::ios::binary);
    if (!in) {
      std::fprintf(stderr, "stix_bench: %s cannot be read\n", path.c_str());
      return 2;
    }
    inputs.push_back({path.substr(path.rfind('/') + 1), {std::istreambuf_iterator<char>(in), {}}});
  }
  return entente::stix::run(inputs, json);
}
