#include "exchange/recall_answer.h"

#include "base/bytes.h"
#include "exchange/wire.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

using json::Node;

Node time_or_null(const std::optional<Time>& t) { return t ? Node(to_text(*t)) : Node(); }

Result<std::string> text_of(const json::Value& o, std::string_view name) {
  const auto v = json::find_string(o, name);
  if (!v) return invalid("the recall answer lacks the text \"" + std::string(name) + "\"", "/" + std::string(name));
  return std::string(*v);
}

Result<std::optional<Time>> time_of(const json::Value& o, std::string_view name) {
  const auto v = json::find_string(o, name);
  if (!v) return std::optional<Time>();
  TRY(const Time t, parse_time(*v));
  return std::optional(t);
}

Result<uint64_t> count_of(const json::Value& o, std::string_view name) {
  const auto v = json::find_int(o, name);
  if (!v || *v < 0)
    return invalid("the recall answer lacks the count \"" + std::string(name) + "\"", "/" + std::string(name));
  return static_cast<uint64_t>(*v);
}

Result<RecallPart> part_of(const json::Value& v) {
  RecallPart p;
  TRY(p.party, text_of(v, "party"));
  TRY(p.via, text_of(v, "via"));
  TRY(p.received, time_of(v, "received"));
  TRY(p.told, count_of(v, "told"));
  TRY(p.sensors, count_of(v, "sensors"));
  TRY(p.withdrawn, count_of(v, "withdrawn"));
  TRY(p.enforcers, count_of(v, "enforcers"));
  TRY(p.leases, count_of(v, "leases"));
  TRY(p.also, count_of(v, "also"));
  if (p.told > p.sensors || p.withdrawn > p.enforcers)
    return invalid("a recall answer counts more withdrawn than there are", "/answer");
  p.complete = json::find_bool(v, "complete").value_or(false);
  if (p.complete && (p.told < p.sensors || p.withdrawn < p.enforcers || !p.received))
    return invalid("a recall answer is called complete and is not", "/answer");
  const auto copies = json::find(v, "copies");
  if (!copies) return invalid("the recall answer says nothing of copies", "/answer/copies");
  TRY(p.copies.state, text_of(*copies, "state"));
  TRY(p.copies.why, text_of(*copies, "why"));
  TRY(p.copies.article, text_of(*copies, "article"));
  TRY(p.copies.until, time_of(*copies, "until"));
  if (const auto late = json::find_array(v, "late")) {
    if (late->size() > kMostLate) return invalid("a recall answer names more than 100 that are late", "/answer/late");
    for (const json::Value one : *late) {
      Late l;
      TRY(l.sensor, text_of(one, "sensor"));
      TRY(l.enforcer, text_of(one, "enforcer"));
      TRY(l.why, text_of(one, "why"));
      TRY(l.last_heard, time_of(one, "last_heard"));
      p.late.push_back(std::move(l));
    }
  }
  return p;
}

std::string message(const RecallAnswer& a) {
  return "entente/recall-answer/v1" + a.record() + "\n" + std::to_string(a.leaf_index) + "\n" + a.leaf;
}

}  // namespace

Node recall_part_node(const RecallPart& p) {
  Node late = Node::array();
  for (const auto& l : p.late) {
    late.push(Node::object()
                  .set("sensor", l.sensor)
                  .set("enforcer", l.enforcer)
                  .set("why", l.why)
                  .set("last_heard", time_or_null(l.last_heard)));
  }
  Node copies = Node::object();
  copies.set("state", p.copies.state).set("why", p.copies.why).set("article", p.copies.article);
  copies.set("until", time_or_null(p.copies.until));
  Node n = Node::object();
  n.set("party", p.party).set("via", p.via).set("received", time_or_null(p.received));
  n.set("told", p.told).set("sensors", p.sensors).set("withdrawn", p.withdrawn).set("enforcers", p.enforcers);
  n.set("leases", p.leases).set("also", p.also).set("late", std::move(late)).set("copies", std::move(copies));
  return n.set("complete", p.complete);
}

std::string RecallAnswer::record() const {
  Node parts = Node::array();
  for (const auto& p : onward) parts.push(recall_part_node(p));
  Node n = Node::object();
  n.set("v", 1).set("agreement", agreement).set("from", from).set("to", to).set("object", object);
  n.set("version", version).set("number", number).set("at", to_text(at));
  n.set("answer", recall_part_node(own)).set("onward", std::move(parts));
  return json::canonical(n);
}

std::string recall_answer_object(const RecallAnswer& a) {
  Node n = envelope_object(kRecallAnswerType, a.id, a.at);
  n.set("record", a.record()).set("salt", base64(a.salt)).set("leaf_index", a.leaf_index).set("leaf", a.leaf);
  n.set("kid", a.kid).set("signature", base64(a.signature));
  return json::write(n);
}

Result<RecallAnswer> parse_recall_answer(const json::Value& object) {
  RecallAnswer a;
  TRY(a.id, text_of(object, "id"));
  TRY(a.kid, text_of(object, "kid"));
  TRY(a.leaf, text_of(object, "leaf"));
  TRY(a.leaf_index, count_of(object, "leaf_index"));
  TRY(const std::string signature, text_of(object, "signature"));
  TRY(a.signature, unbase64(signature));
  TRY(const std::string salt, text_of(object, "salt"));
  TRY(a.salt, unbase64(salt));
  if (a.signature.size() != 64 || a.salt.size() != 32)
    return invalid("the signature or the salt of the recall answer has the wrong length", a.id);
  TRY(const std::string record, text_of(object, "record"));
  TRY(const json::Document doc, json::parse(record));
  const json::Value root = doc.root();
  if (json::find_int(root, "v") != 1)
    return make_error(ErrorKind::kUnsupported, "a recall answer of a version that this node does not know", a.id,
                      "a newer release of this program reads it");
  TRY(a.agreement, text_of(root, "agreement"));
  TRY(a.from, text_of(root, "from"));
  TRY(a.to, text_of(root, "to"));
  TRY(a.object, text_of(root, "object"));
  TRY(a.version, text_of(root, "version"));
  TRY(a.number, count_of(root, "number"));
  TRY(const std::string at, text_of(root, "at"));
  TRY(a.at, parse_time(at));
  const auto own = json::find(root, "answer");
  if (!own) return invalid("the recall answer lacks \"answer\"", a.id);
  TRY(a.own, part_of(*own));
  if (const auto onward = json::find_array(root, "onward")) {
    if (onward->size() > kMostOnward) return invalid("a recall answer names more than 100 further parties", a.id);
    for (const json::Value one : *onward) {
      TRY(RecallPart part, part_of(one));
      a.onward.push_back(std::move(part));
    }
  }
  // Nobody speaks for another party but of whom it passed the object on to itself.
  if (a.own.party != a.from || !a.own.via.empty()) return invalid("the answer is not that of its signer", a.id);
  if (a.own.complete) {
    for (const auto& p : a.onward)
      if (!p.complete) return invalid("a recall answer is called complete while a further party is not", a.id);
  }
  if (a.record() != record) return invalid("the recall answer's record is not canonical", a.id);
  TRY(const ledger::Leaf leaf, ledger::parse_leaf(a.leaf));
  if (leaf.agreement != a.agreement || leaf.recipient != a.to || leaf.kind != kRecallAnswerLeaf)
    return invalid("the recall answer's leaf is of another agreement, recipient or kind", a.id);
  if (!equal_ct(ledger::commit_to(a.salt, record), leaf.commitment))
    return invalid("the recall answer's leaf does not commit to its record", a.id);
  return a;
}

std::string sign_recall_answer(const RecallAnswer& a, const SecretKey& key) { return key.sign(message(a)); }
bool recall_answer_signed(const RecallAnswer& a, const PublicKey& key) { return verify(key, message(a), a.signature); }

}  // namespace entente::exchange
