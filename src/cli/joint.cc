// entente joint: the steps of a joint action (docs/format/joint.md), and its board.
#include <algorithm>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "agreement/act.h"
#include "base/bytes.h"
#include "cli/internal/answer.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/signing.h"
#include "cli/internal/step.h"
#include "cli/internal/table.h"
#include "node/config.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  Target target;
  Secrets secrets;
  std::vector<std::string> keys;
  std::string id;  // of the agreement, or of the action
  std::string title, t0, lasts, reason, article, until;
  std::vector<std::string> drop, count, measures;
  int need = 0;
  bool exercise = false, all = false;
};

// The newest version of an indicator that this node holds, whoever gave it.
Result<std::string> version_of(NodeClient& client, const std::string& indicator) {
  if (!indicator.starts_with("indicator--"))
    return invalid("a measure is about an indicator", indicator, "give its id, as in indicator--8e2e2d2b-…");
  TRY(const auto collections, client.taxii().collections("/local/"));
  std::string newest;
  for (const auto& c : collections) {
    if (!c.can_read) continue;
    TRY(const auto answer, client.taxii().get("/local/collections/" + c.id + "/objects/" + indicator + "/",
                                              "application/taxii+json;version=2.1"));
    if (answer.status != 200) continue;
    TRY(const json::Document doc, json::parse(answer.body));
    const auto objects = json::find_array(doc.root(), "objects");
    if (!objects) continue;
    for (const json::Value o : *objects) {
      if (json::find_bool(o, "revoked").value_or(false))
        return make_error(ErrorKind::kConflict, "this indicator is revoked", indicator, "leave it out");
      newest = std::max(newest, std::string(json::find_string(o, "modified").value_or("")));
    }
  }
  if (newest.empty())
    return make_error(ErrorKind::kNotFound, "this node does not hold the indicator", indicator,
                      "a party carries out only what it holds: publish it, or wait until it has come");
  return newest;
}

Result<Node> proposal(const Options& o, NodeClient& client, Time now) {
  Node measures = Node::array();
  size_t n = 0;
  for (const auto* list : {&o.drop, &o.count}) {
    for (const auto& indicator : *list) {
      TRY(const std::string version, version_of(client, indicator));
      Node m = Node::object();
      m.set("id", fmt::format("m{}", ++n)).set("indicator", indicator).set("version", version);
      measures.push(m.set("do", list == &o.drop ? "drop" : "count"));
    }
  }
  if (n == 0) return invalid("an action has a measure at least", {}, "give --drop INDICATOR or --count INDICATOR");
  TRY(const Time t0, moment(o.t0, now));
  TRY(const Period lasts, parse_period(o.lasts));
  Node body = Node::object();
  body.set("title", o.title).set("measures", std::move(measures)).set("t0", to_text(t0));
  body.set("until", to_text(add(t0, lasts)));
  if (o.need > 0) body.set("need", o.need);
  if (o.exercise) body.set("exercise", true);
  if (!o.reason.empty()) body.set("reason", o.reason);
  return body;
}

// The whole of an action that the node knows, by the beginning of its id.
Result<Node> action_of(NodeClient& client, const std::string& begins) {
  TRY(const json::Document board, client.get("/api/v1/joint"));
  const Node n = Node::from(board.root());
  std::vector<Node> found;
  if (const Node* list = n.find("actions"); list != nullptr && list->is_array())
    for (const Node& a : list->list())
      if (a.string_at("action").starts_with(begins)) found.push_back(a);
  if (found.empty())
    return make_error(ErrorKind::kNotFound, "no such joint action is known here", begins, "see 'entente joint list'");
  if (found.size() > 1)
    return make_error(ErrorKind::kConflict, "several actions begin like this", begins, "give more of its id");
  return std::move(found.front());
}

Result<int> step(Context& cx, const Options& o, const std::string& kind) {
  if (o.target.dir.empty()) return invalid("a step is signed with the keys of a node folder", {}, "give --dir DIR");
  TRY(const node::NodeConfig config, node::load_config(o.target.dir));
  TRY(NodeClient client, NodeClient::connect(o.target));
  SystemClock clock;
  agreement::Act a;
  a.kind = kind;
  a.party = config.party;
  a.effective_at = clock.now();
  if (kind == "joint_propose") {
    a.agreement_id = o.id.starts_with("urn:uuid:") ? o.id : "urn:uuid:" + o.id;
    TRY(a.body, proposal(o, client, a.effective_at));
  } else {
    TRY(const Node action, action_of(client, o.id));
    a.agreement_id = action.string_at("agreement_id");
    a.body = Node::object().set("action", action.string_at("action"));
    if (!o.measures.empty()) {
      Node list = Node::array();
      for (const auto& m : o.measures) list.push(m);
      a.body.set("measures", std::move(list));
    }
    if (!o.until.empty()) {
      TRY(const Time until, moment(o.until, a.effective_at));
      a.body.set("until", to_text(until));
    }
    if (!o.reason.empty()) a.body.set("reason", o.reason);
    if (!o.article.empty()) a.body.set("article", o.article);
    if (const Node* parties = action.find("parties"))
      if (const Node* me = parties->find(config.party)) a.prev_act = me->string_at("last_step");
  }
  const std::string named(a.body.string_at("action"));
  TRY(const std::string hash, sign_and_send(std::move(a), config, client, o.keys, o.secrets));
  const std::string action = kind == "joint_propose" ? hash : named;
  TRY(const Node now, action_of(client, action));
  if (cx.json) {
    std::puts(
        json::write(
            Node::object().set("act", hash).set("action", action).set("stage", std::string(now.string_at("stage"))))
            .c_str());
    return 0;
  }
  std::printf("%s by %s: done\njoint action %s is now %s\n", kind.c_str(), config.party.c_str(),
              action.substr(0, 16).c_str(), std::string(now.string_at("stage")).c_str());
  if (const Node* waiting = now.find("waiting_for"); waiting != nullptr && waiting->is_array())
    for (const Node& w : waiting->list()) std::printf("  waiting for: %s\n", w.string().c_str());
  return 0;
}

std::string number_at(const Node& n, std::string_view name) {
  const Node* v = n.find(name);
  return v != nullptr && v->is_int() ? grouped(static_cast<uint64_t>(v->integer())) : "";
}

Result<int> list(Context& cx, const Options& o) {
  TRY(NodeClient client, NodeClient::connect(o.target));
  TRY(const json::Document board, client.get("/api/v1/joint"));
  const Node n = Node::from(board.root());
  const Node* actions = n.find("actions");
  if (actions == nullptr || !actions->is_array()) return invalid("the node's answer has no list of actions");
  Table table({"action", "title", "lead", "stage", "T-0 (UTC)", "until (UTC)", "consented", "measures"});
  for (const Node& a : actions->list()) {
    const auto stage = a.string_at("stage");
    const bool past = stage == "over" || stage == "lapsed" || stage == "stood down";
    if (past && !o.all) continue;
    if (cx.json) {
      std::puts(json::write(a).c_str());
      continue;
    }
    size_t consented = 0, parties = 0;
    if (const Node* all = a.find("parties"))
      for (const auto& [code, p] : all->members()) {
        ++parties;
        if (p.string_at("answer") == "consented") ++consented;
      }
    const Node* measures = a.find("measures");
    table.row({std::string(a.string_at("action").substr(0, 12)),
               std::string(a.string_at("title")) + (flag_at(a, "exercise") ? " (EXERCISE)" : ""),
               std::string(a.string_at("lead")), std::string(stage), short_time(a.string_at("t0")),
               short_time(a.string_at("until")), fmt::format("{} of {}", consented, parties),
               grouped(measures == nullptr ? 0 : measures->list().size())});
  }
  if (cx.json) return 0;
  if (table.empty()) {
    std::puts(o.all ? "no joint action" : "no joint action is open (--all shows those that are past)");
  } else {
    table.print();
  }
  return 0;
}

Result<int> show(Context& cx, const Options& o) {
  TRY(NodeClient client, NodeClient::connect(o.target));
  TRY(const Node a, action_of(client, o.id));
  if (cx.json) {
    std::puts(json::write(a).c_str());
    return 0;
  }
  std::printf("joint action %s\n  \"%s\"%s, led by %s, %s\n", std::string(a.string_at("action")).c_str(),
              printable(a.string_at("title")).c_str(), flag_at(a, "exercise") ? " (EXERCISE: nothing is dropped)" : "",
              std::string(a.string_at("lead")).c_str(), std::string(a.string_at("stage")).c_str());
  std::printf("  agreement %s%s\n", std::string(a.string_at("agreement_id")).c_str(),
              a.string_at("article").empty() ? "" : fmt::format(", article {}", a.string_at("article")).c_str());
  std::printf("  T-0 %s UTC, until %s UTC, needs %s parties\n", short_time(a.string_at("t0")).c_str(),
              short_time(a.string_at("until")).c_str(), number_at(a, "need").c_str());
  if (const Node* waiting = a.find("waiting_for"); waiting != nullptr)
    for (const Node& w : waiting->list()) std::printf("  waiting for: %s\n", w.string().c_str());
  Table measures({"measure", "indicator", "version", "do"});
  if (const Node* all = a.find("measures"))
    for (const Node& m : all->list())
      measures.row({std::string(m.string_at("id")), std::string(m.string_at("indicator")),
                    std::string(m.string_at("version")), std::string(m.string_at("do"))});
  std::puts("");
  measures.print();
  Table parties({"party", "answer", "measures", "now", "dropping", "counting", "waiting", "refused", "hits",
                 "said (UTC)", "reason"});
  if (const Node* all = a.find("parties"))
    for (const auto& [code, p] : all->members()) {
      const Node none = Node::object();
      const Node& r = p.find("report") == nullptr ? none : *p.find("report");
      std::string names;
      if (const Node* m = p.find("measures"))
        for (const Node& id : m->list()) names += (names.empty() ? "" : " ") + id.string();
      const std::string now = !p.string_at("doubt").empty()        ? "not trusted"
                              : !p.string_at("stood_down").empty() ? "stood down"
                              : flag_at(p, "executing")            ? "executing"
                                                                   : "-";
      std::string why(p.string_at("reason"));
      if (const auto art = p.string_at("article"); !art.empty()) why += fmt::format(" ({})", art);
      if (const auto doubt = p.string_at("doubt"); !doubt.empty()) why = doubt;
      parties.row({code, std::string(p.string_at("answer")), names, now, number_at(r, "dropping"),
                   number_at(r, "counting"), number_at(r, "waiting"), number_at(r, "refused"), number_at(r, "hits"),
                   short_time(r.string_at("at")), printable(why)});
    }
  std::puts("");
  parties.print();
  print_refused_steps(a);
  return 0;
}

void add_signing(CLI::App& c, Options& o) {
  o.target.add_options(c);
  c.add_option("--key", o.keys,
               "sign with these: files, or pkcs11:… (default: keys in DIR/keys that the quorum needs)");
  o.secrets.add_options(c);
}

}  // namespace

void add_joint_commands(CLI::App& app, Context& cx) {
  auto* joint = app.add_subcommand("joint", "joint action: act together at T-0, each party under its own law");
  joint->require_subcommand(1);
  const auto add = [&](const char* name, const char* kind, const char* help, const auto& more) {
    auto o = std::make_shared<Options>();
    auto* c = joint->add_subcommand(name, help);
    c->add_option("ACTION", o->id, "id of the action, or how it begins")->required();
    more(*c, *o);
    add_signing(*c, *o);
    c->callback([&cx, o, kind = std::string(kind)] { finish(cx, step(cx, *o, kind)); });
  };
  auto o = std::make_shared<Options>();
  auto* c = joint->add_subcommand("propose", "propose measures to the other parties of an agreement, and lead them");
  c->add_option("AGREEMENT", o->id, "agreement id")->required();
  c->add_option("--title", o->title, "what it is about, in a few words")->required();
  c->add_option("--drop", o->drop, "indicator whose traffic is dropped (may be given often)");
  c->add_option("--count", o->count, "indicator whose traffic is only counted");
  c->add_option("--t0", o->t0, "when it begins: RFC 3339, or +PT30M from now")->required();
  c->add_option("--for", o->lasts, "how long, as PT6H or P2D")->required();
  c->add_option("--need", o->need, "how many parties must consent, this one among them (default: all)");
  c->add_flag("--exercise", o->exercise, "nothing is dropped: measures only count");
  c->add_option("--reason", o->reason, "why, for the record");
  add_signing(*c, *o);
  c->callback([&cx, o] { finish(cx, step(cx, *o, "joint_propose")); });
  add("consent", "joint_consent", "consent to it, or to a part of it; later only to less", [](CLI::App& a, Options& x) {
    a.add_option("--measure", x.measures, "only these measures")->delimiter(',');
    a.add_option("--until", x.until, "an end of one's own, sooner: RFC 3339, or +PT2H");
    a.add_option("--reason", x.reason, "why, for the record");
    a.add_option("--article", x.article, "the rule of one's own law");
  });
  add("decline", "joint_decline", "decline, with the reason", [](CLI::App& a, Options& x) {
    a.add_option("--reason", x.reason, "why; the other parties read it")->required();
    a.add_option("--article", x.article, "the rule of one's own law");
  });
  add("go", "joint_go", "the lead's word that it begins at T-0", [](CLI::App&, Options&) {});
  add("stand-down", "joint_stand_down", "end it: the lead for all, another party for itself",
      [](CLI::App& a, Options& x) { a.add_option("--reason", x.reason, "why, for the record"); });
  o = std::make_shared<Options>();
  c = joint->add_subcommand("list", "actions that are open");
  c->add_flag("--all", o->all, "those that are past too");
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, list(cx, *o)); });
  o = std::make_shared<Options>();
  c = joint->add_subcommand("show", "one action: measures, answers, and what each party's sensors say");
  c->add_option("ACTION", o->id, "id of the action, or how it begins")->required();
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, show(cx, *o)); });
}

}  // namespace entente::cli
