#include "agreement/internal/chain.h"

#include <algorithm>
#include <array>
#include <tuple>

#include <fmt/format.h>

#include "agreement/joint.h"
#include "agreement/onward.h"
#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

// Merges copies of the same act; deterministic by hash.
std::map<std::string, SignedAct> merge(std::string_view agreement_id, std::span<const SignedAct> acts) {
  std::map<std::string, SignedAct> out;
  for (const SignedAct& a : acts) {
    if (a.act.agreement_id != agreement_id || is_joint(a.act.kind) || is_onward(a.act.kind))
      continue;  // those are of joint.h and onward.h
    auto [it, fresh] = out.emplace(a.act.hash(), a);
    if (fresh) continue;
    for (const Signature& s : a.sigs) {
      auto same = [&s](const Signature& t) { return t.jws_protected == s.jws_protected && t.signature == s.signature; };
      if (std::none_of(it->second.sigs.begin(), it->second.sigs.end(), same)) it->second.sigs.push_back(s);
    }
  }
  return out;
}

Status check_pins(const Document& doc, const Pins& pins) {
  for (const Party& p : doc.parties) {
    auto pinned = pins.find(p.party);
    if (pinned == pins.end()) continue;
    for (const KeyRecord& k : p.keys) {
      const bool acting = k.role == KeyRole::kPlenipotentiary || k.role == KeyRole::kAuthority;
      if (acting && !pinned->second.contains(k.public_hex))
        return make_error(
            ErrorKind::kDenied,
            fmt::format("the text gives {} the acting key {}, which is not known to be its own", p.party, k.kid), "",
            "compare the fingerprint with the one in the human text");
    }
  }
  return {};
}

Result<Document> proposed_text(const Act& act, const Pins& pins) {
  const json::Node* node = act.body.find("document");
  if (node == nullptr || act.body.members().size() != 1)
    return invalid("the body of propose is {\"document\": …} and nothing else", "/act/body");
  TRY(Document doc, document_from(*node));
  if (doc.agreement_id != act.agreement_id)
    return invalid("the document is of another agreement", "/act/body/document/agreement_id");
  if (doc.hash != act.text_version) return invalid("text_version is not the hash of the document", "/act/text_version");
  // A later version is accepted with the keys of the one before, so nobody's keys change without his signature.
  if (doc.version == 1) CHECK_OK(check_pins(doc, pins));
  return doc;
}

int rank(
    std::string_view kind) {  // only breaks ties in time, so that acts of one instant meet in the order of the table
  static constexpr std::array<std::string_view, 5> kOrder = {"propose", "initial", "sign", "notify_completed",
                                                             "certify_start"};
  return static_cast<int>(std::find(kOrder.begin(), kOrder.end(), kind) - kOrder.begin());
}

struct Item {
  SignedAct act;
  std::string hash;
};
using ByPrev = std::multimap<std::string, Item>;

// One author's acts in order, and with which keys the next one is judged.
class Author {
 public:
  Author(std::string chain, Evidence& out) : chain_(std::move(chain)), out_(out) {}
  Author(std::string chain, Party block, Evidence& out)
      : chain_(std::move(chain)), outsider_(std::move(block)), out_(out) {}

  std::vector<Event> walk(ByPrev& rest, std::string at);
  // What walk() did not reach follows an act that is missing, has no effect, or stands after a fork.
  void refuse_unreached(const ByPrev& rest);

 private:
  std::optional<Event> judge(const Item& item, Time after, Error* why) const;
  Result<Party> signing(const Document& doc) const;
  const Document* rules(const Act& act) const;
  void adopt(const Event& e);
  void notice(Event& e);

  std::string chain_;
  std::optional<Party> outsider_;
  Evidence& out_;
  const Document* adopted_ = nullptr;  // the text that this author signed or accepted last
  std::vector<Event> done_;
};

// Negotiation is judged by the text that it is about. Once an author has signed a text its keys judge what follows, so
// that no other text, which anybody may propose, can put keys into its mouth.
const Document* Author::rules(const Act& act) const {
  const auto it = out_.texts.find(act.text_version);
  if (it == out_.texts.end()) return nullptr;
  const Document* named = &it->second;
  const bool negotiating = act.kind == "propose" || act.kind == "initial" || act.kind == "sign";
  if (named->version == 1 && (adopted_ == nullptr || negotiating)) return named;
  if (outsider_ && adopted_ == nullptr) return named;  // its keys are in its own block, whatever the text says
  return adopted_;
}

Result<Party> Author::signing(const Document& doc) const {
  const Party* base = outsider_ ? &*outsider_ : doc.party(chain_);
  if (base == nullptr)
    return make_error(ErrorKind::kDenied, fmt::format("{} is no party of this text", printable(chain_)), "/act/party");
  const auto it = out_.notices.find(chain_);
  return signing_party(*base, it == out_.notices.end() ? std::span<const Notice>{} : it->second);
}

std::optional<Event> Author::judge(const Item& item, Time after, Error* why) const {
  auto no = [why](Error e) -> std::optional<Event> {
    if (why != nullptr) *why = std::move(e);
    return std::nullopt;
  };
  const Act& act = item.act.act;
  if (!out_.texts.contains(act.text_version))
    return no(make_error(ErrorKind::kNotFound, "names a text that nobody has proposed", "/act/text_version",
                         "send the propose act with that text first"));
  const Document* doc = rules(act);
  if (doc == nullptr)
    return no(make_error(ErrorKind::kDenied, "names a later version of a text that its party has not signed",
                         "/act/text_version"));
  auto party = signing(*doc);
  if (!party.ok()) return no(party.error());
  auto roles = quorum_of(act, *doc);
  // What the host or a newcomer does takes one of its authorities: their quorums stand in no text.
  if (roles.ok() && outsider_ && act.kind == "join_project") roles = Roles{{"authority", 1}};
  if (!roles.ok()) return no(roles.error());
  Event e{item.act, item.hash, std::max(after, act.effective_at), chain_, *roles, {}, {}, {}};
  e.good = good_signatures(item.act, *party, nullptr);
  if (!empty_seats(*roles, e.good).empty()) return no(check_signatures(item.act, *party, *roles).error());
  return e;
}

void Author::adopt(const Event& e) {
  const std::string& kind = e.act.act.kind;
  if (kind != "sign" && kind != "amend" && kind != "correct_error" && kind != "deposit_accession") return;
  const Document& text = out_.texts.at(e.act.act.text_version);
  if (kind == "sign" && adopted_ != nullptr) {
    auto party = signing(*adopted_);
    if (!party.ok() || !check_signatures(e.act, *party, e.roles).ok()) return;
  }
  if (outsider_ || text.party(chain_) != nullptr) adopted_ = &text;
}

void Author::notice(Event& e) {
  const Document* doc = rules(e.act.act);
  auto present = signing(*doc);
  auto n = read_notice(e.act, e.when, *present);
  if (!n.ok()) {
    e.refusal = n.error().text();
    return;
  }
  // Acts after the last trusted one stand only if their quorum is full without the key; a narrowing stands in any case.
  std::set<std::string> distrusted;
  std::map<std::string, std::vector<std::string>> from;  // last trusted act -> keys
  for (const auto& r : n->revoke) {
    if (r.last_act.empty()) continue;
    if (std::none_of(done_.begin(), done_.end(), [&r](const Event& d) { return d.hash == r.last_act; })) {
      e.refusal = "last_act is no earlier act of this party";
      return;
    }
    from[r.last_act].push_back(r.public_hex);
  }
  for (const Event& d : done_) {
    std::vector<Good> left = d.good;
    std::erase_if(left, [&](const Good& g) { return distrusted.contains(g.public_hex); });
    if (!narrows(d.act.act.kind) && !empty_seats(d.roles, left).empty()) e.fallen.push_back(d.hash);
    if (auto it = from.find(d.hash); it != from.end()) distrusted.insert(it->second.begin(), it->second.end());
  }
  out_.notices[chain_].push_back(std::move(*n));
}

std::vector<Event> Author::walk(ByPrev& rest, std::string at) {
  Time when{INT64_MIN};
  for (;;) {
    auto [from, to] = rest.equal_range(at);
    std::vector<Event> next;
    for (auto it = from; it != to;) {
      Error why;
      auto e = judge(it->second, when, &why);
      if (!e) {
        out_.refused.push_back({it->second.hash, it->second.act.act.kind, why.text(), false});
        it = rest.erase(it);
        continue;
      }
      next.push_back(std::move(*e));
      ++it;
    }
    if (next.empty()) break;
    rest.erase(at);
    if (next.size() > 1) {
      Time since{INT64_MAX};
      for (const Event& e : next) {
        since = std::min(since, e.when);
        out_.refused.push_back({e.hash, e.act.act.kind,
                                fmt::format("{} signed two acts after the same act: neither counts", chain_), true});
      }
      out_.doubts.emplace(chain_, Evidence::Doubt{since, fmt::format("the chain of {} forks", chain_)});
      break;
    }
    Event e = std::move(next.front());
    when = e.when;
    at = e.hash;
    if (e.act.act.kind == "annex_notice") notice(e);
    adopt(e);
    done_.push_back(std::move(e));
  }
  if (!at.empty()) out_.last_act[chain_] = at;
  return std::move(done_);
}

void Author::refuse_unreached(const ByPrev& rest) {
  for (const auto& [prev, item] : rest) {
    Error why;
    if (!judge(item, {INT64_MIN}, &why)) {
      out_.refused.push_back({item.hash, item.act.act.kind, why.text(), false});
      continue;
    }
    out_.refused.push_back({item.hash, item.act.act.kind,
                            fmt::format("follows act {} of {}, which is missing or has no effect: send that act",
                                        prev.substr(0, 12), chain_),
                            true});
    out_.doubts.emplace(
        chain_, Evidence::Doubt{item.act.act.effective_at, fmt::format("an earlier act of {} is missing", chain_)});
  }
}

// Who is no party of the text comes with a block of its own: a candidate and a newcomer to a project in the act that it
// begins with, the host of a project in the project that the others open.
std::optional<Party> own_block(const Act& act, const Evidence& ev) {
  if (!act.prev_act.empty()) return std::nullopt;
  auto text = ev.texts.find(act.text_version);
  if (text == ev.texts.end() || text->second.party(act.party) != nullptr) return std::nullopt;
  if (act.kind == "request_accession" || act.kind == "join_project") {
    const json::Node* block = act.body.find("party");
    if (block == nullptr) return std::nullopt;
    auto party = party_from(*block);
    if (!party.ok() || party->party != act.party) return std::nullopt;
    return std::move(*party);
  }
  if (act.kind == "host_consent") {
    auto project = ev.projects.find(std::string(act.body.string_at("sha256")));
    if (project == ev.projects.end() || project->second.host != act.party) return std::nullopt;
    const Party* block = project->second.party(act.party);
    return block == nullptr ? std::nullopt : std::optional(*block);
  }
  return std::nullopt;
}

// Merges the chains; every chain's times rise, so taking the smallest head is a total order that keeps each chain's
// own.
std::vector<Event> interleave(std::vector<std::vector<Event>> chains) {
  std::vector<Event> out;
  std::vector<size_t> next(chains.size(), 0);
  for (;;) {
    Event* best = nullptr;
    size_t which = 0;
    for (size_t c = 0; c < chains.size(); ++c) {
      if (next[c] == chains[c].size()) continue;
      Event& head = chains[c][next[c]];
      auto order = [](const Event& e) {
        return std::make_tuple(e.when, rank(e.act.act.kind), std::string_view(e.hash));
      };
      if (best == nullptr || order(head) < order(*best)) {
        best = &head;
        which = c;
      }
    }
    if (best == nullptr) return out;
    out.push_back(std::move(*best));
    ++next[which];
  }
}

}  // namespace

bool narrows(std::string_view kind) {
  static constexpr std::array<std::string_view, 11> kKinds = {
      "suspend",       "withdraw",        "abandon",      "no_renewal",     "claim_breach",  "object",
      "close_project", "end_provisional", "leave_pillar", "end_by_consent", "claim_mismatch"};
  return std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end();
}

Evidence gather(std::string_view agreement_id, std::span<const SignedAct> acts, const Pins& pins) {
  Evidence out;
  auto merged = merge(agreement_id, acts);
  // Texts first: a text is known by its hash, whoever brought it, and which texts are known does not depend on time, so
  // a partner's clock that is a second ahead loses no act. What anybody may do with it is judged act by act.
  for (auto it = merged.begin(); it != merged.end();) {
    const auto& [hash, signed_act] = *it;
    Status ok;
    if (signed_act.act.kind == "propose" && !out.texts.contains(signed_act.act.text_version)) {
      auto doc = proposed_text(signed_act.act, pins);
      ok = doc.ok() ? Status() : Status(doc.error());
      if (ok.ok()) out.texts.emplace(signed_act.act.text_version, std::move(*doc));
    }
    if (!ok.ok()) out.refused.push_back({hash, signed_act.act.kind, ok.error().text(), false});
    it = ok.ok() ? std::next(it) : merged.erase(it);
  }
  std::map<std::string, ByPrev> by_party;
  for (auto& [hash, signed_act] : merged) {
    if (const json::Node* block = signed_act.act.body.find("project");
        signed_act.act.kind == "open_project" && block != nullptr)
      if (auto project = project_from(*block); project.ok()) out.projects.emplace(project->hash, std::move(*project));
    by_party[signed_act.act.party].emplace(signed_act.act.prev_act, Item{signed_act, hash});
  }
  std::vector<std::vector<Event>> chains;
  for (auto& [party, rest] : by_party) {
    std::vector<std::pair<std::string, Party>> roots;  // hash of the first act, and its author
    for (const auto& [prev, item] : rest)
      if (auto block = own_block(item.act.act, out)) roots.emplace_back(item.hash, std::move(*block));
    for (auto& [hash, block] : roots) {
      const std::string chain = party + "#" + hash;
      out.outsiders.emplace(chain, block);
      Author author(chain, std::move(block), out);
      ByPrev first;
      auto [from, to] = rest.equal_range("");
      for (auto it = from; it != to; ++it)
        if (it->second.hash == hash) {
          first.insert(*it);
          rest.erase(it);
          break;
        }
      // Its other acts hang on this one, not on the beginning.
      for (std::vector<std::string> todo = {hash}; !todo.empty();) {
        const std::string at = std::move(todo.back());
        todo.pop_back();
        auto [a, b] = rest.equal_range(at);
        for (auto it = a; it != b; ++it) todo.push_back(it->second.hash);
        first.insert(a, b);
        rest.erase(a, b);
      }
      chains.push_back(author.walk(first, ""));
      author.refuse_unreached(first);
    }
    Author author(party, out);
    chains.push_back(author.walk(rest, ""));
    author.refuse_unreached(rest);
  }
  out.events = interleave(std::move(chains));
  return out;
}

}  // namespace entente::agreement::internal
