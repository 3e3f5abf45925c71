#include "node/run.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>

#include "base/heap.h"
#include "base/log.h"
#include "entente_version.h"
#include "json/node.h"
#include "log/log.h"
#include "net/supervisor.h"
#include "node/api.h"
#include "node/internal/feeds.h"
#include "node/internal/partners.h"
#include "node/internal/pool.h"
#include "node/internal/served.h"
#include "stix/marking.h"
#include "store/store.h"
#include "taxii/server.h"

namespace entente::node {
namespace {
constexpr std::chrono::milliseconds kDrain{3000};
constexpr std::chrono::milliseconds kTick{50};
constexpr unsigned kPoolThreads = 3;
constexpr size_t kPasswordQueue = 100;

// The acting keys of our own party block: no agreement may give us others.
Result<agreement::Pins> own_pins(Files& files, const NodeConfig& config) {
  agreement::Pins pins;
  TRY(const std::string text, files.read(config.dir + "/party.json"));
  TRY(const json::Document doc, json::parse(text));
  const auto keys = json::find_array(doc.root(), "keys");
  if (!keys) return invalid("the party block lists no keys", config.dir + "/party.json");
  for (const json::Value key : *keys) {
    // Keys do not change worlds: neither by a flag in the configuration nor by a copied file.
    if (agreement::is_exercise_kid(json::find_string(key, "kid").value_or("")) != config.exercise)
      return make_error(ErrorKind::kDenied,
                        config.exercise
                            ? "EXERCISE: the configuration says exercise, and the keys are not of one"
                            : "EXERCISE: the keys are of an exercise, and the configuration does not say so",
                        config.dir + "/party.json", "make a node for exercises with 'entente exercise new'");
    const auto role = json::find_string(key, "role").value_or("");
    if (role == "plenipotentiary" || role == "authority")
      pins[config.party].emplace(json::find_string(key, "public").value_or(""));
  }
  return pins;
}

// Leaves of the private log: the configuration in force and the keys in use, when they change.
Status log_what_it_is(exchange::Exchange& exchange, Files& files, const NodeConfig& c, const SecretKey& node_key,
                      const SecretKey& log_key, const std::optional<SecretKey>& witness_key) {
  TRY(const std::string toml, files.read(c.dir + "/entente.toml"));
  TRY(const std::string certificate, files.read(c.key("tls.crt")));
  json::Node config = json::Node::object();
  config.set("toml", toml).set("version", ENTENTE_VERSION).set("commit", ENTENTE_COMMIT);
  json::Node people = json::Node::array();
  for (const auto& a : exchange.directory().accounts())
    people.push(json::Node::object().set("name", a.name).set("role", exchange::to_text(a.role)));
  config.set("accounts", std::move(people));
  json::Node keys = json::Node::object();
  keys.set("node", node_key.public_key().to_hex()).set("log", log_key.public_key().to_hex());
  if (witness_key) keys.set("witness", witness_key->public_key().to_hex());
  keys.set("tls_certificate_sha256", sha256_hex(certificate));
  return exchange.private_log().set_to(config, keys);
}
}  // namespace

// In order of construction; destroyed the other way round.
struct Node::State {
  NodeConfig config;
  SystemClock clock;
  PosixFiles files;
  Metrics metrics;
  store::Store store;
  std::unique_ptr<log::Log> log;
  std::unique_ptr<AccessLog> access_log;
  std::unique_ptr<Pool> pool;
  std::unique_ptr<Pool> passwords;
  std::unique_ptr<exchange::Context> context;
  std::unique_ptr<exchange::Exchange> exchange;
  std::unique_ptr<taxii::Service> taxii;
  std::unique_ptr<Api> api;
  std::unique_ptr<Partners> partners;
  std::unique_ptr<FeedPulls> feeds;
  std::unique_ptr<net::Server> server;
  std::atomic<bool> stopping = false;
  std::atomic<int64_t> ticked_us = 0;  // steady
  std::thread release_thread;
  std::thread tick_thread;
};

Node::Node() : state_(std::make_unique<State>()) {}

Result<std::unique_ptr<Node>> Node::start(const NodeConfig& config, int listening) {
  std::unique_ptr<Node> node(new Node);
  State& s = *node->state_;
  s.config = config;
  log::RocksOptions ro;
  ro.dir = config.data_dir();
  ro.cache_bytes = config.cache_mb << 20;
  TRY(s.log, log::open_rocks(ro, s.store, s.clock, s.metrics));
  s.store.attach(*s.log);
  s.pool = std::make_unique<Pool>(kPoolThreads);
  s.passwords = std::make_unique<Pool>(1);

  exchange::Config ec;
  ec.party = config.party;
  ec.name = config.name;
  ec.ledger_dir = config.ledger_dir();
  ec.witness_dir = config.dir + "/witness";
  ec.node_kid = config.kid("node");
  ec.log_kid = config.kid("log");
  ec.witness_kid = config.kid("witness");
  ec.exercise = config.exercise;
  ec.policy.withhold_types = config.withhold_types;
  if (!config.max_tlp.empty()) ec.policy.max_tlp = stix::parse_tlp(config.max_tlp);
  ec.policy.review_types = config.review_types;
  if (!config.review_from_tlp.empty()) ec.policy.review_from = stix::parse_tlp(config.review_from_tlp);
  ec.policy.review_persons = config.review_persons;
  ec.pad_to = config.pad_to;
  ec.max_partner_entries_per_day = config.max_partner_entries_per_day;
  ec.pad_every_us = int64_t{config.pad_minutes} * 60'000'000;
  TRY(ec.pins, own_pins(s.files, config));
  TRY(const SecretKey node_key, SecretKey::load(config.key("node.pem")));
  TRY(const SecretKey log_key, SecretKey::load(config.key("log.pem")));
  std::optional<SecretKey> witness_key;
  if (s.files.exists(config.key("witness.pem"))) {
    TRY(witness_key, SecretKey::load(config.key("witness.pem")));
  }
  TRY(std::string pseudonym, s.files.read(config.key("pseudonym.key")));
  TRY(std::string cursor_key, s.files.read(config.key("cursor.key")));
  s.context = std::unique_ptr<exchange::Context>(
      new exchange::Context{ec, node_key, log_key, std::move(pseudonym), s.clock, s.files, s.store, s.metrics,
                            [pool = s.pool.get()](std::function<void()> f) { pool->post(std::move(f)); }, witness_key});
  TRY(s.exchange, exchange::Exchange::open(*s.context));
  CHECK_OK(log_what_it_is(*s.exchange, s.files, config, node_key, log_key, witness_key));
  taxii::Options to;
  to.cursor_key = std::move(cursor_key);
  to.public_origin = config.public_url;
  to.requests_per_second = config.requests_per_second;
  to.root_prefixes = {"/local/", "/acts/", "/agreements/"};
  s.taxii = std::make_unique<taxii::Service>(*s.exchange, to, s.clock);
  s.partners = std::make_unique<Partners>(*s.exchange, s.config);
  s.feeds = std::make_unique<FeedPulls>(*s.exchange, s.config);
  s.api = std::make_unique<Api>(*s.exchange, *s.taxii, s.config, [&s](const std::string& name) {
    // Parties are two letters, names of feeds longer.
    return name.size() == 2 ? s.partners->sync(name) : s.feeds->sync(name);
  });

  TRY(const HostPort hp, parse_listen(config.listen));
  net::ServerOptions so;
  so.address = hp.host;
  so.port = hp.port;
  so.listening = listening;
  so.cert_file = config.key("tls.crt");
  so.key_file = config.key("tls.key");
  so.threads = config.threads;
  so.max_connections = config.max_connections;
  so.max_body_bytes = config.max_body_bytes;
  // Who is not known need not send tens of megabytes to learn it. A password costs too much to look at here.
  so.known = [&s](const net::Request& head) {
    return !s.exchange->quick_to_know(head) || s.exchange->authenticate(head).ok();
  };
  TRY(s.access_log, AccessLog::open(config.access_log));
  so.served = [&s, logs = !config.access_log.empty()](const net::Served& served) {
    count(s.metrics, served);
    if (logs) s.access_log->write(access_line(served, s.clock.now()));
  };
  TRY(s.server, net::serve(
                    so,
                    [&s](net::Request request, net::Reply reply) {
                      // A password costs some 50 ms of work: on a thread of its own, so that guessers delay nobody
                      // else.
                      if (!s.exchange->quick_to_know(request)) {
                        if (s.passwords->size() >= kPasswordQueue) return reply({503, {{"Retry-After", "5"}}, ""});
                        s.passwords->post([&s, request = std::move(request), reply = std::move(reply)]() mutable {
                          if (s.taxii->speaks(request)) return s.taxii->handle(std::move(request), std::move(reply));
                          s.api->handle(request, reply);
                        });
                        return;
                      }
                      if (s.taxii->speaks(request)) return s.taxii->handle(std::move(request), std::move(reply));
                      // Everything else may wait for a commit or a password hash: not on an I/O thread.
                      s.pool->post([&s, request = std::move(request), reply = std::move(reply)] {
                        s.api->handle(request, reply);
                      });
                    },
                    s.metrics));

  s.release_thread = std::thread([&s] {
    while (!s.stopping) {
      auto done = s.exchange->release_step();
      if (!done.ok()) {
        say_error("release: {}", done.error().text());
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
      }
      if (!done.ok() || !*done) s.exchange->wait_for_work(500);
    }
  });
  s.tick_thread = std::thread([&s] {
    while (!s.stopping) {
      std::this_thread::sleep_for(kTick);
      s.exchange->tick();
      s.ticked_us = s.clock.steady_us();
    }
  });
  return node;
}

void Node::stop() {
  State& s = *state_;
  if (s.stopping.exchange(true)) return;
  if (s.exchange) s.exchange->shut_down();
  s.partners.reset();
  s.feeds.reset();
  if (s.server) s.server->stop(kDrain);
  if (s.release_thread.joinable()) s.release_thread.join();
  if (s.tick_thread.joinable()) s.tick_thread.join();
  s.server.reset();
  s.passwords.reset();
  s.pool.reset();
}

Node::~Node() { stop(); }

uint16_t Node::port() const { return state_->server->port(); }

std::string Node::url() const {
  auto hp = parse_listen(state_->config.listen);
  const std::string host = hp.ok() && hp->host != "0.0.0.0" ? hp->host : "127.0.0.1";
  return "https://" + host + ":" + std::to_string(port());
}

bool Node::alive() const {
  constexpr int64_t kTooLongUs = 10'000'000;
  const int64_t last = state_->ticked_us;
  return last == 0 || state_->clock.steady_us() - last < kTooLongUs;
}

void Node::reload() {
  if (Status s = state_->server->reload_certificate(); !s.ok())
    say_error("the certificate could not be read again, the old one stays: {}", s.error().text());
  if (Status s = state_->access_log->reopen(); !s.ok()) say_error("the old access log goes on: {}", s.error().text());
}

Result<int> run_node(const std::string& dir) {
  TRY(const NodeConfig config, load_config(dir));
  keep_freed_memory();  // decisions over whole graphs, pages of ten thousand objects: the same sizes again and again
  sigset_t set;
  sigemptyset(&set);
  for (const int sig : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, sig);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);  // before any thread is made, so that all inherit it
  auto supervisor = net::Supervisor::from_environment();
  if (supervisor.sockets().size() > 1)
    return invalid("the service manager passed several sockets", {}, "one ListenStream per node");
  TRY(const auto node, Node::start(config, supervisor.sockets().empty() ? -1 : supervisor.sockets().front()));
  json::Node ready = json::Node::object();
  ready.set("event", "ready").set("party", config.party).set("url", node->url()).set("version", ENTENTE_VERSION);
  std::fputs((json::write(ready) + "\n").c_str(), stdout);
  std::fflush(stdout);
  say_info("node of {} serves {}", config.party, node->url());
  const std::string status = "serving " + node->url() + " for " + config.party;
  supervisor.ready(status);
  supervisor.watch([&node] { return node->alive(); });
  while (true) {
    int sig = 0;
    sigwait(&set, &sig);
    if (sig == SIGHUP) {
      supervisor.reloading();
      node->reload();
      supervisor.ready(status);
      continue;
    }
    break;
  }
  say_info("node of {} stops", config.party);
  supervisor.stopping();
  node->stop();
  return 0;
}

}  // namespace entente::node
