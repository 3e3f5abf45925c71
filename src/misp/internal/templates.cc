// Object templates of the MISP core format, and galaxies. Attributes of an object without a row here stay beside (in
// our extension), unless they are to_ids and their type has a place: then they become indicators of their own.
#include "misp/internal/tables.h"

namespace entente::misp::internal {
namespace {

constexpr Relation at(std::string_view relation, std::string_view path, Form form = Form::kText) {
  return {relation, {path, form}};
}

constexpr std::array kFile = {
    at("filename", "file:name"),
    at("md5", "file:hashes.MD5", Form::kHash),
    at("sha1", "file:hashes.'SHA-1'", Form::kHash),
    at("sha224", "file:hashes.SHA224", Form::kHash),
    at("sha256", "file:hashes.'SHA-256'", Form::kHash),
    at("sha384", "file:hashes.SHA384", Form::kHash),
    at("sha512", "file:hashes.'SHA-512'", Form::kHash),
    at("sha3-256", "file:hashes.'SHA3-256'", Form::kHash),
    at("sha3-512", "file:hashes.'SHA3-512'", Form::kHash),
    at("ssdeep", "file:hashes.SSDEEP"),
    at("tlsh", "file:hashes.TLSH"),
    at("authentihash", "file:hashes.AUTHENTIHASH", Form::kHash),
    at("size-in-bytes", "file:size", Form::kInteger),
    at("mimetype", "file:mime_type"),
    at("path", "file:parent_directory_ref.path"),
    at("creation-time", "file:ctime", Form::kTime),
    at("modification-time", "file:mtime", Form::kTime),
    at("access-time", "file:atime", Form::kTime),
};
constexpr std::array kDomainIp = {
    at("domain", "domain-name:value", Form::kDomain),
    at("hostname", "domain-name:value", Form::kDomain),
    at("ip", "domain-name:resolves_to_refs[*].value", Form::kAddress),
};
// A domain-ip object without a name: nothing to hang its addresses on.
constexpr std::array kOnlyIp = {at("ip", "ip:value", Form::kAddress)};
constexpr std::array kConnection = {
    at("ip-src", "network-traffic:src_ref.value", Form::kEndpoint),
    at("hostname-src", "network-traffic:src_ref.value", Form::kEndpoint),
    at("ip-dst", "network-traffic:dst_ref.value", Form::kEndpoint),
    at("hostname-dst", "network-traffic:dst_ref.value", Form::kEndpoint),
    at("src-port", "network-traffic:src_port", Form::kInteger),
    at("dst-port", "network-traffic:dst_port", Form::kInteger),
    at("first-packet-seen", "network-traffic:start", Form::kTime),
    at("last-packet-seen", "network-traffic:end", Form::kTime),
    at("src-bytes-count", "network-traffic:src_byte_count", Form::kInteger),
    at("dst-bytes-count", "network-traffic:dst_byte_count", Form::kInteger),
};
constexpr std::array kIpPort = {
    at("ip", "network-traffic:dst_ref.value", Form::kEndpoint),
    at("ip-dst", "network-traffic:dst_ref.value", Form::kEndpoint),
    at("domain", "network-traffic:dst_ref.value", Form::kEndpoint),
    at("hostname", "network-traffic:dst_ref.value", Form::kEndpoint),
    at("ip-src", "network-traffic:src_ref.value", Form::kEndpoint),
    at("src-port", "network-traffic:src_port", Form::kInteger),
    at("dst-port", "network-traffic:dst_port", Form::kInteger),
};
constexpr std::array kEmail = {
    at("from", "email-message:from_ref.value"),
    at("to", "email-message:to_refs[*].value"),
    at("cc", "email-message:cc_refs[*].value"),
    at("bcc", "email-message:bcc_refs[*].value"),
    at("subject", "email-message:subject"),
    at("email-body", "email-message:body"),
    at("message-id", "email-message:message_id"),
    at("send-date", "email-message:date", Form::kTime),
    at("reply-to", "email-message:additional_header_fields.'Reply-To'[*]"),
    at("x-mailer", "email-message:additional_header_fields.'X-Mailer'[*]"),
};
constexpr std::array kUrl = {at("url", "url:value")};
constexpr std::array kX509 = {
    at("x509-fingerprint-md5", "x509-certificate:hashes.MD5", Form::kHash),
    at("x509-fingerprint-sha1", "x509-certificate:hashes.'SHA-1'", Form::kHash),
    at("x509-fingerprint-sha256", "x509-certificate:hashes.'SHA-256'", Form::kHash),
    at("issuer", "x509-certificate:issuer"),
    at("subject", "x509-certificate:subject"),
    at("serial-number", "x509-certificate:serial_number"),
    at("version", "x509-certificate:version"),
    at("validity-not-before", "x509-certificate:validity_not_before", Form::kTime),
    at("validity-not-after", "x509-certificate:validity_not_after", Form::kTime),
    at("signature_algorithm", "x509-certificate:signature_algorithm"),
    at("pubkey-info-algorithm", "x509-certificate:subject_public_key_algorithm"),
    at("pubkey-info-modulus", "x509-certificate:subject_public_key_modulus"),
    at("pubkey-info-exponent", "x509-certificate:subject_public_key_exponent", Form::kInteger),
    at("self_signed", "x509-certificate:is_self_signed", Form::kBoolean),
};
constexpr std::array kRegistry = {
    at("key", "windows-registry-key:key", Form::kRegistryKey),
    at("name", "windows-registry-key:values[*].name"),
    at("data", "windows-registry-key:values[*].data"),
    at("data-type", "windows-registry-key:values[*].data_type"),
    at("last-modified", "windows-registry-key:modified_time", Form::kTime),
};
constexpr std::array kProcess = {
    at("pid", "process:pid", Form::kInteger),
    at("command-line", "process:command_line"),
    at("current-directory", "process:cwd"),
    at("hidden", "process:is_hidden", Form::kBoolean),
    at("creation-time", "process:created_time", Form::kTime),
    at("image", "process:image_ref.name"),
};
constexpr std::array kAccount = {
    at("username", "user-account:account_login"),
    at("user-id", "user-account:user_id"),
    at("display-name", "user-account:display_name"),
    at("account-type", "user-account:account_type"),
    at("is_service_account", "user-account:is_service_account", Form::kBoolean),
    at("privileged", "user-account:is_privileged", Form::kBoolean),
    at("can_escalate_privs", "user-account:can_escalate_privs", Form::kBoolean),
    at("disabled", "user-account:is_disabled", Form::kBoolean),
    at("created", "user-account:account_created", Form::kTime),
    at("expires", "user-account:account_expires", Form::kTime),
    at("first_login", "user-account:account_first_login", Form::kTime),
    at("last_login", "user-account:account_last_login", Form::kTime),
};
constexpr std::array kAsn = {
    at("asn", "autonomous-system:number", Form::kAsn),
    at("description", "autonomous-system:name"),
};
constexpr std::array kMutex = {at("name", "mutex:name")};
constexpr std::array kDirectory = {at("path", "directory:path")};
constexpr std::array kSoftware = {
    at("name", "software:name"),
    at("cpe", "software:cpe"),
    at("vendor", "software:vendor"),
    at("version", "software:version"),
};
// Of an object of its own: the path is the property.
constexpr std::array kVulnerability = {
    at("id", "name", Form::kCve),
    at("summary", "description"),
    at("description", "description"),
};
constexpr std::array kVictim = {
    at("name", "name"),
    at("description", "description"),
};

constexpr auto kObs = Target::kObservable;
constexpr std::array kTemplates = {
    Template{"file", kObs, {}, kFile},
    Template{"domain-ip", kObs, {}, kDomainIp},
    Template{"domain-ip (without a name)", kObs, {}, kOnlyIp},
    Template{"network-connection", kObs, {}, kConnection},
    Template{"network-socket", kObs, {}, kConnection},
    Template{"ip-port", kObs, {}, kIpPort},
    Template{"email", kObs, {}, kEmail},
    Template{"url", kObs, {}, kUrl},
    Template{"x509", kObs, {}, kX509},
    Template{"registry-key", kObs, {}, kRegistry},
    Template{"process", kObs, {}, kProcess},
    Template{"user-account", kObs, {}, kAccount},
    Template{"asn", kObs, {}, kAsn},
    Template{"mutex", kObs, {}, kMutex},
    Template{"directory", kObs, {}, kDirectory},
    Template{"software", kObs, {}, kSoftware},
    Template{"vulnerability", Target::kVulnerability, {}, kVulnerability},
    Template{"victim", Target::kVictim, "unknown", kVictim},
    Template{"corporate-asset", Target::kVictim, "system", {}},
};

constexpr std::array kGalaxies = {
    Galaxy{"mitre-attack-pattern", "attack-pattern"},
    Galaxy{"mitre-enterprise-attack-attack-pattern", "attack-pattern"},
    Galaxy{"mitre-mobile-attack-attack-pattern", "attack-pattern"},
    Galaxy{"mitre-pre-attack-attack-pattern", "attack-pattern"},
    Galaxy{"mitre-ics-techniques", "attack-pattern"},
    Galaxy{"mitre-course-of-action", "course-of-action"},
    Galaxy{"mitre-enterprise-attack-course-of-action", "course-of-action"},
    Galaxy{"mitre-mobile-attack-course-of-action", "course-of-action"},
    Galaxy{"mitre-intrusion-set", "intrusion-set"},
    Galaxy{"mitre-enterprise-attack-intrusion-set", "intrusion-set"},
    Galaxy{"mitre-mobile-attack-intrusion-set", "intrusion-set"},
    Galaxy{"mitre-pre-attack-intrusion-set", "intrusion-set"},
    Galaxy{"mitre-malware", "malware"},
    Galaxy{"mitre-enterprise-attack-malware", "malware"},
    Galaxy{"mitre-mobile-attack-malware", "malware"},
    Galaxy{"malpedia", "malware"},
    Galaxy{"ransomware", "malware"},
    Galaxy{"backdoor", "malware"},
    Galaxy{"banker", "malware"},
    Galaxy{"botnet", "malware"},
    Galaxy{"cryptominers", "malware"},
    Galaxy{"rat", "malware"},
    Galaxy{"stealer", "malware"},
    Galaxy{"android", "malware"},
    Galaxy{"mitre-tool", "tool"},
    Galaxy{"mitre-enterprise-attack-tool", "tool"},
    Galaxy{"mitre-mobile-attack-tool", "tool"},
    Galaxy{"tool", "tool"},
    Galaxy{"exploit-kit", "tool"},
    Galaxy{"threat-actor", "threat-actor"},
    Galaxy{"microsoft-activity-group", "threat-actor"},
    Galaxy{"*-threat-actor", "threat-actor"},
    Galaxy{"branded-vulnerability", "vulnerability"},
    Galaxy{"sector", "identity"},
    // What an export makes of objects of others, named after their type.
    Galaxy{"stix-2.1-attack-pattern", "attack-pattern"},
    Galaxy{"stix-2.1-campaign", "campaign"},
    Galaxy{"stix-2.1-course-of-action", "course-of-action"},
    Galaxy{"stix-2.1-intrusion-set", "intrusion-set"},
    Galaxy{"stix-2.1-malware", "malware"},
    Galaxy{"stix-2.1-threat-actor", "threat-actor"},
    Galaxy{"stix-2.1-tool", "tool"},
};

}  // namespace

std::span<const Template> templates() { return kTemplates; }

const Template* find_template(std::string_view name) {
  for (const auto& row : kTemplates) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::span<const Galaxy> galaxies() { return kGalaxies; }

std::string_view galaxy_type(std::string_view galaxy) {
  for (const auto& row : kGalaxies) {
    if (row.galaxy == galaxy || (row.galaxy.starts_with('*') && galaxy.ends_with(row.galaxy.substr(1))))
      return row.type;
  }
  return {};
}

}  // namespace entente::misp::internal
