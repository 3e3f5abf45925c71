#include "sensor/uses.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "base/log.h"

namespace entente::sensor {

using detect::ObservableKind;

namespace {

constexpr std::string_view kMagic = "entente-uses/1\n";

uint16_t day_of(Time t) { return static_cast<uint16_t>(std::clamp<int64_t>(t.us / 86'400'000'000, 0, UINT16_MAX)); }

std::string backwards(std::string_view s) { return {s.rbegin(), s.rend()}; }

std::string_view host_of(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const size_t at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  if (url.starts_with('[')) return url.substr(1, url.find(']') - 1);
  return url.substr(0, url.find(':'));
}

}  // namespace

uint32_t client_hash(std::string_view client) {
  uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : client) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3ULL;
  h = (h ^ h >> 33U) * 0xff51afd7ed558ccdULL;
  return static_cast<uint32_t>(h ^ h >> 32U);
}

uint64_t flow_hash(const packet::Flow& flow) {
  const auto end = [](const packet::Address& a, uint16_t port) {
    uint64_t h = 0xcbf29ce484222325ULL ^ port;
    for (const auto b : a.b) h = (h ^ b) * 0x100000001b3ULL;
    return (h ^ h >> 33U) * 0xff51afd7ed558ccdULL;
  };
  return end(flow.src, flow.src_port) + end(flow.dst, flow.dst_port) + flow.protocol + flow.network * 31;
}

std::string client_of(ObservableKind kind, std::string_view text, const packet::Flow& flow) {
  const bool answer = flow.src_port != 0 && flow.src_port < flow.dst_port;
  const packet::Address& client = answer ? flow.dst : flow.src;
  if (!client.is_set()) return {};
  std::string who = packet::to_text(client);
  const bool address = kind == ObservableKind::kIpv4 || kind == ObservableKind::kIpv6;
  return address && who == text ? std::string() : who;
}

size_t Uses::Hash::operator()(const enforce::Prefix& address) const {
  const auto* octets = reinterpret_cast<const char*>(address.bytes.data());
  return detect::seeded_hash({octets, address.bytes.size()}) ^ address.bits;
}

template <class Key>
Uses::Value& Uses::at_key(Table<Key>& table, const Key& key, uint16_t day) {
  if (Value* known = table.find(key); known != nullptr) return *known;
  if (table.values().size() >= options_.max_values) make_room(table, day);
  return table.at(key);
}

template <class Key>
void Uses::use(Table<Key>& table, const Key& key, uint32_t client, uint16_t day) {
  if (table.clients >= options_.max_in_all) make_room(table, day);
  Value& v = at_key(table, key, day);
  const auto at = std::lower_bound(v.clients.begin(), v.clients.end(), client,
                                   [](const Client& c, uint32_t h) { return c.hash < h; });
  if (at != v.clients.end() && at->hash == client) {
    if (at->day >= day) return;
    at->day = day;
  } else if (v.clients.size() >= options_.max_clients) {
    v.more = true;
  } else {
    v.clients.insert(at, {client, day});
    ++table.clients;
  }
  v.day = std::max(v.day, day);
  changed_ = true;
}

// An eighth goes: what was not used for longest, and of that what the fewest used. What many use is what must be known.
template <class Key>
void Uses::make_room(Table<Key>& table, uint16_t day) {
  using Rank = std::pair<std::pair<bool, size_t>, typename Table<Key>::Map::iterator>;
  std::vector<Rank> ranks;
  auto& values = table.ordered();
  ranks.reserve(values.size());
  for (auto it = values.begin(); it != values.end(); ++it) {
    auto& clients = it->second.clients;
    const size_t before = clients.size();
    std::erase_if(clients, [&](const Client& c) { return !recent(c.day, day); });
    table.clients -= before - clients.size();
    ranks.push_back({{recent(it->second.day, day), clients.size() + it->second.names.size()}, it});
  }
  const size_t out = std::max<size_t>(1, ranks.size() / 8);
  std::nth_element(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(out - 1), ranks.end(),
                   [](const Rank& a, const Rank& b) { return a.first < b.first; });
  for (size_t i = 0; i < out && i < ranks.size(); ++i) {
    table.clients -= ranks[i].second->second.clients.size();
    table.names -= ranks[i].second->second.names.size();
    table.erase(ranks[i].second);
  }
}

void Uses::used(ObservableKind kind, std::string_view text, std::string_view client, Time time) {
  if (options_.days <= 0 || client.empty()) return;
  if (kind == ObservableKind::kUrl) text = host_of(text);
  const bool name = kind == ObservableKind::kDomain || kind == ObservableKind::kUrl;
  if (!name && kind != ObservableKind::kIpv4 && kind != ObservableKind::kIpv6) return;
  const uint32_t who = client_hash(client);
  if (const auto prefix = enforce::parse_prefix(text); prefix.ok()) {
    const std::lock_guard lock(mutex_);
    use(addresses_, *prefix, who, day_of(time));
  } else if (const auto host = enforce::canonical_name(text); name && host.ok()) {
    const std::lock_guard lock(mutex_);
    use(names_, backwards(*host), who, day_of(time));
  }
}

bool Uses::add_name(const enforce::Prefix& address, const std::string& name, bool always, Time time) {
  const std::lock_guard lock(mutex_);
  const uint16_t day = day_of(time);
  Value& v = at_key(addresses_, address, day);
  v.day = std::max(v.day, day);
  for (auto& [known, last] : v.names) {
    if (known != name) continue;
    changed_ = changed_ || last < day;
    last = std::max(last, day);
    return false;
  }
  const bool full = v.names.size() >= options_.max_names || addresses_.names >= options_.max_names_in_all;
  if (full && !always) return false;
  v.names.emplace_back(name, day);
  ++addresses_.names;
  changed_ = true;
  return true;
}

std::vector<std::string> Uses::names_on(const enforce::Prefix& address) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  if (const Value* v = addresses_.find(address); v != nullptr) {
    out.reserve(v->names.size());
    for (const auto& [name, day] : v->names) out.push_back(name);
  }
  return out;
}

enforce::Impact Uses::impact_of(const enforce::Target& target, Time now) const {
  enforce::Impact out;
  out.days = options_.days;
  const uint16_t today = day_of(now);
  std::set<uint32_t> clients;
  const auto take = [&](const Value& v) {
    out.at_least = out.at_least || v.more;
    for (const Client& c : v.clients)
      if (recent(c.day, today)) clients.insert(c.hash);
  };
  const std::lock_guard lock(mutex_);
  if (target.kind == enforce::TargetKind::kName) {
    const std::string key = backwards(target.host);
    if (const Value* v = names_.find(key); v != nullptr) take(*v);
    const std::string below = key + ".";
    const auto& all = names_.values();
    for (auto it = all.lower_bound(below); target.tree && it != all.end() && it->first.starts_with(below); ++it)
      take(it->second);
  } else {
    // What lies inside a range follows it in the order of Prefix.
    const auto& all = addresses_.values();
    for (auto it = all.lower_bound(target.prefix); it != all.end() && target.prefix.contains(it->first); ++it)
      take(it->second);
  }
  out.clients = clients.size();
  return out;
}

size_t Uses::size() const {
  const std::lock_guard lock(mutex_);
  return addresses_.values().size() + names_.values().size();
}

Status Uses::save() {
  std::string out;
  {
    const std::lock_guard lock(mutex_);
    if (!changed_) return {};
    changed_ = false;
    out = kMagic;
    const auto put = [&](const std::string& key, const Value& v) {
      put_bytes(out, key);
      put_u16(out, v.day);
      out += v.more ? '\1' : '\0';
      put_u32(out, static_cast<uint32_t>(v.clients.size()));
      for (const Client& c : v.clients) {
        put_u32(out, c.hash);
        put_u16(out, c.day);
      }
      put_u32(out, static_cast<uint32_t>(v.names.size()));
      for (const auto& [name, day] : v.names) {
        put_bytes(out, name);
        put_u16(out, day);
      }
    };
    put_u32(out, static_cast<uint32_t>(addresses_.values().size()));
    for (const auto& [prefix, v] : addresses_.values()) put(prefix.text(), v);
    put_u32(out, static_cast<uint32_t>(names_.values().size()));
    for (const auto& [name, v] : names_.values()) put(backwards(name), v);
  }
  Status done = files_.write_atomic(path_, out, 0600);
  if (!done.ok()) {
    const std::lock_guard lock(mutex_);
    changed_ = true;
  }
  return done;
}

Status Uses::read(std::string_view bytes) {
  const Error damaged = make_error(ErrorKind::kCorrupt, "this is no whole file of uses", path_);
  if (!bytes.starts_with(kMagic)) return damaged;
  ByteReader r(bytes.substr(kMagic.size()));
  const auto each = [&](const auto& take) -> bool {
    for (uint32_t n = r.u32(); n > 0 && r.ok(); --n) {
      const std::string key(r.bytes());
      Value v;
      v.day = r.u16();
      v.more = r.u8() != 0;
      for (uint32_t c = r.u32(); c > 0 && r.ok(); --c) {
        const uint32_t hash = r.u32();
        v.clients.push_back({hash, r.u16()});
      }
      std::sort(v.clients.begin(), v.clients.end());
      for (uint32_t c = r.u32(); c > 0 && r.ok(); --c) {
        std::string name(r.bytes());
        v.names.emplace_back(std::move(name), r.u16());
      }
      if (r.ok()) take(key, std::move(v));
    }
    return r.ok();
  };
  const bool whole = each([&](const std::string& key, Value v) {
                       if (const auto prefix = enforce::parse_prefix(key); prefix.ok()) {
                         addresses_.clients += v.clients.size();
                         addresses_.names += v.names.size();
                         addresses_.at(*prefix) = std::move(v);
                       }
                     }) &&
                     each([&](const std::string& key, Value v) {
                       names_.clients += v.clients.size();
                       names_.at(backwards(key)) = std::move(v);
                     });
  if (!whole || !r.done()) return damaged;
  return {};
}

void Uses::load() {
  if (!files_.exists(path_)) return;
  const std::lock_guard lock(mutex_);
  const auto bytes = files_.read(path_);
  const Status done = bytes.ok() ? read(*bytes) : Status(bytes.error());
  if (!done.ok()) say_warn("how much the network uses what is not known from before: {}", done.error().text());
}

}  // namespace entente::sensor
