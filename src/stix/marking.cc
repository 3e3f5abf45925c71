#include "stix/marking.h"

#include <array>

#include "stix/timestamp.h"

namespace entente::stix {
namespace {

struct TlpMarking {
  Tlp tlp;
  std::string_view id;
  std::string_view name;   // the object's `name`
  std::string_view value;  // `tlp` of TLP 1.0, `tlp_2_0` of TLP 2.0
  std::string_view text;   // the object itself
};

constexpr std::string_view kTlp2Extension = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";
constexpr std::string_view kTlp1Created = "2017-01-20T00:00:00.000Z";
constexpr std::string_view kTlp2Created = "2022-10-01T00:00:00.000Z";

#define ENTENTE_TLP1(UUID, NAME, VALUE)                                                                                \
  R"({"type":"marking-definition","spec_version":"2.1","id":"marking-definition--)" UUID                               \
  R"(","created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","name":")" NAME R"(","definition":{"tlp":")" VALUE \
  R"("}})"
#define ENTENTE_TLP2(UUID, NAME, VALUE)                                                  \
  R"({"type":"marking-definition","spec_version":"2.1","id":"marking-definition--)" UUID \
  R"(","created":"2022-10-01T00:00:00.000Z","name":")" NAME                              \
  R"(","extensions":{"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":)"     \
  R"({"extension_type":"property-extension","tlp_2_0":")" VALUE R"("}}})"
#define ENTENTE_TLP(VERSION, LEVEL, UUID, NAME, VALUE) \
  TlpMarking { LEVEL, "marking-definition--" UUID, NAME, VALUE, ENTENTE_TLP##VERSION(UUID, NAME, VALUE) }

// STIX 2.1 §7.2.1.4. These four objects and no others are TLP 1.0.
constexpr std::array kTlp1 = {
    ENTENTE_TLP(1, Tlp::kClear, "613f2e26-407d-48c7-9eca-b8e91df99dc9", "TLP:WHITE", "white"),
    ENTENTE_TLP(1, Tlp::kGreen, "34098fce-860f-48ae-8e50-ebd3cc5e41da", "TLP:GREEN", "green"),
    ENTENTE_TLP(1, Tlp::kAmber, "f88d31f6-486f-44da-b317-01333bde0b82", "TLP:AMBER", "amber"),
    ENTENTE_TLP(1, Tlp::kRed, "5e57c739-391a-4eb3-b6be-7d15ca92d5ed", "TLP:RED", "red"),
};

// OASIS common objects, extension "TLP 2.0"; in the order of Tlp. They carry no created_by_ref.
constexpr std::array kTlp2 = {
    ENTENTE_TLP(2, Tlp::kClear, "94868c89-83c2-464b-929b-a1a8aa3c8487", "TLP:CLEAR", "clear"),
    ENTENTE_TLP(2, Tlp::kGreen, "bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "TLP:GREEN", "green"),
    ENTENTE_TLP(2, Tlp::kAmber, "55d920b0-5e8b-4f79-9ee9-91f868d9b421", "TLP:AMBER", "amber"),
    ENTENTE_TLP(2, Tlp::kAmberStrict, "939a9414-2ddd-4d32-a0cd-375ea402b003", "TLP:AMBER+STRICT", "amber+strict"),
    ENTENTE_TLP(2, Tlp::kRed, "e828b379-4e03-4974-9ac4-e53a884c97c1", "TLP:RED", "red"),
};
#undef ENTENTE_TLP
#undef ENTENTE_TLP1
#undef ENTENTE_TLP2

template <size_t N>
const TlpMarking* by_id(const std::array<TlpMarking, N>& table, std::string_view id) {
  for (const auto& m : table) {
    if (m.id == id) return &m;
  }
  return nullptr;
}

// The members an OASIS object may have; anything else could say something different from what the id promises.
bool only_members(const json::Value& object, std::initializer_list<std::string_view> names) {
  json::Object members;
  if (object.get_object().get(members) != simdjson::SUCCESS) return false;
  for (const auto& member : members) {
    bool known = false;
    for (const auto name : names) known = known || member.key == name;
    if (!known) return false;
  }
  return true;
}

// Absent is as good as right: §3.2 allows to leave `name` out, and 2.0 content has no spec_version.
bool absent_or(const json::Value& object, std::string_view name, std::string_view wanted) {
  const auto value = json::find(object, name);
  return !value || (value->is_string() && value->get_string().value_unsafe() == wanted);
}

bool same_instant(const json::Value& object, std::string_view wanted) {
  const auto text = json::find_string(object, "created");
  if (!text) return false;
  const auto t = parse_timestamp(*text);
  return t && t == parse_timestamp(wanted);
}

bool is_tlp1(const json::Value& object, const TlpMarking& m) {
  if (!only_members(object, {"type", "spec_version", "id", "created", "name", "definition_type", "definition"})) {
    return false;
  }
  const auto definition = json::find(object, "definition");
  return json::find_string(object, "definition_type") == "tlp" && definition && only_members(*definition, {"tlp"}) &&
         json::find_string(*definition, "tlp") == m.value && same_instant(object, kTlp1Created);
}

bool is_tlp2(const json::Value& object, const TlpMarking& m) {
  if (!only_members(object, {"type", "spec_version", "id", "created", "name", "extensions"})) return false;
  const auto extensions = json::find(object, "extensions");
  if (!extensions || !only_members(*extensions, {kTlp2Extension})) return false;
  const auto extension = json::find(*extensions, kTlp2Extension);
  return extension && only_members(*extension, {"extension_type", "tlp_2_0"}) &&
         json::find_string(*extension, "extension_type") == "property-extension" &&
         json::find_string(*extension, "tlp_2_0") == m.value && same_instant(object, kTlp2Created);
}

constexpr std::array<std::string_view, 5> kTlpText = {"clear", "green", "amber", "amber+strict", "red"};
constexpr std::array<std::string_view, 4> kPapText = {"clear", "green", "amber", "red"};

}  // namespace

std::string_view to_text(Tlp t) { return kTlpText[static_cast<size_t>(t)]; }
std::string_view to_text(Pap p) { return kPapText[static_cast<size_t>(p)]; }

std::optional<Tlp> parse_tlp(std::string_view text) {
  if (text == "white") return Tlp::kClear;
  for (size_t i = 0; i < kTlpText.size(); ++i) {
    if (kTlpText[i] == text) return static_cast<Tlp>(i);
  }
  return std::nullopt;
}

std::optional<Pap> parse_pap(std::string_view text) {
  if (text == "white") return Pap::kClear;
  for (size_t i = 0; i < kPapText.size(); ++i) {
    if (kPapText[i] == text) return static_cast<Pap>(i);
  }
  return std::nullopt;
}

std::optional<Tlp> tlp_of_id(std::string_view marking_definition_id) {
  if (const auto* m = by_id(kTlp2, marking_definition_id)) return m->tlp;
  if (const auto* m = by_id(kTlp1, marking_definition_id)) return m->tlp;
  return std::nullopt;
}

std::optional<Tlp> tlp_of_definition(const json::Value& marking_definition) {
  const auto id = json::find_string(marking_definition, "id");
  if (!id || json::find_string(marking_definition, "type") != "marking-definition") return std::nullopt;
  if (!absent_or(marking_definition, "spec_version", "2.1")) return std::nullopt;
  if (const auto* m = by_id(kTlp1, *id)) {
    if (absent_or(marking_definition, "name", m->name) && is_tlp1(marking_definition, *m)) return m->tlp;
  } else if (const auto* n = by_id(kTlp2, *id)) {
    if (absent_or(marking_definition, "name", n->name) && is_tlp2(marking_definition, *n)) return n->tlp;
  }
  return std::nullopt;
}

std::string_view tlp_id(Tlp t) { return kTlp2[static_cast<size_t>(t)].id; }
std::string_view tlp_object(Tlp t) { return kTlp2[static_cast<size_t>(t)].text; }

std::string_view tlp_object_of_id(std::string_view marking_definition_id) {
  if (const auto* m = by_id(kTlp2, marking_definition_id)) return m->text;
  if (const auto* m = by_id(kTlp1, marking_definition_id)) return m->text;
  return {};
}

std::optional<Pap> pap_of_definition(const json::Value& marking_definition) {
  if (json::find_string(marking_definition, "type") != "marking-definition") return std::nullopt;
  if (const auto extensions = json::find(marking_definition, "extensions")) {
    const auto ext = json::find(*extensions, "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b");
    if (!ext || !extensions->is_object() || json::as_object(*extensions).size() != 1 ||
        json::as_object(*ext).size() != 2 || json::find(marking_definition, "definition") ||
        json::find_string(*ext, "extension_type") != "property-extension")
      return std::nullopt;
    return parse_pap(json::find_string(*ext, "pap").value_or(""));
  }
  if (json::find_string(marking_definition, "definition_type") != "statement") return std::nullopt;
  const auto definition = json::find(marking_definition, "definition");
  const auto statement = definition ? json::find_string(*definition, "statement") : std::nullopt;
  if (!statement) return std::nullopt;
  if (*statement == "PAP:RED") return Pap::kRed;
  if (*statement == "PAP:AMBER") return Pap::kAmber;
  if (*statement == "PAP:GREEN") return Pap::kGreen;
  if (*statement == "PAP:CLEAR" || *statement == "PAP:WHITE") return Pap::kClear;
  return std::nullopt;
}

}  // namespace entente::stix
