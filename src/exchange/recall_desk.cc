#include "exchange/recall_desk.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/admission.h"
#include "exchange/names.h"
#include "exchange/recall.h"
#include "exchange/retention.h"

namespace entente::exchange {
namespace {

constexpr int64_t kLookEveryUs = 500'000;
constexpr int64_t kAgainUs = 2'000'000;  // between two answers that are not complete

// A recall that waits for its answer: version, when it came, answers sent, what the last one said, when it went.
struct Open {
  std::string version, digest;
  Time received, sent;
  uint64_t number = 0;

  [[nodiscard]] std::string text() const {
    return fmt::format("{}\n{}\n{}\n{}\n{}", version, received.us, number, digest, sent.us);
  }
  static Open parse(std::string_view text) {
    std::array<std::string, 5> part;
    for (auto& p : part) {
      const size_t end = std::min(text.find('\n'), text.size());
      p = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    const auto number = [](const std::string& s) { return std::strtoll(s.c_str(), nullptr, 10); };
    return {part[0], part[3], Time{number(part[1])}, Time{number(part[4])}, static_cast<uint64_t>(number(part[2]))};
  }
};

struct Key {
  std::string agreement, peer, id;
};

Key split(const std::string& key) {
  const size_t a = key.find(' ');
  const size_t b = key.find(' ', a + 1);
  if (a == std::string::npos || b == std::string::npos) return {};
  return {key.substr(0, a), key.substr(a + 1, b - a - 1), key.substr(b + 1)};
}

// What an answer says, but for moments that pass by themselves.
std::string digest_of(const RecallAnswer& a) {
  RecallAnswer still = a;
  still.at = {};
  still.number = 0;
  const auto calm = [](RecallPart& p) {
    for (auto& l : p.late) l.last_heard.reset();
  };
  calm(still.own);
  for (auto& p : still.onward) calm(p);
  return sha256_hex(still.record());
}

}  // namespace

std::string recall_key(std::string_view agreement_id, std::string_view party, std::string_view id) {
  return fmt::format("{} {} {}", agreement_id, party, id);
}

void note_recall(store::Change& change, std::string_view agreement_id, std::string_view party, std::string_view id,
                 std::string_view version, Time now) {
  Open o;
  o.version = version;
  o.received = now;
  change.set(kRecallOpenSpace, recall_key(agreement_id, party, id), o.text());
}

RecallDesk::RecallDesk(Context& context, Instruments& instruments, Evidence& evidence, SensorBook& book,
                       std::function<void(const Uuid&)> notify)
    : cx_(context), instruments_(instruments), evidence_(evidence), book_(book), notify_(std::move(notify)) {}

void RecallDesk::poke() {
  poked_ = true;
  if (posted_.exchange(true)) return;
  cx_.post([this] {
    posted_ = false;
    if (const auto done = look(); !done.ok()) say_error("recall answers: {}", done.error().text());
  });
}

void RecallDesk::tick() {
  const int64_t now = cx_.clock.steady_us();
  if (!poked_ && (!open_ || now - looked_us_ < kLookEveryUs)) return;
  looked_us_ = now;
  poke();
}

// `followers`: only sensors that are known to follow the collection.
void RecallDesk::count_sensors(RecallPart& part, const Uuid& collection, const store::Row& row, bool followers) const {
  const std::string name = collection.text();
  for (const SensorEntry& s : book_.sensors()) {
    const auto applied = s.applied.find(name);
    if (s.exercise || (followers && applied == s.applied.end())) continue;
    ++part.sensors;
    part.enforcers += s.enforcers.size();
    const auto word = book_.word(s, {name, row.id, row.version}, row.date_added);
    if (!word) {
      if (part.late.size() < kMostLate) part.late.push_back({s.mark, "", "has not answered", s.last});
      continue;
    }
    ++part.told;
    part.leases += word->leases;
    part.also += word->also;
    const bool past = applied != s.applied.end() && applied->second >= row.date_added;
    for (const auto& enforcer : s.enforcers) {
      const auto place = std::ranges::find(word->places, enforcer, &SensorWord::Place::enforcer);
      const bool named = place != word->places.end();
      if (named ? place->withdrawn.has_value() : past) {
        ++part.withdrawn;
      } else if (part.late.size() < kMostLate) {
        part.late.push_back({s.mark, enforcer, named ? place->held : "has not answered", s.last});
      }
    }
  }
  part.complete = part.told == part.sensors && part.withdrawn == part.enforcers;
}

Result<RecallPart> RecallDesk::own(const std::string& id) const {
  RecallPart part;
  part.party = cx_.config.party;
  TRY(const auto rows, cx_.store.find(inbox(part.party), id));
  const auto row = std::ranges::find_if(rows, &store::Row::revoked);
  if (row == rows.end()) return part;
  part.received = row->date_added;
  part.copies = {"kept", "own content", "", std::nullopt};
  count_sensors(part, inbox(part.party), *row, true);
  return part;
}

Result<RecallAnswer> RecallDesk::answer(const std::string& agreement_id, const std::string& peer, const std::string& id,
                                        const std::string& version, Time received_at) const {
  const std::string& me = cx_.config.party;
  RecallAnswer a;
  a.agreement = agreement_id;
  a.from = me;
  a.to = peer;
  a.object = id;
  a.version = version;
  a.at = cx_.clock.now();
  RecallPart& own = a.own;
  own.party = me;
  own.received = received_at;
  const Uuid into = received(agreement_id, peer, me);
  TRY(const auto rows, cx_.store.find(into, id));
  const auto row = std::ranges::find_if(rows, [&](const store::Row& r) { return r.revoked && r.version == version; });
  if (row != rows.end()) count_sensors(own, into, *row, false);  // what was never taken no sensor has
  TRY(own.copies, copies_of(cx_, instruments_, agreement_id, peer, id));
  own.complete = own.told == own.sensors && own.withdrawn == own.enforcers;
  TRY(const auto holders, holders_of(cx_, instruments_, id));
  for (const auto& h : holders) {
    if (h.party == peer || a.onward.size() >= kMostOnward) continue;
    RecallPart p;
    if (h.answer) {
      p = h.answer->own;
      for (RecallPart further : h.answer->onward) {
        if (a.onward.size() >= kMostOnward) break;
        if (further.via.empty()) further.via = h.party;
        own.complete = own.complete && further.complete;
        a.onward.push_back(std::move(further));
      }
    }
    p.party = h.party;
    p.via = me;
    if (!h.sent) {
      p.late.assign(1, {"", "", "the recall has not been sent to it yet", std::nullopt});
    } else if (!h.answer) {
      p.received = h.answered;
      p.late.assign(1, {"", "", h.refused.empty() ? "has not answered" : "refused it: " + h.refused, std::nullopt});
    }
    own.complete = own.complete && p.complete;
    a.onward.push_back(std::move(p));
  }
  return a;
}

Result<size_t> RecallDesk::look() {
  const std::lock_guard one(looking_);
  poked_ = false;
  TRY(const auto open, cx_.store.all(kRecallOpenSpace));
  open_ = !open.empty();
  if (open.empty()) {
    book_.keep_only([](const SensorBook::Object&) { return false; });
    return size_t{0};
  }
  size_t went = 0;
  const std::string& me = cx_.config.party;
  const Time now = cx_.clock.now();
  std::set<SensorBook::Object> asked;
  for (const auto& [key, value] : open) {
    const Key k = split(key);
    Open o = Open::parse(value);
    asked.emplace(received(k.agreement, k.peer, me).text(), k.id, o.version);
    const auto state = instruments_.state(k.agreement);
    if (!state || !state->document) continue;
    TRY(RecallAnswer a, answer(k.agreement, k.peer, k.id, o.version, o.received));
    const std::string digest = digest_of(a);
    if (!a.own.complete) {
      if (o.number == 0 ? now.us - o.received.us < kPatienceUs : now.us - o.sent.us < kAgainUs) continue;
      if (digest == o.digest) continue;
    }
    a.id = std::string(kRecallAnswerType) + "--" + random_uuid().text();
    a.number = o.number + 1;
    a.salt = random_bytes(32);
    Evidence::Transaction tx = evidence_.begin();
    TRY(const auto leaf,
        tx.add_leaf(k.agreement, state->document->hash, kRecallAnswerLeaf, k.peer, a.salt, a.record()));
    a.leaf_index = leaf.index;
    a.leaf = leaf.text;
    a.kid = cx_.config.node_kid;
    a.signature = sign_recall_answer(a, cx_.node_key);
    const Uuid target = released(k.agreement, me, k.peer);
    tx.change.expect(kRecallOpenSpace, key, value);  // a later recall of the object opens it anew
    CHECK_OK(add_written(tx.change, target, recall_answer_object(a), me, k.agreement));
    if (a.own.complete) {
      tx.change.erase(kRecallOpenSpace, key);
    } else {
      o.number = a.number;
      o.digest = digest;
      o.sent = now;
      tx.change.set(kRecallOpenSpace, key, o.text());
    }
    if (auto done = std::move(tx).commit(); !done.ok()) {
      if (done.error().kind == ErrorKind::kConflict) continue;
      return std::move(done).error();
    }
    ++went;
    notify_(target);
  }
  book_.keep_only([&](const SensorBook::Object& object) { return asked.contains(object); });
  return went;
}

}  // namespace entente::exchange
