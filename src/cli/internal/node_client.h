// The command line's connection to a node: by its folder (--dir), or by address, pinned key and token.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "json/json.h"
#include "taxii/client.h"

namespace CLI {
class App;
}

namespace entente::cli {

struct Target {
  std::string dir;
  std::string url, pin, token_file;
  void add_options(CLI::App& command);
};

class NodeClient {
 public:
  static Result<NodeClient> connect(const Target& target);
  // API calls; an answer other than 2xx becomes an Error with the node's own words.
  Result<json::Document> get(const std::string& path);
  Result<json::Document> post(const std::string& path, const std::string& body,
                              const std::string& content_type = "application/json");
  Status del(const std::string& path);
  [[nodiscard]] taxii::Client& taxii() { return *taxii_; }
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const std::string& dir() const { return dir_; }
  // The error of a call, with what to do if no node answers.
  [[nodiscard]] Error explained(const Error& e) const;

 private:
  Result<net::Response> checked(Result<net::Response> answer) const;
  std::string url_, dir_, authorization_;
  net::ClientOptions options_;
  std::unique_ptr<taxii::Client> taxii_;
};

// The value of the Authorization header for the token in this file.
[[nodiscard]] Result<std::string> bearer_from(const std::string& token_file);

// Reads a whole file, or standard input for "-".
[[nodiscard]] Result<std::string> read_input(const std::string& path);

}  // namespace entente::cli
