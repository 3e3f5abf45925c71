// A file or standard input as a stream of octets, gzip (all members) and zstd (all frames) undone on the way.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace entente::detect {

class Input {
 public:
  // "-" is standard input. kNotFound, kIo with remedy.
  static Result<std::unique_ptr<Input>> open(const std::string& path);
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  virtual ~Input() = default;

  // Octets before and after what read() gives that may be read (their values mean nothing).
  static constexpr size_t kPad = 192;
  // The next octets, at most 1 MiB; empty at the end. The view is valid until the next call.
  virtual Result<std::string_view> read() = 0;
  // Why the end came too early, if it did ("compressed data is cut short"); all octets before it were delivered.
  [[nodiscard]] const std::string& fault() const { return fault_; }
  // Octets taken from the file, before decompression.
  [[nodiscard]] uint64_t taken() const { return taken_; }

 protected:
  Input() = default;
  std::string fault_;
  uint64_t taken_ = 0;
};

}  // namespace entente::detect
