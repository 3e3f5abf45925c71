#include "misp/internal/path.h"

namespace entente::misp::internal {

Path parse_path(std::string_view text) {
  Path path;
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    path.steps.push_back({std::string(text), false});
    return path;
  }
  path.type = text.substr(0, colon);
  text.remove_prefix(colon + 1);
  while (!text.empty()) {
    Step step;
    if (text.front() == '\'') {
      const size_t end = text.find('\'', 1);
      step.name = text.substr(1, end - 1);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    } else {
      const size_t end = text.find_first_of(".[");
      step.name = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end);
    }
    if (text.starts_with('[')) {
      step.list = true;
      const size_t end = text.find(']');
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    if (text.starts_with('.')) text.remove_prefix(1);
    path.steps.push_back(std::move(step));
  }
  return path;
}

bool single(std::string_view path) { return path.find("[*]") == std::string_view::npos; }

}  // namespace entente::misp::internal
