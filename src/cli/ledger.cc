// ledger audit|checkpoint|prove|verify: over folders of tiles, audit also over a ledger that a node serves.
// ledger reconcile, conflicts, settle: with a running node.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "base/files.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "exchange/evidence_package.h"
#include "exchange/names.h"
#include "json/node.h"
#include "ledger/cosignature.h"
#include "ledger/leaf.h"
#include "ledger/tile_log.h"
#include "node/config.h"

namespace entente::cli {
namespace {

using json::Node;

// A ledger that a node serves, as the audit reads it: static files over HTTPS.
class ServedFiles final : public Files {
 public:
  explicit ServedFiles(std::unique_ptr<taxii::Client> client) : client_(std::move(client)) {}
  Result<std::string> read(const std::string& path) override {
    TRY(net::Response r, client_->get(path, "*/*"));
    if (r.status == 404) return make_error(ErrorKind::kNotFound, "the node serves no such file", path);
    if (r.status == 401 || r.status == 403)
      return make_error(ErrorKind::kDenied, "the node does not know you, or may not show you this ledger", path,
                        "give --token-file of an auditor, or --tls-dir of a node that is party to the agreement");
    if (r.status != 200) return make_error(ErrorKind::kUnavailable, "HTTP " + std::to_string(r.status), path);
    return std::move(r.body);
  }
  Result<uint64_t> size(const std::string& path) override {
    TRY(const std::string text, read(path));
    return text.size();
  }
  bool exists(const std::string& path) override { return read(path).ok(); }
  // Old partial tiles that still lie in the folder are not asked for: nobody needs to keep them.
  Result<std::vector<std::string>> list(const std::string&) override { return std::vector<std::string>{}; }
  Status write_atomic(const std::string&, std::string_view, int) override { return read_only(); }
  Status append(const std::string&, std::string_view, bool) override { return read_only(); }
  Status truncate(const std::string&, uint64_t) override { return read_only(); }
  Status make_dirs(const std::string&) override { return read_only(); }
  Status remove(const std::string&) override { return read_only(); }

 private:
  static Error read_only() { return make_error(ErrorKind::kUnsupported, "a ledger that is served cannot be written"); }
  std::unique_ptr<taxii::Client> client_;
};

struct Options {
  std::string dir, agreement, folder, origin, key, file, out;
  std::string url, pin, token_file, tls_dir;  // a ledger that is served
  std::vector<std::string> witnesses;         // NAME=HEX
  std::string party, reason;
  std::string claim, object, kind, text_hash;  // of evidence
  bool conflict = false;
  std::vector<uint64_t> leaves;
  uint64_t index = 0;
  Target target;
};

struct Where {
  std::string folder, origin;
  PublicKey key;
};

// Where the path begins in an address; npos if it has none.
size_t path_in(const std::string& url) {
  const size_t host = url.find("://");
  return host == std::string::npos ? std::string::npos : url.find('/', host + 3);
}

// The ledgers that the options name: one, or all of a node's.
Result<std::vector<Where>> places(const Options& o) {
  std::vector<Where> out;
  if (!o.url.empty()) {
    if (o.origin.empty() || o.key.empty())
      return invalid("a served ledger needs its origin and key", o.url,
                     "give --origin NAME --key HEX (both stand in the agreement)");
    const size_t path = path_in(o.url);
    if (path == std::string::npos) return invalid("the address names no ledger", o.url, "https://HOST/ledger/UUID");
    std::string folder = o.url.substr(path);
    while (folder.ends_with('/')) folder.pop_back();
    TRY(PublicKey key, PublicKey::from_hex(o.key));
    out.push_back({std::move(folder), o.origin, std::move(key)});
    return out;
  }
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

// Where the ledger that the options name is read from.
Result<std::unique_ptr<Files>> files_of(const Options& o) {
  if (o.url.empty()) return std::unique_ptr<Files>(std::make_unique<PosixFiles>());
  net::ClientOptions c;
  c.url = o.url.substr(0, path_in(o.url));
  if (o.pin.empty()) {
    c.system_ca = true;
  } else {
    c.pin_spki_sha256 = {o.pin};
  }
  if (!o.tls_dir.empty()) {
    c.cert_file = o.tls_dir + "/keys/tls.crt";
    c.key_file = o.tls_dir + "/keys/tls.key";
  }
  std::string authorization;
  if (!o.token_file.empty()) {
    TRY(authorization, bearer_from(o.token_file));
  }
  TRY(auto transport, net::connect_to(c));
  return std::unique_ptr<Files>(
      std::make_unique<ServedFiles>(std::make_unique<taxii::Client>(std::move(transport), authorization)));
}

// "NAME=HEX" of each --witness.
Result<std::map<std::string, PublicKey>> witnesses_of(const Options& o) {
  std::map<std::string, PublicKey> out;
  for (const auto& w : o.witnesses) {
    const size_t eq = w.find('=');
    if (eq == std::string::npos) return invalid("a witness is given as NAME=KEY", w, "JP/witness/1=64 hex digits");
    TRY(PublicKey key, PublicKey::from_hex(w.substr(eq + 1)));
    out.emplace(w.substr(0, eq), std::move(key));
  }
  return out;
}

// "JP/witness/1 2027-01-15T05:12:10Z" of those that cosigned the head. A name that was asked for and is not there is
// said, and fails the audit.
Result<std::string> cosigners(Files& files, const Where& w, const std::map<std::string, PublicKey>& known, bool& all) {
  std::string out;
  if (known.empty()) return out;
  TRY(const std::string note, files.read(w.folder + "/checkpoint"));
  TRY(const auto found, ledger::cosignatures(note, known));
  for (const auto& [name, _] : known) {
    const auto c = std::find_if(found.begin(), found.end(), [&](const auto& f) { return f.name == name; });
    if (!out.empty()) out += ", ";
    out += name + (c == found.end() ? std::string(": NOT COSIGNED") : " " + to_text(c->at).substr(0, 19) + "Z");
    all = all && c != found.end();
  }
  return out;
}

Result<int> audit(Context& cx, const Options& o) {
  TRY(const auto all, places(o));
  TRY(const auto store, files_of(o));
  TRY(const auto known, witnesses_of(o));
  Files& files = *store;
  bool ok = true;
  Table t({"ledger", "entries", "root", "result", known.empty() ? "" : "cosigned by"});
  for (const auto& w : all) {
    const auto r = ledger::audit(files, w.folder, w.origin, w.key);
    ok = ok && r.ok;
    TRY(const std::string by, cosigners(files, w, known, ok));
    const std::string root = r.checkpoint ? hex(view(r.checkpoint->root)) : "";
    if (cx.json) {
      Node n = Node::object();
      n.set("ledger", w.folder).set("origin", w.origin).set("ok", r.ok).set("entries", r.entries).set("root", root);
      if (!known.empty()) n.set("cosigned_by", by);
      n.set("bad_entry", r.bad_entry ? Node(*r.bad_entry) : Node()).set("problem", r.problem);
      std::puts(json::write(n).c_str());
    } else {
      t.row({w.origin, grouped(r.entries), root.substr(0, 16), r.ok ? "whole and signed" : r.problem, by});
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

// An evidence package: every part is checked, and what it shows is said.
Result<int> verify_package(Context& cx, const Options& o, const std::string& text) {
  auto r = exchange::check_evidence(text, o.text_hash);
  if (!r.ok()) return r.error().at(o.file);
  if (cx.json) {
    Node n = Node::object();
    const auto list = [](const std::vector<std::string>& from) {
      Node out = Node::array();
      for (const auto& s : from) out.push(s);
      return out;
    };
    n.set("ok", r->ok()).set("agreement", r->agreement).set("text_sha256", r->text_sha256).set("made_by", r->made_by);
    n.set("made_at", r->made_at).set("about", r->about);
    n.set("problems", list(r->problems)).set("facts", list(r->facts));
    std::puts(json::write(n).c_str());
    return r->ok() ? 0 : 1;
  }
  std::printf("made by %s, %s\n", printable(r->made_by, 100).c_str(), printable(r->made_at, 40).c_str());
  for (const auto& f : r->facts) std::printf("  %s\n", printable(f, 500).c_str());
  for (const auto& p : r->problems) std::printf("NOT PROVED: %s\n", printable(p, 500).c_str());
  if (r->ok())
    std::printf("Every part verifies. Compare the text of the agreement with the one that was signed: %s\n",
                r->text_sha256.c_str());
  return r->ok() ? 0 : 1;
}

Result<int> verify(Context& cx, const Options& o) {
  TRY(const std::string text, read_input(o.file));
  if (text.starts_with("{")) return verify_package(cx, o, text);
  if (o.origin.empty() || o.key.empty())
    return invalid("a proof file needs the log's name and key", o.file, "give --origin NAME --key HEX");
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

std::vector<json::Value> list_at(const json::Value& object, std::string_view name) {
  std::vector<json::Value> out;
  const auto list = json::find(object, name);
  json::Array items;
  if (!list || list->get_array().get(items) != simdjson::SUCCESS) return out;
  for (const json::Value v : items) out.push_back(v);
  return out;
}

// Both directions between this party and another, computed here and there.
Result<int> reconcile(Context& cx, const Options& o) {
  TRY(NodeClient node, NodeClient::connect(o.target));
  if (o.target.dir.empty())
    return invalid("the partner is asked with this node's TLS key", {}, "give --dir of the node");
  TRY(const node::NodeConfig config, node::load_config(o.target.dir));
  TRY(const json::Document peers, node.get("/api/v1/peers"));
  net::ClientOptions c;
  for (const json::Value p : list_at(peers.root(), "peers")) {
    if (json::find_string(p, "party").value_or("") != o.party) continue;
    c.url = json::find_string(p, "url").value_or("");
    for (const auto pin : json::string_list(json::find_array(p, "spki"))) c.pin_spki_sha256.emplace_back(pin);
  }
  if (c.url.empty())
    return make_error(ErrorKind::kNotFound, "there is no such partner", o.party, "see 'entente peer list'");
  c.cert_file = config.key("tls.crt");
  c.key_file = config.key("tls.key");
  TRY(auto transport, net::connect_to(c));
  taxii::Client partner(std::move(transport), "");
  TRY(const json::Document agreements, node.get("/api/v1/agreements"));
  bool same = true;
  bool clean = true;
  bool any = false;
  // How much this party withholds is its own to know; a partner's node says it to nobody.
  const auto told = node.get("/api/v1/ledger/entitlement");
  Table t({"agreement", "from", "to", "releases", "acknowledged", "missing", "late", "extra", "objects", "refused",
           "all up to leaf", "withheld", "both ends"});
  for (const json::Value a : list_at(agreements.root(), "agreements")) {
    const std::string id(json::find_string(a, "agreement_id").value_or(""));
    if (!o.agreement.empty() && exchange::bare_uuid(o.agreement) != exchange::bare_uuid(id)) continue;
    for (const auto& [from, to] : {std::pair(config.party, o.party), std::pair(o.party, config.party)}) {
      const std::string base = "/ledger/" + exchange::bare_uuid(id) + "/reconciliation?from=" + from + "&to=" + to;
      auto mine = node.get(base);
      if (!mine.ok()) {
        if (mine.error().kind == ErrorKind::kInvalid || mine.error().kind == ErrorKind::kNotFound)
          continue;  // not of it
        return std::move(mine).error();
      }
      any = true;
      const auto result = json::find(mine->root(), "result");
      if (!result) return make_error(ErrorKind::kCorrupt, "the node's answer has no result", base);
      const json::Value r = *result;
      const auto number = [&](const char* name) { return static_cast<uint64_t>(json::find_int(r, name).value_or(0)); };
      const std::string limits = "&from_entries=" + std::to_string(number("from_entries")) +
                                 "&to_entries=" + std::to_string(number("to_entries"));
      TRY(const net::Response answer, partner.get(base + limits, "application/json"));
      const auto theirs = json::parse(answer.body);
      const std::string digest(json::find_string(mine->root(), "sha256").value_or(""));
      const bool behind = answer.status == 503;
      const bool equal =
          answer.status == 200 && theirs.ok() && json::find_string(theirs->root(), "sha256").value_or("") == digest;
      same = same && (equal || behind);
      const auto count = [&](const char* name) { return uint64_t{list_at(r, name).size()}; };
      clean = clean && count("missing") == 0 && count("extra") == 0;
      const std::string verdict = equal    ? "the same"
                                  : behind ? "the partner is behind: ask again"
                                           : "DIFFERENT (HTTP " + std::to_string(answer.status) + ")";
      std::optional<uint64_t> withheld;
      if (from == config.party && told.ok()) {
        for (const json::Value e : list_at(told->root(), "told"))
          if (json::find_string(e, "agreement_id").value_or("") == id && json::find_string(e, "to").value_or("") == to)
            withheld = static_cast<uint64_t>(json::find_int(e, "withheld").value_or(0));
      }
      if (cx.json) {
        Node n = Node::object();
        n.set("sha256", digest).set("same", equal).set("partner_behind", behind).set("result", Node::from(r));
        if (withheld) n.set("withheld", *withheld);
        std::puts(json::write(n).c_str());
      } else {
        t.row({id, from, to, grouped(number("releases")), grouped(number("matched")), grouped(count("missing")),
               grouped(count("late")), grouped(count("extra")), grouped(number("objects_received")),
               grouped(number("objects_refused")),
               json::find_int(r, "entitled_upto") ? grouped(number("entitled_upto")) : "not said",
               withheld ? grouped(*withheld) : "", verdict});
      }
    }
  }
  if (!any)
    return make_error(ErrorKind::kNotFound, "there is no agreement with this partner", o.party,
                      "see 'entente agreement state'");
  if (!cx.json) {
    t.print();
    std::puts(
        clean ? "Each side has all that the other released to it, up to the entries that both hold."
              : "missing: released by FROM, and TO has not acknowledged it; extra: TO acknowledges what FROM's ledger "
                "does not show.");
  }
  return same && clean ? 0 : 1;
}

// The agreement that is meant: the one that was named, or the only one (with this partner).
Result<std::string> agreement_id(NodeClient& node, const Options& o) {
  TRY(const json::Document agreements, node.get("/api/v1/agreements"));
  std::vector<std::string> found;
  for (const json::Value a : list_at(agreements.root(), "agreements")) {
    const std::string id(json::find_string(a, "agreement_id").value_or(""));
    if (!o.agreement.empty() && exchange::bare_uuid(o.agreement) != exchange::bare_uuid(id)) continue;
    const auto partners = json::string_list(json::find_array(a, "partners"));
    if (!o.party.empty() && std::find(partners.begin(), partners.end(), o.party) == partners.end()) continue;
    found.push_back(id);
  }
  if (found.empty())
    return make_error(ErrorKind::kNotFound, "there is no such agreement", o.agreement, "see 'entente agreement state'");
  if (found.size() > 1) return invalid("several agreements match", o.party, "name one with --agreement ID");
  return found.front();
}

Result<int> keep(const Options& o, std::string text, const char* what) {
  if (!text.ends_with('\n')) text += '\n';
  if (o.out.empty()) {
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  PosixFiles files;
  CHECK_OK(files.write_atomic(o.out, text, 0600));
  std::fprintf(stderr, "%s: %s octets; check it with 'entente ledger verify %s'\n", what, grouped(text.size()).c_str(),
               o.out.c_str());
  return 0;
}

Result<int> evidence(Context&, const Options& o) {
  TRY(NodeClient node, NodeClient::connect(o.target));
  TRY(const std::string id, agreement_id(node, o));
  Node body = Node::object();
  body.set("agreement_id", id).set("with", o.party);
  if (!o.object.empty()) body.set("kind", "object").set("value", o.object);
  if (!o.claim.empty()) body.set("kind", "claim").set("value", o.claim);
  if (o.conflict) body.set("kind", "conflict");
  TRY(const json::Document doc, node.post("/api/v1/ledger/evidence", json::write(body)));
  return keep(o, json::canonical(doc.root()), "evidence");
}

// To whom something that surfaced elsewhere was given.
Result<int> trace(Context& cx, const Options& o) {
  TRY(NodeClient node, NodeClient::connect(o.target));
  std::string what = o.object;
  if (!o.file.empty()) {
    TRY(const std::string text, read_input(o.file));
    what = sha256_hex(text);
  }
  if (what.empty()) return invalid("nothing is named", {}, "give an ID, or --file with the object's octets");
  TRY(const json::Document doc, node.get("/api/v1/ledger/trace?what=" + net::url_encode(what)));
  Table t({"given to", "agreement", "at (UTC)", "ledger entry", "sent as", "version", "article"});
  size_t n = 0;
  for (const json::Value g : list_at(doc.root(), "given")) {
    ++n;
    if (cx.json) {
      std::puts(json::write(Node::from(g)).c_str());
      continue;
    }
    const auto text = [&](const char* name) { return std::string(json::find_string(g, name).value_or("")); };
    t.row({text("to"), text("agreement_id"), text("at").substr(0, 19),
           grouped(static_cast<uint64_t>(json::find_int(g, "leaf").value_or(0))), text("sent_id"), text("version"),
           text("article")});
  }
  if (!cx.json) {
    if (n == 0)
      std::puts("It was given to nobody under this name or with these octets.");
    else
      t.print();
  }
  return n > 0 ? 0 : 1;
}

Result<int> open_private(Context&, const Options& o) {
  TRY(NodeClient node, NodeClient::connect(o.target));
  TRY(const std::string id, agreement_id(node, o));
  Node list = Node::array();
  for (const uint64_t n : o.leaves) list.push(n);
  Node body = Node::object();
  body.set("agreement_id", id).set("leaves", std::move(list));
  TRY(const json::Document doc, node.post("/api/v1/ledger/open", json::write(body)));
  return keep(o, json::canonical(doc.root()), "opened leaves");
}

Result<int> private_leaves(Context& cx, const Options& o) {
  TRY(NodeClient node, NodeClient::connect(o.target));
  Table t({"leaf", "time (UTC)", "kind", "to"});
  for (uint64_t from = 0;;) {
    TRY(const json::Document doc, node.get("/api/v1/ledger/private?from=" + std::to_string(from)));
    const auto rows = list_at(doc.root(), "leaves");
    if (rows.empty()) break;
    for (const json::Value row : rows) {
      const auto index = static_cast<uint64_t>(json::find_int(row, "index").value_or(0));
      from = index + 1;
      const auto leaf = ledger::parse_leaf(json::find_string(row, "leaf").value_or(""));
      if (!leaf.ok() || (!o.kind.empty() && leaf->kind != o.kind)) continue;
      if (cx.json) {
        Node n = Node::object();
        n.set("leaf", index).set("at", to_text(leaf->at)).set("kind", leaf->kind).set("to", leaf->recipient);
        std::puts(json::write(n).c_str());
      } else {
        t.row({grouped(index), to_text(leaf->at).substr(0, 19), leaf->kind, leaf->recipient});
      }
    }
  }
  if (!cx.json) t.print();
  return 0;
}

Result<int> conflicts(Context& cx, const Options& o) {
  TRY(NodeClient node, NodeClient::connect(o.target));
  TRY(const json::Document doc, node.get("/api/v1/ledger/conflicts"));
  Table t({"agreement", "ledger of", "since (UTC)", "what cannot be true"});
  for (const json::Value c : list_at(doc.root(), "conflicts")) {
    if (cx.json) {
      std::puts(json::write(Node::from(c)).c_str());
      continue;
    }
    const auto text = [&](const char* name) { return std::string(json::find_string(c, name).value_or("")); };
    t.row({text("agreement_id"), text("party"), text("at").substr(0, 19), text("problem")});
  }
  if (cx.json) return 0;
  if (t.empty())
    std::puts("No ledger of a partner contradicts itself.");
  else
    t.print();
  return 0;
}

Result<int> settle(Context& cx, const Options& o) {
  TRY(NodeClient node, NodeClient::connect(o.target));
  Node body = Node::object();
  body.set("agreement_id", o.agreement).set("party", o.party).set("reason", o.reason);
  TRY(const json::Document doc, node.post("/api/v1/ledger/settle", json::write(body)));
  if (cx.json)
    std::puts(json::write(Node::from(doc.root())).c_str());
  else
    std::printf("settled: objects go to %s again; the leaf \"conflict\" stays, and \"settlement\" stands beside it\n",
                o.party.c_str());
  return 0;
}

}  // namespace

void add_ledger_commands(CLI::App& app, Context& cx) {
  auto* l = app.add_subcommand("ledger", "audit, prove, verify and reconcile");
  l->require_subcommand(1);
  auto o = std::make_shared<Options>();
  const auto where = [o](CLI::App* c) {
    c->add_option("--dir", o->dir, "a node's folder: all its ledgers");
    c->add_option("--agreement", o->agreement, "only the one of this agreement");
    c->add_option("--ledger", o->folder, "or: a folder of tiles");
    c->add_option("--origin", o->origin, "with --ledger, --url: name in its checkpoint, entente/<party>/<uuid>");
    c->add_option("--key", o->key, "with --ledger, --url: the log's public key, 64 hex digits");
  };
  const auto served = [o](CLI::App* c) {
    c->add_option("--url", o->url,
                  "or: one that a node serves, https://HOST:PORT/ledger/UUID (…/mirror/PARTY: its copy)");
    c->add_option("--pin", o->pin, "with --url: SHA-256 of the server's TLS key, 64 hex digits");
    c->add_option("--token-file", o->token_file, "with --url: file with an auditor's token");
    c->add_option("--tls-dir", o->tls_dir, "with --url: folder of the node whose TLS key is shown");
    c->add_option("--witness", o->witnesses, "NAME=KEY: must have cosigned the head; may be given several times");
  };
  auto* c = l->add_subcommand("audit", "every entry against its hash, every hash against the signed root");
  where(c);
  served(c);
  c->callback([&cx, o] { finish(cx, audit(cx, *o)); });
  c = l->add_subcommand("checkpoint", "the signed head");
  where(c);
  c->callback([&cx, o] { finish(cx, checkpoint(cx, *o)); });
  c = l->add_subcommand("prove", "a proof file for one entry");
  where(c);
  c->add_option("INDEX", o->index, "entry, from 0")->required();
  c->add_option("--out", o->out, "file (default: standard output)");
  c->callback([&cx, o] { finish(cx, prove(cx, *o)); });
  c = l->add_subcommand("verify", "check a proof file or an evidence package, with nothing but the file and the keys");
  c->add_option("FILE", o->file, "proof or evidence package")->required();
  c->add_option("--origin", o->origin, "of a proof: the log's name");
  c->add_option("--key", o->key, "of a proof: the log's public key, 64 hex digits");
  c->add_option("--text", o->text_hash, "of a package: SHA-256 of the agreement's text that must be the one in it");
  c->callback([&cx, o] { finish(cx, verify(cx, *o)); });
  c = l->add_subcommand("reconcile",
                        "what each side released against what the other acknowledged; computed at both ends");
  o->target.add_options(*c);
  c->add_option("--with", o->party, "the partner, for example JP")->required();
  c->add_option("--agreement", o->agreement, "only under this one");
  c->callback([&cx, o] { finish(cx, reconcile(cx, *o)); });
  c = l->add_subcommand("evidence", "one file that proves what was given, acknowledged, claimed or contradicted");
  o->target.add_options(*c);
  c->add_option("--with", o->party, "the partner, for example JP")->required();
  c->add_option("--agreement", o->agreement, "id; needed where there are several with this partner");
  auto* about = c->add_option_group("about", "all releases and receipts, or:");
  about->add_option("--object", o->object, "one object, by its id");
  about->add_option("--claim", o->claim, "a claim of a breach, by the hash of its act (or the beginning)");
  about->add_flag("--conflict", o->conflict, "what contradicts itself in the partner's ledger");
  about->require_option(0, 1);
  c->add_option("--out", o->out, "file (default: standard output)");
  c->callback([&cx, o] { finish(cx, evidence(cx, *o)); });
  c = l->add_subcommand("private", "leaves of the private log: number, time, kind");
  o->target.add_options(*c);
  c->add_option("--kind", o->kind, "only these: decision review operator config key clock");
  c->callback([&cx, o] { finish(cx, private_leaves(cx, *o)); });
  c = l->add_subcommand("open-private", "single leaves of the private log for an inspector, with proof of their age");
  o->target.add_options(*c);
  c->add_option("--leaf", o->leaves, "number of a leaf; may be given several times")->required();
  c->add_option("--agreement", o->agreement, "in whose ledger they are anchored");
  c->add_option("--out", o->out, "file (default: standard output)");
  c->callback([&cx, o] { finish(cx, open_private(cx, *o)); });
  c = l->add_subcommand("trace", "to whom was this given? For what surfaces where it should not be");
  o->target.add_options(*c);
  c->add_option("ID", o->object, "id, as it surfaced or as this node knows it");
  c->add_option("--file", o->file, "or: a file with the object's octets as they surfaced");
  c->callback([&cx, o] { finish(cx, trace(cx, *o)); });
  c = l->add_subcommand("conflicts", "ledgers of partners that contradict themselves");
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, conflicts(cx, *o)); });
  c = l->add_subcommand("settle", "a person has settled a conflict: objects go to the partner again");
  o->target.add_options(*c);
  c->add_option("--agreement", o->agreement, "id")->required();
  c->add_option("--party", o->party, "whose ledger")->required();
  c->add_option("--reason", o->reason, "stands in the ledger")->required();
  c->callback([&cx, o] { finish(cx, settle(cx, *o)); });
}

}  // namespace entente::cli
