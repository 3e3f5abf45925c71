#include "packet/flows.h"

#include <algorithm>

namespace entente::packet {
namespace {

constexpr size_t kMaxTemplates = 10'000, kMaxFields = 2'000, kMaxPacket = 65'536;

uint64_t number(std::string_view b) {
  uint64_t v = 0;
  for (const char c : b.substr(0, 8)) v = v << 8 | static_cast<unsigned char>(c);
  return v;
}
uint16_t u16(std::string_view b, size_t at) { return static_cast<uint16_t>(number(b.substr(at, 2))); }
uint32_t u32(std::string_view b, size_t at) { return static_cast<uint32_t>(number(b.substr(at, 4))); }

Address address(std::string_view b) { return Address::from_octets(b.data(), b.size() == 16); }

bool is_set_id(uint16_t version, uint16_t id) {
  if (id >= 256) return true;
  return version == 9 ? id <= 1 : id == 2 || id == 3;
}

}  // namespace

bool looks_like_flows(std::string_view head) {
  if (head.size() < 20) return false;
  const uint16_t version = u16(head, 0), count = u16(head, 2);
  switch (version) {
    case 5:  // no more than fit into a packet
      return count >= 1 && count <= 30 && head.size() >= 24 + 48;
    case 9:
      return head.size() >= 24 && count >= 1 && is_set_id(9, u16(head, 20)) && u16(head, 22) >= 4;
    case 10:
      return count >= 20 && is_set_id(10, u16(head, 16)) && u16(head, 18) >= 4 && u16(head, 18) <= count - 16;
    default:
      return false;
  }
}

Status FlowReader::feed(std::string_view bytes) {
  if (lost_) return {};
  if (!carry_.empty()) {
    carry_.append(bytes);
    bytes = carry_;
  }
  size_t used = 0;
  while (used < bytes.size()) {
    const auto n = packet(bytes.substr(used), false);
    if (!n) {
      lost_ = true;
      return make_error(ErrorKind::kInvalid, "what follows is no NetFlow or IPFIX packet",
                        "record " + std::to_string(records_), "what came before it was read");
    }
    if (*n == 0) break;
    used += *n;
  }
  carry_ = std::string(bytes.substr(used));
  return {};
}

Status FlowReader::finish() {
  if (lost_ || carry_.empty()) return {};
  const auto n = packet(carry_, true);
  if (n && *n == carry_.size()) return {};
  return make_error(ErrorKind::kInvalid, "the last packet is cut short", "record " + std::to_string(records_),
                    "what came before it was read");
}

Status FlowReader::datagram(std::string_view bytes) {
  const auto n = packet(bytes, true);
  if (n && *n == bytes.size()) return {};
  ++malformed_;
  return make_error(ErrorKind::kInvalid, "this is no NetFlow or IPFIX packet", "record " + std::to_string(records_),
                    "others are read as before");
}

std::optional<size_t> FlowReader::packet(std::string_view b, bool last) {
  if (b.size() < 24 && !last) return 0;
  if (b.size() < 16) return std::nullopt;
  const uint16_t version = u16(b, 0), count = u16(b, 2);
  if (version == 5) {
    const size_t size = 24 + size_t{48} * count;
    if (count == 0 || count > 30) return std::nullopt;
    if (b.size() < size) return 0;
    packet5(b.substr(0, size));
    return size;
  }
  if (version == 10) {  // RFC 7011 §3.1
    if (count < 16) return std::nullopt;
    if (b.size() < count) return 0;
    const Export e{10, u32(b, 12), int64_t{u32(b, 4)} * 1'000'000, 0};
    std::string_view sets = b.substr(16, count - size_t{16});
    while (sets.size() >= 4) {
      const size_t size = u16(sets, 2);
      if (size < 4 || size > sets.size()) {
        ++malformed_;
        break;
      }
      set(e, u16(sets, 0), sets.substr(4, size - 4));
      sets.remove_prefix(size);
    }
    return count;
  }
  if (version != 9 || b.size() < 20) return std::nullopt;
  // RFC 3954 §5.1: no length; sets follow until something that is none, the next header. Its end must be there to be
  // seen, so that the sets are told once.
  size_t end = 20;
  while (true) {
    if (end > kMaxPacket) return std::nullopt;
    if (b.size() < end + 4) {
      if (!last) return 0;
      if (b.size() != end) return std::nullopt;
      break;
    }
    if (!is_set_id(9, u16(b, end))) break;
    const size_t size = u16(b, end + 2);
    if (size < 4) return std::nullopt;
    if (b.size() < end + size) {
      if (last) return std::nullopt;
      return 0;
    }
    end += size;
  }
  const int64_t now = int64_t{u32(b, 8)} * 1'000'000;
  const Export e{9, u32(b, 16), now, now - int64_t{u32(b, 4)} * 1000};
  for (size_t at = 20; at < end; at += u16(b, at + 2)) set(e, u16(b, at), b.substr(at + 4, u16(b, at + 2) - size_t{4}));
  return end;
}

void FlowReader::packet5(std::string_view b) {
  const int64_t boot = int64_t{u32(b, 8)} * 1'000'000 + u32(b, 12) / 1000 - int64_t{u32(b, 4)} * 1000;
  for (size_t at = 24; at < b.size(); at += 48) {
    const std::string_view r = b.substr(at, 48);
    FlowRecord record{.src = address(r.substr(0, 4)),
                      .dst = address(r.substr(4, 4)),
                      .next_hop = address(r.substr(8, 4)),
                      .src_port = u16(r, 32),
                      .dst_port = u16(r, 34),
                      .protocol = static_cast<uint8_t>(r[38]),
                      .begin = Time{boot + int64_t{u32(r, 24)} * 1000}};
    tell(record);
  }
}

void FlowReader::tell(FlowRecord& record) {
  record.number = ++records_;
  fn_(record);
}

void FlowReader::set(const Export& e, uint16_t id, std::string_view body) {
  const uint16_t plain = e.version == 9 ? 0 : 2, options = e.version == 9 ? 1 : 3;
  if (id == plain || id == options) return templates(e, body, id == options);
  const auto it = templates_.find({uint32_t{e.version} << 16 | id, e.domain});
  if (it == templates_.end()) {
    ++without_template_;
    return;
  }
  data(e, it->second, body);
}

void FlowReader::templates(const Export& e, std::string_view body, bool options) {
  while (body.size() >= 4) {
    const uint16_t id = u16(body, 0);
    size_t count = u16(body, 2), head = 4;
    if (id < 256) return;  // padding
    if (options) {
      if (body.size() < 6) return;
      head = 6;
      // RFC 3954 §6.1 gives lengths in octets, RFC 7011 §3.4.2.2 the number of all fields.
      if (e.version == 9) count = (count + u16(body, 4)) / 4;
    }
    body.remove_prefix(head);
    Template fields;
    if (count > kMaxFields) {
      ++malformed_;
      return;
    }
    for (size_t i = 0; i < count; ++i) {
      if (body.size() < 4) {
        ++malformed_;
        return;
      }
      const uint16_t field = u16(body, 0), size = u16(body, 2);
      const bool own = e.version == 10 && (field & 0x8000) != 0;
      body.remove_prefix(4);
      if (own && body.size() < 4) {
        ++malformed_;
        return;
      }
      if (own) body.remove_prefix(4);
      fields.push_back({static_cast<uint16_t>(field & 0x7fff), size, !own});
    }
    const std::pair key{uint32_t{e.version} << 16 | id, e.domain};
    if (fields.empty()) {
      templates_.erase(key);  // withdrawn (RFC 7011 §8.1)
    } else if (templates_.size() < kMaxTemplates || templates_.contains(key)) {
      templates_[key] = std::move(fields);
    }
  }
}

void FlowReader::data(const Export& e, const Template& fields, std::string_view body) {
  constexpr uint16_t kVariable = 65535;
  size_t least = 0;
  for (const Field& f : fields) least += f.size == kVariable ? 1 : f.size;
  if (least == 0) {
    ++malformed_;
    return;
  }
  while (body.size() >= least) {
    FlowRecord record{.begin = Time{e.time_us}};
    for (const Field& f : fields) {
      size_t size = f.size;
      if (size == kVariable && e.version == 10) {  // RFC 7011 §7
        size = body.empty() ? 0 : static_cast<unsigned char>(body[0]);
        size_t head = 1;
        if (size == 255 && body.size() >= 3) {
          size = u16(body, 1);
          head = 3;
        }
        body.remove_prefix(std::min(head, body.size()));
      }
      if (size > body.size()) {
        ++malformed_;
        return;
      }
      const std::string_view v = body.substr(0, size);
      body.remove_prefix(size);
      if (!f.known) continue;
      switch (f.id) {  // the same numbers in NetFlow v9 and IPFIX
        case 4:
          if (size == 1) record.protocol = static_cast<uint8_t>(number(v));
          break;
        case 7:
          if (size <= 2) record.src_port = static_cast<uint16_t>(number(v));
          break;
        case 11:
          if (size <= 2) record.dst_port = static_cast<uint16_t>(number(v));
          break;
        case 8:
        case 27:
          if (size == (f.id == 8 ? 4u : 16u)) record.src = address(v);
          break;
        case 12:
        case 28:
          if (size == (f.id == 12 ? 4u : 16u)) record.dst = address(v);
          break;
        case 15:
        case 62:
          if (size == (f.id == 15 ? 4u : 16u)) record.next_hop = address(v);
          break;
        case 22:  // milliseconds since boot
          if (size == 4 && e.version == 9) record.begin = Time{e.boot_us + static_cast<int64_t>(number(v)) * 1000};
          break;
        case 150:
          if (size == 4) record.begin = Time{static_cast<int64_t>(number(v)) * 1'000'000};
          break;
        case 152:
          if (size == 8 && number(v) < uint64_t{1} << 48) record.begin = Time{static_cast<int64_t>(number(v)) * 1000};
          break;
        default:
          break;
      }
    }
    if (record.src.is_set() || record.dst.is_set()) tell(record);
  }
}

}  // namespace entente::packet
