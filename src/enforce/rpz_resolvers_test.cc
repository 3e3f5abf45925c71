// The zone at real resolvers (BIND 9 with TSIG, Unbound, Knot Resolver with the file), in a network of the test's own.
// A name that is blocked ceases to resolve within half a second, though an upstream server answers for every name.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/bytes.h"
#include "base/files.h"
#include "enforce/internal/dns_message.h"
#include "enforce/rpz.h"
#include "enforce/test_namespace.h"

namespace entente::enforce {
namespace {

namespace fs = std::filesystem;

constexpr int kFound = 0, kNxdomain = 3, kSilent = -1;

Time now() { return SystemClock().now(); }
Time later() { return now().plus_us(60'000'000); }

// The answer code of the resolver at 127.0.0.1:port.
int rcode(uint16_t port, const std::string& host) {
  std::string q("\x12\x34\x01\0\0\1\0\0\0\0\0\0", 12);
  q += internal::wire_name(host) + std::string("\0\1\0\1", 4);
  const int fd = TestNet::udp("127.0.0.1", 0);
  const bool sent = TestNet::send(fd, "127.0.0.1", port, q);
  const std::string answer = sent ? TestNet::receive(fd) : std::string();
  close(fd);
  return answer.size() < 12 ? kSilent : answer[3] & 15;
}

template <class Fn>
bool within(int ms, Fn&& fn) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  while (!fn()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class Resolver {
 public:
  Resolver(const fs::path& folder, const std::string& program, const std::vector<std::string>& arguments)
      : pid_(fork()) {
    if (pid_ != 0) return;
    const int log = open((folder / "log").c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    dup2(log, 1);
    dup2(log, 2);
    if (chdir(folder.c_str()) != 0) _exit(127);
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  ~Resolver() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

 private:
  pid_t pid_;
};

// Has an address for every name.
class Upstream {
 public:
  Upstream() : fd_(TestNet::udp("127.0.0.1", 5398)), thread_([this] { run(); }) {}
  ~Upstream() {
    stop_ = true;
    thread_.join();
    close(fd_);
  }
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

 private:
  void run() const {
    while (!stop_) {
      char buffer[2048];
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      const ssize_t n = recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&peer), &size);
      if (n < 17) continue;
      std::string q(buffer, static_cast<size_t>(n));
      size_t end = 12;
      while (end < q.size() && q[end] != 0) end += 1u + static_cast<uint8_t>(q[end]);
      std::string a = q.substr(0, 2) + std::string("\x81\x80\0\1\0\1\0\0\0\0", 10) + q.substr(12, end + 5 - 12) +
                      std::string("\xc0\x0c\0\1\0\1\0\0\0\x01\0\4\xc0\0\2\1", 16);
      if (a[end + 2] != 1) {
        a[7] = 0;
        a.resize(end + 5);
      }  // no other type than A
      (void)!sendto(fd_, a.data(), a.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
    }
  }
  int fd_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

struct Folder {
  fs::path path;
  Folder() {
    char name[] = "/tmp/entente-rpz-XXXXXX";
    path = mkdtemp(name);
    // Resolvers that drop their rights go on reading and writing here.
    fs::permissions(path, fs::perms::all);
  }
  ~Folder() { fs::remove_all(path); }
  void put(const std::string& file, const std::string& text) const { std::ofstream(path / file) << text; }
  [[nodiscard]] std::string log() const {
    std::ifstream in(path / "log");
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

RpzOptions options() {
  RpzOptions o;
  o.zone = "rpz.test";
  o.listen = "127.0.0.1:5399";
  return o;
}

// Blocks and lets go, and says how long it took. Requires: `rpz` holds "first.example", the resolver runs.
void follow(Rpz& rpz, uint16_t port, const Folder& folder, const char* what, int limit_ms) {
  ASSERT_TRUE(within(20'000, [&] { return rcode(port, "first.example") == kNxdomain; })) << folder.log();
  EXPECT_EQ(rcode(port, "www.first.example"), kFound) << "only the name itself was named";
  EXPECT_EQ(rcode(port, "innocent.example"), kFound);
  const auto block = [&](const std::string& target, const std::string& asked) {
    EXPECT_EQ(rcode(port, asked), kFound) << asked;
    const auto began = std::chrono::steady_clock::now();
    rpz.want(*parse_target(target), true, later());
    ASSERT_TRUE(rpz.flush(now()).ok());
    EXPECT_TRUE(within(limit_ms, [&] { return rcode(port, asked) == kNxdomain; })) << asked << "\n" << folder.log();
    printf("  %s: %s blocked after %.0f ms\n", what, target.c_str(),
           std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count());
  };
  for (int i = 0; i < 5; ++i) block(fmt::format("second{}.example", i), fmt::format("second{}.example", i));
  block("*.tree.example", "deep.below.tree.example");
  EXPECT_EQ(rcode(port, "tree.example"), kNxdomain);
  // The lease ends: the name leaves.
  rpz.unwant(*parse_target("second0.example"));
  ASSERT_TRUE(rpz.flush(now()).ok());
  EXPECT_TRUE(within(8000, [&] { return rcode(port, "second0.example") == kFound; })) << folder.log();
  EXPECT_EQ(rcode(port, "second1.example"), kNxdomain);
}

#define IN_NAMESPACE(body)                                                                                   \
  const int code = in_namespace([&](TestNet&) {                                                              \
    body();                                                                                                  \
    return ::testing::Test::HasFailure() ? 1 : 0;                                                            \
  });                                                                                                        \
  if (code == kNoNamespace) GTEST_SKIP() << "network namespaces are not permitted here (needs root and ip)"; \
  EXPECT_EQ(code, 0)

TEST(RpzResolvers, bind_follows_signed_increments) {
  if (!fs::exists("/usr/sbin/named")) GTEST_SKIP() << "BIND 9 is not installed: tools/setup test";
  const auto body = [] {
    const Folder folder;
    const Upstream upstream;
    PosixFiles files;
    RpzOptions o = options();
    o.secondaries = {"127.0.0.1:5301"};
    o.key_name = "key.entente";
    o.key_secret = std::string(32, 'k');
    auto rpz = Rpz::start(o, files, nullptr);
    ASSERT_TRUE(rpz.ok()) << rpz.error().text();
    (*rpz)->want(*parse_target("first.example"), true, later());
    // Enough for a transfer of several messages, of which BIND checks each signature.
    for (int i = 0; i < 3000; ++i) (*rpz)->want(*parse_target(fmt::format("n{}.example", i)), true, later());
    ASSERT_TRUE((*rpz)->flush(now()).ok());
    const std::string home = folder.path.string();
    folder.put("named.conf", fmt::format(R"(
key "key.entente" {{ algorithm hmac-sha256; secret "{0}"; }};
options {{
  directory "{1}"; pid-file none; listen-on port 5301 {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion yes; allow-query {{ any; }}; dnssec-validation no; session-keyfile none; lock-file none;
  empty-zones-enable no; serial-query-rate 1000; forwarders {{ 127.0.0.1 port 5398; }}; forward only;
  response-policy {{ zone "rpz.test"; }} qname-wait-recurse no min-update-interval 0;
}};
zone "rpz.test" {{ type secondary; primaries {{ 127.0.0.1 port 5399 key "key.entente"; }}; file "rpz.db";
  allow-notify {{ key "key.entente"; }}; }};
)",
                                         "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", home));
    const Resolver named(folder.path, "/usr/sbin/named", {"-g", "-n", "1", "-c", home + "/named.conf"});
    follow(**rpz, 5301, folder, "BIND", 500);
    const Rpz::Counters c = (*rpz)->counters();
    EXPECT_GE(c.ixfr, 5u) << folder.log();
    EXPECT_LE(c.axfr, 1u) << "the whole zone goes over once";
  };
  IN_NAMESPACE(body);
}

TEST(RpzResolvers, unbound_follows_increments) {
  if (!fs::exists("/usr/sbin/unbound")) GTEST_SKIP() << "Unbound is not installed: tools/setup test";
  const auto body = [] {
    const Folder folder;
    const Upstream upstream;
    PosixFiles files;
    RpzOptions o = options();
    o.unsigned_secondaries = {"127.0.0.1:5302"};
    auto rpz = Rpz::start(o, files, nullptr);
    ASSERT_TRUE(rpz.ok()) << rpz.error().text();
    (*rpz)->want(*parse_target("first.example"), true, later());
    ASSERT_TRUE((*rpz)->flush(now()).ok());
    const std::string home = folder.path.string();
    folder.put("unbound.conf", fmt::format(R"(
server:
  interface: 127.0.0.1@5302
  do-daemonize: no
  use-syslog: no
  verbosity: 2
  chroot: ""
  username: ""
  directory: "{0}"
  pidfile: "{0}/pid"
  module-config: "respip iterator"
  do-not-query-localhost: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@5398
rpz:
  name: "rpz.test"
  primary: 127.0.0.1@5399
  allow-notify: 127.0.0.1
)",
                                           home));
    const Resolver unbound(folder.path, "/usr/sbin/unbound", {"-d", "-c", home + "/unbound.conf"});
    follow(**rpz, 5302, folder, "Unbound", 500);
  };
  IN_NAMESPACE(body);
}

TEST(RpzResolvers, knot_resolver_reads_the_file) {
  if (!fs::exists("/usr/sbin/kresd")) GTEST_SKIP() << "Knot Resolver is not installed: tools/setup test";
  const auto body = [] {
    const Folder folder;
    const Upstream upstream;
    PosixFiles files;
    RpzOptions o = options();
    o.file = (folder.path / "rpz.zone").string();
    auto rpz = Rpz::start(o, files, nullptr);
    ASSERT_TRUE(rpz.ok()) << rpz.error().text();
    (*rpz)->want(*parse_target("first.example"), true, later());
    (*rpz)->want(*parse_target("*.tree.example"), true, later());
    ASSERT_TRUE((*rpz)->flush(now()).ok());
    folder.put("kresd.conf", fmt::format(R"(
net.listen('127.0.0.1', 5303, {{ kind = 'dns' }})
cache.open(10 * MB, 'lmdb://{0}')
trust_anchors.remove('.')
policy.add(policy.rpz(policy.DENY, '{0}/rpz.zone', false))
policy.add(policy.all(policy.FORWARD('127.0.0.1@5398')))
)",
                                         folder.path.string()));
    const Resolver kresd(folder.path, "/usr/sbin/kresd",
                         {"-n", "-c", (folder.path / "kresd.conf").string(), folder.path.string()});
    ASSERT_TRUE(within(20'000, [&] { return rcode(5303, "first.example") == kNxdomain; })) << folder.log();
    EXPECT_EQ(rcode(5303, "deep.tree.example"), kNxdomain);
    EXPECT_EQ(rcode(5303, "innocent.example"), kFound);
  };
  IN_NAMESPACE(body);
}

}  // namespace
}  // namespace entente::enforce
