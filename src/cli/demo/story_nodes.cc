// Steps 1 to 4: two nodes, the agreement, publishing, receiving.
#include <algorithm>
#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/files.h"
#include "cli/demo/data.h"
#include "cli/demo/story.h"
#include "cli/internal/lists.h"
#include "cli/internal/table.h"
#include "exchange/names.h"
#include "json/node.h"

namespace entente::cli::demo {

namespace {

// In a network of our own any port is free; on the machine's loopback one that is free now is taken.
int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof a;
  int port = 0;
  if (fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&a), &length) == 0) {
    port = ntohs(a.sin_port);
  }
  if (fd >= 0) close(fd);
  return port;
}

std::string text_of(const json::Value& v, std::string_view name) {
  return std::string(json::find_string(v, name).value_or(""));
}

uint64_t number_of(const json::Value& v, std::string_view name) {
  return static_cast<uint64_t>(json::find_int(v, name).value_or(0));
}

// "  indicator     withheld   ABOVE_CEILING, article 3(1)"
std::string verdict_line(const json::Value& object) {
  std::string codes;
  std::string article = text_of(object, "article");
  if (const auto reasons = json::find_array(object, "reasons")) {
    for (const json::Value r : *reasons) {
      const std::string code = text_of(r, "code");
      if (codes.find(code) == std::string::npos) codes += (codes.empty() ? "" : ", ") + code;
      if (const std::string a = text_of(r, "article"); !a.empty() && code != "PERMIT") article = a;
    }
  }
  return fmt::format("  {:<14}{:<10}{}{}", text_of(object, "type"), text_of(object, "verdict"), codes,
                     article.empty() ? "" : ", article " + article);
}

std::string first_reason(const json::Document& planned) {
  const auto reasons = json::find_array(planned.root(), "reasons");
  if (!reasons || reasons->size() == 0) return {};
  const json::Value r = reasons->at(0).value_unsafe();
  return text_of(r, "code");
}

}  // namespace

Status Story::start_nodes() {
  india_.party = "IN";
  india_.name = "CERT of India (demo)";
  japan_.party = "JP";
  japan_.name = "CERT of Japan (demo)";
  india_.listen = lab_ ? std::string(kOfficeAddress) + ":8443" : fmt::format("127.0.0.1:{}", free_port());
  japan_.listen = lab_ ? "127.0.0.1:8443" : fmt::format("127.0.0.1:{}", free_port());
  for (Side* s : {&india_, &japan_}) {
    s->dir = (folder_ / s->party).string();
    TRY(const auto made, command({"init", s->dir, "--party", s->party, "--name", s->name, "--listen", s->listen}));
  }
  note("made: keys, certificate, configuration, first token of IN and JP");
  for (Side* s : {&india_, &japan_}) {
    const std::string out = s->dir + "/node.out";
    TRY(s->process, Child::start({own_program(), "-q", "node", "run", "--dir", s->dir}, out, s->dir + "/node.err"));
    PosixFiles files;
    CHECK_OK(until("the node of " + s->party, 15'000, [&]() -> Result<bool> {
      if (!s->process.running()) {
        const auto why = files.read(s->dir + "/node.err");
        return make_error(ErrorKind::kInternal,
                          "the node of " + s->party + " did not start: " + printable(why.ok() ? *why : "", 400));
      }
      const auto text = files.read(out);
      return text.ok() && text->find("\"ready\"") != std::string::npos;
    }));
    Target target;
    target.dir = s->dir;
    TRY(NodeClient api, NodeClient::connect(target));
    TRY(const json::Document status, api.get("/api/v1/status"));
    s->identity = text_of(status.root(), "identity");
    s->api = std::move(api);
  }
  note("IN serves https://" + india_.listen + ", JP serves https://" + japan_.listen);
  TRY(const auto a, command({"peer", "add", "--dir", india_.dir, "--from-dir", japan_.dir}));
  TRY(const auto b, command({"peer", "add", "--dir", japan_.dir, "--from-dir", india_.dir}));
  note("each pinned the other's TLS key");
  return {};
}

Status Story::refuse_before_force() {
  ListOptions list;
  list.as = "domains";
  list.creator = japan_.identity;
  list.at = clock_.now();
  TRY(early_, indicator_for("early-warning.example", list));
  TRY(const std::string file, path("early.json", early_));
  TRY(const auto posted, command({"publish", file, "--dir", japan_.dir}));
  figures.published += number_of(posted.root(), "published");
  TRY(const auto planned, command({"release", "plan", file, "--to", "IN", "--dir", japan_.dir}));
  const std::string why = first_reason(planned);
  const bool withheld = text_of(planned.root(), "verdict") == "withheld";
  note("Japan would give an indicator to India: " + text_of(planned.root(), "verdict") + ", " + why);
  figures.refused_before_force = withheld && !why.empty();
  return {};
}

Status Story::act(Side& who, const std::string& verb, const std::string& what) {
  TRY(const auto done, command({"agreement", verb, what, "--dir", who.dir}));
  if (const std::string id = text_of(done.root(), "agreement_id"); agreement_.empty()) agreement_ = id;
  const std::string hash = text_of(done.root(), "act");
  // The other side has it when its own state names it.
  Side& other = &who == &india_ ? japan_ : india_;
  CHECK_OK(until("the act '" + verb + "' of " + who.party + " at " + other.party, 15'000, [&]() -> Result<bool> {
    auto known = other.api->get("/api/v1/agreements/" + net::url_encode(agreement_));
    if (!known.ok()) return false;
    const auto last = json::find(known->root(), "last_act");
    return last && json::find_string(*last, who.party) == hash;
  }));
  return {};
}

Status Story::agree() {
  const std::string file = (folder_ / "agreement.json").string();
  TRY(const auto made,
      command({"agreement", "new", "--pair", india_.dir + "/party.json", "--pair", japan_.dir + "/party.json", file}));
  CHECK_OK(act(india_, "propose", file));
  CHECK_OK(act(india_, "initial", agreement_));
  CHECK_OK(act(japan_, "initial", agreement_));
  CHECK_OK(act(india_, "sign", agreement_));
  note("proposed and initialled by both, signed by IN");
  // Signed by one is not in force either.
  TRY(const auto planned,
      command({"release", "plan", (folder_ / "early.json").string(), "--to", "IN", "--dir", japan_.dir}));
  const std::string why = first_reason(planned);
  TRY(const auto sync, command({"peer", "sync", "JP", "--dir", india_.dir}));
  TRY(const uint64_t got, received_by_india());
  note(fmt::format("still refused: {}, {}; India has {} objects of Japan", text_of(planned.root(), "verdict"), why,
                   got));
  figures.refused_before_force = figures.refused_before_force && why == "NOT_YET_IN_FORCE" && got == 0;
  CHECK_OK(act(japan_, "sign", agreement_));
  CHECK_OK(act(india_, "notify", agreement_));
  CHECK_OK(act(japan_, "notify", agreement_));
  CHECK_OK(until("the agreement to be in force on both sides", 15'000, [&]() -> Result<bool> {
    for (Side* s : {&india_, &japan_}) {
      TRY(const json::Document d, s->api->get("/api/v1/agreements/" + net::url_encode(agreement_)));
      if (text_of(d.root(), "state") != "IN_FORCE") return false;
    }
    return true;
  }));
  note("signed by both, with two persons' keys each, and notified: IN_FORCE on both sides");
  return {};
}

Result<uint64_t> Story::received_by_india() {
  TRY(const json::Document d, india_.api->get("/api/v1/status"));
  const auto objects = json::find(d.root(), "objects");
  return objects ? number_of(*objects, exchange::received_alias("JP", agreement_)) : 0;
}

Status Story::publish() {
  publish_began_us_ = steady_now_us();
  const size_t chunk = options_.rate > 0 ? static_cast<size_t>(options_.rate) : names_.size();
  uint64_t published = 0;
  double seconds = 0;
  for (size_t i = 0; i < names_.size(); i += chunk) {
    const int64_t begin = steady_now_us();
    std::string list;
    for (size_t k = i; k < std::min(names_.size(), i + chunk); ++k) list += names_[k] + "\n";
    TRY(const std::string file, path("names.txt", list));
    TRY(const auto done,
        command({"publish", file, "--as", "domains", "--tlp", "green", "--label", "phishing", "--dir", japan_.dir},
                {1}));
    published += number_of(done.root(), "published");
    double s = 0;
    if (done.root()["seconds"].get_double().get(s) == simdjson::SUCCESS) seconds += s;
    if (number_of(done.root(), "failed") > 0)
      note(grouped(number_of(done.root(), "failed")) + " of them refused at admission");
    while (options_.rate > 0 && i + chunk < names_.size() && steady_now_us() - begin < 1'000'000 && !interrupted()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  figures.published += published;
  figures.publish_objects_per_s = seconds > 0 ? static_cast<double>(published) / seconds : 0;
  note(grouped(published) + " reported names as indicators, TLP:GREEN");
  const std::string delicate = delicate_objects(japan_.identity, clock_.now());
  TRY(const std::string file, path("delicate.json", delicate));
  TRY(const json::Document planned, japan_.api->post("/api/v1/release/plan?to=IN", delicate));
  if (const auto objects = json::find_array(planned.root(), "objects")) {
    note("what the agreement says about some delicate objects, before they are published:");
    for (const json::Value o : *objects) note(verdict_line(o));
  }
  TRY(const auto done, command({"publish", file, "--dir", japan_.dir}, {1}));
  if (number_of(done.root(), "failed") > 0) {
    return make_error(ErrorKind::kInternal, "objects of the demo were refused at admission: " +
                                                printable(json::write(json::Node::from(done.root())), 600));
  }
  figures.published += number_of(done.root(), "published");
  note(grouped(number_of(done.root(), "published")) + " delicate objects are published at Japan too");
  return {};
}

Status Story::receive() {
  uint64_t given = 0;
  uint64_t got = 0;
  int64_t last_us = steady_now_us();
  CHECK_OK(until("India to have everything that Japan gave", 60'000, [&]() -> Result<bool> {
    TRY(const json::Document d, japan_.api->get("/api/v1/status"));
    const auto rows = json::find_array(d.root(), "release");
    if (!rows || rows->size() == 0) return false;
    const json::Value r = rows->at(0).value_unsafe();
    given = number_of(r, "released") + number_of(r, "redacted");
    TRY(const uint64_t now, received_by_india());
    if (now != got) last_us = steady_now_us();
    got = now;
    return number_of(r, "pending") == 0 && given > 0 && got >= given;
  }));
  figures.received = got;
  note(fmt::format("{} objects are at India", grouped(got)));
  CHECK_OK(until("receipts and proofs", 30'000, [&]() -> Result<bool> {
    TRY(const json::Document jp, japan_.api->get("/api/v1/status"));
    TRY(const json::Document in, india_.api->get("/api/v1/status"));
    const auto rows = json::find_array(jp.root(), "release");
    const auto ledgers = json::find_array(in.root(), "ledger");
    if (!rows || rows->size() == 0 || !ledgers || ledgers->size() == 0) return false;
    const json::Value r = rows->at(0).value_unsafe();
    figures.redacted = number_of(r, "redacted");
    figures.withheld = number_of(r, "withheld");
    figures.receipts = number_of(r, "receipts");
    figures.reasons.clear();
    if (const auto reasons = json::find_object(r, "reasons")) {
      for (const auto m : *reasons) {
        if (m.key == "PERMIT") continue;  // of what was redacted and then given
        figures.reasons.emplace_back(m.key, static_cast<uint64_t>(m.value.get_int64().value_unsafe()));
      }
    }
    const auto mirror = json::find(ledgers->at(0).value_unsafe(), "mirror");
    const auto of_japan = mirror ? json::find(*mirror, "JP") : std::nullopt;
    if (!of_japan) return false;
    if (json::find_bool(*of_japan, "conflict").value_or(false)) {
      return make_error(ErrorKind::kCorrupt, "Japan's ledger contradicts itself: " + text_of(*of_japan, "problem"));
    }
    figures.releases_proved = number_of(*of_japan, "verified");
    return figures.receipts > 0 && figures.releases_proved > 0;
  }));
  const double seconds = static_cast<double>(last_us - publish_began_us_) / 1e6;
  figures.receive_objects_per_s = seconds > 0 ? static_cast<double>(got) / seconds : 0;
  std::string why;
  for (const auto& [code, n] : figures.reasons) why += (why.empty() ? "" : ", ") + code + " " + grouped(n);
  note(fmt::format("{} redacted, {} withheld: {}", figures.redacted, figures.withheld, why));
  note(fmt::format("{} releases found in Japan's ledger, {} receipts back at Japan", figures.releases_proved,
                   figures.receipts));
  return {};
}

}  // namespace entente::cli::demo
