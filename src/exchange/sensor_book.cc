#include "exchange/sensor_book.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/uuid.h"
#include "json/json.h"
#include "json/node.h"

namespace entente::exchange {
namespace {

constexpr std::string_view kSpace = "sensor";
// The time of last contact is written at most so often; a restart loses no more.
constexpr int64_t kSaveEveryUs = int64_t{300} * 1'000'000;

// "person ROLE NAME" -> "NAME".
std::string name_of(std::string_view caller) {
  const size_t role = caller.find(' ');
  const size_t name = role == std::string_view::npos ? role : caller.find(' ', role + 1);
  return std::string(name == std::string_view::npos ? caller : caller.substr(name + 1));
}

Result<Time> time_in(const json::Value& v, std::string_view name) {
  const auto text = json::find_string(v, name);
  if (!text) return invalid("a report lacks the time \"" + std::string(name) + "\"", "/recalled");
  return parse_time(*text);
}

bool is_name(std::string_view text) { return !text.empty() && text.size() <= 64 && printable(text) == text; }

json::Node node_of(const SensorEntry& e) {
  json::Node enforcers = json::Node::array();
  for (const auto& name : e.enforcers) enforcers.push(name);
  json::Node applied = json::Node::object();
  for (const auto& [collection, at] : e.applied) applied.set(collection, to_text(at));
  json::Node n = json::Node::object();
  n.set("mode", e.mode).set("exercise", e.exercise).set("enforcers", std::move(enforcers));
  return n.set("first", to_text(e.first)).set("last", to_text(e.last)).set("applied", std::move(applied));
}

// What a report and a saved entry have in common.
Status read_entry(const json::Value& v, SensorEntry& e) {
  e.mode = json::find_string(v, "mode").value_or("");
  if (e.mode != "block" && e.mode != "monitor") return invalid("\"mode\" is neither block nor monitor", "/mode");
  e.exercise = json::find_bool(v, "exercise").value_or(false);
  e.enforcers.clear();
  for (const auto name : json::string_list(json::find_array(v, "enforcers"))) {
    if (!is_name(name) || e.enforcers.size() == 16)
      return invalid("a sensor has at most 16 named enforcers", "/enforcers");
    e.enforcers.emplace_back(name);
  }
  if (const auto applied = json::find_object(v, "applied")) {
    for (const auto member : *applied) {
      std::string_view text;
      if (member.value.get_string().get(text) != simdjson::SUCCESS || !parse_uuid(member.key))
        return invalid("\"applied\" is a list of collections, each with a time", "/applied");
      TRY(const Time at, parse_time(text));
      Time& known = e.applied[std::string(member.key)];
      known = std::max(known, at);  // what was applied is not unapplied
    }
  }
  return {};
}

}  // namespace

SensorBook::SensorBook(Context& context) : cx_(context) {
  const auto saved = cx_.store.all(kSpace);
  if (!saved.ok()) return;
  for (const auto& [name, text] : *saved) {
    const auto doc = json::parse(text);
    if (!doc.ok()) continue;
    SensorEntry e;
    if (!read_entry(doc->root(), e).ok()) continue;
    e.name = name;
    e.mark = hex(view(hmac_sha256(cx_.pseudonym_secret, "entente/sensor/" + name))).substr(0, 8);
    if (const auto t = parse_time(json::find_string(doc->root(), "first").value_or("")); t.ok()) e.first = *t;
    if (const auto t = parse_time(json::find_string(doc->root(), "last").value_or("")); t.ok()) e.last = *t;
    sensors_[name] = std::move(e);
  }
}

Status SensorBook::save(const SensorEntry& entry) {
  store::Change change;
  change.set(kSpace, entry.name, json::write(node_of(entry)));
  auto done = cx_.store.commit_wait(std::move(change));
  if (!done.ok()) return std::move(done).error();
  const std::lock_guard lock(mutex_);
  saved_[entry.name] = entry.last;
  return {};
}

Status SensorBook::report(const std::string& caller, std::string_view body) {
  TRY(const json::Document doc, json::parse(body));
  const json::Value root = doc.root();
  const auto id = json::find_string(root, "sensor");
  if (!id || !parse_uuid(*id)) return invalid("\"sensor\" is not a UUID", "/sensor");
  const std::string name = name_of(caller) + "/" + std::string(*id);
  std::vector<std::pair<Object, SensorWord>> words;
  if (const auto list = json::find_array(root, "recalled")) {
    for (const json::Value one : *list) {
      const auto text = [&](std::string_view member) {
        return std::string(json::find_string(one, member).value_or(""));
      };
      SensorWord w;
      TRY(w.received, time_in(one, "received"));
      w.leases = static_cast<uint64_t>(std::max<int64_t>(0, json::find_int(one, "leases").value_or(0)));
      w.also = static_cast<uint64_t>(std::max<int64_t>(0, json::find_int(one, "also").value_or(0)));
      if (const auto places = json::find_array(one, "enforcers")) {
        for (const json::Value p : *places) {
          SensorWord::Place place{std::string(json::find_string(p, "name").value_or("")), std::nullopt,
                                  printable(json::find_string(p, "held").value_or(""), 120)};
          if (!is_name(place.enforcer) || w.places.size() == 16)
            return invalid("a sensor has at most 16 named enforcers", "/recalled");
          if (json::find_string(p, "withdrawn")) {
            TRY(place.withdrawn, time_in(p, "withdrawn"));
          }
          w.places.push_back(std::move(place));
        }
      }
      words.emplace_back(Object{text("collection"), text("id"), text("version")}, std::move(w));
    }
  }
  SensorEntry e;
  bool write = false;
  {
    const std::lock_guard lock(mutex_);
    const Time now = cx_.clock.now();
    const auto known = sensors_.find(name);
    if (known == sensors_.end() && sensors_.size() >= kMostSensors)
      return make_error(ErrorKind::kTooLarge, "this node has as many sensors as it takes", name,
                        "take out those that are gone: 'entente sensor forget NAME'");
    const SensorEntry before = known == sensors_.end() ? SensorEntry{} : known->second;
    e = before;
    CHECK_OK(read_entry(root, e));
    if (known == sensors_.end()) {
      e.name = name;
      e.mark = hex(view(hmac_sha256(cx_.pseudonym_secret, "entente/sensor/" + name))).substr(0, 8);
      e.first = now;
    }
    e.last = now;
    write = known == sensors_.end() || before.enforcers != e.enforcers || before.mode != e.mode ||
            before.exercise != e.exercise || now.us - saved_[name].us > kSaveEveryUs;
    sensors_[name] = e;
    for (auto& [object, word] : words) {
      if (word_count_ >= kMostWords) break;  // its position will say it
      auto& by_sensor = words_[object];
      word_count_ += by_sensor.contains(name) ? 0 : 1;
      by_sensor[name] = std::move(word);
    }
  }
  return write ? save(e) : Status();
}

std::vector<SensorEntry> SensorBook::sensors() const {
  const std::lock_guard lock(mutex_);
  std::vector<SensorEntry> out;
  out.reserve(sensors_.size());
  for (const auto& [name, e] : sensors_) out.push_back(e);
  return out;
}

Status SensorBook::forget(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    if (sensors_.erase(name) == 0)
      return make_error(ErrorKind::kNotFound, "no sensor of this name has ever reported", printable(name, 120),
                        "'entente sensor list' names them");
  }
  store::Change change;
  change.erase(kSpace, name);
  auto done = cx_.store.commit_wait(std::move(change));
  if (!done.ok()) return std::move(done).error();
  return {};
}

std::optional<SensorWord> SensorBook::word(const SensorEntry& sensor, const Object& object, Time added) const {
  const std::lock_guard lock(mutex_);
  const auto all = words_.find(object);
  if (all != words_.end()) {
    const auto it = all->second.find(sensor.name);
    if (it != all->second.end()) return it->second;
  }
  const auto at = sensor.applied.find(std::get<0>(object));
  if (at == sensor.applied.end() || at->second < added) return std::nullopt;
  // It has applied everything up to there, and every enforcer followed: then there was nothing of it, or it is gone.
  SensorWord w;
  w.received = sensor.last;
  for (const auto& name : sensor.enforcers) w.places.push_back({name, sensor.last, {}});
  return w;
}

void SensorBook::keep_only(const std::function<bool(const Object&)>& asked) {
  const std::lock_guard lock(mutex_);
  std::erase_if(words_, [&](const auto& e) { return !asked(e.first); });
  word_count_ = 0;
  for (const auto& [object, by_sensor] : words_) word_count_ += by_sensor.size();
}

}  // namespace entente::exchange
