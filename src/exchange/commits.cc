#include "exchange/commits.h"

#include <algorithm>

#include "agreement/duties.h"
#include "base/bytes.h"

namespace entente::exchange {
namespace {

// "agreement recipient id version" -> first time, last time, count, salt of the leaf that showed it.
constexpr std::string_view kCommitSpace = "commit-leaf";

std::string pack(const Commit& c) {
  std::string out;
  put_u64(out, static_cast<uint64_t>(c.first.us));
  put_u64(out, static_cast<uint64_t>(c.last.us));
  put_u64(out, c.count);
  return out + c.salt;
}

bool unpack(std::string_view text, Commit& c) {
  if (text.size() != 24 + 32) return false;
  ByteReader r(text);
  c.first.us = static_cast<int64_t>(r.u64());
  c.last.us = static_cast<int64_t>(r.u64());
  c.count = r.u64();
  c.salt = text.substr(24);
  return true;
}

}  // namespace

Commits::Commits(Context& context, const agreement::State& state, const std::string& to)
    : cx_(context), state_(state), to_(to) {
  now_.agreement = state.agreement_id;
  now_.from = context.config.party;
  now_.to = to;
  const agreement::Document* doc = state.between(context.config.party, to);
  if (doc == nullptr) return;
  const auto levels = agreement::service_levels(*doc);
  wanted_ = std::ranges::any_of(levels, [](const auto& l) { return l.act == "release"; });
}

void Commits::note(const store::Row& row, bool goes) {
  if (!wanted_) return;
  Commit one = now_;
  Commit& c = goes ? now_ : one;
  if (!goes) one.count = 0;
  c.first = c.count == 0 ? row.date_added : std::min(c.first, row.date_added);
  c.last = c.count == 0 ? row.date_added : std::max(c.last, row.date_added);
  ++c.count;
  if (!goes) waiting_.emplace_back(row.id + " " + row.version, std::move(one));
}

Status Commits::add(Commit& c, Evidence::Transaction& tx) const {
  c.salt = random_bytes(32);
  TRY([[maybe_unused]] const auto leaf,
      tx.add_leaf(c.agreement, state_.document->hash, "commit", to_, c.salt, c.record()));
  return {};
}

Status Commits::seal(Evidence::Transaction& tx) {
  if (now_.count > 0) CHECK_OK(add(now_, tx));
  for (auto& [row, c] : waiting_) {
    CHECK_OK(add(c, tx));
    tx.change.set(kCommitSpace, state_.agreement_id + " " + to_ + " " + row, pack(c));
  }
  return {};
}

void Commits::open(const store::Row& row, bool asked, Manifest& m, Evidence::Transaction& tx) {
  const std::string key = state_.agreement_id + " " + to_ + " " + row.id + " " + row.version;
  Commit c = now_;
  if (const auto kept = cx_.store.get(kCommitSpace, key); kept.ok() && unpack(*kept, c)) {
    tx.change.erase(kCommitSpace, key);
  } else if (!asked || now_.count == 0) {
    // Context, or decided anew for another reason than people: its clock is the release itself.
    m.committed.push_back(m.at);
    return;
  }
  m.committed.push_back(row.date_added);
  if (std::ranges::none_of(m.commits, [&](const Commit& known) { return known.salt == c.salt; }))
    m.commits.push_back(std::move(c));
}

}  // namespace entente::exchange
