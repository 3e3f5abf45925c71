#include "agreement/duties.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "json/json.h"
#include "json/node.h"

namespace entente::agreement {
namespace {

using json::Node;

// How a document writes a trigger: {"act": ACT, "trigger": {MEMBER: VALUE}}; VALUE "" stands for true.
struct Row {
  std::string_view act, member, value;
  Trigger trigger;
};
constexpr std::array<Row, 6> kTriggers = {{
    {"acknowledge", "received", "", Trigger::kReceived},
    {"acknowledge", "recall", "", Trigger::kRecall},
    {"answer", "request", "onward", Trigger::kOnwardRequest},
    {"answer", "request", "false-positive", Trigger::kFalsePositive},
    {"answer", "joint_case", "", Trigger::kJointCase},
    {"report_outcome", "joint_case", "", Trigger::kJointCase},
}};
// What a trigger of an object may ask for ("act": "release").
constexpr std::array<std::string_view, 5> kObjectMembers = {"any", "min_confidence", "severity", "sectors",
                                                            "object_types"};

std::string_view word(Trigger t) {
  switch (t) {
    case Trigger::kObject:
      return "object";
    case Trigger::kReceived:
      return "received";
    case Trigger::kRecall:
      return "recall";
    case Trigger::kOnwardRequest:
      return "onward";
    case Trigger::kFalsePositive:
      return "false-positive";
    case Trigger::kJointCase:
      return "joint_case";
  }
  return "";
}

std::vector<std::string> strings(const Node* list) {
  std::vector<std::string> out;
  if (list == nullptr || !list->is_array()) return out;
  for (const Node& n : list->list())
    if (n.is_string()) out.push_back(n.string());
  return out;
}

bool read_trigger(const Node& trigger, ServiceLevel& level) {
  if (trigger.members().empty()) return false;
  if (level.act == "release") {
    for (const auto& [name, value] : trigger.members())
      if (std::ranges::find(kObjectMembers, name) == kObjectMembers.end()) return false;
    level.trigger = Trigger::kObject;
    if (const Node* n = trigger.find("min_confidence"); n != nullptr && n->is_int())
      level.min_confidence = static_cast<int>(n->integer());
    level.severity = std::string(trigger.string_at("severity"));
    level.sectors = strings(trigger.find("sectors"));
    level.types = strings(trigger.find("object_types"));
    return true;
  }
  if (trigger.members().size() != 1) return false;
  const auto& [name, value] = trigger.members().front();
  const auto row = std::ranges::find_if(kTriggers, [&](const Row& r) {
    const bool fits =
        r.value.empty() ? value.is_bool() && value.boolean() : value.is_string() && value.string() == r.value;
    return r.act == level.act && r.member == name && fits;
  });
  if (row == kTriggers.end()) return false;
  level.trigger = row->trigger;
  return true;
}

// `hours` and `holidays`: one for all, or by party; then for each party of the text.
bool read_hours(const Node& n, const Document& document, ServiceLevel& level) {
  const Node* hours = n.find("hours");
  const Node* holidays = n.find("holidays");
  if (hours == nullptr || hours->is_null()) return holidays == nullptr;
  bool office = false;
  for (const auto& p : document.parties) {
    const Node* own = hours->is_object() ? hours->find(p.party) : hours;
    const Node* days = holidays != nullptr && holidays->is_object() ? holidays->find(p.party) : holidays;
    if (own == nullptr || !own->is_string()) return false;
    const auto read = parse_office_hours(own->string(), days);
    if (!read) return false;
    office = office || !read->always;
    level.hours[p.party] = *read;
  }
  if (!office) level.hours.clear();
  // A day of office time is eight hours to one and twenty-four to another: hours alone are plain.
  const auto within = parse_period(n.string_at("within"));
  return !office || (n.string_at("within").starts_with("PT") && within.ok() && within->us <= kMostOfficeUs);
}

bool meets(const ServiceLevel& level, const DutyFact& fact) {
  if (level.act != fact.act) return false;
  // A recall is something that came, too.
  if (level.trigger != fact.trigger && !(level.trigger == Trigger::kReceived && fact.trigger == Trigger::kRecall))
    return false;
  if (level.trigger != Trigger::kObject) return true;
  const bool conditions =
      level.min_confidence || !level.severity.empty() || !level.sectors.empty() || !level.types.empty();
  if (!conditions) return true;
  if (!fact.object) return false;
  const DutyObject& o = *fact.object;
  const auto among = [](const std::vector<std::string>& list, const std::string& x) {
    return std::ranges::find(list, x) != list.end() || std::ranges::find(list, "*") != list.end();
  };
  if (level.min_confidence && o.confidence.value_or(0) < *level.min_confidence) return false;
  if (!level.severity.empty() && o.severity != level.severity) return false;
  if (!level.types.empty() && !among(level.types, o.type)) return false;
  return level.sectors.empty() ||
         std::ranges::any_of(o.sectors, [&](const std::string& s) { return among(level.sectors, s); });
}

}  // namespace

std::string_view to_text(DutyState state) {
  switch (state) {
    case DutyState::kMet:
      return "met";
    case DutyState::kLate:
      return "late";
    case DutyState::kOpen:
      return "open";
    case DutyState::kOverdue:
      return "overdue";
  }
  return "";
}

DutyObject duty_object(std::string_view raw) {
  DutyObject out;
  const auto doc = json::parse(raw);
  if (!doc.ok()) return out;
  const json::Value root = doc->root();
  out.type = json::find_string(root, "type").value_or("");
  out.severity = json::find_string(root, "severity").value_or("");
  if (const auto n = json::find_int(root, "confidence")) out.confidence = static_cast<int>(*n);
  for (const auto s : json::string_list(json::find_array(root, "sectors"))) out.sectors.emplace_back(s);
  constexpr std::string_view kSeverity = "severity:";
  for (const auto s : json::string_list(json::find_array(root, "labels")))
    if (out.severity.empty() && s.starts_with(kSeverity)) out.severity = s.substr(kSeverity.size());
  return out;
}

Time ServiceLevel::due(Time started, const std::string& obligor) const {
  const auto it = hours.find(obligor);
  return it == hours.end() ? add(started, within) : it->second.after(started, within.us);
}

Period ServiceLevel::longest() const {
  Period p = within;
  for (const auto& [_, h] : hours) p.us = std::max(p.us, h.longest_us(within.us));
  return p;
}

std::vector<ServiceLevel> service_levels(const Document& document, std::vector<std::string>* others) {
  std::vector<ServiceLevel> out;
  const Node* list = document.node.find("service_levels");
  if (list == nullptr || !list->is_array()) return out;
  for (const Node& n : list->list()) {
    ServiceLevel level;
    level.id = std::string(n.string_at("id"));
    level.article = std::string(n.string_at("art"));
    level.act = std::string(n.string_at("act"));
    level.from_commit = n.string_at("clock") == "committed";
    const auto within = parse_period(n.string_at("within"));
    const Node* trigger = n.find("trigger");
    const bool clocked = within.ok() && trigger != nullptr && trigger->is_object() && read_trigger(*trigger, level) &&
                         read_hours(n, document, level);
    if (!clocked) {
      if (others != nullptr) others->push_back(level.id);
      continue;
    }
    level.within = *within;
    out.push_back(std::move(level));
  }
  return out;
}

std::vector<Duty> duties(std::span<const ServiceLevel> levels, std::span<const DutyFact> facts, Time at) {
  std::vector<Duty> out;
  for (const DutyFact& fact : facts) {
    std::optional<Duty> best;
    for (const ServiceLevel& level : levels) {
      if (!meets(level, fact)) continue;
      const Time started = level.from_commit ? fact.committed : fact.received;
      const Time due = level.due(started, fact.obligor);
      if (best && std::tie(best->due, best->level) <= std::tie(due, level.id)) continue;
      best = Duty{level.id,     level.article, level.act,       std::string(word(fact.trigger)),
                  fact.obligor, fact.to,       fact.subject,    started,
                  due,          fact.met,      DutyState::kOpen};
    }
    if (!best || best->started > at) continue;
    if (best->met && *best->met > at) best->met.reset();
    best->state = best->met ? (*best->met <= best->due ? DutyState::kMet : DutyState::kLate)
                            : (at <= best->due ? DutyState::kOpen : DutyState::kOverdue);
    out.push_back(*std::move(best));
  }
  std::ranges::sort(out, [](const Duty& x, const Duty& y) {
    return std::tie(x.due, x.level, x.obligor, x.subject, x.act) <
           std::tie(y.due, y.level, y.obligor, y.subject, y.act);
  });
  return out;
}

}  // namespace entente::agreement
