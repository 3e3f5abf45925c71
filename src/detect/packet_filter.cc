#include "detect/packet_filter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "detect/internal/hash.h"
#include "detect/internal/query.h"
#include "detect/internal/table.h"
#include "detect/packets.h"

namespace entente::detect {
namespace {

constexpr size_t kPackets = 96;           // asked for at one time: what they show and its filters' lines stay in the L1
constexpr size_t kMaxTexts = 256u << 10;  // octets that wait
constexpr size_t kMaxName = 253;

// Octets that stand for themselves in the host of a URL and in a name.
constexpr auto kPlain = [] {
  std::array<bool, 256> out{};
  for (int c = '0'; c <= '9'; ++c) out[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) out[static_cast<size_t>(c)] = out[static_cast<size_t>(c - 32)] = true;
  for (const char c : {'.', '-', '_'}) out[static_cast<size_t>(c)] = true;
  return out;
}();
bool is_plain(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](char c) { return kPlain[static_cast<unsigned char>(c)]; });
}

// Which of the 32 octets before `end` are this one: bit 31 is the last. They must be readable.
uint32_t last32(const char* end, char which) {
#if defined(__SSE2__)
  const auto half = [which](const char* at) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(which))));
  };
  return half(end - 32) | half(end - 16) << 16;
#else
  uint32_t out = 0;
  for (unsigned i = 0; i < 32; ++i) out |= end[static_cast<int>(i) - 32] == which ? 1U << i : 0U;
  return out;
#endif
}

// Where the last labels of a name begin. Requires: 32 readable octets before the name.
struct Tail {
  size_t two = 0;
  size_t three = std::string_view::npos;  // 0 if there are just three, npos if there are fewer
  bool one_label = false;
};
Tail long_tail(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {.one_label = true};
  const size_t second = dot == 0 ? std::string_view::npos : name.rfind('.', dot - 1);
  if (second == std::string_view::npos) return {};
  if (second == 0) return {.two = 1};
  const size_t third = name.rfind('.', second - 1);
  return {.two = second + 1, .three = third == std::string_view::npos ? 0 : third + 1};
}
Tail tail_of(std::string_view name) {
  uint32_t dots = last32(name.data() + name.size(), '.');
  if (name.size() < 32) dots &= ~uint32_t{0} << (32 - name.size());
  if (name.size() > 32 && std::popcount(dots) < 3) return long_tail(name);
  // The place behind the last dot, which goes.
  const auto behind = [&] {
    const auto up = static_cast<unsigned>(std::countl_zero(dots));
    dots &= ~(uint32_t{1} << (31 - up));
    return name.size() - up;
  };
  if (dots == 0) return {.one_label = true};
  if (behind() == 1 || dots == 0) return {};
  const size_t two = behind();
  if (two == 1) return {.two = 1};
  return {.two = two, .three = dots == 0 ? 0 : behind()};
}

bool has_escape(std::string_view name) {
  uint32_t found = last32(name.data() + name.size(), '\\');
  if (name.size() < 32) return (found & ~uint32_t{0} << (32 - name.size())) != 0;
  return found != 0 || std::memchr(name.data(), '\\', name.size() - 32) != nullptr;
}

}  // namespace

PacketFilter::PacketFilter(const Index& index, packet::Sink& next, Kernel kernel)
    : table_(index.table()),
      next_(next),
      maybes_(maybes(kernel)),
      v4_seed_(class_seed(KeyClass::kIpv4)),
      v6_seed_(class_seed(KeyClass::kIpv6)),
      name_seed_(class_seed(KeyClass::kDomain)),
      texts_(kMaxTexts),
      texts_size_(kTailPad) {}

uint32_t PacketFilter::keep(std::string_view text) {
  const size_t at = texts_size_;
  if (texts_.size() - at < text.size()) texts_.resize(at + text.size());
  if (!text.empty()) std::memcpy(texts_.data() + at, text.data(), text.size());
  texts_size_ = at + text.size();
  return static_cast<uint32_t>(at);
}

PacketFilter::Event& PacketFilter::add(What what, const packet::Packet& p, const packet::Flow& f) {
  if (events_.size() == kEvents) flush();
  if (packets_.empty() || packets_.back().number != p.number) packets_.push({p.time, p.number, p.link, p.length});
  if (what == What::kFlow) {
    copy(f, static_cast<uint32_t>(events_.size()));
  } else if (talks_.empty()) {
    copy(f, kNoEvent);
  }
  return events_.push(Event{.what = what,
                            .packet = static_cast<uint32_t>(packets_.size() - 1),
                            .flow = static_cast<uint32_t>(talks_.size() - 1)});
}

// Part by part, as it was written a moment ago: a copy in wide pieces waits for those stores.
void PacketFilter::copy(const packet::Flow& f, uint32_t event) {
  Talk& t = talks_.next();
  t.flow.src = f.src;
  t.flow.dst = f.dst;
  t.flow.src_port = f.src_port;
  t.flow.dst_port = f.dst_port;
  t.flow.protocol = f.protocol;
  t.flow.network = f.network;
  t.event = event;
}

// Looked at when it is asked: what was just copied is read without waiting for the copy.
void PacketFilter::name(uint32_t at, size_t size) {
  if (size > kMaxName + 1) {
    events_.back().needed = true;
  } else if (size > 0) {
    heard_.push({static_cast<uint32_t>(events_.size() - 1), at, static_cast<uint16_t>(size), kNoThird});
  }
}

void PacketFilter::on_flow(const packet::Packet& p, const packet::Flow& f) {
  // A flow and what is in it are asked for together.
  if (packets_.size() >= kPackets || texts_size_ >= kMaxTexts) {
    flush();
  }
  add(What::kFlow, p, f);
}

void PacketFilter::on_dns_question(const packet::Packet& p, const packet::Flow& f, const packet::DnsQuestion& q) {
  if (q.name.empty()) return;
  Event& e = add(What::kQuestion, p, f);
  e.more = static_cast<uint32_t>(questions_.size());
  e.at = keep(q.name);
  e.size = static_cast<uint16_t>(q.name.size());
  questions_.push(q);
  name(e.at, e.size);
}

void PacketFilter::on_dns_answer(const packet::Packet& p, const packet::Flow& f, const packet::DnsAnswer& a) {
  Event& e = add(What::kAnswer, p, f);
  e.more = static_cast<uint32_t>(answers_.size());
  e.at = keep(a.target);
  e.size = static_cast<uint16_t>(a.target.size());
  Answer& answer = answers_.next();
  answer.address = a.address;
  answer.type = a.type;
  answer.id = a.id;
  answer.ttl_s = a.ttl_s;
  if (a.type == packet::DnsType::kCname) {
    name(e.at, e.size);
  } else {
    address(a.address);
  }
}

void PacketFilter::on_sni(const packet::Packet& p, const packet::Flow& f, std::string_view server_name) {
  Event& e = add(What::kName, p, f);
  e.at = keep(server_name);
  e.size = static_cast<uint16_t>(server_name.size());
  name(e.at, e.size);
}

void PacketFilter::on_tls(const packet::Packet& p, const packet::Flow& f, const packet::TlsHello& hello) {
  if (!table_.shape().ja3 && !table_.shape().ja4) return;
  flush();
  next_.on_tls(p, f, hello);
}

void PacketFilter::on_http(const packet::Packet& p, const packet::Flow& f, const packet::HttpRequest& r) {
  if (r.host.size() > kMaxName || r.method.size() + r.target.size() > kMaxTexts) {
    flush();
    return next_.on_http(p, f, r);
  }
  Event& e = add(What::kHttp, p, f);
  e.more = static_cast<uint32_t>(requests_.size());
  e.at = keep(r.host);
  e.size = static_cast<uint16_t>(r.host.size());
  requests_.push({keep(r.method), static_cast<uint16_t>(r.method.size()), static_cast<uint32_t>(r.target.size())});
  keep(r.target);
  // A target in absolute form names a host of its own. Else a URL is of this host, and known only if the host is.
  const std::string_view host = without_port(r.host);
  const bool port_is_plain =
      host.data() + host.size() == r.host.data() + r.host.size() || is_plain(r.host.substr(host.size() + 1));
  if (!r.target.starts_with('/') || !is_plain(host) || !port_is_plain) {
    e.needed = true;
  } else if (const auto a = packet::parse_v4(host)) {
    address(*a);
  } else {
    name(e.at + static_cast<uint32_t>(host.data() - r.host.data()), host.size());
  }
}

void PacketFilter::gather() {
  gather_addresses();
  gather_names();
}

void PacketFilter::gather_addresses() {
  size_t n4 = v4_.size(), n6 = v6_.size();
  V4* const v4 = v4_.data();
  uint64_t *const hashes4 = v4_hashes_.data(), *const hashes6 = v6_hashes_.data();
  const auto take = [&](const packet::Address& a, uint32_t event) {
    if (a.v6) {
      v6_[n6] = {event, a};
      hashes6[n6] = hash_v6(a.b.data(), v6_seed_);
      table_.others().prefetch(hashes6[n6++]);
    } else if (const uint32_t value = a.v4_value(); table_.in_known16(value)) {
      v4[n4] = {event, value};
      hashes4[n4] = hash_v4(value, v4_seed_);
      table_.addresses4().prefetch(hashes4[n4++]);
      table_.prefetch_block4(value);
    }
  };
  for (size_t& i = talks_gathered_; i < talks_.size(); ++i) {
    const Talk& t = talks_[i];
    if (t.event == kNoEvent) continue;
    take(t.flow.src, t.event);
    take(t.flow.dst, t.event);
  }
  for (size_t& i = said_gathered_; i < said_.size(); ++i) take(said_[i].address, said_[i].event);
  v4_.cut(n4);
  v6_.cut(n6);
}

void PacketFilter::gather_names() {
  size_t kept = names_.size();
  for (size_t& i = heard_gathered_; i < heard_.size(); ++i) {
    Name n = heard_[i];
    std::string_view name = text(n.at, n.size);
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty()) continue;
    // What presentation form escapes, and what is longer than any name, is left to those who look closer.
    if (name.size() > kMaxName || has_escape(name)) {
      need(n.event, true);
      continue;
    }
    const Tail tail = tail_of(name);
    if (tail.one_label) {
      need(n.event, table_.shape().single_labels);
      continue;
    }
    n.size = static_cast<uint16_t>(name.size());
    n.third = tail.three == std::string_view::npos ? kNoThird : static_cast<uint16_t>(tail.three);
    const uint64_t hash = hash_tail(name.data() + name.size(), name.size() - tail.two, name_seed_);
    table_.names().prefetch(hash);
    names_[kept] = n;
    name_hashes_[kept++] = hash;
  }
  names_.cut(kept);
}

// Of the table itself are asked the few to which the filters say maybe.
void PacketFilter::ask() {
  if (table_.keys() == 0) return;
  gather();
  ask_v4();
  ask_v6();
  ask_names();
  ask_table();
}

// To those to which the filter says maybe: sends for what the table will read.
void PacketFilter::ask_v4() {
  maybes_(table_.addresses4(), v4_hashes_.data(), v4_.size(), yes_.data());
  size_t kept = 0;
  for (size_t i = 0; i < v4_.size(); ++i) {
    const uint32_t address = v4_[i].address;
    const bool block = table_.may_be_in_block4(address);
    if (yes_[i] == 0 && !block) continue;
    if (block) table_.prefetch_in_block4(address);
    if (yes_[i] != 0) table_.prefetch_bucket(v4_hashes_[i]);
    v4_[kept++] = v4_[i];
  }
  v4_.cut(kept);
}

void PacketFilter::ask_v6() {
  maybes_(table_.others(), v6_hashes_.data(), v6_.size(), yes_.data());
  size_t kept = 0;
  for (size_t i = 0; i < v6_.size(); ++i) {
    if (yes_[i] == 0 && !table_.may_be_in_block6(v6_[i].address)) continue;
    table_.prefetch_bucket(v6_hashes_[i]);
    v6_[kept++] = v6_[i];
  }
  v6_.cut(kept);
}

// A name is walked from the right, as the table does it. Where keys of everything below a name are rare, most that pass
// their last two labels ("co.jp") end at the third: asked together, too.
void PacketFilter::ask_names() {
  const bool every = table_.shape().single_labels, closely = every || table_.has_below();
  maybes_(table_.names(), name_hashes_.data(), names_.size(), yes_.data());
  size_t kept = 0;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (yes_[i] == 0 && !every) continue;
    const Name n = names_[i];
    if (closely || n.third == kNoThird) {
      need(n.event, table_.concerns_name(text(n.at, n.size), false));
      continue;
    }
    name_hashes_[kept] = hash_tail(texts_.data() + n.at + n.size, static_cast<size_t>(n.size - n.third), name_seed_);
    table_.names().prefetch(name_hashes_[kept]);
    names_[kept++] = n;
  }
  names_.cut(kept);
}

void PacketFilter::ask_table() {
  for (size_t i = 0; i < v4_.size(); ++i) need(v4_[i].event, table_.concerns_v4(v4_[i].address));
  for (size_t i = 0; i < v6_.size(); ++i) need(v6_[i].event, table_.concerns_v6(v6_[i].address));
  maybes_(table_.names(), name_hashes_.data(), names_.size(), yes_.data());
  for (size_t i = 0; i < names_.size(); ++i)
    if (yes_[i] != 0) need(names_[i].event, table_.concerns_name(text(names_[i].at, names_[i].size), false));
}

void PacketFilter::tell(const Event& e) {
  const Seen& seen = packets_[e.packet];
  const packet::Packet p{.time = seen.time, .number = seen.number, .link = seen.link, .length = seen.length};
  const packet::Flow& f = talks_[e.flow].flow;
  switch (e.what) {
    case What::kFlow:
      return next_.on_flow(p, f);
    case What::kQuestion: {
      packet::DnsQuestion q = questions_[e.more];
      q.name = text(e.at, e.size);
      return next_.on_dns_question(p, f, q);
    }
    case What::kAnswer: {
      const Answer& a = answers_[e.more];
      return next_.on_dns_answer(p, f,
                                 {.question = {},
                                  .name = {},
                                  .type = a.type,
                                  .ttl_s = a.ttl_s,
                                  .address = a.address,
                                  .target = text(e.at, e.size),
                                  .id = a.id});
    }
    case What::kName:
      return next_.on_sni(p, f, text(e.at, e.size));
    case What::kHttp: {
      const Request& r = requests_[e.more];
      return next_.on_http(p, f,
                           {.method = text(r.at, r.method_size),
                            .target = text(r.at + r.method_size, r.target_size),
                            .host = text(e.at, e.size)});
    }
  }
}

void PacketFilter::flush() {
  ask();
  for (size_t i = 0; i < events_.size(); ++i)
    if (events_[i].needed) tell(events_[i]);
  events_.clear();
  packets_.clear();
  talks_.clear();
  questions_.clear();
  answers_.clear();
  requests_.clear();
  said_.clear();
  heard_.clear();
  talks_gathered_ = said_gathered_ = heard_gathered_ = 0;
  v4_.clear();
  v6_.clear();
  names_.clear();
  texts_size_ = kTailPad;
}

}  // namespace entente::detect
