// Which of many needles may stand in a text, and where: one pass that looks at every few octets only. Of each needle a
// window of fixed length is kept, chosen to be rare among all of them; one of the overlapping grams of the window has
// to lie on a position that is looked at. Nearly every position fails at a bitmap; what passes is compared with the
// windows by hash, and the caller compares the whole. Letters are told apart without regard to case, and some other
// octets not at all (0x20 is set in all): what is reported may stand there, what is not reported does not.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace entente::agreement::internal {

class Sieve {
 public:
  // Requires: 3 <= gram <= window <= 8.
  Sieve(size_t window, size_t gram) : gram_(gram) { set_window(window); }

  // Before the first add, if all needles turn out to be longer.
  void set_window(size_t window);
  [[nodiscard]] size_t window() const { return window_; }

  // `number` and the window's offset are given back. `base64`: '-' and '_' may stand for '+' and '/'. Requires: text is
  // as long as a window.
  void add(std::string_view text, uint32_t number, bool base64 = false);
  void compile();
  [[nodiscard]] bool empty() const { return candidates_.empty() && hooks_.empty(); }

  // fn(number, offset of the window in the needle, where the window stands in the text).
  template <class Fn>
  void scan(std::string_view text, Fn fn) const;

 private:
  struct Candidate {  // one window of a needle; those of one needle stand together
    uint64_t key;
    uint32_t number, offset;
    bool first;       // of its needle
    uint8_t special;  // octets of the window that base64url writes in another way
  };
  struct Hook {
    uint64_t key;
    uint32_t number, offset;
    uint32_t next;  // 1 + index of the next with the same key
  };
  static constexpr uint64_t kCase = 0x2020202020202020u;
  static constexpr size_t kMostCandidates = 5;

  [[nodiscard]] uint64_t load(const char* at) const {
    uint64_t k = 0;
    std::memcpy(&k, at, 8);
    return k | kCase;
  }
  // Of the last octets of a text, eight at most.
  [[nodiscard]] static uint64_t load_some(std::string_view octets) {
    uint64_t k = 0;
    std::memcpy(&k, octets.data(), octets.size());
    return k | kCase;
  }
  [[nodiscard]] static uint64_t mixed(uint64_t key) { return key * 0x9e3779b97f4a7c15u; }
  [[nodiscard]] static uint64_t mask(size_t octets) {
    return octets >= 8 ? ~uint64_t{0} : (uint64_t{1} << 8 * octets) - 1;
  }
  void choose(std::vector<Candidate>& out) const;
  void add_hook(const Candidate& c);
  template <class Fn>
  void at_gram(std::string_view text, size_t p, Fn& fn) const;

  size_t window_ = 8, gram_ = 5, step_ = 4;
  uint64_t window_mask_ = 0, gram_mask_ = 0;
  std::vector<Candidate> candidates_;  // until compile()
  std::vector<Hook> hooks_;
  std::vector<uint64_t> bitmap_;  // of grams
  int bitmap_shift_ = 0;
  std::vector<uint32_t> slots_;  // 1 + index of a hook, open addressing by window
  int slot_shift_ = 0;
};

template <class Fn>
void Sieve::at_gram(std::string_view text, size_t p, Fn& fn) const {
  for (size_t k = 0; k < step_; ++k) {
    if (p < k || p - k + window_ > text.size()) continue;
    const char* at = text.data() + (p - k);
    const uint64_t key = (p - k + 8 <= text.size() ? load(at) : load_some(text.substr(p - k))) & window_mask_;
    for (uint64_t s = mixed(key) >> slot_shift_;; s = (s + 1) & (slots_.size() - 1)) {
      const uint32_t first = slots_[s];
      if (first == 0) break;
      if (hooks_[first - 1].key != key) continue;
      for (uint32_t h = first; h != 0; h = hooks_[h - 1].next)
        fn(hooks_[h - 1].number, size_t{hooks_[h - 1].offset}, p - k);
      break;
    }
  }
}

template <class Fn>
void Sieve::scan(std::string_view text, Fn fn) const {
  if (hooks_.empty() || text.size() < window_) return;
  const char* begin = text.data();
  size_t p = 0;
  for (; p + 8 <= text.size(); p += step_) {
    const uint64_t slot = mixed(load(begin + p) & gram_mask_) >> bitmap_shift_;
    if ((bitmap_[slot / 64] >> (slot % 64) & 1) != 0) at_gram(text, p, fn);
  }
  for (; p + gram_ <= text.size(); p += step_) {
    const uint64_t slot = mixed(load_some(text.substr(p)) & gram_mask_) >> bitmap_shift_;
    if ((bitmap_[slot / 64] >> (slot % 64) & 1) != 0) at_gram(text, p, fn);
  }
}

}  // namespace entente::agreement::internal
