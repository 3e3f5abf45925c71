// Forms of exports that say what to block and no more: plain lists, CSV, a zone, an nftables file.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/bytes.h"
#include "enforce/internal/export_writers.h"
#include "enforce/rpz.h"

namespace entente::enforce::internal {

namespace {

constexpr std::string_view kPlain = "text/plain; charset=utf-8";

// A cell of RFC 4180. Text of others is made printable; a cell that a spreadsheet would take for a formula is not one.
std::string cell(const std::string& text) {
  std::string shown = printable(text, 1000);
  if (!shown.empty() && std::string_view("=+-@").find(shown.front()) != std::string_view::npos)
    shown = fmt::format("'{}", shown);
  if (shown.find_first_of(",\"") == std::string::npos) return shown;
  std::string out;
  for (const char c : shown) {
    if (c == '"') out += '"';
    out += c;
  }
  return fmt::format("\"{}\"", out);
}

}  // namespace

void write_text(const ExportValues& values, const ExportHeader& header, Exported& out) {
  struct List {
    const char* name;
    bool always;  // leases have them: a reader must not meet "not found" because there is none just now
    std::string lines{};
    size_t entries = 0;
  };
  std::array<List, 7> lists{{{"addresses.txt", true},
                             {"names.txt", true},
                             {"urls.txt", false},
                             {"digests.txt", false},
                             {"emails.txt", false},
                             {"ja3.txt", false},
                             {"ja4.txt", false}}};
  const auto list_of = [](ExportKind kind) -> size_t {
    switch (kind) {
      case ExportKind::kAddress:
      case ExportKind::kRange:
        return 0;
      case ExportKind::kName:
        return 1;
      case ExportKind::kUrl:
        return 2;
      case ExportKind::kMd5:
      case ExportKind::kSha1:
      case ExportKind::kSha256:
        return 3;
      case ExportKind::kEmail:
        return 4;
      case ExportKind::kJa3:
        return 5;
      case ExportKind::kJa4:
        return 6;
    }
    return 0;
  };
  for (const ExportValue& v : values) {
    List& l = lists[list_of(v.first().kind)];
    l.lines += v.first().value() + "\n";
    ++l.entries;
  }
  for (List& l : lists) {
    if (l.entries == 0 && !l.always) continue;
    const ExportHeader own{l.entries, header.left_out, header.capacity};
    out.files.push_back({l.name, std::string(kPlain), own.line() + l.lines, l.entries});
  }
}

void write_csv(const ExportValues& values, Exported& out) {
  std::string text = "value,type,action,party,article,lease,granted,end,indicator,agreement,reason\r\n";
  size_t rows = 0;
  for (const ExportValue& v : values) {
    for (const ExportItem* i : v.all) {
      text += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\r\n", cell(i->value()), to_text(i->kind),
                          i->drop ? "drop" : "count", cell(i->party), cell(i->article), i->lease,
                          i->from.us == 0 ? "" : entente::to_text(i->from),
                          i->end.us == INT64_MAX ? "" : entente::to_text(i->end), cell(i->indicator),
                          cell(i->agreement), cell(i->reason));
      ++rows;
    }
  }
  out.files.push_back({"leases.csv", "text/csv; charset=utf-8", std::move(text), rows});
}

void write_rpz(const ExportValues& values, const ExportOptions& options, Exported& out) {
  RpzOptions zone_options;
  zone_options.zone = options.zone;
  RpzZone zone(zone_options, values.empty() ? options.serial : options.serial - 1);  // commit() adds one
  for (const ExportValue& v : values) {
    Target name;
    name.kind = TargetKind::kName;
    name.host = v.first().text;
    name.tree = v.first().tree;
    zone.set(name, true);
  }
  zone.commit();
  out.files.push_back({"rpz.zone", "text/dns", zone.master_file(), values.size()});
}

// A table of its own beside everything else, replaced in one transaction. Exact addresses are in sets with time-outs;
// ranges too, without overlaps: what lies inside another one is covered by it.
void write_nft(const ExportValues& values, const ExportHeader& header, const ExportOptions& options, Exported& out) {
  std::array<std::vector<std::string>, 4> sets;  // block4 block6 blocknet4 blocknet6
  std::array<const ExportItem*, 2> outer{};
  size_t entries = 0;
  for (const ExportValue& v : values) {
    const ExportItem& i = v.first();
    const bool range = !i.prefix.single();
    const size_t v6 = i.prefix.v6 ? 1 : 0;
    // Not longer than the lease, if it is loaded in time; what ends sooner than that is not worth loading.
    const int64_t left_us = i.end.us == INT64_MAX ? 0 : i.end.us - options.now.us - options.reload_us;
    if (i.end.us != INT64_MAX && left_us < 1'000'000) continue;
    if (range) {  // in order: what contains it came before
      const ExportItem* before = outer[v6];
      if (before != nullptr && before->prefix.contains(i.prefix) && before->end >= i.end) continue;
      if (before != nullptr && before->prefix.contains(i.prefix)) {
        ++out.unsaid["it lies inside a range that ends sooner"];
        continue;
      }
      outer[v6] = &i;
    }
    std::string element = i.prefix.text();
    if (i.end.us != INT64_MAX)
      element += fmt::format(" timeout {}s", std::min<int64_t>(left_us / 1'000'000, 315'360'000));
    sets[v6 + (range ? 2 : 0)].push_back(std::move(element));
    ++entries;
  }
  std::array<std::vector<std::string>, 2> allow;
  for (const Prefix& p : options.allow) allow[p.v6 ? 1 : 0].push_back(p.text());
  std::string text = header.line();
  text +=
      "# Load it with `nft -f`, within a minute of its writing: elements end by themselves, and not later than their\n"
      "# lease. One transaction: the table is replaced without a gap.\n"
      "table inet entente_export {}\ndelete table inet entente_export\ntable inet entente_export {\n";
  const auto set = [&](std::string_view name, char v, std::string_view flags,
                       const std::vector<std::string>& elements) {
    text += fmt::format("  set {} {{\n    type ipv{}_addr\n    flags {}\n", name, v, flags);
    for (size_t i = 0; i < elements.size(); ++i)
      text += (i == 0 ? "    elements = { " : ",\n      ") + elements[i] + (i + 1 == elements.size() ? " }\n" : "");
    text += "  }\n";
  };
  set("allow4", '4', "interval", allow[0]);
  set("allow6", '6', "interval", allow[1]);
  set("block4", '4', "timeout", sets[0]);
  set("block6", '6', "timeout", sets[1]);
  set("blocknet4", '4', "interval, timeout", sets[2]);
  set("blocknet6", '6', "interval, timeout", sets[3]);
  text += "  chain judge {\n";
  for (const char v : {'4', '6'}) {
    for (const char* side : {"saddr", "daddr"}) {
      for (const char* net : {"", "net"}) {
        text += fmt::format("    {0} {1} != @allow{2} {0} {1} @block{3}{2} counter drop\n", v == '4' ? "ip" : "ip6",
                            side, v, net);
      }
    }
  }
  text +=
      "  }\n  chain incoming {\n    type filter hook prerouting priority -150; policy accept;\n"
      "    iifname \"lo\" accept\n    jump judge\n  }\n"
      "  chain outgoing {\n    type filter hook output priority -150; policy accept;\n    jump judge\n  }\n}\n";
  out.files.push_back({"entente.nft", std::string(kPlain), std::move(text), entries});
}

}  // namespace entente::enforce::internal
