#include "pattern/observation.h"

#include <algorithm>

#include "base/bytes.h"
#include "stix/object.h"

namespace entente::pattern {
namespace {

bool is_ascii(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string place_of(uint32_t container, std::string_view key) {
  return std::to_string(container) + "/" + std::string(key);
}

constexpr uint64_t kMaxObserved = 999'999'999;  // §4.14

}  // namespace

Nanos nanos(const stix::Timestamp& t) { return static_cast<Nanos>(t.s) * 1'000'000'000 + t.ns; }

Result<Observations> Observations::read(std::string_view text, const ReadOptions& options) {
  Observations out(options);
  TRY(const auto parts, stix::split_objects(text));
  json::Document doc;
  for (const auto raw : parts) {
    CHECK_OK(doc.parse(raw));
    CHECK_OK(out.add(doc.root()));
  }
  CHECK_OK(out.finish());
  return out;
}

Symbol Observations::symbol(std::string_view name) {
  return options_.only != nullptr ? options_.only->find(name) : own_.add(name);
}

uint32_t Observations::put(const Value& v) {
  values_.push_back(v);
  return static_cast<uint32_t>(values_.size() - 1);
}

Value Observations::stored(std::string_view octets, Value::Kind kind) {
  Value v;
  v.kind = kind;
  v.ascii = is_ascii(octets);
  v.count = static_cast<uint32_t>(octets.size());
  v.at = arena_.size();
  arena_ += octets;
  return v;
}

uint32_t Observations::string_value(std::string_view text, Suffix suffix, uint32_t scope) {
  if (suffix == Suffix::kRef) {
    pending_.push_back({static_cast<uint32_t>(values_.size()), std::string(text), scope});
    return put({});
  }
  if (suffix == Suffix::kBin || suffix == Suffix::kHex) {
    const auto octets = suffix == Suffix::kBin ? unbase64(text) : unhex(text);
    Value bad;
    bad.kind = Value::Kind::kBad;
    return put(octets.ok() ? stored(*octets, Value::Kind::kOctets) : bad);
  }
  return put(stored(text, Value::Kind::kString));
}

// Depth is bounded by the JSON reader.
Result<uint32_t> Observations::convert(const json::Value& v, Suffix suffix, uint32_t scope, const std::string& where) {
  Value out;
  // A reference is followed at once (§9.7.4): what is none leads nowhere.
  if ((suffix == Suffix::kRef && !v.is_string()) || (suffix == Suffix::kRefs && !v.is_array())) return put(out);
  switch (v.type()) {
    case simdjson::dom::element_type::STRING:
      return string_value(json::as_string(v), suffix, scope);
    case simdjson::dom::element_type::INT64:
      out.kind = Value::Kind::kInteger;
      out.integer = v.get_int64().value_unsafe();
      break;
    case simdjson::dom::element_type::UINT64:
      out.kind = Value::Kind::kReal;
      out.real = static_cast<double>(v.get_uint64().value_unsafe());
      break;
    case simdjson::dom::element_type::DOUBLE:
      out.kind = Value::Kind::kReal;
      out.real = v.get_double().value_unsafe();
      break;
    case simdjson::dom::element_type::BOOL:
      out.kind = Value::Kind::kBoolean;
      out.boolean = v.get_bool().value_unsafe();
      break;
    case simdjson::dom::element_type::NULL_VALUE:
      if (!options_.lenient) return invalid("a null value", where, "leave the property out, or read leniently");
      out.kind = Value::Kind::kBad;
      break;
    case simdjson::dom::element_type::ARRAY: {
      const Suffix inner = suffix == Suffix::kRefs ? Suffix::kRef : suffix;
      std::vector<uint32_t> items;
      for (const auto item : json::as_array(v)) {
        TRY(const uint32_t i, convert(item, inner, scope, where));
        items.push_back(i);
      }
      out.kind = Value::Kind::kList;
      out.count = static_cast<uint32_t>(items.size());
      out.at = members_.size();
      for (const uint32_t i : items) members_.push_back({0, i});
      break;
    }
    case simdjson::dom::element_type::OBJECT: {
      std::vector<Member> items;
      for (const auto [name, value] : json::as_object(v)) {
        const Symbol key = symbol(name);
        if (key == 0) continue;
        TRY(const uint32_t i, convert(value, symbols().suffix(key), scope, where));
        items.push_back({key, i});
      }
      out.kind = Value::Kind::kObject;
      out.count = static_cast<uint32_t>(items.size());
      out.at = members_.size();
      members_.insert(members_.end(), items.begin(), items.end());
      break;
    }
  }
  return put(out);
}

Status Observations::add(const json::Value& object) {
  if (!object.is_object()) return invalid("a STIX object must be a JSON object");
  const auto type = json::find_string(object, "type");
  if (type == "bundle") {
    if (const auto objects = json::find_array(object, "objects")) {
      for (const auto item : *objects) CHECK_OK(add(item));
    }
    return {};
  }
  if (type == "observed-data") return add_observed(object);
  const auto id = json::find_string(object, "id");
  if (!id) {
    // Nothing can refer to it, so that it is part of no observation.
    if (options_.lenient) return {};
    return invalid("an object without id", printable(type.value_or("?")), "give it one, or read leniently");
  }
  return add_sco(object, *id, 0, printable(*id));
}

Status Observations::add_sco(const json::Value& object, std::string_view id, uint32_t scope, const std::string& where) {
  const auto type = json::find_string(object, "type");
  if (!type && !options_.lenient) return invalid("an object without type", where);
  TRY(const uint32_t v, convert(object, Suffix::kNone, scope, where));
  const auto number = static_cast<uint32_t>(scos_.size());
  scos_.push_back({type ? symbol(*type) : 0, v});
  if (scope == 0) {
    by_id_[std::string(id)] = number;
  } else {
    by_place_[place_of(scope, id)] = number;
  }
  return {};
}

Status Observations::add_container(const json::Object& objects, Observed& o, const std::string& where) {
  const uint32_t scope = ++containers_;
  o.begin = static_cast<uint32_t>(listed_.size());
  for (const auto [key, item] : objects) {
    if (!item.is_object()) {
      if (options_.lenient) continue;
      return invalid("an entry of objects that is no object", where + "/objects/" + printable(key));
    }
    listed_.push_back(static_cast<uint32_t>(scos_.size()));
    CHECK_OK(add_sco(item, key, scope, where + "/objects/" + printable(key)));
  }
  o.size = static_cast<uint32_t>(listed_.size()) - o.begin;
  return {};
}

Status Observations::add_observed(const json::Value& object) {
  Observed o;
  o.id = json::find_string(object, "id").value_or("");
  const std::string where = o.id.empty() ? "observed-data" : printable(o.id);

  const auto first = stix::parse_timestamp(json::find_string(object, "first_observed").value_or(""));
  const auto last = stix::parse_timestamp(json::find_string(object, "last_observed").value_or(""));
  if (!options_.lenient && (!first || !last)) {
    return invalid("observed-data needs the timestamps first_observed and last_observed", where,
                   "give them, or read leniently");
  }
  o.first = first ? nanos(*first) : last ? nanos(*last) : -kAlways;
  o.last = last ? nanos(*last) : first ? nanos(*first) : kAlways;
  if (o.last < o.first) {
    if (!options_.lenient) return invalid("last_observed before first_observed", where, "correct the times");
    std::swap(o.first, o.last);
  }

  const auto count = json::find_int(object, "number_observed");
  const bool in_range = count && *count >= 1 && static_cast<uint64_t>(*count) <= kMaxObserved;
  if (!options_.lenient && !in_range) {
    return invalid("observed-data needs number_observed from 1 to 999999999", where, "give it, or read leniently");
  }
  o.count = in_range ? static_cast<uint64_t>(*count) : 1;

  if (const auto objects = json::find_object(object, "objects")) {
    CHECK_OK(add_container(*objects, o, where));
  } else if (const auto refs = json::find_array(object, "object_refs")) {
    Listing l{static_cast<uint32_t>(observed_.size()), {}};
    for (const auto id : json::string_list(refs)) l.ids.emplace_back(id);
    listings_.push_back(std::move(l));
  } else if (!options_.lenient) {
    return invalid("observed-data needs object_refs or objects", where, "give them, or read leniently");
  }
  observed_.push_back(std::move(o));
  return {};
}

Status Observations::finish() {
  for (const auto& p : pending_) {
    const auto& table = p.scope == 0 ? by_id_ : by_place_;
    const auto it = table.find(p.scope == 0 ? p.id : place_of(p.scope, p.id));
    if (it == table.end()) continue;
    values_[p.value].kind = Value::Kind::kReference;
    values_[p.value].at = it->second;
  }
  pending_.clear();
  for (const auto& l : listings_) {
    Observed& o = observed_[l.observation];
    o.begin = static_cast<uint32_t>(listed_.size());
    for (const auto& id : l.ids) {
      if (const auto it = by_id_.find(id); it != by_id_.end()) listed_.push_back(it->second);
    }
    const auto from = listed_.begin() + o.begin;
    std::sort(from, listed_.end());
    listed_.erase(std::unique(from, listed_.end()), listed_.end());
    o.size = static_cast<uint32_t>(listed_.size()) - o.begin;
  }
  listings_.clear();

  std::vector<std::pair<Symbol, Root>> typed;
  for (uint32_t i = 0; i < observed_.size(); ++i) {
    for (const uint32_t object : listed(observed_[i])) {
      if (scos_[object].type != 0) typed.push_back({scos_[object].type, {i, object}});
    }
  }
  std::stable_sort(typed.begin(), typed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  by_type_.clear();
  roots_.clear();
  roots_.reserve(typed.size());
  for (const auto& [type, root] : typed) {
    const auto at = static_cast<uint32_t>(roots_.size());
    if (by_type_.empty() || by_type_.back().first != type) by_type_.push_back({type, {at, 0}});
    ++by_type_.back().second.second;
    roots_.push_back(root);
  }
  return {};
}

bool Observations::lists(const Observed& o, uint32_t object) const {
  const auto ids = listed(o);
  return std::binary_search(ids.begin(), ids.end(), object);
}

std::span<const Observations::Root> Observations::roots(Symbol type) const {
  const auto it = std::lower_bound(by_type_.begin(), by_type_.end(), type,
                                   [](const auto& entry, Symbol t) { return entry.first < t; });
  if (type == 0 || it == by_type_.end() || it->first != type) return {};
  return std::span(roots_).subspan(it->second.first, it->second.second);
}

void Observations::begin(std::string_view id, Nanos first, Nanos last, uint64_t count) {
  Observed o;
  o.id = id;
  o.first = first;
  o.last = last;
  o.count = count;
  o.begin = static_cast<uint32_t>(listed_.size());
  observed_.push_back(std::move(o));
  ++containers_;
}

void Observations::begin_object(std::string_view type, std::string_view id) {
  open_members_.clear();
  const auto number = static_cast<uint32_t>(scos_.size());
  listed_.push_back(number);
  scos_.push_back({symbol(type), 0});
  if (!id.empty()) by_place_[place_of(containers_, id)] = number;
  property("type", type);
}

void Observations::property(std::string_view key, std::string_view text) {
  const Symbol k = symbol(key);
  if (k == 0) return;
  const Suffix suffix = symbols().suffix(k);
  open_members_.push_back({k, string_value(text, suffix == Suffix::kRefs ? Suffix::kNone : suffix, containers_)});
}

void Observations::property(std::string_view key, int64_t integer) {
  const Symbol k = symbol(key);
  if (k == 0) return;
  Value v;
  v.kind = Value::Kind::kInteger;
  v.integer = integer;
  open_members_.push_back({k, put(v)});
}

void Observations::property(std::string_view key, std::span<const std::string_view> texts) {
  const Symbol k = symbol(key);
  if (k == 0) return;
  Suffix suffix = symbols().suffix(k);
  if (suffix == Suffix::kRefs) suffix = Suffix::kRef;
  std::vector<uint32_t> items;
  for (const auto text : texts) items.push_back(string_value(text, suffix, containers_));
  Value v;
  v.kind = Value::Kind::kList;
  v.count = static_cast<uint32_t>(items.size());
  v.at = members_.size();
  for (const uint32_t i : items) members_.push_back({0, i});
  open_members_.push_back({k, put(v)});
}

void Observations::begin_dictionary(std::string_view key) {
  outer_.push_back({symbol(key), std::move(open_members_)});
  open_members_.clear();
}

void Observations::end_dictionary() {
  Value v;
  v.kind = Value::Kind::kObject;
  v.count = static_cast<uint32_t>(open_members_.size());
  v.at = members_.size();
  members_.insert(members_.end(), open_members_.begin(), open_members_.end());
  open_members_ = std::move(outer_.back().members);
  if (outer_.back().key != 0) open_members_.push_back({outer_.back().key, put(v)});
  outer_.pop_back();
}

void Observations::end_object() {
  Value v;
  v.kind = Value::Kind::kObject;
  v.count = static_cast<uint32_t>(open_members_.size());
  v.at = members_.size();
  members_.insert(members_.end(), open_members_.begin(), open_members_.end());
  scos_.back().value = put(v);
}

void Observations::end() { observed_.back().size = static_cast<uint32_t>(listed_.size()) - observed_.back().begin; }

void Observations::clear() {
  arena_.clear();
  values_.clear();
  members_.clear();
  scos_.clear();
  observed_.clear();
  listed_.clear();
  listings_.clear();
  pending_.clear();
  by_id_.clear();
  by_place_.clear();
  by_type_.clear();
  roots_.clear();
  containers_ = 0;
}

}  // namespace entente::pattern
