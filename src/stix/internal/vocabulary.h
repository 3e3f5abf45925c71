// Closed enumerations and open vocabularies of STIX 2.1 §10, one line of terms each.
#pragma once

#include <string_view>

namespace entente::stix::internal {

struct Vocabulary {
  std::string_view name;
  std::string_view terms;  // separated by one space
};

// Whether `list`, words separated by one space, has `word`. Requires: no space in the words of the list.
constexpr bool has_word(std::string_view list, std::string_view word) {
  if (word.empty() || word.find(' ') != std::string_view::npos) return false;
  for (size_t at = list.find(word); at != std::string_view::npos; at = list.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || list[at - 1] == ' ') && (end == list.size() || list[end] == ' ')) return true;
  }
  return false;
}

// Closed (§10: "enum").
inline constexpr Vocabulary kEncryptionAlgorithm{"encryption-algorithm-enum",
                                                 "AES-256-GCM ChaCha20-Poly1305 mime-type-indicated"};
inline constexpr Vocabulary kExtensionType{"extension-type-enum",
                                           "new-sdo new-sco new-sro property-extension toplevel-property-extension"};
inline constexpr Vocabulary kAddressFamily{"network-socket-address-family-enum",
                                           "AF_UNSPEC AF_INET AF_IPX AF_APPLETALK AF_NETBIOS AF_INET6 AF_IRDA AF_BTH"};
inline constexpr Vocabulary kSocketType{"network-socket-type-enum",
                                        "SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_RDM SOCK_SEQPACKET"};
inline constexpr Vocabulary kOpinion{"opinion-enum", "strongly-disagree disagree neutral agree strongly-agree"};
inline constexpr Vocabulary kIntegrityLevel{"windows-integrity-level-enum", "low medium high system"};
inline constexpr Vocabulary kRegistryDatatype{
    "windows-registry-datatype-enum",
    "REG_NONE REG_SZ REG_EXPAND_SZ REG_BINARY REG_DWORD REG_DWORD_BIG_ENDIAN REG_DWORD_LITTLE_ENDIAN "
    "REG_LINK REG_MULTI_SZ REG_RESOURCE_LIST REG_FULL_RESOURCE_DESCRIPTION REG_RESOURCE_REQUIREMENTS_LIST "
    "REG_QWORD REG_INVALID_TYPE"};
inline constexpr Vocabulary kServiceStartType{
    "windows-service-start-type-enum",
    "SERVICE_AUTO_START SERVICE_BOOT_START SERVICE_DEMAND_START SERVICE_DISABLED SERVICE_SYSTEM_ALERT"};
inline constexpr Vocabulary kServiceType{"windows-service-type-enum",
                                         "SERVICE_KERNEL_DRIVER SERVICE_FILE_SYSTEM_DRIVER SERVICE_WIN32_OWN_PROCESS "
                                         "SERVICE_WIN32_SHARE_PROCESS"};
inline constexpr Vocabulary kServiceStatus{
    "windows-service-status-enum",
    "SERVICE_CONTINUE_PENDING SERVICE_PAUSE_PENDING SERVICE_PAUSED SERVICE_RUNNING SERVICE_START_PENDING "
    "SERVICE_STOP_PENDING SERVICE_STOPPED"};

// Open (§10: "-ov").
inline constexpr Vocabulary kAccountType{
    "account-type-ov", "facebook ldap nis openid radius skype tacacs twitter unix windows-local windows-domain"};
inline constexpr Vocabulary kAttackMotivation{
    "attack-motivation-ov",
    "accidental coercion dominance ideology notoriety organizational-gain personal-gain "
    "personal-satisfaction revenge unpredictable"};
inline constexpr Vocabulary kAttackResourceLevel{"attack-resource-level-ov",
                                                 "individual club contest team organization government"};
inline constexpr Vocabulary kGroupingContext{"grouping-context-ov", "suspicious-activity malware-analysis unspecified"};
inline constexpr Vocabulary kHashAlgorithm{"hash-algorithm-ov",
                                           "MD5 SHA-1 SHA-256 SHA-512 SHA3-256 SHA3-512 SSDEEP TLSH"};
inline constexpr Vocabulary kIdentityClass{"identity-class-ov", "individual group system organization class unknown"};
inline constexpr Vocabulary kImplementationLanguage{
    "implementation-language-ov",
    "applescript bash c c++ c# go java javascript lua objective-c perl php powershell python ruby rust "
    "scala swift typescript visual-basic x86-32 x86-64"};
inline constexpr Vocabulary kIndicatorType{
    "indicator-type-ov", "anomalous-activity anonymization benign compromised malicious-activity attribution unknown"};
inline constexpr Vocabulary kIndustrySector{
    "industry-sector-ov",
    "agriculture aerospace automotive chemical commercial communications construction defense education "
    "energy entertainment financial-services government emergency-services government-local "
    "government-national government-public-services government-regional healthcare hospitality-leisure "
    "infrastructure dams nuclear water insurance legal manufacturing mining non-profit pharmaceuticals "
    "retail technology telecommunications transportation utilities"};
inline constexpr Vocabulary kInfrastructureType{
    "infrastructure-type-ov",
    "amplification anonymization botnet command-and-control control-system exfiltration firewall "
    "hosting-malware hosting-target-lists phishing reconnaissance routers-switches staging workstation "
    "unknown"};
inline constexpr Vocabulary kMalwareCapabilities{
    "malware-capabilities-ov",
    "accesses-remote-machines anti-debugging anti-disassembly anti-emulation anti-memory-forensics "
    "anti-sandbox anti-vm captures-input-peripherals captures-output-peripherals "
    "captures-system-state-data cleans-traces-of-infection commits-fraud communicates-with-c2 "
    "compromises-data-availability compromises-data-integrity compromises-system-availability "
    "controls-local-machine degrades-security-software degrades-system-updates determines-c2-server "
    "emails-spam escalates-privileges evades-av exfiltrates-data fingerprints-host hides-artifacts "
    "hides-executing-code infects-files infects-remote-machines installs-other-components "
    "persists-after-system-reboot prevents-artifact-access prevents-artifact-deletion "
    "probes-network-environment self-modifies steals-authentication-credentials "
    "violates-system-operational-integrity"};
inline constexpr Vocabulary kMalwareResult{"malware-result-ov", "malicious suspicious benign unknown"};
inline constexpr Vocabulary kMalwareType{
    "malware-type-ov",
    "adware backdoor bot bootkit ddos downloader dropper exploit-kit keylogger ransomware "
    "remote-access-trojan resource-exploitation rogue-security-software rootkit screen-capture spyware "
    "trojan unknown virus webshell wiper worm"};
inline constexpr Vocabulary kPatternType{"pattern-type-ov", "stix pcre sigma snort suricata yara"};
inline constexpr Vocabulary kProcessorArchitecture{"processor-architecture-ov",
                                                   "alpha arm ia-64 mips powerpc sparc x86 x86-64"};
inline constexpr Vocabulary kRegion{
    "region-ov",
    "africa eastern-africa middle-africa northern-africa southern-africa western-africa americas "
    "caribbean central-america latin-america-caribbean northern-america south-america asia central-asia "
    "eastern-asia southern-asia south-eastern-asia western-asia europe eastern-europe northern-europe "
    "southern-europe western-europe oceania antarctica australia-new-zealand melanesia micronesia "
    "polynesia"};
inline constexpr Vocabulary kReportType{
    "report-type-ov",
    "attack-pattern campaign identity incident indicator intrusion-set malware observed-data threat-actor "
    "threat-report tool vulnerability"};
inline constexpr Vocabulary kThreatActorType{
    "threat-actor-type-ov",
    "activist competitor crime-syndicate criminal hacker insider-accidental insider-disgruntled "
    "nation-state private-sector sensationalist spy terrorist unknown"};
inline constexpr Vocabulary kThreatActorRole{
    "threat-actor-role-ov",
    "agent director independent infrastructure-architect infrastructure-operator malware-author sponsor"};
inline constexpr Vocabulary kThreatActorSophistication{"threat-actor-sophistication-ov",
                                                       "none minimal intermediate advanced expert innovator strategic"};
inline constexpr Vocabulary kToolType{
    "tool-type-ov",
    "denial-of-service exploitation information-gathering network-capture credential-exploitation "
    "remote-access vulnerability-scanning unknown"};
inline constexpr Vocabulary kWindowsPebinaryType{"windows-pebinary-type-ov", "dll exe sys"};

}  // namespace entente::stix::internal
