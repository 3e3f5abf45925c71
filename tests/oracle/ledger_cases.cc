// Makes ledgers of several sizes and proofs of their entries, for tests/oracle/ledger_oracle.py: what the product wrote
// is then damaged, and judged by the product and by tools/verify_ledger.py.
//
//   entente_ledger_cases DIR     one folder and one proof per size; the origin and key of all on standard output
#include <cstdio>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/files.h"
#include "ledger/leaf.h"
#include "ledger/tile_log.h"

namespace {

using namespace entente;

constexpr const char* kOrigin = "entente/in/6f1c0f0e-0000-4000-8000-000000000001";

// A chain of leaves by two writers, as a node makes them.
class Leaves {
 public:
  explicit Leaves(std::string salt) : salt_(std::move(salt)) {}
  std::string next(uint64_t i) {
    const size_t writer = i % 3 == 0 ? 1 : 0;
    ledger::Leaf leaf;
    leaf.agreement = "urn:uuid:6f1c0f0e-0000-4000-8000-000000000001";
    leaf.at = Time{1'700'000'000'000'000}.plus_us(static_cast<int64_t>(i) * 1000);
    leaf.agreement_version = std::string(64, 'a');
    leaf.by = writer == 0 ? "IN/node/1" : "IN/authority/1";
    leaf.kind = writer == 0 ? "release" : "act";
    leaf.recipient = "JP";
    leaf.commitment = ledger::commit_to(salt_, std::to_string(i));
    leaf.prev = last_[writer];
    std::string text = leaf.text();
    last_[writer] = hex(view(sha256({text})));
    return text;
  }

 private:
  std::string salt_;
  std::string last_[2];
};

Status make(Files& files, const std::string& dir, uint64_t size, const SecretKey& key, std::string salt) {
  CHECK_OK(files.make_dirs(dir));
  TRY(auto log, ledger::TileLog::open(files, dir, kOrigin, key));
  Leaves leaves(std::move(salt));
  // Groups of uneven length leave partial tiles behind, as real life does.
  for (uint64_t done = 0, group = 1; done < size; group = group * 3 % 97 + 1) {
    std::vector<std::string> entries;
    for (uint64_t i = 0; i < group && done < size; ++i, ++done) entries.push_back(leaves.next(done));
    TRY([[maybe_unused]] const uint64_t first, log->append(entries));
    if (done < size / 2 + group && done >= size / 2)
      CHECK_OK(files.write_atomic(dir + ".older", log->checkpoint(), 0644));
  }
  for (const uint64_t i : {uint64_t{0}, size / 2, size - 1}) {
    TRY(const std::string entry, log->entry(i));
    TRY(const auto proof, log->prove_inclusion(i));
    CHECK_OK(files.write_atomic(dir + "." + std::to_string(i) + ".proof",
                                ledger::write_proof(i, entry, proof, log->checkpoint()), 0644));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  PosixFiles files;
  const SecretKey key = SecretKey::generate();
  for (const uint64_t size : {1, 2, 255, 256, 257, 700, 1024, 66'000}) {
    if (Status s = make(files, std::string(argv[1]) + "/" + std::to_string(size), size, key, "salt"); !s.ok()) {
      std::fprintf(stderr, "%s\n", s.error().text().c_str());
      return 1;
    }
  }
  // Another history under the same key: what a log shows to somebody else.
  if (Status s = make(files, std::string(argv[1]) + "/fork", 700, key, "other"); !s.ok()) return 1;
  std::printf("%s %s\n", kOrigin, hex(key.public_key().raw).c_str());
  return 0;
}
