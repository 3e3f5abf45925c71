// The engine of validate(): one pass over the members of an object against its table, then the rules over several
// properties. Nothing is allocated unless there is a finding; places are chains of frames on the stack until someone
// asks for the pointer.
#pragma once

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "stix/internal/model.h"
#include "stix/validate.h"

namespace entente::stix::internal {

// One step of a JSON pointer.
struct Frame {
  const Frame* up = nullptr;
  std::string_view key;
  int64_t index = -1;  // >= 0: a list member, and key is unused
};
[[nodiscard]] std::string pointer(const Frame* at);

// The known properties that an object has.
class Members {
 public:
  explicit Members(const Shape& shape) : shape_(shape) {}
  void set(int index, const json::Value& value) {
    present_ |= uint64_t{1} << index;
    values_[static_cast<size_t>(index)] = value;
  }
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  [[nodiscard]] const json::Value* find(std::string_view name) const {
    const int index = shape_.find(name);
    if (index < 0 || (present_ >> index & 1) == 0) return nullptr;
    return &values_[static_cast<size_t>(index)];
  }
  [[nodiscard]] std::optional<std::string_view> string(std::string_view name) const;
  [[nodiscard]] std::optional<bool> boolean(std::string_view name) const;
  [[nodiscard]] uint64_t present() const { return present_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }

 private:
  const Shape& shape_;
  uint64_t present_ = 0;
  std::array<json::Value, Shape::kMax> values_;
};

class Checker {
 public:
  Checker(const json::Value& root, const ValidateOptions& options, std::vector<Finding>& out)
      : root_(root), options_(options), out_(out) {}

  // The whole object; whether it had no error.
  bool run();

  [[nodiscard]] bool warnings() const { return options_.warnings; }
  [[nodiscard]] const json::Value& root() const { return root_; }
  [[nodiscard]] std::string_view id() const { return id_; }
  [[nodiscard]] std::string_view type() const { return type_; }

  // The parts are joined to the message, which ends with the section: of the rule, or `section` where a table knows
  // better.
  void report(Rule rule, const Frame* at, std::initializer_list<std::string_view> parts, std::string_view section = {});

 private:
  // Where an object stands: it decides on ids and references.
  enum class Place : uint8_t { kTop, kPart, kContainer };

  void object(const json::Value& value, const Shape& shape, const Frame* at, Place place);
  void finish(const Members& members, const Frame* at, Place place);
  void common(const Members& members);
  void unknown(const json::Object& members, const Shape& shape, const Frame* at, Place place);
  void unknown_member(std::string_view name, const json::Value& value, const Frame* at, Place place, bool excused);
  void check(const Check& check, const Members& members, const Frame* at);
  void order(const Check& check, const Members& members, const Frame* at);

  void property(const Property& p, const json::Value& value, const Frame* at);
  void list(const Property& p, const json::Value& value, const Frame* at);
  void single(const Property& p, const json::Value& value, const Frame* at);
  void text(const Property& p, std::string_view value, const Frame* at);
  void number(const Property& p, const json::Value& value, const Frame* at);
  void wrong_type(const Property& p, const json::Value& value, const Frame* at, std::string_view wanted);

  void own_id(std::string_view value, const Frame* at);
  // Splits and checks the form; the type part, or nothing after an error.
  std::optional<std::string_view> identifier(std::string_view value, const Frame* at, bool own);
  void reference(const Property& p, std::string_view value, const Frame* at);
  void marking_reference(std::string_view value, const Frame* at);
  void timestamp(const Property& p, std::string_view value, const Frame* at);
  void form(bool fits, const Property& p, std::string_view wanted, const Frame* at, Rule rule = Rule::kForm);
  void vocabulary(const Property& p, std::string_view value, const Frame* at);

  void anything(const json::Value& value, const Frame* at);
  void dictionary(const Property& p, const json::Value& value, const Frame* at);
  void dictionary_value(const Property& p, const json::Value& value, const Frame* at);
  void hashes(const json::Value& value, const Frame* at);
  void extensions(const json::Value& value, const Frame* at);
  void extension(std::string_view key, const json::Value& value, const Frame* at);
  void contents(const json::Value& value, const Frame* at);
  void container(const json::Value& value, const Frame* at);
  bool empty_object(const json::Value& value, const Frame* at, std::string_view wanted);

  const json::Value& root_;
  const ValidateOptions& options_;
  std::vector<Finding>& out_;
  std::string_view type_;                   // of the object whose members are being checked
  std::string_view id_;                     // of the root
  const json::Value* container_ = nullptr;  // inside `objects` of observed data
  bool toplevel_extension_ = false;         // an extension may have put properties at the top
  bool new_type_ = false;                   // an extension declares the type
  bool failed_ = false;
};

}  // namespace entente::stix::internal
