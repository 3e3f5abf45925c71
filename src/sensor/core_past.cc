// A new indicator and what was seen before it came.
#include <set>

#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

namespace {
constexpr size_t kMostAtOnce = 10'000;
}

void Core::remember(Time time, detect::ObservableKind kind, std::string_view text, const packet::Flow& flow) {
  if (config_.clients_days > 0) uses_.used(kind, text, client_of(kind, text, flow), time);
  if (history_ == nullptr) return;
  char src[packet::kAddressTextMax], dst[packet::kAddressTextMax];
  history_->add(time, kind, text, {src, packet::write_text(flow.src, src)}, {dst, packet::write_text(flow.dst, dst)});
}

void Core::look_back() {
  if (history_ == nullptr) return;
  std::vector<detect::History::Question> questions;
  {
    const Lock lock(mutex_);
    const size_t n = std::min(not_asked_.size(), kMostAtOnce);
    for (size_t i = 0; i < n; ++i) {
      const uint32_t tag = not_asked_[i];
      if (!rows_[tag - 1].usable) continue;
      for (const auto& atom : rows_[tag - 1].indicator.atoms) questions.push_back({tag, atom});
    }
    not_asked_.erase(not_asked_.begin(), not_asked_.begin() + static_cast<std::ptrdiff_t>(n));
  }
  if (questions.empty()) return;
  const auto hits = history_->find(questions);
  std::set<uint32_t> looked_at;
  const Lock lock(mutex_);
  for (const detect::PastHit& h : hits) {
    const Row& row = rows_[h.number - 1];
    if (!row.usable) continue;  // recalled meanwhile
    ++past_hits_;
    std::string tlp;
    for (const std::string& id : row.indicator.markings) {
      if (stix::tlp_of_id(id)) tlp = id;
    }
    static_cast<void>(sightings_.seen(row.indicator.id, h.value, tlp, h.first, h.count, h.last));
    json::Node e = json::Node::object();
    e.set("indicator", row.indicator.id)
        .set("value", h.value)
        .set("type", detect::name(h.kind))
        .set("count", h.count)
        .set("first", to_text(h.first))
        .set("last", to_text(h.last));
    if (!sources_[row.source].partner.empty()) e.set("partner", sources_[row.source].partner);
    json::Node sights = json::Node::array();
    for (const auto& s : h.sights)
      sights.push(json::Node::object().set("seen", to_text(s.time)).set("src", s.src).set("dst", s.dst));
    e.set("sights", std::move(sights));
    emit("past_detection", std::move(e));
    // The flows that the history kept say who used it before this sensor counted clients.
    for (const auto& s : h.sights)
      if (s.src != h.value) uses_.used(h.kind, h.value, s.src, s.time);
    looked_at.insert(h.number);
  }
  const Time now = clock_.now();
  for (const uint32_t tag : looked_at) judge_again(tag, now);
  if (!looked_at.empty()) apply(now);
  flush_events();
}

}  // namespace entente::sensor
