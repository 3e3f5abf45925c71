// The file system as a seam. PosixFiles is the real one; MemFiles keeps what was synced apart from what was only
// written, so that a test can crash at any operation and see what a disk would have kept.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace entente {

class Files {
 public:
  virtual ~Files() = default;
  virtual Result<std::string> read(const std::string& path) = 0;
  // Writes a temporary file (`path`.tmp), syncs it, renames it over `path`, syncs the folder: all or nothing. One
  // writer per path.
  virtual Status write_atomic(const std::string& path, std::string_view bytes, int mode = 0644) = 0;
  // Several files, each as write_atomic does it, but not atomic together: all durable when it returns, with as few
  // syncs as that takes. Requires: no path twice.
  struct NewFile {
    std::string path;
    std::string bytes;
  };
  virtual Status write_all(std::span<const NewFile> files);
  // Appends and, if `sync`, makes the whole file durable before it returns. Creates the file.
  virtual Status append(const std::string& path, std::string_view bytes, bool sync) = 0;
  // Durable when it returns; kNotFound if absent.
  virtual Status truncate(const std::string& path, uint64_t size) = 0;
  virtual Result<uint64_t> size(const std::string& path) = 0;  // kNotFound if absent
  virtual bool exists(const std::string& path) = 0;
  // With all parents, durable. The writing functions do not make folders.
  virtual Status make_dirs(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& dir) = 0;  // names, sorted
  // Also removes an empty folder. Not synced: after a power loss the file may be back, unless a file was written to its
  // folder since.
  virtual Status remove(const std::string& path) = 0;
};

// Makes the entry of `path` in its folder durable (fsync of the folder).
[[nodiscard]] Status sync_parent(const std::string& path);

class PosixFiles final : public Files {
 public:
  Result<std::string> read(const std::string& path) override;
  Status write_atomic(const std::string& path, std::string_view bytes, int mode) override;
  Status write_all(std::span<const NewFile> files) override;
  Status append(const std::string& path, std::string_view bytes, bool sync) override;
  Status truncate(const std::string& path, uint64_t size) override;
  Result<uint64_t> size(const std::string& path) override;
  bool exists(const std::string& path) override;
  Status make_dirs(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& dir) override;
  Status remove(const std::string& path) override;
};

class MemFiles final : public Files {
 public:
  Result<std::string> read(const std::string& path) override;
  Status write_atomic(const std::string& path, std::string_view bytes, int mode) override;
  Status append(const std::string& path, std::string_view bytes, bool sync) override;
  Status truncate(const std::string& path, uint64_t size) override;
  Result<uint64_t> size(const std::string& path) override;
  bool exists(const std::string& path) override;
  Status make_dirs(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& dir) override;
  Status remove(const std::string& path) override;

  // The n-th writing operation from now fails, half done, as does every later one (0 = next). Negative: never.
  void fail_at(int n);
  // Power loss: what was not synced is gone, and a file removed since is back. Also ends fail_at.
  void crash();
  // The process is killed, the machine goes on: everything written stays. Also ends fail_at.
  void kill();
  [[nodiscard]] int writes() const { return writes_; }

 private:
  struct File {
    std::string now;
    std::string synced;
    bool durable = false;  // its name has reached the disk
    bool removed = false;  // gone for readers, still on the disk
  };
  enum class Gate { kPass, kHalf, kFail };
  Gate gate();
  File* find(const std::string& path);
  Status need_parent(const std::string& path) const;
  void sync_removals(const std::string& beside);
  std::mutex mutex_;
  std::map<std::string, File> files_;
  std::set<std::string> dirs_;
  int writes_ = 0;
  int fail_at_ = -1;
  bool failing_ = false;
};

}  // namespace entente
