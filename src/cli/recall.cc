#include "cli/internal/recall.h"

#include <cstdio>

#include <fmt/format.h>

#include "cli/internal/table.h"
#include "json/node.h"

namespace entente::cli {
namespace {

using json::Node;

std::string text(const json::Value& v, const char* name) {
  return std::string(json::find_string(v, name).value_or(""));
}
int64_t number(const json::Value& v, const char* name) { return json::find_int(v, name).value_or(0); }

std::string span(int64_t seconds) {
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  if (seconds < 172'800) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} days", seconds / 86'400);
}

// "kept until 2028-01-15: retention: 365 days at tlp:amber (5(4))"
std::string copies_in_words(const json::Value& part) {
  const auto c = json::find(part, "copies");
  if (!c) return {};
  const std::string state = text(*c, "state");
  if (state == "none") return "none";
  std::string out = state;
  const std::string until = text(*c, "until").substr(0, 10);
  if (state == "purged") out += until.empty() ? "" : " on " + until;
  if (state == "kept") out += until.empty() ? "" : " until " + until;
  if (state != "purged") out += ": " + text(*c, "why");
  if (const std::string article = text(*c, "article"); !article.empty()) out += ", article " + article;
  return out;
}

struct Sum {
  int64_t withdrawn = 0, enforcers = 0;
  size_t done = 0, parties = 0;
};

void part_row(Table& t, const std::string& id, const std::string& party, const json::Value& part,
              const std::string& sent, const std::string& result, Sum& sum) {
  const int64_t n = number(part, "withdrawn"), m = number(part, "enforcers");
  sum.withdrawn += n;
  sum.enforcers += m;
  t.row({id, party, sent, text(part, "received").substr(0, 19),
         fmt::format("{} of {}", number(part, "told"), number(part, "sensors")), fmt::format("{} of {}", n, m),
         copies_in_words(part), result});
}

void late_rows(Table& late, const std::string& party, const json::Value& part) {
  const auto list = json::find_array(part, "late");
  if (!list) return;
  for (const json::Value l : *list) {
    const std::string sensor = text(l, "sensor"), enforcer = text(l, "enforcer");
    late.row({party, sensor.empty() ? "the node" : "sensor " + sensor, enforcer.empty() ? "all" : enforcer,
              text(l, "why"), text(l, "last_heard").substr(0, 19)});
  }
}

}  // namespace

Result<int> recall_status(Context& cx, const Target& target, const std::vector<std::string>& ids) {
  TRY(NodeClient node, NodeClient::connect(target));
  Table t({"object", "party", "recall sent (UTC)", "taken (UTC)", "sensors", "withdrawn", "copies", "result"});
  Table late({"party", "where", "enforcer", "why it still holds", "last heard of (UTC)"});
  Sum sum;
  for (const auto& id : ids) {
    TRY(const json::Document doc, node.get("/api/v1/recall?id=" + id));
    if (cx.json) std::puts(json::write(Node::from(doc.root())).c_str());
    if (const auto own = json::find(doc.root(), "own"); own && number(*own, "sensors") > 0) {
      const bool done = json::find_bool(*own, "complete").value_or(false);
      ++sum.parties;
      sum.done += done ? 1 : 0;
      part_row(t, id, text(*own, "party") + " (own)", *own, "", done ? "withdrawn" : "NOT YET", sum);
      late_rows(late, text(*own, "party"), *own);
    }
    const auto list = json::find_array(doc.root(), "holders");
    if (!list) continue;
    for (const json::Value h : *list) {
      const bool done = json::find_bool(h, "complete").value_or(false);
      const int64_t over = number(h, "late_seconds");
      ++sum.parties;
      sum.done += done ? 1 : 0;
      const std::string party = text(h, "party"), refused = text(h, "refused"), lost = text(h, "unreachable");
      const std::string article = text(h, "article").empty() ? "the aim" : "article " + text(h, "article");
      std::string result = done                      ? "withdrawn"
                           : !lost.empty()           ? "NOT REACHED: " + lost
                           : text(h, "sent").empty() ? "not recalled"
                           : !refused.empty()        ? "REFUSED: " + refused
                                                     : "waiting";
      if (over > 0) result += (done ? ", late by " : ", LATE by ") + span(over) + " (" + article + ")";
      const std::string sent = text(h, "sent").substr(0, 19);
      if (const auto answer = json::find(h, "answer")) {
        part_row(t, id, party, *answer, sent, result, sum);
        late_rows(late, party, *answer);
      } else {
        t.row({id, party, sent, text(h, "answered").substr(0, 19), "", "", "", result});
      }
      const auto onward = json::find_array(h, "onward");
      if (!onward) continue;
      for (const json::Value p : *onward) {
        const bool further = json::find_bool(p, "complete").value_or(false);
        ++sum.parties;
        sum.done += further ? 1 : 0;
        const std::string name = text(p, "party") + " (by " + text(p, "via") + ")";
        part_row(t, id, name, p, "", further ? "withdrawn" : "waiting", sum);
        late_rows(late, text(p, "party"), p);
      }
    }
  }
  if (cx.json) return sum.done == sum.parties ? 0 : 1;
  if (sum.parties == 0) {
    std::puts("No party ever received these objects.");
    return 0;
  }
  t.print();
  if (!late.empty()) {
    std::puts("");
    late.print();
  }
  std::printf("withdrawn from %lld of %lld enforcers; %zu of %zu parties are done\n",
              static_cast<long long>(sum.withdrawn), static_cast<long long>(sum.enforcers), sum.done, sum.parties);
  return sum.done == sum.parties ? 0 : 1;
}

Result<int> sensor_list(Context& cx, const Target& target) {
  TRY(NodeClient node, NodeClient::connect(target));
  TRY(const json::Document doc, node.get("/api/v1/sensors"));
  const auto list = json::find_array(doc.root(), "sensors");
  Table t({"sensor", "mark", "mode", "enforcers", "first heard of (UTC)", "last heard of (UTC)", "silent"});
  for (const json::Value s : list.value_or(json::Array())) {
    if (cx.json) {
      std::puts(json::write(Node::from(s)).c_str());
      continue;
    }
    std::string enforcers;
    for (const auto e : json::string_list(json::find_array(s, "enforcers")))
      enforcers += (enforcers.empty() ? "" : ", ") + std::string(e);
    const bool exercise = json::find_bool(s, "exercise").value_or(false);
    t.row({text(s, "name"), text(s, "mark"), exercise ? "exercise" : text(s, "mode"),
           enforcers.empty() ? "none" : enforcers, text(s, "first").substr(0, 19), text(s, "last").substr(0, 19),
           span(number(s, "silent_seconds"))});
  }
  if (cx.json) return 0;
  if (t.empty()) {
    std::puts("No sensor has reported to this node.");
  } else {
    t.print();
  }
  return 0;
}

Result<int> sensor_forget(Context& cx, const Target& target, const std::string& name) {
  TRY(NodeClient node, NodeClient::connect(target));
  CHECK_OK(node.del("/api/v1/sensors/" + name));
  if (cx.json) {
    std::puts(json::write(Node::object().set("forgotten", name)).c_str());
  } else {
    std::printf("%s is taken out: recalls do not wait for it any more\n", name.c_str());
  }
  return 0;
}

}  // namespace entente::cli
