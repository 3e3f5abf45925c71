#include "agreement/internal/leak.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

std::set<uint32_t> found(const LeakScanner& scanner, std::string_view text) {
  std::set<uint32_t> out;
  scanner.scan(text, [&](uint32_t n, bool) { out.insert(n); });
  return out;
}

// Names from a small alphabet, so that they share beginnings, middles and ends.
rc::Gen<std::string> name() {
  return rc::gen::resize(14, rc::gen::container<std::string>(rc::gen::element('a', 'b', '.', '-')));
}

RC_GTEST_PROP(Leak, finds_what_a_plain_search_finds, ()) {
  const auto names = *rc::gen::container<std::vector<std::string>>(name());
  const auto parts = *rc::gen::container<std::vector<std::string>>(name());
  std::string text = "x";
  for (const auto& p : parts) text += p + "ab";
  for (const auto& n : names) text += (n.size() % 2 == 0 ? n : "") + "?";
  LeakScanner scanner;
  std::set<uint32_t> expected;
  for (uint32_t i = 0; i < names.size(); ++i) {
    if (!scanner.add(names[i], i, false)) continue;
    if (text.find(names[i]) != std::string::npos) expected.insert(i);
  }
  scanner.compile();
  RC_ASSERT(found(scanner, text) == expected);
}

// Any token, in any disguise, wherever it stands among other needles and other text.
RC_GTEST_PROP(Leak, finds_every_disguise_wherever_it_stands, ()) {
  const auto octets = [](size_t least, size_t most, const std::string& from) {
    std::string out;
    for (size_t n = *rc::gen::inRange(least, most + 1); out.size() < n;)
      out += from[*rc::gen::inRange<size_t>(0, from.size())];
    return out;
  };
  const std::string letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  const std::string token =
      octets(1, 9, letters) + "." + octets(1, 9, letters) + octets(1, 2, "~?-_") + octets(1, 4, letters);
  LeakScanner scanner;
  for (uint32_t i = 0, n = *rc::gen::inRange<uint32_t>(0, 40); i < n; ++i)
    scanner.add(octets(3, 20, letters + ". -"), i + 100, *rc::gen::arbitrary<bool>());
  RC_ASSERT(scanner.add(token, 7, false));
  scanner.compile();
  std::string shown;
  bool plain = true, inside = true;  // `inside`: what stands beside it is a part of the same code
  switch (*rc::gen::inRange(0, 7)) {
    case 0:
      shown = token;
      break;
    case 1:
      for (char c : token) shown += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
      break;
    case 2:
      for (char c : token) shown += c == '.' ? std::string("[.]") : std::string(1, c);
      break;
    case 3:
      for (char c : token) shown += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      break;
    case 4:
      for (char c : token) shown += fmt::format("%{:02x}", static_cast<unsigned>(c));
      plain = false;
      break;
    default: {
      if (token.size() < 10) return;  // shorter ones are not looked for in base64
      const std::string around = octets(0, 9, letters) + token + octets(0, 9, letters + "~?");
      shown = *rc::gen::arbitrary<bool>() ? base64(around) : base64url(around);
      plain = inside = false;
    }
  }
  const std::string beside = inside ? letters + " .,:" : " ,:.";
  const std::string text = octets(0, 30, beside) + shown + octets(0, 30, beside);
  bool seen = false;
  scanner.scan(text, [&](uint32_t n, bool is_plain) { seen |= n == 7 && is_plain == plain; });
  if (!seen) RC_FAIL(token + " in " + text);
}

// A text of several lines: what ends them is written in many ways.
TEST(Leak, texts_of_several_lines_are_found_however_their_lines_end) {
  LeakScanner scanner;
  ASSERT_TRUE(scanner.add("Harbour Works\nPier 7\tNorth\n", 5, false));
  scanner.compile();
  for (const char* text :
       {R"(seen at Harbour Works\nPier 7\tNorth\n today)", R"(seen at HARBOUR works\u000aPier 7\u0009North\u000A)",
        "seen at harbour%20works%0apier%207%09north%0A", "seen at Harbour Works Pier 7 North today",
        R"(seen at Harbour Works\rPier 7 North\n)"})
    EXPECT_EQ(found(scanner, text), std::set<uint32_t>{5}) << text;
  EXPECT_EQ(found(scanner, base64("xHarbour Works\nPier 7\tNorth\n")), std::set<uint32_t>{5});
  EXPECT_TRUE(found(scanner, R"(Harbour Works\nPier 8\tNorth\n)").empty());
}

TEST(Leak, base64_is_found_at_every_offset_and_only_if_every_octet_is_there) {
  LeakScanner scanner;
  scanner.add("Vellichor Savings Bank 27", 7, true);
  scanner.compile();
  for (size_t before = 0; before < 6; ++before) {
    for (size_t after = 0; after < 4; ++after) {
      const std::string frame_a(before, 's'), frame_b(after, 't');
      EXPECT_EQ(found(scanner, "see " + base64(frame_a + "Vellichor Savings Bank 27" + frame_b)).size(), 1U)
          << before << ' ' << after;
      // Its neighbour in the list is another bank: they differ in the bits of the last character.
      EXPECT_TRUE(found(scanner, "see " + base64(frame_a + "Vellichor Savings Bank 23" + frame_b)).empty())
          << before << ' ' << after;
      EXPECT_TRUE(found(scanner, "see " + base64(frame_a + "vellichor Savings Bank 2" + frame_b)).empty());
    }
  }
}

// Only '~' and '?' at one of three places need the two octets in which base64url differs: too rare for chance alone.
TEST(Leak, base64url_is_found_with_each_of_its_own_two_octets) {
  for (const char odd : {'~', '?'}) {
    const std::string token = std::string("vellichor") + odd + "savings";
    LeakScanner scanner;
    scanner.add(token, 7, false);
    scanner.compile();
    size_t differ = 0;
    for (size_t before = 0; before < 3; ++before) {
      const std::string around = std::string(before, 's') + token + "tt";
      differ += base64url(around).find_first_of("-_") == std::string::npos ? 0 : 1;
      EXPECT_EQ(found(scanner, "see " + base64url(around) + " there").size(), 1U) << odd << ' ' << before;
    }
    EXPECT_EQ(differ, 1U) << odd;
  }
}

// 20,000 names under one ending took seconds once: every position at the ending met all of them.
TEST(Leak, names_with_one_ending_cost_what_other_names_cost) {
  auto seconds = [](auto make) {
    LeakScanner scanner;
    for (uint32_t i = 0; i < 20'000; ++i) scanner.add(make(i), i, true);
    scanner.compile();
    std::string text;
    for (uint32_t i = 0; i < 20'000; ++i) text += make(i * 7 % 20'000) + " ";
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(found(scanner, text).size(), 20'000U);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const double apart = seconds([](uint32_t i) { return fmt::format("{0:05}.host{0:05}", i); });
  const double alike = seconds([](uint32_t i) { return fmt::format("h{:05}.telecom.example", i); });
  EXPECT_LT(alike, 20 * apart + 0.1);
}

}  // namespace
}  // namespace entente::agreement::internal
