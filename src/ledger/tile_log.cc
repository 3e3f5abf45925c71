#include "ledger/tile_log.h"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "ledger/internal/pair_hash.h"
#include "ledger/internal/tiles.h"

namespace entente::ledger {
namespace {

constexpr size_t kMostEntries = 65536;  // per append: bounds what an append that was cut off can leave behind
constexpr size_t kUpperKept = 2048;     // 16 KiB each: those of a log of 10^8 entries
constexpr size_t kLowestKept = 4;
constexpr size_t kLargestTile = kTileWidth * sizeof(Hash);
constexpr const char* kRestore = "restore the ledger from the partner's copy";
constexpr size_t kLargestCheckpoint = 64 * 1024;

// The right edge of the log: what the next append continues. Everything to its left is full tiles on disk.
struct Edge {
  uint64_t size = 0;
  std::string bundle;                                    // of the partial entry bundle
  std::vector<std::vector<Hash>> levels{kMaxLevel + 1};  // of the partial hash tile of each level
};

// A full or partial tile that an append has changed.
struct Change {
  int level;
  uint64_t n;
  unsigned width;
  std::string bytes;
};

std::string tile_bytes(const std::vector<Hash>& hashes) {
  std::string out;
  out.reserve(hashes.size() * sizeof(Hash));
  for (const Hash& h : hashes) put_hash(out, h);
  return out;
}

// Adds one entry; tiles that become full go to `full`.
void add(Edge& edge, std::string_view entry, std::vector<Change>& full) {
  put_entry(edge.bundle, entry);
  Hash h = leaf_hash(entry);
  ++edge.size;
  if (edge.size % kTileWidth == 0) {
    full.push_back({kEntriesLevel, edge.size / kTileWidth - 1, kTileWidth, std::move(edge.bundle)});
    edge.bundle.clear();
  }
  for (int level = 0; level <= kMaxLevel; ++level) {
    auto& tile = edge.levels[static_cast<size_t>(level)];
    tile.push_back(h);
    if (tile.size() < kTileWidth) break;
    full.push_back({level, hashes_at(level, edge.size) / kTileWidth - 1, kTileWidth, tile_bytes(tile)});
    h = root_of(tile);
    tile.clear();
  }
}

unsigned edge_width(int level, uint64_t size) {
  return static_cast<unsigned>(hashes_at(std::max(level, 0), size) % kTileWidth);
}
uint64_t edge_tile(int level, uint64_t size) { return hashes_at(std::max(level, 0), size) / kTileWidth; }

// A full tile with the hashes of the subtrees inside it: level 0 is the tile, level 8 its root.
class Pyramid {
 public:
  explicit Pyramid(std::vector<Hash> tile) : nodes_(std::move(tile)) {
    nodes_.resize(2 * kTileWidth - 1);
    for (size_t from = 0, width = kTileWidth; width > 1; from += width, width /= 2)
      hash_pairs(&nodes_[from], width / 2, &nodes_[from + width]);
  }
  [[nodiscard]] const Hash& node(uint64_t level, uint64_t index) const {
    return nodes_[2 * kTileWidth - (2 * kTileWidth >> level) + index];
  }

 private:
  std::vector<Hash> nodes_;
};

}  // namespace

struct TileLog::State {
  Files* files = nullptr;
  std::string dir;
  std::string origin;
  SecretKey key;
  Edge edge;
  Hash root{};
  std::string note;
  bool broken = false;  // an append failed half way: what is on disk is known only to the next open
  // Full tiles that a proof went through. Those of the leaves are asked for once and again by one proof, and hardly by
  // the next; the few above them by every proof.
  mutable std::map<std::pair<int, uint64_t>, Pyramid> upper;
  mutable std::map<uint64_t, Pyramid> lowest;

  explicit State(SecretKey k) : key(std::move(k)) {}

  [[nodiscard]] std::string path(int level, uint64_t n, unsigned width) const {
    return dir + "/" + tile_path(level, n, width);
  }

  Result<const Pyramid*> full_tile(int level, uint64_t n) const {
    if (level == 0) {
      if (const auto it = lowest.find(n); it != lowest.end()) return &it->second;
    } else if (const auto it = upper.find({level, n}); it != upper.end()) {
      return &it->second;
    }
    const std::string p = path(level, n, kTileWidth);
    TRY(const std::string bytes, read_bounded(*files, p, kLargestTile));
    auto hashes = parse_hashes(bytes);
    if (!hashes || hashes->size() != kTileWidth)
      return make_error(ErrorKind::kCorrupt, "not a full tile", p, "audit the ledger");
    if (level == 0) {
      if (lowest.size() >= kLowestKept) lowest.clear();
      return &lowest.try_emplace(n, *hashes).first->second;
    }
    if (upper.size() >= kUpperKept) upper.clear();
    return &upper.try_emplace({level, n}, *hashes).first->second;
  }

  // Hash of the complete subtree `index` of tree level `level`.
  Result<Hash> node(uint64_t level, uint64_t index) const {
    const int tile_level = static_cast<int>(level) / kTileHeight;
    const uint64_t in_tile = level % kTileHeight;
    const uint64_t first = index << in_tile;
    const uint64_t n = first / kTileWidth;
    const size_t count = size_t{1} << in_tile;
    const size_t at = first % kTileWidth;
    if (n == edge_tile(tile_level, edge.size)) {
      const auto& tile = edge.levels[static_cast<size_t>(tile_level)];
      if (at + count > tile.size()) return make_error(ErrorKind::kInternal, "no such subtree");
      return root_of(std::span(tile).subspan(at, count));
    }
    TRY(const Pyramid* tile, full_tile(tile_level, n));
    return tile->node(in_tile, at >> in_tile);
  }

  // Runs a proof builder, whose callback cannot fail, over nodes that can.
  template <class Build>
  Result<Proof> prove(const Build& build) const {
    std::optional<Error> failure;
    Proof proof = build([&](uint64_t level, uint64_t index) -> Hash {
      auto h = node(level, index);
      if (h.ok()) return *h;
      if (!failure) failure = h.error();
      return {};
    });
    if (failure) return *std::move(failure);
    return proof;
  }

  // The edge alone gives the root: its hashes are the complete subtrees, the higher level further left.
  static Hash root_of_edge(const Edge& e) {
    if (e.size == 0) return empty_root();
    std::optional<Hash> root;
    for (const auto& tile : e.levels) {
      // Right to left within the tile: the parts of its width by powers of two, smallest last.
      size_t end = tile.size();
      while (end > 0) {
        const size_t part = end & (~end + 1);
        const Hash h = root_of(std::span(tile).subspan(end - part, part));
        root = root ? node_hash(h, *root) : h;
        end -= part;
      }
    }
    return *root;
  }

  Status write_tiles(std::vector<Change> changes) {
    std::vector<Files::NewFile> batch;
    batch.reserve(changes.size());
    std::string last_folder;
    for (auto& c : changes) {
      const std::string folder =
          c.width < kTileWidth ? partial_folder(dir, c.level, c.n) : tile_folder(dir, c.level, c.n);
      if (folder != last_folder) CHECK_OK(files->make_dirs(folder));
      last_folder = folder;
      batch.push_back({path(c.level, c.n, c.width), std::move(c.bytes)});
    }
    return files->write_all(batch);
  }

  void remove_partials(int level, uint64_t n, const std::function<bool(unsigned)>& which) {
    const std::string folder = partial_folder(dir, level, n);
    const auto names = files->list(folder);
    if (!names.ok()) return;
    bool all = true;
    for (const std::string& name : *names) {
      unsigned w = 0;
      const auto parsed = std::from_chars(name.data(), name.data() + name.size(), w);
      const bool temporary = parsed.ec != std::errc() || parsed.ptr != name.data() + name.size();
      if (!temporary && !which(w))
        all = false;
      else if (!files->remove(folder + "/" + name).ok())
        all = false;
    }
    if (all) (void)files->remove(folder).ok();
  }

  Status load(const std::string& signed_note);
  Status load_edge(uint64_t size);
  Status load_bundle(uint64_t size);
  Status rebuild(uint64_t size, const Hash& signed_root);
  void sweep();
  void sweep_folder(int level, uint64_t some_tile);
};

// The entry bundle that the checkpoint ends in, and with it level 0.
Status TileLog::State::load_bundle(uint64_t size) {
  const unsigned width = edge_width(kEntriesLevel, size);
  if (width == 0) return {};
  const uint64_t n = size / kTileWidth;
  const std::string p = path(kEntriesLevel, n, width);
  auto bytes = read_bounded(*files, p, kLargestBundle);
  if (!bytes.ok())
    return make_error(ErrorKind::kCorrupt, "entries that the checkpoint signs are not there: " + bytes.error().what, p,
                      kRestore);
  BundleReader in(*bytes);
  for (unsigned i = 0; i < width; ++i) {
    const auto entry = in.next();
    if (!entry)
      return make_error(ErrorKind::kCorrupt, fmt::format("entry {} is cut off", n * kTileWidth + i), p, kRestore);
    edge.levels[0].push_back(leaf_hash(*entry));
  }
  if (!in.clean()) return make_error(ErrorKind::kCorrupt, "something follows the last entry", p, kRestore);
  edge.bundle = *std::move(bytes);
  return {};
}

Status TileLog::State::load_edge(uint64_t size) {
  for (int level = 1; level <= kMaxLevel; ++level) {
    const unsigned width = edge_width(level, size);
    if (width == 0) continue;
    TRY(const std::string bytes, read_bounded(*files, path(level, edge_tile(level, size), width), kLargestTile));
    auto hashes = parse_hashes(bytes);
    if (!hashes || hashes->size() != width)
      return make_error(ErrorKind::kCorrupt, "tile of the wrong length", path(level, edge_tile(level, size), width));
    edge.levels[static_cast<size_t>(level)] = *std::move(hashes);
  }
  return {};
}

// All hash tiles again from the entries. Nothing is written before the root agrees with what was signed.
Status TileLog::State::rebuild(uint64_t size, const Hash& signed_root) {
  edge = Edge();
  std::vector<Change> hash_tiles;
  const Status read = read_entries(*files, dir, 0, size, [&](uint64_t, std::string_view entry) {
    add(edge, entry, hash_tiles);
    std::erase_if(hash_tiles, [](const Change& c) { return c.level == kEntriesLevel; });
    return true;
  });
  if (!read.ok())
    return make_error(ErrorKind::kCorrupt, "entries that the checkpoint signs are not there: " + read.error().what,
                      read.error().where, kRestore);
  if (edge.size != size || root_of_edge(edge) != signed_root) {
    return make_error(ErrorKind::kCorrupt, "the entries do not hash to the signed root", dir,
                      "audit the ledger, then restore it from the partner's copy");
  }
  for (int level = 0; level <= kMaxLevel; ++level) {
    const auto& tile = edge.levels[static_cast<size_t>(level)];
    if (!tile.empty())
      hash_tiles.push_back({level, edge_tile(level, size), static_cast<unsigned>(tile.size()), tile_bytes(tile)});
  }
  upper.clear();
  lowest.clear();
  return write_tiles(std::move(hash_tiles));
}

Status TileLog::State::load(const std::string& signed_note) {
  TRY(const Checkpoint c, open_checkpoint(signed_note, origin, key.public_key()));
  note = signed_note;
  root = c.root;
  edge.size = c.size;
  CHECK_OK(load_bundle(c.size));
  const Status loaded = load_edge(c.size);
  if (!loaded.ok() || root_of_edge(edge) != c.root) CHECK_OK(rebuild(c.size, c.root));
  // The level-0 partial comes from the entries; its file may have been lost all the same.
  const unsigned width = edge_width(0, c.size);
  if (width != 0) {
    const std::string p = path(0, edge_tile(0, c.size), width);
    const std::string expected = tile_bytes(edge.levels[0]);
    const auto there = files->read(p);
    if (!there.ok() || *there != expected) CHECK_OK(write_tiles({{0, edge_tile(0, c.size), width, expected}}));
  }
  sweep();
  return {};
}

// Removes what an append left that never reached its checkpoint, and partial tiles that a full one replaces. A failure
// here costs only disk.
void TileLog::State::sweep() {
  for (int level = kEntriesLevel; level <= kMaxLevel; ++level) {
    const uint64_t n = edge_tile(level, edge.size);
    sweep_folder(level, n);
    sweep_folder(level, n + 1000);  // an append of kMostEntries reaches no further
    // What is left of the tile in work must be a beginning of it.
    const std::string now = level == kEntriesLevel ? edge.bundle : tile_bytes(edge.levels[static_cast<size_t>(level)]);
    remove_partials(level, n, [&](unsigned w) {
      if (w >= edge_width(level, edge.size)) return w != edge_width(level, edge.size);
      const auto bytes = read_bounded(*files, path(level, n, w), kLargestBundle);
      return !bytes.ok() || !now.starts_with(*bytes);
    });
  }
}

// All tiles that share a folder with `some_tile`.
void TileLog::State::sweep_folder(int level, uint64_t some_tile) {
  const uint64_t edge_n = edge_tile(level, edge.size);
  const std::string folder = tile_folder(dir, level, some_tile);
  const auto names = files->list(folder);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    unsigned digits = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), digits);
    if (parsed.ec != std::errc() || parsed.ptr != name.data() + 3) continue;
    const uint64_t n = some_tile / 1000 * 1000 + digits;
    const std::string_view suffix = std::string_view(name).substr(3);
    if (suffix == ".p" && n != edge_n) remove_partials(level, n, [](unsigned) { return true; });
    if (suffix.empty() && n >= edge_n) (void)files->remove(folder + "/" + name).ok();
    if (suffix == ".tmp") (void)files->remove(folder + "/" + name).ok();
  }
}

TileLog::TileLog() = default;
TileLog::~TileLog() = default;

Result<std::unique_ptr<TileLog>> TileLog::open(Files& files, std::string dir, std::string origin,
                                               const SecretKey& log_key) {
  if (origin.empty() || origin.find_first_of("\n +") != std::string::npos)
    return invalid("a log's origin has no spaces, plus signs or line ends", origin);
  std::unique_ptr<TileLog> log(new TileLog());
  log->state_ = std::make_unique<State>(log_key);
  State& s = *log->state_;
  s.files = &files;
  s.dir = std::move(dir);
  s.origin = std::move(origin);
  const std::string at = s.dir + "/checkpoint";
  if (files.exists(at)) {
    TRY(const std::string note, read_bounded(files, at, kLargestCheckpoint));
    if (auto loaded = s.load(note); !loaded.ok()) return loaded.error().at(s.dir);
    return log;
  }
  // A log begins with its empty checkpoint: entries without one mean that it was lost, and to begin again would be a
  // second history.
  if (files.exists(s.dir + "/tile"))
    return make_error(ErrorKind::kCorrupt, "the checkpoint is missing", at, "restore it; do not start the log anew");
  CHECK_OK(files.make_dirs(s.dir));
  s.root = empty_root();
  s.note = sign_checkpoint({s.origin, 0, s.root}, s.key);
  CHECK_OK(files.write_atomic(at, s.note));
  return log;
}

Result<uint64_t> TileLog::append(std::span<const std::string> entries) {
  State& s = *state_;
  if (s.broken)
    return make_error(ErrorKind::kUnavailable, "an earlier append to the ledger failed", s.dir, "open it again");
  if (entries.empty()) return s.edge.size;
  if (entries.size() > kMostEntries)
    return make_error(ErrorKind::kTooLarge, fmt::format("more than {} entries at once", kMostEntries));
  for (const auto& e : entries) {
    if (e.empty() || e.size() > kLongestEntry) return invalid("a ledger entry has 1 to 65535 octets");
  }
  const uint64_t first = s.edge.size;
  Edge next = s.edge;
  std::vector<Change> changes;
  for (const auto& e : entries) add(next, e, changes);
  const size_t full = changes.size();
  for (int level = kEntriesLevel; level <= kMaxLevel; ++level) {
    const unsigned width = edge_width(level, next.size);
    if (width == 0 || hashes_at(std::max(level, 0), next.size) == hashes_at(std::max(level, 0), first)) continue;
    changes.push_back({level, edge_tile(level, next.size), width,
                       level == kEntriesLevel ? next.bundle : tile_bytes(next.levels[static_cast<size_t>(level)])});
  }
  std::vector<std::pair<int, uint64_t>> completed;
  for (size_t i = 0; i < full; ++i) completed.emplace_back(changes[i].level, changes[i].n);

  // Everything that the checkpoint signs is on the disk before it is; and whatever fails from here on, this object
  // signs nothing more: a second checkpoint of the same size would be a fork.
  s.broken = true;
  CHECK_OK(s.write_tiles(std::move(changes)));
  const Hash root = State::root_of_edge(next);
  std::string note = sign_checkpoint({s.origin, next.size, root}, s.key);
  CHECK_OK(s.files->write_atomic(s.dir + "/checkpoint", note));
  s.broken = false;
  s.edge = std::move(next);
  s.root = root;
  s.note = std::move(note);
  for (const auto& [level, n] : completed) s.remove_partials(level, n, [](unsigned) { return true; });
  return first;
}

uint64_t TileLog::size() const { return state_->edge.size; }
Hash TileLog::root() const { return state_->root; }
const std::string& TileLog::checkpoint() const { return state_->note; }

Result<std::string> TileLog::entry(uint64_t index) const {
  const State& s = *state_;
  if (index >= s.edge.size)
    return make_error(ErrorKind::kNotFound, fmt::format("the ledger has no entry {}", index), s.dir);
  std::string out;
  CHECK_OK(read_entries(*s.files, s.dir, index, index + 1, [&](uint64_t, std::string_view e) {
    out = e;
    return false;
  }));
  return out;
}

Result<Hash> TileLog::root_at(uint64_t size) const {
  const State& s = *state_;
  if (size > s.edge.size)
    return make_error(ErrorKind::kNotFound, fmt::format("the ledger has only {} entries", s.edge.size), s.dir);
  Hash root{};
  TRY([[maybe_unused]] const Proof none, s.prove([&](const auto& node_at) {
    root = ledger::root_at(size, node_at);
    return Proof{};
  }));
  return root;
}

Result<Proof> TileLog::prove_inclusion(uint64_t index) const { return prove_inclusion(index, state_->edge.size); }

Result<Proof> TileLog::prove_inclusion(uint64_t index, uint64_t size) const {
  const State& s = *state_;
  if (index >= size || size > s.edge.size)
    return make_error(ErrorKind::kNotFound, fmt::format("the ledger has no entry {}", index), s.dir);
  return s.prove([&](const auto& node_at) { return inclusion_proof(index, size, node_at); });
}

Result<Proof> TileLog::prove_consistency(uint64_t old_size) const {
  return prove_consistency(old_size, state_->edge.size);
}

Result<Proof> TileLog::prove_consistency(uint64_t old_size, uint64_t size) const {
  const State& s = *state_;
  if (old_size > size || size > s.edge.size)
    return make_error(ErrorKind::kNotFound, fmt::format("the ledger has only {} entries", s.edge.size), s.dir);
  return s.prove([&](const auto& node_at) { return consistency_proof(old_size, size, node_at); });
}

}  // namespace entente::ledger
