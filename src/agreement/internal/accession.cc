// Accession to a group (agreement.md §3.3) and the pillars of an initiative (§3.4).
#include <algorithm>

#include <fmt/format.h>

#include "agreement/internal/machine.h"
#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

bool has(const std::vector<std::string>& list, std::string_view x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

}  // namespace

void Machine::request_accession(const Event& e) {
  const std::string& party = e.act.act.party;
  if (!is_signed()) return refuse(e, "nothing is signed yet: take part in the negotiation instead");
  if (member(e) || joined_.contains(party) || !ev_.outsiders.contains(e.chain))
    return refuse(e, fmt::format("{} is a party already", party));
  const Document& doc = text(e);
  if (!has(doc.accession_open_to, "invited") && !has(doc.accession_open_to, "*") && !has(doc.accession_open_to, party))
    return refuse(e, "this agreement is not open for accession");
  accessions_[e.chain] = {party, e.hash, "", std::nullopt, {}, {}, false};
}

void Machine::consent_accession(const Event& e) {
  const std::string request(e.act.act.body.string_at("request"));
  for (auto& [chain, a] : accessions_)
    if (a.request == request) {
      if (a.done) return refuse(e, "the accession is complete");
      a.consents.insert(e.act.act.party);
      return;
    }
  refuse(e, "names no request of accession that is known: {\"request\": hash of the act}");
}

// The candidate signs the text that all members share now.
void Machine::deposit_accession(const Event& e) {
  auto it = accessions_.find(e.chain);
  if (it == accessions_.end()) return refuse(e, "this party has not asked for accession");
  Accession& a = it->second;
  if (a.done) return refuse(e, "the accession is complete");
  const auto all = members(e.when);
  const bool shared = std::all_of(all.begin(), all.end(),
                                  [&](const auto& p) { return path(p, e.when).back() == e.act.act.text_version; });
  if (!shared) return refuse(e, "names a text that is not the one in force between all members");
  std::string why;
  auto declared = declaration(e, &why);
  if (!why.empty()) return refuse(e, std::move(why));
  a.text = e.act.act.text_version;
  a.declared = std::move(declared);
  a.deposited = e.when;
}

void Machine::object(const Event& e) {
  const std::string other(e.act.act.body.string_at("party"));
  const auto all = members();
  const bool candidate =
      std::any_of(accessions_.begin(), accessions_.end(), [&](const auto& a) { return a.second.party == other; });
  if (other == e.act.act.party || (!has(all, other) && !candidate))
    return refuse(e, "names nobody to object to: {\"party\": code}");
  objected_.insert(pair_of(e.act.act.party, other));
}

// Members are asked in the order of the acts, so of two candidates the second needs the consent of the first too.
void Machine::settle_accessions(Time now) {
  for (auto& [chain, a] : accessions_) {
    if (a.done || a.text.empty() || joined_.contains(a.party)) continue;
    const auto all = members(now);
    if (!std::all_of(all.begin(), all.end(), [&](const auto& p) { return a.consents.contains(p); })) continue;
    // The text may have moved on between deposit and the last consent.
    if (!std::all_of(all.begin(), all.end(), [&](const auto& p) { return path(p, now).back() == a.text; })) continue;
    a.done = true;
    joined_[a.party] = {chain, add(now, ev_.texts.at(a.text).accession_delay), path(all.front(), now)};
    if (a.declared) declared_[a.party] = *a.declared;
  }
}

// A pillar gives no data rights. Its lead is whom all present participants want.
void Machine::pillar(const Event& e) {
  const std::string& party = e.act.act.party;
  const std::string id(e.act.act.body.string_at("pillar"));
  if (!is_signed() || !member(e)) return refuse(e, "only a party of the instrument takes part in its pillars");
  if (!has(text(e).pillars, id)) return refuse(e, "names no pillar of the text: {\"pillar\": id}");
  Pillar& p = pillars_[id];
  auto& wanted = leads_[id];
  if (e.act.act.kind == "join_pillar") {
    p.participants.insert(party);
  } else if (e.act.act.kind == "leave_pillar") {
    if (p.participants.erase(party) == 0) return refuse(e, "this party takes no part in the pillar");
    if (p.lead == party) p.lead.clear();
    wanted.erase(party);
    for (auto& [lead, by] : wanted) by.erase(party);
  } else {
    std::string lead(e.act.act.body.string_at("lead"));
    if (lead.empty()) lead = party;
    if (!p.participants.contains(party) || !p.participants.contains(lead))
      return refuse(e, "lead and those who consent take part in the pillar: join_pillar first");
    for (auto& [other, by] : wanted) by.erase(party);  // one voice each
    wanted[lead].insert(party);
  }
  for (const auto& [lead, by] : wanted)
    if (std::includes(by.begin(), by.end(), p.participants.begin(), p.participants.end()) && !by.empty()) p.lead = lead;
}

}  // namespace entente::agreement::internal
