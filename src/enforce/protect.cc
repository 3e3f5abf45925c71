#include "enforce/protect.h"

#include <algorithm>

#include "base/bytes.h"
#include "json/json.h"

namespace entente::enforce {

namespace {

std::string_view trim(std::string_view s) {
  const size_t a = s.find_first_not_of(" \t\r\n\v\f");
  if (a == std::string_view::npos) return {};
  return s.substr(a, s.find_last_not_of(" \t\r\n\v\f") - a + 1);
}

std::string backwards(std::string_view s) { return {s.rbegin(), s.rend()}; }

}  // namespace

ProtectedList::ProtectedList() {
  // RFC 6890 and its successors: blocking one of these cuts off this machine or its link, and no indicator can mean
  // them.
  for (const char* p : {"127.0.0.0/8", "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255", "::1",
                        "::", "fe80::/10", "ff00::/8"}) {
    if (auto prefix = parse_prefix(p); prefix.ok()) add_prefix(*prefix, "loopback, link-local, multicast", true);
  }
  add_name("localhost", "loopback, link-local, multicast", true);
}

uint32_t ProtectedList::list_number(const std::string& list, bool self) {
  const std::pair<std::string, bool> key(list, self);
  const auto it = std::find(lists_.rbegin(), lists_.rend(), key);
  if (it != lists_.rend()) return static_cast<uint32_t>(lists_.rend() - it - 1);
  lists_.push_back(key);
  return static_cast<uint32_t>(lists_.size() - 1);
}

ProtectedList::Match ProtectedList::match(std::string entry, uint32_t list) const {
  return {std::move(entry), lists_[list].first, lists_[list].second};
}

void ProtectedList::add_prefix(const Prefix& prefix, const std::string& list, bool self) {
  if (prefixes_.emplace(prefix, list_number(list, self)).second) ++lengths_[prefix.bits];
}

void ProtectedList::add_name(std::string_view name, const std::string& list, bool self) {
  names_.emplace(backwards(name), list_number(list, self));
}

Result<ProtectedList::Loaded> ProtectedList::add_plain(std::string_view text, const std::string& list) {
  Loaded loaded;
  size_t line_number = 0;
  while (!text.empty()) {
    const size_t eol = text.find('\n');
    std::string_view line = text.substr(0, eol);
    text.remove_prefix(eol == std::string_view::npos ? text.size() : eol + 1);
    ++line_number;
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    // An operator's own list is not skipped over: a line that protects nothing would be found out too late.
    auto target = parse_target(line);
    if (!target.ok()) return std::move(target).error().at(list + ":" + std::to_string(line_number));
    if (target->kind == TargetKind::kName) {
      add_name(target->host, list);
    } else {
      add_prefix(target->prefix, list);
    }
    ++loaded.entries;
  }
  return loaded;
}

Result<ProtectedList::Loaded> ProtectedList::add_warninglist(std::string_view text, const std::string& fallback_name) {
  TRY(const json::Document document, json::parse(text));
  const auto entries = json::find_array(document.root(), "list");
  if (!entries) return invalid("no MISP warning list: member \"list\" is missing", fallback_name);
  const std::string list(json::find_string(document.root(), "name").value_or(fallback_name));
  const std::string type(json::find_string(document.root(), "type").value_or("string"));
  Loaded loaded;
  for (const json::Value entry : *entries) {
    std::string_view value;
    if (entry.get_string().get(value) != simdjson::SUCCESS || type == "regex") {
      ++loaded.skipped;
      continue;
    }
    value = trim(value);
    if (value.starts_with("*.")) value.remove_prefix(2);
    if (value.starts_with('.')) value.remove_prefix(1);
    // A "string" or "substring" list protects the whole name here, with all below it: wider than the list says, never
    // narrower.
    auto target = parse_target(value);
    if (!target.ok() || (target->kind == TargetKind::kName && target->host.find('.') == std::string::npos)) {
      ++loaded.skipped;
      continue;
    }
    if (target->kind == TargetKind::kName) {
      add_name(target->host, list);
    } else {
      add_prefix(target->prefix, list);
    }
    ++loaded.entries;
  }
  return loaded;
}

Result<ProtectedList::Loaded> ProtectedList::add_file(Files& files, const std::string& path) {
  TRY(const std::string text, files.read(path));
  auto loaded = trim(text).starts_with('{') ? add_warninglist(text, path) : add_plain(text, path);
  if (!loaded.ok() && loaded.error().where.find(path) == std::string::npos) return std::move(loaded).error().at(path);
  return loaded;
}

std::optional<ProtectedList::Match> ProtectedList::find(const Prefix& prefix) const {
  for (int bits = prefix.bits; bits >= 0; --bits) {
    if (lengths_[static_cast<size_t>(bits)] == 0) continue;
    const auto it = prefixes_.find(prefix.widened(static_cast<uint8_t>(bits)));
    if (it != prefixes_.end()) return match(it->first.text(), it->second);
  }
  // What lies inside `prefix` follows it directly in the order of Prefix.
  const auto it = prefixes_.upper_bound(prefix);
  if (it != prefixes_.end() && prefix.contains(it->first)) return match(it->first.text(), it->second);
  return std::nullopt;
}

std::optional<ProtectedList::Match> ProtectedList::find_name(std::string_view name, bool tree) const {
  const std::string key = backwards(name);
  for (size_t end = key.size();; end = key.rfind('.', end - 1)) {
    if (end == std::string::npos) break;
    const auto it = names_.find(std::string_view(key).substr(0, end));
    if (it != names_.end()) return match(backwards(it->first), it->second);
    if (end == 0) break;
  }
  if (tree) {
    const auto it = names_.upper_bound(key + ".");
    if (it != names_.end() && it->first.starts_with(key + ".")) return match(backwards(it->first), it->second);
  }
  return std::nullopt;
}

std::optional<ProtectedList::Match> ProtectedList::find(const Target& target) const {
  return target.kind == TargetKind::kName ? find_name(target.host, target.tree) : find(target.prefix);
}

std::vector<Prefix> ProtectedList::prefixes() const {
  std::vector<Prefix> out;
  for (const auto& [prefix, list] : prefixes_) {
    if (out.empty() || !out.back().contains(prefix)) out.push_back(prefix);
  }
  return out;
}

}  // namespace entente::enforce
