// What the sensor keeps of the objects it was given, so that it goes on where it was: one line per object and per
// position (docs/format/leases.md). Order in the file is order of arrival, so a file cut anywhere is an earlier state,
// which is only older.
#include <algorithm>
#include <map>

#include "json/json.h"
#include "sensor/core.h"

namespace entente::sensor {

namespace {

std::string path_of(const SensorConfig& config) { return config.state_dir + "/objects.jsonl"; }

// White space between tokens may hold line ends; in strings they are always escaped.
void append_one_line(std::string& out, std::string_view raw) {
  for (const char c : raw) out += c == '\n' || c == '\r' ? ' ' : c;
}

}  // namespace

void Core::append_objects(const Source& source, const std::vector<std::string_view>& objects,
                          std::optional<Time> position, Time now) {
  std::string out;
  for (const std::string_view raw : objects) {
    json::append(out, json::Node::object()
                          .set("c", source.collection)
                          .set("p", source.partner)
                          .set("a", source.agreement)
                          .set("t", now.us));
    out.back() = ',';  // for the closing brace
    out += "\"o\":";
    append_one_line(out, raw);
    out += "}\n";
  }
  if (position) {
    json::append(out, json::Node::object().set("c", source.collection).set("position", to_text(*position)));
    out += '\n';
  }
  // Once something did not get to the disk nothing that comes after it may, least of all a position: the next start
  // would not ask the node for it again.
  constexpr size_t kMaxUnkept = size_t{64} << 20;
  if (unkept_objects_.size() > kMaxUnkept) {
    objects_given_up_ = true;
    unkept_objects_.clear();
  }
  if (objects_given_up_) return;  // the next start asks from the last position that is on the disk
  unkept_objects_ += out;
  keep_objects();
}

void Core::keep_objects() {
  if (unkept_objects_.empty()) return;
  // A half line would spoil the next: the reader skips it.
  if (objects_torn_) unkept_objects_.insert(0, 1, '\n');
  const Status done = files_.append(path_of(config_), unkept_objects_, false);
  objects_torn_ = !done.ok();
  if (done.ok()) {
    unkept_objects_.clear();
  } else if (unkept_objects_.front() == '\n') {
    unkept_objects_.erase(0, 1);
  }
  said_("objects", done);
}

void Core::rewrite_objects() {
  const std::string path = path_of(config_);
  const auto text = files_.read(path);
  if (!text.ok()) return;
  std::map<std::pair<std::string, std::string>, std::string_view> newest;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const size_t eol = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, eol);
    rest.remove_prefix(std::min(eol + 1, rest.size()));
    const auto document = json::parse(line);
    if (!document.ok()) continue;
    const auto object = json::find(document->root(), "o");
    if (!object) continue;
    newest[{std::string(json::find_string(document->root(), "c").value_or("")),
            std::string(json::find_string(*object, "id").value_or(""))}] = line;
  }
  std::string kept;
  for (const auto& [key, line] : newest) (kept += line) += '\n';
  for (const auto& [collection, at] : positions_) {
    json::append(kept, json::Node::object().set("c", collection).set("position", to_text(at)));
    kept += '\n';
  }
  if (const auto done = files_.write_atomic(path, kept, 0600); !done.ok()) {
    say_error("what was destroyed stands in the list of objects still: {}", done.error().text());
    rewrite_due_ = true;
  }
}

Status Core::load_objects(Time) {
  const std::string path = path_of(config_);
  if (!files_.exists(path)) return {};
  TRY(const std::string text, files_.read(path));
  std::map<std::pair<std::string, std::string>, std::string_view> newest;  // collection and id -> line
  size_t lines = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t eol = rest.find('\n');
    if (eol == std::string_view::npos) break;  // torn
    const std::string_view line = rest.substr(0, eol);
    rest.remove_prefix(eol + 1);
    if (line.empty()) continue;
    const auto document = json::parse(line);
    if (!document.ok()) continue;
    ++lines;
    const json::Value v = document->root();
    const std::string collection(json::find_string(v, "c").value_or(""));
    if (const auto position = json::find_string(v, "position")) {
      if (const auto at = parse_time(*position); at.ok()) positions_[collection] = *at;
      continue;
    }
    const auto object = json::find(v, "o");
    if (!object) continue;
    const Source source{collection, std::string(json::find_string(v, "p").value_or("")),
                        std::string(json::find_string(v, "a").value_or(""))};
    take(source_number(source), simdjson::to_string(*object), Time{json::find_int(v, "t").value_or(0)});
    newest[{collection, std::string(json::find_string(*object, "id").value_or(""))}] = line;
  }
  // Many versions and recalls later most lines say nothing any more.
  if (lines > 2 * newest.size() + 1000 || !rest.empty()) {
    std::string kept;
    for (const auto& [key, line] : newest) (kept += line) += '\n';
    for (const auto& [collection, at] : positions_) {
      json::append(kept, json::Node::object().set("c", collection).set("position", to_text(at)));
      kept += '\n';
    }
    // On a full disk the old file stays as it is.
    if (const Status done = files_.write_atomic(path, kept, 0600); said_("objects", done)) objects_torn_ = true;
  }
  return {};
}

}  // namespace entente::sensor
