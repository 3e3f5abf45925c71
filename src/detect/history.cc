#include "detect/history.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "detect/internal/hash.h"
#include "detect/internal/history_segment.h"
#include "detect/internal/query.h"
#include "pattern/normal.h"

namespace entente::detect {
namespace {

constexpr int64_t kMinute = 60'000'000;

// A line of the journal: size and check, then the record, so that a cut or torn one is seen.
void append_record(std::string& out, std::string_view key, Time time, std::string_view src, std::string_view dst) {
  std::string body;
  const auto number = [&](uint64_t v, int octets) {
    for (int i = 0; i < octets; ++i) body += static_cast<char>(v >> (8 * i));
  };
  number(static_cast<uint64_t>(time.us), 8);
  number(src.size(), 1);
  body += src;
  number(dst.size(), 1);
  body += dst;
  body += key;
  const auto size = static_cast<uint32_t>(body.size());
  const auto check = static_cast<uint32_t>(hash_bytes(size, body));
  out.append(reinterpret_cast<const char*>(&size), 4).append(reinterpret_cast<const char*>(&check), 4).append(body);
}

}  // namespace

struct History::State {
  struct Numbered {
    uint64_t number;
    std::shared_ptr<const HistorySegment> segment;
  };
  struct Memory {
    std::unordered_map<std::string, HistoryEntry> values;
    uint64_t seen = 0;
  };

  State(std::string f, Files& fs, const HistoryOptions& o) : folder(std::move(f)), files(fs), options(o) {}

  std::string folder;
  Files& files;
  HistoryOptions options;
  mutable std::mutex mutex;
  std::deque<Numbered> segments;  // the oldest first
  Memory memory;
  uint64_t number = 1;   // of the segment that `memory` becomes
  std::string waiting;   // of the journal, not yet written
  uint64_t journal = 0;  // octets of it that are known to be good
  bool torn = false;     // a write failed: what stands behind them is not
  uint64_t bytes = 0, lost = 0, damaged = 0;
  int64_t last_removal = INT64_MIN;

  [[nodiscard]] std::string path(uint64_t n, const char* ending) const {
    std::string digits = std::to_string(n);
    return folder + "/" + std::string(12 - std::min<size_t>(12, digits.size()), '0') + digits + ending;
  }

  void put(std::string key, Time time, std::string_view src, std::string_view dst) {
    memory.values[std::move(key)].add(time, src, dst);
    ++memory.seen;
  }

  // The octets of the journal that hold whole records.
  uint64_t replay(std::string_view text) {
    uint64_t at = 0;
    while (text.size() - at >= 8) {
      uint32_t size = 0, check = 0;
      std::memcpy(&size, text.data() + at, 4);
      std::memcpy(&check, text.data() + at + 4, 4);
      if (size < 11 || size > text.size() - at - 8) break;
      const std::string_view body = text.substr(at + 8, size);
      if (check != static_cast<uint32_t>(hash_bytes(size, body))) break;
      const Time time{static_cast<int64_t>(load64(text.data() + at + 8))};
      const size_t src = static_cast<unsigned char>(body[8]);
      if (10 + src > size) break;
      const size_t dst = static_cast<unsigned char>(body[9 + src]);
      if (10 + src + dst >= size) break;
      put(std::string(body.substr(10 + src + dst)), time, body.substr(9, src), body.substr(10 + src, dst));
      at += 8 + size;
    }
    return at;
  }

  Status load() {
    if (options.write) CHECK_OK(files.make_dirs(folder));
    TRY(const auto names, files.list(folder));
    std::map<uint64_t, unsigned> found;  // number -> 1 segment, 2 journal
    for (const auto& name : names) {
      uint64_t n = 0;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n);
      const std::string_view ending(end, name.data() + name.size());
      if (error != std::errc{} || (ending != ".seg" && ending != ".log")) continue;
      found[n] |= ending == ".seg" ? 1U : 2U;
    }
    for (const auto& [n, what] : found) {
      number = n + 1;
      if ((what & 1U) != 0) {
        auto segment = HistorySegment::open(path(n, ".seg"), files, options.map);
        if (segment.ok()) {
          bytes += (*segment)->bytes();
          segments.push_back({n, std::move(*segment)});
          // Killed between writing it and removing its journal.
          if ((what & 2U) != 0 && options.write) static_cast<void>(files.remove(path(n, ".log")).ok());
          continue;
        }
        ++damaged;
      }
      if ((what & 2U) == 0) continue;
      const auto text = files.read(path(n, ".log"));
      if (!text.ok()) {
        ++damaged;
        continue;
      }
      const uint64_t good = replay(*text);
      if (good != text->size()) ++damaged;
      number = n;
      journal = good;
      torn = good != text->size();
    }
    return {};
  }

  Status write_journal() {
    if (torn) {
      // What a failed write left behind would hide what comes after it.
      const auto size = files.size(path(number, ".log"));
      if (size.ok() && *size > journal) CHECK_OK(files.truncate(path(number, ".log"), journal));
      torn = false;
    }
    if (waiting.empty()) return {};
    // It says who talked to whom: for nobody else to read.
    if (journal == 0) CHECK_OK(files.write_atomic(path(number, ".log"), {}, 0600));
    if (auto done = files.append(path(number, ".log"), waiting, true); !done.ok()) {
      torn = true;
      return done;
    }
    journal += waiting.size();
    waiting.clear();
    return {};
  }

  Status seal() {
    std::vector<std::pair<std::string_view, const HistoryEntry*>> sorted;
    sorted.reserve(memory.values.size());
    for (const auto& [key, e] : memory.values) sorted.emplace_back(key, &e);
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    const std::string text = write_segment(sorted);
    CHECK_OK(files.write_atomic(path(number, ".seg"), text, 0600));
    TRY(auto segment, HistorySegment::open(path(number, ".seg"), files, options.map));
    segments.push_back({number, std::move(segment)});
    bytes += text.size();
    // If this is not done, the next start does it.
    static_cast<void>(files.remove(path(number, ".log")).ok());
    memory = {};
    waiting.clear();
    journal = 0;
    torn = false;
    ++number;
    return {};
  }

  void remove_oldest() {
    static_cast<void>(files.remove(path(segments.front().number, ".seg")).ok());
    bytes -= segments.front().segment->bytes();
    segments.pop_front();
  }
};

History::History(std::unique_ptr<State> state) : state_(std::move(state)) {}
History::~History() = default;

Result<std::unique_ptr<History>> History::open(std::string folder, Files& files, const HistoryOptions& options) {
  auto state = std::make_unique<State>(std::move(folder), files, options);
  CHECK_OK(state->load());
  return std::unique_ptr<History>(new History(std::move(state)));
}

void History::add(Time time, ObservableKind kind, std::string_view text, std::string_view src, std::string_view dst) {
  std::string key = history_key(kind, text);
  if (key.empty() || key.size() > 8192) return;
  std::string host;
  if (kind == ObservableKind::kUrl) {
    const std::string_view name = url_host(std::string_view(key).substr(1));
    host = history_key(ObservableKind::kIpv4, name);
    if (host.empty()) host = history_key(ObservableKind::kDomain, name);
  }
  src = src.substr(0, 64);
  dst = dst.substr(0, 64);
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  for (std::string* k : {&key, &host}) {
    if (k->empty()) continue;
    // The disk takes nothing: memory is bounded.
    if (s.memory.values.size() >= 2 * s.options.segment_values || s.memory.seen >= 2 * s.options.segment_seen) {
      ++s.lost;
      continue;
    }
    append_record(s.waiting, *k, time, src, dst);
    s.put(std::move(*k), time, src, dst);
  }
}

Status History::flush(Time now) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  if (!s.options.write) return {};
  if (s.memory.values.size() >= s.options.segment_values || s.memory.seen >= s.options.segment_seen) {
    CHECK_OK(s.seal());
  } else {
    CHECK_OK(s.write_journal());
  }
  while (!s.segments.empty() && s.bytes + s.journal > s.options.max_bytes) s.remove_oldest();
  // At most one a minute for its age: a clock that is wrong for a moment costs little.
  const bool again = s.last_removal == INT64_MIN || now.us < s.last_removal || now.us - s.last_removal >= kMinute;
  if (!s.segments.empty() && again && s.segments.front().segment->to().us < now.us - s.options.keep_us) {
    s.remove_oldest();
    s.last_removal = now.us;
  }
  return {};
}

namespace {

using PastHits = std::map<std::pair<uint32_t, std::string>, PastHit>;

void take(PastHits& hits, Time since, uint32_t number, std::string_view key, const HistoryEntry& e) {
  if (e.last < since.us) return;
  auto [at, fresh] = hits.try_emplace({number, std::string(key)});
  PastHit& h = at->second;
  if (fresh) h = {number, kind_of_key(key), text_of_key(key), 0, Time{e.first}, Time{e.last}, {}};
  h.count += e.count;
  h.first = std::min(h.first, Time{e.first});
  h.last = std::max(h.last, Time{e.last});
  for (const auto& sight : e.sights)
    if (sight.time >= since && h.sights.size() < PastHit::kMaxSights) h.sights.push_back(sight);
}

void merge(PastHits& into, PastHits&& from) {
  for (auto& [key, hit] : from) {
    auto [at, fresh] = into.try_emplace(key, std::move(hit));
    if (fresh) continue;
    PastHit& h = at->second;
    h.count += hit.count;
    h.first = std::min(h.first, hit.first);
    h.last = std::max(h.last, hit.last);
    for (auto& sight : hit.sights)
      if (h.sights.size() < PastHit::kMaxSights) h.sights.push_back(std::move(sight));
  }
}

}  // namespace

std::vector<PastHit> History::find(std::span<const Question> questions, Time since) const {
  const State& s = *state_;
  // In the order of their keys, so that those about one block of a segment follow each other.
  std::vector<std::pair<HistoryRange, uint32_t>> sorted;
  for (const auto& q : questions)
    for (auto& r : history_ranges(q.atom))
      if (!r.from.empty()) sorted.emplace_back(std::move(r), q.number);
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first.from < b.first.from; });
  std::vector<HistoryRange> ranges;
  std::vector<uint32_t> numbers;
  for (auto& [range, number] : sorted) {
    ranges.push_back(std::move(range));
    numbers.push_back(number);
  }
  std::vector<std::shared_ptr<const HistorySegment>> segments;
  PastHits recent;
  {
    const std::lock_guard lock(s.mutex);
    for (const auto& n : s.segments)
      if (n.segment->to() >= since) segments.push_back(n.segment);
    bool wide = false;
    for (size_t i = 0; i < ranges.size(); ++i) {
      wide = wide || !ranges[i].to.empty();
      if (!ranges[i].to.empty()) continue;
      if (const auto at = s.memory.values.find(ranges[i].from); at != s.memory.values.end())
        take(recent, since, numbers[i], at->first, at->second);
    }
    if (wide) {
      for (const auto& [key, e] : s.memory.values)
        for (size_t i = 0; i < ranges.size(); ++i)
          if (!ranges[i].to.empty() && key >= ranges[i].from && key < ranges[i].to)
            take(recent, since, numbers[i], key, e);
    }
  }
  // Each thread has segments that follow each other in time, so that what is kept of the sights does not depend on how
  // many there are.
  constexpr size_t kSegmentsEach = 64, kMostThreads = 8;
  const size_t threads = std::clamp<size_t>(segments.size() / kSegmentsEach, 1,
                                            std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kMostThreads));
  std::vector<PastHits> parts(threads);
  const auto work = [&](size_t t) {
    for (size_t i = segments.size() * t / threads; i < segments.size() * (t + 1) / threads; ++i)
      segments[i]->find_all(ranges, [&](size_t n, std::string_view key, const HistoryEntry& e) {
        take(parts[t], since, numbers[n], key, e);
      });
  };
  {
    std::vector<std::jthread> others;
    for (size_t t = 1; t < threads; ++t) others.emplace_back(work, t);
    work(0);
  }
  PastHits hits;
  for (auto& part : parts) merge(hits, std::move(part));
  merge(hits, std::move(recent));
  std::vector<PastHit> out;
  for (auto& [key, h] : hits) {
    std::stable_sort(h.sights.begin(), h.sights.end(),
                     [](const PastSight& a, const PastSight& b) { return a.time < b.time; });
    out.push_back(std::move(h));
  }
  return out;
}

History::Stats History::stats() const {
  const State& s = *state_;
  const std::lock_guard lock(s.mutex);
  Stats out;
  out.seen = s.memory.seen;
  out.values = s.memory.values.size();
  out.bytes = s.bytes + s.journal;
  out.segments = s.segments.size();
  out.lost = s.lost;
  out.damaged = s.damaged;
  for (const auto& n : s.segments) {
    out.seen += n.segment->seen();
    out.values += n.segment->values();
    out.from = std::min(out.from, n.segment->from());
    out.to = std::max(out.to, n.segment->to());
  }
  for (const auto& [key, e] : s.memory.values) {
    out.from = std::min(out.from, Time{e.first});
    out.to = std::max(out.to, Time{e.last});
  }
  return out;
}

}  // namespace entente::detect
