#include "node/witness.h"

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <sstream>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/files.h"
#include "base/log.h"
#include "base/metrics.h"
#include "json/json.h"
#include "json/node.h"
#include "ledger/witness.h"
#include "net/http.h"
#include "net/supervisor.h"
#include "node/config.h"

namespace entente::node {
namespace {

constexpr std::chrono::milliseconds kDrain{2000};
constexpr size_t kMostConnections = 1024;
constexpr size_t kMostPerAddress = 64;
constexpr size_t kLargestRequest = 128 * 1024;

Error bad(const std::string& file, std::string what) {
  return invalid("the witness's configuration: " + std::move(what), file, "see docs/operation.md");
}

// The name of a cosigner is a word in a note: no space, no plus, no control.
Status good_word(const std::string& what, const std::string& text) {
  if (!text.empty() && text.size() <= 200 &&
      std::ranges::all_of(text, [](char c) { return c > ' ' && c != '+' && c != '"' && c != '\\' && c < 0x7f; }))
    return {};
  return invalid("the " + what + " is not 1 to 200 printable letters without space and plus", printable(text, 200));
}

std::string heads_dir(const std::string& dir) { return dir + "/cosigned"; }

std::string toml_text(const WitnessConfig& c) {
  std::string out =
      "# entente witness. Unknown keys are refused. It cosigns heads of these logs and knows nothing else of them.\n\n"
      "name = " +
      json::quoted(c.name) + "\nlisten = " + json::quoted(c.listen) + "\n";
  for (const auto& log : c.logs) {
    out += "\n[[log]]\norigin = " + json::quoted(log.origin) + "\nkeys = [";
    for (size_t i = 0; i < log.keys.size(); ++i) out += (i > 0 ? ", " : "") + json::quoted(log.keys[i]);
    out += "]\n";
  }
  return out;
}

using Keys = std::map<std::string, std::vector<PublicKey>>;

Result<Keys> keys_of(const WitnessConfig& c) {
  Keys out;
  for (const auto& log : c.logs) {
    for (const auto& hex : log.keys) {
      auto key = PublicKey::from_hex(hex);
      if (!key.ok()) return key.error().at(log.origin);
      out[log.origin].push_back(*std::move(key));
    }
  }
  return out;
}

}  // namespace

Result<WitnessConfig> load_witness(const std::string& dir) {
  const std::string file = dir + "/witness.toml";
  WitnessConfig c;
  c.dir = dir;
  toml::table root;
  try {
    root = toml::parse_file(file);
  } catch (const toml::parse_error& e) {
    std::ostringstream where;
    where << file << ":" << e.source().begin.line;
    if (e.source().begin.line == 0)
      return make_error(ErrorKind::kIo, "the witness's configuration cannot be read", file,
                        "make its folder with 'entente witness init DIR --name NAME'");
    return bad(where.str(), std::string(e.description()));
  }
  for (const auto& [key, _] : root) {
    if (key.str() != "name" && key.str() != "listen" && key.str() != "log")
      return bad(file, "unknown key " + std::string(key.str()));
  }
  c.name = root["name"].value_or(std::string());
  c.listen = root["listen"].value_or(std::string("127.0.0.1:8450"));
  CHECK_OK(good_word("name", c.name));
  TRY([[maybe_unused]] const HostPort hp, parse_listen(c.listen));
  if (const auto* logs = root["log"].as_array()) {
    for (const auto& one : *logs) {
      const auto* t = one.as_table();
      if (t == nullptr) return bad(file, "[[log]] is a table");
      for (const auto& [key, _] : *t) {
        if (key.str() != "origin" && key.str() != "keys")
          return bad(file, "unknown key " + std::string(key.str()) + " in [[log]]");
      }
      WitnessLog log;
      log.origin = (*t)["origin"].value_or(std::string());
      CHECK_OK(good_word("origin of a log", log.origin));
      if (const auto* keys = (*t)["keys"].as_array()) {
        for (const auto& k : *keys) log.keys.push_back(k.value_or(std::string()));
      }
      if (log.keys.empty()) return bad(file, "the log " + log.origin + " has no keys");
      c.logs.push_back(std::move(log));
    }
  }
  CHECK_OK(keys_of(c));
  return c;
}

Result<WitnessMade> init_witness(const std::string& dir, const std::string& name, const std::string& listen) {
  CHECK_OK(good_word("name", name));
  TRY(const HostPort hp, parse_listen(listen));
  std::error_code ec;
  if (std::filesystem::exists(dir, ec) && !std::filesystem::is_empty(dir, ec))
    return make_error(ErrorKind::kConflict, "the folder is not empty", dir, "choose another folder");
  PosixFiles files;
  CHECK_OK(files.make_dirs(dir + "/keys"));
  std::filesystem::permissions(dir + "/keys", std::filesystem::perms::owner_all, ec);
  if (ec) return make_error(ErrorKind::kIo, "the rights of the key folder cannot be set: " + ec.message(), dir);
  CHECK_OK(files.make_dirs(heads_dir(dir)));
  const SecretKey key = SecretKey::generate();
  CHECK_OK(key.save(dir + "/keys/witness.pem"));
  WitnessMade out;
  out.public_hex = key.public_key().to_hex();
  std::vector<std::string> names;
  if (hp.host != "0.0.0.0" && hp.host != "::") names.push_back(hp.host);
  TRY(out.spki, net::make_certificate(dir + "/keys/tls.crt", dir + "/keys/tls.key", "witness " + name, names, 3650));
  // Last: a folder without it is no witness.
  CHECK_OK(files.write_atomic(dir + "/witness.toml", toml_text({dir, name, listen, {}}), 0644));
  return out;
}

Status add_witness_log(const std::string& dir, const std::string& origin, const std::string& key) {
  TRY(WitnessConfig c, load_witness(dir));
  CHECK_OK(good_word("origin of a log", origin));
  TRY([[maybe_unused]] const PublicKey checked, PublicKey::from_hex(key));
  auto it = std::ranges::find(c.logs, origin, &WitnessLog::origin);
  if (it == c.logs.end()) it = c.logs.insert(c.logs.end(), WitnessLog{origin, {}});
  if (std::ranges::find(it->keys, key) != it->keys.end())
    return make_error(ErrorKind::kConflict, "the witness knows this log with this key", origin);
  it->keys.push_back(key);
  PosixFiles files;
  return files.write_atomic(dir + "/witness.toml", toml_text(c), 0644);
}

Result<std::vector<WitnessHead>> witness_heads(const std::string& dir) {
  TRY(const WitnessConfig c, load_witness(dir));
  PosixFiles files;
  SystemClock clock;
  TRY(const SecretKey key, SecretKey::load(dir + "/keys/witness.pem"));
  const ledger::Witness witness(files, heads_dir(dir), c.name, key, clock,
                                [](const std::string&) { return std::vector<PublicKey>{}; });
  std::vector<WitnessHead> out;
  for (const auto& log : c.logs) out.push_back({log.origin, witness.newest(log.origin).value_or("")});
  return out;
}

Result<int> run_witness(const std::string& dir) {
  TRY(const WitnessConfig config, load_witness(dir));
  TRY(const SecretKey key, SecretKey::load(dir + "/keys/witness.pem"));
  PosixFiles files;
  // A witness that has lost what it cosigned must get a new key, so it never makes this folder anew.
  if (!files.exists(heads_dir(dir)))
    return make_error(ErrorKind::kCorrupt, "what this witness cosigned is gone", heads_dir(dir),
                      "restore the folder, or make a new witness with a new key");
  SystemClock clock;
  std::mutex mutex;
  TRY(Keys keys, keys_of(config));
  ledger::Witness witness(files, heads_dir(dir), config.name, key, clock, [&](const std::string& origin) {
    const std::lock_guard lock(mutex);
    const auto it = keys.find(origin);
    return it == keys.end() ? std::vector<PublicKey>{} : it->second;
  });

  sigset_t set;
  sigemptyset(&set);
  for (const int sig : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, sig);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  auto supervisor = net::Supervisor::from_environment();
  TRY(const HostPort hp, parse_listen(config.listen));
  net::ServerOptions so;
  so.address = hp.host;
  so.port = hp.port;
  if (!supervisor.sockets().empty()) so.listening = supervisor.sockets().front();
  so.cert_file = dir + "/keys/tls.crt";
  so.key_file = dir + "/keys/tls.key";
  so.threads = 1;
  so.max_connections = kMostConnections;
  so.max_connections_per_address = kMostPerAddress;
  so.max_body_bytes = kLargestRequest;
  so.free_body_bytes = kLargestRequest;
  Metrics metrics;
  const std::string about =
      json::write(json::Node::object().set("name", config.name).set("public", key.public_key().to_hex()));
  TRY(const auto server,
      net::serve(
          so,
          [&](const net::Request& request, const net::Reply& reply) {
            if (request.path == "/healthz" || request.path == "/")
              return reply({200, {{"Content-Type", "application/json"}}, about + "\n"});
            // The path of the standard, and that under which a node's own witness answers.
            if (request.path != "/add-checkpoint" && request.path != "/witness/add-checkpoint")
              return reply({404, {}, ""});
            if (request.method != "POST") return reply({405, {{"Allow", "POST"}}, ""});
            auto a = witness.add_checkpoint(request.body);
            if (a.fork)
              say_error("FORK: two heads of one size with two roots, kept in {}: {}", heads_dir(dir),
                        printable(a.later, 200));
            const char* type = a.status == 409 ? "text/x.tlog.size" : "text/plain; charset=utf-8";
            reply({a.status, {{"Content-Type", type}, {"Cache-Control", "no-store"}}, std::move(a.body)});
          },
          metrics));
  const std::string url = fmt::format("https://{}:{}", hp.host == "0.0.0.0" ? "127.0.0.1" : hp.host, server->port());
  json::Node ready = json::Node::object();
  ready.set("event", "ready").set("name", config.name).set("url", url).set("public", key.public_key().to_hex());
  std::fputs((json::write(ready) + "\n").c_str(), stdout);
  std::fflush(stdout);
  const std::string status = "witness " + config.name + " at " + url;
  supervisor.ready(status);
  supervisor.watch([] { return true; });
  while (true) {
    int sig = 0;
    sigwait(&set, &sig);
    if (sig != SIGHUP) break;
    supervisor.reloading();
    auto again = load_witness(dir);
    auto fresh = again.ok() ? keys_of(*again) : Result<Keys>(again.error());
    if (!fresh.ok()) {
      say_error("the list of logs could not be read again, the old one stays: {}", fresh.error().text());
    } else {
      const std::lock_guard lock(mutex);
      keys = *std::move(fresh);
    }
    if (Status s = server->reload_certificate(); !s.ok()) say_error("certificate: {}", s.error().text());
    supervisor.ready(status);
  }
  supervisor.stopping();
  server->stop(kDrain);
  return 0;
}

}  // namespace entente::node
