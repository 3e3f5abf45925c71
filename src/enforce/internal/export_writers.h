// The writers behind export_items(): each is given values that stand for one target each, ranked and cut to the
// capacity.
#pragma once

#include <string>
#include <vector>

#include "enforce/export.h"

namespace entente::enforce::internal {

// One value with everything that asks for it; `all` is never empty, and its first has the last end of those that drop.
struct ExportValue {
  std::vector<const ExportItem*> all;
  [[nodiscard]] const ExportItem& first() const { return *all.front(); }
};
using ExportValues = std::vector<ExportValue>;

struct ExportHeader {
  size_t entries = 0, left_out = 0, capacity = 0;
  // "# entente: 12 entries" and, if so, "; 3 left out above the capacity of 12: see manifest.json"
  [[nodiscard]] std::string line(std::string_view comment = "#") const;
};

// What a form cannot say is reported once per value.
using Unsaid = std::map<std::string, size_t>;

void write_text(const ExportValues& values, const ExportHeader& header, Exported& out);
void write_csv(const ExportValues& values, Exported& out);
void write_rpz(const ExportValues& values, const ExportOptions& options, Exported& out);
void write_nft(const ExportValues& values, const ExportHeader& header, const ExportOptions& options, Exported& out);
void write_zeek(const ExportValues& values, const ExportHeader& header, Exported& out);
void write_suricata(const ExportValues& values, const ExportHeader& header, Exported& out);

// "JP" or "own": who asks for it, each once, joined by '+'.
[[nodiscard]] std::string parties(const ExportValue& value);
// One line for people, printable: "shared by JP: phishing; Article 5(2); lease L7".
[[nodiscard]] std::string described(const ExportItem& item);

}  // namespace entente::enforce::internal
