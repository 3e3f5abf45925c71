// init, node run|status|check
#include "json/node.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "base/time.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "node/check.h"
#include "node/init.h"
#include "node/run.h"

namespace entente::cli {
namespace {

Result<int> init(Context& cx, const node::InitOptions& o) {
  SystemClock clock;
  TRY(const node::InitResult r, node::init_node(o, clock));
  if (cx.json) {
    json::Node n = json::Node::object();
    n.set("dir", r.dir)
        .set("party", r.party)
        .set("url", r.url)
        .set("spki", r.spki)
        .set("admin_token_file", r.admin_token_file)
        .set("party_file", r.party_file);
    std::puts(json::write(n).c_str());
    return 0;
  }
  std::printf("A node for %s is in %s.\n\n", r.party.c_str(), r.dir.c_str());
  Table t({"what", "where"});
  t.row({"address", r.url});
  t.row({"TLS key to give partners (spki)", r.spki});
  t.row({"access token (admin)", r.admin_token_file});
  t.row({"party block for agreements", r.party_file});
  t.row({"keys, mode 0600", r.dir + "/keys/"});
  t.print();
  std::printf(
      "\nMove keys/plenipotentiary.pem off this machine before you sign anything real. Next: entente node run --dir "
      "%s\n",
      r.dir.c_str());
  return 0;
}

Result<int> status(Context& cx, const Target& target) {
  TRY(NodeClient client, NodeClient::connect(target));
  TRY(const json::Document doc, client.get("/api/v1/status"));
  const auto root = doc.root();
  if (cx.json) {
    std::puts(json::write(json::Node::from(root)).c_str());
    return 0;
  }
  const auto text = [](const json::Value& v, const char* name) {
    return std::string(json::find_string(v, name).value_or(""));
  };
  const auto number = [](const json::Value& v, const char* name) {
    return grouped(static_cast<uint64_t>(json::find_int(v, name).value_or(0)));
  };
  std::printf("%s, %s, entente %s; %s UTC\n\n", text(root, "party").c_str(), text(root, "name").c_str(),
              text(root, "version").c_str(), text(root, "time").c_str());
  Table objects({"collection", "objects"});
  if (const auto o = json::find_object(root, "objects")) {
    for (const auto m : *o) {
      uint64_t n = 0;
      if (m.value.get_uint64().get(n) == simdjson::SUCCESS) objects.row({std::string(m.key), grouped(n)});
    }
  }
  objects.print();
  Table agreements({"agreement", "state", "since", "waiting for"});
  if (const auto list = json::find_array(root, "agreements")) {
    for (const json::Value a : *list) {
      std::string waiting;
      for (const auto w : json::string_list(json::find_array(a, "waiting_for")))
        waiting += (waiting.empty() ? "" : "; ") + std::string(w);
      agreements.row({text(a, "agreement_id"), text(a, "state"), text(a, "start"), waiting});
    }
  }
  if (!agreements.empty()) {
    std::puts("");
    agreements.print();
  }
  Table release({"released to", "released", "redacted", "withheld", "pending", "receipts", "withheld or redacted for"});
  if (const auto list = json::find_array(root, "release")) {
    for (const json::Value r : *list) {
      std::string reasons;
      if (const auto o = json::find_object(r, "reasons")) {
        for (const auto m : *o) {
          uint64_t n = 0;
          if (m.value.get_uint64().get(n) == simdjson::SUCCESS)
            reasons += (reasons.empty() ? "" : ", ") + std::string(m.key) + " " + grouped(n);
        }
      }
      release.row({text(r, "to"), number(r, "released"), number(r, "redacted"), number(r, "withheld"),
                   number(r, "pending"), number(r, "receipts"), reasons});
    }
  }
  if (!release.empty()) {
    std::puts("");
    release.print();
  }
  Table peers({"partner", "connected", "last pull (UTC)", "received", "refused", "last error"});
  if (const auto list = json::find_array(root, "peers")) {
    for (const json::Value p : *list) {
      peers.row({text(p, "party"), json::find_bool(p, "connected").value_or(false) ? "yes" : "no", text(p, "last_pull"),
                 number(p, "received"), number(p, "refused"), text(p, "last_error")});
    }
  }
  if (!peers.empty()) {
    std::puts("");
    peers.print();
  }
  Table ledgers({"ledger of", "entries", "cosigned", "partner", "partner's entries", "leaves proved", "conflict"});
  if (const auto list = json::find_array(root, "ledger")) {
    for (const json::Value l : *list) {
      std::string cosigned;
      if (const auto w = json::find(l, "witnesses")) {
        cosigned = number(*w, "cosigned");
        if (json::find_bool(*w, "overdue").value_or(false)) cosigned += " OVERDUE";
      }
      if (const auto mirrors = json::find_object(l, "mirror")) {
        for (const auto m : *mirrors) {
          const json::Value v = m.value;
          ledgers.row({text(l, "agreement_id"), number(l, "entries"), cosigned, std::string(m.key),
                       number(v, "entries"), number(v, "verified"),
                       json::find_bool(v, "conflict").value_or(false) ? "YES" : "no"});
        }
      }
    }
  }
  if (!ledgers.empty()) {
    std::puts("");
    ledgers.print();
  }
  if (const auto list = json::find_array(root, "duties")) {
    for (const json::Value d : *list) {
      if (json::find_int(d, "overdue").value_or(0) + json::find_int(d, "partner_overdue").value_or(0) +
              json::find_int(d, "soon").value_or(0) ==
          0)
        continue;
      std::printf(
          "\nduties towards %s: %s overdue, %s due within two hours; of the partner %s overdue (entente duty list)\n",
          text(d, "partner").c_str(), number(d, "overdue").c_str(), number(d, "soon").c_str(),
          number(d, "partner_overdue").c_str());
    }
  }
  return 0;
}

Result<int> check(Context& cx, const std::string& dir) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  auto r = node::check_node(dir, [&](uint64_t done, uint64_t of) {
    if (terminal && of > 0)
      std::fprintf(stderr, "\rchecking the log: %s of %s records", grouped(done).c_str(), grouped(of).c_str());
  });
  if (terminal) std::fputs("\n", stderr);
  if (!r.ok()) return std::move(r).error();
  if (cx.json) {
    json::Node n = json::Node::object();
    json::Node findings = json::Node::array();
    for (const auto& f : r->findings) findings.push(f);
    n.set("records", r->records)
        .set("ledgers", r->ledgers)
        .set("leaves", r->leaves)
        .set("ok", r->findings.empty())
        .set("findings", std::move(findings));
    std::puts(json::write(n).c_str());
  } else {
    std::printf("%s records replayed and compared; %s ledgers with %s leaves checked: %s\n",
                grouped(r->records).c_str(), grouped(r->ledgers).c_str(), grouped(r->leaves).c_str(),
                r->findings.empty() ? "all is well" : "PROBLEMS FOUND");
    for (const auto& f : r->findings) std::printf("  %s\n", f.c_str());
  }
  return r->findings.empty() ? 0 : 1;
}

}  // namespace

void add_node_commands(CLI::App& app, Context& cx) {
  auto options = std::make_shared<node::InitOptions>();
  auto* c = app.add_subcommand("init", "make a node folder: config, keys, certificate, first token");
  c->add_option("DIR", options->dir, "folder to make")->required();
  c->add_option("--party", options->party, "two capital letters, as in agreements")->required();
  c->add_option("--name", options->name, "name of the node's owner")->required();
  c->add_option("--listen", options->listen, "address and port")->capture_default_str();
  c->add_option("--alt-name", options->alt_names, "further names or addresses for the certificate");
  c->callback([&cx, options] { finish(cx, init(cx, *options)); });

  auto* n = app.add_subcommand("node", "run, look at, check a node");
  n->require_subcommand(1);
  auto dir = std::make_shared<std::string>();
  auto* run = n->add_subcommand("run", "run the node until SIGTERM or ctrl-C");
  run->add_option("--dir", *dir, "the node's folder")->required();
  run->callback([&cx, dir] { finish(cx, node::run_node(*dir)); });
  auto target = std::make_shared<Target>();
  auto* s = n->add_subcommand("status", "what the node holds, exchanges and proves");
  target->add_options(*s);
  s->callback([&cx, target] { finish(cx, status(cx, *target)); });
  auto* k = n->add_subcommand("check", "verify the store against the log, and the ledgers (the node must be stopped)");
  k->add_option("--dir", *dir, "the node's folder")->required();
  k->callback([&cx, dir] { finish(cx, check(cx, *dir)); });
}

}  // namespace entente::cli
