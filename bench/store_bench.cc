// How fast the log with its projections takes objects and gives pages. Usage: store_bench DIR [objects…]; DIR must not
// exist.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <time.h>

#include "store/store.h"

namespace {

using namespace entente;
using Seconds = std::chrono::duration<double>;

// On a busy machine the truer figure.
double cpu_seconds(clockid_t of) {
  timespec t{};
  clock_gettime(of, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double since(std::chrono::steady_clock::time_point t) { return Seconds(std::chrono::steady_clock::now() - t).count(); }

const Uuid kCollection = name_uuid(Uuid{}, "bench");

struct Object {
  std::string id;
  std::string raw;
  Uuid uuid;
};

// About 730 octets: random hexadecimal and words, as indicators have.
Object make_object(std::mt19937_64& random) {
  Object o;
  for (auto& b : o.uuid.b) b = static_cast<uint8_t>(random());
  o.uuid.b[6] = static_cast<uint8_t>((o.uuid.b[6] & 0x0f) | 0x40);
  o.uuid.b[8] = static_cast<uint8_t>((o.uuid.b[8] & 0x3f) | 0x80);
  o.id = "indicator--" + o.uuid.text();
  std::string text;
  while (text.size() < 260) text += fmt::format("{:x} phishing ", random() & 0xffffff);
  o.raw = fmt::format(
      R"({{"type":"indicator","spec_version":"2.1","id":"{}","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"{}","pattern":"[url:value = 'http://{:x}.example/{:x}']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","indicator_types":["malicious-activity"],"object_marking_refs":["marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"],"confidence":{}}})",
      o.id, text, random(), random(), random() % 100);
  return o;
}

stix::Summary summary_of(const Object& o) {
  stix::Summary s;
  s.type = "indicator";
  s.id = o.id;
  s.uuid = o.uuid;
  s.cls = stix::Class::kSdo;
  s.spec_version = "2.1";
  s.version = "2026-01-01T00:00:00.000Z";
  s.version_time = {1767225600, 0};
  return s;
}

template <class T>
T must(Result<T> r) {
  if (!r.ok()) {
    fmt::print(stderr, "{}\n", r.error().text());
    std::exit(2);
  }
  return std::move(r).value();
}

void load(store::Store& store, std::mt19937_64& random, size_t objects) {
  constexpr size_t kRecord = 1000;
  std::mutex mutex;
  std::condition_variable ready;
  int in_flight = 0;
  double making = 0;
  const double cpu = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  const auto began = std::chrono::steady_clock::now();
  for (size_t n = 0; n < objects; n += kRecord) {
    const auto make = std::chrono::steady_clock::now();
    std::vector<Object> made;
    for (size_t i = 0; i < kRecord; ++i) made.push_back(make_object(random));
    making += since(make);
    store::Change change;
    for (auto& o : made) change.add(kCollection, summary_of(o), std::move(o.raw), "m");
    {
      std::unique_lock lock(mutex);
      ready.wait(lock, [&] { return in_flight < 8; });
      ++in_flight;
    }
    store.commit(std::move(change), [&](Result<store::Outcome> r) {
      must(std::move(r));
      const std::lock_guard lock(mutex);
      --in_flight;
      ready.notify_one();
    });
  }
  {
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return in_flight == 0; });
  }
  const double s = since(began);
  fmt::print(
      "load: {} objects in records of {}: {:.0f} objects/s (processor: {:.1f} us per object in all, {:.1f} of them the "
      "maker's)\n",
      objects, kRecord, static_cast<double>(objects) / s,
      1e6 * (cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / static_cast<double>(objects),
      1e6 * making / static_cast<double>(objects));
}

void singles(store::Store& store, int threads, double seconds) {
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> done = 0;
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t) + std::random_device()());
      while (!stop) {
        Object o = make_object(random);
        store::Change change;
        change.add(kCollection, summary_of(o), std::move(o.raw), "m");
        must(store.commit_wait(std::move(change)));
        ++done;
      }
    });
  }
  std::this_thread::sleep_for(Seconds(seconds));
  stop = true;
  for (auto& t : all) t.join();
  fmt::print("single objects, {} waiting threads: {:.0f}/s\n", threads, static_cast<double>(done) / seconds);
}

void pages(store::Store& store, std::mt19937_64& random, double seconds, bool all) {
  // From random depths, five pages on: as many clients at different places.
  const auto newest = store.newest(kCollection).value();
  store::Query first;
  first.all = true;
  first.limit = 1;
  const Time oldest = must(store.page(kCollection, first)).rows.at(0).date_added;
  uint64_t count = 0;
  size_t bytes = 0;
  std::string buffer;
  const double cpu = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
  const auto began = std::chrono::steady_clock::now();
  while (since(began) < seconds) {
    store::Query q;
    q.all = all;
    q.upto = newest;
    q.added_after = oldest.plus_us(static_cast<int64_t>(random() % static_cast<uint64_t>(newest.us - oldest.us)));
    for (int i = 0; i < 5; ++i) {
      const store::Page page = must(store.page(kCollection, q));
      if (page.rows.empty()) break;
      buffer.clear();
      if (!store.raw(page.rows, [&](size_t, std::string_view raw) { buffer += raw; }).ok()) std::exit(2);
      bytes += buffer.size();
      ++count;
      q.added_after = page.rows.back().date_added;
      if (!page.more) break;
    }
  }
  const double s = since(began);
  fmt::print("pages of 1000 with octets ({}): {:.0f} pages/s, {:.0f} MB/s, {:.2f} ms of processor each\n",
             all ? "all" : "last", static_cast<double>(count) / s, static_cast<double>(bytes) / s / 1e6,
             1e3 * (cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - cpu) / static_cast<double>(count));
}

void by_id(store::Store& store, std::mt19937_64& random, double seconds) {
  const auto newest = store.newest(kCollection).value();
  store::Query q;
  q.all = true;
  q.limit = 1000;
  std::vector<std::string> ids;
  const Time oldest = must(store.page(kCollection, q)).rows.at(0).date_added;
  for (int i = 0; i < 20; ++i) {
    q.added_after = oldest.plus_us(static_cast<int64_t>(random() % static_cast<uint64_t>(newest.us - oldest.us)));
    for (const auto& row : must(store.page(kCollection, q)).rows) ids.push_back(row.id);
  }
  uint64_t count = 0;
  const auto began = std::chrono::steady_clock::now();
  while (since(began) < seconds) {
    const auto rows = must(store.find(kCollection, ids[random() % ids.size()]));
    if (rows.empty() || must(store.raw(rows[0])).empty()) std::exit(2);
    ++count;
  }
  fmt::print("one object by id, with octets: {:.0f}/s\n", static_cast<double>(count) / since(began));
}

uint64_t size_of(const std::string& dir) {
  uint64_t n = 0;
  for (const auto& e : std::filesystem::recursive_directory_iterator(dir)) {
    if (e.is_regular_file()) n += e.file_size();
  }
  return n;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: store_bench DIR [objects…]: a DIR that exists is only read\n");
    return 2;
  }
  const std::string dir = argv[1];
  std::vector<size_t> sizes;
  for (int i = 2; i < argc; ++i) sizes.push_back(std::stoul(argv[i]));
  const bool only_read = std::filesystem::exists(dir);
  if (only_read) {
    sizes = {0};
  } else if (sizes.empty()) {
    sizes = {10'000, 1'000'000};
  }

  SystemClock clock;
  Metrics metrics;
  std::mt19937_64 random(1);
  size_t there = 0;
  for (const size_t size : sizes) {
    store::Store store;
    auto opening = std::chrono::steady_clock::now();
    auto log = must(log::open_rocks({dir}, store, clock, metrics));
    store.attach(*log);
    fmt::print("--- {} objects (opened in {:.3f} s)\n", size, since(opening));
    if (!only_read) load(store, random, size - there);
    pages(store, random, 3, true);
    pages(store, random, 3, false);
    by_id(store, random, 2);
    if (only_read) break;
    singles(store, 1, 2);
    singles(store, 16, 3);
    there = store.count(kCollection);
    fmt::print("on disk: {:.0f} octets per object (of about 730)\n",
               static_cast<double>(size_of(dir)) / static_cast<double>(there));
  }
  return 0;
}
