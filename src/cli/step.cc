#include "cli/internal/step.h"

#include <cstdio>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "base/files.h"
#include "cli/internal/input.h"
#include "net/http.h"

namespace entente::cli {

using json::Node;

Result<Time> moment(const std::string& text, Time now) {
  if (!text.starts_with('+')) return parse_time(text);
  TRY(const Period p, parse_period(text.substr(1)));
  return add(now, p);
}

Result<SigningRequest> prepare(agreement::Act act, const node::NodeConfig& config, NodeClient& client) {
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
  return r;
}

void OnFile::add_options(CLI::App& command) {
  auto* out = command.add_option(
      "--export", export_to,
      "do not submit: write the act to FILE, for others to sign with 'entente agreement countersign'");
  command.add_option("--import", import_from, "submit the act in FILE, which others have signed")->excludes(out);
}

Result<int> export_request(bool as_json, const SigningRequest& r, const std::string& file) {
  PosixFiles files;
  CHECK_OK(files.write_atomic(file, r.text(), 0644));
  const auto open = missing(r);
  if (as_json) {
    Node list = Node::array();
    for (const auto& line : open) list.push(line);
    Node n = Node::object();
    n.set("file", file).set("act", r.act.act.hash()).set("missing", std::move(list));
    std::puts(json::write(n).c_str());
  } else {
    std::printf("%s: %s by %s, to be signed (act %s)\n", file.c_str(), r.act.act.kind.c_str(), r.act.act.party.c_str(),
                r.act.act.hash().substr(0, 16).c_str());
    for (const auto& line : open) std::printf("  missing signatures, %s\n", line.c_str());
  }
  return 0;
}

Result<SigningRequest> read_signed(const std::string& file, const std::string& kind) {
  TRY(const std::string text, read_input(file));
  TRY(SigningRequest r, SigningRequest::parse(text, file));
  if (!kind.empty() && r.act.act.kind != kind)
    return make_error(ErrorKind::kConflict, "this file holds another act: " + printable(r.act.act.kind), file,
                      "use 'entente agreement submit', which takes any");
  if (const auto open = missing(r); !open.empty())
    return make_error(ErrorKind::kDenied, "signatures are missing: " + open.front(), file,
                      "take it to the next signer: 'entente agreement countersign'");
  return r;
}

Result<std::string> sign_and_send(agreement::Act act, const node::NodeConfig& config, NodeClient& client,
                                  const std::vector<std::string>& keys, const Secrets& secrets) {
  TRY(SigningRequest r, prepare(std::move(act), config, client));
  if (keys.empty()) {
    CHECK_OK(sign_from_folder(r, config.dir + "/keys", secrets.ask()));
  } else {
    CHECK_OK(sign_with(r, keys, secrets.ask()));
  }
  TRY(const json::Document done, client.post("/api/v1/acts", r.act.text()));
  return r.act.act.hash();
}

}  // namespace entente::cli
