// A document in words: as a page for people in English, Japanese or Hindi labels, and what another text would change.
// What the parties wrote (titles, names, ids) stays as they wrote it; only the labels are translated. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agreement/document.h"

namespace entente::agreement {

enum class Language : uint8_t { kEnglish, kJapanese, kHindi };
[[nodiscard]] std::optional<Language> parse_language(std::string_view text);  // en ja hi

struct PageTable {
  std::string heading;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};
struct Page {
  std::string title;
  std::vector<std::string> lines;  // under the title
  std::vector<PageTable> tables;
};
[[nodiscard]] Page describe(const Document& doc, Language language);
// One self-contained file without scripts and without anything loaded from elsewhere.
[[nodiscard]] std::string to_html(const Page& page, Language language);

// Article by article: enforced, evidenced or human, and which rules rest on it.
struct Coverage {
  std::string art, title, machine;
  std::vector<std::string> rules;  // "flow ioc", "protection strip-victim"
  std::string remark;              // an enforced article on which no rule rests, and the like
};
[[nodiscard]] std::vector<Coverage> coverage(const Document& doc);

// What changes from `before` to `after`, one sentence each; `wider` if more could be shared or done, or less is needed
// for it; `narrower` the other way; neither: it cannot be said, or both.
struct Change {
  std::string sentence;
  bool wider = false, narrower = false;
};
[[nodiscard]] std::vector<Change> changes(const Document& before, const Document& after);

}  // namespace entente::agreement
