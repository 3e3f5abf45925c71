#include "detect/internal/memory.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>

#include <sys/mman.h>

namespace entente::detect {

namespace {
constexpr size_t kHuge = 2u << 20;
}  // namespace

void advise_huge(const void* begin, size_t bytes) {
  const auto from = (reinterpret_cast<uintptr_t>(begin) + kHuge - 1) / kHuge * kHuge;
  const auto to = (reinterpret_cast<uintptr_t>(begin) + bytes) / kHuge * kHuge;
  if (to > from) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
}

void* allocate_zeroed(size_t bytes) {
  const size_t align = bytes >= kHuge ? kHuge : 64;
  const size_t rounded = std::max((bytes + align - 1) / align * align, align);
  void* p = std::aligned_alloc(align, rounded);
  if (p == nullptr) throw std::bad_alloc();  // as operator new would: memory is not input
  if (align == kHuge) ::madvise(p, rounded, MADV_HUGEPAGE);
  std::memset(p, 0, rounded);
  return p;
}

}  // namespace entente::detect
