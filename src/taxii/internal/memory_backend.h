// For this layer's tests: a backend in memory, written the plain way (filter everything, then cut), so that it is also
// an oracle.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "json/json.h"
#include "taxii/backend.h"

namespace entente::taxii::internal {

class Text final : public net::BodySource {
 public:
  explicit Text(std::string text) : text_(std::move(text)) {}
  Result<bool> next(std::string& out) override {
    out += text_;
    return false;
  }

 private:
  std::string text_;
};

class MemoryBackend final : public Backend {
 public:
  struct Row {
    std::string id, type, spec_version, version, raw;
    stix::Timestamp instant;
    Time date_added;
  };
  struct Waiter {
    Time after;
    std::function<void()> wake;
  };

  static constexpr const char* kCollection = "91a7b528-80eb-42ed-a74d-c6fbd5a26116";
  static constexpr const char* kClosed = "52892447-4d7e-4f70-b94d-d7f22742ff63";
  static constexpr const char* kWriteOnly = "64993447-4d7e-4f70-b94d-d7f22742ff64";
  static constexpr const char* kReadOnly = "75094447-4d7e-4f70-b94d-d7f22742ff65";

  // Stores one version; dates it one microsecond after the newest, as the node would (T47).
  Time put(const std::string& raw) {
    std::vector<std::function<void()>> wakes;
    Time date;
    {
      const std::scoped_lock lock(mutex_);
      date = put_locked(raw);
      for (auto& w : waiters_) wakes.push_back(std::move(w.wake));
      waiters_.clear();
    }
    for (auto& w : wakes) w();
    return date;
  }
  static std::string indicator(int n, const std::string& modified = "2026-01-01T00:00:00.000Z") {
    char id[64];
    snprintf(id, sizeof id, "indicator--00000000-0000-4000-8000-%012d", n);
    return R"({"type":"indicator","spec_version":"2.1","id":")" + std::string(id) + R"(","modified":")" + modified +
           R"("})";
  }

  Result<Caller> authenticate(const net::Request& request) override {
    const auto a = request.header("Authorization");
    if (require_login && a.empty()) return make_error(ErrorKind::kUnauthenticated, "log in");
    return Caller{a.empty() ? "someone" : std::string(a)};
  }
  std::string title() override { return "Test"; }
  std::string contact() override { return ""; }
  std::vector<RootInfo> roots(const Caller& caller) override {
    if (no_roots) return {};
    std::vector<RootInfo> out{{"/local/", "Local", "", max_content}};
    if (caller.id == "partner") out.push_back({"/agreements/a-b/", "A and B", "", max_content});
    return out;
  }
  Result<std::vector<CollectionInfo>> collections(const Caller&, const std::string&) override {
    if (no_collections) return std::vector<CollectionInfo>{};
    return std::vector<CollectionInfo>{{kCollection, "main", "Main", "", true, true},
                                       {kClosed, "", "Closed", "", false, false},
                                       {kWriteOnly, "drop", "Drop", "", false, true},
                                       {kReadOnly, "", "Read", "", true, false}};
  }
  Result<Page> page(const Caller&, const std::string&, const std::string&, const Filter& f, bool want_body) override {
    const std::scoped_lock lock(mutex_);
    ++pages;
    const auto in = [](const std::vector<std::string>& list, const std::string& v) {
      return list.empty() || std::ranges::find(list, v) != list.end();
    };
    std::vector<Row> rest;
    for (const Row& r : rows_) {
      if (f.added_after && r.date_added <= *f.added_after) continue;
      if (f.upto && r.date_added > *f.upto) continue;
      if (in(f.ids, r.id) && in(f.types, r.type) && in(f.spec_versions, r.spec_version)) rest.push_back(r);
    }
    std::map<std::string, std::pair<stix::Timestamp, stix::Timestamp>> ends;
    for (const Row& r : rest) {
      auto [it, fresh] = ends.try_emplace(r.id, r.instant, r.instant);
      it->second.first = std::min(it->second.first, r.instant);
      it->second.second = std::max(it->second.second, r.instant);
    }
    Page out;
    out.snapshot = newest_;
    std::string body;
    for (const Row& r : rest) {
      const auto& [first, last] = ends[r.id];
      const bool wanted = f.all || (f.first && r.instant == first) || (f.last && r.instant == last) ||
                          std::ranges::find(f.exact, r.instant) != f.exact.end();
      if (!wanted || (f.resume && r.date_added <= *f.resume)) continue;
      if (out.items.size() == f.limit) {
        out.more = true;
        break;
      }
      out.items.push_back({r.id, r.version, r.date_added});
      if (!out.first) out.first = r.date_added;
      out.last = r.date_added;
      if (want_body) body.append(body.empty() ? "" : ",").append(r.raw);
    }
    if (!body.empty()) out.objects = std::make_shared<Text>(std::move(body));
    return out;
  }
  Result<bool> has(const Caller&, const std::string&, const std::string&, const std::string& id) override {
    const std::scoped_lock lock(mutex_);
    return std::ranges::any_of(rows_, [&](const Row& r) { return r.id == id; });
  }
  void add(const Caller& caller, const std::string&, const std::string&, std::string body,
           std::function<void(Result<StatusInfo>)> done) override {
    posted.push_back(body);
    auto doc = json::parse(body);
    if (!doc.ok()) return done(invalid(doc.error().what));
    StatusInfo s;
    s.id = random_uuid().text();
    s.request_time = Time{1};
    if (json::find_array(doc->root(), "objects")) {
      auto split = json::split_array(body, "objects");
      if (!split.ok()) return done(split.error());
      for (const auto raw : *split) {
        ++s.total;
        auto object = json::parse(raw);
        const auto id = object.ok() ? json::find_string(object->root(), "id") : std::nullopt;
        if (!id) {
          ++s.failure;
          s.failures.push_back({"", "", "no id"});
          continue;
        }
        ++s.success;
        s.successes.push_back({std::string(*id), "2026-01-01T00:00:00.000Z", ""});
        put(std::string(raw));
      }
    }
    StatusInfo first = s;
    if (pending_once) {
      first.complete = false;
      first.pending = s.total;
      first.success = first.failure = 0;
      first.successes.clear();
      first.failures.clear();
    }
    {
      const std::scoped_lock lock(mutex_);
      statuses_[caller.id + s.id] = s;
    }
    done(std::move(first));
  }
  Result<StatusInfo> status(const Caller& caller, const std::string&, const std::string& id) override {
    const std::scoped_lock lock(mutex_);
    const auto it = statuses_.find(caller.id + id);
    if (it == statuses_.end()) return make_error(ErrorKind::kNotFound, "no such status");
    return it->second;
  }
  Status remove(const Caller&, const std::string&, const std::string&, const std::string& id,
                const Filter& f) override {
    auto doomed = page(
        {}, {}, {},
        [&] {
          Filter g = f;
          g.ids = {id};
          g.limit = 1'000'000;
          return g;
        }(),
        false);
    const std::scoped_lock lock(mutex_);
    for (const auto& item : doomed.value().items)
      std::erase_if(rows_, [&](const Row& r) { return r.date_added == item.date_added; });
    return {};
  }
  void wait(const Caller&, const std::string&, const std::string&, Time after, int64_t timeout_ms,
            std::function<void()> wake) override {
    {
      const std::scoped_lock lock(mutex_);
      last_wait_ms = timeout_ms;
      if (rows_.empty() || rows_.back().date_added <= after) {
        waiters_.push_back({after, std::move(wake)});
        return;
      }
    }
    wake();
  }
  size_t waiting() {
    const std::scoped_lock lock(mutex_);
    return waiters_.size();
  }
  void time_out() {
    std::vector<Waiter> all;
    {
      const std::scoped_lock lock(mutex_);
      all.swap(waiters_);
    }
    for (auto& w : all) w.wake();
  }
  std::vector<Row> rows() {
    const std::scoped_lock lock(mutex_);
    return rows_;
  }

  bool require_login = false, no_roots = false, no_collections = false, pending_once = false;
  uint64_t max_content = 1u << 20;
  int64_t last_wait_ms = -1;
  int pages = 0;
  std::vector<std::string> posted;

 private:
  Time put_locked(const std::string& raw) {
    auto doc = json::parse(raw);
    const auto root = doc.value().root();
    Row r;
    r.raw = raw;
    r.id = json::find_string(root, "id").value_or("");
    r.type = json::find_string(root, "type").value_or("");
    r.spec_version = json::find_string(root, "spec_version").value_or("2.1");
    r.version = json::find_string(root, "modified").value_or("2026-01-01T00:00:00.000Z");
    r.instant = stix::parse_timestamp(r.version).value_or(stix::Timestamp{});
    newest_ = r.date_added = newest_.plus_us(1);
    rows_.push_back(std::move(r));
    return newest_;
  }

  std::mutex mutex_;
  std::vector<Row> rows_;
  std::vector<Waiter> waiters_;
  std::map<std::string, StatusInfo> statuses_;
  Time newest_{1'780'000'000'000'000};
};

}  // namespace entente::taxii::internal
