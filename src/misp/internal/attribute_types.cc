// Attribute types of the MISP core format. A type that is not here is carried as a note.
#include "misp/internal/tables.h"

namespace entente::misp::internal {
namespace {

constexpr Place kName{"file:name"};
constexpr Place kKey{"windows-registry-key:key", Form::kRegistryKey};
constexpr Place kAddress{"ip:value", Form::kAddress};
constexpr Place kDomain{"domain-name:value", Form::kDomain};
constexpr Place kSrc{"network-traffic:src_ref.value", Form::kEndpoint};
constexpr Place kDst{"network-traffic:dst_ref.value", Form::kEndpoint};
constexpr Place kSrcPort{"network-traffic:src_port", Form::kInteger};
constexpr Place kDstPort{"network-traffic:dst_port", Form::kInteger};

constexpr Place hash(std::string_view path) { return {path, Form::kHash}; }
constexpr Place only_pattern(std::string_view path, Form form = Form::kText) { return {path, form, true}; }
constexpr Place kMd5 = hash("file:hashes.MD5");
constexpr Place kSha1 = hash("file:hashes.'SHA-1'");
constexpr Place kSha224 = hash("file:hashes.SHA224");
constexpr Place kSha256 = hash("file:hashes.'SHA-256'");
constexpr Place kSha384 = hash("file:hashes.SHA384");
constexpr Place kSha512 = hash("file:hashes.'SHA-512'");
constexpr Place kSha512224 = hash("file:hashes.'SHA512-224'");
constexpr Place kSha512256 = hash("file:hashes.'SHA512-256'");
constexpr Place kSha3224 = hash("file:hashes.'SHA3-224'");
constexpr Place kSha3256 = hash("file:hashes.'SHA3-256'");
constexpr Place kSha3384 = hash("file:hashes.'SHA3-384'");
constexpr Place kSha3512 = hash("file:hashes.'SHA3-512'");
constexpr Place kSsdeep{"file:hashes.SSDEEP"};
constexpr Place kTlsh{"file:hashes.TLSH"};
constexpr Place kImphash = only_pattern("file:extensions.'windows-pebinary-ext'.imphash", Form::kHash);
constexpr Place kAuthentihash = hash("file:hashes.AUTHENTIHASH");

constexpr std::string_view kNet = "Network activity";
constexpr std::string_view kDelivery = "Payload delivery";
constexpr std::string_view kArtifacts = "Artifacts dropped";
constexpr std::string_view kTargeting = "Targeting data";
constexpr std::string_view kSocial = "Social network";
constexpr auto kObs = Target::kObservable;

constexpr std::array kTypes = {
    // Files
    AttributeType{"md5", kDelivery, kObs, {kMd5}, {}},
    AttributeType{"sha1", kDelivery, kObs, {kSha1}, {}},
    AttributeType{"sha224", kDelivery, kObs, {kSha224}, {}},
    AttributeType{"sha256", kDelivery, kObs, {kSha256}, {}},
    AttributeType{"sha384", kDelivery, kObs, {kSha384}, {}},
    AttributeType{"sha512", kDelivery, kObs, {kSha512}, {}},
    AttributeType{"sha512/224", kDelivery, kObs, {kSha512224}, {}},
    AttributeType{"sha512/256", kDelivery, kObs, {kSha512256}, {}},
    AttributeType{"sha3-224", kDelivery, kObs, {kSha3224}, {}},
    AttributeType{"sha3-256", kDelivery, kObs, {kSha3256}, {}},
    AttributeType{"sha3-384", kDelivery, kObs, {kSha3384}, {}},
    AttributeType{"sha3-512", kDelivery, kObs, {kSha3512}, {}},
    AttributeType{"ssdeep", kDelivery, kObs, {kSsdeep}, {}},
    AttributeType{"tlsh", kDelivery, kObs, {kTlsh}, {}},
    AttributeType{"authentihash", kDelivery, kObs, {kAuthentihash}, {}},
    AttributeType{"imphash", kDelivery, kObs, {kImphash}, {}},
    AttributeType{"filename", kDelivery, kObs, {kName}, {}},
    AttributeType{"filename|md5", kDelivery, kObs, {kName, kMd5}, {}},
    AttributeType{"filename|sha1", kDelivery, kObs, {kName, kSha1}, {}},
    AttributeType{"filename|sha224", kDelivery, kObs, {kName, kSha224}, {}},
    AttributeType{"filename|sha256", kDelivery, kObs, {kName, kSha256}, {}},
    AttributeType{"filename|sha384", kDelivery, kObs, {kName, kSha384}, {}},
    AttributeType{"filename|sha512", kDelivery, kObs, {kName, kSha512}, {}},
    AttributeType{"filename|sha512/224", kDelivery, kObs, {kName, kSha512224}, {}},
    AttributeType{"filename|sha512/256", kDelivery, kObs, {kName, kSha512256}, {}},
    AttributeType{"filename|sha3-224", kDelivery, kObs, {kName, kSha3224}, {}},
    AttributeType{"filename|sha3-256", kDelivery, kObs, {kName, kSha3256}, {}},
    AttributeType{"filename|sha3-384", kDelivery, kObs, {kName, kSha3384}, {}},
    AttributeType{"filename|sha3-512", kDelivery, kObs, {kName, kSha3512}, {}},
    AttributeType{"filename|ssdeep", kDelivery, kObs, {kName, kSsdeep}, {}},
    AttributeType{"filename|tlsh", kDelivery, kObs, {kName, kTlsh}, {}},
    AttributeType{"filename|authentihash", kDelivery, kObs, {kName, kAuthentihash}, {}},
    AttributeType{"filename|imphash", kDelivery, kObs, {kName, kImphash}, {}},
    AttributeType{"malware-sample", kDelivery, kObs, {kName, kMd5}, {}},
    AttributeType{"attachment", kDelivery, kObs, {kName}, {}},
    AttributeType{"email-attachment", kDelivery, kObs, {kName}, {}},
    AttributeType{"mime-type", kArtifacts, kObs, {only_pattern("file:mime_type")}, {}},
    AttributeType{"size-in-bytes", "Other", kObs, {only_pattern("file:size", Form::kInteger)}, {}},
    // Network
    AttributeType{"ip-dst", kNet, kObs, {kAddress}, {}},
    AttributeType{"ip-src", kNet, kObs, {kAddress}, {}},
    AttributeType{"ip-src|port", kNet, kObs, {kSrc, kSrcPort}, {}},
    AttributeType{"ip-dst|port", kNet, kObs, {kDst, kDstPort}, {}},
    AttributeType{"domain", kNet, kObs, {kDomain}, {}},
    AttributeType{"hostname", kNet, kObs, {kDomain}, {}},
    AttributeType{"hostname|port", kNet, kObs, {kDst, kDstPort}, {}},
    AttributeType{
        "domain|ip", kNet, kObs, {kDomain, Place{"domain-name:resolves_to_refs[*].value", Form::kAddress}}, {}},
    AttributeType{"url", kNet, kObs, {Place{"url:value"}}, {}},
    AttributeType{"uri", kNet, kObs, {Place{"url:value"}}, {}},
    AttributeType{"AS", kNet, kObs, {Place{"autonomous-system:number", Form::kAsn}}, {}},
    AttributeType{"mac-address", kNet, kObs, {Place{"mac-addr:value", Form::kMac}}, {}},
    AttributeType{"port", kNet, kObs, {only_pattern("network-traffic:dst_port", Form::kInteger)}, {}},
    AttributeType{"user-agent",
                  kNet,
                  kObs,
                  {only_pattern("network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'")},
                  {}},
    AttributeType{
        "http-method", kNet, kObs, {only_pattern("network-traffic:extensions.'http-request-ext'.request_method")}, {}},
    // Mail
    AttributeType{"email", kDelivery, kObs, {Place{"email-addr:value"}}, {}},
    AttributeType{"email-src", kDelivery, kObs, {Place{"email-message:from_ref.value"}}, {}},
    AttributeType{"email-dst", kDelivery, kObs, {Place{"email-message:to_refs[*].value"}}, {}},
    AttributeType{"email-subject", kDelivery, kObs, {Place{"email-message:subject"}}, {}},
    AttributeType{"email-body", kDelivery, kObs, {Place{"email-message:body"}}, {}},
    AttributeType{"email-message-id", kDelivery, kObs, {Place{"email-message:message_id"}}, {}},
    AttributeType{"email-src-display-name", kDelivery, kObs, {only_pattern("email-message:from_ref.display_name")}, {}},
    AttributeType{
        "email-reply-to", kDelivery, kObs, {Place{"email-message:additional_header_fields.'Reply-To'[*]"}}, {}},
    AttributeType{
        "email-x-mailer", kDelivery, kObs, {Place{"email-message:additional_header_fields.'X-Mailer'[*]"}}, {}},
    // Hosts
    AttributeType{"mutex", kArtifacts, kObs, {Place{"mutex:name"}}, {}},
    AttributeType{"regkey", "Persistence mechanism", kObs, {kKey}, {}},
    AttributeType{
        "regkey|value", "Persistence mechanism", kObs, {kKey, Place{"windows-registry-key:values[*].data"}}, {}},
    AttributeType{"windows-service-name",
                  kArtifacts,
                  kObs,
                  {only_pattern("process:extensions.'windows-service-ext'.service_name")},
                  {}},
    AttributeType{"windows-service-displayname",
                  kArtifacts,
                  kObs,
                  {only_pattern("process:extensions.'windows-service-ext'.display_name")},
                  {}},
    AttributeType{"x509-fingerprint-md5", kNet, kObs, {hash("x509-certificate:hashes.MD5")}, {}},
    AttributeType{"x509-fingerprint-sha1", kNet, kObs, {hash("x509-certificate:hashes.'SHA-1'")}, {}},
    AttributeType{"x509-fingerprint-sha256", kNet, kObs, {hash("x509-certificate:hashes.'SHA-256'")}, {}},
    AttributeType{
        "ja3-fingerprint-md5", kNet, kObs, {only_pattern("network-traffic:extensions.'tls-ext'.ja3", Form::kHash)}, {}},
    // Accounts
    AttributeType{"github-username", kSocial, kObs, {Place{"user-account:account_login"}}, {}},
    AttributeType{"twitter-id", kSocial, kObs, {Place{"user-account:user_id"}}, {}},
    AttributeType{"jabber-id", kSocial, kObs, {Place{"user-account:user_id"}}, {}},
    // Rules in languages of their own
    AttributeType{"yara", "Payload installation", Target::kRule, {}, "yara"},
    AttributeType{"sigma", "Payload installation", Target::kRule, {}, "sigma"},
    AttributeType{"snort", kNet, Target::kRule, {}, "snort"},
    AttributeType{"stix2-pattern", "Payload installation", Target::kRule, {}, "stix"},
    // What STIX has domain objects for
    AttributeType{"vulnerability", "External analysis", Target::kVulnerability, {Place{{}, Form::kCve}}, {}},
    AttributeType{"threat-actor", "Attribution", Target::kThreatActor, {}, {}},
    AttributeType{"campaign-name", "Attribution", Target::kCampaign, {}, {}},
    AttributeType{"target-user", kTargeting, Target::kVictim, {}, "individual"},
    AttributeType{"target-email", kTargeting, Target::kVictim, {}, "individual"},
    AttributeType{"target-machine", kTargeting, Target::kVictim, {}, "system"},
    AttributeType{"target-org", kTargeting, Target::kVictim, {}, "organization"},
    AttributeType{"target-location", kTargeting, Target::kVictim, {}, "group"},
    AttributeType{"target-external", kTargeting, Target::kVictim, {}, "organization"},
    AttributeType{"link", "External analysis", Target::kLink, {}, {}},
};

}  // namespace

std::span<const AttributeType> attribute_types() { return kTypes; }

const AttributeType* find_attribute_type(std::string_view type) {
  for (const auto& row : kTypes) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

}  // namespace entente::misp::internal
