#include "packet/internal/fragments.h"

#include <iterator>

namespace entente::packet {
namespace {

constexpr size_t kMaxDatagram = 65535;
constexpr size_t kMaxPieces = 128;                        // 65,535 octets in pieces of 512
constexpr int64_t kLifetimeUs = int64_t{60} * 1'000'000;  // RFC 8200 §4.5
constexpr size_t kPieceCost = 96;                         // of the map, so that tiny pieces do not escape the limit

}  // namespace

Fragments::Fit Fragments::fit(const Datagram& d, uint32_t offset, std::string_view bytes) {
  const auto next = d.pieces.lower_bound(offset);
  if (next != d.pieces.end()) {
    if (next->first == offset && next->second == bytes) return Fit::kRepeated;
    if (next->first < offset + bytes.size()) return Fit::kOverlap;
  }
  if (next != d.pieces.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second.size() > offset) return Fit::kOverlap;
  }
  return Fit::kNew;
}

void Fragments::refuse(Datagram& d) {
  if (!d.refused) ++counters_->fragments_refused;
  d.refused = true;
  for (const auto& [offset, bytes] : d.pieces) bytes_ -= bytes.size() + kPieceCost;
  d.pieces.clear();
}

void Fragments::drop(Map::iterator it) {
  for (const auto& [offset, bytes] : it->second.pieces) bytes_ -= bytes.size() + kPieceCost;
  turns_.erase(it->second.turn);
  map_.erase(it);
}

Fragments::Map::iterator Fragments::find_or_open(const Key& key, Time time) {
  auto it = map_.find(key);
  // A number is used again after a while; what is left of its last use would only spoil the new one.
  if (it != map_.end() && time.us - it->second.since.us > kLifetimeUs) {
    refuse(it->second);
    drop(it);
    it = map_.end();
  }
  if (it != map_.end()) return it;
  while (map_.size() >= max_datagrams_) {
    const auto oldest = map_.find(turns_.front());
    refuse(oldest->second);
    drop(oldest);
  }
  const auto turn = turns_.insert(turns_.end(), key);
  it = map_.emplace(key, Datagram{}).first;
  it->second.since = time;
  it->second.turn = turn;
  return it;
}

bool Fragments::add(const IpPacket& piece, Time time, std::string& bytes, uint8_t& protocol) {
  const bool v6 = piece.flow.src.v6;
  const auto it = find_or_open(
      {piece.flow.network, piece.flow.src, piece.flow.dst, piece.id, v6 ? uint8_t{0} : piece.flow.protocol}, time);
  Datagram& d = it->second;
  if (d.refused) return false;

  const size_t size = piece.payload.size(), end = piece.offset + size;
  // What the capture cut off is missing in the middle of the datagram.
  const bool fits = !piece.cut && size > 0 && end <= kMaxDatagram && (!piece.more || size % 8 == 0) &&
                    (d.total == 0 || (end <= d.total && (piece.more || end == d.total)));
  const Fit how = fits ? fit(d, piece.offset, piece.payload) : Fit::kOverlap;
  if (how == Fit::kRepeated) return false;
  // The last piece must lie behind all that came.
  const bool behind = piece.more || d.pieces.empty() || d.pieces.rbegin()->first < piece.offset;
  if (how == Fit::kOverlap || !behind || d.pieces.size() >= kMaxPieces) {
    refuse(d);
    return false;
  }
  if (!piece.more) d.total = end;
  if (piece.offset == 0) d.protocol = piece.flow.protocol;
  d.pieces.emplace(piece.offset, piece.payload);
  d.have += size;
  bytes_ += size + kPieceCost;

  if (d.total == 0 || d.have != d.total) {
    while (bytes_ > max_bytes_) {  // the oldest goes, at last this one
      const auto oldest = map_.find(turns_.front());
      refuse(oldest->second);
      drop(oldest);
    }
    return false;
  }
  bytes.clear();
  for (const auto& [offset, part] : d.pieces) bytes += part;
  protocol = d.protocol;
  drop(it);
  return true;
}

}  // namespace entente::packet
