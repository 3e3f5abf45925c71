#include "pattern/validate_input.h"

#include <algorithm>

#include "pattern/indicator.h"

namespace entente::pattern {
namespace {

using stix::Finding;
using Kind = stix::ObjectStream::Item::Kind;

class Run {
 public:
  Run(const InputOptions& options, const ReportTo& to) : options_(options), to_(to), set_(set_options(options)) {}

  void item(const stix::ObjectStream::Item& item) {
    findings_.clear();
    ObjectReport report;
    report.line = item.line;
    report.place = item.place;
    if (item.kind == Kind::kFault) {
      findings_.push_back({"S1-json", Finding::Level::kError, "", item.fault->text()});
      ++summary.objects;
    } else {
      report.id = json::find_string(item.value, "id").value_or("");
      report.type = json::find_string(item.value, "type").value_or("");
      report.is_object = item.kind == Kind::kObject;
      // An envelope is TAXII's, and has no rules of STIX.
      if (report.is_object || !report.type.empty()) stix::validate(item.value, options_.rules, findings_);
      if (report.is_object) {
        ++summary.objects;
        validate_pattern(item.value, options_.rules, findings_);
        if (options_.whole_set) beside(item, report.id);
      }
    }
    give(report);
    give_late();
  }

  void end() {
    if (!options_.whole_set) return;
    set_.finish(late_);
    give_late();
    summary.complete = set_.complete();
  }

  InputSummary summary;

 private:
  static stix::SetValidator::Options set_options(const InputOptions& o) {
    auto s = o.set;
    s.warnings = o.rules.warnings;
    return s;
  }

  void beside(const stix::ObjectStream::Item& item, std::string_view id) {
    set_.add(item.value, item.text, late_);
    std::erase_if(late_, [&](stix::SetFinding& f) {
      if (f.object != id) return false;
      findings_.push_back(std::move(f.finding));
      return true;
    });
  }

  void give(ObjectReport& report) {
    if (!options_.disabled.empty()) {
      std::erase_if(findings_, [&](const Finding& f) { return options_.disabled.contains(f.code); });
    }
    for (const auto& f : findings_) {
      const bool error = f.level == Finding::Level::kError;
      ++(error ? summary.errors : summary.warnings);
      report.valid = report.valid && !error;
    }
    if (report.line != 0 && !report.valid) ++summary.invalid;
    report.findings = &findings_;
    to_(report);
  }

  // Findings about objects that were given out before.
  void give_late() {
    for (auto& f : late_) {
      findings_.clear();
      findings_.push_back(std::move(f.finding));
      ObjectReport report;
      report.id = f.object;
      report.type = report.id.substr(0, report.id.find("--"));
      report.is_object = true;
      const uint64_t before = summary.errors;
      give(report);
      summary.late_errors += summary.errors - before;
    }
    late_.clear();
  }

  const InputOptions& options_;
  const ReportTo& to_;
  stix::SetValidator set_;
  std::vector<Finding> findings_;
  std::vector<stix::SetFinding> late_;
};

}  // namespace

Result<InputSummary> validate_input(stix::ObjectStream::Read read, const InputOptions& options, const ReportTo& to,
                                    const ProgressTo& progress) {
  Run run(options, to);
  stix::ObjectStream stream(std::move(read), options.reading);
  stix::ObjectStream::Item item;
  while (true) {
    TRY(const bool more, stream.next(item));
    if (!more) break;
    run.item(item);
    if (progress) progress(stream.octets(), run.summary.objects);
  }
  run.end();
  run.summary.octets = stream.octets();
  return run.summary;
}

}  // namespace entente::pattern
