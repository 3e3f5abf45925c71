#include "exchange/claims.h"

#include <algorithm>
#include <array>

#include "agreement/reason.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/uuid.h"
#include "exchange/internal/release_graph.h"
#include "exchange/names.h"
#include "exchange/review.h"
#include "json/json.h"
#include "stix/marking.h"

namespace entente::exchange {

namespace {

constexpr std::string_view kExtension = "extension-definition--7f0a3c52-5d0e-4c1b-9a44-2b8f6f1d0c9e";
constexpr std::string_view kNamespace = "7f0a3c52-5d0e-4c1b-9a44-2b8f6f1d0c9e";
constexpr std::string_view kSpace = "claim";
constexpr size_t kMaxReason = 500;

json::Node index_of(const Claim& c) {
  json::Node n = json::Node::object();
  n.set("id", c.id).set("of", c.of).set("version", c.version).set("agreement", c.agreement);
  n.set("claimant", c.claimant).set("originator", c.originator).set("reason", c.reason).set("hits", c.hits);
  n.set("at", to_text(c.at));
  if (!c.answer.empty()) {
    n.set("answer", c.answer).set("answer_id", c.answer_id).set("answer_reason", c.answer_reason);
    if (c.answered_at) n.set("answered_at", to_text(*c.answered_at));
  }
  return n;
}

Result<Claim> parse_index(std::string_view text) {
  TRY(const json::Document doc, json::parse(text));
  const auto word = [&](const char* key) { return std::string(json::find_string(doc.root(), key).value_or("")); };
  Claim c;
  c.id = word("id");
  c.of = word("of");
  c.version = word("version");
  c.agreement = word("agreement");
  c.claimant = word("claimant");
  c.originator = word("originator");
  c.reason = word("reason");
  c.hits = static_cast<uint64_t>(std::max<int64_t>(0, json::find_int(doc.root(), "hits").value_or(0)));
  TRY(c.at, parse_time(word("at")));
  c.answer = word("answer");
  c.answer_id = word("answer_id");
  c.answer_reason = word("answer_reason");
  if (const auto at = parse_time(word("answered_at")); at.ok()) c.answered_at = *at;
  return c;
}

// The agreement's time for answers to claims; the shortest, if there are several.
std::optional<Period> answer_within(const agreement::Document& document) {
  const json::Node* levels = document.node.find("service_levels");
  std::optional<Period> out;
  if (levels == nullptr || !levels->is_array()) return out;
  for (const auto& level : levels->list()) {
    const json::Node* trigger = level.find("trigger");
    if (level.string_at("act") != "answer" || trigger == nullptr) continue;
    if (trigger->string_at("request") != "false-positive") continue;
    const auto within = parse_period(level.string_at("within"));
    if (within.ok() && (!out || add(Time{0}, *within) < add(Time{0}, *out))) out = *within;
  }
  return out;
}

// Of the ids of claims and answers, so that what is said twice is one object.
Uuid space() { return parse_uuid(kNamespace).value_or(Uuid{}); }

// Two digits: that it did harm, and how much, not what exactly a sensor saw.
uint64_t coarse(uint64_t n) {
  uint64_t unit = 1;
  while (n / unit >= 100) unit *= 10;
  return n / unit * unit;
}

std::string one_line(std::string_view text) { return printable(text, kMaxReason); }

// The parts of a claim or answer that its carrier's type asks for.
json::Node carried(const std::string& type, const std::string& id, const std::string& me, Time now,
                   const std::string& indicator, const std::string& tlp, const std::string& sentence,
                   const char* opinion) {
  const std::string at = to_text(now);
  json::Node n = json::Node::object();
  n.set("type", type).set("spec_version", "2.1").set("id", id).set("created_by_ref", identity_id(me));
  n.set("created", at).set("modified", at);
  const json::Node refs(json::Node::List{json::Node(indicator)});
  if (type == "opinion") n.set("opinion", opinion).set("explanation", sentence).set("object_refs", refs);
  if (type == "note") n.set("content", sentence).set("object_refs", refs);
  if (type == "sighting") n.set("description", sentence).set("count", 0).set("sighting_of_ref", indicator);
  n.set("object_marking_refs", json::Node(json::Node::List{json::Node(tlp)}));
  return n;
}

json::Node extended(json::Node object, json::Node extension) {
  extension.set("extension_type", "property-extension");
  return object.set("extensions", json::Node::object().set(kExtension, std::move(extension)));
}

std::string tlp_in(const json::Value& object) {
  for (const std::string_view m : json::string_list(json::find_array(object, "object_marking_refs"))) {
    if (stix::tlp_of_id(m)) return std::string(m);
  }
  return std::string(stix::tlp_id(stix::Tlp::kAmber));
}

bool listed(const std::vector<std::string>& list, std::string_view what) {
  return std::ranges::any_of(list, [&](const std::string& s) { return s == "*" || s == what; });
}

}  // namespace

json::Node to_json(const Claim& c, Time now) {
  json::Node n = json::Node::object();
  n.set("claim", c.id).set("of", c.of).set("version", c.version).set("agreement", c.agreement);
  n.set("claimant", c.claimant).set("originator", c.originator).set("reason", c.reason).set("hits", c.hits);
  n.set("at", to_text(c.at)).set("state", c.open() ? "pending" : c.answer);
  if (c.sent) n.set("sent", to_text(*c.sent));
  if (!c.waits_for.empty()) n.set("waits_for", c.waits_for);
  if (c.due) n.set("due", to_text(*c.due));
  n.set("overdue", c.overdue(now));
  if (!c.open()) {
    n.set("why", c.answer_reason).set("answer_id", c.answer_id);
    if (c.answered_at) n.set("answered", to_text(*c.answered_at));
  }
  return n;
}

// The first of the types that this direction of the agreement lets through.
Result<std::string> Claims::carrier(const std::string& agreement, const std::string& from,
                                    const std::string& to) const {
  const auto state = instruments_.state(agreement);
  if (state == nullptr || !state->document)
    return make_error(ErrorKind::kNotFound, "this node knows no agreement", agreement);
  for (const char* type : {"opinion", "note", "sighting"}) {
    bool permitted = false, forbidden = false;
    for (const auto& f : state->document->flows) {
      if (!listed(f.from, from) || !listed(f.to, to) || !listed(f.object_types, type)) continue;
      (f.permit ? permitted : forbidden) = true;
    }
    if (permitted && !forbidden) return std::string(type);
  }
  return make_error(ErrorKind::kDenied,
                    "no flow of the agreement carries an opinion, a note or a sighting from " + from + " to " + to,
                    agreement, "tell them by other means, and let an amendment permit one of these types");
}

std::optional<Time> Claims::sent_at(const std::string& agreement, const std::string& to, const std::string& id) const {
  std::string sent_id = id;
  if (auto as = cx_.store.get("sent-as", agreement + " " + to + " " + id); as.ok()) sent_id = *as;
  std::optional<Time> out;
  if (const auto rows = cx_.store.find(released(agreement, cx_.config.party, to), sent_id); rows.ok()) {
    for (const auto& row : *rows) {
      if (!out || row.date_added < *out) out = row.date_added;
    }
  }
  return out;
}

// What the release stage decided of it, code by code.
std::string Claims::waits_for(const std::string& agreement, const std::string& to, const std::string& id) const {
  std::string out;
  const auto say = [&](std::string_view code) {
    const auto* known = agreement::reason_code(code);
    if (known != nullptr && known->note) return;
    if (!out.empty()) out += "; ";
    out += code;
    if (known == nullptr) return;
    out += ": " + std::string(known->meaning);
    if (!known->remedy.empty()) out += " (what would change it: " + std::string(known->remedy) + ")";
  };
  if (const auto entry = cx_.store.get(kWithheldSpace, internal::count_key(agreement, to) + " " + id); entry.ok()) {
    std::string_view codes = std::string_view(*entry).substr(entry->rfind('\n') + 1);
    while (!codes.empty()) {
      const size_t end = codes.find(' ');
      say(codes.substr(0, end));
      codes.remove_prefix(end == std::string_view::npos ? codes.size() : end + 1);
    }
  }
  if (!out.empty()) return out;
  const auto state = instruments_.state(agreement);
  if (state == nullptr || !state->live(cx_.config.party, to))
    return "the agreement is not in force between us and " + to +
           " (what would change it: 'entente agreement state' lists what is missing)";
  return "not decided yet: it goes with the next release, and 'entente release plan' says if not";
}

void Claims::add_clock(Claim& c) const {
  const std::string& me = cx_.config.party;
  std::optional<Time> from = c.at;
  if (c.claimant == me) {
    c.sent = from = sent_at(c.agreement, c.originator, c.id);
    if (!c.sent && c.open()) c.waits_for = waits_for(c.agreement, c.originator, c.id);
  } else if (c.originator == me && !c.open() && !sent_at(c.agreement, c.claimant, c.answer_id)) {
    c.waits_for = waits_for(c.agreement, c.claimant, c.answer_id);
  }
  const auto state = instruments_.state(c.agreement);
  if (!from || state == nullptr || !state->document) return;
  if (const auto within = answer_within(*state->document)) c.due = add(*from, *within);
}

Status Claims::store(const Claim& claim, const json::Node& object, const std::string& by) {
  const std::string text = json::write(object);
  TRY(const json::Document doc, json::parse(text));
  stix::Summary summary;
  if (const std::string why = why_not(doc.root(), summary); !why.empty())
    return make_error(ErrorKind::kCorrupt, "the claim is not valid STIX: " + why, claim.id);
  RowMeta meta;
  meta.by = by;
  const std::string& me = cx_.config.party;
  store::Change change;
  change.add(summary.type == "sighting" ? sightings(me) : inbox(me), summary, text, meta.text());
  change.set(kSpace, claim.id, json::write(index_of(claim)));
  auto done = cx_.store.commit_wait(std::move(change));
  if (!done.ok()) return std::move(done).error();
  return {};
}

Result<Claim> Claims::make(const std::string& of, const std::string& agreement, std::string_view reason, uint64_t hits,
                           const std::string& by) {
  const std::string& me = cx_.config.party;
  if (one_line(reason).empty()) return invalid("a claim needs a reason: its originator decides by it", "/reason");
  TRY(const auto rows, cx_.store.find(of));
  const store::Row* newest = nullptr;
  RowMeta from;
  bool own = false;
  for (const auto& row : rows) {
    const RowMeta meta = RowMeta::parse(row.meta);
    own = own || row.collection == inbox(me) || row.collection == sightings(me);
    if (meta.agreement.empty() || row.collection != received(meta.agreement, meta.by, me)) continue;
    if (!agreement.empty() && meta.agreement != agreement) continue;
    if (newest != nullptr && row.version_time < newest->version_time) continue;
    newest = &row;
    from = meta;
  }
  if (newest == nullptr) {
    if (own)
      return make_error(ErrorKind::kDenied, "this object is our own: there is nobody to claim it from", of,
                        "recall it");
    return make_error(ErrorKind::kNotFound, "no partner gave this node such an object", of);
  }
  if (!of.starts_with("indicator--"))
    return make_error(ErrorKind::kUnsupported, "only indicators are claimed to be false positives", of);
  if (newest->revoked) return make_error(ErrorKind::kConflict, "its originator has recalled it already", of);
  Claim c;
  c.of = of;
  c.version = newest->version;
  c.agreement = from.agreement;
  c.claimant = me;
  c.originator = from.by;
  c.reason = one_line(reason);
  c.hits = coarse(hits);
  c.at = cx_.clock.now();
  TRY(const std::string type, carrier(c.agreement, me, c.originator));
  c.id = type + "--" + name_uuid(space(), c.claimant + "\n" + c.agreement + "\n" + c.of + "\n" + c.version).text();
  if (const auto known = find(c.id); known.ok()) return known;  // made before, whatever came of it
  TRY(const std::string raw, cx_.store.raw(*newest));
  TRY(const json::Document doc, json::parse(raw));
  json::Node extension = json::Node::object();
  extension.set("claim", "false-positive")
      .set("indicator", c.of)
      .set("version", c.version)
      .set("agreement", c.agreement);
  extension.set("claimant", c.claimant).set("originator", c.originator).set("reason", c.reason);
  if (c.hits > 0) extension.set("hits", c.hits);
  CHECK_OK(store(c,
                 extended(carried(type, c.id, me, c.at, c.of, tlp_in(doc.root()), "False positive here: " + c.reason,
                                  "strongly-disagree"),
                          std::move(extension)),
                 by));
  add_clock(c);
  return c;
}

Result<std::string> Claims::own_id(const Claim& c) const {
  TRY(const auto rows, cx_.store.find(released(c.agreement, cx_.config.party, c.claimant), c.of));
  if (rows.empty()) return make_error(ErrorKind::kNotFound, "this node gave " + c.claimant + " no such object", c.of);
  const std::string original = RowMeta::parse(rows.front().meta).original;
  return original.empty() ? c.of : original;
}

Result<Claim> Claims::answer(const std::string& id, bool withdrawn, std::string_view reason, const std::string& by) {
  const std::string& me = cx_.config.party;
  TRY(Claim c, find(id));
  if (c.originator != me)
    return make_error(ErrorKind::kDenied, "this claim is ours: " + c.originator + " answers it", id);
  if (!c.open()) return make_error(ErrorKind::kConflict, "this claim is answered: " + c.answer, id);
  if (!withdrawn && one_line(reason).empty())
    return invalid("an indicator that stands needs a reason: the claimant decides by it", "/reason");
  TRY(const std::string indicator, own_id(c));
  TRY(const std::string type, carrier(c.agreement, me, c.claimant));
  c.answer = withdrawn ? "withdrawn" : "upheld";
  c.answer_reason = one_line(reason);
  c.answer_id = type + "--" + name_uuid(space(), c.id + "\n" + c.answer).text();
  c.answered_at = cx_.clock.now();
  std::string tlp(stix::tlp_id(stix::Tlp::kAmber));
  TRY(const auto claims, cx_.store.find(id));
  if (!claims.empty()) {
    TRY(const std::string raw, cx_.store.raw(claims.back()));
    TRY(const json::Document doc, json::parse(raw));
    tlp = tlp_in(doc.root());
  }
  json::Node extension = json::Node::object();
  extension.set("answer", c.answer).set("answers", c.id).set("indicator", c.of).set("agreement", c.agreement);
  extension.set("claimant", c.claimant).set("originator", c.originator).set("reason", c.answer_reason);
  const std::string sentence = (withdrawn ? "Withdrawn: " : "Upheld: ") +
                               (c.answer_reason.empty() ? std::string("the claim is right") : c.answer_reason);
  CHECK_OK(store(c,
                 extended(carried(type, c.answer_id, me, *c.answered_at, indicator, tlp, sentence,
                                  withdrawn ? "agree" : "disagree"),
                          std::move(extension)),
                 by));
  return c;
}

Result<Claim> Claims::find(const std::string& id) const {
  const auto value = cx_.store.get(kSpace, id);
  if (!value.ok())
    return make_error(ErrorKind::kNotFound, "this node knows no such claim", printable(id, 80),
                      "see 'entente claim list'");
  TRY(Claim c, parse_index(*value));
  add_clock(c);
  return c;
}

Result<std::vector<Claim>> Claims::all() const {
  TRY(const auto entries, cx_.store.all(kSpace));
  std::vector<Claim> out;
  for (const auto& [id, value] : entries) {
    auto c = parse_index(value);
    if (!c.ok()) {
      say_warn("claim {}: {}", id, c.error().text());
      continue;
    }
    add_clock(*c);
    out.push_back(std::move(*c));
  }
  std::ranges::stable_sort(out, {}, [](const Claim& c) { return c.at; });
  return out;
}

void note_claim(Context& cx, store::Change& change, const json::Value& object, const stix::Summary& summary,
                const RowMeta& meta) {
  const auto extensions = json::find(object, "extensions");
  const auto mine = extensions ? json::find(*extensions, kExtension) : std::nullopt;
  if (!mine || summary.revoked) return;
  const std::string& me = cx.config.party;
  const auto word = [&](const char* key) { return std::string(json::find_string(*mine, key).value_or("")); };
  if (word("agreement") != meta.agreement) return;
  if (word("claim") == "false-positive" && word("claimant") == meta.by && word("originator") == me) {
    Claim c;
    c.id = summary.id;
    c.of = word("indicator");
    // About something that we gave them, and not known yet: what is answered stays answered.
    const auto given = cx.store.find(released(meta.agreement, me, meta.by), c.of);
    if (!given.ok() || given->empty() || cx.store.get(kSpace, c.id).ok()) return;
    c.version = word("version");
    c.agreement = meta.agreement;
    c.claimant = meta.by;
    c.originator = me;
    c.reason = one_line(word("reason"));
    c.hits = static_cast<uint64_t>(std::max<int64_t>(0, json::find_int(*mine, "hits").value_or(0)));
    c.at = cx.clock.now();
    change.set(kSpace, c.id, json::write(index_of(c)));
    say_info("{} claims that {} is a false positive: {}", c.claimant, c.of, c.reason);
    return;
  }
  const std::string answer = word("answer");
  if ((answer != "upheld" && answer != "withdrawn") || word("originator") != meta.by || word("claimant") != me) return;
  const auto value = cx.store.get(kSpace, word("answers"));
  if (!value.ok()) return;
  auto c = parse_index(*value);
  if (!c.ok() || !c->open() || c->claimant != me || c->originator != meta.by || c->agreement != meta.agreement) return;
  c->answer = answer;
  c->answer_id = summary.id;
  c->answer_reason = one_line(word("reason"));
  c->answered_at = cx.clock.now();
  change.set(kSpace, c->id, json::write(index_of(*c)));
}

}  // namespace entente::exchange
