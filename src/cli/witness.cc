// witness init|add|run|list: a neutral witness, a process and a folder of its own.
#include "node/witness.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "cli/internal/commands.h"
#include "cli/internal/table.h"
#include "json/node.h"
#include "ledger/checkpoint.h"

namespace entente::cli {
namespace {

struct Options {
  std::string dir, name, listen = "127.0.0.1:8450", origin, key;
};

Result<int> make(Context& cx, const Options& o) {
  TRY(const auto made, node::init_witness(o.dir, o.name, o.listen));
  if (cx.json) {
    json::Node n = json::Node::object();
    n.set("dir", o.dir).set("name", o.name).set("public", made.public_hex).set("spki", made.spki);
    std::puts(json::write(n).c_str());
    return 0;
  }
  std::printf(
      "witness %s in %s\n"
      "  an agreement names it:  \"ledger\": {\"witnesses\": [{\"kid\": \"%s\", \"public\": \"%s\"}], …}\n"
      "  and in its quorum:      \"all(…,%s)\" or \"N of (…,%s)\"\n"
      "  a node's entente.toml:  [[witness]] name = \"%s\", url = \"https://%s\", spki = \"%s\"\n"
      "  it must know the logs:  entente witness add --dir %s --origin entente/in/UUID --key HEX\n",
      o.name.c_str(), o.dir.c_str(), o.name.c_str(), made.public_hex.c_str(), o.name.c_str(), o.name.c_str(),
      o.name.c_str(), o.listen.c_str(), made.spki.c_str(), o.dir.c_str());
  return 0;
}

Result<int> list(Context& cx, const Options& o) {
  TRY(const auto heads, node::witness_heads(o.dir));
  Table t({"log", "entries", "root"});
  for (const auto& h : heads) {
    const auto c = ledger::unverified_checkpoint(h.note);
    if (cx.json) {
      json::Node n = json::Node::object();
      n.set("origin", h.origin).set("size", c.ok() ? json::Node(c->size) : json::Node()).set("note", h.note);
      std::puts(json::write(n).c_str());
    } else {
      t.row({h.origin, c.ok() ? grouped(c->size) : "nothing yet", c.ok() ? hex(view(c->root)).substr(0, 16) : ""});
    }
  }
  if (!cx.json) t.print();
  return 0;
}

}  // namespace

void add_witness_commands(CLI::App& app, Context& cx) {
  auto* w = app.add_subcommand("witness", "a neutral witness of ledgers, which is party to nothing");
  w->require_subcommand(1);
  auto o = std::make_shared<Options>();
  auto* c = w->add_subcommand("init", "make its folder and keys");
  c->add_option("DIR", o->dir, "folder")->required();
  c->add_option("--name", o->name, "name of its key, for example osaka-u/witness/1")->required();
  c->add_option("--listen", o->listen, "address and port of HTTPS");
  c->callback([&cx, o] { finish(cx, make(cx, *o)); });
  c = w->add_subcommand("add", "a log whose heads it cosigns, or another key of one");
  c->add_option("--dir", o->dir, "its folder")->required();
  c->add_option("--origin", o->origin, "the log's name, entente/<party>/<uuid>")->required();
  c->add_option("--key", o->key, "the log's public key, 64 hex digits")->required();
  c->callback([&cx, o] {
    finish(cx, [&]() -> Result<int> {
      CHECK_OK(node::add_witness_log(o->dir, o->origin, o->key));
      return 0;
    }());
  });
  c = w->add_subcommand("run", "serve add-checkpoint (C2SP tlog-witness); SIGHUP reads the list of logs again");
  c->add_option("--dir", o->dir, "its folder")->required();
  c->callback([&cx, o] { finish(cx, node::run_witness(o->dir)); });
  c = w->add_subcommand("list", "the logs that it knows and the newest heads that it cosigned");
  c->add_option("--dir", o->dir, "its folder")->required();
  c->callback([&cx, o] { finish(cx, list(cx, *o)); });
}

}  // namespace entente::cli
