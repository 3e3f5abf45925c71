// What this network uses: for each address and name the different clients of the last days, and the names that live on
// an address. The guard asks it before a block (enforcement.md §8.3, step 5). Bounded; what has the fewest clients goes
// first. Kept over restarts: docs/format/leases.md. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/time.h"
#include "detect/observable.h"
#include "detect/seeded_hash.h"
#include "enforce/guard.h"
#include "packet/decode.h"

namespace entente::sensor {

// Who used a value that a flow shows, as text: the side that asked or connected, which has the higher port (the sender,
// if there are no ports). "" if nobody did: the value is an address that itself connected, as a scanner does.
[[nodiscard]] std::string client_of(detect::ObservableKind kind, std::string_view text, const packet::Flow& flow);

struct UsesOptions {
  int days = 7;
  size_t max_values = 200'000;    // addresses; as many names
  size_t max_clients = 1'024;     // of one value that are told apart
  size_t max_in_all = 1'000'000;  // clients over all addresses; as many over all names
  size_t max_names = 64;          // of one address; protected ones always
  size_t max_names_in_all = 1'000'000;
};

class Uses {
 public:
  using Options = UsesOptions;
  Uses(Files& files, std::string path, Options options) : files_(files), path_(std::move(path)), options_(options) {}

  // What an earlier run kept. A file that cannot be read is said and left out: prevalence then begins anew.
  void load();
  // Of a URL its host is used.
  void used(detect::ObservableKind kind, std::string_view text, std::string_view client, Time time);
  // True if it was not known. `always`: above max_names too.
  bool add_name(const enforce::Prefix& address, const std::string& name, bool always, Time time);

  [[nodiscard]] std::vector<std::string> names_on(const enforce::Prefix& address) const;
  // Of a range, and of a name with all below it: of all inside together.
  [[nodiscard]] enforce::Impact impact_of(const enforce::Target& target, Time now) const;
  Status save();  // if something changed
  [[nodiscard]] size_t size() const;

 private:
  struct Client {
    uint32_t hash;
    uint16_t day;  // last used, days since 1970
    auto operator<=>(const Client&) const = default;
  };
  struct Value {
    std::vector<Client> clients;  // by hash
    bool more = false;            // some were left out
    uint16_t day = 0;             // last change of any kind
    std::vector<std::pair<std::string, uint16_t>> names;
  };
  struct Hash {  // seeded: who sends packets chooses the keys
    size_t operator()(std::string_view name) const { return detect::seeded_hash(name); }
    size_t operator()(const enforce::Prefix& address) const;
  };
  // Ordered for what is asked of ranges and of all below a name, and beside it found by hash: traffic asks for one
  // value after another, of which most are known.
  template <class Key>
  class Table {
   public:
    using Map = std::map<Key, Value, std::less<>>;
    using View = std::conditional_t<std::is_same_v<Key, std::string>, std::string_view, Key>;
    [[nodiscard]] const Map& values() const { return values_; }
    [[nodiscard]] Value* find(const View& key) {
      const auto it = index_.find(key);
      return it == index_.end() ? nullptr : &it->second->second;
    }
    [[nodiscard]] const Value* find(const View& key) const {
      const auto it = index_.find(key);
      return it == index_.end() ? nullptr : &it->second->second;
    }
    // A new one, or the one there is.
    Value& at(const Key& key) {
      const auto [it, fresh] = values_.try_emplace(key);
      if (fresh) index_.emplace(View(it->first), it);
      return it->second;
    }
    // Takes out what a rank of make_room() points to.
    void erase(typename Map::iterator it) {
      index_.erase(View(it->first));
      values_.erase(it);
    }
    [[nodiscard]] Map& ordered() { return values_; }
    size_t clients = 0, names = 0;

   private:
    Map values_;
    std::unordered_map<View, typename Map::iterator, Hash> index_;
  };
  template <class Key>
  Value& at_key(Table<Key>& table, const Key& key, uint16_t day);  // a new one if it is not known
  template <class Key>
  void use(Table<Key>& table, const Key& key, uint32_t client, uint16_t day);
  template <class Key>
  void make_room(Table<Key>& table, uint16_t day);
  [[nodiscard]] bool recent(uint16_t day, uint16_t today) const { return day + options_.days > today; }
  Status read(std::string_view bytes);

  Files& files_;
  std::string path_;
  Options options_;
  mutable std::mutex mutex_;
  Table<enforce::Prefix> addresses_;
  Table<std::string> names_;  // spelled backwards: what is below a name follows it
  bool changed_ = false;
};

// Tells flows apart, whichever way a packet goes.
[[nodiscard]] uint64_t flow_hash(const packet::Flow& flow);
// Hash of a client, the same over restarts.
[[nodiscard]] uint32_t client_hash(std::string_view client);

}  // namespace entente::sensor
