#include "detect/internal/memory.h"

#include <algorithm>
#include <cstring>
#include <new>

#include <sys/mman.h>

namespace entente::detect {

void* allocate_zeroed(size_t bytes) {
  constexpr size_t kHuge = 2u << 20;
  const size_t align = bytes >= 2 * kHuge ? kHuge : 64;
  const size_t rounded = std::max((bytes + align - 1) / align * align, align);
  void* p = std::aligned_alloc(align, rounded);
  if (p == nullptr) throw std::bad_alloc();  // as operator new would: memory is not input
  if (align == kHuge) ::madvise(p, rounded, MADV_HUGEPAGE);
  std::memset(p, 0, rounded);
  return p;
}

}  // namespace entente::detect
