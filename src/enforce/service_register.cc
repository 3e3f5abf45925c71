#include "enforce/service_register.h"

#include "base/bytes.h"
#include "json/json.h"

namespace entente::enforce {

Result<RegisterLoaded> add_register(std::string_view text, const std::string& file, ProtectedList& lists,
                                    ProtectedList& needed) {
  TRY(const json::Document document, json::parse(text));
  if (json::find_string(document.root(), "format").value_or("") != "entente-services/1")
    return invalid("no register of critical services: \"format\" is not \"entente-services/1\"", file,
                   "see docs/format/service-register.md");
  const auto services = json::find_array(document.root(), "services");
  if (!services) return invalid("no register of critical services: \"services\" is missing", file);
  RegisterLoaded loaded;
  for (const json::Value service : *services) {
    const std::string name = printable(json::find_string(service, "service").value_or(""), 80);
    if (name.empty())
      return invalid("a service without a name", file + ": services[" + std::to_string(loaded.services) + "]");
    const std::string run_by = printable(json::find_string(service, "operator").value_or(""), 80);
    const std::string label = run_by.empty() ? name : name + " (" + run_by + ")";
    const auto add = [&](const char* member, ProtectedList& into, size_t& count) -> Status {
      const auto list = json::find_array(service, member);
      if (!list) return {};
      for (const json::Value entry : *list) {
        std::string_view written;
        if (entry.get_string().get(written) != simdjson::SUCCESS)
          return invalid("an entry is no text", file + ": " + name + ": " + member);
        auto target = parse_target(written);
        if (!target.ok()) return std::move(target).error().at(file + ": " + name + ": " + member);
        if (target->kind == TargetKind::kName) {
          into.add_name(target->host, label);
        } else {
          into.add_prefix(target->prefix, label);
        }
        ++count;
      }
      return {};
    };
    CHECK_OK(add("targets", lists, loaded.targets));
    CHECK_OK(add("depends_on", needed, loaded.dependences));
    ++loaded.services;
  }
  return loaded;
}

Result<RegisterLoaded> add_register_file(Files& files, const std::string& path, ProtectedList& lists,
                                         ProtectedList& needed) {
  TRY(const std::string text, files.read(path));
  auto loaded = add_register(text, path, lists, needed);
  if (!loaded.ok() && loaded.error().where.find(path) == std::string::npos) return std::move(loaded).error().at(path);
  return loaded;
}

}  // namespace entente::enforce
