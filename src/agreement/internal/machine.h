// The state machine of agreement.md §3.2–3.5 over the acts that count (internal/chain.h). Narrow alone, widen together;
// unsure means narrow. Its parts: machine.cc (draft to signature, suspension), force.cc (start, end, who stands how),
// texts.cc (amendment and correction), accession.cc (newcomers and pillars), projects.cc.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agreement/internal/chain.h"

namespace entente::agreement::internal {

// Where a suspension reaches. What is not understood reaches everywhere.
struct Scope {
  std::string flow, sector, party, project;  // all empty: the whole instrument
  bool operator==(const Scope&) const = default;
  [[nodiscard]] bool whole() const { return flow.empty() && sector.empty() && party.empty() && project.empty(); }
};

struct Suspension {
  Scope scope;
  std::optional<Time> until;  // one person alone suspends for a day
  std::set<std::string> persons;
  [[nodiscard]] bool runs(Time at) const { return !until || at < *until; }
};

struct Accession {  // of one candidate: its chain
  std::string party, request;
  std::string text;  // that it deposited for; "" = not yet
  std::optional<std::set<std::string>> declared;
  std::set<std::string> consents;
  Time deposited;
  bool done = false;
};

struct ProjectLife {
  std::map<std::string, std::map<std::string, Time>> asked;  // block -> party -> when
  std::string opened;                                        // block that all asked for
  Time opened_at;
  std::optional<Time> consented;  // by the host
  std::string host_chain;
  struct Member {
    std::string role;
    std::optional<Party> block;  // of who is no party of the parent
    std::string chain;
    std::optional<Time> joined;  // of who came after the opening: what was there before is not for it
  };
  std::map<std::string, Member> members;
  struct Offer {
    std::set<std::string> by;
    std::string chain;  // of the newcomer, once it asked itself
    std::string party, role;
  };
  std::map<std::string, Offer> offers;  // what the body says -> who said so
  std::set<std::string> left;
};

class Machine {
 public:
  explicit Machine(const Evidence& evidence) : ev_(evidence), doubts_(evidence.doubts), refused_(evidence.refused) {}

  void take(const Event& e);
  void finish(State& s, Time at);
  // After finish: the open projects as instruments.
  [[nodiscard]] std::vector<State> project_states(const State& parent, Time at) const;

 private:
  struct Accepted {
    std::string text;
    Time when;
    bool correction = false;
  };
  struct Leaving {
    Time when;
    bool expired = false;  // not renewed, rather than withdrawn
  };
  using ByText = std::map<std::string, std::map<std::string, Event>>;  // text -> party

  [[nodiscard]] const Document& text(const Event& e) const { return ev_.texts.at(e.act.act.text_version); }
  void refuse(const Event& e, std::string why) { refused_.push_back({e.hash, e.act.act.kind, std::move(why), true}); }
  [[nodiscard]] bool is_signed() const { return !signed_text_.empty(); }
  [[nodiscard]] bool by_all(const ByText& by_text, const std::string& text) const;
  [[nodiscard]] bool member(const Event& e) const;
  [[nodiscard]] std::vector<std::string> members() const;         // all who ever were, by code
  [[nodiscard]] std::vector<std::string> members(Time at) const;  // who has not left
  [[nodiscard]] const std::string& chain_of(const std::string& party) const;
  [[nodiscard]] Party block_of(const std::string& party, const Document& doc, Time at) const;

  // machine.cc
  void negotiate(const Event& e);
  void propose(const Event& e);
  void drop_others(ByText& by_text, const std::string& keep);
  void sign(const Event& e);
  void suspend(const Event& e);
  void resume(const Event& e);
  void withdraw(const Event& e);
  void abandon(const Event& e);
  void revoked(const Event& e);
  void not_built(const Event& e);
  void settle(Time now);
  void before_signature(State& s);
  [[nodiscard]] bool suspended(const std::string& party, Time at) const;
  std::optional<std::set<std::string>> declaration(const Event& e, std::string* why) const;

  // force.cc
  void after_signature(State& s, Time at);
  [[nodiscard]] std::map<std::string, Time> starts(State* s) const;
  [[nodiscard]] static std::optional<Time> end_of_term(const Document& doc, Time start, Time at);
  [[nodiscard]] static std::optional<Time> not_renewed(const Document& doc, Time start, Time said);
  void certificates(State& s, const std::map<std::string, Time>& start_of, std::set<std::string>& in_doubt) const;
  void pairs(State& s, const std::vector<std::string>& all, const std::map<std::string, Leaving>& leaving, Time at);
  void provisional(const Event& e);
  void no_renewal(const Event& e);
  void end_by_consent(const Event& e);

  // texts.cc
  void amend(const Event& e, bool correction);
  [[nodiscard]] std::optional<Time> start_under(size_t step, const std::string& party) const;
  [[nodiscard]] std::vector<std::string> path(const std::string& party, Time at) const;
  [[nodiscard]] std::string common(const std::string& a, const std::string& b, Time at) const;
  void share_texts(State& s, Time at) const;

  // accession.cc
  void request_accession(const Event& e);
  void consent_accession(const Event& e);
  void deposit_accession(const Event& e);
  void object(const Event& e);
  void settle_accessions(Time now);
  void pillar(const Event& e);

  // projects.cc
  void open_project(const Event& e);
  void host_consent(const Event& e);
  void admit_host(ProjectLife& life) const;
  void join_project(const Event& e);
  void close_project(const Event& e);
  void show_projects(State& s, Time at) const;
  [[nodiscard]] std::vector<std::string> project_parents(const ProjectBlock& block) const;
  [[nodiscard]] std::string stage(const ProjectLife& life, const State& parent, Time at,
                                  std::vector<std::string>* waiting) const;

  const Evidence& ev_;
  std::multimap<std::string, Evidence::Doubt> doubts_;  // of the evidence, and of acts that this version does not know
  std::vector<Refused> refused_;
  std::string current_;      // text on the table
  std::string signed_text_;  // the first that all signed
  Time signed_at_;
  bool abandoned_ = false;
  ByText initials_, signs_;
  std::map<std::string, std::set<std::string>> ever_signed_;     // text -> parties
  std::map<std::string, std::map<std::string, Time>> notified_;  // text -> party -> first time
  std::map<std::string, Event> certificates_;                    // newest of each party, by whom and about whom
  std::map<std::string, std::vector<Suspension>> suspended_;
  std::map<std::string, Leaving> leaving_;                          // party -> end of its notice
  std::map<std::string, Time> no_renewal_;                          // party -> first said
  std::map<std::string, std::map<std::string, Time>> consent_end_;  // wanted date -> party -> when
  std::optional<Time> ended_;                                       // by consent of all
  std::map<std::string, std::vector<Accepted>> accepted_;           // party -> texts after the first
  std::map<std::string, std::set<std::string>> provisional_, declared_;
  std::map<std::string, Time> provisional_since_;
  std::set<std::pair<std::string, std::string>> objected_;
  std::map<std::string, Accession> accessions_;  // by chain
  struct Newcomer {
    std::string chain;
    Time start;
    std::vector<std::string> texts;  // in force between all when it deposited
  };
  std::map<std::string, Newcomer> joined_;  // by code
  std::map<std::string, Pillar> pillars_;
  std::map<std::string, std::map<std::string, std::set<std::string>>> leads_;  // pillar -> lead -> who consents
  std::map<std::string, ProjectLife> projects_;
};

[[nodiscard]] inline std::pair<std::string, std::string> pair_of(const std::string& a, const std::string& b) {
  return a < b ? std::pair(a, b) : std::pair(b, a);
}

}  // namespace entente::agreement::internal
