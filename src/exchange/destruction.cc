#include "exchange/destruction.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "exchange/deletion.h"
#include "exchange/handling.h"
#include "exchange/names.h"
#include "exchange/wire.h"
#include "json/node.h"

namespace entente::exchange {
namespace {

constexpr int64_t kRunEveryUs = int64_t{3600} * 1'000'000;
constexpr size_t kBatch = 500;
constexpr std::string_view kScrubSpace = "scrub";         // "" -> first and last record whose items were destroyed
constexpr std::string_view kHeldToldSpace = "held-told";  // destroyed_key of what a receipt said is held

// What stands in the collection where the object was: its name and nothing of it.
std::string gone_text(const store::Row& row, Time now) {
  json::Node n = json::Node::object();
  n.set("type", row.type).set("spec_version", "2.1").set("id", row.id);
  if (row.versioned) n.set("created", to_text(now)).set("modified", to_text(now)).set("revoked", true);
  return json::write(n.set("x_entente_destroyed", true));
}

// The rows of one manifest that a list of objects stands for.
struct Found {
  std::vector<uint32_t> destroyed, kept;
  std::string destroyed_why, kept_why;
};

}  // namespace

Destruction::Destruction(Context& context, Instruments& instruments, Evidence& evidence,
                         std::function<void(const Uuid&)> notify)
    : cx_(context),
      instruments_(instruments),
      evidence_(evidence),
      notify_(std::move(notify)),
      // A minute after the start, so that a start is not slow.
      ran_us_(context.clock.steady_us() - kRunEveryUs + 60'000'000) {}

void Destruction::tick() {
  if ((!woken_ && cx_.clock.steady_us() - ran_us_ < kRunEveryUs) || posted_.exchange(true)) return;
  woken_ = false;
  cx_.post([this] {
    const auto done = run();
    if (!done.ok()) say_error("retention: {}", done.error().text());
    posted_ = false;
  });
}

// Pages of what each partner gave under each agreement and may be over, oldest first, until `fn` says false.
Status Destruction::visit(bool over_only,
                          const std::function<Result<bool>(const agreement::State&, const Terms&, Rows)>& fn) const {
  const std::string& me = cx_.config.party;
  const Time now = cx_.clock.now();
  for (const auto& state : instruments_.states()) {
    for (const auto& peer : partners_of(*state, me)) {
      const Terms terms(cx_, instruments_, state, peer);
      const auto horizon = over_only ? terms.horizon(now) : std::optional(now);
      if (!horizon) continue;
      store::Query q;
      q.all = true;
      q.limit = kBatch;
      q.upto = *horizon;
      const Uuid from = received(state->agreement_id, peer, me);
      while (true) {
        TRY(const store::Page page, cx_.store.page(from, q));
        if (page.rows.empty()) break;
        q.added_after = page.rows.back().date_added;
        Rows rows;
        for (const auto& row : page.rows) {
          const RowMeta meta = RowMeta::parse(row.meta);
          if (is_own_note(meta)) continue;
          Term term = terms.of(row.id, meta, row.date_added);
          if (over_only ? !term.over(now) : !term.until) continue;
          rows.push_back({state->agreement_id, peer, row, meta.tlp, std::move(term), {}});
          if (terms.rule().on_end != "return" || !rows.back().term.over(now)) continue;
          const auto by = cx_.store.get(kReturnedSpace, returned_key(cx_, state->agreement_id, peer, row));
          if (!by.ok()) continue;
          const auto entry = cx_.store.get(kReturnSpace, *by);
          if (!entry.ok()) {  // no manifest names it
            rows.back().handed_back.emplace().state = ReturnState::kConfirmed;
            continue;
          }
          TRY(rows.back().handed_back, parse_return_entry(*by, *entry));
        }
        if (rows.empty()) continue;
        TRY(const bool more, fn(*state, terms, std::move(rows)));
        if (!more) return {};
      }
    }
  }
  return {};
}

Result<std::vector<Retained>> Destruction::list(bool over_only, size_t most) const {
  std::vector<Retained> out;
  CHECK_OK(visit(over_only, [&](const agreement::State&, const Terms&, Rows rows) -> Result<bool> {
    for (auto& r : rows) {
      if (out.size() == most) return false;
      out.push_back(std::move(r));
    }
    return true;
  }));
  return out;
}

Result<Destroyed> Destruction::run() {
  const std::lock_guard one(running_);
  ran_us_ = cx_.clock.steady_us();
  Destroyed done;
  if (!cx_.clock_safe())
    return make_error(ErrorKind::kDenied, "CLOCK_UNSAFE: nothing is destroyed by a clock that was set back",
                      to_text(cx_.clock.now()), "set the clock right");
  const Status visited = visit(true, [&](const agreement::State& state, const Terms& terms, Rows rows) -> Result<bool> {
    Rows due, held;
    for (auto& r : rows) {
      const bool kept = !r.term.hold.empty();
      done.held += kept ? 1 : 0;
      // That it is held is told once.
      if (kept && cx_.store.get(kHeldToldSpace, destroyed_key(cx_, r.agreement, r.peer, r.row.id)).ok()) continue;
      (kept ? held : due).push_back(std::move(r));
    }
    if (terms.rule().on_end == "return") CHECK_OK(hand_back(state, terms, due, done));
    if (due.empty() && held.empty()) return true;
    CHECK_OK(destroy(state, terms, due, held, done));
    return true;
  });
  CHECK_OK(visited);
  CHECK_OK(scrub());
  if (done.handed_back > 0) say_info("retention: {} objects handed back before they go", done.handed_back);
  if (done.objects > 0)
    say_info("retention: {} objects destroyed, {} held, {} receipts", done.objects, done.held, done.receipts);
  return done;
}

Status Destruction::destroy(const agreement::State& state, const Terms& terms, const Rows& due, const Rows& held,
                            Destroyed& done) {
  const std::string& me = cx_.config.party;
  const std::string& peer = due.empty() ? held.front().peer : due.front().peer;
  const Uuid into = received(state.agreement_id, peer, me);
  const Uuid proofs = evidence_of(state.agreement_id, peer, me);
  const Time now = cx_.clock.now();

  // Which rows of which manifests they are.
  std::map<std::string, std::vector<const Retained*>> wanted;  // by id
  for (const auto& r : due) wanted[r.row.id].push_back(&r);
  for (const auto& r : held) wanted[r.row.id].push_back(&r);
  std::map<std::string, Found> found;
  std::vector<store::Row> empty_manifests;
  CHECK_OK(visit_manifests(cx_, state.agreement_id, peer, [&](const store::Row& row, const Manifest& m) -> Status {
    Found f;
    bool left = false;  // something that it names is here still
    for (uint32_t i = 0; i < m.objects.size(); ++i) {
      const Listed& listed = m.objects[i];
      const auto it = wanted.find(listed.id);
      const Retained* hit = nullptr;
      if (it != wanted.end()) {
        for (const Retained* r : it->second) hit = names(listed, r->row) ? r : hit;
      }
      if (hit != nullptr && hit->term.hold.empty()) {
        f.destroyed.push_back(i);
        f.destroyed_why = hit->term.why;
      } else if (hit != nullptr) {
        f.kept.push_back(i);
        f.kept_why = hit->term.hold;
        left = true;
      } else if (!left) {
        TRY(const auto here, cx_.store.find(into, listed.id));
        left = std::ranges::any_of(
            here, [&](const store::Row& r) { return names(listed, r) && !is_own_note(RowMeta::parse(r.meta)); });
      }
    }
    if (!f.destroyed.empty() && !left) empty_manifests.push_back(row);
    if (!f.destroyed.empty() || !f.kept.empty()) found[m.id] = std::move(f);
    return {};
  }));

  Deletion d;
  d.id = std::string(kDeletionType) + "--" + random_uuid().text();
  d.agreement = state.agreement_id;
  d.from = me;
  d.to = peer;
  d.article = terms.rule().article;
  d.at = now;
  d.salt = random_bytes(32);
  for (auto& [manifest, f] : found) {
    if (!f.destroyed.empty()) d.destroyed.push_back({manifest, std::move(f.destroyed), f.destroyed_why});
    if (!f.kept.empty()) d.kept.push_back({manifest, std::move(f.kept), f.kept_why});
  }

  Evidence::Transaction tx = evidence_.begin();
  uint64_t first = UINT64_MAX;
  uint64_t last = 0;
  const auto destroy_row = [&](const Uuid& collection, const store::Row& row) {
    tx.change.destroy(row);
    tx.change.remove(collection, row.id, row.version);
    first = std::min(first, row.item.seq);
    last = std::max(last, row.item.seq);
  };
  std::set<std::string> ids;
  for (const auto& r : due) {
    destroy_row(into, r.row);
    ids.insert(r.row.id);
  }
  for (const auto& row : empty_manifests) destroy_row(proofs, row);
  for (const auto& id : ids) {
    TRY(const auto here, cx_.store.find(into, id));
    const bool all = std::ranges::all_of(here, [&](const store::Row& r) {
      return std::ranges::any_of(due, [&](const Retained& x) { return x.row.date_added == r.date_added; });
    });
    if (!all) continue;  // a version that came later is kept until its own term is over
    CHECK_OK(add_written(tx.change, into, gone_text(here.back(), now), kDestroyedBy, state.agreement_id));
    tx.change.set(kDestroyedSpace, destroyed_key(cx_, state.agreement_id, peer, id),
                  fmt::format("{} {}", to_text(now), d.article));
  }
  for (const auto& r : held)
    tx.change.set(kHeldToldSpace, destroyed_key(cx_, r.agreement, r.peer, r.row.id), r.term.hold);
  count_returned(due, tx.change);
  TRY(const auto leaf, tx.add_leaf(state.agreement_id, state.document->hash, kDeletionLeaf, peer, d.salt, d.record()));
  d.leaf_index = leaf.index;
  d.leaf = leaf.text;
  d.kid = cx_.config.node_kid;
  d.signature = sign_deletion(d, cx_.node_key);
  const Uuid out = released(state.agreement_id, me, peer);
  CHECK_OK(add_written(tx.change, out, deletion_object(d), me, state.agreement_id));
  if (last > 0) {
    // The files are written anew afterwards; a crash before that is made good at the next run.
    if (const auto pending = cx_.store.get(kScrubSpace, ""); pending.ok()) {
      ByteReader r(*pending);
      first = std::min(first, r.u64());
      last = std::max(last, r.u64());
    }
    std::string range;
    put_u64(range, first);
    put_u64(range, last);
    tx.change.set(kScrubSpace, "", range);
  }
  auto outcome = std::move(tx).commit();
  if (!outcome.ok()) return std::move(outcome).error();
  done.objects += due.size();
  done.manifests += empty_manifests.size();
  ++done.receipts;
  notify_(out);
  notify_(into);
  return {};
}

Status Destruction::scrub() {
  const auto pending = cx_.store.get(kScrubSpace, "");
  if (!pending.ok()) return {};
  ByteReader r(*pending);
  const uint64_t first = r.u64();
  const uint64_t last = r.u64();
  if (r.done()) CHECK_OK(cx_.store.scrub(first, last));
  store::Change change;
  change.expect(kScrubSpace, "", *pending);
  change.erase(kScrubSpace, "");
  auto done = cx_.store.commit_wait(std::move(change));
  if (!done.ok()) return std::move(done).error();
  return {};
}

}  // namespace entente::exchange
