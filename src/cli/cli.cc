#include "cli/cli.h"

#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include "base/log.h"
#include "cli/internal/commands.h"
#include "entente_version.h"

namespace entente::cli {

void print_error(const Error& error) { std::fputs(("entente: " + error.text() + "\n").c_str(), stderr); }

void finish(Context& cx, const Result<int>& result) {
  if (result.ok()) {
    cx.status = *result;
    return;
  }
  print_error(result.error());
  cx.status = exit_status(result.error().kind);
}

int run(int argc, char** argv) {
  Context cx;
  cx.program = argc > 0 ? argv[0] : "entente";
  CLI::App app{
      "entente: partners exchange information regarding cyberattacks under a signed agreement, and stop the attacks "
      "together"};
  app.set_version_flag("--version", std::string("entente ") + ENTENTE_VERSION + " (" + ENTENTE_COMMIT + ")");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("-o,--output", cx.output, "table for people, json for programs: one object per line")
      ->check(CLI::IsMember({"table", "json"}));
  bool quiet = false;
  app.add_flag("-q,--quiet", quiet, "warnings and errors only");
  app.parse_complete_callback([&] {
    cx.json = cx.output == "json";
    init_diagnostics(quiet);
  });
  add_demo_command(app, cx);
  add_node_commands(app, cx);
  add_publish_commands(app, cx);
  add_retention_commands(app, cx);
  add_exercise_commands(app, cx);
  add_agreement_commands(app, cx);
  add_joint_commands(app, cx);
  add_claim_commands(app, cx);
  add_consent_commands(app, cx);
  add_duty_commands(app, cx);
  add_key_commands(app, cx);
  add_peer_commands(app, cx);
  add_convert_commands(app, cx);
  add_stix_commands(app, cx);
  add_pattern_commands(app, cx);
  add_sensor_commands(app, cx);
  add_hunt_command(app, cx);
  add_ledger_commands(app, cx);
  add_witness_commands(app, cx);
  add_access_commands(app, cx);
  add_taxii_commands(app, cx);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    std::fprintf(stderr, "entente: %s (command line): see 'entente --help', or '--help' after the command\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "entente: %s: this is a bug, please report it\n", e.what());
    return 2;
  }
  return cx.status;
}

}  // namespace entente::cli
