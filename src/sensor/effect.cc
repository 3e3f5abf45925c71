#include "sensor/effect.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"

namespace entente::sensor {

namespace {

constexpr size_t kMaxSources = 10'000;  // above, the identity is left out
constexpr uint64_t kSmall = 256 << 10;  // a file below this is not written anew
constexpr std::string_view kHeader = R"({"format":"entente-effect/2"})";

uint64_t count_at(const json::Value& v, const char* name) {
  return static_cast<uint64_t>(std::max<int64_t>(0, json::find_int(v, name).value_or(0)));
}

}  // namespace

void UseCount::add_flow(uint64_t flow, uint32_t client) {
  if (known_flows.size() >= kMaxFlows) known_flows.clear();
  if (known_flows.insert(flow).second) ++flows;
  if (client != 0 && clients.size() < kMaxClients && clients.insert(client).second) fresh.push_back(client);
}

std::string UseCount::words() const {
  return fmt::format("{} flow{} of {}{} client{}", flows, flows == 1 ? "" : "s",
                     clients.size() >= kMaxClients ? "at least " : "", clients.size(), clients.size() == 1 ? "" : "s");
}

namespace {

json::Node node_of(const UseCount& u, const std::vector<uint32_t>& clients) {
  json::Node::List list;
  list.reserve(clients.size());
  for (const uint32_t c : clients) list.emplace_back(uint64_t{c});
  return json::Node::object()
      .set("packets", u.packets)
      .set("flows", u.flows)
      .set("clients", json::Node(std::move(list)));
}

// What is not in the file yet: the counts as they are now, and the new clients, so that a line may be read twice.
json::Node more_of(const UseCount& u) { return node_of(u, u.fresh); }

// A later line: its counts, and its clients beside those that are known.
void add_line(UseCount& to, UseCount from) {
  to.packets = from.packets;
  to.flows = from.flows;
  to.clients.merge(from.clients);
}

}  // namespace

json::Node UseCount::to_json() const { return node_of(*this, {clients.begin(), clients.end()}); }

UseCount UseCount::from_json(const json::Value& v) {
  UseCount u;
  u.packets = count_at(v, "packets");
  u.flows = count_at(v, "flows");
  if (const auto list = json::find_array(v, "clients")) {
    for (const json::Value c : *list) {
      int64_t n = 0;
      if (c.get_int64().get(n) == simdjson::SUCCESS && u.clients.size() < kMaxClients)
        u.clients.insert(static_cast<uint32_t>(n));
    }
  }
  return u;
}

SourceEffect& Effect::of(const EffectSource& source) {
  const bool told_apart = sources_.size() < kMaxSources || sources_.contains(source);
  const EffectSource& key = *changed_sources_.insert(told_apart ? source : EffectSource{source.partner, ""}).first;
  return sources_[key];
}

UseCount& Effect::use_of(uint64_t lease) {
  changed_leases_.insert(lease);
  return leases_[lease];
}

void Effect::granted(const EffectSource& source) { ++of(source).granted; }
void Effect::harmed(const EffectSource& source) { ++of(source).harmed; }
void Effect::false_claim(const EffectSource& source) { ++of(source).false_claims; }

void Effect::flow(uint64_t lease, const EffectSource& source, bool drops, uint64_t flow, uint32_t client) {
  use_of(lease).add_flow(flow, client);
  SourceEffect& s = of(source);
  (drops ? s.stopped : s.counted).add_flow(flow, client);
}

void Effect::packets(uint64_t lease, const EffectSource& source, bool drops, uint64_t packets) {
  use_of(lease).packets += packets;
  SourceEffect& s = of(source);
  (drops ? s.stopped : s.counted).packets += packets;
}

const UseCount* Effect::of_lease(uint64_t lease) const {
  const auto it = leases_.find(lease);
  return it == leases_.end() ? nullptr : &it->second;
}

const SourceEffect* Effect::of_source(const EffectSource& source) const {
  const auto it = sources_.find(source);
  return it == sources_.end() ? nullptr : &it->second;
}

Status Effect::save() {
  if (changed_leases_.empty() && changed_sources_.empty()) return {};
  const bool whole = anew_ || file_bytes_ > std::max(kSmall, 3 * whole_bytes_);
  std::string out;
  const auto line = [&](const json::Node& n) { json::append(out, n), out += '\n'; };
  const auto lease_line = [&](uint64_t id, UseCount& u) {
    line((whole ? u.to_json() : more_of(u)).set("lease", id));
    u.fresh.clear();
  };
  const auto source_line = [&](const EffectSource& key, SourceEffect& s) {
    line(json::Node::object()
             .set("partner", key.partner)
             .set("by", key.by)
             .set("granted", s.granted)
             .set("harmed", s.harmed)
             .set("false_claims", s.false_claims)
             .set("stopped", whole ? s.stopped.to_json() : more_of(s.stopped))
             .set("counted", whole ? s.counted.to_json() : more_of(s.counted)));
    s.stopped.fresh.clear();
    s.counted.fresh.clear();
  };
  // A write that fails leaves the file in doubt: the next one is whole.
  anew_ = true;
  if (whole) {
    out = std::string(kHeader) + "\n";
    for (auto& [id, u] : leases_) lease_line(id, u);
    for (auto& [key, s] : sources_) source_line(key, s);
    CHECK_OK(files_.write_atomic(path_, out, 0600));
    file_bytes_ = whole_bytes_ = out.size();
  } else {
    for (const uint64_t id : changed_leases_) lease_line(id, leases_[id]);
    for (const EffectSource& key : changed_sources_) source_line(key, sources_[key]);
    CHECK_OK(files_.append(path_, out, false));
    file_bytes_ += out.size();
  }
  anew_ = false;
  changed_leases_.clear();
  changed_sources_.clear();
  return {};
}

Status Effect::read_line(std::string_view text) {
  TRY(const json::Document doc, json::parse(text));
  const json::Value v = doc.root();
  if (json::find_int(v, "lease")) {
    add_line(leases_[count_at(v, "lease")], UseCount::from_json(v));
  } else if (const auto partner = json::find_string(v, "partner")) {
    SourceEffect& s = sources_[{std::string(*partner), std::string(json::find_string(v, "by").value_or(""))}];
    s.granted = count_at(v, "granted");
    s.harmed = count_at(v, "harmed");
    s.false_claims = count_at(v, "false_claims");
    if (const auto u = json::find(v, "stopped")) add_line(s.stopped, UseCount::from_json(*u));
    if (const auto u = json::find(v, "counted")) add_line(s.counted, UseCount::from_json(*u));
  } else if (!json::find_string(v, "format")) {
    return invalid("it says of nothing what it did");
  }
  return {};
}

void Effect::load() {
  const auto text = files_.read(path_);
  if (!text.ok()) {
    if (text.error().kind != ErrorKind::kNotFound)
      say_warn("what leases stopped so far is not known: {}", text.error().text());
    return;
  }
  size_t damaged = 0;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const size_t eol = rest.find('\n');
    // Without its end a line was never whole.
    if (eol == std::string_view::npos || (eol > 0 && !read_line(rest.substr(0, eol)).ok())) ++damaged;
    rest.remove_prefix(eol == std::string_view::npos ? rest.size() : eol + 1);
  }
  if (damaged > 0)
    say_warn("what leases stopped so far is not known whole: {} lines of {} cannot be read", damaged, path_);
}

}  // namespace entente::sensor
