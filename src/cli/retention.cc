// retention, handling: how long what partners gave is kept, and what may be done with it
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "json/node.h"

namespace entente::cli {
namespace {

using json::Node;

std::string text(const json::Value& v, const char* name) {
  return std::string(json::find_string(v, name).value_or(""));
}

// "confirmed 2026-11-30T10:00:00": what a statement waits for, or what came of it.
std::string standing(const json::Value& r) {
  const std::string state = text(r, "state"), lapses = text(r, "lapses").substr(0, 19);
  const std::string answered = text(r, "answered").substr(0, 19);
  const auto differs = static_cast<long long>(json::find_int(r, "differs").value_or(0));
  if (state == "waiting")
    return lapses.empty() ? "waits for the confirmation" : "waits for the confirmation until " + lapses;
  if (state == "overdue") return "OVERDUE: not confirmed by " + lapses + "; goes at the next run";
  if (state == "unconfirmed") return "destroyed without a confirmation, which was due " + lapses;
  if (state == "differs") return fmt::format("REFUSED {}: {} manifests of other octets", answered, differs);
  return (state == "destroyed" ? "destroyed; confirmed " : "confirmed ") + answered;
}

// What was handed back, by whom, and how far it is; how many there are.
size_t show_returns(Context& cx, const json::Document& doc) {
  const auto list = json::find_array(doc.root(), "returns");
  Table t({"handed back (UTC)", "by", "to", "objects", "destroyed", "state"});
  size_t n = 0;
  for (const json::Value r : list.value_or(json::Array())) {
    ++n;
    if (cx.json) {
      std::puts(json::write(Node::from(r)).c_str());
      continue;
    }
    t.row({text(r, "at").substr(0, 19), text(r, "by"), text(r, "to"),
           std::to_string(json::find_int(r, "objects").value_or(0)),
           std::to_string(json::find_int(r, "destroyed").value_or(0)), standing(r)});
  }
  if (!cx.json && n > 0) t.print();
  return n;
}

Result<int> show_list(Context& cx, const json::Document& doc, bool over) {
  const auto list = json::find_array(doc.root(), "objects");
  Table t({"object", "from", "tlp", "received (UTC)", "kept until (UTC)", "why", "article", "held by"});
  for (const json::Value o : list.value_or(json::Array())) {
    if (cx.json) {
      std::puts(json::write(Node::from(o)).c_str());
      continue;
    }
    t.row({text(o, "id"), text(o, "from"), text(o, "tlp"), text(o, "received").substr(0, 19),
           text(o, "until").substr(0, 19), text(o, "why"), text(o, "article"), text(o, "hold")});
  }
  const size_t returned = show_returns(cx, doc);
  if (cx.json) return 0;
  if (t.empty()) {
    if (returned > 0) std::puts("");
    std::puts(over ? "Nothing is over its term." : "Nothing that partners gave has a term.");
    return 0;
  }
  if (returned > 0) std::puts("");
  t.print();
  if (json::find_bool(doc.root(), "more").value_or(false)) std::puts("… the first thousand");
  return 0;
}

Result<int> retention_list(Context& cx, const Target& target, bool over) {
  TRY(NodeClient node, NodeClient::connect(target));
  TRY(const json::Document doc, node.get(over ? "/api/v1/retention?over=1" : "/api/v1/retention"));
  return show_list(cx, doc, over);
}

Result<int> retention_run(Context& cx, const Target& target, bool dry) {
  TRY(NodeClient node, NodeClient::connect(target));
  TRY(const json::Document doc,
      node.post("/api/v1/retention/run", dry ? R"({"destroy":false})" : R"({"destroy":true})"));
  if (dry) return show_list(cx, doc, true);
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
    return 0;
  }
  const auto n = [&](const char* name) { return static_cast<long long>(json::find_int(doc.root(), name).value_or(0)); };
  if (n("handed_back") + n("waiting") > 0)
    std::printf("%lld objects handed back to their originators; %lld that were wait for its confirmation\n",
                n("handed_back"), n("waiting"));
  std::printf("%lld objects destroyed, %lld held; %lld manifests that named nothing else; %lld signed receipts\n",
              n("destroyed"), n("held"), n("manifests"), n("receipts"));
  return 0;
}

std::string permission(const json::Value& of, const char* name) {
  const auto p = json::find(of, name);
  if (!p) return {};
  const bool yes = json::find_bool(*p, "allowed").value_or(false);
  return fmt::format("{}: {}", yes ? "yes" : "NO", text(*p, "why"));
}

// Exit status 0: a machine may block on it, from at least one source.
Result<int> handling(Context& cx, const Target& target, const std::string& id) {
  TRY(NodeClient node, NodeClient::connect(target));
  TRY(const json::Document doc, node.get("/api/v1/handling?id=" + id));
  if (cx.json) std::puts(json::write(Node::from(doc.root())).c_str());
  bool any = false;
  const auto list = json::find_array(doc.root(), "received");
  for (const json::Value h : list.value_or(json::Array())) {
    if (const auto b = json::find(h, "block")) any = any || json::find_bool(*b, "allowed").value_or(false);
    if (cx.json) continue;
    const auto or_none = [&](const char* name) { return text(h, name).empty() ? "none" : text(h, name); };
    Table t({"", fmt::format("from {} under article {}", text(h, "from"), or_none("article"))});
    t.row({"TLP", fmt::format("{} (marked {})", text(h, "tlp"), or_none("marked_tlp"))});
    t.row({"PAP", fmt::format("{} (marked {})", text(h, "pap"), or_none("marked_pap"))});
    t.row({"monitor", permission(h, "monitor")});
    t.row({"block", permission(h, "block")});
    if (const auto keep = json::find(h, "keep")) {
      const std::string until = text(*keep, "until").substr(0, 10), hold = text(*keep, "hold");
      t.row({"keep", (until.empty() ? "no term" : "until " + until + ": " + text(*keep, "why")) +
                         (hold.empty() ? "" : "; kept by a " + hold)});
    }
    t.print();
  }
  return any ? 0 : 1;
}

}  // namespace

void add_retention_commands(CLI::App& app, Context& cx) {
  auto target = std::make_shared<Target>();
  auto flag = std::make_shared<bool>(false);
  auto* r = app.add_subcommand("retention", "how long what partners gave is kept, and its destruction");
  r->require_subcommand(1);
  auto* c = r->add_subcommand("list", "what goes when, and under which article");
  c->add_flag("--over", *flag, "only what is over its term, held or not");
  target->add_options(*c);
  c->callback([&cx, target, flag] { finish(cx, retention_list(cx, *target, *flag)); });
  c = r->add_subcommand("run", "destroy now what is over its term (a node does so each hour), with signed receipts");
  c->add_flag("--dry-run", *flag, "destroy nothing: show what would go");
  target->add_options(*c);
  c->callback([&cx, target, flag] { finish(cx, retention_run(cx, *target, *flag)); });

  auto id = std::make_shared<std::string>();
  c = app.add_subcommand("handling",
                         "what may be done with an object that a partner gave: marks, floor and manifest together");
  c->add_option("ID", *id, "STIX id")->required();
  target->add_options(*c);
  c->callback([&cx, target, id] { finish(cx, handling(cx, *target, *id)); });
}

}  // namespace entente::cli
