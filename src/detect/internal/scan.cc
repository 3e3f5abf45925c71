#include "detect/internal/scan.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "detect/internal/maybes.h"
#include "detect/internal/scan_kernel.h"
#include "detect/internal/tokens.h"
#include "packet/address.h"
#include "pattern/normal.h"

namespace entente::detect {
namespace {

using namespace scanning;

Functions functions_of(Kernel kernel) {
#if defined(__x86_64__)
  if (kernel == Kernel::kAvx512) return avx512_functions();
  if (kernel == Kernel::kAvx2) return avx2_functions();
#endif
  static_cast<void>(kernel);
  return scalar_functions();
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

// Which of 16 octets are underscores that have another 13 octets behind them.
unsigned underscores(const char* at) {
#if defined(__SSE2__)
  const auto is = [](const char* p) {
    return _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), _mm_set1_epi8('_'));
  };
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(is(at), is(at + 13))));
#else
  unsigned out = 0;
  for (unsigned i = 0; i < 16; ++i) out |= at[i] == '_' && at[i + 13] == '_' ? 1U << i : 0U;
  return out;
#endif
}

bool is_word(char c) { return (word::kClass[static_cast<unsigned char>(c)] & word::kWord) != 0; }
bool is_run(char c) {
  return (word::kClass[static_cast<unsigned char>(c)] & (word::kWord | word::kDot | word::kColon)) != 0;
}

}  // namespace

Maybes maybes(Kernel kernel) { return functions_of(kernel).maybes; }

const char* name(Kernel kernel) {
  switch (kernel) {
    case Kernel::kScalar:
      return "scalar";
    case Kernel::kAvx2:
      return "avx2";
    case Kernel::kAvx512:
      return "avx512";
  }
  return "";
}

const std::vector<Kernel>& kernels() {
  static const std::vector<Kernel> all = [] {
    std::vector<Kernel> out{Kernel::kScalar};
#if defined(__x86_64__)
    const bool bits =
        __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    if (bits && __builtin_cpu_supports("avx2")) out.push_back(Kernel::kAvx2);
    if (bits && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vbmi"))
      out.push_back(Kernel::kAvx512);
#endif
    return out;
  }();
  return all;
}

struct Scanner::Work {
  const Table& table;
  Functions fn;
  bool every;  // every word is a token to be judged by itself
  Seeds seeds{class_seed(KeyClass::kDomain), class_seed(KeyClass::kIpv4)};
  uint64_t digest_seed = class_seed(KeyClass::kHash);
  // Worst cases of one piece and a block: two octets for each token, one for everything else.
  static constexpr size_t kMost = kPiece + 64;
  std::vector<Token> tokens = std::vector<Token>(kMost / 2 + 2);
  std::vector<Question> names = std::vector<Question>(kMost / 2 + 2), addresses = std::vector<Question>(kMost / 2 + 2);
  std::vector<uint32_t> suspects = std::vector<uint32_t>(kMost + 4);
  std::vector<uint32_t> newlines = std::vector<uint32_t>(kMost), colons = std::vector<uint32_t>(kMost),
                        odd = std::vector<uint32_t>(kMost);
  std::vector<Span> hexes = std::vector<Span>(kMost / 2 + 2);
  struct Digest {
    uint64_t hash;
    Span span;
  };
  std::vector<Digest> digests;

  // Of the text that is scanned.
  const char* text = nullptr;
  uint32_t size = 0;
  Form form = Form::kJson;
  bool exact = false;
  uint32_t run_done = 0, odd_done = 0;
  std::vector<uint32_t>* needed = nullptr;

  Work(const Table& t, Kernel kernel)
      : table(t), fn(functions_of(kernel)), every(t.shape().single_labels || t.shape().odd_names) {}

  [[nodiscard]] Setup setup() const {
    Setup s{};
    // NUL is no class of its own and harmless where it does not occur.
    s.odd[0] = s.odd[2] = s.odd[3] = '\\';
    s.odd[1] = table.shape().emails ? '@' : '\\';
    if (form == Form::kText || exact) s.odd[2] = '[', s.odd[3] = '(';
    for (unsigned c = 0; c < 128; ++c) {
      const unsigned cls = word::kClass[c];
      const bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
      s.classes[c] = static_cast<unsigned char>(
          ((cls & word::kWord) != 0 ? kClassWord : 0) | ((cls & word::kDot) != 0 ? kClassDot : 0) |
          (letter ? kClassLetter : 0) | (is_hex(static_cast<char>(c)) ? kClassHex : 0) |
          ((cls & word::kColon) != 0 ? kClassColon : 0) | (c == '\n' ? kClassNewline : 0) |
          (std::find(std::begin(s.odd), std::end(s.odd), c) != std::end(s.odd) ? kClassOdd : 0) |
          (c == '"' ? kClassQuote : 0));
    }
    return s;
  }

  void need(uint32_t at) { needed->push_back(at); }

  // A word without colons, as any_word() would have it or more.
  [[nodiscard]] bool known_word(uint32_t begin, uint32_t end) const {
    std::string_view piece(text + begin, end - begin);
    const bool wildcard = piece.starts_with('.') && begin > 0 && text[begin - 1] == '*';
    while (!piece.empty() && piece.front() == '.') piece.remove_prefix(1);
    while (!piece.empty() && piece.back() == '.') piece.remove_suffix(1);
    if (piece.empty()) return false;
    if (const auto address = packet::parse_v4(piece); address && table.concerns_v4(address->v4_value())) return true;
    return table.concerns_name(piece, wildcard) || table.concerns_ja4(piece);
  }

  void colon_at(uint32_t at) {
    if (at < run_done) return;
    constexpr uint32_t kLongest = 64;
    uint32_t begin = at, end = at;
    while (at - begin < kLongest && begin > 0 && is_run(text[begin - 1])) --begin;
    while (end - at < kLongest && end < size && is_run(text[end])) ++end;
    run_done = end;
    std::string_view run(text + begin, end - begin);
    // Of a word before the address that is cut here no more is known than that it is one.
    if (at - begin == kLongest) run.remove_prefix(run.find(':') + 1);
    const auto address = packet::parse_v6(word::v6_of(run));
    if (address && table.concerns_v6(*address)) need(at);
  }

  void digest(const Span& span) {
    const uint64_t hash = hash_tail(text + span.end, span.end - span.begin, digest_seed);
    table.digests().prefetch(hash);
    digests.push_back({hash, span});
  }

  // A JA4 fingerprint is a word without a dot, which the tokeniser passes over. Its two underscores, 13 apart, are
  // rare.
  void ja4_in(uint32_t from, uint32_t to) {
    for (uint32_t at = from; at < to; at += 16) {
      for (unsigned mask = underscores(text + at); mask != 0; mask &= mask - 1) {
        const uint32_t here = at + static_cast<uint32_t>(std::countr_zero(mask));
        if (here >= to) return;
        if (here < 10 || (here > 10 && is_word(text[here - 11])) || is_word(text[here + 26])) continue;
        if (table.concerns_ja4({text + here - 10, pattern::kJa4Size})) need(here);
      }
    }
  }

  void email_at(uint32_t at) {
    // As each_email() does it, within a line by itself: line ends are no part of an address.
    const uint32_t from = at > 66 ? at - 66 : 0, to = std::min(size, at + 260);
    bool known = text[at] == '@' && form == Form::kTsv;  // fields may be split where raw text does not show it
    each_email(std::string_view(text + from, to - from), [&](ObservableKind, std::string_view mail) {
      known =
          known || (mail.data() <= text + at && mail.data() + mail.size() > text + at && table.concerns_email(mail));
      // An escape before it may be a part of it.
      known = known || (form == Form::kJson && mail.data() > text && mail.data()[-1] == '\\');
    });
    if (known) need_line(at);
  }

  void need_line(uint32_t at) {
    need(at);
    const void* end = std::memchr(text + at, '\n', size - at);
    odd_done = end == nullptr ? size : static_cast<uint32_t>(static_cast<const char*>(end) - text);
  }

  void odd_at(uint32_t at) {
    if (at < odd_done) return;
    const char c = text[at], next = text[at + 1];
    if (static_cast<unsigned char>(c) >= 0x80) return need_line(at);
    if (c == '@') return email_at(at);
    if (c != '\\') {  // a bracket: defanged
      if (next == '.' || next == ':' || ((next == '@' || next == 'a') && table.shape().emails)) need_line(at);
      return;
    }
    switch (form) {
      case Form::kTsv:
        if (next == 'x') need_line(at);
        return;
      case Form::kText:  // an escape only in an object behind a syslog header
        if (!ends_like_json(at)) return;
        [[fallthrough]];
      case Form::kJson:
        // \" \\ and \/ separate words as they stand. Of a control character's escape the letter would be taken for the
        // beginning of the word behind it.
        if (next == '"' || next == '\\' || next == '/') {
          odd_done = at + 2;
        } else {
          need_line(at);
        }
        return;
    }
  }

  [[nodiscard]] bool ends_like_json(uint32_t at) const {
    const auto* end = static_cast<const char*>(std::memchr(text + at, '\n', size - at));
    if (end == nullptr) end = text + size;
    return end[-1] == '}' || (end[-1] == '\r' && end[-2] == '}');
  }
};

Scanner::Scanner(const Table& table, Kernel kernel) : work_(std::make_unique<Work>(table, kernel)) {}
Scanner::~Scanner() = default;

void Scanner::scan(std::string_view lines, Form form, bool exact, std::vector<uint32_t>& ends,
                   std::vector<uint32_t>& needed) {
  Work& w = *work_;
  const char* text = lines.data();
  const size_t size = lines.size();
  w.text = text;
  w.size = static_cast<uint32_t>(size);
  w.form = form;
  w.exact = exact;
  w.run_done = w.odd_done = 0;
  w.needed = &needed;
  const auto before = static_cast<std::ptrdiff_t>(needed.size());
  const Setup setup = w.setup();
  const Tokenise tokenise = w.fn.tokenise[form == Form::kJson && !exact ? 1 : 0][w.every ? 1 : 0];
  const bool idle = w.table.keys() == 0;
  Carry carry;
  for (size_t at = 0; at < size; at += kPiece) {
    Found found{.tokens = w.tokens.data(),
                .newlines = w.newlines.data(),
                .colons = w.colons.data(),
                .odd = w.odd.data(),
                .hexes = w.hexes.data()};
    tokenise(text, at, std::min(at + kPiece, size), setup, carry, found);
    ends.insert(ends.end(), found.newlines, found.newlines + found.newline_count);
    if (idle) continue;
    for (size_t i = 0; i < found.hex_count; ++i) w.digest(found.hexes[i]);
    if (w.every) {
      for (size_t i = 0; i < found.token_count; ++i)
        if (w.known_word(found.tokens[i].begin, found.tokens[i].end)) w.need(found.tokens[i].begin);
    } else {
      const size_t n = w.fn.suspects(text, found.tokens, found.token_count, w.table, w.seeds, w.names.data(),
                                     w.addresses.data(), w.suspects.data());
      for (size_t i = 0; i < n; ++i) {
        const Token& t = found.tokens[w.suspects[i]];
        if (w.known_word(t.begin, t.end)) w.need(t.begin);
      }
    }
    for (const Work::Digest& d : w.digests)
      if (w.table.digests().maybe(d.hash) && w.table.concerns_digest({text + d.span.begin, d.span.end - d.span.begin}))
        w.need(d.span.begin);
    w.digests.clear();
    if (w.table.shape().ja4) w.ja4_in(static_cast<uint32_t>(at), static_cast<uint32_t>(std::min(at + kPiece, size)));
    for (size_t i = 0; i < found.colon_count; ++i) w.colon_at(found.colons[i]);
    for (size_t i = 0; i < found.odd_count; ++i) w.odd_at(found.odd[i]);
  }
  std::sort(needed.begin() + before, needed.end());
}

}  // namespace entente::detect
