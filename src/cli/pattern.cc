// pattern check|match|equal
#include "pattern/pattern.h"

#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "cli/internal/commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "json/node.h"
#include "pattern/equal.h"
#include "pattern/evaluate.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  std::string pattern, other, file, data;
  bool lenient = false;
};

struct Line {
  size_t number;
  std::string pattern;
};

// One pattern a line; empty lines and lines that begin with # are left out. A line that begins with a double quote is a
// JSON string, so that a pattern with a newline in it can be written.
Result<std::vector<Line>> pattern_lines(const std::string& file) {
  TRY(const std::string text, read_input(file));
  std::vector<Line> out;
  std::string_view rest = text;
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    std::string line(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const size_t first = line.find_first_not_of(" \t");
    if (first == std::string::npos || line[first] == '#') continue;
    if (line[first] == '"') {
      auto doc = json::parse(line);
      if (!doc.ok()) return doc.error().at(file + ":" + std::to_string(number));
      if (!doc->root().is_string())
        return invalid("neither a pattern nor a JSON string", file + ":" + std::to_string(number));
      line = json::as_string(doc->root());
    }
    out.push_back({number, std::move(line)});
  }
  return out;
}

// Parses and prepares: a regular expression that is none is found here, too.
Result<pattern::Matcher> prepare(const std::string& text) {
  TRY(const auto parsed, pattern::Pattern::parse(text));
  return pattern::Matcher::compile(parsed);
}

Result<int> check(Context& cx, const Options& o) {
  std::vector<Line> lines;
  if (!o.file.empty()) {
    TRY(lines, pattern_lines(o.file));
  } else if (!o.pattern.empty()) {
    lines.push_back({1, o.pattern});
  } else {
    return invalid("no pattern given", {}, "give 'PATTERN' or --file FILE");
  }
  bool ok = true;
  for (const auto& line : lines) {
    auto parsed = pattern::Pattern::parse(line.pattern);
    if (parsed.ok()) {
      if (auto matcher = pattern::Matcher::compile(*parsed); !matcher.ok()) parsed = matcher.error();
    }
    ok = ok && parsed.ok();
    if (cx.json) {
      Node n = Node::object();
      n.set("pattern", line.pattern).set("valid", parsed.ok());
      if (parsed.ok()) {
        const auto atoms = pattern::equality_atoms(*parsed);
        n.set("canonical", parsed->print())
            .set("indexed", static_cast<uint64_t>(atoms.any_of.size()))
            .set("complete", atoms.complete)
            .set("why", atoms.why);
      } else {
        n.set("error", parsed.error().what).set("where", parsed.error().where).set("remedy", parsed.error().remedy);
      }
      std::puts(json::write(n).c_str());
    } else if (parsed.ok()) {
      std::printf("valid: %s\n", parsed->print().c_str());
      for (const auto& w : parsed->warnings()) std::printf("  warning %s\n", w.c_str());
    } else {
      std::printf("not valid: %s\n  %s\n", printable(line.pattern, 400).c_str(), parsed.error().text().c_str());
    }
  }
  return ok ? 0 : 1;
}

struct Answer {
  const char* result;
  Node observed = Node::array();
  std::string names;  // for people
};

Answer answer(const pattern::MatchResult& r, const pattern::Observations& data) {
  if (r.outcome == pattern::Outcome::kNo) return {"no match", Node::array(), ""};
  if (r.outcome == pattern::Outcome::kLimit) return {"limit reached", Node::array(), ""};
  Answer a{"match", Node::array(), ""};
  for (const auto& b : r.witness) {
    const std::string& id = data.all()[b.observation].id;
    Node n = Node::object();
    n.set("id", id).set("times", b.times);
    a.observed.push(std::move(n));
    a.names +=
        (a.names.empty() ? "" : " ") + printable(id) + (b.times > 1 ? " (" + std::to_string(b.times) + "x)" : "");
  }
  return a;
}

// 0: at least one pattern matches. 1: none does. 2: none does, and of at least one it could not be said.
Result<int> match(Context& cx, const Options& o) {
  TRY(const auto lines, pattern_lines(o.file));
  TRY(const std::string text, read_input(o.data));
  auto data = pattern::Observations::read(text, {.lenient = o.lenient});
  if (!data.ok()) {
    // The data could not be read: no pattern was evaluated (2), and that is not the answer "no" (1).
    print_error(data.error().at(o.data));
    return 2;
  }
  std::vector<pattern::Matcher> matchers;
  std::vector<std::optional<Error>> errors;
  for (const auto& line : lines) {
    auto matcher = prepare(line.pattern);
    errors.push_back(matcher.ok() ? std::nullopt : std::optional(matcher.error()));
    if (matcher.ok()) matchers.push_back(*std::move(matcher));
  }
  const auto results = pattern::match_all(matchers, *data);
  auto next = results.begin();
  bool some = false;
  bool unknown = false;
  Table t({"line", "result", "observed-data"});
  for (size_t i = 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    Node n = Node::object();
    n.set("line", static_cast<uint64_t>(line.number)).set("pattern", line.pattern);
    if (const auto& e = errors[i]) {
      unknown = true;
      print_error(e->at(o.file + ":" + std::to_string(line.number)));
      n.set("result", "not valid")
          .set("matched", false)
          .set("error", e->what)
          .set("where", e->where)
          .set("remedy", e->remedy);
      t.row({std::to_string(line.number), "not valid", e->text()});
    } else {
      Answer a = answer(*next++, *data);
      const bool matched = std::string_view(a.result) == "match";
      some = some || matched;
      unknown = unknown || std::string_view(a.result) == "limit reached";
      n.set("result", a.result).set("matched", matched).set("observed", std::move(a.observed));
      t.row({std::to_string(line.number), a.result, a.names});
    }
    if (cx.json) std::puts(json::write(n).c_str());
  }
  if (!cx.json) {
    if (!t.empty()) t.print();
    std::printf("%s patterns, %s observed-data\n", grouped(lines.size()).c_str(), grouped(data->all().size()).c_str());
  }
  return some ? 0 : unknown ? 2 : 1;
}

// 0: they match the same observations. 1: they differ, or it is not known.
Result<int> equal(Context& cx, const Options& o) {
  const auto a = pattern::Pattern::parse(o.pattern);
  if (!a.ok()) return a.error().at("the first pattern");
  const auto b = pattern::Pattern::parse(o.other);
  if (!b.ok()) return b.error().at("the second pattern");
  const bool same = pattern::surely_equal(*a, *b);
  if (cx.json) {
    Node n = Node::object();
    n.set("equal", same);
    std::puts(json::write(n).c_str());
  } else {
    std::puts(same ? "equal" : "different, or not known");
  }
  return same ? 0 : 1;
}

}  // namespace

void add_pattern_commands(CLI::App& app, Context& cx) {
  auto o = std::make_shared<Options>();
  auto* p = app.add_subcommand("pattern", "STIX patterns: check, evaluate over observed-data");
  p->require_subcommand(1);
  auto* c = p->add_subcommand("check", "is it a pattern, and if not, where and why");
  c->add_option("PATTERN", o->pattern, "pattern");
  c->add_option("--file", o->file, "file with one pattern a line; '-' is standard input");
  c->callback([&cx, o] { finish(cx, check(cx, *o)); });
  c = p->add_subcommand("equal", "do two patterns match the same observations (exit 1: no, or not known)");
  c->add_option("A", o->pattern, "pattern")->required();
  c->add_option("B", o->other, "pattern")->required();
  c->callback([&cx, o] { finish(cx, equal(cx, *o)); });
  c = p->add_subcommand("match", "which patterns match the observed-data, and what they are bound to (exit 1 if none)");
  c->add_option("--pattern-file", o->file, "file with one pattern a line")->required();
  c->add_option("--data", o->data, "observed-data with its objects: bundle, list or JSON lines")->required();
  c->add_flag("--lenient", o->lenient, "take observed-data without times or count, null values, objects of any form");
  c->callback([&cx, o] { finish(cx, match(cx, *o)); });
}

}  // namespace entente::cli
