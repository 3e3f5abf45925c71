// Names: a DNS response-policy zone, and its hidden primary. Resolvers hold the zone as secondaries and are told of
// each change (NOTIFY, RFC 1996), which they fetch (IXFR, RFC 1995; AXFR, RFC 5936). Only configured secondaries are
// answered, all of them signed (TSIG with HMAC-SHA256, RFC 8945) but those that the operator excepts. If the sensor
// stays away the zone expires at the resolver, and everything resolves again (fail open).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/time.h"
#include "enforce/enforcer.h"
#include "enforce/target.h"

namespace entente::enforce {

struct RpzOptions {
  std::string zone = "rpz.entente";
  std::string listen = "127.0.0.1:5354";  // "address:port", "[v6]:port"; UDP and TCP
  std::vector<std::string> secondaries;   // "address:port" that get NOTIFY; transfers to the address from any port
  // Of those, the ones that cannot sign (Unbound 1.17): addresses and the path to them have to be trusted.
  std::vector<std::string> unsigned_secondaries;
  std::string key_name;     // of TSIG; may be empty only if all secondaries are unsigned
  std::string key_secret;   // octets
  std::string garden;       // blocked names lead there; "" = they do not exist (NXDOMAIN)
  std::string file;         // the zone as a master file too, replaced whole at each change; "" = none (Knot Resolver)
  std::string serial_file;  // serials never go back over a restart; "" = they come from the clock alone
  uint32_t ttl_s = 5;
  int64_t hold_us = 300'000'000;  // the zone expires at the resolvers so long after the last word of the primary
  size_t capacity = 1'000'000;    // names
  size_t journal = 10'000;        // changes (of names) kept for IXFR
};

// What is in the zone, and what changed when. Pure but for time; not thread-safe.
class RpzZone {
 public:
  RpzZone(const RpzOptions& options, uint32_t serial);

  // drop: does not exist, or leads to the garden. Otherwise passthru: resolvers log it and let it through.
  void set(const Target& name, bool drop);
  void remove(const Target& name);
  // What was set and removed becomes one new serial. False if nothing changed.
  bool commit();
  [[nodiscard]] uint32_t serial() const { return serial_; }
  [[nodiscard]] size_t size() const { return wishes_.size(); }

  // The messages of a transfer, without TSIG: everything, or what changed since `from` (everything if that is not known
  // any more, only the SOA if there is nothing new).
  [[nodiscard]] std::vector<std::string> axfr(uint16_t id) const;
  [[nodiscard]] std::vector<std::string> ixfr(uint16_t id, uint32_t from) const;
  [[nodiscard]] std::string soa_answer(uint16_t id, uint16_t qtype) const;  // also of UDP IXFR (RFC 1995 §2)
  [[nodiscard]] std::string notify(uint16_t id) const;
  [[nodiscard]] std::string master_file() const;

 private:
  struct Change {
    std::string owner;                    // relative to the zone
    std::optional<std::string> from, to;  // where it leads; unset = not there
  };
  struct Step {
    uint32_t from = 0;
    std::vector<Change> changes;
  };
  class Writer;
  struct Wish {
    std::optional<bool> alone, tree;  // whether to drop
  };
  void refresh(const std::string& host);
  void put(const std::string& owner, std::optional<bool> drop);
  [[nodiscard]] std::string soa(uint32_t serial) const;
  RpzOptions options_;
  uint32_t serial_;
  std::map<std::string, Wish> wishes_;
  std::map<std::string, std::string> records_;  // owner -> target, both without the dot at the end; "" is the root
  std::map<std::string, std::optional<std::string>> pending_;
  std::deque<Step> journal_;
  size_t journal_changes_ = 0;
};

// The zone as an enforcer of names. want(), unwant() and flush() from one thread; answers from its own.
class Rpz final : public NameEnforcer {
 public:
  // Answers nobody before the first flush(): over a restart nobody shall fetch a zone that is still empty.
  // `is_protected`: asked again for each name before it goes into the zone (safety rule 2).
  static Result<std::unique_ptr<Rpz>> start(RpzOptions options, Files& files,
                                            std::function<bool(const Target&)> is_protected);
  ~Rpz() override;  // stops answering; what resolvers hold stays with them until it expires

  [[nodiscard]] std::string name() const override { return "rpz"; }
  void want(const Target& name, bool drop, Time end) override;
  void unwant(const Target& name) override;
  // One new serial. kTooLarge names how many did not fit.
  Status flush(Time now) override;
  Status clear() override;  // an empty zone; waits up to 2 s for the secondaries to fetch it

  struct Counters {
    uint64_t axfr = 0, ixfr = 0, soa = 0, refused = 0, notified = 0, unanswered = 0;
  };
  [[nodiscard]] Counters counters() const;
  [[nodiscard]] uint32_t serial() const;
  [[nodiscard]] size_t names() const;
  [[nodiscard]] uint16_t port() const;
  // One message of somebody; what is to be said, in order. For the server's threads, and for tests.
  [[nodiscard]] std::vector<std::string> answer(std::string_view message, const std::string& from, bool tcp, Time now);

 private:
  struct State;
  explicit Rpz(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace entente::enforce
