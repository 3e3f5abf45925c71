#include "cli/internal/step.h"

#include "net/http.h"

namespace entente::cli {

using json::Node;

Result<Time> moment(const std::string& text, Time now) {
  if (!text.starts_with('+')) return parse_time(text);
  TRY(const Period p, parse_period(text.substr(1)));
  return add(now, p);
}

Result<std::string> sign_and_send(agreement::Act act, const node::NodeConfig& config, NodeClient& client,
                                  const std::vector<std::string>& keys, const Secrets& secrets) {
  TRY(const json::Document answer, client.get("/api/v1/agreements/" + net::url_encode(act.agreement_id)));
  const Node known = Node::from(answer.root());
  const Node* document = known.find("document");
  if (document == nullptr) return make_error(ErrorKind::kNotFound, "the node does not tell the text", act.agreement_id);
  TRY(const auto doc, agreement::document_from(*document));
  act.text_version = doc.hash;
  if (const Node* texts = known.find("texts"))
    if (const auto mine = texts->string_at(config.party); !mine.empty()) act.text_version = mine;
  SigningRequest r;
  r.title = doc.title;
  if (const Node* parties = known.find("parties"))
    if (const Node* me = parties->find(config.party))
      if (const Node* list = me->find("keys"); list != nullptr && list->is_array())
        for (const Node& k : list->list()) {
          Node whole = k;
          if (whole.find("alg") == nullptr) whole.set("alg", "Ed25519");
          TRY(auto record, agreement::key_from(whole));
          r.keys.push_back(std::move(record));
        }
  r.act.act = std::move(act);
  TRY(r.quorum, agreement::quorum_of(r.act.act, doc));
  if (keys.empty()) {
    CHECK_OK(sign_from_folder(r, config.dir + "/keys", secrets.ask()));
  } else {
    CHECK_OK(sign_with(r, keys, secrets.ask()));
  }
  TRY(const json::Document done, client.post("/api/v1/acts", r.act.text()));
  return r.act.act.hash();
}

}  // namespace entente::cli
