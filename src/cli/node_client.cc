#include "cli/internal/node_client.h"

#include <cstdio>
#include <iostream>
#include <iterator>

#include <CLI/CLI.hpp>

#include "base/files.h"
#include "node/config.h"

namespace entente::cli {
namespace {

ErrorKind kind_of(int status) {
  switch (status) {
    case 401:
      return ErrorKind::kUnauthenticated;
    case 403:
      return ErrorKind::kDenied;
    case 404:
      return ErrorKind::kNotFound;
    case 409:
      return ErrorKind::kConflict;
    case 413:
      return ErrorKind::kTooLarge;
    case 501:
      return ErrorKind::kUnsupported;
    case 503:
      return ErrorKind::kUnavailable;
    default:
      return status >= 500 ? ErrorKind::kInternal : ErrorKind::kInvalid;
  }
}

}  // namespace

void Target::add_options(CLI::App& command) {
  command.add_option("--dir", dir, "folder of the node to talk to (it must be running)");
  command.add_option("--url", url, "or: its address, https://HOST:PORT");
  command.add_option("--pin", pin, "with --url: SHA-256 of its TLS key, 64 hex digits");
  command.add_option("--token-file", token_file, "file with an access token (default: keys/admin.token of --dir)");
}

Result<std::string> bearer_from(const std::string& token_file) {
  PosixFiles files;
  TRY(std::string token, files.read(token_file));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
  return "Bearer " + token;
}

Result<NodeClient> NodeClient::connect(const Target& t) {
  NodeClient c;
  net::ClientOptions o;
  std::string token_file = t.token_file;
  if (!t.dir.empty()) {
    TRY(const node::NodeConfig config, node::load_config(t.dir));
    TRY(const auto hp, node::parse_listen(config.listen));
    const bool any = hp.host == "0.0.0.0" || hp.host == "::";
    o.url = "https://" +
            (any                                      ? std::string("127.0.0.1")
             : hp.host.find(':') != std::string::npos ? "[" + hp.host + "]"
                                                      : hp.host) +
            ":" + std::to_string(hp.port);
    TRY(const std::string spki, net::certificate_spki(config.key("tls.crt")));
    o.pin_spki_sha256 = {spki};
    if (token_file.empty()) token_file = config.key("admin.token");
    c.dir_ = t.dir;
  } else if (!t.url.empty()) {
    o.url = t.url;
    if (t.pin.empty()) {
      o.system_ca = true;
    } else {
      o.pin_spki_sha256 = {t.pin};
    }
  } else {
    return invalid("no node named", {}, "give --dir DIR, or --url URL --pin SPKI --token-file FILE");
  }
  if (token_file.empty()) return invalid("no access token", o.url, "give --token-file FILE");
  c.url_ = o.url;
  c.options_ = o;
  TRY(c.authorization_, bearer_from(token_file));
  TRY(auto transport, net::connect_to(o));
  c.taxii_ = std::make_unique<taxii::Client>(std::move(transport), c.authorization_);
  return c;
}

Error NodeClient::explained(const Error& e) const {
  if (e.kind != ErrorKind::kUnavailable) return e;
  return make_error(e.kind, "no node answers: " + e.what, url_,
                    dir_.empty() ? "is it running?" : "start it with 'entente node run --dir " + dir_ + "'");
}

Result<net::Response> NodeClient::checked(Result<net::Response> answer) const {
  if (!answer.ok()) return explained(answer.error());
  if (answer->status >= 200 && answer->status < 300) return answer;
  auto doc = json::parse(answer->body);
  if (!doc.ok())
    return make_error(kind_of(answer->status), "the node answered HTTP " + std::to_string(answer->status), url_);
  const auto root = doc->root();
  return make_error(kind_of(answer->status), std::string(json::find_string(root, "title").value_or("refused")),
                    std::string(json::find_string(root, "description").value_or("")),
                    std::string(json::find_string(root, "remedy").value_or("")));
}

Result<json::Document> NodeClient::get(const std::string& path) {
  TRY(const net::Response r, checked(taxii_->get(path, "application/json")));
  return json::parse(r.body);
}

Result<json::Document> NodeClient::post(const std::string& path, const std::string& body,
                                        const std::string& content_type) {
  TRY(const net::Response r, checked(taxii_->post(path, body, content_type)));
  return json::parse(r.body.empty() ? "{}" : r.body);
}

Status NodeClient::del(const std::string& path) {
  TRY(const auto transport, net::connect_to(options_));
  net::Request request;
  request.method = "DELETE";
  request.path = path;
  request.headers = {{"Authorization", authorization_}};
  TRY([[maybe_unused]] const net::Response r, checked(transport->send(request, std::chrono::seconds(30))));
  return {};
}

Result<std::string> read_input(const std::string& path) {
  if (path == "-") {
    std::string all((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
    return all;
  }
  PosixFiles files;
  return files.read(path);
}

}  // namespace entente::cli
