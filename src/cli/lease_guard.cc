// lease shadow|promote|batches|report|stats|dispute|disputes
#include <cstdio>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "cli/internal/lease.h"
#include "cli/internal/table.h"

namespace entente::cli {
namespace {

using json::Node;

std::string word(const json::Value& v, const char* name) {
  return printable(json::find_string(v, name).value_or(""), 300);
}
std::string count(const json::Value& v, const char* name) {
  return grouped(static_cast<uint64_t>(json::find_int(v, name).value_or(0)));
}
std::string party(const json::Value& v) {
  const std::string p = word(v, "partner");
  return p.empty() ? "own" : p;
}

// Each entry of the list as one JSON object per line, or as a row.
template <class Row>
Result<int> show(const Context& cx, const json::Document& doc, const char* member, Table t, const char* none, Row row) {
  if (const auto list = json::find_array(doc.root(), member)) {
    for (const json::Value v : *list) {
      if (cx.json) {
        std::puts(json::write(Node::from(v)).c_str());
      } else {
        t.row(row(v));
      }
    }
  }
  if (cx.json) return 0;
  if (t.empty()) {
    std::puts(none);
  } else {
    t.print();
  }
  return 0;
}

Result<int> shadow(Context& cx, const LeaseOptions& o, const char* cmd) {
  TRY(const json::Document doc, ask_sensor(o, Node::object().set("cmd", cmd)));
  const bool on = json::find_bool(doc.root(), "on").value_or(false);
  return show(
      cx, doc, "trials", Table({"run", "of", "targets", "since (UTC)", "state", "leases", "packets", "report"}),
      on ? "no shadow run: nothing has come that may block and has to count first (shadow_for in [guard])"
         : "no shadow runs: shadow_first is PT0S in [guard] of the sensor's configuration",
      [](const json::Value& v) -> std::vector<std::string> {
        std::string report = word(v, "report");
        if (const auto waits = word(v, "waits_for"); !waits.empty()) report += "; " + waits;
        std::string state = word(v, "state");
        if (const auto by = word(v, "promoted_by"); !by.empty()) state += " by " + by;
        if (const auto until = word(v, "limited_until"); !until.empty())
          state += ", short leases until " + until.substr(0, 19);
        return {
            word(v, "trial"),    party(v), word(v, "kind"), word(v, "since").substr(0, 19), state, count(v, "leases"),
            count(v, "packets"), report};
      });
}

Result<int> batches(Context& cx, const LeaseOptions& o) {
  TRY(const json::Document doc, ask_sensor(o, Node::object().set("cmd", "batches")));
  return show(cx, doc, "batches", Table({"batch", "indicators", "leases", "did harm", "lifted by"}),
              "nothing has arrived", [](const json::Value& v) -> std::vector<std::string> {
                return {word(v, "batch"), count(v, "indicators"), count(v, "leases"), count(v, "harmed"),
                        word(v, "rollback")};
              });
}

Result<int> stats(Context& cx, const LeaseOptions& o) {
  TRY(const json::Document doc, ask_sensor(o, Node::object().set("cmd", "stats")));
  return show(cx, doc, "sources",
              Table({"of", "made by", "leases", "in force", "stopped packets", "flows", "clients",
                     "only counted packets", "flows", "clients", "did harm", "withdrawn as false"}),
              "no lease so far", [](const json::Value& v) -> std::vector<std::string> {
                return {party(v),
                        word(v, "by"),
                        count(v, "granted"),
                        count(v, "in_force"),
                        count(v, "stopped_packets"),
                        count(v, "stopped_flows"),
                        count(v, "stopped_clients"),
                        count(v, "counted_packets"),
                        count(v, "counted_flows"),
                        count(v, "counted_clients"),
                        count(v, "harmed"),
                        count(v, "false_claims")};
              });
}

Result<int> report(Context& cx, const LeaseOptions& o) {
  TRY(const json::Document doc, ask_sensor(o, Node::object().set("cmd", "report")));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
    return 0;
  }
  const auto lease = json::find(doc.root(), "lease");
  std::printf("%s: %s is let through\n", o.lease.c_str(), lease ? word(*lease, "target").c_str() : "its target");
  if (const auto rollback = word(doc.root(), "rollback"); !rollback.empty())
    std::printf("%s\nall of it is lifted as %s; after you have examined it: entente lease resume %s\n",
                word(doc.root(), "reason").c_str(), rollback.c_str(), rollback.c_str());
  return 0;
}

Result<int> dispute(Context& cx, const LeaseOptions& o) {
  Node request = Node::object().set("cmd", "dispute");
  if (!o.drop.empty()) request.set("drop", o.drop);
  TRY(const json::Document doc, ask_sensor(o, std::move(request)));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
    return 0;
  }
  if (!o.drop.empty()) {
    std::puts("the dispute is over; the guard judges the indicator again");
    return 0;
  }
  const auto d = json::find(doc.root(), "dispute");
  std::printf("%s blocks nothing until %s has answered; see 'entente lease disputes'\n",
              d ? word(*d, "of").c_str() : "it", d ? word(*d, "originator").c_str() : "its originator");
  return 0;
}

Result<int> disputes(Context& cx, const LeaseOptions& o) {
  TRY(const json::Document doc, ask_sensor(o, Node::object().set("cmd", "disputes")));
  bool late = false;
  if (const auto list = json::find_array(doc.root(), "disputes")) {
    for (const json::Value v : *list) late = late || json::find_bool(v, "overdue").value_or(false);
  }
  TRY(const int shown,
      show(cx, doc, "disputes", Table({"indicator", "originator", "claimed (UTC)", "state", "due (UTC)", "what"}),
           "nothing is disputed", [](const json::Value& v) -> std::vector<std::string> {
             std::string state = word(v, "state");
             if (json::find_bool(v, "overdue").value_or(false)) state = "OVERDUE";
             return {word(v, "of"), word(v, "originator"),        word(v, "at").substr(0, 19),
                     state,         word(v, "due").substr(0, 19), word(v, "sentence")};
           }));
  return late ? 1 : shown;
}

}  // namespace

void add_lease_guard_commands(CLI::App& l, Context& cx, const std::shared_ptr<LeaseOptions>& o) {
  const auto add = [&](const char* name, const char* what) {
    CLI::App* c = l.add_subcommand(name, what);
    c->add_option("--state", o->state, "the sensor's state folder")->required();
    return c;
  };
  auto* c = add("shadow", "sources that only count so far, and what they would have stopped");
  c->callback([&cx, o] { finish(cx, shadow(cx, *o, "shadow")); });
  c = add("promote", "let a source that only counted block from now on");
  c->add_option("RUN", o->trial, "number, as in T1; see 'entente lease shadow'")->required();
  c->add_flag("--back", o->back, "the other way: it only counts again");
  c->callback([&cx, o] { finish(cx, shadow(cx, *o, "promote")); });
  c = add("batches", "what arrived together, and what became of it");
  c->callback([&cx, o] { finish(cx, batches(cx, *o)); });
  c = add("report", "a user cannot work because of a lease: lift it now, and its batch if more of it did harm");
  c->add_option("LEASE", o->lease, "number, as in L17")->required();
  c->add_option("--reason", o->reason, "what it breaks, for those who examine it")->required();
  c->callback([&cx, o] { finish(cx, report(cx, *o)); });
  c = add("stats", "what each partner's and feed's decisions really stopped");
  c->callback([&cx, o] { finish(cx, stats(cx, *o)); });
  c = add("dispute", "claim to the originator that an indicator is a false positive; it blocks nothing meanwhile");
  c->add_option("LEASE", o->lease, "number, as in L17");
  c->add_option("--indicator", o->indicator, "or the indicator");
  c->add_option("--reason", o->reason, "why it is false; its originator decides by it");
  c->add_option("--drop", o->drop,
                "end the dispute of this indicator: one that our node refused, or that was answered");
  c->callback([&cx, o] { finish(cx, dispute(cx, *o)); });
  c = add("disputes", "claims and what became of them; exit status 1 if one is overdue");
  c->callback([&cx, o] { finish(cx, disputes(cx, *o)); });
}

}  // namespace entente::cli
