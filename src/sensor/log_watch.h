// Logs to lookups: every value of every line is looked up; what matches goes to the core, with the address that a name
// or URL led to where the same line tells it (answers of a query, the server of a connection).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "detect/lines.h"
#include "packet/flows.h"
#include "sensor/core.h"

namespace entente::sensor {

// One per thread that reads logs.
class LogWatch final : public detect::LineSink {
 public:
  // A line that is older than `lead_us` still counts as seen at its time, but what a name led to then blocks nothing
  // today.
  LogWatch(Core& core, Clock& clock, int64_t lead_us) : core_(core), clock_(clock), lead_us_(lead_us) {}
  void on_value(detect::ObservableKind kind, std::string_view field, std::string_view text) override;
  [[nodiscard]] bool whole_records() const override { return core_.has_compounds(); }
  void on_record(const detect::Record& record, const detect::RecordPlace& place) override;
  void on_flow(const packet::FlowRecord& flow, std::string_view source);

 private:
  struct Value {
    detect::ObservableKind kind;
    std::string field, text;
  };
  // What a line says beside its values.
  struct Facts {
    std::string src, dst, query, name, uri;
    std::vector<std::string> answers;
    packet::Flow flow;
  };
  static Facts facts_of(const detect::Record& record);
  // The addresses that this value led to, with the name that did.
  static std::vector<std::string> led_to(const Value& value, const Facts& facts, std::string& via);
  void look_up(const Value& value, const Facts& facts, Time time, bool fresh, std::string_view source);

  Core& core_;
  Clock& clock_;
  int64_t lead_us_;
  std::vector<Value> values_;
  std::vector<uint32_t> tags_;
  std::vector<detect::Shown> shown_;
  detect::Record flow_record_;
};

}  // namespace entente::sensor
