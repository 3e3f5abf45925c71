// MISP events (MISP core format) to STIX 2.1 and back. What is made of a MISP thing follows from tables
// (internal/tables.h; written out in docs/misp.md); what cannot be carried is listed, never dropped.
//
// Deterministic: the same event gives the same octets, in the same order, on every machine. Pure: no clock, no I/O.
// Thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/node.h"

namespace entente::misp {

// One thing that did not come over, or not as what it was.
struct NotCarried {
  std::string path;    // JSON pointer in the source; "*" stands for every index where `count` is more than one thing
  std::string type;    // MISP attribute or object type, or member name; STIX type on the way back
  std::string reason;  // a sentence
  uint64_t count = 1;
  bool changed = false;  // carried, but as something lesser than its type says
};

// What became of attributes, those in objects included: each counts once.
struct Counts {
  uint64_t events = 0, attributes = 0;
  uint64_t as_indicator = 0;  // in a pattern
  uint64_t as_observed = 0;   // in an observable
  uint64_t as_other = 0;      // in an object of its own (vulnerability, victim, rule) or named property of one
  uint64_t as_note = 0;       // in a note's text
  uint64_t beside = 0;        // only in our extension of the object that its MISP object became
  uint64_t left_out = 0;      // listed
};

struct Import {
  std::vector<json::Node> objects;  // ready to be written or published; references point backwards where they can
  std::vector<NotCarried> not_carried;
  Counts counts;
};

// Each text is {"Event":…}, {"response":[{"Event":…},…]}, a list of those, or a bare event. Objects that several events
// share come once. kInvalid with its place for what is none of these, or an event without uuid.
[[nodiscard]] Result<Import> to_stix(std::span<const std::string_view> texts);

struct Export {
  std::vector<json::Node> events;  // {"Event":…} each
  std::vector<NotCarried> not_carried;
  uint64_t objects = 0;  // STIX objects seen
  uint64_t used = 0;     // of these, those that an event shows or that served to make it
};

// STIX objects (raw text each) to events: one per report and grouping, one more for what belongs to none. What
// to_stix() made comes back as it was, as far as it was carried.
[[nodiscard]] Result<Export> to_misp(std::span<const std::string_view> objects);

// {"type":"bundle",…}; the id follows from the objects.
[[nodiscard]] json::Node bundle_of(const std::vector<json::Node>& objects);

// The mapping as Markdown tables, for docs/misp.md.
[[nodiscard]] std::string mapping_markdown();

}  // namespace entente::misp
