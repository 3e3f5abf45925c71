// What the TAXII protocol needs from whoever has the objects. taxii knows no policy: the backend says who may what.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/http.h"
#include "stix/timestamp.h"

namespace entente::taxii {

// Who asks, as the backend made it from key, account or token; opaque here. Empty id = nobody.
struct Caller {
  std::string id;
  std::string scope{};  // what narrows the rights that come with the id, as the backend wrote it
};

struct RootInfo {
  std::string path;  // "/local/" or "/agreements/in-jp-cyber/"
  std::string title;
  std::string description;
  uint64_t max_content_length = 64u << 20;
};

struct CollectionInfo {
  std::string id;     // UUID text
  std::string alias;  // may be empty
  std::string title;
  std::string description;
  bool can_read = false;  // for this caller
  bool can_write = false;
};

struct Filter {
  std::optional<Time> added_after;
  std::optional<Time> upto;    // nothing newer belongs to this answer
  std::optional<Time> resume;  // what was added up to here was given on earlier pages; no filter: first and last are
                               // chosen as on page one (T42, T55)
  size_t limit = 1000;
  std::vector<std::string> ids, types, spec_versions;
  bool all = false, first = false, last = true;
  std::vector<stix::Timestamp> exact;
};

struct Item {
  std::string id;
  std::string version;
  Time date_added;
};

struct Page {
  std::vector<Item> items;    // ascending date_added; of manifest and versions only
  std::optional<Time> first;  // date_added of the first one given, if there is one
  std::optional<Time> last;   // … of the last one
  // Objects only: raw texts joined by ','; null if there are none, and for manifest and versions. Read after the
  // backend's call has returned, as the client takes it.
  std::shared_ptr<net::BodySource> objects;
  bool more = false;
  Time snapshot;  // newest date that the backend has given out: what is older belongs to a sequence that begins here
};

struct ItemResult {
  std::string id;
  std::string version;
  std::string message;  // why it failed
};
struct StatusInfo {
  std::string id;
  bool complete = true;
  Time request_time;
  uint64_t total = 0, success = 0, failure = 0, pending = 0;
  std::vector<ItemResult> successes, failures, pendings;
};

// Thread-safe. Methods with a callback may answer later from any thread; none may block for long.
class Backend {
 public:
  virtual ~Backend() = default;
  // Authentication from the connection's key and the Authorization header. kUnauthenticated -> 401.
  virtual Result<Caller> authenticate(const net::Request& request) = 0;
  virtual std::string title() = 0;
  virtual std::string contact() = 0;
  virtual std::vector<RootInfo> roots(const Caller& caller) = 0;  // those the caller may know of
  virtual Result<std::vector<CollectionInfo>> collections(const Caller& caller,
                                                          const std::string& root) = 0;  // stable order
  // `want_body`: fill Page::objects, not Page::items.
  virtual Result<Page> page(const Caller& caller, const std::string& root, const std::string& collection_id,
                            const Filter& filter, bool want_body) = 0;
  // Does the collection hold any version of this object?
  virtual Result<bool> has(const Caller& caller, const std::string& root, const std::string& collection_id,
                           const std::string& object_id) = 0;
  // `body` is the envelope's text, unparsed. kInvalid = 422 for the whole.
  virtual void add(const Caller& caller, const std::string& root, const std::string& collection_id, std::string body,
                   std::function<void(Result<StatusInfo>)> done) = 0;
  virtual Result<StatusInfo> status(const Caller& caller, const std::string& root, const std::string& status_id) = 0;
  virtual Status remove(const Caller& caller, const std::string& root, const std::string& collection_id,
                        const std::string& object_id, const Filter& filter) = 0;
  // Calls `wake` once: when the collection has something added after `after`, or at the time-out. May call it at once,
  // from this thread.
  virtual void wait(const Caller& caller, const std::string& root, const std::string& collection_id, Time after,
                    int64_t timeout_ms, std::function<void()> wake) = 0;
};

}  // namespace entente::taxii
