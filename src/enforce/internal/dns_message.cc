#include "enforce/internal/dns_message.h"

#include "base/crypto.h"

namespace entente::enforce::internal {

namespace {

constexpr std::string_view kHmacSha256 = "hmac-sha256";
constexpr uint16_t kFudge = 300;

// Reads big-endian numbers and names; after a fault everything is zero and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view octets, size_t at = 0) : octets_(octets), at_(at) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] size_t at() const { return at_; }
  [[nodiscard]] bool done() const { return at_ == octets_.size(); }
  std::string_view take(size_t n) {
    if (!ok_ || octets_.size() - at_ < n) {
      ok_ = false;
      return {};
    }
    at_ += n;
    return octets_.substr(at_ - n, n);
  }
  uint64_t number(size_t n) {
    uint64_t v = 0;
    for (const char c : take(n)) v = v << 8 | static_cast<uint8_t>(c);
    return v;
  }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  // Compressed or not; pointers go backwards only, so that it ends.
  std::string name() {
    std::string out;
    size_t at = at_, limit = at_;
    bool jumped = false;
    while (ok_) {
      if (at >= octets_.size()) break;
      const auto length = static_cast<uint8_t>(octets_[at]);
      if (length == 0) {
        if (!jumped) at_ = at + 1;
        return out;
      }
      if ((length & 0xc0) == 0xc0) {
        if (at + 1 >= octets_.size()) break;
        const size_t to = (length & 0x3fu) << 8 | static_cast<uint8_t>(octets_[at + 1]);
        if (to >= limit) break;
        if (!jumped) at_ = at + 2;
        jumped = true;
        at = limit = to;
        continue;
      }
      if (length > 63 || at + 1 + length > octets_.size() || out.size() + length > 254) break;
      if (!out.empty()) out += '.';
      for (const char c : octets_.substr(at + 1, length)) {
        out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      }
      at += 1u + length;
    }
    ok_ = false;
    return {};
  }

 private:
  std::string_view octets_;
  size_t at_;
  bool ok_ = true;
};

std::optional<Tsig> read_tsig(std::string_view octets, size_t start, std::string owner, size_t rdata, size_t length) {
  Tsig t;
  t.offset = start;
  t.key = std::move(owner);
  Reader in(octets.substr(0, rdata + length), rdata);
  t.algorithm = in.name();
  t.time = in.number(6);
  t.fudge = in.u16();
  t.mac = in.take(in.u16());
  t.original_id = in.u16();
  t.error = in.u16();
  (void)in.take(in.u16());
  if (!in.ok() || !in.done()) return std::nullopt;
  return t;
}

void put48(std::string& out, uint64_t v) {
  put16(out, static_cast<unsigned>(v >> 32 & 0xffff));
  put32(out, static_cast<uint32_t>(v));
}

// RFC 8945 §4.3.3.
std::string variables(const std::string& key, uint64_t time, uint16_t fudge, uint16_t error, std::string_view other) {
  std::string v = wire_name(key);
  put16(v, 255);  // ANY
  put32(v, 0);
  v += wire_name(kHmacSha256);
  put48(v, time);
  put16(v, fudge);
  put16(v, error);
  put16(v, static_cast<unsigned>(other.size()));
  return v += other;
}

std::string with_length(std::string_view mac) {
  std::string out;
  if (mac.empty()) return out;
  put16(out, static_cast<unsigned>(mac.size()));
  return out += mac;
}

uint64_t seconds(Time t) { return static_cast<uint64_t>(t.us / 1'000'000); }

void append_record(std::string& message, const std::string& key, uint64_t time, std::string_view mac, uint16_t error,
                   std::string_view other) {
  std::string data = wire_name(kHmacSha256);
  put48(data, time);
  put16(data, kFudge);
  put16(data, static_cast<unsigned>(mac.size()));
  data += mac;
  data += message.substr(0, 2);  // original id
  put16(data, error);
  put16(data, static_cast<unsigned>(other.size()));
  data += other;
  message += wire_name(key);
  put16(message, kRrTsig);
  put16(message, 255);
  put32(message, 0);
  put16(message, static_cast<unsigned>(data.size()));
  message += data;
  bump(message, 10);
}

}  // namespace

void put16(std::string& out, unsigned v) {
  out += static_cast<char>(v >> 8 & 0xff);
  out += static_cast<char>(v & 0xff);
}

void put32(std::string& out, uint32_t v) {
  put16(out, v >> 16);
  put16(out, v & 0xffff);
}

void bump(std::string& message, size_t offset, unsigned by) {
  const unsigned v = (static_cast<uint8_t>(message[offset]) << 8 | static_cast<uint8_t>(message[offset + 1])) + by;
  message[offset] = static_cast<char>(v >> 8 & 0xff);
  message[offset + 1] = static_cast<char>(v & 0xff);
}

std::string wire_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return out += '\0';
}

std::optional<DnsMessage> read_message(std::string_view octets) {
  Reader in(octets);
  DnsMessage m;
  m.id = in.u16();
  m.flags = in.u16();
  const unsigned questions = in.u16(), answers = in.u16(), authority = in.u16(), additional = in.u16();
  if (!in.ok() || questions > 1) return std::nullopt;
  if (questions == 1) {
    m.name = in.name();
    m.type = in.u16();
    m.klass = in.u16();
  }
  const unsigned records = answers + authority + additional;
  for (unsigned i = 0; i < records && in.ok(); ++i) {
    if (m.tsig) return std::nullopt;
    const size_t start = in.at();
    std::string owner = in.name();
    const uint16_t type = in.u16(), klass = in.u16();
    const uint64_t ttl = in.number(4);
    const size_t length = in.u16();
    const size_t rdata = in.at();
    (void)in.take(length);
    if (!in.ok()) break;
    if (type == kRrSoa && i < answers + authority && !m.soa_serial) {
      Reader soa(octets.substr(0, rdata + length), rdata);
      (void)soa.name();
      (void)soa.name();
      m.soa_serial = static_cast<uint32_t>(soa.number(4));
      if (!soa.ok()) return std::nullopt;
    }
    if (type == kRrTsig) {
      if (i < answers + authority || klass != 255 || ttl != 0) return std::nullopt;  // RFC 8945 §4.2
      m.tsig = read_tsig(octets, start, std::move(owner), rdata, length);
      if (!m.tsig) return std::nullopt;
    }
  }
  return in.ok() && in.done() ? std::optional(std::move(m)) : std::nullopt;
}

TsigError verify(std::string_view octets, const DnsMessage& message, const TsigKey& key, Time now,
                 std::string_view prior) {
  const Tsig& t = *message.tsig;
  if (key.empty() || t.key != key.name || t.algorithm != kHmacSha256) return kBadKey;
  // As it was before the record was added: one record less, and the id it was signed with.
  std::string signed_octets(octets.substr(0, t.offset));
  bump(signed_octets, 10, 0xffff);
  signed_octets[0] = static_cast<char>(t.original_id >> 8);
  signed_octets[1] = static_cast<char>(t.original_id & 0xff);
  const auto digest =
      hmac_sha256(key.secret, with_length(prior) + signed_octets + variables(t.key, t.time, t.fudge, t.error, {}));
  if (!equal_ct(view(digest), t.mac)) return kBadSig;  // a truncated MAC is none
  const uint64_t is = seconds(now);
  const uint64_t apart = is > t.time ? is - t.time : t.time - is;
  return apart <= t.fudge ? kTsigOk : kBadTime;
}

std::string sign(std::string& message, const TsigKey& key, Time now, std::string_view prior, bool later) {
  std::string covered = with_length(prior) + message;
  const uint64_t time = seconds(now);
  if (later) {
    put48(covered, time);
    put16(covered, kFudge);
  } else {
    covered += variables(key.name, time, kFudge, 0, {});
  }
  const auto digest = hmac_sha256(key.secret, covered);
  append_record(message, key.name, time, view(digest), 0, {});
  return std::string(view(digest));
}

void append_tsig_error(std::string& message, const Tsig& request, const TsigKey& key, TsigError error, Time now) {
  if (error != kBadTime) return append_record(message, request.key, request.time, {}, error, {});
  std::string other;
  put48(other, seconds(now));
  const auto digest = hmac_sha256(
      key.secret, with_length(request.mac) + message + variables(key.name, request.time, kFudge, error, other));
  append_record(message, key.name, request.time, view(digest), error, other);
}

}  // namespace entente::enforce::internal
