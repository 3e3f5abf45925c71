#include "detect/hunt.h"

#include <array>
#include <bit>

#include <fmt/format.h>

#include "base/bytes.h"
#include "detect/internal/input.h"
#include "detect/internal/line_hunter.h"
#include "detect/packets.h"
#include "json/json.h"
#include "packet/pcap.h"

namespace entente::detect {
namespace {

using Sink = std::function<void(const HuntMatch&)>;

void add(packet::Counters& sum, const packet::Counters& more) {
  using Numbers = std::array<uint64_t, sizeof(packet::Counters) / sizeof(uint64_t)>;
  auto a = std::bit_cast<Numbers>(sum);
  const auto b = std::bit_cast<Numbers>(more);
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  sum = std::bit_cast<packet::Counters>(a);
}

// A capture: packets to observables to matches.
class CaptureHunter {
 public:
  CaptureHunter(const std::string& source, const Index& index, const Sink& sink, HuntReport& report)
      : source_(source),
        index_(index),
        sink_(sink),
        report_(report),
        observer_(source, [this](const Observable& o) { look_up(o); }),
        decoder_(observer_),
        reader_([this](const packet::Packet& p) { decoder_.decode(p); }) {}
  CaptureHunter(const CaptureHunter&) = delete;
  CaptureHunter& operator=(const CaptureHunter&) = delete;

  void feed(std::string_view bytes, size_t /*pad*/) {
    report_.bytes += bytes.size();
    note(reader_.feed(bytes));
  }
  void finish() {
    note(reader_.finish());
    report_.records += reader_.packets();
    add(report_.packets, decoder_.counters());
    const auto& c = decoder_.counters();
    const auto count = [&](uint64_t n, std::string_view what) {
      if (n > 0) report_.notes.push_back(fmt::format("{}: {} {}", source_, n, what));
    };
    count(reader_.skipped(), "packets were passed over: too long, or of an interface that the file does not describe");
    count(c.ip_malformed + c.transport_malformed + c.dns_malformed + c.tls_malformed + c.http_malformed,
          "packets or messages are malformed");
    count(c.fragments, "later IP fragments were not put together");
  }

 private:
  void note(const Status& s) {
    if (!s.ok()) report_.notes.push_back(source_ + ": " + s.error().text());
  }
  void look_up(const Observable& o) {
    hits_.clear();
    index_.match(o, hits_);
    // The host of a URL was handed on by itself before.
    const bool url = o.kind == ObservableKind::kUrl;
    for (const Hit& hit : hits_) {
      if (url && hit.atom != pattern::AtomKind::kUrl) continue;
      const Indicator i = index_.indicator(hit.indicator);
      ++report_.matches;
      sink_({.indicator = i.id,
             .pattern = i.pattern,
             .type = name(o.kind),
             .value = std::string(o.text),
             .source = source_,
             .field = std::string(o.where.field),
             .record = o.where.record,
             .time = o.where.time ? to_text(*o.where.time) : std::string()});
    }
  }

  const std::string& source_;
  const Index& index_;
  const Sink& sink_;
  HuntReport& report_;
  std::vector<Hit> hits_;
  PacketObserver observer_;
  packet::Decoder decoder_;
  packet::CaptureReader reader_;
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

Status hunt_input(const std::string& path, const Index& index, const Sink& sink, const HuntOptions& options,
                  HuntReport& report, const std::function<void(uint64_t)>& progress) {
  TRY(const auto input, Input::open(path));
  const std::string source = path == "-" ? "stdin" : path;
  const auto told = [&] { progress(input->taken()); };
  TRY(const auto head, input->read());
  ++report.inputs;
  Status status;
  if (packet::looks_like_capture(head)) {
    CaptureHunter hunter(source, index, sink, report);
    status = pump(hunter, *input, head, told);
  } else {
    LineHunter hunter(source, index, sink, options, report);
    status = pump(hunter, *input, head, told);
  }
  if (!input->fault().empty())
    report.notes.push_back(source + ": " + input->fault() + ": what came before it was searched");
  return status;
}

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
  out += '}';
  return out;
}

HuntReport hunt(const std::vector<std::string>& inputs, const Index& index, const Sink& sink,
                const HuntOptions& options) {
  HuntReport report;
  uint64_t before = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    uint64_t taken = 0;
    const auto progress = [&](uint64_t bytes) {
      taken = bytes;
      if (options.progress) options.progress({i, before + taken, report.records, report.matches});
    };
    if (auto status = hunt_input(inputs[i], index, sink, options, report, progress); !status.ok())
      report.errors.push_back(std::move(status).error());
    before += taken;
  }
  return report;
}

HuntReport hunt_text(std::string_view text, const std::string& source, const Index& index, const Sink& sink,
                     const HuntOptions& options) {
  HuntReport report;
  report.inputs = 1;
  LineHunter hunter(source, index, sink, options, report);
  hunter.feed(text);
  hunter.finish();
  return report;
}

}  // namespace entente::detect
