// TAXII 2.1 server: HTTP in, backend calls, HTTP out (TAXII 2.1; checklist numbers T1–T76 are cited at each rule in the
// sources).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "net/http.h"
#include "taxii/backend.h"

namespace entente::taxii {

struct Options {
  std::string cursor_key;       // 32 secret octets: authenticates `next` (T43, T44)
  size_t default_limit = 1000;  // R10
  size_t max_limit = 10'000;
  // Where clients reach this server, "https://host[:port]": API roots are listed below it. "" = below what the client
  // wrote into Host. Absolute, because there are clients that cannot resolve a relative one (T27 allows both).
  std::string public_origin = {};
  double requests_per_second = 0;  // of one caller, over ten seconds; 429 above it. 0 = no limit
  int64_t max_wait_ms = 60'000;    // upper bound of Prefer: wait
  // Where API roots may lie: a path below is ours even if the caller may not know the root, so that the answer is 401
  // or 404 as TAXII says it.
  std::vector<std::string> root_prefixes{"/local/", "/agreements/"};
};

// Thread-safe; lives as long as its replies are outstanding.
class Service {
 public:
  Service(Backend& backend, Options options, Clock& clock);
  ~Service();
  // Does the path belong to TAXII: /taxii2/ or one of the backend's roots?
  [[nodiscard]] bool owns(std::string_view path) const;
  // Ours, or asked as TAXII: then an unknown root is answered in its language too (T13).
  [[nodiscard]] bool speaks(const net::Request& request) const;
  void handle(net::Request request, net::Reply reply);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace entente::taxii
