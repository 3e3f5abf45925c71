#include "detect/compound.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include "detect/hunt.h"
#include "detect/internal/tokens.h"

namespace entente::detect {
namespace {

constexpr pattern::Nanos kNanos = 1000;

pattern::Nanos nanos_of(Time t) { return static_cast<pattern::Nanos>(t.us) * kNanos; }

// Does a search of raw text find the value wherever it stands as one? Names with an odd last label it does not.
bool can_be_found(const pattern::Atom& atom) {
  using enum pattern::AtomKind;
  if (atom.kind != kDomain && atom.kind != kDomainTree && atom.kind != kDomainBelow) return true;
  const std::string_view last = std::string_view(atom.value).substr(atom.value.rfind('.') + 1);
  return last.find('_') == std::string_view::npos;
}

HuntMatch match_of(const Compound& c, uint32_t tag, const RecordPlace& place, const std::vector<Shown>& shown) {
  HuntMatch m{.indicator = c.indicator.id,
              .pattern = c.indicator.pattern,
              .type = "observed-data",
              .value = {},
              .source = std::string(place.source),
              .field = {},
              .record = place.number,
              .time = place.time ? to_text(*place.time) : std::string()};
  const auto own = std::find_if(shown.begin(), shown.end(), [&](const Shown& s) { return s.tag == tag; });
  if (own != shown.end()) {
    m.type = name(own->kind);
    m.value = own->value;
    m.field = own->field;
  }
  return m;
}

}  // namespace

Result<Prepared> prepare(const pattern::Pattern& given) {
  auto known = pattern::anchors(given, is_seen);
  const bool any = std::any_of(known.types.begin(), known.types.end(),
                               [](const auto& types) { return std::any_of(types.begin(), types.end(), is_seen); });
  if (!any) return invalid("no log or packet shows a " + known.types.front().front());
  const pattern::Pattern p = pattern::normalised(given);
  auto matcher = pattern::Matcher::compile(p);
  if (!matcher.ok()) {
    // The place of a wrong expression is that in the pattern as it was given.
    const auto as_given = pattern::Matcher::compile(given);
    return as_given.ok() ? matcher.error() : as_given.error();
  }
  Prepared out{std::move(*matcher), {}, {}};
  const bool findable = std::all_of(known.any_of.begin(), known.any_of.end(), can_be_found);
  if (known.complete && findable && !known.any_of.empty()) {
    out.anchors = std::move(known.any_of);
  } else {
    out.unanchored = known.complete ? "it asks for a value that raw text does not show" : known.why;
  }
  return out;
}

Result<std::vector<pattern::Atom>> Compounds::add(const Indicator& indicator, const pattern::Pattern& pattern) {
  TRY(auto prepared, prepare(pattern));
  const bool anchored = !prepared.anchors.empty();
  if (!anchored && unanchored_ == kMaxUnanchored) {
    return make_error(
        ErrorKind::kTooLarge,
        fmt::format("it would cost every record ({}), and {} patterns do already", prepared.unanchored, kMaxUnanchored),
        "", "hunt for it apart, or give it a value that must be there");
  }
  unanchored_ += anchored ? 0 : 1;
  all_.push_back({indicator, std::move(prepared.matcher), anchored});
  return std::move(prepared.anchors);
}

// --- binding

struct Binder::State {
  struct Waiting {
    int64_t us = 0;
    uint32_t source = 0;
    uint64_t number = 0;
    std::string packed;
    std::vector<Shown> shown;
    [[nodiscard]] size_t bytes() const {
      size_t n = sizeof *this + packed.capacity();
      for (const auto& s : shown) n += sizeof s + s.value.capacity() + s.field.capacity();
      return n;
    }
  };
  // A record that the stream may still name.
  struct Told {
    uint32_t source = 0;
    uint64_t number = 0;
    int64_t us = 0;
    std::vector<Shown> shown;
  };

  State(const Compounds& c, Sink s, const BinderOptions& o)
      : compounds(c), sink(std::move(s)), options(o), stream(o.stream), data({.only = &stream.symbols()}) {}

  const Compounds& compounds;
  Sink sink;
  BinderOptions options;
  pattern::PatternStream stream;
  pattern::Observations data;
  std::mutex mutex;
  std::vector<std::string> sources;
  std::unordered_map<std::string, uint32_t> source_numbers;
  std::vector<Waiting> waiting;
  size_t waiting_bytes = 0;
  std::map<uint64_t, Told> told;  // by number of the stream
  uint64_t matches = 0, untimed = 0, early = 0, forgotten = 0, refused = 0;
  std::vector<pattern::StreamMatch> found;

  uint32_t source_of(std::string_view name) {
    const auto [at, fresh] = source_numbers.try_emplace(std::string(name), static_cast<uint32_t>(sources.size()));
    if (fresh) sources.emplace_back(name);
    return at->second;
  }

  // At most so many: a record older than all of them that is named by a match is told without its value.
  static constexpr size_t kMaxTold = 1 << 18;

  void push(Waiting&& w) {
    const Record record = Record::unpack(w.packed);
    data.clear();
    record.write(data, nanos_of(Time{w.us}));
    found.clear();
    const uint64_t number = stream.push(data, found);
    told.emplace(number, Told{w.source, w.number, w.us, std::move(w.shown)});
    // Patterns of one bracket were told when their record was read.
    for (const auto& m : found) tell(m);
    while (told.size() > kMaxTold) {
      told.erase(told.begin());
      ++forgotten;
    }
  }

  void tell(const pattern::StreamMatch& m) {
    const auto tag = static_cast<uint32_t>(m.pattern);
    std::vector<const Told*> bound;
    for (const uint64_t n : m.observed)
      if (const auto at = told.find(n); at != told.end()) bound.push_back(&at->second);
    if (bound.empty()) return;
    std::stable_sort(bound.begin(), bound.end(), [](const Told* a, const Told* b) { return a->us < b->us; });
    const auto place = [&](const Told& t) { return RecordPlace{sources[t.source], t.number, Time{t.us}}; };
    const Compound& c = compounds.at(tag);
    HuntMatch out = match_of(c, tag, place(*bound.back()), bound.back()->shown);
    for (const Told* t : bound) {
      const HuntMatch w = match_of(c, tag, place(*t), t->shown);
      out.witness.push_back({w.type, w.value, w.source, w.field, w.record, w.time});
    }
    ++matches;
    sink(out);
  }

  static bool before(const Waiting& a, const Waiting& b) {
    return std::tie(a.us, a.source, a.number) < std::tie(b.us, b.source, b.number);
  }

  void flush(size_t keep) {
    std::stable_sort(waiting.begin(), waiting.end(), before);
    const size_t go = waiting.size() - std::min(keep, waiting.size());
    for (size_t i = 0; i < go; ++i) {
      waiting_bytes -= waiting[i].bytes();
      push(std::move(waiting[i]));
    }
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(go));
    if (waiting.empty()) waiting_bytes = 0;
  }
};

Binder::Binder(const Compounds& compounds, Sink sink, const BinderOptions& options)
    : state_(std::make_unique<State>(compounds, std::move(sink), options)) {
  for (uint32_t tag = 1; tag <= compounds.size(); ++tag) {
    const auto& c = compounds.at(tag);
    // What a stream cannot take (more observations than it keeps) never matches; it is said.
    if (!c.matcher.single() && !state_->stream.add(tag, c.matcher).ok()) ++state_->refused;
  }
}
Binder::~Binder() = default;

void Binder::take(const Record& record, const RecordPlace& place, const std::vector<Shown>& shown) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  if (!place.time) {
    ++s.untimed;
    return;
  }
  State::Waiting w{place.time->us, s.source_of(place.source), place.number, record.pack(), shown};
  if (s.options.max_bytes == 0) return s.push(std::move(w));
  s.waiting_bytes += w.bytes();
  s.waiting.push_back(std::move(w));
  if (s.waiting_bytes > s.options.max_bytes) {
    ++s.early;
    s.flush(s.waiting.size() / 2);
  }
}

void Binder::finish() {
  const std::lock_guard lock(state_->mutex);
  state_->flush(0);
}

uint64_t Binder::matches() const {
  const std::lock_guard lock(state_->mutex);
  return state_->matches;
}

size_t Binder::memory_bytes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->waiting_bytes;
}

std::vector<std::string> Binder::notes() const {
  const State& s = *state_;
  const std::lock_guard lock(state_->mutex);
  const auto& stats = s.stream.stats();
  std::vector<std::string> out;
  const auto note = [&](uint64_t n, std::string_view what) {
    if (n > 0) out.push_back(fmt::format("patterns of several observations: {} {}", n, what));
  };
  note(s.refused, "ask for more observations than are kept for one pattern: they were not looked for");
  note(s.untimed, "records tell no time that could be read: they were not bound");
  note(stats.dropped, fmt::format("records were given up (at most {} are kept for one pattern): matches may be missing",
                                  s.options.stream.max_kept));
  if (s.early > 0)
    note(stats.late,
         "records came out of the order of time, beyond what is kept to bring them into it: matches may be missing");
  note(stats.undecided, "times it could not be decided whether a pattern matches: too much work");
  note(s.forgotten, "records are no more known by their place");
  return out;
}

// --- records of one thread

RecordScan::RecordScan(const Compounds& compounds, Binder& binder)
    : compounds_(compounds), binder_(binder), stream_(pattern::StreamOptions{}) {
  for (uint32_t tag = 1; tag <= compounds.size(); ++tag) static_cast<void>(stream_.add(tag, compounds.at(tag).matcher));
  data_ = std::make_unique<pattern::Observations>(pattern::ReadOptions{.only = &stream_.symbols()});
}
RecordScan::~RecordScan() = default;

uint64_t RecordScan::look(const Record& record, const RecordPlace& place, const std::vector<Shown>& shown,
                          const std::function<void(const HuntMatch&)>& sink) {
  data_->clear();
  record.write(*data_, place.time ? nanos_of(*place.time) : 0);
  single_.clear();
  if (stream_.look(*data_, data_->all().front(), single_)) binder_.take(record, place, shown);
  for (const uint64_t tag : single_) {
    const auto t = static_cast<uint32_t>(tag);
    sink(match_of(compounds_.at(t), t, place, shown));
  }
  return single_.size();
}

}  // namespace entente::detect
