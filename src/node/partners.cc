#include "node/internal/partners.h"

#include <chrono>
#include <vector>

#include "base/log.h"

namespace entente::node {
namespace {
constexpr int kFirstPauseMs = 100;
constexpr int kLongestPauseMs = 5000;
constexpr int kLedgerEveryMs = 500;
constexpr int kRecallWaitSeconds = 2;
constexpr int kLookEveryMs = 100;  // how soon a new agreement in force gets its worker
}  // namespace

Partners::Partners(exchange::Exchange& exchange, const NodeConfig& config)
    : ex_(exchange), config_(config), supervisor_([this] { supervise(); }) {}

Partners::~Partners() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  supervisor_.join();
  for (auto& [_, w] : workers_) {
    w->stop = true;
    const std::lock_guard lock(w->mutex);
    if (w->client) w->client->cancel();
  }
  wake_.notify_all();
  for (auto& [_, w] : workers_) w->thread.join();
}

Result<std::shared_ptr<taxii::Client>> Partners::connect(const exchange::Peer& peer) const {
  net::ClientOptions o;
  o.url = peer.url;
  o.cert_file = config_.key("tls.crt");
  o.key_file = config_.key("tls.key");
  o.pin_spki_sha256 = peer.spki;
  TRY(auto transport, net::connect_to(o));
  return std::make_shared<taxii::Client>(std::move(transport), "");
}

Status Partners::sync(const std::string& party) {
  const auto peer = ex_.directory().peer(party);
  if (!peer)
    return make_error(ErrorKind::kNotFound, "there is no such partner", party, "add it with 'entente peer add'");
  TRY(const auto client, connect(*peer));
  interrupt(party);
  while (true) {
    TRY(const size_t n, ex_.receiver().pull_acts(*client, party, 0));
    if (n == 0) break;
  }
  for (const auto& s : ex_.instruments().states()) {
    if (!s->live(party, config_.party)) {
      if (!s->recallable(party, config_.party)) continue;
      while (true) {
        TRY(const size_t n, ex_.receiver().pull_recalls(*client, party, s->agreement_id, 0));
        if (n == 0) break;
      }
      continue;
    }
    while (true) {
      TRY(const size_t n, ex_.receiver().pull_objects(*client, party, s->agreement_id, 0));
      if (n == 0) break;
    }
    CHECK_OK(ex_.mirrors().check(*client, party, s->agreement_id));
    CHECK_OK(ex_.witnessing().ask(*client, party, s->agreement_id));
  }
  return {};
}

void Partners::interrupt(const std::string& party) {
  const std::lock_guard all(workers_mutex_);
  for (auto& [key, w] : workers_) {
    if (!key.starts_with(party + " objects ")) continue;
    const std::lock_guard lock(w->mutex);
    if (!w->client) continue;
    w->yields = true;
    w->client->cancel();
  }
}

bool Partners::pause(Worker& worker, int ms) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::milliseconds(ms), [&] { return stop_ || worker.stop; });
  return !stop_ && !worker.stop;
}

void Partners::run(Worker& worker, const exchange::Peer& peer, Kind kind, const std::string& agreement_id) {
  int delay = kFirstPauseMs;
  while (!worker.stop) {
    bool recalls_only = false;
    if (kind == Kind::kObjects) {
      const auto s = ex_.instruments().state(agreement_id);
      recalls_only = s && !s->live(peer.party, config_.party) && s->recallable(peer.party, config_.party);
      if (!s || !(recalls_only || s->live(peer.party, config_.party))) {
        if (!pause(worker, kLookEveryMs)) return;
        continue;
      }
    }
    std::shared_ptr<taxii::Client> client;
    {
      const std::lock_guard lock(worker.mutex);
      if (!worker.client) {
        auto made = connect(peer);
        if (!made.ok()) {
          ex_.receiver().failed(peer.party, made.error());
        } else {
          worker.client = *made;
        }
      }
      client = worker.client;
    }
    Status done;
    if (!client) {
      done = make_error(ErrorKind::kUnavailable, "no connection");
    } else if (kind == Kind::kActs) {
      auto r = ex_.receiver().pull_acts(*client, peer.party, ex_.context().config.pull_wait_seconds);
      if (!r.ok()) done = r.error();
    } else if (kind == Kind::kObjects) {
      // Suspended, it looks often rather than waits long: the end of a suspension should not have to wait.
      auto r = recalls_only ? ex_.receiver().pull_recalls(*client, peer.party, agreement_id, kRecallWaitSeconds)
                            : ex_.receiver().pull_objects(*client, peer.party, agreement_id,
                                                          ex_.context().config.pull_wait_seconds);
      if (!r.ok()) done = r.error();
    } else {
      done = ex_.mirrors().check(*client, peer.party, agreement_id);
      // What is wrong with the partner's ledger does not keep ours from being witnessed.
      if (Status shown = ex_.witnessing().ask(*client, peer.party, agreement_id); done.ok() && !shown.ok())
        done = shown;
    }
    if (worker.stop) return;
    if (done.ok()) {
      delay = kFirstPauseMs;
      if (kind == Kind::kLedger && !pause(worker, kLedgerEveryMs)) return;
      continue;
    }
    if (worker.yields.exchange(false)) {
      {
        const std::lock_guard lock(worker.mutex);
        worker.client.reset();
      }
      if (!pause(worker, kFirstPauseMs)) return;
      continue;
    }
    // A conflict in a ledger is no failure of the connection; it is shown with the ledger.
    if (kind != Kind::kLedger || done.error().kind == ErrorKind::kUnavailable)
      ex_.receiver().failed(peer.party, done.error());
    {
      const std::lock_guard lock(worker.mutex);
      worker.client.reset();
    }
    if (!pause(worker, delay)) return;
    delay = std::min(delay * 2, kLongestPauseMs);
  }
}

// Shows the heads of every ledger whose agreement names this witness.
void Partners::run_neutral(Worker& worker, const NeutralWitness& witness) {
  int delay = kFirstPauseMs;
  std::string said;
  while (pause(worker, kLedgerEveryMs)) {
    const auto agreements = ex_.witnessing().agreements_of(witness.name);
    if (agreements.empty()) continue;
    std::shared_ptr<taxii::Client> client;
    {
      const std::lock_guard lock(worker.mutex);
      if (!worker.client) {
        net::ClientOptions o;
        o.url = witness.url;
        if (witness.spki.empty())
          o.system_ca = true;
        else
          o.pin_spki_sha256 = {witness.spki};
        if (auto transport = net::connect_to(o); transport.ok())
          worker.client = std::make_shared<taxii::Client>(std::move(*transport), "");
      }
      client = worker.client;
    }
    Status done;
    if (!client) done = make_error(ErrorKind::kUnavailable, "no connection", witness.url);
    for (const auto& id : agreements) {
      if (client && done.ok()) done = ex_.witnessing().ask_neutral(*client, witness.name, id);
    }
    if (done.ok()) {
      delay = kFirstPauseMs;
      said.clear();
      continue;
    }
    if (said != done.error().text()) say_warn("witness {}: {}", witness.name, done.error().text());
    said = done.error().text();
    {
      const std::lock_guard lock(worker.mutex);
      worker.client.reset();
    }
    if (!pause(worker, delay)) return;
    delay = std::min(delay * 2, kLongestPauseMs);
  }
}

void Partners::start(const std::string& key, const exchange::Peer& peer, Kind kind, const std::string& agreement_id) {
  const std::lock_guard all(workers_mutex_);
  auto& slot = workers_[key];
  if (slot && slot->url == peer.url + peer.spki.front()) return;
  if (slot) {
    slot->stop = true;
    {
      const std::lock_guard lock(slot->mutex);
      if (slot->client) slot->client->cancel();
    }
    wake_.notify_all();
    slot->thread.join();
  }
  slot = std::make_unique<Worker>();
  slot->url = peer.url + peer.spki.front();
  Worker& w = *slot;
  w.thread = std::thread([this, &w, peer, kind, agreement_id] { run(w, peer, kind, agreement_id); });
}

void Partners::supervise() {
  for (const auto& witness : config_.witnesses) {
    const std::lock_guard all(workers_mutex_);
    auto& slot = workers_["witness " + witness.name];
    slot = std::make_unique<Worker>();
    Worker& w = *slot;
    w.thread = std::thread([this, &w, witness] { run_neutral(w, witness); });
  }
  while (true) {
    for (const auto& peer : ex_.directory().peers()) {
      if (peer.spki.empty()) continue;
      start(peer.party, peer, Kind::kActs, {});
      for (const auto& s : ex_.instruments().states()) {
        // Also whom an amendment dropped, or us: recalls still go between us.
        // Also after its end: recalls go and are taken, and the ledgers are seen to their last entry.
        if (!s->live(peer.party, config_.party) && !s->recallable(peer.party, config_.party)) continue;
        start(peer.party + " objects " + s->agreement_id, peer, Kind::kObjects, s->agreement_id);
        start(peer.party + " ledger " + s->agreement_id, peer, Kind::kLedger, s->agreement_id);
      }
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::milliseconds(kLookEveryMs), [&] { return stop_; });
    if (stop_) return;
  }
}

}  // namespace entente::node
