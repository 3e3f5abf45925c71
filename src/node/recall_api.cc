#include "node/recall_api.h"

#include <algorithm>

namespace entente::node {

using exchange::Role;
using json::Node;

namespace {

Node time_or_null(const std::optional<Time>& t) { return t ? Node(to_text(*t)) : Node(); }

}  // namespace

Node holder_node(const exchange::Holder& h, Time now) {
  Node n = Node::object();
  n.set("party", h.party).set("agreement_id", h.agreement).set("sent_id", h.sent_id);
  n.set("sent", time_or_null(h.sent)).set("answered", time_or_null(h.answered)).set("refused", h.refused);
  n.set("withdrawn", h.withdrawn()).set("unreachable", h.unreachable);
  n.set("article", h.article).set("due", time_or_null(h.due)).set("late_seconds", h.late_us(now) / 1'000'000);
  n.set("complete", h.complete()).set("destroyed", time_or_null(h.destroyed));
  Node onward = Node::array();
  if (h.answer) {
    n.set("answer", exchange::recall_part_node(h.answer->own)).set("answer_at", to_text(h.answer->at));
    for (const auto& p : h.answer->onward) onward.push(exchange::recall_part_node(p));
  }
  return n.set("onward", std::move(onward));
}

Result<Node> sensor_api(exchange::Exchange& ex, const net::Request& request, const taxii::Caller& caller,
                        const std::function<Status(std::initializer_list<Role>)>& only) {
  constexpr std::string_view kSensors = "/api/v1/sensors";
  const std::string_view rest = std::string_view(request.path).substr(kSensors.size());
  if (rest == "/report" && request.method == "POST") {
    CHECK_OK(only({Role::kSensor}));
    CHECK_OK(ex.sensors().report(caller.id, request.body));
    ex.recalls().poke();
    return Node::object().set("taken", true);
  }
  if (rest.empty() && request.method == "GET") {
    CHECK_OK(only({Role::kAnalyst, Role::kReleaseOfficer, Role::kAuditor}));
    const Time now = ex.context().clock.now();
    Node list = Node::array();
    for (const auto& s : ex.sensors().sensors()) {
      Node enforcers = Node::array();
      for (const auto& name : s.enforcers) enforcers.push(name);
      Node n = Node::object();
      n.set("name", s.name).set("mark", s.mark).set("mode", s.mode).set("exercise", s.exercise);
      n.set("enforcers", std::move(enforcers)).set("first", to_text(s.first)).set("last", to_text(s.last));
      list.push(n.set("silent_seconds", std::max<int64_t>(0, (now.us - s.last.us) / 1'000'000)));
    }
    return Node::object().set("sensors", std::move(list));
  }
  if (rest.size() > 1 && rest.front() == '/' && request.method == "DELETE") {
    CHECK_OK(only({}));
    const std::string name(rest.substr(1));
    CHECK_OK(ex.sensors().forget(name));
    ex.recalls().poke();
    return Node::object().set("forgotten", name);
  }
  return make_error(ErrorKind::kNotFound, "the node has no such path", {}, "see docs/api.md");
}

}  // namespace entente::node
