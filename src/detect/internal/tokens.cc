#include "detect/internal/tokens.h"

#include <algorithm>
#include <array>

#include "packet/address.h"
#include "pattern/normal.h"

namespace entente::detect {
namespace word {
namespace {

struct Classes {
  unsigned char of[256] = {};
  constexpr Classes() {
    for (int c = 0; c < 256; ++c) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      if (letter || (c >= '0' && c <= '9') || c == '-' || c == '_') of[c] = kWord;
      if (c >= 0x80 || c == '\\' || c == '@') of[c] = kOdd;
    }
    of[static_cast<int>('.')] = kDot;
    of[static_cast<int>(':')] = kColon;
  }
};

bool is_hex(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

static constexpr Classes kClasses;
const unsigned char kClass[256] = {
#define ROW(n)                                                                                                        \
  kClasses.of[n], kClasses.of[n + 1], kClasses.of[n + 2], kClasses.of[n + 3], kClasses.of[n + 4], kClasses.of[n + 5], \
      kClasses.of[n + 6], kClasses.of[n + 7]
    ROW(0),   ROW(8),   ROW(16),  ROW(24),  ROW(32),  ROW(40),  ROW(48),  ROW(56),  ROW(64),  ROW(72),  ROW(80),
    ROW(88),  ROW(96),  ROW(104), ROW(112), ROW(120), ROW(128), ROW(136), ROW(144), ROW(152), ROW(160), ROW(168),
    ROW(176), ROW(184), ROW(192), ROW(200), ROW(208), ROW(216), ROW(224), ROW(232), ROW(240), ROW(248)
#undef ROW
};

std::optional<ObservableKind> judge(std::string_view p, bool single_labels) {
  if (p.empty() || p.size() > 253) return std::nullopt;
  const size_t dot = p.rfind('.');
  if (dot == std::string_view::npos) {
    const bool digest = (p.size() == 32 || p.size() == 40 || p.size() == 64 || p.size() == 128) &&
                        std::all_of(p.begin(), p.end(), is_hex);
    if (digest) return ObservableKind::kHash;
    if (pattern::is_ja4(p)) return ObservableKind::kJa4;
    return single_labels && is_letter(p[0]) ? std::optional(ObservableKind::kDomain) : std::nullopt;
  }
  const std::string_view last = p.substr(dot + 1);
  if (is_digit(last[0])) return packet::parse_v4(p) ? std::optional(ObservableKind::kIpv4) : std::nullopt;
  if (!is_letter(last[0]) || last.find('_') != std::string_view::npos || last.size() < 2) return std::nullopt;
  return ObservableKind::kDomain;
}

std::string_view v6_of(std::string_view run) {
  constexpr size_t kLongest = 45;
  const auto is_v6 = [](std::string_view s) { return s.size() <= kLongest && packet::parse_v6(s).has_value(); };
  while (run.size() > 2 && run.back() == '.') run.remove_suffix(1);
  if (is_v6(run)) return run;
  const auto beyond_hex = [](char c) { return (is_letter(c) && !is_hex(c)) || c == '-' || c == '_'; };
  for (size_t colon = run.find(':'); colon != std::string_view::npos; colon = run.find(':')) {
    if (std::none_of(run.begin(), run.begin() + static_cast<std::ptrdiff_t>(colon), beyond_hex)) break;
    run.remove_prefix(colon + 1);
  }
  if (is_v6(run)) return run;
  if (run.empty() || run.back() != ':') return {};
  run.remove_suffix(1);
  return is_v6(run) ? run : std::string_view();
}

}  // namespace word

namespace {

bool is_scheme(char c) {
  return word::kClass[static_cast<unsigned char>(c)] == word::kWord ? c != '_' : c == '+' || c == '.';
}
bool is_url(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u > 0x20 && u != 0x7f && c != '"' && c != '<' && c != '>' && c != '`' && c != '{' && c != '}' && c != '|' &&
         c != '\\' && c != '^';
}
bool is_mailbox(char c) {  // RFC 5322 atext and the dot
  return word::kClass[static_cast<unsigned char>(c)] == word::kWord ||
         std::string_view(".!#$%&'*+/=?^`{|}~").find(c) != std::string_view::npos;
}

void each_url(std::string_view text, const TokenFn& fn) {
  for (size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://", at + 3)) {
    size_t begin = at, end = at + 3;
    while (begin > 0 && is_scheme(text[begin - 1])) --begin;
    while (begin < at && !word::is_scheme_start(text[begin])) ++begin;
    if (begin == at) continue;
    while (end < text.size() && is_url(text[end])) ++end;
    std::string_view url = text.substr(begin, end - begin);
    const bool whole = url.size() == text.size();
    fn(ObservableKind::kUrl, url);
    if (whole) continue;
    // In running text the sentence goes on behind the URL; a bracket belongs to it if it was opened in it.
    const std::string_view before = url;
    while (!url.empty() && std::string_view(".,;:!?'\")]*").find(url.back()) != std::string_view::npos &&
           !(url.back() == ')' && url.find('(') != std::string_view::npos))
      url.remove_suffix(1);
    if (url.size() != before.size()) fn(ObservableKind::kUrl, url);
  }
}

}  // namespace

void each_email(std::string_view text, const TokenFn& fn) {
  for (size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    size_t begin = at, end = at + 1;
    while (begin > 0 && at - begin < 64 && is_mailbox(text[begin - 1])) --begin;
    while (end < text.size() && (word::kClass[static_cast<unsigned char>(text[end])] & (word::kWord | word::kDot)) != 0)
      ++end;
    while (end > at + 1 && text[end - 1] == '.') --end;
    if (begin < at && end > at + 1) fn(ObservableKind::kEmail, text.substr(begin, end - begin));
    // Quotes and signs of assignment before the address are legal in it but seldom meant.
    size_t plain = at;
    while (plain > begin &&
           (word::kClass[static_cast<unsigned char>(text[plain - 1])] & (word::kWord | word::kDot)) != 0)
      --plain;
    if (plain > begin && plain < at && end > at + 1) fn(ObservableKind::kEmail, text.substr(plain, end - plain));
  }
}

void each_observable(std::string_view text, const Table::Shape& shape, const TokenFn& fn) {
  unsigned odd = 0;
  any_word(text, shape.single_labels, odd, [&](ObservableKind kind, std::string_view token) {
    fn(kind, token);
    return false;
  });
  if (shape.urls) each_url(text, fn);
  if (shape.emails && (odd & kOddAt) != 0) each_email(text, fn);
  if ((odd & kOddHigh) != 0 && text.size() <= 1000 && text.find_first_of(" /@:") == std::string_view::npos)
    fn(ObservableKind::kDomain, text);
}

std::optional<std::string> refang(std::string_view text) {
  struct Form {
    std::string_view from, to;
  };
  static constexpr std::array<Form, 10> kForms = {Form{"hxxps://", "https://"},
                                                  {"hxxp://", "http://"},
                                                  {"hXXps://", "https://"},
                                                  {"hXXp://", "http://"},
                                                  {"[.]", "."},
                                                  {"(.)", "."},
                                                  {"[:]", ":"},
                                                  {"[://]", "://"},
                                                  {"[at]", "@"},
                                                  {"[@]", "@"}};
  std::optional<std::string> out;
  for (const Form& f : kForms) {
    const std::string_view now = out ? std::string_view(*out) : text;
    if (now.find(f.from) == std::string_view::npos) continue;
    std::string next;
    size_t at = 0;
    for (size_t hit = now.find(f.from); hit != std::string_view::npos; hit = now.find(f.from, at)) {
      next.append(now.substr(at, hit - at)).append(f.to);
      at = hit + f.from.size();
    }
    next.append(now.substr(at));
    out = std::move(next);
  }
  return out;
}

}  // namespace entente::detect
