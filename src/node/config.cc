#include "node/config.h"

#include <charconv>
#include <set>
#include <sstream>

#include <toml++/toml.h>

#include "stix/marking.h"

namespace entente::node {
namespace {

Error bad(const std::string& file, const std::string& what,
          const std::string& remedy = "correct the file; 'entente init' writes one with comments") {
  return make_error(ErrorKind::kInvalid, what, file, remedy);
}

Status known(const toml::table& table, const std::set<std::string>& names, const std::string& file,
             const std::string& section) {
  for (const auto& [key, _] : table) {
    if (!names.contains(std::string(key.str())))
      return bad(file, "unknown key \"" + std::string(key.str()) + "\" in " + section);
  }
  return {};
}

}  // namespace

std::string NodeConfig::url() const { return "https://" + listen; }

Result<HostPort> parse_listen(const std::string& text) {
  const size_t colon = text.rfind(':');
  HostPort out;
  if (colon == std::string::npos) return invalid("an address is host:port", text);
  out.host = text.substr(0, colon);
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']')
    out.host = out.host.substr(1, out.host.size() - 2);
  const char* begin = text.data() + colon + 1;
  const char* end = text.data() + text.size();
  const auto [ptr, ec] = std::from_chars(begin, end, out.port);
  if (ec != std::errc() || ptr != end || out.host.empty()) return invalid("an address is host:port", text);
  return out;
}

Result<NodeConfig> load_config(const std::string& dir) {
  NodeConfig c;
  c.dir = dir;
  const std::string file = dir + "/entente.toml";
  toml::table root;
  try {
    root = toml::parse_file(file);
  } catch (const toml::parse_error& e) {
    std::ostringstream where;
    where << file << ":" << e.source().begin.line << ":" << e.source().begin.column;
    if (e.source().begin.line == 0) {
      return make_error(ErrorKind::kIo, "the node's configuration cannot be read", file,
                        "make a node folder with 'entente init DIR --party XX --name \"…\"'");
    }
    return bad(where.str(), std::string(e.description()));
  }
  CHECK_OK(known(root, {"node", "limits", "policy", "ledger", "witness"}, file, "the file"));
  const auto section = [&](const char* name) {
    return root[name].as_table() != nullptr ? *root[name].as_table() : toml::table{};
  };
  const toml::table node = section("node");
  const toml::table limits = section("limits");
  const toml::table policy = section("policy");
  CHECK_OK(known(node, {"party", "name", "listen", "public_url", "threads", "open_metrics", "access_log", "exercise"},
                 file, "[node]"));
  CHECK_OK(known(limits, {"max_body_mb", "max_connections", "cache_mb", "requests_per_second"}, file, "[limits]"));
  CHECK_OK(known(policy, {"withhold_types", "max_tlp", "review_types", "review_from_tlp", "review_persons"}, file,
                 "[policy]"));
  c.party = node["party"].value_or(std::string());
  c.name = node["name"].value_or(std::string());
  c.exercise = node["exercise"].value_or(false);
  c.listen = node["listen"].value_or(c.listen);
  c.public_url = node["public_url"].value_or(std::string());
  const int64_t threads = node["threads"].value_or(int64_t{2});
  c.access_log = node["access_log"].value_or(std::string());
  if (!c.access_log.empty() && !c.access_log.starts_with('/')) c.access_log = dir + "/" + c.access_log;
  c.open_metrics = node["open_metrics"].value_or(true);
  if (c.party.size() != 2) return bad(file, "[node] party is not two capital letters");
  if (threads < 1 || threads > 256) return bad(file, "[node] threads is not between 1 and 256");
  c.threads = static_cast<unsigned>(threads);
  TRY([[maybe_unused]] const HostPort hp, parse_listen(c.listen));
  const int64_t body_mb = limits["max_body_mb"].value_or(int64_t{64});
  const int64_t connections = limits["max_connections"].value_or(int64_t{16384});
  const int64_t cache_mb = limits["cache_mb"].value_or(int64_t{64});
  if (body_mb < 1 || body_mb > 1024) return bad(file, "[limits] max_body_mb is not between 1 and 1024");
  if (connections < 1 || connections > 1'000'000)
    return bad(file, "[limits] max_connections is not between 1 and 1000000");
  if (cache_mb < 8 || cache_mb > 1'000'000) return bad(file, "[limits] cache_mb is not between 8 and 1000000");
  c.requests_per_second = limits["requests_per_second"].value_or(0.0);
  if (!(c.requests_per_second >= 0 && c.requests_per_second <= 1e6))
    return bad(file, "[limits] requests_per_second is not between 0 (no limit) and 1000000");
  if (!c.public_url.empty() &&
      (!c.public_url.starts_with("https://") || c.public_url.find_first_of("?# ") != std::string::npos))
    return bad(file, "[node] public_url does not begin with https://");
  while (c.public_url.ends_with('/')) c.public_url.pop_back();
  c.max_body_bytes = static_cast<size_t>(body_mb) << 20;
  c.max_connections = static_cast<size_t>(connections);
  c.cache_mb = static_cast<size_t>(cache_mb);
  for (auto [key, out] : {std::pair{"withhold_types", &c.withhold_types}, {"review_types", &c.review_types}}) {
    if (!policy.contains(key)) continue;
    const auto* types = policy[key].as_array();
    if (types == nullptr) return bad(file, std::string("[policy] ") + key + " is a list of texts");
    for (const auto& t : *types) {
      if (!t.is_string()) return bad(file, std::string("[policy] ") + key + " is a list of texts");
      out->push_back(t.as_string()->get());
    }
  }
  c.review_from_tlp = policy["review_from_tlp"].value_or(std::string());
  if (!c.review_from_tlp.empty() && !stix::parse_tlp(c.review_from_tlp))
    return bad(file, "[policy] review_from_tlp is not one of clear green amber amber+strict red");
  const int64_t persons = policy["review_persons"].value_or(int64_t{2});
  if (persons < 1 || persons > 9) return bad(file, "[policy] review_persons is not between 1 and 9");
  c.review_persons = static_cast<int>(persons);
  const toml::table ledger = section("ledger");
  CHECK_OK(known(ledger, {"pad_to", "pad_minutes", "max_partner_entries_per_day"}, file, "[ledger]"));
  const int64_t pad_to = ledger["pad_to"].value_or(int64_t{0});
  const int64_t pad_minutes = ledger["pad_minutes"].value_or(int64_t{10});
  if (pad_to < 0 || pad_to == 1 || pad_to > 4096)
    return bad(file, "[ledger] pad_to is not between 2 and 4096, or 0 (no padding)");
  if (pad_minutes < 1 || pad_minutes > 1440) return bad(file, "[ledger] pad_minutes is not between 1 and 1440");
  const int64_t most = ledger["max_partner_entries_per_day"].value_or(int64_t{1'000'000});
  if (most < 0) return bad(file, "[ledger] max_partner_entries_per_day is below 0 (0 = no limit)");
  c.max_partner_entries_per_day = static_cast<uint64_t>(most);
  c.pad_to = static_cast<uint64_t>(pad_to);
  c.pad_minutes = static_cast<int>(pad_minutes);
  if (const auto* list = root["witness"].as_array()) {
    for (const auto& one : *list) {
      const auto* t = one.as_table();
      if (t == nullptr) return bad(file, "[[witness]] is a table");
      CHECK_OK(known(*t, {"name", "url", "spki"}, file, "[[witness]]"));
      NeutralWitness w{(*t)["name"].value_or(std::string()), (*t)["url"].value_or(std::string()),
                       (*t)["spki"].value_or(std::string())};
      if (w.name.empty() || (!w.url.starts_with("https://") && !w.url.starts_with("http://127.0.0.1:")))
        return bad(file, "[[witness]] needs name and url, which begins with https://");
      while (w.url.ends_with('/')) w.url.pop_back();
      c.witnesses.push_back(std::move(w));
    }
  } else if (root.contains("witness")) {
    return bad(file, "[[witness]] has double brackets");
  }
  c.max_tlp = policy["max_tlp"].value_or(std::string());
  if (!c.max_tlp.empty() && !stix::parse_tlp(c.max_tlp))
    return bad(file, "[policy] max_tlp is not one of clear green amber amber+strict red");
  return c;
}

}  // namespace entente::node
