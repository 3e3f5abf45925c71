// What the kernel drops a second when every packet comes from another of a million blocked addresses, and how long a
// block takes to be in force. In network namespaces and a bpf file system of its own; needs root.
//
//   build/bench/bench/entente_xdp_bench [ADDRESSES] [SECONDS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <flood.skel.h>
#include <net/if.h>
#include <sys/mount.h>

#include "enforce/nft.h"
#include "enforce/test_namespace.h"
#include "enforce/xdp.h"

namespace {

using namespace entente;
using namespace entente::enforce;
using Steady = std::chrono::steady_clock;

constexpr uint32_t kFirst = 0x10000000;  // 16.0.0.0

double seconds(Steady::time_point since) { return std::chrono::duration<double>(Steady::now() - since).count(); }
Time now() { return SystemClock().now(); }

Element drop(uint32_t number) {
  Prefix p;
  const uint32_t a = kFirst + number;
  p.bytes = {static_cast<uint8_t>(a >> 24), static_cast<uint8_t>(a >> 16), static_cast<uint8_t>(a >> 8),
             static_cast<uint8_t>(a)};
  p.bits = 32;
  return {p, true, now().plus_us(3'600'000'000)};
}

std::string frame() {
  std::string f(12, '\xff');
  f += std::string("\x08\0\x45\0\0\x2e\0\0\0\0\x40\x11\0\0\x10\0\0\0", 18) + std::string("\x0a\x4d\0\1", 4);
  return f + std::string(60 - f.size(), '\0');
}

// Packets out of there0 for about `duration` seconds; returns how many were sent.
uint64_t flood(TestNet& net, uint32_t sources, double duration, bool checksum) {
  uint64_t sent = 0;
  net.on_other_side([&] {
    flood_bpf* program = flood_bpf__open();
    if (program == nullptr) return;
    program->rodata->interface = if_nametoindex("there0");
    program->rodata->sources = sources;
    program->rodata->first = kFirst;
    program->rodata->checksum = checksum ? 1 : 0;
    if (flood_bpf__load(program) != 0) return;
    const std::string data = frame();
    const auto began = Steady::now();
    while (seconds(began) < duration) {
      bpf_test_run_opts run{};
      run.sz = sizeof run;
      run.data_in = data.data();
      run.data_size_in = static_cast<uint32_t>(data.size());
      run.repeat = 500'000;
      run.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
      run.batch_size = 64;
      if (bpf_prog_test_run_opts(bpf_program__fd(program->progs.flood), &run) != 0) {
        std::perror("test run");
        break;
      }
      sent += static_cast<uint64_t>(run.repeat);
    }
    flood_bpf__destroy(program);
  });
  return sent;
}

void measure_drops(TestNet& net, Enforcer& enforcer, const char* what, uint32_t sources, double duration,
                   bool checksum = false) {
  const uint64_t before = enforcer.totals()->dropped_packets;
  const auto began = Steady::now();
  const uint64_t sent = flood(net, sources, duration, checksum);
  const double took = seconds(began);
  const uint64_t dropped = enforcer.totals()->dropped_packets - before;
  std::printf("%-28s %8u sources %8.2f Mpps dropped (%.1f M sent in %.1f s)\n", what, sources,
              static_cast<double>(dropped) / took / 1e6, static_cast<double>(sent) / 1e6, took);
}

int run(TestNet& net, uint32_t addresses, double duration) {
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) != 0) {
    return kNoNamespace;
  }
  XdpOptions options;
  options.interfaces = {"here0"};
  options.capacity = addresses + 10'000;
  auto xdp = XdpEnforcer::open(options);
  if (!xdp.ok()) {
    std::fprintf(stderr, "%s\n", xdp.error().text().c_str());
    return 2;
  }
  std::vector<Element> all;
  for (uint32_t i = 0; i < addresses; ++i) all.push_back(drop(i));
  auto began = Steady::now();
  if (const auto done = (*xdp)->start({*parse_prefix("10.77.0.1")}, all, now()); !done.ok()) {
    std::fprintf(stderr, "%s\n", done.error().text().c_str());
    return 2;
  }
  std::printf("xdp: %s, %u addresses in force after %.2f s\n", (*xdp)->detail().c_str(), addresses, seconds(began));
  measure_drops(net, **xdp, "xdp", 1, duration);
  measure_drops(net, **xdp, "xdp", addresses, duration);
  measure_drops(net, **xdp, "xdp", addresses, duration);

  // From apply() to the verdict of the program itself, at this size.
  bpf_xdp_query_opts query{};
  query.sz = sizeof query;
  if (bpf_xdp_query(static_cast<int>(if_nametoindex("here0")), 0, &query) != 0) return 2;
  const int program = bpf_prog_get_fd_by_id(query.prog_id);
  std::vector<double> us;
  for (uint32_t i = 0; i < 5000; ++i) {
    const Element e = drop(addresses + i);
    std::string f = frame();
    std::copy_n(reinterpret_cast<const char*>(e.prefix.bytes.data()), 4, f.begin() + 26);
    const auto at = Steady::now();
    const bool ok = (*xdp)->apply({{e}, {}}, now()).ok();
    bpf_test_run_opts test{};
    test.sz = sizeof test;
    test.data_in = f.data();
    test.data_size_in = static_cast<uint32_t>(f.size());
    test.repeat = 1;
    if (!ok || bpf_prog_test_run_opts(program, &test) != 0 || test.retval != 1) {
      std::fprintf(stderr, "a block was not in force when apply() returned\n");
      return 2;
    }
    us.push_back(seconds(at) * 1e6);
  }
  std::sort(us.begin(), us.end());
  std::printf("xdp: apply of one -> verdict drop: p50 %.0f us, p99 %.0f us, longest %.0f us (5000 trials)\n",
              us[us.size() / 2], us[us.size() * 99 / 100], us.back());

  // nftables behind the same program with nothing to drop: veth takes frames of the generator only with one attached.
  if (!(*xdp)->start({}, {}, now()).ok()) return 2;
  auto nft = NftEnforcer::open();
  if (!nft.ok()) return 2;
  // Its counters are read by listing the set, which takes minutes for a million.
  const uint32_t fewer = std::min(addresses, 100'000U);
  all.resize(fewer);
  began = Steady::now();
  if (!(*nft)->start({*parse_prefix("10.77.0.1")}, all, now()).ok()) return 2;
  std::printf("nftables: %u addresses in force after %.2f s\n", fewer, seconds(began));
  measure_drops(net, **nft, "nftables", 1, duration, true);
  measure_drops(net, **nft, "nftables", fewer, duration, true);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto addresses = static_cast<uint32_t>(argc > 1 ? std::atoi(argv[1]) : 1'000'000);
  const double duration = argc > 2 ? std::atof(argv[2]) : 5;
  const int code = in_namespace([&](TestNet& net) { return run(net, addresses, duration); });
  if (code == kNoNamespace) std::fprintf(stderr, "needs root, network namespaces and a bpf file system\n");
  return code;
}
