#include "agreement/internal/chain.h"

#include <algorithm>
#include <array>
#include <tuple>

#include <fmt/format.h>

#include "base/bytes.h"

namespace entente::agreement::internal {
namespace {

// Merges copies of the same act; deterministic by hash.
std::map<std::string, SignedAct> merge(std::string_view agreement_id, std::span<const SignedAct> acts) {
  std::map<std::string, SignedAct> out;
  for (const SignedAct& a : acts) {
    if (a.act.agreement_id != agreement_id) continue;
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
  CHECK_OK(check_pins(doc, pins));
  return doc;
}

int rank(
    std::string_view kind) {  // only breaks ties in time, so that acts of one instant meet in the order of the table
  static constexpr std::array<std::string_view, 5> kOrder = {"propose", "initial", "sign", "notify_completed",
                                                             "certify_start"};
  return static_cast<int>(std::find(kOrder.begin(), kOrder.end(), kind) - kOrder.begin());
}

using ByPrev = std::multimap<std::string, Event>;

// Walks one party's chain from its beginning and takes it out of `rest`; stops at a fork.
std::vector<Event> walk(ByPrev& rest, const std::string& party, Evidence& out) {
  std::vector<Event> chain;
  std::string at;
  Time when{INT64_MIN};
  for (;;) {
    auto [from, to] = rest.equal_range(at);
    const auto n = std::distance(from, to);
    if (n == 0) break;
    if (n > 1) {
      Time since{INT64_MAX};
      for (auto it = from; it != to; ++it) {
        since = std::min(since, std::max(when, it->second.act.act.effective_at));
        out.refused.push_back({it->second.hash, it->second.act.act.kind,
                               fmt::format("{} signed two acts after the same act: neither counts", party)});
      }
      out.doubts.emplace(party, Evidence::Doubt{since, fmt::format("the chain of {} forks", party)});
      rest.erase(from, to);
      break;
    }
    Event e = std::move(from->second);
    rest.erase(from);
    when = std::max(when, e.act.act.effective_at);
    e.when = when;
    at = e.hash;
    chain.push_back(std::move(e));
  }
  out.last_act[party] = at;
  return chain;
}

// What walk() did not reach follows an act that is missing, has no effect, or stands after a fork.
void refuse_unreached(const ByPrev& rest, const std::string& party, Evidence& out) {
  for (const auto& [prev, e] : rest) {
    out.refused.push_back({e.hash, e.act.act.kind,
                           fmt::format("follows act {} of {}, which is missing or has no effect: send that act",
                                       prev.substr(0, 12), party)});
    out.doubts.emplace(party,
                       Evidence::Doubt{e.act.act.effective_at, fmt::format("an earlier act of {} is missing", party)});
  }
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

Evidence gather(std::string_view agreement_id, std::span<const SignedAct> acts, const Pins& pins) {
  Evidence out;
  auto merged = merge(agreement_id, acts);
  // Texts first: which texts are known does not depend on time, so a partner's clock that is a second ahead loses no
  // act.
  for (auto it = merged.begin(); it != merged.end();) {
    const auto& [hash, signed_act] = *it;
    Status ok;
    if (signed_act.act.kind == "propose" && !out.texts.contains(signed_act.act.text_version)) {
      auto doc = proposed_text(signed_act.act, pins);
      ok = doc.ok() ? check_quorum(signed_act, *doc) : Status(doc.error());
      if (ok.ok()) out.texts.emplace(signed_act.act.text_version, std::move(*doc));
    }
    if (!ok.ok()) out.refused.push_back({hash, signed_act.act.kind, ok.error().text()});
    it = ok.ok() ? std::next(it) : merged.erase(it);
  }
  std::map<std::string, ByPrev> by_party;
  for (const auto& [hash, signed_act] : merged) {
    auto text = out.texts.find(signed_act.act.text_version);
    Status ok = text == out.texts.end()
                    ? Status(make_error(ErrorKind::kNotFound, "names a text that nobody has proposed",
                                        "/act/text_version", "send the propose act with that text first"))
                    : check_quorum(signed_act, text->second);
    if (!ok.ok())
      out.refused.push_back({hash, signed_act.act.kind, ok.error().text()});
    else
      by_party[signed_act.act.party].emplace(signed_act.act.prev_act, Event{signed_act, hash, {}});
  }
  std::vector<std::vector<Event>> chains;
  for (auto& [party, acts_of] : by_party) {
    chains.push_back(walk(acts_of, party, out));
    refuse_unreached(acts_of, party, out);
  }
  out.events = interleave(std::move(chains));
  return out;
}

}  // namespace entente::agreement::internal
