// Feeds: any TAXII 2.1 server that a party takes objects in from, without being its partner. No agreement and no ledger
// stand behind a feed, so what comes goes through the same admission as a client's post, and may add but not change
// what others brought. Owns no thread and opens no connection: node drives it.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "exchange/context.h"
#include "json/node.h"
#include "stix/marking.h"
#include "taxii/client.h"

namespace entente::exchange {

struct Feed {
  std::string name;        // [a-z0-9-], not of two letters: those are parties
  std::string url;         // origin of the server
  std::string root;        // path of the API root
  std::string collection;  // id, alias or title there
  // Login: user and secret (Basic) or secret alone (Bearer). The secret itself is never in the store: it is the first
  // line of a file of the node's folder, or an environment variable of the node's process.
  std::string user;
  std::string secret_file;        // name in DIR/feeds/, mode 0600
  std::string secret_env;         // ENTENTE_FEED_…
  std::string ca_file;            // PEM in DIR/feeds/; "" and no pin = the system's authorities
  std::string pin;                // SHA-256 hex of the server's TLS key
  std::string proxy;              // http://HOST:PORT; "" = what the node's environment says; "none"
  std::optional<stix::Tlp> tlp;   // written into objects without object_marking_refs
  std::optional<int> confidence;  // written into objects that can have one and do not
  std::optional<Time> from;       // only what was added there after this
  int64_t interval_s = 300;       // from the end of one pull to the beginning of the next
  size_t page = 1000;
  bool paused = false;
};

// Where a feed stands. Kept in the store, in the same change as the objects that it accounts for: a crash neither
// loses a page nor counts it twice.
struct FeedState {
  std::optional<Time> added_after;  // with which the sequence of pages under way began (T80)
  std::string next;                 // its cursor; "" = none under way
  std::optional<Time> reached;      // newest date_added taken: where the next sequence begins
  uint64_t taken = 0, known = 0, refused = 0, marked = 0;
  std::optional<Time> last_pull;  // end of the last whole pull, by our clock
  std::optional<Time> last_try;
  std::string last_error;  // "" = the last try went well
  bool behind = false;     // the server has more, and we know it
};

struct Refusal {
  uint64_t number = 0;  // counts up from 1
  std::string id, why;
  std::string time;
};

// Thread-safe. pull() of one feed must not run twice at a time; the caller sees to that.
class Feeds {
 public:
  // `added`: told of the collection after each page that brought something.
  Feeds(Context& context, std::function<void(const Uuid&)> added) : cx_(context), added_(std::move(added)) {}

  // Adds or replaces. A replaced feed that points to another collection begins anew.
  Status put(const Feed& feed);
  Status remove(std::string_view name);  // what it brought stays
  Status pause(std::string_view name, bool on);
  [[nodiscard]] std::vector<Feed> all() const;
  [[nodiscard]] Result<Feed> get(std::string_view name) const;
  [[nodiscard]] FeedState state(std::string_view name) const;
  // The latest refused objects, newest first; the last kRefusalsKept are kept.
  [[nodiscard]] std::vector<Refusal> refusals(std::string_view name) const;
  static constexpr uint64_t kRefusalsKept = 1000;

  struct Page {
    size_t taken = 0;
    bool more = false;
  };
  // One page: asked for, admitted, and the place behind it kept, in one change of the log.
  Result<Page> pull(taxii::Client& client, const Feed& feed);
  void failed(const Feed& feed, const Error& error);

  static json::Node to_node(const Feed& feed);
  static Result<Feed> parse(std::string_view text);

 private:
  Status admit(const Feed& feed, const taxii::Fetched& page, FeedState& state, store::Change& change,
               std::vector<Refusal>& refused);
  Context& cx_;
  std::function<void(const Uuid&)> added_;
  std::mutex mutex_;  // configuration changes, and commits of places against them
};

}  // namespace entente::exchange
