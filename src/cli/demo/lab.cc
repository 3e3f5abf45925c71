#include "cli/demo/lab.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/demo/children.h"
#include "json/json.h"

namespace entente::cli::demo {

namespace {

Error refused(const std::string& what, int code) {
  return make_error(ErrorKind::kDenied, what + ": " + std::strerror(code), {},
                    "run as root, or allow unprivileged user namespaces (kernel.unprivileged_userns_clone)");
}

bool write_file(const char* path, const std::string& text) {
  std::ofstream f(path);
  f << text;
  f.flush();
  return f.good();
}

// Into a network of our own; without root through a user namespace in which we are root.
Status leave_the_machines_network() {
  const unsigned uid = geteuid();
  const unsigned gid = getegid();
  if (unshare(CLONE_NEWNET) == 0) return {};
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return refused("network namespaces are not permitted here", errno);
  // user_namespaces(7): groups can be mapped only after setgroups was given up.
  const bool mapped = write_file("/proc/self/setgroups", "deny") &&
                      write_file("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1") &&
                      write_file("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
  if (!mapped) return refused("user namespaces are not permitted here", EPERM);
  return {};
}

Result<int> new_network() {
  int fd = -1;
  int code = 0;
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0) {
      code = errno;
      return;
    }
    fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    code = errno;
  }).join();
  if (fd < 0) return refused("no network namespace", code);
  return fd;
}

Status ip(int network, const std::string& commands) {
  const std::string program = find_program("ip");
  if (program.empty()) {
    return make_error(ErrorKind::kDenied, "the program ip is not installed", {}, "install the package iproute2");
  }
  TRY(const Ran ran, run_program({program, "-batch", "-"}, network, commands));
  if (ran.status == 0) return {};
  return make_error(ErrorKind::kDenied, "the network could not be set up: " + printable(ran.err, 200));
}

}  // namespace

bool Lab::in(int network, const std::function<void()>& fn) {
  bool entered = false;
  std::thread([&] {
    if (setns(network, CLONE_NEWNET) != 0) return;
    entered = true;
    fn();
  }).join();
  return entered;
}

// Tried in a child first: a process that has gone into a namespace may have no way back.
Status Lab::rehearse() {
  std::array<int, 2> channel{-1, -1};
  if (pipe2(channel.data(), O_CLOEXEC) != 0) return refused("no pipe", errno);
  const int child = fork();
  if (child == 0) {
    close(channel[0]);
    Lab lab;
    Status s = leave_the_machines_network();
    if (s.ok()) s = lab.wire();
    const std::string text = s.ok() ? std::string() : s.error().what + "\n" + s.error().remedy;
    _exit(write(channel[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) && text.empty() ? 0 : 1);
  }
  close(channel[1]);
  std::string text;
  std::array<char, 1024> buffer{};
  for (ssize_t n = 0; (n = read(channel[0], buffer.data(), buffer.size())) != 0;) {
    if (n > 0) text.append(buffer.data(), static_cast<size_t>(n));
    if (n < 0 && errno != EINTR) break;
  }
  close(channel[0]);
  int status = 0;
  if (child > 0) {
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const size_t eol = text.find('\n');
  return make_error(ErrorKind::kDenied, text.empty() ? "network namespaces cannot be made" : text.substr(0, eol), {},
                    eol == std::string::npos ? "" : text.substr(eol + 1));
}

Result<std::unique_ptr<Lab>> Lab::make() {
  CHECK_OK(rehearse());
  std::unique_ptr<Lab> lab(new Lab());
  CHECK_OK(leave_the_machines_network());
  CHECK_OK(lab->wire());
  return lab;
}

Lab::~Lab() {
  for (const int fd : {client_, gateway_, server_}) {
    if (fd >= 0) close(fd);
  }
}

Status Lab::wire() {
  TRY(client_, new_network());
  TRY(gateway_, new_network());
  TRY(server_, new_network());
  const std::string fds = "/proc/" + std::to_string(getpid()) + "/fd/";
  const std::string client = fds + std::to_string(client_);
  const std::string gateway = fds + std::to_string(gateway_);
  const std::string server = fds + std::to_string(server_);
  // The cables are made here and one or both ends are carried to where they belong.
  CHECK_OK(ip(-1,
              "link set lo up\n"
              "link add office type veth peer name uplink\n"
              "link set uplink netns " +
                  gateway +
                  "\n"
                  "link add lan type veth peer name eth0\n"
                  "link set lan netns " +
                  gateway +
                  "\n"
                  "link set eth0 netns " +
                  client +
                  "\n"
                  "link add wan type veth peer name eth0\n"
                  "link set wan netns " +
                  gateway +
                  "\n"
                  "link set eth0 netns " +
                  server +
                  "\n"
                  "addr add 192.0.2.1/30 dev office\n"
                  "link set office up\n"));
  CHECK_OK(ip(gateway_,
              "link set lo up\n"
              "addr add 192.0.2.2/30 dev uplink\n"
              "addr add 198.51.100.1/24 dev lan\n"
              "addr add 2001:db8:1::1/64 dev lan nodad\n"
              "addr add 192.0.2.5/30 dev wan\n"
              "addr add 2001:db8:ff::1/64 dev wan nodad\n"
              "link set uplink up\n"
              "link set lan up\n"
              "link set wan up\n"
              "route add 203.0.113.0/24 via 192.0.2.6\n"
              "route add 2001:db8:2::/64 via 2001:db8:ff::2\n"));
  CHECK_OK(ip(client_,
              "link set lo up\n"
              "addr add 198.51.100.10/24 dev eth0\n"
              "addr add 2001:db8:1::10/64 dev eth0 nodad\n"
              "link set eth0 up\n"
              "route add default via 198.51.100.1\n"
              "route add default via 2001:db8:1::1\n"));
  // Every address of the range is this machine.
  CHECK_OK(ip(server_,
              "link set lo up\n"
              "addr add 192.0.2.6/30 dev eth0\n"
              "addr add 2001:db8:ff::2/64 dev eth0 nodad\n"
              "link set eth0 up\n"
              "route add default via 192.0.2.5\n"
              "route add default via 2001:db8:ff::1\n"
              "route add local 203.0.113.0/24 dev lo\n"
              "route add local 2001:db8:2::/64 dev lo\n"));
  bool forwarding = false;
  in(gateway_, [&] {
    forwarding =
        write_file("/proc/sys/net/ipv4/ip_forward", "1") && write_file("/proc/sys/net/ipv6/conf/all/forwarding", "1");
  });
  if (!forwarding) return refused("the gateway may not forward packets (/proc/sys is read-only?)", EPERM);
  return {};
}

Result<std::string> Lab::table() const {
  const std::string program = find_program("nft");
  if (program.empty()) {
    return make_error(ErrorKind::kNotFound, "the program nft is not installed", {}, "install the package nftables");
  }
  TRY(const Ran ran, run_program({program, "-j", "list", "table", "inet", "entente"}, gateway_));
  return ran.status == 0 ? ran.out : std::string();
}

Result<uint64_t> Lab::dropped_packets() const {
  TRY(const std::string text, table());
  if (text.empty()) return uint64_t{0};
  TRY(const json::Document doc, json::parse(text));
  if (const auto all = json::find_array(doc.root(), "nftables")) {
    for (const json::Value v : *all) {
      const auto counter = json::find(v, "counter");
      if (counter && json::find_string(*counter, "name") == "dropped") {
        return static_cast<uint64_t>(json::find_int(*counter, "packets").value_or(0));
      }
    }
  }
  return make_error(ErrorKind::kInternal, "the sensor's table has no counter \"dropped\"");
}

Result<bool> Lab::blocked(const std::string& address) const {
  TRY(const std::string text, table());
  if (text.empty()) return false;
  TRY(const json::Document doc, json::parse(text));
  if (const auto all = json::find_array(doc.root(), "nftables")) {
    for (const json::Value v : *all) {
      const auto set = json::find(v, "set");
      if (!set || !json::find_string(*set, "name").value_or("").starts_with("block")) continue;
      const auto elements = json::find_array(*set, "elem");
      if (!elements) continue;
      for (const json::Value e : *elements) {
        std::string_view plain;
        if (e.get_string().get(plain) == simdjson::SUCCESS && plain == address) return true;
        const auto inner = json::find(e, "elem");
        if (inner && json::find_string(*inner, "val") == address) return true;
      }
    }
  }
  return false;
}

}  // namespace entente::cli::demo
