#include "packet/internal/xdp_tap.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>

#include <ifaddrs.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace entente::packet::internal {
namespace {

constexpr uint32_t kFrame = 4096;   // of each packet; of it 256 are the kernel's
constexpr uint32_t kFrames = 4096;  // of each queue: 16 MiB
constexpr uint32_t kMost = kFrame - 256;
constexpr size_t kMaxQueues = 64;
constexpr const char* kInstead = "use capture = \"ring\", which works on every interface";

int bpf(bpf_cmd command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

Error fault(const std::string& what, const std::string& interface) {
  const int e = errno;
  const std::string text = what + ": " + std::strerror(e);
  switch (e) {
    case EPERM:
    case EACCES:
      return make_error(ErrorKind::kDenied, text, interface, "AF_XDP needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF");
    case EBUSY:
    case EEXIST:
      return make_error(ErrorKind::kConflict, text, interface,
                        std::string("an XDP program is there already, the enforcer's perhaps: ") + kInstead);
    default:
      return make_error(ErrorKind::kUnsupported, text, interface,
                        std::string("this kernel, driver or interface cannot: ") + kInstead);
  }
}

// What an interface receives for its own addresses would be lost to this host. Link-local addresses make themselves.
Status serves_nobody(const std::string& interface) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return fault("cannot ask for addresses", interface);
  bool serves = false;
  for (const ifaddrs* a = all; a != nullptr; a = a->ifa_next) {
    if (interface != a->ifa_name || a->ifa_addr == nullptr) continue;
    const auto* six = reinterpret_cast<const sockaddr_in6*>(a->ifa_addr);
    serves = serves || a->ifa_addr->sa_family == AF_INET ||
             (a->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr));
  }
  ::freeifaddrs(all);
  if (!serves) return {};
  return make_error(ErrorKind::kInvalid,
                    "AF_XDP takes packets away from this host, and the interface has addresses of it", interface,
                    std::string("AF_XDP is for mirror ports: take the addresses away, or ") + kInstead);
}

Status fits(const std::string& interface) {
  uint32_t mtu = 0;
  std::ifstream("/sys/class/net/" + interface + "/mtu") >> mtu;
  if (mtu + 22 <= kMost) return {};
  return make_error(ErrorKind::kUnsupported,
                    "packets of " + std::to_string(mtu) + " octets do not fit the frames of AF_XDP", interface,
                    "set an MTU of at most " + std::to_string(kMost - 22) + ", or " + kInstead);
}

size_t queues_of(const std::string& interface) {
  size_t n = 0;
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/net/" + interface + "/queues", ec))
    n += entry.path().filename().string().starts_with("rx-") ? 1 : 0;
  return std::clamp<size_t>(n, 1, kMaxQueues);
}

// A ring shared with the kernel, one side of it.
struct Ring {
  uint32_t* producer = nullptr;
  uint32_t* consumer = nullptr;
  char* entries = nullptr;
  void* mapped = MAP_FAILED;
  size_t bytes = 0;

  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    if (mapped != MAP_FAILED) ::munmap(mapped, bytes);
  }
  bool map(int fd, const xdp_ring_offset& at, size_t entry, uint64_t page) {
    bytes = at.desc + entry * kFrames;
    mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, static_cast<off_t>(page));
    if (mapped == MAP_FAILED) return false;
    auto* base = static_cast<char*>(mapped);
    producer = reinterpret_cast<uint32_t*>(base + at.producer);
    consumer = reinterpret_cast<uint32_t*>(base + at.consumer);
    entries = base + at.desc;
    return true;
  }
};

uint32_t acquire(uint32_t* at) { return std::atomic_ref<uint32_t>(*at).load(std::memory_order_acquire); }
void release(uint32_t* at, uint32_t value) { std::atomic_ref<uint32_t>(*at).store(value, std::memory_order_release); }

}  // namespace

struct XdpTap::Queue {
  int fd = -1;
  void* memory = MAP_FAILED;
  Ring fill, rx;
  std::atomic<uint64_t> delivered{0};

  Queue() = default;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() {
    if (fd >= 0) ::close(fd);
    if (memory != MAP_FAILED) ::munmap(memory, size_t{kFrame} * kFrames);
  }

  template <class T>
  bool set(int option, const T& value) {
    return ::setsockopt(fd, SOL_XDP, option, &value, sizeof value) == 0;
  }

  Status open(const std::string& interface, int index, uint32_t number) {
    fd = ::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) return fault("cannot open a socket of AF_XDP", interface);
    memory = ::mmap(nullptr, size_t{kFrame} * kFrames, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return fault("no memory for packets", interface);
    xdp_umem_reg umem{};
    umem.addr = reinterpret_cast<uint64_t>(memory);
    umem.len = uint64_t{kFrame} * kFrames;
    umem.chunk_size = kFrame;
    const int size = kFrames;
    xdp_mmap_offsets at{};
    socklen_t length = sizeof at;
    if (!set(XDP_UMEM_REG, umem) || !set(XDP_UMEM_FILL_RING, size) || !set(XDP_UMEM_COMPLETION_RING, size) ||
        !set(XDP_RX_RING, size) || ::getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &length) != 0 ||
        !rx.map(fd, at.rx, sizeof(xdp_desc), XDP_PGOFF_RX_RING) ||
        !fill.map(fd, at.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING))
      return fault("cannot make the rings of AF_XDP", interface);
    for (uint32_t i = 0; i < kFrames; ++i) give(i, uint64_t{i} * kFrame);
    release(fill.producer, kFrames);
    sockaddr_xdp address{};
    address.sxdp_family = AF_XDP;
    address.sxdp_flags = XDP_USE_NEED_WAKEUP;  // without copies if the driver can
    address.sxdp_ifindex = static_cast<uint32_t>(index);
    address.sxdp_queue_id = number;
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return fault("cannot bind to queue " + std::to_string(number), interface);
    return {};
  }

  void give(uint32_t place, uint64_t frame) {
    std::memcpy(fill.entries + sizeof frame * (place & (kFrames - 1)), &frame, sizeof frame);
  }

  uint64_t drain(Time now, uint64_t& number, uint32_t snaplen, const Capture::Fn& fn) {
    uint32_t at = *rx.consumer, give_at = *fill.producer;
    const uint32_t end = acquire(rx.producer), count = end - at;
    for (; at != end; ++at, ++give_at) {
      xdp_desc d;
      std::memcpy(&d, rx.entries + sizeof d * (at & (kFrames - 1)), sizeof d);
      fn(Packet{.bytes = {static_cast<const char*>(memory) + d.addr, std::min(d.len, snaplen)},
                .time = now,
                .number = ++number,
                .link = LinkType::kEthernet,
                .length = d.len});
      give(give_at, d.addr / kFrame * kFrame);
    }
    release(rx.consumer, end);
    release(fill.producer, give_at);
    delivered.fetch_add(count, std::memory_order_relaxed);
    return count;
  }
};

XdpTap::XdpTap() = default;
XdpTap::~XdpTap() {
  // The program first: without it the stack has its packets again.
  for (const int fd : {link_, program_, map_})
    if (fd >= 0) ::close(fd);
}

Status XdpTap::load(const std::string& interface, int index) {
  bpf_attr a{};
  a.map_type = BPF_MAP_TYPE_XSKMAP;
  a.key_size = a.value_size = 4;
  a.max_entries = kMaxQueues;
  map_ = bpf(BPF_MAP_CREATE, a);
  if (map_ < 0) return fault("cannot make a map of sockets", interface);
  for (uint32_t i = 0; i < queues_.size(); ++i) {
    a = {};
    a.map_fd = static_cast<uint32_t>(map_);
    a.key = reinterpret_cast<uint64_t>(&i);
    a.value = reinterpret_cast<uint64_t>(&queues_[i]->fd);
    if (bpf(BPF_MAP_UPDATE_ELEM, a) != 0) return fault("cannot enter a socket into the map", interface);
  }
  // return bpf_redirect_map(&map, context->rx_queue_index, XDP_PASS): what no socket takes, the stack gets.
  const std::array<bpf_insn, 6> code = {{
      {BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, offsetof(xdp_md, rx_queue_index), 0},
      {BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map_},
      {0, 0, 0, 0, 0},
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, XDP_PASS},
      {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  }};
  static constexpr char kLicense[] = "Apache-2.0", kName[] = "entente_tap";
  a = {};
  a.prog_type = BPF_PROG_TYPE_XDP;
  a.insns = reinterpret_cast<uint64_t>(code.data());
  a.insn_cnt = code.size();
  a.license = reinterpret_cast<uint64_t>(kLicense);
  std::memcpy(a.prog_name, kName, sizeof kName);
  program_ = bpf(BPF_PROG_LOAD, a);
  if (program_ < 0) return fault("cannot load the program of AF_XDP", interface);
  // A link goes with the process: nothing is left behind that takes packets away.
  a = {};
  a.link_create.prog_fd = static_cast<uint32_t>(program_);
  a.link_create.target_ifindex = static_cast<uint32_t>(index);
  a.link_create.attach_type = BPF_XDP;
  link_ = bpf(BPF_LINK_CREATE, a);
  if (link_ < 0) return fault("cannot attach the program of AF_XDP", interface);
  return {};
}

Result<std::unique_ptr<XdpTap>> XdpTap::open(const std::string& interface, int index) {
  CHECK_OK(serves_nobody(interface));
  CHECK_OK(fits(interface));
  std::unique_ptr<XdpTap> tap(new XdpTap());
  const size_t queues = queues_of(interface);
  for (uint32_t i = 0; i < queues; ++i) {
    tap->queues_.push_back(std::make_unique<Queue>());
    CHECK_OK(tap->queues_.back()->open(interface, index, i));
  }
  CHECK_OK(tap->load(interface, index));
  return tap;
}

uint64_t XdpTap::drain(uint64_t& number, uint32_t snaplen, const Capture::Fn& fn) {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);  // AF_XDP tells no time
  const Time now{int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000};
  uint64_t delivered = 0;
  for (const auto& q : queues_) delivered += q->drain(now, number, snaplen, fn);
  return delivered;
}

void XdpTap::wait_for(std::vector<pollfd>& fds) const {
  for (const auto& q : queues_) fds.push_back({q->fd, POLLIN, 0});
}

CaptureStats XdpTap::stats() const {
  CaptureStats out;
  for (const auto& q : queues_) {
    xdp_statistics s{};
    socklen_t size = sizeof s;
    if (::getsockopt(q->fd, SOL_XDP, XDP_STATISTICS, &s, &size) == 0) out.dropped += s.rx_dropped + s.rx_ring_full;
    out.received += q->delivered.load(std::memory_order_relaxed);
  }
  out.received += out.dropped;
  return out;
}

bool XdpTap::zero_copy() const {
  return std::all_of(queues_.begin(), queues_.end(), [](const auto& q) {
    xdp_options o{};
    socklen_t size = sizeof o;
    return ::getsockopt(q->fd, SOL_XDP, XDP_OPTIONS, &o, &size) == 0 && (o.flags & XDP_OPTIONS_ZEROCOPY) != 0;
  });
}

}  // namespace entente::packet::internal
