// The one text form of names, addresses, URLs and mail addresses: a normal form is its own normal form. And any text at
// all can be quoted into a pattern.
#include "pattern/normal.h"

#include <string>

#include "base/bytes.h"
#include "fuzz/property.h"
#include "pattern/pattern.h"

using namespace entente;
using fuzz::demand;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = fuzz::text_of(data, size);
  if (const auto v = pattern::normal_domain(text)) demand(pattern::normal_domain(*v) == v, "domain");
  if (const auto v = pattern::normal_url(text)) demand(pattern::normal_url(*v) == v, "URL");
  if (const auto v = pattern::normal_email(text)) demand(pattern::normal_email(*v) == v, "e-mail address");
  if (const auto v = pattern::normal_address(text)) {
    const auto again = pattern::normal_address(v->value);
    demand(again && again->kind == v->kind && again->value == v->value, "address");
  }
  if (!valid_utf8(text) || size > 20'000) return 0;
  const auto quoted = pattern::Pattern::parse("[mutex:name = " + pattern::quote(text) + "]");
  demand(quoted.ok(), "a quoted value is a literal");
  demand(quoted->print() == "[mutex:name = " + pattern::quote(text) + "]", "a literal prints as it was quoted");
  return 0;
}
