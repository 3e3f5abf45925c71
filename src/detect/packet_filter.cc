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

constexpr size_t kPackets = 64;           // asked for at one time: what they show and its filters' lines stay in the L1
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

// Where the last two labels of a name begin, and whether there are two. Requires: 32 readable octets before the name.
struct Tail {
  size_t from = 0;
  bool one_label = false;
};
Tail tail_of(std::string_view name) {
  uint32_t dots = last32(name.data() + name.size(), '.');
  if (name.size() < 32) dots &= ~uint32_t{0} << (32 - name.size());
  const auto place = [&](uint32_t mask) { return name.size() - 1 - static_cast<size_t>(std::countl_zero(mask)); };
  if (dots != 0) {
    const size_t dot = place(dots);
    if (dot == 0) return {};
    dots &= ~(uint32_t{1} << (31 - std::countl_zero(dots)));
    if (dots != 0) return {place(dots) + 1};
    if (name.size() <= 32) return {};
    const size_t above = name.rfind('.', dot - 1);
    return {above == std::string_view::npos ? 0 : above + 1};
  }
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {0, true};
  const size_t above = dot == 0 ? std::string_view::npos : name.rfind('.', dot - 1);
  return {above == std::string_view::npos ? 0 : above + 1};
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
  if (what == What::kFlow || flows_.empty()) flows_.push(f);
  return events_.push(Event{.what = what,
                            .packet = static_cast<uint32_t>(packets_.size() - 1),
                            .flow = static_cast<uint32_t>(flows_.size() - 1)});
}

void PacketFilter::address(const packet::Address& a) {
  const auto event = static_cast<uint32_t>(events_.size() - 1);
  if (a.v6) {
    v6_.push({event, a});
    v6_hashes_.push(hash_v6(a.b.data(), v6_seed_));
    table_.others().prefetch(v6_hashes_.back());
  } else if (const uint32_t value = a.v4_value(); table_.in_known16(value)) {
    v4_.push({event, value});
    v4_hashes_.push(hash_v4(value, v4_seed_));
    table_.addresses4().prefetch(v4_hashes_.back());
    table_.prefetch_block4(value);
  }
}

void PacketFilter::name(std::string_view name) {
  Event& e = events_.back();
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty()) return;
  // What presentation form escapes, and what is longer than any name, is left to those who look closer.
  if (name.size() > kMaxName || std::memchr(name.data(), '\\', name.size()) != nullptr) {
    e.needed = true;
    return;
  }
  const Tail tail = tail_of(name);
  if (tail.one_label) {
    e.needed = e.needed || table_.shape().single_labels;
    return;
  }
  const auto end = static_cast<uint32_t>(name.data() + name.size() - texts_.data());
  names_.push({static_cast<uint32_t>(events_.size() - 1), end, static_cast<uint32_t>(name.size())});
  name_hashes_.push(hash_tail(texts_.data() + end, name.size() - tail.from, name_seed_));
  table_.names().prefetch(name_hashes_.back());
}

void PacketFilter::on_flow(const packet::Packet& p, const packet::Flow& f) {
  // A flow and what is in it are asked for together.
  if (packets_.size() >= kPackets || texts_size_ >= kMaxTexts) flush();
  add(What::kFlow, p, f);
  address(f.src);
  address(f.dst);
}

void PacketFilter::on_dns_question(const packet::Packet& p, const packet::Flow& f, const packet::DnsQuestion& q) {
  if (q.name.empty()) return;
  Event& e = add(What::kQuestion, p, f);
  e.more = static_cast<uint32_t>(questions_.size());
  e.at = keep(q.name);
  e.size = static_cast<uint16_t>(q.name.size());
  questions_.push(q);
  name(text(e.at, e.size));
}

void PacketFilter::on_dns_answer(const packet::Packet& p, const packet::Flow& f, const packet::DnsAnswer& a) {
  Event& e = add(What::kAnswer, p, f);
  e.more = static_cast<uint32_t>(answers_.size());
  e.at = keep(a.target);
  e.size = static_cast<uint16_t>(a.target.size());
  answers_.push(a);
  if (a.type == packet::DnsType::kCname) {
    name(text(e.at, e.size));
  } else {
    address(a.address);
  }
}

void PacketFilter::on_sni(const packet::Packet& p, const packet::Flow& f, std::string_view server_name) {
  Event& e = add(What::kName, p, f);
  e.at = keep(server_name);
  e.size = static_cast<uint16_t>(server_name.size());
  name(text(e.at, e.size));
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
  const std::string_view host = without_port(text(e.at, e.size));
  const bool port_is_plain =
      host.data() + host.size() == text(e.at, e.size).end() || is_plain(text(e.at, e.size).substr(host.size() + 1));
  if (!r.target.starts_with('/') || !is_plain(host) || !port_is_plain) {
    e.needed = true;
  } else if (const auto a = packet::parse_v4(host)) {
    address(*a);
  } else {
    name(host);
  }
}

// What answers was sent for when the value came. Of the table are asked the few to which the filters say maybe.
void PacketFilter::ask() {
  if (table_.keys() == 0) return;
  maybes_(table_.addresses4(), v4_hashes_.data(), v4_.size(), yes_.data());
  for (size_t i = 0; i < v4_.size(); ++i)
    yes_[i] = static_cast<uint8_t>(yes_[i] | (table_.may_be_in_block4(v4_[i].second) ? 1 : 0));
  for (size_t i = 0; i < v4_.size(); ++i)
    if (yes_[i] != 0) need(v4_[i].first, table_.concerns_v4(v4_[i].second));
  maybes_(table_.others(), v6_hashes_.data(), v6_.size(), yes_.data());
  for (size_t i = 0; i < v6_.size(); ++i)
    if (yes_[i] != 0 || table_.may_be_in_block6(v6_[i].address)) need(v6_[i].event, table_.concerns_v6(v6_[i].address));
  ask_names();
}

// A name is walked from the right, as the table does it. Where keys of everything below a name are rare, most that pass
// their last two labels ("co.jp") end at the third: asked together, too.
void PacketFilter::ask_names() {
  const bool every = table_.shape().single_labels;
  maybes_(table_.names(), name_hashes_.data(), names_.size(), yes_.data());
  size_t kept = 0;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (yes_[i] == 0 && !every) continue;
    const Name& n = names_[i];
    const std::string_view whole = text(n.end - n.size, n.size);
    size_t dot = whole.rfind('.');
    if (dot != std::string_view::npos && dot > 0) dot = whole.rfind('.', dot - 1);
    if (every || table_.has_below() || dot == std::string_view::npos || dot == 0) {
      need(n.event, table_.concerns_name(whole, false));
      continue;
    }
    dot = whole.rfind('.', dot - 1);
    const size_t from = dot == std::string_view::npos ? 0 : dot + 1;
    name_hashes_[kept] = hash_tail(texts_.data() + n.end, n.size - from, name_seed_);
    table_.names().prefetch(name_hashes_[kept]);
    names_[kept++] = n;
  }
  maybes_(table_.names(), name_hashes_.data(), kept, yes_.data());
  for (size_t i = 0; i < kept; ++i)
    if (yes_[i] != 0)
      need(names_[i].event, table_.concerns_name(text(names_[i].end - names_[i].size, names_[i].size), false));
}

void PacketFilter::tell(const Event& e) {
  const Seen& seen = packets_[e.packet];
  const packet::Packet p{.time = seen.time, .number = seen.number, .link = seen.link, .length = seen.length};
  const packet::Flow& f = flows_[e.flow];
  switch (e.what) {
    case What::kFlow:
      return next_.on_flow(p, f);
    case What::kQuestion: {
      packet::DnsQuestion q = questions_[e.more];
      q.name = text(e.at, e.size);
      return next_.on_dns_question(p, f, q);
    }
    case What::kAnswer: {
      packet::DnsAnswer a = answers_[e.more];
      a.question = a.name = {};
      a.target = text(e.at, e.size);
      return next_.on_dns_answer(p, f, a);
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
  flows_.clear();
  questions_.clear();
  answers_.clear();
  requests_.clear();
  v4_.clear();
  v4_hashes_.clear();
  v6_.clear();
  v6_hashes_.clear();
  names_.clear();
  name_hashes_.clear();
  texts_size_ = kTailPad;
}

}  // namespace entente::detect
