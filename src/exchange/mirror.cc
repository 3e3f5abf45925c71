#include "exchange/mirror.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/names.h"
#include "exchange/witnessing.h"
#include "json/node.h"
#include "ledger/leaf.h"

namespace entente::exchange {
namespace {

constexpr uint64_t kBundle = 256;
constexpr int kBundleLevel = 8;
constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kSkewUs = 900 * kSecondUs;      // how far a leaf's time may lie outside of when it came to be seen
constexpr int64_t kUnprovenUs = 600 * kSecondUs;  // a release must be in its sender's ledger after so long
constexpr int64_t kGossipUs = 30 * kSecondUs;
constexpr int64_t kDayUs = 86'400 * kSecondUs;

std::string pair_key(std::string_view agreement_id, std::string_view peer) {
  return std::string(agreement_id) + " " + std::string(peer);
}
// The same head under more signatures.
bool more_lines(std::string_view note, std::string_view before) {
  return note != before && std::ranges::count(note, '\n') > std::ranges::count(before, '\n');
}
std::string sequence_of(std::string_view agreement_id, std::string_view peer) {
  return "mirror/" + bare_uuid(agreement_id) + "/" + std::string(peer);
}

}  // namespace

Mirrors::Mirrors(Context& context, Instruments& instruments, Evidence& evidence)
    : cx_(context), instruments_(instruments), evidence_(evidence) {
  for (const auto& c : conflicts()) {
    MirrorHealth& h = health_[pair_key(c.agreement, c.peer)];
    h.conflict = true;
    h.problem = c.problem;
  }
}

void Mirrors::Tree::add(const ledger::Hash& leaf) {
  edge.add(leaf);
  bundle.add(leaf);
  if (bundle.size() < kBundle) return;
  bundles.push_back(bundle.root());
  bundle = {};
}

std::shared_ptr<Mirrors::Copy> Mirrors::copy_of(const std::string& key) {
  const std::lock_guard lock(mutex_);
  auto& c = copies_[key];
  if (!c) c = std::make_shared<Copy>();
  return c;
}

std::vector<PublicKey> Mirrors::log_keys(const agreement::State& state, const std::string& party) const {
  const agreement::Party* p = state.document->party(party);
  return p == nullptr ? std::vector<PublicKey>{} : keys_of(*p, agreement::KeyRole::kLog, cx_.clock.now());
}

MirrorHealth Mirrors::health(const std::string& agreement_id, const std::string& peer) const {
  const std::lock_guard lock(mutex_);
  const auto it = health_.find(pair_key(agreement_id, peer));
  return it == health_.end() ? MirrorHealth{} : it->second;
}

std::string Mirrors::obstacle(const std::string& agreement_id, const std::string& peer) const {
  const MirrorHealth h = health(agreement_id, peer);
  if (!h.conflict) return {};
  return "the ledger of " + peer + " contradicts itself (" + h.problem +
         "): only recalls and receipts go to it until a person settles it, with 'entente ledger settle'";
}

std::vector<Conflict> Mirrors::conflicts() const {
  std::vector<Conflict> out;
  const auto all = cx_.store.all("conflict");
  if (!all.ok()) return out;
  for (const auto& [key, value] : *all) {
    const auto doc = json::parse(value);
    if (!doc.ok()) continue;
    Conflict c;
    const auto text = [&](const char* name) { return std::string(json::find_string(doc->root(), name).value_or("")); };
    c.agreement = text("agreement");
    c.peer = text("peer");
    c.problem = text("problem");
    c.earlier = text("earlier");
    c.later = text("later");
    if (const auto at = parse_time(text("at")); at.ok()) c.at = *at;
    out.push_back(std::move(c));
  }
  return out;
}

Status Mirrors::accuse(const std::string& agreement_id, const std::string& peer, std::string problem,
                       const std::string& earlier, const std::string& later) {
  const std::string key = pair_key(agreement_id, peer);
  {
    const std::lock_guard lock(mutex_);
    MirrorHealth& h = health_[key];
    if (!h.conflict) h.problem = problem;
    h.conflict = true;
  }
  auto tx = evidence_.begin();
  // What is kept decides, not what is remembered: a full disk must not make this the last time that it is tried.
  if (!cx_.store.get("conflict", key).ok()) {
    say_error("CONFLICT in the ledger of {} under {}: {}", peer, agreement_id, problem);
    const auto state = instruments_.state(agreement_id);
    json::Node n = json::Node::object();
    n.set("agreement", agreement_id)
        .set("peer", peer)
        .set("problem", problem)
        .set("at", to_text(cx_.clock.now()))
        .set("earlier", earlier)
        .set("later", later);
    tx.change.set("conflict", key, json::write(n));
    TRY([[maybe_unused]] const auto leaf,
        tx.add_kept_leaf(agreement_id, state && state->document ? state->document->hash : std::string(), "conflict",
                         peer, json::canonical(n)));
    auto done = std::move(tx).commit();
    if (!done.ok()) return std::move(done).error();
  }
  return make_error(ErrorKind::kCorrupt, std::move(problem), key,
                    "both heads are kept: they are the evidence; open the differences procedure");
}

Status Mirrors::settle(const std::string& agreement_id, const std::string& peer, std::string_view reason) {
  const std::string key = pair_key(agreement_id, peer);
  if (auto have = cx_.store.get("conflict", key); !have.ok())
    return make_error(ErrorKind::kNotFound, "there is no conflict in this ledger", key);
  const auto state = instruments_.state(agreement_id);
  json::Node n = json::Node::object();
  n.set("agreement", agreement_id).set("peer", peer).set("settled", printable(reason, 500));
  n.set("at", to_text(cx_.clock.now()));
  auto tx = evidence_.begin();
  tx.change.erase("conflict", key);
  TRY([[maybe_unused]] const auto leaf,
      tx.add_kept_leaf(agreement_id, state && state->document ? state->document->hash : std::string(), "settlement",
                       peer, json::canonical(n)));
  auto done = std::move(tx).commit();
  if (!done.ok()) return std::move(done).error();
  const std::lock_guard lock(mutex_);
  health_[key].conflict = false;
  health_[key].problem.clear();
  return {};
}

// Rebuilds the tree of our copy, after a start.
Status Mirrors::load(const std::string& agreement_id, const std::string& peer, Copy& copy, uint64_t size) const {
  const std::string sequence = sequence_of(agreement_id, peer);
  if (copy.tree.edge.size() > size) copy.tree = {};
  for (uint64_t i = copy.tree.edge.size(); i < size;) {
    TRY(const auto old, cx_.store.read(sequence, i, 4096));
    if (old.empty()) return make_error(ErrorKind::kCorrupt, "our copy of the partner's ledger has a gap", sequence);
    for (const auto& e : old) copy.tree.add(ledger::leaf_hash(e));
    copy.prev = sha256_hex(old.back());
    i += old.size();
  }
  if (copy.note.empty()) {
    if (auto note = cx_.store.get("mirror-checkpoint", pair_key(agreement_id, peer)); note.ok()) copy.note = *note;
  }
  return {};
}

Result<ledger::Hash> Mirrors::node_at(const std::string& agreement_id, const std::string& peer, const Tree& tree,
                                      uint64_t level, uint64_t index) const {
  if (level >= kBundleLevel) {
    const uint64_t count = uint64_t{1} << (level - kBundleLevel);
    const uint64_t first = index * count;
    if (first + count > tree.bundles.size()) return make_error(ErrorKind::kInternal, "no such subtree in our copy");
    return ledger::root_of(std::span(tree.bundles).subspan(first, count));
  }
  const uint64_t count = uint64_t{1} << level;
  TRY(const auto entries, cx_.store.read(sequence_of(agreement_id, peer), index * count, count));
  if (entries.size() != count) return make_error(ErrorKind::kInternal, "no such subtree in our copy");
  std::vector<ledger::Hash> hashes;
  for (const auto& e : entries) hashes.push_back(ledger::leaf_hash(e));
  return ledger::root_of(hashes);
}

Result<ledger::Hash> Mirrors::root_at(const std::string& agreement_id, const std::string& peer, const Copy& copy,
                                      uint64_t size) const {
  std::optional<Error> failure;
  const ledger::Hash root = ledger::root_at(size, [&](uint64_t level, uint64_t index) -> ledger::Hash {
    auto h = node_at(agreement_id, peer, copy.tree, level, index);
    if (h.ok()) return *h;
    if (!failure) failure = h.error();
    return {};
  });
  if (failure) return *std::move(failure);
  return root;
}

Result<ledger::Proof> Mirrors::prove(
    const std::string& agreement_id, const std::string& peer, uint64_t size,
    const std::function<ledger::Proof(const std::function<ledger::Hash(uint64_t, uint64_t)>&)>& build) {
  const auto copy = copy_of(pair_key(agreement_id, peer));
  const std::lock_guard lock(copy->mutex);
  const uint64_t have = cx_.store.length(sequence_of(agreement_id, peer));
  if (size > have) return make_error(ErrorKind::kNotFound, "our copy of this ledger does not go so far", peer);
  CHECK_OK(load(agreement_id, peer, *copy, have));
  std::optional<Error> failure;
  ledger::Proof proof = build([&](uint64_t level, uint64_t index) -> ledger::Hash {
    auto h = node_at(agreement_id, peer, copy->tree, level, index);
    if (h.ok()) return *h;
    if (!failure) failure = h.error();
    return {};
  });
  if (failure) return *std::move(failure);
  return proof;
}

Result<ledger::Proof> Mirrors::inclusion(const std::string& agreement_id, const std::string& peer, uint64_t index,
                                         uint64_t size) {
  if (index >= size) return make_error(ErrorKind::kNotFound, "our copy of this ledger does not go so far", peer);
  return prove(agreement_id, peer, size, [&](const auto& node) { return ledger::inclusion_proof(index, size, node); });
}

Result<ledger::Proof> Mirrors::consistency(const std::string& agreement_id, const std::string& peer, uint64_t old_size,
                                           uint64_t size) {
  return prove(agreement_id, peer, size,
               [&](const auto& node) { return ledger::consistency_proof(old_size, size, node); });
}

Status Mirrors::compare(const std::string& agreement_id, const std::string& party, std::string_view note,
                        const std::string& seen_by) {
  const auto state = instruments_.state(agreement_id);
  if (!state || !state->document) return {};
  const std::string origin = ledger_origin(party, agreement_id);
  std::optional<ledger::Checkpoint> head;
  for (const auto& k : log_keys(*state, party)) {
    if (auto c = ledger::open_checkpoint(note, origin, k); c.ok()) head = *std::move(c);
  }
  // What the party did not sign proves nothing, whoever shows it.
  if (!head) return make_error(ErrorKind::kDenied, "the head that was shown is not signed by its party", seen_by);
  if (party == cx_.config.party) {
    const auto mine = evidence_.head(agreement_id);
    const auto root = mine && head->size <= mine->entries ? evidence_.root_at(agreement_id, head->size)
                                                          : Result<ledger::Hash>(ledger::Hash{});
    if (root.ok() && *root == head->root) return {};
    say_error(
        "{} shows a head of {} entries of our own ledger, signed with its log key, that is not its history: the key {} "
        "is in other hands, or this ledger was set back; revoke the key",
        seen_by, head->size, cx_.config.log_kid);
    return make_error(ErrorKind::kCorrupt, "somebody signs for our ledger", origin);
  }
  const std::string key = pair_key(agreement_id, party);
  const auto copy = copy_of(key);
  const std::lock_guard one(copy->mutex);
  const uint64_t have = cx_.store.length(sequence_of(agreement_id, party));
  if (head->size > have) return {};  // ours is behind: it is compared when it has come so far
  CHECK_OK(load(agreement_id, party, *copy, have));
  TRY(const ledger::Hash root, root_at(agreement_id, party, *copy, head->size));
  if (root == head->root) return {};
  return accuse(agreement_id, party,
                fmt::format("split view: {} was shown another history of {} entries than we were", seen_by, head->size),
                copy->note, std::string(note));
}

std::string Mirrors::seen(const agreement::State& state) const {
  json::Node heads = json::Node::array();
  for (const auto& p : state.document->parties) {
    if (p.party == cx_.config.party) continue;
    auto note = cx_.store.get("mirror-checkpoint", pair_key(state.agreement_id, p.party));
    if (!note.ok()) continue;
    heads.push(json::Node::object().set("party", p.party).set("head", *note));
  }
  return json::write(json::Node::object().set("heads", std::move(heads)));
}

// What the partner saw of the others' ledgers, and of ours.
Status Mirrors::gossip(taxii::Client& client, const std::string& peer, const agreement::State& state) {
  TRY(const net::Response got, client.get("/ledger/" + bare_uuid(state.agreement_id) + "/seen", "application/json"));
  if (got.status == 404) return {};
  if (got.status != 200)
    return make_error(ErrorKind::kUnavailable,
                      "what the partner saw could not be read: HTTP " + std::to_string(got.status));
  TRY(const json::Document doc, json::parse(got.body));
  const auto heads = json::find_array(doc.root(), "heads");
  if (!heads) return {};
  Status worst;
  for (const json::Value h : *heads) {
    const std::string party(json::find_string(h, "party").value_or(""));
    if (party == peer || state.document->party(party) == nullptr) continue;
    if (Status s = compare(state.agreement_id, party, json::find_string(h, "head").value_or(""), peer);
        !s.ok() && s.error().kind == ErrorKind::kCorrupt)
      worst = s;
  }
  return worst;
}

// A head that nobody has cosigned lately may be an old one: told, and no more than that, since witnesses may be away.
// The newest head of a busy ledger bears no cosignature yet, so the newest cosigned one is asked for when it matters.
Status Mirrors::look_at_age(taxii::Client& client, const std::string& peer, const agreement::State& state, Copy& copy,
                            const std::vector<ledger::Cosignature>& newest) {
  const auto most = max_checkpoint_age(*state.document);
  const Time now = cx_.clock.now();
  const std::string key = pair_key(state.agreement_id, peer);
  std::optional<Time> at;
  {
    const std::lock_guard lock(mutex_);
    at = health_[key].cosigned_at;
  }
  // Whose ledger it is says nothing new by cosigning it.
  const auto take = [&](const ledger::Cosignature& c) {
    if (!c.name.starts_with(peer + "/")) at = std::max(at.value_or(c.at), c.at);
  };
  std::ranges::for_each(newest, take);
  if (most && (!at || add(*at, *most).us - now.us < (add(Time{0}, *most).us / 2))) {
    TRY(const net::Response got,
        client.get("/ledger/" + bare_uuid(state.agreement_id) + "/checkpoint.cosigned", "text/plain"));
    const auto lines = got.status == 200 ? ledger::cosignatures(got.body, witness_keys(*state.document, now))
                                         : Result<std::vector<ledger::Cosignature>>(std::vector<ledger::Cosignature>{});
    std::optional<ledger::Checkpoint> head;
    for (const auto& k : log_keys(state, peer)) {
      if (auto c = ledger::open_checkpoint(got.body, ledger_origin(peer, state.agreement_id), k); c.ok())
        head = *std::move(c);
    }
    std::optional<Result<ledger::Hash>> root;
    std::string newest_note;
    if (head && lines.ok()) {
      const std::lock_guard lock(copy.mutex);
      if (head->size <= copy.tree.edge.size()) root = root_at(state.agreement_id, peer, copy, head->size);
      newest_note = copy.note;
    }
    if (root) {
      if (!root->ok()) return root->error();
      if (**root != head->root)
        return accuse(state.agreement_id, peer,
                      fmt::format("its cosigned head of {} entries is of another history than its newest", head->size),
                      newest_note, got.body);
      std::ranges::for_each(*lines, take);
    }
  }
  const bool stale = most && at && add(*at, *most).plus_us(kClockToleranceUs) < now;
  bool was = false;
  {
    const std::lock_guard lock(mutex_);
    MirrorHealth& h = health_[key];
    h.cosigned_at = at;
    was = std::exchange(h.stale, stale);
  }
  if (stale && !was)
    say_warn("STALE: the newest cosignature of the ledger of {} under {} is of {}, older than the agreement allows",
             peer, state.agreement_id, to_text(*at));
  return {};
}

// ledger.md §7: a quota for each party. What is over it is copied another day, or when a person raises the quota; the
// head that the party signed is kept in a leaf, once a day, so that nobody has to take our word for it.
Status Mirrors::take_no_flood(const agreement::State& state, const std::string& peer, Copy& copy, uint64_t have,
                              uint64_t size, const std::string& note) {
  const uint64_t most = cx_.config.max_partner_entries_per_day;
  const Time now = cx_.clock.now();
  const std::string key = pair_key(state.agreement_id, peer);
  uint64_t from = 0;
  {
    const std::lock_guard lock(copy.mutex);
    if (copy.day.us == 0 || now.us - copy.day.us >= kDayUs) {
      copy.day = now;
      copy.day_from = have;
    }
    from = copy.day_from;
  }
  const bool over = most != 0 && size > from && size - from > most;
  bool known = false;
  {
    const std::lock_guard lock(mutex_);
    known = std::exchange(health_[key].flooded, over);
  }
  if (!over) return {};
  if (!known) {
    json::Node record = json::Node::object();
    record.set("agreement", state.agreement_id).set("at", to_text(now)).set("head", note).set("peer", peer);
    record.set("had", from);
    auto tx = evidence_.begin();
    TRY([[maybe_unused]] const auto leaf,
        tx.add_kept_leaf(state.agreement_id, state.document->hash, "flood", peer, json::canonical(record)));
    auto done = std::move(tx).commit();
    if (!done.ok()) return std::move(done).error();
  }
  return make_error(ErrorKind::kUnavailable,
                    fmt::format("FLOOD: the ledger of {} has grown by {} entries within a day, and {} are copied", peer,
                                size - from, most),
                    state.agreement_id, "ask the partner; or raise [ledger] max_partner_entries_per_day");
}

Status Mirrors::check(taxii::Client& client, const std::string& peer, const std::string& agreement_id) {
  const auto state = instruments_.state(agreement_id);
  if (!state || !state->document) return make_error(ErrorKind::kNotFound, "no such agreement", agreement_id);
  const std::string key = pair_key(agreement_id, peer);
  const auto keys = log_keys(*state, peer);
  if (keys.empty())
    return make_error(ErrorKind::kDenied, "PARTY_KEY_UNKNOWN: the agreement names no log key of the partner", peer);
  const auto copy = copy_of(key);
  std::unique_lock one(copy->checking);
  const Time now = cx_.clock.now();

  const std::string base = "/ledger/" + bare_uuid(agreement_id) + "/";
  TRY(const net::Response note, client.get(base + "checkpoint", "text/plain"));
  if (note.status == 404) return {};  // the partner has not written a leaf yet
  if (note.status != 200)
    return make_error(ErrorKind::kUnavailable,
                      "the partner's checkpoint could not be read: HTTP " + std::to_string(note.status), base);
  const std::string sequence = sequence_of(agreement_id, peer);
  const uint64_t have = cx_.store.length(sequence);
  // Work goes on with what is copied out: who reads our copy does not wait for a partner that is slow.
  Tree tree;
  std::string prev;
  std::string earlier;
  Time checked;
  {
    const std::lock_guard lock(copy->mutex);
    CHECK_OK(load(agreement_id, peer, *copy, have));
    tree = copy->tree;
    prev = copy->prev;
    earlier = copy->note;
    checked = copy->checked;
  }
  const auto conflict = [&](std::string why) { return accuse(agreement_id, peer, std::move(why), earlier, note.body); };
  Result<ledger::Checkpoint> head = make_error(ErrorKind::kDenied, "no key");
  for (size_t i = 0; i < keys.size() && !head.ok(); ++i)
    head = ledger::open_checkpoint(note.body, ledger_origin(peer, agreement_id), keys[i]);
  if (!head.ok()) return conflict("the partner's checkpoint is not signed by its log key: " + head.error().text());
  if (head->size < have)
    return conflict(
        fmt::format("its head of {} entries takes back what it showed before: {} entries", head->size, have));

  CHECK_OK(take_no_flood(*state, peer, *copy, have, head->size, note.body));

  // The whole tree is our copy and the new entries: what was shown before must still be its beginning.
  store::Change change;
  std::map<uint64_t, std::string> fresh;  // index -> SHA-256 of the entry
  for (uint64_t n = have / kBundle; n * kBundle < head->size; ++n) {
    const uint64_t width = std::min<uint64_t>(kBundle, head->size - n * kBundle);
    if (n * kBundle + width <= have) continue;
    TRY(const net::Response bundle,
        client.get(base + ledger::tile_path(-1, n, static_cast<unsigned>(width)), "application/octet-stream"));
    std::string_view rest = bundle.body;
    // A full bundle replaces its partial ones.
    net::Response full;
    if (bundle.status == 404 && width < kBundle) {
      TRY(full, client.get(base + ledger::tile_path(-1, n, kBundle), "application/octet-stream"));
      rest = full.body;
    } else if (bundle.status != 200) {
      return make_error(ErrorKind::kUnavailable,
                        "the partner's entries could not be read: HTTP " + std::to_string(bundle.status), base);
    }
    ByteReader r(rest);
    for (uint64_t i = 0; i < width; ++i) {
      const uint16_t size = r.u16();
      const std::string_view entry = r.take(size);
      if (!r.ok()) return conflict(fmt::format("its entry bundle {} is shorter than its head says", n));
      const uint64_t index = n * kBundle + i;
      if (index < have) continue;
      if (const auto leaf = ledger::parse_leaf(entry); leaf.ok()) {
        if (leaf->prev != prev)
          return conflict(
              fmt::format("entry {} does not name the entry before it: its writer's chain is broken", index));
        if (leaf->at > now.plus_us(kSkewUs))
          return conflict(fmt::format("entry {} is dated ahead: {}", index, to_text(leaf->at)));
        // When we saw the head before, this entry was not there.
        if (checked.us != 0 && leaf->at < checked.plus_us(-kSkewUs))
          return conflict(fmt::format("entry {} is dated back: {}, but it was not there at {}", index,
                                      to_text(leaf->at), to_text(checked)));
      }
      prev = sha256_hex(entry);
      tree.add(ledger::leaf_hash(entry));
      change.append(sequence, entry);
      fresh[index] = prev;
    }
  }
  if (tree.edge.size() != head->size || tree.edge.root() != head->root) {
    return conflict(fmt::format("its entries do not give the root that its head of {} entries signs", head->size));
  }
  // Each manifest and each receipt that we hold names a leaf: it must be there.
  const std::string unproven = "unproven/" + key;
  TRY(const auto waiting, cx_.store.all(unproven));
  uint64_t proven = 0;
  for (const auto& [index_text, value] : waiting) {
    ByteReader r(index_text);
    const uint64_t index = r.u64();
    const size_t space = value.find(' ');
    const std::string hash = value.substr(0, space);
    if (index >= head->size) {
      const auto since = space == std::string::npos ? Result<Time>(now) : parse_time(value.substr(space + 1));
      if (since.ok() && since->plus_us(kUnprovenUs) < now)
        return conflict(
            fmt::format("sent, but not logged: what came at {} is to be its entry {}, and its ledger ends "
                        "before that",
                        to_text(*since), index));
      continue;
    }
    std::string seen;
    if (const auto it = fresh.find(index); it != fresh.end()) {
      seen = it->second;
    } else {
      TRY(const auto entry, cx_.store.read(sequence, index, 1));
      if (!entry.empty()) seen = sha256_hex(entry[0]);
    }
    if (seen != hash)
      return conflict(fmt::format("entry {} is not the leaf that a manifest or receipt for us named", index));
    change.erase(unproven, index_text);
    ++proven;
  }
  const auto cosigned = ledger::cosignatures(note.body, witness_keys(*state->document, now));
  if (!cosigned.ok()) return conflict("its head bears a cosignature that does not fit: " + cosigned.error().text());
  uint64_t verified = 0;
  if (auto saved = cx_.store.get("mirror-verified", key); saved.ok()) {
    ByteReader r(*saved);
    verified = r.u64();
  }
  // Kept with the cosignatures that have come since: they are what proves it to others.
  if (!fresh.empty() || more_lines(note.body, earlier)) change.set("mirror-checkpoint", key, note.body);
  if (!change.empty()) {
    std::string total;
    put_u64(total, verified + proven);
    change.set("mirror-verified", key, total);
    auto done = cx_.store.commit_wait(std::move(change));
    if (!done.ok()) return std::move(done).error();
  }
  bool ask_what_it_saw = false;
  {
    const std::lock_guard lock(copy->mutex);
    copy->tree = std::move(tree);
    copy->prev = std::move(prev);
    copy->checked = now;
    copy->note = note.body;
    ask_what_it_saw = now.us - copy->gossiped.us >= kGossipUs;
    if (ask_what_it_saw) copy->gossiped = now;
  }
  {
    const std::lock_guard lock(mutex_);
    MirrorHealth& h = health_[key];
    h.entries = head->size;
    h.verified = verified + proven;
  }
  CHECK_OK(look_at_age(client, peer, *state, *copy, *cosigned));
  one.unlock();  // what it tells is of other copies
  if (!ask_what_it_saw) return {};
  return gossip(client, peer, *state);
}

Result<std::string> Mirrors::file(const std::string& agreement_id, const std::string& peer, std::string_view path) {
  const std::string key = pair_key(agreement_id, peer);
  const auto none = [] { return make_error(ErrorKind::kNotFound, "our copy of this ledger has no such file"); };
  if (path == "checkpoint") return cx_.store.get("mirror-checkpoint", key);
  const uint64_t have = cx_.store.length(sequence_of(agreement_id, peer));
  // tile/<L>/<N>[.p/<W>]: the level, then N in groups of three digits.
  if (!path.starts_with("tile/")) return none();
  path.remove_prefix(5);
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return none();
  const std::string_view level_text = path.substr(0, slash);
  const bool entries = level_text == "entries";
  if (!entries && (level_text.size() != 1 || level_text[0] < '0' || level_text[0] > '7')) return none();
  const int level = entries ? -1 : level_text[0] - '0';
  uint64_t n = 0;
  unsigned width = kBundle;
  std::string digits;
  std::string_view rest = path.substr(slash + 1);
  if (const size_t p = rest.find(".p/"); p != std::string_view::npos) {
    const std::string_view w = rest.substr(p + 3);
    if (std::from_chars(w.data(), w.data() + w.size(), width).ptr != w.data() + w.size() || width == 0 ||
        width > kBundle)
      return none();
    rest = rest.substr(0, p);
  }
  for (const char c : rest) {
    if (c >= '0' && c <= '9') digits += c;
  }
  if (digits.empty() || digits.size() > 15 ||
      std::from_chars(digits.data(), digits.data() + digits.size(), n).ec != std::errc() ||
      ledger::tile_path(level, n, width) != "tile/" + std::string(path))
    return none();
  const uint64_t first = n * kBundle;
  if (level <= 0) {
    if (first + width > have) return none();
    TRY(const auto list, cx_.store.read(sequence_of(agreement_id, peer), first, width));
    std::string out;
    for (const auto& e : list) {
      if (entries) {
        put_u16(out, static_cast<uint16_t>(e.size()));
        out += e;
      } else {
        out += view(ledger::leaf_hash(e));
      }
    }
    return out;
  }
  const auto copy = copy_of(key);
  const std::lock_guard one(copy->mutex);
  CHECK_OK(load(agreement_id, peer, *copy, have));
  const auto tree_level = static_cast<uint64_t>(level) * 8;
  if ((first + width) << tree_level > have) return none();
  std::string out;
  for (uint64_t i = first; i < first + width; ++i) {
    TRY(const ledger::Hash h, node_at(agreement_id, peer, copy->tree, tree_level, i));
    out += view(h);
  }
  return out;
}

}  // namespace entente::exchange
