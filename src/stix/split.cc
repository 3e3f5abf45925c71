// split_objects: one entrance for everything that carries STIX objects. The form is recognised by content, never by a
// file name.
#include <string>

#include "stix/object.h"

namespace entente::stix {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The elements of a top-level array. Requires: text is valid JSON and an array.
std::vector<std::string_view> elements(std::string_view text) {
  std::vector<std::string_view> out;
  int depth = 0;
  size_t start = text.find('[') + 1;
  const auto take = [&](size_t end) {
    if (const auto item = trim(text.substr(start, end - start)); !item.empty()) out.push_back(item);
    start = end + 1;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '"':
        for (++i; text[i] != '"'; ++i) {
          if (text[i] == '\\') ++i;
        }
        break;
      case '[':
      case '{':
        ++depth;
        break;
      case ']':
      case '}':
        if (--depth == 0) take(i);
        break;
      case ',':
        if (depth == 1) take(i);
        break;
      default:
        break;
    }
  }
  return out;
}

Status all_objects(const std::vector<std::string_view>& items, std::string_view list) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].front() != '{') {
      return invalid("a STIX object must be a JSON object", std::string(list) + "/" + std::to_string(i));
    }
  }
  return {};
}

Status split_document(std::string_view text, json::Document& document, std::vector<std::string_view>& out) {
  CHECK_OK(document.parse(text));
  const json::Value root = document.root();
  std::vector<std::string_view> items;
  std::string_view list;
  if (root.is_array()) {
    items = elements(text);
  } else if (!root.is_object()) {
    return invalid("neither a STIX object nor a list of them", "",
                   "send a bundle, an envelope, an object or JSON lines");
  } else {
    const auto type = json::find(root, "type");
    // A TAXII envelope has neither type nor id; without anything to give it may be {} (TAXII 2.1 §3.7).
    const bool envelope = !type && !json::find(root, "id");
    const bool bundle = json::find_string(root, "type") == "bundle";
    if (!envelope && !bundle) {
      out.push_back(text);
      return {};
    }
    const auto objects = json::find(root, "objects");
    if (!objects && bundle) return {};
    if (!objects) {
      for (const auto& member : json::as_object(root)) {
        if (member.key != "more" && member.key != "next") {
          return invalid("neither a STIX object nor an envelope", "", "every STIX object has a type and an id");
        }
      }
      return {};
    }
    if (!objects->is_array()) return invalid("must be a list of objects", "/objects");
    TRY(items, json::split_array(text, "objects"));
    list = "/objects";
  }
  CHECK_OK(all_objects(items, list));
  out.insert(out.end(), items.begin(), items.end());
  return {};
}

// Within one JSON value `}` is never followed by `{`, so a line that ends with the one and a next that begins with the
// other tell JSON lines from a document that is spread over lines.
bool json_lines(std::string_view text) {
  const size_t end = text.find('\n');
  if (text.front() != '{' || end == std::string_view::npos) return false;
  const auto first = trim(text.substr(0, end));
  const size_t next = text.find_first_not_of(kSpace, end);
  return first.back() == '}' && next != std::string_view::npos && text[next] == '{';
}

}  // namespace

Result<std::vector<std::string_view>> split_objects(std::string_view text) {
  std::vector<std::string_view> out;
  json::Document document;
  const auto whole = trim(text);
  if (whole.empty()) return invalid("nothing there", "", "send a bundle, an envelope, an object or JSON lines");
  if (!json_lines(whole)) {
    // Not `whole`: positions in errors count from the start of what was given.
    if (const auto status = split_document(text, document, out); !status.ok()) return status.error();
    for (auto& object : out) object = trim(object);
    return out;
  }
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    ++number;
    const size_t end = std::min(text.find('\n', at), text.size());
    const auto line = trim(text.substr(at, end - at));
    at = end + 1;
    if (line.empty()) continue;
    if (const auto status = split_document(line, document, out); !status.ok()) {
      return status.error().at("line " + std::to_string(number));
    }
  }
  return out;
}

}  // namespace entente::stix
