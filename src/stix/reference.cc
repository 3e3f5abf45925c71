// for_each_reference: a walk over the whole object with the pointer kept in one string. Depth is bounded by the
// parser's limit.
#include <string>

#include "stix/object.h"

namespace entente::stix {
namespace {

class Walk {
 public:
  explicit Walk(const std::function<void(const Reference&)>& fn) : fn_(fn) {}

  void value(const json::Value& v, std::string_view property) {
    if (v.is_object()) {
      members(v.get_object().value_unsafe(), property == "extensions");
    } else if (v.is_array()) {
      size_t i = 0;
      for (const auto item : json::as_array(v)) {
        const size_t mark = pointer_.size();
        pointer_ += '/';
        pointer_ += std::to_string(i++);
        value(item, {});
        pointer_.resize(mark);
      }
    }
  }

 private:
  void members(const json::Object& object, bool extensions) {
    for (const auto& member : object) {
      const size_t mark = pointer_.size();
      push(member.key);
      if (extensions && member.key.starts_with("extension-definition--")) {
        report("extensions", member.key, false);
      }
      if (member.key.ends_with("_ref") && member.value.is_string()) {
        report(member.key, member.value.get_string().value_unsafe(), false);
      } else if (member.key.ends_with("_refs") && member.value.is_array()) {
        list(member.key, member.value.get_array().value_unsafe());
      } else {
        value(member.value, member.key);
      }
      pointer_.resize(mark);
    }
  }

  void list(std::string_view property, const json::Array& items) {
    size_t i = 0;
    for (const auto item : items) {
      const size_t mark = pointer_.size();
      pointer_ += '/';
      pointer_ += std::to_string(i++);
      if (item.is_string()) report(property, item.get_string().value_unsafe(), true);
      pointer_.resize(mark);
    }
  }

  // Strings that are no ids are not references: the keys that link the parts of a 2.0 `objects` container, and
  // mistakes.
  void report(std::string_view property, std::string_view id, bool in_list) {
    if (parse_id(id)) fn_({pointer_, property, id, in_list});
  }

  void push(std::string_view key) {
    pointer_ += '/';
    for (const char c : key) {  // RFC 6901 §3
      if (c == '~')
        pointer_ += "~0";
      else if (c == '/')
        pointer_ += "~1";
      else
        pointer_ += c;
    }
  }

  const std::function<void(const Reference&)>& fn_;
  std::string pointer_;
};

}  // namespace

void for_each_reference(const json::Value& object, const std::function<void(const Reference&)>& fn) {
  Walk(fn).value(object, {});
}

}  // namespace entente::stix
