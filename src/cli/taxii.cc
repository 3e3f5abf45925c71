// taxii discover|collections|get|post|status|delete: a client of any TAXII 2.1 server
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "base/files.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "json/node.h"
#include "net/http.h"
#include "stix/object.h"
#include "taxii/client.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  std::string url, proxy, ca, pin, cert, cert_key, user, password_file, token_file;
  int retries = 4;
  std::string root, collection, id;
  // get
  std::string added_after, next, state_file;
  std::vector<std::string> types;
  size_t limit = 0;
  uint64_t most = 0;
  bool all_versions = false;
  int wait_seconds = 0;
  // post, delete
  std::vector<std::string> files;
  std::string versions;
};

Result<std::string> first_line(const std::string& file) {
  TRY(std::string text, read_input(file));
  if (const size_t end = text.find_first_of("\r\n"); end != std::string::npos) text.resize(end);
  return text;
}

Result<std::unique_ptr<taxii::Client>> connect(const Options& o) {
  net::ClientOptions to;
  to.url = o.url;
  while (to.url.ends_with('/')) to.url.pop_back();
  if (to.url.ends_with("/taxii2")) to.url.resize(to.url.size() - 7);  // people have the discovery URL at hand
  to.cert_file = o.cert;
  to.key_file = o.cert_key.empty() ? o.cert : o.cert_key;
  to.ca_file = o.ca;
  if (!o.pin.empty()) to.pin_spki_sha256 = {o.pin};
  to.system_ca = o.ca.empty() && o.pin.empty();
  if (o.proxy != "none") to.proxy = o.proxy.empty() ? net::proxy_from_environment(to.url) : o.proxy;
  std::string authorization;
  if (!o.token_file.empty()) {
    TRY(const std::string token, first_line(o.token_file));
    authorization = "Bearer " + token;
  } else if (!o.user.empty()) {
    if (o.password_file.empty())
      return invalid("no password for " + o.user, "--user", "give --password-file FILE ('-' reads standard input)");
    TRY(const std::string password, first_line(o.password_file));
    authorization = "Basic " + base64(o.user + ":" + password);
  }
  TRY(auto transport, net::connect_to(to));
  auto client = std::make_unique<taxii::Client>(std::move(transport), authorization);
  client->set_retries({.times = o.retries, .first = std::chrono::milliseconds{250}});
  return client;
}

// The root that was named, or the server's default, or its only one.
Result<std::string> root_of(taxii::Client& client, const Options& o) {
  if (!o.root.empty()) return (o.root.starts_with('/') ? "" : "/") + o.root + (o.root.ends_with('/') ? "" : "/");
  TRY(const auto d, client.discover());
  if (!d.default_root.empty()) return d.default_root;
  if (d.roots.size() == 1) return d.roots.front();
  std::string names;
  for (const auto& r : d.roots) names += " " + r;
  return invalid(d.roots.empty() ? "the server lists no API root of its own" : "the server has no default API root",
                 o.url, "give --root; it lists:" + names);
}

// By id or alias as it is, or by title (which is what people see).
Result<std::string> collection_of(taxii::Client& client, const Options& o, const std::string& root) {
  TRY(const auto list, client.collections(root));
  for (const auto& c : list) {
    if (c.id == o.collection || (!c.alias.empty() && c.alias == o.collection)) return c.id;
  }
  for (const auto& c : list) {
    if (c.title == o.collection) return c.id;
  }
  return make_error(ErrorKind::kNotFound, "there is no collection \"" + o.collection + "\" in " + root, o.url,
                    "see 'entente taxii collections'");
}

Result<int> discover(Context& cx, const Options& o) {
  TRY(const auto client, connect(o));
  TRY(const auto d, client->discover());
  if (cx.json) {
    Node roots = Node::array();
    for (const auto& r : d.roots) roots.push(r);
    Node n = Node::object();
    n.set("title", d.title).set("default", d.default_root).set("api_roots", std::move(roots));
    std::puts(json::write(n).c_str());
    return 0;
  }
  std::printf("%s\n", printable(d.title).c_str());
  Table t({"API root", ""});
  for (const auto& r : d.roots) t.row({printable(r), r == d.default_root ? "default" : ""});
  t.print();
  return 0;
}

Result<int> collections(Context& cx, const Options& o) {
  TRY(const auto client, connect(o));
  TRY(const std::string root, root_of(*client, o));
  TRY(const auto list, client->collections(root));
  Table t({"collection", "alias", "title", "read", "write"});
  for (const auto& c : list) {
    if (cx.json) {
      Node n = Node::object();
      n.set("root", root).set("id", c.id).set("alias", c.alias).set("title", c.title).set("description", c.description);
      n.set("can_read", c.can_read).set("can_write", c.can_write);
      std::puts(json::write(n).c_str());
    } else {
      t.row({printable(c.id), printable(c.alias), printable(c.title), c.can_read ? "yes" : "no",
             c.can_write ? "yes" : "no"});
    }
  }
  if (!cx.json) t.print();
  return 0;
}

// Where a reader stands: written after each page that was printed, so that the next run goes on there.
struct Place {
  std::optional<Time> added_after;
  std::string next;
};

Result<Place> read_place(const Options& o, const std::string& root, const std::string& collection) {
  Place p;
  PosixFiles files;
  auto text = files.read(o.state_file);
  if (!text.ok()) {
    if (text.error().kind == ErrorKind::kNotFound) return p;
    return text.error();
  }
  TRY(const json::Document doc, json::parse(*text));
  const auto v = doc.root();
  if (json::find_string(v, "root").value_or("") != root ||
      json::find_string(v, "collection").value_or("") != collection)
    return invalid("this state belongs to another collection", o.state_file, "name another file");
  if (const auto t = json::find_string(v, "added_after")) {
    TRY(p.added_after, parse_time(*t));
  }
  p.next = json::find_string(v, "next").value_or("");
  return p;
}

Status write_place(const Options& o, const std::string& root, const std::string& collection, const Place& p) {
  if (o.state_file.empty()) return {};
  Node n = Node::object();
  n.set("root", root).set("collection", collection);
  if (p.added_after) n.set("added_after", to_text(*p.added_after));
  if (!p.next.empty()) n.set("next", p.next);
  PosixFiles files;
  return files.write_atomic(o.state_file, json::write(n) + "\n", 0600);
}

// One line for one object: blanks outside texts go, everything else stays as it came.
std::string one_line(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  bool in_text = false;
  for (size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (in_text && c == '\\' && i + 1 < raw.size()) {
      out += c;
      out += raw[++i];
      continue;
    }
    if (c == '"') in_text = !in_text;
    if (!in_text && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) continue;
    out += c;
  }
  return out;
}

// Cursors are forgotten with 400 by the standard's word, with 404 or 410 by others, and with 500 by medallion.
bool cursor_refused(const Error& e) {
  static constexpr std::string_view kAnswered = "the server answered ";
  if (!e.what.starts_with(kAnswered)) return false;
  const std::string_view status = std::string_view(e.what).substr(kAnswered.size(), 3);
  return status == "400" || status == "404" || status == "410" || status == "500";
}

Result<int> get(Context& cx, const Options& o) {
  TRY(const auto client, connect(o));
  TRY(const std::string root, root_of(*client, o));
  TRY(const std::string collection, collection_of(*client, o, root));
  Place place;
  if (!o.added_after.empty()) {
    TRY(place.added_after, parse_time(o.added_after));
  }
  place.next = o.next;
  if (!o.state_file.empty()) {
    TRY(Place kept, read_place(o, root, collection));
    if (kept.added_after || !kept.next.empty()) place = std::move(kept);
  }
  taxii::Client::Get g;
  g.limit = o.limit;
  g.types = o.types;
  g.all_versions = o.all_versions;
  g.wait_seconds = o.wait_seconds;
  // A sequence of pages keeps the added_after with which it began (T80); `reached` is where the next one begins.
  std::optional<Time> reached = place.added_after;
  uint64_t printed = 0;
  bool fell_back = false;
  for (;;) {
    g.added_after = place.added_after;
    g.next = place.next;
    auto page = client->objects(root, collection, g);
    if (!page.ok() && !g.next.empty() && cursor_refused(page.error()) && !fell_back) {
      // A cursor that the server knows no more: what was reached is known by time as well. Once; twice would be a
      // circle.
      fell_back = true;
      std::fprintf(stderr, "entente: the server does not take its cursor any more; going on by added_after\n");
      place = {reached, ""};
      g.next.clear();
      g.added_after = reached;
      page = client->objects(root, collection, g);
    }
    if (!page.ok()) return page.error();
    for (const std::string_view raw : (*page)->objects) {
      if (cx.json) {
        std::puts(one_line(raw).c_str());
      } else {
        std::string id = "?";
        std::string version;
        if (const auto doc = json::parse(raw); doc.ok()) {
          id = json::find_string(doc->root(), "id").value_or("?");
          version = json::find_string(doc->root(), "modified")
                        .value_or(json::find_string(doc->root(), "created").value_or("-"));
        }
        std::printf("%s  %s\n", printable(id).c_str(), printable(version).c_str());
      }
      ++printed;
    }
    if (std::fflush(stdout) != 0) return make_error(ErrorKind::kIo, "cannot write", "standard output");
    // T82: some headers are missing or in the past; never go back.
    if ((*page)->last && (!reached || *(*page)->last > *reached)) reached = (*page)->last;
    const bool more = (*page)->more;
    if (!more) {
      place = {reached, ""};
    } else if (!(*page)->next.empty()) {
      place.next = (*page)->next;
    } else {
      place = {reached, ""};
    }
    CHECK_OK(write_place(o, root, collection, place));
    if (!more || (o.most > 0 && printed >= o.most)) break;
    g.wait_seconds = 0;
  }
  if (!o.state_file.empty() && !reached && printed > 0)
    std::fprintf(stderr, "entente: the server does not say when objects were added; the next run reads all again\n");
  if (!cx.json) std::fprintf(stderr, "%llu objects\n", static_cast<unsigned long long>(printed));
  return 0;
}

int print_status(Context& cx, const taxii::StatusInfo& s) {
  if (cx.json) {
    Node failures = Node::array();
    for (const auto& f : s.failures) {
      Node n = Node::object();
      n.set("id", f.id).set("version", f.version).set("message", f.message);
      failures.push(std::move(n));
    }
    Node n = Node::object();
    n.set("id", s.id).set("status", s.complete ? "complete" : "pending").set("total", s.total);
    n.set("success", s.success)
        .set("failure", s.failure)
        .set("pending", s.pending)
        .set("failures", std::move(failures));
    std::puts(json::write(n).c_str());
  } else {
    std::printf("%s %s: %llu of %llu taken, %llu refused, %llu pending\n", s.complete ? "complete" : "pending",
                printable(s.id).c_str(), static_cast<unsigned long long>(s.success),
                static_cast<unsigned long long>(s.total), static_cast<unsigned long long>(s.failure),
                static_cast<unsigned long long>(s.pending));
    for (const auto& f : s.failures)
      std::printf("refused  %s  %s\n", printable(f.id).c_str(), printable(f.message, 1000).c_str());
  }
  return s.complete && s.failure == 0 ? 0 : 1;
}

Result<int> post(Context& cx, const Options& o) {
  std::vector<std::string> texts;
  std::vector<std::string_view> raws;
  texts.reserve(o.files.size());
  for (const auto& f : o.files) {
    TRY(std::string text, read_input(f));
    texts.push_back(std::move(text));
    auto parts = stix::split_objects(texts.back());
    if (!parts.ok()) return parts.error().at(f);
    raws.insert(raws.end(), parts->begin(), parts->end());
  }
  if (raws.empty()) return invalid("there is no object in these files", o.files.front());
  TRY(const auto client, connect(o));
  TRY(const std::string root, root_of(*client, o));
  TRY(const std::string collection, collection_of(*client, o, root));
  TRY(const taxii::StatusInfo s, client->add(root, collection, raws));
  return print_status(cx, s);
}

Result<int> status(Context& cx, const Options& o) {
  TRY(const auto client, connect(o));
  TRY(const std::string root, root_of(*client, o));
  TRY(const taxii::StatusInfo s, client->status(root, o.id));
  return print_status(cx, s);
}

Result<int> remove(Context&, const Options& o) {
  TRY(const auto client, connect(o));
  TRY(const std::string root, root_of(*client, o));
  TRY(const std::string collection, collection_of(*client, o, root));
  CHECK_OK(client->remove(root, collection, o.id, o.versions));
  return 0;
}

}  // namespace

void add_taxii_commands(CLI::App& app, Context& cx) {
  auto o = std::make_shared<Options>();
  auto* t = app.add_subcommand("taxii", "a client of any TAXII 2.1 server");
  t->require_subcommand(1);
  using Run = Result<int> (*)(Context&, const Options&);
  const auto verb = [&](const char* name, const char* text, Run run, bool with_root, bool with_collection) {
    auto* c = t->add_subcommand(name, text);
    c->add_option("URL", o->url, "the server, https://HOST[:PORT]")->required();
    if (with_collection) c->add_option("COLLECTION", o->collection, "id, alias or title")->required();
    if (with_root) c->add_option("--root", o->root, "path of the API root; without: the server's default");
    c->add_option("--ca", o->ca, "certificates that the server's is checked against; without: the system's");
    c->add_option("--pin", o->pin, "SHA-256 of the server's TLS key, 64 hex digits; nothing else is checked then");
    c->add_option("--proxy", o->proxy,
                  "http://HOST:PORT; without: https_proxy and no_proxy of the environment; 'none'");
    c->add_option("--cert", o->cert, "own certificate (PEM)");
    c->add_option("--cert-key", o->cert_key, "its key, if it is in another file");
    c->add_option("--user", o->user, "account (HTTP Basic)");
    c->add_option("--password-file", o->password_file, "file with its password; '-' reads standard input");
    c->add_option("--token-file", o->token_file, "file with an access token (Bearer)");
    c->add_option("--retries", o->retries, "how often a request that failed for now is sent again")
        ->check(CLI::Range(0, 20))
        ->capture_default_str();
    c->callback([&cx, o, run] { finish(cx, run(cx, *o)); });
    return c;
  };
  verb("discover", "title and API roots", discover, false, false);
  verb("collections", "collections of an API root, and what one may do", collections, true, false);
  auto* c = verb("get", "objects of a collection, page by page; -o json gives one object per line", get, true, true);
  c->add_option("--added-after", o->added_after, "only what was added after this time");
  c->add_option("--next", o->next, "go on with this cursor");
  c->add_option("--state", o->state_file, "file that keeps where we are: the next run gives what is new since");
  c->add_option("--type", o->types, "only these types")->delimiter(',');
  c->add_option("--limit", o->limit, "objects per page; without: the server's choice");
  c->add_option("--max", o->most, "stop after the page with which so many are reached");
  c->add_flag("--all-versions", o->all_versions, "every version, not only the last");
  c->add_option("--wait", o->wait_seconds, "if there is nothing new, wait so many seconds for it (Prefer: wait)")
      ->check(CLI::Range(0, 3600));
  c = verb("post", "send objects (bundle, envelope, object, JSON lines)", post, true, true);
  c->add_option("FILE", o->files, "files; '-' reads standard input")->required();
  c = verb("status", "what came of a post", status, true, false);
  c->add_option("STATUS", o->id, "its id")->required();
  c = verb("delete", "delete the last version of an object", remove, true, true);
  c->add_option("OBJECT", o->id, "id of the object")->required();
  c->add_option("--versions", o->versions, "all, first, last or times: the versions to delete");
}

}  // namespace entente::cli
