// STIX cyber-observable objects (STIX 2.1 §6). Their predefined extensions are in model_extension.cc.
#include "stix/internal/model_common.h"
#include "stix/internal/model_types.h"

namespace entente::stix::internal {

void check_email_message(Checker&, const Members&, const Frame*);
void check_network_traffic(Checker&, const Members&, const Frame*);
void check_encoding(Checker&, const Members&, const Frame*);

namespace {

constexpr std::array kOwn = {own_property()};

constexpr std::array kArtifactTable = {
    of(Kind::kMime, "mime_type"),
    of(Kind::kBinary, "payload_bin"),
    of(Kind::kUrl, "url"),
    hashes("hashes"),
    closed("encryption_algorithm", kEncryptionAlgorithm),
    text("decryption_key"),
};
constexpr std::array kArtifactChecks = {
    exactly_one("payload_bin", "url"),
    needs("url", "hashes"),
    needs("decryption_key", "encryption_algorithm"),
};

constexpr std::array kAutonomousSystemTable = {integer("number").must(), text("name"), text("rir")};

constexpr std::array kDirectoryTable = {
    text("path").must(), of(Kind::kCharset, "path_enc"),
    time("ctime"),       time("mtime"),
    time("atime"),       list(to("contains_refs", "file directory")),
};

constexpr std::array kDomainNameTable = {
    of(Kind::kDomain, "value").must(),
    list(to("resolves_to_refs", "ipv4-addr ipv6-addr domain-name")).deprecated(),
};

constexpr std::array kEmailAddrTable = {
    of(Kind::kEmail, "value").must(),
    text("display_name"),
    to("belongs_to_ref", "user-account"),
};

constexpr std::array kMimePartTable = {
    text("body"),
    to("body_raw_ref", "artifact file"),
    text("content_type"),
    text("content_disposition"),
};
constexpr std::array kMimePartChecks = {one_of("body", "body_raw_ref")};
constinit const Shape kMimePart{"mime-part-type", "6.6.2", kMimePartTable, {}, kMimePartChecks};

constexpr std::array kEmailMessageTable = {
    boolean("is_multipart").must(),
    time("date"),
    text("content_type"),
    to("from_ref", "email-addr"),
    to("sender_ref", "email-addr"),
    list(to("to_refs", "email-addr")),
    list(to("cc_refs", "email-addr")),
    list(to("bcc_refs", "email-addr")),
    text("message_id"),
    text("subject"),
    list(text("received_lines")),
    of(Kind::kListDictionary, "additional_header_fields"),
    text("body"),
    list(part("body_multipart", kMimePart)),
    to("raw_email_ref", "artifact"),
};
constexpr std::array kEmailMessageChecks = {call(check_email_message)};

constexpr std::array kFileTable = {
    hashes("hashes"),
    integer("size", 0),
    text("name"),
    of(Kind::kCharset, "name_enc"),
    hexadecimal("magic_number_hex"),
    of(Kind::kMime, "mime_type"),
    time("ctime"),
    time("mtime"),
    time("atime"),
    to("parent_directory_ref", "directory"),
    list(to("contains_refs", "@sco")),
    to("content_ref", "artifact"),
};
constexpr std::array kFileChecks = {one_of("hashes", "name"), call(check_encoding)};

constexpr std::array kIpv4AddrTable = {
    of(Kind::kIpv4, "value").must(),
    list(to("resolves_to_refs", "mac-addr")).deprecated(),
    list(to("belongs_to_refs", "autonomous-system")).deprecated(),
};
constexpr std::array kIpv6AddrTable = {
    of(Kind::kIpv6, "value").must(),
    list(to("resolves_to_refs", "mac-addr")).deprecated(),
    list(to("belongs_to_refs", "autonomous-system")).deprecated(),
};

constexpr std::array kMacAddrTable = {of(Kind::kMac, "value").must()};
constexpr std::array kMutexTable = {text("name").must()};

constexpr std::string_view kEndpoint = "ipv4-addr ipv6-addr mac-addr domain-name";
constexpr std::array kNetworkTrafficTable = {
    time("start"),
    time("end"),
    boolean("is_active"),
    to("src_ref", kEndpoint),
    to("dst_ref", kEndpoint),
    integer("src_port", 0, 65535),
    integer("dst_port", 0, 65535),
    list(of(Kind::kTerm, "protocols")).must(),
    integer("src_byte_count", 0),
    integer("dst_byte_count", 0),
    integer("src_packets", 0),
    integer("dst_packets", 0),
    of(Kind::kMixedDictionary, "ipfix"),
    to("src_payload_ref", "artifact"),
    to("dst_payload_ref", "artifact"),
    list(to("encapsulates_refs", "network-traffic")),
    to("encapsulated_by_ref", "network-traffic"),
};
constexpr std::array kNetworkTrafficChecks = {
    one_of("src_ref", "dst_ref"),
    not_before("start", "end"),
    call(check_network_traffic),
};

constexpr std::array kProcessTable = {
    boolean("is_hidden"),
    integer("pid"),
    time("created_time"),
    text("cwd"),
    text("command_line"),
    of(Kind::kTextDictionary, "environment_variables"),
    list(to("opened_connection_refs", "network-traffic")),
    to("creator_user_ref", "user-account"),
    to("image_ref", "file"),
    to("parent_ref", "process"),
    list(to("child_refs", "process")),
};

constexpr std::array kSoftwareTable = {
    text("name").must(), of(Kind::kCpe, "cpe"), text("swid"), list(of(Kind::kLanguage, "languages")),
    text("vendor"),      text("version"),
};

constexpr std::array kUrlTable = {of(Kind::kUrl, "value").must()};

constexpr std::array kUserAccountTable = {
    text("user_id"),
    text("credential"),
    text("account_login"),
    open("account_type", kAccountType),
    text("display_name"),
    boolean("is_service_account"),
    boolean("is_privileged"),
    boolean("can_escalate_privs"),
    boolean("is_disabled"),
    time("account_created"),
    time("account_expires"),
    time("credential_last_changed"),
    time("account_first_login"),
    time("account_last_login"),
};

constexpr std::array kRegistryValueTable = {
    text("name"),
    text("data"),
    closed("data_type", kRegistryDatatype),
};
constexpr std::array kRegistryValueChecks = {one_of("name", "data", "data_type")};
constinit const Shape kRegistryValue{
    "windows-registry-value-type", "6.17.2", kRegistryValueTable, {}, kRegistryValueChecks};

constexpr std::array kWindowsRegistryKeyTable = {
    of(Kind::kRegistryKey, "key"),          list(part("values", kRegistryValue)), time("modified_time"),
    to("creator_user_ref", "user-account"), integer("number_of_subkeys"),
};

constexpr std::array kX509ExtensionsTable = {
    text("basic_constraints"),
    text("name_constraints"),
    text("policy_constraints"),
    text("key_usage"),
    text("extended_key_usage"),
    text("subject_key_identifier"),
    text("authority_key_identifier"),
    text("subject_alternative_name"),
    text("issuer_alternative_name"),
    text("subject_directory_attributes"),
    text("crl_distribution_points"),
    text("inhibit_any_policy"),
    time("private_key_usage_period_not_before"),
    time("private_key_usage_period_not_after"),
    text("certificate_policies"),
    text("policy_mappings"),
};
constinit const Shape kX509Extensions{"x509-v3-extensions-type", "6.18.2", kX509ExtensionsTable};

constexpr std::array kX509CertificateTable = {
    boolean("is_self_signed"),
    hashes("hashes"),
    text("version"),
    text("serial_number"),
    text("signature_algorithm"),
    text("issuer"),
    time("validity_not_before"),
    time("validity_not_after"),
    text("subject"),
    text("subject_public_key_algorithm"),
    text("subject_public_key_modulus"),
    integer("subject_public_key_exponent"),
    part("x509_v3_extensions", kX509Extensions),
};

}  // namespace

constinit const Shape kArtifact{"artifact", "6.1", kArtifactTable, kScoCommon, kArtifactChecks};
constinit const Shape kAutonomousSystem{"autonomous-system", "6.2", kAutonomousSystemTable, kScoCommon};
constinit const Shape kDirectory{"directory", "6.3", kDirectoryTable, kScoCommon};
constinit const Shape kDomainName{"domain-name", "6.4", kDomainNameTable, kScoCommon};
constinit const Shape kEmailAddr{"email-addr", "6.5", kEmailAddrTable, kScoCommon};
constinit const Shape kEmailMessage{"email-message", "6.6", kEmailMessageTable, kScoCommon, kEmailMessageChecks};
constinit const Shape kFile{"file", "6.7", kFileTable, kScoCommon, kFileChecks};
constinit const Shape kIpv4Addr{"ipv4-addr", "6.8", kIpv4AddrTable, kScoCommon};
constinit const Shape kIpv6Addr{"ipv6-addr", "6.9", kIpv6AddrTable, kScoCommon};
constinit const Shape kMacAddr{"mac-addr", "6.10", kMacAddrTable, kScoCommon};
constinit const Shape kMutex{"mutex", "6.11", kMutexTable, kScoCommon};
constinit const Shape kNetworkTraffic{"network-traffic", "6.12", kNetworkTrafficTable, kScoCommon,
                                      kNetworkTrafficChecks};
constinit const Shape kProcess{"process", "6.13", kProcessTable, kScoCommon, kOwn};
constinit const Shape kSoftware{"software", "6.14", kSoftwareTable, kScoCommon};
constinit const Shape kUrlObject{"url", "6.15", kUrlTable, kScoCommon};
constinit const Shape kUserAccount{"user-account", "6.16", kUserAccountTable, kScoCommon, kOwn};
constinit const Shape kWindowsRegistryKey{"windows-registry-key", "6.17", kWindowsRegistryKeyTable, kScoCommon, kOwn};
constinit const Shape kX509Certificate{"x509-certificate", "6.18", kX509CertificateTable, kScoCommon, kOwn};

}  // namespace entente::stix::internal
