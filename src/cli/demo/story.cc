#include "cli/demo/story.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/files.h"
#include "cli/demo/data.h"

namespace entente::cli::demo {

namespace {

constexpr int kSteps = 7;

}  // namespace

Story::~Story() {
  sensor_.stop();
  japan_.process.stop();
  india_.process.stop();
  stream_.reset();
  servers_.reset();
  lab_.reset();
  if (folder_.empty()) return;
  if (options_.keep) {
    std::fprintf(stderr, "\nEverything is kept in %s\n", folder_.c_str());
  } else {
    std::error_code ec;
    std::filesystem::remove_all(folder_, ec);
  }
}

void Story::step(const std::string& title) {
  step_us_ = steady_now_us();
  std::fprintf(stderr, "\n[%d/%d] %s\n", ++step_, kSteps, title.c_str());
}

void Story::note(const std::string& text) {
  std::fprintf(stderr, "  %6.2f s  %s\n", static_cast<double>(steady_now_us() - step_us_) / 1e6, text.c_str());
}

Status Story::until(const std::string& what, int timeout_ms, const std::function<Result<bool>()>& done) {
  const int64_t end = steady_now_us() + int64_t{timeout_ms} * 1000;
  while (true) {
    if (interrupted()) return interruption();
    for (Side* s : {&india_, &japan_}) {
      if (s->api && !s->process.running()) {
        return make_error(ErrorKind::kInternal, "the node of " + s->party + " ended by itself", s->dir + "/node.err");
      }
    }
    TRY(const bool yes, done());
    if (yes) return {};
    if (steady_now_us() > end) {
      return make_error(ErrorKind::kUnavailable, "waited in vain for " + what, fmt::format("{} s", timeout_ms / 1000),
                        "run with --keep and look at the logs in the folder");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Result<json::Document> Story::command(const std::vector<std::string>& args, std::initializer_list<int> also) {
  std::vector<std::string> argv{own_program(), "-q", "-o", "json"};
  argv.insert(argv.end(), args.begin(), args.end());
  TRY(const Ran ran, run_program(argv));
  const bool expected = ran.status == 0 || std::find(also.begin(), also.end(), ran.status) != also.end();
  std::string line;
  for (size_t i = 0; i < args.size() && i < 3; ++i) line += " " + args[i];
  if (!expected) {
    return make_error(ErrorKind::kInternal,
                      fmt::format("a command ended with status {}: {}", ran.status,
                                  printable(ran.err.empty() ? ran.out : ran.err, 400)),
                      "entente" + line);
  }
  auto doc = json::parse(ran.out.substr(0, ran.out.find('\n')));
  if (!doc.ok()) return doc.error().at("what 'entente" + line + "' printed");
  return doc;
}

Result<std::string> Story::path(const std::string& name, const std::string& text) {
  PosixFiles files;
  const std::string p = (folder_ / name).string();
  CHECK_OK(files.write_atomic(p, text, 0600));
  return p;
}

Status Story::prepare() {
  begun_us_ = steady_now_us();
  TRY(const std::string data, find_data(options_.data));
  TRY(names_, phishing_names(data));
  const char* tmp = std::getenv("TMPDIR");
  std::string pattern = std::string(tmp != nullptr && *tmp != 0 ? tmp : "/tmp") + "/entente-demo-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) return make_error(ErrorKind::kIo, "no folder can be made", pattern);
  folder_ = pattern;
  auto lab = Lab::make();
  if (lab.ok()) {
    lab_ = std::move(*lab);
    figures.lab = true;
    return {};
  }
  std::fprintf(stderr,
               "NOTE: %s\n      The sensor's part (packets, leases, drops, sightings) is left out; the rest runs. The "
               "exit status will be 2.\n",
               lab.error().text().c_str());
  return {};
}

Status Story::run() {
  CHECK_OK(prepare());
  step("Two nodes, each with its own keys, TLS and store");
  CHECK_OK(start_nodes());
  step("An agreement: nothing flows before both have signed it and it is in force");
  CHECK_OK(refuse_before_force());
  CHECK_OK(agree());
  step("Japan publishes reported phishing names");
  CHECK_OK(publish());
  step("India receives them, and checks manifests, receipts and ledger proofs");
  CHECK_OK(receive());
  step("India's sensor sees packets: detect, guard, lease, drop");
  if (lab_) {
    CHECK_OK(start_sensor());
    CHECK_OK(browse());
    CHECK_OK(share_and_block());
  } else {
    note("left out: network namespaces are not permitted here");
  }
  step("Sightings go back; Japan recalls an indicator");
  if (lab_) CHECK_OK(sightings_return());
  CHECK_OK(recall());
  if (lab_) CHECK_OK(stop_sensor());
  step("Both ledgers are audited; one octet of a copy is altered");
  CHECK_OK(audit());
  CHECK_OK(tamper());
  figures.seconds = static_cast<double>(steady_now_us() - begun_us_) / 1e6;
  return {};
}

}  // namespace entente::cli::demo
