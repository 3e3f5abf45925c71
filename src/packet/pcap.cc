#include "packet/pcap.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"

namespace entente::packet {
namespace {

constexpr size_t kMaxPacket = 256u << 10;
constexpr size_t kMaxInterfaces = 4096;
constexpr uint32_t kPcapMicro = 0xa1b2c3d4, kPcapNano = 0xa1b23c4d;
constexpr uint32_t kSectionHeader = 0x0a0d0d0a, kByteOrderMagic = 0x1a2b3c4d;

enum Block : uint32_t { kInterface = 1, kOldPacket = 2, kSimplePacket = 3, kEnhancedPacket = 6 };

class Fields {
 public:
  explicit Fields(std::string_view b, bool swap) : b_(b), swap_(swap) {}
  [[nodiscard]] uint16_t u16(size_t at) const { return load<uint16_t>(at); }
  [[nodiscard]] uint32_t u32(size_t at) const { return load<uint32_t>(at); }
  [[nodiscard]] uint64_t u64(size_t at) const { return load<uint64_t>(at); }

 private:
  // Requires: the caller checked the length.
  template <class T>
  [[nodiscard]] T load(size_t at) const {
    T v{};
    std::memcpy(&v, b_.data() + at, sizeof v);
    if (!swap_) return v;
    if constexpr (sizeof v == 2) return __builtin_bswap16(v);
    if constexpr (sizeof v == 4) return __builtin_bswap32(v);
    if constexpr (sizeof v == 8) return __builtin_bswap64(v);
  }
  std::string_view b_;
  bool swap_;
};

struct Interface {
  bool known = true;  // false: its description was cut; it keeps its place, since packets count interfaces
  uint16_t link = 0;
  uint32_t snaplen = 0;
  uint8_t resolution = 6;  // if_tsresol: 10^-n, with the top bit 2^-n
  int64_t offset_s = 0;    // if_tsoffset
};

Time to_time(uint64_t units, const Interface& i) {
  __int128 us = 0;
  const int n = i.resolution & 0x7f;
  if ((i.resolution & 0x80) != 0) {
    us = n > 100 ? 0 : static_cast<__int128>(units) * 1'000'000 >> n;
  } else {
    us = units;
    for (int k = n; k < 6; ++k) us *= 10;
    for (int k = 6; k < n && us > 0; ++k) us /= 10;
  }
  us += static_cast<__int128>(i.offset_s) * 1'000'000;
  us = std::clamp<__int128>(us, INT64_MIN, INT64_MAX);
  return {static_cast<int64_t>(us)};
}

}  // namespace

bool looks_like_capture(std::string_view head) {
  if (head.size() < 4) return false;
  const uint32_t magic = Fields(head, false).u32(0), swapped = __builtin_bswap32(magic);
  for (const uint32_t m : {magic, swapped})
    if (m == kPcapMicro || m == kPcapNano) return true;
  if (magic != kSectionHeader) return false;
  if (head.size() < 12) return true;
  const uint32_t order = Fields(head, false).u32(8);
  return order == kByteOrderMagic || order == __builtin_bswap32(kByteOrderMagic);
}

struct CaptureReader::State {
  Fn fn;
  std::string pending;  // the beginning of a record that is not whole yet
  uint64_t skip = 0;    // octets to pass over
  enum class Format { kUnknown, kPcap, kPcapng, kLost } format = Format::kUnknown;
  bool swap = false;
  bool nano = false;
  uint16_t pcap_link = 0;
  std::vector<Interface> interfaces;
  uint64_t packets = 0, skipped = 0;

  void deliver(uint16_t link, Time time, std::string_view bytes, uint32_t length) {
    fn(Packet{.bytes = bytes, .time = time, .number = ++packets, .link = LinkType{link}, .length = length});
  }

  // Passes over n octets of which `here` begin at the front; returns how many of `here` that uses.
  size_t pass(uint64_t n, size_t here) {
    const size_t used = std::min<uint64_t>(n, here);
    skip = n - used;
    return used;
  }

  // One record at the front of `b`: the octets used, 0 if more are needed.
  Result<size_t> step(std::string_view b) {
    switch (format) {
      case Format::kUnknown:
        return begin(b);
      case Format::kPcap:
        return pcap_packet(b);
      case Format::kPcapng:
        return block(b);
      case Format::kLost:
        break;
    }
    return invalid("capture file: nothing can be read after the damage");
  }

  Result<size_t> begin(std::string_view b) {
    if (b.size() < 12) return size_t{0};
    if (!looks_like_capture(b))
      return invalid("not a pcap or pcapng file", {}, "give a file as tcpdump or Wireshark writes it");
    const uint32_t magic = Fields(b, false).u32(0);
    if (magic == kSectionHeader) {
      format = Format::kPcapng;
      return block(b);
    }
    if (b.size() < 24) return size_t{0};
    swap = magic != kPcapMicro && magic != kPcapNano;
    nano = magic == kPcapNano || __builtin_bswap32(magic) == kPcapNano;
    pcap_link = static_cast<uint16_t>(Fields(b, swap).u32(20));  // the upper bits tell of a frame check sequence
    format = Format::kPcap;
    return size_t{24};
  }

  Result<size_t> pcap_packet(std::string_view b) {
    if (b.size() < 16) return size_t{0};
    const Fields f(b, swap);
    const uint32_t kept = f.u32(8);
    if (kept > kMaxPacket) {
      ++skipped;
      return pass(uint64_t{16} + kept, b.size());
    }
    if (b.size() < 16 + size_t{kept}) return size_t{0};
    if (b.size() > 16 + size_t{kept} + 16) prefetch(b.substr(16 + size_t{kept}, 320));
    const int64_t fraction = f.u32(4);
    deliver(pcap_link, {int64_t{f.u32(0)} * 1'000'000 + (nano ? fraction / 1000 : fraction)}, b.substr(16, kept),
            f.u32(12));
    return 16 + size_t{kept};
  }

  Result<size_t> block(std::string_view b) {
    if (b.size() < 12) return size_t{0};
    const uint32_t type = Fields(b, swap).u32(0);
    if (type == kSectionHeader) {
      const uint32_t order = Fields(b, false).u32(8);
      if (order != kByteOrderMagic && order != __builtin_bswap32(kByteOrderMagic))
        return invalid("pcapng: bad byte-order magic");
      swap = order != kByteOrderMagic;
      interfaces.clear();
    }
    const uint32_t total = Fields(b, swap).u32(4);
    if (total < 12 || total % 4 != 0) return invalid("pcapng: a block with an impossible length");
    if (total > kMaxPacket + 1024 || type == kSectionHeader) {
      if (type != kSectionHeader) ++skipped;
      return pass(total, b.size());
    }
    if (b.size() < total) return size_t{0};
    if (Fields(b, swap).u32(total - 4) != total) return invalid("pcapng: a block whose two lengths differ");
    const std::string_view body = b.substr(8, total - 12);
    if (type == kInterface) {
      interface(body);
    } else if (type == kEnhancedPacket || type == kOldPacket) {
      packet(body, type == kOldPacket);
    } else if (type == kSimplePacket) {
      simple_packet(body);
    }
    return size_t{total};
  }

  void interface(std::string_view body) {
    if (interfaces.size() >= kMaxInterfaces) return;
    if (body.size() < 8) {
      interfaces.push_back({.known = false});
      return;
    }
    const Fields f(body, swap);
    Interface i{.link = f.u16(0), .snaplen = f.u32(4)};
    for (size_t at = 8; at + 4 <= body.size();) {
      const uint16_t code = f.u16(at), length = f.u16(at + 2);
      if (code == 0 || at + 4 + length > body.size()) break;
      if (code == 9 && length == 1) i.resolution = static_cast<uint8_t>(body[at + 4]);
      if (code == 14 && length == 8) i.offset_s = static_cast<int64_t>(f.u64(at + 4));
      at += 4 + (size_t{length} + 3) / 4 * 4;
    }
    interfaces.push_back(i);
  }

  void packet(std::string_view body, bool old) {
    if (body.size() < 20) {
      ++skipped;
      return;
    }
    const Fields f(body, swap);
    const uint32_t id = old ? f.u16(0) : f.u32(0), kept = f.u32(12);
    if (id >= interfaces.size() || !interfaces[id].known || kept > body.size() - 20) {
      ++skipped;
      return;
    }
    const Interface& i = interfaces[id];
    deliver(i.link, to_time(uint64_t{f.u32(4)} << 32 | f.u32(8), i), body.substr(20, kept), f.u32(16));
  }

  void simple_packet(std::string_view body) {
    if (body.size() < 4 || interfaces.empty() || !interfaces[0].known) {
      ++skipped;
      return;
    }
    const uint32_t length = Fields(body, swap).u32(0);
    size_t kept = std::min<size_t>(length, body.size() - 4);
    if (interfaces[0].snaplen != 0) kept = std::min<size_t>(kept, interfaces[0].snaplen);
    deliver(interfaces[0].link, {}, body.substr(4, kept), length);
  }
};

CaptureReader::CaptureReader(Fn fn) : state_(std::make_unique<State>()) { state_->fn = std::move(fn); }
CaptureReader::~CaptureReader() = default;
uint64_t CaptureReader::packets() const { return state_->packets; }
uint64_t CaptureReader::skipped() const { return state_->skipped; }

Status CaptureReader::feed(std::string_view bytes) {
  State& s = *state_;
  if (s.format == State::Format::kLost) return {};
  while (!bytes.empty()) {
    if (s.skip > 0) {
      bytes.remove_prefix(s.pass(s.skip, bytes.size()));
      continue;
    }
    // A record that began in an earlier piece is completed in `pending`; all others are read where they lie.
    const bool joined = !s.pending.empty();
    const size_t before = s.pending.size();
    if (joined) {
      const size_t want = std::min<size_t>(bytes.size(), kMaxPacket + 2048);
      s.pending.append(bytes.substr(0, want));
    }
    const std::string_view view = joined ? std::string_view(s.pending) : bytes;
    auto used = s.step(view);
    if (!used.ok()) {
      s.format = State::Format::kLost;
      s.pending.clear();
      return std::move(used).error();
    }
    if (*used == 0) {
      if (!joined) s.pending.assign(bytes);
      bytes.remove_prefix(joined ? s.pending.size() - before : bytes.size());
    } else if (joined) {
      bytes.remove_prefix(*used - before);  // a record is longer than the part of it that was not enough
      s.pending.clear();
    } else {
      bytes.remove_prefix(*used);
    }
  }
  return {};
}

Status CaptureReader::finish() {
  State& s = *state_;
  if (s.format == State::Format::kLost) return {};
  if (s.format == State::Format::kUnknown)
    return invalid("not a pcap or pcapng file", {}, "give a file as tcpdump or Wireshark writes it");
  if (!s.pending.empty() || s.skip > 0)
    return invalid("capture file is cut short", {},
                   "all whole packets were read; copy the file again if more were expected");
  return {};
}

Status read_capture_file(const std::string& path, const CaptureReader::Fn& fn) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return make_error(errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo,
                      std::string("cannot open capture file: ") + std::strerror(errno), path,
                      "check the path and the permissions");
  CaptureReader reader(fn);
  std::string piece(1u << 20, '\0');
  Status status;
  while (status.ok()) {
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) status = make_error(ErrorKind::kIo, std::string("cannot read: ") + std::strerror(errno));
    if (n <= 0) break;
    status = reader.feed(std::string_view(piece).substr(0, static_cast<size_t>(n)));
  }
  ::close(fd);
  if (status.ok()) status = reader.finish();
  if (!status.ok()) return status.error().at(path);
  return {};
}

std::string pcap_header(LinkType link, uint32_t snaplen) {
  std::string out;
  put_u32(out, kPcapMicro);
  put_u16(out, 2);
  put_u16(out, 4);
  put_u64(out, 0);
  put_u32(out, snaplen);
  put_u32(out, static_cast<uint32_t>(link));
  return out;
}

void append_pcap_packet(std::string& out, Time time, std::string_view bytes) {
  put_u32(out, static_cast<uint32_t>(time.us / 1'000'000));
  put_u32(out, static_cast<uint32_t>(time.us % 1'000'000));
  put_u32(out, static_cast<uint32_t>(bytes.size()));
  put_u32(out, static_cast<uint32_t>(bytes.size()));
  out += bytes;
}

}  // namespace entente::packet
