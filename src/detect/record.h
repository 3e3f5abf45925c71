// One record of a log, one flow or one packet as an observation of STIX: what its fields say, kept flat while it is
// read, and written as cyber-observable objects (STIX 2.1 §6) that patterns are evaluated over. Which field says what
// is a table (internal/fields.cc, docs/detection.md); every value in a field that reads as address, name, URL, digest
// or e-mail address is an object of its own as well.
//
// Values are in the normal forms of pattern/normal.h: evaluate pattern::normalised patterns over them. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/time.h"
#include "detect/observable.h"
#include "packet/decode.h"
#include "pattern/observation.h"

namespace entente::detect {

// What a field says of the record.
enum class Role : uint8_t {
  kToken,  // nothing but the value: with its ObservableKind
  kSrcAddress,
  kDstAddress,
  kSrcPort,
  kDstPort,
  kProtocol,
  kSrcBytes,
  kDstBytes,
  kSrcPackets,
  kDstPackets,
  kQuery,   // name that was asked for
  kAnswer,  // address or name that it led to
  kServerName,
  kHost,  // of a request, with its port if it has one
  kUri,
  kMethod,
  kUserAgent,
  kMd5,
  kSha1,
  kSha256,
  kFileName,
  kFileSize,
  kMimeType,
  kMailFrom,
  kMailTo,
  kMailCc,
  kMailSubject,
  kMailId,
  kSubject,  // of a certificate
  kIssuer,
  kSerial,
  kUser,
  kMac,
  kJa3,
  kJa4,
  kAlpn,  // one protocol that a client offers
};

// The role of a field of a log by its name, as a path with dots: "id.orig_h" (Zeek), "dns.rrname" (Suricata).
[[nodiscard]] std::optional<Role> role_of(std::string_view field);

// Is there any record that shows objects of this type?
[[nodiscard]] bool is_seen(std::string_view stix_type);

class Record {
 public:
  static constexpr size_t kMaxItems = 512, kMaxBytes = 64 << 10;  // what is more is cut off: see cut()

  void clear();
  // A field by its role; text as it stands in the log.
  void add(Role role, std::string_view text);
  // A field whose role is not known or does not matter, and all values in it.
  void add_text(std::string_view text);
  void add_value(ObservableKind kind, std::string_view text);

  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] bool cut() const { return cut_; }
  // What was added by its role, in that order; `fn` is given the role and the text.
  template <class Fn>
  void each_role(const Fn& fn) const {
    for (const Item& i : items_)
      if (i.role != Role::kToken) fn(i.role, text(i));
  }

  // As one observation at `at`, appended; out.finish() included.
  void write(pattern::Observations& out, pattern::Nanos at) const;

  // To be kept for later: small, and equal to what was packed.
  [[nodiscard]] std::string pack() const;
  [[nodiscard]] static Record unpack(std::string_view packed);

 private:
  friend class RecordWriter;
  struct Item {
    Role role;
    ObservableKind kind;  // kToken
    uint32_t at, size;
  };
  void put(Role role, ObservableKind kind, std::string_view text);
  [[nodiscard]] std::string_view text(const Item& i) const { return std::string_view(texts_).substr(i.at, i.size); }

  std::vector<Item> items_;
  std::string texts_;
  bool cut_ = false;
};

// Is this the first packet of its flow? Bounded: after many flows it may say so again.
class FlowOnce {
 public:
  bool first(const packet::Flow& flow);

 private:
  std::unordered_set<uint64_t> flows_;
};

// From a packet to a record: on_flow begins it, what the decoder calls after it belongs to it.
class PacketRecord {
 public:
  void on_flow(const packet::Flow& flow);
  void on_dns_question(const packet::DnsQuestion& question);
  void on_dns_answer(const packet::DnsAnswer& answer);
  void on_sni(std::string_view name);
  void on_tls(const packet::TlsHello& hello);
  void on_http(const packet::HttpRequest& request);
  [[nodiscard]] const Record& record() const { return record_; }

 private:
  Record record_;
};

}  // namespace entente::detect
