// What this party may do with what a partner gave it: the object's marks, the floor and default of the agreement it
// came under, and what the manifest told, whichever is strictest (release.md §8).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/decide.h"
#include "exchange/admission.h"
#include "exchange/context.h"
#include "exchange/instruments.h"
#include "exchange/retention.h"
#include "json/json.h"
#include "stix/marking.h"
#include "store/store.h"

namespace entente::exchange {

// Where a manifest asks for more than an object's own marks say, this stands in the received collection before it, so
// that who reads the collection in order knows it first (docs/format/exchange.md, x-entente-handling).
inline constexpr std::string_view kHandlingType = "x-entente-handling";
inline constexpr std::string_view kHandlingBy = "handling";  // RowMeta::by

// This node's own notes in a collection of what a partner gave: they go to nobody.
[[nodiscard]] bool is_own_note(const RowMeta& meta);

// The PAP that the marks of this object say, by definitions that stand in the collection; the strictest for a marking
// whose definition is not there. Remembers definitions. Not thread-safe.
class MarkedPap {
 public:
  MarkedPap(const store::Store& store, Uuid collection) : store_(store), collection_(collection) {}
  void learn(std::string_view id, const json::Value& definition);  // one that is not in the collection yet
  [[nodiscard]] std::optional<stix::Pap> of(const json::Value& object);

 private:
  const store::Store& store_;
  Uuid collection_;
  std::map<std::string, std::optional<stix::Pap>, std::less<>> known_;
};

// The note, if what the manifest told is stricter than what the receiver would read off the object; else "".
[[nodiscard]] std::string handling_note(const json::Value& object, std::string_view id, std::string_view version,
                                        stix::Pap told, std::optional<stix::Pap> marked, stix::Pap by_default,
                                        Time now);

struct Effective {
  std::string from, agreement, article, version;
  bool revoked = false, live = false;
  std::string marked_tlp, marked_pap;  // on the object itself; "" = none
  stix::Tlp tlp = stix::Tlp::kRed;     // effective
  stix::Pap pap = stix::Pap::kRed;
  agreement::Permission monitor, block;
  Term term;
};
// Of each source that the object came from; empty if it came from none.
[[nodiscard]] Result<std::vector<Effective>> handling_of(const Context& context, const Instruments& instruments,
                                                         const std::string& id);

}  // namespace entente::exchange
