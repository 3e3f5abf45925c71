#include "store/internal/ops.h"

#include <cstring>

namespace entente::store {

void put_op(std::string& out, const Op& op) {
  out.push_back(static_cast<char>(op.kind));
  switch (op.kind) {
    case OpKind::kAdd:
    case OpKind::kShare:
      out.append(op.collection.raw());
      if (op.kind == OpKind::kShare) {
        put_u64(out, op.item.seq);
        put_u32(out, op.item.index);
      }
      put_info(out, op.info);
      put_bytes(out, op.meta);
      return;
    case OpKind::kRemove:
      out.append(op.collection.raw());
      put_bytes(out, op.id);
      out.push_back(static_cast<char>(op.which));
      put_time(out, op.instant.s);
      put_u32(out, op.instant.ns);
      return;
    case OpKind::kSet:
    case OpKind::kNote:
    case OpKind::kExpect:
      put_bytes(out, op.space);
      put_bytes(out, op.key);
      put_bytes(out, op.value);
      return;
    case OpKind::kErase:
      put_bytes(out, op.space);
      put_bytes(out, op.key);
      return;
    case OpKind::kAppend:
      put_bytes(out, op.space);
      put_bytes(out, op.value);
      return;
    case OpKind::kDestroy:
      put_u64(out, op.item.seq);
      put_u32(out, op.item.index);
      return;
  }
}

OpReader::OpReader(std::string_view header) : r_(header) {
  // An empty header is a change without operations.
  if (!header.empty() && r_.u8() != kOpsFormat) ok_ = false;
}

bool OpReader::next(Op& op) {
  if (!ok_ || r_.rest().empty()) return false;
  op.kind = static_cast<OpKind>(r_.u8());
  const auto collection = [&] {
    const std::string_view raw = r_.take(16);
    if (r_.ok()) std::memcpy(op.collection.b.data(), raw.data(), 16);
  };
  switch (op.kind) {
    case OpKind::kAdd:
    case OpKind::kShare:
      collection();
      if (op.kind == OpKind::kShare) {
        op.item.seq = r_.u64();
        op.item.index = r_.u32();
      }
      if (!read_info(r_, op.info, op.id)) return ok_ = false;
      op.meta = r_.bytes();
      break;
    case OpKind::kRemove: {
      collection();
      op.id = r_.bytes();
      op.which = static_cast<Op::Which>(r_.u8());
      const std::string_view s = r_.take(8);
      if (!r_.ok() || op.which > Op::Which::kNone) return ok_ = false;
      op.instant.s = read_time(s);
      op.instant.ns = r_.u32();
      break;
    }
    case OpKind::kSet:
    case OpKind::kNote:
    case OpKind::kExpect:
      op.space = r_.bytes();
      op.key = r_.bytes();
      op.value = r_.bytes();
      break;
    case OpKind::kErase:
      op.space = r_.bytes();
      op.key = r_.bytes();
      break;
    case OpKind::kAppend:
      op.space = r_.bytes();
      op.value = r_.bytes();
      break;
    case OpKind::kDestroy:
      op.item.seq = r_.u64();
      op.item.index = r_.u32();
      break;
    default:
      return ok_ = false;
  }
  return ok_ = r_.ok();
}

}  // namespace entente::store
