// Reads STIX from standard input and says of each object whether it is right, and what its id should be if it is an
// observable. Exit status 1 if an object is not valid.
#include <cstdio>

#include <pattern/validate_input.h>
#include <stix/confidence.h>
#include <stix/object.h>
#include <unistd.h>

namespace {

using entente::Result;

Result<size_t> from_stdin(char* to, size_t room) {
  const ssize_t n = ::read(STDIN_FILENO, to, room);
  if (n < 0) return entente::make_error(entente::ErrorKind::kIo, "standard input cannot be read");
  return static_cast<size_t>(n);
}

void print(const entente::pattern::ObjectReport& report) {
  std::printf("line %lu %s: %s\n", static_cast<unsigned long>(report.line), std::string(report.id).c_str(),
              report.valid ? "valid" : "NOT VALID");
  for (const auto& finding : *report.findings) {
    std::printf("  %s %s %s\n", std::string(finding.code).c_str(), finding.pointer.c_str(), finding.message.c_str());
  }
}

}  // namespace

int main() {
  const auto summary = entente::pattern::validate_input(from_stdin, {}, print);
  if (!summary.ok()) {
    std::fprintf(stderr, "%s\n", summary.error().text().c_str());
    return 2;
  }

  // Single functions of the library, without a stream.
  const auto address = entente::json::parse(R"({"type":"ipv4-addr","value":"198.51.100.3"})");
  if (!address.ok()) return 2;
  std::printf("198.51.100.3 is %s\n", entente::stix::deterministic_id(address->root()).value_or("?").c_str());
  const auto label = entente::stix::confidence_label(entente::stix::ConfidenceScale::kAdmiralty, 85);
  std::printf("confidence 85 is \"%s\"\n", std::string(label.value_or("?")).c_str());
  return summary->valid() ? 0 : 1;
}
