// What is in force, for other programs: files in a folder, and the same over HTTP(S) with ETags. Only leases are in
// them, so only what the guard let through, for as long as it is in force; each file is replaced whole.
//
// The folder has a manifest.json (docs/format/exports.md) with a time until which the files are to be used: whoever
// reads them looks at it, so that a sensor that stays away blocks nothing for ever (fail open).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "enforce/export.h"
#include "json/node.h"
#include "net/http.h"
#include "sensor/core.h"

namespace entente::sensor {

struct ExportWish {
  enforce::ExportForm form = enforce::ExportForm::kText;
  size_t capacity = 100'000;
};
[[nodiscard]] Result<ExportWish> parse_export_wish(std::string_view text);  // "zeek", "nft:20000"

struct ExportsOptions {
  std::vector<ExportWish> forms;
  std::string dir;                  // "" = no files
  std::string listen;               // "ADDRESS:PORT"; "" = no server
  std::string cert_file, key_file;  // of the server; without them plain HTTP, on loopback only
  bool with_counting = false;
  std::string zone = "rpz.entente";
  int64_t hold_us = 300'000'000;    // how long the files are to be used after the sensor's last word
  int64_t refresh_us = 60'000'000;  // forms with time-outs in them are written again so often
  bool clear_at_stop = false;       // else the last files stay
};

// Names of leases take effect at whoever reads the exports; the lease book is what they are written from.
class ExportedNames final : public enforce::NameEnforcer {
 public:
  [[nodiscard]] std::string name() const override { return "exports"; }
  void want(const enforce::Target&, bool, Time) override {}
  void unwant(const enforce::Target&) override {}
  Status flush(Time) override { return {}; }
  Status clear() override { return {}; }
};

// A thread of its own looks at the leases several times a second. Thread-safe.
class Exports {
 public:
  // kInvalid, kIo: a folder that cannot be written, an address that cannot be listened at. `token`: who asks has to
  // show it; "" on loopback only.
  static Result<std::unique_ptr<Exports>> start(ExportsOptions options, std::string token, Core& core, Clock& clock,
                                                Files& files);
  Exports(const Exports&) = delete;
  Exports& operator=(const Exports&) = delete;
  ~Exports();
  void stop();

  [[nodiscard]] json::Node status() const;
  [[nodiscard]] uint16_t port() const;                                    // 0 without a server
  [[nodiscard]] net::Response answer(const net::Request& request) const;  // for the server, and for tests

 private:
  Exports();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace entente::sensor
