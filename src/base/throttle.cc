#include "base/throttle.h"

#include <algorithm>
#include <cmath>

namespace entente {

double Throttle::left(const Bucket& b, int64_t now_us) const {
  return std::min(burst_, b.left + static_cast<double>(std::max<int64_t>(0, now_us - b.at_us)) * 1e-6 * per_second_);
}

bool Throttle::take(std::string_view key, int64_t now_us) {
  const std::lock_guard lock(mutex_);
  auto it = buckets_.find(key);
  if (it == buckets_.end()) {
    if (buckets_.size() >= max_keys_) {
      // Those that are full again say nothing; if none is, the quietest goes.
      std::erase_if(buckets_, [&](const auto& entry) { return left(entry.second, now_us) >= burst_; });
      if (buckets_.size() >= max_keys_) {
        buckets_.erase(std::min_element(buckets_.begin(), buckets_.end(),
                                        [](const auto& a, const auto& b) { return a.second.at_us < b.second.at_us; }));
      }
    }
    it = buckets_.emplace(std::string(key), Bucket{burst_, now_us}).first;
  }
  Bucket& b = it->second;
  b.left = left(b, now_us);
  b.at_us = std::max(b.at_us, now_us);
  if (b.left < 1) return false;
  b.left -= 1;
  return true;
}

bool Throttle::would(std::string_view key, int64_t now_us) const { return wait_seconds(key, now_us) == 0; }

int64_t Throttle::wait_seconds(std::string_view key, int64_t now_us) const {
  const std::lock_guard lock(mutex_);
  const auto it = buckets_.find(key);
  if (it == buckets_.end()) return 0;
  const double missing = 1 - left(it->second, now_us);
  return missing <= 0 ? 0 : std::max<int64_t>(1, static_cast<int64_t>(std::ceil(missing / per_second_)));
}

size_t Throttle::keys() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

}  // namespace entente
