#include "detect/internal/dnstap_hunter.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::detect {

DnstapHunter::DnstapHunter(const std::string& source, const Index& index,
                           const std::function<void(const HuntMatch&)>& sink, RecordScan* scan, HuntReport& report)
    : source_(source),
      index_(index),
      sink_(sink),
      scan_(scan),
      report_(report),
      reader_([this](const packet::DnstapMessage& m) { message(m); }) {}

void DnstapHunter::feed(std::string_view bytes, size_t /*pad*/) {
  report_.bytes += bytes.size();
  note(reader_.feed(bytes));
}

void DnstapHunter::finish() {
  note(reader_.finish());
  report_.records += reader_.messages();
  report_.parsed += reader_.messages();
  const auto count = [&](uint64_t n, std::string_view what) {
    if (n > 0) report_.notes.push_back(fmt::format("{}: {} {}", source_, n, what));
  };
  count(reader_.malformed(), "frames hold no dnstap message, or are too long");
  count(dns_malformed_, "DNS messages are malformed");
}

void DnstapHunter::note(const Status& s) {
  if (!s.ok()) report_.notes.push_back(source_ + ": " + s.error().text());
}

void DnstapHunter::message(const packet::DnstapMessage& m) {
  told_.clear();
  const DnstapValue value = [&](ObservableKind kind, std::string_view field, std::string_view text) {
    look_up(m, kind, field, text);
  };
  if (!read_dnstap(m, value, record_)) ++dns_malformed_;
  if (scan_ != nullptr && (!shown_.empty() || scan_->every()))
    report_.matches += scan_->look(record_, {source_, m.number, m.time}, shown_, sink_);
  shown_.clear();
}

void DnstapHunter::look_up(const packet::DnstapMessage& m, ObservableKind kind, std::string_view field,
                           std::string_view text) {
  hits_.clear();
  index_.match({kind, text, {}}, hits_);
  for (const Hit& hit : hits_) {
    const Indicator i = index_.indicator(hit.indicator);
    if (i.tag != 0) {
      shown_.push_back({i.tag, kind, std::string(text), std::string(field)});
      continue;
    }
    // Once per indicator, field and record.
    const std::pair<uint32_t, std::string> once{hit.indicator, field};
    if (std::find(told_.begin(), told_.end(), once) != told_.end()) continue;
    told_.push_back(once);
    ++report_.matches;
    sink_({.indicator = i.id,
           .pattern = i.pattern,
           .type = name(kind),
           .value = std::string(text),
           .source = source_,
           .field = std::string(field),
           .record = m.number,
           .time = m.time ? to_text(*m.time) : std::string()});
  }
}

}  // namespace entente::detect
