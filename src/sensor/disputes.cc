#include "sensor/disputes.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "base/log.h"

namespace entente::sensor {

namespace {

Dispute read_one(const json::Value& v) {
  const auto text = [&](const char* key) { return std::string(json::find_string(v, key).value_or("")); };
  Dispute d;
  d.indicator = text("of");
  d.agreement = text("agreement");
  d.claim = text("claim");
  d.state = text("state");
  d.reason = text("reason");
  d.why = text("why");
  d.claimant = text("claimant");
  d.originator = text("originator");
  d.hits = static_cast<uint64_t>(std::max<int64_t>(0, json::find_int(v, "hits").value_or(0)));
  if (const auto at = parse_time(text("at")); at.ok()) d.at = *at;
  if (const auto due = parse_time(text("due")); due.ok()) d.due = *due;
  return d;
}

}  // namespace

std::string Dispute::sentence(Time now) const {
  const std::string because = reason.empty() ? "" : ": " + printable(reason, 200);
  if (state == "refused")
    return "disputed here at " + to_text(at) + because + "; our node did not take the claim: " + printable(why, 200);
  if (state == "upheld")
    return originator + " upheld it against the claim of " + claimant + ": " + printable(why, 200) +
           "; a person decides ('entente lease approve')";
  if (state != "pending") return {};
  std::string out = "disputed as a false positive by " + (claimant.empty() ? "this party" : claimant) + " at " +
                    to_text(at) + because;
  if (claim.empty()) return out + "; the claim is on its way to our node";
  out += "; " + (originator.empty() ? "its originator" : originator) + " has not answered";
  if (due) out += (*due < now ? " and is overdue since " : ", due by ") + to_text(*due);
  return out;
}

json::Node to_json(const Dispute& d, Time now) {
  json::Node n = json::Node::object();
  n.set("of", d.indicator).set("agreement", d.agreement).set("claim", d.claim).set("state", d.state);
  n.set("reason", d.reason).set("why", d.why).set("claimant", d.claimant).set("originator", d.originator);
  n.set("hits", d.hits).set("at", to_text(d.at));
  if (d.due) n.set("due", to_text(*d.due)).set("overdue", d.state == "pending" && *d.due < now);
  return n;
}

Status Disputes::save() {
  json::Node list = json::Node::array();
  for (const auto& [key, d] : all_) list.push(to_json(d, Time{0}));
  const json::Node all = json::Node::object().set("format", "entente-disputes/1").set("disputes", std::move(list));
  return files_.write_atomic(path_, json::write(all) + "\n", 0600);
}

void Disputes::load() {
  if (!files_.exists(path_)) return;
  const auto read = [&]() -> Status {
    TRY(const std::string text, files_.read(path_));
    TRY(const json::Document doc, json::parse(text));
    const auto list = json::find_array(doc.root(), "disputes");
    if (!list) return invalid("no list of disputes", path_);
    for (const json::Value v : *list) {
      Dispute d = read_one(v);
      all_.insert_or_assign({d.indicator, d.agreement}, std::move(d));
    }
    return {};
  };
  if (const Status done = read(); !done.ok())
    say_error("disputes cannot be read, and hold again when the node has told them: {}", done.error().text());
}

Status Disputes::add(Dispute d) {
  const std::pair key(d.indicator, d.agreement);
  const auto known = all_.find(key);
  if (known != all_.end() && known->second.state == "pending")
    return make_error(ErrorKind::kConflict, "it is disputed already", d.indicator, known->second.sentence(d.at));
  const std::optional<Dispute> before = known == all_.end() ? std::nullopt : std::optional(known->second);
  all_.insert_or_assign(key, std::move(d));
  Status done = save();
  if (!done.ok()) {
    if (before) {
      all_.insert_or_assign(key, *before);
    } else {
      all_.erase(key);
    }
  }
  return done;
}

std::vector<Dispute> Disputes::to_hand_in() const {
  std::vector<Dispute> out;
  for (const auto& [key, d] : all_) {
    if (d.claim.empty() && d.state == "pending") out.push_back(d);
  }
  return out;
}

void Disputes::handed_in(const std::string& indicator, const std::string& agreement, Result<std::string> claim) {
  const auto it = all_.find({indicator, agreement});
  if (it == all_.end()) return;
  if (claim.ok()) {
    it->second.claim = std::move(*claim);
  } else {
    it->second.state = "refused";
    it->second.why = claim.error().text();
  }
  if (const Status done = save(); !done.ok()) say_error("disputes: {}", done.error().text());
}

Status Disputes::drop(const std::string& indicator) {
  const size_t gone = std::erase_if(all_, [&](const auto& e) {
    return e.first.first == indicator && (e.second.claim.empty() || e.second.state != "pending");
  });
  if (gone == 0)
    return make_error(ErrorKind::kNotFound, "no dispute of this indicator ends here", printable(indicator, 80),
                      "a claim that its originator has is ended by the answer");
  return save();
}

Result<std::vector<std::string>> Disputes::from_node(std::string_view text) {
  TRY(const json::Document doc, json::parse(text));
  const auto list = json::find_array(doc.root(), "claims");
  if (!list) return invalid("no list of claims: member \"claims\" is missing");
  std::vector<std::string> changed;
  std::set<std::pair<std::string, std::string>> told;
  bool any = false;
  for (const json::Value v : *list) {
    Dispute d = read_one(v);
    const std::pair key(d.indicator, d.agreement);
    told.insert(key);
    const auto known = all_.find(key);
    if (known != all_.end()) {
      const Dispute& k = known->second;
      if (k.claim == d.claim && k.state == d.state && k.due == d.due && k.why == d.why) continue;
      // Disputed here anew after an answer: the node does not know yet.
      if (k.claim.empty() && k.state == "pending" && d.state != "pending") continue;
    }
    any = true;
    const bool same = known != all_.end() && known->second.state == d.state;
    all_.insert_or_assign(key, d);
    if (!same) changed.push_back(d.indicator);
  }
  // What the node no longer tells is over, but for what it has not been given.
  std::erase_if(all_, [&](const auto& e) {
    if (told.contains(e.first) || e.second.claim.empty()) return false;
    any = true;
    changed.push_back(e.first.first);
    return true;
  });
  if (any) CHECK_OK(save());
  return changed;
}

const Dispute* Disputes::find(const std::string& indicator, const std::string& agreement) const {
  if (!agreement.empty()) {
    const auto it = all_.find({indicator, agreement});
    return it == all_.end() ? nullptr : &it->second;
  }
  const auto it = all_.lower_bound({indicator, ""});
  return it == all_.end() || it->first.first != indicator ? nullptr : &it->second;
}

}  // namespace entente::sensor
