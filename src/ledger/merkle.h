// RFC 6962 §2.1 tree: leaf SHA-256(0x00 ‖ entry), node SHA-256(0x01 ‖ left ‖ right). Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"

namespace entente::ledger {

using Hash = Digest;

[[nodiscard]] Hash leaf_hash(std::string_view entry);
[[nodiscard]] Hash node_hash(const Hash& left, const Hash& right);
[[nodiscard]] Hash empty_root();
[[nodiscard]] Hash root_of(std::span<const Hash> leaves);

// Append-only tree that keeps only its right edge: O(log n) memory.
class Frontier {
 public:
  void add(const Hash& leaf);
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] Hash root() const;

 private:
  uint64_t size_ = 0;
  std::vector<Hash> edge_;
};

using Proof = std::vector<Hash>;
// `leaf_at(i)` gives leaf hashes; `subtree` hashes may be cached by the caller behind it.
[[nodiscard]] Proof inclusion_proof(uint64_t index, uint64_t size,
                                    const std::function<Hash(uint64_t level, uint64_t index)>& node_at);
[[nodiscard]] Proof consistency_proof(uint64_t old_size, uint64_t size,
                                      const std::function<Hash(uint64_t level, uint64_t index)>& node_at);
// Root of the first `size` leaves.
[[nodiscard]] Hash root_at(uint64_t size, const std::function<Hash(uint64_t level, uint64_t index)>& node_at);
[[nodiscard]] bool verify_inclusion(const Hash& leaf, uint64_t index, uint64_t size, const Proof& proof,
                                    const Hash& root);
[[nodiscard]] bool verify_consistency(uint64_t old_size, const Hash& old_root, uint64_t size, const Hash& root,
                                      const Proof& proof);

}  // namespace entente::ledger
