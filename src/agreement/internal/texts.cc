// Amendment and correction (agreement.md §3.2, 7 and 7b). Each party walks through the texts at its own pace; what
// holds between two of them is the last text that both have accepted and that has started for both.
#include <algorithm>

#include <fmt/format.h>

#include "agreement/internal/machine.h"
#include "base/bytes.h"
#include "json/json.h"

namespace entente::agreement::internal {
namespace {

using json::Node;

// The document without what people read only: what is left are the machine's rules.
Node rules_only(const Node& document) {
  Node out = document;
  for (auto name : {"version", "prev", "title"}) out.set(name, nullptr);
  if (Node* texts = out.find("authentic_texts"); texts != nullptr && texts->is_array())
    for (Node& t : texts->list())
      if (t.is_object()) t.set("sha256", nullptr).set("bytes", nullptr);
  if (Node* articles = out.find("articles"); articles != nullptr && articles->is_array())
    for (Node& a : articles->list())
      if (a.is_object()) a.set("title", nullptr);
  return out;
}

std::string pointer_part(std::string_view name) {
  std::string out;
  for (char c : name) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

// JSON pointers of what differs.
void differences(const Node& a, const Node& b, const std::string& at, std::vector<std::string>& out) {
  if (a.is_object() && b.is_object()) {
    for (const auto& [name, value] : a.members())
      if (const Node* other = b.find(name))
        differences(value, *other, at + "/" + pointer_part(name), out);
      else
        out.push_back(at + "/" + pointer_part(name));
    for (const auto& [name, value] : b.members())
      if (a.find(name) == nullptr) out.push_back(at + "/" + pointer_part(name));
  } else if (a.is_array() && b.is_array() && a.list().size() == b.list().size()) {
    for (size_t i = 0; i < a.list().size(); ++i)
      differences(a.list()[i], b.list()[i], fmt::format("{}/{}", at, i), out);
  } else if (a != b) {
    out.push_back(at);
  }
}

std::string wrong_step(const Document& from, const Document& to) {
  if (to.prev != from.hash || to.version != from.version + 1)
    return "its prev and version do not follow the text that this party accepted last";
  if (to.level != from.level) return "the level of an instrument does not change";
  std::set<std::string> a, b;
  for (const Party& p : from.parties) a.insert(p.party);
  for (const Party& p : to.parties) b.insert(p.party);
  return a == b ? "" : "parties change by accession and withdrawal, not by amendment";
}

std::string wrong_correction(const Document& from, const Document& to, const Node& body) {
  if (json::canonical(rules_only(from.node)) != json::canonical(rules_only(to.node)))
    return "changes the machine rules: that takes an amendment";
  const Node* list = body.find("corrected");
  if (list == nullptr || !list->is_array() || list->list().empty())
    return "names no corrected passages: {\"corrected\": [JSON pointers]}";
  std::vector<std::string> changed;
  differences(from.node, to.node, "", changed);
  for (const std::string& pointer : changed) {
    if (pointer == "/version" || pointer == "/prev") continue;
    const bool listed = std::any_of(list->list().begin(), list->list().end(), [&](const Node& p) {
      return p.is_string() && !p.string().empty() && (pointer == p.string() || pointer.starts_with(p.string() + "/"));
    });
    if (!listed) return fmt::format("corrects {} without saying so", printable(pointer));
  }
  return {};
}

}  // namespace

void Machine::amend(const Event& e, bool correction) {
  const std::string& party = e.act.act.party;
  auto& own = accepted_[party];
  const Document& to = text(e);
  // What nobody else accepted binds nobody yet: a party may turn to another text instead.
  if (!own.empty() && to.hash != own.back().text) {
    const bool alone = std::all_of(accepted_.begin(), accepted_.end(), [&](const auto& other) {
      return other.first == party || std::none_of(other.second.begin(), other.second.end(),
                                                  [&](const Accepted& a) { return a.text == own.back().text; });
    });
    if (alone && to.prev == ev_.texts.at(own.back().text).prev) own.pop_back();
  }
  auto newcomer = joined_.find(party);
  const std::string& last = !own.empty()                ? own.back().text
                            : newcomer != joined_.end() ? newcomer->second.texts.back()
                                                        : signed_text_;
  if (to.hash == last) return refuse(e, "this party has accepted that text already");
  const Document& from = ev_.texts.at(last);
  std::string why = wrong_step(from, to);
  if (why.empty() && correction) why = wrong_correction(from, to, e.act.act.body);
  if (!why.empty()) return refuse(e, std::move(why));
  own.push_back({to.hash, e.when, correction});
}

// When the party's step-th later text starts for it: its own acceptance and notification count, and of others only as
// many as the rule asks. Between two parties the later of both starts decides.
std::optional<Time> Machine::start_under(size_t step, const std::string& party) const {
  const Accepted& a = accepted_.at(party)[step];
  if (a.correction) return a.when;
  const Document& doc = ev_.texts.at(a.text);
  if (doc.start_rule == "on_last_signature") return add(a.when, doc.start_delay);
  if (doc.start_rule == "fixed_date") return std::max(add(doc.start_date.value_or(a.when), doc.start_delay), a.when);
  std::map<std::string, Time> notes;
  if (auto it = notified_.find(a.text); it != notified_.end())
    for (const auto& [who, t] : it->second)
      if (auto other = accepted_.find(who); other != accepted_.end())
        for (const Accepted& theirs : other->second)
          if (theirs.text == a.text) notes[who] = std::max(t, theirs.when);
  auto own = notes.find(party);
  if (own == notes.end()) return std::nullopt;
  Time start = own->second;
  if (doc.start_rule == "on_nth_notification") {
    if (notes.size() < static_cast<size_t>(doc.start_n)) return std::nullopt;
    std::vector<Time> times;
    for (const auto& [who, t] : notes) times.push_back(t);
    std::sort(times.begin(), times.end());
    start = std::max(start, times[static_cast<size_t>(doc.start_n) - 1]);
  }
  return add(start, doc.start_delay);
}

std::vector<std::string> Machine::path(const std::string& party, Time at) const {
  std::vector<std::string> out;
  auto newcomer = joined_.find(party);
  if (newcomer != joined_.end())
    out = newcomer->second.texts;
  else
    out.push_back(signed_text_);
  auto own = accepted_.find(party);
  if (own == accepted_.end()) return out;
  for (size_t i = 0; i < own->second.size(); ++i) {
    auto start = start_under(i, party);
    if (!start || at < *start) break;
    out.push_back(own->second[i].text);
  }
  return out;
}

std::string Machine::common(const std::string& a, const std::string& b, Time at) const {
  const auto x = path(a, at), y = path(b, at);
  size_t n = 0;
  while (n < x.size() && n < y.size() && x[n] == y[n]) ++n;
  return x[n == 0 ? 0 : n - 1];
}

// The text that all share, and those that some pairs have gone on to.
void Machine::share_texts(State& s, Time at) const {
  std::vector<std::string> all = members(at);
  if (all.empty()) all = members();
  std::vector<std::string> shared = path(all.front(), at);
  for (const auto& party : members()) s.path[party] = path(party, at);
  for (const auto& party : all) {
    const auto& other = s.path[party];
    size_t n = 0;
    while (n < shared.size() && n < other.size() && shared[n] == other[n]) ++n;
    shared.resize(std::max<size_t>(n, 1));
  }
  auto dressed = [&](const std::string& hash) {
    Document doc = ev_.texts.at(hash);
    for (const auto& [party, newcomer] : joined_)
      if (doc.party(party) == nullptr) doc.parties.push_back({party, party, {}, {}, {}});
    for (Party& p : doc.parties) p = block_of(p.party, doc, at);
    return doc;
  };
  s.document = dressed(shared.back());
  for (const auto& a : all)
    for (const auto& b : all) {
      if (a >= b) continue;
      const std::string hash = common(a, b, at);
      if (hash != s.document->hash && !s.later_texts.contains(hash))
        s.later_texts.emplace(hash, std::make_shared<const Document>(dressed(hash)));
    }
  // Who has not accepted what another accepted.
  for (const auto& [party, texts] : accepted_)
    for (const Accepted& a : texts)
      for (const auto& other : all) {
        auto theirs = accepted_.find(other);
        const bool has = theirs != accepted_.end() && std::any_of(theirs->second.begin(), theirs->second.end(),
                                                                  [&](const Accepted& x) { return x.text == a.text; });
        std::string line = fmt::format("acceptance of version {} ({}) by {}", ev_.texts.at(a.text).version,
                                       a.text.substr(0, 12), other);
        const bool came_later = joined_.contains(other) &&
                                std::find(joined_.at(other).texts.begin(), joined_.at(other).texts.end(), a.text) !=
                                    joined_.at(other).texts.end();
        if (!has && !came_later && std::find(s.waiting_for.begin(), s.waiting_for.end(), line) == s.waiting_for.end())
          s.waiting_for.push_back(std::move(line));
      }
}

}  // namespace entente::agreement::internal
