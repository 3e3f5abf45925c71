// stix validate|id
#include <cstdio>
#include <memory>
#include <set>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "json/node.h"
#include "pattern/pattern.h"
#include "stix/object.h"
#include "stix/validate.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  std::vector<std::string> files;
  bool strict = false;
  std::string disable;
};

Result<int> validate(Context& cx, const Options& o) {
  std::set<std::string> disabled;
  std::string_view rest = o.disable;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    disabled.emplace(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  uint64_t objects = 0;
  uint64_t invalid_objects = 0;
  uint64_t warnings = 0;
  Table t({"file", "object", "level", "code", "where", "what"});
  json::Document doc;
  std::vector<stix::Finding> findings;
  for (const auto& f : o.files) {
    TRY(const std::string text, read_input(f));
    auto parts = stix::split_objects(text);
    if (!parts.ok()) return parts.error().at(f);
    for (const auto raw : *parts) {
      ++objects;
      findings.clear();
      std::string id = "(object " + std::to_string(objects) + ")";
      if (Status s = doc.parse(raw); !s.ok()) {
        findings.push_back({"S1-json", stix::Finding::Level::kError, "", s.error().text()});
      } else {
        if (const auto named = json::find_string(doc.root(), "id")) id = printable(*named);
        stix::validate(doc.root(), {.strict = o.strict, .warnings = true}, findings);
        if (json::find_string(doc.root(), "type").value_or("") == "indicator" &&
            json::find_string(doc.root(), "pattern_type").value_or("") == "stix") {
          if (auto p = pattern::Pattern::parse(json::find_string(doc.root(), "pattern").value_or("")); !p.ok()) {
            findings.push_back({"S53-pattern", stix::Finding::Level::kError, "/pattern", p.error().text()});
          }
        }
      }
      bool bad = false;
      for (const auto& finding : findings) {
        if (disabled.contains(std::string(finding.code))) continue;
        const bool error = finding.level == stix::Finding::Level::kError;
        bad = bad || error;
        if (!error) ++warnings;
        if (cx.json) {
          Node n = Node::object();
          n.set("file", f)
              .set("id", id)
              .set("level", error ? "error" : "warning")
              .set("code", finding.code)
              .set("pointer", finding.pointer)
              .set("message", finding.message);
          std::puts(json::write(n).c_str());
        } else {
          t.row({f, id, error ? "error" : "warning", std::string(finding.code),
                 finding.pointer.empty() ? "/" : printable(finding.pointer), printable(finding.message, 400)});
        }
      }
      if (bad) ++invalid_objects;
    }
  }
  if (!cx.json) {
    if (!t.empty()) t.print();
    std::printf("%s objects: %s valid, %s not valid, %s warnings\n", grouped(objects).c_str(),
                grouped(objects - invalid_objects).c_str(), grouped(invalid_objects).c_str(),
                grouped(warnings).c_str());
  }
  return invalid_objects == 0 ? 0 : 1;
}

Result<int> ids(Context& cx, const Options& o) {
  bool equal = true;
  for (const auto& f : o.files) {
    TRY(const std::string text, read_input(f));
    auto parts = stix::split_objects(text);
    if (!parts.ok()) return parts.error().at(f);
    json::Document doc;
    for (const auto raw : *parts) {
      CHECK_OK(doc.parse(raw));
      const auto computed = stix::deterministic_id(doc.root());
      if (!computed) continue;
      const std::string given(json::find_string(doc.root(), "id").value_or(""));
      equal = equal && given == *computed;
      if (cx.json) {
        Node n = Node::object();
        n.set("given", given).set("computed", *computed).set("equal", given == *computed);
        std::puts(json::write(n).c_str());
      } else {
        std::printf("%s %s\n", given.empty() ? "-" : given.c_str(), computed->c_str());
      }
    }
  }
  return equal ? 0 : 1;
}

}  // namespace

void add_stix_commands(CLI::App& app, Context& cx) {
  auto o = std::make_shared<Options>();
  auto* s = app.add_subcommand("stix", "validate STIX 2.1, compute ids");
  s->require_subcommand(1);
  auto* c = s->add_subcommand("validate",
                              "the whole report per object: code, place, rule (exit 1 if any object is not valid)");
  c->add_option("FILE", o->files, "bundle, envelope, object or JSON lines; '-' is standard input")->required();
  c->add_flag("--strict", o->strict, "unknown properties and custom content are errors");
  c->add_option("--disable", o->disable, "codes to leave out, separated by commas");
  c->callback([&cx, o] { finish(cx, validate(cx, *o)); });
  c = s->add_subcommand("id", "deterministic ids of observables: given, computed (exit 1 if any differs)");
  c->add_option("FILE", o->files, "STIX objects")->required();
  c->callback([&cx, o] { finish(cx, ids(cx, *o)); });
}

}  // namespace entente::cli
