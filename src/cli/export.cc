#include "cli/internal/export.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/internal/table.h"
#include "detect/load.h"
#include "enforce/export.h"
#include "enforce/guard.h"
#include "json/json.h"
#include "json/node.h"
#include "sensor/control.h"

namespace entente::cli {
namespace {

using enforce::ExportItem;
using enforce::ExportKind;
using json::Node;

// What is not in the export, and why: in the order of the alphabet, with how many.
using Left = std::map<std::string, size_t>;

Status write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return make_error(ErrorKind::kIo, "this file cannot be written", path, "check the folder and its rights");
  return {};
}

std::optional<ExportItem> item_of(const pattern::Atom& atom, Left& left) {
  using enum pattern::AtomKind;
  ExportItem i;
  i.text = atom.value;
  switch (atom.kind) {
    case kIpv4:
    case kIpv6:
    case kCidr4:
    case kCidr6: {
      const auto prefix = enforce::parse_prefix(atom.value);
      if (!prefix.ok()) {
        ++left["an address that cannot be read"];
        return std::nullopt;
      }
      i.kind = prefix->single() ? ExportKind::kAddress : ExportKind::kRange;
      i.prefix = *prefix;
      i.text.clear();
      return i;
    }
    case kDomain:
    case kDomainTree:
      i.kind = ExportKind::kName;
      i.tree = atom.kind == kDomainTree;
      return i;
    case kUrl:
      i.kind = ExportKind::kUrl;
      return i;
    case kMd5:
      i.kind = ExportKind::kMd5;
      return i;
    case kSha1:
      i.kind = ExportKind::kSha1;
      return i;
    case kSha256:
      i.kind = ExportKind::kSha256;
      return i;
    case kEmail:
      i.kind = ExportKind::kEmail;
      return i;
    case kDomainBelow:
      ++left["what lies below a name, but not the name: no form says that"];
      return std::nullopt;
    case kSha512:
      ++left["SHA-512: no form has a place for it"];
      return std::nullopt;
    case kJa3:
      i.kind = ExportKind::kJa3;
      return i;
    case kJa4:
      i.kind = ExportKind::kJa4;
      return i;
  }
  return std::nullopt;
}

// The same that a sensor's guard asks of a target: protected lists and breadth.
Result<std::vector<ExportItem>> from_files(const ExportCommand& o, Left& left) {
  PosixFiles files;
  enforce::ProtectedList lists;
  for (const std::string& path : o.allow_lists) {
    TRY([[maybe_unused]] const auto loaded, lists.add_file(files, path));
  }
  enforce::GuardConfig config;
  config.mode = enforce::Mode::kBlock;
  const enforce::Guard guard(config, lists);
  const Time now = SystemClock().now();
  std::vector<ExportItem> out;
  detect::LoadOptions load;
  load.each = [&](const detect::Indicator& indicator, const std::vector<pattern::Atom>& atoms) {
    if (indicator.valid_until <= now || indicator.valid_from > now) {
      ++left[indicator.valid_until <= now ? "no longer valid" : "not valid yet"];
      return;
    }
    // A name, and what is below it, as two tests of one pattern.
    const auto has = [&](pattern::AtomKind kind, const std::string& value) {
      return std::any_of(atoms.begin(), atoms.end(), [&](const auto& a) { return a.kind == kind && a.value == value; });
    };
    for (const pattern::Atom& atom : atoms) {
      using enum pattern::AtomKind;
      if (atom.kind == kDomainBelow && has(kDomain, atom.value)) continue;
      auto item = item_of(atom, left);
      if (!item) continue;
      if (atom.kind == kDomain && has(kDomainBelow, atom.value)) item->tree = true;
      if (item->kind <= ExportKind::kName) {
        enforce::Proposal p;
        if (item->kind == ExportKind::kName) {
          p.target.kind = enforce::TargetKind::kName;
          p.target.host = item->text;
          p.target.tree = item->tree;
        } else {
          p.target = enforce::Target::of(item->prefix);
        }
        p.block = {true, "", ""};
        const enforce::Verdict v = guard.check(p, {}, now);
        if (v.outcome == enforce::Outcome::kRefuse) {
          ++left[fmt::format("{}: {}", v.code, printable(v.sentence, 200))];
          continue;
        }
      }
      item->indicator = indicator.id;
      item->from = indicator.valid_from;
      item->end = indicator.valid_until;
      out.push_back(std::move(*item));
    }
  };
  TRY(const detect::Loaded loaded, detect::load_indicators(o.files, load));
  const auto count = [&](uint64_t n, const char* why) {
    if (n > 0) left[why] += n;
  };
  uint64_t compound = loaded.compounds == nullptr ? 0 : loaded.compounds->size();
  count(compound, "a pattern that no single value decides");
  count(loaded.not_at_all.size(), "a pattern that cannot be read, or has nothing to look up");
  count(loaded.revoked, "revoked");
  count(loaded.other_languages, "written in another pattern language");
  count(loaded.lines_not_understood, "lines that are no address, name, URL, digest or e-mail address");
  return out;
}

Result<std::vector<ExportItem>> from_sensor(const ExportCommand& o) {
  auto answer = sensor::control(o.state + "/control.sock", R"({"cmd":"leases"})");
  if (!answer.ok()) return answer.error().at("is a sensor running with this state folder?");
  TRY(const json::Document doc, json::parse(*answer));
  std::vector<ExportItem> out;
  const auto list = json::find_array(doc.root(), "leases");
  if (!list) return invalid("the sensor's answer cannot be read");
  for (const json::Value v : *list) {
    const auto text = [&](const char* name) { return std::string(json::find_string(v, name).value_or("")); };
    enforce::Lease lease;
    TRY(lease.state, enforce::parse_lease_state(text("state")));
    if (!lease.in_force()) continue;
    TRY(lease.target, enforce::parse_target(text("target")));
    TRY(lease.start, parse_time(text("start")));
    TRY(lease.end, parse_time(text("end")));
    lease.partner = text("partner");
    lease.agreement = text("agreement");
    lease.article = text("article");
    lease.indicator = text("indicator");
    lease.reason = text("reason");
    ExportItem item = ExportItem::of(lease);
    item.lease = text("lease");
    out.push_back(std::move(item));
  }
  return out;
}

Status write_out(const ExportCommand& o, const enforce::Exported& made) {
  namespace fs = std::filesystem;
  std::error_code ec;
  if (!o.out.empty() && (o.out.ends_with('/') || fs::is_directory(o.out, ec))) {
    fs::create_directories(o.out, ec);
    for (const auto& f : made.files) CHECK_OK(write_file((fs::path(o.out) / f.name).string(), f.bytes));
    return {};
  }
  if (o.form == "suricata")
    return invalid("this form is several files that belong together", o.out.empty() ? "standard output" : o.out,
                   "name a folder: --out FOLDER/");
  std::string all;
  for (const auto& f : made.files) {
    if (f.entries > 0 || made.files.size() == 1) all += f.bytes;
  }
  if (!o.out.empty() && o.out != "-") return write_file(o.out, all);
  std::fwrite(all.data(), 1, all.size(), stdout);
  return {};
}

}  // namespace

Result<int> export_blocks(Context& cx, const ExportCommand& o) {
  if (o.state.empty() == o.files.empty())
    return invalid("what is to be exported?", {}, "name files of indicators, or --state of a running sensor");
  Left left;
  std::vector<ExportItem> items;
  if (o.state.empty()) {
    TRY(items, from_files(o, left));
  } else {
    TRY(items, from_sensor(o));
  }
  enforce::ExportOptions options;
  TRY(options.form, enforce::parse_export_form(o.form));
  options.capacity = o.capacity;
  options.with_counting = o.with_counting;
  options.now = SystemClock().now();
  options.zone = o.zone;
  options.serial = static_cast<uint32_t>(options.now.us / 1'000'000);
  const enforce::Exported made = enforce::export_items(items, options);
  CHECK_OK(write_out(o, made));
  for (const auto& [why, n] : made.unsaid) left[why] += n;
  if (!made.left_out.empty())
    left[fmt::format("above the capacity of {}, first: {}", o.capacity, made.left_out.front().value())] +=
        made.left_out.size();
  FILE* to = o.out.empty() || o.out == "-" ? stderr : stdout;
  if (cx.json) {
    Node n = Node::object(), why = Node::object();
    for (const auto& [reason, count] : left) why.set(reason, count);
    n.set("values", made.entries).set("left_out", std::move(why));
    std::fprintf(to, "%s\n", json::write(Node(Node::Members{{"exported", std::move(n)}})).c_str());
    return 0;
  }
  if (!left.empty()) {
    Table t({"not exported", "values"});
    for (const auto& [why, n] : left) t.row({printable(why, 300), grouped(n)});
    t.print(to);
  }
  std::fprintf(to, "%s values exported\n", grouped(made.entries).c_str());
  return 0;
}

}  // namespace entente::cli
