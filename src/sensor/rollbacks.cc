#include "sensor/rollbacks.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"
#include "json/json.h"

namespace entente::sensor {
namespace {

Result<Rollback> from_json(const json::Value& v) {
  Rollback r;
  const auto text = [&](const char* key) { return std::string(json::find_string(v, key).value_or("")); };
  const int64_t id = json::find_int(v, "id").value_or(0);
  if (id <= 0) return invalid("a rollback without number");
  r.id = static_cast<uint64_t>(id);
  r.partner = text("partner");
  r.reason = text("reason");
  r.automatic = json::find_bool(v, "automatic").value_or(false);
  TRY(r.since, parse_time(text("since")));
  TRY(r.until, parse_time(text("until")));
  TRY(r.at, parse_time(text("at")));
  return r;
}

}  // namespace

std::string Rollback::sentence() const {
  const std::string what = partner.empty() ? "was our own" : partner == "*" ? "came" : partner + " shared";
  return "what " + what + " from " + to_text(since) + " to " + to_text(until) + " was " +
         (automatic ? "lifted for harm at " : "rolled back at ") + to_text(at) +
         (reason.empty() ? "" : ": " + printable(reason, 200)) + "; 'entente lease resume " + name() +
         "' takes that back";
}

json::Node to_json(const Rollback& r) {
  json::Node n = json::Node::object()
                     .set("id", r.id)
                     .set("partner", r.partner)
                     .set("since", to_text(r.since))
                     .set("until", to_text(r.until))
                     .set("at", to_text(r.at))
                     .set("reason", r.reason);
  if (r.automatic) n.set("automatic", true);
  return n;
}

void Rollbacks::load(Time now) {
  if (!files_.exists(path_)) return;
  const auto read = [&]() -> Status {
    TRY(const std::string text, files_.read(path_));
    TRY(const json::Document doc, json::parse(text));
    const auto list = json::find_array(doc.root(), "rollbacks");
    if (!list) return invalid("no list of rollbacks", path_);
    for (const json::Value v : *list) {
      TRY(Rollback r, from_json(v));
      all_.push_back(std::move(r));
    }
    next_ = static_cast<uint64_t>(json::find_int(doc.root(), "next").value_or(1));
    return {};
  };
  const Status done = read();
  for (const auto& r : all_) next_ = std::max(next_, r.id + 1);
  if (done.ok()) return;
  say_error("rollbacks cannot be read, so nothing that came before now blocks: {}", done.error().text());
  if (const auto text = files_.read(path_); text.ok()) (void)files_.write_atomic(path_ + ".damaged", *text, 0600).ok();
  all_ = {{.id = next_++,
           .partner = "*",
           .since = Time{0},
           .until = now,
           .at = now,
           .reason = "the file of rollbacks could not be read"}};
  // Kept, so that what comes from now on is not concerned after the next start either.
  if (const Status kept = save(all_, next_); !kept.ok())
    say_error("the rule in their place is not kept: {}", kept.error().text());
}

Status Rollbacks::save(const std::vector<Rollback>& all, uint64_t next) {
  json::Node list = json::Node::array();
  for (const auto& r : all) list.push(to_json(r));
  json::Node n = json::Node::object();
  n.set("next", next).set("rollbacks", std::move(list));
  return files_.write_atomic(path_, json::write(n) + "\n", 0600);
}

Result<Rollback> Rollbacks::add(Rollback rollback) {
  rollback.id = next_;
  std::vector<Rollback> all = all_;
  all.push_back(rollback);
  CHECK_OK(save(all, next_ + 1));
  all_ = std::move(all);
  ++next_;
  return rollback;
}

Result<Rollback> Rollbacks::remove(std::string_view name) {
  const auto it = std::ranges::find_if(all_, [&](const Rollback& r) { return r.name() == name; });
  if (it == all_.end())
    return make_error(ErrorKind::kNotFound, "there is no such rollback", printable(name, 40),
                      "see 'entente lease rollbacks'");
  Rollback removed = *it;
  std::vector<Rollback> all = all_;
  all.erase(all.begin() + (it - all_.begin()));
  CHECK_OK(save(all, next_));
  all_ = std::move(all);
  return removed;
}

const Rollback* Rollbacks::covers(const std::string& partner, Time arrived) const {
  for (const auto& r : all_) {
    if (r.covers(partner, arrived)) return &r;
  }
  return nullptr;
}

}  // namespace entente::sensor
