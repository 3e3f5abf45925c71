// publish, release plan, recall, hold
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "agreement/reason.h"
#include "base/bytes.h"
#include "base/time.h"
#include "base/uuid.h"
#include "cli/internal/commands.h"
#include "cli/internal/convert.h"
#include "cli/internal/lists.h"
#include "cli/internal/node_client.h"
#include "cli/internal/recall.h"
#include "cli/internal/table.h"
#include "json/node.h"
#include "stix/object.h"

namespace entente::cli {
namespace {

using json::Node;
constexpr size_t kEnvelope = 1000;

struct PublishOptions {
  Target target;
  std::vector<std::string> files;
  std::string collection = "inbox";
  ListOptions list;
};

Result<int> publish(Context& cx, PublishOptions o) {
  TRY(NodeClient client, NodeClient::connect(o.target));
  std::vector<std::string> texts;  // of the files; the views below point into them
  std::vector<std::string> made;
  std::vector<std::string_view> objects;
  SystemClock clock;
  o.list.at = clock.now();
  if (!o.list.as.empty()) {
    TRY(const json::Document status, client.get("/api/v1/status"));
    o.list.creator = json::find_string(status.root(), "identity").value_or("");
  }
  texts.reserve(o.files.size());
  if (o.list.as == "misp") {
    TRY(const misp::Import events, read_misp(o.files, texts));
    for (const auto& object : events.objects) made.push_back(json::write(object));
    print_not_carried(stderr, cx.json, events.not_carried);
    o.files.clear();
  }
  for (const auto& f : o.files) {
    auto text = read_input(f);
    if (!text.ok()) return std::move(text).error();
    texts.push_back(std::move(*text));
    if (o.list.as.empty()) {
      auto parts = stix::split_objects(texts.back());
      if (!parts.ok()) return parts.error().at(f);
      objects.insert(objects.end(), parts->begin(), parts->end());
    } else {
      auto list = indicators_of(texts.back(), o.list);
      if (!list.ok()) return list.error().at(f);
      made.insert(made.end(), std::make_move_iterator(list->begin()), std::make_move_iterator(list->end()));
    }
  }
  for (const auto& m : made) objects.push_back(m);
  const bool terminal = isatty(STDERR_FILENO) != 0 && !cx.json;
  const auto start = std::chrono::steady_clock::now();
  uint64_t published = 0;
  std::vector<taxii::ItemResult> failures;
  for (size_t i = 0; i < objects.size(); i += kEnvelope) {
    const std::vector<std::string_view> part(
        objects.begin() + static_cast<std::ptrdiff_t>(i),
        objects.begin() + static_cast<std::ptrdiff_t>(std::min(objects.size(), i + kEnvelope)));
    auto status = client.taxii().add("/local/", o.collection, part);
    if (!status.ok()) {
      const Error& e = status.error();
      if (published > 0)
        std::fprintf(stderr, "entente: %s of %s objects were published before this:\n", grouped(published).c_str(),
                     grouped(objects.size()).c_str());
      return client.explained(e);
    }
    published += status->success;
    for (auto& f : status->failures) failures.push_back(std::move(f));
    if (terminal)
      std::fprintf(stderr, "\rpublished %s of %s", grouped(published).c_str(), grouped(objects.size()).c_str());
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (terminal) std::fputs("\n", stderr);
  if (cx.json) {
    Node n = Node::object();
    Node list = Node::array();
    for (const auto& f : failures) {
      Node one = Node::object();
      one.set("id", f.id).set("version", f.version).set("message", f.message);
      list.push(std::move(one));
    }
    n.set("published", published).set("failed", static_cast<uint64_t>(failures.size())).set("seconds", seconds);
    n.set("objects_per_s", seconds > 0 ? static_cast<double>(published) / seconds : 0.0)
        .set("failures", std::move(list));
    std::puts(json::write(n).c_str());
  } else {
    std::printf("%s published, %s failed, in %.2f s (%s objects/s)\n", grouped(published).c_str(),
                grouped(failures.size()).c_str(), seconds,
                grouped(static_cast<uint64_t>(seconds > 0 ? static_cast<double>(published) / seconds : 0)).c_str());
    Table t({"failed", "why"});
    for (size_t i = 0; i < failures.size() && i < 20; ++i)
      t.row({printable(failures[i].id), printable(failures[i].message, 300)});
    if (!t.empty()) t.print();
    if (failures.size() > 20) std::printf("… and %s more; -o json lists all\n", grouped(failures.size() - 20).c_str());
  }
  return failures.empty() ? 0 : 1;
}

Result<int> codes(Context& cx) {
  Table t({"code", "step", "what it says", "what would change it"});
  for (const auto& r : agreement::reason_codes()) {
    if (cx.json) {
      Node n = Node::object();
      n.set("code", r.code).set("step", r.step).set("meaning", r.meaning).set("remedy", r.remedy).set("note", r.note);
      std::puts(json::write(n).c_str());
    }
    t.row({std::string(r.code), std::string(r.step), std::string(r.meaning), std::string(r.remedy)});
  }
  if (!cx.json) t.print();
  return 0;
}

Result<int> review(Context& cx, const Target& target) {
  TRY(NodeClient client, NodeClient::connect(target));
  TRY(const json::Document doc, client.get("/api/v1/release/review"));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
    return 0;
  }
  const int64_t persons = json::find_int(doc.root(), "persons").value_or(0);
  Table t({"object", "version", "to", "published by", "approved by"});
  if (const auto list = json::find_array(doc.root(), "waiting")) {
    for (const json::Value w : *list) {
      const auto text = [&w](std::string_view name) { return printable(json::find_string(w, name).value_or("")); };
      const auto names = json::string_list(json::find_array(w, "approved_by"));
      t.row({text("id"), text("version"), text("to"), text("published_by"),
             fmt::format("{} of {}{}{}", names.size(), persons, names.empty() ? "" : ": ",
                         printable(fmt::format("{}", fmt::join(names, ", "))))});
    }
  }
  if (t.empty())
    std::puts("nothing waits for approval");
  else
    t.print();
  return 0;
}

Result<int> reviewed(Context& cx, const Target& target, const std::string& id, const std::string& to, bool yes,
                     const std::string& reason) {
  TRY(NodeClient client, NodeClient::connect(target));
  Node body = Node::object();
  body.set("id", id).set("to", to);
  if (!yes) body.set("reason", reason);
  TRY(const json::Document doc,
      client.post(yes ? "/api/v1/release/approve" : "/api/v1/release/decline", json::write(body)));
  if (cx.json) {
    std::puts(json::write(Node::from(doc.root())).c_str());
    return 0;
  }
  if (!yes) {
    std::printf("%s is held back from everybody; `entente hold --lift` ends that\n", printable(id).c_str());
    return 0;
  }
  const auto names = json::string_list(json::find_array(doc.root(), "approved_by"));
  const auto persons = static_cast<size_t>(json::find_int(doc.root(), "persons").value_or(0));
  std::printf("approved by %zu of %zu persons: %s\n", names.size(), persons,
              names.size() < persons ? "it waits for more" : "it goes now, if nothing else keeps it");
  return 0;
}

Result<int> plan(Context& cx, const Target& target, const std::vector<std::string>& files, const std::string& to) {
  TRY(NodeClient client, NodeClient::connect(target));
  std::string body = R"({"objects":[)";
  size_t n = 0;
  for (const auto& f : files) {
    TRY(const std::string text, read_input(f));
    auto parts = stix::split_objects(text);
    if (!parts.ok()) return parts.error().at(f);
    for (const auto p : *parts) {
      if (n++ > 0) body += ',';
      body += p;
    }
  }
  body += "]}";
  TRY(const json::Document doc, client.post("/api/v1/release/plan?to=" + net::url_encode(to), body));
  const auto root = doc.root();
  if (cx.json) {
    if (const auto list = json::find_array(root, "objects")) {
      for (const json::Value v : *list) std::puts(json::write(Node::from(v)).c_str());
    }
    return 0;
  }
  Table t({"object", "verdict", "article", "reason", "what would change it"});
  if (const auto list = json::find_array(root, "objects")) {
    for (const json::Value v : *list) {
      std::string codes;
      std::string note;
      std::string article(json::find_string(v, "article").value_or(""));
      if (const auto reasons = json::find_array(v, "reasons")) {
        for (const json::Value r : *reasons) {
          codes += (codes.empty() ? "" : ", ") + std::string(json::find_string(r, "code").value_or(""));
          if (note.empty()) note = json::find_string(r, "note").value_or("");
          if (article.empty()) article = json::find_string(r, "article").value_or("");
        }
      }
      t.row({printable(json::find_string(v, "id").value_or("")),
             std::string(json::find_string(v, "verdict").value_or("")), article, codes, printable(note, 300)});
    }
  }
  t.print();
  std::printf("\nto %s: %lld released, %lld redacted, %lld withheld; nothing was sent or stored\n", to.c_str(),
              static_cast<long long>(json::find_int(root, "released").value_or(0)),
              static_cast<long long>(json::find_int(root, "redacted").value_or(0)),
              static_cast<long long>(json::find_int(root, "withheld").value_or(0)));
  return 0;
}

Result<int> ids_command(Context& cx, const Target& target, const std::string& path, const std::vector<std::string>& ids,
                        const std::string& reason) {
  TRY(NodeClient client, NodeClient::connect(target));
  Node n = Node::object();
  Node list = Node::array();
  for (const auto& id : ids) list.push(id);
  n.set("ids", std::move(list)).set("reason", reason);
  TRY(const json::Document doc, client.post(path, json::write(n)));
  const auto root = doc.root();
  const auto refused = json::find_array(root, "refused");
  if (cx.json) {
    std::puts(json::write(Node::from(root)).c_str());
  } else {
    Table t({"object", "result", "reaches"});
    if (const auto done = json::find_array(root, "recalled")) {
      for (const json::Value v : *done) {
        std::string reaches;
        for (const auto p : json::string_list(json::find_array(v, "reaches")))
          reaches += (reaches.empty() ? "" : ", ") + std::string(p);
        for (const auto p : json::string_list(json::find_array(v, "does_not_reach")))
          reaches += (reaches.empty() ? "not " : "; not ") + std::string(p);
        t.row({std::string(json::find_string(v, "id").value_or("")), "recalled",
               reaches.empty() ? "nobody holds it" : reaches});
      }
    }
    for (const char* name : {"held", "unheld"}) {
      for (const auto id : json::string_list(json::find_array(root, name))) t.row({std::string(id), name, ""});
    }
    if (refused) {
      for (const json::Value v : *refused)
        t.row({std::string(json::find_string(v, "id").value_or("")),
               "refused: " + std::string(json::find_string(v, "why").value_or("")), ""});
    }
    t.print();
  }
  return refused && refused->size() > 0 ? 1 : 0;
}

}  // namespace

void add_publish_commands(CLI::App& app, Context& cx) {
  auto p = std::make_shared<PublishOptions>();
  auto* c = app.add_subcommand("publish", "admit STIX objects, or lists turned into indicators, at the own node");
  c->add_option("FILE", p->files, "STIX bundle, envelope, object or JSON lines; '-' is standard input")->required();
  p->target.add_options(*c);
  c->add_option("--collection", p->collection, "collection of /local/")->capture_default_str();
  c->add_option("--as", p->list.as, "the file is a list of these, one a line, made into indicators; or MISP events")
      ->check(CLI::IsMember({"domains", "addresses", "urls", "hashes", "emails", "phishing-json", "misp"}));
  c->add_option("--tlp", p->list.tlp, "marking of made indicators")
      ->check(CLI::IsMember({"clear", "green", "amber", "amber+strict", "red"}))
      ->capture_default_str();
  c->add_option("--confidence", p->list.confidence, "0 to 100, of made indicators")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  c->add_option("--valid-days", p->list.valid_days, "how long made indicators are valid, days")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  c->add_option("--label", p->list.label, "label of made indicators");
  c->callback([&cx, p] { finish(cx, publish(cx, *p)); });

  auto target = std::make_shared<Target>();
  auto files = std::make_shared<std::vector<std::string>>();
  auto to = std::make_shared<std::string>();
  auto* r = app.add_subcommand("release", "what would go to whom, and why");
  r->require_subcommand(1);
  c = r->add_subcommand("plan", "dry run: released, redacted, withheld, with reason and article");
  c->add_option("FILE", *files, "STIX objects")->required();
  c->add_option("--to", *to, "recipient party")->required();
  target->add_options(*c);
  c->callback([&cx, target, files, to] { finish(cx, plan(cx, *target, *files, *to)); });

  auto reason = std::make_shared<std::string>();
  c = r->add_subcommand("codes", "every reason code: what it says, and what would change it");
  c->callback([&cx] { finish(cx, codes(cx)); });
  c = r->add_subcommand("review",
                        "what waits for people to approve it ([policy] review_… in the node's configuration)");
  target->add_options(*c);
  c->callback([&cx, target] { finish(cx, review(cx, *target)); });
  auto one = std::make_shared<std::string>();
  for (const bool yes : {true, false}) {
    c = r->add_subcommand(yes ? "approve" : "decline",
                          yes ? "one person's word that an object may go to a party; who published it has none"
                              : "hold an object back that waits for approval");
    c->add_option("ID", *one, "STIX id")->required();
    c->add_option("--to", *to, "recipient party")->required();
    if (!yes) c->add_option("--reason", *reason, "why, for the record")->required();
    target->add_options(*c);
    c->callback([&cx, target, one, to, reason, yes] { finish(cx, reviewed(cx, *target, *one, *to, yes, *reason)); });
  }

  auto ids = std::make_shared<std::vector<std::string>>();
  c = app.add_subcommand("recall", "take back own objects from everybody who received them");
  c->add_option("ID", *ids, "STIX id")->required();
  c->add_option("--reason", *reason, "why, for the record");
  target->add_options(*c);
  auto status = std::make_shared<bool>(false);
  c->add_flag("--status", *status,
              "take nothing back: show who had these objects, what each party answered, and who is late");
  c->callback([&cx, target, ids, reason, status] {
    finish(cx, *status ? recall_status(cx, *target, *ids) : ids_command(cx, *target, "/api/v1/recall", *ids, *reason));
  });
  auto lift = std::make_shared<bool>(false);
  c = app.add_subcommand("hold", "hold objects back from every release");
  c->add_option("ID", *ids, "STIX id")->required();
  c->add_flag("--lift", *lift, "end the hold");
  target->add_options(*c);
  c->callback([&cx, target, ids, lift] {
    finish(cx, ids_command(cx, *target, *lift ? "/api/v1/unhold" : "/api/v1/hold", *ids, ""));
  });
}

}  // namespace entente::cli
