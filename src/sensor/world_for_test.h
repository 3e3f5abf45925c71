// For the tests of this layer: an agreement in force between IN and JP, indicators, and what a node would say.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agreement/testing.h"
#include "json/node.h"
#include "sensor/core.h"

namespace entente::sensor {

inline constexpr Time kStart{1'800'000'000'000'000};  // 2027-01-15
inline constexpr int64_t kOneSecond = 1'000'000;

// Keeps what was said.
class ListSink final : public EventSink {
 public:
  void write(Time t, std::string_view event, const json::Node& members) override {
    json::Node n = json::Node::object();
    n.set("t", t.us).set("event", event);
    for (const auto& [key, value] : members.members()) n.set(key, value);
    events.push_back(std::move(n));
  }
  [[nodiscard]] std::vector<json::Node> of(std::string_view event) const {
    std::vector<json::Node> out;
    for (const json::Node& n : events) {
      if (n.string_at("event") == event) out.push_back(n);
    }
    return out;
  }
  std::vector<json::Node> events;
};

struct Treaty {
  agreement::testing::Signer signer;
  std::vector<agreement::SignedAct> acts;

  explicit Treaty(Time signed_at = kStart.plus_us(-3600 * kOneSecond))
      : signer(agreement::testing::sample(agreement::testing::sample_node())), acts(signer.until_signed(signed_at)) {}
  [[nodiscard]] const std::string& id() const { return signer.document().agreement_id; }
  // A step of a joint action (agreement/joint.h): chains of their own.
  const agreement::SignedAct& joint(const std::string& party, const std::string& kind, Time at, json::Node body,
                                    const std::string& prev) {
    agreement::Act a{kind, id(), signer.document().hash, prev, party, at, std::move(body)};
    agreement::SignedAct s{std::move(a), {}};
    agreement::testing::Signer::sign(s, party + "/authority/1");
    acts.push_back(std::move(s));
    return acts.back();
  }
  void add(const std::string& party, const std::string& kind, Time at, json::Node body = json::Node::object()) {
    acts.push_back(signer.act(party, kind, at, std::move(body)));
  }
  // The answer of GET /api/v1/agreements.
  [[nodiscard]] std::string api() const {
    json::Node texts = json::Node::array();
    for (const auto& act : acts) texts.push(act.text());
    json::Node collections = json::Node::array();
    collections.push(json::Node::object()
                         .set("id", "c0000000-0000-4000-8000-000000000001")
                         .set("alias", "received-jp")
                         .set("from", "JP"));
    json::Node one = json::Node::object();
    one.set("agreement_id", id())
        .set("me", "IN")
        .set("acts", std::move(texts))
        .set("collections", std::move(collections));
    return json::write(json::Node::object().set("agreements", json::Node(json::Node::List{one})));
  }
  [[nodiscard]] Source source() const { return {"c0000000-0000-4000-8000-000000000001", "JP", id()}; }
};

inline constexpr std::string_view kPapGreen = "marking-definition--11111111-1111-4111-8111-111111111111";
inline constexpr std::string_view kPapAmber = "marking-definition--22222222-2222-4222-8222-222222222222";
inline std::string pap_object(std::string_view id, std::string_view statement) {
  return R"({"type":"marking-definition","spec_version":"2.1","id":")" + std::string(id) +
         R"(","created":"2026-01-01T00:00:00Z","definition_type":"statement","definition":{"statement":")" +
         std::string(statement) + R"("}})";
}

struct Sample {
  int number = 1;
  std::string pattern = "[ipv4-addr:value = '198.51.100.7']";
  int version = 1;  // second of `modified`
  bool revoked = false;
  std::string valid_until{};
  std::string valid_from = "2026-01-01T00:00:00Z";
  int confidence = 90;
  std::string marking{kPapGreen};
  [[nodiscard]] std::string id() const {
    char text[64];
    snprintf(text, sizeof text, "indicator--00000000-0000-4000-8000-%012d", number);
    return text;
  }
  [[nodiscard]] std::string text() const {
    char modified[32];
    snprintf(modified, sizeof modified, "2026-01-01T00:%02d:%02dZ", version / 60, version % 60);
    json::Node n = json::Node::object();
    n.set("type", "indicator")
        .set("spec_version", "2.1")
        .set("id", id())
        .set("created", "2026-01-01T00:00:00Z")
        .set("modified", modified);
    n.set("name", "sample").set("pattern", pattern).set("pattern_type", "stix").set("valid_from", valid_from);
    n.set("indicator_types", agreement::testing::texts({"malicious-activity"})).set("confidence", confidence);
    if (!valid_until.empty()) n.set("valid_until", valid_until);
    if (!marking.empty()) n.set("object_marking_refs", agreement::testing::texts({marking}));
    if (revoked) n.set("revoked", true);
    return json::write_pretty(n);  // line ends between tokens, as a partner may write them
  }
};

inline SensorConfig blocking() {
  SensorConfig c;
  c.state_dir = "/state";
  c.guard.mode = enforce::Mode::kBlock;
  c.trials.first_us = 0;  // but for the tests of shadow runs
  return c;
}

// A sensor without packets: what the node says and the time go in, what the enforcer has is read.
struct World {
  explicit World(SensorConfig c = blocking()) : config(std::move(c)) {
    lists.add_name("bank.example", "national");
    lists.add_prefix(*enforce::parse_prefix("203.0.113.53"), "national");
    restart();
  }
  void restart() {
    core.reset();
    if (const auto done = enforcer.clear(); !done.ok()) ADD_FAILURE();
    core = std::make_unique<Core>(config, files, clock, enforcer, lists, sink);
    const auto done = core->start();
    EXPECT_TRUE(done.ok()) << done.error().text();
  }
  void agreements() {
    auto parsed = Instruments::parse(treaty.api());
    ASSERT_TRUE(parsed.ok());
    core->on_instruments(std::move(*parsed));
  }
  void page(const std::vector<std::string>& objects) {
    const std::vector<std::string_view> views(objects.begin(), objects.end());
    core->on_page(treaty.source(), views, clock.now());
  }
  void ready() {
    agreements();
    page({pap_object(kPapGreen, "PAP:GREEN"), pap_object(kPapAmber, "PAP:AMBER")});
  }
  // What the enforcer has: 'd' drops, 'w' counts, '-' nothing.
  char on(const std::string& target) const {
    const auto it = enforcer.elements().find(*enforce::parse_prefix(target));
    return it == enforcer.elements().end() ? '-' : it->second.drop ? 'd' : 'w';
  }
  std::string ask(const std::string& request) { return core->control(request); }
  std::string refused(size_t i = 0) const {
    const auto all = sink.of("guard_refused");
    return i < all.size() ? std::string(all[i].string_at("code")) : "";
  }

  SensorConfig config;
  MemFiles files;
  ManualClock clock{kStart};
  enforce::MemEnforcer enforcer;
  enforce::ProtectedList lists;
  ListSink sink;
  Treaty treaty;
  std::unique_ptr<Core> core;
};

}  // namespace entente::sensor
