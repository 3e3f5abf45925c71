#include "exchange/instruments.h"

#include <algorithm>
#include <set>

#include "base/log.h"
#include "exchange/names.h"

namespace entente::exchange {
namespace {

// A fold is good until something with a clock changes; agreements know more clocks than start and end (renewal, notice,
// key validity), so it is never kept longer than this.
constexpr int64_t kKeepUs = 1'000'000;

}  // namespace

Status Instruments::load() {
  const uint64_t n = cx_.store.length("acts");
  const std::lock_guard lock(mutex_);
  acts_.clear();
  hashes_.clear();
  cache_.clear();
  for (uint64_t i = 0; i < n;) {
    TRY(std::vector<std::string> texts, cx_.store.read("acts", i, 1000));
    if (texts.empty())
      return make_error(ErrorKind::kCorrupt, "the sequence of acts is shorter than its length", "store",
                        "run 'entente node check'");
    for (const auto& text : texts) {
      TRY(agreement::SignedAct act, agreement::parse_signed_act(text));
      hashes_[act.act.hash()] = true;
      acts_[act.act.agreement_id].push_back(std::move(act));
    }
    i += texts.size();
  }
  return {};
}

std::vector<std::string> Instruments::ids() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [id, _] : acts_) out.push_back(id);
  return out;
}

std::shared_ptr<const agreement::State> Instruments::fold_locked(const std::string& id, Time at) const {
  const auto it = acts_.find(id);
  if (it == acts_.end()) return nullptr;
  return std::make_shared<const agreement::State>(agreement::fold(id, it->second, at, cx_.config.pins));
}

std::shared_ptr<const agreement::State> Instruments::state(std::string_view agreement_id) {
  const Time now = cx_.clock.now();
  const std::lock_guard lock(mutex_);
  const std::string id(agreement_id);
  auto& cached = cache_[id];
  if (cached.state) {
    const auto crossed = [&](const std::optional<Time>& t) { return t && *t > cached.at && *t <= now; };
    if (now >= cached.at && now.us - cached.at.us < kKeepUs && !crossed(cached.state->start) &&
        !crossed(cached.state->end))
      return cached.state;
  }
  cached.state = fold_locked(id, now);
  cached.at = now;
  auto state = cached.state;
  if (!state) cache_.erase(id);
  return state;
}

std::shared_ptr<const agreement::State> Instruments::state_at(std::string_view agreement_id, Time at) const {
  const std::lock_guard lock(mutex_);
  return fold_locked(std::string(agreement_id), at);
}

std::vector<std::shared_ptr<const agreement::State>> Instruments::states() {
  std::vector<std::shared_ptr<const agreement::State>> out;
  for (const auto& id : ids()) {
    if (auto s = state(id); s && s->document) out.push_back(std::move(s));
  }
  return out;
}

std::shared_ptr<const agreement::State> Instruments::by_root(std::string_view root) {
  for (auto& s : states()) {
    if (agreement_root(*s->document) == root) return s;
  }
  return nullptr;
}

std::vector<agreement::SignedAct> Instruments::acts(std::string_view agreement_id) const {
  const std::lock_guard lock(mutex_);
  const auto it = acts_.find(std::string(agreement_id));
  return it == acts_.end() ? std::vector<agreement::SignedAct>{} : it->second;
}

bool Instruments::known(std::string_view act_hash) const {
  const std::lock_guard lock(mutex_);
  return hashes_.contains(std::string(act_hash));
}

std::vector<std::string> Instruments::parties_of(std::string_view spki) {
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

Status Instruments::admissible(const agreement::SignedAct& act) const {
  const std::lock_guard lock(mutex_);
  static const std::vector<agreement::SignedAct> kNone;
  const auto it = acts_.find(act.act.agreement_id);
  return agreement::admissible(act, it == acts_.end() ? kNone : it->second, cx_.clock.now(), cx_.config.pins);
}

std::vector<std::string> Instruments::audience(const agreement::SignedAct& act) const {
  std::set<std::string> parties;
  const auto from_document = [&](const agreement::SignedAct& a) {
    const auto* doc = a.act.body.find("document");
    const auto* list = doc == nullptr ? nullptr : doc->find("parties");
    if (list == nullptr || !list->is_array()) return;
    for (const auto& p : list->list()) {
      if (const auto code = p.string_at("party"); code.size() == 2) parties.emplace(code);
    }
  };
  from_document(act);
  for (const auto& known : acts(act.act.agreement_id)) from_document(known);
  return {parties.begin(), parties.end()};
}

void Instruments::learned(agreement::SignedAct act) {
  const std::lock_guard lock(mutex_);
  hashes_[act.act.hash()] = true;
  cache_.erase(act.act.agreement_id);
  acts_[act.act.agreement_id].push_back(std::move(act));
}

}  // namespace entente::exchange
