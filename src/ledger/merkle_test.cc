#include "ledger/merkle.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "ledger/internal/pair_hash.h"

namespace entente::ledger {
namespace {

std::string h(const Hash& x) { return hex(view(x)); }

// The eight leaves that Certificate Transparency's own tests use.
std::vector<Hash> known_leaves() {
  std::vector<Hash> out;
  for (const char* entry :
       {"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}) {
    out.push_back(leaf_hash(unhex(entry).value()));
  }
  return out;
}

TEST(Merkle, KnownRoots) {
  const char* roots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                         "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                         "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                         "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                         "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                         "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                         "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  const auto leaves = known_leaves();
  for (size_t n = 1; n <= 8; ++n) EXPECT_EQ(h(root_of(std::span(leaves).first(n))), roots[n - 1]) << n;
  EXPECT_EQ(h(empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(root_of({}), empty_root());
}

// RFC 6962 §2.1 and §2.1.1 and §2.1.2 word for word: the oracle.
Hash mth(std::span<const Hash> d) {
  if (d.empty()) return empty_root();
  if (d.size() == 1) return d[0];
  size_t k = 1;
  while (k * 2 < d.size()) k *= 2;
  return node_hash(mth(d.first(k)), mth(d.subspan(k)));
}
Proof path(size_t m, std::span<const Hash> d) {
  if (d.size() == 1) return {};
  size_t k = 1;
  while (k * 2 < d.size()) k *= 2;
  Proof p = m < k ? path(m, d.first(k)) : path(m - k, d.subspan(k));
  p.push_back(m < k ? mth(d.subspan(k)) : mth(d.first(k)));
  return p;
}
Proof subproof(size_t m, std::span<const Hash> d, bool b) {
  if (m == d.size()) return b ? Proof{} : Proof{mth(d)};
  size_t k = 1;
  while (k * 2 < d.size()) k *= 2;
  Proof p = m <= k ? subproof(m, d.first(k), b) : subproof(m - k, d.subspan(k), false);
  p.push_back(m <= k ? mth(d.subspan(k)) : mth(d.first(k)));
  return p;
}

std::vector<Hash> leaves(size_t n) {
  std::vector<Hash> out;
  for (size_t i = 0; i < n; ++i) out.push_back(leaf_hash("entry " + std::to_string(i)));
  return out;
}

class EverySize : public testing::Test {
 protected:
  std::vector<Hash> all_ = leaves(70);
  std::function<Hash(uint64_t, uint64_t)> node_at_ = [this](uint64_t level, uint64_t index) {
    return mth(std::span(all_).subspan(index << level, size_t{1} << level));
  };
};

TEST_F(EverySize, RootsAndInclusionProofsAreThoseOfTheRfc) {
  for (size_t n = 1; n <= all_.size(); ++n) {
    const auto tree = std::span(all_).first(n);
    const Hash root = mth(tree);
    ASSERT_EQ(root_of(tree), root);
    for (size_t m = 0; m < n; ++m) {
      const Proof p = inclusion_proof(m, n, node_at_);
      ASSERT_EQ(p, path(m, tree)) << m << " of " << n;
      ASSERT_TRUE(verify_inclusion(all_[m], m, n, p, root));
      ASSERT_FALSE(verify_inclusion(all_[m], n, n, p, root));
      if (n > 1) {
        ASSERT_FALSE(verify_inclusion(all_[(m + 1) % n], m, n, p, root));
      }
      Proof longer = p;
      longer.push_back(root);
      ASSERT_FALSE(verify_inclusion(all_[m], m, n, longer, root));
      for (size_t i = 0; i < p.size(); ++i) {
        Proof bad = p;
        bad[i][31] ^= 1;
        ASSERT_FALSE(verify_inclusion(all_[m], m, n, bad, root));
      }
      if (!p.empty()) {
        ASSERT_FALSE(verify_inclusion(all_[m], m, n, Proof(p.begin(), p.end() - 1), root));
      }
    }
  }
}

TEST_F(EverySize, ConsistencyProofsAreThoseOfTheRfc) {
  for (size_t n = 1; n <= all_.size(); ++n) {
    const auto tree = std::span(all_).first(n);
    const Hash root = mth(tree);
    for (size_t m = 1; m <= n; ++m) {
      const Hash old = mth(tree.first(m));
      const Proof p = consistency_proof(m, n, node_at_);
      ASSERT_EQ(p, subproof(m, tree, true)) << m << " to " << n;
      ASSERT_TRUE(verify_consistency(m, old, n, root, p));
      if (m == n) continue;
      Hash other = old;
      other[0] ^= 1;
      ASSERT_FALSE(verify_consistency(m, other, n, root, p));
      ASSERT_FALSE(verify_consistency(m, old, n, other, p));
      ASSERT_FALSE(verify_consistency(n, root, m, old, p));
      for (size_t i = 0; i < p.size(); ++i) {
        Proof bad = p;
        bad[i][0] ^= 0x80;
        ASSERT_FALSE(verify_consistency(m, old, n, root, bad));
      }
      ASSERT_FALSE(verify_consistency(m, old, n, root, Proof(p.begin(), p.end() - 1)));
    }
  }
}

TEST(Merkle, EmptyTreeIsConsistentWithEveryOther) {
  const auto all = leaves(5);
  EXPECT_TRUE(verify_consistency(0, empty_root(), 5, root_of(all), {}));
  EXPECT_FALSE(verify_consistency(0, all[0], 5, root_of(all), {}));
  EXPECT_TRUE(verify_consistency(5, root_of(all), 5, root_of(all), {}));
  EXPECT_FALSE(verify_consistency(5, root_of(all), 5, all[0], {}));
}

RC_GTEST_PROP(Merkle, RandomProofsAreRefused, (uint64_t index, uint64_t size, uint64_t old)) {
  Proof p(*rc::gen::inRange<size_t>(0, 70));
  RC_ASSERT(!verify_inclusion(leaf_hash("x"), index, size, p, leaf_hash("y")));
  RC_ASSERT(!verify_consistency(old, leaf_hash("x"), size, leaf_hash("y"), p));
}

TEST(Frontier, GivesTheRootOfEveryPrefix) {
  const auto all = leaves(70);
  Frontier f;
  EXPECT_EQ(f.root(), empty_root());
  for (size_t n = 1; n <= all.size(); ++n) {
    f.add(all[n - 1]);
    ASSERT_EQ(f.size(), n);
    ASSERT_EQ(f.root(), mth(std::span(all).first(n)));
  }
}

// The instructions of the processor and OpenSSL agree, for one pair and for many, in place as well.
TEST(Merkle, ManyNodesAtOnceAreTheNodesOneByOne) {
  for (size_t pairs = 0; pairs < 140; ++pairs) {
    std::vector<Hash> in(2 * pairs);
    for (Hash& h : in) {
      const std::string r = random_bytes(sizeof(Hash));
      std::copy(r.begin(), r.end(), h.begin());
    }
    std::vector<Hash> expected;
    for (size_t i = 0; i < pairs; ++i) expected.push_back(node_hash(in[2 * i], in[2 * i + 1]));
    std::vector<Hash> out(pairs);
    hash_pairs(in.data(), pairs, out.data());
    EXPECT_EQ(out, expected);
    hash_pairs(in.data(), pairs, in.data());
    in.resize(pairs);
    EXPECT_EQ(in, expected);
  }
}

// A root by pairs is the root that a tree grows to leaf by leaf.
TEST(Merkle, TheRootByPairsIsThatOfTheFrontier) {
  std::vector<Hash> leaves;
  Frontier f;
  EXPECT_EQ(root_of(leaves), f.root());
  for (size_t n = 1; n < 600; ++n) {
    leaves.push_back(leaf_hash(std::to_string(n)));
    f.add(leaves.back());
    ASSERT_EQ(root_of(leaves), f.root()) << n;
  }
}

}  // namespace
}  // namespace entente::ledger
