// Finds tokens (ids, names, values) in JSON text, however they are written there: plain, JSON-escaped, in any ASCII
// case, defanged, percent-encoded, base64 or base64url, and names of the domain system in Unicode or Punycode. Cost is
// linear in the octets scanned.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace entente::agreement::internal {

// ASCII lower case, defanging undone: the form in which tokens are compared.
[[nodiscard]] std::string folded(std::string_view token);

class LeakScanner {
 public:
  static constexpr size_t kMinBytes = 3;  // shorter tokens would be in every text

  // `word`: counts only where it does not continue to a longer word. Returns false if the token is too short to be
  // looked for.
  bool add(std::string_view token, uint32_t number, bool word);
  // After the last add.
  void compile();
  // fn(number, plain): plain is false where the token was hidden in base64 or percent-encoding. A token may be reported
  // many times.
  void scan(std::string_view raw, const std::function<void(uint32_t, bool)>& fn) const;

 private:
  struct Needle {
    std::string text;
    uint32_t number = 0;
    bool word = false;
    uint32_t key_end = 0;  // its key is text[key_end - kKey, key_end)
    uint32_t next = 0;     // 1 + index of the next needle with the same key
    std::string octets;    // base64 only: what was encoded,
    uint32_t shift = 0;    // and how many octets of its neighbour stand before it in its first group
  };
  // Needles by the kKey octets of theirs that fewest others have (thousands of names may end in ".example"), with a
  // bitmap before the table: nearly every position fails at the bitmap.
  template <size_t kKey>
  struct Table {
    std::vector<Needle> needles;
    std::vector<uint64_t> bitmap;
    int shift = 0;                                 // hash bits not used
    std::unordered_map<uint64_t, uint32_t> first;  // key -> 1 + index
    void compile();
    void scan(std::string_view text, const std::function<void(const Needle&, size_t at)>& fn) const;
  };
  static bool decodes_to(const Needle& needle, std::string_view text, size_t at);
  void add_plain(std::string text, uint32_t number, bool word);
  void add_encoded(std::string_view text, uint32_t number);

  Table<8> long_;
  Table<3> short_;
  Table<8> encoded_;  // case-sensitive, over the unescaped text
};

}  // namespace entente::agreement::internal
