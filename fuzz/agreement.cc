// Documents, signed acts and what acts fold to. A valid document is its canonical form's document; a signed act writes
// the text that it was; acts that nobody signed bring nothing to life.
#include <string>
#include <vector>

#include "agreement/act.h"
#include "agreement/document.h"
#include "agreement/words.h"
#include "fuzz/property.h"

using namespace entente;
using fuzz::demand;

namespace {

void read_document(std::string_view text) {
  std::vector<agreement::Problem> problems;
  const auto doc = agreement::parse_document(text, &problems);
  demand(doc.ok() == problems.empty(), "a document is refused for a problem that is named");
  if (!doc.ok()) return;
  const auto again = agreement::parse_document(doc->canonical);
  demand(again.ok() && again->hash == doc->hash, "the canonical form is the same document");
  demand(agreement::changes(*doc, *again).empty(), "a document does not differ from itself");
  const auto page = agreement::describe(*doc, agreement::Language::kJapanese);
  demand(agreement::to_html(page, agreement::Language::kJapanese).find("<script") == std::string::npos,
         "no markup of a document reaches a page");
  demand(!agreement::coverage(*doc).empty() || doc->articles.empty(), "every article is covered");
}

void read_act(std::string_view text) {
  const auto act = agreement::parse_signed_act(text);
  if (!act.ok()) {
    demand(!act.error().what.empty(), "an error says what is wrong");
    return;
  }
  demand(act->text() == text, "what was understood is what was read");
  const agreement::State s = agreement::fold(act->act.agreement_id, {&*act, 1}, act->act.effective_at);
  for (const auto& [party, kind] : s.by_party)
    demand(kind == agreement::StateKind::kDraft, "one act brings nothing into force");
  demand(!s.document || agreement::counts(*act, {}, {}), "an act without its party's signatures proposes nothing");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = fuzz::text_of(data, size);
  switch (fuzz::choice(text) % 3) {
    case 0:
      read_document(text);
      break;
    case 1:
      read_act(text);
      break;
    default: {
      auto doc = json::parse(text);
      if (doc.ok()) static_cast<void>(agreement::party_from(json::Node::from(doc->root())));
    }
  }
  return 0;
}
