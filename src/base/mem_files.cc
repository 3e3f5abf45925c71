#include <filesystem>

#include "base/files.h"

namespace entente {
namespace {

std::string clean(const std::string& path) {
  std::string out = std::filesystem::path(path).lexically_normal().string();
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

Error injected(const std::string& path) {
  return make_error(ErrorKind::kIo, "the disk failed (a fault of the test)", path);
}
Error absent(const std::string& path) { return make_error(ErrorKind::kNotFound, "no such file", path); }

}  // namespace

MemFiles::Gate MemFiles::gate() {
  ++writes_;
  if (failing_) return Gate::kFail;
  if (fail_at_ < 0) return Gate::kPass;
  if (fail_at_-- > 0) return Gate::kPass;
  failing_ = true;
  return Gate::kHalf;
}

MemFiles::File* MemFiles::find(const std::string& path) {
  const auto it = files_.find(path);
  return it == files_.end() || it->second.removed ? nullptr : &it->second;
}

// A real disk has no file without a folder; being laxer here would hide mistakes.
Status MemFiles::need_parent(const std::string& path) const {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  if (parent.empty() || parent == "/" || dirs_.contains(parent)) return {};
  return make_error(ErrorKind::kNotFound, "no such folder", parent);
}

Result<std::string> MemFiles::read(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const File* f = find(clean(path));
  if (f == nullptr) return absent(path);
  return f->now;
}

Status MemFiles::write_atomic(const std::string& path, std::string_view bytes, int /*mode*/) {
  const std::lock_guard lock(mutex_);
  const std::string at = clean(path);
  CHECK_OK(need_parent(at));
  const Gate g = gate();
  if (g == Gate::kFail) return injected(path);
  if (g == Gate::kHalf) {
    File& temp = files_[at + ".tmp"];
    temp = File{};
    temp.now = bytes.substr(0, bytes.size() / 2);
    return injected(path);
  }
  File& f = files_[at];
  f.now = bytes;
  f.synced = bytes;
  f.durable = true;
  f.removed = false;
  files_.erase(at + ".tmp");
  sync_removals(at);
  return {};
}

Status MemFiles::append(const std::string& path, std::string_view bytes, bool sync) {
  const std::lock_guard lock(mutex_);
  const std::string at = clean(path);
  CHECK_OK(need_parent(at));
  const Gate g = gate();
  if (g == Gate::kFail) return injected(path);
  File& f = files_[at];
  if (f.removed) f = File{};
  if (g == Gate::kHalf) {
    f.now += bytes.substr(0, bytes.size() / 2);
    return injected(path);
  }
  f.now += bytes;
  if (sync) {
    f.synced = f.now;
    f.durable = true;
    sync_removals(at);
  }
  return {};
}

// Syncing a folder makes the removals in it last too.
void MemFiles::sync_removals(const std::string& beside) {
  const auto folder = std::filesystem::path(beside).parent_path();
  std::erase_if(files_, [&](const auto& item) {
    return item.second.removed && std::filesystem::path(item.first).parent_path() == folder;
  });
}

Status MemFiles::truncate(const std::string& path, uint64_t size) {
  const std::lock_guard lock(mutex_);
  const Gate g = gate();
  if (g == Gate::kFail) return injected(path);
  File* f = find(clean(path));
  if (f == nullptr) return absent(path);
  f->now.resize(size);
  if (g == Gate::kHalf) return injected(path);
  f->synced = f->now;
  return {};
}

Result<uint64_t> MemFiles::size(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const File* f = find(clean(path));
  if (f == nullptr) return absent(path);
  return static_cast<uint64_t>(f->now.size());
}

bool MemFiles::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const std::string at = clean(path);
  return find(at) != nullptr || dirs_.contains(at);
}

Status MemFiles::make_dirs(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const std::string at = clean(path);
  if (dirs_.contains(at)) return {};
  const Gate g = gate();
  if (g == Gate::kFail) return injected(path);
  for (std::filesystem::path p = at; !p.empty() && p != p.root_path(); p = p.parent_path()) {
    if (find(p.string()) != nullptr) return make_error(ErrorKind::kIo, "not a folder", p.string());
    if (g == Gate::kHalf && p.string() == at) continue;
    dirs_.insert(p.string());
  }
  if (g == Gate::kHalf) return injected(path);
  return {};
}

Result<std::vector<std::string>> MemFiles::list(const std::string& dir) {
  const std::lock_guard lock(mutex_);
  const std::string at = clean(dir);
  if (!dirs_.contains(at) && at != "." && at != "/") return absent(dir);
  std::set<std::string> names;
  const auto take = [&](const std::string& path) {
    const std::filesystem::path p = path;
    const std::string parent = p.parent_path().string();
    if (parent == at || (parent.empty() && at == ".")) names.insert(p.filename().string());
  };
  for (const auto& [path, file] : files_) {
    if (!file.removed) take(path);
  }
  for (const auto& path : dirs_) take(path);
  return std::vector<std::string>(names.begin(), names.end());
}

Status MemFiles::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (gate() != Gate::kPass) return injected(path);
  const std::string at = clean(path);
  if (dirs_.contains(at)) {
    const auto under = [&](const std::string& p) { return p.starts_with(at + "/"); };
    for (const auto& [name, file] : files_) {
      if (!file.removed && under(name)) return make_error(ErrorKind::kIo, "the folder is not empty", path);
    }
    for (const auto& dir : dirs_) {
      if (under(dir)) return make_error(ErrorKind::kIo, "the folder is not empty", path);
    }
    // Files that were in it and come back after a crash bring it back too: keep its name for them.
    for (const auto& [name, file] : files_) {
      if (under(name)) return {};
    }
    dirs_.erase(at);
    return {};
  }
  File* f = find(at);
  if (f == nullptr) return absent(path);
  f->removed = true;
  return {};
}

void MemFiles::fail_at(int n) {
  const std::lock_guard lock(mutex_);
  fail_at_ = n;
  failing_ = false;
}

void MemFiles::crash() {
  const std::lock_guard lock(mutex_);
  fail_at_ = -1;
  failing_ = false;
  std::erase_if(files_, [](const auto& item) { return !item.second.durable; });
  for (auto& [path, file] : files_) {
    file.now = file.synced;
    file.removed = false;
  }
}

void MemFiles::kill() {
  const std::lock_guard lock(mutex_);
  fail_at_ = -1;
  failing_ = false;
}

}  // namespace entente
