// Objects of one input, one after another: bundles, TAXII envelopes, lists, single objects, several of them in a row,
// and JSON lines, recognised by content. Memory is bounded by the largest object, not by the input: the list of a
// bundle is read object by object. What is wrong is reported where it is and what follows is read on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/json.h"

namespace entente::stix {

// Not thread-safe.
class ObjectStream {
 public:
  // Puts up to `room` octets to `to` and says how many; 0 at the end of the input.
  using Read = std::function<Result<size_t>(char* to, size_t room)>;

  struct Options {
    size_t max_object = size_t{64} << 20;  // octets of JSON text of one object (or line)
    int max_depth = 64;
  };

  struct Item {
    enum class Kind : uint8_t {
      kObject,
      kWrapper,  // a bundle or envelope, after its objects; `value` has one 0 in place of all of them
      kFault,    // text that is no object; `fault` says why
    };
    Kind kind = Kind::kObject;
    std::string_view text;       // of the object, without white space around it
    json::Value value;           // text, strictly parsed
    uint64_t line = 1;           // where it begins
    std::string place;           // JSON pointer in its document: "/objects/17", "" for an object alone
    std::optional<Error> fault;  // with the place in the input: "line:column" or "line /pointer"
  };

  explicit ObjectStream(Read read);
  ObjectStream(Read read, const Options& options);
  ObjectStream(ObjectStream&&) noexcept;
  ObjectStream& operator=(ObjectStream&&) noexcept;
  ~ObjectStream();

  // Whether there was one more; views in `item` are valid until the next call. An error only if reading failed: the
  // stream has ended then. After 1,000 faults without an object between them it gives up, with a last fault.
  [[nodiscard]] Result<bool> next(Item& item);

  [[nodiscard]] uint64_t octets() const;  // read so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads from memory, at most `chunk` octets at a time. `text` must live as long as the stream.
[[nodiscard]] ObjectStream::Read read_text(std::string_view text, size_t chunk = size_t{256} << 10);

}  // namespace entente::stix
