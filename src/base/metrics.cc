#include "base/metrics.h"

#include <bit>
#include <cmath>

#include <fmt/format.h>

namespace entente {
namespace {

// Bucket i holds values v with 2^(i-1) < v <= 2^i; the last one also everything above.
size_t bucket_of(int64_t us) {
  return us <= 1 ? 0 : static_cast<size_t>(std::bit_width(static_cast<uint64_t>(us) - 1));
}

constexpr size_t kShownBuckets = 28;  // up to 2^27 µs = 134 s

std::string with_label(std::string_view labels, std::string_view extra) {
  if (labels.empty()) return fmt::format("{{{}}}", extra);
  return fmt::format("{{{},{}}}", labels, extra);
}

std::string in_braces(std::string_view labels) {
  return labels.empty() ? std::string() : fmt::format("{{{}}}", labels);
}

// Help texts are one line (Prometheus text format 0.0.4).
std::string help_text(std::string_view help) {
  std::string out;
  for (const char c : help) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

template <class T>
T& get_or_make(std::map<std::string, std::unique_ptr<T>>& in, std::string_view labels) {
  auto& slot = in[std::string(labels)];
  if (!slot) slot = std::make_unique<T>();
  return *slot;
}

}  // namespace

void Histogram::record_us(int64_t us) {
  const size_t i = bucket_of(us);
  buckets_[i < buckets_.size() ? i : buckets_.size() - 1].fetch_add(1, std::memory_order_relaxed);
  if (us > 0) sum_us_.fetch_add(static_cast<uint64_t>(us), std::memory_order_relaxed);
}

uint64_t Histogram::count() const {
  uint64_t n = 0;
  for (const auto& b : buckets_) n += b.load(std::memory_order_relaxed);
  return n;
}

int64_t Histogram::quantile_us(double q) const {
  const uint64_t total = count();
  if (total == 0) return 0;
  const double rank = q * static_cast<double>(total);
  double below = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    const auto here = static_cast<double>(buckets_[i].load(std::memory_order_relaxed));
    if (here > 0 && below + here >= rank) {
      const double low = i == 0 ? 0 : std::ldexp(1.0, static_cast<int>(i) - 1);
      const double high = std::ldexp(1.0, static_cast<int>(i));
      const double part = rank <= below ? 0 : (rank - below) / here;
      return std::llround(low + (high - low) * part);
    }
    below += here;
  }
  return int64_t{1} << (buckets_.size() - 1);
}

Counter& Metrics::counter(std::string_view name, std::string_view help, std::string_view labels) {
  const std::lock_guard lock(mutex_);
  Family& f = families_[std::string(name)];
  if (f.type.empty()) f.type = "counter", f.help = help;
  return get_or_make(f.counters, labels);
}

Counter& Metrics::gauge(std::string_view name, std::string_view help, std::string_view labels) {
  const std::lock_guard lock(mutex_);
  Family& f = families_[std::string(name)];
  if (f.type.empty()) f.type = "gauge", f.help = help;
  return get_or_make(f.counters, labels);
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, std::string_view labels) {
  const std::lock_guard lock(mutex_);
  Family& f = families_[std::string(name)];
  if (f.type.empty()) f.type = "histogram", f.help = help;
  return get_or_make(f.histograms, labels);
}

std::string Metrics::prometheus() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, f] : families_) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help_text(f.help), name, f.type);
    for (const auto& [labels, c] : f.counters) out += fmt::format("{}{} {}\n", name, in_braces(labels), c->value());
    for (const auto& [labels, h] : f.histograms) {
      uint64_t below = 0;
      for (size_t i = 0; i < h->buckets_.size(); ++i) {
        below += h->buckets_[i].load(std::memory_order_relaxed);
        if (i >= kShownBuckets) continue;
        const double seconds = std::ldexp(1e-6, static_cast<int>(i));
        out += fmt::format("{}_bucket{} {}\n", name, with_label(labels, fmt::format("le=\"{:g}\"", seconds)), below);
      }
      out += fmt::format("{}_bucket{} {}\n", name, with_label(labels, "le=\"+Inf\""), below);
      out += fmt::format("{}_sum{} {:.6f}\n", name, in_braces(labels),
                         static_cast<double>(h->sum_us_.load(std::memory_order_relaxed)) / 1e6);
      out += fmt::format("{}_count{} {}\n", name, in_braces(labels), below);
    }
  }
  return out;
}

}  // namespace entente
