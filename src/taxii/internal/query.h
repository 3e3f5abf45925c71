// URL filters (TAXII 2.1 §3.4) and the cursor that carries them from page to page.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "taxii/backend.h"

namespace entente::taxii::internal {

enum class Endpoint : uint8_t { kObjects, kManifest, kObject, kVersions, kDelete };

// What a query said, and which of the filters it gave (a cursor is checked against those).
struct Query {
  Filter filter;
  std::optional<std::string> next;
  bool gave_id = false, gave_type = false, gave_spec_version = false, gave_version = false;
};

struct Limits {
  size_t default_limit = 1000;
  size_t max_limit = 10'000;
};

// kInvalid = 400. Parameters that the endpoint does not know are ignored (T49, T50).
Result<Query> parse_filters(std::string_view query, Endpoint endpoint, const Limits& limits);

// Where a sequence of pages stands. Stateless: all of it is in the text that the client carries, authenticated with our
// key.
struct Cursor {
  Time position;  // date_added of the last item given; unique in a collection, so it needs no tie-breaker (T47)
  Time upto;      // nothing newer belongs to this sequence, so that it ends although objects keep coming
  std::optional<Time> added_after;  // as first asked
  Filter filter;                    // ids, types, spec_versions and versions
};

// `scope` names what the cursor is for (endpoint, root, collection, object): a cursor of one place is no cursor of
// another.
std::string seal(const Cursor& cursor, std::string_view scope, std::string_view key);
Result<Cursor> unseal(std::string_view text, std::string_view scope,
                      std::string_view key);  // kInvalid on anything that we did not write

// Puts the cursor's position and filters into the query; kInvalid if a given filter says something else (T44).
Status resume(Query& query, const Cursor& cursor);

}  // namespace entente::taxii::internal
