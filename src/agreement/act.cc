// The wire form of acts (docs/format/acts.md) and their quorums. What acts do to an instrument is in fold.cc.
#include "agreement/act.h"

#include <algorithm>
#include <array>
#include <tuple>

#include <fmt/format.h>

#include "agreement/internal/act_wire.h"
#include "agreement/internal/keys.h"
#include "base/bytes.h"
#include "json/json.h"

namespace entente::agreement {

constexpr std::string_view kType = "entente-act+jws";

namespace internal {

using json::Node;

// RFC 7515 §3.1 with the allow-list of agreement.md §3.7: alg, kid and typ and nothing else, so that no header can
// bring a key of its own.
std::string protected_header(std::string_view kid) {
  Node n = Node::object();
  n.set("alg", "Ed25519");
  n.set("kid", kid);
  n.set("typ", kType);
  return base64url(json::canonical(n));
}

std::string signing_input(std::string_view jws_protected, std::string_view payload) {
  return std::string(jws_protected) + "." + base64url(payload);
}

}  // namespace internal

namespace {

using json::Node;

Node to_node(const Act& act) {
  Node n = Node::object();
  n.set("agreement_id", act.agreement_id);
  n.set("body", act.body);
  n.set("effective_at", to_text(act.effective_at));
  n.set("kind", act.kind);
  n.set("party", act.party);
  n.set("prev_act", act.prev_act);
  n.set("text_version", act.text_version);
  return n;
}

using internal::protected_header;
using internal::signing_input;

bool is_hash(std::string_view t) {
  return t.size() == 64 &&
         std::all_of(t.begin(), t.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool has_float(const Node& n) {
  if (n.is_double()) return true;
  if (n.is_array()) return std::any_of(n.list().begin(), n.list().end(), has_float);
  if (n.is_object())
    return std::any_of(n.members().begin(), n.members().end(), [](const auto& m) { return has_float(m.second); });
  return false;
}

Result<std::string> member_text(const Node& n, std::string_view name) {
  const Node* v = n.find(name);
  if (v == nullptr || !v->is_string())
    return invalid(fmt::format("\"{}\" is missing or is not text", name), fmt::format("/act/{}", name));
  return v->string();
}

Result<Act> parse_act(const Node& n) {
  if (!n.is_object() || n.members().size() != 7) return invalid("an act has exactly seven members", "/act");
  Act act;
  TRY(act.agreement_id, member_text(n, "agreement_id"));
  TRY(act.kind, member_text(n, "kind"));
  TRY(act.party, member_text(n, "party"));
  TRY(act.prev_act, member_text(n, "prev_act"));
  TRY(act.text_version, member_text(n, "text_version"));
  TRY(std::string when, member_text(n, "effective_at"));
  auto at = parse_time(when);
  if (!at.ok()) return at.error().at("/act/effective_at");
  act.effective_at = *at;
  if (!act.prev_act.empty() && !is_hash(act.prev_act))
    return invalid("prev_act is neither empty nor a SHA-256 in hex", "/act/prev_act");
  if (!is_hash(act.text_version)) return invalid("text_version is no SHA-256 in hex", "/act/text_version");
  if (act.kind.empty() || act.kind.size() > 64) return invalid("kind must have 1 to 64 octets", "/act/kind");
  const Node* body = n.find("body");
  if (body == nullptr || !body->is_object()) return invalid("body is missing or is no object", "/act/body");
  if (has_float(*body)) return invalid("numbers with a fraction or exponent are not allowed in an act", "/act/body");
  act.body = *body;
  return act;
}

Result<Signature> parse_signature(const Node& n, const std::string& at) {
  if (!n.is_object() || n.members().size() != 2)
    return invalid("a signature has exactly the members protected and signature", at);
  Signature sig;
  sig.jws_protected = std::string(n.string_at("protected"));
  auto header = unbase64url(sig.jws_protected);
  if (!header.ok()) return header.error().at(at + "/protected");
  json::Limits limits;
  limits.max_bytes = 4096;
  auto doc = json::parse(*header, limits);
  if (!doc.ok()) return doc.error().at(at + "/protected");
  const Node h = Node::from(doc->root());
  if (!h.is_object()) return invalid("the protected header is no object", at + "/protected");
  for (const auto& [name, value] : h.members())
    if (name != "alg" && name != "kid" && name != "typ")
      return invalid(fmt::format("header member \"{}\" is not allowed; only alg, kid and typ are", printable(name)),
                     at + "/protected");
  if (h.string_at("alg") != "Ed25519") return invalid("alg must be Ed25519", at + "/protected");
  if (h.string_at("typ") != kType) return invalid(fmt::format("typ must be {}", kType), at + "/protected");
  sig.kid = std::string(h.string_at("kid"));
  if (sig.kid.empty() || sig.kid.size() > 256) return invalid("kid is missing or too long", at + "/protected");
  // One header, one text: anything but the canonical form would let two nodes see different octets.
  if (protected_header(sig.kid) != sig.jws_protected)
    return invalid("the protected header is not in canonical form", at + "/protected");
  auto raw = unbase64url(n.string_at("signature"));
  if (!raw.ok()) return raw.error().at(at + "/signature");
  if (raw->size() != 64) return invalid("an Ed25519 signature has 64 octets", at + "/signature");
  sig.signature = std::move(*raw);
  return sig;
}

bool before(const Signature& a, const Signature& b) {
  return std::tie(a.jws_protected, a.signature) < std::tie(b.jws_protected, b.signature);
}

}  // namespace

std::string Act::canonical() const { return json::canonical(to_node(*this)); }
std::string Act::hash() const { return sha256_hex(canonical()); }

std::string SignedAct::text() const {
  std::vector<Signature> sorted = sigs;
  std::sort(sorted.begin(), sorted.end(), before);
  Node list = Node::array();
  for (const Signature& s : sorted) {
    Node one = Node::object();
    one.set("protected", s.jws_protected);
    one.set("signature", base64url(s.signature));
    list.push(std::move(one));
  }
  Node n = Node::object();
  n.set("act", to_node(act));
  n.set("sigs", std::move(list));
  return json::canonical(n);
}

Result<SignedAct> parse_signed_act(std::string_view text) {
  json::Limits limits;
  limits.max_bytes = kMaxActBytes;
  TRY(auto doc, json::parse(text, limits));
  const Node root = Node::from(doc.root());
  const Node* sigs = root.find("sigs");
  const Node* act = root.find("act");
  if (!root.is_object() || root.members().size() != 2 || act == nullptr || sigs == nullptr || !sigs->is_array())
    return invalid("a signed act has exactly the members act and sigs", "",
                   "send the text that `entente agreement sign` wrote, unchanged");
  if (sigs->list().size() > kMaxSignatures)
    return make_error(ErrorKind::kTooLarge, "too many signatures", "/sigs", "at most 64");
  SignedAct out;
  TRY(out.act, parse_act(*act));
  for (size_t i = 0; i < sigs->list().size(); ++i) {
    TRY(auto sig, parse_signature(sigs->list()[i], fmt::format("/sigs/{}", i)));
    out.sigs.push_back(std::move(sig));
  }
  // Parse once: what was understood, written again, must be what was received (agreement.md §3.7).
  if (out.text() != text)
    return invalid("the text is not in canonical form (RFC 8785)", "",
                   "send the canonical text; nothing else can be signed");
  return out;
}

Signature sign_act(const Act& act, std::string_view kid, const SecretKey& key) {
  Signature s;
  s.kid = std::string(kid);
  s.jws_protected = protected_header(kid);
  s.signature = key.sign(signing_input(s.jws_protected, act.canonical()));
  return s;
}

Result<Signature> sign_act(const Act& act, std::string_view kid, SigningKey& key) {
  Signature s;
  s.kid = std::string(kid);
  s.jws_protected = protected_header(kid);
  TRY(s.signature, key.sign(signing_input(s.jws_protected, act.canonical())));
  return s;
}

Result<std::map<std::string, int>> quorum_of(std::string_view kind, const Document& doc) {
  using Roles = std::map<std::string, int>;
  static constexpr std::array<std::string_view, 7> kOneAuthority = {
      "propose", "initial", "join_pillar", "leave_pillar", "host_consent", "request_accession", "claim_mismatch"};
  static constexpr std::array<std::string_view, 5> kOnePlenipotentiary = {
      "notify_completed", "certify_start", "consent_accession", "deposit_accession", "lead_pillar"};
  static constexpr std::array<std::string_view, 13> kNarrowing = {
      "suspend",          "withdraw",      "abandon",         "no_renewal", "claim_breach",
      "object",           "close_project", "end_provisional", "hold",       "joint_decline",
      "joint_stand_down", "onward_deny",   "onward_withdraw"};
  static constexpr std::array<std::string_view, 6> kLikeSign = {"apply_provisionally", "correct_error",  "open_project",
                                                                "join_project",        "end_by_consent", "amend"};
  auto in = [kind](const auto& list) { return std::find(list.begin(), list.end(), kind) != list.end(); };
  auto of = [&doc](std::string_view name, const Roles& otherwise) {
    auto it = doc.quorum.find(std::string(name));
    return it == doc.quorum.end() ? otherwise : it->second;
  };
  if (kind == "joint_report") return Roles{{"node", 1}};
  if (kind == "joint_propose" || kind == "joint_consent" || kind == "joint_go") return of("joint", {{"authority", 1}});
  if (kind == "onward_ask") return of("consent_ask", {{"authority", 1}});
  if (kind == "onward_give") return of("consent_onward", {{"authority", 1}});
  if (in(kOneAuthority)) return Roles{{"authority", 1}};
  if (in(kOnePlenipotentiary)) return Roles{{"plenipotentiary", 1}};
  if (in(kNarrowing)) return of("narrow", {{"authority", 1}});
  if (kind == "sign") return of("sign", {{"authority", 1}, {"plenipotentiary", 1}});
  if (in(kLikeSign)) return of("amend", {{"authority", 1}, {"plenipotentiary", 1}});
  if (kind == "resume") return of("resume", {{"authority", 2}});
  if (kind == "annex_notice") return of("key_rotate", {{"authority", 2}});
  return make_error(ErrorKind::kUnsupported, fmt::format("unknown kind of act \"{}\"", printable(kind)), "/act/kind",
                    "use a kind that agreement.md §3.2 defines");
}

Result<std::map<std::string, int>> quorum_of(const Act& act, const Document& doc) {
  if (act.kind != "annex_notice" || !internal::only_revokes(act.body)) return quorum_of(act.kind, doc);
  if (auto it = doc.quorum.find("key_revoke"); it != doc.quorum.end()) return it->second;
  return quorum_of("suspend", doc);
}

Status check_quorum(const SignedAct& act, const Document& doc) {
  TRY(auto roles, quorum_of(act.act, doc));
  const Party* party = doc.party(act.act.party);
  if (party == nullptr)
    return make_error(ErrorKind::kDenied, fmt::format("{} is no party of this text", printable(act.act.party)),
                      "/act/party");
  return internal::check_signatures(act, *party, roles);
}

}  // namespace entente::agreement
