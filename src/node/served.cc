#include "node/internal/served.h"

#include <cerrno>
#include <cstring>

#include "json/node.h"

namespace entente::node {
namespace {

bool starts(std::string_view path, std::string_view with) { return path.starts_with(with); }

}  // namespace

std::string_view endpoint_of(std::string_view path) {
  if (path == "/taxii2" || path == "/taxii2/") return "discovery";
  if (path == "/healthz" || path == "/readyz") return "health";
  if (path == "/metrics") return "metrics";
  if (starts(path, "/api/")) return "api";
  if (starts(path, "/ledger/")) return "ledger";
  if (!starts(path, "/local") && !starts(path, "/agreements/") && !starts(path, "/acts")) return "other";
  if (path.ends_with('/')) path.remove_suffix(1);
  if (path.find("/status/") != path.npos) return "status";
  const size_t collections = path.find("/collections");
  if (collections == path.npos) return "root";
  std::string_view rest = path.substr(collections + 12);
  if (rest.empty()) return "collections";
  if (rest.front() != '/') return "other";
  rest.remove_prefix(1);
  const size_t slash = rest.find('/');
  if (slash == rest.npos) return "collection";
  rest.remove_prefix(slash + 1);
  if (rest == "manifest") return "manifest";
  if (rest == "objects") return "objects";
  if (starts(rest, "objects/")) return rest.ends_with("/versions") ? "versions" : "object";
  return "other";
}

std::string access_line(const net::Served& served, Time now) {
  json::Node n = json::Node::object();
  n.set("time", to_text(now)).set("peer", served.remote);
  if (!served.peer_spki.empty()) n.set("key", served.peer_spki.substr(0, 16));
  if (!served.who.empty()) n.set("who", served.who);
  n.set("method", served.method)
      .set("path", served.path)
      .set("http", served.version == 20   ? "2"
                   : served.version == 10 ? "1.0"
                                          : "1.1")
      .set("status", static_cast<uint64_t>(served.status))
      .set("octets", static_cast<uint64_t>(served.octets))
      .set("us", static_cast<uint64_t>(served.duration_us));
  return json::write(n) + "\n";
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& file) {
  std::unique_ptr<AccessLog> log(new AccessLog(file));
  if (!file.empty()) CHECK_OK(log->reopen());
  return log;
}

Status AccessLog::reopen() {
  if (file_.empty()) return {};
  std::unique_ptr<std::FILE, Close> fresh(std::fopen(file_.c_str(), "ae"));
  if (fresh == nullptr)
    return make_error(ErrorKind::kIo, std::string("cannot write the access log: ") + std::strerror(errno), file_);
  const std::scoped_lock lock(mutex_);
  out_ = std::move(fresh);
  return {};
}

void AccessLog::write(std::string_view line) {
  const std::scoped_lock lock(mutex_);
  if (out_ == nullptr) return;
  std::fwrite(line.data(), 1, line.size(), out_.get());
  std::fflush(out_.get());  // a line is there when its answer is
}

void count(Metrics& metrics, const net::Served& served) {
  const std::string endpoint = "endpoint=\"" + std::string(endpoint_of(served.path)) + "\"";
  metrics
      .counter("entente_http_endpoint_answers_total", "Answers by endpoint and first digit of the status",
               endpoint + ",code=\"" + std::to_string(served.status / 100) + "xx\"")
      .add();
  metrics
      .histogram("entente_http_endpoint_seconds", "From request to answer, long polls and their wait included",
                 endpoint)
      .record_us(served.duration_us);
}

}  // namespace entente::node
