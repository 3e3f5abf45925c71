#include "node/init.h"

#include <algorithm>
#include <filesystem>

#include "base/crypto.h"
#include "base/files.h"
#include "base/metrics.h"
#include "exchange/directory.h"
#include "json/node.h"
#include "log/log.h"
#include "net/http.h"
#include "node/config.h"
#include "store/store.h"

namespace entente::node {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;

struct KeySpec {
  const char* file;
  const char* role;
  int number;
  int days;
};
// Lifetimes as agreement.md §3.7: plenipotentiary 10 years, authority 3 years, node, log and witness one year.
constexpr KeySpec kKeys[] = {{"plenipotentiary.pem", "plenipotentiary", 1, 3650},
                             {"authority-1.pem", "authority", 1, 1095},
                             {"authority-2.pem", "authority", 2, 1095},
                             {"node.pem", "node", 1, 365},
                             {"log.pem", "log", 1, 365},
                             {"witness.pem", "witness", 1, 365}};

std::string config_text(const InitOptions& o) {
  const auto quote = [](const std::string& s) { return json::quoted(s); };
  return "# entente node configuration. Unknown keys are refused.\n\n[node]\n"
         "party = " +
         quote(o.party) +
         "           # two letters, as in agreements\n"
         "name = " +
         quote(o.name) +
         "\n"
         "listen = " +
         quote(o.listen) +
         "   # address and port of HTTPS; partners and own people use the same port\n"
         "# public_url = \"https://taxii.example\"  # where clients reach the node, if not under the name that they "
         "ask for\n" +
         std::string(o.exercise ? "exercise = true          # made by 'entente exercise new'; never to be changed\n"
                                : "") +
         "threads = 2              # I/O threads\n"
         "# access_log = \"access.log\"  # a line per answer; SIGHUP opens it anew; without: none\n"
         "open_metrics = true      # /metrics without login for clients on this machine\n\n"
         "[limits]\n"
         "max_body_mb = 64         # largest request body\n"
         "max_connections = 16384\n"
         "cache_mb = 64            # block cache of the store\n"
         "# requests_per_second = 50  # of one TAXII caller, over ten seconds; without: no limit\n\n"
         "[policy]                 # can only narrow what the agreements allow\n"
         "# withhold_types = [\"threat-actor\"]\n"
         "# max_tlp = \"amber\"\n"
         "# review_types = [\"report\"]       # people approve these first (entente release review)\n"
         "# review_from_tlp = \"amber\"       # and what is marked so, stricter, or not at all\n"
         "# review_persons = 2\n\n"
         "[ledger]\n"
         "# pad_to = 16            # every pad_minutes the ledgers grow to a multiple of it, traffic or not\n"
         "# pad_minutes = 10\n"
         "# max_partner_entries_per_day = 1000000  # of a partner's ledger, copied here; 0 = no limit\n"
         "# [[witness]]            # a neutral witness that an agreement names in ledger.witnesses\n"
         "# name = \"osaka-u/witness/1\"\n"
         "# url = \"https://witness.example\"\n"
         "# spki = \"…\"            # SHA-256 of its TLS key; without: the system's certificate authorities\n";
}

Status fill(const InitOptions& o, Clock& clock, InitResult& out) {
  PosixFiles files;
  NodeConfig c;
  c.dir = o.dir;
  c.party = o.party;
  CHECK_OK(files.make_dirs(o.dir + "/keys"));
  std::error_code ec;
  std::filesystem::permissions(o.dir + "/keys", std::filesystem::perms::owner_all, ec);
  if (ec)
    return make_error(ErrorKind::kIo, "the rights of the key folder cannot be set: " + ec.message(), o.dir + "/keys");
  CHECK_OK(files.make_dirs(c.data_dir()));
  CHECK_OK(files.make_dirs(c.ledger_dir()));

  const Time now = clock.now();
  const Time from{now.us - kDayUs};  // partners' clocks may be a little behind
  json::Node keys = json::Node::array();
  for (const auto& spec : kKeys) {
    const SecretKey key = SecretKey::generate();
    CHECK_OK(key.save(c.key(spec.file)));
    json::Node k = json::Node::object();
    k.set("kid", o.party + (o.exercise ? "/exercise-" : "/") + spec.role + "/" + std::to_string(spec.number))
        .set("role", spec.role)
        .set("alg", "Ed25519");
    k.set("public", key.public_key().to_hex());
    k.set("not_before", to_text(from)).set("not_after", to_text(now.plus_us(spec.days * kDayUs)));
    keys.push(std::move(k));
  }
  CHECK_OK(files.write_atomic(c.key("pseudonym.key"), random_bytes(32), 0600));
  CHECK_OK(files.write_atomic(c.key("cursor.key"), random_bytes(32), 0600));
  std::vector<std::string> names = o.alt_names;
  if (auto hp = parse_listen(o.listen); hp.ok() && hp->host != "0.0.0.0" && hp->host != "::") names.push_back(hp->host);
  TRY(out.spki, net::make_certificate(c.key("tls.crt"), c.key("tls.key"), "entente " + o.party, names, 365));
  const std::string token = "ent_" + [] {
    std::string t;
    for (const unsigned char b : random_bytes(40))
      t += "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"[b % 56];
    return t;
  }();
  out.admin_token_file = c.key("admin.token");
  CHECK_OK(files.write_atomic(out.admin_token_file, token + "\n", 0600));

  json::Node party = json::Node::object();
  json::Node name = json::Node::object();
  name.set("en", o.name);
  json::Node authority = json::Node::object();
  authority.set("policy", "Authority of " + o.party).set("operational", o.name);
  json::Node operational = json::Node::object();
  operational.set("role", "operational").set("name", o.name).set("hours", "24x7");
  json::Node policy = json::Node::object();
  policy.set("role", "policy").set("name", "Authority of " + o.party).set("hours", "office");
  if (o.exercise) party.set("exercise", true);
  party.set("party", o.party)
      .set("kind", "state")
      .set("name", std::move(name))
      .set("authority", std::move(authority))
      .set("keys", std::move(keys));
  party.set("tls_spki_sha256", json::Node(json::Node::List{json::Node(out.spki)}));
  party.set("contacts", json::Node(json::Node::List{std::move(operational), std::move(policy)}));
  party.set("designated_recipients", json::Node(json::Node::List{json::Node(o.name)}));
  out.party_file = o.dir + "/party.json";
  CHECK_OK(files.write_atomic(out.party_file, json::write_pretty(party) + "\n", 0644));

  // The first token goes through the log like everything else.
  store::Store store;
  Metrics metrics;
  log::RocksOptions ro;
  ro.dir = c.data_dir();
  TRY(const auto log, log::open_rocks(ro, store, clock, metrics));
  store.attach(*log);
  exchange::Config ec2;
  ec2.party = o.party;
  TRY(const SecretKey node_key, SecretKey::load(c.key("node.pem")));
  TRY(const SecretKey log_key, SecretKey::load(c.key("log.pem")));
  exchange::Context cx{
      ec2, node_key, log_key, {}, clock, files, store, metrics, [](const std::function<void()>& f) { f(); }};
  exchange::Directory directory(cx);
  TRY([[maybe_unused]] const std::string given, directory.new_token("admin", exchange::Role::kAdmin, 0, token));
  // Last: a folder without entente.toml is no node.
  CHECK_OK(files.write_atomic(o.dir + "/entente.toml", config_text(o), 0644));
  return {};
}

}  // namespace

Result<InitResult> init_node(const InitOptions& o, Clock& clock) {
  const bool letters = o.party.size() == 2 &&
                       std::all_of(o.party.begin(), o.party.end(), [](char ch) { return ch >= 'A' && ch <= 'Z'; });
  if (!letters) return invalid("a party is two capital letters (ISO 3166)", o.party, "for example --party IN");
  if (o.name.empty()) return invalid("the node needs a name", o.dir, "for example --name \"National CERT of India\"");
  TRY([[maybe_unused]] const HostPort hp, parse_listen(o.listen));
  std::error_code ec;
  const bool existed = std::filesystem::exists(o.dir, ec);
  if (existed && !std::filesystem::is_empty(o.dir, ec)) {
    return make_error(ErrorKind::kConflict, "the folder is not empty", o.dir,
                      "choose another folder; a node is never made over something else");
  }
  InitResult out;
  out.dir = o.dir;
  out.party = o.party;
  out.url = "https://" + o.listen;
  if (Status s = fill(o, clock, out); !s.ok()) {
    if (existed) {
      for (const auto& entry : std::filesystem::directory_iterator(o.dir, ec))
        std::filesystem::remove_all(entry.path(), ec);
    } else {
      std::filesystem::remove_all(o.dir, ec);
    }
    return std::move(s).error();
  }
  return out;
}

}  // namespace entente::node
