// For tests that need a network of their own: two namespaces joined by a veth pair, in a forked child, so that nothing
// of the machine is touched and everything is gone when the child ends. Needs root and `ip`.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace entente::enforce {

// Our side: `here0` 10.77.0.1/24 and fd77::1/64. The other side: `there0` 10.77.0.2/24 and fd77::2/64, further
// addresses by there().
class TestNet {
 public:
  // Requires: a process of its own (see in_namespace), one thread.
  bool setup() {
    if (unshare(CLONE_NEWNET) != 0) return false;
    there_ = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET) != 0) return false;
    here_ = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    const std::string there_path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(there_);
    return here_ >= 0 && there_ >= 0 && shell("ip link set lo up") &&
           shell("ip link add here0 type veth peer name there0") && shell("ip link set there0 netns " + there_path) &&
           shell("ip addr add 10.77.0.1/24 dev here0 && ip addr add fd77::1/64 dev here0 nodad") &&
           shell("ip link set here0 up") &&
           on_other_side(
               "ip link set lo up && ip addr add 10.77.0.2/24 dev there0 && ip addr add fd77::2/64 dev there0 nodad && "
               "ip link set there0 up");
  }
  // One more address of the other side, reachable from here.
  bool there(const std::string& address) {
    return on_other_side("ip addr add " + address + " dev there0") && shell("ip route add " + address + " dev here0");
  }
  static bool shell(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }
  bool on_other_side(const std::string& command) {
    bool ok = false;
    on_other_side([&] { ok = shell(command); });
    return ok;
  }
  // Sockets made inside belong to the other side for good.
  void on_other_side(const std::function<void()>& fn) {
    if (setns(there_, CLONE_NEWNET) != 0) return;
    fn();
    if (setns(here_, CLONE_NEWNET) != 0) std::abort();
  }
  int udp_there(const std::string& address, uint16_t port) {
    int fd = -1;
    on_other_side([&] { fd = udp(address, port); });
    return fd;
  }
  // Bound, with a receive time-out of 400 ms.
  static int udp(const std::string& address, uint16_t port) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const sockaddr_in a = at(address, port);
    const timeval wait{0, 400'000};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0) return -1;
    return bind(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0 ? fd : -1;
  }
  static bool send(int fd, const std::string& to, uint16_t port, const std::string& text) {
    const sockaddr_in a = at(to, port);
    return sendto(fd, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&a), sizeof a) ==
           static_cast<ssize_t>(text.size());
  }
  static std::string receive(int fd) {  // "" after the time-out
    char buffer[2048];
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
  }

 private:
  static sockaddr_in at(const std::string& address, uint16_t port) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    inet_pton(AF_INET, address.c_str(), &a.sin_addr);
    return a;
  }
  int here_ = -1, there_ = -1;
};

inline constexpr int kNoNamespace = 77;

// Runs `body` in a forked child that has a TestNet. Returns what it returned, or kNoNamespace if this machine does not
// permit it.
inline int in_namespace(const std::function<int(TestNet&)>& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    TestNet net;
    const int code = net.setup() ? body(net) : kNoNamespace;
    std::fflush(nullptr);
    _exit(code);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return kNoNamespace;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace entente::enforce
