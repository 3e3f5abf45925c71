// agreement new, revise, new-project, state
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>

#include <CLI/CLI.hpp>

#include "agreement/act.h"
#include "agreement/document.h"
#include "agreement/draft.h"
#include "base/files.h"
#include "base/uuid.h"
#include "cli/internal/agreement_commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "node/config.h"
#include "stix/marking.h"

namespace entente::cli {
namespace {

using json::Node;

// What the fields of a starting document are for and what there is to decide: a document itself holds nothing that is
// no rule, so this stands beside it.
constexpr std::string_view kNotes = R"(# How to read and change FILE

Nothing is signed yet. Change the document, run `entente agreement check FILE` after each change, `entente agreement show FILE` to read it as a page, and
`entente agreement simulate FILE --objects … --from … --to …` to see what would flow. Every change gives another hash, and the hash is what is signed.

| where | what to decide |
|---|---|
| `title`, `authentic_texts` | the human text, one entry per language, bound by SHA-256 and length; at most one `prevails` |
| `articles` | the articles of the human text; `machine` says who sees to it: `enforced` (nodes), `evidenced` (ledgers show it), `human` |
| `parties` | each party's block comes from its own node (`party.json`); compare the fingerprints on paper. `keys[].custodian`: salted hash of the person |
| `signing.act` | who signs what: role and number of persons. `narrow` stays the smallest; `sign`, `amend`, `resume` need two persons |
| `scope` | sectors, purposes, pillars. Purposes are evidence for people; no machine reads minds |
| `flows` | the only source of permission. `tlp_ceiling`: marked stricter is not sent. `tlp_floor`: least handling at the receiver. `unmarked`: counts as, or `withhold`. A `forbid` beats every permit |
| `actions` | may the receiver's machines block, from which confidence, how long, and what never |
| `originator_control` | whose consent it takes to pass on; silence is no. `third_party_states` is for people |
| `protection` | what is taken out before anything leaves: victims, their addresses, who reported |
| `retention` | days at the receiver by marking; `on_end`: `delete`, `delete_unless_open_case`, `return` (handed back and confirmed first), `keep` |
| `service_levels` | duties with a clock that both ledgers show |
| `duration` | start (`on_last_signature`, `on_last_notification`, `on_nth_notification`, `fixed_date`), provisional application, term, renewal, suspension, withdrawal, what survives |
| `accession`, `declarations` | may others accede, may they narrow what they take part in |
| `ledger` | how old a checkpoint may be, and who witnesses |
)";

struct NewOptions {
  std::vector<std::string> pairs;
  std::string title = "Memorandum of Cooperation in the field of cybersecurity";
  std::string out, from;
};

// An example with the parties' own blocks in place of its placeholders, and an id of its own.
Result<Node> from_example(const std::string& path, const agreement::Draft& d, const std::set<std::string>& codes) {
  TRY(const std::string text, read_input(path));
  auto doc = json::parse(text);
  if (!doc.ok()) return doc.error().at(path);
  Node n = Node::from(doc->root());
  const Node* parties = n.find("parties");
  std::set<std::string> there;
  if (parties != nullptr && parties->is_array())
    for (const Node& p : parties->list()) there.emplace(p.string_at("party"));
  if (there != codes)
    return invalid("the example is between other parties", path, "give the party block of each, and of nobody else");
  n.set("agreement_id", d.agreement_id).set("version", 1).set("prev", Node()).set("parties", Node(d.parties));
  return n;
}

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
  Node document = agreement::draft_document(d);
  if (!o.from.empty()) {
    TRY(document, from_example(o.from, d, codes));
  }
  const std::string text = json::write_pretty(document) + "\n";
  std::vector<agreement::Problem> problems;
  auto parsed = agreement::parse_document(text, &problems);
  if (!parsed.ok()) {
    for (const auto& p : problems) std::fprintf(stderr, "  %s: %s\n", p.pointer.c_str(), p.message.c_str());
    return std::move(parsed).error();
  }
  CHECK_OK(files.write_atomic(o.out, text, 0644));
  if (o.from.empty()) CHECK_OK(files.write_atomic(o.out + ".en.txt", human, 0644));
  std::string notes(kNotes);
  for (size_t at = notes.find("FILE"); at != std::string::npos; at = notes.find("FILE", at + o.out.size()))
    notes.replace(at, 4, o.out);
  CHECK_OK(files.write_atomic(o.out + ".notes.md", notes, 0644));
  if (cx.json) {
    Node n = Node::object();
    n.set("agreement_id", parsed->agreement_id).set("file", o.out).set("hash", parsed->hash);
    if (o.from.empty()) n.set("text_file", o.out + ".en.txt");
    std::puts(json::write(n).c_str());
  } else {
    std::printf(
        "%s: agreement %s between %s\nhash %s\n%s%s%s.notes.md says what there is to decide.\n"
        "Next: entente agreement propose %s --dir DIR\n",
        o.out.c_str(), parsed->agreement_id.c_str(), names.c_str(), parsed->hash.c_str(),
        o.from.empty() ? o.out.c_str() : "",
        o.from.empty() ? ".en.txt is the human text that it binds.\n"
                       : "The human texts are those that the example binds.\n",
        o.out.c_str(), o.out.c_str());
  }
  return 0;
}

struct ProjectOptions {
  std::string parent, out, id, host, until;
  std::vector<std::string> blocks;
};

// A project under an agreement: as wide as its parent lets it be but for the ceiling; to be narrowed by hand.
Result<int> make_project(Context& cx, const ProjectOptions& o) {
  std::vector<agreement::Problem> problems;
  auto parent = load_document(o.parent, problems);
  if (!parent.ok()) return parent.error().at(o.parent);
  PosixFiles files;
  Node participants = Node::array();
  for (const auto& p : parent->parties) participants.push(p.party);
  Node blocks = Node::array();
  for (const auto& path : o.blocks) {
    TRY(const std::string text, files.read(path));
    auto doc = json::parse(text);
    if (!doc.ok()) return doc.error().at(path);
    Node block = Node::from(doc->root());
    TRY([[maybe_unused]] const auto party, agreement::party_from(block));
    participants.push(block.string_at("party"));
    blocks.push(std::move(block));
  }
  Node n = Node::object();
  SystemClock clock;
  n.set("project_id", o.id).set("title", "Project " + o.id).set("level", "project");
  if (!o.host.empty()) n.set("host", o.host).set("host_consent", "required");
  n.set("participants", std::move(participants)).set("observers", Node::array());
  Node sectors = Node::array();
  for (const auto& s : parent->sectors) sectors.push(s);
  n.set("sectors", std::move(sectors));
  Node types = Node::array();
  for (const char* t :
       {"indicator", "vulnerability", "course-of-action", "relationship", "identity", "marking-definition"})
    types.push(t);
  // A machine channel of a project carries AMBER at most, and never more than its parent.
  stix::Tlp highest = stix::Tlp::kClear;
  for (const auto& f : parent->flows)
    if (f.permit) highest = std::max(highest, f.ceiling);
  const std::string ceiling(stix::to_text(std::min(highest, stix::Tlp::kAmber)));
  const std::string& floor = ceiling;
  n.set("object_types", std::move(types)).set("tlp_floor", floor).set("tlp_ceiling", ceiling);
  n.set("not_before", to_text(clock.now())).set("not_after", o.until).set("art", parent->duration_art);
  n.set("parties", std::move(blocks));
  CHECK_OK(files.write_atomic(o.out, json::write_pretty(n) + "\n", 0644));
  if (cx.json) {
    std::puts(json::write(Node::object().set("file", o.out).set("sha256", sha256_hex(json::canonical(n)))).c_str());
  } else {
    std::printf(
        "%s: project %s under %s\nNext: each parent party runs 'entente agreement open-project %s %s --dir DIR'\n",
        o.out.c_str(), o.id.c_str(), parent->agreement_id.c_str(), parent->agreement_id.c_str(), o.out.c_str());
  }
  return 0;
}

// The next version of a text, to be edited: the same, with its place in the chain of versions.
Result<int> revise(Context& cx, const std::string& from, const std::string& to) {
  std::vector<agreement::Problem> problems;
  auto doc = load_document(from, problems);
  if (!doc.ok()) return doc.error().at(from);
  Node n = doc->node;
  n.set("version", doc->version + 1).set("prev", doc->hash);
  PosixFiles files;
  if (files.read(to).ok())
    return make_error(ErrorKind::kConflict, "the file exists already", to, "nothing is written over a text");
  CHECK_OK(files.write_atomic(to, json::write_pretty(n) + "\n", 0644));
  if (cx.json) {
    std::puts(
        json::write(Node::object().set("file", to).set("version", doc->version + 1).set("prev", doc->hash)).c_str());
  } else {
    std::printf("%s: version %lld, to follow %s\nEdit it, compare it with 'entente agreement diff', then propose it.\n",
                to.c_str(), static_cast<long long>(doc->version) + 1, doc->hash.substr(0, 16).c_str());
  }
  return 0;
}

std::string joined_texts(const Node* list) {
  std::string out;
  for (const Node& x : list == nullptr ? Node::List{} : list->list()) out += (out.empty() ? "" : ", ") + x.string();
  return out;
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
    const Node whole = Node::from(list[0]);
    if (const Node* pillars = whole.find("pillars"); pillars != nullptr && !pillars->members().empty()) {
      std::puts("\nPillars");
      Table p({"pillar", "lead", "participants"});
      for (const auto& [name, pillar] : pillars->members())
        p.row({name, std::string(pillar.string_at("lead")), joined_texts(pillar.find("participants"))});
      p.print();
    }
    if (const Node* projects = whole.find("projects"); projects != nullptr && !projects->list().empty()) {
      std::puts("\nProjects");
      Table p({"project", "stage", "waiting for"});
      for (const Node& one : projects->list())
        p.row({std::string(one.string_at("project")), std::string(one.string_at("stage")),
               joined_texts(one.find("waiting_for"))});
      p.print();
    }
    if (const Node* unsure = whole.find("unsure"); unsure != nullptr && !unsure->list().empty()) {
      std::puts("\nThis node is not sure, and so in the narrow state");
      for (const Node& why : unsure->list()) std::printf("  %s\n", why.string().c_str());
    }
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

}  // namespace

Result<agreement::Document> load_document(const std::string& file, std::vector<agreement::Problem>& problems) {
  TRY(const std::string text, read_input(file));
  return agreement::parse_document(text, &problems);
}

void add_agreement_commands(CLI::App& app, Context& cx) {
  auto* a = app.add_subcommand("agreement", "make, examine and act on agreements");
  a->require_subcommand(1);
  auto made = std::make_shared<NewOptions>();
  auto* c = a->add_subcommand("new", "write a starting document for two parties or more");
  c->add_option("--pair", made->pairs, "a party's block (party.json of its node), once per party")->required();
  c->add_option("--title", made->title, "title");
  c->add_option("--from", made->from, "begin with this example (examples/agreements/) instead of the built-in draft");
  c->add_option("FILE", made->out, "file to write")->required();
  c->callback([&cx, made] { finish(cx, make_new(cx, *made)); });
  add_agreement_documents(*a, cx);
  auto revised = std::make_shared<std::pair<std::string, std::string>>();
  c = a->add_subcommand("revise", "write the next version of a text, to be edited and proposed");
  c->add_option("OLD", revised->first, "document")->required();
  c->add_option("NEW", revised->second, "file to write")->required();
  c->callback([&cx, revised] { finish(cx, revise(cx, revised->first, revised->second)); });
  auto project = std::make_shared<ProjectOptions>();
  c = a->add_subcommand("new-project", "write a starting block for a joint project under an agreement");
  c->add_option("PARENT", project->parent, "the agreement's document")->required();
  c->add_option("FILE", project->out, "file to write")->required();
  c->add_option("--id", project->id, "project id: a-z, 0-9 and -")->required();
  c->add_option("--until", project->until, "its end, RFC 3339")->required();
  c->add_option("--host", project->host, "code of the country where it works, if that is no party");
  c->add_option("--guest", project->blocks,
                "party block of a participant that is no party of the agreement (also the host's)");
  c->callback([&cx, project] { finish(cx, make_project(cx, *project)); });
  add_agreement_acts(*a, cx);
  auto target = std::make_shared<Target>();
  auto id = std::make_shared<std::string>();
  auto at = std::make_shared<std::string>();
  c = a->add_subcommand("state", "state per party, computed from the acts");
  c->add_option("ID", *id, "one agreement, with its acts");
  c->add_option("--at", *at, "as it stood at this time (RFC 3339)");
  target->add_options(*c);
  c->callback([&cx, target, id, at] { finish(cx, state(cx, *target, *id, *at)); });
}

}  // namespace entente::cli
