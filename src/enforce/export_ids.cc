// Exports for intrusion detection: Zeek's intelligence framework and Suricata.
#include <array>

#include <fmt/format.h>

#include "base/bytes.h"
#include "enforce/internal/export_writers.h"

namespace entente::enforce::internal {

namespace {

constexpr std::string_view kPlain = "text/plain; charset=utf-8";

// A field of Zeek's ASCII reader: no tab, no line end (printable() sees to that), and not one of the words for nothing.
std::string field(const std::string& text) {
  if (text.empty()) return "-";
  std::string out = printable(text, 500);
  if (out == "-" || out == "(empty)") out = fmt::format(" {}", out);
  return out;
}

std::string without_scheme(std::string_view url) {
  const size_t at = url.find("://");
  return std::string(at == std::string_view::npos ? url : url.substr(at + 3));
}

const char* zeek_type(ExportKind kind) {
  using enum ExportKind;
  switch (kind) {
    case kAddress:
      return "Intel::ADDR";
    case kRange:
      return "Intel::SUBNET";
    case kName:
      return "Intel::DOMAIN";
    case kUrl:
      return "Intel::URL";
    case kEmail:
      return "Intel::EMAIL";
    case kMd5:
    case kSha1:
    case kSha256:
      return "Intel::FILE_HASH";
    case kJa3:
      return "Intel::JA3";
    case kJa4:
      break;  // was left out before
  }
  return "";
}

// A pattern of `content`: everything that has a meaning of its own in a rule is written in hex.
std::string content(std::string_view text) {
  std::string out;
  bool hex = false;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                       c == '-' || c == '_' || c == '/' || c == '=' || c == '&' || c == '?' || c == '~' || c == '%';
    if (plain == hex) {
      out += '|';
      hex = !hex;
    } else if (hex) {
      out += ' ';
    }
    if (plain) {
      out += c;
    } else {
      out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    }
  }
  return hex ? out + '|' : out;
}

struct Url {
  std::string host, target;  // host without port, in lower case; target with its query, "/" at least
  bool plain = false;        // http: what is inside TLS no rule sees
};
Url split(const std::string& url) {
  Url u;
  u.plain = url.starts_with("http://");
  const std::string rest = without_scheme(url);
  const size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
  u.host = ascii_lower(rest.substr(0, slash));
  if (const size_t at = u.host.rfind('@'); at != std::string::npos) u.host.erase(0, at + 1);
  if (const size_t colon = u.host.rfind(':'); colon != std::string::npos && !u.host.ends_with(']'))
    u.host.resize(colon);
  u.target = rest.substr(slash, rest.find('#', slash) - slash);
  if (!u.target.starts_with('/')) u.target = fmt::format("/{}", u.target);
  return u;
}

}  // namespace

// https://docs.zeek.org/en/current/frameworks/intel.html: tab-separated, the header names the fields. Fields that the
// record Intel::MetaData does not have are passed over by the reader, and can be had by a redef of it. JA3 is a type
// that the package ja3 adds: in a file of its own, since without the package the reader would complain of each line.
void write_zeek(const ExportValues& values, const ExportHeader& header, Exported& out) {
  constexpr std::string_view kFields =
      "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.party\tmeta.article\tmeta.lease\tmeta.until\t"
      "meta.action\n";
  std::string others, prints;
  size_t print_count = 0;
  for (const ExportValue& v : values) {
    const ExportItem& i = v.first();
    std::string indicator = i.value();
    if (i.kind == ExportKind::kUrl) indicator = without_scheme(i.text);
    if (i.kind == ExportKind::kName) indicator = i.text;
    if (i.tree) ++out.unsaid["Zeek compares whole names: what lies below this one is not found"];
    const bool print = i.kind == ExportKind::kJa3;
    print_count += print ? 1 : 0;
    (print ? prints : others) +=
        fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", field(indicator), zeek_type(i.kind),
                    field("entente-" + parties(v)), field(described(i)), field(parties(v)), field(i.article),
                    field(i.lease), i.end.us == INT64_MAX ? "-" : entente::to_text(i.end), i.drop ? "drop" : "count");
  }
  const auto file = [&](const char* name, const std::string& lines, size_t entries) {
    const ExportHeader own{entries, header.left_out, header.capacity};
    out.files.push_back({name, std::string(kPlain), std::string(kFields) + own.line() + lines, entries});
  };
  file("entente.intel", others, values.size() - print_count);
  if (print_count > 0) file("entente-ja3.intel", prints, print_count);
}

// https://docs.suricata.io: names in a data set of strings (base64, one a line), addresses and ranges in IP reputation
// (the data sets of addresses know no ranges), digests in the lists of filemd5 and its like. What lies below a name,
// and a URL, needs a rule of its own, of which there are kMaxRules.
void write_suricata(const ExportValues& values, const ExportHeader& header, Exported& out) {
  constexpr size_t kMaxRules = 5000;
  constexpr int kSid = 7'100'000;  // ours from here: sets first, then one by one
  std::string names, reputation = header.line(), rules;
  std::array<std::string, 3> digests;
  std::array<std::string, 2> prints;  // JA3, JA4
  std::array<size_t, 2> print_counts{};
  size_t name_count = 0, address_count = 0, rule_count = 0, digest_count = 0;
  std::string single;
  const auto rule = [&](std::string_view head, std::string_view what, std::string_view test, int sid) {
    return fmt::format("{} (msg:\"entente: {}\"; {} classtype:misc-attack; sid:{}; rev:1;)\n", head, what, test, sid);
  };
  const auto one_more = [&](std::string_view why) {
    if (rule_count < kMaxRules) return true;
    ++out.unsaid[fmt::format("{}, of which {} are written", why, kMaxRules)];
    return false;
  };
  for (const ExportValue& v : values) {
    using enum ExportKind;
    const ExportItem& i = v.first();
    switch (i.kind) {
      case kAddress:
      case kRange:
        reputation += i.prefix.text() + ",1,100\n";
        ++address_count;
        break;
      case kName: {
        names += base64(i.text) + "\n";
        ++name_count;
        if (!i.tree || !one_more("what lies below a name takes a rule of its own")) break;
        const std::string what = fmt::format("below a blocked name, shared by {}, {}", parties(v), i.lease);
        const std::string test = fmt::format("dotprefix; content:\".{}\"; nocase; endswith;", content(i.text));
        const int sid = kSid + 100 + static_cast<int>(2 * rule_count++);
        single += rule("alert dns any any -> any any", what, "dns.query; " + test, sid);
        single += rule("alert tls any any -> any any", what, "tls.sni; " + test, sid + 1);
        break;
      }
      case kUrl: {
        const Url u = split(i.text);
        if (!u.plain) {
          ++out.unsaid["what is asked for inside TLS no rule sees"];
          break;
        }
        if (!one_more("a URL takes a rule of its own")) break;
        const int sid = kSid + 100 + static_cast<int>(2 * rule_count++);
        single += rule("alert http any any -> any any", "blocked URL, shared by " + parties(v),
                       fmt::format("http.host; content:\"{0}\"; bsize:{1}; http.uri.raw; content:\"{2}\"; bsize:{3};",
                                   content(u.host), u.host.size(), content(u.target), u.target.size()),
                       sid);
        break;
      }
      case kMd5:
      case kSha1:
      case kSha256:
        digests[static_cast<size_t>(i.kind) - static_cast<size_t>(kMd5)] += i.text + "\n";
        ++digest_count;
        break;
      case kJa3:
      case kJa4: {
        const size_t which = i.kind == kJa3 ? 0 : 1;
        prints[which] += base64(i.text) + "\n";
        ++print_counts[which];
        break;
      }
      case kEmail:
        break;  // was left out before
    }
  }
  rules = header.line();
  rules +=
      "# Put these files into one folder and name entente.rules under rule-files of suricata.yaml, with\n"
      "#   default-reputation-path: FOLDER\n"
      "#   reputation-categories-file: FOLDER/entente-categories.txt\n"
      "#   reputation-files: [entente-reputation.list]\n"
      "# `suricatasc -c ruleset-reload-nonblocking` takes in what changed. Where a block comes from is in "
      "leases.csv.\n";
  rules += rule("alert ip any any -> any any", "blocked address", "iprep:any,Entente,>,0;", kSid);
  const char* load = "dataset:isset,entente-names,type string,load entente-names.lst;";
  rules += rule("alert dns any any -> any any", "blocked name asked for", fmt::format("dns.query; {}", load), kSid + 1);
  rules += rule("alert tls any any -> any any", "blocked name in a TLS handshake", fmt::format("tls.sni; {}", load),
                kSid + 2);
  rules +=
      rule("alert http any any -> any any", "blocked name in a request", fmt::format("http.host; {}", load), kSid + 3);
  // Sets compare octets. Names in capitals are found by Suricata 8, which can lower them first; older ones refuse such
  // a rule.
  std::string rules8 = "# For Suricata 8 and later, beside entente.rules: names however they are spelt.\n";
  rules8 += rule("alert dns any any -> any any", "blocked name asked for",
                 fmt::format("dns.query; to_lowercase; {}", load), kSid + 11);
  rules8 += rule("alert tls any any -> any any", "blocked name in a TLS handshake",
                 fmt::format("tls.sni; to_lowercase; {}", load), kSid + 12);
  constexpr const char* kDigests[] = {"md5", "sha1", "sha256"};
  for (size_t d = 0; d < 3; ++d) {
    if (digests[d].empty()) continue;
    const std::string file = fmt::format("entente-{}.lst", kDigests[d]);
    rules += rule("alert http any any -> any any", "blocked file", fmt::format("file{}:{};", kDigests[d], file),
                  kSid + 4 + static_cast<int>(d));
    out.files.push_back({file, std::string(kPlain), std::move(digests[d]), digest_count});
  }
  // TLS fingerprints, for Suricata 7.0.12 and later: a Suricata that was built without them passes the rules over.
  std::string print_rules =
      "# Beside entente.rules: TLS fingerprints, for Suricata 7.0.12 and later. What drops on a fingerprint alone "
      "hits\n"
      "# every client that is built alike: these rules alert.\n";
  for (size_t p = 0; p < 2; ++p) {
    if (print_counts[p] == 0) continue;
    const std::string name = p == 0 ? "ja3" : "ja4", file = fmt::format("entente-{}.lst", name);
    int sid = kSid + 21 + static_cast<int>(2 * p);
    for (const char* protocol : {"tls", "quic"}) {
      print_rules += rule(
          fmt::format("alert {} any any -> any any", protocol), "TLS fingerprint of an indicator",
          fmt::format("requires: feature {0}; {0}.hash; dataset:isset,entente-{0},type string,load {1};", name, file),
          sid++);
    }
    out.files.push_back({file, std::string(kPlain), std::move(prints[p]), print_counts[p]});
  }
  if (print_counts[0] + print_counts[1] > 0)
    out.files.push_back(
        {"entente-fingerprints.rules", std::string(kPlain), std::move(print_rules), print_counts[0] + print_counts[1]});
  rules += single;
  out.files.insert(out.files.begin(),
                   {{"entente.rules", std::string(kPlain), std::move(rules), values.size()},
                    {"entente-suricata8.rules", std::string(kPlain), std::move(rules8), name_count},
                    {"entente-names.lst", std::string(kPlain), std::move(names), name_count},
                    {"entente-reputation.list", std::string(kPlain), std::move(reputation), address_count},
                    {"entente-categories.txt", std::string(kPlain), "1,Entente,blocked by a lease of entente\n", 1}});
}

}  // namespace entente::enforce::internal
