#include "enforce/guard.h"

#include <optional>
#include <set>

#include <fmt/format.h>
#include <libpsl.h>

namespace entente::enforce {

namespace {

struct Answer {
  Outcome outcome;
  std::string_view code;
  std::string sentence;
};
using Checked = std::optional<Answer>;  // nullopt: nothing against it

Checked refuse(std::string_view code, std::string sentence) {
  return Answer{Outcome::kRefuse, code, std::move(sentence)};
}
Checked ask(std::string_view code, std::string sentence) { return Answer{Outcome::kPerson, code, std::move(sentence)}; }

Checked permission(const Proposal& p) {
  if (!p.rolled_back.empty()) return refuse("ROLLED_BACK", p.rolled_back);
  if (!p.live)
    return refuse("AGREEMENT_NOT_LIVE", "the agreement it came under is not in force between us and " + p.partner);
  if (!p.block.allowed)
    return Answer{Outcome::kShadow, "NOT_PERMITTED",
                  p.block.why.empty() ? "the agreement does not allow blocking on it" : p.block.why};
  return std::nullopt;
}

Checked validity(const Proposal& p, Time now) {
  if (p.revoked) return refuse("REVOKED", "its originator has revoked or recalled it");
  if (now < p.valid_from) return refuse("NOT_YET_VALID", "valid only from " + to_text(p.valid_from));
  if (now >= p.valid_until) return refuse("EXPIRED", "valid only until " + to_text(p.valid_until));
  if (!p.disputed.empty()) return refuse("DISPUTED", p.disputed);
  if (!p.upheld.empty() && !p.approved) return ask("DISPUTE_UPHELD", p.upheld);
  return std::nullopt;
}

Checked protection(const Proposal& p, const ProtectedList& lists) {
  const auto because = [](const ProtectedList::Match& m, const std::string& what) {
    return m.self ? refuse("PROTECTED_SELF", fmt::format("{} is ours or our link's ({}: {})", what, m.list, m.entry))
                  : refuse("PROTECTED_LIST", fmt::format("{} is on a protected list ({}: {})", what, m.list, m.entry));
  };
  if (const auto m = lists.find(p.target)) return because(*m, p.target.text());
  if (!p.via_name.empty()) {
    if (const auto m = lists.find_name(p.via_name, false)) return because(*m, p.via_name);
  }
  for (const std::string& name : p.names_on_address) {
    if (const auto m = lists.find_name(name, false)) {
      return refuse("PROTECTED_NAME", fmt::format("{} also serves {}, which is on a protected list ({}: {})",
                                                  p.target.text(), name, m->list, m->entry));
    }
  }
  return std::nullopt;
}

Checked breadth(const Proposal& p, const GuardConfig& config) {
  if (p.target.kind == TargetKind::kName) {
    if (is_public_suffix(p.target.host))
      return refuse("PUBLIC_SUFFIX", p.target.host + " is a public suffix: everybody's names stand below it");
    return std::nullopt;
  }
  const int least = p.target.prefix.v6 ? config.min_bits6 : config.min_bits4;
  if (p.target.prefix.bits < least)
    return refuse("TOO_BROAD", fmt::format("{} is wider than /{}", p.target.text(), least));
  return std::nullopt;
}

// "3 clients used it in the last 7 days, 2 names live on it": the numbers of step 5, for people.
std::string numbers(const Proposal& p, size_t owners) {
  std::string out;
  if (p.impact) {
    out = fmt::format("{}{} client{} used it in the last {} days", p.impact->at_least ? "at least " : "",
                      p.impact->clients, p.impact->clients == 1 ? "" : "s", p.impact->days);
  }
  if (p.target.kind == TargetKind::kName) return out;
  if (!out.empty()) out += ", ";
  return out + fmt::format("{} name{} on it", owners, owners == 1 ? "" : "s");
}

size_t owners_of(const Proposal& p) {
  std::set<std::string> owners;
  for (const std::string& name : p.names_on_address) owners.insert(registrable_name(name));
  return owners.size();
}

Checked impact(const Proposal& p, const GuardConfig& config, const ProtectedList* needed, size_t owners) {
  if (p.approved) return std::nullopt;
  if (needed != nullptr) {
    const auto because = [&](const ProtectedList::Match& m, const std::string& what) {
      return ask("CRITICAL_DEPENDENCE",
                 fmt::format("{} is what {} depends on ({}); {}", what, m.list, m.entry, numbers(p, owners)));
    };
    if (const auto m = needed->find(p.target)) return because(*m, p.target.text());
    for (const std::string& name : p.names_on_address) {
      if (const auto m = needed->find_name(name, false)) return because(*m, name + " on " + p.target.text());
    }
  }
  if (owners > config.names_per_address) {
    return ask("SHARED_HOST", fmt::format("{} serves {} different names, more than {}; {}", p.target.text(), owners,
                                          config.names_per_address, numbers(p, owners)));
  }
  // Who tries to reach what is blocked is no reason to let it go.
  if (!p.renewal && p.impact && p.impact->clients > config.clients_per_target) {
    return ask("WIDELY_USED", fmt::format("{} is in wide use: {}; above {} clients a person decides", p.target.text(),
                                          numbers(p, owners), config.clients_per_target));
  }
  return std::nullopt;
}

// "2 of 57 leases of its source were wrong": for people.
std::string record_of(const Proposal& p) {
  return fmt::format("{} of {} lease{} of its source before {} wrong", p.record.wrong, p.record.granted,
                     p.record.granted == 1 ? "" : "s", p.record.wrong == 1 ? "was" : "were");
}

Checked evidence(const Proposal& p, const GuardConfig& config, bool shadow) {
  if (config.min_confidence > 0 && p.confidence < config.min_confidence)
    return refuse("LOW_CONFIDENCE",
                  fmt::format("confidence {} is below the local minimum of {}",
                              p.confidence < 0 ? "not stated" : std::to_string(p.confidence), config.min_confidence));
  // What is in force stays: a source that turns bad is rolled back as a whole, by harm or by a person.
  if (shadow || p.approved || p.renewal || p.record.wrong < GuardConfig::kWrong) return std::nullopt;
  if (p.record.wrong * 100 <= p.record.granted * static_cast<uint64_t>(config.wrong_percent)) return std::nullopt;
  return ask("SOURCE_OFTEN_WRONG",
             fmt::format("{}, more than {} %; a person decides", record_of(p), config.wrong_percent));
}

Checked budget(const Proposal& p, const GuardConfig& config, const Usage& usage, bool shadow) {
  if (p.renewal) return std::nullopt;
  if (usage.entries >= config.max_entries) {
    // Capacity is not a matter of approval; and what would only count needs nobody.
    auto sentence = fmt::format("{} leases are in force, as many as this enforcer takes", usage.entries);
    return shadow || p.approved ? refuse("CAPACITY", std::move(sentence)) : ask("CAPACITY", std::move(sentence));
  }
  if (shadow || p.approved) return std::nullopt;
  if (usage.granted_last_minute >= config.leases_per_minute) {
    return ask("BUDGET_MINUTE", fmt::format("{} new leases in the last minute, the cap is {}",
                                            usage.granted_last_minute, config.leases_per_minute));
  }
  if (usage.granted_by_partner_last_hour >= config.leases_per_partner_hour) {
    return ask("BUDGET_HOUR",
               fmt::format("{} new leases for {} in the last hour, the cap is {}", usage.granted_by_partner_last_hour,
                           p.partner, config.leases_per_partner_hour));
  }
  return std::nullopt;
}

Checked mode(const Proposal& p, const GuardConfig& config) {
  if (config.mode == Mode::kBlock) {
    if (p.trial.empty() || p.approved) return std::nullopt;
    return Answer{Outcome::kShadow, "SHADOW_FIRST", p.trial};
  }
  return Answer{Outcome::kShadow, "MONITOR_MODE", "this sensor runs in monitor mode: it counts and drops nothing"};
}

const psl_ctx_t* suffixes() {
  // Built once; libpsl's lookups are read-only and thread-safe.
  static const psl_ctx_t* const kList = [] {
    const psl_ctx_t* newest = psl_latest(nullptr);
    return newest != nullptr ? newest : psl_builtin();
  }();
  return kList;
}

}  // namespace

std::string_view to_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::kBlock:
      return "block";
    case Outcome::kShadow:
      return "shadow";
    case Outcome::kPerson:
      return "person";
    case Outcome::kRefuse:
      return "refuse";
  }
  return "refuse";
}

Verdict Guard::check(const Proposal& p, const Usage& usage, Time now) const {
  std::optional<Verdict> person, shadow;
  const auto settle = [&](Step step, Checked checked) -> std::optional<Verdict> {
    if (!checked) return std::nullopt;
    Verdict v{checked->outcome, step, checked->code, std::move(checked->sentence), p.block.article};
    if (v.outcome == Outcome::kRefuse) return v;
    auto& first = v.outcome == Outcome::kPerson ? person : shadow;
    if (!first) first = std::move(v);
    return std::nullopt;
  };
  // Monitor mode decides last but must be known to the budget, which asks nobody about what drops nothing.
  const bool counts_only = !p.block.allowed || config_.mode == Mode::kMonitor || (!p.trial.empty() && !p.approved);
  const size_t owners = owners_of(p);
  if (auto v = settle(Step::kPermission, permission(p))) return *v;
  if (auto v = settle(Step::kValidity, validity(p, now))) return *v;
  if (auto v = settle(Step::kProtected, protection(p, lists_))) return *v;
  if (auto v = settle(Step::kBreadth, breadth(p, config_))) return *v;
  if (!counts_only) {
    if (auto v = settle(Step::kImpact, impact(p, config_, needed_, owners))) return *v;
  }
  if (auto v = settle(Step::kEvidence, evidence(p, config_, counts_only))) return *v;
  if (auto v = settle(Step::kBudget, budget(p, config_, usage, counts_only))) return *v;
  if (auto v = settle(Step::kMode, mode(p, config_))) return *v;
  if (person) return *person;
  if (shadow) return *shadow;
  std::string sentence = "permitted, valid, not protected, within every cap";
  if (const std::string counted = numbers(p, owners); p.impact && !counted.empty()) sentence += "; " + counted;
  if (p.record.granted > 0) sentence += "; " + record_of(p);
  return {Outcome::kBlock, Step::kMode, "OK", std::move(sentence), p.block.article};
}

bool is_public_suffix(const std::string& name) {
  if (name.find('.') == std::string::npos) return true;
  return suffixes() != nullptr && psl_is_public_suffix(suffixes(), name.c_str()) == 1;
}

std::string registrable_name(const std::string& name) {
  const char* found = suffixes() != nullptr ? psl_registrable_domain(suffixes(), name.c_str()) : nullptr;
  return found != nullptr ? std::string(found) : name;
}

}  // namespace entente::enforce
