#include "exchange/two_nodes.h"

#include <future>

#include "agreement/draft.h"
#include "base/bytes.h"
#include "stix/marking.h"

namespace entente::exchange {

using json::Node;

namespace {

constexpr int64_t kDayUs = 86'400'000'000;

Node object(std::initializer_list<std::pair<const char*, Node>> members) {
  Node n = Node::object();
  for (const auto& [k, v] : members) n.set(k, v);
  return n;
}
Node list(std::vector<Node> items) { return Node(std::move(items)); }
Node texts(const std::vector<std::string>& items) {
  Node n = Node::array();
  for (const auto& s : items) n.push(s);
  return n;
}

}  // namespace

TestNode::TestNode(std::string p, ManualClock& c, std::string key)
    : party(std::move(p)), spki(std::move(key)), clock(c) {}

Status TestNode::open() {
  store = std::make_unique<store::Store>();
  log = log::make_mem_log(*store, clock);
  store->attach(*log);
  Config config;
  config.party = party;
  config.name = "CERT of " + party;
  config.ledger_dir = "ledger";
  config.witness_dir = "witness";
  config.node_kid = party + "/node/1";
  config.log_kid = party + "/log/1";
  config.witness_kid = party + "/witness/1";
  config.pull_wait_seconds = 0;
  config.policy = policy;
  for (const SecretKey* k : {&acting.plenipotentiary, &acting.authority1, &acting.authority2})
    config.pins[party].insert(k->public_key().to_hex());
  context = std::unique_ptr<Context>(new Context{config, node_key_, log_key_, pseudonym_, clock, files, *store, metrics,
                                                 [](const std::function<void()>& f) { f(); }, witness_key_});
  return reopen();
}

Status TestNode::reopen() {
  service.reset();
  exchange.reset();
  TRY(exchange, Exchange::open(*context));
  taxii::Options options;
  options.cursor_key = std::string(32, 'k');
  options.root_prefixes = {"/local/", "/acts/", "/agreements/"};
  service = std::make_unique<taxii::Service>(*exchange, options, clock);
  return {};
}

size_t TestNode::release_all() {
  size_t steps = 0;
  while (true) {
    auto r = exchange->release_step();
    if (!r.ok() || !*r) return steps;
    ++steps;
  }
}

std::unique_ptr<taxii::Client> TestNode::client(const std::string& key, const std::string& authorization) {
  auto transport = net::make_local_client(
      [this](net::Request request, net::Reply reply) {
        if (service->owns(request.path)) return service->handle(std::move(request), std::move(reply));
        // The witness and the ledgers' files, as node serves them.
        auto caller = exchange->authenticate(request);
        if (caller.ok() && request.path == "/witness/add-checkpoint") {
          const auto a = exchange->witness(request.body);
          return reply({a.status, {}, a.body});
        }
        const std::string_view path =
            std::string_view(request.path).substr(request.path.starts_with("/ledger/") ? 8 : 0);
        const size_t slash = path.find('/');
        if (!caller.ok() || slash == std::string_view::npos ||
            !exchange->may_read_ledger(*caller, path.substr(0, slash)))
          return reply({404, {}, ""});
        auto file = exchange->ledger_file(path.substr(0, slash), path.substr(slash + 1));
        reply(file.ok() ? net::Response{200, {}, std::move(*file)} : net::Response{404, {}, ""});
      },
      key);
  return std::make_unique<taxii::Client>(std::move(transport), authorization);
}

Result<taxii::StatusInfo> TestNode::publish(const std::vector<std::string>& objects) {
  std::string envelope = R"({"objects":[)";
  for (size_t i = 0; i < objects.size(); ++i) envelope += (i > 0 ? "," : "") + objects[i];
  envelope += "]}";
  // MemLog commits on a thread of its own: wait for the answer.
  auto got = std::make_shared<std::promise<Result<taxii::StatusInfo>>>();
  auto answer = got->get_future();
  exchange->add({"person admin test"}, "/local/", "inbox", std::move(envelope),
                [got](Result<taxii::StatusInfo> r) { got->set_value(std::move(r)); });
  return answer.get();
}

Node TestNode::party_block() const {
  const std::string from = to_text(clock.now().plus_us(-kDayUs));
  const std::string until = to_text(clock.now().plus_us(3650 * kDayUs));
  Node keys = Node::array();
  const auto key = [&](const char* role, int n, const SecretKey& k) {
    keys.push(object({{"kid", party + "/" + role + "/" + std::to_string(n)},
                      {"role", role},
                      {"alg", "Ed25519"},
                      {"public", k.public_key().to_hex()},
                      {"not_before", from},
                      {"not_after", until}}));
  };
  key("plenipotentiary", 1, acting.plenipotentiary);
  key("authority", 1, acting.authority1);
  key("authority", 2, acting.authority2);
  key("node", 1, node_key_);
  key("log", 1, log_key_);
  key("witness", 1, witness_key_);
  return object({{"party", party},
                 {"kind", "state"},
                 {"name", object({{"en", "CERT of " + party}})},
                 {"keys", keys},
                 {"authority", object({{"policy", "Ministry"}, {"operational", "CERT of " + party}})},
                 {"tls_spki_sha256", texts({spki})},
                 {"contacts", list({object({{"role", "operational"}, {"name", "CERT"}, {"hours", "24x7"}})})},
                 {"designated_recipients", texts({"CERT of " + party})}});
}

World::World(const std::vector<std::string>& parties) : clock(*parse_time("2027-01-15T05:12:00Z")) {
  for (const auto& p : parties) nodes_[p] = std::make_unique<TestNode>(p, clock, sha256_hex("tls of " + p));
}

Status World::open() {
  for (auto& [_, n] : nodes_) CHECK_OK(n->open());
  for (auto& [a, n] : nodes_) {
    for (auto& [b, other] : nodes_) {
      if (a != b) CHECK_OK(n->exchange->directory().put_peer({b, "https://" + lower(b) + ".example", {other->spki}}));
    }
  }
  return {};
}

std::string World::document(const std::vector<std::string>& parties, const Text& t) {
  agreement::Draft d;
  d.agreement_id = t.id;
  for (const auto& p : parties) d.parties.push_back(nodes_.at(p)->party_block());
  const std::string body = "Text of the agreement.";
  d.text_sha256 = sha256_hex(body);
  d.text_bytes = static_cast<int64_t>(body.size());
  d.floor = t.floor;
  d.ceiling = t.ceiling;
  d.unmarked = t.unmarked;
  d.types = t.types;
  return json::canonical(agreement::draft_document(d));
}

Status World::act(const std::string& party, const std::string& kind, const std::string& agreement_id, Node body) {
  TestNode& n = (*this)[party];
  agreement::Act a;
  a.kind = kind;
  a.agreement_id = agreement_id;
  a.party = party;
  a.effective_at = clock.now();
  if (const auto state = n.exchange->instruments().state(agreement_id)) {
    if (state->document) a.text_version = state->document->hash;
    if (const auto it = state->last_act.find(party); it != state->last_act.end()) a.prev_act = it->second;
  }
  if (const Node* doc = body.find("document")) a.text_version = sha256_hex(json::canonical(*doc));
  a.body = std::move(body);
  agreement::SignedAct s;
  s.act = a;
  const auto sign = [&](const char* kid, const SecretKey& key) {
    s.sigs.push_back(agreement::sign_act(a, party + "/" + kid, key));
  };
  if (kind == "sign" || kind == "notify_completed") sign("plenipotentiary/1", n.acting.plenipotentiary);
  if (kind != "notify_completed") sign("authority/1", n.acting.authority1);
  if (kind == "resume") sign("authority/2", n.acting.authority2);
  auto done = n.exchange->submit_act(s.text());
  if (!done.ok()) return std::move(done).error();
  clock.advance_us(1'000'000);
  return {};
}

Status World::carry_acts() {
  while (true) {
    size_t moved = 0;
    for (auto& [to, receiver] : nodes_) {
      for (auto& [from, sender] : nodes_) {
        if (from == to) continue;
        const auto client = sender->client(receiver->spki);
        TRY(const size_t n, receiver->exchange->receiver().pull_acts(*client, from, 0));
        moved += n;
      }
    }
    if (moved == 0) return {};
  }
}

Status World::bring_into_force(const std::vector<std::string>& parties, const std::string& text) {
  TRY(const json::Document doc, json::parse(text));
  const std::string id(json::find_string(doc.root(), "agreement_id").value_or(""));
  CHECK_OK(act(parties.front(), "propose", id, object({{"document", Node::from(doc.root())}})));
  CHECK_OK(carry_acts());
  for (const char* kind : {"initial", "sign", "notify_completed"}) {
    for (const auto& p : parties) {
      CHECK_OK(act(p, kind, id));
      CHECK_OK(carry_acts());
    }
  }
  return {};
}

Status World::settle() {
  CHECK_OK(carry_acts());
  while (true) {
    size_t moved = 0;
    for (auto& [_, n] : nodes_) {
      moved += n->release_all();
      TRY(const size_t answered, n->exchange->recalls().look());
      moved += answered;
      TRY(const size_t confirmed, n->exchange->returns().look());
      moved += confirmed;
    }
    for (auto& [to, receiver] : nodes_) {
      for (auto& [from, sender] : nodes_) {
        if (from == to) continue;
        for (const auto& s : receiver->exchange->instruments().states()) {
          const auto client = sender->client(receiver->spki);
          if (!s->live(from, to)) {
            if (!s->recallable(from, to)) continue;
            TRY(const size_t looked, receiver->exchange->receiver().pull_recalls(*client, from, s->agreement_id, 0));
            moved += looked;
            continue;
          }
          TRY(const size_t n, receiver->exchange->receiver().pull_objects(*client, from, s->agreement_id, 0));
          moved += n;
          CHECK_OK(receiver->exchange->mirrors().check(*client, from, s->agreement_id));
          CHECK_OK(receiver->exchange->witnessing().ask(*client, from, s->agreement_id));
        }
      }
    }
    clock.advance_us(10'000);
    if (moved == 0) return {};
  }
}

std::string make_indicator(std::string_view name, Time at, std::string_view tlp, std::string_view created_by) {
  Node n = Node::object();
  n.set("type", "indicator").set("spec_version", "2.1").set("id", "indicator--" + random_uuid().text());
  if (!created_by.empty()) n.set("created_by_ref", created_by);
  n.set("created", to_text(at)).set("modified", to_text(at)).set("name", name).set("confidence", 90);
  n.set("indicator_types", texts({"malicious-activity"}));
  n.set("pattern", "[domain-name:value = '" + std::string(name) + "']")
      .set("pattern_type", "stix")
      .set("valid_from", to_text(at));
  if (const auto t = stix::parse_tlp(tlp)) n.set("object_marking_refs", texts({std::string(stix::tlp_id(*t))}));
  return json::write(n);
}

}  // namespace entente::exchange
