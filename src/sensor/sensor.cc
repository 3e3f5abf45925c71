#include "sensor/sensor.h"

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <sys/stat.h>

#include "base/bytes.h"
#include "base/log.h"
#include "enforce/both.h"
#include "enforce/counting.h"
#include "enforce/nft.h"
#include "enforce/self.h"
#include "enforce/service_register.h"
#include "enforce/xdp.h"
#include "packet/capture.h"
#include "packet/counters.h"
#include "sensor/announcements.h"
#include "sensor/exports.h"
#include "sensor/log_sources.h"
#include "sensor/watch.h"

namespace entente::sensor {

namespace {

Result<std::string> read_token(Files& files, const std::string& path) {
  if (path.empty()) return std::string();
  struct stat info{};
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return make_error(ErrorKind::kDenied, "the token can be read by others", path,
                      "chmod 600 it, and ask the node for a new one");
  }
  TRY(std::string token, files.read(path));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
  if (token.empty() || token.find_first_of("\r\n ") != std::string::npos)
    return invalid("the token file holds no token", path);
  return token;
}

Result<packet::Capture> capture_of(const SensorConfig& config, const std::string& interface) {
  packet::CaptureOptions options;
  options.interface = interface;
  if (config.capture == "ring") return packet::Capture::open(options);
  packet::CaptureOptions tap = options;
  tap.af_xdp = tap.promiscuous = true;  // a mirror port gets what is addressed to others
  auto capture = packet::Capture::open(tap);
  if (capture.ok() || config.capture == "af_xdp") return capture;
  say_info("{}: capture by ring, not by AF_XDP: {}", interface, capture.error().text());
  return packet::Capture::open(options);
}

Result<enforce::ProtectedList> protected_list(const SensorConfig& config, Files& files) {
  enforce::ProtectedList lists;
  for (const std::string& path : config.allow_lists) {
    TRY(const auto loaded, lists.add_file(files, path));
    say_info("{}: {} entries protected, {} skipped", path, loaded.entries, loaded.skipped);
  }
  for (const std::string& text : config.protected_targets) {
    TRY(const enforce::Target target, enforce::parse_target(text));
    if (target.kind == enforce::TargetKind::kName) {
      lists.add_name(target.host, "protected by configuration", true);
    } else {
      lists.add_prefix(target.prefix, "protected by configuration", true);
    }
  }
  if (config.protect_surroundings) {
    for (const enforce::Surrounding& s : enforce::surroundings(files)) lists.add_prefix(s.prefix, s.what, true);
  }
  return lists;
}

Result<enforce::ProtectedList> needed_list(const SensorConfig& config, Files& files, enforce::ProtectedList& lists) {
  enforce::ProtectedList needed;
  for (const std::string& path : config.service_registers) {
    TRY(const auto loaded, enforce::add_register_file(files, path, lists, needed));
    say_info("{}: {} services, {} targets protected, {} dependences watched", path, loaded.services, loaded.targets,
             loaded.dependences);
  }
  return needed;
}

Result<std::unique_ptr<enforce::Enforcer>> make_enforcer(const SensorConfig& config) {
  using Made = std::unique_ptr<enforce::Enforcer>;
  if (config.enforcer == "none") return Made(std::make_unique<enforce::MemEnforcer>());
  if (config.exercise) {
    enforce::NftOptions options;
    options.table = "entente_exercise";
    options.drops = false;
    TRY(auto table, enforce::NftEnforcer::open(options));
    return Made(std::make_unique<enforce::CountingEnforcer>(std::move(table)));
  }
  Made nft, xdp;
  if (config.enforcer != "nft") {
    enforce::XdpOptions options;
    options.interfaces = config.interfaces;
    options.pin_dir = config.pin_dir;
    options.capacity = config.xdp_capacity;
    options.hold_us = config.hold_us;
    using enum enforce::XdpOptions::Attach;
    options.attach = config.xdp_mode == "native" ? kNative : config.xdp_mode == "generic" ? kGeneric : kAuto;
    TRY(xdp, enforce::XdpEnforcer::open(options));
  }
  if (config.enforcer != "xdp") {
    TRY(nft, enforce::NftEnforcer::open());
  }
  if (xdp == nullptr) return nft;
  if (nft == nullptr) return xdp;
  return Made(std::make_unique<enforce::BothEnforcer>(std::move(xdp), std::move(nft)));
}

Result<std::unique_ptr<enforce::Rpz>> make_names(const SensorConfig& config, Files& files,
                                                 std::function<bool(const enforce::Target&)> is_protected) {
  enforce::RpzOptions options = config.rpz_options;
  options.serial_file = config.state_dir + "/rpz.serial";
  if (!config.rpz_key_file.empty()) {
    TRY(const std::string text, read_token(files, config.rpz_key_file));
    const size_t colon = text.find(':'), second = text.find(':', colon + 1);
    if (second == std::string::npos || text.substr(0, colon) != "hmac-sha256")
      return invalid("no TSIG key", config.rpz_key_file, "write it as hmac-sha256:NAME:BASE64 (tsig-keygen makes one)");
    options.key_name = text.substr(colon + 1, second - colon - 1);
    auto secret = unbase64(text.substr(second + 1));
    if (!secret.ok()) return secret.error().at(config.rpz_key_file);
    options.key_secret = std::move(*secret);
  }
  return enforce::Rpz::start(std::move(options), files, std::move(is_protected));
}

Result<std::unique_ptr<Exports>> make_exports(const SensorConfig& config, Core& core, Clock& clock, Files& files) {
  ExportsOptions options;
  for (const std::string& form : config.export_forms) {
    TRY(const ExportWish wish, parse_export_wish(form));
    options.forms.push_back(wish);
  }
  options.dir = config.export_dir;
  options.listen = config.export_listen;
  options.cert_file = config.export_cert;
  options.key_file = config.export_key;
  options.with_counting = config.export_counting;
  options.zone = config.rpz_options.zone;
  options.hold_us = config.hold_us;
  options.clear_at_stop = config.clear_at_stop;
  TRY(std::string token, read_token(files, config.export_token_file));
  return Exports::start(std::move(options), std::move(token), core, clock, files);
}

}  // namespace

struct Sensor::State {
  SensorConfig config;
  SystemClock system_clock;
  PosixFiles posix_files;
  Clock* clock = &system_clock;
  Files* files = &posix_files;
  std::unique_ptr<enforce::Enforcer> enforcer;
  std::unique_ptr<enforce::Rpz> names;
  std::unique_ptr<EventLog> events;
  std::unique_ptr<Core> core;
  const Core* asks = nullptr;         // for the zone, which asks back what is protected
  std::atomic<Core*> ready{nullptr};  // for the control socket, which is open before the core is
  std::unique_ptr<Link> link;
  std::unique_ptr<ControlServer> control;

  struct Listener {
    std::string interface;
    packet::Capture capture;
    std::unique_ptr<Watch> watch;
    std::unique_ptr<packet::Decoder> decoder;
    // Copied out for others, since counters belong to the thread.
    std::array<std::atomic<uint64_t>, sizeof(packet::Counters) / sizeof(uint64_t)> counted{};
    // Under the sensor's lock, as is the exchange of `capture`.
    uint64_t lost_before = 0, went_away = 0;
    std::string error;  // why nothing is read now
    std::thread thread;
    explicit Listener(packet::Capture c) : capture(std::move(c)) {}
  };
  std::vector<std::unique_ptr<Listener>> listeners;
  std::unique_ptr<LogSources> logs;
  ExportedNames exported_names;
  std::unique_ptr<Exports> exports;
  std::unique_ptr<Announcements> announcements;
  std::atomic<Announcements*> announcing{nullptr};  // for the control socket
  std::thread ticker;
  std::shared_ptr<detect::History> history;
  std::thread historian;  // writes it and asks it
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  Status health;

  std::string socket_path() const { return config.state_dir + "/control.sock"; }

  // Until it is time to stop. An interface that goes away is said once, and looked for each second until it is back;
  // everything else goes on meanwhile.
  void listen(Listener& l) {
    for (;;) {
      const Status status = l.capture.run([&](const packet::Packet& p) {
        l.decoder->decode(p);
        l.watch->end();
        size_t i = 0;
        for (const auto& name : packet::counter_names())
          l.counted[i++].store(l.decoder->counters().*name.value, std::memory_order_relaxed);
      });
      std::unique_lock lock(mutex);
      if (stopping || status.ok()) return;
      say_error("{}: {}; it is looked for each second", l.interface, status.error().text());
      l.error = status.error().text();
      ++l.went_away;
      for (;;) {
        if (changed.wait_for(lock, std::chrono::seconds(1), [&] { return stopping; })) return;
        auto again = capture_of(config, l.interface);
        if (!again.ok()) continue;
        l.lost_before += l.capture.stats().dropped;
        l.capture = std::move(*again);
        l.error.clear();
        say_info("{}: is there again", l.interface);
        break;
      }
    }
  }

  void tick() {
    int64_t next_status = 0;
    std::unique_lock lock(mutex);
    while (!stopping) {
      lock.unlock();
      core->tick();
      core->save_uses();
      if (clock->steady_us() >= next_status) {
        write_status();
        next_status = clock->steady_us() + 1'000'000;
      }
      lock.lock();
      changed.wait_for(lock, std::chrono::milliseconds(50), [&] { return stopping; });
    }
  }

  void remember() {
    bool well = true;
    std::unique_lock lock(mutex);
    while (!stopping) {
      lock.unlock();
      core->look_back();
      const Status done = history->flush(clock->now());
      if (!done.ok() && well) say_error("history: {}", done.error().text());
      well = done.ok();
      lock.lock();
      changed.wait_for(lock, std::chrono::seconds(1), [&] { return stopping; });
    }
  }

  json::Node status() {
    json::Node n = core->status();
    json::Node sources = json::Node::array();
    uint64_t packets = 0;
    for (const auto& l : listeners) {
      const std::lock_guard lock(mutex);
      const packet::CaptureStats s = l->capture.stats();
      json::Node source = json::Node::object();
      if (!l->error.empty()) source.set("error", l->error);
      source.set("interface", l->interface).set("capture", l->capture.mode());
      // What was not understood by its own names; of the rest the figures that people ask for.
      json::Node not_read = json::Node::object();
      packet::Counters c;
      uint64_t malformed = 0;
      size_t i = 0;
      for (const auto& name : packet::counter_names()) {
        const uint64_t many = l->counted[i++].load(std::memory_order_relaxed);
        c.*name.value = many;
        if (name.not_read != nullptr && many > 0) not_read.set(name.name, many);
        if (std::string_view(name.name).ends_with("_malformed")) malformed += many;
      }
      packets += c.packets;
      source.set("packets", c.packets)
          .set("lost", s.dropped + l->lost_before)
          .set("went_away", l->went_away)
          .set("dns", c.dns)
          .set("tls", c.tls_hello);
      source.set("quic", c.quic).set("http", c.http).set("tunnels", c.tunnels).set("malformed", malformed);
      sources.push(std::move(source.set("not_read", std::move(not_read))));
    }
    n.set("packets", packets).set("sources", std::move(sources));
    if (logs != nullptr) n.set("logs", logs->status());
    if (names != nullptr) {
      const enforce::Rpz::Counters c = names->counters();
      n.set("rpz", json::Node::object()
                       .set("names", names->names())
                       .set("serial", names->serial())
                       .set("axfr", c.axfr)
                       .set("ixfr", c.ixfr)
                       .set("refused", c.refused)
                       .set("notified", c.notified)
                       .set("unanswered", c.unanswered));
    }
    if (exports != nullptr) n.set("exports", exports->status());
    if (announcements != nullptr) n.set("bgp", announcements->status());
    return n;
  }

  void write_status() {
    const auto done = files->write_atomic(config.state_dir + "/status.json", json::write_pretty(status()) + "\n", 0600);
    if (!done.ok()) say_debug("status.json: {}", done.error().text());
  }
};

Sensor::Sensor() : state_(std::make_unique<State>()) {}

Result<std::unique_ptr<Sensor>> Sensor::start(const SensorConfig& config, Parts parts) {
  std::unique_ptr<Sensor> sensor(new Sensor());
  State& s = *sensor->state_;
  s.config = config;
  if (parts.clock != nullptr) s.clock = parts.clock;
  if (parts.files != nullptr) s.files = parts.files;
  CHECK_OK(s.posix_files.make_dirs(config.state_dir));  // the socket stands there too
  TRY(const std::string token, read_token(*s.files, config.token_file));
  TRY(enforce::ProtectedList lists, protected_list(config, *s.files));
  TRY(enforce::ProtectedList needed, needed_list(config, *s.files, lists));
  if (parts.enforcer != nullptr) {
    s.enforcer = std::move(parts.enforcer);
  } else {
    TRY(s.enforcer, make_enforcer(config));
  }
  if (!parts.connect) {
    parts.connect = [config]() -> Result<std::unique_ptr<net::Client>> {
      net::ClientOptions options;
      options.url = config.url;
      options.pin_spki_sha256 = config.spki;
      return net::connect_to(options);
    };
  }
  // Before anything is changed: is another sensor at work here?
  TRY(s.control, ControlServer::open(s.socket_path(), [&s](std::string_view request) {
        Core* core = s.ready.load();
        if (core == nullptr) return std::string(R"({"ok":false,"kind":"unavailable","what":"the sensor is starting"})");
        Announcements* routers = s.announcing.load();
        auto told = routers != nullptr ? routers->control(request) : no_announcements(request);
        return told ? *std::move(told) : core->control(request);
      }));
  s.events = std::make_unique<EventLog>(*s.files, config.state_dir + "/events.jsonl");
  auto core = std::make_unique<Core>(config, *s.files, *s.clock, *s.enforcer, std::move(lists), *s.events);
  core->use_register(std::move(needed));
  if (config.history_us > 0) {
    detect::HistoryOptions options;
    options.keep_us = config.history_us;
    options.max_bytes = config.history_bytes;
    // Without a past a sensor still does its work.
    if (auto history = detect::History::open(config.state_dir + "/history", s.posix_files, options); history.ok()) {
      s.history = std::move(*history);
      core->set_history(s.history);
    } else {
      say_error("no history: {}", history.error().text());
    }
  }
  if (config.rpz) {
    s.asks = core.get();
    TRY(s.names, make_names(config, *s.files, [&s](const enforce::Target& t) { return s.asks->protects(t); }));
    core->use_names(*s.names);
  } else if (!config.export_forms.empty()) {
    core->use_names(s.exported_names);
  }
  CHECK_OK(core->start());
  s.core = std::move(core);
  s.ready = s.core.get();
  for (const std::string& interface : config.interfaces) {
    TRY(packet::Capture capture, capture_of(config, interface));
    auto listener = std::make_unique<State::Listener>(std::move(capture));
    listener->interface = interface;
    listener->watch = std::make_unique<Watch>(*s.core, interface);
    listener->decoder = std::make_unique<packet::Decoder>(*listener->watch);
    s.listeners.push_back(std::move(listener));
  }
  for (auto& l : s.listeners) l->thread = std::thread([&s, listener = l.get()] { s.listen(*listener); });
  if (!config.log_files.empty() || !config.log_listen.empty()) {
    LogSourceOptions options;
    options.files = config.log_files;
    options.listen = config.log_listen;
    options.from = config.log_from;
    options.state_file = config.state_dir + "/logs.json";
    options.lead_us = config.name_ttl_us;
    TRY(s.logs, LogSources::start(std::move(options), *s.core, *s.clock, *s.files));
  }
  if (!config.export_forms.empty()) {
    TRY(s.exports, make_exports(config, *s.core, *s.clock, *s.files));
  }
  if (config.bgp) {
    enforce::BgpOptions options = config.bgp_options;
    TRY(options.password, read_token(*s.files, config.bgp_password_file));
    TRY(s.announcements, Announcements::start(std::move(options), config.state_dir + "/announcements.json",
                                              config.clear_at_stop, *s.core, *s.clock, *s.files));
    s.announcing = s.announcements.get();
  }
  s.link = std::make_unique<Link>(config, token, parts.connect, *s.core);
  s.link->start();
  s.ticker = std::thread([&s] { s.tick(); });
  if (s.history != nullptr) s.historian = std::thread([&s] { s.remember(); });
  s.write_status();
  return sensor;
}

Sensor::~Sensor() { stop(); }

void Sensor::stop() {
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    if (s.stopping) return;
    s.stopping = true;
  }
  s.changed.notify_all();
  for (auto& l : s.listeners) {
    l->capture.stop();
    if (l->thread.joinable()) l->thread.join();
  }
  if (s.logs != nullptr) s.logs->stop();
  if (s.ticker.joinable()) s.ticker.join();
  if (s.historian.joinable()) s.historian.join();
  if (s.history != nullptr) {
    if (const Status done = s.history->flush(s.clock->now()); !done.ok()) say_error("history: {}", done.error().text());
  }
  if (s.link != nullptr) s.link->stop();
  s.control.reset();
  if (s.exports != nullptr) s.exports->stop();
  if (s.announcements != nullptr) s.announcements->stop();
  if (s.core != nullptr) {
    s.write_status();  // before the counters go with the table
    s.core->stop();
  }
}

Core& Sensor::core() { return *state_->core; }
std::string Sensor::status_text() { return json::write(state_->status()); }

Status Sensor::health() {
  const std::lock_guard lock(state_->mutex);
  return state_->health;
}

Status run_sensor(const SensorConfig& config, std::stop_token stop, net::Supervisor& supervisor) {
  TRY(const std::unique_ptr<Sensor> sensor, Sensor::start(config));
  supervisor.ready("following " + config.url);
  supervisor.watch([&sensor] { return sensor->health().ok(); });
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    // Health is looked at now and then: an interface that goes away is rare.
    changed.wait_for(lock, stop, std::chrono::milliseconds(500), [] { return false; });
    CHECK_OK(sensor->health());
  }
  supervisor.stopping();
  sensor->stop();
  return {};
}

}  // namespace entente::sensor
