#include "detect/load.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <libpsl.h>

#include "base/bytes.h"
#include "base/time.h"
#include "detect/internal/facts.h"
#include "detect/internal/input.h"
#include "detect/internal/listed.h"
#include "detect/internal/tokens.h"
#include "json/json.h"
#include "pattern/normal.h"
#include "stix/object.h"
#include "stix/timestamp.h"

namespace entente::detect {
namespace {

constexpr size_t kMaxFile = size_t{4} << 30;
// Which of them say that 32 hex digits are a JA3 fingerprint, and not the digest of a file.
constexpr std::string_view kJa3Columns[] = {"ja3", "ja3_md5", "ja3_hash", "ja3_fingerprint"};
constexpr std::string_view kTypeColumns[] = {"type", "indicator_type", "ioc_type", "indicatortype"};
constexpr std::string_view kColumns[] = {"url",     "domain",    "hostname", "host", "fqdn", "ip",
                                         "address", "indicator", "value",    "ioc",  "hash", "md5",
                                         "sha1",    "sha256",    "email",    "ja4"};

std::string_view trim(std::string_view s) {
  while (!s.empty() && static_cast<unsigned char>(s.front()) <= ' ') s.remove_prefix(1);
  while (!s.empty() && static_cast<unsigned char>(s.back()) <= ' ') s.remove_suffix(1);
  return s;
}

// A file in pieces: a list of many millions is never in memory as text.
class Text {
 public:
  static Result<Text> open(const std::string& file) {
    TRY(auto input, Input::open(file));
    return Text(file, std::move(input));
  }
  // Empty at the end. Valid until the next call.
  Result<std::string_view> next() {
    TRY(auto piece, input_->read());
    read_ += piece.size();
    if (read_ > kMaxFile)
      return make_error(ErrorKind::kTooLarge, "more than 4 GiB of indicators in one file", file_, "split it");
    if (piece.empty() && !input_->fault().empty())
      return invalid(input_->fault(), file_, "get the file again: a part of the indicators would be missing");
    return piece;
  }
  // What is not read yet, behind `begin`.
  Result<std::string> all(std::string_view begin) {
    std::string text(begin);
    text.reserve(begin.size() + size_hint());
    while (true) {
      TRY(const auto piece, next());
      if (piece.empty()) return text;
      text += piece;
    }
  }
  // On the disk, where that is known.
  [[nodiscard]] size_t size_hint() const {
    std::error_code unknown;
    const auto size = std::filesystem::file_size(file_, unknown);
    return unknown || size > kMaxFile ? 0 : static_cast<size_t>(size);
  }

 private:
  Text(std::string file, std::unique_ptr<Input> input) : file_(std::move(file)), input_(std::move(input)) {}
  std::string file_;
  std::unique_ptr<Input> input_;
  size_t read_ = 0;
};

// The cells of one line (RFC 4180); a quoted cell may hold commas and doubled quotes.
std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

// The columns of a CSV header that hold indicators; none if this is no such header.
struct Columns {
  std::vector<size_t> values, ja3;
  std::optional<size_t> type;  // what the others of its row are
  [[nodiscard]] bool none() const { return values.empty() && ja3.empty(); }
};
Columns columns_of(std::string_view line) {
  Columns out;
  if (line.find(',') == std::string_view::npos) return out;
  const auto cells = cells_of(line);
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string name = ascii_lower(trim(cells[i]));
    const auto among = [&](const auto& names) {
      return std::find(std::begin(names), std::end(names), name) != std::end(names);
    };
    if (among(kColumns)) out.values.push_back(i);
    if (among(kJa3Columns)) out.ja3.push_back(i);
    if (among(kTypeColumns)) out.type = i;
  }
  return out;
}

// Below "co.jp" or "github.io" is everybody: a list that names one means the name alone.
bool is_public_suffix(const std::string& name) {
  static const psl_ctx_t* const kList = [] {
    const psl_ctx_t* newest = psl_latest(nullptr);
    return newest != nullptr ? newest : psl_builtin();
  }();
  return kList != nullptr && psl_is_public_suffix(kList, name.c_str()) == 1;
}

class Loader {
 public:
  explicit Loader(const LoadOptions& options) : options_(options) {}

  Status file(const std::string& path) {
    TRY(auto text, Text::open(path));
    std::string begin;  // the piece with the first octet that tells what it is
    size_t at = std::string::npos;
    for (bool mark_possible = true, more = true; more && at == std::string::npos;) {
      TRY(const auto piece, text.next());
      begin += piece;
      more = !piece.empty();
      if (more && mark_possible && begin.size() < 3) continue;
      if (mark_possible && begin.starts_with("\xef\xbb\xbf")) begin.erase(0, 3);
      mark_possible = false;
      at = begin.find_first_not_of(" \t\r\n");
      if (at == std::string::npos) begin.clear();
    }
    if (at == std::string::npos) {
      out_.notes.push_back(path + ": is empty");
      return {};
    }
    if (begin[at] != '{' && begin[at] != '[') return list(std::move(begin), text, path);
    TRY(const std::string all, text.all(begin));
    return stix(all, path);
  }

  Loaded finish() {
    out_.compounds = std::move(compounds_);
    out_.index = std::move(builder_).build();
    return std::move(out_);
  }

 private:
  Status stix(const std::string& text, const std::string& path) {
    auto objects = stix::split_objects(text);
    if (!objects.ok()) return objects.error().at(path);
    json::Document document;
    for (const std::string_view object : *objects) {
      if (auto s = document.parse(object); !s.ok()) return s.error().at(path);
      const auto root = document.root();
      if (json::find_string(root, "type").value_or("") != "indicator") {
        ++out_.other_objects;
        continue;
      }
      if (json::find_bool(root, "revoked").value_or(false)) {
        ++out_.revoked;
        continue;
      }
      if (json::find_string(root, "pattern_type").value_or("stix") != "stix") {
        ++out_.other_languages;
        continue;
      }
      indicator(root);
    }
    return {};
  }

  void indicator(const json::Value& root) {
    Indicator i{.id = std::string(json::find_string(root, "id").value_or("")),
                .pattern = std::string(json::find_string(root, "pattern").value_or("")),
                .version = std::string(json::find_string(root, "modified").value_or(""))};
    const auto time = [&](std::string_view name, Time fallback) {
      const auto text = json::find_string(root, name);
      const auto parsed = text ? stix::parse_timestamp(*text) : std::nullopt;
      return parsed ? parsed->cut() : fallback;
    };
    i.valid_from = time("valid_from", Time{});
    i.valid_until = time("valid_until", Time{INT64_MAX});
    i.confidence = static_cast<int>(std::clamp<int64_t>(json::find_int(root, "confidence").value_or(-1), -1, 100));
    add(i);
  }

  bool add(const Indicator& i) {
    const auto parsed = pattern::Pattern::parse(i.pattern);
    if (!parsed.ok()) {
      out_.not_at_all.push_back({i.id, parsed.error().text()});
      return false;
    }
    auto atoms = pattern::equality_atoms(*parsed);
    if (builder_.full()) {
      out_.not_at_all.push_back({i.id, "there are too many indicators: hunt with a part of them at a time"});
      return false;
    }
    if (!atoms.complete || atoms.any_of.empty()) return compound(i, *parsed);
    builder_.add(i, atoms.any_of);
    if (options_.each) options_.each(i, atoms.any_of);
    ++out_.indicators;
    return true;
  }

  bool compound(const Indicator& i, const pattern::Pattern& parsed) {
    const auto anchors = compounds_->add(i, parsed);
    if (!anchors.ok()) {
      out_.not_at_all.push_back({i.id, anchors.error().text()});
      return false;
    }
    ++out_.indicators;
    if (anchors->empty()) {
      out_.every_record.push_back({i.id, pattern::anchors(parsed).why});
    } else {
      // The row stands for its anchors; id and pattern are the compound's.
      builder_.add({.tag = compounds_->tag()}, *anchors);
    }
    return true;
  }

  // What is known of a list while its lines are read.
  struct List {
    Columns columns, announced;
    uint64_t lost = 0;
    bool first = true;
  };

  Status list(std::string begin, Text& text, const std::string& path) {
    constexpr size_t kLarge = 16u << 20;
    if (const size_t size = text.size_hint(); size > kLarge && builder_.size() == 0) builder_.reserve_for_text(size);
    List list;
    std::string cut;  // a line whose end has not come
    const auto take = [&](std::string_view piece) {
      if (!cut.empty()) {
        const size_t end = piece.find('\n');
        cut += piece.substr(0, end);
        if (end == std::string_view::npos) return;
        piece.remove_prefix(end + 1);
        line(cut, list);
        cut.clear();
      }
      for (size_t end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
        line(piece.substr(0, end), list);
        piece.remove_prefix(end + 1);
      }
      cut = piece;
    };
    take(begin);
    begin = {};
    while (true) {
      TRY(const auto piece, text.next());
      if (piece.empty()) break;
      take(piece);
    }
    line(cut, list);
    out_.lines_not_understood += list.lost;
    if (list.lost > 0)
      out_.notes.push_back(fmt::format("{}: {} lines are no address, name, URL, digest, fingerprint or e-mail address",
                                       path, list.lost));
    return {};
  }

  void line(std::string_view text, List& list) {
    const std::string_view line = trim(text);
    if (line.empty()) return;
    if (line.front() == '#') {
      // Lists of fingerprints have their header in a comment ("# ja3_md5,Firstseen,…").
      if (auto c = columns_of(trim(line.substr(1))); list.first && !c.ja3.empty()) list.announced = std::move(c);
      return;
    }
    if (std::exchange(list.first, false)) {
      list.columns = columns_of(line);
      if (!list.columns.none()) return;
      list.columns = std::exchange(list.announced, {});
    }
    const Columns& columns = list.columns;
    if (columns.none()) {
      size_t comment = line.find('#');
      while (comment != std::string_view::npos && line[comment - 1] != ' ' && line[comment - 1] != '\t')
        comment = line.find('#', comment + 1);
      if (!value(trim(line.substr(0, comment)))) ++list.lost;
      return;
    }
    const auto cells = cells_of(line);
    bool any = false;
    const bool ja3 =
        columns.type && *columns.type < cells.size() && ascii_lower(trim(cells[*columns.type])).starts_with("ja3");
    for (const size_t c : columns.values) any = (c < cells.size() && value(trim(cells[c]), ja3)) || any;
    for (const size_t c : columns.ja3) any = (c < cells.size() && value(trim(cells[c]), true)) || any;
    if (!any) ++list.lost;
  }

  bool value(std::string_view v, bool ja3 = false) {
    // Who wants to be told of each is told of its pattern too.
    const auto plain = ja3 || options_.each ? std::nullopt : plain_value(v, scratch_);
    if (plain && !builder_.full() && !(plain->kind == pattern::AtomKind::kDomain && options_.names_and_below)) {
      builder_.add_listed(plain->kind, plain->value);
      ++out_.indicators;
      return true;
    }
    auto pattern = ja3 ? pattern_of_ja3(v) : pattern_of_value(v, options_);
    if (!pattern.ok()) return false;
    Indicator i{.id = list_id(*pattern), .pattern = *pattern};
    return add(i);
  }

  LoadOptions options_;
  std::string scratch_;
  Loaded out_;
  Builder builder_;
  std::shared_ptr<Compounds> compounds_ = std::make_shared<Compounds>();
};

}  // namespace

Result<std::string> pattern_of_value(std::string_view given, const LoadOptions& options) {
  std::string_view v = trim(given);
  const auto plain = refang(v);
  if (plain) v = *plain;
  const auto test = [](std::string_view path, std::string_view op, std::string_view value) {
    return fmt::format("{} {} {}", path, op, pattern::quote(value));
  };
  const auto address = [&](const pattern::Atom& a) {
    const bool six = a.kind == pattern::AtomKind::kIpv6 || a.kind == pattern::AtomKind::kCidr6;
    const bool block = a.kind == pattern::AtomKind::kCidr4 || a.kind == pattern::AtomKind::kCidr6;
    return "[" + test(six ? "ipv6-addr:value" : "ipv4-addr:value", block ? "ISSUBSET" : "=", a.value) + "]";
  };
  if (v.size() > 8000) return invalid("too long for an indicator");
  if (!valid_utf8(v)) return invalid("not UTF-8: " + printable(v, 80));
  if (const auto a = pattern::normal_address(v)) return address(*a);
  if (const auto ja4 = pattern::normal_ja4(v))
    return "[" + test("network-traffic:extensions.'tls-ext'.ja4", "=", *ja4) + "]";
  if (const size_t colon = v.rfind(':'); colon != std::string_view::npos && v.find("://") == std::string_view::npos) {
    // Address and port: a pattern of one value cannot hold the port.
    const bool digits = colon + 1 < v.size() && v.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
    if (const auto a = digits ? pattern::normal_address(v.substr(0, colon)) : std::nullopt;
        a && a->kind == pattern::AtomKind::kIpv4)
      return address(*a);
  }
  if (v.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos) {
    const std::string digest = ascii_lower(v);
    if (v.size() == 32) return "[" + test("file:hashes.MD5", "=", digest) + "]";
    if (v.size() == 40) return "[" + test("file:hashes.'SHA-1'", "=", digest) + "]";
    if (v.size() == 64) return "[" + test("file:hashes.'SHA-256'", "=", digest) + "]";
    if (v.size() == 128) return "[" + test("file:hashes.'SHA-512'", "=", digest) + "]";
  }
  if (v.find("://") != std::string_view::npos) {
    if (const auto url = pattern::normal_url(v)) return "[" + test("url:value", "=", *url) + "]";
    return invalid("not a URL: " + printable(v, 80));
  }
  if (const size_t slash = v.find('/');
      slash != std::string_view::npos && v.find('@') == std::string_view::npos) {  // host and path, scheme left out
    const auto plain_url = pattern::normal_url("http://" + std::string(v)),
               tls_url = pattern::normal_url("https://" + std::string(v));
    if (plain_url && tls_url && slash > 0 && v.substr(0, slash).find('.') != std::string_view::npos)
      return "[" + test("url:value", "=", *plain_url) + " OR " + test("url:value", "=", *tls_url) + "]";
    return invalid("not a URL: " + printable(v, 80));
  }
  if (v.find('@') != std::string_view::npos) {
    if (const auto mail = pattern::normal_email(v)) return "[" + test("email-addr:value", "=", *mail) + "]";
    return invalid("not an e-mail address: " + printable(v, 80));
  }
  const auto name = v.find('.') == std::string_view::npos ? std::nullopt : pattern::normal_domain(v);
  // A last label of digits would be an address that is none (RFC 3696 §2).
  const bool number = name && name->find_last_not_of("0123456789") != std::string::npos &&
                      (*name)[name->find_last_not_of("0123456789")] == '.';
  if (!name || number) return invalid("no address, name, URL, digest or e-mail address: " + printable(v, 80));
  if (!options.names_and_below || is_public_suffix(*name)) return "[" + test("domain-name:value", "=", *name) + "]";
  return "[" + test("domain-name:value", "=", *name) + " OR " + test("domain-name:value", "LIKE", "%." + *name) + "]";
}

Result<std::string> pattern_of_ja3(std::string_view given) {
  const auto ja3 = pattern::normal_ja3(trim(given));
  if (!ja3) return invalid("not a JA3 fingerprint (32 hex digits): " + printable(given, 80));
  return "[network-traffic:extensions.'tls-ext'.ja3 = " + pattern::quote(*ja3) + "]";
}

Result<Loaded> load_indicators(const std::vector<std::string>& files, const LoadOptions& options) {
  Loader loader(options);
  for (const auto& f : files) CHECK_OK(loader.file(f));
  return loader.finish();
}

}  // namespace entente::detect
