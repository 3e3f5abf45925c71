#include "sensor/config.h"

#include <charconv>
#include <filesystem>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/bytes.h"
#include "base/files.h"
#include "base/time.h"
#include "sensor/exports.h"
#include "sensor/log_sources.h"

namespace entente::sensor {

namespace {

// Reads members of one table and remembers which are known, so that a misspelt one is an error and not a silent
// default.
class Reader {
 public:
  Reader(const toml::table& file, std::string name) : name_(std::move(name)) {
    const toml::node_view<const toml::node> node = file[name_];
    if (node && !node.is_table()) fail("must be a table", "");
    table_ = node.as_table();
  }

  void text(const char* key, std::string& out) {
    if (const auto* node = get(key)) {
      if (const auto v = node->value_exact<std::string>()) {
        out = *v;
      } else {
        fail("must be a text", key);
      }
    }
  }
  void texts(const char* key, std::vector<std::string>& out) {
    const auto* node = get(key);
    if (node == nullptr) return;
    const toml::array* list = node->as_array();
    if (list == nullptr) return fail("must be a list of texts", key);
    out.clear();
    for (const toml::node& item : *list) {
      const auto v = item.value_exact<std::string>();
      if (!v) return fail("must be a list of texts", key);
      out.push_back(*v);
    }
  }
  template <class T>
  void number(const char* key, T& out, int64_t least, int64_t most) {
    if (const auto* node = get(key)) {
      const auto v = node->value_exact<int64_t>();
      if (!v || *v < least || *v > most) return fail(fmt::format("must be a number from {} to {}", least, most), key);
      out = static_cast<T>(*v);
    }
  }
  void flag(const char* key, bool& out) {
    if (const auto* node = get(key)) {
      const auto v = node->value_exact<bool>();
      if (!v) return fail("must be true or false", key);
      out = *v;
    }
  }
  // ISO 8601, without years and months.
  void duration(const char* key, int64_t& out, int64_t least_us) {
    std::string written;
    text(key, written);
    if (written.empty()) return;
    const auto period = parse_period(written);
    if (!period.ok() || period->months != 0 || period->us < least_us)
      return fail("must be a duration such as PT30S, PT10M, PT1H", key);
    out = period->us;
  }
  void finish(std::optional<Error>& error) {
    if (table_ != nullptr && !error_) {
      for (const auto& [key, value] : *table_) {
        if (!known_.contains(std::string(key.str()))) fail("is no setting", std::string(key.str()));
      }
    }
    if (!error) error = std::move(error_);
  }

 private:
  const toml::node* get(const char* key) {
    known_.insert(key);
    return table_ != nullptr ? table_->get(key) : nullptr;
  }
  void fail(const std::string& what, const std::string& key) {
    if (!error_) error_ = invalid(fmt::format("[{}] {} {}", name_, printable(key, 60), what));
  }
  std::string name_;
  const toml::table* table_ = nullptr;
  std::set<std::string> known_;
  std::optional<Error> error_;
};

// "65535:666", or two that have names.
Result<uint32_t> parse_community(const std::string& text) {
  if (text == "blackhole") return 0xffff029aU;
  if (text == "no-export") return 0xffffff01U;
  uint32_t high = 0, low = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, high);
  if (first.ec == std::errc{} && first.ptr != end && *first.ptr == ':') {
    const auto second = std::from_chars(first.ptr + 1, end, low);
    if (second.ec == std::errc{} && second.ptr == end && high <= 0xffff && low <= 0xffff) return high << 16U | low;
  }
  return invalid("[bgp] communities: no community: \"" + printable(text, 40) + "\"", {},
                 "write AS:NUMBER, blackhole or no-export");
}

}  // namespace

Result<SensorConfig> parse_sensor_config(const std::string& text, const std::string& folder) {
  toml::table file;
  try {  // Debian's library is built with exceptions
    file = toml::parse(text);
  } catch (const toml::parse_error& e) {
    return invalid(std::string(e.description()), fmt::format("line {}", e.source().begin.line));
  }
  SensorConfig c;
  std::optional<Error> error;
  for (const auto& [key, value] : file) {
    static const std::set<std::string_view> kTables{"node", "sensor", "logs",   "rpz",       "export",
                                                    "bgp",  "guard",  "leases", "sightings", "history"};
    if (!kTables.contains(key.str()))
      return invalid(fmt::format("[{}] is no table of a sensor's configuration", printable(key.str(), 40)));
  }
  Reader node(file, "node");
  node.text("url", c.url);
  node.texts("spki", c.spki);
  node.text("token_file", c.token_file);
  node.text("root", c.root);
  node.text("sightings", c.sightings);
  node.finish(error);

  Reader sensor(file, "sensor");
  std::string mode = "monitor";
  sensor.text("mode", mode);
  sensor.text("state_dir", c.state_dir);
  sensor.flag("exercise", c.exercise);
  sensor.texts("interfaces", c.interfaces);
  sensor.text("capture", c.capture);
  sensor.texts("collections", c.collections);
  sensor.text("enforcer", c.enforcer);
  sensor.text("xdp_mode", c.xdp_mode);
  sensor.text("pin_dir", c.pin_dir);
  sensor.number("xdp_capacity", c.xdp_capacity, 1, 16'000'000);
  sensor.duration("hold", c.hold_us, 3'000'000);
  std::string at_stop = "keep";
  sensor.text("at_stop", at_stop);
  sensor.number("wait_seconds", c.wait_seconds, 0, 300);
  sensor.duration("refresh", c.refresh_us, 100'000);
  sensor.finish(error);

  Reader logs(file, "logs");
  std::vector<std::string> from;
  logs.texts("files", c.log_files);
  logs.texts("listen", c.log_listen);
  logs.texts("from", from);
  logs.finish(error);

  Reader rpz(file, "rpz");
  c.rpz = file.contains("rpz");
  rpz.text("zone", c.rpz_options.zone);
  rpz.text("listen", c.rpz_options.listen);
  rpz.texts("secondaries", c.rpz_options.secondaries);
  rpz.texts("unsigned_secondaries", c.rpz_options.unsigned_secondaries);
  rpz.text("key_file", c.rpz_key_file);
  rpz.text("garden", c.rpz_options.garden);
  rpz.text("file", c.rpz_options.file);
  rpz.number("ttl_seconds", c.rpz_options.ttl_s, 1, 3600);
  rpz.number("capacity", c.rpz_options.capacity, 1, 10'000'000);
  rpz.finish(error);
  c.rpz_options.hold_us = c.hold_us;

  Reader exports(file, "export");
  exports.texts("forms", c.export_forms);
  exports.text("dir", c.export_dir);
  exports.text("listen", c.export_listen);
  exports.text("cert", c.export_cert);
  exports.text("key", c.export_key);
  exports.text("token_file", c.export_token_file);
  exports.flag("with_counting", c.export_counting);
  exports.finish(error);

  Reader bgp(file, "bgp");
  c.bgp = file.contains("bgp");
  std::vector<std::string> communities;
  bgp.text("peer", c.bgp_options.peer);
  bgp.number("local_as", c.bgp_options.local_as, 1, UINT32_MAX);
  bgp.number("peer_as", c.bgp_options.peer_as, 1, UINT32_MAX);
  bgp.text("router_id", c.bgp_options.router_id);
  bgp.text("source", c.bgp_options.source);
  bgp.text("password_file", c.bgp_password_file);
  bgp.texts("communities", communities);
  bgp.text("next_hop4", c.bgp_options.next_hop4);
  bgp.text("next_hop6", c.bgp_options.next_hop6);
  bgp.number("max_rules", c.bgp_options.max_rules, 1, 4000);
  bgp.finish(error);
  c.bgp_options.hold_us = c.hold_us;

  Reader guard(file, "guard");
  guard.texts("allow_lists", c.allow_lists);
  guard.texts("protected", c.protected_targets);
  guard.texts("service_registers", c.service_registers);
  guard.flag("protect_surroundings", c.protect_surroundings);
  guard.number("clients_per_target", c.guard.clients_per_target, 0, 1'000'000);
  guard.number("clients_days", c.clients_days, 0, 365);
  int64_t shadow_us = -1;
  std::string shadow_for;
  guard.duration("shadow_first", shadow_us, 0);
  guard.text("shadow_for", shadow_for);
  std::string promote = "rule";
  guard.text("shadow_promote", promote);
  guard.number("shadow_clients", c.trials.clients, 0, 1'000'000);
  guard.number("shadow_flows", c.trials.flows, 0, 1'000'000'000);
  guard.number("harm_signals", c.harm_signals, 1, 1'000'000);
  guard.number("harm_clients", c.harm_clients, 0, 1'000'000);
  guard.number("min_prefix4", c.guard.min_bits4, 8, 32);
  guard.number("min_prefix6", c.guard.min_bits6, 16, 128);
  guard.number("min_confidence", c.guard.min_confidence, 0, 100);
  guard.number("wrong_percent", c.guard.wrong_percent, 0, 100);
  guard.number("names_per_address", c.guard.names_per_address, 1, 1'000'000);
  guard.number("leases_per_minute", c.guard.leases_per_minute, 0, 10'000'000);
  guard.number("leases_per_partner_hour", c.guard.leases_per_partner_hour, 0, 10'000'000);
  guard.number("max_leases", c.guard.max_entries, 0, 1'000'000);
  guard.finish(error);

  Reader leases(file, "leases");
  leases.duration("ttl", c.ttl_us, 1'000'000);
  leases.duration("name_ttl", c.name_ttl_us, 1'000'000);
  leases.finish(error);

  Reader sightings(file, "sightings");
  sightings.duration("interval", c.sighting_interval_us, 100'000);
  sightings.text("tlp", c.sighting_tlp);
  sightings.text("created_by", c.created_by);
  sightings.number("queue", c.sighting_queue, 1, 10'000'000);
  sightings.duration("round_time", c.sighting_grain_us, 0);
  sightings.number("count_digits", c.sighting_digits, 0, 9);
  sightings.finish(error);

  Reader history(file, "history");
  history.duration("keep", c.history_us, 0);
  uint64_t mib = c.history_bytes >> 20U;
  history.number("max_mib", mib, 1, 1 << 24);
  c.history_bytes = mib << 20U;
  history.finish(error);
  if (error) return *error;

  if (mode == "block") {
    c.guard.mode = enforce::Mode::kBlock;
  } else if (mode != "monitor") {
    return invalid("[sensor] mode must be monitor or block");
  }
  if (c.exercise && (c.guard.mode == enforce::Mode::kBlock || (c.enforcer != "nft" && c.enforcer != "none") || c.rpz))
    return invalid("[sensor] exercise = true goes with mode = \"monitor\" and enforcer nft or none alone", {},
                   "an exercise counts in a table of its own, and never touches XDP, resolvers or live blocks");
  static const std::set<std::string_view> kEnforcers{"nft", "xdp", "both", "none"}, kModes{"auto", "native", "generic"};
  if (!kEnforcers.contains(c.enforcer)) return invalid("[sensor] enforcer must be nft, xdp, both or none");
  if (!kModes.contains(c.xdp_mode)) return invalid("[sensor] xdp_mode must be auto, native or generic");
  if ((c.enforcer == "xdp" || c.enforcer == "both") && c.interfaces.empty())
    return invalid("[sensor] enforcer = \"" + c.enforcer + "\" needs interfaces");
  static const std::set<std::string_view> kCaptures{"ring", "af_xdp", "af_xdp or ring"};
  if (!kCaptures.contains(c.capture)) return invalid("[sensor] capture must be ring, af_xdp or \"af_xdp or ring\"");
  if (c.capture == "af_xdp" && (c.enforcer == "xdp" || c.enforcer == "both")) {
    return invalid("[sensor] capture = \"af_xdp\" takes packets from the interfaces on which enforcer = \"" +
                       c.enforcer + "\" has to judge them",
                   {}, "one sensor for a mirror port (af_xdp), another for what it protects; or capture = \"ring\"");
  }
  if (at_stop != "keep" && at_stop != "clear") return invalid("[sensor] at_stop must be keep or clear");
  c.clear_at_stop = at_stop == "clear";
  if (promote != "rule" && promote != "person") return invalid("[guard] shadow_promote must be rule or person");
  c.trials.by_rule = promote == "rule";
  if (!shadow_for.empty() && shadow_for != "uncleared" && shadow_for != "all")
    return invalid("[guard] shadow_for must be uncleared or all");
  // Who asks for a time and not for whom means everybody, as before there were two.
  c.trials.all = shadow_for == "all" || (shadow_for.empty() && shadow_us >= 0);
  if (shadow_us >= 0) c.trials.first_us = shadow_us;
  if (c.state_dir.empty())
    return invalid("[sensor] state_dir is missing", {}, "name a folder for what the sensor has to remember");
  if (c.url.empty()) return invalid("[node] url is missing");
  const bool plain = c.url.starts_with("http://");
  if (!plain && c.spki.empty())
    return invalid("[node] spki is missing", {}, "pin the node's key: `entente node status` shows it");
  for (const std::string& pin : c.spki) {
    if (pin.size() != 64 || !unhex(pin).ok()) return invalid("[node] spki must be 64 hex digits");
  }
  if (!c.root.starts_with('/') || !c.root.ends_with('/')) return invalid("[node] root must begin and end with /");
  if (c.sighting_tlp != "same" && !stix::parse_tlp(c.sighting_tlp))
    return invalid("[sightings] tlp must be clear, green, amber, amber+strict or same");
  for (const std::string& target : c.protected_targets) {
    if (const auto t = enforce::parse_target(target); !t.ok()) return t.error().at("[guard] protected");
  }
  for (const std::string& place : c.log_listen) {
    if (const auto at = parse_listen_at(place); !at.ok()) return at.error().at("[logs] listen");
  }
  if (c.bgp && (c.bgp_options.peer.empty() || c.bgp_options.local_as == 0 || c.bgp_options.peer_as == 0 ||
                c.bgp_options.router_id.empty()))
    return invalid("[bgp] is not complete", {}, "name peer, local_as, peer_as and router_id");
  if (!communities.empty()) c.bgp_options.communities.clear();
  for (const std::string& community_text : communities) {
    TRY(const uint32_t community, parse_community(community_text));
    c.bgp_options.communities.push_back(community);
  }
  for (const std::string& form : c.export_forms) {
    if (const auto wish = parse_export_wish(form); !wish.ok()) return wish.error().at("[export] forms");
  }
  if (file.contains("export") && c.export_forms.empty())
    return invalid("[export] forms is missing", {}, "name some of text, csv, zeek, suricata, rpz, nft");
  if (!c.export_forms.empty() && c.export_dir.empty() && c.export_listen.empty())
    return invalid("[export] leads nowhere", {}, "name dir, or listen, or both");
  for (const std::string& sender : from) {
    auto prefix = enforce::parse_prefix(sender);
    if (!prefix.ok()) return prefix.error().at("[logs] from");
    c.log_from.push_back(*prefix);
  }
  const auto absolute = [&](std::string& path) {
    if (!path.empty() && !path.starts_with('/')) path = (std::filesystem::path(folder) / path).string();
  };
  absolute(c.token_file);
  absolute(c.rpz_key_file);
  absolute(c.rpz_options.file);
  absolute(c.bgp_password_file);
  absolute(c.export_dir);
  absolute(c.export_cert);
  absolute(c.export_key);
  absolute(c.export_token_file);
  absolute(c.state_dir);
  for (std::string& path : c.allow_lists) absolute(path);
  for (std::string& path : c.service_registers) absolute(path);
  for (std::string& path : c.log_files) absolute(path);
  return c;
}

Result<SensorConfig> load_sensor_config(const std::string& path) {
  TRY(const std::string text, PosixFiles().read(path));
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  auto config = parse_sensor_config(text, folder);
  if (!config.ok()) return config.error().at(path);
  return config;
}

std::string sensor_config_example() {
  return R"(# Configuration of an entente sensor. Durations are ISO 8601; paths are relative to this file.

[node]
url = "https://127.0.0.1:8443"
spki = ["0000000000000000000000000000000000000000000000000000000000000000"]   # the node's key, nothing else is trusted
token_file = "sensor.token"     # a token of the role `sensor`
root = "/local/"
sightings = "sightings"         # collection that gets what was seen; "" = none

[sensor]
#exercise = true                # follows a node of 'entente exercise new': counts in a table of its own, drops nothing
mode = "monitor"                # monitor: count only; block: the agreement may order drops
enforcer = "nft"                # nft | xdp | both (xdp, and nft for what this machine sends) | none
xdp_mode = "auto"               # auto: native where the driver can, else generic | native | generic
pin_dir = "/sys/fs/bpf/entente" # where XDP keeps what it holds; one per sensor
xdp_capacity = 1000000          # addresses per family
hold = "PT5M"                   # xdp: everything passes when the sensor has been away so long
at_stop = "keep"                # keep: what is in force holds over a restart | clear
interfaces = ["eth0"]
capture = "ring"                # ring: copies of packets, on any interface | af_xdp: takes them off a mirror port, faster |
                                # "af_xdp or ring": the second where the first cannot
state_dir = "state"
collections = ["received"]      # "received": all that came from partners; others of the root by alias or id
wait_seconds = 30               # long poll
refresh = "PT5S"                # state of agreements

# What is already recorded: Zeek (TSV, JSON), Suricata EVE, query logs of BIND and Unbound, other JSON lines, plain text.
#[logs]
#files = ["/var/log/zeek/dns.log", "/var/log/suricata/eve.json"]     # followed over rotation and restarts
#listen = ["udp:127.0.0.1:5514", "tcp:127.0.0.1:5514", "unix:/run/entente/log.sock",   # syslog, lines; NetFlow, IPFIX over UDP
#          "dnstap:/run/entente/dnstap.sock"]   # BIND, Unbound and others; also dnstap:ADDRESS:PORT
#from = ["10.20.0.0/16"]         # who may send; empty: this machine only. Datagrams can be forged: give them a network of their own

# Names are blocked at resolvers, which hold the zone as secondaries of this sensor. Without this table a name blocks only
# the addresses it is seen to resolve to.
#[rpz]
#zone = "rpz.entente"
#listen = "127.0.0.1:5354"      # UDP and TCP
#secondaries = ["192.0.2.53:53"]             # get NOTIFY; transfers only to these addresses, signed
#unsigned_secondaries = ["192.0.2.54:53"]    # resolvers that cannot sign (Unbound 1.17)
#key_file = "rpz.key"           # hmac-sha256:NAME:BASE64, as dig -y takes it
#garden = ""                    # blocked names lead to this name; "" = they do not exist
#file = ""                      # the zone as a file too, for resolvers that transfer nothing (Knot Resolver)
#ttl_seconds = 5
#capacity = 1000000

# What is in force, for other programs: files that are replaced whole, and the same over HTTP(S) with ETags.
#[export]
#forms = ["text", "zeek", "suricata", "nft:20000", "csv"]   # also rpz; behind the colon: most values (100000)
#dir = "/var/lib/entente/exports"   # with manifest.json: what is there, what was left out, until when to use it
#listen = "127.0.0.1:8480"          # on other addresses with cert, key and token_file only
#cert = ""
#key = ""
#token_file = "export.token"        # a bearer token, or the password of any user; one line, not readable by others
#with_counting = false              # csv and zeek also with what is only counted

# Routers drop what a person lets them have, lease by lease (entente lease announce), by a session with one BGP neighbour.
#[bgp]
#peer = "192.0.2.1:179"
#local_as = 64512
#peer_as = 64513
#router_id = "192.0.2.9"
#source = ""                     # address to connect from
#password_file = ""              # TCP MD5, one line, not readable by others
#communities = ["blackhole", "no-export"]   # also AS:NUMBER
#next_hop4 = "192.0.2.1"         # what routers send nowhere
#next_hop6 = "100::1"
#max_rules = 100                 # a route is one, a flow specification two: tables of routers are small

[guard]
allow_lists = []                # files: one address, range or name a line, or MISP warning lists
protected = []                  # own and partners' addresses and names
service_registers = []          # files: critical services and what they depend on (docs/format/service-register.md)
protect_surroundings = true     # this machine's addresses, gateways and resolvers
min_prefix4 = 24                # nothing wider is blocked
min_prefix6 = 48
min_confidence = 0              # beside what the agreement demands
wrong_percent = 10              # of a source's leases before did harm or were withdrawn (3 at least): a person decides
names_per_address = 10          # above: a person decides
clients_per_target = 50         # used by more clients than this in the last days: a person decides
clients_days = 7
shadow_first = "P1D"            # a new source, or a new kind of target of it, only counts so long; then its leases are short
                                # (name_ttl) for as long again. "PT0S": no shadow runs
shadow_for = "uncleared"        # what no agreement and nobody of ours has cleared: ranges and "all below NAME" of partners, and
                                # feeds (made by another identity than created_by) | all: partners' single addresses and
                                # names too. shadow_first without it means all
shadow_promote = "rule"         # rule: then it blocks, if it met nothing protected and few clients | person
shadow_clients = 50             # it would have stopped more than this: a person decides
shadow_flows = 0                # and it must have met so many flows
harm_signals = 3                # so many leases of one batch that did harm lift the whole batch (of a small one: a tenth)
harm_clients = 50               # more clients stopped by one lease, and four times those known before: harm
leases_per_minute = 2000        # above: a person decides
leases_per_partner_hour = 5000
max_leases = 100000

[leases]
ttl = "PT1H"                    # ends unless renewed; renewed while indicator and agreement hold and the node is in reach
name_ttl = "PT10M"              # of an address that a name led to

[sightings]
interval = "PT1M"
tlp = "amber"                   # or "same" as the indicator
created_by = ""                 # identity--…
queue = 10000
round_time = "PT0S"             # times are rounded down to this: "PT1H" gives the hour only
count_digits = 0                # counts are rounded down to so many digits: 1 makes 300 of 347; 0 = exact

[history]
keep = "P30D"                   # what was seen, for indicators that come later; "PT0S": nothing is kept
max_mib = 8192                  # on disk; the oldest goes first
)";
}

}  // namespace entente::sensor
