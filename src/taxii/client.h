// TAXII 2.1 client: what `peer`, `sensor` and the command line use. Bounded, checks progress, survives broken servers
// (T77–T82, R1–R12).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/http.h"
#include "taxii/backend.h"

namespace entente::taxii {

struct Fetched {
  std::string body;                       // the envelope's text, validated as JSON
  std::vector<std::string_view> objects;  // raw texts, views into body
  bool more = false;
  std::string next;
  std::optional<Time> first, last;  // X-TAXII-Date-Added-*
  Fetched() = default;
  Fetched(Fetched&&) = default;
  Fetched& operator=(Fetched&&) = default;
  Fetched(const Fetched&) = delete;
  Fetched& operator=(const Fetched&) = delete;
};
// Views in `objects` point into the heap buffer of `body`; a moved Fetched keeps them valid (body is held in a way that
// survives moves: see .cc).

class Client {
 public:
  // `authorization`: value of the Authorization header, or "".
  Client(std::unique_ptr<net::Client> transport, std::string authorization);
  ~Client();

  struct Discovery {
    std::string title;
    std::string default_root;
    std::vector<std::string> roots;  // paths on this server
  };
  Result<Discovery> discover();
  Result<std::vector<CollectionInfo>> collections(const std::string& root);

  struct Get {
    std::optional<Time> added_after;
    std::string next;
    size_t limit = 0;  // 0 = the server's choice
    std::vector<std::string> types;
    bool all_versions = false;  // match[version]=all
    int wait_seconds = 0;       // Prefer: wait
  };
  Result<std::shared_ptr<Fetched>> objects(const std::string& root, const std::string& collection, const Get& get);
  // One object's status, or kNotFound.
  Result<StatusInfo> status(const std::string& root, const std::string& status_id);
  // Deletes the last version of an object, or those that match[version] names.
  Status remove(const std::string& root, const std::string& collection, const std::string& object_id,
                const std::string& match_version = {});
  // POSTs envelopes, as many as max_content_length asks for; returns their statuses as one, polled to completion.
  Result<StatusInfo> add(const std::string& root, const std::string& collection,
                         const std::vector<std::string_view>& raw_objects);
  // Any path of the server, as JSON or octets (ledger, API).
  Result<net::Response> get(const std::string& path, const std::string& accept);
  Result<net::Response> post(const std::string& path, const std::string& body, const std::string& content_type);

  // How often a request that failed for now (no connection, time-out, 429, 500 and above) is sent again: a GET always,
  // a POST only if the server said 429 or 503, so that it did nothing. Waits twice as long each time, at random between
  // half and all of it, or as long as Retry-After says (at most a minute). Default: never.
  struct Retries {
    int times = 0;
    std::chrono::milliseconds first{250};
  };
  void set_retries(Retries retries);

  void cancel();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::taxii
