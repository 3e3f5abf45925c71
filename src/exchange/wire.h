// The STIX objects with which nodes speak of acts, releases and receipts (docs/format/exchange.md). Custom types with
// an extension definition, so that any TAXII client carries them and none has to understand them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"
#include "json/json.h"
#include "json/node.h"
#include "ledger/leaf.h"

namespace entente::exchange {

inline constexpr std::string_view kActType = "x-entente-act";
inline constexpr std::string_view kManifestType = "x-entente-manifest";
inline constexpr std::string_view kReceiptType = "x-entente-receipt";

// What all objects that nodes speak with begin with.
[[nodiscard]] json::Node envelope_object(std::string_view type, std::string_view id, Time at);

// One object of a release as the manifest lists it.
struct Listed {
  std::string id, version;  // as sent
  std::string sha256;       // hex, of the octets sent
  std::string article;      // "3(1)"
  std::string tlp, pap;     // handling the receiver is held to
  bool tombstone = false;
};
// What a manifest says of a tombstone: nothing may be done with what it stands for.
[[nodiscard]] Listed listed_tombstone(std::string_view id, std::string_view version, std::string_view text);

// A ledger leaf that says: so many objects, first known to us between these times, are meant for that party. It is
// written when they are decided for the first time, so it starts their clock; the manifest that sends them opens it.
struct Commit {
  std::string agreement, from, to;
  Time first, last;
  uint64_t count = 0;
  std::string salt;  // 32 octets
  [[nodiscard]] std::string record() const;
};

inline constexpr int kManifestVersion = 2;

// What was released in one go. The ledger's leaf commits to the record; the record holds the root over salted object
// commitments, so that one object can be opened later without the others.
struct Manifest {
  std::string id;  // x-entente-manifest--uuid
  // 1: its leaf did not bind `commits`, so that they could be put in anew later. Read, and its times not believed.
  int version = kManifestVersion;
  std::string agreement, agreement_version, from, to;
  Time at;
  std::vector<Listed> objects;
  // Where the agreement has a service level for releases: since when the sender had each object, in order, and the
  // leaves that showed it.
  std::vector<Time> committed;
  std::vector<Commit> commits;
  std::string salt, object_salt;  // 32 octets each
  uint64_t leaf_index = 0;
  std::string leaf;            // its text
  std::string kid, signature;  // node key over "entente/manifest/v1" ‖ leaf

  [[nodiscard]] std::string record() const;  // JCS text that the leaf commits to
  [[nodiscard]] bool says_since() const { return version >= kManifestVersion && !committed.empty(); }
};
// What a decision gave, for the private log: the leaf of the pair log that says it.
[[nodiscard]] json::Node given(const Manifest& m);
[[nodiscard]] std::string manifest_object(const Manifest& m);
// Checks shape, and that the leaf commits to the record. The signature is checked by who knows the key:
// manifest_signed().
[[nodiscard]] Result<Manifest> parse_manifest(const json::Value& object);
[[nodiscard]] std::string sign_manifest(const Manifest& m, const SecretKey& key);
[[nodiscard]] bool manifest_signed(const Manifest& m, const PublicKey& key);

// The leaf of the receiver's ledger travels with it, so that the sender can find it there.
struct Receipt {
  std::string id;
  std::string agreement, from, to;  // from = who received and signs
  std::string manifest;             // id
  std::string leaf_sha256;          // of the release leaf, hex
  uint64_t received = 0;
  struct Refusal {
    std::string id, code;
  };
  std::vector<Refusal> refused;
  Time at;
  std::string salt;  // 32 octets: opens the leaf's commitment to record()
  uint64_t leaf_index = 0;
  std::string leaf;
  std::string kid, signature;  // node key over "entente/receipt/v2" ‖ record ‖ leaf_index ‖ leaf
  [[nodiscard]] std::string record() const;
};
[[nodiscard]] std::string receipt_object(const Receipt& r);
[[nodiscard]] Result<Receipt> parse_receipt(const json::Value& object);
[[nodiscard]] std::string sign_receipt(const Receipt& r, const SecretKey& key);
[[nodiscard]] bool receipt_signed(const Receipt& r, const PublicKey& key);

// What the ledger leaf of an act is salted with. Derived from its text, which nobody can guess without its signatures,
// and which all who are concerned have: so each of them can open the leaf in any party's ledger.
[[nodiscard]] std::string act_salt(std::string_view signed_act_text);
[[nodiscard]] std::string act_object(std::string_view signed_act_text, std::string_view act_hash, Time at);
[[nodiscard]] Result<std::string> parse_act_object(const json::Value& object);  // the signed act's text

}  // namespace entente::exchange
