// A server with three answers, to be measured beside nginx: /small, /page (735 KB, copied per request as a backend
// does), /taxii (the same through the splice of an envelope).
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

#include "net/http.h"
#include "taxii/internal/resource.h"

using namespace entente;

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  net::ServerOptions o;
  o.port = static_cast<uint16_t>(std::atoi(argv[1]));
  o.threads = static_cast<unsigned>(std::atoi(argv[2]));
  o.cert_file = argv[3];
  o.key_file = argv[4];
  if (access(o.cert_file.c_str(), R_OK) != 0 && !net::make_certificate(o.cert_file, o.key_file, "bench", {}, 30).ok())
    return 2;
  const std::string page(735'000, 'x');
  Metrics metrics;
  auto server = net::serve(
      o,
      [&](const net::Request& r, const net::Reply& reply) {
        if (r.path == "/page") return reply({200, {{"Content-Type", "application/json"}}, page});
        if (r.path == "/taxii") {
          taxii::Page p;
          p.items.resize(1);
          p.body = page;
          return reply(taxii::internal::answer(200, taxii::internal::envelope_json(std::move(p), "cursor")));
        }
        reply({200, {{"Content-Type", "text/plain"}}, "small answer\n"});
      },
      metrics);
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.error().text().c_str());
    return 2;
  }
  pause();
  return 0;
}
