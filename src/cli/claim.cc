// claim list|make|answer
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "json/node.h"

namespace entente::cli {
namespace {

using json::Node;

struct ClaimOptions {
  std::string id, agreement, reason;
  bool open = false, withdraw = false, uphold = false;
};

std::string word(const json::Value& v, const char* name) {
  return printable(json::find_string(v, name).value_or(""), 300);
}

Result<int> list(Context& cx, const Target& target, const ClaimOptions& o) {
  TRY(NodeClient node, NodeClient::connect(target));
  TRY(const json::Document doc, node.get("/api/v1/claims"));
  const std::string me = word(doc.root(), "me");
  Table t({"claim", "by", "to", "indicator", "reason", "state", "due (UTC)", "answer, or what it waits for"});
  bool late = false;
  if (const auto claims = json::find_array(doc.root(), "claims")) {
    for (const json::Value v : *claims) {
      const bool open = word(v, "state") == "pending";
      if (o.open && !open) continue;
      const bool overdue = json::find_bool(v, "overdue").value_or(false);
      late = late || overdue;
      if (cx.json) {
        std::puts(json::write(Node::from(v)).c_str());
        continue;
      }
      std::string state = overdue ? "OVERDUE" : word(v, "state");
      if (open && word(v, "claimant") == me && word(v, "sent").empty()) state = "not sent yet";
      if (!open && !word(v, "waits_for").empty()) state += ", not sent yet";
      std::string due = word(v, "due").substr(0, 19);
      if (due.empty() && open) due = "no time set";
      t.row({word(v, "claim"), word(v, "claimant"), word(v, "originator"), word(v, "of"), word(v, "reason"), state, due,
             word(v, "waits_for").empty() ? word(v, "why") : word(v, "waits_for")});
    }
  }
  if (!cx.json) {
    if (t.empty()) {
      std::puts("no claim");
    } else {
      t.print();
    }
  }
  return late ? 1 : 0;
}

Result<int> make(Context& cx, const Target& target, const ClaimOptions& o) {
  TRY(NodeClient node, NodeClient::connect(target));
  Node n = Node::object();
  n.set("of", o.id).set("reason", o.reason);
  if (!o.agreement.empty()) n.set("agreement", o.agreement);
  TRY(const json::Document doc, node.post("/api/v1/claims", json::write(n)));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
  } else {
    std::printf("%s: goes to %s; our sensors do not block on it until it is answered\n",
                word(doc.root(), "claim").c_str(), word(doc.root(), "originator").c_str());
  }
  return 0;
}

Result<int> answer(Context& cx, const Target& target, const ClaimOptions& o) {
  if (o.withdraw == o.uphold)
    return invalid("is it false or does it stand?", o.id,
                   "give --withdraw (it is false: the indicator is recalled) or --uphold --reason TEXT (it stands)");
  TRY(NodeClient node, NodeClient::connect(target));
  Node n = Node::object();
  n.set("claim", o.id).set("answer", o.withdraw ? "withdrawn" : "upheld").set("reason", o.reason);
  TRY(const json::Document doc, node.post("/api/v1/claims/answer", json::write(n)));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
  } else if (o.withdraw) {
    std::printf("withdrawn: %s is recalled from everybody who had it, and %s is told\n", word(doc.root(), "of").c_str(),
                word(doc.root(), "claimant").c_str());
  } else {
    std::printf("upheld: %s stands, and %s is told why\n", word(doc.root(), "of").c_str(),
                word(doc.root(), "claimant").c_str());
  }
  return 0;
}

}  // namespace

void add_claim_commands(CLI::App& app, Context& cx) {
  auto* claims = app.add_subcommand("claim", "false-positive claims: to partners and from them, and their answers");
  claims->require_subcommand(1);
  auto o = std::make_shared<ClaimOptions>();
  auto target = std::make_shared<Target>();
  auto* c = claims->add_subcommand("list", "claims and their clock; exit status 1 if one is overdue");
  target->add_options(*c);
  c->add_flag("--open", o->open, "only those that wait for an answer");
  c->callback([&cx, o, target] { finish(cx, list(cx, *target, *o)); });
  c = claims->add_subcommand("make", "tell a partner that its indicator hits what is lawful here");
  target->add_options(*c);
  c->add_option("INDICATOR", o->id, "id of the partner's indicator")->required();
  c->add_option("--reason", o->reason, "why it is false; its originator decides by it")->required();
  c->add_option("--agreement", o->agreement, "if it came under several");
  c->callback([&cx, o, target] { finish(cx, make(cx, *target, *o)); });
  c = claims->add_subcommand("answer", "answer a partner's claim about our indicator");
  target->add_options(*c);
  c->add_option("CLAIM", o->id, "id of the claim; see 'entente claim list'")->required();
  c->add_flag("--withdraw", o->withdraw, "it is false: the indicator is recalled in the same step");
  c->add_flag("--uphold", o->uphold, "it stands; give a reason");
  c->add_option("--reason", o->reason, "for the claimant");
  c->callback([&cx, o, target] { finish(cx, answer(cx, *target, *o)); });
}

}  // namespace entente::cli
