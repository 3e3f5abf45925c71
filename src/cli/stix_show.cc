// stix show: one object for people to read: what it is, when, under which markings, what it refers to, what it
// violates.
#include <cstdio>
#include <map>
#include <optional>

#include "base/bytes.h"
#include "cli/internal/input.h"
#include "cli/internal/stix_commands.h"
#include "cli/internal/table.h"
#include "cli/internal/upper.h"
#include "json/node.h"
#include "pattern/indicator.h"
#include "pattern/pattern.h"
#include "stix/marking.h"
#include "stix/object.h"
#include "stix/validate.h"

namespace entente::cli {
namespace {

using json::Node;
using json::Value;
using Kind = stix::ObjectStream::Item::Kind;

constexpr size_t kMaxNames = 1'000'000;

// What names an object for people.
std::string name_of(const Value& object) {
  for (const char* property : {"name", "value", "path", "key", "abstract", "relationship_type", "subject", "pattern"}) {
    if (const auto text = json::find_string(object, property)) return printable(*text, 80);
  }
  const auto definition = json::find(object, "definition");
  if (definition) {
    for (const char* property : {"statement", "tlp"}) {
      if (const auto text = json::find_string(*definition, property)) return printable(*text, 80);
    }
  }
  return {};
}

struct Found {
  std::string text;  // of the newest version
  stix::Timestamp time;
  uint64_t line = 0;
  uint64_t versions = 0;
};

struct Reading {
  std::optional<Found> found;
  std::map<std::string, std::string, std::less<>> names;  // by id
  uint64_t objects = 0;
  std::optional<Error> fault;  // the first
};

// The object with this id, or the only one; and the names of all others, to call references by.
Result<Reading> look(const std::string& file, const StixOptions& o) {
  TRY(const Input in, Input::open(file));
  stix::ObjectStream stream([&](char* to, size_t room) { return in.read(to, room); },
                            {.max_object = o.max_object_mb << 20});
  stix::ObjectStream::Item item;
  Reading r;
  while (true) {
    TRY(const bool more, stream.next(item));
    if (!more) return r;
    if (item.kind == Kind::kFault && !r.fault) r.fault = *item.fault;
    if (item.kind != Kind::kObject) continue;
    ++r.objects;
    const std::string id(json::find_string(item.value, "id").value_or(""));
    if (r.names.size() < kMaxNames && !id.empty()) r.names.insert_or_assign(id, name_of(item.value));
    if (!o.id.empty() && id != o.id) continue;
    if (o.id.empty() && r.objects > 1) continue;
    const auto modified = json::find_string(item.value, "modified");
    const auto time = modified ? stix::parse_timestamp(*modified).value_or(stix::Timestamp()) : stix::Timestamp();
    if (!r.found || time > r.found->time) {
      r.found = Found{std::string(item.text), time, item.line, r.found ? r.found->versions : 0};
    }
    ++r.found->versions;
  }
}

std::string marking_name(const std::string& id, const Reading& r) {
  if (const auto tlp = stix::tlp_of_id(id)) return ascii_upper("TLP:" + std::string(stix::to_text(*tlp)));
  const auto at = r.names.find(id);
  return at == r.names.end() ? std::string() : at->second;
}

std::string scalar(const Value& v) {
  if (v.is_string()) return printable(json::as_string(v), 2000);
  return printable(json::canonical(v), 2000);
}

void line(std::string_view label, const std::string& text) {
  std::string l(label);
  l.resize(std::max<size_t>(l.size(), 22), ' ');
  std::printf("%s  %s\n", l.c_str(), text.c_str());
}

// Properties that have a place of their own below, or say nothing to people.
bool has_place(std::string_view name) {
  for (const std::string_view n : {"type", "id", "spec_version", "created", "modified", "object_marking_refs",
                                   "granular_markings", "pattern", "name", "revoked"}) {
    if (n == name) return true;
  }
  return name.ends_with("_ref") || name.ends_with("_refs");
}

void print_markings(const Value& object, const Reading& r) {
  const auto one = [&](std::string_view id, const std::string& where) {
    const std::string plain = printable(id);
    const auto name = marking_name(plain, r);
    line(where, name.empty() ? plain : name + "  (" + plain + ")");
  };
  for (const auto ref : json::string_list(json::find_array(object, "object_marking_refs"))) one(ref, "marking");
  const auto granular = json::find_array(object, "granular_markings");
  if (!granular) return;
  for (const Value marking : *granular) {
    std::string selectors;
    for (const auto s : json::string_list(json::find_array(marking, "selectors"))) {
      selectors += (selectors.empty() ? "" : ", ") + printable(s);
    }
    if (const auto ref = json::find_string(marking, "marking_ref")) one(*ref, "marking of " + selectors);
    if (const auto lang = json::find_string(marking, "lang")) line("language of " + selectors, printable(*lang));
  }
}

void print_references(const Value& object, const Reading& r) {
  stix::for_each_reference(object, [&](const stix::Reference& ref) {
    if (ref.property == "object_marking_refs" || ref.property == "marking_ref") return;
    const std::string id = printable(ref.id);
    const auto at = r.names.find(ref.id);
    const std::string name = at == r.names.end() ? "not in this input" : at->second;
    line(printable(ref.pointer.substr(1)), id + (name.empty() ? "" : "  (" + name + ")"));
  });
}

std::vector<stix::Finding> violations(const Value& object, const StixOptions& o) {
  std::vector<stix::Finding> out;
  const stix::ValidateOptions options{.strict = o.strict, .warnings = true};
  stix::validate(object, options, out);
  pattern::validate_pattern(object, options, out);
  return out;
}

Node as_json(const std::string& file, const Value& object, const Reading& r, const StixOptions& o) {
  Node markings = Node::array(), references = Node::array(), findings = Node::array();
  for (const auto ref : json::string_list(json::find_array(object, "object_marking_refs"))) {
    Node n = Node::object();
    n.set("id", ref).set("name", marking_name(std::string(ref), r));
    markings.push(std::move(n));
  }
  stix::for_each_reference(object, [&](const stix::Reference& ref) {
    Node n = Node::object();
    n.set("pointer", ref.pointer).set("id", ref.id);
    if (const auto at = r.names.find(ref.id); at != r.names.end()) n.set("name", at->second);
    references.push(std::move(n));
  });
  for (const auto& f : violations(object, o)) {
    Node n = Node::object();
    n.set("level", f.level == stix::Finding::Level::kError ? "error" : "warning")
        .set("code", f.code)
        .set("pointer", f.pointer)
        .set("message", f.message);
    findings.push(std::move(n));
  }
  Node n = Node::object();
  n.set("file", file)
      .set("line", r.found->line)
      .set("versions", r.found->versions)
      .set("object", Node::from(object))
      .set("markings", std::move(markings))
      .set("references", std::move(references))
      .set("findings", std::move(findings));
  return n;
}

void print(const Value& object, const Reading& r, const StixOptions& o) {
  const auto text = [&](const char* name) { return printable(json::find_string(object, name).value_or("")); };
  std::printf("%s  %s\n", text("type").c_str(), name_of(object).c_str());
  line("id", text("id"));
  if (r.found->versions > 1) line("versions here", std::to_string(r.found->versions) + ", this is the newest");
  for (const char* name : {"created", "modified"}) {
    if (json::find(object, name)) line(name, text(name));
  }
  if (json::find_bool(object, "revoked") == true) line("revoked", "yes");
  print_markings(object, r);
  for (const auto& member : json::as_object(object)) {
    if (!has_place(member.key)) line(printable(member.key), scalar(member.value));
  }
  if (const auto pattern = json::find_string(object, "pattern")) {
    line("pattern", printable(*pattern, 4000));
    if (json::find_string(object, "pattern_type") == "stix") {
      if (const auto parsed = pattern::Pattern::parse(*pattern); parsed.ok()) {
        for (const auto& atom : pattern::equality_atoms(*parsed).any_of) {
          line("  looked up", std::string(pattern::name(atom.kind)) + " " + printable(atom.value));
        }
      }
    }
  }
  print_references(object, r);
  const auto findings = violations(object, o);
  if (findings.empty()) line("violates", "nothing");
  for (const auto& f : findings) {
    line(f.level == stix::Finding::Level::kError ? "error" : "warning",
         std::string(f.code) + "  " + (f.pointer.empty() ? "/" : printable(f.pointer)) + "  " +
             printable(f.message, 400));
  }
}

}  // namespace

Result<int> stix_show(Context& cx, const StixOptions& o) {
  const std::string file = o.files.empty() ? "-" : o.files.front();
  TRY(const Reading r, look(file, o));
  if (!r.found) {
    if (r.objects == 0 && r.fault) return r.fault->at(file);
    return invalid(o.id.empty() ? "no object there" : "no object with the id " + printable(o.id), file,
                   "entente stix validate lists what is there");
  }
  if (o.id.empty() && r.objects > 1) {
    return invalid(grouped(r.objects) + " objects there", file, "say which with --id");
  }
  TRY(const json::Document document, json::parse(r.found->text, {.max_bytes = o.max_object_mb << 20}));
  if (cx.json)
    std::puts(json::write(as_json(file, document.root(), r, o)).c_str());
  else
    print(document.root(), r, o);
  return 0;
}

}  // namespace entente::cli
