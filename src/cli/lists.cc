#include "cli/internal/lists.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/uuid.h"
#include "json/node.h"
#include "pattern/pattern.h"
#include "stix/marking.h"

namespace entente::cli {
namespace {

Result<std::string> comparison(std::string_view value, const std::string& as) {
  if (as == "domains" || as == "phishing-json") {
    // The published data set has names without a dot; in a list that somebody wrote one is a slip.
    const bool slip = as == "domains" && value.find('.') == std::string_view::npos;
    if (slip || value.find_first_of(" /:@") != std::string_view::npos)
      return invalid("this is not a domain name", printable(value));
    return "domain-name:value = " + pattern::quote(ascii_lower(value));
  }
  if (as == "addresses") {
    const bool v6 = value.find(':') != std::string_view::npos;
    const bool net = value.find('/') != std::string_view::npos;
    return std::string(v6 ? "ipv6-addr" : "ipv4-addr") + ":value " + (net ? "ISSUBSET " : "= ") + pattern::quote(value);
  }
  if (as == "urls") return "url:value = " + pattern::quote(value);
  if (as == "emails") return "email-addr:value = " + pattern::quote(value);
  const char* algorithm = value.size() == 32    ? "MD5"
                          : value.size() == 40  ? "'SHA-1'"
                          : value.size() == 64  ? "'SHA-256'"
                          : value.size() == 128 ? "'SHA-512'"
                                                : nullptr;
  if (algorithm == nullptr || !unhex(value).ok())
    return invalid("this is not an MD5, SHA-1, SHA-256 or SHA-512 hash", printable(value));
  return std::string("file:hashes.") + algorithm + " = " + pattern::quote(ascii_lower(value));
}

}  // namespace

Result<std::string> indicator_for(std::string_view value, const ListOptions& o) {
  static const Uuid kSpace = *parse_uuid("9b1d3c62-50b0-4a1c-9e0e-6b7b2c3f5a10");
  TRY(const std::string test, comparison(value, o.as));
  const std::string text = "[" + test + "]";
  auto parsed = pattern::Pattern::parse(text);
  if (!parsed.ok()) return parsed.error();
  const auto atoms = pattern::equality_atoms(*parsed);
  if (atoms.any_of.empty()) return invalid("this value cannot be looked for: " + atoms.why, printable(value));
  const std::string at = to_text(o.at);
  json::Node n = json::Node::object();
  n.set("type", "indicator")
      .set("spec_version", "2.1")
      .set("id", "indicator--" + name_uuid(kSpace, o.creator + "\n" + text).text());
  if (!o.creator.empty()) n.set("created_by_ref", o.creator);
  n.set("created", at).set("modified", at).set("name", value);
  n.set("indicator_types", json::Node(json::Node::List{json::Node("malicious-activity")}));
  n.set("pattern", text).set("pattern_type", "stix").set("pattern_version", "2.1").set("valid_from", at);
  n.set("valid_until", to_text(o.at.plus_us(int64_t{o.valid_days} * 86'400'000'000))).set("confidence", o.confidence);
  if (!o.label.empty()) n.set("labels", json::Node(json::Node::List{json::Node(o.label)}));
  const auto tlp = stix::parse_tlp(o.tlp);
  if (!tlp) return invalid("there is no TLP \"" + o.tlp + "\"");
  n.set("object_marking_refs", json::Node(json::Node::List{json::Node(stix::tlp_id(*tlp))}));
  return json::write(n);
}

Result<std::vector<std::string>> indicators_of(std::string_view text, const ListOptions& o) {
  std::vector<std::string> values;
  json::Document doc;
  if (o.as == "phishing-json") {
    // {"blacklist":["name", …]}: the form in which reported phishing names are published on npm.
    CHECK_OK(doc.parse(text));
    const auto list = json::find_array(doc.root(), "blacklist");
    if (!list) return invalid("there is no list \"blacklist\"", "/blacklist");
    for (const auto s : json::string_list(list)) values.emplace_back(s);
  } else {
    while (!text.empty()) {
      const size_t end = text.find('\n');
      std::string_view line = text.substr(0, end);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      if (const size_t hash = line.find('#'); hash != std::string_view::npos) line = line.substr(0, hash);
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
      while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
      if (!line.empty()) values.emplace_back(line);
    }
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::vector<std::string> out;
  out.reserve(values.size());
  for (const auto& v : values) {
    auto one = indicator_for(v, o);
    if (!one.ok()) return std::move(one).error();
    out.push_back(std::move(*one));
  }
  return out;
}

}  // namespace entente::cli
