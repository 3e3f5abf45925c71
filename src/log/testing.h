// For tests of the log: a projector whose records are small programs, and a folder that goes away.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "log/log.h"

namespace entente::log {

// Header: operations separated by ';' on table 1: `put KEY VALUE`, `erase KEY`, `count KEY` (adds one; the outcome is
// the new number), `fail`.
class LineProjector final : public Projector {
 public:
  explicit LineProjector(uint32_t version = 1) : version_(version) {}
  Status apply(const Entry& entry, Batch& batch, std::string& outcome) override {
    std::string_view rest = entry.header;
    while (!rest.empty()) {
      std::string_view op = rest.substr(0, rest.find(';'));
      rest.remove_prefix(std::min(rest.size(), op.size() + 1));
      const std::string_view verb = word(op);
      const std::string_view key = word(op);
      if (verb == "put") {
        batch.put(1, key, op);
      } else if (verb == "erase") {
        batch.erase(1, key);
      } else if (verb == "count") {
        const auto old = batch.get(1, key);
        outcome = std::to_string(old.ok() ? std::stoul(*old) + 1 : 1);
        batch.put(1, key, outcome);
      } else if (verb == "fail") {
        return make_error(ErrorKind::kConflict, "asked to fail");
      }
    }
    return {};
  }
  [[nodiscard]] uint32_t version() const override { return version_; }

 private:
  static std::string_view word(std::string_view& text) {
    const std::string_view w = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), w.size() + 1));
    return w;
  }
  uint32_t version_;
};

struct TempDir {
  TempDir() : path(std::filesystem::temp_directory_path() / "entente-log-XXXXXX") {
    if (mkdtemp(path.data()) == nullptr) std::abort();
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string path;
};

}  // namespace entente::log
