#include "cli/demo/figures.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>

#include "cli/internal/table.h"

namespace entente::cli::demo {

namespace {

template <class T>
json::Node maybe(const std::optional<T>& v) {
  json::Node n;
  if (v) n = json::Node(*v);
  return n;
}

constexpr const char* kNotRun = "not run";  // the reason was told before

std::string count(const std::optional<uint64_t>& v) { return v ? grouped(*v) : kNotRun; }
std::string answer(const std::optional<bool>& v) { return !v ? kNotRun : *v ? "yes" : "NO"; }

}  // namespace

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(p / 100.0 * static_cast<double>(values.size())));
  return values[std::clamp<size_t>(rank, 1, values.size()) - 1];
}

json::Node Figures::to_json() const {
  const json::Node::List blocked(shared_to_blocked_ms.begin(), shared_to_blocked_ms.end());
  json::Node why = json::Node::object();
  for (const auto& [code, n] : reasons) why.set(code, n);
  json::Node n = json::Node::object();
  n.set("published", published).set("received", received).set("redacted", redacted).set("withheld", withheld);
  n.set("reasons", std::move(why)).set("refused_before_force", refused_before_force);
  n.set("receive_objects_per_s", receive_objects_per_s).set("publish_objects_per_s", publish_objects_per_s);
  n.set("receipts", receipts).set("releases_proved", releases_proved).set("proof_verified", proof_verified);
  n.set("namespaces", lab).set("shared_to_blocked_ms", json::Node());
  if (lab) n.set("shared_to_blocked_ms", json::Node(blocked));
  n.set("indicators_in_sensor", maybe(indicators_in_sensor))
      .set("detected", maybe(detected))
      .set("leased", maybe(leased));
  n.set("allowlisted_not_blocked", maybe(allowlisted_not_blocked))
      .set("unshared_not_blocked", maybe(unshared_not_blocked));
  n.set("packets_dropped", maybe(packets_dropped)).set("sightings_returned", maybe(sightings_returned));
  n.set("recall_arrived", recall_arrived).set("recalled_lease_gone", maybe(recalled_lease_gone));
  n.set("recall_to_open_ms", maybe(recall_to_open_ms)).set("table_removed", maybe(table_removed));
  n.set("ledger_entries", ledger_entries).set("ledger_ok", ledger_ok);
  n.set("tampered_entry", maybe(tampered_entry)).set("tamper_found_at", maybe(tamper_found_at)).set("seconds", seconds);
  return n;
}

void Figures::print_table() const {
  std::string why;
  for (const auto& [code, n] : reasons) why += (why.empty() ? "" : ", ") + code + " " + grouped(n);
  Table t({"what", "result", ""});
  t.row({"exchange refused before the agreement was in force", refused_before_force ? "yes" : "NO", ""});
  t.row({"published by Japan", grouped(published),
         fmt::format("{} objects/s", grouped(static_cast<uint64_t>(publish_objects_per_s)))});
  t.row({"received by India", grouped(received),
         fmt::format("{} objects/s, from the first post to the last object stored",
                     grouped(static_cast<uint64_t>(receive_objects_per_s)))});
  t.row({"  of them redacted", grouped(redacted), ""});
  t.row({"withheld", grouped(withheld), "withheld or redacted for: " + why});
  t.row({"releases proved from Japan's ledger", grouped(releases_proved),
         fmt::format("{} receipts back at Japan", grouped(receipts))});
  t.row({"indicators at the sensor", count(indicators_in_sensor), ""});
  t.row({"detected in traffic", count(detected), ""});
  t.row({"leased", count(leased), ""});
  if (!shared_to_blocked_ms.empty()) {
    t.row({"shared to blocked", fmt::format("{:.1f} ms", percentile(shared_to_blocked_ms, 50)),
           fmt::format("p50 of {}; p99 {:.1f} ms, longest {:.1f} ms", shared_to_blocked_ms.size(),
                       percentile(shared_to_blocked_ms, 99), percentile(shared_to_blocked_ms, 100))});
  } else {
    t.row({"shared to blocked", kNotRun, ""});
  }
  t.row({"packets dropped by the kernel", count(packets_dropped), "counter of nftables"});
  t.row({"allow-listed name still reached", answer(allowlisted_not_blocked), ""});
  t.row({"what nobody shared still reached", answer(unshared_not_blocked), ""});
  t.row({"sightings back in Japan", count(sightings_returned), ""});
  t.row({"recalled: lease gone", answer(recalled_lease_gone),
         recall_to_open_ms ? fmt::format("packets pass again after {:.1f} ms", *recall_to_open_ms) : ""});
  t.row({"ledger entries, both", grouped(ledger_entries), ledger_ok ? "both whole and signed" : "NOT whole"});
  t.row({"one octet altered in a copy",
         tamper_found_at ? fmt::format("found: entry {}", *tamper_found_at) : "NOT FOUND",
         tampered_entry ? fmt::format("altered: entry {}", *tampered_entry) : ""});
  t.row({"time", fmt::format("{:.1f} s", seconds), ""});
  t.print();
}

std::vector<std::string> Figures::shortcomings() const {
  std::vector<std::string> out;
  const auto must = [&](bool ok, const char* what) {
    if (!ok) out.emplace_back(what);
  };
  must(refused_before_force, "an exchange before the agreement was in force was not refused");
  must(published > 0 && received > 0, "nothing was exchanged");
  must(redacted > 0 && withheld > 0, "nothing was redacted or withheld");
  must(receipts > 0 && releases_proved > 0 && proof_verified, "receipts or ledger proofs are missing");
  must(recall_arrived, "the recall did not reach India");
  must(ledger_entries > 0 && ledger_ok, "a ledger is not whole");
  must(tamper_found_at.has_value() && tamper_found_at == tampered_entry, "the altered entry was not named");
  if (!lab) return out;
  must(detected.value_or(0) > 0 && leased.value_or(0) > 0, "nothing was detected or leased");
  must(!shared_to_blocked_ms.empty(), "no address was blocked in time");
  must(packets_dropped.value_or(0) > 0, "the kernel dropped nothing");
  must(allowlisted_not_blocked.value_or(false), "a name on the allow-list was blocked");
  must(unshared_not_blocked.value_or(false), "something that nobody shared was blocked");
  must(sightings_returned.value_or(0) > 0, "no sighting came back");
  must(recalled_lease_gone.value_or(false), "the lease of the recalled indicator is still there");
  must(table_removed.value_or(false), "the sensor left its table in the kernel");
  return out;
}

}  // namespace entente::cli::demo
