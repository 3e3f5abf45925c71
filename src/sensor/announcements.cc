#include "sensor/announcements.h"

#include <charconv>
#include <condition_variable>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"

namespace entente::sensor {

namespace {

using enforce::BgpHow;
using enforce::BgpRoute;
using enforce::Lease;
using enforce::LeaseState;
using enforce::TargetKind;
using json::Node;

constexpr std::string_view kFormat = "entente-announcements/1";

// What a person let routers have.
struct Approval {
  uint64_t lease = 0;
  std::string target, as, reason;
  Time at;
};

Node error_node(const Error& e) {
  return Node::object()
      .set("ok", false)
      .set("kind", name(e.kind))
      .set("what", e.what)
      .set("where", e.where)
      .set("remedy", e.remedy);
}

Node to_json(const Approval& a) {
  return Node::object()
      .set("lease", "L" + std::to_string(a.lease))
      .set("target", a.target)
      .set("as", a.as)
      .set("reason", a.reason)
      .set("approved", to_text(a.at));
}

std::optional<uint64_t> lease_number(std::string_view text) {
  if (text.starts_with('L')) text.remove_prefix(1);
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size() || id == 0) return std::nullopt;
  return id;
}

Result<std::map<uint64_t, Approval>> parse(const std::string& text) {
  TRY(const json::Document doc, json::parse(text));
  if (json::find_string(doc.root(), "format") != kFormat) return invalid("not a file of announcements");
  std::map<uint64_t, Approval> out;
  const auto list = json::find_array(doc.root(), "announcements");
  if (!list) return invalid("no announcements");
  for (const json::Value v : *list) {
    const auto field = [&](const char* key) { return std::string(json::find_string(v, key).value_or("")); };
    const auto id = lease_number(field("lease"));
    TRY(const Time at, parse_time(field("approved")));
    if (!id || (field("as") != "rtbh" && field("as") != "flowspec")) return invalid("an announcement that is none");
    out[*id] = {*id, field("target"), field("as"), field("reason"), at};
  }
  return out;
}

std::vector<BgpRoute> routes_of(const enforce::Prefix& prefix, std::string_view as) {
  if (as == "rtbh") return {{prefix, BgpHow::kRtbh}};
  return {{prefix, BgpHow::kFlowTo}, {prefix, BgpHow::kFlowFrom}};
}

std::optional<std::string> command_of(std::string_view request, json::Document& doc) {
  auto parsed = json::parse(request, {.max_bytes = 65536, .max_depth = 8});
  if (!parsed.ok()) return std::nullopt;
  doc = std::move(*parsed);
  const auto cmd = json::find_string(doc.root(), "cmd").value_or("");
  if (cmd != "announce" && cmd != "withdraw" && cmd != "announced") return std::nullopt;
  return std::string(cmd);
}

}  // namespace

struct Announcements::State {
  std::string file;
  bool clear_at_stop = false;
  Core& core;
  Clock& clock;
  Files& files;
  size_t max_rules = 0;
  std::string peer;
  std::unique_ptr<enforce::BgpSpeaker> speaker;
  std::thread thread;

  mutable std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  std::map<uint64_t, Approval> approved;
  std::map<uint64_t, Lease> in_force;  // that may be announced: active, an address or a range, not protected
  bool unsaved = false;
  std::string trouble;

  State(Core& c, Clock& k, Files& f) : core(c), clock(k), files(f) {}

  [[nodiscard]] std::set<BgpRoute> routes() const {
    std::set<BgpRoute> out;
    for (const auto& [id, a] : approved) {
      const auto it = in_force.find(id);
      if (it == in_force.end() || it->second.target.text() != a.target) continue;
      for (const BgpRoute& r : routes_of(it->second.target.prefix, a.as)) out.insert(r);
    }
    return out;
  }

  Status save() {
    Node::List list;
    for (const auto& [id, a] : approved) list.push_back(to_json(a));
    const std::string text =
        json::write_pretty(Node::object().set("format", kFormat).set("announcements", Node(std::move(list)))) + "\n";
    return files.write_atomic(file, text, 0600);
  }

  // Requires: the lock is held. Leases that ended take their routes along. `also`: one that is asked about.
  void look(uint64_t also = 0) {
    std::vector<uint64_t> ids;
    for (const auto& [id, a] : approved) ids.push_back(id);
    if (also != 0 && !approved.contains(also)) ids.push_back(also);
    in_force.clear();
    if (!ids.empty()) {
      for (Lease& l : core.in_force(ids)) {
        if (l.state == LeaseState::kActive && l.target.kind != TargetKind::kName) in_force.emplace(l.id, std::move(l));
      }
    }
    for (auto it = approved.begin(); it != approved.end();) {
      if (in_force.contains(it->first)) {
        ++it;
        continue;
      }
      say_info("bgp: {} is withdrawn: its lease L{} is over", it->second.target, it->first);
      it = approved.erase(it);
      unsaved = true;
    }
    // First from the routers, then from the disk: what is on it too long is found to be over at the next start.
    if (speaker != nullptr) {
      if (const Status done = speaker->want(routes()); !done.ok()) say_error("bgp: {}", done.error().text());
    }
    if (!unsaved) return;
    const Status done = save();
    unsaved = !done.ok();
    if (!done.ok() && trouble.empty()) say_error("bgp: {}", done.error().text());
    trouble = done.ok() ? "" : done.error().text();
  }

  // Why the neighbour may still hold a route that is not wanted any more; "" if it does not.
  [[nodiscard]] std::string still_held() const {
    const auto r = speaker->report();
    if (r.established)
      return r.announced <= routes().size() ? "" : fmt::format("{} was not told of all withdrawals yet", peer);
    return r.graceful ? fmt::format("no session with {}, which keeps its routes for its restart time", peer) : "";
  }

  void run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      const uint64_t recalls = core.recalls_until_now();  // before what is in force
      look();
      core.recalls_done("bgp", recalls, still_held());
      changed.wait_for(lock, std::chrono::milliseconds(200), [&] { return stopping; });
    }
  }

  Result<Approval> announce(const json::Value& request) {
    const auto id = lease_number(json::find_string(request, "lease").value_or(""));
    if (!id) return invalid("no lease number", {}, "as in L17");
    const std::string as(json::find_string(request, "as").value_or(""));
    const std::string reason = printable(json::find_string(request, "reason").value_or(""), 300);
    if (as != "rtbh" && as != "flowspec")
      return invalid("routers are told in one of two ways", {}, "say --as rtbh or --as flowspec");
    if (reason.empty()) return invalid("why routers are to drop this", {}, "say it with --reason");
    look(*id);
    const auto it = in_force.find(*id);
    if (it == in_force.end()) {
      return make_error(ErrorKind::kNotFound, "no lease in force that drops, on an address or range, has this number",
                        "L" + std::to_string(*id),
                        "see 'entente lease list'; one that waits is approved first, a name has no route");
    }
    const Lease& lease = it->second;
    if (as == "rtbh" && !lease.target.prefix.single())
      return make_error(ErrorKind::kDenied, "a black hole takes single addresses only", lease.target.text(),
                        "announce the range --as flowspec");
    if (const auto known = approved.find(*id); known != approved.end() && known->second.as == as) return known->second;
    const std::map<uint64_t, Approval> before = approved;
    const Approval a{*id, lease.target.text(), as, reason, clock.now()};
    approved[*id] = a;
    // Nothing is announced that a restart would not know of.
    Status done = routes().size() > max_rules ? speaker->want(routes()) : save();
    if (done.ok()) done = speaker->want(routes());
    if (!done.ok()) {
      approved = before;
      return done.error();
    }
    say_info("bgp: {} is announced as {}: lease {}, {}", a.target, as, lease.name(), reason);
    return a;
  }

  Result<Approval> withdraw(const json::Value& request) {
    const auto id = lease_number(json::find_string(request, "lease").value_or(""));
    const auto it = id ? approved.find(*id) : approved.end();
    if (it == approved.end())
      return make_error(ErrorKind::kNotFound, "no such lease is announced", {}, "see 'entente lease announced'");
    const Approval a = it->second;
    approved.erase(it);
    CHECK_OK(speaker->want(routes()));
    unsaved = true;
    look();
    say_info("bgp: {} is withdrawn by a person", a.target);
    return a;
  }

  [[nodiscard]] Node node() const {
    const auto r = speaker->report();
    Node n = Node::object();
    n.set("peer", peer).set("established", r.established).set("keeps_over_restart", r.graceful);
    n.set("approved", approved.size()).set("rules", routes().size()).set("announced", r.announced);
    n.set("max_rules", max_rules).set("not_taken", r.not_taken).set("sessions", r.sessions);
    if (!r.error.empty()) n.set("error", r.error);
    if (!trouble.empty()) n.set("disk_error", trouble);
    return n;
  }
};

Announcements::Announcements() = default;
Announcements::~Announcements() { stop(); }

Result<std::unique_ptr<Announcements>> Announcements::start(enforce::BgpOptions options, std::string file,
                                                            bool clear_at_stop, Core& core, Clock& clock,
                                                            Files& files) {
  std::unique_ptr<Announcements> made(new Announcements());
  made->state_ = std::make_unique<State>(core, clock, files);
  State& s = *made->state_;
  s.file = std::move(file);
  s.clear_at_stop = clear_at_stop;
  s.max_rules = options.max_rules;
  s.peer = options.peer;
  if (files.exists(s.file)) {
    TRY(const std::string text, files.read(s.file));
    auto read = parse(text);
    if (read.ok()) {
      s.approved = std::move(*read);
    } else {
      say_error("bgp: {} cannot be read ({}): nothing is announced until a person approves it anew", s.file,
                read.error().text());
      CHECK_OK(files.write_atomic(s.file + ".damaged", text, 0600));
      s.unsaved = true;
    }
  }
  core.recalls_wait_for("bgp");
  s.look();  // so that the first that the neighbour hears is everything
  // Fewer may be allowed than were approved under another configuration: the oldest approvals go first.
  while (s.routes().size() > s.max_rules) {
    say_warn("bgp: {} is no longer announced: more than max_rules", s.approved.rbegin()->second.target);
    s.approved.erase(std::prev(s.approved.end()));
    s.unsaved = true;
  }
  TRY(s.speaker, enforce::BgpSpeaker::start(std::move(options), s.routes()));
  s.thread = std::thread([&s] { s.run(); });
  return made;
}

void Announcements::stop() {
  if (state_ == nullptr) return;
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    if (s.stopping) return;
    s.stopping = true;
  }
  s.changed.notify_all();
  if (s.thread.joinable()) s.thread.join();
  if (s.speaker != nullptr) s.speaker->stop(s.clear_at_stop);
}

std::optional<std::string> Announcements::control(std::string_view request) {
  json::Document doc;
  const auto cmd = command_of(request, doc);
  if (!cmd) return std::nullopt;
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  if (*cmd == "announced") {
    Node::List list;
    for (const auto& [id, a] : s.approved) {
      const auto it = s.in_force.find(id);
      Node n = to_json(a);
      if (it != s.in_force.end()) n.set("end", to_text(it->second.end)).set("partner", it->second.partner);
      list.push_back(std::move(n));
    }
    return json::write(Node::object().set("ok", true).set("bgp", s.node()).set("announced", Node(std::move(list))));
  }
  const auto done = *cmd == "announce" ? s.announce(doc.root()) : s.withdraw(doc.root());
  if (!done.ok()) return json::write(error_node(done.error()));
  return json::write(Node::object().set("ok", true).set("announcement", to_json(*done)).set("bgp", s.node()));
}

Node Announcements::status() const {
  const std::lock_guard lock(state_->mutex);
  return state_->node();
}

std::optional<std::string> no_announcements(std::string_view request) {
  json::Document doc;
  if (!command_of(request, doc)) return std::nullopt;
  return json::write(error_node(make_error(ErrorKind::kUnsupported, "this sensor speaks to no router", {},
                                           "add [bgp] to its configuration (entente sensor example)")));
}

}  // namespace entente::sensor
