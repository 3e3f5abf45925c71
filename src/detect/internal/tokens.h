// Finds what could be an observable in any text: addresses, names, digests, URLs, e-mail addresses. The same rules
// serve a raw line before it is parsed, a field after it, and plain text, so that the first never misses what the
// others would find.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "detect/index.h"
#include "detect/internal/table.h"

namespace entente::detect {

// What is found does not depend on what is looked for; names of one label only where a field says it is one.
inline constexpr Table::Shape kEveryShape{.urls = true, .emails = true, .single_labels = false, .odd_names = false};

using TokenFn = std::function<void(ObservableKind, std::string_view)>;

// Words: runs of letters, digits and ".-_:" that read as address, name (the last label begins with a letter) or digest.
// Stops and returns true as soon as `found` does. `oddities` gets the bits of kOdd* for characters that words cannot
// judge.
inline constexpr unsigned kOddBackslash = 1, kOddHigh = 2, kOddAt = 4;
template <class Found>
bool any_word(std::string_view text, bool single_labels, unsigned& oddities, const Found& found);

// All observables of a text: words, URLs, e-mail addresses. A name beyond ASCII only if it is the whole text.
void each_observable(std::string_view text, const Table::Shape& shape, const TokenFn& fn);

// Every '@' with what may be an address around it.
void each_email(std::string_view text, const TokenFn& fn);

// Undoes the usual ways of writing an indicator so that it cannot be clicked: hxxp, [.], (.), [:], [at]. nullopt if
// there is none.
[[nodiscard]] std::optional<std::string> refang(std::string_view text);

namespace word {

enum : unsigned char { kBreak = 0, kWord = 1, kDot = 2, kColon = 4, kOdd = 8 };
extern const unsigned char kClass[256];

[[nodiscard]] std::optional<ObservableKind> judge(std::string_view piece, bool single_labels);  // without colons
// The IPv6 address of a run of letters, digits and ".-_:": the whole of it, or what stands behind words with a colon
// ("IPv6:2001:db8::7", "src:…") and before stops or a colon that belong to the sentence. Empty: none.
[[nodiscard]] std::string_view v6_of(std::string_view run);
[[nodiscard]] inline bool is_scheme_start(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

}  // namespace word

template <class Found>
bool any_word(std::string_view text, bool single_labels, unsigned& oddities, const Found& found) {
  const auto cls = [&](size_t i) { return word::kClass[static_cast<unsigned char>(text[i])]; };
  for (size_t i = 0; i < text.size();) {
    if ((cls(i) & ~word::kOdd) == 0) {
      if ((cls(i) & word::kOdd) != 0) {
        const char c = text[i];
        oddities |= c == '\\' ? kOddBackslash : c == '@' ? kOddAt : kOddHigh;
      }
      ++i;
      continue;
    }
    const size_t begin = i;
    unsigned seen = 0, colons = 0;
    for (; i < text.size(); ++i) {
      const unsigned char c = cls(i);
      if ((c & ~word::kOdd) == 0) break;
      seen |= c;
      colons += c == word::kColon ? 1 : 0;
    }
    // Most words are names of fields and plain numbers: no dot, not the length of a digest.
    std::string_view run = text.substr(begin, i - begin);
    if ((seen & (word::kDot | word::kColon)) == 0 && run.size() < 32 && !single_labels) continue;
    if (const std::string_view v6 = colons >= 2 ? word::v6_of(run) : std::string_view(); !v6.empty()) {
      if (found(ObservableKind::kIpv6, v6)) return true;
      run = run.substr(0, static_cast<size_t>(v6.data() - run.data()));
    }
    for (size_t at = 0; at <= run.size();) {
      const size_t colon = colons == 0 ? run.size() : std::min(run.find(':', at), run.size());
      std::string_view piece = run.substr(at, colon - at);
      at = colon + 1;
      // "*.name" (certificates) is a name below, not the name itself.
      const bool wildcard = piece.starts_with('.') && piece.data() == run.data() && begin > 0 && text[begin - 1] == '*';
      if (wildcard) piece = {piece.data() - 1, piece.size() + 1};
      while (!piece.empty() && piece.front() == '.') piece.remove_prefix(1);
      while (!piece.empty() && piece.back() == '.') piece.remove_suffix(1);
      const auto kind = word::judge(piece, single_labels);
      if (kind && found(*kind, piece)) return true;
    }
  }
  return false;
}

}  // namespace entente::detect
