// Compound patterns in the sensor: records come in, what is bound is told. They block nothing: of the values that they
// name none alone is what they are about.
#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

namespace {
std::string anchor_id(const std::string& live_id) { return live_id + "#anchors"; }
}  // namespace

Status Core::add_compound(uint32_t tag, const detect::Indicator& facts, const detect::Prepared& compound) {
  {
    const Lock lock(stream_mutex_);
    if (compound.anchors.empty() && !unanchored_tags_.contains(tag) && unanchored_tags_.size() >= kMaxUnanchored) {
      return make_error(ErrorKind::kTooLarge,
                        "it would cost every record (" + compound.unanchored + "), and others do already", "",
                        "give it a value that must be there");
    }
    stream_.remove(tag);  // a new version with the same pattern
    CHECK_OK(stream_.add(tag, compound.matcher));
    if (compound.anchors.empty()) unanchored_tags_.insert(tag);
    unanchored_.store(unanchored_tags_.size(), std::memory_order_release);
    compounds_.store(stream_.stats().patterns, std::memory_order_release);
  }
  if (compound.anchors.empty()) return {};
  detect::Indicator anchor = facts;
  anchor.id = anchor_id(facts.id);
  anchor.tag = tag | kAnchor;
  live_.add(anchor, compound.anchors);
  return {};
}

void Core::remove_compound(uint32_t tag, const std::string& live_id) {
  const Lock lock(stream_mutex_);
  if (!stream_.remove(tag)) return;
  unanchored_tags_.erase(tag);
  unanchored_.store(unanchored_tags_.size(), std::memory_order_release);
  compounds_.store(stream_.stats().patterns, std::memory_order_release);
  live_.remove(anchor_id(live_id));
}

json::Node Core::compound_status() const {
  const Lock lock(stream_mutex_);
  const auto& s = stream_.stats();
  return json::Node::object()
      .set("patterns", s.patterns)
      .set("every_record", unanchored_tags_.size())
      .set("records", s.observations)
      .set("matches", s.matches)
      .set("kept", s.kept)
      .set("late", s.late)
      .set("dropped", s.dropped)
      .set("undecided", s.undecided);
}

void Core::on_record(const detect::Record& record, const Where& where, const std::vector<detect::Shown>& shown) {
  struct Match {
    uint32_t tag;
    std::vector<Bound> bound;
  };
  std::vector<Match> matches;
  {
    const Lock lock(stream_mutex_);
    observations_.clear();
    record.write(observations_, static_cast<pattern::Nanos>(where.time.us) * 1000);
    std::vector<pattern::StreamMatch> found;
    const uint64_t number = stream_.push(observations_, found);
    if (bound_.empty()) bound_first_ = number;
    bound_.push_back({where, {}, {}, shown});
    if (bound_.size() > kMaxBound) {
      bound_.pop_front();
      ++bound_first_;
    }
    for (const auto& m : found) {
      Match match{static_cast<uint32_t>(m.pattern), {}};
      for (const uint64_t n : m.observed) {
        if (n < bound_first_) continue;  // too long ago to be named
        Bound b = bound_[n - bound_first_];
        for (const detect::Shown& s : b.shown) {
          if ((s.tag & ~kAnchor) != match.tag) continue;
          b.value = s.value;
          b.field = s.field;
          break;
        }
        match.bound.push_back(std::move(b));
      }
      matches.push_back(std::move(match));
    }
  }
  for (const Match& m : matches) on_compound(m.tag, m.bound);
}

void Core::on_compound(uint32_t tag, const std::vector<Bound>& bound) {
  const Lock lock(mutex_);
  if (tag == 0 || tag > rows_.size() || bound.empty()) return;
  const Row& row = rows_[tag - 1];
  const Bound& last = bound.back();
  // What anchors it was looked up as valid; what has no anchor was not.
  if (!row.usable || last.where.time < row.indicator.valid_from || last.where.time >= row.indicator.valid_until) return;
  ++detections_;
  std::string tlp;
  for (const std::string& id : row.indicator.markings) {
    if (stix::tlp_of_id(id)) tlp = id;
  }
  // Sightings are counted by value; a pattern without one is counted by itself.
  const std::string value = last.value.empty() ? "observed-data" : last.value;
  if (!sightings_.seen(row.indicator.id, value, tlp, last.where.time)) return;
  json::Node e = json::Node::object();
  e.set("indicator", row.indicator.id)
      .set("value", value)
      .set("field", last.field)
      .set("source", last.where.source)
      .set("seen", to_text(last.where.time))
      .set("src", last.where.src)
      .set("dst", last.where.dst);
  if (!sources_[row.source].partner.empty()) e.set("partner", sources_[row.source].partner);
  json::Node witness = json::Node::array();
  for (const Bound& b : bound) {
    witness.push(json::Node::object()
                     .set("seen", to_text(b.where.time))
                     .set("value", b.value)
                     .set("field", b.field)
                     .set("source", b.where.source)
                     .set("src", b.where.src)
                     .set("dst", b.where.dst));
  }
  e.set("witness", std::move(witness));
  emit("detection", std::move(e));
  flush_events();
}

}  // namespace entente::sensor
