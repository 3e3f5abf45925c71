#include "packet/capture.h"

#include <chrono>
#include <cstring>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet/compose.h"
#include "packet/internal/recorder.h"

namespace entente::packet {
namespace {

// Runs `body` in a thread inside a network namespace of its own with the loopback interface up; false if the system
// does not allow it.
bool in_namespace(const std::function<void()>& body) {
  bool allowed = false;
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return;
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    allowed = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    if (allowed) body();
  }).join();
  return allowed;
}

void send_dns(const std::string& name, int times) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(53);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string query = compose_dns_query(5, name, DnsType::kA);
  for (int i = 0; i < times; ++i)
    sendto(fd, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
  close(fd);
}

#define SKIP_UNLESS(...) \
  if (!(__VA_ARGS__)) GTEST_SKIP() << "no right to make a network namespace"

TEST(Capture, EveryPacketOfTheInterfaceArrivesOnceWithoutOutgoing) {
  SKIP_UNLESS(in_namespace([] {
    auto capture = Capture::open({.interface = "lo", .ignore_outgoing = true});
    ASSERT_TRUE(capture.ok()) << capture.error().text();
    Recorder sink;
    Decoder decoder(sink);
    send_dns("captured.example", 500);
    for (int i = 0; i < 200 && sink.events.size() < 500; ++i)
      ASSERT_TRUE(capture->poll(50, [&](const Packet& p) { decoder.decode(p); }).ok());
    EXPECT_EQ(sink.events.size(), 500u);
    EXPECT_EQ(sink.events.at(0), "q? captured.example 1");
    EXPECT_EQ(capture->stats().dropped, 0u);
    EXPECT_GE(capture->stats().received, 500u);
    EXPECT_GE(capture->stats().received, 500u);  // totals do not start again
  }));
}

TEST(Capture, ALonePacketIsSeenWithinMilliseconds) {
  SKIP_UNLESS(in_namespace([] {
    auto capture = Capture::open({.interface = "lo", .ignore_outgoing = true});
    ASSERT_TRUE(capture.ok());
    std::vector<double> ms;
    for (int i = 0; i < 20; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(7));
      while (*capture->poll(0, [](const Packet&) {}) > 0) {
      }
      const auto begin = std::chrono::steady_clock::now();
      send_dns("one.example", 1);
      while (*capture->poll(1000, [](const Packet&) {}) == 0) {
      }
      ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }
    std::sort(ms.begin(), ms.end());
    RecordProperty("median_ms", std::to_string(ms[10]));
    printf("lone packet: median %.2f ms, worst %.2f ms\n", ms[10], ms.back());
    EXPECT_LT(ms[10], 50.0);
  }));
}

TEST(Capture, StopEndsRunFromAnotherThreadAndDeliversWhatIsThere) {
  SKIP_UNLESS(in_namespace([] {
    auto capture = Capture::open({.interface = "lo"});
    ASSERT_TRUE(capture.ok());
    uint64_t seen = 0;
    std::thread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      capture->stop();
    });
    send_dns("x.example", 10);
    EXPECT_TRUE(capture->run([&](const Packet&) { ++seen; }).ok());
    stopper.join();
    EXPECT_GE(seen, 20u);                                  // outgoing and incoming
    EXPECT_TRUE(capture->run([](const Packet&) {}).ok());  // remains stopped
  }));
}

TEST(Capture, DropsAreCounted) {
  SKIP_UNLESS(in_namespace([] {
    auto capture = Capture::open({.interface = "lo", .block_bytes = 4096, .blocks = 2});
    ASSERT_TRUE(capture.ok());
    send_dns("flood.example", 2000);
    const auto stats = capture->stats();
    EXPECT_GT(stats.dropped, 1000u);
    EXPECT_GE(stats.received, stats.dropped);
  }));
}

TEST(Capture, LongPacketsAreCutAndKeepTheirLength) {
  SKIP_UNLESS(in_namespace([] {
    auto capture = Capture::open({.interface = "lo", .snaplen = 60, .ignore_outgoing = true});
    ASSERT_TRUE(capture.ok());
    send_dns(std::string(60, 'a') + ".example", 1);
    size_t kept = 0;
    uint32_t length = 0;
    for (int i = 0; i < 100 && kept == 0; ++i)
      ASSERT_TRUE(capture->poll(50, [&](const Packet& p) { kept = p.bytes.size(), length = p.length; }).ok());
    EXPECT_EQ(kept, 60u);
    EXPECT_GT(length, 100u);
  }));
}

TEST(Capture, AnInterfaceThatIsNotThereIsSaidSo) {
  SKIP_UNLESS(in_namespace([] {
    const auto capture = Capture::open({.interface = "nosuch0"});
    ASSERT_FALSE(capture.ok());
    EXPECT_EQ(capture.error().kind, ErrorKind::kNotFound);
    EXPECT_FALSE(capture.error().remedy.empty());
  }));
}

// A veth pair in a namespace: what is sent into one end is received at the other.
bool veth(const char* more = "") {
  return std::system((std::string("ip link add tap0 type veth peer name far0 && ip link set far0 up && "
                                  "ip link set tap0 up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 ") +
                      more + " >/dev/null 2>&1")
                         .c_str()) == 0;
}

// The kernel tells a ring only that its interface is down; whoever looks then still finds it, and is told no more.
TEST(Capture, AnInterfaceThatGoesDownAndThenAwayEndsTheRun) {
  SKIP_UNLESS(in_namespace([] {
    ASSERT_TRUE(veth());
    auto capture = Capture::open({.interface = "tap0"});
    ASSERT_TRUE(capture.ok()) << capture.error().text();
    std::thread away([] { EXPECT_EQ(std::system("ip link set tap0 down && sleep 0.3 && ip link del tap0"), 0); });
    std::jthread deadline([&](const std::stop_token& done) {
      for (int i = 0; i < 50 && !done.stop_requested(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      capture->stop();
    });
    const Status ended = capture->run([](const Packet&) {});
    away.join();
    ASSERT_FALSE(ended.ok()) << "it was not noticed";
    EXPECT_EQ(ended.error().kind, ErrorKind::kUnavailable);
  }));
}

void send_frames(const std::string& frame, int times) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(if_nametoindex("far0"));
  for (int i = 0; i < times; ++i)
    sendto(fd, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
  close(fd);
}

std::string dns_frame(const char* name) {
  return compose_udp(flow("192.0.2.1", 999, "192.0.2.53", 53), compose_dns_query(1, name, DnsType::kA));
}

TEST(AfXdp, TakesWhatTheInterfaceReceives) {
  SKIP_UNLESS(in_namespace([] {
    ASSERT_TRUE(veth());
    auto capture = Capture::open({.interface = "tap0", .af_xdp = true, .snaplen = 60, .promiscuous = true});
    ASSERT_TRUE(capture.ok()) << capture.error().text();
    EXPECT_EQ(std::string(capture->mode()), "af_xdp copy");
    const std::string frame = dns_frame("taken.example");
    size_t seen = 0;
    for (int round = 0; round < 40; ++round) {  // more than all its frames, so that each is given back
      send_frames(frame, 250);
      for (int i = 0; i < 200 && seen < 250u * static_cast<size_t>(round + 1); ++i) {
        const auto n = capture->poll(20, [&](const Packet& p) {
          EXPECT_EQ(p.bytes, std::string_view(frame).substr(0, 60));
          EXPECT_EQ(p.length, frame.size());
          EXPECT_EQ(p.number, ++seen);
          EXPECT_GT(p.time.us, int64_t{1'700'000'000'000'000});
        });
        ASSERT_TRUE(n.ok());
      }
    }
    EXPECT_EQ(seen, 10'000u);
    EXPECT_EQ(capture->stats().dropped, 0u);
    EXPECT_EQ(capture->stats().received, 10'000u);
  }));
}

TEST(AfXdp, LeavesNothingBehindAndLosesAreCounted) {
  SKIP_UNLESS(in_namespace([] {
    ASSERT_TRUE(veth());
    {
      auto capture = Capture::open({.interface = "tap0", .af_xdp = true});
      ASSERT_TRUE(capture.ok()) << capture.error().text();
      send_frames(dns_frame("x.example"), 6000);  // nobody reads
      EXPECT_GT(capture->stats().dropped, 1000u);
    }
    // The stack has the packets again.
    auto ring = Capture::open({.interface = "tap0", .ignore_outgoing = true});
    ASSERT_TRUE(ring.ok());
    send_frames(dns_frame("y.example"), 10);
    uint64_t seen = 0;
    for (int i = 0; i < 50 && seen < 10; ++i) seen += *ring->poll(20, [](const Packet&) {});
    EXPECT_EQ(seen, 10u);
  }));
}

TEST(AfXdp, RefusesWhereItWouldCutTheHostOffOrAnotherProgramIs) {
  SKIP_UNLESS(in_namespace([] {
    ASSERT_TRUE(veth("&& ip addr add 10.9.0.1/24 dev far0"));
    const auto serving = Capture::open({.interface = "far0", .af_xdp = true});
    ASSERT_FALSE(serving.ok());
    EXPECT_EQ(serving.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(serving.error().text().find("mirror ports"), std::string::npos) << serving.error().text();
    const auto first = Capture::open({.interface = "tap0", .af_xdp = true});
    ASSERT_TRUE(first.ok()) << first.error().text();
    const auto second = Capture::open({.interface = "tap0", .af_xdp = true});
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().kind, ErrorKind::kConflict) << second.error().text();
    EXPECT_FALSE(second.error().remedy.empty());
    const auto loopback = Capture::open({.interface = "lo", .af_xdp = true});
    ASSERT_FALSE(loopback.ok());
    EXPECT_EQ(loopback.error().kind, ErrorKind::kUnsupported);
  }));
}

}  // namespace
}  // namespace entente::packet
