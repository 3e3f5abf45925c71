#include "detect/internal/line_hunter.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/time.h"

namespace entente::detect {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::string_view kTimeNames[] = {"ts", "timestamp", "@timestamp", "time", "_write_ts", "event_time", "date"};

// "1521911720.865716" to RFC 3339, without going through a double.
std::string epoch_text(std::string_view text) {
  int64_t seconds = 0, us = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || seconds < 0 || seconds > 253402300799) return std::string(text);
  std::string_view rest(end, text.data() + text.size());
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    int64_t unit = 100'000;
    for (const char c : rest.substr(0, 6)) {
      if (c < '0' || c > '9') return std::string(text);
      us += (c - '0') * unit;
      unit /= 10;
    }
  } else if (!rest.empty()) {
    return std::string(text);
  }
  return to_text(Time{seconds * 1'000'000 + us});
}

std::string time_text(const simdjson::dom::element& e) {
  std::string_view text;
  double number = 0;
  if (e.get(text) == simdjson::SUCCESS) {
    if (const auto t = parse_time(text); t.ok()) return to_text(*t);
    // Suricata writes its zone as +0000.
    if (text.size() > 5 && (text[text.size() - 5] == '+' || text[text.size() - 5] == '-')) {
      std::string with_colon(text);
      with_colon.insert(with_colon.size() - 2, ":");
      if (const auto t = parse_time(with_colon); t.ok()) return to_text(*t);
    }
    return std::string(text.substr(0, 64));
  }
  if (e.get(number) == simdjson::SUCCESS && number >= 0 && number < 253402300800.0)
    return to_text(Time{static_cast<int64_t>(std::llround(number * 1e6))});
  return {};
}

// \xNN, as Zeek writes what its format would not allow.
std::string_view unescape(std::string_view text, std::string& scratch) {
  if (text.find("\\x") == std::string_view::npos) return text;
  scratch.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned v = 0;
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] == 'x') {
      const char* digits = text.data() + i + 2;
      if (const auto [end, error] = std::from_chars(digits, digits + 2, v, 16);
          error == std::errc{} && end == digits + 2) {
        scratch += static_cast<char>(v);
        i += 3;
        continue;
      }
    }
    scratch += text[i];
  }
  return scratch;
}

template <class Fn>
void split(std::string_view text, std::string_view separator, const Fn& fn) {
  while (true) {
    const size_t end = text.find(separator);
    fn(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + separator.size());
  }
}

}  // namespace

void LineHunter::feed(std::string_view bytes) {
  report_.bytes += bytes.size();
  while (!bytes.empty()) {
    const void* newline = std::memchr(bytes.data(), '\n', bytes.size());
    if (newline == nullptr) {
      if (!skipping_) carry_.append(bytes);
      if (carry_.size() > options_.max_line_bytes) {
        skipping_ = true;
        carry_.clear();
        carry_.shrink_to_fit();
      }
      return;
    }
    const size_t length = static_cast<size_t>(static_cast<const char*>(newline) - bytes.data());
    const std::string_view rest = bytes.substr(0, length);
    bytes.remove_prefix(length + 1);
    if (skipping_) {
      skipping_ = false;
      ++long_lines_;
      ++number_;
    } else if (carry_.empty()) {
      line(rest);
    } else {
      carry_.append(rest);
      line(carry_);
      carry_.clear();
    }
  }
}

void LineHunter::finish() {
  if (skipping_) ++long_lines_;
  if (!carry_.empty()) line(carry_);
  carry_.clear();
  const auto note = [&](uint64_t n, std::string_view what) {
    if (n > 0) report_.notes.push_back(fmt::format("{}: {} {}", source_, n, what));
  };
  note(long_lines_, fmt::format("lines longer than {} octets were passed over", options_.max_line_bytes));
  note(bad_json_, "lines begin like JSON but are not: searched as plain text");
  note(bad_utf8_, "lines are not valid UTF-8: searched as plain text");
  note(odd_columns_, "lines have another number of columns than the header: searched as plain text");
  if (wide_) report_.notes.push_back(source_ + ": UTF-16 text is not read: convert it to UTF-8");
}

void LineHunter::line(std::string_view text) {
  ++number_;
  if (first_) {
    first_ = false;
    wide_ = text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  }
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty() || wide_) return;
  if (text.size() > options_.max_line_bytes) {
    ++long_lines_;
    return;
  }
  ++report_.records;
  if (text.front() == '#' && (tsv_ || text.starts_with("#separator") || text.starts_with("#fields")))
    return tsv_header(text);
  told_.clear();
  time_.clear();
  if (tsv_ && !columns_.empty()) return tsv_line(text);
  const size_t begin = text.find_first_not_of(" \t");
  if (begin != std::string_view::npos && text[begin] == '{') return json_line(text.substr(begin));
  text_line(text);
}

// The cheap question for every line: is there a word in it that the index knows? Escapes, octets beyond ASCII and '@'
// hide words: then the answer is yes.
bool LineHunter::candidate(std::string_view text) {
  if (options_.parse_all) return true;
  unsigned odd = 0;
  if (any_word(text, shape_.single_labels, odd,
               [&](ObservableKind kind, std::string_view word) { return index_.concerns({kind, word, {}}); }))
    return true;
  return (odd & (kOddBackslash | kOddHigh)) != 0 || ((odd & kOddAt) != 0 && shape_.emails);
}

void LineHunter::json_line(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == ',')) text.remove_suffix(1);
  if (!text.ends_with('}')) {
    ++bad_json_;
    return text_line(text);
  }
  if (!candidate(text)) return;
  ++report_.parsed;
  simdjson::dom::element root;
  simdjson::dom::object object;
  const auto error = parser_.parse(text.data(), text.size()).get(root);
  if (error != simdjson::SUCCESS || root.get(object) != simdjson::SUCCESS) {
    ++(error == simdjson::UTF8_ERROR ? bad_utf8_ : bad_json_);
    return text_line(text);
  }
  for (const std::string_view name : kTimeNames) {
    simdjson::dom::element value;
    if (object.at_key(name).get(value) != simdjson::SUCCESS) continue;
    time_ = time_text(value);
    if (!time_.empty()) break;
  }
  path_.clear();
  walk(root, 0);
}

void LineHunter::walk(const simdjson::dom::element& e, int depth) {
  if (depth > kMaxDepth) return;
  std::string_view text;
  simdjson::dom::array array;
  simdjson::dom::object object;
  if (e.get(text) == simdjson::SUCCESS) return observe(path_, text);
  if (e.get(array) == simdjson::SUCCESS) {
    for (const auto item : array) walk(item, depth + 1);
    return;
  }
  if (e.get(object) != simdjson::SUCCESS) return;
  // A request whose host and path stand apart (Zeek: host and uri, Suricata: hostname, http_port and url).
  std::string_view host, uri, uri_name;
  std::string port;
  const size_t length = path_.size();
  for (const auto [key, value] : object) {
    if (value.get(text) == simdjson::SUCCESS) {
      if (key == "host" || key == "hostname") host = text;
      if (key == "uri" || key == "url") uri = text, uri_name = key;
    } else if (int64_t n = 0; key == "http_port" && value.get(n) == simdjson::SUCCESS) {
      port = std::to_string(n);
    }
    if (length > 0) path_ += '.';
    path_ += key;
    walk(value, depth + 1);
    path_.resize(length);
  }
  if (!host.empty() && !uri.empty()) {
    const std::string field = (length > 0 ? path_ + "." : "") + std::string(uri_name);
    join_url(host, uri, port, field);
  }
}

void LineHunter::tsv_header(std::string_view text) {
  tsv_ = true;
  if (text.starts_with("#separator ")) {  // the one line that is always separated by a space
    separator_ = std::string(unescape(text.substr(11), scratch_));
    if (separator_.empty()) separator_ = "\t";
    return;
  }
  const size_t end = text.find(separator_);
  if (end == std::string_view::npos) return;
  const std::string_view name = text.substr(1, end - 1), value = text.substr(end + separator_.size());
  if (name == "set_separator" && !value.empty()) set_separator_ = value;
  if (name == "empty_field") empty_ = value;
  if (name == "unset_field") unset_ = value;
  if (name == "fields") {
    columns_.clear();
    split(value, separator_, [&](std::string_view f) { columns_.push_back({.name = std::string(f)}); });
  }
  if (name == "types") {
    size_t i = 0;
    split(value, separator_, [&](std::string_view type) {
      if (i == columns_.size()) return;
      Column& c = columns_[i++];
      c.list = type.starts_with("set[") || type.starts_with("vector[");
      if (c.list) type = type.substr(type.find('[') + 1, type.size() - type.find('[') - 2);
      c.text = type == "string" || type == "addr" || type == "subnet" || type == "pattern";
    });
  }
}

void LineHunter::tsv_line(std::string_view text) {
  if (!candidate(text)) return;
  ++report_.parsed;
  const auto fields = 1 + static_cast<size_t>(std::count(text.begin(), text.end(), separator_[0]));
  if (separator_.size() == 1 && fields != columns_.size()) {
    ++odd_columns_;
    return text_line(text);
  }
  std::string host, uri;
  size_t i = 0;
  split(text, separator_, [&](std::string_view value) {
    if (i == columns_.size()) return;
    const Column& c = columns_[i++];
    if (value == unset_ || value == empty_) return;
    if (i == 1) time_ = epoch_text(value);
    if (!c.text) return;
    if (c.name == "host") host = unescape(value, scratch_);
    if (c.name == "uri") uri = unescape(value, scratch_);
    if (c.list) {
      split(value, set_separator_, [&](std::string_view item) { observe(c.name, unescape(item, scratch_)); });
    } else {
      observe(c.name, unescape(value, scratch_));
    }
  });
  if (!host.empty() && !uri.empty()) join_url(host, uri, {}, "uri");
}

void LineHunter::text_line(std::string_view text) {
  if (const auto plain = refang(text)) return observe("text", *plain);
  observe("text", text);
}

void LineHunter::join_url(std::string_view host, std::string_view uri, std::string_view port,
                          std::string_view uri_field) {
  if (!shape_.urls || !uri.starts_with('/')) return;  // an absolute form was looked up as it stands
  std::string url = "http://";
  url += host;
  if (!port.empty() && host.find(':') == std::string_view::npos) url.append(":").append(port);
  url += uri;
  look_up(uri_field, ObservableKind::kUrl, url, true);
}

void LineHunter::observe(std::string_view field, std::string_view text) {
  each_observable(text, shape_, [&](ObservableKind kind, std::string_view token) { look_up(field, kind, token); });
}

void LineHunter::look_up(std::string_view field, ObservableKind kind, std::string_view text, bool only_urls) {
  hits_.clear();
  index_.match({kind, text, {}}, hits_);
  for (const Hit& hit : hits_) {
    if (only_urls && hit.atom != pattern::AtomKind::kUrl) continue;
    const bool told = std::any_of(told_.begin(), told_.end(),
                                  [&](const auto& t) { return t.first == hit.indicator && t.second == field; });
    if (told) continue;
    told_.emplace_back(hit.indicator, field);
    const Indicator& indicator = index_.indicator(hit.indicator);
    ++report_.matches;
    sink_({.indicator = indicator.id,
           .pattern = indicator.pattern,
           .type = name(kind),
           .value = std::string(text),
           .source = source_,
           .field = std::string(field),
           .record = number_,
           .time = time_});
  }
}

}  // namespace entente::detect
