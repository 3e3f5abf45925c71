#include "packet/internal/streams.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace entente::packet {
namespace {

constexpr size_t kMaxRanges = 16;

uint64_t mix(uint64_t a, uint64_t b) {
  const unsigned __int128 p = static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd1b54a32d192ed03u);
  return static_cast<uint64_t>(p) ^ static_cast<uint64_t>(p >> 64);
}

uint64_t load(const uint8_t* p) {
  uint64_t v = 0;
  std::memcpy(&v, p, sizeof v);
  return v;
}

}  // namespace

bool Stream::add(uint32_t sequence, std::string_view payload, size_t limit) {
  const auto distance = static_cast<int32_t>(sequence - base_);  // RFC 9293 §3.4: modulo 2^32
  size_t begin = 0;
  if (distance < 0) {
    const auto before = static_cast<size_t>(-int64_t{distance});
    if (before >= payload.size()) return true;  // a repetition of what lies before the beginning, or a keep-alive
    payload.remove_prefix(before);
  } else {
    begin = static_cast<size_t>(distance);
  }
  if (begin >= limit) return false;
  payload = payload.substr(0, limit - begin);
  const size_t end = begin + payload.size();
  if (payload.empty()) return true;
  if (bytes_.size() < end) bytes_.resize(end);

  size_t at = begin;
  for (const Range& r : ranges_) {
    if (r.end <= at) continue;
    if (r.begin >= end) break;
    if (r.begin > at) std::memcpy(bytes_.data() + at, payload.data() + (at - begin), r.begin - at);
    at = r.end;
  }
  if (at < end) std::memcpy(bytes_.data() + at, payload.data() + (at - begin), end - at);

  Range merged{begin, end};
  std::erase_if(ranges_, [&](const Range& r) {
    if (r.end < begin || r.begin > end) return false;
    merged.begin = std::min(merged.begin, r.begin);
    merged.end = std::max(merged.end, r.end);
    return true;
  });
  const auto place =
      std::find_if(ranges_.begin(), ranges_.end(), [&](const Range& r) { return r.begin > merged.begin; });
  ranges_.insert(place, merged);
  return ranges_.size() <= kMaxRanges;
}

std::string_view Stream::contiguous() const {
  if (ranges_.empty() || ranges_.front().begin != 0) return {};
  return std::string_view(bytes_).substr(0, ranges_.front().end);
}

size_t Streams::Hash::operator()(const Flow& flow) const noexcept {
  uint64_t h = mix(seed, (uint64_t{flow.src_port} << 16 | flow.dst_port) ^ flow.network);
  h = mix(h ^ load(flow.src.b.data()), load(flow.src.b.data() + 8) + 1);
  return mix(h ^ load(flow.dst.b.data()), load(flow.dst.b.data() + 8) + 1);
}

bool Streams::Equal::operator()(const Flow& a, const Flow& b) const noexcept {
  return a.src_port == b.src_port && a.dst_port == b.dst_port && a.src == b.src && a.dst == b.dst &&
         a.network == b.network;
}

// The seed is secret, so that a sender cannot choose ports which all fall into one bucket.
Streams::Streams(size_t max_streams, Counters& counters)
    : max_(std::max<size_t>(max_streams, 1)), counters_(&counters), map_(16, Hash{std::random_device{}() | 1u}) {}

// Not secret: who makes all flows fall onto one place gains the lookup that there would be without.
size_t Streams::place(const Flow& flow) {
  const size_t at = flow.src.v6 ? 12 : 0;
  uint32_t a = 0, b = 0;
  std::memcpy(&a, flow.src.b.data() + at, 4);
  std::memcpy(&b, flow.dst.b.data() + at, 4);
  const uint64_t h = (uint64_t{a} << 32 ^ b ^ uint64_t{flow.src_port} << 16 ^ flow.dst_port) * 0x9e3779b97f4a7c15u;
  return h >> 51;
}

Stream* Streams::find(const Flow& flow) {
  if (map_.empty() || places_[place(flow)] == 0) return nullptr;
  const auto it = map_.find(flow);
  if (it == map_.end()) return nullptr;
  turns_.splice(turns_.end(), turns_, it->second.turn);
  return &it->second.stream;
}

Stream& Streams::open(const Flow& flow, uint32_t base) {
  close(flow);
  if (map_.size() >= max_) {
    const Flow oldest = turns_.front();
    close(oldest);
    ++counters_->streams_evicted;
  }
  ++counters_->streams_held;
  ++places_[place(flow)];
  const auto turn = turns_.insert(turns_.end(), flow);
  return map_.emplace(flow, Entry{Stream(base), turn}).first->second.stream;
}

void Streams::close(const Flow& flow) {
  if (places_[place(flow)] == 0) return;
  const auto it = map_.find(flow);
  if (it == map_.end()) return;
  --places_[place(flow)];
  const auto turn = it->second.turn;
  map_.erase(it);
  turns_.erase(turn);
}

}  // namespace entente::packet
