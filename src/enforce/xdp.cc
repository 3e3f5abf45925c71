#include "enforce/xdp.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <map>
#include <set>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <drop_layout.h>
#include <fmt/format.h>

#include "enforce/internal/bpf_map.h"
#include "enforce/internal/xdp_program.h"

namespace entente::enforce {

using internal::bpf_error;
using internal::MapIndex;

namespace {

uint64_t boot_ns() {
  timespec t{};
  (void)clock_gettime(CLOCK_BOOTTIME, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

// The kernel's time of an end. 0 if it is past.
uint64_t kernel_end(Time end, Time now, uint64_t boot) {
  if (end <= now) return 0;
  constexpr int64_t kTenYears = 10LL * 366 * 86400 * 1'000'000;
  const int64_t left = now.us < 0 || end.us > now.us + kTenYears ? kTenYears : end.us - now.us;
  return boot + static_cast<uint64_t>(left) * 1000;
}

std::string key_of(const Prefix& p) {
  std::string key;
  if (!p.single()) {
    const uint32_t bits = p.bits;
    key.append(reinterpret_cast<const char*>(&bits), sizeof bits);
  }
  key.append(reinterpret_cast<const char*>(p.bytes.data()), p.v6 ? 16 : 4);
  return key;
}

std::string trie_key(const Prefix& p) {
  const uint32_t bits = p.bits;
  return std::string(reinterpret_cast<const char*>(&bits), sizeof bits) +
         std::string(reinterpret_cast<const char*>(p.bytes.data()), p.v6 ? 16 : 4);
}

Prefix prefix_of(const char* key, bool v6, bool trie) {
  Prefix p;
  p.v6 = v6;
  uint32_t bits = p.width();
  if (trie) {
    std::memcpy(&bits, key, sizeof bits);
    key += sizeof bits;
  }
  p.bits = static_cast<uint8_t>(bits);
  std::memcpy(p.bytes.data(), key, v6 ? 16 : 4);
  return p;
}

constexpr size_t key_size(bool v6, bool trie) { return (trie ? 4u : 0u) + (v6 ? 16u : 4u); }
MapIndex hosts(bool v6) { return v6 ? internal::kHosts6 : internal::kHosts4; }
MapIndex nets(bool v6) { return v6 ? internal::kNets6 : internal::kNets4; }
MapIndex allowed(bool v6) { return v6 ? internal::kAllow6 : internal::kAllow4; }

struct Ends {
  uint64_t drop = 0, watch = 0;
  bool operator==(const Ends&) const = default;
};

// The kernel asks the narrowest range only. So a range inside others is in force as long as any of them.
std::map<Prefix, Ends> nested(const std::map<Prefix, Element>& ranges, Time now, uint64_t boot) {
  std::map<Prefix, Ends> out;
  std::vector<std::pair<Prefix, Ends>> around;  // what lies inside follows what contains it
  for (const auto& [prefix, element] : ranges) {
    while (!around.empty() && !around.back().first.contains(prefix)) around.pop_back();
    Ends ends = around.empty() ? Ends{} : around.back().second;
    uint64_t& end = element.drop ? ends.drop : ends.watch;
    end = std::max(end, kernel_end(element.end, now, boot));
    around.emplace_back(prefix, ends);
    out.emplace(prefix, ends);
  }
  return out;
}

}  // namespace

struct XdpEnforcer::State {
  XdpOptions options;
  std::unique_ptr<internal::XdpProgram> program;
  std::map<Prefix, Element> ranges;  // as wanted
  std::map<Prefix, Ends> written;    // as in the kernel
  bool started = false;

  [[nodiscard]] int map(MapIndex index) const { return program->map(index); }

  Status write_control() const {
    const uint32_t zero = 0;
    drop_control c{};
    c.deadline = boot_ns() + static_cast<uint64_t>(options.hold_us) * 1000;
    c.layout = DROP_LAYOUT;
    for (const auto& [prefix, ends] : written) (prefix.v6 ? c.have_nets6 : c.have_nets4) = 1;
    if (bpf_map_update_elem(map(internal::kControl), &zero, &c, BPF_ANY) != 0)
      return bpf_error("the deadline could not be written", errno);
    return {};
  }

  // The allow-list becomes exactly `allow`: what is new comes before what is old goes.
  Status write_allowed(const std::vector<Prefix>& allow, bool only_add) const {
    for (const bool v6 : {false, true}) {
      std::set<Prefix> wanted;
      for (const Prefix& p : allow) {
        if (p.v6 == v6) wanted.insert(p);
      }
      if (wanted.size() > options.allow_capacity) {
        return make_error(
            ErrorKind::kTooLarge,
            fmt::format("the allow-list has {} ranges, XDP holds {}", wanted.size(), options.allow_capacity), {},
            "shorten the lists: without all of them nothing is blocked here");
      }
      std::vector<Prefix> old;
      CHECK_OK(internal::for_each_in_trie(map(allowed(v6)), key_size(v6, true), 4, [&](const char* key, const char*) {
        const Prefix p = prefix_of(key, v6, true);
        if (wanted.erase(p) == 0) old.push_back(p);
      }));
      // Full with the old: then there is no other way than these first. What is blocked meanwhile is only what was.
      const bool full = wanted.size() + old.size() > options.allow_capacity;
      if (!only_add || full) {
        for (const Prefix& p : old) CHECK_OK(internal::remove_one(map(allowed(v6)), trie_key(p).data()));
      }
      std::string keys;
      for (const Prefix& p : wanted) keys += trie_key(p);
      size_t not_taken = 0;
      CHECK_OK(internal::write_all(map(allowed(v6)), key_size(v6, true), 4, keys, std::string(wanted.size() * 4, '\1'),
                                   wanted.size(), not_taken));
      if (not_taken > 0)
        return make_error(ErrorKind::kTooLarge, fmt::format("{} ranges of the allow-list did not fit", not_taken));
    }
    return {};
  }

  // The range maps become what `ranges` says; counters of what stays are kept.
  Status write_ranges(Time now, bool reread, size_t& not_taken) {
    if (reread) {
      written.clear();
      for (const bool v6 : {false, true}) {
        CHECK_OK(internal::for_each_in_trie(
            map(nets(v6)), key_size(v6, true), sizeof(drop_entry),
            [&](const char* key, const char*) { written.emplace(prefix_of(key, v6, true), Ends{}); }));
      }
    }
    const auto wanted = nested(ranges, now, boot_ns());
    for (auto it = written.begin(); it != written.end();) {
      if (wanted.contains(it->first)) {
        ++it;
        continue;
      }
      CHECK_OK(internal::remove_one(map(nets(it->first.v6)), trie_key(it->first).data()));
      it = written.erase(it);
    }
    for (const auto& [prefix, ends] : wanted) {
      const auto is = written.find(prefix);
      // Ends that differ by less than a millisecond are the same moment, computed twice.
      constexpr uint64_t kSame = 1'000'000;
      const auto near = [](uint64_t a, uint64_t b) {
        return (a == 0) == (b == 0) && std::max(a, b) - std::min(a, b) < kSame;
      };
      if (is != written.end() && near(is->second.drop, ends.drop) && near(is->second.watch, ends.watch)) continue;
      const int fd = map(nets(prefix.v6));
      const std::string key = trie_key(prefix);
      drop_entry entry{};
      // The trie answers a lookup with the longest prefix around the key: that is this one only if it is there.
      if (is != written.end()) (void)bpf_map_lookup_elem(fd, key.data(), &entry);
      entry.drop_end = ends.drop;
      entry.watch_end = ends.watch;
      if (bpf_map_update_elem(fd, key.data(), &entry, BPF_ANY) == 0) {
        written[prefix] = ends;
      } else if (errno == ENOSPC || errno == E2BIG) {
        ++not_taken;
      } else {
        return bpf_error("a range could not be written", errno);
      }
    }
    return {};
  }

  Status write_hosts(const std::vector<Element>& elements, Time now, const std::map<Prefix, drop_entry>* known,
                     size_t& not_taken) const {
    const uint64_t boot = boot_ns();
    for (const bool v6 : {false, true}) {
      std::string keys, values;
      size_t count = 0;
      for (const Element& e : elements) {
        if (!e.prefix.single() || e.prefix.v6 != v6) continue;
        drop_entry entry{};
        const std::string key = key_of(e.prefix);
        if (known != nullptr) {
          if (const auto it = known->find(e.prefix); it != known->end()) entry = it->second;
        } else {
          (void)bpf_map_lookup_elem(map(hosts(v6)), key.data(), &entry);
        }
        // Another meaning, another count. (An entry that was neither has counted nothing.)
        const bool was_drop = entry.drop_end != 0;
        if (was_drop != e.drop) entry.packets = entry.bytes = 0;
        entry.drop_end = e.drop ? kernel_end(e.end, now, boot) : 0;
        entry.watch_end = e.drop ? 0 : kernel_end(e.end, now, boot);
        keys += key;
        values.append(reinterpret_cast<const char*>(&entry), sizeof entry);
        ++count;
      }
      if (count == 0) continue;
      CHECK_OK(
          internal::write_all(map(hosts(v6)), key_size(v6, false), sizeof(drop_entry), keys, values, count, not_taken));
    }
    return {};
  }

  static Status fitted(size_t not_taken) {
    if (not_taken == 0) return {};
    return make_error(ErrorKind::kTooLarge, fmt::format("{} elements did not fit into the maps of XDP", not_taken), {},
                      "raise xdp_capacity, or let fewer leases be granted");
  }
};

XdpEnforcer::XdpEnforcer(std::unique_ptr<State> state) : state_(std::move(state)) {}
XdpEnforcer::~XdpEnforcer() = default;
size_t XdpEnforcer::capacity() const { return state_->options.capacity; }
size_t XdpEnforcer::range_capacity() const { return state_->options.range_capacity; }
std::string XdpEnforcer::detail() const { return state_->program->where(); }

Result<std::unique_ptr<XdpEnforcer>> XdpEnforcer::open(XdpOptions options) {
  auto state = std::make_unique<State>();
  TRY(state->program, internal::XdpProgram::load(options));
  state->options = std::move(options);
  return std::unique_ptr<XdpEnforcer>(new XdpEnforcer(std::move(state)));
}

Status XdpEnforcer::start(const std::vector<Prefix>& allow, const std::vector<Element>& elements, Time now) {
  State& s = *state_;
  CHECK_OK(s.write_allowed(allow, true));
  std::map<Prefix, const Element*> wanted;
  s.ranges.clear();
  for (const Element& e : elements) {
    if (e.end <= now) continue;
    if (e.prefix.single()) {
      wanted.emplace(e.prefix, &e);
    } else {
      s.ranges[e.prefix] = e;
    }
  }
  // Of an earlier process, or of an earlier start: what nobody wants goes, what stays keeps its counters.
  std::map<Prefix, drop_entry> known;
  std::vector<Prefix> unwanted;
  for (const bool v6 : {false, true}) {
    CHECK_OK(internal::for_each_in_hash(s.map(hosts(v6)), key_size(v6, false), sizeof(drop_entry),
                                        [&](const char* key, const char* value) {
                                          const Prefix p = prefix_of(key, v6, false);
                                          if (!wanted.contains(p)) {
                                            unwanted.push_back(p);
                                            return;
                                          }
                                          std::memcpy(&known[p], value, sizeof(drop_entry));
                                        }));
  }
  for (const Prefix& p : unwanted) CHECK_OK(internal::remove_one(s.map(hosts(p.v6)), key_of(p).data()));
  std::vector<Element> singles;
  singles.reserve(wanted.size());
  for (const auto& [prefix, element] : wanted) singles.push_back(*element);
  size_t not_taken = 0;
  CHECK_OK(s.write_hosts(singles, now, &known, not_taken));
  CHECK_OK(s.write_ranges(now, true, not_taken));
  CHECK_OK(s.write_control());
  CHECK_OK(s.program->attach());
  CHECK_OK(s.write_allowed(allow, false));
  s.started = true;
  return State::fitted(not_taken);
}

Status XdpEnforcer::apply(const Delta& delta, Time now) {
  State& s = *state_;
  if (!s.started) return make_error(ErrorKind::kInternal, "apply before start");
  std::set<Prefix> set;
  bool ranges_changed = false;
  std::vector<Element> singles;
  for (const Element& e : delta.set) {
    set.insert(e.prefix);
    if (e.prefix.single()) {
      singles.push_back(e);
    } else {
      s.ranges[e.prefix] = e;
      ranges_changed = true;
    }
  }
  for (const Element& e : delta.remove) {
    if (set.contains(e.prefix)) continue;  // changes its meaning: one write, without a moment between
    if (e.prefix.single()) {
      CHECK_OK(internal::remove_one(s.map(hosts(e.prefix.v6)), key_of(e.prefix).data()));
    } else {
      s.ranges.erase(e.prefix);
      ranges_changed = true;
    }
  }
  size_t not_taken = 0;
  CHECK_OK(s.write_hosts(singles, now, nullptr, not_taken));
  if (ranges_changed) {
    CHECK_OK(s.write_ranges(now, false, not_taken));
    CHECK_OK(s.write_control());
  }
  return State::fitted(not_taken);
}

Status XdpEnforcer::alive() {
  if (!state_->started) return {};
  CHECK_OK(state_->write_control());
  return state_->program->follow();
}

Result<std::vector<Hits>> XdpEnforcer::hits() {
  std::vector<Hits> out;
  if (!state_->started) return out;
  for (const bool v6 : {false, true}) {
    const auto take = [&](bool trie) {
      return [&out, v6, trie](const char* key, const char* value) {
        drop_entry entry;
        std::memcpy(&entry, value, sizeof entry);
        out.push_back({prefix_of(key, v6, trie), entry.packets, entry.bytes});
      };
    };
    CHECK_OK(internal::for_each_in_hash(state_->map(hosts(v6)), key_size(v6, false), sizeof(drop_entry), take(false)));
    CHECK_OK(internal::for_each_in_trie(state_->map(nets(v6)), key_size(v6, true), sizeof(drop_entry), take(true)));
  }
  return out;
}

Result<Totals> XdpEnforcer::totals() {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return bpf_error("the number of processors is not known", -cpus);
  std::vector<drop_totals> per_cpu(static_cast<size_t>(cpus));
  const uint32_t zero = 0;
  if (bpf_map_lookup_elem(state_->map(internal::kTotals), &zero, per_cpu.data()) != 0)
    return bpf_error("the totals could not be read", errno);
  Totals sum;
  for (const drop_totals& t : per_cpu) {
    sum.dropped_packets += t.dropped_packets;
    sum.dropped_bytes += t.dropped_bytes;
    sum.shadow_packets += t.shadow_packets;
    sum.shadow_bytes += t.shadow_bytes;
    sum.open_packets += t.open_packets;
  }
  return sum;
}

Status XdpEnforcer::clear() {
  state_->started = false;
  return state_->program->detach();
}

}  // namespace entente::enforce
