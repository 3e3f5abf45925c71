#include "enforce/enforcer.h"

#include <algorithm>

namespace entente::enforce {

Status MemEnforcer::start(const std::vector<Prefix>&, const std::vector<Element>& elements, Time) {
  ++calls_;
  if (failing_) return make_error(ErrorKind::kUnavailable, "the enforcer refuses");
  elements_.clear();
  for (const Element& e : elements) elements_[e.prefix] = e;
  return {};
}

Status MemEnforcer::apply(const Delta& delta, Time) {
  ++calls_;
  if (failing_) return make_error(ErrorKind::kUnavailable, "the enforcer refuses");
  for (const Element& e : delta.remove) elements_.erase(e.prefix);
  for (const Element& e : delta.set) elements_[e.prefix] = e;
  return {};
}

Status MemEnforcer::clear() {
  elements_.clear();
  return {};
}

void Reconciler::want(const Element& element) {
  const auto [it, added] = desired_.try_emplace(element.prefix, Wish{element, next_order_});
  if (added) {
    ++next_order_;
    ++(element.prefix.single() ? singles_ : ranges_);
  } else if (it->second.element == element) {
    return;
  }
  it->second.element = element;
  dirty_.insert(element.prefix);
}

void Reconciler::unwant(const Prefix& prefix) {
  if (desired_.erase(prefix) == 0) return;
  --(prefix.single() ? singles_ : ranges_);
  dirty_.insert(prefix);
}

std::map<Prefix, Element> Reconciler::chosen() const {
  std::map<Prefix, Element> out;
  for (const bool single : {true, false}) {
    std::vector<const Wish*> ranked;
    for (const auto& [prefix, wish] : desired_) {
      if (prefix.single() == single) ranked.push_back(&wish);
    }
    const size_t capacity = single ? enforcer_.capacity() : enforcer_.range_capacity();
    if (ranked.size() > capacity) {
      std::sort(ranked.begin(), ranked.end(), [](const Wish* a, const Wish* b) {
        return a->element.drop != b->element.drop ? a->element.drop : a->order < b->order;
      });
      ranked.resize(capacity);
    }
    for (const Wish* wish : ranked) out.emplace(wish->element.prefix, wish->element);
  }
  return out;
}

Status Reconciler::flush(const std::vector<Prefix>& allow, Time now) {
  if (started_ && dirty_.empty()) return {};
  const bool fits = singles_ <= enforcer_.capacity() && ranges_ <= enforcer_.range_capacity();
  if (!started_) {
    auto all = chosen();
    std::vector<Element> elements;
    for (const auto& [prefix, element] : all) elements.push_back(element);
    CHECK_OK(enforcer_.start(allow, elements, now));
    applied_ = std::move(all);
    started_ = true;
    dirty_.clear();
    for (const Prefix& prefix : left_out()) dirty_.insert(prefix);
    return {};
  }
  Delta delta;
  const auto compare = [&](const Prefix& prefix, const Element* wanted) {
    const auto is = applied_.find(prefix);
    if (wanted == nullptr) {
      if (is != applied_.end()) delta.remove.push_back(is->second);
    } else if (is == applied_.end() || is->second != *wanted) {
      // What changes between drop and count moves from one set to another.
      if (is != applied_.end() && is->second.drop != wanted->drop) delta.remove.push_back(is->second);
      delta.set.push_back(*wanted);
    }
  };
  if (fits && applied_.size() <= enforcer_.capacity() + enforcer_.range_capacity()) {
    // Nothing is left out now; what was left out before is still marked dirty.
    for (const Prefix& prefix : dirty_) {
      const auto it = desired_.find(prefix);
      compare(prefix, it == desired_.end() ? nullptr : &it->second.element);
    }
  } else {
    const auto all = chosen();
    for (const auto& [prefix, element] : applied_) {
      if (!all.contains(prefix)) delta.remove.push_back(element);
    }
    for (const auto& [prefix, element] : all) compare(prefix, &element);
  }
  if (!delta.empty()) {
    if (const auto done = enforcer_.apply(delta, now); !done.ok()) {
      started_ = false;  // what is in the enforcer now is not known: replace everything next time
      return done;
    }
    for (const Element& e : delta.remove) applied_.erase(e.prefix);
    for (const Element& e : delta.set) applied_[e.prefix] = e;
  }
  dirty_.clear();
  for (const Prefix& prefix : left_out()) dirty_.insert(prefix);
  return {};
}

std::vector<Prefix> Reconciler::left_out() const {
  std::vector<Prefix> out;
  if (singles_ <= enforcer_.capacity() && ranges_ <= enforcer_.range_capacity()) return out;
  for (const auto& [prefix, wish] : desired_) {
    if (!applied_.contains(prefix)) out.push_back(prefix);
  }
  return out;
}

}  // namespace entente::enforce
