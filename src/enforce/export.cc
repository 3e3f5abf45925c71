#include "enforce/export.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "base/bytes.h"
#include "enforce/internal/export_writers.h"

namespace entente::enforce {

using namespace internal;

namespace {

constexpr std::string_view kForms[] = {"text", "csv", "zeek", "suricata", "rpz", "nft"};
constexpr std::string_view kKinds[] = {"address", "range",  "name",  "url", "md5",
                                       "sha1",    "sha256", "email", "ja3", "ja4"};

bool tells_counting_apart(ExportForm form) { return form == ExportForm::kCsv || form == ExportForm::kZeek; }

auto key_of(const ExportItem& i) { return std::tie(i.kind, i.prefix, i.text, i.tree); }

// Of all that asks for a value: what drops, of those the last end.
bool speaks_first(const ExportItem* a, const ExportItem* b) {
  return std::tuple(!a->drop, b->end, a->from, a->lease) < std::tuple(!b->drop, a->end, b->from, b->lease);
}

ExportValues by_value(const std::vector<ExportItem>& items, const ExportOptions& options) {
  std::vector<const ExportItem*> sorted;
  sorted.reserve(items.size());
  for (const ExportItem& i : items) {
    if (i.drop || (options.with_counting && tells_counting_apart(options.form))) sorted.push_back(&i);
  }
  std::sort(sorted.begin(), sorted.end(), [](const ExportItem* a, const ExportItem* b) {
    if (key_of(*a) != key_of(*b)) return key_of(*a) < key_of(*b);
    return speaks_first(a, b);
  });
  ExportValues out;
  for (const ExportItem* i : sorted) {
    if (out.empty() || key_of(out.back().first()) != key_of(*i)) out.emplace_back();
    out.back().all.push_back(i);
  }
  return out;
}

Time granted(const ExportValue& v) {
  return (*std::min_element(v.all.begin(), v.all.end(), [](const auto* a, const auto* b) { return a->from < b->from; }))
      ->from;
}

// The best `capacity` of them, in the order of their values; the others go to `left_out`, by rank.
void cut(ExportValues& values, size_t capacity, std::vector<ExportItem>& left_out) {
  if (values.size() <= capacity) return;
  std::vector<size_t> ranked(values.size());
  for (size_t i = 0; i < ranked.size(); ++i) ranked[i] = i;
  std::stable_sort(ranked.begin(), ranked.end(), [&](size_t a, size_t b) {
    const bool drop_a = values[a].first().drop, drop_b = values[b].first().drop;
    return drop_a != drop_b ? drop_a : granted(values[a]) < granted(values[b]);
  });
  for (size_t i = capacity; i < ranked.size(); ++i) left_out.push_back(values[ranked[i]].first());
  ranked.resize(capacity);
  std::sort(ranked.begin(), ranked.end());
  ExportValues kept;
  kept.reserve(capacity);
  for (const size_t i : ranked) kept.push_back(std::move(values[i]));
  values = std::move(kept);
}

// Why this form has no words for the value; "" if it has.
std::string cannot_say(const ExportItem& i, ExportForm form) {
  using enum ExportKind;
  const bool network = i.kind == kAddress || i.kind == kRange;
  if (form == ExportForm::kNft && !network) return "a packet filter knows addresses only";
  if (form == ExportForm::kRpz && i.kind != kName) return "a response-policy zone is asked for names only";
  if (form == ExportForm::kZeek && i.kind == kJa4) return "Zeek's intelligence framework has no type for JA4";
  if (form == ExportForm::kSuricata && i.kind == kEmail) return "no rule is written for e-mail addresses";
  return {};
}

}  // namespace

std::string_view to_text(ExportForm form) { return kForms[static_cast<size_t>(form)]; }
std::string_view to_text(ExportKind kind) { return kKinds[static_cast<size_t>(kind)]; }

Result<ExportForm> parse_export_form(std::string_view text) {
  for (size_t i = 0; i < std::size(kForms); ++i) {
    if (kForms[i] == text) return static_cast<ExportForm>(i);
  }
  return invalid("\"" + printable(text, 40) + "\" is no form of an export", {},
                 fmt::format("one of {}", fmt::join(kForms, ", ")));
}

std::string ExportItem::value() const {
  if (kind == ExportKind::kAddress || kind == ExportKind::kRange) return prefix.text();
  return tree ? fmt::format("*.{}", text) : text;
}

ExportItem ExportItem::of(const Lease& l) {
  ExportItem i;
  switch (l.target.kind) {
    case TargetKind::kAddress:
    case TargetKind::kRange:
      i.kind = l.target.prefix.single() ? ExportKind::kAddress : ExportKind::kRange;
      i.prefix = l.target.prefix;
      break;
    case TargetKind::kName:
      i.kind = ExportKind::kName;
      i.text = l.target.host;
      i.tree = l.target.tree;
      break;
  }
  i.drop = l.state == LeaseState::kActive;
  i.party = l.partner.empty() ? "own" : l.partner;
  i.agreement = l.agreement;
  i.article = l.article;
  i.lease = l.name();
  i.indicator = l.indicator;
  i.reason = l.reason;
  i.from = l.start;
  i.end = l.end;
  return i;
}

namespace internal {

std::string ExportHeader::line(std::string_view comment) const {
  std::string out = fmt::format("{} entente: {} entries", comment, entries);
  if (left_out > 0) out += fmt::format("; {} more were left out, this export holds {}", left_out, capacity);
  return out + "\n";
}

std::string parties(const ExportValue& value) {
  std::vector<std::string> names;
  for (const ExportItem* i : value.all) names.push_back(i->party.empty() ? "file" : i->party);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return fmt::format("{}", fmt::join(names, "+"));
}

std::string described(const ExportItem& i) {
  std::string out = printable(i.reason, 200);
  const auto add = [&](std::string_view before, const std::string& what) {
    if (what.empty()) return;
    if (!out.empty()) out += "; ";
    out += before;
    out += printable(what, 200);
  };
  add("", i.article);
  add("lease ", i.lease);
  if (i.lease.empty()) add("", i.indicator);
  return out;
}

}  // namespace internal

Exported export_items(const std::vector<ExportItem>& items, const ExportOptions& options) {
  Exported out;
  ExportValues values = by_value(items, options);
  std::erase_if(values, [&](const ExportValue& v) {
    const std::string why = cannot_say(v.first(), options.form);
    if (!why.empty()) ++out.unsaid[why];
    return !why.empty();
  });
  cut(values, options.capacity, out.left_out);
  out.entries = values.size();
  const ExportHeader header{values.size(), out.left_out.size(), options.capacity};
  switch (options.form) {
    case ExportForm::kText:
      write_text(values, header, out);
      break;
    case ExportForm::kCsv:
      write_csv(values, out);
      break;
    case ExportForm::kZeek:
      write_zeek(values, header, out);
      break;
    case ExportForm::kSuricata:
      write_suricata(values, header, out);
      break;
    case ExportForm::kRpz:
      write_rpz(values, options, out);
      break;
    case ExportForm::kNft:
      write_nft(values, header, options, out);
      break;
  }
  return out;
}

}  // namespace entente::enforce
