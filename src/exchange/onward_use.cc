#include "exchange/onward_use.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "exchange/wire.h"
#include "json/node.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

using json::Node;

Result<std::string> text_of(const json::Value& o, std::string_view name) {
  const auto v = json::find_string(o, name);
  if (!v)
    return invalid("the notice of a consent's use lacks the text \"" + std::string(name) + "\"", std::string(name));
  return std::string(*v);
}

std::string message(const OnwardUse& u) {
  return "entente/onward-use/v1" + u.record() + "\n" + std::to_string(u.leaf_index) + "\n" + u.leaf;
}

}  // namespace

std::string OnwardUse::record() const {
  Node n = Node::object();
  n.set("v", 1).set("agreement", agreement).set("from", from).set("to", to).set("request", request);
  n.set("object", object).set("version", version).set("recipient", recipient).set("at", to_text(at));
  return json::canonical(n);
}

std::string onward_use_object(const OnwardUse& u) {
  Node n = envelope_object(kOnwardUseType, u.id, u.at);
  n.set("record", u.record()).set("salt", base64(u.salt)).set("leaf_index", u.leaf_index).set("leaf", u.leaf);
  n.set("kid", u.kid).set("signature", base64(u.signature));
  return json::write(n);
}

Result<OnwardUse> parse_onward_use(const json::Value& object) {
  OnwardUse u;
  TRY(u.id, text_of(object, "id"));
  TRY(u.kid, text_of(object, "kid"));
  TRY(u.leaf, text_of(object, "leaf"));
  TRY(const std::string signature, text_of(object, "signature"));
  TRY(u.signature, unbase64(signature));
  TRY(const std::string salt, text_of(object, "salt"));
  TRY(u.salt, unbase64(salt));
  const auto index = json::find_int(object, "leaf_index");
  if (u.signature.size() != 64 || u.salt.size() != 32 || !index || *index < 0)
    return invalid("the signature, salt or leaf index of the notice of a consent's use is wrong", u.id);
  u.leaf_index = static_cast<uint64_t>(*index);
  TRY(const std::string record, text_of(object, "record"));
  TRY(const json::Document doc, json::parse(record));
  const json::Value root = doc.root();
  if (json::find_int(root, "v") != 1)
    return make_error(ErrorKind::kUnsupported, "a notice of a consent's use of a version that this node does not know",
                      u.id, "a newer release of this program reads it");
  for (auto& [name, into] : {std::pair{"agreement", &u.agreement},
                             {"from", &u.from},
                             {"to", &u.to},
                             {"request", &u.request},
                             {"object", &u.object},
                             {"version", &u.version},
                             {"recipient", &u.recipient}}) {
    TRY(*into, text_of(root, name));
  }
  TRY(const std::string at, text_of(root, "at"));
  TRY(u.at, parse_time(at));
  if (u.record() != record) return invalid("the record of the notice of a consent's use is not canonical", u.id);
  TRY(const ledger::Leaf leaf, ledger::parse_leaf(u.leaf));
  if (leaf.agreement != u.agreement || leaf.recipient != u.to || leaf.kind != kOnwardUseLeaf)
    return invalid("the leaf of the notice of a consent's use is of another agreement, recipient or kind", u.id);
  if (!equal_ct(ledger::commit_to(u.salt, record), leaf.commitment))
    return invalid("the leaf of the notice of a consent's use does not commit to its record", u.id);
  return u;
}

std::string sign_onward_use(const OnwardUse& u, const SecretKey& key) { return key.sign(message(u)); }
bool onward_use_signed(const OnwardUse& u, const PublicKey& key) { return verify(key, message(u), u.signature); }

void note_use(store::Change& change, const OnwardUse& u) {
  change.set(kOnwardUsedSpace, u.request + " " + u.version, to_text(u.at));
}

std::vector<std::pair<std::string, std::string>> uses_of(const store::Store& store, std::string_view request) {
  std::vector<std::pair<std::string, std::string>> out;
  const std::string prefix = std::string(request) + " ";
  const auto all = store.all(kOnwardUsedSpace, prefix);
  if (!all.ok()) return out;
  for (const auto& [key, value] : *all) out.emplace_back(key.substr(prefix.size()), value);
  return out;
}

}  // namespace entente::exchange
