#include "json/node.h"

#include "json/internal/number.h"

namespace entente::json {
namespace {

void append_indent(std::string& out, int depth) {
  out += '\n';
  out.append(static_cast<size_t>(depth) * 2, ' ');
}

// depth < 0: compact.
void append_at(std::string& out, const Node& n, int depth) {
  const bool pretty = depth >= 0;
  const int inner = pretty ? depth + 1 : depth;
  if (n.is_null()) {
    out += "null";
  } else if (n.is_bool()) {
    out += n.boolean() ? "true" : "false";
  } else if (n.is_int()) {
    out += std::to_string(n.integer());
  } else if (n.is_double()) {
    append_double(out, n.real());
  } else if (n.is_string()) {
    append_quoted(out, n.string());
  } else if (n.is_array()) {
    out += '[';
    bool first = true;
    for (const Node& item : n.list()) {
      if (!first) out += ',';
      first = false;
      if (pretty) append_indent(out, inner);
      append_at(out, item, inner);
    }
    if (pretty && !first) append_indent(out, depth);
    out += ']';
  } else {
    out += '{';
    bool first = true;
    for (const auto& [name, value] : n.members()) {
      if (!first) out += ',';
      first = false;
      if (pretty) append_indent(out, inner);
      append_quoted(out, name);
      out += pretty ? ": " : ":";
      append_at(out, value, inner);
    }
    if (pretty && !first) append_indent(out, depth);
    out += '}';
  }
}

}  // namespace

Node Node::from(const Value& value) {
  using Type = simdjson::dom::element_type;
  switch (value.type()) {
    case Type::OBJECT: {
      Members members;
      for (const auto& [key, v] : as_object(value)) members.emplace_back(std::string(key), from(v));
      return members;
    }
    case Type::ARRAY: {
      List list;
      for (const Value v : as_array(value)) list.push_back(from(v));
      return list;
    }
    case Type::STRING:
      return as_string(value);
    case Type::INT64:
      return value.get_int64().value_unsafe();
    case Type::UINT64:
      return value.get_uint64().value_unsafe();
    case Type::DOUBLE:
      return value.get_double().value_unsafe();
    case Type::BOOL:
      return value.get_bool().value_unsafe();
    case Type::NULL_VALUE:
      return nullptr;
  }
  return nullptr;
}

const Node* Node::find(std::string_view name) const {
  if (!is_object()) return nullptr;
  for (const auto& [key, value] : members()) {
    if (key == name) return &value;
  }
  return nullptr;
}

Node* Node::find(std::string_view name) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): *this is not const here.
  return const_cast<Node*>(std::as_const(*this).find(name));
}

std::string_view Node::string_at(std::string_view name) const {
  const Node* n = find(name);
  return n != nullptr && n->is_string() ? std::string_view(n->string()) : std::string_view();
}

Node& Node::set(std::string_view name, Node value) {
  if (Node* n = find(name))
    *n = std::move(value);
  else
    members().emplace_back(std::string(name), std::move(value));
  return *this;
}

bool Node::erase(std::string_view name) {
  if (!is_object()) return false;
  return std::erase_if(members(), [&](const auto& m) { return m.first == name; }) > 0;
}

void append(std::string& out, const Node& node) { append_at(out, node, -1); }

std::string write(const Node& node) {
  std::string out;
  append(out, node);
  return out;
}

std::string write_pretty(const Node& node) {
  std::string out;
  append_at(out, node, 0);
  out += '\n';
  return out;
}

}  // namespace entente::json
