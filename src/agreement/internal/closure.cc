#include "agreement/internal/closure.h"

#include <algorithm>

#include <fmt/format.h>

#include "agreement/internal/stix_rules.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/uuid.h"
#include "stix/marking.h"

namespace entente::agreement::internal {
namespace {

size_t count_literal(std::string_view text, std::string_view what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

// A list that may be left out as a whole when nothing is left in it.
bool list_optional(const Facts& f, const Ref& r) {
  if (!r.top) return false;
  if (is_removable(f.type, r.property)) return true;
  return f.type == "malware-analysis" && r.property == "analysis_sco_refs" && f.has_result;
}

// network-traffic needs one of src_ref and dst_ref (STIX 2.1 §6.12).
bool is_traffic_end(const Facts& f, const Ref& r) {
  return r.top && f.type == "network-traffic" && (r.property == "src_ref" || r.property == "dst_ref");
}

}  // namespace

Closure::Closure(std::vector<Entry>& nodes, const IdIndex& groups, const std::vector<bool>& published,
                 std::string_view my_identity)
    : nodes_(nodes), groups_(groups), published_(published), my_identity_(my_identity) {
  index_members();
  for (const Entry& n : nodes_) changed_alone_.push_back(n.changed);
  fate_.assign(published.size(), Fate::kGone);
  new_id_.resize(published.size());
  for (size_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].alive && nodes_[i].changed) make_new_id(static_cast<uint32_t>(i));
  for (size_t g = 0; g < fate_.size(); ++g) update_group(static_cast<int32_t>(g));
}

void Closure::index_members() {
  group_of_.assign(nodes_.size(), -1);
  member_begin_.assign(published_.size() + 1, 0);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].original->valid) continue;
    group_of_[i] = nodes_[i].original->group;
    ++member_begin_[static_cast<size_t>(group_of_[i]) + 1];
  }
  for (size_t g = 1; g < member_begin_.size(); ++g) member_begin_[g] += member_begin_[g - 1];
  members_.resize(member_begin_.back());
  auto next = member_begin_;
  for (uint32_t i = 0; i < nodes_.size(); ++i)
    if (group_of_[i] >= 0) members_[next[static_cast<size_t>(group_of_[i])]++] = i;
}

void Closure::make_new_id(uint32_t i) {
  Entry& n = nodes_[i];
  if (!n.new_id.empty() || n.key.empty()) return;
  const Digest mac = hmac_sha256(n.key, n.original->id);
  n.new_id = std::string(n.original->type) + "--" + uuid_shaped(view(mac).substr(0, 16)).text();
}

void Closure::update_group(int32_t g) {
  const auto at = static_cast<size_t>(g);
  fate_[at] = Fate::kGone;
  if (published_[at]) {
    fate_[at] = Fate::kSame;
    return;
  }
  for (uint32_t i : members(at)) {
    const Entry& n = nodes_[i];
    if (n.known && !n.known_id.empty()) {  // what the recipient calls it is certain
      if (n.known_id == n.original->id) {
        fate_[at] = Fate::kSame;
        return;
      }
      fate_[at] = Fate::kChanged;
      new_id_[at] = n.known_id;
      return;
    }
    if (!n.alive) continue;
    if (!n.changed) {
      fate_[at] = Fate::kSame;
      return;
    }
    // Several versions under different instruments: one id for all, whatever their order.
    if (fate_[at] == Fate::kGone || n.new_id < new_id_[at]) new_id_[at] = n.new_id;
    fate_[at] = Fate::kChanged;
  }
}

void Closure::index_holders() {
  holder_begin_.assign(fate_.size() + 1, 0);
  auto each = [this](auto fn) {
    for (uint32_t i = 0; i < nodes_.size(); ++i)
      if (nodes_[i].alive)
        for (const Ref& r : nodes_[i].facts->refs)
          if (r.group >= 0) fn(static_cast<size_t>(r.group), i);
  };
  each([this](size_t g, uint32_t) { ++holder_begin_[g + 1]; });
  for (size_t g = 1; g < holder_begin_.size(); ++g) holder_begin_[g] += holder_begin_[g - 1];
  holders_.resize(holder_begin_.back());
  auto next = holder_begin_;
  each([&](size_t g, uint32_t i) { holders_[next[g]++] = i; });
}

void Closure::references(uint32_t i, Verdict& v, bool collect) const {
  const Facts& f = *nodes_[i].facts;
  auto fail = [&](std::string_view code, const Ref& r) {
    v.failures.push_back(
        {code, collect ? fmt::format("{} names an object that is not given: release that object first", r.property)
                       : std::string()});
  };
  size_t traffic_ends = 0, traffic_left = 0;
  uint32_t list = 0;
  size_t left = 0;
  size_t observables = 0, observables_left = 0;  // observed-data needs one (STIX 2.1 §4.14)
  const Ref* last = nullptr;
  auto close_list = [&] {
    const bool empty = left == 0 || (f.type == "observed-data" && observables > 0 && observables_left == 0);
    if (list != 0 && empty && !list_optional(f, *last)) fail("EMPTY_CONTAINER", *last);
    list = 0;
  };
  for (const Ref& r : f.refs) {
    if (r.list != list) close_list();
    const bool published = r.group < 0 && stix::tlp_of_id(r.id).has_value();
    const Fate fate = r.group >= 0 ? fate_[static_cast<size_t>(r.group)] : published ? Fate::kSame : Fate::kGone;
    switch (r.kind) {
      case RefKind::kMarking:
      case RefKind::kGranular:
        if (fate != Fate::kSame) fail("MARKING_NOT_RELEASABLE", r);
        break;
      case RefKind::kCreatedBy:
        if (fate == Fate::kSame || r.id == my_identity_) break;
        v.changed = true;
        if (my_identity_.empty() && !is_removable(f.type, r.property)) fail("REF_ENDPOINT_WITHHELD", r);
        break;
      case RefKind::kSingle:
        traffic_ends += is_traffic_end(f, r);
        traffic_left += is_traffic_end(f, r) && fate != Fate::kGone;
        if (fate != Fate::kSame) v.changed = true;
        if (fate == Fate::kGone && !is_traffic_end(f, r) && !(r.top && is_removable(f.type, r.property)))
          fail("REF_ENDPOINT_WITHHELD", r);
        break;
      case RefKind::kList:
        if (r.list != list) {
          list = r.list;
          left = observables = observables_left = 0;
        }
        last = &r;
        left += fate != Fate::kGone;
        if (r.top && f.type == "observed-data" && may_be_observable(r.id.substr(0, r.id.find("--")))) {
          ++observables;
          observables_left += fate != Fate::kGone;
        }
        if (fate != Fate::kSame) v.changed = true;
        break;
    }
    if (!collect && !v.failures.empty()) return;
  }
  close_list();
  if (traffic_ends > 0 && traffic_left == 0)
    v.failures.push_back({"REF_ENDPOINT_WITHHELD", "neither end of the traffic is given"});
}

Closure::Bearers& Closure::bearers_of(uint32_t token, std::string_view type) {
  auto& all = tokens_[token].bearers;
  auto it = std::find_if(all.begin(), all.end(), [type](const Bearers& b) { return b.type == type; });
  return it != all.end() ? *it : all.emplace_back(Bearers{type, 0, 0, 0});
}

bool Closure::speaks_of_gone(uint32_t token, uint32_t carrier) const {
  const Token& t = tokens_[token];
  if (t.stripped) return true;
  const auto& own = token_of_node_[carrier];
  const Entry& c = nodes_[carrier];
  // What it says of itself is no mention; for one that is already out (failures()) its own entry is put back.
  const bool own_gone = !c.alive && std::find(own.begin(), own.end(), token) != own.end();
  return std::any_of(t.bearers.begin(), t.bearers.end(), [&](const Bearers& b) {
    const uint32_t self = own_gone && b.type == c.original->type ? 1 : 0;
    if (b.victims_gone > (c.victim ? self : 0))
      return true;  // a victim is not to be named because another bears the name
    return b.gone > self && b.open + self == 0;
  });
}

void Closure::texts(uint32_t i, Verdict& v, bool collect) const {
  if (!scanned_) return;
  auto fail = [&](std::string_view what) {
    v.failures.push_back({"TEXT_MENTIONS_WITHHELD",
                          collect ? fmt::format("its text mentions {}: change the text", what) : std::string()});
  };
  if (auto it = ids_in_.find(i); it != ids_in_.end()) {
    for (const auto& [group, hidden] : it->second) {
      const Fate fate = fate_[static_cast<size_t>(group)];
      if (fate == Fate::kGone)
        fail("the id of an object that is not given");
      else if (fate == Fate::kChanged && hidden)
        fail("the id of a redacted object in a form that cannot be rewritten");
      else if (fate == Fate::kChanged)
        v.changed = true;
    }
  }
  for (uint32_t t : token_in_carrier_[i])
    if (speaks_of_gone(t, i)) fail("a name or value of an object that is not given");
}

Closure::Verdict Closure::examine(uint32_t i, bool collect) const {
  Verdict v;
  // The reasons are those of the end: what it would have had to be changed for in between depends on who went first.
  v.changed = collect ? changed_alone_[i] : nodes_[i].changed;
  references(i, v, collect);
  texts(i, v, collect);
  if (v.changed && nodes_[i].key.empty())
    v.failures.push_back(
        {"REVIEW_REQUIRED",
         "it would have to be changed, but there is no pseudonym key for the agreement: configure one"});
  return v;
}

void Closure::settle(std::vector<uint32_t> queue) {
  std::vector<bool> queued(nodes_.size(), false);
  for (uint32_t i : queue) queued[i] = true;
  auto push = [&](uint32_t i) {
    if (nodes_[i].alive && !queued[i]) {
      queued[i] = true;
      queue.push_back(i);
    }
  };
  while (!queue.empty()) {
    const uint32_t i = queue.back();
    queue.pop_back();
    queued[i] = false;
    Entry& n = nodes_[i];
    if (!n.alive) continue;
    const Verdict v = examine(i, false);
    const bool dies = !v.failures.empty();
    if (!dies && v.changed == n.changed) continue;
    n.alive = !dies;
    n.changed = v.changed;
    if (n.alive) make_new_id(i);
    const int32_t g = group_of_[i];
    const Fate before = fate_[static_cast<size_t>(g)];
    update_group(g);
    if (fate_[static_cast<size_t>(g)] != before) {
      for (uint32_t k = holder_begin_[static_cast<size_t>(g)]; k < holder_begin_[static_cast<size_t>(g) + 1]; ++k)
        push(holders_[k]);
      if (auto it = id_mentions_.find(g); it != id_mentions_.end())
        for (const Mention& m : it->second) push(m.carrier);
    }
    if (dies && scanned_)
      for (uint32_t t : token_of_node_[i]) {
        if (!reads_whole(n)) {
          Bearers& b = bearers_of(t, n.original->type);
          --b.open;
          ++b.gone;
          b.victims_gone += n.victim;
        }
        for (uint32_t carrier : tokens_[t].carriers) push(carrier);
      }
  }
}

// What was taken out of an object that is given is not said by it.
bool Closure::says(const Entry& n, std::string_view text) {
  return !n.alive || std::find(n.stripped.begin(), n.stripped.end(), text) == n.stripped.end();
}

// A name that may not be told any more. `stripped`: it was taken out of an object, not borne by one that is gone.
void Closure::look_for(std::string_view text, bool stripped, LeakScanner& scanner) {
  text = core_of(text);
  std::string plain = folded(text);
  if (plain.size() < LeakScanner::kMinBytes || is_standard_word(plain)) return;
  const bool inside_words = stripped && plain.size() >= 6;  // a shorter one would be found everywhere
  auto [it, fresh] = numbers_.emplace(std::move(plain), static_cast<uint32_t>(tokens_.size()));
  if (fresh) tokens_.emplace_back();
  Token& token = tokens_[it->second];
  token.stripped |= stripped;
  // Each spelling by itself: in base64 they differ.
  auto spelling = std::pair(std::string(text), inside_words);
  if (std::ranges::find(token.spellings, spelling) != token.spellings.end()) return;
  scanner.add(text, it->second, !inside_words);
  token.spellings.push_back(std::move(spelling));
}

// Who bears the names from number `first` on: what the recipient reads by right elsewhere is no secret.
void Closure::find_bearers(uint32_t first) {
  std::string plain;
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    const Entry& n = nodes_[i];
    if (!named(n)) continue;
    for (std::string_view text : n.original->telling) {
      plain = core_of(text);
      fold(plain);
      const auto it = numbers_.find(plain);
      if (it == numbers_.end() || it->second < first || !says(n, text)) continue;
      auto& own = token_of_node_[i];
      if (std::find(own.begin(), own.end(), it->second) != own.end()) continue;
      own.push_back(it->second);
      Bearers& b = bearers_of(it->second, n.original->type);
      const bool open = n.alive || reads_whole(n);
      ++(open ? b.open : b.gone);
      b.victims_gone += !open && n.victim;
    }
  }
}

// Searches the texts for what may not be named since the last time: ids of what is gone or has a new id, names and
// values of what is gone, values that were taken out. Returns the objects in which something was found. `all`: as if
// everything were gone, so that no further round is needed.
std::vector<uint32_t> Closure::find_mentions(bool all) {
  LeakScanner scanner;
  const auto first = static_cast<uint32_t>(tokens_.size());
  bool any = false;
  for (size_t g = 0; g < fate_.size(); ++g) {
    if (looked_for_[g] || published_[g] || members(g).empty() || (fate_[g] == Fate::kSame && !all)) continue;
    looked_for_[g] = any = true;
    scanner.add(nodes_[members(g).front()].original->id, static_cast<uint32_t>(g), false);
  }
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    const Entry& n = nodes_[i];
    if (!named(n)) continue;
    const bool gone = !n.alive && !reads_whole(n);
    if ((gone || all) && !names_looked_for_[i]) {
      names_looked_for_[i] = any = true;
      for (std::string_view text : n.original->telling)
        if (says(n, text)) look_for(text, false, scanner);
    }
    // Whoever has the whole object under its own id knows what is taken out for others.
    if (scanned_ || n.stripped.empty() || reads_whole(n)) continue;
    any = true;
    for (const std::string& text : n.stripped) look_for(text, true, scanner);
  }
  if (!any) return {};
  if (first < tokens_.size()) find_bearers(first);
  scanner.compile();
  std::vector<uint32_t> carriers;
  Tally tally{{}, std::vector<uint32_t>(tokens_.size(), 0), std::vector<uint32_t>(tokens_.size(), 0)};
  const LeakScanner::Found count = [&tally](uint32_t token, bool is_plain) {
    if (tally.plain[token] == 0 && tally.hidden[token] == 0) tally.found.push_back(token);
    ++(is_plain ? tally.plain : tally.hidden)[token];
  };
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    if (!passed_[i] || nodes_[i].known) continue;
    scanner.scan(nodes_[i].text, count);
    if (!tally.found.empty() && read_mentions(i, tally)) carriers.push_back(i);
  }
  scanned_ = true;
  return carriers;
}

// What the search found in one text, and whether it matters.
bool Closure::read_mentions(uint32_t i, Tally& tally) {
  const Entry& n = nodes_[i];
  auto& [found, plain, hidden] = tally;
  std::sort(found.begin(), found.end());
  const auto own = static_cast<uint32_t>(group_of_[i]);
  bool any = false;
  for (uint32_t t : found) {
    if (t < fate_.size()) {  // an id: does it stand anywhere but in references?
      size_t refs = t == own ? 1 : 0;
      for (const Ref& r : n.facts->refs) refs += r.group == static_cast<int32_t>(t);
      const size_t exact = plain[t] > refs ? count_literal(n.text, nodes_[members(t).front()].original->id) : plain[t];
      const bool is_hidden = hidden[t] > 0 || plain[t] > exact;
      if (is_hidden || exact > refs) {
        id_mentions_[static_cast<int32_t>(t)].push_back({i, is_hidden});
        ids_in_[i].emplace_back(static_cast<int32_t>(t), is_hidden);
        any = true;
      }
    } else if (!speaks_of_itself_alone(i, t)) {
      auto& seen = token_in_carrier_[i];
      if (std::find(seen.begin(), seen.end(), t) == seen.end()) {
        tokens_[t].carriers.push_back(i);
        seen.push_back(t);
      }
      any = true;
    }
    plain[t] = hidden[t] = 0;
  }
  found.clear();
  return any;
}

// Most objects do: nothing to watch.
bool Closure::speaks_of_itself_alone(uint32_t i, uint32_t token) const {
  const Token& t = tokens_[token];
  const auto& mine = token_of_node_[i];
  return !t.stripped && t.bearers.size() == 1 && t.bearers[0].open + t.bearers[0].gone == 1 &&
         std::find(mine.begin(), mine.end(), token) != mine.end();
}

void Closure::run() {
  index_holders();
  for (const Entry& n : nodes_) passed_.push_back(n.alive);
  std::vector<uint32_t> all;
  bool quiet = true;
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].alive)
      all.push_back(i);
    else if (!reads_whole(nodes_[i]))
      quiet = false;
    if (!nodes_[i].stripped.empty()) quiet = false;
  }
  settle(all);
  for (const Entry& n : nodes_) quiet = quiet && (reads_whole(n) || (n.alive && (n.known || !n.changed)));
  for (size_t g = 0; g < fate_.size(); ++g) quiet = quiet && (members(g).empty() || fate_[g] == Fate::kSame);
  if (quiet) return;  // nothing is missing anywhere, so nothing can be given away
  // Ids first: token number = group number.
  tokens_.resize(fate_.size());
  token_of_node_.resize(nodes_.size());
  token_in_carrier_.resize(nodes_.size());
  looked_for_.assign(fate_.size(), false);
  names_looked_for_.assign(nodes_.size(), false);
  // What goes for a text may be named in another text: again, but for long chains only a few times.
  constexpr int kRounds = 3;
  for (int round = 0;; ++round) {
    std::vector<uint32_t> carriers = find_mentions(round == kRounds);
    if (carriers.empty()) break;
    settle(std::move(carriers));
    if (round == kRounds) break;
  }
  for (auto& [carrier, ids] : ids_in_) std::sort(ids.begin(), ids.end());
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].alive) continue;
    if (auto it = ids_in_.find(i); it != ids_in_.end())
      for (const auto& [group, is_hidden] : it->second)
        if (fate_[static_cast<size_t>(group)] == Fate::kChanged)
          nodes_[i].mentions.emplace_back(nodes_[members(static_cast<size_t>(group)).front()].original->id,
                                          new_id_[static_cast<size_t>(group)]);
    std::sort(nodes_[i].mentions.begin(), nodes_[i].mentions.end());
  }
}

std::vector<Failure> Closure::failures(size_t i) const {
  auto all = examine(static_cast<uint32_t>(i), true).failures;
  // One reason per code and note; their order is that of the object's own text.
  std::vector<Failure> out;
  for (Failure& f : all)
    if (std::none_of(out.begin(), out.end(), [&f](const Failure& o) { return o.code == f.code && o.note == f.note; }))
      out.push_back(std::move(f));
  return out;
}

std::optional<std::string_view> Closure::resolve(std::string_view id) const {
  const int32_t g = groups_.find(id);
  if (g < 0) return stix::tlp_of_id(id) ? std::optional(id) : std::nullopt;
  switch (fate_[static_cast<size_t>(g)]) {
    case Fate::kSame:
      return id;
    case Fate::kChanged:
      return new_id_[static_cast<size_t>(g)];
    case Fate::kGone:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace entente::agreement::internal
