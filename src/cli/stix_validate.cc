// stix validate, stix id: any input, object by object, in constant memory.
#include <algorithm>
#include <cstdio>

#include "base/bytes.h"
#include "cli/internal/input.h"
#include "cli/internal/progress.h"
#include "cli/internal/stix_commands.h"
#include "cli/internal/table.h"
#include "json/node.h"
#include "pattern/validate_input.h"
#include "stix/object.h"

namespace entente::cli {
namespace {

using json::Node;
using stix::Finding;

Result<std::set<std::string, std::less<>>> codes_of(std::string_view list) {
  std::set<std::string, std::less<>> out;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const auto code = list.substr(0, comma);
    const auto known = stix::codes();
    if (std::none_of(known.begin(), known.end(), [&](const auto& c) { return c.code == code; })) {
      return make_error(ErrorKind::kUnsupported, "no such code \"" + printable(code) + "\"", "--disable",
                        "the codes are in docs/stix-codes.md and in the reports");
    }
    out.emplace(code);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return out;
}

class Printer {
 public:
  Printer(const Context& cx, const std::string& file, Progress& progress) : cx_(cx), file_(file), progress_(progress) {}

  void print(const pattern::ObjectReport& report) {
    if (report.findings->empty()) return;
    progress_.clear();
    if (cx_.json)
      lines(report);
    else
      text(report);
  }

 private:
  void lines(const pattern::ObjectReport& report) const {
    for (const auto& f : *report.findings) {
      Node n = Node::object();
      n.set("file", file_);
      if (report.line != 0) n.set("line", report.line);
      if (!report.place.empty()) n.set("place", report.place);
      n.set("id", report.id)
          .set("level", f.level == Finding::Level::kError ? "error" : "warning")
          .set("code", f.code)
          .set("pointer", f.pointer)
          .set("message", f.message);
      std::puts(json::write(n).c_str());
    }
  }

  void text(const pattern::ObjectReport& report) const {
    std::string out = file_;
    if (report.line != 0) out += ":" + std::to_string(report.line);
    if (!report.id.empty()) out += "  " + printable(report.id);
    if (report.id.empty() && !report.place.empty()) out += "  " + printable(report.place);
    out += '\n';
    for (const auto& f : *report.findings) {
      std::string code(f.code);
      code.resize(std::max<size_t>(code.size(), 24), ' ');
      out += f.level == Finding::Level::kError ? "  error    " : "  warning  ";
      out += code + "  " + (f.pointer.empty() ? "/" : printable(f.pointer)) + "  " + printable(f.message, 400) + "\n";
    }
    std::fputs(out.c_str(), stdout);
  }

  const Context& cx_;
  const std::string& file_;
  Progress& progress_;
};

// Reports what kept one file from being read and goes on with the next.
void could_not_run(int& status, const Error& e) {
  print_error(e);
  status = 2;
}

stix::ObjectStream::Options reading(const StixOptions& o) { return {.max_object = o.max_object_mb << 20}; }

}  // namespace

Result<int> stix_validate(Context& cx, const StixOptions& o) {
  pattern::InputOptions options;
  options.rules.strict = o.strict;
  options.reading = reading(o);
  options.set.memory = o.memory_mb << 20;
  TRY(options.disabled, codes_of(o.disable));
  pattern::InputSummary all;
  int status = 0;
  for (const auto& file : o.files) {
    auto in = Input::open(file);
    if (!in.ok()) {
      could_not_run(status, in.error());
      continue;
    }
    Progress progress("objects", in->size());
    Printer printer(cx, file, progress);
    const auto summary = pattern::validate_input([&](char* to, size_t room) { return in->read(to, room); }, options,
                                                 [&](const auto& report) { printer.print(report); },
                                                 [&](uint64_t octets, uint64_t n) { progress.at(octets, n); });
    progress.clear();
    if (!summary.ok()) {
      could_not_run(status, summary.error());
      continue;
    }
    if (!summary->complete) {
      std::fputs(
          ("entente: versions, duplicates and translations were compared only between objects near each other (" +
           file + "): give more than " + std::to_string(o.memory_mb) + " MB with --memory\n")
              .c_str(),
          stderr);
    }
    all.objects += summary->objects;
    all.invalid += summary->invalid;
    all.errors += summary->errors;
    all.warnings += summary->warnings;
    all.late_errors += summary->late_errors;
  }
  if (!cx.json) {
    std::printf("%s objects: %s valid, %s not valid, %s warnings\n", grouped(all.objects).c_str(),
                grouped(all.objects - all.invalid).c_str(), grouped(all.invalid).c_str(),
                grouped(all.warnings).c_str());
    if (all.late_errors > 0) {
      std::printf("%s errors more that showed only beside other objects\n", grouped(all.late_errors).c_str());
    }
  }
  return status != 0 ? status : all.valid() ? 0 : 1;
}

Result<int> stix_ids(Context& cx, const StixOptions& o) {
  int status = 0;
  const auto no = [&] { status = std::max(status, 1); };
  for (const auto& file : o.files) {
    auto in = Input::open(file);
    if (!in.ok()) {
      could_not_run(status, in.error());
      continue;
    }
    Progress progress("objects", in->size());
    stix::ObjectStream stream([&](char* to, size_t room) { return in->read(to, room); }, reading(o));
    stix::ObjectStream::Item item;
    uint64_t objects = 0;
    while (true) {
      const auto more = stream.next(item);
      if (!more.ok()) could_not_run(status, more.error());
      if (!more.ok() || !*more) break;
      progress.at(stream.octets(), ++objects);
      if (item.kind == stix::ObjectStream::Item::Kind::kFault) {
        progress.clear();
        print_error(item.fault->at(file));
        no();
      }
      if (item.kind != stix::ObjectStream::Item::Kind::kObject) continue;
      const auto computed = stix::deterministic_id(item.value);
      if (!computed) continue;
      const std::string given(json::find_string(item.value, "id").value_or(""));
      if (given != *computed) no();
      progress.clear();
      if (cx.json) {
        Node n = Node::object();
        n.set("given", given).set("computed", *computed).set("equal", given == *computed);
        std::puts(json::write(n).c_str());
      } else {
        std::printf("%s %s\n", given.empty() ? "-" : printable(given).c_str(), computed->c_str());
      }
    }
  }
  return status;
}

}  // namespace entente::cli
