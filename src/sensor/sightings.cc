#include "sensor/sightings.h"

#include <algorithm>

#include "base/uuid.h"
#include "json/json.h"
#include "json/node.h"
#include "stix/marking.h"

namespace entente::sensor {

uint64_t rounded_down(uint64_t count, int digits) {
  if (digits <= 0) return count;
  uint64_t most = 1, unit = 1;
  for (int i = 0; i < digits; ++i) most *= 10;
  while (count / unit >= most) unit *= 10;
  return count / unit * unit;
}

Sightings::Sightings(Files& files, std::string path, SightingOptions options)
    : files_(files), path_(std::move(path)), options_(std::move(options)) {}

void Sightings::load() {
  const auto text = files_.read(path_);
  if (!text.ok()) return;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const size_t eol = rest.find('\n');
    const std::string_view line = rest.substr(0, eol);
    rest.remove_prefix(eol == std::string_view::npos ? rest.size() : eol + 1);
    if (!line.empty() && json::parse(line).ok()) queue_.emplace_back(line);
  }
}

bool Sightings::seen(const std::string& indicator, const std::string& value, const std::string& tlp_marking, Time at,
                     uint64_t times, std::optional<Time> last) {
  auto it = counts_.find({indicator, value});
  if (it == counts_.end()) {
    if (counts_.size() >= options_.max_tracked) {
      ++lost_;
      return false;
    }
    it = counts_.emplace(std::make_pair(indicator, value), Count{}).first;
    it->second.tlp_marking = tlp_marking;
  }
  Count& c = it->second;
  const bool fresh = c.count == 0 && (c.reported.us == INT64_MIN || at.us - c.reported.us >= options_.interval_us);
  if (c.count == 0) c.first = c.last = at;
  c.first = std::min(c.first, at);
  c.last = std::max(c.last, last.value_or(at));
  c.count += times;
  return fresh;
}

void Sightings::report(const std::string& indicator, Count& c, Time now) {
  const auto coarse = [&](Time t) {
    return options_.grain_us > 0 ? Time{t.us - (t.us % options_.grain_us + options_.grain_us) % options_.grain_us} : t;
  };
  json::Node s = json::Node::object();
  s.set("type", "sighting").set("spec_version", "2.1").set("id", "sighting--" + random_uuid().text());
  if (!options_.created_by.empty()) s.set("created_by_ref", options_.created_by);
  const std::string at = to_text(now);
  s.set("created", at)
      .set("modified", at)
      .set("first_seen", to_text(coarse(c.first)))
      .set("last_seen", to_text(coarse(c.last)));
  // STIX 2.1 §5.2: count is 0..999,999,999.
  s.set("count", rounded_down(std::min<uint64_t>(c.count, 999'999'999), options_.digits))
      .set("sighting_of_ref", indicator);
  std::string marking = c.tlp_marking;
  if (options_.tlp != "same") marking = stix::tlp_id(stix::parse_tlp(options_.tlp).value_or(stix::Tlp::kAmber));
  if (marking.empty()) marking = stix::tlp_id(stix::Tlp::kAmber);
  s.set("object_marking_refs", json::Node(json::Node::List{json::Node(marking)}));
  queue_.push_back(json::write(s));
  while (queue_.size() > options_.max_queue) {
    queue_.pop_front();
    ++overflowed_;
    ++lost_;
  }
  changed_ = true;
  c.count = 0;
  c.reported = now;
}

void Sightings::tick(Time now) {
  for (auto it = counts_.begin(); it != counts_.end();) {
    Count& c = it->second;
    const bool due = c.reported.us == INT64_MIN || now.us - c.reported.us >= options_.interval_us;
    if (c.count > 0 && due) report(it->first.first, c, now);
    // Quiet for a whole interval: the next one is the first again.
    it = c.count == 0 && now.us - c.reported.us >= options_.interval_us ? counts_.erase(it) : std::next(it);
  }
}

void Sightings::finish(Time now) {
  for (auto& [key, c] : counts_) {
    if (c.count > 0) report(key.first, c, now);
  }
  counts_.clear();
}

std::vector<std::string> Sightings::batch(size_t most) {
  batch_overflowed_ = overflowed_;
  return {queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(std::min(most, queue_.size()))};
}

void Sightings::take_off(size_t n) {
  const uint64_t gone = std::min<uint64_t>(n, overflowed_ - batch_overflowed_);
  batch_overflowed_ += gone;
  n = std::min(n - static_cast<size_t>(gone), queue_.size());
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n));
  changed_ = changed_ || n > 0;
}

void Sightings::delivered(size_t n) {
  take_off(n);
  sent_ += n;
}

void Sightings::refused(size_t n) {
  take_off(n);
  lost_ += n;
}

Status Sightings::save() {
  if (!changed_) return {};
  std::string out;
  for (const std::string& s : queue_) out += s + "\n";
  CHECK_OK(files_.write_atomic(path_, out, 0600));
  changed_ = false;
  return {};
}

}  // namespace entente::sensor
