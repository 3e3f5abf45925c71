// The full audit of a ledger folder. It trusts only the log's key: every entry is hashed, every hash tile at every
// level is compared with what the entries give, every partial tile with the tile that it is a beginning of, and the
// root with the signed one.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "ledger/internal/tiles.h"
#include "ledger/tile_log.h"

namespace entente::ledger {
namespace {

constexpr size_t kLargestTile = kTileWidth * sizeof(Hash);
constexpr size_t kLargestCheckpoint = 64 * 1024;

class Auditor {
 public:
  Auditor(Files& files, const std::string& dir) : files_(files), dir_(dir) {}

  AuditReport run(const std::string& origin, const PublicKey& log_key) {
    const auto note = read_bounded(files_, dir_ + "/checkpoint", kLargestCheckpoint);
    if (!note.ok()) return problem("no checkpoint: " + note.error().text());
    const auto c = open_checkpoint(*note, origin, log_key);
    if (!c.ok()) return problem(c.error().text());
    report_.checkpoint = *c;
    size_ = c->size;

    const uint64_t bundles = (size_ + kTileWidth - 1) / kTileWidth;
    for (uint64_t n = 0; n < bundles; ++n) {
      // A bundle that cannot be read to its end leaves nothing to hash the rest with.
      if (!bundle(n)) return finish(false);
    }
    return finish(whole_.root() == c->root);
  }

 private:
  AuditReport problem(std::string text) {
    report_.ok = false;
    if (report_.problem.empty()) report_.problem = std::move(text);
    return report_;
  }

  // Entries that hash to the signed root are proven good; then what differs is the tile.
  AuditReport finish(bool root_fits) {
    report_.entries = whole_.size();
    if (bad_bundle_) {
      report_.bad_entry = bad_bundle_;
      return problem(bad_bundle_text_);
    }
    if (root_fits) {
      if (!bad_tile_.empty()) return problem(bad_tile_);
      if (!bad_partial_.empty()) {
        report_.bad_entry = bad_partial_entry_;
        return problem(bad_partial_);
      }
      report_.ok = true;
      return report_;
    }
    if (bad_leaf_) {
      report_.bad_entry = bad_leaf_;
      return problem(bad_leaf_text_);
    }
    if (!bad_tile_.empty()) return problem(bad_tile_);
    return problem("entries and tiles agree with each other, but not with the signed root");
  }

  [[nodiscard]] unsigned width_of(int level, uint64_t n) const {
    const uint64_t hashes = hashes_at(std::max(level, 0), size_);
    return static_cast<unsigned>(std::min<uint64_t>(hashes - n * kTileWidth, kTileWidth));
  }

  bool bundle(uint64_t n) {
    const unsigned width = width_of(kEntriesLevel, n);
    const std::string name = tile_path(kEntriesLevel, n, width);
    const auto bytes = read_bounded(files_, dir_ + "/" + name, kLargestBundle);
    if (!bytes.ok()) return bad_bundle(n * kTileWidth, bytes.error().text());
    std::vector<Hash> hashes;
    hashes.reserve(width);
    std::vector<size_t> ends;  // offset after each entry
    BundleReader in(*bytes);
    bool whole = true;
    for (unsigned i = 0; i < width && whole; ++i) {
      const auto entry = in.next();
      whole = entry.has_value();
      if (!whole) break;
      hashes.push_back(leaf_hash(*entry));
      ends.push_back(in.offset());
    }
    whole = whole && in.clean();
    // Where a length is wrong, the first hash that does not fit shows which entry it was.
    const auto fault = compare_leaves(n, width, hashes);
    if (!whole) {
      const uint64_t at = fault ? *fault : n * kTileWidth + std::min<uint64_t>(hashes.size(), width - 1);
      return bad_bundle(at, fmt::format("entry {} of {} is damaged", at, name));
    }
    for (const Hash& h : hashes) whole_.add(h);
    check_partial_bundles(n, width, *bytes, ends);
    check_partial_tiles(0, n, width, hashes);
    if (width == kTileWidth) carry(root_of(hashes), 1);
    if (n + 1 == (size_ + kTileWidth - 1) / kTileWidth) {
      for (int level = 1; level <= kMaxLevel; ++level) flush(level);
    }
    return true;
  }

  // The first entry whose hash is not what the tile says.
  std::optional<uint64_t> compare_leaves(uint64_t n, unsigned width, const std::vector<Hash>& hashes) {
    const std::string name = tile_path(0, n, width);
    const auto tile = read_hashes(name, width);
    if (!tile) return std::nullopt;
    for (unsigned i = 0; i < hashes.size(); ++i) {
      if (hashes[i] == (*tile)[i]) continue;
      const uint64_t entry = n * kTileWidth + i;
      const std::string text = fmt::format("entry {} does not hash to leaf {} of {}", entry, i, name);
      if (!bad_leaf_) {
        bad_leaf_ = entry;
        bad_leaf_text_ = text;
      }
      bad_tile(text + "; the entries hash to the signed root, so it is the tile that is damaged");
      return entry;
    }
    return std::nullopt;
  }

  // A hash of a level above the leaves, as the entries give it.
  void carry(const Hash& h, int level) {
    if (level > kMaxLevel) return;
    auto& pending = pending_[static_cast<size_t>(level)];
    pending.push_back(h);
    if (pending.size() < kTileWidth) return;
    const Hash up = root_of(pending);
    flush(level);
    carry(up, level + 1);
  }

  void flush(int level) {
    auto& pending = pending_[static_cast<size_t>(level)];
    if (pending.empty()) return;
    const uint64_t n = tiles_done_[static_cast<size_t>(level)]++;
    const auto width = static_cast<unsigned>(pending.size());
    const std::string name = tile_path(level, n, width);
    if (const auto tile = read_hashes(name, width); tile && *tile != pending) {
      const auto at = std::mismatch(tile->begin(), tile->end(), pending.begin()).first - tile->begin();
      bad_tile(fmt::format("hash {} of {} does not fit the tile below", at, name));
      // A tile below that fits its entries but not this hash holds entries that were exchanged together with their
      // hashes.
      if (!bad_leaf_) {
        bad_leaf_ = (n * kTileWidth + static_cast<uint64_t>(at)) << (level * kTileHeight);
        bad_leaf_text_ =
            fmt::format("entries from {} on: hash {} of {} does not fit the tile below", *bad_leaf_, at, name);
      }
    }
    check_partial_tiles(level, n, width, pending);
    pending.clear();
  }

  std::optional<std::vector<Hash>> read_hashes(const std::string& name, unsigned width) {
    const auto bytes = read_bounded(files_, dir_ + "/" + name, kLargestTile);
    if (!bytes.ok()) {
      bad_tile(bytes.error().text());
      return std::nullopt;
    }
    auto hashes = parse_hashes(*bytes);
    if (!hashes || hashes->size() != width) {
      bad_tile(fmt::format("{} is not {} hashes long", name, width));
      return std::nullopt;
    }
    return hashes;
  }

  void check_partial_tiles(int level, uint64_t n, unsigned width, const std::vector<Hash>& hashes) {
    for (const unsigned w : partial_widths(files_, dir_, level, n)) {
      if (w >= width) continue;  // the one in work has been compared; a wider one belongs to a later checkpoint
      const std::string name = tile_path(level, n, w);
      const auto bytes = read_bounded(files_, dir_ + "/" + name, kLargestTile);
      const auto part = bytes.ok() ? parse_hashes(*bytes) : std::nullopt;
      if (!part || part->size() != w || !std::equal(part->begin(), part->end(), hashes.begin())) {
        bad_tile(name + " is not a beginning of " + tile_path(level, n, width));
      }
    }
  }

  void check_partial_bundles(uint64_t n, unsigned width, std::string_view bundle, const std::vector<size_t>& ends) {
    for (const unsigned w : partial_widths(files_, dir_, kEntriesLevel, n)) {
      if (w >= width) continue;
      const std::string name = tile_path(kEntriesLevel, n, w);
      const auto bytes = read_bounded(files_, dir_ + "/" + name, kLargestBundle);
      const std::string_view part = bytes.ok() ? std::string_view(*bytes) : std::string_view();
      const std::string_view expected = bundle.substr(0, ends[w - 1]);
      if (part == expected || !bad_partial_.empty()) continue;
      const size_t common = std::min(part.size(), expected.size());
      const auto at = static_cast<size_t>(
          std::mismatch(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(common), expected.begin()).first -
          part.begin());
      const auto entry = std::upper_bound(ends.begin(), ends.begin() + w - 1, at) - ends.begin();
      bad_partial_entry_ = n * kTileWidth + static_cast<uint64_t>(entry);
      bad_partial_ = fmt::format("entry {} of {} is not the entry of {}", *bad_partial_entry_, name,
                                 tile_path(kEntriesLevel, n, width));
    }
  }

  bool bad_bundle(uint64_t entry, std::string text) {
    bad_bundle_ = bad_leaf_ ? *bad_leaf_ : entry;
    bad_bundle_text_ = bad_leaf_ ? bad_leaf_text_ : std::move(text);
    return false;
  }
  void bad_tile(std::string text) {
    if (bad_tile_.empty()) bad_tile_ = std::move(text);
  }

  Files& files_;
  const std::string& dir_;
  AuditReport report_;
  uint64_t size_ = 0;
  Frontier whole_;
  std::array<std::vector<Hash>, kMaxLevel + 1> pending_;
  std::array<uint64_t, kMaxLevel + 1> tiles_done_{};
  std::optional<uint64_t> bad_leaf_;  // first entry that differs from its leaf hash: either of the two may be at fault
  std::string bad_leaf_text_;
  std::optional<uint64_t> bad_bundle_;
  std::string bad_bundle_text_;
  std::string bad_tile_;
  std::optional<uint64_t> bad_partial_entry_;
  std::string bad_partial_;
};

}  // namespace

AuditReport audit(Files& files, const std::string& dir, const std::string& origin, const PublicKey& log_key) {
  return Auditor(files, dir).run(origin, log_key);
}

}  // namespace entente::ledger
