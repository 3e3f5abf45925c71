// ledger checkpoint|audit|prove|verify: offline, over folders of tiles
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "base/files.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "exchange/names.h"
#include "json/node.h"
#include "ledger/leaf.h"
#include "ledger/tile_log.h"
#include "node/config.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  std::string dir, agreement, folder, origin, key, file, out;
  uint64_t index = 0;
};

struct Where {
  std::string folder, origin;
  PublicKey key;
};

// The ledgers that the options name: one, or all of a node's.
Result<std::vector<Where>> places(const Options& o) {
  std::vector<Where> out;
  if (!o.folder.empty()) {
    if (o.origin.empty() || o.key.empty())
      return invalid("a ledger folder needs its origin and key", o.folder,
                     "give --origin NAME --key HEX (both stand in the agreement), or --dir of a node");
    TRY(PublicKey key, PublicKey::from_hex(o.key));
    out.push_back({o.folder, o.origin, std::move(key)});
    return out;
  }
  if (o.dir.empty())
    return invalid("no ledger named", {}, "give --dir DIR of a node, or --ledger FOLDER --origin NAME --key HEX");
  TRY(const node::NodeConfig config, node::load_config(o.dir));
  TRY(const SecretKey log_key, SecretKey::load(config.key("log.pem")));
  PosixFiles files;
  TRY(const auto names, files.list(config.ledger_dir()));
  for (const auto& name : names) {
    if (!o.agreement.empty() && exchange::bare_uuid(o.agreement) != name) continue;
    out.push_back(
        {config.ledger_dir() + "/" + name, exchange::ledger_origin(config.party, name), log_key.public_key()});
  }
  if (out.empty())
    return make_error(ErrorKind::kNotFound, "there is no such ledger",
                      config.ledger_dir() + (o.agreement.empty() ? "" : "/" + o.agreement));
  return out;
}

Result<int> audit(Context& cx, const Options& o) {
  TRY(const auto all, places(o));
  PosixFiles files;
  bool ok = true;
  Table t({"ledger", "entries", "root", "result"});
  for (const auto& w : all) {
    const auto r = ledger::audit(files, w.folder, w.origin, w.key);
    ok = ok && r.ok;
    const std::string root = r.checkpoint ? hex(view(r.checkpoint->root)) : "";
    if (cx.json) {
      Node n = Node::object();
      n.set("ledger", w.folder).set("origin", w.origin).set("ok", r.ok).set("entries", r.entries).set("root", root);
      n.set("bad_entry", r.bad_entry ? Node(*r.bad_entry) : Node()).set("problem", r.problem);
      std::puts(json::write(n).c_str());
    } else {
      t.row({w.origin, grouped(r.entries), root.substr(0, 16), r.ok ? "whole and signed" : r.problem});
    }
  }
  if (!cx.json) t.print();
  return ok ? 0 : 1;
}

Result<int> checkpoint(Context& cx, const Options& o) {
  TRY(const auto all, places(o));
  PosixFiles files;
  for (const auto& w : all) {
    TRY(const std::string note, files.read(w.folder + "/checkpoint"));
    TRY(const auto c, ledger::open_checkpoint(note, w.origin, w.key));
    if (cx.json) {
      Node n = Node::object();
      n.set("origin", c.origin).set("size", c.size).set("root", hex(view(c.root))).set("note", note);
      std::puts(json::write(n).c_str());
    } else {
      std::fputs(note.c_str(), stdout);
    }
  }
  return 0;
}

Result<int> prove(Context&, const Options& o) {
  TRY(const auto all, places(o));
  if (all.size() != 1) return invalid("several ledgers match", {}, "name one with --agreement ID");
  if (o.dir.empty()) return invalid("a proof is made at the node that holds the ledger", {}, "give --dir DIR");
  PosixFiles files;
  TRY(const node::NodeConfig config, node::load_config(o.dir));
  TRY(const SecretKey log_key, SecretKey::load(config.key("log.pem")));
  TRY(const auto log, ledger::TileLog::open(files, all[0].folder, all[0].origin, log_key));
  if (o.index >= log->size())
    return make_error(ErrorKind::kNotFound, "the ledger has no entry " + std::to_string(o.index), all[0].origin,
                      "it has " + std::to_string(log->size()) + ", from 0");
  TRY(const std::string entry, log->entry(o.index));
  TRY(const auto proof, log->prove_inclusion(o.index));
  const std::string text = ledger::write_proof(o.index, entry, proof, log->checkpoint());
  if (o.out.empty()) {
    std::fputs(text.c_str(), stdout);
  } else {
    CHECK_OK(files.write_atomic(o.out, text, 0644));
  }
  return 0;
}

Result<int> verify(Context& cx, const Options& o) {
  TRY(const std::string text, read_input(o.file));
  auto p = ledger::read_proof(text);
  if (!p.ok()) return p.error().at(o.file);
  TRY(const PublicKey key, PublicKey::from_hex(o.key));
  auto c = ledger::open_checkpoint(p->checkpoint_note, o.origin, key);
  const bool included =
      c.ok() && ledger::verify_inclusion(ledger::leaf_hash(p->entry), p->index, c->size, p->proof, c->root);
  const std::string problem = !c.ok()    ? c.error().text()
                              : included ? ""
                                         : "the proof does not lead from the entry to the signed root";
  if (cx.json) {
    Node n = Node::object();
    n.set("ok", included).set("index", p->index).set("problem", problem);
    // An entry is octets; only text goes into JSON as it is.
    if (valid_utf8(p->entry)) {
      n.set("entry", p->entry);
    } else {
      n.set("entry_base64", base64(p->entry));
    }
    std::puts(json::write(n).c_str());
  } else if (included) {
    std::printf("entry %s is in the log %s of size %s\n%s\n", grouped(p->index).c_str(), c->origin.c_str(),
                grouped(c->size).c_str(), printable(p->entry, 4096).c_str());
  } else {
    std::printf("NOT PROVED: %s\n", problem.c_str());
  }
  return included ? 0 : 1;
}

}  // namespace

void add_ledger_commands(CLI::App& app, Context& cx) {
  auto* l = app.add_subcommand("ledger", "audit, prove and verify, offline");
  l->require_subcommand(1);
  auto o = std::make_shared<Options>();
  const auto where = [o](CLI::App* c) {
    c->add_option("--dir", o->dir, "a node's folder: all its ledgers");
    c->add_option("--agreement", o->agreement, "only the one of this agreement");
    c->add_option("--ledger", o->folder, "or: a folder of tiles");
    c->add_option("--origin", o->origin, "with --ledger: name in its checkpoint, entente/<party>/<uuid>");
    c->add_option("--key", o->key, "with --ledger: the log's public key, 64 hex digits");
  };
  auto* c = l->add_subcommand("audit", "every entry against its hash, every hash against the signed root");
  where(c);
  c->callback([&cx, o] { finish(cx, audit(cx, *o)); });
  c = l->add_subcommand("checkpoint", "the signed head");
  where(c);
  c->callback([&cx, o] { finish(cx, checkpoint(cx, *o)); });
  c = l->add_subcommand("prove", "a proof file for one entry");
  where(c);
  c->add_option("INDEX", o->index, "entry, from 0")->required();
  c->add_option("--out", o->out, "file (default: standard output)");
  c->callback([&cx, o] { finish(cx, prove(cx, *o)); });
  c = l->add_subcommand("verify", "check a proof file");
  c->add_option("FILE", o->file, "proof")->required();
  c->add_option("--origin", o->origin, "the log's name")->required();
  c->add_option("--key", o->key, "the log's public key, 64 hex digits")->required();
  c->callback([&cx, o] { finish(cx, verify(cx, *o)); });
}

}  // namespace entente::cli
