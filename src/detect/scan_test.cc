// The scanner of raw lines: its kernels agree on any octets at any alignment, it passes over no line in which the words
// of internal/tokens, taken one by one, show something the index knows, and it needs no line without reason.
#include "detect/internal/scan.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detect/index.h"
#include "detect/internal/tokens.h"
#include "packet/address.h"

namespace entente::detect {
namespace {

using pattern::AtomKind;
using testing::ElementsAre;
using testing::IsEmpty;

std::shared_ptr<const Index> index_of(const std::vector<pattern::Atom>& atoms) {
  Builder b;
  for (const auto& a : atoms) b.add({}, {a});
  return std::move(b).build();
}

const std::vector<pattern::Atom> kPlain = {
    {AtomKind::kIpv4, "203.0.113.7", {}},
    {AtomKind::kCidr4, "198.51.100.0/24", {}},
    {AtomKind::kIpv6, "2001:db8::7", {}},
    {AtomKind::kCidr6, "2001:db8:1::/48", {}},
    {AtomKind::kDomain, "evil.example", {}},
    {AtomKind::kDomainTree, "tree.example", {}},
    {AtomKind::kDomainBelow, "below.co.jp", {}},
    {AtomKind::kDomain,
     "a-name-of-many-letters.that-goes-on-and-on-and-on.so-that-it-has-more-than-sixty-four.octets.example",
     {}},
    {AtomKind::kMd5, "d41d8cd98f00b204e9800998ecf8427e", {}},
    {AtomKind::kSha1, "da39a3ee5e6b4b0d3255bfef95601890afd80709", {}},
    {AtomKind::kSha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", {}},
    {AtomKind::kSha512, std::string(120, '0') + "deadbeef", {}},
    {AtomKind::kUrl, "http://shop.example/a", {}},
    {AtomKind::kUrl, "http://192.0.2.9/z", {}},
    {AtomKind::kUrl, "http://[2001:db8::9]/z", {}},
};
std::vector<pattern::Atom> with(std::vector<pattern::Atom> atoms) {
  atoms.insert(atoms.end(), kPlain.begin(), kPlain.end());
  return atoms;
}
// Each shape that changes what the scanner looks out for.
std::vector<std::shared_ptr<const Index>> shapes() {
  return {index_of(kPlain),
          index_of(with({{AtomKind::kEmail, "joe@mail.example", {}}})),
          index_of(with({{AtomKind::kDomain, "wpad", {}}, {AtomKind::kUrl, "http://intranet/x", {}}})),
          index_of(with({{AtomKind::kUrl, "http://1.2.3/x", {}}})),
          index_of(with({{AtomKind::kJa4, "t13d1516h2_8daaf6152771_e5627efa2ab1", {}},
                         {AtomKind::kJa3, "ada70206e40642a3e4461f35503241d5", {}}})),
          index_of({{AtomKind::kDomain, "evil.example", {}}})};
}

// Pieces that come together to what almost is a value.
std::string piece(std::mt19937& r) {
  static const std::vector<std::string> kPieces = {
      "203.0.113.7",
      "203.0.113.70",
      "1203.0.113.7",
      "198.51.100.255",
      "198.51.101.0",
      "0203.0.113.7",
      "192.0.2.9",
      "2001:db8::7",
      "2001:DB8:0:0::7",
      "2001:db8:1:2:3:4:5:6",
      "::ffff:203.0.113.7",
      "2001:db8::9",
      "::",
      ":",
      "::1",
      "evil.example",
      "EVIL.eXample",
      "evil.example.",
      "www.evil.example",
      "x.tree.example",
      "tree.example",
      "below.co.jp",
      "a.b.below.co.jp",
      "*.tree.example",
      ".evil.example",
      "a-name-of-many-letters.that-goes-on-and-on-and-on.so-that-it-has-more-than-sixty-four.octets.example",
      "d41d8cd98f00b204e9800998ecf8427e",
      "D41D8CD98F00B204E9800998ECF8427E",
      "da39a3ee5e6b4b0d3255bfef95601890afd80709",
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      std::string(120, '0') + "deadbeef",
      "t13d1516h2_8daaf6152771_e5627efa2ab1",
      "T13D1516H2_8DAAF6152771_E5627EFA2AB1",
      "t13d1516h2_8daaf6152771_e5627efa2ab2",
      "_8daaf6152771_",
      "ada70206e40642a3e4461f35503241d5",
      "shop.example",
      "http://shop.example/a",
      "joe@mail.example",
      "joe[at]mail.example",
      "evil[.]example",
      "wpad",
      "intranet",
      "1.2.3",
      "17:15:20.865",
      "1521911720.865716",
      "id.orig_h",
      "\":",
      "\"",
      "\\",
      "\\\\",
      "\\/",
      "\\n",
      "\\u0065",
      "\\x2e",
      "\xc3\xa9",
      "\xff",
      " ",
      "\t",
      ",",
      ".",
      "..",
      "-",
      "_",
      "a",
      "7",
      "f",
      "/",
      "(",
      "[",
      "]",
      "@",
      "{",
      "}",
      "\r",
      std::string(70, 'a'),
      std::string(64, '.'),
      std::string(1, '\0')};
  return kPieces[r() % kPieces.size()];
}
std::string lines(std::mt19937& r) {
  std::string text;
  for (auto n = r() % 5; n > 0; --n) {
    switch (r() % 4) {
      case 0:
        for (auto k = r() % 200; k > 0; --k) text += static_cast<char>(r());
        break;
      case 1:
        text += "{\"query\":\"" + piece(r) + "\",\"n\":[\"" + piece(r) + "\"]}";
        break;
      default:
        for (auto k = r() % 12; k > 0; --k) text += piece(r);
    }
    text += '\n';
  }
  return text + '\n';
}

struct Result {
  std::vector<uint32_t> ends, needed;
  std::vector<size_t> lines;  // that are needed
  bool operator==(const Result&) const = default;
};
Result scan(const Index& index, const std::string& text, Form form, Kernel kernel, size_t align = 0, char pad = '\n',
            bool exact = false) {
  // Octets around the text that would make words of it if they were looked at.
  std::vector<char> room(2 * Scanner::kPad + text.size() + 128, pad);
  const auto address = reinterpret_cast<uintptr_t>(room.data() + Scanner::kPad);
  char* at = room.data() + Scanner::kPad + (64 - address % 64) % 64 + align;
  std::copy(text.begin(), text.end(), at);
  Scanner scanner(index.table(), kernel);
  Result out;
  scanner.scan({at, text.size()}, form, exact, out.ends, out.needed);
  for (const uint32_t n : out.needed) {
    const auto line = static_cast<size_t>(std::lower_bound(out.ends.begin(), out.ends.end(), n) - out.ends.begin());
    if (out.lines.empty() || out.lines.back() != line) out.lines.push_back(line);
  }
  return out;
}

TEST(Scan, KernelsAgreeOnAnyOctetsAtAnyAlignment) {
  std::mt19937 r(1);
  ASSERT_FALSE(kernels().empty());
  if (kernels().size() < 3)
    std::puts("note: this processor lacks an instruction set: a part of the kernels is not compared");
  for (const auto& index : shapes()) {
    for (int i = 0; i < 700; ++i) {
      const std::string text = lines(r);
      for (const Form form : {Form::kJson, Form::kTsv, Form::kText}) {
        const bool exact = r() % 2 == 0;
        const Result first = scan(*index, text, form, Kernel::kScalar, 0, '\n', exact);
        for (const Kernel kernel : kernels())
          ASSERT_EQ(scan(*index, text, form, kernel, r() % 64, "\na.7:@"[r() % 6], exact), first)
              << name(kernel) << "\n"
              << text;
      }
    }
  }
}

// A token at each place of the block, so that each straddles its end.
TEST(Scan, ATokenIsFoundAtEveryPlace) {
  const auto index = index_of(with({{AtomKind::kEmail, "joe@mail.example", {}}}));
  for (const Kernel kernel : kernels()) {
    for (const char* token :
         {"203.0.113.7", "198.51.100.255", "2001:db8::7", "2001:db8:1:2:3:4:5:6", "::ffff:203.0.113.7", "evil.example",
          "x.y.tree.example", "a.below.co.jp", "d41d8cd98f00b204e9800998ecf8427e", "joe@mail.example",
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "192.0.2.9", "http://[2001:db8::9]/z",
          "a-name-of-many-letters.that-goes-on-and-on-and-on.so-that-it-has-more-than-sixty-four.octets.example"}) {
      for (size_t before = 0; before < 200; ++before) {
        const std::string text = std::string(before, before % 2 == 0 ? ' ' : '"') + token + "\nnothing.here\n";
        EXPECT_THAT(scan(*index, text, Form::kText, kernel).lines, ElementsAre(0)) << name(kernel) << before << token;
        const std::string json = "{\"k\":\"" + std::string(before, 'x') + "\",\"v\":\"" + token + "\"}\n{\"k\":1}\n";
        EXPECT_THAT(scan(*index, json, Form::kJson, kernel).lines, ElementsAre(0)) << name(kernel) << before << token;
      }
    }
  }
}

// As a name of a member it is none.
TEST(Scan, NamesOfMembersAreNoValues) {
  const auto index = index_of(kPlain);
  for (const Kernel kernel : kernels())
    for (size_t before = 0; before < 80; ++before)
      EXPECT_THAT(
          scan(*index, "{\"" + std::string(before, 'x') + "\":1,\"evil.example\":2}\n", Form::kJson, kernel).lines,
          IsEmpty());
}

// By the words of a line one after the other: an implementation that shares neither masks nor hashes.
bool slow_needs(const Index& index, std::string_view line) {
  unsigned odd = 0;
  const Table::Shape shape = index.table().shape();
  std::vector<Hit> hits;
  const auto known = [&](ObservableKind kind, std::string_view word) {
    hits.clear();
    index.match({kind, word, {}}, hits);
    if (!hits.empty()) return true;
    const std::string plain = "http://" + std::string(word), bracketed = "http://[" + std::string(word) + "]";
    for (const std::string& url : {plain + "/a", plain + "/x", plain + "/z", bracketed + "/z"}) {
      hits.clear();
      index.match({ObservableKind::kUrl, url, {}}, hits);
      for (const Hit& h : hits)
        if (h.atom == AtomKind::kUrl) return true;
    }
    return false;
  };
  if (any_word(line, shape.single_labels, odd, known)) return true;
  bool mail = false;
  if (shape.emails) each_email(line, [&](ObservableKind kind, std::string_view m) { mail = mail || known(kind, m); });
  return mail;
}

TEST(Scan, NoLineIsPassedOverThatItsWordsWouldShow) {
  std::mt19937 r(2);
  size_t found = 0, passed = 0;
  for (const auto& index : shapes()) {
    for (int i = 0; i < 2000; ++i) {
      const std::string text = lines(r);
      for (const Form form : {Form::kTsv, Form::kText}) {
        const Result got = scan(*index, text, form, kernels()[r() % kernels().size()], r() % 64);
        size_t begin = 0;
        for (size_t line = 0; line < got.ends.size(); ++line) {
          const std::string_view words(text.data() + begin, got.ends[line] - begin);
          begin = got.ends[line] + 1;
          const bool needed = std::binary_search(got.lines.begin(), got.lines.end(), line);
          const bool slow = slow_needs(*index, words);
          ASSERT_TRUE(needed || !slow) << words;
          found += slow ? 1 : 0;
          passed += needed ? 0 : 1;
        }
      }
    }
  }
  EXPECT_GT(found, 1000u);
  EXPECT_GT(passed, 1000u);
}

TEST(Scan, ALineWithoutReasonIsNotNeeded) {
  const auto index = index_of(with({{AtomKind::kEmail, "joe@mail.example", {}}}));
  const std::string text =
      R"({"ts":"2018-03-24T17:15:20.865911Z","id.orig_h":"10.47.1.100","id.resp_h":"203.0.113.8","q":"notevil.example"})"
      "\n"
      R"({"q":"evil.example.org","m":"d41d8cd98f00b204e9800998ecf8427f","u":"http:\/\/other.example\/a","e":"ann@mail.example"})"
      "\n"
      R"({"q":"below.co.jp","a":"2001:db8::8","s":"CN=a\\,O=\"b\"","n":"www.evil.example","mac":"aa:bb:cc:dd:ee:ff"})"
      "\n";
  for (const Kernel kernel : kernels()) EXPECT_THAT(scan(*index, text, Form::kJson, kernel).lines, IsEmpty());
}

}  // namespace
}  // namespace entente::detect
