#include "enforce/both.h"

#include <algorithm>
#include <map>

namespace entente::enforce {

namespace {

std::vector<Element> drops(const std::vector<Element>& elements) {
  std::vector<Element> out;
  std::copy_if(elements.begin(), elements.end(), std::back_inserter(out), [](const Element& e) { return e.drop; });
  return out;
}

}  // namespace

Status BothEnforcer::joined(const Status& front, const Status& behind) const {
  if (front.ok() && behind.ok()) return {};
  const bool first = !front.ok();
  Error error = first ? front.error() : behind.error();
  error.what = (first ? front_ : behind_)->name() + ": " + error.what;
  return error;
}

Status BothEnforcer::start(const std::vector<Prefix>& allow, const std::vector<Element>& elements, Time now) {
  const Status front = front_->start(allow, drops(elements), now);
  return joined(front, behind_->start(allow, elements, now));
}

Status BothEnforcer::apply(const Delta& delta, Time now) {
  const Status front = front_->apply({drops(delta.set), drops(delta.remove)}, now);
  return joined(front, behind_->apply(delta, now));
}

Result<std::vector<Hits>> BothEnforcer::hits() {
  TRY(const std::vector<Hits> front, front_->hits());
  TRY(const std::vector<Hits> behind, behind_->hits());
  std::map<Prefix, Hits> sum;
  for (const auto* list : {&front, &behind}) {
    for (const Hits& h : *list) {
      Hits& s = sum.try_emplace(h.prefix, Hits{h.prefix, 0, 0}).first->second;
      s.packets += h.packets;
      s.bytes += h.bytes;
    }
  }
  std::vector<Hits> out;
  out.reserve(sum.size());
  for (const auto& [prefix, hits] : sum) out.push_back(hits);
  return out;
}

Result<Totals> BothEnforcer::totals() {
  TRY(Totals sum, front_->totals());
  TRY(const Totals behind, behind_->totals());
  sum.dropped_packets += behind.dropped_packets;
  sum.dropped_bytes += behind.dropped_bytes;
  sum.shadow_packets += behind.shadow_packets;
  sum.shadow_bytes += behind.shadow_bytes;
  sum.open_packets += behind.open_packets;
  return sum;
}

Status BothEnforcer::clear() {
  const Status front = front_->clear();
  return joined(front, behind_->clear());
}

Status BothEnforcer::alive() {
  const Status front = front_->alive();
  return joined(front, behind_->alive());
}

std::string BothEnforcer::detail() const {
  const std::string front = front_->detail(), behind = behind_->detail();
  return front + (front.empty() || behind.empty() ? "" : "; ") + behind;
}

}  // namespace entente::enforce
