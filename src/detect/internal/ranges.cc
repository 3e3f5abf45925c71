#include "detect/internal/ranges.h"

#include <algorithm>

namespace entente::detect {
namespace {

// Blocks nest or are apart: sorted by first, then longest first, a block inside the one before is dropped.
template <class Range>
std::vector<Range> merge(std::vector<Range> blocks) {
  std::sort(blocks.begin(), blocks.end(),
            [](const Range& a, const Range& b) { return a.first != b.first ? a.first < b.first : a.last > b.last; });
  std::vector<Range> out;
  for (const Range& b : blocks) {
    if (!out.empty() && b.first <= out.back().last) {
      out.back().last = std::max(out.back().last, b.last);
    } else {
      out.push_back(b);
    }
  }
  out.shrink_to_fit();
  return out;
}

}  // namespace

Ranges4::Ranges4(std::vector<Range4> blocks) : ranges_(merge(std::move(blocks))) {
  if (ranges_.size() < 64) return;  // a search of six steps needs no index
  index_.resize(65537);
  uint32_t r = 0;
  for (uint32_t i = 0; i < 65536; ++i) {
    while (r < ranges_.size() && ranges_[r].last < i << 16) ++r;
    index_[i] = r;
  }
  index_[65536] = static_cast<uint32_t>(ranges_.size());
  if (ranges_.size() < kManyRanges) return;
  touched_ = make_zeroed<uint64_t>(kTouchedWords);
  for (const Range4& range : ranges_)
    for (uint32_t i = range.first >> 8; i <= range.last >> 8; ++i) touched_[i >> 6] |= uint64_t{1} << (i & 63);
}

bool Ranges4::contains(uint32_t address) const {
  if (touched_ && (touched_[address >> 14] >> (address >> 8 & 63) & 1) == 0) return false;
  auto from = ranges_.begin(), to = ranges_.end();
  if (!index_.empty()) {
    from = ranges_.begin() + index_[address >> 16];
    to = ranges_.begin() + std::min<size_t>(index_[(address >> 16) + 1] + size_t{1}, ranges_.size());
  }
  const auto it = std::partition_point(from, to, [&](const Range4& r) { return r.last < address; });
  return it != to && it->first <= address;
}

Ranges6::Ranges6(std::vector<Range6> blocks) : ranges_(merge(std::move(blocks))) {}

bool Ranges6::contains(const Octets6& address) const {
  const auto it =
      std::partition_point(ranges_.begin(), ranges_.end(), [&](const Range6& r) { return r.last < address; });
  return it != ranges_.end() && it->first <= address;
}

}  // namespace entente::detect
