// Reading: strict I-JSON (RFC 7493) over simdjson's DOM. Untrusted text is fully validated once, when it comes in.
// Answers are made by splicing stored raw text, not by parsing it again.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Only the document model is used. The on-demand half and its kernels for six processors are two thirds of the header
// and would cost every unit a second; the library has its own kernels and picks one at run time.
#define SIMDJSON_BUILTIN_H
#include <simdjson.h>

#include "base/result.h"

namespace entente::json {

using Value = simdjson::dom::element;
using Object = simdjson::dom::object;
using Array = simdjson::dom::array;

struct Limits {
  size_t max_bytes = 512u << 20;
  int max_depth = 64;
};

// A parsed text and the memory that its Values point into. Movable; Values stay valid as long as the Document is not
// parsed into again.
class Document {
 public:
  Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  // Strict: valid UTF-8, no byte order mark, no duplicate names in one object (after unescaping), no lone surrogates,
  // integers within ±(2^53-1) in whatever notation (from 10^21 on a number is no integer any more: RFC 8785 writes it
  // with an exponent), finite numbers, depth <= max_depth, nothing after the value. Errors name line:column
  // where known, else the JSON pointer.
  Status parse(std::string_view text, const Limits& limits = {});
  [[nodiscard]] Value root() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] Result<Document> parse(std::string_view text, const Limits& limits = {});

// Requires: v is one; asserted. To be used in loops: in `for (… : v.get_object().value_unsafe())` the object is part of
// a temporary that is gone before the loop begins.
[[nodiscard]] Object as_object(const Value& v);
[[nodiscard]] Array as_array(const Value& v);
[[nodiscard]] std::string_view as_string(const Value& v);

// Members by name; nullopt if absent or of another type. O(members).
[[nodiscard]] std::optional<Value> find(const Value& object, std::string_view name);
[[nodiscard]] std::optional<std::string_view> find_string(const Value& object, std::string_view name);
[[nodiscard]] std::optional<int64_t> find_int(const Value& object, std::string_view name);
[[nodiscard]] std::optional<bool> find_bool(const Value& object, std::string_view name);
[[nodiscard]] std::optional<Array> find_array(const Value& object, std::string_view name);
[[nodiscard]] std::optional<Object> find_object(const Value& object, std::string_view name);
[[nodiscard]] std::vector<std::string_view> string_list(const std::optional<Array>& array);  // strings only

// The raw text of every element of the array at member `name` of the object `text`, in order; views into `text`.
// Leading and trailing white space is not included. Requires: text already passed Document::parse. kInvalid if there is
// no such array.
[[nodiscard]] Result<std::vector<std::string_view>> split_array(std::string_view text, std::string_view name);

// `text` (in quotes) escaped for JSON, minimally as RFC 8785 demands.
void append_quoted(std::string& out, std::string_view text);
[[nodiscard]] std::string quoted(std::string_view text);

// RFC 8785 (JCS): members sorted by UTF-16 code units, ECMAScript numbers, minimal escapes, no white space.
[[nodiscard]] std::string canonical(const Value& value);
[[nodiscard]] Result<std::string> canonical(std::string_view text);

}  // namespace entente::json
