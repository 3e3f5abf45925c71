// Reading and writing capture files: pcap (both byte orders, microseconds and nanoseconds) and pcapng (sections of
// either byte order, several interfaces, per-interface time resolution). Works on octets that come in pieces, so that a
// compressed stream can be read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "packet/decode.h"

namespace entente::packet {

// True if the first octets (at least 4; 12 for certainty) are those of a capture file.
[[nodiscard]] bool looks_like_capture(std::string_view head);

// Fed with the file's octets in order, in pieces of any size. Packets that span pieces are kept until they are whole
// (at most 256 KiB; longer ones are skipped and counted).
class CaptureReader {
 public:
  using Fn = std::function<void(const Packet&)>;
  explicit CaptureReader(Fn fn);
  ~CaptureReader();

  // kInvalid for what is no capture file, or if the structure is lost beyond recovery; later calls then do nothing.
  Status feed(std::string_view bytes);
  // kInvalid if the file ends inside a packet ("cut short"); all whole packets have been delivered.
  Status finish();
  [[nodiscard]] uint64_t packets() const;
  [[nodiscard]] uint64_t skipped() const;  // too long, or of an interface that was not described, or not in full

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads a whole file from disk.
Status read_capture_file(const std::string& path, const CaptureReader::Fn& fn);

// A pcap file in memory (microseconds, big-endian header), for tests, evidence and the demo.
[[nodiscard]] std::string pcap_header(LinkType link, uint32_t snaplen = 262144);
void append_pcap_packet(std::string& out, Time time, std::string_view bytes);

}  // namespace entente::packet
