#include "detect/hunt.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "base/bytes.h"
#include "detect/compound.h"
#include "detect/internal/dnstap_hunter.h"
#include "detect/internal/input.h"
#include "detect/internal/line_hunter.h"
#include "detect/internal/table.h"
#include "detect/packet_filter.h"
#include "detect/packets.h"
#include "json/json.h"
#include "packet/counters.h"
#include "packet/flows.h"
#include "packet/pcap.h"

namespace entente::detect {
namespace {

using Tell = std::function<void(const HuntMatch&)>;

void add(packet::Counters& sum, const packet::Counters& more) {
  using Numbers = std::array<uint64_t, sizeof(packet::Counters) / sizeof(uint64_t)>;
  auto a = std::bit_cast<Numbers>(sum);
  const auto b = std::bit_cast<Numbers>(more);
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  sum = std::bit_cast<packet::Counters>(a);
}

// A capture: packets to observables to matches. If there are compound patterns, packets are records as well.
class CaptureHunter final : public packet::Sink {
 public:
  CaptureHunter(const std::string& source, const Index& index, const Tell& sink, RecordScan* scan, HuntReport& report)
      : source_(source),
        index_(index),
        sink_(sink),
        scan_(scan),
        report_(report),
        observer_(source, [this](const Observable& o) { look_up(o); }),
        filter_(index, observer_),
        decoder_(scan != nullptr ? static_cast<packet::Sink&>(*this) : filter_),
        reader_([this](const packet::Packet& p) { decoder_.decode(p); }) {
    const auto& shape = index.table().shape();
    observer_.with_fingerprints(shape.ja3 || shape.ja4);
  }
  CaptureHunter(const CaptureHunter&) = delete;
  CaptureHunter& operator=(const CaptureHunter&) = delete;

  void feed(std::string_view bytes, size_t /*pad*/) {
    report_.bytes += bytes.size();
    note(reader_.feed(bytes));
  }
  void finish() {
    note(reader_.finish());
    filter_.flush();
    end_record();
    report_.records += reader_.packets();
    add(report_.packets, decoder_.counters());
    const auto& c = decoder_.counters();
    const auto count = [&](uint64_t n, std::string_view what) {
      if (n > 0) report_.notes.push_back(fmt::format("{}: {} {}", source_, n, what));
    };
    count(reader_.skipped(), "packets were passed over: too long, or of an interface that the file does not describe");
    for (const auto& name : packet::counter_names())
      if (name.not_read != nullptr) count(c.*name.value, name.not_read);
  }

  // A record is what one call of on_flow begins and the calls after it say.
  void on_flow(const packet::Packet& p, const packet::Flow& f) override {
    end_record();
    record_.on_flow(f);
    number_ = p.number;
    time_ = p.time;
    observer_.on_flow(p, f);
  }
  void on_dns_question(const packet::Packet& p, const packet::Flow& f, const packet::DnsQuestion& q) override {
    record_.on_dns_question(q);
    observer_.on_dns_question(p, f, q);
  }
  void on_dns_answer(const packet::Packet& p, const packet::Flow& f, const packet::DnsAnswer& a) override {
    record_.on_dns_answer(a);
    observer_.on_dns_answer(p, f, a);
  }
  void on_sni(const packet::Packet& p, const packet::Flow& f, std::string_view name) override {
    record_.on_sni(name);
    observer_.on_sni(p, f, name);
  }
  void on_tls(const packet::Packet& p, const packet::Flow& f, const packet::TlsHello& hello) override {
    record_.on_tls(hello);
    observer_.on_tls(p, f, hello);
  }
  void on_http(const packet::Packet& p, const packet::Flow& f, const packet::HttpRequest& r) override {
    record_.on_http(r);
    observer_.on_http(p, f, r);
  }

 private:
  void end_record() {
    if (scan_ != nullptr && told_ && (!shown_.empty() || scan_->every()))
      report_.matches += scan_->look(record_.record(), {source_, number_, time_}, shown_, sink_);
    shown_.clear();
    told_ = false;
  }
  void note(const Status& s) {
    if (!s.ok()) report_.notes.push_back(source_ + ": " + s.error().text());
  }
  void look_up(const Observable& o) {
    told_ = true;
    hits_.clear();
    index_.match(o, hits_);
    // The host of a URL was handed on by itself before.
    const bool url = o.kind == ObservableKind::kUrl;
    for (const Hit& hit : hits_) {
      if (url && hit.atom != pattern::AtomKind::kUrl) continue;
      const Indicator i = index_.indicator(hit.indicator);
      if (i.tag != 0) {
        shown_.push_back({i.tag, o.kind, std::string(o.text), std::string(o.where.field)});
        continue;
      }
      ++report_.matches;
      sink_({.indicator = i.id,
             .pattern = i.pattern,
             .type = name(o.kind, hit.atom),
             .value = std::string(o.text),
             .source = source_,
             .field = std::string(o.where.field),
             .record = o.where.record,
             .time = o.where.time ? to_text(*o.where.time) : std::string()});
    }
  }

  const std::string& source_;
  const Index& index_;
  const Tell& sink_;
  RecordScan* scan_;
  HuntReport& report_;
  std::vector<Hit> hits_;
  PacketRecord record_;
  std::vector<Shown> shown_;
  bool told_ = false;  // the record at hand shows something that was not shown before
  uint64_t number_ = 0;
  Time time_;
  PacketObserver observer_;
  PacketFilter filter_;
  packet::Decoder decoder_;
  packet::CaptureReader reader_;
};

// Flow records: their addresses.
class FlowHunter {
 public:
  FlowHunter(const std::string& source, const Index& index, const Tell& sink, RecordScan* scan, HuntReport& report)
      : source_(source),
        index_(index),
        sink_(sink),
        scan_(scan),
        report_(report),
        reader_([this](const packet::FlowRecord& r) { record(r); }) {}
  FlowHunter(const FlowHunter&) = delete;
  FlowHunter& operator=(const FlowHunter&) = delete;

  void feed(std::string_view bytes, size_t /*pad*/) {
    report_.bytes += bytes.size();
    note(reader_.feed(bytes));
  }
  void finish() {
    note(reader_.finish());
    report_.records += reader_.records();
    const auto count = [&](uint64_t n, std::string_view what) {
      if (n > 0) report_.notes.push_back(fmt::format("{}: {} {}", source_, n, what));
    };
    count(reader_.without_template(), "sets of flow records were passed over: their template is not in the file");
    count(reader_.malformed(), "sets of flow records are malformed");
  }

 private:
  void note(const Status& s) {
    if (!s.ok()) report_.notes.push_back(source_ + ": " + s.error().text());
  }
  void record(const packet::FlowRecord& r) {
    look_up(r, r.src, "src_ip");
    look_up(r, r.dst, "dst_ip");
    look_up(r, r.next_hop, "next_hop");
    if (scan_ == nullptr || (shown_.empty() && !scan_->every())) return;
    record_.on_flow({r.src, r.dst, r.src_port, r.dst_port, r.protocol});
    report_.matches += scan_->look(record_.record(), {source_, r.number, r.begin}, shown_, sink_);
    shown_.clear();
  }
  void look_up(const packet::FlowRecord& r, const packet::Address& address, std::string_view field) {
    if (!address.is_set()) return;
    const Table& table = index_.table();
    if (address.v6 ? !table.concerns_v6(address) : !table.concerns_v4(address.v4_value())) return;
    char text[packet::kAddressTextMax];
    const std::string_view value(text, packet::write_text(address, text));
    const auto kind = address.v6 ? ObservableKind::kIpv6 : ObservableKind::kIpv4;
    hits_.clear();
    index_.match({kind, value, {}}, hits_);
    for (const Hit& hit : hits_) {
      const Indicator i = index_.indicator(hit.indicator);
      if (i.tag != 0) {
        shown_.push_back({i.tag, kind, std::string(value), std::string(field)});
        continue;
      }
      ++report_.matches;
      sink_({.indicator = i.id,
             .pattern = i.pattern,
             .type = name(kind),
             .value = std::string(value),
             .source = source_,
             .field = std::string(field),
             .record = r.number,
             .time = r.begin ? to_text(*r.begin) : std::string()});
    }
  }

  const std::string& source_;
  const Index& index_;
  const Tell& sink_;
  RecordScan* scan_;
  HuntReport& report_;
  std::vector<Hit> hits_;
  PacketRecord record_;
  std::vector<Shown> shown_;
  packet::FlowReader reader_;
};

template <class Hunter>
Status pump(Hunter& hunter, Input& input, std::string_view piece, const std::function<void()>& progress) {
  while (!piece.empty()) {
    hunter.feed(piece, Input::kPad);
    progress();
    TRY(piece, input.read());
  }
  hunter.finish();
  return {};
}

Status hunt_input(const std::string& path, const Index& index, const Tell& sink, const HuntOptions& options,
                  RecordScan* scan, HuntReport& report, const std::function<void(uint64_t)>& progress) {
  TRY(const auto input, Input::open(path));
  const std::string source = path == "-" ? "stdin" : path;
  const auto told = [&] { progress(input->taken()); };
  TRY(const auto head, input->read());
  ++report.inputs;
  Status status;
  if (packet::looks_like_capture(head)) {
    CaptureHunter hunter(source, index, sink, scan, report);
    status = pump(hunter, *input, head, told);
  } else if (packet::looks_like_dnstap(head)) {
    DnstapHunter hunter(source, index, sink, scan, report);
    status = pump(hunter, *input, head, told);
  } else if (packet::looks_like_flows(head)) {
    FlowHunter hunter(source, index, sink, scan, report);
    status = pump(hunter, *input, head, told);
  } else {
    LineHunter hunter(source, index, sink, options, report, scan);
    status = pump(hunter, *input, head, told);
  }
  if (!input->fault().empty())
    report.notes.push_back(source + ": " + input->fault() + ": what came before it was searched");
  return status;
}

void add(HuntReport& sum, HuntReport&& more) {
  sum.inputs += more.inputs;
  sum.bytes += more.bytes;
  sum.records += more.records;
  sum.parsed += more.parsed;
  sum.matches += more.matches;
  for (auto& note : more.notes) sum.notes.push_back(std::move(note));
  for (auto& error : more.errors) sum.errors.push_back(std::move(error));
  add(sum.packets, more.packets);
}

// Folders stand for all files below them, in the order of their names.
struct Listing {
  std::vector<std::string> files;
  std::vector<Error> errors;
};
Listing list_inputs(const std::vector<std::string>& inputs) {
  namespace fs = std::filesystem;
  Listing out;
  for (const auto& input : inputs) {
    std::error_code ec;
    if (input == "-" || !fs::is_directory(input, ec)) {
      out.files.push_back(input);
      continue;
    }
    std::vector<std::string> below;
    auto it = fs::recursive_directory_iterator(input, fs::directory_options::skip_permission_denied, ec);
    for (; !ec && it != fs::recursive_directory_iterator(); it.increment(ec))
      if (it->is_regular_file(ec)) below.push_back(it->path());
    std::sort(below.begin(), below.end());
    out.files.insert(out.files.end(), below.begin(), below.end());
    if (ec)
      out.errors.push_back(
          Error{ErrorKind::kIo, "cannot read the folder: " + ec.message(), input, "check the permissions"});
  }
  return out;
}

// Files are hunted at the same time, but matches are told file by file: what is found in a later one waits, and beyond
// kMostWaiting its thread does. Files are begun in order, so that the first one that is not done is always at work.
class Turns {
 public:
  Turns(const std::vector<std::string>& files, const Tell& sink, const HuntOptions& options)
      : sink_(sink), options_(options), files_(files.size()) {
    if (!options.progress) return;
    for (const auto& file : files) {
      std::error_code ec;
      const auto size = file == "-" ? 0 : std::filesystem::file_size(file, ec);
      if (!ec) total_ += size;
    }
  }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  void give(size_t i, const HuntMatch& match) {
    std::unique_lock lock(mutex_);
    if (i != now_ && files_[i].waiting.size() >= kMostWaiting) turn_.wait(lock, [&] { return i == now_; });
    if (i != now_) return files_[i].waiting.push_back(match);
    flush(i);
    sink_(match);
  }
  void progress(size_t i, uint64_t bytes, const HuntReport& report) {
    if (!options_.progress) return;
    const std::lock_guard lock(mutex_);
    sum_.bytes += bytes - files_[i].bytes;
    sum_.records += report.records - files_[i].records;
    sum_.matches += report.matches - files_[i].matches;
    files_[i].bytes = bytes;
    files_[i].records = report.records;
    files_[i].matches = report.matches;
    sum_.input = now_;
    sum_.total_bytes = total_;
    options_.progress(sum_);
  }
  void finish(size_t i, const HuntReport& report) {
    progress(i, files_[i].bytes, report);
    const std::lock_guard lock(mutex_);
    files_[i].done = true;
    while (now_ < files_.size() && files_[now_].done) {
      flush(now_);
      ++now_;
    }
    if (now_ < files_.size()) flush(now_);
    turn_.notify_all();
  }

 private:
  static constexpr size_t kMostWaiting = 65536;
  struct File {
    std::vector<HuntMatch> waiting;
    uint64_t bytes = 0, records = 0, matches = 0;
    bool done = false;
  };

  void flush(size_t i) {
    for (const HuntMatch& m : files_[i].waiting) sink_(m);
    files_[i].waiting = {};
  }

  const Tell& sink_;
  const HuntOptions& options_;
  std::mutex mutex_;
  std::condition_variable turn_;
  std::vector<File> files_;
  size_t now_ = 0;
  uint64_t total_ = 0;
  HuntProgress sum_;
};

}  // namespace

std::string to_json(const HuntMatch& m) {
  std::string out;
  const auto member = [&](std::string_view name, std::string_view value) {
    out += out.empty() ? "{\"" : ",\"";
    out.append(name).append("\":");
    // Logs may hold any octets; output is always valid JSON.
    json::append_quoted(out, valid_utf8(value) ? std::string(value) : printable(value, 4096));
  };
  member("indicator", m.indicator);
  member("pattern", m.pattern);
  member("type", m.type);
  member("value", m.value);
  member("source", m.source);
  member("field", m.field);
  out += ",\"record\":" + std::to_string(m.record);
  member("time", m.time);
  if (!m.witness.empty()) {
    out += ",\"witness\":[";
    for (size_t i = 0; i < m.witness.size(); ++i) {
      const auto& w = m.witness[i];
      std::string one;
      one.swap(out);
      member("type", w.type);
      member("value", w.value);
      member("source", w.source);
      member("field", w.field);
      out += ",\"record\":" + std::to_string(w.record);
      member("time", w.time);
      out += '}';
      out = one + (i > 0 ? "," : "") + out;
    }
    out += ']';
  }
  out += '}';
  return out;
}

namespace {
void finish(Binder& binder, HuntReport& report) {
  binder.finish();
  report.matches += binder.matches();
  for (auto& note : binder.notes()) report.notes.push_back(std::move(note));
}
}  // namespace

HuntReport hunt(const std::vector<std::string>& inputs, const Index& index, const Tell& sink,
                const HuntOptions& options) {
  const Listing listing = list_inputs(inputs);
  Turns turns(listing.files, sink, options);
  std::vector<HuntReport> reports(listing.files.size());
  std::optional<Binder> binder;
  if (options.compounds != nullptr && options.compounds->size() > 0)
    binder.emplace(*options.compounds, sink, BinderOptions{.max_bytes = options.max_bound_bytes});
  std::atomic<size_t> next{0};
  const auto work = [&] {
    std::optional<RecordScan> scan;
    if (binder) scan.emplace(*options.compounds, *binder);
    for (size_t i = next++; i < listing.files.size(); i = next++) {
      const Tell mine = [&, i](const HuntMatch& m) { turns.give(i, m); };
      HuntReport& report = reports[i];
      const auto progress = [&](uint64_t bytes) { turns.progress(i, bytes, report); };
      if (auto status = hunt_input(listing.files[i], index, mine, options, scan ? &*scan : nullptr, report, progress);
          !status.ok())
        report.errors.push_back(std::move(status).error());
      turns.finish(i, report);
    }
  };
  size_t threads = options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  threads = std::min(threads, std::max<size_t>(listing.files.size(), 1));
  {
    std::vector<std::jthread> others;
    for (size_t i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }
  HuntReport sum;
  for (auto& report : reports) add(sum, std::move(report));
  if (binder) finish(*binder, sum);
  sum.errors.insert(sum.errors.end(), listing.errors.begin(), listing.errors.end());
  return sum;
}

HuntReport hunt_text(std::string_view text, const std::string& source, const Index& index, const Tell& sink,
                     const HuntOptions& options) {
  HuntReport report;
  report.inputs = 1;
  std::optional<Binder> binder;
  std::optional<RecordScan> scan;
  if (options.compounds != nullptr && options.compounds->size() > 0) {
    binder.emplace(*options.compounds, sink, BinderOptions{.max_bytes = options.max_bound_bytes});
    scan.emplace(*options.compounds, *binder);
  }
  LineHunter hunter(source, index, sink, options, report, scan ? &*scan : nullptr);
  hunter.feed(text);
  hunter.finish();
  if (binder) finish(*binder, report);
  return report;
}

}  // namespace entente::detect
