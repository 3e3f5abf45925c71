#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

namespace entente {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }
  [[nodiscard]] int get() const { return fd_; }
  int close() {
    const int r = fd_ >= 0 ? ::close(fd_) : 0;
    fd_ = -1;
    return r;
  }

 private:
  int fd_;
};

Error failed(const char* verb, const std::string& path) {
  const int code = errno;
  const auto kind = code == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo;
  std::string remedy;
  if (code == ENOSPC) remedy = "free some space";
  if (code == EACCES || code == EPERM) remedy = "check who owns it";
  return make_error(kind, std::string("cannot ") + verb + ": " + std::strerror(code), path, std::move(remedy));
}

bool write_octets(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string parent_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

Status Files::write_all(std::span<const NewFile> files) {
  for (const auto& f : files) CHECK_OK(write_atomic(f.path, f.bytes));
  return {};
}

Status sync_parent(const std::string& path) {
  const std::string dir = parent_of(path);
  const Descriptor fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok() || ::fsync(fd.get()) != 0) return failed("sync the folder", dir);
  return {};
}

Result<std::string> PosixFiles::read(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return failed("open", path);
  struct stat st{};
  if (::fstat(fd.get(), &st) != 0) return failed("read", path);
  if (S_ISDIR(st.st_mode)) return make_error(ErrorKind::kIo, "cannot read: it is a folder", path);
  std::string out;
  // One more than the size, so that the common case ends with one read of 0; grows for what has no size (pipes, /proc).
  out.resize(static_cast<size_t>(st.st_size) + 1);
  size_t have = 0;
  while (true) {
    if (have == out.size()) out.resize(out.size() * 2 + 4096);
    const ssize_t n = ::read(fd.get(), out.data() + have, out.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read", path);
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  out.resize(have);
  return out;
}

Status PosixFiles::write_atomic(const std::string& path, std::string_view bytes, int mode) {
  const std::string temp = path + ".tmp";
  Descriptor fd(::open(temp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, static_cast<mode_t>(mode)));
  if (!fd.ok()) return failed("create", temp);
  // The umask or an older leftover may have given other rights.
  if (::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0 || !write_octets(fd.get(), bytes) || ::fsync(fd.get()) != 0 ||
      fd.close() != 0 || ::rename(temp.c_str(), path.c_str()) != 0) {
    auto e = failed("write", path);
    ::unlink(temp.c_str());
    return e;
  }
  return sync_parent(path);
}

// All data is handed to the disk before the first wait for it, so that the waits overlap; each folder is synced once.
Status PosixFiles::write_all(std::span<const NewFile> files) {
  std::vector<std::unique_ptr<Descriptor>> open;
  std::set<std::string> folders;
  for (const auto& f : files) {
    const std::string temp = f.path + ".tmp";
    auto fd = std::make_unique<Descriptor>(::open(temp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd->ok()) return failed("create", temp);
    if (!write_octets(fd->get(), f.bytes)) return failed("write", temp);
    ::sync_file_range(fd->get(), 0, 0, SYNC_FILE_RANGE_WRITE);  // a hint: the sync below is what counts
    open.push_back(std::move(fd));
    folders.insert(parent_of(f.path));
  }
  for (size_t i = 0; i < files.size(); ++i) {
    if (::fsync(open[i]->get()) != 0 || open[i]->close() != 0) return failed("sync", files[i].path);
  }
  for (const auto& f : files) {
    if (::rename((f.path + ".tmp").c_str(), f.path.c_str()) != 0) return failed("rename", f.path);
  }
  for (const auto& folder : folders) CHECK_OK(sync_parent(folder + "/."));
  return {};
}

Status PosixFiles::append(const std::string& path, std::string_view bytes, bool sync) {
  Descriptor fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.ok()) return failed("open", path);
  if (!write_octets(fd.get(), bytes)) return failed("append", path);
  if (sync && ::fsync(fd.get()) != 0) return failed("sync", path);
  if (fd.close() != 0) return failed("append", path);
  // Also for an old file: an earlier unsynced append may have made it.
  return sync ? sync_parent(path) : Status();
}

Status PosixFiles::truncate(const std::string& path, uint64_t size) {
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.ok()) return failed("open", path);
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 || ::fsync(fd.get()) != 0) return failed("truncate", path);
  return {};
}

Result<uint64_t> PosixFiles::size(const std::string& path) {
  struct stat st{};
  if (::stat(path.c_str(), &st) != 0) return failed("look at", path);
  return static_cast<uint64_t>(st.st_size);
}

bool PosixFiles::exists(const std::string& path) {
  struct stat st{};
  return ::stat(path.c_str(), &st) == 0;
}

Status PosixFiles::make_dirs(const std::string& path) {
  std::string clean = std::filesystem::path(path).lexically_normal().string();
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  for (size_t at = 0; at != std::string::npos;) {
    at = clean.find('/', at + 1);
    const std::string part = clean.substr(0, at);
    if (exists(part)) continue;
    if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) return failed("make the folder", part);
    CHECK_OK(sync_parent(part));
  }
  struct stat st{};
  if (::stat(clean.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return make_error(ErrorKind::kIo, "not a folder", clean);
  return {};
}

Result<std::vector<std::string>> PosixFiles::list(const std::string& dir) {
  DIR* d = ::opendir(dir.c_str());
  if (d == nullptr) return failed("list", dir);
  std::vector<std::string> out;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone.
  while (const dirent* e = ::readdir(d)) {
    std::string name = e->d_name;
    if (name != "." && name != "..") out.push_back(std::move(name));
  }
  ::closedir(d);
  std::sort(out.begin(), out.end());
  return out;
}

Status PosixFiles::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && (errno != EISDIR || ::rmdir(path.c_str()) != 0)) return failed("remove", path);
  return {};
}

}  // namespace entente
