// stix validate|id|show: options. The work is in stix_validate.cc and stix_show.cc.
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/internal/commands.h"
#include "cli/internal/stix_commands.h"

namespace entente::cli {

void add_stix_commands(CLI::App& app, Context& cx) {
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

}  // namespace entente::cli
