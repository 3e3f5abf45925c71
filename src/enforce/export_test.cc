#include "enforce/export.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "enforce/test_namespace.h"

namespace entente::enforce {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr Time kNow{1'800'000'000'000'000};

ExportItem item(const std::string& target, int number = 1, const std::string& party = "JP") {
  Lease l;
  l.id = static_cast<uint64_t>(number);
  l.target = *parse_target(target);
  l.partner = party;
  l.article = "Article 5(2)";
  l.agreement = "in-jp";
  l.indicator = "indicator--1";
  l.reason = "shared by " + party + ": phishing";
  l.start = kNow.plus_us(number * 1'000'000);
  l.end = kNow.plus_us(3'600'000'000);
  return ExportItem::of(l);
}

Exported made(ExportForm form, const std::vector<ExportItem>& items, size_t capacity = 1000) {
  ExportOptions o;
  o.form = form;
  o.capacity = capacity;
  o.now = kNow;
  o.serial = 7;
  return export_items(items, o);
}

const ExportFile& file(const Exported& e, std::string_view name) {
  static const ExportFile kNone;
  for (const ExportFile& f : e.files)
    if (f.name == name) return f;
  ADD_FAILURE() << "no file " << name;
  return kNone;
}

TEST(Export, TextHasOneValueALineInAFileForEachKind) {
  const Exported e = made(ExportForm::kText, {item("198.51.100.7"), item("2001:db8::/64"), item("*.evil.example")});
  EXPECT_EQ(file(e, "addresses.txt").bytes, "# entente: 2 entries\n198.51.100.7\n2001:db8::/64\n");
  EXPECT_EQ(file(e, "names.txt").bytes, "# entente: 1 entries\n*.evil.example\n");
}

// TLS fingerprints: each form says what it can, in files that a reader without them need not meet.
TEST(Export, TlsFingerprintsAreInEveryFormThatHasWordsForThem) {
  ExportItem ja3, ja4;
  ja3.kind = ExportKind::kJa3;
  ja3.text = "ada70206e40642a3e4461f35503241d5";
  ja4.kind = ExportKind::kJa4;
  ja4.text = "t13d1516h2_8daaf6152771_e5627efa2ab1";
  const std::vector<ExportItem> items{ja3, ja4, item("198.51.100.7")};
  Exported e = made(ExportForm::kText, items);
  EXPECT_EQ(file(e, "ja3.txt").bytes, "# entente: 1 entries\n" + ja3.text + "\n");
  EXPECT_EQ(file(e, "ja4.txt").bytes, "# entente: 1 entries\n" + ja4.text + "\n");
  EXPECT_THAT(file(e, "addresses.txt").bytes, Not(HasSubstr(ja3.text)));
  e = made(ExportForm::kCsv, items);
  EXPECT_THAT(file(e, "leases.csv").bytes, HasSubstr(ja3.text + ",ja3,drop"));
  EXPECT_THAT(file(e, "leases.csv").bytes, HasSubstr(ja4.text + ",ja4,drop"));
  e = made(ExportForm::kZeek, items);
  EXPECT_THAT(file(e, "entente-ja3.intel").bytes, HasSubstr("\n" + ja3.text + "\tIntel::JA3\t"));
  EXPECT_THAT(file(e, "entente.intel").bytes, Not(HasSubstr("JA3")));
  EXPECT_EQ(file(e, "entente.intel").entries, 1u);
  EXPECT_EQ(e.unsaid.at("Zeek's intelligence framework has no type for JA4"), 1u);
  e = made(ExportForm::kSuricata, items);
  EXPECT_EQ(file(e, "entente-ja3.lst").bytes, base64(ja3.text) + "\n");
  EXPECT_EQ(file(e, "entente-ja4.lst").bytes, base64(ja4.text) + "\n");
  const std::string& rules = file(e, "entente-fingerprints.rules").bytes;
  for (const char* part : {"alert tls any any -> any any", "alert quic any any -> any any",
                           "requires: feature ja3; ja3.hash; dataset:isset,",
                           "entente-ja3,type string,load entente-ja3.lst;", "ja4.hash; dataset:isset,entente-ja4,"})
    EXPECT_THAT(rules, HasSubstr(part));
  EXPECT_THAT(file(e, "entente.rules").bytes, Not(HasSubstr("ja3"))) << "older Suricatas read that file";
  for (const auto form : {ExportForm::kRpz, ExportForm::kNft}) EXPECT_FALSE(made(form, items).unsaid.empty());
  for (const auto& f : made(ExportForm::kSuricata, {item("198.51.100.7")}).files)
    EXPECT_NE(f.name, "entente-fingerprints.rules");
}

TEST(Export, AListWithoutEntriesIsThereAllTheSame) {
  EXPECT_EQ(file(made(ExportForm::kText, {}), "addresses.txt").bytes, "# entente: 0 entries\n");
}

TEST(Export, WhatIsOnlyCountedIsInNoListThatBlocks) {
  ExportItem counted = item("198.51.100.7");
  counted.drop = false;
  for (const auto form : {ExportForm::kText, ExportForm::kNft, ExportForm::kSuricata, ExportForm::kCsv}) {
    ExportOptions o;
    o.form = form;
    o.now = kNow;
    o.with_counting = form != ExportForm::kCsv;
    for (const auto& f : export_items({counted}, o).files) EXPECT_THAT(f.bytes, Not(HasSubstr("198.51.100.7")));
  }
  ExportOptions o;
  o.form = ExportForm::kCsv;
  o.with_counting = true;
  EXPECT_THAT(export_items({counted}, o).files.front().bytes, HasSubstr("198.51.100.7,address,count,JP"));
}

TEST(Export, CsvNamesPartyArticleLeaseAndEndOfEachLease) {
  const Exported e = made(ExportForm::kCsv, {item("198.51.100.7", 1, "JP"), item("198.51.100.7", 2, "AU")});
  EXPECT_EQ(e.entries, 1u);
  const std::string& text = file(e, "leases.csv").bytes;
  EXPECT_THAT(text, HasSubstr("198.51.100.7,address,drop,JP,Article 5(2),L1,2027-01-15T08:00:01"));
  EXPECT_THAT(text, HasSubstr("198.51.100.7,address,drop,AU,Article 5(2),L2,"));
  EXPECT_THAT(text, HasSubstr("2027-01-15T09:00:00"));
}

TEST(Export, WhatOthersWroteIsNoFormulaAndNoNewLineInACsv) {
  ExportItem i = item("198.51.100.7");
  i.reason = "=HYPERLINK(\"http://evil\")\n1.2.3.4,address,drop";
  const std::string text = file(made(ExportForm::kCsv, {i}), "leases.csv").bytes;
  EXPECT_THAT(text, HasSubstr(",\"'=HYPERLINK(\"\"http://evil\"\")"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(Export, AboveTheCapacityWhatDropsAndCameFirstGoesInAndTheRestIsNamed) {
  ExportItem counted = item("198.51.100.1", 0);
  counted.drop = false;
  ExportOptions o;
  o.form = ExportForm::kCsv;
  o.capacity = 2;
  o.with_counting = true;
  const Exported e =
      export_items({counted, item("198.51.100.4", 4), item("198.51.100.3", 3), item("198.51.100.2", 2)}, o);
  EXPECT_EQ(e.entries, 2u);
  EXPECT_THAT(e.files.front().bytes, HasSubstr("198.51.100.2,"));
  EXPECT_THAT(e.files.front().bytes, HasSubstr("198.51.100.3,"));
  ASSERT_EQ(e.left_out.size(), 2u);
  EXPECT_EQ(e.left_out[0].value(), "198.51.100.4");
  EXPECT_EQ(e.left_out[1].value(), "198.51.100.1");
  EXPECT_THAT(made(ExportForm::kText, {item("1.2.3.4", 1), item("1.2.3.5", 2)}, 1).files.front().bytes,
              HasSubstr("1 entries; 1 more were left out, this export holds 1\n"));
}

TEST(Export, OfTwoLeasesTheOneThatDropsAndEndsLastSpeaks) {
  ExportItem counted = item("198.51.100.7", 1), shorter = item("198.51.100.7", 2), longer = item("198.51.100.7", 3);
  counted.drop = false;
  counted.end = Time{INT64_MAX};
  shorter.end = kNow.plus_us(120'000'000);
  ExportOptions o;
  o.form = ExportForm::kZeek;
  o.with_counting = true;
  const std::string text = export_items({counted, shorter, longer}, o).files.front().bytes;
  EXPECT_THAT(text, HasSubstr("\tL3\t2027-01-15T09:00:00"));
  EXPECT_EQ(text.find("L1\t"), std::string::npos);
}

TEST(Export, ZeekIntelHasAHeaderAndAFieldForEachColumn) {
  ExportItem url;
  url.kind = ExportKind::kUrl;
  url.text = "http://evil.example/a\tb";
  ExportItem digest;
  digest.kind = ExportKind::kMd5;
  digest.text = std::string(32, 'a');
  const Exported e =
      made(ExportForm::kZeek, {item("198.51.100.7"), item("198.51.100.0/24"), item("*.evil.example"), url, digest});
  const std::string& text = file(e, "entente.intel").bytes;
  EXPECT_THAT(text,
              HasSubstr("\nevil.example\tIntel::DOMAIN\tentente-JP\tshared by JP: phishing; Article 5(2); lease L1\t"));
  EXPECT_THAT(text, HasSubstr("\n198.51.100.0/24\tIntel::SUBNET\t"));
  EXPECT_THAT(text, HasSubstr("\nevil.example/a"));
  EXPECT_THAT(text, HasSubstr("Intel::FILE_HASH\tentente-file\t-\t"));
  EXPECT_THAT(text, HasSubstr("#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\t"));
  EXPECT_EQ(e.unsaid.size(), 1u);  // what lies below the name
}

TEST(Export, SuricataTakesNamesAsASetAddressesAsReputationAndTreesAsRules) {
  ExportItem url;
  url.kind = ExportKind::kUrl;
  url.text = "http://evil.example:8080/a;b\"c";
  ExportItem sealed = url;
  sealed.text = "https://evil.example/x";
  const Exported e = made(ExportForm::kSuricata, {item("198.51.100.0/24"), item("*.evil.example"), url, sealed});
  EXPECT_EQ(file(e, "entente-names.lst").bytes, "ZXZpbC5leGFtcGxl\n");
  EXPECT_THAT(file(e, "entente-reputation.list").bytes, HasSubstr("\n198.51.100.0/24,1,100\n"));
  const std::string& rules = file(e, "entente.rules").bytes;
  EXPECT_THAT(rules, HasSubstr("dns.query; dotprefix; content:\".evil.example\"; nocase; endswith;"));
  // Neither quote nor semicolon of others stands in a rule.
  EXPECT_THAT(rules, HasSubstr("content:\"/a|3b|b|22|c\"; bsize:6;"));
  EXPECT_EQ(e.unsaid.at("what is asked for inside TLS no rule sees"), 1u);
}

TEST(Export, AZoneHasNamesOnlyAndTheSerialThatWasAskedFor) {
  const Exported e = made(ExportForm::kRpz, {item("198.51.100.7"), item("*.evil.example")});
  const std::string& text = file(e, "rpz.zone").bytes;
  EXPECT_THAT(text, HasSubstr("nobody.invalid. 7 30 10"));
  EXPECT_THAT(text, HasSubstr("\n*.evil.example CNAME .\n"));
  EXPECT_EQ(e.unsaid.size(), 1u);
}

TEST(Export, EqualEntriesAreEqualOctetsLater) {
  for (const auto form :
       {ExportForm::kText, ExportForm::kCsv, ExportForm::kZeek, ExportForm::kSuricata, ExportForm::kRpz}) {
    ExportOptions o;
    o.form = form;
    o.now = kNow;
    const auto a = export_items({item("198.51.100.7"), item("evil.example", 2)}, o);
    o.now = kNow.plus_us(60'000'000);
    const auto b = export_items({item("evil.example", 2), item("198.51.100.7")}, o);
    ASSERT_EQ(a.files.size(), b.files.size());
    for (size_t i = 0; i < a.files.size(); ++i) EXPECT_EQ(a.files[i].bytes, b.files[i].bytes);
  }
}

// The kernel is asked: the file is loaded, what it says is dropped, what is allowed passes, and ends come.
TEST(Export, TheNftablesFileBlocksInARealKernelAndEndsByItself) {
  const int code = in_namespace([](TestNet& net) {
    if (!net.there("192.0.2.10/32") || !net.there("192.0.2.20/32") || !net.there("203.0.113.5/32")) return 1;
    ExportItem soon = item("192.0.2.10");
    soon.end = kNow.plus_us(62'000'000);  // two seconds after the last moment at which the file may be loaded
    ExportItem over = item("192.0.2.99");
    over.end = kNow.plus_us(60'000'000);
    ExportOptions o;
    o.form = ExportForm::kNft;
    o.now = kNow;
    o.allow = {*parse_prefix("203.0.113.5"), *parse_prefix("10.0.0.0/8")};
    const Exported e = export_items({soon, over, item("192.0.2.16/28"), item("192.0.2.24/30"), item("203.0.113.0/24"),
                                     item("2001:db8::1"), item("2001:db8:1::/64")},
                                    o);
    EXPECT_EQ(e.files.front().bytes.find("192.0.2.99"), std::string::npos) << "it would end after its lease";
    char path[] = "/tmp/entente-export-XXXXXX";
    close(mkstemp(path));
    std::ofstream(path) << e.files.front().bytes;
    const std::string load = std::string("nft -f ") + path;
    const bool loaded = TestNet::shell(load) && TestNet::shell(load);  // a second time replaces it
    if (!loaded && std::system(load.c_str()) != 0) return 2;
    unlink(path);
    const int here = TestNet::udp("10.77.0.1", 7000);
    const int ten = net.udp_there("192.0.2.10", 7000), twenty = net.udp_there("192.0.2.20", 7000),
              allowed = net.udp_there("203.0.113.5", 7000);
    const auto arrives = [&](int from) {
      TestNet::send(from, "10.77.0.1", 7000, "x");
      return TestNet::receive(here) == "x";
    };
    if (arrives(ten)) return 3;
    if (arrives(twenty)) return 4;
    if (!arrives(allowed)) return 5;
    sleep(3);
    if (!arrives(ten)) return 6;    // its end has come
    if (arrives(twenty)) return 7;  // a range
    return 0;
  });
  if (code == kNoNamespace) GTEST_SKIP() << "no network namespaces on this machine";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace entente::enforce
