// What the fields of known logs say (docs/detection.md has the same table for users).
#include <algorithm>
#include <array>

#include "detect/record.h"

namespace entente::detect {
namespace {

struct Field {
  std::string_view name;
  Role role;
};

// Sorted by name. Zeek's names, Suricata's EVE, and the elastic common schema where it differs.
constexpr std::array kFields = {
    Field{"account", Role::kUser},
    Field{"answers", Role::kAnswer},
    Field{"app_proto", Role::kProtocol},
    Field{"cc", Role::kMailCc},
    Field{"certificate.issuer", Role::kIssuer},
    Field{"certificate.serial", Role::kSerial},
    Field{"certificate.subject", Role::kSubject},
    Field{"client", Role::kSrcAddress},
    Field{"dest_ip", Role::kDstAddress},
    Field{"dest_port", Role::kDstPort},
    Field{"destination.ip", Role::kDstAddress},
    Field{"destination.port", Role::kDstPort},
    Field{"dns.answers.rdata", Role::kAnswer},
    Field{"dns.answers.rrname", Role::kQuery},
    Field{"dns.grouped.A", Role::kAnswer},
    Field{"dns.grouped.AAAA", Role::kAnswer},
    Field{"dns.grouped.CNAME", Role::kAnswer},
    Field{"dns.query.rrname", Role::kQuery},
    Field{"dns.question.name", Role::kQuery},
    Field{"dns.rdata", Role::kAnswer},
    Field{"dns.resolved_ip", Role::kAnswer},
    Field{"dns.rrname", Role::kQuery},
    Field{"dst_ip", Role::kDstAddress},
    Field{"email.cc", Role::kMailCc},
    Field{"email.from", Role::kMailFrom},
    Field{"email.message_id", Role::kMailId},
    Field{"email.subject", Role::kMailSubject},
    Field{"email.to", Role::kMailTo},
    Field{"fileinfo.filename", Role::kFileName},
    Field{"fileinfo.md5", Role::kMd5},
    Field{"fileinfo.mimetype", Role::kMimeType},
    Field{"fileinfo.sha1", Role::kSha1},
    Field{"fileinfo.sha256", Role::kSha256},
    Field{"fileinfo.size", Role::kFileSize},
    Field{"filename", Role::kFileName},
    Field{"flow.bytes_toclient", Role::kDstBytes},
    Field{"flow.bytes_toserver", Role::kSrcBytes},
    Field{"flow.pkts_toclient", Role::kDstPackets},
    Field{"flow.pkts_toserver", Role::kSrcPackets},
    Field{"from", Role::kMailFrom},
    Field{"http.http_method", Role::kMethod},
    Field{"http.http_user_agent", Role::kUserAgent},
    Field{"http.url", Role::kUri},
    Field{"id.orig_h", Role::kSrcAddress},
    Field{"id.orig_p", Role::kSrcPort},
    Field{"id.resp_h", Role::kDstAddress},
    Field{"id.resp_p", Role::kDstPort},
    Field{"ja3", Role::kJa3},
    Field{"ja3.hash", Role::kJa3},
    Field{"ja3_hash", Role::kJa3},
    Field{"ja4", Role::kJa4},
    Field{"mac", Role::kMac},
    Field{"mailfrom", Role::kMailFrom},
    Field{"md5", Role::kMd5},
    Field{"method", Role::kMethod},
    Field{"mime_type", Role::kMimeType},
    Field{"msg_id", Role::kMailId},
    Field{"next_protocol", Role::kAlpn},
    Field{"orig_bytes", Role::kSrcBytes},
    Field{"orig_l2_addr", Role::kMac},
    Field{"orig_pkts", Role::kSrcPackets},
    Field{"proto", Role::kProtocol},
    Field{"query", Role::kQuery},
    Field{"quic.ja3.hash", Role::kJa3},
    Field{"quic.ja4", Role::kJa4},
    Field{"quic.sni", Role::kServerName},
    Field{"rcptto", Role::kMailTo},
    Field{"resp_bytes", Role::kDstBytes},
    Field{"resp_l2_addr", Role::kMac},
    Field{"resp_pkts", Role::kDstPackets},
    Field{"server", Role::kDstAddress},
    Field{"server_name", Role::kServerName},
    Field{"service", Role::kProtocol},
    Field{"sha1", Role::kSha1},
    Field{"sha256", Role::kSha256},
    Field{"smtp.mail_from", Role::kMailFrom},
    Field{"smtp.rcpt_to", Role::kMailTo},
    Field{"source.ip", Role::kSrcAddress},
    Field{"source.port", Role::kSrcPort},
    Field{"src_ip", Role::kSrcAddress},
    Field{"src_port", Role::kSrcPort},
    Field{"subject", Role::kMailSubject},
    Field{"tls.client.ja3", Role::kJa3},
    Field{"tls.client.ja4", Role::kJa4},
    Field{"tls.client.server_name", Role::kServerName},
    Field{"tls.client_alpns", Role::kAlpn},
    Field{"tls.issuerdn", Role::kIssuer},
    Field{"tls.ja3.hash", Role::kJa3},
    Field{"tls.ja4", Role::kJa4},
    Field{"tls.serial", Role::kSerial},
    Field{"tls.sni", Role::kServerName},
    Field{"tls.subject", Role::kSubject},
    Field{"to", Role::kMailTo},
    Field{"total_bytes", Role::kFileSize},
    Field{"uri", Role::kUri},
    Field{"user", Role::kUser},
    Field{"user_agent", Role::kUserAgent},
    Field{"username", Role::kUser},
};
static_assert(std::is_sorted(kFields.begin(), kFields.end(),
                             [](const Field& a, const Field& b) { return a.name < b.name; }));

constexpr std::array<std::string_view, 11> kTypes = {
    "domain-name", "email-addr",      "email-message", "file",         "ipv4-addr",       "ipv6-addr",
    "mac-addr",    "network-traffic", "url",           "user-account", "x509-certificate"};

}  // namespace

std::optional<Role> role_of(std::string_view field) {
  const auto at = std::lower_bound(kFields.begin(), kFields.end(), field,
                                   [](const Field& f, std::string_view name) { return f.name < name; });
  if (at == kFields.end() || at->name != field) return std::nullopt;
  return at->role;
}

bool is_seen(std::string_view stix_type) { return std::find(kTypes.begin(), kTypes.end(), stix_type) != kTypes.end(); }

}  // namespace entente::detect
