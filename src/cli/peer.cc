// peer add|list|status|sync|pause|resume|remove: partners' nodes, and feeds
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "base/files.h"
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
  // A feed
  std::string taxii, name, root, collection, user, password_file, token_file, secret_env, ca, pin, proxy, tlp, from;
  int confidence = -1;
  int64_t every = 300;
  size_t page = 1000;
};

// What the node needs of a file of ours goes into its folder feeds/, where only the node's user reads it.
Status keep(const NodeClient& node, const std::string& name, std::string_view text) {
  if (node.dir().empty())
    return invalid("a node elsewhere cannot read a file of this machine", name,
                   "run this where the node is, with --dir; for a secret --secret-env also does");
  PosixFiles files;
  CHECK_OK(files.make_dirs(node.dir() + "/feeds"));
  return files.write_atomic(node.dir() + "/feeds/" + name, text, 0600);
}

Result<std::string> secret_of(const AddOptions& o) {
  const std::string& file = o.password_file.empty() ? o.token_file : o.password_file;
  if (!file.empty()) {
    TRY(std::string text, read_input(file));
    if (const size_t end = text.find_first_of("\r\n"); end != std::string::npos) text.resize(end);
    if (text.empty()) return invalid("there is no secret in the file", file);
    return text;
  }
  const char* value = o.secret_env.empty() ? nullptr : std::getenv(o.secret_env.c_str());
  return std::string(value == nullptr ? "" : value);
}

// Root and collection as the server has them: asked before anything is kept, so that a wrong login or name is seen now.
Result<std::string> look(const AddOptions& o, const std::string& url, const std::string& secret) {
  net::ClientOptions to;
  to.url = url;
  to.ca_file = o.ca;
  if (!o.pin.empty()) to.pin_spki_sha256 = {ascii_lower(o.pin)};
  to.system_ca = o.ca.empty() && o.pin.empty();
  if (o.proxy != "none") to.proxy = o.proxy.empty() ? net::proxy_from_environment(url) : o.proxy;
  TRY(auto transport, net::connect_to(to));
  std::string authorization;
  if (!o.user.empty()) {
    authorization = "Basic " + base64(o.user + ":" + secret);
  } else if (!secret.empty()) {
    authorization = "Bearer " + secret;
  }
  taxii::Client client(std::move(transport), authorization);
  std::string root = o.root;
  if (root.empty()) {
    TRY(const auto d, client.discover());
    root = !d.default_root.empty() ? d.default_root : d.roots.size() == 1 ? d.roots.front() : "";
    std::string names;
    for (const auto& r : d.roots) names += " " + printable(r);
    if (root.empty()) return invalid("the server has no default API root", url, "give --root; it lists:" + names);
  }
  if (!root.starts_with('/')) root = "/" + root;
  if (!root.ends_with('/')) root += '/';
  TRY(const auto list, client.collections(root));
  std::string names;
  for (const auto& c : list) {
    if (c.id == o.collection || c.alias == o.collection || c.title == o.collection) {
      if (!c.can_read) return make_error(ErrorKind::kDenied, "this login may not read the collection", o.collection);
      return root;
    }
    names += " " + printable(c.id) + " (" + printable(c.title) + ")";
  }
  return make_error(ErrorKind::kNotFound, "the server has no collection \"" + o.collection + "\" in " + root, url,
                    "give --collection; it lists:" + names);
}

Result<int> add_feed(Context& cx, const AddOptions& o) {
  if (o.name.empty()) return invalid("a feed needs a name", "--name", "for example --name abuse-ch");
  if (!o.password_file.empty() && !o.token_file.empty())
    return invalid("a password and a token", o.name, "one of --password-file and --server-token-file");
  TRY(NodeClient client, NodeClient::connect(o.target));
  std::string url = o.taxii;
  while (url.ends_with('/')) url.pop_back();
  if (url.ends_with("/taxii2")) url.resize(url.size() - 7);
  TRY(const std::string secret, secret_of(o));
  TRY(const std::string root, look(o, url, secret));
  Node n = Node::object();
  n.set("name", o.name).set("url", url).set("root", root).set("collection", o.collection).set("user", o.user);
  if (!o.password_file.empty() || !o.token_file.empty()) {
    CHECK_OK(keep(client, o.name + ".secret", secret + "\n"));
    n.set("secret_file", o.name + ".secret");
  }
  if (!o.ca.empty()) {
    TRY(const std::string pem, read_input(o.ca));
    CHECK_OK(keep(client, o.name + ".ca.pem", pem));
    n.set("ca_file", o.name + ".ca.pem");
  }
  n.set("secret_env", o.secret_env).set("pin", o.pin).set("proxy", o.proxy).set("tlp", o.tlp).set("from", o.from);
  if (o.confidence >= 0) n.set("confidence", o.confidence);
  n.set("interval", o.every).set("page", static_cast<uint64_t>(o.page));
  TRY(const json::Document doc, client.post("/api/v1/feeds", json::write(n)));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
  } else {
    std::printf("feed %s: %s%s, collection %s, every %lld s\n", o.name.c_str(), url.c_str(), printable(root).c_str(),
                printable(o.collection).c_str(), static_cast<long long>(o.every));
  }
  return 0;
}

Result<int> add(Context& cx, AddOptions o) {
  if (!o.taxii.empty()) return add_feed(cx, o);
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
  Table feeds({"feed", "address", "collection", "last pull (UTC)", "taken", "refused", "lag", "last error"});
  if (const auto all = json::find_array(doc.root(), "feeds")) {
    for (const json::Value f : *all) {
      if (cx.json) {
        std::puts(json::write(Node::from(f)).c_str());
        continue;
      }
      const auto text = [&](const char* name) { return printable(json::find_string(f, name).value_or("")); };
      const auto count = [&](const char* name) {
        return grouped(static_cast<uint64_t>(json::find_int(f, name).value_or(0)));
      };
      std::string lag = json::find_int(f, "lag_seconds") ? count("lag_seconds") + " s" : "-";
      if (json::find_bool(f, "behind").value_or(false)) lag += ", more to come";
      if (json::find_bool(f, "paused").value_or(false)) lag += ", paused";
      feeds.row({text("name"), text("url"), text("collection"), text("last_pull"), count("taken"), count("refused"),
                 lag, text("last_error")});
    }
  }
  if (cx.json) return 0;
  if (t.empty() && feeds.empty()) std::puts("no partners and no feeds yet; add one with 'entente peer add'");
  if (!t.empty()) t.print();
  if (!feeds.empty()) feeds.print();
  return 0;
}

// One feed with what was refused of it, and why.
Result<int> show_feed(Context& cx, const Target& target, const std::string& name) {
  TRY(NodeClient client, NodeClient::connect(target));
  TRY(const json::Document doc, client.get("/api/v1/feeds/" + net::url_encode(name)));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
    return 0;
  }
  for (const char* key : {"url", "root", "collection", "user", "tlp", "last_pull", "last_try", "reached", "last_error"})
    std::printf("%-12s %s\n", key, printable(json::find_string(doc.root(), key).value_or("-"), 1000).c_str());
  for (const char* key : {"taken", "known", "marked", "refused"})
    std::printf("%-12s %s\n", key, grouped(static_cast<uint64_t>(json::find_int(doc.root(), key).value_or(0))).c_str());
  if (const auto list = json::find_array(doc.root(), "refusals")) {
    for (const json::Value r : *list)
      std::printf("refused  %s  %s\n", printable(json::find_string(r, "id").value_or("?")).c_str(),
                  printable(json::find_string(r, "why").value_or(""), 1000).c_str());
  }
  return 0;
}

Result<int> change_feed(const Target& target, const std::string& name, const std::string& verb) {
  TRY(NodeClient client, NodeClient::connect(target));
  const std::string path = "/api/v1/feeds/" + net::url_encode(name);
  if (verb != "remove") {
    TRY(const json::Document doc, client.post(path + "/" + verb, "{}"));
    return 0;
  }
  CHECK_OK(client.del(path));
  if (!client.dir().empty()) {
    PosixFiles files;
    for (const char* kind : {".secret", ".ca.pem"}) {
      const std::string file = client.dir() + "/feeds/" + name + kind;
      if (files.exists(file)) CHECK_OK(files.remove(file));
    }
  }
  return 0;
}

Result<int> sync(Context& cx, const Target& target, const std::string& party) {
  TRY(NodeClient client, NodeClient::connect(target));
  TRY(const json::Document doc, client.post("/api/v1/peers/" + net::url_encode(party) + "/sync", "{}"));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
  } else if (json::find_int(doc.root(), "taken")) {
    std::printf("pulled from %s: %s taken and %s refused in all\n", party.c_str(),
                grouped(static_cast<uint64_t>(json::find_int(doc.root(), "taken").value_or(0))).c_str(),
                grouped(static_cast<uint64_t>(json::find_int(doc.root(), "refused").value_or(0))).c_str());
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
  c->add_option("--taxii", o->taxii, "a feed: any TAXII 2.1 server, https://HOST[:PORT]")->group("Feed");
  c->add_option("--name", o->name, "what the feed is called here")->group("Feed");
  c->add_option("--root", o->root, "path of the API root; without: the server's default")->group("Feed");
  c->add_option("--collection", o->collection, "id, alias or title")->group("Feed");
  c->add_option("--user", o->user, "account there (HTTP Basic)")->group("Feed");
  c->add_option("--password-file", o->password_file, "file with its password; kept 0600 in DIR/feeds/")->group("Feed");
  c->add_option("--server-token-file", o->token_file, "file with an access token (Bearer); kept likewise")
      ->group("Feed");
  c->add_option("--secret-env", o->secret_env, "ENTENTE_FEED_…: variable of the node's process with either")
      ->group("Feed");
  c->add_option("--server-ca", o->ca, "certificates that the server's is checked against; without: the system's")
      ->group("Feed");
  c->add_option("--server-pin", o->pin, "SHA-256 of the server's TLS key; nothing else is checked then")->group("Feed");
  c->add_option("--proxy", o->proxy, "http://HOST:PORT; without: https_proxy and no_proxy of the environment; 'none'")
      ->group("Feed");
  c->add_option("--tlp", o->tlp, "written into objects that carry no marking: clear green amber amber+strict red")
      ->group("Feed");
  c->add_option("--confidence", o->confidence, "written into objects that state none")
      ->check(CLI::Range(0, 100))
      ->group("Feed");
  c->add_option("--from", o->from, "only what was added there after this time")->group("Feed");
  c->add_option("--every", o->every, "seconds between pulls")->capture_default_str()->group("Feed");
  c->add_option("--page", o->page, "objects per page")->capture_default_str()->group("Feed");
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, add(cx, *o)); });
  auto target = std::make_shared<Target>();
  auto party = std::make_shared<std::string>();
  c = p->add_subcommand("list", "partners and feeds, their connection and what came from them");
  target->add_options(*c);
  c->callback([&cx, target] { finish(cx, list(cx, *target)); });
  c = p->add_subcommand("status", "the same, or one feed with what was refused of it and why");
  c->add_option("FEED", *party, "name of a feed");
  target->add_options(*c);
  c->callback(
      [&cx, target, party] { finish(cx, party->empty() ? list(cx, *target) : show_feed(cx, *target, *party)); });
  for (const auto& [verb, text] : {std::pair{"pause", "stop pulling from a feed, keeping where it stands"},
                                   std::pair{"resume", "go on where a feed was paused"},
                                   std::pair{"remove", "forget a feed; what it brought stays"}}) {
    c = p->add_subcommand(verb, text);
    c->add_option("FEED", *party, "name of a feed")->required();
    target->add_options(*c);
    c->callback([&cx, target, party, verb = std::string(verb)] { finish(cx, change_feed(*target, *party, verb)); });
  }
  c = p->add_subcommand("sync", "pull from a partner or a feed now");
  c->add_option("PARTY", *party, "party code, or name of a feed")->required();
  target->add_options(*c);
  c->callback([&cx, target, party] { finish(cx, sync(cx, *target, *party)); });
}

}  // namespace entente::cli
