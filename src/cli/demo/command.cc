// entente demo
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/demo/story.h"
#include "cli/internal/commands.h"

namespace entente::cli {

namespace {

Result<int> run(Context& cx, const demo::StoryOptions& options) {
  demo::watch_signals();
  std::fputs("entente demo: two nodes, one agreement, real packets. Nothing of this machine's network is touched.\n",
             stderr);
  demo::Figures figures;
  {
    demo::Story story(options);
    CHECK_OK(story.run());
    figures = story.figures;
  }  // everything that was started has ended
  const auto shortcomings = figures.shortcomings();
  if (cx.json) {
    std::puts(json::write(figures.to_json()).c_str());
  } else {
    std::fputs("\n", stdout);
    figures.print_table();
  }
  for (const auto& s : shortcomings) std::fprintf(stderr, "entente: %s (demo)\n", s.c_str());
  if (!shortcomings.empty()) return 1;
  if (!figures.lab) {
    std::fputs(
        "entente: the sensor's part was not run (demo): run it as root, or where network namespaces are permitted\n",
        stderr);
    return 2;
  }
  return 0;
}

}  // namespace

void add_demo_command(CLI::App& app, Context& cx) {
  auto o = std::make_shared<demo::StoryOptions>();
  auto* c = app.add_subcommand(
      "demo", "the main job, end to end, on this machine: two nodes, one agreement, real packets stopped");
  c->add_option("--data", o->data, "names to share, {\"blacklist\":[…]} (default: what tools/setup fetched)");
  c->add_flag("--keep", o->keep, "leave the folder with both nodes and the sensor's state");
  c->add_option("--rate", o->rate, "publish so many names a second (default: as fast as it goes)")
      ->check(CLI::Range(1, 1'000'000));
  c->add_option("--trials", o->trials, "how often shared-to-blocked is measured")
      ->check(CLI::Range(1, 120))
      ->capture_default_str();
  c->callback([&cx, o] { finish(cx, run(cx, *o)); });
}

}  // namespace entente::cli
