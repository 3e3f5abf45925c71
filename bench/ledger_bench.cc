// The ledger's figures on a real disk: durable appends in groups, a whole audit, proofs built and verified, a witness.
// One JSON object on standard output. Usage: ledger_bench FOLDER [LEAVES]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/files.h"
#include "json/node.h"
#include "ledger/cosignature.h"
#include "ledger/leaf.h"
#include "ledger/tile_log.h"
#include "ledger/witness.h"

namespace {

using namespace entente;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double percentile(std::vector<double>& v, double p) {
  std::sort(v.begin(), v.end());
  return v[static_cast<size_t>(p * static_cast<double>(v.size() - 1))];
}

std::vector<std::string> leaves(size_t n, std::string& prev) {
  std::vector<std::string> out;
  for (size_t i = 0; i < n; ++i) {
    ledger::Leaf l;
    l.agreement = "urn:uuid:6f1c0f0e-9d1e-5c55-9a53-2b1f6f0d2020";
    l.at = {1'800'000'000'000'000 + static_cast<int64_t>(i)};
    l.agreement_version = std::string(64, 'a');
    l.by = "IN/node/1";
    l.kind = "release";
    l.prev = prev;
    l.recipient = "JP";
    l.commitment = sha256_hex(std::to_string(i) + prev);
    out.push_back(l.text());
    prev = sha256_hex(out.back());
  }
  return out;
}

// What the tiles and what the entries take.
std::pair<uint64_t, uint64_t> folder_bytes(const std::string& dir) {
  std::pair<uint64_t, uint64_t> out;
  for (const auto& f : std::filesystem::recursive_directory_iterator(dir)) {
    if (!f.is_regular_file()) continue;
    (f.path().string().find("/entries/") == std::string::npos ? out.first : out.second) += f.file_size();
  }
  return out;
}

int fail(const Error& e) {
  std::fprintf(stderr, "ledger_bench: %s\n", e.text().c_str());
  return 1;
}

// A ledger of 10^8 leaves: every hash above the leaves is computed and written as a ledger has it; of the leaf tiles,
// whose hashes are drawn instead of hashed from entries, only those that are asked for are written (all would be 3.2
// GB), and no entries. Opening, building and verifying are the program's own, over these files.
int far(Files& files, const std::string& dir, const std::string& origin, const SecretKey& key, json::Node& out) {
  constexpr uint64_t kTiles = 390'625;  // of 256 leaves
  constexpr uint64_t kSize = kTiles * 256;
  constexpr size_t kProofs = 2000;
  const auto tile_of = [](uint64_t n) {
    std::vector<ledger::Hash> hashes(256);
    std::mt19937_64 draw(n);
    for (auto& h : hashes)
      for (size_t i = 0; i < h.size(); i += 8) {
        const uint64_t word = draw();
        std::copy_n(reinterpret_cast<const unsigned char*>(&word), 8, h.begin() + static_cast<long>(i));
      }
    return hashes;
  };
  const auto write = [&](int level, uint64_t n, std::span<const ledger::Hash> hashes) -> Status {
    std::string bytes;
    for (const auto& h : hashes) bytes += view(h);
    const std::string path = dir + "/" + ledger::tile_path(level, n, static_cast<unsigned>(hashes.size()));
    CHECK_OK(files.make_dirs(path.substr(0, path.rfind('/'))));
    FILE* f = std::fopen(path.c_str(), "wb");  // not synced: it is not the writing that is measured here
    if (f == nullptr) return make_error(ErrorKind::kIo, "cannot write", path);
    const bool good = std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size();
    return std::fclose(f) == 0 && good ? Status() : make_error(ErrorKind::kIo, "cannot write", path);
  };
  auto start = Clock::now();
  std::vector<ledger::Hash> level(kTiles);
  for (uint64_t n = 0; n < kTiles; ++n) level[n] = ledger::root_of(tile_of(n));
  out.set("hash_1e8_s", seconds_since(start));
  for (int l = 1; !level.empty(); ++l) {
    std::vector<ledger::Hash> next;
    for (uint64_t n = 0; n * 256 < level.size(); ++n) {
      const auto part = std::span(level).subspan(n * 256, std::min<size_t>(256, level.size() - n * 256));
      if (Status s = write(l, n, part); !s.ok()) return fail(s.error());
      if (part.size() == 256) next.push_back(ledger::root_of(part));
    }
    level = std::move(next);
  }
  std::mt19937_64 random(11);
  std::vector<std::pair<uint64_t, ledger::Hash>> asked;
  for (size_t i = 0; i < kProofs; ++i) {
    const uint64_t index = random() % kSize;
    const auto tile = tile_of(index / 256);
    if (Status s = write(0, index / 256, tile); !s.ok()) return fail(s.error());
    asked.emplace_back(index, tile[index % 256]);
  }
  // The root, from the same files that the program will read.
  std::vector<std::vector<ledger::Hash>> edges;
  const auto root = ledger::root_at(kSize, [&](uint64_t lvl, uint64_t at) -> ledger::Hash {
    const int tile_level = static_cast<int>(lvl / 8);
    const uint64_t in_tile = lvl % 8;
    const uint64_t first = at << in_tile;
    const uint64_t have = kSize >> (8 * tile_level);
    const uint64_t n = first / 256;
    const auto width = static_cast<unsigned>(std::min<uint64_t>(256, have - n * 256));
    const auto bytes = files.read(dir + "/" + ledger::tile_path(tile_level, n, width));
    std::vector<ledger::Hash> part(size_t{1} << in_tile);
    if (!bytes.ok()) return {};
    for (size_t i = 0; i < part.size(); ++i)
      std::copy_n(bytes->begin() + static_cast<long>((first % 256 + i) * 32), 32, part[i].begin());
    return ledger::root_of(part);
  });
  if (Status s = files.write_atomic(dir + "/checkpoint", ledger::sign_checkpoint({origin, kSize, root}, key), 0644);
      !s.ok())
    return fail(s.error());
  start = Clock::now();
  const auto log = ledger::TileLog::open(files, dir, origin, key);
  if (!log.ok()) return fail(log.error());
  out.set("open_1e8_ms", seconds_since(start) * 1e3);
  std::vector<double> build;
  std::vector<double> check;
  for (int round = 0; round < 2;
       ++round) {  // the first fills the tiles above the leaves, as a node that serves has them
    build.clear();
    check.clear();
    for (const auto& [index, leaf] : asked) {
      auto t = Clock::now();
      const auto proof = (*log)->prove_inclusion(index);
      build.push_back(seconds_since(t) * 1e6);
      if (!proof.ok()) return fail(proof.error());
      t = Clock::now();
      if (!ledger::verify_inclusion(leaf, index, kSize, *proof, (*log)->root()))
        return fail(make_error(ErrorKind::kCorrupt, "a proof of 10^8 does not verify"));
      check.push_back(seconds_since(t) * 1e6);
    }
    if (round == 0) out.set("proof_build_1e8_cold_us", percentile(build, 0.5));
  }
  out.set("proof_build_1e8_us", percentile(build, 0.5)).set("proof_build_1e8_p99_us", percentile(build, 0.99));
  out.set("proof_verify_1e8_us", percentile(check, 0.5));
  return 0;
}

int run(const std::string& folder, uint64_t total) {
  PosixFiles files;
  SystemClock clock;
  const SecretKey key = SecretKey::generate();
  const std::string origin = "entente/in/6f1c0f0e-9d1e-5c55-9a53-2b1f6f0d2020";
  json::Node out = json::Node::object();
  std::string prev;
  for (const size_t group : {size_t{100}, size_t{1000}}) {
    const std::string dir = folder + "/group" + std::to_string(group);
    auto log = ledger::TileLog::open(files, dir, origin, key);
    if (!log.ok()) return fail(log.error());
    std::vector<double> times;
    const auto all = leaves(group * 100, prev);
    const auto start = Clock::now();
    for (size_t i = 0; i < 100; ++i) {
      const auto one = Clock::now();
      auto r = (*log)->append(std::span(all).subspan(i * group, group));
      if (!r.ok()) return fail(r.error());
      times.push_back(seconds_since(one) * 1e3);
    }
    const std::string name = "append_" + std::to_string(group);
    out.set(name + "_per_s", static_cast<double>(all.size()) / seconds_since(start));
    out.set(name + "_p50_ms", percentile(times, 0.5)).set(name + "_p99_ms", percentile(times, 0.99));
  }
  // One large log.
  const std::string dir = folder + "/large";
  auto log = ledger::TileLog::open(files, dir, origin, key);
  if (!log.ok()) return fail(log.error());
  auto start = Clock::now();
  for (uint64_t n = 0; n < total; n += 4096) {
    const auto some = leaves(std::min<uint64_t>(4096, total - n), prev);
    if (auto r = (*log)->append(some); !r.ok()) return fail(r.error());
  }
  out.set("leaves", total).set("append_4096_per_s", static_cast<double>(total) / seconds_since(start));
  {
    const auto bytes = folder_bytes(dir);
    out.set("hash_bytes_per_leaf", static_cast<double>(bytes.first) / static_cast<double>(total));
    out.set("entry_bytes_per_leaf", static_cast<double>(bytes.second) / static_cast<double>(total));
  }
  start = Clock::now();
  const auto report = ledger::audit(files, dir, origin, key.public_key());
  if (!report.ok) return fail(make_error(ErrorKind::kCorrupt, report.problem));
  out.set("audit_s", seconds_since(start));
  constexpr size_t kProofs = 2000;
  std::mt19937_64 random(7);
  std::vector<double> build;
  std::vector<double> check;
  std::vector<double> extend;
  for (size_t i = 0; i < kProofs; ++i) {
    const uint64_t index = random() % total;
    auto t = Clock::now();
    const auto proof = (*log)->prove_inclusion(index);
    build.push_back(seconds_since(t) * 1e6);
    if (!proof.ok()) return fail(proof.error());
    const auto entry = (*log)->entry(index);
    t = Clock::now();
    if (!ledger::verify_inclusion(ledger::leaf_hash(*entry), index, total, *proof, (*log)->root()))
      return fail(make_error(ErrorKind::kCorrupt, "a proof does not verify"));
    check.push_back(seconds_since(t) * 1e6);
    t = Clock::now();
    const auto between = (*log)->prove_consistency(index);
    extend.push_back(seconds_since(t) * 1e6);
    if (!between.ok()) return fail(between.error());
  }
  out.set("proof_build_us", percentile(build, 0.5)).set("proof_build_p99_us", percentile(build, 0.99));
  out.set("proof_verify_us", percentile(check, 0.5)).set("consistency_build_us", percentile(extend, 0.5));
  if (const int failed = far(files, folder + "/far", origin, key, out); failed != 0) return failed;
  // A witness: consistency checked, remembered on disk, cosigned.
  if (Status s = files.make_dirs(folder + "/witness"); !s.ok()) return fail(s.error());
  ledger::Witness witness(files, folder + "/witness", "JP/witness/1", SecretKey::generate(), clock,
                          [&](const std::string&) { return std::vector{key.public_key()}; });
  std::vector<double> sign;
  uint64_t old = 0;
  for (size_t i = 0; i < 50; ++i) {
    if (auto r = (*log)->append(leaves(100, prev)); !r.ok()) return fail(r.error());
    const auto proof = (*log)->prove_consistency(old);
    const auto t = Clock::now();
    const auto a = witness.add_checkpoint(ledger::write_add_checkpoint(old, *proof, (*log)->checkpoint()));
    sign.push_back(seconds_since(t) * 1e3);
    if (a.status != 200) return fail(make_error(ErrorKind::kInternal, a.body));
    old = (*log)->size();
  }
  out.set("cosign_p50_ms", percentile(sign, 0.5)).set("cosign_p99_ms", percentile(sign, 0.99));
  // Killed between the tiles and the checkpoint of an append of 4096: what is there is opened again.
  {
    const auto half = leaves(4096, prev);
    class Stops final : public Files {
     public:
      explicit Stops(Files& f) : f_(f) {}
      Result<std::string> read(const std::string& p) override { return f_.read(p); }
      Status write_atomic(const std::string& p, std::string_view b, int m) override {
        if (p.ends_with("/checkpoint")) return make_error(ErrorKind::kIo, "killed here");
        return f_.write_atomic(p, b, m);
      }
      Status append(const std::string& p, std::string_view b, bool s) override { return f_.append(p, b, s); }
      Status truncate(const std::string& p, uint64_t n) override { return f_.truncate(p, n); }
      Result<uint64_t> size(const std::string& p) override { return f_.size(p); }
      bool exists(const std::string& p) override { return f_.exists(p); }
      Status make_dirs(const std::string& p) override { return f_.make_dirs(p); }
      Result<std::vector<std::string>> list(const std::string& p) override { return f_.list(p); }
      Status remove(const std::string& p) override { return f_.remove(p); }

     private:
      Files& f_;
    } stops(files);
    std::vector<double> open;
    for (int i = 0; i < 20; ++i) {
      auto dying = ledger::TileLog::open(stops, dir, origin, key);
      if (!dying.ok() || (*dying)->append(half).ok()) return fail(make_error(ErrorKind::kInternal, "it did not die"));
      const auto t = Clock::now();
      auto again = ledger::TileLog::open(files, dir, origin, key);
      if (!again.ok()) return fail(again.error());
      open.push_back(seconds_since(t) * 1e3);
    }
    out.set("recovery_ms", percentile(open, 0.5));
  }
  std::puts(json::write(out).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: ledger_bench FOLDER [LEAVES]\n", stderr);
    return 2;
  }
  return run(argv[1], argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000);
}
