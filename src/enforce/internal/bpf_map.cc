#include "enforce/internal/bpf_map.h"

#include <cerrno>
#include <cstring>

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <unistd.h>

namespace entente::enforce::internal {

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Fd& Fd::operator=(Fd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Error bpf_error(const std::string& what, int error, const std::string& where) {
  const bool denied = error == EPERM || error == EACCES;
  const ErrorKind kind = denied                                   ? ErrorKind::kDenied
                         : error == E2BIG                         ? ErrorKind::kTooLarge
                         : error == ENOENT || error == ENODEV     ? ErrorKind::kNotFound
                         : error == EBUSY                         ? ErrorKind::kConflict
                         : error == EOPNOTSUPP || error == ENOSYS ? ErrorKind::kUnsupported
                                                                  : ErrorKind::kIo;
  return make_error(kind, fmt::format("{}: {}", what, std::strerror(error)), where,
                    denied ? "run as root or with CAP_BPF and CAP_NET_ADMIN" : "");
}

Status for_each_in_hash(int fd, size_t key_size, size_t value_size,
                        const std::function<void(const char*, const char*)>& fn) {
  uint32_t room = 8192;
  std::string keys(room * key_size, '\0'), values(room * value_size, '\0');
  uint32_t from = 0, to = 0;
  bool first = true;
  while (true) {
    uint32_t count = room;
    const int done =
        bpf_map_lookup_batch(fd, first ? nullptr : &from, &to, keys.data(), values.data(), &count, nullptr);
    const int error = done == 0 ? 0 : errno;
    if (error == ENOSPC && room < (1u << 24)) {  // one bucket holds more than there is room for
      room *= 2;
      keys.resize(room * key_size);
      values.resize(room * value_size);
      continue;
    }
    if (error != 0 && error != ENOENT) return bpf_error("a map could not be read", error);
    for (uint32_t i = 0; i < count; ++i) fn(keys.data() + i * key_size, values.data() + i * value_size);
    if (error == ENOENT) return {};
    from = to;
    first = false;
  }
}

Status for_each_in_trie(int fd, size_t key_size, size_t value_size,
                        const std::function<void(const char*, const char*)>& fn) {
  // By hand: kernels before 6.0 have no batches for tries.
  std::string key(key_size, '\0'), next(key_size, '\0'), value(value_size, '\0');
  const void* from = nullptr;
  while (bpf_map_get_next_key(fd, from, next.data()) == 0) {
    if (bpf_map_lookup_elem(fd, next.data(), value.data()) == 0) fn(next.data(), value.data());
    key.swap(next);
    from = key.data();
  }
  return errno == ENOENT ? Status() : Status(bpf_error("a map could not be read", errno));
}

Status write_all(int fd, size_t key_size, size_t value_size, const std::string& keys, const std::string& values,
                 size_t count, size_t& not_taken) {
  constexpr uint32_t kPerCall = 8192;
  for (size_t at = 0; at < count;) {
    auto n = static_cast<uint32_t>(std::min<size_t>(kPerCall, count - at));
    if (bpf_map_update_batch(fd, keys.data() + at * key_size, values.data() + at * value_size, &n, nullptr) == 0) {
      at += n;
      continue;
    }
    // What does not fit is left out, and the next may be one that is there already. Tries of older kernels take no
    // batches.
    const int error = errno;
    if (error == E2BIG || error == ENOSPC) {
      at += n + 1;
      ++not_taken;
    } else if (error == EINVAL || error == EOPNOTSUPP || error == 524) {
      for (; at < count; ++at) {
        if (bpf_map_update_elem(fd, keys.data() + at * key_size, values.data() + at * value_size, BPF_ANY) == 0)
          continue;
        if (errno != E2BIG && errno != ENOSPC) return bpf_error("a map could not be written", errno);
        ++not_taken;
      }
    } else {
      return bpf_error("a map could not be written", error);
    }
  }
  return {};
}

Status remove_one(int fd, const void* key) {
  if (bpf_map_delete_elem(fd, key) == 0 || errno == ENOENT) return {};
  return bpf_error("an element could not be removed", errno);
}

}  // namespace entente::enforce::internal
