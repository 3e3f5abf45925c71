// Zeroed memory for what is asked at random places; large pieces on huge pages, where half of the cost of a miss is
// saved (detection.md §2.3).
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <type_traits>

namespace entente::detect {

struct FreeMemory {
  void operator()(void* p) const { std::free(p); }
};
template <class T>
using Zeroed = std::unique_ptr<T[], FreeMemory>;

[[nodiscard]] void* allocate_zeroed(size_t bytes);
// Of memory that is about to be filled: huge pages, as far as they fit into it. A hundredth of the page faults.
void advise_huge(const void* begin, size_t bytes);

template <class T>
[[nodiscard]] Zeroed<T> make_zeroed(size_t n) {
  static_assert(std::is_trivially_copyable_v<T>);
  return Zeroed<T>(static_cast<T*>(allocate_zeroed(n * sizeof(T))));
}

}  // namespace entente::detect
