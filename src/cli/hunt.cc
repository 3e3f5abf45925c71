// hunt
#include "detect/hunt.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/files.h"
#include "base/time.h"
#include "cli/internal/commands.h"
#include "cli/internal/table.h"
#include "detect/follow.h"
#include "detect/history.h"
#include "detect/load.h"
#include "json/node.h"
#include "pattern/pattern.h"

namespace entente::cli {
namespace {

struct HuntOptions {
  std::vector<std::string> indicators, inputs;
  std::string state, out, history, since;
  bool fields = false, below = false, follow = false;
  size_t jobs = 0;
};

// One line that is written over, at most ten times a second; rates are of what is on disk, before decompression.
class Meter {
 public:
  void show(const detect::HuntProgress& p, bool last = false) {
    const auto now = std::chrono::steady_clock::now();
    if (!last && now - shown_ < std::chrono::milliseconds(100)) return;
    shown_ = now;
    const double s = std::max(std::chrono::duration<double>(now - begun_).count(), 1e-3);
    const std::string part = p.total_bytes > 0
                                 ? " of " + grouped(p.total_bytes >> 20) + " MiB (" +
                                       std::to_string(std::min<uint64_t>(p.bytes * 100 / p.total_bytes, 100)) + " %)"
                                 : " MiB";
    std::fprintf(stderr, "\r\x1b[K%s%s, %s MB/s, %s records/s, %s matches", grouped(p.bytes >> 20).c_str(),
                 part.c_str(), grouped(static_cast<uint64_t>(static_cast<double>(p.bytes) / s / 1e6)).c_str(),
                 grouped(static_cast<uint64_t>(static_cast<double>(p.records) / s)).c_str(),
                 grouped(p.matches).c_str());
  }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now(), shown_{};
};

// Where matches go that must not be told twice: a file that is cut back, at the start, to what the last commit knew of.
class Output {
 public:
  Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  Status open(const std::string& path, const std::string& note) {
    if (path.empty()) return {};
    path_ = path;
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    struct stat s{};
    if (fd_ < 0 || ::fstat(fd_, &s) != 0) return failed("cannot open");
    size_ = note.empty() ? static_cast<uint64_t>(s.st_size) : std::strtoull(note.c_str(), nullptr, 10);
    if (size_ > static_cast<uint64_t>(s.st_size))
      return make_error(ErrorKind::kInvalid, "is shorter than the positions say", path,
                        "give the file that was written before, or remove the state to begin anew");
    if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) return failed("cannot be cut back");
    return {};
  }
  void line(const std::string& text) { waiting_.append(text) += '\n'; }
  // Durable, if it is a file.
  Status flush() {
    std::string_view rest = waiting_;
    while (!rest.empty()) {
      const ssize_t n = path_.empty() ? ::write(fd_, rest.data(), rest.size())
                                      : ::pwrite(fd_, rest.data(), rest.size(), static_cast<off_t>(size_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("cannot write");
      size_ += static_cast<uint64_t>(n);
      rest.remove_prefix(static_cast<size_t>(n));
    }
    if (!waiting_.empty() && !path_.empty() && ::fdatasync(fd_) != 0) return failed("cannot be made durable");
    waiting_.clear();
    return {};
  }
  [[nodiscard]] std::string note() const { return path_.empty() ? std::string() : std::to_string(size_); }

 private:
  [[nodiscard]] Error failed(const char* what) const {
    return make_error(ErrorKind::kIo, std::string(what) + ": " + std::strerror(errno),
                      path_.empty() ? "standard output" : path_, "check the disk and the permissions");
  }
  std::string path_, waiting_;
  int fd_ = STDOUT_FILENO;
  uint64_t size_ = 0;
};

// Until SIGTERM or ctrl-C.
Result<int> follow(const HuntOptions& o, const detect::Loaded& loaded) {
  const detect::Index& index = *loaded.index;
  if (o.state.empty()) return invalid("--follow needs a place for its positions", "", "give --state FILE");
  sigset_t set;
  sigemptyset(&set);
  for (const int sig : {SIGTERM, SIGINT}) sigaddset(&set, sig);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  PosixFiles files;
  Output out;
  detect::HuntOptions options;
  options.exact = o.fields;
  options.compounds = loaded.compounds.get();
  // What start() finds comes after the output was cut back: the note is read by a follower that finds nothing.
  {
    const auto nothing = detect::Builder().build();
    detect::Follower reader({}, o.state, files, *nothing, [](const detect::HuntMatch&) {});
    CHECK_OK(reader.start());
    CHECK_OK(out.open(o.out, reader.note()));
  }
  detect::Follower follower(
      o.inputs, o.state, files, index, [&](const detect::HuntMatch& m) { out.line(detect::to_json(m)); }, options);
  CHECK_OK(follower.start());
  CHECK_OK(out.flush());
  CHECK_OK(follower.commit(out.note()));
  size_t told = 0;
  for (bool stop = false; !stop;) {
    TRY(const uint64_t lines, follower.poll());
    CHECK_OK(out.flush());
    if (lines > 0) CHECK_OK(follower.commit(out.note()));
    const auto& notes = follower.report().notes;
    for (; told < notes.size(); ++told) std::fprintf(stderr, "entente: %s\n", notes[told].c_str());
    const timespec tick{0, 200'000'000};
    stop = sigtimedwait(&set, nullptr, &tick) > 0;
  }
  return follower.report().matches > 0 ? 0 : 1;
}

// "2026-11-01T00:00:00Z", "2026-11-01", or so long ago: "P7D", "7d", "12h", "30m".
Result<Time> time_of(const std::string& text) {
  if (text.empty()) return Time{};
  if (const auto at = parse_time(text.size() == 10 ? text + "T00:00:00Z" : text); at.ok()) return *at;
  std::string period = text;
  if (std::isdigit(static_cast<unsigned char>(text.front())) != 0) {
    const char unit = text.back();
    period = unit == 'd' ? "P" + text.substr(0, text.size() - 1) + "D"
                         : "PT" + text.substr(0, text.size() - 1) +
                               (unit == 'h'   ? "H"
                                : unit == 'm' ? "M"
                                              : "?");
  }
  const auto back = parse_period(period);
  if (!back.ok()) return invalid("not a time: " + printable(text, 40), "--since", "as in 2026-11-01, 7d, 12h");
  return subtract(SystemClock().now(), *back);
}

// Indicators against what a sensor saw.
Result<int> hunt_past(const HuntOptions& o, const detect::Loaded& loaded) {
  TRY(const Time since, time_of(o.since));
  PosixFiles files;
  if (!files.exists(o.history))
    return make_error(ErrorKind::kNotFound, "there is no history", o.history,
                      "name the folder `history` in the state folder of a sensor");
  detect::HistoryOptions options;
  options.write = false;
  TRY(const auto history, detect::History::open(o.history, files, options));
  const auto stats = history->stats();
  std::vector<detect::History::Question> questions;
  for (uint32_t n = 0; n < loaded.index->indicators(); ++n) {
    const auto indicator = loaded.index->indicator(n);
    if (indicator.tag != 0) continue;
    const auto parsed = pattern::Pattern::parse(indicator.pattern);
    if (!parsed.ok()) continue;
    for (auto& atom : pattern::equality_atoms(*parsed).any_of) questions.push_back({n, std::move(atom)});
  }
  const auto begun = std::chrono::steady_clock::now();
  const auto hits = history->find(questions, since);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  for (const auto& h : hits) {
    const auto indicator = loaded.index->indicator(h.number);
    json::Node line = json::Node::object();
    line.set("indicator", indicator.id)
        .set("pattern", indicator.pattern)
        .set("type", detect::name(h.kind))
        .set("value", h.value)
        .set("source", o.history)
        .set("count", h.count)
        .set("first", to_text(h.first))
        .set("last", to_text(h.last));
    json::Node sights = json::Node::array();
    for (const auto& s : h.sights)
      sights.push(json::Node::object().set("time", to_text(s.time)).set("src", s.src).set("dst", s.dst));
    line.set("sights", std::move(sights));
    std::puts(json::write(line).c_str());
  }
  if (loaded.compounds->size() > 0)
    std::fprintf(stderr, "entente: %s patterns need more than one value: a history cannot answer for them\n",
                 grouped(loaded.compounds->size()).c_str());
  if (stats.damaged > 0)
    std::fprintf(stderr, "entente: %s files of the history are damaged: what they held is missing\n",
                 grouped(stats.damaged).c_str());
  std::fprintf(stderr, "%s values asked for; %s seen in %s segments; %s matches in %.2f s\n",
               grouped(questions.size()).c_str(), grouped(stats.seen).c_str(), grouped(stats.segments).c_str(),
               grouped(hits.size()).c_str(), seconds);
  return hits.empty() ? 1 : 0;
}

Result<int> hunt(Context& cx, const HuntOptions& o) {
  if (o.inputs.empty() == o.history.empty())
    return invalid("give either inputs or --history", "", "entente hunt --indicators FILE LOG…, or --history FOLDER");
  if (!o.since.empty() && o.history.empty()) return invalid("--since needs --history", "--since", "");
  TRY(const auto loaded, detect::load_indicators(o.indicators, {.names_and_below = o.below}));
  const bool terminal = isatty(STDERR_FILENO) != 0;
  for (const auto& note : loaded.notes) std::fprintf(stderr, "entente: %s\n", note.c_str());
  if (loaded.indicators == 0)
    return invalid("there is no indicator to look for", o.indicators.front(),
                   "give STIX indicators, a CSV with a column of URLs, or a list with one value a line");
  if (!loaded.not_at_all.empty()) {
    std::fprintf(stderr, "entente: %s patterns cannot be hunted for (%s: %s)\n",
                 grouped(loaded.not_at_all.size()).c_str(), loaded.not_at_all.front().id.c_str(),
                 loaded.not_at_all.front().why.c_str());
  }
  if (!loaded.every_record.empty()) {
    std::fprintf(stderr,
                 "entente: %s patterns have no value to look up, so every record is taken apart for them: slower (%s: "
                 "%s)\n",
                 grouped(loaded.every_record.size()).c_str(), loaded.every_record.front().id.c_str(),
                 loaded.every_record.front().why.c_str());
  }
  if (!o.history.empty()) return hunt_past(o, loaded);
  if (o.follow) return follow(o, loaded);
  detect::HuntOptions options;
  options.exact = o.fields;
  options.compounds = loaded.compounds.get();
  options.threads = o.jobs;
  Meter meter;
  detect::HuntProgress progress;
  if (terminal) {
    options.progress = [&](const detect::HuntProgress& p) {
      progress = p;
      meter.show(p);
    };
  }
  const auto begun = std::chrono::steady_clock::now();
  const auto report = detect::hunt(
      o.inputs, *loaded.index, [](const detect::HuntMatch& m) { std::puts(detect::to_json(m).c_str()); }, options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  if (terminal) {
    meter.show(progress, true);
    std::fputs("\n", stderr);
  }
  for (const auto& note : report.notes) std::fprintf(stderr, "entente: %s\n", note.c_str());
  for (const auto& e : report.errors) print_error(e);
  if (!cx.json) {
    std::fprintf(stderr, "%s indicators; %s records in %s inputs; %s matches; %s MB in %.2f s\n",
                 grouped(loaded.indicators).c_str(), grouped(report.records).c_str(), grouped(report.inputs).c_str(),
                 grouped(report.matches).c_str(), grouped(report.bytes / 1'000'000).c_str(), seconds);
  }
  if (!report.errors.empty()) return 2;
  return report.matches > 0 ? 0 : 1;
}

}  // namespace

void add_hunt_command(CLI::App& app, Context& cx) {
  auto h = std::make_shared<HuntOptions>();
  auto* c =
      app.add_subcommand("hunt", "match indicators over logs and captures; one JSON line per match (exit 1: none)");
  c->add_option("--indicators", h->indicators, "STIX, CSV or lists; may be given several times")
      ->required()
      ->allow_extra_args(false);
  c->add_option(
      "INPUT", h->inputs,
      "Zeek, Suricata, DNS query logs, dnstap, JSON lines, text, NetFlow, IPFIX, pcap; gzip and zstd too; folders; '-' "
      "is standard input");
  c->add_option("--history", h->history, "instead of inputs: what a sensor saw (folder `history` of its state)");
  c->add_option("--since", h->since, "with --history: seen at this time or later (2026-11-01, 7d, 12h)");
  c->add_flag("--fields", h->fields,
              "exactly what taking every line apart would find, in broken lines too; a little slower");
  c->add_flag("--below", h->below, "a name of a list also stands for all names below it");
  c->add_flag("--follow", h->follow, "go on as the inputs grow and are rotated, until SIGTERM or ctrl-C");
  c->add_option("--state", h->state, "with --follow: file that keeps the positions over restarts");
  c->add_option("--out", h->out,
                "with --follow: file for the matches, in which each is told once even if the program is killed");
  c->add_option("-j,--jobs", h->jobs, "inputs read at the same time (default: one for each processor)");
  c->callback([&cx, h] {
    const auto result = hunt(cx, *h);
    finish(cx, result);
    if (!result.ok()) cx.status = 2;  // 1 would say that nothing matches
  });
}

}  // namespace entente::cli
