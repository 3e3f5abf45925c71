// sensor run|example, lease list|why|lift|approve|rollback|rollbacks|resume (lease_guard.cc has the others)
#include "sensor/sensor.h"

#include <csignal>
#include <cstdio>
#include <memory>
#include <stop_token>
#include <thread>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/internal/commands.h"
#include "cli/internal/lease.h"
#include "cli/internal/node_client.h"
#include "cli/internal/recall.h"
#include "cli/internal/table.h"
#include "json/node.h"
#include "net/supervisor.h"
#include "sensor/config.h"
#include "sensor/control.h"

namespace entente::cli {

Result<json::Document> ask_sensor(const LeaseOptions& o, json::Node request) {
  const auto put = [&](const char* name, const std::string& value) {
    if (!value.empty()) request.set(name, value);
  };
  put("lease", o.lease);
  put("indicator", o.indicator);
  put("target", o.target);
  put("partner", o.partner);
  put("agreement", o.agreement);
  put("since", o.since);
  put("until", o.until);
  put("reason", o.reason);
  put("rollback", o.rollback);
  put("batch", o.batch);
  put("trial", o.trial);
  put("as", o.as);
  if (o.yes) request.set("yes", true);
  if (o.all) request.set("all", true);
  if (o.back) request.set("back", true);
  auto answer = sensor::control(o.state + "/control.sock", json::write(request));
  if (!answer.ok())
    return answer.error().kind == ErrorKind::kUnavailable
               ? answer.error().at("is a sensor running with this state folder?")
               : answer.error();
  TRY(json::Document doc, json::parse(*answer));
  if (!json::find_bool(doc.root(), "ok").value_or(false)) {
    const auto text = [&](const char* name) { return std::string(json::find_string(doc.root(), name).value_or("")); };
    return make_error(text("kind") == "not-found" ? ErrorKind::kNotFound : ErrorKind::kInvalid, text("what"),
                      text("where"), text("remedy"));
  }
  return doc;
}

namespace {

using json::Node;

Result<int> run_sensor(const std::string& file) {
  TRY(const sensor::SensorConfig config, sensor::load_sensor_config(file));
  sigset_t set;
  sigemptyset(&set);
  for (const int sig : {SIGTERM, SIGINT}) sigaddset(&set, sig);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);  // before any thread is made, so that all inherit it
  std::stop_source stop;
  std::jthread waiter([&](const std::stop_token& done) {
    const timespec tick{0, 100'000'000};
    while (!done.stop_requested()) {
      if (sigtimedwait(&set, nullptr, &tick) > 0) {
        stop.request_stop();
        return;
      }
    }
  });
  auto supervisor = net::Supervisor::from_environment();
  const Status s = sensor::run_sensor(config, stop.get_token(), supervisor);
  waiter.request_stop();
  if (!s.ok()) return s.error();
  return 0;
}

// A table of leases, or one JSON object per line.
void show_leases(const Context& cx, const std::optional<json::Array>& list) {
  Table t({"lease", "target", "state", "from", "ends (UTC)", "packets", "indicator", "why"});
  if (list) {
    for (const json::Value v : *list) {
      if (cx.json) {
        std::puts(json::write(Node::from(v)).c_str());
        continue;
      }
      const auto text = [&](const char* name) { return printable(json::find_string(v, name).value_or(""), 300); };
      std::string why = text("code");
      if (const auto sentence = text("sentence"); !sentence.empty()) why += (why.empty() ? "" : ": ") + sentence;
      for (const char* more : {"effect", "trial_report", "trial_waits_for", "dispute"})
        if (const auto words = text(more); !words.empty()) why += "; " + words;
      if (const auto ended = text("ended_by"); !ended.empty()) why += (why.empty() ? "ended: " : "; ended: ") + ended;
      t.row({text("lease"), text("target"), text("state"), text("partner"), text("end"),
             grouped(static_cast<uint64_t>(json::find_int(v, "hits").value_or(0))), text("indicator"), why});
    }
  }
  if (cx.json) return;
  if (t.empty()) {
    std::puts("no lease");
  } else {
    t.print();
  }
}

Result<int> leases(Context& cx, const LeaseOptions& o, const char* cmd, const char* member) {
  Node request = Node::object();
  request.set("cmd", cmd);
  TRY(const json::Document doc, ask_sensor(o, std::move(request)));
  show_leases(cx, json::find_array(doc.root(), member));
  if (!cx.json) {
    if (const auto p = json::find_string(doc.root(), "protected"))
      std::printf("protected by %s\n", std::string(*p).c_str());
  }
  return 0;
}

Result<int> approve(Context& cx, const LeaseOptions& o) {
  TRY(const json::Document doc, ask_sensor(o, Node::object().set("cmd", "approve")));
  const auto lease = json::find(doc.root(), "lease");
  if (!lease) return invalid("the sensor's answer cannot be read");
  if (cx.json) {
    std::puts(json::write(Node::from(*lease)).c_str());
  } else {
    const auto text = [&](const char* name) { return printable(json::find_string(*lease, name).value_or(""), 300); };
    std::printf("%s: %s is now %s until %s\n", text("lease").c_str(), text("target").c_str(), text("state").c_str(),
                text("end").c_str());
  }
  return 0;
}

Result<int> rollback(Context& cx, const LeaseOptions& o) {
  TRY(const json::Document doc, ask_sensor(o, Node::object().set("cmd", "rollback")));
  const auto indicators = json::find_int(doc.root(), "indicators").value_or(0);
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
    return 0;
  }
  show_leases(cx, json::find_array(doc.root(), "leases"));
  if (!json::find_bool(doc.root(), "done").value_or(false)) {
    std::printf(
        "%s indicators arrived then. Nothing was changed: with --yes these leases end, and those indicators block "
        "nothing more.\n",
        grouped(static_cast<uint64_t>(indicators)).c_str());
    return 0;
  }
  const std::string name(json::find_string(doc.root(), "rollback").value_or(""));
  std::printf("%s: %s indicators block nothing more; 'entente lease resume %s' takes that back\n", name.c_str(),
              grouped(static_cast<uint64_t>(indicators)).c_str(), name.c_str());
  if (!json::find_bool(doc.root(), "applied").value_or(false))
    return make_error(ErrorKind::kUnavailable, "the enforcer does not answer and may still hold the blocks",
                      std::string(json::find_string(doc.root(), "error").value_or("")),
                      "they end at their time at the latest; see 'entente lease list'");
  return 0;
}

Result<int> rollbacks(Context& cx, const LeaseOptions& o) {
  TRY(const json::Document doc, ask_sensor(o, Node::object().set("cmd", "rollbacks")));
  Table t({"rollback", "of", "arrived from (UTC)", "to (UTC)", "indicators", "reason"});
  if (const auto list = json::find_array(doc.root(), "rollbacks")) {
    for (const json::Value v : *list) {
      if (cx.json) {
        std::puts(json::write(Node::from(v)).c_str());
        continue;
      }
      const auto text = [&](const char* name) { return printable(json::find_string(v, name).value_or(""), 300); };
      t.row({text("rollback"),
             text("partner").empty()  ? "own"
             : text("partner") == "*" ? "everybody"
                                      : text("partner"),
             text("since"), text("until"), grouped(static_cast<uint64_t>(json::find_int(v, "indicators").value_or(0))),
             text("reason")});
    }
  }
  if (cx.json) return 0;
  if (t.empty()) {
    std::puts("nothing is rolled back");
  } else {
    t.print();
  }
  return 0;
}

Result<int> resume(Context& cx, const LeaseOptions& o) {
  TRY(const json::Document doc, ask_sensor(o, Node::object().set("cmd", "resume")));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
  } else {
    std::printf("%s is taken back: its indicators are judged by the guard again\n", o.rollback.c_str());
  }
  return 0;
}

// announce, withdraw: one lease at routers, or not any more.
Result<int> announce(Context& cx, const LeaseOptions& o, const char* cmd) {
  TRY(const json::Document doc, ask_sensor(o, Node::object().set("cmd", cmd)));
  const auto one = json::find(doc.root(), "announcement"), bgp = json::find(doc.root(), "bgp");
  if (!one || !bgp) return invalid("the sensor's answer cannot be read");
  if (cx.json) {
    std::puts(json::write(Node::from(*one)).c_str());
    return 0;
  }
  const auto text = [&](const char* name) { return printable(json::find_string(*one, name).value_or(""), 300); };
  if (std::string_view(cmd) == "withdraw") {
    std::printf("%s is withdrawn from the routers; the lease %s stays\n", text("target").c_str(),
                text("lease").c_str());
    return 0;
  }
  std::printf("%s goes to %s as %s until its lease %s ends; %lld of %lld rules are in use\n", text("target").c_str(),
              printable(json::find_string(*bgp, "peer").value_or("")).c_str(), text("as").c_str(),
              text("lease").c_str(), static_cast<long long>(json::find_int(*bgp, "rules").value_or(0)),
              static_cast<long long>(json::find_int(*bgp, "max_rules").value_or(0)));
  if (!json::find_bool(*bgp, "established").value_or(false))
    std::fprintf(stderr, "entente: no session with the router now (%s): it is announced as soon as there is one\n",
                 printable(json::find_string(*bgp, "error").value_or("connecting"), 300).c_str());
  return 0;
}

Result<int> announced(Context& cx, const LeaseOptions& o) {
  TRY(const json::Document doc, ask_sensor(o, Node::object().set("cmd", "announced")));
  Table t({"lease", "target", "as", "from", "ends (UTC)", "approved (UTC)", "reason"});
  if (const auto list = json::find_array(doc.root(), "announced")) {
    for (const json::Value v : *list) {
      if (cx.json) {
        std::puts(json::write(Node::from(v)).c_str());
        continue;
      }
      const auto text = [&](const char* name) { return printable(json::find_string(v, name).value_or(""), 300); };
      t.row({text("lease"), text("target"), text("as"), text("partner").empty() ? "own" : text("partner"), text("end"),
             text("approved"), text("reason")});
    }
  }
  if (cx.json) return 0;
  if (t.empty()) {
    std::puts("nothing is announced");
  } else {
    t.print();
  }
  if (const auto bgp = json::find(doc.root(), "bgp")) {
    const bool up = json::find_bool(*bgp, "established").value_or(false);
    std::printf(
        "%s: %s\n", printable(json::find_string(*bgp, "peer").value_or("")).c_str(),
        up ? "session established"
           : ("no session: " + printable(json::find_string(*bgp, "error").value_or("connecting"), 300)).c_str());
  }
  return 0;
}

}  // namespace

void add_sensor_commands(CLI::App& app, Context& cx) {
  auto* s = app.add_subcommand("sensor", "read traffic, match, guard, hold leases, tell the node");
  s->require_subcommand(1);
  auto file = std::make_shared<std::string>();
  auto* c = s->add_subcommand("run", "run a sensor until SIGTERM or ctrl-C");
  c->add_option("--config", *file, "TOML file; see 'entente sensor example'")->required();
  c->callback([&cx, file] {
    const Result<int> ended = run_sensor(*file);
    finish(cx, ended);
    if (!ended.ok()) cx.status = 2;  // nothing was asked that "no" would answer
  });
  c = s->add_subcommand("example", "print a commented configuration with every setting");
  c->callback([&cx] {
    std::fputs(sensor::sensor_config_example().c_str(), stdout);
    cx.status = 0;
  });

  auto target = std::make_shared<Target>();
  c = s->add_subcommand("list", "the sensors that report to a node, and when each was heard of last");
  target->add_options(*c);
  c->callback([&cx, target] { finish(cx, sensor_list(cx, *target)); });
  auto gone = std::make_shared<std::string>();
  c = s->add_subcommand("forget", "take out a sensor that is gone for good: recalls wait for it until then");
  c->add_option("NAME", *gone, "as 'entente sensor list' names it")->required();
  target->add_options(*c);
  c->callback([&cx, target, gone] { finish(cx, sensor_forget(cx, *target, *gone)); });

  auto* l = app.add_subcommand("lease", "blocks in force: what, why, until when");
  l->require_subcommand(1);
  auto o = std::make_shared<LeaseOptions>();
  const auto which = [o](CLI::App* command) {
    command->add_option("--state", o->state, "the sensor's state folder")->required();
    command->add_option("--indicator", o->indicator, "of this indicator");
    command->add_option("--target", o->target, "of this address, block or name");
    command->add_option("--from", o->partner, "of this partner");
    command->add_option("--agreement", o->agreement, "under this agreement");
  };
  c = l->add_subcommand("list", "leases in force");
  c->add_option("--state", o->state, "the sensor's state folder")->required();
  c->add_flag("--all", o->all, "ended ones too");
  c->callback([&cx, o] { finish(cx, leases(cx, *o, "leases", "leases")); });
  c = l->add_subcommand("lift", "end leases now: one, an indicator's, a partner's since a time");
  which(c);
  c->add_option("LEASE", o->lease, "number, as in L17");
  c->add_option("--since", o->since, "granted since this time (RFC 3339)");
  c->callback([&cx, o] { finish(cx, leases(cx, *o, "lift", "lifted")); });
  c = l->add_subcommand("approve", "let a lease that waits for a person come into force");
  c->add_option("LEASE", o->lease, "number, as in L17")->required();
  c->add_option("--state", o->state, "the sensor's state folder")->required();
  c->callback([&cx, o] { finish(cx, approve(cx, *o)); });
  c = l->add_subcommand("announce", "let routers drop what this lease is on, by BGP, until it ends");
  c->add_option("LEASE", o->lease, "number, as in L17")->required();
  c->add_option("--state", o->state, "the sensor's state folder")->required();
  c->add_option("--as", o->as,
                "rtbh: a black hole for all that goes to it; flowspec: discard what goes to or comes from it")
      ->required()
      ->check(CLI::IsMember({"rtbh", "flowspec"}));
  c->add_option("--reason", o->reason, "for those who ask why")->required();
  c->callback([&cx, o] { finish(cx, announce(cx, *o, "announce")); });
  c = l->add_subcommand("withdraw", "take a lease from the routers again; it stays in force here");
  c->add_option("LEASE", o->lease, "number, as in L17")->required();
  c->add_option("--state", o->state, "the sensor's state folder")->required();
  c->callback([&cx, o] { finish(cx, announce(cx, *o, "withdraw")); });
  c = l->add_subcommand("announced", "what routers were given");
  c->add_option("--state", o->state, "the sensor's state folder")->required();
  c->callback([&cx, o] { finish(cx, announced(cx, *o)); });
  c = l->add_subcommand(
      "rollback", "take back a batch, or what came from a partner in a span of time: first shown, done with --yes");
  c->add_option("--state", o->state, "the sensor's state folder")->required();
  c->add_option("--from", o->partner, "the partner, as in JP; own = this party's");
  c->add_option("--since", o->since, "what arrived, and was granted, since this time (RFC 3339)");
  c->add_option("--batch", o->batch, "instead: what arrived together; see 'entente lease batches'");
  c->add_option("--until", o->until, "and up to this one; now if left out");
  c->add_option("--reason", o->reason, "for those who ask why");
  c->add_flag("--yes", o->yes, "do it");
  c->callback([&cx, o] { finish(cx, rollback(cx, *o)); });
  c = l->add_subcommand("rollbacks", "what is rolled back");
  c->add_option("--state", o->state, "the sensor's state folder")->required();
  c->callback([&cx, o] { finish(cx, rollbacks(cx, *o)); });
  c = l->add_subcommand("resume", "end a rollback: its indicators may block again");
  c->add_option("ROLLBACK", o->rollback, "number, as in R1")->required();
  c->add_option("--state", o->state, "the sensor's state folder")->required();
  c->callback([&cx, o] { finish(cx, resume(cx, *o)); });
  c = l->add_subcommand("why", "the verdict behind a lease, or the list that protects a target");
  which(c);
  c->add_option("LEASE", o->lease, "number, as in L17");
  c->callback([&cx, o] { finish(cx, leases(cx, *o, "why", "leases")); });
  add_lease_guard_commands(*l, cx, o);
}

}  // namespace entente::cli
