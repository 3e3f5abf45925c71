// entente duty, entente score: what is due under agreements, and what came of them, as both ledgers show it.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/time.h"
#include "cli/internal/answer.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "json/node.h"
#include "net/http.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  Target target;
  std::string partner, agreement, within, entries, since, until;
  bool overdue = false, all = false;
};

// "2 h 5 min", "40 s": the two largest units.
std::string span_text(int64_t us) {
  const int64_t s = us / 1'000'000;
  if (us < 1'000'000) return fmt::format("{} ms", us / 1000);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  if (s < 86'400) return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
  return fmt::format("{} d {} h", s / 86'400, s % 86'400 / 3600);
}

Result<Node> ask(const Options& o, const std::string& what, bool all) {
  TRY(NodeClient client, NodeClient::connect(o.target));
  std::string path = "/api/v1/" + what + "?";
  for (const auto& [name, value] : {std::pair{"partner", o.partner},
                                    {"agreement", o.agreement},
                                    {"entries", o.entries},
                                    {"since", o.since},
                                    {"until", o.until}})
    if (!value.empty()) path += fmt::format("{}={}&", name, net::url_encode(value));
  if (all) path += "all=1";
  TRY(const json::Document answer, client.get(path));
  return Node::from(answer.root());
}

const Node::List& list_at(const Node& n, std::string_view name) {
  static const Node::List kNone;
  const Node* v = n.find(name);
  return v != nullptr && v->is_array() ? v->list() : kNone;
}

// "PT2H", or as people write it: 2h, 30m, 1d.
Result<Period> span(const std::string& text) {
  if (text.empty() || text.front() == 'P') return parse_period(text);
  const char unit = text.back();
  const std::string number = text.substr(0, text.size() - 1);
  if (unit == 'd') return parse_period("P" + number + "D");
  return parse_period("PT" + number + (unit == 'h' ? "H" : unit == 'm' ? "M" : std::string(1, unit)));
}

// Exit status 1 if something is overdue.
Result<int> duty_list(Context& cx, const Options& o) {
  TRY(const Node answer, ask(o, "duties", o.all));
  SystemClock clock;
  const Time now = clock.now();
  std::optional<Time> before;
  if (!o.within.empty()) {
    TRY(const Period p, span(o.within));
    before = add(now, p);
  }
  Table table({"owed by", "to", "duty", "article", "about", "started (UTC)", "due (UTC)", "state"});
  bool overdue = false, any = false;
  std::string people;
  for (const Node& sheet : list_at(answer, "sheets")) {
    for (const Node& level : list_at(sheet, "not_clocked")) people += (people.empty() ? "" : ", ") + level.string();
    for (const char* which : {"duties", "waiting"}) {
      for (const Node& d : list_at(sheet, which)) {
        const std::string state = text_at(d, "state");
        const auto due = parse_time(d.string_at("due"));
        if (!due.ok()) continue;
        overdue = overdue || state == "overdue";
        const bool soon = before && state == "open" && *due <= *before;
        if (o.overdue || before ? !(state == "overdue" || soon) : !o.all && state != "overdue" && state != "open")
          continue;
        any = true;
        if (cx.json) {
          Node one = d;
          one.set("agreement_id", text_at(sheet, "agreement_id")).set("private", std::string_view(which) == "waiting");
          std::puts(json::write(one).c_str());
          continue;
        }
        std::string when = state;
        if (state == "open") when += fmt::format(", {} left", span_text(due->us - now.us));
        if (state == "overdue") when += fmt::format(" by {}", span_text(now.us - due->us));
        table.row({text_at(d, "obligor"), text_at(d, "to"),
                   fmt::format("{} ({})", text_at(d, "act"), text_at(d, "level")), text_at(d, "article"),
                   printable(d.string_at("subject"), 60), short_time(d.string_at("started")),
                   short_time(d.string_at("due")),
                   when + (std::string_view(which) == "waiting" ? ", waits for people here" : "")});
      }
    }
  }
  if (!cx.json) {
    if (any)
      table.print();
    else
      std::puts(o.overdue ? "nothing is overdue" : "no duty is open");
    if (!people.empty()) std::printf("kept by people, not by a clock: %s\n", people.c_str());
  }
  return overdue ? 1 : 0;
}

std::string delay(const Node& party, const char* name) {
  const Node* v = party.find(name);
  return v != nullptr && v->is_int() ? span_text(v->integer()) : "-";
}

std::string counted(const Node& party, std::string_view name) {
  return grouped(static_cast<uint64_t>(int_at(party, name)));
}

void print_score(const Node& one) {
  const Node none = Node::object();
  const Node& sheet = one.find("sheet") == nullptr ? none : *one.find("sheet");
  const Node& parties = sheet.find("parties") == nullptr ? none : *sheet.find("parties");
  std::printf("agreement %s%s\nfrom %s to %s UTC; the sheet's SHA-256 is %s\n\n",
              text_at(sheet, "agreement_id").c_str(),
              text_at(sheet, "article").empty() ? "" : fmt::format(", article {}", text_at(sheet, "article")).c_str(),
              short_time(sheet.string_at("since")).c_str(), short_time(sheet.string_at("until")).c_str(),
              text_at(one, "sha256").c_str());
  std::vector<std::string> heads = {""};
  for (const auto& [code, p] : parties.members()) heads.push_back(code);
  Table table(heads);
  const auto row = [&](const char* name, const auto& cell) {
    std::vector<std::string> cells = {name};
    for (const auto& [code, p] : parties.members()) cells.push_back(cell(p));
    table.row(std::move(cells));
  };
  const auto plain = [&](const char* name, const char* member) {
    row(name, [&](const Node& p) { return counted(p, member); });
  };
  plain("object versions released", "released_objects");
  row("  by type", [](const Node& p) {
    std::string out;
    if (const Node* types = p.find("released"))
      for (const auto& [type, n] : types->members())
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", type, grouped(static_cast<uint64_t>(n.integer())));
    return out.empty() ? std::string("-") : out;
  });
  plain("recalled", "recalled_objects");
  plain("refused by the other", "objects_refused");
  row("releases, acknowledged",
      [](const Node& p) { return fmt::format("{}, {}", counted(p, "releases"), counted(p, "acknowledged")); });
  row("from commit to release, median", [](const Node& p) { return delay(p, "median_release_delay_us"); });
  row("to acknowledge the other, median", [](const Node& p) { return delay(p, "median_acknowledge_delay_us"); });
  plain("sightings returned", "sightings_returned");
  plain("  of so many of the other's objects", "objects_seen");
  plain("  hits that they report", "hits_reported");
  plain("leases in joint actions", "joint_leases");
  plain("hits in joint actions", "joint_hits");
  row("claims that the other was wrong", [](const Node& p) {
    const Node* c = p.find("claims");
    if (c == nullptr || int_at(*c, "made") == 0) return std::string("0");
    return fmt::format("{}: {} withdrawn, {} upheld, {} open", int_at(*c, "made"), int_at(*c, "withdrawn"),
                       int_at(*c, "upheld"), int_at(*c, "open"));
  });
  std::vector<std::string> levels;
  for (const auto& [code, p] : parties.members())
    if (const Node* d = p.find("duties"))
      for (const auto& [level, k] : d->members())
        if (std::find(levels.begin(), levels.end(), level) == levels.end()) levels.push_back(level);
  std::sort(levels.begin(), levels.end());
  for (const auto& level : levels)
    row(("duty " + level).c_str(), [&](const Node& p) {
      const Node* d = p.find("duties");
      const Node* k = d == nullptr ? nullptr : d->find(level);
      if (k == nullptr) return std::string("-");
      std::string out = fmt::format("{} kept", grouped(static_cast<uint64_t>(int_at(*k, "met"))));
      for (const char* state : {"late", "overdue", "open"})
        if (int_at(*k, state) > 0) out += fmt::format(", {} {}", int_at(*k, state), state);
      return out;
    });
  plain("misses said in the own ledger", "breaches_admitted");
  table.print();
  std::string measured;
  for (const Node& m : list_at(sheet, "measure")) measured += (measured.empty() ? "" : ", ") + m.string();
  if (!measured.empty())
    std::printf("\nthe agreement measures %s; what follows: %s\n", measured.c_str(),
                text_at(sheet, "consequence").c_str());
  if (const Node* own = one.find("own"))
    std::printf("withheld here, which the partner does not see: %s\n", counted(*own, "withheld").c_str());
}

Result<int> score(Context& cx, const Options& o) {
  TRY(const Node answer, ask(o, "score", false));
  bool first = true;
  for (const Node& one : list_at(answer, "sheets")) {
    if (cx.json) {
      std::puts(json::write(one).c_str());
      continue;
    }
    if (!first) std::puts("");
    first = false;
    print_score(one);
  }
  return 0;
}

void add_sheet(CLI::App& c, Options& o) {
  c.add_option("--agreement", o.agreement, "only this agreement");
  c.add_option("--entries", o.entries, "so many entries of each ledger, as the other end names them: IN=12,JP=14");
  c.add_option("--since", o.since, "from this time on (default: the agreement's window)");
  c.add_option("--until", o.until, "up to this time (default: now)");
  o.target.add_options(c);
}

}  // namespace

void add_duty_commands(CLI::App& app, Context& cx) {
  auto* duty = app.add_subcommand("duty", "service levels of agreements: what is due, and what is late");
  duty->require_subcommand(1);
  auto o = std::make_shared<Options>();
  auto* c =
      duty->add_subcommand("list", "duties that are open or overdue, of both sides (status 1: something is overdue)");
  c->add_flag("--overdue", o->overdue, "only what is overdue");
  c->add_option("--within", o->within, "and what is due within this time, as 2h, 30m or PT2H");
  c->add_flag("--all", o->all, "also what was done, in time or late");
  c->add_option("--partner", o->partner, "only with this party");
  add_sheet(*c, *o);
  c->callback([&cx, o] { finish(cx, duty_list(cx, *o)); });

  auto* s = app.add_subcommand("score", "what sharing brought, the same sheet at both ends");
  s->require_subcommand(1);
  o = std::make_shared<Options>();
  c = s->add_subcommand("partner", "reciprocity and effectiveness with one partner");
  c->add_option("PARTY", o->partner, "the partner")->required();
  add_sheet(*c, *o);
  c->callback([&cx, o] { finish(cx, score(cx, *o)); });
}

}  // namespace entente::cli
