// agreement new|check|show|diff, the acts, state, simulate
#include <cstdio>
#include <map>
#include <memory>
#include <set>

#include <CLI/CLI.hpp>

#include "agreement/act.h"
#include "agreement/decide.h"
#include "agreement/document.h"
#include "agreement/draft.h"
#include "base/files.h"
#include "base/uuid.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "node/config.h"
#include "stix/object.h"

namespace entente::cli {
namespace {

using json::Node;

struct NewOptions {
  std::vector<std::string> pairs;
  std::string title = "Memorandum of Cooperation in the field of cybersecurity";
  std::string out;
};

Result<int> make_new(Context& cx, const NewOptions& o) {
  PosixFiles files;
  agreement::Draft d;
  std::set<std::string> codes;
  for (const auto& path : o.pairs) {
    TRY(const std::string text, files.read(path));
    auto doc = json::parse(text);
    if (!doc.ok()) return doc.error().at(path);
    d.parties.push_back(Node::from(doc->root()));
    const std::string code(d.parties.back().string_at("party"));
    if (code.size() != 2)
      return invalid("this is not a party block", path, "give the party.json that 'entente init' wrote");
    if (!codes.insert(code).second) return invalid("the party is given twice", code);
  }
  if (d.parties.size() < 2) return invalid("an agreement needs two parties or more", {}, "give --pair twice");
  std::string names;
  for (const auto& c : codes) names += (names.empty() ? "" : ", ") + c;
  const std::string human = o.title + " between " + names +
                            ".\n\nReplace this file by the authentic text; then run 'entente agreement new' again or "
                            "put its SHA-256 and length into the document.\n";
  d.agreement_id = "urn:uuid:" + random_uuid().text();
  d.title = o.title;
  d.text_sha256 = sha256_hex(human);
  d.text_bytes = static_cast<int64_t>(human.size());
  const std::string text = json::write_pretty(agreement::draft_document(d)) + "\n";
  std::vector<agreement::Problem> problems;
  auto parsed = agreement::parse_document(text, &problems);
  if (!parsed.ok()) {
    for (const auto& p : problems) std::fprintf(stderr, "  %s: %s\n", p.pointer.c_str(), p.message.c_str());
    return std::move(parsed).error();
  }
  CHECK_OK(files.write_atomic(o.out, text, 0644));
  CHECK_OK(files.write_atomic(o.out + ".en.txt", human, 0644));
  if (cx.json) {
    Node n = Node::object();
    n.set("agreement_id", parsed->agreement_id)
        .set("file", o.out)
        .set("text_file", o.out + ".en.txt")
        .set("hash", parsed->hash);
    std::puts(json::write(n).c_str());
  } else {
    std::printf(
        "%s: agreement %s between %s\nhash %s\nThe human text it is bound to is %s.en.txt.\nNext: entente agreement "
        "propose %s --dir DIR\n",
        o.out.c_str(), parsed->agreement_id.c_str(), names.c_str(), parsed->hash.c_str(), o.out.c_str(), o.out.c_str());
  }
  return 0;
}

Result<agreement::Document> load(const std::string& file, std::vector<agreement::Problem>& problems) {
  TRY(const std::string text, read_input(file));
  return agreement::parse_document(text, &problems);
}

Result<int> check(Context& cx, const std::string& file) {
  std::vector<agreement::Problem> problems;
  auto doc = load(file, problems);
  if (!doc.ok() && problems.empty()) return doc.error().at(file);
  if (cx.json) {
    Node n = Node::object();
    Node list = Node::array();
    for (const auto& p : problems) {
      Node one = Node::object();
      one.set("pointer", p.pointer).set("message", p.message);
      list.push(std::move(one));
    }
    n.set("ok", doc.ok()).set("problems", std::move(list));
    if (doc.ok()) n.set("agreement_id", doc->agreement_id).set("hash", doc->hash);
    std::puts(json::write(n).c_str());
    return doc.ok() ? 0 : 1;
  }
  if (!doc.ok()) {
    std::printf("%s is not a valid agreement: %zu problem(s)\n", file.c_str(), problems.size());
    Table t({"where", "what, and what would change it"});
    for (const auto& p : problems) t.row({p.pointer.empty() ? "/" : p.pointer, p.message});
    t.print();
    return 1;
  }
  std::map<std::string, int> coverage;
  for (const auto& [_, machine] : doc->articles) ++coverage[machine];
  std::printf("%s is valid: %s, version %lld\nhash %s\n%d article(s) enforced, %d evidenced, %d for people\n",
              file.c_str(), doc->agreement_id.c_str(), static_cast<long long>(doc->version), doc->hash.c_str(),
              coverage["enforced"], coverage["evidenced"], coverage["human"]);
  return 0;
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const auto& s : list) out += (out.empty() ? "" : ", ") + s;
  return out;
}

Result<int> show(Context& cx, const std::string& file) {
  std::vector<agreement::Problem> problems;
  auto doc = load(file, problems);
  if (!doc.ok()) return doc.error().at(file);
  if (cx.json) {
    std::puts(json::write(doc->node).c_str());
    return 0;
  }
  std::printf("%s\n%s, version %lld, hash %s\n\n", doc->title.c_str(), doc->agreement_id.c_str(),
              static_cast<long long>(doc->version), doc->hash.c_str());
  Table parties({"party", "name", "keys", "TLS keys"});
  for (const auto& p : doc->parties)
    parties.row({p.party, p.name, std::to_string(p.keys.size()), std::to_string(p.tls_spki_sha256.size())});
  parties.print();
  std::puts("\nWhat flows");
  Table flows({"article", "flow", "effect", "from", "to", "types", "sectors", "handled at least as", "at most marked",
               "unmarked counts as"});
  for (const auto& f : doc->flows) {
    const std::string types =
        f.object_types.size() > 4 ? std::to_string(f.object_types.size()) + " types" : joined(f.object_types);
    flows.row({f.art, f.id, f.permit ? "permit" : "forbid", joined(f.from), joined(f.to), types, joined(f.sectors),
               std::string(stix::to_text(f.floor)), std::string(stix::to_text(f.ceiling)),
               f.unmarked ? std::string(stix::to_text(*f.unmarked)) : "withhold"});
  }
  flows.print();
  std::puts("\nWhat is protected");
  Table prot({"article", "protection", "method", "keeps"});
  for (const auto& p : doc->protections) prot.row({p.art, p.id, p.method, joined(p.keep)});
  prot.print();
  std::puts("\nWhat the receiver may do");
  Table act({"article", "block by machine", "confidence at least", "days at most", "never"});
  act.row({doc->actions.art, doc->actions.block_allowed ? "yes" : "no", std::to_string(doc->actions.min_confidence),
           std::to_string(doc->actions.max_block_days), joined(doc->actions.never)});
  act.print();
  std::puts("\nArticles");
  Table arts({"article", "by machine"});
  for (const auto& [art, machine] : doc->articles) arts.row({art, machine});
  arts.print();
  return 0;
}

void flatten(const Node& n, const std::string& at, std::map<std::string, std::string>& out) {
  if (n.is_object()) {
    for (const auto& [k, v] : n.members()) flatten(v, at + "/" + k, out);
  } else if (n.is_array()) {
    size_t i = 0;
    for (const auto& v : n.list()) {
      // Things with an id are compared by it, so that an insertion does not shift everything.
      std::string key = std::to_string(i++);
      for (const char* name : {"id", "kid", "party", "art", "lang"}) {
        if (const auto text = v.string_at(name); !text.empty()) {
          key = text;
          break;
        }
      }
      flatten(v, at + "/" + key, out);
    }
  } else {
    out[at] = json::write(n);
  }
}

Result<int> diff(const std::string& a_file, const std::string& b_file) {
  std::vector<agreement::Problem> problems;
  auto a = load(a_file, problems);
  if (!a.ok()) return a.error().at(a_file);
  auto b = load(b_file, problems);
  if (!b.ok()) return b.error().at(b_file);
  std::map<std::string, std::string> left;
  std::map<std::string, std::string> right;
  flatten(a->node, "", left);
  flatten(b->node, "", right);
  Table t({"where", "was", "becomes"});
  for (const auto& [k, v] : left) {
    const auto it = right.find(k);
    if (it == right.end()) {
      t.row({k, v, "(gone)"});
    } else if (it->second != v) {
      t.row({k, v, it->second});
    }
  }
  for (const auto& [k, v] : right) {
    if (!left.contains(k)) t.row({k, "(not there)", v});
  }
  if (t.empty()) {
    std::puts("the two documents say the same");
    return 0;
  }
  t.print();
  return 1;
}

struct ActOptions {
  Target target;
  std::string id;
  std::string file;
  std::vector<std::string> keys;
  std::string reason;
  std::string scope = "whole";
};

Result<int> act(Context& cx, const ActOptions& o, const std::string& kind) {
  if (o.target.dir.empty()) return invalid("an act is made with the keys of a node folder", {}, "give --dir DIR");
  TRY(const node::NodeConfig config, node::load_config(o.target.dir));
  TRY(NodeClient client, NodeClient::connect(o.target));
  SystemClock clock;
  agreement::Act a;
  a.kind = kind;
  a.party = config.party;
  a.effective_at = clock.now();
  a.body = Node::object();
  std::optional<agreement::Document> doc;
  std::string id = o.id;
  if (kind == "propose") {
    std::vector<agreement::Problem> problems;
    auto parsed = load(o.file, problems);
    if (!parsed.ok()) {
      for (const auto& p : problems)
        std::fprintf(stderr, "  %s: %s\n", p.pointer.empty() ? "/" : p.pointer.c_str(), p.message.c_str());
      return parsed.error().at(o.file);
    }
    doc = *parsed;
    id = doc->agreement_id;
    a.body.set("document", doc->node);
  }
  if (!id.starts_with("urn:uuid:")) id = "urn:uuid:" + id;
  a.agreement_id = id;
  auto known = client.get("/api/v1/agreements/" + net::url_encode(id));
  if (known.ok()) {
    const auto root = known->root();
    if (const auto last = json::find_object(root, "last_act")) {
      std::string_view hash;
      if ((*last)[config.party].get_string().get(hash) == simdjson::SUCCESS) a.prev_act = hash;
    }
    if (!doc) {
      json::Value document;
      if (root["document"].get(document) != simdjson::SUCCESS)
        return make_error(ErrorKind::kInternal, "the node's answer has no document", id);
      TRY(doc, agreement::parse_document(json::canonical(document)));
    }
  } else if (kind != "propose" || known.error().kind != ErrorKind::kNotFound) {
    return known.error();
  }
  a.text_version = doc->hash;
  if (kind == "suspend" || kind == "resume" || kind == "withdraw" || kind == "abandon") {
    if (kind == "suspend") a.body.set("scope", o.scope);
    a.body.set("reason", o.reason.empty() ? "not stated" : o.reason);
  }
  agreement::SignedAct s;
  s.act = a;
  if (!o.keys.empty()) {
    for (const auto& path : o.keys) {
      TRY(const SecretKey key, SecretKey::load(path));
      const std::string pub = key.public_key().to_hex();
      const agreement::Party* me = doc->party(config.party);
      const agreement::KeyRecord* record = nullptr;
      for (const auto& k : me == nullptr ? std::vector<agreement::KeyRecord>{} : me->keys) {
        if (k.public_hex == pub) record = doc->key(k.kid);
      }
      if (record == nullptr)
        return make_error(ErrorKind::kDenied, "this key is not one of the party's keys in the agreement", path);
      s.sigs.push_back(agreement::sign_act(a, record->kid, key));
    }
  } else {
    TRY(const auto needed, agreement::quorum_of(kind, *doc));
    for (const auto& [role, count] : needed) {
      for (int i = 1; i <= count; ++i) {
        const std::string file =
            config.key(role == "authority" ? "authority-" + std::to_string(i) + ".pem" : role + ".pem");
        auto key = SecretKey::load(file);
        if (!key.ok())
          return key.error().at("a " + kind + " needs " + std::to_string(count) + " key(s) of role " + role);
        s.sigs.push_back(agreement::sign_act(a, config.party + "/" + role + "/" + std::to_string(i), *key));
      }
    }
  }
  TRY(const json::Document answer, client.post("/api/v1/acts", s.text()));
  if (cx.json) {
    std::puts(json::write(Node::from(answer.root())).c_str());
    return 0;
  }
  std::printf("%s by %s: done (act %s)\nagreement %s is now %s\n", kind.c_str(), config.party.c_str(),
              std::string(json::find_string(answer.root(), "act").value_or("")).substr(0, 16).c_str(), id.c_str(),
              std::string(json::find_string(answer.root(), "state").value_or("")).c_str());
  for (const auto w : json::string_list(json::find_array(answer.root(), "waiting_for")))
    std::printf("  waiting for: %s\n", std::string(w).c_str());
  return 0;
}

Result<int> state(Context& cx, const Target& target, const std::string& id, const std::string& at) {
  TRY(NodeClient client, NodeClient::connect(target));
  std::vector<json::Document> docs;
  std::vector<json::Value> list;
  if (id.empty()) {
    TRY(json::Document all, client.get("/api/v1/agreements"));
    docs.push_back(std::move(all));
    if (const auto a = json::find_array(docs.back().root(), "agreements")) {
      for (const json::Value v : *a) list.push_back(v);
    }
  } else {
    std::string path = "/api/v1/agreements/" + net::url_encode(id.starts_with("urn:uuid:") ? id : "urn:uuid:" + id);
    if (!at.empty()) path += "?at=" + net::url_encode(at);
    TRY(json::Document one, client.get(path));
    docs.push_back(std::move(one));
    list.push_back(docs.back().root());
  }
  if (cx.json) {
    for (const auto& v : list) std::puts(json::write(Node::from(v)).c_str());
    return 0;
  }
  if (list.empty()) {
    std::puts("this node knows no agreement; make one with 'entente agreement new'");
    return 0;
  }
  Table t({"agreement", "state", "per party", "start (UTC)", "end (UTC)", "acts", "waiting for"});
  for (const auto& v : list) {
    std::string per;
    if (const auto o = json::find_object(v, "by_party")) {
      for (const auto m : *o) {
        std::string_view s;
        if (m.value.get_string().get(s) == simdjson::SUCCESS)
          per += (per.empty() ? "" : ", ") + std::string(m.key) + " " + std::string(s);
      }
    }
    std::string waiting;
    for (const auto w : json::string_list(json::find_array(v, "waiting_for")))
      waiting += (waiting.empty() ? "" : "; ") + std::string(w);
    const auto acts = json::find_array(v, "acts");
    t.row({std::string(json::find_string(v, "agreement_id").value_or("")),
           std::string(json::find_string(v, "state").value_or("")), per,
           std::string(json::find_string(v, "start").value_or("")),
           std::string(json::find_string(v, "end").value_or("")), std::to_string(acts ? acts->size() : 0), waiting});
  }
  t.print();
  if (!id.empty()) {
    std::puts("\nActs");
    Table acts({"time (UTC)", "party", "act", "signed by"});
    for (const auto text : json::string_list(json::find_array(list[0], "acts"))) {
      auto parsed = agreement::parse_signed_act(text);
      if (!parsed.ok()) continue;
      std::string by;
      for (const auto& s : parsed->sigs) by += (by.empty() ? "" : ", ") + s.kid;
      acts.row({to_text(parsed->act.effective_at), parsed->act.party, parsed->act.kind, by});
    }
    acts.print();
    if (const auto refused = json::find_array(list[0], "refused"); refused && refused->size() > 0) {
      std::puts("\nActs without effect");
      Table r({"act", "why"});
      for (const json::Value v : *refused)
        r.row({std::string(json::find_string(v, "kind").value_or("")),
               std::string(json::find_string(v, "why").value_or(""))});
      r.print();
    }
  }
  return 0;
}

struct SimulateOptions {
  std::string file, objects, from, to;
};

Result<int> simulate(Context& cx, const SimulateOptions& o) {
  std::vector<agreement::Problem> problems;
  auto doc = load(o.file, problems);
  if (!doc.ok()) return doc.error().at(o.file);
  for (const auto& p : {o.from, o.to}) {
    if (doc->party(p) == nullptr) return invalid("the document has no party " + p, o.file);
  }
  TRY(const std::string text, read_input(o.objects));
  TRY(const auto raws, stix::split_objects(text));
  SystemClock clock;
  agreement::State st;
  st.agreement_id = doc->agreement_id;
  st.kind = agreement::StateKind::kInForce;
  for (const auto& p : doc->parties) st.by_party[p.party] = agreement::StateKind::kInForce;
  st.start = Time{0};
  st.document = *doc;
  std::vector<agreement::GraphObject> graph;
  for (const auto raw : raws) {
    agreement::GraphObject g;
    g.raw = raw;
    g.originator = o.from;
    g.committed = clock.now();
    graph.push_back(g);
  }
  agreement::Inputs in;
  in.me = o.from;
  in.recipient = o.to;
  in.at = clock.now();
  const std::vector<agreement::State> instruments{st};
  in.instruments = instruments;
  in.pseudonym_keys[doc->agreement_id] = std::string(32, 's');
  const auto decisions = agreement::decide(graph, in);
  std::map<std::string, uint64_t> counts;
  Table t({"object", "verdict", "article", "reason", "what would change it"});
  for (const auto& d : decisions) {
    const char* verdict = d.verdict == agreement::Verdict::kReleased   ? "released"
                          : d.verdict == agreement::Verdict::kRedacted ? "redacted"
                          : d.verdict == agreement::Verdict::kKnown    ? "known"
                                                                       : "withheld";
    ++counts[verdict];
    json::Document parsed;
    CHECK_OK(parsed.parse(graph[d.object].raw));
    const std::string id(json::find_string(parsed.root(), "id").value_or(""));
    if (cx.json) {
      Node n = Node::object();
      Node reasons = Node::array();
      for (const auto& r : d.reasons) reasons.push(std::string(r.code));
      n.set("id", id).set("verdict", verdict).set("article", d.article).set("reasons", std::move(reasons));
      std::puts(json::write(n).c_str());
      continue;
    }
    std::string codes;
    std::string note;
    std::string article = d.article;
    for (const auto& r : d.reasons) {
      codes += (codes.empty() ? "" : ", ") + std::string(r.code);
      if (note.empty()) note = r.note;
      if (article.empty()) article = r.article;
    }
    t.row({id, verdict, article, codes, note});
  }
  if (!cx.json) {
    t.print();
    std::printf("\n%s to %s under this text: %s released, %s redacted, %s withheld\n", o.from.c_str(), o.to.c_str(),
                grouped(counts["released"]).c_str(), grouped(counts["redacted"]).c_str(),
                grouped(counts["withheld"]).c_str());
  }
  return 0;
}

}  // namespace

void add_agreement_commands(CLI::App& app, Context& cx) {
  auto* a = app.add_subcommand("agreement", "make, examine and act on agreements");
  a->require_subcommand(1);
  auto made = std::make_shared<NewOptions>();
  auto* c = a->add_subcommand("new", "write a starting document for two parties or more");
  c->add_option("--pair", made->pairs, "a party's block (party.json of its node), once per party")->required();
  c->add_option("--title", made->title, "title");
  c->add_option("FILE", made->out, "file to write")->required();
  c->callback([&cx, made] { finish(cx, make_new(cx, *made)); });
  auto file = std::make_shared<std::string>();
  auto file2 = std::make_shared<std::string>();
  c = a->add_subcommand("check", "is the document valid, and what does a machine enforce of it");
  c->add_option("FILE", *file, "document")->required();
  c->callback([&cx, file] { finish(cx, check(cx, *file)); });
  c = a->add_subcommand("show", "the document as a page for people");
  c->add_option("FILE", *file, "document")->required();
  c->callback([&cx, file] { finish(cx, show(cx, *file)); });
  c = a->add_subcommand("diff", "what a new text changes (exit 1 if anything)");
  c->add_option("OLD", *file, "document")->required();
  c->add_option("NEW", *file2, "document")->required();
  c->callback([&cx, file, file2] { finish(cx, diff(*file, *file2)); });

  struct Verb {
    const char* name;
    const char* kind;
    const char* help;
  };
  constexpr Verb kVerbs[] = {{"propose", "propose", "propose a text (nothing may be exchanged yet)"},
                             {"initial", "initial", "initial the text: it is final, nobody is bound"},
                             {"sign", "sign", "sign: a plenipotentiary and an authority, two persons"},
                             {"notify", "notify_completed", "notify that internal procedures are complete"},
                             {"suspend", "suspend", "suspend at once; permits stop, duties stay"},
                             {"resume", "resume", "end one's own suspension"},
                             {"withdraw", "withdraw", "give notice of withdrawal"},
                             {"abandon", "abandon", "give up talks before signature"}};
  for (const auto& v : kVerbs) {
    auto o = std::make_shared<ActOptions>();
    c = a->add_subcommand(v.name, v.help);
    if (std::string(v.name) == "propose") {
      c->add_option("FILE", o->file, "document")->required();
    } else {
      c->add_option("ID", o->id, "agreement id")->required();
    }
    o->target.add_options(*c);
    c->add_option("--key", o->keys, "key file(s) to sign with (default: those in DIR/keys that the quorum needs)");
    c->add_option("--reason", o->reason, "why, for the record");
    if (std::string(v.name) == "suspend") c->add_option("--scope", o->scope, "whole, or flow:ID");
    c->callback([&cx, o, kind = std::string(v.kind)] { finish(cx, act(cx, *o, kind)); });
  }
  auto target = std::make_shared<Target>();
  auto id = std::make_shared<std::string>();
  auto at = std::make_shared<std::string>();
  c = a->add_subcommand("state", "state per party, computed from the acts");
  c->add_option("ID", *id, "one agreement, with its acts");
  c->add_option("--at", *at, "as it stood at this time (RFC 3339)");
  target->add_options(*c);
  c->callback([&cx, target, id, at] { finish(cx, state(cx, *target, *id, *at)); });
  auto sim = std::make_shared<SimulateOptions>();
  c = a->add_subcommand("simulate", "what would flow under this text, if it were in force");
  c->add_option("FILE", sim->file, "document")->required();
  c->add_option("--objects", sim->objects, "STIX objects")->required();
  c->add_option("--from", sim->from, "releasing party")->required();
  c->add_option("--to", sim->to, "recipient")->required();
  c->callback([&cx, sim] { finish(cx, simulate(cx, *sim)); });
}

}  // namespace entente::cli
