#include "detect/internal/input.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

namespace entente::detect {
namespace {

constexpr size_t kPiece = 1u << 20;

class Buffer {
 public:
  [[nodiscard]] char* data() { return octets_.data() + Input::kPad; }
  [[nodiscard]] static constexpr size_t size() { return kPiece; }
  [[nodiscard]] std::string_view view(size_t n) { return {data(), n}; }

 private:
  std::string octets_ = std::string(kPiece + 2 * Input::kPad, '\0');
};

class File final : public Input {
 public:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~File() override {
    if (fd_ > 0) ::close(fd_);
  }

  // Whole pieces where the source gives them, so that a head can be recognised.
  Result<std::string_view> read() override {
    if (held_.data() != nullptr) return std::exchange(held_, {});
    size_t have = 0;
    while (have < buffer_.size()) {
      const ssize_t n = ::read(fd_, buffer_.data() + have, buffer_.size() - have);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0)
        return make_error(ErrorKind::kIo, std::string("cannot read: ") + std::strerror(errno), path_,
                          "check the file and the disk");
      if (n == 0) break;
      have += static_cast<size_t>(n);
      if (have >= 262144) break;
    }
    taken_ += have;
    return buffer_.view(have);
  }
  // The next read() gives this again.
  void hold(std::string_view head) { held_ = head; }

 private:
  int fd_;
  std::string path_;
  Buffer buffer_;
  std::string_view held_;
};

class Gzip final : public Input {
 public:
  explicit Gzip(std::unique_ptr<File> file) : file_(std::move(file)) { ready_ = ::inflateInit2(&z_, 15 + 32) == Z_OK; }
  ~Gzip() override { ::inflateEnd(&z_); }

  Result<std::string_view> read() override {
    if (!ready_) return make_error(ErrorKind::kInternal, "zlib cannot be started");
    z_.next_out = reinterpret_cast<Bytef*>(out_.data());
    z_.avail_out = kPiece;
    while (!end_ && z_.avail_out == kPiece) {
      if (z_.avail_in == 0) {
        TRY(const auto more, file_->read());
        taken_ = file_->taken();
        if (more.empty()) {
          end_ = true;
          if (inside_) fault_ = "compressed data is cut short";
          break;
        }
        z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(more.data()));
        z_.avail_in = static_cast<uInt>(more.size());
      }
      inside_ = true;
      const int rc = ::inflate(&z_, Z_NO_FLUSH);
      if (rc == Z_STREAM_END) {  // another member may follow (RFC 1952 §2.2)
        inside_ = false;
        members_ = true;
        ::inflateReset(&z_);
      } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
        end_ = true;
        const bool trailing = members_ && z_.total_out == 0;  // padding behind the last member
        if (!trailing) fault_ = "compressed data is damaged";
      }
    }
    return out_.view(kPiece - z_.avail_out);
  }

 private:
  std::unique_ptr<File> file_;
  Buffer out_;
  z_stream z_{};
  bool ready_ = false, end_ = false, inside_ = false, members_ = false;
};

class Zstd final : public Input {
 public:
  explicit Zstd(std::unique_ptr<File> file) : file_(std::move(file)), stream_(::ZSTD_createDStream()) {}
  ~Zstd() override { ::ZSTD_freeDStream(stream_); }

  Result<std::string_view> read() override {
    ZSTD_outBuffer out{out_.data(), out_.size(), 0};
    while (!end_ && out.pos == 0) {
      if (in_.pos == in_.size) {
        TRY(const auto more, file_->read());
        taken_ = file_->taken();
        if (more.empty()) {
          end_ = true;
          if (inside_) fault_ = "compressed data is cut short";
          break;
        }
        in_ = {more.data(), more.size(), 0};
      }
      const size_t rc = ::ZSTD_decompressStream(stream_, &out, &in_);
      if (::ZSTD_isError(rc) != 0) {
        end_ = true;
        fault_ = std::string("compressed data is damaged: ") + ::ZSTD_getErrorName(rc);
      }
      inside_ = rc != 0;
    }
    return out_.view(out.pos);
  }

 private:
  std::unique_ptr<File> file_;
  Buffer out_;
  ZSTD_DStream* stream_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool end_ = false, inside_ = false;
};

}  // namespace

Result<std::unique_ptr<Input>> Input::open(const std::string& path) {
  int fd = 0;
  if (path != "-") {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      return make_error(errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo,
                        std::string("cannot open: ") + std::strerror(errno), path,
                        errno == ENOENT ? "check the name" : "check the permissions");
    struct stat s{};
    if (::fstat(fd, &s) == 0 && S_ISDIR(s.st_mode)) {
      ::close(fd);
      return make_error(ErrorKind::kIo, "is a folder", path, "name the files in it");
    }
  }
  auto file = std::make_unique<File>(fd, path);
  TRY(const auto head, file->read());
  file->hold(head);
  std::unique_ptr<Input> input;
  if (head.starts_with("\x1f\x8b")) {
    input = std::make_unique<Gzip>(std::move(file));
  } else if (head.starts_with("\x28\xb5\x2f\xfd")) {
    input = std::make_unique<Zstd>(std::move(file));
  } else {
    input = std::move(file);
  }
  return input;
}

}  // namespace entente::detect
