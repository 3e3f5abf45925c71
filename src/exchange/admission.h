// Admission: what a client posts becomes objects of the node, or a message that says per object why not. One bad object
// never sinks the rest.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/context.h"
#include "json/json.h"
#include "stix/object.h"
#include "taxii/backend.h"

namespace entente::exchange {

// What the row keeps beside the object: who brought it, and for received objects under what.
struct RowMeta {
  std::string by;         // "account:alice" or party code
  std::string agreement;  // agreement id; "" = own content
  std::string article;
  std::string tlp, pap;  // handling we are held to
  std::string original;  // released rows: id of the object it was made from, when redacted
  [[nodiscard]] std::string text() const;
  static RowMeta parse(std::string_view text);
};

// Adds an object that a node wrote itself (a manifest, a statement, an act) under its party's name.
[[nodiscard]] Status add_written(store::Change& change, const Uuid& collection, const std::string& text,
                                 std::string_view by, std::string_view agreement);

// The checks one object must pass: STIX 2.1 (errors only), and for indicators of type stix that the pattern parses.
// Returns the sentence for the status, or "" if it may come in. `summary` is filled in either case as far as it could
// be read.
[[nodiscard]] std::string why_not(const json::Value& object, stix::Summary& summary);

// Store space: "SOURCE RELATIONSHIP" of every derived-from relationship that own people published -> what it is derived
// from ("" if an older version of this program wrote it); "" once there is one.
inline constexpr std::string_view kOriginSpace = "derived-from";
void note_origin(store::Change& change, const json::Value& object, const stix::Summary& summary);

// Thread-safe. `done` runs on the log's committer thread.
class Admission {
 public:
  explicit Admission(Context& context) : cx_(context) {}
  // `envelope`: TAXII envelope text, unparsed. kInvalid = nothing of it could be processed (422).
  void admit(const Uuid& collection, const RowMeta& meta, const std::string& envelope,
             std::function<void(Result<taxii::StatusInfo>)> done);

 private:
  Context& cx_;
};

}  // namespace entente::exchange
