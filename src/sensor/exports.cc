#include "sensor/exports.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/metrics.h"
#include "packet/address.h"

namespace entente::sensor {

namespace {

constexpr int64_t kLookEvery = 200'000;         // µs
constexpr int64_t kManifestEvery = 10'000'000;  // µs
constexpr size_t kLeftOutNamed = 100;           // in the manifest; all of them are in LEFT-OUT.csv

// A file as it is served.
struct Served {
  std::string form;
  std::string media_type, bytes, etag;
  size_t entries = 0;
  Time changed;
};

struct FormState {
  size_t entries = 0, left_out = 0;
  std::vector<std::string> first_left_out;
  std::map<std::string, size_t> unsaid;
  uint32_t serial = 0;  // of the zone
};

Result<std::pair<std::string, uint16_t>> address_and_port(const std::string& text) {
  const size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  uint16_t port = 0;
  const char* begin = colon == std::string::npos ? text.data() + text.size() : text.data() + colon + 1;
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || !packet::parse_address(host))
    return invalid("no address to listen at: \"" + printable(text, 60) + "\"", {}, "write ADDRESS:PORT");
  return std::pair(host, port);
}

bool is_loopback(const std::string& host) { return host.starts_with("127.") || host == "::1"; }

// RFC 9110 §13.1.2: a list of entity tags, compared weakly (a compressed answer has a weak one), or "*".
bool none_match(std::string_view wanted, std::string_view etag) {
  while (!wanted.empty()) {
    const size_t comma = std::min(wanted.find(','), wanted.size());
    std::string_view one = wanted.substr(0, comma);
    wanted.remove_prefix(std::min(comma + 1, wanted.size()));
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*" || one == etag) return false;
  }
  return true;
}

// RFC 9110 §5.6.7.
std::string http_date(Time t) {
  const time_t seconds = t.us / 1'000'000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[parts.tm_wday], parts.tm_mday,
                     kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

net::Response refusal(int status, const std::string& what, net::Headers headers = {}) {
  headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  return {.status = status, .headers = std::move(headers), .body = what + "\n"};
}

}  // namespace

Result<ExportWish> parse_export_wish(std::string_view text) {
  ExportWish out;
  const size_t colon = text.find(':');
  TRY(out.form, enforce::parse_export_form(text.substr(0, colon)));
  if (colon == std::string_view::npos) return out;
  const std::string_view number = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out.capacity);
  if (error != std::errc{} || end != number.data() + number.size() || out.capacity == 0 || out.capacity > 10'000'000)
    return invalid("\"" + printable(number, 40) + "\" is no capacity of an export", {},
                   "write FORM:N with a number of values from 1 to 10000000, as in nft:20000");
  return out;
}

struct Exports::State {
  ExportsOptions options;
  std::string token;
  Core& core;
  Clock& clock;
  Files& files;
  Metrics metrics;
  std::unique_ptr<net::Server> server;
  std::thread thread;

  mutable std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  std::map<std::string, Served> served;  // by name; manifest.json too
  std::vector<FormState> forms;
  std::string trouble;
  uint64_t written = 0;  // files

  // Of the thread alone.
  std::vector<enforce::ExportItem> items;
  std::vector<enforce::Prefix> allow;
  std::map<std::string, std::string> on_disk;  // name -> ETag
  uint64_t revision = 0;
  int64_t next_refresh = 0, next_manifest = 0;
  std::string not_written;         // why the last files are not on the disk; of the thread that looks
  Time first_end{INT64_MAX};       // of the items
  std::atomic<int64_t> looked{0};  // steady: when it was last known what is in force

  State(ExportsOptions o, std::string t, Core& c, Clock& k, Files& f)
      : options(std::move(o)), token(std::move(t)), core(c), clock(k), files(f), forms(options.forms.size()) {}

  void render(size_t n, Time now) {
    const ExportWish& wish = options.forms[n];
    enforce::ExportOptions o;
    o.form = wish.form;
    o.capacity = wish.capacity;
    o.with_counting = options.with_counting;
    o.allow = allow;
    o.now = now;
    o.reload_us = options.refresh_us;
    o.zone = options.zone;
    const std::string form(enforce::to_text(wish.form));
    FormState before;
    {
      const std::lock_guard lock(mutex);
      before = forms[n];
    }
    o.serial = before.serial;
    enforce::Exported made = enforce::export_items(items, o);
    if (wish.form == enforce::ExportForm::kRpz) {
      const std::lock_guard lock(mutex);
      const auto it = served.find(made.files.front().name);
      if (it == served.end() || it->second.bytes != made.files.front().bytes) {
        before.serial = std::max(before.serial + 1, static_cast<uint32_t>(now.us / 1'000'000));
        o.serial = before.serial;
        made = enforce::export_items(items, o);
      }
    }
    FormState after{made.entries, made.left_out.size(), {}, std::move(made.unsaid), before.serial};
    for (size_t i = 0; i < std::min(made.left_out.size(), kLeftOutNamed); ++i)
      after.first_left_out.push_back(made.left_out[i].value());
    if (after.left_out > 0) {
      enforce::ExportOptions csv;
      csv.form = enforce::ExportForm::kCsv;
      csv.capacity = SIZE_MAX;
      csv.with_counting = true;
      enforce::Exported list = enforce::export_items(made.left_out, csv);
      list.files.front().name = form + ".left-out.csv";
      made.files.push_back(std::move(list.files.front()));
    }
    if (after.left_out > 0 && before.left_out == 0)
      say_warn("export {}: {} of {} values are left out, it holds {}", form, after.left_out,
               after.left_out + after.entries, wish.capacity);
    if (after.left_out == 0 && before.left_out > 0) say_info("export {}: everything fits again", form);
    std::map<std::string, const enforce::ExportFile*> fresh;
    for (const enforce::ExportFile& f : made.files) fresh[f.name] = &f;
    const std::lock_guard lock(mutex);
    forms[n] = std::move(after);
    std::erase_if(served, [&](const auto& s) { return s.second.form == form && !fresh.contains(s.first); });
    for (const auto& [name, f] : fresh) {
      Served& s = served[name];
      const std::string etag = "\"" + sha256_hex(f->bytes).substr(0, 32) + "\"";
      if (s.etag == etag) continue;
      s = {form, f->media_type, f->bytes, etag, f->entries, now};
    }
  }

  void manifest(Time now) {
    json::Node n = json::Node::object();
    n.set("format", "entente-exports/1").set("written", to_text(now));
    n.set("use_until", to_text(now.plus_us(options.hold_us)));
    json::Node::List list;
    const std::lock_guard lock(mutex);
    for (size_t i = 0; i < forms.size(); ++i) {
      const FormState& f = forms[i];
      json::Node one = json::Node::object();
      const std::string form(enforce::to_text(options.forms[i].form));
      one.set("form", form).set("capacity", options.forms[i].capacity).set("entries", f.entries);
      one.set("left_out", f.left_out);
      if (f.left_out > 0) {
        json::Node::List names;
        for (const auto& v : f.first_left_out) names.emplace_back(v);
        one.set("first_left_out", json::Node(std::move(names))).set("all_left_out", form + ".left-out.csv");
      }
      if (!f.unsaid.empty()) {
        json::Node unsaid = json::Node::object();
        for (const auto& [why, count] : f.unsaid) unsaid.set(why, count);
        one.set("not_said", std::move(unsaid));
      }
      json::Node::List files_of;
      for (const auto& [name, s] : served) {
        if (s.form != form) continue;
        files_of.push_back(json::Node::object()
                               .set("name", name)
                               .set("entries", s.entries)
                               .set("bytes", s.bytes.size())
                               .set("sha256", sha256_hex(s.bytes))
                               .set("changed", to_text(s.changed)));
      }
      one.set("files", json::Node(std::move(files_of)));
      list.push_back(std::move(one));
    }
    n.set("exports", json::Node(std::move(list)));
    Served& m = served["manifest.json"];
    m.bytes = json::write_pretty(n) + "\n";
    m.media_type = "application/json";
    m.etag = "\"" + sha256_hex(m.bytes).substr(0, 32) + "\"";
    m.changed = now;
  }

  // The files first, the manifest that speaks of them last.
  Status write_out() {
    if (options.dir.empty()) return {};
    std::vector<std::pair<std::string, Served>> due;
    std::vector<std::string> gone;
    {
      const std::lock_guard lock(mutex);
      for (const auto& [name, s] : served) {
        const auto it = on_disk.find(name);
        if (name != "manifest.json" && (it == on_disk.end() || it->second != s.etag)) due.emplace_back(name, s);
      }
      for (const auto& [name, etag] : on_disk)
        if (!served.contains(name)) gone.push_back(name);
      const Served& m = served["manifest.json"];
      if (const auto it = on_disk.find("manifest.json"); it == on_disk.end() || it->second != m.etag)
        due.emplace_back("manifest.json", m);
    }
    for (const auto& [name, s] : due) {
      CHECK_OK(files.write_atomic(options.dir + "/" + name, s.bytes, 0640));
      on_disk[name] = s.etag;
      const std::lock_guard lock(mutex);
      ++written;
    }
    for (const std::string& name : gone) {
      CHECK_OK(files.remove(options.dir + "/" + name));
      on_disk.erase(name);
    }
    return {};
  }

  void said(const Status& status) {
    const std::string text = status.ok() ? "" : status.error().text();
    const std::lock_guard lock(mutex);
    if (!text.empty() && trouble.empty()) say_error("exports: {}", text);
    if (text.empty() && !trouble.empty()) say_info("exports: files are written again");
    trouble = text;
  }

  void look() {
    const Time now = clock.now();
    const int64_t steady = clock.steady_us();
    const uint64_t recalls = core.recalls_until_now();  // before what is in force
    auto fresh = core.in_force(revision);
    bool leases_changed = fresh.has_value();
    if (fresh) {
      revision = fresh->revision;
      allow = std::move(fresh->allow);
      items.clear();
      items.reserve(fresh->leases.size());
      for (const enforce::Lease& l : fresh->leases) items.push_back(enforce::ExportItem::of(l));
    }
    // What is over goes even if nobody ends it: whoever reads a list cannot see when a lease ends.
    if (leases_changed || now >= first_end) {
      leases_changed = std::erase_if(items, [&](const auto& i) { return i.end <= now; }) > 0 || leases_changed;
      first_end = Time{INT64_MAX};
      for (const enforce::ExportItem& i : items) first_end = std::min(first_end, i.end);
    }
    looked = steady;
    const bool refresh = steady >= next_refresh;
    if (refresh) next_refresh = steady + options.refresh_us;
    bool any = false;
    for (size_t n = 0; n < forms.size(); ++n) {
      if (!leases_changed && !(refresh && options.forms[n].form == enforce::ExportForm::kNft)) continue;
      render(n, now);
      any = true;
    }
    if (!any && steady < next_manifest) return core.recalls_done("lists", recalls, not_written);
    manifest(now);
    const Status done = write_out();
    said(done);
    not_written = done.ok() ? "" : done.error().text();
    core.recalls_done("lists", recalls, not_written);
    next_manifest = steady + (done.ok() ? std::min(kManifestEvery, options.hold_us / 4) : 1'000'000);
  }

  void run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      lock.unlock();
      const auto began = std::chrono::steady_clock::now();
      look();
      // With a hundred thousand leases writing takes a while: never more than a tenth of the time.
      const auto took = std::chrono::steady_clock::now() - began;
      lock.lock();
      changed.wait_for(lock, std::max<std::chrono::nanoseconds>(std::chrono::microseconds(kLookEvery), 9 * took),
                       [&] { return stopping; });
    }
  }

  [[nodiscard]] bool may_read(const net::Request& request) const {
    if (token.empty()) return true;
    const std::string_view given = request.header("Authorization");
    if (given.starts_with("Bearer ")) return equal_ct(given.substr(7), token);
    // Firewalls that fetch lists often know only this: any name, the token as the password.
    if (!given.starts_with("Basic ")) return false;
    const auto pair = unbase64(given.substr(6));
    if (!pair.ok()) return false;
    const size_t colon = pair->find(':');
    return colon != std::string::npos && equal_ct(std::string_view(*pair).substr(colon + 1), token);
  }

  // The same file without anything in it.
  [[nodiscard]] std::string emptied(const std::string& name, const Served& s) const {
    for (const ExportWish& wish : options.forms) {
      if (enforce::to_text(wish.form) != s.form) continue;
      enforce::ExportOptions o;
      o.form = wish.form;
      o.zone = options.zone;
      o.now = clock.now();
      o.serial = static_cast<uint32_t>(o.now.us / 1'000'000);  // of a zone: newer than what was there
      for (enforce::ExportFile& f : enforce::export_items({}, o).files)
        if (f.name == name) return std::move(f.bytes);
    }
    return {};
  }

  [[nodiscard]] net::Response answer(const net::Request& request) const {
    if (!may_read(request))
      return refusal(401, "show the token: as a bearer token, or as the password of any user",
                     {{"WWW-Authenticate", "Basic realm=\"entente exports\", charset=\"UTF-8\""}});
    if (request.method != "GET" && request.method != "HEAD")
      return refusal(405, "these files can only be read", {{"Allow", "GET, HEAD"}});
    std::string name = request.path.starts_with('/') ? request.path.substr(1) : request.path;
    if (name.empty()) name = "manifest.json";
    const std::lock_guard lock(mutex);
    const auto it = served.find(name);
    if (it == served.end()) return refusal(404, "there is no such file: manifest.json lists them");
    // Past the deadline the lists are empty: so those fail open too who know of no deadline.
    Served late;
    const bool stale = name != "manifest.json" && clock.steady_us() - looked.load() > options.hold_us;
    if (stale) {
      late = {it->second.form, it->second.media_type, emptied(name, it->second), {}, 0, it->second.changed};
      late.etag = "\"" + sha256_hex(late.bytes).substr(0, 32) + "\"";
    }
    const Served& s = stale ? late : it->second;
    net::Response out;
    // Whoever cannot ask again drops it when the sensor has been away too long.
    out.headers = {{"ETag", s.etag},
                   {"Last-Modified", http_date(s.changed)},
                   {"Cache-Control", fmt::format("private, no-cache, max-age={}", options.hold_us / 1'000'000)},
                   {"X-Content-Type-Options", "nosniff"}};
    if (const auto wanted = request.header("If-None-Match"); !wanted.empty() && !none_match(wanted, s.etag)) {
      out.status = 304;
      return out;
    }
    out.headers.emplace_back("Content-Type", s.media_type);
    out.compressible = true;
    out.body = s.bytes;
    return out;
  }
};

Exports::Exports() = default;
Exports::~Exports() { stop(); }

Result<std::unique_ptr<Exports>> Exports::start(ExportsOptions options, std::string token, Core& core, Clock& clock,
                                                Files& files) {
  std::unique_ptr<Exports> made(new Exports());
  made->state_ = std::make_unique<State>(std::move(options), std::move(token), core, clock, files);
  State& s = *made->state_;
  if (!s.options.dir.empty() && !files.exists(s.options.dir)) {
    CHECK_OK(files.make_dirs(s.options.dir));
    // Others read there: the group may, whatever the sensor's own mask is.
    (void)::chmod(s.options.dir.c_str(), 0750);
  }
  core.recalls_wait_for("lists");
  s.look();  // so that nobody who asks finds nothing
  // A disk that is full is no reason not to start: what is served goes on, and the files come when there is room.
  if (!s.trouble.empty() && ::access(s.options.dir.c_str(), W_OK) != 0)
    return make_error(ErrorKind::kIo, "the exports cannot be written: " + s.trouble, s.options.dir,
                      "see that the sensor may write there");
  if (!s.options.listen.empty()) {
    TRY(const auto at, address_and_port(s.options.listen));
    net::ServerOptions o;
    o.address = at.first;
    o.port = at.second;
    o.cert_file = s.options.cert_file;
    o.key_file = s.options.key_file;
    o.threads = 1;
    o.max_connections = 1024;
    o.max_body_bytes = 4096;
    o.max_held_bytes = 64U << 20;
    if (!is_loopback(at.first)) {
      if (o.cert_file.empty())
        return invalid("exports over plain HTTP on an address that others reach", s.options.listen,
                       "name cert and key under [export], or listen at 127.0.0.1");
      if (s.token.empty())
        return invalid("exports that anybody may read", s.options.listen,
                       "name a token_file under [export], or listen at 127.0.0.1");
    }
    TRY(s.server,
        net::serve(
            o, [&s](const net::Request& request, const net::Reply& reply) { reply(s.answer(request)); }, s.metrics));
  }
  s.thread = std::thread([&s] { s.run(); });
  return made;
}

void Exports::stop() {
  if (state_ == nullptr) return;
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    if (s.stopping) return;
    s.stopping = true;
  }
  s.changed.notify_all();
  if (s.thread.joinable()) s.thread.join();
  if (s.server != nullptr) s.server->stop(std::chrono::milliseconds(500));
  if (!s.options.clear_at_stop) return;
  s.items.clear();
  for (size_t n = 0; n < s.forms.size(); ++n) s.render(n, s.clock.now());
  s.manifest(s.clock.now());
  s.said(s.write_out());
}

json::Node Exports::status() const {
  const State& s = *state_;
  const std::lock_guard lock(s.mutex);
  json::Node n = json::Node::object();
  json::Node::List list;
  for (size_t i = 0; i < s.forms.size(); ++i) {
    list.push_back(json::Node::object()
                       .set("form", enforce::to_text(s.options.forms[i].form))
                       .set("entries", s.forms[i].entries)
                       .set("left_out", s.forms[i].left_out)
                       .set("capacity", s.options.forms[i].capacity));
  }
  n.set("forms", json::Node(std::move(list))).set("files_written", s.written);
  if (!s.trouble.empty()) n.set("error", s.trouble);
  return n;
}

uint16_t Exports::port() const { return state_->server == nullptr ? 0 : state_->server->port(); }
net::Response Exports::answer(const net::Request& request) const { return state_->answer(request); }

}  // namespace entente::sensor
