#include "enforce/internal/xdp_program.h"

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <filesystem>

#include <bpf/bpf.h>
#include <drop.skel.h>
#include <drop_layout.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bytes.h"

namespace entente::enforce::internal {

namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, kMapCount> kNames{"hosts4", "hosts6", "nets4",   "nets6",
                                                    "allow4", "allow6", "control", "totals"};

// libbpf tells the reason of a refusal to a callback only. Its last words are kept per thread.
thread_local std::string last_words;

__attribute__((format(printf, 2, 0))) int keep_words(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  char line[512];
  const int n = vsnprintf(line, sizeof line, format, arguments);
  if (n > 0 && last_words.size() < 2000) last_words += line;
  return n;
}

bool on_bpffs(const std::string& path) {
  struct statfs info{};
  return statfs(path.c_str(), &info) == 0 && static_cast<uint32_t>(info.f_type) == BPF_FS_MAGIC;
}

// The folder of the pins; mounts the bpf file system where systemd would have (a bare machine or a container has none).
Status make_pin_dir(const std::string& dir) {
  constexpr const char* kMount = "/sys/fs/bpf";
  if (dir.starts_with(std::string(kMount) + "/") && !on_bpffs(kMount) && mount("bpf", kMount, "bpf", 0, nullptr) != 0) {
    return bpf_error("the bpf file system cannot be mounted", errno, kMount);
  }
  std::error_code error;
  fs::create_directories(dir, error);
  if (error) return bpf_error("the folder of the pins cannot be made", error.value(), dir);
  fs::permissions(dir, fs::perms::owner_all, error);
  if (!on_bpffs(dir)) {
    return invalid("pins need a bpf file system", dir,
                   "set the pin folder below /sys/fs/bpf, or mount one: mount -t bpf bpf FOLDER");
  }
  return {};
}

bool same_shape(int fd, const bpf_map* map) {
  bpf_map_info info{};
  uint32_t size = sizeof info;
  return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == static_cast<uint32_t>(bpf_map__type(map)) &&
         info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
         info.max_entries == bpf_map__max_entries(map) && info.map_flags == bpf_map__map_flags(map);
}

// A pinned file is made under another name and takes the old one's place.
Status pin_at(int fd, const std::string& path) {
  const std::string next = path + "_next";
  (void)unlink(next.c_str());
  if (bpf_obj_pin(fd, next.c_str()) != 0) return bpf_error("cannot be pinned", errno, path);
  if (std::rename(next.c_str(), path.c_str()) != 0) return bpf_error("cannot be pinned", errno, path);
  return {};
}

// The interface a pinned link holds; 0 if it holds none any more.
unsigned interface_of(int link_fd) {
  bpf_link_info info{};
  uint32_t size = sizeof info;
  if (bpf_obj_get_info_by_fd(link_fd, &info, &size) != 0 || info.type != BPF_LINK_TYPE_XDP) return 0;
  return info.xdp.ifindex;
}

}  // namespace

struct XdpProgram::Loaded {
  drop_bpf* skeleton = nullptr;
  Loaded() = default;
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  ~Loaded() { drop_bpf__destroy(skeleton); }
};

XdpProgram::XdpProgram(XdpOptions options) : options_(std::move(options)), loaded_(std::make_unique<Loaded>()) {}
XdpProgram::~XdpProgram() = default;

Result<std::unique_ptr<XdpProgram>> XdpProgram::load(const XdpOptions& options) {
  if (options.interfaces.empty()) return invalid("XDP needs an interface", {}, "name one in [sensor] interfaces");
  for (const std::string& name : options.interfaces) {
    if (if_nametoindex(name.c_str()) == 0)
      return make_error(ErrorKind::kNotFound, "there is no such interface", printable(name, 40));
  }
  CHECK_OK(make_pin_dir(options.pin_dir));
  libbpf_set_print(keep_words);
  last_words.clear();
  std::unique_ptr<XdpProgram> self(new XdpProgram(options));
  self->loaded_->skeleton = drop_bpf__open();
  if (self->loaded_->skeleton == nullptr) return bpf_error("the XDP program cannot be read", errno);
  auto& maps = self->loaded_->skeleton->maps;
  const auto size = [](bpf_map* map, size_t n) { (void)bpf_map__set_max_entries(map, static_cast<uint32_t>(n)); };
  // The kernel's hash has as many buckets as a map may have entries. Twice as many keep its chains short once it is
  // larger than a cache: 6 % more packets a second at a million entries, for 16 MB of buckets. How many leases there
  // may be is the reconciler's to keep (capacity()); the map only has to take them.
  constexpr size_t kLarge = 65'536;
  const size_t host_slots = options.capacity < kLarge ? options.capacity : 2 * options.capacity;
  size(maps.hosts4, host_slots);
  size(maps.hosts6, host_slots);
  size(maps.nets4, options.range_capacity);
  size(maps.nets6, options.range_capacity);
  size(maps.allow4, options.allow_capacity);
  size(maps.allow6, options.allow_capacity);
  self->took_over_ = self->take_over_maps();
  if (const int failed = drop_bpf__load(self->loaded_->skeleton); failed != 0) {
    auto error = bpf_error("the kernel refuses the XDP program", -failed);
    if (!last_words.empty()) error.what += ": " + printable(last_words, 300);
    return error;
  }
  return self;
}

int XdpProgram::map(MapIndex index) const {
  const auto& m = loaded_->skeleton->maps;
  const std::array<const bpf_map*, kMapCount> maps{m.hosts4, m.hosts6, m.nets4,   m.nets6,
                                                   m.allow4, m.allow6, m.control, m.totals};
  return bpf_map__fd(maps[index]);
}

// All or none: a program whose blocks are old and whose allow-list is new would be nobody's.
bool XdpProgram::take_over_maps() {
  const auto& m = loaded_->skeleton->maps;
  const std::array<bpf_map*, kMapCount> maps{m.hosts4, m.hosts6, m.nets4,   m.nets6,
                                             m.allow4, m.allow6, m.control, m.totals};
  std::array<Fd, kMapCount> pinned;
  for (size_t i = 0; i < kMapCount; ++i) {
    pinned[i] = Fd(bpf_obj_get(pin(kNames[i]).c_str()));
    if (!pinned[i].ok() || !same_shape(pinned[i].get(), maps[i])) return false;
  }
  const uint32_t zero = 0;
  drop_control control{};
  if (bpf_map_lookup_elem(pinned[kControl].get(), &zero, &control) != 0 || control.layout != DROP_LAYOUT) return false;
  for (size_t i = 0; i < kMapCount; ++i) {
    if (bpf_map__reuse_fd(maps[i], pinned[i].get()) != 0) return false;
  }
  return true;
}

Status XdpProgram::attach_to(const std::string& interface) {
  const std::string path = pin("link_" + interface);
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) return make_error(ErrorKind::kNotFound, "there is no such interface", interface);
  const int program = bpf_program__fd(loaded_->skeleton->progs.entente_drop);
  if (const Fd link(bpf_obj_get(path.c_str())); link.ok()) {
    if (interface_of(link.get()) == index) {
      if (bpf_link_update(link.get(), program, nullptr) == 0) return {};
      return bpf_error("the XDP program cannot take the place of the old one", errno, interface);
    }
    (void)unlink(path.c_str());  // of an interface that went away; this one has only its name
  }
  bpf_link_create_opts link_options{};
  link_options.sz = sizeof link_options;
  int error = 0;
  for (const uint32_t mode : {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE}) {
    if (mode == XDP_FLAGS_DRV_MODE && options_.attach == XdpOptions::Attach::kGeneric) continue;
    if (mode == XDP_FLAGS_SKB_MODE && options_.attach == XdpOptions::Attach::kNative) continue;
    link_options.flags = mode;
    const Fd link(bpf_link_create(program, static_cast<int>(index), BPF_XDP, &link_options));
    if (link.ok()) return pin_at(link.get(), path);
    error = errno;
    if (error == EBUSY || error == EPERM) break;
  }
  auto why = bpf_error("XDP cannot be attached", error, interface);
  if (error == EBUSY || error == EEXIST) why.remedy = "another XDP program is attached there: `ip link` shows it";
  return why;
}

Status XdpProgram::attach() {
  // First the links: until they point here, the earlier program goes on with its own maps.
  for (const std::string& interface : options_.interfaces) {
    CHECK_OK(attach_to(interface));
    indices_[interface] = if_nametoindex(interface.c_str());
  }
  for (size_t i = 0; i < kMapCount; ++i) CHECK_OK(pin_at(map(static_cast<MapIndex>(i)), pin(kNames[i])));
  // Interfaces that are no longer ours.
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(options_.pin_dir, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("link_")) continue;
    const std::string interface = name.substr(5);
    bool ours = false;
    for (const std::string& wanted : options_.interfaces) ours = ours || wanted == interface;
    if (!ours) (void)unlink(entry.path().c_str());
  }
  return {};
}

Status XdpProgram::follow() {
  for (auto& [interface, before] : indices_) {
    const unsigned now = if_nametoindex(interface.c_str());
    if (now == before) continue;
    if (now != 0) CHECK_OK(attach_to(interface));
    before = now;
  }
  return {};
}

Status XdpProgram::detach() {
  indices_.clear();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.pin_dir, error)) {
    // Now, not when the kernel comes round to it.
    if (entry.path().filename().string().starts_with("link_")) {
      const Fd link(bpf_obj_get(entry.path().c_str()));
      if (link.ok()) (void)bpf_link_detach(link.get());
    }
    if (unlink(entry.path().c_str()) != 0) return bpf_error("a pin cannot be removed", errno, entry.path().string());
  }
  if (error) return bpf_error("the folder of the pins cannot be read", error.value(), options_.pin_dir);
  return {};
}

std::string XdpProgram::where() const {
  std::string out;
  for (const std::string& interface : options_.interfaces) {
    bpf_xdp_query_opts query{};
    query.sz = sizeof query;
    const unsigned index = if_nametoindex(interface.c_str());
    const bool known = index != 0 && bpf_xdp_query(static_cast<int>(index), 0, &query) == 0;
    const std::string_view mode = !known                                  ? "away"
                                  : query.attach_mode == XDP_ATTACHED_DRV ? "native"
                                  : query.attach_mode == XDP_ATTACHED_SKB ? "generic"
                                  : query.attach_mode == XDP_ATTACHED_HW  ? "offloaded"
                                                                          : "not attached";
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", interface, mode);
  }
  return out;
}

}  // namespace entente::enforce::internal
