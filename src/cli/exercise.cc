// exercise new|agreement: a node beside the real one, with keys of its own, and a copy of an agreement for it
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "agreement/document.h"
#include "base/files.h"
#include "base/uuid.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "json/node.h"
#include "node/config.h"
#include "node/init.h"

namespace entente::cli {
namespace {

using json::Node;

struct ExerciseOptions {
  std::string dir, from, listen = "127.0.0.1:9443", document, out;
  std::vector<std::string> alt_names, parties;
};

Result<int> make(Context& cx, const ExerciseOptions& o) {
  TRY(const node::NodeConfig real, node::load_config(o.from));
  if (real.exercise)
    return make_error(ErrorKind::kInvalid, "this node is for exercises itself", o.from,
                      "give the folder of the node that it stands beside");
  node::InitOptions init;
  init.dir = o.dir;
  init.party = real.party;
  init.name = "EXERCISE " + real.name;
  init.listen = o.listen;
  init.alt_names = o.alt_names;
  init.exercise = true;
  SystemClock clock;
  TRY(const node::InitResult r, node::init_node(init, clock));
  if (cx.json) {
    Node n = Node::object();
    n.set("dir", r.dir).set("party", r.party).set("exercise", true).set("url", r.url).set("spki", r.spki);
    n.set("admin_token_file", r.admin_token_file).set("party_file", r.party_file);
    std::puts(json::write(n).c_str());
    return 0;
  }
  std::printf("EXERCISE: a node for exercises of %s is in %s. None of its keys acts outside exercises.\n\n",
              r.party.c_str(), r.dir.c_str());
  Table t({"what", "where"});
  t.row({"address", r.url});
  t.row({"TLS key to give partners (spki)", r.spki});
  t.row({"access token (admin)", r.admin_token_file});
  t.row({"party block for exercise agreements", r.party_file});
  t.print();
  return 0;
}

// The text of the real agreement, between the exercise keys of its parties.
Result<int> copy(Context& cx, const ExerciseOptions& o) {
  TRY(const std::string text, read_input(o.document));
  TRY(const json::Document doc, json::parse(text));
  Node n = Node::from(doc.root());
  TRY(const agreement::Document real, agreement::document_from(n));
  if (real.exercise) return invalid("this text is of an exercise already", o.document);
  Node parties = Node::array();
  for (const auto& file : o.parties) {
    TRY(const std::string block, read_input(file));
    TRY(const json::Document party, json::parse(block));
    Node one = Node::from(party.root());
    if (real.party(one.string_at("party")) == nullptr)
      return invalid("the agreement has no such party", file, "give the exercise party.json of each of its parties");
    parties.push(std::move(one));
  }
  n.set("agreement_id", "urn:uuid:" + random_uuid().text()).set("version", 1).set("prev", Node());
  n.set("exercise", true).set("parties", std::move(parties));
  if (Node* title = n.find("title"); title != nullptr && title->is_object()) {
    for (auto& [language, words] : title->members())
      if (words.is_string()) words = Node("EXERCISE: " + words.string());
  }
  if (Node* ledger = n.find("ledger"); ledger != nullptr && ledger->is_object()) {
    std::string quorum(ledger->string_at("quorum"));
    for (size_t at = quorum.find("/witness/"); at != std::string::npos; at = quorum.find("/witness/", at + 10))
      quorum.replace(at, 9, "/exercise-witness/");
    if (!quorum.empty()) ledger->set("quorum", quorum);
  }
  n.erase("projects");  // their documents bind keys of their own
  std::vector<agreement::Problem> problems;
  const auto made = agreement::document_from(n, &problems);
  if (!made.ok()) return made.error().at(o.document);
  if (made->parties.size() != real.parties.size())
    return invalid("not every party of the agreement is there", o.document, "give --party for each of them");
  PosixFiles files;
  CHECK_OK(files.write_atomic(o.out, json::write_pretty(n) + "\n", 0644));
  if (cx.json) {
    std::puts(json::write(Node::object().set("agreement_id", made->agreement_id).set("file", o.out)).c_str());
  } else {
    std::printf(
        "EXERCISE: %s is the same text between exercise keys, as %s\nNext: entente agreement propose %s --dir …\n",
        o.out.c_str(), made->agreement_id.c_str(), o.out.c_str());
  }
  return 0;
}

}  // namespace

void add_exercise_commands(CLI::App& app, Context& cx) {
  auto o = std::make_shared<ExerciseOptions>();
  auto* e = app.add_subcommand("exercise", "rehearse with keys and enforcers that cannot touch the real ones");
  e->require_subcommand(1);
  auto* c = e->add_subcommand("new", "make a node for exercises beside a real one");
  c->add_option("DIR", o->dir, "folder to make")->required();
  c->add_option("--from", o->from, "folder of the real node: party and name")->required();
  c->add_option("--listen", o->listen, "address and port")->capture_default_str();
  c->add_option("--alt-name", o->alt_names, "further names or addresses for the certificate");
  c->callback([&cx, o] { finish(cx, make(cx, *o)); });
  c = e->add_subcommand("agreement", "copy a real text for an exercise: same rules, exercise keys, an id of its own");
  c->add_option("DOCUMENT", o->document, "the real text")->required();
  c->add_option("OUT", o->out, "file to write")->required();
  c->add_option("--party", o->parties, "party.json of a node of 'exercise new', once per party")->required();
  c->callback([&cx, o] { finish(cx, copy(cx, *o)); });
}

}  // namespace entente::cli
