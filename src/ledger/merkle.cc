#include "ledger/merkle.h"

#include <bit>
#include <cassert>

#include "ledger/internal/pair_hash.h"

namespace entente::ledger {
namespace {

// Largest power of two below n (RFC 6962 §2.1). Requires: n >= 2.
uint64_t split_point(uint64_t n) { return std::bit_floor(n - 1); }

using NodeAt = std::function<Hash(uint64_t level, uint64_t index)>;

// Root of the leaves [from, to), put together from the complete subtrees that cover it, right to left. Requires: from <
// to, and `from` a multiple of a power of two not below to - from (true of every range that a proof names).
Hash range_root(uint64_t from, uint64_t to, const NodeAt& node_at) {
  bool first = true;
  Hash root{};
  while (to > from) {
    const auto level = static_cast<uint64_t>(std::countr_zero(to - from));
    const Hash part = node_at(level, (to >> level) - 1);
    root = first ? part : node_hash(part, root);
    first = false;
    to -= uint64_t{1} << level;
  }
  return root;
}

}  // namespace

Hash leaf_hash(std::string_view entry) { return sha256({std::string_view("\0", 1), entry}); }

Hash node_hash(const Hash& left, const Hash& right) {
  std::array<char, 65> octets;
  octets[0] = 1;
  std::copy(left.begin(), left.end(), octets.begin() + 1);
  std::copy(right.begin(), right.end(), octets.begin() + 33);
  return sha256(std::string_view(octets.data(), octets.size()));
}

Hash empty_root() { return sha256(std::string_view()); }

// Pairs level by level; an odd one at the end goes up as it is. That is the tree that splits at powers of two.
Hash root_of(std::span<const Hash> leaves) {
  if (leaves.empty()) return empty_root();
  std::vector<Hash> level(leaves.begin(), leaves.end());
  while (level.size() > 1) {
    const size_t pairs = level.size() / 2;
    hash_pairs(level.data(), pairs, level.data());
    if (level.size() % 2 != 0) level[pairs] = level.back();
    level.resize((level.size() + 1) / 2);
  }
  return level.front();
}

void Frontier::add(const Hash& leaf) {
  Hash h = leaf;
  // The ones at the low end of size_ are the complete subtrees that this leaf completes to larger ones.
  for (uint64_t n = size_; (n & 1) != 0; n >>= 1) {
    h = node_hash(edge_.back(), h);
    edge_.pop_back();
  }
  edge_.push_back(h);
  ++size_;
}

Hash Frontier::root() const {
  if (edge_.empty()) return empty_root();
  Hash root = edge_.back();
  for (size_t i = edge_.size() - 1; i-- > 0;) root = node_hash(edge_[i], root);
  return root;
}

Hash root_at(uint64_t size, const NodeAt& node_at) { return size == 0 ? empty_root() : range_root(0, size, node_at); }

// RFC 6962 §2.1.1: from the root down, always the sibling; then turned round.
Proof inclusion_proof(uint64_t index, uint64_t size, const NodeAt& node_at) {
  assert(index < size);
  Proof down;
  uint64_t from = 0;
  uint64_t to = size;
  while (to - from > 1) {
    const uint64_t middle = from + split_point(to - from);
    if (index < middle) {
      down.push_back(range_root(middle, to, node_at));
      to = middle;
    } else {
      down.push_back(range_root(from, middle, node_at));
      from = middle;
    }
  }
  return {down.rbegin(), down.rend()};
}

// RFC 6962 §2.1.2.
Proof consistency_proof(uint64_t old_size, uint64_t size, const NodeAt& node_at) {
  assert(old_size <= size);
  if (old_size == 0 || old_size == size) return {};
  Proof down;
  uint64_t from = 0;
  uint64_t to = size;
  while (to != old_size) {
    const uint64_t middle = from + split_point(to - from);
    if (old_size <= middle) {
      down.push_back(range_root(middle, to, node_at));
      to = middle;
    } else {
      down.push_back(range_root(from, middle, node_at));
      from = middle;
    }
  }
  // The old tree itself is known to who asks; a part of it is not.
  if (from != 0) down.push_back(range_root(from, to, node_at));
  return {down.rbegin(), down.rend()};
}

// RFC 9162 §2.1.3.2.
bool verify_inclusion(const Hash& leaf, uint64_t index, uint64_t size, const Proof& proof, const Hash& root) {
  if (index >= size) return false;
  uint64_t fn = index;
  uint64_t sn = size - 1;
  Hash r = leaf;
  for (const Hash& p : proof) {
    if (sn == 0) return false;
    if ((fn & 1) != 0 || fn == sn) {
      r = node_hash(p, r);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      r = node_hash(r, p);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && r == root;
}

// RFC 9162 §2.1.4.2, and the two cases that have no proof: the empty tree, which every tree extends, and equal sizes.
bool verify_consistency(uint64_t old_size, const Hash& old_root, uint64_t size, const Hash& root, const Proof& proof) {
  if (old_size > size) return false;
  if (old_size == size) return proof.empty() && old_root == root;
  if (old_size == 0) return proof.empty() && old_root == empty_root();
  size_t next = 0;
  Hash first = old_root;
  if (!std::has_single_bit(old_size)) {
    if (proof.empty()) return false;
    first = proof[next++];
  }
  uint64_t fn = old_size - 1;
  uint64_t sn = size - 1;
  while ((fn & 1) != 0) {
    fn >>= 1;
    sn >>= 1;
  }
  Hash fr = first;
  Hash sr = first;
  for (; next < proof.size(); ++next) {
    const Hash& c = proof[next];
    if (sn == 0) return false;
    if ((fn & 1) != 0 || fn == sn) {
      fr = node_hash(c, fr);
      sr = node_hash(c, sr);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      sr = node_hash(sr, c);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && fr == old_root && sr == root;
}

}  // namespace entente::ledger
