// Every noun adds its commands to the program; a command that was chosen leaves its exit status in Context::status.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace CLI {
class App;
}

namespace entente::cli {

struct Context {
  bool json = false;  // -o json
  std::string output = "table";
  int status = 0;
  std::string program;  // argv[0], for demo, which starts itself
};

// Runs a command's body: prints its error and turns it into the exit status.
void finish(Context& cx, const Result<int>& result);
void print_error(const Error& error);

void add_node_commands(CLI::App& app, Context& cx);       // init, node, backup
void add_publish_commands(CLI::App& app, Context& cx);    // publish, release, recall, hold
void add_exercise_commands(CLI::App& app, Context& cx);   // exercise
void add_retention_commands(CLI::App& app, Context& cx);  // retention, handling
void add_agreement_commands(CLI::App& app, Context& cx);  // agreement
void add_claim_commands(CLI::App& app, Context& cx);      // claim
void add_joint_commands(CLI::App& app, Context& cx);      // joint
void add_consent_commands(CLI::App& app, Context& cx);    // consent
void add_duty_commands(CLI::App& app, Context& cx);       // duty, score
void add_key_commands(CLI::App& app, Context& cx);        // key
void add_peer_commands(CLI::App& app, Context& cx);       // peer
void add_ledger_commands(CLI::App& app, Context& cx);     // ledger
void add_witness_commands(CLI::App& app, Context& cx);    // witness
void add_access_commands(CLI::App& app, Context& cx);     // account, token
void add_convert_commands(CLI::App& app, Context& cx);    // import, export
void add_stix_commands(CLI::App& app, Context& cx);       // stix
void add_pattern_commands(CLI::App& app, Context& cx);    // pattern
void add_sensor_commands(CLI::App& app, Context& cx);     // sensor, lease
void add_hunt_command(CLI::App& app, Context& cx);        // hunt
void add_taxii_commands(CLI::App& app, Context& cx);      // taxii: any server
void add_demo_command(CLI::App& app, Context& cx);        // demo

}  // namespace entente::cli
