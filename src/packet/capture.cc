#include "packet/capture.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <vector>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet/internal/xdp_tap.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

namespace entente::packet {
namespace {

Error system_error(const std::string& what, const std::string& interface) {
  const int e = errno;
  const std::string text = what + ": " + std::strerror(e);
  if (e == EPERM || e == EACCES)
    return make_error(ErrorKind::kDenied, text, interface,
                      "capturing needs CAP_NET_RAW: run as root or give the program that capability");
  if (e == ENODEV || e == ENXIO)
    return make_error(ErrorKind::kNotFound, text, interface,
                      "see `ip link` for the interfaces of this network namespace");
  return make_error(ErrorKind::kIo, text, interface);
}

// What a raw packet socket delivers on an interface of this hardware type.
Result<LinkType> link_of(unsigned hardware, const std::string& interface) {
  switch (hardware) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
      return LinkType::kEthernet;
    case ARPHRD_NONE:
    case ARPHRD_PPP:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_IPGRE:
    case ARPHRD_RAWIP:
      return LinkType::kRaw;
    default:
      return make_error(ErrorKind::kUnsupported,
                        "link layer of hardware type " + std::to_string(hardware) + " is not read", interface,
                        "capture on an Ethernet or IP tunnel interface");
  }
}

}  // namespace

struct Capture::State {
  std::string interface;
  int fd = -1;
  int stop_fd = -1;
  int index = 0;
  uint8_t* ring = nullptr;
  size_t ring_bytes = 0;
  uint32_t block_bytes = 0, blocks = 0, next = 0;
  LinkType link_type = LinkType::kEthernet;
  uint64_t number = 0;
  std::mutex stats_mutex;  // the kernel's counters are zeroed by reading
  CaptureStats total;
  std::unique_ptr<internal::XdpTap> tap;  // in place of the ring
  uint32_t snaplen = 0;
  bool went_down = false;  // the last that was heard of the interface

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (ring != nullptr) ::munmap(ring, ring_bytes);
    if (fd >= 0) ::close(fd);
    if (stop_fd >= 0) ::close(stop_fd);
  }

  template <class T>
  bool set(int option, const T& value) {
    return ::setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0;
  }

  Status open(const CaptureOptions& o) {
    interface = o.interface;
    if (interface.empty() || interface.size() >= IFNAMSIZ)
      return invalid("not an interface name", interface, "see `ip link`");
    const auto page = static_cast<uint32_t>(::sysconf(_SC_PAGESIZE));
    if (o.block_bytes < page || o.block_bytes % page != 0 || o.blocks == 0)
      return invalid("ring blocks must be whole pages", interface, "use a multiple of " + std::to_string(page));

    // Protocol 0: nothing is received before the ring is there and the socket is bound to the one interface.
    fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) return system_error("cannot open a packet socket", interface);
    stop_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop_fd < 0) return system_error("cannot make an event descriptor", interface);

    ifreq request{};
    std::memcpy(request.ifr_name, interface.data(), interface.size());
    if (::ioctl(fd, SIOCGIFINDEX, &request) != 0) return system_error("no such interface", interface);
    index = request.ifr_ifindex;
    if (::ioctl(fd, SIOCGIFHWADDR, &request) != 0) return system_error("cannot ask for the link layer", interface);
    TRY(link_type, link_of(request.ifr_hwaddr.sa_family, interface));

    if (o.af_xdp) return tap_of(o);
    CHECK_OK(make_ring(o));
    if (o.ignore_outgoing && !set(PACKET_IGNORE_OUTGOING, 1))
      return system_error("cannot leave out outgoing packets", interface);
    sock_filter cut = BPF_STMT(BPF_RET | BPF_K, o.snaplen);
    const sock_fprog program{.len = 1, .filter = &cut};
    if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
      return system_error("cannot set the capture length", interface);

    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = index;
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return system_error("cannot listen", interface);
    return o.promiscuous ? promiscuous() : Status();
  }

  Status promiscuous() {
    packet_mreq m{};
    m.mr_ifindex = index;
    m.mr_type = PACKET_MR_PROMISC;
    if (!set(PACKET_ADD_MEMBERSHIP, m)) return system_error("cannot switch to promiscuous mode", interface);
    return {};
  }

  Status tap_of(const CaptureOptions& o) {
    if (link_type != LinkType::kEthernet || interface == "lo")
      return make_error(ErrorKind::kUnsupported, "AF_XDP is for Ethernet interfaces", interface,
                        "use capture = \"ring\", which works on every interface");
    snaplen = o.snaplen;
    TRY(tap, internal::XdpTap::open(interface, index));
    return o.promiscuous ? promiscuous() : Status();
  }

  Status make_ring(const CaptureOptions& o) {
    if (!set(PACKET_VERSION, int{TPACKET_V3})) return system_error("the kernel has no TPACKET_V3", interface);
    block_bytes = o.block_bytes;
    blocks = o.blocks;
    tpacket_req3 r{};
    r.tp_block_size = block_bytes;
    r.tp_block_nr = blocks;
    r.tp_frame_size = 2048;  // not used by version 3 but checked
    r.tp_frame_nr = block_bytes / r.tp_frame_size * blocks;
    r.tp_retire_blk_tov = o.retire_ms == 0 ? 1 : o.retire_ms;  // 0 would let the kernel choose
    if (!set(PACKET_RX_RING, r)) return system_error("cannot make the packet ring", interface);
    ring_bytes = size_t{block_bytes} * blocks;
    void* p = ::mmap(nullptr, ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) return system_error("cannot map the packet ring", interface);
    ring = static_cast<uint8_t*>(p);
    return {};
  }

  // Delivers every block that the kernel has handed over.
  uint64_t drain(const Fn& fn) {
    if (tap != nullptr) return tap->drain(number, snaplen, fn);
    uint64_t delivered = 0;
    for (uint32_t k = 0; k < blocks; ++k) {
      auto* block = reinterpret_cast<tpacket_block_desc*>(ring + size_t{next} * block_bytes);
      std::atomic_ref<uint32_t> status(block->hdr.bh1.block_status);
      if ((status.load(std::memory_order_acquire) & TP_STATUS_USER) == 0) break;
      const uint8_t* at = reinterpret_cast<const uint8_t*>(block) + block->hdr.bh1.offset_to_first_pkt;
      for (uint32_t i = 0; i < block->hdr.bh1.num_pkts; ++i) {
        const auto* h = reinterpret_cast<const tpacket3_hdr*>(at);
        fn(Packet{.bytes = {reinterpret_cast<const char*>(at) + h->tp_mac, h->tp_snaplen},
                  .time = {int64_t{h->tp_sec} * 1'000'000 + h->tp_nsec / 1000},
                  .number = ++number,
                  .link = link_type,
                  .length = h->tp_len});
        ++delivered;
        at += h->tp_next_offset;
        if (i + 1 < block->hdr.bh1.num_pkts) prefetch({reinterpret_cast<const char*>(at), 256});
      }
      status.store(TP_STATUS_KERNEL, std::memory_order_release);
      next = (next + 1) % blocks;
    }
    return delivered;
  }

  // An interface that went down may come back; one that is gone does not.
  Status check_socket() {
    int e = 0;
    socklen_t size = sizeof e;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size);
    if (e == ENETDOWN) went_down = true;
    ifreq request{};
    request.ifr_ifindex = index;
    if (::ioctl(fd, SIOCGIFNAME, &request) == 0 && (e == 0 || e == ENETDOWN)) return {};
    return make_error(ErrorKind::kUnavailable,
                      std::string("the interface is gone: ") + std::strerror(e == 0 ? ENODEV : e), interface,
                      "open it again when it is back");
  }

  enum class Wake { kPackets, kTimeout, kStop };
  Result<Wake> wait(int timeout_ms) {
    std::vector<pollfd> fds = {{fd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
    if (tap != nullptr) {
      fds[0].events = 0;
      tap->wait_for(fds);
    }
    // An interface that goes away says nothing to AF_XDP, and to a ring only that it is down, which it is before it is
    // gone: it is asked for now and then.
    if (timeout_ms < 0 && (tap != nullptr || went_down)) {
      CHECK_OK(check_socket());
      timeout_ms = 500;
    }
    const int n = ::poll(fds.data(), fds.size(), timeout_ms);
    if (n < 0 && errno != EINTR) return system_error("cannot wait for packets", interface);
    if (n <= 0) return Wake::kTimeout;
    if ((fds[1].revents & POLLIN) != 0) return Wake::kStop;
    if ((fds[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
      CHECK_OK(check_socket());
    } else {
      went_down = false;
    }
    return Wake::kPackets;
  }
};

Capture::Capture(std::unique_ptr<State> state) : state_(std::move(state)) {}
Capture::Capture(Capture&&) noexcept = default;
Capture& Capture::operator=(Capture&&) noexcept = default;
Capture::~Capture() = default;

Result<Capture> Capture::open(const CaptureOptions& options) {
  auto state = std::make_unique<State>();
  CHECK_OK(state->open(options));
  return Capture(std::move(state));
}

Status Capture::run(const Fn& fn) {
  while (true) {
    TRY(const auto wake, state_->wait(-1));
    state_->drain(fn);
    if (wake == State::Wake::kStop) return {};
  }
}

Result<uint64_t> Capture::poll(int timeout_ms, const Fn& fn) {
  if (const uint64_t n = state_->drain(fn); n > 0) return n;
  TRY(const auto wake, state_->wait(timeout_ms));
  static_cast<void>(wake);
  return state_->drain(fn);
}

void Capture::stop() {
  const uint64_t one = 1;
  while (::write(state_->stop_fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

CaptureStats Capture::stats() const {
  if (state_->tap != nullptr) return state_->tap->stats();
  const std::lock_guard lock(state_->stats_mutex);
  tpacket_stats_v3 s{};
  socklen_t size = sizeof s;
  if (::getsockopt(state_->fd, SOL_PACKET, PACKET_STATISTICS, &s, &size) == 0) {
    state_->total.received += s.tp_packets;
    state_->total.dropped += s.tp_drops;
  }
  return state_->total;
}

const char* Capture::mode() const {
  if (state_->tap == nullptr) return "ring";
  return state_->tap->zero_copy() ? "af_xdp zero-copy" : "af_xdp copy";
}

LinkType Capture::link() const { return state_->link_type; }

}  // namespace entente::packet
