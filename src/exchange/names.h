// Names that two nodes and their users must agree on: collections, roots, ledger origins. Derived, never stored. Pure.
#pragma once

#include <string>
#include <string_view>

#include "agreement/document.h"
#include "base/uuid.h"

namespace entente::exchange {

// Collections of the root /local/.
[[nodiscard]] Uuid inbox(std::string_view me);
[[nodiscard]] Uuid sightings(std::string_view me);
// What `me` received from `from` under the agreement, and the manifests and receipts that came with it.
[[nodiscard]] Uuid received(std::string_view agreement_id, std::string_view from, std::string_view me);
[[nodiscard]] Uuid evidence_of(std::string_view agreement_id, std::string_view from, std::string_view me);
// What `from` released to `to` under the agreement: root /agreements/SLUG/, alias to-<to>.
[[nodiscard]] Uuid released(std::string_view agreement_id, std::string_view from, std::string_view to);
// Acts for a partner: root /acts/, alias to-<to>.
[[nodiscard]] Uuid acts_for(std::string_view from, std::string_view to);

[[nodiscard]] std::string lower(std::string_view party);
// "6f1c0f0e-9d1e-5c55-9a53-2b1f6f0d2020" of "urn:uuid:…".
[[nodiscard]] std::string bare_uuid(std::string_view agreement_id);
// "in-jp-6f1c0f0e": parties in order of code, then eight digits of the id.
[[nodiscard]] std::string slug(const agreement::Document& document);
[[nodiscard]] std::string agreement_root(const agreement::Document& document);  // "/agreements/in-jp-6f1c0f0e/"
[[nodiscard]] std::string received_alias(std::string_view from, std::string_view agreement_id);
// Origin line of the checkpoints of a party's log under an agreement.
[[nodiscard]] std::string ledger_origin(std::string_view party, std::string_view agreement_id);
// The party's public identity object: id, and its JSON text as of `since`.
[[nodiscard]] std::string identity_id(std::string_view party);
[[nodiscard]] std::string identity_object(std::string_view party, std::string_view name, Time since);

}  // namespace entente::exchange
