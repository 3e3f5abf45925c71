#include "detect/record.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/bytes.h"
#include "detect/internal/hash.h"
#include "detect/internal/tokens.h"
#include "pattern/normal.h"

namespace entente::detect {

using pattern::AtomKind;

void Record::clear() {
  items_.clear();
  texts_.clear();
  cut_ = false;
}

void Record::put(Role role, ObservableKind kind, std::string_view text) {
  if (items_.size() >= kMaxItems || texts_.size() + text.size() > kMaxBytes) {
    cut_ = true;
    return;
  }
  items_.push_back({role, kind, static_cast<uint32_t>(texts_.size()), static_cast<uint32_t>(text.size())});
  texts_ += text;
}

void Record::add(Role role, std::string_view text) {
  if (role != Role::kToken && !text.empty()) put(role, {}, text);
}

void Record::add_value(ObservableKind kind, std::string_view text) { put(Role::kToken, kind, text); }

void Record::add_text(std::string_view text) {
  each_observable(text, kEveryShape, [&](ObservableKind kind, std::string_view token) { add_value(kind, token); });
}

std::string Record::pack() const {
  std::string out;
  out.reserve(items_.size() * 4 + texts_.size());
  for (const Item& i : items_) {
    out += static_cast<char>(i.role);
    out += static_cast<char>(i.kind);
    out += static_cast<char>(i.size & 255);
    out += static_cast<char>(i.size >> 8 & 255);
    out += static_cast<char>(i.size >> 16);
    out += text(i);
  }
  return out;
}

Record Record::unpack(std::string_view packed) {
  Record out;
  while (packed.size() >= 5) {
    const auto octet = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(packed[i])); };
    const size_t size = octet(2) | octet(3) << 8 | octet(4) << 16;
    out.put(static_cast<Role>(packed[0]), static_cast<ObservableKind>(packed[1]), packed.substr(5, size));
    packed.remove_prefix(std::min(5 + size, packed.size()));
  }
  return out;
}

// The objects of one record. An object's id is its value; it is seen inside the record only.
class RecordWriter {
 public:
  RecordWriter(const Record& record, pattern::Observations& out) : record_(record), out_(out) {}

  void run(pattern::Nanos at) {
    out_.begin({}, at, at);
    for (const auto& item : record_.items_) take(item, record_.text(item));
    strays();
    addresses_and_names();
    mails();
    files();
    traffic();
    certificate();
    for (const auto& url : urls_) plain("url", url, url);
    for (const auto& mac : macs_) plain("mac-addr", mac, mac);
    if (!user_.empty()) {
      out_.begin_object("user-account", {});
      out_.property("user_id", user_);
      out_.property("account_login", user_);
      out_.end_object();
    }
    out_.end();
  }

 private:
  using Texts = std::vector<std::string>;

  // Its place; kNone if there is no such text.
  static void once(Texts& list, std::string text) {
    if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
  }

  // An address or a name, in normal form, "" if it is neither.
  std::string endpoint(std::string_view text) {
    if (auto address = pattern::normal_address(text);
        address && (address->kind == AtomKind::kIpv4 || address->kind == AtomKind::kIpv6)) {
      once(address->kind == AtomKind::kIpv4 ? v4_ : v6_, address->value);
      return std::move(address->value);
    }
    if (auto name = pattern::normal_domain(text)) {
      once(names_, *name);
      return std::move(*name);
    }
    return {};
  }
  std::string address(std::string_view text) {
    const auto a = pattern::normal_address(text);
    if (!a || (a->kind != AtomKind::kIpv4 && a->kind != AtomKind::kIpv6)) return {};
    return endpoint(text);
  }
  static void first(std::string& to, std::string_view text) {
    if (to.empty()) to = text;
  }
  void mail_to(Texts& list, std::string_view text) {
    each_email(text, [&](ObservableKind, std::string_view mail) {
      if (auto normal = pattern::normal_email(mail)) {
        once(mails_, *normal);
        once(list, std::move(*normal));
      }
    });
  }

  void take(const Record::Item& item, std::string_view text) {
    switch (item.role) {
      case Role::kToken:
        return token(item.kind, text);
      case Role::kSrcAddress:
        if (src_.empty()) src_ = address(text);
        return;
      case Role::kDstAddress:
        if (dst_.empty()) dst_ = address(text);
        return;
      case Role::kQuery:
        if (auto name = pattern::normal_domain(text)) {
          once(names_, *name);
          once(queries_, std::move(*name));
        }
        return;
      case Role::kAnswer:
        if (auto to = endpoint(text); !to.empty()) once(answers_, std::move(to));
        return;
      case Role::kServerName:
        endpoint(text);
        return;
      case Role::kHost: {
        std::string_view host = text;
        host = host.starts_with('[') ? host.substr(1, host.find(']') - 1) : host.substr(0, host.find(':'));
        endpoint(host);
        return first(host_, text);
      }
      case Role::kMailFrom:
        mail_to(from_, text);
        return;
      case Role::kMailTo:
        mail_to(to_, text);
        return;
      case Role::kMailCc:
        mail_to(cc_, text);
        return;
      case Role::kMd5:
      case Role::kSha1:
      case Role::kSha256:
        return first(hashes_[static_cast<size_t>(item.role) - static_cast<size_t>(Role::kMd5)], ascii_lower(text));
      case Role::kProtocol:
        if (!text.empty() && text != "-") once(protocols_, ascii_lower(text));
        return;
      case Role::kMac:
        once(macs_, ascii_lower(text));
        return;
      case Role::kUser:
        return first(user_, text);
      case Role::kAlpn:
        return once(alpn_, std::string(text));
      case Role::kJa3:
      case Role::kJa4:
      case Role::kSerial:
        return first(single(item.role), ascii_lower(text));
      default:
        return first(single(item.role), text);
    }
  }

  void token(ObservableKind kind, std::string_view text) {
    switch (kind) {
      case ObservableKind::kIpv4:
      case ObservableKind::kIpv6:
        address(text);
        return;
      case ObservableKind::kDomain:
        if (text.starts_with('*')) return;  // stands for the names below it
        if (auto name = pattern::normal_domain(text)) once(names_, std::move(*name));
        return;
      case ObservableKind::kUrl:
        if (auto url = pattern::normal_url(text)) once(urls_, std::move(*url));
        return;
      case ObservableKind::kHash:
        return once(digests_, ascii_lower(text));
      case ObservableKind::kJa3:
        return first(single(Role::kJa3), ascii_lower(text));
      case ObservableKind::kJa4:
        return first(single(Role::kJa4), ascii_lower(text));
      case ObservableKind::kEmail:
        if (auto mail = pattern::normal_email(text)) once(mails_, std::move(*mail));
        return;
    }
  }

  std::string& single(Role role) { return singles_[static_cast<size_t>(role)]; }
  [[nodiscard]] const std::string& single(Role role) const { return singles_[static_cast<size_t>(role)]; }

  // Digests that no field says more of are files of their own.
  void strays() {
    for (const auto& h : hashes_) std::erase(digests_, h);
  }

  void plain(std::string_view type, std::string_view id, std::string_view value) {
    out_.begin_object(type, id);
    out_.property("value", value);
    out_.end_object();
  }

  void addresses_and_names() {
    for (const auto& a : v4_) plain("ipv4-addr", a, a);
    for (const auto& a : v6_) plain("ipv6-addr", a, a);
    for (const auto& name : names_) {
      out_.begin_object("domain-name", name);
      out_.property("value", name);
      if (!answers_.empty() && std::find(queries_.begin(), queries_.end(), name) != queries_.end())
        list("resolves_to_refs", answers_);
      out_.end_object();
    }
  }

  void list(std::string_view key, const Texts& texts) {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    out_.property(key, std::span<const std::string_view>(views));
  }

  void mails() {
    for (const auto& m : mails_) plain("email-addr", m, m);
    if (from_.empty() && to_.empty() && single(Role::kMailId).empty()) return;
    out_.begin_object("email-message", {});
    if (!from_.empty()) out_.property("from_ref", std::string_view(from_.front()));
    if (!to_.empty()) list("to_refs", to_);
    if (!cc_.empty()) list("cc_refs", cc_);
    text("subject", Role::kMailSubject);
    text("message_id", Role::kMailId);
    out_.end_object();
  }

  void text(std::string_view key, Role role) {
    if (const auto& s = single(role); !s.empty()) out_.property(key, std::string_view(s));
  }
  void number(std::string_view key, Role role) {
    const auto& s = single(role);
    int64_t n = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
    if (!s.empty() && error == std::errc{} && end == s.data() + s.size()) out_.property(key, n);
  }

  void files() {
    const bool hashed = std::any_of(hashes_.begin(), hashes_.end(), [](const auto& h) { return !h.empty(); });
    if (hashed || !single(Role::kFileName).empty()) {
      out_.begin_object("file", {});
      text("name", Role::kFileName);
      number("size", Role::kFileSize);
      text("mime_type", Role::kMimeType);
      if (hashed) {
        static constexpr std::array<std::string_view, 3> kNames = {"MD5", "SHA-1", "SHA-256"};
        out_.begin_dictionary("hashes");
        for (size_t i = 0; i < kNames.size(); ++i)
          if (!hashes_[i].empty()) out_.property(kNames[i], std::string_view(hashes_[i]));
        out_.end_dictionary();
      }
      out_.end_object();
    }
    for (const auto& digest : digests_) {
      const std::string_view name = digest.size() == 32   ? "MD5"
                                    : digest.size() == 40 ? "SHA-1"
                                    : digest.size() == 64 ? "SHA-256"
                                                          : "SHA-512";
      out_.begin_object("file", {});
      out_.begin_dictionary("hashes");
      out_.property(name, std::string_view(digest));
      out_.end_dictionary();
      out_.end_object();
    }
  }

  void traffic() {
    if (src_.empty() && dst_.empty()) return;
    out_.begin_object("network-traffic", {});
    if (!src_.empty()) out_.property("src_ref", std::string_view(src_));
    if (!dst_.empty()) out_.property("dst_ref", std::string_view(dst_));
    number("src_port", Role::kSrcPort);
    number("dst_port", Role::kDstPort);
    number("src_byte_count", Role::kSrcBytes);
    number("dst_byte_count", Role::kDstBytes);
    number("src_packets", Role::kSrcPackets);
    number("dst_packets", Role::kDstPackets);
    if (!protocols_.empty()) list("protocols", protocols_);
    const bool request = !single(Role::kMethod).empty() || !single(Role::kUri).empty();
    const bool hello = !single(Role::kJa3).empty() || !single(Role::kJa4).empty() || !alpn_.empty();
    if (request || hello) out_.begin_dictionary("extensions");
    if (request) {
      out_.begin_dictionary("http-request-ext");
      if (const auto& m = single(Role::kMethod); !m.empty()) out_.property("request_method", ascii_lower(m));
      text("request_value", Role::kUri);
      out_.begin_dictionary("request_header");
      if (!host_.empty()) out_.property("Host", std::string_view(host_));
      text("User-Agent", Role::kUserAgent);
      out_.end_dictionary();
      out_.end_dictionary();
    }
    if (hello) {
      out_.begin_dictionary("tls-ext");
      text("ja3", Role::kJa3);
      text("ja4", Role::kJa4);
      if (!alpn_.empty()) list("alpn", alpn_);
      out_.end_dictionary();
    }
    if (request || hello) out_.end_dictionary();
    out_.end_object();
  }

  void certificate() {
    if (single(Role::kSubject).empty() && single(Role::kIssuer).empty() && single(Role::kSerial).empty()) return;
    out_.begin_object("x509-certificate", {});
    text("subject", Role::kSubject);
    text("issuer", Role::kIssuer);
    text("serial_number", Role::kSerial);
    out_.end_object();
  }

  const Record& record_;
  pattern::Observations& out_;
  Texts v4_, v6_, names_, urls_, mails_, digests_, queries_, answers_, from_, to_, cc_, protocols_, macs_, alpn_;
  std::array<std::string, 3> hashes_;
  std::string src_, dst_, host_, user_;
  std::array<std::string, static_cast<size_t>(Role::kAlpn) + 1> singles_;
};

void Record::write(pattern::Observations& out, pattern::Nanos at) const {
  RecordWriter(*this, out).run(at);
  // The writer cannot fail: what it wrote refers to what it wrote.
  static_cast<void>(out.finish().ok());
}

// --- packets

namespace {
constexpr size_t kMaxFlows = 1u << 18;

uint64_t flow_hash(const packet::Flow& f) {
  char octets[37];
  size_t n = 0;
  for (const auto* a : {&f.src, &f.dst}) {
    std::memcpy(octets + n, a->b.data(), 16);
    n += 16;
  }
  std::memcpy(octets + n, &f.src_port, 2);
  std::memcpy(octets + n + 2, &f.dst_port, 2);
  octets[n + 4] = static_cast<char>(f.protocol);
  return hash_bytes(hash_seed() ^ (f.src.v6 ? 1 : 0), {octets, sizeof octets});
}

}  // namespace

bool FlowOnce::first(const packet::Flow& flow) {
  if (flows_.size() >= kMaxFlows) flows_.clear();
  return flows_.insert(flow_hash(flow)).second;
}

void PacketRecord::on_flow(const packet::Flow& f) {
  record_.clear();
  record_.add(Role::kSrcAddress, packet::to_text(f.src));
  record_.add(Role::kDstAddress, packet::to_text(f.dst));
  if (f.src_port != 0 || f.dst_port != 0) {
    record_.add(Role::kSrcPort, std::to_string(f.src_port));
    record_.add(Role::kDstPort, std::to_string(f.dst_port));
  }
  record_.add(Role::kProtocol, f.src.v6 ? "ipv6" : "ipv4");
  if (f.protocol == packet::kTcp) record_.add(Role::kProtocol, "tcp");
  if (f.protocol == packet::kUdp) record_.add(Role::kProtocol, "udp");
  if (f.protocol == 1 || f.protocol == 58) record_.add(Role::kProtocol, f.protocol == 1 ? "icmp" : "icmp6");
}

void PacketRecord::on_dns_question(const packet::DnsQuestion& q) {
  record_.add(Role::kProtocol, "dns");
  record_.add(Role::kQuery, q.name);
}

void PacketRecord::on_dns_answer(const packet::DnsAnswer& a) {
  record_.add(Role::kProtocol, "dns");
  record_.add(Role::kQuery, a.question);
  if (a.type == packet::DnsType::kCname) return record_.add(Role::kAnswer, a.target);
  record_.add(Role::kAnswer, packet::to_text(a.address));
}

void PacketRecord::on_sni(std::string_view name) {
  record_.add(Role::kProtocol, "tls");
  record_.add(Role::kServerName, name);
}

void PacketRecord::on_tls(const packet::TlsHello& hello) {
  record_.add(Role::kProtocol, "tls");
  if (const auto print = packet::fingerprint(hello)) {
    record_.add(Role::kJa3, print->ja3);
    record_.add(Role::kJa4, print->ja4);
  }
  for (const auto protocol : packet::alpn(hello)) record_.add(Role::kAlpn, protocol);
}

void PacketRecord::on_http(const packet::HttpRequest& r) {
  record_.add(Role::kProtocol, "http");
  record_.add(Role::kMethod, r.method);
  record_.add(Role::kHost, r.host);
  record_.add(Role::kUri, r.target);
  // As PacketObserver has it.
  if (r.target.starts_with('/')) {
    if (!r.host.empty())
      record_.add_value(ObservableKind::kUrl, "http://" + std::string(r.host) + std::string(r.target));
  } else if (r.target.find("://") != std::string_view::npos) {
    record_.add_value(ObservableKind::kUrl, r.target);
  }
}

}  // namespace entente::detect
