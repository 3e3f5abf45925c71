// The objects of one decision, and what they refer to. Raw texts are held in a deque so that views into them stay.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agreement/decide.h"
#include "exchange/context.h"
#include "json/json.h"
#include "store/store.h"

namespace entente::exchange::internal {

constexpr size_t kContextMax = 10'000;  // referenced objects looked up for one batch

// Key of what is kept by agreement and recipient.
[[nodiscard]] std::string count_key(std::string_view agreement_id, std::string_view to);

struct ReleaseGraph {
  std::deque<std::string> texts;
  std::vector<agreement::GraphObject> objects;
  std::vector<store::Row> rows;                    // same order; a row of a dry run has no item
  std::unordered_map<std::string, size_t> newest;  // id -> index of its newest version here
  std::vector<std::string> wanted;                 // ids referenced and not here yet

  void add(store::Row row, std::string text, agreement::GraphObject proto);
  void note_references(const json::Value& object);
  // Adds what the objects refer to, as context: from what the node holds, whoever it came from. `agreement_id`: by
  // which the recipient may have some of it already, "" if that is not to be looked up.
  Status complete(const Context& cx, const std::string& to, const std::string& agreement_id);

 private:
  Status add_context(const Context& cx, const std::string& id, const std::string& to, const std::string& agreement_id);
};

}  // namespace entente::exchange::internal
