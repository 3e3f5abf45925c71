#include "detect/hunt.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "detect/load.h"
#include "json/json.h"
#include "packet/compose.h"
#include "packet/pcap.h"

namespace entente::detect {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
namespace fs = std::filesystem;

class Folder {
 public:
  Folder()
      : path_(fs::temp_directory_path() /
              ("entente_hunt_" + std::to_string(getpid()) + "_" + std::to_string(++count_))) {
    fs::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] const fs::path& path() const { return path_; }
  [[nodiscard]] std::string write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }

 private:
  static inline int count_ = 0;
  fs::path path_;
};

std::shared_ptr<const Index> index_of(const std::vector<std::string>& values) {
  Builder builder;
  for (const auto& v : values) {
    const std::string text = v.starts_with('[') ? v : *pattern_of_value(v);
    const auto atoms = pattern::equality_atoms(*pattern::Pattern::parse(text));
    builder.add({.id = v, .pattern = text}, atoms.any_of);
  }
  return std::move(builder).build();
}

std::string gzipped(const std::string& text);

// "id field record" of every match.
std::vector<std::string> hunted(const std::string& text, const Index& index, const HuntOptions& options = {},
                                HuntReport* report = nullptr) {
  std::vector<std::string> out;
  auto r = hunt_text(
      text, "x", index,
      [&](const HuntMatch& m) { out.push_back(m.indicator + " " + m.field + " " + std::to_string(m.record)); },
      options);
  if (report != nullptr) *report = std::move(r);
  return out;
}

TEST(Hunt, FieldsOfZeekJson) {
  const auto index = index_of({"evil.example", "203.0.113.7", "2001:db8::7", "http://shop.example/a?b=1",
                               "d41d8cd98f00b204e9800998ecf8427e", "joe@mail.example"});
  const std::string log =
      R"({"ts":"2018-03-24T17:15:20.865911Z","id.orig_h":"203.0.113.7","query":"EVIL.example.","answers":["a.example","203.0.113.7","203.0.113.7"]})"
      "\n"
      R"({"ts":1521911720.5,"host":"shop.example","uri":"/a?b=1","id.resp_h":"2001:0db8::0:7"})"
      "\n"
      R"({"ts":"x","host":"shop.example","uri":"/other","md5":"D41D8CD98F00B204E9800998ECF8427E","mailfrom":"<Joe@MAIL.example>"})"
      "\n";
  EXPECT_THAT(hunted(log, *index),
              UnorderedElementsAre("203.0.113.7 id.orig_h 1", "evil.example query 1", "203.0.113.7 answers 1",
                                   "http://shop.example/a?b=1 uri 2", "2001:db8::7 id.resp_h 2",
                                   "d41d8cd98f00b204e9800998ecf8427e md5 3", "joe@mail.example mailfrom 3"));
}

TEST(Hunt, FieldsOfSuricataEve) {
  const auto index = index_of({"evil.example", "203.0.113.7", "http://shop.example:8080/a"});
  const std::string log =
      R"({"timestamp":"2018-03-24T17:15:20.866738+0000","flow_id":9223372036854775807,"dest_ip":"203.0.113.7","dns":{"query":[{"rrname":"evil.example"}]}})"
      "\n"
      R"({"timestamp":"2018-03-24T17:15:20.866738+0000","http":{"hostname":"shop.example","http_port":8080,"url":"\/a"}})"
      "\n";
  EXPECT_THAT(hunted(log, *index), UnorderedElementsAre("203.0.113.7 dest_ip 1", "evil.example dns.query.rrname 1",
                                                        "http://shop.example:8080/a http.url 2"));
  std::vector<std::string> times;
  static_cast<void>(hunt_text(log, "x", *index, [&](const HuntMatch& m) { times.push_back(m.time); }));
  EXPECT_THAT(times, testing::Each("2018-03-24T17:15:20.866738Z"));
}

TEST(Hunt, ZeekTsvByItsHeader) {
  const auto index = index_of({"evil.example", "203.0.113.7", "http://shop.example/a,b", "10.0.0.5"});
  const std::string log =
      "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\thttp\n"
      "#fields\tts\tid.orig_h\tcount\thost\turi\tnames\n#types\ttime\taddr\tcount\tstring\tstring\tset[string]\n"
      "1521911720.865716\t10.0.0.5\t3\tshop.example\t/a\\x2cb\tx.example,evil.example\n"
      "1521911720.865716\t-\t3\t-\t-\t(empty)\n"
      "#fields\tts\thost\n#types\ttime\taddr\n1521911721.000001\t203.0.113.7\n#close\tevil.example\n";
  EXPECT_THAT(hunted(log, *index), UnorderedElementsAre("10.0.0.5 id.orig_h 8", "http://shop.example/a,b uri 8",
                                                        "evil.example names 8", "203.0.113.7 host 12"));
}

TEST(Hunt, PlainTextAndDefangedForms) {
  const auto index = index_of({"evil.example", "203.0.113.7", "https://shop.example/a(b)", "joe@mail.example",
                               "198.51.100.0/24", "2001:db8::7"});
  EXPECT_THAT(hunted("Mar 24 host sshd: from 203.0.113.7:22, evil.example. Then notevil.example and evil.example.org\n"
                     "see hxxps://shop[.]example/a(b). or <joe@mail.example>; also 198.51.100.77/32\n"
                     "[2001:db8:0::7]:443 and www-evil.example\n",
                     *index),
              UnorderedElementsAre("203.0.113.7 text 1", "evil.example text 1", "https://shop.example/a(b) text 2",
                                   "joe@mail.example text 2", "198.51.100.0/24 text 2", "2001:db8::7 text 3"));
}

TEST(Hunt, AnIpv6AddressBehindAWordOrBeforeAColonOrStopIsFound) {
  const auto index = index_of({"2001:db8::7", "203.0.113.7", "mx.example"});
  const std::string log =
      "Received: from x ([IPv6:2001:db8::7]) by y\nsrc:2001:DB8:0::7 dst:10.0.0.1\nfrom 2001:db8::7: refused\n"
      "it was 2001:db8::7.\nIPv6:::ffff:203.0.113.7\nmx.example:IPv6:2001:db8::7:\nabc:2001:db8::7 2001:db8::7:1 "
      "zz2001:db8::7\n" +
      std::string(80, 'x') + ":2001:db8::7\n";
  for (const bool all : {false, true})
    EXPECT_THAT(
        hunted(log, *index, {.parse_all = all}),
        UnorderedElementsAre("2001:db8::7 text 1", "2001:db8::7 text 2", "2001:db8::7 text 3", "2001:db8::7 text 4",
                             "203.0.113.7 text 5", "2001:db8::7 text 6", "mx.example text 6", "2001:db8::7 text 8"));
}

// What stands behind the header in the first block is not scanned as plain text.
TEST(Hunt, EscapesInTheFirstBlockOfZeekTsvDoNotHide) {
  const auto index = index_of({"evil.example", "203.0.113.7"});
  const std::string log =
      "#separator "
      "\\x09\n#fields\tts\ta\tb\n#types\ttime\taddr\tstring\n1\t203\\x2e0.113.7\tx\n2\t-\tevil\\x2eexample\n";
  for (const bool all : {false, true})
    EXPECT_THAT(hunted(log, *index, {.parse_all = all}), ElementsAre("203.0.113.7 a 4", "evil.example b 5"));
}

TEST(Hunt, QueryLogsOfBindAndUnbound) {
  const auto index = index_of({"evil.example", "203.0.113.7", "10.0.0.53"});
  const std::string log =
      "24-Mar-2018 17:15:20.865 queries: info: client @0x7f3c 203.0.113.7#53211 (Evil.example): query: Evil.example IN "
      "A "
      "+E(0)K (10.0.0.53)\n"
      "client 10.0.0.9#53211: query: www.evil.example IN AAAA + (10.0.0.53)\n"
      "[1521911720] unbound[123:0] info: 203.0.113.7 evil.example. A IN\n"
      "Mar 24 17:15:20 ns unbound: [123:0] info: 10.0.0.9 fine.example. A IN NOERROR 0.01 0 44\n";
  for (const bool all : {false, true})
    EXPECT_THAT(hunted(log, *index, {.parse_all = all}),
                UnorderedElementsAre("203.0.113.7 client 1", "evil.example query 1", "10.0.0.53 server 1",
                                     "10.0.0.53 server 2", "203.0.113.7 client 3", "evil.example query 3"));
  std::vector<std::string> times;
  static_cast<void>(hunt_text(log, "x", *index, [&](const HuntMatch& m) { times.push_back(m.time); }));
  EXPECT_EQ(times.front(), "2018-03-24T17:15:20.865000Z");
  EXPECT_EQ(times.back(), "2018-03-24T17:15:20.000000Z");
}

TEST(Hunt, FlowRecords) {
  const Folder folder;
  const auto index = index_of({"203.0.113.7", "198.51.100.0/24"});
  const auto be = [](uint64_t value, size_t octets) {
    std::string out(octets, '\0');
    for (size_t i = octets; i-- > 0; value >>= 8) out[i] = static_cast<char>(value & 0xff);
    return out;
  };
  std::string file;
  for (const uint32_t dst : {0xcb007107u, 0xc6336401u, 0x0a000001u})  // NetFlow v5, one flow each
    file += be(5, 2) + be(1, 2) + be(10'000, 4) + be(1'521'911'720, 4) + be(0, 12) + be(0x0a000009, 4) + be(dst, 4) +
            be(0, 16) + be(10'000, 4) + be(10'000, 4) + be(0, 16);
  for (const auto& bytes : {file, gzipped(file)}) {
    std::vector<std::string> got;
    const auto report = hunt({folder.write("flows", bytes)}, *index, [&](const HuntMatch& m) {
      got.push_back(m.indicator + " " + m.value + " " + m.field + " " + std::to_string(m.record) + " " + m.time);
    });
    EXPECT_THAT(got, ElementsAre("203.0.113.7 203.0.113.7 dst_ip 1 2018-03-24T17:15:20.000000Z",
                                 "198.51.100.0/24 198.51.100.1 dst_ip 2 2018-03-24T17:15:20.000000Z"));
    EXPECT_EQ(report.records, 3u);
    EXPECT_THAT(report.notes, IsEmpty());
  }
}

TEST(Hunt, AWildcardNameIsBelowAndNotTheNameItself) {
  const auto exact = index_of({"evil.example"}), below = index_of({"[domain-name:value LIKE '%.evil.example']"});
  EXPECT_THAT(hunted("{\"subject\":\"CN=*.evil.example,O=x\"}\n", *exact), IsEmpty());
  EXPECT_EQ(hunted("{\"subject\":\"CN=*.evil.example,O=x\"}\n", *below).size(), 1u);
  EXPECT_EQ(hunted("Set-Cookie: domain=.evil.example;\n", *exact).size(), 1u);
}

TEST(Hunt, EscapesAndLettersBeyondAsciiDoNotHide) {
  const auto index = index_of({"evil.example", "http://shop.example/a", "xn--bcher-kva.example"});
  EXPECT_THAT(
      hunted(
          "{\"q\":\"ev\\u0069l.example\"}\n{\"u\":\"http:\\/\\/shop.example\\/a\"}\n{\"q\":\"B\u00fcCHER.example\"}\n",
          *index),
      UnorderedElementsAre("evil.example q 1", "http://shop.example/a u 2", "xn--bcher-kva.example q 3"));
}

// The raw scan before parsing may cost time, never a match.
RC_GTEST_PROP(Hunt, TheRawScanLosesNothingThatParsingEveryLineFinds, ()) {
  static const std::vector<std::string> kValues = {"evil.example",
                                                   "203.0.113.7",
                                                   "2001:db8::7",
                                                   "http://shop.example/a",
                                                   "https://203.0.113.9:8443/x?y",
                                                   "d41d8cd98f00b204e9800998ecf8427e",
                                                   "joe@mail.example",
                                                   "198.51.100.0/24",
                                                   "[domain-name:value LIKE '%.deep.example']",
                                                   "[domain-name:value = 'wpad']",
                                                   "http://[2001:db8::9]/z"};
  std::vector<std::string> chosen;
  for (const auto& v : kValues)
    if (*rc::gen::arbitrary<bool>()) chosen.push_back(v);
  if (chosen.empty()) chosen.push_back(kValues[0]);
  const auto index = index_of(chosen);
  static const std::vector<std::string> kParts = {"evil.example",
                                                  "EVIL.example.",
                                                  "203.0.113.7",
                                                  "::ffff:203.0.113.7",
                                                  "2001:DB8:0::7",
                                                  "http://shop.example/a",
                                                  "HTTPS://203.0.113.9:8443/x?y#z",
                                                  "D41D8CD98F00B204E9800998ECF8427E",
                                                  "joe@mail.example",
                                                  "198.51.100.3",
                                                  "a.b.deep.example",
                                                  "wpad",
                                                  "shop.example",
                                                  "/a",
                                                  "http://[2001:db8:0:0::9]/z",
                                                  " ",
                                                  "=",
                                                  "(",
                                                  "\"",
                                                  "\\",
                                                  "\u00e9",
                                                  "x",
                                                  "7",
                                                  ":",
                                                  ".",
                                                  ",",
                                                  "-",
                                                  "/"};
  std::string log;
  for (int lines = *rc::gen::inRange(1, 8); lines > 0; --lines) {
    const auto value = [&] {
      std::string v;
      for (int n = *rc::gen::inRange(0, 4); n >= 0; --n) v += *rc::gen::elementOf(kParts);
      return json::quoted(v);
    };
    log += "{\"host\":" + value() + ",\"uri\":" + value() + ",\"n\":{\"list\":[" + value() + "," + value() +
           "],\"k\":1.5}}\n";
  }
  const auto slow = hunted(log, *index, {.parse_all = true});
  for (const Kernel kernel : kernels()) {
    HuntOptions options;
    options.kernel = kernel;
    const auto fast = hunted(log, *index, options);
    if (fast != slow) RC_LOG() << name(kernel) << "\n" << log;
    RC_ASSERT(fast == slow);
  }
}

// --fields: whatever the lines hold, broken or defanged, it is what taking every line apart gives.
RC_GTEST_PROP(Hunt, ExactIsTheSameAsTakingEveryLineApart, ()) {
  static const std::vector<std::string> kAll = {"evil.example",
                                                "203.0.113.7",
                                                "2001:db8::7",
                                                "http://shop.example/a",
                                                "d41d8cd98f00b204e9800998ecf8427e",
                                                "joe@mail.example",
                                                "[domain-name:value LIKE '%.deep.example']",
                                                "[domain-name:value = 'wpad']",
                                                "xn--bcher-kva.example"};
  std::vector<std::string> chosen;
  for (const auto& v : kAll)
    if (*rc::gen::arbitrary<bool>()) chosen.push_back(v);
  if (chosen.empty()) chosen.push_back(kAll[0]);
  const auto index = index_of(chosen);
  static const std::vector<std::string> kParts = {"evil.example",
                                                  "evil[.]example",
                                                  "evil(.)example",
                                                  "ev\\u0069l.example",
                                                  "evil\\x2eexample",
                                                  "203.0.113.7",
                                                  "203[.]0.113.7",
                                                  "2001:db8::7",
                                                  "2001[:]db8::7",
                                                  "IPv6:2001:db8::7:",
                                                  "hxxp://shop[.]example/a",
                                                  "http:\\/\\/shop.example\\/a",
                                                  "D41D8CD98F00B204E9800998ECF8427E",
                                                  "joe@mail.example",
                                                  "joe[at]mail.example",
                                                  "joe[@]mail.example",
                                                  "a.deep.example",
                                                  "wpad",
                                                  "b\u00fccher.example",
                                                  "\xff",
                                                  "\\n",
                                                  "\\\"",
                                                  "\\\\",
                                                  "\\q",
                                                  "\"",
                                                  "\":",
                                                  "{",
                                                  "}",
                                                  "[",
                                                  "(",
                                                  " ",
                                                  "\t",
                                                  ",",
                                                  ":",
                                                  ".",
                                                  "x",
                                                  "7",
                                                  "-",
                                                  "@cee: ",
                                                  "#",
                                                  "\r"};
  const auto parts = [&](int most) {
    std::string out;
    for (int n = *rc::gen::inRange(0, most); n > 0; --n) out += *rc::gen::elementOf(kParts);
    return out;
  };
  std::string log;
  if (*rc::gen::inRange(0, 3) == 0)
    log = "#separator \\x09\n#set_separator\t,\n#fields\ta\tb\thost\turi\n#types\tcount\tset[string]\tstring\tstring\n";
  for (int lines = *rc::gen::inRange(1, 10); lines > 0; --lines) {
    switch (*rc::gen::inRange(0, 5)) {
      case 0:
        log += "{\"" + parts(3) + "\":\"" + parts(5) + "\",\"n\":[\"" + parts(3) + "\"]}";
        break;
      case 1:
        log += "<13>1 host app - {\"" + parts(2) + "\":\"" + parts(5) + "\"}";
        break;
      case 2:
        log += "{" + parts(6) + "}";
        break;
      case 3:
        log += "1\t" + parts(3) + "\t" + parts(3) + "\t/" + parts(2);
        break;
      default:
        log += parts(8);
    }
    log += '\n';
  }
  const auto slow = hunted(log, *index, {.parse_all = true});
  for (const Kernel kernel : kernels()) {
    HuntOptions options;
    options.exact = true;
    options.kernel = kernel;
    const auto fast = hunted(log, *index, options);
    if (fast != slow) RC_LOG() << name(kernel) << "\n" << log;
    RC_ASSERT(fast == slow);
  }
}

std::string gzipped(const std::string& text) {
  std::string out(compressBound(text.size()) + 100, '\0');
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}
std::string zstded(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

TEST(Hunt, CompressedInputsAreReadWholeAndCutOnesAsFarAsTheyGo) {
  const Folder folder;
  const auto index = index_of({"evil.example"});
  std::string log;
  std::mt19937 random(1);
  for (int i = 0; i < 50'000; ++i)
    log += "line " + std::to_string(random()) + (i % 1000 == 0 ? " evil.example\n" : " fine.example\n");
  const std::string gz = gzipped(log), zst = zstded(log);
  const auto count = [&](const std::string& name, const std::string& bytes, HuntReport* out = nullptr) {
    size_t n = 0;
    auto report = hunt({folder.write(name, bytes)}, *index, [&](const HuntMatch&) { ++n; });
    EXPECT_THAT(report.errors, IsEmpty());
    if (out != nullptr) *out = std::move(report);
    return n;
  };
  HuntReport report;
  for (const auto& whole : {log, gz, zst}) {
    EXPECT_EQ(count("whole", whole, &report), 50u);
    EXPECT_THAT(report.notes, IsEmpty());
    EXPECT_EQ(report.records, 50'000u);
  }
  EXPECT_EQ(count("two", gz + gz), 100u);
  EXPECT_EQ(count("two", zst + zst), 100u);
  for (const auto& cut : {gz.substr(0, gz.size() / 2), zst.substr(0, zst.size() / 2)}) {
    const size_t n = count("cut", cut, &report);
    EXPECT_GT(n, 5u);
    EXPECT_LT(n, 45u);
    EXPECT_THAT(report.notes, ElementsAre(HasSubstr("cut short")));
  }
  std::string damaged = gz;
  for (size_t i = gz.size() / 2; i < gz.size() / 2 + 50; ++i) damaged[i] = '\x55';
  count("damaged", damaged, &report);
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("damaged")));
}

TEST(Hunt, WhatIsNotUnderstoodIsCountedAndSaidOnce) {
  const auto index = index_of({"evil.example"});
  HuntReport report;
  const std::string log = "{\"a\":\"evil.example\"\n{broken evil.example}\n{\"a\":\"\xff evil.example\"}\n" +
                          std::string(3000, 'x') + " evil.example\n{\"b\":\"evil.example\"}";
  EXPECT_THAT(hunted(log, *index, {.max_line_bytes = 1000}, &report),
              ElementsAre("evil.example text 1", "evil.example text 2", "evil.example text 3", "evil.example b 5"));
  EXPECT_THAT(report.notes, UnorderedElementsAre(HasSubstr("1 lines longer"), HasSubstr("2 lines begin like JSON"),
                                                 HasSubstr("1 lines are not valid UTF-8")));
  hunted(std::string("\xff\xfe e\0v\0", 8) + "\n", *index, {}, &report);
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("UTF-16")));
}

TEST(Hunt, AnInputThatCannotBeOpenedIsAnErrorWithRemedyAndTheOthersAreRead) {
  const Folder folder;
  const auto index = index_of({"evil.example"});
  size_t n = 0;
  const auto report =
      hunt({"/no/such.log", folder.write("a.log", "evil.example\n")}, *index, [&](const HuntMatch&) { ++n; });
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors[0].kind, ErrorKind::kNotFound);
  EXPECT_FALSE(report.errors[0].remedy.empty());
  EXPECT_EQ(n, 1u);
}

TEST(Hunt, AFolderStandsForAllFilesBelowItInOrder) {
  const Folder folder;
  const auto index = index_of({"evil.example"});
  fs::create_directories(folder.path() / "b" / "c");
  const std::vector<std::string> files = {folder.write("a.log", "evil.example\n"),
                                          folder.write("b/a.log", "x\nevil.example\n"),
                                          folder.write("b/c/d.gz", gzipped("evil.example\n"))};
  std::vector<std::string> got;
  const auto report = hunt({folder.path()}, *index, [&](const HuntMatch& m) { got.push_back(m.source); });
  EXPECT_EQ(got, files);
  EXPECT_EQ(report.inputs, 3u);
}

// However many threads read, what is told and in which order is the same.
TEST(Hunt, FilesInParallelAreToldInTheirOrder) {
  const Folder folder;
  const auto index = index_of({"evil.example", "203.0.113.0/24"});
  std::mt19937 random(5);
  std::vector<std::string> files;
  for (int f = 0; f < 40; ++f) {
    std::string text;
    for (auto n = random() % 3000; n > 0; --n)
      text += random() % 3 == 0 ? "evil.example 203.0.113.9\n" : "nothing here " + std::to_string(random()) + "\n";
    files.push_back(folder.write("f" + std::to_string(f), text));
  }
  const auto run = [&](size_t threads) {
    std::vector<std::string> out;
    uint64_t told = 0;
    HuntOptions options;
    options.threads = threads;
    options.progress = [&](const HuntProgress& p) {
      EXPECT_GE(p.bytes, told);
      EXPECT_LE(p.bytes, p.total_bytes);
      told = p.bytes;
    };
    const auto report = hunt(files, *index, [&](const HuntMatch& m) { out.push_back(to_json(m)); }, options);
    EXPECT_EQ(report.matches, out.size());
    EXPECT_EQ(report.inputs, files.size());
    return out;
  };
  const auto one = run(1);
  EXPECT_GT(one.size(), 10'000u);
  EXPECT_EQ(run(2), one);
  EXPECT_EQ(run(7), one);
}

TEST(Hunt, GarbageNeverCrashes) {
  const Folder folder;
  const auto index = index_of({"evil.example", "203.0.113.0/24", "http://shop.example/a", "joe@mail.example"});
  std::mt19937 random(3);
  const std::string seeds[] = {
      "{\"host\":\"shop.example\",\"uri\":\"/a\",\"x\":[\"203.0.113.7\",{\"y\":\"joe@mail.example\"}]}\n",
      "#separator \\x09\n#fields\tts\thost\n#types\ttime\tset[addr]\n1.5\t203.0.113.7,evil.example\n",
      "hxxp://shop[.]example/a joe@mail.example \xc3\xa9 ::ffff:203.0.113.9 \\x2e\n"};
  for (int i = 0; i < 20'000; ++i) {
    std::string text = seeds[random() % 3] + seeds[random() % 3];
    for (auto m = random() % 6; m > 0; --m) text[random() % text.size()] = static_cast<char>(random());
    hunted(text, *index, {.max_line_bytes = 100 + random() % 200});
  }
  std::string blob(100'000, '\0');
  for (char& c : blob) c = static_cast<char>(random());
  for (const char* magic : {"", "\x1f\x8b\x08", "\x28\xb5\x2f\xfd", "\xd4\xc3\xb2\xa1", "\n\r\r\n"})
    static_cast<void>(hunt({folder.write("blob", magic + blob)}, *index, [](const HuntMatch&) {}));
  hunted(std::string(1'000'000, '['), *index);
  hunted("{\"a\":" + std::string(100'000, '[') + "\"evil.example\"" + std::string(100'000, ']') + "}\n", *index);
}

TEST(Hunt, Captures) {
  const Folder folder;
  const auto index = index_of({"evil.example", "203.0.113.7", "http://shop.example:8080/a", "login.example"});
  const auto flow = [](const char* src, const char* dst, uint16_t port) {
    return packet::Flow{
        .src = *packet::parse_address(src), .dst = *packet::parse_address(dst), .src_port = 40000, .dst_port = port};
  };
  std::string file = packet::pcap_header(packet::LinkType::kEthernet);
  const Time t{1'521'911'720'865'716};
  packet::append_pcap_packet(file, t,
                             packet::compose_udp(flow("10.0.0.1", "10.0.0.53", 53),
                                                 packet::compose_dns_query(1, "evil.EXAMPLE", packet::DnsType::kA)));
  packet::append_pcap_packet(
      file, t,
      packet::compose_tcp(flow("10.0.0.1", "203.0.113.7", 443), 1, 24, packet::compose_client_hello("login.example")));
  packet::append_pcap_packet(file, t, packet::compose_tcp(flow("10.0.0.1", "203.0.113.7", 443), 999, 16, ""));
  packet::append_pcap_packet(file, t,
                             packet::compose_tcp(flow("10.0.0.1", "10.0.0.80", 8080), 1, 24,
                                                 "GET /a HTTP/1.1\r\nHost: shop.example:8080\r\n\r\n"));
  for (const auto& bytes : {file, gzipped(file)}) {
    std::vector<std::string> got;
    const auto report = hunt({folder.write("c.pcap", bytes)}, *index, [&](const HuntMatch& m) {
      got.push_back(m.indicator + " " + m.field + " " + std::to_string(m.record));
      EXPECT_EQ(m.time, "2018-03-24T17:15:20.865716Z");
    });
    EXPECT_THAT(got, ElementsAre("evil.example dns.query 1", "203.0.113.7 ip.dst 2", "login.example tls.sni 2",
                                 "http://shop.example:8080/a http.url 4"));
    EXPECT_EQ(report.records, 4u);
    EXPECT_THAT(report.notes, IsEmpty());
  }
}

TEST(Hunt, TheJsonLineHasTheMembersOfTheContractInOrder) {
  EXPECT_EQ(
      to_json({.indicator = "indicator--1",
               .pattern = "[a:b = 'c\"']",
               .type = "domain-name",
               .value = "x\n",
               .source = "dns.log.gz",
               .field = "query",
               .record = 1234,
               .time = "t"}),
      R"({"indicator":"indicator--1","pattern":"[a:b = 'c\"']","type":"domain-name","value":"x\n","source":"dns.log.gz","field":"query","record":1234,"time":"t"})");
  EXPECT_TRUE(valid_utf8(to_json({.indicator = "i",
                                  .pattern = "p",
                                  .type = "url",
                                  .value = "\xff\xfe",
                                  .source = "s",
                                  .field = "f",
                                  .record = 1,
                                  .time = ""})));
}

// Real logs, in both formats, against a program that shares nothing with this one (tests/oracle/zeek_hunt.py).
TEST(Hunt, ZeekLogsGiveWhatAnIndependentScriptFinds) {
  const std::string data = std::string(ENTENTE_DATA_DIR) + "/zeek-logs",
                    script = std::string(ENTENTE_SOURCE_DIR) + "/tests/oracle/zeek_hunt.py";
  if (!fs::exists(data)) GTEST_SKIP() << "no real logs at " << data;
  if (std::system("command -v python3 >/dev/null 2>&1") != 0) GTEST_SKIP() << "python3 is not installed";
  const Folder folder;
  constexpr uint64_t kLimit = 1000;
  const auto run = [](const std::string& command) { return std::system(command.c_str()); };
  const std::string list = folder.write("list", ""), out = folder.write("oracle", "");
  ASSERT_EQ(run("python3 " + script + " choose " + data + "/json 50 20261123 > " + list), 0);
  const auto loaded = load_indicators({list});
  ASSERT_TRUE(loaded.ok()) << loaded.error().text();
  EXPECT_EQ(loaded->lines_not_understood, 0u);

  for (const std::string format : {"json", "tsv"}) {
    std::vector<std::string> logs;  // the beginning of each, so that this takes seconds
    std::string names;
    for (const auto& e : fs::directory_iterator(data + "/" + format)) {
      logs.push_back(folder.write(format + "." + e.path().filename().string(), ""));
      ASSERT_EQ(run("zcat " + e.path().string() + " | head -n " + std::to_string(kLimit) + " | gzip > " + logs.back()),
                0);
      names += " " + logs.back();
    }
    ASSERT_EQ(run("python3 " + script + " hunt " + list + " " + std::to_string(kLimit) + names + " > " + out), 0);
    std::multiset<std::string> expected, got;
    std::ifstream in(out);
    for (std::string line; std::getline(in, line);) expected.insert(line);

    const uint64_t header = format == "tsv" ? 8 : 0;
    const auto report = hunt(logs, *loaded->index, [&](const HuntMatch& m) {
      // The literal is the last thing in quotes.
      const size_t end = m.pattern.rfind('\''), begin = m.pattern.rfind('\'', end - 1) + 1;
      const std::string name = fs::path(m.source).filename().string().substr(format.size() + 1);
      got.insert(m.pattern.substr(begin, end - begin) + "\t" + name.substr(0, name.find('.')) + "\t" +
                 std::to_string(m.record - header) + "\t" + m.field);
    });
    EXPECT_THAT(report.errors, IsEmpty());
    EXPECT_THAT(report.notes, IsEmpty());
    EXPECT_GT(expected.size(), 100u);
    std::vector<std::string> missed, extra;
    std::set_difference(expected.begin(), expected.end(), got.begin(), got.end(), std::back_inserter(missed));
    std::set_difference(got.begin(), got.end(), expected.begin(), expected.end(), std::back_inserter(extra));
    missed.resize(std::min<size_t>(missed.size(), 10));
    extra.resize(std::min<size_t>(extra.size(), 10));
    EXPECT_THAT(missed, IsEmpty()) << format;
    EXPECT_THAT(extra, IsEmpty()) << format;
  }
}

}  // namespace
}  // namespace entente::detect
