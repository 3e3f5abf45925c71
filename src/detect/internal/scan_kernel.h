// The part of the scanner that is compiled once per instruction set: blocks to masks to tokens, tokens to suspects.
// Templates over Isa only, so that no code of one set is ever linked into another. Isa gives
//   Masks load<json>(const char*, const Setup&)       classes of 64 octets
//   bool maybe(const Bloom&, uint64_t hash)
//   bool parse4(const char* text, uint32_t size, uint64_t dots, uint32_t& address)   may say yes to a leading zero
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "detect/internal/table.h"

namespace entente::detect::scanning {

struct Masks {
  uint64_t word, dot, letter, hex, colon, newline;
  uint64_t odd;   // beyond ASCII, or one of Setup::odd
  uint64_t name;  // the quotation mark that ends the name of a member: a colon follows
};

struct Setup {
  unsigned char odd[4];        // what raw text cannot judge in this form; repeated where there are fewer
  unsigned char classes[128];  // kClass* of each ASCII character
};
enum : unsigned char {
  kClassWord = 1,
  kClassDot = 2,
  kClassLetter = 4,
  kClassHex = 8,
  kClassColon = 16,
  kClassNewline = 32,
  kClassOdd = 64,
  kClassQuote = 128
};

struct Token {
  uint32_t begin, end;
  uint64_t dots;  // bit 63: a dot at end - 1, bit 62: at end - 2, …; also dots before begin
};

struct Span {
  uint32_t begin, end;
};

// What is carried from block to block.
struct Carry {
  uint64_t run = 0, dot = 0, colon = 0, hex_or_colon = 0, joined = 0, near_colon = 0, hex_tops = 0;
  uint64_t hex = 0;
  unsigned char dotted = 0, long_hex = 0;  // the run that goes on has had what makes it a token, or a digest
  uint32_t begin = 0, hex_begin = 0;       // of the run begun last
};

// Of one piece of text; room for the worst case.
struct Found {
  Token* tokens;
  uint32_t *newlines, *colons, *odd;
  Span* hexes;  // of the sizes of digests
  size_t token_count = 0, newline_count = 0, colon_count = 0, hex_count = 0, odd_count = 0;
};

inline constexpr size_t kPiece = 16384;  // octets; a piece and what is found in it stay in the L1 and L2 caches

template <class Isa>
inline uint32_t* flatten(uint64_t mask, uint32_t base, uint32_t* out) {
  for (; mask != 0; mask &= mask - 1) *out++ = base + static_cast<uint32_t>(std::countr_zero(mask));
  return out;
}

// `json`: leave out names of members; `all_words`: words without a dot, and numbers, are tokens too.
template <class Isa, bool json, bool all_words>
void tokenise(const char* text, size_t from, size_t to, const Setup& setup, Carry& carry_in, Found& found) {
  Carry c = carry_in;
  Token* token = found.tokens + found.token_count;
  uint32_t* newline = found.newlines + found.newline_count;
  uint32_t* colon = found.colons + found.colon_count;
  Span* hex = found.hexes + found.hex_count;
  uint32_t* odd = found.odd + found.odd_count;
  for (size_t at = from; at < to; at += 64) {
    Masks m = Isa::template load<json>(text + at, setup);
    const auto base = static_cast<uint32_t>(at);
    if (to - at < 64) {
      const uint64_t valid = (uint64_t{1} << (to - at)) - 1;
      m = {m.word & valid,  m.dot & valid,     m.letter & valid, m.hex & valid,
           m.colon & valid, m.newline & valid, m.odd & valid,    m.name & valid};
    }

    // Runs of word characters and dots. A run is a token if a letter follows one of its dots (names) or two of its dots
    // are within four characters (addresses); a bit added there carries to just behind the run's end.
    const uint64_t run = m.word | m.dot;
    const uint64_t begins = run & ~(run << 1 | c.run >> 63);
    const uint64_t near_dots = (m.dot << 2 | c.dot >> 62) | (m.dot << 3 | c.dot >> 61) | (m.dot << 4 | c.dot >> 60);
    uint64_t marks = (m.letter & (m.dot << 1 | c.dot >> 63)) | (m.dot & near_dots);
    if constexpr (all_words) marks = run;
    unsigned long long sum = 0;
    const bool over1 = __builtin_uaddll_overflow(run, marks, &sum);
    const bool over2 = __builtin_uaddll_overflow(sum, c.dotted, &sum);
    uint64_t ends = sum & ~run & ~m.name;
    c.dotted = over1 || over2 ? 1 : 0;
    for (; ends != 0; ends &= ends - 1) {
      const auto e = static_cast<unsigned>(std::countr_zero(ends));
      const uint64_t before = begins & ((uint64_t{1} << e) - 1);
      token->begin = before != 0 ? base + 63 - static_cast<unsigned>(std::countl_zero(before)) : c.begin;
      token->end = base + e;
      token->dots = (m.dot << 1 << (63 - e)) | c.dot >> e;
      ++token;
    }
    if (begins != 0) c.begin = base + 63 - static_cast<unsigned>(std::countl_zero(begins));

    newline = flatten<Isa>(m.newline, base, newline);

    // An IPv6 address has two colons side by side or three that are within five characters of each other, each behind a
    // hex digit. (A time of day has two.)
    const uint64_t hex_or_colon = m.hex | m.colon;
    const uint64_t joined = m.colon & (hex_or_colon << 1 | c.hex_or_colon >> 63);
    uint64_t near = 0;
    if (joined != 0) {
      const auto close = [](uint64_t now, uint64_t before) {
        return (now << 1 | before >> 63) | (now << 2 | before >> 62) | (now << 3 | before >> 61) |
               (now << 4 | before >> 60) | (now << 5 | before >> 59);
      };
      near = joined & close(joined, c.joined);
      const uint64_t third = near & close(near, c.near_colon);
      const uint64_t pairs = m.colon & (m.colon << 1 | c.colon >> 63);
      colon = flatten<Isa>(third | pairs, base, colon);
    }
    c.joined = joined;
    c.colon = m.colon;
    c.near_colon = near;
    c.hex_or_colon = hex_or_colon;

    // 32 hex digits cover four of the places 7, 15, 23, … of the blocks.
    const uint64_t tops = (m.hex & 0x8080808080808080) * 0x0002040810204081 >> 56;
    const uint64_t places = tops << 3 | c.hex_tops;  // three of the block before
    uint64_t fours = places & places >> 1 & places >> 2 & places >> 3;
    c.hex_tops = tops >> 5;
    const uint64_t hex_begins = m.hex & ~(m.hex << 1 | c.hex >> 63);
    if ((fours | c.long_hex) != 0) {
      uint64_t tall = 0;  // where the last of the four stands
      for (; fours != 0; fours &= fours - 1) tall |= uint64_t{1} << (7 + 8 * std::countr_zero(fours));
      unsigned long long total = 0;
      const bool first = __builtin_uaddll_overflow(m.hex, tall, &total);
      const bool second = __builtin_uaddll_overflow(total, c.long_hex, &total);
      c.long_hex = first || second ? 1 : 0;
      for (uint64_t hex_ends = total & ~m.hex; hex_ends != 0; hex_ends &= hex_ends - 1) {
        const auto e = static_cast<unsigned>(std::countr_zero(hex_ends));
        const uint64_t before = hex_begins & ((uint64_t{1} << e) - 1);
        hex->begin = before != 0 ? base + 63 - static_cast<unsigned>(std::countl_zero(before)) : c.hex_begin;
        hex->end = base + e;
        const uint32_t n = hex->end - hex->begin;
        hex += n == 32 || n == 40 || n == 64 || n == 128 ? 1 : 0;
      }
    }
    if (hex_begins != 0) c.hex_begin = base + 63 - static_cast<unsigned>(std::countl_zero(hex_begins));
    c.hex = m.hex;

    odd = flatten<Isa>(m.odd, base, odd);
    c.run = run;
    c.dot = m.dot;
  }
  carry_in = c;
  found.token_count = static_cast<size_t>(token - found.tokens);
  found.newline_count = static_cast<size_t>(newline - found.newlines);
  found.colon_count = static_cast<size_t>(colon - found.colons);
  found.hex_count = static_cast<size_t>(hex - found.hexes);
  found.odd_count = static_cast<size_t>(odd - found.odd);
}

// A question to a filter, asked once the memory that answers it has been sent for.
struct Question {
  uint64_t hash;
  uint32_t token;
  uint32_t address;
};
struct Seeds {
  uint64_t name, address4;
};

// Which tokens may be known: their numbers, ascending only within names and addresses. Whatever is too long or too odd
// to be judged here is a suspect.
template <class Isa>
size_t suspects(const char* text, const Token* tokens, size_t count, const Table& table, const Seeds& seeds,
                Question* names, Question* addresses, uint32_t* out) {
  uint32_t* suspect = out;
  Question *name = names, *address = addresses;
  const Bloom &name_filter = table.names(), &address_filter = table.addresses4();
  for (size_t i = 0; i < count; ++i) {
    const Token& t = tokens[i];
    uint32_t end = t.end, size = t.end - t.begin;
    uint64_t dots = t.dots;
    uint32_t seen = 64;     // octets before the end of which the dots are known
    if (dots >> 63 != 0) {  // dots behind a name belong to the sentence
      const auto trailing = static_cast<uint32_t>(std::countl_one(dots));
      if (trailing >= size) continue;
      if (trailing == 64) {
        *suspect++ = static_cast<uint32_t>(i);
        continue;
      }
      seen -= trailing;
      end -= trailing;
      size -= trailing;
      dots <<= trailing;
    }
    const auto last = static_cast<uint32_t>(std::countl_zero(dots));  // size of the last label
    if (last >= size) continue;
    if (last >= std::min(seen, 60u)) {
      *suspect++ = static_cast<uint32_t>(i);
      continue;
    }
    const auto first = static_cast<unsigned char>(text[end - last]);
    const auto number = static_cast<uint32_t>(i);
    if (first - unsigned{'0'} < 10) {
      if (size > 15) {
        if (text[t.begin] == '.') *suspect++ = number;
        continue;
      }
      uint32_t value = 0;
      dots >>= 64 - size;
      if ((dots & 1) != 0) {
        *suspect++ = number;
        continue;
      }
      if (std::popcount(dots) != 3 || !Isa::parse4(text + t.begin, size, dots, value)) continue;
      if (!table.in_known16(value)) continue;
      const uint64_t hash = hash_v4(value, seeds.address4);
      address_filter.prefetch(hash);
      *address++ = {hash, number, value};
      continue;
    }
    const uint64_t rest = dots << (last + 1);
    const auto second = static_cast<uint32_t>(std::countl_zero(rest));
    if (rest == 0 && size > seen) {
      *suspect++ = number;
      continue;
    }
    const uint32_t two = std::min(size, last + 1 + second);  // size of the last two labels
    const uint64_t hash = hash_tail(text + end, two, seeds.name);
    name_filter.prefetch(hash);
    *name++ = {hash, number, 0};
  }
  for (const Question* q = names; q != name; ++q) {
    *suspect = q->token;
    suspect += Isa::maybe(name_filter, q->hash) ? 1 : 0;
  }
  for (const Question* q = addresses; q != address; ++q)
    if (Isa::maybe(address_filter, q->hash) || table.in_block4(q->address)) *suspect++ = q->token;
  return static_cast<size_t>(suspect - out);
}

// Many questions to one filter, whose lines are on their way.
template <class Isa>
void maybes(const Bloom& filter, const uint64_t* hashes, size_t count, uint8_t* yes) {
  for (size_t i = 0; i < count; ++i) yes[i] = Isa::maybe(filter, hashes[i]) ? 1 : 0;
}

using Tokenise = void (*)(const char* text, size_t from, size_t to, const Setup& setup, Carry& carry, Found& found);
struct Functions {
  Tokenise tokenise[2][2];  // [json][all_words]
  size_t (*suspects)(const char* text, const Token* tokens, size_t count, const Table& table, const Seeds& seeds,
                     Question* names, Question* addresses, uint32_t* out);
  void (*maybes)(const Bloom& filter, const uint64_t* hashes, size_t count, uint8_t* yes);
};
template <class Isa>
Functions functions() {
  return {{{&tokenise<Isa, false, false>, &tokenise<Isa, false, true>},
           {&tokenise<Isa, true, false>, &tokenise<Isa, true, true>}},
          &suspects<Isa>,
          &maybes<Isa>};
}
[[nodiscard]] Functions scalar_functions();
#if defined(__x86_64__)
[[nodiscard]] Functions avx2_functions();
[[nodiscard]] Functions avx512_functions();
#endif

}  // namespace entente::detect::scanning
