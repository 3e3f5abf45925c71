// `entente hunt`: matches an index over logs and captures of any of the known forms, recognised by content: Zeek TSV
// and JSON, Suricata EVE and other JSON lines, query logs of BIND and Unbound, dnstap, plain text, NetFlow v5, v9 and
// IPFIX, pcap and pcapng; each also gzip or zstd; "-" is standard input.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "detect/index.h"
#include "packet/decode.h"

namespace entente::detect {

enum class Kernel : uint8_t { kScalar, kAvx2, kAvx512 };
[[nodiscard]] const char* name(Kernel kernel);
[[nodiscard]] const std::vector<Kernel>& kernels();  // that this processor runs, the fastest last

class Compounds;  // compound.h
class LineSink;   // lines.h

struct HuntMatch {
  std::string indicator;  // id
  std::string pattern;
  std::string type;     // STIX type of what was seen: "domain-name"
  std::string value;    // as seen
  std::string source;   // the input's name as given; "stdin"
  std::string field;    // "query", "dns.rrname", "tls.sni"; "text" for plain text
  uint64_t record = 0;  // 1-based line or packet
  std::string time;     // RFC 3339 where the record tells; else as the record says, or empty
  // Of a pattern of several observations: all that are bound, by time; the members above are of the last one. Type
  // "observed-data" and no value: the record shows no single value that the pattern must have.
  struct Witness {
    std::string type, value, source, field;
    uint64_t record = 0;
    std::string time;
  };
  std::vector<Witness> witness = {};
};
// One line without its end; members in that order, all always there but "witness".
[[nodiscard]] std::string to_json(const HuntMatch& match);

struct HuntProgress {
  size_t input = 0;          // inputs that are done, folders counted by their files
  uint64_t bytes = 0;        // taken from all inputs so far, before decompression
  uint64_t total_bytes = 0;  // of all inputs whose size is known
  uint64_t records = 0;
  uint64_t matches = 0;
};

struct HuntOptions {
  std::function<void(const HuntProgress&)> progress = {};  // about once per MiB
  size_t threads = 0;                 // inputs that are read at the same time; 0: as many as there are processors
  size_t max_line_bytes = 10u << 20;  // longer lines are passed over and counted
  // The same matches as if every line were taken apart, whatever the lines hold (--fields). Without it the one
  // difference is a line that begins and ends like JSON and is broken inside: it is noticed only if a value in it is
  // known.
  bool exact = false;
  // Take every line apart: what the two ways above are held to. For tests and measurements.
  bool parse_all = false;
  // Patterns that no single value decides. Their anchors are in the index, with Compounds::tag() as tag. Must outlive
  // the hunt.
  const Compounds* compounds = nullptr;
  size_t max_bound_bytes = size_t{256} << 20;  // of records that wait to be bound (BinderOptions)
  // Instead of matching, every line is taken apart and handed to this; the index is not asked. Must outlive the hunt.
  LineSink* lines = nullptr;
  // Instruction set of the scanner; the best of this processor if not set. For tests and measurements.
  std::optional<Kernel> kernel = {};
};

struct HuntReport {
  uint64_t inputs = 0;   // read
  uint64_t bytes = 0;    // after decompression
  uint64_t records = 0;  // lines and packets
  uint64_t parsed = 0;   // lines that were looked at in full
  uint64_t matches = 0;
  // What was not understood, one sentence per input and cause: "a.log: 3 lines are not valid JSON".
  std::vector<std::string> notes;
  // Inputs that could not be read; the others were.
  std::vector<Error> errors;
  packet::Counters packets;
};

// Folders stand for all files below them. Inputs are read in parallel, but `sink` and `progress` are called by one
// thread at a time, and matches come in the order of the inputs and within them of the records; those of patterns of
// several observations after all others, in the order of time.
// A match is given once per indicator, field and record; addresses in captures once per flow. Validity times are not
// looked at: logs are history.
[[nodiscard]] HuntReport hunt(const std::vector<std::string>& inputs, const Index& index,
                              const std::function<void(const HuntMatch&)>& sink, const HuntOptions& options = {});
// The same over lines in memory.
[[nodiscard]] HuntReport hunt_text(std::string_view text, const std::string& source, const Index& index,
                                   const std::function<void(const HuntMatch&)>& sink, const HuntOptions& options = {});

}  // namespace entente::detect
