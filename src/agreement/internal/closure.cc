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

Closure::Closure(std::vector<Entry>& nodes, const std::unordered_map<std::string_view, int32_t>& groups,
                 const std::vector<bool>& published, std::string_view my_identity)
    : nodes_(nodes), groups_(groups), published_(published), my_identity_(my_identity) {
  members_.resize(published.size());
  for (uint32_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].original->valid) members_[static_cast<size_t>(groups_.at(nodes_[i].original->id))].push_back(i);
  fate_.assign(members_.size(), Fate::kGone);
  new_id_.resize(members_.size());
  for (size_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].alive && nodes_[i].changed) make_new_id(static_cast<uint32_t>(i));
  for (size_t g = 0; g < members_.size(); ++g) update_group(static_cast<int32_t>(g));
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
  for (uint32_t i : members_[at]) {
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
  holder_begin_.assign(members_.size() + 1, 0);
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
        if (r.top && f.type == "observed-data" && is_sco_type(r.id.substr(0, r.id.find("--")))) {
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
  v.changed = nodes_[i].changed;
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
    const int32_t g = groups_.at(n.original->id);
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
        if (!n.known) {
          Bearers& b = bearers_of(t, n.original->type);
          --b.open;
          ++b.gone;
          b.victims_gone += n.victim;
        }
        for (uint32_t carrier : tokens_[t].carriers) push(carrier);
      }
  }
}

void Closure::find_mentions() {
  LeakScanner scanner;
  std::unordered_map<std::string, uint32_t> numbers;
  token_of_node_.resize(nodes_.size());
  token_in_carrier_.resize(nodes_.size());
  // Ids first: token number = group number.
  tokens_.resize(members_.size());
  for (size_t g = 0; g < members_.size(); ++g)
    if (!published_[g] && !members_[g].empty())
      scanner.add(nodes_[members_[g].front()].original->id, static_cast<uint32_t>(g), false);
  auto add = [&](uint32_t node, std::string_view text, bool stripped) {
    std::string plain = folded(text);
    if (plain.size() < LeakScanner::kMinBytes || is_standard_word(plain)) return;
    auto [it, fresh] = numbers.emplace(std::move(plain), static_cast<uint32_t>(tokens_.size()));
    if (fresh) {
      tokens_.emplace_back();
      // A stripped value is looked for inside words too, unless it is so short that it would be found everywhere.
      scanner.add(text, it->second, !stripped || it->first.size() < 6);
    } else if (stripped && it->first.size() >= 6) {
      scanner.add(text, it->second, false);
    }
    if (stripped) {
      tokens_[it->second].stripped = true;
      return;
    }
    auto& own = token_of_node_[node];
    if (std::find(own.begin(), own.end(), it->second) != own.end()) return;
    own.push_back(it->second);
    const Entry& n = nodes_[node];
    Bearers& b = bearers_of(it->second, n.original->type);
    const bool open = n.alive || n.known;
    ++(open ? b.open : b.gone);
    b.victims_gone += !open && n.victim;
  };
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    const Entry& n = nodes_[i];
    if (!n.original->valid || published_[static_cast<size_t>(groups_.at(n.original->id))]) continue;
    for (std::string_view text : n.original->telling) {
      // What was taken out of an object that is given is not said by it.
      const bool still = !n.alive || std::find(n.stripped.begin(), n.stripped.end(), text) == n.stripped.end();
      if (still) add(i, text, false);
    }
    // Whoever has the whole object under its own id knows what is taken out for others.
    if (n.known && n.known_id == n.original->id) continue;
    for (const std::string& text : n.stripped) add(i, text, true);
  }
  scanner.compile();
  std::vector<uint32_t> plain(tokens_.size(), 0), hidden(tokens_.size(), 0);
  for (uint32_t i = 0; i < nodes_.size(); ++i)
    if (passed_[i] && !nodes_[i].known) read_mentions(i, scanner, plain, hidden);
  scanned_ = true;
}

void Closure::read_mentions(uint32_t i, const LeakScanner& scanner, std::vector<uint32_t>& plain,
                            std::vector<uint32_t>& hidden) {
  const Entry& n = nodes_[i];
  std::vector<uint32_t> found;
  scanner.scan(n.text, [&](uint32_t token, bool is_plain) {
    if (plain[token] == 0 && hidden[token] == 0) found.push_back(token);
    ++(is_plain ? plain : hidden)[token];
  });
  std::sort(found.begin(), found.end());
  const auto own = static_cast<uint32_t>(groups_.at(n.original->id));
  for (uint32_t t : found) {
    if (t < members_.size()) {  // an id: does it stand anywhere but in references?
      size_t refs = t == own ? 1 : 0;
      for (const Ref& r : n.facts->refs) refs += r.group == static_cast<int32_t>(t);
      const size_t exact = plain[t] > refs ? count_literal(n.text, nodes_[members_[t].front()].original->id) : plain[t];
      const bool is_hidden = hidden[t] > 0 || plain[t] > exact;
      if (is_hidden || exact > refs) {
        id_mentions_[static_cast<int32_t>(t)].push_back({i, is_hidden});
        ids_in_[i].emplace_back(static_cast<int32_t>(t), is_hidden);
      }
    } else {
      // Most objects speak of themselves alone: nothing to watch.
      const Token& token = tokens_[t];
      const auto& mine = token_of_node_[i];
      const bool only_own = !token.stripped && token.bearers.size() == 1 &&
                            token.bearers[0].open + token.bearers[0].gone == 1 &&
                            std::find(mine.begin(), mine.end(), t) != mine.end();
      if (!only_own) {
        tokens_[t].carriers.push_back(i);
        token_in_carrier_[i].push_back(t);
      }
    }
    plain[t] = hidden[t] = 0;
  }
}

void Closure::run() {
  index_holders();
  for (const Entry& n : nodes_) passed_.push_back(n.alive);
  std::vector<uint32_t> all;
  bool quiet = true;
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].alive)
      all.push_back(i);
    else if (!nodes_[i].known)
      quiet = false;
    if (!nodes_[i].stripped.empty()) quiet = false;
  }
  settle(all);
  for (const Entry& n : nodes_) quiet = quiet && (n.known || (n.alive && !n.changed));
  for (size_t g = 0; g < fate_.size(); ++g) quiet = quiet && (members_[g].empty() || fate_[g] == Fate::kSame);
  if (quiet) return;  // nothing is missing anywhere, so nothing can be given away
  find_mentions();
  settle(std::move(all));
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].alive) continue;
    if (auto it = ids_in_.find(i); it != ids_in_.end())
      for (const auto& [group, is_hidden] : it->second)
        if (fate_[static_cast<size_t>(group)] == Fate::kChanged)
          nodes_[i].mentions.emplace_back(nodes_[members_[static_cast<size_t>(group)].front()].original->id,
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
  auto it = groups_.find(id);
  if (it == groups_.end()) return stix::tlp_of_id(id) ? std::optional(id) : std::nullopt;
  switch (fate_[static_cast<size_t>(it->second)]) {
    case Fate::kSame:
      return id;
    case Fate::kChanged:
      return new_id_[static_cast<size_t>(it->second)];
    case Fate::kGone:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace entente::agreement::internal
