// What is blocked, written in the forms of other programs: plain lists, CSV, Zeek's intelligence framework, Suricata's
// rules with their data sets, a response-policy zone, an nftables file. Pure: entries, a form and a capacity come in,
// files come out, and what was left out of them and why.
//
// Equal entries are equal octets, whatever the time is, but for nftables, whose elements end by a time-out of their
// own: whoever serves them can tell by the octets whether anything changed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "enforce/lease.h"
#include "enforce/target.h"

namespace entente::enforce {

enum class ExportForm : uint8_t { kText, kCsv, kZeek, kSuricata, kRpz, kNft };
[[nodiscard]] std::string_view to_text(ExportForm form);
[[nodiscard]] Result<ExportForm> parse_export_form(std::string_view text);

enum class ExportKind : uint8_t { kAddress, kRange, kName, kUrl, kMd5, kSha1, kSha256, kEmail, kJa3, kJa4 };
[[nodiscard]] std::string_view to_text(ExportKind kind);

struct ExportItem {
  ExportKind kind = ExportKind::kAddress;
  Prefix prefix{};  // kAddress, kRange
  // Of the others: a name without "*.", a URL, a digest or TLS fingerprint in lower case, an e-mail address.
  std::string text;
  bool tree = false;  // kName: everything below it too
  bool drop = true;   // else it is only counted
  // Where it comes from; "" where nothing is known.
  std::string party, agreement, article, lease, indicator, reason;
  Time from{0}, end{INT64_MAX};

  [[nodiscard]] std::string value() const;  // "198.51.100.0/24", "*.evil.example", "http://…"
  static ExportItem of(const Lease& lease);
};

struct ExportOptions {
  ExportForm form = ExportForm::kText;
  // Most values that the reader of this form can hold. Above it, what drops goes before what is only counted, and what
  // was granted earlier before what came later (as the reconciler ranks); the rest is left out, and told.
  size_t capacity = 100'000;
  bool with_counting = false;  // also what is only counted; text, rpz and nft cannot tell it apart and never have it
  std::vector<Prefix> allow = {};  // nftables: overrides every block, in the file as well (safety rule 2)
  Time now{0};                     // nftables: time-outs are counted from here
  int64_t reload_us = 60'000'000;  // nftables: loaded at most so long after it was written, so that no end is overrun
  std::string zone = "rpz.entente";
  uint32_t serial = 1;  // of the zone
};

struct ExportFile {
  std::string name;  // "addresses.txt", "entente.intel"
  std::string media_type;
  std::string bytes;
  size_t entries = 0;
};

struct Exported {
  std::vector<ExportFile> files;
  size_t entries = 0;                    // values, each once
  std::vector<ExportItem> left_out;      // above the capacity, by rank
  std::map<std::string, size_t> unsaid;  // why the form cannot say it -> how many values
};
[[nodiscard]] Exported export_items(const std::vector<ExportItem>& items, const ExportOptions& options);

}  // namespace entente::enforce
