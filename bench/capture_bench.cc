// Live capture of a flood on a veth pair: the memory-mapped ring (TPACKET_V3) beside AF_XDP in copy mode, the only one
// that veth has. One thread sends as fast as it can (AF_PACKET, 64 packets a call), one takes and decodes; with two
// cores each has one. In a network namespace of its own, which ends with the program; needs root.
//
//   entente_capture_bench [SECONDS]
// A line for each: what  delivered Mpps  sent Mpps  ns of the receiver's CPU a packet. veth carries a packet up to the
// ring or socket in the time of whoever sends it, so rates are of both sides; the receiver's own cost is the last.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include <net/if.h>
#include <netpacket/packet.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet/capture.h"
#include "packet/compose.h"

namespace {

using namespace entente;
using Steady = std::chrono::steady_clock;

double seconds(Steady::time_point since) { return std::chrono::duration<double>(Steady::now() - since).count(); }

double cpu_s() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

void on_core(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core % std::max(1U, std::thread::hardware_concurrency()), &set);
  (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

std::string frame() {
  const packet::Flow flow{.src = *packet::parse_address("192.0.2.1"),
                          .dst = *packet::parse_address("192.0.2.53"),
                          .src_port = 4000,
                          .dst_port = 53};
  return packet::compose_udp(flow,
                             packet::compose_dns_query(1, "www.host-of-a-usual-length.example", packet::DnsType::kA));
}

uint64_t send_until(const std::atomic<bool>& stop) {
  const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  const int on = 1;
  (void)::setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(::if_nametoindex("far0"));
  std::string data = frame();
  iovec piece{data.data(), data.size()};
  std::vector<mmsghdr> many(64);
  for (mmsghdr& m : many) {
    m.msg_hdr.msg_name = &to;
    m.msg_hdr.msg_namelen = sizeof to;
    m.msg_hdr.msg_iov = &piece;
    m.msg_hdr.msg_iovlen = 1;
  }
  uint64_t sent = 0;
  while (!stop) {
    const int n = ::sendmmsg(fd, many.data(), static_cast<unsigned>(many.size()), 0);
    if (n > 0) sent += static_cast<uint64_t>(n);
  }
  ::close(fd);
  return sent;
}

bool measure(const char* what, bool af_xdp, double duration) {
  auto capture = packet::Capture::open(
      {.interface = "tap0", .af_xdp = af_xdp, .blocks = 128, .ignore_outgoing = true, .promiscuous = true});
  if (!capture.ok()) {
    std::fprintf(stderr, "%s: %s\n", what, capture.error().text().c_str());
    return false;
  }
  std::atomic<bool> stop{false};
  uint64_t sent = 0, seen = 0;
  std::jthread sender([&] {
    on_core(0);
    sent = send_until(stop);
  });
  packet::Sink nothing;
  packet::Decoder decoder(nothing);
  const auto began = Steady::now();
  const double cpu = cpu_s();
  bool fine = true;
  while (fine && seconds(began) < duration) {
    const auto n = capture->poll(10, [&](const packet::Packet& p) { decoder.decode(p); });
    fine = n.ok();
    if (fine) seen += *n;
  }
  const double took = seconds(began), spent = cpu_s() - cpu;
  stop = true;
  sender.join();
  if (!fine || seen == 0 || decoder.counters().dns != seen) {
    std::fprintf(stderr, "%s: %lu packets delivered, %lu of them read\n", what, seen, decoder.counters().dns);
    return false;
  }
  std::printf("%s\t%.3f\t%.3f\t%.0f\t%s\n", what, static_cast<double>(seen) / took / 1e6,
              static_cast<double>(sent) / took / 1e6, spent / static_cast<double>(seen) * 1e9, capture->mode());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const double duration = argc > 1 ? std::atof(argv[1]) : 3;
  if (::unshare(CLONE_NEWNET) != 0 ||
      std::system("ip link add tap0 type veth peer name far0 && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && "
                  "ip link set far0 up && ip link set tap0 up") != 0) {
    std::fprintf(stderr, "needs root and network namespaces\n");
    return 3;
  }
  on_core(1);
  return measure("TPACKET_V3", false, duration) && measure("AF_XDP", true, duration) ? 0 : 1;
}
