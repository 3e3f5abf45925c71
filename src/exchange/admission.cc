#include "exchange/admission.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/uuid.h"
#include "exchange/exercise.h"
#include "exchange/provenance.h"
#include "exchange/receipts.h"
#include "exchange/wire.h"
#include "pattern/pattern.h"
#include "stix/validate.h"

namespace entente::exchange {

std::string RowMeta::text() const {
  std::string out;
  for (const std::string* s : {&by, &agreement, &article, &tlp, &pap, &original}) {
    out += *s;
    out += '\n';
  }
  return out;
}

RowMeta RowMeta::parse(std::string_view text) {
  RowMeta m;
  for (std::string* s : {&m.by, &m.agreement, &m.article, &m.tlp, &m.pap, &m.original}) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) break;
    *s = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  return m;
}

Status add_written(store::Change& change, const Uuid& collection, const std::string& text, std::string_view by,
                   std::string_view agreement) {
  TRY(const json::Document doc, json::parse(text));
  TRY(const auto summary, stix::summarize(doc.root()));
  RowMeta meta;
  meta.by = by;
  meta.agreement = agreement;
  change.add(collection, summary, text, meta.text());
  return {};
}

std::string why_not(const json::Value& object, stix::Summary& summary) {
  auto read = stix::summarize(object);
  if (!read.ok()) return read.error().text();
  summary = *read;
  thread_local std::vector<stix::Finding> findings;
  findings.clear();
  if (!stix::validate(object, {.strict = false, .warnings = false}, findings)) {
    std::string out;
    for (const auto& f : findings) {
      if (f.level != stix::Finding::Level::kError) continue;
      if (out.size() > 1000) break;
      if (!out.empty()) out += "; ";
      out += std::string(f.code) + " " + (f.pointer.empty() ? "/" : f.pointer) + ": " + f.message;
    }
    return out;
  }
  if (summary.type == "indicator" && json::find_string(object, "pattern_type").value_or("") == "stix") {
    const auto parsed = pattern::Pattern::parse(json::find_string(object, "pattern").value_or(""));
    if (!parsed.ok()) return "/pattern: " + parsed.error().text();
  }
  return {};
}

// What an object is derived from is said by relationships, which nothing in the object refers to.
void note_origin(store::Change& change, const json::Value& object, const stix::Summary& summary) {
  if (summary.type != "relationship" || json::find_string(object, "relationship_type") != "derived-from") return;
  const auto source = json::find_string(object, "source_ref");
  if (!source) return;
  change.set(kOriginSpace, fmt::format("{} {}", *source, summary.id),
             json::find_string(object, "target_ref").value_or(""));
  change.set(kOriginSpace, "", "");
}

void Admission::admit(const Uuid& collection, const RowMeta& meta, const std::string& envelope,
                      std::function<void(Result<taxii::StatusInfo>)> done) {
  thread_local json::Document doc;
  if (Status parsed = doc.parse(envelope); !parsed.ok()) return done(parsed.error());
  const json::Value root = doc.root();
  if (!root.is_object()) return done(invalid("the body is not a TAXII envelope", "/", "send {\"objects\":[…]}"));
  const auto objects = json::find_array(root, "objects");
  if (!objects) {
    if (json::find_string(root, "type").has_value() && json::find_string(root, "type") != "bundle") {
      return done(invalid("the body is a single STIX object, not a TAXII envelope", "/", "send {\"objects\":[…]}"));
    }
    return done(invalid("the envelope has no \"objects\"", "/objects", "send {\"objects\":[…]}"));
  }
  auto raws = json::split_array(envelope, "objects");
  if (!raws.ok()) return done(raws.error());

  auto submission = std::make_shared<Submission>();
  submission->status_id = random_uuid().text();
  submission->caller = meta.by;
  submission->request_time = cx_.clock.now();
  store::Change change;
  const std::string row_meta = meta.text();
  size_t i = 0;
  for (const json::Value object : *objects) {
    const std::string_view raw = (*raws)[i++];
    stix::Summary summary;
    std::string problem = object.is_object() ? why_not(object, summary) : "this member of \"objects\" is not an object";
    if (problem.empty() && summary.type.starts_with("x-entente-"))
      problem = "objects of this type are made by nodes only";
    if (problem.empty() && !cx_.config.exercise) problem = exercise_refuses(false, object);
    if (problem.empty()) {
      auto theirs = why_not_own(cx_, object, summary);
      if (!theirs.ok()) return done(theirs.error());
      problem = *std::move(theirs);
      if (!problem.empty()) say_warn("{} of {} is not admitted: {}", printable(summary.id), meta.by, problem);
    }
    taxii::ItemResult item{std::string(summary.id), std::string(summary.version), {}};
    if (!problem.empty()) {
      if (item.id.empty() && object.is_object()) item.id = json::find_string(object, "id").value_or("");
      item.message = std::move(problem);
      submission->failures.push_back(std::move(item));
      continue;
    }
    // T65: the same object in another order of members or with other blanks is the same object.
    if (cx_.config.exercise) {
      std::string marked = exercise_marked(raw, object);
      json::Document again;
      if (Status s = again.parse(marked); !s.ok()) return done(s.error());
      const std::string canonical = json::canonical(again.root());
      change.add_canonical(collection, summary, std::move(marked), row_meta, canonical);
    } else {
      change.add_canonical(collection, summary, std::string(raw), row_meta, json::canonical(object));
    }
    note_origin(change, object, summary);
    submission->sent.push_back(std::move(item));
  }
  note_status(change, *submission);
  cx_.store.commit(std::move(change), [submission, done = std::move(done)](Result<store::Outcome> outcome) {
    if (!outcome.ok()) return done(outcome.error());
    done(settle(std::move(*submission), *outcome));
  });
}

}  // namespace entente::exchange
