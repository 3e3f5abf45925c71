// A joint project (agreement.md §3.5): a child instrument that lives by acts under its parent.
#include <algorithm>

#include <fmt/format.h>

#include "agreement/internal/machine.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "json/json.h"

namespace entente::agreement::internal {
namespace {

using json::Node;

bool has(const std::vector<std::string>& list, std::string_view x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

std::string project_uuid(std::string_view parent, std::string_view id) {
  static const Uuid kSpace = *parse_uuid("3d6b1f0a-84c7-5b1e-9c55-0f7f2a6e41d2");
  return "urn:uuid:" + name_uuid(kSpace, std::string(parent) + " " + std::string(id)).text();
}

}  // namespace

// Parties of the parent that the project names.
std::vector<std::string> Machine::project_parents(const ProjectBlock& block) const {
  std::vector<std::string> out = members();
  std::erase_if(out, [&](const auto& p) { return !has(block.participants, p) && !has(block.observers, p); });
  return out;
}

void Machine::open_project(const Event& e) {
  const Node* node = e.act.act.body.find("project");
  auto block = node == nullptr || e.act.act.body.members().size() != 1
                   ? Result<ProjectBlock>(invalid("the body of open_project is {\"project\": {…}} and nothing else"))
                   : project_from(*node);
  if (!block.ok()) return refuse(e, block.error().text());
  const Document& doc = text(e);
  if (Status ok = inside(*block, doc); !ok.ok()) return refuse(e, ok.error().text());
  State dates;
  static_cast<void>(starts(&dates));
  if (doc.term && !doc.tacit_renewal && dates.start && block->not_after > add(*dates.start, *doc.term))
    return refuse(e, "the project would last longer than the agreement");
  const auto parents = project_parents(*block);
  if (!has(parents, e.act.act.party)) return refuse(e, "this party does not take part in the project");
  if (parents.size() < 2) return refuse(e, "a project has two parties of the agreement at least");
  ProjectLife& life = projects_[block->id];
  if (!life.opened.empty()) return refuse(e, "a project of that id has been opened");
  auto& by = life.asked[block->hash];
  by[e.act.act.party] = e.when;
  if (!std::all_of(parents.begin(), parents.end(), [&](const auto& p) { return by.contains(p); })) return;
  life.opened = block->hash;
  life.opened_at = e.when;
  for (const auto& p : parents)
    life.members[p] = {has(block->observers, p) ? "observer" : "full", std::nullopt, chain_of(p), std::nullopt};
  admit_host(life);
}

// A host that takes part does so by its consent.
void Machine::admit_host(ProjectLife& life) const {
  if (life.opened.empty() || !life.consented || !life.host_chain.ends_with(" " + life.opened)) return;
  const ProjectBlock& block = ev_.projects.at(life.opened);
  const Party* pinned = block.party(block.host);
  if (pinned != nullptr && has(block.participants, block.host) && !life.members.contains(block.host))
    life.members[block.host] = {"full", *pinned, life.host_chain.substr(0, life.host_chain.find(' ')), std::nullopt};
}

// The host's own key is pinned in the project that all asked for; it may consent before the last of them asked.
void Machine::host_consent(const Event& e) {
  const std::string hash(e.act.act.body.string_at("sha256"));
  auto block = ev_.projects.find(hash);
  if (block == ev_.projects.end() || block->second.host != e.act.act.party || !is_signed())
    return refuse(e, "names no project in this host's country: {\"project\": id, \"sha256\": its hash}");
  if (e.act.act.body.string_at("project") != block->second.id) return refuse(e, "names another project by its hash");
  if (!member(e) && !ev_.outsiders.contains(e.chain)) return refuse(e, "the host's key is not in the project");
  auto life = projects_.find(block->second.id);
  if (life == projects_.end() || !life->second.asked.contains(hash))
    return refuse(e, "nobody has asked to open that project yet");
  if (!life->second.opened.empty() && life->second.opened != hash) return refuse(e, "another text of it was opened");
  if (life->second.consented) return refuse(e, "the host has consented");
  // Another key of the same code may stand in another proposal: only the one that is opened counts.
  const Party* pinned = block->second.party(e.act.act.party);
  if (auto outsider = ev_.outsiders.find(e.chain);
      outsider != ev_.outsiders.end() && (pinned == nullptr || pinned->party != outsider->second.party))
    return refuse(e, "the host's key is not in the project");
  life->second.consented = e.when;
  life->second.host_chain = e.chain + " " + hash;
  admit_host(life->second);
}

void Machine::join_project(const Event& e) {
  const Node& body = e.act.act.body;
  auto found = projects_.find(std::string(body.string_at("project")));
  if (found == projects_.end() || found->second.opened.empty())
    return refuse(e, "names no project that was opened: {\"project\": id, \"party\": block, \"role\": …}");
  ProjectLife& life = found->second;
  const std::string role(body.string_at("role"));
  if (role != "full" && role != "observer" && role != "contributor-only")
    return refuse(e, "role is full, observer or contributor-only");
  const Node* node = body.find("party");
  auto block = node == nullptr ? Result<Party>(invalid("the body names no party")) : party_from(*node);
  if (!block.ok()) return refuse(e, block.error().text());
  const auto all = members();
  if (has(all, block->party) || life.members.contains(block->party))
    return refuse(e, "that party takes part in the project already");
  const bool newcomer = ev_.outsiders.contains(e.chain) && e.act.act.party == block->party;
  if (!newcomer && !life.members.contains(e.act.act.party))
    return refuse(e, "only who takes part in the project, or would, does that");
  auto& offer = life.offers[sha256_hex(json::canonical(body))];
  offer.party = block->party;
  offer.role = role;
  if (newcomer)
    offer.chain = e.chain;
  else
    offer.by.insert(e.act.act.party);
  if (offer.chain.empty()) return;
  for (const auto& [member, m] : life.members)
    if (!life.left.contains(member) && !offer.by.contains(member)) return;
  const std::string code = block->party;
  life.members[code] = {role, std::move(*block), offer.chain, e.when};
}

// Any participant for itself; when fewer than two remain the whole is closed.
void Machine::close_project(const Event& e) {
  auto found = projects_.find(std::string(e.act.act.body.string_at("project")));
  if (found == projects_.end()) return refuse(e, "names no project: {\"project\": id}");
  ProjectLife& life = found->second;
  auto m = life.members.find(e.act.act.party);
  const bool host = !life.host_chain.empty() && life.host_chain.starts_with(e.chain + " ");
  if ((m == life.members.end() || m->second.chain != e.chain) && !host)
    return refuse(e, "this party takes no part in the project");
  life.left.insert(e.act.act.party);
  if (host) life.consented.reset();  // what the host allowed it may end
}

std::string Machine::stage(const ProjectLife& life, const State& parent, Time at,
                           std::vector<std::string>* waiting) const {
  if (life.opened.empty()) {
    if (waiting != nullptr)
      for (const auto& [hash, by] : life.asked)
        for (const auto& p : project_parents(ev_.projects.at(hash)))
          if (!by.contains(p)) waiting->push_back(fmt::format("open_project of {} ({})", p, hash.substr(0, 12)));
    return "proposed";
  }
  const ProjectBlock& block = ev_.projects.at(life.opened);
  size_t staying = 0;
  for (const auto& [party, m] : life.members) staying += !life.left.contains(party);
  if (staying < 2 || at >= block.not_after || (parent.end && at >= *parent.end)) return "closed";
  const bool third = !block.host.empty() && !has(members(), block.host);
  const bool allowed = !third || (life.consented && life.host_chain.ends_with(" " + life.opened));
  if (!allowed) {
    if (life.left.contains(block.host)) return "closed";
    if (waiting != nullptr) waiting->push_back(fmt::format("consent of the host {}", block.host));
    return "host asked";
  }
  if (at < block.not_before || parent.began.empty()) return "host consented";
  return life.left.empty() ? "open" : "closing";
}

void Machine::show_projects(State& s, Time at) const {
  for (const auto& [id, life] : projects_) {
    Project p;
    p.id = id;
    p.stage = stage(life, s, at, &p.waiting_for);
    s.projects.push_back(std::move(p));
  }
}

std::vector<State> Machine::project_states(const State& parent, Time at) const {
  std::vector<State> out;
  if (!parent.document) return out;
  for (const auto& [id, life] : projects_) {
    const std::string now = stage(life, parent, at, nullptr);
    if (now == "proposed") continue;
    const ProjectBlock& block = ev_.projects.at(life.opened);
    State s;
    s.project = id;
    Document d = *parent.document;  // what the block does not say is as in the parent
    d.agreement_id = s.agreement_id = project_uuid(parent.agreement_id, id);
    d.level = Level::kProject;
    d.title = block.title;
    d.hash = block.hash;
    d.sectors = block.sectors;
    d.start_date = block.not_before;
    d.survives.clear();
    // What was there before the last of those who had to agree did so is for nobody in the project (invariant 30).
    s.start = std::max(block.not_before, life.opened_at);
    if (life.consented) s.start = std::max(*s.start, *life.consented);
    if (parent.start) s.start = std::max(*s.start, *parent.start);
    s.end = parent.end && *parent.end < block.not_after ? parent.end : block.not_after;
    const auto& all = life.members;
    d.parties.clear();
    Flow permit;
    permit.id = "project";
    permit.art = block.art.empty() ? parent.document->duration_art : block.art;
    permit.sectors = block.sectors;
    permit.object_types = block.types;
    permit.floor = block.floor;
    permit.ceiling = block.ceiling;
    size_t open = 0;
    for (const auto& [party, m] : all) {
      const Party* base = parent.document->party(party);
      if (base != nullptr && !m.block) {
        d.parties.push_back(*base);
      } else if (m.block) {
        auto notices = ev_.notices.find(m.chain);
        d.parties.push_back(
            effective_party(*m.block, notices == ev_.notices.end() ? std::span<const Notice>{} : notices->second, at));
      } else {
        continue;
      }
      s.joined[party] = std::max(*s.start, m.joined.value_or(*s.start));
      if (m.role != "observer") permit.from.push_back(party);
      if (m.role != "contributor-only") permit.to.push_back(party);
      auto own = suspended_.find(party);
      const bool paused = own != suspended_.end() &&
                          std::any_of(own->second.begin(), own->second.end(),
                                      [&](const Suspension& x) { return x.runs(at) && x.scope.project == id; });
      const bool doubted = std::any_of(doubts_.begin(), doubts_.end(),
                                       [&](const auto& x) { return x.first == m.chain && x.second.since <= at; });
      auto in_parent = parent.by_party.find(party);
      const bool gone = in_parent != parent.by_party.end() && in_parent->second != StateKind::kInForce &&
                        in_parent->second != StateKind::kEnding && in_parent->second != StateKind::kSuspended;
      StateKind& kind = s.by_party[party];
      if (life.left.contains(party) || now == "closed" || gone)
        kind = StateKind::kTerminated;
      else if (now != "open" && now != "closing")
        kind = StateKind::kSigned;
      else
        kind = paused || doubted || !parent.unsure.empty() ? StateKind::kSuspended : StateKind::kInForce;
      open += kind == StateKind::kInForce;
    }
    // Between parties of the parent the project is never wider than the parent (invariant 29).
    for (const auto& [a, x] : all)
      for (const auto& [b, y] : all)
        if (a < b && !x.block && !y.block && !parent.live(a, b)) s.closed.insert({a, b});
    // What the parent forbids stays forbidden for all.
    std::vector<Flow> flows = {permit};
    for (const Flow& f : parent.document->flows)
      if (!f.permit) flows.push_back(f);
    d.flows = std::move(flows);
    Node node = Node::object();
    node.set("project", block.node);
    if (const Node* scope = parent.document->node.find("scope")) node.set("scope", *scope);
    if (const Node* texts = parent.document->node.find("authentic_texts")) node.set("authentic_texts", *texts);
    d.node = std::move(node);
    d.canonical = json::canonical(block.node);
    s.kind = now == "closed"                     ? StateKind::kTerminated
             : now != "open" && now != "closing" ? StateKind::kSigned
             : open >= 2                         ? StateKind::kInForce
                                                 : StateKind::kSuspended;
    s.document = std::move(d);
    s.began = parent.began;
    out.push_back(std::move(s));
  }
  return out;
}

}  // namespace entente::agreement::internal
