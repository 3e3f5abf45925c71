// The store against a slow, obvious model: random histories, then random queries, must agree on both engines.
#include "store/store.h"

#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/crypto.h"
#include "log/mem_log.h"

namespace entente::store {
namespace {

using testing::ElementsAre;

std::string scratch_dir() {
  std::string dir = std::filesystem::temp_directory_path() / "entente-store-XXXXXX";
  if (mkdtemp(dir.data()) == nullptr) std::abort();
  return dir;
}

Uuid collection_at(int n) {
  Uuid u;
  u.b[15] = static_cast<uint8_t>(n);
  return u;
}

// An object version as a test writes it.
struct Thing {
  std::string type;
  std::string id;
  std::string version;
  std::string spec = "2.1";
  bool revoked = false;
  std::string raw;

  [[nodiscard]] stix::Summary summary() const {
    stix::Summary s;
    s.type = type;
    s.id = id;
    s.spec_version = spec;
    s.version = version;
    if (!version.empty()) s.version_time = stix::parse_timestamp(version).value();
    s.revoked = revoked;
    return s;
  }
};

// Either engine, with restarts.
class Node {
 public:
  explicit Node(bool rocks) : rocks_(rocks) {
    if (rocks_) dir_ = scratch_dir();
    open();
  }
  ~Node() {
    log_.reset();
    if (rocks_) std::filesystem::remove_all(dir_);
  }
  void restart() {
    if (mem_ != nullptr) disk_ = mem_->disk();
    log_.reset();
    mem_ = nullptr;
    open();
  }
  std::vector<std::string> check() {
    Store fresh;
    auto found = log_->check(fresh, nullptr);
    if (!found.ok()) return {found.error().text()};
    return *found;
  }
  ManualClock clock{Time{1'800'000'000'000'000}};
  std::unique_ptr<Store> store;
  [[nodiscard]] log::Log& log() { return *log_; }

 private:
  void open() {
    store = std::make_unique<Store>();
    if (rocks_) {
      auto opened = log::open_rocks({dir_}, *store, clock, metrics_);
      if (!opened.ok()) throw std::runtime_error(opened.error().text());
      log_ = *std::move(opened);
    } else {
      auto opened = log::MemLog::open(disk_, *store, clock);
      if (!opened.ok()) throw std::runtime_error(opened.error().text());
      mem_ = opened->get();
      log_ = *std::move(opened);
    }
    store->attach(*log_);
  }
  bool rocks_;
  std::string dir_;
  Metrics metrics_;
  std::shared_ptr<log::MemDisk> disk_;
  log::MemLog* mem_ = nullptr;
  std::unique_ptr<log::Log> log_;
};

// What a collection means, without an index.
struct Model {
  struct Held {
    Thing thing;
    Uuid collection;
    int64_t date;
    std::string meta;
    [[nodiscard]] stix::Timestamp instant() const {
      if (!thing.version.empty()) return stix::parse_timestamp(thing.version).value();
      return stix::parse_timestamp(to_text(Time{date})).value();
    }
  };
  std::vector<Held> rows;  // by date

  Added add(const Uuid& c, const Thing& t, int64_t date, std::string meta) {
    for (const auto& r : rows) {
      if (r.collection != c || r.thing.id != t.id || r.thing.version.empty() != t.version.empty()) continue;
      if (!t.version.empty() && r.instant() != stix::parse_timestamp(t.version).value()) continue;
      return r.thing.raw == t.raw ? Added::kDuplicate : Added::kConflict;
    }
    rows.push_back({t, c, date, std::move(meta)});
    return Added::kAdded;
  }
  void remove(const Uuid& c, const std::string& id, const std::string& version) {
    std::erase_if(rows, [&](const Held& r) {
      if (r.collection != c || r.thing.id != id) return false;
      return version.empty() || r.instant() == stix::parse_timestamp(version).value();
    });
  }
  [[nodiscard]] std::vector<Held> page(const Uuid& c, const Query& q, bool& more) const {
    std::vector<Held> left;
    const auto in = [](const std::vector<std::string>& list, const std::string& s) {
      return list.empty() || std::find(list.begin(), list.end(), s) != list.end();
    };
    for (const auto& r : rows) {
      if (r.collection != c) continue;
      if (q.added_after && r.date <= q.added_after->us) continue;
      if (q.upto && r.date > q.upto->us) continue;
      if (!in(q.ids, r.thing.id) || !in(q.types, r.thing.type) || !in(q.spec_versions, r.thing.spec)) continue;
      left.push_back(r);
    }
    if (q.spec_versions.empty()) {
      std::map<std::string, std::string> newest;
      for (const auto& r : left) newest[r.thing.id] = std::max(newest[r.thing.id], r.thing.spec);
      std::erase_if(left, [&](const Held& r) { return r.thing.spec != newest[r.thing.id]; });
    }
    std::map<std::string, std::pair<stix::Timestamp, stix::Timestamp>> ends;
    for (const auto& r : left) {
      auto [it, fresh] = ends.try_emplace(r.thing.id, r.instant(), r.instant());
      it->second.first = std::min(it->second.first, r.instant());
      it->second.second = std::max(it->second.second, r.instant());
    }
    std::vector<Held> out;
    for (const auto& r : left) {
      const auto& [first, last] = ends.at(r.thing.id);
      const bool match = q.all || (q.first && r.instant() == first) || (q.last && r.instant() == last) ||
                         std::find(q.exact.begin(), q.exact.end(), r.instant()) != q.exact.end();
      if (match && (!q.resume || r.date > q.resume->us)) out.push_back(r);
    }
    more = out.size() > q.limit;
    if (more) out.resize(q.limit);
    return out;
  }
};

std::string show(const Row& r) {
  return fmt::format("{} {} {} {} {} {} {}", r.date_added.us, r.type, r.id, r.version, r.spec_version, r.revoked,
                     r.meta);
}
std::string show(const Model::Held& r) {
  return fmt::format("{} {} {} {} {} {} {}", r.date, r.thing.type, r.thing.id,
                     r.thing.version.empty() ? to_text(Time{r.date}) : r.thing.version, r.thing.spec, r.thing.revoked,
                     r.meta);
}
template <class T>
std::vector<std::string> show_all(const std::vector<T>& rows) {
  std::vector<std::string> out;
  for (const auto& r : rows) out.push_back(show(r));
  return out;
}

template <class T>
T pick(const std::vector<T>& from) {
  return *rc::gen::elementOf(from);
}
int number(int below) { return *rc::gen::inRange(0, below); }

const std::vector<std::string> kTypes = {"indicator", "malware", "file"};
const std::vector<std::string> kVersions = {
    "2026-01-01T00:00:01Z", "2026-01-01T00:00:01.000Z", "2026-01-01T00:00:02Z",  "2026-01-01T00:00:02.000001Z",
    "2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z",     "1969-12-31T23:59:59.5Z"};

Thing random_thing(int ids, int versions) {
  Thing t;
  const int n = number(ids);
  t.type = kTypes[static_cast<size_t>(n) % kTypes.size()];
  t.id = fmt::format("{}--00000000-0000-4000-8000-{:012x}", t.type, n);
  if (n % 7 == 5) t.id = fmt::format("{}--ODD-{}", t.type, n);
  // Mostly versioned types with versions; `file` (an SCO) without; now and then a mixture, which must not break
  // anything.
  const bool versioned = t.type == "file" ? number(12) == 0 : number(12) != 0;
  if (versioned) {
    const int v = number(versions);
    t.version = v < static_cast<int>(kVersions.size()) ? kVersions[static_cast<size_t>(v)]
                                                       : fmt::format("2026-04-01T00:{:02}:{:02}Z", v / 60, v % 60);
  }
  t.spec = number(8) == 0 ? "2.0" : "2.1";
  t.revoked = number(5) == 0;
  t.raw = fmt::format("{}|{}|{}", t.id, t.version.empty() ? "" : to_text(stix::parse_timestamp(t.version)->cut()),
                      number(3) == 0 ? "other" : "text");
  return t;
}

Query random_query(const Model& model, const std::vector<Time>& cuts) {
  Query q;
  const auto some_time = [&] {
    Time t = pick(cuts);
    if (!model.rows.empty() && number(2) == 0) t = Time{pick(model.rows).date};
    return t.plus_us(number(3) - 1);
  };
  if (number(2) == 0) q.added_after = some_time();
  if (number(2) == 0) q.upto = some_time();
  if (number(3) == 0) q.resume = some_time();
  q.limit = number(4) == 0 ? static_cast<size_t>(number(4)) + 1 : 1000;
  if (number(3) == 0 && !model.rows.empty()) {
    for (int i = number(3); i >= 0; --i) q.ids.push_back(pick(model.rows).thing.id);
  }
  if (number(3) == 0) q.types.push_back(pick(kTypes));
  if (number(3) == 0) q.spec_versions.push_back(number(2) == 0 ? "2.0" : "2.1");
  q.all = number(4) == 0;
  q.first = number(3) == 0;
  q.last = number(3) != 0;
  if (number(3) == 0 && !model.rows.empty()) q.exact.push_back(pick(model.rows).instant());
  return q;
}

// One random life of a store. `many`: few ids and hundreds of versions, so that lists of versions spill.
void live(bool rocks, bool many) {
  Node node(rocks);
  Model model;
  std::vector<Time> cuts = {node.clock.now()};
  Time last_date{0};
  const int ids = many ? 3 : 12;
  const int versions = many ? 120 : 9;
  const int changes = many ? 12 : number(25) + 1;
  for (int i = 0; i < changes; ++i) {
    Change change;
    std::vector<std::function<Added(int64_t)>> dated;
    std::vector<std::function<void(int64_t first)>> steps;
    std::vector<Added> want_added;
    std::vector<Added> want_shared;
    uint32_t k = 0;
    for (int ops = number(many ? 60 : 12); ops >= 0; --ops) {
      const Uuid c = collection_at(number(2));
      const int kind = number(10);
      if (kind < 7) {
        const Thing t = random_thing(ids, versions);
        const std::string meta = number(3) == 0 ? fmt::format("m{}", number(3)) : "";
        change.add(c, t.summary(), t.raw, meta);
        steps.emplace_back([&model, &want_added, c, t, meta, k](int64_t first) {
          want_added.push_back(model.add(c, t, first + k, meta));
        });
        ++k;
      } else if (kind < 8 && !model.rows.empty()) {
        const auto held = pick(model.rows);
        auto rows = node.store->find(held.collection, held.thing.id);
        RC_ASSERT(rows.ok());
        for (const auto& row : *rows) {
          if (row.date_added.us != held.date) continue;
          change.share(c, row, "shared");
          steps.emplace_back([&model, &want_shared, c, held, k](int64_t first) {
            want_shared.push_back(model.add(c, held.thing, first + k, "shared"));
          });
          ++k;
        }
      } else {
        const Thing t = random_thing(ids, versions);
        std::string version = number(2) == 0 && !many ? std::string() : t.version;
        if (number(4) == 0 && !model.rows.empty()) version = to_text(Time{pick(model.rows).date});
        if (many && version.empty() && number(20) != 0) continue;
        change.remove(c, t.id, version);
        steps.emplace_back([&model, c, t, version](int64_t) { model.remove(c, t.id, version); });
      }
    }
    auto outcome = node.store->commit_wait(std::move(change));
    if (!outcome.ok()) RC_FAIL(outcome.error().text());
    for (const auto& step : steps) step(outcome->first_time.us);
    RC_ASSERT(outcome->added == want_added);
    RC_ASSERT(outcome->shared == want_shared);
    RC_ASSERT(outcome->first_time > last_date);
    last_date = outcome->first_time.plus_us(std::max<int64_t>(k, 1) - 1);
    RC_ASSERT(node.store->last_time() == last_date);

    node.clock.advance_us(number(3) == 0 ? -5'000'000 : number(2000));
    cuts.push_back(last_date);
    if (number(10) == 0) node.restart();
  }
  for (int i = 0; i < 12; ++i) {
    const Query q = random_query(model, cuts);
    const Uuid c = collection_at(number(2));
    auto page = node.store->page(c, q);
    if (!page.ok()) RC_FAIL(page.error().text());
    bool more = false;
    const auto want = model.page(c, q, more);
    RC_ASSERT(show_all(page->rows) == show_all(want));
    RC_ASSERT(page->more == more);
    size_t seen = 0;
    RC_ASSERT(node.store
                  ->raw(page->rows,
                        [&](size_t at, std::string_view raw) {
                          RC_ASSERT(at == seen++);
                          RC_ASSERT(raw == want[at].thing.raw);
                        })
                  .ok());
    RC_ASSERT(seen == want.size());

    // A brief page is the same one, and knows no more than where things are.
    Query brief = q;
    brief.brief = true;
    auto refs = node.store->page(c, brief);
    if (!refs.ok()) RC_FAIL(refs.error().text());
    RC_ASSERT(refs->rows.empty());
    RC_ASSERT(refs->more == more);
    RC_ASSERT(refs->refs.size() == want.size());
    for (size_t k = 0; k < want.size(); ++k) RC_ASSERT(refs->refs[k].date_added.us == want[k].date);
    seen = 0;
    RC_ASSERT(node.store
                  ->raw(refs->refs,
                        [&](size_t at, std::string_view raw) {
                          RC_ASSERT(at == seen++);
                          RC_ASSERT(raw == want[at].thing.raw);
                        })
                  .ok());
    RC_ASSERT(seen == want.size());
  }
  for (int c = 0; c < 2; ++c) {
    const auto in = [&](const Model::Held& r) { return r.collection == collection_at(c); };
    RC_ASSERT(node.store->count(collection_at(c)) ==
              static_cast<uint64_t>(std::count_if(model.rows.begin(), model.rows.end(), in)));
    const auto last = std::find_if(model.rows.rbegin(), model.rows.rend(), in);
    const auto newest = node.store->newest(collection_at(c));
    RC_ASSERT(newest.has_value() == (last != model.rows.rend()));
    if (newest) RC_ASSERT(newest->us == last->date);
  }
  if (!model.rows.empty()) {
    const std::string id = pick(model.rows).thing.id;
    auto found = node.store->find(id);
    RC_ASSERT(found.ok());
    auto want = model.rows;
    std::erase_if(want, [&](const Model::Held& r) { return r.thing.id != id; });
    RC_ASSERT(show_all(*found) == show_all(want));
  }
  RC_ASSERT(node.check().empty());
}

RC_GTEST_PROP(StoreModel, AgreesInMemory, ()) { live(false, false); }
RC_GTEST_PROP(StoreModel, AgreesInMemoryWithManyVersions, ()) { live(false, true); }

// Opening RocksDB takes most of the time: fewer rounds.
void some_rounds(int rounds, const std::function<void()>& property) {
  auto params = rc::detail::configuration().testParams;
  params.maxSuccess = rounds;
  const auto result = rc::detail::checkTestable(property, rc::detail::TestMetadata{}, params);
  if (result.is<rc::detail::SuccessResult>()) return;
  std::ostringstream why;
  rc::detail::printResultMessage(result, why);
  FAIL() << why.str();
}

TEST(StoreModel, AgreesOnDisk) {
  some_rounds(12, [] { live(true, false); });
}
TEST(StoreModel, AgreesOnDiskWithManyVersions) {
  some_rounds(4, [] { live(true, true); });
}

// A note keeps what came of the adds before it: with the objects, in one change, also after a restart.
TEST(Note, TellsTheOutcomeLater) {
  for (const bool rocks : {false, true}) {
    Node node(rocks);
    const Thing a{"indicator", "indicator--1", "2026-01-01T00:00:00.000Z", "2.1", false, "{\"a\":1}"};
    const Thing b{"indicator", "indicator--2", "2026-01-01T00:00:00.000Z", "2.1", false, "{\"b\":1}"};
    Change first;
    first.add(collection_at(1), a.summary(), a.raw);
    ASSERT_TRUE(node.store->commit_wait(std::move(first)).ok());
    Change change;
    change.add(collection_at(1), a.summary(), a.raw);
    change.add(collection_at(1), b.summary(), b.raw);
    change.add(collection_at(1), a.summary(), "{\"a\":2}");
    change.note("notes", "n", "what was meant");
    const auto outcome = node.store->commit_wait(std::move(change));
    ASSERT_TRUE(outcome.ok());
    node.restart();
    const auto note = read_note(node.store->get("notes", "n").value());
    ASSERT_TRUE(note.ok());
    EXPECT_EQ(note->value, "what was meant");
    EXPECT_THAT(note->outcome.added, ElementsAre(Added::kDuplicate, Added::kAdded, Added::kConflict));
    EXPECT_EQ(note->outcome.added, outcome->added);
    EXPECT_EQ(note->outcome.first_time, outcome->first_time);
    EXPECT_TRUE(node.check().empty());
    for (const std::string bad : {"", "\x00\x00\x00\x09", "abc"}) EXPECT_FALSE(read_note(bad).ok());
  }
}

// T65: another order of members is no other object.
TEST(Change, TheCanonicalFormDecidesWhatIsTheSame) {
  Node node(false);
  const Thing a{"indicator", "indicator--1", "2026-01-01T00:00:00.000Z", "2.1", false, "{\"a\":1,\"b\":2}"};
  Change change;
  change.add_canonical(collection_at(1), a.summary(), a.raw, "", "{\"a\":1,\"b\":2}");
  change.add_canonical(collection_at(1), a.summary(), "{ \"b\":2, \"a\":1 }", "", "{\"a\":1,\"b\":2}");
  change.add_canonical(collection_at(1), a.summary(), "{\"a\":1,\"b\":3}", "", "{\"a\":1,\"b\":3}");
  const auto outcome = node.store->commit_wait(std::move(change));
  ASSERT_TRUE(outcome.ok());
  EXPECT_THAT(outcome->added, ElementsAre(Added::kAdded, Added::kDuplicate, Added::kConflict));
  const auto rows = node.store->find(collection_at(1), "indicator--1");
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(node.store->raw(rows->front()).value(), a.raw);  // as the first one wrote it (T68)
}

}  // namespace
}  // namespace entente::store
