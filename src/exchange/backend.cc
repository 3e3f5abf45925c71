// The TAXII face of the exchange: who may see and write which collection, and pages of them. Protocol is taxii's
// business, not ours.
#include <algorithm>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "exchange/exchange.h"
#include "exchange/names.h"
#include "exchange/receipts.h"

namespace entente::exchange {
namespace {

constexpr std::string_view kLocal = "/local/";
constexpr std::string_view kActs = "/acts/";

// Caller ids are "person ROLE NAME" or "party XX".
std::optional<Role> role_of(const taxii::Caller& caller) {
  if (!caller.id.starts_with("person ")) return std::nullopt;
  const size_t space = caller.id.find(' ', 7);
  return parse_role(std::string_view(caller.id).substr(7, space == std::string::npos ? std::string::npos : space - 7));
}

std::vector<std::string> parties_of(const taxii::Caller& caller) {
  std::vector<std::string> out;
  if (!caller.id.starts_with("party ")) return out;
  for (size_t i = 6; i + 2 <= caller.id.size(); i += 3) out.push_back(caller.id.substr(i, 2));
  return out;
}

Error no_such_root() { return make_error(ErrorKind::kNotFound, "there is no such API root, or it is not for you"); }
Error no_such_collection() {
  return make_error(ErrorKind::kNotFound, "there is no such collection, or it is not for you");
}

// The octets of a page, read from the store as the client takes them: a slow reader of large objects costs a piece. The
// log only grows, so what the page named is there when its turn comes.
class PageTexts final : public net::BodySource {
 public:
  PageTexts(const store::Store& store, std::vector<store::Ref> refs) : store_(store), refs_(std::move(refs)) {}

  Result<bool> next(std::string& out) override {
    constexpr size_t kPiece = 256 * 1024;
    const size_t had = out.size();
    while (at_ < refs_.size() && out.size() - had < kPiece) {
      // As many as should fill the piece, going by those before; few at first.
      const size_t room = kPiece - (out.size() - had);
      const size_t likely = at_ == 0 ? 8 : room * at_ / std::max<size_t>(octets_, 1) + 1;
      const size_t n = std::min({likely, refs_.size() - at_, size_t{256}});
      const size_t before = out.size();
      CHECK_OK(store_.raw(std::span(refs_).subspan(at_, n), [&](size_t, std::string_view raw) {
        if (raw.empty()) return;  // destroyed: it is not there any more
        if (std::exchange(any_, true)) out += ',';
        out += raw;
      }));
      at_ += n;
      octets_ += out.size() - before;
    }
    return at_ < refs_.size();
  }

 private:
  const store::Store& store_;
  std::vector<store::Ref> refs_;
  size_t at_ = 0;
  size_t octets_ = 0;
  bool any_ = false;
};

}  // namespace

Result<taxii::Caller> Exchange::authenticate(const net::Request& request) {
  const std::string_view authorization = request.header("Authorization");
  if (!authorization.empty()) {
    TRY(const Person person, directory_->authenticate(authorization, request.remote));
    return taxii::Caller{"person " + std::string(to_text(person.role)) + " " + person.name, to_text(person.scope)};
  }
  if (!request.peer_spki.empty()) {
    std::set<std::string> parties;
    for (auto& p : instruments_->parties_of(request.peer_spki)) parties.insert(p);
    if (auto p = directory_->party_of(request.peer_spki)) parties.insert(*p);
    parties.erase(cx_.config.party);
    if (!parties.empty()) {
      std::string id = "party";
      for (const auto& p : parties) id += " " + p;
      return taxii::Caller{id};
    }
    return make_error(
        ErrorKind::kUnauthenticated,
        "PARTY_KEY_UNKNOWN: this client certificate's key is pinned in no agreement and for no partner of this node",
        {}, "have the key pinned: 'entente peer add' here, and the agreement's tls_spki_sha256");
  }
  return make_error(ErrorKind::kUnauthenticated, "who asks is not known", {},
                    "send Authorization: Bearer TOKEN or Basic, or a client certificate that an agreement pins");
}

std::string Exchange::title() { return cx_.config.name + " (" + cx_.config.party + "), entente node"; }
std::string Exchange::contact() { return {}; }

std::vector<taxii::RootInfo> Exchange::roots(const taxii::Caller& caller) {
  std::vector<taxii::RootInfo> out;
  if (role_of(caller)) {
    out.push_back(
        {std::string(kLocal), "Own people and tools", "Own content, sightings, and what partners gave us", 64u << 20});
    return out;
  }
  const auto parties = parties_of(caller);
  if (parties.empty()) return out;
  out.push_back({std::string(kActs), "Acts", "Signed acts of agreements, also before they are in force", 64u << 20});
  for (const auto& s : instruments_->states()) {
    // A root is shown once the text is final; what it serves is another question.
    if (s->kind == agreement::StateKind::kDraft || s->kind == agreement::StateKind::kAbandoned) continue;
    const auto was = [&](const std::string& p) {
      return s->document->party(p) != nullptr || s->recallable(cx_.config.party, p);
    };
    const bool member = std::ranges::any_of(parties, was);
    if (member && (s->document->party(cx_.config.party) != nullptr || !s->began.empty()))
      out.push_back({agreement_root(*s->document), s->document->title, s->agreement_id, 64u << 20});
  }
  return out;
}

Result<std::vector<Exchange::Access>> Exchange::accesses(const taxii::Caller& caller, const std::string& root) {
  std::vector<Access> out;
  const std::string& me = cx_.config.party;
  if (root == kLocal) {
    const auto role = role_of(caller);
    if (!role) return no_such_root();
    const bool writes =
        *role == Role::kAnalyst || *role == Role::kPublisher || *role == Role::kReleaseOfficer || *role == Role::kAdmin;
    const bool sees = *role != Role::kLiaison;
    out.push_back({inbox(me), "inbox", "Own content", sees, writes, false});
    out.push_back(
        {sightings(me), "sightings", "Sightings of own sensors", sees, writes || *role == Role::kSensor, false});
    for (const auto& s : instruments_->states()) {
      if (s->document->party(me) == nullptr && !s->began.contains(me)) continue;
      for (const auto& p : partners_of(*s, me))
        out.push_back({received(s->agreement_id, p, me), received_alias(p, s->agreement_id),
                       "Received from " + p + ": " + s->document->title, sees, false, false});
    }
    const Scope scope = parse_scope(caller.scope);
    if (!scope.collections.empty()) {
      const auto named = [&](const std::string& name) {
        return std::ranges::find(scope.collections, name) != scope.collections.end();
      };
      std::erase_if(out, [&](const Access& a) { return !named(a.alias) && !named(a.collection.text()); });
    }
    if (scope.read_only) {
      for (auto& a : out) a.write = false;
    }
    return out;
  }
  const auto parties = parties_of(caller);
  if (root == kActs) {
    for (const auto& p : parties)
      out.push_back({acts_for(me, p), "to-" + lower(p), "Acts for " + p, true, false, false});
    if (out.empty()) return no_such_root();
    return out;
  }
  const auto state = instruments_->by_root(root);
  if (!state || (state->document->party(me) == nullptr && !state->began.contains(me))) return no_such_root();
  for (const auto& p : parties) {
    // Whom an amendment dropped still reads the recalls of what it was given, and still answers them.
    if (state->document->party(p) == nullptr && !state->recallable(me, p)) continue;
    // Permits stop with the agreement; recalls still have to be read while it is suspended and after its end, so the
    // collection stays readable, and shows nothing new but them.
    const bool readable = state->live(me, p) || state->recallable(me, p);
    out.push_back({released(state->agreement_id, me, p), "to-" + lower(p), "Released to " + p, readable, false, true});
  }
  if (out.empty()) return no_such_root();
  if (std::none_of(out.begin(), out.end(), [](const Access& a) { return a.read; })) {
    std::string waiting;
    for (const auto& w : state->waiting_for) waiting += (waiting.empty() ? "" : "; ") + w;
    return make_error(
        ErrorKind::kDenied,
        "NOT_YET_IN_FORCE: the agreement is " + std::string(agreement::to_text(state->kind)) + " and not in force",
        state->agreement_id, waiting.empty() ? "see 'entente agreement state'" : "waiting for: " + waiting);
  }
  return out;
}

Result<Exchange::Access> Exchange::access(const taxii::Caller& caller, const std::string& root,
                                          const std::string& collection_id) {
  TRY(std::vector<Access> all, accesses(caller, root));
  for (auto& a : all) {
    if (a.collection.text() == collection_id || a.alias == collection_id) {
      if (!a.read && !a.write) return no_such_collection();
      return std::move(a);
    }
  }
  return no_such_collection();
}

Result<std::vector<taxii::CollectionInfo>> Exchange::collections(const taxii::Caller& caller, const std::string& root) {
  TRY(const std::vector<Access> all, accesses(caller, root));
  std::vector<taxii::CollectionInfo> out;
  for (const auto& a : all) {
    if (a.read || a.write) out.push_back({a.collection.text(), a.alias, a.title, {}, a.read, a.write});
  }
  return out;
}

Result<taxii::Page> Exchange::page(const taxii::Caller& caller, const std::string& root,
                                   const std::string& collection_id, const taxii::Filter& filter, bool want_body) {
  TRY(const Access a, access(caller, root, collection_id));
  if (!a.read) return make_error(ErrorKind::kDenied, "you may write this collection, not read it");
  store::Query q;
  q.added_after = filter.added_after;
  q.upto = filter.upto;
  q.resume = filter.resume;
  q.limit = filter.limit;
  q.ids = filter.ids;
  q.types = filter.types;
  q.spec_versions = filter.spec_versions;
  q.all = filter.all;
  q.first = filter.first;
  q.last = filter.last;
  q.exact = filter.exact;
  q.brief = want_body;
  if (a.ledgered) {
    const Time bound = evidence_->visible_upto();
    if (bound.us != INT64_MAX) q.upto = q.upto ? std::min(*q.upto, bound) : bound;
  }
  taxii::Page out;
  out.snapshot = cx_.store.last_time();
  TRY(store::Page rows, cx_.store.page(a.collection, q));
  out.more = rows.more;
  if (!rows.rows.empty()) {
    out.first = rows.rows.front().date_added;
    out.last = rows.rows.back().date_added;
    out.items.reserve(rows.rows.size());
    for (const auto& r : rows.rows) out.items.push_back({r.id, r.version, r.date_added});
  }
  if (!rows.refs.empty()) {
    out.first = rows.refs.front().date_added;
    out.last = rows.refs.back().date_added;
    out.objects = std::make_shared<PageTexts>(cx_.store, std::move(rows.refs));
  }
  return out;
}

Result<bool> Exchange::has(const taxii::Caller& caller, const std::string& root, const std::string& collection_id,
                           const std::string& object_id) {
  TRY(const Access a, access(caller, root, collection_id));
  TRY(const auto rows, cx_.store.find(a.collection, object_id));
  if (!a.ledgered) return !rows.empty();
  const Time bound = evidence_->visible_upto();
  return std::any_of(rows.begin(), rows.end(), [&](const store::Row& r) { return r.date_added <= bound; });
}

void Exchange::add(const taxii::Caller& caller, const std::string& root, const std::string& collection_id,
                   std::string body, std::function<void(Result<taxii::StatusInfo>)> done) {
  auto a = access(caller, root, collection_id);
  if (!a.ok()) return done(a.error());
  if (!a->write) return done(make_error(ErrorKind::kDenied, "you may read this collection, not write it"));
  RowMeta meta;
  meta.by = caller.id;
  const Uuid collection = a->collection;
  admission_->admit(collection, meta, body,
                    [this, collection, done = std::move(done)](Result<taxii::StatusInfo> status) mutable {
                      // On the committer's thread: hand over at once.
                      if (status.ok() && status->success > 0) signal_work();
                      cx_.post([this, collection, done = std::move(done), status = std::move(status)]() mutable {
                        // Waiters first: who gets the answer may take this exchange down.
                        if (status.ok() && status->success > 0) notifier_->notify(collection);
                        done(std::move(status));
                      });
                    });
}

Result<taxii::StatusInfo> Exchange::status(const taxii::Caller& caller, const std::string& root,
                                           const std::string& status_id) {
  if (root != kLocal) return make_error(ErrorKind::kNotFound, "there is no such status");
  return find_status(cx_.store, status_id, caller.id);
}

Status Exchange::remove(const taxii::Caller& caller, const std::string& root, const std::string& collection_id,
                        const std::string& object_id, const taxii::Filter& filter) {
  TRY(const Access a, access(caller, root, collection_id));
  if (!a.read || !a.write)
    return make_error(ErrorKind::kDenied, "deleting needs the right to read and to write the collection");
  store::Query q;
  q.ids = {object_id};
  q.all = filter.all;
  q.first = filter.first;
  q.last = filter.last;
  q.exact = filter.exact;
  q.spec_versions = filter.spec_versions;
  TRY(const store::Page rows, cx_.store.page(a.collection, q));
  if (rows.rows.empty())
    return make_error(ErrorKind::kNotFound, "there is no such object in this collection", object_id);
  CHECK_OK(private_log_->operator_act(caller.id, "DELETE",
                                      root + "collections/" + collection_id + "/objects/" + object_id, {}));
  store::Change change;
  for (const auto& r : rows.rows) change.remove(a.collection, r.id, r.version);
  auto done = cx_.store.commit_wait(std::move(change));
  if (!done.ok()) return std::move(done).error();
  return {};
}

void Exchange::wait(const taxii::Caller& caller, const std::string& root, const std::string& collection_id, Time after,
                    int64_t timeout_ms, std::function<void()> wake) {
  auto a = access(caller, root, collection_id);
  if (!a.ok() || closed_) return wake();
  const bool ledgered = a->ledgered;
  const Uuid collection = a->collection;
  notifier_->wait(
      collection, cx_.clock.steady_us() + timeout_ms * 1000,
      [&] {
        const auto newest = cx_.store.newest(collection);
        return newest && *newest > after && (!ledgered || *newest <= evidence_->visible_upto());
      },
      std::move(wake));
}

std::vector<std::string> Exchange::parties(const taxii::Caller& caller) { return parties_of(caller); }

bool Exchange::may_read_ledger(const taxii::Caller& caller, std::string_view agreement_uuid) {
  if (const auto role = role_of(caller)) return *role == Role::kAuditor || *role == Role::kAdmin;
  const auto state = instruments_->state("urn:uuid:" + std::string(agreement_uuid));
  if (!state || !state->document || state->kind == agreement::StateKind::kDraft) return false;
  const auto parties = parties_of(caller);
  return std::ranges::any_of(parties, [&](const auto& p) {
    return state->document->party(p) != nullptr || state->recallable(cx_.config.party, p);
  });
}

}  // namespace entente::exchange
