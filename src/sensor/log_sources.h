// Where a sensor's logs come from: files that are followed, and sockets that others write to: syslog (RFC 5424 and
// RFC 3164 over UDP, RFC 6587 over TCP), JSON lines, plain lines, export packets of NetFlow and IPFIX over UDP, and
// dnstap of name servers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "enforce/target.h"
#include "sensor/core.h"

namespace entente::sensor {

// "udp:127.0.0.1:514", "tcp:[::1]:6514", "unix:/run/entente/logs.sock" (stream), "unixgram:/run/entente/log",
// "dnstap:/run/entente/dnstap.sock" (a Unix stream), "dnstap:127.0.0.1:6000" (TCP).
struct ListenAt {
  enum class Kind : uint8_t { kUdp, kTcp, kUnix, kUnixDatagram };
  Kind kind = Kind::kUdp;
  std::string host;  // kUdp, kTcp: an address
  uint16_t port = 0;
  std::string path;     // kUnix, kUnixDatagram
  bool dnstap = false;  // kTcp, kUnix: Frame Streams, not lines
};
[[nodiscard]] Result<ListenAt> parse_listen_at(std::string_view text);

struct LogSourceOptions {
  std::vector<std::string> files;
  std::vector<std::string> listen;
  // Who may send to UDP and TCP; empty: this machine only.
  std::vector<enforce::Prefix> from;
  std::string state_file;         // positions in the files
  int64_t lead_us = 600'000'000;  // LogWatch
  size_t max_connections = 256;   // per listener
  int64_t poll_us = 200'000;      // how often files are looked at
};

// Positions become durable at most a second after the lines were searched: after a crash what came in that second is
// searched again, never left out. Thread-safe.
class LogSources {
 public:
  // kInvalid, kIo: an address that cannot be listened at, positions that are damaged.
  static Result<std::unique_ptr<LogSources>> start(LogSourceOptions options, Core& core, Clock& clock, Files& files);
  LogSources(const LogSources&) = delete;
  LogSources& operator=(const LogSources&) = delete;
  ~LogSources();
  void stop();

  // For status.json: a list of {"log", "lines", …}; "refused" = connections and datagrams of who may not, or of too
  // many; "lost" = datagrams that the kernel had no room for.
  [[nodiscard]] json::Node status() const;

 private:
  LogSources();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::sensor
