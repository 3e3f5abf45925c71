#include "agreement/internal/project_block.h"

#include <algorithm>

#include <fmt/format.h>

#include "agreement/internal/party_block.h"
#include "agreement/internal/shape.h"
#include "base/bytes.h"
#include "json/json.h"

namespace entente::agreement::internal {
namespace {

using json::Node;

bool has(const std::vector<std::string>& list, std::string_view x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

std::optional<Tlp> tlp(Shape& shape, const Node& n, std::string_view name, bool required) {
  auto v = shape.text(n, "", name, required);
  if (!v) return std::nullopt;
  auto t = stix::parse_tlp(*v);
  if (!t || to_text(*t) != *v || *t == Tlp::kRed) {
    shape.add("/" + std::string(name), "must be clear, green, amber or amber+strict");
    return std::nullopt;
  }
  return t;
}

Node without_parties(const Node& n) {
  Node out = Node::object();
  for (const auto& [name, value] : n.members())
    if (name != "parties") out.set(name, value);
  return out;
}

}  // namespace

const Party* ProjectBlock::party(std::string_view code) const {
  for (const Party& p : parties)
    if (p.party == code) return &p;
  return nullptr;
}

Result<ProjectBlock> project_from(const Node& n) {
  Shape s;
  ProjectBlock b;
  if (!s.is_object(n, "")) return invalid(s.problems.front().message, s.problems.front().pointer);
  b.id = s.text(n, "", "project_id", true).value_or("");
  auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  if (b.id.empty() || b.id.size() > 64 || !std::all_of(b.id.begin(), b.id.end(), plain))
    s.add("/project_id", "must be 1 to 64 of a-z, 0-9 and -");
  b.title = s.text(n, "", "title", false).value_or(b.id);
  b.host = s.text(n, "", "host", false).value_or("");
  if (!b.host.empty() && !is_party_code(b.host)) s.add("/host", "must be two capital letters (ISO 3166-1)");
  if (auto v = s.text(n, "", "host_consent", false); v && *v != "required")
    s.add("/host_consent", "a treaty binds no third state: must be \"required\"");
  b.participants = s.strings(n, "", "participants", true);
  b.observers = s.strings(n, "", "observers", false);
  for (const auto* list : {&b.participants, &b.observers})
    for (const auto& code : *list)
      if (!is_party_code(code)) s.add("/participants", fmt::format("{} is no party code", printable(code)));
  b.sectors = s.strings(n, "", "sectors", true);
  b.types = s.strings(n, "", "object_types", true);
  b.ceiling = tlp(s, n, "tlp_ceiling", true).value_or(Tlp::kClear);
  b.floor = tlp(s, n, "tlp_floor", false).value_or(Tlp::kClear);
  if (b.floor > b.ceiling) s.add("/tlp_floor", "is above the ceiling of the project");
  b.not_before = read_time(s, n, "", "not_before");
  b.not_after = read_time(s, n, "", "not_after");
  if (b.not_after <= b.not_before) s.add("/not_after", "must be later than not_before");
  b.art = s.text(n, "", "art", false).value_or("");
  if (const Node* list = s.array(n, "", "parties", false))
    for (size_t i = 0; i < list->list().size(); ++i) {
      auto p = party_from(list->list()[i]);
      if (!p.ok())
        s.add(fmt::format("/parties/{}", i), p.error().text());
      else
        b.parties.push_back(std::move(*p));
    }
  if (!s.problems.empty()) return invalid(s.problems.front().message, s.problems.front().pointer);
  b.node = n;
  b.hash = sha256_hex(json::canonical(n));
  return b;
}

Status inside(const ProjectBlock& b, const Document& parent) {
  auto no = [](std::string why) -> Status {
    return make_error(ErrorKind::kConflict, std::move(why), "/act/body/project");
  };
  for (const auto& sector : b.sectors)
    if (!has(parent.sectors, sector)) return no(fmt::format("{} is not a sector of the parent", printable(sector)));
  std::optional<Tlp> top;
  for (const Flow& f : parent.flows)
    if (f.permit) top = std::max(top.value_or(Tlp::kClear), f.ceiling);
  if (!top || b.ceiling > *top) return no("the ceiling is above that of the parent");
  if (parent.start_date && b.not_before < *parent.start_date) return no("begins before the start of the parent");
  const std::string art = b.art.empty() ? parent.duration_art : b.art;
  auto it = parent.articles.find(art);
  if (it == parent.articles.end()) it = parent.articles.find(art.substr(0, art.find('(')));
  if (it == parent.articles.end() || it->second != "enforced")
    return no("the project rests on no article of the parent that is enforced: name one in \"art\"");
  const Node* listed = parent.node.find("projects");
  for (size_t i = 0; listed != nullptr && listed->is_array() && i < listed->list().size(); ++i) {
    const Node& one = listed->list()[i];
    if (one.string_at("project_id") == b.id &&
        json::canonical(without_parties(one)) != json::canonical(without_parties(b.node)))
      return no("differs from the project of that id in the signed text; only \"parties\" may be added");
  }
  return {};
}

}  // namespace entente::agreement::internal
