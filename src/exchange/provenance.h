// Whose an object is that own people hand in. What a partner gave stays the partner's (release.md §3 step 5): published
// here as own content it would be this party's to give to everybody, and its originator never asked. It can be told by
// its id, and by its content under another id while nothing of it was changed; docs/agreements.md says what cannot be
// told.
#pragma once

#include <string>
#include <string_view>

#include "exchange/context.h"
#include "json/json.h"
#include "stix/object.h"

namespace entente::exchange {

// Store space: content_print() of what a partner gave -> its id, the partner, the agreement, a line each. Stays when
// the object is destroyed: it is a digest, from which nothing can be read, and so a copy is known afterwards too.
// "id ID" for each id that a partner gave, and "ids" if that is so from the first: one look then tells that an id is
// nobody's, where walking through the rows of it costs an eighth of an admission.
inline constexpr std::string_view kTheirsSpace = "theirs";

// Digest (hex) of what an object states, without its name, its author, its marks and what is counted anew with each
// version. "" for what has no time of making: who states the same address states the same octets.
[[nodiscard]] std::string content_print(const json::Value& object, const stix::Summary& summary);

void note_theirs(store::Change& change, const json::Value& object, const stix::Summary& summary, std::string_view by,
                 std::string_view agreement_id);

// In the change that makes a node's store: ids are noted from the first.
void note_ids_from_the_first(store::Change& change);

// "" if own people may publish it; else the rule, and what they can do instead.
[[nodiscard]] Result<std::string> why_not_own(const Context& cx, const json::Value& object,
                                              const stix::Summary& summary);

}  // namespace entente::exchange
