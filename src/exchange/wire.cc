#include "exchange/wire.h"

#include "base/bytes.h"
#include "base/uuid.h"
#include "json/node.h"
#include "ledger/merkle.h"

namespace entente::exchange {
namespace {

constexpr std::string_view kExtension = "extension-definition--5c1b9a53-6a0e-4c9b-9d0f-3f0a4d1f7e20";

Result<std::string> text_of(const json::Value& o, std::string_view name) {
  auto v = json::find_string(o, name);
  if (!v) return invalid("the object lacks the text \"" + std::string(name) + "\"", "/" + std::string(name));
  return std::string(*v);
}

Result<std::string> octets_of(const json::Value& o, std::string_view name, size_t size) {
  TRY(std::string text, text_of(o, name));
  TRY(std::string raw, unbase64(text));
  if (raw.size() != size) return invalid("\"" + std::string(name) + "\" has the wrong length", "/" + std::string(name));
  return raw;
}

std::string object_salt_at(const std::string& object_salt, size_t i) {
  std::string index;
  put_u32(index, static_cast<uint32_t>(i));
  return std::string(view(hmac_sha256(object_salt, index)));
}

}  // namespace

json::Node envelope_object(std::string_view type, std::string_view id, Time at) {
  json::Node n = json::Node::object();
  n.set("type", type).set("spec_version", "2.1").set("id", id).set("created", to_text(at)).set("modified", to_text(at));
  json::Node kind = json::Node::object();
  kind.set("extension_type", "new-sdo");
  json::Node ext = json::Node::object();
  ext.set(kExtension, std::move(kind));
  n.set("extensions", std::move(ext));
  return n;
}

Listed listed_tombstone(std::string_view id, std::string_view version, std::string_view text) {
  return {std::string(id), std::string(version), sha256_hex(text), {}, "amber+strict", "red", true};
}

namespace {

json::Node listing(const std::vector<Listed>& objects) {
  json::Node list = json::Node::array();
  for (const auto& o : objects)
    list.push(json::Node(json::Node::List{o.id, o.version, o.sha256, o.article, o.tlp, o.pap, o.tombstone}));
  return list;
}

json::Node times(const std::vector<Time>& list) {
  json::Node::List out;
  out.reserve(list.size());
  for (const Time t : list) out.emplace_back(t.us);
  return json::Node(std::move(out));
}

json::Node commitments(const std::vector<Commit>& list) {
  json::Node::List out;
  for (const Commit& c : list) {
    json::Node one = json::Node::object();
    one.set("first", to_text(c.first)).set("last", to_text(c.last)).set("count", c.count).set("salt", base64(c.salt));
    out.push_back(std::move(one));
  }
  return json::Node(std::move(out));
}

}  // namespace

std::string Commit::record() const {
  json::Node n = json::Node::object();
  n.set("agreement", agreement).set("from", from).set("to", to).set("count", count);
  return json::canonical(n.set("first", to_text(first)).set("last", to_text(last)));
}

std::string Manifest::record() const {
  std::vector<ledger::Hash> leaves;
  leaves.reserve(objects.size());
  for (size_t i = 0; i < objects.size(); ++i) {
    leaves.push_back(ledger::leaf_hash(ledger::object_commitment(object_salt_at(object_salt, i), objects[i].id,
                                                                 objects[i].version, objects[i].sha256)));
  }
  json::Node n = json::Node::object();
  n.set("agreement", agreement)
      .set("agreement_version", agreement_version)
      .set("at", to_text(at))
      .set("from", from)
      .set("to", to);
  n.set("count", static_cast<int64_t>(objects.size())).set("objects_root", hex(view(ledger::root_of(leaves))));
  // Binds the order and what the receiver is told about handling as well.
  n.set("list_sha256", sha256_hex(json::canonical(listing(objects))));
  if (!committed.empty()) n.set("committed_sha256", sha256_hex(json::canonical(times(committed))));
  if (version >= kManifestVersion) {
    n.set("v", int64_t{version});
    if (!committed.empty()) n.set("commits_sha256", sha256_hex(json::canonical(commitments(commits))));
  }
  return json::canonical(n);
}

json::Node given(const Manifest& m) {
  return json::Node::object()
      .set("leaf", m.leaf_index)
      .set("leaf_sha256", sha256_hex(m.leaf))
      .set("objects", uint64_t{m.objects.size()});
}

std::string manifest_object(const Manifest& m) {
  json::Node n = envelope_object(kManifestType, m.id, m.at);
  n.set("agreement", m.agreement).set("agreement_version", m.agreement_version).set("from", m.from).set("to", m.to);
  if (m.version >= kManifestVersion) n.set("v", int64_t{m.version});
  n.set("objects", listing(m.objects));
  if (!m.committed.empty()) {
    n.set("committed", times(m.committed));
    n.set("commits", commitments(m.commits));
  }
  n.set("salt", base64(m.salt)).set("object_salt", base64(m.object_salt));
  n.set("leaf_index", static_cast<int64_t>(m.leaf_index))
      .set("leaf", m.leaf)
      .set("kid", m.kid)
      .set("signature", base64(m.signature));
  return json::write(n);
}

namespace {

Status read_commits(const json::Value& object, Manifest& m) {
  const auto committed = json::find_array(object, "committed");
  if (!committed) return {};
  for (const json::Value v : *committed) {
    int64_t us = 0;
    if (v.get_int64().get(us) != simdjson::SUCCESS)
      return invalid("\"committed\" is a list of microseconds since 1970", "/committed");
    m.committed.push_back({us});
  }
  if (m.committed.size() != m.objects.size())
    return invalid("\"committed\" has not one time for each object", "/committed");
  const auto commits = json::find_array(object, "commits");
  if (!commits) return {};
  for (const json::Value v : *commits) {
    Commit c{m.agreement, m.from, m.to, {}, {}, 0, {}};
    TRY(const std::string first, text_of(v, "first"));
    TRY(c.first, parse_time(first));
    TRY(const std::string last, text_of(v, "last"));
    TRY(c.last, parse_time(last));
    TRY(c.salt, octets_of(v, "salt", 32));
    const auto count = json::find_int(v, "count");
    if (!count || *count < 0) return invalid("a commitment lacks \"count\"", "/commits");
    c.count = static_cast<uint64_t>(*count);
    m.commits.push_back(std::move(c));
  }
  return {};
}

}  // namespace

Result<Manifest> parse_manifest(const json::Value& object) {
  Manifest m;
  TRY(m.id, text_of(object, "id"));
  const auto version = json::find(object, "v");
  const auto number = json::find_int(object, "v");
  if (version && (!number || *number != kManifestVersion))
    return make_error(ErrorKind::kUnsupported, "the manifest is of a version that this program does not know", m.id,
                      "a newer entente made it: update this node");
  m.version = version ? kManifestVersion : 1;
  TRY(m.agreement, text_of(object, "agreement"));
  TRY(m.agreement_version, text_of(object, "agreement_version"));
  TRY(m.from, text_of(object, "from"));
  TRY(m.to, text_of(object, "to"));
  TRY(std::string created, text_of(object, "created"));
  TRY(m.at, parse_time(created));
  TRY(m.salt, octets_of(object, "salt", 32));
  TRY(m.object_salt, octets_of(object, "object_salt", 32));
  TRY(m.leaf, text_of(object, "leaf"));
  TRY(m.kid, text_of(object, "kid"));
  TRY(m.signature, octets_of(object, "signature", 64));
  const auto index = json::find_int(object, "leaf_index");
  if (!index || *index < 0) return invalid("the manifest lacks \"leaf_index\"", "/leaf_index");
  m.leaf_index = static_cast<uint64_t>(*index);
  const auto list = json::find_array(object, "objects");
  if (!list) return invalid("the manifest lacks \"objects\"", "/objects");
  for (const json::Value row : *list) {
    json::Array cells;
    if (row.get_array().get(cells) != simdjson::SUCCESS || cells.size() != 7)
      return invalid("a row of the manifest has not seven cells", "/objects");
    Listed o;
    std::string* const targets[] = {&o.id, &o.version, &o.sha256, &o.article, &o.tlp, &o.pap};
    size_t i = 0;
    for (const json::Value cell : cells) {
      if (i < 6) {
        std::string_view text;
        if (cell.get_string().get(text) != simdjson::SUCCESS)
          return invalid("a cell of the manifest is not a text", "/objects");
        *targets[i] = text;
      } else if (cell.get_bool().get(o.tombstone) != simdjson::SUCCESS) {
        return invalid("the last cell of a manifest row is not true or false", "/objects");
      }
      ++i;
    }
    m.objects.push_back(std::move(o));
  }
  CHECK_OK(read_commits(object, m));
  TRY(ledger::Leaf leaf, ledger::parse_leaf(m.leaf));
  if (leaf.agreement != m.agreement || leaf.agreement_version != m.agreement_version || leaf.recipient != m.to ||
      leaf.kind != "release") {
    return invalid("the manifest's leaf is of another agreement, version, recipient or kind", m.id);
  }
  if (!equal_ct(ledger::commit_to(m.salt, m.record()), leaf.commitment)) {
    return invalid("the manifest's leaf does not commit to this list of objects", m.id,
                   "the sender's node must be asked; nothing of this release is taken in");
  }
  return m;
}

namespace {
std::string manifest_message(const Manifest& m) {
  return "entente/manifest/v1" + m.id + "\n" + std::to_string(m.leaf_index) + "\n" + m.leaf;
}
std::string receipt_message(const Receipt& r) {
  return "entente/receipt/v2" + r.record() + "\n" + std::to_string(r.leaf_index) + "\n" + r.leaf;
}
}  // namespace

std::string sign_manifest(const Manifest& m, const SecretKey& key) { return key.sign(manifest_message(m)); }
bool manifest_signed(const Manifest& m, const PublicKey& key) { return verify(key, manifest_message(m), m.signature); }

std::string Receipt::record() const {
  json::Node n = json::Node::object();
  n.set("agreement", agreement)
      .set("from", from)
      .set("to", to)
      .set("manifest", manifest)
      .set("leaf_sha256", leaf_sha256);
  n.set("received", static_cast<int64_t>(received)).set("at", to_text(at));
  json::Node list = json::Node::array();
  for (const auto& x : refused) list.push(json::Node(json::Node::List{x.id, x.code}));
  n.set("refused", std::move(list));
  return json::canonical(n);
}

std::string receipt_object(const Receipt& r) {
  json::Node n = envelope_object(kReceiptType, r.id, r.at);
  n.set("record", r.record()).set("salt", base64(r.salt)).set("leaf_index", r.leaf_index).set("leaf", r.leaf);
  n.set("kid", r.kid).set("signature", base64(r.signature));
  return json::write(n);
}

Result<Receipt> parse_receipt(const json::Value& object) {
  Receipt r;
  TRY(r.id, text_of(object, "id"));
  TRY(r.kid, text_of(object, "kid"));
  TRY(r.signature, octets_of(object, "signature", 64));
  TRY(std::string record, text_of(object, "record"));
  TRY(json::Document doc, json::parse(record));
  const json::Value root = doc.root();
  TRY(r.agreement, text_of(root, "agreement"));
  TRY(r.from, text_of(root, "from"));
  TRY(r.to, text_of(root, "to"));
  TRY(r.manifest, text_of(root, "manifest"));
  TRY(r.leaf_sha256, text_of(root, "leaf_sha256"));
  TRY(std::string at, text_of(root, "at"));
  TRY(r.at, parse_time(at));
  const auto n = json::find_int(root, "received");
  if (!n || *n < 0) return invalid("the receipt lacks \"received\"", r.id);
  r.received = static_cast<uint64_t>(*n);
  if (const auto list = json::find_array(root, "refused")) {
    for (const json::Value row : *list) {
      json::Array cells;
      if (row.get_array().get(cells) != simdjson::SUCCESS || cells.size() != 2)
        return invalid("a refusal of the receipt has not two cells", r.id);
      std::string_view id;
      std::string_view code;
      if (cells.at(0).get_string().get(id) != simdjson::SUCCESS ||
          cells.at(1).get_string().get(code) != simdjson::SUCCESS) {
        return invalid("a refusal of the receipt is not two texts", r.id);
      }
      r.refused.push_back({std::string(id), std::string(code)});
    }
  }
  if (r.record() != record) return invalid("the receipt's record is not canonical", r.id);
  TRY(r.salt, octets_of(object, "salt", 32));
  TRY(r.leaf, text_of(object, "leaf"));
  const auto index = json::find_int(object, "leaf_index");
  if (!index || *index < 0) return invalid("the receipt lacks \"leaf_index\"", r.id);
  r.leaf_index = static_cast<uint64_t>(*index);
  TRY(const ledger::Leaf leaf, ledger::parse_leaf(r.leaf));
  if (leaf.agreement != r.agreement || leaf.recipient != r.to ||
      leaf.kind != (r.refused.empty() ? "receipt" : "refuse"))
    return invalid("the receipt's leaf is of another agreement, recipient or kind", r.id);
  if (!equal_ct(ledger::commit_to(r.salt, record), leaf.commitment))
    return invalid("the receipt's leaf does not commit to its record", r.id);
  return r;
}

std::string sign_receipt(const Receipt& r, const SecretKey& key) { return key.sign(receipt_message(r)); }
bool receipt_signed(const Receipt& r, const PublicKey& key) { return verify(key, receipt_message(r), r.signature); }

std::string act_salt(std::string_view signed_act_text) {
  return std::string(view(sha256({"entente/act-salt/v1", signed_act_text})));
}

std::string act_object(std::string_view signed_act_text, std::string_view act_hash, Time at) {
  static const Uuid kSpace = *parse_uuid("2f6a1d0c-7f0e-4a61-9d0a-0b8f8f6d1c11");
  json::Node n = envelope_object(kActType, std::string(kActType) + "--" + name_uuid(kSpace, act_hash).text(), at);
  n.set("signed_act", signed_act_text);
  return json::write(n);
}

Result<std::string> parse_act_object(const json::Value& object) { return text_of(object, "signed_act"); }

}  // namespace entente::exchange
