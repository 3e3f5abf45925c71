#include "sensor/link.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include <netdb.h>

#include "base/log.h"
#include "json/json.h"
#include "taxii/client.h"

namespace entente::sensor {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// "host" of "https://host:port".
std::string host_of(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('/'));
  if (url.starts_with('[')) return std::string(url.substr(1, url.find(']') - 1));
  return std::string(url.substr(0, url.rfind(':')));
}

// Addresses of a host that the operator or the agreement named: nodes are never blocked.
void protect_host(Core& core, const std::string& host, const std::string& what) {
  if (host.empty()) return;
  if (auto target = enforce::parse_target(host); target.ok()) core.protect(*target, what);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    char text[NI_MAXHOST] = {};
    if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    if (auto prefix = enforce::parse_prefix(text); prefix.ok()) core.protect(enforce::Target::of(*prefix), what);
  }
  freeaddrinfo(found);
}

}  // namespace

struct Link::State {
  SensorConfig config;
  std::string authorization;
  Connect connect;
  Core& core;

  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  bool refresh = false;  // something came: look at the agreements
  std::set<taxii::Client*> clients;
  std::set<std::string> pulled;  // collection ids that have a thread
  std::vector<std::thread> threads;
  bool deaf_told = false;  // answer_recalls() only

  State(const SensorConfig& c, const std::string& token, Connect make, Core& to)
      : config(c), authorization(token.empty() ? "" : "Bearer " + token), connect(std::move(make)), core(to) {}

  // A connection that stop() can cancel, for as long as the guard lives.
  class Connection {
   public:
    explicit Connection(State& s) : state_(s) {
      auto transport = s.connect();
      if (!transport.ok()) {
        error_ = transport.error();
        return;
      }
      client_ = std::make_unique<taxii::Client>(std::move(*transport), s.authorization);
      const std::lock_guard lock(s.mutex);
      s.clients.insert(client_.get());
      if (s.stopping) client_->cancel();
    }
    ~Connection() {
      if (client_ == nullptr) return;
      const std::lock_guard lock(state_.mutex);
      state_.clients.erase(client_.get());
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    taxii::Client* operator->() { return client_.get(); }
    [[nodiscard]] bool ok() const { return client_ != nullptr; }
    [[nodiscard]] const Error& error() const { return error_; }

   private:
    State& state_;
    std::unique_ptr<taxii::Client> client_;
    Error error_;
  };

  bool stopped() {
    const std::lock_guard lock(mutex);
    return stopping;
  }
  // Returns whether it is time to stop. `wakeable`: a refresh ends the wait.
  bool rest(milliseconds time, bool wakeable = false) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, time, [&] { return stopping || (wakeable && refresh); });
    if (wakeable) refresh = false;
    return stopping;
  }

  // Calls `work` with fresh connections until it is time to stop; `work` returns an error when its connection is of no
  // more use.
  void keep_trying(const std::string& what, const std::function<Status(Connection&)>& work) {
    milliseconds pause{100};
    bool told = false;
    while (!stopped()) {
      Connection connection(*this);
      const auto began = steady_clock::now();
      const Status status = connection.ok() ? work(connection) : Status(connection.error());
      if (stopped()) return;
      if (steady_clock::now() - began > milliseconds(5000)) {
        pause = milliseconds{100};
        told = false;
      }
      if (!status.ok() && !told) say_warn("{}: {}; trying again", what, status.error().text());
      told = true;
      if (rest(pause)) return;
      pause = std::min(pause * 2, milliseconds{5000});
    }
  }

  void pull(const std::string& name, const Source& source) {
    keep_trying("collection " + name, [&](Connection& connection) -> Status {
      while (!stopped()) {
        taxii::Client::Get get;
        get.added_after = core.position(source.collection);
        get.wait_seconds = config.wait_seconds;
        const auto began = steady_clock::now();
        TRY(const std::shared_ptr<taxii::Fetched> page, connection->objects(config.root, source.collection, get));
        core.node_spoke();
        if (page->objects.empty()) {
          // A server that does not know how to wait is not asked without end.
          if (steady_clock::now() - began < milliseconds(100) && rest(milliseconds(250))) return {};
          continue;
        }
        const auto before = get.added_after;
        core.on_page(source, page->objects, page->last);
        if (!page->last || (before && *page->last <= *before)) {
          return make_error(ErrorKind::kInvalid, "the node's answer does not say how far it goes",
                            "X-TAXII-Date-Added-Last");
        }
        {
          const std::lock_guard lock(mutex);
          refresh = true;
        }
        changed.notify_all();
      }
      return {};
    });
  }

  void start_pull(const std::string& name, const Source& source) {
    const std::lock_guard lock(mutex);
    if (stopping || !pulled.insert(source.collection).second) return;
    threads.emplace_back([this, name, source] { pull(name, source); });
  }

  // A node that does not know of claims is not asked again and again.
  void look_at_claims(Connection& connection) {
    const auto response = connection->get("/api/v1/claims", "application/json");
    if (response.ok() && response->status == 200) core.on_claims(response->body);
  }

  Status hand_in_claims(Connection& connection) {
    for (const Dispute& d : core.disputes_due()) {
      const std::string body = json::write(json::Node::object()
                                               .set("of", d.indicator)
                                               .set("agreement", d.agreement)
                                               .set("reason", d.reason)
                                               .set("hits", d.hits));
      TRY(const net::Response answer, connection->post("/api/v1/claims", body, "application/json"));
      const auto document = json::parse(answer.body);
      const auto text = [&](const char* key) {
        return document.ok() ? std::string(json::find_string(document->root(), key).value_or("")) : std::string();
      };
      if (answer.status == 200 && !text("claim").empty()) {
        core.dispute_handed_in(d, text("claim"));
        const std::lock_guard lock(mutex);
        refresh = true;
        changed.notify_all();
      } else if (answer.status >= 400 && answer.status < 500 && answer.status != 401 && answer.status != 429) {
        core.dispute_handed_in(
            d, make_error(ErrorKind::kDenied,
                          text("title").empty() ? "HTTP " + std::to_string(answer.status) : text("title"),
                          text("description")));
      } else {
        return make_error(ErrorKind::kUnavailable,
                          "the node does not take the claim (HTTP " + std::to_string(answer.status) + ")");
      }
    }
    return {};
  }

  Status look_at_agreements(Connection& connection, bool follow) {
    TRY(const net::Response response, connection->get("/api/v1/agreements", "application/json"));
    if (!follow && response.status == 404) return {};  // another TAXII server: it is of no exercise
    if (response.status != 200)
      return make_error(ErrorKind::kUnavailable,
                        "the node does not tell its agreements (HTTP " + std::to_string(response.status) + ")");
    TRY(Instruments instruments, Instruments::parse(response.body, config.exercise));
    if (!follow) return {};
    const auto collections = instruments.collections();
    core.on_instruments(std::move(instruments));
    for (const ReceivedCollection& c : collections)
      start_pull(c.alias.empty() ? c.id : c.alias, {c.id, c.from, c.agreement});
    return {};
  }

  // Collections of our own, named in the configuration.
  Status look_for_collections(Connection& connection, std::set<std::string>& missing) {
    if (missing.empty()) return {};
    TRY(const auto known, connection->collections(config.root));
    for (const taxii::CollectionInfo& c : known) {
      if (missing.erase(c.alias) + missing.erase(c.id) > 0)
        start_pull(c.alias.empty() ? c.id : c.alias, {c.id, "", ""});
    }
    return {};
  }

  void protect_partners(Connection& connection) {
    const auto response = connection->get("/api/v1/peers", "application/json");
    if (!response.ok() || response->status != 200) return;
    const auto document = json::parse(response->body);
    if (!document.ok()) return;
    const auto peers = json::find_array(document->root(), "peers");
    if (!peers) return;
    for (const json::Value peer : *peers) {
      protect_host(core, host_of(json::find_string(peer, "url").value_or("")),
                   "node of " + std::string(json::find_string(peer, "party").value_or("a partner")));
    }
  }

  void follow() {
    protect_host(core, host_of(config.url), "own node");
    std::set<std::string> missing(config.collections.begin(), config.collections.end());
    const bool received = missing.erase("received") > 0;
    keep_trying("node " + config.url, [&](Connection& connection) -> Status {
      auto peers_due = steady_clock::now();
      while (!stopped()) {
        // Also where only own collections are followed: which world the node is of is asked first.
        CHECK_OK(look_at_agreements(connection, received));
        if (received) {
          CHECK_OK(hand_in_claims(connection));
          look_at_claims(connection);
        }
        CHECK_OK(look_for_collections(connection, missing));
        if (steady_clock::now() >= peers_due) {
          protect_partners(connection);
          peers_due = steady_clock::now() + std::chrono::seconds(60);
        }
        if (rest(milliseconds(config.refresh_us / 1000), true)) return {};
      }
      return {};
    });
  }

  Status tell_joint(Connection& connection, const std::string& report) {
    const auto answer = connection->post("/api/v1/joint/reports", report, "application/json");
    if (answer.ok() && answer->status == 200) return {};
    core.joint_report_lost();
    if (!answer.ok()) return answer.error();
    say_warn("joint actions: the node did not take the report (HTTP {})", answer->status);
    return {};
  }

  // What became of recalls here. A node that has no ear for it is asked again now and then.
  void answer_recalls() {
    keep_trying("recall answers", [&](Connection& connection) -> Status {
      while (!stopped()) {
        const std::string report = core.recall_report();
        if (report.empty()) {
          if (rest(milliseconds(50))) return {};
          continue;
        }
        const auto answer = connection->post("/api/v1/sensors/report", report, "application/json");
        core.recall_told(answer.ok() && answer->status == 200);
        if (!answer.ok()) return answer.error();
        if (answer->status == 200) continue;
        if (!std::exchange(deaf_told, true))
          say_warn("recalls: the node does not take this sensor's answers (HTTP {}), and will call it late",
                   answer->status);
        if (rest(milliseconds(answer->status == 404 ? 30'000 : 2'000))) return {};
      }
      return {};
    });
  }

  void hand_in() {
    auto report_due = steady_clock::now();
    keep_trying("sightings", [&](Connection& connection) -> Status {
      while (!stopped()) {
        if (steady_clock::now() >= report_due) {
          report_due = steady_clock::now() + milliseconds(1000);
          if (const std::string report = core.joint_report(); !report.empty()) CHECK_OK(tell_joint(connection, report));
        }
        const std::vector<std::string> due = core.sightings_due();
        if (due.empty()) {
          if (rest(milliseconds(50))) return {};
          continue;
        }
        const std::vector<std::string_view> views(due.begin(), due.end());
        const auto status = connection->add(config.root, config.sightings, views);
        if (status.ok()) {
          const size_t refused = std::min<size_t>(status->failure, due.size());
          core.sightings_done(due.size() - refused, refused);
        } else if (status.error().kind == ErrorKind::kInvalid && !stopped()) {
          core.sightings_done(0, due.size());
          return status.error();
        } else {
          return status.error();
        }
      }
      return {};
    });
  }
};

Link::Link(const SensorConfig& config, const std::string& token, Connect connect, Core& core)
    : state_(std::make_unique<State>(config, token, std::move(connect), core)) {}

Link::~Link() { stop(); }

void Link::start() {
  const std::lock_guard lock(state_->mutex);
  state_->threads.emplace_back([s = state_.get()] { s->follow(); });
  state_->threads.emplace_back([s = state_.get()] { s->answer_recalls(); });
  if (!state_->config.sightings.empty()) state_->threads.emplace_back([s = state_.get()] { s->hand_in(); });
}

void Link::stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    for (taxii::Client* client : state_->clients) client->cancel();
    threads.swap(state_->threads);
  }
  state_->changed.notify_all();
  for (std::thread& t : threads) t.join();
}

}  // namespace entente::sensor
