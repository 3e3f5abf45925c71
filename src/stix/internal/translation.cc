#include "stix/internal/translation.h"

#include "stix/internal/checker.h"

namespace entente::stix::internal {
namespace {

class Comparison {
 public:
  explicit Comparison(const ReportShape& report) : report_(report) {}

  // Depth is bounded by the parser.
  void value(const json::Value& translated, const json::Value& original, const Frame* at) {
    if (original.is_string()) {
      if (!translated.is_string()) report_(pointer(at), "the translation of a text must be a text");
    } else if (original.is_array()) {
      list(translated, json::as_array(original), at);
    } else if (original.is_object()) {
      if (!translated.is_object()) return report_(pointer(at), "the translation of an object must be an object");
      members(translated, original, at);
    } else {
      report_(pointer(at), "the original is no text, so there is nothing to translate");
    }
  }

  void members(const json::Value& translated, const json::Value& original, const Frame* at) {
    for (const auto& member : json::as_object(translated)) {
      const Frame here{at, member.key};
      if (const auto source = json::find(original, member.key)) value(member.value, *source, &here);
    }
  }

 private:
  void list(const json::Value& translated, const json::Array& original, const Frame* at) {
    if (!translated.is_array()) return report_(pointer(at), "the translation of a list must be a list");
    const json::Array items = json::as_array(translated);
    if (items.size() != original.size()) {
      return report_(pointer(at), "the original has " + std::to_string(original.size()) + " members, the translation " +
                                      std::to_string(items.size()) + ": put \"\" where nothing is translated");
    }
    int64_t index = 0;
    auto source = original.begin();
    for (const json::Value item : items) {
      const Frame here{at, {}, index++};
      const json::Value from = *source;
      ++source;
      // "" stands for what is not translated, whatever it is.
      if (item.is_string() && json::as_string(item).empty()) continue;
      value(item, from, &here);
    }
  }

  const ReportShape& report_;
};

}  // namespace

void compare_shape(const json::Value& language_content, const json::Value& original, const ReportShape& report) {
  const auto contents = json::find(language_content, "contents");
  if (!contents || !contents->is_object()) return;
  const Frame top{nullptr, "contents"};
  for (const auto& language : json::as_object(*contents)) {
    const Frame here{&top, language.key};
    if (language.value.is_object()) Comparison(report).members(language.value, original, &here);
  }
}

}  // namespace entente::stix::internal
