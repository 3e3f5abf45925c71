#include "node/internal/feeds.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include <sys/stat.h>

#include "base/bytes.h"
#include "base/files.h"
#include "base/log.h"
#include "json/node.h"

namespace entente::node {
namespace {

constexpr int64_t kLookEveryMs = 100;  // how soon a new feed gets its worker
constexpr int64_t kFirstPauseMs = 1000;
constexpr int64_t kLongestPauseMs = 300'000;
constexpr int kRetries = 2;

// The first line of a file that only its owner can read.
Result<std::string> secret_in(const std::string& path) {
  struct stat st{};
  if (stat(path.c_str(), &st) != 0)
    return make_error(ErrorKind::kNotFound, "the feed's secret is not there", path, "write it there, mode 0600");
  if ((st.st_mode & 077U) != 0)
    return make_error(ErrorKind::kDenied, "others can read the feed's secret", path, "chmod 600 " + path);
  PosixFiles files;
  TRY(std::string text, files.read(path));
  if (const size_t end = text.find_first_of("\r\n"); end != std::string::npos) text.resize(end);
  if (text.empty()) return invalid("the feed's secret is empty", path);
  return text;
}

Result<std::string> secret_of(const exchange::Feed& feed, const std::string& folder) {
  if (!feed.secret_file.empty()) return secret_in(folder + "/" + feed.secret_file);
  if (feed.secret_env.empty()) return std::string();
  const char* value = std::getenv(feed.secret_env.c_str());
  if (value == nullptr || *value == '\0')
    return make_error(ErrorKind::kNotFound, "the variable with the feed's secret is not set", feed.secret_env,
                      "set it where the node is started");
  return std::string(value);
}

}  // namespace

FeedPulls::FeedPulls(exchange::Exchange& exchange, const NodeConfig& config)
    : ex_(exchange), config_(config), supervisor_([this] { supervise(); }) {}

FeedPulls::~FeedPulls() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  supervisor_.join();
  for (auto& [_, w] : workers_) end(*w);
}

void FeedPulls::end(Worker& worker) {
  {
    const std::lock_guard lock(mutex_);
    worker.stop = true;
  }
  {
    const std::lock_guard lock(worker.mutex);
    if (worker.client) worker.client->cancel();
  }
  wake_.notify_all();
  if (worker.thread.joinable()) worker.thread.join();
}

Result<std::shared_ptr<taxii::Client>> FeedPulls::connect(const exchange::Feed& feed) const {
  const std::string folder = config_.dir + "/feeds";
  net::ClientOptions o;
  o.url = feed.url;
  if (!feed.ca_file.empty()) o.ca_file = folder + "/" + feed.ca_file;
  if (!feed.pin.empty()) o.pin_spki_sha256 = {feed.pin};
  o.system_ca = feed.ca_file.empty() && feed.pin.empty();
  if (feed.proxy != "none") o.proxy = feed.proxy.empty() ? net::proxy_from_environment(feed.url) : feed.proxy;
  std::string authorization;
  TRY(const std::string secret, secret_of(feed, folder));
  if (!feed.user.empty()) {
    authorization = "Basic " + base64(feed.user + ":" + secret);
  } else if (!secret.empty()) {
    authorization = "Bearer " + secret;
  }
  TRY(auto transport, net::connect_to(o));
  auto client = std::make_shared<taxii::Client>(std::move(transport), authorization);
  client->set_retries({.times = kRetries, .first = std::chrono::milliseconds{250}});
  return client;
}

std::mutex& FeedPulls::turn(const std::string& name) {
  const std::lock_guard lock(turns_mutex_);
  return turns_[name];
}

Status FeedPulls::pull_all(taxii::Client& client, const exchange::Feed& feed, const std::atomic<bool>& stop) {
  const std::lock_guard one(turn(feed.name));
  while (!stop && !stop_) {
    TRY(const auto page, ex_.feeds().pull(client, feed));
    if (!page.more) break;
  }
  return {};
}

Status FeedPulls::sync(const std::string& name) {
  TRY(const exchange::Feed feed, ex_.feeds().get(name));
  const auto run = [&]() -> Status {
    TRY(const auto client, connect(feed));
    return pull_all(*client, feed, stop_);
  };
  Status done = run();
  if (!done.ok()) ex_.feeds().failed(feed, done.error());
  return done;
}

bool FeedPulls::pause(Worker& worker, int64_t ms) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::milliseconds(ms), [&] { return stop_ || worker.stop; });
  return !stop_ && !worker.stop;
}

void FeedPulls::run(Worker& worker, const exchange::Feed& feed) {
  const int64_t interval = feed.interval_s * 1000;
  int64_t delay = kFirstPauseMs;
  while (!worker.stop && !stop_) {
    const auto once = [&]() -> Status {
      TRY(auto client, connect(feed));  // anew each time: certificates, addresses and secrets change
      {
        const std::lock_guard lock(worker.mutex);
        if (worker.stop) return {};
        worker.client = client;
      }
      return pull_all(*client, feed, worker.stop);
    };
    const Status done = once();
    {
      const std::lock_guard lock(worker.mutex);
      worker.client.reset();
    }
    if (worker.stop || stop_) return;
    if (done.ok()) {
      delay = kFirstPauseMs;
      if (!pause(worker, interval)) return;
      continue;
    }
    ex_.feeds().failed(feed, done.error());
    if (!pause(worker, std::min(delay, interval))) return;
    delay = std::min(delay * 2, kLongestPauseMs);
  }
}

void FeedPulls::supervise() {
  while (!stop_) {
    std::map<std::string, exchange::Feed> wanted;
    for (auto& feed : ex_.feeds().all()) {
      if (!feed.paused) wanted.emplace(feed.name, std::move(feed));
    }
    for (auto it = workers_.begin(); it != workers_.end();) {
      const auto want = wanted.find(it->first);
      if (want != wanted.end() && json::write(exchange::Feeds::to_node(want->second)) == it->second->made_for) {
        ++it;
        continue;
      }
      end(*it->second);
      it = workers_.erase(it);
    }
    for (auto& [name, feed] : wanted) {
      if (workers_.contains(name)) continue;
      auto& slot = workers_[name];
      slot = std::make_unique<Worker>();
      slot->made_for = json::write(exchange::Feeds::to_node(feed));
      Worker& w = *slot;
      w.thread = std::thread([this, &w, feed] { run(w, feed); });
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::milliseconds(kLookEveryMs), [&] { return stop_.load(); });
  }
}

}  // namespace entente::node
