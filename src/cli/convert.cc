// import, export: other systems' forms to STIX and back, offline
#include "cli/internal/convert.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "cli/internal/commands.h"
#include "cli/internal/export.h"
#include "cli/internal/node_client.h"
#include "cli/internal/table.h"
#include "json/node.h"
#include "misp/misp.h"
#include "stix/object.h"

namespace entente::cli {
namespace {

using json::Node;

struct Options {
  std::string form;
  std::string out;
  std::vector<std::string> files;
};

Status write_output(const std::string& path, const std::string& text) {
  if (path.empty() || path == "-") {
    std::fputs(text.c_str(), stdout);
    std::fputc('\n', stdout);
    return {};
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text << '\n';
  file.close();
  if (!file) return make_error(ErrorKind::kIo, "this file cannot be written", path, "check the folder and its rights");
  return {};
}

Node counts_json(const misp::Counts& c) {
  Node n = Node::object();
  n.set("events", c.events).set("attributes", c.attributes);
  n.set("as_indicator", c.as_indicator).set("as_observed", c.as_observed).set("as_other", c.as_other);
  n.set("as_note", c.as_note).set("beside", c.beside).set("left_out", c.left_out);
  return n;
}

// Where the list goes: to standard output if the objects go to a file, else beside them.
FILE* beside(const Options& o) { return o.out.empty() || o.out == "-" ? stderr : stdout; }

Result<int> import_misp(Context& cx, const Options& o) {
  std::vector<std::string> texts;
  TRY(const misp::Import made, read_misp(o.files, texts));
  CHECK_OK(write_output(o.out, json::write(misp::bundle_of(made.objects))));
  FILE* to = beside(o);
  print_not_carried(to, cx.json, made.not_carried);
  if (cx.json) {
    Node n = counts_json(made.counts);
    n.set("objects", static_cast<uint64_t>(made.objects.size()));
    std::fprintf(to, "%s\n", json::write(Node(Node::Members{{"imported", std::move(n)}})).c_str());
  } else {
    const auto& c = made.counts;
    std::fprintf(to,
                 "%s events, %s attributes: %s in patterns, %s observed, %s in objects of their own, %s in notes, %s "
                 "beside (in the extension), %s left out; %s STIX objects\n",
                 grouped(c.events).c_str(), grouped(c.attributes).c_str(), grouped(c.as_indicator).c_str(),
                 grouped(c.as_observed).c_str(), grouped(c.as_other).c_str(), grouped(c.as_note).c_str(),
                 grouped(c.beside).c_str(), grouped(c.left_out).c_str(), grouped(made.objects.size()).c_str());
  }
  return 0;
}

Result<int> export_misp(Context& cx, const Options& o) {
  std::vector<std::string> texts;
  texts.reserve(o.files.size());
  std::vector<std::string_view> objects;
  for (const auto& f : o.files) {
    TRY(std::string text, read_input(f));
    texts.push_back(std::move(text));
    auto parts = stix::split_objects(texts.back());
    if (!parts.ok()) return parts.error().at(f);
    objects.insert(objects.end(), parts->begin(), parts->end());
  }
  TRY(misp::Export made, misp::to_misp(objects));
  Node events = Node::array();
  for (auto& e : made.events) events.push(std::move(e));
  const Node all = made.events.size() == 1 ? events.list().front() : Node(Node::Members{{"response", events}});
  CHECK_OK(write_output(o.out, json::write(all)));
  FILE* to = beside(o);
  print_not_carried(to, cx.json, made.not_carried);
  if (cx.json) {
    Node n = Node::object();
    n.set("events", static_cast<uint64_t>(made.events.size())).set("objects", made.objects).set("used", made.used);
    std::fprintf(to, "%s\n", json::write(Node(Node::Members{{"exported", std::move(n)}})).c_str());
  } else {
    std::fprintf(to, "%s STIX objects, %s used; %s MISP events\n", grouped(made.objects).c_str(),
                 grouped(made.used).c_str(), grouped(made.events.size()).c_str());
  }
  return 0;
}

}  // namespace

Result<misp::Import> read_misp(const std::vector<std::string>& files, std::vector<std::string>& texts) {
  std::vector<std::string_view> views;
  texts.reserve(files.size());
  for (const auto& f : files) {
    TRY(std::string text, read_input(f));
    texts.push_back(std::move(text));
    // Each by itself first, so that an error names its file.
    const std::string_view one[] = {texts.back()};
    if (auto made = misp::to_stix(one); !made.ok()) return made.error().at(f);
    views.emplace_back(texts.back());
  }
  return misp::to_stix(views);
}

void print_not_carried(FILE* to, bool as_json, const std::vector<misp::NotCarried>& list) {
  if (as_json) {
    for (const auto& one : list) {
      Node n = Node::object();
      n.set("path", one.path).set("type", one.type).set("reason", one.reason).set("count", one.count);
      n.set("changed", one.changed);
      std::fprintf(to, "%s\n", json::write(n).c_str());
    }
    return;
  }
  if (list.empty()) return;
  Table t({"not carried", "type", "times", "why"});
  for (const auto& one : list) {
    t.row({printable(one.path, 300), printable(one.type), grouped(one.count),
           (one.changed ? "changed: " : "") + printable(one.reason, 400)});
  }
  t.print(to);
}

// A file that is not of the form is one that could not be read: there is no question to which "no" is the answer.
static void finish_reading(Context& cx, const Result<int>& result) {
  finish(cx, result);
  if (!result.ok()) cx.status = 2;
}

void add_convert_commands(CLI::App& app, Context& cx) {
  auto in = std::make_shared<Options>();
  auto* c = app.add_subcommand("import", "turn what other systems wrote into a STIX bundle; nothing is published");
  c->add_option("FILE", in->files, "'-' is standard input")->required();
  c->add_option("--from", in->form, "form of the files")->required()->check(CLI::IsMember({"misp"}));
  c->add_option("--out", in->out, "write the bundle to this file, and what was not carried to standard output");
  c->callback([&cx, in] { finish_reading(cx, import_misp(cx, *in)); });
  auto ex = std::make_shared<ExportCommand>();
  c = app.add_subcommand("export", "turn indicators, or a running sensor's leases, into the form of another system");
  c->add_option("FILE", ex->files, "STIX, or a list of values (not for misp); '-' is standard input");
  c->add_option("--to", ex->form, "form wanted")
      ->required()
      ->check(CLI::IsMember({"zeek", "suricata", "rpz", "nft", "csv", "misp", "text"}));
  c->add_option("--out", ex->out, "write to this file, or into this folder/; and what was left out to standard output");
  c->add_option("--state", ex->state, "the leases of the sensor with this state folder, instead of files");
  c->add_option("--capacity", ex->capacity, "most values; the rest is left out and told (100000)")
      ->check(CLI::Range(size_t{1}, size_t{10'000'000}));
  c->add_option("--allow-list", ex->allow_lists, "leave out what is protected: plain, or a MISP warning list")
      ->allow_extra_args(false);  // a file behind it is one to export
  c->add_option("--zone", ex->zone, "rpz: its name (rpz.entente)");
  c->add_flag("--with-counting", ex->with_counting, "csv and zeek: leases that only count, too");
  c->callback([&cx, ex] {
    if (ex->form != "misp") return finish_reading(cx, export_blocks(cx, *ex));
    if (ex->files.empty() || !ex->state.empty())
      return finish_reading(cx, invalid("MISP events are made from STIX files", {}, "name the files"));
    Options o;
    o.out = ex->out;
    o.files = ex->files;
    finish_reading(cx, export_misp(cx, o));
  });
}

}  // namespace entente::cli
