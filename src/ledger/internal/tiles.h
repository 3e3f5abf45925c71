// Tiles as bytes: what is in a hash tile and in an entry bundle, and where they lie (C2SP tlog-tiles).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "ledger/merkle.h"

namespace entente::ledger {

inline constexpr unsigned kTileWidth = 256;
inline constexpr int kTileHeight = 8;  // 2^8 = 256
inline constexpr int kMaxLevel = 7;    // 2^64 entries need tile levels 0..7
inline constexpr int kEntriesLevel = -1;
inline constexpr size_t kLongestEntry = 65535;
inline constexpr size_t kLargestBundle = kTileWidth * (kLongestEntry + 2);

// How many hashes of tile level `level` a tree of `size` entries has; the last kTileWidth-th part of them is in a
// partial tile.
[[nodiscard]] inline uint64_t hashes_at(int level, uint64_t size) {
  return level * kTileHeight >= 64 ? 0 : size >> (level * kTileHeight);
}

// Folder of tile `n` and all others with the same leading digits, and the folder of its partial forms ("….p").
[[nodiscard]] std::string tile_folder(const std::string& dir, int level, uint64_t n);
[[nodiscard]] std::string partial_folder(const std::string& dir, int level, uint64_t n);

void put_entry(std::string& bundle, std::string_view entry);

// Eats entries off a bundle: uint16 big-endian length, then the entry.
class BundleReader {
 public:
  explicit BundleReader(std::string_view bundle) : rest_(bundle), size_(bundle.size()) {}
  // nullopt at the end, and when the rest is no whole entry (then !clean()).
  std::optional<std::string_view> next();
  [[nodiscard]] bool clean() const { return rest_.empty(); }
  [[nodiscard]] size_t offset() const { return size_ - rest_.size(); }

 private:
  std::string_view rest_;
  size_t size_;
};

void put_hash(std::string& tile, const Hash& h);
// nullopt if the length is no multiple of 32 or above 256 hashes.
[[nodiscard]] std::optional<std::vector<Hash>> parse_hashes(std::string_view tile);

// Reads a file that must not be larger than `limit`; kCorrupt if it is.
[[nodiscard]] Result<std::string> read_bounded(Files& files, const std::string& path, size_t limit);

// Widths of the partial forms of a tile that are there, ascending; other names are left out.
[[nodiscard]] std::vector<unsigned> partial_widths(Files& files, const std::string& dir, int level, uint64_t n);

}  // namespace entente::ledger
