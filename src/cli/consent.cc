// entente consent: may what a partner gave go on to a third party (docs/format/consents.md)? Ask, answer, take back,
// look.
#include <algorithm>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "agreement/onward.h"
#include "base/bytes.h"
#include "cli/internal/answer.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/signing.h"
#include "cli/internal/step.h"
#include "cli/internal/table.h"
#include "net/http.h"
#include "node/config.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  Target target;
  Secrets secrets;
  std::vector<std::string> keys;
  std::string id;  // of the object, or of the request
  std::string to, purpose, of, until, lasts, reason;
  OnFile file;
  bool every_version = false, all = false, waiting = false;
};

// --until or --for, whichever was given; nothing is "".
Result<std::string> end_of(const Options& o, Time now) {
  if (!o.until.empty()) {
    TRY(const Time t, moment(o.until, now));
    return to_text(t);
  }
  if (o.lasts.empty()) return std::string();
  TRY(const Period p, parse_period(o.lasts));
  return to_text(add(now, p));
}

Result<Node> request_of(NodeClient& client, const std::string& begins) {
  TRY(const json::Document board, client.get("/api/v1/consents"));
  const Node n = Node::from(board.root());
  std::vector<Node> found;
  if (const Node* list = n.find("consents"); list != nullptr && list->is_array())
    for (const Node& c : list->list())
      if (c.string_at("request").starts_with(begins)) found.push_back(c);
  if (found.empty())
    return make_error(ErrorKind::kNotFound, "no such request is known here", begins,
                      "see 'entente consent list --all'");
  if (found.size() > 1)
    return make_error(ErrorKind::kConflict, "several requests begin like this", begins, "give more of its id");
  return std::move(found.front());
}

// The body of a request, and the agreement that the object came under.
Result<std::pair<std::string, Node>> request_body(const Options& o, NodeClient& client, Time now) {
  TRY(const json::Document answer, client.get("/api/v1/consents/terms?id=" + net::url_encode(o.id)));
  const Node n = Node::from(answer.root());
  std::vector<Node> from;
  std::string givers;
  if (const Node* list = n.find("objects"); list != nullptr && list->is_array())
    for (const Node& one : list->list()) {
      givers += (givers.empty() ? "" : ", ") + text_at(one, "originator");
      if (o.of.empty() || one.string_at("originator") == o.of) from.push_back(one);
    }
  if (from.empty())
    return make_error(ErrorKind::kNotFound, "that party did not give this node the object", o.of, "one of: " + givers);
  if (from.size() > 1)
    return make_error(ErrorKind::kConflict, "several partners gave it", o.id, "say whom to ask with --of: " + givers);
  const Node& one = from.front();
  std::vector<std::string> purposes;
  if (const Node* list = one.find("purposes"); list != nullptr && list->is_array())
    for (const Node& p : list->list()) purposes.push_back(p.string());
  std::string purpose = o.purpose;
  if (purpose.empty() && purposes.size() == 1) purpose = purposes.front();
  if (purpose.empty())
    return invalid("the agreement has several purposes", "--purpose",
                   fmt::format("one of: {}", fmt::join(purposes, ", ")));
  Node body = Node::object();
  body.set("originator", text_at(one, "originator")).set("holder", text_at(one, "holder"));
  body.set("object", text_at(one, "object")).set("recipient", o.to).set("purpose", purpose);
  if (o.every_version)
    body.set("version", "*");
  else
    body.set("version", text_at(one, "version")).set("sha256", text_at(one, "sha256"));
  TRY(const std::string until, end_of(o, now));
  if (!until.empty()) body.set("until", until);
  if (!o.reason.empty()) body.set("reason", o.reason);
  return std::pair{text_at(one, "agreement_id"), std::move(body)};
}

// What a consent allows of the request: all of it, or less.
Result<Node> give_body(const Options& o, const Node& request, Time now) {
  Node body = Node::object();
  for (const char* name : {"request", "originator", "holder", "object", "recipient", "purpose"})
    body.set(name, text_at(request, name));
  body.set("version", text_at(request, "version"));
  if (const auto sha = request.string_at("sha256"); !sha.empty()) body.set("sha256", std::string(sha));
  TRY(std::string until, end_of(o, now));
  if (until.empty()) until = text_at(request, "until");
  if (until.empty())
    return invalid("a consent has an end, and the request names none", "--until", "give --until TIME or --for P30D");
  return body.set("until", until);
}

Result<int> said(Context& cx, NodeClient& client, const agreement::Act& a, const std::string& hash) {
  const std::string named = text_at(a.body, "request");
  TRY(const Node now, request_of(client, named.empty() ? hash : named));
  if (cx.json) {
    Node n = Node::object();
    n.set("act", hash).set("request", text_at(now, "request")).set("stage", text_at(now, "stage"));
    std::puts(json::write(n).c_str());
    return 0;
  }
  std::printf("%s by %s: done\nrequest %s is now %s\n", a.kind.c_str(), a.party.c_str(),
              text_at(now, "request").substr(0, 16).c_str(), text_at(now, "stage").c_str());
  if (now.string_at("stage") == "asked")
    std::printf("  waiting for: answer of %s (silence is no consent)\n", text_at(now, "originator").c_str());
  return 0;
}

Result<int> step(Context& cx, const Options& o, const std::string& kind) {
  if (!o.file.import_from.empty()) {
    TRY(const SigningRequest r, read_signed(o.file.import_from, kind));
    TRY(NodeClient client, NodeClient::connect(o.target));
    TRY(const json::Document done, client.post("/api/v1/acts", r.act.text()));
    return said(cx, client, r.act.act, r.act.act.hash());
  }
  if (o.id.empty())
    return invalid(kind == "onward_ask" ? "which object?" : "which request?", kind, "give its id, or --import FILE");
  if (kind == "onward_ask" && o.to.empty()) return invalid("for whom?", kind, "give --to PARTY, or --import FILE");
  if (kind == "onward_deny" && o.reason.empty()) return invalid("why?", kind, "give --reason, or --import FILE");
  if (o.target.dir.empty()) return invalid("a consent is signed with the keys of a node folder", {}, "give --dir DIR");
  TRY(const node::NodeConfig config, node::load_config(o.target.dir));
  TRY(NodeClient client, NodeClient::connect(o.target));
  SystemClock clock;
  agreement::Act a;
  a.kind = kind;
  a.party = config.party;
  a.effective_at = clock.now();
  if (kind == "onward_ask") {
    TRY(auto asked, request_body(o, client, a.effective_at));
    a.agreement_id = std::move(asked.first);
    a.body = std::move(asked.second);
  } else {
    TRY(const Node request, request_of(client, o.id));
    a.agreement_id = text_at(request, "agreement_id");
    if (kind == "onward_give") {
      TRY(a.body, give_body(o, request, a.effective_at));
    } else {
      a.body = Node::object();
      for (const char* name : {"request", "originator", "holder"}) a.body.set(name, text_at(request, name));
    }
    if (!o.reason.empty()) a.body.set("reason", o.reason);
    if (const Node* last = request.find("last_step")) a.prev_act = text_at(*last, config.party);
  }
  if (!o.file.export_to.empty()) {
    TRY(SigningRequest r, prepare(std::move(a), config, client));
    if (!o.keys.empty()) CHECK_OK(sign_with(r, o.keys, o.secrets.ask()));
    return export_request(cx.json, r, o.file.export_to);
  }
  const agreement::Act made = a;
  TRY(const std::string hash, sign_and_send(std::move(a), config, client, o.keys, o.secrets));
  return said(cx, client, made, hash);
}

// "2027-02-01T…" of the consent, else of the request.
std::string end_shown(const Node& c) {
  if (const Node* given = c.find("given")) return short_time(given->string_at("until"));
  return short_time(c.string_at("until"));
}

std::string version_shown(const Node& c) {
  const Node* given = c.find("given");
  const std::string v = text_at(given == nullptr ? c : *given, "version");
  return v == "*" ? "every version" : v.empty() ? "-" : v;
}

Result<int> list(Context& cx, const Options& o) {
  TRY(NodeClient client, NodeClient::connect(o.target));
  TRY(const json::Document board, client.get("/api/v1/consents"));
  const Node n = Node::from(board.root());
  const Node* consents = n.find("consents");
  if (consents == nullptr || !consents->is_array()) return invalid("the node's answer has no list of consents");
  Table table({"request", "of", "holder", "to", "object", "version", "purpose", "stage", "until (UTC)"});
  for (const Node& c : consents->list()) {
    const auto stage = c.string_at("stage");
    if (o.waiting ? !flag_at(c, "waiting_for_us") : !o.all && stage != "asked" && stage != "given") continue;
    if (cx.json) {
      std::puts(json::write(c).c_str());
      continue;
    }
    table.row({text_at(c, "request").substr(0, 12), text_at(c, "originator"), text_at(c, "holder"),
               text_at(c, "recipient"), text_at(c, "object"), version_shown(c), printable(c.string_at("purpose")),
               std::string(stage) + (flag_at(c, "waiting_for_us") ? " (answer it)" : ""), end_shown(c)});
  }
  if (cx.json) return 0;
  if (table.empty()) {
    std::puts(o.waiting ? "no request waits for an answer of this party"
                        : "no request or consent is open (--all shows those that are past)");
  } else {
    table.print();
  }
  return 0;
}

Result<int> show(Context& cx, const Options& o) {
  TRY(NodeClient client, NodeClient::connect(o.target));
  TRY(const Node c, request_of(client, o.id));
  if (cx.json) {
    std::puts(json::write(c).c_str());
    return 0;
  }
  const auto line = [](const char* name, const std::string& value) {
    if (!value.empty()) std::printf("  %-11s %s\n", name, value.c_str());
  };
  std::printf("request %s: %s\n", text_at(c, "request").c_str(), text_at(c, "stage").c_str());
  line("object", text_at(c, "object") + ", version " + version_shown(c));
  if (text_at(c, "own_object") != text_at(c, "object")) line("here it is", text_at(c, "own_object"));
  line("of", text_at(c, "originator") + ", held by " + text_at(c, "holder") + ", for " + text_at(c, "recipient"));
  line("purpose", printable(c.string_at("purpose")));
  line("agreement",
       text_at(c, "agreement_id") + (c.string_at("article").empty() ? "" : ", article " + text_at(c, "article")));
  line("asked", short_time(c.string_at("asked")) + " UTC" +
                    (c.string_at("request_reason").empty() ? "" : ": " + printable(c.string_at("request_reason"))));
  if (const Node* given = c.find("given"))
    line("given", short_time(given->string_at("at")) + " UTC, until " + short_time(given->string_at("until")) + " UTC");
  line("reason", printable(c.string_at("reason")));
  line("not trusted", printable(c.string_at("doubt")));
  if (flag_at(c, "waiting_for_us"))
    std::printf("  answer it: entente consent give %s, or consent deny %s --reason …\n",
                text_at(c, "request").substr(0, 12).c_str(), text_at(c, "request").substr(0, 12).c_str());
  if (const Node* went = c.find("went"); went != nullptr && went->is_array())
    for (const Node& w : went->list())
      line("went on", (flag_at(w, "withdrawn")    ? "taken back, and the recipient has signed for it"
                       : flag_at(w, "taken_back") ? "taken back, the recipient has not signed for it yet"
                                                  : "under agreement ") +
                          (flag_at(w, "taken_back") ? "" : text_at(w, "agreement_id")));
  print_refused_steps(c);
  return 0;
}

void add_signing(CLI::App& c, Options& o) {
  o.target.add_options(c);
  c.add_option("--key", o.keys,
               "sign with these: files, or pkcs11:… (default: keys in DIR/keys that the quorum needs)");
  o.secrets.add_options(c);
  o.file.add_options(c);
}

void add_end(CLI::App& c, Options& o) {
  auto* until = c.add_option("--until", o.until, "its end: RFC 3339, or +P30D from now");
  c.add_option("--for", o.lasts, "how long, as P30D or PT12H")->excludes(until);
}

}  // namespace

void add_consent_commands(CLI::App& app, Context& cx) {
  auto* consent =
      app.add_subcommand("consent", "consent to onward release: may what one party gave go on to a third party?");
  consent->require_subcommand(1);
  auto o = std::make_shared<Options>();
  auto* c = consent->add_subcommand("ask", "ask the originator of an object whether it may go on");
  c->add_option("OBJECT", o->id, "id of an object that a partner gave");
  c->add_option("--to", o->to, "the third party");
  c->add_option("--purpose", o->purpose, "one of the agreement's purposes (may be left out if it has one)");
  c->add_flag("--every-version", o->every_version, "later versions too (default: the version that is here)");
  c->add_option("--of", o->of, "whom to ask, if several partners gave it");
  c->add_option("--reason", o->reason, "why; the originator reads it");
  add_end(*c, *o);
  add_signing(*c, *o);
  c->callback([&cx, o] { finish(cx, step(cx, *o, "onward_ask")); });
  const auto answer = [&](const char* name, const char* kind, const char* help, const auto& more) {
    auto options = std::make_shared<Options>();
    auto* a = consent->add_subcommand(name, help);
    a->add_option("REQUEST", options->id, "id of the request, or how it begins");
    more(*a, *options);
    add_signing(*a, *options);
    a->callback([&cx, options, kind = std::string(kind)] { finish(cx, step(cx, *options, kind)); });
  };
  answer("give", "onward_give", "consent to a request, or to a shorter time", [](CLI::App& a, Options& x) {
    add_end(a, x);
    a.add_option("--reason", x.reason, "for the record");
  });
  answer("deny", "onward_deny", "deny a request",
         [](CLI::App& a, Options& x) { a.add_option("--reason", x.reason, "why; the holder reads it"); });
  answer("withdraw", "onward_withdraw",
         "take a consent back, or a request: what went on under it is withdrawn from the third party",
         [](CLI::App& a, Options& x) { a.add_option("--reason", x.reason, "for the record"); });
  o = std::make_shared<Options>();
  c = consent->add_subcommand("list", "requests that are open and consents that hold");
  c->add_flag("--all", o->all, "those that are past too");
  c->add_flag("--waiting", o->waiting, "only requests that this party has to answer");
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, list(cx, *o)); });
  o = std::make_shared<Options>();
  c = consent->add_subcommand("show", "one request: what was asked, what was said, what went on");
  c->add_option("REQUEST", o->id, "id of the request, or how it begins")->required();
  o->target.add_options(*c);
  c->callback([&cx, o] { finish(cx, show(cx, *o)); });
}

}  // namespace entente::cli
