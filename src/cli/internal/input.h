// A file or standard input, read in pieces.
#pragma once

#include <string>

#include "base/result.h"
#include "stix/object_stream.h"

namespace entente::cli {

class Input {
 public:
  // "-" is standard input. kNotFound or kIo with the path.
  [[nodiscard]] static Result<Input> open(const std::string& path);
  Input(Input&& other) noexcept;
  Input& operator=(Input&& other) noexcept;
  ~Input();

  // Octets in all, as far as the system knows; 0 for pipes.
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] Result<size_t> read(char* to, size_t room) const;

 private:
  Input(int fd, std::string path, uint64_t size) : fd_(fd), path_(std::move(path)), size_(size) {}
  int fd_ = -1;
  std::string path_;
  uint64_t size_ = 0;
};

}  // namespace entente::cli
