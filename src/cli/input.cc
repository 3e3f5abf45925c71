#include "cli/internal/input.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace entente::cli {
namespace {

Error failed(const std::string& path, int error) {
  const ErrorKind kind = error == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo;
  return make_error(kind, std::strerror(error), path, "give a file that can be read, or - for standard input");
}

}  // namespace

Result<Input> Input::open(const std::string& path) {
  const int fd = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(path, errno);
  struct stat s{};
  Input in(fd, path, 0);
  if (::fstat(fd, &s) == 0) {
    if (S_ISDIR(s.st_mode)) return failed(path, EISDIR);
    if (S_ISREG(s.st_mode)) in.size_ = static_cast<uint64_t>(s.st_size);
  }
  return in;
}

Input::Input(Input&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), size_(other.size_) {}

Input& Input::operator=(Input&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(size_, other.size_);
  return *this;
}

Input::~Input() {
  if (fd_ > STDIN_FILENO) ::close(fd_);
}

Result<size_t> Input::read(char* to, size_t room) const {
  while (true) {
    const ssize_t n = ::read(fd_, to, room);
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EINTR) return failed(path_, errno);
  }
}

}  // namespace entente::cli
