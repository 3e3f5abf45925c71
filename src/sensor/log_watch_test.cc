// Logs as a source of the sensor: what lines show, where lines come from.
#include "sensor/log_watch.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sensor/log_sources.h"
#include "sensor/world_for_test.h"

namespace entente::sensor {
namespace {

using testing::HasSubstr;

constexpr int64_t kMinute = 60 * kOneSecond;

// Lines as one source gives them.
struct Reading : World {
  LogWatch watch{*core, clock, 10 * kMinute};
  detect::LineFeed feed{"dns.log", watch};
  Reading() { ready(); }
  void line(const std::string& text) { feed.feed(text + "\n"); }
  void name(const std::string& pattern, int number = 1) { page({Sample{.number = number, .pattern = pattern}.text()}); }
};

std::string zeek_dns(const std::string& query, const std::string& answers, Time at) {
  return R"({"ts":)" + std::to_string(at.us / 1'000'000) +
         R"(.5,"uid":"C1","id.orig_h":"10.0.0.5","id.orig_p":5353,"id.resp_h":"192.0.2.53","id.resp_p":53,"proto":"udp","query":")" +
         query + R"(","answers":[)" + answers + "]}";
}

TEST(LogWatch, a_name_in_a_query_log_blocks_the_addresses_that_its_answers_name) {
  Reading r;
  r.name("[domain-name:value = 'evil.example']");
  r.line(zeek_dns("EviL.example", R"("cdn.example","198.51.100.80","2001:db8::80")", kStart.plus_us(-kMinute)));
  EXPECT_EQ(r.on("198.51.100.80"), 'd');
  EXPECT_EQ(r.on("2001:db8::80"), 'd');
  EXPECT_EQ(r.on("192.0.2.53"), '-') << "the resolver is not what the name led to";
  const auto told = r.sink.of("detection");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].string_at("src"), "10.0.0.5");
  EXPECT_EQ(told[0].string_at("source"), "dns.log");
  EXPECT_EQ(told[0].string_at("field"), "query");
}

TEST(LogWatch, what_an_old_line_says_is_seen_but_blocks_nothing) {
  Reading r;
  r.name("[domain-name:value = 'evil.example']");
  r.line(zeek_dns("evil.example", R"("198.51.100.80")", kStart.plus_us(-11 * kMinute)));
  EXPECT_EQ(r.sink.of("detection").size(), 1u);
  EXPECT_EQ(r.on("198.51.100.80"), '-');
}

TEST(LogWatch, an_indicator_is_asked_at_the_time_of_the_line_and_a_clock_ahead_counts_as_now) {
  Reading r;
  r.page({Sample{.pattern = "[domain-name:value = 'evil.example']",
                 .valid_until = to_text(kStart.plus_us(2 * kMinute)),
                 .valid_from = to_text(kStart.plus_us(-2 * kMinute))}
              .text()});
  r.line(zeek_dns("evil.example", "", kStart.plus_us(-3 * kMinute)));
  EXPECT_EQ(r.sink.of("detection").size(), 0u) << "not valid yet when it was seen";
  r.line(zeek_dns("evil.example", "", kStart.plus_us(24 * 60 * kMinute)));
  ASSERT_EQ(r.sink.of("detection").size(), 1u);
  EXPECT_EQ(r.sink.of("detection")[0].string_at("seen"), to_text(kStart));
}

TEST(LogWatch, the_server_of_a_connection_is_what_its_name_and_its_url_led_to) {
  Reading r;
  r.name("[domain-name:value = 'tls.example']", 1);
  r.name("[url:value = 'http://web.example/kit/a.bin']", 2);
  r.name("[domain-name:value = 'elsewhere.example']", 3);
  const std::string flow = R"("src_ip":"10.0.0.5","dest_ip":)", at = R"("timestamp":")" + to_text(kStart) + R"(",)";
  r.line("{" + at + flow + R"("198.51.100.1","tls":{"sni":"tls.example"}})");
  r.line(
      "{" + at + flow +
      R"("198.51.100.2","http":{"hostname":"web.example","url":"\/kit\/a.bin","http_refer":"http:\/\/elsewhere.example\/x"}})");
  r.line("{" + at + flow +
         R"("198.51.100.3","http":{"hostname":"web.example","url":"http:\/\/web.example\/kit\/a.bin"}})");
  EXPECT_EQ(r.on("198.51.100.1"), 'd');
  EXPECT_EQ(r.on("198.51.100.2"), 'd');
  EXPECT_EQ(r.on("198.51.100.3"), '-') << "that is the proxy";
  for (const auto& lease : r.core->leases(false)) EXPECT_NE(lease.via_name, "elsewhere.example");
  EXPECT_EQ(r.sink.of("detection").size(), 3u);
}

TEST(LogWatch, an_address_that_also_serves_a_protected_name_is_not_blocked) {
  Reading r;
  r.name("[domain-name:value = 'evil.example']");
  r.line(zeek_dns("www.bank.example", R"("198.51.100.80")", kStart));
  r.line(zeek_dns("evil.example", R"("198.51.100.80")", kStart));
  EXPECT_EQ(r.on("198.51.100.80"), '-');
  EXPECT_EQ(r.refused(), "PROTECTED_NAME");
}

TEST(LogWatch, a_syslog_header_before_an_object_is_passed_over_in_both_forms) {
  for (const std::string header :
       {"<134>1 2027-01-15T08:00:00Z host suricata 7 - - ",
        "<134>Jan 15 08:00:00 host suricata[7]: ", "Jan 15 08:00:00 host suricata[7]: @cee:"}) {
    Reading r;
    r.name("[domain-name:value = 'evil.example']");
    // The escape shows that the object was read, not the text searched.
    r.line(header + R"({"timestamp":")" + to_text(kStart) +
           R"(","src_ip":"10.0.0.5","dest_ip":"198.51.100.1","tls":{"sni":"\u0065vil.example"}})");
    ASSERT_EQ(r.sink.of("detection").size(), 1u) << header;
    EXPECT_EQ(r.sink.of("detection")[0].string_at("field"), "tls.sni");
    EXPECT_EQ(r.on("198.51.100.1"), 'd');
  }
}

TEST(LogWatch, compound_patterns_are_bound_over_lines) {
  Reading r;
  r.name(
      "[domain-name:value = 'evil.example'] FOLLOWEDBY [network-traffic:dst_ref.value = '198.51.100.9'] WITHIN 60 "
      "SECONDS");
  r.line(zeek_dns("evil.example", "", kStart.plus_us(-30 * kOneSecond)));
  EXPECT_EQ(r.sink.of("detection").size(), 0u);
  r.line(R"({"ts":1800000000.0,"id.orig_h":"10.0.0.5","id.resp_h":"198.51.100.9"})");
  EXPECT_EQ(r.sink.of("detection").size(), 1u);
}

TEST(ListenAt, what_is_no_place_is_refused) {
  for (const char* good : {"udp:127.0.0.1:514", "tcp:[::1]:6514", "unix:/run/x.sock", "unixgram:/run/y"})
    EXPECT_TRUE(parse_listen_at(good).ok()) << good;
  for (const char* bad : {"", "udp", "udp:514", "udp:localhost:514", "udp:127.0.0.1:0", "tcp:127.0.0.1:70000", "unix:x",
                          "http:127.0.0.1:80", "udp:127.0.0.1:5x"})
    EXPECT_FALSE(parse_listen_at(bad).ok()) << bad;
}

// ---- sources, with real sockets and files

struct Sources : World {
  std::string folder;
  PosixFiles disk;
  LogSourceOptions options;
  std::unique_ptr<LogSources> logs;
  Sources() {
    char name[] = "/tmp/entente-logs-XXXXXX";
    folder = mkdtemp(name);
    options.state_file = folder + "/logs.json";
    options.poll_us = 5'000;
    ready();
    page({Sample{.pattern = "[domain-name:value = 'evil.example']"}.text()});
  }
  Sources(const Sources&) = delete;
  Sources& operator=(const Sources&) = delete;
  ~Sources() {
    logs.reset();
    std::filesystem::remove_all(folder);
  }
  void start() {
    auto made = LogSources::start(options, *core, clock, disk);
    ASSERT_TRUE(made.ok()) << made.error().text();
    logs = std::move(*made);
  }
  uint64_t figure(std::string_view log, std::string_view member) const {
    const std::string text = json::write(logs->status());
    uint64_t out = 0;
    const auto whole = json::parse(R"({"l":)" + text + "}");
    const auto list = json::find_array(whole->root(), "l");
    if (!list) return 0;
    for (const json::Value v : *list)
      if (json::find_string(v, "log").value_or("") == log)
        out = static_cast<uint64_t>(json::find_int(v, member).value_or(0));
    return out;
  }
  template <class F>
  static bool within(F condition) {
    for (int i = 0; i < 5000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  uint64_t detections() const {
    const auto status = json::parse(json::write(core->status()));
    return static_cast<uint64_t>(json::find_int(status->root(), "detections").value_or(0));
  }
};

std::string hit(int i) { return R"({"query":"evil.example","n":)" + std::to_string(i) + "}\n"; }

class Wire {
 public:
  Wire(int type, uint16_t port) : fd_(::socket(AF_INET, type, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  }
  Wire(int type, const std::string& path) : fd_(::socket(AF_UNIX, type, 0)) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    path.copy(to.sun_path, sizeof to.sun_path - 1);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() { ::close(fd_); }
  void send(std::string_view text) const {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] bool closed() const {
    char c = 0;
    return ::recv(fd_, &c, 1, 0) <= 0;
  }

 private:
  int fd_;
};

// A port that was free a moment ago.
uint16_t free_port(int type) {
  const int fd = ::socket(AF_INET, type, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&at), size), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size), 0);
  ::close(fd);
  return ntohs(at.sin_port);
}

TEST(LogSources, files_are_followed_over_rotation_and_a_restart_no_line_twice_and_none_left_out) {
  Sources s;
  const std::string path = s.folder + "/dns.log";
  const auto write = [&](int from, int to) {
    std::ofstream out(path, std::ios::app);
    for (int i = from; i < to; ++i) out << hit(i);
  };
  s.options.files = {path};
  write(0, 100);
  s.start();
  ASSERT_TRUE(Sources::within([&] { return s.detections() == 100; }));
  std::filesystem::rename(path, path + ".1");
  write(100, 150);
  ASSERT_TRUE(Sources::within([&] { return s.detections() == 150; }));
  s.logs.reset();
  write(150, 175);
  s.start();
  ASSERT_TRUE(Sources::within([&] { return s.detections() == 175; })) << s.detections();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(s.detections(), 175u);
  EXPECT_EQ(s.figure("files", "lines"), 25u);
}

TEST(LogSources, a_log_that_is_not_there_is_counted_until_it_comes) {
  Sources s;
  s.options.files = {s.folder + "/a.log", s.folder + "/b.log"};
  std::ofstream(s.options.files[0]) << hit(1);
  s.start();
  ASSERT_TRUE(Sources::within([&] { return s.figure("files", "missing") == 1; }));
  std::ofstream(s.options.files[1]) << hit(2);
  ASSERT_TRUE(Sources::within([&] { return s.figure("files", "missing") == 0; }));
  ASSERT_TRUE(Sources::within([&] { return s.detections() == 2; }));
}

TEST(LogSources, datagrams_are_messages_with_or_without_an_end_of_line) {
  Sources s;
  const uint16_t port = free_port(SOCK_DGRAM);
  const std::string udp = "udp:127.0.0.1:" + std::to_string(port), local = "unixgram:" + s.folder + "/log";
  s.options.listen = {udp, local};
  s.start();
  const Wire wire(SOCK_DGRAM, port), unix_wire(SOCK_DGRAM, s.folder + "/log");
  for (int i = 0; i < 50; ++i) wire.send("<134>Jan 15 08:00:00 host app: query evil.example " + std::to_string(i));
  wire.send(hit(1) + hit(2));
  unix_wire.send(hit(3));
  ASSERT_TRUE(Sources::within([&] { return s.detections() == 53; })) << s.detections();
  EXPECT_EQ(s.figure(udp, "lines"), 52u);
  EXPECT_EQ(s.figure(local, "lines"), 1u);
  struct stat info{};
  ASSERT_EQ(::stat((s.folder + "/log").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
}

TEST(LogSources, flow_exports_over_udp_are_read_with_templates_of_each_exporter) {
  Sources s;
  s.page({Sample{.number = 2, .pattern = "[ipv4-addr:value = '198.51.100.7']"}.text()});
  const uint16_t port = free_port(SOCK_DGRAM);
  const std::string udp = "udp:127.0.0.1:" + std::to_string(port);
  s.options.listen = {udp};
  s.start();
  // NetFlow v9, a template (addresses only) and then data, from one exporter; data without template from another.
  const std::string head("\0\x09\0\x01\0\0\0\x01\x6b\x49\xd2\0\0\0\0\1\0\0\0\7", 20);
  const std::string tmpl("\0\0\0\x10\1\0\0\2\0\x08\0\4\0\x0c\0\4", 16);
  const std::string data("\1\0\0\x0c\x0a\0\0\5\xc6\x33\x64\x07", 12);
  const Wire one(SOCK_DGRAM, port), other(SOCK_DGRAM, port);
  one.send(head + tmpl);
  one.send(head + data);
  one.send(head + data);
  other.send(head + data);
  ASSERT_TRUE(Sources::within([&] { return s.figure(udp, "flows") == 2; }));
  ASSERT_TRUE(Sources::within([&] { return s.detections() == 2; }));
  one.send(head + data.substr(0, 9));  // cut: counted, and the next is read
  one.send(head + data);
  ASSERT_TRUE(Sources::within([&] { return s.figure(udp, "flows") == 3; }));
  EXPECT_EQ(s.figure(udp, "malformed"), 1u);
}

TEST(LogSources, streams_are_lines_or_messages_behind_their_length) {
  Sources s;
  const uint16_t port = free_port(SOCK_STREAM);
  const std::string tcp = "tcp:127.0.0.1:" + std::to_string(port), local = "unix:" + s.folder + "/stream";
  s.options.listen = {tcp, local};
  s.start();
  {
    const Wire lines(SOCK_STREAM, port), counted(SOCK_STREAM, port), dated(SOCK_STREAM, port),
        unix_wire(SOCK_STREAM, s.folder + "/stream");
    const std::string message = "<134>1 - host app - - - {\"query\":\n\"evil.example\"}";
    const std::string framed = std::to_string(message.size()) + " " + message;
    lines.send(hit(1).substr(0, 9));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    lines.send(hit(1).substr(9) + hit(2));
    for (const char c : framed) counted.send(std::string_view(&c, 1));
    counted.send(framed + framed);
    dated.send("2027-01-15T08:00:00Z query evil.example\n");
    unix_wire.send(hit(4));
    ASSERT_TRUE(Sources::within([&] { return s.detections() == 7; })) << s.detections();
    lines.send("evil.example");  // without its end: when the connection ends
  }
  ASSERT_TRUE(Sources::within([&] { return s.detections() == 8; })) << s.detections();
  ASSERT_TRUE(Sources::within([&] { return s.figure(tcp, "connections") == 0; }));
  EXPECT_EQ(s.figure(tcp, "lines"), 7u);
  EXPECT_EQ(s.figure(local, "lines"), 1u);
  const Wire broken(SOCK_STREAM, port);
  broken.send("5 hello7 world77nonsense");
  EXPECT_TRUE(broken.closed());
  EXPECT_EQ(s.figure(tcp, "malformed"), 1u);
  {
    const Wire digits(SOCK_STREAM, port), cut(SOCK_STREAM, port);
    digits.send("12345678");  // as many as a count may have, and nothing behind them: a line
    cut.send("99 evil.example");
    ASSERT_TRUE(Sources::within([&] { return s.figure(tcp, "connections") == 2; }));
  }
  ASSERT_TRUE(Sources::within([&] { return s.figure(tcp, "connections") == 0; }));
  EXPECT_EQ(s.figure(tcp, "lines"), 10u) << "7, two whole messages of the broken one, and the digits";
  EXPECT_EQ(s.figure(tcp, "malformed"), 2u);
  EXPECT_EQ(s.detections(), 8u);
}

TEST(LogSources, who_is_not_named_may_not_send_and_too_many_connections_are_refused) {
  Sources s;
  const uint16_t port = free_port(SOCK_STREAM), dgram = free_port(SOCK_DGRAM);
  const std::string tcp = "tcp:127.0.0.1:" + std::to_string(port), udp = "udp:127.0.0.1:" + std::to_string(dgram);
  s.options.listen = {tcp, udp};
  s.options.from = {*enforce::parse_prefix("192.0.2.0/24")};
  s.start();
  const Wire wire(SOCK_STREAM, port), datagram(SOCK_DGRAM, dgram);
  datagram.send(hit(1));
  EXPECT_TRUE(wire.closed());
  ASSERT_TRUE(Sources::within([&] { return s.figure(tcp, "refused") == 1 && s.figure(udp, "refused") == 1; }));
  EXPECT_EQ(s.detections(), 0u);
  s.logs.reset();
  s.options.from = {*enforce::parse_prefix("127.0.0.0/8")};
  s.options.max_connections = 2;
  s.start();
  const Wire a(SOCK_STREAM, port), b(SOCK_STREAM, port), c(SOCK_STREAM, port);
  EXPECT_TRUE(c.closed());
  a.send(hit(1));
  ASSERT_TRUE(Sources::within([&] { return s.detections() == 1; }));
}

TEST(LogSources, a_place_that_is_taken_is_an_error_that_names_it) {
  Sources s;
  std::ofstream(s.folder + "/file") << "not a socket";
  s.options.listen = {"unix:" + s.folder + "/file"};
  const auto made = LogSources::start(s.options, *s.core, s.clock, s.disk);
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.error().text(), HasSubstr(s.folder + "/file"));
  EXPECT_TRUE(std::filesystem::exists(s.folder + "/file")) << "what is no socket of ours stays";
}

}  // namespace
}  // namespace entente::sensor
