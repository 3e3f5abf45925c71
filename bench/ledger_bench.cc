// The ledger's figures on a real disk: durable appends in groups, a whole audit, proofs built and verified, a witness.
// One JSON object on standard output. Usage: ledger_bench FOLDER [LEAVES]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
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

int fail(const Error& e) {
  std::fprintf(stderr, "ledger_bench: %s\n", e.text().c_str());
  return 1;
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
  // A proof of a tree of 10^8 leaves: siblings drawn, the root computed from them.
  {
    constexpr uint64_t kSize = 100'000'000;
    std::vector<double> far;
    for (size_t i = 0; i < kProofs; ++i) {
      const uint64_t index = random() % kSize;
      ledger::Proof proof = ledger::inclusion_proof(index, kSize, [&](uint64_t level, uint64_t at) {
        return ledger::leaf_hash(std::to_string(level) + " " + std::to_string(at));
      });
      const auto leaf = ledger::leaf_hash("x");
      const auto t = Clock::now();
      const bool good = ledger::verify_inclusion(leaf, index, kSize, proof, leaf);
      far.push_back(seconds_since(t) * 1e6);
      if (good) return fail(make_error(ErrorKind::kInternal, "a wrong root verified"));
    }
    out.set("proof_verify_1e8_us", percentile(far, 0.5));
  }
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
