// The acts: each verb gathers what its act says (docs/format/acts.md), has it signed, and gives it to the node.
#include <algorithm>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "agreement/act.h"
#include "base/bytes.h"
#include "base/files.h"
#include "cli/internal/agreement_commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/signing.h"
#include "cli/internal/step.h"
#include "node/config.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  Target target;
  Secrets secrets;
  std::string id, file;
  std::vector<std::string> keys;
  std::string export_to, import_from;
  // What single verbs ask for.
  std::string reason, scope = "whole", text, at, party, request, project, role = "full", pillar, lead, flow, kid,
                      last_act;
  std::string key_role, new_key, not_after, custodian, contacts;
  std::vector<std::string> flows, passages, openings, revoke, tls_add, tls_revoke;
  bool lasting = false;
};

// What the node knows of an agreement, as far as an act needs it.
struct Known {
  bool there = false;
  std::optional<agreement::Document> document;
  std::vector<agreement::SignedAct> acts;
  std::map<std::string, std::string> last_act;
  std::vector<agreement::KeyRecord> my_keys;
  std::string start;
};

std::string full_id(const std::string& id) { return id.starts_with("urn:uuid:") ? id : "urn:uuid:" + id; }

Result<Node> read_json(const std::string& path) {
  TRY(const std::string text, read_input(path));
  auto doc = json::parse(text);
  if (!doc.ok()) return doc.error().at(path);
  return Node::from(doc->root());
}

// The party's keys: as its notices left them, as in the text, and as in the folder's own block, for who is no party of
// the text yet.
Status add_keys(const Node* list, std::vector<agreement::KeyRecord>& out) {
  if (list == nullptr || !list->is_array()) return {};
  for (const Node& k : list->list()) {
    Node whole = k;
    if (whole.find("alg") == nullptr) whole.set("alg", "Ed25519");
    TRY(auto record, agreement::key_from(whole));
    const auto same = [&](const agreement::KeyRecord& o) { return o.kid == record.kid; };
    if (std::none_of(out.begin(), out.end(), same)) out.push_back(std::move(record));
  }
  return {};
}

Result<Known> ask_node(NodeClient& client, const std::string& id, const node::NodeConfig& config) {
  Known k;
  auto answer = client.get("/api/v1/agreements/" + net::url_encode(id));
  PosixFiles files;
  std::optional<Node> own;
  if (auto text = files.read(config.dir + "/party.json"); text.ok()) {
    auto doc = json::parse(*text);
    if (doc.ok()) own = Node::from(doc->root());
  }
  if (!answer.ok()) {
    if (answer.error().kind != ErrorKind::kNotFound) return answer.error();
    if (own) CHECK_OK(add_keys(own->find("keys"), k.my_keys));
    return k;
  }
  const Node n = Node::from(answer->root());
  k.there = true;
  if (const Node* document = n.find("document")) {
    auto parsed = agreement::document_from(*document);
    if (!parsed.ok()) return std::move(parsed).error();
    k.document = std::move(*parsed);
  }
  if (const Node* acts = n.find("acts"); acts != nullptr && acts->is_array())
    for (const Node& a : acts->list())
      if (auto act = agreement::parse_signed_act(a.string()); act.ok()) k.acts.push_back(std::move(*act));
  if (const Node* last = n.find("last_act"); last != nullptr && last->is_object())
    for (const auto& [party, hash] : last->members()) k.last_act[party] = hash.string();
  k.start = std::string(n.string_at("start"));
  if (const Node* parties = n.find("parties"))
    if (const Node* me = parties->find(config.party)) CHECK_OK(add_keys(me->find("keys"), k.my_keys));
  const bool of_text = k.document && k.document->party(config.party) != nullptr;
  if (k.my_keys.empty() && of_text) k.my_keys = k.document->party(config.party)->keys;
  if (!of_text && own) CHECK_OK(add_keys(own->find("keys"), k.my_keys));
  return k;
}

// The hash of an act of this kind by this party, the newest; or the one whose hash begins so.
Result<std::string> act_hash(const Known& k, std::string_view kind, const std::string& party,
                             const std::string& begins) {
  std::string found;
  size_t n = 0;
  for (const auto& a : k.acts) {
    if (a.act.kind != kind || (!party.empty() && a.act.party != party)) continue;
    const std::string hash = a.act.hash();
    if (!hash.starts_with(begins)) continue;
    found = hash;
    ++n;
  }
  if (n == 0)
    return make_error(ErrorKind::kNotFound,
                      fmt::format("this node knows no {} of {}", kind, party.empty() ? "anybody" : party), begins,
                      "see 'entente agreement state ID'");
  if (n > 1)
    return make_error(ErrorKind::kConflict, fmt::format("there are {} acts {} of {}", n, kind, party), begins,
                      "say which one: --request HASH");
  return found;
}

// A text that was proposed after the one in force: by the beginning of its hash, or the only one.
Result<std::string> later_text(const Known& k, const std::string& begins) {
  std::string found;
  size_t n = 0;
  for (const auto& a : k.acts) {
    if (a.act.kind != "propose" || a.act.text_version == k.document->hash) continue;
    const Node* doc = a.act.body.find("document");
    const Node* version = doc == nullptr ? nullptr : doc->find("version");
    const bool next = version != nullptr && version->is_int() && version->integer() > k.document->version;
    if (begins.empty() ? !next : !a.act.text_version.starts_with(begins)) continue;
    if (found != a.act.text_version) ++n;
    found = a.act.text_version;
  }
  if (n == 0)
    return make_error(ErrorKind::kNotFound, "no later text has been proposed", begins,
                      "write one with 'entente agreement revise' and propose it");
  if (n > 1)
    return make_error(ErrorKind::kConflict, "several later texts have been proposed", begins,
                      "say which one: --text HASH");
  return found;
}

Result<Node> scope_node(const std::string& scope) {
  if (scope == "whole") return Node("whole");
  const size_t colon = scope.find(':');
  const std::string kind = scope.substr(0, colon);
  if (colon == std::string::npos || (kind != "flow" && kind != "sector" && kind != "party" && kind != "project"))
    return invalid("this is no scope", scope, "one of whole, flow:ID, sector:NAME, party:CODE, project:ID");
  return Node::object().set(kind, scope.substr(colon + 1));
}

Node texts(const std::vector<std::string>& list) {
  Node out = Node::array();
  for (const auto& s : list) out.push(s);
  return out;
}

// The hash of the project as the parties ask to open it.
Result<std::string> project_hash(const Known& k, const std::string& id) {
  std::string found;
  for (const auto& a : k.acts) {
    const Node* p = a.act.kind == "open_project" ? a.act.body.find("project") : nullptr;
    if (p == nullptr || p->string_at("project_id") != id) continue;
    const std::string hash = sha256_hex(json::canonical(*p));
    if (!found.empty() && found != hash)
      return make_error(ErrorKind::kConflict, "the parties ask for two different projects of that id", id,
                        "wait until they agree on one text");
    found = hash;
  }
  if (found.empty())
    return make_error(ErrorKind::kNotFound, "nobody has asked to open this project", id,
                      "each parent party does with 'entente agreement open-project'");
  return found;
}

// The same body from all: what the newcomer itself, or another, has said already.
Result<Node> join_body(const Known& k, const Options& o, const std::string& me, const std::string& dir) {
  const std::string code = o.party.empty() ? me : o.party;
  if (o.file.empty()) {
    for (auto a = k.acts.rbegin(); a != k.acts.rend(); ++a) {
      const Node* party = a->act.kind == "join_project" ? a->act.body.find("party") : nullptr;
      if (party != nullptr && party->string_at("party") == code && a->act.body.string_at("project") == o.project)
        return a->act.body;
    }
    if (code != me)
      return make_error(ErrorKind::kNotFound, code + " has not asked to join this project", o.project,
                        "let it ask first, or give its party block: --party-file");
  }
  TRY(Node block, read_json(o.file.empty() ? dir + "/party.json" : o.file));
  Node n = Node::object();
  n.set("project", o.project).set("party", std::move(block)).set("role", o.role);
  return n;
}

// A notice: rotation, revocation, contacts, TLS keys. New keys sign it too.
Result<Node> notice_body(const Options& o, const node::NodeConfig& config, Time now,
                         std::vector<agreement::KeyRecord>& new_records) {
  Node n = Node::object();
  if (!o.contacts.empty()) {
    TRY(Node list, read_json(o.contacts));
    n.set("contacts", std::move(list));
  }
  if (!o.new_key.empty()) {
    if (o.key_role.empty() || o.kid.empty())
      return invalid("a new key needs a role and a name", o.new_key,
                     "give --role authority --kid " + config.party + "/authority/3");
    auto key = open_signing_key(o.new_key, o.secrets.ask());
    if (!key.ok()) return std::move(key).error();
    Node k = Node::object();
    const int64_t day = 86'400'000'000;
    const Time until = now.plus_us((o.key_role == "authority" ? 1095 : 365) * day);
    k.set("kid", o.kid).set("role", o.key_role).set("alg", "Ed25519").set("public", (*key)->public_key().to_hex());
    k.set("not_before", to_text(now)).set("not_after", o.not_after.empty() ? to_text(until) : o.not_after);
    if (!o.custodian.empty()) k.set("custodian", o.custodian);
    TRY(auto record, agreement::key_from(k));
    new_records.push_back(std::move(record));
    n.set("add", Node(Node::List{k}));
  }
  if (!o.revoke.empty()) {
    Node list = Node::array();
    for (const auto& kid : o.revoke) {
      Node one = Node::object().set("kid", kid);
      if (!o.last_act.empty()) one.set("last_act", o.last_act);
      list.push(std::move(one));
    }
    n.set("revoke", std::move(list));
  }
  if (!o.tls_add.empty()) n.set("tls_add", texts(o.tls_add));
  if (!o.tls_revoke.empty()) n.set("tls_revoke", texts(o.tls_revoke));
  return n;
}

Result<Node> body_of(const std::string& kind, const Options& o, const Known& k, const node::NodeConfig& config,
                     Time now, std::vector<agreement::KeyRecord>& new_records) {
  Node n = Node::object();
  if (!o.reason.empty()) n.set("reason", o.reason);
  if (kind == "annex_notice") return notice_body(o, config, now, new_records);
  if (kind == "open_project") {
    TRY(Node project, read_json(o.file));
    return Node::object().set("project", std::move(project));
  }
  if (kind == "suspend" || kind == "resume") {
    TRY(Node scope, scope_node(o.scope));
    n.set("scope", std::move(scope));
  }
  if ((kind == "sign" || kind == "deposit_accession") && !o.flows.empty())
    n.set("declarations", Node::object().set("flows", texts(o.flows)));
  if (kind == "apply_provisionally") n.set("flows", texts(o.flows));
  if (kind == "certify_start") {
    if (o.at.empty() && k.start.empty())
      return make_error(ErrorKind::kConflict, "the start is not known yet", o.id,
                        "every party notifies first, or give --at");
    n.set("start", o.at.empty() ? k.start : o.at);
    if (!o.party.empty()) n.set("party", o.party);
  }
  if (kind == "end_by_consent" && !o.at.empty()) n.set("at", o.at);
  if (kind == "correct_error") n.set("corrected", texts(o.passages));
  if (kind == "claim_mismatch") n.set("flow", o.flow);
  if (kind == "claim_breach" && !o.openings.empty()) n.set("openings", texts(o.openings));
  if (kind == "object") n.set("party", o.party);
  if (kind == "request_accession") {
    TRY(Node block, read_json(o.file.empty() ? config.dir + "/party.json" : o.file));
    n.set("party", std::move(block));
  }
  if (kind == "consent_accession" || kind == "deposit_accession") {
    TRY(const std::string hash,
        act_hash(k, "request_accession", kind == "deposit_accession" ? config.party : o.party, o.request));
    n.set("request", hash);
  }
  if (kind == "join_pillar" || kind == "leave_pillar" || kind == "lead_pillar") n.set("pillar", o.pillar);
  if (kind == "lead_pillar" && !o.lead.empty()) n.set("lead", o.lead);
  if (kind == "close_project") n.set("project", o.project);
  if (kind == "host_consent") {
    TRY(const std::string hash, project_hash(k, o.project));
    n.set("project", o.project).set("sha256", hash);
  }
  if (kind == "join_project") return join_body(k, o, config.party, config.dir);
  return n;
}

Result<int> submit(Context& cx, NodeClient& client, const agreement::SignedAct& s) {
  TRY(const json::Document answer, client.post("/api/v1/acts", s.text()));
  if (cx.json) {
    std::puts(json::write(Node::from(answer.root())).c_str());
    return 0;
  }
  std::printf("%s by %s: done (act %s)\nagreement %s is now %s\n", s.act.kind.c_str(), s.act.party.c_str(),
              std::string(json::find_string(answer.root(), "act").value_or("")).substr(0, 16).c_str(),
              s.act.agreement_id.c_str(), std::string(json::find_string(answer.root(), "state").value_or("")).c_str());
  for (const auto w : json::string_list(json::find_array(answer.root(), "waiting_for")))
    std::printf("  waiting for: %s\n", std::string(w).c_str());
  return 0;
}

Result<int> import_request(Context& cx, const std::string& file, const std::string& kind, const Target& target) {
  TRY(const SigningRequest r, read_signed(file, kind));
  TRY(NodeClient client, NodeClient::connect(target));
  return submit(cx, client, r.act);
}

Result<int> act(Context& cx, const Options& o, const std::string& kind) {
  if (!o.import_from.empty()) return import_request(cx, o.import_from, kind, o.target);
  if (o.target.dir.empty()) return invalid("an act is made with the keys of a node folder", {}, "give --dir DIR");
  TRY(const node::NodeConfig config, node::load_config(o.target.dir));
  TRY(NodeClient client, NodeClient::connect(o.target));
  SystemClock clock;
  agreement::Act a;
  a.kind = kind;
  a.party = config.party;
  a.effective_at = clock.now();
  std::optional<agreement::Document> proposed;
  if (kind == "propose") {
    std::vector<agreement::Problem> problems;
    auto parsed = load_document(o.file, problems);
    if (!parsed.ok()) {
      for (const auto& p : problems)
        std::fprintf(stderr, "  %s: %s\n", p.pointer.empty() ? "/" : p.pointer.c_str(), p.message.c_str());
      return parsed.error().at(o.file);
    }
    proposed = std::move(*parsed);
  }
  a.agreement_id = proposed ? proposed->agreement_id : full_id(o.id);
  TRY(Known k, ask_node(client, a.agreement_id, config));
  if (!k.there && !proposed)
    return make_error(ErrorKind::kNotFound, "this node knows no such agreement", a.agreement_id,
                      "see 'entente agreement state'; 'entente agreement import' brings one of others");
  if (const auto last = k.last_act.find(config.party); last != k.last_act.end()) a.prev_act = last->second;
  const agreement::Document& doc = proposed && !k.document ? *proposed : *k.document;
  a.text_version = proposed ? proposed->hash : doc.hash;
  SigningRequest r;
  r.title = doc.title;
  r.keys = k.my_keys;
  if (proposed && k.my_keys.empty() && proposed->party(config.party) != nullptr)
    r.keys = proposed->party(config.party)->keys;
  if (proposed) {
    a.body = Node::object().set("document", proposed->node);
  } else {
    TRY(a.body, body_of(kind, o, k, config, a.effective_at, r.keys));
  }
  if (kind == "amend" || kind == "correct_error" || (kind == "notify_completed" && !o.text.empty())) {
    TRY(a.text_version, later_text(k, o.text));
  }
  r.act.act = std::move(a);
  const bool outsider = doc.party(config.party) == nullptr;
  if (outsider && kind == "join_project") {
    r.quorum = {{"authority", 1}};
  } else {
    TRY(r.quorum, agreement::quorum_of(r.act.act, doc));
  }
  if (o.lasting) r.quorum["authority"] = std::max(r.quorum["authority"], 2);
  if (kind == "annex_notice" && !o.new_key.empty()) CHECK_OK(sign_with(r, {o.new_key}, o.secrets.ask()));
  if (!o.export_to.empty()) {
    CHECK_OK(sign_with(r, o.keys, o.secrets.ask()));
    return export_request(cx.json, r, o.export_to);
  }
  if (o.keys.empty()) {
    CHECK_OK(sign_from_folder(r, config.dir + "/keys", o.secrets.ask()));
  } else {
    CHECK_OK(sign_with(r, o.keys, o.secrets.ask()));
  }
  return submit(cx, client, r.act);
}

// On a machine without a network: shows what would be signed, and signs it.
Result<int> countersign(Context& cx, const Options& o) {
  TRY(const std::string text, read_input(o.file));
  TRY(SigningRequest r, SigningRequest::parse(text, o.file));
  const agreement::Act& a = r.act.act;
  if (!cx.json) {
    std::printf("You sign: %s by %s\nagreement %s (%s)\ntext      %s\nat        %s\nact       %s\n", a.kind.c_str(),
                a.party.c_str(), a.agreement_id.c_str(), printable(r.title).c_str(), a.text_version.c_str(),
                to_text(a.effective_at).c_str(), a.hash().c_str());
    if (const Node* document = a.body.find("document")) {
      auto doc = agreement::document_from(*document);
      if (!doc.ok()) return doc.error().at(o.file);
      if (doc->hash != a.text_version)
        return make_error(ErrorKind::kInvalid, "the act names another text than it carries", o.file, "do not sign it");
    } else if (!a.body.members().empty()) {
      std::printf("it says   %s\n", json::write(a.body).c_str());
    }
  }
  CHECK_OK(sign_with(r, o.keys, o.secrets.ask()));
  return export_request(cx.json, r, o.export_to.empty() ? o.file : o.export_to);
}

Result<int> export_acts(Context& cx, const Options& o) {
  TRY(NodeClient client, NodeClient::connect(o.target));
  TRY(const json::Document answer, client.get("/api/v1/agreements/" + net::url_encode(full_id(o.id))));
  std::string lines;
  size_t n = 0;
  for (const auto text : json::string_list(json::find_array(answer.root(), "acts"))) {
    lines += std::string(text) + "\n";
    ++n;
  }
  if (o.export_to.empty() || o.export_to == "-") {
    std::fputs(lines.c_str(), stdout);
    return 0;
  }
  PosixFiles files;
  CHECK_OK(files.write_atomic(o.export_to, lines, 0644));
  if (cx.json) {
    std::puts(json::write(Node::object().set("file", o.export_to).set("acts", static_cast<int64_t>(n))).c_str());
  } else {
    std::printf("%s: %zu acts, each with its signatures\n", o.export_to.c_str(), n);
  }
  return 0;
}

Result<int> import_acts(Context& cx, const Options& o) {
  TRY(const std::string text, read_input(o.file));
  TRY(NodeClient client, NodeClient::connect(o.target));
  size_t taken = 0;
  size_t known = 0;
  size_t refused = 0;
  size_t line = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = rest.find('\n');
    const std::string one(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    ++line;
    if (one.empty()) continue;
    auto done = client.post("/api/v1/acts", one);
    if (done.ok()) {
      ++taken;
    } else if (done.error().kind == ErrorKind::kConflict &&
               done.error().text().find("already known") != std::string::npos) {
      ++known;
    } else if (done.error().kind == ErrorKind::kUnavailable || done.error().kind == ErrorKind::kUnauthenticated) {
      return std::move(done).error();
    } else {
      ++refused;
      print_error(done.error().at(o.file + ":" + std::to_string(line)));
    }
  }
  if (cx.json) {
    Node n = Node::object();
    n.set("taken", static_cast<int64_t>(taken))
        .set("known", static_cast<int64_t>(known))
        .set("refused", static_cast<int64_t>(refused));
    std::puts(json::write(n).c_str());
  } else {
    std::printf("%zu acts taken, %zu known before, %zu refused\n", taken, known, refused);
  }
  return refused == 0 ? 0 : 1;
}

enum Wants : unsigned {
  kFile = 1,
  kScope = 2,
  kFlows = 4,
  kAt = 8,
  kParty = 16,
  kRequest = 32,
  kProject = 64,
  kRole = 128,
  kPillar = 256,
  kText = 512,
  kPassages = 1024,
  kNotice = 2048,
  kFlow = 4096,
  kOpenings = 8192,
  kPartyFile = 16384,
  kLasting = 32768,
  kMust = 65536  // the option that names what the act is about has to be given
};
struct Verb {
  const char* name;
  const char* kind;
  unsigned wants;
  const char* help;
};

constexpr Verb kVerbs[] = {
    {"propose", "propose", kFile, "propose a text, or the next version of one (nothing changes yet)"},
    {"initial", "initial", 0, "initial the text: it is final, nobody is bound"},
    {"sign", "sign", kFlows, "sign: a plenipotentiary and an authority, two persons"},
    {"notify", "notify_completed", kText, "notify that internal procedures are complete"},
    {"certify", "certify_start", kAt | kParty, "certify the computed start; another date than the computed one blocks"},
    {"apply-provisionally", "apply_provisionally", kFlows | kMust,
     "exchange by some flows before the start, if the text allows it"},
    {"end-provisional", "end_provisional", 0, "end one's own provisional application at once"},
    {"amend", "amend", kText, "accept the next version of the text; the old one holds until it starts"},
    {"correct-error", "correct_error", kText | kPassages | kMust,
     "accept a correction of what people read; machine rules stay"},
    {"annex-notice", "annex_notice", kNotice,
     "change own contacts, keys or TLS keys; what is added counts a day later"},
    {"rotate-key", "annex_notice", kNotice,
     "give notice of a new key; it signs the notice too, and counts a day later"},
    {"revoke-key", "annex_notice", kNotice, "revoke own keys: at once, by one person"},
    {"suspend", "suspend", kScope | kLasting, "suspend at once; permits stop, duties stay. One person: for a day"},
    {"resume", "resume", kScope, "end one's own suspension: two persons"},
    {"claim-mismatch", "claim_mismatch", kFlow | kMust, "the text says otherwise than this flow: it is frozen"},
    {"claim-breach", "claim_breach", kOpenings, "claim a breach, for the record; nothing stops by itself"},
    {"withdraw", "withdraw", 0, "give notice of withdrawal; duties hold until it has run, and some after it"},
    {"no-renewal", "no_renewal", 0, "leave at the end of the term, said before the opt-out date"},
    {"end-by-consent", "end_by_consent", kAt, "end it, when all have said so with the same date"},
    {"abandon", "abandon", 0, "give up talks before signature"},
    {"accede", "request_accession", kPartyFile, "ask to become a party of a group (import its acts first)"},
    {"consent-accession", "consent_accession", kParty | kRequest | kMust, "consent to a candidate"},
    {"deposit", "deposit_accession", kFlows, "the candidate binds itself to the text in force"},
    {"object", "object", kParty | kMust, "no flow between this party and the one that is named"},
    {"join-pillar", "join_pillar", kPillar, "take part in a pillar of an initiative (no right to data)"},
    {"leave-pillar", "leave_pillar", kPillar, "leave a pillar"},
    {"lead-pillar", "lead_pillar", kPillar, "who leads a pillar: whom all its participants name"},
    {"open-project", "open_project", kFile, "ask to open a joint project (FILE: the project)"},
    {"host-consent", "host_consent", kProject, "the host's own consent to a project in its country"},
    {"join-project", "join_project", kProject | kRole | kParty | kPartyFile,
     "join a project, or agree that another does"},
    {"close-project", "close_project", kProject, "leave a project; the host ends it"},
};

void add_verb(CLI::App& a, Context& cx, const Verb& v) {
  auto o = std::make_shared<Options>();
  auto* c = a.add_subcommand(v.name, v.help);
  const bool must = (v.wants & kMust) != 0;
  const std::string name = v.name;
  if (name == "propose") {
    c->add_option("FILE", o->file, "document");
  } else {
    c->add_option("ID", o->id, "agreement id");
    if ((v.wants & kFile) != 0) c->add_option("FILE", o->file, "project")->required();
  }
  o->target.add_options(*c);
  c->add_option("--key", o->keys,
                "sign with these: files, or pkcs11:… (default: keys in DIR/keys that the quorum needs)");
  o->secrets.add_options(*c);
  c->add_option("--export", o->export_to,
                "do not submit: write the act to FILE, for others to sign with 'countersign'");
  c->add_option("--import", o->import_from, "submit the act in FILE, which others have signed");
  if (v.wants != kNotice && v.wants != kFile) c->add_option("--reason", o->reason, "why, for the record");
  if ((v.wants & kScope) != 0)
    c->add_option("--scope", o->scope, "whole, flow:ID, sector:NAME, party:CODE or project:ID");
  if ((v.wants & kLasting) != 0)
    c->add_flag("--lasting", o->lasting, "two persons sign, so that it does not lapse after a day");
  if ((v.wants & kFlows) != 0) {
    auto* f = c->add_option("--flow", o->flows, "only these flows")->delimiter(',');
    if (must) f->required();
  }
  if ((v.wants & kFlow) != 0) c->add_option("--flow", o->flow, "flow")->required();
  if ((v.wants & kAt) != 0) c->add_option("--at", o->at, "time, RFC 3339");
  if ((v.wants & kParty) != 0) {
    auto* p = c->add_option("--party", o->party, "code of the party that it is about");
    if (must) p->required();
  }
  if ((v.wants & kRequest) != 0) c->add_option("--request", o->request, "hash of its request, if it made several");
  if ((v.wants & kProject) != 0) c->add_option("--project", o->project, "id of the project")->required();
  if ((v.wants & kRole) != 0)
    c->add_option("--role", o->role, "of who joins")->check(CLI::IsMember({"full", "observer", "contributor-only"}));
  if ((v.wants & kPillar) != 0) c->add_option("--pillar", o->pillar, "id of the pillar")->required();
  if (name == "lead-pillar") c->add_option("--lead", o->lead, "code of the party that shall lead (default: this one)");
  if ((v.wants & kText) != 0) c->add_option("--text", o->text, "hash of the text, if several were proposed");
  if ((v.wants & kPassages) != 0)
    c->add_option("--passage", o->passages, "JSON pointers of what is corrected")->required();
  if ((v.wants & kOpenings) != 0) c->add_option("--opening", o->openings, "ledger entries that show it");
  if ((v.wants & kPartyFile) != 0) c->add_option("--party-file", o->file, "party block (default: party.json of --dir)");
  if ((v.wants & kNotice) != 0) {
    auto* add = c->add_option("--new-key", o->new_key, "the new key, file or pkcs11:…");
    auto* kid = c->add_option("--kid", o->kid, "its name, as XX/authority/3");
    auto* role =
        c->add_option("--role", o->key_role, "its role")->check(CLI::IsMember({"authority", "node", "log", "witness"}));
    c->add_option("--not-after", o->not_after, "its end, RFC 3339");
    c->add_option("--custodian", o->custodian, "salted hash of the person who holds it");
    auto* gone = c->add_option("--revoke", o->revoke, "names of own keys that end now");
    c->add_option("--last-act", o->last_act, "with --revoke: the last act that is still trusted");
    if (name == "annex-notice") {
      c->add_option("--contacts", o->contacts, "file with the new list of contacts (JSON)");
      c->add_option("--tls-add", o->tls_add, "SHA-256 of a TLS key that is added");
      c->add_option("--tls-revoke", o->tls_revoke, "SHA-256 of a TLS key that ends now");
    }
    if (name == "rotate-key") {
      add->required();
      kid->required();
      role->required();
    }
    if (name == "revoke-key") gone->required();
  }
  c->callback([&cx, o, v] {
    if (o->import_from.empty() && o->id.empty() && o->file.empty())
      return finish(cx, invalid("which agreement?", v.name, "give its id, or --import FILE"));
    finish(cx, act(cx, *o, v.kind));
  });
}

}  // namespace

void add_agreement_acts(CLI::App& a, Context& cx) {
  for (const auto& v : kVerbs) add_verb(a, cx, v);
  auto o = std::make_shared<Options>();
  auto* c = a.add_subcommand("countersign", "sign an act that another exported; needs no node and no network");
  c->add_option("FILE", o->file, "what --export wrote")->required();
  c->add_option("--key", o->keys, "files, or pkcs11:…")->required();
  c->add_option("--out", o->export_to, "where to write it (default: FILE)");
  o->secrets.add_options(*c);
  c->callback([&cx, o] { finish(cx, countersign(cx, *o)); });
  o = std::make_shared<Options>();
  c = a.add_subcommand("submit", "give the node an act that was exported and signed");
  c->add_option("FILE", o->file, "what countersign wrote")->required();
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, import_request(cx, o->file, {}, o->target)); });
  o = std::make_shared<Options>();
  c = a.add_subcommand("export",
                       "the acts of an agreement with their signatures, one a line: for an auditor or a candidate");
  c->add_option("ID", o->id, "agreement id")->required();
  c->add_option("--out", o->export_to, "file (default: standard output)");
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, export_acts(cx, *o)); });
  o = std::make_shared<Options>();
  c = a.add_subcommand("import", "take acts that another exported; each is verified like one from a partner");
  c->add_option("FILE", o->file, "what export wrote")->required();
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, import_acts(cx, *o)); });
}

}  // namespace entente::cli
