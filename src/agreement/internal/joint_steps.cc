#include "agreement/internal/joint_steps.h"

#include <fmt/format.h>

#include "agreement/internal/party_block.h"
#include "agreement/internal/shape.h"
#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

using json::Node;

constexpr size_t kMaxText = 500;  // octets of a title or reason

std::string words(Shape& shape, const Node& body, const std::string& at, std::string_view name, bool required) {
  std::string text = shape.text(body, at, name, required).value_or("");
  if (text.size() > kMaxText)
    shape.add(fmt::format("{}/{}", at, name), fmt::format("is longer than {} octets", kMaxText));
  if (required && text.empty() && body.find(name) != nullptr)
    shape.add(fmt::format("{}/{}", at, name), "must not be empty: say it in a few words");
  return text;
}

std::optional<Time> moment(Shape& shape, const Node& body, const std::string& at, std::string_view name,
                           bool required) {
  const auto text = shape.text(body, at, name, required);
  if (!text) return std::nullopt;
  const auto time = parse_time(*text);
  if (time.ok()) return *time;
  shape.add(fmt::format("{}/{}", at, name), "must be an RFC 3339 time such as 2027-01-15T05:00:00Z");
  return std::nullopt;
}

uint64_t count(Shape& shape, const Node& body, const std::string& at, std::string_view name) {
  const int64_t n = shape.integer(body, at, name, true).value_or(0);
  if (n < 0) shape.add(fmt::format("{}/{}", at, name), "must not be negative");
  return n < 0 ? 0 : static_cast<uint64_t>(n);
}

std::vector<Measure> read_measures(Shape& shape, const Node& body, const std::string& at) {
  std::vector<Measure> out;
  const Node* list = shape.array(body, at, "measures", true, 1);
  if (list == nullptr) return out;
  if (list->list().size() > kMaxMeasures)
    shape.add(at + "/measures", fmt::format("at most {} measures: make two actions", kMaxMeasures));
  std::set<std::string> ids, indicators;
  for (size_t i = 0; i < list->list().size() && i < kMaxMeasures; ++i) {
    const Node& n = list->list()[i];
    const std::string here = fmt::format("{}/measures/{}", at, i);
    if (!shape.is_object(n, here)) continue;
    shape.closed(n, here, {"id", "indicator", "version", "do"}, {});
    Measure m;
    m.id = words(shape, n, here, "id", true);
    m.indicator = words(shape, n, here, "indicator", true);
    m.version = words(shape, n, here, "version", true);
    const std::string what = shape.text(n, here, "do", true).value_or("");
    m.drop = what == "drop";
    if (n.find("do") != nullptr && what != "drop" && what != "count") shape.add(here + "/do", "must be drop or count");
    if (!m.indicator.starts_with("indicator--")) shape.add(here + "/indicator", "must be the id of an indicator");
    if (!ids.insert(m.id).second) shape.add(here + "/id", "another measure has this id");
    if (!indicators.insert(m.indicator).second) shape.add(here + "/indicator", "another measure is about it");
    out.push_back(std::move(m));
  }
  return out;
}

void read_proposal(Shape& shape, const Node& body, const std::string& at, JointBody& out) {
  shape.closed(body, at, {"title", "measures", "t0", "until"}, {"need", "exercise", "reason"});
  out.title = words(shape, body, at, "title", true);
  out.reason = words(shape, body, at, "reason", false);
  out.measures = read_measures(shape, body, at);
  const auto t0 = moment(shape, body, at, "t0", true), until = moment(shape, body, at, "until", true);
  if (t0 && until && *t0 >= *until) shape.add(at + "/until", "must be later than t0: a block without an end is none");
  out.t0 = t0.value_or(Time{});
  out.until = until.value_or(Time{});
  if (const auto need = shape.integer(body, at, "need", false)) {
    if (*need < 2) shape.add(at + "/need", "an action is joint when two consent at least");
    out.need = *need < 2 ? 2 : static_cast<size_t>(*need);
  }
  out.exercise = shape.boolean(body, at, "exercise", false).value_or(false);
}

void read_consent(Shape& shape, const Node& body, const std::string& at, JointBody& out) {
  shape.closed(body, at, {"action"}, {"measures", "until", "reason", "article"});
  if (body.find("measures") != nullptr) {
    const auto list = shape.strings(body, at, "measures", true);
    if (list.empty()) shape.add(at + "/measures", "names no measure: decline instead");
    out.subset.emplace(list.begin(), list.end());
  }
  out.own_until = moment(shape, body, at, "until", false);
  out.reason = words(shape, body, at, "reason", false);
  out.article = words(shape, body, at, "article", false);
}

}  // namespace

Result<JointBody> read_joint_body(const Act& act) {
  Shape shape;
  const std::string at = "/act/body";
  const Node& body = act.body;
  JointBody out;
  if (!shape.is_object(body, at)) return invalid(shape.problems.front().message, shape.problems.front().pointer);
  if (act.kind == "joint_propose") {
    read_proposal(shape, body, at, out);
  } else if (act.kind == "joint_consent") {
    read_consent(shape, body, at, out);
  } else if (act.kind == "joint_decline") {
    shape.closed(body, at, {"action", "reason"}, {"article"});
    out.reason = words(shape, body, at, "reason", true);
    out.article = words(shape, body, at, "article", false);
  } else if (act.kind == "joint_go") {
    shape.closed(body, at, {"action"}, {});
  } else if (act.kind == "joint_stand_down") {
    shape.closed(body, at, {"action"}, {"reason"});
    out.reason = words(shape, body, at, "reason", false);
  } else if (act.kind == "joint_report") {
    shape.closed(body, at, {"action", "dropping", "counting", "waiting", "refused", "hits"}, {});
    out.report = {act.effective_at,
                  count(shape, body, at, "dropping"),
                  count(shape, body, at, "counting"),
                  count(shape, body, at, "waiting"),
                  count(shape, body, at, "refused"),
                  count(shape, body, at, "hits")};
  } else {
    return make_error(ErrorKind::kUnsupported, fmt::format("unknown kind of act \"{}\"", printable(act.kind)),
                      "/act/kind", "use a kind that docs/format/joint.md defines");
  }
  if (act.kind != "joint_propose") {
    out.action = shape.text(body, at, "action", true).value_or("");
    if (body.find("action") != nullptr && !is_hex64(out.action))
      shape.add(at + "/action", "must be the hash of the joint_propose act: 64 lower-case hex digits");
  }
  if (!shape.problems.empty()) return invalid(shape.problems.front().message, shape.problems.front().pointer);
  return out;
}

}  // namespace entente::agreement::internal
