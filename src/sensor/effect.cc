#include "sensor/effect.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"

namespace entente::sensor {

namespace {

constexpr size_t kMaxSources = 10'000;  // above, the identity is left out

uint64_t count_at(const json::Value& v, const char* name) {
  return static_cast<uint64_t>(std::max<int64_t>(0, json::find_int(v, name).value_or(0)));
}

}  // namespace

void UseCount::add_flow(uint64_t flow, uint32_t client) {
  if (known_flows.size() >= kMaxFlows) known_flows.clear();
  if (known_flows.insert(flow).second) ++flows;
  if (client != 0 && clients.size() < kMaxClients) clients.insert(client);
}

std::string UseCount::words() const {
  return fmt::format("{} flow{} of {}{} client{}", flows, flows == 1 ? "" : "s",
                     clients.size() >= kMaxClients ? "at least " : "", clients.size(), clients.size() == 1 ? "" : "s");
}

json::Node UseCount::to_json() const {
  json::Node::List list;
  list.reserve(clients.size());
  for (const uint32_t c : clients) list.emplace_back(uint64_t{c});
  return json::Node::object().set("packets", packets).set("flows", flows).set("clients", json::Node(std::move(list)));
}

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
  changed_ = true;
  if (sources_.size() >= kMaxSources && !sources_.contains(source)) return sources_[{source.partner, ""}];
  return sources_[source];
}

void Effect::granted(const EffectSource& source) { ++of(source).granted; }
void Effect::harmed(const EffectSource& source) { ++of(source).harmed; }

void Effect::flow(uint64_t lease, const EffectSource& source, bool drops, uint64_t flow, uint32_t client) {
  leases_[lease].add_flow(flow, client);
  SourceEffect& s = of(source);
  (drops ? s.stopped : s.counted).add_flow(flow, client);
}

void Effect::packets(uint64_t lease, const EffectSource& source, bool drops, uint64_t packets) {
  leases_[lease].packets += packets;
  SourceEffect& s = of(source);
  (drops ? s.stopped : s.counted).packets += packets;
}

const UseCount* Effect::of_lease(uint64_t lease) const {
  const auto it = leases_.find(lease);
  return it == leases_.end() ? nullptr : &it->second;
}

Status Effect::save() {
  if (!changed_) return {};
  json::Node leases = json::Node::array();
  for (const auto& [id, u] : leases_) leases.push(u.to_json().set("id", id));
  json::Node sources = json::Node::array();
  for (const auto& [key, s] : sources_) {
    sources.push(json::Node::object()
                     .set("partner", key.partner)
                     .set("by", key.by)
                     .set("granted", s.granted)
                     .set("harmed", s.harmed)
                     .set("stopped", s.stopped.to_json())
                     .set("counted", s.counted.to_json()));
  }
  const json::Node all = json::Node::object()
                             .set("format", "entente-effect/1")
                             .set("leases", std::move(leases))
                             .set("sources", std::move(sources));
  CHECK_OK(files_.write_atomic(path_, json::write(all) + "\n", 0600));
  changed_ = false;
  return {};
}

void Effect::load() {
  if (!files_.exists(path_)) return;
  const auto read = [&]() -> Status {
    TRY(const std::string text, files_.read(path_));
    TRY(const json::Document doc, json::parse(text));
    if (const auto list = json::find_array(doc.root(), "leases")) {
      for (const json::Value v : *list) leases_[count_at(v, "id")] = UseCount::from_json(v);
    }
    if (const auto list = json::find_array(doc.root(), "sources")) {
      for (const json::Value v : *list) {
        SourceEffect& s = sources_[{std::string(json::find_string(v, "partner").value_or("")),
                                    std::string(json::find_string(v, "by").value_or(""))}];
        s.granted = count_at(v, "granted");
        s.harmed = count_at(v, "harmed");
        if (const auto u = json::find(v, "stopped")) s.stopped = UseCount::from_json(*u);
        if (const auto u = json::find(v, "counted")) s.counted = UseCount::from_json(*u);
      }
    }
    return {};
  };
  if (const Status done = read(); !done.ok())
    say_warn("what leases stopped so far is not known: {}", done.error().text());
}

}  // namespace entente::sensor
