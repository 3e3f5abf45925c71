// stix validate|id|show (stix_validate.cc, stix_show.cc), pattern check
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/stix_commands.h"
#include "json/node.h"
#include "pattern/pattern.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  std::string pattern, pattern_file;
};

Result<int> pattern_check(Context& cx, const Options& o) {
  std::vector<std::string> patterns;
  if (!o.pattern_file.empty()) {
    TRY(const std::string text, read_input(o.pattern_file));
    std::string_view rest = text;
    while (!rest.empty()) {
      const size_t end = rest.find('\n');
      std::string line(rest.substr(0, end));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (!line.empty()) patterns.push_back(std::move(line));
    }
  } else if (!o.pattern.empty()) {
    patterns.push_back(o.pattern);
  } else {
    return invalid("no pattern given", {}, "give 'PATTERN' or --file FILE");
  }
  bool ok = true;
  for (const auto& p : patterns) {
    auto parsed = pattern::Pattern::parse(p);
    ok = ok && parsed.ok();
    if (cx.json) {
      Node n = Node::object();
      n.set("pattern", p).set("valid", parsed.ok());
      if (parsed.ok()) {
        const auto atoms = pattern::equality_atoms(*parsed);
        n.set("canonical", parsed->print())
            .set("indexed", static_cast<uint64_t>(atoms.any_of.size()))
            .set("complete", atoms.complete)
            .set("why", atoms.why);
      } else {
        n.set("error", parsed.error().what).set("where", parsed.error().where);
      }
      std::puts(json::write(n).c_str());
    } else if (parsed.ok()) {
      std::printf("valid: %s\n", parsed->print().c_str());
    } else {
      std::printf("not valid: %s\n  %s\n", printable(p, 400).c_str(), parsed.error().text().c_str());
    }
  }
  return ok ? 0 : 1;
}

}  // namespace

namespace {

void add_stix(CLI::App& app, Context& cx) {
  auto o = std::make_shared<StixOptions>();
  auto* s = app.add_subcommand("stix", "validate STIX 2.1, compute ids, show objects");
  s->require_subcommand(1);
  const auto max_object = [&](CLI::App* c) {
    c->add_option("--max-object", o->max_object_mb, "megabytes that one object may have")
        ->check(CLI::Range(1, 4000))
        ->capture_default_str();
  };
  auto* c = s->add_subcommand("validate",
                              "the whole report per object: code, place, rule (exit 1 if any object is not valid)");
  c->add_option("FILE", o->files, "bundle, envelope, object or JSON lines; '-' is standard input")->required();
  c->add_flag("--strict", o->strict, "unknown properties and custom content are errors");
  c->add_option("--disable", o->disable, "codes to leave out, separated by commas");
  c->add_option("--memory", o->memory_mb, "megabytes for comparing objects with each other")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  max_object(c);
  c->callback([&cx, o] { finish(cx, stix_validate(cx, *o)); });
  c = s->add_subcommand("id", "deterministic ids of observables: given, computed (exit 1 if any differs)");
  c->add_option("FILE", o->files, "STIX objects; '-' is standard input")->required();
  max_object(c);
  c->callback([&cx, o] { finish(cx, stix_ids(cx, *o)); });
  c = s->add_subcommand("show", "one object, readable: times, markings and references by name, what it violates");
  c->add_option("FILE", o->files, "STIX objects; '-' is standard input")->required()->expected(1);
  c->add_option("--id", o->id, "which one, if there are several; its newest version is shown");
  c->add_flag("--strict", o->strict, "unknown properties and custom content are errors");
  max_object(c);
  c->callback([&cx, o] { finish(cx, stix_show(cx, *o)); });
}

}  // namespace

void add_stix_commands(CLI::App& app, Context& cx) {
  auto o = std::make_shared<Options>();
  add_stix(app, cx);
  auto* p = app.add_subcommand("pattern", "STIX patterns");
  p->require_subcommand(1);
  auto* c = p->add_subcommand("check", "is it a pattern, and if not, where and why");
  c->add_option("PATTERN", o->pattern, "pattern");
  c->add_option("--file", o->pattern_file, "file with one pattern a line");
  c->callback([&cx, o] { finish(cx, pattern_check(cx, *o)); });
}

}  // namespace entente::cli
