// Flow records: NetFlow v5, NetFlow v9 (RFC 3954) and IPFIX (RFC 7011), as files of export packets one after the other
// (for IPFIX that is the file format of RFC 5655). Templates are kept by source; what belongs to a template that did
// not come is counted and passed over. Untrusted octets: bounded memory, no exceptions, no recursion.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "packet/address.h"

namespace entente::packet {

struct FlowRecord {
  uint64_t number = 0;                        // 1-based, in the file
  Address src = {}, dst = {}, next_hop = {};  // unset where the record has none
  uint16_t src_port = 0, dst_port = 0;
  uint8_t protocol = 0;
  std::optional<Time> begin;  // of the flow; of the export where it has none
};

// Could these be the first octets of such a file? (At least 20 are needed.)
[[nodiscard]] bool looks_like_flows(std::string_view head);

class FlowReader {
 public:
  using Fn = std::function<void(const FlowRecord&)>;
  explicit FlowReader(Fn fn) : fn_(std::move(fn)) {}

  // Pieces of any size. kInvalid once, where the file cannot be followed any more; everything after it is ignored.
  Status feed(std::string_view bytes);
  Status finish();  // kInvalid if the last packet is cut short
  // One export packet that came by itself (UDP), whole: kInvalid if it is none; the next is read as if it had not come.
  Status datagram(std::string_view bytes);

  [[nodiscard]] uint64_t records() const { return records_; }
  [[nodiscard]] uint64_t without_template() const { return without_template_; }  // sets passed over
  [[nodiscard]] uint64_t malformed() const { return malformed_; }                // sets given up

 private:
  struct Field {
    uint16_t id, size;
    bool known;  // not an enterprise's own
  };
  using Template = std::vector<Field>;
  struct Export {
    uint16_t version;
    uint32_t domain;
    int64_t time_us, boot_us;
  };

  // Octets used, 0 if more are needed; nullopt if this is no packet.
  std::optional<size_t> packet(std::string_view bytes, bool last);
  void packet5(std::string_view bytes);
  void set(const Export& e, uint16_t id, std::string_view body);
  void templates(const Export& e, std::string_view body, bool options);
  void data(const Export& e, const Template& fields, std::string_view body);
  void tell(FlowRecord& record);

  Fn fn_;
  std::string carry_;
  std::map<std::pair<uint32_t, uint32_t>, Template> templates_;  // (version and id, domain)
  uint64_t records_ = 0, without_template_ = 0, malformed_ = 0;
  bool lost_ = false;
};

}  // namespace entente::packet
