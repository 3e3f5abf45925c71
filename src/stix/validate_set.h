// Rules over several objects, which no object shows alone: versions (STIX 2.1 §3.6), repeated and contradicting objects
// (§8), markings that mark each other (§7.2), translations beside what they translate (§7.1). Objects are given one
// after another, in any order, and are not kept: memory is bounded by an option whatever the length of the input.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "stix/validate.h"

namespace entente::stix {

// A finding may be about an object that was given earlier, so it names its object.
struct SetFinding {
  std::string object;  // id
  Finding finding;
};

// Not thread-safe; one per input. Takes any JSON object: what has no id or no legible times is validate()'s business
// and is passed over here.
class SetValidator {
 public:
  struct Options {
    bool warnings = true;
    // Octets for what is remembered. When they are used up the oldest half is forgotten: rules then hold between
    // objects that are near each other, and complete() is false. About 1.4 million objects fit in 256 MiB.
    size_t memory = size_t{256} << 20;
  };
  SetValidator();
  explicit SetValidator(const Options& options);
  SetValidator(SetValidator&&) noexcept;
  SetValidator& operator=(SetValidator&&) noexcept;
  ~SetValidator();

  // `text` is the object's JSON text, `object` the same parsed. Appends findings.
  void add(const json::Value& object, std::string_view text, std::vector<SetFinding>& out);

  // What can only be said when everything was seen. Call once, at the end.
  void finish(std::vector<SetFinding>& out);

  // Whether everything was remembered that the rules need.
  [[nodiscard]] bool complete() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::stix
