// The zone of rpz.h: records, serials, and the messages of a transfer.
#include <algorithm>

#include <fmt/format.h>

#include "enforce/internal/dns_message.h"
#include "enforce/rpz.h"

namespace entente::enforce {

using namespace internal;

namespace {

constexpr std::string_view kPassthru = "rpz-passthru";
constexpr size_t kMessageBytes = 16'000;  // of a transfer: well below 65,535 with its signature

}  // namespace

// Fills messages of a transfer. Each repeats the question, so that owners end with a pointer to it (RFC 1035 §4.1.4).
class RpzZone::Writer {
 public:
  Writer(const RpzZone& zone, uint16_t id, uint16_t type) : zone_(zone), id_(id), type_(type) {}
  void record(const std::string& owner, uint16_t type, std::string_view data) {
    if (messages_.empty() || messages_.back().size() > kMessageBytes) begin();
    std::string& m = messages_.back();
    if (!owner.empty()) {
      m += wire_name(owner);
      m.pop_back();  // goes on with the zone
    }
    put16(m, 0xc00c);
    put16(m, type);
    put16(m, 1);
    put32(m, zone_.options_.ttl_s);
    put16(m, static_cast<unsigned>(data.size()));
    m += data;
    bump(m, 6);
  }
  void soa(uint32_t serial) { record("", kRrSoa, zone_.soa(serial)); }
  void ns() { record("", kRrNs, wire_name("localhost")); }
  void cname(const std::string& owner, const std::string& target) { record(owner, kRrCname, wire_name(target)); }
  std::vector<std::string> take() { return std::move(messages_); }

 private:
  void begin() {
    std::string m;
    put16(m, id_);
    put16(m, 0x8400);  // an answer, authoritative
    put16(m, 1);
    m.append(6, '\0');
    m += wire_name(zone_.options_.zone);
    put16(m, type_);
    put16(m, 1);
    messages_.push_back(std::move(m));
  }
  const RpzZone& zone_;
  uint16_t id_, type_;
  std::vector<std::string> messages_;
};

RpzZone::RpzZone(const RpzOptions& options, uint32_t serial) : options_(options), serial_(serial) {}

void RpzZone::set(const Target& name, bool drop) {
  Wish& w = wishes_[name.host];
  (name.tree ? w.tree : w.alone) = drop;
  refresh(name.host);
}

void RpzZone::remove(const Target& name) {
  const auto it = wishes_.find(name.host);
  if (it == wishes_.end()) return;
  (name.tree ? it->second.tree : it->second.alone).reset();
  if (!it->second.tree && !it->second.alone) wishes_.erase(it);
  refresh(name.host);
}

void RpzZone::refresh(const std::string& host) {
  const auto it = wishes_.find(host);
  const Wish w = it == wishes_.end() ? Wish{} : it->second;
  std::optional<bool> alone = w.tree;
  if (w.alone) alone = alone.value_or(false) || *w.alone;  // of two wishes for one name the one that drops decides
  put(host, alone);
  put("*." + host, w.tree);
}

void RpzZone::put(const std::string& owner, std::optional<bool> drop) {
  // What would be no name of a zone any more cannot be said in it.
  if (owner.size() + options_.zone.size() > 252) return;
  std::optional<std::string> to;
  if (drop) to = *drop ? options_.garden : std::string(kPassthru);
  pending_[owner] = std::move(to);
}

bool RpzZone::commit() {
  Step step{serial_, {}};
  for (auto& [owner, to] : pending_) {
    const auto is = records_.find(owner);
    std::optional<std::string> from;
    if (is != records_.end()) from = is->second;
    if (from == to) continue;
    if (to) {
      records_[owner] = *to;
    } else {
      records_.erase(is);
    }
    step.changes.push_back({owner, std::move(from), std::move(to)});
  }
  pending_.clear();
  if (step.changes.empty()) return false;
  ++serial_;
  journal_changes_ += step.changes.size();
  journal_.push_back(std::move(step));
  while (journal_changes_ > options_.journal && !journal_.empty()) {
    journal_changes_ -= journal_.front().changes.size();
    journal_.pop_front();
  }
  return true;
}

std::string RpzZone::soa(uint32_t serial) const {
  std::string out = wire_name("localhost") + wire_name("nobody.invalid");
  put32(out, serial);
  put32(out, 30);                                                                          // refresh
  put32(out, 10);                                                                          // retry
  put32(out, static_cast<uint32_t>(std::max<int64_t>(60, options_.hold_us / 1'000'000)));  // expire
  put32(out, options_.ttl_s);                                                              // negative answers
  return out;
}

std::vector<std::string> RpzZone::axfr(uint16_t id) const {
  Writer out(*this, id, kRrAxfr);
  out.soa(serial_);
  out.ns();
  for (const auto& [owner, target] : records_) out.cname(owner, target);
  out.soa(serial_);
  return out.take();
}

std::vector<std::string> RpzZone::ixfr(uint16_t id, uint32_t from) const {
  Writer out(*this, id, kRrIxfr);
  out.soa(serial_);
  // Serials compare in a circle (RFC 1982 §3.2): who is level or ahead gets the SOA only.
  if (static_cast<int32_t>(serial_ - from) <= 0) return out.take();
  const auto first = std::find_if(journal_.begin(), journal_.end(), [&](const Step& s) { return s.from == from; });
  if (first == journal_.end()) {  // too old: everything, in the form of a full transfer (RFC 1995 §4)
    out.ns();
    for (const auto& [owner, target] : records_) out.cname(owner, target);
    out.soa(serial_);
    return out.take();
  }
  for (auto step = first; step != journal_.end(); ++step) {
    out.soa(step->from);
    for (const Change& c : step->changes) {
      if (c.from) out.cname(c.owner, *c.from);
    }
    out.soa(step->from + 1);
    for (const Change& c : step->changes) {
      if (c.to) out.cname(c.owner, *c.to);
    }
  }
  out.soa(serial_);
  return out.take();
}

std::string RpzZone::soa_answer(uint16_t id, uint16_t qtype) const {
  Writer out(*this, id, qtype);
  out.soa(serial_);
  return out.take().front();
}

std::string RpzZone::notify(uint16_t id) const {
  std::string m = soa_answer(id, kRrSoa);
  m[2] = static_cast<char>(0x24);  // a question, opcode 4, authoritative
  return m;
}

std::string RpzZone::master_file() const {
  std::string out =
      fmt::format("$ORIGIN {0}.\n$TTL {1}\n@ SOA localhost. nobody.invalid. {2} 30 10 {3} {1}\n@ NS localhost.\n",
                  options_.zone, options_.ttl_s, serial_, std::max<int64_t>(60, options_.hold_us / 1'000'000));
  for (const auto& [owner, target] : records_) out += fmt::format("{} CNAME {}.\n", owner, target);
  return out;
}

}  // namespace entente::enforce
