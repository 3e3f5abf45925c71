#include "log/internal/checker.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace entente::log {
namespace {

constexpr size_t kMaxFindings = 1000;
constexpr size_t kFlushBytes = 4u << 20;
constexpr int kTables = 256;

std::string named(Table table, std::string_view key, std::string_view what) {
  return fmt::format("table {} key {}: {}", table, hex(key.substr(0, 80)), what);
}

}  // namespace

void Checker::finding(std::string text) {
  if (findings_.size() < kMaxFindings) {
    findings_.push_back(std::move(text));
  } else {
    ++dropped_;
  }
}

Status Checker::apply(const Entry& entry) {
  if (!comparable_) return {};
  if (!pending_) pending_ = std::make_unique<Overlay>(*scratch_);
  std::string outcome;
  if (Status s = projector_.apply(entry, *pending_, outcome); !s.ok()) {
    // It was applied once, so the projector is not deterministic or the record is not what was committed.
    pending_->rollback();
    finding(fmt::format("record {}: cannot be applied: {}", entry.seq, s.error().text()));
    return {};
  }
  pending_->keep();
  if (pending_->bytes() >= kFlushBytes) {
    CHECK_OK(scratch_->write(*pending_));
    pending_->clear();
  }
  return {};
}

Status Checker::compare(const View& live) {
  if (pending_) {
    CHECK_OK(scratch_->write(*pending_));
    pending_.reset();
  }
  if (!comparable_) {
    finding("tables were not compared: the log cannot be replayed whole");
  } else {
    for (int t = 0; t < kTables; ++t) CHECK_OK(compare(live, static_cast<Table>(t)));
  }
  if (dropped_ > 0) findings_.push_back(fmt::format("and {} more findings", dropped_));
  return {};
}

Status Checker::compare(const View& live, Table table) {
  const auto cursor = scratch_->open(table);
  std::string_view key;
  std::string_view value;
  bool have = cursor->next(key, value);
  const Status scanned = live.scan(table, {}, {}, [&](std::string_view k, std::string_view v) {
    while (have && key < k) {
      finding(named(table, key, "missing; the log has it"));
      have = cursor->next(key, value);
    }
    if (have && key == k) {
      if (value != v) finding(named(table, k, "has another value than the log gives"));
      have = cursor->next(key, value);
    } else {
      finding(named(table, k, "not in the log"));
    }
    return true;
  });
  if (!scanned.ok()) {
    finding(fmt::format("table {}: {}", table, scanned.error().text()));
    return {};
  }
  for (; have; have = cursor->next(key, value)) finding(named(table, key, "missing; the log has it"));
  return cursor->status();
}

}  // namespace entente::log
