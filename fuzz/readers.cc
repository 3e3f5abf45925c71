// Files of any kind as hunts and lists of indicators open them: gzip, zstd, captures, NetFlow and IPFIX, query logs of
// BIND and Unbound, syslog, other text. What is found does not depend on the pieces in which flow records come, and a
// capture or log is read as far as it goes.
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "detect/hunt.h"
#include "detect/load.h"
#include "fuzz/property.h"
#include "packet/flows.h"

using namespace entente;
using fuzz::demand;

namespace {

std::shared_ptr<const detect::Index> index() {
  detect::Builder builder;
  for (const char* value : {"evil.example", "203.0.113.7", "198.51.100.0/24", "2001:db8::7", "http://shop.example/a",
                            "d41d8cd98f00b204e9800998ecf8427e", "joe@mail.example"}) {
    const std::string text = *detect::pattern_of_value(value);
    builder.add({.id = value, .pattern = text}, pattern::equality_atoms(*pattern::Pattern::parse(text)).any_of);
  }
  return std::move(builder).build();
}

// A file without a name, with these octets.
class File {
 public:
  File() : fd_(::memfd_create("fuzz", 0)), path_("/proc/self/fd/" + std::to_string(fd_)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { ::close(fd_); }
  const std::string& with(std::string_view octets) {
    demand(::ftruncate(fd_, 0) == 0, "the file is emptied");
    demand(::pwrite(fd_, octets.data(), octets.size(), 0) == static_cast<ssize_t>(octets.size()),
           "the file is written");
    return path_;
  }

 private:
  int fd_;
  std::string path_;
};

struct Flows {
  std::string told;
  uint64_t records = 0, without_template = 0, malformed = 0;
  bool operator==(const Flows&) const = default;
};
Flows flows(std::string_view octets, size_t piece) {
  Flows out;
  packet::FlowReader reader([&](const packet::FlowRecord& r) {
    out.told += std::to_string(r.number) + to_text(r.src) + to_text(r.dst) + to_text(r.next_hop) + "\n";
  });
  for (size_t at = 0; at < octets.size(); at += piece) static_cast<void>(reader.feed(octets.substr(at, piece)).ok());
  static_cast<void>(reader.finish().ok());
  out.records = reader.records();
  out.without_template = reader.without_template();
  out.malformed = reader.malformed();
  return out;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto shared = index();
  static File file;
  const auto octets = fuzz::text_of(data, size);
  uint64_t told = 0;
  detect::HuntOptions options;
  options.threads = 1;
  const auto report = detect::hunt({file.with(octets)}, *shared, [&](const detect::HuntMatch&) { ++told; }, options);
  demand(report.matches == told, "every match is counted");
  demand(report.inputs + report.errors.size() >= 1, "the file is read, or refused with a reason");

  demand(flows(octets, octets.size() + 1) == flows(octets, 7), "flow records do not depend on the pieces they come in");
  packet::FlowReader datagrams([](const packet::FlowRecord&) {});
  static_cast<void>(datagrams.datagram(octets).ok());

  const auto loaded = detect::load_indicators({file.with(octets)});
  if (loaded.ok())
    for (uint32_t i = 0; i < loaded->index->indicators(); ++i) {
      const auto one = loaded->index->indicator(i);
      demand(one.tag != 0 || pattern::Pattern::parse(one.pattern).ok(), "what is kept of an indicator has a pattern");
    }
  return 0;
}
