#include "misp/internal/observables.h"

#include <algorithm>

#include "json/json.h"
#include "misp/internal/path.h"
#include "misp/internal/shared.h"
#include "misp/internal/values.h"
#include "stix/object.h"
#include "stix/validate.h"

namespace entente::misp::internal {
namespace {

using json::Node;

// What a reference leads to, where the property alone says it; "" where the value has to.
std::string_view target_of(std::string_view property) {
  struct Row {
    std::string_view property, type;
  };
  static constexpr Row kRows[] = {
      {"from_ref", "email-addr"},    {"sender_ref", "email-addr"},
      {"to_refs", "email-addr"},     {"cc_refs", "email-addr"},
      {"bcc_refs", "email-addr"},    {"parent_directory_ref", "directory"},
      {"content_ref", "artifact"},   {"image_ref", "file"},
      {"raw_email_ref", "artifact"}, {"creator_user_ref", "user-account"},
  };
  for (const auto& row : kRows) {
    if (row.property == property) return row.type;
  }
  return {};
}

bool is_reference(std::string_view name) { return name.ends_with("_ref") || name.ends_with("_refs"); }

}  // namespace

Draft& Draft::child(std::string_view property, std::string type) {
  for (auto& c : children_) {
    if (c.property == property && !c.list) return *c.draft;
  }
  children_.push_back({std::string(property), false, std::make_unique<Draft>(std::move(type))});
  return *children_.back().draft;
}

bool Draft::has(std::string_view property) const {
  return own_.find(property) != nullptr ||
         std::any_of(children_.begin(), children_.end(), [&](const Child& c) { return c.property == property; });
}

Draft* Draft::descend(std::string_view property, bool list, const Node& value, bool last) {
  std::string type(target_of(property));
  if (type.empty() && value.is_string()) type = endpoint_type(value.string());
  if (type.empty() || !last) return nullptr;
  if (!list) {
    for (auto& c : children_) {
      if (c.property == property) return c.draft->type_ == type ? c.draft.get() : nullptr;
    }
  }
  children_.push_back({std::string(property), list, std::make_unique<Draft>(type)});
  return children_.back().draft.get();
}

bool Draft::place(std::string_view path_text, const Node& value) {
  const Path path = parse_path(path_text);
  Draft* at = this;
  size_t i = 0;
  for (; i + 1 < path.steps.size() && is_reference(path.steps[i].name); ++i) {
    at = at->descend(path.steps[i].name, path.steps[i].list, value, i + 2 == path.steps.size());
    if (at == nullptr) return false;
  }
  Node* in = &at->own_;
  for (; i + 1 < path.steps.size(); ++i) {
    const auto& step = path.steps[i];
    Node* next = in->find(step.name);
    if (next == nullptr) {
      in->set(step.name, step.list ? Node(Node::List{Node::object()}) : Node::object());
      next = in->find(step.name);
    }
    in = step.list ? &next->list().front() : next;
  }
  const auto& last = path.steps.back();
  Node* have = in->find(last.name);
  if (last.list) {
    if (have == nullptr) {
      in->set(last.name, Node(Node::List{value}));
    } else {
      have->push(value);
    }
    return true;
  }
  if (have != nullptr) return *have == value;
  in->set(last.name, value);
  return true;
}

std::optional<std::vector<Node>> Draft::finish(const std::vector<std::string>& markings, std::string& why) const {
  std::vector<Node> out;
  Node self = Node::object();
  self.set("type", type_).set("spec_version", "2.1").set("id", "");
  if (!markings.empty()) {
    Node list = Node::array();
    for (const auto& m : markings) list.push(m);
    self.set("object_marking_refs", std::move(list));
  }
  for (const auto& [name, value] : own_.members()) self.set(name, value);
  for (const auto& c : children_) {
    auto below = c.draft->finish(markings, why);
    if (!below) return std::nullopt;
    const std::string id(below->back().string_at("id"));
    if (c.list) {
      if (self.find(c.property) == nullptr) self.set(c.property, Node::array());
      self.find(c.property)->push(id);
    } else {
      self.set(c.property, id);
    }
    for (auto& b : *below) out.push_back(std::move(b));
  }
  // What a type demands and MISP does not say.
  if (type_ == "email-message") self.set("is_multipart", false);
  if (type_ == "network-traffic" && self.find("protocols") == nullptr) {
    // The transport is not said; the layer below it is known if an end is an address.
    Node protocols = Node::array();
    for (const auto& o : out) {
      const auto t = o.string_at("type");
      if (protocols.list().empty() && (t == "ipv4-addr" || t == "ipv6-addr")) protocols.push(t.substr(0, 4));
    }
    if (protocols.list().empty()) protocols.push("ip");
    self.set("protocols", std::move(protocols));
  }
  json::Document doc;
  if (auto s = doc.parse(json::write(self)); !s.ok()) {
    why = s.error().text();
    return std::nullopt;
  }
  // Where nothing in it makes an id (§2.9 leaves that to chance), all of it does: the same object, the same id.
  const auto id = stix::deterministic_id(doc.root());
  self.set("id", id ? *id : type_ + "--" + derived_uuid(json::canonical(self)));
  if (auto s = doc.parse(json::write(self)); !s.ok()) {
    why = s.error().text();
    return std::nullopt;
  }
  std::vector<stix::Finding> findings;
  if (!stix::validate(doc.root(), {.strict = true, .warnings = false}, findings)) {
    why = findings.front().message;
    return std::nullopt;
  }
  out.push_back(std::move(self));
  return out;
}

std::vector<std::string> values_at(const Node& object, std::string_view path_text, Lookup find, const void* context) {
  const Path path = parse_path(path_text);
  std::vector<const Node*> now{&object};
  for (const auto& step : path.steps) {
    std::vector<const Node*> next;
    const auto add = [&](const Node& v) {
      if (is_reference(step.name) && v.is_string()) {
        const Node* target = find(context, v.string());
        if (target != nullptr) next.push_back(target);
      } else {
        next.push_back(&v);
      }
    };
    for (const Node* n : now) {
      const Node* v = n->find(step.name);
      if (v == nullptr) continue;
      if (step.list && v->is_array()) {
        for (const auto& one : v->list()) add(one);
      } else {
        add(*v);
      }
    }
    now = std::move(next);
  }
  std::vector<std::string> out;
  for (const Node* n : now) {
    if (n->is_string() || n->is_int() || n->is_bool()) out.push_back(to_text(*n));
  }
  return out;
}

}  // namespace entente::misp::internal
