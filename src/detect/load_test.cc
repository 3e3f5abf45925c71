#include "detect/load.h"

#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>
#include <unistd.h>

#include "detect/hunt.h"
#include "detect/internal/facts.h"
#include "detect/internal/listed.h"

namespace entente::detect {
namespace {

namespace fs = std::filesystem;

std::string write(const std::string& name, std::string_view bytes) {
  const fs::path path = fs::temp_directory_path() / ("entente_load_" + std::to_string(getpid()) + "_" + name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

size_t matches(const Loaded& loaded, ObservableKind kind, std::string_view text) {
  std::vector<Hit> hits;
  loaded.index->match({kind, text, {}}, hits);
  return hits.size();
}

TEST(Load, EachFormOfAListLineIsItsPattern) {
  const std::pair<const char*, const char*> cases[] = {
      {"198.51.100.7", "[ipv4-addr:value = '198.51.100.7']"},
      {"198.51.100.7:8080", "[ipv4-addr:value = '198.51.100.7']"},
      {"198.51.100.9/24", "[ipv4-addr:value ISSUBSET '198.51.100.0/24']"},
      {"2001:DB8::0:1", "[ipv6-addr:value = '2001:db8::1']"},
      {"2001:db8::/32", "[ipv6-addr:value ISSUBSET '2001:db8::/32']"},
      {"Evil.EXAMPLE.", "[domain-name:value = 'evil.example']"},
      {"evil[.]example", "[domain-name:value = 'evil.example']"},
      {"b\u00fccher.example", "[domain-name:value = 'xn--bcher-kva.example']"},
      {"hxxps://Evil.example:443/it's", "[url:value = 'https://evil.example/it\\'s']"},
      {"evil.example/a", "[url:value = 'http://evil.example/a' OR url:value = 'https://evil.example/a']"},
      {"Joe@Mail.example", "[email-addr:value = 'joe@mail.example']"},
      {"D41D8CD98F00B204E9800998ECF8427E", "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']"},
  };
  for (const auto& [line, pattern] : cases) {
    const auto got = pattern_of_value(line);
    ASSERT_TRUE(got.ok()) << line;
    EXPECT_EQ(*got, pattern);
    const auto atoms = pattern::equality_atoms(*pattern::Pattern::parse(*got));
    EXPECT_TRUE(atoms.complete) << line << ": " << atoms.why;
    EXPECT_FALSE(atoms.any_of.empty());
  }
  for (const char* line : {"", "word", "two words.example", "1.2.3.4.5", "300.1.2.3", "/path/only", "http://",
                           "@x.example", "a@", "x.123"})
    EXPECT_FALSE(pattern_of_value(line).ok()) << line;
}

// Exports go by what they are told of: a value of a list counts there as much as a STIX indicator.
TEST(Load, WhoWantsToBeToldOfEachIsToldOfListsToo) {
  std::vector<std::string> told;
  const auto each = [&](const Indicator& i, const std::vector<pattern::Atom>&) { told.push_back(i.pattern); };
  const auto loaded = load_indicators({write("told", "198.51.100.7\nevil.example\n")}, {.each = each});
  ASSERT_TRUE(loaded.ok()) << loaded.error().text();
  EXPECT_EQ(loaded->indicators, 2U);
  EXPECT_EQ(told,
            (std::vector<std::string>{"[ipv4-addr:value = '198.51.100.7']", "[domain-name:value = 'evil.example']"}));
}

// Large lists are read without patterns; what is kept must be as if each value had gone through its pattern.
TEST(Load, PlainValuesAreWhatTheLongWayMakesOfThem) {
  static const std::vector<std::string> kSeeds = {"198.51.100.7",
                                                  "198.51.100.07",
                                                  "1.2.3",
                                                  "1.2.3.4.5",
                                                  "300.1.2.3",
                                                  "evil.example",
                                                  "a_b.evil-1.example",
                                                  "-a.example",
                                                  "a..example",
                                                  ".example",
                                                  "example.",
                                                  "x.123",
                                                  "x.12a",
                                                  "1a.2b",
                                                  "Evil.EXAMPLE",
                                                  "word",
                                                  std::string(63, 'a') + ".example",
                                                  std::string(64, 'a') + ".example",
                                                  "d41d8cd98f00b204e9800998ecf8427e",
                                                  "D41D8CD98F00B204E9800998ECF8427E",
                                                  std::string(40, 'a'),
                                                  std::string(64, '0'),
                                                  std::string(128, 'F'),
                                                  std::string(33, 'a'),
                                                  "http://Evil.example:80/it's?a=%7e#x",
                                                  "https://evil.example",
                                                  "https://198.51.100.7:8443/x",
                                                  "http://[2001:db8::1]/",
                                                  "http://",
                                                  "http://evil.example/a(b)",
                                                  "http://e\u00fc.example/",
                                                  "https://u:p@evil.example/../a",
                                                  "ftp://evil.example/a",
                                                  "evil.example/a",
                                                  "Joe@Mail.example",
                                                  "a@",
                                                  "@x.example",
                                                  "a@b@c.example",
                                                  "joe@mail.example:25",
                                                  "198.51.100.7:80",
                                                  "2001:db8::1",
                                                  "2001:DB8:0::/33",
                                                  "::ffff:198.51.100.7",
                                                  "::ffff:0:0/96",
                                                  "198.51.100.9/24",
                                                  "198.51.100.9/32",
                                                  "::/0",
                                                  "evil.example:80"};
  std::mt19937 random(7);
  size_t plain = 0;
  const auto check = [&](const std::string& text) {
    std::string scratch;
    const auto listed = plain_value(text, scratch);
    if (!listed) return;
    ++plain;
    const auto slow = pattern_of_value(text);
    ASSERT_TRUE(slow.ok()) << text;
    Builder fast, with_pattern;
    fast.add_listed(listed->kind, listed->value);
    with_pattern.add({.id = list_id(*slow), .pattern = *slow},
                     pattern::equality_atoms(*pattern::Pattern::parse(*slow)).any_of);
    const auto a = std::move(fast).build(), b = std::move(with_pattern).build();
    EXPECT_EQ(a->indicator(0).pattern, *slow) << text;
    EXPECT_EQ(a->indicator(0).id, b->indicator(0).id) << text;
    EXPECT_EQ(a->key_bytes(), b->key_bytes()) << text;
    EXPECT_EQ(a->memory_bytes(), b->memory_bytes()) << text;
  };
  for (const auto& seed : kSeeds) {
    check(seed);
    for (int i = 0; i < 300; ++i) {
      std::string text = seed;
      for (auto n = random() % 3; n > 0 && !text.empty(); --n) {
        static constexpr std::string_view kChars = "a0fGz.-_:/@%#?'([\\ ~\x7f";
        text[random() % text.size()] = kChars[random() % kChars.size()];
      }
      check(text);
    }
  }
  EXPECT_GT(plain, 2000u);
}

TEST(Load, ANameMayStandForEverythingBelowItAndItsPatternSaysSo) {
  const std::string file = write("names", "evil.example\n");
  const auto exact = load_indicators({file}), tree = load_indicators({file}, {.names_and_below = true});
  ASSERT_TRUE(exact.ok() && tree.ok());
  EXPECT_EQ(matches(*exact, ObservableKind::kDomain, "www.evil.example"), 0u);
  EXPECT_EQ(matches(*tree, ObservableKind::kDomain, "www.evil.example"), 1u);
  EXPECT_EQ(matches(*tree, ObservableKind::kDomain, "evil.example"), 1u);
  EXPECT_EQ(tree->index->indicator(0).pattern,
            "[domain-name:value = 'evil.example' OR domain-name:value LIKE '%.evil.example']");
}

TEST(Load, BelowAPublicSuffixIsEverybody) {
  for (const char* name : {"co.jp", "github.io"})
    EXPECT_EQ(*pattern_of_value(name, {.names_and_below = true}), "[domain-name:value = '" + std::string(name) + "']");
  EXPECT_NE(pattern_of_value("evil.co.jp", {.names_and_below = true})->find("LIKE"), std::string::npos);
}

TEST(Load, ListsWithCommentsAndCsvWithAHeader) {
  const auto list = load_indicators({write("list",
                                           "\xef\xbb\xbf# a comment\r\n\r\nevil.example # why\r\n198.51.100.7\t# "
                                           "why\r\nhttp://a.example/#top\r\nnot understood\r\n")});
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->indicators, 3u);
  EXPECT_EQ(list->lines_not_understood, 1u);
  EXPECT_EQ(list->notes.size(), 1u);
  const auto csv = load_indicators({write(
      "csv",
      "date,URL,description\n2023/06/01 09:37:00,https://evil.example/a,Shop\n2023/06/01,\"http://b.example/x,y\",\"a, "
      "b\"\n2023/06/01,,none\n")});
  ASSERT_TRUE(csv.ok());
  EXPECT_EQ(csv->indicators, 2u);
  EXPECT_EQ(csv->lines_not_understood, 1u);
  EXPECT_EQ(matches(*csv, ObservableKind::kUrl, "http://b.example/x,y"), 1u);
}

// A file is read in pieces of a quarter of a megabyte.
TEST(Load, ALineThatThePiecesOfAFileCutIsOneLine) {
  std::mt19937 r(3);
  for (const bool csv : {false, true}) {
    std::string text = csv ? "first_seen,domain\n" : "";
    std::vector<std::string> names;
    while (text.size() < 1'500'000) {
      names.push_back("n" + std::to_string(names.size()) + "." + std::string(1 + r() % 60, 'x') + ".example");
      text += csv ? "2026-01-01," + names.back() + "\n" : names.back() + (r() % 2 == 0 ? "\r\n" : "\n");
    }
    text.pop_back();  // the last line has no end
    const auto loaded = load_indicators({write("pieces", text)});
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(loaded->indicators, names.size());
    EXPECT_EQ(loaded->lines_not_understood, 0u);
    for (const std::string& name : names) ASSERT_EQ(matches(*loaded, ObservableKind::kDomain, name), 1u) << name;
  }
}

TEST(Load, WhatAFileIsShowsBehindAMarkAndMuchEmptySpace) {
  const std::string blank = "\xef\xbb\xbf" + std::string(600'000, '\n');
  const auto list = load_indicators({write("blank_list", blank + "evil.example\n")});
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->indicators, 1u);
  EXPECT_EQ(list->lines_not_understood, 0u);
  const auto stix = load_indicators(
      {write("blank_stix", blank + R"({"type":"indicator","spec_version":"2.1",)"
                                   R"("id":"indicator--0e9a2c7c-3d1c-4a3f-9c3e-0f8b7a6d5c4b",)"
                                   R"("pattern":"[domain-name:value = 'a.example']","pattern_type":"stix"})")});
  ASSERT_TRUE(stix.ok());
  EXPECT_EQ(stix->indicators, 1u);
  const auto nothing = load_indicators({write("blank", blank)});
  ASSERT_TRUE(nothing.ok());
  ASSERT_EQ(nothing->notes.size(), 1u);
  EXPECT_TRUE(nothing->notes[0].ends_with(": is empty")) << nothing->notes[0];
}

TEST(Load, StixIndicatorsAndThoseThatNoSingleValueDecides) {
  const auto indicator = [](const std::string& n, const std::string& pattern, const std::string& more = "") {
    return R"({"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-00000000000)" + n +
           R"(","created":"2026-01-01T00:00:00Z","modified":"2026-01-02T00:00:00Z","pattern":")" + pattern +
           R"(","pattern_type":")" + (more == "yara" ? "yara" : "stix") +
           R"(","valid_from":"2026-01-01T00:00:00Z","valid_until":"2026-06-01T00:00:00Z","confidence":70)" +
           (more == "revoked" ? R"(,"revoked":true)" : "") + "}";
  };
  const std::vector<std::string> objects = {
      indicator("1", "[domain-name:value = 'evil.example']"),
      indicator("2", "[domain-name:value = 'b.example' OR file:name = 'x']"),
      indicator("3", "[file:name = 'x']"),
      indicator("4", "[domain-name:value = 'c.example']", "revoked"),
      indicator("5", "rule x", "yara"),
      indicator("6", "[broken"),
      R"({"type":"identity","spec_version":"2.1","id":"identity--00000000-0000-4000-8000-000000000001"})"};
  std::string bundle, lines;
  for (const auto& o : objects) {
    bundle += (bundle.empty() ? "" : ",") + o;
    lines += o + "\n";
  }
  bundle = R"({"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000001","objects":[)" + bundle + "]}";
  for (const auto& text : {bundle, lines}) {
    const auto loaded = load_indicators({write("stix", text)});
    ASSERT_TRUE(loaded.ok()) << loaded.error().text();
    // 2 and 3 name files, which logs show; they have no value to look up, so every record is evaluated for them.
    EXPECT_EQ(loaded->indicators, 3u);
    EXPECT_EQ(loaded->compounds->size(), 2u);
    EXPECT_EQ(loaded->every_record.size(), 2u);
    EXPECT_EQ(loaded->not_at_all.size(), 1u);
    EXPECT_EQ(loaded->revoked, 1u);
    EXPECT_EQ(loaded->other_languages, 1u);
    EXPECT_EQ(loaded->other_objects, 1u);
    const Indicator first = loaded->index->indicator(0);
    EXPECT_EQ(to_text(first.valid_from), "2026-01-01T00:00:00.000000Z");
    EXPECT_EQ(first.confidence, 70);
    EXPECT_EQ(matches(*loaded, ObservableKind::kDomain, "evil.example"), 1u);
    HuntOptions options;
    options.compounds = loaded->compounds.get();
    std::string found;
    static_cast<void>(hunt_text(
        "{\"query\":\"b.example\"}\n{\"filename\":\"x\"}\n", "x", *loaded->index,
        [&](const HuntMatch& m) {
          found += m.indicator.substr(m.indicator.size() - 1) + std::to_string(m.record) + " ";
        },
        options));
    EXPECT_EQ(found, "21 22 32 ");
  }
}

TEST(Load, ADamagedFileIsRefusedByName) {
  for (const auto& [name, bytes] : std::vector<std::pair<std::string, std::string>>{
           {"bad.json", "{\"type\":"}, {"bad.gz", "\x1f\x8b\x08garbage"}}) {
    const auto loaded = load_indicators({write(name, bytes)});
    ASSERT_FALSE(loaded.ok());
    EXPECT_NE(loaded.error().text().find(name), std::string::npos) << loaded.error().text();
  }
  EXPECT_EQ(load_indicators({"/no/such"}).error().kind, ErrorKind::kNotFound);
}

TEST(Load, RealLists) {
  const std::string data = ENTENTE_DATA_DIR;
  if (!fs::exists(data + "/maltrail")) GTEST_SKIP() << "no real lists at " << data;
  const auto phishing = load_indicators({data + "/jpcert-phishurl/202306.csv"});
  ASSERT_TRUE(phishing.ok()) << phishing.error().text();
  EXPECT_GT(phishing->indicators, 5000u);
  EXPECT_LT(phishing->lines_not_understood * 100, phishing->indicators);

  const fs::path trails = fs::temp_directory_path() / ("entente_trails_" + std::to_string(getpid()) + ".txt");
  if (std::system(
          ("tar --zstd -xOf " + data + "/maltrail/malicious.tar.zst 2>/dev/null | head -n 60000 > " + trails.string())
              .c_str()) != 0)
    GTEST_SKIP() << "tar cannot read zstd here";
  const auto malware = load_indicators({trails, data + "/maltrail/mass_scanner_cidr.txt"});
  ASSERT_TRUE(malware.ok()) << malware.error().text();
  EXPECT_GT(malware->indicators, 30'000u);
  EXPECT_LT(malware->lines_not_understood * 10, malware->indicators);
  printf("maltrail: %lu indicators, %lu lines not understood; keys %.1f, all %.1f octets per indicator\n",
         malware->indicators, malware->lines_not_understood,
         static_cast<double>(malware->index->key_bytes()) / static_cast<double>(malware->indicators),
         static_cast<double>(malware->index->memory_bytes()) / static_cast<double>(malware->indicators));
  EXPECT_EQ(matches(*malware, ObservableKind::kIpv4, "5.63.151.77"), 1u);
  fs::remove(trails);
}

}  // namespace
}  // namespace entente::detect
