#include "enforce/self.h"

#include <cstring>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include "base/bytes.h"

namespace entente::enforce {

namespace {

std::vector<std::string> words(std::string_view line) {
  std::vector<std::string> out;
  while (true) {
    const size_t from = line.find_first_not_of(" \t\r");
    if (from == std::string_view::npos) return out;
    line.remove_prefix(from);
    const size_t end = line.find_first_of(" \t\r");
    out.emplace_back(line.substr(0, end));
    line.remove_prefix(end == std::string_view::npos ? line.size() : end);
  }
}

template <class Fn>
void each_line(std::string_view text, Fn fn) {
  while (!text.empty()) {
    const size_t eol = text.find('\n');
    fn(words(text.substr(0, eol)));
    text.remove_prefix(eol == std::string_view::npos ? text.size() : eol + 1);
  }
}

}  // namespace

std::vector<Surrounding> gateways4(std::string_view text) {
  std::vector<Surrounding> out;
  each_line(text, [&](const std::vector<std::string>& w) {
    // Iface Destination Gateway …: addresses as the hex of the machine's own byte order.
    if (w.size() < 3 || w[2] == "00000000") return;
    const auto bytes = unhex(w[2]);
    if (!bytes.ok() || bytes->size() != 4) return;
    Prefix p;
    for (size_t i = 0; i < 4; ++i) p.bytes[i] = static_cast<uint8_t>((*bytes)[3 - i]);
    p.bits = 32;
    out.push_back({p, "gateway"});
  });
  return out;
}

std::vector<Surrounding> gateways6(std::string_view text) {
  std::vector<Surrounding> out;
  each_line(text, [&](const std::vector<std::string>& w) {
    // destination length source length next-hop metric …
    if (w.size() < 5) return;
    const auto bytes = unhex(w[4]);
    if (!bytes.ok() || bytes->size() != 16 || *bytes == std::string(16, '\0')) return;
    Prefix p;
    p.v6 = true;
    std::memcpy(p.bytes.data(), bytes->data(), 16);
    p.bits = 128;
    out.push_back({p, "gateway"});
  });
  return out;
}

std::vector<Surrounding> resolvers(std::string_view text) {
  std::vector<Surrounding> out;
  each_line(text, [&](const std::vector<std::string>& w) {
    if (w.size() < 2 || w[0] != "nameserver") return;
    const auto prefix = parse_prefix(std::string_view(w[1]).substr(0, w[1].find('%')));
    if (prefix.ok() && prefix->single()) out.push_back({*prefix, "resolver"});
  });
  return out;
}

std::vector<Surrounding> surroundings(Files& files) {
  std::vector<Surrounding> out;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) == 0) {
    for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
      if (i->ifa_addr == nullptr) continue;
      char text[INET6_ADDRSTRLEN] = {};
      if (i->ifa_addr->sa_family == AF_INET) {
        sockaddr_in a{};
        std::memcpy(&a, i->ifa_addr, sizeof a);
        inet_ntop(AF_INET, &a.sin_addr, text, sizeof text);
      } else if (i->ifa_addr->sa_family == AF_INET6) {
        sockaddr_in6 a{};
        std::memcpy(&a, i->ifa_addr, sizeof a);
        inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof text);
      } else {
        continue;
      }
      if (auto prefix = parse_prefix(text); prefix.ok())
        out.push_back({*prefix, std::string("own address (") + i->ifa_name + ")"});
    }
    freeifaddrs(list);
  }
  const auto add = [&](const char* path, auto parse) {
    const auto text = files.read(path);
    if (!text.ok()) return;
    for (Surrounding& s : parse(*text)) out.push_back(std::move(s));
  };
  add("/proc/net/route", gateways4);
  add("/proc/net/ipv6_route", gateways6);
  add("/etc/resolv.conf", resolvers);
  return out;
}

}  // namespace entente::enforce
