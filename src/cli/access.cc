// account add|list|remove, token new|list|revoke
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "json/node.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  Target target;
  std::string name, role, password_file;
  int days = 90;
  bool read_only = false;
  std::vector<std::string> collections;
};

Result<int> account_add(Context& cx, const Options& o) {
  TRY(std::string password, read_input(o.password_file));
  while (!password.empty() && (password.back() == '\n' || password.back() == '\r')) password.pop_back();
  TRY(NodeClient client, NodeClient::connect(o.target));
  Node n = Node::object();
  n.set("name", o.name).set("role", o.role).set("password", password);
  TRY(const json::Document doc, client.post("/api/v1/accounts", json::write(n)));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
  } else {
    std::printf("account %s, role %s\n", o.name.c_str(), o.role.c_str());
  }
  return 0;
}

Result<int> list(Context& cx, const Options& o, const char* path, const char* member) {
  TRY(NodeClient client, NodeClient::connect(o.target));
  TRY(const json::Document doc, client.get(path));
  const bool scoped = std::string_view(member) == "tokens";
  Table t(scoped ? std::vector<std::string>{"name", "role", "scope", "expires (UTC)"}
                 : std::vector<std::string>{"name", "role"});
  if (const auto rows = json::find_array(doc.root(), member)) {
    for (const json::Value v : *rows) {
      if (cx.json) {
        std::puts(json::write(Node::from(v)).c_str());
        continue;
      }
      std::vector<std::string> cells{std::string(json::find_string(v, "name").value_or("")),
                                     std::string(json::find_string(v, "role").value_or(""))};
      if (scoped) {
        const std::string scope(json::find_string(v, "scope").value_or(""));
        const std::string expires(json::find_string(v, "expires").value_or(""));
        cells.push_back(scope.empty() ? "all of the role" : scope);
        cells.push_back(expires.empty() ? "never" : expires);
      }
      t.row(std::move(cells));
    }
  }
  if (!cx.json) t.print();
  return 0;
}

Result<int> token_new(Context& cx, const Options& o) {
  TRY(NodeClient client, NodeClient::connect(o.target));
  Node n = Node::object();
  n.set("name", o.name).set("role", o.role).set("days", o.days).set("read_only", o.read_only);
  Node only = Node::array();
  for (const auto& c : o.collections) only.push(c);
  n.set("collections", std::move(only));
  TRY(const json::Document doc, client.post("/api/v1/tokens", json::write(n)));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
  } else {
    std::printf("%s\n", std::string(json::find_string(doc.root(), "token").value_or("")).c_str());
    const std::string scope(json::find_string(doc.root(), "scope").value_or(""));
    std::fprintf(stderr, "token %s, role %s%s%s; it is shown only now: the node keeps its hash\n", o.name.c_str(),
                 o.role.c_str(), scope.empty() ? "" : ", ", scope.c_str());
  }
  return 0;
}

Result<int> remove(Context&, const Options& o, const std::string& path) {
  TRY(NodeClient client, NodeClient::connect(o.target));
  CHECK_OK(client.del(path + net::url_encode(o.name)));
  std::printf("%s removed\n", o.name.c_str());
  return 0;
}

}  // namespace

void add_access_commands(CLI::App& app, Context& cx) {
  auto o = std::make_shared<Options>();
  const auto roles =
      CLI::IsMember({"analyst", "publisher", "release-officer", "liaison", "sensor", "auditor", "admin"});
  auto* a = app.add_subcommand("account", "people's accounts at the node");
  a->require_subcommand(1);
  auto* c = a->add_subcommand("add", "add an account or change its password");
  c->add_option("NAME", o->name, "name")->required();
  c->add_option("--role", o->role, "role")->required()->check(roles);
  c->add_option("--password-file", o->password_file, "file with the password; '-' reads standard input")->required();
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, account_add(cx, *o)); });
  c = a->add_subcommand("list", "accounts and roles");
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, list(cx, *o, "/api/v1/accounts", "accounts")); });
  c = a->add_subcommand("remove", "remove an account");
  c->add_option("NAME", o->name, "name")->required();
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, remove(cx, *o, "/api/v1/accounts/")); });
  auto* t = app.add_subcommand("token", "access tokens for tools and sensors");
  t->require_subcommand(1);
  c = t->add_subcommand("new", "make a token; it is printed once");
  c->add_option("NAME", o->name, "name")->required();
  c->add_option("--role", o->role, "role")->required()->check(roles);
  c->add_option("--days", o->days, "how long it is valid; 0 = without end")->capture_default_str();
  c->add_flag("--read-only", o->read_only, "it may only read, whatever the role may");
  c->add_option("--collection", o->collections, "only this collection, by alias or id, over TAXII; repeat for more");
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, token_new(cx, *o)); });
  c = t->add_subcommand("list", "tokens, without their text");
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, list(cx, *o, "/api/v1/tokens", "tokens")); });
  c = t->add_subcommand("revoke", "end a token");
  c->add_option("NAME", o->name, "name")->required();
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, remove(cx, *o, "/api/v1/tokens/")); });
}

}  // namespace entente::cli
