#include "exchange/deletion.h"

#include "base/bytes.h"
#include "exchange/wire.h"
#include "json/node.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

using json::Node;
constexpr size_t kMostRows = 10'000;

Node rows_node(const std::vector<Deletion::Rows>& all) {
  Node list = Node::array();
  for (const auto& r : all) {
    Node rows = Node::array();
    for (const uint32_t i : r.rows) rows.list().emplace_back(int64_t{i});
    list.push(Node::object().set("manifest", r.manifest).set("rows", std::move(rows)).set("why", r.why));
  }
  return list;
}

Result<std::string> text_of(const json::Value& o, std::string_view name) {
  const auto v = json::find_string(o, name);
  if (!v) return invalid("the deletion receipt lacks the text \"" + std::string(name) + "\"", "/" + std::string(name));
  return std::string(*v);
}

Status read_rows(const json::Value& root, std::string_view name, std::vector<Deletion::Rows>& out) {
  const auto list = json::find_array(root, name);
  if (!list) return invalid("the deletion receipt lacks \"" + std::string(name) + "\"", "/" + std::string(name));
  size_t n = 0;
  for (const json::Value one : *list) {
    Deletion::Rows r;
    TRY(r.manifest, text_of(one, "manifest"));
    TRY(r.why, text_of(one, "why"));
    const auto rows = json::find_array(one, "rows");
    if (!rows) return invalid("the deletion receipt names a manifest without rows", "/" + std::string(name));
    for (const json::Value v : *rows) {
      int64_t i = 0;
      if (v.get_int64().get(i) != simdjson::SUCCESS || i < 0 || i > INT32_MAX || ++n > kMostRows)
        return invalid("a row of the deletion receipt is no number of a row", "/" + std::string(name));
      r.rows.push_back(static_cast<uint32_t>(i));
    }
    out.push_back(std::move(r));
  }
  return {};
}

std::string message(const Deletion& d) {
  return "entente/deletion/v1" + d.record() + "\n" + std::to_string(d.leaf_index) + "\n" + d.leaf;
}

}  // namespace

std::string Deletion::record() const {
  Node n = Node::object();
  n.set("v", 1).set("agreement", agreement).set("from", from).set("to", to).set("article", article);
  n.set("at", to_text(at)).set("destroyed", rows_node(destroyed)).set("kept", rows_node(kept));
  return json::canonical(n);
}

std::string deletion_object(const Deletion& d) {
  Node n = envelope_object(kDeletionType, d.id, d.at);
  n.set("record", d.record()).set("salt", base64(d.salt)).set("leaf_index", d.leaf_index).set("leaf", d.leaf);
  n.set("kid", d.kid).set("signature", base64(d.signature));
  return json::write(n);
}

Result<Deletion> parse_deletion(const json::Value& object) {
  Deletion d;
  TRY(d.id, text_of(object, "id"));
  TRY(d.kid, text_of(object, "kid"));
  TRY(d.leaf, text_of(object, "leaf"));
  TRY(const std::string signature, text_of(object, "signature"));
  TRY(d.signature, unbase64(signature));
  TRY(const std::string salt, text_of(object, "salt"));
  TRY(d.salt, unbase64(salt));
  const auto index = json::find_int(object, "leaf_index");
  if (d.signature.size() != 64 || d.salt.size() != 32 || !index || *index < 0)
    return invalid("the signature, salt or leaf index of the deletion receipt is wrong", d.id);
  d.leaf_index = static_cast<uint64_t>(*index);
  TRY(const std::string record, text_of(object, "record"));
  TRY(const json::Document doc, json::parse(record));
  const json::Value root = doc.root();
  if (json::find_int(root, "v") != 1)
    return make_error(ErrorKind::kUnsupported, "a deletion receipt of a version that this node does not know", d.id,
                      "a newer release of this program reads it");
  TRY(d.agreement, text_of(root, "agreement"));
  TRY(d.from, text_of(root, "from"));
  TRY(d.to, text_of(root, "to"));
  TRY(d.article, text_of(root, "article"));
  TRY(const std::string at, text_of(root, "at"));
  TRY(d.at, parse_time(at));
  CHECK_OK(read_rows(root, "destroyed", d.destroyed));
  CHECK_OK(read_rows(root, "kept", d.kept));
  if (d.record() != record) return invalid("the deletion receipt's record is not canonical", d.id);
  TRY(const ledger::Leaf leaf, ledger::parse_leaf(d.leaf));
  if (leaf.agreement != d.agreement || leaf.recipient != d.to || leaf.kind != kDeletionLeaf)
    return invalid("the deletion receipt's leaf is of another agreement, recipient or kind", d.id);
  if (!equal_ct(ledger::commit_to(d.salt, record), leaf.commitment))
    return invalid("the deletion receipt's leaf does not commit to its record", d.id);
  return d;
}

std::string sign_deletion(const Deletion& d, const SecretKey& key) { return key.sign(message(d)); }
bool deletion_signed(const Deletion& d, const PublicKey& key) { return verify(key, message(d), d.signature); }

}  // namespace entente::exchange
