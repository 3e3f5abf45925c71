#include "stix/marking.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "json/node.h"

namespace entente::stix {
namespace {

constexpr std::array<std::string_view, 9> kOasis = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
};

std::optional<Tlp> tlp_of(std::string_view text) {
  const auto document = json::parse(text);
  EXPECT_TRUE(document.ok()) << text;
  return document.ok() ? tlp_of_definition(document->root()) : std::nullopt;
}

std::optional<Pap> pap_of(std::string_view text) {
  const auto document = json::parse(text);
  EXPECT_TRUE(document.ok()) << text;
  return document.ok() ? pap_of_definition(document->root()) : std::nullopt;
}

TEST(Marking, TheNineOasisObjectsAreKnownByIdAndByContent) {
  constexpr std::array<Tlp, 9> kMeaning = {Tlp::kClear, Tlp::kGreen, Tlp::kAmber,       Tlp::kRed, Tlp::kClear,
                                           Tlp::kGreen, Tlp::kAmber, Tlp::kAmberStrict, Tlp::kRed};
  for (size_t i = 0; i < kOasis.size(); ++i) {
    EXPECT_EQ(tlp_of_id(kOasis[i]), kMeaning[i]);
    const auto text = tlp_object_of_id(kOasis[i]);
    EXPECT_EQ(tlp_of(text), kMeaning[i]) << text;
    EXPECT_NE(text.find(kOasis[i]), std::string_view::npos);
  }
  for (const Tlp t : {Tlp::kClear, Tlp::kGreen, Tlp::kAmber, Tlp::kAmberStrict, Tlp::kRed}) {
    EXPECT_EQ(tlp_of_id(tlp_id(t)), t);
    EXPECT_EQ(tlp_of(tlp_object(t)), t);
    EXPECT_EQ(parse_tlp(to_text(t)), t);
  }
  EXPECT_EQ(tlp_object_of_id("marking-definition--00000000-0000-4000-8000-000000000000"), "");
  EXPECT_EQ(tlp_of_id(""), std::nullopt);
}

// As published in the OASIS repository of common objects, but for white space.
TEST(Marking, TextOfAmberStrictIsTheOasisObject) {
  EXPECT_EQ(
      tlp_object(Tlp::kAmberStrict),
      R"({"type":"marking-definition","spec_version":"2.1","id":"marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",)"
      R"("created":"2022-10-01T00:00:00.000Z","name":"TLP:AMBER+STRICT","extensions":)"
      R"({"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":{"extension_type":"property-extension","tlp_2_0":"amber+strict"}}})");
}

TEST(Marking, OldTlpObjectsMayLackNameAndSpecVersion) {
  EXPECT_EQ(tlp_of(R"({"type":"marking-definition","id":"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    "created":"2017-01-20T00:00:00Z","definition_type":"tlp","definition":{"tlp":"amber"}})"),
            Tlp::kAmber);
}

// Every single change to one of the nine objects, in id, in any member or by a further member, makes it a look-alike.
TEST(Marking, LookAlikesAreRefused) {
  for (const auto id : kOasis) {
    const auto document = json::parse(tlp_object_of_id(id));
    ASSERT_TRUE(document.ok());
    const auto node = json::Node::from(document->root());
    for (const auto& member : node.members()) {
      auto other = node;
      const std::string value = member.second.is_string() ? member.second.string() : "";
      other.set(member.first, value + "0");
      EXPECT_EQ(tlp_of(json::write(other)), std::nullopt) << json::write(other);
    }
    auto more = node;
    more.set("x_level", "red");
    EXPECT_EQ(tlp_of(json::write(more)), std::nullopt);
    for (const auto stranger : kOasis) {
      if (stranger == id) continue;
      auto other = node;
      other.set("id", stranger);
      EXPECT_EQ(tlp_of(json::write(other)), std::nullopt) << json::write(other);
    }
  }
  EXPECT_EQ(
      tlp_of(
          R"({"type":"marking-definition","spec_version":"2.1","id":"marking-definition--00000000-0000-4000-8000-000000000000",
    "created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","definition":{"tlp":"white"}})"),
      std::nullopt);
  EXPECT_EQ(tlp_of("[]"), std::nullopt);
  EXPECT_EQ(tlp_of("{}"), std::nullopt);
}

TEST(Marking, OrderIsThatOfPolicy) {
  EXPECT_LT(Tlp::kClear, Tlp::kGreen);
  EXPECT_LT(Tlp::kAmber, Tlp::kAmberStrict);
  EXPECT_LT(Tlp::kAmberStrict, Tlp::kRed);
  EXPECT_EQ(parse_tlp("white"), Tlp::kClear);
  EXPECT_EQ(parse_tlp("AMBER"), std::nullopt);
}

TEST(Marking, PapIsAStatementAndNothingElse) {
  const auto statement = [](std::string_view text) {
    return R"({"type":"marking-definition","definition_type":"statement","definition":{"statement":")" +
           std::string(text) + "\"}}";
  };
  EXPECT_EQ(pap_of(statement("PAP:RED")), Pap::kRed);
  EXPECT_EQ(pap_of(statement("PAP:AMBER")), Pap::kAmber);
  EXPECT_EQ(pap_of(statement("PAP:GREEN")), Pap::kGreen);
  EXPECT_EQ(pap_of(statement("PAP:CLEAR")), Pap::kClear);
  EXPECT_EQ(pap_of(statement("PAP:WHITE")), Pap::kClear);
  for (const auto bad : {"PAP:red", "pap:RED", "PAP:RED ", "PAP:PURPLE", "TLP:RED", ""}) {
    EXPECT_EQ(pap_of(statement(bad)), std::nullopt) << bad;
  }
  EXPECT_EQ(pap_of(R"({"type":"marking-definition","definition_type":"tlp","definition":{"statement":"PAP:RED"}})"),
            std::nullopt);
  EXPECT_EQ(pap_of(R"({"type":"marking-definition","definition_type":"statement","definition":"PAP:RED"})"),
            std::nullopt);
}

}  // namespace
}  // namespace entente::stix
