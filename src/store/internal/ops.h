// A Change as the octets of a record header: a format octet, then operations in the order of the calls
// (docs/format/store.md).
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "store/internal/tables.h"

namespace entente::store {

inline constexpr uint8_t kOpsFormat = 1;

enum class OpKind : uint8_t {
  kAdd = 1,
  kShare = 2,
  kRemove = 3,
  kSet = 4,
  kErase = 5,
  kExpect = 6,
  kAppend = 7,
  kNote = 8,
  kDestroy = 9
};

// One operation; only the members of its kind are set.
struct Op {
  OpKind kind = OpKind::kAdd;
  Uuid collection;          // add, share, remove
  Info info;                // add, share
  std::string id;           // add, share, remove
  std::string_view meta;    // add, share
  log::View::ItemRef item;  // share, destroy
  enum class Which : uint8_t {
    kAll = 0,
    kInstant = 1,
    kNone = 2
  } which = Which::kAll;    // remove; none: no version has this text
  stix::Timestamp instant;  // remove
  std::string_view space;   // set, note, erase, expect; append: the sequence
  std::string_view key;     // set, note, erase, expect
  std::string_view value;   // set, note, expect, append
};

void put_op(std::string& out, const Op& op);

// Walks a header. Never reads beyond it, whatever the octets.
class OpReader {
 public:
  explicit OpReader(std::string_view header);
  // False at the end and on damage: then ok() tells which.
  bool next(Op& op);
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  ByteReader r_;
  bool ok_ = true;
};

}  // namespace entente::store
