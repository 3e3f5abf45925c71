#include "agreement/reason.h"

#include <algorithm>
#include <array>

namespace entente::agreement {
namespace {

constexpr std::array kCodes = {
    ReasonCode{"PERMIT", "4", "a flow in force lets it through", "", true},
    ReasonCode{"FORBIDDEN_BY_ARTICLE", "2", "an article forbids it; suspension does not lift that",
               "an amendment that both sign", false},
    ReasonCode{"NO_AGREEMENT", "4", "no agreement names both parties", "propose one: entente agreement new, propose",
               false},
    ReasonCode{"NOT_YET_IN_FORCE", "4", "not in force between the two, or older than the accession of the recipient",
               "what `entente agreement state` lists as missing; a new version of the object", false},
    ReasonCode{"SUSPENDED", "4", "the agreement, the flow, the sector or the pair is suspended",
               "the party that suspended it resumes", false},
    ReasonCode{"ENDED", "4", "the term is over, or it was ended", "a new agreement, or renewal before the end", false},
    ReasonCode{"CLOCK_UNSAFE", "1", "the clock of the node cannot be trusted",
               "set it right; nothing is lost meanwhile", false},
    ReasonCode{"PARTY_KEY_UNKNOWN", "4", "the recipient has no key of a node that is valid now",
               "it gives notice of a key: entente agreement notify-keys", false},
    ReasonCode{"NO_PERMIT", "4", "no flow goes in this direction", "an amendment", false},
    ReasonCode{"SCOPE", "4", "the flow does not cover the sectors of the object",
               "an amendment, or other sectors if they are wrong", false},
    ReasonCode{"SECTOR_UNKNOWN", "4", "the flow is for certain sectors and the object states none", "state its sectors",
               false},
    ReasonCode{"TYPE_NOT_LISTED", "4", "no flow lists this type of object", "an amendment", false},
    ReasonCode{"ABOVE_CEILING", "4", "marked stricter than the ceiling of the flow", "its originator marks it lower",
               false},
    ReasonCode{"MARK_MISSING", "4", "the flow gives nothing that is not marked", "mark it", false},
    ReasonCode{"MARK_UNKNOWN", "2", "a marking that is not understood, or whose definition is missing",
               "publish the definition, or a marking that is understood", false},
    ReasonCode{"MARK_CONFLICT", "2", "several TLP marks: the strictest counts", "one mark", true},
    ReasonCode{"MARKING_NOT_RELEASABLE", "8", "the definition of its marking may not go",
               "let the flow list marking-definition, or mark that lower", false},
    ReasonCode{"AUDIENCE", "4", "its marking names who may have it, and that is not the recipient",
               "its originator widens the audience", false},
    ReasonCode{"PURPOSE", "4", "its marking or the agreement does not allow the defence of networks",
               "its originator, or an amendment, allows it", false},
    ReasonCode{"IEP_CONFLICT", "4", "policies contradict each other or the agreement, or are not in effect",
               "its provider states one policy that holds now", false},
    ReasonCode{"ORIGINATOR_CONSENT", "5", "it is a third party's, who has not consented to this version going on",
               "ask the originator", false},
    ReasonCode{"CONSENT_EXPIRED", "5", "the consent of the originator has expired", "ask for a new one", false},
    ReasonCode{"DERIVED_FROM_CONTROLLED", "5",
               "it is derived from what a third party controls, or from what is not known here",
               "consent for that, or publish what it is derived from", false},
    ReasonCode{"NATIONAL_HOLD", "3", "held back by a person of this party", "entente hold --lift", false},
    ReasonCode{"EMBARGO", "3", "not before a date", "wait for the date", false},
    ReasonCode{"SOURCE_UNVERIFIED", "3", "the signature of its source was not verified",
               "verify it, or have it sent again", false},
    ReasonCode{"VICTIM_STRIPPED", "7", "what names a victim was taken out, or had to keep the object back",
               "an amendment of the protection", false},
    ReasonCode{"PERSONAL_DATA_REMOVED", "7", "personal data was taken out, or had to keep the object back",
               "an amendment of the protection", false},
    ReasonCode{"REPORTER_ANONYMISED", "7", "its creator is not named to the recipient",
               "an amendment of the protection, or another marking", true},
    ReasonCode{"PROPERTY_REDACTED", "4, 8", "a property was left out or a reference renamed",
               "a lower mark on that part", true},
    ReasonCode{"REF_ENDPOINT_WITHHELD", "8", "it needs an object that is withheld",
               "release what it refers to; it is decided anew then", false},
    ReasonCode{"EMPTY_CONTAINER", "8", "nothing that it lists may go", "release what it lists; it is decided anew then",
               false},
    ReasonCode{"TEXT_MENTIONS_WITHHELD", "10", "its text names what is withheld",
               "another text, or the release of what it names", false},
    ReasonCode{"PROJECT_SCOPE", "4", "a project's flow gives only what is labelled for it, and that goes nowhere else",
               "label it entente-project:ID, or take the label away", false},
    ReasonCode{"HOST_CONSENT", "4", "the country that hosts the project has not consented", "its signed host_consent",
               false},
    ReasonCode{"RECALL_TOMBSTONE", "12", "it may no longer be given, so the recipient was told that it is withdrawn",
               "", true},
    ReasonCode{"UNWITNESSED", "11",
               "nobody has witnessed our ledger for longer than the grace, or the recipient's contradicts itself",
               "witnesses that answer; entente ledger conflicts, settle", false},
    ReasonCode{"LOG_FAILED", "11", "the ledger could not be written, so nothing is sent",
               "room on its disk; it goes by itself then", false},
    ReasonCode{"REVIEW_REQUIRED", "3",
               "people are to look at it first, or the operator withholds this type, or it cannot be renamed",
               "entente release review, approve; [policy] of the configuration", false},
};

}  // namespace

std::span<const ReasonCode> reason_codes() { return kCodes; }

const ReasonCode* reason_code(std::string_view code) {
  const auto* it = std::ranges::find(kCodes, code, &ReasonCode::code);
  return it == kCodes.end() ? nullptr : it;
}

}  // namespace entente::agreement
