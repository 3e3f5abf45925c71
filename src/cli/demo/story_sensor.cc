// Steps 5 and 6: the sensor, people who browse, shared to blocked, sightings, recall.
#include <algorithm>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/files.h"
#include "cli/demo/story.h"
#include "cli/internal/lists.h"
#include "cli/internal/table.h"
#include "exchange/names.h"
#include "json/node.h"

namespace entente::cli::demo {

namespace {

constexpr uint16_t kStreamPort = 4500;
constexpr int64_t kPacketEveryUs = 500;
constexpr uint64_t kLostInARow = 80;  // 40 ms of packets: then the block is there, and the last to arrive is known

// Where the names of the demo lead to. 203.0.113.53 is the resolver.
std::string server_address(int i) { return fmt::format("203.0.113.{}", 60 + i); }
std::string trial_address(int i) { return fmt::format("203.0.113.{}", 120 + i); }
constexpr int kLooked = 5;    // names that are looked up and then visited
constexpr int kTls = 5;       // index of the name that is visited by TLS without a lookup
constexpr int kHttp = 6;      // the same by HTTP
constexpr int kAllowed = 7;   // shared, and on India's allow-list
constexpr int kInnocent = 8;  // shared by nobody
constexpr const char* kInnocentName = "weather.example";

std::string text_of(const json::Value& v, std::string_view name) {
  return std::string(json::find_string(v, name).value_or(""));
}

std::string id_of(const std::string& object) {
  const auto doc = json::parse(object);
  return doc.ok() ? text_of(doc->root(), "id") : std::string();
}

}  // namespace

Result<std::vector<Story::Event>> Story::events() {
  std::vector<Event> out;
  PosixFiles files;
  const auto text = files.read((folder_ / "sensor/state/events.jsonl").string());
  if (!text.ok()) return out;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const size_t eol = rest.find('\n');
    if (eol == std::string_view::npos) break;  // being written
    const auto doc = json::parse(rest.substr(0, eol));
    rest.remove_prefix(eol + 1);
    if (!doc.ok()) continue;
    const json::Value v = doc->root();
    Event e;
    e.kind = text_of(v, "event");
    e.indicator = text_of(v, "indicator");
    e.target = text_of(v, "target");
    e.value = text_of(v, "value");
    e.field = text_of(v, "field");
    e.via_name = text_of(v, "via_name");
    e.why = text_of(v, e.kind == "guard_refused" ? "code" : "ended_by");
    e.sentence = text_of(v, "sentence");
    out.push_back(std::move(e));
  }
  return out;
}

Status Story::start_sensor() {
  TRY(servers_, Servers::start(lab_->server()));
  TRY(stream_, Stream::open(lab_->client(), lab_->server(), kStreamPort));
  for (int i = 0; i <= kAllowed; ++i) servers_->name(names_[static_cast<size_t>(i)], server_address(i));
  servers_->name(kInnocentName, server_address(kInnocent));

  PosixFiles files;
  const std::string dir = (folder_ / "sensor").string();
  CHECK_OK(files.make_dirs(dir));
  TRY(const auto token, command({"token", "new", "sensor-1", "--role", "sensor", "--days", "1", "--dir", india_.dir}));
  CHECK_OK(files.write_atomic(dir + "/sensor.token", text_of(token.root(), "token") + "\n", 0600));
  CHECK_OK(files.write_atomic(dir + "/allow.txt",
                              "# India does not block these, whoever shares them\n" + names_[kAllowed] + "\n", 0644));
  TRY(const std::string spki, net::certificate_spki(india_.dir + "/keys/tls.crt"));
  CHECK_OK(files.write_atomic(
      dir + "/sensor.toml",
      fmt::format("[node]\nurl = \"https://{}\"\nspki = [\"{}\"]\ntoken_file = \"sensor.token\"\n\n"
                  "[sensor]\nmode = \"block\"\nenforcer = \"nft\"\ninterfaces = [\"lan\"]\nstate_dir = "
                  "\"state\"\nat_stop = \"clear\"\n\n"
                  "[guard]\nallow_lists = [\"allow.txt\"]\n\n[sightings]\ninterval = \"PT1M\"\ntlp = "
                  "\"amber\"\ncreated_by = \"{}\"\n",
                  india_.listen, spki, india_.identity),
      0644));
  TRY(sensor_, Child::start({own_program(), "-q", "sensor", "run", "--config", dir + "/sensor.toml"},
                            dir + "/sensor.out", dir + "/sensor.err", lab_->gateway()));
  uint64_t indicators = 0;
  const uint64_t expected = names_.size();  // all but the delicate ones, at least
  CHECK_OK(until("the sensor to hold the indicators", 30'000, [&]() -> Result<bool> {
    if (!sensor_.running()) {
      const auto why = files.read(dir + "/sensor.err");
      return make_error(ErrorKind::kInternal, "the sensor ended by itself: " + printable(why.ok() ? *why : "", 400));
    }
    const auto text = files.read(dir + "/state/status.json");
    if (!text.ok()) return false;
    const auto doc = json::parse(*text);
    if (!doc.ok()) return false;
    indicators = static_cast<uint64_t>(json::find_int(doc->root(), "indicators").value_or(0));
    return indicators >= expected;
  }));
  figures.indicators_in_sensor = indicators;
  note(fmt::format("sensor in the gateway between client and servers, mode block, {} indicators", grouped(indicators)));
  return {};
}

Status Story::lease_on(const std::string& address, const char* what) {
  return until(fmt::format("a lease on {} ({})", address, what), 5'000,
               [&]() -> Result<bool> { return lab_->blocked(address); });
}

Status Story::browse() {
  int reached_before = 0;
  // A client looks up shared names; the answers pass the sensor; what they lead to is blocked.
  for (int i = 0; i < kLooked; ++i) {
    const auto answer = ask_dns(lab_->client(), names_[static_cast<size_t>(i)]);
    if (!answer)
      return make_error(ErrorKind::kInternal, "the demo's resolver did not answer", names_[static_cast<size_t>(i)]);
  }
  for (int i = 0; i < kLooked; ++i) CHECK_OK(lease_on(server_address(i), "looked up"));
  int reached = 0;
  for (int i = 0; i < kLooked; ++i)
    reached += say_hello(lab_->client(), server_address(i), names_[static_cast<size_t>(i)], 150) ? 1 : 0;
  note(fmt::format("{} names looked up, {} addresses leased, {} of {} visits got through", kLooked, kLooked, reached,
                   kLooked));
  if (reached != 0) return make_error(ErrorKind::kInternal, "a leased address was reached");
  // Without a lookup the first packets tell the name.
  reached_before += say_hello(lab_->client(), server_address(kTls), names_[kTls]) ? 1 : 0;
  CHECK_OK(lease_on(server_address(kTls), "TLS server name"));
  reached_before += get_page(lab_->client(), server_address(kHttp), names_[kHttp]) ? 1 : 0;
  CHECK_OK(lease_on(server_address(kHttp), "HTTP host"));
  reached = (say_hello(lab_->client(), server_address(kTls), names_[kTls], 150) ? 1 : 0) +
            (get_page(lab_->client(), server_address(kHttp), names_[kHttp], 150) ? 1 : 0);
  note(fmt::format("visited without a lookup (TLS server name, HTTP host): first {} of 2 got through, then {}",
                   reached_before, reached));
  if (reached != 0) return make_error(ErrorKind::kInternal, "a leased address was reached");
  // The allow-list wins over what a partner shares.
  (void)ask_dns(lab_->client(), names_[kAllowed]);
  bool allowed = say_hello(lab_->client(), server_address(kAllowed), names_[kAllowed]);
  std::string sentence;
  CHECK_OK(until("the guard's verdict on the allow-listed name", 5'000, [&]() -> Result<bool> {
    TRY(const auto seen, events());
    for (const Event& e : seen) {
      if (e.kind == "guard_refused" && e.target == server_address(kAllowed)) sentence = e.sentence;
    }
    return !sentence.empty();
  }));
  allowed = allowed && say_hello(lab_->client(), server_address(kAllowed), names_[kAllowed]);
  TRY(const bool in_set, lab_->blocked(server_address(kAllowed)));
  figures.allowlisted_not_blocked = allowed && !in_set;
  note(fmt::format("{} is shared, but on India's allow-list: {} ({})", names_[kAllowed],
                   allowed ? "reached" : "NOT reached", sentence));
  const auto where = ask_dns(lab_->client(), kInnocentName);
  figures.unshared_not_blocked =
      where && say_hello(lab_->client(), *where, kInnocentName) && get_page(lab_->client(), *where, kInnocentName);
  return {};
}

Status Story::share_and_block() {
  ListOptions list;
  list.as = "addresses";
  list.creator = japan_.identity;
  for (int i = 0; i < options_.trials; ++i) {
    const std::string address = trial_address(i);
    list.at = clock_.now();
    TRY(const std::string object, indicator_for(address, list));
    stream_->start(address, kPacketEveryUs);
    CHECK_OK(until("packets to flow to " + address, 2'000, [&]() -> Result<bool> { return stream_->arrived() >= 10; }));
    const int64_t shared_us = steady_now_us();
    TRY(const auto status, japan_.api->taxii().add("/local/", "inbox", {object}));
    if (status.success != 1) return make_error(ErrorKind::kInternal, "an indicator was not admitted", address);
    ++figures.published;
    CHECK_OK(until("packets to " + address + " to be dropped", 10'000,
                   [&]() -> Result<bool> { return stream_->lost_in_a_row() >= kLostInARow; }));
    stream_->stop();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const auto silent = stream_->silent_since();
    if (!silent) return make_error(ErrorKind::kInternal, "a packet arrived after the block", address);
    figures.shared_to_blocked_ms.push_back(static_cast<double>(*silent - shared_us) / 1000.0);
    if (i == 0) {
      address_ = address;
      address_indicator_ = id_of(object);
    }
  }
  note(fmt::format(
      "{} addresses shared by Japan while packets flowed to them (one each 0.5 ms): from Japan's post to the first "
      "packet "
      "that no longer arrived p50 {:.1f} ms, longest {:.1f} ms",
      options_.trials, percentile(figures.shared_to_blocked_ms, 50), percentile(figures.shared_to_blocked_ms, 100)));
  TRY(figures.received, received_by_india());
  TRY(figures.packets_dropped, lab_->dropped_packets());
  uint64_t detected = 0;
  uint64_t leased = 0;
  TRY(const auto seen, events());
  for (const Event& e : seen) {
    detected += e.kind == "detection" ? 1 : 0;
    leased += e.kind == "lease_applied" ? 1 : 0;
  }
  figures.detected = detected;
  figures.leased = leased;
  note(fmt::format("{} detections, {} leases, {} packets dropped by the kernel", detected, leased,
                   grouped(*figures.packets_dropped)));
  return {};
}

Status Story::sightings_return() {
  TRY(const auto seen, events());
  std::set<std::string> expected;
  for (const Event& e : seen) {
    if (e.kind == "detection") expected.insert(e.indicator);
  }
  uint64_t sightings = 0;
  size_t covered = 0;
  CHECK_OK(until("the sightings at Japan", 20'000, [&]() -> Result<bool> {
    std::set<std::string> told;
    sightings = 0;
    taxii::Client::Get get;
    get.types = {"sighting"};
    get.limit = 1000;
    while (true) {
      auto page = japan_.api->taxii().objects("/local/", exchange::received_alias("IN", agreement_), get);
      if (!page.ok()) return page.error();
      for (const std::string_view raw : (*page)->objects) {
        const auto doc = json::parse(raw);
        if (!doc.ok()) continue;
        ++sightings;
        told.insert(text_of(doc->root(), "sighting_of_ref"));
      }
      if (!(*page)->more) break;
      get.next = (*page)->next;
    }
    covered = static_cast<size_t>(
        std::count_if(expected.begin(), expected.end(), [&](const std::string& id) { return told.contains(id); }));
    return !expected.empty() && covered == expected.size();
  }));
  figures.sightings_returned = sightings;
  note(fmt::format("{} sightings are back at Japan, for all {} indicators that were seen", sightings, covered));
  return {};
}

Status Story::recall() {
  const std::string id = lab_ ? address_indicator_ : id_of(early_);
  if (lab_) {
    stream_->start(address_, kPacketEveryUs);
    CHECK_OK(until("packets to be sent", 2'000, [&]() -> Result<bool> { return stream_->sent() > 40; }));
    if (stream_->arrived() > 0) return make_error(ErrorKind::kInternal, "the block ended before the recall", address_);
  }
  const int64_t recalled_us = steady_now_us();
  json::Node body = json::Node::object();
  body.set("ids", json::Node(json::Node::List{json::Node(id)})).set("reason", "false positive");
  TRY(const json::Document done, japan_.api->post("/api/v1/recall", json::write(body)));
  const auto list = json::find_array(done.root(), "recalled");
  if (!list || list->size() != 1)
    return make_error(ErrorKind::kInternal, "the recall was refused: " + json::write(json::Node::from(done.root())));
  if (lab_) {
    CHECK_OK(until("packets to pass again", 10'000, [&]() -> Result<bool> { return stream_->arrived() > 0; }));
    figures.recall_to_open_ms = static_cast<double>(stream_->first_arrival_us() - recalled_us) / 1000.0;
    stream_->stop();
    bool ended = false;
    CHECK_OK(until("the lease's end", 5'000, [&]() -> Result<bool> {
      TRY(const auto seen, events());
      for (const Event& e : seen) ended = ended || (e.kind == "lease_ended" && e.target == address_);
      return ended;
    }));
    TRY(const bool still, lab_->blocked(address_));
    figures.recalled_lease_gone = ended && !still;
  }
  CHECK_OK(until("the recall at India", 10'000, [&]() -> Result<bool> {
    const auto r = india_.api->taxii().get(
        "/local/collections/" + exchange::received_alias("JP", agreement_) + "/objects/" + id + "/",
        "application/taxii+json;version=2.1");
    if (!r.ok()) return r.error();
    return r->body.find("\"revoked\":true") != std::string::npos;
  }));
  figures.recall_arrived = true;
  note(lab_ ? fmt::format("Japan recalled the indicator of {}: its lease is gone, packets pass again after {:.1f} ms",
                          address_, *figures.recall_to_open_ms)
            : "Japan recalled an indicator: India has it as revoked");
  return {};
}

Status Story::stop_sensor() {
  // What was dropped until the end, before the table goes.
  TRY(figures.packets_dropped, lab_->dropped_packets());
  const int status = sensor_.stop();
  TRY(const std::string left, lab_->table());
  figures.table_removed = status == 0 && left.empty();
  note(fmt::format("the sensor is stopped: {}",
                   left.empty() ? "its table is gone from the kernel" : "ITS TABLE IS STILL IN THE KERNEL"));
  return {};
}

}  // namespace entente::cli::demo
