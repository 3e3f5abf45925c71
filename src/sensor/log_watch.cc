#include "sensor/log_watch.h"

#include <algorithm>

#include "detect/packets.h"

namespace entente::sensor {

using detect::ObservableKind;
using detect::Role;
using detect::without_port;

namespace {

constexpr size_t kMaxAnswers = 16;

bool same_name(std::string_view a, std::string_view b) {
  if (a.ends_with('.')) a.remove_suffix(1);
  if (b.ends_with('.')) b.remove_suffix(1);
  return std::ranges::equal(a, b, [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

}  // namespace

LogWatch::Facts LogWatch::facts_of(const detect::Record& record) {
  Facts f;
  const auto first = [](std::string& to, std::string_view text) {
    if (to.empty()) to = text;
  };
  record.each_role([&](Role role, std::string_view text) {
    switch (role) {
      case Role::kSrcAddress:
        return first(f.src, text);
      case Role::kDstAddress:
        return first(f.dst, text);
      case Role::kQuery:
        return first(f.query, text);
      case Role::kAnswer:
        if (f.answers.size() < kMaxAnswers) f.answers.emplace_back(text);
        return;
      case Role::kServerName:
        return first(f.name, text);
      case Role::kHost:
        return first(f.name, without_port(text));
      case Role::kUri:
        return first(f.uri, text);
      default:
        return;
    }
  });
  if (const auto a = packet::parse_address(f.src)) f.flow.src = *a;
  if (const auto a = packet::parse_address(f.dst)) f.flow.dst = *a;
  return f;
}

std::vector<std::string> LogWatch::led_to(const Value& value, const Facts& facts, std::string& via) {
  if (value.kind != ObservableKind::kDomain && value.kind != ObservableKind::kUrl) return {};
  const auto is_answer = [&](const std::string& a) { return same_name(a, value.text); };
  const bool asked = !facts.query.empty() && (same_name(facts.query, value.text) ||
                                              std::any_of(facts.answers.begin(), facts.answers.end(), is_answer));
  if (value.kind == ObservableKind::kDomain && asked) {
    via = value.text;
    std::vector<std::string> out;
    for (const auto& answer : facts.answers)
      if (packet::parse_address(answer)) out.push_back(answer);
    return out;
  }
  // Through a proxy (a target in absolute form) the address is the proxy's. And a URL that the line names besides, a
  // referrer say, is not what was connected to.
  if (facts.name.empty() || facts.uri.find("://") != std::string::npos || !packet::parse_address(facts.dst)) return {};
  const size_t scheme = value.text.find("://");
  const bool url = value.kind == ObservableKind::kUrl && scheme != std::string::npos;
  std::string_view host = value.text;
  if (url) host = without_port(host.substr(scheme + 3, host.find_first_of("/?#", scheme + 3) - scheme - 3));
  if (!same_name(host, facts.name)) return {};
  if (url && !facts.uri.empty() && !value.text.ends_with(facts.uri)) return {};
  via = facts.name;
  return {facts.dst};
}

void LogWatch::look_up(const Value& value, const Facts& facts, Time time, bool fresh, std::string_view source) {
  core_.remember(time, value.kind, value.text, facts.flow);
  detect::Observable seen{value.kind, value.text, {}};
  seen.where.source = source;
  seen.where.field = value.field;
  seen.where.time = time;
  // The core takes its lock and may change the index: not while the index is being read.
  tags_.clear();
  core_.live().match(seen, time, [&](const detect::Indicator& i, pattern::AtomKind atom) {
    // The host of a URL is a value of the line by itself.
    if (value.kind != ObservableKind::kUrl || atom == pattern::AtomKind::kUrl) tags_.push_back(i.tag);
  });
  if (tags_.empty()) return;
  Seen s;
  s.value = value.text;
  s.field = value.field;
  s.source = source;
  s.src = facts.flow.src.is_set() ? packet::to_text(facts.flow.src) : "";
  s.dst = facts.flow.dst.is_set() ? packet::to_text(facts.flow.dst) : "";
  s.time = time;
  s.flow = flow_hash(facts.flow);
  // Most lines tell no ports: then each line is a flow.
  if (facts.flow.src_port == 0) s.flow += static_cast<uint64_t>(time.us) * 0x9e3779b97f4a7c15ULL;
  s.client = client_of(value.kind, value.text, facts.flow);
  const std::vector<std::string> addresses = fresh ? led_to(value, facts, s.via_name) : std::vector<std::string>();
  for (const uint32_t tag : tags_) {
    if ((tag & Core::kAnchor) != 0) {
      shown_.push_back({tag, value.kind, value.text, value.field});
      continue;
    }
    s.tag = tag;
    if (addresses.empty()) core_.on_seen(s);
    for (const auto& address : addresses) {
      s.address = address;
      core_.on_seen(s);
    }
    s.address.clear();
  }
}

void LogWatch::on_value(ObservableKind kind, std::string_view field, std::string_view text) {
  const bool known =
      std::any_of(values_.begin(), values_.end(), [&](const Value& v) { return v.kind == kind && v.text == text; });
  if (!known) values_.push_back({kind, std::string(field), std::string(text)});
}

void LogWatch::on_record(const detect::Record& record, const detect::RecordPlace& place) {
  const Time now = clock_.now();
  // A clock that runs ahead of ours makes nothing seen in the future.
  const Time time = place.time ? std::min(*place.time, now) : now;
  const bool fresh = now.us - time.us <= lead_us_;
  const Facts facts = facts_of(record);
  if (fresh) {
    for (const auto& answer : facts.answers)
      if (!facts.query.empty() && packet::parse_address(answer)) core_.on_name(facts.query, answer);
    if (!facts.name.empty() && !facts.dst.empty() && facts.uri.find("://") == std::string::npos)
      core_.on_name(facts.name, facts.dst);
  }
  for (const Value& value : values_) look_up(value, facts, time, fresh, place.source);
  if (core_.has_compounds() && (!shown_.empty() || core_.every_record()))
    core_.on_record(record, {std::string(place.source), facts.src, facts.dst, time}, shown_);
  values_.clear();
  shown_.clear();
}

void LogWatch::on_flow(const packet::FlowRecord& flow, std::string_view source) {
  const auto add = [&](const packet::Address& a, std::string_view field, Role role) {
    if (!a.is_set()) return;
    const std::string text = packet::to_text(a);
    on_value(a.v6 ? ObservableKind::kIpv6 : ObservableKind::kIpv4, field, text);
    if (role != Role::kToken) flow_record_.add(role, text);
  };
  flow_record_.clear();
  add(flow.src, "src_ip", Role::kSrcAddress);
  add(flow.dst, "dst_ip", Role::kDstAddress);
  add(flow.next_hop, "next_hop", Role::kToken);
  flow_record_.add(Role::kSrcPort, std::to_string(flow.src_port));
  flow_record_.add(Role::kDstPort, std::to_string(flow.dst_port));
  on_record(flow_record_, {source, flow.number, flow.begin});
}

}  // namespace entente::sensor
