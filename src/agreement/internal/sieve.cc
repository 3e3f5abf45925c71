#include "agreement/internal/sieve.h"

#include <algorithm>
#include <bit>

namespace entente::agreement::internal {

void Sieve::set_window(size_t window) {
  window_ = window;
  step_ = window - gram_ + 1;
  window_mask_ = mask(window_);
  gram_mask_ = mask(gram_);
}

void Sieve::add(std::string_view text, uint32_t number, bool base64) {
  if (text.size() < window_) return;
  const size_t last = text.size() - window_;
  const size_t stride = last / kMostCandidates + 1;
  bool first = true;
  for (size_t back = 0; back <= last; back += stride) {  // from the end: beginnings are more often alike
    const std::string_view at = text.substr(last - back, window_);
    const auto special =
        base64 ? std::ranges::count_if(at, [](char c) { return c == '+' || c == '/'; }) : std::ptrdiff_t{0};
    candidates_.push_back({load_some(at) & window_mask_, number, static_cast<uint32_t>(last - back), first,
                           static_cast<uint8_t>(special)});
    first = false;
  }
}

// The rarest window of each needle.
void Sieve::choose(std::vector<Candidate>& out) const {
  // How often each window occurs; a collision only makes the choice a little worse.
  const int bits = std::clamp(static_cast<int>(std::bit_width(candidates_.size() * 2)), 10, 22);
  std::vector<uint16_t> seen(size_t{1} << bits, 0);
  const auto count = [&](const Candidate& c) -> uint16_t& { return seen[mixed(c.key) >> (64 - bits)]; };
  for (const Candidate& c : candidates_)
    if (uint16_t& n = count(c); n < UINT16_MAX) ++n;
  const auto order = [&](const Candidate& c) { return std::pair(c.special, count(c)); };
  for (size_t i = 0, next = 0; i < candidates_.size(); i = next) {
    size_t best = i;
    for (next = i + 1; next < candidates_.size() && !candidates_[next].first; ++next)
      if (order(candidates_[next]) < order(candidates_[best])) best = next;
    out.push_back(candidates_[best]);
    // The other spellings of its special octets, if it has any.
    const size_t begin = out.size() - 1;
    for (size_t k = 0; out[begin].special > 0 && k < window_; ++k) {
      const auto octet = static_cast<char>(out[begin].key >> 8 * k & 0xff);
      if (octet != '+' && octet != '/') continue;
      const uint64_t other = static_cast<uint64_t>(octet == '+' ? '-' : '_' | 0x20);
      for (size_t n = begin, end = out.size(); n < end; ++n) {
        Candidate c = out[n];
        c.key = (c.key & ~(uint64_t{0xff} << 8 * k)) | other << 8 * k;
        out.push_back(c);
      }
    }
  }
}

void Sieve::add_hook(const Candidate& c) {
  for (size_t k = 0; k < step_; ++k) {
    const uint64_t slot = mixed(c.key >> 8 * k & gram_mask_) >> bitmap_shift_;
    bitmap_[slot / 64] |= uint64_t{1} << (slot % 64);
  }
  hooks_.push_back({c.key, c.number, c.offset, 0});
  const auto index = static_cast<uint32_t>(hooks_.size());
  for (uint64_t s = mixed(c.key) >> slot_shift_;; s = (s + 1) & (slots_.size() - 1)) {
    if (slots_[s] == 0) {
      slots_[s] = index;
      return;
    }
    Hook& other = hooks_[slots_[s] - 1];
    if (other.key != c.key) continue;
    hooks_.back().next = other.next;
    other.next = index;
    return;
  }
}

void Sieve::compile() {
  if (candidates_.empty()) return;
  std::vector<Candidate> chosen;
  choose(chosen);
  candidates_ = {};
  const int bits = std::clamp(static_cast<int>(std::bit_width(chosen.size() * step_ * 16)), 12, 24);
  bitmap_shift_ = 64 - bits;
  bitmap_.assign((size_t{1} << bits) / 64, 0);
  const int slot_bits = std::max(4, static_cast<int>(std::bit_width(chosen.size() * 2)));
  slot_shift_ = 64 - slot_bits;
  slots_.assign(size_t{1} << slot_bits, 0);
  hooks_.reserve(chosen.size());
  for (const Candidate& c : chosen) add_hook(c);
}

}  // namespace entente::agreement::internal
