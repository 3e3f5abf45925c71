// Against the real kernel: a network and a bpf file system of the test's own.
#include "enforce/xdp.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <random>
#include <thread>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sys/mount.h>

#include "enforce/test_namespace.h"

namespace entente::enforce {
namespace {

Time now() { return SystemClock().now(); }
Element drop(const std::string& target, int64_t ms = 60'000) {
  return {*parse_prefix(target), true, now().plus_us(ms * 1000)};
}
Element watch(const std::string& target, int64_t ms = 60'000) {
  return {*parse_prefix(target), false, now().plus_us(ms * 1000)};
}
void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

constexpr const char* kPins = "/sys/fs/bpf/entente_test";

// The body runs in a forked child that has two network namespaces and sees an empty bpf file system.
void in_own_kernel(const std::function<void(TestNet&)>& body) {
  const int code = in_namespace([&](TestNet& net) {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return kNoNamespace;
    // TestNet's namespaces were named by /proc, which stays.
    if (mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) != 0) return kNoNamespace;
    body(net);
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  if (code == kNoNamespace) GTEST_SKIP() << "network namespaces or a bpf file system are not permitted here";
  EXPECT_EQ(code, 0);
}

XdpOptions options(size_t capacity = 1000) {
  XdpOptions o;
  o.interfaces = {"here0"};
  o.pin_dir = kPins;
  o.capacity = capacity;
  o.range_capacity = 100;
  o.allow_capacity = 1000;
  return o;
}

std::unique_ptr<XdpEnforcer> opened(const XdpOptions& o) {
  auto xdp = XdpEnforcer::open(o);
  EXPECT_TRUE(xdp.ok()) << xdp.error().text();
  return xdp.ok() ? std::move(*xdp) : nullptr;
}

struct Wire {
  int here, there;
  explicit Wire(TestNet& net) : here(TestNet::udp("10.77.0.1", 4000)), there(net.udp_there("10.77.0.2", 4000)) {
    bool ready = false;  // the neighbours have to find each other first
    for (int i = 0; i < 20 && !ready; ++i) ready = in("hello");
    EXPECT_TRUE(ready);
  }
  bool in(const std::string& text) const {
    if (!TestNet::send(there, "10.77.0.1", 4000, text)) return false;
    while (true) {
      const std::string received = TestNet::receive(here);
      if (received == text) return true;
      if (received.empty()) return false;
    }
  }
};

uint64_t packets(XdpEnforcer& xdp, const std::string& target) {
  const auto hits = xdp.hits();
  EXPECT_TRUE(hits.ok());
  for (const Hits& h : *hits) {
    if (h.prefix == *parse_prefix(target)) return h.packets;
  }
  return UINT64_MAX;
}

TEST(Xdp, drops_natively_counts_and_lets_go) {
  in_own_kernel([](TestNet& net) {
    const Wire wire(net);
    const auto xdp = opened(options());
    ASSERT_NE(xdp, nullptr);
    ASSERT_TRUE(xdp->start({}, {}, now()).ok());
    EXPECT_EQ(xdp->detail(), "here0 native");
    EXPECT_TRUE(wire.in("before"));
    ASSERT_TRUE(xdp->apply({{drop("10.77.0.2")}, {}}, now()).ok());
    EXPECT_FALSE(wire.in("blocked"));
    EXPECT_GE(packets(*xdp, "10.77.0.2"), 1u);
    EXPECT_EQ(xdp->totals()->dropped_packets, packets(*xdp, "10.77.0.2"));
    // A renewal goes on counting.
    const uint64_t before = packets(*xdp, "10.77.0.2");
    ASSERT_TRUE(xdp->apply({{drop("10.77.0.2", 90'000)}, {}}, now()).ok());
    EXPECT_EQ(packets(*xdp, "10.77.0.2"), before);
    ASSERT_TRUE(xdp->apply({{}, {drop("10.77.0.2"), drop("10.77.0.99")}}, now()).ok());
    EXPECT_TRUE(wire.in("after"));
    EXPECT_EQ(packets(*xdp, "10.77.0.2"), UINT64_MAX);
  });
}

TEST(Xdp, shadow_counts_and_drops_nothing_and_turns_into_a_drop_in_one_step) {
  in_own_kernel([](TestNet& net) {
    const Wire wire(net);
    const auto xdp = opened(options());
    ASSERT_NE(xdp, nullptr);
    ASSERT_TRUE(xdp->start({}, {watch("10.77.0.2"), watch("10.77.0.0/24")}, now()).ok());
    EXPECT_TRUE(wire.in("one"));
    EXPECT_EQ(packets(*xdp, "10.77.0.2"), 1u);
    EXPECT_EQ(xdp->totals()->dropped_packets, 0u);
    EXPECT_GE(xdp->totals()->shadow_packets, 1u);
    ASSERT_TRUE(xdp->apply({{drop("10.77.0.2")}, {watch("10.77.0.2")}}, now()).ok());
    EXPECT_EQ(packets(*xdp, "10.77.0.2"), 0u) << "what was only counted is no block";
    EXPECT_FALSE(wire.in("two"));
  });
}

TEST(Xdp, an_end_needs_nobody_and_a_range_ends_with_the_last_that_covers_it) {
  in_own_kernel([](TestNet& net) {
    const Wire wire(net);
    const auto xdp = opened(options());
    ASSERT_NE(xdp, nullptr);
    ASSERT_TRUE(xdp->start({}, {drop("10.77.0.2", 300)}, now()).ok());
    EXPECT_FALSE(wire.in("blocked"));  // waits 400 ms for it
    EXPECT_TRUE(wire.in("ended by itself"));
    // The narrow range ends first; the wide one around it still holds, though the kernel asks the narrow one only.
    ASSERT_TRUE(xdp->start({}, {drop("10.77.0.2/31", 300), drop("10.77.0.0/24", 2000)}, now()).ok());
    sleep_ms(400);
    EXPECT_FALSE(wire.in("still blocked"));
    sleep_ms(1300);
    EXPECT_TRUE(wire.in("all over"));
  });
}

// Safety rule 3: fail open to the last good set, until the deadline.
TEST(Xdp, everything_passes_when_the_sensor_stays_away) {
  in_own_kernel([](TestNet& net) {
    const Wire wire(net);
    XdpOptions o = options();
    o.hold_us = 800'000;
    auto xdp = opened(o);
    ASSERT_NE(xdp, nullptr);
    ASSERT_TRUE(xdp->start({}, {drop("10.77.0.2"), drop("10.77.0.0/24")}, now()).ok());
    EXPECT_FALSE(wire.in("blocked"));
    sleep_ms(500);
    ASSERT_TRUE(xdp->alive().ok());
    EXPECT_FALSE(wire.in("still here"));
    sleep_ms(600);
    EXPECT_TRUE(wire.in("the deadline is past"));
    EXPECT_GE(xdp->totals()->open_packets, 1u);
    ASSERT_TRUE(xdp->alive().ok());
    EXPECT_FALSE(wire.in("back again"));
    xdp.reset();  // dies
    EXPECT_FALSE(wire.in("holds what it had"));
    sleep_ms(600);
    EXPECT_TRUE(wire.in("but not for ever"));
  });
}

TEST(Xdp, what_it_holds_survives_a_restart_with_its_counts) {
  in_own_kernel([](TestNet& net) {
    const Wire wire(net);
    auto xdp = opened(options());
    ASSERT_NE(xdp, nullptr);
    ASSERT_TRUE(
        xdp->start({*parse_prefix("10.77.0.1")}, {drop("10.77.0.2"), drop("10.77.0.9"), drop("fd77::9")}, now()).ok());
    EXPECT_FALSE(wire.in("one"));
    const uint64_t counted = packets(*xdp, "10.77.0.2");
    xdp.reset();
    EXPECT_FALSE(wire.in("two"));
    xdp = opened(options());
    ASSERT_NE(xdp, nullptr);
    EXPECT_FALSE(wire.in("three")) << "opening changes nothing";
    ASSERT_TRUE(xdp->start({}, {drop("10.77.0.2"), drop("10.77.0.0/30")}, now()).ok());
    EXPECT_EQ(packets(*xdp, "10.77.0.2"), counted + 2);
    EXPECT_EQ(packets(*xdp, "10.77.0.9"), UINT64_MAX) << "what nobody wants any more is gone";
    EXPECT_EQ(packets(*xdp, "fd77::9"), UINT64_MAX);
    EXPECT_EQ(packets(*xdp, "10.77.0.0/30"), 0u);
    ASSERT_TRUE(xdp->clear().ok());
    EXPECT_TRUE(std::filesystem::is_empty(kPins));
    EXPECT_TRUE(wire.in("no trace")) << xdp->detail();
    EXPECT_EQ(xdp->detail(), "here0 not attached");
  });
}

// An upgrade that needs other maps (here: of another size): from the first packet to the last, none slips through.
TEST(Xdp, an_upgrade_in_place_has_no_gap) {
  in_own_kernel([](TestNet& net) {
    const Wire wire(net);
    auto xdp = opened(options(1000));
    ASSERT_NE(xdp, nullptr);
    ASSERT_TRUE(xdp->start({}, {drop("10.77.0.2")}, now()).ok());
    EXPECT_FALSE(wire.in("blocked"));
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> sent{0};
    std::thread sender([&] {
      while (!stop) {
        if (TestNet::send(wire.there, "10.77.0.1", 4000, "flood")) ++sent;
      }
    });
    for (size_t i = 0; i < 10; ++i) {
      xdp.reset();
      xdp = opened(options(2000 + i));
      ASSERT_NE(xdp, nullptr);
      ASSERT_TRUE(xdp->start({}, {drop("10.77.0.2")}, now()).ok());
    }
    stop = true;
    sender.join();
    EXPECT_EQ(TestNet::receive(wire.here), "") << "of " << sent << " sent";
    EXPECT_GT(sent.load(), 1000u);
    EXPECT_EQ(packets(*xdp, "10.77.0.2") > 0, true);
  });
}

TEST(Xdp, a_full_map_is_said_and_costs_only_what_did_not_fit) {
  in_own_kernel([](TestNet& net) {
    const Wire wire(net);
    const auto xdp = opened(options(2));
    ASSERT_NE(xdp, nullptr);
    const auto full = xdp->start({}, {drop("10.77.0.2"), drop("10.77.0.3"), drop("10.77.0.4"), drop("fd77::4")}, now());
    ASSERT_FALSE(full.ok());
    EXPECT_EQ(full.error().kind, ErrorKind::kTooLarge);
    EXPECT_THAT(full.error().what, ::testing::HasSubstr("1 elements did not fit"));
    EXPECT_FALSE(wire.in("blocked")) << "the first that came is in";
    // The reconciler knows the capacity: it leaves out by rank and says what.
    Reconciler reconciler(*xdp);
    reconciler.want(watch("10.77.0.5"));
    for (const char* target : {"10.77.0.2", "10.77.0.3", "10.77.0.4"}) reconciler.want(drop(target));
    EXPECT_TRUE(reconciler.flush({}, now()).ok());
    EXPECT_THAT(reconciler.left_out(), ::testing::ElementsAre(*parse_prefix("10.77.0.4"), *parse_prefix("10.77.0.5")));
    // An allow-list that does not fit changes nothing.
    std::vector<Prefix> long_list;
    for (int i = 0; i < 1001; ++i) long_list.push_back(*parse_prefix(fmt::format("10.{}.{}.0/24", i / 250, i % 250)));
    EXPECT_EQ(xdp->start(long_list, {}, now()).error().kind, ErrorKind::kTooLarge);
    EXPECT_FALSE(wire.in("as before"));
  });
}

TEST(Xdp, generic_mode_where_it_is_asked_for) {
  in_own_kernel([](TestNet& net) {
    const Wire wire(net);
    XdpOptions o = options();
    o.attach = XdpOptions::Attach::kGeneric;
    const auto xdp = opened(o);
    ASSERT_NE(xdp, nullptr);
    ASSERT_TRUE(xdp->start({}, {drop("10.77.0.2")}, now()).ok());
    EXPECT_EQ(xdp->detail(), "here0 generic");
    EXPECT_FALSE(wire.in("blocked"));
  });
}

TEST(Xdp, says_what_is_wrong) {
  in_own_kernel([](TestNet&) {
    XdpOptions o = options();
    o.interfaces = {"nowhere0"};
    EXPECT_EQ(XdpEnforcer::open(o).error().kind, ErrorKind::kNotFound);
    o = options();
    o.pin_dir = "/tmp/entente_no_bpffs";
    EXPECT_EQ(XdpEnforcer::open(o).error().kind, ErrorKind::kInvalid);
    std::filesystem::remove_all(o.pin_dir);
    // Somebody else's program is not pushed away.
    {
      const auto first = opened(options());
      ASSERT_NE(first, nullptr);
      ASSERT_TRUE(first->start({}, {}, now()).ok());
      o = options();
      o.pin_dir = "/sys/fs/bpf/entente_other";
      const auto second = opened(o);
      ASSERT_NE(second, nullptr);
      const auto status = second->start({}, {}, now());
      ASSERT_FALSE(status.ok());
      EXPECT_EQ(status.error().kind, ErrorKind::kConflict) << status.error().text();
    }
  });
}

// ---- verdicts on any packet, beside an oracle that knows nothing of the program

struct Frame {
  std::string octets;
  Frame(const Prefix& src, const Prefix& dst, int tags) {
    octets.assign(12, '\x02');
    for (int i = 0; i < tags; ++i)
      octets += i == 0 && tags == 2 ? std::string("\x88\xa8\0\x05", 4) : std::string("\x81\0\0\x07", 4);
    if (src.v6) {
      octets += std::string("\x86\xdd\x60\0\0\0\0\x08\x11\x40", 10);
    } else {
      octets += std::string("\x08\0\x45\0\0\x1c\0\0\0\0\x40\x11\0\0", 14);
    }
    for (const Prefix* p : {&src, &dst}) octets.append(reinterpret_cast<const char*>(p->bytes.data()), p->v6 ? 16 : 4);
    octets += "12345678";
  }
};

int program_fd() {
  bpf_xdp_query_opts query{};
  query.sz = sizeof query;
  if (bpf_xdp_query(static_cast<int>(if_nametoindex("here0")), 0, &query) != 0) return -1;
  return bpf_prog_get_fd_by_id(query.prog_id);
}

int verdict(int fd, const std::string& frame) {
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(), .data_size_in = static_cast<uint32_t>(frame.size()),
              .repeat = 1);
  return bpf_prog_test_run_opts(fd, &run) == 0 ? static_cast<int>(run.retval) : -1;
}

TEST(Xdp, agrees_with_an_oracle_on_any_packet) {
  in_own_kernel([](TestNet&) {
    std::mt19937 random(7);
    const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    // Few addresses, so that everything meets everything.
    const auto address = [&](bool v6) {
      return *parse_prefix(v6 ? fmt::format("fd00::{:x}", below(64)) : fmt::format("198.51.100.{}", below(64)));
    };
    const auto range = [&](bool v6) {
      Prefix p = address(v6);
      return p.widened(static_cast<uint8_t>(p.width() - 1 - below(5)));
    };
    size_t dropped = 0, passed = 0;
    for (int round = 0; round < 20; ++round) {
      const auto xdp = opened(options());
      ASSERT_NE(xdp, nullptr);
      std::map<Prefix, Element> elements;
      std::vector<Prefix> allow;
      for (int i = 0; i < 30; ++i) {
        const bool v6 = below(2) == 1;
        const Prefix p = below(3) == 0 ? range(v6) : address(v6);
        elements[p] = {p, below(2) == 0, now().plus_us(below(5) == 0 ? -1 : 60'000'000)};
      }
      for (int i = 0; i < 8; ++i) allow.push_back(below(2) == 0 ? range(below(2) == 1) : address(below(2) == 1));
      std::vector<Element> list;
      for (const auto& [p, e] : elements) list.push_back(e);
      // The second half comes as a change.
      const auto half = list.begin() + static_cast<std::ptrdiff_t>(list.size() / 2);
      const auto started = xdp->start(allow, {list.begin(), half}, now());
      ASSERT_TRUE(started.ok()) << started.error().text();
      ASSERT_TRUE(xdp->apply({{half, list.end()}, {}}, now()).ok());
      const int fd = program_fd();
      ASSERT_GE(fd, 0);
      const auto blocked = [&](const Prefix& a) {
        for (const Prefix& p : allow) {
          if (p.contains(a)) return false;
        }
        for (const Element& e : list) {
          if (e.drop && e.end > now() && e.prefix.contains(a)) return true;
        }
        return false;
      };
      for (int i = 0; i < 300; ++i) {
        const bool v6 = below(2) == 1;
        const Prefix src = address(v6);
        const Prefix dst = address(v6);
        const Frame frame(src, dst, static_cast<int>(below(3)));
        const bool expected = blocked(src) || blocked(dst);
        ASSERT_EQ(verdict(fd, frame.octets), expected ? 1 : 2) << src.text() << " -> " << dst.text();
        ++(expected ? dropped : passed);
        // Cut anywhere inside the headers it passes: nothing is dropped for want of understanding.
        const size_t headers = frame.octets.size() - 8;
        if (i % 30 == 0) {
          for (size_t cut = 14; cut < headers; ++cut) ASSERT_EQ(verdict(fd, frame.octets.substr(0, cut)), 2) << cut;
        }
      }
      close(fd);
      ASSERT_TRUE(xdp->clear().ok());
    }
    EXPECT_GT(dropped, 1000u);
    EXPECT_GT(passed, 1000u);
  });
}

}  // namespace
}  // namespace entente::enforce
