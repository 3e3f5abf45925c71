// What the node keeps of each answer: a line in the access log, if there is one, and figures per endpoint.
#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "net/http.h"

namespace entente::node {

// "objects", "manifest", … for TAXII, "api", "ledger", "other" …: few, whatever is asked.
[[nodiscard]] std::string_view endpoint_of(std::string_view path);
// One line of the access log, with its line end (docs/format/access-log.md).
[[nodiscard]] std::string access_line(const net::Served& served, Time now);

// Thread-safe.
class AccessLog {
 public:
  // Appends to `file`; "" writes nothing.
  static Result<std::unique_ptr<AccessLog>> open(const std::string& file);
  // Goes on in a new file of the same name: the old one was moved away. If that fails the old one is gone on with.
  Status reopen();
  void write(std::string_view line);

 private:
  struct Close {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  explicit AccessLog(std::string file) : file_(std::move(file)) {}

  std::string file_;
  std::mutex mutex_;
  std::unique_ptr<std::FILE, Close> out_;
};

// entente_http_endpoint_answers_total{endpoint,code} and entente_http_endpoint_seconds{endpoint}.
void count(Metrics& metrics, const net::Served& served);

}  // namespace entente::node
