// What came of each POST, kept in the node's log so that it can be asked for a day later and after a restart (TAXII 2.1
// §4.3). Written in the same change as the objects: there is no object without its status, and no status without its
// objects.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "exchange/context.h"
#include "taxii/backend.h"

namespace entente::exchange {

// Lists longer than this are in the answer to the POST only; they are optional (T63), the counts are not.
inline constexpr size_t kListedItems = 100;

// What is known of a POST before it is committed.
struct Submission {
  std::string status_id;
  std::string caller;  // who may ask for it (T69)
  Time request_time;
  std::vector<taxii::ItemResult> sent;      // in the order of the adds
  std::vector<taxii::ItemResult> failures;  // refused before
};

// The status when `outcome` has come of the adds.
[[nodiscard]] taxii::StatusInfo settle(Submission submission, const store::Outcome& outcome);

// Adds the status to the change; call it after the adds.
void note_status(store::Change& change, const Submission& submission);

// kNotFound: no such status, or another caller's.
[[nodiscard]] Result<taxii::StatusInfo> find_status(const store::Store& store, std::string_view status_id,
                                                    std::string_view caller);

// Erases statuses older than `max_age_us`, at most `most` of them; returns how many.
Result<size_t> forget_statuses(store::Store& store, Time now, int64_t max_age_us, size_t most = 1000);

}  // namespace entente::exchange
