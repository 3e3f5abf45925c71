// A log in memory for the tests of this layer.
#pragma once

#include <string>
#include <vector>

#include "base/files.h"
#include "ledger/internal/tiles.h"
#include "ledger/tile_log.h"

namespace entente::ledger {

inline const std::string kTestDir = "ledger/in-jp";
inline const std::string kTestOrigin = "entente/in/6f1c0f0e";
inline const SecretKey& test_key() {
  static const SecretKey key = SecretKey::from_seed(std::string(32, 'k')).value();
  return key;
}
inline std::string test_entry(uint64_t i) { return "entry " + std::to_string(i) + std::string(i % 7, '.'); }
inline std::vector<std::string> test_entries(uint64_t from, uint64_t count) {
  std::vector<std::string> out;
  for (uint64_t i = from; i < from + count; ++i) out.push_back(test_entry(i));
  return out;
}
inline Hash test_root(uint64_t size) {
  Frontier f;
  for (uint64_t i = 0; i < size; ++i) f.add(leaf_hash(test_entry(i)));
  return f.root();
}
inline Result<std::unique_ptr<TileLog>> open_test_log(Files& files) {
  return TileLog::open(files, kTestDir, kTestOrigin, test_key());
}
inline AuditReport audit_test_log(Files& files) { return audit(files, kTestDir, kTestOrigin, test_key().public_key()); }
// All files of a folder and those below it.
inline std::vector<std::string> files_below(Files& files, const std::string& dir) {
  std::vector<std::string> out;
  const auto names = files.list(dir);
  if (!names.ok()) return out;
  for (const auto& name : *names) {
    const std::string path = dir + "/" + name;
    if (files.size(path).ok() && files.read(path).ok())
      out.push_back(path);
    else
      for (auto& p : files_below(files, path)) out.push_back(p);
  }
  return out;
}

}  // namespace entente::ledger
