// Files of indicators, recognised by content, also gzip or zstd:
//   STIX 2.1 bundle, envelope, object, array or JSON lines: indicators with pattern_type "stix"; others are counted,
//   revoked ones left out
//   CSV with a header that has a column URL, domain, ip or hash (also "indicator", "value"), ja3 or ja4; a column
//   "type" (also "indicator_type", "ioc_type") that says "ja3" makes 32 hex digits of its row a JA3 fingerprint plain
//   list: one address, block, name, URL, digest, e-mail address or JA4 fingerprint per line; '#' begins a comment;
//   defanged forms are understood
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "detect/compound.h"
#include "detect/index.h"

namespace entente::detect {

struct LoadOptions {
  // A name of a list also stands for everything below it; its pattern then says so. Not of a public suffix ("co.jp",
  // "github.io"), below which is everybody.
  bool names_and_below = false;
  // Told of each indicator that single values decide, with those values. Not of compound patterns.
  std::function<void(const Indicator&, const std::vector<pattern::Atom>&)> each = {};
};

struct Loaded {
  std::shared_ptr<const Index> index;
  // Patterns that a single value does not decide (HuntOptions::compounds); their anchors are in the index too.
  std::shared_ptr<const Compounds> compounds;
  uint64_t indicators = 0;     // in the index, or compound
  uint64_t other_objects = 0;  // STIX objects that are no indicators
  uint64_t revoked = 0;
  uint64_t other_languages = 0;  // pattern_type is not "stix"
  struct Weak {
    std::string id, why;
  };
  std::vector<Weak> every_record;  // compound patterns without a value to look up: every record is evaluated for them
  std::vector<Weak> not_at_all;    // patterns that cannot be hunted for
  uint64_t lines_not_understood = 0;
  std::vector<std::string> notes;  // one sentence per file and cause
};

// kInvalid or kNotFound with the file's name: an indicator file that cannot be read in full is not half used.
[[nodiscard]] Result<Loaded> load_indicators(const std::vector<std::string>& files, const LoadOptions& options = {});

// The STIX pattern of one line of a list ("[domain-name:value = 'x.example']"); kInvalid if it is nothing of the above.
[[nodiscard]] Result<std::string> pattern_of_value(std::string_view value, const LoadOptions& options = {});
// Of a JA3 fingerprint, which by itself looks like an MD5.
[[nodiscard]] Result<std::string> pattern_of_ja3(std::string_view value);

}  // namespace entente::detect
