// One import: events in, STIX objects and the list of what did not come over out.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "misp/internal/shared.h"
#include "misp/internal/store.h"
#include "misp/internal/tables.h"
#include "misp/misp.h"

namespace entente::misp::internal {

class Importer {
 public:
  Status event(const json::Node& event, const std::string& path);
  [[nodiscard]] Import finish() &&;

 private:
  // Tags, sorted into what STIX has for them.
  struct Marks {
    std::vector<std::string> markings;  // ids
    std::vector<std::string> labels;
  };
  struct Attribute {
    const json::Node* node = nullptr;
    std::string path, uuid, type, relation, value, comment;
    std::string data;  // base64; empty without
    bool to_ids = false, deleted = false;
    Time modified;
    std::optional<Time> first_seen, last_seen;
    const AttributeType* row = nullptr;
    Marks marks;
  };
  // A value with its place.
  struct Placed {
    size_t attribute = 0;  // index
    Place place;
    std::string path;  // with the type that the value has
    json::Node value;
    bool in_pattern = false, in_observable = false;
  };
  // What an object of STIX is made from, attribute or object.
  struct Source {
    std::string path, uuid, type, comment;
    Time modified;
    std::optional<Time> first_seen, last_seen;
    bool deleted = false;
    Marks marks;
    std::string name;  // for people
  };

  void list(std::string path, std::string_view type, std::string reason, bool changed = false);
  void account(std::string_view structure, const json::Node& node, const std::string& path);

  // Fills the common properties and adds the object if it is valid; false (and listed) if not.
  bool emit(json::Node object, const Source& source, const Marks& marks, json::Node extension);
  [[nodiscard]] json::Node begin(std::string_view type, const std::string& id, const Source& source) const;
  void relate(const std::string& source, std::string_view verb, const std::string& target, const Source& of,
              const std::string& uuid = {}, std::string_view comment = {}, json::Node extension = {});

  // import_context.cc
  Marks tags(const json::Node& holder, const std::string& path, const Marks* inherited);
  [[nodiscard]] std::string organisation(const json::Node* org, std::string_view fallback);
  std::vector<std::string> clusters(const json::Node& holder, const std::string& path);
  [[nodiscard]] std::string cluster(const json::Node& node, std::string_view galaxy, const std::string& path);
  void sightings(const json::Node& attribute, const std::string& path, const std::string& main, const Source& source);
  void proposals(const json::Node& holder, const std::string& path);
  void event_report(const json::Node& report, const std::string& path);

  // import_values.cc
  std::optional<Attribute> read_attribute(const json::Node& node, const std::string& path);
  std::vector<Placed> place_parts(const Attribute& a, size_t index, std::string& why) const;
  [[nodiscard]] static std::string pattern_of(std::vector<Placed*>& flagged);
  [[nodiscard]] std::vector<std::string> observables(std::vector<Placed>& placed,
                                                     const std::vector<Attribute>& attributes, const Source& source);
  // The indicator or observed-data of the values; "" if nothing could be made. `extension` is completed by the caller
  // through `describe`, which sees the object.
  std::string carry(std::vector<Placed>& placed, const std::vector<Attribute>& attributes, const Source& source,
                    const std::function<json::Node(const json::Node&)>& describe);

  // import_attributes.cc
  // `object`: uuid of the MISP object that it is taken out of; "" if it stands in none.
  // `frame`: what else is to be known of that object, if nothing but such attributes is left of it.
  void attribute(const json::Node& node, const std::string& path, std::string_view object = {},
                 const json::Node* frame = nullptr);
  [[nodiscard]] json::Node describe(const Attribute& a, const json::Node* carrier, std::span<const Place> places) const;
  std::string own_object(const Attribute& a, const Source& source, const json::Node& extension);
  std::string note(const Source& source, std::string abstract, std::string content, const json::Node& extension,
                   std::string_view link = {});
  void context(const json::Node& node, const std::string& path, const std::string& main, const Source& source,
               const std::vector<std::string>& cluster_ids);

  // import_objects.cc
  void object(const json::Node& node, const std::string& path);
  void references(const json::Node& object, const std::string& path);

  Store store_;
  Import out_;
  std::map<std::string, size_t> grouped_;  // "Attribute.event_id" -> index in out_.not_carried

  // `uuid`, or one made from it and the place if the event has it already.
  [[nodiscard]] std::string unique(std::string uuid, const std::string& path, std::string_view type);

  // Of the event that is read now.
  std::set<std::string, std::less<>> uuids_;
  std::string event_uuid_, creator_, container_;
  Time date_, timestamp_;
  Marks event_marks_;
  std::vector<std::string> members_;  // object_refs of the container
  std::set<std::string> member_set_;
  std::map<std::string, std::string, std::less<>> made_;  // MISP uuid -> STIX id
  std::set<std::string, std::less<>> carried_tags_;       // tag names that a cluster of the event stands for
};

}  // namespace entente::misp::internal
