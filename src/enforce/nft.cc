#include "enforce/nft.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nftables/libnftables.h>

#include "base/bytes.h"
#include "json/json.h"

namespace entente::enforce {

struct NftEnforcer::State {
  NftOptions options;
  nft_ctx* context = nullptr;
  std::map<Prefix, Element> ranges;  // of all four interval sets
  bool started = false;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (context != nullptr) nft_ctx_free(context);
  }

  Status run(const std::string& commands) {
    if (nft_run_cmd_from_buffer(context, commands.c_str()) == 0) return {};
    const char* text = nft_ctx_get_error_buffer(context);
    std::string why = printable(text != nullptr ? text : "", 300);
    const bool denied = why.find("not permitted") != std::string::npos;
    return make_error(denied ? ErrorKind::kDenied : ErrorKind::kIo, "nftables refused: " + why,
                      "table inet " + options.table, denied ? "run as root or with CAP_NET_ADMIN" : "");
  }

  Result<std::string> ask(const std::string& command) {
    nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_JSON);
    auto status = run(command);
    const char* output = nft_ctx_get_output_buffer(context);
    std::string text = output != nullptr ? output : "";
    nft_ctx_output_set_flags(context, 0);
    if (!status.ok()) return std::move(status).error();
    return text;
  }
};

namespace {

// block4 watch4 block6 watch6, and with "net" the interval sets.
std::string set_of(const Element& e) {
  return fmt::format("{}{}{}", e.drop ? "block" : "watch", e.prefix.single() ? "" : "net", e.prefix.v6 ? '6' : '4');
}

// The kernel's own end of an element. At least a millisecond: a time-out of zero would mean for ever.
std::string described(const Element& e, Time now) {
  const int64_t ms = std::max<int64_t>(1, (e.end.us - now.us + 999) / 1000);
  constexpr int64_t kTenYears = 10LL * 366 * 86400 * 1000;
  return fmt::format("{} timeout {}ms", e.prefix.text(), std::min(ms, kTenYears));
}

void add_elements(std::string& out, const std::string& verb, const std::string& table, const std::string& set,
                  const std::vector<std::string>& elements) {
  constexpr size_t kPerCommand = 2000;
  for (size_t i = 0; i < elements.size(); i += kPerCommand) {
    const auto end = elements.begin() + static_cast<std::ptrdiff_t>(std::min(elements.size(), i + kPerCommand));
    out += fmt::format("{} element inet {} {} {{ {} }}\n", verb, table, set,
                       fmt::join(elements.begin() + static_cast<std::ptrdiff_t>(i), end, ", "));
  }
}

// The sets and rules. Each address is judged alone: an allowed source does not excuse a blocked destination, since
// every packet has one address of ours, and ours are in the allow sets.
std::string skeleton(const NftOptions& o) {
  std::string out = fmt::format("add table inet {0}\ndelete table inet {0}\nadd table inet {0}\n", o.table);
  out += fmt::format("add counter inet {0} dropped\nadd counter inet {0} shadow\n", o.table);
  for (const char v : {'4', '6'}) {
    out += fmt::format("add set inet {0} allow{1} {{ type ipv{1}_addr; flags interval; }}\n", o.table, v);
    for (const char* kind : {"block", "watch"}) {
      out += fmt::format("add set inet {0} {2}{1} {{ type ipv{1}_addr; flags timeout; counter; size {3}; }}\n", o.table,
                         v, kind, o.capacity);
      out += fmt::format("add set inet {0} {2}net{1} {{ type ipv{1}_addr; flags interval, timeout; counter; }}\n",
                         o.table, v, kind);
    }
  }
  out += fmt::format("add chain inet {0} judge\n", o.table);
  for (const char v : {'4', '6'}) {
    const char* ip = v == '4' ? "ip" : "ip6";
    for (const char* side : {"saddr", "daddr"}) {
      for (const char* net : {"", "net"}) {
        out += fmt::format(
            "add rule inet {0} judge {1} {2} != @allow{3} {1} {2} @block{4}{3} counter name \"dropped\"{5}\n", o.table,
            ip, side, v, net, o.drops ? " drop" : "");
        out +=
            fmt::format("add rule inet {0} judge {1} {2} != @allow{3} {1} {2} @watch{4}{3} counter name \"shadow\"\n",
                        o.table, ip, side, v, net);
      }
    }
  }
  // Prerouting sees what comes in or through, output what we send: each packet once. -150: after connection tracking,
  // before everybody's filters.
  out += fmt::format("add chain inet {0} incoming {{ type filter hook prerouting priority -150; policy accept; }}\n",
                     o.table);
  out +=
      fmt::format("add rule inet {0} incoming iifname \"lo\" accept\nadd rule inet {0} incoming jump judge\n", o.table);
  out +=
      fmt::format("add chain inet {0} outgoing {{ type filter hook output priority -150; policy accept; }}\n", o.table);
  out += fmt::format("add rule inet {0} outgoing jump judge\n", o.table);
  return out;
}

// Interval sets take no overlaps: what lies inside a range of the same set that ends later is covered by it.
std::map<std::string, std::vector<std::string>> by_interval_set(const std::map<Prefix, Element>& ranges, Time now) {
  std::map<std::string, std::vector<std::string>> out;
  for (const char* set : {"blocknet4", "watchnet4", "blocknet6", "watchnet6"}) out[set];
  std::map<std::string, Element> outer;
  for (const auto& [prefix, element] : ranges) {  // in order: the container comes first
    if (element.end <= now) continue;
    const std::string set = set_of(element);
    const auto it = outer.find(set);
    if (it != outer.end() && it->second.prefix.contains(prefix)) continue;
    outer[set] = element;
    out[set].push_back(described(element, now));
  }
  return out;
}

}  // namespace

NftEnforcer::NftEnforcer(std::unique_ptr<State> state) : state_(std::move(state)) {}
NftEnforcer::~NftEnforcer() = default;
size_t NftEnforcer::capacity() const { return state_->options.capacity; }
size_t NftEnforcer::range_capacity() const { return state_->options.range_capacity; }

Result<std::unique_ptr<NftEnforcer>> NftEnforcer::open(NftOptions options) {
  if (options.table.empty() ||
      options.table.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) {
    return invalid("no name for a table: \"" + printable(options.table, 40) + "\"", {},
                   "use lower-case letters, digits and _");
  }
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  state->context = nft_ctx_new(NFT_CTX_DEFAULT);
  if (state->context == nullptr) return make_error(ErrorKind::kUnsupported, "libnftables cannot be opened");
  nft_ctx_buffer_output(state->context);
  nft_ctx_buffer_error(state->context);
  // Asks before anything is changed, so that a missing right shows here.
  CHECK_OK(state->run(fmt::format("add table inet {}\n", state->options.table)));
  return std::unique_ptr<NftEnforcer>(new NftEnforcer(std::move(state)));
}

Status NftEnforcer::start(const std::vector<Prefix>& allow, const std::vector<Element>& elements, Time now) {
  const std::string& table = state_->options.table;
  std::string commands = skeleton(state_->options);
  std::vector<std::string> allowed4, allowed6;
  for (const Prefix& p : allow) (p.v6 ? allowed6 : allowed4).push_back(p.text());
  add_elements(commands, "add", table, "allow4", allowed4);
  add_elements(commands, "add", table, "allow6", allowed6);
  std::map<std::string, std::vector<std::string>> singles;
  std::map<Prefix, Element> ranges;
  for (const Element& e : elements) {
    if (e.end <= now) continue;
    if (e.prefix.single()) {
      singles[set_of(e)].push_back(described(e, now));
    } else {
      ranges[e.prefix] = e;
    }
  }
  for (const auto& [set, list] : singles) add_elements(commands, "add", table, set, list);
  for (const auto& [set, list] : by_interval_set(ranges, now)) add_elements(commands, "add", table, set, list);
  CHECK_OK(state_->run(commands));
  state_->ranges = std::move(ranges);
  state_->started = true;
  return {};
}

Status NftEnforcer::apply(const Delta& delta, Time now) {
  if (!state_->started) return make_error(ErrorKind::kInternal, "apply before start");
  const std::string& table = state_->options.table;
  std::map<std::string, std::set<std::string>> make_present, remove;  // sets: deleting one twice would be refused
  std::map<std::string, std::vector<std::string>> set;
  std::map<Prefix, Element> ranges = state_->ranges;
  bool ranges_changed = false;
  for (const Element& e : delta.remove) {
    if (e.prefix.single()) {
      make_present[set_of(e)].insert(e.prefix.text() + " timeout 1m");
      remove[set_of(e)].insert(e.prefix.text());
    } else {
      ranges.erase(e.prefix);
      ranges_changed = true;
    }
  }
  for (const Element& e : delta.set) {
    if (e.prefix.single()) {
      make_present[set_of(e)].insert(e.prefix.text() + " timeout 1m");
      remove[set_of(e)].insert(e.prefix.text());
      if (e.end > now) set[set_of(e)].push_back(described(e, now));
    } else {
      ranges[e.prefix] = e;
      ranges_changed = true;
    }
  }
  // Add, delete, add: an element may have ended by itself meanwhile, and deleting what is not there would refuse the
  // whole batch; older kernels do not change the time-out of an element that is there. All is one transaction, so no
  // packet slips through between.
  std::string commands;
  for (const auto& [name, list] : make_present) add_elements(commands, "add", table, name, {list.begin(), list.end()});
  for (const auto& [name, list] : remove) add_elements(commands, "delete", table, name, {list.begin(), list.end()});
  for (const auto& [name, list] : set) add_elements(commands, "add", table, name, list);
  if (ranges_changed) {
    for (const auto& [name, list] : by_interval_set(ranges, now)) {
      commands += fmt::format("flush set inet {} {}\n", table, name);
      add_elements(commands, "add", table, name, list);
    }
  }
  if (commands.empty()) return {};
  CHECK_OK(state_->run(commands));
  state_->ranges = std::move(ranges);
  return {};
}

Result<std::vector<Hits>> NftEnforcer::hits() {
  std::vector<Hits> out;
  if (!state_->started) return out;
  for (const char* set : {"block4", "watch4", "block6", "watch6", "blocknet4", "watchnet4", "blocknet6", "watchnet6"}) {
    // Each question costs a millisecond or more.
    if (state_->ranges.empty() && std::string_view(set).find("net") != std::string_view::npos) continue;
    TRY(const std::string text, state_->ask(fmt::format("list set inet {} {}\n", state_->options.table, set)));
    TRY(const json::Document document, json::parse(text));
    simdjson::dom::array elements;
    // {"nftables":[{"metainfo":…},{"set":{…,"elem":[{"elem":{"val":…,"counter":{"packets":…}}}]}}]}
    if (document.root()["nftables"].at(1)["set"]["elem"].get_array().get(elements) != simdjson::SUCCESS) continue;
    for (const json::Value wrapped : elements) {
      json::Value element;
      if (wrapped["elem"].get(element) != simdjson::SUCCESS) continue;
      std::string prefix_text;
      std::string_view address;
      uint64_t bits = 0;
      if (element["val"].get_string().get(address) == simdjson::SUCCESS) {
        prefix_text = address;
      } else if (element["val"]["prefix"]["addr"].get_string().get(address) == simdjson::SUCCESS &&
                 element["val"]["prefix"]["len"].get_uint64().get(bits) == simdjson::SUCCESS) {
        prefix_text = fmt::format("{}/{}", address, bits);
      } else {
        continue;
      }
      const auto prefix = parse_prefix(prefix_text);
      if (!prefix.ok()) continue;
      Hits h{*prefix, 0, 0};
      if (element["counter"]["packets"].get_uint64().get(h.packets) != simdjson::SUCCESS) continue;
      if (element["counter"]["bytes"].get_uint64().get(h.bytes) != simdjson::SUCCESS) h.bytes = 0;
      out.push_back(h);
    }
  }
  return out;
}

Result<Totals> NftEnforcer::totals() {
  Totals totals;
  if (!state_->started) return totals;
  TRY(const std::string text, state_->ask(fmt::format("list counters table inet {}\n", state_->options.table)));
  TRY(const json::Document document, json::parse(text));
  simdjson::dom::array items;
  if (document.root()["nftables"].get_array().get(items) != simdjson::SUCCESS) return totals;
  for (const json::Value item : items) {
    std::string_view name;
    uint64_t packets = 0, bytes = 0;
    if (item["counter"]["name"].get_string().get(name) != simdjson::SUCCESS ||
        item["counter"]["packets"].get_uint64().get(packets) != simdjson::SUCCESS ||
        item["counter"]["bytes"].get_uint64().get(bytes) != simdjson::SUCCESS) {
      continue;
    }
    if (name == "dropped") {
      totals.dropped_packets = packets;
      totals.dropped_bytes = bytes;
    } else if (name == "shadow") {
      totals.shadow_packets = packets;
      totals.shadow_bytes = bytes;
    }
  }
  return totals;
}

Status NftEnforcer::clear() {
  state_->ranges.clear();
  state_->started = false;
  return state_->run(fmt::format("add table inet {0}\ndelete table inet {0}\n", state_->options.table));
}

}  // namespace entente::enforce
