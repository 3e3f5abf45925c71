#include "sensor/trials.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"

namespace entente::sensor {

std::string kind_of(const enforce::Target& target, bool via_name) {
  if (target.kind == enforce::TargetKind::kName) return target.tree ? "names-below" : "name";
  if (via_name) return "address-of-name";
  return target.kind == enforce::TargetKind::kRange ? "range" : "address";
}

std::string Trial::report() const {
  return fmt::format("would have stopped {}; {} on protected lists", would.words(), refused);
}

Trial* Trials::running(const TrialKey& key) {
  const auto it = all_.find(key);
  return it == all_.end() || it->second.promoted ? nullptr : &it->second;
}

bool Trials::concerns(const TrialKey& key) const {
  if (!on()) return false;
  const bool wide = key.kind == "range" || key.kind == "names-below";
  return rules_.all || !key.by.empty() || (wide && !key.partner.empty());
}

const Trial* Trials::limited(const TrialKey& key, Time now) const {
  const Trial* t = find(key);
  if (!concerns(key) || t == nullptr || !t->promoted || t->promoted_by != "rule") return nullptr;
  return now < t->promoted->plus_us(rules_.first_us) ? t : nullptr;
}

const Trial* Trials::running(const TrialKey& key, Time now) {
  if (!concerns(key)) return nullptr;
  const auto [it, fresh] = all_.try_emplace(key);
  if (fresh) {
    it->second = {.id = next_++, .key = key, .since = now, .promoted = {}, .promoted_by = {}, .would = {}};
    changed_ = true;
  }
  return it->second.promoted ? nullptr : &it->second;
}

const Trial* Trials::find(const TrialKey& key) const {
  const auto it = all_.find(key);
  return it == all_.end() ? nullptr : &it->second;
}

const Trial* Trials::find(std::string_view name) const {
  const auto it = std::ranges::find_if(all_, [&](const auto& entry) { return entry.second.name() == name; });
  return it == all_.end() ? nullptr : &it->second;
}

void Trials::granted(const TrialKey& key) {
  if (Trial* t = running(key)) {
    ++t->leases;
    changed_ = true;
  }
}

void Trials::flow(const TrialKey& key, uint64_t flow, uint32_t client) {
  if (Trial* t = running(key)) {
    t->would.add_flow(flow, client);
    changed_ = true;
  }
}

void Trials::packets(const TrialKey& key, uint64_t packets) {
  if (Trial* t = running(key)) {
    t->would.packets += packets;
    changed_ = true;
  }
}

void Trials::refused(const TrialKey& key) {
  if (Trial* t = running(key)) {
    ++t->refused;
    changed_ = true;
  }
}

std::string Trials::waits_for(const Trial& t, Time now) const {
  if (t.promoted) return {};
  const Time over = t.since.plus_us(rules_.first_us);
  if (!rules_.by_rule) return "a person promotes it ('entente lease promote " + t.name() + "')";
  std::string person;
  if (t.refused > 0) person = fmt::format("{} of its targets were on protected lists", t.refused);
  if (t.would.clients.size() > rules_.clients)
    person = fmt::format("it would have stopped {} clients, more than {}", t.would.clients.size(), rules_.clients);
  if (!person.empty()) return person + ": a person decides ('entente lease promote " + t.name() + "')";
  if (now < over) return "its time runs until " + to_text(over);
  if (t.would.flows < rules_.flows)
    return fmt::format("it has met {} flows of the {} that it must meet first", t.would.flows, rules_.flows);
  return {};
}

std::vector<TrialKey> Trials::due(Time now) const {
  std::vector<TrialKey> out;
  if (!on()) return out;
  for (const auto& [key, t] : all_) {
    if (!t.promoted && waits_for(t, now).empty()) out.push_back(key);
  }
  return out;
}

void Trials::promote(const TrialKey& key, std::string_view by, Time now) {
  if (Trial* t = running(key)) {
    t->promoted = now;
    t->promoted_by = by;
    changed_ = true;
  }
}

void Trials::back(const TrialKey& key, Time now) {
  const auto it = all_.find(key);
  if (it == all_.end()) return;
  Trial& t = it->second;
  t = {.id = t.id, .key = key, .since = now, .promoted = {}, .promoted_by = {}, .would = {}};
  changed_ = true;
}

Status Trials::save() {
  if (!changed_) return {};
  json::Node list = json::Node::array();
  for (const auto& [key, t] : all_) {
    json::Node n = json::Node::object()
                       .set("id", t.id)
                       .set("partner", key.partner)
                       .set("agreement", key.agreement)
                       .set("kind", key.kind)
                       .set("by", key.by)
                       .set("since", to_text(t.since))
                       .set("leases", t.leases)
                       .set("refused", t.refused)
                       .set("would", t.would.to_json());
    if (t.promoted) n.set("promoted", to_text(*t.promoted)).set("promoted_by", t.promoted_by);
    list.push(std::move(n));
  }
  const json::Node all =
      json::Node::object().set("format", "entente-trials/1").set("next", next_).set("trials", std::move(list));
  CHECK_OK(files_.write_atomic(path_, json::write(all) + "\n", 0600));
  changed_ = false;
  return {};
}

void Trials::load() {
  if (!files_.exists(path_)) return;
  const auto read = [&]() -> Status {
    TRY(const std::string text, files_.read(path_));
    TRY(const json::Document doc, json::parse(text));
    const auto list = json::find_array(doc.root(), "trials");
    if (!list) return invalid("no list of shadow runs", path_);
    const auto number = [](const json::Value& v, const char* key) {
      return static_cast<uint64_t>(std::max<int64_t>(0, json::find_int(v, key).value_or(0)));
    };
    for (const json::Value v : *list) {
      const auto word = [&](const char* key) { return std::string(json::find_string(v, key).value_or("")); };
      Trial t;
      t.id = number(v, "id");
      t.key = {word("partner"), word("agreement"), word("kind"), word("by")};
      TRY(t.since, parse_time(word("since")));
      if (json::find_string(v, "promoted")) {
        TRY(t.promoted, parse_time(word("promoted")));
      }
      t.promoted_by = word("promoted_by");
      t.leases = number(v, "leases");
      t.refused = number(v, "refused");
      if (const auto u = json::find(v, "would")) t.would = UseCount::from_json(*u);
      next_ = std::max(next_, t.id + 1);
      all_.insert_or_assign(t.key, std::move(t));
    }
    next_ = std::max(next_, number(doc.root(), "next"));
    return {};
  };
  if (const Status done = read(); !done.ok()) {
    all_.clear();
    say_error("the shadow runs cannot be read, so all sources only count again: {}", done.error().text());
  }
}

}  // namespace entente::sensor
