// What a TAXII client sends besides a body: filters, cursors, paths, media types. A cursor of ours opens again with
// what was sealed into it; one that was changed does not open.
#include <string>

#include "fuzz/property.h"
#include "net/http.h"
#include "taxii/internal/media.h"
#include "taxii/internal/query.h"
#include "taxii/internal/route.h"

using namespace entente;
using namespace entente::taxii::internal;
using fuzz::demand;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string key(32, 'k');
  auto text = fuzz::text_of(data, size);
  const unsigned how = fuzz::choice(text);
  switch (how) {
    case 'p':
      (void)find_route(text);
      return 0;
    case 'm':
      (void)parse_media_type(text);
      (void)split_list(text);
      (void)is_taxii_body(text);
      (void)accepts_taxii({{"Accept", std::string(text)}});
      (void)preferred_wait({{"Prefer", std::string(text)}});
      return 0;
    case 'c':
      demand(!unseal(text, "scope", key).ok(), "nobody but us makes a cursor");
      return 0;
    default:
      break;
  }
  const auto endpoint = static_cast<Endpoint>(how % 5);
  const Limits limits;
  const auto query = parse_filters(text, endpoint, limits);
  if (!query.ok()) return 0;
  demand(query->filter.limit <= limits.max_limit, "no page is longer than the limit");
  const Cursor cursor{Time{1'700'000'000'000'000}, Time{1'800'000'000'000'000}, query->filter.added_after,
                      query->filter};
  const std::string sealed = seal(cursor, "scope", key);
  auto opened = unseal(sealed, "scope", key);
  demand(opened.ok(), "a cursor of ours opens");
  demand(opened->filter.ids == query->filter.ids && opened->filter.types == query->filter.types &&
             opened->filter.spec_versions == query->filter.spec_versions &&
             opened->added_after == query->filter.added_after,
         "a cursor keeps the filters");
  demand(!unseal(sealed, "other", key).ok(), "a cursor of one place is none of another");
  std::string changed = sealed;
  char& c = changed[text.size() % changed.size()];
  c = c == 'A' ? 'B' : 'A';
  demand(!unseal(changed, "scope", key).ok(), "a changed cursor does not open");
  auto resumed = *query;
  demand(resume(resumed, *opened).ok(), "the same filters go on");
  return 0;
}
