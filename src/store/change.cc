#include <cstring>

#include "base/crypto.h"
#include "store/internal/ops.h"
#include "store/store.h"

namespace entente::store {

struct Change::State {
  std::string header;
  std::vector<std::string> items;
  uint32_t dates = 0;  // adds and shares

  void put(const Op& op) {
    if (header.empty()) header.push_back(static_cast<char>(kOpsFormat));
    put_op(header, op);
  }
};

Change::Change() : state_(std::make_shared<State>()) {}

void Change::add(const Uuid& collection, const stix::Summary& summary, std::string raw, std::string_view meta) {
  const Digest digest = sha256(raw);
  put_add(collection, summary, std::move(raw), meta, digest);
}

void Change::add_canonical(const Uuid& collection, const stix::Summary& summary, std::string raw, std::string_view meta,
                           std::string_view canonical) {
  put_add(collection, summary, std::move(raw), meta, sha256(canonical));
}

void Change::put_add(const Uuid& collection, const stix::Summary& summary, std::string raw, std::string_view meta,
                     const Digest& digest) {
  Op op;
  op.kind = OpKind::kAdd;
  op.collection = collection;
  op.info = {summary.type,    summary.id, summary.version, summary.version_time, summary.spec_version,
             summary.revoked, {}};
  std::memcpy(op.info.digest.data(), digest.data(), op.info.digest.size());
  op.meta = meta;
  state_->put(op);
  state_->items.push_back(std::move(raw));
  ++state_->dates;
}

void Change::share(const Uuid& collection, const Row& row, std::string_view meta) {
  Op op;
  op.kind = OpKind::kShare;
  op.collection = collection;
  op.info = {row.type,         row.id,           row.versioned ? std::string_view(row.version) : std::string_view(),
             row.version_time, row.spec_version, row.revoked,
             row.digest};
  op.item = row.item;
  op.meta = meta;
  state_->put(op);
  ++state_->dates;
}

void Change::remove(const Uuid& collection, std::string_view id, std::string_view version) {
  Op op;
  op.kind = OpKind::kRemove;
  op.collection = collection;
  op.id = id;
  if (!version.empty()) {
    const auto instant = stix::parse_timestamp(version);
    op.which = instant ? Op::Which::kInstant : Op::Which::kNone;
    op.instant = instant.value_or(stix::Timestamp{});
  }
  state_->put(op);
}

void Change::set(std::string_view space, std::string_view key, std::string_view value) {
  Op op;
  op.kind = OpKind::kSet;
  op.space = space;
  op.key = key;
  op.value = value;
  state_->put(op);
}

void Change::note(std::string_view space, std::string_view key, std::string_view value) {
  Op op;
  op.kind = OpKind::kNote;
  op.space = space;
  op.key = key;
  op.value = value;
  state_->put(op);
}

void Change::erase(std::string_view space, std::string_view key) {
  Op op;
  op.kind = OpKind::kErase;
  op.space = space;
  op.key = key;
  state_->put(op);
}

void Change::expect(std::string_view space, std::string_view key, std::string_view value) {
  Op op;
  op.kind = OpKind::kExpect;
  op.space = space;
  op.key = key;
  op.value = value;
  state_->put(op);
}

void Change::append(std::string_view sequence, std::string_view value) {
  Op op;
  op.kind = OpKind::kAppend;
  op.space = sequence;
  op.value = value;
  state_->put(op);
}

void Change::destroy(const Row& row) {
  Op op;
  op.kind = OpKind::kDestroy;
  op.item = row.item;
  state_->put(op);
}

size_t Change::adds() const { return state_->items.size(); }
bool Change::empty() const { return state_->header.empty(); }

log::Record Change::take() && {
  log::Record record{std::move(state_->header), std::move(state_->items), state_->dates};
  state_ = std::make_shared<State>();
  return record;
}

}  // namespace entente::store
