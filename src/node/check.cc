#include "node/check.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/files.h"
#include "exchange/evidence.h"
#include "exchange/names.h"
#include "ledger/tile_log.h"
#include "log/log.h"
#include "node/config.h"
#include "store/store.h"

namespace entente::node {

Result<CheckReport> check_node(const std::string& dir, const std::function<void(uint64_t, uint64_t)>& progress) {
  TRY(const NodeConfig config, load_config(dir));
  SystemClock clock;
  Metrics metrics;
  PosixFiles files;
  store::Store store;
  log::RocksOptions ro;
  ro.dir = config.data_dir();
  TRY(const auto log, log::open_rocks(ro, store, clock, metrics));
  store.attach(*log);
  CheckReport report;
  report.records = log->last_seq();
  store::Store scratch;
  TRY(report.findings, log->check(scratch, progress));

  // Every ledger folder: whole in itself, and leaf for leaf what the node's log says.
  TRY(const SecretKey log_key, SecretKey::load(config.key("log.pem")));
  TRY(const auto folders, files.list(config.ledger_dir()));
  for (const auto& name : folders) {
    const std::string folder = config.ledger_dir() + "/" + name;
    const auto audit = ledger::audit(files, folder, exchange::ledger_origin(config.party, name), log_key.public_key());
    ++report.ledgers;
    report.leaves += audit.entries;
    if (!audit.ok) report.findings.push_back("ledger " + name + ": " + audit.problem);
    const std::string sequence = "leaf/" + name;
    const uint64_t length = store.length(sequence);
    if (audit.entries > length) {
      report.findings.push_back("ledger " + name + " has " + std::to_string(audit.entries) + " entries, the log only " +
                                std::to_string(length));
    }
    uint64_t bad = UINT64_MAX;
    CHECK_OK(ledger::read_entries(files, folder, 0, std::min(audit.entries, length),
                                  [&](uint64_t i, std::string_view entry) {
                                    auto leaf = store.read(sequence, i, 1);
                                    if (leaf.ok() && !leaf->empty() && leaf->front() == entry) return true;
                                    bad = i;
                                    return false;
                                  }));
    if (bad != UINT64_MAX)
      report.findings.push_back("ledger " + name + ": entry " + std::to_string(bad) +
                                " is not the leaf that the log holds");
  }
  return report;
}

}  // namespace entente::node
