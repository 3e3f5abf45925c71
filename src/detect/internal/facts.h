// What is known of each indicator beside its atoms, packed: what follows from the atoms (the pattern of a plain value,
// the id that a list's value gets) or is as usual takes no memory, ids are 16 octets, versions are kept once each. A
// sample of offsets, as in Entries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "detect/index.h"
#include "detect/internal/entries.h"

namespace entente::detect {

// The pattern that says "one of these atoms": "[a:b = 'x' OR c:d ISSUBSET 'y']".
[[nodiscard]] std::string plain_pattern(const Entries& entries, uint32_t row);
// The id of a value of a list: the same pattern, the same id.
[[nodiscard]] std::string list_id(std::string_view pattern);

class Facts {
 public:
  // `row` of `entries`; requires the same order as add().
  [[nodiscard]] Indicator get(uint32_t row, const Entries& entries) const;
  // Without the texts.
  struct Validity {
    Time from, until;
  };
  [[nodiscard]] Validity validity(uint32_t row) const;
  [[nodiscard]] size_t memory_bytes() const;

  // Building: once per row, after its atoms were added to `entries`; `with_id`: its id was added to them too.
  void add(const Indicator& indicator, const Entries& entries, bool with_id = false);
  void add_listed();  // a row of which everything follows from its atoms: plain_pattern() and list_id() of it
  void copy(const Facts& from, uint32_t row);
  void finish();

 private:
  // How the id is kept: kIdApart: among the entries.
  enum : unsigned char {
    kIdListed = 1,
    kIdUuid = 2,
    kPattern = 4,
    kVersion = 8,
    kFrom = 16,
    kUntil = 32,
    kMore = 64,
    kIdApart = 128
  };
  static constexpr uint32_t kStep = 32;

  [[nodiscard]] size_t begin_of(uint32_t row) const;
  [[nodiscard]] size_t next(size_t at) const;
  template <class T>
  void put(const T& value);
  template <class T>
  [[nodiscard]] T take(size_t& at) const;
  uint32_t number_of(const std::string& version);
  void put_text(std::string_view text);
  std::string_view take_text(size_t& at) const;

  std::vector<char> bytes_;
  std::vector<uint64_t> samples_;
  std::vector<std::string> versions_;
  std::unordered_map<std::string, uint32_t> version_numbers_;  // while building
  uint32_t rows_ = 0;
};

}  // namespace entente::detect
