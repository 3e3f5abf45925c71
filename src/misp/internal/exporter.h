// One export: STIX objects in, MISP events out.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "misp/internal/shared.h"
#include "misp/internal/tables.h"
#include "misp/misp.h"

namespace entente::misp::internal {

class Exporter {
 public:
  void add(json::Node object);
  [[nodiscard]] Export run() &&;

 private:
  // An event under construction. Attributes and objects are looked up by the id of the STIX object that shows them.
  struct Event {
    const json::Node* container = nullptr;  // null: what belongs to none
    std::vector<std::string> markings;
    json::Node attributes = json::Node::array(), objects = json::Node::array(), reports = json::Node::array();
    json::Node galaxies = json::Node::array();
    struct Shown {
      bool object = false;
      size_t index = 0;
      std::string uuid;
    };
    std::map<std::string, Shown, std::less<>> shown;
    std::map<std::string, size_t, std::less<>> object_index;  // MISP uuid -> index in objects
    std::set<std::string, std::less<>> clusters;              // of the event as a whole
    std::vector<const json::Node*> relationships, sightings;
  };

  [[nodiscard]] const json::Node* find(std::string_view id) const;
  void list(const json::Node& object, std::string reason, bool changed = false);
  void unsaid(const json::Node& object, std::string_view carried);  // lists properties beside the common ones
  void use(const json::Node& object) { used_.insert(std::string(object.string_at("id"))); }

  json::Node event(const json::Node* container, const std::vector<const json::Node*>& members);
  void take(Event& event, const json::Node& object);
  [[nodiscard]] json::Node frame(const Event& event, const std::vector<const json::Node*>& members);

  // export_ours.cc: what to_stix() made
  bool ours(Event& event, const json::Node& object, const json::Node& extension);
  json::Node attribute_of(const Event& event, const json::Node& object, const json::Node& extension,
                          std::span<const Place> places, bool to_ids);
  json::Node& object_for(Event& event, const std::string& uuid, const json::Node* frame);
  void relationship(Event& event, const json::Node& relationship);
  void sighting(Event& event, const json::Node& sighting);
  json::Node cluster(const json::Node& object);
  void add_cluster(json::Node& galaxies, const json::Node& object);

  // export_others.cc
  bool others(Event& event, const json::Node& object);
  json::Node plain_attribute(const Event& event, const json::Node& object, std::string_view type,
                             const std::string& value, bool to_ids, size_t number);
  void push(Event& event, const json::Node& object, json::Node attribute);
  void indicator(Event& event, const json::Node& object);
  size_t observable(Event& event, const json::Node& carrier, const json::Node& sco, size_t number);

  // Both
  void tags(const Event& event, json::Node& out, const json::Node* labels, const json::Node* markings);
  void times(json::Node& out, const json::Node& object, const json::Node* extension);

  std::vector<json::Node> objects_;
  std::map<std::string, size_t, std::less<>> by_id_;
  std::set<std::string, std::less<>> used_, listed_;
  std::map<std::string, size_t> grouped_;
  Export out_;
};

}  // namespace entente::misp::internal
