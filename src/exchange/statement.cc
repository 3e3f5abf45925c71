#include "exchange/statement.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "exchange/wire.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

Result<std::string> text_of(const StatementKind& kind, const json::Value& o, std::string_view name) {
  const auto v = json::find_string(o, name);
  if (!v) return invalid(fmt::format("{} lacks the text \"{}\"", kind.what, name), fmt::format("/{}", name));
  return std::string(*v);
}

std::string message(const StatementKind& kind, const Statement& s, std::string_view record) {
  return fmt::format("{}{}\n{}\n{}", kind.domain, record, s.leaf_index, s.leaf);
}

}  // namespace

json::Node statement_record(const Statement& s) {
  json::Node n = json::Node::object();
  n.set("v", 1).set("agreement", s.agreement).set("from", s.from).set("to", s.to);
  return n.set("at", to_text(s.at));
}

std::string statement_object(const StatementKind& kind, const Statement& s, std::string_view record) {
  json::Node n = envelope_object(kind.type, s.id, s.at);
  n.set("record", std::string(record)).set("salt", base64(s.salt)).set("leaf_index", s.leaf_index);
  n.set("leaf", s.leaf).set("kid", s.kid).set("signature", base64(s.signature));
  return json::write(n);
}

Result<StatementRead> parse_statement(const StatementKind& kind, const json::Value& object, Statement& s) {
  TRY(s.id, text_of(kind, object, "id"));
  TRY(s.kid, text_of(kind, object, "kid"));
  TRY(s.leaf, text_of(kind, object, "leaf"));
  TRY(const std::string signature, text_of(kind, object, "signature"));
  TRY(s.signature, unbase64(signature));
  TRY(const std::string salt, text_of(kind, object, "salt"));
  TRY(s.salt, unbase64(salt));
  const auto index = json::find_int(object, "leaf_index");
  if (s.signature.size() != 64 || s.salt.size() != 32 || !index || *index < 0)
    return invalid(fmt::format("the signature, salt or leaf index of {} is wrong", kind.what), s.id);
  s.leaf_index = static_cast<uint64_t>(*index);
  StatementRead read;
  TRY(read.record, text_of(kind, object, "record"));
  CHECK_OK(read.doc.parse(read.record));
  const json::Value root = read.doc.root();
  if (json::find_int(root, "v") != 1)
    return make_error(ErrorKind::kUnsupported, fmt::format("{} has a version that this node does not know", kind.what),
                      s.id, "a newer release of this program reads it");
  TRY(s.agreement, text_of(kind, root, "agreement"));
  TRY(s.from, text_of(kind, root, "from"));
  TRY(s.to, text_of(kind, root, "to"));
  TRY(const std::string at, text_of(kind, root, "at"));
  TRY(s.at, parse_time(at));
  TRY(const ledger::Leaf leaf, ledger::parse_leaf(s.leaf));
  if (leaf.agreement != s.agreement || leaf.recipient != s.to || leaf.kind != kind.leaf)
    return invalid(fmt::format("the leaf of {} is of another agreement, recipient or kind", kind.what), s.id);
  if (!equal_ct(ledger::commit_to(s.salt, read.record), leaf.commitment))
    return invalid(fmt::format("the leaf of {} does not commit to its record", kind.what), s.id);
  return read;
}

std::string sign_statement(const StatementKind& kind, const Statement& s, std::string_view record,
                           const SecretKey& key) {
  return key.sign(message(kind, s, record));
}

bool statement_signed(const StatementKind& kind, const Statement& s, std::string_view record, const PublicKey& key) {
  return verify(key, message(kind, s, record), s.signature);
}

}  // namespace entente::exchange
