// What patterns are evaluated over: observed-data and the cyber-observable objects (SCOs) that each lists, in a compact
// form. Filled from STIX JSON or, without JSON, through Writer. Not thread-safe while it is filled; reading is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/json.h"
#include "pattern/symbols.h"
#include "stix/timestamp.h"

namespace entente::pattern {

// Nanoseconds since 1970; 64 bits would not hold the years 0001..9999.
using Nanos = __int128;
[[nodiscard]] Nanos nanos(const stix::Timestamp& t);
inline constexpr Nanos kAlways = static_cast<Nanos>(1) << 100;  // later than any time; -kAlways: earlier

struct Value {
  // kBad: the text of a _bin or _hex property that is none, or null: there, but comparable with nothing. kAbsent: a
  // reference that leads nowhere.
  enum class Kind : uint8_t { kAbsent, kBad, kBoolean, kInteger, kReal, kString, kOctets, kList, kObject, kReference };
  Kind kind = Kind::kAbsent;
  bool ascii = true;   // kString, kOctets
  uint32_t count = 0;  // octets, elements, members
  union {
    int64_t integer = 0;
    double real;
    bool boolean;
    uint64_t at;  // string: in the arena; list and object: first element or member; reference: number of the object
  };
};

struct Member {
  Symbol key = 0;
  uint32_t value = 0;
};

struct Sco {
  Symbol type = 0;
  uint32_t value = 0;  // of kind kObject
};

// One observed-data: `count` observations, each at some instant of [first, last] (STIX 2.1 §9.1).
struct Observed {
  std::string id;
  Nanos first = 0;
  Nanos last = 0;
  uint64_t count = 1;
  uint32_t begin = 0;  // its objects: listed()
  uint32_t size = 0;
};

struct ReadOptions {
  // Takes observed-data without times (any time is possible), without number_observed (1), null values, objects in
  // `objects` that are none, and custom types of whatever form. Otherwise each of them is an error.
  bool lenient = false;
  // If set, only these names are kept: properties that no pattern asks for cost nothing. Must outlive the Observations.
  const Symbols* only = nullptr;
};

class Observations {
 public:
  explicit Observations(const ReadOptions& options = {}) : options_(options) {}

  // A bundle, TAXII envelope, observed-data, list of any of them, or JSON lines. Errors name the observed-data.
  static Result<Observations> read(std::string_view text, const ReadOptions& options = {});

  // Objects may come in any order; finish() once after the last one resolves references. Of two objects with one id the
  // later one counts.
  Status add(const json::Value& object);
  Status finish();

  [[nodiscard]] std::span<const Observed> all() const { return observed_; }
  [[nodiscard]] const Symbols& symbols() const { return options_.only != nullptr ? *options_.only : own_; }
  // The objects of an observation, ascending.
  [[nodiscard]] std::span<const uint32_t> listed(const Observed& o) const {
    return std::span(listed_).subspan(o.begin, o.size);
  }
  [[nodiscard]] bool lists(const Observed& o, uint32_t object) const;
  [[nodiscard]] const Sco& sco(uint32_t object) const { return scos_[object]; }

  // Every (observation, object) where the object has this type, by observation.
  struct Root {
    uint32_t observation = 0;
    uint32_t object = 0;
  };
  [[nodiscard]] std::span<const Root> roots(Symbol type) const;

  [[nodiscard]] const Value& value(size_t i) const { return values_[i]; }
  [[nodiscard]] std::span<const Member> members(const Value& v) const {
    return std::span(members_).subspan(v.at, v.count);
  }
  [[nodiscard]] std::string_view text(const Value& v) const { return std::string_view(arena_).substr(v.at, v.count); }

  // Writing without JSON, for one observation at a time: begin, objects, end; then finish(). What is written must be as
  // STIX has it (values of _bin and _hex as text, references by id).
  void begin(std::string_view id, Nanos first, Nanos last, uint64_t count = 1);
  void begin_object(std::string_view type, std::string_view id);
  void property(std::string_view key, std::string_view text);
  void property(std::string_view key, int64_t integer);
  void property(std::string_view key, std::span<const std::string_view> texts);  // a list; of _refs: ids
  // What is written between them is in a dictionary under `key`. They nest.
  void begin_dictionary(std::string_view key);
  void end_dictionary();
  void end_object();
  void end();
  // Forgets all but the names; memory is kept for the next.
  void clear();

 private:
  struct Pending {
    uint32_t value;
    std::string id;
    uint32_t scope;  // 0: by id; else number of the container
  };
  struct Listing {
    uint32_t observation;
    std::vector<std::string> ids;
  };

  Status add_observed(const json::Value& object);
  Status add_container(const json::Object& objects, Observed& o, const std::string& where);
  Status add_sco(const json::Value& object, std::string_view id, uint32_t scope, const std::string& where);
  Result<uint32_t> convert(const json::Value& v, Suffix suffix, uint32_t scope, const std::string& where);
  uint32_t string_value(std::string_view text, Suffix suffix, uint32_t scope);
  uint32_t put(const Value& v);
  [[nodiscard]] Value stored(std::string_view octets, Value::Kind kind);
  [[nodiscard]] Symbol symbol(std::string_view name);

  ReadOptions options_;
  Symbols own_;
  std::string arena_;
  std::vector<Value> values_;
  std::vector<Member> members_;
  std::vector<Sco> scos_;
  std::vector<Observed> observed_;
  std::vector<uint32_t> listed_;
  std::vector<Listing> listings_;
  std::vector<Pending> pending_;
  std::unordered_map<std::string, uint32_t> by_id_;                        // 2.1: id of an SCO
  std::unordered_map<std::string, uint32_t> by_place_;                     // 2.0: "container/key"
  std::vector<std::pair<Symbol, std::pair<uint32_t, uint32_t>>> by_type_;  // sorted; range of roots_
  std::vector<Root> roots_;
  std::vector<Member> open_members_;  // of the object that Writer has open
  struct Outer {
    Symbol key;
    std::vector<Member> members;  // written before the dictionary
  };
  std::vector<Outer> outer_;
  uint32_t containers_ = 0;
};

}  // namespace entente::pattern
