// The strict JSON reader: whatever it accepts has one canonical form, which it accepts again; the raw pieces of a list
// are the elements of that list.
#include "json/json.h"

#include <string>

#include "fuzz/property.h"
#include "json/node.h"

using namespace entente;
using fuzz::demand;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = fuzz::text_of(data, size);
  json::Document doc;
  if (!doc.parse(text).ok()) return 0;
  const std::string canonical = json::canonical(doc.root());
  const auto again = json::canonical(std::string_view(canonical));
  demand(again.ok(), "the canonical form is read");
  demand(*again == canonical, "the canonical form of the canonical form is itself");

  const json::Node node = json::Node::from(doc.root());
  demand(json::canonical(node) == canonical, "a node has the canonical form of its text");
  const auto written = json::canonical(std::string_view(json::write(node)));
  demand(written.ok() && *written == canonical, "what a node writes is the same value");

  const auto list = json::find_array(doc.root(), "objects");
  const auto pieces = json::split_array(text, "objects");
  demand(pieces.ok() == list.has_value(), "a list is split if and only if it is one");
  if (!list) return 0;
  size_t n = 0;
  for (const json::Value v : *list) {
    demand(n < pieces->size(), "as many pieces as elements");
    const auto piece = json::canonical((*pieces)[n++]);
    demand(piece.ok() && *piece == json::canonical(v), "a piece is its element");
  }
  demand(n == pieces->size(), "no more pieces than elements");
  return 0;
}
