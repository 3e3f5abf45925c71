#include "taxii/internal/query.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/bytes.h"
#include "base/crypto.h"

namespace entente::taxii::internal {
namespace {

constexpr uint8_t kCursorVersion = 1;
constexpr size_t kMac = 16;
constexpr size_t kMaxValues = 5000;

Error bad(std::string what, std::string where, std::string remedy = {}) {
  return invalid(std::move(what), std::move(where), std::move(remedy));
}

// T48: comma-separated values, none empty, no blanks.
Result<std::vector<std::string>> values(const std::string& name, std::string_view text) {
  std::vector<std::string> out;
  for (;;) {
    const size_t comma = text.find(',');
    const std::string_view value = text.substr(0, comma);
    const bool clean =
        std::ranges::all_of(value, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
    if (value.empty() || !clean)
      return bad("empty value or blank in a filter", name, "separate values by single commas");
    out.emplace_back(value);
    if (out.size() > kMaxValues) return bad("too many values in a filter", name);
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

void normalise(std::vector<std::string>& list) {
  std::ranges::sort(list);
  list.erase(std::ranges::unique(list).begin(), list.end());
}

// T40: one positive integer; a number above the cap is no error.
Result<size_t> parse_limit(std::string_view text, const Limits& limits) {
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
    return bad("limit is not a positive integer", "limit");
  }
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
  if (text.empty()) return bad("limit must be greater than 0", "limit");
  uint64_t n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (ec != std::errc()) n = UINT64_MAX;
  return static_cast<size_t>(std::min<uint64_t>(n, limits.max_limit));
}

// T46: any number of fractional digits, Z or an offset; a '+' may have been decoded to a blank on its way.
Result<Time> parse_added_after(std::string text) {
  if (text.size() > 6 && text[text.size() - 6] == ' ') text[text.size() - 6] = '+';
  auto time = parse_time(text);
  if (!time.ok())
    return bad("added_after is not a timestamp", "added_after", "write it as 2027-01-15T05:12:00.123456Z");
  return *time;
}

// T53: last, first, all or exact versions; all stands alone, nothing twice.
Status parse_versions(std::string_view text, Filter& filter) {
  TRY(const auto list, values("match[version]", text));
  filter.last = false;
  std::set<stix::Timestamp> exact;
  for (const auto& value : list) {
    bool fresh = true;
    if (value == "all") {
      fresh = !std::exchange(filter.all, true);
    } else if (value == "first") {
      fresh = !std::exchange(filter.first, true);
    } else if (value == "last") {
      fresh = !std::exchange(filter.last, true);
    } else {
      const auto t = stix::parse_timestamp(value);
      if (!t) return bad("not a version", "match[version]", "use last, first, all or a timestamp");
      fresh = exact.insert(*t).second;  // T54: instants, not texts
    }
    if (!fresh) return bad("a version is named twice", "match[version]");
  }
  if (filter.all && list.size() > 1) return bad("\"all\" stands alone", "match[version]");
  filter.exact.assign(exact.begin(), exact.end());
  return {};
}

void put_list(std::string& out, const std::vector<std::string>& list) {
  put_u32(out, static_cast<uint32_t>(list.size()));
  for (const auto& s : list) put_bytes(out, s);
}

bool take_list(ByteReader& in, std::vector<std::string>& list) {
  const uint32_t n = in.u32();
  if (n > kMaxValues) return false;
  for (uint32_t i = 0; i < n && in.ok(); ++i) list.emplace_back(in.bytes());
  return in.ok();
}

std::string mac(std::string_view payload, std::string_view scope, std::string_view key) {
  std::string text;
  put_bytes(text, "entente taxii cursor");
  put_bytes(text, scope);
  text += payload;
  return std::string(view(hmac_sha256(key, text)).substr(0, kMac));
}

}  // namespace

Result<Query> parse_filters(std::string_view query, Endpoint endpoint, const Limits& limits) {
  const auto pairs = net::parse_query(query);
  if (!pairs) return bad("bad percent-encoding", "query");
  Query out;
  out.filter.limit = limits.default_limit;
  const bool pages = endpoint != Endpoint::kDelete;
  const bool many = endpoint == Endpoint::kObjects || endpoint == Endpoint::kManifest;
  if (endpoint == Endpoint::kVersions) {  // T59: all versions
    out.filter.all = true;
    out.filter.last = false;
  }
  std::set<std::string> seen;
  for (const auto& [name, value] : *pairs) {
    // T50: which filter works where.
    const bool known = (pages && (name == "limit" || name == "next" || name == "added_after")) ||
                       (many && (name == "match[id]" || name == "match[type]")) || name == "match[spec_version]" ||
                       (endpoint != Endpoint::kVersions && name == "match[version]");
    if (!known) continue;                                                           // T49
    if (!seen.insert(name).second) return bad("a parameter is given twice", name);  // T40, T46, T48
    if (!valid_utf8(value)) return bad("not UTF-8", name);
    if (name == "limit") {
      TRY(out.filter.limit, parse_limit(value, limits));
    } else if (name == "next") {
      // R1: a client that was given no cursor sends an empty one.
      if (!value.empty()) out.next = value;
    } else if (name == "added_after") {
      TRY(out.filter.added_after, parse_added_after(value));
    } else if (name == "match[id]") {
      TRY(out.filter.ids, values(name, value));
      out.gave_id = true;
    } else if (name == "match[type]") {
      TRY(out.filter.types, values(name, value));
      out.gave_type = true;
    } else if (name == "match[spec_version]") {
      TRY(out.filter.spec_versions, values(name, value));
      out.gave_spec_version = true;
    } else {
      CHECK_OK(parse_versions(value, out.filter));
      out.gave_version = true;
    }
  }
  normalise(out.filter.ids);
  normalise(out.filter.types);
  normalise(out.filter.spec_versions);
  return out;
}

std::string seal(const Cursor& cursor, std::string_view scope, std::string_view key) {
  const Filter& f = cursor.filter;
  std::string out;
  out += static_cast<char>(kCursorVersion);
  put_u64(out, static_cast<uint64_t>(cursor.position.us));
  put_u64(out, static_cast<uint64_t>(cursor.upto.us));
  out += static_cast<char>((cursor.added_after ? 1 : 0) | (f.all ? 2 : 0) | (f.first ? 4 : 0) | (f.last ? 8 : 0));
  if (cursor.added_after) put_u64(out, static_cast<uint64_t>(cursor.added_after->us));
  put_list(out, f.ids);
  put_list(out, f.types);
  put_list(out, f.spec_versions);
  put_u32(out, static_cast<uint32_t>(f.exact.size()));
  for (const auto& t : f.exact) {
    put_u64(out, static_cast<uint64_t>(t.s));
    put_u32(out, t.ns);
  }
  return base64url(out + mac(out, scope, key));
}

Result<Cursor> unseal(std::string_view text, std::string_view scope, std::string_view key) {
  const Error garbled = bad("not a cursor of this query", "next", "start again without next");
  auto bytes = unbase64url(text);
  if (!bytes.ok() || bytes->size() < kMac) return garbled;
  const std::string_view payload = std::string_view(*bytes).substr(0, bytes->size() - kMac);
  if (!equal_ct(mac(payload, scope, key), std::string_view(*bytes).substr(payload.size()))) return garbled;
  // What follows was written by us; it is read with care all the same, as an older version of us may have written it.
  ByteReader in(payload);
  Cursor out;
  if (in.u8() != kCursorVersion) return garbled;
  out.position.us = static_cast<int64_t>(in.u64());
  out.upto.us = static_cast<int64_t>(in.u64());
  const uint8_t flags = in.u8();
  if ((flags & 1) != 0) out.added_after = Time{static_cast<int64_t>(in.u64())};
  out.filter.all = (flags & 2) != 0;
  out.filter.first = (flags & 4) != 0;
  out.filter.last = (flags & 8) != 0;
  if (!take_list(in, out.filter.ids) || !take_list(in, out.filter.types) || !take_list(in, out.filter.spec_versions))
    return garbled;
  const uint32_t exact = in.u32();
  if (exact > kMaxValues) return garbled;
  for (uint32_t i = 0; i < exact && in.ok(); ++i) {
    stix::Timestamp t;
    t.s = static_cast<int64_t>(in.u64());
    t.ns = in.u32();
    out.filter.exact.push_back(t);
  }
  if (!in.done()) return garbled;
  return out;
}

Status resume(Query& query, const Cursor& cursor) {
  const Filter& given = query.filter;
  const Filter& kept = cursor.filter;
  const bool same_versions =
      given.all == kept.all && given.first == kept.first && given.last == kept.last && given.exact == kept.exact;
  const bool agrees = (!query.gave_id || given.ids == kept.ids) && (!query.gave_type || given.types == kept.types) &&
                      (!query.gave_spec_version || given.spec_versions == kept.spec_versions) &&
                      (!query.gave_version || same_versions);
  if (!agrees) return bad("next belongs to a query with other filters", "next", "repeat the filters or leave them out");
  Filter filter = kept;
  filter.limit = given.limit;
  filter.added_after = cursor.added_after;
  filter.resume = cursor.position;
  filter.upto = cursor.upto;
  // R3: some clients move added_after forward and keep next. Both are obeyed; going back is not possible with this
  // cursor.
  if (given.added_after) {
    if (cursor.added_after && *given.added_after < *cursor.added_after) {
      return bad("next belongs to a query with a later added_after", "next", "repeat the filters or leave them out");
    }
    filter.added_after = given.added_after;
  }
  query.filter = std::move(filter);
  return {};
}

}  // namespace entente::taxii::internal
