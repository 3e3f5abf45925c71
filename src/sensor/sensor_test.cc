// The whole sensor: with a node that is a handler, and with real packets in network namespaces of the test's own.
#include "sensor/sensor.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "enforce/nft.h"
#include "enforce/test_namespace.h"
#include "json/json.h"
#include "packet/compose.h"
#include "sensor/world_for_test.h"

namespace entente::sensor {
namespace {

using enforce::in_namespace;
using enforce::kNoNamespace;
using enforce::TestNet;

// As much of a node as a sensor asks for. Long polls are answered when something is added.
class FakeNode {
 public:
  explicit FakeNode(Treaty& treaty) : treaty_(treaty) {}
  net::Handler handler() {
    return [this](net::Request request, net::Reply reply) { answer(std::move(request), std::move(reply)); };
  }
  Connect connect() {
    return [this]() -> Result<std::unique_ptr<net::Client>> { return net::make_local_client(handler(), ""); };
  }
  void add(const std::string& object) {
    std::vector<std::function<void()>> wake;
    {
      const std::lock_guard lock(mutex_);
      objects_.emplace_back(Time{kStart.us + static_cast<int64_t>(objects_.size())}, object);
      wake.swap(waiting_);
    }
    for (auto& w : wake) w();
  }
  std::vector<std::string> sightings() {
    const std::lock_guard lock(mutex_);
    return sightings_;
  }
  std::vector<std::string> reports() {
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  void finish() {  // nobody waits any more
    std::vector<std::function<void()>> wake;
    {
      const std::lock_guard lock(mutex_);
      finished_ = true;
      wake.swap(waiting_);
    }
    for (auto& w : wake) w();
  }

 private:
  void answer(net::Request request, net::Reply reply) {
    EXPECT_EQ(request.header("Authorization"), "Bearer secret");
    if (request.path == "/api/v1/agreements") {
      const std::lock_guard lock(mutex_);
      return reply({200, {{"Content-Type", "application/json"}}, treaty_.api()});
    }
    if (request.path == "/api/v1/peers")
      return reply({200,
                    {{"Content-Type", "application/json"}},
                    R"({"peers":[{"party":"JP","url":"https://192.0.2.200:8443"}]})"});
    if (request.path == "/api/v1/sensors/report") {
      const std::lock_guard lock(mutex_);
      reports_.push_back(request.body);
      return reply({200, {{"Content-Type", "application/json"}}, R"({"taken":true})"});
    }
    if (request.path == "/local/collections/sightings/objects/" && request.method == "POST") {
      const auto document = json::parse(request.body);
      EXPECT_TRUE(document.ok());
      const auto raw = json::split_array(request.body, "objects");
      EXPECT_TRUE(raw.ok());
      {
        const std::lock_guard lock(mutex_);
        for (const auto r : *raw) sightings_.emplace_back(r);
      }
      const std::string n = std::to_string(raw->size());
      return reply({202,
                    {{"Content-Type", "application/taxii+json;version=2.1"}},
                    R"({"id":"2d086da7-4bdc-4f91-900e-d77486753710","status":"complete","total_count":)" + n +
                        R"(,"success_count":)" + n + R"(,"failure_count":0,"pending_count":0})"});
    }
    if (request.path == "/local/collections/" + treaty_.source().collection + "/objects/")
      return page(std::move(request), std::move(reply), true);
    reply({404, {}, "{}"});
  }
  void page(net::Request request, net::Reply reply, bool may_wait) {
    Time after{0};
    const auto query = net::parse_query(request.query);
    for (const auto& [key, value] : *query) {
      if (key == "added_after") after = *parse_time(value);
    }
    std::string body, first, last;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [at, object] : objects_) {
        if (at <= after) continue;
        body += (body.empty() ? "" : ",") + object;
        if (first.empty()) first = to_text(at);
        last = to_text(at);
      }
      if (body.empty() && may_wait && !finished_ && !request.header("Prefer").empty()) {
        waiting_.push_back([this, request, reply]() mutable { page(std::move(request), std::move(reply), false); });
        return;
      }
    }
    net::Response r{200,
                    {{"Content-Type", "application/taxii+json;version=2.1"}},
                    body.empty() ? "{}" : R"({"more":false,"objects":[)" + body + "]}"};
    if (!last.empty()) {
      r.headers.emplace_back("X-TAXII-Date-Added-First", first);
      r.headers.emplace_back("X-TAXII-Date-Added-Last", last);
    }
    reply(std::move(r));
  }
  Treaty& treaty_;
  std::mutex mutex_;
  std::vector<std::pair<Time, std::string>> objects_;
  std::vector<std::function<void()>> waiting_;
  std::vector<std::string> sightings_, reports_;
  bool finished_ = false;
};

template <class F>
bool within(int ms, F condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/entente-sensor-XXXXXX";
    path = mkdtemp(name);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
};

SensorConfig config_in(const Folder& folder) {
  PosixFiles files;
  EXPECT_TRUE(files.write_atomic(folder.path + "/token", "secret\n", 0600).ok());
  EXPECT_TRUE(files.write_atomic(folder.path + "/allow.txt", "bank.example\n", 0644).ok());
  const auto config = parse_sensor_config(R"(
[node]
url = "http://127.0.0.1:1"
token_file = "token"
[sensor]
mode = "block"
enforcer = "none"
state_dir = "state"
wait_seconds = 5
refresh = "PT1S"
[guard]
allow_lists = ["allow.txt"]
[sightings]
interval = "PT1S"
)",
                                          folder.path);
  EXPECT_TRUE(config.ok()) << config.error().text();
  return *config;
}

Treaty treaty_now() { return Treaty(SystemClock().now().plus_us(-3600 * kOneSecond)); }

TEST(Sensor, follows_its_node_and_answers_people) {
  const Folder folder;
  Treaty treaty = treaty_now();
  FakeNode node(treaty);
  node.add(pap_object(kPapGreen, "PAP:GREEN"));
  node.add(Sample{}.text());
  Sensor::Parts parts;
  parts.connect = node.connect();
  const SensorConfig config = config_in(folder);
  auto sensor = Sensor::start(config, std::move(parts));
  ASSERT_TRUE(sensor.ok()) << sensor.error().text();
  ASSERT_TRUE(within(5000, [&] { return (*sensor)->core().leases(false).size() == 1; }));
  const std::string socket = config.state_dir + "/control.sock";
  struct stat info{};
  ASSERT_EQ(stat(socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  auto answer = control(socket, R"({"cmd":"leases"})");
  ASSERT_TRUE(answer.ok()) << answer.error().text();
  EXPECT_THAT(*answer, testing::HasSubstr("198.51.100.7"));
  // The partner's node is protected as soon as it is known.
  node.add(Sample{.number = 2, .pattern = "[ipv4-addr:value = '192.0.2.200']"}.text());
  node.add(Sample{.number = 3, .pattern = "[ipv4-addr:value = '198.51.100.9']"}.text());
  ASSERT_TRUE(within(5000, [&] { return (*sensor)->core().leases(false).size() == 2; }));
  EXPECT_THAT(*control(socket, R"({"cmd":"why","target":"192.0.2.200"})"), testing::HasSubstr("node of JP"));
  // A recall: the lease is gone, and the node hears of it at once.
  node.add(Sample{.number = 3, .version = 2, .revoked = true}.text());
  ASSERT_TRUE(within(5000, [&] {
    const auto all = node.reports();
    return !all.empty() && all.back().find(Sample{.number = 3}.id()) != std::string::npos;
  }));
  EXPECT_EQ((*sensor)->core().leases(false).size(), 1U);
  EXPECT_THAT(node.reports().back(), testing::HasSubstr(R"("leases":1,"also":0)"));
  // One at a time on one state folder.
  Sensor::Parts again;
  again.connect = node.connect();
  const auto second = Sensor::start(config, std::move(again));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
  ASSERT_TRUE(within(5000, [&] { return std::filesystem::exists(config.state_dir + "/status.json"); }));
  node.finish();
  (*sensor)->stop();
  EXPECT_FALSE(control(socket, R"({"cmd":"leases"})").ok());
  const auto status = PosixFiles().read(config.state_dir + "/status.json");
  ASSERT_TRUE(status.ok());
  EXPECT_TRUE(json::parse(*status).ok());
}

TEST(Sensor, a_line_of_a_log_becomes_a_lease_a_sighting_and_a_figure) {
  const Folder folder;
  Treaty treaty = treaty_now();
  FakeNode node(treaty);
  node.add(pap_object(kPapGreen, "PAP:GREEN"));
  node.add(Sample{.pattern = "[domain-name:value = 'evil.example']"}.text());
  Sensor::Parts parts;
  parts.connect = node.connect();
  SensorConfig config = config_in(folder);
  config.log_files = {folder.path + "/dns.log"};
  config.log_listen = {"unixgram:" + folder.path + "/log"};
  auto sensor = Sensor::start(config, std::move(parts));
  ASSERT_TRUE(sensor.ok()) << sensor.error().text();
  ASSERT_TRUE(within(5000, [&] { return (*sensor)->core().live().size() == 1; }));
  PosixFiles files;
  const std::string line = R"({"ts":")" + to_text(SystemClock().now()) +
                           R"(","id.orig_h":"10.0.0.5","query":"evil.example","answers":["198.51.100.80"]})" + "\n";
  ASSERT_TRUE(files.write_atomic(folder.path + "/dns.log", line, 0644).ok());
  ASSERT_TRUE(within(5000, [&] { return (*sensor)->core().leases(false).size() == 1; }));
  EXPECT_EQ((*sensor)->core().leases(false)[0].target.text(), "198.51.100.80");
  ASSERT_TRUE(within(5000, [&] { return !node.sightings().empty(); }));
  EXPECT_THAT((*sensor)->status_text(), testing::HasSubstr(R"("logs":[{"log":"files","files":1,"lines":1)"));
  EXPECT_THAT((*sensor)->status_text(), testing::HasSubstr("/log\",\"lines\":0"));
  node.finish();
  (*sensor)->stop();
}

TEST(Sensor, configuration_errors_are_said_with_their_place) {
  for (const char* bad :
       {"", "[node]\nurl=7", "[sensr]\n", "[node]\nurl=\"https://x\"\n[sensor]\nstate_dir=\"s\"\n",
        "[node]\nurl=\"http://127.0.0.1:1\"\n[sensor]\nstate_dir=\"s\"\nmode=\"blok\"\n",
        "[node]\nurl=\"http://127.0.0.1:1\"\n[sensor]\nstate_dir=\"s\"\nmodus=\"block\"\n", "[node\n",
        "[node]\nurl=\"http://127.0.0.1:1\"\n[sensor]\nstate_dir=\"s\"\n[logs]\nlisten=[\"udp:514\"]\n",
        "[node]\nurl=\"http://127.0.0.1:1\"\n[sensor]\nstate_dir=\"s\"\n[logs]\nfrom=[\"here\"]\n",
        "[node]\nurl=\"http://127.0.0.1:1\"\n[sensor]\nstate_dir=\"s\"\ncapture=\"xdp\"\n",
        "[node]\nurl=\"http://"
        "127.0.0.1:1\"\n[sensor]\nstate_dir=\"s\"\ninterfaces=[\"a\"]\nenforcer=\"xdp\"\ncapture=\"af_xdp\"\n",
        "[guard]\nprotected=[\"a b\"]\n[node]\nurl=\"http://x\"\n[sensor]\nstate_dir=\"s\"\n"}) {
    EXPECT_FALSE(parse_sensor_config(bad, "/x").ok()) << bad;
  }
  const auto example = parse_sensor_config(sensor_config_example(), "/etc/entente");
  ASSERT_TRUE(example.ok()) << example.error().text();
  EXPECT_EQ(example->state_dir, "/etc/entente/state");
  EXPECT_EQ(example->guard.mode, enforce::Mode::kMonitor);
}

// Arrival of an indicator to the first packet dropped by the kernel; detection of a name on the wire; recall; sightings
// back; a restart without a gap.
void end_to_end(const std::string& enforcer) {
  const int code = in_namespace([&](TestNet& net) {
    if (enforcer == "both" &&
        (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
         mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) != 0)) {
      return kNoNamespace;
    }
    [&] {
      ASSERT_TRUE(net.there("198.51.100.7/32") && net.there("198.51.100.80/32"));
      const Folder folder;
      Treaty treaty = treaty_now();
      FakeNode node(treaty);
      SensorConfig config = config_in(folder);
      config.interfaces = {"here0"};
      config.enforcer = enforcer;
      node.add(pap_object(kPapGreen, "PAP:GREEN"));
      Sensor::Parts parts;
      parts.connect = node.connect();
      auto started = Sensor::start(config, std::move(parts));
      ASSERT_TRUE(started.ok()) << started.error().text();
      Sensor& sensor = **started;
      const int here = TestNet::udp("10.77.0.1", 4000);
      const int evil = net.udp_there("198.51.100.7", 4000);
      const int phish = net.udp_there("198.51.100.80", 4000);
      const int resolver = net.udp_there("10.77.0.2", 53);
      ASSERT_TRUE(here >= 0 && evil >= 0 && phish >= 0 && resolver >= 0);
      ASSERT_TRUE(TestNet::send(evil, "10.77.0.1", 4000, "before"));
      ASSERT_EQ(TestNet::receive(here), "before");

      // An address: in force within milliseconds of its arrival.
      const Time arrived = SystemClock().now();
      node.add(Sample{}.text());
      ASSERT_TRUE(within(3000, [&] { return sensor.core().leases(false).size() == 1; }));
      ASSERT_TRUE(within(3000, [&] { return !TestNet::send(here, "198.51.100.7", 4000, "x"); }));
      const Time applied = SystemClock().now();
      printf("  indicator at the node -> dropped: %.1f ms\n", static_cast<double>(applied.us - arrived.us) / 1000);
      EXPECT_TRUE(TestNet::send(evil, "10.77.0.1", 4000, "blocked"));
      EXPECT_EQ(TestNet::receive(here), "");

      // A name: nothing until it resolves on the wire.
      node.add(Sample{.number = 2, .pattern = "[domain-name:value = 'phish.example']"}.text());
      ASSERT_TRUE(within(3000, [&] { return sensor.core().live().size() == 2; }));
      ASSERT_TRUE(TestNet::send(phish, "10.77.0.1", 4000, "before"));
      EXPECT_EQ(TestNet::receive(here), "before");
      const std::string answer = packet::compose_dns_response(
          9, "phish.example", packet::DnsType::kA, {{packet::DnsType::kA, "phish.example", 300, "198.51.100.80"}});
      ASSERT_TRUE(TestNet::send(resolver, "10.77.0.1", 4000, answer));
      const Time answered = SystemClock().now();
      EXPECT_TRUE(within(3000, [&] { return !TestNet::send(here, "198.51.100.80", 4000, "x"); }));
      printf("  DNS answer on the wire -> its address dropped: %.1f ms\n",
             static_cast<double>(SystemClock().now().us - answered.us) / 1000);

      // What was seen goes back.
      EXPECT_TRUE(within(3000, [&] {
        const auto all = node.sightings();
        return std::any_of(all.begin(), all.end(),
                           [](const std::string& s) { return s.find(Sample{.number = 2}.id()) != std::string::npos; });
      }));

      // Recall.
      node.add(Sample{.version = 30, .revoked = true}.text());
      EXPECT_TRUE(within(3000, [&] { return TestNet::send(here, "198.51.100.7", 4000, "free"); }));
      const auto status = sensor.core().status();
      EXPECT_GE(status.find("dropped_packets")->integer(), 2);
      EXPECT_GE(status.find("detections")->integer(),
                enforcer == "nft" ? 2 : 1);  // what XDP drops is counted, not captured
      EXPECT_THAT(sensor.status_text(), testing::HasSubstr(R"("interface":"here0","capture":"ring","packets":)"));
      EXPECT_THAT(sensor.status_text(), testing::HasSubstr(R"("not_read":{"link_unknown":)"));  // ARP
      node.finish();
      sensor.stop();
      while (!TestNet::receive(here).empty()) continue;                  // the answer of the resolver
      EXPECT_FALSE(TestNet::send(here, "198.51.100.80", 4000, "held"));  // over a restart
      EXPECT_TRUE(TestNet::send(phish, "10.77.0.1", 4000, "held"));
      EXPECT_EQ(TestNet::receive(here), "");
      {
        FakeNode again(treaty);
        SensorConfig clearing = config;
        clearing.clear_at_stop = true;
        Sensor::Parts more;
        more.connect = again.connect();
        auto restarted = Sensor::start(clearing, std::move(more));
        ASSERT_TRUE(restarted.ok()) << restarted.error().text();
        EXPECT_FALSE(TestNet::send(here, "198.51.100.80", 4000, "held"));
        if (enforcer == "both") {
          EXPECT_EQ((*restarted)->core().status().string_at("enforcer_detail"), "here0 native");
          // Packets that XDP drops are not seen by the capture: its counter speaks for them.
          EXPECT_TRUE(TestNet::send(phish, "10.77.0.1", 4000, "counted"));
          EXPECT_TRUE(within(4000, [&] { return (*restarted)->core().leases(false).at(0).hits >= 2; }));
        }
        again.finish();
        (*restarted)->stop();
      }
      EXPECT_TRUE(TestNet::send(here, "198.51.100.80", 4000, "free"));  // no trace is left
      EXPECT_NE(TestNet::shell("nft list table inet entente"), true);
      const auto events = PosixFiles().read(config.state_dir + "/events.jsonl");
      ASSERT_TRUE(events.ok());
      for (const char* event :
           {"started", "lease_applied", "detection", "lease_ended", "indicator_revoked", "stopped"}) {
        EXPECT_THAT(*events, testing::HasSubstr("\"event\":\"" + std::string(event) + "\""));
      }
    }();
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  if (code == kNoNamespace) GTEST_SKIP() << "network namespaces are not permitted here (needs root and ip)";
  EXPECT_EQ(code, 0);
}

TEST(Sensor, af_xdp_is_refused_where_it_would_cut_the_host_off) {
  const int code = in_namespace([&](TestNet&) {
    [&] {
      const Folder folder;
      Treaty treaty = treaty_now();
      SensorConfig config = config_in(folder);
      config.interfaces = {"here0"};
      config.enforcer = "none";
      for (const char* capture : {"af_xdp", "af_xdp or ring"}) {
        config.capture = capture;
        FakeNode node(treaty);
        Sensor::Parts parts;
        parts.connect = node.connect();
        auto sensor = Sensor::start(config, std::move(parts));
        ASSERT_EQ(sensor.ok(), config.capture != "af_xdp");
        if (sensor.ok()) {
          EXPECT_THAT((*sensor)->status_text(), testing::HasSubstr(R"("capture":"ring")"));
        } else {
          EXPECT_THAT(sensor.error().text(), testing::HasSubstr("mirror ports"));
        }
        node.finish();
      }
    }();
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  if (code == kNoNamespace) GTEST_SKIP() << "network namespaces are not permitted here (needs root and ip)";
  EXPECT_EQ(code, 0);
}

TEST(Sensor, end_to_end_with_real_packets) { end_to_end("nft"); }
TEST(Sensor, end_to_end_with_real_packets_and_xdp) { end_to_end("both"); }

}  // namespace
}  // namespace entente::sensor
