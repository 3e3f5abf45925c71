// Maps of the kernel, by file descriptor: bulk reading and writing with errors as values. Keys and values are octets of
// the sizes that the map has.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace entente::enforce::internal {

// A file descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd();
  Fd(Fd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Calls `fn` for each key and value. While somebody writes, elements may be missed or come twice.
Status for_each_in_hash(int fd, size_t key_size, size_t value_size,
                        const std::function<void(const char* key, const char* value)>& fn);
Status for_each_in_trie(int fd, size_t key_size, size_t value_size,
                        const std::function<void(const char* key, const char* value)>& fn);
// Writes `count` elements that lie one after the other; what does not fit is counted in `not_taken`.
Status write_all(int fd, size_t key_size, size_t value_size, const std::string& keys, const std::string& values,
                 size_t count, size_t& not_taken);
Status remove_one(int fd, const void* key);  // what is not there is no error
[[nodiscard]] Error bpf_error(const std::string& what, int error, const std::string& where = {});

}  // namespace entente::enforce::internal
