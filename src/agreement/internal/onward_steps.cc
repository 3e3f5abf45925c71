#include "agreement/internal/onward_steps.h"

#include <fmt/format.h>

#include "agreement/internal/party_block.h"
#include "agreement/internal/shape.h"
#include "base/bytes.h"
#include "stix/object.h"

namespace entente::agreement::internal {
namespace {

using json::Node;

constexpr size_t kMaxText = 500;  // octets of a reason, a purpose

std::string words(Shape& shape, const Node& body, const std::string& at, std::string_view name, bool required) {
  std::string text = shape.text(body, at, name, required).value_or("");
  if (text.size() > kMaxText)
    shape.add(fmt::format("{}/{}", at, name), fmt::format("is longer than {} octets", kMaxText));
  if (required && text.empty() && body.find(name) != nullptr)
    shape.add(fmt::format("{}/{}", at, name), "must not be empty: say it in a few words");
  return text;
}

std::string code(Shape& shape, const Node& body, const std::string& at, std::string_view name) {
  std::string text = shape.text(body, at, name, true).value_or("");
  const bool good = text.size() == 2 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' && text[1] <= 'Z';
  if (!good && body.find(name) != nullptr)
    shape.add(fmt::format("{}/{}", at, name), "must be a party's code, two capital letters");
  return text;
}

void read_terms(Shape& shape, const Node& body, const std::string& at, bool until_required, OnwardTerms& out) {
  out.object = shape.text(body, at, "object", true).value_or("");
  if (body.find("object") != nullptr && !stix::parse_id(out.object)) shape.add(at + "/object", "must be a STIX id");
  out.version = shape.text(body, at, "version", true).value_or("");
  if (out.version.size() > 64) shape.add(at + "/version", "is no version of an object");
  out.sha256 = shape.text(body, at, "sha256", out.version != kEveryVersion).value_or("");
  if (out.version == kEveryVersion && !out.sha256.empty())
    shape.add(at + "/sha256", "a consent to every version names no octets");
  else if (out.version != kEveryVersion && body.find("sha256") != nullptr && !is_hex64(out.sha256))
    shape.add(at + "/sha256", "must be the SHA-256 of the object's octets: 64 lower-case hex digits");
  out.recipient = code(shape, body, at, "recipient");
  if (out.recipient == out.originator || out.recipient == out.holder)
    shape.add(at + "/recipient", "must be a third party: what two parties share needs no consent between them");
  out.purpose = words(shape, body, at, "purpose", true);
  if (const auto text = shape.text(body, at, "until", until_required)) {
    if (const auto time = parse_time(*text); time.ok())
      out.until = *time;
    else
      shape.add(at + "/until", "must be an RFC 3339 time such as 2027-01-15T05:00:00Z");
  }
}

}  // namespace

Result<OnwardBody> read_onward_body(const Act& act) {
  Shape shape;
  const std::string at = "/act/body";
  const Node& body = act.body;
  OnwardBody out;
  if (!shape.is_object(body, at)) return invalid(shape.problems.front().message, shape.problems.front().pointer);
  out.terms.originator = code(shape, body, at, "originator");
  out.terms.holder = code(shape, body, at, "holder");
  if (out.terms.originator == out.terms.holder) shape.add(at + "/holder", "must be another party than the originator");
  const bool by_originator = act.party == out.terms.originator;
  const bool by_holder = act.party == out.terms.holder;
  if (act.kind == "onward_ask") {
    shape.closed(body, at, {"originator", "holder", "object", "version", "recipient", "purpose"},
                 {"sha256", "until", "reason"});
    read_terms(shape, body, at, false, out.terms);
    if (!by_holder) shape.add("/act/party", "who holds the object asks");
  } else if (act.kind == "onward_give") {
    shape.closed(body, at, {"request", "originator", "holder", "object", "version", "recipient", "purpose", "until"},
                 {"sha256", "reason"});
    read_terms(shape, body, at, true, out.terms);
    if (!by_originator) shape.add("/act/party", "only the originator consents: a consent does not chain");
  } else if (act.kind == "onward_deny") {
    shape.closed(body, at, {"request", "originator", "holder", "reason"}, {});
    if (!by_originator) shape.add("/act/party", "only the originator denies");
  } else if (act.kind == "onward_withdraw") {
    shape.closed(body, at, {"request", "originator", "holder"}, {"reason"});
    if (!by_originator && !by_holder) shape.add("/act/party", "only the originator or the holder withdraws");
  } else {
    return make_error(ErrorKind::kUnsupported, fmt::format("unknown kind of act \"{}\"", printable(act.kind)),
                      "/act/kind", "use a kind that docs/format/consents.md defines");
  }
  out.reason = words(shape, body, at, "reason", act.kind == "onward_deny");
  if (act.kind != "onward_ask") {
    out.request = shape.text(body, at, "request", true).value_or("");
    if (body.find("request") != nullptr && !is_hex64(out.request))
      shape.add(at + "/request", "must be the hash of the onward_ask act: 64 lower-case hex digits");
  }
  if (!shape.problems.empty()) return invalid(shape.problems.front().message, shape.problems.front().pointer);
  return out;
}

}  // namespace entente::agreement::internal
