// TLS fingerprints as indicators: in lists, in logs of every form and reading, in captures, in compound patterns, in
// the past of a sensor.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "detect/history.h"
#include "detect/hunt.h"
#include "detect/internal/history_segment.h"
#include "detect/load.h"
#include "detect/packets.h"
#include "packet/compose.h"
#include "packet/pcap.h"

namespace entente::detect {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
namespace fs = std::filesystem;

const std::string kJa3 = "ada70206e40642a3e4461f35503241d5", kJa4 = "t13d1516h2_8daaf6152771_e5627efa2ab1";
const std::string kJa3Pattern = "[network-traffic:extensions.'tls-ext'.ja3 = '" + kJa3 + "']";
const std::string kJa4Pattern = "[network-traffic:extensions.'tls-ext'.ja4 = '" + kJa4 + "']";

class Folder {
 public:
  Folder()
      : path_(fs::temp_directory_path() /
              ("entente_fingerprint_" + std::to_string(getpid()) + "_" + std::to_string(++count_))) {
    fs::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }

 private:
  static inline int count_ = 0;
  fs::path path_;
};

Loaded load(const std::string& text) {
  const Folder folder;
  auto loaded = load_indicators({folder.write("list", text)});
  EXPECT_TRUE(loaded.ok());
  return std::move(loaded).value();
}
std::vector<std::string> patterns_of(const std::string& text) {
  const Loaded l = load(text);
  std::vector<std::string> out;
  for (uint32_t i = 0; i < l.index->indicators(); ++i) out.push_back(l.index->indicator(i).pattern);
  return out;
}

TEST(Fingerprint, ListsSayWhichColumnIsOne) {
  EXPECT_THAT(patterns_of(kJa4 + "\n"), ElementsAre(kJa4Pattern));
  EXPECT_THAT(patterns_of("ja3,first_seen\n" + kJa3 + ",2026\n"), ElementsAre(kJa3Pattern));
  EXPECT_THAT(patterns_of("type,value\nja3-fingerprint-md5," + kJa3 + "\nja4," + kJa4 + "\nmd5," + kJa3 + "\n"),
              ElementsAre(kJa3Pattern, kJa4Pattern, "[file:hashes.MD5 = '" + kJa3 + "']"));
  // As SSLBL writes it: the header is a comment.
  EXPECT_THAT(
      patterns_of("####\n# ja3_md5,Firstseen,Lastseen,Listingreason\n#\n" + kJa3 + ",2017-07-14 18:08:15,x,y\n"),
      ElementsAre(kJa3Pattern));
  EXPECT_THAT(patterns_of(kJa3 + "\n"), ElementsAre("[file:hashes.MD5 = '" + kJa3 + "']"));
  EXPECT_EQ(load("ja3,x\nzz,1\n").lines_not_understood, 1u);
}

// "type field record" of every match, by the raw scan with every kernel and by fields, which must agree.
std::vector<std::string> hunted(const Loaded& set, const std::string& text) {
  std::vector<std::vector<std::string>> ways;
  const auto run = [&](HuntOptions options) {
    options.compounds = set.compounds.get();
    auto& out = ways.emplace_back();
    const auto report = hunt_text(
        text, "x", *set.index,
        [&](const HuntMatch& m) { out.push_back(m.type + " " + m.field + " " + std::to_string(m.record)); }, options);
    EXPECT_THAT(report.notes, IsEmpty());
  };
  run({.parse_all = true});
  for (const Kernel k : kernels()) run({.kernel = k});
  for (const auto& way : ways) EXPECT_EQ(way, ways[0]);
  return ways[0];
}

TEST(Fingerprint, IsFoundInLogsOfEveryForm) {
  const Loaded set = load("type,value\nja3," + kJa3 + "\nja4," + kJa4 + "\n");
  EXPECT_THAT(
      hunted(set,
             R"({"ts":1.5,"id.orig_h":"10.0.0.1","ja3":")" + kJa3 + R"(","ja4":")" + kJa4 + "\"}\n" +
                 R"({"ts":1.5,"ja3":"ada70206e40642a3e4461f35503241d6","ja4":"t13d1516h2_8daaf6152771_e5627efa2ab2"})" +
                 "\n"),
      ElementsAre("network-traffic ja3 1", "network-traffic ja4 1"));
  EXPECT_THAT(hunted(set, R"({"event_type":"tls","tls":{"ja3":{"hash":")" + kJa3 +
                              R"(","string":"771,1-2,,,"},"ja4":")" + kJa4 + "\"}}\n"),
              ElementsAre("network-traffic tls.ja3.hash 1", "network-traffic tls.ja4 1"));
  EXPECT_THAT(hunted(set,
                     "#separator \\x09\n#fields\tts\tid.orig_h\tja3\tja4\n#types\ttime\taddr\tstring\tstring\n"
                     "1.5\t10.0.0.1\t" +
                         kJa3 + "\t" + kJa4 + "\n1.5\t10.0.0.1\t-\t-\n"),
              ElementsAre("network-traffic ja3 4", "network-traffic ja4 4"));
  EXPECT_THAT(hunted(set, "client hello " + kJa4 + ", md5 " + kJa3 + " seen\nx" + kJa4 + "\n"),
              UnorderedElementsAre("network-traffic text 1", "network-traffic text 1"));
  // Behind many octets, at the end of a piece of the scanner, and in capitals.
  std::string text;
  while (text.size() < 40000) text += "nothing_here_to_be_found at_all, only_words\n";
  EXPECT_EQ(hunted(set, text + "T13D1516H2_8DAAF6152771_E5627EFA2AB1\n").size(), 1u);
}

// A fingerprint that somebody shared as the digest of a file is found where it stands, and as what it was shared.
TEST(Fingerprint, SharedAsAFileDigestIsFoundToo) {
  const Loaded set = load(kJa3 + "\n");
  EXPECT_THAT(hunted(set, R"({"ts":1.5,"ja3":")" + kJa3 + "\"}\n"), ElementsAre("file ja3 1"));
}

struct Catch final : packet::Sink {
  std::vector<packet::TlsFingerprint> all;
  void on_tls(const packet::Packet&, const packet::Flow&, const packet::TlsHello& hello) override {
    all.push_back(*packet::fingerprint(hello));
  }
};

std::string capture_of(const std::vector<std::string>& names) {
  std::string out = packet::pcap_header(packet::LinkType::kEthernet);
  uint16_t port = 2000;
  for (const auto& name : names)
    packet::append_pcap_packet(out, Time{1'000'000},
                               packet::compose_tcp({.src = *packet::parse_address("192.0.2.1"),
                                                    .dst = *packet::parse_address("192.0.2.2"),
                                                    .src_port = ++port,
                                                    .dst_port = 443},
                                                   1, 24, packet::compose_client_hello(name)));
  return out;
}

TEST(Fingerprint, IsFoundInCapturesAloneAndInCompoundPatterns) {
  const Folder folder;
  const std::string capture = capture_of({"a.example", "", "b.example"});
  const std::string file = folder.write("c.pcap", capture);
  Catch sink;
  packet::Decoder decoder(sink);
  packet::CaptureReader reader([&](const packet::Packet& p) { decoder.decode(p); });
  ASSERT_TRUE(reader.feed(capture).ok());
  ASSERT_EQ(sink.all.size(), 3u);
  const auto hunt_for = [&](const std::string& list) {
    const Loaded set = load(list);
    std::vector<std::string> out;
    const auto report = hunt({file}, *set.index,
                             [&](const HuntMatch& m) {
                               out.push_back(m.type + " " + m.field + " " + m.value + " " + std::to_string(m.record));
                             },
                             {.threads = 1, .compounds = set.compounds.get()});
    EXPECT_TRUE(report.errors.empty());
    return out;
  };
  const auto& named = sink.all[0];
  EXPECT_THAT(
      hunt_for("ja3,ja4\n" + named.ja3 + "," + named.ja4 + "\n"),
      ElementsAre("network-traffic tls.ja3 " + named.ja3 + " 1", "network-traffic tls.ja4 " + named.ja4 + " 1",
                  "network-traffic tls.ja3 " + named.ja3 + " 3", "network-traffic tls.ja4 " + named.ja4 + " 3"));
  EXPECT_THAT(hunt_for("ja4,x\n" + sink.all[1].ja4 + ",1\n"),
              ElementsAre("network-traffic tls.ja4 " + sink.all[1].ja4 + " 2"));
  const auto stix = [](const std::string& pattern) {
    return R"({"type":"indicator","id":"indicator--00000000-0000-4000-8000-000000000001","pattern_type":"stix","pattern":")" +
           pattern + "\"}";
  };
  EXPECT_THAT(hunt_for(stix("[network-traffic:extensions.'tls-ext'.ja4 = '" + named.ja4 +
                            "' AND network-traffic:src_port = 2003 AND network-traffic:protocols[*] = 'tls']")),
              ElementsAre("network-traffic tls.ja4 " + named.ja4 + " 3"));
  EXPECT_THAT(hunt_for(stix("[network-traffic:x_ja3 = '" + named.ja3 + "' AND network-traffic:src_port = 2001]")),
              ElementsAre("network-traffic tls.ja3 " + named.ja3 + " 1"));
}

// A packet's fingerprint and a log's digest are asked for both by an indicator of a JA3 fingerprint.
TEST(Fingerprint, IsAnsweredFromThePast) {
  EXPECT_EQ(history_key(ObservableKind::kJa3, kJa3).substr(0, 1), "J");
  EXPECT_EQ(history_key(ObservableKind::kJa4, "T13D1516H2_8DAAF6152771_E5627EFA2AB1"), "j" + kJa4);
  EXPECT_EQ(kind_of_key(history_key(ObservableKind::kJa3, kJa3)), ObservableKind::kJa3);
  EXPECT_EQ(kind_of_key(history_key(ObservableKind::kJa4, kJa4)), ObservableKind::kJa4);
  const auto ranges = history_ranges({pattern::AtomKind::kJa3, kJa3, {}});
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].from, history_key(ObservableKind::kJa3, kJa3));
  EXPECT_EQ(ranges[1].from, history_key(ObservableKind::kHash, kJa3));
}

TEST(Fingerprint, LiveSetsKnowThem) {
  Live live;
  live.add({.id = "a"}, {{pattern::AtomKind::kJa3, kJa3, {}}});
  live.add({.id = "b"}, {{pattern::AtomKind::kJa4, kJa4, {}}});
  for (int i = 0; i < 1000; ++i)  // through several folds
    live.add({.id = std::to_string(i)}, {{pattern::AtomKind::kDomain, "n" + std::to_string(i) + ".example", {}}});
  live.settle();
  const auto found = [&](ObservableKind kind, const std::string& text) {
    std::string out;
    live.match({kind, text, {}}, Time{1}, [&](const Indicator& i, pattern::AtomKind) { out += i.id; });
    return out;
  };
  EXPECT_EQ(found(ObservableKind::kJa3, kJa3), "a");
  EXPECT_EQ(found(ObservableKind::kHash, kJa3), "a");
  EXPECT_EQ(found(ObservableKind::kJa4, kJa4), "b");
}

}  // namespace
}  // namespace entente::detect
