// agreement check|show|diff|simulate: what a document says and what would follow from it. Needs no node, but for
// `simulate --days`.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "agreement/decide.h"
#include "agreement/words.h"
#include "base/bytes.h"
#include "base/files.h"
#include "cli/internal/agreement_commands.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "cli/internal/upper.h"
#include "stix/object.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  std::string file, other, language = "en", html, objects, from, to;
  Target node;   // with days: whose own objects
  int days = 0;  // 0 = objects come from a file
  std::vector<std::string> texts;
};

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const auto& s : list) out += (out.empty() ? "" : ", ") + s;
  return out;
}

Result<agreement::Document> load(const std::string& file) {
  std::vector<agreement::Problem> problems;
  auto doc = load_document(file, problems);
  if (!doc.ok()) return doc.error().at(file);
  return doc;
}

// --text LANG=FILE: check 11.
Result<std::map<std::string, std::string>> read_texts(const std::vector<std::string>& given) {
  std::map<std::string, std::string> out;
  for (const auto& one : given) {
    const size_t equals = one.find('=');
    if (equals == std::string::npos)
      return invalid("a text is given as LANG=FILE", one, "for example --text en=text.txt");
    TRY(out[one.substr(0, equals)], read_input(one.substr(equals + 1)));
  }
  return out;
}

Result<int> check(Context& cx, const Options& o) {
  std::vector<agreement::Problem> problems;
  auto doc = load_document(o.file, problems);
  if (!doc.ok() && problems.empty()) return doc.error().at(o.file);
  if (doc.ok() && !o.texts.empty()) {
    TRY(const auto texts, read_texts(o.texts));
    problems = agreement::check_texts(*doc, texts);
  }
  const bool valid = doc.ok() && problems.empty();
  const auto covered = doc.ok() ? agreement::coverage(*doc) : std::vector<agreement::Coverage>{};
  std::map<std::string, int> count;
  for (const auto& c : covered) ++count[c.machine];
  if (cx.json) {
    Node n = Node::object();
    Node list = Node::array();
    for (const auto& p : problems) list.push(Node::object().set("pointer", p.pointer).set("message", p.message));
    n.set("ok", valid).set("problems", std::move(list));
    if (doc.ok()) {
      Node articles = Node::array();
      for (const auto& c : covered) {
        Node rules = Node::array();
        for (const auto& r : c.rules) rules.push(r);
        articles.push(Node::object()
                          .set("art", c.art)
                          .set("title", c.title)
                          .set("machine", c.machine)
                          .set("rules", std::move(rules))
                          .set("remark", c.remark));
      }
      n.set("agreement_id", doc->agreement_id).set("hash", doc->hash).set("articles", std::move(articles));
    }
    std::puts(json::write(n).c_str());
    return valid ? 0 : 1;
  }
  if (!valid) {
    std::printf("%s is not a valid agreement: %zu problem(s)\n", o.file.c_str(), problems.size());
    Table t({"where", "what, and what would change it"});
    for (const auto& p : problems) t.row({p.pointer.empty() ? "/" : p.pointer, p.message});
    t.print();
    return 1;
  }
  std::printf("%s is valid: %s, version %lld\nhash %s\n\n", o.file.c_str(), doc->agreement_id.c_str(),
              static_cast<long long>(doc->version), doc->hash.c_str());
  Table t({"article", "title", "by machine", "rules that rest on it", "remark"});
  for (const auto& c : covered) t.row({c.art, c.title, c.machine, joined(c.rules), c.remark});
  t.print();
  std::printf("\n%d article(s) enforced, %d evidenced, %d for people\n", count["enforced"], count["evidenced"],
              count["human"]);
  if (o.texts.empty())
    std::puts("The human texts were not compared with their hashes: give --text LANG=FILE for each.");
  return 0;
}

Result<int> show(Context& cx, const Options& o) {
  TRY(const agreement::Document doc, load(o.file));
  if (cx.json) {
    std::puts(json::write(doc.node).c_str());
    return 0;
  }
  const auto language = agreement::parse_language(o.language).value_or(agreement::Language::kEnglish);
  const agreement::Page page = agreement::describe(doc, language);
  if (!o.html.empty()) {
    const std::string html = agreement::to_html(page, language);
    if (o.html == "-") {
      std::fputs(html.c_str(), stdout);
      return 0;
    }
    PosixFiles files;
    CHECK_OK(files.write_atomic(o.html, html, 0644));
    std::printf("%s\n", o.html.c_str());
    return 0;
  }
  std::printf("%s\n", page.title.c_str());
  for (const auto& line : page.lines) std::printf("%s\n", line.c_str());
  for (const auto& section : page.tables) {
    std::printf("\n%s\n", section.heading.c_str());
    Table t(section.columns);
    for (auto row : section.rows) {
      // A long list of types makes no readable table; the HTML page has them all.
      for (auto& cell : row)
        if (const auto commas = std::count(cell.begin(), cell.end(), ','); commas > 5 && cell.size() > 80)
          cell = cell.substr(0, cell.find(',', 40)) + fmt::format(", … ({})", commas + 1);
      t.row(std::move(row));
    }
    t.print();
  }
  return 0;
}

struct Flowing {
  std::string verdict, article, codes, note;
  std::string handling;  // that the receiver is held to; "" if it is withheld
  std::string octets;    // of what is redacted
};

// What the node's own people published in the last days, as JSON lines.
Result<std::string> published_lately(const Options& o) {
  TRY(NodeClient client, NodeClient::connect(o.node));
  SystemClock clock;
  taxii::Client::Get get;
  get.added_after = clock.now().plus_us(-int64_t{o.days} * 24 * 3600 * 1'000'000);
  std::string out;
  while (true) {
    auto page = client.taxii().objects("/local/", "inbox", get);
    if (!page.ok()) return client.explained(page.error());
    for (const auto raw : (*page)->objects) {
      out += raw;
      out += '\n';
    }
    if (!(*page)->more || (*page)->next.empty()) return out;
    get.next = (*page)->next;
  }
}

// What would become of each object under this text, if it were in force between the two.
Result<std::vector<std::pair<std::string, Flowing>>> flowing(const agreement::Document& doc, const Options& o) {
  for (const auto& p : {o.from, o.to}) {
    if (doc.party(p) == nullptr) return invalid("the document has no party " + printable(p), o.file);
  }
  TRY(const std::string text, o.days > 0 ? published_lately(o) : read_input(o.objects));
  std::vector<std::string_view> raws;
  if (!text.empty()) {
    TRY(raws, stix::split_objects(text));
  }
  SystemClock clock;
  agreement::State st;
  st.agreement_id = doc.agreement_id;
  st.kind = agreement::StateKind::kInForce;
  for (const auto& p : doc.parties) st.by_party[p.party] = agreement::StateKind::kInForce;
  st.start = Time{0};
  st.document = doc;
  std::vector<agreement::GraphObject> graph;
  for (const auto raw : raws) {
    agreement::GraphObject g;
    g.raw = raw;
    g.originator = o.from;
    g.committed = clock.now();
    graph.push_back(g);
  }
  agreement::Inputs in;
  in.me = o.from;
  in.recipient = o.to;
  in.at = clock.now();
  const std::vector<agreement::State> instruments{st};
  in.instruments = instruments;
  in.pseudonym_keys[doc.agreement_id] = std::string(32, 's');
  std::vector<std::pair<std::string, Flowing>> out;
  for (const auto& d : agreement::decide(graph, in)) {
    Flowing f;
    f.verdict = d.verdict == agreement::Verdict::kReleased   ? "released"
                : d.verdict == agreement::Verdict::kRedacted ? "redacted"
                : d.verdict == agreement::Verdict::kKnown    ? "known"
                                                             : "withheld";
    f.article = d.article;
    f.octets = d.bytes;
    if (f.verdict != "withheld")
      f.handling = ascii_upper(fmt::format("TLP:{} PAP:{}", stix::to_text(d.told_tlp), stix::to_text(d.told_pap)));
    for (const auto& r : d.reasons) {
      f.codes += (f.codes.empty() ? "" : ", ") + std::string(r.code);
      if (f.note.empty()) f.note = r.note;
      if (f.article.empty()) f.article = r.article;
    }
    json::Document parsed;
    CHECK_OK(parsed.parse(graph[d.object].raw));
    out.emplace_back(std::string(json::find_string(parsed.root(), "id").value_or("")), std::move(f));
  }
  return out;
}

Result<int> simulate(Context& cx, const Options& o) {
  if (o.objects.empty() && o.days == 0)
    return invalid("which objects?", "simulate", "give --objects FILE, or --days N and --dir of a running node");
  TRY(const agreement::Document doc, load(o.file));
  TRY(const auto all, flowing(doc, o));
  constexpr size_t kRows = 60;  // above, a table of what happened for which reason says more
  std::map<std::string, uint64_t> counts;
  std::map<std::array<std::string, 4>, uint64_t> kinds;  // type, verdict, article, reasons
  Table t({"object", "verdict", "article", "reason", "what would change it"});
  for (const auto& [id, f] : all) {
    ++counts[f.verdict];
    ++kinds[{id.substr(0, id.find("--")), f.verdict, f.article, f.codes}];
    if (cx.json) {
      Node reasons = Node::array();
      for (std::string_view rest = f.codes; !rest.empty();) {
        const size_t end = rest.find(", ");
        reasons.push(rest.substr(0, end));
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 2);
      }
      Node n = Node::object();
      n.set("id", id).set("verdict", f.verdict).set("article", f.article).set("reasons", std::move(reasons));
      std::puts(json::write(n).c_str());
    } else {
      t.row({id, f.verdict, f.article, f.codes, f.note});
    }
  }
  if (cx.json) return 0;
  if (all.size() > kRows) {
    Table summary({"type", "verdict", "article", "reason", "objects"});
    for (const auto& [what, n] : kinds) summary.row({what[0], what[1], what[2], what[3], grouped(n)});
    summary.print();
    std::puts("\n-o json says it object by object");
  } else if (!t.empty()) {
    t.print();
  }
  if (o.days > 0)
    std::printf("\nof what was published in the last %d day%s, ", o.days, o.days == 1 ? "" : "s");
  else
    std::printf("\n");
  std::printf("%s to %s under this text: %s released, %s redacted, %s withheld\n", o.from.c_str(), o.to.c_str(),
              grouped(counts["released"]).c_str(), grouped(counts["redacted"]).c_str(),
              grouped(counts["withheld"]).c_str());
  return 0;
}

// In releases: which objects would fare otherwise.
Result<int> diff_objects(Context& cx, const Options& o, const agreement::Document& a, const agreement::Document& b) {
  if (o.from.empty() || o.to.empty())
    return invalid("who gives and who gets?", "--objects", "give --from XX and --to YY");
  TRY(const auto before, flowing(a, o));
  TRY(const auto after, flowing(b, o));
  Table t({"object", "was", "becomes", "handling", "article", "reason", "what would change it"});
  size_t n = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    const auto& [id, was] = before[i];
    const Flowing& is = after[i].second;
    const bool same_handling = was.handling == is.handling;
    if (was.verdict == is.verdict && same_handling && was.octets == is.octets) continue;
    ++n;
    // Given before and after, but with less in it, or more.
    const std::string becomes =
        was.verdict == is.verdict && was.octets != is.octets ? is.verdict + ", otherwise" : is.verdict;
    const std::string handling = same_handling || was.handling.empty() ? is.handling
                                 : is.handling.empty()                 ? std::string()
                                                       : fmt::format("{}, was {}", is.handling, was.handling);
    if (cx.json) {
      std::puts(json::write(Node::object()
                                .set("id", id)
                                .set("was", was.verdict)
                                .set("becomes", is.verdict)
                                .set("handling_was", was.handling)
                                .set("handling", is.handling)
                                .set("octets_differ", was.octets != is.octets)
                                .set("article", is.article)
                                .set("reason", is.codes))
                    .c_str());
    } else {
      t.row({id, was.verdict, becomes, handling, is.article, is.codes, is.note});
    }
  }
  if (!cx.json) {
    if (n > 0) t.print();
    std::printf("%s of %s objects from %s to %s would fare otherwise\n", grouped(n).c_str(),
                grouped(before.size()).c_str(), o.from.c_str(), o.to.c_str());
  }
  return n == 0 ? 0 : 1;
}

Result<int> diff(Context& cx, const Options& o) {
  TRY(const agreement::Document a, load(o.file));
  TRY(const agreement::Document b, load(o.other));
  if (!o.objects.empty()) return diff_objects(cx, o, a, b);
  const auto all = agreement::changes(a, b);
  size_t wider = 0;
  size_t narrower = 0;
  Table t({"", "what changes"});
  for (const auto& c : all) {
    const char* way = c.wider ? "wider" : c.narrower ? "narrower" : "";
    wider += c.wider;
    narrower += c.narrower;
    if (cx.json)
      std::puts(json::write(Node::object().set("change", c.sentence).set("direction", way)).c_str());
    else
      t.row({way, c.sentence});
  }
  if (cx.json) return all.empty() ? 0 : 1;
  if (all.empty()) {
    std::puts("the two documents say the same");
    return 0;
  }
  t.print();
  std::printf("\n%zu change(s): %zu wider, %zu narrower; read the others yourself\n", all.size(), wider, narrower);
  return 1;
}

}  // namespace

void add_agreement_documents(CLI::App& a, Context& cx) {
  auto o = std::make_shared<Options>();
  auto* c = a.add_subcommand("check", "is the document valid, and what of each article does a machine enforce");
  c->add_option("FILE", o->file, "document")->required();
  c->add_option("--text", o->texts, "LANG=FILE: compare a human text with the hash that binds it");
  c->callback([&cx, o] { finish(cx, check(cx, *o)); });
  o = std::make_shared<Options>();
  c = a.add_subcommand("show", "the document as a page for people");
  c->add_option("FILE", o->file, "document")->required();
  c->add_option("--lang", o->language, "labels in this language")->check(CLI::IsMember({"en", "ja", "hi"}));
  c->add_option("--html", o->html, "write one HTML file (- for standard output)");
  c->callback([&cx, o] { finish(cx, show(cx, *o)); });
  o = std::make_shared<Options>();
  c = a.add_subcommand("diff", "what a new text changes, in words or in releases (exit 1 if anything)");
  c->add_option("OLD", o->file, "document")->required();
  c->add_option("NEW", o->other, "document")->required();
  c->add_option("--objects", o->objects, "STIX objects: say which would fare otherwise");
  c->add_option("--from", o->from, "with --objects: releasing party");
  c->add_option("--to", o->to, "with --objects: recipient");
  c->callback([&cx, o] { finish(cx, diff(cx, *o)); });
  o = std::make_shared<Options>();
  c = a.add_subcommand("simulate", "what would flow under this text, if it were in force");
  c->add_option("FILE", o->file, "document")->required();
  auto* file = c->add_option("--objects", o->objects, "STIX objects");
  auto* days = c->add_option("--days", o->days, "or: what a node's own people published in the last days")
                   ->check(CLI::Range(1, 3650));
  file->excludes(days);
  o->node.add_options(*c);
  c->add_option("--from", o->from, "releasing party")->required();
  c->add_option("--to", o->to, "recipient")->required();
  c->callback([&cx, o] { finish(cx, simulate(cx, *o)); });
}

}  // namespace entente::cli
