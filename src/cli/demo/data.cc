#include "cli/demo/data.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/bytes.h"
#include "base/files.h"
#include "base/uuid.h"
#include "cli/demo/children.h"
#include "json/node.h"
#include "stix/marking.h"

namespace entente::cli::demo {

namespace {

using json::Node;

Node texts(std::initializer_list<std::string> items) {
  Node n = Node::array();
  for (const auto& s : items) n.push(s);
  return n;
}

Node object(const std::string& type, const std::string& creator, Time at) {
  Node n = Node::object();
  n.set("type", type).set("spec_version", "2.1").set("id", type + "--" + random_uuid().text());
  n.set("created_by_ref", creator).set("created", to_text(at)).set("modified", to_text(at));
  return n;
}

Node marked(stix::Tlp tlp) { return texts({std::string(stix::tlp_id(tlp))}); }

Node indicator(const std::string& name, stix::Tlp tlp, const std::string& creator, Time at) {
  Node n = object("indicator", creator, at);
  n.set("name", name).set("indicator_types", texts({"malicious-activity"}));
  n.set("pattern", "[domain-name:value = '" + name + "']").set("pattern_type", "stix").set("valid_from", to_text(at));
  n.set("confidence", 90).set("object_marking_refs", marked(tlp));
  return n;
}

}  // namespace

Result<std::string> find_data(const std::string& path) {
  namespace fs = std::filesystem;
  std::vector<fs::path> places;
  if (!path.empty()) {
    places.emplace_back(path);
  } else {
    places.emplace_back("build/data/phishing.json");
    // BUILD/bin/entente stands beside BUILD/../data.
    places.push_back(fs::path(own_program()).parent_path() / "../../data/phishing.json");
  }
  std::error_code ec;
  for (const auto& p : places) {
    if (fs::is_regular_file(p, ec)) return fs::absolute(p, ec).lexically_normal().string();
  }
  return make_error(ErrorKind::kNotFound, "the demo's data set is not here", places.front().string(),
                    "run 'tools/setup demo', or name a file like {\"blacklist\":[\"name\", …]} with --data");
}

Result<std::vector<std::string>> phishing_names(const std::string& path) {
  PosixFiles files;
  TRY(const std::string text, files.read(path));
  auto doc = json::parse(text);
  if (!doc.ok()) return doc.error().at(path);
  const auto list = json::find_array(doc->root(), "blacklist");
  if (!list) return invalid("there is no list \"blacklist\"", path);
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const auto s : json::string_list(list)) {
    const std::string name = ascii_lower(s);
    const bool host = name.find('.') != std::string::npos && name.size() <= 253 &&
                      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos;
    if (host && seen.insert(name).second) names.push_back(name);
  }
  if (names.size() < 100) return invalid("fewer than 100 names", path, "the demo needs some to work with");
  return names;
}

std::string delicate_objects(const std::string& creator, Time at) {
  using stix::Tlp;
  Node list = Node::array();
  // Above the ceiling: for named persons only, so never for a machine.
  list.push(indicator("for-your-eyes-only.example", Tlp::kRed, creator, at));
  list.push(indicator("operation-under-way.example", Tlp::kRed, creator, at));
  // A victim: what tells who it is goes, kind and sector stay.
  Node victim = object("identity", creator, at);
  victim.set("name", "Example Hospital")
      .set("description", "Records encrypted since Sunday")
      .set("roles", texts({"victim"}));
  victim.set("identity_class", "organization").set("sectors", texts({"healthcare"}));
  victim.set("contact_information", "it@hospital.example").set("object_marking_refs", marked(Tlp::kAmber));
  list.push(victim);
  // One property is marked above the ceiling, the rest is not.
  Node partly = indicator("partly-secret.example", Tlp::kGreen, creator, at);
  partly.set("description", "Seen by a source that must not be named");
  Node granular = Node::object();
  granular.set("marking_ref", stix::tlp_id(Tlp::kRed)).set("selectors", texts({"description"}));
  partly.set("granular_markings", Node(Node::List{granular}));
  list.push(partly);
  // Article 6 forbids accounts of persons.
  Node account = Node::object();
  account.set("type", "user-account").set("spec_version", "2.1").set("id", "user-account--" + random_uuid().text());
  account.set("account_login", "taro").set("object_marking_refs", marked(Tlp::kGreen));
  list.push(account);
  // A link to something that is withheld cannot be understood without it.
  Node malware = object("malware", creator, at);
  malware.set("name", "QuietStone").set("is_family", true).set("object_marking_refs", marked(Tlp::kRed));
  Node lure = indicator("quiet-lure.example", Tlp::kGreen, creator, at);
  Node link = object("relationship", creator, at);
  link.set("relationship_type", "indicates").set("source_ref", std::string(lure.string_at("id")));
  link.set("target_ref", std::string(malware.string_at("id"))).set("object_marking_refs", marked(Tlp::kGreen));
  list.push(malware);
  list.push(lure);
  list.push(link);
  Node bundle = Node::object();
  bundle.set("type", "bundle").set("id", "bundle--" + random_uuid().text()).set("objects", std::move(list));
  return json::write(bundle);
}

}  // namespace entente::cli::demo
