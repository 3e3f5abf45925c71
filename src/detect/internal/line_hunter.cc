#include "detect/internal/line_hunter.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/time.h"
#include "detect/internal/dns_lines.h"

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

// A request whose host and path stand apart (Zeek: host and uri, Suricata: hostname, http_port and url).
struct Request {
  std::string_view host, uri, uri_name;
  std::string port;
  void member(std::string_view key, const simdjson::dom::element& value) {
    if (key.size() < 3 || key.size() > 9 || (key[0] != 'h' && key[0] != 'u')) return;
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) {
      if (key == "host" || key == "hostname") host = text;
      if (key == "uri" || key == "url") uri = text, uri_name = key;
    } else if (int64_t n = 0; key == "http_port" && value.get(n) == simdjson::SUCCESS) {
      port = std::to_string(n);
    }
  }
};

std::string url_of(std::string_view host, std::string_view uri, std::string_view port) {
  std::string url = "http://";
  url += host;
  if (!port.empty() && host.find(':') == std::string_view::npos) url.append(":").append(port);
  url += uri;
  return url;
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

void LineHunter::feed(std::string_view bytes, size_t pad) {
  report_.bytes += bytes.size();
  if (skipping_) {
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    skipping_ = false;
    ++long_lines_;
    ++number_;
    pad = 0;
  }
  if (carry_.empty()) carry_.assign(Scanner::kPad, '\n');
  // What has no padding before it, or continues a line, goes through the carry.
  const bool begun = carry_.size() > Scanner::kPad;
  if (begun || pad < Scanner::kPad) {
    const size_t from = pad < Scanner::kPad ? std::min(Scanner::kPad - pad, bytes.size()) : 0;
    const size_t end = bytes.find('\n', from);
    const size_t take = end == std::string_view::npos ? bytes.size() : end + 1;
    carry_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    if (bytes.empty()) return flush_carry(end == std::string_view::npos ? carry_.rfind('\n') + 1 : carry_.size());
    flush_carry(carry_.size());
  }
  // As far as there is padding behind it, in place.
  const size_t reach = bytes.size() + pad < Scanner::kPad ? 0 : bytes.size() + pad - Scanner::kPad;
  const size_t last = reach == 0 ? std::string_view::npos : bytes.rfind('\n', std::min(reach, bytes.size()) - 1);
  if (last != std::string_view::npos) {
    search(bytes.substr(0, last + 1));
    bytes.remove_prefix(last + 1);
  }
  carry_.append(bytes);
  flush_carry(carry_.rfind('\n') + 1);
}

// Searches the whole lines at the beginning of the carry, `size` octets with its padding, and keeps the rest.
void LineHunter::flush_carry(size_t size) {
  if (size > Scanner::kPad) {
    const size_t whole = carry_.size();
    carry_.append(Scanner::kPad, '\0');
    search(std::string_view(carry_).substr(Scanner::kPad, size - Scanner::kPad));
    carry_.resize(whole);
    carry_.erase(Scanner::kPad, size - Scanner::kPad);
  }
  if (carry_.size() - Scanner::kPad > options_.max_line_bytes) {
    skipping_ = true;
    carry_.clear();
    carry_.shrink_to_fit();
  }
}

// Whole lines, in blocks that stay in the L2 cache.
void LineHunter::search(std::string_view text) {
  constexpr size_t kBlock = 128u << 10;
  while (!text.empty()) {
    const size_t n = text.size() > kBlock ? text.find('\n', kBlock) + 1 : text.size();
    block(text.substr(0, n));
    text.remove_prefix(n);
  }
}

Form LineHunter::form_of(std::string_view text) const {
  if (tsv_) return Form::kTsv;
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text[begin] == '{' ? Form::kJson : Form::kText;
}

// May a line that the scanner found nothing in be passed over? Only what has the form it was scanned for.
bool LineHunter::passes(std::string_view text, Form form) const {
  if (first_ || text.size() > options_.max_line_bytes) return false;
  switch (form) {
    case Form::kJson:
      return text.front() == '{' && text.back() == '}';
    case Form::kTsv:
      return plain_separators_ && !columns_.empty() && text.front() != '#';
    case Form::kText: {
      const size_t begin = text.front() == ' ' || text.front() == '\t' ? text.find_first_not_of(" \t") : 0;
      return begin == std::string_view::npos || (text[begin] != '{' && text[begin] != '#');
    }
  }
  return false;
}

void LineHunter::block(std::string_view text) {
  const Form form = form_of(text);
  ends_.clear();
  needed_.clear();
  if (every_) {
    for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', end + 1))
      ends_.push_back(static_cast<uint32_t>(end));
  } else {
    scanner_.scan(text, form, options_.exact, ends_, needed_);
  }
  uint32_t begin = 0;
  auto next = needed_.begin();
  for (const uint32_t end : ends_) {
    std::string_view whole = text.substr(begin, end - begin);
    begin = end + 1;
    bool need = every_;
    for (; next != needed_.end() && *next < end; ++next) need = true;
    if (whole.ends_with('\r')) whole.remove_suffix(1);
    if (!need && !whole.empty() && passes(whole, form)) {
      ++number_;
      if (!wide_) ++report_.records;
    } else {
      line(whole);
      // A header: what is behind it was scanned as something else.
      if (form != Form::kTsv && tsv_ && begin < text.size()) return block(text.substr(begin));
    }
  }
}

void LineHunter::resume(std::string_view before, uint64_t number) {
  first_ = false;
  wide_ = before.starts_with("\xff\xfe") || before.starts_with("\xfe\xff");
  if (before.starts_with("\xef\xbb\xbf")) before.remove_prefix(3);
  while (before.starts_with('#')) {
    const size_t end = std::min(before.find('\n'), before.size());
    std::string_view head = before.substr(0, end);
    if (head.ends_with('\r')) head.remove_suffix(1);
    if (tsv_ || head.starts_with("#separator") || head.starts_with("#fields")) tsv_header(head);
    before.remove_prefix(std::min(end + 1, before.size()));
  }
  number_ = number;
}

void LineHunter::finish() {
  if (skipping_) ++long_lines_;
  if (carry_.size() > Scanner::kPad) {
    carry_ += '\n';
    flush_carry(carry_.size());
  }
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
  if (text.empty() || wide_) return;
  if (text.size() > options_.max_line_bytes) {
    ++long_lines_;
    return;
  }
  ++report_.records;
  if (text.front() == '#' && (tsv_ || text.starts_with("#separator") || text.starts_with("#fields")))
    return tsv_header(text);
  told_.clear();
  shown_.clear();
  time_.clear();
  timed_.reset();
  if (tsv_ && !columns_.empty()) return tsv_line(text);
  const size_t begin = text.find_first_not_of(" \t");
  if (begin != std::string_view::npos && text[begin] == '{') return json_line(text.substr(begin));
  if (!syslog_line(text)) text_line(text);
}

void LineHunter::json_line(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == ',')) text.remove_suffix(1);
  if (!text.ends_with('}')) {
    ++bad_json_;
    return text_line(text);
  }
  ++report_.parsed;
  simdjson::dom::element root;
  simdjson::dom::object object;
  const auto error = parser_.parse(text.data(), text.size()).get(root);
  if (error != simdjson::SUCCESS || root.get(object) != simdjson::SUCCESS) {
    ++(error == simdjson::UTF8_ERROR ? bad_utf8_ : bad_json_);
    return text_line(text);
  }
  timed_ = object;
  path_.clear();
  walk(root, 0);
  if (!wanted()) return;
  record_.clear();
  record_walk(root, 0);
  end_record();
}

// Most lines that are taken apart have no match and need no time.
const std::string& LineHunter::time() {
  if (!timed_) return time_;
  for (const std::string_view name : kTimeNames) {
    simdjson::dom::element value;
    if (timed_->at_key(name).get(value) != simdjson::SUCCESS) continue;
    time_ = time_text(value);
    if (!time_.empty()) break;
  }
  timed_.reset();
  return time_;
}

void LineHunter::record_field(std::string_view text) {
  if (const auto role = role_of(path_)) record_.add(*role, text);
  if (lines_ == nullptr || lines_->whole_records()) record_.add_text(text);
}

void LineHunter::record_walk(const simdjson::dom::element& e, int depth) {
  if (depth > kMaxDepth) return;
  std::string_view text;
  int64_t number = 0;
  simdjson::dom::array array;
  simdjson::dom::object object;
  if (e.get(text) == simdjson::SUCCESS) return record_field(text);
  if (e.get(number) == simdjson::SUCCESS) {
    if (const auto role = role_of(path_)) record_.add(*role, std::to_string(number));
    return;
  }
  if (e.get(array) == simdjson::SUCCESS) {
    for (const auto item : array) record_walk(item, depth + 1);
    return;
  }
  if (e.get(object) != simdjson::SUCCESS) return;
  Request request;
  const size_t length = path_.size();
  for (const auto [key, value] : object) {
    request.member(key, value);
    if (length > 0) path_ += '.';
    path_ += key;
    record_walk(value, depth + 1);
    path_.resize(length);
  }
  if (request.host.empty() || request.uri.empty()) return;
  record_.add(Role::kHost, request.host);
  if (request.uri.starts_with('/'))
    record_.add_value(ObservableKind::kUrl, url_of(request.host, request.uri, request.port));
}

void LineHunter::end_record() {
  std::optional<Time> time;
  if (const auto t = parse_time(this->time()); t.ok()) time = *t;
  if (lines_ != nullptr) return lines_->on_record(record_, {source_, number_, time});
  report_.matches += scan_->look(record_, {source_, number_, time}, shown_, sink_);
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
  Request request;
  const size_t length = path_.size();
  for (const auto [key, value] : object) {
    request.member(key, value);
    if (length > 0) path_ += '.';
    path_ += key;
    walk(value, depth + 1);
    path_.resize(length);
  }
  if (!request.host.empty() && !request.uri.empty()) {
    const std::string field = (length > 0 ? path_ + "." : "") + std::string(request.uri_name);
    join_url(request.host, request.uri, request.port, field);
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
  // Fields that touch without a character that ends words cannot be told apart in raw text.
  const auto ends_words = [](const std::string& s) {
    return std::all_of(s.begin(), s.end(), [](char c) { return word::kClass[static_cast<unsigned char>(c)] == 0; });
  };
  plain_separators_ = ends_words(separator_) && ends_words(set_separator_);
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
  if (!wanted()) return;
  record_.clear();
  i = 0;
  split(text, separator_, [&](std::string_view value) {
    if (i == columns_.size()) return;
    const Column& c = columns_[i++];
    if (value == unset_ || value == empty_) return;
    path_ = c.name;
    if (!c.text) {
      if (const auto role = role_of(path_)) record_.add(*role, value);
    } else if (c.list) {
      split(value, set_separator_, [&](std::string_view item) { record_field(unescape(item, scratch_)); });
    } else {
      record_field(unescape(value, scratch_));
    }
  });
  if (!host.empty() && !uri.empty()) {
    record_.add(Role::kHost, host);
    if (uri.starts_with('/')) record_.add_value(ObservableKind::kUrl, url_of(host, uri, {}));
  }
  end_record();
}

// "<134>1 2026-11-24T10:00:00Z host app - - - {…}" or "Nov 24 10:00:00 host app[7]: @cee: {…}": the header of a syslog
// message (RFC 5424, RFC 3164) before an object. False: it is no such line.
bool LineHunter::syslog_line(std::string_view text) {
  if (!text.ends_with('}')) return false;
  const size_t begin = text.find('{');
  if (begin == 0 || begin == std::string_view::npos || (text[begin - 1] != ' ' && text[begin - 1] != ':')) return false;
  simdjson::dom::object object;
  if (parser_.parse(text.data() + begin, text.size() - begin).get(object) != simdjson::SUCCESS) return false;
  json_line(text.substr(begin));
  return true;
}

void LineHunter::text_line(std::string_view text) {
  if (const auto dns = parse_dns_line(text)) {
    time_ = dns->time;
    observe("client", dns->client);
    observe("query", dns->query);
    observe("server", dns->server);
    if (!wanted()) return;
    record_.clear();
    for (const auto& [field, value] :
         {std::pair{"client", dns->client}, std::pair{"query", dns->query}, std::pair{"server", dns->server}}) {
      path_ = field;
      if (!value.empty()) record_field(value);
    }
    return end_record();
  }
  const auto plain = refang(text);
  const std::string_view seen = plain ? std::string_view(*plain) : text;
  observe("text", seen);
  if (!wanted()) return;
  record_.clear();
  record_.add_text(seen);
  end_record();
}

void LineHunter::join_url(std::string_view host, std::string_view uri, std::string_view port,
                          std::string_view uri_field) {
  if (!shape_.urls || !uri.starts_with('/')) return;  // an absolute form was looked up as it stands
  look_up(uri_field, ObservableKind::kUrl, url_of(host, uri, port), true);
}

void LineHunter::observe(std::string_view field, std::string_view text) {
  each_observable(text, shape_, [&](ObservableKind kind, std::string_view token) { look_up(field, kind, token); });
}

void LineHunter::look_up(std::string_view field, ObservableKind kind, std::string_view text, bool only_urls) {
  if (lines_ != nullptr) return lines_->on_value(kind, field, text);
  hits_.clear();
  index_.match({kind, text, {}}, hits_);
  for (const Hit& hit : hits_) {
    if (only_urls && hit.atom != pattern::AtomKind::kUrl) continue;
    const bool told = std::any_of(told_.begin(), told_.end(),
                                  [&](const auto& t) { return t.first == hit.indicator && t.second == field; });
    if (told) continue;
    told_.emplace_back(hit.indicator, field);
    const Indicator indicator = index_.indicator(hit.indicator);
    if (indicator.tag != 0) {
      shown_.push_back({indicator.tag, kind, std::string(text), std::string(field)});
      continue;
    }
    ++report_.matches;
    sink_({.indicator = indicator.id,
           .pattern = indicator.pattern,
           .type = name(kind, hit.atom),
           .value = std::string(text),
           .source = source_,
           .field = std::string(field),
           .record = number_,
           .time = time()});
  }
}

}  // namespace entente::detect
