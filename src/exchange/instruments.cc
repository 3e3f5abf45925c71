#include "exchange/instruments.h"

#include <algorithm>
#include <set>

#include "base/log.h"
#include "exchange/names.h"

namespace entente::exchange {
std::vector<PublicKey> keys_of(const agreement::Party& party, agreement::KeyRole role, Time at) {
  std::vector<PublicKey> out;
  for (const auto& k : party.keys) {
    if (k.role == role && k.key && k.not_before <= at && at < k.not_after) out.push_back(*k.key);
  }
  return out;
}

std::vector<std::string> partners_of(const agreement::State& state, std::string_view me) {
  std::set<std::string> out = state.began;
  if (state.document) {
    for (const auto& p : state.document->parties) out.insert(p.party);
  }
  out.erase(std::string(me));
  return {out.begin(), out.end()};
}

Status Instruments::load() {
  const uint64_t n = cx_.store.length("acts");
  const std::lock_guard lock(mutex_);
  acts_.clear();
  hashes_.clear();
  histories_.clear();
  joint_.clear();
  onward_.clear();
  for (uint64_t i = 0; i < n;) {
    TRY(std::vector<std::string> texts, cx_.store.read("acts", i, 1000));
    if (texts.empty())
      return make_error(ErrorKind::kCorrupt, "the sequence of acts is shorter than its length", "store",
                        "run 'entente node check'");
    for (const auto& text : texts) {
      TRY(agreement::SignedAct act, agreement::parse_signed_act(text));
      hashes_.insert(act.act.hash());
      acts_[act.act.agreement_id].push_back(std::move(act));
    }
    i += texts.size();
  }
  for (const auto& [id, acts] : acts_) {
    histories_.insert_or_assign(id, agreement::History(id, acts, cx_.config.pins));
    joint_.insert_or_assign(id, agreement::JointHistory(id, acts));
    onward_.insert_or_assign(id, agreement::OnwardHistory(id, acts));
  }
  return {};
}

agreement::JointHistory Instruments::joint(std::string_view agreement_id) const {
  const std::lock_guard lock(mutex_);
  const auto it = joint_.find(agreement_id);
  return it == joint_.end() ? agreement::JointHistory(agreement_id, {}) : it->second;
}

agreement::OnwardHistory Instruments::onward(std::string_view agreement_id) const {
  const std::lock_guard lock(mutex_);
  const auto it = onward_.find(agreement_id);
  return it == onward_.end() ? agreement::OnwardHistory(agreement_id, {}) : it->second;
}

std::shared_ptr<const agreement::State> Instruments::state(std::string_view agreement_id) const {
  return state_at(agreement_id, cx_.clock.now());
}

std::shared_ptr<const agreement::State> Instruments::state_at(std::string_view agreement_id, Time at) const {
  const std::lock_guard lock(mutex_);
  const auto it = histories_.find(agreement_id);
  if (it != histories_.end()) return std::make_shared<const agreement::State>(it->second.at(at));
  for (const auto& [id, history] : histories_)
    for (auto& project : history.projects_at(at))
      if (project.agreement_id == agreement_id) return std::make_shared<const agreement::State>(std::move(project));
  return nullptr;
}

std::vector<std::shared_ptr<const agreement::State>> Instruments::states() const {
  const Time now = cx_.clock.now();
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const agreement::State>> out;
  for (const auto& [id, history] : histories_) {
    if (auto s = std::make_shared<const agreement::State>(history.at(now)); s->document) out.push_back(std::move(s));
    for (auto& project : history.projects_at(now))
      out.push_back(std::make_shared<const agreement::State>(std::move(project)));
  }
  return out;
}

std::shared_ptr<const agreement::State> Instruments::by_root(std::string_view root) const {
  for (auto& s : states()) {
    if (agreement_root(*s->document) == root) return s;
  }
  return nullptr;
}

std::vector<agreement::SignedAct> Instruments::acts(std::string_view agreement_id) const {
  const std::lock_guard lock(mutex_);
  const auto it = acts_.find(agreement_id);
  return it == acts_.end() ? std::vector<agreement::SignedAct>{} : it->second;
}

bool Instruments::known(std::string_view act_hash) const {
  const std::lock_guard lock(mutex_);
  return hashes_.contains(act_hash);
}

std::vector<std::string> Instruments::parties_of(std::string_view spki) const {
  std::vector<std::string> out;
  if (spki.empty()) return out;
  for (const auto& s : states()) {
    if (s->kind == agreement::StateKind::kDraft || s->kind == agreement::StateKind::kAbandoned) continue;
    for (const auto& p : s->document->parties) {
      const auto& pins = p.tls_spki_sha256;
      if (std::find(pins.begin(), pins.end(), spki) != pins.end() &&
          std::find(out.begin(), out.end(), p.party) == out.end())
        out.push_back(p.party);
    }
  }
  return out;
}

std::optional<agreement::Party> Instruments::party_ever(std::string_view agreement_id, std::string_view code) const {
  std::optional<agreement::Party> out;
  int64_t version = 0;
  for (const auto& a : acts(agreement_id)) {
    if (a.act.kind != "propose") continue;
    const auto* text = a.act.body.find("document");
    if (text == nullptr) continue;
    const auto doc = agreement::document_from(*text);
    if (!doc.ok() || doc->version <= version) continue;
    if (const auto* p = doc->party(code)) {
      out = *p;
      version = doc->version;
    }
  }
  return out;
}

Status Instruments::admissible(const agreement::SignedAct& act) const {
  const std::lock_guard lock(mutex_);
  static const std::vector<agreement::SignedAct> kNone;
  const auto it = acts_.find(act.act.agreement_id);
  return agreement::admissible(act, it == acts_.end() ? kNone : it->second, cx_.clock.now(), cx_.config.pins);
}

bool Instruments::counts(const agreement::SignedAct& act) const {
  const std::lock_guard lock(mutex_);
  static const std::vector<agreement::SignedAct> kNone;
  const auto it = acts_.find(act.act.agreement_id);
  return agreement::counts(act, it == acts_.end() ? kNone : it->second, cx_.config.pins);
}

std::vector<std::string> Instruments::audience(const agreement::SignedAct& act) const {
  std::set<std::string> parties;
  if (agreement::is_onward(act.act.kind)) {
    parties = agreement::onward_parties(act.act);
    return {parties.begin(), parties.end()};
  }
  const auto block = [&parties](const json::Node* p) {
    if (p == nullptr || !p->is_object()) return;
    if (const auto code = p->string_at("party"); code.size() == 2) parties.emplace(code);
  };
  const auto list = [&block](const json::Node* holder) {
    const auto* all = holder == nullptr ? nullptr : holder->find("parties");
    if (all == nullptr || !all->is_array()) return;
    for (const auto& p : all->list()) block(&p);
  };
  // Parties of a text, who would accede, and who takes part in a project.
  const auto named_by = [&](const agreement::SignedAct& a) {
    const json::Node& body = a.act.body;
    if (a.act.kind == "propose") list(body.find("document"));
    if (a.act.kind == "open_project") list(body.find("project"));
    if (a.act.kind == "request_accession" || a.act.kind == "join_project") block(body.find("party"));
  };
  named_by(act);
  for (const auto& known : acts(act.act.agreement_id)) named_by(known);
  return {parties.begin(), parties.end()};
}

void Instruments::learned(agreement::SignedAct act) {
  const std::lock_guard lock(mutex_);
  hashes_.insert(act.act.hash());
  const std::string id = act.act.agreement_id;
  const bool joint = agreement::is_joint(act.act.kind);
  auto& acts = acts_[id];
  acts.push_back(std::move(act));
  if (agreement::is_onward(acts.back().act.kind)) {
    const auto known = onward_.find(id);
    onward_.insert_or_assign(
        id, known == onward_.end() ? agreement::OnwardHistory(id, acts) : known->second.with(acts.back()));
  } else if (joint) {
    joint_.insert_or_assign(id, agreement::JointHistory(id, acts));
  } else {
    histories_.insert_or_assign(id, agreement::History(id, acts, cx_.config.pins));
  }
}

}  // namespace entente::exchange
