// One value seen in a packet or a log record, ready to be looked up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "pattern/pattern.h"

namespace entente::detect {

// kJa3 only where it is known to be one: in text a JA3 fingerprint is a digest like others, and is looked up as both.
enum class ObservableKind : uint8_t { kIpv4, kIpv6, kDomain, kUrl, kHash, kEmail, kJa3, kJa4 };
[[nodiscard]] const char* name(ObservableKind kind);  // STIX type: "ipv4-addr", "domain-name", …
// The same of a value that matched such an atom: a digest that is a fingerprint belongs to a connection, not to a file.
[[nodiscard]] const char* name(ObservableKind kind, pattern::AtomKind matched);

// Where it was seen. Views are valid during the call that delivers them.
struct Where {
  std::string_view source;  // "dns.log.gz", "eth0"
  std::string_view field;   // "query", "tls.sni", "ip.dst"
  uint64_t record = 0;      // 1-based line or packet
  std::optional<Time> time;
  // The flow it belongs to, in text; empty where unknown.
  std::string_view src, dst;
  std::string_view uid;
};

struct Observable {
  ObservableKind kind;
  std::string_view text;  // as seen; normalised inside match()
  Where where;
};

}  // namespace entente::detect
