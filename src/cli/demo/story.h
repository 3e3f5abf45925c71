// The main job, end to end: seven steps over two nodes, a sensor and a small internet, all real processes and sockets.
// Steps leave what they found in `figures`.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cli/demo/children.h"
#include "cli/demo/figures.h"
#include "cli/demo/lab.h"
#include "cli/demo/traffic.h"
#include "cli/internal/node_client.h"

namespace entente::cli::demo {

struct StoryOptions {
  std::string data;   // file of names; "" = where set-up puts it
  bool keep = false;  // leave the folder
  int64_t rate = 0;   // names published per second; 0 = as fast as it goes
  int trials = 24;    // of shared to blocked
};

// One of the two sides.
struct Side {
  std::string party, name, dir, listen;
  std::string identity;  // id of its identity object
  Child process;
  std::optional<NodeClient> api;
};

class Story {
 public:
  explicit Story(StoryOptions options) : options_(std::move(options)) {}
  ~Story();
  Status run();
  Figures figures;

 private:
  // story.cc
  Status prepare();
  void step(const std::string& title);
  void note(const std::string& text);  // one line under the step, with the time since it began
  // Runs this program with `args`; anything but exit status 0 (or one of `also`) is an error. The first line of its
  // standard output, parsed.
  Result<json::Document> command(const std::vector<std::string>& args, std::initializer_list<int> also = {});
  // Asks again until `done` says true.
  Status until(const std::string& what, int timeout_ms, const std::function<Result<bool>()>& done);
  Result<std::string> path(const std::string& name, const std::string& text);  // writes a file of the demo

  // story_nodes.cc: two nodes, agreement, publishing, receiving
  Status start_nodes();
  Status refuse_before_force();
  Status agree();
  Status act(Side& who, const std::string& verb, const std::string& what);
  Status publish();
  Status receive();
  Result<uint64_t> received_by_india();

  // story_sensor.cc: packets
  Status start_sensor();
  Status browse();
  Status share_and_block();
  Status sightings_return();
  Status recall();
  Status stop_sensor();
  struct Event {
    std::string kind, indicator, target, value, field, via_name, why, sentence;
  };
  Result<std::vector<Event>> events();
  Status lease_on(const std::string& address, const char* what);

  // story_ledger.cc: audits
  Status audit();
  Status tamper();

  StoryOptions options_;
  std::filesystem::path folder_;
  std::unique_ptr<Lab> lab_;
  std::unique_ptr<Servers> servers_;
  std::unique_ptr<Stream> stream_;
  Side india_, japan_;
  Child sensor_;
  std::string agreement_;  // id
  std::string early_;      // JSON of the indicator published before the agreement was in force
  std::vector<std::string> names_;
  std::string address_indicator_;  // id of one that blocks `address_`
  std::string address_;
  SystemClock clock_;
  int step_ = 0;
  int64_t begun_us_ = 0, step_us_ = 0, publish_began_us_ = 0;
};

}  // namespace entente::cli::demo
