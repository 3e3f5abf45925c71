// peer add|list|status|sync
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "json/node.h"
#include "node/config.h"

namespace entente::cli {
namespace {

using json::Node;

struct AddOptions {
  Target target;
  std::string party, url, spki, from_dir;
};

Result<int> add(Context& cx, AddOptions o) {
  TRY(NodeClient client, NodeClient::connect(o.target));
  if (!o.from_dir.empty()) {
    // Both nodes on one machine: tests and demonstrations.
    TRY(const node::NodeConfig other, node::load_config(o.from_dir));
    TRY(const std::string spki, net::certificate_spki(other.key("tls.crt")));
    if (o.party.empty()) o.party = other.party;
    if (o.url.empty()) o.url = other.public_url.empty() ? other.url() : other.public_url;
    o.spki = spki;
  }
  Node n = Node::object();
  n.set("party", o.party).set("url", o.url).set("spki", Node(Node::List{Node(o.spki)}));
  TRY(const json::Document doc, client.post("/api/v1/peers", json::write(n)));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
  } else {
    std::printf("partner %s at %s, TLS key %s\n", o.party.c_str(), o.url.c_str(), o.spki.c_str());
  }
  return 0;
}

Result<int> list(Context& cx, const Target& target) {
  TRY(NodeClient client, NodeClient::connect(target));
  TRY(const json::Document doc, client.get("/api/v1/peers"));
  const auto peers = json::find_array(doc.root(), "peers");
  Table t({"partner", "address", "connected", "last pull (UTC)", "received", "refused", "last error"});
  if (peers) {
    for (const json::Value p : *peers) {
      if (cx.json) {
        std::puts(json::write(Node::from(p)).c_str());
        continue;
      }
      const auto text = [&](const char* name) { return std::string(json::find_string(p, name).value_or("")); };
      t.row({text("party"), text("url"), json::find_bool(p, "connected").value_or(false) ? "yes" : "no",
             text("last_pull"), grouped(static_cast<uint64_t>(json::find_int(p, "received").value_or(0))),
             grouped(static_cast<uint64_t>(json::find_int(p, "refused").value_or(0))), text("last_error")});
    }
  }
  if (!cx.json) {
    if (t.empty()) {
      std::puts("no partners yet; add one with 'entente peer add'");
    } else {
      t.print();
    }
  }
  return 0;
}

Result<int> sync(Context& cx, const Target& target, const std::string& party) {
  TRY(NodeClient client, NodeClient::connect(target));
  TRY(const json::Document doc, client.post("/api/v1/peers/" + net::url_encode(party) + "/sync", "{}"));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
  } else {
    std::printf("pulled from %s: %s received and %s refused since the node started\n", party.c_str(),
                grouped(static_cast<uint64_t>(json::find_int(doc.root(), "received").value_or(0))).c_str(),
                grouped(static_cast<uint64_t>(json::find_int(doc.root(), "refused").value_or(0))).c_str());
  }
  return 0;
}

}  // namespace

void add_peer_commands(CLI::App& app, Context& cx) {
  auto* p = app.add_subcommand("peer", "partners' nodes");
  p->require_subcommand(1);
  auto o = std::make_shared<AddOptions>();
  auto* c = p->add_subcommand("add", "pin a partner's node: where it is and by which TLS key it is known");
  c->add_option("--party", o->party, "its party code");
  c->add_option("--partner-url", o->url, "its address, https://HOST:PORT");
  c->add_option("--spki", o->spki, "SHA-256 of its TLS key, as its 'entente init' printed it");
  c->add_option("--from-dir", o->from_dir, "take all three from a node folder on this machine");
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, add(cx, *o)); });
  auto target = std::make_shared<Target>();
  for (const char* name : {"list", "status"}) {
    c = p->add_subcommand(name, "partners, their connection and what came from them");
    target->add_options(*c);
    c->callback([&cx, target] { finish(cx, list(cx, *target)); });
  }
  auto party = std::make_shared<std::string>();
  c = p->add_subcommand("sync", "pull from a partner now");
  c->add_option("PARTY", *party, "party code")->required();
  target->add_options(*c);
  c->callback([&cx, target, party] { finish(cx, sync(cx, *target, *party)); });
}

}  // namespace entente::cli
