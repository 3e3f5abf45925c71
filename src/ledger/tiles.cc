#include "ledger/internal/tiles.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/bytes.h"
#include "ledger/tile_log.h"

namespace entente::ledger {

std::string tile_path(int level, uint64_t n, unsigned width) {
  std::string number = fmt::format("{:03}", n % 1000);
  for (uint64_t rest = n / 1000; rest > 0; rest /= 1000) number = fmt::format("x{:03}/{}", rest % 1000, number);
  const std::string name = level == kEntriesLevel ? "entries" : std::to_string(level);
  const std::string full = "tile/" + name + "/" + number;
  return width >= kTileWidth ? full : full + ".p/" + std::to_string(width);
}

std::string tile_folder(const std::string& dir, int level, uint64_t n) {
  const std::string path = dir + "/" + tile_path(level, n, kTileWidth);
  return path.substr(0, path.rfind('/'));
}

std::string partial_folder(const std::string& dir, int level, uint64_t n) {
  return dir + "/" + tile_path(level, n, kTileWidth) + ".p";
}

void put_entry(std::string& bundle, std::string_view entry) {
  put_u16(bundle, static_cast<uint16_t>(entry.size()));
  bundle += entry;
}

std::optional<std::string_view> BundleReader::next() {
  if (rest_.size() < 2) return std::nullopt;
  const size_t n = static_cast<size_t>(static_cast<uint8_t>(rest_[0])) << 8 | static_cast<uint8_t>(rest_[1]);
  if (n == 0 || rest_.size() - 2 < n) return std::nullopt;
  const auto entry = rest_.substr(2, n);
  rest_.remove_prefix(2 + n);
  return entry;
}

void put_hash(std::string& tile, const Hash& h) { tile += view(h); }

std::optional<std::vector<Hash>> parse_hashes(std::string_view tile) {
  if (tile.size() % sizeof(Hash) != 0 || tile.size() > kTileWidth * sizeof(Hash)) return std::nullopt;
  std::vector<Hash> out(tile.size() / sizeof(Hash));
  for (size_t i = 0; i < out.size(); ++i) {
    const auto part = tile.substr(i * sizeof(Hash), sizeof(Hash));
    std::copy(part.begin(), part.end(), out[i].begin());
  }
  return out;
}

Result<std::string> read_bounded(Files& files, const std::string& path, size_t limit) {
  TRY(const uint64_t size, files.size(path));
  if (size > limit) return make_error(ErrorKind::kCorrupt, "file larger than a tile can be", path);
  return files.read(path);
}

std::vector<unsigned> partial_widths(Files& files, const std::string& dir, int level, uint64_t n) {
  std::vector<unsigned> out;
  const auto names = files.list(partial_folder(dir, level, n));
  if (!names.ok()) return out;
  for (const std::string& name : *names) {
    unsigned w = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), w);
    if (error == std::errc() && end == name.data() + name.size() && w >= 1 && w < kTileWidth &&
        std::to_string(w) == name)
      out.push_back(w);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Status read_entries(Files& files, const std::string& dir, uint64_t from, uint64_t to,
                    const std::function<bool(uint64_t, std::string_view)>& fn) {
  if (from >= to) return {};
  for (uint64_t n = from / kTileWidth; n <= (to - 1) / kTileWidth; ++n) {
    const uint64_t first = n * kTileWidth;
    const auto wanted = static_cast<unsigned>(std::min<uint64_t>(to - first, kTileWidth));
    unsigned width = kTileWidth;
    if (!files.exists(dir + "/" + tile_path(kEntriesLevel, n, kTileWidth))) {
      // The narrowest bundle that has them all, else the widest there is.
      const auto widths = partial_widths(files, dir, kEntriesLevel, n);
      const auto enough = std::lower_bound(widths.begin(), widths.end(), wanted);
      if (widths.empty())
        return make_error(ErrorKind::kNotFound, fmt::format("no entry {}", std::max(from, first)), dir);
      width = enough == widths.end() ? widths.back() : *enough;
    }
    const std::string path = dir + "/" + tile_path(kEntriesLevel, n, width);
    TRY(const std::string bundle, read_bounded(files, path, kLargestBundle));
    BundleReader in(bundle);
    for (uint64_t i = first; i < first + wanted; ++i) {
      const auto entry = in.next();
      if (!entry) {
        if (in.clean()) return make_error(ErrorKind::kNotFound, fmt::format("no entry {}", i), path);
        return make_error(ErrorKind::kCorrupt, fmt::format("entry {} is cut off", i), path);
      }
      if (i >= from && !fn(i, *entry)) return {};
    }
  }
  return {};
}

}  // namespace entente::ledger
