#include "exchange/witnessing.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/names.h"
#include "json/node.h"

namespace entente::exchange {
namespace {

constexpr std::string_view kSpace = "witness";
constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kHeartbeatUs = 600 * kSecondUs;  // ledger.md §4: a fresh time every ten minutes, growth or not
constexpr int64_t kOldHeadUs = 60 * kSecondUs;  // a head that found no quorum for so long is given up for a newer one
constexpr Period kDefaultGrace{0, 4 * 3600 * kSecondUs};

std::optional<Period> ledger_period(const agreement::Document& document, std::string_view name) {
  const json::Node* ledger = document.node.find("ledger");
  if (ledger == nullptr) return std::nullopt;
  const auto period = parse_period(ledger->string_at(name));
  if (!period.ok()) return std::nullopt;
  return *period;
}

// How often a head is cosigned anew though nothing came: well within the age that the agreement allows it.
int64_t heartbeat_of(const agreement::Document& document) {
  const auto age = max_checkpoint_age(document);
  return age ? std::min(kHeartbeatUs, std::max(kSecondUs, add(Time{0}, *age).us / 2)) : kHeartbeatUs;
}

Period grace_of(const agreement::Document& document) {
  return ledger_period(document, "unwitnessed_grace").value_or(kDefaultGrace);
}

}  // namespace

std::optional<Period> max_checkpoint_age(const agreement::Document& document) {
  return ledger_period(document, "max_checkpoint_age");
}

Witnessing::Witnessing(Context& context, Instruments& instruments, Evidence& evidence)
    : cx_(context), instruments_(instruments), evidence_(evidence) {
  const std::string& dir = cx_.config.witness_dir;
  if (!cx_.witness_key || dir.empty()) return;
  if (Status s = cx_.files.make_dirs(dir); !s.ok()) {
    say_error("the witness has no folder, so this node witnesses nobody: {}", s.error().text());
    return;
  }
  witness_.emplace(cx_.files, dir, cx_.config.witness_kid, *cx_.witness_key, cx_.clock,
                   [this](const std::string& origin) { return log_keys(origin); });
}

// "entente/in/<uuid>": the keys that the agreement gives the log of that party.
std::vector<PublicKey> Witnessing::log_keys(const std::string& origin) const {
  std::vector<PublicKey> out;
  const size_t slash = origin.rfind('/');
  if (slash == std::string::npos) return out;
  const auto state = instruments_.state("urn:uuid:" + origin.substr(slash + 1));
  if (!state || !state->document) return out;
  for (const auto& p : state->document->parties) {
    if (ledger_origin(p.party, state->agreement_id) != origin) continue;
    for (auto& key : keys_of(p, agreement::KeyRole::kLog, cx_.clock.now())) out.push_back(std::move(key));
  }
  return out;
}

std::map<std::string, PublicKey> witness_keys(const agreement::Document& document, Time at) {
  std::map<std::string, PublicKey> out;
  for (const auto& p : document.parties) {
    for (const auto& k : p.keys) {
      if (k.role == agreement::KeyRole::kWitness && k.key && k.not_before <= at && at < k.not_after)
        out.emplace(k.kid, *k.key);
    }
  }
  const json::Node* ledger = document.node.find("ledger");
  const json::Node* neutral = ledger == nullptr ? nullptr : ledger->find("witnesses");
  if (neutral == nullptr || !neutral->is_array()) return out;
  for (const auto& w : neutral->list()) {
    // A party's name stays the party's: emplace does not replace.
    if (auto key = PublicKey::from_hex(w.string_at("public")); key.ok())
      out.emplace(w.string_at("kid"), *std::move(key));
  }
  return out;
}

std::map<std::string, PublicKey> Witnessing::witnesses_of(const agreement::Document& document) const {
  return witness_keys(document, cx_.clock.now());
}

// As the agreement says it; where it says nothing (or a thing this version cannot read): most of the other parties.
ledger::Quorum Witnessing::quorum_of(const agreement::Document& document) const {
  if (const json::Node* l = document.node.find("ledger")) {
    if (auto q = ledger::parse_quorum(l->string_at("quorum"), cx_.config.party); q.ok()) return *std::move(q);
  }
  ledger::Quorum q;
  for (const auto& p : document.parties) {
    if (p.party == cx_.config.party) continue;
    for (const auto& k : p.keys) {
      if (k.role != agreement::KeyRole::kWitness) continue;
      q.names.push_back(k.kid);
      break;
    }
  }
  q.needed = q.names.size() / 2 + (q.names.empty() ? 0 : 1);
  return q;
}

Witnessing::Book& Witnessing::book(const std::string& agreement_id) {
  Book& b = books_[agreement_id];
  if (b.loaded) return b;
  b.loaded = true;
  const auto saved = cx_.store.get(kSpace, bare_uuid(agreement_id));
  if (!saved.ok()) return b;
  const auto doc = json::parse(*saved);
  if (!doc.ok()) return b;
  const json::Value root = doc->root();
  b.cosigned = json::find_string(root, "cosigned").value_or("");
  if (const auto c = ledger::unverified_checkpoint(b.cosigned); c.ok()) b.cosigned_size = c->size;
  if (const auto asked = json::find_object(root, "asked")) {
    for (const auto member : *asked) {
      int64_t n = 0;
      if (member.value.get_int64().get(n) == simdjson::SUCCESS && n >= 0)
        b.asked[std::string(member.key)] = static_cast<uint64_t>(n);
    }
  }
  return b;
}

Status Witnessing::save(const std::string& agreement_id, const Book& b) {
  json::Node n = json::Node::object();
  n.set("cosigned", b.cosigned);
  json::Node asked = json::Node::object();
  for (const auto& [peer, size] : b.asked) asked.set(peer, size);
  n.set("asked", std::move(asked));
  store::Change change;
  change.set(kSpace, bare_uuid(agreement_id), json::write(n));
  auto done = cx_.store.commit_wait(std::move(change));
  if (!done.ok()) return std::move(done).error();
  return {};
}

// Chooses the head to show: the newest, unless one that is not too old still waits for its quorum.
void Witnessing::refresh(const std::string& agreement_id, Book& b, const ledger::Quorum& quorum, bool padded) {
  // Who is no party sees padded sizes alone, so that growth tells it nothing of the traffic; and a quorum that needs it
  // can meet on no other head.
  auto note = padded ? evidence_.padded_note(agreement_id) : evidence_.note(agreement_id);
  if (!note.ok() || *note == b.note) return;
  std::vector<ledger::Cosignature> have;
  for (const auto& [name, line] : b.lines) have.push_back({name, {}, line});
  const Time now = cx_.clock.now();
  if (!b.note.empty() && !quorum.met(have) && now.us - b.since.us < kOldHeadUs) return;
  const auto c = ledger::unverified_checkpoint(*note);
  if (!c.ok()) return;
  b.note = *std::move(note);
  b.size = c->size;
  b.since = now;
  b.lines.clear();
  b.at.clear();
}

Status Witnessing::take(const std::string& agreement_id, Book& b, const std::string& name, const std::string& line,
                        const agreement::Document& document) {
  TRY(const auto found, ledger::cosignatures(b.note + line, witnesses_of(document)));
  const auto it = std::find_if(found.begin(), found.end(), [&](const auto& c) { return c.name == name; });
  if (it == found.end())
    return make_error(ErrorKind::kDenied, "the answer is not a cosignature of the witness that the agreement names",
                      name, "its key is changed by 'entente agreement notice'");
  b.lines[name] = it->line;
  b.at[name] = it->at;
  std::vector<ledger::Cosignature> have;
  std::string note = b.note;
  for (const auto& [who, l] : b.lines) {
    have.push_back({who, {}, l});
    note += l;
  }
  if (quorum_of(document).met(have) && b.size >= b.cosigned_size) {
    b.cosigned = std::move(note);
    b.cosigned_size = b.size;
  }
  return save(agreement_id, b);
}

ledger::WitnessAnswer Witnessing::answer(std::string_view request) {
  if (!witness_) return {404, "this node is no witness\n", false, {}, {}};
  return witness_->add_checkpoint(request);
}

Status Witnessing::ask(taxii::Client& client, const std::string& peer, const std::string& agreement_id) {
  return show(client, "/witness/add-checkpoint", peer, agreement_id, false);
}

Status Witnessing::ask_neutral(taxii::Client& client, const std::string& name, const std::string& agreement_id) {
  return show(client, "/add-checkpoint", name, agreement_id, true);
}

std::vector<std::string> Witnessing::agreements_of(const std::string& neutral) const {
  std::vector<std::string> out;
  for (const auto& s : instruments_.states()) {
    if (s->document && s->document->party(cx_.config.party) != nullptr && witnesses_of(*s->document).contains(neutral))
      out.push_back(s->agreement_id);
  }
  return out;
}

Status Witnessing::show(taxii::Client& client, const std::string& path, const std::string& peer,
                        const std::string& agreement_id, bool neutral) {
  const auto state = instruments_.state(agreement_id);
  if (!state || !state->document) return {};
  const auto witnesses = witnesses_of(*state->document);
  const auto quorum = quorum_of(*state->document);
  const int64_t heartbeat_us = heartbeat_of(*state->document);
  const std::string& own = cx_.config.witness_kid;
  const auto named = std::find_if(witnesses.begin(), witnesses.end(), [&](const auto& w) {
    return neutral ? w.first == peer : w.first.starts_with(peer + "/");
  });
  std::string note;
  uint64_t size = 0;
  uint64_t old = 0;
  {
    const std::lock_guard lock(mutex_);
    Book& b = book(agreement_id);
    const bool by_third = std::ranges::any_of(witnesses, [&](const auto& w) {
      return state->document->party(w.first.substr(0, w.first.find('/'))) == nullptr;
    });
    refresh(agreement_id, b, quorum, by_third && cx_.config.pad_to > 1);
    if (b.size == 0) return {};
    const auto own_at = b.at.find(own);
    const bool own_due = own_at == b.at.end() || cx_.clock.now().us - own_at->second.us >= heartbeat_us;
    if (witness_ && own_due && witnesses.contains(own)) {
      // Our own witness has a key and a memory of its own: it would not sign a second history of ours either.
      const auto before = witness_->newest(ledger_origin(cx_.config.party, agreement_id));
      const auto was =
          before ? ledger::unverified_checkpoint(*before) : Result<ledger::Checkpoint>(ledger::Checkpoint{});
      const uint64_t from = was.ok() ? was->size : 0;
      if (from <= b.size) {
        TRY(const auto proof, evidence_.consistency(agreement_id, from, b.size));
        const auto a = witness_->add_checkpoint(ledger::write_add_checkpoint(from, proof, b.note));
        if (a.status != 200) {
          const bool altered = a.status == 409 || a.status == 422;
          return make_error(altered ? ErrorKind::kCorrupt : ErrorKind::kUnavailable,
                            "our own witness does not sign this ledger's head: " + printable(a.body), agreement_id,
                            altered ? "the ledger was set back or altered: restore it" : "look at the folder witness/");
        }
        CHECK_OK(take(agreement_id, b, own, a.body, *state->document));
      }
    }
    if (named == witnesses.end()) return {};
    if (const auto it = b.at.find(named->first); it != b.at.end() && cx_.clock.now().us - it->second.us < heartbeat_us)
      return {};
    note = b.note;
    size = b.size;
    if (const auto it = b.asked.find(peer); it != b.asked.end()) old = std::min(it->second, size);
  }
  net::Response got;
  for (int tries = 0; tries < 2; ++tries) {
    TRY(const auto proof, evidence_.consistency(agreement_id, old, size));
    TRY(got, client.post(path, ledger::write_add_checkpoint(old, proof, note), "text/plain"));
    if (got.status != 409) break;
    uint64_t theirs = 0;
    const auto [end, error] = std::from_chars(got.body.data(), got.body.data() + got.body.size(), theirs);
    if (error != std::errc() || end == got.body.data())
      return make_error(ErrorKind::kCorrupt, "the partner's witness answers 409 without a size", peer);
    if (theirs == old && old == size)
      return make_error(ErrorKind::kCorrupt, "the partner's witness has cosigned another history of this ledger", peer,
                        "compare both heads with 'entente ledger checkpoint'");
    if (theirs > size) {
      const auto head = evidence_.head(agreement_id);
      if (head && theirs > head->entries)
        return make_error(
            ErrorKind::kCorrupt,
            fmt::format("the partner's witness has cosigned {} entries, this ledger has {}", theirs, head->entries),
            peer, "the ledger was restored from an old copy: take the rest from the partner's mirror");
      const std::lock_guard lock(mutex_);
      Book& b = book(agreement_id);
      b.asked[peer] = theirs;
      b.note.clear();  // it has seen a newer one than the one we show: show the newest
      return {};
    }
    old = theirs;
  }
  if (got.status != 200)
    return make_error(
        got.status == 422 ? ErrorKind::kCorrupt : ErrorKind::kUnavailable,
        fmt::format("the partner's witness does not cosign: HTTP {} {}", got.status, printable(got.body, 200)), peer);
  const std::lock_guard lock(mutex_);
  Book& b = book(agreement_id);
  b.asked[peer] = size;
  if (b.note != note) return save(agreement_id, b);
  return take(agreement_id, b, named->first, got.body, *state->document);
}

Standing Witnessing::standing(const agreement::State& state) {
  Standing out;
  if (!state.document) return out;
  since(state, out);
  std::string note;
  {
    const std::lock_guard lock(mutex_);
    note = book(state.agreement_id).cosigned;
  }
  if (note.empty()) return out;
  const auto have = ledger::cosignatures(note, witnesses_of(*state.document));
  if (!have.ok()) return out;
  for (const auto& c : *have) {
    out.by.push_back(c.name);
    out.cosigned_at = std::max(out.cosigned_at.value_or(c.at), c.at);
  }
  return out;
}

// What costs no signature: how far the quorum came, and since when it lags.
void Witnessing::since(const agreement::State& state, Standing& out) {
  if (const auto head = evidence_.head(state.agreement_id)) out.entries = head->entries;
  out.needed = quorum_of(*state.document).needed;
  {
    const std::lock_guard lock(mutex_);
    out.cosigned = book(state.agreement_id).cosigned_size;
  }
  if (out.needed == 0 || out.cosigned >= out.entries) return;
  const auto leaf = cx_.store.read("leaf/" + bare_uuid(state.agreement_id), out.cosigned, 1);
  if (!leaf.ok() || leaf->empty()) return;
  const auto parsed = ledger::parse_leaf(leaf->front());
  if (!parsed.ok()) return;
  // An agreement's first acts come before any witness knows its ledger: the time runs from its start.
  const Time from = std::max(parsed->at, state.start.value_or(parsed->at));
  out.unwitnessed_since = from;
  out.overdue = add(from, grace_of(*state.document)) <= cx_.clock.now();
}

std::string Witnessing::obstacle(const agreement::State& state) {
  if (!state.document) return {};
  Standing s;
  since(state, s);
  if (!s.overdue) return {};
  return fmt::format(
      "the head of this party's ledger has not been cosigned by {} witnesses since {}: until it is, only recalls and "
      "receipts go",
      s.needed, to_text(*s.unwitnessed_since));
}

Result<std::string> Witnessing::head(const std::string& agreement_id) {
  TRY(std::string note, evidence_.note(agreement_id));
  const std::lock_guard lock(mutex_);
  const Book& b = book(agreement_id);
  if (b.note == note)
    for (const auto& [_, line] : b.lines) note += line;
  return note;
}

Result<std::string> Witnessing::cosigned_head(const std::string& agreement_id) {
  const std::lock_guard lock(mutex_);
  const Book& b = book(agreement_id);
  if (b.cosigned.empty())
    return make_error(ErrorKind::kNotFound, "no head of this ledger was cosigned by the quorum yet", agreement_id);
  return b.cosigned;
}

}  // namespace entente::exchange
