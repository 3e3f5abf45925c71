// Patterns that need more than one value: what a hunt finds through anchors is what the evaluator finds over all
// records of the log, written as STIX by hand here.
#include "detect/compound.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "detect/follow.h"
#include "detect/hunt.h"
#include "detect/load.h"
#include "json/json.h"
#include "packet/compose.h"
#include "packet/pcap.h"

namespace entente::detect {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

struct Set {
  std::shared_ptr<const Index> index;
  Compounds compounds;
};

// As the loader does it; the id of a pattern is its place.
Set set_of(const std::vector<std::string>& patterns) {
  Set out;
  Builder builder;
  for (size_t i = 0; i < patterns.size(); ++i) {
    const Indicator indicator{.id = std::to_string(i), .pattern = patterns[i]};
    const auto parsed = pattern::Pattern::parse(patterns[i]);
    EXPECT_TRUE(parsed.ok()) << patterns[i];
    const auto atoms = pattern::equality_atoms(*parsed);
    if (atoms.complete && !atoms.any_of.empty()) {
      builder.add(indicator, atoms.any_of);
      continue;
    }
    const auto anchors = out.compounds.add(indicator, *parsed);
    EXPECT_TRUE(anchors.ok()) << patterns[i] << ": " << (anchors.ok() ? "" : anchors.error().text());
    if (anchors.ok() && !anchors->empty()) builder.add({.tag = out.compounds.tag()}, *anchors);
  }
  out.index = std::move(builder).build();
  return out;
}

// "pattern: record record …", the records that are bound; of a pattern of one bracket the record.
std::vector<std::string> hunted(const std::string& log, const Set& set, HuntOptions options = {},
                                HuntReport* report = nullptr) {
  options.compounds = &set.compounds;
  std::vector<std::string> out;
  auto r = hunt_text(
      log, "x", *set.index,
      [&](const HuntMatch& m) {
        EXPECT_TRUE(json::parse(to_json(m)).ok()) << to_json(m);
        std::string line = m.indicator + ":";
        for (const auto& w : m.witness) line += " " + std::to_string(w.record);
        if (m.witness.empty()) line += " " + std::to_string(m.record);
        out.push_back(line);
      },
      options);
  EXPECT_EQ(r.matches, out.size());
  if (report != nullptr) *report = std::move(r);
  return out;
}

const char* const kDns =
    R"({"ts":"2026-01-01T00:00:00Z","id.orig_h":"10.0.0.5","id.orig_p":4000,"id.resp_h":"10.0.0.53","id.resp_p":53,"proto":"udp","query":"EVIL.example.","answers":["198.51.100.7"]})"
    "\n";
const char* const kConn =
    R"({"ts":"2026-01-01T00:00:03Z","id.orig_h":"10.0.0.5","id.orig_p":4001,"id.resp_h":"198.51.100.7","id.resp_p":8443,"proto":"tcp","service":"ssl","orig_bytes":1200})"
    "\n";

TEST(Compound, AndWithinOneRecord) {
  const auto set = set_of({
      "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port = 8443]",
      "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port = 443]",
      "[network-traffic:dst_ref.value ISSUBSET '198.51.100.0/24' AND network-traffic:src_byte_count > 1000]",
      "[network-traffic:src_ref.value = '198.51.100.7' AND network-traffic:dst_port = 8443]",
      "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:protocols[*] = 'ssl']",
      "[domain-name:value = 'evil.EXAMPLE' AND domain-name:resolves_to_refs[*].value = '198.51.100.7']",
      "[domain-name:value LIKE '%.example' AND domain-name:resolves_to_refs[0].value = '198.51.100.7']",
      "[domain-name:value MATCHES '^ev.l\\\\.']",
  });
  EXPECT_EQ(set.compounds.unanchored(), 1U);
  EXPECT_THAT(hunted(std::string(kDns) + kConn, set),
              testing::UnorderedElementsAre("5: 1", "6: 1", "7: 1", "0: 2", "2: 2", "4: 2"));
}

TEST(Compound, FollowedByOverFilesInAnyOrderOfNames) {
  const fs::path folder = fs::temp_directory_path() / ("entente_compound_" + std::to_string(getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "a-conn.log") << kConn;
  std::ofstream(folder / "z-dns.log") << kDns;
  const auto set = set_of({
      "[domain-name:value = 'evil.example'] FOLLOWEDBY [network-traffic:dst_ref.value = '198.51.100.7'] WITHIN 5 "
      "SECONDS",
      "([domain-name:value = 'evil.example'] FOLLOWEDBY [network-traffic:dst_ref.value = '198.51.100.7']) WITHIN 3 "
      "SECONDS",
      "[network-traffic:dst_ref.value = '198.51.100.7'] FOLLOWEDBY [domain-name:value = 'evil.example']",
  });
  HuntOptions options;
  options.compounds = &set.compounds;
  std::vector<std::string> lines;
  const auto report = hunt({folder}, *set.index, [&](const HuntMatch& m) { lines.push_back(to_json(m)); }, options);
  fs::remove_all(folder);
  ASSERT_THAT(lines, ElementsAre(HasSubstr(R"("indicator":"0")")));
  // The witness: both records, by time, each with the value that drew attention to it.
  EXPECT_THAT(lines[0], HasSubstr(R"("witness":[{"type":"domain-name","value":"EVIL.example","source":")"));
  EXPECT_THAT(lines[0],
              HasSubstr(R"(a-conn.log","field":"id.resp_h","record":1,"time":"2026-01-01T00:00:03.000000Z"}])"));
  EXPECT_EQ(report.matches, 1U);
}

TEST(Compound, WhatNoRecordShowsAndWhatCostsEveryRecordIsSaid) {
  Compounds set;
  const auto add = [&](const std::string& text) {
    return set.add({.id = "i", .pattern = text}, *pattern::Pattern::parse(text));
  };
  EXPECT_FALSE(add("[windows-registry-key:key = 'x']").ok());
  EXPECT_FALSE(add("[domain-name:value MATCHES '(']").ok());
  for (size_t i = 0; i < Compounds::kMaxUnanchored; ++i) {
    const auto anchors = add("[domain-name:value != 'a" + std::to_string(i) + ".example']");
    ASSERT_TRUE(anchors.ok());
    EXPECT_THAT(*anchors, IsEmpty());
  }
  const auto over = add("[domain-name:value != 'b.example']");
  ASSERT_FALSE(over.ok());
  EXPECT_EQ(over.error().kind, ErrorKind::kTooLarge);
  EXPECT_TRUE(add("[domain-name:value != 'b.example' AND domain-name:value = 'c.example']").ok());
}

TEST(Compound, RecordsWithoutATimeAreNotBoundAndThatIsSaid) {
  const auto set = set_of({"[domain-name:value = 'a.example'] AND [domain-name:value = 'b.example']",
                           "[domain-name:value = 'a.example' AND domain-name:value LIKE '%example']"});
  HuntReport report;
  EXPECT_THAT(hunted("saw a.example\nsaw b.example\n", set, {}, &report), ElementsAre("1: 1"));
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("2 records tell no time")));
}

TEST(Compound, PacketsAreRecords) {
  using namespace packet;
  const auto set = set_of({
      "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port = 443 AND "
      "network-traffic:protocols[*] = 'tls']",
      "[domain-name:value = 'evil.example' AND domain-name:resolves_to_refs[*].value ISSUBSET '198.51.100.0/24'] "
      "FOLLOWEDBY [network-traffic:dst_ref.value = '198.51.100.7'] WITHIN 10 SECONDS",
      "[network-traffic:dst_ref.value = '198.51.100.7'] REPEATS 3 TIMES",
  });
  const auto a = *parse_address("10.0.0.5"), server = *parse_address("198.51.100.7"),
             resolver = *parse_address("10.0.0.53");
  std::string file = pcap_header(LinkType::kEthernet);
  const auto put = [&](int64_t seconds, const std::string& bytes) {
    append_pcap_packet(file, Time{seconds * 1'000'000}, bytes);
  };
  const DnsRecord answer{DnsType::kA, "evil.example", 60, "198.51.100.7"};
  put(100, compose_udp({resolver, a, 53, 4000, kUdp}, compose_dns_response(1, "evil.example", DnsType::kA, {answer})));
  put(101, compose_tcp({a, server, 4001, 443, kTcp}, 1, 0x18, compose_client_hello("shop.example")));
  const fs::path path = fs::temp_directory_path() / ("entente_compound_" + std::to_string(getpid()) + ".pcap");
  std::ofstream(path, std::ios::binary) << file;
  HuntOptions options;
  options.compounds = &set.compounds;
  std::vector<std::string> found;
  const auto report = hunt({path}, *set.index, [&](const HuntMatch& m) { found.push_back(m.indicator); }, options);
  fs::remove(path);
  EXPECT_THAT(report.errors, IsEmpty());
  EXPECT_THAT(found, ElementsAre("0", "1"));
}

// --- random patterns over random logs

// Events of known meaning, as a log line and, apart from the program, as STIX.
class World {
 public:
  explicit World(uint64_t seed) : r_(seed) {}
  int number(int low, int high) { return low + static_cast<int>(r_() % static_cast<uint64_t>(high - low + 1)); }
  bool one_in(int n) { return number(1, n) == 1; }
  std::string name() {
    static const char* const kNames[] = {"a.example", "b.example", "www.a.example", "c.test"};
    return kNames[r_() % 4];
  }
  std::string address() {
    static const char* const kAddresses[] = {"198.51.100.7", "198.51.100.8", "203.0.113.9", "2001:db8::7"};
    return kAddresses[r_() % 4];
  }
  std::string digest() { return std::string(32, one_in(2) ? 'a' : 'b'); }
  std::string mail() { return one_in(2) ? "joe@a.example" : "ann@b.example"; }
  std::string port() {
    static const char* const kPorts[] = {"53", "443", "8443"};
    return kPorts[r_() % 3];
  }
  static std::string time(int ms) {
    return fmt::format("2026-01-01T00:{:02}:{:02}.{:03}Z", ms / 60000, ms / 1000 % 60, ms % 1000);
  }

  struct Event {
    std::string line, stix;
  };

  // As Zeek writes it; odd ways of writing the same included.
  Event event(int n, int ms) {
    ids_.clear();
    objects_.clear();
    std::string line = fmt::format(R"({{"ts":"{}","uid":"C{}")", time(ms), n);
    const std::string src = "10.0.0." + std::to_string(number(1, 3)), dst = address(), dport = port();
    line += fmt::format(R"(,"id.orig_h":"{}","id.orig_p":4000,"id.resp_h":"{}","id.resp_p":{},"proto":"tcp")", src, dst,
                        dport);
    const std::string src_id = endpoint(src), dst_id = endpoint(dst);
    std::string protocols = "\"tcp\"", extension;
    switch (number(0, 4)) {
      case 0: {  // a question and its answers
        const std::string query = name();
        line += fmt::format(R"(,"query":"{}")", spelled(query));
        std::string refs;
        if (one_in(2)) {
          const std::string one = address(), two = address();
          line += fmt::format(R"(,"answers":["{}","{}"])", one, two);
          refs = "\"" + endpoint(one) + "\"";
          if (two != one) refs += ",\"" + endpoint(two) + "\"";
        }
        object("domain-name", query,
               fmt::format(R"("value":"{}"{})", query, refs.empty() ? "" : R"(,"resolves_to_refs":[)" + refs + "]"));
        break;
      }
      case 1: {  // a file
        const std::string md5 = digest();
        line += fmt::format(R"(,"md5":"{}","filename":"f.exe","total_bytes":{})", md5, 100);
        object("file", "f", fmt::format(R"("name":"f.exe","size":100,"hashes":{{"MD5":"{}"}})", md5));
        // A name of a file reads as a name too.
        object("domain-name", "f.exe", R"("value":"f.exe")");
        break;
      }
      case 2: {  // a request
        const std::string host = name();
        line += fmt::format(R"(,"method":"GET","host":"{}","uri":"/p?q=1")", spelled(host));
        object("domain-name", host, fmt::format(R"("value":"{}")", host));
        object("url", "u", fmt::format(R"("value":"http://{}/p?q=1")", host));
        extension = R"(,"extensions":{"http-request-ext":{"request_method":"get","request_value":"/p?q=1"}})";
        break;
      }
      case 3: {  // a message
        const std::string from = mail(), to = mail();
        line += fmt::format(R"(,"mailfrom":"<{}>","rcptto":["<{}>"],"subject":"Hello")", from, to);
        mail_address(from);
        mail_address(to);
        object("email-message", "m",
               fmt::format(R"("subject":"Hello","from_ref":"email-addr--{}","to_refs":["email-addr--{}"])", from, to));
        break;
      }
      default:
        line += R"(,"service":"ssl","orig_bytes":5000)";
        protocols += ",\"ssl\"";
        extension = R"(,"src_byte_count":5000)";
    }
    object("network-traffic", "t",
           fmt::format(R"("src_ref":"{}","dst_ref":"{}","src_port":4000,"dst_port":{},"protocols":[{}]{})", src_id,
                       dst_id, dport, protocols, extension));
    std::string refs, list;
    for (const auto& [id, text] : objects_) {
      // Objects of one observation are its own: ids are made different for each.
      refs += (refs.empty() ? "\"" : ",\"") + id + "\"";
      list += text + ",";
    }
    std::string stix =
        list +
        fmt::format(
            R"({{"type":"observed-data","id":"observed-data--{}","first_observed":"{}","last_observed":"{}","number_observed":1,"object_refs":[{}]}})",
            n, time(ms), time(ms), refs);
    // Ids of one event are told from those of another.
    std::string unique;
    for (size_t at = 0; at < stix.size();) {
      const size_t hit = stix.find("--", at);
      if (hit == std::string::npos) {
        unique += stix.substr(at);
        break;
      }
      unique += stix.substr(at, hit + 2 - at) + "e" + std::to_string(n) + "-";
      at = hit + 2;
    }
    return {line + "}\n", unique};
  }

  std::string pattern(int depth) {
    const auto inner = [&] {
      return one_in(3) && depth > 0 ? "(" + pattern(depth - 1) + ")" + qualifier() : bracket() + qualifier();
    };
    std::string out = inner();
    const int more = depth > 0 ? number(0, 2) : 0;
    static const char* const kJoin[] = {" AND ", " OR ", " FOLLOWEDBY "};
    for (int i = 0; i < more; ++i) out += kJoin[r_() % 3] + inner();
    return out;
  }

 private:
  std::string spelled(const std::string& name) {
    std::string out = name;
    if (one_in(3)) out[0] = static_cast<char>(out[0] - 32);
    if (one_in(4)) out += ".";
    return out;
  }
  void object(const std::string& type, const std::string& key, const std::string& members) {
    const std::string id = type + "--" + key;
    if (std::find(ids_.begin(), ids_.end(), id) != ids_.end()) return;
    ids_.push_back(id);
    objects_.emplace_back(id, fmt::format(R"({{"type":"{}","id":"{}",{}}})", type, id, members));
  }
  std::string endpoint(const std::string& address) {
    const std::string type = address.find(':') == std::string::npos ? "ipv4-addr" : "ipv6-addr";
    object(type, address, fmt::format(R"("value":"{}")", address));
    return type + "--" + address;
  }
  void mail_address(const std::string& mail) {
    object("email-addr", mail, fmt::format(R"("value":"{}")", mail));
    // Its domain reads as a name.
    const std::string domain = mail.substr(mail.find('@') + 1);
    object("domain-name", domain, fmt::format(R"("value":"{}")", domain));
  }

  std::string test(int type) {
    switch (type) {
      case 0: {
        static const char* const kTests[] = {"= '{}'", "!= '{}'", "IN ('{}', 'z.example')", "NOT = '{}'", "LIKE '{}'"};
        if (one_in(5)) return one_in(2) ? "domain-name:value LIKE '%.a.example'" : "domain-name:value MATCHES '^[ab]'";
        if (one_in(4))
          return "domain-name:resolves_to_refs[*].value " +
                 (one_in(3) ? "ISSUBSET '198.51.100.0/24'" : "= '" + address() + "'");
        return "domain-name:value " + fmt::format(fmt::runtime(kTests[r_() % 5]), name());
      }
      case 1:
        switch (number(0, 7)) {
          case 0:
            return "network-traffic:dst_port = " + port();
          case 1:
            return "network-traffic:dst_port > " + port();
          case 2:
            return "network-traffic:src_ref.value = '10.0.0." + std::to_string(number(1, 3)) + "'";
          case 3:
            return "network-traffic:dst_ref.value ISSUBSET '198.51.100.0/24'";
          case 4:
            return "network-traffic:protocols[*] = 'ssl'";
          case 5:
            return "EXISTS network-traffic:extensions.'http-request-ext'";
          default:
            return "network-traffic:dst_ref.value = '" + address() + "'";
        }
      case 2:
        return one_in(3) ? "file:size >= 100"
                         : "file:hashes." + std::string(one_in(2) ? "MD5" : "'md5'") + " = '" + digest() + "'";
      case 3:
        return "url:value = 'http://" + name() + "/p?q=1'";
      case 4:
        return one_in(3)   ? "email-message:subject = 'Hello'"
               : one_in(2) ? "email-message:from_ref.value = '" + mail() + "'"
                           : "email-message:to_refs[*].value = '" + mail() + "'";
      default:
        return std::string("ipv4-addr:value ") + (one_in(3) ? "ISSUBSET '198.51.100.0/29'" : "= '203.0.113.9'");
    }
  }
  std::string bracket() {
    const int type = number(0, 5);
    std::string out = "[" + test(type);
    const int more = number(0, 2);
    for (int i = 0; i < more; ++i) {
      if (one_in(2)) {
        out += " AND " + test(type);
      } else {
        out += " OR " + test(number(0, 5));
      }
    }
    return out + "]";
  }
  std::string qualifier() {
    if (!one_in(3)) return "";
    switch (number(0, 2)) {
      case 0:
        return " WITHIN " + std::to_string(number(1, 8)) + " SECONDS";
      case 1:
        return " REPEATS " + std::to_string(number(1, 4)) + " TIMES";
      default:
        return fmt::format(" START t'{}' STOP t'{}'", time(number(0, 10) * 1000), time(number(5, 20) * 1000));
    }
  }

  std::mt19937_64 r_;
  std::vector<std::string> ids_;
  std::vector<std::pair<std::string, std::string>> objects_;
};

// Random compound patterns, random logs: which patterns match is what the evaluator says over all events of the log;
// which records are bound is what a stream over all events says; and what is bound is a binding by itself.
TEST(Compound, FindsWhatTheEvaluatorFindsOverTheWholeLog) {
  const char* const cases = std::getenv("ENTENTE_COMPOUND_CASES");
  const uint64_t rounds = cases != nullptr ? std::strtoull(cases, nullptr, 10) : 400;
  size_t matched = 0, several = 0, checks = 0, anchored = 0;
  for (uint64_t seed = 0; seed < rounds; ++seed) {
    World world(seed + 77);
    std::vector<std::string> patterns;
    while (patterns.size() < 8) {
      const std::string text = world.pattern(world.number(0, 2));
      const auto p = pattern::Pattern::parse(text);
      ASSERT_TRUE(p.ok()) << text << " " << p.error().text();
      if (pattern::equality_atoms(*p).complete) continue;
      // Half of the rounds without a pattern that makes every line be taken apart.
      if (seed % 2 == 0 && !pattern::anchors(*p).complete) continue;
      patterns.push_back(text);
    }
    const Set set = set_of(patterns);
    anchored += set.compounds.unanchored() == 0 ? 1 : 0;
    // Lines are not quite in the order of time.
    const int events = world.number(5, 40);
    std::vector<std::pair<int, World::Event>> all;
    for (int i = 0; i < events; ++i) {
      const int ms = std::max(0, i * 500 + world.number(-3, 3) * 250);
      all.emplace_back(ms, world.event(i, ms));
    }
    std::string log, stix = "[";
    for (const auto& [ms, e] : all) {
      log += e.line;
      stix += (stix.size() > 1 ? "," : "") + e.stix;
    }
    stix += "]";
    const auto whole = pattern::Observations::read(stix);
    ASSERT_TRUE(whole.ok()) << whole.error().text();

    // The stream over everything, in the order of time.
    std::vector<size_t> order(all.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return all[a].first < all[b].first; });
    pattern::PatternStream stream;
    std::vector<pattern::Matcher> matchers;
    for (size_t i = 0; i < patterns.size(); ++i) {
      matchers.push_back(*pattern::Matcher::compile(pattern::normalised(*pattern::Pattern::parse(patterns[i]))));
      ASSERT_TRUE(stream.add(i, matchers.back()).ok());
    }
    std::vector<std::string> expected;
    for (const size_t at : order) {
      const auto one = pattern::Observations::read("[" + all[at].second.stix + "]", {.only = &stream.symbols()});
      ASSERT_TRUE(one.ok());
      std::vector<pattern::StreamMatch> found;
      stream.push(*one, found);
      for (const auto& m : found) {
        std::string line = std::to_string(m.pattern) + ":";
        for (const uint64_t n : m.observed) line += " " + std::to_string(order[n] + 1);
        expected.push_back(line);
      }
    }
    auto got = hunted(log, set);
    const std::vector<std::string> as_told = got;
    std::sort(expected.begin(), expected.end());
    std::sort(got.begin(), got.end());
    ASSERT_EQ(got, expected) << "seed " << seed << "\n" << testing::PrintToString(patterns) << "\n" << log;

    // With every line taken apart, and with all there is to bind at once, it is the same.
    HuntOptions options;
    options.parse_all = true;
    options.kernel = Kernel::kScalar;
    ASSERT_EQ(hunted(log, set, options), as_told) << "seed " << seed;

    for (size_t i = 0; i < patterns.size(); ++i) {
      const auto result = matchers[i].match(*whole);
      ASSERT_NE(result.outcome, pattern::Outcome::kLimit);
      const auto own = std::find_if(got.begin(), got.end(),
                                    [&](const std::string& s) { return s.starts_with(std::to_string(i) + ":"); });
      ASSERT_EQ(own != got.end(), result.outcome == pattern::Outcome::kMatched)
          << "seed " << seed << " " << patterns[i] << "\n"
          << log;
      ++checks;
      if (own == got.end()) continue;
      ++matched;
      several += std::count(own->begin(), own->end(), ' ') > 1 ? 1 : 0;
    }
  }
  EXPECT_GT(matched, checks / 10);
  EXPECT_LT(matched, checks * 9 / 10);
  EXPECT_GT(several, checks / 20);
  EXPECT_GE(anchored, rounds / 2);
}

TEST(Compound, UnderLoadMemoryStaysUnderItsCapAndWhatIsLostIsSaid) {
  const auto set = set_of({"[domain-name:value = 'a.example'] REPEATS 5 TIMES WITHIN 60 SECONDS",
                           "[domain-name:value = 'b.example'] FOLLOWEDBY [domain-name:value = 'never.example']"});
  constexpr size_t kCap = 1 << 20;
  size_t most = 0, hits = 0;
  {
    Binder binder(set.compounds, [&](const HuntMatch& m) { hits += m.indicator == "0" ? 1 : 0; }, {.max_bytes = kCap});
    RecordScan scan(set.compounds, binder);
    Record record;
    for (int i = 0; i < 200'000; ++i) {
      record.clear();
      record.add(Role::kQuery, i % 2 == 0 ? "a.example" : "b.example");
      scan.look(record, {"x", static_cast<uint64_t>(i), Time{i * 1000}}, {}, [](const HuntMatch&) {});
      most = std::max(most, binder.memory_bytes());
    }
    binder.finish();
    EXPECT_EQ(binder.matches(), hits);
    // 100,000 of b.example are kept by nothing but the cap of a pattern.
    EXPECT_THAT(binder.notes(), testing::Contains(HasSubstr("records were given up (at most 1024 are kept")));
    EXPECT_EQ(binder.memory_bytes(), 0U);
  }
  EXPECT_LE(most, kCap + 4096);
  EXPECT_GT(most, kCap / 2);
  EXPECT_EQ(hits, 20'000U);  // each five of a.example, none lost: they came in order
}

TEST(Compound, LogsThatGrowAreBoundAsTheyCome) {
  const fs::path folder = fs::temp_directory_path() / ("entente_grow_" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::string log = folder / "x.log";
  const auto set =
      set_of({"[domain-name:value = 'evil.example'] FOLLOWEDBY [network-traffic:dst_ref.value = '198.51.100.7'] WITHIN "
              "5 SECONDS"});
  PosixFiles files;
  HuntOptions options;
  options.compounds = &set.compounds;
  std::vector<HuntMatch> found;
  Follower follower(
      {log}, folder / "state", files, *set.index, [&](const HuntMatch& m) { found.push_back(m); }, options);
  std::ofstream out(log, std::ios::app);
  out << "\n" << std::flush;
  ASSERT_TRUE(follower.start().ok());
  out << kDns << std::flush;
  ASSERT_TRUE(follower.poll().ok());
  EXPECT_THAT(found, IsEmpty());
  out << kConn << std::flush;
  ASSERT_TRUE(follower.poll().ok());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].witness.size(), 2U);
  EXPECT_EQ(follower.report().matches, 1U);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace entente::detect
