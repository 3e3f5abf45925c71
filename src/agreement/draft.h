// A starting document for people who negotiate: the articles, flows, quorums and protections that most cyber agreements
// have, for the given parties. Valid as it stands; meant to be edited. Pure.
#pragma once

#include <string>
#include <vector>

#include "json/node.h"

namespace entente::agreement {

struct Draft {
  std::string agreement_id;         // "urn:uuid:…"
  std::vector<json::Node> parties;  // party blocks as `entente init` writes them (party.json)
  std::string title = "Memorandum of Cooperation in the field of cybersecurity";
  std::string text_sha256;  // of the human text it is bound to
  int64_t text_bytes = 0;
  std::string floor = "green";
  std::string ceiling = "amber+strict";
  std::string unmarked = "amber+strict";
  std::vector<std::string> types;     // of the flow `ioc`; empty = indicators and what belongs to them
  std::string default_pap = "green";  // PAP assumed for objects that state none: green lets a sensor block
};
[[nodiscard]] json::Node draft_document(const Draft& draft);

}  // namespace entente::agreement
