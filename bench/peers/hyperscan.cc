// Hyperscan's literal matcher over a log, as a peer of `entente hunt`: which lines hold one of the literals of a list.
//   entente_hyperscan_peer LIST LOG      JSON: seconds of CPU to compile and to scan, lines found, octets of the
//   database
// For bench/hunt_bench.py only; entente itself does not use it (src/detect/README.md says what it does instead).
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <hs/hs.h>

namespace {

double cpu_s() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::string read_all(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Lines {
  const std::string* text;
  size_t last_begin = SIZE_MAX;
  size_t found = 0;
};

int on_match(unsigned /*id*/, unsigned long long /*from*/, unsigned long long to, unsigned /*flags*/, void* context) {
  auto& lines = *static_cast<Lines*>(context);
  const size_t begin = lines.text->rfind('\n', static_cast<size_t>(to) - 1);  // npos in the first line
  if (begin + 1 != lines.last_begin) ++lines.found;
  lines.last_begin = begin + 1;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string list = read_all(argv[1]), log = read_all(argv[2]);
  std::vector<std::string> literals;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find('\n', at), list.size());
    if (end > at) literals.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const auto& l : literals) {
    texts.push_back(l.c_str());
    sizes.push_back(l.size());
  }
  const std::vector<unsigned> flags(literals.size(), 0), ids(literals.size(), 0);
  double t = cpu_s();
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile_lit_multi(texts.data(), flags.data(), ids.data(), sizes.data(), static_cast<unsigned>(texts.size()),
                           HS_MODE_BLOCK, nullptr, &database, &error) != HS_SUCCESS) {
    std::fprintf(stderr, "%s\n", error->message);
    return 2;
  }
  const double compiled = cpu_s() - t;
  hs_scratch_t* scratch = nullptr;
  if (hs_alloc_scratch(database, &scratch) != HS_SUCCESS) return 2;
  size_t octets = 0;
  hs_database_size(database, &octets);
  Lines lines{.text = &log};
  t = cpu_s();
  if (hs_scan(database, log.data(), static_cast<unsigned>(log.size()), 0, scratch, on_match, &lines) != HS_SUCCESS)
    return 2;
  std::printf(R"({"compile_s":%.3f,"scan_s":%.4f,"lines":%zu,"database":%zu})"
              "\n",
              compiled, cpu_s() - t, lines.found, octets);
  return 0;
}
